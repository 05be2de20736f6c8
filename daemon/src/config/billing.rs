//! `increment`, `per` and `free_hours` of a plan.

use std::collections::BTreeSet;

use simbell_core::billing::{FreeHours, Increment, Per};
use simbell_core::bytes::Bytes;
use simbell_core::schedule::TimeOfDay;

use super::merged::Value;
use super::problem::{ProblemKind, Show};
use super::section::{Field, Report, Section, quoted};

/// Largest increment: more would be no step but an allowance.
const MOST: Bytes = Bytes(1_000_000_000);

/// Most spans of zero-rated hours of one plan.
const MOST_SPANS: usize = 16;

const DAYS: [(&str, u8); 7] =
    [("mon", 1), ("tue", 2), ("wed", 3), ("thu", 4), ("fri", 5), ("sat", 6), ("sun", 7)];

const SPAN: &str = "{ from = \"00:00\", until = \"06:00\" }";

/// The step that usage is rounded up to. None where it could not be read, `Some(None)` where there is none.
pub(super) fn increment(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<Option<Increment>> {
    let (increment, per) = (section.get("increment"), section.get("per"));
    let per_of = |field: &Field<'_>, report: &mut Report<'_>| {
        field.one_of(&[(Per::Session.as_str(), Per::Session), (Per::Day.as_str(), Per::Day)], report)
    };
    match (increment, per) {
        (None, None) => Some(None),
        (None, Some(per)) => {
            let message = "has no meaning without `increment`".to_owned();
            let hint = Some("add increment = \"100 kB\", or remove it".to_owned());
            report.add(ProblemKind::Conflict, per.key_place(), Show::Line, per.path(), message, hint);
            None
        }
        (Some(increment), None) => {
            let _ = size(&increment, report);
            section.missing("per", "per = \"session\", or per = \"day\": what is rounded up to it", report);
            None
        }
        (Some(increment), Some(per)) => {
            let (bytes, per) = (size(&increment, report), per_of(&per, report));
            Some(Some(Increment { bytes: bytes?, per: per? }))
        }
    }
}

fn size(field: &Field<'_>, report: &mut Report<'_>) -> Option<Bytes> {
    let bytes: Bytes = field.parsed("an amount of data in quotes such as \"100 kB\"", report)?;
    if bytes.0 == 0 || bytes > MOST {
        let message = format!("is {} and no step to bill in; write \"1 kB\" to \"1 GB\"", bytes.exact());
        field.invalid(report, message);
        return None;
    }
    Some(bytes)
}

/// Hours that cost nothing; none where they could not be read.
pub(super) fn free_hours(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<Vec<FreeHours>> {
    let Some(field) = section.get("free_hours") else { return Some(Vec::new()) };
    if !matches!(field.value(), Value::Array(_)) {
        field.wrong_type(&format!("a list such as [{SPAN}]"), report);
        return None;
    }
    let items = field.items(SPAN, report);
    if items.len() > MOST_SPANS {
        field.invalid(report, format!("has {} spans; a plan can have {MOST_SPANS}", items.len()));
        return None;
    }
    let spans: Vec<Option<FreeHours>> = items.iter().map(|item| span(item, report)).collect();
    spans.into_iter().collect()
}

fn span(field: &Field<'_>, report: &mut Report<'_>) -> Option<FreeHours> {
    let mut section = field.section(&format!("a span such as {SPAN}"), report)?;
    let from = section.need("from", "from = \"00:00\"", report);
    let until = section.need("until", "until = \"06:00\"", report);
    let days = match section.get("days") {
        None => Some(DAYS.iter().map(|(_, day)| *day).collect()),
        Some(days) => weekdays(&days, report),
    };
    section.finish(report);
    let until_place = until.as_ref().map(|until| (until.place(), until.path().to_owned()));
    let from = from.and_then(|from| from.parsed::<TimeOfDay>("a time such as \"00:00\"", report));
    let until = until.and_then(|until| end(&until, report));
    let (from, (until, to_midnight)) = (from?, until?);
    if from == until && !to_midnight {
        if let Some((place, path)) = until_place {
            let message = format!(
                "is \"{until}\" as is `from`: no span; write from = \"00:00\", until = \"24:00\" for whole days"
            );
            report.add(ProblemKind::InvalidValue, place, Show::Line, &path, message, None);
        }
        return None;
    }
    Some(FreeHours { from, until, days: days? })
}

/// A time of day, `24:00` included; whether it is that.
fn end(field: &Field<'_>, report: &mut Report<'_>) -> Option<(TimeOfDay, bool)> {
    const WANTED: &str = "a time such as \"06:00\", or \"24:00\"";
    if field.line(WANTED, report)? == "24:00" {
        return Some((TimeOfDay { hour: 0, minute: 0 }, true));
    }
    field.parsed(WANTED, report).map(|time| (time, false))
}

fn weekdays(field: &Field<'_>, report: &mut Report<'_>) -> Option<BTreeSet<u8>> {
    const WANTED: &str = "a list of weekdays such as [\"sat\", \"sun\"]";
    let items = field.items(WANTED, report);
    if items.is_empty() {
        if matches!(field.value(), Value::Array(_)) {
            field.invalid(report, format!("is empty; write {WANTED}, or leave it out for every day"));
        }
        return None;
    }
    let days: Vec<Option<u8>> = items.iter().map(|item| item.one_of(&DAYS, report)).collect();
    let days: Vec<u8> = days.into_iter().collect::<Option<_>>()?;
    let set: BTreeSet<u8> = days.iter().copied().collect();
    if set.len() < days.len() {
        let twice = days.iter().find(|day| days.iter().filter(|other| other == day).count() > 1);
        let name = DAYS.iter().find(|(_, day)| Some(day) == twice).map_or("a day", |(name, _)| name);
        field.invalid(report, format!("names {} twice", quoted(name)));
        return None;
    }
    Some(set)
}
