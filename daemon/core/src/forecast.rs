//! When an allowance will run out, if usage goes on as it did.

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::time::{Span, Timestamp};

/// This much observation is enough in any cycle.
const ENOUGH: Span = Span::secs(24 * 3600);

/// This part of a cycle is enough observation: one twentieth, 5 %.
const ENOUGH_PART: i64 = 20;

/// What a forecast is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Used in this cycle, corrections included, as the plan counts.
    pub used: Bytes,
    /// Of `used`, what came in since `since`: the rate rests on this alone, so that a figure typed in on the
    /// first day is not taken for an hour's traffic.
    pub observed: Bytes,
    /// The allowance, where there is one.
    pub allowance: Option<Bytes>,
    /// First instant of the cycle.
    pub cycle_start: Timestamp,
    /// First instant after the cycle; none for no end.
    pub cycle_end: Option<Timestamp>,
    /// Since when usage was observed: the later of the cycle's start and the first measurement.
    pub since: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// What will come at the average rate since the observation began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// When the allowance is used up: now when it is already, none when it lasts until the cycle's end.
    pub exhausted_at: Option<Timestamp>,
    /// Used by the end of the cycle; none for no end or no observation.
    pub end_of_cycle_bytes: Option<u64>,
    /// Whether it rests on enough: some usage, seen for 24 hours or for 5 % of the cycle, whichever is less.
    pub reliable: bool,
}

/// Carries the average rate since `since` forward, in whole bytes and milliseconds.
///
/// Exhaustion is rounded up to the millisecond, the usage at the end down to the byte.
#[must_use]
pub fn forecast(seen: &Observation) -> Forecast {
    let elapsed = seen.now.since(seen.since).as_millis();
    let rate = u128::try_from(elapsed)
        .ok()
        .filter(|elapsed| *elapsed > 0)
        .map(|elapsed| Rate { bytes: u128::from(seen.observed.get()), millis: elapsed });
    let exhausted_at = seen.allowance.and_then(|allowance| {
        let remaining = allowance.saturating_sub(seen.used).get();
        if remaining == 0 {
            return Some(seen.now);
        }
        let wait = rate.as_ref()?.millis_for(remaining)?;
        let at = Timestamp::from_millis(seen.now.as_millis().checked_add(wait)?);
        // Beyond the calendar no reminder could name the date.
        let end = seen.cycle_end.unwrap_or_else(|| chrono::DateTime::<chrono::Utc>::MAX_UTC.into());
        (at < end).then_some(at)
    });
    let end_of_cycle_bytes = seen.cycle_end.and_then(|end| {
        let left = u128::try_from(end.since(seen.now).as_millis()).unwrap_or(0);
        seen.used.get().checked_add(rate.as_ref()?.bytes_in(left)?)
    });
    Forecast {
        exhausted_at,
        end_of_cycle_bytes,
        reliable: seen.observed.get() > 0 && elapsed >= enough_ms(seen),
    }
}

struct Rate {
    bytes: u128,
    /// Above 0.
    millis: u128,
}

impl Rate {
    fn millis_for(&self, bytes: u64) -> Option<i64> {
        if self.bytes == 0 {
            return None;
        }
        i64::try_from((u128::from(bytes) * self.millis).div_ceil(self.bytes)).ok()
    }

    fn bytes_in(&self, millis: u128) -> Option<u64> {
        u64::try_from(self.bytes.checked_mul(millis)?.checked_div(self.millis)?).ok()
    }
}

fn enough_ms(seen: &Observation) -> i64 {
    let part = seen.cycle_end.map(|end| end.since(seen.cycle_start).as_millis() / ENOUGH_PART);
    part.map_or(ENOUGH.as_millis(), |part| part.clamp(1, ENOUGH.as_millis()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400;
    const GB: u64 = 1_000_000_000;

    /// A cycle of 30 days with 6 GB, observed from its start.
    fn seen(used: u64, now_day: i64) -> Observation {
        Observation {
            used: Bytes(used),
            observed: Bytes(used),
            allowance: Some(Bytes(6 * GB)),
            cycle_start: Timestamp::from_secs(0),
            cycle_end: Some(Timestamp::from_secs(30 * DAY)),
            since: Timestamp::from_secs(0),
            now: Timestamp::from_secs(now_day * DAY),
        }
    }

    #[test]
    fn runs_out_early_at_twice_the_rate() {
        let forecast = forecast(&seen(4 * GB, 10));
        assert_eq!(forecast.exhausted_at, Some(Timestamp::from_secs(15 * DAY)));
        assert_eq!(forecast.end_of_cycle_bytes, Some(12 * GB));
        assert!(forecast.reliable);
    }

    #[test]
    fn lasts_to_the_end_at_the_even_rate() {
        let forecast = forecast(&seen(2 * GB, 10));
        assert_eq!((forecast.exhausted_at, forecast.end_of_cycle_bytes), (None, Some(6 * GB)));
        assert!(super::forecast(&seen(2 * GB + 1, 10)).exhausted_at.is_some());
    }

    #[test]
    fn is_now_when_already_exhausted() {
        for used in [6 * GB, 9 * GB] {
            assert_eq!(forecast(&seen(used, 10)).exhausted_at, Some(Timestamp::from_secs(10 * DAY)));
        }
        assert_eq!(forecast(&seen(6 * GB, 0)).exhausted_at, Some(Timestamp::from_secs(0)));
    }

    #[test]
    fn a_figure_typed_in_is_not_a_rate() {
        let typed = Observation {
            used: Bytes(4 * GB + 10_000_000),
            observed: Bytes(10_000_000),
            since: Timestamp::from_secs(19 * DAY),
            ..seen(0, 20)
        };
        let forecast = forecast(&typed);
        assert_eq!(forecast.exhausted_at, None);
        assert_eq!(forecast.end_of_cycle_bytes, Some(4 * GB + 110_000_000));
    }

    #[test]
    fn is_reliable_after_a_day_or_a_twentieth_with_some_usage() {
        assert!(forecast(&seen(1, 1)).reliable);
        let almost = Observation { now: Timestamp::from_millis(DAY * 1000 - 1), ..seen(GB, 0) };
        assert!(!forecast(&almost).reliable);
        assert!(!forecast(&seen(0, 20)).reliable);
        let one_day_bundle = Observation {
            cycle_end: Some(Timestamp::from_secs(DAY)),
            now: Timestamp::from_secs(DAY / 20),
            ..seen(GB, 0)
        };
        assert!(forecast(&one_day_bundle).reliable);
    }

    #[test]
    fn knows_nothing_without_observation() {
        for seen in [seen(GB, 0), Observation { since: Timestamp::from_secs(11 * DAY), ..seen(GB, 10) }] {
            let nothing = Forecast { exhausted_at: None, end_of_cycle_bytes: None, reliable: false };
            assert_eq!(forecast(&seen), nothing);
        }
    }

    #[test]
    fn a_bucket_runs_out_without_an_end() {
        let bucket = Observation { cycle_end: None, ..seen(GB, 10) };
        let forecast = forecast(&bucket);
        assert_eq!(forecast.exhausted_at, Some(Timestamp::from_secs(60 * DAY)));
        assert_eq!(forecast.end_of_cycle_bytes, None);
    }

    proptest! {
        #[test]
        fn never_panics_and_stays_in_the_cycle(
            used in any::<u64>(), observed in any::<u64>(), allowance in any::<Option<u64>>(),
            start in any::<i64>(), end in any::<Option<i64>>(), since in any::<i64>(), now in any::<i64>(),
        ) {
            let seen = Observation {
                used: Bytes(used),
                observed: Bytes(observed),
                allowance: allowance.map(Bytes),
                cycle_start: Timestamp::from_millis(start),
                cycle_end: end.map(Timestamp::from_millis),
                since: Timestamp::from_millis(since),
                now: Timestamp::from_millis(now),
            };
            let forecast = forecast(&seen);
            if let Some(bytes) = forecast.end_of_cycle_bytes {
                prop_assert!(bytes >= used);
            }
            if let Some(at) = forecast.exhausted_at {
                prop_assert!(at >= seen.now);
                prop_assert!(at == seen.now || seen.cycle_end.is_none_or(|end| at < end));
            }
        }

        #[test]
        fn running_out_and_the_end_agree(used in 1_u64..20 * GB, day in 1_i64..30) {
            let forecast = forecast(&seen(used, day));
            let over = forecast.end_of_cycle_bytes.unwrap() > 6 * GB;
            prop_assert!(!over || forecast.exhausted_at.is_some());
        }
    }
}
