//! Modems as they come, change and go, and what that says about their SIMs.

use super::State;
use super::accounting::Seen;
use crate::counter::LinkReading;
use crate::effect::{Effects, Notice, SimRecord};
use crate::health::WarningCode;
use crate::ident::{Iccid, ModemId};
use crate::ledger::Zone;
use crate::modem::{BearerView, ModemState, ModemView, Registration, SimView};
use crate::settings::SourceChoice;
use crate::time::{Span, Stamp};
use crate::view::Trigger;

/// ModemManager tells that a modem is gone within this long after its link went.
pub(super) const LINKS_SETTLE_MS: u64 = 10_000;

/// `last_seen` of a SIM in use is written this often, not at each change of its modem.
const SEEN_STEP: Span = Span::secs(86_400);

impl State {
    pub(super) fn modem_seen(&mut self, view: &ModemView, at: Stamp, fx: &mut Effects) {
        let before = self.modems.get(&view.id).cloned();
        let known = view.sim.as_ref().and_then(|sim| self.sims.get(sim.iccid.as_ref()?)).is_some_and(|sim| {
            sim.first_at.is_some() || sim.record.imsi.is_some() || sim.record.operator.is_some()
        });
        for sim in view.sim.iter().chain(view.slots.iter().flatten()) {
            self.sim_seen(sim, at, fx);
        }
        if let Some(before) = &before {
            self.sims_left(before, Some(view), at, fx);
        }
        let roamed = self.place_sim(view);
        let just_seen = before.is_none();
        // The same modem may come back under another path before its old one is reported gone.
        self.modems.insert(view.id.clone(), view.clone());
        self.fleet_seen(view, fx);
        self.claim(view, just_seen, known, at, fx);
        self.judge_modem(view, just_seen, fx);
        self.calls_of_seen_modem(view, at, fx);
        let iccid = view.sim.as_ref().and_then(|s| s.iccid.clone());
        let sim_changed = before.as_ref().and_then(|m| m.sim.as_ref()).and_then(|s| s.iccid.clone()) != iccid;
        if let Some(iccid) = iccid {
            if roamed || sim_changed {
                self.roaming_unasked.insert(iccid.clone());
            }
            if (sim_changed || roamed)
                && let Some(sim) = self.sims.get_mut(&iccid)
            {
                sim.evaluate_soon();
            }
        }
        fx.notices.push(Notice::StatusChanged);
    }

    /// Asks the rules about SIMs that moved, once the clock is trusted and it is known where they are.
    pub(super) fn evaluate_roaming(&mut self, at: Stamp, fx: &mut Effects) {
        let known: Vec<Iccid> = self
            .roaming_unasked
            .iter()
            .filter(|iccid| self.sims.get(*iccid).is_some_and(|sim| sim.zone != Zone::Unknown))
            .cloned()
            .collect();
        for iccid in &known {
            self.roaming_unasked.remove(iccid);
        }
        let triggers: Vec<Trigger> = known.into_iter().map(|sim| Trigger::Roaming { sim }).collect();
        self.ask_rules(&triggers, at, fx);
    }

    pub(super) fn modem_vanished(&mut self, modem: &ModemId, at: Stamp, fx: &mut Effects) {
        let Some(before) = self.modems.remove(modem) else { return };
        self.fleet_gone(modem, at, fx);
        self.sims_left(&before, None, at, fx);
        self.accounting.modems_lost(Some(modem), at);
        self.end_unmeasured(modem, 0, at, fx);
        self.calls_of_gone_modem(modem, at, fx);
        self.well(WarningCode::ModemUnusable, modem.as_str(), fx);
        self.well(WarningCode::NotMeasured, modem.as_str(), fx);
        self.well(WarningCode::CountersBypassed, modem.as_str(), fx);
        fx.notices.push(Notice::StatusChanged);
    }

    pub(super) fn modemmanager_gone(&mut self, at: Stamp, fx: &mut Effects) {
        self.modemmanager = None;
        let modems: Vec<ModemId> = self.modems.keys().cloned().collect();
        for modem in &modems {
            self.fleet_gone(modem, at, fx);
            self.well(WarningCode::ModemUnusable, modem.as_str(), fx);
            self.well(WarningCode::NotMeasured, modem.as_str(), fx);
            self.well(WarningCode::CountersBypassed, modem.as_str(), fx);
        }
        for before in std::mem::take(&mut self.modems).into_values() {
            self.sims_left(&before, None, at, fx);
        }
        self.accounting.modems_lost(None, at);
        self.calls_out_of_sight(at, fx);
        let text =
            "ModemManager is not on the bus: nothing is known of the modems until it is back. Start it with \
                    `systemctl start ModemManager`."
                .to_owned();
        self.warn(WarningCode::ModemManagerGone, "", text, fx);
        fx.notices.push(Notice::StatusChanged);
    }

    /// Whether a link is one that a modem uses, or may: most that come and go are others' (containers, tunnels).
    pub(super) fn concerns_modems(&self, link: &LinkReading) -> bool {
        let name = link.name.as_str();
        link.ppp
            || self.accounting.is_used(link.ifindex)
            || self.settings.ppp_interface.as_deref() == Some(name)
            || self.modems.values().any(|modem| {
                modem.net_ports.iter().any(|port| port == name)
                    || modem.bearers.iter().any(|bearer| bearer.interface.as_deref() == Some(name))
            })
    }

    /// Every modem claims its counters anew: links came or went.
    pub(super) fn claim_again(&mut self, at: Stamp, fx: &mut Effects) {
        let views: Vec<ModemView> = self.modems.values().cloned().collect();
        for view in &views {
            self.claim(view, false, true, at, fx);
            self.judge_modem(view, false, fx);
        }
    }

    fn claim(&mut self, view: &ModemView, just_seen: bool, known: bool, at: Stamp, fx: &mut Effects) {
        let mut accounting = std::mem::take(&mut self.accounting);
        let seen = Seen { just_seen, known, ..self.seen(view, at) };
        let booked = accounting.modem_seen(&seen);
        self.accounting = accounting;
        self.booked(&booked, fx);
    }

    fn seen<'a>(&'a self, view: &'a ModemView, at: Stamp) -> Seen<'a> {
        const NOWHERE: &Zone = &Zone::Unknown;
        let iccid = view.sim.as_ref().and_then(|sim| sim.iccid.as_ref());
        let settings = iccid.and_then(|iccid| self.settings.sims.get(iccid));
        Seen {
            modem: view,
            iccid,
            zone: iccid.and_then(|iccid| self.sims.get(iccid)).map_or(NOWHERE, |sim| &sim.zone),
            choice: settings.map_or(SourceChoice::Auto, |sim| sim.source),
            uncounted_apns: settings.map_or(&[], |sim| &sim.uncounted_apns),
            ppp_interface: self.settings.ppp_interface.as_deref(),
            just_seen: false,
            known: true,
            newest: self.newest,
            at,
            splits: &self.splits,
        }
    }

    pub(super) fn anything_connecting(&self) -> bool {
        self.modems.values().any(|m| m.state == ModemState::Connecting)
    }

    /// Whether a connected bearer has a counter that can be read, and is to be.
    pub(super) fn is_measured(&self, modem: &ModemView, bearer: &BearerView) -> bool {
        self.accounting.is_measured(&self.seen(modem, self.now), bearer)
    }

    fn judge_modem(&mut self, view: &ModemView, just_seen: bool, fx: &mut Effects) {
        let label = format!("{} {}", view.manufacturer, view.model);
        let label = label.trim();
        match (view.state, &view.unlock_required) {
            (ModemState::Failed, _) => {
                let why = view.failed_reason.as_deref().unwrap_or("no reason given");
                let text = format!("The modem {label} cannot be used: {why}.");
                self.warn(WarningCode::ModemUnusable, view.id.as_str(), text, fx);
            }
            (ModemState::Locked, lock) => {
                let lock = lock.as_deref().unwrap_or("a code");
                let text = format!(
                    "The SIM in the modem {label} waits for {lock}. Unlock it: `mmcli -i any --pin=CODE`."
                );
                self.warn(WarningCode::ModemUnusable, view.id.as_str(), text, fx);
            }
            _ => self.well(WarningCode::ModemUnusable, view.id.as_str(), fx),
        }
        self.judge_sessions(&view.id, label, fx);
        let unmeasured = view.bearers.iter().find(|b| b.connected && !self.is_measured(view, b));
        if unmeasured.is_none() || self.links_settle_at.is_none() {
            self.follow_unmeasured(view, unmeasured, just_seen, fx);
        }
        match unmeasured {
            Some(_) if self.links_settle_at.is_some() => {}
            Some(bearer) => {
                let port = bearer.interface.as_deref().unwrap_or("none");
                let source = view.sim.as_ref().and_then(|sim| self.settings.sims.get(sim.iccid.as_ref()?));
                let way_out = if source.is_some_and(|sim| sim.source != SourceChoice::Auto) {
                    " The SIM's `source` is configured: \"auto\" takes whatever there is."
                } else if bearer.ppp && self.settings.ppp_interface.is_none() {
                    " The connection is PPP, and no link of pppd came with it: set counting.ppp_interface, such as \
                     \"ppp0\", or connect again."
                } else if bearer.ppp {
                    " The configured counting.ppp_interface does not exist now."
                } else {
                    ""
                };
                let text = format!(
                    "The modem {label} is connected, but its usage is not measured: port {port} is no network \
                     interface and ModemManager counts nothing for it.{way_out}"
                );
                self.warn(WarningCode::NotMeasured, view.id.as_str(), text, fx);
            }
            None => self.well(WarningCode::NotMeasured, view.id.as_str(), fx),
        }
    }

    /// Says where traffic bypasses the kernel's counters.
    fn judge_sessions(&mut self, modem: &ModemId, label: &str, fx: &mut Effects) {
        let bypassed = self
            .accounting
            .sessions()
            .find(|session| session.modem.as_ref() == Some(modem) && self.accounting.is_bypassed(session.id));
        let text = bypassed.map(|session| {
            let interface = session.interface.as_deref().unwrap_or("its interface");
            format!(
                "Traffic of the modem {label} bypasses the kernel's counters of {interface}, as hardware flow offload \
                 makes it: ModemManager says more than the kernel. Until it disconnects ModemManager's figures count, \
                 which come twice a minute and lose what follows the last of them. Switch flow offload off, or set \
                 source = \"modem\" for the SIM."
            )
        });
        match text {
            Some(text) => self.warn(WarningCode::CountersBypassed, modem.as_str(), text, fx),
            None => self.well(WarningCode::CountersBypassed, modem.as_str(), fx),
        }
    }

    /// What may have been a modem's end was none, or is over.
    pub(super) fn settle_links(&mut self, at: Stamp, fx: &mut Effects) {
        if self.links_settle_at.take_if(|due| at.boot_ms >= *due).is_some() {
            self.judge_modems(fx);
        }
    }

    /// Modems whose sessions changed by a reading alone are judged anew.
    pub(super) fn judge_modems(&mut self, fx: &mut Effects) {
        let views: Vec<ModemView> = self.modems.values().cloned().collect();
        for view in &views {
            self.judge_modem(view, false, fx);
        }
    }

    fn sim_seen(&mut self, sim: &SimView, at: Stamp, fx: &mut Effects) {
        let Some(iccid) = &sim.iccid else { return };
        let known = self.sims.get(iccid).map(|s| s.record.clone());
        let record = match &known {
            Some(known) => SimRecord {
                iccid: iccid.clone(),
                imsi: sim.imsi.clone().or_else(|| known.imsi.clone()),
                eid: sim.eid.clone().or_else(|| known.eid.clone()),
                operator: sim
                    .operator_name
                    .clone()
                    .filter(|n| !n.is_empty())
                    .or_else(|| known.operator.clone()),
                first_seen: known.first_seen,
                last_seen: if at.wall.since(known.last_seen) >= SEEN_STEP {
                    at.wall
                } else {
                    known.last_seen
                },
            },
            None => SimRecord {
                iccid: iccid.clone(),
                imsi: sim.imsi.clone(),
                eid: sim.eid.clone(),
                operator: sim.operator_name.clone().filter(|n| !n.is_empty()),
                first_seen: at.wall,
                last_seen: at.wall,
            },
        };
        if known.as_ref() != Some(&record) {
            self.keep_sim(record, fx);
        }
    }

    /// Notes when the SIMs of a modem that shows them no more were last seen.
    fn sims_left(&mut self, before: &ModemView, now: Option<&ModemView>, at: Stamp, fx: &mut Effects) {
        let shown = |view: &ModemView, iccid: &Iccid| {
            view.sim.iter().chain(view.slots.iter().flatten()).any(|sim| sim.iccid.as_ref() == Some(iccid))
        };
        for sim in before.sim.iter().chain(before.slots.iter().flatten()) {
            let Some(iccid) = &sim.iccid else { continue };
            if now.is_some_and(|view| shown(view, iccid)) {
                continue;
            }
            let Some(known) = self.sims.get(iccid).map(|s| s.record.clone()) else { continue };
            if at.wall.since(known.last_seen).as_secs() > 0 {
                self.keep_sim(SimRecord { last_seen: at.wall, ..known }, fx);
            }
        }
    }

    /// Places the SIM where its modem is registered; while it searches, where it was. Says whether it moved.
    fn place_sim(&mut self, view: &ModemView) -> bool {
        let Some(iccid): Option<Iccid> = view.sim.as_ref().and_then(|s| s.iccid.clone()) else {
            return false;
        };
        let Some(sim) = self.sims.get_mut(&iccid) else { return false };
        let zone = match view.registration {
            Registration::Home => Zone::Home,
            Registration::Roaming => Zone::Roaming(view.operator_code.clone()),
            Registration::Unknown | Registration::Idle | Registration::Searching | Registration::Denied => {
                sim.zone.clone()
            }
        };
        let moved = sim.zone != zone;
        sim.zone = zone;
        moved
    }
}
