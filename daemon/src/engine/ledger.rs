//! The ledger as a file: copied while it is in use, replaced by a copy, and set aside where it is damaged.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use simbell_api::{Backup, ControlError, RestoreReply};
use simbell_core::effect::Change;
use simbell_core::event::Event;
use simbell_core::health::WarningCode;
use simbell_core::ledger::{Correction, Gap, GapReason};
use simbell_core::plugin::{Reconciled, reconciled};
use simbell_core::state::restored::Restored;
use simbell_core::time::Timestamp;
use simbell_core::voice::{CallEnd, CallRecord};
use simbell_store::{
    BackupError, Backups, Copy, Doubt, ErrorKind, KeptCorrection, Occasion, OpenError, QueryError, Recovery,
    Store, StoreOptions,
};
use tokio::sync::mpsc;

use super::request::Reply;
use super::{COMMIT_AGAIN, Engine};
use crate::control::Answer;
use crate::convert;

/// The ledger's daily copy comes so many days later for each of these bytes: flash is written 340 kB an hour at most.
const BYTES_A_DAY: u64 = 8 * 1024 * 1024;
/// A little less than a day, since one copy is never exactly a day after the other.
const ALMOST_A_DAY_MS: i64 = 23 * 3_600_000;
/// Free space that a copy must leave.
const LEAVE_FREE: u64 = 4 * 1024 * 1024;

/// Most that statements said of rows that cannot be read which is remembered.
const MOST_UNREADABLE: usize = 64;

/// What the engine knows of the ledger's file.
#[derive(Debug)]
pub(super) struct LedgerFile {
    pub(super) path: PathBuf,
    pub(super) options: StoreOptions,
    /// Where damage is told that was met beside the engine.
    pub(super) damage: mpsc::Sender<String>,
    /// It was found whole although a statement said otherwise.
    doubted: bool,
    /// What was wrong with it as it is in use now, to be said until somebody has read it.
    said: Option<String>,
    /// It goes on with rows that cannot be read; what statements said of them.
    unreadable: Option<BTreeSet<String>>,
    /// How often another took its place.
    pub(super) replaced: u32,
    copying: bool,
    copied: mpsc::Sender<()>,
    /// Ends of copies.
    pub(super) copies: mpsc::Receiver<()>,
    pub(super) damaged: mpsc::Receiver<String>,
}

impl LedgerFile {
    pub(super) fn new(path: &Path, options: StoreOptions) -> Self {
        let (damage, damaged) = mpsc::channel(1);
        let (copied, copies) = mpsc::channel(4);
        Self {
            path: path.to_owned(),
            options,
            damage,
            doubted: false,
            said: None,
            unreadable: None,
            replaced: 0,
            copying: false,
            copied,
            copies,
            damaged,
        }
    }

    /// A commit found it damaged: whatever it goes on with, it cannot be gone on with.
    pub(super) fn cannot_go_on(&mut self) {
        self.doubted |= self.unreadable.is_some();
    }

    fn backups(&self) -> Backups {
        let backups = Backups::of(&self.path);
        if self.unreadable.is_some() { backups.of_any_rows() } else { backups }
    }
}

/// Tells the engine where the ledger turns out to be damaged.
pub(super) fn watch<T>(
    damage: &mpsc::Sender<String>,
    result: Result<T, QueryError>,
) -> Result<T, QueryError> {
    if let Err(error) = &result
        && error.kind() == ErrorKind::Damaged
    {
        // One word of it is enough.
        let _told = damage.try_send(error.to_string());
    }
    result
}

/// Opens the ledger as the service begins.
///
/// # Errors
/// As [`Store::open_or_recover`].
pub fn open(
    path: &Path,
    options: &StoreOptions,
    now: Timestamp,
) -> Result<(Store, Option<Recovery>), OpenError> {
    let backups = Backups::of(path);
    let opened = Store::open_or_recover(path, options, &backups, &Doubt::None, now)?;
    if let Err(error) = backups.clear() {
        tracing::warn!(%error, "what a copy of the ledger that was cut short left cannot be removed");
    }
    Ok(opened)
}

impl Engine {
    /// What was found and done as the ledger was opened.
    pub(super) async fn begin_with_ledger(&mut self, recovery: Option<Recovery>) {
        self.note_mended();
        let lost = recovery.and_then(|recovery| match self.goes_on(&recovery) {
            true => recovery.log_lost.then_some("what the ledger's log held"),
            false => {
                log(&recovery);
                Some("what the ledger held since the copy that took its place")
            }
        });
        if let Some(lost) = lost {
            let at = self.stamp();
            self.backlog.changes.push(Change::AppendGap(Gap {
                iccid: None,
                from: self.state.newest(),
                until: at.trusted.then_some(at.wall),
                reason: GapReason::LedgerDamaged,
                detail: lost.to_owned(),
            }));
        }
        self.tell_of_damage().await;
    }

    /// What was wrong with an index is to be said.
    pub(super) fn note_mended(&mut self) {
        if let Some(why) = self.store.as_ref().and_then(|store| store.mended()) {
            self.ledger.said = Some(format!(
                "An index of the ledger was damaged ({why}) and was made anew of its table; nothing is missing. The disk may be \
                 failing: look into the kernel's log (dmesg). Once you have, `simbellctl reload`."
            ));
        }
    }

    /// Whether the ledger that lost its log, or cannot be read in full, goes on itself; then that is to be said.
    fn goes_on(&mut self, recovery: &Recovery) -> bool {
        if recovery.aside.is_some() {
            return false;
        }
        if recovery.log_lost {
            tracing::error!(why = recovery.why, "the ledger goes on with what it held before");
            self.ledger.said = Some(format!(
                "The service ended without closing its ledger, and {}. No copy of it holds more: what was counted and decided \
                 since the ledger was last written in full is missing, see the gap in `simbellctl usage`. Something took or \
                 changed {}-wal: it belongs to the ledger. Once you have looked into it, `simbellctl reload`.",
                recovery.why,
                self.ledger.path.display()
            ));
            return true;
        }
        for (name, how) in &recovery.damaged_copies {
            tracing::error!(name, how, "this copy of the ledger is damaged too");
        }
        tracing::error!(
            why = recovery.why,
            "there is no good copy of the ledger: it goes on with the rows that can be read"
        );
        self.ledger.unreadable.get_or_insert_default().insert(recovery.why.clone());
        self.ledger.said = Some(format!(
            "The ledger holds rows that cannot be read ({}), and there is no good copy of it: it goes on, and figures \
             that those rows are part of are not told. Once you have looked into it, `simbellctl reload`.",
            recovery.why
        ));
        true
    }

    /// Somebody has read what was said of the ledger.
    pub(super) async fn looked_into(&mut self) {
        self.ledger.said = None;
        self.tell_of_damage().await;
    }

    /// Says it as long as a damaged ledger lies there, and what was found since the last reload: nobody shall overlook it.
    pub(super) async fn tell_of_damage(&mut self) {
        let mut aside: Vec<String> = Vec::new();
        if let (Some(dir), Some(own)) = (self.ledger.path.parent(), self.ledger.path.file_name()) {
            let prefix = format!("{}.damaged-", own.to_string_lossy());
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
            aside.extend(names.filter(|name| name.starts_with(&prefix) && !name.ends_with("-wal")));
        }
        aside.sort();
        let text = (!aside.is_empty()).then(|| {
            format!(
                "The ledger was damaged and is set aside ({} in {}); the service went on from the last good copy, or \
                 anew. What only it knew is missing, see the gaps in `simbellctl usage`; what you decided about plugins may be \
                 older than you remember, see `simbellctl plugins`. `sqlite3 FILE .recover` may save \
                 its contents. Once you have looked into it, move the file away and `simbellctl reload`.",
                aside.join(", "),
                self.ledger.path.parent().unwrap_or(Path::new(".")).display()
            )
        });
        let said: Vec<String> = text.into_iter().chain(self.ledger.said.clone()).collect();
        let text = (!said.is_empty()).then(|| said.join(" "));
        self.report(WarningCode::LedgerDamaged, "", text).await;
    }

    /// What read the ledger beside the engine says that it is damaged.
    pub(super) async fn hear_of_damage(&mut self, why: String) {
        if let Some(known) = &mut self.ledger.unreadable {
            // Each question that meets such a row says so: the whole ledger is not looked through for each.
            if known.len() >= MOST_UNREADABLE || !known.insert(why.clone()) {
                return;
            }
        }
        self.recover(Some(why)).await;
        self.settle().await;
    }

    /// The ledger is said to be damaged, or is not open: looks into it, and goes on with another where it is. Tells
    /// whether there is a ledger now.
    pub(super) async fn recover(&mut self, why: Option<String>) -> bool {
        if let Some(why) = &why {
            tracing::error!("the ledger seems to be damaged: {why}");
        }
        let store = self.store.take();
        let doubt = match why {
            // It was whole when it was looked at, and a statement fails again.
            Some(why) if self.ledger.doubted => Doubt::Damaged(why),
            _ => Doubt::Look,
        };
        let (path, options, backups) =
            (self.ledger.path.clone(), self.ledger.options.clone(), self.ledger.backups());
        let now = self.stamp().wall;
        let opened = tokio::task::spawn_blocking(move || {
            drop(store);
            Store::open_or_recover(&path, &options, &backups, &doubt, now)
        })
        .await;
        match opened {
            Ok(Ok((store, None))) => {
                let mended = store.mended().is_some();
                self.store = Some(store);
                if mended {
                    self.note_mended();
                    self.figures_moved();
                } else {
                    tracing::info!("the ledger is whole");
                    self.ledger.doubted = true;
                }
                true
            }
            Ok(Ok((store, Some(recovery)))) if self.goes_on(&recovery) => {
                self.store = Some(store);
                self.figures_moved();
                true
            }
            Ok(Ok((store, Some(recovery)))) => {
                log(&recovery);
                (self.ledger.doubted, self.ledger.unreadable) = (false, None);
                self.store = Some(store);
                self.note_mended();
                self.rebase(GapReason::LedgerDamaged);
                // What comes of it is committed with the rest.
                let text = format!("The ledger was damaged ({}) and is set aside.", recovery.why);
                let fx = self.step(Event::HealthReported {
                    code: WarningCode::LedgerDamaged,
                    subject: String::new(),
                    text: Some(text),
                });
                self.backlog.then.push(fx);
                self.damage_untold = true;
                true
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "there is no ledger; it is tried again");
                self.commit_again = Some(tokio::time::Instant::now() + COMMIT_AGAIN);
                if !self.backlog.failing {
                    self.backlog.failing = true;
                    let fx = self.step(Event::CommitFailed(error.to_string()));
                    self.backlog.then.push(fx);
                }
                false
            }
            Err(panic) => {
                tracing::error!(%panic, "the ledger's task ended unexpectedly");
                self.stopping = true;
                false
            }
        }
    }

    /// The ledger says otherwise than before, or tells what is wrong with it: sums are asked of it anew, and the copy that was
    /// due, which may be what found it, is made.
    fn figures_moved(&mut self) {
        let fx = self.step(Event::HistoryChanged);
        self.backlog.then.push(fx);
        self.tidied_boot_ms = None;
        self.damage_untold = true;
    }

    /// Counts on from what another ledger holds. Gives what holds of plugins where it decided otherwise about them.
    fn rebase(&mut self, reason: GapReason) -> Option<String> {
        let store = self.store.as_ref()?;
        let ended = store.ended(self.state.sessions().map(|(session, _)| session));
        let found = store.restore(&self.boot).and_then(|found| Ok(Restored { ended: ended?, ..found }));
        let mut restored = match found {
            Ok(restored) => restored,
            Err(error) => {
                tracing::error!(%error, "the copy of the ledger cannot be read");
                return None;
            }
        };
        // Before anything is dated: what the other one said of the time to come is no reason any more.
        self.clock.set_newest(restored.newest);
        let links = match self.links.resync() {
            Ok(links) => links,
            Err(error) => {
                tracing::error!(%error, "the kernel's links cannot be listed");
                Vec::new()
            }
        };
        // What was counted and not committed is told again by the counters, since the copy's baselines; calls under way
        // by the state. An entry whose number the copy gave to another must not take its place, and digests made under
        // another key would name nobody.
        let same_key = self.state.party_key() == restored.party_key;
        self.backlog.changes.retain_mut(|change| match change {
            Change::AddUsage(_)
            | Change::SetBaseline(_)
            | Change::DropBaseline { .. }
            | Change::OpenEpoch(_)
            | Change::KeepSession(_)
            | Change::DateEntries { .. }
            | Change::DateEarlierBoots { .. } => false,
            Change::KeepCall(call) => {
                call.party = call.party.take().filter(|_| same_key);
                let same = |other: &CallRecord| other.id == call.id && other.boot == call.boot;
                let known = restored.open_calls.iter().position(same);
                let over = !matches!(call.end, CallEnd::Open(_));
                if over && let Some(known) = known {
                    restored.open_calls.remove(known);
                }
                over && (known.is_some() || call.id >= restored.next_call)
            }
            Change::KeepSms(sms) => {
                sms.party = sms.party.take().filter(|_| same_key);
                let kept = sms.id >= restored.next_sms;
                restored.counted_sms.extend(sms.digest.clone().filter(|_| kept));
                kept
            }
            // Those that the state knows it gives anew.
            Change::AppendObservation(_) => false,
            // What it takes back has to be that entry in the copy too.
            Change::AppendCorrection(Correction { undoes: Some(id), iccid, at, bytes, .. }) => {
                let taken_back = |kept: &KeptCorrection| {
                    let of = &kept.correction;
                    kept.undone_by.is_none()
                        && (&of.iccid, of.at, of.bytes.checked_neg()) == (iccid, *at, Some(*bytes))
                };
                let known = store.correction(*id).ok().flatten().is_some_and(|kept| taken_back(&kept));
                if !known {
                    tracing::error!(
                        id,
                        "a correction that waited to be taken back is not in the copy of the ledger"
                    );
                }
                known
            }
            _ => true,
        });
        self.ledger.replaced = self.ledger.replaced.wrapping_add(1);
        let plugins = reconciled(self.state.plugins(), &restored.plugin_decisions, self.stamp().wall);
        let fx = self.step(Event::LedgerReplaced { restored: Box::new(restored), links, reason });
        self.backlog.then.push(fx);
        self.tidied_boot_ms = None;
        self.plugins_moved |= !plugins.back.is_empty();
        let note = decided(&plugins);
        if let Some(note) = &note {
            tracing::warn!("{note}");
        }
        note
    }

    /// The daily copy, where it is due.
    pub(super) fn copy_if_due(&mut self) {
        let at = self.stamp();
        if self.ledger.copying || !at.trusted {
            return;
        }
        let size = std::fs::metadata(&self.ledger.path).map_or(0, |metadata| metadata.len());
        let days = i64::try_from(size / BYTES_A_DAY).unwrap_or(i64::MAX).saturating_add(1);
        let newest = self.ledger.backups().list().unwrap_or_default();
        let newest = newest.iter().find(|copy| copy.occasion == Occasion::Daily).map(|copy| copy.made);
        let due = newest.is_none_or(|made| {
            at.wall.since(made).as_millis() >= days.saturating_mul(ALMOST_A_DAY_MS) || made > at.wall
        });
        if self.history.backups == 0 || !due {
            return;
        }
        if free_bytes(&self.ledger.path).is_some_and(|free| free < size.saturating_add(LEAVE_FREE)) {
            tracing::warn!("there is no room for the ledger's daily copy; free some space");
            return;
        }
        let keep = usize::try_from(self.history.backups).unwrap_or(usize::MAX);
        self.copy(Occasion::Daily, Some(keep), None);
    }

    pub(super) fn create_backup(&mut self, reply: Reply<Backup>) {
        if self.ledger.copying {
            // A caller that has gone away needs no answer.
            let _ = reply.send(Err(busy()));
            return;
        }
        self.copy(Occasion::Asked, None, Some(reply));
    }

    /// Makes a copy beside everything else, or, where the file system allows but one connection, at once.
    fn copy(&mut self, occasion: Occasion, keep: Option<usize>, reply: Option<Reply<Backup>>) {
        let (backups, now) = (self.ledger.backups(), self.stamp().wall);
        let damage = self.ledger.damage.clone();
        let zone = self.state.settings().zone.clone();
        let finish = move |result: Result<Copy, BackupError>, backups: &Backups| {
            if let (Ok(_), Some(keep)) = (&result, keep)
                && let Err(error) = backups.thin(keep)
            {
                tracing::warn!(%error, "an old copy of the ledger cannot be removed");
            }
            match &result {
                Ok(copy) => tracing::info!(name = copy.name, "the ledger was copied"),
                Err(error) => {
                    tracing::error!(%error, "the ledger was not copied");
                    if matches!(error, BackupError::Damaged { .. }) {
                        let _told = damage.try_send(error.to_string());
                    }
                }
            }
            if let Some(reply) = reply {
                let _ = reply.send(result.map(|copy| shown(&copy, &zone)).map_err(|error| failed(&error)));
            }
        };
        match (self.reader(), &self.store) {
            (Some(reader), _) => {
                self.ledger.copying = true;
                let copied = self.ledger.copied.clone();
                tokio::task::spawn_blocking(move || {
                    finish(reader.copy_to(&backups, occasion, now), &backups);
                    let _gone = copied.blocking_send(());
                });
            }
            (None, Some(store)) => finish(store.copy_to(&backups, occasion, now), &backups),
            (None, None) => {}
        }
    }

    pub(super) fn copy_ended(&mut self) {
        self.ledger.copying = false;
    }

    pub(super) fn list_backups(&self) -> Answer<Vec<Backup>> {
        let copies = self.ledger.backups().list();
        let zone = &self.state.settings().zone;
        let copies =
            copies.map_err(|error| convert::internal(&format!("the copies cannot be listed: {error}")))?;
        Ok(copies.iter().map(|copy| shown(copy, zone)).collect())
    }

    pub(super) async fn restore_backup(&mut self, name: &str) -> Answer<RestoreReply> {
        let shown: String = name.chars().take(80).collect();
        let found =
            self.ledger.backups().find(name).ok().flatten().ok_or_else(|| ControlError::UnknownEntry {
                message: format!("there is no copy of the ledger called {shown:?}"),
                hint: "`simbellctl backup list` lists them".to_owned(),
            })?;
        if self.ledger.copying {
            return Err(busy());
        }
        // All that is known goes into the ledger that is set aside.
        self.fresh().await;
        self.flush().await;
        let store = self.store.take();
        let (path, options, now) = (self.ledger.path.clone(), self.ledger.options.clone(), self.stamp().wall);
        let restored = tokio::task::spawn_blocking(move || {
            drop(store);
            match Store::restore_copy(&path, &options, &found, now) {
                Ok(done) => Ok(done),
                Err(error) => Err(Box::new((error, Store::open(&path, &options)))),
            }
        })
        .await
        .map_err(|panic| convert::internal(&format!("the ledger's task ended unexpectedly: {panic}")))?;
        match restored {
            Ok((store, aside)) => {
                tracing::warn!(name = shown, "a copy of the ledger took its place, as asked");
                self.store = Some(store);
                self.ledger.unreadable = None;
                self.note_mended();
                let note = self.rebase(GapReason::LedgerRestored);
                self.settle().await;
                self.committed()?;
                let aside = aside.file_name().map(|name| name.to_string_lossy().into_owned());
                Ok(RestoreReply { name: shown, set_aside: aside.unwrap_or_default(), note })
            }
            Err(failed) => {
                let (error, reopened) = *failed;
                self.store = reopened.ok();
                let message = format!("this copy cannot take the ledger's place: {error}");
                let as_it_was = "the ledger is as it was";
                Err(match error.kind() {
                    // No matter of the copy: another one would fail as well.
                    ErrorKind::Full | ErrorKind::ReadOnly | ErrorKind::Io => {
                        let hint = format!("{as_it_was}; free or mend the disk of the state directory");
                        ControlError::LedgerNotWritable { message, hint }
                    }
                    _ => ControlError::Refused { message, hint: format!("choose another copy; {as_it_was}") },
                })
            }
        }
    }
}

/// What holds of plugins that the copy decided otherwise about.
fn decided(plugins: &Reconciled) -> Option<String> {
    let kept = (!plugins.kept.is_empty()).then(|| {
        format!("What was decided about plugins since the copy stays in force: {}.", plugins.kept.join(", "))
    });
    let back = (!plugins.back.is_empty()).then(|| {
        format!("What the copy decided about plugins is in force again: {}.", plugins.back.join(", "))
    });
    let said: Vec<String> = kept.into_iter().chain(back).collect();
    (!said.is_empty()).then(|| format!("{} `simbellctl plugins` shows them.", said.join(" ")))
}

fn log(recovery: &Recovery) {
    for (name, how) in &recovery.damaged_copies {
        tracing::error!(name, how, "this copy of the ledger is damaged too");
    }
    tracing::error!(
        why = recovery.why,
        aside = %recovery.aside.as_deref().unwrap_or(Path::new("")).display(),
        from = recovery.from.as_deref().unwrap_or("nothing: it begins anew"),
        "the ledger was damaged and is set aside; the service goes on"
    );
}

fn shown(copy: &Copy, zone: &simbell_core::zone::ZoneRules) -> Backup {
    Backup {
        name: copy.name.clone(),
        made: zone.rfc3339(copy.made),
        bytes: copy.bytes,
        occasion: match copy.occasion {
            Occasion::Daily => "daily".to_owned(),
            Occasion::Asked => "asked".to_owned(),
        },
    }
}

fn failed(error: &BackupError) -> ControlError {
    ControlError::LedgerNotWritable {
        message: format!("the ledger was not copied: {error}"),
        hint: match error.kind() {
            ErrorKind::Full => "free some space, and ask for it again".to_owned(),
            kind => kind.hint().to_owned(),
        },
    }
}

fn busy() -> ControlError {
    ControlError::Busy {
        message: "a copy of the ledger is being made".to_owned(),
        hint: "try again in a moment".to_owned(),
    }
}

fn free_bytes(path: &Path) -> Option<u64> {
    let system = rustix::fs::statvfs(path.parent()?).ok()?;
    Some(system.f_bavail.saturating_mul(system.f_frsize))
}
