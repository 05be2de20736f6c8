//! `usage calls` and `usage sms`.

use simbell_api::{
    CallsOutput, CallsRow, CallsTotal, Client, GetUsageParams, MessagesOutput, MessagesTotal, Sim,
};

use super::{Verdict, sims};
use crate::cli::{By, SpanArgs};
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::amount::number_of;
use crate::show::table::{Column, Table};
use crate::show::text::{fill, safe};
use crate::show::time;

pub(super) async fn calls(client: &mut Client, out: &mut Out, args: SpanArgs) -> Result<Verdict, CtlError> {
    let by = args.by;
    let found = client.calls(&question(args)).await?;
    if out.json {
        out.json(&found)?;
    } else {
        let known = client.sims().await?;
        out.text(&calls_page(&found, by, &known, out))?;
    }
    Ok(Verdict::Done)
}

pub(super) async fn sms(client: &mut Client, out: &mut Out, args: SpanArgs) -> Result<Verdict, CtlError> {
    let by = args.by;
    let found = client.messages(&question(args)).await?;
    if out.json {
        out.json(&found)?;
    } else {
        let known = client.sims().await?;
        out.text(&messages_page(&found, by, &known, out))?;
    }
    Ok(Verdict::Done)
}

/// A SIM's calls and messages of the cycle in words; none where there are none.
pub(super) fn summary(sim: &Sim) -> Option<String> {
    let mut parts = Vec::new();
    let (calls, messages) = (&sim.calls, &sim.messages);
    if calls.made > 0 {
        parts.push(format!("called {}", range(calls.made_seconds_min, calls.made_seconds)));
    }
    if calls.taken > 0 {
        parts.push(format!("was called {}", range(calls.taken_seconds_min, calls.taken_seconds)));
    }
    if messages.sent > 0 {
        parts.push(format!("sent {}", sent(messages)));
    }
    (!parts.is_empty()).then(|| format!("{} {} in this cycle.", safe(&sims::called(sim)), parts.join(", ")))
}

fn question(args: SpanArgs) -> GetUsageParams {
    let by = match args.by {
        By::Hour => "hour",
        By::Day => "day",
        By::Cycle => "cycle",
    };
    GetUsageParams {
        sim: args.sim,
        by: by.to_owned(),
        from: args.from,
        to: args.to,
        after: None,
        limit: None,
    }
}

fn calls_page(found: &CallsOutput, by: By, known: &[Sim], out: &Out) -> String {
    if found.rows.is_empty() {
        return "There was no call in this time.\n".to_owned();
    }
    let mut table = Table::new(vec![
        ("FROM", Column::Whole),
        ("SIM", Column::Text),
        ("WAY", Column::Text),
        ("NUMBERS", Column::Text),
        ("ZONE", Column::Text),
        ("CALLS", Column::Number),
        ("TIME", Column::Number),
    ]);
    for row in &found.rows {
        table.row(vec![
            from(by, &row.start),
            name(known, &row.iccid),
            row.direction.clone(),
            row.number_class.clone(),
            row.zone.clone(),
            answered(row),
            time_of(row),
        ]);
    }
    let under_way = found.rows.iter().fold(0_u64, |sum, row| sum.saturating_add(row.under_way));
    let under_way = if under_way > 0 { format!("Under way: {under_way}\n") } else { String::new() };
    format!(
        "{}\n{}{under_way}",
        table.render(out.width, out.color),
        fill(&calls_sum(&found.total), out.width)
    )
}

/// How many were answered, of how many.
fn answered(row: &CallsRow) -> String {
    match row.unanswered {
        0 => row.answered.to_string(),
        unanswered => format!("{} of {}", row.answered, row.answered.saturating_add(unanswered)),
    }
}

fn time_of(row: &CallsRow) -> String {
    if row.seconds == row.seconds_min {
        length(row.seconds)
    } else {
        format!("{}-{}", length(row.seconds_min), length(row.seconds))
    }
}

fn calls_sum(total: &CallsTotal) -> String {
    let mut text = format!(
        "Made {}, {} not taken up: {}\nTaken {}, {} missed: {}\n",
        total.made,
        total.unanswered,
        range(total.made_seconds_min, total.made_seconds),
        total.taken,
        total.missed,
        range(total.taken_seconds_min, total.taken_seconds),
    );
    if total.end_unknown > 0 {
        text.push_str(&format!(
            "Nobody saw how {} of them ended: the time lies between the two figures.\n",
            total.end_unknown
        ));
    }
    text
}

fn messages_page(found: &MessagesOutput, by: By, known: &[Sim], out: &Out) -> String {
    if found.rows.is_empty() {
        return "There was no message in this time.\n".to_owned();
    }
    let mut table = Table::new(vec![
        ("FROM", Column::Whole),
        ("SIM", Column::Text),
        ("MESSAGES", Column::Text),
        ("ZONE", Column::Text),
        ("NUMBER", Column::Number),
        ("PARTS", Column::Number),
        ("RECIPIENTS", Column::Number),
    ]);
    for row in &found.rows {
        let recipients =
            if row.direction == "received" { "-".to_owned() } else { row.recipients.to_string() };
        table.row(vec![
            from(by, &row.start),
            name(known, &row.iccid),
            row.direction.clone(),
            row.zone.clone(),
            row.messages.to_string(),
            row.parts.to_string(),
            recipients,
        ]);
    }
    let total = &found.total;
    let mut sum = format!("Sent {}; received {}", sent(total), total.received);
    if total.failed > 0 {
        sum.push_str(&format!("; {} did not leave", total.failed));
    }
    if total.unknown > 0 {
        sum.push_str(&format!("; of {} nobody knows whether they left", total.unknown));
    }
    format!("{}\n{}", table.render(out.width, out.color), fill(&sum, out.width))
}

fn sent(total: &MessagesTotal) -> String {
    format!(
        "{} ({}) to {}",
        number_of(total.sent, "message"),
        number_of(total.sent_parts, "part"),
        number_of(total.recipients, "recipient")
    )
}

fn range(least: u64, most: u64) -> String {
    if least == most { length(most) } else { format!("{} to {}", length(least), length(most)) }
}

/// `1:02:05`, or `2:05` below an hour.
fn length(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{rest:02}") } else { format!("{minutes}:{rest:02}") }
}

fn from(by: By, start: &str) -> String {
    match by {
        By::Hour => time::absolute(start),
        By::Day | By::Cycle => start.split_once('T').map_or(start, |(date, _)| date).to_owned(),
    }
}

fn name(known: &[Sim], iccid: &str) -> String {
    known.iter().find(|sim| sim.iccid == iccid).map_or_else(|| iccid.to_owned(), sims::called)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_telephones_show_them() {
        for (seconds, shown) in
            [(0, "0:00"), (59, "0:59"), (61, "1:01"), (3_599, "59:59"), (3_725, "1:02:05")]
        {
            assert_eq!(length(seconds), shown);
        }
        assert_eq!((range(61, 61), range(1, 61)), ("1:01".to_owned(), "0:01 to 1:01".to_owned()));
    }
}
