//! `reminders list`, `ack` and `snooze`.

use simbell_api::{Client, Reminder};

use super::Verdict;
use crate::failure::CtlError;
use crate::out::Out;
use crate::parse::Span;
use crate::show::{records, time};

pub(super) async fn list(client: &mut Client, out: &mut Out, check: bool) -> Result<Verdict, CtlError> {
    let reminders = client.reminders().await?;
    if out.json {
        for reminder in &reminders {
            out.json(reminder)?;
        }
    } else if reminders.is_empty() {
        out.text("No reminders.\n")?;
    } else {
        let now = time::now();
        let page: Vec<String> =
            reminders.iter().map(|one| records::reminder(one, out.width, out.color, now)).collect();
        out.text(&page.join("\n"))?;
    }
    Ok(Verdict::check(check, reminders.iter().any(|reminder| reminder.state == "firing")))
}

pub(super) async fn acknowledge(client: &mut Client, out: &mut Out, key: &str) -> Result<Verdict, CtlError> {
    let reminder = client.acknowledge(key).await?;
    changed(out, &reminder)
}

pub(super) async fn snooze(
    client: &mut Client,
    out: &mut Out,
    key: &str,
    span: Span,
) -> Result<Verdict, CtlError> {
    let reminder = client.snooze(key, span.0).await?;
    changed(out, &reminder)
}

fn changed(out: &mut Out, reminder: &Reminder) -> Result<Verdict, CtlError> {
    if out.json {
        out.json(reminder)?;
    } else {
        let page = records::reminder(reminder, out.width, out.color, time::now());
        out.text(&page)?;
    }
    Ok(Verdict::Done)
}
