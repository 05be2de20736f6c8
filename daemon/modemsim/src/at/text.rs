//! Alphabets of GSM text: the 7-bit default alphabet with its extension (3GPP TS 23.038, 6.2.1) and UCS2.

/// The default alphabet; the position is the septet. 0x1B escapes to the extension.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// The extension table, reached through 0x1B.
const EXTENSION: [(u8, char); 10] = [
    (0x0a, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2f, '\\'),
    (0x3c, '['),
    (0x3d, '~'),
    (0x3e, ']'),
    (0x40, '|'),
    (0x65, '€'),
];
const ESCAPE: u8 = 0x1b;

/// Encodes text in septets, one a byte; `None` when a character is not in the alphabet.
pub(super) fn to_septets(text: &str) -> Option<Vec<Vec<u8>>> {
    text.chars().map(septets_of).collect()
}

fn septets_of(c: char) -> Option<Vec<u8>> {
    if let Some((code, _)) = EXTENSION.iter().find(|(_, e)| *e == c) {
        return Some(vec![ESCAPE, *code]);
    }
    let position = BASIC.chars().position(|b| b == c && b != '\u{1b}')?;
    Some(vec![u8::try_from(position).ok()?])
}

/// Decodes septets, one a byte; unknown escapes become a space, as TS 23.038 asks.
pub(super) fn from_septets(septets: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = septets.iter().copied();
    while let Some(septet) = rest.next() {
        if septet == ESCAPE {
            let Some(code) = rest.next() else { break };
            text.push(EXTENSION.iter().find(|(e, _)| *e == code).map_or(' ', |(_, c)| *c));
        } else {
            text.push(BASIC.chars().nth(usize::from(septet)).unwrap_or(' '));
        }
    }
    text
}

/// Packs septets into octets, leaving `fill` bits (0 to 6) free before the first.
pub(super) fn pack(septets: &[u8], fill: usize) -> Vec<u8> {
    let bits = septets.len() * 7 + fill;
    let mut octets = vec![0u8; bits.div_ceil(8)];
    for (i, septet) in septets.iter().enumerate() {
        for bit in 0..7 {
            if septet >> bit & 1 == 1 {
                let at = fill + i * 7 + bit;
                octets[at / 8] |= 1 << (at % 8);
            }
        }
    }
    octets
}

/// Unpacks `count` septets after `fill` bits; what is missing is left out.
pub(super) fn unpack(octets: &[u8], count: usize, fill: usize) -> Vec<u8> {
    (0..count)
        .map_while(|i| {
            let mut septet = 0;
            for bit in 0..7 {
                let at = fill + i * 7 + bit;
                septet |= (octets.get(at / 8)? >> (at % 8) & 1) << bit;
            }
            Some(septet)
        })
        .collect()
}

/// Writes octets as upper-case hexadecimal digits.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|o| format!("{o:02X}")).collect()
}

/// Reads hexadecimal digits; `None` when there is anything else.
pub(super) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let bytes = digits.trim().as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Encodes text as UCS2 octets, big-endian; characters beyond the BMP become surrogates.
pub(super) fn to_ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Decodes UCS2 octets.
pub(super) fn from_ucs2(octets: &[u8]) -> String {
    let units: Vec<u16> = octets
        .chunks(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or_default()]))
        .collect();
    String::from_utf16_lossy(&units)
}

/// Swaps the digits of a number pairwise, filling up with F (TS 23.040, 9.1.2.3).
pub(super) fn swapped(digits: &str) -> String {
    let mut padded: Vec<char> = digits.chars().collect();
    if !padded.len().is_multiple_of(2) {
        padded.push('F');
    }
    padded.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_128_places() {
        assert_eq!(BASIC.chars().count(), 128);
    }

    #[test]
    fn hellohello_packs_as_in_the_literature() {
        let septets: Vec<u8> = to_septets("hellohello").unwrap().concat();
        assert_eq!(hex(&pack(&septets, 0)), "E8329BFD4697D9EC37");
        assert_eq!(from_septets(&unpack(&pack(&septets, 1), 10, 1)), "hellohello");
    }

    #[test]
    fn extension_characters_take_two_septets() {
        assert_eq!(to_septets("€").unwrap().concat(), [0x1b, 0x65]);
        assert_eq!(from_septets(&to_septets("@£{€}[~]\\^|").unwrap().concat()), "@£{€}[~]\\^|");
        assert!(to_septets("余额").is_none());
    }

    #[test]
    fn ucs2_keeps_characters_beyond_the_bmp() {
        assert_eq!(from_ucs2(&to_ucs2("余额😀")), "余额😀");
        assert_eq!(swapped("89860012345678901234"), "98680021436587092143");
        assert_eq!(swapped("12345"), "2143F5");
    }
}
