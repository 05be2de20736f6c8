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
    let rest = format!("{subject}, since {}", time::absolute(&warning.since));
    let plain = format!("! {code}{rest}");
    let head = if color && text::width(&plain) <= columns {
        format!("\u{1b}[33m! {code}\u{1b}[0m{rest}\n")
    } else {
        text::fill(&plain, columns)
    };
    format!("{head}{}", problem(&warning.text, columns))
}

/// An error in a file: wrapped, but for the lines of the file and the caret below them, which keep their places.
pub(crate) fn problem(words: &str, columns: usize) -> String {
    let verbatim = |line: &str| format!("{}\n", text::cut(&format!("  {}", text::safe(line)), columns));
    words
        .lines()
        .map(|line| if line.starts_with(' ') { verbatim(line) } else { paragraph(line, columns) })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_keeps_its_place_below_the_line() {
        let words = "/etc/simbell/rules.d/typo.rhai:2:1: there is no hook `on_usge`\n  2 | fn on_usge(sim) {\n    | ^\n  \
                     hint: did you mean `on_usage`?\nIt failed once.";
        assert_eq!(
            problem(words, 40),
            "  /etc/simbell/rules.d/typo.rhai:2:1:\n  there is no hook `on_usge`\n    2 | fn on_usge(sim) {\n      | \
             ^\n    hint: did you mean `on_usage`?\n  It failed once.\n"
        );
        // A long line of the file is cut rather than wrapped, and drives no terminal.
        assert_eq!(problem("  2 | abcdefghij\u{1b}", 14), "    2 | abcde…\n");
    }
}
