//! Connections that are none of the plan's, by their access points.

use super::sources::choose;
use super::*;
use crate::health::WarningCode;
use crate::ident::Apn;
use crate::settings::SourceChoice;

pub fn leave_out(bench: &mut Bench, apns: &[&str]) {
    if bench.settings.sims.is_empty() {
        choose(bench, SourceChoice::Auto);
    }
    for sim in bench.settings.sims.values_mut() {
        sim.uncounted_apns = apns.iter().map(|apn| Apn::new(apn).unwrap()).collect();
    }
    bench.feed(&Event::SettingsLoaded(Box::new(bench.settings.clone())));
}

fn up(bearers: Vec<BearerView>) -> Event {
    Event::ModemSeen(Box::new(view(0, ModemState::Connected, bearers)))
}

/// Counted by ModemManager alone.
fn told(apn: &str, rx: u64, start: i64) -> BearerView {
    BearerView {
        interface: None,
        apn: Some(apn.into()),
        path: format!("/org/freedesktop/ModemManager1/Bearer/{start}"),
        ..bearer(true, Some((rx, 0, start)))
    }
}

fn unmeasured(bench: &Bench) -> bool {
    bench.state.warnings().any(|warning| warning.code == WarningCode::NotMeasured)
}

#[test]
fn what_a_connection_that_is_left_out_carries_is_not_counted() {
    let over = |interface: &str, number: u32, apn: &str| BearerView {
        path: format!("/org/freedesktop/ModemManager1/Bearer/{number}"),
        interface: Some(interface.into()),
        apn: Some(apn.into()),
        ..bearer(true, None)
    };
    let link = |index, name: &str, rx| LinkReading { name: name.into(), ..reading(index, rx, 0) };
    let mut bench = Bench::new(&[link(5, "qmimux0", 0), link(6, "qmimux1", 0)]);
    leave_out(&mut bench, &["mms", "ims"]);
    bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Connecting, vec![]))));
    // The network appends the operator to it.
    bench.feed(&up(vec![over("qmimux0", 1, "internet"), over("qmimux1", 2, "IMS.mnc001.mcc262.gprs")]));
    bench.feed(&Event::LinksRead(vec![link(5, "qmimux0", 700), link(6, "qmimux1", 9_000)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (700, 0));
    assert!(!unmeasured(&bench), "nothing is missing");
    assert!(bench.ledger.epochs.values().all(|epoch| epoch.apn.as_deref() == Some("internet")));
    bench.feed(&Event::LinkVanished(link(6, "qmimux1", 9_500).into()));
    bench.feed(&up(vec![over("qmimux0", 1, "internet")]));
    bench.feed(&Event::LinksRead(vec![link(5, "qmimux0", 800)]));
    bench.commit();
    assert_eq!((bench.ledger.sum(0), bench.ledger.reasons()), ((800, 0), vec![]));
}

/// The modem did not come back unconnected: its connection is there, and not to be counted.
#[test]
fn left_out_while_the_service_is_dead_nothing_of_it_is_missing() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    let apn = |rx| vec![BearerView { apn: Some("internet".into()), ..bearer(true, Some((rx, 0, NOON))) }];
    bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Connecting, vec![]))));
    bench.seen(&[reading(5, 0, 0)], view(0, ModemState::Connected, apn(0)));
    bench.seen(&[reading(5, 700, 0)], view(0, ModemState::Connected, apn(700)));
    bench.commit();
    bench.start(&[reading(5, 700, 0)]);
    leave_out(&mut bench, &["internet"]);
    bench.seen(&[reading(5, 700, 0)], view(0, ModemState::Connected, apn(700)));
    bench.seen(&[reading(5, 900, 0)], view(0, ModemState::Connected, apn(900)));
    leave_out(&mut bench, &["ims"]);
    bench.seen(&[reading(5, 950, 0)], view(0, ModemState::Connected, apn(950)));
    bench.commit();
    assert_eq!((bench.ledger.sum(0), bench.ledger.reasons()), ((750, 0), vec![]));
}

#[test]
fn left_out_midway_the_kernel_counts_until_then_and_from_its_return_on() {
    let mut bench = Bench::new(&[reading(5, 0, 0)]);
    bench.connect(0, &[reading(5, 0, 0)]);
    bench.feed(&Event::LinksRead(vec![reading(5, 1_000, 0)]));
    leave_out(&mut bench, &["internet"]);
    bench.feed(&Event::LinksRead(vec![reading(5, 5_000, 0)]));
    leave_out(&mut bench, &[]);
    bench.feed(&Event::LinksRead(vec![reading(5, 5_300, 0)]));
    bench.commit();
    assert_eq!((bench.ledger.sum(0), bench.ledger.reasons()), ((1_300, 0), vec![]));
    // Over a start of the service too.
    leave_out(&mut bench, &["internet"]);
    bench.commit();
    bench.start(&[reading(5, 9_000, 0)]);
    bench.seen(&[reading(5, 9_100, 0)], view(0, ModemState::Connected, vec![bearer(true, None)]));
    bench.commit();
    assert_eq!((bench.ledger.sum(0), bench.ledger.reasons()), ((1_300, 0), vec![]));
}

#[test]
fn left_out_midway_modemmanagers_figures_never_bring_back_what_passed_meanwhile() {
    for killed in [false, true] {
        let mut bench = Bench::new(&[]);
        bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Registered, vec![]))));
        bench.feed(&up(vec![told("internet", 0, 50)]));
        bench.feed(&up(vec![told("internet", 1_000, 50)]));
        leave_out(&mut bench, &["internet"]);
        bench.feed(&up(vec![told("internet", 5_000, 50)]));
        bench.commit();
        assert_eq!(bench.ledger.sum(0), (1_000, 0));
        if killed {
            bench.start(&[]);
            bench.feed(&up(vec![told("internet", 5_000, 50)]));
        }
        leave_out(&mut bench, &[]);
        assert!(!unmeasured(&bench));
        // A figure that comes half a minute later certainly holds all that passed until then.
        for (idle, rx) in [(29, 5_700), (30, 6_000), (29, 6_800)] {
            bench.secs += idle;
            bench.feed(&up(vec![told("internet", rx, 50)]));
        }
        bench.commit();
        assert_eq!(bench.ledger.sum(0), (1_800, 0), "killed: {killed}");
        assert!(bench.ledger.reasons().contains(&GapReason::NoCounter), "{:?}", bench.ledger.gaps);
    }
}

#[test]
fn a_modem_that_goes_on_counting_gives_nothing_that_was_left_out_to_the_next_connection() {
    let mut bench = Bench::new(&[]);
    leave_out(&mut bench, &["ims"]);
    bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Registered, vec![]))));
    bench.feed(&up(vec![told("ims", 0, 50)]));
    bench.feed(&up(vec![told("ims", 7_000, 50)]));
    bench.feed(&Event::ModemSeen(Box::new(view(0, ModemState::Registered, vec![]))));
    let just_begun = |rx| {
        let mut bearer = told("internet", rx, 99);
        bearer.stats.as_mut().unwrap().duration_s = 0;
        bearer
    };
    bench.feed(&up(vec![just_begun(7_400)]));
    bench.feed(&up(vec![told("internet", 7_500, 99)]));
    bench.commit();
    assert_eq!(bench.ledger.sum(0), (100, 0));
}
