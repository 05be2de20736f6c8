//! What a SIM's total in a span is made of, in pages: each run of a counter, each connection, gap and correction.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};
use simbell_core::ident::{Iccid, ModemId};
use simbell_core::ledger::{EpochId, Session, Source, Volume, Zone};
use simbell_core::observation::Observation;
use simbell_core::time::{Span, Timestamp};

use crate::carrier;
use crate::lists::{KeptCorrection, KeptGap};
use crate::open::Store;
use crate::reader::Reader;
use crate::rollup;
use crate::rows::{self, QueryError, collect, from_word, optional_ident, unsigned};
use crate::totals::fits;
use crate::usage::text;

/// A question for the parts of a total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainQuery {
    /// Whose.
    pub iccid: Iccid,
    /// From, included.
    pub from: Timestamp,
    /// Until, excluded.
    pub until: Timestamp,
    /// Where to go on: [`ExplainPage::next`] of the page before.
    pub after: Option<ExplainCursor>,
    /// At most so many parts.
    pub limit: u32,
}

/// A place in an explanation: in which kind of parts, and how many of that kind came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExplainCursor {
    /// Which kind, in the order of [`Part`].
    pub kind: u8,
    /// How many parts of it were given.
    pub given: u32,
    /// Of [`Part::Counted`] in a span longer than [`STRETCH`]: where the stretch begins that they are of.
    pub stretch: Option<Timestamp>,
}

/// A longer span is told in stretches of this length, one a page: a run that spans several is told in parts.
pub const STRETCH: Span = Span::secs(400 * 86_400);

/// Some parts, and what all parts sum up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainPage {
    /// The parts, kind by kind.
    pub parts: Vec<Part>,
    /// Σ of every [`Part::Counted`] of the query, on this page or not.
    pub counted: Volume,
    /// Σ of every [`Part::Corrected`].
    pub corrections: i64,
    /// Σ of every [`Part::Undated`].
    pub undated: Volume,
    /// Where the next page begins; none when this is the last.
    pub next: Option<ExplainCursor>,
}

/// One thing that a total is made of, or that is to be known beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// What one run of one counter counted in the span.
    Counted(Run),
    /// A person's correction that counts in the span.
    Corrected(KeptCorrection),
    /// Something in the span that could not be known.
    Gap(KeptGap),
    /// A connection that touches the span, whole: its figures are not cut at the span's ends.
    Session(Session),
    /// The carrier's own figure, told in the span.
    Observed {
        /// What it says.
        observation: Observation,
        /// Whether another takes it back.
        withdrawn: bool,
    },
    /// What waits for its date: in no span.
    Undated(Run),
}

/// What one run of one counter counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The run; 0 for what was folded from several, negative for what was imported.
    pub epoch: EpochId,
    /// The connection it belongs to, where known.
    pub session: Option<EpochId>,
    /// Where the SIM was.
    pub zone: Zone,
    /// By which counter.
    pub source: Source,
    /// Network interface, where there is one.
    pub interface: Option<String>,
    /// Access point name, where known.
    pub apn: Option<String>,
    /// Whose bearer, where known.
    pub modem: Option<ModemId>,
    /// Whether its date is only known to lie between two boots.
    pub about: bool,
    /// First and last instant measured; none of what is undated.
    pub measured: Option<(Timestamp, Timestamp)>,
    /// How much.
    pub volume: Volume,
}

/// One kind of parts: a page of it from `given` on.
type Kind = fn(&Connection, &ExplainQuery, u32, u32) -> Result<Vec<Part>, QueryError>;

/// In the order of [`Part`], behind what was counted.
const KINDS: [Kind; 5] = [corrected, gaps, sessions, observed, undated];

/// A run by its epoch, zone and source.
type RunKey = (i64, String, String);

/// How much was counted, and the first and the last instant measured, ms since 1970 UTC.
type RunSum = (Volume, i64, i64);

/// What each run counted.
type Runs = BTreeMap<RunKey, RunSum>;

macro_rules! explains {
    ($type:ty) => {
        impl $type {
            /// What a SIM's total in a half-open span of slot starts is made of, one page.
            ///
            /// # Errors
            /// When the ledger cannot be read, or a sum does not fit.
            pub fn explain(&self, query: &ExplainQuery) -> Result<ExplainPage, QueryError> {
                let tx = self.conn.unchecked_transaction()?;
                explain(&tx, query)
            }
        }
    };
}

explains!(Store);
explains!(Reader);

fn explain(tx: &Connection, query: &ExplainQuery) -> Result<ExplainPage, QueryError> {
    let start = query.after.unwrap_or_default();
    let begins = start.stretch.unwrap_or(query.from).max(query.from).min(query.until);
    let stretch = (begins, begins.saturating_add(STRETCH).min(query.until));
    let runs = if start.kind == 0 { Some(runs(tx, &query.iccid, stretch)?) } else { None };
    let mut page = sums(tx, query, stretch, runs.as_ref())?;
    let limit = query.limit.max(1);
    let mut given = start.given;
    for (kind, ask) in (0_u8..).zip(std::iter::once(None).chain(KINDS.map(Some))) {
        if kind < start.kind {
            continue;
        }
        let room = limit.saturating_sub(u32::try_from(page.parts.len()).unwrap_or(limit));
        // One more than there is room for tells whether there is a next page.
        let most = room.saturating_add(1);
        let mut found = match (ask, &runs) {
            (Some(ask), _) => ask(tx, query, given, most)?,
            (None, Some(runs)) => counted(tx, runs, given, most)?,
            (None, None) => Vec::new(),
        };
        let fits = usize::try_from(room).unwrap_or(usize::MAX);
        if found.len() > fits {
            found.truncate(fits);
            page.parts.append(&mut found);
            let given = given.saturating_add(room);
            page.next = Some(ExplainCursor { kind, given, stretch: start.stretch.filter(|_| kind == 0) });
            break;
        }
        page.parts.append(&mut found);
        given = 0;
        if kind == 0 && stretch.1 < query.until {
            page.next = Some(ExplainCursor { kind, given, stretch: Some(stretch.1) });
            break;
        }
    }
    Ok(page)
}

/// The span's usage as its rows say it, where it is longer as those of the stretch do beside the ledger's own sums.
fn sums(
    conn: &Connection,
    query: &ExplainQuery,
    stretch: (Timestamp, Timestamp),
    runs: Option<&Runs>,
) -> Result<ExplainPage, QueryError> {
    let (iccid, from, until) = (query.iccid.as_str(), query.from.as_millis(), query.until.as_millis());
    let (first, last) = (stretch.0.as_millis(), stretch.1.as_millis());
    let too_large = || QueryError::Overflow { what: "usage" };
    let mut counted = match runs {
        Some(runs) => runs
            .values()
            .try_fold(Volume::default(), |all, (volume, ..)| all.checked_add(*volume))
            .ok_or_else(too_large)?,
        None => {
            let rows: (i64, i64) = conn
                .prepare_cached(
                    "SELECT coalesce(sum(rx_bytes), 0), coalesce(sum(tx_bytes), 0) FROM usage
                     WHERE iccid = ?1 AND start_ms >= ?2 AND start_ms < ?3",
                )?
                .query_row(params![iccid, first, last], |row| Ok((row.get(0)?, row.get(1)?)))
                .map_err(|error| fits(error.into(), "usage"))?;
            volume(rows.0, rows.1, "usage.rx_bytes")?
        }
    };
    for (from, until) in [(from, first), (last, until)] {
        if from < until {
            for (_, _, more) in rollup::sums(conn, &query.iccid, from, until)? {
                counted = counted.checked_add(more).ok_or_else(too_large)?;
            }
        }
    }
    let corrections = conn
        .prepare_cached(
            "SELECT coalesce(sum(bytes), 0) FROM correction WHERE iccid = ?1 AND at_ms >= ?2 AND at_ms < ?3",
        )?
        .query_row(params![iccid, from, until], |row| row.get(0))
        .map_err(|error| fits(error.into(), "corrections"))?;
    let undated = conn
        .prepare_cached(
            "SELECT coalesce(sum(rx_bytes), 0), coalesce(sum(tx_bytes), 0) FROM usage_undated WHERE iccid = ?1",
        )?
        .query_row(params![iccid], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|error| fits(error.into(), "undated usage"))?;
    Ok(ExplainPage {
        parts: Vec::new(),
        counted,
        corrections,
        undated: volume(undated.0, undated.1, "usage_undated.rx_bytes")?,
        next: None,
    })
}

/// The runs of a span. SQLite would sort the rows, which takes longer than all else; as they are read, rows of one run
/// mostly follow one another.
fn runs(conn: &Connection, iccid: &Iccid, (from, until): (Timestamp, Timestamp)) -> Result<Runs, QueryError> {
    let too_large = || QueryError::Overflow { what: "usage" };
    let mut statement = conn.prepare_cached(
        "SELECT epoch, zone, source, rx_bytes, tx_bytes, first_ms, last_ms FROM usage
         WHERE iccid = ?1 AND start_ms >= ?2 AND start_ms < ?3",
    )?;
    let mut rows = statement.query(params![iccid.as_str(), from.as_millis(), until.as_millis()])?;
    let mut all = Runs::new();
    let mut current: Option<(RunKey, RunSum)> = None;
    while let Some(row) = rows.next()? {
        let (zone, source) = (text(row, 1, "usage.zone")?, text(row, 2, "usage.source")?);
        let epoch = row.get(0)?;
        let more = volume(row.get(3)?, row.get(4)?, "usage.rx_bytes")?;
        let (first, last): (i64, i64) = (row.get(5)?, row.get(6)?);
        match &mut current {
            Some((key, sum)) if (key.0, key.1.as_str(), key.2.as_str()) == (epoch, zone, source) => {
                *sum = (sum.0.checked_add(more).ok_or_else(too_large)?, sum.1.min(first), sum.2.max(last));
            }
            _ => {
                let key = (epoch, zone.to_owned(), source.to_owned());
                keep(&mut all, current.replace((key, (more, first, last))))?;
            }
        }
    }
    keep(&mut all, current)?;
    Ok(all)
}

fn keep(all: &mut Runs, run: Option<(RunKey, RunSum)>) -> Result<(), QueryError> {
    let Some((key, (more, first, last))) = run else { return Ok(()) };
    let sum = all.entry(key).or_insert((Volume::default(), first, last));
    let volume = sum.0.checked_add(more).ok_or(QueryError::Overflow { what: "usage" })?;
    *sum = (volume, sum.1.min(first), sum.2.max(last));
    Ok(())
}

fn counted(conn: &Connection, runs: &Runs, given: u32, room: u32) -> Result<Vec<Part>, QueryError> {
    let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
    let mut epoch =
        conn.prepare_cached("SELECT session, interface, apn, modem, about FROM epoch WHERE id = ?1")?;
    let page = runs.iter().skip(count(given)).take(count(room));
    page.map(|((id, zone, source), (volume, first, last))| {
        let mut rows = epoch.query([id])?;
        let mut run = Run {
            epoch: EpochId(*id),
            session: None,
            zone: Zone::from_text(zone),
            source: crate::usage::source(source)?,
            interface: None,
            apn: None,
            modem: None,
            about: false,
            measured: Some((Timestamp::from_millis(*first), Timestamp::from_millis(*last))),
            volume: *volume,
        };
        if let Some(row) = rows.next()? {
            run.session = row.get::<_, Option<i64>>(0)?.map(EpochId);
            (run.interface, run.apn) = (row.get(1)?, row.get(2)?);
            run.modem = optional_ident(row.get(3)?, "epoch.modem")?;
            run.about = row.get(4)?;
        }
        Ok(Part::Counted(run))
    })
    .collect()
}

fn undated(conn: &Connection, query: &ExplainQuery, given: u32, room: u32) -> Result<Vec<Part>, QueryError> {
    collect(
        &mut conn.prepare_cached(
            "SELECT u.epoch, e.session, u.zone, u.source, e.interface, e.apn, e.modem,
                    sum(u.rx_bytes), sum(u.tx_bytes), coalesce(e.about, 0)
             FROM usage_undated AS u LEFT JOIN epoch AS e ON e.id = u.epoch
             WHERE u.iccid = ?1
             GROUP BY u.epoch, u.zone, u.source ORDER BY u.epoch, u.zone, u.source LIMIT ?3 OFFSET ?2",
        )?,
        params![query.iccid.as_str(), given, room],
        |row| Ok(Part::Undated(run(row)?)),
    )
    .map_err(|error| fits(error, "undated usage"))
}

/// Columns 0 to 9: epoch, session, zone, source, interface, apn, modem, rx, tx, about.
fn run(row: &Row<'_>) -> Result<Run, QueryError> {
    Ok(Run {
        epoch: EpochId(row.get(0)?),
        session: row.get::<_, Option<i64>>(1)?.map(EpochId),
        zone: Zone::from_text(&row.get::<_, String>(2)?),
        source: from_word(row.get(3)?, "usage.source")?,
        interface: row.get(4)?,
        apn: row.get(5)?,
        modem: optional_ident(row.get(6)?, "epoch.modem")?,
        about: row.get(9)?,
        measured: None,
        volume: volume(row.get(7)?, row.get(8)?, "usage.rx_bytes")?,
    })
}

fn corrected(
    conn: &Connection,
    query: &ExplainQuery,
    given: u32,
    room: u32,
) -> Result<Vec<Part>, QueryError> {
    let sql = format!(
        "SELECT {} FROM correction AS c WHERE c.iccid = ?1 AND c.at_ms >= ?2 AND c.at_ms < ?3
         ORDER BY c.id LIMIT ?5 OFFSET ?4",
        carrier::CORRECTION
    );
    collect(
        &mut conn.prepare_cached(&sql)?,
        params![query.iccid.as_str(), query.from.as_millis(), query.until.as_millis(), given, room],
        |row| Ok(Part::Corrected(carrier::correction(row)?)),
    )
}

/// A gap of no length still lies in the span; one with an unknown side is a point; one with neither is in every span.
fn gaps(conn: &Connection, query: &ExplainQuery, given: u32, room: u32) -> Result<Vec<Part>, QueryError> {
    collect(
        &mut conn.prepare_cached(
            "SELECT id, iccid, from_ms, until_ms, reason, detail FROM gap
             WHERE (iccid IS NULL OR iccid = ?1)
               AND coalesce(from_ms, until_ms, ?2) < ?3
               AND max(coalesce(until_ms, from_ms, ?2), coalesce(from_ms, until_ms, ?2) + 1) > ?2
             ORDER BY id LIMIT ?5 OFFSET ?4",
        )?,
        params![query.iccid.as_str(), query.from.as_millis(), query.until.as_millis(), given, room],
        |row| Ok(Part::Gap(KeptGap { id: row.get(0)?, gap: crate::lists::gap(row)? })),
    )
}

/// As [`Store::sessions`].
fn sessions(conn: &Connection, query: &ExplainQuery, given: u32, room: u32) -> Result<Vec<Part>, QueryError> {
    let sql = format!(
        "SELECT {} FROM session WHERE iccid = ?1 AND coalesce(began_ms < ?3, ended = 0)
         AND (ended = 0 OR coalesce(ended_ms, began_ms) >= ?2) ORDER BY id LIMIT ?5 OFFSET ?4",
        rows::SESSION
    );
    collect(
        &mut conn.prepare_cached(&sql)?,
        params![query.iccid.as_str(), query.from.as_millis(), query.until.as_millis(), given, room],
        |row| Ok(Part::Session(rows::session(row)?)),
    )
}

fn observed(conn: &Connection, query: &ExplainQuery, given: u32, room: u32) -> Result<Vec<Part>, QueryError> {
    let sql = format!(
        "SELECT {}, EXISTS (SELECT 1 FROM observation AS later WHERE later.withdraws = observation.id)
         FROM observation WHERE iccid = ?1 AND at_ms >= ?2 AND at_ms < ?3
         ORDER BY at_ms, id LIMIT ?5 OFFSET ?4",
        carrier::OBSERVATION
    );
    collect(
        &mut conn.prepare_cached(&sql)?,
        params![query.iccid.as_str(), query.from.as_millis(), query.until.as_millis(), given, room],
        |row| Ok(Part::Observed { observation: carrier::observation(row)?, withdrawn: row.get(12)? }),
    )
}

fn volume(rx: i64, tx: i64, column: &'static str) -> Result<Volume, QueryError> {
    Ok(Volume { rx: unsigned(rx, column)?, tx: unsigned(tx, column)? })
}
