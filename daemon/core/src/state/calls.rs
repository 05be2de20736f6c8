//! Calls: ModemManager shows no duration, so it is the time between active and terminated, held time included.
//!
//! A call is in the ledger from the moment it is seen: a restart goes on with it where ModemManager still shows it. Where its
//! end was missed it ends unknown, between two bounds. At least: until its state was told last, since ModemManager does
//! not look after active calls and its word alone proves nothing; but where ModemManager heard the end and the service
//! did not, its word was right, and the call lasted at least as long as it was shown. At most: until it was first seen
//! to be gone.

mod call;

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use super::restored::Restored;
use crate::effect::{Change, Effects, Notice};
use crate::ident::{BootId, Iccid, ModemId};
use crate::ledger::Zone;
use crate::modem::{CallState, CallView, ModemState, ModemView};
use crate::number::{self, Caller, Judged};
use crate::time::Stamp;
use crate::voice::{CallEnd, CallId, CallRecord};
use call::{Call, End};

/// A ModemManager that was restarted shows calls that go on within this time after its modem is enabled.
const GRACE_MS: u64 = 5_000;

/// ModemManager asks the modem for its calls every 2 seconds while one rings or is dialled, and finds then what ended
/// long before.
const POLL_MS: u64 = 4_000;

/// Calls under way at once are followed up to this many.
const MOST: usize = 64;

/// The calls under way, and what is needed to tell them apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Calls {
    open: BTreeMap<CallId, Call>,
    next: i64,
    /// Modems that have told all their calls since they were last seen anew.
    listed: BTreeSet<ModemId>,
    /// Since when nobody could see a modem's calls, by `CLOCK_BOOTTIME`.
    blind: BTreeMap<ModemId, u64>,
    /// The same for modems that the service has not seen yet.
    blind_at_first: u64,
}

impl Calls {
    pub(super) fn restored(open: Vec<CallRecord>, next: CallId) -> Self {
        Self {
            open: open.iter().filter_map(|record| Some((record.id, Call::restored(record)?))).collect(),
            next: next.0,
            listed: BTreeSet::new(),
            blind: BTreeMap::new(),
            blind_at_first: 0,
        }
    }

    /// When a call under way is looked at again, and when one that is gone is given up: by `CLOCK_BOOTTIME`.
    pub(super) fn next_look(&self) -> Option<u64> {
        self.open.values().filter_map(|call| call.next_look(GRACE_MS)).min()
    }

    /// Calls of a SIM under way, as they would be kept if they ended now.
    pub(super) fn of<'a>(&'a self, iccid: &'a Iccid, at: Stamp) -> impl Iterator<Item = CallRecord> + 'a {
        self.open.iter().filter(|(_, call)| call.iccid.as_ref() == Some(iccid)).map(move |(id, call)| {
            CallRecord { end: CallEnd::Seen, ..call.record(*id, &End::Open(at.boot_ms), at) }
        })
    }

    fn next_id(&mut self) -> CallId {
        let id = CallId(self.next);
        self.next = self.next.saturating_add(1);
        id
    }

    fn shown(&self, modem: &ModemId, view: &CallView) -> Option<CallId> {
        self.open.iter().find(|(_, call)| call.is_shown_as(modem, view)).map(|(id, _)| *id)
    }

    fn of_modem(&self, modem: Option<&ModemId>) -> Vec<CallId> {
        let wanted = |call: &Call| modem.is_none_or(|modem| call.modem == *modem);
        self.open.iter().filter(|(_, call)| wanted(call)).map(|(id, _)| *id).collect()
    }
}

impl State {
    /// Since when nobody saw calls is told by the newest word of the ledger; without it, by the beginning of this boot.
    pub(super) fn calls_at_start(&mut self, boot: &BootId, at: Stamp) {
        let outage = match (self.newest, at.trusted) {
            (Some(newest), true) => at.wall.since(newest).as_millis().max(0).unsigned_abs(),
            _ => u64::MAX,
        };
        self.calls.blind_at_first = at.boot_ms.saturating_sub(outage);
        for call in self.calls.open.values_mut() {
            call.started(boot);
        }
    }

    /// Every call that a modem shows, after it is seen anew.
    pub(super) fn calls_listed(&mut self, modem: &ModemId, views: &[CallView], at: Stamp, fx: &mut Effects) {
        let since = self.calls.blind.remove(modem).unwrap_or(self.calls.blind_at_first);
        let blind_ms = at.boot_ms.saturating_sub(since);
        let mut found = BTreeSet::new();
        for view in views {
            let known = self.calls.shown(modem, view).or_else(|| self.lost_like(modem, view));
            match (known, view.state) {
                (Some(id), state) => {
                    found.insert(id);
                    match state {
                        // ModemManager heard the end, and nobody else did.
                        CallState::Terminated => self.end_call(id, &End::Late(at.boot_ms), at, fx),
                        CallState::Unknown => self.end_call(id, &End::Gone(at.boot_ms), at, fx),
                        _ => self.call_found(id, view, at, fx),
                    }
                }
                // It came and went while nobody looked, or long ago.
                (None, CallState::Terminated | CallState::Unknown) => {}
                (None, state) => {
                    let Some(id) = self.begin_call(modem, view, at) else { continue };
                    found.insert(id);
                    if let Some(call) = self.calls.open.get_mut(&id).filter(|_| is_connected(state)) {
                        call.before_ms = blind_ms;
                    }
                    self.call_moved(id, state, at, fx);
                }
            }
        }
        self.calls.listed.insert(modem.clone());
        for id in self.calls.of_modem(Some(modem)) {
            let service = views.first().and_then(|view| view.service.as_ref());
            if !found.contains(&id)
                && let Some(call) = self.calls.open.get_mut(&id)
            {
                // The one that showed it shows it no more; another one may yet find it.
                call.lost_boot_ms.get_or_insert(at.boot_ms);
                if service.is_some() && call.service.as_ref() == service {
                    call.gone_boot_ms.get_or_insert(at.boot_ms);
                }
            }
        }
        let view = self.modems.get(modem).cloned();
        if let Some(view) = view {
            self.calls_of_seen_modem(&view, at, fx);
        }
    }

    pub(super) fn call_changed(&mut self, modem: &ModemId, view: &CallView, at: Stamp, fx: &mut Effects) {
        if view.state == CallState::RingingIn {
            self.ring_means_idle(modem, view, at, fx);
        }
        let known = self.calls.shown(modem, view).or_else(|| self.lost_like(modem, view));
        match (known, view.state) {
            (Some(id), CallState::Terminated) => self.end_call(id, &self.told_end(id, at), at, fx),
            // Deleted before its end was told: nobody saw it.
            (Some(id), CallState::Unknown) => self.end_call(id, &End::Gone(at.boot_ms), at, fx),
            (None, CallState::Terminated | CallState::Unknown) => {}
            (known, state) => {
                if let Some(id) = known {
                    self.call_found(id, view, at, fx);
                }
                if let Some(id) = known.or_else(|| self.begin_call(modem, view, at)) {
                    self.call_moved(id, state, at, fx);
                }
            }
        }
    }

    /// A network that rings knows of no call: while there is one, another waits. The end of a call that still counts
    /// as connected was missed.
    fn ring_means_idle(&mut self, modem: &ModemId, view: &CallView, at: Stamp, fx: &mut Effects) {
        for id in self.calls.of_modem(Some(modem)) {
            let missed = |call: &Call| {
                call.is_connected() && call.lost_boot_ms.is_none() && !call.is_shown_as(modem, view)
            };
            if self.calls.open.get(&id).is_some_and(missed) {
                self.end_call(id, &End::Gone(at.boot_ms), at, fx);
            }
        }
    }

    /// How a call ended that is told to have. Told as another one begins, ModemManager may have found out just then.
    fn told_end(&self, id: CallId, at: Stamp) -> End {
        let Some(ended) = self.calls.open.get(&id) else { return End::Seen(at.boot_ms) };
        let newer = |(other, call): (&CallId, &Call)| {
            *other != id
                && call.modem == ended.modem
                && call.began_after(ended, at.boot_ms.saturating_sub(POLL_MS))
        };
        if ended.is_connected() && self.calls.open.iter().any(newer) {
            End::Gone(at.boot_ms)
        } else {
            End::Seen(at.boot_ms)
        }
    }

    /// A call that was lost from sight and looks like this one: ModemManager shows it under another path once it was
    /// restarted.
    fn lost_like(&self, modem: &ModemId, view: &CallView) -> Option<CallId> {
        if matches!(view.state, CallState::Terminated | CallState::Unknown) {
            return None;
        }
        let party = self.judge_call(modem, view).1;
        let like = |call: &&Call| {
            call.lost_boot_ms.is_some()
                && call.modem == *modem
                && call.incoming == view.incoming
                && call.party == party
                && call.service != view.service
                // A call that was connected rings no more.
                && (is_connected(view.state) || !call.is_connected())
        };
        self.calls.open.iter().find(|(_, call)| like(call)).map(|(id, _)| *id)
    }

    fn begin_call(&mut self, modem: &ModemId, view: &CallView, at: Stamp) -> Option<CallId> {
        let boot = self.boot.clone()?;
        if self.calls.open.len() >= MOST {
            return None;
        }
        let (judged, party) = self.judge_call(modem, view);
        let iccid = self.sim_of(modem);
        let zone = self.zone_now(iccid.as_ref());
        let id = self.calls.next_id();
        let call = Call::begun(modem, view, (iccid, zone), (judged.class, party), boot, at);
        self.calls.open.insert(id, call);
        Some(id)
    }

    fn judge_call(&self, modem: &ModemId, view: &CallView) -> (Judged, Option<String>) {
        let judged = self.judge_number(modem, view.number.as_deref(), view.incoming);
        let party = judged.party.as_deref().map(|number| self.party_key.digest(number));
        (judged, party)
    }

    /// Judges a number by the SIM that a modem uses, and where it is.
    pub(super) fn judge_number(&self, modem: &ModemId, number: Option<&str>, incoming: bool) -> Judged {
        let iccid = self.sim_of(modem);
        let view = self.modems.get(modem);
        let sim = view.and_then(|view| view.sim.as_ref());
        let record = iccid.as_ref().and_then(|iccid| self.sims.get(iccid)).map(|sim| &sim.record);
        let caller = Caller {
            home: sim
                .and_then(|sim| sim.operator_code.as_ref().map(|code| code.as_str()))
                .or_else(|| sim.and_then(|sim| sim.imsi.as_ref()).map(|imsi| imsi.as_str()))
                .or_else(|| record.and_then(|record| record.imsi.as_ref()).map(|imsi| imsi.as_str())),
            visited: view.and_then(|view| view.operator_code.as_ref()).map(|code| code.as_str()),
        };
        let settings = iccid.as_ref().and_then(|iccid| self.settings.sims.get(iccid));
        match settings {
            Some(settings) => number::judge(number, incoming, caller, &settings.numbers),
            None => number::judge(number, incoming, caller, &number::OwnNumbers::default()),
        }
    }

    /// A number that was not known, or not under this ledger's key.
    fn name_party(&mut self, id: CallId, view: &CallView) {
        let nameless = self.calls.open.get(&id).filter(|call| call.party.is_none());
        if let Some(modem) = nameless.map(|call| call.modem.clone()) {
            let party = self.judge_call(&modem, view).1;
            if let Some(call) = self.calls.open.get_mut(&id) {
                call.party = party;
            }
        }
    }

    /// Where a SIM is.
    pub(super) fn zone_now(&self, iccid: Option<&Iccid>) -> Zone {
        iccid.and_then(|iccid| self.sims.get(iccid)).map_or(Zone::Unknown, |sim| sim.zone.clone())
    }

    /// A call is shown, again where it was lost from sight. Only a change of its state proves that it lasts.
    fn call_found(&mut self, id: CallId, view: &CallView, at: Stamp, fx: &mut Effects) {
        self.name_party(id, view);
        let Some(call) = self.calls.open.get_mut(&id) else { return };
        let answers = is_connected(view.state) && !call.is_connected();
        if call.found_again(view, at.boot_ms) {
            call.seen(at.boot_ms);
            fx.changes.push(Change::KeepCall(call.record(id, &End::Open(at.boot_ms), at)));
        }
        if answers {
            self.call_moved(id, view.state, at, fx);
        }
    }

    /// A call is in this state now.
    fn call_moved(&mut self, id: CallId, state: CallState, at: Stamp, fx: &mut Effects) {
        let Some(call) = self.calls.open.get_mut(&id) else { return };
        if is_connected(state) {
            call.connected(at);
        }
        call.told(at.boot_ms);
        fx.changes.push(Change::KeepCall(call.record(id, &End::Open(at.boot_ms), at)));
        self.voice_moved(id, fx);
    }

    fn end_call(&mut self, id: CallId, end: &End, at: Stamp, fx: &mut Effects) {
        self.voice_moved(id, fx);
        let Some(call) = self.calls.open.remove(&id) else { return };
        let record = call.record(id, end, at);
        if let Some(sim) = record.iccid.as_ref().and_then(|iccid| self.sims.get_mut(iccid)) {
            sim.count_call(&record);
        }
        fx.changes.push(Change::KeepCall(record));
    }

    /// Rules look at the SIM again, and followers are told.
    fn voice_moved(&mut self, id: CallId, fx: &mut Effects) {
        let iccid = self.calls.open.get(&id).and_then(|call| call.iccid.clone());
        if let Some(iccid) = iccid
            && let Some(sim) = self.sims.get_mut(&iccid)
        {
            sim.evaluate_soon();
            fx.notices.push(Notice::UsageGrew(iccid));
        }
    }

    /// Another ledger took the place of the one that these calls are in: one that it does not know gets a number that it
    /// has not given out, one that only it knows under way ended since, nobody knows when.
    pub(super) fn calls_replaced(&mut self, restored: &Restored, at: Stamp, fx: &mut Effects) {
        let other_key = self.party_key != restored.party_key;
        let mut theirs = restored.open_calls.clone();
        self.calls.next = self.calls.next.max(restored.next_call.0);
        for (id, mut call) in std::mem::take(&mut self.calls.open) {
            let known = theirs.iter().position(|record| call.is_recorded_as(record));
            let id = match known.map(|place| theirs.remove(place)) {
                Some(record) => record.id,
                None if id >= restored.next_call => id,
                None => self.calls.next_id(),
            };
            if other_key {
                // Told anew under that ledger's key when it is shown next.
                call.party = None;
            }
            fx.changes.push(Change::KeepCall(call.record(id, &End::Open(at.boot_ms), at)));
            self.calls.open.insert(id, call);
        }
        for record in theirs {
            let Some(mut call) = Call::restored(&record) else { continue };
            if let Some(boot) = &self.boot {
                call.started(boot);
            }
            call.gone_boot_ms = Some(at.boot_ms);
            self.calls.open.insert(record.id, call);
        }
    }

    /// ModemManager is gone: nobody sees the calls, which may go on.
    pub(super) fn calls_out_of_sight(&mut self, at: Stamp, fx: &mut Effects) {
        let modems: Vec<ModemId> = std::mem::take(&mut self.calls.listed).into_iter().collect();
        for modem in modems {
            self.calls.blind.entry(modem).or_insert(at.boot_ms);
        }
        for (id, call) in &mut self.calls.open {
            if call.lost_boot_ms.is_none() && !call.is_of_earlier_boot() {
                call.lost(at.boot_ms);
                fx.changes.push(Change::KeepCall(call.record(*id, &End::Open(at.boot_ms), at)));
            }
        }
    }

    /// A modem is gone, and its calls with it.
    pub(super) fn calls_of_gone_modem(&mut self, modem: &ModemId, at: Stamp, fx: &mut Effects) {
        if self.calls.listed.remove(modem) {
            self.calls.blind.insert(modem.clone(), at.boot_ms);
        }
        for id in self.calls.of_modem(Some(modem)) {
            self.end_call(id, &End::Gone(at.boot_ms), at, fx);
        }
    }

    /// What a modem's own state says of its calls: another SIM has none of them, and an enabled modem shows those that
    /// go on.
    pub(super) fn calls_of_seen_modem(&mut self, view: &ModemView, at: Stamp, fx: &mut Effects) {
        let iccid = view.sim.as_ref().and_then(|sim| sim.iccid.as_ref());
        let listed = self.calls.listed.contains(&view.id) && is_enabled(view.state);
        for id in self.calls.of_modem(Some(&view.id)) {
            let Some(call) = self.calls.open.get_mut(&id) else { continue };
            let other = matches!((&call.iccid, iccid), (Some(one), Some(other)) if one != other);
            if other {
                self.end_call(id, &End::Gone(at.boot_ms), at, fx);
            } else if listed && call.lost_boot_ms.is_some() {
                call.gone_boot_ms.get_or_insert(at.boot_ms);
            }
        }
    }

    /// Calls under way are looked at now and then: rules are asked, and the ledger is told that they go on. What is
    /// gone is given up.
    pub(super) fn look_at_calls(&mut self, at: Stamp, fx: &mut Effects) {
        for id in self.calls.of_modem(None) {
            let Some(call) = self.calls.open.get_mut(&id) else { continue };
            if call.is_of_earlier_boot() {
                if at.trusted || call.began.is_none() {
                    self.end_call(id, &End::EarlierBoot, at, fx);
                }
            } else if let Some(gone) =
                call.gone_boot_ms.filter(|gone| at.boot_ms >= gone.saturating_add(GRACE_MS))
            {
                self.end_call(id, &End::Gone(gone), at, fx);
            } else if call.next_look(GRACE_MS).is_some_and(|due| due <= at.boot_ms) {
                call.looked_at(at.boot_ms);
                fx.changes.push(Change::KeepCall(call.record(id, &End::Open(at.boot_ms), at)));
                self.voice_moved(id, fx);
            }
        }
    }

    /// Calls under way as they are now, for the ledger.
    pub(super) fn flush_calls(&mut self, at: Stamp) -> Vec<Change> {
        let mut changes = Vec::new();
        for (id, call) in &mut self.calls.open {
            if call.is_connected() && call.lost_boot_ms.is_none() && !call.is_of_earlier_boot() {
                call.seen(at.boot_ms);
                changes.push(Change::KeepCall(call.record(*id, &End::Open(at.boot_ms), at)));
            }
        }
        changes
    }
}

const fn is_connected(state: CallState) -> bool {
    matches!(state, CallState::Active | CallState::Held)
}

const fn is_enabled(state: ModemState) -> bool {
    matches!(
        state,
        ModemState::Enabled
            | ModemState::Searching
            | ModemState::Registered
            | ModemState::Disconnecting
            | ModemState::Connecting
            | ModemState::Connected
    )
}
