//! Hostile text made harmless: bounded, one script direction, no control characters.

use simbell_core::text::{is_control, is_hidden};

/// `text` with control characters, bidirectional and other invisible controls taken out, line breaks kept, cut to
/// `most` characters with an ellipsis at the end.
#[must_use]
pub fn harmless(text: &str, most: usize) -> String {
    let mut kept = String::with_capacity(text.len().min(most.saturating_mul(4)));
    let mut count = 0_usize;
    for character in text.chars() {
        let character = match character {
            '\n' => '\n',
            '\t' | '\r' | '\u{2028}' | '\u{2029}' => ' ',
            c if is_control(c) => '\u{fffd}',
            c if is_hidden(c) => continue,
            c => c,
        };
        if count == most {
            kept.pop();
            kept.push('…');
            break;
        }
        kept.push(character);
        count = count.saturating_add(1);
    }
    kept
}

/// A piece of text short enough to be quoted in a message.
pub(crate) fn short(text: &str) -> String {
    harmless(text, 60).replace('\n', " ")
}

/// `text` cut to `most` bytes at a character's edge.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

/// `text` as a part of a reminder's key: small letters, digits, `.`, `_` and `-`, 40 at most.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.chars() {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_alphanumeric() || matches!(character, '.' | '_') {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 40 {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{cut, harmless, slug};

    #[test]
    fn controls_are_taken_out_and_breaks_kept() {
        assert_eq!(harmless("a\u{1b}[31mb\r\nc\u{202e}d\u{200b}", 100), "a\u{fffd}[31mb \ncd");
    }

    #[test]
    fn long_text_is_cut_with_an_ellipsis() {
        assert_eq!(harmless("流量用完了", 4), "流量用…");
        assert_eq!(harmless("流量用完", 4), "流量用完");
        assert_eq!(cut("流量", 4), "流");
    }

    #[test]
    fn a_slug_fits_in_a_key() {
        assert_eq!(slug("WWAN 0 / Größe"), "wwan-0-gr-e");
        assert_eq!(slug("../../etc"), "..-..-etc");
        assert_eq!(slug("流量"), "");
        assert!(slug(&"x".repeat(500)).len() <= 40);
    }
}
