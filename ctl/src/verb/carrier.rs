//! The carrier's view: `usage observe`, `observations`, `withdraw`, `corrections` and `undo`, and what `usage` shows
//! as billed.

use simbell_api::{
    BilledSpan, Calibration, Client, Correction, Observation, ObservationReply, ObserveUsageParams, Sim,
    UndoCorrectionParams, UsedParts, WithdrawObservationParams,
};

use super::{Verdict, sims};
use crate::cli::By;
use crate::failure::CtlError;
use crate::out::Out;
use crate::parse::Amount;
use crate::show::amount::{amount, maybe, signed};
use crate::show::records::paragraph;
use crate::show::table::{Column, Table};
use crate::show::text::{safe, wrap};
use crate::show::time;

pub(super) async fn observe(
    client: &mut Client,
    out: &mut Out,
    figure: Amount,
    sim: Option<String>,
    at: Option<String>,
    note: Option<String>,
) -> Result<Verdict, CtlError> {
    let taught = client.observe_usage(&ObserveUsageParams { sim, bytes: figure.0, at, note }).await?;
    if out.json {
        out.json(&taught)?;
    } else {
        let of = &taught.observation;
        let text = format!(
            "Kept as observation {}: the carrier says {}. {}\n{}",
            of.id,
            compared(of),
            standing(of),
            learnt(&taught, out)
        );
        out.prose(&text)?;
    }
    Ok(Verdict::Done)
}

pub(super) async fn withdraw(
    client: &mut Client,
    out: &mut Out,
    id: i64,
    note: String,
) -> Result<Verdict, CtlError> {
    let taught = client.withdraw_observation(&WithdrawObservationParams { id, note }).await?;
    if out.json {
        out.json(&taught)?;
    } else {
        let text = format!(
            "Observation {id} is taken back, by entry {}.\n{}",
            taught.observation.id,
            learnt(&taught, out)
        );
        out.prose(&text)?;
    }
    Ok(Verdict::Done)
}

/// The place of the corrections among the columns of observations.
const CORRECTIONS: usize = 5;

pub(super) async fn observations(
    client: &mut Client,
    out: &mut Out,
    sim: Option<String>,
) -> Result<Verdict, CtlError> {
    let all = client.observations(sim).await?;
    if out.json {
        for one in &all {
            out.json(one)?;
        }
        return Ok(Verdict::Done);
    }
    if all.is_empty() {
        out.prose("No figure of a carrier is known; tell one with `simbellctl usage observe`.\n")?;
        return Ok(Verdict::Done);
    }
    let mut columns = vec![
        ("ID", Column::Number),
        ("AT", Column::Whole),
        ("SIM", Column::Text),
        ("CARRIER", Column::Number),
        ("BILLED", Column::Number),
        ("FACTOR", Column::Number),
        ("", Column::Text),
    ];
    let corrected = all.iter().any(|one| one.withdraws.is_none() && one.correction_bytes != 0);
    if corrected {
        columns.insert(CORRECTIONS, ("CORRECTIONS", Column::Number));
    }
    let mut table = Table::new(columns);
    for one in &all {
        let (said, billed) = match one.withdraws {
            Some(_) => ("-".to_owned(), "-".to_owned()),
            None => (amount(one.observed_bytes), amount(one.billed_bytes)),
        };
        let mut cells = vec![
            one.id.to_string(),
            time::absolute(&one.at),
            one.sim.clone().unwrap_or_else(|| sims::unnamed(&one.iccid)),
            said,
            billed,
            one.factor_millionths.map_or_else(|| "-".to_owned(), factor),
            one.withdraws.map_or_else(|| one.standing.clone(), |id| format!("takes {id} back")),
        ];
        if corrected {
            let sum = match one.correction_bytes {
                0 => "-".to_owned(),
                bytes => signed(bytes),
            };
            cells.insert(CORRECTIONS, sum);
        }
        table.row(cells);
    }
    let mut page = table.render(out.width, out.color);
    if corrected {
        page.push_str(&paragraph("FACTOR is CARRIER less CORRECTIONS, as a share of BILLED.", out.width));
    }
    for one in all.iter().filter(|one| !one.note.is_empty()) {
        page.push_str(&paragraph(&format!("{}, {}: {}", one.id, one.author, one.note), out.width));
    }
    out.text(&page)?;
    Ok(Verdict::Done)
}

pub(super) async fn corrections(
    client: &mut Client,
    out: &mut Out,
    sim: Option<String>,
) -> Result<Verdict, CtlError> {
    let all = client.corrections(sim).await?;
    if out.json {
        for one in &all {
            out.json(one)?;
        }
        return Ok(Verdict::Done);
    }
    if all.is_empty() {
        out.text("Nothing was corrected.\n")?;
        return Ok(Verdict::Done);
    }
    let mut table = Table::new(vec![
        ("ID", Column::Number),
        ("COUNTS AT", Column::Whole),
        ("SIM", Column::Text),
        ("AMOUNT", Column::Number),
        ("BY", Column::Text),
        ("", Column::Text),
    ]);
    for one in &all {
        table.row(vec![
            one.id.to_string(),
            time::absolute(&one.at),
            one.sim.clone().unwrap_or_else(|| sims::unnamed(&one.iccid)),
            signed(one.bytes),
            one.author.clone(),
            fate(one),
        ]);
    }
    let mut page = table.render(out.width, out.color);
    for one in &all {
        page.push_str(&paragraph(&format!("{}: {}", one.id, one.reason), out.width));
    }
    out.text(&page)?;
    Ok(Verdict::Done)
}

pub(super) async fn undo(
    client: &mut Client,
    out: &mut Out,
    id: i64,
    reason: String,
) -> Result<Verdict, CtlError> {
    let undone = client.undo_correction(&UndoCorrectionParams { id, reason }).await?;
    if out.json {
        out.json(&undone)?;
    } else {
        out.prose(&format!(
            "Correction {id} is taken back: the ledger has an entry of {}, number {}. The usage of its cycle is {} \
             now; it was {}.\n",
            signed(undone.correction.bytes),
            undone.correction.id,
            amount(undone.bytes),
            amount(undone.before_bytes)
        ))?;
        // The answer stands without it.
        let all = client.corrections(Some(undone.correction.iccid.clone())).await.unwrap_or_default();
        if let Some(later) = later_than(id, &all) {
            out.note(&later);
        }
    }
    Ok(Verdict::Done)
}

/// What to know of those that were made after one that is taken back: each is an amount, which `usage set` works out from
/// what was counted as it was made.
fn later_than(id: i64, all: &[Correction]) -> Option<String> {
    let later = all.iter().filter(|one| one.id > id && one.undoes.is_none() && one.undone_by.is_none());
    let stay = match later.count() {
        0 => return None,
        1 => "a later correction stays".to_owned(),
        many => format!("{many} later corrections stay"),
    };
    Some(format!(
        "{stay}; a figure that was set so is off by this amount now: `simbellctl usage set` sets it anew"
    ))
}

/// As measured beside as billed, span by span; nothing where no plan bills otherwise than it was measured.
pub(super) fn billed(spans: &[BilledSpan], by: By, name: impl Fn(&str) -> String, out: &Out) -> String {
    if by != By::Cycle && spans.iter().all(|span| span.billed_bytes == Some(span.measured_bytes)) {
        return String::new();
    }
    if spans.is_empty() {
        return String::new();
    }
    let mut table = Table::new(vec![
        ("FROM", Column::Whole),
        ("SIM", Column::Text),
        ("MEASURED", Column::Number),
        ("AS BILLED", Column::Number),
        ("CORRECTIONS", Column::Number),
    ]);
    for span in spans {
        let corrections = match span.correction_bytes {
            0 => "-".to_owned(),
            bytes => signed(bytes),
        };
        table.row(vec![
            span.start.split_once('T').map_or(span.start.as_str(), |(date, _)| date).to_owned(),
            name(&span.iccid),
            amount(span.measured_bytes),
            maybe(span.billed_bytes),
            corrections,
        ]);
    }
    format!("\n{}", table.render(out.width, out.color))
}

/// Where corrections of a SIM's cycle are more than what was counted, so that its usage shows as 0; nothing elsewhere.
pub(super) fn overdrawn(sim: &Sim, columns: usize) -> Option<String> {
    let missing = amount(sim.overdrawn_bytes?);
    Some(paragraph(
        &format!(
            "{}: corrections exceed what was counted in the cycle by {missing}; the next {missing} will not show. Say \
             what was used with `simbellctl usage set`.",
            sims::called(sim)
        ),
        columns,
    ))
}

/// What a factor compares: corrections are left out on both sides.
fn compared(of: &Observation) -> String {
    let (said, billed) = (amount(of.observed_bytes), amount(of.billed_bytes));
    if of.correction_bytes == 0 {
        return format!("{said}, billed by then were {billed}");
    }
    let corrections = signed(of.correction_bytes);
    let left = i128::from(of.observed_bytes).saturating_sub(i128::from(of.correction_bytes));
    match u64::try_from(left) {
        Ok(left) => format!(
            "{said}, which is {} without the corrections of {corrections}; billed by then were {billed}",
            amount(left)
        ),
        Err(_) => format!(
            "{said}, which is less than the corrections of {corrections}; billed by then were {billed}"
        ),
    }
}

/// How far the carrier counts beside what is billed, in a line; nothing where that is not known.
pub(super) fn calibration(
    name: &str,
    calibrated: Option<u64>,
    learnt: &Calibration,
    parts: Option<&UsedParts>,
    columns: usize,
) -> Option<String> {
    let likely = amount(calibrated?);
    let factor_of = factor(learnt.factor_millionths?);
    let from = match learnt.observations? {
        1 => "1 observation".to_owned(),
        many => {
            let (lowest, highest) = (factor(learnt.lowest_millionths?), factor(learnt.highest_millionths?));
            format!("{lowest} to {highest}, {many} observations")
        }
    };
    let known = parts.and_then(|parts| Some((parts, parts.calibrated_bytes?)));
    let made_of = match known {
        Some((parts, _)) if parts.correction_bytes == 0 => {
            format!(", which is {factor_of} of the {} billed", amount(parts.billed_bytes))
        }
        Some((parts, scaled)) => format!(
            ": {}, which is {factor_of} of the {} billed, and corrections of {}",
            amount(scaled),
            amount(parts.billed_bytes),
            signed(parts.correction_bytes)
        ),
        None => format!(", where {factor_of} of what is billed is reckoned, and corrections as they are"),
    };
    let line = format!("{}: likely {likely} by the carrier's count{made_of} ({from}).", safe(name));
    Some(wrap(&line, columns).iter().map(|line| format!("{line}\n")).collect())
}

/// What is used of a SIM's cycle where the figures of `usage` alone do not add up to it; nothing elsewhere.
pub(super) fn used(sim: &Sim, columns: usize) -> Option<String> {
    let parts = sim.parts.as_ref()?;
    let calibrated = parts.counted_bytes != parts.billed_bytes;
    if parts.counted_bytes == parts.measured_bytes || !(calibrated || parts.correction_bytes != 0) {
        return None;
    }
    let how = match sim.calibration.factor_millionths.filter(|_| calibrated) {
        Some(share) => {
            format!("by the carrier's count, {} of the {} billed", factor(share), amount(parts.billed_bytes))
        }
        None => "as billed".to_owned(),
    };
    let corrected = match parts.correction_bytes {
        0 => String::new(),
        bytes => format!("; corrections of {}", signed(bytes)),
    };
    Some(paragraph(
        &format!(
            "{}: {} used in the cycle: {} {how}{corrected}.",
            sims::called(sim),
            amount(sim.used_bytes),
            amount(parts.counted_bytes)
        ),
        columns,
    ))
}

fn learnt(taught: &ObservationReply, out: &Out) -> String {
    let name = taught.observation.sim.as_deref().unwrap_or(&taught.observation.iccid);
    calibration(name, taught.calibrated_bytes, &taught.calibration, taught.parts.as_ref(), out.width)
        .unwrap_or_default()
}

fn standing(one: &Observation) -> &'static str {
    match one.standing.as_str() {
        "used" => "It counts for the factor.",
        "insignificant" => "Too little was billed by then to learn from it.",
        "other-plan" => "It was billed by other terms than those of now, so nothing is learnt from it.",
        "older" => "Newer ones are learnt from.",
        _ => "",
    }
}

fn fate(one: &Correction) -> String {
    match (one.undoes, one.undone_by) {
        (_, Some(by)) => format!("undone by {by}"),
        (Some(of), None) => format!("undoes {of}"),
        (None, None) => String::new(),
    }
}

/// Millionths as a share: `105.30 %`, rounded half up.
fn factor(millionths: u64) -> String {
    let hundredths = millionths.saturating_add(50) / 100;
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_corrected_later_is_told_of() {
        let one = |id, undoes, undone_by| Correction {
            id,
            iccid: "8949000000000000011".to_owned(),
            sim: None,
            at: "2026-11-22T21:00:00+01:00".to_owned(),
            bytes: 1,
            author: "uid 0".to_owned(),
            reason: String::new(),
            undoes,
            undone_by,
        };
        let all = [one(1, None, Some(4)), one(2, None, None), one(3, None, Some(5)), one(4, Some(1), None)];
        assert!(later_than(1, &all).unwrap().starts_with("a later correction stays; "));
        assert_eq!(later_than(2, &all), None);
        let all = [one(1, None, Some(4)), one(2, None, None), one(3, None, None), one(4, Some(1), None)];
        assert!(later_than(1, &all).unwrap().starts_with("2 later corrections stay; "));
    }

    /// The figures of a line give the ratio that it names.
    #[test]
    fn what_is_likely_says_of_which_figures_it_is_made() {
        let learnt = Calibration {
            factor_millionths: Some(1_120_300),
            lowest_millionths: Some(1_120_300),
            highest_millionths: Some(1_120_300),
            observations: Some(1),
        };
        let parts = UsedParts {
            measured_bytes: 70_000_000,
            billed_bytes: 72_000_000,
            calibrated_bytes: Some(80_661_600),
            counted_bytes: 72_000_000,
            correction_bytes: 0,
        };
        let line = |likely, learnt: &Calibration, parts| {
            calibration("home", Some(likely), learnt, parts, 200).unwrap()
        };
        assert_eq!(
            line(80_661_600, &learnt, Some(&parts)),
            "home: likely 80.66 MB by the carrier's count, which is 112.03 % of the 72.00 MB billed (1 observation).\n"
        );
        let parts = UsedParts { correction_bytes: 1_130_000_000, ..parts };
        let more = Calibration { lowest_millionths: Some(1_100_000), observations: Some(3), ..learnt };
        assert_eq!(
            line(1_210_661_600, &more, Some(&parts)),
            "home: likely 1.21 GB by the carrier's count: 80.66 MB, which is 112.03 % of the 72.00 MB billed, and \
             corrections of +1.13 GB (110.00 % to 112.03 %, 3 observations).\n"
        );
        assert!(line(1, &more, None).contains("112.03 % of what is billed"));
        let one = |observed_bytes, correction_bytes| Observation {
            id: 1,
            iccid: String::new(),
            sim: None,
            at: String::new(),
            cycle_start: String::new(),
            observed_bytes,
            billed_bytes: 72_000_000,
            correction_bytes,
            factor_millionths: None,
            standing: "used".to_owned(),
            source: "user".to_owned(),
            author: String::new(),
            note: String::new(),
            withdraws: None,
        };
        assert_eq!(compared(&one(80_000_000, 0)), "80.00 MB, billed by then were 72.00 MB");
        assert_eq!(
            compared(&one(80_000_000, 1_130_000_000)),
            "80.00 MB, which is less than the corrections of +1.13 GB; billed by then were 72.00 MB"
        );
        assert_eq!(
            compared(&one(1_210_000_000, 1_130_000_000)),
            "1.21 GB, which is 80.00 MB without the corrections of +1.13 GB; billed by then were 72.00 MB"
        );
    }

    #[test]
    fn factors_are_shares() {
        assert_eq!(factor(1_000_000), "100.00 %");
        assert_eq!(factor(1_052_949), "105.29 %");
        assert_eq!(factor(999_950), "100.00 %");
        assert_eq!(factor(999_949), "99.99 %");
        assert_eq!(factor(0), "0.00 %");
    }
}
