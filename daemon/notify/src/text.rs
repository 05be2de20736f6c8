//! Makes hostile text harmless: no controls, no hidden or reordering characters, no endless lengths.

use simbell_core::text::{is_control, is_hidden};

/// Returns `text` as one line of at most `most` characters; a longer one ends in `…`.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let line: String = text.chars().filter_map(harmless).collect();
    bounded(line.split_whitespace().collect::<Vec<_>>().join(" "), most)
}

/// Returns `text` with its line breaks, at most `most` characters; a longer one ends in `…`.
pub(crate) fn lines(text: &str, most: usize) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    let kept: Vec<String> =
        text.split('\n').map(|line| line.chars().filter_map(harmless).collect::<String>()).collect();
    bounded(kept.join("\n").trim().to_owned(), most)
}

/// As [`lines`], of at most `most` bytes of UTF-8.
pub(crate) fn lines_of_bytes(text: &str, most: usize) -> String {
    let text = lines(text, most);
    if text.len() <= most {
        return text;
    }
    let end = most.saturating_sub('…'.len_utf8());
    let head = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= end).last().unwrap_or(0);
    format!("{}…", text.get(..head).unwrap_or_default())
}

fn bounded(text: String, most: usize) -> String {
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A blank for a control character, nothing for one that hides or reorders others.
fn harmless(c: char) -> Option<char> {
    match c {
        c if is_control(c) => Some(' '),
        c if is_hidden(c) => None,
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_without_tricks() {
        assert_eq!(one_line("a\r\nBcc: x@y\u{1b}[31m\u{9b}2J", 80), "a Bcc: x@y [31m 2J");
        assert_eq!(one_line("\u{202e}lanimret\u{2066}\u{200b}", 80), "lanimret");
        assert_eq!(one_line("流量 80%\u{2029}已用", 80), "流量 80% 已用");
        assert_eq!(one_line("👩‍👧", 80), "👩‍👧");
        assert_eq!(one_line("abcdef", 4), "abc…");
        assert_eq!(one_line("abcd", 4), "abcd");
    }

    #[test]
    fn a_text_keeps_its_lines() {
        assert_eq!(lines("one\r\ntwo\rthree\u{7}\n", 80), "one\ntwo\nthree");
        assert_eq!(lines("流\n量", 2), "流…");
        assert_eq!(lines_of_bytes("流量", 6), "流量");
        assert_eq!(lines_of_bytes("流量卡", 8), "流…");
        assert_eq!(lines_of_bytes("a流量卡", 9), "a流…");
    }
}
