//! The line that a problem is on, as a terminal shows it.

use unicode_width::UnicodeWidthChar as _;

use crate::text::harmless;

/// A line, and how many columns of a terminal are left of the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(super) line: Box<str>,
    pub(super) before: usize,
}

/// Characters of a line that are shown at most.
const MOST: usize = 160;
/// Of a longer line, so many are shown before the place.
const BEFORE: usize = 80;

impl Excerpt {
    /// The line of a place; none where the text has no such line.
    pub(super) fn of(text: &str, (line, column): (usize, usize)) -> Option<Self> {
        let line = text.lines().nth(line.checked_sub(1)?)?.trim_end();
        let place = column.saturating_sub(1);
        let start = if line.chars().count() > MOST { place.saturating_sub(BEFORE) } else { 0 };
        let cut = if start > 0 { "…" } else { "" };
        let shown: String = line.chars().skip(start).collect();
        let shown = format!("{cut}{}", harmless(&shown, MOST));
        let before: String = line.chars().take(place).skip(start).collect();
        // As it is shown: what is invisible takes no column, what is wide takes two.
        let before = format!("{cut}{}", harmless(&before, MOST));
        let beyond = place.saturating_sub(line.chars().count());
        let columns: usize = before.chars().map(|c| c.width().unwrap_or(0)).sum();
        Some(Self { line: shown.into(), before: columns.saturating_add(beyond) })
    }
}

#[cfg(test)]
mod tests {
    use super::Excerpt;

    fn caret(text: &str, column: usize) -> String {
        let excerpt = Excerpt::of(text, (1, column)).expect("a line");
        format!("{}\n{}^", excerpt.line, " ".repeat(excerpt.before))
    }

    #[test]
    fn the_caret_is_below_the_place() {
        assert_eq!(caret("let a = b;", 9), "let a = b;\n        ^");
        assert_eq!(caret("\tlet a\t= b;", 10), " let a = b;\n         ^");
        assert_eq!(caret("流量 = x;", 6), "流量 = x;\n       ^");
        assert_eq!(caret("a\u{200b}b c", 5), "ab c\n   ^");
        assert_eq!(caret("ab", 3), "ab\n  ^");
        assert_eq!(Excerpt::of("one", (2, 1)), None);
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let line = format!("{}x{}", "a".repeat(300), "b".repeat(300));
        let shown = caret(&line, 301);
        let (line, caret) = shown.split_once('\n').expect("two lines");
        assert_eq!(line.chars().nth(caret.chars().count() - 1), Some('x'), "{shown}");
        assert!(line.chars().count() <= 162, "{shown}");
    }
}
