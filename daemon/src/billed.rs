//! As billed, from the ledger: for the core's sums, for spans that a question is about, and for an instant gone by.

use simbell_core::billing::Units;
use simbell_core::ident::Iccid;
use simbell_core::ledger::When;
use simbell_core::state::State;
use simbell_core::time::Timestamp;
use simbell_store::{QueryError, Store};

/// What a SIM carried in a half-open span, by what its plan rounds; nothing where sums by zone say it all.
///
/// # Errors
/// When the ledger cannot be read, or a sum does not fit.
pub fn units(
    state: &State,
    store: &Store,
    iccid: &Iccid,
    from: Timestamp,
    until: Option<Timestamp>,
) -> Result<Units, QueryError> {
    let mut units = Units::default();
    let Some(tariff) = state.tariff(iccid).filter(|tariff| tariff.plan.bills_by_unit()) else {
        return Ok(units);
    };
    let mut fits = true;
    store.session_slots(iccid, from, until, |slot| {
        fits = units.add(&tariff, slot.session, &slot.zone, &When::Hour(slot.start), slot.volume);
        fits
    })?;
    if fits { Ok(units) } else { Err(QueryError::Overflow { what: "billed usage" }) }
}
