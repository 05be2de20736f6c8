//! Hostile text: which characters may not reach a terminal, a log or a reader.

/// Whether a character is not seen and hides or reorders others: bidirectional controls (Unicode UAX #9), invisible
/// separators and operators, tags, the byte order mark.
///
/// The joiners U+200C and U+200D are not among them: Persian, Indic scripts and emoji are written with them.
#[must_use]
pub const fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\u{061c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Whether a character may end a line or drive a terminal: C0 and C1 controls, the line and paragraph separators.
#[must_use]
pub fn is_control(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_or_reorders_is_told_from_what_is_written() {
        for c in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{200f}', '\u{feff}', '\u{e0041}', '\u{061c}'] {
            assert!(is_hidden(c), "{c:?}");
        }
        for c in ['a', '流', ' ', '\u{200d}', '\u{200c}', '…', '\n', '\u{fe0f}'] {
            assert!(!is_hidden(c), "{c:?}");
        }
        for c in ['\0', '\n', '\u{1b}', '\u{7f}', '\u{9b}', '\u{2028}', '\u{2029}'] {
            assert!(is_control(c), "{c:?}");
        }
        for c in ['a', '流', ' ', '\u{a0}'] {
            assert!(!is_control(c), "{c:?}");
        }
    }
}
