//! Telling rules that a billing cycle began, and that one is over.

use super::State;
use super::usage::Totals;
use crate::cycle::{Cycle, cycle_at};
use crate::effect::{Change, Effects, TotalsQuery};
use crate::ident::Iccid;
use crate::time::{Stamp, Timestamp};
use crate::view::{EndedCycle, Trigger};

/// Under this key the ledger keeps the beginning of the newest cycle that rules were told of.
fn mark_key(iccid: &Iccid) -> String {
    format!("cycle#{iccid}")
}

impl State {
    /// A SIM's cycle is another one than when it was looked at last. That is news where time brought it about, also while
    /// the service was off, and none where the plan is another one now.
    pub(super) fn cycle_entered(&mut self, iccid: &Iccid, fx: &mut Effects) {
        let Some(sim) = self.sims.get(iccid) else { return };
        let Some((start, _)) = sim.bounds else { return self.plan_over(iccid, fx) };
        if !self.rules_known || sim.cycle_told == Some(start) {
            return;
        }
        let key = mark_key(iccid);
        let before = self.marks.get(&key).copied();
        let period = self.period_of(iccid);
        let zone = self.zone_of(iccid);
        let date = zone.date(start);
        let earlier = before
            .filter(|before| *before < start)
            .and_then(|before| cycle_at(&period, zone.date(before)).filter(|c| c.bounds(zone).0 == before));
        let ended: Option<(Cycle, Timestamp, Timestamp)> = earlier.and_then(|_| {
            let cycle = cycle_at(&period, date.pred_opt()?)?;
            let (from, until) = cycle.bounds(zone);
            Some((cycle, from, until?))
        });
        if let Some(sim) = self.sims.get_mut(iccid) {
            sim.cycle_told = Some(start);
        }
        let heard = self.answers("cycle-start") || self.answers("cycle-end");
        if before.is_none() || earlier.is_none() || !heard {
            self.cycle_told(iccid, start, fx);
            return;
        }
        match ended.filter(|_| self.answers("cycle-end")) {
            Some((cycle, from, until)) => {
                let query = TotalsQuery { iccid: iccid.clone(), from, until: Some(until) };
                if let Some(sim) = self.sims.get_mut(iccid) {
                    sim.ended = Some((query.clone(), cycle));
                }
                fx.load_totals.push(query);
            }
            None => self.occasions.push(Trigger::CycleBegan { sim: iccid.clone() }),
        }
    }

    /// No cycle follows. Where rules were told of the one before, of this plan, its end is news as any other's is.
    fn plan_over(&mut self, iccid: &Iccid, fx: &mut Effects) {
        let Some(before) = self.marks.get(&mark_key(iccid)).copied().filter(|_| self.rules_known) else {
            return;
        };
        let zone = self.zone_of(iccid);
        let last =
            cycle_at(&self.period_of(iccid), zone.date(before)).map(|cycle| (cycle, cycle.bounds(zone)));
        let Some((cycle, (from, Some(until)))) = last.filter(|(_, bounds)| bounds.0 == before) else {
            return;
        };
        let heard = self.answers("cycle-end");
        let now = self.now.wall;
        let Some(sim) = self.sims.get_mut(iccid) else { return };
        if until > now || sim.cycle_told == Some(until) {
            return;
        }
        sim.cycle_told = Some(until);
        if !heard {
            self.cycle_told(iccid, until, fx);
            return;
        }
        let query = TotalsQuery { iccid: iccid.clone(), from, until: Some(until) };
        sim.ended = Some((query.clone(), cycle));
        fx.load_totals.push(query);
    }

    /// The ledger says what a cycle that is over came to. Whether it was asked about one.
    pub(super) fn cycle_summed(&mut self, query: &TotalsQuery, totals: &Totals) -> bool {
        let plan = self.plan_of(&query.iccid);
        let used_bytes = self.used_of(&query.iccid, totals);
        let allowance_bytes = plan.and_then(|plan| plan.data).map(|data| data.0);
        let Some(sim) = self.sims.get_mut(&query.iccid) else { return false };
        let Some((_, cycle)) = sim.ended.take_if(|(asked, _)| asked == query) else { return false };
        let ended = EndedCycle {
            start: cycle.start.to_string(),
            end: cycle.end.map(|end| end.to_string()).unwrap_or_default(),
            used_bytes,
            allowance_bytes,
        };
        let follows = sim.bounds.is_some();
        let iccid = &query.iccid;
        self.occasions.push(Trigger::CycleEnded { sim: iccid.clone(), ended });
        if follows {
            self.occasions.push(Trigger::CycleBegan { sim: iccid.clone() });
        }
        true
    }

    /// Asks the rules about what is news, once the clock is trusted and every sum is known.
    pub(super) fn evaluate_occasions(&mut self, at: Stamp, fx: &mut Effects) {
        let occasions = std::mem::take(&mut self.occasions);
        self.ask_rules(&occasions, at, fx);
    }

    /// Rules were told that a SIM's cycle began.
    pub(super) fn cycle_served(&mut self, iccid: &Iccid, fx: &mut Effects) {
        if let Some(start) = self.sims.get(iccid).and_then(|sim| sim.cycle_told) {
            self.cycle_told(iccid, start, fx);
        }
    }

    fn cycle_told(&mut self, iccid: &Iccid, start: Timestamp, fx: &mut Effects) {
        let key = mark_key(iccid);
        if self.marks.insert(key.clone(), start) != Some(start) {
            fx.changes.push(Change::KeepScheduleMark { key, served: start });
        }
    }
}
