//! What rules can see and say: the functions and objects of the rule language, version 1.

mod act;
mod ended;
mod facts;
mod fleet;
mod memory;
mod occasion;
mod remind;
mod schedule;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};
use simbell_core::action::ActionRequest;
use simbell_core::ident::Iccid;
use simbell_core::memory::Memory;
use simbell_core::reminder::Finding;
use simbell_core::time::Timestamp;
use simbell_core::view::{RuleInput, Trigger};

use crate::limits::Limits;
use crate::settings::Settings;
use crate::value::{DataSize, Date, Fallible, LocalTime, Percent, Span, fail};

pub(crate) use ended::EndedView;
pub(crate) use facts::{SimView, SmsFacts, WarningView};
use fleet::{DeliveryView, ModemView};
pub(crate) use memory::changed;
pub(crate) use schedule::Schedule;

/// Registers a type's read-only properties, and keeps their names for hints.
macro_rules! properties {
    ($names:ident, $register:ident, $type:ty, $shown:literal, { $($name:literal => $getter:expr,)* }) => {
        /// The properties' names.
        pub(crate) const $names: &[&str] = &[$($name),*];

        fn $register(engine: &mut ::rhai::Engine) {
            engine.register_type_with_name::<$type>($shown);
            $(engine.register_get($name, $getter);)*
        }
    };
}
pub(crate) use properties;

/// The functions that rules call, for hints.
pub(crate) const FUNCTIONS: &[&str] = &[
    "remind",
    "resolve",
    "remember",
    "recall",
    "forget",
    "send_sms",
    "send_ussd",
    "disconnect",
    "now",
    "sims",
    "modems",
    "deliveries",
    "occasion",
    "daily",
    "weekly",
    "monthly",
    "every",
    "date",
    "slug",
    "language",
    "print",
];

/// How functions are called, for hints.
pub(crate) const FORMS: &[(&str, &str)] = &[
    ("remind", "`remind(\"key\", \"text\")` or `remind(\"key\", \"text\", #{ urgency: \"warning\" })`"),
    ("resolve", "`resolve(\"key\")`"),
    ("remember", "`remember(\"key\", value)`"),
    ("recall", "`recall(\"key\")` or `recall(\"key\", otherwise)`"),
    ("forget", "`forget(\"key\")`"),
    ("send_sms", "`send_sms(\"key\", \"+491710000000\", \"text\")`"),
    ("send_ussd", "`send_ussd(\"key\", \"*100#\")`"),
    ("disconnect", "`disconnect(\"key\")`"),
    ("daily", "`daily(\"07:00\")`"),
    ("weekly", "`weekly(\"mon\", \"07:00\")`"),
    ("monthly", "`monthly(1, \"07:00\")` or `monthly(\"last\", \"07:00\")`"),
    ("every", "`every(10.minutes)`"),
    ("date", "`date(\"2026-11-22\")`"),
    ("slug", "`slug(\"any text\")`"),
];

/// The properties of a type as messages name it.
pub(crate) fn properties_of(shown: &str) -> Option<Vec<&'static str>> {
    let units = |own: &[&'static str], more: &[&'static str]| Some([own, more].concat());
    match shown {
        "Sim" => Some(facts::SIM.to_vec()),
        "Cycle" => Some(facts::CYCLE.to_vec()),
        "Forecast" => Some(facts::FORECAST.to_vec()),
        "Calls" => Some(facts::CALLS.to_vec()),
        "Messages" => Some(facts::MESSAGES.to_vec()),
        "Calibration" => Some(facts::CALIBRATION.to_vec()),
        "Sms" => Some(facts::SMS.to_vec()),
        "Warning" => Some(facts::WARNING.to_vec()),
        "Now" => Some(facts::NOW.to_vec()),
        "Modem" => Some(fleet::MODEM.to_vec()),
        "Delivery" => Some(fleet::DELIVERY.to_vec()),
        "EndedCycle" => Some(ended::ENDED.to_vec()),
        "Occasion" => Some(occasion::OCCASION.to_vec()),
        "DataSize" => units(&["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"], &[]),
        "Span" => units(&["seconds", "minutes", "hours", "days", "weeks"], &[]),
        "Percent" => units(&["number"], &[]),
        "Date" => units(&["year", "month", "day", "weekday"], &[]),
        "LocalTime" => units(&["date", "time", "year", "month", "day", "weekday", "hour", "minute"], &[]),
        "i64" | "decimal" => units(
            &["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", "percent"],
            &["second", "seconds", "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks"],
        ),
        _ => None,
    }
}

/// The constants of a rule by name, its settings among them.
pub(crate) type Constants = Arc<BTreeMap<String, Dynamic>>;

/// What goes along with each call of a script: Rhai's functions see neither the file's constants nor the input.
#[derive(Debug, Clone)]
pub(crate) struct Tag {
    pub(crate) constants: Constants,
    /// The evaluation; none while a file is loaded.
    pub(crate) run: Option<Run>,
}

/// One evaluation: what it sees, and what it has found so far. Rules reach it only through host functions.
#[derive(Debug, Clone)]
pub(crate) struct Run(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    input: Arc<RuleInput>,
    /// The zone's offset from UTC now, in milliseconds.
    offset_ms: i64,
    schedule: Option<(usize, Timestamp)>,
    kind: &'static str,
    limits: Limits,
    memory: Arc<Memory>,
    said: Mutex<Said>,
}

/// What a run has said so far.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) findings: Vec<Finding>,
    pub(crate) resolved: Vec<String>,
    pub(crate) actions: Vec<ActionRequest>,
    /// All that is remembered from now on; none while that is as it was.
    pub(crate) memory: Option<Memory>,
}

impl Run {
    pub(crate) fn new(
        input: &Arc<RuleInput>,
        memory: &Arc<Memory>,
        trigger: &Trigger,
        limits: &Limits,
    ) -> Self {
        let schedule = match trigger {
            Trigger::Schedule { index, due, .. } => Some((*index, *due)),
            _ => None,
        };
        Self(Arc::new(Inner {
            input: Arc::clone(input),
            offset_ms: facts::offset_ms(&input.now),
            schedule,
            kind: trigger.kind(),
            limits: *limits,
            memory: Arc::clone(memory),
            said: Mutex::default(),
        }))
    }

    /// The run that a host function was called in.
    fn of(context: &NativeCallContext) -> Fallible<Self> {
        let run = context.tag().and_then(|tag| tag.read_lock::<Tag>().and_then(|tag| tag.run.clone()));
        match run {
            Some(run) => Ok(run),
            None => fail(format!(
                "`{}` can only be called while a hook runs: move it into on_usage(sim), on_schedule(sim), …",
                context.fn_name()
            )),
        }
    }

    /// The SIM this evaluation is about.
    pub(crate) fn sim(&self) -> Option<SimView> {
        self.0.input.sim.as_ref().map(|_| SimView { run: self.clone(), index: None })
    }

    /// Every SIM known.
    fn sims(&self) -> Vec<SimView> {
        (0..self.0.input.sims.len()).map(|index| SimView { run: self.clone(), index: Some(index) }).collect()
    }

    /// What is wrong with the service.
    pub(crate) fn warnings(&self) -> Vec<WarningView> {
        (0..self.0.input.warnings.len()).map(|index| WarningView { run: self.clone(), index }).collect()
    }

    /// A SIM by its identity.
    pub(crate) fn sim_of(&self, iccid: &Iccid) -> Option<SimView> {
        let index = self.0.input.sims.iter().position(|facts| facts.iccid == *iccid)?;
        Some(SimView { run: self.clone(), index: Some(index) })
    }

    /// Every modem known.
    pub(crate) fn modems(&self) -> Vec<ModemView> {
        (0..self.0.input.modems.len()).map(|index| ModemView { run: self.clone(), index }).collect()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that was said.
    pub(crate) fn take_said(&self) -> Said {
        std::mem::take(&mut *self.said())
    }

    /// A UTC instant as local time, by the zone's offset now.
    fn local(&self, at: Timestamp) -> LocalTime {
        let shifted = Timestamp::from_millis(at.as_millis().saturating_add(self.0.offset_ms));
        LocalTime(shifted.to_utc().naive_utc())
    }
}

/// Makes everything known to rules.
pub(crate) fn register(engine: &mut Engine) {
    register_constants(engine);
    facts::register(engine);
    occasion::register(engine);
    act::register(engine);
    ended::register(engine);
    fleet::register(engine);
    memory::register(engine);
    remind::register(engine);
    schedule::register(engine);
    Settings::register(engine);
    engine.register_fn("slug", |text: &str| crate::text::slug(text)).register_fn(
        "language",
        |context: NativeCallContext| {
            Run::of(&context).map(|run| ImmutableString::from(run.0.input.language.as_str()))
        },
    );
}

/// Lets functions see the constants of their file. Rhai would put a constant in the place of each variable of its
/// name, those of other functions' parameters included.
#[allow(
    deprecated,
    reason = "not deprecated: Rhai marks it as open to change, and the version is pinned by the lock"
)]
fn register_constants(engine: &mut Engine) {
    engine.on_var(|name, index, context| {
        // Variables of the function itself are found by their index.
        if index > 0 {
            return Ok(None);
        }
        Ok(context.tag().read_lock::<Tag>().and_then(|tag| tag.constants.get(name).cloned()))
    });
}

/// An optional value for a script: absent is `()`.
fn optional<T: Into<Dynamic>>(value: Option<T>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Into::into)
}

macro_rules! into_dynamic {
    ($($type:ty),*) => {$(
        impl From<$type> for Dynamic {
            fn from(value: $type) -> Self {
                // Rhai's own function of this name, which takes any type; not this trait's.
                Self::from::<$type>(value)
            }
        }
    )*};
}

into_dynamic!(
    DataSize,
    Date,
    LocalTime,
    Percent,
    Span,
    SimView,
    WarningView,
    ModemView,
    DeliveryView,
    EndedView,
    facts::CalibrationView,
    facts::CycleView
);
