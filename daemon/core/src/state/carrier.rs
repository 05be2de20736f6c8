//! The carrier's view: what a SIM has used as its plan bills it, and as the carrier's own figures say.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use super::metered::Metered;
use super::usage::{Totals, corrected};
use crate::billing::{Tariff, Unit};
use crate::bytes::Bytes;
use crate::effect::{Change, Effects, Notice};
use crate::health::WarningCode;
use crate::ident::Iccid;
use crate::ledger::When;
use crate::observation::{
    Calibration, Observation, ObservationId, ObserveError, Observed, Spent, Standing, observe, standings,
};
use crate::settings::Settings;
use crate::time::Timestamp;

/// So many entries of each SIM are held: enough to learn from, those taken back included.
pub const HELD: usize = 64;

/// What the usage of a cycle is made of: what was counted, one way and another, and what persons corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// Bytes measured, both directions.
    pub measured: u64,
    /// As the plan bills them; without a plan as measured.
    pub billed: u64,
    /// Those as the carrier is likely to count them; none where its figures teach nothing.
    pub calibrated: Option<u64>,
    /// Which of them is used, before corrections: calibrated where the plan says so, else billed.
    pub counted: u64,
    /// Σ of corrections, signed bytes.
    pub corrections: i64,
}

/// Observations by SIM, in order of their identities.
pub(super) fn by_sim(observations: Vec<Observation>) -> BTreeMap<Iccid, Vec<Observation>> {
    let mut sims: BTreeMap<Iccid, Vec<Observation>> = BTreeMap::new();
    for one in observations {
        sims.entry(one.iccid.clone()).or_default().push(one);
    }
    for list in sims.values_mut() {
        list.sort_by_key(|one| one.id);
    }
    sims
}

/// How a SIM's plan bills; none without a plan.
pub(super) fn tariff_of<'a>(settings: &'a Settings, iccid: &Iccid) -> Option<Tariff<'a>> {
    let sim = settings.sims.get(iccid)?;
    Some(Tariff { plan: sim.plan.as_ref()?, zone: &sim.zone })
}

impl State {
    /// How a SIM's plan bills; none without a plan.
    #[must_use]
    pub fn tariff(&self, iccid: &Iccid) -> Option<Tariff<'_>> {
        tariff_of(&self.settings, iccid)
    }

    /// Bytes that a SIM used in its cycle, as rules and thresholds see them: as billed, or calibrated where its plan says
    /// so and the carrier's figures teach something. Corrections included.
    #[must_use]
    pub fn used(&self, iccid: &Iccid) -> u64 {
        self.metered(iccid).map_or(0, |of| self.used_by(&of))
    }

    pub(super) fn used_by(&self, of: &Metered<'_>) -> u64 {
        self.used_of(of.iccid, &of.sim.totals)
    }

    /// What sums of a SIM come to, as [`State::used`] tells it of its cycle.
    pub(super) fn used_of(&self, iccid: &Iccid, totals: &Totals) -> u64 {
        corrected(self.counted_of(iccid, totals), totals.corrections)
    }

    /// The same without what persons corrected: that is the carrier's already, and no factor changes it.
    pub(super) fn counted_of(&self, iccid: &Iccid, totals: &Totals) -> u64 {
        self.as_calibrated(iccid, totals.uncorrected(self.plan_of(iccid)))
    }

    /// What was billed, calibrated where the plan says so and the carrier's figures teach something.
    fn as_calibrated(&self, iccid: &Iccid, billed: u64) -> u64 {
        self.in_force(iccid).map_or(billed, |calibration| calibration.apply(billed))
    }

    /// The factor that rules and thresholds go by; none where they see what is billed.
    fn in_force(&self, iccid: &Iccid) -> Option<Calibration> {
        self.plan_of(iccid).filter(|plan| plan.calibrate).and_then(|_| self.calibration(iccid))
    }

    /// What a cycle came to, as [`State::used`] tells it: the factor changes what was billed and no correction.
    #[must_use]
    pub fn as_used(&self, iccid: &Iccid, spent: Spent) -> Spent {
        Spent { billed: self.as_calibrated(iccid, spent.billed), ..spent }
    }

    /// Bytes that a SIM used in its cycle as the carrier is likely to count them, corrections included; none where its
    /// figures teach nothing.
    #[must_use]
    pub fn calibrated(&self, iccid: &Iccid) -> Option<u64> {
        let totals = &self.sims.get(iccid)?.totals;
        let calibration = self.calibration(iccid)?;
        let scaled = calibration.apply(totals.uncorrected(self.plan_of(iccid)));
        Some(corrected(scaled, totals.corrections))
    }

    /// What the usage of a SIM's cycle is made of.
    #[must_use]
    pub fn parts(&self, iccid: &Iccid) -> Option<Parts> {
        let totals = &self.sims.get(iccid)?.totals;
        let billed = totals.uncorrected(self.plan_of(iccid));
        Some(Parts {
            measured: totals.carried(),
            billed,
            calibrated: self.calibration(iccid).map(|calibration| calibration.apply(billed)),
            counted: self.as_calibrated(iccid, billed),
            corrections: totals.corrections,
        })
    }

    /// What the carrier's figures teach of a SIM's plan; none without a plan.
    #[must_use]
    pub fn calibration(&self, iccid: &Iccid) -> Option<Calibration> {
        Calibration::learn(self.observations.get(iccid)?, self.plan_of(iccid)?)
    }

    /// The carrier's figures of a SIM, oldest entry first, the newest of them, and how each stands towards its plan.
    #[must_use]
    pub fn observations(&self, iccid: &Iccid) -> Vec<(&Observation, Standing)> {
        let held = self.observations.get(iccid).map_or(&[][..], Vec::as_slice);
        held.iter().zip(standings(held, self.plan_of(iccid))).collect()
    }

    /// At most so few bytes on the wire, of both directions, raise [`State::used`] to `target` from what is booked so far:
    /// never more than it takes. 0 where it is reached; none where no number of bytes reaches it.
    ///
    /// It holds until a connection begins, the plan's day changes, or a correction or an observation is made. With an
    /// increment the very next byte may add a whole one.
    #[must_use]
    pub fn bytes_until(&self, iccid: &Iccid, target: u64) -> Option<u64> {
        let of = self.metered(iccid)?;
        self.bytes_of(&of, self.used_by(&of), target)
    }

    /// As [`State::bytes_until`] of a SIM that has `used` so much.
    pub(super) fn bytes_of(&self, of: &Metered<'_>, used: u64, target: u64) -> Option<u64> {
        let (totals, plan) = (&of.sim.totals, of.plan);
        if used >= target {
            return Some(0);
        }
        let uncorrected = i128::from(target) - i128::from(totals.corrections);
        let uncorrected = u64::try_from(uncorrected.max(0)).ok()?;
        let billed = match self.in_force(of.iccid) {
            Some(Calibration { factor: 0, .. }) => return None,
            Some(calibration) => calibration.least_for(uncorrected),
            None => uncorrected,
        };
        let growth = billed.saturating_sub(totals.uncorrected(plan));
        if let Some(plan) = plan.filter(|plan| plan.bills_by_unit()) {
            let open = self.open_units(of.iccid, &Tariff { plan, zone: of.zone });
            return Some(totals.units.bytes_until(plan, &open, growth));
        }
        // A byte of wire is a byte billed at most, in whichever direction it passes.
        Some(growth)
    }

    /// The units that the next bytes of a SIM may fall into. Hours that cost nothing now may end: they count as others.
    fn open_units(&self, iccid: &Iccid, tariff: &Tariff<'_>) -> BTreeSet<Unit> {
        let when = match (&self.boot, self.now.trusted) {
            (Some(boot), false) => When::Undated { boot: boot.clone(), boot_hour_ms: 0 },
            _ => When::Hour(self.now.wall),
        };
        let charged = crate::plan::Plan { free_hours: Vec::new(), ..tariff.plan.clone() };
        let tariff = Tariff { plan: &charged, zone: tariff.zone };
        let open = self.accounting.open_sessions(iccid);
        open.filter_map(|(session, zone)| tariff.unit(session, zone, &when)).collect()
    }

    /// The next instant after `at` at which a SIM's plan begins to bill otherwise: a midnight, or an end of zero-rated
    /// hours. None where the time of day changes nothing.
    #[must_use]
    pub fn next_edge(&self, iccid: &Iccid, at: Timestamp) -> Option<Timestamp> {
        self.sims.get(iccid)?.edges.as_ref().map(|edges| edges.next(at))
    }

    /// Judges a figure of the carrier about the cycle that `spent` is of.
    ///
    /// # Errors
    /// When it cannot be about what was measured.
    pub fn observation(&self, observed: Observed, spent: Spent) -> Result<Observation, ObserveError> {
        let plan = self.plan_of(&observed.iccid).ok_or(ObserveError::NoPlan)?;
        if !self.now.trusted {
            return Err(ObserveError::ClockUntrusted);
        }
        observe(observed, plan, spent, self.now.wall)
    }

    /// What a SIM's cycle came to by now, as billed; none before the cycle is known, or outside a bundle.
    #[must_use]
    pub fn spent(&self, iccid: &Iccid) -> Option<Spent> {
        let sim = self.sims.get(iccid)?;
        let (cycle_start, _) = sim.bounds?;
        let billed = sim.totals.uncorrected(self.plan_of(iccid));
        Some(Spent { cycle_start, billed, corrections: sim.totals.corrections })
    }

    /// By how much the corrections of a SIM's cycle are more than what was counted in it, as [`State::used`] counts: so much of what follows
    /// does not show. None where they are not.
    #[must_use]
    pub fn overdrawn(&self, iccid: &Iccid) -> Option<u64> {
        let totals = &self.sims.get(iccid)?.totals;
        if totals.corrections >= 0 {
            return None;
        }
        let missing = totals.corrections.unsigned_abs().checked_sub(self.counted_of(iccid, totals))?;
        (missing > 0).then_some(missing)
    }

    /// A ledger that holds such corrections already, or whose counted side shrank, is told of: nothing else would show it.
    pub(super) fn look_at_corrections(&mut self, fx: &mut Effects) {
        let code = WarningCode::Overdrawn;
        let warned = |state: &Self| state.warnings.keys().any(|(other, _)| *other == code);
        if !self.sims.values().any(|sim| sim.totals.corrections < 0) && !warned(self) {
            return;
        }
        let known: Vec<Iccid> =
            self.sims.iter().filter(|(_, sim)| sim.is_summed()).map(|(iccid, _)| iccid.clone()).collect();
        for iccid in known {
            if self.overdrawn(&iccid).is_none() {
                self.well(code, iccid.as_str(), fx);
                continue;
            }
            // Without what is missing, which changes with each byte: a warning is told anew whenever its words change.
            let corrections = self.sims.get(&iccid).map_or(0, |sim| sim.totals.corrections);
            let text = format!(
                "The corrections of the cycle of {}, -{} together, take more away than was counted in it: its usage \
                 shows as 0, and what follows does not show until as much is counted. `simbellctl usage set` says \
                 what was used; `simbellctl usage corrections` shows them.",
                self.sim_name(&iccid),
                Bytes(corrections.unsigned_abs())
            );
            self.warn(code, iccid.as_str(), text, fx);
        }
    }

    pub(super) fn usage_observed(&mut self, observation: &Observation, fx: &mut Effects) {
        let id = self.next_observation;
        self.next_observation = ObservationId(id.0.saturating_add(1));
        let kept = Observation { id, ..observation.clone() };
        fx.changes.push(Change::AppendObservation(kept.clone()));
        fx.notices.push(Notice::UsageGrew(kept.iccid.clone()));
        if let Some(sim) = self.sims.get_mut(&kept.iccid) {
            sim.evaluate_soon();
        }
        let held = self.observations.entry(kept.iccid.clone()).or_default();
        held.push(kept);
        if held.len() > HELD {
            held.remove(0);
        }
    }
}
