//! One client at a time: what it arms, and what it is told.

use std::future::Future;
use std::io;

use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Duration, Instant};

use crate::error::TableError;
use crate::protocol::{Lines, Reply, Request, VERSION, line};
use crate::table::{Sharing, Table, Told};
use crate::watch::{Arrived, Watch};

/// How the helper serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// User id that may connect besides root.
    pub uid: u32,
    /// Who may change the table.
    pub sharing: Sharing,
}

/// Why the helper ended, or did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// nftables cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Nobody can connect.
    #[error("connections cannot be accepted: {0}")]
    Accept(io::Error),
}

/// A client that asks without a pause changes the ruleset at most so often: others change it too, and each change
/// takes a lock.
const REQUESTS_AT_ONCE: u32 = 1024;
const REQUEST_EVERY: Duration = Duration::from_micros(500);
/// A client that says nothing at first is no client.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
const READ_AT_ONCE: usize = 4096;

/// Serves until `stop` is done. Leaves nothing behind.
///
/// # Errors
/// When nftables cannot be used at all, or nobody can connect.
pub async fn serve(
    listener: UnixListener,
    options: Options,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    // Takes away what an earlier helper left, and finds out at once whether it may.
    drop(Table::open(options.sharing)?);
    let mut session: Option<Session> = None;
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => match admit(&stream, options.uid, still_there(&mut session).await) {
                    Ok(()) => match Session::begin(stream, options.sharing) {
                        Ok(begun) => session = Some(begun),
                        Err(error) => say(Level::Error, &error.to_string()),
                    },
                    Err((kind, text)) => {
                        say(Level::Warning, &text);
                        refuse(&stream, kind, text);
                    }
                },
                Err(error) if passing(&error) => {}
                Err(error) => return Err(ServeError::Accept(error)),
            },
            ended = turn(&mut session) => {
                match ended {
                    Ok(()) => {}
                    Err(End::Gone) => session = None,
                    Err(End::Fault(text)) => {
                        say(Level::Warning, &text);
                        if let Some(session) = session.take() {
                            refuse(&session.stream, "fault", text);
                        }
                    }
                }
            }
        }
    }
}

async fn turn(session: &mut Option<Session>) -> Result<(), End> {
    match session {
        Some(session) => session.turn().await,
        None => std::future::pending().await,
    }
}

/// A client that was killed and comes again may be here before its end was noticed.
async fn still_there(session: &mut Option<Session>) -> bool {
    // The runtime looks at its sockets before it goes on.
    tokio::task::yield_now().await;
    if session.as_mut().is_some_and(Session::has_ended) {
        *session = None;
    }
    session.is_some()
}

/// Whether a connection may begin; else the kind of reason and its words.
fn admit(stream: &UnixStream, uid: u32, busy: bool) -> Result<(), (&'static str, String)> {
    let peer =
        stream.peer_cred().map_err(|error| ("unknown-peer", format!("a caller is unknown: {error}")))?;
    if peer.uid() != 0 && peer.uid() != uid {
        let text = format!("user id {} may not connect: only {uid} (simbelld's) and root may", peer.uid());
        return Err(("not-permitted", text));
    }
    if busy {
        return Err(("busy", "another client is connected; one can be at a time".to_owned()));
    }
    Ok(())
}

fn refuse(stream: &UnixStream, kind: &str, text: String) {
    if let Ok(line) = line(&Reply::Refused { id: None, kind: kind.to_owned(), text }) {
        // Whoever does not read is told nothing.
        let _ = stream.try_write(&line);
    }
}

/// A connection that was given up meanwhile, or a process out of files for the moment.
fn passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted)
}

/// Why a session ended.
enum End {
    /// The client closed it.
    Gone,
    /// Something is wrong; in words.
    Fault(String),
}

/// The next line, within the allowance. Cancel-safe.
async fn next_line(
    stream: &UnixStream,
    lines: &mut Lines,
    allowance: &mut Allowance,
) -> Result<Vec<u8>, End> {
    allowance.wait().await;
    loop {
        if let Some(line) = lines.next_line().map_err(|error| End::Fault(error.to_string()))? {
            allowance.take();
            return Ok(line);
        }
        stream.readable().await.map_err(|_| End::Gone)?;
        read(stream, lines)?;
    }
}

/// Takes in what has come.
fn read(stream: &UnixStream, lines: &mut Lines) -> Result<(), End> {
    let mut buffer = [0; READ_AT_ONCE];
    match stream.try_read(&mut buffer) {
        Ok(0) => Err(End::Gone),
        Ok(length) => {
            lines.push(buffer.get(..length).unwrap_or_default());
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(_) => Err(End::Gone),
    }
}

struct Session {
    stream: UnixStream,
    lines: Lines,
    table: Table,
    watch: Watch,
    greeted: bool,
    hello_by: Instant,
    allowance: Allowance,
}

impl Session {
    fn begin(stream: UnixStream, sharing: Sharing) -> Result<Self, TableError> {
        Ok(Self {
            stream,
            lines: Lines::default(),
            // Followed before anything is made, so that nothing is missed.
            watch: Watch::open()?,
            table: Table::open(sharing)?,
            greeted: false,
            hello_by: Instant::now() + HELLO_WITHIN,
            allowance: Allowance::new(),
        })
    }

    async fn turn(&mut self) -> Result<(), End> {
        let Self { stream, lines, watch, allowance, greeted, hello_by, .. } = self;
        tokio::select! {
            biased;
            arrived = watch.next() => {
                let arrived = arrived.map_err(|error| End::Fault(error.to_string()))?;
                self.arrived(arrived)
            }
            () = tokio::time::sleep_until(*hello_by), if !*greeted => {
                Err(End::Fault("a client said nothing".to_owned()))
            }
            line = next_line(stream, lines, allowance) => {
                let line = line?;
                let request = serde_json::from_slice(&line)
                    .map_err(|error| End::Fault(format!("a client said what is no request: {error}")))?;
                self.answer(request)
            }
        }
    }

    fn has_ended(&mut self) -> bool {
        // One that talks is there, whatever it says; what it says stays bounded.
        self.lines.is_empty() && read(&self.stream, &mut self.lines).is_err()
    }

    fn answer(&mut self, request: Request) -> Result<(), End> {
        match request {
            Request::Hello { version: VERSION } => {
                self.greeted = true;
                self.send(&Reply::Hello { version: VERSION })
            }
            Request::Hello { version } => Err(End::Fault(format!(
                "a client speaks version {version} of the protocol, and this is {VERSION}; install both anew"
            ))),
            _ if !self.greeted => Err(End::Fault("a client did not say hello".to_owned())),
            Request::Arm(arm) => {
                let reply = match self.table.arm(&arm) {
                    Ok(()) => Reply::Armed { id: arm.id },
                    Err(error) => refused(arm.id, &error),
                };
                self.send(&reply)
            }
            Request::Disarm { id } => {
                let reply = match self.table.disarm(id) {
                    Ok(()) => Reply::Disarmed { id },
                    Err(error) => refused(id, &error),
                };
                self.send(&reply)
            }
        }
    }

    fn arrived(&mut self, arrived: Arrived) -> Result<(), End> {
        let told = match arrived {
            Arrived::Messages(messages) => {
                messages.iter().filter_map(|message| self.table.take(message)).collect()
            }
            Arrived::Overrun => self.table.take_stock().map_err(|error| End::Fault(error.to_string()))?,
        };
        for one in told {
            match one {
                Told::Crossed(id) => self.send(&Reply::Crossed { id })?,
                Told::Tampered => {
                    self.table.remove().map_err(|error| End::Fault(error.to_string()))?;
                    let text = "another program changed or removed the table inet simbell".to_owned();
                    say(Level::Warning, &format!("{text}; simbelld arms anew"));
                    self.send(&Reply::Lost { text })?;
                    // What else was told is about the table that is gone.
                    break;
                }
            }
        }
        Ok(())
    }

    /// A client that does not read is given up: what it misses it would believe to have been told.
    fn send(&self, reply: &Reply) -> Result<(), End> {
        let line = line(reply).map_err(|error| End::Fault(error.to_string()))?;
        match self.stream.try_write(&line) {
            Ok(length) if length == line.len() => Ok(()),
            Ok(_) => Err(End::Fault("a client does not read what it is told".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(End::Fault("a client does not read what it is told".to_owned()))
            }
            Err(_) => Err(End::Gone),
        }
    }
}

fn refused(id: u32, error: &TableError) -> Reply {
    say(Level::Warning, &error.to_string());
    Reply::Refused { id: Some(id), kind: error.kind().to_owned(), text: error.to_string() }
}

/// How many requests may still come now.
struct Allowance {
    left: u32,
    since: Instant,
}

impl Allowance {
    fn new() -> Self {
        Self { left: REQUESTS_AT_ONCE, since: Instant::now() }
    }

    fn take(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// Waits where there is none left.
    async fn wait(&mut self) {
        if self.grow() == 0 {
            tokio::time::sleep_until(self.since + REQUEST_EVERY).await;
            self.grow();
        }
    }

    fn grow(&mut self) -> u32 {
        let grown = self.since.elapsed().as_micros() / REQUEST_EVERY.as_micros();
        if let Some(grown) = u32::try_from(grown).ok().filter(|grown| *grown > 0) {
            self.since = Instant::now();
            self.left = self.left.saturating_add(grown).min(REQUESTS_AT_ONCE);
        }
        self.left
    }
}

/// How bad it is, as syslog counts.
pub(crate) enum Level {
    Error,
    Warning,
}

/// To the journal, by standard error and its prefix for levels.
pub(crate) fn say(level: Level, text: &str) {
    let level = match level {
        Level::Error => 3,
        Level::Warning => 4,
    };
    eprintln!("<{level}>{text}");
}
