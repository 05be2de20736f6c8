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
mod shared;
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
use shared::Shared;

pub use links::Seen;

/// What a gap is of, in words.
const AFTER_LAST_FIGURE: &str = "what followed ModemManager's last figure of the connection";

/// Whose bytes a counter counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The SIM.
    pub iccid: Iccid,
    /// Where it is.
    pub zone: Zone,
    /// Access point name.
    pub apn: Option<Arc<str>>,
    /// In which modem.
    pub modem: ModemId,
}

/// Every counter, and what is booked but not yet committed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Accounting {
    boot: Option<BootId>,
    next_epoch: i64,
    links: BTreeMap<IfIndex, Counter>,
    /// What of each link is certain, should an older copy take the ledger's place.
    watched: BTreeMap<IfIndex, Watched>,
    bearers: BTreeMap<Arc<str>, Counter>,
    /// Baselines that the ledger holds and no counter was found for yet: bearers of a ModemManager not seen yet.
    waiting: BTreeMap<Arc<str>, Baseline>,
    /// Those of them that ModemManager told of while the service ran, until it was gone.
    untold: BTreeSet<Arc<str>>,
    /// Why what the ledger says may be old, where another reason than that the service did not run.
    replaced: Option<GapReason>,
    /// The connections that last while the ledger is replaced, by their counters.
    beginnings: BTreeMap<Arc<str>, Beginning>,
    /// Interfaces that vanished, by name, with the SIM that used them: the interface of the same name that replaces
    /// one of them counts for that SIM from the moment the service first saw it.
    vanished: BTreeMap<Arc<str>, (Iccid, IfIndex)>,
    /// The last figure of each modem that ModemManager told, and whose it was where that was booked: some modems go on
    /// from it in the next connection.
    last_told: BTreeMap<ModemId, ((u64, u64), Option<Iccid>)>,
    /// Connections of which the kernel's counters or another SIM have a part.
    shared: BTreeMap<Arc<str>, Shared>,
    /// Sessions that last.
    sessions: BTreeMap<EpochId, Live>,
    /// Sessions that the ledger's epochs belong to, until their counters are found.
    epoch_sessions: BTreeMap<EpochId, EpochId>,
    /// Links of PPP bearers, as the kernel announced them, and bearers that wait for theirs.
    ppp: BTreeMap<Arc<str>, IfIndex>,
    ppp_waiting: BTreeSet<Arc<str>>,
    /// SIMs whose source is not configured.
    auto: BTreeSet<Iccid>,
    wants_read: bool,
    pending: Vec<UsageSlot>,
    changes: Vec<Change>,
    unsaved_bytes: u64,
    unsaved_since_boot_ms: Option<u64>,
}

/// The session that a counter counts for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Beginning {
    start: Option<Timestamp>,
    /// As the copy numbers it; none where that does not know it.
    session: Option<EpochId>,
    /// None where the ledger may hold a part of what the counter said since.
    first: Option<First>,
}

/// A link as the service has watched it, with its times by `CLOCK_BOOTTIME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Watched {
    since: u64,
    /// Who used it last.
    whose: Option<Iccid>,
    /// When it last counted what is not theirs.
    others_at: Option<u64>,
}

/// What a counter said as its session began, when, and whose that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct First {
    raw: (u64, u64),
    began: Stamp,
    owner: Option<Owner>,
    /// The owner was the ledger's word alone, and still is.
    unconfirmed: bool,
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
            self.watch(reading.ifindex, at);
            self.links.insert(reading.ifindex, Counter::link(reading, at));
        }
        let mut lost = BTreeSet::new();
        for (key, base) in waiting {
            let same_boot = base.boot == *boot;
            if same_boot && self.is_over_since_copy(&base) {
                self.follow_baseline(&base);
                self.lose(&base, GapReason::InterfaceVanished, at);
                continue;
            }
            let Some(ifindex) = base.ifindex else {
                // ModemManager's figures outlive neither a reboot nor, mostly, its restart.
                if same_boot && base.epoch.is_none() {
                    self.shared_restored(base, at);
                } else if same_boot {
                    self.waiting.insert(key, base);
                } else {
                    self.lose(&base, GapReason::Rebooted, at);
                }
                continue;
            };
            self.follow_baseline(&base);
            if !same_boot {
                self.remember_vanished(&base, IfIndex(0));
                self.lose(&base, GapReason::Rebooted, at);
                continue;
            }
            if let Some(watched) = self.watched.get_mut(&ifindex).filter(|watched| watched.whose.is_none()) {
                watched.whose.clone_from(&base.iccid);
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
                    lost.insert(base.modem);
                }
            }
        }
        self.keep_shared(at);
        for modem in lost {
            self.kernel_lost(modem.as_ref(), at);
        }
        self.resume_sessions(boot);
        self.resume_beginnings();
    }

    /// Whether what a copy of the ledger says a counter counts for is known to have ended since it was made. Of which
    /// connections others have a part is known anyway.
    fn is_over_since_copy(&self, base: &Baseline) -> bool {
        let session = base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch));
        let live = self.beginnings.get(&base.counter).and_then(|live| live.session.as_ref());
        let lasts = live.is_some() && live == session;
        self.replaced.is_some() && !lasts && !self.is_all_theirs(base)
    }

    /// Whether whatever a link counted since a baseline is of its SIM, in however many connections.
    fn is_all_theirs(&self, base: &Baseline) -> bool {
        base.ifindex.and_then(|index| self.watched.get(&index)).is_some_and(|watched| {
            watched.since <= base.read_boot_ms
                && watched.whose == base.iccid
                && watched.others_at.is_none_or(|others| others < base.read_boot_ms)
        })
    }

    fn watch(&mut self, index: IfIndex, at: Stamp) {
        let anew = Watched { since: at.boot_ms, whose: None, others_at: None };
        self.watched.entry(index).or_insert(anew);
    }

    /// A link counted what is not of the SIM that used it last.
    fn count_others(&mut self, index: Option<IfIndex>, at: Stamp) {
        if let Some(watched) = index.and_then(|index| self.watched.get_mut(&index)) {
            watched.others_at = Some(at.boot_ms);
        }
    }

    /// Links go on to be used by the connections that began since the copy that takes the ledger's place.
    fn resume_beginnings(&mut self) {
        let links: Vec<IfIndex> = self.links.keys().copied().collect();
        for index in links {
            let live = self.beginnings.get(&link_key(index)).and_then(|live| live.first.clone());
            let Some(First { raw, began, owner: Some(owner), unconfirmed }) = live else { continue };
            let Some(mut link) = self.links.remove(&index) else { continue };
            if link.owner.is_none() && raw.0 <= link.latest.0 && raw.1 <= link.latest.1 {
                link.booked = raw;
                self.claim(&mut link, owner, began);
                self.joined_midway(&link);
                link.presumed = true;
                link.unconfirmed = unconfirmed;
            }
            self.links.insert(index, link);
        }
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
        let mut watched = Vec::new();
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
                watched.push(link.clone());
            }
        }
        // It has been read already, and may be asked for before it is again.
        for link in watched {
            self.follow(&link);
        }
    }

    fn remember_vanished(&mut self, base: &Baseline, ifindex: IfIndex) {
        if let (Some(name), Some(iccid)) = (&base.interface, &base.iccid) {
            self.vanished.insert(name.clone(), (iccid.clone(), ifindex));
        }
    }

    /// As [`Accounting::restored`], where the ledger's place was taken by another while the service runs: what was
    /// watched of connections that last holds all the same.
    #[must_use]
    pub fn replaced(
        &self,
        by: Self,
        ended: &[Session],
        found: &[LinkReading],
        reason: GapReason,
        at: Stamp,
    ) -> Self {
        let mut anew = Self {
            beginnings: self.beginnings(&by, ended),
            last_told: self.last_told.clone(),
            watched: self.watched.clone(),
            shared: self.shared.clone(),
            replaced: Some(reason),
            ..by
        };
        for reading in found {
            let known = self.links.get(&reading.ifindex).filter(|link| link.owner.is_none());
            if known.is_some_and(|link| link.latest != reading.counters.ip_bytes(link.ethernet)) {
                anew.count_others(Some(reading.ifindex), at);
            }
        }
        let waiting = self.waiting.iter().filter_map(|(key, base)| {
            Some((key, *self.epoch_sessions.get(&base.epoch?)?, base.connection_start))
        });
        let told =
            self.bearers.iter().filter_map(|(key, counter)| Some((key, counter.session?, counter.start)));
        for (key, session, start) in waiting.chain(told) {
            let Some(theirs) = self.in_copy(&anew, session) else {
                if let Some(base) = self.waiting.get(key) {
                    anew.shared_with_past(base, reason, at);
                }
                continue;
            };
            let base = anew.waiting.get(key).and_then(|base| base.epoch);
            if base.and_then(|epoch| anew.epoch_sessions.get(&epoch)) != Some(&theirs) {
                // When the copy was made the kernel counted it.
                let interface =
                    self.sessions.get(&session).and_then(|live| live.session.interface.as_deref());
                anew.share_with_kernel(key, start, interface, at);
            }
        }
        anew
    }

    /// Every modem that is there was seen since the ledger was replaced.
    pub fn settled_anew(&mut self) {
        self.beginnings.clear();
    }

    fn lose(&mut self, base: &Baseline, reason: GapReason, at: Stamp) {
        self.untold.remove(&base.counter);
        let session = base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch).copied());
        self.end_session(session, base.read_at);
        self.changes.push(Change::DropBaseline { counter: base.counter.clone() });
        self.lose_keeping(base, reason, at);
    }

    fn lose_keeping(&mut self, base: &Baseline, reason: GapReason, at: Stamp) {
        if base.iccid.is_none() {
            return;
        }
        // Of a copy only the copy's age is known to be the reason.
        let reason = self.replaced.filter(|_| reason == GapReason::InterfaceVanished).unwrap_or(reason);
        let detail = match (&base.interface, base.ifindex) {
            _ if reason == GapReason::NoCounter => AFTER_LAST_FIGURE.to_owned(),
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

    /// Whether a connected bearer has a counter that can be read and is to be, or is none of the plan's.
    #[must_use]
    pub fn is_measured(&self, seen: &Seen<'_>, bearer: &BearerView) -> bool {
        seen.leaves_out(bearer) || self.source_of(seen, bearer).is_some()
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
        if let Some(watched) = counter.ifindex.and_then(|index| self.watched.get_mut(&index))
            && watched.whose.as_ref() != Some(&owner.iccid)
        {
            watched.whose = Some(owner.iccid.clone());
            watched.others_at = Some(at.boot_ms);
        }
        counter.owner = Some(owner);
        counter.epoch = Some(id);
        counter.booked_at = at;
        counter.confirm();
        counter.dirty = true;
    }

    fn release(&mut self, counter: &mut Counter, at: Stamp) {
        if counter.owner.is_some() {
            self.changes.push(Change::DropBaseline { counter: counter.key.clone() });
        }
        let session = counter.session;
        counter.disown();
        if !self.links.values().chain(self.bearers.values()).any(|other| other.session == session) {
            self.end_session(session, dated(at));
        }
    }

    /// The growth held back belongs to nobody known: another SIM is in the modem now.
    fn abandon(&mut self, counter: &mut Counter, at: Stamp) {
        let (rx, tx) = counter.growth();
        if (rx > 0 || tx > 0)
            && let Some(base) = counter.baseline(self.boot.as_ref())
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
        self.count_others(counter.ifindex, at);
        self.release(counter, at);
    }

    /// A modem, or with none every modem, can no longer be seen: what its counters do is held back.
    pub fn modems_lost(&mut self, modem: Option<&ModemId>, at: Stamp) {
        let gone_on = self.figures_lost(modem, at);
        for counter in self.links.values_mut() {
            let hit = counter.owner.as_ref().is_some_and(|o| modem.is_none_or(|m| o.modem == *m));
            if hit {
                counter.presumed = true;
            }
        }
        self.bearers_lost(modem, &gone_on, at);
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

fn link_key(index: IfIndex) -> Arc<str> {
    format!("link:{}", index.0).into()
}

/// When a baseline was read.
fn stamp_of(base: &Baseline, at: Stamp) -> Stamp {
    Stamp {
        wall: base.read_at.unwrap_or(at.wall),
        boot_ms: base.read_boot_ms.min(at.boot_ms),
        trusted: base.read_at.is_some(),
    }
}

fn dated(at: Stamp) -> Option<Timestamp> {
    at.trusted.then_some(at.wall)
}
