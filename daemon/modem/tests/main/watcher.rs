//! The watcher against a scripted ModemManager, peer to peer.

use std::time::Duration;

use simbell_core::event::Event;
use simbell_core::ident::Iccid;
use simbell_core::modem::{ModemState, Registration, SimKind};
use simbell_modem::Timing;
use zbus::Variant;

use crate::fixture::*;

async fn one_modem() -> (Lab, Mm) {
    let mut lab = Lab::peer(quick());
    let mm = lab.accept().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    lab.appeared().await;
    lab.seen().await;
    (lab, mm)
}

#[tokio::test]
async fn a_modem_is_told_whole() {
    let mut lab = Lab::peer(quick());
    assert_eq!(lab.next().await, Event::ModemManagerVanished);
    assert!(matches!(lab.next().await, Event::BusLost(_)));
    let mm = lab.accept().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    mm.set(M0, MODEM, &[("Bearers", own(vec![path(B0)])), ("State", own(11_i32))]);
    mm.put_bearer(B0, "wwan0");
    assert_eq!(lab.next().await, Event::BusConnected);
    assert_eq!(lab.next().await, Event::ModemManagerAppeared { version: "1.20.4".into() });
    let view = lab.seen().await;
    assert_eq!((view.id.as_str(), view.path.as_str(), view.model.as_str()), (IMEI, M0, "M1"));
    assert_eq!((view.state, view.failed_reason, view.unlock_required), (ModemState::Connected, None, None));
    assert_eq!(view.own_numbers[0].as_str(), "+15550001");
    let sim = view.sim.unwrap();
    assert_eq!(sim.iccid, Some(Iccid::new(ICCID).unwrap()));
    assert_eq!((sim.eid, sim.kind, sim.active), (None, SimKind::Physical, true));
    assert_eq!(sim.operator_code.unwrap().as_str(), "310410");
    assert_eq!(view.slots.len(), 2);
    assert_eq!((view.slots[0].as_ref().unwrap().iccid.is_some(), &view.slots[1]), (true, &None));
    assert_eq!((view.primary_slot, view.registration), (Some(1), Registration::Home));
    assert_eq!(view.operator_name.as_deref(), Some("Home Net"));
    assert_eq!((view.access, view.signal_percent), (vec!["umts".to_owned(), "lte".to_owned()], Some(60)));
    assert_eq!(view.net_ports, ["wwan0"]);
    let bearer = &view.bearers[0];
    assert_eq!((bearer.connected, bearer.ppp, bearer.interface.as_deref()), (true, false, Some("wwan0")));
    assert_eq!((bearer.apn.as_deref(), bearer.stats_supported), (Some("internet"), true));
    assert_eq!(bearer.stats.unwrap().start.unwrap().as_secs(), 1_772_000_000);
    assert_eq!(bearer.connection_error, None);
    assert_eq!(lab.commands.modems(), [view.id]);
}

#[tokio::test]
async fn a_bearer_that_comes_later_and_changes_is_followed() {
    let (mut lab, mm) = one_modem().await;
    mm.put_bearer(B0, "wwan0");
    mm.change(M0, MODEM, &[("Bearers", own(vec![path(B0)])), ("State", own(11_i32))]).await;
    assert_eq!(lab.seen().await.bearers[0].interface.as_deref(), Some("wwan0"));
    mm.change(B0, BEARER, &[("Stats", stats(5000, 30))]).await;
    assert_eq!(lab.seen().await.bearers[0].stats.unwrap().rx_bytes, 5000);
    // The seconds alone are no news.
    mm.change(B0, BEARER, &[("Stats", stats(5000, 60))]).await;
    lab.nothing_before_a_change(&mm).await;
    let error = ("org.freedesktop.ModemManager1.Error.X".to_owned(), "no carrier".to_owned());
    mm.change(
        B0,
        BEARER,
        &[("Connected", own(false)), ("ConnectionError", own(error)), ("Interface", own(""))],
    )
    .await;
    let bearer = lab.seen().await.bearers.remove(0);
    assert_eq!((bearer.connected, bearer.interface), (false, None));
    assert_eq!(bearer.connection_error.as_deref(), Some("org.freedesktop.ModemManager1.Error.X: no carrier"));
}

#[tokio::test]
async fn roaming_is_told_once_with_operator_and_registration_together() {
    let (mut lab, mm) = one_modem().await;
    mm.change(M0, GPP, &[("OperatorCode", own("310260"))]).await;
    // Never said by a signal: only reading again after the settling can tell.
    mm.set(M0, GPP, &[("RegistrationState", own(5_u32))]);
    let view = lab.seen().await;
    assert_eq!(view.operator_code.unwrap().as_str(), "310260");
    assert_eq!(view.registration, Registration::Roaming);
    mm.change(M0, GPP, &[("OperatorCode", own("310410"))]).await;
    mm.change(M0, GPP, &[("RegistrationState", own(1_u32)), ("OperatorName", own("Home Net"))]).await;
    let view = lab.seen().await;
    assert_eq!((view.operator_code.unwrap().as_str(), view.registration), ("310410", Registration::Home));
}

#[tokio::test]
async fn a_registration_that_never_rests_is_told_all_the_same() {
    let (mut lab, mm) = one_modem().await;
    let mut code = 0_u32;
    let mut told = 0;
    while told < 2 {
        code += 1;
        mm.change(M0, GPP, &[("OperatorCode", own(format!("{:05}", 10_000 + code % 900)))]).await;
        if let Ok(event) = tokio::time::timeout(Duration::from_millis(20), lab.next()).await {
            assert!(matches!(event, Event::ModemSeen(_)));
            told += 1;
        }
        assert!(code < 1000, "nothing is told while the operator changes every 20 ms");
    }
}

#[tokio::test]
async fn a_state_is_read_again_because_its_signals_overtake_each_other() {
    let (mut lab, mm) = one_modem().await;
    mm.set(M0, MODEM, &[("State", own(11_i32))]);
    mm.say(M0, MODEM, "StateChanged", &(6_i32, 4_i32, 0_u32)).await;
    assert_eq!(lab.seen().await.state, ModemState::Connected);
}

#[tokio::test]
async fn invalidated_properties_are_read() {
    let (mut lab, mm) = one_modem().await;
    mm.set(S0, SIM, &[("OperatorName", own("New Name"))]);
    let nothing = std::collections::HashMap::<&str, Variant<'_>>::new();
    let changed = (SIM, nothing, vec!["OperatorName"]);
    mm.say(S0, "org.freedesktop.DBus.Properties", "PropertiesChanged", &changed).await;
    assert_eq!(lab.seen().await.sim.unwrap().operator_name.as_deref(), Some("New Name"));
}

#[tokio::test]
async fn unlocking_takes_interfaces_away_and_back_and_is_no_removal() {
    let (mut lab, mm) = one_modem().await;
    mm.remove(M0, &[GPP, VOICE]).await;
    let view = lab.seen().await;
    assert_eq!((view.registration, view.operator_code), (Registration::Unknown, None));
    mm.set(M0, GPP, &[("RegistrationState", own(1_u32))]);
    mm.add(M0).await;
    assert_eq!(lab.seen().await.registration, Registration::Home);
}

#[tokio::test]
async fn an_unplugged_modem_is_gone_and_comes_back_under_another_path() {
    let (mut lab, mm) = one_modem().await;
    let id = lab.commands.modems().remove(0);
    mm.remove(M0, &[GPP, MODEM, VOICE, MESSAGING, USSD]).await;
    assert_eq!(lab.next().await, Event::ModemVanished { modem: id.clone() });
    mm.put_modem(M1, S1, IMEI, ICCID);
    mm.add(M1).await;
    let view = lab.seen().await;
    assert_eq!((view.id, view.path.as_str()), (id, M1));
}

#[tokio::test]
async fn interfaces_removed_one_by_one_leave_an_empty_ghost_that_is_ignored() {
    let (mut lab, mm) = one_modem().await;
    let id = lab.commands.modems().remove(0);
    for interface in [VOICE, GPP, MODEM, MESSAGING, USSD] {
        mm.remove(M0, &[interface]).await;
    }
    loop {
        match lab.next().await {
            Event::ModemVanished { modem } => break assert_eq!(modem, id),
            Event::ModemSeen(_) => {}
            other => panic!("{other:?}"),
        }
    }
    mm.add(M0).await;
    mm.put_modem(M1, S1, IMEI, ICCID);
    mm.add(M1).await;
    assert_eq!(lab.seen().await.path, M1);
}

#[tokio::test]
async fn a_swapped_sim_is_read_and_the_old_one_forgotten() {
    let (mut lab, mm) = one_modem().await;
    mm.put_sim(S1, "89860000000000000020");
    mm.change(M0, MODEM, &[("Sim", own(path(S1))), ("SimSlots", own(vec![path(S1), path("/")]))]).await;
    assert_eq!(lab.seen().await.sim.unwrap().iccid.unwrap().as_str(), "89860000000000000020");
    mm.change(S0, SIM, &[("OperatorName", own("nobody listens"))]).await;
    mm.change(M0, MODEM, &[("Sim", own(path("/"))), ("SimSlots", own(vec![path("/")]))]).await;
    let view = lab.seen().await;
    assert_eq!((view.sim, view.slots), (None, vec![None]));
}

#[tokio::test]
async fn wrong_types_are_like_missing_properties() {
    let mut lab = Lab::peer(quick());
    let mm = lab.accept().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    mm.set(
        M0,
        MODEM,
        &[
            ("State", own("connected")),
            ("Manufacturer", own(7_u32)),
            ("Bearers", own("none")),
            ("Ports", own(vec![1_u32])),
            ("SignalQuality", own((400_u32, true))),
            ("OwnNumbers", own(true)),
            ("PrimarySimSlot", own(-1_i32)),
            ("Model", own("x".repeat(100_000))),
        ],
    );
    mm.set(M0, GPP, &[("RegistrationState", own("home")), ("OperatorCode", own("\u{1b}[2J"))]);
    mm.set(S0, SIM, &[("SimIdentifier", own("not digits")), ("Active", own(3_u32)), ("Imsi", own(5_u64))]);
    lab.appeared().await;
    let view = lab.seen().await;
    assert_eq!((view.state, view.manufacturer.as_str(), view.model.as_str()), (ModemState::Unknown, "", ""));
    assert_eq!((view.bearers.len(), view.net_ports.len(), view.own_numbers.len()), (0, 0, 0));
    assert_eq!((view.signal_percent, view.primary_slot, view.operator_code), (None, None, None));
    let sim = view.sim.unwrap();
    assert_eq!((sim.iccid, sim.imsi, sim.active), (None, None, true));
    mm.say(M0, "org.freedesktop.DBus.Properties", "PropertiesChanged", &"garbage").await;
    mm.say(M0, MESSAGING, "Added", &7_u32).await;
    mm.say(ROOT, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", &(1_u8, 2_u8)).await;
    lab.nothing_before_a_change(&mm).await;
}

#[tokio::test]
async fn a_sim_that_does_not_answer_holds_its_modem_up_for_a_while_only() {
    let mut lab = Lab::peer(quick());
    let mm = lab.accept().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    mm.ignore(S0);
    lab.appeared().await;
    let view = lab.seen().await;
    assert_eq!(view.sim.unwrap().iccid, None);
    mm.answer_again();
    assert_eq!(lab.seen().await.sim.unwrap().iccid.unwrap().as_str(), ICCID);
}

#[tokio::test]
async fn a_list_of_objects_that_does_not_come_is_asked_for_again() {
    let mut lab = Lab::peer(Timing { call: Duration::from_millis(50), ..Timing::default() });
    let mm = lab.accept().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    mm.ignore("GetManagedObjects");
    lab.appeared().await;
    mm.was_asked("GetManagedObjects").await;
    mm.answer_again();
    assert_eq!(lab.seen().await.id.as_str(), IMEI);
}

#[tokio::test]
async fn a_peer_that_dies_is_lost_and_found_again() {
    let (mut lab, mm) = one_modem().await;
    mm.die().await;
    assert_eq!(lab.next().await, Event::ModemManagerVanished);
    assert!(matches!(lab.next().await, Event::BusLost(_)));
    assert_eq!(lab.commands.modems(), []);
    let mm = lab.accept().await;
    // The same path is another modem now.
    mm.put_modem(M0, S0, "353490069873327", ICCID);
    assert_eq!(lab.next().await, Event::BusConnected);
    lab.appeared().await;
    assert_eq!(lab.seen().await.id.as_str(), "353490069873327");
}

#[tokio::test]
async fn modems_without_an_imei_of_their_own_go_by_their_device() {
    let mut lab = Lab::peer(quick());
    let mm = lab.accept().await;
    mm.put_modem(M0, S0, "000000000000000", ICCID);
    lab.appeared().await;
    assert_eq!(lab.seen().await.id.as_str(), format!("/sys/devices/usb{M0}"));
    mm.change(M0, MODEM, &[("EquipmentIdentifier", own(IMEI))]).await;
    let old = lab.next().await;
    assert!(
        matches!(old, Event::ModemVanished { modem } if modem.as_str() == format!("/sys/devices/usb{M0}"))
    );
    assert_eq!(lab.seen().await.id.as_str(), IMEI);
    mm.put_modem(M1, S1, IMEI, "89860000000000000020");
    mm.add(M1).await;
    assert_eq!(lab.seen().await.id.as_str(), format!("/sys/devices/usb{M1}"));
}

#[tokio::test]
async fn a_lock_and_a_failure_are_named() {
    let (mut lab, mm) = one_modem().await;
    mm.change(M0, MODEM, &[("State", own(2_i32)), ("UnlockRequired", own(4_u32))]).await;
    assert_eq!(lab.seen().await.unlock_required.as_deref(), Some("sim-puk"));
    mm.change(M0, MODEM, &[("State", own(-1_i32)), ("StateFailedReason", own(2_u32))]).await;
    assert_eq!(lab.seen().await.failed_reason.as_deref(), Some("sim-missing"));
}

#[tokio::test]
async fn a_flood_of_signals_stalls_neither_the_bus_nor_a_command() {
    let (mut lab, mm) = one_modem().await;
    let id = lab.commands.modems().remove(0);
    for n in 0..5000_u32 {
        mm.change(M0, MODEM, &[("SignalQuality", own((n % 100, true)))]).await;
    }
    mm.replies("Initiate", Reply::Text("balance 5"));
    // Nobody takes events meanwhile.
    assert_eq!(limit(lab.commands.ussd(&id, "*100#")).await.unwrap(), "balance 5");
    mm.change(M0, MODEM, &[("Model", own("last"))]).await;
    while lab.seen().await.model != "last" {}
}
