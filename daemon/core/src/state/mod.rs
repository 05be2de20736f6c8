//! The state and its one entry point, [`State::step`].

pub mod accounting;
mod asking;
mod calls;
pub mod carrier;
mod clock;
mod cycles;
mod facts;
mod fleet;
mod messages;
mod metered;
mod modems;
mod outbox;
mod plugins;
mod reading;
mod reminders;
mod replaced;
pub mod restored;
mod schedules;
#[cfg(test)]
mod tests;
mod thresholds;
mod unmeasured;
mod usage;
mod wake;
mod warnings;
mod ways;
mod wishes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::action::ActionRecord;
use crate::effect::{Change, Effects, Notice, SimRecord};
use crate::event::Event;
use crate::health::{Warning, WarningCode};
use crate::ident::{BootId, ChannelName, Iccid, ModemId, ReminderKey, RuleName};
use crate::ledger::{Session, Source};
use crate::memory::Memory;
use crate::modem::{ModemView, SmsView};
use crate::observation::{Observation, ObservationId};
use crate::party::PartyKey;
use crate::plugin::{PluginStandings, standings};
use crate::reminder::{Delivery, Reminder};
use crate::settings::Settings;
use crate::time::{Stamp, Timestamp};
use crate::view::{RuleDescription, Trigger};
use crate::voice::SmsDirection;
use crate::zone::ZoneRules;
use accounting::{Accounting, Splits};
use calls::Calls;
use fleet::Fleet;
use messages::Messages;
use restored::Restored;
use unmeasured::Unmeasured;

pub use thresholds::{LinkPosition, Threshold};
pub use usage::{Sim, Totals};

/// Everything that the service knows, and what it does next.
///
/// The same events in the same order always give the same state and the same effects.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    settings: Settings,
    boot: Option<BootId>,
    now: Stamp,
    newest: Option<Timestamp>,
    bus_connected: bool,
    modemmanager: Option<String>,
    modems: BTreeMap<ModemId, ModemView>,
    accounting: Accounting,
    sims: BTreeMap<Iccid, Sim>,
    rules: BTreeMap<RuleName, RuleDescription>,
    /// Whether it is known which rules there are: before, nothing is held to interest none.
    rules_known: bool,
    /// Which channels each rule named.
    channels_named: BTreeMap<RuleName, BTreeSet<ChannelName>>,
    /// How often each rule was asked since the service began.
    asked: BTreeMap<RuleName, u64>,
    /// How often a rule failed in a row.
    failures: BTreeMap<RuleName, u32>,
    memories: BTreeMap<RuleName, Arc<Memory>>,
    actions: BTreeMap<String, ActionRecord>,
    /// What was decided about plugins, by name.
    plugins: PluginStandings,
    fleet: Fleet,
    /// News that the rules were not asked about yet.
    occasions: Vec<Trigger>,
    reminders: BTreeMap<ReminderKey, Reminder>,
    deliveries: BTreeMap<String, Delivery>,
    /// Deliveries handed to their channel and not answered yet.
    in_flight: BTreeSet<String>,
    marks: BTreeMap<String, Timestamp>,
    /// Schedules handed to their rule and not answered yet.
    marks_in_flight: BTreeMap<String, Timestamp>,
    sms_seen: BTreeMap<String, Timestamp>,
    calls: Calls,
    messages: Messages,
    party_key: PartyKey,
    warnings: BTreeMap<(WarningCode, String), Warning>,
    health_changed: bool,
    /// By `CLOCK_BOOTTIME`: from then on what is not found wrong is well.
    settles_at: Option<u64>,
    /// By `CLOCK_BOOTTIME`: until then a connection without its link may be one of a modem that is being pulled out, whose
    /// end its link tells earlier than ModemManager does.
    links_settle_at: Option<u64>,
    /// Connections that nothing counts, by their modems.
    unmeasured: BTreeMap<ModemId, Unmeasured>,
    /// SIMs that moved, which the rules were not asked about yet.
    roaming_unasked: BTreeSet<Iccid>,
    /// When the next schedule is due, as worked out at an instant.
    schedules_known: Option<schedules::Known>,
    /// When each SIM's cycle began and ends, as its bounds say.
    splits: Splits,
    last_read_boot_ms: u64,
    /// How long it was from the reading before to the last one.
    last_read_span_ms: u64,
    /// How long after the last reading what is at stake asks for the next.
    wanted_ms: u64,
    /// The next midnight of any SIM, as worked out at an instant.
    midnight: Option<wake::Midnight>,
    /// Messages that came before the clock was trusted.
    sms_waiting: Vec<(ModemId, SmsView)>,
    /// Boots with usage in the ledger that waits for its date.
    undated: Vec<BootId>,
    /// The carrier's figures of each SIM, the newest, in order of their identities.
    observations: BTreeMap<Iccid, Vec<Observation>>,
    next_observation: ObservationId,
    stopping: bool,
}

impl State {
    /// The state that the ledger remembers, before anything has happened.
    #[must_use]
    pub fn restored(settings: Settings, restored: Restored) -> Self {
        let accounting = Accounting::restored(
            restored.next_epoch.0,
            restored.baselines,
            restored.epochs,
            restored.sessions,
        );
        let sims = restored.sims.into_iter().map(|record| (record.iccid.clone(), Sim::new(record))).collect();
        Self {
            settings,
            boot: None,
            now: Stamp { wall: Timestamp::from_millis(0), boot_ms: 0, trusted: false },
            newest: restored.newest,
            bus_connected: false,
            modemmanager: None,
            modems: BTreeMap::new(),
            accounting,
            sims,
            rules: BTreeMap::new(),
            rules_known: false,
            channels_named: BTreeMap::new(),
            asked: BTreeMap::new(),
            failures: BTreeMap::new(),
            memories: restored.memories.into_iter().map(|(rule, memory)| (rule, Arc::new(memory))).collect(),
            actions: restored.actions.into_iter().map(|record| (record.key.clone(), record)).collect(),
            plugins: standings(&restored.plugin_decisions),
            fleet: Fleet::restored(restored.modems),
            occasions: Vec::new(),
            reminders: restored.reminders.into_iter().map(|r| (r.key.clone(), r)).collect(),
            deliveries: restored.deliveries.into_iter().map(|d| (d.id.clone(), d)).collect(),
            in_flight: BTreeSet::new(),
            marks: restored.schedule_marks.into_iter().map(|m| (m.key, m.served)).collect(),
            marks_in_flight: BTreeMap::new(),
            sms_seen: restored.sms_digests.into_iter().map(|d| (d.digest, d.at)).collect(),
            calls: Calls::restored(restored.open_calls, restored.next_call),
            messages: Messages::restored(restored.next_sms, restored.counted_sms),
            party_key: restored.party_key,
            warnings: BTreeMap::new(),
            health_changed: false,
            settles_at: None,
            links_settle_at: None,
            unmeasured: BTreeMap::new(),
            roaming_unasked: BTreeSet::new(),
            schedules_known: None,
            splits: Splits::new(),
            last_read_boot_ms: 0,
            last_read_span_ms: 0,
            wanted_ms: u64::MAX,
            midnight: None,
            sms_waiting: Vec::new(),
            undated: restored.undated_boots,
            observations: carrier::by_sim(restored.observations),
            next_observation: restored.next_observation,
            stopping: false,
        }
    }

    /// Takes one event in and says what has to be done because of it.
    ///
    /// Before an event that changes which SIM uses a counter (a modem seen, a modem gone), the caller reads the
    /// kernel's counters and hands them in, so that growth until then lands where it belongs.
    pub fn step(&mut self, at: Stamp, event: &Event) -> Effects {
        let mut fx = Effects::default();
        let before = self.now;
        self.now = at;
        if before.trusted != at.trusted {
            self.clock_trust_changed(at, &mut fx);
        }
        self.clock_moved(before, at, &mut fx);
        self.end_beginning(at);
        self.take_in(at, event, &mut fx);
        self.settle(at, &mut fx);
        fx
    }

    fn take_in(&mut self, at: Stamp, event: &Event, fx: &mut Effects) {
        match event {
            Event::Started { boot, links } => {
                self.boot = Some(boot.clone());
                self.settles_at = Some(at.boot_ms.saturating_add(warnings::SETTLES_MS));
                self.accounting.started(boot, links, at);
                self.last_read_boot_ms = at.boot_ms;
                self.calls_at_start(boot, at);
                self.configured_sims(at, fx);
                self.give_up_unknown(fx);
                self.give_up_intended(fx);
                if !at.trusted || !self.undated.is_empty() {
                    self.clock_trust_changed(at, fx);
                }
            }
            Event::SettingsLoaded(settings) => self.settings_loaded(settings, at, fx),
            Event::RulesLoaded(rules) => self.rules_loaded(rules, at, fx),
            Event::BusConnected => {
                self.bus_connected = true;
                self.well(WarningCode::BusLost, "", fx);
                fx.notices.push(Notice::StatusChanged);
            }
            Event::BusLost(why) => {
                self.bus_connected = false;
                self.modemmanager_gone(at, fx);
                // Without a bus nobody knows about ModemManager, and starting it would not help.
                self.well(WarningCode::ModemManagerGone, "", fx);
                let text = format!(
                    "The D-Bus connection is lost ({why}). SIMs cannot be watched until it is back; the service \
                     tries again by itself."
                );
                self.warn(WarningCode::BusLost, "", text, fx);
            }
            Event::ModemManagerAppeared { version } => {
                self.modemmanager = Some(version.clone());
                self.well(WarningCode::ModemManagerGone, "", fx);
                fx.notices.push(Notice::StatusChanged);
            }
            Event::ModemManagerVanished => self.modemmanager_gone(at, fx),
            Event::ModemSeen(view) => self.modem_seen(view, at, fx),
            Event::ModemVanished { modem } => self.modem_vanished(modem, at, fx),
            Event::SmsReceived { modem, sms } => self.sms_received(modem, sms, at, fx),
            Event::SmsSent { modem, parts, to } => {
                self.sms_left(modem, *parts, to.as_deref(), SmsDirection::Sent, at, fx);
            }
            Event::SmsFailed { modem, parts, to, unknown } => {
                let direction = if *unknown { SmsDirection::Unknown } else { SmsDirection::Failed };
                self.sms_left(modem, *parts, to.as_deref(), direction, at, fx);
            }
            Event::CallsListed { modem, calls } => self.calls_listed(modem, calls, at, fx),
            Event::CallChanged { modem, call } => self.call_changed(modem, call, at, fx),
            Event::UssdReceived { .. } => {
                fx.notices.push(Notice::Happened("the network sent a message by USSD".to_owned()));
            }
            Event::LinksRead(links) => {
                self.reading_begins(at);
                let asked = self.accounting.wants_read();
                let booked = self.accounting.links_read(links, at, &self.splits);
                self.booked(&booked, fx);
                if asked {
                    self.judge_modems(fx);
                }
            }
            Event::LinksResynchronised(links) => {
                self.reading_begins(at);
                let booked = self.accounting.links_resynchronised(links, at, &self.splits);
                self.booked(&booked, fx);
                self.claim_again(at, fx);
            }
            Event::LinkAppeared(link) => {
                let concerns = self.concerns_modems(link);
                let booked = self.accounting.link_appeared(link, at, &self.splits);
                self.booked(&booked, fx);
                if concerns {
                    self.claim_again(at, fx);
                }
                if !self.anything_connecting() && !self.accounting.ppp_link_awaited() {
                    self.accounting.forget_newborn();
                }
            }
            Event::LinkVanished(end) => {
                let concerns = self.concerns_modems(&end.reading);
                let booked = self.accounting.link_vanished(end, at, &self.splits);
                self.booked(&booked, fx);
                if concerns {
                    self.links_settle_at.get_or_insert(at.boot_ms.saturating_add(modems::LINKS_SETTLE_MS));
                    self.claim_again(at, fx);
                }
            }
            Event::WakeReached | Event::ClockChanged => {}
            Event::LedgerReplaced { restored, links, reason } => {
                self.ledger_replaced(restored, links, *reason, at, fx);
            }
            Event::HistoryChanged => {
                self.sims.values_mut().for_each(Sim::forget_cycle);
                fx.notices.push(Notice::StatusChanged);
            }
            Event::Committed => self.well(WarningCode::LedgerNotWritable, "", fx),
            Event::CommitFailed(why) => {
                let text = format!(
                    "The ledger cannot be written ({why}). Usage is still measured and kept in memory; nothing is \
                     lost while the service runs. Free or mend the disk that holds the state directory."
                );
                self.warn(WarningCode::LedgerNotWritable, "", text, fx);
            }
            Event::TotalsLoaded { query, by_zone, units, corrections, first_at } => {
                self.totals_loaded(query, by_zone, units, *corrections, *first_at);
            }
            Event::CountsLoaded { query, counts } => self.counts_loaded(query, counts),
            Event::RulesEvaluated(results) => {
                self.rules_evaluated(results, at, fx);
            }
            Event::ActionEnded { key, state, note } => self.action_ended(key, *state, note.as_deref(), fx),
            Event::PluginDecided(decision) => self.plugin_decided(decision, fx),
            Event::RuleResumed(rule) => self.rule_resumed(rule, fx),
            Event::DeliveryEnded { id, outcome } => self.delivery_ended(id, outcome, at, fx),
            Event::ReminderAcknowledged(key) => self.acknowledge(key, at, fx),
            Event::ReminderSnoozed { key, span } => self.snooze(key, *span, at, fx),
            Event::UsageCorrected(correction) => self.usage_corrected(correction, fx),
            Event::UsageObserved(observation) => self.usage_observed(observation, fx),
            Event::ChannelTested(channel) => self.channel_tested(channel, at, fx),
            Event::HealthReported { code, subject, text } => match text {
                Some(text) => {
                    self.warn(*code, subject, text.clone(), fx);
                    if *code == WarningCode::Overflow {
                        // What the ledger did not take is not in its sums: those in memory are read anew.
                        self.sims.values_mut().for_each(Sim::forget_cycle);
                    }
                }
                None => self.well(*code, subject, fx),
            },
            Event::FollowerArrived => self.desktop_again(at, fx),
            Event::SimNoticed(iccid) => self.sim_noticed(iccid, at, fx),
            Event::StopRequested => {
                self.stopping = true;
                self.accounting.keep_sessions();
                self.end_all_unmeasured(at, fx);
            }
        }
    }

    /// What follows from the new state, whatever the event was.
    fn settle(&mut self, at: Stamp, fx: &mut Effects) {
        self.refresh_cycles(at, fx);
        self.settle_links(at, fx);
        if !self.stopping {
            self.look_at_calls(at, fx);
            if at.trusted && !self.totals_awaited() {
                self.sms_waited(at, fx);
                self.serve_schedules(at, fx);
                self.evaluate_occasions(at, fx);
                self.evaluate_roaming(at, fx);
                self.evaluate_usage(at, fx);
            }
            self.say_due_reminders(at, fx);
            self.evaluate_modems(at, fx);
            self.look_at_corrections(fx);
            self.evaluate_health(at, fx);
            self.deliver_due(at, fx);
        }
        let mut saved_within = self.saved_within();
        if self.flush_if_due(saved_within, at, fx) {
            saved_within = self.saved_within();
        }
        self.weigh_stakes(saved_within, at);
        debug_assert_eq!(
            self.sims.values().fold(0_u64, |sum, sim| sum.saturating_add(sim.unsaved)),
            self.accounting.unsaved().0,
            "what each SIM has unsaved adds up"
        );
        self.find_midnight(at);
    }

    /// Says whether something that was not saved was handed out.
    fn flush_if_due(&mut self, saved_within: u64, at: Stamp, fx: &mut Effects) -> bool {
        let (bytes, _) = self.accounting.unsaved();
        let due = self.stopping
            || !fx.changes.is_empty()
            || !fx.load_totals.is_empty()
            || self.accounting.has_changes()
            || self.much_unsaved()
            || (bytes > 0 && saved_within < reading::FASTEST_MS)
            || self.long_unsaved(at);
        if due {
            let mut changes = self.flush_usage(at);
            if self.stopping {
                fx.changes.extend(self.flush_calls(at));
            }
            changes.append(&mut fx.changes);
            fx.changes = changes;
        }
        due && bytes > 0
    }

    fn flush_usage(&mut self, at: Stamp) -> Vec<Change> {
        if self.accounting.unsaved().0 > 0 {
            self.sims.values_mut().for_each(|sim| sim.unsaved = 0);
        }
        self.accounting.flush(at)
    }

    fn clock_trust_changed(&mut self, at: Stamp, fx: &mut Effects) {
        if at.trusted {
            let offset_ms = at.wall.as_millis().saturating_sub(i64::try_from(at.boot_ms).unwrap_or(i64::MAX));
            // Usage not committed yet goes in undated, before the change that dates it with the rest.
            if let Some(boot) = self.boot.clone() {
                if self.undated.iter().any(|undated| *undated != boot) {
                    self.undated.retain(|undated| *undated == boot);
                    let before = Timestamp::from_millis(offset_ms);
                    let after = self.newest.filter(|newest| *newest <= before);
                    fx.changes.push(Change::DateEarlierBoots { boot: boot.clone(), before, after });
                }
                fx.changes.push(Change::DateEntries { boot, offset_ms });
            }
            for sim in self.sims.values_mut() {
                sim.forget_cycle();
            }
            self.well(WarningCode::ClockUntrusted, "", fx);
        } else {
            let why = match self.newest.filter(|newest| *newest > at.wall) {
                Some(newest) => {
                    let zone = &self.settings.zone;
                    format!(
                        "it says {}, which is before the newest entry of the ledger, {}",
                        zone.rfc3339(at.wall),
                        zone.rfc3339(newest)
                    )
                }
                None => "it is not synchronised, or says a date before this version was made".to_owned(),
            };
            let text = format!(
                "The clock cannot be believed yet: {why}. Usage is measured and dated later; nothing that depends on the \
                 date fires until then. Set the clock, or wait for NTP; `service.clock` in the configuration says what is \
                 believed."
            );
            self.warn(WarningCode::ClockUntrusted, "", text, fx);
        }
        fx.notices.push(Notice::StatusChanged);
    }

    fn settings_loaded(&mut self, settings: &Settings, at: Stamp, fx: &mut Effects) {
        self.settings = settings.clone();
        self.schedules_known = None;
        self.midnight = None;
        let gone: Vec<String> = self
            .warnings
            .keys()
            .filter(|(code, name)| {
                *code == WarningCode::ChannelFailing
                    && !self.settings.channels.iter().any(|channel| channel.name.as_str() == name)
            })
            .map(|(_, name)| name.clone())
            .collect();
        for name in gone {
            self.well(WarningCode::ChannelFailing, &name, fx);
        }
        self.look_at_channels(fx);
        for sim in self.sims.values_mut() {
            sim.forget_cycle();
        }
        self.configured_sims(at, fx);
        self.claim_again(at, fx);
        fx.notices.push(Notice::StatusChanged);
    }

    fn rules_loaded(&mut self, rules: &[RuleDescription], at: Stamp, fx: &mut Effects) {
        let before = std::mem::take(&mut self.rules);
        self.rules = rules.iter().map(|rule| (rule.name.clone(), rule.clone())).collect();
        self.rules_known = true;
        // A rule that failed again and again does so still, unless it was mended.
        let same = |rule: &RuleDescription| {
            before.get(&rule.name).filter(|before| !rule.version.is_empty() && before.version == rule.version)
        };
        let mut suspended = BTreeSet::new();
        for rule in self.rules.values_mut() {
            if let Some(before) = same(rule).filter(|before| before.suspended && rule.problem.is_none()) {
                rule.suspended = true;
                rule.problem.clone_from(&before.problem);
                suspended.insert(rule.name.clone());
            }
        }
        let sims: Vec<Iccid> = self.sims.keys().cloned().collect();
        for iccid in sims {
            self.cycle_entered(&iccid, fx);
        }
        self.failures.clear();
        self.fleet.ask_soon();
        let failing: Vec<String> = self
            .warnings
            .keys()
            .filter(|(code, _)| matches!(code, WarningCode::RuleFailing | WarningCode::ActionFailed))
            .map(|(_, subject)| subject.clone())
            .collect();
        for subject in failing {
            self.well(WarningCode::RuleFailing, &subject, fx);
            self.well(WarningCode::ActionFailed, &subject, fx);
        }
        let gone: Vec<String> = self
            .warnings
            .keys()
            .filter(|(code, subject)| {
                matches!(code, WarningCode::RuleDisabled | WarningCode::RuleOutdated)
                    && !self.rules.keys().any(|r| r.as_str() == subject)
            })
            .map(|(_, subject)| subject.clone())
            .collect();
        for subject in gone {
            self.well(WarningCode::RuleDisabled, &subject, fx);
            self.well(WarningCode::RuleOutdated, &subject, fx);
        }
        for rule in rules {
            match &rule.outdated {
                Some(problem) => {
                    let text = format!("{problem}\nThe version before runs on, until that is mended.");
                    self.warn(WarningCode::RuleOutdated, rule.name.as_str(), text, fx);
                }
                None => self.well(WarningCode::RuleOutdated, rule.name.as_str(), fx),
            }
            if suspended.contains(&rule.name) {
                continue;
            }
            match &rule.problem {
                Some(problem) => {
                    self.warn(WarningCode::RuleDisabled, rule.name.as_str(), problem.clone(), fx)
                }
                None => self.well(WarningCode::RuleDisabled, rule.name.as_str(), fx),
            }
        }
        self.rules_name_channels(rules, &before);
        self.look_at_channels(fx);
        self.resolve_ownerless(at, fx);
        for sim in self.sims.values_mut() {
            sim.asking.forget();
        }
        self.health_changed = true;
        self.roaming_unasked.extend(self.active_sims());
        self.forget_schedules();
        fx.notices.push(Notice::StatusChanged);
    }

    /// Everything measured and not in the ledger yet, to be committed now: somebody is about to read it.
    pub fn flush(&mut self, at: Stamp) -> Vec<Change> {
        let mut changes = self.flush_usage(at);
        changes.extend(self.flush_calls(at));
        changes
    }

    /// Whether two thirds of the time are over that usage may be unsaved: a commit on an occasion that wakes the service
    /// anyway then takes the place of the one that would wake it.
    #[must_use]
    pub fn commit_is_near(&self, at: Stamp) -> bool {
        let (_, since) = self.accounting.unsaved();
        let most = self.settings.max_unsaved_time.as_millis().unsigned_abs();
        since.is_some_and(|since| at.boot_ms.saturating_sub(since) >= most / 3 * 2)
    }

    /// What the configuration decides.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The version of ModemManager, where it is on the bus.
    #[must_use]
    pub fn modemmanager(&self) -> Option<&str> {
        self.modemmanager.as_deref()
    }

    /// Whether the D-Bus connection is up.
    #[must_use]
    pub const fn bus_connected(&self) -> bool {
        self.bus_connected
    }

    /// Every modem as last seen.
    pub fn modems(&self) -> impl Iterator<Item = &ModemView> {
        self.modems.values()
    }

    /// Every SIM known.
    pub fn sims(&self) -> impl Iterator<Item = &Sim> {
        self.sims.values()
    }

    /// Data connections that are counted now, and whether traffic of each was found to bypass the kernel's counters.
    pub fn sessions(&self) -> impl Iterator<Item = (&Session, bool)> {
        self.accounting.sessions().map(|session| (session, self.accounting.is_bypassed(session.id)))
    }

    /// The modems of connections that ModemManager's figures count now.
    pub fn told_by_modem(&self) -> impl Iterator<Item = &ModemId> {
        let told = self.accounting.sessions().filter(|session| session.source == Source::Modem);
        told.filter_map(|session| session.modem.as_ref())
    }

    /// Every rule.
    pub fn rules(&self) -> impl Iterator<Item = &RuleDescription> {
        self.rules.values()
    }

    /// Every reminder that is not long resolved.
    pub fn reminders(&self) -> impl Iterator<Item = &Reminder> {
        self.reminders.values()
    }

    /// Every delivery that is not long finished.
    pub fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values()
    }

    /// What is wrong now.
    pub fn warnings(&self) -> impl Iterator<Item = &Warning> {
        self.warnings.values()
    }

    /// The newest instant that the ledger spoke of when the service began: a wall clock before it is wrong.
    #[must_use]
    pub const fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// The key of the ledger's digests of numbers.
    #[must_use]
    pub const fn party_key(&self) -> PartyKey {
        self.party_key
    }

    /// Zone rules that hold for a SIM.
    #[must_use]
    pub fn zone_of(&self, iccid: &Iccid) -> &ZoneRules {
        self.settings.sims.get(iccid).map_or(&self.settings.zone, |sim| &sim.zone)
    }

    /// Whether a SIM's usage is held back because nobody can confirm which SIM is in use.
    #[must_use]
    pub fn is_uncertain(&self, iccid: &Iccid) -> bool {
        self.accounting.is_uncertain(iccid)
    }

    fn sim_of(&self, modem: &ModemId) -> Option<Iccid> {
        self.modems.get(modem).and_then(|m| m.sim.as_ref()).and_then(|s| s.iccid.clone())
    }

    fn active_sims(&self) -> Vec<Iccid> {
        self.modems.values().filter_map(|m| m.sim.as_ref()?.iccid.clone()).collect()
    }

    fn keep_sim(&mut self, record: SimRecord, fx: &mut Effects) {
        let iccid = record.iccid.clone();
        if !self.sims.contains_key(&iccid) {
            self.schedules_known = None;
            self.midnight = None;
        }
        self.sims
            .entry(iccid)
            .and_modify(|s| s.record = record.clone())
            .or_insert_with(|| Sim::new(record.clone()));
        fx.changes.push(Change::KeepSim(record));
    }

    fn sim_noticed(&mut self, iccid: &Iccid, at: Stamp, fx: &mut Effects) {
        if !self.sims.contains_key(iccid) {
            let record = SimRecord {
                iccid: iccid.clone(),
                imsi: None,
                eid: None,
                operator: None,
                first_seen: at.wall,
                last_seen: at.wall,
            };
            self.keep_sim(record, fx);
        }
    }

    fn configured_sims(&mut self, at: Stamp, fx: &mut Effects) {
        let named: Vec<Iccid> = self.settings.sims.keys().cloned().collect();
        for iccid in named {
            self.sim_noticed(&iccid, at, fx);
        }
    }
}
