//! Expectations. Each saying of a reminder is expected once, in order: what a story has not expected is what
//! `expect_no_reminder` finds.

use chrono::{NaiveDate, NaiveTime};
use rhai::{Array, Dynamic, Map, NativeCallContext};
use simbell_core::action::{Action, ActionRecord, ActionState};

use super::language::stage;
use super::plan::known;
use super::shown::urgency;
use super::story::{Story, TestSim};
use crate::problem::nearest;
use crate::registry::Registry;
use crate::rehearsal::{Happening, Moment, Saying};
use crate::text::{harmless, short};
use crate::value::{self, Fallible, fail};

const REMINDER_KEYS: [&str; 8] = ["contains", "text", "urgency", "at", "sim", "late", "channels", "times"];
const ACTION_KEYS: [&str; 7] = ["kind", "to", "text", "contains", "code", "refused", "sim"];

type Ctx<'a> = NativeCallContext<'a>;

/// Expectations of any value, in tests of whatever: with a call of each.
pub(super) fn plain(registry: &mut Registry<'_>, [holds, says, equals]: [&'static str; 3]) {
    registry
        .function("expect(holds: bool)", holds, "That holds.", |holds: bool| {
            expect(holds, "it does not hold")
        })
        .function(
            "expect(holds: bool, message: string)",
            says,
            "That holds; a text says what is wrong where it does not.",
            |holds: bool, message: &str| expect(holds, message),
        )
        .function(
            "expect_equal(a: any, b: any)",
            equals,
            "The first is the second.",
            |c: Ctx<'_>, a: Dynamic, b: Dynamic| {
                if crate::engine::equal(&a, &b)? {
                    return Ok(());
                }
                let shown = |value: &Dynamic| -> String {
                    let text = c.call_native_fn::<String>("to_string", (value.clone(),));
                    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| value::exact(value))
                };
                let (mut found, mut wanted) = (shown(&a), shown(&b));
                if short(&found) == short(&wanted) {
                    (found, wanted) = (value::exact(&a), value::exact(&b));
                }
                let (found, wanted) = (short(&found), short(&wanted));
                fail(format!("expected {wanted}, found {found}"))
            },
        );
}

pub(super) fn register(registry: &mut Registry<'_>) {
    let such_as = [
        "expect(home.used() > 8.GB)",
        "expect(home.used() > 8.GB, \"too little\")",
        "expect_equal(home.used(), 8.GB)",
    ];
    plain(registry, such_as);
    registry
        .function(
            "expect_reminder(key: string)",
            "expect_reminder(\"data-80\")",
            "It was said, and no expectation met that saying before.",
            |c: Ctx<'_>, key: &str| reminder(&c, key, &Map::new(), How::Said),
        )
        .function(
            "expect_reminder(key: string, how: map)",
            "expect_reminder(\"data-80\", #{ contains: \"8 GB\", urgency: \"warning\" })",
            "It was said, and as the map has it.",
            |c: Ctx<'_>, key: &str, how: Map| reminder(&c, key, &how, How::Said),
        )
        .function(
            "expect_held(key: string)",
            "expect_held(\"data-80\")",
            "Quiet hours hold it back.",
            |c: Ctx<'_>, key: &str| reminder(&c, key, &Map::new(), How::Held),
        )
        .function(
            "expect_held(key: string, how: map)",
            "expect_held(\"data-80\", #{ contains: \"8 GB\" })",
            "Quiet hours hold it back, and it is as the map has it.",
            |c: Ctx<'_>, key: &str, how: Map| reminder(&c, key, &how, How::Held),
        )
        .function(
            "expect_resolved(key: string)",
            "expect_resolved(\"data-80\")",
            "It is over.",
            |c: Ctx<'_>, key: &str| reminder(&c, key, &Map::new(), How::Resolved),
        )
        .function(
            "expect_resolved(key: string, how: map)",
            "expect_resolved(\"data-80\", #{ at: \"2026-12-01\" })",
            "It is over, as the map has it.",
            |c: Ctx<'_>, key: &str, how: Map| reminder(&c, key, &how, How::Resolved),
        )
        .function(
            "expect_no_reminder()",
            "expect_no_reminder()",
            "Nothing was said beside what was expected.",
            |c: Ctx<'_>| none(&c, None),
        )
        .function(
            "expect_no_reminder(key: string)",
            "expect_no_reminder(\"data-80\")",
            "That was not said beside what was expected.",
            |c: Ctx<'_>, key: &str| none(&c, Some(key)),
        )
        .function(
            "expect_count(key: string, times: int)",
            "expect_count(\"data-80\", 1)",
            "It was said so often in the whole story.",
            |c: Ctx<'_>, key: &str, times: i64| count(&c, key, times),
        )
        .function(
            "expect_action(key: string)",
            "expect_action(\"balance\")",
            "The rule wants that done.",
            |c: Ctx<'_>, key: &str| action(&c, key, &Map::new()),
        )
        .function(
            "expect_action(key: string, how: map)",
            "expect_action(\"balance\", #{ kind: \"send-sms\", to: \"10086\" })",
            "The rule wants that done, as the map has it.",
            |c: Ctx<'_>, key: &str, how: Map| action(&c, key, &how),
        )
        .function(
            "expect_no_action()",
            "expect_no_action()",
            "The rule wants nothing done beside what was expected.",
            |c: Ctx<'_>| no_action(&c, None),
        )
        .function(
            "expect_no_action(key: string)",
            "expect_no_action(\"balance\")",
            "The rule does not want that done beside what was expected.",
            |c: Ctx<'_>, key: &str| no_action(&c, Some(key)),
        );
}

fn expect(holds: bool, message: &str) -> Fallible<()> {
    if holds { Ok(()) } else { fail(message) }
}

/// What of a reminder is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Said,
    Held,
    Resolved,
}

impl How {
    const fn word(self) -> &'static str {
        match self {
            Self::Said => "said",
            Self::Held => "held back",
            Self::Resolved => "resolved",
        }
    }

    const fn of(self, what: &Happening) -> bool {
        matches!(
            (self, what),
            (Self::Said, Happening::Said(_))
                | (Self::Held, Happening::Held(_))
                | (Self::Resolved, Happening::Resolved(_))
        )
    }
}

/// Whether a key is the one that is meant: whole, or with `*` at its end for any end.
fn meant(pattern: &str, key: Option<&str>) -> bool {
    key.is_some_and(|key| pattern.strip_suffix('*').map_or(pattern == key, |begin| key.starts_with(begin)))
}

/// What a saying has to be, as the story writes it.
#[derive(Debug, Default)]
struct Wanted {
    contains: Vec<String>,
    text: Option<String>,
    urgency: Option<String>,
    at: Option<String>,
    sim: Option<String>,
    late: Option<bool>,
    channels: Option<Vec<String>>,
    times: Option<i64>,
}

/// Whether a story could ever show this as a moment or a part of one.
fn is_moment(text: &str) -> bool {
    let time =
        |text: &str| ["%H:%M", "%H:%M:%S"].iter().any(|form| NaiveTime::parse_from_str(text, form).is_ok());
    let date = |text: &str| text.parse::<NaiveDate>().is_ok();
    time(text) || date(text) || text.split_once(' ').is_some_and(|(day, at)| date(day) && time(at))
}

impl Wanted {
    fn read(how: &Map) -> Result<Self, String> {
        known(how, &REMINDER_KEYS, "an expectation")?;
        let text = |key: &str| how.get(key).map(|value| value.to_string());
        let sim = match how.get("sim") {
            None => None,
            Some(sim) => {
                let held = sim.read_lock::<TestSim>().map(|sim| sim.name.clone());
                Some(held.unwrap_or_else(|| sim.to_string()))
            }
        };
        let at = text("at");
        if let Some(wrong) = at.as_deref().filter(|at| !is_moment(at)) {
            return Err(format!(
                "`at` is a time, a date or both, such as 07:00, 2026-11-22 or 2026-11-22 07:00, not {}",
                short(wrong)
            ));
        }
        let late = how.get("late").map(Dynamic::as_bool).transpose();
        let times = how.get("times").map(Dynamic::as_int).transpose();
        Ok(Self {
            contains: how.get("contains").map(list).unwrap_or_default(),
            text: text("text"),
            urgency: text("urgency"),
            at,
            sim,
            late: late.map_err(|_| "`late` is true or false".to_owned())?,
            channels: how.get("channels").map(list),
            times: times.map_err(|_| "`times` is a whole number".to_owned())?,
        })
    }

    /// What a moment is that it should not be; none where it is as wanted.
    fn differs(&self, story: &Story, moment: &Moment) -> Option<String> {
        let sim = story.sim_name(moment.sim.as_ref());
        if self.sim.is_some() && self.sim != sim {
            return Some(format!("it is about {}", sim.as_deref().unwrap_or("no SIM")));
        }
        if let Some(at) = &self.at {
            let shown = story.shown(moment.at);
            if !(shown == *at || shown.ends_with(&format!(" {at}")) || shown.starts_with(&format!("{at} "))) {
                return Some(format!("it was at {shown}, not at {}", short(at)));
            }
        }
        let (Happening::Said(saying) | Happening::Held(saying)) = &moment.what else { return None };
        self.says_otherwise(saying)
    }

    fn says_otherwise(&self, saying: &Saying) -> Option<String> {
        if let Some(missing) = self.contains.iter().find(|part| !saying.text.contains(part.as_str())) {
            return Some(format!(
                "its text does not contain \"{}\": {}",
                short(missing),
                harmless(&saying.text, 200).replace('\n', " ")
            ));
        }
        if self.text.as_ref().is_some_and(|text| *text != saying.text) {
            return Some(format!("its text is \"{}\"", harmless(&saying.text, 300).replace('\n', " ")));
        }
        let said = urgency(saying.urgency);
        if self.urgency.as_ref().is_some_and(|wanted| wanted != said) {
            return Some(format!("its urgency is {said}"));
        }
        if self.late.is_some_and(|late| late != saying.late.is_some()) {
            return Some(if saying.late.is_some() { "it was late" } else { "it was not late" }.to_owned());
        }
        if self.times.is_some_and(|times| times != i64::from(saying.occurrence)) {
            return Some(format!("it was said for the {}. time", saying.occurrence));
        }
        let channels: Vec<&str> = saying.channels.iter().map(|channel| channel.as_str()).collect();
        if self.channels.as_ref().is_some_and(|wanted| *wanted != channels) {
            return Some(format!("its channels are {channels:?}"));
        }
        None
    }
}

/// One text, or a list of them.
pub(super) fn list(value: &Dynamic) -> Vec<String> {
    match value.read_lock::<Array>() {
        Some(list) => list.iter().map(ToString::to_string).collect(),
        None => vec![value.to_string()],
    }
}

impl Story {
    /// Moments that no expectation met yet, with their places.
    fn open(&mut self) -> Vec<(usize, Moment)> {
        let all = self.timeline().to_vec();
        self.expected.resize(all.len(), false);
        all.into_iter().enumerate().filter(|(nth, _)| self.expected.get(*nth) == Some(&false)).collect()
    }

    fn meet(&mut self, nth: usize) {
        if let Some(expected) = self.expected.get_mut(nth) {
            *expected = true;
        }
    }

    /// A key that was raised and looks like the one that was not.
    fn hint_of_key(&mut self, key: &str) {
        let raised: Vec<String> =
            self.timeline().iter().filter_map(Moment::own_key).map(str::to_owned).collect();
        self.hint = nearest(key, &raised).map(|near| format!("did you mean `{near}`?"));
    }
}

fn reminder(context: &Ctx<'_>, key: &str, how: &Map, what: How) -> Fallible<()> {
    let wanted = Wanted::read(how).or_else(fail)?;
    let key = key.to_owned();
    stage(context)?.play(move |story| {
        // A resolved reminder need not be one that was expected: any time since the last one of its kind.
        let open = story.open();
        let mine: Vec<&(usize, Moment)> =
            open.iter().filter(|(_, moment)| what.of(&moment.what) && meant(&key, moment.own_key())).collect();
        let mut difference = None;
        for (nth, moment) in &mine {
            match wanted.differs(story, moment) {
                None => {
                    story.meet(*nth);
                    return Ok(());
                }
                Some(differs) => difference = Some((differs, moment.at)),
            }
        }
        let word = what.word();
        let key_shown = short(&key);
        if let Some((differs, at)) = difference {
            return Err(format!("the reminder `{key_shown}` was {word} at {}, but {differs}", story.shown(at)));
        }
        let before = story.timeline().iter().filter(|moment| what.of(&moment.what) && meant(&key, moment.own_key())).count();
        if before > 0 {
            let times = if before == 1 { "once".to_owned() } else { format!("{before} times") };
            return Err(format!(
                "the reminder `{key_shown}` was not {word} again: it was {times}, which the test expected before"
            ));
        }
        story.hint_of_key(&key);
        Err(format!("the reminder `{key_shown}` was not {word}"))
    })
}

fn none(context: &Ctx<'_>, key: Option<&str>) -> Fallible<()> {
    let key = key.map(str::to_owned);
    stage(context)?.play(move |story| {
        let found = story.open().into_iter().find(|(_, moment)| {
            matches!(moment.what, Happening::Said(_))
                && key.as_ref().is_none_or(|key| meant(key, moment.own_key()))
        });
        match found {
            None => Ok(()),
            Some((_, moment)) => {
                Err(format!("no reminder was expected, but this was said: {}", story.line(&moment)))
            }
        }
    })
}

fn count(context: &Ctx<'_>, key: &str, times: i64) -> Fallible<()> {
    let key = key.to_owned();
    stage(context)?.play(move |story| {
        let said =
            |moment: &&Moment| matches!(moment.what, Happening::Said(_)) && meant(&key, moment.own_key());
        let found = story.timeline().iter().filter(said).count();
        if i64::try_from(found) == Ok(times) {
            return Ok(());
        }
        story.hint_of_key(&key);
        Err(format!("the reminder `{}` was said {found} times, not {times}", short(&key)))
    })
}

/// What an action has to be, and what it is instead.
fn acts_otherwise(how: &Map, story: &Story, record: &ActionRecord) -> Option<String> {
    let text = |key: &str| how.get(key).map(|value| value.to_string());
    let kind = record.action.permission().as_str();
    let (to, said, code) = match &record.action {
        Action::SendSms { to, text } => (Some(to.as_str()), Some(text.as_str()), None),
        Action::SendUssd { code } => (None, None, Some(code.as_str())),
        Action::Disconnect => (None, None, None),
    };
    let refused = record.state == ActionState::Refused;
    if text("kind").is_some_and(|wanted| wanted != kind) {
        return Some(format!("it is {kind}"));
    }
    for (key, found) in [("to", to), ("text", said), ("code", code)] {
        if text(key).is_some_and(|wanted| Some(wanted.as_str()) != found) {
            return Some(format!("its `{key}` is {}", found.map_or_else(|| "not there".to_owned(), short)));
        }
    }
    if text("contains").is_some_and(|part| !said.unwrap_or_default().contains(part.as_str())) {
        return Some(format!("its text is {}", short(said.unwrap_or_default())));
    }
    if how.get("refused").is_some_and(|wanted| wanted.as_bool() != Ok(refused))
        || (refused && !how.contains_key("refused"))
    {
        return Some(
            if refused { "it was refused: it is not allowed" } else { "it was not refused" }.to_owned(),
        );
    }
    let sim = story.sim_name(Some(&record.sim));
    let wanted = how
        .get("sim")
        .map(|sim| sim.read_lock::<TestSim>().map(|sim| sim.name.clone()).unwrap_or_else(|| sim.to_string()));
    (wanted.is_some() && wanted != sim).then(|| format!("it is by {}", sim.unwrap_or_default()))
}

fn action(context: &Ctx<'_>, key: &str, how: &Map) -> Fallible<()> {
    known(how, &ACTION_KEYS, "an expectation").or_else(fail)?;
    let (key, how) = (key.to_owned(), how.clone());
    stage(context)?.play(move |story| {
        let mut difference = None;
        for (nth, moment) in story.open() {
            let Happening::Acted(record) = &moment.what else { continue };
            if !meant(&key, moment.own_key()) {
                continue;
            }
            match acts_otherwise(&how, story, record) {
                None => {
                    story.meet(nth);
                    return Ok(());
                }
                Some(differs) => difference = Some(differs),
            }
        }
        if difference.is_none() {
            story.hint_of_key(&key);
        }
        let key = short(&key);
        Err(difference.map_or_else(
            || format!("the action `{key}` was not asked for"),
            |differs| format!("the action `{key}` was asked for, but {differs}"),
        ))
    })
}

fn no_action(context: &Ctx<'_>, key: Option<&str>) -> Fallible<()> {
    let key = key.map(str::to_owned);
    stage(context)?.play(move |story| {
        let found = story.open().into_iter().find(|(_, moment)| {
            matches!(moment.what, Happening::Acted(_))
                && key.as_ref().is_none_or(|key| meant(key, moment.own_key()))
        });
        match found {
            None => Ok(()),
            Some((_, moment)) => Err(format!("no action was expected, but: {}", story.line(&moment))),
        }
    })
}
