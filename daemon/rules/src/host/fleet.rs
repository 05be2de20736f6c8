//! `modems()`, `sim.modem` and `deliveries()`.

use rhai::{Array, Dynamic, Engine, ImmutableString, NativeCallContext};
use rust_decimal::Decimal;
use simbell_core::reminder::DeliveryState;
use simbell_core::time::Timestamp;
use simbell_core::view::{DeliveryFacts, ModemFacts};

use super::{Run, optional, properties};
use crate::host::facts::foreign;
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

properties!(MODEM, register_modem, ModemView, "Modem", {
    "name" => |modem: &mut ModemView| modem.see(|facts| foreign(&facts.name)),
    "id" => |modem: &mut ModemView| modem.see(|facts| ImmutableString::from(facts.tail.as_str())),
    "present" => |modem: &mut ModemView| modem.see(|facts| facts.present),
    "lost_since" => |modem: &mut ModemView| {
        optional(modem.see(|facts| facts.lost_since).map(|since: Timestamp| modem.run.local(since)))
    },
    "lost_for" => |modem: &mut ModemView| optional(modem.lost_for()),
    "state" => |modem: &mut ModemView| text(modem.state()),
    "unusable" => |modem: &mut ModemView| text(modem.see(|facts| facts.unusable.clone())),
    "sim" => |modem: &mut ModemView| text(modem.sim_name()),
    "network" => |modem: &mut ModemView| text(modem.see(|facts| facts.network.clone())),
    "access" => |modem: &mut ModemView| {
        modem.see(|facts| facts.access.iter().map(|one| foreign(one).into()).collect::<Array>())
    },
    "signal" => |modem: &mut ModemView| {
        optional(modem.see(|facts| facts.signal_percent).map(|s| Percent::fixed(Decimal::from(s))))
    },
});

properties!(DELIVERY, register_delivery, DeliveryView, "Delivery", {
    "reminder" => |one: &mut DeliveryView| text(one.run.0.input.deliveries.get(one.index).map(|d| d.reminder.to_string())),
    "channel" => |one: &mut DeliveryView| text(one.run.0.input.deliveries.get(one.index).map(|d| d.channel.to_string())),
    "state" => |one: &mut DeliveryView| one.state(),
    "attempts" => |one: &mut DeliveryView| one.see(|facts| i64::from(facts.attempts)),
    "at" => |one: &mut DeliveryView| {
        optional(one.see(|facts| Some(facts.created_at)).map(|at| one.run.local(at)))
    },
    "error" => |one: &mut DeliveryView| text(one.see(|facts| facts.last_error.clone())),
});

/// Registers the views.
pub(super) fn register(engine: &mut Engine) {
    register_modem(engine);
    register_delivery(engine);
    engine
        .register_fn("to_string", |modem: &mut ModemView| modem.see(|facts| foreign(&facts.name)))
        .register_fn("modems", |context: NativeCallContext| {
            Run::of(&context).map(|run| run.modems().into_iter().map(Dynamic::from).collect::<Array>())
        })
        .register_fn("deliveries", |context: NativeCallContext| {
            Run::of(&context).map(|run| {
                (0..run.0.input.deliveries.len())
                    .map(|index| Dynamic::from(DeliveryView { run: run.clone(), index }))
                    .collect::<Array>()
            })
        });
}
