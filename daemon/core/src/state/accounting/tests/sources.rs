//! Sessions, and whose figures of them are booked: each byte once, whatever changes from one to the other.

use super::*;
use crate::health::WarningCode;
use crate::settings::{SimSettings, SourceChoice};

const MB: u64 = 1_000_000;

/// Connected, with ModemManager's figures: bytes received and sent, start and seconds connected.
fn told(sim: usize, figures: (u64, u64, i64), duration_s: u32) -> ModemView {
    let mut bearer = bearer(true, Some(figures));
    if let Some(stats) = &mut bearer.stats {
        stats.duration_s = duration_s;
    }
    view(sim, ModemState::Connected, vec![bearer])
}

pub fn choose(bench: &mut Bench, choice: SourceChoice) {
    for iccid in SIMS.map(|iccid| Iccid::new(iccid).unwrap()) {
        let before = bench.settings.sims.get(&iccid);
        let sim = SimSettings {
            name: None,
            plan: None,
            zone: ZoneRules::utc(),
            source: choice,
            uncounted_apns: before.map(|sim| sim.uncounted_apns.clone()).unwrap_or_default(),
            numbers: crate::number::OwnNumbers::default(),
        };
        bench.settings.sims.insert(iccid, sim);
    }
    bench.feed(&Event::SettingsLoaded(Box::new(bench.settings.clone())));
}

fn warned(bench: &Bench) -> bool {
    bench.state.warnings().any(|warning| warning.code == WarningCode::CountersBypassed)
}

/// Connected over a link, with the figures that ModemManager loads as it connects.
fn connected(link: u64) -> Bench {
    let mut bench = Bench::new(&[reading(5, link, 0)]);
    bench.seen(&[reading(5, link, 0)], view(0, ModemState::Connecting, vec![bearer(false, None)]));
    bench.seen(&[reading(5, link, 0)], told(0, (0, 0, 50), 0));
    bench
}

#[test]
fn the_kernels_and_modemmanagers_figures_of_a_session_stand_side_by_side() {
    let mut bench = connected(700);
    bench.seen(&[reading(5, 1_700, 40)], told(0, (900, 30, 50), 30));
    bench.feed(&Event::LinksRead(vec![reading(5, 2_700, 50)]));
    let live: Vec<&Session> = bench.state.accounting.sessions().collect();
    let [session] = live.as_slice() else { panic!("one session: {live:?}") };
    let (kernel, told) = (session.kernel.unwrap().grown, session.told.unwrap().grown);
    assert_eq!(((kernel.rx, kernel.tx), (told.rx, told.tx)), ((2_000, 50), (900, 30)));
    bench.seen(&[reading(5, 2_700, 50)], view(0, ModemState::Registered, vec![bearer(false, None)]));
    bench.commit();
    let kept: Vec<&Session> = bench.ledger.sessions.values().collect();
    let [session] = kept.as_slice() else { panic!("one session: {kept:?}") };
    assert!(session.over && session.ended.is_some());
    assert_eq!(session.kernel.unwrap().grown.total(), 2_050);
    assert_eq!(session.told.unwrap().grown.total(), 930);
    assert_eq!(bench.ledger.epochs[&session.id].session, Some(session.id));
}

#[test]
fn a_session_goes_on_through_a_change_of_zone_and_a_kill() {
    let mut bench = connected(0);
    bench.feed(&Event::LinksRead(vec![reading(5, 1_000, 0)]));
    let mut abroad = told(0, (900, 0, 50), 30);
    abroad.registration = Registration::Roaming;
    bench.seen(&[reading(5, 1_000, 0)], abroad.clone());
    bench.commit();
    bench.start(&[reading(5, 5_000, 0)]);
    bench.seen(&[reading(5, 6_000, 0)], abroad);
    bench.commit();
    assert_eq!(bench.ledger.epochs.len(), 2, "one for each zone");
    assert_eq!(bench.ledger.sessions.len(), 1);
    let live = bench.state.accounting.sessions().next().unwrap();
    assert_eq!(live.kernel.unwrap().grown.rx, 6_000, "nothing of it is lost by the kill");
    assert_eq!(bench.ledger.sum(0), (6_000, 0));
}

#[test]
fn a_session_that_lasts_is_kept_each_hour() {
    let mut bench = connected(0);
    bench.secs += 3_600;
    bench.feed(&Event::LinksRead(vec![reading(5, 20_000, 0)]));
    bench.commit();
    let kept = bench.ledger.sessions.values().next().unwrap();
    assert_eq!((kept.over, kept.kernel.unwrap().grown.rx), (false, 20_000));
}

#[test]
fn traffic_that_bypasses_the_kernel_is_noticed_and_counted_once() {
    let mut bench = connected(0);
    // The kernel sees the first packets of each flow alone.
    bench.seen(&[reading(5, MB, 0)], told(0, (9 * MB, 10, 50), 30));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (9 * MB, 10));
    assert!(warned(&bench), "and it is said");
    assert!(bench.state.accounting.sessions().all(|s| s.source == Source::Modem));
    bench.feed(&Event::LinksRead(vec![reading(5, 2 * MB, 0)]));
    bench.seen(&[reading(5, 2 * MB, 0)], told(0, (12 * MB, 20, 50), 60));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (12 * MB, 20));
    let live = bench.state.accounting.sessions().next().unwrap();
    assert_eq!(live.kernel.unwrap().grown.rx, 2 * MB, "the gap is still shown");
    // Killed; figures go on in the same connection.
    bench.start(&[reading(5, 2 * MB + 5, 0)]);
    bench.seen(&[reading(5, 2 * MB + 9, 0)], told(0, (15 * MB, 30, 50), 90));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (15 * MB, 30));
    assert!(warned(&bench));
    // The next connection begins with the kernel again.
    let mut ended = told(0, (16 * MB, 40, 50), 100);
    ended.bearers[0].connected = false;
    bench.seen(&[reading(5, 2 * MB + 9, 0)], ModemView { state: ModemState::Registered, ..ended });
    assert!(!warned(&bench));
    bench.seen(&[reading(5, 2 * MB + 9, 0)], view(0, ModemState::Connecting, vec![bearer(false, None)]));
    bench.seen(&[reading(5, 2 * MB + 9, 0)], told(0, (0, 0, 200), 0));
    bench.feed(&Event::LinksRead(vec![reading(5, 2 * MB + 109, 0)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (16 * MB + 100, 40));
    assert_eq!(bench.ledger.reasons(), []);
}

/// What passes over a link that no bearer uses is nobody's, also where the connection before was ModemManager's to count.
#[test]
fn an_end_without_figures_is_an_end() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    choose(&mut bench, SourceChoice::Modem);
    bench.seen(&[reading(5, 0, 0)], view(0, ModemState::Connecting, vec![bearer(false, None)]));
    bench.seen(&[reading(5, 0, 0)], told(0, (0, 0, 50), 0));
    bench.seen(&[reading(5, 0, 0)], view(0, ModemState::Registered, vec![bearer(false, None)]));
    choose(&mut bench, SourceChoice::Auto);
    bench.seen(&[reading(5, 7, 0)], view(0, ModemState::Connecting, vec![bearer(false, None)]));
    bench.seen(&[reading(5, 7, 0)], told(0, (0, 0, 90), 0));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (0, 0));
}

/// A link of a name that the modem does not list as its port, born while it dials.
#[test]
fn what_modemmanagers_figures_counted_of_a_link_from_its_birth_the_kernel_never_counts_again() {
    let mut bench = Bench::new(&[]);
    choose(&mut bench, SourceChoice::Modem);
    let unlisted = |view: ModemView| ModemView { net_ports: Vec::new(), ..view };
    bench.seen(&[], unlisted(view(0, ModemState::Connecting, vec![bearer(false, None)])));
    bench.feed(&Event::LinkAppeared(reading(6, 0, 0)));
    bench.seen(&[reading(6, 0, 0)], unlisted(told(0, (0, 0, 50), 0)));
    bench.seen(&[reading(6, 300, 0)], unlisted(told(0, (300, 0, 50), 30)));
    bench.feed(&Event::ModemManagerVanished);
    choose(&mut bench, SourceChoice::Kernel);
    bench.seen(&[reading(6, 310, 0)], unlisted(told(0, (300, 0, 50), 30)));
    bench.feed(&Event::LinksRead(vec![reading(6, 350, 0)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (340, 0));
    assert_eq!(bench.ledger.reasons(), [GapReason::ConnectedUnseen, GapReason::NoCounter]);
}

/// What the kernel has of a connection the ledger knows as long as the connection lasts, and no longer.
#[test]
fn that_the_kernel_counted_a_connection_outlives_a_kill() {
    let known = |bench: &Bench| {
        let mut bearers = bench.ledger.baselines.values().filter(|base| base.ifindex.is_none());
        bearers.next().map(|base| (base.epoch, base.interface.is_some()))
    };
    let mut bench = connected(0);
    bench.seen(&[reading(5, 900, 0)], told(0, (0, 0, 50), 0));
    bench.commit();
    assert_eq!(known(&bench), Some((None, true)));
    // Its link goes while the service is dead, and the figure that is told then holds what the ledger holds.
    bench.start(&[]);
    choose(&mut bench, SourceChoice::Modem);
    bench.seen(&[], told(0, (0, 0, 50), 0));
    bench.seen(&[], told(0, (900, 0, 50), 30));
    bench.secs += 31;
    // Seen again for another reason, it is as old as before.
    bench.seen(&[], told(0, (900, 0, 50), 30));
    bench.seen(&[], told(0, (950, 0, 50), 60));
    bench.seen(&[], told(0, (957, 0, 50), 90));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (907, 0));
    assert_eq!(bench.ledger.reasons(), [GapReason::InterfaceVanished, GapReason::NoCounter]);
    assert!(known(&bench).is_some_and(|(epoch, _)| epoch.is_some()), "it counts by itself");
    bench.seen(&[], view(0, ModemState::Registered, Vec::new()));
    bench.commit();
    assert_eq!(known(&bench), None);
}

#[test]
fn a_connection_that_was_not_seen_to_dial_but_has_just_begun_is_compared_from_its_beginning() {
    let mut bench = Bench::new(&[reading(5, 700, 0)]);
    bench.seen(&[reading(5, 700, 0)], view(0, ModemState::Registered, Vec::new()));
    bench.seen(&[reading(5, 700, 0)], told(0, (0, 0, 50), 0));
    // As quiet bearers are read: for the first time after a minute.
    bench.secs += 60;
    bench.seen(&[reading(5, MB + 700, 0)], told(0, (90 * MB, 10, 50), 60));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (90 * MB, 10));
    assert!(warned(&bench));
    assert_eq!(bench.ledger.reasons(), []);
}

#[test]
fn what_the_kernel_has_not_been_asked_yet_does_not_look_like_a_bypass() {
    let mut bench = connected(0);
    // The figures come by themselves, the kernel was last read long before.
    bench.feed(&Event::ModemSeen(Box::new(told(0, (50 * MB, 0, 50), 30))));
    assert_eq!(bench.state.next_read(bench.at(), false), Some(Span::ZERO), "it is asked now");
    bench.feed(&Event::LinksRead(vec![reading(5, 51 * MB, 0)]));
    bench.commit();
    assert!(!warned(&bench));
    assert_eq!(bench.ledger.sum(0), (51 * MB, 0));
    assert!(bench.ledger.sources.iter().all(|source| *source == Source::Kernel));
}

#[test]
fn a_figure_found_midway_is_no_bypass() {
    // The service begins while a download runs: ModemManager's last figure is up to 30 s old, and counts from before.
    let mut bench = Bench::new(&[reading(5, 400 * MB, 0)]);
    bench.seen(&[reading(5, 400 * MB, 0)], told(0, (100 * MB, 0, 50), 10));
    bench.secs += 30;
    bench.seen(&[reading(5, 401 * MB, 0)], told(0, (401 * MB, 0, 50), 40));
    bench.secs += 30;
    bench.seen(&[reading(5, 701 * MB, 0)], told(0, (700 * MB, 0, 50), 70));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (301 * MB, 0));
    assert!(!warned(&bench));
}

#[test]
fn where_modemmanagers_figures_lag_in_one_direction_nothing_is_counted_twice() {
    let mut bench = connected(0);
    // Download bypasses, upload does not: ModemManager has seen less of it yet than the kernel.
    let view = told(0, (20 * MB, 3 * MB, 50), 30);
    bench.seen(&[reading(5, MB, 4 * MB)], view);
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (20 * MB, 4 * MB));
    // Killed before it has caught up.
    bench.start(&[reading(5, MB, 4 * MB)]);
    bench.seen(&[reading(5, MB, 4 * MB)], told(0, (20 * MB, 3 * MB + 1, 50), 60));
    bench.seen(&[reading(5, MB, 5 * MB)], told(0, (21 * MB, 5 * MB, 50), 90));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (21 * MB, 5 * MB));
    assert_eq!(bench.ledger.reasons(), []);
}

#[test]
fn kernel_forced_is_not_moved_by_what_modemmanager_says() {
    let mut bench = connected(0);
    choose(&mut bench, SourceChoice::Kernel);
    bench.seen(&[reading(5, MB, 0)], told(0, (900 * MB, 0, 50), 30));
    bench.feed(&Event::LinksRead(vec![reading(5, 2 * MB, 0)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (2 * MB, 0));
    assert!(!warned(&bench));
}

#[test]
fn modem_forced_counts_by_modemmanager_from_the_beginning() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    choose(&mut bench, SourceChoice::Modem);
    bench.seen(&[reading(5, 0, 0)], view(0, ModemState::Connecting, vec![bearer(false, None)]));
    bench.seen(&[reading(5, 0, 0)], told(0, (0, 0, 50), 0));
    bench.seen(&[reading(5, 5 * MB, 0)], told(0, (2 * MB, 7, 50), 30));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (2 * MB, 7));
    let live = bench.state.accounting.sessions().next().unwrap();
    assert_eq!((live.source, live.kernel.unwrap().grown.rx), (Source::Modem, 5 * MB));
    assert!(!warned(&bench), "as configured");
}

#[test]
fn modem_forced_where_modemmanager_counts_nothing_is_said() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    choose(&mut bench, SourceChoice::Modem);
    bench.connect(0, &[reading(5, 0, 0)]);
    let text = bench.state.warnings().find(|w| w.code == WarningCode::NotMeasured).map(|w| w.text.clone());
    assert!(text.is_some_and(|text| text.contains("\"auto\" takes whatever there is")));
}

/// What it carried is nowhere, whatever ends it; what is told a moment late, or goes a moment early, leaves nothing open.
#[test]
fn a_connection_that_nothing_counts_is_a_gap() {
    let links = [reading(5, 0, 0)];
    let over = || view(0, ModemState::Registered, vec![bearer(false, None)]);
    let gone = || Event::ModemVanished { modem: ModemId::new("350000000000000").unwrap() };
    for (secs, left_open, end) in [
        (90, true, None),
        (0, false, None),
        (0, true, Some(gone())),
        (90, true, Some(gone())),
        (90, true, Some(Event::StopRequested)),
    ] {
        let mut bench = Bench::new(&links);
        choose(&mut bench, SourceChoice::Modem);
        bench.connect(0, &links);
        let began = bench.secs;
        bench.secs += secs;
        match end {
            None => bench.feed(&Event::ModemSeen(Box::new(over()))),
            Some(event) => bench.feed(&event),
        }
        bench.commit();
        let expected: &[GapReason] = if left_open { &[GapReason::NoCounter] } else { &[] };
        assert_eq!(bench.ledger.reasons(), expected);
        if left_open {
            assert_eq!(bench.ledger.gap_spans, [(Some(began), Some(bench.secs))]);
        }
    }
    // Counted after all: by figures that came late all the same, but not where it was forbidden for long.
    for (secs, left_open) in [(20, false), (90, true)] {
        let mut bench = Bench::new(&links);
        choose(&mut bench, SourceChoice::Modem);
        bench.connect(0, &links);
        bench.secs += secs;
        choose(&mut bench, SourceChoice::Auto);
        bench.commit();
        assert_eq!(!bench.ledger.reasons().is_empty(), left_open, "after {secs} s");
    }
    // What was seen last before a kill is where the next gap begins.
    let mut bench = Bench::new(&links);
    choose(&mut bench, SourceChoice::Modem);
    bench.connect(0, &links);
    bench.commit();
    let newest = bench.secs;
    bench.ledger.newest = Some(Timestamp::from_secs(newest));
    bench.secs += 500;
    bench.start(&links);
    choose(&mut bench, SourceChoice::Modem);
    bench.seen(&links, view(0, ModemState::Connected, vec![bearer(true, None)]));
    bench.secs += 90;
    bench.seen(&links, over());
    bench.commit();
    assert_eq!(bench.ledger.gap_spans.first().map(|span| span.0), Some(Some(newest)));
}

#[test]
fn a_source_configured_anew_midway_neither_doubles_nor_invents() {
    let mut bench = connected(0);
    bench.seen(&[reading(5, 10 * MB, 0)], told(0, (9 * MB, 0, 50), 30));
    choose(&mut bench, SourceChoice::Modem);
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (10 * MB, 0), "it lags: nothing of it is new");
    bench.seen(&[reading(5, 13 * MB, 0)], told(0, (12 * MB, 0, 50), 60));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (12 * MB, 0));
    choose(&mut bench, SourceChoice::Kernel);
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (13 * MB, 0), "what the kernel is ahead");
    bench.feed(&Event::LinksRead(vec![reading(5, 14 * MB, 0)]));
    choose(&mut bench, SourceChoice::Auto);
    bench.seen(&[reading(5, 15 * MB, 0)], told(0, (14 * MB, 0, 50), 90));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (15 * MB, 0));
    assert_eq!(bench.ledger.reasons(), []);
}

#[test]
fn from_a_bypassed_counter_back_to_the_kernels_only_what_follows_counts() {
    let mut bench = connected(0);
    bench.seen(&[reading(5, MB, 0)], told(0, (9 * MB, 0, 50), 30));
    choose(&mut bench, SourceChoice::Kernel);
    bench.feed(&Event::LinksRead(vec![reading(5, 3 * MB, 0)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (11 * MB, 0));
}

#[test]
fn modemmanagers_death_in_a_bypassed_session_is_a_gap_and_the_kernel_goes_on() {
    let mut bench = connected(0);
    bench.seen(&[reading(5, MB, 0)], told(0, (9 * MB, 0, 50), 30));
    bench.feed(&Event::LinksRead(vec![reading(5, 2 * MB, 0)]));
    bench.feed(&Event::ModemManagerVanished);
    assert!(!warned(&bench));
    bench.feed(&Event::LinksRead(vec![reading(5, 3 * MB, 0)]));
    bench.seen(&[reading(5, 3 * MB, 0)], view(0, ModemState::Disabled, vec![]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (10 * MB, 0), "what the kernel saw since is certain");
    assert_eq!(bench.ledger.reasons(), [GapReason::NoCounter]);
}

#[test]
fn a_modem_that_goes_on_counting_over_a_reconnect_is_not_counted_twice() {
    let up = |rx, start, duration| told(0, (rx, 0, start), duration);
    let mut bench = Bench::new(&[]);
    // What it counted before the service knew it is nobody's.
    bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Registered, vec![bearer(false, None)]))));
    bench.feed(&Event::ModemSeen(Box::new(up(5_000, 50, 0))));
    bench.feed(&Event::ModemSeen(Box::new(up(7_000, 50, 30))));
    let mut ended = up(7_500, 50, 40);
    ended.bearers[0].connected = false;
    ended.state = ModemState::Registered;
    bench.feed(&Event::ModemSeen(Box::new(ended)));
    // The tail after the last figure shows in the next connection.
    bench.feed(&Event::ModemSeen(Box::new(up(7_600, 99, 0))));
    bench.feed(&Event::ModemSeen(Box::new(up(8_000, 99, 30))));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (3_000, 0));
    assert_eq!(bench.ledger.reasons(), [], "its last figure came with its end");
    // A modem that begins anew counts in full.
    bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Registered, vec![]))));
    bench.feed(&Event::ModemSeen(Box::new(up(40, 200, 0))));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (3_040, 0));
}

#[test]
fn what_follows_the_last_figure_of_a_connection_is_a_gap() {
    let up = |rx, tx| told(0, (rx, tx, 50), 30);
    let down =
        |figures: Option<(u64, u64, i64)>| view(0, ModemState::Registered, vec![bearer(false, figures)]);
    // Seen to end with the figures that it had, without any, and by the loss of its bearer.
    for end in [down(Some((900, 9, 50))), down(None), view(0, ModemState::Registered, vec![])] {
        for (idle, since) in [(7, 8), (600, 31)] {
            let mut bench = Bench::new(&[]);
            bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Registered, vec![]))));
            bench.feed(&Event::ModemSeen(Box::new(told(0, (0, 0, 50), 0))));
            bench.feed(&Event::ModemSeen(Box::new(up(900, 9))));
            bench.secs += idle;
            bench.feed(&Event::ModemSeen(Box::new(end.clone())));
            let ended = bench.secs;
            bench.commit();
            assert_eq!(bench.ledger.sum(0), (900, 9));
            assert_eq!(bench.ledger.reasons(), [GapReason::NoCounter]);
            assert_eq!(bench.ledger.gap_spans, [(Some(ended - since), Some(ended))], "{idle} s idle");
        }
    }
}

#[test]
fn a_modem_that_goes_on_counting_gives_nothing_of_one_sim_to_the_next() {
    let mut bench = Bench::new(&[]);
    bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Registered, vec![]))));
    bench.feed(&Event::ModemSeen(Box::new(told(0, (0, 0, 50), 0))));
    bench.feed(&Event::ModemSeen(Box::new(told(0, (7_000, 0, 50), 30))));
    bench.feed(&Event::ModemSeen(Box::new(view(1, ModemState::Registered, vec![]))));
    bench.feed(&Event::ModemSeen(Box::new(told(1, (7_400, 0, 99), 0))));
    bench.feed(&Event::ModemSeen(Box::new(told(1, (7_500, 0, 99), 30))));
    bench.commit();
    assert_eq!((bench.ledger.sum(0), bench.ledger.sum(1)), ((7_000, 0), (100, 0)));
}

#[test]
fn multiplexed_links_and_two_bearers_on_one_link_are_counted_once_each() {
    let over = |interface: &str, number: u32, figures| BearerView {
        path: format!("/org/freedesktop/ModemManager1/Bearer/{number}"),
        interface: Some(interface.into()),
        ..bearer(true, Some(figures))
    };
    let link = |index, name: &str, rx| LinkReading { name: name.into(), ..reading(index, rx, 0) };
    // The physical link counts all of what the multiplexed ones carry: it is nobody's.
    let links = |a, b| vec![link(5, "wwan0", a + b), link(6, "qmapmux0.0", a), link(7, "qmapmux0.1", b)];
    let mut bench = Bench::new(&links(0, 0));
    bench.seen(&links(0, 0), view(0, ModemState::Connecting, vec![]));
    let up = |a, b, c| {
        view(
            0,
            ModemState::Connected,
            vec![
                over("qmapmux0.0", 1, (a, 0, 50)),
                over("qmapmux0.1", 2, (b, 0, 50)),
                over("qmapmux0.1", 3, (c, 0, 50)),
            ],
        )
    };
    bench.seen(&links(0, 0), up(0, 0, 0));
    bench.seen(&links(1_000, 300), up(900, 100, 150));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (1_300, 0));
    assert_eq!(bench.ledger.sessions.len(), 2);
    assert_eq!(bench.ledger.reasons(), []);
}

#[test]
fn two_bearers_that_share_a_bypassed_link_are_counted_once() {
    let up = |figures: [(u64, u64); 2], duration_s| {
        let mut view = told(0, (figures[0].0, figures[0].1, 50), duration_s);
        let mut second = view.bearers[0].clone();
        second.path = "/org/freedesktop/ModemManager1/Bearer/1".to_owned();
        if let Some(stats) = &mut second.stats {
            (stats.rx_bytes, stats.tx_bytes) = figures[1];
        }
        view.bearers.push(second);
        view
    };
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.seen(&[reading(5, 0, 0)], view(0, ModemState::Connecting, vec![]));
    bench.seen(&[reading(5, 0, 0)], up([(0, 0), (0, 0)], 0));
    bench.seen(&[reading(5, 2 * MB, 0)], up([(5 * MB, 0), (3 * MB, 0)], 30));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (8 * MB, 0));
    bench.seen(&[reading(5, 2 * MB, 0)], up([(6 * MB, 0), (4 * MB, 0)], 60));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (10 * MB, 0));
}

#[test]
fn figures_that_no_network_can_carry_are_gaps_and_never_usage() {
    // Where the kernel counts: no bypass.
    for nonsense in [u64::MAX, u64::MAX >> 1, 1 << 45] {
        let mut bench = connected(0);
        bench.seen(&[reading(5, MB, 0)], told(0, (MB, 10, 50), 30));
        bench.seen(&[reading(5, 2 * MB, 0)], told(0, (nonsense, 10, 50), 60));
        bench.seen(&[reading(5, 3 * MB, 0)], told(0, (nonsense, nonsense, 50), 90));
        bench.seen(&[reading(5, 4 * MB, 0)], told(0, (4 * MB, 10, 50), 120));
        bench.commit();
        assert_eq!(bench.ledger.sum(0), (4 * MB, 0), "{nonsense}");
        assert!(!warned(&bench), "{nonsense}");
        assert_eq!(bench.ledger.reasons(), []);
    }
    // Where ModemManager alone counts.
    for nonsense in [u64::MAX, 1 << 45] {
        let mut bench = Bench::new(&[]);
        bench.seen(&[], view(0, ModemState::Registered, vec![bearer(false, Some((0, 0, 0)))]));
        bench.seen(&[], told(0, (10, 1, 50), 5));
        bench.seen(&[], told(0, (500, 50, 50), 30));
        bench.seen(&[], told(0, (nonsense, 50, 50), 60));
        bench.seen(&[], told(0, (nonsense, 60, 50), 90));
        bench.seen(&[], told(0, (700, 70, 50), 120));
        bench.seen(&[], told(0, (800, 90, 50), 150));
        bench.commit();
        // What passed beside the nonsense nobody knows.
        assert_eq!(bench.ledger.sum(0), (590, 79), "{nonsense}");
        assert_eq!(bench.ledger.reasons(), [GapReason::CounterReset; 2], "{nonsense}");
        // Told anew after a kill it is no more believed.
        bench.start(&[]);
        bench.seen(&[], told(0, (nonsense, 90, 50), 180));
        bench.commit();
        assert_eq!(bench.ledger.sum(0), (590, 79), "{nonsense}");
    }
}

#[test]
fn the_first_figure_of_a_connection_is_believed_as_far_as_it_can_be() {
    let first = |figure: u64, duration_s: u32| {
        let mut bench = Bench::new(&[]);
        bench.seen(&[], view(0, ModemState::Registered, vec![bearer(false, None)]));
        bench.seen(&[], told(0, (figure, 0, 50), duration_s));
        bench.seen(&[], told(0, (figure.saturating_add(7), 0, 50), duration_s));
        bench.commit();
        (bench.ledger.sum(0).0, bench.ledger.reasons())
    };
    assert_eq!(first(5_000 * MB, 30), (5_000 * MB + 7, Vec::new()));
    assert_eq!(first(1 << 45, 30), (7, vec![GapReason::ConnectedUnseen]));
}
