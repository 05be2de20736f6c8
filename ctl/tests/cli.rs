//! simbellctl as it is run, against the real socket server with a service in memory behind it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "cli/desktop.rs"]
mod desktop;
#[path = "../../daemon/src/control/fake.rs"]
#[allow(dead_code, reason = "shared with the server's own tests, which use the rest")]
mod fake;
#[path = "cli/follow.rs"]
mod follow;
#[path = "cli/offline.rs"]
mod offline;
#[path = "cli/reference.rs"]
mod reference;
#[path = "cli/replay.rs"]
mod replay;
#[path = "cli/schema.rs"]
mod schema;
#[path = "cli/verbs.rs"]
mod verbs;

use simbelld::control as server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fake::Fake;
use server::{Access, BindError, Limits, bind, serve_with};
use tempfile::TempDir;

/// A directory of its own, removed at the end.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn socket(&self) -> PathBuf {
        self.path().join("control.sock")
    }
}

/// Copies a program. Not by this process: what it has open for writing, so may have what another test starts just now, and
/// then the program cannot be run.
fn install(from: &Path, to: &Path) {
    let copied = Command::new("install").args(["-m", "755"]).arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// A program that is a script.
fn executable(path: &Path, text: &str) {
    let plain = path.with_extension("text");
    std::fs::write(&plain, text).unwrap();
    install(&plain, path);
    std::fs::remove_file(plain).unwrap();
}

/// A server on a thread of its own, ended when dropped.
struct Served {
    fake: Arc<Fake>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    fn start(path: &Path, fake: Fake) -> Self {
        Self::start_for(path, Arc::new(fake), Access::system())
    }

    fn start_for(path: &Path, fake: Arc<Fake>, access: Access) -> Self {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        let path = path.to_owned();
        let backend = Arc::clone(&fake);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // A program being started by another test holds copies of every descriptor until it runs, and so
                // keeps an ended listener alive for a moment.
                let mut bound = bind(&path);
                eventually("the socket is free", || {
                    if matches!(bound, Err(BindError::Served { .. })) {
                        bound = bind(&path);
                    }
                    !matches!(bound, Err(BindError::Served { .. }))
                });
                let (listener, _placed) = bound.unwrap();
                ready.send(()).unwrap();
                tokio::select! {
                    () = serve_with(listener, backend, Limits::default(), access) => {}
                    _ = stopped => {}
                }
            });
        });
        is_ready.recv().unwrap();
        Self { fake, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn ctl(socket: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simbellctl"));
    command.arg("--socket").arg(socket).stdin(Stdio::null()).env_remove("NO_COLOR").env_remove("COLUMNS");
    command
}

fn run(socket: &Path, args: &[&str]) -> Output {
    ctl(socket).args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What it printed, once it ended well.
fn good(socket: &Path, args: &[&str]) -> String {
    let output = run(socket, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

/// Waits for something to become true; fails after half a minute.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
