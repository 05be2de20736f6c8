//! `usage` and `usage set`.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::DateTime;
use simbell_api::{Client, GetUsageParams, SetUsageParams, Sim, UsageOutput, UsageRow};

use super::{Verdict, carrier, sims};
use crate::cli::{By, UsageArgs};
use crate::failure::CtlError;
use crate::out::Out;
use crate::parse::{Amount, Threshold};
use crate::show::amount::{amount, signed};
use crate::show::records::paragraph;
use crate::show::table::{Column, Table};
use crate::show::text::fill;
use crate::show::time;

pub(super) async fn run(client: &mut Client, out: &mut Out, args: &UsageArgs) -> Result<Verdict, CtlError> {
    let by = match args.by {
        By::Hour => "hour",
        By::Day => "day",
        By::Cycle => "cycle",
    };
    let question = GetUsageParams {
        sim: args.sim.clone(),
        by: by.to_owned(),
        from: args.from.clone(),
        to: args.to.clone(),
        after: None,
        limit: None,
    };
    let mut usage = client.usage(&question).await?;
    if args.by != By::Hour {
        usage.billed = client.billed(&question).await?;
    }
    let known = if out.json && args.check.is_none() { Vec::new() } else { client.sims().await? };
    let asked: Vec<&Sim> = match &args.sim {
        Some(wanted) => sims::named(&known, wanted).into_iter().collect(),
        None => known.iter().collect(),
    };
    if let Some(Threshold::Share(_)) = args.check {
        needs_allowance(&asked, out)?;
    }
    if out.json {
        out.json(&usage)?;
    } else {
        let name = |iccid: &str| {
            known.iter().find(|sim| sim.iccid == iccid).map_or_else(|| iccid.to_owned(), sims::called)
        };
        let mut page = page(&usage, args.by, name, out);
        page.push_str(&carrier::billed(&usage.billed, args.by, name, out));
        for sim in &asked {
            page.push_str(&carrier::used(sim, out.width).unwrap_or_default());
            page.push_str(&carrier::overdrawn(sim, out.width).unwrap_or_default());
        }
        out.text(&page)?;
        note_whole_hours(out, [args.from.as_ref(), args.to.as_ref()]);
    }
    if args.check.is_some() && args.sim.is_some() && asked.is_empty() {
        // It was there a moment ago: that nothing is reached must not be said of it.
        return Err(CtlError::failed("UnknownSim", "the SIM is not known any more", "ask again"));
    }
    let reached =
        |limit: Threshold| asked.iter().any(|sim| limit.reached(sim.used_bytes, sim.allowance_bytes));
    let reached = args.check.is_some_and(reached);
    if let (Some(_), false, Some(sim)) = (args.check, reached, asked.iter().find(|sim| !sim.cycle_known)) {
        return Err(CtlError::failed(
            "CycleUnknown",
            format!(
                "what {} used in its cycle is not known before the clock can be believed",
                sims::called(sim)
            ),
            "`simbellctl status` says why it is not; the check can be made once it is",
        ));
    }
    Ok(Verdict::check(args.check.is_some(), reached))
}

/// A share of no allowance is never reached: where nothing has one the question is wrong, and where some have none it is
/// said of which it says nothing.
fn needs_allowance(asked: &[&Sim], out: &Out) -> Result<(), CtlError> {
    let without: Vec<String> =
        asked.iter().filter(|sim| sim.allowance_bytes.is_none()).map(|sim| sims::called(sim)).collect();
    if without.is_empty() {
        return Ok(());
    }
    let have = if without.len() == 1 { "has" } else { "have" };
    let none = format!("{} {have} no allowance", without.join(", "));
    if without.len() == asked.len() {
        return Err(CtlError::usage(
            format!("{none}, so there is no share of it"),
            "give an amount such as 5GB, or the plan an allowance: `simbellctl plan add`",
        ));
    }
    out.note(&format!("{none} and cannot reach a share of it: the others are checked"));
    Ok(())
}

/// Usage is kept by the hour: says it where a span begins or ends within one.
pub(super) fn note_whole_hours(out: &Out, ends: [Option<&String>; 2]) {
    let within = |text: &&String| {
        DateTime::parse_from_rfc3339(text).is_ok_and(|at| at.timestamp_millis().rem_euclid(3_600_000) != 0)
    };
    if ends.into_iter().flatten().any(|text| within(&text)) {
        out.note("usage is kept by the hour: an hour that the span begins or ends in counts as a whole");
    }
}

/// Says it where the ledger lacks what was measured last: the answer alone would look complete. Asked after it, for the
/// answer may have been the first to find the disk full.
pub(super) async fn note_unwritten(socket: &Path, out: &Out) {
    let Ok(mut client) = Client::connect(socket).await else { return };
    let Ok(status) = client.status().await else { return };
    let warned = |code: &str| status.service.warnings.iter().find(|warning| warning.code == code);
    if warned("clock-untrusted").is_some() {
        out.note(
            "the clock cannot be believed yet: usage measured before it can has no date so far and is missing here; \
             `simbellctl status` counts it, and `simbellctl usage explain` lists it",
        );
    }
    if let Some(warning) = warned("ledger-not-writable") {
        out.note(&format!(
            "the ledger cannot be written since {}: usage measured after that is kept in memory and missing here; \
             `simbellctl status` counts it and says why",
            time::absolute(&warning.since)
        ));
    }
}

pub(super) async fn set(
    client: &mut Client,
    out: &mut Out,
    amount_now: Amount,
    sim: Option<String>,
    reason: Option<String>,
) -> Result<Verdict, CtlError> {
    let change = client.set_usage(&SetUsageParams { sim, bytes: amount_now.0, reason }).await?;
    if out.json {
        out.json(&change)?;
    } else {
        if change.correction_bytes == 0 {
            return out
                .prose(&format!(
                    "The usage of the cycle is {} already: nothing was written, the reason neither.\n",
                    amount(change.bytes)
                ))
                .map(|()| Verdict::Done);
        }
        out.prose(&format!(
            "The usage of the cycle is {} now; it was {}. The ledger has an entry of {}.\n",
            amount(change.bytes),
            amount(change.before_bytes),
            signed(change.correction_bytes)
        ))?;
    }
    Ok(Verdict::Done)
}

fn page(usage: &UsageOutput, by: By, name: impl Fn(&str) -> String + Copy, out: &Out) -> String {
    if usage.rows.is_empty() {
        return "Nothing was used in this time.\n".to_owned();
    }
    let mut table = Table::new(vec![
        ("FROM", Column::Whole),
        ("SIM", Column::Text),
        ("ZONE", Column::Text),
        ("RECEIVED", Column::Number),
        ("SENT", Column::Number),
        ("TOTAL", Column::Number),
        ("", Column::Text),
    ]);
    for row in &usage.rows {
        let from = row.start.as_deref().map_or_else(
            || "undated".to_owned(),
            |start| match by {
                By::Hour => time::absolute(start),
                By::Day | By::Cycle => start.split_once('T').map_or(start, |(date, _)| date).to_owned(),
            },
        );
        let sim = row.iccid.as_deref().map_or_else(|| "-".to_owned(), &name);
        let mut cells = vec![from, sim];
        cells.extend(figures(row));
        table.row(cells);
    }
    let total = &usage.total;
    let corrected = match total.correction_bytes {
        0 => String::new(),
        bytes => format!(", corrections {}", signed(bytes)),
    };
    let counted = total.rx_bytes.saturating_add(total.tx_bytes);
    // Below 0 where corrections are more than what was counted: 0 would be no sum of the lines above.
    let sum = match counted.checked_add_signed(total.correction_bytes) {
        Some(sum) => amount(sum),
        None => format!("-{}", amount(total.correction_bytes.unsigned_abs().saturating_sub(counted))),
    };
    let line = format!(
        "Total {sum}: received {}, sent {}{corrected}",
        amount(total.rx_bytes),
        amount(total.tx_bytes)
    );
    format!("{}\n{}{}", table.render(out.width, out.color), fill(&line, out.width), gaps(usage, out.width))
}

/// Short, so that it stays whole beside wide columns.
const GAP: &str = "not known";

/// Why some of it is not known: in words of its own below the table, which has no room for them.
fn gaps(usage: &UsageOutput, columns: usize) -> String {
    let reasons: BTreeSet<&str> = usage.rows.iter().filter_map(|row| row.gap.as_deref()).collect();
    if reasons.is_empty() {
        return String::new();
    }
    let reasons: Vec<&str> = reasons.into_iter().collect();
    paragraph(
        &format!(
            "Some is not known, so not counted: {}. `simbellctl usage explain` tells when and why.",
            reasons.join(", ")
        ),
        columns,
    )
}

fn figures(row: &UsageRow) -> [String; 5] {
    let none = || "-".to_owned();
    if row.gap.is_some() {
        return [none(), none(), none(), none(), GAP.to_owned()];
    }
    if let Some(bytes) = row.correction_bytes {
        return [none(), none(), none(), signed(bytes), "correction".to_owned()];
    }
    let source = match row.source.as_deref() {
        Some("kernel") | None => String::new(),
        Some(other) => format!("by {other}"),
    };
    let total = row.rx_bytes.saturating_add(row.tx_bytes);
    [row.zone.clone(), amount(row.rx_bytes), amount(row.tx_bytes), amount(total), source]
}
