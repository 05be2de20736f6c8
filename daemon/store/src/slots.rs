//! Usage slots: added to, and dated.

use rusqlite::{Connection, params};
use simbell_core::ident::BootId;
use simbell_core::ledger::{UsageSlot, When};
use simbell_core::time::Timestamp;

use crate::apply::{Failure, Made, run, signed};
use crate::rollup::{self, Mark};

/// A slot's columns, in either table of usage.
struct Slot {
    iccid: String,
    start: i64,
    epoch: i64,
    zone: String,
    source: String,
    rx: i64,
    tx: i64,
    first: i64,
    last: i64,
}

/// Adds usage to its slot, dated or not.
pub(crate) fn add_usage(tx: &Connection, slot: &UsageSlot, mark: &Mark) -> Made {
    let columns = |start| -> Result<Slot, Failure> {
        Ok(Slot {
            iccid: slot.iccid.as_str().to_owned(),
            start,
            epoch: slot.epoch.0,
            zone: slot.zone.to_text(),
            source: slot.source.as_str().to_owned(),
            rx: signed(slot.rx_bytes, "rx_bytes")?,
            tx: signed(slot.tx_bytes, "tx_bytes")?,
            first: slot.from,
            last: slot.until,
        })
    };
    match &slot.when {
        When::Hour(start) => add_dated(tx, &columns(start.as_millis())?, mark),
        When::Undated { boot, boot_hour_ms } => {
            add_undated(tx, boot, columns(signed(*boot_hour_ms, "boot_hour_ms")?)?)
        }
    }
}

pub(crate) const ADD_DATED: &str = "INSERT INTO usage
     (iccid, start_ms, epoch, zone, source, rx_bytes, tx_bytes, first_ms, last_ms)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
     ON CONFLICT DO UPDATE SET rx_bytes = rx_bytes + excluded.rx_bytes, tx_bytes = tx_bytes + excluded.tx_bytes,
     first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)";

fn add_dated(tx: &Connection, slot: &Slot, mark: &Mark) -> Made {
    let more = rollup::More {
        iccid: &slot.iccid,
        start: slot.start,
        zone: &slot.zone,
        source: &slot.source,
        rx: slot.rx,
        tx: slot.tx,
    };
    rollup::add(tx, &more, mark)?;
    tx.prepare_cached(ADD_DATED)?
        .execute(params![
            slot.iccid,
            slot.start,
            slot.epoch,
            slot.zone,
            slot.source,
            slot.rx,
            slot.tx,
            slot.first,
            slot.last
        ])
        .map_err(|error| rollup::too_large(error, "the slot's bytes"))?;
    Ok(())
}

fn add_undated(tx: &Connection, boot: &BootId, mut slot: Slot) -> Made {
    let mut there = tx.prepare_cached(
        "SELECT rx_bytes, tx_bytes, first_boot_ms, last_boot_ms FROM usage_undated
         WHERE boot = ?1 AND start_boot_ms = ?2 AND iccid = ?3 AND epoch = ?4 AND zone = ?5 AND source = ?6",
    )?;
    let mut rows =
        there.query(params![boot.as_str(), slot.start, slot.iccid, slot.epoch, slot.zone, slot.source])?;
    if let Some(row) = rows.next()? {
        slot.join(row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)?;
    }
    drop(rows);
    run(
        tx,
        "INSERT OR REPLACE INTO usage_undated VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            boot.as_str(),
            slot.start,
            slot.iccid,
            slot.epoch,
            slot.zone,
            slot.source,
            slot.rx,
            slot.tx,
            slot.first,
            slot.last
        ],
    )
}

impl Slot {
    /// Adds what is there already.
    fn join(&mut self, rx: i64, tx: i64, first: i64, last: i64) -> Made {
        self.rx = self.rx.checked_add(rx).ok_or(Failure::Overflow("the slot's rx_bytes"))?;
        self.tx = self.tx.checked_add(tx).ok_or(Failure::Overflow("the slot's tx_bytes"))?;
        self.first = self.first.min(first);
        self.last = self.last.max(last);
        Ok(())
    }
}

/// Undated slots of the boot become dated ones, each from the first instant it covers.
pub(crate) fn date_entries(tx: &Connection, boot: &BootId, offset: i64) -> Made {
    date(tx, boot.as_str(), offset, i64::MIN, false)
}

/// Undated slots of the boots before this one: the last of them ends as this boot begins, the one before it ends as
/// that one began. An entry that would lie before `after` begins there.
pub(crate) fn date_earlier_boots(
    tx: &Connection,
    this: &BootId,
    before: Timestamp,
    after: Option<Timestamp>,
) -> Made {
    let too_large = || Failure::Overflow("the date of an earlier boot");
    let mut end = before.as_millis();
    let floor = after.map_or(i64::MIN, Timestamp::as_millis).min(end);
    // Epochs grow: they tell in which order the boots were.
    let mut boots = tx.prepare_cached(
        "SELECT boot, max(last_boot_ms) FROM usage_undated WHERE boot <> ?1 GROUP BY boot ORDER BY max(epoch) DESC",
    )?;
    let mut rows = boots.query(params![this.as_str()])?;
    let mut found: Vec<(String, i64)> = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, row.get(1)?));
    }
    for (boot, last) in found {
        let offset = end.checked_sub(last).ok_or_else(too_large)?;
        date(tx, &boot, offset, floor, true)?;
        end = offset;
    }
    Ok(())
}

/// `about`: the date is only known to lie between two boots.
fn date(tx: &Connection, boot: &str, offset: i64, floor: i64, about: bool) -> Made {
    let dated = |boot_ms: i64| {
        boot_ms.checked_add(offset).map(|at| at.max(floor)).ok_or(Failure::Overflow("offset_ms"))
    };
    let mark = Mark::default();
    let mut undated = tx.prepare_cached(
        "SELECT iccid, start_boot_ms, epoch, zone, source, rx_bytes, tx_bytes, first_boot_ms, last_boot_ms
         FROM usage_undated WHERE boot = ?1",
    )?;
    let mut rows = undated.query(params![boot])?;
    while let Some(row) = rows.next()? {
        let (start, first): (i64, i64) = (row.get(1)?, row.get(7)?);
        let slot = Slot {
            iccid: row.get(0)?,
            start: dated(start.max(first))?,
            epoch: row.get(2)?,
            zone: row.get(3)?,
            source: row.get(4)?,
            rx: row.get(5)?,
            tx: row.get(6)?,
            first: dated(first)?,
            last: dated(row.get(8)?)?,
        };
        if about {
            run(tx, "UPDATE epoch SET about = 1 WHERE id = ?1", params![slot.epoch])?;
        }
        add_dated(tx, &slot, &mark)?;
    }
    drop(rows);
    run(tx, "DELETE FROM usage_undated WHERE boot = ?1", params![boot])?;
    run(
        tx,
        "UPDATE epoch SET began_ms = max(began_boot_ms + ?2, ?3) WHERE boot = ?1 AND began_ms IS NULL",
        params![boot, offset, floor],
    )?;
    run(
        tx,
        "UPDATE session SET began_ms = max(began_boot_ms + ?2, ?3) WHERE boot = ?1 AND began_ms IS NULL",
        params![boot, offset, floor],
    )
}
