//! `remind(key, text)` and `remind(key, text, #{ … })`.

use rhai::{Array, Dynamic, Map, NativeCallContext};
use simbell_core::ident::ChannelName;
use simbell_core::reminder::{Finding, Repeat, Urgency};
use simbell_core::schedule::Schedule as CoreSchedule;

use super::{Run, Schedule};
use crate::limits::limit;
use crate::problem::nearest;
use crate::registry::Registry;
use crate::text::{harmless, short};
use crate::value::{Fallible, Span, fail, kind};

const OPTIONS: [&str; 3] = ["urgency", "repeat", "channels"];
const URGENCIES: [&str; 3] = ["info", "warning", "critical"];
const MOST_KEY_BYTES: usize = 64;
const MOST_CHANNELS: usize = 16;

/// Registers `remind`.
pub(super) fn register(registry: &mut Registry<'_>) {
    registry
        .function(
            "resolve(key: string)",
            "resolve(\"key\")",
            "Ends the reminder of that key, whatever raised it.",
            |context: NativeCallContext, key: Dynamic| resolve(&Run::of(&context)?, &key),
        )
        .function(
            "remind(key: string, text: string | map)",
            "remind(\"key\", \"text\")",
            "Raises a reminder: a text, or one for each language.",
            |context: NativeCallContext, key: Dynamic, text: Dynamic| {
                remind(&Run::of(&context)?, &key, &text, &Map::new())
            },
        )
        .function(
            "remind(key: string, text: string | map, options: map)",
            "remind(\"key\", \"text\", #{ urgency: \"warning\" })",
            "Raises a reminder; options are `urgency`, `repeat` and `channels`.",
            |context: NativeCallContext, key: Dynamic, text: Dynamic, options: Dynamic| {
                let run = Run::of(&context)?;
                match options.as_map_ref() {
                    Ok(options) => remind(&run, &key, &text, &options),
                    Err(_) => {
                        fail("the third value of `remind` is a map: #{ urgency: \"warning\", repeat: 1.day }")
                    }
                }
            },
        );
}

fn remind(run: &Run, key: &Dynamic, text: &Dynamic, options: &Map) -> Fallible<()> {
    let finding = Finding {
        key: key_of("remind", key)?,
        sim: run.0.input.sim.as_ref().map(|facts| facts.iccid.clone()),
        text: text_of(run, text)?,
        urgency: urgency_of(options)?,
        repeat: repeat_of(options)?,
        channels: channels_of(options)?,
    };
    if let Some(unknown) = options.keys().find(|name| !OPTIONS.contains(&name.as_str())) {
        let hint = nearest(unknown, OPTIONS).map_or_else(
            || format!("it has: {}", OPTIONS.join(", ")),
            |name| format!("did you mean `{name}`?"),
        );
        return fail(format!("`remind` has no option `{}`\n{hint}", short(unknown)));
    }
    let mut said = run.said();
    said.resolved.retain(|key| *key != finding.key);
    let findings = &mut said.findings;
    // The same key again in one run says the same thing better, not twice.
    if let Some(earlier) = findings.iter_mut().find(|earlier| earlier.key == finding.key) {
        *earlier = finding;
        return Ok(());
    }
    if findings.len() >= run.0.limits.findings {
        let most = run.0.limits.findings;
        return fail(format!("one run may raise {most} reminders at most: {}", limit("reminders")));
    }
    findings.push(finding);
    Ok(())
}

/// What was raised under the key is over, whatever the occasion it was raised on.
fn resolve(run: &Run, key: &Dynamic) -> Fallible<()> {
    let key = key_of("resolve", key)?;
    let mut said = run.said();
    said.findings.retain(|finding| finding.key != key);
    if !said.resolved.contains(&key) {
        if said.resolved.len() >= run.0.limits.findings {
            let most = run.0.limits.findings;
            return fail(format!("one run may resolve {most} reminders at most: {}", limit("reminders")));
        }
        said.resolved.push(key);
    }
    Ok(())
}

pub(super) fn key_of(function: &str, key: &Dynamic) -> Fallible<String> {
    let Ok(key) = key.as_immutable_string_ref() else {
        return fail(format!("the key of `{function}` is a string such as \"data-80\", not {}", kind(key)));
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if key.is_empty() || key.len() > MOST_KEY_BYTES || !key.chars().all(fits) {
        return fail(format!(
            "`{}` is not a key: 1 to {MOST_KEY_BYTES} of a-z A-Z 0-9 . _ -\n`slug(text)` makes one of any text",
            short(&key)
        ));
    }
    Ok(key.to_string())
}

fn text_of(run: &Run, text: &Dynamic) -> Fallible<String> {
    let most = run.0.limits.text_chars;
    if let Ok(text) = text.as_immutable_string_ref() {
        return said(&text, most);
    }
    let Ok(by_language) = text.as_map_ref() else {
        return fail(format!(
            "the text of `remind` is a string or a map of languages, #{{ en: \"…\", zh: \"…\" }}, not {}",
            kind(text)
        ));
    };
    let language = run.0.input.language.as_str();
    let primary = language.split(['-', '_']).next().unwrap_or(language);
    let chosen = [language, primary, "en"]
        .into_iter()
        .find_map(|wanted| by_language.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)))
        .or_else(|| by_language.iter().next());
    match chosen.map(|(name, text)| (name, text.as_immutable_string_ref())) {
        Some((_, Ok(text))) => said(&text, most),
        Some((name, Err(_))) => fail(format!("the text for language `{}` is not a string", short(name))),
        None => fail("the map of languages is empty"),
    }
}

fn said(text: &str, most: usize) -> Fallible<String> {
    let text = harmless(text.trim(), most);
    if text.is_empty() { fail("the text of `remind` is empty") } else { Ok(text) }
}

fn urgency_of(options: &Map) -> Fallible<Urgency> {
    let Some(urgency) = options.get("urgency") else {
        return Ok(Urgency::Info);
    };
    match urgency.clone().into_immutable_string().as_deref() {
        Ok("info") => Ok(Urgency::Info),
        Ok("warning") => Ok(Urgency::Warning),
        Ok("critical") => Ok(Urgency::Critical),
        _ => fail(format!(
            "`{}` is no urgency\nwrite \"{}\"",
            urgency.as_immutable_string_ref().map_or_else(|_| kind(urgency).to_owned(), |text| short(&text)),
            URGENCIES.join("\", \"")
        )),
    }
}

fn repeat_of(options: &Map) -> Fallible<Repeat> {
    let Some(repeat) = options.get("repeat") else {
        return Ok(Repeat::Once);
    };
    if let Some(span) = repeat.read_lock::<Span>().map(|span| *span) {
        if span.0 < 1_000 {
            return fail(format!("`repeat: {span}` is too often: 1.second at least"));
        }
        return Ok(Repeat::Every(span.into()));
    }
    if let Some(schedule) = repeat.read_lock::<Schedule>().map(|schedule| *schedule) {
        return Ok(match schedule.0 {
            CoreSchedule::Every(secs) => Repeat::Every(simbell_core::time::Span::secs(i64::from(secs))),
            at => Repeat::At(at),
        });
    }
    if repeat.as_immutable_string_ref().is_ok_and(|text| text.as_str() == "once") {
        return Ok(Repeat::Once);
    }
    fail("`repeat` is a span, a schedule or \"once\"\nwrite `1.day`, `daily(\"07:00\")` or `\"once\"`")
}

fn channels_of(options: &Map) -> Fallible<Option<Vec<ChannelName>>> {
    let Some(channels) = options.get("channels") else {
        return Ok(None);
    };
    let wrong = || fail("`channels` is a list of names of the configuration: [\"mail\", \"phone\"]");
    let list: Array = match channels.as_array_ref() {
        Ok(list) => list.clone(),
        Err(_) if channels.is_string() => vec![channels.clone()],
        Err(_) => return wrong(),
    };
    if list.is_empty() || list.len() > MOST_CHANNELS {
        return wrong();
    }
    let mut names = Vec::with_capacity(list.len());
    for name in &list {
        match name.as_immutable_string_ref().ok().and_then(|name| ChannelName::new(name.as_str()).ok()) {
            Some(name) => names.push(name),
            None => return wrong(),
        }
    }
    Ok(Some(names))
}
