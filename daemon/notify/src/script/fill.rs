//! From a script's request to one that can be sent: sealed pieces are filled in, and what it may not do is refused.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, Uri};
use ring::hmac;
use secrecy::ExposeSecret;
use simbell_core::request::{
    BodyKind, HttpRequest, OWN_HEADERS, Piece, Sealed, is_unreserved, json_escape, percent,
};

use crate::channel::AGENT;
use crate::config::{Reach, ScriptValue};
use crate::redact::{base64, in_segment};
use crate::webhook::{IDEMPOTENCY_KEY, idempotency_key};

/// The most bytes of a request's body, and of all its headers.
const MOST_BODY: usize = 64 << 10;
const MOST_HEADERS: usize = 16 << 10;
const MOST_URL: usize = 8 << 10;

const HEADERS_TOO_LONG: &str = "the headers are longer than 16 KiB";

/// Sealed values within sealed values.
const MOST_NESTING: usize = 8;

/// A request that may be sent, as it goes out.
pub struct Outgoing {
    pub(super) request: Request<Bytes>,
    /// `scheme://host:port`, which may be shown.
    pub(super) place: String,
    /// Every text that was filled in.
    pub(super) secrets: Vec<String>,
}

impl Outgoing {
    /// The whole of it, secrets filled in.
    #[must_use]
    pub const fn request(&self) -> &Request<Bytes> {
        &self.request
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Why a request is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The script made what cannot be sent.
    Wrong(String),
    /// Its host is one that the owner has yet to approve.
    NotApproved(String),
}

/// What the values of a channel are, and where it may send to.
pub(super) struct Filler<'a> {
    pub(super) values: &'a BTreeMap<String, ScriptValue>,
    pub(super) reach: &'a [Reach],
}

impl Filler<'_> {
    pub(super) fn fill(&self, request: &HttpRequest, id: &str) -> Result<Outgoing, Refusal> {
        let wrong = |text: &str| Refusal::Wrong(text.to_owned());
        let mut secrets = BTreeSet::new();
        let (uri, place) = self.uri(&request.url, &mut secrets)?;
        let mut built = Request::builder()
            .method(request.method.as_str())
            .uri(uri)
            .header(USER_AGENT, AGENT)
            .header(IDEMPOTENCY_KEY, idempotency_key(id));
        let (mut typed, mut seen) = (false, HashSet::new());
        let mut bytes = 0_usize;
        for (name, pieces) in &request.headers {
            let header =
                HeaderName::try_from(name.as_str()).map_err(|_| wrong("a header has no valid name"))?;
            if OWN_HEADERS.contains(&header.as_str()) {
                return Err(Refusal::Wrong(format!("the header `{header}` is the service's own")));
            }
            let text = self.text(pieces, ToOwned::to_owned, MOST_HEADERS, HEADERS_TOO_LONG, &mut secrets)?;
            bytes = bytes.saturating_add(name.len()).saturating_add(text.len());
            if bytes > MOST_HEADERS {
                return Err(wrong(HEADERS_TOO_LONG));
            }
            let mut value = HeaderValue::from_str(&text).map_err(|_| {
                Refusal::Wrong(format!("the header `{header}` has a character that it cannot carry"))
            })?;
            value.set_sensitive(pieces.iter().any(|piece| matches!(piece, Piece::Sealed(_))));
            typed |= header == CONTENT_TYPE;
            // Names differ in a map by their letters' case, which headers do not.
            if !seen.insert(header.clone()) {
                return Err(Refusal::Wrong(format!("the header `{header}` is there twice")));
            }
            built = built.header(header, value);
        }
        let mut body = String::new();
        if let Some(given) = &request.body {
            let (escape, media): (fn(&str) -> String, _) = match given.kind {
                BodyKind::Json => (json_escape, "application/json"),
                BodyKind::Form => (percent_all, "application/x-www-form-urlencoded"),
                BodyKind::Text => (ToOwned::to_owned, "text/plain; charset=utf-8"),
            };
            body =
                self.text(&given.pieces, escape, MOST_BODY, "the body is longer than 64 KiB", &mut secrets)?;
            if !typed {
                built = built.header(CONTENT_TYPE, media);
            }
        }
        let request = built.body(Bytes::from(body)).map_err(|_| wrong("the request makes no sense"))?;
        Ok(Outgoing { request, place, secrets: secrets.into_iter().collect() })
    }

    /// The address, if it leads to a host that is allowed.
    fn uri(&self, pieces: &[Piece], secrets: &mut BTreeSet<String>) -> Result<(Uri, String), Refusal> {
        let wrong = |text: &str| Refusal::Wrong(text.to_owned());
        let mut text = String::new();
        let mut rest = pieces;
        match pieces.split_first() {
            Some((Piece::Sealed(Sealed::Setting(name)), more)) => {
                let Some(ScriptValue::Url(url)) = self.values.get(name) else {
                    return Err(wrong(
                        "the address begins with a secret: it begins with https:// or a setting of type \"url\"",
                    ));
                };
                text.push_str(url.expose_secret().trim_end_matches('/'));
                let goes_on =
                    |piece: &Piece| matches!(piece, Piece::Text(text) if text.starts_with(['/', '?']));
                if !after_host(&text) && !more.first().is_none_or(goes_on) {
                    return Err(wrong(
                        "what stands behind the host of the setting begins with neither / nor ?",
                    ));
                }
                rest = more;
            }
            // No piece that is filled in may decide where the request goes.
            Some((Piece::Text(head), _)) if pieces.len() == 1 || after_host(head) => {}
            _ => return Err(wrong("the host of the address is not written out before the first secret")),
        }
        for piece in rest {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Sealed(sealed) => {
                    let value = self.sealed(sealed, 0, secrets)?;
                    let in_query = text.contains('?');
                    text.push_str(&percent(&value, if in_query { is_unreserved } else { in_segment }));
                }
            }
            if text.len() > MOST_URL {
                return Err(wrong("the address is longer than 8 KiB"));
            }
        }
        let uri: Uri = text.parse().map_err(|_| {
            wrong("the address is no URL: blanks and special characters in it need url_encode(…)")
        })?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong("the address is not absolute: it begins with https://"));
        };
        if authority.as_str().contains('@') {
            return Err(wrong("the address holds a login: use a header for it"));
        }
        let host = authority.host().to_ascii_lowercase();
        let plain = scheme.eq_ignore_ascii_case("http");
        if !plain && !scheme.eq_ignore_ascii_case("https") {
            return Err(wrong("the address begins with neither https:// nor http://"));
        }
        let port = authority.port_u16().unwrap_or(if plain { 80 } else { 443 });
        let fits = |reach: &&Reach| reach.host == host && reach.port == port && (reach.plain || !plain);
        let fitting: Vec<&Reach> = self.reach.iter().filter(fits).collect();
        match (fitting.iter().any(|reach| reach.approved), fitting.first()) {
            (true, _) => Ok((uri.clone(), format!("{}://{authority}", scheme.to_ascii_lowercase()))),
            (false, Some(reach)) => Err(Refusal::NotApproved(reach.host.clone())),
            (false, None) => Err(Refusal::Wrong(format!(
                "the request goes to {scheme}://{authority}, which the plugin's manifest does not name in `hosts`"
            ))),
        }
    }

    fn text(
        &self,
        pieces: &[Piece],
        escape: fn(&str) -> String,
        most: usize,
        too_long: &str,
        secrets: &mut BTreeSet<String>,
    ) -> Result<String, Refusal> {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Sealed(sealed) => text.push_str(&escape(&self.sealed(sealed, 0, secrets)?)),
            }
            if text.len() > most {
                return Err(Refusal::Wrong(too_long.to_owned()));
            }
        }
        Ok(text)
    }

    fn sealed(
        &self,
        sealed: &Sealed,
        depth: usize,
        secrets: &mut BTreeSet<String>,
    ) -> Result<String, Refusal> {
        let text = String::from_utf8(self.bytes(sealed, depth)?).map_err(|_| {
            Refusal::Wrong(
                "a signature stands in the request as it is: write base64(…) or hex(…) around it".to_owned(),
            )
        })?;
        secrets.insert(text.clone());
        Ok(text)
    }

    fn bytes(&self, sealed: &Sealed, depth: usize) -> Result<Vec<u8>, Refusal> {
        if depth > MOST_NESTING {
            return Err(Refusal::Wrong("sealed values are nested too deeply".to_owned()));
        }
        let deeper = depth.saturating_add(1);
        Ok(match sealed {
            Sealed::Setting(name) => match self.values.get(name) {
                Some(ScriptValue::Secret(value) | ScriptValue::Url(value)) => {
                    value.expose_secret().as_bytes().to_vec()
                }
                None => {
                    return Err(Refusal::Wrong(
                        "a piece of a secret is in the request: a secret can only be used whole".to_owned(),
                    ));
                }
            },
            Sealed::HmacSha256 { key, text } => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, &self.inside(key, deeper)?);
                hmac::sign(&key, &self.inside(text, deeper)?).as_ref().to_vec()
            }
            Sealed::Base64(pieces) => base64(&self.inside(pieces, deeper)?).into_bytes(),
            Sealed::Hex(pieces) => self
                .inside(pieces, deeper)?
                .iter()
                .flat_map(|byte| format!("{byte:02x}").into_bytes())
                .collect(),
        })
    }

    fn inside(&self, pieces: &[Piece], depth: usize) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                Piece::Sealed(sealed) => bytes.extend(self.bytes(sealed, depth)?),
            }
            if bytes.len() > MOST_BODY {
                return Err(Refusal::Wrong("what is signed is longer than 64 KiB".to_owned()));
            }
        }
        Ok(bytes)
    }
}

/// Whether a text goes beyond the host of its address.
fn after_host(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?']))
}

fn percent_all(text: &str) -> String {
    percent(text, is_unreserved)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::SecretString;
    use simbell_core::request::{HttpBody, HttpMethod};

    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    fn setting(name: &str) -> Piece {
        Piece::Sealed(Sealed::Setting(name.to_owned()))
    }

    fn request(url: Vec<Piece>, headers: Vec<(String, Vec<Piece>)>, body: Option<HttpBody>) -> HttpRequest {
        HttpRequest { method: HttpMethod::Post, url, headers, body }
    }

    fn get(url: Vec<Piece>) -> HttpRequest {
        request(url, vec![], None)
    }

    fn reach(host: &str, port: u16, plain: bool, approved: bool) -> Reach {
        Reach { host: host.to_owned(), port, plain, permission: format!("host:{host}"), approved }
    }

    fn fill(request: &HttpRequest) -> Result<Outgoing, Refusal> {
        let secret = |text: &str| SecretString::from(text);
        let values = BTreeMap::from([
            ("token".to_owned(), ScriptValue::Secret(secret("a b&\"/:ü"))),
            ("host".to_owned(), ScriptValue::Secret(secret("evil.org"))),
            ("line".to_owned(), ScriptValue::Secret(secret("x\ny"))),
            ("url".to_owned(), ScriptValue::Url(secret("http://10.0.0.2:8080/base/"))),
            ("bare".to_owned(), ScriptValue::Url(secret("https://api.example.org/"))),
        ]);
        let reach = [
            reach("api.example.org", 443, false, true),
            reach("10.0.0.2", 8080, true, true),
            reach("new.example.org", 443, false, false),
        ];
        Filler { values: &values, reach: &reach }.fill(request, "id#1")
    }

    fn uri(url: Vec<Piece>) -> Result<String, Refusal> {
        fill(&get(url)).map(|filled| filled.request.uri().to_string())
    }

    #[test]
    fn a_header_is_there_once_whatever_the_case_of_its_name() {
        let headers = ["X-A", "x-a"].map(|name| (name.to_owned(), vec![text("1")])).to_vec();
        let url = vec![text("https://api.example.org")];
        let refused = Refusal::Wrong("the header `x-a` is there twice".to_owned());
        assert_eq!(fill(&request(url, headers, None)).unwrap_err(), refused);
    }

    #[test]
    fn what_is_too_long_is_refused_before_all_of_it_is_made() {
        let url = || vec![text("https://api.example.org/")];
        let long = text(&"x".repeat(60 << 10));
        let pieces: Vec<Piece> = (0..100).map(|_| Piece::Sealed(Sealed::Hex(vec![long.clone()]))).collect();
        let refused = |text: &str| Refusal::Wrong(text.to_owned());
        let body = HttpBody { kind: BodyKind::Text, pieces: pieces.clone() };
        let body = fill(&request(url(), vec![], Some(body))).unwrap_err();
        assert_eq!(body, refused("the body is longer than 64 KiB"));
        let headers = vec![("x".to_owned(), pieces.clone())];
        assert_eq!(fill(&request(url(), headers, None)).unwrap_err(), refused(HEADERS_TOO_LONG));
        let names = (0..2_000).map(|number| (format!("x-{number:08}"), vec![])).collect();
        assert_eq!(fill(&request(url(), names, None)).unwrap_err(), refused(HEADERS_TOO_LONG));
        let address = fill(&get(url().into_iter().chain(pieces).collect())).unwrap_err();
        assert_eq!(address, refused("the address is longer than 8 KiB"));
    }

    #[test]
    fn secrets_are_written_as_their_place_needs() {
        let base = "https://api.example.org";
        assert_eq!(
            uri(vec![text(&format!("{base}/a/")), setting("token"), text("/b?c="), setting("token")])
                .unwrap(),
            format!("{base}/a/a%20b%26%22%2F:%C3%BC/b?c=a%20b%26%22%2F%3A%C3%BC")
        );
        assert_eq!(uri(vec![setting("url"), text("/x")]).unwrap(), "http://10.0.0.2:8080/base/x");
        for (rest, whole) in [("/x", "/x"), ("?x=1", "/?x=1")] {
            assert_eq!(uri(vec![setting("bare"), text(rest)]).unwrap(), format!("{base}{whole}"));
        }
        let bodies = [
            (BodyKind::Json, "a b&\\\"/:ü", "application/json"),
            (BodyKind::Form, "a%20b%26%22%2F%3A%C3%BC", "application/x-www-form-urlencoded"),
            (BodyKind::Text, "a b&\"/:ü", "text/plain; charset=utf-8"),
        ];
        for (kind, expected, media) in bodies {
            let body = Some(HttpBody { kind, pieces: vec![setting("token")] });
            let filled = fill(&request(vec![text(base)], vec![], body)).unwrap();
            assert_eq!(filled.request.headers()[CONTENT_TYPE], media);
            assert_eq!(filled.secrets, ["a b&\"/:ü"]);
            assert_eq!(filled.request.body(), expected);
        }
        // RFC 4231, test case 2.
        let pieces = |word: &str| vec![text(word)];
        let hmac = Sealed::HmacSha256 { key: pieces("Jefe"), text: pieces("what do ya want for nothing?") };
        let hex = Piece::Sealed(Sealed::Hex(vec![Piece::Sealed(hmac.clone())]));
        let header = |pieces| request(vec![text(base)], vec![("X-Sign".to_owned(), pieces)], None);
        assert_eq!(
            fill(&header(vec![hex])).unwrap().request.headers()["x-sign"],
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let Err(Refusal::Wrong(bare)) = fill(&header(vec![Piece::Sealed(hmac)])) else { panic!("sent") };
        assert!(bare.contains("base64(…) or hex(…)"), "{bare}");
        let Err(Refusal::Wrong(broken)) = fill(&header(vec![setting("line")])) else { panic!("sent") };
        assert_eq!(broken, "the header `x-sign` has a character that it cannot carry");
        for own in ["Host", "user-agent", "Idempotency-Key", "Transfer-Encoding"] {
            let request = request(vec![text(base)], vec![(own.to_owned(), vec![text("x")])], None);
            assert!(
                matches!(fill(&request), Err(Refusal::Wrong(text)) if text.contains("the service's own"))
            );
        }
    }

    #[test]
    fn a_request_leaves_for_the_hosts_of_the_manifest_only() {
        for url in [
            "https://evil.org/",
            "https://api.example.org.evil.org/",
            "https://api.example.org:8443/",
            "https://api.example.org@evil.org/",
            "https://user:pass@api.example.org/",
            "https://evil.org\\@api.example.org/",
            "http://api.example.org/",
            "http://10.0.0.2/",
            "https://10.0.0.2:8080@evil.org/",
            "ftp://api.example.org/",
            "file:///etc/passwd",
            "//api.example.org/",
            "api.example.org",
            "/x",
            "",
            "https://api.example.org/a b",
            "https://api.example.org/\r\nHost: evil.org",
        ] {
            assert!(matches!(uri(vec![text(url)]), Err(Refusal::Wrong(_))), "{url}");
        }
        for url in
            ["https://API.example.org/x", "https://api.example.org:443/x", "https://api.example.org?x=1"]
        {
            assert!(uri(vec![text(url)]).is_ok(), "{url}");
        }
        let refused = Err(Refusal::NotApproved("new.example.org".to_owned()));
        assert_eq!(uri(vec![text("https://new.example.org/")]), refused);
        for pieces in [
            vec![text("https://"), setting("host"), text("/")],
            vec![text("https://api.example.org"), setting("host"), text("/")],
            vec![setting("host")],
            vec![setting("token"), text("/x")],
            vec![setting("url"), text(".evil.org/")].into_iter().chain([setting("nothing")]).collect(),
            vec![setting("bare"), setting("host")],
            vec![setting("bare"), text(".evil.org/")],
            vec![setting("bare"), text(":80"), setting("host")],
        ] {
            let Err(Refusal::Wrong(said)) = uri(pieces) else { panic!("sent") };
            assert!(!said.contains("evil"), "{said}");
        }
    }

    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Piece::Text),
            Just(text("https://api.example.org/")),
            Just(text("https://evil.org/")),
            prop_oneof![Just("token"), Just("url"), Just("host"), Just("line"), Just("?")].prop_map(setting),
        ];
        let piece = leaf.prop_recursive(4, 24, 3, |inner| {
            let list = || prop::collection::vec(inner.clone(), 0..3);
            prop_oneof![
                list().prop_map(|pieces| Piece::Sealed(Sealed::Base64(pieces))),
                list().prop_map(|pieces| Piece::Sealed(Sealed::Hex(pieces))),
                (list(), list()).prop_map(|(key, text)| Piece::Sealed(Sealed::HmacSha256 { key, text })),
            ]
        });
        prop::collection::vec(piece, 0..4)
    }

    proptest! {
        #[test]
        fn whatever_is_filled_goes_where_it_may_and_no_further(
            url in pieces(),
            name in "[ -~]{0,8}",
            header in pieces(),
            body in pieces(),
            kind in prop_oneof![Just(BodyKind::Json), Just(BodyKind::Form), Just(BodyKind::Text)],
        ) {
            let request = request(url, vec![(name, header)], Some(HttpBody { kind, pieces: body }));
            if let Ok(filled) = fill(&request) {
                let host = filled.request.uri().host().unwrap();
                prop_assert!(["api.example.org", "10.0.0.2"].contains(&host), "{host}");
            }
        }
    }
}
