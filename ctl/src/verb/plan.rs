//! `plan show`.

use simbell_api::{Client, Plan, UsedParts};

use super::Verdict;
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::amount::{amount, maybe, share, signed};
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
    if let Some(parts) = &plan.parts {
        lines.extend(made_of(parts));
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

/// What the usage is made of, where that is more than one figure: each apart, so that they add up to it.
fn made_of(parts: &UsedParts) -> Vec<String> {
    let measured = amount(parts.measured_bytes);
    let mut lines = Vec::new();
    if parts.billed_bytes != parts.measured_bytes {
        lines.push(format!("  measured   {measured}, {} as billed", amount(parts.billed_bytes)));
    } else if parts.correction_bytes != 0 || parts.counted_bytes != parts.billed_bytes {
        lines.push(format!("  measured   {measured}"));
    }
    if parts.counted_bytes != parts.billed_bytes {
        lines.push(format!("  calibrated {} by the carrier's count", amount(parts.counted_bytes)));
    }
    if parts.correction_bytes != 0 {
        lines.push(format!("  corrected  {}", signed(parts.correction_bytes)));
    }
    lines
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_and_what_was_corrected_are_shown_apart() {
        let alike = UsedParts {
            measured_bytes: 351_920_000,
            billed_bytes: 351_920_000,
            calibrated_bytes: None,
            counted_bytes: 351_920_000,
            correction_bytes: 0,
        };
        assert_eq!(made_of(&alike), Vec::<String>::new());
        let corrected = UsedParts { correction_bytes: 148_080_000, ..alike.clone() };
        assert_eq!(made_of(&corrected), ["  measured   351.92 MB", "  corrected  +148.08 MB"]);
        let billed = UsedParts { billed_bytes: 30_000_000, counted_bytes: 30_000_000, ..corrected };
        assert_eq!(
            made_of(&billed),
            ["  measured   351.92 MB, 30.00 MB as billed", "  corrected  +148.08 MB"]
        );
        let calibrated = UsedParts { counted_bytes: 36_000_000, correction_bytes: -6_000_000, ..billed };
        assert_eq!(
            made_of(&calibrated),
            [
                "  measured   351.92 MB, 30.00 MB as billed",
                "  calibrated 36.00 MB by the carrier's count",
                "  corrected  -6.00 MB"
            ]
        );
    }
}
