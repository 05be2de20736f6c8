//! A person's word beside the factor learnt from the carrier's figures: what is said to be used is used, and only what was
//! counted is scaled.

use super::*;
use crate::ledger::Correction;

fn calibrated(change: impl FnOnce(&mut Plan)) -> Settings {
    with_plan(|plan| {
        plan.data = Some(Bytes(1_000_000_000));
        plan.calibrate = true;
        change(plan);
    })
}

/// 300 MB billed by such a plan.
fn measured(change: impl FnOnce(&mut Plan)) -> Life {
    let mut life = Life::new(calibrated(change), "2026-11-10T12:00:00");
    life.connect(true);
    life.traffic(300_000_000, 0);
    life
}

fn used(life: &Life) -> u64 {
    life.state.used(&iccid())
}

fn correct(life: &mut Life, bytes: i64) {
    life.feed(&Event::UsageCorrected(Correction {
        iccid: iccid(),
        at: life.at.wall,
        bytes,
        author: "uid 0".to_owned(),
        reason: String::new(),
        undoes: None,
    }));
}

/// As `usage set`: the entry that was written, 0 for none.
fn set(life: &mut Life, target: u64) -> i64 {
    let bytes = life.state.correction_to(&iccid(), target).unwrap();
    if bytes != 0 {
        correct(life, bytes);
    }
    assert_eq!((used(life), life.state.correction_to(&iccid(), target)), (target, Some(0)));
    bytes
}

#[test]
fn what_is_set_is_used_and_what_follows_is_scaled() {
    let mut life = measured(|_| {});
    observe(&mut life, 360_000_000);
    assert_eq!(used(&life), 360_000_000);
    assert_eq!(set(&mut life, 400_000_000), 40_000_000);
    let facts = life.state.facts(&iccid()).unwrap();
    assert_eq!((facts.used_bytes, facts.calibrated_bytes), (400_000_000, Some(400_000_000)));
    assert_eq!(facts.remaining_bytes, Some(600_000_000));
    assert_eq!(life.state.bytes_until(&iccid(), 412_000_000), Some(10_000_000));
    life.traffic(10_000_000, 0);
    assert_eq!(used(&life), 412_000_000, "20 % more than was counted");
    assert_eq!(set(&mut life, 100_000_000), -312_000_000);
    life.traffic(5, 0);
    assert_eq!(used(&life), 100_000_006);
    // Taken back, newest first, each leaves what was before it.
    correct(&mut life, 312_000_000);
    assert_eq!(used(&life), 412_000_006);
    correct(&mut life, -40_000_000);
    assert_eq!(used(&life), 372_000_006);
    life.agrees();
}

#[test]
fn a_figure_of_the_carrier_after_what_was_set_is_compared_without_it() {
    let mut life = measured(|_| {});
    assert_eq!(set(&mut life, 400_000_000), 100_000_000);
    // The same figure again teaches that the rest is counted alike.
    let factor = |life: &Life| life.state.calibration(&iccid()).unwrap().factor;
    observe(&mut life, 400_000_000);
    assert_eq!((factor(&life), used(&life)), (1_000_000, 400_000_000));
    observe(&mut life, 460_000_000);
    assert_eq!((factor(&life), used(&life)), (1_100_000, 430_000_000), "the mean of 1 and 1.2");
    assert_eq!(set(&mut life, 460_000_000), 30_000_000);
    life.traffic(100, 0);
    assert_eq!(used(&life), 460_000_110);
}

#[test]
fn what_is_set_is_used_however_a_plan_bills() {
    let mut life = measured(|plan| plan.increment = step(7_000_000, Per::Session));
    assert_eq!(used(&life), 301_000_000);
    observe(&mut life, 361_200_000);
    assert_eq!(set(&mut life, 400_000_000), 38_800_000);
    life.traffic(1_000_000, 0);
    assert_eq!(used(&life), 400_000_000, "of the step that was begun");
    life.traffic(1, 0);
    assert_eq!(used(&life), 408_400_000);
    assert_eq!(set(&mut life, 1), -408_399_999);

    let mut life = measured(|plan| plan.counts = Counts::Download);
    life.traffic(0, 50_000_000);
    observe(&mut life, 360_000_000);
    assert_eq!(set(&mut life, 400_000_000), 40_000_000);
    life.traffic(10, 1_000);
    assert_eq!(used(&life), 400_000_012);
}

#[test]
fn a_factor_that_is_not_in_use_changes_no_correction() {
    let mut life = measured(|plan| plan.calibrate = false);
    observe(&mut life, 360_000_000);
    assert_eq!(set(&mut life, 400_000_000), 100_000_000);
    assert_eq!(life.state.facts(&iccid()).unwrap().calibrated_bytes, Some(460_000_000));
}

/// What is taken away is judged by what was shown as used.
#[test]
fn more_than_nothing_is_left_where_the_factor_leaves_it() {
    let mut life = measured(|_| {});
    observe(&mut life, 360_000_000);
    assert_eq!(set(&mut life, 0), -360_000_000);
    assert_eq!(life.state.overdrawn(&iccid()), None);
    let spent = life.state.spent(&iccid()).unwrap();
    assert_eq!((spent.used(), life.state.as_used(&iccid(), spent).used()), (-60_000_000, 0));

    let mut life = measured(|_| {});
    observe(&mut life, 150_000_000);
    correct(&mut life, -200_000_000);
    assert_eq!((used(&life), life.state.overdrawn(&iccid())), (0, Some(50_000_000)));
    assert_eq!(set(&mut life, 70_000_000), 120_000_000, "what is missing is made good");
    assert_eq!(life.state.overdrawn(&iccid()), None);
}

/// As a rule saw it on the last day, so it is told of the cycle that is over.
#[test]
fn a_cycle_that_is_over_came_to_what_was_set() {
    let mut life = measured(|_| {});
    observe(&mut life, 360_000_000);
    set(&mut life, 400_000_000);
    let totals = life.state.sims.get(&iccid()).unwrap().totals.clone();
    assert_eq!(life.state.used_of(&iccid(), &totals), 400_000_000);
}
