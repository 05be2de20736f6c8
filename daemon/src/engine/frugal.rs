//! When memory that callers' questions took is given back: on an occasion that wakes the service anyway.

/// Nobody asked anything for so long.
const QUIET_MS: u64 = 20_000;
/// Not more often: what runs again is mapped again, and whoever asks each minute must not pay for that each minute.
const APART_MS: u64 = 10 * 60_000;

/// By `CLOCK_BOOTTIME`: what was asked, and given back.
#[derive(Debug, Default)]
pub(super) struct Frugal {
    asked: Option<u64>,
    given_back: Option<u64>,
}

impl Frugal {
    /// Somebody asks something.
    pub(super) fn asked(&mut self, now: u64) {
        self.asked = Some(now);
    }

    /// Whether memory is to be given back now that the service is awake; true once for all that was asked.
    pub(super) fn due(&mut self, now: u64) -> bool {
        let quiet = self.asked.is_some_and(|asked| now.saturating_sub(asked) >= QUIET_MS);
        let apart = self.given_back.is_none_or(|before| now.saturating_sub(before) >= APART_MS);
        let due = quiet && apart;
        if due {
            (self.asked, self.given_back) = (None, Some(now));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_for_what_was_asked() {
        let mut frugal = Frugal::default();
        assert!(!frugal.due(1_000_000), "nobody asked");
        frugal.asked(1_000_000);
        assert!(!frugal.due(1_019_999), "more may come");
        frugal.asked(1_010_000);
        assert!(!frugal.due(1_020_000), "more came");
        assert!(frugal.due(1_030_000));
        assert!(!frugal.due(1_050_000), "nothing was asked since");
    }

    #[test]
    fn whoever_asks_each_minute_does_not_pay_each_minute() {
        let mut frugal = Frugal::default();
        let given_back = (0..60_u64)
            .filter(|minute| {
                frugal.asked(minute * 60_000);
                frugal.due(minute * 60_000 + 30_000)
            })
            .collect::<Vec<_>>();
        assert_eq!(given_back, [0, 10, 20, 30, 40, 50]);
    }
}
