//! `status`.

use simbell_api::{Channel, Client, Reminder, StatusOutput};

use super::{Verdict, carrier, channels, sims, voice};
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::{records, text, time};

pub(super) async fn run(client: &mut Client, out: &mut Out, check: bool) -> Result<Verdict, CtlError> {
    let status = client.status().await?;
    let status = StatusOutput {
        service: status.service,
        modemmanager: status.modemmanager,
        sims: client.sims().await?,
        reminders: by_urgency(client.reminders().await?),
        channels: client.channels().await?,
    };
    let wrong = !status.service.warnings.is_empty() || !status.modemmanager.present;
    if out.json {
        out.json(&status)?;
    } else {
        let page = page(&status, out);
        out.text(&page)?;
    }
    Ok(Verdict::check(check, wrong))
}

fn page(status: &StatusOutput, out: &Out) -> String {
    let clock = if status.service.clock_trusted { "clock trusted" } else { "clock not trusted yet" };
    let modemmanager = match (&status.modemmanager.version, status.modemmanager.present) {
        (Some(version), true) => format!("ModemManager {}", text::safe(version)),
        (None, true) => "ModemManager".to_owned(),
        (_, false) => "no ModemManager".to_owned(),
    };
    let head = format!(
        "simbelld {}: {}, {clock}, {modemmanager}",
        text::safe(&status.service.version),
        text::safe(&status.service.state)
    );
    let mut page = text::fill(&head, out.width);
    for warning in &status.service.warnings {
        page.push_str(&records::warning(warning, out.width, out.color));
    }
    page.push('\n');
    if status.sims.is_empty() {
        page.push_str("No SIM has been seen yet.\n");
    } else {
        page.push_str(&sims::summary(&status.sims, out));
        for line in status.sims.iter().filter_map(|sim| carrier::overdrawn(sim, out.width)) {
            page.push_str(&line);
        }
        for line in status.sims.iter().filter_map(voice::summary) {
            page.push_str(&text::fill(&line, out.width));
        }
        if status.sims.iter().any(|sim| sim.plan.is_none()) {
            page.push_str(&text::fill(
                "A SIM without a plan is only measured: make one with `simbellctl plan add`.",
                out.width,
            ));
        }
    }
    page.push('\n');
    if status.reminders.is_empty() {
        page.push_str("No reminders.\n");
    }
    let now = time::now();
    for reminder in &status.reminders {
        page.push_str(&records::reminder(reminder, out.width, out.color, now));
    }
    page.push('\n');
    page.push_str(&channel_lines(&status.channels, out));
    page
}

fn channel_lines(list: &[Channel], out: &Out) -> String {
    if list.is_empty() {
        text::fill("No channels: reminders show here and in the journal alone.", out.width)
    } else {
        channels::table(list, out)
    }
}

/// The loudest first; keys in order within.
fn by_urgency(mut reminders: Vec<Reminder>) -> Vec<Reminder> {
    reminders.sort_by_key(|reminder| match reminder.urgency.as_str() {
        "critical" => 0,
        "warning" => 1,
        _ => 2,
    });
    reminders
}
