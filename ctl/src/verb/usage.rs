//! `usage` and `usage set`.

use simbell_api::{Client, GetUsageParams, SetUsageParams, UsageOutput, UsageRow};

use super::{Verdict, carrier, sims};
use crate::cli::{By, UsageArgs};
use crate::failure::CtlError;
use crate::out::Out;
use crate::parse::{Amount, Threshold};
use crate::show::amount::{amount, signed};
use crate::show::table::{Column, Table};
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
    if out.json {
        out.json(&usage)?;
    } else {
        let name = |iccid: &str| {
            known.iter().find(|sim| sim.iccid == iccid).map_or_else(|| iccid.to_owned(), sims::called)
        };
        let mut page = page(&usage, args.by, name, out);
        page.push_str(&carrier::billed(&usage.billed, args.by, name, out));
        out.text(&page)?;
    }
    let reached = |limit: Threshold| {
        known
            .iter()
            .filter(|sim| {
                args.sim
                    .as_ref()
                    .is_none_or(|wanted| sim.iccid == *wanted || sim.name.as_ref() == Some(wanted))
            })
            .any(|sim| limit.reached(sim.used_bytes, sim.allowance_bytes))
    };
    Ok(Verdict::check(args.check.is_some(), args.check.is_some_and(reached)))
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
        out.text(&format!(
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
            |start| match (by, &row.gap) {
                (By::Hour, _) | (_, Some(_)) => time::absolute(start),
                _ => start.split_once('T').map_or(start, |(date, _)| date).to_owned(),
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
    let sum = total.rx_bytes.saturating_add(total.tx_bytes).saturating_add_signed(total.correction_bytes);
    format!(
        "{}\nTotal {}: received {}, sent {}{corrected}\n",
        table.render(out.width, out.color),
        amount(sum),
        amount(total.rx_bytes),
        amount(total.tx_bytes)
    )
}

fn figures(row: &UsageRow) -> [String; 5] {
    let none = || "-".to_owned();
    if let Some(reason) = &row.gap {
        return [none(), none(), none(), none(), format!("not known: {reason}")];
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
