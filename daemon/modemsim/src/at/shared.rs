//! What the ports of a modem share, and the pace at which the host is told of things.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::state::State;

/// Between two announcements: ModemManager drops one that arrives while it still reads the SMS before.
const BETWEEN: Duration = Duration::from_millis(60);
/// The longest wait for the host to read an SMS before the next is announced.
const READING: Duration = Duration::from_secs(3);
const QUEUE: usize = 1024;

/// What is told to the host at a pace it can follow.
#[derive(Debug)]
pub(super) enum Announcement {
    Sms(u32),
    Line(&'static str),
}

/// What the ports share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    ports: Mutex<BTreeMap<u8, PortEntry>>,
    /// Counts the changes of the state.
    pub changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct PortEntry {
    urcs: mpsc::Sender<String>,
    data: bool,
}

impl Shared {
    pub fn new(state: State) -> Self {
        Self { state: Mutex::new(state), ports: Mutex::new(BTreeMap::new()), changed: watch::Sender::new(0) }
    }

    /// Closes every port.
    pub fn close(&self) {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes who waits for it. Unsolicited codes stay queued for [`Self::flush`].
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
        result
    }

    /// Hands the queued unsolicited codes to the first port that takes commands.
    pub fn flush(&self) {
        let mut state = self.lock();
        let urcs = state.take_urcs();
        if state.hung || urcs.is_empty() {
            return;
        }
        let ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = ports.values().find(|p| !p.data && !p.urcs.is_closed()) {
            for urc in urcs {
                // A host that reads nothing for this long misses codes, as on a real modem.
                let _ = port.urcs.try_send(urc);
            }
        }
    }

    pub fn carries_data(&self, index: u8, data: bool) {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = ports.get_mut(&index) {
            port.data = data;
        }
    }

    /// Makes the entry of a port, replacing what was there.
    pub fn open(&self, index: u8) -> mpsc::Receiver<String> {
        let (urcs, receiver) = mpsc::channel(QUEUE);
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.insert(index, PortEntry { urcs, data: false });
        receiver
    }
}

/// Tells the host of SMS and ended calls, leaving it the time it needs.
pub(super) async fn announce(shared: Arc<Shared>, mut queue: mpsc::UnboundedReceiver<Announcement>) {
    while let Some(announcement) = queue.recv().await {
        tokio::time::sleep(BETWEEN).await;
        match announcement {
            Announcement::Line(line) => shared.change(|state| state.urc(line.to_owned())),
            Announcement::Sms(index) => {
                let told = shared.change(|state| state.announce_sms(index));
                shared.flush();
                let mut changes = shared.changed.subscribe();
                let deadline = Instant::now() + READING;
                while told && shared.lock().unread(index) {
                    if tokio::time::timeout_at(deadline, changes.changed()).await.is_err() {
                        break;
                    }
                }
            }
        }
        shared.flush();
    }
}
