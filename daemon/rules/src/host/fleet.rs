//! `modems()`, `sim.modem` and `deliveries()`.

use rhai::{Array, Dynamic, ImmutableString, NativeCallContext};
use rust_decimal::Decimal;
use simbell_core::reminder::DeliveryState;
use simbell_core::time::Timestamp;
use simbell_core::view::{DeliveryFacts, ModemFacts};

use super::{Run, optional, properties};
use crate::host::facts::foreign;
use crate::registry::Registry;
use crate::value::{Percent, Span};

/// One modem of the input.
#[derive(Debug, Clone)]
pub(crate) struct ModemView {
    pub(super) run: Run,
    pub(super) index: usize,
}

/// What became of one message.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryView {
    run: Run,
    index: usize,
}

impl ModemView {
    /// A view exists only where its facts do.
    fn see<T: Default>(&self, look: impl FnOnce(&ModemFacts) -> T) -> T {
        self.run.0.input.modems.get(self.index).map(look).unwrap_or_default()
    }

    fn state(&self) -> Option<String> {
        let state = self.see(|facts| facts.state)?;
        serde_json::to_value(state).ok()?.as_str().map(str::to_owned)
    }

    fn lost_for(&self) -> Option<Span> {
        let since = self.see(|facts| facts.lost_since)?;
        Span::from_secs(self.run.0.input.now.at.since(since).as_secs().max(0))
    }

    /// The name of the SIM it has or had, as the owner calls it.
    fn sim_name(&self) -> Option<String> {
        let iccid = self.see(|facts| facts.sim.clone())?;
        self.run.0.input.sims.iter().find(|sim| sim.iccid == iccid).map(|sim| sim.name.clone())
    }
}

impl DeliveryView {
    fn see<T: Default>(&self, look: impl FnOnce(&DeliveryFacts) -> T) -> T {
        self.run.0.input.deliveries.get(self.index).map(look).unwrap_or_default()
    }

    fn state(&self) -> &'static str {
        match self.run.0.input.deliveries.get(self.index).map(|facts| facts.state) {
            Some(DeliveryState::Queued) | None => "queued",
            Some(DeliveryState::Sending) => "sending",
            Some(DeliveryState::Delivered) => "delivered",
            Some(DeliveryState::Failed) => "failed",
            Some(DeliveryState::Suppressed) => "suppressed",
        }
    }
}

fn text(text: Option<String>) -> Dynamic {
    optional(text.map(|text| foreign(&text)))
}

properties!(register_modem, ModemView, "Modem", "A modem.", {
    "name": "string", "What it is called." => |modem: &mut ModemView| modem.see(|facts| foreign(&facts.name)),
    "id": "string", "The end of its number; fit for a key." => |modem: &mut ModemView| modem.see(|facts| ImmutableString::from(facts.tail.as_str())),
    "present": "bool", "Whether it is there." => |modem: &mut ModemView| modem.see(|facts| facts.present),
    "lost_since": "LocalTime?", "Since when it is lost." => |modem: &mut ModemView| {
        optional(modem.see(|facts| facts.lost_since).map(|since: Timestamp| modem.run.local(since)))
    },
    "lost_for": "Span?", "For how long it is lost." => |modem: &mut ModemView| optional(modem.lost_for()),
    "state": "string?", "As ModemManager says, such as `registered`." => |modem: &mut ModemView| text(modem.state()),
    "unusable": "string?", "Why it cannot be used." => |modem: &mut ModemView| text(modem.see(|facts| facts.unusable.clone())),
    "sim": "string?", "The name of the SIM in it, or that was in it last." => |modem: &mut ModemView| text(modem.sim_name()),
    "network": "string?", "The network it is registered with." => |modem: &mut ModemView| text(modem.see(|facts| facts.network.clone())),
    "access": "list", "Access technologies, such as `lte`." => |modem: &mut ModemView| {
        modem.see(|facts| facts.access.iter().map(|one| foreign(one).into()).collect::<Array>())
    },
    "signal": "Percent?", "The strength of the signal." => |modem: &mut ModemView| {
        optional(modem.see(|facts| facts.signal_percent).map(|s| Percent::fixed(Decimal::from(s))))
    },
});

properties!(register_delivery, DeliveryView, "Delivery", "What became of one message.", {
    "reminder": "string?", "Of which reminder." => |one: &mut DeliveryView| text(one.run.0.input.deliveries.get(one.index).map(|d| d.reminder.to_string())),
    "channel": "string?", "By which channel." => |one: &mut DeliveryView| text(one.run.0.input.deliveries.get(one.index).map(|d| d.channel.to_string())),
    "state": "string", "`queued`, `sending`, `delivered`, `failed` or `suppressed`." => |one: &mut DeliveryView| one.state(),
    "attempts": "int", "How often it was tried." => |one: &mut DeliveryView| one.see(|facts| i64::from(facts.attempts)),
    "at": "LocalTime?", "When it was raised." => |one: &mut DeliveryView| {
        optional(one.see(|facts| Some(facts.created_at)).map(|at| one.run.local(at)))
    },
    "error": "string?", "Why the last try failed." => |one: &mut DeliveryView| text(one.see(|facts| facts.last_error.clone())),
});

/// Registers the views.
pub(super) fn register(registry: &mut Registry<'_>) {
    register_modem(registry);
    register_delivery(registry);
    registry
        .function(
            "to_string(modem: Modem) -> string",
            "modem.to_string()",
            "Its name.",
            |modem: &mut ModemView| modem.see(|facts| foreign(&facts.name)),
        )
        .function(
            "modems() -> list",
            "modems()",
            "Every modem known: a list of `Modem`.",
            |context: NativeCallContext| {
                Run::of(&context).map(|run| run.modems().into_iter().map(Dynamic::from).collect::<Array>())
            },
        )
        .function(
            "deliveries() -> list",
            "deliveries()",
            "What became of the latest messages: a list of `Delivery`.",
            |context: NativeCallContext| {
                Run::of(&context).map(|run| {
                    run.looks(|sight| sight.deliveries = true);
                    (0..run.0.input.deliveries.len())
                        .map(|index| Dynamic::from(DeliveryView { run: run.clone(), index }))
                        .collect::<Array>()
                })
            },
        );
}
