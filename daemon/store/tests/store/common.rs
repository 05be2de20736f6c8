//! Values and directories for tests.

use std::path::{Path, PathBuf};

use simbell_core::effect::{Change, SimRecord, TotalsQuery};
use simbell_core::ident::{BootId, Iccid};
use simbell_core::ledger::{EpochId, Source, UsageSlot, When, Zone};
use simbell_core::time::Timestamp;
use simbell_store::{Store, StoreOptions, Totals};
use tempfile::TempDir;

pub const HOUR: i64 = 3_600_000;
/// 2026-11-01T00:00:00Z.
pub const NOVEMBER: i64 = 1_793_491_200_000;

/// A directory of its own, gone at the end of the test.
pub struct Dir(TempDir);

impl Dir {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One in memory, where a sync costs nothing.
    pub fn in_memory() -> Self {
        Self(tempfile::tempdir_in("/dev/shm").unwrap())
    }

    pub fn ledger(&self) -> PathBuf {
        self.path().join("ledger.db")
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

pub fn open(path: &Path) -> Store {
    Store::open(path, &StoreOptions::default()).unwrap()
}

pub fn iccid(tail: u32) -> Iccid {
    Iccid::new(format!("894921100000{tail:07}")).unwrap()
}

pub fn boot(name: &str) -> BootId {
    BootId::new(name).unwrap()
}

pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub fn sim(tail: u32) -> SimRecord {
    SimRecord {
        iccid: iccid(tail),
        imsi: None,
        eid: None,
        operator: Some("Example".to_owned()),
        first_seen: at(NOVEMBER),
        last_seen: at(NOVEMBER),
    }
}

pub fn slot(tail: u32, epoch: i64, start: i64, rx: u64, tx: u64) -> UsageSlot {
    UsageSlot {
        epoch: EpochId(epoch),
        iccid: iccid(tail),
        zone: Zone::Home,
        source: Source::Kernel,
        when: When::Hour(at(start)),
        rx_bytes: rx,
        tx_bytes: tx,
        from: start,
        until: start + 60_000,
    }
}

pub fn usage(tail: u32, epoch: i64, start: i64, rx: u64, tx: u64) -> Change {
    Change::AddUsage(slot(tail, epoch, start, rx, tx))
}

pub fn ever(tail: u32) -> TotalsQuery {
    TotalsQuery { iccid: iccid(tail), from: at(i64::MIN), until: None }
}

/// Everything ever received and sent, dated, by any zone.
pub fn sum(totals: &Totals) -> (u64, u64) {
    totals.by_zone.iter().fold((0, 0), |(rx, tx), (_, volume)| (rx + volume.rx, tx + volume.tx))
}

/// This test binary, to run one test in another process.
pub fn again(test: &str) -> Vec<String> {
    let own = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    [&own, test, "--exact", "--nocapture", "--test-threads=1"].map(str::to_owned).to_vec()
}

/// Does it where a file system may be mounted: here, or in a user namespace of its own.
pub fn with_root(test: &str, body: impl FnOnce()) {
    if rustix::process::geteuid().is_root() {
        return body();
    }
    let output = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount"])
        .args(again(test))
        .output()
        .expect("install util-linux: unshare is missing");
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat();
    assert!(
        output.status.success() && text.contains("1 passed"),
        "user namespaces must be allowed (sysctl kernel.unprivileged_userns_clone=1), and:\n{text}"
    );
}
