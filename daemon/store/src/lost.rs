//! Commits that a ledger has lost without a sign of damage: SQLite believes a ledger whose log is gone or garbled, as of its
//! last checkpoint, and one that lacks a table until somebody asks for it.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::time::SystemTime;

use rusqlite::{Connection, OpenFlags, Row};
use simbell_core::effect::Change;
use simbell_core::ident::Iccid;
use simbell_core::ledger::{GapReason, Source};

use crate::backups::Backups;
use crate::columns::{count_up, times};
use crate::lock::{WriterLock, beside};
use crate::migrate::{APPLICATION_ID, SCHEMA_VERSION};
use crate::rollup::sums;

/// Header of a log, in bytes.
const HEADER: usize = 32;

/// What became of the log of a ledger whose last writer had committed and did not close it; none where it is as it should be.
///
/// Whoever opens such a ledger with another program and closes it moves the log into the ledger and takes it away, and the
/// index with it: a log that is gone alone was taken by something else.
pub(crate) fn log_trouble(ledger: &Path) -> Option<&'static str> {
    WriterLock::writing_since(ledger)?;
    let mut header = [0_u8; HEADER];
    match fs::File::open(beside(ledger, "-wal")).and_then(|mut log| log.read_exact(&mut header)) {
        Ok(()) if is_log(&header) => None,
        Ok(()) => Some("the head of its log is garbled, so that what the log held is gone"),
        Err(_) if beside(ledger, "-shm").exists() => {
            Some("its log is gone, with what was not in the ledger yet")
        }
        Err(_) => None,
    }
}

/// Whether a log's header has the checksum that it names: without it SQLite takes the log for none.
/// Source: SQLite's file format, 4.1 and 4.2.
fn is_log(header: &[u8; HEADER]) -> bool {
    let words = header.chunks_exact(4).map(|word| <[u8; 4]>::try_from(word).unwrap_or_default());
    let big: Vec<u32> = words.clone().map(u32::from_be_bytes).collect();
    let summed: Vec<u32> = match big.first() {
        Some(0x377f_0683) => big.clone(),
        Some(0x377f_0682) => words.map(u32::from_le_bytes).collect(),
        _ => return false,
    };
    let (mut first, mut second) = (0_u32, 0_u32);
    for pair in summed.iter().take(6).collect::<Vec<_>>().chunks_exact(2) {
        let [one, other] = pair else { return false };
        first = first.wrapping_add(**one).wrapping_add(second);
        second = second.wrapping_add(**other).wrapping_add(first);
    }
    big.get(6..8) == Some(&[first, second])
}

/// The newest copy, where it was made of a ledger as it was written since an instant, and holds what that does not.
/// One that was made before says nothing: somebody may have put an older ledger in the place of that one.
pub(crate) fn behind(conn: &Connection, backups: &Backups, since: SystemTime) -> Option<String> {
    let copy = backups.list().ok()?.into_iter().next()?;
    let made = fs::metadata(backups.dir().join(&copy.name)).and_then(|about| about.modified()).ok()?;
    if made < since {
        return None;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let copied = Connection::open_with_flags(backups.dir().join(&copy.name), flags).ok()?;
    let asked = |pragma| copied.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    if (asked("application_id").ok()?, asked("user_version").ok()?) != (APPLICATION_ID, SCHEMA_VERSION) {
        return None;
    }
    let behind = replaced(conn)? <= replaced(&copied)?
        && (times(conn, SAID).ok()? < times(&copied, SAID).ok()? || counted_less(conn, &copied)?);
    behind.then_some(copy.name)
}

/// How often another took the ledger's place: that one rightly holds less than copies of before.
fn replaced(conn: &Connection) -> Option<i64> {
    let sql = "SELECT count(*) FROM gap WHERE reason IN (?1, ?2)";
    let reasons = [GapReason::LedgerRestored.as_str(), GapReason::LedgerDamaged.as_str()];
    conn.query_row(sql, reasons, |row| row.get(0)).ok()
}

/// Whether a ledger has less usage of some SIM than another. What was counted is never less again, whatever the clock says
/// and however entries are dated, folded and summed; what was imported may be taken out.
fn counted_less(conn: &Connection, than: &Connection) -> Option<bool> {
    let mut sims = than.prepare("SELECT iccid FROM sim").ok()?;
    let mut sims = sims.query_map([], |row| row.get::<_, String>(0)).ok()?;
    sims.try_fold(false, |less, iccid| {
        let iccid = iccid.ok()?.parse().ok()?;
        Some(less || counted(conn, &iccid)? < counted(than, &iccid)?)
    })
}

fn counted(conn: &Connection, iccid: &Iccid) -> Option<i128> {
    let dated = sums(conn, iccid, i64::MIN, i64::MAX).ok()?;
    let dated = dated.iter().filter(|(_, source, _)| *source != Source::Import);
    let dated = dated.map(|(_, _, volume)| i128::from(volume.rx) + i128::from(volume.tx)).sum::<i128>();
    let sql = "SELECT ifnull(sum(rx_bytes), 0), ifnull(sum(tx_bytes), 0) FROM usage_undated WHERE iccid = ?1";
    let both = |row: &Row<'_>| Ok(i128::from(row.get::<_, i64>(0)?) + i128::from(row.get::<_, i64>(1)?));
    Some(dated + conn.query_row(sql, [iccid.as_str()], both).ok()?)
}

/// Counts the commits that say more than what was counted.
const SAID: &str = "commits_said";

/// Usage is known by its sum, which a commit of every few minutes need not write anew.
pub(crate) fn is_of_counting(change: &Change) -> bool {
    match change {
        Change::KeepSim(_)
        | Change::OpenEpoch(_)
        | Change::KeepSession(_)
        | Change::SetBaseline(_)
        | Change::DropBaseline { .. }
        | Change::AddUsage(_)
        | Change::DateEntries { .. }
        | Change::DateEarlierBoots { .. } => true,
        Change::AppendGap(_)
        | Change::AppendCorrection(_)
        | Change::AppendObservation(_)
        | Change::KeepReminder(_)
        | Change::KeepDelivery(_)
        | Change::KeepSmsDigest { .. }
        | Change::KeepScheduleMark { .. }
        | Change::KeepFirstUse { .. }
        | Change::KeepCall(_)
        | Change::KeepSms(_)
        | Change::KeepMemory { .. }
        | Change::AppendPluginDecision(_)
        | Change::KeepDecision { .. }
        | Change::KeepAction(_)
        | Change::KeepModem(_) => false,
    }
}

/// This commit says something.
pub(crate) fn says(conn: &Connection) -> rusqlite::Result<()> {
    count_up(conn, SAID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_known_by_its_checksum() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x)").unwrap();
        let log = fs::read(beside(&path, "-wal")).unwrap();
        let mut header: [u8; HEADER] = log[..HEADER].try_into().unwrap();
        assert!(is_log(&header));
        header[17] ^= 1;
        assert!(!is_log(&header));
        assert!(!is_log(&[0; HEADER]));
    }
}
