//! Totals: always summed from the entries, never kept.

use rusqlite::params;
use simbell_core::effect::TotalsQuery;
use simbell_core::ident::Iccid;
use simbell_core::ledger::{Volume, Zone};
use simbell_core::time::Timestamp;

use crate::failure::ErrorKind;
use crate::open::Store;
use crate::rollup;
use crate::rows::{QueryError, unsigned};

/// The answer to a [`TotalsQuery`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Σ of the entries whose slots start in the span, by zone, in the order of their names.
    pub by_zone: Vec<(Zone, Volume)>,
    /// Σ of the corrections that count in the span: signed bytes of both directions.
    pub corrections: i64,
    /// First instant of the SIM's first dated entry ever, in the span or not.
    pub first_at: Option<Timestamp>,
    /// Σ of the SIM's entries that wait for their date: in no span, and not in `by_zone`.
    pub undated: Volume,
}

impl Store {
    /// Sums a SIM's entries in a half-open span of slot starts.
    ///
    /// # Errors
    /// When the ledger cannot be read, or a sum does not fit.
    pub fn totals(&self, query: &TotalsQuery) -> Result<Totals, QueryError> {
        let tx = self.conn.unchecked_transaction()?;
        let iccid = query.iccid.as_str();
        let from = query.from.as_millis();
        let until = query.until.map(Timestamp::as_millis);
        let mut by_zone: Vec<(Zone, Volume)> = Vec::new();
        for (zone, _, volume) in rollup::sums(&tx, &query.iccid, from, until.unwrap_or(i64::MAX))? {
            match by_zone.last_mut().filter(|(last, _)| *last == zone) {
                Some((_, sum)) => {
                    *sum = sum
                        .checked_add(volume)
                        .filter(|sum| i64::try_from(sum.rx.max(sum.tx)).is_ok())
                        .ok_or(QueryError::Overflow { what: "usage" })?;
                }
                None => by_zone.push((zone, volume)),
            }
        }
        let corrections = corrections(&tx, &query.iccid, from, until)?;
        let first: Option<i64> = tx
            .prepare_cached(
                "SELECT min(first_ms) FROM
                 (SELECT first_ms FROM usage WHERE iccid = ?1 ORDER BY start_ms LIMIT 16)",
            )?
            .query_row(params![iccid], |row| row.get(0))?;
        Ok(Totals {
            by_zone,
            corrections,
            first_at: first.map(Timestamp::from_millis),
            undated: undated(&tx, &query.iccid)?,
        })
    }
}

/// Σ of a SIM's corrections in a half-open span.
pub(crate) fn corrections(
    conn: &rusqlite::Connection,
    iccid: &Iccid,
    from: i64,
    until: Option<i64>,
) -> Result<i64, QueryError> {
    conn.prepare_cached(
        "SELECT coalesce(sum(bytes), 0) FROM correction
         WHERE iccid = ?1 AND at_ms >= ?2 AND (?3 IS NULL OR at_ms < ?3)",
    )?
    .query_row(params![iccid.as_str(), from, until], |row| row.get(0))
    .map_err(|error| fits(error.into(), "corrections"))
}

fn undated(conn: &rusqlite::Connection, iccid: &Iccid) -> Result<Volume, QueryError> {
    let (rx, tx): (i64, i64) = conn
        .prepare_cached(
            "SELECT coalesce(sum(rx_bytes), 0), coalesce(sum(tx_bytes), 0) FROM usage_undated WHERE iccid = ?1",
        )?
        .query_row(params![iccid.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|error| fits(error.into(), "undated usage"))?;
    Ok(Volume { rx: unsigned(rx, "usage_undated.rx_bytes")?, tx: unsigned(tx, "usage_undated.tx_bytes")? })
}

/// SQLite's `sum` fails with a plain error where integers overflow; it never falls back to floating point for them.
pub(crate) fn fits(error: QueryError, what: &'static str) -> QueryError {
    match &error {
        QueryError::Sqlite(source)
            if ErrorKind::of_sqlite(source) == ErrorKind::Internal
                && source.to_string().contains("integer overflow") =>
        {
            QueryError::Overflow { what }
        }
        _ => error,
    }
}
