//! What bytes stand for: the script of a channel, and requests as no script could make them.

use simbell_core::request::{BodyKind, HttpBody, HttpMethod, HttpRequest, Piece, Sealed};

/// Expressions within expressions.
const DEEPEST: usize = 5;

const SETTINGS: [&str; 7] = ["url", "webhook", "token", "key", "sendkey", "secret", "room"];
const HEADERS: [&str; 10] = [
    "Authorization",
    "authorization",
    "X-Key",
    "x-key",
    "Content-Type",
    "content-type",
    "Host",
    "Cookie",
    "X\r\nY",
    "",
];
const MEDIA: [&str; 5] = [
    "application/json",
    "application/x-www-form-urlencoded; charset=utf-8",
    "text/plain",
    "a/b+json",
    "\r\n",
];
const HEADS: [&str; 12] = [
    "https://api.example.org/",
    "https://api.example.org:8443/a?b=",
    "https://api.example.org",
    "https://new.example.org/",
    "https://api.example.org@evil.example.net/",
    "https://api.example.org:443:80/",
    "http://api.example.org/",
    "HTTPS://API.example.org/../#",
    "ftp://api.example.org/",
    "//api.example.org/",
    "https://api.example.org\\.evil.example.net/",
    "https://",
];

/// Choices, read from an input until it ends; then zeros.
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// Reads from the beginning.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// A number below `most`.
    pub fn choice(&mut self, most: usize) -> usize {
        usize::from(self.byte()) % most
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn of<'b>(&mut self, list: &[&'b str]) -> &'b str {
        list[self.choice(list.len())]
    }

    /// A text as it is in the input, its length before it; now and then many times over.
    pub fn text(&mut self) -> String {
        let length = self.choice(48).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        let text = String::from_utf8_lossy(text).into_owned();
        let times = if self.choice(16) == 15 { 1 << self.choice(13) } else { 1 };
        text.repeat(times)
    }

    /// The script of a channel.
    pub fn script(&mut self) -> String {
        let url = self.address();
        let method = self.of(&["http_post", "http_put", "http_get"]);
        let mut arguments = vec![url];
        if self.choice(2) == 1 {
            let headers: Vec<String> = (0..self.choice(8)).map(|_| self.header()).collect();
            arguments.push(format!("#{{ {} }}", headers.join(", ")));
        }
        if method != "http_get" {
            arguments.push(self.body());
        }
        format!(
            "fn send(message) {{ {method}({}) }}\nfn accepted(answer) {{ {} }}",
            arguments.join(", "),
            self.of(&[
                "refused(answer.body)",
                "retry(answer.json.a, 1.minute)",
                "retry(`${answer.json} ${settings.token}`)",
                "answer.json.a.a",
                "answer.ok",
                "throw settings.token + answer.body",
                "refused(settings.token + base64(answer.body))",
            ])
        )
    }

    fn address(&mut self) -> String {
        let head = match self.choice(4) {
            0 => literal(self.of(&HEADS)),
            1 => "settings.url".to_owned(),
            2 => "settings.webhook".to_owned(),
            _ => self.words(0),
        };
        let more: Vec<String> = (0..self.choice(4)).map(|_| format!(" + {}", self.words(0))).collect();
        format!("{head}{}", more.concat())
    }

    fn header(&mut self) -> String {
        let name = if self.choice(4) == 3 { self.text() } else { self.of(&HEADERS).to_owned() };
        let value = match self.choice(4) {
            0 => literal(self.of(&MEDIA)),
            1 => self.value(0),
            _ => self.words(0),
        };
        format!("{}: {value}", literal(&name))
    }

    fn body(&mut self) -> String {
        match self.choice(4) {
            // What this begins with tells the one who checks that all of it is JSON.
            0 => format!("#{{ made: {}, z: {} }}", self.value(0), self.value(0)),
            1 => format!("form({})", self.map(0)),
            2 => self.words(0),
            _ => self.value(0),
        }
    }

    fn map(&mut self, depth: usize) -> String {
        let fields: Vec<String> = (0..self.choice(6))
            .map(|_| {
                let name = self.text();
                format!("{}: {}", literal(&name), self.value(depth))
            })
            .collect();
        format!("#{{ {} }}", fields.join(", "))
    }

    fn value(&mut self, depth: usize) -> String {
        if depth > DEEPEST {
            return "()".to_owned();
        }
        match self.choice(12) {
            0 => self.map(depth + 1),
            1 => {
                let list: Vec<String> = (0..self.choice(6)).map(|_| self.value(depth + 1)).collect();
                format!("[{}]", list.join(", "))
            }
            2 => self.of(&["-9223372036854775807 - 1", "9223372036854775807", "0", "-1"]).to_owned(),
            3 => self
                .of(&["79228162514264337593543950335.0", "0.0000000000000000000000000001", "-0.0"])
                .to_owned(),
            4 => self
                .of(&["true", "()", "5.GB", "80.percent", "message", "settings", "|x| x", "1..3"])
                .to_owned(),
            // Nested far deeper than any literal may be.
            5 => format!(
                "{{ let v = {}; for i in 0..{} {{ v = [v]; }} v }}",
                self.value(depth + 1),
                self.choice(40)
            ),
            6 => {
                let count = self.choice(256) * 4;
                format!(
                    "{{ let v = []; let m = {}; for i in 0..{count} {{ v.push(m); }} v }}",
                    self.words(depth + 1)
                )
            }
            _ => self.words(depth + 1),
        }
    }

    /// An expression that gives a text.
    fn words(&mut self, depth: usize) -> String {
        let leaf = depth > DEEPEST;
        match self.choice(if leaf { 4 } else { 13 }) {
            0 => literal(&self.text()),
            1 | 2 => format!("settings.{}", self.of(&SETTINGS)),
            3 => format!("message.{}", self.of(&["title", "text", "id", "key", "sim"])),
            4 => format!("base64({})", self.words(depth + 1)),
            5 => format!("hex({})", self.words(depth + 1)),
            6 => format!("hmac_sha256({}, {})", self.words(depth + 1), self.words(depth + 1)),
            7 => format!("url_encode({})", self.words(depth + 1)),
            8 => format!("({} + {})", self.words(depth + 1), self.words(depth + 1)),
            // A cut through a mark.
            9 => format!("{}.sub_string({}, {})", self.words(depth + 1), self.choice(12), self.choice(24)),
            10 => format!("shorten({}, {})", self.words(depth + 1), self.choice(40)),
            11 => format!("shorten_bytes({}, {})", self.words(depth + 1), self.choice(80)),
            _ => format!("`<${{{}}}>`", self.value(depth + 1)),
        }
    }

    /// A request past the script, marks and all.
    pub fn request(&mut self) -> HttpRequest {
        let method = [HttpMethod::Get, HttpMethod::Post, HttpMethod::Put][self.choice(3)];
        let mut url = match self.choice(3) {
            0 => vec![Piece::Text(self.of(&HEADS).to_owned())],
            1 => vec![Piece::Sealed(Sealed::Setting(self.of(&["url", "webhook"]).to_owned()))],
            _ => vec![],
        };
        url.extend(self.pieces(0));
        let headers = (0..self.choice(40))
            .map(|_| {
                let name = if self.choice(2) == 0 { self.text() } else { self.of(&HEADERS).to_owned() };
                (name, self.pieces(0))
            })
            .collect();
        let kind = [BodyKind::Json, BodyKind::Form, BodyKind::Text][self.choice(3)];
        let body = (self.choice(4) > 0).then(|| HttpBody { kind, pieces: self.pieces(0) });
        HttpRequest { method, url, headers, body }
    }

    fn pieces(&mut self, depth: usize) -> Vec<Piece> {
        (0..self.choice(5)).map(|_| self.piece(depth)).collect()
    }

    fn piece(&mut self, depth: usize) -> Piece {
        if depth > 2 * DEEPEST {
            return Piece::Text(self.text());
        }
        Piece::Sealed(match self.choice(7) {
            0 | 1 => return Piece::Text(self.text()),
            2 | 3 => Sealed::Setting(self.of(&SETTINGS).to_owned()),
            4 => Sealed::Base64(self.pieces(depth + 1)),
            5 => Sealed::Hex(self.pieces(depth + 1)),
            _ => Sealed::HmacSha256 { key: self.pieces(depth + 1), text: self.pieces(depth + 1) },
        })
    }
}

/// A text as a script writes it.
fn literal(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            ' '..='~' if c != '"' && c != '\\' && c != '$' && c != '`' => c.to_string(),
            c => format!("\\U{:08x}", u32::from(c)),
        })
        .collect();
    format!("\"{escaped}\"")
}
