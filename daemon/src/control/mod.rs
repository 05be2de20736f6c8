//! The control socket: who may come in, what they may ask, and how an answer reaches them.
//!
//! The protocol is Varlink, interface `org.simbell.Control`; types and description are simbell-api's. zlink gives the
//! message types; accepting, framing and writing are done here, for a service must stand clients that zlink's own
//! server does not: each connection is a task of its own, calls are capped, places are shared out between users,
//! idle connections make way, file descriptors sent along are discarded unseen, and nobody waits for a reader that
//! does not read.
//!
//! **Invariant:** a client can cost the service one task, one capped buffer and one place; never another's answer.

mod access;
mod backend;
mod bind;
mod connection;
mod dispatch;
mod house;
mod limits;
mod page;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use simbell_api::ControlError;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

pub use access::Access;
pub use backend::{Answer, ControlBackend, Following, Peer};
pub use bind::{BindError, Placed, bind};
pub use limits::Limits;

use connection::Connection;
use house::{House, Refusal};

/// A part of an export as it travels. Made where the rows are read, so that a whole ledger passes by the service's own
/// work.
#[must_use]
pub fn part(part: &simbell_api::ExportPart, last: bool) -> Vec<u8> {
    wire::success(part, Some(!last))
}

/// Pause after a failed accept, doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Serves `listener` for as long as the future lives; dropping it closes every connection.
///
/// Root, the service's own user and members of the backend's admin groups may change things.
pub async fn serve<B: ControlBackend>(listener: UnixListener, backend: Arc<B>, limits: Limits) {
    serve_with(listener, backend, limits, Access::system()).await;
}

/// As [`serve`], with other ideas of who may change things.
pub async fn serve_with<B: ControlBackend>(
    listener: UnixListener,
    backend: Arc<B>,
    limits: Limits,
    access: Access,
) {
    let house = Arc::new(House::new(limits.clone()));
    let shared = Arc::new(Shared { backend, limits, access, house: Arc::clone(&house) });
    let mut tasks = JoinSet::new();
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if pause != FIRST_PAUSE {
                        tracing::info!("control socket: connections are accepted again");
                        pause = FIRST_PAUSE;
                    }
                    admit(&shared, stream, &mut tasks);
                    // The newcomer's call, often there already, is read before the next one comes in.
                    tokio::task::yield_now().await;
                }
                Err(error) => {
                    if pause == FIRST_PAUSE {
                        tracing::warn!(%error, "control socket: a connection could not be accepted; tried again");
                    }
                    // Out of file descriptors: one that idles gives its own.
                    house.evict_any();
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                }
            },
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended && error.is_panic() {
                    tracing::error!(%error, "control socket: a connection ended by a fault of the service");
                }
            }
        }
    }
}

/// What every connection shares.
struct Shared<B> {
    backend: Arc<B>,
    limits: Limits,
    access: Access,
    house: Arc<House>,
}

fn admit<B: ControlBackend>(shared: &Arc<Shared<B>>, stream: UnixStream, tasks: &mut JoinSet<()>) {
    let Ok(credentials) = stream.peer_cred() else { return };
    let trusted = shared.access.is_trusted(credentials.uid());
    match shared.house.admit(credentials.uid(), trusted) {
        Ok(place) => {
            let connection = Connection::new(Arc::clone(shared), stream, &credentials, place);
            tasks.spawn(connection.run());
        }
        Err(refusal) => turn_away(stream, &refusal),
    }
}

/// Says why and hangs up. The buffer of a fresh socket is empty, so this never waits.
fn turn_away(stream: UnixStream, refusal: &Refusal) {
    let Ok(stream) = stream.into_std() else { return };
    let mut bytes = wire::error(&too_many(refusal));
    bytes.push(0);
    // The client may be gone already; there is nobody else to tell.
    let _gone: io::Result<()> = io::Write::write_all(&mut &stream, &bytes);
}

fn too_many(refusal: &Refusal) -> ControlError {
    ControlError::TooManyClients { message: refusal.to_string(), hint: refusal.hint().to_owned() }
}
