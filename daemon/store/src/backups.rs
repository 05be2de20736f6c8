//! Copies of the ledger in a directory beside it, named by when they were made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDateTime;
use simbell_core::time::Timestamp;

use crate::backup::{self, BackupError};
use crate::open::Store;
use crate::reader::Reader;

const FORM: &str = "%Y%m%dT%H%M%SZ";

/// Who asked for a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// The service's own daily habit; old ones make way.
    Daily,
    /// A person; kept until a person removes it.
    Asked,
}

/// A copy of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Its name, such as `daily-20261123T040000Z.db`.
    pub name: String,
    /// Who asked for it.
    pub occasion: Occasion,
    /// When it was made, by the wall clock of then.
    pub made: Timestamp,
    /// Its size.
    pub bytes: u64,
}

/// The directory of a ledger's copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backups {
    dir: PathBuf,
    /// Whether a copy may have rows that cannot be read.
    any_rows: bool,
}

impl Backups {
    /// Of the ledger at `ledger`: `backups` beside it.
    #[must_use]
    pub fn of(ledger: &Path) -> Self {
        Self { dir: ledger.with_file_name("backups"), any_rows: false }
    }

    /// The same, but copies are made of rows that cannot be read as well: of a ledger that goes on with them, better such
    /// a copy than none.
    #[must_use]
    pub fn of_any_rows(self) -> Self {
        Self { any_rows: true, ..self }
    }

    /// Where they lie.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every copy, newest first. Other files in the directory are passed over.
    ///
    /// # Errors
    /// When the directory cannot be read; one that is not there holds none.
    pub fn list(&self) -> io::Result<Vec<Copy>> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut copies = Vec::new();
        for entry in entries {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let Some((occasion, made, number)) = understand(&name) else { continue };
            // A link is none of ours: what it leads to may lie anywhere.
            let metadata = fs::symlink_metadata(entry.path())?;
            if metadata.is_file() {
                copies.push((number, Copy { name, occasion, made, bytes: metadata.len() }));
            }
        }
        copies.sort_by(|(first, one), (second, other)| {
            (other.made, second, &other.name).cmp(&(one.made, first, &one.name))
        });
        Ok(copies.into_iter().map(|(_, copy)| copy).collect())
    }

    /// The path of the copy with this name: only one that [`Backups::list`] gives, whatever the name says.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn find(&self, name: &str) -> io::Result<Option<PathBuf>> {
        Ok(self.list()?.into_iter().find(|copy| copy.name == name).map(|copy| self.dir.join(copy.name)))
    }

    /// Removes all but the newest `keep` daily copies, and what a copy that was cut short left behind. Those that were
    /// asked for stay. Not to be called while a copy is made.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn thin(&self, keep: usize) -> io::Result<()> {
        let daily = self.list()?.into_iter().filter(|copy| copy.occasion == Occasion::Daily);
        for copy in daily.skip(keep) {
            fs::remove_file(self.dir.join(copy.name))?;
        }
        self.clear()
    }

    /// Removes what copies that were cut short left behind. Not to be called while a copy is made.
    ///
    /// # Errors
    /// When one cannot be removed; without the directory there is none.
    pub fn clear(&self) -> io::Result<()> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let unfinished = name.to_str().map(|name| name.strip_suffix("-journal").unwrap_or(name));
            let unfinished = unfinished.and_then(|name| name.strip_suffix(".part"));
            if unfinished.is_some_and(|name| understand(name).is_some()) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn begin(&self, occasion: Occasion, now: Timestamp) -> Result<(String, PathBuf), BackupError> {
        let file = |source| BackupError::File { path: self.dir.clone(), source };
        if !self.dir.is_dir() {
            fs::create_dir(&self.dir).map_err(file)?;
        }
        let word = match occasion {
            Occasion::Daily => "daily",
            Occasion::Asked => "asked",
        };
        let stamp = now.to_utc().format(FORM).to_string();
        let names = (0..1_000_u32).map(|n| match n {
            0 => format!("{word}-{stamp}.db"),
            n => format!("{word}-{stamp}.{n}.db"),
        });
        for name in names {
            let path = self.dir.join(&name);
            if fs::symlink_metadata(&path).is_err() {
                return Ok((name, path));
            }
        }
        Err(file(io::Error::from(io::ErrorKind::AlreadyExists)))
    }

    fn made(&self, name: &str) -> Result<Copy, BackupError> {
        let file = |source| BackupError::File { path: self.dir.join(name), source };
        let found = self.list().map_err(file)?.into_iter().find(|copy| copy.name == name);
        found.ok_or_else(|| file(io::Error::from(io::ErrorKind::NotFound)))
    }
}

/// Copies made on the writer's connection or beside it.
macro_rules! copies {
    ($type:ty) => {
        impl $type {
            /// Makes a copy, looks through it page by page, and only then gives it its name. The ledger may be written
            /// meanwhile (by its writer, where this is a reader): the copy is of one instant.
            ///
            /// # Errors
            /// When it cannot be made. [`BackupError::Damaged`] is about the ledger: its copy has the same damage.
            pub fn copy_to(
                &self,
                backups: &Backups,
                occasion: Occasion,
                now: Timestamp,
            ) -> Result<Copy, BackupError> {
                let (name, path) = backups.begin(occasion, now)?;
                backup::copy_checked(&self.conn, &path, !backups.any_rows)?;
                backups.made(&name)
            }
        }
    };
}

copies!(Store);
copies!(Reader);

/// Who asked for it, when, and which of that second's it is.
fn understand(name: &str) -> Option<(Occasion, Timestamp, u32)> {
    let (word, rest) = name.strip_suffix(".db")?.split_once('-')?;
    let occasion = match word {
        "daily" => Occasion::Daily,
        "asked" => Occasion::Asked,
        _ => return None,
    };
    let (stamp, number) = rest.split_once('.').unwrap_or((rest, "0"));
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric());
    let number = number.parse().ok().filter(|_| plain(stamp))?;
    let at = NaiveDateTime::parse_from_str(stamp, FORM).ok()?;
    Some((occasion, Timestamp::from_millis(at.and_utc().timestamp_millis()), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_own_making_are_understood() {
        let at = Timestamp::from_secs(1_793_491_200);
        assert_eq!(understand("daily-20261101T000000Z.db"), Some((Occasion::Daily, at, 0)));
        assert_eq!(understand("asked-20261101T000000Z.2.db"), Some((Occasion::Asked, at, 2)));
        for other in [
            "daily-20261101T000000Z.db.part",
            "daily-../../etc/passwd.db",
            "../daily-20261101T000000Z.db",
            "ledger.db",
            "daily-20261399T000000Z.db",
            "",
        ] {
            assert_eq!(understand(other), None, "{other}");
        }
    }
}
