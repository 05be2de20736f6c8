//! Follows ModemManager on a bus, through everything that can happen to either.
//!
//! One task, one stream of messages. A modem is told whole after any change of it, of its SIMs or of its
//! bearers, a few milliseconds later so that changes that belong together come together, and only when it
//! differs from what was told before. A change of registration settles for 100 ms and is read again first.
//! While nothing happens on the bus, nothing happens here.

mod ask;
mod follow;
mod hear;
mod modem;
mod recent;
mod session;
mod traffic;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use simbell_core::event::Event;
use simbell_core::ident::ModemId;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use zbus::{Connection, MessageStream, connection};

use crate::commands::{Directory, ModemCommands, OwnMessages};

use self::session::Session;

/// Messages from the bus that wait to be handled: beyond them the socket is not read, and the bus keeps what comes.
const QUEUE: NonZeroUsize = match NonZeroUsize::new(256) {
    Some(size) => size,
    None => NonZeroUsize::MIN,
};
/// With more events than this waiting to be taken, the bus waits too.
const EVENTS_MOST: usize = 1024;
/// How long a connection, or one message to it, may take.
const CONNECT: Duration = Duration::from_secs(10);
/// A lost bus is tried again after this long, then twice as long, and so on.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MOST: Duration = Duration::from_secs(15);

/// Where ModemManager is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusAddress {
    /// The system bus.
    System,
    /// The session bus.
    Session,
    /// A bus at a D-Bus address, such as `unix:path=/run/x/bus`.
    At(String),
    /// A ModemManager that listens at this D-Bus address itself, without a bus between.
    Peer(String),
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// An answer of ModemManager, before it counts as missing.
    pub call: Duration,
    /// From a change to telling it, so that several come together.
    pub coalesce: Duration,
    /// From a connection over a link of the kernel to reading its figures, once and again; then each time after as long as
    /// the second, or, with many connections, longer: after so long at most. The first is after a start has given back the
    /// memory that it took, so that what reading them takes is in memory from then on.
    pub figures: [Duration; 3],
    /// From telling a modem to telling it again because nothing but its signal changed.
    pub signal: Duration,
    /// From a change of registration to reading it again and telling it.
    pub settle: Duration,
    /// From the first change to telling it, however many follow.
    pub settle_most: Duration,
    /// A command that nothing leaves the modem for, before it counts as failed.
    pub command: Duration,
    /// A command that reaches the network: ModemManager itself waits a minute and more for a modem.
    pub network: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(10),
            coalesce: Duration::from_millis(5),
            figures: [Duration::from_secs(80), Duration::from_secs(300), Duration::from_secs(1800)],
            signal: Duration::from_secs(60),
            settle: Duration::from_millis(100),
            settle_most: Duration::from_millis(500),
            command: Duration::from_secs(20),
            network: Duration::from_secs(150),
        }
    }
}

/// Follows ModemManager and tells what happens as events.
#[derive(Debug)]
pub struct Watcher {
    address: BusAddress,
    session: Session,
    events: mpsc::Sender<Event>,
    directory: Arc<watch::Sender<Directory>>,
    listened: watch::Receiver<BTreeSet<ModemId>>,
}

impl Watcher {
    /// A watcher that tells `events`, and the handle to call modems through it.
    ///
    /// Messages sent by the handle are not told as `SmsSent`: its caller knows.
    #[must_use]
    pub fn new(address: BusAddress, events: mpsc::Sender<Event>) -> (Self, ModemCommands) {
        Self::with_timing(address, events, Timing::default())
    }

    /// Like [`Watcher::new`], with other times.
    #[must_use]
    pub fn with_timing(
        address: BusAddress,
        events: mpsc::Sender<Event>,
        timing: Timing,
    ) -> (Self, ModemCommands) {
        let directory = Arc::new(watch::Sender::new(Directory::default()));
        let own = OwnMessages::default();
        let listens = Arc::new(watch::Sender::new(BTreeSet::new()));
        let listened = listens.subscribe();
        let commands = ModemCommands::new(directory.subscribe(), own.clone(), listens, timing);
        (Self { address, session: Session::new(timing, own), events, directory, listened }, commands)
    }

    /// Follows until nobody takes the events any more. A lost bus is found again.
    pub async fn run(mut self) {
        let mut backoff = BACKOFF_FIRST;
        let mut told_lost = false;
        loop {
            match connect(&self.address).await {
                Ok(connection) => {
                    let since = Instant::now();
                    let reason = self.follow(connection).await;
                    self.directory.send_replace(Directory::default());
                    let Some(reason) = reason else {
                        return;
                    };
                    // A bus that closes every connection at once is not hammered.
                    if since.elapsed() > BACKOFF_MOST {
                        backoff = BACKOFF_FIRST;
                    }
                    self.session.disconnected(reason);
                }
                Err(reason) => {
                    tracing::debug!(reason, "no D-Bus connection");
                    if !told_lost {
                        self.session.disconnected(reason);
                    }
                }
            }
            if !self.flush().await {
                return;
            }
            told_lost = true;
            tokio::select! {
                () = tokio::time::sleep(backoff) => {}
                () = self.events.closed() => return,
            }
            backoff = backoff.saturating_mul(2).min(BACKOFF_MOST);
        }
    }

    /// Follows one connection; the reason of its end, or none when nobody listens any more.
    async fn follow(&mut self, connection: Connection) -> Option<String> {
        let mut stream = MessageStream::from(&connection);
        self.session.connected(!matches!(self.address, BusAddress::Peer(_)), Instant::now());
        loop {
            while let Some(message) = self.session.questions.outbox.pop_front() {
                match tokio::time::timeout(CONNECT, connection.send(&message)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Some(format!("cannot send to the bus: {error}")),
                    Err(_) => return Some("the bus takes no messages".to_owned()),
                }
            }
            if let Some((destination, modems)) = self.session.directory() {
                let present = self.session.present();
                self.directory.send_replace(Directory {
                    connection: present.then(|| connection.clone()),
                    destination,
                    modems,
                });
            }
            let deadline = self.session.deadline();
            tokio::select! {
                permit = self.events.reserve(), if !self.session.events.is_empty() => {
                    let Ok(permit) = permit else {
                        return None;
                    };
                    if let Some(event) = self.session.events.pop_front() {
                        permit.send(event);
                    }
                }
                () = self.events.closed() => return None,
                message = stream.next(), if self.session.events.len() < EVENTS_MOST => match message {
                    Some(Ok(message)) => self.session.message(&message, Instant::now()),
                    Some(Err(error)) => return Some(format!("the bus is gone: {error}")),
                    None => return Some("the bus closed the connection".to_owned()),
                },
                Ok(()) = self.listened.changed() => {
                    let modems = self.listened.borrow_and_update().clone();
                    self.session.listen(modems, Instant::now());
                }
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.session.tick(Instant::now());
                }
            }
        }
    }

    async fn flush(&mut self) -> bool {
        while let Some(event) = self.session.events.pop_front() {
            if self.events.send(event).await.is_err() {
                return false;
            }
        }
        true
    }
}

async fn connect(address: &BusAddress) -> Result<Connection, String> {
    let builder = match address {
        BusAddress::System => connection::Builder::system(),
        BusAddress::Session => connection::Builder::session(),
        BusAddress::At(address) => connection::Builder::address(address.as_str()),
        BusAddress::Peer(address) => connection::Builder::address(address.as_str()).p2p(),
    };
    match tokio::time::timeout(CONNECT, builder.max_queued(QUEUE).build()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(format!("cannot connect to {}: {error}", address.name())),
        Err(_) => Err(format!("{} does not answer", address.name())),
    }
}

impl BusAddress {
    fn name(&self) -> String {
        match self {
            Self::System => "the system bus".to_owned(),
            Self::Session => "the session bus".to_owned(),
            Self::At(address) => format!("the bus at {address}"),
            Self::Peer(address) => format!("the ModemManager at {address}"),
        }
    }
}
