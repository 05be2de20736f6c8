//! The ledger in memory, as the store keeps it: slots, gaps, baselines, epochs, sessions.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::effect::{Change, SimRecord, TotalsQuery};
use crate::event::Event;
use crate::ident::{BootId, Iccid};
use crate::ledger::{Baseline, Epoch, EpochId, Session, Source, UsageSlot, Volume, When, Zone};
use crate::state::restored::Restored;
use crate::time::Timestamp;

/// Which slot: SIM, instant or boot and its hour, epoch, zone, source.
type Key = (Iccid, When, EpochId, Zone, Source);

#[derive(Clone, Default)]
pub struct Ledger {
    usage: BTreeMap<Key, (Volume, i64, i64)>,
    /// Reasons, in order.
    pub gaps: Vec<String>,
    baselines: BTreeMap<Arc<str>, Baseline>,
    epochs: BTreeMap<EpochId, Epoch>,
    sessions: BTreeMap<EpochId, Session>,
    sims: BTreeMap<Iccid, SimRecord>,
}

/// The last four digits.
pub fn tail(iccid: &Iccid) -> String {
    iccid.as_str().chars().skip(iccid.as_str().len() - 4).collect()
}

fn instant(at: Timestamp) -> String {
    at.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn when(when: &When) -> String {
    match when {
        When::Hour(at) => instant(*at),
        When::Undated { boot, boot_hour_ms } => format!("{boot} + {} h", boot_hour_ms / 3_600_000),
    }
}

impl Ledger {
    /// Makes one change and says so in words; nothing of what only a restart needs.
    pub fn apply(&mut self, change: Change) -> Option<String> {
        match change {
            Change::AddUsage(slot) => {
                let said = format!(
                    "{} {} {} {}: +{} received, +{} sent",
                    tail(&slot.iccid),
                    slot.zone.to_text(),
                    slot.source.as_str(),
                    when(&slot.when),
                    slot.rx_bytes,
                    slot.tx_bytes
                );
                self.add(slot);
                Some(said)
            }
            Change::SetBaseline(base) => {
                self.baselines.insert(base.counter.clone(), base);
                None
            }
            Change::DropBaseline { counter } => {
                self.baselines.remove(&counter);
                None
            }
            Change::AppendGap(gap) => {
                self.gaps.push(gap.reason.as_str().to_owned());
                let side = |at: Option<Timestamp>| at.map_or_else(|| "?".to_owned(), instant);
                Some(format!(
                    "gap {} {} to {}: {}",
                    gap.reason.as_str(),
                    side(gap.from),
                    side(gap.until),
                    gap.detail
                ))
            }
            Change::KeepSim(sim) => {
                self.sims.insert(sim.iccid.clone(), sim);
                None
            }
            Change::OpenEpoch(epoch) => {
                self.epochs.insert(epoch.id, epoch);
                None
            }
            Change::KeepSession(session) => {
                self.sessions.insert(session.id, *session);
                None
            }
            Change::DateEntries { boot, offset_ms } => {
                let dated = self.date(&boot, offset_ms, i64::MIN);
                (dated > 0).then(|| format!("{dated} slots of {boot} are dated"))
            }
            Change::DateEarlierBoots { boot, before, after } => Some(self.date_earlier(&boot, before, after)),
            _ => None,
        }
    }

    fn add(&mut self, slot: UsageSlot) {
        assert!(slot.from <= slot.until, "{slot:?}");
        let key = (slot.iccid, slot.when, slot.epoch, slot.zone, slot.source);
        let (sum, from, until) = self.usage.entry(key).or_insert((Volume::default(), slot.from, slot.until));
        sum.rx += slot.rx_bytes;
        sum.tx += slot.tx_bytes;
        *from = slot.from.min(*from);
        *until = slot.until.max(*until);
    }

    fn date(&mut self, boot: &BootId, offset: i64, floor: i64) -> usize {
        let of_boot = |key: &Key| matches!(&key.1, When::Undated { boot: other, .. } if other == boot);
        let found: Vec<Key> = self.usage.keys().filter(|key| of_boot(key)).cloned().collect();
        let count = found.len();
        for key in found {
            let (volume, from, until) = self.usage.remove(&key).unwrap();
            let When::Undated { boot_hour_ms, .. } = key.1 else { unreachable!() };
            let start = from.max(i64::try_from(boot_hour_ms).unwrap());
            let dated = |at: i64| (at + offset).max(floor);
            self.add(UsageSlot {
                epoch: key.2,
                iccid: key.0,
                zone: key.3,
                source: key.4,
                when: When::Hour(Timestamp::from_millis(dated(start))),
                rx_bytes: volume.rx,
                tx_bytes: volume.tx,
                from: dated(from),
                until: dated(until),
            });
        }
        count
    }

    fn date_earlier(&mut self, this: &BootId, before: Timestamp, after: Option<Timestamp>) -> String {
        let mut lasts: BTreeMap<BootId, (EpochId, i64)> = BTreeMap::new();
        for (key, (_, _, until)) in &self.usage {
            if let When::Undated { boot, .. } = &key.1
                && boot != this
            {
                let last = lasts.entry(boot.clone()).or_insert((key.2, *until));
                *last = (last.0.max(key.2), last.1.max(*until));
            }
        }
        let mut boots: Vec<_> = lasts.into_iter().collect();
        boots.sort_by_key(|(_, (epoch, _))| std::cmp::Reverse(*epoch));
        let mut end = before.as_millis();
        let floor = after.map_or(i64::MIN, Timestamp::as_millis).min(end);
        let mut said = Vec::new();
        for (boot, (_, last)) in boots {
            let dated = self.date(&boot, end - last, floor);
            said.push(format!(
                "{dated} slots of {boot} are dated before {}",
                instant(Timestamp::from_millis(end))
            ));
            end -= last;
        }
        said.join(", ")
    }

    pub fn sum(&self, sim: &str) -> (u64, u64) {
        let mine = self.usage.iter().filter(|(key, _)| tail(&key.0) == sim);
        mine.fold((0, 0), |sum, (_, (volume, ..))| (sum.0 + volume.rx, sum.1 + volume.tx))
    }

    /// What is dated, by the date that an instant of a SIM belongs to.
    pub fn by_date(
        &self,
        sim: &str,
        date: impl Fn(&Iccid, Timestamp) -> NaiveDate,
    ) -> BTreeMap<NaiveDate, (u64, u64)> {
        let mut sums = BTreeMap::new();
        for (key, (volume, ..)) in self.usage.iter().filter(|(key, _)| tail(&key.0) == sim) {
            if let When::Hour(at) = key.1 {
                let sum: &mut (u64, u64) = sums.entry(date(&key.0, at)).or_default();
                *sum = (sum.0 + volume.rx, sum.1 + volume.tx);
            }
        }
        sums
    }

    /// What waits for its date.
    pub fn undated(&self) -> BTreeMap<Zone, Volume> {
        let mut by_zone: BTreeMap<Zone, Volume> = BTreeMap::new();
        for (key, (volume, ..)) in self.usage.iter().filter(|(key, _)| matches!(key.1, When::Undated { .. }))
        {
            let sum = by_zone.entry(key.3.clone()).or_default();
            *sum = sum.checked_add(*volume).unwrap();
        }
        by_zone
    }

    /// Slots of a SIM, each with the connection that it is of.
    pub fn by_session(&self, iccid: &Iccid) -> Vec<(EpochId, Zone, When, Volume)> {
        let mine = self.usage.iter().filter(|(key, _)| key.0 == *iccid);
        mine.map(|(key, (volume, ..))| {
            let session = self.epochs.get(&key.2).and_then(|epoch| epoch.session).unwrap_or(key.2);
            (session, key.3.clone(), key.1.clone(), *volume)
        })
        .collect()
    }

    /// What a query for totals is answered.
    pub fn answer(&self, query: TotalsQuery) -> Event {
        let mut by_zone: BTreeMap<Zone, Volume> = BTreeMap::new();
        let mine = self.usage.iter().filter(|(key, _)| key.0 == query.iccid);
        let dated = mine.filter_map(|(key, (volume, ..))| match key.1 {
            When::Hour(at) => Some((at, key.3.clone(), *volume)),
            When::Undated { .. } => None,
        });
        let mut first_at: Option<Timestamp> = None;
        for (at, zone, volume) in dated {
            first_at = Some(first_at.map_or(at, |first| first.min(at)));
            if at >= query.from && query.until.is_none_or(|until| at < until) {
                let sum = by_zone.entry(zone).or_default();
                *sum = sum.checked_add(volume).unwrap();
            }
        }
        let by_zone = by_zone.into_iter().collect();
        Event::TotalsLoaded { query, by_zone, units: Vec::new(), corrections: 0, first_at }
    }

    /// What a restart finds.
    pub fn restored(&self, boot: &BootId) -> Restored {
        let mut undated_boots: Vec<BootId> = Vec::new();
        let mut newest = None;
        for (key, (_, _, until)) in &self.usage {
            match &key.1 {
                When::Undated { boot, .. } if !undated_boots.contains(boot) => {
                    undated_boots.push(boot.clone())
                }
                When::Undated { .. } => {}
                When::Hour(_) => newest = newest.max(Some(Timestamp::from_millis(*until))),
            }
        }
        undated_boots.sort_by_key(|other| other != boot);
        let named = |epoch: &&Epoch| self.baselines.values().any(|base| base.epoch == Some(epoch.id));
        let next = self.epochs.keys().next_back().map_or(1, |last| last.0 + 1);
        Restored {
            sims: self.sims.values().cloned().collect(),
            baselines: self.baselines.values().cloned().collect(),
            epochs: self.epochs.values().filter(named).cloned().collect(),
            sessions: self.sessions.values().filter(|session| !session.over).cloned().collect(),
            next_epoch: EpochId(next),
            newest,
            undated_boots,
            ..Restored::empty()
        }
    }

    /// Every slot in words.
    pub fn slots(&self) -> Vec<String> {
        let mut sums: BTreeMap<(String, String, String, &str), Volume> = BTreeMap::new();
        for (key, (volume, ..)) in &self.usage {
            let place = (tail(&key.0), when(&key.1), key.3.to_text(), key.4.as_str());
            let sum = sums.entry(place).or_default();
            *sum = sum.checked_add(*volume).unwrap();
        }
        sums.into_iter()
            .map(|((sim, at, zone, source), sum)| {
                format!("{sim} {at} {zone} {source}: {}/{}", sum.rx, sum.tx)
            })
            .collect()
    }

    /// Every session in words.
    pub fn sessions(&self) -> Vec<String> {
        self.sessions
            .values()
            .map(|session| {
                let figure = |f: Option<crate::ledger::Figures>| {
                    f.map_or_else(|| "none".to_owned(), |f| format!("{}/{}", f.grown.rx, f.grown.tx))
                };
                format!(
                    "{} {}: kernel {}, modem {}, counted by {}{}",
                    tail(&session.iccid),
                    session.interface.as_deref().unwrap_or("-"),
                    figure(session.kernel),
                    figure(session.told),
                    session.source.as_str(),
                    if session.over { ", over" } else { "" }
                )
            })
            .collect()
    }
}
