//! `rules why`.

use std::path::Path;

use simbell_api::{Client, Decision, ExplainReminderReply};

use super::{Verdict, rehearse};
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::records::{self, paragraph};
use crate::show::{amount, text, time};

pub(super) async fn run(
    client: &mut Client,
    out: &mut Out,
    key: &str,
    sim: Option<&str>,
    lines: Option<Option<&Path>>,
) -> Result<Verdict, CtlError> {
    let why = client.explain_reminder(key, sim).await?;
    let record = why.decision.as_ref().map(|decision| decision.record.as_str());
    if let (Some(config), true) = (lines, out.json) {
        return rehearse::lines_of(out, record.ok_or_else(undecided)?, config);
    }
    if out.json {
        out.json(&why)?;
        return Ok(Verdict::Done);
    }
    let page = page(&why, out.width, out.color, lines.is_some());
    out.text(&page)?;
    let Some(config) = lines else { return Ok(Verdict::Done) };
    out.text("\nThe lines that ran\n")?;
    rehearse::lines_of(out, record.ok_or_else(undecided)?, config)
}

fn undecided() -> CtlError {
    CtlError::failed(
        "NotDecided",
        "no decision of the rule is known: no line of it ran",
        "ask again once it was asked; `simbellctl rules test` runs it at any time",
    )
}

fn page(why: &ExplainReminderReply, columns: usize, color: bool, lines: bool) -> String {
    let now = time::now();
    let mut out = String::new();
    if let Some(reminder) = &why.reminder {
        out.push_str(&records::reminder(reminder, columns, color, now));
        out.push('\n');
    }
    let rule = &why.rule;
    out.push_str(&format!("Rule {}\n", text::safe(&rule.name)));
    if !rule.summary.is_empty() {
        out.push_str(&paragraph(&rule.summary, columns));
    }
    let times = if rule.evaluations == 1 { "once" } else { &format!("{} times", rule.evaluations) };
    let file = if rule.file.is_empty() { "no file" } else { &rule.file };
    out.push_str(&paragraph(&format!("{file}; asked {times} since the service began"), columns));
    if let Some(problem) = &rule.problem {
        out.push_str(&records::problem(problem, columns));
    }
    if !why.standing.is_empty() {
        out.push_str("\nWhere it stands\n");
    }
    why.standing.iter().for_each(|line| out.push_str(&paragraph(line, columns)));
    if let Some(decision) = &why.decision {
        out.push_str(&told(decision, columns, now, lines));
    }
    if !why.actions.is_empty() {
        out.push_str("\nWhat the rule wanted done\n");
        for action in &why.actions {
            let note = action.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            let line = format!("{} {}: {}{note}", time::absolute(&action.at), action.state, action.what);
            out.push_str(&paragraph(&line, columns));
        }
    }
    out
}

fn told(decision: &Decision, columns: usize, now: i64, lines: bool) -> String {
    let title = format!("Its last decision, {}\n", time::both(&decision.at, now));
    let mut out = format!("\n{}", text::fill(&title, columns));
    let asked = format!("It was asked since {} ({}).", decision.occasion, decision.trigger);
    out.push_str(&paragraph(&asked, columns));
    if let Some(error) = &decision.error {
        out.push_str("  It failed:\n");
        out.push_str(&records::problem(error, columns));
    }
    let mut line = |words: &str| out.push_str(&paragraph(words, columns));
    if decision.kept {
        line("This is what the ledger keeps of the reminder; nothing newer is known.");
    }
    if decision.error.is_none() && decision.raised.is_empty() {
        line("It raised nothing.");
    }
    for raised in &decision.raised {
        line(&format!("It raised `{}` ({}): {}", raised.key, raised.urgency, raised.text));
    }
    for key in &decision.resolved {
        line(&format!("It said that `{key}` is over."));
    }
    for wanted in &decision.wanted {
        line(&format!("It wanted the service to {wanted}."));
    }
    if let Some(bytes) = decision.asked_again_at_bytes {
        line(&format!("It is asked again at once when {} are used.", amount::amount(bytes)));
    }
    if !decision.record.is_empty() && !lines {
        line("`rules why --lines` shows which lines of it ran.");
    }
    out.push_str("\nWhat it saw\n");
    let width = decision.inputs.iter().map(|input| text::width(&input.name)).max().unwrap_or(0);
    for input in &decision.inputs {
        let name = text::safe(&input.name);
        let pad = " ".repeat(width.saturating_sub(text::width(&name)));
        let line = format!("  {name}{pad}  {}", text::safe(&input.value));
        out.push_str(&text::cut(&line, columns));
        out.push('\n');
    }
    out
}
