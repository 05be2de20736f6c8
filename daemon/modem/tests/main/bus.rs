//! The watcher on a real bus: the name's owners come and go, and so does the bus.

use simbell_core::event::Event;
use simbell_modem::BusAddress;

use crate::fixture::*;

fn lab() -> (Bus, Lab) {
    let directory = tempfile::tempdir().unwrap();
    let bus = Bus::start(&directory.path().join("bus"));
    let address = BusAddress::At(bus.address());
    (bus, Lab::new(directory, address, quick()))
}

#[tokio::test]
async fn modemmanager_absent_appears_is_killed_and_comes_back_as_another() {
    let (bus, mut lab) = lab();
    assert_eq!(lab.next().await, Event::BusConnected);
    assert_eq!(lab.next().await, Event::ModemManagerVanished);
    let mm = Mm::on_bus(&bus.address()).await;
    assert!(matches!(lab.next().await, Event::ModemManagerAppeared { .. }));
    mm.put_modem(M0, S0, IMEI, ICCID);
    mm.add(M0).await;
    assert_eq!(lab.seen().await.id.as_str(), IMEI);
    mm.die().await;
    assert_eq!(lab.next().await, Event::ModemManagerVanished);
    assert_eq!(lab.commands.modems(), []);
    let mm = Mm::on_bus(&bus.address()).await;
    assert!(matches!(lab.next().await, Event::ModemManagerAppeared { .. }));
    mm.put_modem(M0, S0, "353490069873327", ICCID);
    mm.add(M0).await;
    assert_eq!(lab.seen().await.id.as_str(), "353490069873327");
}

#[tokio::test]
async fn what_a_former_owner_answers_or_says_is_not_believed() {
    let (bus, mut lab) = lab();
    let former = Mm::on_bus(&bus.address()).await;
    former.put_modem(M0, S0, IMEI, ICCID);
    former.ignore("GetManagedObjects");
    lab.appeared().await;
    former.was_asked("GetManagedObjects").await;
    // It loses the name, but lives on and talks.
    former.release_name().await;
    assert_eq!(lab.next().await, Event::ModemManagerVanished);
    let present = Mm::on_bus(&bus.address()).await;
    assert!(matches!(lab.next().await, Event::ModemManagerAppeared { .. }));
    present.put_modem(M1, S1, "353490069873327", ICCID);
    present.add(M1).await;
    assert_eq!(lab.seen().await.path, M1);
    let added = (path(M0), std::collections::HashMap::from([(MODEM, former.properties(M0, MODEM))]));
    former.whisper(ROOT, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", &added).await;
    former.add(M0).await;
    former.answer_late().await;
    // One bus, one order: what the former owner said has arrived before this, and settled before the next.
    for model in ["M2", "M3", "M4"] {
        present.change(M1, MODEM, &[("Model", own(model))]).await;
        let view = lab.seen().await;
        assert_eq!((view.path.as_str(), view.model.as_str()), (M1, model));
    }
    assert_eq!(lab.commands.modems().len(), 1);
}

#[tokio::test]
async fn a_restarted_bus_is_followed() {
    let (bus, mut lab) = lab();
    let mm = Mm::on_bus(&bus.address()).await;
    lab.appeared().await;
    let place = std::path::PathBuf::from(bus.address().trim_start_matches("unix:path="));
    drop(bus);
    assert_eq!(lab.next().await, Event::ModemManagerVanished);
    assert!(matches!(lab.next().await, Event::BusLost(_)));
    drop(mm);
    let bus = Bus::start(&place);
    assert_eq!(lab.next().await, Event::BusConnected);
    let _mm = Mm::on_bus(&bus.address()).await;
    lab.appeared().await;
}
