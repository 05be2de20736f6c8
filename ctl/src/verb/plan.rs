//! `plan show`.

use simbell_api::{Client, Plan};

use super::Verdict;
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::amount::{amount, maybe, share};
use crate::show::text;

pub(super) async fn show(
    client: &mut Client,
    out: &mut Out,
    sim: Option<String>,
) -> Result<Verdict, CtlError> {
    let plans = match sim {
        Some(sim) => vec![client.plan(Some(sim)).await?],
        None => client.plans().await?,
    };
    if out.json {
        for plan in &plans {
            out.json(plan)?;
        }
    } else if plans.is_empty() {
        out.text(&text::fill("No SIM has a plan yet; make one with `simbellctl plan add`.", out.width))?;
    } else {
        let page: Vec<String> = plans.iter().map(|plan| describe(plan, out.width)).collect();
        out.text(&page.join("\n"))?;
    }
    Ok(Verdict::Done)
}

/// Columns before what is said of a plan.
const LABEL: usize = 13;

fn describe(plan: &Plan, columns: usize) -> String {
    let name = format!("{}: {}", plan.sim.as_deref().unwrap_or(&plan.iccid), plan.name);
    let mut lines = Vec::new();
    let data = plan.data_bytes.map_or_else(|| "no limit".to_owned(), amount);
    lines.push(format!("  allowance  {data}, {}", period(plan)));
    let mut counted = match plan.counts.as_str() {
        "both" => "received and sent".to_owned(),
        "max" => "received or sent, whichever is more".to_owned(),
        other => format!("{other} only"),
    };
    if !plan.roaming_counts {
        counted.push_str(", not while roaming");
    }
    lines.push(format!("  counts     {counted}"));
    if let (Some(step), Some(per)) = (plan.increment_bytes, &plan.increment_per) {
        lines.push(format!("  rounded    up to {} per {per}", amount(step)));
    }
    for hours in &plan.free_hours {
        let days = match hours.days.len() {
            7 => String::new(),
            _ => format!(" on {}", hours.days.join(", ")),
        };
        lines.push(format!("  free       {} to {}{days}", hours.from, hours.until));
    }
    if let (Some(measured), true) = (plan.measured_bytes, plan.measured_bytes != plan.billed_bytes) {
        lines.push(format!("  measured   {}, {} as billed", amount(measured), maybe(plan.billed_bytes)));
    }
    if let Some(used) = plan.used_bytes {
        let share = share(used, plan.data_bytes).map(|share| format!(" ({share})")).unwrap_or_default();
        let calibrated = if plan.calibrate { ", calibrated" } else { "" };
        lines.push(if plan.cycle_known {
            format!("  used       {}{share}, {} left{calibrated}", amount(used), maybe(plan.remaining_bytes))
        } else {
            format!(
                "  used       at least {}{calibrated}: the cycle is not known before the clock is",
                amount(used)
            )
        });
    }
    if let Some(start) = &plan.cycle.start {
        let end =
            plan.cycle.end.as_deref().map_or_else(|| "until used".to_owned(), |end| format!("until {end}"));
        let left = plan
            .cycle
            .days_left
            .map(|days| format!(", {days} day{} left", if days == 1 { "" } else { "s" }))
            .unwrap_or_default();
        lines.push(format!("  cycle      {start} {end}{left}"));
    }
    lines.push(format!("  time zone  {}", plan.timezone));
    lines.push(format!("  ICCID      {}", plan.iccid));
    let fitted = |line: &String| {
        let line = text::safe(line);
        match line.split_at_checked(LABEL) {
            Some((label, said)) if text::width(&line) > columns => {
                let said = text::wrap(said, columns.saturating_sub(LABEL));
                format!("{label}{}\n", said.join(&format!("\n{}", " ".repeat(LABEL))))
            }
            _ => line + "\n",
        }
    };
    lines.iter().map(fitted).fold(text::fill(&text::safe(&name), columns), |page, line| page + &line)
}

fn period(plan: &Plan) -> String {
    let start = plan.start.as_deref().unwrap_or("?");
    match plan.period.as_str() {
        "month" => match plan.day.as_deref() {
            Some("last") => "each month from its last day".to_owned(),
            Some(day) => format!("each month from day {day}"),
            None => "each month".to_owned(),
        },
        "days" => {
            let days = plan.days.unwrap_or(0);
            let again = if plan.renews == Some(true) { ", again and again" } else { ", once" };
            format!("{days} days from {start}{again}")
        }
        "bucket" => format!("until used, from {start}"),
        other => other.to_owned(),
    }
}
