//! Reminders, from what happens through the rules to who receives them.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use simbell_api::Reminder;
use simbell_modemsim::lookalike::{BearerSpec, PrivateBus};

use crate::bell::{Bell, Home, beside, until};
use crate::receivers::{Receiver, authority, header};
use crate::stage::{ICCID, Stage};

/// Passes on every message; what it begins with says how.
const PASS_ON: &str = r#"
// Passes on every message.
fn on_sms(sim, sms) {
    let how = #{};
    if sms.text.starts_with("nag") { how.repeat = 1.second; }
    if sms.text.starts_with("critical") { how.urgency = "critical"; }
    if sms.text.starts_with("mail") { how.channels = ["mail"]; }
    remind(slug(sms.text), sms.text, how);
}
"#;

fn hook(name: &str, port: u16) -> String {
    format!("[channels.{name}]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/{name}\"\n")
}

fn mail(port: u16) -> String {
    format!(
        "[channels.mail]\nkind = \"email\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n\
         from = \"bell@router.test\"\nto = [\"owner@mail.test\"]\n"
    )
}

/// The body of a webhook's request.
fn body(request: &serde_json::Value) -> serde_json::Value {
    serde_json::from_str(request["body"].as_str().unwrap()).unwrap()
}

fn delivered(reminder: &Reminder) -> bool {
    !reminder.deliveries.is_empty() && reminder.deliveries.iter().all(|d| d.state == "delivered")
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A plan of which 85 % are used in a second.
const SCENARIO: &str = r#"
name = "most-of-it"

[[sim]]
name = "home"
iccid = "8900100000000000017"
imsi = "001010000000017"
operator_code = "00101"
operator_name = "Home Mobile"

[[modem]]
name = "phone"
imei = "350000000000017"
slots = [["home"]]

[[step]]
at = "1s"
action = "connect"
apn = "internet"

[[step]]
at = "1500ms"
action = "traffic"
rx = "850MB"
tx = "1MB"
for = "1s"
"#;

#[tokio::test]
async fn a_reminder_by_a_misspelt_channel_is_said_another_way_and_told() {
    let stage = Stage::new().await;
    let home = Home::new("[channels.journal]\nkind = \"journal\"\n").with_rule("pass-on", PASS_ON);
    let bell = stage.bell(&home).await;
    // Before anything could have been lost.
    let early = bell.warns("channel-unknown").await;
    assert!(early.contains("The rule pass-on reminds by \"mail\", and") && early.contains("journal"));
    stage.says("mail me");
    let reminder = bell.reminder_is("pass-on/mail-me", delivered).await;
    assert_eq!(reminder.deliveries.iter().map(|one| one.channel.as_str()).collect::<Vec<_>>(), ["journal"]);
    let why = bell.client().await.explain_reminder(&reminder.key, None).await.unwrap();
    let stands =
        "The configuration has no channel mail: it goes as a reminder without `channels` does, by journal.";
    assert!(why.standing.iter().any(|line| line == stands), "{:?}", why.standing);
    bell.stop().await;
}

#[tokio::test]
async fn a_scenario_rings_by_mail_and_push_with_secrets_that_systemd_handed_over() {
    let made = authority();
    let mut post = Receiver::smtp(&[
        "--tls",
        "starttls",
        "--cert",
        &made.cert,
        "--key",
        &made.key,
        "--user",
        "bell",
        "--password",
        "canary-mail",
    ]);
    let mut push = Receiver::http(&[]);
    let home = Home::new(&format!(
        r#"
[sims.home]
iccid = "8900100000000000017"
plan = {{ name = "one gigabyte", data = "1 GB", every = "month", day = 31 }}

[channels.mail]
kind = "email"
host = "localhost"
port = {post}
ca_file = "{ca}"
user = "bell"
password = {{ credential = "smtp-password" }}
from = "simbell <bell@router.test>"
to = ["owner@mail.test"]

[channels.phone]
kind = "ntfy"
url = "http://127.0.0.1:{push}"
topic = {{ credential = "ntfy-topic" }}
token = {{ credential = "ntfy-token" }}
"#,
        post = post.port,
        push = push.port,
        ca = made.ca,
    ))
    .with_shipped_rules();
    for (name, secret) in
        [("smtp-password", "canary-mail\n"), ("ntfy-topic", "canary-topic"), ("ntfy-token", "canary-token")]
    {
        home.credential(name, secret);
    }
    let bell = home.simulate(SCENARIO).await;
    let received = until("the mail about 80 %", async || {
        let mail = post.received().await;
        mail["text"].as_str().unwrap().contains("85.1% of the data used").then_some(mail)
    })
    .await;
    assert_eq!((&received["tls"], &received["login"]), (&true.into(), &"bell".into()));
    assert_eq!(header(&received, "Subject"), "home: reminder");
    assert!(received["text"].as_str().unwrap().contains("149 MB of 1 GB left"), "{received}");
    let request = until("the push about 80 %", async || {
        let request = push.received().await;
        request["body"].as_str().unwrap().contains("85.1%").then_some(request)
    })
    .await;
    assert_eq!(request["headers"]["authorization"], "Bearer canary-token");
    let pushed = body(&request);
    assert_eq!((&pushed["topic"], &pushed["priority"]), (&"canary-topic".into(), &4.into()));
    let reminder = bell.reminder_is("data-thresholds/data-80/", delivered).await;
    assert_eq!((reminder.sim_name.as_deref(), reminder.urgency.as_str()), (Some("home"), "warning"));
    assert_eq!(bell.sim("8900100000000000017").await.unwrap().billed_bytes, Some(851_000_000));
    bell.stop().await;
    assert!(!home.log().contains("canary"), "{}", home.log());
    assert_eq!(home.sql("SELECT count(*) FROM delivery WHERE message LIKE '%canary%'"), "0");
}

#[tokio::test]
async fn after_a_kill_between_sending_and_recording_the_same_message_comes_again() {
    let stage = Stage::new().await;
    let mut post = Receiver::smtp(&["--reply", "hold"]);
    let mut push =
        Receiver::http(&["--reply", r#"{"status": 200, "hold": true}"#, "--reply", r#"{"status": 200}"#]);
    let home = Home::new(&[mail(post.port), hook("push", push.port)].concat()).with_rule("pass-on", PASS_ON);
    let bell = stage.bell(&home).await;
    stage.says("low on data");
    // Both have it, and neither has said so.
    let (first_mail, first_push) = (post.received().await, push.received().await);
    bell.kill();
    let bell = stage.bell(&home).await;
    let (second_mail, second_push) = (post.received().await, push.received().await);
    assert_eq!(header(&first_mail, "Message-ID"), header(&second_mail, "Message-ID"));
    assert_eq!(first_mail["text"], second_mail["text"]);
    assert_eq!(body(&first_push)["id"], body(&second_push)["id"]);
    assert_eq!(first_push["headers"]["idempotency-key"], second_push["headers"]["idempotency-key"]);
    assert!(first_push["headers"]["idempotency-key"].as_str().unwrap().contains("pass-on/low-on-data"));
    bell.reminder_is("pass-on/low-on-data/", delivered).await;

    // What was recorded does not come again, and what is new has another name.
    bell.kill();
    let bell = stage.bell(&home).await;
    stage.says("the next");
    let (mail, request) = (post.received().await, push.received().await);
    assert!(mail["text"].as_str().unwrap().starts_with("the next"), "{mail}");
    assert_ne!(header(&mail, "Message-ID"), header(&first_mail, "Message-ID"));
    assert_eq!(body(&request)["text"], "the next");
    let kept = bell.reminder("pass-on/low-on-data/0001").await.unwrap();
    assert!(delivered(&kept), "{kept:?}");
}

#[tokio::test]
async fn a_receiver_that_is_down_gets_it_later_and_holds_up_no_other() {
    let stage = Stage::new().await;
    let mut push = Receiver::http(&[]);
    let mut silent = Receiver::http(&["--reply", r#"{"status": 200, "hold": true}"#]);
    let port = free_port();
    let config = [mail(port), hook("push", push.port), hook("silent", silent.port)].concat();
    let home = Home::new(&config).with_rule("pass-on", PASS_ON);
    let bell = stage.bell(&home).await;
    for text in ["one", "two"] {
        stage.says(text);
        // One receiver refuses, one never answers; the third has it meanwhile.
        assert_eq!(body(&push.received().await)["text"], text);
    }
    assert_eq!(body(&silent.received().await)["text"], "one");
    let failing = bell.warns("channel-failing").await;
    assert!(failing.contains("mail") && failing.contains("tried again"), "{failing}");
    let state = |reminder: &Reminder, channel: &str| {
        let found = reminder.deliveries.iter().find(|d| d.channel == channel);
        found.map(|d| (d.state.clone(), d.attempts)).unwrap_or_default()
    };
    let one = bell.reminder_is("pass-on/one/", |r| state(r, "mail").1 >= 1).await;
    assert_eq!(state(&one, "mail").0, "queued");
    assert_eq!(state(&one, "push"), ("delivered".to_owned(), 1));
    assert_eq!(state(&one, "silent").1, 0);
    assert_eq!(bell.channel("mail").await.state, "failing");

    // It is up again: the next try reaches it.
    let mut post = Receiver::smtp(&["--port", &port.to_string()]);
    let texts: Vec<String> = [post.received().await, post.received().await]
        .iter()
        .map(|mail| mail["text"].as_str().unwrap().lines().next().unwrap().to_owned())
        .collect();
    assert!(texts.contains(&"one".to_owned()) && texts.contains(&"two".to_owned()), "{texts:?}");
    until("the channel to be well", async || (bell.channel("mail").await.state == "ok").then_some(())).await;
    assert_eq!(bell.reminders().await.len(), 2);
    assert_eq!(push.so_far().len(), 0, "nothing came twice");
}

#[tokio::test]
async fn what_waited_for_an_hour_says_so() {
    let stage = Stage::new().await;
    let port = free_port();
    let home = Home::new(&mail(port)).with_rule("pass-on", PASS_ON);
    let bell = stage.bell(&home).await;
    stage.says("waits");
    bell.reminder_is("pass-on/waits/", |r| r.deliveries.iter().any(|d| d.attempts > 0)).await;
    bell.stop().await;
    // Put into the outbox two hours ago.
    home.sql("UPDATE delivery SET created_ms = created_ms - 7200000, next_ms = next_ms - 7200000");
    let mut post = Receiver::smtp(&["--port", &port.to_string()]);
    let bell = stage.bell(&home).await;
    let mail = post.received().await;
    assert!(mail["text"].as_str().unwrap().starts_with("waits (late by 2 h)"), "{mail}");
    bell.reminder_is("pass-on/waits/", delivered).await;
}

#[tokio::test]
async fn a_reminder_nags_until_it_is_answered_and_can_be_put_off() {
    let stage = Stage::new().await;
    let mut push = Receiver::http(&[]);
    let home = Home::new(&hook("push", push.port)).with_rule("pass-on", PASS_ON);
    let bell = stage.bell(&home).await;
    stage.says("nag one");
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let request = push.received().await;
        assert_eq!(body(&request)["text"], "nag one");
        names.insert(body(&request)["id"].as_str().unwrap().to_owned());
    }
    // Each time it is said is a message of its own.
    assert_eq!(names.len(), 3, "{names:?}");
    let key = "pass-on/nag-one/0001";
    assert!(bell.reminder(key).await.unwrap().occurrence >= 3);

    let snoozed = bell.client().await.snooze(key, 3_600).await.unwrap();
    assert_eq!((snoozed.state.as_str(), snoozed.next_at), ("snoozed", None));
    assert!(snoozed.snoozed_until.is_some());
    // Over a kill too, what was put off stays put off.
    bell.kill();
    let bell = stage.bell(&home).await;
    let kept = bell.reminder(key).await.unwrap();
    assert_eq!((kept.state.as_str(), kept.occurrence), ("snoozed", snoozed.occurrence));
    bell.client().await.snooze(key, 1).await.unwrap();
    bell.reminder_is(key, |r| r.state == "firing" && r.occurrence > snoozed.occurrence).await;

    let seen = bell.client().await.acknowledge(key).await.unwrap();
    assert_eq!((seen.state.as_str(), seen.next_at), ("acknowledged", None));
    // Two more of another reminder's nags, and none of this one.
    stage.says("nag two");
    bell.reminder_is("pass-on/nag-two/", |r| r.occurrence >= 3).await;
    let kept = bell.reminder(key).await.unwrap();
    assert_eq!((kept.state.as_str(), kept.occurrence), ("acknowledged", seen.occurrence));
    let unknown = bell.client().await.acknowledge("pass-on/nothing/0001").await.unwrap_err();
    assert!(unknown.to_string().contains("pass-on/nothing/0001"), "{unknown}");
}

/// The local time (UTC) so many hours from now, as `22:00`.
fn hours_from_now(hours: i64) -> String {
    let at = simbelld::clock::wall().as_secs() + hours * 3_600;
    chrono::DateTime::from_timestamp(at, 0).unwrap().format("%H:%M").to_string()
}

#[tokio::test]
async fn quiet_hours_hold_back_all_but_the_critical_until_they_end() {
    let stage = Stage::new().await;
    let mut push = Receiver::http(&[]);
    let quiet = |from: &str, until: &str| {
        format!(
            "[reminders]\nquiet = {{ from = \"{from}\", until = \"{until}\" }}\n{}",
            hook("push", push.port)
        )
    };
    let end = hours_from_now(2);
    let home = Home::new(&quiet(&hours_from_now(-2), &end)).with_rule("pass-on", PASS_ON);
    let later = quiet(&end, &hours_from_now(4));
    let bell = stage.bell(&home).await;
    stage.says("not now");
    let held = bell.reminder_is("pass-on/not-now/", |r| r.state == "pending").await;
    assert!(held.next_at.as_deref().unwrap().contains(&end), "{held:?}");
    assert!(held.deliveries.is_empty(), "{held:?}");
    stage.says("critical: now");
    assert_eq!(body(&push.received().await)["text"], "critical: now");
    assert_eq!(bell.reminder(&held.key).await.unwrap().state, "pending");
    bell.stop().await;

    // They are over: it is said, once, and says that it is late.
    home.config(&later);
    home.sql("UPDATE reminder SET next_ms = next_ms - 14400000 WHERE state = 'pending'");
    let bell = stage.bell(&home).await;
    let text = body(&push.received().await)["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("not now (late by "), "{text}");
    let said = bell.reminder_is("pass-on/not-now/", delivered).await;
    assert_eq!((said.state.as_str(), said.occurrence), ("firing", 1));
    assert!(said.late_seconds.unwrap() > 3_600);
}

const EACH_DAY: &str = r#"
// Says each day that it is a day.
fn schedule() { daily("07:00") }
fn on_schedule() { remind("day", `A day, late: ${occasion().late > 1.hour}.`); }
"#;

#[tokio::test]
async fn a_time_missed_while_the_service_was_down_rings_once_and_late() {
    let stage = Stage::new().await;
    let mut push = Receiver::http(&[]);
    let home = Home::new(&hook("push", push.port)).with_rule("each-day", EACH_DAY);
    let bell = stage.bell(&home).await;
    let rules = bell.rules().await;
    assert_eq!(rules[0].schedules, ["daily at 07:00"]);
    // What was due before the rule was there is not owed.
    assert!(bell.reminders().await.is_empty());
    bell.stop().await;
    // Down for three days and some.
    home.sql("UPDATE schedule_mark SET served_ms = served_ms - 3*86400000");
    home.sql("UPDATE sim SET last_seen_ms = last_seen_ms - 3*86400000");
    let bell = stage.bell(&home).await;
    let text = body(&push.received().await)["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("A day, late: "), "{text}");
    let said = bell.reminder_is("each-day/day", delivered).await;
    assert_eq!(said.occurrence, 1);
    assert!(said.late_seconds.is_none_or(|late| late < 86_400), "{said:?}");
    bell.kill();
    let bell = stage.bell(&home).await;
    let again = bell.reminder("each-day/day").await.or(bell.reminder("each-day/day/0001").await).unwrap();
    assert_eq!((again.occurrence, &again.raised_at), (1, &said.raised_at));
    assert_eq!(push.so_far().len(), 0, "three missed days are one reminder");
}

#[tokio::test]
async fn a_broken_rule_is_shown_where_it_breaks_and_mended_by_a_reload() {
    let stage = Stage::new().await;
    let mut push = Receiver::http(&[]);
    let home = Home::new(&hook("push", push.port))
        .with_rule("pass-on", &PASS_ON.replace("[\"mail\"]", "[\"push\"]"))
        .with_rule("broken", "// Is broken.\nfn on_sms(sim, sms) {\n    remind(\"x\" sms.text);\n}\n")
        .with_rule(
            "fails",
            "// Fails when asked.\nfn on_sms(sim, sms) {\n    let x = sms.txet;\n    remind(\"x\", x);\n}\n",
        );
    let bell = stage.bell(&home).await;
    let problem = async |name: &str| {
        let rule = bell.rules().await.into_iter().find(|rule| rule.name == name).unwrap();
        assert_eq!(rule.enabled, rule.problem.is_none());
        rule.problem
    };
    let broken = problem("broken").await.unwrap();
    assert!(broken.contains("broken.rhai:3:16"), "{broken}");
    let warned = bell.status().await.service.warnings;
    assert!(warned.iter().any(|w| w.code == "rule-disabled" && w.subject == "broken"), "{warned:?}");
    assert_eq!(problem("pass-on").await, None);

    // One that fails when it is asked is warned of, then suspended, alone, with its place.
    for (nth, text) in ["still works", "and again", "and again!"].into_iter().enumerate() {
        stage.says(text);
        assert_eq!(body(&push.received().await)["text"], text);
        if nth < 2 {
            let warned = until("the warning", async || {
                let warnings = bell.status().await.service.warnings;
                let nth = ["It failed once;", "It failed 2 times in a row;"][nth];
                warnings.into_iter().find(|w| w.code == "rule-failing" && w.text.contains(nth))
            })
            .await;
            assert_eq!(warned.subject, "fails");
            assert!(warned.text.contains("fails.rhai:3:"), "{warned:?}");
            assert_eq!(problem("fails").await, None);
        }
    }
    let failed = until("the failure", async || problem("fails").await).await;
    assert!(failed.contains("fails.rhai:3:"), "{failed}");
    bell.is_well("rule-failing").await;

    home.rule(
        "broken",
        "// Is mended.\nfn on_sms(sim, sms) { remind(\"mended\", `mended: ${sms.text}`); }\n",
    );
    home.rule("fails", "// Is mended.\nfn on_sms(sim, sms) { }\n");
    let reply = bell.reload().await.unwrap();
    assert_eq!((reply.rules, reply.problems.as_slice()), (3, &[] as &[String]));
    bell.is_well("rule-disabled").await;
    stage.says("again");
    let texts = [push.received().await, push.received().await].map(|request| body(&request)["text"].clone());
    assert!(texts.contains(&"mended: again".into()) && texts.contains(&"again".into()), "{texts:?}");
}

#[tokio::test]
async fn in_chinese_everything_a_person_reads_is_chinese() {
    let stage = Stage::new().await;
    let mut post = Receiver::smtp(&[]);
    let config = format!(
        "language = \"zh\"\n[sims.\"旅行卡\"]\niccid = \"{ICCID}\"\nplan = {{ name = \"月套餐\", data = \"1 GB\", every = \
         \"month\", day = 1 }}\n{}",
        mail(post.port)
    );
    let home = Home::new(&config).with_shipped_rules();
    let bell = stage.bell(&home).await;
    let bearer = BearerSpec { apn: "internet".to_owned(), stats: true, ..BearerSpec::default() };
    let bearer = stage.modems.connect_bearer(0, bearer).unwrap();
    bell.sim_is("connected", ICCID, |sim| sim.connected == Some(true)).await;
    stage.modems.add_traffic(&bearer, 820_000_000, 0).unwrap();
    stage.modems.publish_stats();
    let mail = until("the mail about 80 %", async || {
        let mail = post.received().await;
        mail["text"].as_str().unwrap().contains("82%").then_some(mail)
    })
    .await;
    assert_eq!(header(&mail, "Subject"), "旅行卡：提醒");
    let text = mail["text"].as_str().unwrap();
    assert!(text.starts_with("旅行卡：流量已用 82%，还剩 180 MB（共 1 GB）。"), "{text}");
    let test = bell.client().await.test_channel("mail").await.unwrap();
    assert_eq!(test.state, "delivered");
    let mail = until("the test", async || {
        let mail = post.received().await;
        (header(&mail, "Subject") == "simbell：测试").then_some(mail)
    })
    .await;
    assert!(mail["text"].as_str().unwrap().contains("测试消息"), "{mail}");
}

#[tokio::test]
async fn messages_are_capped_a_day_over_a_restart_and_stay_home_abroad() {
    let stage = Stage::new().await;
    let config = "[channels.phone]\nkind = \"sms\"\nto = [\"+15550100999\"]\ndaily_cap = 2\n";
    let home = Home::new(config).with_rule("pass-on", PASS_ON);
    let bell = stage.bell(&home).await;
    let state = |reminder: &Reminder| {
        reminder.deliveries.first().map(|d| (d.state.clone(), d.last_error.clone().unwrap_or_default()))
    };
    let ended = async |bell: &Bell<'_>, key: &str| {
        let settled = ["delivered", "suppressed", "failed"];
        let done = |r: &Reminder| state(r).is_some_and(|(word, _)| settled.contains(&word.as_str()));
        state(&bell.reminder_is(key, done).await).unwrap()
    };
    stage.says("one");
    assert_eq!(ended(&bell, "pass-on/one/").await.0, "delivered");
    // The cap counts what left before the restart.
    bell.kill();
    let bell = stage.bell(&home).await;
    stage.says("two");
    assert_eq!(ended(&bell, "pass-on/two/").await.0, "delivered");
    stage.says("three");
    let (word, why) = ended(&bell, "pass-on/three/").await;
    assert!(word == "suppressed" && why.contains("daily cap of 2"), "{word}: {why}");
    let sent: Vec<String> = stage.modems.sent_sms().into_iter().map(|sms| sms.text).collect();
    assert!(sent.len() == 2 && sent[0].contains("one") && sent[1].contains("two"), "{sent:?}");

    // Abroad each costs more: none leaves unless that is allowed.
    home.config(&config.replace("daily_cap = 2", "daily_cap = 20"));
    bell.reload().await.unwrap();
    let abroad = simbell_modemsim::lookalike::Network::Roaming { code: "99901".into(), name: "Far".into() };
    stage.modems.move_to(0, abroad, Duration::ZERO).await.unwrap();
    bell.sim_is("abroad", ICCID, |sim| sim.roaming == Some(true)).await;
    stage.says("four");
    let (word, why) = ended(&bell, "pass-on/four/").await;
    assert!(word == "suppressed" && why.contains("while_roaming"), "{word}: {why}");
    assert_eq!(stage.modems.sent_sms().len(), 2);
}

/// Programs ended when dropped, the last first.
struct Desktop {
    children: Vec<Child>,
    bus: String,
    display: String,
}

impl Drop for Desktop {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _gone = child.kill();
            let _ended = child.wait();
        }
    }
}

impl Desktop {
    /// A display, dunst, and `simbellctl watch --notify`, as in somebody's session.
    async fn start(bus: &PrivateBus, home: &Home) -> Self {
        let mut server = started(
            Command::new("Xvfb").args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"]),
            "xvfb",
        );
        let mut number = String::new();
        let told = std::io::BufReader::new(server.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut { told }, &mut number).unwrap();
        let mut desktop = Self {
            children: vec![server],
            bus: bus.address().to_owned(),
            display: format!(":{}", number.trim()),
        };
        let dunst = started(desktop.command("dunst").arg("-conf").arg("/dev/null"), "dunst");
        desktop.children.push(dunst);
        until("the notification daemon", async || {
            desktop.command("dunstctl").arg("count").output().unwrap().status.success().then_some(())
        })
        .await;
        let mut watch = Command::new(beside("simbellctl"));
        watch.arg("--socket").arg(home.socket()).args(["watch", "--notify"]);
        watch.env("DBUS_SESSION_BUS_ADDRESS", &desktop.bus);
        let watch = started(&mut watch, "simbellctl");
        desktop.children.push(watch);
        desktop
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.bus).env("DISPLAY", &self.display);
        command
    }

    /// What was displayed: summaries and bodies.
    fn shown(&self) -> Vec<(String, String)> {
        // What is displayed joins the history when it is closed.
        self.command("dunstctl").arg("close-all").output().unwrap();
        let output = self.command("dunstctl").arg("history").output().unwrap();
        let history: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let text =
            |entry: &serde_json::Value, key: &str| entry[key]["data"].as_str().unwrap_or("").to_owned();
        let entries = history["data"][0].as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| (text(entry, "summary"), text(entry, "body"))).collect()
    }
}

fn started(command: &mut Command, package: &str) -> Child {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; install the package {package}"))
}

#[tokio::test]
async fn a_reminder_is_displayed_on_the_desktop_once() {
    let stage = Stage::new().await;
    let home = Home::new("[channels.desk]\nkind = \"desktop\"\n").with_rule("pass-on", PASS_ON);
    let bell = stage.bell(&home).await;
    let desktop = Desktop::start(&stage.bus, &home).await;
    // It takes a moment until simbellctl follows: what is said before waits in the outbox and comes then.
    stage.says("look here");
    bell.reminder_is("pass-on/look-here/", delivered).await;
    let shown = until("the notification", async || Some(desktop.shown()).filter(|all| !all.is_empty())).await;
    assert!(shown.iter().any(|(_, body)| body.contains("look here")), "{shown:?}");
    stage.says("and here");
    let shown = until("the second", async || Some(desktop.shown()).filter(|all| all.len() >= 2)).await;
    assert_eq!(shown.len(), 2, "{shown:?}");
}
