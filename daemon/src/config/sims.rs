//! `[sims.NAME]`: which SIMs there are, and their plans.

use std::collections::BTreeMap;

use simbell_core::bytes::Bytes;
use simbell_core::ident::{Apn, Iccid, IdentError, PlanName, SimName};
use simbell_core::number::{NumberClass, NumberPattern, OwnNumbers};
use simbell_core::plan::{AnchorDay, Counts, Period, Plan};
use simbell_core::settings::{SimSettings, SourceChoice};
use simbell_core::zone::ZoneRules;

use super::billing;
use super::merged::Value;
use super::problem::{ProblemKind, Show};
use super::section::{Field, Report, Section, quoted};
use super::zones::Zones;

/// Longest bundle, in days: ten years.
const MAX_DAYS: u16 = 3_660;

const EVERY: &str = "\"month\", or a number of days such as \"30 days\"";

pub(super) fn read(
    root: &mut Section<'_>,
    zone: &ZoneRules,
    zones: &mut Zones<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<Iccid, SimSettings> {
    let mut sims = BTreeMap::new();
    let mut places: BTreeMap<Iccid, (&str, String)> = BTreeMap::new();
    let section = root.get("sims").and_then(|field| field.section("sections [sims.NAME]", report));
    for (name, field) in section.iter().flat_map(Section::entries) {
        let sim_name = SimName::new(name)
            .map_err(|error| {
                field.invalid_hidden(ProblemKind::InvalidValue, report, error);
            })
            .ok();
        let Some(mut section) = field.section("a section such as [sims.home]", report) else { continue };
        let iccid_field = section.need("iccid", "iccid = \"89…\", as simbellctl sims shows it", report);
        let iccid = iccid_field.as_ref().and_then(|field| iccid_of(field, report));
        let own_zone = section.get("timezone").and_then(|field| zones.read(&field, report));
        let plan = section.get("plan").and_then(|field| plan(&field, sim_name.as_ref(), report));
        let source = section.get("source").and_then(|field| {
            let known = [
                ("auto", SourceChoice::Auto),
                ("kernel", SourceChoice::Kernel),
                ("modem", SourceChoice::Modem),
            ];
            field.one_of(&known, report)
        });
        let uncounted_apns =
            section.get("uncounted_apns").map(|field| apns(&field, report)).unwrap_or_default();
        let numbers = section.get("numbers").map(|field| numbers(&field, report)).unwrap_or_default();
        section.finish(report);
        let (Some(iccid), Some(field)) = (iccid, iccid_field) else { continue };
        if let Some((first, place)) = places.get(&iccid) {
            let first = quoted(first);
            let message = format!(
                "is the ICCID of the SIM {first} too ({place}); each SIM has one block: give this one the name {first}, or \
                 take one out"
            );
            report.add(ProblemKind::Conflict, field.place(), Show::Line, field.path(), message, None);
            continue;
        }
        places.insert(iccid.clone(), (name, report.location(field.place())));
        let zone = own_zone.unwrap_or_else(|| zone.clone());
        sims.insert(
            iccid,
            SimSettings {
                name: sim_name,
                plan,
                zone,
                source: source.unwrap_or_default(),
                uncounted_apns,
                numbers,
            },
        );
    }
    sims
}

/// Access points whose connections are none of the plan's.
fn apns(field: &Field<'_>, report: &mut Report<'_>) -> Vec<Apn> {
    let items = field.items("a list such as [\"ims\", \"mms\"]", report);
    let apn = |item: &Field<'_>, report: &mut Report<'_>| {
        let text = item.line("an APN such as \"ims\"", report)?;
        let no_apn = |error: IdentError| format!("{} is no APN: it {}", quoted(text), error.problem);
        Apn::new(text).map_err(|error| item.invalid(report, no_apn(error))).ok()
    };
    items.iter().filter_map(|item| apn(item, report)).collect()
}

/// Numbers that the owner classes by hand.
fn numbers(field: &Field<'_>, report: &mut Report<'_>) -> OwnNumbers {
    const CLASSES: [(&str, NumberClass); 5] = [
        ("free", NumberClass::Free),
        ("short", NumberClass::Short),
        ("national", NumberClass::National),
        ("international", NumberClass::International),
        ("premium", NumberClass::Premium),
    ];
    let mut own = OwnNumbers::default();
    let Some(mut section) = field.section("a section such as [sims.home.numbers]", report) else {
        return own;
    };
    for (key, class) in CLASSES {
        let Some(field) = section.get(key) else { continue };
        for item in field.items("a list such as [\"+491801*\", \"22*\"]", report) {
            let pattern = item.parsed::<NumberPattern>("a number, or the beginning of numbers", report);
            own.0.extend(pattern.map(|pattern| (pattern, class)));
        }
    }
    section.finish(report);
    own
}

fn iccid_of(field: &Field<'_>, report: &mut Report<'_>) -> Option<Iccid> {
    if matches!(field.value(), Value::Integer(_)) {
        field.wrong_type("a text: put the digits in quotes", report);
        return None;
    }
    let text = field.line("the ICCID, 18 to 22 digits in quotes", report)?;
    Iccid::new(text).map_err(|error| field.invalid(report, error)).ok()
}

fn plan(field: &Field<'_>, sim: Option<&SimName>, report: &mut Report<'_>) -> Option<Plan> {
    let mut section = field.section("a section such as [sims.home.plan]", report)?;
    let name = match section.get("name") {
        Some(field) => field.parsed::<PlanName>("the plan's name", report),
        None => sim.and_then(|sim| PlanName::new(sim.as_str()).ok()),
    };
    // Some(None) is a plan without a limit, None a value that could not be read.
    let data = match section.get("data") {
        None => Some(None),
        Some(field) => allowance(&field, report),
    };
    let counts = match section.get("counts") {
        None => Some(Counts::Both),
        Some(field) => field.one_of(
            &[
                ("both", Counts::Both),
                ("download", Counts::Download),
                ("upload", Counts::Upload),
                ("max", Counts::Max),
            ],
            report,
        ),
    };
    let roaming_counts = match section.get("roaming") {
        None => Some(true),
        Some(field) => field.one_of(&[("counts", true), ("free", false)], report),
    };
    let increment = billing::increment(&mut section, report);
    let free_hours = billing::free_hours(&mut section, report);
    let calibrate = match section.get("calibrate") {
        None => Some(false),
        Some(field) => field.boolean(report),
    };
    let period = period(&mut section, report);
    section.finish(report);
    Some(Plan {
        name: name?,
        data: data?,
        period: period?,
        counts: counts?,
        roaming_counts: roaming_counts?,
        increment: increment?,
        free_hours: free_hours?,
        calibrate: calibrate?,
    })
}

fn allowance(field: &Field<'_>, report: &mut Report<'_>) -> Option<Option<Bytes>> {
    const WANTED: &str = "an amount of data in quotes such as \"6 GB\", or \"unlimited\"";
    let text = field.line(WANTED, report)?;
    if text == "unlimited" {
        return Some(None);
    }
    let bytes: Bytes = field.parsed(WANTED, report)?;
    if bytes.0 == 0 {
        // A share of nothing is no number that a rule could compare.
        let message =
            "is 0 B, of which no share can be used; write \"1 kB\" to be told of the first use".to_owned();
        field.invalid(report, message);
        return None;
    }
    Some(Some(bytes))
}

enum Every {
    Month,
    Days(u16),
}

fn period(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<Period> {
    let (every, until) = (section.get("every"), section.get("until"));
    let (day, start, renews) = (section.get("day"), section.get("start"), section.get("renews"));
    let refuse = |field: Option<Field<'_>>, why: &str, report: &mut Report<'_>| {
        if let Some(field) = field {
            let (place, path) = (field.key_place(), field.path());
            report.add(ProblemKind::Conflict, place, Show::Line, path, why.to_owned(), None);
        }
    };
    match (every, until) {
        (None, None) => {
            section.missing(
                "every",
                &format!("every = {EVERY}; or until = \"used\" for a bucket with no end"),
                report,
            );
            None
        }
        (Some(every), Some(until)) => {
            let message = format!("cannot stand beside `every` ({})", report.location(every.key_place()));
            let hint =
                Some("keep `every` for a cycle or `until = \"used\"` for a bucket with no end".to_owned());
            report.add(ProblemKind::Conflict, until.key_place(), Show::Line, until.path(), message, hint);
            None
        }
        (None, Some(until)) => {
            let known = until.one_of(&[("used", ())], report);
            refuse(day, "has no meaning for a bucket, which has no cycle; remove it", report);
            refuse(renews, "has no meaning for a bucket, which does not renew; remove it", report);
            let start = needed_start(section, start, report);
            known?;
            Some(Period::Bucket { start: start? })
        }
        (Some(every), None) => match every_of(&every, report) {
            None => {
                // Which of the two can stand here is not known; whether they make sense by themselves is.
                if let Some(day) = day {
                    let _ = anchor(&day, report);
                }
                if let Some(renews) = renews {
                    let _ = renews.boolean(report);
                }
                None
            }
            Some(Every::Month) => {
                refuse(start, "has no meaning for a month, which starts on `day`; remove it", report);
                refuse(renews, "has no meaning for a month, which always starts anew; remove it", report);
                match day {
                    None => Some(Period::Monthly(AnchorDay::Day(1))),
                    Some(day) => anchor(&day, report).map(Period::Monthly),
                }
            }
            Some(Every::Days(days)) => {
                refuse(
                    day,
                    "has no meaning for a number of days, which count from `start`; remove it",
                    report,
                );
                let renews = match renews {
                    None => Some(true),
                    Some(renews) => renews.boolean(report),
                };
                let start = needed_start(section, start, report);
                Some(Period::Days { days, start: start?, renews: renews? })
            }
        },
    }
}

fn needed_start(
    section: &Section<'_>,
    start: Option<Field<'_>>,
    report: &mut Report<'_>,
) -> Option<chrono::NaiveDate> {
    match start {
        Some(start) => start.date(report),
        None => {
            section.missing("start", "the first day, such as start = 2026-11-01", report);
            None
        }
    }
}

fn every_of(field: &Field<'_>, report: &mut Report<'_>) -> Option<Every> {
    let text = field.line(EVERY, report)?;
    let found = match text {
        "month" => Some(Every::Month),
        "day" => Some(Every::Days(1)),
        "week" => Some(Every::Days(7)),
        text => {
            let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
            let factor = match unit.trim() {
                "day" | "days" => Some(1),
                "week" | "weeks" => Some(7),
                _ => None,
            };
            let number = number.parse::<u16>().ok().filter(|number| *number > 0);
            let days = number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
            days.filter(|days| *days <= MAX_DAYS).map(Every::Days)
        }
    };
    if found.is_none() {
        field.invalid(report, format!("is not a cycle; write {EVERY} ({MAX_DAYS} at most)"));
    }
    found
}

fn anchor(field: &Field<'_>, report: &mut Report<'_>) -> Option<AnchorDay> {
    match field.value() {
        Value::Text(_) => field.parsed("1 to 31, or \"last\"", report),
        _ => {
            let day = field.integer(1, 31, report)?;
            u8::try_from(day).ok().and_then(|day| AnchorDay::new(day).ok())
        }
    }
}
