//! Counters to ledger entries: whose growth, since when, and what cannot be known.
//!
//! A counter is *owned* by the SIM whose bearer uses it. Growth of an owned counter is usage. While nobody can
//! confirm the owner (ModemManager is gone, the modem is gone, the service has just begun) ownership is
//! *presumed*: growth is held back, not booked, until the same SIM is seen again; then it is booked whole. Should
//! another SIM be seen instead, the growth belongs to nobody known and becomes a gap.
//!
//! A counter that is claimed anew counts from the claim on, except where it is known that nothing else can have
//! passed before: the link was born while its modem connected, or it replaces one that the same SIM used.

mod bearers;
mod counter;
mod links;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::billing::Edges;
use crate::counter::LinkReading;
use crate::effect::Change;
use crate::ident::{BootId, Iccid, IfIndex, ModemId};
use crate::ledger::{Baseline, Epoch, EpochId, Gap, GapReason, UsageSlot, Volume, When, Zone};
use crate::modem::ModemView;
use crate::time::{Span, Stamp, Timestamp};
use counter::Counter;
use links::Seen;

/// Whose bytes a counter counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The SIM.
    pub iccid: Iccid,
    /// Where it is.
    pub zone: Zone,
    /// Access point name.
    pub apn: Option<String>,
    /// In which modem.
    pub modem: ModemId,
}

/// Every counter, and what is booked but not yet committed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Accounting {
    boot: Option<BootId>,
    next_epoch: i64,
    links: BTreeMap<IfIndex, Counter>,
    bearers: BTreeMap<String, Counter>,
    /// Baselines that the ledger holds and no counter was found for yet: bearers of a ModemManager not seen yet.
    waiting: BTreeMap<String, Baseline>,
    /// Interfaces that vanished, by name, with the SIM that used them: the interface of the same name that replaces
    /// one of them counts for that SIM from the moment the service first saw it.
    vanished: BTreeMap<String, (Iccid, IfIndex)>,
    /// Connections that the kernel counted, or a part of them, with their start.
    by_kernel: BTreeMap<String, Option<Timestamp>>,
    pending: Vec<UsageSlot>,
    changes: Vec<Change>,
    unsaved_bytes: u64,
    unsaved_since_boot_ms: Option<u64>,
}

/// Usage booked in one step, for the totals in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// Whose.
    pub iccid: Iccid,
    /// Where.
    pub zone: Zone,
    /// When.
    pub when: When,
    /// How much.
    pub volume: Volume,
    /// In which connection.
    pub session: EpochId,
}

impl Accounting {
    /// Begins from what the ledger holds.
    #[must_use]
    pub fn restored(next_epoch: i64, baselines: Vec<Baseline>) -> Self {
        Self {
            next_epoch: next_epoch.max(1),
            waiting: baselines.into_iter().map(|b| (b.counter.clone(), b)).collect(),
            ..Self::default()
        }
    }

    /// Compares the kernel's links with the ledger's baselines, once, before anything else.
    pub fn started(&mut self, boot: &BootId, found: &[LinkReading], at: Stamp) {
        self.boot = Some(boot.clone());
        let waiting = std::mem::take(&mut self.waiting);
        for reading in found {
            self.links.insert(reading.ifindex, Counter::link(reading, at));
        }
        for (key, base) in waiting {
            let same_boot = base.boot == *boot;
            let Some(ifindex) = base.ifindex else {
                // ModemManager's figures outlive neither a reboot nor, mostly, its restart.
                if same_boot {
                    self.waiting.insert(key, base);
                } else {
                    self.lose(&base, GapReason::Rebooted, at);
                }
                continue;
            };
            if !same_boot {
                self.remember_vanished(&base, IfIndex(0));
                self.lose(&base, GapReason::Rebooted, at);
                continue;
            }
            let link = self.links.get_mut(&ifindex).filter(|link| link.interface == base.interface);
            match link {
                Some(link) if link.latest.0 >= base.rx_bytes && link.latest.1 >= base.tx_bytes => {
                    link.resume(&base, at);
                }
                Some(link) => {
                    let latest = link.latest;
                    link.resume(&base, at);
                    link.rebase(latest, at);
                    self.lose_keeping(&base, GapReason::CounterReset, at);
                }
                None => {
                    self.remember_vanished(&base, ifindex);
                    self.lose(&base, GapReason::InterfaceVanished, at);
                }
            }
        }
    }

    fn remember_vanished(&mut self, base: &Baseline, ifindex: IfIndex) {
        if let (Some(name), Some(iccid)) = (&base.interface, &base.iccid) {
            self.vanished.insert(name.clone(), (iccid.clone(), ifindex));
        }
    }

    fn lose(&mut self, base: &Baseline, reason: GapReason, at: Stamp) {
        self.changes.push(Change::DropBaseline { counter: base.counter.clone() });
        self.lose_keeping(base, reason, at);
    }

    fn lose_keeping(&mut self, base: &Baseline, reason: GapReason, at: Stamp) {
        if base.iccid.is_none() {
            return;
        }
        let detail = match (&base.interface, base.ifindex) {
            (Some(name), Some(index)) => format!("interface {name} (index {})", index.0),
            _ => "bearer statistics".to_owned(),
        };
        self.changes.push(Change::AppendGap(Gap {
            iccid: base.iccid.clone(),
            from: base.read_at,
            until: dated(at),
            reason,
            detail,
        }));
    }

    /// A modem as seen now: its bearers own their counters. The kernel's links were read just before.
    pub fn modem_seen(
        &mut self,
        modem: &ModemView,
        zone: &Zone,
        ppp_interface: Option<&str>,
        just_seen: bool,
        at: Stamp,
        splits: &Splits,
    ) -> Vec<Booked> {
        let mut booked = Vec::new();
        let iccid = modem.sim.as_ref().and_then(|sim| sim.iccid.as_ref());
        let seen = Seen { modem, iccid, zone, ppp_interface, just_seen, at, splits };
        self.settle_links(&seen, &mut booked);
        self.settle_bearers(&seen, &mut booked);
        booked
    }

    fn claim(&mut self, counter: &mut Counter, owner: Owner, at: Stamp) {
        let id = EpochId(self.next_epoch.max(1));
        self.next_epoch = id.0.saturating_add(1);
        if let Some(boot) = &self.boot {
            self.changes.push(Change::OpenEpoch(Epoch {
                id,
                iccid: owner.iccid.clone(),
                zone: owner.zone.clone(),
                source: counter.source,
                boot: boot.clone(),
                ifindex: counter.ifindex,
                interface: counter.interface.clone(),
                apn: owner.apn.clone(),
                began: dated(at),
                began_boot_ms: at.boot_ms,
                session: None,
                modem: Some(owner.modem.clone()),
            }));
        }
        counter.owner = Some(owner);
        counter.epoch = Some(id);
        counter.booked_at = at;
        counter.confirm();
        counter.dirty = true;
    }

    fn release(&mut self, key: &str, counter: &mut Counter) {
        if counter.owner.take().is_some() {
            self.changes.push(Change::DropBaseline { counter: key.to_owned() });
        }
        counter.epoch = None;
        counter.confirm();
        counter.dirty = false;
        counter.booked = counter.latest;
    }

    /// The growth held back belongs to nobody known: another SIM is in the modem now.
    fn abandon(&mut self, key: &str, counter: &mut Counter, at: Stamp) {
        let (rx, tx) = counter.growth();
        if (rx > 0 || tx > 0)
            && let Some(base) = counter.baseline(key, self.boot.as_ref())
        {
            let gap = Gap {
                iccid: base.iccid.clone(),
                from: base.read_at,
                until: dated(at),
                reason: GapReason::SimChanged,
                detail: format!(
                    "{} counted {rx} B received and {tx} B sent while it was not known which SIM was in use",
                    base.interface.as_deref().unwrap_or("the bearer")
                ),
            };
            self.changes.push(Change::AppendGap(gap));
        }
        self.release(key, counter);
    }

    /// A modem, or with none every modem, can no longer be seen: what its counters do is held back.
    pub fn modems_lost(&mut self, modem: Option<&ModemId>) {
        for counter in self.links.values_mut() {
            let hit = counter.owner.as_ref().is_some_and(|o| modem.is_none_or(|m| o.modem == *m));
            if hit {
                counter.presumed = true;
            }
        }
        self.bearers_lost(modem);
    }

    fn book(&mut self, counter: &mut Counter, at: Stamp, splits: &Splits, booked: &mut Vec<Booked>) {
        let (rx, tx) = counter.growth();
        let from = counter.booked_at;
        if let (true, Some(owner), Some(epoch), Some(boot)) =
            (rx > 0 || tx > 0, counter.owner.as_ref(), counter.epoch, self.boot.as_ref())
        {
            let when = slot(owner, boot, from, at, splits);
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
            self.unsaved_since_boot_ms.get_or_insert(at.boot_ms);
            booked.push(Booked {
                iccid: owner.iccid.clone(),
                zone: owner.zone.clone(),
                when,
                volume,
                session: epoch,
            });
            counter.dirty = true;
        }
        counter.booked = counter.latest;
        counter.booked_at = at;
    }

    /// Everything not committed yet, as one transaction's changes: entries and baselines together.
    pub fn flush(&mut self, at: Stamp) -> Vec<Change> {
        let mut out = std::mem::take(&mut self.changes);
        out.extend(std::mem::take(&mut self.pending).into_iter().map(Change::AddUsage));
        let boot = self.boot.clone();
        let links = self.links.iter_mut().map(|(index, counter)| (link_key(*index), counter));
        let bearers = self.bearers.iter_mut().map(|(key, counter)| (key.clone(), counter));
        for (key, counter) in links.chain(bearers) {
            if counter.dirty {
                counter.dirty = false;
                if let Some(mut base) = counter.baseline(&key, boot.as_ref()) {
                    base.read_at = dated(counter.booked_at).or_else(|| dated(at));
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

    /// Usage booked and not committed, in bytes, of each SIM.
    #[must_use]
    pub fn unsaved_by_sim(&self) -> BTreeMap<&Iccid, u64> {
        let mut sums: BTreeMap<&Iccid, u64> = BTreeMap::new();
        for slot in &self.pending {
            let sum = sums.entry(&slot.iccid).or_default();
            *sum = sum.saturating_add(slot.rx_bytes).saturating_add(slot.tx_bytes);
        }
        sums
    }

    /// Whether there is anything that a flush would commit beyond usage: gaps, epochs, dropped baselines.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Whether any counter of the kernel is owned: whether reading makes sense.
    #[must_use]
    pub fn anything_owned(&self) -> bool {
        self.links.values().any(|c| c.owner.is_some())
    }

    /// The connections of a SIM that are counted now, with their zones.
    pub fn open_sessions(&self, iccid: &Iccid) -> impl Iterator<Item = (EpochId, &Zone)> {
        let counters = self.links.values().chain(self.bearers.values());
        counters.filter_map(move |counter| {
            let owner = counter.owner.as_ref().filter(|owner| owner.iccid == *iccid)?;
            Some((counter.epoch?, &owner.zone))
        })
    }

    /// The SIMs whose bearers certainly use a counter of the kernel; one that uses several stands there as often.
    pub fn owners(&self) -> impl Iterator<Item = &Iccid> {
        let certain = self.links.values().filter(|counter| !counter.presumed);
        certain.filter_map(|counter| counter.owner.as_ref()).map(|owner| &owner.iccid)
    }

    /// Whether a SIM's usage is held back now, because nobody can confirm which SIM is in use.
    #[must_use]
    pub fn is_uncertain(&self, iccid: &Iccid) -> bool {
        self.links.values().any(|c| c.presumed && c.owner.as_ref().is_some_and(|o| o.iccid == *iccid))
    }
}

/// The instants that no slot of a SIM spans.
pub type Splits = BTreeMap<Iccid, Split>;

/// The instants that no slot of one SIM spans.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// At which its cycle begins and ends.
    pub bounds: Vec<Timestamp>,
    /// At which its plan begins to bill otherwise, day by day.
    pub edges: Option<Arc<Edges>>,
}

impl Split {
    /// The newest of them after one instant until another, included.
    fn last(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let edge = self.edges.as_ref().map(|edges| edges.last(until));
        self.bounds.iter().copied().chain(edge).filter(|at| *at > after && *at <= until).max()
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

fn link_key(index: IfIndex) -> String {
    format!("link:{}", index.0)
}

fn dated(at: Stamp) -> Option<Timestamp> {
    at.trusted.then_some(at.wall)
}

fn millis(boot_ms: u64) -> i64 {
    i64::try_from(boot_ms).unwrap_or(i64::MAX)
}
