//! The carrier's view: corrections, the carrier's own figures, and slots by connection.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use simbell_core::ident::Iccid;
use simbell_core::ledger::{Correction, EpochId, Source, Volume, Zone};
use simbell_core::observation::{Observation, ObservationId};
use simbell_core::state::carrier::HELD;
use simbell_core::time::Timestamp;

use crate::apply::{Made, run, signed};
use crate::lists::KeptCorrection;
use crate::open::Store;
use crate::reader::Reader;
use crate::rollup;
use crate::rows::{QueryError, collect, from_word, ident, unsigned, word};
use crate::usage::{first_slot, text};

/// What one connection carried in one slot and zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSlot {
    /// The slot's first instant: it counts at this instant, whole.
    pub start: Timestamp,
    /// Which connection: its first epoch. What is older than connections were known has its epoch here.
    pub session: EpochId,
    /// Where.
    pub zone: Zone,
    /// How much.
    pub volume: Volume,
    /// What the slot is a part of. What was folded into a day or a cycle has lost its hour and its connection.
    pub span: SlotSpan,
}

/// What a slot is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotSpan {
    /// A UTC hour.
    Hour,
    /// A civil day.
    Day,
    /// A billing cycle.
    Cycle,
}

pub(crate) const CORRECTION: &str = "c.id, c.iccid, c.at_ms, c.bytes, c.author, c.reason, c.undoes,
    (SELECT u.id FROM correction AS u WHERE u.undoes = c.id)";

pub(crate) const OBSERVATION: &str = "id, iccid, at_ms, cycle_start_ms, bytes, billed_bytes, correction_bytes, terms, source, \
    author, note, withdraws";

/// Reads that answers as billed are made of, on the writer's connection or on a reader's.
macro_rules! billed {
    ($type:ty) => {
        impl $type {
            /// Hands each dated slot of a SIM that starts in a half-open span to `each`, in order of time, until that
            /// says false.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn session_slots(
                &self,
                iccid: &Iccid,
                from: Timestamp,
                until: Option<Timestamp>,
                each: impl FnMut(SessionSlot) -> bool,
            ) -> Result<(), QueryError> {
                let values = params![iccid.as_str(), from.as_millis(), until.map(Timestamp::as_millis)];
                slots(&self.conn, SLOTS_OF_SIM, values, each)
            }

            /// Hands the slots of one connection that start in a half-open span to `each`, in order of time, until that
            /// says false.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn slots_of_session(
                &self,
                iccid: &Iccid,
                session: EpochId,
                (from, until): (Timestamp, Timestamp),
                each: impl FnMut(SessionSlot) -> bool,
            ) -> Result<(), QueryError> {
                let values = params![iccid.as_str(), from.as_millis(), until.as_millis(), session.0];
                slots(&self.conn, SLOTS_OF_SESSION, values, each)
            }

            /// When a connection began; none where that is not known.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn session_began(&self, session: EpochId) -> Result<Option<Timestamp>, QueryError> {
                let began: Option<Option<i64>> = self
                    .conn
                    .prepare_cached("SELECT began_ms FROM epoch WHERE id = ?1")?
                    .query_row([session.0], |row| row.get(0))
                    .optional()?;
                Ok(began.flatten().map(Timestamp::from_millis))
            }

            /// The start of a SIM's first slot in a half-open span.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn first_slot(
                &self,
                iccid: &Iccid,
                from: Timestamp,
                until: Timestamp,
            ) -> Result<Option<Timestamp>, QueryError> {
                first_slot(&self.conn, iccid, from, until)
            }

            /// Σ of a SIM's entries in a half-open span of slot starts, by zone and source.
            ///
            /// # Errors
            /// When the ledger cannot be read, or a sum does not fit.
            pub fn volumes(
                &self,
                iccid: &Iccid,
                from: Timestamp,
                until: Timestamp,
            ) -> Result<Vec<(Zone, Source, Volume)>, QueryError> {
                rollup::sums(&self.conn, iccid, from.as_millis(), until.as_millis())
            }

            /// The corrections of a SIM that count in a half-open span, by their instants: signed bytes.
            ///
            /// # Errors
            /// When the ledger cannot be read.
            pub fn corrections_between(
                &self,
                iccid: &Iccid,
                from: Timestamp,
                until: Timestamp,
            ) -> Result<Vec<(Timestamp, i64)>, QueryError> {
                corrections_between(&self.conn, iccid, from, until)
            }
        }
    };
}

billed!(Store);
billed!(Reader);

const SLOTS_OF_SIM: &str =
    "SELECT u.start_ms, coalesce(e.session, u.epoch), u.zone, u.rx_bytes, u.tx_bytes, u.span
     FROM usage AS u LEFT JOIN epoch AS e ON e.id = u.epoch
     WHERE u.iccid = ?1 AND u.start_ms >= ?2 AND (?3 IS NULL OR u.start_ms < ?3) ORDER BY u.start_ms";

const SLOTS_OF_SESSION: &str = "SELECT u.start_ms, ?4, u.zone, u.rx_bytes, u.tx_bytes, u.span
     FROM usage AS u LEFT JOIN epoch AS e ON e.id = u.epoch
     WHERE u.iccid = ?1 AND u.start_ms >= ?2 AND u.start_ms < ?3 AND coalesce(e.session, u.epoch) = ?4
     ORDER BY u.start_ms";

fn slots(
    conn: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    mut each: impl FnMut(SessionSlot) -> bool,
) -> Result<(), QueryError> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        let slot = SessionSlot {
            start: Timestamp::from_millis(row.get(0)?),
            session: EpochId(row.get(1)?),
            zone: Zone::from_text(text(row, 2, "usage.zone")?),
            volume: Volume {
                rx: unsigned(row.get(3)?, "usage.rx_bytes")?,
                tx: unsigned(row.get(4)?, "usage.tx_bytes")?,
            },
            span: match row.get_ref(5)?.as_str().unwrap_or_default() {
                "day" => SlotSpan::Day,
                "cycle" => SlotSpan::Cycle,
                _ => SlotSpan::Hour,
            },
        };
        if !each(slot) {
            break;
        }
    }
    Ok(())
}

fn corrections_between(
    conn: &Connection,
    iccid: &Iccid,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<(Timestamp, i64)>, QueryError> {
    collect(
        &mut conn.prepare_cached(
            "SELECT at_ms, bytes FROM correction
             WHERE iccid = ?1 AND at_ms >= ?2 AND at_ms < ?3 ORDER BY at_ms, id",
        )?,
        params![iccid.as_str(), from.as_millis(), until.as_millis()],
        |row| Ok((Timestamp::from_millis(row.get(0)?), row.get(1)?)),
    )
}

impl Store {
    /// Corrections, newest first: at most `limit` with numbers below `before`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn corrections(
        &self,
        iccid: Option<&Iccid>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<KeptCorrection>, QueryError> {
        let sql = format!(
            "SELECT {CORRECTION} FROM correction AS c
             WHERE c.id < ?2 AND (?1 IS NULL OR c.iccid = ?1) ORDER BY c.id DESC LIMIT ?3"
        );
        let values = params![iccid.map(Iccid::as_str), before.unwrap_or(i64::MAX), limit];
        collect(&mut self.conn.prepare_cached(&sql)?, values, correction)
    }

    /// One correction.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn correction(&self, id: i64) -> Result<Option<KeptCorrection>, QueryError> {
        let sql = format!("SELECT {CORRECTION} FROM correction AS c WHERE c.id = ?1");
        let found = collect(&mut self.conn.prepare_cached(&sql)?, params![id], correction)?;
        Ok(found.into_iter().next())
    }

    /// The carrier's figures and what takes them back, newest entry first: at most `limit` with numbers below `before`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn observations(
        &self,
        iccid: Option<&Iccid>,
        before: Option<ObservationId>,
        limit: u32,
    ) -> Result<Vec<Observation>, QueryError> {
        let sql = format!(
            "SELECT {OBSERVATION} FROM observation
             WHERE id < ?2 AND (?1 IS NULL OR iccid = ?1) ORDER BY id DESC LIMIT ?3"
        );
        let before = before.map_or(i64::MAX, |id| id.0);
        let values = params![iccid.map(Iccid::as_str), before, limit];
        collect(&mut self.conn.prepare_cached(&sql)?, values, observation)
    }

    /// One of the carrier's figures, and the entry that takes it back.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn observation(
        &self,
        id: ObservationId,
    ) -> Result<Option<(Observation, Option<ObservationId>)>, QueryError> {
        let sql = format!("SELECT {OBSERVATION} FROM observation WHERE id = ?1");
        let found = collect(&mut self.conn.prepare_cached(&sql)?, params![id.0], observation)?;
        let Some(found) = found.into_iter().next() else { return Ok(None) };
        let withdrawn = self
            .conn
            .prepare_cached("SELECT id FROM observation WHERE withdraws = ?1 ORDER BY id LIMIT 1")?
            .query_row(params![id.0], |row| row.get(0))
            .optional()?;
        Ok(Some((found, withdrawn.map(ObservationId))))
    }
}

/// The newest of each SIM, by their numbers.
pub(crate) fn newest_observations(conn: &Connection) -> Result<Vec<Observation>, QueryError> {
    let sql = format!(
        "SELECT {OBSERVATION} FROM (SELECT *, row_number() OVER (PARTITION BY iccid ORDER BY id DESC) AS place
         FROM observation) WHERE place <= {HELD} ORDER BY id"
    );
    collect(&mut &mut conn.prepare(&sql)?, [], observation)
}

pub(crate) fn next_observation(conn: &Connection) -> Result<ObservationId, QueryError> {
    let highest: i64 =
        conn.query_row("SELECT coalesce(max(id), 0) FROM observation", [], |row| row.get(0))?;
    let next = highest.checked_add(1).ok_or(QueryError::Overflow { what: "identities of observations" })?;
    Ok(ObservationId(next))
}

pub(crate) fn append_correction(tx: &Connection, correction: &Correction) -> Made {
    run(
        tx,
        "INSERT INTO correction (iccid, at_ms, bytes, author, reason, undoes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            correction.iccid.as_str(),
            correction.at.as_millis(),
            correction.bytes,
            correction.author,
            correction.reason,
            correction.undoes,
        ],
    )
}

pub(crate) fn append_observation(tx: &Connection, one: &Observation) -> Made {
    run(
        tx,
        "INSERT INTO observation (id, iccid, at_ms, cycle_start_ms, bytes, billed_bytes, correction_bytes, terms,
         source, author, note, withdraws) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            one.id.0,
            one.iccid.as_str(),
            one.at.as_millis(),
            one.cycle_start.as_millis(),
            signed(one.bytes, "the carrier's figure")?,
            signed(one.billed, "what was billed")?,
            one.corrections,
            one.terms,
            word(&one.source)?,
            one.author,
            one.note,
            one.withdraws.map(|id| id.0),
        ],
    )
}

pub(crate) fn correction(row: &Row<'_>) -> Result<KeptCorrection, QueryError> {
    Ok(KeptCorrection {
        id: row.get(0)?,
        correction: Correction {
            iccid: ident(&row.get::<_, String>(1)?, "correction.iccid")?,
            at: Timestamp::from_millis(row.get(2)?),
            bytes: row.get(3)?,
            author: row.get(4)?,
            reason: row.get(5)?,
            undoes: row.get(6)?,
        },
        undone_by: row.get(7)?,
    })
}

pub(crate) fn observation(row: &Row<'_>) -> Result<Observation, QueryError> {
    Ok(Observation {
        id: ObservationId(row.get(0)?),
        iccid: ident(&row.get::<_, String>(1)?, "observation.iccid")?,
        at: Timestamp::from_millis(row.get(2)?),
        cycle_start: Timestamp::from_millis(row.get(3)?),
        bytes: unsigned(row.get(4)?, "observation.bytes")?,
        billed: unsigned(row.get(5)?, "observation.billed_bytes")?,
        corrections: row.get(6)?,
        terms: row.get(7)?,
        source: from_word(row.get(8)?, "observation.source")?,
        author: row.get(9)?,
        note: row.get(10)?,
        withdraws: row.get::<_, Option<i64>>(11)?.map(ObservationId),
    })
}
