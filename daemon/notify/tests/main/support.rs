//! Servers, certificates and messages for the tests.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use simbell_core::ident::ChannelName;
use simbell_core::reminder::{Delivery, DeliveryState, Message, Urgency};
use simbell_core::time::Timestamp;
use simbell_notify::{Channel, ChannelConfig, SmsGateway, build_channels};
use tokio::sync::mpsc;

pub const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

/// Ends a test that would wait for ever.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub fn message(id: &str) -> Message {
    Message {
        title: "流量已用 80%".to_owned(),
        text: "漫游卡：已用 8 GB，共 10 GB。\n还剩 3 天。".to_owned(),
        urgency: Urgency::Critical,
        key: "data/80/0014".to_owned(),
        sim_name: Some("漫游卡".to_owned()),
        raised_at: Timestamp::from_secs(1_794_990_000),
        id: id.to_owned(),
        language: "zh".to_owned(),
    }
}

pub fn delivery(channel: &str, id: &str) -> Delivery {
    Delivery {
        id: id.to_owned(),
        reminder: "data/80/0014".parse().unwrap(),
        channel: name(channel),
        state: DeliveryState::Sending,
        attempts: 0,
        created_at: NOW,
        next_at: None,
        last_error: None,
        message: message(id),
    }
}

pub fn name(text: &str) -> ChannelName {
    text.parse().unwrap()
}

pub fn channels(
    configs: Vec<(&str, ChannelConfig)>,
    gateway: Option<Arc<dyn SmsGateway>>,
) -> BTreeMap<ChannelName, Channel> {
    let configs = configs.into_iter().map(|(text, config)| (name(text), config));
    build_channels(configs, gateway.as_ref()).unwrap()
}

pub fn channel(config: ChannelConfig) -> Channel {
    channels(vec![("it", config)], None).pop_first().unwrap().1
}

/// The problem of a configuration that must not be taken, as `key: problem`.
pub fn problem(config: ChannelConfig) -> String {
    match build_channels([(name("it"), config)], None) {
        Ok(_) => panic!("a wrong configuration was taken"),
        Err(errors) => {
            assert_eq!(errors.len(), 1);
            errors[0].to_string()
        }
    }
}

/// A server in Python that prints its port and then one JSON line for each thing it received.
pub struct Server {
    child: Child,
    pub port: u16,
    received: mpsc::UnboundedReceiver<Value>,
}

impl Server {
    pub fn smtp(arguments: &[&str]) -> Self {
        Self::start("smtpd.py", arguments)
    }

    pub fn http(arguments: &[&str]) -> Self {
        Self::start("httpd.py", arguments)
    }

    fn start(script: &str, arguments: &[&str]) -> Self {
        let python = std::env::var("SIMBELL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/main").join(script);
        let mut child = Command::new(&python)
            .arg("-W")
            .arg("ignore")
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

    pub async fn received(&mut self) -> Value {
        tokio::time::timeout(DEADLINE, self.received.recv()).await.expect("nothing was received").unwrap()
    }

    /// Ends the server; what it received and nobody has looked at yet.
    pub async fn rest(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut rest = Vec::new();
        while let Some(value) = self.received.recv().await {
            rest.push(value);
        }
        rest
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Certificates for `localhost` and 127.0.0.1 by an authority of the test's own.
pub struct Certificates {
    pub ca: PathBuf,
    pub cert: String,
    pub key: String,
}

pub fn certificates() -> &'static Certificates {
    static MADE: OnceLock<Certificates> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{}", std::process::id()));
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
        Certificates { ca: ca.into(), cert, key }
    })
}

fn openssl(arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .output()
        .unwrap_or_else(|error| panic!("openssl: {error}; install openssl 3"));
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
}
