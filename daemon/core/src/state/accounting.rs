//! Counters to ledger entries: whose growth, since when, and what cannot be known.
//!
//! A counter is *owned* by the SIM whose bearer uses it. Growth of an owned counter is usage. While nobody can
//! confirm the owner (ModemManager is gone, the modem is gone, the service has just begun) ownership is
//! *presumed*: growth is held back, not booked, until the same SIM is seen again; then it is booked whole. Should
//! another SIM be seen instead, the growth belongs to nobody known and becomes a gap.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::counter::LinkReading;
use crate::effect::Change;
use crate::ident::{BootId, Iccid, IfIndex, ModemId};
use crate::ledger::{Baseline, Epoch, EpochId, Gap, GapReason, Source, UsageSlot, Volume, When, Zone};
use crate::modem::{BearerStats, ModemView};
use crate::time::{Stamp, Timestamp};

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

/// One counter, of the kernel or of ModemManager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Counter {
    source: Source,
    ifindex: Option<IfIndex>,
    interface: Option<String>,
    start: Option<Timestamp>,
    latest: (u64, u64),
    booked: (u64, u64),
    booked_at: Stamp,
    owner: Option<Owner>,
    epoch: Option<EpochId>,
    presumed: bool,
    /// Taken when the modem began to connect: growth since then belongs to the bearer that comes of it.
    connecting: Option<(u64, u64)>,
    /// The link appeared while the service watched and nobody has owned it yet.
    newborn: bool,
    dirty: bool,
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
    /// one of them began after its last reading and counts in full for that SIM.
    vanished: BTreeMap<String, (Iccid, IfIndex)>,
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
            self.links.insert(reading.ifindex, Counter::link(reading, at, false));
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
                    link.dirty = true;
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

    /// Books the growth of every link read. Links not known yet began just now.
    pub fn links_read(&mut self, readings: &[LinkReading], at: Stamp, splits: &Splits) -> Vec<Booked> {
        let mut booked = Vec::new();
        for reading in readings {
            self.link_read(reading, at, splits, &mut booked);
        }
        booked
    }

    /// As [`Accounting::links_read`], and links that are not in the dump are gone: their last bytes are lost.
    pub fn links_resynchronised(&mut self, dump: &[LinkReading], at: Stamp, splits: &Splits) -> Vec<Booked> {
        let booked = self.links_read(dump, at, splits);
        let gone: Vec<IfIndex> =
            self.links.keys().filter(|index| !dump.iter().any(|r| r.ifindex == **index)).copied().collect();
        for index in gone {
            if let Some(link) = self.links.remove(&index)
                && let Some(base) = link.baseline(&link_key(index), self.boot.as_ref())
            {
                self.lose(&base, GapReason::EventsLost, at);
            }
        }
        booked
    }

    /// A link appeared: whatever it counts, it counts since now.
    pub fn link_appeared(&mut self, reading: &LinkReading, at: Stamp, splits: &Splits) -> Vec<Booked> {
        let mut booked = Vec::new();
        match self.links.get(&reading.ifindex) {
            Some(link) if link.interface.as_deref() == Some(reading.name.as_str()) => {
                self.link_read(reading, at, splits, &mut booked);
            }
            Some(_) => {
                // Renamed: the same counter under another name.
                if let Some(link) = self.links.get_mut(&reading.ifindex) {
                    link.interface = Some(reading.name.clone());
                    link.dirty = true;
                }
                self.link_read(reading, at, splits, &mut booked);
            }
            None => {
                self.links.insert(reading.ifindex, Counter::link(reading, at, true));
            }
        }
        booked
    }

    /// No modem is about to use a link that nobody has claimed: what it counts from now on is not its birth's.
    pub fn forget_newborn(&mut self) {
        for link in self.links.values_mut().filter(|link| link.owner.is_none()) {
            link.newborn = false;
        }
    }

    /// A link vanished: its final counters are booked to whoever used it last.
    pub fn link_vanished(&mut self, reading: &LinkReading, at: Stamp, splits: &Splits) -> Vec<Booked> {
        let mut booked = Vec::new();
        if let Some(link) = self.links.get_mut(&reading.ifindex) {
            link.presumed = false;
        }
        self.link_read(reading, at, splits, &mut booked);
        if let Some(link) = self.links.remove(&reading.ifindex) {
            if link.epoch.is_some() {
                self.changes.push(Change::DropBaseline { counter: link_key(reading.ifindex) });
            }
            if let (Some(owner), Some(name)) = (link.owner, link.interface) {
                self.vanished.insert(name, (owner.iccid, reading.ifindex));
            }
        }
        booked
    }

    fn link_read(&mut self, reading: &LinkReading, at: Stamp, splits: &Splits, booked: &mut Vec<Booked>) {
        let now = reading.ip_bytes();
        let Some(link) = self.links.get_mut(&reading.ifindex) else {
            self.links.insert(reading.ifindex, Counter::link(reading, at, true));
            return;
        };
        if link.interface.as_deref() != Some(reading.name.as_str()) {
            link.interface = Some(reading.name.clone());
            link.dirty = true;
        }
        if now.0 < link.latest.0 || now.1 < link.latest.1 {
            // What passed before the reset and what passed since cannot be told apart from a counter that lies.
            let lost = link.baseline(&link_key(reading.ifindex), self.boot.as_ref());
            link.latest = now;
            link.booked = now;
            link.booked_at = at;
            link.connecting = None;
            link.dirty = true;
            if let Some(base) = lost {
                self.lose_keeping(&base, GapReason::CounterReset, at);
            }
            return;
        }
        link.latest = now;
        if link.owner.is_none() {
            link.booked = now;
            link.booked_at = at;
        } else if !link.presumed {
            let mut counter = link.clone();
            self.book(&mut counter, at, splits, booked);
            self.links.insert(reading.ifindex, counter);
        }
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
        let iccid = modem.sim.as_ref().and_then(|sim| sim.iccid.clone());
        let wanted = self.wanted_links(modem, iccid.as_ref(), zone, ppp_interface);
        let indexes: Vec<IfIndex> = self.links.keys().copied().collect();
        for index in indexes {
            let Some(mut link) = self.links.remove(&index) else { continue };
            self.settle_link(
                index,
                &mut link,
                modem,
                iccid.as_ref(),
                wanted.get(&index),
                at,
                splits,
                &mut booked,
            );
            self.links.insert(index, link);
        }
        self.settle_bearers(modem, iccid.as_ref(), zone, ppp_interface, just_seen, at, splits, &mut booked);
        booked
    }

    fn wanted_links(
        &self,
        modem: &ModemView,
        iccid: Option<&Iccid>,
        zone: &Zone,
        ppp_interface: Option<&str>,
    ) -> BTreeMap<IfIndex, Owner> {
        let mut wanted = BTreeMap::new();
        let Some(iccid) = iccid else { return wanted };
        for bearer in modem.bearers.iter().filter(|b| b.connected) {
            let name = if bearer.ppp { ppp_interface } else { bearer.interface.as_deref() };
            let Some(index) = name.and_then(|name| self.link_named(name)) else { continue };
            wanted.insert(
                index,
                Owner {
                    iccid: iccid.clone(),
                    zone: zone.clone(),
                    apn: bearer.apn.clone(),
                    modem: modem.id.clone(),
                },
            );
        }
        wanted
    }

    fn link_named(&self, name: &str) -> Option<IfIndex> {
        self.links.iter().find(|(_, link)| link.interface.as_deref() == Some(name)).map(|(index, _)| *index)
    }

    /// Whether a bearer has a kernel counter.
    #[must_use]
    pub fn has_link(&self, name: &str) -> bool {
        self.link_named(name).is_some()
    }

    #[allow(clippy::too_many_arguments, reason = "one place where everything about a link is decided")]
    fn settle_link(
        &mut self,
        index: IfIndex,
        link: &mut Counter,
        modem: &ModemView,
        iccid: Option<&Iccid>,
        wanted: Option<&Owner>,
        at: Stamp,
        splits: &Splits,
        booked: &mut Vec<Booked>,
    ) {
        use crate::modem::ModemState as S;
        let key = link_key(index);
        let mine = link.owner.as_ref().is_some_and(|owner| owner.modem == modem.id);
        let Some(wanted) = wanted else {
            if mine {
                match (iccid, link.owner.clone()) {
                    // A locked or failed modem does not tell its SIM: wait for one that does.
                    (None, _) if link.presumed => {}
                    (Some(now), Some(owner)) if *now != owner.iccid => {
                        self.abandon(&key, link, at);
                    }
                    _ => {
                        let was_presumed = link.presumed;
                        link.presumed = false;
                        self.book(link, at, splits, booked);
                        // After a restart of ModemManager a modem comes back disabled and without bearers, while
                        // its connection may still be up: the counter stays its own until it is enabled again.
                        let not_started = matches!(
                            modem.state,
                            S::Unknown | S::Initializing | S::Locked | S::Disabled | S::Failed
                        );
                        if !(was_presumed && not_started) {
                            self.release(&key, link);
                        } else {
                            link.presumed = true;
                        }
                    }
                }
            }
            let own_port =
                link.interface.as_deref().is_some_and(|name| modem.net_ports.iter().any(|p| p == name));
            if own_port && link.owner.is_none() {
                if modem.state == S::Connecting {
                    link.connecting.get_or_insert(link.latest);
                } else {
                    link.connecting = None;
                }
            }
            return;
        };
        match link.owner.clone() {
            Some(owner) if owner == *wanted => {
                link.presumed = false;
                self.book(link, at, splits, booked);
            }
            Some(owner) if owner.iccid == wanted.iccid => {
                link.presumed = false;
                self.book(link, at, splits, booked);
                self.claim(link, wanted.clone(), at);
            }
            Some(_) => {
                if link.presumed {
                    self.abandon(&key, link, at);
                } else {
                    self.book(link, at, splits, booked);
                }
                self.claim(link, wanted.clone(), at);
            }
            None => {
                let replaces = link.interface.as_ref().and_then(|name| self.vanished.remove(name));
                let since_birth = link.newborn
                    || replaces
                        .is_some_and(|(iccid, old)| iccid == wanted.iccid && (old.0 == 0 || index.0 > old.0));
                if since_birth {
                    link.booked = (0, 0);
                } else {
                    link.booked = link.connecting.unwrap_or(link.latest);
                }
                link.booked_at = at;
                self.claim(link, wanted.clone(), at);
                self.book(link, at, splits, booked);
            }
        }
        link.newborn = false;
        link.connecting = None;
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
            }));
        }
        counter.owner = Some(owner);
        counter.epoch = Some(id);
        counter.presumed = false;
        counter.dirty = true;
    }

    fn release(&mut self, key: &str, counter: &mut Counter) {
        if counter.owner.take().is_some() {
            self.changes.push(Change::DropBaseline { counter: key.to_owned() });
        }
        counter.epoch = None;
        counter.presumed = false;
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

    #[allow(clippy::too_many_arguments, reason = "one place where everything about a bearer is decided")]
    fn settle_bearers(
        &mut self,
        modem: &ModemView,
        iccid: Option<&Iccid>,
        zone: &Zone,
        ppp_interface: Option<&str>,
        just_seen: bool,
        at: Stamp,
        splits: &Splits,
        booked: &mut Vec<Booked>,
    ) {
        let prefix = format!("bearer:{}:", modem.id);
        for bearer in &modem.bearers {
            let key = format!("{prefix}{}", bearer.path);
            let name = if bearer.ppp { ppp_interface } else { bearer.interface.as_deref() };
            let by_kernel = name.is_some_and(|name| self.has_link(name));
            let Some(stats) = bearer.stats.filter(|_| bearer.stats_supported) else { continue };
            let now = (stats.rx_bytes, stats.tx_bytes);
            let same = self.bearers.get(&key).is_some_and(|c| c.continues(&stats));
            if same {
                let Some(mut counter) = self.bearers.remove(&key) else { continue };
                if now.0 < counter.latest.0 || now.1 < counter.latest.1 {
                    if let Some(base) = counter.baseline(&key, self.boot.as_ref()) {
                        self.lose_keeping(&base, GapReason::CounterReset, at);
                    }
                    counter.rebase(now, at);
                } else {
                    counter.latest = now;
                    let known = iccid.is_none_or(|i| counter.owner.as_ref().is_some_and(|o| o.iccid == *i));
                    if known {
                        counter.presumed = false;
                        self.book(&mut counter, at, splits, booked);
                    } else {
                        self.abandon(&key, &mut counter, at);
                    }
                }
                let moved = counter.owner.as_ref().is_some_and(|o| o.zone != *zone);
                if let (true, Some(owner)) = (moved, counter.owner.clone()) {
                    self.claim(&mut counter, Owner { zone: zone.clone(), ..owner }, at);
                }
                if bearer.connected && !by_kernel && counter.owner.is_some() {
                    self.bearers.insert(key, counter);
                } else {
                    self.release(&key, &mut counter);
                }
                continue;
            }
            if let Some(mut old) = self.bearers.remove(&key) {
                self.release(&key, &mut old);
            }
            let (true, false, Some(iccid)) = (bearer.connected, by_kernel, iccid) else { continue };
            let owner = Owner {
                iccid: iccid.clone(),
                zone: zone.clone(),
                apn: bearer.apn.clone(),
                modem: modem.id.clone(),
            };
            let mut counter = Counter::bearer(now, stats.start, at);
            match self.waiting.remove(&key) {
                Some(base)
                    if base.connection_start == stats.start
                        && base.iccid.as_ref() == Some(iccid)
                        && now.0 >= base.rx_bytes
                        && now.1 >= base.tx_bytes =>
                {
                    counter.resume(&base, at);
                    counter.owner = Some(Owner { zone: base.zone.clone(), ..owner.clone() });
                    counter.presumed = false;
                    self.book(&mut counter, at, splits, booked);
                    if base.zone != *zone {
                        self.claim(&mut counter, owner, at);
                    }
                }
                stale => {
                    let lost = stale.is_some();
                    if let Some(base) = stale {
                        self.lose(&base, GapReason::InterfaceVanished, at);
                    }
                    // A connection that began while the service watched, or after its last reading, counts in full.
                    if !just_seen || lost {
                        counter.booked = (0, 0);
                    }
                    self.claim(&mut counter, owner, at);
                    self.book(&mut counter, at, splits, booked);
                }
            }
            self.bearers.insert(key, counter);
        }
        let gone: Vec<String> = self
            .bearers
            .keys()
            .filter(|key| {
                key.strip_prefix(&prefix).is_some_and(|path| !modem.bearers.iter().any(|b| b.path == path))
            })
            .cloned()
            .collect();
        for key in gone {
            if let Some(mut counter) = self.bearers.remove(&key) {
                self.release(&key, &mut counter);
            }
        }
    }

    /// A modem, or with none every modem, can no longer be seen: what its counters do is held back.
    pub fn modems_lost(&mut self, modem: Option<&ModemId>) {
        for counter in self.links.values_mut() {
            let hit = counter.owner.as_ref().is_some_and(|o| modem.is_none_or(|m| o.modem == *m));
            if hit {
                counter.presumed = true;
            }
        }
        // ModemManager's own figures end with its bearer object.
        let gone: Vec<String> = self
            .bearers
            .iter()
            .filter(|(_, c)| c.owner.as_ref().is_some_and(|o| modem.is_none_or(|m| o.modem == *m)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            if let Some(mut counter) = self.bearers.remove(&key) {
                self.release(&key, &mut counter);
            }
        }
    }

    fn book(&mut self, counter: &mut Counter, at: Stamp, splits: &Splits, booked: &mut Vec<Booked>) {
        let (rx, tx) = counter.growth();
        let from = counter.booked_at;
        if let (true, Some(owner), Some(epoch), Some(boot)) =
            (rx > 0 || tx > 0, counter.owner.as_ref(), counter.epoch, self.boot.as_ref())
        {
            let when = slot(owner, boot, from, at, splits);
            let (from, until) = match when {
                When::Hour(_) => (from.wall.min(at.wall).as_millis(), at.wall.as_millis()),
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
            booked.push(Booked { iccid: owner.iccid.clone(), zone: owner.zone.clone(), when, volume });
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

    /// Whether a SIM's usage is held back now, because nobody can confirm which SIM is in use.
    #[must_use]
    pub fn is_uncertain(&self, iccid: &Iccid) -> bool {
        self.links.values().any(|c| c.presumed && c.owner.as_ref().is_some_and(|o| o.iccid == *iccid))
    }
}

/// The instant at which each SIM's cycle began: a slot never spans it.
pub type Splits = BTreeMap<Iccid, Vec<Timestamp>>;

fn slot(owner: &Owner, boot: &BootId, from: Stamp, at: Stamp, splits: &Splits) -> When {
    const HOUR_MS: u64 = 3_600_000;
    if !at.trusted {
        let boot_hour_ms = (at.boot_ms / HOUR_MS).saturating_mul(HOUR_MS);
        return When::Undated { boot: boot.clone(), boot_hour_ms };
    }
    // An interval that straddles a boundary belongs to the side that holds more of it. Only an interval that
    // `CLOCK_BOOTTIME` confirms is taken at its word: the wall clock may have been set in between.
    let length = at.boot_ms.saturating_sub(from.boot_ms);
    let middle = at.wall.saturating_add(crate::time::Span(-(millis(length) / 2)));
    let mut start = middle.hour_start();
    for split in splits.get(&owner.iccid).into_iter().flatten() {
        if *split > start && *split <= middle {
            start = *split;
        }
    }
    When::Hour(start)
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

impl Counter {
    fn link(reading: &LinkReading, at: Stamp, newborn: bool) -> Self {
        Self {
            source: Source::Kernel,
            ifindex: Some(reading.ifindex),
            interface: Some(reading.name.clone()),
            start: None,
            latest: reading.ip_bytes(),
            booked: reading.ip_bytes(),
            booked_at: at,
            owner: None,
            epoch: None,
            presumed: false,
            connecting: None,
            newborn,
            dirty: false,
        }
    }

    fn bearer(now: (u64, u64), start: Option<Timestamp>, at: Stamp) -> Self {
        Self {
            source: Source::Modem,
            ifindex: None,
            interface: None,
            start,
            latest: now,
            booked: now,
            booked_at: at,
            owner: None,
            epoch: None,
            presumed: false,
            connecting: None,
            newborn: false,
            dirty: false,
        }
    }

    fn growth(&self) -> (u64, u64) {
        (self.latest.0.saturating_sub(self.booked.0), self.latest.1.saturating_sub(self.booked.1))
    }

    fn continues(&self, stats: &BearerStats) -> bool {
        self.start == stats.start
    }

    fn rebase(&mut self, now: (u64, u64), at: Stamp) {
        self.latest = now;
        self.booked = now;
        self.booked_at = at;
        self.dirty = true;
    }

    /// Goes on from a baseline of the ledger; the owner is presumed until a modem confirms it.
    fn resume(&mut self, base: &Baseline, at: Stamp) {
        self.booked = (base.rx_bytes, base.tx_bytes);
        self.booked_at = Stamp {
            wall: base.read_at.unwrap_or(at.wall),
            boot_ms: base.read_boot_ms.min(at.boot_ms),
            trusted: base.read_at.is_some(),
        };
        self.epoch = base.epoch;
        self.newborn = false;
        self.presumed = true;
        if let (Some(iccid), Some(modem)) = (&base.iccid, &base.modem) {
            self.owner = Some(Owner {
                iccid: iccid.clone(),
                zone: base.zone.clone(),
                apn: base.apn.clone(),
                modem: modem.clone(),
            });
        }
    }

    fn baseline(&self, key: &str, boot: Option<&BootId>) -> Option<Baseline> {
        let owner = self.owner.as_ref()?;
        Some(Baseline {
            counter: key.to_owned(),
            boot: boot?.clone(),
            ifindex: self.ifindex,
            interface: self.interface.clone(),
            rx_bytes: self.booked.0,
            tx_bytes: self.booked.1,
            connection_start: self.start,
            modem: Some(owner.modem.clone()),
            apn: owner.apn.clone(),
            iccid: Some(owner.iccid.clone()),
            zone: owner.zone.clone(),
            epoch: self.epoch,
            read_at: dated(self.booked_at),
            read_boot_ms: self.booked_at.boot_ms,
        })
    }
}
