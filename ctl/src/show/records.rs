//! Things too long for a table: reminders and warnings, wrapped.

use simbell_api::{Reminder, Warning};

use super::{text, time};

const INDENT: usize = 2;

/// A mark, a line of text and details below.
pub(crate) fn reminder(reminder: &Reminder, columns: usize, color: bool, now: i64) -> String {
    let state = text::safe(&reminder.state);
    let head = match color.then(|| color_of(&reminder.state, &reminder.urgency)).flatten() {
        Some(code) => format!("\u{1b}[{code}m{state}\u{1b}[0m"),
        None => state,
    };
    let mut out = format!("{head} ({})\n", text::safe(&reminder.urgency));
    out.push_str(&paragraph(&reminder.text, columns));
    // The key is what `ack` takes: whole, on a line of its own.
    out.push_str(&format!("  key: {}\n", text::safe(&reminder.key)));
    let mut times = vec![format!("raised {}", time::both(&reminder.raised_at, now))];
    if let Some(until) = &reminder.snoozed_until {
        times.push(format!("snoozed until {}", time::both(until, now)));
    } else if let Some(next) = &reminder.next_at {
        times.push(format!("to be said again {}", time::both(next, now)));
    }
    if let Some(late) = reminder.late_seconds {
        times.push(format!("said {} min late", late / 60));
    }
    out.push_str(&paragraph(&times.join("; "), columns));
    for delivery in &reminder.deliveries {
        let tries =
            if delivery.attempts > 1 { format!(" after {} tries", delivery.attempts) } else { String::new() };
        let error = delivery.last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        out.push_str(&paragraph(&format!("{} {}{tries}{error}", delivery.channel, delivery.state), columns));
    }
    out
}

/// `! code subject: text`, wrapped.
pub(crate) fn warning(warning: &Warning, columns: usize, color: bool) -> String {
    let subject = if warning.subject.is_empty() {
        String::new()
    } else {
        format!(" ({})", text::safe(&warning.subject))
    };
    let code = text::safe(&warning.code);
    let mark = if color { format!("\u{1b}[33m! {code}\u{1b}[0m") } else { format!("! {code}") };
    format!(
        "{mark}{subject}, since {}\n{}",
        time::absolute(&warning.since),
        paragraph(&warning.text, columns)
    )
}

/// Indented and wrapped.
pub(crate) fn paragraph(words: &str, columns: usize) -> String {
    text::wrap(&text::safe(words), columns.saturating_sub(INDENT))
        .iter()
        .map(|line| format!("  {line}\n"))
        .collect()
}

fn color_of(state: &str, urgency: &str) -> Option<&'static str> {
    match (state, urgency) {
        ("firing", "critical") => Some("1;31"),
        ("firing", _) => Some("33"),
        ("acknowledged" | "resolved", _) => Some("32"),
        _ => None,
    }
}
