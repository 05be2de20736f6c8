//! Connections of which another counter, or another SIM, has a part: the kernel counts or counted them, or the SIM in use
//! changed in the midst of them.
//!
//! ModemManager's figures hold that part, and are up to half a minute late: what follows a figure may have been booked
//! already. Such a connection's figures count from one on that was certainly polled since. The ledger knows of it, as a
//! baseline that no epoch belongs to: what is booked outlives a kill, and so has what keeps it from being booked twice.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::links::Seen;
use super::sessions::OLDEST_MS;
use super::{Accounting, dated, stamp_of};
use crate::effect::Change;
use crate::ident::{Iccid, ModemId};
use crate::ledger::{Baseline, Gap, GapReason, Zone};
use crate::modem::{BearerStats, BearerView};
use crate::time::{Stamp, Timestamp};

/// What is known of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Shared {
    /// Where ModemManager has told it.
    start: Option<Timestamp>,
    /// The interface whose counter has a part of it; none where it is another SIM that has, or nobody.
    interface: Option<Arc<str>>,
    /// The access point for which it was not counted.
    left_out: Option<Arc<str>>,
    /// Until when that counter could be read, where it is gone.
    until: Option<Stamp>,
    wait: Option<Wait>,
}

/// The wait for a figure that is late enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wait {
    /// Nobody counts from here on.
    since: Stamp,
    /// Why what passes meanwhile cannot be counted.
    reason: GapReason,
    /// Whose the connection is meanwhile.
    iccid: Option<Iccid>,
    /// When its first figure was seen, by `CLOCK_BOOTTIME`.
    began: Option<u64>,
    /// Its last figure, and when that was another than the one before: one that is only seen again is not newer for it.
    last: Option<((u64, u64), u64)>,
    /// Whether anything certainly passed, or may have while nobody watched.
    moved: bool,
}

impl Wait {
    /// For a figure later than the one that is told now.
    fn for_later_than(
        stats: &BearerStats,
        since: Stamp,
        reason: GapReason,
        iccid: Option<&Iccid>,
        at: Stamp,
    ) -> Self {
        let last = Some(((stats.rx_bytes, stats.tx_bytes), at.boot_ms));
        Self { since, reason, iccid: iccid.cloned(), began: Some(at.boot_ms), last, moved: true }
    }
}

impl Shared {
    fn is_of(&self, start: Option<Timestamp>) -> bool {
        self.start.is_none() || self.start == start
    }
}

impl Accounting {
    /// Whether the kernel counted this connection, or a part of it.
    #[must_use]
    pub fn is_counted_by_kernel(&self, modem: &ModemId, bearer: &BearerView) -> bool {
        self.shared.get(&super::bearers::key(modem, bearer)).is_some_and(|shared| {
            shared.interface.is_some() && bearer.stats.is_some_and(|stats| shared.is_of(stats.start))
        })
    }

    /// Whether a figure is of a connection of which another has a part.
    pub(super) fn is_shared(&self, key: &str, stats: &BearerStats) -> bool {
        self.shared.get(key).is_some_and(|shared| shared.is_of(stats.start))
    }

    /// Whether it is certainly the same that began then.
    pub(super) fn is_shared_since(&self, key: &str, start: Option<Timestamp>) -> bool {
        start.is_some() && self.shared.get(key).is_some_and(|shared| shared.start == start)
    }

    /// Of a connection that is over, nothing more is said by its figures.
    pub(super) fn settle_shared(
        &mut self,
        key: &str,
        bearer: &BearerView,
        stats: Option<BearerStats>,
        seen: &Seen<'_>,
    ) {
        let Some(shared) = self.shared.get_mut(key) else { return };
        let same = stats.is_none_or(|stats| shared.is_of(stats.start));
        if let (true, Some(stats), Some(wait)) = (same, stats, &mut shared.wait) {
            let now = (stats.rx_bytes, stats.tx_bytes);
            if wait.last.is_some_and(|(last, _)| last != now) {
                wait.last = Some((now, seen.at.boot_ms));
                wait.moved = true;
            }
        }
        if !same {
            self.unshare(key, seen.at);
        } else if !bearer.connected {
            self.shared_ended(key, seen.at);
        }
    }

    /// The kernel counts a connection: its own figures hold what is booked so.
    pub(super) fn share_with_kernel(
        &mut self,
        key: &str,
        start: Option<Timestamp>,
        interface: Option<&str>,
        at: Stamp,
    ) {
        let interface = Some(Arc::<str>::from(interface.unwrap_or_default()));
        if let Some(known) = self.shared.get_mut(key)
            && known.wait.is_none()
            && known.interface == interface
            && (known.start == start || start.is_none())
        {
            known.until = None;
            return;
        }
        let start = start.or_else(|| self.shared.get(key).and_then(|known| known.start));
        self.end_wait(key, at);
        self.share(key, Shared { start, interface, ..Shared::default() }, at);
    }

    /// As [`Accounting::share_with_kernel`], by the link that the connection's bearer uses.
    pub(super) fn share_with_link(&mut self, key: &str, bearer: &BearerView, seen: &Seen<'_>) {
        let link = self.link_of(seen, bearer).and_then(|index| self.links.get(&index));
        let interface = link.and_then(|link| link.interface.clone());
        let start = bearer.stats.and_then(|stats| stats.start);
        self.share_with_kernel(key, start, interface.as_deref(), seen.at);
    }

    /// Nobody counts a connection, as configured: should that change, its figures hold what is not to be counted.
    pub(super) fn share_with_nobody(&mut self, key: &str, bearer: &BearerView, at: Stamp) {
        let start = bearer.stats.and_then(|stats| stats.start);
        self.end_wait(key, at);
        let known = self.shared.get(key).filter(|shared| shared.is_of(start)).cloned();
        let known = known.unwrap_or(Shared { start, ..Shared::default() });
        if known.left_out.is_none() {
            self.share(key, Shared { left_out: bearer.apn.clone(), ..known }, at);
        }
    }

    /// Another SIM used a connection until now, or until an instant past.
    pub(super) fn share_with_sim(
        &mut self,
        key: &str,
        stats: &BearerStats,
        since: Stamp,
        iccid: Option<&Iccid>,
        at: Stamp,
    ) {
        let wait = Some(Wait::for_later_than(stats, since, GapReason::SimChanged, iccid, at));
        self.share(key, Shared { start: stats.start, wait, ..Shared::default() }, at);
    }

    /// What a counter of the kernel was ahead of a connection's figures is booked, or was of another connection.
    pub(super) fn share_with_lead(
        &mut self,
        key: &str,
        stats: &BearerStats,
        interface: Arc<str>,
        iccid: &Iccid,
        at: Stamp,
    ) {
        let wait = Some(Wait::for_later_than(stats, at, GapReason::NoCounter, Some(iccid), at));
        self.share(
            key,
            Shared { start: stats.start, interface: Some(interface), wait, ..Shared::default() },
            at,
        );
    }

    /// A counter of the kernel is gone, and its connection may last.
    pub(super) fn kernel_lost(&mut self, modem: Option<&ModemId>, at: Stamp) {
        let Some(prefix) = modem.map(super::bearers::prefix) else { return };
        for (key, shared) in self.shared.iter_mut().filter(|(key, _)| key.starts_with(&prefix)) {
            if shared.interface.is_some() && shared.wait.is_none() {
                shared.until = Some(at);
                self.changes.extend(mark(key, shared, self.boot.as_ref(), at));
            }
        }
    }

    /// The connection lasts, and none but ModemManager's figures can count it now.
    pub(super) fn await_figure(&mut self, key: &str, stats: Option<BearerStats>, seen: &Seen<'_>) {
        let Some(shared) = self.shared.get(key).cloned() else { return };
        let last = stats.map(|stats| ((stats.rx_bytes, stats.tx_bytes), seen.at.boot_ms));
        let began = last.map(|(_, at)| at);
        match shared.wait {
            Some(ref wait) if wait.iccid.is_some() && wait.iccid.as_ref() != seen.iccid => {
                let Some(stats) = stats.filter(|_| seen.iccid.is_some()) else { return };
                self.end_wait(key, seen.at);
                self.share_with_sim(key, &stats, seen.at, seen.iccid, seen.at);
            }
            Some(wait) => {
                if let Some(known) = self.shared.get_mut(key) {
                    let iccid = wait.iccid.or_else(|| seen.iccid.cloned());
                    let (began, last) = (wait.began.or(began), wait.last.or(last));
                    known.wait = Some(Wait { iccid, began, last, ..wait });
                }
            }
            None => {
                let since = shared.until.unwrap_or(seen.at);
                let wait = Some(Wait {
                    since,
                    reason: GapReason::NoCounter,
                    iccid: seen.iccid.cloned(),
                    began,
                    last,
                    // Where nobody counted it, nothing says that nothing passes until then.
                    moved: shared.left_out.is_some()
                        || shared.until.is_some_and(|until| until.boot_ms < seen.at.boot_ms),
                });
                self.share(key, Shared { wait, ..shared }, seen.at);
            }
        }
    }

    /// Whether a figure comes long enough after the first one of its wait that it holds all that passed before that.
    /// Then it is where the connection's figures begin to count.
    pub(super) fn has_waited(&mut self, key: &str, at: Stamp) -> bool {
        let wait = self.shared.get(key).and_then(|shared| shared.wait.as_ref());
        let times = wait.and_then(|wait| Some((wait.began?, wait.last?.1)));
        let over = times.is_some_and(|(began, told)| told.saturating_sub(began) >= OLDEST_MS);
        if over {
            self.unshare(key, at);
        }
        over
    }

    /// Connections are over, or known no more.
    pub(super) fn unshare_all(&mut self, over: impl Fn(&str) -> bool, at: Stamp) {
        let keys: Vec<Arc<str>> = self.shared.keys().filter(|key| over(key)).cloned().collect();
        for key in keys {
            self.unshare(&key, at);
        }
    }

    /// Connections of a modem that is gone ended with it.
    pub(super) fn shared_gone(&mut self, modem: &ModemId, at: Stamp) {
        let prefix = super::bearers::prefix(modem);
        let keys: Vec<Arc<str>> =
            self.shared.keys().filter(|key| key.starts_with(&prefix)).cloned().collect();
        for key in keys {
            self.shared_ended(&key, at);
        }
    }

    /// Says what could not be counted, and forgets the connection. Whether there was one.
    pub(super) fn unshare(&mut self, key: &str, at: Stamp) -> bool {
        self.end_wait(key, at);
        let known = self.shared.remove(key).is_some();
        if known {
            self.changes.push(Change::DropBaseline { counter: key.into() });
        }
        known
    }

    /// What the ledger said of a connection when the service began.
    pub(super) fn shared_restored(&mut self, base: Baseline, at: Stamp) {
        let read = stamp_of(&base, at);
        let waits = base.iccid.is_some();
        let reason = match (&base.interface, &base.apn) {
            (None, None) => GapReason::SimChanged,
            _ => GapReason::NoCounter,
        };
        let wait = waits.then_some(Wait {
            since: read,
            reason,
            iccid: base.iccid,
            began: None,
            last: None,
            moved: true,
        });
        let shared = Shared {
            start: base.connection_start,
            until: base.interface.as_ref().map(|_| read),
            interface: base.interface,
            left_out: base.apn,
            wait,
        };
        self.shared.insert(base.counter, shared);
    }

    /// ModemManager is gone, and a copy that takes the ledger's place does not know a connection that may last.
    pub(super) fn shared_with_past(&mut self, base: &Baseline, reason: GapReason, at: Stamp) {
        let since = stamp_of(base, at);
        let wait = Wait { since, reason, iccid: base.iccid.clone(), began: None, last: None, moved: true };
        let shared = Shared { start: base.connection_start, wait: Some(wait), ..Shared::default() };
        self.shared.insert(base.counter.clone(), shared);
    }

    /// A ledger that took the place of another is told what it may not know.
    pub(super) fn keep_shared(&mut self, at: Stamp) {
        for (key, shared) in &self.shared {
            self.changes.extend(mark(key, shared, self.boot.as_ref(), at));
        }
    }

    /// One that is seen again after its end, by a ModemManager that lies, is known by its start.
    fn shared_ended(&mut self, key: &str, at: Stamp) {
        let Some(shared) = self.shared.get(key).cloned() else { return };
        if shared.start.is_none() || shared.interface.is_none() {
            self.unshare(key, at);
        } else if shared.wait.is_some() {
            self.end_wait(key, at);
            self.share(key, Shared { wait: None, until: None, ..shared }, at);
        }
    }

    fn share(&mut self, key: &str, shared: Shared, at: Stamp) {
        self.changes.extend(mark(key, &shared, self.boot.as_ref(), at));
        self.shared.insert(key.into(), shared);
    }

    fn end_wait(&mut self, key: &str, at: Stamp) {
        let Some(shared) = self.shared.get_mut(key) else { return };
        if let Some(wait) = shared.wait.take().filter(|wait| wait.moved) {
            self.changes.push(Change::AppendGap(Gap {
                iccid: wait.iccid,
                from: dated(wait.since),
                until: dated(at),
                reason: wait.reason,
                detail: match wait.reason {
                    GapReason::NoCounter if shared.left_out.is_some() => "the connection was not to be counted \
                                                                           before, and ModemManager's figures held \
                                                                           what it had carried"
                        .to_owned(),
                    GapReason::NoCounter => "the kernel's counter of the connection was gone, and \
                                             ModemManager's figures held what it had counted"
                        .to_owned(),
                    GapReason::SimChanged => {
                        "ModemManager's figures of the connection held what another SIM had carried"
                            .to_owned()
                    }
                    _ => super::AFTER_LAST_FIGURE.to_owned(),
                },
            }));
        }
    }
}

/// As the ledger keeps it: with an interface where its counter has a part, an access point where it was not counted, and
/// a SIM where that one waits.
fn mark(key: &str, shared: &Shared, boot: Option<&crate::ident::BootId>, at: Stamp) -> Option<Change> {
    let wait = shared.wait.as_ref();
    let since = wait.map(|wait| wait.since).or(shared.until).unwrap_or(at);
    Some(Change::SetBaseline(Baseline {
        counter: key.into(),
        boot: boot?.clone(),
        ifindex: None,
        interface: shared.interface.clone(),
        rx_bytes: 0,
        tx_bytes: 0,
        connection_start: shared.start,
        modem: None,
        apn: shared.left_out.clone(),
        iccid: wait.and_then(|wait| wait.iccid.clone()),
        zone: Zone::Unknown,
        epoch: None,
        read_at: dated(since),
        read_boot_ms: since.boot_ms,
    }))
}
