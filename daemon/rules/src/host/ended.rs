//! `ended`: a billing cycle that is over.

use rhai::Engine;
use rust_decimal::Decimal;
use simbell_core::view::EndedCycle;

use super::{optional, properties};
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

properties!(ENDED, register_ended, EndedView, "EndedCycle", {
    "start" => |ended: &mut EndedView| optional(Date::parse(&ended.0.start)),
    "end" => |ended: &mut EndedView| optional(Date::parse(&ended.0.end)),
    "used" => |ended: &mut EndedView| DataSize::from_bytes(ended.0.used_bytes),
    "allowance" => |ended: &mut EndedView| optional(ended.0.allowance_bytes.map(DataSize::from_bytes)),
    "share" => |ended: &mut EndedView| optional(ended.share()),
});

/// Registers the view.
pub(super) fn register(engine: &mut Engine) {
    register_ended(engine);
}
