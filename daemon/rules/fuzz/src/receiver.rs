//! A receiver on this machine: keeps the request as it came, and sends it back in its answer, in one form or another.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// Waits for one request at a time.
pub struct Receiver {
    address: SocketAddr,
    answer: Arc<Mutex<(u16, Echo)>>,
    requests: mpsc::Receiver<Vec<u8>>,
}

/// How an answer repeats the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// As it came.
    Plain,
    /// As the error of a JSON object.
    Json,
    /// The same, each slash escaped and each character beyond ASCII, as PHP does.
    Escaped,
    /// The same, each character escaped.
    Spelt,
}

impl Echo {
    /// Each form.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Json, Self::Escaped, Self::Spelt];

    fn of(self, raw: &[u8]) -> Vec<u8> {
        let escaped = |c: char| {
            c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>()
        };
        let json = |keep: fn(char) -> bool| {
            let text = String::from_utf8_lossy(raw);
            let text: String = text
                .chars()
                .map(|c| match c {
                    '"' | '\\' | '/' if keep(c) => format!("\\{c}"),
                    c if keep(c) && c >= ' ' => c.to_string(),
                    c => escaped(c),
                })
                .collect();
            format!("{{\"error\":\"{text}\"}}").into_bytes()
        };
        match self {
            Self::Plain => raw.to_vec(),
            Self::Json => {
                serde_json::json!({ "error": String::from_utf8_lossy(raw) }).to_string().into_bytes()
            }
            Self::Escaped => json(|c| c.is_ascii()),
            Self::Spelt => json(|_| false),
        }
    }
}

/// Its request line, headers and body.
pub type Parts = (String, Vec<(String, Vec<u8>)>, Vec<u8>);

impl Receiver {
    /// Listens on a free port.
    #[must_use]
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let answer = Arc::new(Mutex::new((200, Echo::Plain)));
        let (sender, requests) = mpsc::channel();
        let next = Arc::clone(&answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (status, echo) = *next.lock().expect("no panic");
                let request = serve(stream, status, echo).unwrap_or_default();
                if sender.send(request).is_err() {
                    break;
                }
            }
        });
        Self { address, answer, requests }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the next answer is to be.
    pub fn answer_with(&self, status: u16, echo: Echo) {
        *self.answer.lock().expect("no panic") = (status, echo);
    }

    /// What came.
    #[must_use]
    pub fn received(&self) -> Option<Vec<u8>> {
        self.requests.recv_timeout(Duration::from_secs(10)).ok()
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads one request to the byte; none where it is not exactly one.
#[must_use]
pub fn read_request(raw: &[u8]) -> Option<Parts> {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut lines =
        raw[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = String::from_utf8(lines.next()?.to_vec()).ok()?;
    let mut headers = Vec::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = String::from_utf8(line[..colon].to_vec()).ok()?.to_ascii_lowercase();
        headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    let body = raw[end + 4..].to_vec();
    (length(&headers)? == body.len()).then_some((line, headers, body))
}

fn length(headers: &[(String, Vec<u8>)]) -> Option<usize> {
    match headers.iter().find(|(name, _)| name == "content-length") {
        Some((_, value)) => std::str::from_utf8(value).ok()?.parse().ok(),
        None => Some(0),
    }
}

fn serve(mut stream: TcpStream, status: u16, echo: Echo) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (mut raw, mut buffer) = (Vec::new(), [0; 16 << 10]);
    while read_request(&raw).is_none() {
        match stream.read(&mut buffer)? {
            0 => break,
            count => raw.extend_from_slice(&buffer[..count]),
        }
    }
    let first = raw.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let place: String = String::from_utf8_lossy(first).split(' ').nth(1).unwrap_or("/").to_owned();
    let answer = echo.of(&raw);
    let head = format!(
        "HTTP/1.1 {status} X\r\nlocation: {place}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&answer)?;
    Ok(raw)
}
