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

/// Longest slug.
const MOST_SLUG: usize = 40;

/// `text` as a part of a reminder's key: small letters, digits, `.`, `_` and `-`, 40 at most. Where letters or digits of
/// it find no place in that, eight digits made of the whole tell it apart: two SIMs named in Chinese are two.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::new();
    let mut lost = false;
    for character in text.chars() {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_alphanumeric() || matches!(character, '.' | '_') {
            slug.push(character);
        } else {
            lost |= character.is_alphanumeric();
            if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        if slug.len() > MOST_SLUG {
            lost = true;
            break;
        }
    }
    let whole = slug.trim_end_matches('-');
    // Of no text at all there is nothing to tell apart: rules leave that out of their keys.
    if text.is_empty() || !lost && !whole.is_empty() {
        return whole.to_owned();
    }
    let digest = format!("{:08x}", digest(text));
    // All of it is ASCII: any place in it is a character's edge.
    let head = cut(whole, MOST_SLUG.saturating_sub(digest.len() + 1)).trim_end_matches('-');
    if head.is_empty() { digest } else { format!("{head}-{digest}") }
}

/// FNV-1a. It is part of keys that the ledger keeps: never to be changed.
fn digest(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
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
        assert_eq!(slug("WWAN 0 / eth0"), "wwan-0-eth0");
        assert_eq!(slug("../../etc"), "..-..-etc");
        assert_eq!(slug(&"x".repeat(40)), "x".repeat(40));
        assert_eq!(slug(""), "");
        for text in [" ", "流量", "/ /", "\u{202e}", &"x".repeat(500), &"流量".repeat(500)] {
            assert!((1..=40).contains(&slug(text).len()), "{text}: {}", slug(text));
            assert!(slug(text).bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{text}");
        }
    }

    /// A key that two things share would be one reminder.
    #[test]
    fn what_has_no_place_in_a_slug_is_told_apart() {
        // By the published test vectors of the hash: they stand in ledgers.
        assert_eq!(super::digest(""), 0x811c_9dc5);
        assert_eq!(super::digest("foobar"), 0xbf9c_f968);
        assert_ne!(slug("手机"), slug("邮箱"));
        assert_ne!(slug("Größe"), slug("Grüße"));
        assert!(slug("Größe").starts_with("gr-e-"), "{}", slug("Größe"));
        let long = "x".repeat(60);
        assert_ne!(slug(&format!("{long}1")), slug(&format!("{long}2")));
        assert_eq!(slug("手机"), slug("手机"));
    }
}
