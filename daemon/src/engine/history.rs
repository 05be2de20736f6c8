//! The ledger's past: read beside the service, and tidied once a day.

use chrono::Days;
use simbell_api::{GetUsageParams, UsagePage};
use simbell_core::state::State;
use simbell_core::time::{Span, Stamp, Timestamp};
use simbell_store::{Fold, QueryError, Reader, Retention, Store};

use super::Engine;
use super::ledger::watch;
use super::request::{Reply, no_ledger};
use crate::config::HistorySettings;
use crate::control::Answer;
use crate::usage::{Ledger, Question, unreadable};

const DAY_MS: u64 = 86_400_000;

/// What is done to the ledger once a day, after a commit.
#[derive(Debug)]
pub(super) struct Tidy {
    now: Timestamp,
    folds: Vec<Fold>,
}

impl Tidy {
    fn of(state: &State, at: Stamp, history: &HistorySettings) -> Self {
        let folds = state.sims().map(|sim| {
            let iccid = &sim.record.iccid;
            let zone = state.zone_of(iccid);
            let today = zone.date(at.wall);
            // The current cycle stays as it was counted, whatever its length.
            let cycle = sim.bounds.map_or(at.wall, |(start, _)| start);
            let until = |kept: Option<Span>| {
                let days = u64::try_from(kept?.as_millis()).ok()?.div_ceil(DAY_MS);
                Some(zone.day_start(today.checked_sub_days(Days::new(days))?).min(cycle))
            };
            Fold {
                iccid: iccid.clone(),
                zone: zone.clone(),
                period: state.period_of(iccid),
                hours_until: until(history.hours),
                days_until: until(history.days),
            }
        });
        Self { now: at.wall, folds: folds.collect() }
    }

    /// Whether there is more to be done soon. What fails is tried again the next day: nothing depends on it.
    pub(super) fn run(self, store: &mut Store) -> bool {
        if let Err(error) = store.prune(self.now, &Retention::default()) {
            tracing::warn!(%error, "old rows of the ledger could not be forgotten");
        }
        let mut more = false;
        for fold in &self.folds {
            match store.fold(fold) {
                Ok(folded) => more |= folded.more,
                Err(error) => tracing::warn!(%error, "old usage could not be folded"),
            }
        }
        if let Err(error) = store.roll_up(self.now) {
            tracing::warn!(%error, "usage could not be summed by day; totals are summed from hours");
        }
        more
    }
}

impl Engine {
    /// Once a day, while the date can be believed.
    pub(super) fn tidy_due(&mut self) -> Option<Tidy> {
        let at = self.stamp();
        let due =
            at.trusted && self.tidied_boot_ms.is_none_or(|last| at.boot_ms.saturating_sub(last) >= DAY_MS);
        due.then(|| {
            self.tidied_boot_ms = Some(at.boot_ms);
            Tidy::of(&self.state, at, &self.history)
        })
    }

    /// A connection to read the ledger by, beside the service's own; none where the file system allows but one.
    pub(super) fn reader(&self) -> Option<Reader> {
        let store = self.store.as_ref().filter(|store| store.is_shared())?;
        match watch(&self.ledger.damage, Reader::open(store.path())) {
            Ok(reader) => Some(reader),
            Err(error) => {
                tracing::warn!(%error, "the ledger cannot be read beside its writer");
                None
            }
        }
    }

    pub(super) async fn usage_page(&mut self, asked: &GetUsageParams, reply: Reply<UsagePage>) {
        // The pages that follow are of the same answer.
        if asked.after.is_none() {
            self.fresh().await;
            self.flush().await;
            self.asked_boot_ms = Some(self.stamp().boot_ms);
        }
        self.beside(reply, Question::of(&self.state, self.stamp(), asked), Question::page);
    }

    /// Answers from the ledger beside the engine, where the file system lets two have it: nothing waits for a long read.
    pub(super) fn beside<Q: Send + 'static, T: Send + 'static>(
        &self,
        reply: Reply<T>,
        question: Answer<Q>,
        page: fn(&Q, &Ledger<'_>) -> Result<T, QueryError>,
    ) {
        let answer = match (question, self.reader(), &self.store) {
            (Ok(question), Some(reader), _) => {
                let damage = self.ledger.damage.clone();
                tokio::task::spawn_blocking(move || {
                    let page = watch(&damage, page(&question, &Ledger::Beside(&reader)));
                    // A caller that has gone away needs no answer.
                    let _ = reply.send(page.map_err(|e| unreadable(&e)));
                });
                return;
            }
            (Ok(question), None, Some(store)) => {
                watch(&self.ledger.damage, page(&question, &Ledger::Through(store)))
                    .map_err(|e| unreadable(&e))
            }
            (Ok(_), None, None) => Err(no_ledger()),
            (Err(error), ..) => Err(error),
        };
        let _ = reply.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use simbell_core::cycle::cycle_at;
    use simbell_core::event::Event;
    use simbell_core::ident::BootId;
    use simbell_core::plan::{AnchorDay, Period};
    use simbell_core::state::restored::Restored;

    use super::*;
    use crate::config::{Environment, load_with};

    /// Plans of every kind, each in a zone of its own; the last SIM has no plan.
    const SIMS: &str = r#"
        timezone = "Pacific/Kiritimati"
        [sims.monthly]
        iccid = "8900100000000000017"
        timezone = "Europe/Berlin"
        plan = { every = "month", day = 20 }
        [sims.days]
        iccid = "8900100000000000025"
        timezone = "Asia/Kolkata"
        plan = { every = "30 days", start = 2026-11-01, renews = true }
        [sims.year]
        iccid = "8900100000000000033"
        timezone = "America/Santiago"
        plan = { every = "365 days", start = 2025-12-10, renews = true }
        [sims.bucket]
        iccid = "8900100000000000041"
        timezone = "UTC"
        plan = { data = "10 GB", until = "used", start = 2026-06-15 }
        [sims.over]
        iccid = "8900100000000000058"
        timezone = "UTC"
        plan = { data = "10 GB", every = "30 days", start = 2026-01-01, renews = false }
        [sims.later]
        iccid = "8900100000000000066"
        timezone = "UTC"
        plan = { data = "10 GB", every = "30 days", start = 2027-01-01, renews = false }
        [sims.none]
        iccid = "8900100000000000074"
    "#;

    fn instant(text: &str) -> Timestamp {
        Timestamp::from_millis(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
    }

    fn stamp(wall: Timestamp) -> Stamp {
        let boot_ms = u64::try_from(wall.as_millis()).unwrap();
        Stamp { wall, boot_ms, trusted: true }
    }

    /// The service with these SIMs, and what `[history]` says.
    fn service(at: Timestamp, history: &str) -> (State, HistorySettings) {
        let added = format!("{SIMS}\n[history]\n{history}\n");
        // A directory without any configuration.
        let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/engine"));
        let loaded = load_with(dir, (Path::new("test.toml"), &added), &Environment::of_process());
        let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
        let mut state = State::restored(loaded.settings, Restored::empty());
        let boot = BootId::new("boot").unwrap();
        state.step(stamp(at), &Event::Started { boot, links: Vec::new() });
        (state, loaded.service.history)
    }

    /// Until when hours and days of each SIM are folded, in its civil time, by the last two digits of its ICCID.
    fn folds(state: &State, at: Timestamp, history: &HistorySettings) -> Vec<(String, String, String)> {
        let tidy = Tidy::of(state, stamp(at), history);
        assert_eq!(tidy.now, at);
        let shown = tidy.folds.iter().map(|fold| {
            let civil = |until: Option<Timestamp>| {
                until.map_or_else(|| "never".to_owned(), |until| fold.zone.rfc3339(until))
            };
            let tail = fold.iccid.as_str().split_at(17).1.to_owned();
            (tail, civil(fold.hours_until), civil(fold.days_until))
        });
        shown.collect()
    }

    #[test]
    fn each_sim_is_folded_by_its_own_days_and_never_in_its_current_cycle() {
        // It is the 30th in Kiritimati.
        let at = instant("2026-11-29T12:00:00Z");
        let (state, history) = service(at, "hours = \"100 days\"\ndays = \"400 days\"");
        let expected = [
            ("17", "2026-08-21T00:00:00+02:00", "2025-10-25T00:00:00+02:00"),
            ("25", "2026-08-21T00:00:00+05:30", "2025-10-25T00:00:00+05:30"),
            // Its cycle began a year ago, and the bucket's with its first day.
            ("33", "2025-12-10T00:00:00-03:00", "2025-10-25T00:00:00-03:00"),
            ("41", "2026-06-15T00:00:00Z", "2025-10-25T00:00:00Z"),
            // No cycle is the current one where a plan is over, or has yet to begin.
            ("58", "2026-08-21T00:00:00Z", "2025-10-25T00:00:00Z"),
            ("66", "2026-08-21T00:00:00Z", "2025-10-25T00:00:00Z"),
            ("74", "2026-08-22T00:00:00+14:00", "2025-10-26T00:00:00+14:00"),
        ];
        let expected = expected.map(|(sim, hours, days)| (sim.to_owned(), hours.to_owned(), days.to_owned()));
        assert_eq!(folds(&state, at, &history), expected);

        let start = |day: &str| day.parse().unwrap();
        let periods: Vec<Period> =
            Tidy::of(&state, stamp(at), &history).folds.into_iter().map(|fold| fold.period).collect();
        let expected = [
            Period::Monthly(AnchorDay::Day(20)),
            Period::Days { days: 30, start: start("2026-11-01"), renews: true },
            Period::Days { days: 365, start: start("2025-12-10"), renews: true },
            Period::Bucket { start: start("2026-06-15") },
            Period::Days { days: 30, start: start("2026-01-01"), renews: false },
            Period::Days { days: 30, start: start("2027-01-01"), renews: false },
            Period::Monthly(AnchorDay::Day(1)),
        ];
        assert_eq!(periods, expected);
    }

    #[test]
    fn what_is_configured_is_folded_from_the_next_whole_day_on_or_never() {
        const DAY: i64 = 86_400_000;
        let at = instant("2026-11-29T12:00:00Z");
        let shown = |hours: &str, days: &str| {
            let (state, history) = service(at, &format!("hours = \"{hours}\"\ndays = \"{days}\""));
            let (sim, hours, days) = folds(&state, at, &history).swap_remove(0);
            assert_eq!(sim, "17");
            (hours, days)
        };
        let both = |hours: &str, days: &str| (hours.to_owned(), days.to_owned());
        let october = "2026-10-29T00:00:00+01:00";
        // Days are kept as long as hours, at least.
        assert_eq!(
            shown("40 days", "31 days"),
            both("2026-10-20T00:00:00+02:00", "2026-10-20T00:00:00+02:00")
        );
        assert_eq!(shown("31 days", "31 days"), both(october, october));
        assert_eq!(shown("2678400001ms", "forever"), both("2026-10-28T00:00:00+01:00", "never"));
        assert_eq!(shown("forever", "31 days"), both("never", october));
        assert_eq!(shown("forever", "forever"), both("never", "never"));

        // Longer than there is a calendar is never, and nothing that is kept for no time ends the current cycle.
        let (state, known) = service(at, "");
        let of = |span| {
            let history = HistorySettings { hours: Some(span), days: Some(span), ..known };
            let (_, hours, days) = folds(&state, at, &history).swap_remove(0);
            assert_eq!(hours, days);
            hours
        };
        for (span, until) in [
            (Span(i64::MAX), "never"),
            (Span(-1), "never"),
            (Span(31 * DAY), october),
            (Span(10 * DAY), "2026-11-19T00:00:00+01:00"),
            (Span(9 * DAY), "2026-11-20T00:00:00+01:00"),
            (Span(8 * DAY), "2026-11-20T00:00:00+01:00"),
            (Span(1), "2026-11-20T00:00:00+01:00"),
            (Span::ZERO, "2026-11-20T00:00:00+01:00"),
        ] {
            assert_eq!(of(span), until, "{span:?}");
        }
        // A hundred years, the most that may be configured.
        let (state, history) = service(at, "hours = \"36600 days\"\ndays = \"36600 days\"");
        let fold = Tidy::of(&state, stamp(at), &history).folds.swap_remove(0);
        let then = fold.zone.date(at).checked_sub_days(Days::new(36_600)).unwrap();
        assert_eq!((fold.hours_until, fold.days_until), (Some(fold.zone.day_start(then)), fold.hours_until));
    }

    /// Through two years, at the instants between which the clocks change and cycles begin.
    #[test]
    fn whenever_it_is_done_it_ends_with_a_day_and_before_the_current_cycle() {
        const STEP: Span = Span(7 * 3_600_000);
        let mut at = instant("2026-01-01T00:00:00Z");
        let (mut state, known) = service(at, "");
        let spans = [Span::ZERO, Span::secs(31 * 86_400), Span::secs(100 * 86_400)];
        let mut held_back = 0;
        for _ in 0..2_500 {
            state.step(stamp(at), &Event::WakeReached);
            for span in spans {
                let history = HistorySettings { hours: Some(span), days: Some(span), ..known };
                for fold in Tidy::of(&state, stamp(at), &history).folds {
                    let until = fold.hours_until.unwrap();
                    assert_eq!(fold.days_until, Some(until));
                    let today = fold.zone.date(at);
                    let kept = u64::try_from(span.as_millis()).unwrap() / DAY_MS;
                    let wanted = fold.zone.day_start(today.checked_sub_days(Days::new(kept)).unwrap());
                    let cycle = cycle_at(&fold.period, today).map(|cycle| cycle.bounds(&fold.zone).0);
                    assert_eq!(until, cycle.map_or(wanted, |cycle| cycle.min(wanted)), "{fold:?} at {at:?}");
                    assert_eq!(until, fold.zone.day_start(fold.zone.date(until)), "a day begins");
                    held_back += u32::from(until < wanted);
                }
            }
            at = at.saturating_add(STEP);
        }
        assert!(held_back > 10_000, "{held_back} times by a cycle");
    }
}
