//! The carrier's view, of real traffic: connections rounded up, the carrier's figures, and corrections taken back.

use simbell_api::{
    ClientError, ControlError, ExplainUsageParams, GetUsageParams, ImportUsageParams, ImportedRow,
    ObserveUsageParams, SetUsageParams, UndoCorrectionParams, UndoImportParams, WithdrawObservationParams,
};

use crate::fixture::*;
use crate::wire::Wire;

const STEP: u64 = 1_000_000;

fn plan() -> String {
    "[sims.home.plan]\ndata = \"1 GB\"\nevery = \"month\"\nincrement = \"1 MB\"\nper = \"session\"\n"
        .to_owned()
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> ControlError {
    match answer.unwrap_err() {
        ClientError::Refused { error } => error,
        other => panic!("the service did not refuse: {other:?}"),
    }
}

#[tokio::test]
async fn each_connection_is_rounded_up_through_a_kill_and_a_change_of_plan() {
    let wire = Wire::new();
    let scene = Scene::new("billed", modem_spec(), &plan()).await;
    let mut daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    let bearer = scene.connect(&daemon, HOME, over_link()).await;
    wire.download(100, 1_000);
    let sum = |(rx, tx): (u64, u64)| rx + tx;
    assert_eq!(sum(daemon.counted(HOME).await), sum(wire.truth()));
    let sim = daemon.sim(HOME).await;
    assert_eq!((sim.measured_bytes, sim.billed_bytes), (sum(wire.truth()), Some(STEP)));
    assert_eq!(sim.used_bytes, STEP, "rules see what is billed");

    // The connection outlives the service: it is one still.
    daemon.kill();
    wire.download(100, 1_000);
    daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    daemon.sim_is("it is measured again", HOME, |sim| sim.connected == Some(true) && sim.measured).await;
    assert_eq!(sum(daemon.counted(HOME).await), sum(wire.truth()));
    assert_eq!(daemon.sim(HOME).await.billed_bytes, Some(STEP));

    // Another connection begins another step.
    scene.disconnect(&daemon, HOME, &bearer).await;
    scene.connect(&daemon, HOME, over_link()).await;
    wire.download(10, 1_000);
    daemon.counted(HOME).await;
    assert_eq!(daemon.sim(HOME).await.billed_bytes, Some(2 * STEP));
    let question = GetUsageParams {
        sim: Some("home".to_owned()),
        by: "cycle".to_owned(),
        from: None,
        to: None,
        after: None,
        limit: None,
    };
    let spans = daemon.client().await.billed(&question).await.unwrap();
    let [span] = spans.as_slice() else { panic!("one cycle: {spans:?}") };
    assert_eq!((span.measured_bytes, span.billed_bytes), (sum(wire.truth()), Some(2 * STEP)));

    // By other terms everything is worked out anew from the ledger: nothing is zeroed.
    let by_day = plan().replace("per = \"session\"", "per = \"day\"");
    scene.place.configure(&scene.bus.address(), &by_day);
    daemon.client().await.reload().await.unwrap();
    daemon.sim_is("one day is one step", HOME, |sim| sim.billed_bytes == Some(STEP)).await;
}

#[tokio::test]
async fn the_carriers_figures_teach_and_change_nothing_measured() {
    let wire = Wire::new();
    let scene = Scene::new("observed", modem_spec(), &plan()).await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    wire.download(12_000, 1_000);
    daemon.counted(HOME).await;
    let before = daemon.sim(HOME).await;
    let billed = before.billed_bytes.unwrap();
    assert!(billed >= 12 * STEP, "{before:?}");

    let figure =
        |bytes| ObserveUsageParams { sim: None, bytes, at: None, note: Some("their page".to_owned()) };
    let mut client = daemon.client().await;
    let taught = client.observe_usage(&figure(billed / 100 * 106)).await.unwrap();
    assert_eq!(taught.observation.standing, "used");
    assert_eq!(taught.calibration.factor_millionths, Some(1_060_000));
    assert_eq!(taught.calibrated_bytes, Some(billed / 100 * 106));
    let now = daemon.sim(HOME).await;
    assert_eq!((now.measured_bytes, now.billed_bytes), (before.measured_bytes, before.billed_bytes));
    assert_eq!(now.used_bytes, before.used_bytes, "thresholds do not move unless the plan says so");

    for (figure, says) in [
        (figure(0), "is 0"),
        (figure(billed * 11), "too far"),
        (ObserveUsageParams { at: Some("2099-01-01".to_owned()), ..figure(billed) }, "future"),
    ] {
        let refused = refusal(client.observe_usage(&figure).await);
        assert!(refused.message().contains(says), "{refused:?}");
    }
    let hostile = ObserveUsageParams { note: Some("a\u{202e}b".to_owned()), ..figure(billed) };
    assert!(matches!(refusal(client.observe_usage(&hostile).await), ControlError::InvalidArgument { .. }));

    let id = taught.observation.id;
    let back = WithdrawObservationParams { id, note: "of another SIM".to_owned() };
    assert_eq!(client.withdraw_observation(&back).await.unwrap().calibrated_bytes, None);
    assert!(matches!(refusal(client.withdraw_observation(&back).await), ControlError::AlreadyUndone { .. }));
    let all = client.observations(None).await.unwrap();
    let standings: Vec<&str> = all.iter().map(|one| one.standing.as_str()).collect();
    assert_eq!(standings, ["withdrawal", "withdrawn"]);
}

#[tokio::test]
async fn what_a_person_sets_is_shown_everywhere_whatever_the_carriers_figures_teach() {
    let wire = Wire::new();
    let terms = "[sims.home.plan]\ndata = \"1 GB\"\nevery = \"month\"\ncalibrate = true\n";
    let scene = Scene::new("set", modem_spec(), terms).await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    wire.download(12_000, 1_000);
    daemon.counted(HOME).await;
    let mut client = daemon.client().await;
    let said = daemon.sim(HOME).await.used_bytes / 100 * 120;
    let figure = ObserveUsageParams { sim: None, bytes: said, at: None, note: None };
    client.observe_usage(&figure).await.unwrap();
    let calibrated = daemon.sim(HOME).await;
    let before = calibrated.used_bytes;
    let explained = client.explain(&ExplainUsageParams::default()).await.unwrap();
    assert_eq!(
        explained.span.billed_bytes, calibrated.billed_bytes,
        "as the plan bills it, not as calibrated"
    );
    assert!(calibrated.billed_bytes < Some(before), "{calibrated:?}");
    let set = SetUsageParams { sim: None, bytes: 400_000_000, reason: None };
    let change = client.set_usage(&set).await.unwrap();
    assert_eq!((change.before_bytes, change.bytes), (before, 400_000_000));
    assert_eq!(client.set_usage(&set).await.unwrap().correction_bytes, 0, "it is so already");
    for arguments in [&["status"][..], &["usage"], &["usage", "--by", "cycle"], &["plan", "show"]] {
        let output = scene.place.ctl(arguments);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("400.00 MB"), "{arguments:?}: {said}");
    }
    let undo = UndoCorrectionParams { id: 1, reason: "typed wrong".to_owned() };
    assert_eq!(client.undo_correction(&undo).await.unwrap().bytes, before);
}

/// What another program measured may be in a figure that a person set: both together would be twice as much.
#[tokio::test]
async fn rows_that_come_and_go_where_usage_was_set_say_so() {
    let scene = Scene::new("set-import", modem_spec(), &plan()).await;
    let daemon = Daemon::start(&scene.place, None).await;
    daemon.sim_is("the SIM is in use", HOME, |sim| sim.active == Some(true)).await;
    let mut client = daemon.client().await;
    // In local time of the machine, as vnStat tells it.
    let hour = std::process::Command::new("date").arg("+%Y-%m-%dT%H:00").output().unwrap().stdout;
    let start = String::from_utf8(hour).unwrap().trim().to_owned();
    let row =
        ImportedRow { start, span: "hour".to_owned(), until: None, rx_bytes: 3_000_000, tx_bytes: 200_001 };
    let rows = |dry| ImportUsageParams {
        sim: None,
        interface: "wwan9".to_owned(),
        rows: vec![row.clone()],
        dry_run: Some(dry),
    };
    let out = UndoImportParams { sim: None, interface: "wwan9".to_owned() };
    assert_eq!(client.import_usage(&rows(false)).await.unwrap().corrected, None, "nobody corrected anything");
    assert_eq!(client.undo_import(&out).await.unwrap().corrected, None);

    let set = SetUsageParams { sim: None, bytes: 5_000_000, reason: None };
    client.set_usage(&set).await.unwrap();
    for dry in [true, false] {
        let done = client.import_usage(&rows(dry)).await.unwrap();
        let [cycle] = &done.corrected.unwrap()[..] else { panic!("one cycle") };
        assert!(cycle.current && cycle.correction_bytes == 5_000_000, "{cycle:?}");
        assert_eq!(
            (cycle.before_bytes, cycle.bytes),
            (5_000_000, 9_000_000),
            "as billed, and before the rows"
        );
    }
    assert_eq!(daemon.sim(HOME).await.used_bytes, 9_000_000);
    assert_eq!(
        client.import_usage(&rows(true)).await.unwrap().corrected,
        None,
        "they are in, and change nothing"
    );
    assert_eq!(client.set_usage(&set).await.unwrap().correction_bytes, -4_000_000);
    let done = client.undo_import(&out).await.unwrap();
    let [cycle] = &done.corrected.unwrap()[..] else { panic!("one cycle") };
    assert_eq!((cycle.before_bytes, cycle.bytes), (5_000_000, 1_000_000));
    assert_eq!(daemon.sim(HOME).await.used_bytes, 1_000_000);

    // What was taken back is off by nothing.
    for id in [2, 1] {
        let undo = UndoCorrectionParams { id, reason: "of no use".to_owned() };
        client.undo_correction(&undo).await.unwrap();
    }
    assert_eq!(client.import_usage(&rows(false)).await.unwrap().corrected, None);
}

#[tokio::test]
async fn a_reason_that_cannot_be_kept_whole_is_refused_and_nothing_is_changed() {
    let scene = Scene::new("reason", modem_spec(), "").await;
    let daemon = Daemon::start(&scene.place, None).await;
    daemon.sim_is("the SIM is in use", HOME, |sim| sim.active == Some(true)).await;
    let mut client = daemon.client().await;
    for (reason, says) in [
        ("x".repeat(201), "has 201 characters, and at most 200 are kept"),
        ("a\u{1b}[31mb".to_owned(), "control character"),
        ("a\u{202e}b".to_owned(), "reorders"),
    ] {
        let set = SetUsageParams { sim: None, bytes: 5_000_000, reason: Some(reason) };
        let refused = refusal(client.set_usage(&set).await);
        let ControlError::InvalidArgument { argument, message, .. } = &refused else { panic!("{refused:?}") };
        assert!(argument == "reason" && message.contains(says), "{refused:?}");
    }
    let longest = "流".repeat(200);
    assert_eq!(daemon.sim(HOME).await.measured_bytes, 0);
    let set = SetUsageParams { sim: None, bytes: 5_000_000, reason: Some(longest.clone()) };
    client.set_usage(&set).await.unwrap();
    let kept = client.corrections(None).await.unwrap();
    assert_eq!(kept.iter().map(|one| &one.reason).collect::<Vec<_>>(), [&longest]);
}

#[tokio::test]
async fn a_correction_is_taken_back_once_however_many_try() {
    let wire = Wire::new();
    let scene = Scene::new("undone", modem_spec(), "").await;
    let mut daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    daemon.sim_is("the SIM is in use", HOME, |sim| sim.active == Some(true)).await;
    let change = SetUsageParams { sim: None, bytes: 5_000_000, reason: Some("the app says so".to_owned()) };
    daemon.client().await.set_usage(&change).await.unwrap();
    let [correction] = &daemon.client().await.corrections(None).await.unwrap()[..] else { panic!("one") };
    let id = correction.id;
    assert_eq!((correction.bytes, correction.reason.as_str()), (5_000_000, "the app says so"));

    let (mut one, mut other) = (daemon.client().await, daemon.client().await);
    let which = UndoCorrectionParams { id, reason: "typed wrong".to_owned() };
    let (first, second) = tokio::join!(one.undo_correction(&which), other.undo_correction(&which));
    let (won, lost) = if first.is_ok() { (first, second) } else { (second, first) };
    let undone = won.unwrap();
    assert_eq!((undone.before_bytes, undone.bytes), (5_000_000, 0));
    assert_eq!((undone.correction.bytes, undone.correction.undoes), (-5_000_000, Some(id)));
    assert!(matches!(refusal(lost), ControlError::AlreadyUndone { .. }));

    daemon.kill();
    daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    let mut client = daemon.client().await;
    let all = client.corrections(None).await.unwrap();
    assert_eq!(all.iter().map(|one| one.bytes).collect::<Vec<_>>(), [-5_000_000, 5_000_000]);
    assert_eq!((all[1].undone_by, all[0].undone_by), (Some(all[0].id), None));
    for empty in ["", " "] {
        let set = SetUsageParams { sim: None, bytes: 7, reason: Some(empty.to_owned()) };
        assert!(matches!(refusal(client.set_usage(&set).await), ControlError::InvalidArgument { .. }));
        let undo = UndoCorrectionParams { id: all[0].id, reason: empty.to_owned() };
        assert!(matches!(refusal(client.undo_correction(&undo).await), ControlError::InvalidArgument { .. }));
    }
    let nobody = UndoCorrectionParams { id: 99, reason: "x".to_owned() };
    assert!(matches!(refusal(client.undo_correction(&nobody).await), ControlError::UnknownEntry { .. }));
    let long = UndoCorrectionParams { id: all[0].id, reason: "x".repeat(300) };
    assert!(matches!(refusal(client.undo_correction(&long).await), ControlError::InvalidArgument { .. }));
    // Taking the undoing back makes the first hold again.
    let again = UndoCorrectionParams { id: all[0].id, reason: "it was right".to_owned() };
    let third = client.undo_correction(&again).await.unwrap();
    assert_eq!(third.bytes, 5_000_000);
    // What is said of the first is what holds of it now.
    let third = third.correction.id;
    let ControlError::AlreadyUndone { message, hint } = refusal(client.undo_correction(&which).await) else {
        panic!("it was taken back before")
    };
    assert!(message.ends_with(&format!("and holds again by {third}")), "{message}");
    assert!(hint.contains(&format!("undo {third} ")), "{hint}");
    let out = UndoCorrectionParams { id: third, reason: "it was wrong".to_owned() };
    let fourth = client.undo_correction(&out).await.unwrap();
    assert_eq!(fourth.bytes, 0);
    let ControlError::AlreadyUndone { hint, .. } = refusal(client.undo_correction(&which).await) else {
        panic!("it was taken back before")
    };
    assert!(hint.contains(&format!("undo {} ", fourth.correction.id)), "{hint}");
}

/// The figures of a person who mistyped: what was set last is kept, and nothing ends below 0.
#[tokio::test]
async fn a_correction_is_not_taken_back_from_under_those_that_build_on_it() {
    let scene = Scene::new("overdrawn", modem_spec(), &plan()).await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    daemon.sim_is("the SIM is in use", HOME, |sim| sim.active == Some(true)).await;
    let mut client = daemon.client().await;
    for bytes in [3_000_000_000, 50_000_000_000, 3_000_000_000] {
        client.set_usage(&SetUsageParams { sim: None, bytes, reason: None }).await.unwrap();
    }
    let undo = |id| UndoCorrectionParams { id, reason: "was a typo".to_owned() };
    let refused = refusal(client.undo_correction(&undo(2)).await);
    let ControlError::Refused { message, hint } = &refused else { panic!("{refused:?}") };
    assert!(message.contains("47.00 GB") && message.contains("3.00 GB are used"), "{message}");
    assert!(hint.contains("usage corrections") && hint.contains("usage set"), "{hint}");
    assert_eq!(client.corrections(None).await.unwrap().len(), 3, "nothing was written");
    assert_eq!(daemon.sim(HOME).await.used_bytes, 3_000_000_000);
    // Newest first it works.
    assert_eq!(client.undo_correction(&undo(3)).await.unwrap().bytes, 50_000_000_000);
    assert_eq!(client.undo_correction(&undo(2)).await.unwrap().bytes, 3_000_000_000);

    // In a cycle gone by the ledger says it.
    daemon.kill();
    let change = |sql: &str| scene.place.ledger().execute_batch(sql).unwrap();
    change("UPDATE correction SET at_ms = at_ms - 90 * 86400000");
    daemon = Daemon::start(&scene.place, None).await;
    let mut client = daemon.client().await;
    assert_eq!(daemon.sim(HOME).await.used_bytes, 0);
    let refused = refusal(client.undo_correction(&undo(4)).await);
    assert!(refused.message().contains("3.00 GB are used"), "{refused:?}");

    // A ledger that is so already is told of wherever usage is shown, until it is not so any more.
    daemon.kill();
    change("UPDATE correction SET at_ms = at_ms + 90 * 86400000, bytes = -43900000000 WHERE id = 1");
    daemon = Daemon::start(&scene.place, None).await;
    daemon.warned("overdrawn").await;
    let shown = |arguments: &[&str]| {
        let output = scene.place.ctl(arguments);
        String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(daemon.sim(HOME).await.overdrawn_bytes, Some(43_900_000_000));
    let note = "home: corrections exceed what was counted in the cycle by 43.90 GB; the next 43.90 GB will not show.";
    for arguments in [&["usage"][..], &["usage", "--by", "cycle"], &["status"]] {
        let said = shown(arguments);
        assert!(said.contains(note), "{said}");
    }
    assert!(shown(&["usage"]).contains("Total -43.90 GB"), "{}", shown(&["usage"]));
    assert!(shown(&["usage", "explain"]).contains("the cycle's usage shows as 0"));
    let set = SetUsageParams { sim: None, bytes: 1_000, reason: None };
    assert_eq!(daemon.client().await.set_usage(&set).await.unwrap().bytes, 1_000);
    daemon.well("overdrawn").await;
}

/// Three of the carrier's figures of one amount billed: the middle one is the factor, the others are its spread.
#[tokio::test]
async fn the_factor_learnt_and_its_spread_are_shown() {
    let scene =
        Scene::new("spread", modem_spec(), "[sims.home.plan]\ndata = \"1 GB\"\nevery = \"month\"\n").await;
    let daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(90_000_000, 10_000_000);
    traffic.is_counted(&daemon).await;
    let run = |arguments: &[&str]| {
        let output = scene.place.ctl(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = |arguments: &[&str]| run(arguments).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!shown(&["sims"]).contains("carrier's count"), "nothing is learnt yet");
    let likely = |middle: &str, factor: &str, from: &str| {
        format!(
            "home: likely {middle} by the carrier's count, which is {factor} of the 100.00 MB billed ({from})."
        )
    };
    // One figure has no spread.
    let first = likely("105.00 MB", "105.00 %", "1 observation");
    let second = likely("104.00 MB", "104.00 %", "103.00 % to 105.00 %, 2 observations");
    let third = likely("105.00 MB", "105.00 %", "103.00 % to 108.25 %, 3 observations");
    for (figure, said) in [("105MB", &first), ("103MB", &second), ("108.25MB", &third)] {
        let answer = shown(&["usage", "observe", figure]);
        assert!(answer.contains("billed by then were 100.00 MB. It counts for the factor."), "{answer}");
        assert!(answer.contains(said), "{answer}");
        assert!(shown(&["sims"]).contains(said), "{}", shown(&["sims"]));
    }
    let sims: serde_json::Value = serde_json::from_str(&run(&["--json", "sims"])).unwrap();
    assert_eq!(
        sims["calibration"],
        serde_json::json!({
            "factor_millionths": 1_050_000, "lowest_millionths": 1_030_000, "highest_millionths": 1_082_500,
            "observations": 3,
        })
    );
    assert_eq!(sims["calibrated_bytes"], 105_000_000);
    let listed = run(&["usage", "observations"]);
    for (factor, carrier) in [("105.00 %", "105.00 MB"), ("103.00 %", "103.00 MB"), ("108.25 %", "108.25 MB")]
    {
        let row = listed.lines().find(|line| line.contains(factor)).unwrap_or_else(|| panic!("{listed}"));
        assert!(row.contains(carrier) && row.contains("100.00 MB") && row.contains("used"), "{listed}");
    }
    // One that is taken back teaches nothing any more, nor does it widen the spread.
    let back = shown(&["usage", "withdraw", "3", "--reason", "of another SIM"]);
    assert!(back.contains(&second), "{back}");
    assert!(shown(&["sims"]).contains(&second));
    assert_eq!(daemon.sim(HOME).await.used_bytes, 100_000_000, "and what is measured stays as it was");
}

#[tokio::test]
async fn as_measured_and_as_billed_are_of_one_reading_while_traffic_passes() {
    let wire = Wire::new();
    let scene = Scene::new("one-reading", modem_spec(), &plan().replace("1 GB", "10 TB")).await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    let _flood = wire.flood();
    let mut before = 0;
    for _ in 0..15 {
        let output = scene.place.ctl(&["--json", "usage", "--by", "cycle"]);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let of =
            |row: &serde_json::Value| row["rx_bytes"].as_u64().unwrap() + row["tx_bytes"].as_u64().unwrap();
        let rows: u64 = answer["rows"].as_array().unwrap().iter().map(of).sum();
        let billed = answer["billed"].as_array().unwrap();
        let measured: u64 = billed.iter().map(|span| span["measured_bytes"].as_u64().unwrap()).sum();
        assert_eq!((of(&answer["total"]), rows), (measured, measured), "{answer}");
        assert!(measured > before, "and of the moment");
        before = measured;
    }
}

#[tokio::test]
async fn more_than_anybody_can_have_used_is_refused_and_every_sum_fits() {
    const MOST: u64 = simbell_core::observation::MOST_USED;
    let scene = Scene::new("too-much", modem_spec(), "").await;
    let daemon = Daemon::start(&scene.place, None).await;
    daemon.sim_is("the SIM is in use", HOME, |sim| sim.active == Some(true)).await;
    let mut client = daemon.client().await;
    let set = |bytes| SetUsageParams { sim: None, bytes, reason: None };
    for bytes in [MOST + 1, 9_223_372_036_854_775_807, u64::MAX] {
        let ControlError::InvalidArgument { message, .. } = refusal(client.set_usage(&set(bytes)).await)
        else {
            panic!("{bytes} is taken")
        };
        assert!(message.ends_with("in a cycle: 10000.00 TB at most"), "{message}");
    }
    for bytes in [1_000, MOST, 100] {
        assert_eq!(client.set_usage(&set(bytes)).await.unwrap().bytes, bytes);
    }
    client.set_usage(&set(5_000)).await.unwrap();
    // Without the third, which takes nearly all away, it would be more than that.
    let third = client.corrections(None).await.unwrap()[1].id;
    let undo = UndoCorrectionParams { id: third, reason: "typed wrong".to_owned() };
    let ControlError::Refused { message, .. } = refusal(client.undo_correction(&undo).await) else {
        panic!("it is taken back")
    };
    assert!(message.contains("more than 10000.00 TB would be used"), "{message}");
    assert_eq!(daemon.sim(HOME).await.used_bytes, 5_000);
    assert_eq!(daemon.usage(HOME).await.total.correction_bytes, 5_000);
}

#[tokio::test]
async fn what_is_taken_back_of_a_cycle_gone_by_tells_of_that_cycle() {
    let scene = Scene::new("past-undo", modem_spec(), "").await;
    let mut daemon = Daemon::start(&scene.place, None).await;
    daemon.sim_is("the SIM is in use", HOME, |sim| sim.active == Some(true)).await;
    let set = |bytes| SetUsageParams { sim: None, bytes, reason: None };
    daemon.client().await.set_usage(&set(5_000_000)).await.unwrap();
    assert!(daemon.terminate().success());
    let earlier = "UPDATE correction SET at_ms = at_ms - 40 * 86400000";
    assert_eq!(scene.place.ledger().execute(earlier, []).unwrap(), 1);
    daemon = Daemon::start(&scene.place, None).await;
    let mut client = daemon.client().await;
    assert_eq!(client.set_usage(&set(700)).await.unwrap().before_bytes, 0);
    let past = client.corrections(None).await.unwrap()[1].id;
    let undo = UndoCorrectionParams { id: past, reason: "typed wrong".to_owned() };
    let undone = client.undo_correction(&undo).await.unwrap();
    assert_eq!((undone.before_bytes, undone.bytes), (5_000_000, 0));
    assert_eq!(daemon.sim(HOME).await.used_bytes, 700);
}
