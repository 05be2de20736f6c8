//! What is said beside what was measured: corrections, the carrier's figures, and what they come to.

use simbell_api::{Calibration, Correction, Observation, UsedParts};
use simbell_core::ident::Iccid;
use simbell_core::observation::Standing;
use simbell_core::state::State;
use simbell_store::KeptCorrection;

use super::named;

/// What the carrier's figures of a SIM teach.
#[must_use]
pub fn calibration(state: &State, iccid: &Iccid) -> Calibration {
    state.calibration(iccid).map_or_else(Calibration::default, |learnt| Calibration {
        factor_millionths: Some(learnt.factor),
        lowest_millionths: Some(learnt.lowest),
        highest_millionths: Some(learnt.highest),
        observations: u32::try_from(learnt.count).ok(),
    })
}

/// What the usage of a SIM's cycle is made of.
#[must_use]
pub fn parts(state: &State, iccid: &Iccid) -> Option<UsedParts> {
    state.parts(iccid).map(|parts| UsedParts {
        measured_bytes: parts.measured,
        billed_bytes: parts.billed,
        calibrated_bytes: parts.calibrated,
        counted_bytes: parts.counted,
        correction_bytes: parts.corrections,
    })
}

/// A correction and its place in the ledger.
#[must_use]
pub fn correction(state: &State, kept: &KeptCorrection) -> Correction {
    let of = &kept.correction;
    Correction {
        id: kept.id,
        iccid: of.iccid.as_str().to_owned(),
        sim: named(state, &of.iccid),
        at: state.zone_of(&of.iccid).rfc3339(of.at),
        bytes: of.bytes,
        author: of.author.clone(),
        reason: of.reason.clone(),
        undoes: of.undoes,
        undone_by: kept.undone_by,
    }
}

/// One of the carrier's figures, and how it stands.
#[must_use]
pub fn observation(state: &State, kept: &simbell_core::observation::Observation) -> Observation {
    let zone = state.zone_of(&kept.iccid);
    let held = state.observations(&kept.iccid);
    let standing =
        held.iter().find(|(one, _)| one.id == kept.id).map_or(Standing::Older, |(_, standing)| *standing);
    Observation {
        id: kept.id.0,
        iccid: kept.iccid.as_str().to_owned(),
        sim: named(state, &kept.iccid),
        at: zone.rfc3339(kept.at),
        cycle_start: zone.date(kept.cycle_start).to_string(),
        observed_bytes: kept.bytes,
        billed_bytes: kept.billed,
        correction_bytes: kept.corrections,
        factor_millionths: kept.withdraws.map_or_else(|| kept.factor(), |_| None),
        standing: standing.as_str().to_owned(),
        source: kept.source.as_str().to_owned(),
        author: kept.author.clone(),
        note: kept.note.clone(),
        withdraws: kept.withdraws.map(|id| id.0),
    }
}
