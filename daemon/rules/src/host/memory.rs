//! `remember`, `recall` and `forget`: what a rule keeps from one evaluation to the next.

use std::sync::Arc;

use rhai::{Array, Dynamic, ImmutableString, NativeCallContext};
use rust_decimal::Decimal;
use simbell_core::memory::{Memory, Remembered};

use super::Run;
use super::remind::key_of;
use crate::limits::{Limits, limit};
use crate::registry::Registry;
use crate::text::harmless;
use crate::value::{Currency, DataSize, Date, Fallible, LocalTime, Money, Percent, Span, fail, kind};

/// Lists within lists are not remembered deeper than this.
const MOST_NESTING: usize = 4;

/// Registers the functions.
pub(super) fn register(registry: &mut Registry<'_>) {
    registry
        .function(
            "remember(key: string, value: any)",
            "remember(\"key\", value)",
            "Keeps a value for later evaluations of this rule.",
            |context: NativeCallContext, key: Dynamic, value: Dynamic| {
                remember(&Run::of(&context)?, &key, &value)
            },
        )
        .function(
            "recall(key: string) -> any",
            "recall(\"key\")",
            "What was remembered; absent where nothing was.",
            |context: NativeCallContext, key: Dynamic| recall(&Run::of(&context)?, &key, Dynamic::UNIT),
        )
        .function(
            "recall(key: string, otherwise: any) -> any",
            "recall(\"key\", otherwise)",
            "What was remembered; `otherwise` where nothing was.",
            |context: NativeCallContext, key: Dynamic, otherwise: Dynamic| {
                recall(&Run::of(&context)?, &key, otherwise)
            },
        )
        .function(
            "forget(key: string)",
            "forget(\"key\")",
            "Forgets what was remembered.",
            |context: NativeCallContext, key: Dynamic| {
                let run = Run::of(&context)?;
                let key = key_of("forget", &key)?;
                change(&run, |memory| {
                    memory.0.remove(&key);
                });
                Ok::<_, Box<rhai::EvalAltResult>>(())
            },
        );
}

fn change(run: &Run, change: impl FnOnce(&mut Memory)) {
    let mut said = run.said();
    let memory = said.memory.get_or_insert_with(|| (*run.0.memory).clone());
    change(memory);
}

fn remember(run: &Run, key: &Dynamic, value: &Dynamic) -> Fallible<()> {
    let key = key_of("remember", key)?;
    let value = taken(value, 0)?;
    let Limits { memory_keys, memory_bytes, .. } = run.0.limits;
    change(run, |memory| {
        memory.0.insert(key.clone(), value);
    });
    let said = run.said();
    let Some(memory) = &said.memory else { return Ok(()) };
    if memory.0.len() > memory_keys {
        let limit = limit("remembered");
        return fail(format!("a rule remembers {memory_keys} values at most: `forget` some; {limit}"));
    }
    if memory.weight() > memory_bytes {
        let limit = limit("remembered_bytes");
        return fail(format!(
            "a rule remembers {memory_bytes} bytes at most: `forget` some values, or keep less; {limit}"
        ));
    }
    Ok(())
}

fn recall(run: &Run, key: &Dynamic, otherwise: Dynamic) -> Fallible<Dynamic> {
    let key = key_of("recall", key)?;
    let said = run.said();
    let memory = said.memory.as_ref().unwrap_or(&run.0.memory);
    Ok(memory.0.get(&key).map_or(otherwise, given))
}

fn taken(value: &Dynamic, depth: usize) -> Fallible<Remembered> {
    if depth > MOST_NESTING {
        return fail(format!("lists nested deeper than {MOST_NESTING} are not remembered"));
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(Remembered::Bool(flag));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Remembered::Whole(number));
    }
    if let Ok(number) = value.as_decimal() {
        return Ok(Remembered::Number(number));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Remembered::Text(harmless(&text, 1_000)));
    }
    if let Ok(list) = value.as_array_ref() {
        let list: Fallible<Vec<_>> = list.iter().map(|one| taken(one, depth + 1)).collect();
        return list.map(Remembered::List);
    }
    // What is remembered of usage is a figure of its time: it does not move with usage any more.
    if let Some(size) = value.read_lock::<DataSize>() {
        return Ok(Remembered::Size(size.value));
    }
    if let Some(share) = value.read_lock::<Percent>() {
        return Ok(Remembered::Percent(share.value));
    }
    if let Some(span) = value.read_lock::<Span>() {
        return Ok(Remembered::Span(span.0));
    }
    if let Some(money) = value.read_lock::<Money>() {
        return Ok(Remembered::Money(money.amount, money.currency.code().to_owned()));
    }
    if let Some(date) = value.read_lock::<Date>() {
        return Ok(Remembered::Date(date.0));
    }
    if let Some(time) = value.read_lock::<LocalTime>() {
        return Ok(Remembered::LocalTime(time.0));
    }
    let hint = if value.is_unit() { "; `forget` the key instead" } else { "" };
    fail(format!(
        "{} cannot be remembered: true or false, numbers, texts, sizes, shares, spans, money, dates, times and lists of them \
         can{hint}",
        kind(value)
    ))
}

fn given(value: &Remembered) -> Dynamic {
    let decimal = |value: &Decimal| *value;
    match value {
        Remembered::Bool(flag) => Dynamic::from_bool(*flag),
        Remembered::Whole(number) => Dynamic::from_int(*number),
        Remembered::Number(number) => Dynamic::from_decimal(*number),
        Remembered::Text(text) => ImmutableString::from(text.as_str()).into(),
        Remembered::Size(bytes) => DataSize::fixed(decimal(bytes)).into(),
        Remembered::Percent(share) => Percent::fixed(decimal(share)).into(),
        Remembered::Span(millis) => Span(*millis).into(),
        Remembered::Money(amount, code) => match Currency::of(code) {
            Some(currency) => Money { amount: *amount, currency }.into(),
            // Kept by a program that knew more of them.
            None => Dynamic::UNIT,
        },
        Remembered::Date(date) => Date(*date).into(),
        Remembered::LocalTime(time) => LocalTime(*time).into(),
        Remembered::List(list) => list.iter().map(given).collect::<Array>().into(),
    }
}

/// What a run remembers from now on; none where that is as it was.
pub(crate) fn changed(memory: Option<Memory>, before: &Arc<Memory>) -> Option<Memory> {
    memory.filter(|memory| *memory != **before)
}
