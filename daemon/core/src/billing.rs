//! As billed: what a plan makes of what was measured.
//!
//! Bytes are gathered in *units*, and each unit is rounded up by itself. A unit is what one connection carried in one
//! billing cycle and one zone (`per = "session"`), or what all connections carried on one local day in one zone
//! (`per = "day"`). So a connection that spans the start of a cycle, or goes from one network into another, is rounded
//! in each part; one that spans zero-rated hours is rounded once, without what passed in them. What is zero-rated, by
//! its zone or its hour, is in no unit.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::ident::BootId;
use crate::ledger::{EpochId, Volume, When, Zone};
use crate::plan::{Counts, Plan};
use crate::schedule::TimeOfDay;
use crate::time::Timestamp;
use crate::zone::ZoneRules;

const DAY_MS: i64 = 86_400_000;

/// The step that a plan bills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Increment {
    /// Its size, 1 byte at least.
    pub bytes: Bytes,
    /// What is rounded up to a multiple of it.
    pub per: Per,
}

/// What is rounded up to a whole increment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// Each connection.
    Session,
    /// Each local day of the plan.
    Day,
}

/// Local hours that cost nothing, by the clock on the wall: where a clock set forward leaves them out they are
/// shorter, where a clock set back repeats them they are longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreeHours {
    /// From, included.
    pub from: TimeOfDay,
    /// Until, excluded; on the next day where it is not after `from`: equal ends are 24 hours.
    pub until: TimeOfDay,
    /// On which weekdays they begin, Monday 1 to Sunday 7.
    pub days: BTreeSet<u8>,
}

/// A plan and the zone of its days: together they say what is billed.
#[derive(Debug, Clone, Copy)]
pub struct Tariff<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The zone of its days.
    pub zone: &'a ZoneRules,
}

/// What is rounded as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Unit {
    /// Which part of the cycle.
    pub part: Part,
    /// Where.
    pub zone: Zone,
}

/// A part of a cycle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The whole of it, where nothing is rounded.
    Whole,
    /// One connection.
    Session(EpochId),
    /// One local day.
    Day(NaiveDate),
    /// What one boot carried before its clock was trusted, where days are rounded.
    Undated(BootId),
}

/// What a unit carried, for an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitSum {
    /// Which.
    pub unit: Unit,
    /// How much.
    pub volume: Volume,
}

/// The units of a cycle and their rounded sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Units {
    carried: BTreeMap<Unit, Volume>,
    /// Each direction rounded by itself.
    rounded: Volume,
    /// Both directions of a unit rounded as one.
    rounded_both: u64,
}

impl Increment {
    fn round(step: Option<Self>, bytes: u64) -> Option<u64> {
        match step {
            Some(step) => bytes.checked_next_multiple_of(step.bytes.0.max(1)),
            None => Some(bytes),
        }
    }
}

impl Per {
    /// As configured and shown: `session` or `day`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Day => "day",
        }
    }
}

impl FreeHours {
    /// Whether a local time lies in them.
    #[must_use]
    pub fn contains(&self, local: NaiveDateTime) -> bool {
        let (from, until, time) = (self.from.to_time(), self.until.to_time(), local.time());
        let begun_on = |date: Option<NaiveDate>| date.is_some_and(|date| self.begins_on(date));
        if from < until {
            from <= time && time < until && begun_on(Some(local.date()))
        } else {
            (time >= from && begun_on(Some(local.date())))
                || (time < until && begun_on(local.date().pred_opt()))
        }
    }

    fn begins_on(&self, date: NaiveDate) -> bool {
        u8::try_from(date.weekday().number_from_monday()).is_ok_and(|day| self.days.contains(&day))
    }
}

impl Tariff<'_> {
    /// The unit that bytes of a slot belong to; none where they cost nothing.
    #[must_use]
    pub fn unit(&self, session: EpochId, zone: &Zone, when: &When) -> Option<Unit> {
        if !self.plan.charges(zone) {
            return None;
        }
        let local = match when {
            When::Hour(at) => Some(self.zone.civil(*at)),
            // At which hour is not known yet: a warning too early costs less than one too late.
            When::Undated { .. } => None,
        };
        if local.is_some_and(|local| self.plan.free_hours.iter().any(|hours| hours.contains(local))) {
            return None;
        }
        let part = match (self.plan.increment.map(|step| step.per), when) {
            (None, _) => Part::Whole,
            (Some(Per::Session), _) => Part::Session(session),
            (Some(Per::Day), When::Hour(at)) => Part::Day(self.zone.date(*at)),
            (Some(Per::Day), When::Undated { boot, .. }) => Part::Undated(boot.clone()),
        };
        Some(Unit { part, zone: zone.clone() })
    }
}

impl Units {
    /// From the sums of units. Where a sum does not fit everything counts as used up: a warning too early costs less
    /// than one too late.
    #[must_use]
    pub fn of(plan: &Plan, sums: &[UnitSum]) -> Self {
        let mut units = Self::default();
        for sum in sums {
            if !units.add_to(plan, sum.unit.clone(), sum.volume) {
                units.rounded = Volume { rx: u64::MAX, tx: u64::MAX };
                units.rounded_both = u64::MAX;
            }
        }
        units
    }

    /// In the midst of a cycle, of which so much was billed in each direction until then. What a unit carried before is
    /// told by [`Units::recall`]; by how much [`Units::billed`] grows from here is then as if all had been taken in.
    #[must_use]
    pub const fn midway(rounded: Volume) -> Self {
        Self { carried: BTreeMap::new(), rounded, rounded_both: 0 }
    }

    /// What is billed in each direction, each unit rounded up.
    #[must_use]
    pub const fn rounded(&self) -> Volume {
        self.rounded
    }

    /// Whether a unit was taken in or recalled.
    #[must_use]
    pub fn knows(&self, unit: &Unit) -> bool {
        self.carried.contains_key(unit)
    }

    /// What a unit carried before, which is billed already.
    pub fn recall(&mut self, unit: Unit, carried: Volume) {
        self.carried.insert(unit, carried);
    }

    /// Takes in what a slot carried. False, and nothing is changed, when a sum does not fit.
    pub fn add(
        &mut self,
        tariff: &Tariff<'_>,
        session: EpochId,
        zone: &Zone,
        when: &When,
        volume: Volume,
    ) -> bool {
        tariff.unit(session, zone, when).is_none_or(|unit| self.add_to(tariff.plan, unit, volume))
    }

    fn add_to(&mut self, plan: &Plan, unit: Unit, volume: Volume) -> bool {
        let before = self.carried.get(&unit).copied().unwrap_or_default();
        let grown = before.checked_add(volume).and_then(|now| {
            let step = |sum: u64, before: u64, now: u64| {
                let (before, now) =
                    (Increment::round(plan.increment, before)?, Increment::round(plan.increment, now)?);
                sum.checked_add(now.checked_sub(before)?)
            };
            let both = match plan.counts {
                // The sum of a plan that looks at one direction need not fit.
                Counts::Both => step(self.rounded_both, before.both()?, now.both()?)?,
                Counts::Download | Counts::Upload | Counts::Max => 0,
            };
            let rounded = Volume {
                rx: step(self.rounded.rx, before.rx, now.rx)?,
                tx: step(self.rounded.tx, before.tx, now.tx)?,
            };
            Some((now, rounded, both))
        });
        let Some((now, rounded, both)) = grown else { return false };
        self.carried.insert(unit, now);
        self.rounded = rounded;
        self.rounded_both = both;
        true
    }

    /// The bytes that count, each unit rounded up. [`Counts::Max`] compares the rounded directions over the whole cycle.
    #[must_use]
    pub const fn billed(&self, counts: Counts) -> u64 {
        match counts {
            Counts::Both => self.rounded_both,
            Counts::Download => self.rounded.rx,
            Counts::Upload => self.rounded.tx,
            Counts::Max => {
                if self.rounded.rx > self.rounded.tx {
                    self.rounded.rx
                } else {
                    self.rounded.tx
                }
            }
        }
    }

    /// As values of an event.
    #[must_use]
    pub fn into_sums(self) -> Vec<UnitSum> {
        self.carried.into_iter().map(|(unit, volume)| UnitSum { unit, volume }).collect()
    }

    /// What a unit carried so far.
    #[must_use]
    pub fn carried(&self, unit: &Unit) -> Volume {
        self.carried.get(unit).copied().unwrap_or_default()
    }

    /// At most so few bytes, of both directions together, raise [`Units::billed`] by `growth` where they pass in the
    /// given units, which may be empty so far. 0 for no growth.
    ///
    /// In units that nobody names, such as a connection that has yet to begin, each byte may cost an increment: ask anew
    /// when one begins, and at the start of a day.
    #[must_use]
    pub fn bytes_until(&self, plan: &Plan, open: &BTreeSet<Unit>, growth: u64) -> u64 {
        let goal = self.billed(plan.counts).saturating_add(growth);
        let cost = |sum: u64, carried: &dyn Fn(Volume) -> u64| {
            let parts = open.iter().map(|unit| carried(self.carried(unit)));
            least(plan.increment, parts.collect(), goal.saturating_sub(sum))
        };
        let download = || cost(self.rounded.rx, &|volume| volume.rx);
        let upload = || cost(self.rounded.tx, &|volume| volume.tx);
        match plan.counts {
            Counts::Both => cost(self.rounded_both, &|volume| volume.total()),
            Counts::Download => download(),
            Counts::Upload => upload(),
            Counts::Max => download().min(upload()),
        }
    }
}

/// The fewest bytes that raise the rounded sum of parts by `growth`, parts having carried so much.
fn least(step: Option<Increment>, carried: Vec<u64>, growth: u64) -> u64 {
    let Some(step) = step.map(|step| step.bytes.0.max(1)) else { return growth };
    let increments = growth.div_ceil(step);
    // The first increment of a part costs what is left of the one begun, and a byte; each further one costs it whole.
    let mut firsts: Vec<u64> = carried
        .into_iter()
        .map(|bytes| {
            let into = bytes % step;
            if into == 0 { 1 } else { step.saturating_sub(into).saturating_add(1) }
        })
        .collect();
    if firsts.is_empty() {
        firsts.push(1);
    }
    firsts.sort_unstable();
    let begun = u64::try_from(firsts.len()).unwrap_or(u64::MAX).min(increments);
    let further = increments.saturating_sub(begun).saturating_mul(step);
    let taken = usize::try_from(begun).unwrap_or(usize::MAX);
    firsts.into_iter().take(taken).fold(further, u64::saturating_add)
}

/// The local times at which what is billed changes: midnight, and where zero-rated hours begin and end. Where midnight lies
/// within an hour of UTC, as in India, it is one for any SIM: so each byte is of its own day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edges {
    times: BTreeSet<TimeOfDay>,
    zone: ZoneRules,
}

impl Edges {
    /// Those of a SIM, with a plan or without; none where the time of day changes nothing.
    #[must_use]
    pub fn of(plan: Option<&Plan>, zone: &ZoneRules) -> Option<Self> {
        let by_day = plan.and_then(|plan| plan.increment).is_some_and(|step| step.per == Per::Day);
        let free = plan.map_or(&[][..], |plan| &plan.free_hours);
        if !by_day && free.is_empty() && !zone.days_begin_within_hours() {
            return None;
        }
        let midnight = TimeOfDay { hour: 0, minute: 0 };
        let times = free.iter().flat_map(|hours| [hours.from, hours.until]);
        Some(Self { times: times.chain([midnight]).collect(), zone: zone.clone() })
    }

    /// The newest of them until `at`, included: from there on what is billed is billed in one way.
    #[must_use]
    pub fn last(&self, at: Timestamp) -> Timestamp {
        let local = self.zone.civil(at);
        let edge = self.times.iter().rev().map(|time| time.to_time()).find(|time| *time <= local.time());
        let into = local.time().signed_duration_since(edge.unwrap_or(NaiveTime::MIN)).num_milliseconds();
        let edge = at.as_millis().saturating_sub(into.max(0));
        // Where the clock was set meanwhile, the local time began anew with that.
        let far_back = Timestamp::from_millis(edge.saturating_sub(1));
        let set = self.zone.transitions_within(far_back, at).last();
        let set = set.map_or(edge, |(from, _)| from.saturating_mul(1000));
        Timestamp::from_millis(edge.max(set))
    }

    /// The first of them after `at`.
    #[must_use]
    pub fn next(&self, at: Timestamp) -> Timestamp {
        // By the offset of now, since a local time may come twice; that the clock is set is an edge itself.
        let local = self.zone.civil(at).time();
        let later = self.times.iter().map(|time| time.to_time()).find(|time| *time > local);
        let into = later.unwrap_or(NaiveTime::MIN).signed_duration_since(local).num_milliseconds();
        let into = if later.is_some() { into } else { into.saturating_add(DAY_MS) };
        let edge = Timestamp::from_millis(at.as_millis().saturating_add(into));
        let set = self.zone.transitions_within(at, edge).first();
        set.map_or(edge, |(from, _)| Timestamp::from_secs(*from).min(edge))
    }
}

#[cfg(test)]
mod tests;
