//! The look-alike beside the real ModemManager, both with a modem that is connected and has a message and a call.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use simbell_modemsim::at::{IncomingSms, Profile, Sim};
use simbell_modemsim::lab::{Lab, LabOptions};
use simbell_modemsim::lookalike::{BearerSpec, Lookalike, MM, ModemSpec, PrivateBus, ROOT};
use zbus::{Connection, OwnedVariant};

use super::client::{DEADLINE, Properties, at};
use super::mmcli::keys;

struct Pair {
    lab: Lab,
    bus: PrivateBus,
    ours: Connection,
    _modems: (simbell_modemsim::at::Modem, Lookalike),
}

impl Pair {
    async fn start() -> Self {
        let mut lab = Lab::start(LabOptions::default()).await.unwrap();
        let modem = lab.add_modem(Profile::lte()).await.unwrap();
        lab.enable(&modem).await.unwrap();
        let real = lab.address().to_owned();
        until_shown(&real, &["-m", "0"], "modem.generic.state", "registered").await;
        modem.receive_sms(&IncomingSms::new("10086", "hello")).unwrap();
        let messages = ["-m", "0", "--messaging-list-sms"];
        until_shown(&real, &messages, "modem.messaging.sms.value[]", &at("SMS", 0)).await;
        until_shown(&real, &["-s", "0"], "sms.properties.state", "received").await;
        run(&real, &["-m", "0", "--simple-connect=apn=internet"]).await;
        run(&real, &["-m", "0", "--voice-create-call=number=+15550100"]).await;

        let bus = PrivateBus::start().await.unwrap();
        let lookalike = Lookalike::builder().modems(1).start();
        lookalike.serve_on(bus.address()).await.unwrap();
        let bearer = BearerSpec { apn: "internet".into(), ppp: true, ..BearerSpec::default() };
        lookalike.connect_bearer(0, bearer).unwrap();
        lookalike.receive_sms(0, "10086", "hello", None).unwrap();
        run(bus.address(), &["-m", "0", "--voice-create-call=number=+15550100"]).await;
        let ours = zbus::connection::Builder::address(bus.address()).build().await.unwrap();
        Self { lab, bus, ours, _modems: (modem, lookalike) }
    }
}

async fn run(bus: &str, arguments: &[&str]) {
    let output = tokio::process::Command::new("mmcli")
        .args(arguments)
        .env("DBUS_SYSTEM_BUS_ADDRESS", bus)
        .kill_on_drop(true)
        .output()
        .await
        .expect("mmcli runs: install the package modemmanager");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn until_shown(bus: &str, arguments: &[&str], key: &str, wanted: &str) {
    let shown = async { while keys(bus, arguments).await.get(key).is_none_or(|value| value != wanted) {} };
    tokio::time::timeout(DEADLINE, shown).await.expect("it shows in time");
}

#[tokio::test]
async fn mmcli_prints_the_same_keys() {
    let pair = Pair::start().await;
    let looks: [&[&str]; 13] = [
        &["-L"],
        &["-m", "0"],
        &["-i", "0"],
        &["-b", "0"],
        &["-s", "0"],
        &["-o", "0"],
        &["-m", "0", "--messaging-status"],
        &["-m", "0", "--location-status"],
        &["-m", "0", "--3gpp-ussd-status"],
        &["-m", "0", "--voice-status"],
        &["-m", "0", "--messaging-list-sms"],
        &["-m", "0", "--time"],
        &["-m", "0", "--signal-get"],
    ];
    for arguments in looks {
        let theirs: BTreeSet<String> =
            keys(pair.lab.address(), arguments).await.into_keys().map(without_place).collect();
        let ours: BTreeSet<String> =
            keys(pair.bus.address(), arguments).await.into_keys().map(without_place).collect();
        assert!(!theirs.is_empty(), "{arguments:?}");
        assert_eq!(theirs, ours, "mmcli {arguments:?}");
    }
}

/// A list has a length and places, an empty one only a length: the key is the list's.
fn without_place(key: String) -> String {
    key.trim_end_matches(".value[]").trim_end_matches(".length").to_owned()
}

#[tokio::test]
async fn every_member_has_the_signature_of_the_real_one() {
    let pair = Pair::start().await;
    let mut compared = 0;
    for path in [ROOT.to_owned(), at("Modem", 0), at("SIM", 0), at("Bearer", 0), at("SMS", 0), at("Call", 0)]
    {
        let theirs = members(&introspect(pair.lab.connection(), &path).await);
        let ours = members(&introspect(&pair.ours, &path).await);
        // The test interface is there because the real one was started for tests.
        let own = |name: &&String| name.starts_with(MM) && !name.ends_with(".Test");
        assert_eq!(
            theirs.keys().filter(own).collect::<Vec<_>>(),
            ours.keys().filter(own).collect::<Vec<_>>(),
            "interfaces of {path}"
        );
        for (interface, members) in ours {
            assert_eq!(theirs.get(&interface), Some(&members), "{interface}");
            compared += members.len();
        }
    }
    assert!(compared > 200, "{compared}");
}

#[tokio::test]
async fn every_value_has_the_type_of_the_real_one() {
    let pair = Pair::start().await;
    for (path, interface, dictionaries) in [
        (at("Modem", 0), ".Modem", &[][..]),
        (at("Modem", 0), ".Modem.Modem3gpp", &[]),
        (at("Modem", 0), ".Modem.Modem3gpp.Ussd", &[]),
        (at("Modem", 0), ".Modem.Messaging", &[]),
        (at("Modem", 0), ".Modem.Voice", &[]),
        (at("Modem", 0), ".Modem.Location", &[]),
        (at("SIM", 0), ".Sim", &[]),
        (at("Bearer", 0), ".Bearer", &["Stats", "Ip4Config"]),
        (at("SMS", 0), ".Sms", &[]),
        (at("Call", 0), ".Call", &[]),
    ] {
        let interface = format!("{MM}{interface}");
        let theirs = properties(pair.lab.connection(), &path, &interface).await;
        let ours = properties(&pair.ours, &path, &interface).await;
        assert_eq!(types(&theirs), types(&ours), "{interface}");
        for name in dictionaries {
            let inner = |all: &Properties| types(&all[*name].try_clone().unwrap().try_into().unwrap());
            assert_eq!(inner(&theirs), inner(&ours), "{interface}.{name}");
        }
    }
}

#[tokio::test]
async fn a_locked_modem_and_one_without_sim_show_what_the_real_ones_show() {
    let locked = Some(Sim { pin: Some("1234".into()), ..Sim::china_mobile() });
    let spec = ModemSpec::numbered(0);
    let cases = [
        (locked, "locked", ModemSpec { locked: true, ..spec.clone() }),
        (None, "failed", ModemSpec { slots: vec![vec![]], ..spec }),
    ];
    for (sim, state, spec) in cases {
        let mut lab = Lab::start(LabOptions::default()).await.unwrap();
        let _modem = lab.add_modem(Profile::lte().with_sim(sim)).await.unwrap();
        let bus = PrivateBus::start().await.unwrap();
        let lookalike = Lookalike::builder().modem(spec).start();
        lookalike.serve_on(bus.address()).await.unwrap();
        let ours = zbus::connection::Builder::address(bus.address()).build().await.unwrap();
        until_shown(lab.address(), &["-m", "0"], "modem.generic.state", state).await;

        let interfaces = async |connection| -> BTreeSet<String> {
            let known = members(&introspect(connection, &at("Modem", 0)).await);
            known.into_keys().filter(|name| name.starts_with(MM)).collect()
        };
        let theirs: BTreeSet<String> = interfaces(lab.connection()).await;
        assert_eq!(theirs, interfaces(&ours).await, "{state}");
        let theirs = keys(lab.address(), &["-m", "0"]).await;
        let ours = keys(bus.address(), &["-m", "0"]).await;
        for key in [
            "modem.generic.state",
            "modem.generic.state-failed-reason",
            "modem.generic.unlock-required",
            "modem.generic.sim",
            "modem.generic.own-numbers.length",
            "modem.3gpp.registration-state",
        ] {
            assert_eq!(theirs.get(key), ours.get(key), "{state}: {key}");
        }
        let names = |all: BTreeMap<String, String>| -> BTreeSet<String> {
            all.into_keys().map(without_place).collect()
        };
        assert_eq!(names(theirs), names(ours), "{state}");
    }
}

async fn introspect(connection: &Connection, path: &str) -> String {
    let interface = Some("org.freedesktop.DBus.Introspectable");
    let reply = connection.call_method(Some(MM), path, interface, "Introspect", &()).await.unwrap();
    reply.body().deserialize().unwrap()
}

async fn properties(connection: &Connection, path: &str, interface: &str) -> Properties {
    let properties = Some("org.freedesktop.DBus.Properties");
    let reply = connection.call_method(Some(MM), path, properties, "GetAll", &interface).await.unwrap();
    reply.body().deserialize().unwrap()
}

fn types(properties: &HashMap<String, OwnedVariant>) -> BTreeMap<String, String> {
    properties.iter().map(|(name, value)| (name.clone(), value.value_signature().to_string())).collect()
}

/// Interfaces of introspection data with their members and signatures, each in one line.
fn members(xml: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut interface, mut member) = (String::new(), String::new());
    for tag in xml.split('<').skip(1) {
        let attribute = |name: &str| {
            let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
            rest.split('"').next().map(str::to_owned)
        };
        let (name, signature) =
            (attribute("name").unwrap_or_default(), attribute("type").unwrap_or_default());
        let closed = tag.contains("/>");
        match tag.split([' ', '>', '/']).next().unwrap_or_default() {
            "interface" => interface = name,
            "property" => {
                let access = attribute("access").unwrap_or_default();
                found
                    .entry(interface.clone())
                    .or_default()
                    .insert(format!("property {name} {signature} {access}"));
            }
            kind @ ("method" | "signal") => {
                member = format!("{kind} {name}");
                if closed {
                    found.entry(interface.clone()).or_default().insert(member.clone());
                }
            }
            "arg" => {
                let direction = attribute("direction").unwrap_or_default();
                member.push_str(&format!(" {direction}:{name}:{signature}"));
            }
            _ if tag.starts_with("/method") || tag.starts_with("/signal") => {
                found.entry(interface.clone()).or_default().insert(member.clone());
            }
            _ => {}
        }
    }
    found
}
