//! Rows of usage column by column, for exports: days are made of hours, which months that are over have packed.

use rusqlite::Connection;
use simbell_core::ledger::{Source, Volume, Zone};
use simbell_core::time::Timestamp;
use simbell_core::zone::ZoneRules;

use crate::columns::{Columns, hours};
use crate::open::Store;
use crate::reader::Reader;
use crate::rows::QueryError;
use crate::usage::{Entry, UsageBy, UsageQuery, usage};

/// Rows of hours looked at before it is asked whether there are enough days.
const HOURS_AT_ONCE: usize = 4_096;
const HOUR_S: i64 = 3_600;

macro_rules! columns_of {
    ($type:ty) => {
        impl $type {
            /// The rows of usage that [`Store::usage`] gives, without corrections and gaps, column by column: at least
            /// `limit` where there are so many, and where to go on. By hour a slot's place is its hour.
            ///
            /// # Errors
            /// When the ledger cannot be read, or a sum does not fit.
            pub fn columns(&self, query: &UsageQuery) -> Result<(Columns, Option<Timestamp>), QueryError> {
                let tx = self.conn.unchecked_transaction()?;
                match &query.by {
                    UsageBy::Hour => hours(&tx, &query.iccid, query.from, query.until, query.limit),
                    UsageBy::Day(zone) if has_whole_hours(zone) => days(&tx, query),
                    UsageBy::HourOfDay(_) | UsageBy::Day(_) | UsageBy::Bounds(_) => rows(&tx, query),
                }
            }
        }
    };
}

columns_of!(Store);
columns_of!(Reader);

impl UsageBy {
    /// Hours, of which each is of one day of the zone.
    #[must_use]
    pub fn hours_of(zone: &ZoneRules) -> Self {
        if has_whole_hours(zone) { Self::Hour } else { Self::HourOfDay(zone.clone()) }
    }
}

/// Whether every day of the zone begins with an hour of UTC: then hours say in which day they lie.
fn has_whole_hours(zone: &ZoneRules) -> bool {
    let whole = |seconds: i64| seconds.rem_euclid(HOUR_S) == 0;
    whole(i64::from(zone.first_offset_s))
        && zone.transitions.iter().all(|(at, offset)| whole(*at) && whole(i64::from(*offset)))
}

fn days(tx: &Connection, query: &UsageQuery) -> Result<(Columns, Option<Timestamp>), QueryError> {
    let mut days = Days::of(query);
    let mut at = query.from;
    loop {
        let (some, next) = hours(tx, &query.iccid, at, query.until, HOURS_AT_ONCE)?;
        days.take(&some)?;
        let Some(next) = next else {
            days.end();
            return Ok((days.done, None));
        };
        if days.done.rx.len() >= query.limit.max(1) {
            // The day that was begun is read again, whole.
            return Ok((days.done, Some(days.span.0)));
        }
        at = next;
    }
}

fn rows(tx: &Connection, query: &UsageQuery) -> Result<(Columns, Option<Timestamp>), QueryError> {
    let page = usage(tx, query)?;
    let mut columns = Columns::default();
    for row in page.rows {
        let Entry::Usage { zone, source, volume } = row.entry else { continue };
        let kind = columns.kind_of((zone, source));
        columns.push((row.start.as_millis(), row.end.as_millis()), kind, volume);
    }
    Ok((columns, page.next))
}

/// Days in the making.
struct Days {
    by: UsageBy,
    from: Timestamp,
    until: Timestamp,
    /// The day that is being summed.
    span: (Timestamp, Timestamp),
    sums: Vec<Sum>,
    done: Columns,
}

struct Sum {
    start: Timestamp,
    end: Timestamp,
    zone: Zone,
    source: Source,
    volume: Volume,
}

impl Days {
    fn of(query: &UsageQuery) -> Self {
        Self {
            by: query.by.clone(),
            from: query.from,
            until: query.until,
            span: (query.from, query.from),
            sums: Vec::new(),
            done: Columns::default(),
        }
    }

    fn take(&mut self, hours: &Columns) -> Result<(), QueryError> {
        let mut volumes = hours.rx.iter().zip(&hours.tx);
        for run in &hours.runs {
            let Some((zone, source)) = hours.series.get(run.kind) else { continue };
            // Where the run's rows are summed up; looked for anew on each day.
            let mut place: Option<usize> = None;
            for (row, (rx, tx)) in volumes.by_ref().take(run.rows).enumerate() {
                let start = Timestamp::from_millis(run.start_of(row));
                let end = Timestamp::from_millis(run.start_of(row.saturating_add(1)));
                if start >= self.span.1 {
                    self.end();
                    let (first, last) = self.by.span(start);
                    self.span = (first.max(self.from), last.min(self.until));
                    place = None;
                }
                // One that is longer than the day is a row of its own.
                let longer = end > self.span.1;
                let (start, end) = if longer { (start, end) } else { self.span };
                let at = match place.filter(|_| !longer) {
                    Some(at) => at,
                    None => self.place(start, end, zone, *source),
                };
                place = (!longer).then_some(at);
                if let Some(sum) = self.sums.get_mut(at) {
                    let more = Volume { rx: *rx, tx: *tx };
                    sum.volume =
                        sum.volume.checked_add(more).ok_or(QueryError::Overflow { what: "usage" })?;
                }
            }
        }
        Ok(())
    }

    fn place(&mut self, start: Timestamp, end: Timestamp, zone: &Zone, source: Source) -> usize {
        let same = |sum: &Sum| (sum.start, sum.end, sum.source) == (start, end, source) && sum.zone == *zone;
        self.sums.iter().position(same).unwrap_or_else(|| {
            self.sums.push(Sum { start, end, zone: zone.clone(), source, volume: Volume::default() });
            self.sums.len().saturating_sub(1)
        })
    }

    /// The day is over.
    fn end(&mut self) {
        self.sums.sort_by(|one, other| {
            (one.start, one.end, &one.zone, one.source).cmp(&(
                other.start,
                other.end,
                &other.zone,
                other.source,
            ))
        });
        for sum in self.sums.drain(..) {
            let kind = self.done.kind_of((sum.zone, sum.source));
            self.done.push((sum.start.as_millis(), sum.end.as_millis()), kind, sum.volume);
        }
    }
}
