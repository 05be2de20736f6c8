//! Totals of the current cycle, kept beside the ledger and never apart from it.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::State;
use super::accounting::{Booked, Splits};
use crate::cycle::{Cycle, cycle_at};
use crate::effect::{Change, Effects, Notice, SimRecord, TotalsQuery};
use crate::health::WarningCode;
use crate::ident::Iccid;
use crate::ledger::{Correction, Volume, When, Zone};
use crate::plan::{AnchorDay, Period, Plan};
use crate::time::{Stamp, Timestamp};
use crate::view::Trigger;

/// Without a plan, usage is shown by calendar month.
const NO_PLAN: Period = Period::Monthly(AnchorDay::Day(1));

/// Growth that makes rules look again where there is no allowance.
const NO_PLAN_QUANTUM: u64 = 1_000_000;

/// Growth too small to look at is looked at after this long.
const STALE_AFTER_MS: u64 = 60_000;

/// One SIM: what the ledger knows of it, and its current cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sim {
    /// As kept in the ledger.
    pub record: SimRecord,
    /// Where it is now, or was when last in use.
    pub zone: Zone,
    /// The current cycle; none before the clock is trusted, or outside a bundle.
    pub cycle: Option<Cycle>,
    /// The instants the cycle begins at and ends before.
    pub bounds: Option<(Timestamp, Option<Timestamp>)>,
    /// Sums since the cycle began.
    pub totals: Totals,
    /// Start of its first entry ever.
    pub first_at: Option<Timestamp>,
    cycle_known: bool,
    /// What the ledger was asked and has not answered yet: until then the sums say nothing.
    awaited: Option<TotalsQuery>,
    grown: u64,
    grown_boot_ms: Option<u64>,
    evaluate: bool,
    /// The local day on which the rules were asked last: what depends on the date changes at midnight.
    evaluated_on: Option<NaiveDate>,
}

/// Sums of ledger entries, committed or about to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// By zone.
    pub by_zone: BTreeMap<Zone, Volume>,
    /// Corrections, in bytes.
    pub corrections: i64,
    /// Measured before the clock was trusted, by zone.
    pub undated: BTreeMap<Zone, Volume>,
}

impl Sim {
    pub(super) fn new(record: SimRecord) -> Self {
        Self {
            record,
            zone: Zone::Unknown,
            cycle: None,
            bounds: None,
            totals: Totals::default(),
            first_at: None,
            cycle_known: false,
            awaited: None,
            grown: 0,
            grown_boot_ms: None,
            evaluate: false,
            evaluated_on: None,
        }
    }

    pub(super) fn forget_cycle(&mut self) {
        self.cycle_known = false;
    }

    pub(super) fn evaluate_soon(&mut self) {
        self.evaluate = true;
    }

    /// By `CLOCK_BOOTTIME`, when growth that was too small so far is looked at.
    pub(super) fn stale_at(&self) -> Option<u64> {
        self.grown_boot_ms.map(|since| since.saturating_add(STALE_AFTER_MS))
    }
}

impl Totals {
    fn add(&mut self, booked: &Booked) -> bool {
        let side = match booked.when {
            When::Hour(_) => &mut self.by_zone,
            When::Undated { .. } => &mut self.undated,
        };
        let sum = side.entry(booked.zone.clone()).or_default();
        match sum.checked_add(booked.volume) {
            Some(more) => {
                *sum = more;
                true
            }
            None => false,
        }
    }

    fn zones(&self) -> impl Iterator<Item = (&Zone, &Volume)> {
        self.by_zone.iter().chain(self.undated.iter())
    }

    /// Everything measured in the cycle, corrections included, both directions; never below 0.
    #[must_use]
    pub fn measured(&self) -> u64 {
        let sum = self.zones().fold(0_u64, |sum, (_, v)| sum.saturating_add(v.total()));
        corrected(sum, self.corrections)
    }

    /// As the plan counts it, corrections included; never below 0.
    #[must_use]
    pub fn counted(&self, plan: Option<&Plan>) -> u64 {
        let Some(plan) = plan else { return self.measured() };
        let sum = self
            .zones()
            .fold(0_u64, |sum, (zone, v)| sum.saturating_add(plan.counted(*v, zone).unwrap_or(u64::MAX)));
        corrected(sum, self.corrections)
    }

    /// Measured while roaming, both directions.
    #[must_use]
    pub fn roaming(&self) -> u64 {
        self.zones()
            .filter(|(zone, _)| matches!(zone, Zone::Roaming(_)))
            .fold(0_u64, |sum, (_, v)| sum.saturating_add(v.total()))
    }
}

fn corrected(sum: u64, corrections: i64) -> u64 {
    sum.saturating_add_signed(corrections)
}

impl State {
    pub(super) fn splits(&self) -> Splits {
        self.sims
            .iter()
            .filter_map(|(iccid, sim)| {
                let (start, end) = sim.bounds?;
                Some((iccid.clone(), std::iter::once(start).chain(end).collect()))
            })
            .collect()
    }

    pub(super) fn plan_of(&self, iccid: &Iccid) -> Option<&Plan> {
        self.settings.sims.get(iccid).and_then(|sim| sim.plan.as_ref())
    }

    /// The period that a SIM's cycles follow: its plan's, or the calendar month.
    #[must_use]
    pub fn period_of(&self, iccid: &Iccid) -> Period {
        self.plan_of(iccid).map_or(NO_PLAN, |plan| plan.period.clone())
    }

    pub(super) fn booked(&mut self, booked: &[Booked], fx: &mut Effects) {
        let boot_ms = self.now.boot_ms;
        let mut overflown = false;
        for booking in booked {
            let Some(sim) = self.sims.get_mut(&booking.iccid) else { continue };
            let before = match (&booking.when, sim.bounds) {
                (When::Hour(at), Some((start, _))) => *at < start,
                _ => false,
            };
            if !before && !sim.totals.add(booking) {
                overflown = true;
            }
            sim.first_at = sim.first_at.or(match booking.when {
                When::Hour(at) => Some(at),
                When::Undated { .. } => None,
            });
            sim.grown = sim.grown.saturating_add(booking.volume.total());
            sim.grown_boot_ms.get_or_insert(boot_ms);
            fx.notices.push(Notice::UsageGrew(booking.iccid.clone()));
        }
        if overflown {
            let text =
                "A sum of usage does not fit into 64 bits and was not booked. Please report this.".to_owned();
            self.warn(WarningCode::Overflow, "", text, fx);
        }
    }

    /// Notices where a cycle has ended, begun, or is not known yet, and asks the ledger for its sum.
    pub(super) fn refresh_cycles(&mut self, at: Stamp, fx: &mut Effects) {
        if !at.trusted {
            return;
        }
        let due: Vec<Iccid> = self
            .sims
            .iter()
            .filter(|(_, sim)| {
                !sim.cycle_known
                    || sim
                        .bounds
                        .is_some_and(|(start, end)| at.wall < start || end.is_some_and(|e| at.wall >= e))
                    || sim.bounds.is_none()
            })
            .map(|(iccid, _)| iccid.clone())
            .collect();
        for iccid in due {
            let zone = self.zone_of(&iccid).clone();
            let period = self.period_of(&iccid);
            let cycle = cycle_at(&period, zone.date(at.wall));
            let Some(sim) = self.sims.get_mut(&iccid) else { continue };
            if sim.cycle_known && sim.cycle == cycle {
                continue;
            }
            sim.cycle_known = true;
            sim.cycle = cycle;
            sim.bounds = cycle.map(|cycle| cycle.bounds(&zone));
            sim.totals = Totals::default();
            sim.evaluate = true;
            let (from, until) = sim.bounds.unwrap_or((at.wall, None));
            let query = TotalsQuery { iccid, from, until };
            sim.awaited = Some(query.clone());
            fx.load_totals.push(query);
            fx.notices.push(Notice::StatusChanged);
        }
    }

    pub(super) fn totals_loaded(
        &mut self,
        query: &TotalsQuery,
        by_zone: &[(Zone, Volume)],
        corrections: i64,
        first_at: Option<Timestamp>,
    ) {
        let Some(sim) = self.sims.get_mut(&query.iccid) else { return };
        // The answer to an earlier question, about a cycle that is over.
        if sim.awaited.as_ref() != Some(query) {
            return;
        }
        sim.awaited = None;
        sim.totals =
            Totals { by_zone: by_zone.iter().cloned().collect(), corrections, undated: BTreeMap::new() };
        sim.first_at = first_at.or(sim.first_at);
        sim.evaluate = true;
    }

    pub(super) fn usage_corrected(&mut self, correction: &Correction, fx: &mut Effects) {
        fx.changes.push(Change::AppendCorrection(correction.clone()));
        if let Some(sim) = self.sims.get_mut(&correction.iccid) {
            let inside = sim.bounds.is_none_or(|(start, end)| {
                correction.at >= start && end.is_none_or(|end| correction.at < end)
            });
            if !inside {
                return;
            }
            sim.totals.corrections = sim.totals.corrections.saturating_add(correction.bytes);
            sim.evaluate = true;
        }
        fx.notices.push(Notice::UsageGrew(correction.iccid.clone()));
    }

    /// The correction that makes a SIM's usage in this cycle, as its plan counts it, equal `target`.
    #[must_use]
    pub fn correction_to(&self, iccid: &Iccid, target: u64) -> Option<i64> {
        let sim = self.sims.get(iccid)?;
        let plan = self.plan_of(iccid);
        let uncorrected = Totals { corrections: 0, ..sim.totals.clone() }.counted(plan);
        let wanted = i128::from(target) - i128::from(uncorrected) - i128::from(sim.totals.corrections);
        i64::try_from(wanted).ok()
    }

    /// Asks the rules about every SIM whose usage moved by a thousandth of its allowance, or is waiting, and about each
    /// at the beginning of its day.
    pub(super) fn evaluate_usage(&mut self, at: Stamp, fx: &mut Effects) {
        if !self.answers("usage") {
            return;
        }
        let mut due = Vec::new();
        for (iccid, sim) in &self.sims {
            let quantum = self
                .plan_of(iccid)
                .and_then(|plan| plan.data)
                .map_or(NO_PLAN_QUANTUM, |data| (data.0 / 1000).max(1));
            let stale = sim.stale_at().is_some_and(|due| at.boot_ms >= due);
            let today = self.zone_of(iccid).date(at.wall);
            if sim.evaluate || sim.grown >= quantum || stale || sim.evaluated_on != Some(today) {
                due.push((iccid.clone(), today));
            }
        }
        for (iccid, today) in &due {
            if let Some(sim) = self.sims.get_mut(iccid) {
                sim.evaluated_on = Some(*today);
                sim.evaluate = false;
                sim.grown = 0;
                sim.grown_boot_ms = None;
            }
        }
        let triggers: Vec<Trigger> = due.into_iter().map(|(sim, _)| Trigger::Usage { sim }).collect();
        self.ask_rules(&triggers, at, fx);
    }

    /// Whether the ledger still has to say what some SIM has used: until then rules would be shown too little, and
    /// what they raised before would look as if it were over.
    pub(super) fn totals_awaited(&self) -> bool {
        self.sims.values().any(|sim| sim.awaited.is_some())
    }
}
