//! When the kernel's counters are read: by what is at stake.
//!
//! Nothing is read while no bearer uses a link. Otherwise the next reading comes 0.9 s after the nearest threshold
//! could be crossed at the line's rate, at most `sample_every` after the last: far from a threshold readings are
//! rare, near one they come each 0.9 s, and a crossing is noticed within a second of the line's rate. What a power
//! cut may cost is read in time at the rate just seen; where somebody names an amount, at the line's rate, each
//! second at most.

use super::State;
use super::metered::Metered;
use super::wake::SLACK_MS;
use crate::time::{Span, Stamp, Timestamp};

/// For what a power cut may cost readings do not come faster.
pub(super) const FASTEST_MS: u64 = 1_000;

/// A reading comes so long after a threshold could be crossed at the earliest; what is left of a second is for the reading,
/// the rules and the commit.
const NOTICED_MS: u64 = 900;

/// A reading so short before a boundary may be at it: two clocks, told in whole milliseconds, are no closer.
const JUST_MS: u64 = 2;

/// While somebody follows the service.
const FOLLOWED_MS: u64 = 2_000;

/// Of a small allowance a thousandth is not worth a write.
const LEAST_UNSAVED: u64 = 10_000_000;

/// Without an allowance.
const NO_ALLOWANCE_UNSAVED: u64 = 100_000_000;

impl State {
    /// After how long the kernel's counters are to be read again; none while no bearer uses one.
    ///
    /// `followed`: whether somebody watches the figures.
    #[must_use]
    pub fn next_read(&self, at: Stamp, followed: bool) -> Option<Span> {
        if self.accounting.wants_read() {
            return Some(Span::ZERO);
        }
        if !self.accounting.anything_owned() {
            return None;
        }
        // What passes between two readings is not saved either.
        let most = self.settings.sample_every.min(self.settings.max_unsaved_time);
        let most = most.as_millis().max(100).unsigned_abs();
        let wanted = if followed { self.wanted_ms.min(FOLLOWED_MS) } else { self.wanted_ms };
        let wanted = wanted.min(most);
        let since = at.boot_ms.saturating_sub(self.last_read_boot_ms);
        let after = Span(i64::try_from(wanted.saturating_sub(since)).unwrap_or(i64::MAX));
        if after == Span::ZERO || !at.trusted {
            return Some(after);
        }
        // A reading at a boundary leaves no doubt about its side. One that the last reading met is behind. One that it came
        // before is not: each reading after it would come as long before a boundary.
        let millis = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let from = at.wall.saturating_add(Span(millis(JUST_MS).saturating_sub(millis(since))));
        let until = at.wall.saturating_add(after);
        let grid = if wanted >= most { most } else { HOUR_MS };
        let boundary = self.boundary(from, until, grid);
        Some(boundary.map_or(after, |boundary| Span(boundary.since(at.wall).as_millis().max(0))))
    }

    /// The last reading's growth is forgotten: another one begins.
    pub(super) fn reading_begins(&mut self, at: Stamp) {
        self.last_read_span_ms = at.boot_ms.saturating_sub(self.last_read_boot_ms);
        self.last_read_boot_ms = at.boot_ms;
        for sim in self.sims.values_mut() {
            sim.last_growth = 0;
        }
    }

    /// What is at stake may be something else now. Asked for more often than it changes, it is worked out once a step.
    ///
    /// `saved_within`: as [`State::saved_within`] says now.
    pub(super) fn weigh_stakes(&mut self, saved_within: u64, at: Stamp) {
        let anything = self.accounting.anything_owned();
        self.wanted_ms = if anything { self.read_within(saved_within, at) } else { u64::MAX };
    }

    /// How long after the last reading the next one is due at the latest, by what is at stake.
    fn read_within(&self, saved_within: u64, at: Stamp) -> u64 {
        let mut within = u64::MAX;
        if at.trusted && self.answers("usage") {
            let owners = self.accounting.owners().filter_map(|iccid| self.metered(iccid));
            let nearest = owners.filter_map(|of| self.to_next_threshold(&of)).min();
            if let Some(bytes) = nearest {
                let rate = u128::from(self.settings.line_rate.max(1));
                let flight = u64::try_from(u128::from(bytes) * 1000 / rate).unwrap_or(u64::MAX);
                within = within.min(flight.saturating_add(NOTICED_MS));
            }
        }
        within.min(saved_within.min(self.bounded_within()).max(FASTEST_MS))
    }

    /// How long until a power cut costs more than it may, if usage goes on as it did between the last two readings.
    pub(super) fn saved_within(&self) -> u64 {
        let span = self.last_read_span_ms;
        if let Some(budget) = self.settings.max_unsaved_bytes {
            let growth = self.sims.values().fold(0_u64, |sum, sim| sum.saturating_add(sim.last_growth));
            return lasts(budget, self.accounting.unsaved().0, growth, span);
        }
        self.all_metered()
            .map(|of| lasts(most_unsaved(&of), of.sim.unsaved, of.sim.last_growth, span))
            .min()
            .unwrap_or(u64::MAX)
    }

    /// How long until a power cut can cost more than it was told to, if every line is full from now on: whoever names an
    /// amount is held to it, whatever begins to flow between two readings.
    fn bounded_within(&self) -> u64 {
        let Some(budget) = self.settings.max_unsaved_bytes else { return u64::MAX };
        let lines = u64::try_from(self.accounting.owners().count()).unwrap_or(u64::MAX);
        lasts(budget, self.accounting.unsaved().0, self.settings.line_rate.saturating_mul(lines), 1_000)
    }

    /// Whether a power cut would lose more than it may.
    pub(super) fn much_unsaved(&self) -> bool {
        let (bytes, _) = self.accounting.unsaved();
        match self.settings.max_unsaved_bytes {
            Some(most) => bytes >= most,
            None => {
                bytes >= LEAST_UNSAVED && self.all_metered().any(|of| of.sim.unsaved >= most_unsaved(&of))
            }
        }
    }

    /// Whether usage was unsaved for as long as it may be, or will have been before anything else is done. Where a reading
    /// comes in time it is left to that: without what it finds, the next commit would be due a reading earlier.
    pub(super) fn long_unsaved(&self, at: Stamp) -> bool {
        let (_, Some(since)) = self.accounting.unsaved() else { return false };
        let most = self.settings.max_unsaved_time.as_millis().unsigned_abs();
        let left = most.saturating_sub(at.boot_ms.saturating_sub(since));
        let in_time = |read: Span| read.as_millis().unsigned_abs() <= left;
        left == 0 || (left <= SLACK_MS && !self.next_read(at, false).is_some_and(in_time))
    }

    /// The first boundary after `from` and before `until`: an hour or a whole `grid` of milliseconds in UTC, the
    /// beginning or the end of a cycle.
    fn boundary(&self, from: Timestamp, until: Timestamp, grid: u64) -> Option<Timestamp> {
        let next = |grid: u64| {
            let grid = i64::try_from(grid).unwrap_or(i64::MAX);
            let whole = from.as_millis().div_euclid(grid).saturating_add(1);
            Timestamp::from_millis(whole.saturating_mul(grid))
        };
        [next(HOUR_MS), next(grid)]
            .into_iter()
            .chain(self.splits.values().flat_map(|split| {
                split.bounds.iter().copied().chain(split.edges.iter().map(|edges| edges.next(from)))
            }))
            .filter(|boundary| *boundary > from && *boundary < until)
            .min()
    }
}

/// How long what is left of a budget lasts, milliseconds, where so much grows in such a span.
fn lasts(budget: u64, unsaved: u64, growth: u64, span_ms: u64) -> u64 {
    if growth == 0 {
        return u64::MAX;
    }
    // What is over the budget is being committed.
    let left = budget.checked_sub(unsaved).filter(|left| *left > 0).unwrap_or(budget);
    let millis = u128::from(left).saturating_mul(span_ms.max(1).into()) / u128::from(growth);
    u64::try_from(millis).unwrap_or(u64::MAX)
}

/// How many bytes of a SIM's usage a power cut may cost.
fn most_unsaved(of: &Metered<'_>) -> u64 {
    of.allowance().map_or(NO_ALLOWANCE_UNSAVED, |data| (data / 1000).max(LEAST_UNSAVED))
}

const HOUR_MS: u64 = 3_600_000;
