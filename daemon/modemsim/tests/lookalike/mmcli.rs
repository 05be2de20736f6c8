//! The real mmcli looks at the look-alike.

use std::collections::BTreeMap;
use std::time::Duration;

use simbell_modemsim::lookalike::{BearerSpec, Lookalike, ModemSpec, PrivateBus, SimSpec};
use tokio::process::Command;

/// Keys and values that `mmcli ARGUMENTS -K` prints; places in lists (`value[1]`) are one key.
pub async fn keys(bus: &str, arguments: &[&str]) -> BTreeMap<String, String> {
    let output = Command::new("mmcli")
        .args(arguments)
        .arg("-K")
        .env("DBUS_SYSTEM_BUS_ADDRESS", bus)
        .kill_on_drop(true)
        .output()
        .await
        .expect("mmcli runs: install the package modemmanager");
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "mmcli {arguments:?}: {errors}");
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs
        .map(|(key, value)| {
            let key = key.trim();
            let key = key.split_once("[").map_or(key.to_owned(), |(list, _)| format!("{list}[]"));
            (key, value.trim().to_owned())
        })
        .collect()
}

#[tokio::test]
async fn shows_modem_sim_bearer_and_message() {
    let bus = PrivateBus::start().await.unwrap();
    let sim = SimSpec {
        number: "+15550100".into(),
        eid: "89049032000000000000000000000017".into(),
        esim: true,
        ..SimSpec::default()
    };
    let spec = ModemSpec { slots: vec![vec![sim]], ..ModemSpec::numbered(0) };
    let lookalike = Lookalike::builder().modem(spec).stats_every(Duration::ZERO).start();
    lookalike.serve_on(bus.address()).await.unwrap();
    let bearer = BearerSpec { apn: "internet".into(), stats: true, ..BearerSpec::default() };
    let bearer = lookalike.connect_bearer(0, bearer).unwrap();
    lookalike.add_traffic(&bearer, 123_456_789_012, 42).unwrap();
    lookalike.publish_stats();
    lookalike.receive_sms(0, "10086", "您已使用 80% 的流量", None).unwrap();
    let bus = bus.address();

    let list = keys(bus, &["-L"]).await;
    assert_eq!(list["modem-list.value[]"], "/org/freedesktop/ModemManager1/Modem/0");
    let modem = keys(bus, &["-m", "0"]).await;
    assert_eq!(modem["modem.generic.state"], "connected");
    assert_eq!(modem["modem.generic.own-numbers.value[]"], "+15550100");
    assert_eq!(modem["modem.generic.access-technologies.value[]"], "lte");
    assert_eq!(modem["modem.3gpp.registration-state"], "home");
    let sim = keys(bus, &["-i", "0"]).await;
    assert_eq!(sim["sim.properties.iccid"], "8900100000000000001");
    assert_eq!(sim["sim.properties.sim-type"], "esim");
    assert_eq!(sim["sim.properties.esim-status"], "with-profiles");
    let bearer = keys(bus, &["-b", "0"]).await;
    assert_eq!(bearer["bearer.stats.bytes-rx"], "123456789012");
    assert_eq!(bearer["bearer.stats.total-bytes-tx"], "42");
    assert_eq!(bearer["bearer.status.interface"], "wwan0");
    let sms = keys(bus, &["-s", "0"]).await;
    assert_eq!(sms["sms.content.text"], escaped("您已使用 80% 的流量"));
    assert_eq!(sms["sms.properties.state"], "received");
}

/// As mmcli escapes values with -K (g_strescape).
fn escaped(text: &str) -> String {
    let escape = |byte: &u8| match byte {
        0x20..0x7f => char::from(*byte).to_string(),
        _ => format!("\\{byte:o}"),
    };
    text.as_bytes().iter().map(escape).collect()
}

#[tokio::test]
async fn sends_a_message_and_asks_by_ussd() {
    let bus = PrivateBus::start().await.unwrap();
    let lookalike = Lookalike::builder().modems(1).ussd("*100#", "4.20", false).start();
    lookalike.serve_on(bus.address()).await.unwrap();
    let run = async |arguments: &[&str]| {
        let output = Command::new("mmcli")
            .args(arguments)
            .env("DBUS_SYSTEM_BUS_ADDRESS", bus.address())
            .kill_on_drop(true)
            .output()
            .await
            .expect("mmcli runs: install the package modemmanager");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["-m", "0", "--messaging-create-sms=number='+49170',text='hello'"]).await;
    run(&["-s", "0", "--send"]).await;
    assert_eq!(lookalike.sent_sms()[0].text, "hello");
    assert!(run(&["-m", "0", "--3gpp-ussd-initiate=*100#"]).await.contains("4.20"));
    run(&["-m", "0", "--simple-connect=apn=internet"]).await;
    assert!(lookalike.bearer(0, Some("internet"), None).is_some());
    run(&["-m", "0", "--simple-disconnect"]).await;
    assert!(lookalike.bearer(0, None, None).is_none());
    run(&["-m", "0", "--disable"]).await;
    run(&["-m", "0", "--enable"]).await;
}
