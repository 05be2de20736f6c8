//! Habits of the real daemon, seen by a client without a bus.

use std::time::Duration;

use simbell_modemsim::lookalike::{BearerSpec, Lookalike, ModemSpec, Network, Refusal, SimSpec};
use zbus::{OwnedVariant, Variant};

use super::client::{Client, MM, Properties, at};

const MODEM: &str = "org.freedesktop.ModemManager1.Modem";
const GPP: &str = "org.freedesktop.ModemManager1.Modem.Modem3gpp";
const BEARER: &str = "org.freedesktop.ModemManager1.Bearer";
const SMS: &str = "org.freedesktop.ModemManager1.Sms";
const MESSAGING: &str = "org.freedesktop.ModemManager1.Modem.Messaging";

fn one_modem() -> Lookalike {
    Lookalike::builder().modems(1).stats_every(Duration::ZERO).start()
}

fn stats() -> BearerSpec {
    BearerSpec { apn: "internet".into(), stats: true, ..BearerSpec::default() }
}

async fn state(client: &Client, modem: u32) -> i32 {
    i32::try_from(client.get(&at("Modem", modem), MODEM, "State").await).unwrap()
}

async fn counted(client: &Client, bearer: u32) -> (u64, u64) {
    let stats = Properties::try_from(client.get(&at("Bearer", bearer), BEARER, "Stats").await).unwrap();
    let figure = |key: &str| u64::try_from(stats[key].try_clone().unwrap()).unwrap();
    (figure("rx-bytes"), figure("tx-bytes"))
}

#[tokio::test]
async fn only_modems_are_managed() {
    let lookalike = Lookalike::builder().modems(2).start();
    let client = Client::direct(&lookalike).await;
    lookalike.connect_bearer(1, stats()).unwrap();
    lookalike.receive_sms(0, "1", "x", None).unwrap();
    let mut paths: Vec<String> = client.managed().await.keys().map(ToString::to_string).collect();
    paths.sort();
    assert_eq!(paths, [at("Modem", 0), at("Modem", 1)]);
    let iccid = client.get(&at("SIM", 1), "org.freedesktop.ModemManager1.Sim", "SimIdentifier").await;
    assert_eq!(String::try_from(iccid).unwrap(), "8900100000000000002");
}

#[tokio::test]
async fn enabling_walks_through_the_states() {
    let lookalike = Lookalike::builder().modems(1).auto_enable(false).start();
    let mut client = Client::direct(&lookalike).await;
    assert_eq!(state(&client, 0).await, 3);
    client.call(&at("Modem", 0), MODEM, "Enable", &true).await.unwrap();
    let seen = client.drain().await;
    let changes: Vec<&str> =
        seen.iter().filter(|s| s.member == "StateChanged").map(|s| s.message.as_str()).collect();
    assert_eq!(changes, ["3 5 1", "5 6 1", "6 8 0"]);
    let code = seen.iter().position(|s| s.has("OperatorCode")).unwrap();
    let registered = seen.iter().position(|s| s.has("RegistrationState")).unwrap();
    assert!(code < registered);
}

#[tokio::test]
async fn traffic_shows_in_stats_to_the_byte() {
    let lookalike = one_modem();
    let mut client = Client::direct(&lookalike).await;
    let bearer = lookalike.connect_bearer(0, stats()).unwrap();
    assert_eq!(state(&client, 0).await, 11);
    lookalike.add_traffic(&bearer, 1_000_001, 17).unwrap();
    assert_eq!(counted(&client, 0).await, (0, 0));
    lookalike.publish_stats();
    assert_eq!(counted(&client, 0).await, (1_000_001, 17));
    lookalike.set_stats(&bearer, 5, 6).unwrap();
    assert_eq!(counted(&client, 0).await, (5, 6));
    client.drain().await;

    lookalike.add_traffic(&bearer, 1, 1).unwrap();
    lookalike.disconnect(&bearer, None);
    let seen = client.drain().await;
    let ended = seen.iter().find(|s| s.has("Connected")).unwrap();
    assert!(ended.has("Stats") && ended.has("Ip4Config") && ended.value("Interface").is_some());
    assert_eq!(counted(&client, 0).await, (6, 7));
    let changes: Vec<&str> =
        seen.iter().filter(|s| s.member == "StateChanged").map(|s| s.message.as_str()).collect();
    assert_eq!(changes, ["11 9 1", "9 8 1"]);
    assert!(lookalike.add_traffic(&bearer, 1, 1).is_err());

    // The same APN is the same bearer, its totals kept and its counters begun anew.
    lookalike.connect_bearer(0, stats()).unwrap();
    assert_eq!(counted(&client, 0).await, (0, 0));
    let totals = Properties::try_from(client.get(&at("Bearer", 0), BEARER, "Stats").await).unwrap();
    assert_eq!(*totals["total-rx-bytes"], Variant::U64(6));
    assert_eq!(*totals["attempts"], Variant::U32(2));
}

#[tokio::test]
async fn a_bearer_on_a_real_interface_counts_nothing_itself() {
    let lookalike = one_modem();
    let client = Client::direct(&lookalike).await;
    let spec = BearerSpec { interface: Some("veth7".into()), ..BearerSpec::default() };
    let bearer = lookalike.connect_bearer(0, spec).unwrap();
    lookalike.add_traffic(&bearer, 10, 10).unwrap();
    lookalike.publish_stats();
    assert_eq!(counted(&client, 0).await, (0, 0));
    let supported = client.get(&at("Bearer", 0), BEARER, "ReloadStatsSupported").await;
    assert!(!bool::try_from(supported).unwrap());
    let interface = client.get(&at("Bearer", 0), BEARER, "Interface").await;
    assert_eq!(String::try_from(interface).unwrap(), "veth7");
}

#[tokio::test]
async fn the_network_ends_a_connection() {
    let lookalike = one_modem();
    let mut client = Client::direct(&lookalike).await;
    let bearer = lookalike.connect_bearer(0, stats()).unwrap();
    client.drain().await;
    lookalike.disconnect(&bearer, Some(("MobileEquipment.Unknown", "Unknown error")));
    let seen = client.drain().await;
    let ended = seen.iter().find(|s| s.interface == BEARER).unwrap();
    assert!(ended.value("ConnectionError").unwrap().contains("Error.MobileEquipment.Unknown"));
    assert_eq!(state(&client, 0).await, 8);
}

#[tokio::test]
async fn the_operator_code_changes_before_the_registration() {
    let lookalike = one_modem();
    let mut client = Client::direct(&lookalike).await;
    client.drain().await;
    let away = Network::Roaming { code: "310260".into(), name: "T-Mobile US".into() };
    lookalike.move_to(0, away, Duration::from_millis(1)).await.unwrap();
    let seen = client.drain().await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[0].has("OperatorCode") && !seen[0].has("RegistrationState"));
    assert_eq!(seen[1].value("RegistrationState"), Some("U32(5)"));
    assert!(seen[1].has("OperatorName"));

    lookalike.move_to(0, Network::Searching, Duration::ZERO).await.unwrap();
    assert_eq!(state(&client, 0).await, 7);
    let code = client.get(&at("Modem", 0), GPP, "OperatorCode").await;
    assert_eq!(String::try_from(code).unwrap(), "");
    lookalike.move_to(0, Network::Denied, Duration::ZERO).await.unwrap();
    assert_eq!(state(&client, 0).await, 6);
    lookalike.move_to(0, Network::Home, Duration::ZERO).await.unwrap();
    assert_eq!(state(&client, 0).await, 8);
}

#[tokio::test]
async fn unplugging_says_nothing_of_the_bearer() {
    let lookalike = one_modem();
    let mut client = Client::direct(&lookalike).await;
    lookalike.connect_bearer(0, stats()).unwrap();
    client.drain().await;
    lookalike.unplug(0).unwrap();
    let seen = client.drain().await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].member, "InterfacesRemoved");
    assert!(seen[0].message.starts_with(&format!("{} {MM}.Modem ", at("Modem", 0))), "{seen:?}");
    let gone = client.call(&at("Bearer", 0), BEARER, "Connect", &()).await.unwrap_err();
    assert_eq!(gone, "org.freedesktop.DBus.Error.UnknownMethod");
    lookalike.plug(0).unwrap();
    assert_eq!(lookalike.modem_path(0), Some(at("Modem", 1)));
    assert_eq!(state(&client, 1).await, 8);
}

#[tokio::test]
async fn messages_are_shown_again_under_new_paths() {
    let lookalike = one_modem();
    let mut client = Client::direct(&lookalike).await;
    lookalike.receive_sms(0, "10086", "您的余额为 12 元", Some("2026-03-01T12:30:00+08")).unwrap();
    let added = client.until(|s| s.member == "Added").await.pop().unwrap();
    assert_eq!(added.message, format!("{} true", at("SMS", 0)));
    let text = client.get(&at("SMS", 0), SMS, "Text").await;
    assert_eq!(String::try_from(text).unwrap(), "您的余额为 12 元");

    let modem = at("Modem", 0);
    client.call(&modem, MODEM, "Enable", &false).await.unwrap();
    client.call(&modem, MODEM, "Enable", &true).await.unwrap();
    let added = client.until(|s| s.member == "Added").await.pop().unwrap();
    assert_eq!(added.message, format!("{} true", at("SMS", 1)));
    let stamp = client.get(&at("SMS", 1), SMS, "Timestamp").await;
    assert_eq!(String::try_from(stamp).unwrap(), "2026-03-01T12:30:00+08");
}

#[tokio::test]
async fn a_message_of_several_parts_comes_without_text_first() {
    let lookalike = one_modem();
    let mut client = Client::direct(&lookalike).await;
    let message = lookalike.begin_sms(0, "1", "whole").unwrap();
    client.until(|s| s.member == "Added").await;
    let text = client.get(&at("SMS", 0), SMS, "Text").await;
    assert_eq!(String::try_from(text).unwrap(), "");
    lookalike.complete_sms(0, message).unwrap();
    let seen = client.until(|s| s.interface == SMS).await.pop().unwrap();
    assert_eq!(seen.value("State"), Some("U32(3)"));
    let text = client.get(&at("SMS", 0), SMS, "Text").await;
    assert_eq!(String::try_from(text).unwrap(), "whole");
}

#[tokio::test]
async fn a_client_sends_a_message_and_may_be_refused() {
    let lookalike = one_modem();
    let mut client = Client::direct(&lookalike).await;
    let modem = at("Modem", 0);
    lookalike.refuse(Refusal {
        method: "Messaging.Create".into(),
        error: "Core.Unauthorized".into(),
        text: "PolicyKit authorization failed".into(),
        times: Some(1),
    });
    let request = || {
        let pairs = [("number", "+491700"), ("text", "Noch 3 €")];
        pairs.map(|(key, value)| (key, OwnedVariant::try_from(Variant::from(value)).unwrap()))
    };
    let request = |_: ()| std::collections::HashMap::from(request());
    let refused = client.call(&modem, MESSAGING, "Create", &request(())).await.unwrap_err();
    assert_eq!(refused, "org.freedesktop.ModemManager1.Error.Core.Unauthorized");
    let body = client.call(&modem, MESSAGING, "Create", &request(())).await.unwrap();
    let path: zbus::OwnedObjectPath = body.deserialize().unwrap();
    assert!(lookalike.sent_sms().is_empty());
    client.call(path.as_str(), SMS, "Send", &()).await.unwrap();
    let sent = lookalike.sent_sms();
    assert_eq!((sent[0].number.as_str(), sent[0].text.as_str(), sent[0].parts), ("+491700", "Noch 3 €", 1));
    let changed = client.until(|s| s.interface == SMS).await.pop().unwrap();
    assert_eq!(changed.value("State"), Some("U32(5)"));
    assert!(changed.has("MessageReference"));
}

#[tokio::test]
async fn unlocking_exchanges_single_interfaces_on_the_same_path() {
    let spec = ModemSpec { locked: true, ..ModemSpec::numbered(0) };
    let lookalike = Lookalike::builder().modem(spec).start();
    let mut client = Client::direct(&lookalike).await;
    assert_eq!(state(&client, 0).await, 2);
    let managed = client.managed().await;
    let interfaces = managed.values().next().unwrap();
    assert!(!interfaces.contains_key(MESSAGING) && interfaces.contains_key(GPP));
    let sim = "org.freedesktop.ModemManager1.Sim";
    let wrong = client.call(&at("SIM", 0), sim, "SendPin", &"0000").await.unwrap_err();
    assert_eq!(wrong, "org.freedesktop.ModemManager1.Error.MobileEquipment.IncorrectPassword");
    client.drain().await;
    client.call(&at("SIM", 0), sim, "SendPin", &"1234").await.unwrap();
    let seen = client.drain().await;
    let removed = seen.iter().find(|s| s.member == "InterfacesRemoved").unwrap();
    assert_eq!(
        removed.message,
        format!("{} {MM}.Modem.Firmware {MM}.Modem.Modem3gpp {MM}.Modem.Voice", at("Modem", 0))
    );
    let added = seen.iter().find(|s| s.member == "InterfacesAdded").unwrap();
    assert!(added.message.starts_with(&at("Modem", 0)) && added.message.contains(MESSAGING));
    assert_eq!(state(&client, 0).await, 8);
}

#[tokio::test]
async fn sim_changes_bring_the_modem_back_under_a_new_path() {
    let profile = |n: u32| SimSpec {
        iccid: format!("890010000000000010{n}"),
        imsi: format!("00101000000010{n}"),
        eid: "8904".into(),
        esim: true,
        ..SimSpec::default()
    };
    let physical = SimSpec { iccid: "8900100000000000301".into(), ..SimSpec::default() };
    let slots = vec![vec![profile(1), profile(2)], vec![physical.clone()]];
    let lookalike = Lookalike::builder().modem(ModemSpec { slots, ..ModemSpec::numbered(0) }).start();
    let client = Client::direct(&lookalike).await;
    let iccid = async |modem: u32| {
        let sim = client.get(&at("Modem", modem), MODEM, "Sim").await;
        let path = zbus::OwnedObjectPath::try_from(sim).unwrap();
        let iccid = client.get(path.as_str(), "org.freedesktop.ModemManager1.Sim", "SimIdentifier").await;
        String::try_from(iccid).unwrap()
    };
    assert_eq!(iccid(0).await, profile(1).iccid);
    lookalike.switch_profile(0, &profile(2).iccid, Duration::ZERO).await.unwrap();
    assert_eq!(iccid(1).await, profile(2).iccid);
    lookalike.switch_slot(0, 2, Duration::ZERO).await.unwrap();
    assert_eq!(iccid(2).await, physical.iccid);
    let slot = client.get(&at("Modem", 2), MODEM, "PrimarySimSlot").await;
    assert_eq!(u32::try_from(slot).unwrap(), 2);
    lookalike.swap_sim(0, 2, Vec::new(), Duration::ZERO).await.unwrap();
    assert_eq!(state(&client, 3).await, -1);
    let refused = client.call(&at("Modem", 3), MODEM, "Enable", &true).await.unwrap_err();
    assert_eq!(refused, "org.freedesktop.ModemManager1.Error.Core.WrongState");
    lookalike.swap_sim(0, 2, vec![profile(3)], Duration::ZERO).await.unwrap();
    assert_eq!(iccid(4).await, profile(3).iccid);
    assert!(lookalike.switch_profile(0, "1", Duration::ZERO).await.is_err());
}

#[tokio::test]
async fn calls_and_ussd() {
    let lookalike =
        Lookalike::builder().modems(1).ussd("*100#", "1 data", true).ussd("1", "3 GB", false).start();
    let mut client = Client::direct(&lookalike).await;
    let ussd = "org.freedesktop.ModemManager1.Modem.Modem3gpp.Ussd";
    let modem = at("Modem", 0);
    let reply = client.call(&modem, ussd, "Initiate", &"*100#").await.unwrap();
    assert_eq!(reply.deserialize::<String>().unwrap(), "1 data");
    assert_eq!(u32::try_from(client.get(&modem, ussd, "State").await).unwrap(), 3);
    let reply = client.call(&modem, ussd, "Respond", &"1").await.unwrap();
    assert_eq!(reply.deserialize::<String>().unwrap(), "3 GB");
    assert_eq!(u32::try_from(client.get(&modem, ussd, "State").await).unwrap(), 1);
    assert!(client.call(&modem, ussd, "Initiate", &"*999#").await.is_err());

    client.drain().await;
    let call = lookalike.begin_call(0, "+1", true).unwrap();
    client.call(&call, "org.freedesktop.ModemManager1.Call", "Accept", &()).await.unwrap();
    lookalike.set_call(&call, 7, 0);
    let seen = client.drain().await;
    let changes: Vec<&str> =
        seen.iter().filter(|s| s.member == "StateChanged").map(|s| s.message.as_str()).collect();
    assert_eq!(changes, ["3 4 3", "4 7 0"]);
}

#[tokio::test]
async fn a_dead_daemon_closes_connections_and_numbers_anew() {
    let lookalike = one_modem();
    let mut client = Client::direct(&lookalike).await;
    lookalike.unplug(0).unwrap();
    lookalike.plug(0).unwrap();
    lookalike.receive_sms(0, "1", "kept", None).unwrap();
    assert_eq!(lookalike.modem_path(0), Some(at("Modem", 1)));
    lookalike.crash();
    while client.signal().await.is_some() {}
    assert!(lookalike.modem_path(0).is_none());
    lookalike.revive();
    let client = Client::direct(&lookalike).await;
    assert_eq!(lookalike.modem_path(0), Some(at("Modem", 0)));
    let text = client.get(&at("SMS", 0), SMS, "Text").await;
    assert_eq!(String::try_from(text).unwrap(), "kept");
    assert!(lookalike.bearer(0, None, None).is_none());
}

#[tokio::test]
async fn wrong_arguments_are_refused() {
    let lookalike = one_modem();
    let client = Client::direct(&lookalike).await;
    let modem = at("Modem", 0);
    let call =
        |member: &'static str, interface: &'static str| client.call(&modem, interface, member, &17_i32);
    assert_eq!(call("Enable", MODEM).await.unwrap_err(), "org.freedesktop.DBus.Error.InvalidArgs");
    assert_eq!(call("Dance", MODEM).await.unwrap_err(), "org.freedesktop.DBus.Error.UnknownMethod");
    assert_eq!(call("Enable", "org.example").await.unwrap_err(), "org.freedesktop.DBus.Error.UnknownMethod");
    // One structure as the only argument.
    client.call(&modem, MODEM, "SetCurrentModes", &((8_u32, 8_u32),)).await.unwrap();
}

#[tokio::test]
async fn many_modems_on_interfaces_of_their_own() {
    let lookalike = Lookalike::builder().modems(64).stats_every(Duration::ZERO).start();
    let client = Client::direct(&lookalike).await;
    for modem in 0..64 {
        let interface = Some(format!("veth{modem}"));
        lookalike.connect_bearer(modem, BearerSpec { interface, ..BearerSpec::default() }).unwrap();
    }
    let managed = client.managed().await;
    let imeis: std::collections::BTreeSet<String> =
        managed.values().map(|modem| format!("{:?}", *modem[MODEM]["EquipmentIdentifier"])).collect();
    assert_eq!((managed.len(), imeis.len()), (64, 64));
    for number in 0..64 {
        let interface = client.get(&at("Bearer", number), BEARER, "Interface").await;
        assert_eq!(String::try_from(interface).unwrap(), format!("veth{number}"));
    }
}
