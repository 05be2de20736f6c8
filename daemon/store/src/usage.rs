//! A SIM's usage by hour, day or cycle, in pages.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::vec::IntoIter;

use chrono::Days;
use rusqlite::{Connection, OptionalExtension, params};
use simbell_core::ident::Iccid;
use simbell_core::ledger::{GapReason, Source, Volume, Zone};
use simbell_core::time::{Span, Timestamp};
use simbell_core::zone::ZoneRules;

use crate::open::Store;
use crate::reader::Reader;
use crate::rollup;
use crate::rows::{QueryError, collect, from_word, unsigned};

const HOUR: Span = Span::secs(3600);

/// A question for a SIM's usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuery {
    /// Whose.
    pub iccid: Iccid,
    /// In which spans.
    pub by: UsageBy,
    /// From, included; also the cursor: [`UsagePage::next`] of the page before.
    pub from: Timestamp,
    /// Until, excluded.
    pub until: Timestamp,
    /// At most about so many rows; a span's rows are never torn apart.
    pub limit: usize,
}

/// In which spans usage is summed. A slot falls into the span that its start lies in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageBy {
    /// UTC hours.
    Hour,
    /// UTC hours, of which those that a day of the zone begins in are two: each is of one day.
    HourOfDay(ZoneRules),
    /// Civil days of a zone.
    Day(ZoneRules),
    /// Between these instants, ascending: starts of billing cycles. What lies before the first is one span, what
    /// lies after the last another.
    Bounds(Vec<Timestamp>),
}

/// Some rows, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsagePage {
    /// In order of time; spans without an entry have no row.
    pub rows: Vec<UsageRow>,
    /// Where the next page begins; none when this is the last.
    pub next: Option<Timestamp>,
}

/// One entry of one span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// The span's first instant, not before the query's.
    pub start: Timestamp,
    /// The first instant after it, not after the query's.
    pub end: Timestamp,
    /// What is known of it.
    pub entry: Entry,
}

/// What is known of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Bytes in one zone by one kind of counter.
    Usage {
        /// Where.
        zone: Zone,
        /// By which counter.
        source: Source,
        /// How much.
        volume: Volume,
    },
    /// What persons corrected: signed bytes of both directions.
    Correction {
        /// Their sum.
        bytes: i64,
    },
    /// Something in it could not be known; said in each span that it touches.
    Gap {
        /// Why.
        reason: GapReason,
    },
}

impl Store {
    /// A SIM's usage in order of time, one page.
    ///
    /// # Errors
    /// When the ledger cannot be read, or a sum does not fit.
    pub fn usage(&self, query: &UsageQuery) -> Result<UsagePage, QueryError> {
        let tx = self.conn.unchecked_transaction()?;
        usage(&tx, query)
    }
}

impl Reader {
    /// As [`Store::usage`].
    ///
    /// # Errors
    /// When the ledger cannot be read, or a sum does not fit.
    pub fn usage(&self, query: &UsageQuery) -> Result<UsagePage, QueryError> {
        let tx = self.conn.unchecked_transaction()?;
        usage(&tx, query)
    }
}

pub(crate) fn usage(tx: &Connection, query: &UsageQuery) -> Result<UsagePage, QueryError> {
    if matches!(query.by, UsageBy::Bounds(_)) {
        return by_bounds(tx, query);
    }
    let mut page = UsagePage::default();
    let mut rest = Rest::load(tx, query)?;
    let mut slots = tx.prepare_cached(
        "SELECT start_ms, zone, source, rx_bytes, tx_bytes, until_ms FROM usage
             WHERE iccid = ?1 AND start_ms >= ?2 AND start_ms < ?3 ORDER BY start_ms",
    )?;
    let mut slots =
        slots.query(params![query.iccid.as_str(), query.from.as_millis(), query.until.as_millis()])?;
    let mut slot = slots.next()?.map(Slot::read).transpose()?;
    let mut at = query.from;
    loop {
        let next = [slot.as_ref().map(|s| s.start), rest.next(at)].into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next < query.until) else { break };
        let (start, end) = query.by.span(next);
        let (start, end) = (start.max(query.from), end.min(query.until));
        if page.rows.len() >= query.limit.max(1) {
            page.next = Some(start);
            break;
        }
        let mut sums: Vec<Sum> = Vec::new();
        while let Some(current) = slot.take_if(|s| s.start < end) {
            add(&mut sums, current, (start, end))?;
            slot = slots.next()?.map(Slot::read).transpose()?;
        }
        sums.sort_by(|one, other| one.order().cmp(&other.order()));
        for Sum { start, end, zone, source, volume } in sums {
            page.rows.push(UsageRow { start, end, entry: Entry::Usage { zone, source, volume } });
        }
        for entry in rest.take(end)? {
            page.rows.push(UsageRow { start, end, entry });
        }
        at = end;
    }
    Ok(page)
}

impl UsageBy {
    /// Whether a span may be longer than a day.
    #[must_use]
    pub const fn is_long(&self) -> bool {
        matches!(self, Self::Bounds(_))
    }

    /// The span that an instant lies in: its first instant and the first after it.
    #[must_use]
    pub fn span(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        const FAR: (Timestamp, Timestamp) =
            (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
        match self {
            Self::Hour => (at.hour_start(), at.hour_start().saturating_add(HOUR)),
            Self::HourOfDay(zone) => {
                let (hour, day) = (Self::Hour.span(at), Self::Day(zone.clone()).span(at));
                (hour.0.max(day.0), hour.1.min(day.1))
            }
            Self::Day(zone) => {
                let date = zone.civil(at).date();
                let end = date.checked_add_days(Days::new(1)).map_or(FAR.1, |next| zone.day_start(next));
                // Where a clock set back repeats midnight, the day's second part belongs to it too.
                (zone.day_start(date).min(at), if end > at { end } else { at.saturating_add(HOUR) })
            }
            Self::Bounds(bounds) => {
                let after = bounds.partition_point(|bound| *bound <= at);
                let start =
                    after.checked_sub(1).and_then(|index| bounds.get(index)).copied().unwrap_or(FAR.0);
                (start, bounds.get(after).copied().unwrap_or(FAR.1))
            }
        }
    }
}

/// A sum in the making: of a span, or of a coarser slot that begins in it.
struct Sum {
    start: Timestamp,
    end: Timestamp,
    zone: Zone,
    source: Source,
    volume: Volume,
}

impl Sum {
    const fn order(&self) -> (Timestamp, Timestamp, &Zone, Source) {
        (self.start, self.end, &self.zone, self.source)
    }
}

/// Adds a slot to the sum of its span. One that is longer than the span, folded or imported, is a row of its own: how
/// its bytes spread over the span's neighbours is not known.
fn add(sums: &mut Vec<Sum>, slot: Slot, span: (Timestamp, Timestamp)) -> Result<(), QueryError> {
    let (start, end) = slot.until.filter(|until| *until > span.1).map_or(span, |until| (slot.start, until));
    match sums
        .iter_mut()
        .find(|s| s.start == start && s.end == end && s.zone == slot.zone && s.source == slot.source)
    {
        Some(sum) => {
            sum.volume = sum.volume.checked_add(slot.volume).ok_or(QueryError::Overflow { what: "usage" })?;
        }
        None => sums.push(Sum { start, end, zone: slot.zone, source: slot.source, volume: slot.volume }),
    }
    Ok(())
}

/// Long spans are summed from days and months; which of them hold anything is asked first.
fn by_bounds(tx: &Connection, query: &UsageQuery) -> Result<UsagePage, QueryError> {
    let mut page = UsagePage::default();
    let mut rest = Rest::load(tx, query)?;
    let mut at = query.from;
    loop {
        let next =
            [first_slot(tx, &query.iccid, at, query.until)?, rest.next(at)].into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next < query.until) else { break };
        let (start, end) = query.by.span(next);
        let (start, end) = (start.max(query.from), end.min(query.until));
        if page.rows.len() >= query.limit.max(1) {
            page.next = Some(start);
            break;
        }
        for (zone, source, volume) in rollup::sums(tx, &query.iccid, start.as_millis(), end.as_millis())? {
            page.rows.push(UsageRow { start, end, entry: Entry::Usage { zone, source, volume } });
        }
        for entry in rest.take(end)? {
            page.rows.push(UsageRow { start, end, entry });
        }
        at = end;
    }
    Ok(page)
}

/// The start of a SIM's first slot in a half-open span.
pub(crate) fn first_slot(
    conn: &Connection,
    iccid: &Iccid,
    from: Timestamp,
    until: Timestamp,
) -> Result<Option<Timestamp>, QueryError> {
    let start: Option<i64> = conn
        .prepare_cached(
            "SELECT start_ms FROM usage WHERE iccid = ?1 AND start_ms >= ?2 AND start_ms < ?3
             ORDER BY start_ms LIMIT 1",
        )?
        .query_row(params![iccid.as_str(), from.as_millis(), until.as_millis()], |row| row.get(0))
        .optional()?;
    Ok(start.map(Timestamp::from_millis))
}

struct Slot {
    start: Timestamp,
    /// Of a slot longer than an hour.
    until: Option<Timestamp>,
    zone: Zone,
    source: Source,
    volume: Volume,
}

impl Slot {
    fn read(row: &rusqlite::Row<'_>) -> Result<Self, QueryError> {
        Ok(Self {
            start: Timestamp::from_millis(row.get(0)?),
            until: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
            zone: Zone::from_text(text(row, 1, "usage.zone")?),
            source: source(text(row, 2, "usage.source")?)?,
            volume: Volume {
                rx: unsigned(row.get(3)?, "usage.rx_bytes")?,
                tx: unsigned(row.get(4)?, "usage.tx_bytes")?,
            },
        })
    }
}

/// A column's text where it lies: a long export reads it once a row.
pub(crate) fn text<'r>(
    row: &'r rusqlite::Row<'_>,
    index: usize,
    column: &'static str,
) -> Result<&'r str, QueryError> {
    row.get_ref(index)?
        .as_str()
        .map_err(|error| QueryError::Unreadable { column, problem: error.to_string() })
}

pub(crate) fn source(word: &str) -> Result<Source, QueryError> {
    let known = [Source::Kernel, Source::Modem, Source::User, Source::Import];
    known.into_iter().find(|source| source.as_str() == word).ok_or_else(|| QueryError::Unreadable {
        column: "usage.source",
        problem: format!("unknown source {word:?}"),
    })
}

/// Corrections and gaps of the query that lie ahead: few, so they are held.
struct Rest {
    /// By their instants.
    corrections: Peekable<IntoIter<(Timestamp, i64)>>,
    /// By their beginnings.
    gaps: Peekable<IntoIter<Hole>>,
    /// Gaps that have begun and reach further.
    open: Vec<Hole>,
}

struct Hole {
    from: Timestamp,
    until: Timestamp,
    reason: GapReason,
}

impl Rest {
    fn load(conn: &Connection, query: &UsageQuery) -> Result<Self, QueryError> {
        let span = params![query.iccid.as_str(), query.from.as_millis(), query.until.as_millis()];
        let corrections = collect(
            &mut conn.prepare_cached(
                "SELECT at_ms, bytes FROM correction
                 WHERE iccid = ?1 AND at_ms >= ?2 AND at_ms < ?3 ORDER BY at_ms, id",
            )?,
            span,
            |row| Ok((Timestamp::from_millis(row.get(0)?), row.get(1)?)),
        )?;
        // A gap of no length still touches the span that it lies in; one with an unknown side is a point.
        let gaps = collect(
            &mut conn.prepare_cached(
                "SELECT from_ms, max(until_ms, from_ms + 1), reason FROM
                 (SELECT coalesce(from_ms, until_ms) AS from_ms, coalesce(until_ms, from_ms) AS until_ms, reason
                  FROM gap WHERE iccid IS NULL OR iccid = ?1)
                 WHERE from_ms < ?3 AND max(until_ms, from_ms + 1) > ?2 ORDER BY from_ms",
            )?,
            span,
            |row| {
                Ok(Hole {
                    from: Timestamp::from_millis(row.get(0)?),
                    until: Timestamp::from_millis(row.get(1)?),
                    reason: from_word(row.get(2)?, "gap.reason")?,
                })
            },
        )?;
        Ok(Self {
            corrections: corrections.into_iter().peekable(),
            gaps: gaps.into_iter().peekable(),
            open: Vec::new(),
        })
    }

    /// The first instant from `at` on that something lies at.
    fn next(&mut self, at: Timestamp) -> Option<Timestamp> {
        let correction = self.corrections.peek().map(|(when, _)| *when);
        let open = (!self.open.is_empty()).then_some(at);
        let gap = self.gaps.peek().map(|gap| gap.from.max(at));
        [correction, open, gap].into_iter().flatten().min()
    }

    /// What lies before `end`, and gaps that reach over it.
    fn take(&mut self, end: Timestamp) -> Result<Vec<Entry>, QueryError> {
        let mut out = Vec::new();
        let mut bytes: Option<i64> = None;
        while let Some((_, more)) = self.corrections.next_if(|(when, _)| *when < end) {
            let sum = bytes.unwrap_or(0).checked_add(more);
            bytes = Some(sum.ok_or(QueryError::Overflow { what: "corrections" })?);
        }
        out.extend(bytes.map(|bytes| Entry::Correction { bytes }));
        while let Some(gap) = self.gaps.next_if(|gap| gap.from < end) {
            self.open.push(gap);
        }
        let reasons: BTreeMap<&str, GapReason> =
            self.open.iter().map(|gap| (gap.reason.as_str(), gap.reason)).collect();
        out.extend(reasons.into_values().map(|reason| Entry::Gap { reason }));
        self.open.retain(|gap| gap.until > end);
        Ok(out)
    }
}
