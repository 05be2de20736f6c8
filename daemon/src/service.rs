//! What systemd is told, and what it hands over.

use std::os::unix::net::UnixListener as StdListener;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::net::UnixListener;
use tokio::time::Instant;

/// Tells systemd how the service is; silent where nobody asked (`NOTIFY_SOCKET` is not set).
#[derive(Debug)]
pub struct Notifier {
    watchdog: Option<Duration>,
    due: Option<Instant>,
    last_status: String,
    listening: bool,
}

impl Notifier {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    #[must_use]
    pub fn from_env() -> Self {
        let watchdog = sd_notify::watchdog_enabled().map(|interval| interval / 2);
        Self {
            watchdog,
            due: watchdog.map(|half| Instant::now() + half),
            last_status: String::new(),
            listening: std::env::var_os("NOTIFY_SOCKET").is_some(),
        }
    }

    /// The service answers, or answers again after a reload.
    pub fn ready(&mut self, status: &str) {
        self.last_status = status.to_owned();
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The configuration is being read again.
    pub fn reloading(&self) {
        let Ok(now) = NotifyState::monotonic_usec_now() else { return };
        tell(&[NotifyState::Reloading, now]);
    }

    /// The service ends.
    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("Stopping")]);
    }

    /// One line for `systemctl status`, told when it changes. Not made where nobody listens.
    pub fn status(&mut self, line: impl FnOnce() -> String) {
        if !self.listening {
            return;
        }
        let line = line();
        if line != self.last_status {
            tell(&[NotifyState::Status(&line)]);
            self.last_status = line;
        }
    }

    /// Waits until the watchdog is to be told; for ever where there is none.
    pub async fn watchdog_due(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// Tells the watchdog when it is to be told. Called by the engine's own loop, so that a loop that hangs is noticed.
    pub fn alive_if_due(&mut self) {
        let now = Instant::now();
        if self.due.is_some_and(|due| due <= now) {
            tell(&[NotifyState::Watchdog]);
            self.due = self.watchdog.map(|half| now + half);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}

/// The control socket that systemd opened, where it did (`LISTEN_FDS`).
///
/// # Errors
/// When what was handed over is no listening Unix socket.
pub fn listener_from_systemd() -> std::io::Result<Option<UnixListener>> {
    let mut fds = listenfd::ListenFd::from_env();
    let Some(listener) = fds.take_unix_listener(0)? else { return Ok(None) };
    let listener: StdListener = listener;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener).map(Some)
}
