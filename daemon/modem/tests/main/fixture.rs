//! A ModemManager of a few lines: answers from a table, says and lies what a test wants, peer to peer or on a bus.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use simbell_core::event::Event;
use simbell_core::modem::ModemView;
use simbell_modem::{BusAddress, ModemCommands, Timing, Watcher};
use tempfile::TempDir;
use tokio::sync::mpsc;
use zbus::message::Type;
use zbus::wire::DynamicType;
use zbus::{Connection, Guid, Message, MessageStream, OwnedObjectPath, OwnedVariant, Variant, connection};

pub const MM: &str = "org.freedesktop.ModemManager1";
pub const ROOT: &str = "/org/freedesktop/ModemManager1";
pub const MODEM: &str = "org.freedesktop.ModemManager1.Modem";
pub const GPP: &str = "org.freedesktop.ModemManager1.Modem.Modem3gpp";
pub const USSD: &str = "org.freedesktop.ModemManager1.Modem.Modem3gpp.Ussd";
pub const MESSAGING: &str = "org.freedesktop.ModemManager1.Modem.Messaging";
pub const VOICE: &str = "org.freedesktop.ModemManager1.Modem.Voice";
pub const SIM: &str = "org.freedesktop.ModemManager1.Sim";
pub const BEARER: &str = "org.freedesktop.ModemManager1.Bearer";
pub const SMS: &str = "org.freedesktop.ModemManager1.Sms";
pub const CALL: &str = "org.freedesktop.ModemManager1.Call";

pub const M0: &str = "/org/freedesktop/ModemManager1/Modem/0";
pub const M1: &str = "/org/freedesktop/ModemManager1/Modem/1";
pub const S0: &str = "/org/freedesktop/ModemManager1/SIM/0";
pub const S1: &str = "/org/freedesktop/ModemManager1/SIM/1";
pub const B0: &str = "/org/freedesktop/ModemManager1/Bearer/0";

pub const IMEI: &str = "353490069873319";
pub const ICCID: &str = "89860000000000000012";

type Table = BTreeMap<String, BTreeMap<String, BTreeMap<String, OwnedVariant>>>;

/// What the table answers to a method that is no reading of properties.
pub enum Reply {
    Path(&'static str),
    Text(&'static str),
    Nothing,
    Error(&'static str, &'static str),
    Silence,
    HangUp,
}

#[derive(Default)]
struct State {
    table: Table,
    silent: Vec<String>,
    replies: HashMap<&'static str, Reply>,
    called: Vec<String>,
    asked: Vec<String>,
    unanswered: Vec<Message>,
}

/// The look of a ModemManager over one connection.
#[derive(Clone)]
pub struct Mm {
    state: Arc<Mutex<State>>,
    connection: Connection,
}

/// A listening place for peers, and what a watcher says of it.
pub struct Lab {
    directory: TempDir,
    listener: Option<tokio::net::UnixListener>,
    pub told: mpsc::Receiver<Event>,
    pub commands: ModemCommands,
    watcher: tokio::task::JoinHandle<()>,
}

pub fn own(value: impl Into<Variant<'static>>) -> OwnedVariant {
    value.into().try_to_owned().unwrap()
}

pub fn path(text: &str) -> OwnedObjectPath {
    OwnedObjectPath::try_from(text.to_owned()).unwrap()
}

pub fn quick() -> Timing {
    Timing {
        call: Duration::from_millis(300),
        command: Duration::from_millis(300),
        network: Duration::from_millis(300),
        ..Timing::default()
    }
}

impl Lab {
    /// A watcher that follows a peer which is not there yet.
    pub fn peer(timing: Timing) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = BusAddress::Peer(format!("unix:path={}", directory.path().join("mm").display()));
        Self::new(directory, address, timing)
    }

    pub fn new(directory: TempDir, address: BusAddress, timing: Timing) -> Self {
        let (events, told) = mpsc::channel(4);
        let (watcher, commands) = Watcher::with_timing(address, events, timing);
        let watcher = tokio::spawn(watcher.run());
        Self { directory, listener: None, told, commands, watcher }
    }

    /// Waits for the watcher to connect.
    pub async fn accept(&mut self) -> Mm {
        let place = self.directory.path().join("mm");
        let listener = match self.listener.take() {
            Some(listener) => listener,
            None => {
                let _ = std::fs::remove_file(&place);
                let listener = UnixListener::bind(&place).unwrap();
                listener.set_nonblocking(true).unwrap();
                tokio::net::UnixListener::from_std(listener).unwrap()
            }
        };
        let (stream, _) = limit(listener.accept()).await.unwrap();
        self.listener = Some(listener);
        let connection = connection::Builder::unix_stream(stream.into_std().unwrap())
            .server(Guid::generate())
            .p2p()
            .build()
            .await
            .unwrap();
        Mm::serve(connection)
    }

    /// The next event.
    pub async fn next(&mut self) -> Event {
        loop {
            let told = limit(self.told.recv()).await.expect("the watcher still runs");
            // Every modem tells once which calls it has; that it has none is of no interest here.
            if !matches!(&told, Event::CallsListed { calls, .. } if calls.is_empty()) {
                return told;
            }
        }
    }

    /// The next view of a modem; anything else told is a failure.
    pub async fn seen(&mut self) -> ModemView {
        match self.next().await {
            Event::ModemSeen(view) => *view,
            other => panic!("a view of a modem was expected, not {other:?}"),
        }
    }

    /// Skips what comes before ModemManager's appearance.
    pub async fn appeared(&mut self) {
        while !matches!(self.next().await, Event::ModemManagerAppeared { .. }) {}
    }

    /// Nothing more is told before the answer to a change that is certain to be told.
    pub async fn nothing_before_a_change(&mut self, mm: &Mm) {
        mm.change(M0, MODEM, &[("Model", own("marker"))]).await;
        assert_eq!(self.seen().await.model, "marker");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

pub async fn limit<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("within 20 s")
}

impl Mm {
    /// Answers on this connection, from an empty table.
    pub fn serve(connection: Connection) -> Self {
        let mm = Self { state: Arc::default(), connection };
        mm.set(ROOT, MM, &[("Version", own("1.20.4"))]);
        let stream = MessageStream::from(&mm.connection);
        tokio::spawn(mm.clone().answer(stream));
        mm
    }

    /// On a bus, owning the name.
    pub async fn on_bus(address: &str) -> Self {
        let connection = connection::Builder::address(address).build().await.unwrap();
        let mm = Self::serve(connection);
        mm.connection.request_name(MM).await.unwrap();
        mm
    }

    /// Ends like a killed process: the connection closes and nothing is said.
    pub async fn die(self) {
        self.connection.close().await.unwrap();
    }

    /// Gives the name away and stays on the bus.
    pub async fn release_name(&self) {
        assert!(self.connection.release_name(MM).await.unwrap());
    }

    /// A registered modem with a SIM and a connected bearer, in the table only.
    pub fn put_modem(&self, modem: &str, sim: &str, imei: &str, iccid: &str) {
        self.set(
            modem,
            MODEM,
            &[
                ("Device", own(format!("/sys/devices/usb{modem}"))),
                ("EquipmentIdentifier", own(imei.to_owned())),
                ("Manufacturer", own("Acme")),
                ("Model", own("M1")),
                ("State", own(8_i32)),
                ("UnlockRequired", own(1_u32)),
                ("Sim", own(path(sim))),
                ("SignalQuality", own((60_u32, true))),
                ("AccessTechnologies", own((1_u32 << 14) | (1 << 5))),
                ("OwnNumbers", own(vec!["+15550001".to_owned()])),
                ("Ports", own(vec![("ttyUSB0".to_owned(), 3_u32), ("wwan0".to_owned(), 2_u32)])),
                ("Bearers", own(Vec::<OwnedObjectPath>::new())),
                ("SimSlots", own(vec![path(sim), path("/")])),
                ("PrimarySimSlot", own(1_u32)),
            ],
        );
        self.set(
            modem,
            GPP,
            &[
                ("RegistrationState", own(1_u32)),
                ("OperatorCode", own("310410")),
                ("OperatorName", own("Home Net")),
            ],
        );
        self.set(modem, MESSAGING, &[("Messages", own(Vec::<OwnedObjectPath>::new()))]);
        self.set(modem, VOICE, &[("Calls", own(Vec::<OwnedObjectPath>::new()))]);
        self.set(
            modem,
            USSD,
            &[("NetworkNotification", own("")), ("NetworkRequest", own("")), ("State", own(1_u32))],
        );
        self.put_sim(sim, iccid);
    }

    pub fn put_sim(&self, sim: &str, iccid: &str) {
        self.set(
            sim,
            SIM,
            &[
                ("SimIdentifier", own(iccid.to_owned())),
                ("Imsi", own("310410123456789")),
                ("Eid", own("")),
                ("OperatorIdentifier", own("310410")),
                ("OperatorName", own("Home")),
                ("SimType", own(1_u32)),
                ("EsimStatus", own(0_u32)),
                ("Active", own(true)),
            ],
        );
    }

    pub fn put_bearer(&self, bearer: &str, interface: &str) {
        self.set(
            bearer,
            BEARER,
            &[
                ("Connected", own(true)),
                ("Interface", own(interface.to_owned())),
                ("Ip4Config", own(HashMap::from([("method".to_owned(), Variant::from(3_u32))]))),
                ("Properties", own(HashMap::from([("apn".to_owned(), Variant::from("internet"))]))),
                ("Stats", stats(0, 10)),
                ("ReloadStatsSupported", own(true)),
                ("ConnectionError", own(("".to_owned(), "".to_owned()))),
            ],
        );
    }

    pub fn put_sms(&self, sms: &str, state: u32, pdu: u32, text: &str) {
        self.set(
            sms,
            SMS,
            &[
                ("State", own(state)),
                ("PduType", own(pdu)),
                ("Number", own("+15559999")),
                ("Text", own(text.to_owned())),
                ("Timestamp", own("2026-03-01T12:30:00+08")),
                ("Data", own(vec![1_u8, 2, 3])),
                ("MessageReference", own(42_u32)),
            ],
        );
    }

    pub fn put_call(&self, call: &str, state: i32, direction: i32, number: &str) {
        self.set(
            call,
            CALL,
            &[("State", own(state)), ("Direction", own(direction)), ("Number", own(number.to_owned()))],
        );
    }

    /// Changes the table and says nothing.
    pub fn set(&self, path: &str, interface: &str, properties: &[(&str, OwnedVariant)]) {
        let mut state = self.state.lock().unwrap();
        let object = state.table.entry(path.to_owned()).or_default();
        let known = object.entry(interface.to_owned()).or_default();
        for (name, value) in properties {
            known.insert((*name).to_owned(), value.try_clone().unwrap());
        }
    }

    pub fn properties(&self, path: &str, interface: &str) -> HashMap<String, OwnedVariant> {
        copy(&self.state.lock().unwrap().table[path]).remove(interface).unwrap()
    }

    pub fn forget(&self, path: &str) {
        self.state.lock().unwrap().table.remove(path);
    }

    /// Changes the table and says so.
    pub async fn change(&self, path: &str, interface: &str, properties: &[(&str, OwnedVariant)]) {
        self.set(path, interface, properties);
        let changed: HashMap<&str, &OwnedVariant> =
            properties.iter().map(|(name, value)| (*name, value)).collect();
        self.say(
            path,
            "org.freedesktop.DBus.Properties",
            "PropertiesChanged",
            &(interface, changed, Vec::<&str>::new()),
        )
        .await;
    }

    pub async fn say<B: serde::Serialize + DynamicType>(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &B,
    ) {
        self.connection.emit_signal(None::<&str>, path, interface, member, body).await.unwrap();
    }

    /// `InterfacesAdded` with what the table holds.
    pub async fn add(&self, object: &str) {
        let interfaces: HashMap<String, HashMap<String, OwnedVariant>> = {
            let state = self.state.lock().unwrap();
            copy(&state.table[object])
        };
        self.say(ROOT, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", &(path(object), interfaces))
            .await;
    }

    pub async fn remove(&self, object: &str, interfaces: &[&str]) {
        {
            let mut state = self.state.lock().unwrap();
            if let Some(known) = state.table.get_mut(object) {
                known.retain(|name, _| !interfaces.contains(&name.as_str()));
            }
        }
        self.say(
            ROOT,
            "org.freedesktop.DBus.ObjectManager",
            "InterfacesRemoved",
            &(path(object), interfaces),
        )
        .await;
    }

    /// Questions about this path, or to this method, are not answered.
    pub fn ignore(&self, what: &str) {
        self.state.lock().unwrap().silent.push(what.to_owned());
    }

    pub fn answer_again(&self) {
        self.state.lock().unwrap().silent.clear();
    }

    /// Answers what was not answered so far.
    pub async fn answer_late(&self) {
        self.answer_again();
        let unanswered = std::mem::take(&mut self.state.lock().unwrap().unanswered);
        for message in unanswered {
            self.reply(&message).await.unwrap();
        }
    }

    /// Says it to the one who asked something that was not answered, and to nobody else.
    pub async fn whisper<B: serde::Serialize + DynamicType>(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &B,
    ) {
        let asker = self.state.lock().unwrap().unanswered[0].header().sender().unwrap().to_string();
        self.connection.emit_signal(Some(asker.as_str()), path, interface, member, body).await.unwrap();
    }

    pub fn replies(&self, method: &'static str, reply: Reply) {
        self.state.lock().unwrap().replies.insert(method, reply);
    }

    /// The methods called so far that are no reading of properties, each with its path's last part.
    pub fn called(&self) -> Vec<String> {
        self.state.lock().unwrap().called.clone()
    }

    /// Waits until this method was called.
    pub async fn was_asked(&self, method: &str) {
        limit(async {
            while !self.state.lock().unwrap().asked.iter().any(|asked| asked == method) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn answer(self, mut stream: MessageStream) {
        while let Some(Ok(message)) = stream.next().await {
            if message.message_type() == Type::MethodCall {
                let _ = self.reply(&message).await;
            }
        }
    }

    async fn reply(&self, message: &Message) -> zbus::Result<()> {
        let header = message.header();
        let (at, method) = (header.path().unwrap().to_string(), header.member().unwrap().to_string());
        self.state.lock().unwrap().asked.push(method.clone());
        if self.state.lock().unwrap().silent.iter().any(|what| *what == at || *what == method) {
            self.state.lock().unwrap().unanswered.push(message.clone());
            return Ok(());
        }
        match method.as_str() {
            "GetManagedObjects" => {
                let objects: HashMap<OwnedObjectPath, HashMap<String, HashMap<String, OwnedVariant>>> = {
                    let state = self.state.lock().unwrap();
                    let managed = state.table.iter().filter(|(at, _)| at.contains("/Modem/"));
                    managed.map(|(at, object)| (path(at), copy(object))).collect()
                };
                self.connection.reply(&header, &objects).await
            }
            "GetAll" => {
                let interface: String = message.body().deserialize()?;
                let found = {
                    let state = self.state.lock().unwrap();
                    state.table.get(&at).and_then(|object| copy(object).remove(&interface))
                };
                match found {
                    Some(properties) => self.connection.reply(&header, &properties).await,
                    None => {
                        let name = "org.freedesktop.DBus.Error.UnknownObject";
                        self.connection.reply_error(&header, name, &"no such object").await
                    }
                }
            }
            "Get" => {
                let (interface, name): (String, String) = message.body().deserialize()?;
                let found = {
                    let state = self.state.lock().unwrap();
                    let value = state.table.get(&at).and_then(|object| object.get(&interface)?.get(&name));
                    value.map(|value| value.try_clone().unwrap())
                };
                match found {
                    Some(value) => self.connection.reply(&header, &value).await,
                    None => {
                        self.connection
                            .reply_error(&header, "org.freedesktop.DBus.Error.InvalidArgs", &"no")
                            .await
                    }
                }
            }
            method => {
                let last = at.rsplit('/').next().unwrap_or_default();
                self.state.lock().unwrap().called.push(format!("{method} {last}"));
                let reply = self.state.lock().unwrap().replies.remove(method);
                match reply.unwrap_or(Reply::Nothing) {
                    Reply::Path(at) => self.connection.reply(&header, &path(at)).await,
                    Reply::Text(text) => self.connection.reply(&header, &text).await,
                    Reply::Nothing => self.connection.reply(&header, &()).await,
                    Reply::Error(name, text) => self.connection.reply_error(&header, name, &text).await,
                    Reply::Silence => Ok(()),
                    Reply::HangUp => self.connection.clone().close().await,
                }
            }
        }
    }
}

pub fn stats(bytes: u64, seconds: u32) -> OwnedVariant {
    own(HashMap::from([
        ("rx-bytes".to_owned(), Variant::from(bytes)),
        ("tx-bytes".to_owned(), Variant::from(bytes)),
        ("duration".to_owned(), Variant::from(seconds)),
        ("start-date".to_owned(), Variant::from(1_772_000_000_u64)),
    ]))
}

fn copy(
    object: &BTreeMap<String, BTreeMap<String, OwnedVariant>>,
) -> HashMap<String, HashMap<String, OwnedVariant>> {
    object
        .iter()
        .map(|(interface, properties)| {
            let properties =
                properties.iter().map(|(name, value)| (name.clone(), value.try_clone().unwrap())).collect();
            (interface.clone(), properties)
        })
        .collect()
}

/// A message bus of one test.
pub struct Bus {
    child: std::process::Child,
    place: PathBuf,
}

impl Bus {
    pub fn start(place: &Path) -> Self {
        let _ = std::fs::remove_file(place);
        let mut child = std::process::Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address"])
            .arg(format!("--address=unix:path={}", place.display()))
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("dbus-daemon is needed: install dbus");
        // It prints its address when it listens.
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
        assert!(line.starts_with("unix:"), "{line}");
        Self { child, place: place.to_owned() }
    }

    pub fn address(&self) -> String {
        format!("unix:path={}", self.place.display())
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
