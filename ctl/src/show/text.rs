//! Text that may come from a network: made harmless, measured, cut and wrapped by what a terminal shows.

use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Replaces what could drive a terminal or turn text around: control characters and bidirectional controls.
pub(crate) fn safe(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if is_unsafe(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// One line of JSON, with the same characters escaped.
pub(crate) fn json<T: Serialize>(object: &T) -> String {
    let plain = serde_json::to_string(object).unwrap_or_else(|_| "null".to_owned());
    // Outside of strings JSON has only ASCII, so whatever is replaced stands in a string.
    plain.chars().fold(String::with_capacity(plain.len()), |mut line, c| {
        if is_unsafe(c) {
            line.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            line.push(c);
        }
        line
    })
}

/// Columns it takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// At most `columns` wide, the end cut and marked where it is longer.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0_usize;
    for c in text.chars() {
        let next = used.saturating_add(c.width().unwrap_or(0));
        if next >= columns {
            break;
        }
        kept.push(c);
        used = next;
    }
    kept.push('…');
    kept
}

/// Lines of at most `columns`, broken between words, and within words that are longer (or have no blanks, as Chinese).
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let needed = width(&line).saturating_add(width(word)).saturating_add(usize::from(!line.is_empty()));
        if needed <= columns {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() && width(word) <= columns {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            // A word that is cut anyway begins here, where there is room for some of it.
            if width(&line).saturating_add(2) < columns {
                line.push(' ');
            } else {
                lines.push(std::mem::take(&mut line));
            }
        }
        for c in word.chars() {
            if width(&line).saturating_add(c.width().unwrap_or(0)) > columns {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Lines of prose, each of at most `columns`: those that are longer are wrapped.
pub(crate) fn fill(prose: &str, columns: usize) -> String {
    let fitting =
        |line: &str| if width(line) <= columns { vec![line.to_owned()] } else { wrap(line, columns) };
    prose.lines().flat_map(fitting).map(|line| line + "\n").collect()
}

pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drives_the_terminal() {
        assert_eq!(safe("a\u{1b}[31m\u{9b}b\u{202e}c\nd"), "a\u{fffd}[31m\u{fffd}b\u{fffd}c d");
        assert_eq!(json(&"\u{1b}\u{9b}\u{202e}ä"), "\"\\u001b\\u009b\\u202eä\"");
        let back: String = serde_json::from_str(&json(&"\u{9b}\u{2066}")).unwrap();
        assert_eq!(back, "\u{9b}\u{2066}");
    }

    #[test]
    fn chinese_takes_two_columns() {
        assert_eq!(width("中国联通"), 8);
        assert_eq!(cut("中国联通流量", 7), "中国联…");
        assert_eq!(cut("home", 4), "home");
        assert_eq!(wrap("中国联通流量卡", 6), ["中国联", "通流量", "卡"]);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    }
}
