//! One connection: calls in, answers out, one at a time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use simbell_api::ControlError;
use tokio::net::UnixStream;
use tokio::net::unix::UCred;
use tokio::time::{Instant, timeout, timeout_at};

use super::backend::{ControlBackend, Peer};
use super::house::{Place, Refusal};
use super::limits::Limits;
use super::{Shared, dispatch, stream, too_many, wire};

/// Bytes read at once.
const CHUNK: usize = 4096;
/// How long a last word may wait for its reader.
const LAST_WORD: Duration = Duration::from_secs(1);

/// A connection and its place.
pub(super) struct Connection<B> {
    shared: Arc<Shared<B>>,
    peer: Peer,
    place: Place,
    line: Line,
}

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client hung up, or can no longer be written to.
    Gone,
    /// The client is told why, then hung up on.
    Told(ControlError),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Told(too_many(&refusal))
    }
}

impl<B: ControlBackend> Connection<B> {
    pub(super) fn new(shared: Arc<Shared<B>>, stream: UnixStream, peer: &UCred, place: Place) -> Self {
        let (uid, gid) = (peer.uid(), peer.gid());
        let may_change = shared.access.may_change(uid, gid, &shared.backend.admin_groups());
        let peer = Peer { uid, gid, pid: peer.pid(), may_change };
        let line = Line { stream, limits: shared.limits.clone(), inbox: Vec::new() };
        Self { shared, peer, place, line }
    }

    pub(super) async fn run(mut self) {
        match self.converse().await {
            End::Gone => {}
            End::Told(error) => {
                tracing::debug!(
                    uid = self.peer.uid,
                    kind = error.kind(),
                    "control socket: connection closed"
                );
                // Nobody left to tell is no loss.
                let _gone = timeout(LAST_WORD, self.line.send(wire::error(&error))).await;
            }
        }
    }

    async fn converse(&mut self) -> End {
        let mut first = true;
        loop {
            let message = tokio::select! {
                message = self.line.message(first) => message,
                () = self.place.asked_to_leave() => Err(Refusal::MadeWay.into()),
            };
            let message = match message {
                Ok(message) => message,
                Err(end) => return end,
            };
            first = false;
            self.place.asking();
            if let Err(end) = self.answer(&message).await {
                return end;
            }
            self.place.idle();
            // A client with a full pipe takes its turn like any other.
            tokio::task::yield_now().await;
        }
    }

    async fn answer(&mut self, message: &[u8]) -> Result<(), End> {
        let call = wire::call(message).map_err(|error| {
            End::Told(ControlError::Malformed {
                message: format!("this is no Varlink call: {error}"),
                hint: "send JSON objects like {\"method\":\"org.simbell.Control.GetStatus\"}, each ended by a NUL \
                       byte, as `varlinkctl call` does"
                    .to_owned(),
            })
        })?;
        let shared = &self.shared;
        let outcome =
            dispatch::dispatch(&*shared.backend, &shared.limits, self.peer, call.method(), call.more()).await;
        match outcome {
            _ if call.oneway() => Ok(()),
            dispatch::Outcome::Reply(bytes) => self.line.send(bytes).await,
            dispatch::Outcome::Follow(following) => {
                if let Err(refusal) = self.place.streaming() {
                    return self.line.send(wire::error(&too_many(&refusal))).await;
                }
                stream::follow(&mut self.line, &*self.shared.backend, following).await
            }
            dispatch::Outcome::Report(text) => {
                if let Err(refusal) = self.place.streaming() {
                    return self.line.send(wire::error(&too_many(&refusal))).await;
                }
                stream::report(&mut self.line, text).await
            }
            dispatch::Outcome::Export(parts) => {
                if let Err(refusal) = self.place.streaming() {
                    return self.line.send(wire::error(&too_many(&refusal))).await;
                }
                stream::export(&mut self.line, parts).await
            }
        }
    }
}

/// Messages on a socket, within limits.
pub(super) struct Line {
    stream: UnixStream,
    pub(super) limits: Limits,
    inbox: Vec<u8>,
}

impl Line {
    /// The next message, without its NUL. The first one must come in time, any other once it has begun.
    async fn message(&mut self, first: bool) -> Result<Vec<u8>, End> {
        let mut deadline = (first || !self.inbox.is_empty()).then(|| Instant::now() + self.limits.handshake);
        loop {
            if let Some(end) = self.inbox.iter().position(|byte| *byte == 0) {
                let rest = self.inbox.split_off(end.saturating_add(1));
                let mut message = std::mem::replace(&mut self.inbox, rest);
                message.truncate(end);
                return if end >= self.limits.message_bytes { Err(self.too_large()) } else { Ok(message) };
            }
            if self.inbox.len() >= self.limits.message_bytes {
                return Err(self.too_large());
            }
            match deadline {
                Some(deadline) => match timeout_at(deadline, self.fill()).await {
                    Ok(filled) => filled?,
                    Err(_) => return Err(self.too_late()),
                },
                None => self.fill().await?,
            }
            deadline = deadline.or_else(|| Some(Instant::now() + self.limits.handshake));
        }
    }

    /// Resolves when the client hangs up or says anything, which a follower has no reason to.
    pub(super) async fn disturbed(&mut self) -> End {
        match self.fill().await {
            Ok(()) => End::Told(ControlError::Malformed {
                message: "a connection that follows a stream takes no other calls".to_owned(),
                hint: "open another connection for them".to_owned(),
            }),
            Err(end) => end,
        }
    }

    /// Sends a message; gives up on a reader that does not read.
    pub(super) async fn send(&mut self, mut message: Vec<u8>) -> Result<(), End> {
        message.push(0);
        let mut rest = message.as_slice();
        let deadline = Instant::now() + self.limits.write;
        while !rest.is_empty() {
            match self.stream.try_write(rest) {
                Ok(0) => return Err(End::Gone),
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match timeout_at(deadline, self.stream.writable()).await {
                        Ok(ready) => ready?,
                        Err(_) => {
                            tracing::debug!("control socket: a client that does not read was dropped");
                            return Err(End::Gone);
                        }
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads once. A plain read, so that file descriptors sent along are discarded by the kernel.
    async fn fill(&mut self) -> Result<(), End> {
        loop {
            self.stream.readable().await?;
            let mut chunk = [0_u8; CHUNK];
            match self.stream.try_read(&mut chunk) {
                Ok(0) => return Err(End::Gone),
                Ok(count) => {
                    self.inbox.extend_from_slice(chunk.get(..count).unwrap_or_default());
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn too_large(&self) -> End {
        let limit = u32::try_from(self.limits.message_bytes).unwrap_or(u32::MAX);
        End::Told(ControlError::MessageTooLarge {
            limit,
            message: format!("the call is longer than {limit} bytes"),
            hint: "no call of this interface needs so much; check what is being sent".to_owned(),
        })
    }

    fn too_late(&self) -> End {
        End::Told(ControlError::TimedOut {
            message: format!("no whole call came in within {} s", self.limits.handshake.as_secs()),
            hint: "connect when there is something to ask, and end each call with a NUL byte".to_owned(),
        })
    }
}
