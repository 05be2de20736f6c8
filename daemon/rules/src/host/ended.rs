//! `ended`: a billing cycle that is over.

use rust_decimal::Decimal;
use simbell_core::view::EndedCycle;

use super::{optional, properties};
use crate::registry::Registry;
use crate::value::{DataSize, Date, Percent};

/// The cycle.
#[derive(Debug, Clone)]
pub(crate) struct EndedView(pub(crate) EndedCycle);

impl EndedView {
    fn share(&self) -> Option<Percent> {
        let allowance = Decimal::from(self.0.allowance_bytes?);
        let share = Decimal::from(self.0.used_bytes).checked_div(allowance)?;
        Percent::from_share(share)
    }
}

properties!(register_ended, EndedView, "EndedCycle", "A billing cycle that is over.", {
    "start": "Date?", "Its first day." => |ended: &mut EndedView| optional(Date::parse(&ended.0.start)),
    "end": "Date?", "The first day after it." => |ended: &mut EndedView| optional(Date::parse(&ended.0.end)),
    "used": "DataSize", "Data used in it." => |ended: &mut EndedView| DataSize::from_bytes(ended.0.used_bytes),
    "allowance": "DataSize?", "Data of the plan." => |ended: &mut EndedView| optional(ended.0.allowance_bytes.map(DataSize::from_bytes)),
    "share": "Percent?", "The used share of the allowance." => |ended: &mut EndedView| optional(ended.share()),
});

/// Registers the view.
pub(super) fn register(registry: &mut Registry<'_>) {
    register_ended(registry);
}
