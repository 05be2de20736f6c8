//! How many segments a text takes, and how it is shortened to a given number (3GPP TS 23.038, 23.040).

pub use simbell_core::segments::Encoding;
use simbell_core::segments::{encoding, parts_in};

/// A text that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// The text, shortened with an ellipsis where it was too long.
    pub text: String,
    /// How it is coded.
    pub encoding: Encoding,
    /// How many segments it takes; each is paid for.
    pub segments: u32,
}

/// Returns `text` shortened to at most `most` segments (at least one).
///
/// Typographic quotes, dashes, ellipses and blanks become their ASCII forms where that alone lets the whole
/// text be coded in 7 bits: it then takes less than half the segments.
#[must_use]
pub fn fit(text: &str, most: u32) -> Fitted {
    let plain: String = text.chars().map(plainer).collect::<Vec<_>>().concat();
    let (text, encoding) = match encoding(&plain) {
        Encoding::Gsm7 => (plain, Encoding::Gsm7),
        Encoding::Ucs2 => (text.to_owned(), Encoding::Ucs2),
    };
    let most = most.max(1);
    let segments = parts_in(&text, encoding);
    if segments <= most {
        return Fitted { text, encoding, segments };
    }
    let ellipsis = if encoding == Encoding::Gsm7 { "..." } else { "…" };
    // The longest head that fits, found from above: cutting a character off never adds a segment.
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let fits = |end: &usize| {
        let head = text.get(..*end).unwrap_or_default().trim_end();
        parts_in(&format!("{head}{ellipsis}"), encoding) <= most
    };
    let kept = ends.partition_point(fits).saturating_sub(1);
    let head = text.get(..ends.get(kept).copied().unwrap_or(0)).unwrap_or_default().trim_end();
    let text = format!("{head}{ellipsis}");
    Fitted { segments: parts_in(&text, encoding), text, encoding }
}

fn plainer(c: char) -> String {
    match c {
        '‘' | '’' | '‚' | '′' => "'".to_owned(),
        '“' | '”' | '„' | '″' => "\"".to_owned(),
        '‐' | '‑' | '‒' | '–' | '—' | '−' => "-".to_owned(),
        '…' => "...".to_owned(),
        '\u{a0}' | '\u{2007}' | '\u{2009}' | '\u{202f}' | '\t' => " ".to_owned(),
        '•' | '·' => "*".to_owned(),
        c => c.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(text: &str, most: u32) -> (usize, u32, Encoding) {
        let fitted = fit(text, most);
        (fitted.text.chars().count(), fitted.segments, fitted.encoding)
    }

    #[test]
    fn limits_of_both_codings() {
        assert_eq!(fitted(&"a".repeat(160), 2), (160, 1, Encoding::Gsm7));
        assert_eq!(fitted(&"a".repeat(161), 2), (161, 2, Encoding::Gsm7));
        assert_eq!(fitted(&"a".repeat(306), 2), (306, 2, Encoding::Gsm7));
        assert_eq!(fitted(&"量".repeat(70), 2), (70, 1, Encoding::Ucs2));
        assert_eq!(fitted(&"量".repeat(71), 2), (71, 2, Encoding::Ucs2));
        assert_eq!(fitted(&"量".repeat(134), 2), (134, 2, Encoding::Ucs2));
        assert_eq!(fitted("", 2), (0, 1, Encoding::Gsm7));
    }

    #[test]
    fn a_longer_text_is_shortened_to_just_the_limit() {
        let gsm = fit(&"a".repeat(307), 2);
        assert_eq!((gsm.text.len(), gsm.segments), (306, 2));
        assert!(gsm.text.ends_with("a..."));
        let one = fit(&"a".repeat(161), 1);
        assert_eq!((one.text.len(), one.segments), (160, 1));
        let ucs = fit(&"量".repeat(135), 2);
        assert_eq!((ucs.text.chars().count(), ucs.segments), (134, 2));
        assert!(ucs.text.ends_with("量…"));
        assert_eq!(fit(&"量".repeat(500), 0).segments, 1);
    }

    #[test]
    fn characters_of_two_are_counted_and_not_split() {
        assert_eq!(fitted(&"€".repeat(80), 2), (80, 1, Encoding::Gsm7));
        // 76 in a segment of 153 septets: the 77th does not fit into the one that is left.
        assert_eq!(fitted(&"€".repeat(152), 2), (152, 2, Encoding::Gsm7));
        assert_eq!(fit(&"€".repeat(153), 3).segments, 3);
        assert_eq!(fitted(&"😀".repeat(35), 2), (35, 1, Encoding::Ucs2));
        assert_eq!(fit(&"😀".repeat(67), 3).segments, 3);
    }

    #[test]
    fn typography_does_not_double_the_price() {
        let text = "“80 %” used — 2 GB left… it’s • time";
        let fitted = fit(text, 2);
        assert_eq!(fitted.encoding, Encoding::Gsm7);
        assert_eq!(fitted.text, "\"80 %\" used - 2 GB left... it's * time");
        assert_eq!(fit("流量 — 80%", 2).text, "流量 — 80%");
    }

    #[test]
    fn a_text_never_takes_more_than_it_may_and_no_less_than_it_can() {
        for pattern in ["a", "€", "a€", "量", "😀", "a量😀", "a b ", "…", "a\n"] {
            for length in 60..320 {
                let text: String = pattern.chars().cycle().take(length).collect();
                for most in 1..3 {
                    let fitted = fit(&text, most);
                    assert!(fitted.segments <= most, "{length} of {pattern:?} in {most}");
                    assert_eq!(fitted.segments, parts_in(&fitted.text, fitted.encoding));
                    let whole: String = text.chars().map(plainer).collect();
                    let unshortened = fitted.text == text || fitted.text == whole;
                    assert!(unshortened || fitted.segments == most, "{length} of {pattern:?} in {most}");
                }
            }
        }
    }
}
