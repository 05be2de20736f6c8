//! The sandbox: Rhai with nothing in it that a reminder rule does not need.
//!
//! What could harm the service is not there at all rather than forbidden: captured variables are compiled out, no
//! resolver reads files while a rule runs (see [`crate::modules`]), packages with `sleep`, `exit` and JSON are not
//! registered, and what Rhai's own limits do not see is measured by the allocator (see [`crate::meter`]).

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage, BasicMathPackage,
    BasicStringPackage, LogicPackage, MoreStringPackage, Package,
};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext, OptimizationLevel};

use crate::limits::{Limits, limit};
use crate::registry::{Book, Registry};
use crate::text::{harmless, short};
use crate::value::{Fallible, fail};
use crate::{host, meter, sorting, value};

/// Words of Rhai that rules cannot use: text run as code, and functions called by a name or with arguments kept,
/// which no limit of Rhai's counts.
pub(crate) const DISABLED: [&str; 5] = ["eval", "Fn", "call", "curry", "is_def_fn"];

/// Values within values deeper than this are neither shown nor compared: both recurse on the stack.
const MOST_NESTING: usize = 32;

/// Builds the engine that all rules share.
pub(crate) fn build(limits: &Limits) -> Engine {
    build_with(limits, host::register, None)
}

/// Builds it, and notes what there is.
pub(crate) fn build_noting(limits: &Limits, book: &mut Book) -> Engine {
    build_with(limits, host::register, Some(book))
}

/// Builds an engine whose scripts see and say what `host` registers instead of what rules do, and notes what there is
/// where a book is given.
pub(crate) fn build_with(limits: &Limits, host: fn(&mut Registry<'_>), book: Option<&mut Book>) -> Engine {
    let mut engine = bare(limits);
    let mut registry = Registry::new(&mut engine, book);
    value::register(&mut registry);
    host(&mut registry);
    close(registry.engine(), limits);
    engine
}

fn bare(limits: &Limits) -> Engine {
    let mut engine = Engine::new_raw();
    ArithmeticPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);

    engine
        .set_max_operations(limits.operations)
        .set_max_call_levels(limits.call_levels)
        .set_max_expr_depths(limits.expression_depth, limits.expression_depth)
        .set_max_string_size(limits.string_bytes)
        .set_max_array_size(limits.array_elements)
        .set_max_map_size(limits.map_entries)
        .set_max_variables(limits.variables)
        .set_max_functions(limits.functions)
        .set_max_strings_interned(256)
        .set_optimization_level(OptimizationLevel::Simple)
        // Otherwise `()` compared with a number is false without a word, before our own operators are asked.
        .set_fast_operators(false)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(false);
    for word in DISABLED {
        engine.disable_symbol(word);
    }
    engine.on_progress(meter::progress);
    engine.on_print(printed);
    engine.on_debug(|text, _, _| printed(text));
    engine
}

fn printed(text: &str) {
    if meter::may_print() {
        tracing::debug!(target: "simbell_rules::print", "{}", harmless(text, 200));
    }
}

/// Replaces functions of Rhai's packages that use much before their result is measured, or that recurse.
fn close(engine: &mut Engine, limits: &Limits) {
    sorting::register(engine);
    let most = limits.string_bytes;
    engine
        .register_fn("replace", move |text: &mut ImmutableString, old: &str, new: &str| {
            replace(text, old, new, most)
        })
        .register_fn("replace", move |text: &mut ImmutableString, old: &str, new: char| {
            replace(text, old, new.encode_utf8(&mut [0; 4]), most)
        })
        .register_fn("replace", move |text: &mut ImmutableString, old: char, new: &str| {
            replace(text, old.encode_utf8(&mut [0; 4]), new, most)
        })
        .register_fn("replace", move |text: &mut ImmutableString, old: char, new: char| {
            replace(text, old.encode_utf8(&mut [0; 4]), new.encode_utf8(&mut [0; 4]), most)
        });

    for name in ["to_string", "to_debug", "print", "debug"] {
        engine
            .register_fn(name, |context: NativeCallContext, list: &mut Array| {
                listed(&context, &Dynamic::from_array(list.clone()))
            })
            .register_fn(name, |context: NativeCallContext, map: &mut Map| {
                listed(&context, &Dynamic::from_map(map.clone()))
            });
    }
    engine
        .register_fn("==", |a: Array, b: Array| equal(&a.into(), &b.into()))
        .register_fn("!=", |a: Array, b: Array| equal(&a.into(), &b.into()).map(|same| !same))
        .register_fn("==", |a: Map, b: Map| equal(&a.into(), &b.into()))
        .register_fn("!=", |a: Map, b: Map| equal(&a.into(), &b.into()).map(|same| !same))
        .register_fn("to_json", |_: &mut Map| fail::<()>("rules have no `to_json`"));

    // `map[key] = value` passes every limit of Rhai's but that of operations; the allocator's count bounds it. `set`
    // would too, and can be checked.
    let most = limits.map_entries;
    engine.register_fn("set", move |map: &mut Map, key: &str, value: Dynamic| insert(map, key, value, most));
}

fn insert(map: &mut Map, key: &str, value: Dynamic, most: usize) -> Fallible<()> {
    if map.len() >= most && !map.contains_key(key) {
        return fail(format!("a map may have {most} entries at most: {}", limit("entries")));
    }
    map.insert(key.into(), value);
    Ok(())
}

fn replace(text: &mut ImmutableString, old: &str, new: &str, most: usize) -> Fallible<()> {
    let count = text.matches(old).count();
    let grown = count.checked_mul(new.len()).and_then(|added| added.checked_add(text.len()));
    match grown {
        // The removed parts are not subtracted: an upper bound is enough to keep the peak small.
        Some(size) if size <= most.saturating_mul(2) => {
            *text = text.replace(old, new).into();
            Ok(())
        }
        _ => fail(format!("`replace` would make a string of more than {most} bytes: {}", limit("text"))),
    }
}

fn listed(context: &NativeCallContext, value: &Dynamic) -> Fallible<ImmutableString> {
    let mut text = String::new();
    write(context, value, 0, &mut text)?;
    Ok(text.into())
}

fn write(context: &NativeCallContext, value: &Dynamic, depth: usize, text: &mut String) -> Fallible<()> {
    if depth > MOST_NESTING {
        return fail(format!("values nested deeper than {MOST_NESTING} cannot be shown"));
    }
    if let Ok(list) = value.as_array_ref() {
        text.push('[');
        for (index, element) in list.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { ", " });
            write(context, element, depth + 1, text)?;
        }
        text.push(']');
    } else if let Ok(map) = value.as_map_ref() {
        text.push_str("#{");
        for (index, (name, element)) in map.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { ", " });
            text.push_str(&format!("{:?}: ", short(name)));
            write(context, element, depth + 1, text)?;
        }
        text.push('}');
    } else if let Ok(string) = value.as_immutable_string_ref() {
        text.push_str(&format!("{:?}", string.as_str()));
    } else if value.is_unit() {
        text.push_str("()");
    } else {
        let shown: ImmutableString = context.call_native_fn("to_string", (value.clone(),))?;
        text.push_str(&shown);
    }
    Ok(())
}

/// Whether two values are the same, lists and maps by their elements.
pub(crate) fn equal(a: &Dynamic, b: &Dynamic) -> Fallible<bool> {
    same(a, b, 0)
}

fn same(a: &Dynamic, b: &Dynamic, depth: usize) -> Fallible<bool> {
    if depth > MOST_NESTING {
        return fail(format!("values nested deeper than {MOST_NESTING} cannot be compared"));
    }
    if let (Ok(a), Ok(b)) = (a.as_array_ref(), b.as_array_ref()) {
        if a.len() != b.len() {
            return Ok(false);
        }
        for (a, b) in a.iter().zip(b.iter()) {
            if !same(a, b, depth + 1)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if let (Ok(a), Ok(b)) = (a.as_map_ref(), b.as_map_ref()) {
        if a.len() != b.len() {
            return Ok(false);
        }
        for (name, a) in a.iter() {
            match b.get(name) {
                Some(b) if same(a, b, depth + 1)? => {}
                _ => return Ok(false),
            }
        }
        return Ok(true);
    }
    value::equal(a, b)
}
