//! Changes, made in one transaction.

use rusqlite::{Connection, ErrorCode, params};
use simbell_core::effect::{Change, SimRecord};
use simbell_core::ledger::{Baseline, Epoch, Gap, Session};
use simbell_core::reminder::{Delivery, Reminder};

use crate::carrier;
use crate::decision;
use crate::failure::ErrorKind;
use crate::lost;
use crate::open::Store;
use crate::plugins;
use crate::prune;
use crate::rollup::Mark;
use crate::rows::{state_columns, word};
use crate::slots::{add_usage, date_earlier_boots, date_entries};
use crate::voice;
use crate::wishes;
use crate::{rollup, slots};

/// What the commit of usage asks for, every few minutes: never prepared anew for the little memory that it takes.
pub(crate) const OF_USAGE: [&str; 6] =
    [BEGIN, rollup::FIND_MARK, slots::ADD_DATED, SET_BASELINE, FOLLOW_SESSION, COMMIT];

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";

/// Why changes were not made. None of them was: the same changes may be given again.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A figure, or a sum with what is there already, does not fit into 63 bits.
    #[error("{figure} of change {index} ({change}) does not fit into the ledger ({hint})",
        hint = ErrorKind::Overflow.hint())]
    Overflow {
        /// Which change, counted from 0: without it the others can be made.
        index: usize,
        /// Its kind.
        change: &'static str,
        /// Which figure.
        figure: &'static str,
    },
    /// A value has no form in the ledger.
    #[error("change {index} ({change}) cannot be written: {source} ({hint})", hint = ErrorKind::Internal.hint())]
    Encode {
        /// Which change, counted from 0.
        index: usize,
        /// Its kind.
        change: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// SQLite failed.
    #[error("the ledger cannot be written: {source} ({hint})", hint = ErrorKind::of_sqlite(source).hint())]
    Sqlite {
        /// Which change, counted from 0; none for the beginning and the end of the transaction.
        index: Option<usize>,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl ApplyError {
    /// The kind, for programs.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Overflow { .. } => ErrorKind::Overflow,
            Self::Encode { .. } => ErrorKind::Internal,
            Self::Sqlite { source, .. } => ErrorKind::of_sqlite(source),
        }
    }

    /// The change that can never be made, whatever becomes of the disk, counted from 0: without it the others can.
    #[must_use]
    pub fn impossible(&self) -> Option<usize> {
        match self {
            Self::Overflow { index, .. } | Self::Encode { index, .. } => Some(*index),
            Self::Sqlite { index, source } => {
                index.filter(|_| source.sqlite_error_code() == Some(ErrorCode::ConstraintViolation))
            }
        }
    }
}

impl Store {
    /// Makes all `changes` in one transaction, in order. When it returns they are on the disk, as far as
    /// [`crate::StoreOptions::synchronous`] says. No changes, no write.
    ///
    /// # Errors
    /// When one of them cannot be made; then none is.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), ApplyError> {
        if changes.is_empty() {
            return Ok(());
        }
        let whole = |source| ApplyError::Sqlite { index: None, source };
        self.settle().map_err(whole)?;
        let tx = Whole::begin(&self.conn).map_err(whole)?;
        let mark = Mark::default();
        for (index, change) in changes.iter().enumerate() {
            make(tx.0, change, &mark).map_err(|failure| failure.of_change(index, kind_of(change)))?;
        }
        prune::hold_caps(tx.0, changes).map_err(whole)?;
        if !changes.iter().all(lost::is_of_counting) {
            lost::says(tx.0).map_err(whole)?;
        }
        tx.commit().map_err(whole)?;
        self.lock.writes();
        Ok(())
    }
}

/// A transaction, taken back unless it is committed. Unlike rusqlite's it begins and ends by statements that are prepared
/// once: SQLite's compiler is most of the code that a commit would run otherwise.
struct Whole<'a>(&'a Connection);

impl<'a> Whole<'a> {
    fn begin(conn: &'a Connection) -> rusqlite::Result<Self> {
        conn.prepare_cached(BEGIN)?.execute([])?;
        Ok(Self(conn))
    }

    fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached(COMMIT)?.execute([])?;
        Ok(())
    }
}

impl Drop for Whole<'_> {
    fn drop(&mut self) {
        // After some failures SQLite has taken it back itself.
        if !self.0.is_autocommit()
            && let Err(error) = self.0.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction of the ledger cannot be taken back");
        }
    }
}

/// Why one change was not made.
pub(crate) enum Failure {
    Overflow(&'static str),
    Encode(serde_json::Error),
    Sqlite(rusqlite::Error),
}

impl Failure {
    fn of_change(self, index: usize, change: &'static str) -> ApplyError {
        match self {
            Self::Overflow(figure) => ApplyError::Overflow { index, change, figure },
            Self::Encode(source) => ApplyError::Encode { index, change, source },
            Self::Sqlite(source) => ApplyError::Sqlite { index: Some(index), source },
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Encode(error)
    }
}

pub(crate) type Made = Result<(), Failure>;

fn make(tx: &Connection, change: &Change, mark: &Mark) -> Made {
    match change {
        Change::KeepSim(sim) => keep_sim(tx, sim),
        Change::OpenEpoch(epoch) => open_epoch(tx, epoch),
        Change::KeepSession(session) => keep_session(tx, session),
        Change::SetBaseline(baseline) => set_baseline(tx, baseline),
        Change::DropBaseline { counter } => {
            run(tx, "DELETE FROM baseline WHERE counter = ?1", params![counter])
        }
        Change::AddUsage(slot) => add_usage(tx, slot, mark),
        Change::AppendGap(gap) => append_gap(tx, gap),
        Change::AppendCorrection(correction) => carrier::append_correction(tx, correction),
        Change::AppendObservation(observation) => carrier::append_observation(tx, observation),
        Change::DateEntries { boot, offset_ms } => {
            date_entries(tx, boot, *offset_ms)?;
            voice::date(tx, boot, *offset_ms)
        }
        Change::DateEarlierBoots { boot, before, after } => date_earlier_boots(tx, boot, *before, *after),
        Change::KeepReminder(reminder) => keep_reminder(tx, reminder),
        Change::KeepDelivery(delivery) => keep_delivery(tx, delivery),
        Change::KeepSmsDigest { digest, at } => {
            run(tx, "INSERT OR REPLACE INTO sms_digest VALUES (?1, ?2)", params![digest, at.as_millis()])
        }
        Change::KeepScheduleMark { key, served } => {
            run(tx, "INSERT OR REPLACE INTO schedule_mark VALUES (?1, ?2)", params![key, served.as_millis()])
        }
        Change::KeepFirstUse { iccid, plan, at } => run(
            tx,
            "INSERT OR REPLACE INTO first_use VALUES (?1, ?2, ?3)",
            params![iccid.as_str(), plan, at.as_millis()],
        ),
        Change::KeepCall(call) => voice::keep_call(tx, call),
        Change::KeepSms(sms) => voice::keep_sms(tx, sms),
        Change::KeepMemory { rule, memory } => wishes::keep_memory(tx, rule, memory),
        Change::AppendPluginDecision(decision) => plugins::append(tx, decision),
        Change::KeepDecision { reminder, decision } => decision::keep(tx, reminder, decision),
        Change::KeepAction(record) => wishes::keep_action(tx, record),
        Change::KeepModem(modem) => wishes::keep_modem(tx, modem),
    }
}

/// The kind of a change, for a line of the log.
#[must_use]
pub const fn kind_of(change: &Change) -> &'static str {
    match change {
        Change::KeepSim(_) => "keep-sim",
        Change::OpenEpoch(_) => "open-epoch",
        Change::KeepSession(_) => "keep-session",
        Change::SetBaseline(_) => "set-baseline",
        Change::DropBaseline { .. } => "drop-baseline",
        Change::AddUsage(_) => "add-usage",
        Change::AppendGap(_) => "append-gap",
        Change::AppendCorrection(_) => "append-correction",
        Change::AppendObservation(_) => "append-observation",
        Change::DateEntries { .. } => "date-entries",
        Change::DateEarlierBoots { .. } => "date-earlier-boots",
        Change::KeepReminder(_) => "keep-reminder",
        Change::KeepDelivery(_) => "keep-delivery",
        Change::KeepSmsDigest { .. } => "keep-sms-digest",
        Change::KeepScheduleMark { .. } => "keep-schedule-mark",
        Change::KeepFirstUse { .. } => "keep-first-use",
        Change::KeepCall(_) => "keep-call",
        Change::KeepSms(_) => "keep-sms",
        Change::KeepMemory { .. } => "keep-memory",
        Change::AppendPluginDecision(_) => "append-plugin-decision",
        Change::KeepDecision { .. } => "keep-decision",
        Change::KeepAction(_) => "keep-action",
        Change::KeepModem(_) => "keep-modem",
    }
}

pub(crate) fn run(tx: &Connection, sql: &str, values: impl rusqlite::Params) -> Made {
    tx.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// SQLite's integers are signed.
pub(crate) fn signed(value: u64, figure: &'static str) -> Result<i64, Failure> {
    i64::try_from(value).map_err(|_| Failure::Overflow(figure))
}

fn keep_sim(tx: &Connection, sim: &SimRecord) -> Made {
    run(
        tx,
        "INSERT OR REPLACE INTO sim VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            sim.iccid.as_str(),
            sim.imsi.as_ref().map(|i| i.as_str()),
            sim.eid.as_ref().map(|e| e.as_str()),
            sim.operator,
            sim.first_seen.as_millis(),
            sim.last_seen.as_millis(),
        ],
    )
}

fn open_epoch(tx: &Connection, epoch: &Epoch) -> Made {
    run(
        tx,
        "INSERT OR REPLACE INTO epoch
         (id, iccid, zone, source, boot, ifindex, interface, apn, began_ms, began_boot_ms, session, modem)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            epoch.id.0,
            epoch.iccid.as_str(),
            epoch.zone.to_text(),
            epoch.source.as_str(),
            epoch.boot.as_str(),
            epoch.ifindex.map(|i| i.0),
            epoch.interface,
            epoch.apn,
            epoch.began.map(|t| t.as_millis()),
            signed(epoch.began_boot_ms, "began_boot_ms")?,
            epoch.session.map(|id| id.0),
            epoch.modem.as_ref().map(|m| m.as_str()),
        ],
    )
}

/// By the same numbers as in [`KEEP_SESSION`].
const FOLLOW_SESSION: &str =
    "UPDATE session SET interface = ?5, source = ?6, kernel_rx_bytes = ?12, kernel_tx_bytes = ?13,
         kernel_rx_from = ?14, kernel_tx_from = ?15, modem_rx_bytes = ?16, modem_tx_bytes = ?17,
         modem_rx_from = ?18, modem_tx_from = ?19
     WHERE id = ?1 AND ended = 0";

/// The ledger may have dated it since.
const KEEP_SESSION: &str = "INSERT INTO session
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
     ON CONFLICT (id) DO UPDATE SET iccid = ?2, modem = ?3, apn = ?4, interface = ?5, source = ?6, boot = ?7,
         began_ms = coalesce(?8, began_ms), began_boot_ms = ?9, ended_ms = ?10, ended = ?11,
         kernel_rx_bytes = ?12, kernel_tx_bytes = ?13, kernel_rx_from = ?14, kernel_tx_from = ?15,
         modem_rx_bytes = ?16, modem_tx_bytes = ?17, modem_rx_from = ?18, modem_tx_from = ?19";

fn keep_session(tx: &Connection, session: &Session) -> Made {
    let bytes = |value: Option<u64>, figure| value.map(|value| signed(value, figure)).transpose();
    let (kernel, told) = (session.kernel, session.told);
    let values = params![
        session.id.0,
        session.iccid.as_str(),
        session.modem.as_ref().map(|m| m.as_str()),
        session.apn,
        session.interface,
        session.source.as_str(),
        session.boot.as_str(),
        session.began.map(|t| t.as_millis()),
        signed(session.began_boot_ms, "began_boot_ms")?,
        session.ended.map(|t| t.as_millis()),
        session.over,
        bytes(kernel.map(|f| f.grown.rx), "kernel_rx_bytes")?,
        bytes(kernel.map(|f| f.grown.tx), "kernel_tx_bytes")?,
        kernel.map(|f| f.from_rx),
        kernel.map(|f| f.from_tx),
        bytes(told.map(|f| f.grown.rx), "modem_rx_bytes")?,
        bytes(told.map(|f| f.grown.tx), "modem_tx_bytes")?,
        told.map(|f| f.from_rx),
        told.map(|f| f.from_tx),
    ];
    // One that lasts is kept with its usage again and again: only what moves, so that no index is written anew.
    if !session.over && tx.prepare_cached(FOLLOW_SESSION)?.execute(values)? > 0 {
        return Ok(());
    }
    run(tx, KEEP_SESSION, values)
}

const SET_BASELINE: &str = "INSERT OR REPLACE INTO baseline
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

fn set_baseline(tx: &Connection, baseline: &Baseline) -> Made {
    run(
        tx,
        SET_BASELINE,
        params![
            baseline.counter,
            baseline.boot.as_str(),
            baseline.ifindex.map(|i| i.0),
            baseline.interface,
            signed(baseline.rx_bytes, "rx_bytes")?,
            signed(baseline.tx_bytes, "tx_bytes")?,
            baseline.connection_start.map(|t| t.as_millis()),
            baseline.iccid.as_ref().map(|i| i.as_str()),
            baseline.zone.to_text(),
            baseline.epoch.map(|e| e.0),
            baseline.read_at.map(|t| t.as_millis()),
            signed(baseline.read_boot_ms, "read_boot_ms")?,
            baseline.modem.as_ref().map(|m| m.as_str()),
            baseline.apn,
        ],
    )
}

fn append_gap(tx: &Connection, gap: &Gap) -> Made {
    run(
        tx,
        "INSERT INTO gap (iccid, from_ms, until_ms, reason, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            gap.iccid.as_ref().map(|i| i.as_str()),
            gap.from.map(|t| t.as_millis()),
            gap.until.map(|t| t.as_millis()),
            gap.reason.as_str(),
            gap.detail,
        ],
    )
}

fn keep_reminder(tx: &Connection, reminder: &Reminder) -> Made {
    let (state, instant) = state_columns(&reminder.state);
    run(
        tx,
        "INSERT OR REPLACE INTO reminder VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            reminder.key.as_str(),
            reminder.rule.as_str(),
            reminder.sim.as_ref().map(|i| i.as_str()),
            state,
            instant,
            word(&reminder.urgency)?,
            reminder.text,
            serde_json::to_string(&reminder.repeat)?,
            serde_json::to_string(&reminder.channels)?,
            reminder.raised_at.as_millis(),
            reminder.next_at.map(|t| t.as_millis()),
            reminder.occurrence,
            reminder.trigger,
            reminder.late.map(|s| s.as_millis()),
        ],
    )
}

fn keep_delivery(tx: &Connection, delivery: &Delivery) -> Made {
    run(
        tx,
        "INSERT OR REPLACE INTO delivery VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            delivery.id,
            delivery.reminder.as_str(),
            delivery.channel.as_str(),
            word(&delivery.state)?,
            delivery.attempts,
            delivery.created_at.as_millis(),
            delivery.next_at.map(|t| t.as_millis()),
            delivery.last_error,
            serde_json::to_string(&delivery.message)?,
        ],
    )
}
