//! Tests of channels in their own language: those of every shipped channel and of the guide, and how failing ones end.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simbell_rules::{Limits, Subject, TrialOptions, TrialReport, run_tests, subjects};
use tempfile::TempDir;

use super::sender::Rehearsed;

/// A plugin's folder, which goes with it.
fn folder(files: [(&str, &str); 3]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn options() -> TrialOptions {
    TrialOptions {
        limits: Limits::default(),
        zones: Arc::new(|name: &str| Err(format!("there is no zone {name}"))),
        filter: None,
        sender: Some(Arc::new(Rehearsed)),
    }
}

/// Everything that failed, as text.
fn failures(report: &TrialReport) -> String {
    let mut out = String::new();
    if let Some(problem) = &report.problem {
        writeln!(out, "{problem}").unwrap();
    }
    for ran in &report.ran {
        if let Some(failure) = &ran.failure {
            writeln!(out, "{}: {}", ran.name, failure.problem).unwrap();
            for line in &failure.happened {
                writeln!(out, "    {line}").unwrap();
            }
        }
    }
    out
}

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")
}

#[test]
fn every_shipped_channel_passes_its_tests_which_reach_every_line() {
    let all = subjects(&plugins().join("channels"));
    assert_eq!(all.len(), 12, "{all:?}");
    let mut wrong = String::new();
    for subject in all {
        let report = run_tests(&subject, &options());
        wrong.push_str(&failures(&report));
        assert!(report.problem.is_some() || report.ran.len() >= 3, "{}: too few tests", subject.name);
        for line in &report.unreached {
            writeln!(wrong, "{}:{}: no test reaches: {}", line.file.display(), line.line, line.text).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn rules_and_channels_are_found_in_one_folder() {
    let names: Vec<String> = subjects(&plugins()).into_iter().map(|subject| subject.name).collect();
    for name in ["telegram", "data-thresholds"] {
        assert!(names.iter().any(|known| known == name), "{names:?}");
    }
}

const MANIFEST: &str = "api = 1\nname = \"bell\"\nkind = \"channel\"\ndescription = \"Rings.\"\nhosts = [\"{url}\", \
                        \"api.example.org\"]\nsettings.url = { type = \"url\" }\nsettings.token = { type = \"secret\" }\n\
                        settings.key = { type = \"secret\", optional = true }\nsettings.room = { type = \"text\", default = \
                        \"hall\" }\n";

const SCRIPT: &str = "fn send(message) {\n    if message.urgency == \"info\" {\n        return \
                      http_get(`https://elsewhere.example.org/${settings.token}`);\n    }\n    \
                      http_post(`${settings.url}/ring`, #{ Authorization: `Bearer ${settings.token}` }, #{ title: \
                      message.title, room: settings.room })\n}\n\nfn accepted(answer) {\n    if answer.json.wait != () { \
                      return retry(\"busy\", answer.json.wait.seconds); }\n    answer.json.ringing == true\n}\n";

/// What the tests of a channel come to, with the folder's name left out.
fn tried(script: &str, tests: &str) -> (TrialReport, String) {
    let folder = folder([("plugin.toml", MANIFEST), ("main.rhai", script), ("tests.rhai", tests)]);
    let report = run_tests(&Subject::of(folder.path()), &options());
    let text = failures(&report).replace(&folder.path().display().to_string(), "DIR");
    (report, text)
}

#[test]
fn a_failed_expectation_says_where_what_and_what_happened_instead() {
    let tests = "fn test_a() {\n    send(#{ title: \"home\" });\n    answer(200, #{ ringing: true });\n    \
                 expect_delivered();\n    expect_request(\"POST\", \"[url]/ring\", #{ json: #{ title: \"home\", room: \
                 \"attic\" } });\n}\n";
    let (report, text) = tried(SCRIPT, tests);
    assert_eq!(report.ran.len(), 1);
    assert_eq!(
        text,
        "test_a: DIR/tests.rhai:5:5: `room` of the JSON is \"hall\", not \"attic\"\n  \
         5 |     expect_request(\"POST\", \"[url]/ring\", #{ json: #{ title: \"home\", room: \"attic\" } });\n    |     ^\n    \
         sent POST [url]/ring\n      Authorization: Bearer [token]\n      Content-Type: application/json\n      \
         {\"room\":\"hall\",\"title\":\"home\"}\n    answered 200 {\"ringing\":true}\n    delivered\n"
    );
}

#[test]
fn each_expectation_fails_in_its_own_words() {
    for (tail, expected) in [
        ("expect_request(\"PUT\", \"[url]/ring\");", "the request is a POST, not a PUT"),
        ("expect_request(\"PATCH\", \"[url]/ring\");", "`PATCH` is no method"),
        ("expect_request(\"POST\", \"[url]/rings\");", "goes to \"[url]/ring\", not to \"[url]/rings\""),
        (
            "expect_request(\"POST\", \"[url]/ring\", #{ headers: #{ Authorisation: \"x\" } });",
            "the request has no header `Authorisation`",
        ),
        (
            "expect_request(\"POST\", \"[url]/ring\", #{ headers: #{ authorization: \"x\" } });",
            "the header `authorization` is \"Bearer [token]\", not \"x\"",
        ),
        (
            "expect_request(\"POST\", \"[url]/ring\", #{ headers: #{ Authorization: () } });",
            "the header `Authorization` is there",
        ),
        ("expect_request(\"POST\", \"[url]/ring\", #{ header: #{ } });", "did you mean `headers`?"),
        (
            "expect_request(\"POST\", \"[url]/ring\", #{ json: #{ title: \"t\" } });",
            "the JSON has `room` besides",
        ),
        (
            "expect_request(\"POST\", \"[url]/ring\", #{ json: #{ title: \"t\", room: \"hall\", to: 1 } });",
            "the JSON has no `to`",
        ),
        ("expect_request(\"POST\", \"[url]/ring\", #{ form: #{ } });", "the body is no form"),
        ("expect_request(\"POST\", \"[url]/ring\", #{ text: \"x\" });", "the body is \"{"),
        (
            "expect_request(\"POST\", \"[url]/ring\", #{ contains: \"attic\" });",
            "the body does not contain \"attic\"",
        ),
        ("expect_not_sent();", "hint: it is a message of its own"),
        ("sim(\"home\");", "hint: that is for tests of rules; a test of a channel begins with send()"),
        ("clock();", "`clock` needs to be given something"),
        ("expect_not_sent(\"x\");", "the message was sent, to \"[url]/ring\""),
        ("expect_not_sent(#{ urgency: \"info\" }, \"no such\");", "does not contain \"no such\""),
        ("expect_delivered();", "no answer was given"),
        (
            "answer(200, #{ }); expect_delivered();",
            "the message was expected to be delivered; it is refused for good: the service answered 200",
        ),
        (
            "answer(503); expect_refused();",
            "was expected to be refused for good; it is to be tried again: the service answered 503",
        ),
        (
            "answer(404); expect_retry();",
            "was expected to be tried again; it is refused for good: the service answered 404",
        ),
        (
            "answer(404, \"gone\"); expect_refused(#{ contains: \"away\" });",
            "the reason does not contain \"away\"",
        ),
        ("answer(503); expect_retry(#{ after: 1.minute });", "nothing says after how long"),
        ("answer(503, #{ wait: 5 }); expect_retry(#{ after: 1.minute });", "after 5 s, not 60 s"),
        ("answer(301);expect_delivered();", "redirects are not followed"),
        ("answer(100);", "100 is no status of an answer"),
        ("answer(200, 5);", "an answer's body is a text, a map or a list, not 5"),
        ("answer(200, #{ wait: \"x\" });", "the channel failed:"),
        ("settings(#{ tokn: \"x\" });", "the plugin has no setting `tokn`"),
        ("settings(#{ room: [\"a\"] });", "the setting `room`: expected"),
        ("settings(#{ url: \"bell\" }); send();", "the setting `url` is no address"),
        ("send(#{ titel: \"x\" });", "a message has no `titel`: did you mean `title`?"),
        ("send(#{ urgency: \"high\" });", "a message's `urgency` is"),
        ("clock(\"07:00\");", "`07:00` is no time"),
        ("expect_equal(request().method, \"GET\");", "expected GET, found POST"),
        ("expect(request().json.room == \"attic\", \"wrong room\");", "wrong room"),
        ("expect_reminder(\"x\");", "unknown function `expect_reminder`"),
    ] {
        let (_, text) = tried(SCRIPT, &format!("fn test_a() {{ send(#{{ title: \"t\" }}); {tail} }}"));
        assert!(text.contains(expected), "{tail}\n{text}");
        assert!(text.contains("tests.rhai:1:"), "{tail}: says where\n{text}");
    }
}

#[test]
fn a_host_that_the_manifest_does_not_name_is_refused() {
    let (_, text) = tried(SCRIPT, "fn test_a() {\n    send(#{ urgency: \"info\" });\n}\n");
    assert!(text.contains("DIR/tests.rhai:2:5: the request is not sent: "), "{text}");
    assert!(
        text.contains("https://elsewhere.example.org, which the plugin's manifest does not name"),
        "{text}"
    );
    let (report, text) = tried(
        SCRIPT,
        "fn test_a() {\n    expect_not_sent(#{ urgency: \"info\" }, \"elsewhere.example.org\");\n}\n\
         fn test_b() {\n    expect_not_sent(#{ urgency: \"info\" }, \"elsewhere.example.org\");\n    request();\n}\n",
    );
    assert!(text.starts_with("test_b: DIR/tests.rhai:6:5: no request was sent"), "{text}");
    assert_eq!(report.ran.len(), 2);
}

#[test]
fn what_happened_tells_a_message_that_is_not_sent_from_one_that_is() {
    let bad = "settings(#{ url: \"bell\" }); ";
    let (_, text) = tried(SCRIPT, &format!("fn test_a() {{ {bad}expect_not_sent(); }}"));
    assert_eq!(text, "");
    let (_, text) = tried(SCRIPT, &format!("fn test_a() {{ {bad}send(); }}"));
    assert!(text.contains("    made, and did not send, POST [url]/ring\n"), "{text}");
    assert!(!text.contains("sent POST") && text.contains("not sent: "), "{text}");
    let (_, text) = tried(SCRIPT, "fn test_a() { send(); expect_not_sent(\"x\"); }");
    assert_eq!(text.matches("sent POST").count(), 2, "{text}");
    assert!(text.contains("    another message, which is not to be sent:\n    sent POST"), "{text}");
    let (_, text) = tried(SCRIPT, "fn test_a() { expect_not_sent(\"x\"); }");
    assert!(!text.contains("another message") && !text.contains("hint"), "{text}");
}

#[test]
fn one_wrong_test_keeps_no_other_from_running() {
    let tests = "fn test_param(x) { }\nfn test_a() { send(); }\nfn test_b() {\n    loop { }\n}\n";
    let (report, text) = tried(SCRIPT, tests);
    let passed: Vec<bool> = report.ran.iter().map(|ran| ran.failure.is_none()).collect();
    assert_eq!(passed, [false, true, false], "{text}");
    assert!(text.contains("test_param: DIR/tests.rhai:1:1: the test `test_param` takes values"), "{text}");
    assert!(text.contains("test_b: DIR/tests.rhai:3:1: the test was ended"), "{text}");
}

#[test]
fn a_secret_is_shown_by_its_name_alone() {
    let script = "fn send(message) {\n    let made = base64(`${settings.token}:${settings.key}`);\n    \
                  http_post(\"https://api.example.org/\" + settings.token, #{ X: made }, message.title + \
                  hex(hmac_sha256(settings.key, \"a\")))\n}\n";
    let tests = "fn test_a() {\n    settings(#{ key: \"s3cr3t\" });\n    send(#{ title: \"[token] \" });\n    let all = \
                 request();\n    expect_equal(all.url, \"https://api.example.org/[token]\");\n    \
                 expect_equal(all.headers.X, \"[base64([token]:[key])]\");\n    expect_equal(all.body, \"['token] \
                 [hex([hmac_sha256([key], a)])]\");\n    throw `${all}`;\n}\n";
    let (_, text) = tried(script, tests);
    assert!(text.contains("tests.rhai:8:"), "all of it is as expected: {text}");
    assert!(text.contains("[token]") && !text.contains("made-up-") && !text.contains("s3cr3t"), "{text}");
}

#[test]
fn a_script_that_fails_fails_its_test_at_its_own_line() {
    let (_, text) = tried("fn send(message) {\n    message.titel\n}\n", "fn test_a() {\n    send();\n}\n");
    assert!(text.contains("tests.rhai:2:5: the channel failed:"), "{text}");
    assert!(text.contains("main.rhai:2:") && text.contains("did you mean `title`?"), "{text}");
    let (report, text) = tried("fn sent(message) { }\n", "fn test_a() {\n    send();\n}\n");
    assert!(report.ran.is_empty() && text.contains("is `sent` meant to be `send`?"), "{text}");
    let (report, text) = tried(SCRIPT, "// none yet\n");
    assert!(report.ran.is_empty() && text.contains("the file has no test"), "{text}");
}

#[test]
fn lines_that_no_test_reached_are_listed() {
    let lines = |tests: &str| {
        let (report, text) = tried(SCRIPT, tests);
        assert_eq!(text, "");
        report.unreached.iter().map(|line| line.line).collect::<Vec<_>>()
    };
    assert_eq!(lines("fn test_a() { send(); }"), [3, 9, 10]);
    assert_eq!(lines("fn test_a() { now(); }"), [2, 3, 5, 9, 10]);
    let all = "fn test_a() { send(); answer(200); answer(503, #{ wait: 5 }); expect_retry(); \
               expect_not_sent(#{ urgency: \"info\" }, \"elsewhere\"); }";
    assert_eq!(lines(all), [0; 0]);
}

#[test]
fn hostile_scripts_and_tests_are_ended_and_the_others_go_on() {
    let script = "fn send(message) {\n    if message.urgency == \"critical\" { loop { } }\n    http_get(settings.url)\n}\n";
    let (report, text) = tried(
        script,
        "fn test_a() { send(#{ urgency: \"critical\" }); }\nfn test_b() { loop { send(); } }\nfn test_c() { loop { } }\n\
         fn test_d() { send(); expect_request(\"GET\", \"[url]\"); answer(200); expect_delivered(); }\n",
    );
    let passed: Vec<bool> = report.ran.iter().map(|ran| ran.failure.is_none()).collect();
    assert_eq!(passed, [false, false, false, true], "{text}");
    assert!(text.contains("the script was ended") && text.contains("1000 messages at most"), "{text}");
}

/// The blocks of one kind in the guide, in order.
fn blocks(kind: &str) -> Vec<String> {
    let guide = fs::read_to_string(plugins().join("README.md")).expect("the guide");
    guide
        .split("\n```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix(kind)?.strip_prefix('\n'))
        .map(|text| format!("{text}\n"))
        .collect()
}

#[test]
fn the_tests_of_the_guides_channel_pass_and_reach_every_line() {
    let manifest =
        blocks("toml").into_iter().find(|text| text.contains("kind = \"channel\"")).expect("a manifest");
    let script = blocks("rhai channel").into_iter().next().expect("a script");
    let tests = blocks("rhai channel test").into_iter().next().expect("its tests");
    let folder = folder([("plugin.toml", &manifest), ("main.rhai", &script), ("tests.rhai", &tests)]);
    let report = run_tests(&Subject::of(folder.path()), &options());
    assert_eq!(failures(&report), "");
    assert_eq!((report.ran.len(), report.unreached.len()), (2, 0));
}
