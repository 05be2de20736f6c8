//! `occasion()`: why the rule was asked.

use rhai::{Engine, NativeCallContext};

use super::{Run, optional, properties};
use crate::value::Span;

/// The occasion of a run.
#[derive(Debug, Clone)]
pub(crate) struct Occasion(Run);

properties!(OCCASION, register_occasion, Occasion, "Occasion", {
    "kind" => |occasion: &mut Occasion| occasion.0.0.kind,
    "schedule" => |occasion: &mut Occasion| {
        optional(occasion.0.0.schedule.and_then(|(index, _)| i64::try_from(index).ok()))
    },
    "due" => |occasion: &mut Occasion| optional(occasion.0.0.schedule.map(|(_, due)| occasion.0.local(due))),
    "late" => |occasion: &mut Occasion| optional(Span::from_secs(occasion.0.0.input.late_s)),
});

/// Registers `occasion()`.
pub(super) fn register(engine: &mut Engine) {
    register_occasion(engine);
    engine.register_fn("occasion", |context: NativeCallContext| Run::of(&context).map(Occasion));
}
