//! What rules can see and say: the functions and objects of the rule language, version 1.

mod act;
mod ended;
mod facts;
mod fleet;
mod memory;
mod occasion;
mod remind;
mod schedule;
mod texts;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};
use simbell_core::action::ActionRequest;
use simbell_core::ident::Iccid;
use simbell_core::memory::Memory;
use simbell_core::reminder::Finding;
use simbell_core::time::Timestamp;
use simbell_core::view::{RuleInput, Sight, Trigger};

use crate::limits::Limits;
use crate::modules::ModuleConstants;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::texts::Texts;
use crate::value::{DataSize, Date, Fallible, LocalTime, Percent, Span, fail};

pub(crate) use ended::EndedView;
pub(crate) use facts::{SimView, SmsFacts, WarningView};
use fleet::{DeliveryView, ModemView};
pub(crate) use memory::changed;
pub(crate) use schedule::Schedule;

/// Registers a type and its read-only properties: the name that rules see and what it is; then for each property its
/// name, its type (with `?` where it may be absent), and one line.
macro_rules! properties {
    ($register:ident, $type:ty, $shown:literal, $doc:literal, {
        $($name:literal: $of:literal, $line:literal => $getter:expr,)*
    }) => {
        fn $register(registry: &mut $crate::registry::Registry<'_>) {
            registry.kind::<$type>($shown, $doc)$(.property($name, $of, $line, $getter))*;
        }
    };
}
pub(crate) use properties;

/// The constants of a rule by name, its settings among them.
pub(crate) type Constants = Arc<BTreeMap<String, Dynamic>>;

/// What goes along with each call of a script: Rhai's functions see neither the file's constants nor the input.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tag {
    pub(crate) constants: Constants,
    /// Those of the modules that it uses.
    pub(crate) modules: ModuleConstants,
    pub(crate) texts: Texts,
    /// The evaluation; none while a file is loaded.
    pub(crate) run: Option<Run>,
    /// The story that is told; none but in tests.
    pub(crate) stage: Option<crate::trial::Stage<crate::trial::Story>>,
    /// The channel that is tried; none but in tests of channels.
    pub(crate) desk: Option<crate::trial::Stage<crate::trial::Desk>>,
}

/// One evaluation: what it sees, and what it has found so far. Rules reach it only through host functions.
#[derive(Debug, Clone)]
pub(crate) struct Run(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    input: Arc<RuleInput>,
    /// The zone's offset from UTC now, in milliseconds: few rules need it.
    offset_ms: OnceLock<i64>,
    schedule: Option<(usize, Timestamp)>,
    kind: &'static str,
    limits: Limits,
    memory: Arc<Memory>,
    said: Mutex<Said>,
    sight: Mutex<Sight>,
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
            offset_ms: OnceLock::new(),
            schedule,
            kind: trigger.kind(),
            limits: *limits,
            memory: Arc::clone(memory),
            said: Mutex::default(),
            sight: Mutex::new(Sight::NOTHING),
        }))
    }

    /// The run that a host function was called in.
    fn of(context: &NativeCallContext) -> Fallible<Self> {
        let run = context.tag().and_then(|tag| tag.read_lock::<Tag>().and_then(|tag| tag.run.clone()));
        match run {
            Some(run) => Ok(run),
            None => fail(format!(
                "`{}` can only be called while a hook runs\nmove it into a hook, such as `fn on_usage(sim) {{ … }}`",
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
        self.looks(|sight| sight.sims = true);
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
        // Each tells the name of its SIM.
        self.looks(|sight| (sight.sims, sight.modems) = (true, true));
        (0..self.0.input.modems.len()).map(|index| ModemView { run: self.clone(), index }).collect()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn looks(&self, at: impl FnOnce(&mut Sight)) {
        at(&mut self.0.sight.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What it looked at.
    pub(crate) fn sight(&self) -> Sight {
        *self.0.sight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that was said.
    pub(crate) fn take_said(&self) -> Said {
        std::mem::take(&mut *self.said())
    }

    /// A UTC instant as local time, by the zone's offset now.
    fn local(&self, at: Timestamp) -> LocalTime {
        let offset_ms = *self.0.offset_ms.get_or_init(|| facts::offset_ms(&self.0.input.now));
        let shifted = Timestamp::from_millis(at.as_millis().saturating_add(offset_ms));
        LocalTime(shifted.to_utc().naive_utc())
    }
}

/// Makes everything known to rules.
pub(crate) fn register(registry: &mut Registry<'_>) {
    register_constants(registry.engine());
    remind::register(registry.section("Reminders"));
    texts::register(registry);
    act::register(registry.section("Actions"));
    memory::register(registry.section("Memory"));
    schedule::register(registry.section("Schedules"));
    registry.section("What is known");
    facts::register(registry);
    occasion::register(registry);
    ended::register(registry);
    fleet::register(registry);
    Settings::register(registry);
    registry
        .function(
            "language() -> string",
            "language()",
            "The language of texts: \"en\", \"zh\".",
            |context: NativeCallContext| {
                Run::of(&context).map(|run| ImmutableString::from(run.0.input.language.as_str()))
            },
        )
        .section("Reminders")
        .function(
            "slug(text: string) -> string",
            "slug(\"any text\")",
            "Any text as a part of a key: small letters, digits, `.`, `_` and `-`, 40 at most; unlike texts stay apart.",
            |text: &str| crate::text::slug(text),
        );
}

/// Lets functions see the constants of their file. Rhai would put a constant in the place of each variable of its
/// name, those of other functions' parameters included.
#[allow(
    deprecated,
    reason = "not deprecated: Rhai marks it as open to change, and the version is pinned by the lock"
)]
pub(crate) fn register_constants(engine: &mut Engine) {
    engine.on_var(|name, index, context| {
        // Variables of the function itself are found by their index.
        if index > 0 {
            return Ok(None);
        }
        Ok(context.tag().read_lock::<Tag>().and_then(|tag| {
            // What a module's functions see are the constants of their own file.
            let constants = match context.source() {
                None => &tag.constants,
                Some(module) => tag.modules.get(module)?,
            };
            constants.get(name).cloned()
        }))
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
    facts::CycleView,
    facts::PlanView
);
