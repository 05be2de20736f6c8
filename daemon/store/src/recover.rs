//! A damaged ledger is set aside, whole, and another takes its place: the last copy that is good, or an empty one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use simbell_core::time::Timestamp;

use crate::access::Access;
use crate::backup::{self, BackupError, sync_directory};
use crate::backups::Backups;
use crate::failure::ErrorKind;
use crate::lock::{WriterLock, beside};
use crate::lost::{behind, log_trouble};
use crate::migrate::{APPLICATION_ID, SCHEMA_VERSION, missing_column};
use crate::open::{OpenError, Store, look, take_lock};
use crate::options::StoreOptions;
use crate::probe::Found;
use crate::readable::unreadable;

/// How far a ledger is to be believed before it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// As far as its own signs of trouble go.
    None,
    /// Every page, and what its rows say, is looked at first.
    Look,
    /// It is known to be damaged; how.
    Damaged(String),
}

/// What was done about a damaged ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// What was wrong with it.
    pub why: String,
    /// Where it lies now, with what its log held beside it; an empty file where it was gone. None where it goes on itself:
    /// all that is wrong are rows that cannot be read, there is no good copy, and beginning anew would lose the others too.
    pub aside: Option<PathBuf>,
    /// The copy that took its place; an empty ledger where none.
    pub from: Option<String>,
    /// Newer copies that are damaged too, and how.
    pub damaged_copies: Vec<(String, String)>,
    /// It goes on itself, and all that it still holds can be read: what it lost is its log.
    pub log_lost: bool,
}

impl Store {
    /// As [`Store::open`]; a damaged ledger is set aside (`PATH.damaged-TIME`), and the newest good copy takes its place.
    /// `now` is for the name alone.
    ///
    /// # Errors
    /// As [`Store::open`], and when the ledger cannot be set aside; it is then where it was.
    pub fn open_or_recover(
        path: &Path,
        options: &StoreOptions,
        backups: &Backups,
        doubt: &Doubt,
        now: Timestamp,
    ) -> Result<(Self, Option<Recovery>), OpenError> {
        // A file that no service ever held open may be anybody's.
        let ours = beside(path, "-lock").exists();
        let unclosed = WriterLock::writing_since(path);
        // Before anything is opened, which would begin another log.
        let log = log_trouble(path);
        let opened = match blank(path, options, backups)? {
            Some(how) => Err(OpenError::Damaged {
                path: path.to_owned(),
                detail: format!("it is {how}, and copies of it are not"),
            }),
            None => Self::open_and_look(path, options, *doubt == Doubt::Look || log.is_some()),
        };
        let Trouble { why, rows_only } = match opened {
            Ok(store) => match (doubt, store.trouble(*doubt == Doubt::Look)) {
                (Doubt::Damaged(why), _) => Trouble { why: why.clone(), rows_only: false },
                (_, Some(trouble)) => trouble,
                (_, None) => match (unclosed.and_then(|since| behind(&store.conn, backups, since)), log) {
                    (Some(copy), log) => {
                        let log = log.map(|log| format!("{log}; ")).unwrap_or_default();
                        Trouble { why: format!("{log}its copy {copy} holds more"), rows_only: false }
                    }
                    (None, Some(log)) => {
                        let (why, damaged_copies) = (log.to_owned(), Vec::new());
                        let lost = Recovery { why, aside: None, from: None, damaged_copies, log_lost: true };
                        return Ok((store, Some(lost)));
                    }
                    (None, None) => return Ok((store, None)),
                },
            },
            Err(OpenError::Damaged { detail, .. }) => Trouble { why: detail, rows_only: false },
            Err(OpenError::Foreign { .. }) if ours => {
                Trouble { why: "its header is not that of a ledger".to_owned(), rows_only: false }
            }
            Err(error) => return Err(error),
        };
        let (aside, from, damaged_copies) = replace_by_copies(path, backups, rows_only, now)?;
        let store = Self::open(path, options)?;
        Ok((store, Some(Recovery { why, aside, from, damaged_copies, log_lost: false })))
    }

    /// Puts a copy in the place of a ledger that nobody has open; the ledger is set aside (`PATH.replaced-TIME`).
    ///
    /// # Errors
    /// When the copy is damaged or of a newer version, or files cannot be moved: the ledger is then where it was.
    pub fn restore_copy(
        path: &Path,
        options: &StoreOptions,
        copy: &Path,
        now: Timestamp,
    ) -> Result<(Self, PathBuf), OpenError> {
        let lock = take_lock(path)?;
        let fresh = beside(path, ".new");
        // Whoever names a copy may want it in spite of a row that cannot be read.
        prepare(copy, &fresh, false)?;
        let aside = swap(path, Some(&fresh), "replaced", now).map_err(|source| OpenError::File {
            path: path.to_owned(),
            action: "set aside",
            source,
        })?;
        drop(lock);
        Ok((Self::open(path, options)?, aside))
    }

    /// Writes all that the ledger holds to a file of its own in the ledger's place, which somebody took the ledger from.
    /// What lies there by now is set aside (`PATH.replaced-TIME`). This one is to be dropped, and the ledger opened anew.
    ///
    /// # Errors
    /// When the copy cannot be made or put there.
    pub fn put_back(&self, now: Timestamp) -> Result<(), BackupError> {
        let path = self.path();
        let file = |source| BackupError::File { path: path.to_owned(), source };
        let fresh = beside(path, ".new");
        for suffix in ["", "-wal", "-shm", "-journal"] {
            remove(&beside(&fresh, suffix)).map_err(file)?;
        }
        backup::copy(&self.conn, &fresh)?;
        swap(path, Some(&fresh), "replaced", now).map_err(file)?;
        Ok(())
    }

    /// What is wrong with an open ledger, whose pages are in order; none when nothing was found.
    fn trouble(&self, rows_too: bool) -> Option<Trouble> {
        // What the service begins with must be readable.
        let boot = simbell_core::ident::BootId::new("0").ok()?;
        if let Err(error) = self.restore(&boot)
            && error.kind() == ErrorKind::Damaged
        {
            return Some(Trouble { why: error.to_string(), rows_only: false });
        }
        // What cannot be looked at now is met again.
        let why = rows_too.then(|| unreadable(&self.conn).ok().flatten()).flatten()?;
        Some(Trouble { why, rows_only: true })
    }
}

/// What is wrong with a ledger.
struct Trouble {
    why: String,
    /// It could go on, without some of its rows.
    rows_only: bool,
}

/// How there is nothing in a ledger although copies were made of it: some file systems leave one empty after a power cut,
/// or without its name. Without copies it is a ledger whose making was cut short. What its log may still hold would be
/// thrown away with the opening: SQLite believes no log beside an empty file.
fn blank(path: &Path, options: &StoreOptions, backups: &Backups) -> Result<Option<&'static str>, OpenError> {
    if backups.list().is_ok_and(|copies| copies.is_empty()) {
        return Ok(None);
    }
    Ok(match fs::metadata(path) {
        Ok(file) if file.len() == 0 => Some("empty"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some("gone"),
        Ok(file) if file.is_file() => {
            let _lock = take_lock(path)?;
            let access = if options.readers { Access::allowed(path) } else { Access::Alone };
            // Why it cannot be told is told by opening it.
            matches!(look(path, access), Ok(Found::Nothing)).then_some("without a table")
        }
        _ => None,
    })
}

type Replaced = (Option<PathBuf>, Option<String>, Vec<(String, String)>);

/// `or_none`: without a good copy the ledger stays where it is.
fn replace_by_copies(
    path: &Path,
    backups: &Backups,
    or_none: bool,
    now: Timestamp,
) -> Result<Replaced, OpenError> {
    let _lock = take_lock(path)?;
    let failed = |source| OpenError::File { path: path.to_owned(), action: "set aside", source };
    let fresh = beside(path, ".new");
    let mut damaged = Vec::new();
    // A directory that cannot be read holds nothing that helps.
    let copies = backups.list().unwrap_or_default();
    let mut first_that = |rows_too: bool| {
        for copy in &copies {
            match prepare(&backups.dir().join(&copy.name), &fresh, rows_too) {
                Ok(()) => return Ok(Some(copy.name.clone())),
                // A full disk is no reason to begin anew: it is told, and tried again.
                Err(error) if error.kind() == ErrorKind::Full => return Err(error),
                Err(error) if rows_too => damaged.push((copy.name.clone(), error.to_string())),
                Err(_) => {}
            }
        }
        Ok(None)
    };
    let mut from = first_that(true)?;
    if from.is_none() && or_none {
        return Ok((None, None, damaged));
    }
    if from.is_none() {
        // One with a row that cannot be read is better than none.
        from = first_that(false)?;
    }
    let aside = swap(path, from.is_some().then_some(fresh.as_path()), "damaged", now).map_err(failed)?;
    Ok((Some(aside), from, damaged))
}

/// Copies a copy to where it is renamed from, and looks through it; `rows_too`: at what its rows say as well. Where either
/// fails nothing is left, least of all on a disk that is full.
fn prepare(copy: &Path, fresh: &Path, rows_too: bool) -> Result<(), OpenError> {
    let done = prepare_at(copy, fresh, rows_too);
    if done.is_err() {
        // Why it failed is what is told.
        let _left = remove(fresh);
    }
    done
}

fn prepare_at(copy: &Path, fresh: &Path, rows_too: bool) -> Result<(), OpenError> {
    let file = |source| OpenError::File { path: copy.to_owned(), action: "copied", source };
    let damaged = |detail| OpenError::Damaged { path: copy.to_owned(), detail };
    for suffix in ["", "-wal", "-shm", "-journal"] {
        remove(&beside(fresh, suffix)).map_err(file)?;
    }
    fs::copy(copy, fresh).map_err(file)?;
    File::open(fresh).and_then(|file| file.sync_all()).map_err(file)?;
    let sqlite = |source: rusqlite::Error| match ErrorKind::of_sqlite(&source) {
        ErrorKind::Damaged => damaged(source.to_string()),
        _ => OpenError::Sqlite { path: copy.to_owned(), action: "checked", source },
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let conn = Connection::open_with_flags(fresh, flags).map_err(sqlite)?;
    let application: i32 =
        conn.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(sqlite)?;
    let version: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sqlite)?;
    if application != APPLICATION_ID || version < 1 {
        return Err(damaged("it is no copy of a ledger".to_owned()));
    }
    if version > SCHEMA_VERSION {
        return Err(OpenError::Newer { path: copy.to_owned(), found: version, known: SCHEMA_VERSION });
    }
    if version == SCHEMA_VERSION
        && let Some(column) = missing_column(&conn).map_err(sqlite)?
    {
        return Err(damaged(format!("{column} is missing")));
    }
    let first = match backup::check(&conn).map_err(sqlite)?.into_iter().next() {
        // Rows of before are read once they were brought up to date.
        None if rows_too && version == SCHEMA_VERSION => unreadable(&conn).map_err(sqlite)?,
        first => first,
    };
    first.map_or(Ok(()), |first| Err(damaged(first)))
}

/// Sets the ledger and its log aside under one name that nothing has, and puts `fresh` in its place. The ledger keeps its
/// own name until `fresh` takes it in one step; the log goes before, for it must never meet another file.
fn swap(ledger: &Path, fresh: Option<&Path>, word: &str, now: Timestamp) -> io::Result<PathBuf> {
    let stamp = now.to_utc().format("%Y%m%dT%H%M%SZ").to_string();
    let free = |name: &PathBuf| {
        ["", "-wal"].iter().all(|suffix| fs::symlink_metadata(beside(name, suffix)).is_err())
    };
    let aside = (0..1_000_u32)
        .map(|n| match n {
            0 => beside(ledger, &format!(".{word}-{stamp}")),
            n => beside(ledger, &format!(".{word}-{stamp}.{n}")),
        })
        .find(free)
        .ok_or(io::ErrorKind::AlreadyExists)?;
    for suffix in ["-wal", "-journal"] {
        let log = beside(ledger, suffix);
        match fs::hard_link(&log, beside(&aside, suffix)) {
            Ok(()) => remove(&log)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Without hard links a move does; a crash after it leaves the damaged ledger under its own name.
            Err(_) => fs::rename(&log, beside(&aside, suffix))?,
        }
    }
    match fresh {
        Some(fresh) => {
            if fs::hard_link(ledger, &aside).is_err() {
                set_aside(ledger, &aside)?;
            }
            sync_directory(ledger)?;
            fs::rename(fresh, ledger)?;
        }
        None => set_aside(ledger, &aside)?,
    }
    // The index is of the log that is gone.
    remove(&beside(ledger, "-shm"))?;
    sync_directory(ledger)?;
    Ok(aside)
}

/// One that is gone leaves an empty file, so that it is told of until somebody has looked.
fn set_aside(ledger: &Path, aside: &Path) -> io::Result<()> {
    match fs::rename(ledger, aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => File::create_new(aside).map(drop),
        done => done,
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_fails_half_way_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let fresh = dir.path().join("ledger.db.new");
        // Opens, and fails as it is read.
        let refused = prepare(Path::new("/proc/self/mem"), &fresh, true);
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert!(matches!(refused, Err(OpenError::File { action: "copied", .. })), "{refused:?}");
        assert_eq!(left, 0);
    }
}
