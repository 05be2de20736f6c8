//! A plain D-Bus client that remembers every signal in order.

use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use futures_util::StreamExt as _;
use simbell_modemsim::lookalike::{Lookalike, ROOT};
use zbus::message::{Body, Type};
use zbus::{Connection, Message, MessageStream, OwnedObjectPath, OwnedVariant};

pub const MM: &str = "org.freedesktop.ModemManager1";
pub const DEADLINE: Duration = Duration::from_secs(20);

pub type Properties = HashMap<String, OwnedVariant>;
pub type Managed = HashMap<OwnedObjectPath, HashMap<String, Properties>>;

pub struct Client {
    pub connection: Connection,
    stream: MessageStream,
    destination: Option<&'static str>,
}

impl Client {
    /// Speaks to a look-alike over a socket pair, without a bus.
    pub async fn direct(lookalike: &Lookalike) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = lookalike.clone();
        tokio::spawn(async move { server.serve_p2p(theirs).await.unwrap() });
        Self::over(zbus::connection::Builder::unix_stream(ours)).await
    }

    /// Connects to an address, without a bus.
    pub async fn at(address: &str) -> Self {
        Self::over(zbus::connection::Builder::address(address)).await
    }

    async fn over(builder: zbus::connection::Builder<'_>) -> Self {
        // Signals wait here until a test looks at them; with the queue full, answers would wait behind them.
        let queue = std::num::NonZeroUsize::new(8192).unwrap();
        let connection = builder.p2p().max_queued(queue).build().await.unwrap();
        let client = Self { stream: MessageStream::from(&connection), connection, destination: None };
        // Once this is answered, the server has this client on its list for signals.
        client.call(ROOT, "org.freedesktop.DBus.Peer", "Ping", &()).await.unwrap();
        client
    }

    pub async fn call<B: serde::Serialize + zbus::wire::DynamicType>(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &B,
    ) -> Result<Body, String> {
        let call = self.connection.call_method(self.destination, path, Some(interface), member, body);
        let reply = tokio::time::timeout(DEADLINE, call).await.expect("an answer in time");
        reply.map(|reply| reply.body()).map_err(|error| match error {
            zbus::Error::MethodError(name, _, _) => name.to_string(),
            zbus::Error::FDO(error) => zbus::DBusError::name(&*error).to_string(),
            other => other.to_string(),
        })
    }

    pub async fn get(&self, path: &str, interface: &str, property: &str) -> OwnedVariant {
        let body = self.call(path, "org.freedesktop.DBus.Properties", "Get", &(interface, property)).await;
        body.unwrap().deserialize::<OwnedVariant>().unwrap()
    }

    pub async fn managed(&self) -> Managed {
        let body = self.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", &()).await;
        body.unwrap().deserialize().unwrap()
    }

    /// The next signal; `None` where the connection ends.
    pub async fn signal(&mut self) -> Option<Signal> {
        let next = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(message)) if message.message_type() == Type::Signal => {
                        return Some(Signal::of(&message));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        };
        tokio::time::timeout(DEADLINE, next).await.expect("a signal in time")
    }

    /// Signals up to and with the first that satisfies.
    pub async fn until(&mut self, mut wanted: impl FnMut(&Signal) -> bool) -> Vec<Signal> {
        let mut seen = Vec::new();
        loop {
            let signal = self.signal().await.expect("the connection lives");
            let found = wanted(&signal);
            seen.push(signal);
            if found {
                return seen;
            }
        }
    }

    /// Every signal sent before now: one call is answered, and the answer is ordered after them.
    pub async fn drain(&mut self) -> Vec<Signal> {
        let mut marker = MessageStream::from(&self.connection);
        self.call(ROOT, "org.freedesktop.DBus.Peer", "Ping", &()).await.unwrap();
        let mut sequence = None;
        while let Some(Ok(message)) = marker.next().await {
            if message.message_type() == Type::MethodReturn {
                sequence = Some(message.recv_position());
                break;
            }
        }
        let mut seen = Vec::new();
        while let Some(Ok(message)) = self.stream.next().await {
            if Some(message.recv_position()) >= sequence {
                break;
            }
            if message.message_type() == Type::Signal {
                seen.push(Signal::of(&message));
            }
        }
        seen
    }
}

/// A signal in short: object, member, and for changed properties their interface and values in text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    pub path: String,
    pub member: String,
    pub interface: String,
    pub values: Vec<(String, String)>,
    pub message: String,
}

impl Signal {
    fn of(message: &Message) -> Self {
        let header = message.header();
        let member = header.member().unwrap().to_string();
        let mut interface = header.interface().unwrap().to_string();
        let mut values = Vec::new();
        let body = message.body();
        if member == "PropertiesChanged" {
            let (name, changed, _): (String, Properties, Vec<String>) = body.deserialize().unwrap();
            interface = name;
            values = changed.into_iter().map(|(key, value)| (key, format!("{:?}", *value))).collect();
            values.sort();
        }
        let text = match member.as_str() {
            "InterfacesRemoved" => {
                let (path, mut names): (OwnedObjectPath, Vec<String>) = body.deserialize().unwrap();
                names.sort();
                format!("{path} {}", names.join(" "))
            }
            "InterfacesAdded" => {
                let (path, interfaces): (OwnedObjectPath, HashMap<String, Properties>) =
                    body.deserialize().unwrap();
                let mut names: Vec<String> = interfaces.into_keys().collect();
                names.sort();
                format!("{path} {}", names.join(" "))
            }
            "StateChanged" => {
                let (old, new, reason): (i32, i32, u32) = body.deserialize().unwrap();
                format!("{old} {new} {reason}")
            }
            "Added" => {
                let (path, received): (OwnedObjectPath, bool) = body.deserialize().unwrap();
                format!("{path} {received}")
            }
            _ => String::new(),
        };
        Self { path: header.path().unwrap().to_string(), member, interface, values, message: text }
    }

    pub fn has(&self, property: &str) -> bool {
        self.values.iter().any(|(name, _)| name == property)
    }

    pub fn value(&self, property: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| name == property).map(|(_, value)| value.as_str())
    }
}

/// Path of an object.
pub fn at(kind: &str, number: u32) -> String {
    format!("{ROOT}/{kind}/{number}")
}
