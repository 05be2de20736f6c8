//! What one client, one user and all together may take.

use std::time::Duration;

/// Limits of the socket.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of these that only root and the service's own user may take.
    pub reserved: usize,
    /// Connections of one user other than root and the service's own.
    pub per_user: usize,
    /// Connections that may carry a stream at once.
    pub streams: usize,
    /// The longest call, bytes, its NUL included.
    pub message_bytes: usize,
    /// How long the first call may take to arrive, and any call from its first byte to its last.
    pub handshake: Duration,
    /// How long a reply may wait for a reader that does not read.
    pub write: Duration,
    /// How long the service may take for an answer before the caller is told that it is busy.
    pub answer: Duration,
    /// How long a stream may be silent before a heartbeat is sent.
    pub heartbeat: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            reserved: 4,
            per_user: 32,
            streams: 32,
            message_bytes: simbell_api::MAX_MESSAGE,
            handshake: Duration::from_secs(10),
            write: Duration::from_secs(10),
            answer: Duration::from_secs(25),
            heartbeat: Duration::from_secs(20),
        }
    }
}
