//! Bearers that are not listened to because the kernel counts them: nothing that happens to them is lost.

use std::time::Duration;

use simbell_core::event::Event;
use simbell_core::modem::{ModemState, ModemView};
use simbell_modem::{BusAddress, Timing};
use zbus::{Message, MessageStream};

use crate::fixture::*;

const B1: &str = "/org/freedesktop/ModemManager1/Bearer/1";

/// The kernel has a link of this name everywhere.
const LINK: &str = "lo";

fn lab_on(timing: Timing) -> (Bus, Lab) {
    let directory = tempfile::tempdir().unwrap();
    let bus = Bus::start(&directory.path().join("bus"));
    let address = BusAddress::At(bus.address());
    (bus, Lab::new(directory, address, timing))
}

/// Figures are never due, the signal always.
fn patient() -> Timing {
    Timing { figures: [Duration::from_secs(3_600); 3], signal: Duration::ZERO, ..quick() }
}

/// What the watcher asks the bus for, as `dbus-monitor` sees it.
struct Rules(MessageStream);

impl Rules {
    async fn of(bus: &Bus) -> Self {
        let connection = zbus::connection::Builder::address(bus.address().as_str()).build().await.unwrap();
        let stream = MessageStream::from(&connection);
        let rules = vec!["type='method_call',interface='org.freedesktop.DBus'"];
        connection
            .call_method(
                Some("org.freedesktop.DBus"),
                "/org/freedesktop/DBus",
                Some("org.freedesktop.DBus.Monitoring"),
                "BecomeMonitor",
                &(rules, 0_u32),
            )
            .await
            .unwrap();
        Self(stream)
    }

    /// Waits until a rule about `path` is added (`AddMatch`) or withdrawn (`RemoveMatch`).
    async fn wait(&mut self, member: &str, path: &str) {
        self.wait_without(member, path, "nothing").await;
    }

    /// As [`Rules::wait`], and no rule about `other` before it.
    async fn wait_without(&mut self, member: &str, path: &str, other: &str) {
        use futures_util::StreamExt;
        let (wanted, other) = (format!("'{path}'"), format!("'{other}'"));
        limit(async {
            while let Some(Ok(message)) = self.0.next().await {
                let rule = said(&message, member).unwrap_or_default();
                assert!(!rule.contains(&other), "{member} {rule}");
                if rule.contains(&wanted) {
                    return;
                }
            }
            panic!("the bus is gone");
        })
        .await;
    }
}

fn said(message: &Message, wanted: &str) -> Option<String> {
    let header = message.header();
    (header.member()?.as_str() == wanted).then(|| message.body().deserialize().ok()).flatten()
}

/// A modem that has been connected over `link`, and its only bearer has fallen quiet if it may.
async fn connected(timing: Timing) -> (Bus, Lab, Mm, Rules) {
    let (bus, mut lab) = lab_on(timing);
    let mut rules = Rules::of(&bus).await;
    let mm = Mm::on_bus(&bus.address()).await;
    lab.appeared().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    mm.put_bearer(B0, LINK);
    mm.set(M0, MODEM, &[("Bearers", own(vec![path(B0)])), ("State", own(11_i32))]);
    mm.add(M0).await;
    assert_eq!(lab.seen().await.bearers[0].interface.as_deref(), Some(LINK));
    rules.wait("AddMatch", B0).await;
    rules.wait("RemoveMatch", B0).await;
    (bus, lab, mm, rules)
}

/// Nothing of the bearer's figures is told, which were said before.
async fn is_quiet(lab: &mut Lab, mm: &Mm, model: &str) -> ModemView {
    for bytes in [70_001, 70_002] {
        mm.change(B0, BEARER, &[("Stats", stats(bytes, 60))]).await;
    }
    mm.change(M0, MODEM, &[("Model", own(model.to_owned()))]).await;
    let view = lab.seen().await;
    assert_eq!(view.model, model, "the bearer's figures are heard");
    view
}

#[tokio::test]
async fn the_only_bearer_of_a_modem_falls_quiet_where_the_kernel_counts_it() {
    let (_bus, mut lab, mm, _) = connected(patient()).await;
    let view = is_quiet(&mut lab, &mm, "M2").await;
    assert!(view.bearers[0].connected);
    assert_eq!(view.bearers[0].stats.unwrap().rx_bytes, 0, "nobody read them");
}

#[tokio::test]
async fn a_bearer_without_a_link_is_listened_to() {
    let (bus, mut lab) = lab_on(patient());
    let mm = Mm::on_bus(&bus.address()).await;
    lab.appeared().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    mm.put_bearer(B0, "nolink0");
    mm.set(M0, MODEM, &[("Bearers", own(vec![path(B0)])), ("State", own(11_i32))]);
    mm.add(M0).await;
    lab.seen().await;
    for bytes in [5_000, 6_000, 7_000] {
        mm.change(B0, BEARER, &[("Stats", stats(bytes, 30))]).await;
        assert_eq!(lab.seen().await.bearers[0].stats.unwrap().rx_bytes, bytes);
    }
}

#[tokio::test]
async fn a_quiet_bearer_dropped_by_the_network_is_seen_with_its_last_figures() {
    let (_bus, mut lab, mm, mut rules) = connected(patient()).await;
    is_quiet(&mut lab, &mm, "M2").await;
    // As ModemManager does it: the bearer first, then the modem.
    mm.change(B0, BEARER, &[("Connected", own(false)), ("Interface", own("")), ("Stats", stats(90_000, 90))])
        .await;
    mm.change(M0, MODEM, &[("State", own(8_i32))]).await;
    let view = lab.seen().await;
    assert_eq!((view.state, view.bearers[0].connected), (ModemState::Registered, false));
    assert_eq!(view.bearers[0].stats.unwrap().rx_bytes, 90_000);
    rules.wait("AddMatch", B0).await;
    // From now on it is heard again.
    let error = ("org.freedesktop.ModemManager1.Error.X".to_owned(), "no carrier".to_owned());
    mm.change(B0, BEARER, &[("ConnectionError", own(error))]).await;
    assert!(lab.seen().await.bearers[0].connection_error.is_some());
}

#[tokio::test]
async fn a_quiet_bearer_that_connects_again_is_another_connection_and_falls_quiet_again() {
    let (_bus, mut lab, mm, mut rules) = connected(patient()).await;
    mm.change(B0, BEARER, &[("Connected", own(false))]).await;
    mm.change(M0, MODEM, &[("State", own(8_i32))]).await;
    assert!(!lab.seen().await.bearers[0].connected);
    rules.wait("AddMatch", B0).await;
    mm.change(M0, MODEM, &[("State", own(10_i32))]).await;
    assert_eq!(lab.seen().await.state, ModemState::Connecting);
    let anew = own(std::collections::HashMap::from([
        ("rx-bytes".to_owned(), zbus::Variant::from(0_u64)),
        ("tx-bytes".to_owned(), zbus::Variant::from(0_u64)),
        ("duration".to_owned(), zbus::Variant::from(0_u32)),
        ("start-date".to_owned(), zbus::Variant::from(1_772_009_999_u64)),
    ]));
    mm.change(B0, BEARER, &[("Connected", own(true)), ("Stats", anew)]).await;
    mm.change(M0, MODEM, &[("State", own(11_i32))]).await;
    let mut view = lab.seen().await;
    while view.state != ModemState::Connected || !view.bearers[0].connected {
        view = lab.seen().await;
    }
    assert_eq!(view.bearers[0].stats.unwrap().start.unwrap().as_secs(), 1_772_009_999);
    rules.wait("RemoveMatch", B0).await;
    is_quiet(&mut lab, &mm, "M2").await;
}

#[tokio::test]
async fn a_flap_faster_than_anybody_looks_is_seen_as_another_connection() {
    let (_bus, mut lab, mm, mut rules) = connected(patient()).await;
    let anew = own(std::collections::HashMap::from([
        ("rx-bytes".to_owned(), zbus::Variant::from(1_u64)),
        ("tx-bytes".to_owned(), zbus::Variant::from(1_u64)),
        ("duration".to_owned(), zbus::Variant::from(0_u32)),
        ("start-date".to_owned(), zbus::Variant::from(1_772_001_111_u64)),
    ]));
    mm.change(M0, MODEM, &[("State", own(8_i32))]).await;
    mm.change(B0, BEARER, &[("Stats", anew)]).await;
    mm.change(M0, MODEM, &[("State", own(11_i32))]).await;
    let mut view = lab.seen().await;
    while view.bearers[0].stats.unwrap().start.unwrap().as_secs() != 1_772_001_111 {
        view = lab.seen().await;
    }
    rules.wait("RemoveMatch", B0).await;
}

#[tokio::test]
async fn when_a_second_bearer_appears_both_are_listened_to() {
    let (_bus, mut lab, mm, mut rules) = connected(patient()).await;
    mm.put_bearer(B1, LINK);
    mm.change(M0, MODEM, &[("Bearers", own(vec![path(B0), path(B1)]))]).await;
    assert_eq!(lab.seen().await.bearers.len(), 2);
    rules.wait("AddMatch", B0).await;
    rules.wait("AddMatch", B1).await;
    for (bearer, bytes) in [(B0, 11_000), (B1, 12_000)] {
        mm.change(bearer, BEARER, &[("Stats", stats(bytes, 30))]).await;
        let view = lab.seen().await;
        assert!(view.bearers.iter().any(|b| b.path == bearer && b.stats.unwrap().rx_bytes == bytes));
    }
    // The second one goes: the first falls quiet again.
    mm.forget(B1);
    mm.change(M0, MODEM, &[("Bearers", own(vec![path(B0)]))]).await;
    assert_eq!(lab.seen().await.bearers.len(), 1);
    rules.wait("RemoveMatch", B0).await;
    is_quiet(&mut lab, &mm, "M2").await;
}

#[tokio::test]
async fn a_modemmanager_that_restarts_while_a_bearer_is_quiet_is_followed_from_the_start() {
    let (bus, mut lab, mm, mut rules) = connected(patient()).await;
    mm.die().await;
    assert_eq!(lab.next().await, Event::ModemManagerVanished);
    let mm = Mm::on_bus(&bus.address()).await;
    lab.appeared().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    mm.put_bearer(B0, LINK);
    mm.set(M0, MODEM, &[("Bearers", own(vec![path(B0)])), ("State", own(8_i32))]);
    mm.set(B0, BEARER, &[("Connected", own(false))]);
    mm.add(M0).await;
    assert!(!lab.seen().await.bearers[0].connected);
    rules.wait("AddMatch", B0).await;
    // Not connected, it is heard.
    mm.change(B0, BEARER, &[("Connected", own(true)), ("Stats", stats(7, 1))]).await;
    assert!(lab.seen().await.bearers[0].connected);
    mm.change(M0, MODEM, &[("State", own(11_i32))]).await;
    lab.seen().await;
    rules.wait("RemoveMatch", B0).await;
    is_quiet(&mut lab, &mm, "M2").await;
}

#[tokio::test]
async fn figures_of_a_quiet_bearer_are_read_now_and_then() {
    let figures = [Duration::from_millis(50), Duration::from_millis(150), Duration::from_millis(100)];
    let (bus, mut lab, mm, _) = connected(Timing { figures, ..patient() }).await;
    for bytes in [1_000, 2_000, 3_000, 4_000] {
        mm.set(B0, BEARER, &[("Stats", stats(bytes, 30))]);
        assert_eq!(lab.seen().await.bearers[0].stats.unwrap().rx_bytes, bytes);
    }
    // It stayed quiet meanwhile: a rule would have been asked for before this one of another bearer.
    let mut rules = Rules::of(&bus).await;
    mm.set(B0, BEARER, &[("Stats", stats(5_000, 30))]);
    assert_eq!(lab.seen().await.bearers[0].stats.unwrap().rx_bytes, 5_000);
    mm.put_modem(M1, S1, "353490069873327", ICCID);
    mm.set(M1, MODEM, &[("Bearers", own(vec![path(B1)]))]);
    mm.put_bearer(B1, "nolink0");
    mm.add(M1).await;
    while lab.seen().await.path != M1 {}
    rules.wait_without("AddMatch", B1, B0).await;
    // What was missed all the same is seen then.
    mm.set(B0, BEARER, &[("Connected", own(false))]);
    while lab.seen().await.bearers[0].connected {}
}

/// All of it is read as seldom as figures are read at most.
#[tokio::test]
async fn of_a_quiet_bearer_figures_alone_are_read_meanwhile() {
    let figures = [Duration::from_millis(50), Duration::from_millis(100), Duration::from_secs(6)];
    let (_bus, mut lab, mm, _) = connected(Timing { figures, ..patient() }).await;
    mm.set(B0, BEARER, &[("Connected", own(false)), ("Stats", stats(1_000, 30))]);
    for bytes in [1_000, 2_000, 3_000] {
        mm.set(B0, BEARER, &[("Stats", stats(bytes, 30))]);
        let bearer = lab.seen().await.bearers[0].clone();
        assert_eq!((bearer.stats.unwrap().rx_bytes, bearer.connected), (bytes, true));
    }
    mm.was_asked("Get").await;
    while lab.seen().await.bearers[0].connected {
        mm.set(B0, BEARER, &[("Stats", stats(4_000, 31))]);
    }
}

#[tokio::test]
async fn the_signal_alone_is_told_once_in_a_while() {
    let mut lab = Lab::peer(Timing { signal: Duration::from_secs(3_600), ..quick() });
    let mm = lab.accept().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    lab.appeared().await;
    lab.seen().await;
    mm.change(M0, MODEM, &[("SignalQuality", own((50_u32, true)))]).await;
    // Other news take it along, at once.
    mm.change(M0, GPP, &[("OperatorName", own("Other Net"))]).await;
    let view = lab.seen().await;
    assert_eq!((view.operator_name.as_deref(), view.signal_percent), (Some("Other Net"), Some(50)));
    // Its time has come.
    let mut lab = Lab::peer(Timing { signal: Duration::from_millis(50), ..quick() });
    let mm = lab.accept().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    lab.appeared().await;
    lab.seen().await;
    mm.change(M0, MODEM, &[("SignalQuality", own((40_u32, true)))]).await;
    assert_eq!(lab.seen().await.signal_percent, Some(40));
}

#[tokio::test]
async fn figures_that_are_wanted_are_told_as_they_come() {
    let (_bus, mut lab, mm, mut rules) = connected(patient()).await;
    let id = is_quiet(&mut lab, &mm, "M2").await.id;
    mm.set(B0, BEARER, &[("Stats", stats(80_000, 60))]);
    lab.commands.listen([id].into());
    assert_eq!(lab.seen().await.bearers[0].stats.unwrap().rx_bytes, 80_000, "read at once");
    rules.wait("AddMatch", B0).await;
    for bytes in [81_000, 82_000] {
        mm.change(B0, BEARER, &[("Stats", stats(bytes, 90))]).await;
        assert_eq!(lab.seen().await.bearers[0].stats.unwrap().rx_bytes, bytes);
    }
    lab.commands.listen([].into());
    rules.wait("RemoveMatch", B0).await;
    is_quiet(&mut lab, &mm, "M3").await;
}
