//! The carrier's view: `usage observe`, `observations`, `withdraw`, `corrections` and `undo`, and what `usage` shows
//! as billed.

use simbell_api::{
    BilledSpan, Calibration, Client, Correction, Observation, ObservationReply, ObserveUsageParams, Sim,
    UndoCorrectionParams, WithdrawObservationParams,
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
        let corrected = match of.correction_bytes {
            0 => String::new(),
            bytes => format!(", {} of it by corrections, which the factor leaves aside", signed(bytes)),
        };
        let text = format!(
            "Kept as observation {}: the carrier says {}, billed by then were {}{corrected}. {}\n{}",
            of.id,
            amount(of.observed_bytes),
            amount(of.billed_bytes.saturating_add_signed(of.correction_bytes)),
            standing(of),
            learnt(&taught, out)
        );
        out.text(&text)?;
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
        out.text(&text)?;
    }
    Ok(Verdict::Done)
}

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
        out.text("No figure of a carrier is known; tell one with `simbellctl usage observe`.\n")?;
        return Ok(Verdict::Done);
    }
    let mut table = Table::new(vec![
        ("ID", Column::Number),
        ("AT", Column::Whole),
        ("SIM", Column::Text),
        ("CARRIER", Column::Number),
        ("BILLED", Column::Number),
        ("FACTOR", Column::Number),
        ("", Column::Text),
    ]);
    for one in &all {
        let (said, billed) = match one.withdraws {
            Some(_) => ("-".to_owned(), "-".to_owned()),
            None => (
                amount(one.observed_bytes),
                amount(one.billed_bytes.saturating_add_signed(one.correction_bytes)),
            ),
        };
        table.row(vec![
            one.id.to_string(),
            time::absolute(&one.at),
            one.sim.clone().unwrap_or_else(|| sims::unnamed(&one.iccid)),
            said,
            billed,
            one.factor_millionths.map_or_else(|| "-".to_owned(), factor),
            one.withdraws.map_or_else(|| one.standing.clone(), |id| format!("takes {id} back")),
        ]);
    }
    let mut page = table.render(out.width, out.color);
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
        out.text(&format!(
            "Correction {id} is taken back: the ledger has an entry of {}, number {}. The usage of the cycle is {} \
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

/// How far the carrier counts beside what is billed, in a line; nothing where that is not known.
pub(super) fn calibration(
    name: &str,
    calibrated: Option<u64>,
    learnt: &Calibration,
    columns: usize,
) -> Option<String> {
    let calibrated = calibrated?;
    let (middle, lowest, highest) =
        (learnt.factor_millionths?, learnt.lowest_millionths?, learnt.highest_millionths?);
    let times = match learnt.observations? {
        1 => "1 observation".to_owned(),
        many => format!("{many} observations"),
    };
    let line = format!(
        "{}: likely {} by the carrier's count, which is {} of what is billed ({} to {}, {times}).",
        safe(name),
        amount(calibrated),
        factor(middle),
        factor(lowest),
        factor(highest),
    );
    Some(wrap(&line, columns).iter().map(|line| format!("{line}\n")).collect())
}

fn learnt(taught: &ObservationReply, out: &Out) -> String {
    let name = taught.observation.sim.as_deref().unwrap_or(&taught.observation.iccid);
    calibration(name, taught.calibrated_bytes, &taught.calibration, out.width).unwrap_or_default()
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

    #[test]
    fn factors_are_shares() {
        assert_eq!(factor(1_000_000), "100.00 %");
        assert_eq!(factor(1_052_949), "105.29 %");
        assert_eq!(factor(999_950), "100.00 %");
        assert_eq!(factor(999_949), "99.99 %");
        assert_eq!(factor(0), "0.00 %");
    }
}
