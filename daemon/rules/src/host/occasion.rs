//! `occasion()`: why the rule was asked.

use rhai::NativeCallContext;

use super::{Run, optional, properties};
use crate::registry::Registry;
use crate::value::Span;

/// The occasion of a run.
#[derive(Debug, Clone)]
pub(crate) struct Occasion(Run);

properties!(register_occasion, Occasion, "Occasion", "Why the rule was asked.", {
    "kind": "string", "`usage`, `roaming`, `sms`, `schedule`, `cycle-start`, `cycle-end`, `sim-change`, `modems` or `health`." => |occasion: &mut Occasion| occasion.0.0.kind,
    "schedule": "int?", "Which of the times of `schedule()` it is, from 0." => |occasion: &mut Occasion| {
        optional(occasion.0.0.schedule.and_then(|(index, _)| i64::try_from(index).ok()))
    },
    "due": "LocalTime?", "When it was due." => |occasion: &mut Occasion| optional(occasion.0.0.schedule.map(|(_, due)| occasion.0.local(due))),
    "late": "Span?", "By how much it is late." => |occasion: &mut Occasion| optional(Span::from_secs(occasion.0.0.input.late_s)),
});

/// Registers `occasion()`.
pub(super) fn register(registry: &mut Registry<'_>) {
    register_occasion(registry);
    registry.function(
        "occasion() -> Occasion",
        "occasion()",
        "Why the rule is asked.",
        |context: NativeCallContext| Run::of(&context).map(Occasion),
    );
}
