//! Why a reminder is as it is.

use std::path::Path;
use std::process::Command;

use simbell_api::{ClientError, ControlError};

use crate::bell::{Home, beside, until};
use crate::stage::Stage;

const CONFIG: &str = "[sims.home]\niccid = \"8900100000000000001\"\nplan = { name = \"small\", data = \"1 GB\", every = \
                      \"month\", day = 1 }\n";

/// Reminds at 80 %, and of every message; fails at one that says so.
const RULE: &str = r#"
// Watches the allowance.
fn on_usage(sim) {
    let seen = recall("seen", 0);
    if sim.share >= 80.percent {
        remember("seen", seen + 1);
        remind("eighty", `${sim.share} used`);
    }
}
fn on_sms(sim, sms) {
    if sms.text.starts_with("fail") { let x = sms.txet; }
    if sms.text.starts_with("news") { remind("news", sms.text); }
    if sms.text == "over" { resolve("news"); }
}
"#;

fn ctl(home: &Home, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(beside("simbellctl"))
        .arg("--socket")
        .arg(home.socket())
        .args(arguments)
        .env("COLUMNS", "80")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn a_reminder_tells_why_it_is_there_and_what_holds_it_back() {
    let stage = Stage::new().await;
    let home = Home::new(CONFIG).with_rule("watch", RULE);
    let bell = stage.bell(&home).await;
    let bearer = stage.connected(&bell).await;

    // Before: the rule by its name.
    until("asked", async || (bell.rules().await[0].evaluations > 0).then_some(())).await;
    let why = bell.client().await.explain_reminder("watch", Some("home")).await.unwrap();
    assert!(why.reminder.is_none());
    assert!(why.standing.iter().any(|line| line.contains("raised nothing")), "{why:?}");

    stage.pass(&bearer, 820_000_000);
    let key = bell.reminder_is("watch/eighty/", |reminder| reminder.state == "firing").await.key;
    let why = bell.client().await.explain_reminder("eighty", None).await.unwrap();
    assert_eq!(why.reminder.as_ref().unwrap().key, key);
    let decision = why.decision.clone().unwrap();
    assert_eq!((decision.trigger.as_str(), decision.kept), ("usage", false));
    assert_eq!(decision.raised[0].text, "82% used");
    let saw = |name: &str| {
        decision.inputs.iter().find(|input| input.name == name).map(|input| input.value.as_str())
    };
    assert_eq!(saw("sim.share"), Some("82 %"));
    assert_eq!(saw("sim.remaining"), Some("180.00 MB"));
    assert!(why.standing[0].contains("is said once"), "{why:?}");
    assert!(why.standing.iter().any(|line| line.contains("Channel journal has delivered it")), "{why:?}");

    let (code, said, _) = ctl(&home, &["rules", "why", &key]);
    assert_eq!(code, 0);
    assert!(said.contains("What it saw") && said.contains("sim.share"), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");

    // The lines that ran: with the service's record, and from it alone.
    let config = home.socket().parent().and_then(Path::parent).unwrap().join("etc");
    let config = config.to_str().unwrap();
    let (code, said, _) = ctl(&home, &["rules", "why", &key, "--lines", "--config", config]);
    assert_eq!(code, 0);
    let marked =
        |mark: &str, text: &str| said.lines().any(|l| l.trim_start().starts_with(mark) && l.contains(text));
    assert!(marked(">", "remember(\"seen\"") && marked("-", "remind(\"news\""), "{said}");
    assert!(said.contains("it says the same"), "{said}");
    let (_, reply, _) = ctl(&home, &["rules", "why", &key, "--json"]);
    let record = home.socket().with_file_name("why.json");
    std::fs::write(&record, reply).unwrap();
    let trace = ["rules", "trace", "--json", "--config", config, record.to_str().unwrap()];
    let (code, traced, _) = ctl(&home, &trace);
    let traced: serde_json::Value = serde_json::from_str(&traced).unwrap();
    assert_eq!((code, traced["same"].as_bool(), traced["rule"].as_str()), (0, Some(true), Some("watch")));
    assert_eq!(traced["order"], serde_json::json!([4, 5, 6, 7]));
    // Changed, though not under the service's eyes.
    let changed = home.path("changed");
    std::fs::create_dir_all(changed.join("rules.d")).unwrap();
    std::fs::write(changed.join("simbell.toml"), "").unwrap();
    std::fs::write(changed.join("rules.d/watch.rhai"), RULE.replace("80.percent", "90.percent")).unwrap();
    let elsewhere =
        ["rules", "trace", "--json", "--config", changed.to_str().unwrap(), record.to_str().unwrap()];
    let (_, traced, _) = ctl(&home, &elsewhere);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&traced).unwrap()["same"].as_bool(), Some(false));
    std::fs::write(&record, "nonsense").unwrap();
    let (code, _, said) = ctl(&home, &trace);
    assert!(code == 1 && said.contains("no record of a decision"), "{said}");

    // Its standing is said as it changes; what the rule said is kept over a crash.
    bell.client().await.acknowledge(&key).await.unwrap();
    let why = bell.client().await.explain_reminder(&key, None).await.unwrap();
    assert!(why.standing[0].contains("Somebody acknowledged it"), "{why:?}");
    stage.says("news 1");
    let news = bell.reminder_is("watch/news/", |reminder| reminder.state == "firing").await.key;
    bell.kill();
    let bell = stage.bell(&home).await;
    let why = bell.client().await.explain_reminder(&news, None).await.unwrap();
    let decision = why.decision.unwrap();
    assert!(decision.kept);
    assert_eq!((decision.trigger.as_str(), decision.raised[0].text.as_str()), ("sms", "news 1"));
    assert!(decision.inputs.iter().any(|input| input.name == "sim.sms.received"), "{:?}", decision.inputs);

    // What is over is found by a part of its key as well.
    stage.says("over");
    let over = until("the news is over", async || {
        let why = bell.client().await.explain_reminder("news", None).await.unwrap();
        why.standing[0].contains("its rule said so").then_some(why)
    });
    assert_eq!(over.await.reminder.unwrap().key, news);

    let unknown = bell.client().await.explain_reminder("nosuch", None).await.unwrap_err();
    let ClientError::Refused { error: ControlError::UnknownReminder { message, .. }, .. } = unknown else {
        panic!("{unknown:?}")
    };
    assert!(message.contains("nosuch") && message.contains("no rule"), "{message}");
    let (code, _, said) = ctl(&home, &["rules", "why", "nosuch"]);
    assert_eq!(code, 1);
    assert!(said.contains("simbellctl rules"), "{said}");
}

#[tokio::test]
async fn a_rule_that_is_suspended_says_so_and_is_taken_up_again() {
    let stage = Stage::new().await;
    let home = Home::new(&format!("{CONFIG}[rules]\nsuspend_after = 2\n")).with_rule("watch", RULE);
    let bell = stage.bell(&home).await;
    stage.says("fail");
    let failures = async || bell.rules().await[0].failures;
    until("the first failure", async || (failures().await == 1).then_some(())).await;
    let why = bell.client().await.explain_reminder("watch", None).await.unwrap();
    assert!(why.decision.unwrap().error.unwrap().contains("watch.rhai:"), "where it failed");
    stage.says("hello");
    until("well again", async || (failures().await == 0).then_some(())).await;
    for text in ["fail 1", "fail 2"] {
        stage.says(text);
    }
    let rule = until("suspended", async || bell.rules().await.into_iter().find(|rule| rule.suspended)).await;
    assert!(!rule.enabled && rule.problem.unwrap().contains("watch.rhai:"));
    let (code, said, _) = ctl(&home, &["rules"]);
    assert_eq!(code, 0);
    assert!(said.contains("suspended"), "{said}");
    let (_, said, _) = ctl(&home, &["rules", "why", "watch"]);
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(words.join(" ").contains("`simbellctl rules resume watch`"), "{said}");

    let (code, said, _) = ctl(&home, &["rules", "resume", "watch"]);
    assert_eq!((code, said.as_str()), (0, "watch runs again.\n"));
    stage.says("news 2");
    bell.reminder_is("watch/news/", |reminder| reminder.text == "news 2").await;
    bell.is_well("rule-disabled").await;
    let (code, _, said) = ctl(&home, &["rules", "resume", "watch"]);
    assert_eq!(code, 1);
    assert!(said.contains("is not suspended"), "{said}");
}
