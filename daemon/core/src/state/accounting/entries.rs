//! Growth becomes entries: booked into slots, committed together with the baselines they were made from.

use super::{Accounting, Booked, Counter, Owner, Splits, dated};
use crate::effect::Change;
use crate::ident::BootId;
use crate::ledger::{UsageSlot, Volume, When};
use crate::time::{Span, Stamp};

impl Accounting {
    pub(super) fn book(
        &mut self,
        counter: &mut Counter,
        at: Stamp,
        splits: &Splits,
        booked: &mut Vec<Booked>,
    ) {
        let (rx, tx) = counter.growth();
        let from = counter.booked_at;
        if let (true, Some(owner), Some(epoch), Some(boot)) =
            (rx > 0 || tx > 0, counter.owner.as_ref(), counter.epoch, self.boot.as_ref())
        {
            let when = slot(owner, boot, from, at, splits);
            // When the first byte of it may have passed; another boot's clock says no time of this one.
            let oldest = from.boot_ms.min(at.boot_ms);
            let (from, until) = match when {
                When::Hour(_) => {
                    // By `CLOCK_BOOTTIME`: the wall clock may have been set since, or not believed then.
                    let length = Span(-millis(at.boot_ms.saturating_sub(from.boot_ms)));
                    (at.wall.saturating_add(length).as_millis(), at.wall.as_millis())
                }
                When::Undated { .. } => (millis(from.boot_ms), millis(at.boot_ms)),
            };
            let volume = Volume { rx, tx };
            let slot = UsageSlot {
                epoch,
                iccid: owner.iccid.clone(),
                zone: owner.zone.clone(),
                source: counter.source,
                when: when.clone(),
                rx_bytes: rx,
                tx_bytes: tx,
                from,
                until,
            };
            let known = self.pending.iter_mut().find(|p| p.epoch == slot.epoch && p.when == slot.when);
            match known {
                Some(known) => {
                    known.rx_bytes = known.rx_bytes.saturating_add(rx);
                    known.tx_bytes = known.tx_bytes.saturating_add(tx);
                    known.from = known.from.min(slot.from);
                    known.until = known.until.max(slot.until);
                }
                None => self.pending.push(slot),
            }
            self.unsaved_bytes = self.unsaved_bytes.saturating_add(volume.total());
            self.unsaved_since_boot_ms.get_or_insert(oldest);
            booked.push(Booked {
                iccid: owner.iccid.clone(),
                zone: owner.zone.clone(),
                when,
                volume,
                session: counter.session.unwrap_or(epoch),
            });
            counter.dirty = true;
        }
        counter.all_booked(at);
        self.follow(counter);
    }

    /// Everything not committed yet, as one transaction's changes: entries and baselines together.
    pub fn flush(&mut self, at: Stamp) -> Vec<Change> {
        self.keep_told_sessions(at);
        self.keep_long_sessions(at);
        let mut out = std::mem::take(&mut self.changes);
        out.extend(std::mem::take(&mut self.pending).into_iter().map(Change::AddUsage));
        let boot = self.boot.clone();
        for counter in self.links.values_mut().chain(self.bearers.values_mut()) {
            if counter.dirty {
                counter.dirty = false;
                if let Some(mut base) = counter.baseline(boot.as_ref()) {
                    base.read_at = base.read_at.or_else(|| dated(at));
                    out.push(Change::SetBaseline(base));
                }
            }
        }
        self.unsaved_bytes = 0;
        self.unsaved_since_boot_ms = None;
        out
    }

    /// Usage booked and not committed, in bytes, and since when by `CLOCK_BOOTTIME`.
    #[must_use]
    pub const fn unsaved(&self) -> (u64, Option<u64>) {
        (self.unsaved_bytes, self.unsaved_since_boot_ms)
    }

    /// Whether there is anything that a flush would commit beyond usage: gaps, epochs, dropped baselines.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }
}

fn slot(owner: &Owner, boot: &BootId, from: Stamp, at: Stamp, splits: &Splits) -> When {
    const HOUR_MS: u64 = 3_600_000;
    if !at.trusted {
        let boot_hour_ms = (at.boot_ms / HOUR_MS).saturating_mul(HOUR_MS);
        return When::Undated { boot: boot.clone(), boot_hour_ms };
    }
    // An interval that straddles a boundary belongs to the side that holds more of it. Only an interval that
    // `CLOCK_BOOTTIME` confirms is taken at its word: the wall clock may have been set in between.
    let length = at.boot_ms.saturating_sub(from.boot_ms);
    let middle = at.wall.saturating_add(Span(-(millis(length) / 2)));
    let hour = middle.hour_start();
    let split = splits.get(&owner.iccid).and_then(|split| split.last(hour, middle));
    When::Hour(split.unwrap_or(hour))
}

fn millis(boot_ms: u64) -> i64 {
    i64::try_from(boot_ms).unwrap_or(i64::MAX)
}
