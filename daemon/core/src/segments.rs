//! How many parts a short message takes: each is charged (3GPP TS 23.038, 23.040).

/// How a text is coded on the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// GSM 7-bit default alphabet and its extension: 160 septets, 153 in each of several parts.
    Gsm7,
    /// UCS-2: 70 UTF-16 units, 67 in each of several parts.
    Ucs2,
}

/// The coding that takes the fewest parts: 7 bits wherever they can say the text.
#[must_use]
pub fn encoding(text: &str) -> Encoding {
    if text.chars().all(|c| septets(c).is_some()) { Encoding::Gsm7 } else { Encoding::Ucs2 }
}

/// Parts of a text, 1 at least.
#[must_use]
pub fn parts(text: &str) -> u32 {
    parts_in(text, encoding(text))
}

/// Parts of a text in this coding, 1 at least: a character of two septets or units is never split between two of them.
#[must_use]
pub fn parts_in(text: &str, encoding: Encoding) -> u32 {
    let (single, each): (u32, u32) = match encoding {
        Encoding::Gsm7 => (160, 153),
        Encoding::Ucs2 => (70, 67),
    };
    let width = |c: char| match encoding {
        Encoding::Gsm7 => septets(c).unwrap_or(1),
        Encoding::Ucs2 => u32::from(u32::from(c) > 0xFFFF).saturating_add(1),
    };
    if text.chars().map(width).fold(0_u32, u32::saturating_add) <= single {
        return 1;
    }
    let (mut parts, mut filled) = (1_u32, 0_u32);
    for width in text.chars().map(width) {
        if filled.saturating_add(width) > each {
            parts = parts.saturating_add(1);
            filled = 0;
        }
        filled = filled.saturating_add(width);
    }
    parts
}

/// Septets of a character in the GSM 7-bit default alphabet (TS 23.038, 6.2.1) or its extension; none where
/// it is in neither.
#[must_use]
fn septets(c: char) -> Option<u32> {
    const DEFAULT: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    const EXTENSION: &str = "\u{c}^{}\\[~]|€";
    if DEFAULT.contains(c) {
        Some(1)
    } else if EXTENSION.contains(c) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_as_networks_bill_them() {
        for (text, expected) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            // 76 in a part of 153 septets: the 77th does not fit into the one that is left.
            ("€".repeat(153), 3),
            ("я".repeat(70), 1),
            ("я".repeat(71), 2),
            ("🙂".repeat(36), 2),
            ("🙂".repeat(67), 3),
            ("a".repeat(153 * 3), 3),
            ("a".repeat(153 * 3 + 1), 4),
        ] {
            assert_eq!(parts(&text), expected, "{} of {:?}", text.chars().count(), text.chars().next());
        }
    }

    #[test]
    fn the_default_alphabet_has_its_127_characters() {
        // 128 codes less the escape.
        let all = (0..=0xFFFF_u32).filter_map(char::from_u32);
        let (mut ones, mut twos) = (0, 0);
        for c in all {
            match septets(c) {
                Some(1) => ones += 1,
                Some(_) => twos += 1,
                None => {}
            }
        }
        assert_eq!((ones, twos), (127, 10));
    }
}
