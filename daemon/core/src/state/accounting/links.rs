//! The kernel's links: read, come, go, and are used by the bearers of a modem.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::super::thresholds::LinkPosition;
use super::{Accounting, Booked, Counter, Owner, Splits, dated};
use crate::counter::{LinkEnd, LinkReading};
use crate::effect::Change;
use crate::ident::{Apn, Iccid, IfIndex};
use crate::ledger::{Gap, GapReason, Source, Zone};
use crate::modem::{BearerView, ModemState, ModemView};
use crate::settings::SourceChoice;
use crate::time::{Stamp, Timestamp};

/// A modem as seen now, and what settling its links and bearers rests on.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The modem.
    pub modem: &'a ModemView,
    /// The SIM in use in it.
    pub iccid: Option<&'a Iccid>,
    /// Where that is.
    pub zone: &'a Zone,
    /// Whose figures are to be booked for it.
    pub choice: SourceChoice,
    /// Connections to these are none of its plan's.
    pub uncounted_apns: &'a [Apn],
    /// The link of a PPP bearer, where it is configured.
    pub ppp_interface: Option<&'a str>,
    /// Whether the modem was not seen until now: what it does may have begun earlier.
    pub just_seen: bool,
    /// Whether the service has watched this SIM before: then what it missed is a gap.
    pub known: bool,
    /// The newest instant that the ledger spoke of when the service began: until then it watched.
    pub newest: Option<Timestamp>,
    /// Now.
    pub at: Stamp,
    /// Where slots are split.
    pub splits: &'a Splits,
}

impl Seen<'_> {
    /// Whether an interface is one of the modem's own.
    fn has_port(&self, interface: &str) -> bool {
        self.modem.net_ports.iter().any(|port| port == interface)
    }

    /// Whether a connection is none of the plan's.
    pub(super) fn leaves_out(&self, bearer: &BearerView) -> bool {
        bearer
            .apn
            .as_deref()
            .is_some_and(|apn| self.uncounted_apns.iter().any(|uncounted| uncounted.names(apn)))
    }

    /// Since when a connection that began at an instant may have carried what nobody watched: what the ledger said before
    /// has a gap of its own, or none.
    pub(super) fn unwatched_since(&self, began: Option<Timestamp>) -> Option<Timestamp> {
        let past = |instant: &Timestamp| self.at.trusted && *instant <= self.at.wall;
        let began = began.filter(past)?;
        Some(self.newest.filter(past).map_or(began, |newest| newest.max(began)))
    }
}

impl Accounting {
    /// The links that a bearer certainly uses, with whose and where it is, and what they counted when last read.
    pub fn certain_links(&self) -> impl Iterator<Item = (&Iccid, &Zone, LinkPosition)> {
        self.links.iter().filter(|(_, counter)| !counter.presumed).filter_map(|(ifindex, counter)| {
            let owner = counter.owner.as_ref()?;
            let (rx, tx) = counter.latest;
            Some((&owner.iccid, &owner.zone, LinkPosition { ifindex: *ifindex, rx, tx }))
        })
    }

    /// Books the growth of every link read.
    pub fn links_read(&mut self, readings: &[LinkReading], at: Stamp, splits: &Splits) -> Vec<Booked> {
        let mut booked = Vec::new();
        self.each_read(readings, at, splits, &mut booked);
        self.settle_bypassed(at, splits, &mut booked);
        booked
    }

    fn each_read(&mut self, readings: &[LinkReading], at: Stamp, splits: &Splits, booked: &mut Vec<Booked>) {
        // Each counter stays in its place: there may be many, and each is long.
        let mut links = std::mem::take(&mut self.links);
        for reading in readings {
            match links.entry(reading.ifindex) {
                Entry::Occupied(mut link) => self.link_read(link.get_mut(), reading, at, splits, booked),
                Entry::Vacant(place) => {
                    self.watch(reading.ifindex, at);
                    place.insert(Counter::link(reading, at));
                }
            }
        }
        self.links = links;
    }

    /// As [`Accounting::links_read`], and links that are not in the dump are gone: their last bytes are lost.
    pub fn links_resynchronised(&mut self, dump: &[LinkReading], at: Stamp, splits: &Splits) -> Vec<Booked> {
        let booked = self.links_read(dump, at, splits);
        let gone: Vec<IfIndex> =
            self.links.keys().filter(|index| !dump.iter().any(|r| r.ifindex == **index)).copied().collect();
        for index in gone {
            self.watched.remove(&index);
            if let Some(link) = self.links.remove(&index)
                && let Some(base) = link.baseline(self.boot.as_ref())
            {
                self.remember_vanished(&base, index);
                self.lose(&base, GapReason::EventsLost, at);
                self.kernel_lost(base.modem.as_ref(), at);
            }
        }
        booked
    }

    /// A link appeared: what it counted until now was counted elsewhere, in another network namespace, or is nothing.
    pub fn link_appeared(&mut self, reading: &LinkReading, at: Stamp, splits: &Splits) -> Vec<Booked> {
        let mut booked = Vec::new();
        if let Entry::Vacant(place) = self.links.entry(reading.ifindex) {
            let mut link = Counter::link(reading, at);
            link.newborn = true;
            place.insert(link);
            self.watched.remove(&reading.ifindex);
            self.watch(reading.ifindex, at);
        } else {
            // Renamed, or of another type now: the same counter.
            self.each_read(std::slice::from_ref(reading), at, splits, &mut booked);
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
    pub fn link_vanished(&mut self, end: &LinkEnd, at: Stamp, splits: &Splits) -> Vec<Booked> {
        let mut booked = Vec::new();
        let reading = &end.reading;
        self.watched.remove(&reading.ifindex);
        if let Some(mut link) = self.links.remove(&reading.ifindex) {
            // The modem that went just before used it to the end. What the ledger alone says of a time when the service
            // did not run may not hold any more.
            link.presumed &= link.unconfirmed;
            let before = link.baseline(self.boot.as_ref());
            self.link_read(&mut link, reading, at, splits, &mut booked);
            if link.unconfirmed
                && link.growth() != (0, 0)
                && let Some(base) = link.baseline(self.boot.as_ref())
            {
                self.lose_keeping(&base, GapReason::InterfaceVanished, at);
            } else if end.set_back
                && let Some(base) = before
            {
                self.lose_keeping(&base, GapReason::CounterReset, at);
            }
            if link.epoch.is_some() {
                self.changes.push(Change::DropBaseline { counter: link.key.clone() });
            }
            self.say_left(&link, at);
            self.end_session(link.session, dated(at));
            self.kernel_lost(link.owner.as_ref().map(|owner| &owner.modem), at);
            if let (Some(owner), Some(name)) = (link.owner, link.interface) {
                self.vanished.insert(name, (owner.iccid, reading.ifindex));
            }
        }
        booked
    }

    /// A counter, which is not among the others meanwhile, was read.
    fn link_read(
        &mut self,
        link: &mut Counter,
        reading: &LinkReading,
        at: Stamp,
        splits: &Splits,
        booked: &mut Vec<Booked>,
    ) {
        if link.interface.as_deref() != Some(reading.name.as_str()) {
            link.interface = Some(reading.name.as_str().into());
            link.dirty = true;
        }
        // A link changes its type only while nothing passes: what passed before had the header it had before.
        let now = reading.counters.ip_bytes(link.ethernet);
        if now.0 < link.latest.0 || now.1 < link.latest.1 {
            // What passed before the reset and what passed since cannot be told apart from a counter that lies.
            let lost = link.baseline(self.boot.as_ref());
            link.rebase(now, at);
            link.told_at = at;
            self.bridge(link);
            // What a copy of the ledger says of it is no figure of this count.
            self.count_others(link.ifindex, at);
            link.connecting = None;
            link.newborn = false;
            link.left_at = None;
            if let Some(base) = lost {
                self.lose_keeping(&base, GapReason::CounterReset, at);
            }
        } else {
            // What passes while it connects is of the connection that comes of it.
            if link.owner.is_none() && link.latest != now && link.connecting.is_none() {
                self.count_others(link.ifindex, at);
            }
            link.latest = now;
            link.told_at = at;
            self.kernel_read(link, at);
            if link.owner.is_none() {
                link.booked = now;
                link.booked_at = at;
                self.follow(link);
            } else if !link.presumed {
                self.book(link, at, splits, booked);
            }
        }
        if link.ethernet != reading.ethernet {
            link.change_type(reading);
            self.bridge(link);
        }
        link.ppp = reading.ppp;
    }

    pub(super) fn settle_links(&mut self, seen: &Seen<'_>, booked: &mut Vec<Booked>) {
        let wanted = self.wanted_links(seen);
        let concerned = |index: &IfIndex, link: &Counter| {
            let owner = link.owner.as_ref();
            wanted.contains_key(index)
                || owner.is_some_and(|owner| owner.modem == seen.modem.id)
                || link.interface.as_ref().is_some_and(|name| seen.has_port(name))
        };
        let indexes: Vec<IfIndex> = self
            .links
            .iter()
            .filter(|(index, link)| concerned(index, link))
            .map(|(index, _)| *index)
            .collect();
        let mut released = BTreeSet::new();
        for index in indexes {
            let Some(mut link) = self.links.remove(&index) else { continue };
            let owned = link.owner.is_some();
            match wanted.get(&index) {
                Some(owner) => self.settle_used(index, &mut link, owner, seen, booked),
                None => self.settle_unused(&mut link, seen, booked),
            }
            if owned && link.owner.is_none() {
                released.insert(index);
            }
            self.links.insert(index, link);
        }
        for bearer in seen.modem.bearers.iter().filter(|b| b.connected && seen.leaves_out(b)) {
            let index = self.link_of(seen, bearer);
            let nobodys = |index: &IfIndex| self.links.get(index).is_some_and(|link| link.owner.is_none());
            self.count_others(index.filter(nobodys), seen.at);
        }
        // What ModemManager's figures are to count from now on the kernel counted until now.
        for bearer in seen.modem.bearers.iter().filter(|b| b.connected && b.stats_supported) {
            let key = super::bearers::key(&seen.modem.id, bearer);
            let index = self.link_of(seen, bearer).filter(|index| released.contains(index));
            if index.is_some() && !self.bearers.contains_key(&key) {
                self.share_with_link(&key, bearer, seen);
            }
        }
    }

    fn wanted_links(&self, seen: &Seen<'_>) -> BTreeMap<IfIndex, Owner> {
        let mut wanted = BTreeMap::new();
        let Some(iccid) = seen.iccid else { return wanted };
        for bearer in seen.modem.bearers.iter().filter(|b| b.connected) {
            if self.source_of(seen, bearer) != Some(Source::Kernel) {
                continue;
            }
            let Some(index) = self.link_of(seen, bearer) else { continue };
            let owner = Owner {
                iccid: iccid.clone(),
                zone: seen.zone.clone(),
                apn: bearer.apn.clone(),
                modem: seen.modem.id.clone(),
            };
            wanted.insert(index, owner);
        }
        wanted
    }

    pub(super) fn link_named(&self, name: &str) -> Option<IfIndex> {
        self.links.iter().find(|(_, link)| link.interface.as_deref() == Some(name)).map(|(index, _)| *index)
    }

    /// No bearer of the modem uses the link.
    fn settle_unused(&mut self, link: &mut Counter, seen: &Seen<'_>, booked: &mut Vec<Booked>) {
        use ModemState as S;
        let state = seen.modem.state;
        if let Some(owner) = link.owner.clone().filter(|owner| owner.modem == seen.modem.id) {
            match seen.iccid {
                // A locked or failed modem does not tell its SIM: wait for one that does.
                None if link.presumed => {}
                Some(now) if *now != owner.iccid => self.abandon(link, seen.at),
                _ => {
                    let was_presumed = link.presumed;
                    link.confirm();
                    self.book(link, seen.at, seen.splits, booked);
                    // After a restart of ModemManager a modem comes back disabled and without bearers, while its
                    // connection may still be up: the counter stays its own until it is enabled again.
                    let not_started =
                        matches!(state, S::Unknown | S::Initializing | S::Locked | S::Disabled | S::Failed);
                    if was_presumed && not_started {
                        link.presumed = true;
                    } else {
                        // Found so after it was gone: its connection may outlive that, unless it is there and not to be counted.
                        let mut lasting = seen.modem.bearers.iter().filter(|bearer| bearer.connected);
                        let left = was_presumed && !lasting.any(|bearer| seen.leaves_out(bearer));
                        link.left_at = left.then_some((link.latest, owner, seen.at));
                        self.release(link, seen.at);
                    }
                }
            }
        }
        let Some(name) = link.interface.as_ref().filter(|name| seen.has_port(name)) else {
            return;
        };
        if link.owner.is_none() {
            // The modem is there and not connected: what its link counted until now is no connection's.
            self.vanished.remove(name);
            link.newborn = false;
            if state == S::Connecting {
                link.connecting.get_or_insert(link.latest);
            } else {
                if link.connecting.is_some_and(|connecting| connecting != link.latest) {
                    self.count_others(link.ifindex, seen.at);
                }
                link.connecting = None;
            }
        }
    }

    /// A bearer of the modem uses the link.
    fn settle_used(
        &mut self,
        index: IfIndex,
        link: &mut Counter,
        wanted: &Owner,
        seen: &Seen<'_>,
        booked: &mut Vec<Booked>,
    ) {
        match link.owner.clone() {
            Some(owner) if owner == *wanted => {
                link.confirm();
                self.book(link, seen.at, seen.splits, booked);
            }
            Some(owner) if owner.iccid == wanted.iccid => {
                link.confirm();
                self.book(link, seen.at, seen.splits, booked);
                self.claim(link, wanted.clone(), seen.at);
            }
            Some(_) => {
                if link.presumed {
                    self.abandon(link, seen.at);
                } else {
                    self.book(link, seen.at, seen.splits, booked);
                    self.release(link, seen.at);
                }
                self.claim(link, wanted.clone(), seen.at);
                self.joined_midway(link);
            }
            None => {
                let replaced = link.interface.as_ref().and_then(|name| self.vanished.remove(name));
                let replaces = replaced.is_some_and(|(iccid, old)| iccid == wanted.iccid && index.0 > old.0);
                self.say_left(link, seen.at);
                if seen.just_seen
                    && seen.known
                    && link.connecting.is_none()
                    && !link.newborn
                    && !replaces
                    && link.left_at.is_none()
                    && link.latest != (0, 0)
                {
                    self.say_unseen(link, wanted, seen);
                }
                link.left_at = None;
                link.booked = match link.connecting {
                    _ if link.newborn || replaces => link.first,
                    Some(connecting) => connecting,
                    None => link.latest,
                };
                self.claim(link, wanted.clone(), seen.at);
                let shared = |bearer: &BearerView| {
                    let key = super::bearers::key(&seen.modem.id, bearer);
                    bearer.connected && bearer.stats.is_some_and(|stats| self.is_shared(&key, &stats))
                };
                let watched = link.connecting.is_some() || has_just_begun(seen);
                if !watched || seen.modem.bearers.iter().any(shared) {
                    self.joined_midway(link);
                }
                self.book(link, seen.at, seen.splits, booked);
            }
        }
        link.newborn = false;
        link.connecting = None;
    }

    pub(super) fn joined_midway(&mut self, link: &Counter) {
        if let Some(live) = link.session.and_then(|id| self.sessions.get_mut(&id)) {
            live.midway = true;
        }
    }

    /// What passed between the return of a modem and its next connection is nobody's: the connection that there was
    /// before may have gone on.
    fn say_left(&mut self, link: &Counter, at: Stamp) {
        let Some((then, owner, since)) = &link.left_at else { return };
        let (rx, tx) = (link.latest.0.saturating_sub(then.0), link.latest.1.saturating_sub(then.1));
        if rx > 0 || tx > 0 {
            self.changes.push(Change::AppendGap(Gap {
                iccid: Some(owner.iccid.clone()),
                from: dated(*since),
                until: dated(at),
                reason: GapReason::ConnectedUnseen,
                detail: format!(
                    "{} counted {rx} B received and {tx} B sent after its modem came back, before it connected",
                    link.interface.as_deref().unwrap_or("the link")
                ),
            }));
        }
    }

    /// A connection that began while nobody watched: what it carried until now cannot be told from what the link
    /// counted before it.
    fn say_unseen(&mut self, link: &Counter, owner: &Owner, seen: &Seen<'_>) {
        let began = seen
            .modem
            .bearers
            .iter()
            .filter(|bearer| bearer.connected)
            .filter_map(|bearer| bearer.stats?.start)
            .max();
        self.changes.push(Change::AppendGap(Gap {
            iccid: Some(owner.iccid.clone()),
            from: seen.unwatched_since(began),
            until: dated(seen.at),
            reason: GapReason::ConnectedUnseen,
            detail: format!(
                "{} was connected before the service watched it; at most {} B received and {} B sent are missing",
                link.interface.as_deref().unwrap_or("the link"),
                link.latest.0,
                link.latest.1
            ),
        }));
    }
}

/// Whether the modem's connections, which nobody saw dial, began just now all the same: both counters begin with them.
fn has_just_begun(seen: &Seen<'_>) -> bool {
    let mut connected = seen.modem.bearers.iter().filter(|bearer| bearer.connected).peekable();
    let just_now = |bearer: &BearerView| {
        bearer.stats_supported && bearer.stats.is_some_and(|stats| stats.duration_s == 0)
    };
    !seen.just_seen && connected.peek().is_some() && connected.all(just_now)
}
