//! What a story can say: the functions of tests, beside the units and texts that rules have.

use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use simbell_core::action::Permission;
use simbell_core::health::WarningCode;
use simbell_core::ledger::{Volume, Zone};
use simbell_core::schedule::{QuietHours, TimeOfDay};
use simbell_core::time::Timestamp;

use super::history;
use super::plan::{self, bytes, known};
use super::stage::Stage;
use super::story::{Story, TestSim};
use crate::host::Tag;
use crate::manifest::SettingValues;
use crate::problem::nearest;
use crate::rehearsal::{Flow, Rehearsal, RehearsalError, network_code};
use crate::text::short;
use crate::value::{DataSize, Fallible, LocalTime, Percent, Span, fail};

/// The functions, for hints.
pub(super) const NAMES: &[&str] = &[
    "sim",
    "clock",
    "advance",
    "timezone",
    "quiet_hours",
    "language",
    "settings",
    "allow",
    "deny",
    "power_off",
    "power_on",
    "unwell",
    "well",
    "acknowledge",
    "snooze",
    "play",
    "uses",
    "used_before",
    "roams",
    "comes_home",
    "connects",
    "disconnects",
    "loses_modem",
    "modem_returns",
    "changes_to",
    "receives",
    "sends_sms",
    "calls",
    "takes_call",
    "signal",
    "locks",
    "unlocks",
    "corrected",
    "plan",
    "no_plan",
    "plays",
    "expect",
    "expect_equal",
    "expect_reminder",
    "expect_no_reminder",
    "expect_resolved",
    "expect_held",
    "expect_count",
    "expect_action",
    "expect_no_action",
    "used",
    "remaining",
    "share",
    "name",
    "now",
    "date",
    "print",
];

const SIM_KEYS: [&str; 3] = ["plan", "operator", "modem"];

/// Makes the functions known to an engine of tests.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<TestSim>("TestSim");
    world(engine);
    sims(engine);
    super::expect::register(engine);
}

/// The stage of the story that a function was called in.
pub(super) fn stage(context: &NativeCallContext<'_>) -> Fallible<Stage> {
    let stage = context.tag().and_then(|tag| tag.read_lock::<Tag>().and_then(|tag| tag.stage.clone()));
    match stage {
        Some(stage) => Ok(stage),
        None => {
            fail(format!("`{}` can only be called in a test: move it into a function", context.fn_name()))
        }
    }
}

type Ctx<'a> = NativeCallContext<'a>;

fn world(engine: &mut Engine) {
    engine
        .register_fn("sim", |c: Ctx<'_>, name: &str| add_sim(&c, name, Map::new()))
        .register_fn("sim", |c: Ctx<'_>, name: &str, how: Map| add_sim(&c, name, how))
        .register_fn("clock", |c: Ctx<'_>, text: &str| {
            let text = text.to_owned();
            stage(&c)?.play(move |story| story.set_clock(&text))
        })
        .register_fn("advance", |c: Ctx<'_>, span: Span| stage(&c)?.play(move |story| story.advance(span.0)))
        .register_fn("now", |c: Ctx<'_>| {
            stage(&c)?.play(|story| Ok(LocalTime(story.zone().civil(story.now()))))
        })
        .register_fn("timezone", |c: Ctx<'_>, name: &str| {
            let name = name.to_owned();
            stage(&c)?.play(move |story| story.set_zone(&name))
        })
        .register_fn("quiet_hours", |c: Ctx<'_>, from: &str, until: &str| {
            let time = |text: &str| {
                text.parse::<TimeOfDay>().or_else(|error| fail(format!("`{}` {error}", short(text))))
            };
            let quiet = QuietHours { from: time(from)?, until: time(until)? };
            stage(&c)?.play(move |story| story.set_quiet(Some(quiet)))
        })
        .register_fn("language", |c: Ctx<'_>, language: &str| {
            let language = language.to_owned();
            stage(&c)?.play(move |story| story.set_language(&language))
        })
        .register_fn("settings", |c: Ctx<'_>, given: Map| {
            let values = setting_values(&given)?;
            stage(&c)?.play(move |story| story.override_settings(values))
        })
        .register_fn("allow", |c: Ctx<'_>, what: &str| permit(&c, what, false))
        .register_fn("deny", |c: Ctx<'_>, what: &str| permit(&c, what, true))
        .register_fn("power_off", |c: Ctx<'_>| stage(&c)?.play(|story| story.play(Rehearsal::power_off)))
        .register_fn("power_on", |c: Ctx<'_>| stage(&c)?.play(|story| story.play(Rehearsal::power_on)))
        .register_fn("unwell", |c: Ctx<'_>, code: &str| health(&c, code, "", Some("It is unwell.")))
        .register_fn("unwell", |c: Ctx<'_>, code: &str, subject: &str| {
            health(&c, code, subject, Some("It is unwell."))
        })
        .register_fn("well", |c: Ctx<'_>, code: &str| health(&c, code, "", None))
        .register_fn("well", |c: Ctx<'_>, code: &str, subject: &str| health(&c, code, subject, None))
        .register_fn("acknowledge", |c: Ctx<'_>, key: &str| {
            let key = key.to_owned();
            stage(&c)?.play(move |story| {
                let whole = answered(story, &key)?;
                story.play(|world| world.acknowledge(&whole))
            })
        })
        .register_fn("snooze", |c: Ctx<'_>, key: &str, span: Span| {
            let key = key.to_owned();
            stage(&c)?.play(move |story| {
                let whole = answered(story, &key)?;
                story.play(|world| world.snooze(&whole, simbell_core::time::Span(span.0)))
            })
        })
        .register_fn("play", |c: Ctx<'_>, file: &str| {
            let file = file.to_owned();
            stage(&c)?.play(move |story| history::play(story, &file, None))
        });
}

fn answered(story: &Story, key: &str) -> Result<simbell_core::ident::ReminderKey, String> {
    story.whole_key(key, None).ok_or_else(|| format!("no reminder `{}` was raised so far", short(key)))
}

fn add_sim(context: &Ctx<'_>, name: &str, how: Map) -> Fallible<TestSim> {
    known(&how, &SIM_KEYS, "a SIM").or_else(fail)?;
    let name = name.to_owned();
    let operator = how.get("operator").map(Dynamic::to_string);
    let inserted = match how.get("modem").map(Dynamic::as_bool) {
        None => true,
        Some(Ok(inserted)) => inserted,
        Some(Err(_)) => return fail("a SIM's `modem` is true or false: whether it is in one"),
    };
    let plan = match how.get("plan") {
        None => None,
        Some(plan) => match plan.read_lock::<Map>() {
            Some(plan) => Some(plan.clone()),
            None => return fail("a SIM's `plan` is such as #{ data: \"10 GB\", every: \"month\" }"),
        },
    };
    stage(context)?.play(move |story| {
        let today = story.zone().date(story.now());
        let plan = plan.map(|plan| plan::read(&plan, &name, today)).transpose()?;
        story.add_sim(&name, plan, operator, inserted)
    })
}

fn permit(context: &Ctx<'_>, what: &str, denied: bool) -> Fallible<()> {
    match what.parse::<Permission>() {
        Ok(what) => stage(context)?.play(move |story| story.deny(what, denied)),
        Err(error) => fail(format!("`{}` {error}", short(what))),
    }
}

fn health(context: &Ctx<'_>, code: &str, subject: &str, text: Option<&'static str>) -> Fallible<()> {
    let found = match serde_json::from_value::<WarningCode>(serde_json::Value::from(code)) {
        Ok(found) => found,
        Err(error) => {
            // It lists them, each in back quotes.
            let error = error.to_string();
            let codes = error.split('`').skip(3).step_by(2);
            let hint =
                nearest(code, codes).map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
            return fail(format!("there is no warning `{}`{hint}", short(code)));
        }
    };
    let subject = subject.to_owned();
    stage(context)?.play(move |story| story.play(|world| world.health(found, &subject, text)))
}

/// Settings of the plugin as the configuration would write them.
fn setting_values(given: &Map) -> Fallible<SettingValues> {
    let mut values = SettingValues::new();
    for (name, value) in given {
        values.insert(name.to_string(), setting(value)?);
    }
    Ok(values)
}

fn setting(value: &Dynamic) -> Fallible<serde_json::Value> {
    use serde_json::Value;
    if let Some(list) = value.read_lock::<Array>() {
        return list.iter().map(setting).collect::<Fallible<Vec<_>>>().map(Value::from);
    }
    if let Some(size) = value.read_lock::<DataSize>() {
        return Ok(Value::from(format!("{} B", size.value.round())));
    }
    if let Some(span) = value.read_lock::<Span>() {
        return Ok(Value::from(format!("{} seconds", span.0 / 1_000)));
    }
    if let Some(share) = value.read_lock::<Percent>() {
        return Ok(Value::from(format!("{}%", share.value.normalize())));
    }
    if let Ok(number) = value.as_decimal() {
        return Ok(Value::from(number.normalize().to_string()));
    }
    match (value.as_bool(), value.as_int(), value.as_immutable_string_ref()) {
        (Ok(yes), ..) => Ok(Value::from(yes)),
        (_, Ok(number), _) => Ok(Value::from(number)),
        (.., Ok(text)) => Ok(Value::from(text.as_str())),
        _ => fail(format!("a setting cannot be {}", value.type_name())),
    }
}

/// Does something to a SIM's world.
fn act(
    context: &Ctx<'_>,
    sim: &TestSim,
    what: impl FnOnce(&mut Rehearsal, &TestSim) -> Result<(), RehearsalError> + Send + 'static,
) -> Fallible<TestSim> {
    let sim = sim.clone();
    stage(context)?.play(move |story| story.play(|world| what(world, &sim)).map(|()| sim))
}

fn sims(engine: &mut Engine) {
    engine
        .register_fn("uses", |c: Ctx<'_>, sim: &mut TestSim, size: DataSize| uses(&c, sim, size, Span(0)))
        .register_fn("uses", |c: Ctx<'_>, sim: &mut TestSim, size: DataSize, span: Span| {
            uses(&c, sim, size, span)
        })
        .register_fn("used_before", |c: Ctx<'_>, sim: &mut TestSim, size: DataSize| {
            let amount = amount(&size)?;
            act(&c, sim, move |world, sim| {
                let at = cycle_start(world, sim);
                world.add_history(&sim.iccid, at, Zone::Home, Volume { rx: amount, tx: 0 });
                world.history_added()
            })
        })
        .register_fn("roams", |c: Ctx<'_>, sim: &mut TestSim| {
            act(&c, sim, |world, sim| world.place(&sim.iccid, Zone::Roaming(None), None))
        })
        .register_fn("roams", |c: Ctx<'_>, sim: &mut TestSim, network: &str| {
            let network = network.to_owned();
            act(&c, sim, move |world, sim| {
                let code = network_code(&network)?;
                world.place(&sim.iccid, Zone::Roaming(Some(code)), Some(&network))
            })
        })
        .register_fn("comes_home", |c: Ctx<'_>, sim: &mut TestSim| {
            act(&c, sim, |world, sim| world.place(&sim.iccid, Zone::Home, None))
        })
        .register_fn("connects", |c: Ctx<'_>, sim: &mut TestSim| {
            act(&c, sim, |w, sim| w.connect(&sim.iccid, true))
        })
        .register_fn("disconnects", |c: Ctx<'_>, sim: &mut TestSim| {
            act(&c, sim, |world, sim| world.connect(&sim.iccid, false))
        })
        .register_fn("loses_modem", |c: Ctx<'_>, sim: &mut TestSim| {
            act(&c, sim, |w, sim| w.lose_modem(&sim.iccid))
        })
        .register_fn("modem_returns", |c: Ctx<'_>, sim: &mut TestSim| {
            act(&c, sim, |world, sim| world.bring_back_modem(&sim.iccid))
        })
        .register_fn("changes_to", |c: Ctx<'_>, sim: &mut TestSim, other: TestSim| {
            act(&c, sim, move |world, sim| world.swap(&sim.iccid, &other.iccid))
        })
        .register_fn("receives", |c: Ctx<'_>, sim: &mut TestSim, number: &str, text: &str| {
            let (number, text) = (number.to_owned(), text.to_owned());
            act(&c, sim, move |world, sim| world.receive_sms(&sim.iccid, &number, &text))
        })
        .register_fn("sends_sms", |c: Ctx<'_>, sim: &mut TestSim, number: &str| {
            let number = number.to_owned();
            act(&c, sim, move |world, sim| world.send_sms(&sim.iccid, &number, 1))
        })
        .register_fn("calls", |c: Ctx<'_>, sim: &mut TestSim, number: &str, span: Span| {
            let number = number.to_owned();
            let span = simbell_core::time::Span(span.0);
            act(&c, sim, move |world, sim| world.call(&sim.iccid, &number, false, span))
        })
        .register_fn("takes_call", |c: Ctx<'_>, sim: &mut TestSim, number: &str, span: Span| {
            let number = number.to_owned();
            let span = simbell_core::time::Span(span.0);
            act(&c, sim, move |world, sim| world.call(&sim.iccid, &number, true, span))
        })
        .register_fn("signal", |c: Ctx<'_>, sim: &mut TestSim, share: Percent| {
            let percent = share.value.round().to_u8().filter(|percent| *percent <= 100);
            let Some(percent) = percent else { return fail("a signal is 0.percent to 100.percent") };
            act(&c, sim, move |world, sim| world.signal(&sim.iccid, percent))
        })
        .register_fn("locks", |c: Ctx<'_>, sim: &mut TestSim| act(&c, sim, |w, sim| w.lock(&sim.iccid, true)))
        .register_fn("unlocks", |c: Ctx<'_>, sim: &mut TestSim| {
            act(&c, sim, |w, sim| w.lock(&sim.iccid, false))
        })
        .register_fn("corrected", |c: Ctx<'_>, sim: &mut TestSim, size: DataSize| {
            let Some(target) = size.value.round().to_u64() else { return fail("usage is 0 or more") };
            act(&c, sim, move |world, sim| {
                let bytes = world.state().correction_to(&sim.iccid, target).unwrap_or_default();
                world.correct(&sim.iccid, bytes)
            })
        })
        .register_fn("plan", |c: Ctx<'_>, sim: &mut TestSim, plan: Map| {
            let sim = sim.clone();
            stage(&c)?.play(move |story| {
                let plan = plan::read(&plan, &sim.name, story.zone().date(story.now()))?;
                story.set_plan(&sim, Some(plan))
            })
        })
        .register_fn("no_plan", |c: Ctx<'_>, sim: &mut TestSim| {
            let sim = sim.clone();
            stage(&c)?.play(move |story| story.set_plan(&sim, None))
        })
        .register_fn("plays", |c: Ctx<'_>, sim: &mut TestSim, file: &str| {
            let (sim, file) = (sim.clone(), file.to_owned());
            stage(&c)?.play(move |story| history::play(story, &file, Some(&sim)))
        })
        // Rhai calls a getter without the call's context: what a SIM used is asked for as functions are.
        .register_fn("used", |c: Ctx<'_>, sim: &mut TestSim| figure(&c, sim, |facts| Some(facts.used_bytes)))
        .register_fn("remaining", |c: Ctx<'_>, sim: &mut TestSim| {
            figure(&c, sim, |facts| facts.remaining_bytes)
        })
        .register_fn("share", |c: Ctx<'_>, sim: &mut TestSim| {
            let sim = sim.clone();
            let share =
                stage(&c)?.ask(move |story| story.facts(&sim.iccid).and_then(|facts| facts.used_share));
            let percent = share.flatten().and_then(|share| share.checked_mul(Decimal::ONE_HUNDRED));
            Ok::<_, Box<rhai::EvalAltResult>>(
                percent.map_or(Dynamic::UNIT, |percent| Percent::fixed(percent).into()),
            )
        })
        .register_get("name", |sim: &mut TestSim| ImmutableString::from(sim.name.as_str()));
}

fn figure(
    context: &Ctx<'_>,
    sim: &TestSim,
    which: impl FnOnce(simbell_core::view::SimFacts) -> Option<u64> + Send + 'static,
) -> Fallible<Dynamic> {
    let sim = sim.clone();
    let figure = stage(context)?.ask(move |story| story.facts(&sim.iccid).and_then(which)).flatten();
    Ok(figure.map_or(Dynamic::UNIT, |bytes| DataSize::fixed(Decimal::from(bytes)).into()))
}

fn cycle_start(world: &Rehearsal, sim: &TestSim) -> Timestamp {
    let known = world.state().sims().find(|known| known.record.iccid == sim.iccid);
    known.and_then(|known| known.bounds).map_or_else(|| world.now(), |(start, _)| start)
}

fn amount(size: &DataSize) -> Fallible<u64> {
    bytes(&Dynamic::from(*size)).map_or_else(|| fail("usage is 0 or more, and fits into 64 bits"), Ok)
}

/// Nine parts of ten are received, as is usual.
fn uses(context: &Ctx<'_>, sim: &TestSim, size: DataSize, span: Span) -> Fallible<TestSim> {
    let bytes = amount(&size)?;
    let tx = bytes / 10;
    let volume = Volume { rx: bytes.saturating_sub(tx), tx };
    act(context, sim, move |world, sim| {
        let until = world.now().saturating_add(simbell_core::time::Span(span.0));
        world.flow(&[Flow { iccid: sim.iccid.clone(), zone: None, volume }], until)
    })
}
