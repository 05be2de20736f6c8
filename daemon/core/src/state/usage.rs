//! Totals of the current cycle, kept beside the ledger and never apart from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::State;
use super::accounting::{Booked, Split};
use super::asking::Asking;
use super::carrier::tariff_of;
use crate::billing::{Edges, Tariff, UnitSum, Units};
use crate::cycle::{Cycle, cycle_at};
use crate::effect::{Change, Effects, Notice, SimRecord, TotalsQuery};
use crate::health::WarningCode;
use crate::ident::Iccid;
use crate::ledger::{Correction, Volume, When, Zone};
use crate::plan::{AnchorDay, Period, Plan};
use crate::time::{Stamp, Timestamp};
use crate::voice::{CallRecord, VoiceCounts};

/// Without a plan, usage is shown by calendar month.
const NO_PLAN: Period = Period::Monthly(AnchorDay::Day(1));

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
    /// Calls and messages since the cycle began, those under way left out.
    pub counts: VoiceCounts,
    /// Start of its first entry ever.
    pub first_at: Option<Timestamp>,
    /// When its plan begins to bill otherwise, day by day.
    pub(super) edges: Option<Arc<Edges>>,
    cycle_known: bool,
    /// What the ledger was asked and has not answered yet: until then the sums say nothing.
    awaited: Option<TotalsQuery>,
    /// The cycle that is over, whose sum the ledger was asked for.
    pub(super) ended: Option<(TotalsQuery, Cycle)>,
    /// The beginning of the cycle that rules are told of, or were.
    pub(super) cycle_told: Option<Timestamp>,
    /// What makes the rules be asked again.
    pub(super) asking: Asking,
    /// Booked by the last reading of the counters.
    pub(super) last_growth: u64,
    /// Booked and not handed out to be committed.
    pub(super) unsaved: u64,
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
    /// By what the plan rounds, dated or not; empty where sums by zone say it all.
    pub units: Units,
}

impl Sim {
    pub(super) fn new(record: SimRecord) -> Self {
        Self {
            record,
            zone: Zone::Unknown,
            cycle: None,
            bounds: None,
            totals: Totals::default(),
            counts: VoiceCounts::default(),
            first_at: None,
            edges: None,
            cycle_known: false,
            awaited: None,
            ended: None,
            cycle_told: None,
            asking: Asking::default(),
            last_growth: 0,
            unsaved: 0,
        }
    }

    pub(super) fn forget_cycle(&mut self) {
        self.cycle_known = false;
    }

    /// Whether the sums are those of the current cycle: not before the clock is trusted, which tells the cycle, and the
    /// ledger has said what was used in it. Until then they are what was measured since the service began.
    #[must_use]
    pub const fn is_of_cycle(&self) -> bool {
        self.cycle_known && self.is_summed()
    }

    /// Whether the ledger has said what was used: until then the sums say nothing.
    pub(super) const fn is_summed(&self) -> bool {
        self.awaited.is_none()
    }

    /// Whether what began then counts in the current cycle. What has no date yet is read from the ledger once it has.
    pub(super) fn counts_now(&self, began: Option<Timestamp>) -> bool {
        began.is_some_and(|began| self.bounds.is_some_and(|(start, _)| began >= start))
    }

    pub(super) fn count_call(&mut self, call: &CallRecord) {
        if self.counts_now(call.began) {
            self.counts.sums.add_call(call);
        }
    }

    pub(super) fn evaluate_soon(&mut self) {
        self.asking.soon();
    }
}

impl Totals {
    fn add(&mut self, booked: &Booked, tariff: Option<&Tariff<'_>>) -> bool {
        let side = match booked.when {
            When::Hour(_) => &mut self.by_zone,
            When::Undated { .. } => &mut self.undated,
        };
        let sum = side.entry(booked.zone.clone()).or_default();
        let Some(more) = sum.checked_add(booked.volume) else { return false };
        if let Some(tariff) = tariff
            && !self.units.add(tariff, booked.session, &booked.zone, &booked.when, booked.volume)
        {
            return false;
        }
        *sum = more;
        true
    }

    fn zones(&self) -> impl Iterator<Item = (&Zone, &Volume)> {
        self.by_zone.iter().chain(self.undated.iter())
    }

    /// Everything measured in the cycle, corrections included, both directions; never below 0.
    #[must_use]
    pub fn measured(&self) -> u64 {
        corrected(self.carried(), self.corrections)
    }

    /// Everything measured in the cycle, both directions, corrections apart.
    #[must_use]
    pub fn carried(&self) -> u64 {
        self.zones().fold(0_u64, |sum, (_, v)| sum.saturating_add(v.total()))
    }

    /// As the plan bills it, corrections included; never below 0.
    #[must_use]
    pub fn counted(&self, plan: Option<&Plan>) -> u64 {
        corrected(self.uncorrected(plan), self.corrections)
    }

    /// As the plan bills it, corrections apart.
    #[must_use]
    pub fn uncorrected(&self, plan: Option<&Plan>) -> u64 {
        let Some(plan) = plan else {
            return self.carried();
        };
        if plan.bills_by_unit() {
            return self.units.billed(plan.counts);
        }
        // Summed up before directions are compared: which of them is the greater shows over the whole cycle.
        let volume =
            self.zones().filter(|(zone, _)| plan.charges(zone)).fold(Volume::default(), |sum, (_, v)| {
                Volume { rx: sum.rx.saturating_add(v.rx), tx: sum.tx.saturating_add(v.tx) }
            });
        plan.counts.of(volume).unwrap_or(u64::MAX)
    }

    /// Measured while roaming, both directions.
    #[must_use]
    pub fn roaming(&self) -> u64 {
        self.zones()
            .filter(|(zone, _)| matches!(zone, Zone::Roaming(_)))
            .fold(0_u64, |sum, (_, v)| sum.saturating_add(v.total()))
    }
}

pub(super) fn corrected(sum: u64, corrections: i64) -> u64 {
    sum.saturating_add_signed(corrections)
}

impl State {
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
            let tariff = tariff_of(&self.settings, &booking.iccid).filter(|t| t.plan.bills_by_unit());
            let before = match (&booking.when, sim.bounds) {
                (When::Hour(at), Some((start, _))) => *at < start,
                _ => false,
            };
            if !before && !sim.totals.add(booking, tariff.as_ref()) {
                overflown = true;
            }
            sim.first_at = sim.first_at.or(match booking.when {
                When::Hour(at) => Some(at),
                When::Undated { .. } => None,
            });
            sim.asking.grew(booking.volume.total(), boot_ms);
            sim.last_growth = sim.last_growth.saturating_add(booking.volume.total());
            sim.unsaved = sim.unsaved.saturating_add(booking.volume.total());
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
        let mut changed = Vec::new();
        for iccid in due {
            let zone = self.zone_of(&iccid).clone();
            let period = self.period_of(&iccid);
            let cycle = cycle_at(&period, zone.date(at.wall));
            let edges = Edges::of(self.plan_of(&iccid), &zone).map(Arc::new);
            let Some(sim) = self.sims.get_mut(&iccid) else { continue };
            sim.edges = edges;
            if sim.cycle_known && sim.cycle == cycle {
                continue;
            }
            sim.cycle_known = true;
            sim.cycle = cycle;
            sim.bounds = cycle.map(|cycle| cycle.bounds(&zone));
            match sim.bounds {
                Some((start, end)) => {
                    let bounds = std::iter::once(start).chain(end).collect();
                    self.splits.insert(iccid.clone(), Split { bounds, edges: sim.edges.clone() });
                }
                None => {
                    self.splits.remove(&iccid);
                }
            }
            sim.totals = Totals::default();
            sim.counts = VoiceCounts::default();
            sim.evaluate_soon();
            let (from, until) = sim.bounds.unwrap_or((at.wall, None));
            let query = TotalsQuery { iccid: iccid.clone(), from, until };
            sim.awaited = Some(query.clone());
            fx.load_totals.push(query);
            fx.notices.push(Notice::StatusChanged);
            changed.push(iccid);
        }
        for iccid in changed {
            self.cycle_entered(&iccid, fx);
        }
    }

    /// Told before the totals of the same query, so that whatever follows from those is seen with these.
    pub(super) fn counts_loaded(&mut self, query: &TotalsQuery, counts: &VoiceCounts) {
        if let Some(sim) = self.sims.get_mut(&query.iccid)
            && sim.awaited.as_ref() == Some(query)
        {
            sim.counts = counts.clone();
        }
    }

    pub(super) fn totals_loaded(
        &mut self,
        query: &TotalsQuery,
        by_zone: &[(Zone, Volume)],
        units: &[UnitSum],
        corrections: i64,
        first_at: Option<Timestamp>,
    ) {
        let units = self.plan_of(&query.iccid).map_or_else(Units::default, |plan| Units::of(plan, units));
        let totals = Totals {
            by_zone: by_zone.iter().cloned().collect(),
            corrections,
            undated: BTreeMap::new(),
            units,
        };
        if self.cycle_summed(query, &totals) {
            return;
        }
        let Some(sim) = self.sims.get_mut(&query.iccid) else { return };
        // The answer to an earlier question, about a cycle that is over.
        if sim.awaited.as_ref() != Some(query) {
            return;
        }
        sim.awaited = None;
        sim.totals = totals;
        sim.first_at = first_at.or(sim.first_at);
        sim.evaluate_soon();
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
            sim.evaluate_soon();
        }
        fx.notices.push(Notice::UsageGrew(correction.iccid.clone()));
    }

    /// The correction that makes a SIM's usage in this cycle, as [`State::used`] tells it, equal `target`: it stands
    /// beside the factor learnt from the carrier's figures, since what a person says is used already is.
    #[must_use]
    pub fn correction_to(&self, iccid: &Iccid, target: u64) -> Option<i64> {
        let sim = self.sims.get(iccid)?;
        let counted = self.counted_of(iccid, &sim.totals);
        let wanted = i128::from(target) - i128::from(counted) - i128::from(sim.totals.corrections);
        i64::try_from(wanted).ok()
    }

    /// Whether the ledger still has to say what some SIM has used: until then rules would be shown too little, and
    /// what they raised before would look as if it were over.
    pub(super) fn totals_awaited(&self) -> bool {
        self.sims.values().any(|sim| sim.awaited.is_some() || sim.ended.is_some())
    }
}
