//! When rules are asked about a SIM's usage: where their answer changes, and otherwise rarely.
//!
//! Each answer says at which usage it would have been another one (its [`Watch`]). A rule is asked there, at once; all
//! of them are asked as the allowance is used up, when usage moved by a hundredth of it (for what changes with the
//! rate, such as a forecast), after a while with any growth, on each day, and when something else than growth changed:
//! a cycle, a correction, the settings, the rules, where the SIM is.

use std::collections::BTreeMap;

use super::State;
use super::metered::Metered;
use super::wake::SLACK_MS;
use crate::effect::Effects;
use crate::ident::{Iccid, RuleName};
use crate::time::{Stamp, Timestamp};
use crate::view::Trigger;
use crate::watch::Watch;
use crate::zone::ZoneRules;

/// Growth that makes every rule look again where there is no allowance.
const NO_PLAN_QUANTUM: u64 = 100_000_000;

/// Growth too small to look at is looked at after this long. All rules of 64 SIMs take as much as everything else in a
/// quarter of an hour, and less than a hundredth an hour moves no forecast by much.
const STALE_AFTER_MS: u64 = 60 * 60_000;

/// What rules were asked about one SIM, and what makes them be asked again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asking {
    /// Something else than growth changed.
    due: bool,
    /// The usage that all rules were asked about last; none where they were not.
    all_at: Option<u64>,
    /// The local day on which all rules were asked last, from its first instant until the next one's: what depends on the
    /// date changes at midnight.
    on: Option<(Timestamp, Timestamp)>,
    /// Booked since, both directions.
    grown: u64,
    /// Since when there is any of it, by `CLOCK_BOOTTIME`.
    grown_since: Option<u64>,
    /// By rule: the usage that it was asked about last, and the next at which it is to be asked.
    rules: BTreeMap<RuleName, (u64, Option<u64>)>,
    /// The least usage at which one of them is to be asked: far from it, where a SIM mostly is, they are not looked at.
    next: Option<u64>,
}

impl Asking {
    /// All rules are to be asked, whatever the usage.
    pub fn soon(&mut self) {
        self.due = true;
    }

    /// The rules are others now, or may be: nothing that was learnt of them holds.
    pub fn forget(&mut self) {
        *self = Self { due: true, ..Self::default() };
    }

    pub fn grew(&mut self, bytes: u64, boot_ms: u64) {
        self.grown = self.grown.saturating_add(bytes);
        self.grown_since.get_or_insert(boot_ms);
    }

    /// By `CLOCK_BOOTTIME`, when growth that was too small so far is looked at.
    pub fn stale_at(&self) -> Option<u64> {
        self.grown_since.map(|since| since.saturating_add(STALE_AFTER_MS))
    }

    fn all_asked(&mut self, used: u64, today: (Timestamp, Timestamp)) {
        let rules = std::mem::take(&mut self.rules);
        *self = Self { all_at: Some(used), on: Some(today), rules, ..Self::default() };
    }

    /// Rules are asked: until they have answered nothing is known of their next usage.
    fn asked(&mut self, rules: &[RuleName], used: u64) {
        self.rules.extend(rules.iter().map(|rule| (rule.clone(), (used, None))));
        self.find_next();
    }

    /// A rule has answered.
    fn learnt(&mut self, rule: &RuleName, watch: Watch, allowance: Option<u64>) {
        let Some((asked_at, next)) = self.rules.get_mut(rule) else { return };
        let unknown = watch.unknown.then(|| step_after(*asked_at, allowance));
        *next = watch.at.into_iter().chain(unknown).min();
        self.find_next();
    }

    fn find_next(&mut self) {
        self.next = self.rules.values().filter_map(|(_, next)| *next).min();
    }

    fn is_on(&self, at: Timestamp) -> bool {
        self.on.is_some_and(|(from, until)| at >= from && at < until)
    }
}

/// Who is asked about a SIM.
enum Due {
    All,
    Some(Vec<RuleName>),
}

impl State {
    /// Asks the rules about every SIM whose usage makes some of them worth asking.
    pub(super) fn evaluate_usage(&mut self, at: Stamp, fx: &mut Effects) {
        if !self.answers("usage") {
            return;
        }
        let due: Vec<(Iccid, Due)> =
            self.all_metered().filter_map(|of| Some((of.iccid.clone(), self.due(&of, at)?))).collect();
        if due.is_empty() {
            return;
        }
        let names: Vec<RuleName> = self
            .rules
            .values()
            .filter(|rule| super::facts::answers(rule, "usage"))
            .map(|rule| rule.name.clone())
            .collect();
        for (iccid, due) in &due {
            let (used, today) = (self.used(iccid), day_of(self.zone_of(iccid), at.wall));
            let Some(sim) = self.sims.get_mut(iccid) else { continue };
            let asked = match due {
                Due::All => {
                    sim.asking.all_asked(used, today);
                    &names
                }
                Due::Some(rules) => rules,
            };
            sim.asking.asked(asked, used);
        }
        let triggers: Vec<(Trigger, Option<Vec<RuleName>>)> = due
            .into_iter()
            .map(|(sim, due)| {
                let only = match due {
                    Due::All => None,
                    Due::Some(rules) => Some(rules),
                };
                (Trigger::Usage { sim }, only)
            })
            .collect();
        self.ask_some(triggers.iter().map(|(trigger, only)| (trigger, only.as_deref())), at, fx);
    }

    fn due(&self, of: &Metered<'_>, at: Stamp) -> Option<Due> {
        let asking = &of.sim.asking;
        let allowance = of.allowance();
        let quantum = allowance.map_or(NO_PLAN_QUANTUM, |data| (data / 100).max(1));
        let stale = asking.stale_at().is_some_and(|due| at.boot_ms.saturating_add(SLACK_MS) >= due);
        if asking.due || stale || asking.grown >= quantum || !asking.is_on(at.wall) {
            return Some(Due::All);
        }
        let used = self.used_by(of);
        if allowance.is_some_and(|data| used >= data && asking.all_at.is_none_or(|before| before < data)) {
            return Some(Due::All);
        }
        asking.next.filter(|next| used >= *next)?;
        let met: Vec<RuleName> = asking
            .rules
            .iter()
            .filter(|(_, (_, next))| next.is_some_and(|next| used >= next))
            .map(|(rule, _)| rule.clone())
            .collect();
        (!met.is_empty()).then_some(Due::Some(met))
    }

    /// A rule has answered: from now on it is known where it would answer otherwise.
    pub(super) fn watch_learnt(&mut self, iccid: &Iccid, rule: &RuleName, watch: Watch) {
        let allowance = self.metered(iccid).and_then(|of| of.allowance());
        if let Some(sim) = self.sims.get_mut(iccid) {
            sim.asking.learnt(rule, watch, allowance);
        }
    }

    /// At most so few bytes on the wire until some rule is to be asked about a SIM at once; none where more usage changes
    /// no answer.
    pub(super) fn to_next_threshold(&self, of: &Metered<'_>) -> Option<u64> {
        let used = self.used_by(of);
        let all_of_it = of.allowance().filter(|data| used < *data);
        let next = of.sim.asking.next.into_iter().chain(all_of_it).min()?;
        self.bytes_of(of, used, next)
    }
}

/// The civil day that an instant is in, from its first instant until the next day's.
fn day_of(zone: &ZoneRules, at: Timestamp) -> (Timestamp, Timestamp) {
    let today = zone.date(at);
    let next = today.succ_opt().map_or(Timestamp::from_millis(i64::MAX), |tomorrow| zone.day_start(tomorrow));
    (zone.day_start(today).min(at), next)
}

/// The next whole hundredth of the allowance after `used`, or the next step where there is none.
fn step_after(used: u64, allowance: Option<u64>) -> u64 {
    let Some(data) = allowance.filter(|data| *data > 0) else {
        return used.saturating_add(NO_PLAN_QUANTUM);
    };
    let (used, data) = (u128::from(used), u128::from(data));
    let percent = used.saturating_mul(100) / data + 1;
    u64::try_from((percent * data).div_ceil(100)).unwrap_or(u64::MAX)
}
