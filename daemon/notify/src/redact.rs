//! Keeps a channel's secrets out of every text it returns.

use secrecy::{ExposeSecret, SecretString};
use simbell_core::request::{is_unreserved, json_escape, percent};

use crate::text::one_line;

/// The longest text of an error, in characters.
pub(crate) const LONGEST: usize = 300;

const MASK: &str = "[secret]";

/// So often a text of an answer may be escaped.
const MOST_ESCAPES: usize = 4;

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

    /// As [`Self::masked`], of a text that was cut off: what may be the beginning of a secret at its end is taken away.
    pub(crate) fn masked_to_the_cut(&self, text: &str) -> String {
        let beginning = |needle: &SecretString, text: &str| {
            let needle = needle.expose_secret();
            let ends = needle.char_indices().rev().map(|(at, _)| at);
            ends.into_iter().find(|at| needle.get(..*at).is_some_and(|beginning| text.ends_with(beginning)))
        };
        at_each_escape(text, |text| {
            let mut masked = self.plain(without_split_escape(text));
            let split = self.needles.iter().filter_map(|needle| beginning(needle, &masked)).max();
            masked.truncate(masked.len().saturating_sub(split.unwrap_or(0)));
            masked
        })
    }

    /// An answer as a script may see it: masked, and JSON still where it was.
    pub(crate) fn masked_answer(&self, body: &str) -> String {
        let plain = self.plain(body);
        match serde_json::from_str::<serde_json::Value>(&plain) {
            Ok(mut json) if plain.contains('\\') => {
                if self.mask_json(&mut json) {
                    json.to_string()
                } else {
                    plain
                }
            }
            Ok(_) => plain,
            Err(_) => self.masked(&plain),
        }
    }

    /// Whether anything was masked.
    fn mask_json(&self, json: &mut serde_json::Value) -> bool {
        use serde_json::Value;
        let mask = |text: &mut String| {
            let masked = self.masked(text);
            let changed = masked != *text;
            *text = masked;
            changed
        };
        match json {
            Value::String(text) => mask(text),
            // Not `any`: each is to be masked.
            Value::Array(list) => {
                list.iter_mut().fold(false, |changed, value| self.mask_json(value) | changed)
            }
            Value::Object(map) => {
                let mut changed = false;
                for (mut name, mut value) in std::mem::take(map) {
                    changed |= mask(&mut name);
                    changed |= self.mask_json(&mut value);
                    map.insert(name, value);
                }
                changed
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Returns `text` with every secret masked, however JSON escapes it. Where none is there, nothing is done to it.
    pub(crate) fn masked(&self, text: &str) -> String {
        at_each_escape(text, |text| self.plain(text))
    }

    fn plain(&self, text: &str) -> String {
        self.needles.iter().fold(text.to_owned(), |text, needle| text.replace(needle.expose_secret(), MASK))
    }
}

/// What `mask` makes of a text, or of the text that its escapes stand for where it finds something there only. JSON
/// within JSON is escaped twice.
fn at_each_escape(text: &str, mask: impl Fn(&str) -> String) -> String {
    let mut shown = mask(text);
    let mut level = shown.clone();
    for _ in 0..MOST_ESCAPES {
        let Some(below) = unescaped(&level) else { break };
        level = mask(&below);
        if level != below {
            shown.clone_from(&level);
        }
    }
    shown
}

/// `text` without an escape that a cut at its end has split.
fn without_split_escape(text: &str) -> &str {
    let Some((before, after)) = text.rsplit_once('\\') else { return text };
    let escaped = before.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
    let split = !escaped && (after.is_empty() || after.starts_with('u') && after.len() < 5);
    if split { before } else { text }
}

/// The text that a text's escapes, as those of JSON, stand for; none where it has none.
fn unescaped(text: &str) -> Option<String> {
    let (first, mut rest) = text.split_once('\\')?;
    let mut units: Vec<u16> = first.encode_utf16().collect();
    loop {
        let mut behind = rest.chars();
        let unit = match behind.next() {
            Some('u') => {
                let digits =
                    rest.get(1..5).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
                let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
                if unit.is_some() {
                    behind = rest.get(5..).unwrap_or_default().chars();
                }
                unit
            }
            Some('n') => Some(u16::from(b'\n')),
            Some('r') => Some(u16::from(b'\r')),
            Some('t') => Some(u16::from(b'\t')),
            Some('b') => Some(0x08),
            Some('f') => Some(0x0c),
            Some(other @ ('"' | '\\' | '/')) => u16::try_from(u32::from(other)).ok(),
            _ => None,
        };
        match unit {
            Some(unit) => {
                units.push(unit);
                rest = behind.as_str();
            }
            None => units.push(u16::from(b'\\')),
        }
        match rest.split_once('\\') {
            Some((before, after)) => {
                units.extend(before.encode_utf16());
                rest = after;
            }
            None => {
                units.extend(rest.encode_utf16());
                return Some(String::from_utf16_lossy(&units));
            }
        }
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

/// What a segment of a path may hold as it is, of what tokens are made of (RFC 3986, section 3.3).
pub(crate) const fn in_segment(byte: u8) -> bool {
    is_unreserved(byte) || byte == b':'
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
    fn a_secret_that_a_cut_has_split_is_taken_away() {
        let redactor = Redactor::new(["abcabc", "s3cr\"t/x"]);
        for (text, masked) in [
            ("x abcabc", "x [secret]"),
            ("x abcab", "x "),
            ("x abcabcab", "x [secret]"),
            ("x s3cr", "x "),
            ("x s3cr\\\"t", "x "),
            ("x s3cr%22t%2", "x "),
            ("x YWJjYW", "x "),
            ("x y", "x y"),
            ("", ""),
        ] {
            assert_eq!(redactor.masked_to_the_cut(text), masked, "{text}");
        }
    }

    #[test]
    fn a_secret_in_json_is_masked_however_it_is_escaped() {
        let redactor = Redactor::new(["s3cr\"t/ü"]);
        let escaped = r#"s3\u0063r\u0022t\/\u00fc"#;
        let body = format!(r#"{{"error":"no {escaped}","a":[1.50,{{"{escaped}":"\\"}}]}}"#);
        let masked = redactor.masked_answer(&body);
        let json: serde_json::Value = serde_json::from_str(&masked).unwrap();
        assert_eq!(json, serde_json::json!({ "error": "no [secret]", "a": [1.5, { "[secret]": "\\" }] }));
        for untouched in [r#"{ "a" : "b\/c" }"#, r"no \json", r"\u12 \x \", "{}"] {
            assert_eq!(redactor.masked_answer(untouched), untouched);
            assert_eq!(redactor.masked(untouched), untouched);
        }
        // In what is no JSON, and twice.
        assert_eq!(redactor.masked(&format!("x {escaped}")), "x [secret]");
        assert_eq!(
            redactor.clean(&format!(r#"{{"why":"{}"}}"#, escaped.replace('\\', r"\\"))),
            r#"{"why":"[secret]"}"#
        );
        assert_eq!(redactor.masked_to_the_cut(r#"{"why":"s3cr\"t\"#), "{\"why\":\"");
        assert_eq!(unescaped(r"\ud83d\ude00\/\n"), Some("😀/\n".to_owned()));
    }

    #[test]
    fn a_stable_name_is_stable() {
        // Published vector of FNV-1a 128 for "foobar".
        assert_eq!(stable_name("foobar"), "343e1662793c64bf6f0d3597ba446f18");
    }
}
