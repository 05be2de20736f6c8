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
mod entries;
mod links;
mod ppp;
mod sessions;
mod source;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::billing::Edges;
use crate::counter::LinkReading;
use crate::effect::Change;
use crate::ident::{BootId, Iccid, IfIndex, ModemId};
use crate::ledger::{
    Baseline, Epoch, EpochId, Gap, GapReason, Session, Source, UsageSlot, Volume, When, Zone,
};
use crate::modem::BearerView;
use crate::time::{Stamp, Timestamp};
use counter::Counter;
use sessions::Live;

pub use links::Seen;

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
    /// The last figure of each modem that ModemManager told, and whose it was where that was booked: some modems go on
    /// from it in the next connection.
    last_told: BTreeMap<ModemId, ((u64, u64), Option<Iccid>)>,
    /// Connections that went on under another SIM or after the kernel's counter was gone, with their last figure then, and
    /// when that was by `CLOCK_BOOTTIME`.
    shared: BTreeMap<String, ((u64, u64), u64)>,
    /// Sessions that last.
    sessions: BTreeMap<EpochId, Live>,
    /// Sessions that the ledger's epochs belong to, until their counters are found.
    epoch_sessions: BTreeMap<EpochId, EpochId>,
    /// Links of PPP bearers, as the kernel announced them, and bearers that wait for theirs.
    ppp: BTreeMap<String, IfIndex>,
    ppp_waiting: BTreeSet<String>,
    /// SIMs whose source is not configured.
    auto: BTreeSet<Iccid>,
    wants_read: bool,
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
    pub fn restored(
        next_epoch: i64,
        baselines: Vec<Baseline>,
        epochs: Vec<Epoch>,
        sessions: Vec<Session>,
    ) -> Self {
        Self {
            next_epoch: next_epoch.max(1),
            waiting: baselines.into_iter().map(|b| (b.counter.clone(), b)).collect(),
            epoch_sessions: epochs.into_iter().filter_map(|e| Some((e.id, e.session?))).collect(),
            sessions: sessions.into_iter().map(|s| (s.id, Live::restored(s))).collect(),
            ..Self::default()
        }
    }

    /// The first epoch identity never given out.
    #[must_use]
    pub const fn next_epoch(&self) -> EpochId {
        EpochId(self.next_epoch)
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
                    link.session = base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch).copied());
                }
                Some(link) => {
                    let latest = link.latest;
                    link.resume(&base, at);
                    link.session = base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch).copied());
                    // The session's figure as of the baseline, which is as long ago as the last commit at most.
                    let before = Counter { latest: link.booked, ..link.clone() };
                    link.rebase(latest, at);
                    let after = link.clone();
                    self.follow(&before);
                    self.bridge(&after);
                    self.lose_keeping(&base, GapReason::CounterReset, at);
                }
                None => {
                    self.remember_vanished(&base, ifindex);
                    self.lose(&base, GapReason::InterfaceVanished, at);
                }
            }
        }
        self.resume_sessions(boot);
    }

    /// Sessions whose counters are gone are over; the kernel's figures of the others are followed on.
    fn resume_sessions(&mut self, boot: &BootId) {
        let mut lasting: BTreeSet<EpochId> = self.links.values().filter_map(|link| link.session).collect();
        let waiting = self.waiting.values().filter_map(|base| self.epoch_sessions.get(&base.epoch?));
        lasting.extend(waiting);
        let over: Vec<EpochId> = self
            .sessions
            .iter()
            .filter(|(id, live)| !lasting.contains(*id) || live.session.boot != *boot)
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            self.end_session(Some(id), None);
        }
        for (id, live) in &self.sessions {
            if live.session.source == Source::Modem
                && live.session.kernel.is_some()
                && let Some(name) = &live.session.interface
                && let Some(link) = self
                    .links
                    .values_mut()
                    .find(|link| link.interface.as_ref() == Some(name) && link.owner.is_none())
            {
                link.watched = Some(*id);
            }
        }
    }

    fn remember_vanished(&mut self, base: &Baseline, ifindex: IfIndex) {
        if let (Some(name), Some(iccid)) = (&base.interface, &base.iccid) {
            self.vanished.insert(name.clone(), (iccid.clone(), ifindex));
        }
    }

    fn lose(&mut self, base: &Baseline, reason: GapReason, at: Stamp) {
        let session = base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch).copied());
        self.end_session(session, base.read_at);
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
    pub fn modem_seen(&mut self, seen: &Seen<'_>) -> Vec<Booked> {
        let mut booked = Vec::new();
        self.note_choice(seen.iccid, seen.choice);
        self.settle_ppp(seen);
        self.tell_sessions(seen);
        self.settle_sources(seen, &mut booked);
        self.settle_links(seen, &mut booked);
        self.settle_bearers(seen, &mut booked);
        self.tell_sessions(seen);
        self.settle_bypassed(seen.at, seen.splits, &mut booked);
        booked
    }

    /// Whether a connected bearer has a counter that can be read, and is to be.
    #[must_use]
    pub fn is_measured(&self, seen: &Seen<'_>, bearer: &BearerView) -> bool {
        self.source_of(seen, bearer).is_some()
    }

    /// The session that a counter counts for goes on as long as the same SIM uses it; another zone is another epoch.
    fn claim(&mut self, counter: &mut Counter, owner: Owner, at: Stamp) {
        let id = EpochId(self.next_epoch.max(1));
        self.next_epoch = id.0.saturating_add(1);
        counter.watched = None;
        if counter.session.is_none() {
            counter.session = Some(id);
            self.begin_session(id, counter, &owner, at);
        }
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
                session: counter.session,
                modem: Some(owner.modem.clone()),
            }));
        }
        counter.owner = Some(owner);
        counter.epoch = Some(id);
        counter.booked_at = at;
        counter.confirm();
        counter.dirty = true;
    }

    fn release(&mut self, key: &str, counter: &mut Counter, at: Stamp) {
        if counter.owner.is_some() {
            self.changes.push(Change::DropBaseline { counter: key.to_owned() });
        }
        let session = counter.session;
        counter.disown();
        if !self.links.values().chain(self.bearers.values()).any(|other| other.session == session) {
            self.end_session(session, dated(at));
        }
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
        self.release(key, counter, at);
    }

    /// A modem, or with none every modem, can no longer be seen: what its counters do is held back.
    pub fn modems_lost(&mut self, modem: Option<&ModemId>, at: Stamp) {
        self.figures_lost(modem, at);
        for counter in self.links.values_mut() {
            let hit = counter.owner.as_ref().is_some_and(|o| modem.is_none_or(|m| o.modem == *m));
            if hit {
                counter.presumed = true;
            }
        }
        self.bearers_lost(modem, at);
    }

    /// Whether any counter of the kernel is owned, or compared with ModemManager's: whether reading makes sense.
    #[must_use]
    pub fn anything_owned(&self) -> bool {
        self.links.values().any(|c| c.owner.is_some() || c.watched.is_some())
    }

    /// The connections of a SIM that are counted now, with their zones.
    pub fn open_sessions(&self, iccid: &Iccid) -> impl Iterator<Item = (EpochId, &Zone)> {
        let counters = self.links.values().chain(self.bearers.values());
        counters.filter_map(move |counter| {
            let owner = counter.owner.as_ref().filter(|owner| owner.iccid == *iccid)?;
            Some((counter.session.or(counter.epoch)?, &owner.zone))
        })
    }

    /// Whether a link is, or was, used by a bearer.
    #[must_use]
    pub fn is_used(&self, ifindex: IfIndex) -> bool {
        self.links.get(&ifindex).is_some_and(|link| {
            link.owner.is_some() || link.epoch.is_some() || link.session.is_some() || link.watched.is_some()
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

fn link_key(index: IfIndex) -> String {
    format!("link:{}", index.0)
}

fn dated(at: Stamp) -> Option<Timestamp> {
    at.trusted.then_some(at.wall)
}
