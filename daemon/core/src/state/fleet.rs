//! Modems as they were known before: which are lost, and which use another SIM.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::State;
use crate::effect::{Change, Effects, ModemRecord};
use crate::ident::{Iccid, ModemId};
use crate::modem::{ModemState, ModemView};
use crate::time::{Span, Stamp, Timestamp};
use crate::view::{ModemFacts, Trigger};

/// A modem that resets, or whose ModemManager is started anew, is back sooner.
const LOST_AFTER: Span = Span::secs(60);

/// What rules about modems were told last of one: whether it is there, and why it cannot be used.
type Told = (bool, Option<String>);

/// Every modem known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fleet {
    known: BTreeMap<ModemId, ModemRecord>,
    told: Option<BTreeMap<ModemId, Told>>,
    /// A modem was seen or is gone since they were told.
    moved: bool,
    /// When modems that are gone are lost, by `CLOCK_BOOTTIME`.
    look_at: Option<u64>,
}

impl Fleet {
    pub fn restored(known: Vec<ModemRecord>) -> Self {
        Self { known: known.into_iter().map(|modem| (modem.id.clone(), modem)).collect(), ..Self::default() }
    }

    pub fn records(&self) -> impl Iterator<Item = &ModemRecord> {
        self.known.values()
    }

    /// The rules are others now, or may be.
    pub fn ask_soon(&mut self) {
        self.told = None;
    }
}

impl State {
    /// A modem is there.
    pub(super) fn fleet_seen(&mut self, view: &ModemView, fx: &mut Effects) {
        self.fleet.moved = true;
        let before = self.fleet.known.get(&view.id);
        let iccid = view.sim.as_ref().and_then(|sim| sim.iccid.clone());
        let earlier = before.and_then(|before| before.sim.clone());
        let record = ModemRecord {
            id: view.id.clone(),
            name: name_of(view),
            // While it starts it shows none.
            sim: iccid.clone().or_else(|| earlier.clone()),
            lost_at: None,
        };
        if before != Some(&record) {
            self.keep_modem(record, fx);
        }
        if let (Some(sim), Some(before)) = (iccid, earlier)
            && sim != before
        {
            self.occasions.push(Trigger::SimChanged { sim, before });
        }
    }

    /// A modem is gone, for now.
    pub(super) fn fleet_gone(&mut self, modem: &ModemId, at: Stamp, fx: &mut Effects) {
        self.fleet.moved = true;
        let Some(known) = self.fleet.known.get(modem).filter(|known| known.lost_at.is_none()) else { return };
        self.keep_modem(ModemRecord { lost_at: Some(at.wall), ..known.clone() }, fx);
        self.fleet.look_at = Some(at.boot_ms.saturating_add(LOST_AFTER.as_millis().unsigned_abs()));
    }

    fn keep_modem(&mut self, record: ModemRecord, fx: &mut Effects) {
        fx.changes.push(Change::KeepModem(record.clone()));
        self.fleet.known.insert(record.id.clone(), record);
    }

    /// Asks the rules about modems where one is lost or back, or cannot be used or can again.
    pub(super) fn evaluate_modems(&mut self, at: Stamp, fx: &mut Effects) {
        if self.fleet.look_at.take_if(|due| at.boot_ms >= *due).is_some() {
            self.fleet.moved = true;
        }
        // What was there before a restart is not found at once.
        if self.settles_at.is_some() || !self.answers("modems") {
            return;
        }
        // With many modems a look at each, at each event, would show.
        if !std::mem::take(&mut self.fleet.moved) && self.fleet.told.is_some() && self.fleet.look_at.is_none()
        {
            return;
        }
        let now = || self.fleet.known.values().map(|known| (&known.id, self.as_told(known, at)));
        let as_it_was = |told: &BTreeMap<ModemId, Told>| {
            told.len() == self.fleet.known.len()
                && told.iter().zip(now()).all(|((before, told), (id, now))| before == id && *told == now)
        };
        if self.fleet.told.as_ref().is_some_and(as_it_was) {
            return;
        }
        let now = now().map(|(id, now)| (id.clone(), now)).collect();
        self.fleet.told = Some(now);
        self.ask_rules(&[Trigger::Modems], at, fx);
    }

    /// When a modem that is gone is lost, by `CLOCK_BOOTTIME`.
    pub(super) fn next_look_at_modems(&self) -> Option<u64> {
        self.fleet.look_at.filter(|_| self.answers("modems"))
    }

    fn as_told(&self, known: &ModemRecord, at: Stamp) -> Told {
        let view = self.modems.get(&known.id);
        (self.is_present(known, view, at), view.and_then(unusable))
    }

    fn is_present(&self, known: &ModemRecord, view: Option<&ModemView>, at: Stamp) -> bool {
        let gone_for = |lost: Timestamp| at.wall.since(lost);
        view.is_some()
            || known.lost_at.is_none_or(|lost| gone_for(lost) < LOST_AFTER && self.fleet.look_at.is_some())
    }

    /// Every modem known, as rules see it.
    pub(super) fn modem_facts(&self, at: Stamp) -> Arc<[ModemFacts]> {
        self.fleet
            .known
            .values()
            .map(|known| {
                let view = self.modems.get(&known.id);
                let present = self.is_present(known, view, at);
                ModemFacts {
                    name: known.name.clone(),
                    tail: tail(&known.id),
                    present,
                    lost_since: known.lost_at.filter(|_| !present),
                    state: view.map(|view| view.state),
                    unusable: view.and_then(unusable),
                    sim: known.sim.clone(),
                    network: view.and_then(|view| view.operator_name.clone()),
                    access: view.map(|view| view.access.clone()).unwrap_or_default(),
                    signal_percent: view.and_then(|view| view.signal_percent),
                }
            })
            .collect()
    }

    /// The modem that a SIM is or was in.
    #[must_use]
    pub fn modem_known_with(&self, iccid: &Iccid) -> Option<&ModemRecord> {
        self.fleet.known.values().find(|known| known.sim.as_ref() == Some(iccid))
    }
}

fn unusable(view: &ModemView) -> Option<String> {
    match (view.state, &view.unlock_required) {
        (ModemState::Failed, _) => Some(view.failed_reason.clone().unwrap_or_else(|| "failed".to_owned())),
        (ModemState::Locked, lock) => Some(lock.clone().unwrap_or_else(|| "locked".to_owned())),
        _ => None,
    }
}

fn name_of(view: &ModemView) -> String {
    format!("{} {}", view.manufacturer, view.model).trim().to_owned()
}

fn tail(id: &ModemId) -> String {
    let mut last: Vec<char> = id.as_str().chars().rev().take(4).collect();
    last.reverse();
    last.into_iter().collect()
}
