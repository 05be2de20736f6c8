//! What nobody watched is said: a gap, where it cannot be counted.

use super::*;

#[test]
fn a_connection_made_while_the_service_was_stopped_is_a_gap_and_counts_from_then_on() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.seen(&[reading(5, 900, 0)], view(0, ModemState::Registered, vec![bearer(false, None)]));
    bench.commit();
    bench.start(&[reading(5, 4_000, 0)]);
    let up = view(0, ModemState::Connected, vec![bearer(true, Some((3_000, 0, NOON + 1)))]);
    bench.seen(&[reading(5, 4_000, 0)], up);
    bench.feed(&Event::LinksRead(vec![reading(5, 4_100, 0)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (1_000, 0));
    assert_eq!(bench.ledger.reasons(), [GapReason::ConnectedUnseen]);
}

#[test]
fn a_connection_that_modemmanager_counts_alone_made_while_the_service_was_stopped_is_a_gap() {
    let mut bench = Bench::new(&[]);
    let up = |rx, start| view(0, ModemState::Connected, vec![bearer(true, Some((rx, 0, start)))]);
    bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Registered, vec![]))));
    bench.feed(&Event::ModemSeen(Box::new(up(500, 50))));
    bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Registered, vec![]))));
    bench.commit();
    bench.start(&[]);
    bench.feed(&Event::ModemSeen(Box::new(up(9_000, 99))));
    // How old the figure is nobody knows: the next one is where it begins.
    bench.secs += 30;
    bench.feed(&Event::ModemSeen(Box::new(up(9_050, 99))));
    bench.feed(&Event::ModemSeen(Box::new(up(9_150, 99))));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (600, 0));
    assert_eq!(bench.ledger.reasons(), [GapReason::ConnectedUnseen]);
}

#[test]
fn the_first_connection_of_a_new_installation_is_no_gap() {
    let mut bench = Bench::new(&[reading(5, 4_000, 0)]);
    bench.seen(&[reading(5, 4_000, 0)], view(0, ModemState::Connected, vec![bearer(true, None)]));
    bench.commit();
    assert_eq!(bench.ledger.reasons(), []);
}

#[test]
fn what_passes_between_the_return_of_modemmanager_and_the_next_connection_is_a_gap() {
    for (stray, reasons) in [(0, vec![]), (70, vec![GapReason::ConnectedUnseen])] {
        let mut bench = Bench::new(&[reading(5, 0, 0)]);
        bench.connect(0, &[reading(5, 0, 0)]);
        bench.feed(&Event::LinksRead(vec![reading(5, 100, 0)]));
        bench.feed(&Event::ModemManagerVanished);
        bench.seen(&[reading(5, 300, 0)], view(0, ModemState::Disabled, vec![]));
        bench.seen(&[reading(5, 400, 0)], view(0, ModemState::Registered, vec![]));
        bench.connect(0, &[reading(5, 400 + stray, 0)]);
        bench.feed(&Event::LinksRead(vec![reading(5, 500 + stray, 0)]));
        bench.commit();
        assert_eq!(bench.ledger.sum(0), (500, 0));
        assert_eq!(bench.ledger.reasons(), reasons);
    }
}

#[test]
fn an_ordinary_disconnection_leaves_no_gap_behind() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.seen(&[reading(5, 100, 0)], view(0, ModemState::Registered, vec![bearer(false, None)]));
    bench.connect(0, &[reading(5, 170, 0)]);
    bench.commit();
    assert_eq!(bench.ledger.reasons(), []);
}

#[test]
fn a_slot_or_profile_switch_mid_session_gives_each_byte_to_the_sim_that_carried_it() {
    // The bearer, the link and the modem stay in sight; only the SIM is another from one view to the next.
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.seen(&[reading(5, 700, 7)], view(1, ModemState::Connected, vec![bearer(true, None)]));
    bench.feed(&Event::LinksRead(vec![reading(5, 1_000, 10)]));
    bench.commit();
    assert_eq!((bench.ledger.sum(0), bench.ledger.sum(1)), ((700, 7), (300, 3)));
    let sessions: Vec<_> = bench.ledger.sessions.values().map(|s| (s.iccid.as_str(), s.over)).collect();
    assert_eq!(sessions, [(SIMS[0], true), (SIMS[1], false)]);
    assert_eq!(bench.ledger.reasons(), []);
}
