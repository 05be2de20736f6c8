//! ModemManager's figures of a connection, where the kernel has none.

use std::collections::{BTreeMap, BTreeSet};

use super::counter::is_credible;
use super::links::Seen;
use super::sessions::{BEGINNING_S, OLDEST_MS};
use super::{Accounting, Beginning, Booked, Counter, Owner, Shared};
use crate::effect::Change;
use crate::ident::{Iccid, ModemId};
use crate::ledger::{Baseline, EpochId, Figures, Gap, GapReason, Source};
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
            let told = bearer.stats.filter(|_| bearer.connected);
            if self.shared.get(&key).is_some_and(|shared| told.is_none_or(|told| told.start != shared.start))
            {
                self.forget_shared_of(|other| other == key);
            }
            let Some(stats) = bearer.stats.filter(|_| bearer.stats_supported) else {
                // Its end is seen, without figures too.
                if !bearer.connected
                    && let Some(mut counter) = self.bearers.remove(&key)
                {
                    self.release(&key, &mut counter, seen.at);
                }
                continue;
            };
            if source == Some(Source::Kernel) && bearer.connected {
                self.by_kernel.insert(key.clone(), stats.start);
            }
            if let Some(mut counter) = self.bearers.remove(&key) {
                if counter.continues(&stats) {
                    self.bearer_read(&key, &mut counter, &stats, seen, booked);
                    if bearer.connected && source == Some(Source::Modem) && counter.owner.is_some() {
                        self.bearers.insert(key, counter);
                    } else {
                        self.release(&key, &mut counter, seen.at);
                    }
                    continue;
                }
                self.release(&key, &mut counter, seen.at);
            }
            let ended = !bearer.connected && self.waiting.contains_key(&key);
            if let Some(iccid) = seen.iccid
                && (ended || (bearer.connected && source == Some(Source::Modem)))
            {
                self.bearer_found(key, bearer, &stats, iccid, seen, booked);
            }
        }
        let gone = |key: &str| {
            key.strip_prefix(&prefix).is_some_and(|path| !seen.modem.bearers.iter().any(|b| b.path == path))
        };
        self.by_kernel.retain(|key, _| !gone(key));
        self.forget_shared_of(gone);
        let vanished: Vec<String> = self.bearers.keys().filter(|key| gone(key)).cloned().collect();
        for key in vanished {
            if let Some(mut counter) = self.bearers.remove(&key) {
                self.release(&key, &mut counter, seen.at);
            }
        }
        // A connection is known of this modem, or of its SIM in another, that is no more.
        let over = |key: &str, base: &Baseline| key.starts_with(&prefix) || base.iccid.as_ref() == seen.iccid;
        let ended: Vec<String> =
            self.waiting.iter().filter(|(key, base)| over(key, base)).map(|(key, _)| key.clone()).collect();
        for key in ended.into_iter().filter(|_| seen.iccid.is_some()) {
            if let Some(base) = self.waiting.remove(&key) {
                self.lose(&base, self.ended_unseen(&key), seen.at);
            }
        }
    }

    /// Connections are over that waited for a figure to begin with.
    fn forget_shared_of(&mut self, over: impl Fn(&str) -> bool) {
        let keys: Vec<String> = self.shared.keys().filter(|key| over(key)).cloned().collect();
        for key in keys {
            self.shared.remove(&key);
            self.changes.push(Change::DropBaseline { counter: key });
        }
    }

    /// Remembers the modem's last figure: of connections that just ended, and then of those that last.
    fn note_told(&mut self, seen: &Seen<'_>) {
        let Some(iccid) = seen.iccid else { return };
        for lasting in [false, true] {
            for bearer in seen.modem.bearers.iter().filter(|b| b.connected == lasting && b.stats_supported) {
                let Some(stats) = bearer.stats else { continue };
                let key = key(&seen.modem.id, bearer);
                let by_modem = self.bearers.get(&key).is_some_and(|counter| counter.continues(&stats));
                if by_modem || self.by_kernel.get(&key) == Some(&stats.start) {
                    let raw = (stats.rx_bytes, stats.tx_bytes);
                    // What the kernel counted is booked to the end, and not only to this figure.
                    let whose = iccid.clone();
                    self.last_told.insert(seen.modem.id.clone(), (raw, by_modem.then_some(whose)));
                }
            }
        }
    }

    /// Whether the kernel counted this connection, or a part of it: then ModemManager's figures, which include that
    /// part and lag behind it, are not used for the rest.
    #[must_use]
    pub fn is_counted_by_kernel(&self, modem: &ModemId, bearer: &BearerView) -> bool {
        self.by_kernel
            .get(&key(modem, bearer))
            .is_some_and(|start| bearer.stats.is_some_and(|stats| stats.start == *start))
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
            if let Some(base) = counter.baseline(key, self.boot.as_ref()) {
                self.lose_keeping(&base, GapReason::CounterReset, seen.at);
            }
            counter.rebase(now, seen.at);
            self.bridge(counter);
        } else {
            if counter.latest != now {
                counter.changed_at = seen.at;
            }
            counter.latest = now;
            let same = |iccid: &Iccid| counter.owner.as_ref().is_some_and(|owner| owner.iccid == *iccid);
            if seen.iccid.is_none_or(same) {
                self.book(counter, seen.at, seen.splits, booked);
            } else {
                // The next figure still holds what the SIM before carried since this one.
                let (start, reason) = (stats.start, GapReason::SimChanged);
                self.shared.insert(key.to_owned(), Shared { start, last: now, since: seen.at, reason });
                let base = counter.baseline(key, self.boot.as_ref());
                self.abandon(key, counter, seen.at);
                // After a kill the ledger says that another SIM used it before.
                self.changes.extend(base.map(Change::SetBaseline));
            }
        }
        if let Some(owner) = counter.owner.clone().filter(|owner| owner.zone != *seen.zone) {
            self.claim(counter, Owner { zone: seen.zone.clone(), ..owner }, seen.at);
        }
    }

    /// A connection that is not followed yet.
    fn bearer_found(
        &mut self,
        key: String,
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
        let mut counter = Counter::bearer(now, stats.start, seen.at);
        let base = self.waiting.remove(&key);
        let same_connection = base.as_ref().is_some_and(|base| {
            base.connection_start == stats.start && !self.began_after(base, stats, seen.at)
        });
        let goes_on = |base: &Baseline| {
            same_connection
                && base.iccid.as_ref() == Some(iccid)
                && ((now.0 >= base.rx_bytes && now.1 >= base.tx_bytes) || self.took_over(base))
        };
        match base {
            Some(base) if goes_on(&base) => {
                self.untold.remove(&key);
                counter.resume(&base, seen.at);
                counter.session = base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch).copied());
                counter.owner = Some(Owner { zone: base.zone.clone(), ..owner.clone() });
                counter.confirm();
                if !counter.could_say(now, seen.at) {
                    self.lose_keeping(&base, GapReason::CounterReset, seen.at);
                    counter.rebase(now, seen.at);
                }
                // Also where it ended meanwhile: these are its final figures.
                self.book(&mut counter, seen.at, seen.splits, booked);
                if !bearer.connected {
                    self.release(&key, &mut counter, seen.at);
                    return;
                }
                if base.zone != *seen.zone {
                    self.claim(&mut counter, owner, seen.at);
                }
            }
            base => {
                let another_sim =
                    same_connection && base.as_ref().is_some_and(|base| base.iccid.as_ref() != Some(iccid));
                // What is booked of figures that took over may be ahead of them.
                let plain = base.as_ref().filter(|base| !self.took_over(base));
                let before = plain.map(|b| (b.rx_bytes, b.tx_bytes));
                if let Some(base) = base {
                    let reason = match same_connection {
                        true if another_sim => GapReason::SimChanged,
                        true => GapReason::CounterReset,
                        false => self.ended_unseen(&key),
                    };
                    self.lose(&base, reason, seen.at);
                }
                if !bearer.connected {
                    return;
                }
                let counted = self.is_counted_by_kernel(&seen.modem.id, bearer);
                if (another_sim || counted) && !self.shared.contains_key(&key) {
                    let reason = if another_sim { GapReason::SimChanged } else { GapReason::NoCounter };
                    let start = stats.start;
                    self.shared.insert(key, Shared { start, last: now, since: seen.at, reason });
                    return;
                }
                let start = match self.shared.get(&key).cloned() {
                    Some(shared) => {
                        // One that comes long enough after it holds all that passed before.
                        let waited = seen.at.boot_ms.saturating_sub(shared.since.boot_ms);
                        if shared.last == now || waited < OLDEST_MS {
                            return;
                        }
                        self.say_shared(&shared, now, iccid, seen.at);
                        now
                    }
                    None => {
                        let live = self.beginnings.get(&key).filter(|live| live.start == stats.start);
                        let live =
                            live.and_then(|live| live.raw).filter(|raw| raw.0 <= now.0 && raw.1 <= now.1);
                        // Of a connection that the ledger knows the beginning is past, and what is lost was said.
                        let start = live
                            .or_else(|| self.beginning(before, iccid, stats, seen))
                            .filter(|_| !same_connection);
                        if start.is_none() && !same_connection && seen.known && now != (0, 0) {
                            self.bearer_unseen(stats, iccid, seen);
                        }
                        // The first figure that is seen is the baseline.
                        start.unwrap_or(now)
                    }
                };
                self.shared.remove(&key);
                self.by_kernel.remove(&key);
                counter.booked = start;
                if !is_credible(counter.growth(), u64::from(stats.duration_s).saturating_mul(1_000)) {
                    self.bearer_unseen(stats, iccid, seen);
                    counter.booked = now;
                }
                self.claim(&mut counter, owner, seen.at);
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

    /// What passed while it could not be told whose it was, or whether the kernel had counted it.
    fn say_shared(&mut self, shared: &Shared, now: (u64, u64), iccid: &Iccid, at: Stamp) {
        let (rx, tx) = (now.0.saturating_sub(shared.last.0), now.1.saturating_sub(shared.last.1));
        self.changes.push(Change::AppendGap(Gap {
            iccid: Some(iccid.clone()),
            from: super::dated(shared.since),
            until: super::dated(at),
            reason: shared.reason,
            detail: format!(
                "of {rx} B received and {tx} B sent by ModemManager's figures a part may be missing"
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
        let session = base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch).copied());
        if let Some(live) = self.beginnings.get(&base.counter) {
            return session != Some(live.session);
        }
        let began = session.and_then(|id| self.sessions.get(&id)).map(|live| live.session.began_boot_ms);
        let since = at.boot_ms.saturating_sub(began.unwrap_or(base.read_boot_ms).min(base.read_boot_ms));
        let lasted = u64::from(stats.duration_s).saturating_mul(1_000);
        lasted > 0 && lasted.saturating_add(OLDEST_MS).saturating_add(SLACK_MS) < since
    }

    /// What ModemManager's figures said as each session began that they count, and that a copy of the ledger does not know.
    pub(super) fn beginnings(&self, copy: &Self) -> BTreeMap<String, Beginning> {
        let followed = self.bearers.iter().filter_map(|(key, counter)| {
            let session = counter.session?;
            let others = self.bearers.values().filter(|other| other.session == counter.session).count();
            let told = self.sessions.get(&session)?.session.told;
            let told = told.filter(|_| others == 1 && !copy.sessions.contains_key(&session));
            let raw =
                told.and_then(|told| Some((told.from_rx.try_into().ok()?, told.from_tx.try_into().ok()?)));
            Some((key.clone(), Beginning { start: counter.start, session, raw }))
        });
        followed.collect()
    }

    /// Whether a baseline is of figures that took over from the kernel's: those may lag behind what is booked.
    fn took_over(&self, base: &Baseline) -> bool {
        let session = base.epoch.and_then(|epoch| self.epoch_sessions.get(&epoch));
        session.and_then(|id| self.sessions.get(id)).is_some_and(|live| live.session.kernel.is_some())
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
            self.keep_session(id);
        }
    }

    /// ModemManager's own figures end with its bearer objects. Where ModemManager itself is gone their connections may
    /// last, and what they carry is a gap once they are seen to be no more.
    pub(super) fn bearers_lost(&mut self, modem: Option<&ModemId>, gone_on: &BTreeSet<EpochId>, at: Stamp) {
        let gone: Vec<String> = self
            .bearers
            .iter()
            .filter(|(_, c)| c.owner.as_ref().is_some_and(|o| modem.is_none_or(|m| o.modem == *m)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            let Some(mut counter) = self.bearers.remove(&key) else { continue };
            let told_until = counter.told_until(at);
            let base = counter.baseline(&key, self.boot.as_ref());
            match (base, counter.epoch, counter.session) {
                (Some(base), Some(epoch), Some(session)) if !gone_on.contains(&session) => {
                    let read_at = super::dated(told_until);
                    let base = Baseline { read_at, read_boot_ms: told_until.boot_ms, ..base };
                    if modem.is_some() {
                        self.lose(&base, GapReason::NoCounter, at);
                        continue;
                    }
                    self.changes.push(Change::SetBaseline(base.clone()));
                    self.keep_session(session);
                    self.epoch_sessions.insert(epoch, session);
                    self.untold.insert(key.clone());
                    self.waiting.insert(key, base);
                }
                _ => self.release(&key, &mut counter, at),
            }
        }
        match modem {
            None => {
                self.by_kernel.clear();
                self.last_told.clear();
                self.forget_shared_of(|_| true);
            }
            Some(modem) => {
                self.last_told.remove(modem);
                let prefix = prefix(modem);
                self.by_kernel.retain(|key, _| !key.starts_with(&prefix));
                self.forget_shared_of(|key| key.starts_with(&prefix));
            }
        }
    }
}

pub(super) fn key(modem: &ModemId, bearer: &BearerView) -> String {
    format!("{}{}", prefix(modem), bearer.path)
}

pub(super) fn prefix(modem: &ModemId) -> String {
    format!("bearer:{modem}:")
}
