//! The AT modem against the real ModemManager, seen through the real mmcli.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as the tests do

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use simbell_modemsim::at::{CallState, IncomingSms, IpMethod, Modem, Operator, Profile, Sim, UssdAnswer};
use simbell_modemsim::lab::{Lab, LabOptions, PATIENCE};

const BETWEEN: Duration = Duration::from_millis(50);

/// A lab with one modem that is registered.
async fn registered(options: LabOptions, profile: Profile) -> (Lab, Modem) {
    let mut lab = Lab::start(options).await.unwrap();
    let modem = lab.add_modem(profile).await.unwrap();
    lab.enable(&modem).await.unwrap();
    (lab, modem)
}

/// What `mmcli … -K` prints, key by key.
async fn keys(lab: &Lab, arguments: &[&str]) -> BTreeMap<String, String> {
    let printed = lab.mmcli(&[arguments, &["-K"]].concat()).await.unwrap_or_default();
    let pairs = printed.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(key, value)| (key.trim().to_owned(), unescaped(value.trim()))).collect()
}

/// Undoes what `-K` does to everything beyond ASCII: `\342\202\254` for €.
fn unescaped(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = (*first == b'\\').then(|| tail.get(..3)).flatten();
        let octal = octal.and_then(|o| u8::from_str_radix(std::str::from_utf8(o).ok()?, 8).ok());
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    String::from_utf8(bytes).unwrap()
}

/// Asks mmcli about the modem until a key has a value.
async fn shows(lab: &Lab, modem: &Modem, key: &str, wanted: &str) {
    option_shows(lab, modem, &[], key, wanted).await;
}

/// The same for the modem's USSD dialogue.
async fn ussd_shows(lab: &Lab, modem: &Modem, key: &str, wanted: &str) {
    option_shows(lab, modem, &["--3gpp-ussd-status"], key, wanted).await;
}

async fn option_shows(lab: &Lab, modem: &Modem, option: &[&str], key: &str, wanted: &str) {
    let seen = std::cell::RefCell::default();
    let looking = until(async || {
        let path = lab.modem_path(modem).await.unwrap();
        *seen.borrow_mut() = keys(lab, &[&["-m", path.as_str()], option].concat()).await;
        (seen.borrow().get(key).map(String::as_str) == Some(wanted)).then_some(())
    });
    assert!(looking.await.is_some(), "{key} did not become {wanted}: {:#?}", seen.borrow());
}

/// Looks until there is something to see; `None` when there never is.
async fn until<T>(look: impl AsyncFn() -> Option<T>) -> Option<T> {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(BETWEEN).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.ok()
}

/// The texts of all complete received SMS, as mmcli shows them.
async fn texts(lab: &Lab, modem: &Modem) -> Vec<(String, String)> {
    let path = lab.modem_path(modem).await.unwrap();
    let list = keys(lab, &["-m", path.as_str(), "--messaging-list-sms"]).await;
    let mut texts = Vec::new();
    for (_, sms) in list.iter().filter(|(key, _)| key.contains("value[")) {
        let sms = keys(lab, &["-s", sms]).await;
        if sms.get("sms.properties.state").map(String::as_str) == Some("received") {
            texts.push((sms["sms.content.number"].clone(), sms["sms.content.text"].clone()));
        }
    }
    texts.sort();
    texts
}

#[tokio::test]
async fn a_virtual_modem_appears_enables_and_registers() {
    let (lab, modem) = registered(LabOptions::default(), Profile::lte()).await;
    let path = lab.modem_path(&modem).await.unwrap();
    let keys = keys(&lab, &["-m", path.as_str()]).await;
    let get = |key: &str| keys[key].as_str();
    assert_eq!(get("modem.generic.state"), "registered");
    assert_eq!(get("modem.generic.manufacturer"), "Simbell");
    assert_eq!(get("modem.generic.equipment-identifier"), "490154203237518");
    assert_eq!(get("modem.generic.own-numbers.value[1]"), "+8613800138000");
    shows(&lab, &modem, "modem.3gpp.registration-state", "home").await;
    shows(&lab, &modem, "modem.3gpp.operator-code", "46000").await;
    shows(&lab, &modem, "modem.3gpp.operator-name", "CHINA MOBILE").await;
    shows(&lab, &modem, "modem.generic.access-technologies.value[1]", "lte").await;
    shows(&lab, &modem, "modem.generic.signal-quality.value", "80").await;
}

#[tokio::test]
async fn a_umts_modem_registers_too() {
    let (lab, modem) = registered(LabOptions::default(), Profile::umts()).await;
    shows(&lab, &modem, "modem.generic.access-technologies.value[1]", "umts").await;
    shows(&lab, &modem, "modem.3gpp.registration-state", "home").await;
}

#[tokio::test]
async fn it_roams_is_refused_searches_and_comes_home() {
    let (lab, modem) = registered(LabOptions::default(), Profile::lte()).await;
    modem.roam(&Operator::T_MOBILE_US);
    shows(&lab, &modem, "modem.3gpp.registration-state", "roaming").await;
    shows(&lab, &modem, "modem.3gpp.operator-code", "310260").await;
    shows(&lab, &modem, "modem.3gpp.operator-name", "T-Mobile US").await;
    modem.deny();
    shows(&lab, &modem, "modem.3gpp.registration-state", "denied").await;
    modem.search();
    shows(&lab, &modem, "modem.3gpp.registration-state", "searching").await;
    modem.register_home();
    shows(&lab, &modem, "modem.3gpp.registration-state", "home").await;
    shows(&lab, &modem, "modem.3gpp.operator-code", "46000").await;
    modem.set_signal(1);
    shows(&lab, &modem, "modem.generic.signal-quality.value", "20").await;
}

#[tokio::test]
async fn sms_in_every_alphabet_and_in_parts_arrive_with_their_text() {
    let (lab, modem) = registered(LabOptions::default(), Profile::lte()).await;
    let long_gsm = "Your balance is 12.50 € {see @web}. ".repeat(6).trim_end().to_owned();
    let long_ucs2 = "您的套餐剩余流量不足百分之十，请及时充值。😀".repeat(5);
    let wanted = [
        ("+8613800138001", "price: @ £ € {}[]~"),
        ("10086", "您的余额为 12 元 😀"),
        ("Simbell", long_gsm.as_str()),
        ("10010", long_ucs2.as_str()),
    ];
    for (sender, text) in wanted {
        modem.receive_sms(&IncomingSms::new(sender, text)).unwrap();
    }
    let mut wanted: Vec<(String, String)> = wanted.map(|(s, t)| (s.to_owned(), t.to_owned())).to_vec();
    wanted.sort();
    until(async || (texts(&lab, &modem).await.len() == wanted.len()).then_some(()))
        .await
        .expect("all four SMS");
    assert_eq!(texts(&lab, &modem).await, wanted);
}

/// Creates and sends an SMS with mmcli.
async fn send(lab: &Lab, modem: &Modem, text: &str) -> Result<String, simbell_modemsim::lab::LabError> {
    let path = lab.modem_path(modem).await?;
    let create = format!("--messaging-create-sms=number=\"+8613900139000\",text=\"{text}\"");
    let created = lab.mmcli(&["-m", path.as_str(), &create, "-K"]).await?;
    let sms = created.split_whitespace().find(|word| word.contains("/SMS/")).unwrap().to_owned();
    lab.mmcli(&["-s", &sms, "--send"]).await
}

#[tokio::test]
async fn sms_that_are_sent_reach_the_network_with_their_text() {
    let (lab, modem) = registered(LabOptions::default(), Profile::lte()).await;
    let long = "流量提醒：本月已用 9 GB，共 10 GB。".repeat(6);
    modem.fail_sms(Some(38));
    let refused = send(&lab, &modem, "lost").await.unwrap_err();
    assert!(refused.to_string().contains("38"), "{refused}");
    modem.fail_sms(None);
    for text in ["hello {€}", &long] {
        send(&lab, &modem, text).await.unwrap();
    }
    let sent = modem.sent_sms_count(2, PATIENCE).await.unwrap();
    assert_eq!(
        (sent[0].to.as_str(), sent[0].text.as_str(), sent[0].parts),
        ("+8613900139000", "hello {€}", 1)
    );
    assert_eq!((sent[1].text.as_str(), sent[1].parts), (long.as_str(), 3));
    assert_eq!(sent.len(), 2);
}

#[tokio::test]
async fn sms_that_arrive_in_haste_are_all_there_after_the_next_enable() {
    let (lab, modem) = registered(LabOptions::default(), Profile::lte()).await;
    for number in 0..10 {
        modem.receive_sms_hastily(&IncomingSms::new("10086", &format!("number {number}"))).unwrap();
    }
    lab.disable(&modem).await.unwrap();
    lab.enable(&modem).await.unwrap();
    until(async || (texts(&lab, &modem).await.len() == 10).then_some(())).await.expect("ten SMS");
}

#[tokio::test]
async fn a_status_report_is_an_sms_of_its_own() {
    let (lab, modem) = registered(LabOptions::default(), Profile::lte()).await;
    send(&lab, &modem, "hello").await.unwrap();
    let sent = modem.sent_sms_count(1, PATIENCE).await.unwrap().remove(0);
    modem.report_delivery(&sent);
    until(async || {
        let sms = keys(&lab, &["-s", "1"]).await;
        let report = sms.get("sms.properties.pdu-type").map(String::as_str) == Some("status-report");
        report.then(|| assert_eq!(sms["sms.content.number"], "+8613900139000"))
    })
    .await
    .expect("the report");
}

#[tokio::test]
async fn ussd_codes_and_menus_are_answered() {
    let (lab, modem) = registered(LabOptions::default(), Profile::lte()).await;
    let path = lab.modem_path(&modem).await.unwrap();
    modem.on_ussd("*100#", UssdAnswer::Text("余额 12.50 元".to_owned()));
    let choices = [("1".to_owned(), UssdAnswer::Text("9 GB left".to_owned()))].into();
    modem.on_ussd("*101#", UssdAnswer::Menu { text: "1 data 2 balance".to_owned(), choices });
    let ask = async |what: &str| lab.mmcli(&["-m", path.as_str(), what]).await;
    assert!(ask("--3gpp-ussd-initiate=*100#").await.unwrap().contains("余额 12.50 元"));
    assert!(ask("--3gpp-ussd-initiate=*101#").await.unwrap().contains("1 data 2 balance"));
    ussd_shows(&lab, &modem, "modem.3gpp.ussd.status", "user-response").await;
    assert!(ask("--3gpp-ussd-respond=1").await.unwrap().contains("9 GB left"));
    assert!(ask("--3gpp-ussd-initiate=*999#").await.is_err());
    modem.notify_ussd("5 GB used");
    ussd_shows(&lab, &modem, "modem.3gpp.ussd.network-notification", "5 GB used").await;
    assert_eq!(modem.ussd_requests(), ["*100#", "*101#", "1", "*999#"]);
}

/// The paths and states of the modem's calls.
async fn calls(lab: &Lab, modem: &Modem) -> Vec<(String, String)> {
    let path = lab.modem_path(modem).await.unwrap();
    let list = keys(lab, &["-m", path.as_str(), "--voice-list-calls"]).await;
    let mut calls = Vec::new();
    for (_, call) in list.iter().filter(|(key, _)| key.contains("value[")) {
        let state = keys(lab, &["--call", call]).await;
        calls.push((call.clone(), state.get("call.properties.state").cloned().unwrap_or_default()));
    }
    calls
}

/// Waits for a call in a state and returns its path.
async fn call_in(lab: &Lab, modem: &Modem, wanted: &str) -> String {
    let found = until(async || {
        let calls = calls(lab, modem).await;
        calls.into_iter().find(|(_, state)| state == wanted).map(|(path, _)| path)
    });
    found.await.unwrap_or_else(|| panic!("no call that is {wanted}"))
}

#[tokio::test]
async fn calls_come_in_and_go_out() {
    let (lab, modem) = registered(LabOptions::default(), Profile::lte()).await;
    modem.call("+8613700137000");
    let call = call_in(&lab, &modem, "ringing-in").await;
    let number = keys(&lab, &["--call", &call]).await;
    assert_eq!(number["call.properties.number"], "+8613700137000");
    lab.mmcli(&["--call", &call, "--accept"]).await.unwrap();
    modem.call_in_state(CallState::Active, PATIENCE).await.unwrap();
    modem.remote_hangs_up().unwrap();
    assert_eq!(call_in(&lab, &modem, "terminated").await, call);

    let path = lab.modem_path(&modem).await.unwrap();
    lab.mmcli(&["-m", path.as_str(), &format!("--voice-delete-call={call}")]).await.unwrap();
    let created = lab.mmcli(&["-m", path.as_str(), "--voice-create-call=number=10086"]).await.unwrap();
    let call = created.split_whitespace().find(|word| word.contains("/Call/")).unwrap().to_owned();
    lab.mmcli(&["--call", &call, "--start"]).await.unwrap();
    let dialled = modem.call_in_state(CallState::Dialing, PATIENCE).await.unwrap();
    assert_eq!(dialled.number, "10086");
    modem.remote_rings().unwrap();
    call_in(&lab, &modem, "ringing-out").await;
    modem.remote_answers().unwrap();
    call_in(&lab, &modem, "active").await;
    lab.mmcli(&["--call", &call, "--hangup"]).await.unwrap();
    call_in(&lab, &modem, "terminated").await;
    assert!(modem.calls().is_empty());
    assert!(modem.remote_hangs_up().is_err());
}

#[tokio::test]
async fn a_virtual_modem_is_unplugged_and_returns() {
    let (mut lab, modem) = registered(LabOptions::default(), Profile::lte()).await;
    let before = lab.modem_path(&modem).await.unwrap();
    lab.unplug(&modem).await.unwrap();
    assert!(!lab.mmcli(&["-L"]).await.unwrap().contains("/Modem/"));
    lab.plug(&modem).await.unwrap();
    let after = lab.enable(&modem).await.unwrap();
    assert_ne!(before, after);
    shows(&lab, &modem, "modem.generic.state", "registered").await;
}

#[tokio::test]
async fn modemmanager_is_killed_and_returns_with_the_modem_disabled() {
    let (mut lab, modem) = registered(LabOptions::default(), Profile::lte()).await;
    modem.receive_sms(&IncomingSms::new("10086", "kept")).unwrap();
    until(async || (texts(&lab, &modem).await.len() == 1).then_some(())).await.expect("the SMS");
    lab.mm_kill();
    assert!(lab.mmcli(&["-L"]).await.is_err());
    lab.mm_start().await.unwrap();
    shows(&lab, &modem, "modem.generic.state", "disabled").await;
    let path = lab.enable(&modem).await.unwrap();
    assert!(path.as_str().ends_with("/Modem/0"), "{path:?}");
    until(async || (texts(&lab, &modem).await.len() == 1).then_some(())).await.expect("the stored SMS");
    lab.mm_stop();
    lab.mm_start().await.unwrap();
    lab.enable(&modem).await.unwrap();
}

#[tokio::test]
async fn a_locked_sim_is_opened_with_its_pin() {
    let sim = Sim { pin: Some("1234".to_owned()), ..Sim::china_mobile() };
    let mut lab = Lab::start(LabOptions::default()).await.unwrap();
    let modem = lab.add_modem(Profile::lte().with_sim(Some(sim))).await.unwrap();
    shows(&lab, &modem, "modem.generic.state", "locked").await;
    shows(&lab, &modem, "modem.generic.unlock-required", "sim-pin").await;
    let path = lab.modem_path(&modem).await.unwrap();
    let sim = keys(&lab, &["-m", path.as_str()]).await["modem.generic.sim"].clone();
    assert!(lab.mmcli(&["-i", &sim, "--pin=9999"]).await.is_err());
    shows(&lab, &modem, "modem.generic.unlock-retries.value[1]", "sim-pin (2)").await;
    lab.mmcli(&["-i", &sim, "--pin=1234"]).await.unwrap();
    shows(&lab, &modem, "modem.generic.state", "disabled").await;
    lab.enable(&modem).await.unwrap();
}

#[tokio::test]
async fn a_changed_sim_makes_a_new_modem() {
    let (lab, modem) = registered(LabOptions::default(), Profile::telit()).await;
    let before = lab.modem_path(&modem).await.unwrap();
    modem.insert_sim(None);
    shows(&lab, &modem, "modem.generic.state-failed-reason", "sim-missing").await;
    modem.insert_sim(Some(Sim::china_unicom()));
    let path = until(async || {
        let path = lab.modem_path(&modem).await.unwrap();
        let keys = keys(&lab, &["-m", path.as_str()]).await;
        (keys.get("modem.generic.state").map(String::as_str) == Some("disabled")).then_some(path)
    })
    .await
    .expect("the modem with the new SIM");
    assert_ne!(before, path);
    let sim = keys(&lab, &["-m", path.as_str()]).await["modem.generic.sim"].clone();
    assert_eq!(keys(&lab, &["-i", &sim]).await["sim.properties.iccid"], "89860198765432109876");
}

#[tokio::test]
async fn two_modems_are_independent() {
    let (mut lab, first) = registered(LabOptions::default(), Profile::lte()).await;
    let second = Profile::umts().with_imei("356938035643809").with_sim(Some(Sim::china_unicom()));
    let second = lab.add_modem(second).await.unwrap();
    lab.enable(&second).await.unwrap();
    first.roam(&Operator::THREE_HK);
    shows(&lab, &first, "modem.3gpp.registration-state", "roaming").await;
    shows(&lab, &second, "modem.3gpp.registration-state", "home").await;
    lab.unplug(&first).await.unwrap();
    shows(&lab, &second, "modem.generic.state", "registered").await;
}

#[tokio::test]
async fn a_ppp_bearer_connects_and_disconnects() {
    let (lab, modem) = registered(LabOptions::default(), Profile::lte()).await;
    let path = lab.modem_path(&modem).await.unwrap();
    lab.mmcli(&["-m", path.as_str(), "--simple-connect=apn=cmnet"]).await.unwrap();
    shows(&lab, &modem, "modem.generic.state", "connected").await;
    assert!(modem.contexts().iter().any(|context| context.active));
    modem.roam(&Operator::THREE_HK);
    shows(&lab, &modem, "modem.3gpp.registration-state", "roaming").await;
    lab.mmcli(&["-m", path.as_str(), "--simple-disconnect"]).await.unwrap();
    shows(&lab, &modem, "modem.generic.state", "registered").await;
    modem.refuse_data(Some("no credit"));
    assert!(lab.mmcli(&["-m", path.as_str(), "--simple-connect=apn=cmnet"]).await.is_err());
}

#[tokio::test]
async fn a_modem_that_hung_answers_again() {
    let (lab, modem) = registered(LabOptions::default(), Profile::lte()).await;
    let path = lab.modem_path(&modem).await.unwrap();
    modem.hang(true);
    assert!(lab.mmcli(&["--timeout=5", "-m", path.as_str(), "--3gpp-ussd-initiate=*100#"]).await.is_err());
    modem.hang(false);
    modem.on_ussd("*100#", UssdAnswer::Text("back".to_owned()));
    until(async || {
        lab.mmcli(&["-m", path.as_str(), "--3gpp-ussd-initiate=*100#"]).await.is_ok().then_some(())
    })
    .await
    .expect("an answer again");
}

/// IP bytes received and sent on the modem's interface, as the kernel counts them less the Ethernet headers.
fn counters(lab: &Lab, interface: &str) -> (u64, u64) {
    let mut command = lab.command("ip").unwrap();
    let output = command.args(["-s", "-j", "link", "show", "dev", interface]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let links: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let ip_bytes = |direction: &str| {
        let counters = &links[0]["stats64"][direction];
        counters["bytes"].as_u64().unwrap() - 14 * counters["packets"].as_u64().unwrap()
    };
    (ip_bytes("rx"), ip_bytes("tx"))
}

/// Connects and returns what mmcli shows of the bearer.
async fn connect(lab: &Lab, modem: &Modem) -> BTreeMap<String, String> {
    let path = lab.modem_path(modem).await.unwrap();
    lab.mmcli(&["-m", path.as_str(), "--simple-connect=apn=cmnet"]).await.unwrap();
    shows(lab, modem, "modem.generic.state", "connected").await;
    let bearer = keys(lab, &["-m", path.as_str()]).await["modem.generic.bearers.value[1]"].clone();
    keys(lab, &["-b", &bearer]).await
}

#[tokio::test]
async fn a_kernel_modem_has_a_bearer_on_a_real_interface_that_counts() {
    let (lab, modem) = registered(LabOptions::kernel(), Profile::ublox()).await;
    let bearer = connect(&lab, &modem).await;
    assert_eq!(bearer["bearer.status.interface"], "wwan0");
    assert_eq!(bearer["bearer.ipv4-config.method"], "dhcp");
    assert_eq!(counters(&lab, "wwan0"), (0, 0));
    let link = lab.link(&modem).unwrap();
    link.download(500_000).unwrap();
    link.upload(28).unwrap();
    link.upload(200_001).unwrap();
    assert_eq!(counters(&lab, "wwan0"), (500_000, 200_029));
    modem.drop_data(true);
    shows(&lab, &modem, "modem.generic.state", "registered").await;
}

#[tokio::test]
async fn a_static_address_is_shown_where_the_modem_bridges() {
    let profile = Profile { ip_method: IpMethod::Static, ..Profile::ublox() };
    let (lab, modem) = registered(LabOptions::kernel(), profile).await;
    let bearer = connect(&lab, &modem).await;
    assert_eq!(bearer["bearer.ipv4-config.method"], "static");
    assert_eq!(bearer["bearer.ipv4-config.address"], "10.64.0.2");
    assert_eq!(bearer["bearer.ipv4-config.prefix"], "30");
}

#[tokio::test]
async fn a_kernel_modem_is_unplugged_under_traffic_and_returns() {
    let (mut lab, modem) = registered(LabOptions::kernel(), Profile::ublox()).await;
    connect(&lab, &modem).await;
    let link = lab.link(&modem).unwrap();
    let (started, running) = std::sync::mpsc::channel();
    let traffic = std::thread::spawn(move || {
        while link.download(100_000).is_ok() {
            let _ = started.send(());
        }
    });
    running.recv().unwrap();
    lab.unplug(&modem).await.unwrap();
    traffic.join().unwrap();
    assert!(!lab.mmcli(&["-L"]).await.unwrap().contains("/Modem/"));
    assert!(lab.link(&modem).is_err());

    lab.plug(&modem).await.unwrap();
    lab.enable(&modem).await.unwrap();
    connect(&lab, &modem).await;
    lab.link(&modem).unwrap().upload(1_000).unwrap();
    assert_eq!(counters(&lab, "wwan0"), (0, 1_000));
}

#[tokio::test]
async fn a_killed_modemmanager_finds_kernel_modems_again_and_their_counters_went_on() {
    let (mut lab, modem) = registered(LabOptions::kernel(), Profile::ublox()).await;
    connect(&lab, &modem).await;
    let link = lab.link(&modem).unwrap();
    link.download(10_000).unwrap();
    lab.mm_kill();
    link.download(5_000).unwrap();
    lab.mm_start().await.unwrap();
    shows(&lab, &modem, "modem.generic.state", "disabled").await;
    lab.enable(&modem).await.unwrap();
    assert_eq!(connect(&lab, &modem).await["bearer.status.interface"], "wwan0");
    assert_eq!(counters(&lab, "wwan0"), (15_000, 0));
}

#[tokio::test]
async fn a_generic_kernel_modem_speaks_over_its_terminals() {
    let (lab, modem) = registered(LabOptions::kernel(), Profile::lte()).await;
    shows(&lab, &modem, "modem.generic.plugin", "generic").await;
    modem.receive_sms(&IncomingSms::new("10086", "over a terminal")).unwrap();
    until(async || (texts(&lab, &modem).await.len() == 1).then_some(())).await.expect("the SMS");
    send(&lab, &modem, "and back").await.unwrap();
    assert_eq!(modem.sent_sms_count(1, PATIENCE).await.unwrap()[0].text, "and back");
    connect(&lab, &modem).await;
    let path = lab.modem_path(&modem).await.unwrap();
    lab.mmcli(&["-m", path.as_str(), "--simple-disconnect"]).await.unwrap();
    shows(&lab, &modem, "modem.generic.state", "registered").await;
}

/// Lets nobody send SMS.
const RULE: &str = r#"polkit.addRule(function(action, subject) {
    if (subject.user == "nobody" && action.id == "org.freedesktop.ModemManager1.Messaging") return polkit.Result.YES;
});"#;

/// Creates an SMS as nobody; the error is what mmcli said.
fn create_as_nobody(lab: &Lab, path: &str) -> Result<String, String> {
    let mut command = lab.command_as("nobody", "mmcli").unwrap();
    command.args(["-m", path, "--messaging-create-sms=number=10086,text=hi"]);
    let output = command.output().unwrap();
    let said =
        String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr }).into();
    if output.status.success() { Ok(said) } else { Err(said) }
}

#[tokio::test]
async fn on_a_system_bus_polkit_decides_who_sends_sms() {
    let (lab, modem) = registered(LabOptions::system(""), Profile::lte()).await;
    let path = lab.modem_path(&modem).await.unwrap();
    let refused = create_as_nobody(&lab, path.as_str()).unwrap_err();
    assert!(refused.contains("org.freedesktop.ModemManager1.Messaging"), "{refused}");
    lab.polkit_rules(RULE).unwrap();
    until(async || create_as_nobody(&lab, path.as_str()).ok()).await.expect("the rule to be in force");

    let (allowed, modem) = registered(LabOptions::system(RULE), Profile::lte()).await;
    let path = allowed.modem_path(&modem).await.unwrap();
    create_as_nobody(&allowed, path.as_str()).unwrap();
}

#[tokio::test]
async fn a_lab_leaves_nothing_behind() {
    let (mut lab, modem) = registered(LabOptions::kernel(), Profile::ublox()).await;
    let dir = lab.dir().to_owned();
    lab.unplug(&modem).await.unwrap();
    lab.plug(&modem).await.unwrap();
    drop((lab, modem));
    assert!(!dir.exists());
    assert!(processes_of(&dir).is_empty(), "{:?}", processes_of(&dir));
}

/// The command lines of programs that have to do with a lab's directory or bus.
fn processes_of(dir: &Path) -> Vec<String> {
    let name = dir.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let read = |file: &str| std::fs::read(process.path().join(file)).unwrap_or_default();
        let (line, environment) = (read("cmdline"), read("environ"));
        if [&line, &environment].iter().any(|text| String::from_utf8_lossy(text).contains(&name)) {
            found.push(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
    found
}

#[tokio::test]
async fn the_program_plays_a_modem_by_hand_and_its_death_takes_all_with_it() {
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_simbell-modemsim"))
        .args(["at", "--kernel", "--model", "ublox"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(program.stdout.take().unwrap()).lines();
    let address = printed.next().unwrap().unwrap();
    let (_, address) = address.split_once('=').unwrap();
    let dir = PathBuf::from(address.strip_prefix("unix:path=").unwrap()).parent().unwrap().to_owned();
    program.stdin.as_mut().unwrap().write_all(b"ussd *100# 12\nsms 10086 hi\nroam\n").unwrap();
    let mmcli = |arguments: &[&str]| {
        let mut mmcli = std::process::Command::new("mmcli");
        let output = mmcli.env("DBUS_SYSTEM_BUS_ADDRESS", address).args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    mmcli(&["-m", "0", "--enable"]);
    until(async || mmcli(&["-m", "0", "-K"]).contains(": roaming").then_some(())).await.expect("roaming");
    until(async || mmcli(&["-s", "0", "-K"]).contains(": hi").then_some(())).await.expect("the SMS");
    let count = processes_of(&dir).len();
    assert!(count >= 3, "{:?}", processes_of(&dir));
    program.kill().unwrap();
    program.wait().unwrap();
    until(async || processes_of(&dir).is_empty().then_some(())).await.expect("every program to end");
    let leftover = std::fs::remove_dir_all(&dir);
    assert!(leftover.is_ok() || !dir.exists());
}
