//! Tests of rules as a person runs them: `simbellctl rules test`, which has simbelld do it, with no service.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::bell::{Home, beside};

const RULE: &str = "// Half of it.\nfn on_usage(sim) {\n    if sim.share >= 50.percent {\n        remind(\"half\", \
                    `${sim.name}: half is used.`);\n    } else if sim.share >= 200.percent {\n        \
                    remind(\"twice\", \"x\");\n    }\n}\n";

const TESTS: &str = "const PLAN = #{ data: \"10 GB\" };\n\nfn test_half() {\n    let home = sim(\"home\", #{ plan: PLAN });\n    \
                     home.uses(6.GB, 6.hours);\n    expect_reminder(\"half\", #{ at: \"05:00\" });\n}\n";

const FAILING: &str = "\nfn test_wrong() {\n    let home = sim(\"home\", #{ plan: PLAN });\n    home.uses(6.GB);\n    \
                       expect_reminder(\"hlaf\");\n}\n";

fn etc(home: &Home) -> PathBuf {
    home.socket().parent().and_then(Path::parent).expect("a home").join("etc")
}

fn home(tests: &str) -> Home {
    let home = Home::new("").with_rule("half", RULE);
    home.rule("half.test", tests);
    home
}

fn ctl(home: &Home, arguments: &[&str]) -> Output {
    Command::new(beside("simbellctl"))
        .args(["rules", "test", "--config"])
        .arg(etc(home))
        .args(arguments)
        .output()
        .expect("it runs")
}

/// What was printed, with the folder and the time left out.
fn said(home: &Home, bytes: &[u8]) -> String {
    let text =
        String::from_utf8(bytes.to_vec()).expect("text").replace(&etc(home).display().to_string(), "ETC");
    match text.rfind("; in ") {
        Some(at) => format!("{}; in TIME\n", &text[..at]),
        None => text,
    }
}

#[test]
fn tests_that_pass_say_what_they_did_not_reach() {
    let home = home(TESTS);
    let output = ctl(&home, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        said(&home, &output.stdout),
        "half (ETC/rules.d/half.test.rhai)\n  ok      test_half\n\nLines that no test reached\n  \
         ETC/rules.d/half.rhai:6: remind(\"twice\", \"x\");\n\n\
         ok: 1 passed, 0 failed, 0 filtered out; 1 of 4 lines not reached; in TIME\n"
    );
}

#[test]
fn tests_that_fail_say_where_and_what_happened() {
    let home = home(&format!("{TESTS}{FAILING}"));
    let output = ctl(&home, &["half"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        said(&home, &output.stdout),
        "half (ETC/rules.d/half.test.rhai)\n  ok      test_half\n  FAILED  test_wrong\n\nFailures\n\n\
         half: test_wrong\nETC/rules.d/half.test.rhai:12:5: the reminder `hlaf` was not said\n  \
         12 |     expect_reminder(\"hlaf\");\n     |     ^\n  hint: did you mean `half`?\n  what happened:\n    \
         2026-11-01 00:00  said half (home) [info]: home: half is used.\n    the clock shows 2026-11-01 00:00\n    \
         home: 6.00 GB of 10.00 GB used\n\nLines that no test reached\n  ETC/rules.d/half.rhai:6: \
         remind(\"twice\", \"x\");\n\nFAILED: 1 passed, 1 failed, 0 filtered out; 1 of 4 lines not reached; in TIME\n"
    );
    let only = ctl(&home, &["--filter", "half"]);
    assert_eq!(only.status.code(), Some(0));
    assert!(said(&home, &only.stdout).contains("ok: 1 passed, 0 failed, 1 filtered out; in"), "{only:?}");
}

#[test]
fn programs_get_objects_of_the_schemas() {
    let home = home(&format!("{TESTS}{FAILING}"));
    let output = ctl(&home, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect();
    let records: Vec<&str> = lines.iter().filter_map(|line| line["record"].as_str()).collect();
    assert_eq!(records, ["test", "test", "rule", "summary"]);
    for line in &lines {
        let record = line["record"].as_str().expect("a record");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("api/schema/rules-test-{record}.json"));
        let schema: Value = serde_json::from_str(&fs::read_to_string(file).expect("a schema")).expect("JSON");
        for key in schema["required"].as_array().expect("keys") {
            assert!(line.get(key.as_str().expect("a key")).is_some(), "{record} lacks {key}");
        }
    }
    assert_eq!((lines[1]["line"].as_u64(), lines[1]["ok"].as_bool()), (Some(12), Some(false)));
    assert_eq!((lines[3]["ok"].as_bool(), lines[3]["failed"].as_u64()), (Some(false), Some(1)));
}

#[test]
fn what_is_not_there_is_told_by_name() {
    let home = home(TESTS);
    let none = ctl(&home, &["hal"]);
    assert_eq!(none.status.code(), Some(1));
    let told = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(told.contains("\"hal\"") && told.contains("did you mean `half`?"), "{told}");
    let filtered = ctl(&home, &["--filter", "nosuch"]);
    assert_eq!(filtered.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&filtered.stderr).contains("no test has \"nosuch\" in its name"));
    home.rule("other", RULE);
    let all = ctl(&home, &[]);
    assert!(said(&home, &all.stdout).contains("Without tests: other"), "{all:?}");
    let named = ctl(&home, &["other"]);
    assert_eq!(named.status.code(), Some(1));
    assert!(said(&home, &named.stdout).contains("there are no tests"), "{named:?}");
    let far = ctl(&home, &["elsewhere"]);
    assert!(String::from_utf8_lossy(&far.stderr).contains("which is looked for in /"), "{far:?}");
    let channel = etc(&home).join("ringer");
    fs::create_dir(&channel).expect("a folder");
    let manifest = "api = 1\nname = \"ringer\"\nkind = \"channel\"\ndescription = \"Rings.\"\nhosts = [\"example.org\"]\n";
    fs::write(channel.join("plugin.toml"), manifest).expect("a manifest");
    let channel = ctl(&home, &[channel.to_str().expect("text")]);
    assert!(said(&home, &channel.stdout).contains("fn test_sends_title_and_text()"), "{channel:?}");
    let empty = Home::new("").with_rule("half", RULE);
    let untested = ctl(&empty, &[]);
    assert_eq!(untested.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&untested.stderr).contains("write functions that begin with `test_`"));
    let wrong = Home::new("nonsense = 1\n");
    assert_eq!(ctl(&wrong, &[]).status.code(), Some(1), "the configuration has errors");
}

#[test]
fn a_channel_is_tested_by_its_name() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let home = Home::new("");
    let config = format!("[rules]\nplugin_dirs = [{plugins:?}]\n");
    fs::write(etc(&home).join("conf.d/10-shipped.toml"), config).expect("written");
    let output = ctl(&home, &["gotify"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = said(&home, &output.stdout);
    assert!(
        said.contains("  ok      test_urgency_is_the_priority\n") && said.contains("every line reached"),
        "{said}"
    );
    let wrong = ctl(&home, &["gotif"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean `gotify`?"), "{wrong:?}");
}

#[test]
fn watching_runs_them_again_when_a_file_changes() {
    let home = home(TESTS);
    let mut child = Command::new(beside("simbelld"))
        .args(["rules", "test", "--watch", "--config"])
        .arg(etc(&home))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut until = |what: &str| {
        let mut seen = Vec::new();
        for line in lines.by_ref() {
            let line = line.expect("text");
            let found = line.contains(what);
            seen.push(line);
            if found {
                return seen;
            }
        }
        panic!("it ended before {what:?}: {seen:?}")
    };
    until("Waits for changes");
    home.rule("half.test", &format!("{TESTS}{FAILING}"));
    let seen = until("Waits for changes").join("\n");
    assert!(seen.contains("Changed: half.test.rhai"), "{seen}");
    assert!(seen.contains("FAILED: 1 passed, 1 failed"), "{seen}");
    home.rule("half", &RULE.replace("half is used", "50"));
    let seen = until("Waits for changes").join("\n");
    assert!(seen.contains("Changed: half.rhai"), "{seen}");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

#[test]
fn limits_of_a_configuration_that_is_given_hold_for_what_is_named_by_its_path() {
    let home = Home::new("");
    let rule = home.path("two.rhai");
    let file = rule.to_str().expect("text");
    fs::write(&rule, "// Half of it.\nfn half(sim) { sim.share >= 50.percent }\nfn on_usage(sim) {\n    if half(sim) { remind(\"half\", `${sim.name}: half.`); }\n}\n").expect("written");
    fs::write(home.path("two.test.rhai"), TESTS.replace(", #{ at: \"05:00\" }", "")).expect("written");
    let check = |arguments: &[&str]| {
        let mut check = Command::new(env!("CARGO_BIN_EXE_simbelld"));
        check.arg("check").args(arguments).args(["--rules", file]).output().expect("it runs")
    };
    let etc = etc(&home);
    let given = ["--config", etc.to_str().expect("text")];
    for (config, code) in
        [("", 0), ("[rules.limits]\nfunctions = 1\n", 1), ("[rules.limits]\nfunctions = 0\n", 78)]
    {
        home.config(config);
        let tested = ctl(&home, &[file]);
        assert_eq!(tested.status.code(), Some(code.min(1)), "{config}: {tested:?}");
        let checked = check(&given);
        assert_eq!(checked.status.code(), Some(code), "{config}: {checked:?}");
        assert_eq!(check(&[]).status.code(), Some(0), "no configuration is given");
    }
}
