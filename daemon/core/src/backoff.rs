//! When a failed delivery is tried again.

use crate::time::{Span, Timestamp};

/// The wait after the first failure, before jitter.
pub const FIRST_WAIT: Span = Span::secs(10);

/// The longest wait between two tries, before jitter; a receiver's own `Retry-After` may ask for more.
pub const LONGEST_WAIT: Span = Span::secs(3_600);

/// Returns when a delivery that has failed `attempts` times is tried next, or none when it is given up.
///
/// Waits double from [`FIRST_WAIT`] to [`LONGEST_WAIT`]. Up to a quarter is taken off each, by a hash of
/// `jitter_seed` (the delivery's dedupe key) and `attempts`: messages that failed together do not come
/// back together, and a replay gives the same instants. `after` is the receiver's `Retry-After`: never
/// earlier than that. `deadline` counts from `created_at`; a try that would fall after it is not made.
/// `attempts` below one counts as one.
#[must_use]
pub fn next_attempt(
    attempts: u32,
    after: Option<Span>,
    created_at: Timestamp,
    deadline: Span,
    now: Timestamp,
    jitter_seed: &str,
) -> Option<Timestamp> {
    let wait = jittered(doubled(attempts), jitter_seed, attempts);
    let wait = after.map_or(wait, |asked| if asked > wait { asked } else { wait });
    let next = now.saturating_add(wait);
    (next <= created_at.saturating_add(deadline)).then_some(next)
}

fn doubled(attempts: u32) -> Span {
    let factor = 1_i64.checked_shl(attempts.saturating_sub(1).min(32)).unwrap_or(i64::MAX);
    let wait = FIRST_WAIT.as_millis().saturating_mul(factor);
    Span(wait.min(LONGEST_WAIT.as_millis()))
}

fn jittered(wait: Span, seed: &str, attempts: u32) -> Span {
    let hash = fnv1a(seed.bytes().chain(attempts.to_be_bytes()));
    // The low bits of FNV-1a mix less well than the high ones.
    let per_mille = i64::try_from((hash >> 32) % 251).unwrap_or(0);
    let off = wait.as_millis().saturating_mul(per_mille) / 1_000;
    Span(wait.as_millis().saturating_sub(off))
}

/// FNV-1a, 64 bits: the same on every machine and in every version, unlike the standard library's hasher.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
    const DAY: Span = Span::secs(86_400);

    fn wait(attempts: u32, after: Option<Span>) -> i64 {
        next_attempt(attempts, after, NOW, DAY, NOW, "k").unwrap().since(NOW).as_millis()
    }

    #[test]
    fn waits_double_up_to_an_hour() {
        for (attempts, full) in [(1, 10), (2, 20), (3, 40), (6, 320), (9, 2_560), (10, 3_600), (40, 3_600)] {
            let got = wait(attempts, None);
            let full = full * 1_000;
            assert!((full * 3 / 4..=full).contains(&got), "attempt {attempts}: {got} ms of {full}");
        }
        assert_eq!(wait(0, None) / 1_000 / 11, 0);
        assert!(wait(u32::MAX, None) <= 3_600_000);
    }

    #[test]
    fn the_receivers_own_span_is_the_least() {
        assert_eq!(wait(1, Some(Span::secs(120))), 120_000);
        assert_eq!(wait(1, Some(Span::secs(1))), wait(1, None));
        assert_eq!(wait(1, Some(Span::secs(-5))), wait(1, None));
        assert_eq!(wait(12, Some(Span::secs(7_200))), 7_200_000);
    }

    #[test]
    fn past_the_deadline_it_is_given_up() {
        let created = Timestamp::from_secs(NOW.as_secs() - 86_399);
        assert_eq!(next_attempt(1, None, created, DAY, NOW, "k"), None);
        assert_eq!(next_attempt(1, Some(Span(i64::MAX)), NOW, DAY, NOW, "k"), None);
        assert_eq!(next_attempt(1, None, NOW, Span::ZERO, NOW, "k"), None);
    }

    #[test]
    fn messages_that_failed_together_come_back_apart() {
        let instants: std::collections::BTreeSet<_> = (0..100)
            .filter_map(|n| next_attempt(8, None, NOW, DAY, NOW, &format!("data/80/1#{n}/mail")))
            .collect();
        assert!(instants.len() > 50, "{} instants", instants.len());
    }

    proptest! {
        #[test]
        fn is_a_function_of_its_arguments_and_lies_ahead(
            attempts: u32, after in proptest::option::of(any::<i64>()), seed: String, age in 0_i64..86_400,
        ) {
            let created = Timestamp::from_secs(NOW.as_secs() - age);
            let first = next_attempt(attempts, after.map(Span), created, DAY, NOW, &seed);
            prop_assert_eq!(first, next_attempt(attempts, after.map(Span), created, DAY, NOW, &seed));
            if let Some(next) = first {
                prop_assert!(next > NOW);
                prop_assert!(next <= created.saturating_add(DAY));
            }
        }
    }
}
