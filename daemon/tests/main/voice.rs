//! Calls and short messages beside the real ModemManager, with a simulated AT modem plugged into it.

use simbell_api::{CallsOutput, GetUsageParams, Sim};
use simbell_modemsim::at::{CallState, IncomingSms, Modem, Operator, Profile};
use simbell_modemsim::lab::{Lab, LabOptions, PATIENCE};

use crate::bell::{Bell, Home, until};

/// The card of the simulator; its home is in China.
const MOBILE: &str = "89860012345678901234";

const CONFIG: &str = "[channels.phone]\nkind = \"sms\"\nto = [\"+8613900139000\"]\n";

/// Every call as it is kept: way, class, zone, whether answered, whether time is certain, and how it ended.
const KEPT: &str =
    "SELECT iif(incoming, 'in', 'out'), number_class, zone, answered, seconds = seconds_min, ending
    FROM call ORDER BY id";

async fn registered(home: &Home) -> (Lab, Modem, Bell<'_>) {
    let mut lab = Lab::start(LabOptions::default()).await.unwrap();
    let modem = lab.add_modem(Profile::lte()).await.unwrap();
    lab.enable(&modem).await.unwrap();
    let bell = home.start_in(&lab).await;
    bell.sim_is("home", MOBILE, |s| s.roaming == Some(false)).await;
    (lab, modem, bell)
}

/// A call by the host.
async fn dial(lab: &Lab, modem: &Modem, number: &str) -> String {
    let path = lab.modem_path(modem).await.unwrap();
    let said =
        lab.mmcli(&["-m", path.as_str(), &format!("--voice-create-call=number={number}")]).await.unwrap();
    let call = said.split_whitespace().find(|word| word.contains("/Call/")).unwrap().to_owned();
    lab.mmcli(&["--call", &call, "--start"]).await.unwrap();
    call
}

/// Somebody calls; the call as ModemManager shows it.
async fn rings(lab: &Lab, modem: &Modem, number: &str) -> String {
    modem.call(number);
    until("the call", async || {
        let path = lab.modem_path(modem).await.unwrap();
        let list = lab.mmcli(&["-m", path.as_str(), "--voice-list-calls"]).await.unwrap();
        let ringing = list.lines().find(|line| line.contains("ringing-in"))?;
        ringing.split_whitespace().find(|word| word.contains("/Call/")).map(str::to_owned)
    })
    .await
}

async fn shows(lab: &Lab, call: &str, state: &str) {
    until(state, async || lab.mmcli(&["--call", call]).await.unwrap().contains(state).then_some(())).await;
}

async fn answered(lab: &Lab, modem: &Modem, call: &str) {
    modem.remote_answers().unwrap();
    shows(lab, call, "active").await;
}

async fn is(bell: &Bell<'_>, what: &str, wanted: impl Fn(&Sim) -> bool) -> Sim {
    bell.sim_is(what, MOBILE, wanted).await
}

async fn calls(bell: &Bell<'_>) -> CallsOutput {
    let question = GetUsageParams { by: "day".to_owned(), ..GetUsageParams::default() };
    bell.client().await.calls(&question).await.unwrap()
}

#[tokio::test]
async fn calls_are_counted_by_way_kind_of_number_and_zone() {
    let home = Home::new(&format!(
        "{CONFIG}[sims.home]\niccid = \"{MOBILE}\"\n[sims.home.numbers]\nfree = [\"1008*\"]\n"
    ));
    let (lab, modem, bell) = registered(&home).await;
    // Made and taken up; it is shown while it lasts.
    let call = dial(&lab, &modem, "+8613700137000").await;
    answered(&lab, &modem, &call).await;
    is(&bell, "a call under way", |s| s.calls.made == 1).await;
    let under_way = calls(&bell).await;
    assert_eq!((under_way.rows.len(), under_way.rows[0].under_way), (1, 1));
    modem.remote_hangs_up().unwrap();
    shows(&lab, &call, "terminated").await;
    // Made, and nobody takes it up.
    let call = dial(&lab, &modem, "+4930123456").await;
    modem.remote_rings().unwrap();
    shows(&lab, &call, "ringing-out").await;
    lab.mmcli(&["--call", &call, "--hangup"]).await.unwrap();
    // Free by the configuration.
    let call = dial(&lab, &modem, "10086").await;
    answered(&lab, &modem, &call).await;
    lab.mmcli(&["--call", &call, "--hangup"]).await.unwrap();
    shows(&lab, &call, "terminated").await;
    // Missed.
    let call = rings(&lab, &modem, "13700137001").await;
    modem.remote_hangs_up().unwrap();
    shows(&lab, &call, "terminated").await;
    // Taken abroad.
    modem.roam(&Operator::T_MOBILE_US);
    is(&bell, "abroad", |s| s.roaming == Some(true)).await;
    let call = rings(&lab, &modem, "+8613700137000").await;
    lab.mmcli(&["--call", &call, "--accept"]).await.unwrap();
    modem.call_in_state(CallState::Active, PATIENCE).await.unwrap();
    shows(&lab, &call, "active").await;
    modem.remote_hangs_up().unwrap();
    shows(&lab, &call, "terminated").await;

    let sim = is(&bell, "all of them", |s| s.calls.taken == 1 && s.calls.missed == 1).await;
    assert_eq!((sim.calls.made, sim.calls.unanswered, sim.calls.end_unknown), (2, 1, 0), "{sim:?}");
    let shown = calls(&bell).await;
    assert_eq!(shown.total, sim.calls);
    assert_eq!(shown.rows.len(), 5);
    bell.stop().await;
    let kept = home.sql(KEPT);
    let expected = [
        "out|national|home|1|1|seen",
        "out|international|home|0|1|seen",
        "out|free|home|1|1|seen",
        "in|national|home|0|1|seen",
        "in|national|roaming:310260|1|1|seen",
    ];
    assert_eq!(kept, expected.join("\n"));
    // No number is anywhere in the ledger.
    assert_eq!(home.sql("SELECT count(*) FROM call WHERE seconds > 0 AND answered"), "3");
    for number in ["13700137000", "13700137001", "30123456"] {
        let ledger = std::fs::read(home.path("state/ledger.db")).unwrap();
        let found = ledger.windows(number.len()).any(|window| window == number.as_bytes());
        assert!(!found, "{number} is in the ledger");
    }
}

#[tokio::test]
async fn a_killed_service_goes_on_with_the_call_that_modemmanager_still_shows() {
    let home = Home::new(CONFIG);
    let (lab, modem, bell) = registered(&home).await;
    let call = dial(&lab, &modem, "+8613700137000").await;
    answered(&lab, &modem, &call).await;
    is(&bell, "a call under way", |s| s.calls.made == 1).await;
    bell.kill();
    assert_eq!(home.sql("SELECT ending, answered FROM call"), "open|1");
    let bell = home.start_in(&lab).await;
    is(&bell, "the same call", |s| s.active == Some(true) && s.calls.made == 1).await;
    modem.remote_hangs_up().unwrap();
    shows(&lab, &call, "terminated").await;
    until("its end", async || (home.sql("SELECT ending FROM call") == "seen").then_some(())).await;
    bell.stop().await;
    assert_eq!(home.sql(KEPT), "out|national|home|1|1|seen");
}

#[tokio::test]
async fn a_call_that_ends_while_the_service_is_dead_ends_unknown_once() {
    let home = Home::new(CONFIG);
    let (lab, modem, bell) = registered(&home).await;
    let call = dial(&lab, &modem, "+8613700137000").await;
    answered(&lab, &modem, &call).await;
    is(&bell, "a call under way", |s| s.calls.made == 1).await;
    bell.kill();
    modem.remote_hangs_up().unwrap();
    shows(&lab, &call, "terminated").await;
    // Still shown as ended to each that begins anew.
    for _ in 0..2 {
        let bell = home.start_in(&lab).await;
        let sim = is(&bell, "its end", |s| s.calls.end_unknown == 1).await;
        assert_eq!(sim.calls.made, 1);
        assert!(sim.calls.made_seconds_min <= sim.calls.made_seconds, "{sim:?}");
        bell.kill();
    }
    assert_eq!(home.sql("SELECT count(*), ending FROM call"), "1|unknown");
}

#[tokio::test]
async fn a_call_over_which_modemmanager_dies_ends_unknown_once_its_modem_is_enabled_without_it() {
    let home = Home::new(CONFIG);
    let (mut lab, modem, bell) = registered(&home).await;
    let call = dial(&lab, &modem, "+8613700137000").await;
    answered(&lab, &modem, &call).await;
    is(&bell, "a call under way", |s| s.calls.made == 1).await;
    lab.mm_kill();
    bell.warns("modemmanager-gone").await;
    assert_eq!(home.sql("SELECT ending FROM call"), "open");
    lab.mm_start().await.unwrap();
    lab.enable(&modem).await.unwrap();
    let sim = is(&bell, "an end", |s| s.calls.end_unknown == 1).await;
    assert_eq!((sim.calls.made, sim.calls.made_seconds_min), (1, 0), "{sim:?}");
    assert!(sim.calls.made_seconds > 0);
    bell.stop().await;
    assert_eq!(home.sql("SELECT count(*), ending FROM call"), "1|unknown");
}

#[tokio::test]
async fn messages_are_counted_by_part_and_recipient_and_once_however_often_they_are_shown() {
    let home = Home::new(CONFIG);
    let (mut lab, modem, bell) = registered(&home).await;
    // By somebody else's hand, to one recipient by two spellings; one takes two parts.
    let path = lab.modem_path(&modem).await.unwrap();
    for (number, text) in [("+8613700137000", "短".repeat(71)), ("13700137000", "two".to_owned())] {
        let create = format!("--messaging-create-sms=text='{text}',number='{number}'");
        let said = lab.mmcli(&["-m", path.as_str(), &create]).await.unwrap();
        let sms = said.split_whitespace().find(|word| word.contains("/SMS/")).unwrap().to_owned();
        lab.mmcli(&["--sms", &sms, "--send"]).await.unwrap();
    }
    let sim = is(&bell, "both sent", |s| s.messages.sent == 2).await;
    assert_eq!((sim.messages.sent_parts, sim.messages.recipients), (3, 1), "{sim:?}");
    // The service's own, refused and then taken.
    modem.fail_sms(Some(38));
    bell.client().await.test_channel("phone").await.unwrap();
    is(&bell, "one that did not leave", |s| s.messages.failed > 0).await;
    modem.fail_sms(None);
    let sim = is(&bell, "one that left", |s| s.messages.sent == 3).await;
    assert_eq!(sim.messages.recipients, 2, "{sim:?}");

    modem.receive_sms(&IncomingSms::new("10086", &"长".repeat(71))).unwrap();
    let now = chrono::DateTime::from_timestamp(simbelld::clock::wall().as_secs(), 0).unwrap();
    modem.receive_sms(&crate::modemmanager::stamped("10010", "short", now)).unwrap();
    is(&bell, "one received", |s| s.messages.received == 1).await;
    lab.mm_kill();
    lab.mm_start().await.unwrap();
    lab.enable(&modem).await.unwrap();
    modem.receive_sms(&crate::modemmanager::stamped("10010", &"新".repeat(71), now)).unwrap();
    let sim = is(&bell, "another received", |s| s.messages.received == 2).await;
    assert_eq!(sim.messages.received_parts, 3, "what lay in the modem before is not counted: {sim:?}");
    bell.kill();
    let bell = home.start_in(&lab).await;
    let sim = is(&bell, "the same again", |s| s.active == Some(true) && s.messages.sent == 3).await;
    assert_eq!((sim.messages.received, sim.messages.recipients), (2, 2));
    let question = GetUsageParams { by: "hour".to_owned(), ..GetUsageParams::default() };
    let shown = bell.client().await.messages(&question).await.unwrap();
    assert_eq!(shown.total, sim.messages);
    bell.stop().await;
}
