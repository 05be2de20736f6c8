//! Telling other parties apart without naming them: a keyed digest of the number.
//!
//! SipHash-2-4 (Aumasson and Bernstein, 2012) is made for short inputs under a secret key: without the key nobody can
//! tell whether a number was called. The key lies in the ledger, so whoever has the whole ledger could try numbers out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The key of a ledger's digests, 128 bits. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PartyKey(pub u64, pub u64);

impl PartyKey {
    /// Reads 32 hexadecimal digits; none where the text is something else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let (first, second) = text.split_at_checked(16).filter(|_| text.len() == 32)?;
        let word = |digits: &str| {
            digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u64::from_str_radix(digits, 16).ok())?
        };
        Some(Self(word(first)?, word(second)?))
    }

    /// The digest of a number, 16 hexadecimal digits.
    #[must_use]
    pub fn digest(self, number: &str) -> String {
        format!("{:016x}", siphash(self, number.as_bytes()))
    }
}

impl fmt::Debug for PartyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartyKey(…)")
    }
}

fn siphash(key: PartyKey, data: &[u8]) -> u64 {
    let mut v = [
        key.0 ^ 0x736f_6d65_7073_6575,
        key.1 ^ 0x646f_7261_6e64_6f6d,
        key.0 ^ 0x6c79_6765_6e65_7261,
        key.1 ^ 0x7465_6462_7974_6573,
    ];
    let mut words = data.chunks_exact(8);
    for word in words.by_ref() {
        take_in(&mut v, little(word));
    }
    let length = u64::try_from(data.len() % 256).unwrap_or_default();
    take_in(&mut v, little(words.remainder()) | length << 56);
    let [_, _, third, _] = &mut v;
    *third ^= 0xff;
    for _ in 0..4 {
        round(&mut v);
    }
    v.iter().fold(0, |sum, word| sum ^ word)
}

fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

fn take_in(v: &mut [u64; 4], word: u64) {
    v[3] ^= word;
    round(v);
    round(v);
    v[0] ^= word;
}

fn round(v: &mut [u64; 4]) {
    let [a, b, c, d] = v;
    *a = a.wrapping_add(*b);
    *b = b.rotate_left(13) ^ *a;
    *a = a.rotate_left(32);
    *c = c.wrapping_add(*d);
    *d = d.rotate_left(16) ^ *c;
    *a = a.wrapping_add(*d);
    *d = d.rotate_left(21) ^ *a;
    *c = c.wrapping_add(*b);
    *b = b.rotate_left(17) ^ *c;
    *c = c.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of the paper's test vectors: bytes 00 to 0f.
    const KEY: PartyKey = PartyKey(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);

    #[test]
    fn digests_are_siphash_2_4() {
        let input: Vec<u8> = (0..15).collect();
        assert_eq!(siphash(KEY, &input), 0xa129_ca61_49be_45e5, "appendix A of the paper");
        assert_eq!(siphash(KEY, &[]), 0x726f_db47_dd0e_0e31, "vector 0 of the reference implementation");
    }

    #[test]
    fn keys_are_read_strictly_and_never_shown() {
        let key = PartyKey::from_hex("0706050403020100f0e0d0c0b0a09080").unwrap();
        assert_eq!(key, PartyKey(0x0706_0504_0302_0100, 0xf0e0_d0c0_b0a0_9080));
        for bad in ["", "0", "+706050403020100f0e0d0c0b0a09080", "ж706050403020100f0e0d0c0b0a0908"] {
            assert_eq!(PartyKey::from_hex(bad), None, "{bad}");
        }
        assert_eq!(format!("{key:?}"), "PartyKey(…)");
        assert_ne!(key.digest("+491701234567"), PartyKey(1, 2).digest("+491701234567"));
    }
}
