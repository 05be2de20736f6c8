//! Kills, full disks, read-only disks, torn logs: what was committed stays, what was not can be committed again.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use simbell_core::effect::Change;
use simbell_core::ledger::Baseline;
use simbell_store::{ErrorKind, Store, StoreOptions};

use crate::changes::baseline;
use crate::common::{Dir, HOUR, NOVEMBER, again, boot, ever, open, sum, usage};

const PLACE: &str = "SIMBELL_STORE_TEST_PLACE";

/// Where this process is to work, when it is one that a test started.
fn place() -> Option<PathBuf> {
    std::env::var_os(PLACE).map(PathBuf::from)
}

/// One commit as the service makes them: usage and the baseline it comes from.
fn commit(n: u64) -> Vec<Change> {
    let start = NOVEMBER + i64::try_from(n / 50).unwrap() * HOUR;
    vec![usage(1, 1, start, 1, 0), Change::SetBaseline(Baseline { rx_bytes: n, ..baseline("link:1", 1) })]
}

/// How many commits the ledger holds; usage and baseline agree, always.
fn held(store: &Store) -> u64 {
    let received = sum(&store.totals(&ever(1)).unwrap()).0;
    let read = store.restore(&boot("b")).unwrap().baselines.first().map_or(0, |b| b.rx_bytes);
    assert_eq!(received, read, "usage and its baseline are one transaction");
    assert!(store.integrity_check().unwrap().is_empty());
    received
}

#[test]
fn a_killed_writer_loses_nothing_that_it_spoke_of() {
    if let Some(place) = place() {
        let mut store = open(&place);
        for n in held(&store) + 1.. {
            store.apply(&commit(n)).unwrap();
            let mut out = std::io::stdout().lock();
            writeln!(out, "committed {n}").unwrap();
            out.flush().unwrap();
        }
    }
    let dir = Dir::new();
    let mut least = 0;
    for round in 1..=8_usize {
        let command = again("faults::a_killed_writer_loses_nothing_that_it_spoke_of");
        let mut writer = Command::new(&command[0])
            .args(&command[1..])
            .env(PLACE, dir.ledger())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let mut spoken = 0;
        for (count, line) in lines.map_while(Result::ok).enumerate() {
            // The test harness writes its own words before the first line.
            if let Some((_, n)) = line.split_once("committed ") {
                spoken = n.trim().parse().unwrap();
            }
            if count == round * 37 {
                // SIGKILL; what the pipe still holds is read to its end.
                writer.kill().unwrap();
            }
        }
        writer.wait().unwrap();
        assert!(spoken > least, "round {round}: the writer got on");
        // The one commit that ended before its line was written may be there too.
        let after = held(&open(&dir.ledger()));
        assert!(after == spoken || after == spoken + 1, "round {round}: spoken of {spoken}, held {after}");
        least = after;
    }
}

#[test]
fn a_log_torn_anywhere_gives_a_committed_state() {
    let dir = Dir::new();
    let mut store = open(&dir.ledger());
    let mut sizes = Vec::new();
    let log = dir.path().join("ledger.db-wal");
    for n in 1..=12 {
        store.apply(&commit(n)).unwrap();
        sizes.push(std::fs::metadata(&log).unwrap().len());
    }
    let (file, log) = (std::fs::read(dir.ledger()).unwrap(), std::fs::read(log).unwrap());
    // Before the first commit lies the creation itself.
    let first = usize::try_from(sizes[0]).unwrap();
    let torn = Dir::new();
    for cut in (first..=log.len()).step_by(173) {
        for garbage in [false, true] {
            let mut cut_log = log[..cut].to_vec();
            if garbage {
                cut_log.resize(log.len(), 0xa5);
            }
            std::fs::write(torn.ledger(), &file).unwrap();
            std::fs::write(torn.path().join("ledger.db-wal"), &cut_log).unwrap();
            let _ = std::fs::remove_file(torn.path().join("ledger.db-shm"));
            let whole = sizes.iter().filter(|size| **size <= u64::try_from(cut).unwrap()).count();
            assert_eq!(held(&open(&torn.ledger())), u64::try_from(whole).unwrap(), "cut at {cut}");
        }
    }
}

/// Runs `test` again where `mount` has prepared a file system of its own at `$M`.
fn on_own_file_system(test: &str, dir: &Dir, mount: &str) {
    let mount_point = dir.path().join("mnt");
    std::fs::create_dir(&mount_point).unwrap();
    let script = format!("set -e; {mount}; exec \"$@\"");
    // A mount namespace; in a user namespace of its own, so that no root is needed.
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"])
        .args(again(test))
        .env("M", &mount_point)
        .env(PLACE, &mount_point)
        .output()
        .expect("install util-linux: unshare is missing");
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].map(String::from_utf8_lossy).concat();
    assert!(
        output.status.success() && text.contains("1 passed"),
        "user namespaces must be allowed (sysctl kernel.unprivileged_userns_clone=1), and:\n{text}"
    );
}

#[test]
fn a_full_disk_refuses_a_commit_whole_and_takes_it_once_freed() {
    let Some(place) = place() else {
        let dir = Dir::new();
        return on_own_file_system(
            "faults::a_full_disk_refuses_a_commit_whole_and_takes_it_once_freed",
            &dir,
            "mount -t tmpfs -o size=3m tmpfs \"$M\"",
        );
    };
    let ledger = place.join("ledger.db");
    let mut store = open(&ledger);
    for n in 1..=3 {
        store.apply(&commit(n)).unwrap();
    }
    let filler = place.join("filler");
    fill(&filler);
    let mut big = commit(4);
    big.extend((0..900).map(|n| usage(2, 1, NOVEMBER + n, 2, 0)));
    for _ in 0..3 {
        let error = store.apply(&big).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");
        assert_eq!(held(&store), 3);
        assert_eq!(sum(&store.totals(&ever(2)).unwrap()), (0, 0));
    }
    // What is full while it is opened says so too, and does not hurt the ledger.
    drop(store);
    fill(&filler);
    let alone = open(&ledger);
    assert!(!alone.is_shared(), "no shared index is begun on a full disk");
    assert_eq!(held(&alone), 3);
    drop(alone);
    fill(&filler);
    let other = place.join("other.db");
    assert_eq!(Store::open(&other, &StoreOptions::default()).unwrap_err().kind(), ErrorKind::Full);
    std::fs::remove_file(&filler).unwrap();

    let mut store = open(&ledger);
    assert!(store.is_shared());
    store.apply(&big).unwrap();
    drop(store);
    let store = open(&ledger);
    assert_eq!(held(&store), 4);
    assert_eq!(sum(&store.totals(&ever(2)).unwrap()), (1800, 0));
    assert_eq!(open(&other).restore(&boot("b")).unwrap().baselines, vec![]);
}

/// Writes until the disk takes no more.
fn fill(path: &Path) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
}

fn is_refused_as_read_only(ledger: &Path) {
    let error = Store::open(ledger, &StoreOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    assert!(error.to_string().contains("writable"), "{error}");
}

#[test]
fn a_read_only_disk_is_said_and_nothing_is_changed() {
    let Some(place) = place() else {
        let dir = Dir::new();
        let test = "faults::a_read_only_disk_is_said_and_nothing_is_changed";
        // The first run fills it, the second finds it read-only.
        let mount = format!("mount -t tmpfs tmpfs \"$M\"; \"$1\" {test} --exact; mount -o remount,ro \"$M\"");
        return on_own_file_system(test, &dir, &mount);
    };
    let ledger = place.join("ledger.db");
    if !ledger.exists() {
        let mut store = open(&ledger);
        store.apply(&commit(1)).unwrap();
        return;
    }
    let before = std::fs::read(&ledger).unwrap();
    for path in [&ledger, &place.join("new.db")] {
        is_refused_as_read_only(path);
    }
    assert_eq!(std::fs::read(&ledger).unwrap(), before);
}

/// Its folder may be written, and so its lock and its log.
#[test]
fn a_ledger_that_may_not_be_written_is_refused_as_it_is_opened() {
    let Some(place) = place() else {
        let dir = Dir::new();
        let test = "faults::a_ledger_that_may_not_be_written_is_refused_as_it_is_opened";
        let mount = format!(
            "mount -t tmpfs tmpfs \"$M\"; \"$1\" {test} --exact; L=\"$M/ledger.db\"; \
             mount --bind \"$L\" \"$L\"; mount -o remount,bind,ro \"$L\""
        );
        return on_own_file_system(test, &dir, &mount);
    };
    let ledger = place.join("ledger.db");
    if !ledger.exists() {
        let mut store = open(&ledger);
        store.apply(&commit(1)).unwrap();
        return;
    }
    is_refused_as_read_only(&ledger);
}

#[test]
fn somebody_elses_transaction_delays_and_does_not_lose() {
    let dir = Dir::new();
    let options = StoreOptions { busy_timeout_ms: 20, ..StoreOptions::default() };
    let mut store = Store::open(&dir.ledger(), &options).unwrap();
    let other = rusqlite::Connection::open(dir.ledger()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.apply(&commit(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    store.apply(&commit(1)).unwrap();
    assert_eq!(held(&store), 1);
}
