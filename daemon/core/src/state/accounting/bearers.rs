//! ModemManager's figures of a connection, where the kernel has none.

use std::collections::btree_map::Entry;

use super::counter::is_credible;
use super::links::Seen;
use super::sessions::{BEGINNING_S, OLDEST_MS};
use super::{Accounting, Booked, Counter, Owner};
use crate::effect::Change;
use crate::ident::{Iccid, ModemId};
use crate::ledger::{Baseline, EpochId, Figures, Gap, GapReason, Source};
use crate::modem::{BearerStats, BearerView};
use crate::time::Stamp;

impl Accounting {
    pub(super) fn settle_bearers(&mut self, seen: &Seen<'_>, booked: &mut Vec<Booked>) {
        self.note_told(seen);
        let prefix = prefix(&seen.modem.id);
        for bearer in &seen.modem.bearers {
            let key = format!("{prefix}{}", bearer.path);
            let source = self.source_of(seen, bearer);
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
        self.shared.retain(|key, _| !gone(key));
        let vanished: Vec<String> = self.bearers.keys().filter(|key| gone(key)).cloned().collect();
        for key in vanished {
            if let Some(mut counter) = self.bearers.remove(&key) {
                self.release(&key, &mut counter, seen.at);
            }
        }
        // The ledger knows a connection of this modem that is no more.
        let ended: Vec<String> =
            self.waiting.keys().filter(|key| key.starts_with(&prefix)).cloned().collect();
        for key in ended.into_iter().filter(|_| seen.iccid.is_some()) {
            if let Some(base) = self.waiting.remove(&key) {
                self.lose(&base, GapReason::InterfaceVanished, seen.at);
            }
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
            counter.latest = now;
            let same = |iccid: &Iccid| counter.owner.as_ref().is_some_and(|owner| owner.iccid == *iccid);
            if seen.iccid.is_none_or(same) {
                self.book(counter, seen.at, seen.splits, booked);
            } else {
                // The next figure still holds what the SIM before carried since this one.
                self.shared.insert(key.to_owned(), (now, seen.at.boot_ms));
                self.abandon(key, counter, seen.at);
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
        let same_connection = base.as_ref().is_some_and(|base| base.connection_start == stats.start);
        let goes_on = |base: &Baseline| {
            same_connection
                && base.iccid.as_ref() == Some(iccid)
                && ((now.0 >= base.rx_bytes && now.1 >= base.tx_bytes) || self.took_over(base))
        };
        match base {
            Some(base) if goes_on(&base) => {
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
                let began_after_base = base.is_some() && !same_connection;
                // What is booked of figures that took over may be ahead of them.
                let plain = base.as_ref().filter(|base| !self.took_over(base));
                let before = plain.map(|b| ((b.rx_bytes, b.tx_bytes), b.iccid.clone()));
                if let Some(base) = base {
                    self.lose(&base, GapReason::InterfaceVanished, seen.at);
                }
                if !bearer.connected {
                    return;
                }
                let began_watched = began_after_base || (!seen.just_seen && !same_connection);
                let counted = self.is_counted_by_kernel(&seen.modem.id, bearer);
                let start = match self.shared.get(&key) {
                    // One that comes long enough after it holds all that passed before.
                    Some((last, since)) => {
                        (*last != now && seen.at.boot_ms.saturating_sub(*since) >= OLDEST_MS).then_some(now)
                    }
                    None if began_watched && !counted => self.beginning(before, iccid, stats, seen),
                    None => None,
                };
                let Some(start) = start else {
                    if let Entry::Vacant(place) = self.shared.entry(key) {
                        place.insert((now, seen.at.boot_ms));
                        if seen.just_seen && seen.known && !began_watched && now != (0, 0) {
                            self.bearer_unseen(stats, iccid, seen);
                        }
                    }
                    return;
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
        before: Option<((u64, u64), Option<Iccid>)>,
        iccid: &Iccid,
        stats: &BearerStats,
        seen: &Seen<'_>,
    ) -> Option<(u64, u64)> {
        let now = (stats.rx_bytes, stats.tx_bytes);
        let before = before.or_else(|| self.last_told.get(&seen.modem.id).cloned());
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

    /// ModemManager's own figures end with its bearer objects.
    pub(super) fn bearers_lost(&mut self, modem: Option<&ModemId>, at: Stamp) {
        let gone: Vec<String> = self
            .bearers
            .iter()
            .filter(|(_, c)| c.owner.as_ref().is_some_and(|o| modem.is_none_or(|m| o.modem == *m)))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            if let Some(mut counter) = self.bearers.remove(&key) {
                self.release(&key, &mut counter, at);
            }
        }
        match modem {
            None => {
                self.by_kernel.clear();
                self.last_told.clear();
                self.shared.clear();
            }
            Some(modem) => {
                self.last_told.remove(modem);
                let prefix = prefix(modem);
                self.by_kernel.retain(|key, _| !key.starts_with(&prefix));
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
