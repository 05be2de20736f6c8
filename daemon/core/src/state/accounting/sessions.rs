//! Sessions: what the kernel and what ModemManager counted of one connection, side by side.
//!
//! ModemManager polls its figures twice a minute, so they lag behind the kernel's. Where they are ahead all the same,
//! traffic bypasses the kernel's counters (hardware flow offload).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::counter::is_credible;
use super::links::Seen;
use super::{Accounting, Counter, Owner, dated};
use crate::effect::Change;
use crate::ident::{Iccid, IfIndex};
use crate::ledger::{Baseline, EpochId, Figures, Session, Source, Volume};
use crate::modem::BearerView;
use crate::settings::SourceChoice;
use crate::time::{Stamp, Timestamp};

/// Sessions that last are kept this often.
const KEPT_EVERY_MS: u64 = 3_600_000;

/// ModemManager's figures are polled every 30 s; one told earlier is what the modem counted as the connection began.
pub(super) const BEGINNING_S: u32 = 10;

/// A figure is never older than this when it is told.
pub(super) const OLDEST_MS: u64 = 31_000;

/// A session that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Live {
    pub session: Session,
    /// Bearers that ModemManager's figure is the sum of.
    pub tellers: Vec<Teller>,
    /// By `CLOCK_BOOTTIME`: when ModemManager's figure last changed, and when the kernel's was last read.
    pub told_at: u64,
    pub kernel_at: u64,
    kept_at: u64,
    /// ModemManager's figure is another than when it was kept.
    unkept: bool,
    /// It is not known to have begun with its connection: ModemManager's figure may hold what another SIM carried.
    pub midway: bool,
    /// By `CLOCK_BOOTTIME`: when ModemManager's figure was first seen midway, and the kernel's then.
    sighted: Option<(u64, Volume)>,
    /// Traffic bypasses the kernel's counters, as noticed by itself.
    pub bypassed: bool,
}

/// One bearer's figures as last told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Teller {
    pub key: Arc<str>,
    pub start: Option<Timestamp>,
    pub raw: (u64, u64),
    pub duration_s: u32,
}

impl Figures {
    pub(super) fn beginning_at(raw: (u64, u64)) -> Self {
        Self { grown: Volume::default(), from_rx: signed(raw.0), from_tx: signed(raw.1) }
    }

    /// The counter says `raw` now; one that fell goes on from there.
    fn follow(&mut self, raw: (u64, u64)) {
        let grown = (signed(raw.0).saturating_sub(self.from_rx), signed(raw.1).saturating_sub(self.from_tx));
        let before = (signed(self.grown.rx), signed(self.grown.tx));
        if grown.0 < before.0 || grown.1 < before.1 {
            self.bridge(raw);
        } else {
            self.grown = Volume { rx: grown.0.unsigned_abs(), tx: grown.1.unsigned_abs() };
        }
    }

    /// Whether so much can have passed since the figure before.
    fn could_be(&self, raw: (u64, u64), millis: u64) -> bool {
        let grown = self.grown_at(raw);
        is_credible((grown.0.saturating_sub(self.grown.rx), grown.1.saturating_sub(self.grown.tx)), millis)
    }

    /// What the counter says changes for another reason than traffic.
    pub(super) fn bridge(&mut self, raw: (u64, u64)) {
        self.from_rx = signed(raw.0).saturating_sub(signed(self.grown.rx));
        self.from_tx = signed(raw.1).saturating_sub(signed(self.grown.tx));
    }

    /// How far it has grown where it says `raw`.
    pub(super) fn grown_at(&self, raw: (u64, u64)) -> (u64, u64) {
        let grown = |raw: u64, from: i64| signed(raw).saturating_sub(from).max(0).unsigned_abs();
        (grown(raw.0, self.from_rx), grown(raw.1, self.from_tx))
    }

    /// The counter's figure once it has grown by `grown`.
    pub(super) fn at(&self, grown: Volume) -> (u64, u64) {
        let raw = |from: i64, grown: u64| from.saturating_add(signed(grown)).max(0).unsigned_abs();
        (raw(self.from_rx, grown.rx), raw(self.from_tx, grown.tx))
    }
}

impl Live {
    pub(super) fn restored(session: Session) -> Self {
        let kept_at = session.began_boot_ms;
        Self {
            session,
            tellers: Vec::new(),
            told_at: 0,
            kernel_at: 0,
            kept_at,
            unkept: false,
            midway: true,
            sighted: None,
            bypassed: false,
        }
    }
}

impl Accounting {
    /// Sessions that last.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().map(|live| &live.session)
    }

    /// The session of a copy of the ledger that one of this ledger is. Not by its number: what began since that copy was made
    /// has another here, where a copy that did not know it either took the ledger's place, and others have its number.
    pub(super) fn in_copy(&self, copy: &Self, id: EpochId) -> Option<EpochId> {
        let session = &self.sessions.get(&id)?.session;
        let same = |live: &&Live| live.session.began_as(session);
        let copied = copy.sessions.get(&id).filter(same);
        copied.or_else(|| copy.sessions.values().find(same)).map(|live| live.session.id)
    }

    /// Whether a session is among others, by whatever number.
    pub(super) fn is_one_of(&self, id: EpochId, others: &[Session]) -> bool {
        let live = self.sessions.get(&id);
        live.is_some_and(|live| others.iter().any(|other| other.began_as(&live.session)))
    }

    /// Whether traffic of a session bypasses the kernel's counters.
    #[must_use]
    pub fn is_bypassed(&self, id: EpochId) -> bool {
        self.sessions.get(&id).is_some_and(|live| live.bypassed)
    }

    /// A session begins with its counter's first epoch.
    pub(super) fn begin_session(&mut self, id: EpochId, counter: &Counter, owner: &Owner, at: Stamp) {
        let Some(boot) = self.boot.clone() else { return };
        let kernel = (counter.source == Source::Kernel).then(|| Figures::beginning_at(counter.booked));
        let told = (counter.source == Source::Modem).then(|| Figures::beginning_at(counter.booked));
        let session = Session {
            id,
            iccid: owner.iccid.clone(),
            modem: Some(owner.modem.clone()),
            apn: owner.apn.clone(),
            interface: counter.interface.clone(),
            source: counter.source,
            boot,
            began: dated(at),
            began_boot_ms: at.boot_ms,
            ended: None,
            over: false,
            kernel,
            told,
        };
        self.changes.push(Change::KeepSession(Box::new(session.clone())));
        let mut live = Live::restored(session);
        live.kept_at = at.boot_ms;
        live.kernel_at = at.boot_ms;
        live.midway = false;
        self.sessions.insert(id, live);
    }

    pub(super) fn end_session(&mut self, id: Option<EpochId>, ended: Option<Timestamp>) {
        let Some(mut live) = id.and_then(|id| self.sessions.remove(&id)) else { return };
        for link in self.links.values_mut().filter(|link| link.watched == id) {
            link.watched = None;
        }
        live.session.over = true;
        live.session.ended = ended;
        self.changes.push(Change::KeepSession(Box::new(live.session)));
    }

    /// Kept at the next commit.
    pub(super) fn keep_session(&mut self, id: EpochId) {
        if let Some(live) = self.sessions.get_mut(&id) {
            live.unkept = false;
            self.changes.push(Change::KeepSession(Box::new(live.session.clone())));
        }
    }

    /// The service is about to end: sessions are kept as they are.
    pub fn keep_sessions(&mut self) {
        let ids: Vec<EpochId> = self.sessions.keys().copied().collect();
        for id in ids {
            self.keep_session(id);
        }
    }

    /// What is committed of a session's usage by ModemManager's figures, and whatever those say, is the same after a kill. What
    /// the kernel's came to is in the baseline of its link.
    pub(super) fn keep_told_sessions(&mut self, at: Stamp) {
        let booked = self.bearers.values().filter(|counter| counter.dirty);
        let mut kept: BTreeSet<EpochId> = booked.filter_map(|counter| counter.session).collect();
        kept.extend(self.sessions.iter().filter(|(_, live)| live.unkept).map(|(id, _)| *id));
        for id in kept {
            if let Some(live) = self.sessions.get_mut(&id) {
                live.kept_at = at.boot_ms;
            }
            self.keep_session(id);
        }
    }

    /// What a link's baseline says of the session that it counted for, whose own figures are kept more rarely.
    pub(super) fn follow_baseline(&mut self, base: &Baseline) {
        let id = base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch));
        if let Some(live) = id.and_then(|id| self.sessions.get_mut(id))
            && live.session.source == Source::Kernel
            && let Some(kernel) = &mut live.session.kernel
        {
            kernel.follow((base.rx_bytes, base.tx_bytes));
        }
    }

    pub(super) fn keep_long_sessions(&mut self, at: Stamp) {
        for live in self.sessions.values_mut() {
            if at.boot_ms.saturating_sub(live.kept_at) >= KEPT_EVERY_MS {
                live.kept_at = at.boot_ms;
                self.changes.push(Change::KeepSession(Box::new(live.session.clone())));
            }
        }
    }

    /// A counter was read: its session's figure follows.
    pub(super) fn follow(&mut self, counter: &Counter) {
        let id = counter.session.or(counter.watched);
        let Some(live) = id.and_then(|id| self.sessions.get_mut(&id)) else { return };
        let figures = match counter.source {
            Source::Kernel => live.session.kernel.as_mut(),
            _ => live.session.told.as_mut(),
        };
        // ModemManager's figure of a link that several bearers share is the sum of theirs.
        let others =
            self.bearers.values().filter(|other| counter.source == Source::Modem && other.session == id);
        let raw = others.fold(counter.latest, |sum, other| {
            (sum.0.saturating_add(other.latest.0), sum.1.saturating_add(other.latest.1))
        });
        if let Some(figures) = figures {
            figures.follow(raw);
        }
    }

    /// The kernel's counter of a session was read just now.
    pub(super) fn kernel_read(&mut self, counter: &Counter, at: Stamp) {
        let id = counter.session.or(counter.watched);
        if let Some(live) = id.and_then(|id| self.sessions.get_mut(&id)) {
            live.kernel_at = at.boot_ms;
        }
    }

    /// What a counter says changed for another reason than traffic.
    pub(super) fn bridge(&mut self, counter: &Counter) {
        let Some(id) = counter.session.or(counter.watched) else { return };
        let Some(live) = self.sessions.get_mut(&id) else { return };
        let figures = match counter.source {
            Source::Kernel => live.session.kernel.as_mut(),
            _ => live.session.told.as_mut(),
        };
        if let Some(figures) = figures {
            figures.bridge(counter.latest);
        }
        self.keep_session(id);
    }

    /// Takes in what ModemManager says of the connections that the kernel counts.
    pub(super) fn tell_sessions(&mut self, seen: &Seen<'_>) {
        let owned: Vec<(IfIndex, EpochId)> = self
            .links
            .iter()
            .filter(|(_, link)| link.owner.as_ref().is_some_and(|owner| owner.modem == seen.modem.id))
            .filter_map(|(index, link)| Some((*index, link.session?)))
            .collect();
        for (index, id) in owned {
            let tellers: Vec<Teller> = seen
                .modem
                .bearers
                .iter()
                .filter(|bearer| bearer.connected && self.link_of(seen, bearer) == Some(index))
                .filter_map(|bearer| teller(seen, bearer))
                .collect();
            if tellers.is_empty() {
                continue;
            }
            let known = tellers.iter().all(|teller| self.is_shared_since(&teller.key, teller.start));
            if let Some(live) = self.sessions.get_mut(&id) {
                // After a kill the connection may be another than the one whose figures the ledger holds.
                if live.tellers.is_empty() && !known {
                    live.session.told = None;
                }
                live.told(tellers, seen.at);
            }
        }
    }

    /// Sessions that the kernel counts although ModemManager's figure says that more passes. The kernel's figure is
    /// judged only as read after ModemManager's.
    pub(super) fn bypassed_sessions(&mut self) -> Vec<EpochId> {
        let mut found = Vec::new();
        self.wants_read = false;
        for (id, live) in &self.sessions {
            if live.suspicious() && self.auto.contains(&live.session.iccid) {
                if live.kernel_at >= live.told_at {
                    found.push(*id);
                } else {
                    self.wants_read = true;
                }
            }
        }
        found
    }

    /// Whether the kernel's counters are wanted now, to be compared with ModemManager's figures.
    #[must_use]
    pub const fn wants_read(&self) -> bool {
        self.wants_read
    }

    /// Whose word counts for a SIM, as configured.
    pub(super) fn note_choice(&mut self, iccid: Option<&Iccid>, choice: SourceChoice) {
        let Some(iccid) = iccid else { return };
        if choice == SourceChoice::Auto {
            self.auto.insert(iccid.clone());
        } else {
            self.auto.remove(iccid);
        }
    }
}

impl Live {
    fn told(&mut self, tellers: Vec<Teller>, at: Stamp) {
        let sum = |tellers: &[Teller]| {
            tellers.iter().fold((0_u64, 0_u64), |sum, teller| {
                (sum.0.saturating_add(teller.raw.0), sum.1.saturating_add(teller.raw.1))
            })
        };
        let same = |a: &[Teller], b: &[Teller]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.key == b.key && a.start == b.start)
        };
        let now = sum(&tellers);
        let moved = sum(&self.tellers) != now || !same(&self.tellers, &tellers);
        let going_on = self.tellers.is_empty() || same(&self.tellers, &tellers);
        let grown = self.session.kernel.map(|kernel| kernel.grown).unwrap_or_default();
        let since = at.boot_ms.saturating_sub(self.told_at.max(self.session.began_boot_ms));
        let before = self.session.told;
        match &mut self.session.told {
            Some(told) if going_on && told.could_be(now, since) => told.follow(now),
            Some(told) => told.bridge(now),
            // From its beginning on both count alike.
            None if !self.midway && tellers.iter().all(|teller| teller.duration_s < BEGINNING_S) => {
                self.session.told = Some(Figures::beginning_at(now));
            }
            // Joined midway: how far the first figure lags is not known. One that comes long enough after it holds all
            // that passed before that.
            None => match self.sighted {
                None => self.sighted = Some((at.boot_ms, grown)),
                Some((since, then)) if moved && at.boot_ms.saturating_sub(since) >= OLDEST_MS => {
                    let mut told = Figures { grown: then, ..Figures::default() };
                    told.bridge(now);
                    self.session.told = Some(told);
                }
                Some(_) => {}
            },
        }
        self.unkept |= self.session.told != before;
        if moved {
            self.told_at = at.boot_ms;
        }
        self.tellers = tellers;
    }

    /// By more than any lag, header or rounding explains.
    fn suspicious(&self) -> bool {
        const LEAST: u64 = 1_000_000;
        let (Some(kernel), Some(told)) = (self.session.kernel, self.session.told) else { return false };
        let (kernel, told) = (kernel.grown.total(), told.grown.total());
        self.session.source == Source::Kernel
            && told > kernel.saturating_add(LEAST)
            && told > kernel.saturating_add(kernel / 20)
    }
}

fn teller(seen: &Seen<'_>, bearer: &BearerView) -> Option<Teller> {
    let stats = bearer.stats.filter(|_| bearer.stats_supported)?;
    Some(Teller {
        key: super::bearers::key(&seen.modem.id, bearer),
        start: stats.start,
        raw: (stats.rx_bytes, stats.tx_bytes),
        duration_s: stats.duration_s,
    })
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
