//! PPP: the bearer names a serial port; the link is the one that the kernel announces once it has dialled.

use super::*;

const TTY: &str = "ttyUSB2";

fn ppp(index: u32, rx: u64) -> LinkReading {
    LinkReading { name: format!("ppp{}", index - 11).into(), ppp: true, ..reading(index, rx, 0) }
}

fn dialled(connected: bool) -> ModemView {
    let state = if connected { ModemState::Connected } else { ModemState::Connecting };
    let port = BearerView { interface: Some(TTY.into()), ppp: true, ..bearer(connected, None) };
    view(0, state, vec![port])
}

#[test]
fn the_link_that_appears_after_it_has_dialled_counts_from_its_birth() {
    let mut bench = Bench::new(&[]);
    bench.seen(&[], dialled(false));
    bench.seen(&[], dialled(true));
    assert!(bench.state.warnings().any(|w| w.code == crate::health::WarningCode::NotMeasured));
    bench.feed(&Event::LinkAppeared(ppp(11, 0)));
    bench.feed(&Event::LinksRead(vec![ppp(11, 500)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (500, 0));
    assert!(bench.state.warnings().all(|w| w.code != crate::health::WarningCode::NotMeasured));
    // Killed: it goes on by the ledger's word.
    bench.start(&[ppp(11, 700)]);
    bench.seen(&[ppp(11, 800)], dialled(true));
    bench.feed(&Event::LinksRead(vec![ppp(11, 900)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (900, 0));
    // It hangs up: pppd takes the link away.
    bench.feed(&Event::LinkVanished(ppp(11, 950).into()));
    bench.seen(&[], view(0, ModemState::Registered, vec![bearer(false, None)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (950, 0));
    assert_eq!(bench.ledger.reasons(), []);
}

#[test]
fn the_link_that_appears_while_it_dials_is_its_link() {
    let mut bench = Bench::new(&[]);
    bench.seen(&[], view(0, ModemState::Connecting, vec![bearer(false, None)]));
    bench.feed(&Event::LinkAppeared(ppp(11, 0)));
    bench.seen(&[ppp(11, 30)], dialled(true));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (30, 0));
}

#[test]
fn a_link_of_pppd_that_was_there_before_is_somebody_elses() {
    let mut bench = Bench::new(&[ppp(11, 9_000)]);
    bench.seen(&[ppp(11, 9_000)], dialled(false));
    bench.seen(&[ppp(11, 9_000)], dialled(true));
    bench.feed(&Event::LinksRead(vec![ppp(11, 9_900)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (0, 0));
    // One that appears while nothing dials neither.
    let mut bench = Bench::new(&[]);
    bench.seen(&[], view(0, ModemState::Registered, vec![]));
    bench.feed(&Event::LinkAppeared(ppp(11, 0)));
    bench.seen(&[ppp(11, 0)], dialled(false));
    bench.seen(&[ppp(11, 10)], dialled(true));
    bench.feed(&Event::LinksRead(vec![ppp(11, 20)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (0, 0));
}

#[test]
fn a_link_that_two_modems_wait_for_is_given_to_neither() {
    let mut bench = Bench::new(&[]);
    let other = ModemView { id: ModemId::new("350000000000001").unwrap(), ..dialled(true) };
    let mut other = other;
    other.sim.as_mut().unwrap().iccid = Some(Iccid::new(SIMS[1]).unwrap());
    bench.seen(&[], dialled(true));
    bench.seen(&[], other.clone());
    bench.feed(&Event::LinkAppeared(ppp(11, 0)));
    bench.feed(&Event::LinksRead(vec![ppp(11, 70)]));
    bench.seen(&[ppp(11, 80)], ModemView { state: ModemState::Registered, bearers: vec![], ..other });
    bench.seen(&[ppp(11, 90)], dialled(true));
    bench.commit();
    assert_eq!((bench.ledger.sum(0), bench.ledger.sum(1)), ((0, 0), (0, 0)));
}

#[test]
fn a_configured_interface_is_the_only_one() {
    let mut bench = Bench::new(&[]);
    let settings = Settings { ppp_interface: Some("ppp1".to_owned()), ..settings() };
    bench.feed(&Event::SettingsLoaded(Box::new(settings)));
    bench.seen(&[], dialled(false));
    bench.seen(&[], dialled(true));
    bench.feed(&Event::LinkAppeared(ppp(11, 0)));
    bench.feed(&Event::LinkAppeared(ppp(12, 0)));
    bench.feed(&Event::LinksRead(vec![ppp(11, 100), ppp(12, 30)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (30, 0));
}
