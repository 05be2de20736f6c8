//! What is left on the way to the next threshold, and which links count it.

use super::*;
use crate::state::{LinkPosition, Threshold};

fn connected(settings: Settings) -> Bench {
    let mut bench = Bench::new(settings, &[rule("data", "usage", Vec::new())]);
    bench.feed(&Event::LinkAppeared(link(0)));
    bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Home, true))));
    bench.feed(&Event::LinksRead(vec![link(100_000)]));
    bench
}

fn watches(bench: &mut Bench, at: u64) {
    let result =
        RuleResult { watch: Watch::at(at), ..RuleResult::nothing(RuleName::new("data").unwrap(), usage()) };
    bench.feed(&Event::RulesEvaluated(vec![result]));
}

fn position(rx: u64) -> LinkPosition {
    LinkPosition { ifindex: link(0).ifindex, rx, tx: 0 }
}

#[test]
fn the_nearest_of_what_rules_wait_for_and_all_of_the_allowance() {
    let mut bench = connected(settings());
    let threshold = |rx, remaining| Threshold {
        iccid: iccid(),
        links: vec![position(rx)],
        counts: Counts::Both,
        remaining,
    };
    assert_eq!(bench.state.next_thresholds(), [threshold(100_000, 900_000)]);
    watches(&mut bench, 800_000);
    assert_eq!(bench.state.next_thresholds(), [threshold(100_000, 700_000)]);
    bench.feed(&Event::LinksRead(vec![link(799_999)]));
    watches(&mut bench, 800_000);
    assert_eq!(bench.state.next_thresholds(), [threshold(799_999, 1)]);
    bench.feed(&Event::LinksRead(vec![link(800_000)]));
    watches(&mut bench, 2_000_000);
    assert_eq!(bench.state.next_thresholds(), [threshold(800_000, 200_000)]);
    bench.feed(&Event::LinksRead(vec![link(2_000_000)]));
    bench.evaluated("data", usage(), Vec::new());
    assert_eq!(bench.state.next_thresholds(), [], "nothing more is waited for");
}

#[test]
fn nothing_is_armed_for_what_does_not_count_or_nobody_can_vouch_for() {
    let change = |change: fn(&mut Plan)| {
        let mut settings = settings();
        change(settings.sims.get_mut(&iccid()).unwrap().plan.as_mut().unwrap());
        connected(settings)
    };
    let bench = change(|plan| plan.counts = Counts::Upload);
    assert_eq!(bench.state.next_thresholds()[0].counts, Counts::Upload);
    assert_eq!(bench.state.next_thresholds()[0].remaining, 1_000_000);
    let bench = change(|plan| plan.counts = Counts::Max);
    assert_eq!(bench.state.next_thresholds()[0].counts, Counts::Both, "too early rather than too late");

    let mut bench = change(|plan| plan.roaming_counts = false);
    assert_eq!(bench.state.next_thresholds().len(), 1);
    bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Roaming, true))));
    assert_eq!(bench.state.next_thresholds(), [], "roaming is free");

    let mut bench = change(|_| {});
    bench.feed(&Event::ModemManagerVanished);
    assert_eq!(bench.state.next_thresholds(), [], "whose it is nobody knows");
    let mut bench = change(|_| {});
    bench.feed(&Event::LinkVanished(link(100_000).into()));
    assert_eq!(bench.state.next_thresholds(), []);
    let mut bench = change(|_| {});
    bench.trusted = false;
    bench.feed(&Event::ClockChanged);
    assert_eq!(bench.state.next_thresholds(), [], "nothing fires before the clock is trusted");
}
