//! The socket as its clients see it.

#[path = "fake.rs"]
#[allow(dead_code, reason = "the tests of simbellctl use it too, and more of it")]
mod fake;
mod hostile;
mod house_rules;
mod protocol;

use super as server;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::{Access, Limits, Placed, bind, serve_with};
use fake::Fake;

/// A server on a socket of its own, ended when dropped.
struct Served {
    path: PathBuf,
    fake: Arc<Fake>,
    task: JoinHandle<()>,
    _placed: Placed,
    _dir: TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whoever runs the tests may change things.
fn me() -> Access {
    Access::system()
}

fn start(fake: Fake, limits: Limits, access: Access) -> Served {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let (listener, placed) = bind(&path).unwrap();
    let fake = Arc::new(fake);
    let task = tokio::spawn(serve_with(listener, Arc::clone(&fake), limits, access));
    Served { path, fake, task, _placed: placed, _dir: dir }
}

/// A client that speaks bytes.
struct Raw(UnixStream);

impl Raw {
    async fn connect(path: &Path) -> Self {
        Self(UnixStream::connect(path).await.unwrap())
    }

    /// In one go; what the service thinks of it is read, even where it hung up meanwhile.
    async fn send(&mut self, text: &str) {
        let _hung_up = self.0.write_all(format!("{text}\0").as_bytes()).await;
    }

    /// The next message; none when the service hung up.
    async fn next(&mut self) -> Option<Value> {
        let mut message = Vec::new();
        loop {
            match self.0.read_u8().await {
                Ok(0) => return Some(serde_json::from_slice(&message).unwrap()),
                Ok(byte) => message.push(byte),
                Err(_) => return None,
            }
        }
    }

    async fn ask(&mut self, text: &str) -> Value {
        self.send(text).await;
        self.next().await.unwrap()
    }
}

const STATUS: &str = r#"{"method":"org.simbell.Control.GetStatus"}"#;

fn error_of(message: &Value) -> &str {
    message["error"].as_str().unwrap_or("no error")
}

/// Waits for something to become true; fails after half a minute.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "never happened: {what}");
        tokio::task::yield_now().await;
    }
}
