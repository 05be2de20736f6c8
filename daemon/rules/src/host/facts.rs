//! `sim`, `sims()`, `sms`, `health` and `now()`: read-only views of one input.

use chrono::NaiveDateTime;
use rhai::{Array, Dynamic, ImmutableString, NativeCallContext};
use rust_decimal::Decimal;
use simbell_core::health::Warning;
use simbell_core::ident::OperatorCode;
use simbell_core::ledger::Zone;
use simbell_core::modem::SmsView;
use simbell_core::observation::{Calibration, ONE};
use simbell_core::view::{CycleFacts, LocalNow, PlanTerms, SimFacts};
use simbell_core::voice::VoiceSums;

use super::fleet::ModemView;
use super::{Run, optional, properties};
use crate::registry::Registry;
use crate::text::{cut, harmless};
use crate::value::{DataSize, Date, LocalTime, Origin, Percent, Span};

/// One SIM of the input.
#[derive(Debug, Clone)]
pub(crate) struct SimView {
    pub(super) run: Run,
    /// Which of `sims()`; none for the one the evaluation is about.
    pub(super) index: Option<usize>,
}

/// A SIM's billing cycle.
#[derive(Debug, Clone)]
pub(crate) struct CycleView(SimView);

/// What a SIM's usage comes to if it goes on as it did.
#[derive(Debug, Clone)]
pub(crate) struct ForecastView(SimView);

/// What the carrier's own figures teach of a SIM's usage.
#[derive(Debug, Clone)]
pub(crate) struct CalibrationView(SimView);

/// Where a SIM is.
#[derive(Debug, Clone)]
pub(crate) struct ZoneView(Zone);

/// A SIM's plan.
#[derive(Debug, Clone)]
pub(crate) struct PlanView(SimView);

/// A SIM's calls in its cycle, those under way included.
#[derive(Debug, Clone)]
pub(crate) struct CallsView(SimView);

/// A SIM's short messages in its cycle.
#[derive(Debug, Clone)]
pub(crate) struct MessagesView(SimView);

/// A short message, its text made harmless.
#[derive(Debug, Clone)]
pub(crate) struct SmsFacts {
    number: ImmutableString,
    text: ImmutableString,
    id: ImmutableString,
}

/// One health warning of the input.
#[derive(Debug, Clone)]
pub(crate) struct WarningView {
    pub(super) run: Run,
    pub(super) index: usize,
}

/// Local time now.
#[derive(Debug, Clone)]
pub(crate) struct NowView(Run);

/// The zone's offset from UTC: the local date and minute, less the UTC minute.
pub(super) fn offset_ms(now: &LocalNow) -> i64 {
    let text = format!("{} {}", now.date, now.time);
    let Ok(local) = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M") else {
        return 0;
    };
    let minute = 60_000;
    let utc = now.at.as_millis().div_euclid(minute).saturating_mul(minute);
    local.and_utc().timestamp_millis().saturating_sub(utc)
}

/// Text from the network, as rules may hold it: harmless and well below the limit of a string.
pub(super) fn foreign(text: &str) -> ImmutableString {
    cut(&harmless(text, 1_000), 3_000).into()
}

impl SmsFacts {
    pub(crate) fn new(sms: &SmsView) -> Self {
        Self {
            number: foreign(&sms.number),
            text: foreign(&sms.text),
            id: crate::text::slug(&sms.digest).into(),
        }
    }
}

impl SimView {
    /// A view exists only where its facts do; the default is never seen.
    fn see<T: Default>(&self, look: impl FnOnce(&SimFacts) -> T) -> T {
        let input = &self.run.0.input;
        let facts = match self.index {
            Some(index) => input.sims.get(index),
            None => input.sim.as_ref(),
        };
        facts.map(look).unwrap_or_default()
    }

    /// The modem it is in, or was in last.
    fn modem(&self) -> Option<ModemView> {
        let iccid = self.see(|facts| Some(facts.iccid.clone()))?;
        let modems = &self.run.0.input.modems;
        let index = modems.iter().position(|modem| modem.sim.as_ref() == Some(&iccid))?;
        Some(ModemView { run: self.run.clone(), index })
    }

    fn bytes(&self, look: impl FnOnce(&SimFacts) -> Option<u64>) -> Dynamic {
        optional(self.see(look).map(DataSize::from_bytes))
    }

    /// Where a value of this SIM comes from that moves by `slope` with its usage. What another SIM has used moves too,
    /// but this rule is asked anew by the usage of its own.
    fn by_usage(&self, slope: impl FnOnce(&SimFacts) -> Origin) -> Origin {
        let input = &self.run.0.input;
        let own = match (self.index.and_then(|index| input.sims.get(index)), &input.sim) {
            (Some(other), Some(own)) => other.iccid == own.iccid,
            (Some(_), None) => false,
            (None, _) => true,
        };
        if own { self.see(slope) } else { Origin::Lost }
    }

    fn used(&self) -> DataSize {
        let value = self.see(|facts| Decimal::from(facts.used_bytes));
        DataSize { value, origin: self.by_usage(|_| Origin::usage(Decimal::ONE, Decimal::ONE)) }
    }

    /// What is billed is what counts as used, unless the carrier's figures scale it.
    fn billed(&self) -> DataSize {
        let value = self.see(|facts| Decimal::from(facts.billed_bytes));
        let scaled = self.see(|facts| facts.calibration.is_some());
        let origin = if scaled { Origin::Lost } else { self.used().origin };
        DataSize { value, origin }
    }

    /// Another figure of usage, which moves as the plan does not count.
    fn other(&self, look: impl FnOnce(&SimFacts) -> Option<u64>) -> Dynamic {
        let value = self.see(look).map(Decimal::from);
        optional(value.map(|value| DataSize { value, origin: Origin::Lost }))
    }

    /// The plan may count other bytes than these: only where it stands still can be told.
    fn used_roaming(&self) -> DataSize {
        let value = self.see(|facts| Decimal::from(facts.roaming_bytes));
        let at_home = self.see(|facts| facts.roaming == Some(false));
        DataSize { value, origin: if at_home { self.by_usage(|_| Origin::Fixed) } else { Origin::Lost } }
    }

    fn remaining(&self) -> Option<DataSize> {
        let value = self.see(|facts| facts.remaining_bytes).map(Decimal::from)?;
        // It never falls below 0.
        let slope = if value.is_zero() { Decimal::ZERO } else { Decimal::NEGATIVE_ONE };
        Some(DataSize { value, origin: self.by_usage(|_| Origin::usage(slope, Decimal::ONE)) })
    }

    fn share(&self) -> Option<Percent> {
        let value = self.see(|facts| facts.used_share)?.checked_mul(Decimal::ONE_HUNDRED)?;
        let slope = |facts: &SimFacts| match facts.allowance_bytes {
            Some(allowance) => Origin::usage(Decimal::ONE_HUNDRED, Decimal::from(allowance)),
            None => Origin::Lost,
        };
        Some(Percent { value, origin: self.by_usage(slope) })
    }
}

impl ZoneView {
    fn visited(&self) -> Option<&OperatorCode> {
        match &self.0 {
            Zone::Roaming(code) => code.as_ref(),
            Zone::Home | Zone::Unknown => None,
        }
    }

    /// `home`, `roaming`, `roaming in 26202` or `unknown`.
    fn text(&self) -> String {
        self.visited().map_or_else(|| self.0.to_text(), |code| format!("roaming in {code}"))
    }
}

impl PlanView {
    fn terms(&self) -> Option<PlanTerms> {
        self.0.see(|facts| facts.terms)
    }

    fn name(&self) -> ImmutableString {
        self.0.see(|facts| facts.plan.as_deref().map(foreign).unwrap_or_default())
    }
}

impl CycleView {
    fn see<T: Default>(&self, look: impl FnOnce(&CycleFacts) -> T) -> T {
        self.0.see(|facts| facts.cycle.as_ref().map(look).unwrap_or_default())
    }
}

impl CalibrationView {
    /// A factor as a share: 100 % where the carrier counts as was billed.
    fn millionths(&self, look: impl FnOnce(&Calibration) -> u64) -> Dynamic {
        let share = self.0.see(|facts| facts.calibration.as_ref().map(|learnt| Decimal::from(look(learnt))));
        optional(share.and_then(|share| share.checked_div(Decimal::from(ONE))).and_then(Percent::from_share))
    }
}

impl CallsView {
    fn see<T: Default>(&self, look: impl FnOnce(&VoiceSums) -> T) -> T {
        self.0.see(|facts| look(&facts.voice))
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Never absent: seconds of calls stay far within a span's range.
fn time(seconds: u64) -> Dynamic {
    optional(Span::from_secs(count(seconds)))
}

impl WarningView {
    fn see<T: Default>(&self, look: impl FnOnce(&Warning) -> T) -> T {
        self.run.0.input.warnings.get(self.index).map(look).unwrap_or_default()
    }
}

impl NowView {
    fn local(&self) -> LocalTime {
        self.0.local(self.0.0.input.now.at)
    }
}

fn code_of(code: Option<&OperatorCode>) -> Dynamic {
    optional(code.map(|code| ImmutableString::from(code.as_str())))
}

fn text_of(text: Option<&String>) -> Dynamic {
    optional(text.map(|text| foreign(text)))
}

properties!(register_sim, SimView, "Sim", "A SIM or eSIM profile.", {
    "name": "string", "The name you gave it, or `SIM …1234`." => |sim: &mut SimView| sim.see(|facts| foreign(&facts.name)),
    "iccid": "string", "Its number." => |sim: &mut SimView| sim.see(|facts| ImmutableString::from(facts.iccid.as_str())),
    "operator": "string?", "Its home operator." => |sim: &mut SimView| sim.see(|facts| text_of(facts.operator.as_ref())),
    "operator_code": "string?", "The home operator's code, MCC and MNC, such as `26201`." => |sim: &mut SimView| sim.see(|facts| code_of(facts.operator_code.as_ref())),
    "network": "string?", "The network it is registered with." => |sim: &mut SimView| sim.see(|facts| text_of(facts.network.as_ref())),
    "network_code": "string?", "That network's code." => |sim: &mut SimView| sim.see(|facts| code_of(facts.network_code.as_ref())),
    "zone": "Zone", "Where it is: at home or roaming." => |sim: &mut SimView| ZoneView(sim.see(|facts| facts.zone.clone())),
    "active": "bool", "Whether it is in a modem and in use." => |sim: &mut SimView| sim.see(|facts| facts.active),
    "roaming": "bool?", "Whether it roams: write `sim.roaming == true`." => |sim: &mut SimView| sim.see(|facts| optional(facts.roaming)),
    "connected": "bool", "Whether a connection is up." => |sim: &mut SimView| sim.see(|facts| facts.connected),
    "measured": "bool", "Whether its usage is measured." => |sim: &mut SimView| sim.see(|facts| facts.measured),
    "signal": "Percent?", "The strength of the signal." => |sim: &mut SimView| optional(sim.see(|facts| facts.signal_percent).map(|s| Percent::fixed(Decimal::from(s)))),
    "modem": "Modem?", "The modem it is in, or was in last." => |sim: &mut SimView| optional(sim.modem()),
    "plan": "Plan?", "The plan, shown and compared as its name." => |sim: &mut SimView| optional(sim.see(|facts| facts.plan.is_some()).then(|| PlanView(sim.clone()))),
    "used": "DataSize", "Data used in this cycle, as the plan counts it." => |sim: &mut SimView| sim.used(),
    "used_measured": "DataSize", "Data measured in this cycle, both directions." => |sim: &mut SimView| sim.other(|facts| Some(facts.measured_bytes)),
    "billed": "DataSize", "Data used in this cycle, as the plan bills it." => |sim: &mut SimView| sim.billed(),
    "calibrated": "DataSize?", "Data used in this cycle, as the carrier is likely to count it." => |sim: &mut SimView| sim.other(|facts| facts.calibrated_bytes),
    "calibration": "Calibration?", "How far the carrier counts beside what is billed." => |sim: &mut SimView| {
        optional(sim.see(|facts| facts.calibration.is_some()).then(|| CalibrationView(sim.clone())))
    },
    "used_roaming": "DataSize", "Data used in this cycle while roaming." => |sim: &mut SimView| sim.used_roaming(),
    "allowance": "DataSize?", "Data of the plan for this cycle." => |sim: &mut SimView| sim.bytes(|facts| facts.allowance_bytes),
    "remaining": "DataSize?", "What is left of the allowance; never below 0." => |sim: &mut SimView| optional(sim.remaining()),
    "share": "Percent?", "The used share of the allowance; may exceed 100%." => |sim: &mut SimView| optional(sim.share()),
    "cycle": "Cycle?", "The billing cycle." => |sim: &mut SimView| optional(sim.see(|facts| facts.cycle.is_some()).then(|| CycleView(sim.clone()))),
    "forecast": "Forecast", "What usage comes to if it goes on as it did." => |sim: &mut SimView| ForecastView(sim.clone()),
    "calls": "Calls", "Calls of this cycle, those under way included." => |sim: &mut SimView| CallsView(sim.clone()),
    "sms": "Messages", "Short messages of this cycle." => |sim: &mut SimView| MessagesView(sim.clone()),
});

properties!(register_zone, ZoneView, "Zone", "Where a SIM is.", {
    "kind": "string", "`home`, `roaming` or `unknown`." => |zone: &mut ZoneView| match zone.0 {
        Zone::Home => "home",
        Zone::Roaming(_) => "roaming",
        Zone::Unknown => "unknown",
    },
    "network_code": "string?", "The visited network's code, while roaming." => |zone: &mut ZoneView| code_of(zone.visited()),
    "mcc": "string?", "Its country code, such as `262`." => |zone: &mut ZoneView| optional(zone.visited().and_then(|code| code.as_str().get(..3)).map(ImmutableString::from)),
    "mnc": "string?", "Its network code within the country." => |zone: &mut ZoneView| optional(zone.visited().and_then(|code| code.as_str().get(3..)).map(ImmutableString::from)),
});

properties!(register_plan, PlanView, "Plan", "A SIM's plan.", {
    "name": "string", "Its name." => |plan: &mut PlanView| plan.name(),
    "data": "DataSize?", "Its allowance for a cycle." => |plan: &mut PlanView| plan.0.bytes(|facts| facts.allowance_bytes),
    "counts": "string?", "Which bytes count: `both`, `download`, `upload` or `max`." => |plan: &mut PlanView| optional(plan.terms().map(|terms| ImmutableString::from(terms.counts.as_str()))),
    "roaming_counts": "bool?", "Whether what is used while roaming counts." => |plan: &mut PlanView| optional(plan.terms().map(|terms| terms.roaming_counts)),
    "renews": "bool?", "Whether a cycle follows each cycle by itself." => |plan: &mut PlanView| optional(plan.terms().map(|terms| terms.renews)),
});

properties!(register_calls, CallsView, "Calls", "A SIM's calls in its cycle, those under way included.", {
    "made": "int", "Calls made and answered." => |calls: &mut CallsView| count(calls.see(|voice| voice.made.answered)),
    "unanswered": "int", "Calls made that nobody answered." => |calls: &mut CallsView| count(calls.see(|voice| voice.made.unanswered)),
    "time_out": "Span", "Time of calls made, as the plan counts it." => |calls: &mut CallsView| time(calls.see(|voice| voice.made.seconds)),
    "time_out_free": "Span", "Of it, calls to numbers that are free." => |calls: &mut CallsView| time(calls.see(|voice| voice.made_free.seconds)),
    "time_out_roaming": "Span", "Of it, while roaming." => |calls: &mut CallsView| time(calls.see(|voice| voice.made_roaming.seconds)),
    "taken": "int", "Calls taken." => |calls: &mut CallsView| count(calls.see(|voice| voice.taken.answered)),
    "missed": "int", "Calls missed." => |calls: &mut CallsView| count(calls.see(|voice| voice.taken.unanswered)),
    "time_in": "Span", "Time of calls taken." => |calls: &mut CallsView| time(calls.see(|voice| voice.taken.seconds)),
    "time_in_roaming": "Span", "Of it, while roaming." => |calls: &mut CallsView| time(calls.see(|voice| voice.taken_roaming.seconds)),
    "end_unknown": "int", "Calls whose end was not seen." => |calls: &mut CallsView| {
        count(calls.see(|voice| voice.made.end_unknown.saturating_add(voice.taken.end_unknown)))
    },
});

properties!(register_messages, MessagesView, "Messages", "A SIM's short messages in its cycle.", {
    "sent": "int", "Parts sent: a long message has several." => |messages: &mut MessagesView| count(messages.0.see(|facts| facts.voice.sent.parts)),
    "sent_roaming": "int", "Of them, while roaming." => |messages: &mut MessagesView| count(messages.0.see(|facts| facts.voice.sent_roaming.parts)),
    "received": "int", "Messages received." => |messages: &mut MessagesView| count(messages.0.see(|facts| facts.voice.received.messages)),
    "failed": "int", "Messages that could not be sent." => |messages: &mut MessagesView| count(messages.0.see(|facts| facts.voice.failed.messages)),
    "recipients": "int", "Different numbers written to." => |messages: &mut MessagesView| count(messages.0.see(|facts| facts.recipients)),
});

properties!(register_cycle, CycleView, "Cycle", "A billing cycle.", {
    "start": "Date?", "Its first day." => |cycle: &mut CycleView| optional(cycle.see(|facts| Date::parse(&facts.start))),
    "end": "Date?", "The first day after it; absent in a plan without an end." => |cycle: &mut CycleView| optional(cycle.see(|facts| facts.end.as_deref().and_then(Date::parse))),
    "days_left": "int?", "Days left, today counted as one." => |cycle: &mut CycleView| optional(cycle.see(|facts| facts.days_left)),
    "time_left": "Span?", "Time left." => |cycle: &mut CycleView| optional(cycle.see(|facts| facts.seconds_left.and_then(Span::from_secs))),
    "last": "bool", "Whether nothing follows it." => |cycle: &mut CycleView| cycle.see(|facts| facts.last),
});

properties!(register_forecast, ForecastView, "Forecast", "What usage comes to if it goes on as it did.", {
    "exhausted_at": "LocalTime?", "When the allowance is used up; absent where it lasts." => |forecast: &mut ForecastView| {
        optional(forecast.0.see(|facts| facts.exhausted_at).map(|at| forecast.0.run.local(at)))
    },
    "end_of_cycle": "DataSize?", "What will be used at the end of the cycle." => |forecast: &mut ForecastView| forecast.0.bytes(|facts| facts.end_of_cycle_bytes),
    "reliable": "bool", "Whether enough is known to rely on it." => |forecast: &mut ForecastView| forecast.0.see(|facts| facts.forecast_reliable),
});

properties!(register_calibration, CalibrationView, "Calibration", "What the carrier's own figures teach of a SIM's usage.", {
    "factor": "Percent?", "What the carrier counts, as a share of what is billed." => |learnt: &mut CalibrationView| learnt.millionths(|learnt| learnt.factor),
    "lowest": "Percent?", "The lowest factor seen." => |learnt: &mut CalibrationView| learnt.millionths(|learnt| learnt.lowest),
    "highest": "Percent?", "The highest factor seen." => |learnt: &mut CalibrationView| learnt.millionths(|learnt| learnt.highest),
    "count": "int", "How many figures of the carrier it is learnt from." => |learnt: &mut CalibrationView| {
        learnt.0.see(|facts| facts.calibration.map_or(0, |learnt| i64::try_from(learnt.count).unwrap_or(i64::MAX)))
    },
});

properties!(register_sms, SmsFacts, "Sms", "A short message that came in.", {
    "number": "string", "Who sent it." => |sms: &mut SmsFacts| sms.number.clone(),
    "text": "string", "What it says." => |sms: &mut SmsFacts| sms.text.clone(),
    "id": "string", "Which it is; fit for a key." => |sms: &mut SmsFacts| sms.id.clone(),
});

properties!(register_warning, WarningView, "Warning", "Something that is wrong with the service.", {
    "code": "string", "What is wrong, such as `channel-failing`." => |warning: &mut WarningView| warning.see(|facts| facts.code.as_str()),
    "subject": "string", "What it is wrong with." => |warning: &mut WarningView| warning.see(|facts| foreign(&facts.subject)),
    "text": "string", "In words." => |warning: &mut WarningView| warning.see(|facts| foreign(&facts.text)),
    "since": "LocalTime?", "Since when." => |warning: &mut WarningView| {
        optional(warning.see(|facts| Some(facts.since)).map(|since| warning.run.local(since)))
    },
});

properties!(register_now, NowView, "Now", "The local time at which the rule is asked.", {
    "local": "LocalTime", "Date and time." => |now: &mut NowView| now.local(),
    "date": "Date", "Today." => |now: &mut NowView| Date(now.local().0.date()),
    "time": "string", "The time of day, such as `07:05`." => |now: &mut NowView| ImmutableString::from(now.0.0.input.now.time.as_str()),
    "weekday": "string", "`mon` to `sun`." => |now: &mut NowView| crate::value::weekday_name(now.local().0.date()),
    "day": "int", "The day of the month." => |now: &mut NowView| i64::from(now.0.0.input.now.day),
    "hour": "int", "The hour, 0 to 23." => |now: &mut NowView| i64::from(now.0.0.input.now.hour),
});

/// Registers the views.
pub(super) fn register(registry: &mut Registry<'_>) {
    register_sim(registry);
    register_cycle(registry);
    register_forecast(registry);
    register_zone(registry);
    register_plan(registry);
    register_calls(registry);
    register_messages(registry);
    register_calibration(registry);
    register_sms(registry);
    register_warning(registry);
    register_now(registry);
    registry
        .function("now() -> Now", "now()", "The local time.", |context: NativeCallContext| {
            Run::of(&context).map(NowView)
        })
        .function(
            "to_string(now: Now) -> string",
            "now().to_string()",
            "Date and time as text.",
            |now: &mut NowView| now.local().to_string(),
        )
        .function(
            "to_string(zone: Zone) -> string",
            "sim.zone.to_string()",
            "Where it is.",
            |zone: &mut ZoneView| zone.text(),
        )
        .function(
            "to_string(plan: Plan) -> string",
            "sim.plan.to_string()",
            "Its name.",
            |plan: &mut PlanView| plan.name(),
        )
        .operator("==", "By the plan's name.", |plan: PlanView, name: &str| plan.name() == name)
        .operator("!=", "By the plan's name.", |plan: PlanView, name: &str| plan.name() != name)
        .operator("==", "By the plan's name.", |name: &str, plan: PlanView| plan.name() == name)
        .operator("!=", "By the plan's name.", |name: &str, plan: PlanView| plan.name() != name)
        .function(
            "health() -> list",
            "health()",
            "What is wrong with the service: a list of `Warning`.",
            |context: NativeCallContext| {
                Run::of(&context).map(|run| run.warnings().into_iter().map(Dynamic::from).collect::<Array>())
            },
        )
        .function("to_string(sim: Sim) -> string", "sim.to_string()", "Its name.", |sim: &mut SimView| {
            sim.see(|facts| foreign(&facts.name))
        })
        .function(
            "sims() -> list",
            "sims()",
            "Every SIM known: a list of `Sim`.",
            |context: NativeCallContext| {
                Run::of(&context).map(|run| run.sims().into_iter().map(Dynamic::from).collect::<Array>())
            },
        );
}
