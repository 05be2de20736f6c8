//! ModemManager's figures of a connection, where the kernel has none.

use super::links::Seen;
use super::{Accounting, Booked, Counter, Owner};
use crate::ident::{Iccid, ModemId};
use crate::ledger::{Baseline, GapReason};
use crate::modem::{BearerStats, BearerView};

impl Accounting {
    pub(super) fn settle_bearers(&mut self, seen: &Seen<'_>, booked: &mut Vec<Booked>) {
        let prefix = prefix(&seen.modem.id);
        for bearer in &seen.modem.bearers {
            let key = format!("{prefix}{}", bearer.path);
            let name = if bearer.ppp { seen.ppp_interface } else { bearer.interface.as_deref() };
            let by_kernel = name.is_some_and(|name| self.has_link(name));
            let Some(stats) = bearer.stats.filter(|_| bearer.stats_supported) else { continue };
            if by_kernel && bearer.connected {
                self.by_kernel.insert(key.clone(), stats.start);
            }
            if let Some(mut counter) = self.bearers.remove(&key) {
                if counter.continues(&stats) {
                    self.bearer_read(&key, &mut counter, &stats, seen, booked);
                    if bearer.connected && !by_kernel && counter.owner.is_some() {
                        self.bearers.insert(key, counter);
                    } else {
                        self.release(&key, &mut counter);
                    }
                    continue;
                }
                self.release(&key, &mut counter);
            }
            if let Some(iccid) = seen.iccid
                && !by_kernel
                && !self.is_counted_by_kernel(&seen.modem.id, bearer)
            {
                self.bearer_found(key, bearer, &stats, iccid, seen, booked);
            }
        }
        let gone = |key: &str| {
            key.strip_prefix(&prefix).is_some_and(|path| !seen.modem.bearers.iter().any(|b| b.path == path))
        };
        self.by_kernel.retain(|key, _| !gone(key));
        let vanished: Vec<String> = self.bearers.keys().filter(|key| gone(key)).cloned().collect();
        for key in vanished {
            if let Some(mut counter) = self.bearers.remove(&key) {
                self.release(&key, &mut counter);
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

    /// Whether the kernel counted this connection, or a part of it: then ModemManager's figures, which include that
    /// part and lag behind it, are not used for the rest.
    #[must_use]
    pub fn is_counted_by_kernel(&self, modem: &ModemId, bearer: &BearerView) -> bool {
        let key = format!("{}{}", prefix(modem), bearer.path);
        self.by_kernel.get(&key).is_some_and(|start| bearer.stats.is_some_and(|stats| stats.start == *start))
    }

    fn bearer_read(
        &mut self,
        key: &str,
        counter: &mut Counter,
        stats: &BearerStats,
        seen: &Seen<'_>,
        booked: &mut Vec<Booked>,
    ) {
        let now = (stats.rx_bytes, stats.tx_bytes);
        if now.0 < counter.latest.0 || now.1 < counter.latest.1 {
            if let Some(base) = counter.baseline(key, self.boot.as_ref()) {
                self.lose_keeping(&base, GapReason::CounterReset, seen.at);
            }
            counter.rebase(now, seen.at);
        } else {
            counter.latest = now;
            let same = |iccid: &Iccid| counter.owner.as_ref().is_some_and(|owner| owner.iccid == *iccid);
            if seen.iccid.is_none_or(same) {
                self.book(counter, seen.at, seen.splits, booked);
            } else {
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
                && now.0 >= base.rx_bytes
                && now.1 >= base.tx_bytes
        };
        match base {
            Some(base) if goes_on(&base) => {
                counter.resume(&base, seen.at);
                counter.owner = Some(Owner { zone: base.zone.clone(), ..owner.clone() });
                counter.confirm();
                // Also where it ended meanwhile: these are its final figures.
                self.book(&mut counter, seen.at, seen.splits, booked);
                if !bearer.connected {
                    self.release(&key, &mut counter);
                    return;
                }
                if base.zone != *seen.zone {
                    self.claim(&mut counter, owner, seen.at);
                }
            }
            base => {
                let began_after_base = base.is_some() && !same_connection;
                if let Some(base) = base {
                    self.lose(&base, GapReason::InterfaceVanished, seen.at);
                }
                if !bearer.connected {
                    return;
                }
                // A connection that began while the service watched, or after its last reading, counts in full.
                if began_after_base || (!seen.just_seen && !same_connection) {
                    counter.booked = (0, 0);
                }
                self.claim(&mut counter, owner, seen.at);
                self.book(&mut counter, seen.at, seen.splits, booked);
            }
        }
        self.bearers.insert(key, counter);
    }

    /// ModemManager's own figures end with its bearer objects.
    pub(super) fn bearers_lost(&mut self, modem: Option<&ModemId>) {
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
        match modem {
            None => self.by_kernel.clear(),
            Some(modem) => {
                let prefix = prefix(modem);
                self.by_kernel.retain(|key, _| !key.starts_with(&prefix));
            }
        }
    }
}

fn prefix(modem: &ModemId) -> String {
    format!("bearer:{modem}:")
}
