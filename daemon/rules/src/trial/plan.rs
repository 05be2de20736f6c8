//! A plan as a story writes it: the keys of the configuration's `[sims.NAME.plan]`.

use chrono::NaiveDate;
use rhai::{Dynamic, Map};
use simbell_core::bytes::Bytes;
use simbell_core::ident::PlanName;
use simbell_core::plan::{AnchorDay, Counts, Period, Plan};

use crate::problem::nearest;
use crate::text::short;
use crate::value::{DataSize, Date, Span};
use rust_decimal::prelude::ToPrimitive;

const KEYS: [&str; 9] = ["name", "data", "every", "until", "day", "start", "renews", "counts", "roaming"];

/// Reads the map. `sim` is the plan's name where it has none of its own, `today` its start.
///
/// # Errors
/// Which key is wrong, and what to write.
pub(super) fn read(map: &Map, sim: &str, today: NaiveDate) -> Result<Plan, String> {
    known(map, &KEYS, "a plan")?;
    let text = |key: &str| match map.get(key) {
        None => Ok(None),
        Some(value) => match value.as_immutable_string_ref() {
            Ok(text) => Ok(Some(text.to_string())),
            Err(_) => Err(format!("a plan's `{key}` is a text in quotes")),
        },
    };
    let name = text("name")?.unwrap_or_else(|| sim.to_owned());
    let data = match map.get("data") {
        None => None,
        Some(value) => match value.as_immutable_string_ref().ok().as_deref().map(|text| text.as_str()) {
            Some("unlimited") => None,
            Some(text) => Some(text.parse::<Bytes>().map_err(|error| format!("a plan's `data` {error}"))?),
            None => {
                Some(Bytes(bytes(value).ok_or("a plan's `data` is an amount such as \"10 GB\" or 10.GB")?))
            }
        },
    };
    let counts = match text("counts")? {
        None => Counts::Both,
        Some(text) => text.parse().map_err(|error| format!("a plan's `counts` {error}"))?,
    };
    let roaming_counts = match text("roaming")?.as_deref() {
        None | Some("counts") => true,
        Some("free") => false,
        Some(_) => return Err("a plan's `roaming` is \"counts\" or \"free\"".to_owned()),
    };
    Ok(Plan {
        name: PlanName::new(&name).map_err(|error| error.to_string())?,
        data,
        period: period(map, today)?,
        counts,
        roaming_counts,
        increment: None,
        free_hours: Vec::new(),
        calibrate: false,
    })
}

fn period(map: &Map, today: NaiveDate) -> Result<Period, String> {
    const EVERY: &str =
        "a plan's `every` is \"month\", \"day\", \"week\" or a number of days such as \"30 days\" or 30.days";
    let start = match map.get("start") {
        None => today,
        Some(value) => date(value).ok_or("a plan's `start` is a date such as \"2026-11-01\"")?,
    };
    if map.contains_key("until") {
        let used = map
            .get("until")
            .and_then(|value| value.as_immutable_string_ref().ok())
            .is_some_and(|text| text.as_str() == "used");
        return if used && !map.contains_key("every") {
            Ok(Period::Bucket { start })
        } else {
            Err("a plan's `until` is \"used\", and stands without `every`".to_owned())
        };
    }
    let days = match map.get("every") {
        None => None,
        Some(value) => match value.as_immutable_string_ref().ok().as_deref().map(|text| text.as_str()) {
            Some("month") => None,
            Some("day") => Some(1),
            Some("week") => Some(7),
            Some(text) => {
                let number = text.strip_suffix(" days").or_else(|| text.strip_suffix(" day"));
                Some(number.and_then(|number| number.parse().ok()).filter(|days| *days > 0).ok_or(EVERY)?)
            }
            None => {
                let ms = value.read_lock::<Span>().map(|span| span.0).ok_or(EVERY)?;
                let days = u16::try_from(ms / 86_400_000).map_err(|_| EVERY.to_owned())?;
                Some(days).filter(|days| *days > 0 && ms % 86_400_000 == 0).map(Some).ok_or(EVERY)?
            }
        },
    };
    match days {
        Some(days) => {
            let renews = match map.get("renews") {
                None => true,
                Some(value) => {
                    value.as_bool().map_err(|_| "a plan's `renews` is true or false".to_owned())?
                }
            };
            Ok(Period::Days { days, start, renews })
        }
        None => {
            let wrong = || "a plan's `day` is 1 to 31, or \"last\"".to_owned();
            let anchor = match map.get("day") {
                None => AnchorDay::Day(1),
                Some(value) => value.to_string().parse().map_err(|_| wrong())?,
            };
            Ok(Period::Monthly(anchor))
        }
    }
}

/// Whole bytes of an amount of data, 0 at least.
pub(super) fn bytes(value: &Dynamic) -> Option<u64> {
    value.read_lock::<DataSize>().and_then(|size| size.value.round().to_u64())
}

fn date(value: &Dynamic) -> Option<NaiveDate> {
    match value.read_lock::<Date>() {
        Some(date) => Some(date.0),
        None => Date::parse(&value.to_string()).map(|date| date.0),
    }
}

/// Refuses keys that mean nothing.
pub(super) fn known(map: &Map, keys: &[&str], what: &str) -> Result<(), String> {
    match map.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let hint = nearest(key, keys).map_or_else(
                || format!("it has: {}", keys.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            Err(format!("{what} has no `{}`: {hint}", short(key)))
        }
    }
}
