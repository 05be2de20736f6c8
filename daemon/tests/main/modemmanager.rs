//! The service beside the real ModemManager, with a simulated AT modem plugged into it.

use std::io::ErrorKind;
use std::os::fd::AsFd as _;
use std::process::Command;

use chrono::{Datelike as _, Timelike as _};
use simbell_core::event::Event;
use simbell_core::ident::ModemId;
use simbell_modem::links::{LinkEvent, Links};
use simbell_modem::{BusAddress, Watcher};
use simbell_modemsim::at::{
    CallState, IncomingSms, Modem, Operator, Profile, Sim as Card, Timestamp, UssdAnswer,
};
use simbell_modemsim::lab::{Lab, LabOptions, PATIENCE};

use crate::bell::{Bell, Home, until};

/// The cards of the simulator.
pub const MOBILE: &str = "89860012345678901234";
const UNICOM: &str = "89860198765432109876";

const JOURNAL: &str = "[channels.log]\nkind = \"journal\"\n";

/// Says what every message says.
const EVERY_SMS: &str = r#"
// Passes on every message.
fn on_sms(sim, sms) { remind(`sms-${sms.id}`, `${sms.number}: ${sms.text}`); }
"#;

pub async fn lab(options: LabOptions, profile: Profile) -> (Lab, Modem) {
    let mut lab = Lab::start(options).await.unwrap();
    let modem = lab.add_modem(profile).await.unwrap();
    lab.enable(&modem).await.unwrap();
    (lab, modem)
}

/// A message sent just now: older ones are history and no news.
fn sms(sender: &str, text: &str) -> IncomingSms {
    let now = chrono::DateTime::from_timestamp(simbelld::clock::wall().as_secs(), 0).unwrap();
    stamped(sender, text, now)
}

/// A message sent at an instant.
pub fn stamped(sender: &str, text: &str, at: chrono::DateTime<chrono::Utc>) -> IncomingSms {
    let small = |number: u32| u8::try_from(number).unwrap();
    IncomingSms::new(sender, text).at(Timestamp {
        year: u8::try_from(at.year() - 2000).unwrap(),
        month: small(at.month()),
        day: small(at.day()),
        hour: small(at.hour()),
        minute: small(at.minute()),
        second: small(at.second()),
        quarters: 0,
    })
}

/// Waits for the reminder of a message with this text.
async fn passed_on(bell: &Bell<'_>, text: &str) -> simbell_api::Reminder {
    bell.reminder_is("", |r| r.key.contains("/sms-") && r.text.ends_with(text)).await
}

pub async fn connect(lab: &Lab, modem: &Modem) {
    let path = lab.modem_path(modem).await.unwrap();
    lab.mmcli(&["-m", path.as_str(), "--simple-connect=apn=cmnet"]).await.unwrap();
}

#[tokio::test]
async fn a_modem_comes_registers_roams_and_goes_while_modemmanager_comes_and_goes() {
    let home = Home::new(JOURNAL).with_shipped_rules();
    let mut lab = Lab::start(LabOptions::default()).await.unwrap();
    lab.mm_kill();
    // ModemManager is not there yet.
    let bell = home.start_in(&lab).await;
    assert!(bell.warns("modemmanager-gone").await.contains("systemctl start ModemManager"));
    let status = bell.status().await;
    assert_eq!((status.modemmanager.present, status.modemmanager.version), (false, None));
    assert_eq!(status.service.state, "degraded");
    bell.reminder_is("measuring-stopped/modemmanager-gone", |r| r.state == "firing").await;
    assert!(bell.sims().await.is_empty());

    lab.mm_start().await.unwrap();
    bell.is_well("modemmanager-gone").await;
    bell.is_resolved("measuring-stopped").await;
    let version = bell.status().await.modemmanager.version.unwrap();
    assert!(version.starts_with("1."), "{version}");

    let modem = lab.add_modem(Profile::lte()).await.unwrap();
    lab.enable(&modem).await.unwrap();
    let sim = bell.sim_is("home", MOBILE, |s| s.roaming == Some(false) && s.network.is_some()).await;
    assert_eq!(sim.imsi.as_deref(), Some("460001234567890"));
    assert_eq!(sim.network.as_deref(), Some("CHINA MOBILE"));
    assert!(sim.active == Some(true) && sim.connected == Some(false) && sim.measured, "{sim:?}");
    assert_eq!((sim.plan.as_deref(), sim.eid.as_deref()), (None, None));
    bell.reminder_is("no-plan/no-plan/", |r| r.state == "firing").await;

    modem.roam(&Operator::T_MOBILE_US);
    let abroad = bell.reminder_is("roaming-began/roaming/", |r| r.state == "firing").await;
    assert!(abroad.text.contains("T-Mobile US"), "{}", abroad.text);
    let sim = bell.sim_is("abroad", MOBILE, |s| s.roaming == Some(true)).await;
    assert_eq!(sim.network.as_deref(), Some("T-Mobile US"));
    modem.set_signal(1);
    bell.sim_is("a weak signal", MOBILE, |s| s.signal_percent == Some(20)).await;
    modem.register_home();
    bell.is_resolved("roaming-began").await;
    // Without a network it is where it was: no end of the roaming, no beginning of one.
    modem.search();
    bell.sim_is("no network", MOBILE, |s| s.active == Some(true) && s.network.is_none()).await;
    assert_eq!(bell.sim(MOBILE).await.unwrap().roaming, Some(false));
    modem.deny();
    modem.register_home();
    bell.sim_is("home again", MOBILE, |s| s.network.is_some()).await;

    lab.unplug(&modem).await.unwrap();
    bell.sim_is("in no modem", MOBILE, |s| s.active == Some(false) && s.network.is_none()).await;
    lab.plug(&modem).await.unwrap();
    lab.enable(&modem).await.unwrap();
    bell.sim_is("in the modem again", MOBILE, |s| s.active == Some(true) && s.roaming == Some(false)).await;

    // Killed, and back: paths begin at 0 again, and another modem has the first one's.
    let before = lab.modem_path(&modem).await.unwrap();
    lab.mm_kill();
    bell.warns("modemmanager-gone").await;
    bell.sim_is("seen by nobody", MOBILE, |s| s.active.is_none() && s.present.is_none() && !s.measured).await;
    lab.mm_start().await.unwrap();
    let after = lab.enable(&modem).await.unwrap();
    assert_ne!(before, after);
    bell.sim_is("back", MOBILE, |s| s.active == Some(true) && s.roaming == Some(false)).await;
    bell.is_well("modemmanager-gone").await;
    assert_eq!(bell.sims().await.len(), 1);
}

#[tokio::test]
async fn a_path_that_another_modem_has_after_a_restart_is_not_taken_for_the_first() {
    let home = Home::new(JOURNAL);
    let (mut lab, first) = lab(LabOptions::default(), Profile::lte()).await;
    let second = Profile::umts().with_imei("356938035643809").with_sim(Some(Card::china_unicom()));
    let second = lab.add_modem(second).await.unwrap();
    lab.enable(&second).await.unwrap();
    let bell = home.start_in(&lab).await;
    bell.sim_is("the first", MOBILE, |s| s.active == Some(true) && s.roaming == Some(false)).await;
    bell.sim_is("the second", UNICOM, |s| s.active == Some(true) && s.roaming.is_some()).await;
    let path = lab.modem_path(&first).await.unwrap();

    // Without the first, the second one gets its path.
    lab.unplug(&first).await.unwrap();
    lab.mm_kill();
    lab.mm_start().await.unwrap();
    assert_eq!(lab.enable(&second).await.unwrap(), path);
    bell.sim_is("the second alone", UNICOM, |s| s.active == Some(true) && s.roaming.is_some()).await;
    assert!(bell.sim(MOBILE).await.unwrap().active == Some(false));
    second.roam(&Operator::THREE_HK);
    bell.sim_is("the second abroad", UNICOM, |s| s.network.as_deref() == Some("3 HK")).await;
    assert_eq!(bell.sim(MOBILE).await.unwrap().network, None);
}

#[tokio::test]
async fn a_message_is_news_once_over_every_restart_and_long_ones_come_whole() {
    let home = Home::new(JOURNAL).with_rule("every-sms", EVERY_SMS);
    let (mut lab, modem) = lab(LabOptions::default(), Profile::lte()).await;
    let bell = home.start_in(&lab).await;
    bell.sim_is("home", MOBILE, |s| s.roaming == Some(false)).await;

    let long = "您的套餐剩余流量不足百分之十，请及时充值。😀".repeat(6);
    modem.receive_sms(&sms("10086", "500 MB left")).unwrap();
    modem.receive_sms(&sms("10010", &long)).unwrap();
    // Too old to be news.
    modem.receive_sms(&IncomingSms::new("10086", "of spring")).unwrap();
    let mut keys = Vec::new();
    for text in ["500 MB left", &long] {
        let said = passed_on(&bell, text).await;
        assert_eq!((said.state.as_str(), said.occurrence, said.sim.as_deref()), ("firing", 1, Some(MOBILE)));
        let seen = bell.client().await.acknowledge(&said.key).await.unwrap();
        keys.push((seen.key, seen.raised_at));
    }

    // Each of these has ModemManager show every stored message again, under new paths.
    lab.disable(&modem).await.unwrap();
    lab.enable(&modem).await.unwrap();
    unchanged(&bell, &modem, &keys, "one").await;
    lab.mm_kill();
    lab.mm_start().await.unwrap();
    lab.enable(&modem).await.unwrap();
    unchanged(&bell, &modem, &keys, "two").await;
    lab.unplug(&modem).await.unwrap();
    lab.plug(&modem).await.unwrap();
    lab.enable(&modem).await.unwrap();
    unchanged(&bell, &modem, &keys, "three").await;
    bell.kill();
    let bell = home.start_in(&lab).await;
    unchanged(&bell, &modem, &keys, "four").await;
    bell.stop().await;
    lab.mm_stop();
    lab.mm_start().await.unwrap();
    lab.enable(&modem).await.unwrap();
    let bell = home.start_in(&lab).await;
    unchanged(&bell, &modem, &keys, "five").await;
    let all = bell.reminders().await;
    assert_eq!(all.len(), 7, "{all:?}");
}

/// A message that is new comes through; those acknowledged before have not been said again.
async fn unchanged(bell: &Bell<'_>, modem: &Modem, keys: &[(String, String)], text: &str) {
    bell.sim_is("home", MOBILE, |s| s.active == Some(true) && s.roaming == Some(false)).await;
    modem.receive_sms(&sms("10086", text)).unwrap();
    passed_on(bell, text).await;
    for (key, raised_at) in keys {
        let reminder = bell.reminder(key).await.unwrap();
        assert_eq!((reminder.state.as_str(), &reminder.raised_at), ("acknowledged", raised_at), "{text}");
        assert_eq!(reminder.occurrence, 1, "{text}");
    }
    let again = bell.reminders().await.into_iter().filter(|r| r.text.ends_with("of spring")).count();
    assert_eq!(again, 0, "history is no news");
}

const BY_SMS: &str = r#"
[channels.phone]
kind = "sms"
to = ["+8613900139000"]
"#;

#[tokio::test]
async fn a_reminder_leaves_as_a_message_and_a_refused_one_is_tried_again() {
    let home = Home::new(BY_SMS).with_rule("every-sms", EVERY_SMS);
    let (lab, modem) = lab(LabOptions::default(), Profile::lte()).await;
    let bell = home.start_in(&lab).await;
    bell.sim_is("home", MOBILE, |s| s.roaming == Some(false)).await;
    modem.receive_sms(&sms("10086", "剩余 500 MB")).unwrap();
    let sent = modem.sent_sms_count(1, PATIENCE).await.unwrap();
    assert_eq!(sent[0].to, "+8613900139000");
    assert!(sent[0].text.contains("10086: 剩余 500 MB"), "{}", sent[0].text);
    let delivered = |r: &simbell_api::Reminder| matches!(r.deliveries.as_slice(), [one] if one.state == "delivered" && one.channel == "phone");
    bell.reminder_is("every-sms/", delivered).await;
    assert_eq!(bell.channel("phone").await.state, "ok");

    // What the network refuses has not left: it is tried again.
    modem.fail_sms(Some(38));
    modem.receive_sms(&sms("10086", "second")).unwrap();
    let refused = bell.warns("channel-failing").await;
    assert!(refused.contains("phone") && refused.contains("38"), "{refused}");
    modem.fail_sms(None);
    let sent = modem.sent_sms_count(2, PATIENCE).await.unwrap();
    assert!(sent[1].text.contains("second"), "{}", sent[1].text);
    bell.is_well("channel-failing").await;
    bell.stop().await;
    assert_eq!(
        home.sql("SELECT iccid, parts FROM sms WHERE direction = 'sent' ORDER BY id"),
        format!("{MOBILE}|1\n{MOBILE}|1")
    );
}

#[tokio::test]
async fn a_message_that_may_have_left_when_the_service_died_is_not_sent_again() {
    let home = Home::new(BY_SMS).with_rule("every-sms", EVERY_SMS);
    let (lab, modem) = lab(LabOptions::default(), Profile::lte()).await;
    let bell = home.start_in(&lab).await;
    bell.sim_is("home", MOBILE, |s| s.roaming == Some(false)).await;
    // The network takes the message, and the service is dead before it hears of it.
    modem.receive_sms(&sms("10086", "costs money")).unwrap();
    let said = passed_on(&bell, "costs money").await;
    modem.hears("AT+CMGS=", PATIENCE).await.unwrap();
    bell.kill();
    modem.sent_sms_count(1, PATIENCE).await.unwrap();
    let bell = home.start_in(&lab).await;
    bell.sim_is("home", MOBILE, |s| s.roaming == Some(false)).await;
    let outcome = bell.reminder(&said.key).await.unwrap().deliveries.remove(0);
    assert!(["failed", "delivered"].contains(&outcome.state.as_str()), "{outcome:?}");
    if outcome.state == "failed" {
        assert!(outcome.last_error.unwrap().contains("not known"));
    }
    // The next one leaves; what came before it has not left twice.
    modem.receive_sms(&sms("10086", "the next")).unwrap();
    let sent = modem.sent_sms_count(2, PATIENCE).await.unwrap();
    assert!(sent[0].text.contains("costs money"), "{}", sent[0].text);
    assert!(sent[1].text.contains("the next"), "{}", sent[1].text);
}

#[tokio::test]
async fn a_message_under_way_at_the_kill_is_given_up_with_its_reason() {
    let home = Home::new(BY_SMS);
    let (lab, modem) = lab(LabOptions::default(), Profile::lte()).await;
    let bell = home.start_in(&lab).await;
    bell.sim_is("home", MOBILE, |s| s.roaming == Some(false)).await;
    // The modem takes the message and says nothing.
    modem.hang(true);
    let mut client = bell.client().await;
    let testing = tokio::spawn(async move { client.test_channel("phone").await });
    until("the message under way", async || {
        (home.sql("SELECT state FROM delivery") == "sending").then_some(())
    })
    .await;
    bell.kill();
    assert!(testing.await.unwrap().is_err());
    let bell = home.start_in(&lab).await;
    modem.hang(false);
    bell.stop().await;
    let kept = home.sql("SELECT state, last_error FROM delivery");
    assert!(kept.starts_with("failed|") && kept.contains("not known"), "{kept}");
    assert!(modem.sent_sms().len() <= 1);
}

#[tokio::test]
async fn the_network_answers_ussd_and_speaks_by_itself() {
    let home = Home::new(JOURNAL);
    let (lab, modem) = lab(LabOptions::default(), Profile::lte()).await;
    let bell = home.start_in(&lab).await;
    bell.sim_is("home", MOBILE, |s| s.roaming == Some(false)).await;
    modem.on_ussd("*100#", UssdAnswer::Text("余额 12.50 元".to_owned()));
    modem.on_ussd("*111#", UssdAnswer::Menu { text: "1 balance".to_owned(), choices: [].into() });
    let (sender, mut events) = tokio::sync::mpsc::channel(64);
    let (watcher, commands) = Watcher::new(BusAddress::At(lab.address().to_owned()), sender);
    let watching = tokio::spawn(watcher.run());
    let id: ModemId = until("the modem", async || match events.recv().await {
        Some(Event::ModemSeen(view)) => Some(view.id),
        _ => None,
    })
    .await;
    let taking = tokio::spawn(async move { while events.recv().await.is_some() {} });
    assert_eq!(commands.ussd(&id, "*100#").await.unwrap(), "余额 12.50 元");
    // A menu is shown and left, so that the next code can be run.
    assert_eq!(commands.ussd(&id, "*111#").await.unwrap(), "1 balance");
    assert_eq!(commands.ussd(&id, "*100#").await.unwrap(), "余额 12.50 元");
    assert_eq!(commands.ussd(&id, "*999#").await.unwrap_err().kind(), "refused");

    let mut follower = bell.client().await.monitor().await.unwrap();
    while follower.next().await.unwrap().unwrap().event != "ready" {}
    modem.notify_ussd("You have 3 days left");
    let told = until("the network's words", async || {
        let event = follower.next().await.unwrap().unwrap();
        (event.event == "happened").then_some(event)
    })
    .await;
    assert!(told.text.unwrap().contains("USSD"));
    watching.abort();
    taking.abort();
}

#[tokio::test]
async fn a_locked_sim_is_said_and_unlocking_it_is_no_removal() {
    let home = Home::new(JOURNAL);
    let card = Card { pin: Some("1234".to_owned()), ..Card::china_mobile() };
    let mut lab = Lab::start(LabOptions::default()).await.unwrap();
    let modem = lab.add_modem(Profile::lte().with_sim(Some(card))).await.unwrap();
    let bell = home.start_in(&lab).await;
    let locked = bell.warns("modem-unusable").await;
    assert!(locked.contains("sim-pin") && locked.contains("mmcli -i any --pin"), "{locked}");
    lab.mmcli(&["-i", "any", "--pin=1234"]).await.unwrap_or_else(|error| panic!("{error}"));
    bell.is_well("modem-unusable").await;
    lab.enable(&modem).await.unwrap();
    let sim = bell.sim_is("home", MOBILE, |s| s.active == Some(true) && s.roaming == Some(false)).await;
    assert_eq!(sim.imsi.as_deref(), Some("460001234567890"));
    assert_eq!(bell.sims().await.len(), 1);
}

#[tokio::test]
async fn a_changed_card_is_another_sim() {
    let home = Home::new(JOURNAL);
    let (lab, modem) = lab(LabOptions::default(), Profile::telit()).await;
    let bell = home.start_in(&lab).await;
    bell.sim_is("the first card", MOBILE, |s| s.active == Some(true) && s.roaming == Some(false)).await;
    modem.insert_sim(None);
    let missing = bell.warns("modem-unusable").await;
    assert!(missing.contains("sim-missing"), "{missing}");
    bell.sim_is("no card", MOBILE, |s| s.active == Some(false)).await;
    modem.insert_sim(Some(Card::china_unicom()));
    bell.sim_is("the second card", UNICOM, |s| s.active == Some(true)).await;
    bell.is_well("modem-unusable").await;
    assert!(bell.sim(MOBILE).await.unwrap().active == Some(false));
    assert_eq!(bell.sims().await.len(), 2);
}

#[tokio::test]
async fn a_call_whose_end_nobody_saw_is_kept_as_one() {
    let home = Home::new(JOURNAL);
    let (mut lab, modem) = lab(LabOptions::default(), Profile::lte()).await;
    let bell = home.start_in(&lab).await;
    bell.sim_is("home", MOBILE, |s| s.roaming == Some(false)).await;
    for (number, seen) in [("+8613700137000", true), ("+8613700137001", false)] {
        modem.call(number);
        let call = until("the call", async || {
            let path = lab.modem_path(&modem).await.unwrap();
            let list = lab.mmcli(&["-m", path.as_str(), "--voice-list-calls"]).await.unwrap();
            let ringing = list.lines().find(|line| line.contains("ringing-in"))?;
            ringing.split_whitespace().find(|word| word.contains("/Call/")).map(str::to_owned)
        })
        .await;
        lab.mmcli(&["--call", &call, "--accept"]).await.unwrap();
        modem.call_in_state(CallState::Active, PATIENCE).await.unwrap();
        until("an active call", async || {
            lab.mmcli(&["--call", &call]).await.unwrap().contains("active").then_some(())
        })
        .await;
        if seen {
            modem.remote_hangs_up().unwrap();
            until("the end of the call", async || {
                lab.mmcli(&["--call", &call]).await.unwrap().contains("terminated").then_some(())
            })
            .await;
        } else {
            lab.mm_kill();
            bell.warns("modemmanager-gone").await;
        }
    }
    bell.stop().await;
    // Nobody saw the second one's end: it is in the ledger, and goes on where ModemManager shows it again.
    let kept = home.sql("SELECT iccid, incoming, answered, ending FROM call ORDER BY id");
    assert_eq!(kept, format!("{MOBILE}|1|1|seen\n{MOBILE}|1|1|open"));
    assert_eq!(home.sql("SELECT count(*) FROM call WHERE seconds < 0"), "0");
}

/// IP bytes received and sent on an interface where the lab's programs live, by the kernel's word to `ip`.
fn counted(command: &mut Command, interface: &str) -> (u64, u64) {
    let output = command.args(["-s", "-j", "link", "show", "dev", interface]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let links: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let ip_bytes = |direction: &str| {
        let counters = &links[0]["stats64"][direction];
        counters["bytes"].as_u64().unwrap() - 14 * counters["packets"].as_u64().unwrap()
    };
    (ip_bytes("rx"), ip_bytes("tx"))
}

#[tokio::test]
async fn traffic_counts_to_the_byte_and_by_zone_also_when_unplugged_in_the_midst_of_it() {
    let home = Home::new(JOURNAL);
    let (mut lab, modem) = lab(LabOptions::kernel(), Profile::ublox()).await;
    let bell = home.start_in(&lab).await;
    bell.sim_is("home", MOBILE, |s| s.roaming == Some(false)).await;
    connect(&lab, &modem).await;
    bell.sim_is("connected", MOBILE, |s| s.connected == Some(true) && s.measured).await;
    let link = lab.link(&modem).unwrap();
    link.download(500_000).unwrap();
    link.upload(200_029).unwrap();
    assert_eq!(bell.sim(MOBILE).await.unwrap().measured_bytes, 700_029);
    assert_eq!(bell.used_in(MOBILE, "home").await, (500_000, 200_029));

    // Abroad, what passes is attributed to the network abroad, and nothing to what is neither.
    modem.roam(&Operator::T_MOBILE_US);
    bell.sim_is("abroad", MOBILE, |s| s.roaming == Some(true)).await;
    link.download(30_000).unwrap();
    assert_eq!(bell.used_in(MOBILE, "roaming:310260").await, (30_000, 0));
    modem.register_home();
    bell.sim_is("home again", MOBILE, |s| s.roaming == Some(false)).await;
    link.upload(1_000).unwrap();
    assert_eq!(bell.used_in(MOBILE, "home").await, (500_000, 201_029));
    let zones: std::collections::BTreeSet<String> =
        bell.usage(MOBILE).await.into_iter().map(|row| row.zone).collect();
    assert_eq!(zones.into_iter().collect::<Vec<_>>(), ["home", "roaming:310260"]);

    // Unplugged under traffic: the kernel's last word, heard by another listener than the service, and what the far end
    // received, one datagram at a time, say what had left at the very end.
    let (listening, last_word) = last_word_of("wwan0", link.near_namespace());
    listening.recv().unwrap();
    let (started, running) = std::sync::mpsc::channel();
    let traffic = std::thread::spawn(move || {
        let (mut arrived, mut lost) = (0, 0);
        let end = loop {
            match link.upload(DATAGRAM) {
                Ok(()) => arrived += DATAGRAM,
                // The kernel drops what it has no room for, or as the interface goes: before it is counted or after.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    lost += 1
                }
                Err(error) => break error,
            }
            let _ = started.send(());
        };
        (arrived, lost, end)
    });
    if (0..1_000).any(|_| running.recv().is_err()) {
        panic!("the traffic ended before the modem was unplugged: {:?}", traffic.join().unwrap());
    }
    lab.unplug(&modem).await.unwrap();
    let (arrived, lost, end) = traffic.join().unwrap();
    let (_, tx) = last_word.join().unwrap();
    bell.sim_is("in no modem", MOBILE, |s| s.active == Some(false)).await;
    let left = tx - 201_029;
    // The last one may have left without having arrived, and beside it one at most before.
    assert!(
        lost <= 2 && (0..=lost.max(1)).any(|more| left == arrived + more * DATAGRAM),
        "{left} left, {arrived} arrived, {lost} datagrams did not, then {end}"
    );
    let all = 530_000 + tx;
    assert_eq!(bell.sim(MOBILE).await.unwrap().measured_bytes, all);

    // It returns, with an interface that counts from 0.
    lab.plug(&modem).await.unwrap();
    lab.enable(&modem).await.unwrap();
    connect(&lab, &modem).await;
    bell.sim_is("connected again", MOBILE, |s| s.connected == Some(true) && s.measured).await;
    lab.link(&modem).unwrap().upload(77_777).unwrap();
    assert_eq!(bell.sim(MOBILE).await.unwrap().measured_bytes, all + 77_777);
    // Beside what it sent last, the interface, a veth end, sets back what it received: nobody can tell that this was nothing.
    let gaps: Vec<String> = bell.usage(MOBILE).await.into_iter().filter_map(|row| row.gap).collect();
    assert_eq!(gaps, ["counter-reset"]);

    // The same figure in the ledger after an end in order and a start anew.
    bell.stop().await;
    assert_eq!(home.sql("SELECT sum(rx_bytes + tx_bytes) FROM usage"), (all + 77_777).to_string());
}

/// IP bytes of a datagram.
const DATAGRAM: u64 = 1_000;

/// Listens for the end of an interface in a network namespace: tells when it listens, and then its final IP bytes,
/// received and sent.
fn last_word_of(
    interface: &'static str,
    namespace: &std::path::Path,
) -> (std::sync::mpsc::Receiver<()>, std::thread::JoinHandle<(u64, u64)>) {
    let namespace = std::fs::File::open(namespace).unwrap();
    let (ready, listening) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let network = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(namespace.as_fd(), network).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut links = Links::open().unwrap();
            links.read(None).unwrap();
            ready.send(()).unwrap();
            loop {
                if let LinkEvent::Vanished(end) = links.event().await.unwrap()
                    && end.reading.name == interface
                {
                    return end.reading.ip_bytes();
                }
            }
        })
    });
    (listening, thread)
}

#[tokio::test]
async fn what_passes_while_modemmanager_is_away_counts_and_a_kill_of_the_service_loses_nothing() {
    let home = Home::new(JOURNAL);
    let (mut lab, modem) = lab(LabOptions::kernel(), Profile::ublox()).await;
    let bell = home.start_in(&lab).await;
    connect(&lab, &modem).await;
    bell.sim_is("connected", MOBILE, |s| s.connected == Some(true) && s.measured).await;
    let link = lab.link(&modem).unwrap();
    link.download(10_000).unwrap();
    assert_eq!(bell.sim(MOBILE).await.unwrap().measured_bytes, 10_000);
    lab.mm_kill();
    bell.warns("modemmanager-gone").await;
    link.download(5_000).unwrap();
    lab.mm_start().await.unwrap();
    link.download(300).unwrap();
    lab.enable(&modem).await.unwrap();
    connect(&lab, &modem).await;
    bell.sim_is("connected again", MOBILE, |s| s.connected == Some(true)).await;
    link.upload(2_000).unwrap();
    let counted = counted(&mut lab.command("ip").unwrap(), "wwan0");
    assert_eq!(counted, (15_300, 2_000));
    assert_eq!(bell.sim(MOBILE).await.unwrap().measured_bytes, 17_300);

    bell.kill();
    link.download(40_000).unwrap();
    let bell = home.start_in(&lab).await;
    bell.sim_is("what passed meanwhile", MOBILE, |s| s.measured_bytes == 57_300).await;
    // The network ends the connection by itself.
    modem.drop_data(true);
    bell.sim_is("not connected", MOBILE, |s| s.active == Some(true) && s.connected == Some(false)).await;
}

#[tokio::test]
async fn a_ppp_connection_is_measured_only_where_its_interface_is_named() {
    let home = Home::new(JOURNAL).with_shipped_rules();
    let (lab, modem) = lab(LabOptions::kernel(), Profile::lte()).await;
    let bell = home.start_in(&lab).await;
    bell.sim_is("home", MOBILE, |s| s.roaming == Some(false)).await;
    connect(&lab, &modem).await;
    let warned = bell.warns("not-measured").await;
    assert!(warned.contains("counting.ppp_interface"), "{warned}");
    let sim = bell.sim_is("connected", MOBILE, |s| s.connected == Some(true)).await;
    assert!(!sim.measured);
    bell.reminder_is("measuring-stopped/not-measured", |r| r.state == "firing").await;
    assert_eq!(bell.status().await.service.state, "degraded");

    home.config(&format!("{JOURNAL}[counting]\nppp_interface = \"ppp0\"\n"));
    bell.reload().await.unwrap();
    let warned = until("the missing interface", async || {
        bell.warning("not-measured").await.filter(|w| w.text.contains("does not exist now"))
    });
    warned.await;
    // What pppd makes; no program sends on it but the one below.
    let script = "set -e
        ip link add ppp0 type veth peer name far-ppp
        ip link set ppp0 addrgenmode none multicast off
        ip link set far-ppp addrgenmode none multicast off
        ip address add 10.99.0.1/30 dev ppp0
        ip neighbour replace 10.99.0.2 lladdr 02:00:00:00:00:01 dev ppp0 nud permanent
        ip link set far-ppp up
        ip link set ppp0 up";
    let output = lab.command("sh").unwrap().args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    bell.is_well("not-measured").await;
    bell.is_resolved("measuring-stopped").await;
    assert!(bell.sim(MOBILE).await.unwrap().measured);
    let mut send = lab.command("bash").unwrap();
    send.args(["-c", "for n in 1 2 3; do printf %0100d 0 > /dev/udp/10.99.0.2/9; done"]);
    assert!(send.status().unwrap().success());
    assert_eq!(counted(&mut lab.command("ip").unwrap(), "ppp0"), (0, 384));
    bell.sim_is("384 bytes", MOBILE, |s| s.measured_bytes == 384).await;
}

#[tokio::test]
async fn without_rights_messages_leave_by_the_polkit_rule_and_without_it_the_refusal_is_said() {
    let rule =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../contrib/polkit/50-simbell.rules"))
            .unwrap();
    // The rule that is installed, for the user that the test has.
    let rule = rule.replace("\"simbell\"", "\"nobody\"");
    assert!(rule.contains("nobody"));
    let home = Home::new(BY_SMS).with_rule("every-sms", EVERY_SMS);
    let (lab, modem) = lab(LabOptions::system(""), Profile::lte()).await;
    let bell = home.start_in_as(&lab, "nobody").await;
    // Everything is seen without any rule.
    bell.sim_is("home", MOBILE, |s| s.roaming == Some(false) && s.imsi.is_some()).await;
    modem.receive_sms(&sms("10086", "first")).unwrap();
    let said = passed_on(&bell, "first").await;
    let refused = bell.warns("channel-failing").await;
    assert!(refused.contains("phone") && refused.contains("not authorized"), "{refused}");
    assert!(refused.contains("polkit rule"), "{refused}");
    let missing = bell.warns("not-authorized").await;
    assert!(missing.contains("polkit"), "{missing}");
    assert_eq!(bell.channel("phone").await.state, "failing");
    assert!(modem.sent_sms().is_empty());

    lab.polkit_rules(&rule).unwrap();
    let sent = modem.sent_sms_count(1, PATIENCE).await.unwrap();
    assert!(sent[0].text.contains("first"), "{}", sent[0].text);
    bell.is_well("channel-failing").await;
    bell.is_well("not-authorized").await;
    let delivered = |r: &simbell_api::Reminder| r.deliveries.iter().all(|d| d.state == "delivered");
    bell.reminder_is(&said.key, delivered).await;
}
