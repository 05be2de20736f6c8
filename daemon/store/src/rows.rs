//! Values of the core from rows of the ledger, and back to text.

use std::ops::DerefMut;
use std::str::FromStr;

use rusqlite::{Params, Row, Statement};
use serde::Serialize;
use serde::de::DeserializeOwned;
use simbell_core::effect::SimRecord;
use simbell_core::ident::{IdentError, IfIndex};
use simbell_core::ledger::{Baseline, Epoch, EpochId, Figures, Session, Volume, Zone};
use simbell_core::reminder::{Delivery, Reminder, ReminderState};
use simbell_core::time::{Span, Timestamp};

use crate::failure::ErrorKind;

/// Why the ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// SQLite failed.
    #[error("the ledger cannot be read: {0} ({hint})", hint = ErrorKind::of_sqlite(.0).hint())]
    Sqlite(#[from] rusqlite::Error),
    /// A value is none that this program writes.
    #[error("the ledger holds a value in {column} that simbelld does not know: {problem} ({hint})",
        hint = ErrorKind::Damaged.hint())]
    Unreadable {
        /// Table and column.
        column: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A sum does not fit.
    #[error(
        "the sum of {what} does not fit into 64 bits: no SIM can have used that much, see `simbellctl usage corrections`"
    )]
    Overflow {
        /// Of what.
        what: &'static str,
    },
}

impl QueryError {
    /// The kind, for programs.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Sqlite(source) => ErrorKind::of_sqlite(source),
            Self::Unreadable { .. } => ErrorKind::Damaged,
            Self::Overflow { .. } => ErrorKind::Overflow,
        }
    }
}

/// Every row of a statement, converted.
pub(crate) fn collect<'c, T>(
    statement: &mut impl DerefMut<Target = Statement<'c>>,
    params: impl Params,
    convert: impl Fn(&Row<'_>) -> Result<T, QueryError>,
) -> Result<Vec<T>, QueryError> {
    let mut rows = statement.query(params)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(convert(row)?);
    }
    Ok(out)
}

/// A value without fields as its word: `kernel`, `firing`.
pub(crate) fn word(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(match serde_json::to_value(value)? {
        serde_json::Value::String(word) => word,
        other => other.to_string(),
    })
}

/// Reads back [`word`].
pub(crate) fn from_word<T: DeserializeOwned>(word: String, column: &'static str) -> Result<T, QueryError> {
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|error| QueryError::Unreadable { column, problem: error.to_string() })
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str, column: &'static str) -> Result<T, QueryError> {
    serde_json::from_str(text).map_err(|error| QueryError::Unreadable { column, problem: error.to_string() })
}

pub(crate) fn ident<T: FromStr<Err = IdentError>>(text: &str, column: &'static str) -> Result<T, QueryError> {
    text.parse().map_err(|error: IdentError| QueryError::Unreadable { column, problem: error.to_string() })
}

pub(crate) fn optional_ident<T: FromStr<Err = IdentError>>(
    text: Option<String>,
    column: &'static str,
) -> Result<Option<T>, QueryError> {
    text.map(|text| ident(&text, column)).transpose()
}

/// A count that is never negative.
pub(crate) fn unsigned<T: TryFrom<i64>>(value: i64, column: &'static str) -> Result<T, QueryError> {
    T::try_from(value)
        .map_err(|_| QueryError::Unreadable { column, problem: format!("{value} is out of range") })
}

pub(crate) fn instant(value: Option<i64>) -> Option<Timestamp> {
    value.map(Timestamp::from_millis)
}

pub(crate) const SIM: &str = "iccid, imsi, eid, operator, first_seen_ms, last_seen_ms";

pub(crate) fn sim(row: &Row<'_>) -> Result<SimRecord, QueryError> {
    Ok(SimRecord {
        iccid: ident(&row.get::<_, String>(0)?, "sim.iccid")?,
        imsi: optional_ident(row.get(1)?, "sim.imsi")?,
        eid: optional_ident(row.get(2)?, "sim.eid")?,
        operator: row.get(3)?,
        first_seen: Timestamp::from_millis(row.get(4)?),
        last_seen: Timestamp::from_millis(row.get(5)?),
    })
}

pub(crate) const EPOCH: &str =
    "id, iccid, zone, source, boot, ifindex, interface, apn, began_ms, began_boot_ms, session, modem";

pub(crate) fn epoch(row: &Row<'_>) -> Result<Epoch, QueryError> {
    Ok(Epoch {
        id: EpochId(row.get(0)?),
        iccid: ident(&row.get::<_, String>(1)?, "epoch.iccid")?,
        zone: Zone::from_text(&row.get::<_, String>(2)?),
        source: from_word(row.get(3)?, "epoch.source")?,
        boot: ident(&row.get::<_, String>(4)?, "epoch.boot")?,
        ifindex: ifindex(row.get(5)?, "epoch.ifindex")?,
        interface: row.get(6)?,
        apn: row.get(7)?,
        began: instant(row.get(8)?),
        began_boot_ms: unsigned(row.get(9)?, "epoch.began_boot_ms")?,
        session: row.get::<_, Option<i64>>(10)?.map(EpochId),
        modem: optional_ident(row.get(11)?, "epoch.modem")?,
    })
}

pub(crate) const SESSION: &str = "id, iccid, modem, apn, interface, source, boot, began_ms, began_boot_ms, \
    ended_ms, ended, kernel_rx_bytes, kernel_tx_bytes, kernel_rx_from, kernel_tx_from, \
    modem_rx_bytes, modem_tx_bytes, modem_rx_from, modem_tx_from";

pub(crate) fn session(row: &Row<'_>) -> Result<Session, QueryError> {
    Ok(Session {
        id: EpochId(row.get(0)?),
        iccid: ident(&row.get::<_, String>(1)?, "session.iccid")?,
        modem: optional_ident(row.get(2)?, "session.modem")?,
        apn: row.get(3)?,
        interface: row.get(4)?,
        source: from_word(row.get(5)?, "session.source")?,
        boot: ident(&row.get::<_, String>(6)?, "session.boot")?,
        began: instant(row.get(7)?),
        began_boot_ms: unsigned(row.get(8)?, "session.began_boot_ms")?,
        ended: instant(row.get(9)?),
        over: row.get(10)?,
        kernel: figures(row, 11, "session.kernel_rx_bytes")?,
        told: figures(row, 15, "session.modem_rx_bytes")?,
    })
}

/// Four columns: grown bytes received and sent, and the figures that they grew from.
fn figures(row: &Row<'_>, first: usize, column: &'static str) -> Result<Option<Figures>, QueryError> {
    let column_at = |offset: usize| row.get::<_, Option<i64>>(first.saturating_add(offset));
    let (Some(rx), Some(tx)) = (column_at(0)?, column_at(1)?) else { return Ok(None) };
    Ok(Some(Figures {
        grown: Volume { rx: unsigned(rx, column)?, tx: unsigned(tx, column)? },
        from_rx: column_at(2)?.unwrap_or(0),
        from_tx: column_at(3)?.unwrap_or(0),
    }))
}

pub(crate) const BASELINE: &str = "counter, boot, ifindex, interface, rx_bytes, tx_bytes, connection_start_ms, \
    iccid, zone, epoch, read_ms, read_boot_ms, modem, apn";

pub(crate) fn baseline(row: &Row<'_>) -> Result<Baseline, QueryError> {
    Ok(Baseline {
        counter: row.get(0)?,
        boot: ident(&row.get::<_, String>(1)?, "baseline.boot")?,
        ifindex: ifindex(row.get(2)?, "baseline.ifindex")?,
        interface: row.get(3)?,
        rx_bytes: unsigned(row.get(4)?, "baseline.rx_bytes")?,
        tx_bytes: unsigned(row.get(5)?, "baseline.tx_bytes")?,
        connection_start: instant(row.get(6)?),
        iccid: optional_ident(row.get(7)?, "baseline.iccid")?,
        zone: Zone::from_text(&row.get::<_, String>(8)?),
        epoch: row.get::<_, Option<i64>>(9)?.map(EpochId),
        read_at: instant(row.get(10)?),
        read_boot_ms: unsigned(row.get(11)?, "baseline.read_boot_ms")?,
        modem: optional_ident(row.get(12)?, "baseline.modem")?,
        apn: row.get(13)?,
    })
}

pub(crate) const REMINDER: &str = "key, rule, iccid, state, state_ms, urgency, text, repeat, channels, raised_ms, \
    next_ms, occurrence, trigger_kind, late_ms";

pub(crate) fn reminder(row: &Row<'_>) -> Result<Reminder, QueryError> {
    Ok(Reminder {
        key: ident(&row.get::<_, String>(0)?, "reminder.key")?,
        rule: ident(&row.get::<_, String>(1)?, "reminder.rule")?,
        sim: optional_ident(row.get(2)?, "reminder.iccid")?,
        state: reminder_state(&row.get::<_, String>(3)?, row.get(4)?)?,
        urgency: from_word(row.get(5)?, "reminder.urgency")?,
        text: row.get(6)?,
        repeat: from_json(&row.get::<_, String>(7)?, "reminder.repeat")?,
        channels: from_json(&row.get::<_, String>(8)?, "reminder.channels")?,
        raised_at: Timestamp::from_millis(row.get(9)?),
        next_at: instant(row.get(10)?),
        occurrence: unsigned(row.get(11)?, "reminder.occurrence")?,
        trigger: row.get(12)?,
        late: row.get::<_, Option<i64>>(13)?.map(Span),
    })
}

/// A state as its word and its instant.
pub(crate) const fn state_columns(state: &ReminderState) -> (&'static str, Option<i64>) {
    match state {
        ReminderState::Pending => ("pending", None),
        ReminderState::Firing => ("firing", None),
        ReminderState::Acknowledged { at } => ("acknowledged", Some(at.as_millis())),
        ReminderState::Snoozed { until } => ("snoozed", Some(until.as_millis())),
        ReminderState::Resolved { at } => ("resolved", Some(at.as_millis())),
    }
}

fn reminder_state(word: &str, instant: Option<i64>) -> Result<ReminderState, QueryError> {
    let unreadable = |problem: String| QueryError::Unreadable { column: "reminder.state", problem };
    let at = || {
        instant
            .map(Timestamp::from_millis)
            .ok_or_else(|| unreadable(format!("{word} without its instant in state_ms")))
    };
    match word {
        "pending" => Ok(ReminderState::Pending),
        "firing" => Ok(ReminderState::Firing),
        "acknowledged" => Ok(ReminderState::Acknowledged { at: at()? }),
        "snoozed" => Ok(ReminderState::Snoozed { until: at()? }),
        "resolved" => Ok(ReminderState::Resolved { at: at()? }),
        other => Err(unreadable(format!("unknown state {other:?}"))),
    }
}

pub(crate) const DELIVERY: &str =
    "id, reminder, channel, state, attempts, created_ms, next_ms, last_error, message";

pub(crate) fn delivery(row: &Row<'_>) -> Result<Delivery, QueryError> {
    Ok(Delivery {
        id: row.get(0)?,
        reminder: ident(&row.get::<_, String>(1)?, "delivery.reminder")?,
        channel: ident(&row.get::<_, String>(2)?, "delivery.channel")?,
        state: from_word(row.get(3)?, "delivery.state")?,
        attempts: unsigned(row.get(4)?, "delivery.attempts")?,
        created_at: Timestamp::from_millis(row.get(5)?),
        next_at: instant(row.get(6)?),
        last_error: row.get(7)?,
        message: from_json(&row.get::<_, String>(8)?, "delivery.message")?,
    })
}

fn ifindex(value: Option<i64>, column: &'static str) -> Result<Option<IfIndex>, QueryError> {
    value.map(|value| unsigned(value, column).map(IfIndex)).transpose()
}
