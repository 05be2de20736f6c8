//! ModemManager's figures of a connection, where the kernel has none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::counter::is_credible;
use super::links::Seen;
use super::sessions::{BEGINNING_S, OLDEST_MS};
use super::{Accounting, Beginning, Booked, Counter, First, Owner, stamp_of};
use crate::effect::Change;
use crate::ident::{Iccid, ModemId};
use crate::ledger::{Baseline, EpochId, Figures, Gap, GapReason, Session, Source};
use crate::modem::{BearerStats, BearerView};
use crate::time::Stamp;

/// ModemManager's clock and the service's differ in when a connection begins by no more.
const SLACK_MS: u64 = 5_000;

impl Accounting {
    pub(super) fn settle_bearers(&mut self, seen: &Seen<'_>, booked: &mut Vec<Booked>) {
        self.note_told(seen);
        let prefix = prefix(&seen.modem.id);
        for bearer in &seen.modem.bearers {
            let key = format!("{prefix}{}", bearer.path);
            let source = self.source_of(seen, bearer);
            let stats = bearer.stats.filter(|_| bearer.stats_supported);
            self.settle_shared(&key, bearer, stats, seen);
            self.settle_bearer(&key, bearer, stats, source, seen, booked);
            if bearer.connected && bearer.stats_supported && source == Some(Source::Kernel) {
                self.share_with_link(&key, bearer, seen);
            } else if bearer.connected && bearer.stats_supported && seen.leaves_out(bearer) {
                self.share_with_nobody(&key, bearer, seen.at);
            }
        }
        // One that was found just now may end without another figure.
        self.note_told(seen);
        let gone = |key: &str| {
            key.strip_prefix(&prefix).is_some_and(|path| !seen.modem.bearers.iter().any(|b| b.path == path))
        };
        self.unshare_all(gone, seen.at);
        let vanished: Vec<Arc<str>> = self.bearers.keys().filter(|key| gone(key)).cloned().collect();
        for key in vanished {
            if let Some(mut counter) = self.bearers.remove(&key) {
                self.end_bearer(&mut counter, seen.at);
            }
        }
        // A connection is known of this modem, or of its SIM in another, that is no more.
        let over = |key: &str, base: &Baseline| key.starts_with(&prefix) || base.iccid.as_ref() == seen.iccid;
        let ended: Vec<Arc<str>> =
            self.waiting.iter().filter(|(key, base)| over(key, base)).map(|(key, _)| key.clone()).collect();
        for key in ended.into_iter().filter(|_| seen.iccid.is_some()) {
            if let Some(base) = self.waiting.remove(&key) {
                self.lose(&base, self.ended_unseen(&key), seen.at);
            }
        }
    }

    fn settle_bearer(
        &mut self,
        key: &str,
        bearer: &BearerView,
        stats: Option<BearerStats>,
        source: Option<Source>,
        seen: &Seen<'_>,
        booked: &mut Vec<Booked>,
    ) {
        let by_modem = bearer.connected && source == Some(Source::Modem);
        if let Some(mut counter) = self.bearers.remove(key) {
            match stats {
                Some(stats) if counter.continues(&stats) => {
                    self.bearer_read(key, &mut counter, &stats, seen, booked);
                    if by_modem && counter.owner.is_some() {
                        self.bearers.insert(counter.key.clone(), counter);
                    } else {
                        self.end_bearer(&mut counter, seen.at);
                    }
                    return;
                }
                // Its end is seen, without figures too.
                None if bearer.connected => {
                    self.bearers.insert(counter.key.clone(), counter);
                }
                _ => self.end_bearer(&mut counter, seen.at),
            }
        }
        if bearer.connected && source != Some(Source::Kernel) && !seen.leaves_out(bearer) {
            self.await_figure(key, stats, seen);
        }
        let ended = !bearer.connected && self.waiting.contains_key(key);
        if let (Some(iccid), Some(stats)) = (seen.iccid, stats)
            && (ended || by_modem)
        {
            self.bearer_found(key.into(), bearer, &stats, iccid, seen, booked);
        }
    }

    /// A connection is over, or its figures do not count any more. ModemManager asks the modem no last time.
    fn end_bearer(&mut self, counter: &mut Counter, at: Stamp) {
        let base = counter.told_baseline(self.boot.as_ref(), at);
        if let Some(base) = base.filter(|base| base.read_boot_ms < at.boot_ms) {
            self.lose_keeping(&base, GapReason::NoCounter, at);
        }
        self.release(counter, at);
    }

    /// Remembers the modem's last figure: of connections that just ended, and then of those that last.
    fn note_told(&mut self, seen: &Seen<'_>) {
        let Some(iccid) = seen.iccid else { return };
        for lasting in [false, true] {
            for bearer in seen.modem.bearers.iter().filter(|b| b.connected == lasting && b.stats_supported) {
                let Some(stats) = bearer.stats else { continue };
                let key = key(&seen.modem.id, bearer);
                let raw = (stats.rx_bytes, stats.tx_bytes);
                let counter = self.bearers.get(&key).filter(|counter| counter.continues(&stats));
                // Where the kernel was ahead as these figures took over, more is booked than they say.
                let by_modem =
                    counter.is_some_and(|counter| counter.booked.0 <= raw.0 && counter.booked.1 <= raw.1);
                if counter.is_some() || self.is_shared(&key, &stats) {
                    // What the kernel counted is booked to the end, and not only to this figure; what another SIM carried
                    // is in it as well.
                    let whose = iccid.clone();
                    self.last_told.insert(seen.modem.id.clone(), (raw, by_modem.then_some(whose)));
                }
            }
        }
    }

    pub(super) fn bearer_read(
        &mut self,
        key: &str,
        counter: &mut Counter,
        stats: &BearerStats,
        seen: &Seen<'_>,
        booked: &mut Vec<Booked>,
    ) {
        let now = (stats.rx_bytes, stats.tx_bytes);
        let fell = now.0 < counter.latest.0 || now.1 < counter.latest.1;
        if fell || !counter.could_say(now, seen.at) {
            if let Some(base) = counter.baseline(self.boot.as_ref()) {
                self.lose_keeping(&base, GapReason::CounterReset, seen.at);
            }
            counter.rebase(now, seen.at);
            self.bridge(counter);
        } else {
            if counter.latest != now {
                counter.told_at = seen.at;
            }
            counter.latest = now;
            let same = |iccid: &Iccid| counter.owner.as_ref().is_some_and(|owner| owner.iccid == *iccid);
            if seen.iccid.is_none_or(same) {
                self.book(counter, seen.at, seen.splits, booked);
            } else {
                // The next figure still holds what the SIM before carried since this one.
                if counter.growth() == (0, 0)
                    && let Some(base) = counter.told_baseline(self.boot.as_ref(), seen.at)
                {
                    self.lose_keeping(&base, GapReason::SimChanged, seen.at);
                }
                self.abandon(counter, seen.at);
                self.share_with_sim(key, stats, seen.at, seen.iccid, seen.at);
            }
        }
        if let Some(owner) = counter.owner.clone().filter(|owner| owner.zone != *seen.zone) {
            self.claim(counter, Owner { zone: seen.zone.clone(), ..owner }, seen.at);
        }
    }

    /// A connection that is not followed yet.
    fn bearer_found(
        &mut self,
        key: Arc<str>,
        bearer: &BearerView,
        stats: &BearerStats,
        iccid: &Iccid,
        seen: &Seen<'_>,
        booked: &mut Vec<Booked>,
    ) {
        let now = (stats.rx_bytes, stats.tx_bytes);
        let owner = Owner {
            iccid: iccid.clone(),
            zone: seen.zone.clone(),
            apn: bearer.apn.clone(),
            modem: seen.modem.id.clone(),
        };
        let mut counter = Counter::bearer(key.clone(), now, stats.start, seen.at);
        let base = self.waiting.remove(&key);
        let same_connection = base.as_ref().is_some_and(|base| {
            base.connection_start == stats.start && !self.began_after(base, stats, seen.at)
        });
        let goes_on = |base: &Baseline| {
            same_connection
                && base.iccid.as_ref() == Some(iccid)
                && self.last_figure(base).is_none_or(|last| now.0 >= last.0 && now.1 >= last.1)
        };
        match base {
            Some(base) if goes_on(&base) => {
                self.untold.remove(&key);
                counter.resume(&base, seen.at);
                counter.session = base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch).copied());
                counter.owner = Some(Owner { zone: base.zone.clone(), ..owner.clone() });
                counter.confirm();
                // It goes on in what the ledger holds, whoever else counted it since.
                counter.dirty |= self.unshare(&key, seen.at);
                if !counter.could_say(now, seen.at) {
                    self.lose_keeping(&base, GapReason::CounterReset, seen.at);
                    counter.rebase(now, seen.at);
                }
                // Also where it ended meanwhile: these are its final figures.
                self.book(&mut counter, seen.at, seen.splits, booked);
                if !bearer.connected {
                    self.end_bearer(&mut counter, seen.at);
                    return;
                }
                if base.zone != *seen.zone {
                    self.claim(&mut counter, owner, seen.at);
                }
            }
            base => {
                let another_sim =
                    same_connection && base.as_ref().is_some_and(|base| base.iccid.as_ref() != Some(iccid));
                let before = base.as_ref().and_then(|base| self.last_figure(base));
                if let Some(base) = base {
                    let reason = match same_connection {
                        true if another_sim => GapReason::SimChanged,
                        true => GapReason::CounterReset,
                        false => self.ended_unseen(&key),
                    };
                    let kernels = self.kernels_lead(&base, stats).filter(|_| !same_connection);
                    self.lose(&base, reason, seen.at);
                    if another_sim && bearer.connected {
                        self.share_with_sim(&key, stats, stamp_of(&base, seen.at), Some(iccid), seen.at);
                    } else if let Some(interface) = kernels.filter(|_| bearer.connected) {
                        self.share_with_lead(&key, stats, interface, iccid, seen.at);
                    }
                }
                if !bearer.connected {
                    return;
                }
                let mut since = seen.at;
                let start = if self.is_shared(&key, stats) {
                    if !self.has_waited(&key, seen.at) {
                        return;
                    }
                    now
                } else {
                    let live = self.beginnings.get(&key).filter(|live| live.start == stats.start);
                    let live = live.and_then(|live| live.first.as_ref());
                    // Of a connection that the ledger knows the beginning is past, and what is lost was said.
                    let live =
                        live.filter(|live| !same_connection && live.raw.0 <= now.0 && live.raw.1 <= now.1);
                    if let Some(live) = live {
                        since = live.began;
                    } else if !seen.just_seen && !same_connection && stats.duration_s < BEGINNING_S {
                        counter.told_at = seen.at;
                    }
                    let start = live
                        .map(|live| live.raw)
                        .or_else(|| self.beginning(before, iccid, stats, seen))
                        .filter(|_| !same_connection);
                    if start.is_none() && !same_connection && seen.known && now != (0, 0) {
                        self.bearer_unseen(stats, iccid, seen);
                    }
                    // The first figure that is seen is the baseline.
                    start.unwrap_or(now)
                };
                counter.booked = start;
                if !is_credible(counter.growth(), u64::from(stats.duration_s).saturating_mul(1_000)) {
                    self.bearer_unseen(stats, iccid, seen);
                    counter.booked = now;
                }
                self.claim(&mut counter, owner, since);
                self.book(&mut counter, seen.at, seen.splits, booked);
            }
        }
        self.watch_link(counter.session, seen, bearer);
        self.bearers.insert(key, counter);
    }

    /// What a connection's counter said as it began: 0, unless the modem goes on counting from its last connection. None
    /// where that cannot be told of a figure that is not fresh.
    fn beginning(
        &self,
        ledgers: Option<(u64, u64)>,
        iccid: &Iccid,
        stats: &BearerStats,
        seen: &Seen<'_>,
    ) -> Option<(u64, u64)> {
        let now = (stats.rx_bytes, stats.tx_bytes);
        // Between what the ledger holds and this connection there may have been others.
        let ledgers = ledgers.map(|raw| (raw, None));
        let before = ledgers.or_else(|| self.last_told.get(&seen.modem.id).cloned());
        let fresh = (stats.duration_s < BEGINNING_S).then_some(now);
        match before.filter(|(raw, _)| *raw != (0, 0)) {
            Some((raw, _)) if now.0 < raw.0 || now.1 < raw.1 => Some((0, 0)),
            // What passed since its last figure is the same SIM's.
            Some((raw, whose)) if whose.as_ref() == Some(iccid) && !seen.just_seen => Some(raw),
            Some(_) => fresh,
            None if seen.just_seen => None,
            None => fresh.or(Some((0, 0))),
        }
    }

    /// A connection that began while nobody watched.
    fn bearer_unseen(&mut self, stats: &BearerStats, iccid: &Iccid, seen: &Seen<'_>) {
        self.changes.push(Change::AppendGap(Gap {
            iccid: Some(iccid.clone()),
            from: seen.unwatched_since(stats.start),
            until: super::dated(seen.at),
            reason: GapReason::ConnectedUnseen,
            detail: format!(
                "the connection began before the service watched it; ModemManager says {} B received and {} B sent",
                stats.rx_bytes, stats.tx_bytes
            ),
        }));
    }

    /// Why the count of a connection ended that nobody saw end.
    fn ended_unseen(&self, key: &str) -> GapReason {
        if self.untold.contains(key) { GapReason::NoCounter } else { GapReason::InterfaceVanished }
    }

    /// Whether a connection whose start is not told certainly began after the one that a baseline is of. What
    /// ModemManager calls its duration leaves out suspends: then it only seems younger, and is not taken for the same.
    fn began_after(&self, base: &Baseline, stats: &BearerStats, at: Stamp) -> bool {
        if stats.start.is_some() {
            return false;
        }
        // Of one that was watched while the ledger was replaced, it is known.
        if self.beginnings.contains_key(&base.counter) {
            return false;
        }
        let session = base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch).copied());
        let began = session.and_then(|id| self.sessions.get(&id)).map(|live| live.session.began_boot_ms);
        let since = at.boot_ms.saturating_sub(began.unwrap_or(base.read_boot_ms).min(base.read_boot_ms));
        let lasted = u64::from(stats.duration_s).saturating_mul(1_000);
        lasted.saturating_add(OLDEST_MS).saturating_add(SLACK_MS) < since
    }

    /// The sessions that last, by their counters, with what a copy of the ledger does not know of them.
    pub(super) fn beginnings(&self, copy: &Self, ended: &[Session]) -> BTreeMap<Arc<str>, Beginning> {
        let followed = self.links.values().chain(self.bearers.values()).filter_map(|counter| {
            let id = counter.session.or(counter.watched)?;
            let session = self.in_copy(copy, id);
            let known = session.is_some() || self.is_one_of(id, ended);
            let first = self.first(counter, id).filter(|_| !known);
            Some((counter.key.clone(), Beginning { start: counter.start, session, first }))
        });
        // Of ModemManager that is gone itself.
        let waiting = self.waiting.iter().filter_map(|(key, base)| {
            let session = self.in_copy(copy, *self.epoch_sessions.get(&base.epoch?)?);
            Some((key.clone(), Beginning { start: base.connection_start, session, first: None }))
        });
        followed.chain(waiting).collect()
    }

    fn first(&self, counter: &Counter, session: EpochId) -> Option<First> {
        let live = &self.sessions.get(&session)?.session;
        let began = Stamp {
            wall: live.began.unwrap_or(counter.booked_at.wall),
            boot_ms: live.began_boot_ms,
            trusted: live.began.is_some(),
        };
        let others = self.bearers.values().filter(|other| other.session == Some(session)).count();
        let figures = match counter.source {
            Source::Kernel => live.kernel,
            // The session's figure is the sum of all its bearers.
            _ => live.told.filter(|_| others == 1),
        }?;
        let raw = (figures.from_rx.try_into().ok()?, figures.from_tx.try_into().ok()?);
        Some(First { raw, began, owner: counter.owner.clone(), unconfirmed: counter.unconfirmed })
    }

    /// ModemManager's last figure of a connection, as far as the ledger holds it. What is booked of figures that took over
    /// from the kernel's may be ahead of them: there the session says it, unless it is the sum of several bearers.
    fn last_figure(&self, base: &Baseline) -> Option<(u64, u64)> {
        let session = |base: &Baseline| base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch)).copied();
        let id = session(base);
        let live = id.and_then(|id| self.sessions.get(&id)).map(|live| &live.session);
        let Some(live) = live.filter(|live| live.kernel.is_some()) else {
            return Some((base.rx_bytes, base.tx_bytes));
        };
        let waiting = self.waiting.values().filter(|other| other.counter != base.counter).map(session);
        let mut others = waiting.chain(self.bearers.values().map(|other| other.session));
        let alone = !others.any(|other| other == id);
        live.told.filter(|_| alone).map(|told| told.at(told.grown))
    }

    /// The interface whose counter may have booked what a figure does not say yet, where that may be of the connection of a
    /// baseline all the same: without starts a session may be older than its connection, after a kill.
    fn kernels_lead(&self, base: &Baseline, stats: &BearerStats) -> Option<Arc<str>> {
        let id = base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch))?;
        let interface = self.sessions.get(id)?.session.interface.clone()?;
        let goes_on = self.last_figure(base).is_none_or(|last| {
            let leads = last.0 < base.rx_bytes || last.1 < base.tx_bytes;
            leads && last.0 <= stats.rx_bytes && last.1 <= stats.tx_bytes
        });
        (goes_on && base.connection_start == stats.start).then_some(interface)
    }

    /// The link of a connection that ModemManager's figures count is followed beside them.
    fn watch_link(&mut self, session: Option<EpochId>, seen: &Seen<'_>, bearer: &BearerView) {
        let Some(id) = session else { return };
        let Some(index) = self.link_of(seen, bearer) else { return };
        let (Some(link), Some(live)) = (self.links.get_mut(&index), self.sessions.get_mut(&id)) else {
            return;
        };
        if link.owner.is_none() && link.watched.is_none() && live.session.kernel.is_none() {
            link.watched = Some(id);
            live.session.kernel = Some(Figures::beginning_at(link.latest));
            live.session.interface.clone_from(&link.interface);
            // What passed over it before is in those figures.
            link.newborn = false;
            if let Some(name) = link.interface.clone() {
                self.vanished.remove(&name);
            }
            self.keep_session(id);
        }
    }

    /// ModemManager's own figures end with its bearer objects. Where ModemManager itself is gone their connections may
    /// last, and what they carry is a gap once they are seen to be no more.
    pub(super) fn bearers_lost(&mut self, modem: Option<&ModemId>, gone_on: &BTreeSet<EpochId>, at: Stamp) {
        let gone: Vec<Arc<str>> = self
            .bearers
            .iter()
            .filter(|(_, c)| c.owner.as_ref().is_some_and(|o| modem.is_none_or(|m| o.modem == *m)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            let Some(mut counter) = self.bearers.remove(&key) else { continue };
            let base = counter.told_baseline(self.boot.as_ref(), at);
            match (base, counter.epoch, counter.session) {
                (Some(base), Some(epoch), Some(session)) if !gone_on.contains(&session) => {
                    if modem.is_some() {
                        // `lose` knows the sessions of the ledger's epochs, and this one may be younger.
                        self.end_session(Some(session), base.read_at);
                        self.lose(&base, GapReason::NoCounter, at);
                        continue;
                    }
                    self.changes.push(Change::SetBaseline(base.clone()));
                    self.keep_session(session);
                    self.epoch_sessions.insert(epoch, session);
                    self.untold.insert(key.clone());
                    self.waiting.insert(key, base);
                }
                (_, _, session) => {
                    let live =
                        session.filter(|id| gone_on.contains(id)).and_then(|id| self.sessions.get(&id));
                    let interface = live.map(|live| live.session.interface.clone());
                    self.release(&mut counter, at);
                    if let Some(interface) = interface {
                        self.share_with_kernel(&key, counter.start, interface.as_deref(), at);
                    }
                }
            }
        }
        match modem {
            None => self.last_told.clear(),
            Some(modem) => {
                self.last_told.remove(modem);
                self.shared_gone(modem, at);
            }
        }
    }
}

pub(super) fn key(modem: &ModemId, bearer: &BearerView) -> Arc<str> {
    format!("{}{}", prefix(modem), bearer.path).into()
}

pub(super) fn prefix(modem: &ModemId) -> String {
    format!("bearer:{modem}:")
}
