//! `sort`, `order` and their kin, in place of Rhai's: those take what goes wrong in a function of the rule's for an
//! order, and know no units.

use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext};

use crate::value::{self, Fallible, fail};

/// Whether the first comes before the second.
type Before<'a> = dyn FnMut(&Dynamic, &Dynamic) -> Fallible<bool> + 'a;

/// Registers them.
pub(crate) fn register(engine: &mut Engine) {
    for name in ["sort", "sort_by"] {
        engine.register_fn(name, |context: NativeCallContext, list: &mut Array, compare: FnPtr| {
            sorted(list, |a, b| by(&context, &compare, a, b)).map(|sorted| *list = sorted)
        });
    }
    for name in ["order", "order_by"] {
        engine.register_fn(name, |context: NativeCallContext, list: &mut Array, compare: FnPtr| {
            sorted(list, |a, b| by(&context, &compare, a, b))
        });
    }
    engine
        .register_fn("sort", |list: &mut Array| sorted(list, value::before).map(|sorted| *list = sorted))
        .register_fn("order", |list: &mut Array| sorted(list, value::before))
        .register_fn("sort_desc", |list: &mut Array| {
            sorted(list, |a, b| value::before(b, a)).map(|sorted| *list = sorted)
        })
        .register_fn("order_desc", |list: &mut Array| sorted(list, |a, b| value::before(b, a)));
}

fn sorted(list: &Array, mut before: impl FnMut(&Dynamic, &Dynamic) -> Fallible<bool>) -> Fallible<Array> {
    ordered(list.clone(), &mut before)
}

/// The elements in order, those that are alike as they stood. Any answers of `before` give some order, as those of the
/// standard library's sort need not: it panics where they contradict each other.
fn ordered(list: Array, before: &mut Before<'_>) -> Fallible<Array> {
    if list.len() < 2 {
        return Ok(list);
    }
    let mut first = list;
    let second = first.split_off(first.len() / 2);
    let (first, second) = (ordered(first, before)?, ordered(second, before)?);
    let mut sorted = Array::with_capacity(first.len().saturating_add(second.len()));
    let (mut first, mut second) = (first.into_iter().peekable(), second.into_iter().peekable());
    loop {
        let next = match (first.peek(), second.peek()) {
            (Some(a), Some(b)) if before(b, a)? => second.next(),
            (Some(_), _) => first.next(),
            (None, _) => second.next(),
        };
        match next {
            Some(element) => sorted.push(element),
            None => return Ok(sorted),
        }
    }
}

/// Whether the rule's function says that `a` comes first: `true`, or a figure below 0.
fn by(context: &NativeCallContext<'_>, compare: &FnPtr, a: &Dynamic, b: &Dynamic) -> Fallible<bool> {
    let said = compare.call_raw(context, None, [a.clone(), b.clone()])?;
    match said.as_bool().ok().or_else(|| value::below_zero(&said)) {
        Some(first) => Ok(first),
        None => fail(format!(
            "`{}` needs a figure from its function, not {}\nbelow 0, or `true`, says that the first comes first: |a, b| a.used - b.used",
            context.fn_name(),
            value::kind(&said)
        )),
    }
}
