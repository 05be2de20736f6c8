//! What a story can say: the functions of tests, beside the units and texts that rules have.

use std::sync::OnceLock;

use rhai::{Array, Dynamic, ImmutableString, Map, NativeCallContext};
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
use crate::registry::{Book, Registry};
use crate::rehearsal::{Flow, Rehearsal, RehearsalError, network_code};
use crate::text::short;
use crate::value::{DataSize, Fallible, LocalTime, Percent, Span, fail};

const SIM_KEYS: [&str; 3] = ["plan", "operator", "modem"];

/// Makes the functions known to an engine of tests.
pub(crate) fn register(registry: &mut Registry<'_>) {
    registry.kind::<TestSim>("TestSim", "A SIM of the story.");
    world(registry.section("Tests: the world"));
    sims(registry.section("Tests: a SIM"));
    super::expect::register(registry.section("Tests: expectations"));
}

/// The functions, for hints and the reference: made when the first one needs them.
pub(crate) fn book() -> &'static Book {
    static BOOK: OnceLock<Book> = OnceLock::new();
    Book::kept(&BOOK, register)
}

/// The stage of the story that a function was called in.
pub(super) fn stage(context: &NativeCallContext<'_>) -> Fallible<Stage<Story>> {
    let stage = context.tag().and_then(|tag| tag.read_lock::<Tag>().and_then(|tag| tag.stage.clone()));
    match stage {
        Some(stage) => Ok(stage),
        None => not_in_a_test(context),
    }
}

/// What is said of a call at the top of the file.
pub(super) fn not_in_a_test<T>(context: &NativeCallContext<'_>) -> Fallible<T> {
    fail(format!("`{}` can only be called in a test: move it into a function", context.fn_name()))
}

type Ctx<'a> = NativeCallContext<'a>;

fn world(registry: &mut Registry<'_>) {
    registry
        .function(
            "sim(name: string) -> TestSim",
            "sim(\"home\")",
            "A SIM in a modem, connected, without a plan.",
            |c: Ctx<'_>, name: &str| add_sim(&c, name, Map::new()),
        )
        .function(
            "sim(name: string, how: map) -> TestSim",
            "sim(\"home\", #{ plan: #{ data: \"10 GB\", every: \"month\" } })",
            "A SIM with a plan, `operator`, or `modem: false` where it is in none.",
            |c: Ctx<'_>, name: &str, how: Map| add_sim(&c, name, how),
        )
        .function(
            "clock(time: string)",
            "clock(\"2026-11-20 07:00\")",
            "The story goes on at that time; `\"07:00\"` is the next one.",
            |c: Ctx<'_>, text: &str| {
                let text = text.to_owned();
                stage(&c)?.play(move |story| story.set_clock(&text))
            },
        )
        .function(
            "advance(span: Span)",
            "advance(1.day)",
            "The story goes on so much later.",
            |c: Ctx<'_>, span: Span| stage(&c)?.play(move |story| story.advance(span.0)),
        )
        .function("now() -> LocalTime", "now()", "The time of the story.", |c: Ctx<'_>| {
            stage(&c)?.play(|story| Ok(LocalTime(story.zone().civil(story.now()))))
        })
        .function(
            "timezone(name: string)",
            "timezone(\"Asia/Shanghai\")",
            "The time zone of the story.",
            |c: Ctx<'_>, name: &str| {
                let name = name.to_owned();
                stage(&c)?.play(move |story| story.set_zone(&name))
            },
        )
        .function(
            "quiet_hours(from: string, end: string)",
            "quiet_hours(\"22:00\", \"07:00\")",
            "Hours in which only critical reminders are said.",
            |c: Ctx<'_>, from: &str, until: &str| {
                let time = |text: &str| {
                    text.parse::<TimeOfDay>().or_else(|error| fail(format!("`{}` {error}", short(text))))
                };
                let quiet = QuietHours { from: time(from)?, until: time(until)? };
                stage(&c)?.play(move |story| story.set_quiet(Some(quiet)))
            },
        )
        .function(
            "language(language: string)",
            "language(\"zh\")",
            "The language of texts.",
            |c: Ctx<'_>, language: &str| {
                let language = language.to_owned();
                stage(&c)?.play(move |story| story.set_language(&language))
            },
        )
        .function(
            "settings(given: map)",
            "settings(#{ thresholds: [50, 90] })",
            "Settings of the plugin, as the configuration gives them.",
            |c: Ctx<'_>, given: Map| {
                let values = setting_values(&given)?;
                stage(&c)?.play(move |story| story.override_settings(values))
            },
        )
        .function(
            "allow(action: string)",
            "allow(\"send-sms\")",
            "The rule may do that, as is so unless it is denied.",
            |c: Ctx<'_>, what: &str| permit(&c, what, false),
        )
        .function(
            "deny(action: string)",
            "deny(\"send-sms\")",
            "The rule may not do that.",
            |c: Ctx<'_>, what: &str| permit(&c, what, true),
        )
        .function(
            "power_off()",
            "power_off()",
            "The power goes: what was not written yet is lost.",
            |c: Ctx<'_>| stage(&c)?.play(|story| story.play(Rehearsal::power_off)),
        )
        .function("power_on()", "power_on()", "The power is back, and the service starts.", |c: Ctx<'_>| {
            stage(&c)?.play(|story| story.play(Rehearsal::power_on))
        })
        .function(
            "unwell(code: string)",
            "unwell(\"modemmanager-gone\")",
            "Something about the service itself goes wrong.",
            |c: Ctx<'_>, code: &str| health(&c, code, "", Some("It is unwell.")),
        )
        .function(
            "unwell(code: string, subject: string)",
            "unwell(\"channel-failing\", \"mail\")",
            "The same of one thing.",
            |c: Ctx<'_>, code: &str, subject: &str| health(&c, code, subject, Some("It is unwell.")),
        )
        .function(
            "well(code: string)",
            "well(\"modemmanager-gone\")",
            "It is well again.",
            |c: Ctx<'_>, code: &str| health(&c, code, "", None),
        )
        .function(
            "well(code: string, subject: string)",
            "well(\"channel-failing\", \"mail\")",
            "That one thing is well again.",
            |c: Ctx<'_>, code: &str, subject: &str| health(&c, code, subject, None),
        )
        .function(
            "acknowledge(key: string)",
            "acknowledge(\"data-80\")",
            "Somebody has seen the reminder.",
            |c: Ctx<'_>, key: &str| {
                let key = key.to_owned();
                stage(&c)?.play(move |story| {
                    let whole = answered(story, &key)?;
                    story.play(|world| world.acknowledge(&whole))
                })
            },
        )
        .function(
            "snooze(key: string, span: Span)",
            "snooze(\"data-80\", 1.hour)",
            "Somebody puts the reminder off.",
            |c: Ctx<'_>, key: &str, span: Span| {
                let key = key.to_owned();
                stage(&c)?.play(move |story| {
                    let whole = answered(story, &key)?;
                    story.play(|world| world.snooze(&whole, simbell_core::time::Span(span.0)))
                })
            },
        )
        .function(
            "play(file: string)",
            "play(\"usage.csv\")",
            "Plays recorded usage of several SIMs from a file beside the tests.",
            |c: Ctx<'_>, file: &str| {
                let file = file.to_owned();
                stage(&c)?.play(move |story| history::play(story, &file, None))
            },
        );
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

pub(super) fn setting(value: &Dynamic) -> Fallible<serde_json::Value> {
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

fn sims(registry: &mut Registry<'_>) {
    registry
        .function(
            "uses(sim: TestSim, size: DataSize) -> TestSim",
            "home.uses(8.GB)",
            "The SIM uses data, at once.",
            |c: Ctx<'_>, sim: &mut TestSim, size: DataSize| uses(&c, sim, size, Span(0)),
        )
        .function(
            "uses(sim: TestSim, size: DataSize, span: Span) -> TestSim",
            "home.uses(8.GB, 3.days)",
            "The SIM uses data evenly over a span.",
            |c: Ctx<'_>, sim: &mut TestSim, size: DataSize, span: Span| uses(&c, sim, size, span),
        )
        .function(
            "used_before(sim: TestSim, size: DataSize) -> TestSim",
            "home.used_before(2.GB)",
            "Data that was used in this cycle before the story.",
            |c: Ctx<'_>, sim: &mut TestSim, size: DataSize| {
                let amount = amount(&size)?;
                act(&c, sim, move |world, sim| {
                    let at = cycle_start(world, sim);
                    world.add_history(&sim.iccid, at, Zone::Home, Volume { rx: amount, tx: 0 });
                    world.history_added()
                })
            },
        )
        .function(
            "roams(sim: TestSim) -> TestSim",
            "home.roams()",
            "The SIM roams.",
            |c: Ctx<'_>, sim: &mut TestSim| {
                act(&c, sim, |world, sim| world.place(&sim.iccid, Zone::Roaming(None), None))
            },
        )
        .function(
            "roams(sim: TestSim, network: string) -> TestSim",
            "home.roams(\"Visited\")",
            "The SIM roams in that network.",
            |c: Ctx<'_>, sim: &mut TestSim, network: &str| {
                let network = network.to_owned();
                act(&c, sim, move |world, sim| {
                    let code = network_code(&network)?;
                    world.place(&sim.iccid, Zone::Roaming(Some(code)), Some(&network))
                })
            },
        )
        .function(
            "comes_home(sim: TestSim) -> TestSim",
            "home.comes_home()",
            "The SIM is in its own network again.",
            |c: Ctx<'_>, sim: &mut TestSim| {
                act(&c, sim, |world, sim| world.place(&sim.iccid, Zone::Home, None))
            },
        )
        .function(
            "connects(sim: TestSim) -> TestSim",
            "home.connects()",
            "The SIM's modem connects.",
            |c: Ctx<'_>, sim: &mut TestSim| act(&c, sim, |w, sim| w.connect(&sim.iccid, true)),
        )
        .function(
            "disconnects(sim: TestSim) -> TestSim",
            "home.disconnects()",
            "The SIM's modem disconnects.",
            |c: Ctx<'_>, sim: &mut TestSim| act(&c, sim, |world, sim| world.connect(&sim.iccid, false)),
        )
        .function(
            "loses_modem(sim: TestSim) -> TestSim",
            "home.loses_modem()",
            "The SIM's modem is gone.",
            |c: Ctx<'_>, sim: &mut TestSim| act(&c, sim, |w, sim| w.lose_modem(&sim.iccid)),
        )
        .function(
            "modem_returns(sim: TestSim) -> TestSim",
            "home.modem_returns()",
            "The SIM's modem is back.",
            |c: Ctx<'_>, sim: &mut TestSim| act(&c, sim, |world, sim| world.bring_back_modem(&sim.iccid)),
        )
        .function(
            "changes_to(sim: TestSim, other: TestSim) -> TestSim",
            "home.changes_to(travel)",
            "The modem uses another SIM instead.",
            |c: Ctx<'_>, sim: &mut TestSim, other: TestSim| {
                act(&c, sim, move |world, sim| world.swap(&sim.iccid, &other.iccid))
            },
        )
        .function(
            "receives(sim: TestSim, number: string, text: string) -> TestSim",
            "home.receives(\"10086\", \"Balance: 5 EUR\")",
            "A short message comes in.",
            |c: Ctx<'_>, sim: &mut TestSim, number: &str, text: &str| {
                let (number, text) = (number.to_owned(), text.to_owned());
                act(&c, sim, move |world, sim| world.receive_sms(&sim.iccid, &number, &text))
            },
        )
        .function(
            "sends_sms(sim: TestSim, number: string) -> TestSim",
            "home.sends_sms(\"10086\")",
            "A short message is sent.",
            |c: Ctx<'_>, sim: &mut TestSim, number: &str| {
                let number = number.to_owned();
                act(&c, sim, move |world, sim| world.send_sms(&sim.iccid, &number, 1))
            },
        )
        .function(
            "calls(sim: TestSim, number: string, span: Span) -> TestSim",
            "home.calls(\"+4930123\", 5.minutes)",
            "Somebody is called for so long.",
            |c: Ctx<'_>, sim: &mut TestSim, number: &str, span: Span| {
                let number = number.to_owned();
                let span = simbell_core::time::Span(span.0);
                act(&c, sim, move |world, sim| world.call(&sim.iccid, &number, false, span))
            },
        )
        .function(
            "takes_call(sim: TestSim, number: string, span: Span) -> TestSim",
            "home.takes_call(\"+4930123\", 5.minutes)",
            "A call is taken, which lasts so long.",
            |c: Ctx<'_>, sim: &mut TestSim, number: &str, span: Span| {
                let number = number.to_owned();
                let span = simbell_core::time::Span(span.0);
                act(&c, sim, move |world, sim| world.call(&sim.iccid, &number, true, span))
            },
        )
        .function(
            "signal(sim: TestSim, share: Percent) -> TestSim",
            "home.signal(20.percent)",
            "The strength of the signal changes.",
            |c: Ctx<'_>, sim: &mut TestSim, share: Percent| {
                let percent = share.value.round().to_u8().filter(|percent| *percent <= 100);
                let Some(percent) = percent else { return fail("a signal is 0.percent to 100.percent") };
                act(&c, sim, move |world, sim| world.signal(&sim.iccid, percent))
            },
        )
        .function(
            "locks(sim: TestSim) -> TestSim",
            "home.locks()",
            "The modem asks for the PIN.",
            |c: Ctx<'_>, sim: &mut TestSim| act(&c, sim, |w, sim| w.lock(&sim.iccid, true)),
        )
        .function(
            "unlocks(sim: TestSim) -> TestSim",
            "home.unlocks()",
            "The PIN is given.",
            |c: Ctx<'_>, sim: &mut TestSim| act(&c, sim, |w, sim| w.lock(&sim.iccid, false)),
        )
        .function(
            "corrected(sim: TestSim, size: DataSize) -> TestSim",
            "home.corrected(9.GB)",
            "Somebody corrects what was used to what the operator says.",
            |c: Ctx<'_>, sim: &mut TestSim, size: DataSize| {
                let Some(target) = size.value.round().to_u64() else { return fail("usage is 0 or more") };
                act(&c, sim, move |world, sim| {
                    let bytes = world.state().correction_to(&sim.iccid, target).unwrap_or_default();
                    world.correct(&sim.iccid, bytes)
                })
            },
        )
        .function(
            "plan(sim: TestSim, plan: map)",
            "home.plan(#{ data: \"20 GB\", every: \"month\" })",
            "The SIM has another plan from now on.",
            |c: Ctx<'_>, sim: &mut TestSim, plan: Map| {
                let sim = sim.clone();
                stage(&c)?.play(move |story| {
                    let plan = plan::read(&plan, &sim.name, story.zone().date(story.now()))?;
                    story.set_plan(&sim, Some(plan))
                })
            },
        )
        .function(
            "no_plan(sim: TestSim)",
            "home.no_plan()",
            "The SIM has no plan from now on.",
            |c: Ctx<'_>, sim: &mut TestSim| {
                let sim = sim.clone();
                stage(&c)?.play(move |story| story.set_plan(&sim, None))
            },
        )
        .function(
            "plays(sim: TestSim, file: string)",
            "home.plays(\"usage.csv\")",
            "Plays recorded usage of one SIM from a file beside the tests.",
            |c: Ctx<'_>, sim: &mut TestSim, file: &str| {
                let (sim, file) = (sim.clone(), file.to_owned());
                stage(&c)?.play(move |story| history::play(story, &file, Some(&sim)))
            },
        )
        // Rhai calls a getter without the call's context: what a SIM used is asked for as functions are.
        .function(
            "used(sim: TestSim) -> DataSize?",
            "home.used()",
            "What the SIM has used in this cycle.",
            |c: Ctx<'_>, sim: &mut TestSim| figure(&c, sim, |facts| Some(facts.used_bytes)),
        )
        .function(
            "remaining(sim: TestSim) -> DataSize?",
            "home.remaining()",
            "What is left of its plan.",
            |c: Ctx<'_>, sim: &mut TestSim| figure(&c, sim, |facts| facts.remaining_bytes),
        )
        .function(
            "share(sim: TestSim) -> Percent?",
            "home.share()",
            "The used share of its plan.",
            |c: Ctx<'_>, sim: &mut TestSim| {
                let sim = sim.clone();
                let share =
                    stage(&c)?.ask(move |story| story.facts(&sim.iccid).and_then(|facts| facts.used_share));
                let percent = share.flatten().and_then(|share| share.checked_mul(Decimal::ONE_HUNDRED));
                Ok::<_, Box<rhai::EvalAltResult>>(
                    percent.map_or(Dynamic::UNIT, |percent| Percent::fixed(percent).into()),
                )
            },
        )
        .property("name", "string", "Its name.", |sim: &mut TestSim| {
            ImmutableString::from(sim.name.as_str())
        });
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
