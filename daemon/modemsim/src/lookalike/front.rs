//! The ways in: a message bus, a Unix socket, or one stream.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use zbus::connection::Builder;
use zbus::message::Type;
use zbus::{Connection, Guid, MessageStream};

use super::Lookalike;
use super::interfaces::MM;

/// Why it cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The bus does not take us.
    #[error(
        "no service on the D-Bus at {address}: {source}; check that the bus runs and lets this user own org.freedesktop.ModemManager1"
    )]
    Bus {
        /// Address of the bus.
        address: String,
        /// Cause.
        source: zbus::Error,
    },
    /// The socket cannot be made.
    #[error("cannot listen at {path}: {source}; choose a path in a directory of yours, where nothing is yet")]
    Listen {
        /// Path of the socket.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The stream is no D-Bus client.
    #[error("no D-Bus client on the stream: {0}")]
    Stream(#[source] zbus::Error),
}

impl Lookalike {
    /// Serves the bus at a D-Bus address under the name of ModemManager; returns once the name is owned and the
    /// modems are shown. The task ends with an error only where the bus goes away or refuses later on.
    ///
    /// # Errors
    /// [`ServeError::Bus`].
    pub async fn serve_on(&self, address: &str) -> Result<JoinHandle<ServeError>, ServeError> {
        let failed = |source| ServeError::Bus { address: address.to_owned(), source };
        let (connection, stream) = join_bus(address).await.map_err(failed)?;
        let this = self.clone();
        let mut session = self.begin(connection, stream);
        self.lock().boot();
        let address = address.to_owned();
        Ok(tokio::spawn(async move {
            loop {
                // An error means that the session's task is gone, which is the end of the session too.
                let _ = session.await;
                if this.is_alive() {
                    let source = zbus::Error::Failure("the bus closed the connection".into());
                    return ServeError::Bus { address, source };
                }
                this.until_alive().await;
                match join_bus(&address).await {
                    Ok((connection, stream)) => session = this.begin(connection, stream),
                    Err(source) => return ServeError::Bus { address, source },
                }
                this.lock().boot();
            }
        }))
    }

    /// Serves every client that connects to a Unix socket at this path, without a bus; returns once it listens. While
    /// ModemManager is dead, connections are closed at once.
    ///
    /// # Errors
    /// [`ServeError::Listen`].
    pub fn serve_socket(&self, path: &Path) -> Result<JoinHandle<()>, ServeError> {
        let listener = UnixListener::bind(path)
            .map_err(|source| ServeError::Listen { path: path.to_owned(), source })?;
        self.lock().boot();
        let this = self.clone();
        Ok(tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                if !this.is_alive() {
                    continue;
                }
                let Ok(stream) = stream.into_std() else { continue };
                let this = this.clone();
                tokio::spawn(async move {
                    if let Err(error) = this.serve_p2p(stream).await {
                        tracing::warn!(%error, "client not served");
                    }
                });
            }
        }))
    }

    /// Serves one client at the other end of a stream, without a bus, until it leaves or ModemManager dies.
    ///
    /// # Errors
    /// [`ServeError::Stream`] where it does not speak D-Bus.
    pub async fn serve_p2p(&self, stream: UnixStream) -> Result<(), ServeError> {
        let connection = Builder::unix_stream(stream)
            .server(Guid::generate())
            .p2p()
            .build()
            .await
            .map_err(ServeError::Stream)?;
        let messages = MessageStream::from(&connection);
        self.lock().boot();
        // The task cannot fail but by a panic, which ends the session as well.
        let _ = self.begin(connection, messages).await;
        Ok(())
    }

    async fn until_alive(&self) {
        // The sender lives in self, so the wait cannot fail.
        let _ = self.alive.subscribe().wait_for(|alive| *alive).await;
    }

    /// Attaches a client at once and serves it in a task of its own.
    fn begin(&self, connection: Connection, mut stream: MessageStream) -> JoinHandle<()> {
        let (client, mut outbox) = {
            let mut world = self.lock();
            world.prepare();
            world.tree.attach()
        };
        let this = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    message = outbox.recv() => {
                        // None: ModemManager died, or the client lags too far behind.
                        let Some(message) = message else { break };
                        if connection.send(&message).await.is_err() {
                            break;
                        }
                    }
                    message = stream.next() => {
                        let Some(Ok(message)) = message else { break };
                        if message.message_type() == Type::MethodCall {
                            let mut world = this.lock();
                            if let Some(reply) = world.answer(&message) {
                                world.tree.send(client, reply);
                            }
                        }
                    }
                }
            }
            this.lock().tree.detach(client);
            drop(stream);
            // Closing may fail where the other end was first.
            let _ = connection.close().await;
        })
    }
}

/// The stream is there before the name is, so that no call is missed.
async fn join_bus(address: &str) -> zbus::Result<(Connection, MessageStream)> {
    let connection = Builder::address(address).build().await?;
    let stream = MessageStream::from(&connection);
    connection.request_name(MM).await?;
    Ok((connection, stream))
}
