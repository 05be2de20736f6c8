//! One run of one rule.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, Scope};
use simbell_core::memory::Memory;
use simbell_core::view::{RuleInput, Sight, Trigger};
use simbell_core::watch::Watch;

use crate::compile::{Compiled, Hook};
use crate::host::{EndedView, Run, Said, SmsFacts};
use crate::limits::Limits;
use crate::meter::{RunMeter, Stats};
use crate::problem::{Problem, Source};
use crate::value::{self, Seen};

/// What came of a run.
pub(crate) struct Evaluated {
    /// Nothing where it failed: half of it would be a guess.
    pub(crate) said: Said,
    pub(crate) failure: Option<Failure>,
    pub(crate) stats: Stats,
    pub(crate) watch: Watch,
    pub(crate) sight: Sight,
}

/// Why a run failed.
pub(crate) enum Failure {
    /// The script raised an error or met a limit, in this hook.
    Script(Box<EvalAltResult>, &'static str),
    /// Something in the program itself panicked.
    Panic(String),
}

impl Failure {
    pub(crate) fn problem(&self, source: &Source<'_>, functions: &[String]) -> Problem {
        match self {
            Self::Script(error, hook) => source.run_in(hook, error, functions),
            Self::Panic(text) => source
                .problem(None, format!("the program panicked while it ran this rule: {text}"))
                .hint("this is a fault of the service, not of the rule: please report it".to_owned()),
        }
    }
}

/// Calls every hook of the rule that answers the trigger.
pub(crate) fn run(
    engine: &Engine,
    limits: &Limits,
    compiled: &Compiled,
    trigger: &Trigger,
    input: &Arc<RuleInput>,
    memory: &Arc<Memory>,
) -> Evaluated {
    let meter = RunMeter::start(limits);
    let run = Run::new(input, memory, trigger, limits);
    let tag = compiled.parts.tag(compiled.texts.clone(), Some(run.clone()));
    let mut failure = None;
    value::begin();
    for hook in compiled.hooks.iter().filter(|hook| hook.trigger == trigger.kind()) {
        let Some(arguments) = arguments(*hook, trigger, &run, input) else {
            continue;
        };
        let options = compiled.parts.options(tag.clone());
        let called = guarded(|| {
            let mut scope = Scope::new();
            engine
                .call_fn_with_options::<Dynamic>(
                    options,
                    &mut scope,
                    &compiled.parts.ast,
                    hook.name,
                    arguments,
                )
                .map(drop)
        });
        failure = match called {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Failure::Script(error, hook.name)),
            Err(text) => Some(Failure::Panic(text)),
        };
        if failure.is_some() {
            break;
        }
    }
    let stats = meter.finish();
    let said = if failure.is_some() { Said::default() } else { run.take_said() };
    let watch = watch(value::seen(), input);
    Evaluated { said, failure, stats, watch, sight: run.sight() }
}

/// At which usage the rule is to be asked again.
fn watch(seen: Seen, input: &RuleInput) -> Watch {
    let used = input.sim.as_ref().map_or(0, |facts| facts.used_bytes);
    Watch { at: seen.nearest.and_then(|more| used.checked_add(more)), unknown: seen.lost }
}

/// Calls the first hook that answers the trigger with nothing around it, and says whether there was one.
pub(crate) fn bare(
    engine: &Engine,
    limits: &Limits,
    compiled: &Compiled,
    trigger: &Trigger,
    input: &Arc<RuleInput>,
) -> bool {
    let run = Run::new(input, &Arc::default(), trigger, limits);
    let tag = compiled.parts.tag(compiled.texts.clone(), Some(run.clone()));
    let hook = compiled.hooks.iter().find(|hook| hook.trigger == trigger.kind());
    let Some((hook, arguments)) = hook.and_then(|hook| Some((hook, arguments(*hook, trigger, &run, input)?)))
    else {
        return false;
    };
    let options = compiled.parts.options(tag);
    engine
        .call_fn_with_options::<Dynamic>(
            options,
            &mut Scope::new(),
            &compiled.parts.ast,
            hook.name,
            arguments,
        )
        .is_ok()
}

/// What the hook is called with; none where it does not answer this occasion.
fn arguments(hook: Hook, trigger: &Trigger, run: &Run, input: &RuleInput) -> Option<Vec<Dynamic>> {
    match (hook.name, hook.arity, trigger) {
        ("on_sms", 1, Trigger::Sms { sms, .. }) => Some(vec![Dynamic::from(SmsFacts::new(sms))]),
        ("on_sms", 2, Trigger::Sms { sms, .. }) => {
            Some(vec![run.sim()?.into(), Dynamic::from(SmsFacts::new(sms))])
        }
        ("on_health", ..) => {
            Some(vec![run.warnings().into_iter().map(Dynamic::from).collect::<Vec<_>>().into()])
        }
        ("on_modems", ..) => {
            Some(vec![run.modems().into_iter().map(Dynamic::from).collect::<Vec<_>>().into()])
        }
        ("on_cycle_end", _, Trigger::CycleEnded { ended, .. }) => {
            Some(vec![run.sim()?.into(), EndedView(ended.clone()).into()])
        }
        ("on_sim_change", _, Trigger::SimChanged { before, .. }) => {
            let before = run.sim_of(before).map_or(Dynamic::UNIT, Dynamic::from);
            Some(vec![run.sim()?.into(), before])
        }
        // Asked for each SIM, and answered for the first: a hook without a SIM is called once an occasion.
        ("on_schedule", 0, _) => {
            let first = input.sims.first().map(|facts| &facts.iccid);
            let own = input.sim.as_ref().map(|facts| &facts.iccid);
            (own.is_none() || own == first).then(Vec::new)
        }
        _ => Some(vec![run.sim()?.into()]),
    }
}

/// Runs `call`, and gives a panic's message instead of unwinding further. What the call touched is either its own
/// and gone, or an engine that holds no half-made state between calls.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| said(payload.as_ref()))
}

fn said(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[test]
    fn a_panic_becomes_a_message() {
        assert_eq!(guarded(|| 5), Ok(5));
        assert_eq!(guarded(|| -> i32 { panic!("number {}", 7) }), Err("number 7".to_owned()));
    }
}
