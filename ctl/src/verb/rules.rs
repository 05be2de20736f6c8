//! `rules list` and `rules resume`.

use simbell_api::{Client, Rule};

use super::Verdict;
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::records;
use crate::show::table::{Column, Table};

pub(super) async fn run(client: &mut Client, out: &mut Out) -> Result<Verdict, CtlError> {
    let rules = client.rules().await?;
    if out.json {
        for rule in &rules {
            out.json(rule)?;
        }
        return Ok(Verdict::Done);
    }
    if rules.is_empty() {
        out.text("No rules are loaded.\n")?;
        return Ok(Verdict::Done);
    }
    let mut table = Table::new(vec![
        ("RULE", Column::Text),
        ("STATE", Column::Whole),
        ("ON", Column::Text),
        ("WHAT IT DOES", Column::Text),
    ]);
    let mut problems = String::new();
    for rule in &rules {
        let mut on = rule.triggers.join(", ");
        if !rule.schedules.is_empty() {
            on.push_str(&format!(" ({})", rule.schedules.join(", ")));
        }
        let state = match rule {
            Rule { suspended: true, .. } => "suspended",
            Rule { enabled: false, .. } => "disabled",
            Rule { outdated: Some(_), .. } => "outdated",
            Rule { failures: 1.., .. } => "failing",
            _ => "runs",
        };
        table.row(vec![rule.name.clone(), state.to_owned(), on, rule.summary.clone()]);
        if let Some(problem) = rule.problem.as_ref().or(rule.outdated.as_ref()) {
            problems.push_str(&format!(
                "\n! {}\n{}",
                crate::show::text::safe(&rule.name),
                records::problem(problem, out.width)
            ));
        }
    }
    let page = table.render(out.width, out.color) + &problems;
    out.text(&page)?;
    Ok(Verdict::Done)
}

pub(super) async fn resume(client: &mut Client, out: &mut Out, name: &str) -> Result<Verdict, CtlError> {
    let rule = client.resume_rule(name).await?;
    if out.json {
        out.json(&rule)?;
    } else {
        out.text(&format!("{} runs again.\n", crate::show::text::safe(&rule.name)))?;
    }
    Ok(Verdict::Done)
}
