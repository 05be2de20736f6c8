//! Secrets for one input, and whether a text shows a piece of one.

use std::fs::File;
use std::io::Read as _;

/// Random characters of each secret.
const LENGTH: usize = 20;

/// A piece of so many characters is more than chance brings.
const PIECE: usize = 8;

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Variable of the environment that has a run's secrets drawn again.
const SEED: &str = "SIMBELL_FUZZ_SEED";

/// Numbers that no input foretells: `SplitMix64`, begun from the kernel's randomness.
#[derive(Debug)]
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}

impl Random {
    /// Begins where `SIMBELL_FUZZ_SEED` says, else anywhere.
    #[must_use]
    pub fn new() -> Self {
        let given = std::env::var(SEED).ok().map(|text| text.parse().expect("a number"));
        Self(given.unwrap_or_else(|| {
            let mut bytes = [0; 8];
            File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("random bytes");
            u64::from_ne_bytes(bytes)
        }))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn letters(&mut self) -> String {
        let letter = |number: u64| usize::try_from(number % 62).map(|at| char::from(LETTERS[at]));
        (0..LENGTH).map(|_| letter(self.next()).expect("small")).collect()
    }
}

/// Five secrets. Each holds random letters and digits, which percent-encoding and JSON leave as they are, and something
/// that one of its places cannot carry.
#[derive(Debug)]
pub struct Secrets {
    seed: u64,
    letters: [String; 5],
    /// What no text may hold.
    pieces: Vec<String>,
}

impl Secrets {
    /// Secrets that were never there before.
    #[must_use]
    pub fn draw(random: &mut Random) -> Self {
        let seed = random.0;
        let letters = std::array::from_fn(|_| random.letters());
        let pieces = letters.iter().flat_map(|letters| forms(letters)).collect();
        Self { seed, letters, pieces }
    }

    /// With what addresses, headers and JSON have a meaning of their own for.
    #[must_use]
    pub fn token(&self) -> String {
        format!("7:{}/f\"Lk&9ü Wx+3", self.letters[0])
    }

    /// Letters and digits.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.letters[1]
    }

    /// A header of its own, if anything lets it.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}\r\nX-Evil: yes", self.letters[2])
    }

    /// Another host, if anything lets it.
    #[must_use]
    pub fn host(&self) -> String {
        format!("{}.example.net", self.letters[3])
    }

    /// What the path of an address holds.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.letters[4]
    }

    /// # Panics
    /// Where `text` holds a piece of a secret.
    pub fn assert_hidden_in(&self, text: &str) {
        for piece in &self.pieces {
            assert!(!text.contains(piece), "{piece:?} of a secret ({SEED}={}) shows in {text:?}", self.seed);
        }
    }
}

/// The beginning, the middle and the end, as they are, in hexadecimal digits, and in base 64 wherever they stand in it.
fn forms(letters: &str) -> Vec<String> {
    let places = [0, (LENGTH - PIECE) / 2, LENGTH - PIECE];
    let pieces = places.map(|at| &letters[at..at + PIECE]);
    let hex = |piece: &str| piece.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let plain = pieces.iter().map(|piece| (*piece).to_owned());
    let coded = pieces.iter().flat_map(|piece| [0, 1, 2].map(|before| base64_inside(piece.as_bytes(), before)));
    plain.chain(pieces.iter().map(|piece| hex(piece))).chain(coded).collect()
}

/// Those digits of base 64 that depend on `bytes` alone where so many others stand before them.
fn base64_inside(bytes: &[u8], before: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |at: usize| (bytes[at / 8] >> (7 - at % 8)) & 1;
    let first = (6 - before * 8 % 6) % 6;
    (first..bytes.len() * 8)
        .step_by(6)
        .filter(|at| at + 6 <= bytes.len() * 8)
        .map(|at| char::from(DIGITS[usize::from((at..at + 6).fold(0, |digit, at| digit << 1 | bit(at)))]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_found_in_each_form() {
        assert_eq!(base64_inside(b"foobar", 0), "Zm9vYmFy");
        // "xfoobar" is eGZvb2Jhcg==, "xyfoobar" eHlmb29iYXI=.
        assert_eq!(base64_inside(b"foobar", 1), "Zvb2Jhc");
        assert_eq!(base64_inside(b"foobar", 2), "mb29iYX");
        let secrets = Secrets::draw(&mut Random(1));
        let shows = |text: &str| std::panic::catch_unwind(|| secrets.assert_hidden_in(text)).is_err();
        assert!(shows(&secrets.token()) && shows(&secrets.line()) && shows(&secrets.host()));
        assert!(shows(&format!("GET /{} HTTP/1.1", &secrets.path()[..PIECE])));
        assert!(shows(&secrets.key()[LENGTH - PIECE..]) && !shows(&secrets.key()[..PIECE - 1]));
        assert!(!shows("[secret]") && !shows(&Secrets::draw(&mut Random(2)).token()));
    }
}
