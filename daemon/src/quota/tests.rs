//! What is armed, when it is touched, and when it is left alone.

use simbell_core::counter::LinkCounters;
use simbell_core::state::LinkPosition;

use super::*;

/// Quotas with a helper that is up and swallows everything.
fn quotas() -> Quotas {
    Quotas { up: Some(1), ..Quotas::new(None) }
}

fn sim(number: u32) -> Iccid {
    Iccid::new(format!("89001000000000000{number:02}")).unwrap()
}

fn threshold(number: u32, links: &[(u32, u64)], remaining: u64) -> Threshold {
    let links =
        links.iter().map(|(index, rx)| LinkPosition { ifindex: IfIndex(*index), rx: *rx, tx: 5 }).collect();
    Threshold { iccid: sim(number), links, counts: Counts::Both, remaining }
}

fn reading(index: u32, rx_bytes: u64) -> LinkReading {
    let counters = LinkCounters { rx_bytes, tx_bytes: 5, ..LinkCounters::default() };
    LinkReading { ifindex: IfIndex(index), name: "wwan0".into(), ethernet: false, ppp: false, counters }
}

fn crossed(quotas: &mut Quotas, number: u32) -> Follows {
    let id = quotas.number(&sim(number));
    quotas.said(Reply::Crossed { id })
}

#[test]
fn a_long_way_is_gone_in_few_parts_and_ends_exactly() {
    for way in [1, SHORT, SHORT + 1, 6_000_000_000, 1 << 62] {
        let (mut left, mut parts) = (way, 0);
        while left > 0 {
            let one = part(left);
            assert!(one > 0 && one <= left);
            left -= one;
            parts += 1;
        }
        assert!(parts <= 14, "{way}: {parts}");
    }
    // Headers of 72 bytes that were merged away never make a part longer than the way.
    assert!(part(1_000_000) * 1_280 / (1_280 - 72) < 1_000_000);
}

#[tokio::test]
async fn an_armed_quota_is_touched_when_it_has_told_or_the_threshold_comes_nearer() {
    let mut quotas = quotas();
    let wanted = [threshold(1, &[(7, 100)], 1_000)];
    assert!(!quotas.fit(&wanted));
    assert_eq!(quotas.arm(&wanted, &[reading(7, 300)]), Arming::Asked);
    assert!(quotas.fit(&wanted));
    assert!(quotas.fit(&[threshold(1, &[(7, 400)], 700)]), "it counts by itself");
    assert!(quotas.fit(&[threshold(1, &[(7, 400)], 9_000)]), "one that comes early is armed anew then");
    assert!(!quotas.fit(&[threshold(1, &[(7, 400)], 699)]));
    assert_eq!(crossed(&mut quotas, 1), Follows::Reading);
    assert_eq!(crossed(&mut quotas, 1), Follows::Nothing, "told twice is told once");
    assert!(!quotas.fit(&wanted));
    assert_eq!(quotas.arm(&wanted, &[reading(7, 1_100)]), Arming::Passed);
    assert_eq!(quotas.arm(&wanted, &[reading(7, 1_099)]), Arming::Asked);
    assert!(quotas.fit(&wanted));
    assert_eq!(crossed(&mut quotas, 2), Follows::Nothing, "of a SIM that is not armed");
}

#[tokio::test]
async fn every_sim_has_its_own_and_a_link_changes_hands() {
    let mut quotas = quotas();
    let both = [threshold(1, &[(7, 0), (8, 0)], 1_000), threshold(2, &[(9, 0)], 1_000)];
    quotas.fit(&both);
    quotas.arm(&both, &[reading(7, 0), reading(9, 0)]);
    assert!(!quotas.fit(&both), "a link with news that were not taken in yet waits");
    quotas.arm(&both, &[reading(7, 0), reading(8, 0), reading(9, 0)]);
    assert!(quotas.fit(&both));
    assert_eq!(crossed(&mut quotas, 2), Follows::Reading);
    assert_eq!(quotas.armed[&sim(1)].standing, Standing::Armed, "the other goes on");
    // Link 8 is the second SIM's now.
    let moved = [threshold(1, &[(7, 0)], 1_000), threshold(2, &[(8, 0)], 1_000)];
    assert!(!quotas.fit(&moved));
    assert!(quotas.armed.is_empty(), "both are given up before either is armed anew");
    quotas.arm(&moved, &[reading(7, 0), reading(8, 0)]);
    assert!(quotas.fit(&moved));
    assert!(quotas.fit(&[]) && quotas.armed.is_empty());
}

#[tokio::test]
async fn wakes_that_lead_nowhere_come_to_an_end() {
    let mut quotas = quotas();
    let wanted = [threshold(1, &[(7, 0)], 40)];
    let mut fires = 0;
    while !quotas.fit(&wanted) {
        quotas.arm(&wanted, &[reading(7, 0)]);
        assert_eq!(crossed(&mut quotas, 1), Follows::Reading);
        fires += 1;
        assert!(fires < 1_000);
    }
    assert_eq!(fires, FIRES_MOST + 1);
    quotas.armed.get_mut(&sim(1)).unwrap().fires_since -= FIRES_WITHIN;
    assert!(!quotas.fit(&wanted), "readings had to do for a while");
}

#[tokio::test]
async fn what_was_refused_is_asked_for_again_after_a_while() {
    let mut quotas = quotas();
    let wanted = [threshold(1, &[(7, 0)], 40)];
    quotas.arm(&wanted, &[reading(7, 0)]);
    let id = quotas.number(&sim(1));
    let text = "no\u{1b}[2J room ".repeat(100);
    match quotas.said(Reply::Refused { id: Some(id), kind: "refused".to_owned(), text }) {
        Follows::Health(Some(text)) => {
            assert!(text.contains("no[2J room") && !text.contains('\u{1b}') && text.len() < 600, "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert!(quotas.fit(&wanted), "not at once");
    quotas.armed.get_mut(&sim(1)).unwrap().standing = Standing::Refused(Instant::now() - REFUSED_FOR);
    assert!(!quotas.fit(&wanted));
    quotas.arm(&wanted, &[reading(7, 0)]);
    assert_eq!(quotas.said(Reply::Armed { id }), Follows::Health(None));
    assert_eq!(quotas.said(Reply::Armed { id }), Follows::Nothing);
}

#[tokio::test]
async fn whoever_removes_the_table_again_and_again_is_given_way() {
    let mut quotas = quotas();
    let lost = |quotas: &mut Quotas| quotas.said(Reply::Lost { text: "it was removed".to_owned() });
    let wanted = [threshold(1, &[(7, 0)], 40)];
    quotas.arm(&wanted, &[reading(7, 0)]);
    assert_eq!(lost(&mut quotas), Follows::Nothing, "the first time it is armed anew at once");
    assert!(quotas.is_up() && !quotas.fit(&wanted));
    let mut pauses = Vec::new();
    for _ in 0..12 {
        assert!(matches!(lost(&mut quotas), Follows::Health(Some(_))));
        assert!(!quotas.is_up());
        let pause = quotas.losses.resume.unwrap().duration_since(quotas.losses.last.unwrap());
        pauses.push(pause.as_secs());
        quotas.losses.resume = None;
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
    quotas.losses.last = Some(Instant::now() - PEACE - Duration::from_secs(1));
    assert_eq!(lost(&mut quotas), Follows::Nothing, "after a peace it is the first time again");
}
