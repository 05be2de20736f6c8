//! Keeps a channel's secrets out of every text it returns.

use std::fmt::Write as _;

use secrecy::{ExposeSecret, SecretString};

use crate::text::one_line;

/// The longest text of an error, in characters.
pub(crate) const LONGEST: usize = 300;

const MASK: &str = "[secret]";

/// The secrets of one channel, in each form in which a receiver may send them back.
#[derive(Default)]
pub(crate) struct Redactor {
    needles: Vec<SecretString>,
}

impl Redactor {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<String> = Vec::new();
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            forms.push(secret.to_owned());
            forms.push(base64(secret.as_bytes()));
            forms.push(percent(secret, is_unreserved));
            forms.push(percent(secret, in_segment));
            forms.push(json_escape(secret));
        }
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        Self { needles: forms.into_iter().map(SecretString::from).collect() }
    }

    /// Returns `text` as one bounded harmless line in which every secret is masked.
    pub(crate) fn clean(&self, text: &str) -> String {
        // Once more after the cleaning: a secret with a hidden character inside shows only then.
        one_line(&self.masked(&one_line(&self.masked(text), usize::MAX)), LONGEST)
    }

    /// The length in bytes of the longest form, so that a text cut off within one can be cut before it.
    pub(crate) fn longest(&self) -> usize {
        self.needles.first().map_or(0, |needle| needle.expose_secret().len())
    }

    /// Returns `text` with every secret masked, and nothing else done to it.
    pub(crate) fn masked(&self, text: &str) -> String {
        self.needles.iter().fold(text.to_owned(), |text, needle| text.replace(needle.expose_secret(), MASK))
    }
}

/// Base 64 with padding (RFC 4648, section 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = usize::try_from(group >> (18 - 6 * at) & 63).unwrap_or(0);
            let padding = at > chunk.len().try_into().unwrap_or(3);
            text.push(if padding { '=' } else { char::from(DIGITS[digit]) });
        }
    }
    text
}

/// Percent-encodes each byte that `keep` does not keep (RFC 3986, section 2.1).
pub(crate) fn percent(text: &str, keep: fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if keep(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Unreserved characters of RFC 3986, section 2.3.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What a segment of a path may hold as it is, of what tokens are made of (RFC 3986, section 3.3).
pub(crate) const fn in_segment(byte: u8) -> bool {
    is_unreserved(byte) || byte == b':'
}

/// The inside of a JSON string.
pub(crate) fn json_escape(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// A name for `id` in 32 hexadecimal digits, the same in every run and version: FNV-1a, 128 bits.
pub(crate) fn stable_name(id: &str) -> String {
    let hash = id.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    format!("{hash:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_rfc_4648_section_10() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn a_secret_is_masked_in_every_form() {
        let redactor = Redactor::new(["s3cr\"t/x", "17:a/b", ""]);
        for form in [
            "s3cr\"t/x",
            "s3cr%22t%2Fx",
            "17:a%2Fb",
            "s3cr\\\"t/x",
            &base64(b"s3cr\"t/x"),
            "s3cr\u{200b}\"t/x",
        ] {
            assert_eq!(redactor.clean(&format!("550 bad <{form}>\r\n")), "550 bad <[secret]>");
        }
    }

    #[test]
    fn a_stable_name_is_stable() {
        // Published vector of FNV-1a 128 for "foobar".
        assert_eq!(stable_name("foobar"), "343e1662793c64bf6f0d3597ba446f18");
    }
}
