//! What nobody watched is said: a gap, where it cannot be counted.

use super::*;
use crate::settings::SourceChoice;

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
    let seen_at = bench.secs;
    // The first figure is the baseline: what the next one is ahead of it is of this connection, each byte.
    bench.feed(&Event::ModemSeen(Box::new(up(9_050, 99))));
    bench.secs += 30;
    bench.feed(&Event::ModemSeen(Box::new(up(9_150, 99))));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (650, 0));
    assert_eq!(bench.ledger.reasons(), [GapReason::NoCounter, GapReason::ConnectedUnseen]);
    assert_eq!(bench.ledger.gap_spans[1].1, Some(seen_at), "and until it is seen nothing is known");
}

#[test]
fn a_connection_that_was_up_before_a_new_installation_counts_from_its_first_figure_on() {
    for choice in [SourceChoice::Auto, SourceChoice::Modem] {
        let links = if choice == SourceChoice::Modem { vec![reading(5, 7_000, 0)] } else { Vec::new() };
        let mut bench = Bench::new(&links);
        sources::choose(&mut bench, choice);
        for rx in [9_000, 9_050, 9_150] {
            let up = view(0, ModemState::Connected, vec![bearer(true, Some((rx, 0, 99)))]);
            bench.seen(&links, up);
        }
        assert_eq!(bench.measured(0), 150);
        bench.commit();
        assert_eq!((bench.ledger.sum(0), bench.ledger.reasons()), ((150, 0), Vec::new()));
    }
}

/// By its path, and where ModemManager tells no starts nothing but its age says that it is another.
#[test]
fn a_connection_younger_than_the_ledgers_is_not_counted_on_from_it() {
    let up = |rx, start: Option<i64>, duration_s| {
        let mut view = view(0, ModemState::Connected, vec![bearer(true, Some((rx, 0, start.unwrap_or(0))))]);
        if let Some(stats) = &mut view.bearers[0].stats {
            stats.duration_s = duration_s;
            stats.start = start.map(Timestamp::from_secs);
        }
        view
    };
    // The next connection's start, how long it has lasted by then, and whether it is the first one.
    for (starts, lasts, same) in [
        ([Some(50), Some(99)], 300, false),
        ([None, None], 300, false),
        ([None, None], 620, true),
        ([None, None], 590, true),
        ([Some(50), Some(50)], 590, true),
    ] {
        let mut bench = Bench::new(&[]);
        bench.seen(&[], view(0, ModemState::Registered, vec![]));
        bench.seen(&[], up(0, starts[0], 0));
        bench.seen(&[], up(320, starts[0], 30));
        bench.commit();
        bench.secs += 600;
        bench.start(&[]);
        bench.seen(&[], up(345, starts[1], lasts));
        bench.seen(&[], up(350, starts[1], lasts + 30));
        bench.commit();
        let (sum, gaps) = (bench.ledger.sum(0).0, bench.ledger.reasons());
        if same {
            assert_eq!((sum, gaps), (350, vec![]), "{starts:?} {lasts}");
        } else {
            let gone = vec![GapReason::InterfaceVanished, GapReason::ConnectedUnseen];
            assert_eq!((sum, gaps), (325, gone), "{starts:?} {lasts}");
        }
        // A figure that fell began anew, and counts in full.
        bench.secs += 600;
        bench.start(&[]);
        bench.seen(&[], up(40, starts[1].map(|start| start + 1), 5));
        bench.commit();
        assert_eq!(bench.ledger.sum(0).0, sum + 40, "{starts:?} {lasts}");
    }
}

#[test]
fn a_connection_newer_than_the_copy_that_is_restored_counts_from_its_own_beginning() {
    // Where it began the modem said 0, or went on from the connection before; with starts, and without.
    for (beginning, starts) in [(0, true), (330, true), (0, false), (330, false)] {
        let told = |rx, start| {
            let mut bearer = bearer(true, Some((rx, 0, start)));
            if let Some(stats) = bearer.stats.as_mut().filter(|_| !starts) {
                stats.start = None;
            }
            view(0, ModemState::Connected, vec![bearer])
        };
        let mut bench = Bench::new(&[]);
        bench.seen(&[], view(0, ModemState::Registered, vec![]));
        bench.seen(&[], told(0, 50));
        bench.seen(&[], told(320, 50));
        bench.commit();
        let copy = bench.ledger.clone();
        bench.seen(&[], told(330, 50));
        bench.seen(&[], view(0, ModemState::Registered, vec![bearer(false, None)]));
        let mut fresh = told(beginning, 99);
        fresh.bearers[0].stats.as_mut().unwrap().duration_s = 0;
        bench.seen(&[], fresh);
        bench.seen(&[], told(beginning + 345, 99));
        bench.commit();
        assert_eq!(bench.ledger.sum(0), (330 + 345, 0));
        let began = bench.ledger.sessions.values().last().unwrap().began;
        bench.secs += 600;
        bench.restore(copy.clone(), &[]);
        bench.seen(&[], told(beginning + 350, 99));
        bench.commit();
        assert_eq!(bench.ledger.sum(0), (320 + 350, 0), "{beginning} {starts}");
        assert_eq!(bench.ledger.sessions.values().last().unwrap().began, began, "and as old as it is");
        // The copy's own connection is over, and that the service did not run is no reason.
        assert_eq!(bench.ledger.reasons(), [GapReason::LedgerRestored; 2]);
    }
}

/// Of a link that counts on through them: all that passed, where nothing else has passed over it since.
#[test]
fn what_passed_over_a_link_since_the_copy_that_is_restored_is_its_sims_alone() {
    for stray in [0, 30] {
        let mut bench = Bench::new(&[reading(5, 0, 0)]);
        bench.connect(0, &[reading(5, 0, 0)]);
        bench.feed(&Event::LinksRead(vec![reading(5, 100, 0)]));
        bench.commit();
        let copy = bench.ledger.clone();
        bench.seen(&[reading(5, 150, 0)], view(0, ModemState::Registered, vec![bearer(false, None)]));
        bench.feed(&Event::LinksRead(vec![reading(5, 150 + stray, 0)]));
        bench.connect(0, &[reading(5, 150 + stray, 0)]);
        bench.feed(&Event::LinksRead(vec![reading(5, 400 + stray, 0)]));
        bench.restore(copy, &[reading(5, 420 + stray, 0)]);
        bench.feed(&Event::LinksRead(vec![reading(5, 450 + stray, 0)]));
        bench.commit();
        let since = if stray == 0 { 350 } else { 300 };
        assert_eq!(bench.ledger.sum(0), (100 + since, 0), "{stray}");
    }
}

#[test]
fn the_same_connection_goes_on_from_a_copy_that_is_restored() {
    let told = |rx| view(0, ModemState::Connected, vec![bearer(true, Some((rx, 0, 50)))]);
    let mut bench = Bench::new(&[]);
    bench.seen(&[], view(0, ModemState::Registered, vec![]));
    bench.seen(&[], told(320));
    bench.commit();
    let copy = bench.ledger.clone();
    bench.seen(&[], told(400));
    bench.commit();
    bench.restore(copy, &[]);
    bench.seen(&[], told(410));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (410, 0));
    assert_eq!(bench.ledger.reasons(), [GapReason::LedgerRestored]);
}

#[test]
fn what_follows_the_last_figure_before_modemmanager_dies_is_a_gap_until_it_is_back() {
    for choice in [SourceChoice::Auto, SourceChoice::Modem] {
        let links = if choice == SourceChoice::Modem { vec![reading(5, 0, 0)] } else { Vec::new() };
        let told = |rx, start| view(0, ModemState::Connected, vec![bearer(true, Some((rx, 0, start)))]);
        let mut bench = Bench::new(&links);
        sources::choose(&mut bench, choice);
        bench.seen(&links, view(0, ModemState::Registered, vec![]));
        let mut fresh = told(0, 50);
        fresh.bearers[0].stats.as_mut().unwrap().duration_s = 0;
        bench.seen(&links, fresh);
        bench.seen(&links, told(300, 50));
        let told_at = bench.secs;
        // Another change shows the same figures again: they are not newer for it.
        bench.secs += 15;
        bench.seen(&links, told(300, 50));
        bench.secs += 10;
        bench.feed(&Event::ModemManagerVanished);
        bench.commit();
        assert_eq!(bench.ledger.reasons(), [], "its connection may last, and be counted on");
        // A kill meanwhile takes nothing along.
        let killed = bench.ledger.clone();
        bench.secs += 10;
        let back_at = bench.secs + 2;
        bench.seen(&links, view(0, ModemState::Disabled, vec![]));
        bench.commit();
        assert_eq!(bench.ledger.sum(0), (300, 0));
        assert_eq!(bench.ledger.reasons(), [GapReason::NoCounter]);
        assert_eq!(bench.ledger.gap_spans, [(Some(told_at), Some(back_at))]);
        assert!(bench.ledger.sessions.values().all(|session| session.over));
        assert!(bench.ledger.baselines.is_empty());
        bench.ledger = killed;
        bench.start(&links);
        bench.seen(&links, view(0, ModemState::Disabled, vec![]));
        bench.commit();
        assert_eq!(bench.ledger.sum(0), (300, 0));
        assert_eq!(bench.ledger.reasons(), [GapReason::InterfaceVanished]);
    }
}

#[test]
fn a_connection_that_outlives_modemmanagers_absence_is_counted_on() {
    let told = |rx| view(0, ModemState::Connected, vec![bearer(true, Some((rx, 0, 50)))]);
    let mut bench = Bench::new(&[]);
    bench.seen(&[], view(0, ModemState::Registered, vec![]));
    bench.seen(&[], told(300));
    bench.feed(&Event::ModemManagerVanished);
    bench.seen(&[], told(700));
    bench.commit();
    assert_eq!((bench.ledger.sum(0), bench.ledger.reasons()), ((700, 0), vec![]));
    assert_eq!(bench.ledger.sessions.len(), 1);
}

#[test]
fn what_follows_the_last_figure_of_a_modem_that_is_pulled_out_is_a_gap() {
    let told = |rx| view(0, ModemState::Connected, vec![bearer(true, Some((rx, 0, 50)))]);
    let mut bench = Bench::new(&[]);
    bench.seen(&[], view(0, ModemState::Registered, vec![]));
    bench.seen(&[], told(300));
    // Polled since, and nothing had passed: a figure is never older than half a minute.
    bench.secs += 3_600;
    bench.feed(&Event::ModemVanished { modem: ModemId::new("350000000000000").unwrap() });
    bench.commit();
    assert_eq!((bench.ledger.sum(0), bench.ledger.reasons()), ((300, 0), vec![GapReason::NoCounter]));
    assert_eq!(bench.ledger.gap_spans, [(Some(bench.secs - 31), Some(bench.secs))]);
    // Of an end that is seen it was said by then.
    bench.seen(&[], view(0, ModemState::Registered, vec![]));
    bench.seen(&[], told(300));
    bench.seen(&[], view(0, ModemState::Registered, vec![bearer(false, None)]));
    let ended = bench.secs;
    bench.feed(&Event::ModemVanished { modem: ModemId::new("350000000000000").unwrap() });
    bench.commit();
    assert_eq!(bench.ledger.reasons(), [GapReason::NoCounter; 2]);
    assert_eq!(bench.ledger.gap_spans[1].1, Some(ended));
}

#[test]
fn what_is_committed_of_usage_its_session_says_too_after_a_kill() {
    let told = |rx, duration_s| {
        let mut view = view(0, ModemState::Connected, vec![bearer(true, Some((rx, 0, 50)))]);
        view.bearers[0].stats.as_mut().unwrap().duration_s = duration_s;
        view
    };
    for links in [vec![], vec![reading(5, 300, 0)]] {
        let before: Vec<LinkReading> = links.iter().map(|_| reading(5, 0, 0)).collect();
        let mut bench = Bench::new(&before);
        bench.seen(&before, view(0, ModemState::Connecting, vec![]));
        bench.seen(&before, told(0, 0));
        bench.commit();
        bench.seen(&links, told(290, 30));
        bench.commit();
        bench.start(&[]);
        bench.seen(&[], view(0, ModemState::Registered, vec![]));
        bench.commit();
        let sum = bench.ledger.sum(0).0;
        let session = bench.ledger.sessions.values().next().unwrap();
        assert!(session.over);
        assert_eq!(session.told.unwrap().grown.rx, 290);
        assert_eq!(session.kernel.or(session.told).unwrap().grown.rx, sum);
    }
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
