//! `text(name)` and `text(name, #{ … })`: a message of the rule's texts, in the language that is asked for.

use fluent_bundle::{FluentArgs, FluentValue};
use rhai::{Dynamic, ImmutableString, Map, NativeCallContext};

use super::{Run, Tag};
use crate::registry::Registry;
use crate::text::{harmless, short};
use crate::value::{Fallible, fail, kind};

/// Values of one message.
const MOST_VALUES: usize = 32;
/// Characters of one value: the whole text of a reminder has no more.
const MOST_CHARS: usize = 1_000;

/// Registers `text`.
pub(super) fn register(registry: &mut Registry<'_>) {
    registry
        .function(
            "text(name: string) -> string",
            "text(\"name\")",
            "A message of the rule's texts, in the language of texts.",
            |context: NativeCallContext, name: Dynamic| said(&context, &name, &Map::new()),
        )
        .function(
            "text(name: string, values: map) -> string",
            "text(\"name\", #{ sim: sim.name })",
            "A message of the rule's texts, with the values that it takes.",
            |context: NativeCallContext, name: Dynamic, values: Dynamic| match values.as_map_ref() {
                Ok(values) => said(&context, &name, &values),
                Err(_) => {
                    fail("the second value of `text` is a map: text(\"data-used\", #{ sim: sim.name })")
                }
            },
        );
}

fn said(context: &NativeCallContext, name: &Dynamic, values: &Map) -> Fallible<ImmutableString> {
    let run = Run::of(context)?;
    let Ok(name) = name.as_immutable_string_ref() else {
        return fail(format!("the name of a message is a string such as \"data-used\", not {}", kind(name)));
    };
    if values.len() > MOST_VALUES {
        return fail(format!("a message takes {MOST_VALUES} values at most"));
    }
    let mut args = FluentArgs::with_capacity(values.len());
    for (key, value) in values {
        args.set(key.as_str(), given(context, key, value)?);
    }
    let texts =
        context.tag().and_then(|tag| tag.read_lock::<Tag>().map(|tag| tag.texts.clone())).unwrap_or_default();
    match texts.say(run.0.input.language.as_str(), &name, &args) {
        // A text too long is cut where it is said; here it must only fit among a rule's strings.
        Ok(text) => Ok(harmless(&text, MOST_CHARS).into()),
        Err(why) => fail(why),
    }
}

/// Whole numbers as numbers, for plurals; everything else as it is shown.
fn given(context: &NativeCallContext, key: &str, value: &Dynamic) -> Fallible<FluentValue<'static>> {
    if value.is_unit() {
        return fail(format!("the value `{}` is absent, `()`: test it first", short(key)));
    }
    if let Some(number) = value.as_int().ok().and_then(|number| i32::try_from(number).ok()) {
        return Ok(FluentValue::from(number));
    }
    let shown: ImmutableString = match value.as_immutable_string_ref() {
        Ok(text) => text.clone(),
        Err(_) => context.call_native_fn("to_string", (value.clone(),))?,
    };
    Ok(FluentValue::from(harmless(&shown, MOST_CHARS)))
}
