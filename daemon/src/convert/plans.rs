//! Plans.

use simbell_api::{ControlError, Cycle, Plan};
use simbell_core::billing::FreeHours;
use simbell_core::ident::Iccid;
use simbell_core::plan::{AnchorDay, Period};
use simbell_core::state::State;

use super::{named, parts};
use crate::control::Answer;

/// Every plan.
#[must_use]
pub fn plans(state: &State) -> Vec<Plan> {
    state.settings().sims.keys().filter_map(|iccid| plan(state, iccid).ok()).collect()
}

/// One plan.
///
/// # Errors
/// When the SIM has none.
pub fn plan(state: &State, iccid: &Iccid) -> Answer<Plan> {
    let settings = state.settings().sims.get(iccid);
    let Some((sim, plan)) = settings.and_then(|sim| Some((sim, sim.plan.as_ref()?))) else {
        return Err(ControlError::NoPlan {
            message: format!("{} has no plan", state.sim_name(iccid)),
            hint: "`simbellctl plan add` asks what is needed and writes one".to_owned(),
        });
    };
    let facts = state.facts(iccid);
    let known = state.sims().any(|sim| sim.record.iccid == *iccid && sim.is_of_cycle());
    let (period, day, days, start, renews) = match &plan.period {
        Period::Monthly(AnchorDay::Day(day)) => ("month", Some(day.to_string()), None, None, None),
        Period::Monthly(AnchorDay::Last) => ("month", Some("last".to_owned()), None, None, None),
        Period::Days { days, start, renews } => {
            ("days", None, Some(u32::from(*days)), Some(start.to_string()), Some(*renews))
        }
        Period::Bucket { start } => ("bucket", None, None, Some(start.to_string()), None),
    };
    let cycle = facts.as_ref().and_then(|f| f.cycle.as_ref());
    Ok(Plan {
        iccid: iccid.as_str().to_owned(),
        sim: named(state, iccid),
        name: plan.name.as_str().to_owned(),
        data_bytes: plan.data.map(|data| data.0),
        period: period.to_owned(),
        day,
        days,
        start,
        renews,
        counts: plan.counts.as_str().to_owned(),
        roaming_counts: plan.roaming_counts,
        increment_bytes: plan.increment.map(|step| step.bytes.0),
        increment_per: plan.increment.map(|step| step.per.as_str().to_owned()),
        free_hours: plan.free_hours.iter().map(free_hours).collect(),
        calibrate: plan.calibrate,
        timezone: sim.zone.name.clone(),
        cycle: Cycle {
            start: cycle.map(|c| c.start.clone()),
            end: cycle.and_then(|c| c.end.clone()),
            days_left: cycle.and_then(|c| c.days_left),
            last: cycle.map(|c| c.last),
        },
        used_bytes: facts.as_ref().map(|f| f.used_bytes),
        measured_bytes: facts.as_ref().map(|f| f.measured_bytes),
        billed_bytes: facts.as_ref().map(|f| f.billed_bytes),
        parts: parts(state, iccid),
        remaining_bytes: facts.and_then(|f| f.remaining_bytes).filter(|_| known),
        cycle_known: known,
    })
}

fn free_hours(hours: &FreeHours) -> simbell_api::FreeHours {
    const DAYS: [(u8, &str); 7] =
        [(1, "mon"), (2, "tue"), (3, "wed"), (4, "thu"), (5, "fri"), (6, "sat"), (7, "sun")];
    simbell_api::FreeHours {
        from: hours.from.to_string(),
        until: hours.until.to_string(),
        days: DAYS
            .iter()
            .filter(|(day, _)| hours.days.contains(day))
            .map(|(_, name)| (*name).to_owned())
            .collect(),
    }
}
