//! A request as a test sees it: whole, but for secrets, each of which is shown by its name.

use std::borrow::Cow;

use simbell_core::request::{BodyKind, HttpRequest, Piece, Sealed};

/// What is made of secrets begins with one of these.
const MADE: [&str; 3] = ["[base64(", "[hex(", "[hmac_sha256("];

/// A request without a secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) method: &'static str,
    pub(super) url: String,
    /// Headers in order, with the type that the service gives to the body.
    pub(super) headers: Vec<(String, String)>,
    /// Empty where there is none.
    pub(super) body: String,
    /// Names with values, where the body is a form.
    pub(super) form: Option<Vec<(String, String)>>,
}

impl Shown {
    /// `sealed` are the names of settings that are not shown, `media` the type of the body as it goes out.
    pub(super) fn of(request: &HttpRequest, sealed: &[String], media: Option<String>) -> Self {
        let plain = |pieces: &[Piece]| text(pieces, sealed, ToOwned::to_owned);
        let mut headers: Vec<(String, String)> =
            request.headers.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
        let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE));
        if let Some(media) = media.filter(|_| !typed) {
            headers.push((CONTENT_TYPE.to_owned(), media));
        }
        let (mut body, mut form) = (String::new(), None);
        if let Some(given) = &request.body {
            body = match given.kind {
                BodyKind::Json => text(&given.pieces, sealed, json_escape),
                BodyKind::Form | BodyKind::Text => plain(&given.pieces),
            };
            if given.kind == BodyKind::Form {
                form = Some(fields(&text(&given.pieces, sealed, percent)));
            }
        }
        Self { method: request.method.as_str(), url: plain(&request.url), headers, body, form }
    }

    pub(super) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&self.body).ok()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

const CONTENT_TYPE: &str = "Content-Type";

/// A text with its secrets by name, each written as the place around it needs.
fn text(pieces: &[Piece], sealed: &[String], escape: fn(&str) -> String) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => literal(text, sealed).into_owned(),
            Piece::Sealed(one) => escape(&named(one, sealed)),
        })
        .collect()
}

fn named(one: &Sealed, sealed: &[String]) -> String {
    let inside = |pieces: &[Piece]| text(pieces, sealed, ToOwned::to_owned);
    match one {
        Sealed::Setting(name) => format!("[{name}]"),
        Sealed::Base64(pieces) => format!("[base64({})]", inside(pieces)),
        Sealed::Hex(pieces) => format!("[hex({})]", inside(pieces)),
        Sealed::HmacSha256 { key, text } => format!("[hmac_sha256({}, {})]", inside(key), inside(text)),
    }
}

/// A text that is no secret. What looks like a secret's name in it is written with a mark, so that it is not taken for one.
fn literal<'a>(text: &'a str, sealed: &[String]) -> Cow<'a, str> {
    if !text.contains('[') {
        return Cow::Borrowed(text);
    }
    let names = sealed.iter().map(|name| format!("[{name}]"));
    let alike: Vec<String> = names.chain(MADE.map(str::to_owned)).collect();
    let marked = |text: String, one: &String| text.replace(one.as_str(), &one.replacen('[', "['", 1));
    Cow::Owned(alike.iter().fold(text.to_owned(), marked))
}

fn fields(text: &str) -> Vec<(String, String)> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let (byte, after) = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                (u8::try_from(high.saturating_mul(16).saturating_add(low)).unwrap_or(b'?'), after.get(2..))
            }
            (b'+', ..) => (b' ', Some(after)),
            _ => (*first, Some(after)),
        };
        bytes.push(byte);
        rest = after.unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

fn json_escape(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use simbell_core::request::{HttpBody, HttpMethod};

    use super::*;

    #[test]
    fn a_secret_is_shown_by_its_name_and_nothing_else_looks_like_one() {
        let sealed = ["token".to_owned()];
        let token = || Piece::Sealed(Sealed::Setting("token".to_owned()));
        let plain = |text: &str| Piece::Text(text.to_owned());
        let signed =
            Piece::Sealed(Sealed::HmacSha256 { key: vec![token()], text: vec![plain("1\n"), token()] });
        let coded = Piece::Sealed(Sealed::Base64(vec![signed]));
        let shown = |kind, pieces| {
            let request = HttpRequest {
                method: HttpMethod::Post,
                url: vec![plain("https://h/"), token()],
                headers: vec![("X".to_owned(), vec![plain("[token] [x] [hex(1)]")])],
                body: Some(HttpBody { kind, pieces }),
            };
            Shown::of(&request, &sealed, Some("a/b".to_owned()))
        };
        let json = shown(BodyKind::Json, vec![plain("{\"a\":\""), coded.clone(), plain("\"}")]);
        assert_eq!(json.url, "https://h/[token]");
        assert_eq!(json.header("x"), Some("['token] [x] ['hex(1)]"));
        assert_eq!(json.header("content-type"), Some("a/b"));
        let expected = serde_json::json!({ "a": "[base64([hmac_sha256([token], 1\n[token])])]" });
        assert_eq!(json.json(), Some(expected));
        let form = shown(BodyKind::Form, vec![plain("a=b%26+c&t="), token()]);
        assert_eq!(form.body, "a=b%26+c&t=[token]");
        let fields = [("a", "b& c"), ("t", "[token]")];
        assert_eq!(form.form, Some(fields.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec()));
    }
}
