use proptest::prelude::*;

use super::*;
use crate::billing::{FreeHours, Increment, Per};
use crate::ident::PlanName;
use crate::plan::{AnchorDay, Counts, Period};

const MB: u64 = 1_000_000;

fn plan() -> Plan {
    Plan {
        name: PlanName::new("6 GB").unwrap(),
        data: Some(Bytes(6_000 * MB)),
        period: Period::Monthly(AnchorDay::Day(1)),
        counts: Counts::Both,
        roaming_counts: true,
        increment: None,
        free_hours: Vec::new(),
        calibrate: false,
    }
}

fn iccid() -> Iccid {
    Iccid::new("8900100000000000017").unwrap()
}

fn kept(id: i64, bytes: u64, billed: u64) -> Observation {
    Observation {
        id: ObservationId(id),
        iccid: iccid(),
        at: Timestamp::from_secs(id),
        cycle_start: Timestamp::from_secs(0),
        bytes,
        billed,
        corrections: 0,
        terms: terms(&plan()),
        source: ObservationSource::User,
        author: "uid 0".to_owned(),
        note: String::new(),
        withdraws: None,
    }
}

/// Each of 100 MB billed, at so many thousandths.
fn factors(thousandths: &[u64]) -> Vec<Observation> {
    let ids = 1_i64..;
    ids.zip(thousandths).map(|(id, factor)| kept(id, 100 * MB / 1_000 * factor, 100 * MB)).collect()
}

fn learnt(thousandths: &[u64]) -> Option<(u64, u64, u64, usize)> {
    let learnt = Calibration::learn(&factors(thousandths), &plan())?;
    Some((learnt.factor, learnt.lowest, learnt.highest, learnt.count))
}

fn judged(bytes: u64, spent: Spent, at: i64, note: &str) -> Result<Observation, &'static str> {
    let observed = Observed {
        iccid: iccid(),
        at: Timestamp::from_secs(at),
        bytes,
        source: ObservationSource::Ussd,
        author: "uid 0".to_owned(),
        note: note.to_owned(),
    };
    observe(observed, &plan(), spent, Timestamp::from_secs(100)).map_err(|error| error.kind())
}

fn spent(billed: u64, corrections: i64) -> Spent {
    Spent { cycle_start: Timestamp::from_secs(0), billed, corrections }
}

#[test]
fn a_factor_is_rounded_half_up_to_a_millionth() {
    for (bytes, billed, factor) in [
        (106, 100, Some(1_060_000)),
        (1, 3, Some(333_333)),
        (2, 3, Some(666_667)),
        (1, 2_000_000, Some(1)),
        (1, 2_000_001, Some(0)),
        (u64::MAX, u64::MAX, Some(ONE)),
        (u64::MAX, 1, None),
        (5, 0, None),
    ] {
        assert_eq!(kept(1, bytes, billed).factor(), factor, "{bytes} of {billed}");
    }
}

#[test]
fn what_was_corrected_is_left_out_on_both_sides() {
    let of = |bytes, corrections| Observation { corrections, ..kept(1, bytes, 100) }.factor();
    assert_eq!(of(306, 200), Some(1_060_000));
    assert_eq!(of(56, -50), Some(1_060_000));
    assert_eq!(of(200, 200), None);
    assert_eq!(of(100, 200), None);
    assert_eq!(of(u64::MAX, i64::MIN), None, "does not fit, does not panic");
}

#[test]
fn the_median_and_the_spread_of_the_newest_six() {
    assert_eq!(learnt(&[]), None);
    assert_eq!(learnt(&[1_060]), Some((1_060_000, 1_060_000, 1_060_000, 1)));
    assert_eq!(learnt(&[1_060, 1_050]), Some((1_055_000, 1_050_000, 1_060_000, 2)));
    assert_eq!(learnt(&[2_000, 1_050, 1_060]), Some((1_060_000, 1_050_000, 2_000_000, 3)));
    assert_eq!(
        learnt(&[9_000, 1_010, 1_020, 1_030, 1_040, 1_050, 1_060]),
        Some((1_035_000, 1_010_000, 1_060_000, 6))
    );
    // The mean of 1000001 and 1000002 is rounded up.
    let near = [kept(1, 1_000_001 * 100, 100 * MB), kept(2, 1_000_002 * 100, 100 * MB)];
    assert_eq!(Calibration::learn(&near, &plan()).unwrap().factor, 1_000_002);
}

#[test]
fn newest_is_by_when_it_held_and_not_by_when_it_was_typed() {
    let mut all = factors(&[1_010, 1_020, 1_030, 1_040, 1_050, 1_060, 1_070]);
    all[6].at = Timestamp::from_secs(0);
    let older: Vec<i64> = standings(&all, Some(&plan()))
        .iter()
        .zip(&all)
        .filter(|(standing, _)| **standing == Standing::Older)
        .map(|(_, one)| one.id.0)
        .collect();
    assert_eq!(older, [7]);
}

#[test]
fn what_is_not_used_says_why() {
    let withdrawal = Observation { withdraws: Some(ObservationId(1)), ..kept(7, 0, 0) };
    let other = Observation { terms: "another; both".to_owned(), ..kept(3, 106 * MB, 100 * MB) };
    let all = [
        kept(1, 106 * MB, 100 * MB),
        kept(2, 63 * MB, 60 * MB - 1),
        other,
        kept(4, 63 * MB, 60 * MB),
        Observation { corrections: i64::MAX, ..kept(5, 63 * MB, 60 * MB) },
        withdrawal,
    ];
    use Standing::{Insignificant, OtherPlan, Used, Withdrawal, Withdrawn};
    let found = standings(&all, Some(&plan()));
    assert_eq!(found, [Withdrawn, Insignificant, OtherPlan, Used, Insignificant, Withdrawal]);
    let unlimited = Plan { data: None, ..plan() };
    assert!(kept(1, 1, 10 * MB).is_significant(&unlimited));
    assert!(!kept(1, 1, 10 * MB - 1).is_significant(&unlimited), "10 MB at least");
    assert_eq!(standings(&all[..1], None), [OtherPlan]);
    assert_eq!(Calibration::learn(&all[..2], &plan()).map(|learnt| learnt.count), Some(1));
    assert_eq!(Calibration::learn(&all, &plan()).map(|learnt| learnt.count), Some(1));
}

#[test]
fn terms_change_with_all_that_is_billed_and_nothing_else() {
    let hours = FreeHours {
        from: "00:00".parse().unwrap(),
        until: "06:00".parse().unwrap(),
        days: [6, 7].into_iter().collect(),
    };
    let step = |per| Some(Increment { bytes: Bytes(100_000), per });
    let plans = [
        plan(),
        Plan { name: PlanName::new("7 GB").unwrap(), ..plan() },
        Plan { counts: Counts::Max, ..plan() },
        Plan { roaming_counts: false, ..plan() },
        Plan { increment: step(Per::Session), ..plan() },
        Plan { increment: step(Per::Day), ..plan() },
        Plan { free_hours: vec![hours.clone()], ..plan() },
        Plan { free_hours: vec![FreeHours { days: [6].into_iter().collect(), ..hours }], ..plan() },
    ];
    let mut all: Vec<String> = plans.iter().map(terms).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), plans.len());
    let same = Plan { data: None, calibrate: true, period: Period::Monthly(AnchorDay::Last), ..plan() };
    assert_eq!(terms(&same), terms(&plan()));
}

#[test]
fn absurd_figures_are_refused() {
    let billed = spent(100 * MB, 0);
    assert!(judged(106 * MB, billed, 100, "").is_ok());
    assert_eq!(judged(106 * MB, billed, 101, ""), Err("future"));
    assert_eq!(judged(0, billed, 100, ""), Err("nothing"));
    assert_eq!(judged(u64::MAX, billed, 100, ""), Err("too-large"));
    assert!(judged(1_000 * MB, billed, 100, "").is_ok(), "ten times, exactly");
    assert_eq!(judged(1_000 * MB + 100, billed, 100, ""), Err("too-far"));
    assert!(judged(10 * MB, billed, 100, "").is_ok());
    assert_eq!(judged(10 * MB - 100, billed, 100, ""), Err("too-far"));
    assert_eq!(
        judged(50 * MB, spent(100 * MB, 60_000_000), 100, ""),
        Err("too-far"),
        "less than was corrected"
    );
    // Where little was billed a far figure says nothing, and is kept all the same.
    let little = judged(5_000 * MB, spent(MB, 0), 100, "").unwrap();
    assert_eq!(standings(&[little], Some(&plan())), [Standing::Insignificant]);
    assert!(judged(5_000 * MB, spent(0, 0), 100, "").is_ok());
}

#[test]
fn notes_are_short_and_plain() {
    let billed = spent(100 * MB, 0);
    assert!(judged(106 * MB, billed, 100, &"流".repeat(NOTE_CHARS)).is_ok());
    assert_eq!(judged(106 * MB, billed, 100, &"x".repeat(NOTE_CHARS + 1)), Err("note"));
    for hostile in ["a\u{1b}[31m", "a\nb", "a\u{202e}b", "\u{feff}", "\u{9b}31m"] {
        assert_eq!(judged(106 * MB, billed, 100, hostile), Err("note"), "{hostile:?}");
    }
}

#[test]
fn every_error_has_a_kind_of_its_own_and_says_what_to_do() {
    use std::collections::BTreeSet;
    let all = [
        ObserveError::NoPlan,
        ObserveError::ClockUntrusted,
        ObserveError::Future,
        ObserveError::OutsideCycles,
        ObserveError::BeforeMeasurement,
        ObserveError::Nothing,
        ObserveError::TooFar { figure: Figure { said: Bytes(1), corrections: 0 }, billed: Bytes(2) },
        ObserveError::TooLarge,
        ObserveError::Note(NoteError::Unprintable),
    ];
    let kinds: BTreeSet<&str> = all.iter().map(ObserveError::kind).collect();
    assert_eq!(kinds.len(), all.len());
    assert!(all.iter().all(|error| !error.to_string().is_empty() && !error.hint().is_empty()));
}

fn calibration(factor: u64) -> Calibration {
    Calibration { factor, lowest: factor, highest: factor, count: 1 }
}

proptest! {
    #[test]
    fn applied_it_gives_the_figure_it_was_learnt_from(billed in 1..1_u64 << 40, share in 100_000..10_000_000_u64) {
        let bytes = u64::try_from(u128::from(billed) * u128::from(share) / u128::from(ONE)).unwrap();
        prop_assume!(bytes > 0);
        let factor = kept(1, bytes, billed).factor().unwrap();
        // A factor is exact to half a millionth of what is billed.
        let off = calibration(factor).apply(billed).abs_diff(bytes);
        prop_assert!(u128::from(off) <= u128::from(billed) / (2 * u128::from(ONE)) + 1, "{off} off");
    }

    #[test]
    fn the_least_that_reaches_a_target_reaches_it_and_no_less_does(
        factor in 1..20_000_000_u64, target in 1..1_u64 << 50,
    ) {
        let learnt = calibration(factor);
        let least = learnt.least_for(target);
        prop_assert!(learnt.apply(least) >= target);
        prop_assert!(least == 0 || learnt.apply(least - 1) < target);
    }

    #[test]
    fn learning_depends_on_no_order(thousandths in proptest::collection::vec(500..2_000_u64, 0..12), turn in 0..12_usize) {
        let mut all = factors(&thousandths);
        let learnt = Calibration::learn(&all, &plan());
        let turn = turn % all.len().max(1);
        all.rotate_left(turn);
        prop_assert_eq!(Calibration::learn(&all, &plan()), learnt);
        if let Some(learnt) = learnt {
            prop_assert!(learnt.lowest <= learnt.factor && learnt.factor <= learnt.highest);
            prop_assert_eq!(learnt.count, thousandths.len().min(LEARNT_FROM));
        }
    }

    #[test]
    fn nothing_panics(bytes in any::<u64>(), billed in any::<u64>(), corrections in any::<i64>(), factor in any::<u64>()) {
        let _ = Observation { corrections, ..kept(1, bytes, billed) }.factor();
        let _ = judged(bytes, spent(billed, corrections), 50, "");
        let _ = (calibration(factor).apply(bytes), calibration(factor).least_for(bytes));
    }
}

/// A correction that takes more than there is would hide as much of what follows; one that adds only mends.
#[test]
fn a_correction_takes_no_more_than_there_is() {
    let spent = |billed, corrections| Spent { cycle_start: Timestamp::from_secs(0), billed, corrections };
    assert_eq!(spent(1_100, 1_900).corrected_by(-3_000), Ok(()));
    let error = spent(1_100_000_000, 1_900_000_000).corrected_by(-47_000_000_000).unwrap_err();
    assert_eq!(error.missing, Bytes(44_000_000_000));
    assert_eq!(
        error.to_string(),
        "that would take 47.00 GB from a cycle in which 3.00 GB are used: 44.00 GB less than nothing, and as much of \
         what follows would not be seen"
    );
    assert_eq!(spent(0, -5).corrected_by(3), Ok(()));
    assert_eq!(spent(5, -9).corrected_by(-1).unwrap_err().used, Bytes(0));
    assert!(spent(0, i64::MIN).corrected_by(i64::MIN).is_err());
    assert_eq!(spent(u64::MAX, i64::MAX).corrected_by(i64::MIN), Ok(()));
}

/// A refusal names the figure that was given, not what is left of it.
#[test]
fn a_figure_that_is_too_far_is_named_as_it_was_given() {
    let refusal = |said, corrections| {
        let figure = Figure { said: Bytes(said), corrections };
        let text = ObserveError::TooFar { figure, billed: Bytes(1_100 * MB) }.to_string();
        text.strip_suffix(" is too far from the 1.10 GB billed by then to be about the same usage")
            .unwrap()
            .to_owned()
    };
    assert_eq!(refusal(3_000 * MB, 0), "the carrier's figure, 3.00 GB,");
    assert_eq!(
        refusal(3_000 * MB, -50_000_000_000),
        "the carrier's figure, 3.00 GB (53.00 GB without the corrections of -50.00 GB),"
    );
    assert_eq!(
        refusal(3_000 * MB, 4_000_000_000),
        "the carrier's figure, 3.00 GB (nothing without the corrections of 4.00 GB),"
    );
}
