//! Servers written by others that receive what the service sends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tokio::sync::mpsc;

use crate::bell::DEADLINE;

/// A server in Python that prints its port and then one JSON line for each thing it received.
pub struct Receiver {
    child: Child,
    pub port: u16,
    received: mpsc::UnboundedReceiver<Value>,
}

impl Receiver {
    /// aiosmtpd.
    pub fn smtp(arguments: &[&str]) -> Self {
        Self::start("smtpd.py", arguments)
    }

    /// Python's own `http.server`.
    pub fn http(arguments: &[&str]) -> Self {
        Self::start("httpd.py", arguments)
    }

    fn start(script: &str, arguments: &[&str]) -> Self {
        let python = std::env::var("SIMBELL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("notify/tests/main").join(script);
        let mut child = Command::new(&python)
            .args(["-W", "ignore"])
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{python}: {error}; install python3"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(Ok(port)) = lines.next() else {
            let mut why = String::new();
            child.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("the test server did not start: {why}");
        };
        let (sender, received) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, port: port.parse().unwrap(), received }
    }

    /// The next thing received.
    pub async fn received(&mut self) -> Value {
        tokio::time::timeout(DEADLINE, self.received.recv()).await.expect("nothing was received").unwrap()
    }

    /// Everything received so far that nobody has looked at.
    pub fn so_far(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.received.try_recv().ok()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A header of a received mail.
pub fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    let pairs = mail["headers"].as_array().unwrap().iter();
    let mut found = pairs.filter(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(name));
    found.next().unwrap_or_else(|| panic!("no {name} in {mail}"))[1].as_str().unwrap()
}

/// A certificate for `localhost` by an authority of the test's own.
pub struct Authority {
    pub ca: String,
    pub cert: String,
    pub key: String,
}

pub fn authority() -> &'static Authority {
    static MADE: OnceLock<Authority> = OnceLock::new();
    MADE.get_or_init(made)
}

fn made() -> Authority {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("authority-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = |file: &str| dir.join(file).to_str().unwrap().to_owned();
    let (ca, ca_key, cert, key) = (path("ca.pem"), path("ca.key"), path("cert.pem"), path("key.pem"));
    let base = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(&format!(
        "{base} -keyout {ca_key} -out {ca} -subj /CN=authority -addext keyUsage=critical,keyCertSign"
    ));
    openssl(&format!(
        "{base} -CA {ca} -CAkey {ca_key} -keyout {key} -out {cert} -subj /CN=localhost \
         -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
    ));
    Authority { ca, cert, key }
}

fn openssl(arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .output()
        .unwrap_or_else(|error| panic!("openssl: {error}; install openssl 3"));
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
}
