//! Whose figures are booked, and how a connection changes from one to the other: each byte once.
//!
//! To ModemManager's figures: what they are ahead of the kernel's is booked, and where they lag behind, nothing until
//! they have caught up. To the kernel's: only what it counts from then on.

use std::collections::BTreeSet;

use super::links::Seen;
use super::{Accounting, Booked, Counter, Owner, Splits};
use crate::effect::Change;
use crate::ident::{Iccid, IfIndex, ModemId};
use crate::ledger::{EpochId, Gap, GapReason, Source, Volume};
use crate::modem::BearerView;
use crate::settings::SourceChoice;
use crate::time::Stamp;

impl Accounting {
    /// Whose figures of a bearer are booked, where there are any.
    pub(super) fn source_of(&self, seen: &Seen<'_>, bearer: &BearerView) -> Option<Source> {
        if seen.leaves_out(bearer) {
            return None;
        }
        let link = self.link_of(seen, bearer).map(|_| Source::Kernel);
        let stats = bearer.stats.filter(|_| bearer.stats_supported);
        let told = stats.map(|_| Source::Modem);
        match seen.choice {
            SourceChoice::Kernel => link,
            SourceChoice::Modem if told.is_some() && self.awaits_figure(seen, bearer) => link,
            SourceChoice::Modem => told,
            SourceChoice::Auto => {
                let key = super::bearers::key(&seen.modem.id, bearer);
                let by_modem = stats.is_some_and(|stats| {
                    self.bearers.get(&key).is_some_and(|counter| counter.continues(&stats))
                        || self.waiting.get(&key).is_some_and(|base| base.connection_start == stats.start)
                });
                if by_modem {
                    told
                } else {
                    link.or_else(|| told.filter(|_| !self.is_counted_by_kernel(&seen.modem.id, bearer)))
                }
            }
        }
    }

    /// Whether the kernel counts a connection of which ModemManager has told no figure yet that can be compared.
    fn awaits_figure(&self, seen: &Seen<'_>, bearer: &BearerView) -> bool {
        let link = self.link_of(seen, bearer).and_then(|index| self.links.get(&index));
        let session = link.filter(|link| link.owner.is_some()).and_then(|link| link.session);
        session.and_then(|id| self.sessions.get(&id)).is_some_and(|live| live.session.told.is_none())
    }

    /// Connections whose source was configured anew change to it.
    pub(super) fn settle_sources(&mut self, seen: &Seen<'_>, booked: &mut Vec<Booked>) {
        let Some(iccid) = seen.iccid else { return };
        for bearer in seen.modem.bearers.iter().filter(|bearer| bearer.connected) {
            let Some(index) = self.link_of(seen, bearer) else { continue };
            match self.source_of(seen, bearer) {
                Some(Source::Modem) => {
                    let mine = self.links.get(&index).is_some_and(|link| {
                        link.session.is_some()
                            && !link.presumed
                            && link
                                .owner
                                .as_ref()
                                .is_some_and(|o| o.iccid == *iccid && o.modem == seen.modem.id)
                    });
                    if mine {
                        self.move_to_modem(index, seen.at, seen.splits, booked);
                    }
                }
                Some(Source::Kernel) => self.move_to_kernel(index, seen, bearer, booked),
                _ => {}
            }
        }
        for live in
            self.sessions.values_mut().filter(|live| live.session.modem.as_ref() == Some(&seen.modem.id))
        {
            live.bypassed = seen.choice == SourceChoice::Auto
                && live.session.source == Source::Modem
                && live.session.kernel.is_some();
        }
    }

    /// Sessions found to bypass the kernel's counters change to ModemManager's figures.
    pub(super) fn settle_bypassed(&mut self, at: Stamp, splits: &Splits, booked: &mut Vec<Booked>) {
        for id in self.bypassed_sessions() {
            let link = self.links.iter().find(|(_, link)| link.session == Some(id) && !link.presumed);
            if let Some(index) = link.map(|(index, _)| *index) {
                self.move_to_modem(index, at, splits, booked);
                if let Some(live) = self.sessions.get_mut(&id) {
                    live.bypassed = live.session.source == Source::Modem;
                }
            }
        }
    }

    /// ModemManager's figures take over within the session; the kernel's are followed beside them.
    fn move_to_modem(&mut self, index: IfIndex, at: Stamp, splits: &Splits, booked: &mut Vec<Booked>) {
        let Some(mut link) = self.links.remove(&index) else { return };
        let owner = link.owner.clone();
        if let (Some(owner), Some(id)) = (owner, link.session)
            && self
                .sessions
                .get(&id)
                .is_some_and(|live| live.session.told.is_some() && !live.tellers.is_empty())
        {
            self.book(&mut link, at, splits, booked);
            self.hand_over(id, &owner, at, splits, booked);
            self.changes.push(Change::DropBaseline { counter: link.key.clone() });
            link.disown();
            link.watched = Some(id);
        }
        self.links.insert(index, link);
    }

    fn hand_over(
        &mut self,
        id: EpochId,
        owner: &Owner,
        at: Stamp,
        splits: &Splits,
        booked: &mut Vec<Booked>,
    ) {
        let Some(live) = self.sessions.get_mut(&id) else { return };
        let tellers = live.tellers.clone();
        let counted = live.session.kernel.map(|kernel| kernel.grown).unwrap_or_default();
        let Some(told) = live.session.told else { return };
        live.session.source = Source::Modem;
        self.keep_session(id);
        // Of the sum of all bearers so much is booked by the kernel's figures; it is taken from the first ones.
        let mut left = told.at(counted);
        let last = tellers.len().saturating_sub(1);
        for (place, teller) in tellers.into_iter().enumerate() {
            let mut counter = Counter::bearer(teller.key.clone(), teller.raw, teller.start, at);
            let mine = |left: u64, raw: u64| if place == last { left } else { left.min(raw) };
            counter.booked = (mine(left.0, teller.raw.0), mine(left.1, teller.raw.1));
            left = (left.0.saturating_sub(counter.booked.0), left.1.saturating_sub(counter.booked.1));
            counter.session = Some(id);
            self.claim(&mut counter, owner.clone(), at);
            self.book(&mut counter, at, splits, booked);
            self.unshare(&teller.key, at);
            self.bearers.insert(teller.key, counter);
        }
    }

    /// The kernel's figures take over, in a session of their own: from what is booked on, or from now on where
    /// ModemManager's figures were ahead.
    fn move_to_kernel(
        &mut self,
        index: IfIndex,
        seen: &Seen<'_>,
        bearer: &BearerView,
        booked: &mut Vec<Booked>,
    ) {
        let key = super::bearers::key(&seen.modem.id, bearer);
        let Some(mut counter) = self.bearers.remove(&key) else { return };
        if let Some(stats) = bearer.stats.filter(|stats| counter.continues(stats)) {
            self.bearer_read(&key, &mut counter, &stats, seen, booked);
        }
        // A link that came later was not compared with them.
        let compared = self.links.get(&index).is_some_and(|link| link.watched == counter.session);
        let start = self.kernel_start(&counter).filter(|_| compared);
        let owner = counter.owner.clone();
        // After a kill the link of that name may be another.
        let live = counter.session.and_then(|id| self.sessions.get(&id));
        let unsure = start.is_none() || live.is_none_or(|live| live.midway);
        if let (true, Some(base)) = (unsure, counter.told_baseline(self.boot.as_ref(), seen.at)) {
            self.lose_keeping(&base, GapReason::NoCounter, seen.at);
        }
        self.release(&mut counter, seen.at);
        let Some(mut link) = self.links.remove(&index) else { return };
        if let (Some(owner), None) = (owner, link.owner.as_ref()) {
            link.booked =
                start.map_or(link.latest, |start| (start.0.min(link.latest.0), start.1.min(link.latest.1)));
            self.claim(&mut link, owner, seen.at);
            // ModemManager's next figure may be of before the change: it is not where both began.
            self.joined_midway(&link);
            self.book(&mut link, seen.at, seen.splits, booked);
        }
        self.links.insert(index, link);
    }

    /// ModemManager or a modem is gone, and with it the figures of connections that may still be up. What the kernel
    /// counts of them from now on is certain; what bypasses it is a gap. Gives the sessions that go on so.
    pub(super) fn figures_lost(&mut self, modem: Option<&ModemId>, at: Stamp) -> BTreeSet<EpochId> {
        let mut gone_on = BTreeSet::new();
        let lost: Vec<(EpochId, Iccid)> = self
            .sessions
            .values()
            .filter(|live| live.bypassed)
            .map(|live| &live.session)
            .filter(|session| session.source == Source::Modem && session.kernel.is_some())
            .filter(|session| modem.is_none() || session.modem.as_ref() == modem)
            .map(|session| (session.id, session.iccid.clone()))
            .collect();
        for (id, iccid) in lost {
            let Some(index) =
                self.links.iter().find(|(_, link)| link.watched == Some(id)).map(|(index, _)| *index)
            else {
                continue;
            };
            let Some(counter) = self.bearers.values().find(|counter| counter.session == Some(id)) else {
                continue;
            };
            let (owner, told_until) = (counter.owner.clone(), counter.told_until(at));
            let name = self.links.get(&index).and_then(|link| link.interface.clone()).unwrap_or_default();
            self.changes.push(Change::AppendGap(Gap {
                iccid: Some(iccid),
                from: super::dated(told_until),
                until: super::dated(at),
                reason: GapReason::NoCounter,
                detail: format!(
                    "interface {name} (index {}): its connection was counted by ModemManager's figures, which are gone",
                    index.0
                ),
            }));
            gone_on.insert(id);
            if let (Some(owner), Some(mut link)) = (owner, self.links.remove(&index)) {
                link.booked = link.latest;
                self.claim(&mut link, owner, at);
                self.links.insert(index, link);
            }
        }
        gone_on
    }

    /// The figure of the kernel's counter up to which everything is booked: none where that is all of it, or the counter
    /// fell since.
    fn kernel_start(&self, counter: &Counter) -> Option<(u64, u64)> {
        let session = &self.sessions.get(&counter.session?)?.session;
        let (kernel, told) = (session.kernel?, session.told?);
        let alone = !self.bearers.values().any(|other| other.session == counter.session);
        let (rx, tx) = told.grown_at(counter.booked);
        let booked = Volume { rx: rx.min(kernel.grown.rx), tx: tx.min(kernel.grown.tx) };
        let start = kernel.at(booked);
        (alone && kernel.grown_at(start) == (booked.rx, booked.tx)).then_some(start)
    }
}
