//! Verbs as people and scripts see them.

use std::io::Read;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::*;

const KEY: &str = "data-threshold/80/0011";

/// Every page of the service's.
const PAGES: [&[&str]; 13] = [
    &["status"],
    &["sims"],
    &["usage", "--by", "hour"],
    &["usage", "--by", "day"],
    &["usage", "--by", "cycle"],
    &["usage", "calls"],
    &["usage", "sms", "--by", "cycle"],
    &["usage", "explain", "--sim", "home", "--day", "2026-11-22"],
    &["plan"],
    &["rules"],
    &["reminders"],
    &["channels"],
    &["backup"],
];

#[test]
fn pages_fit_and_hold_no_control_characters() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    for args in PAGES {
        let said = good(&socket, args);
        for line in said.lines() {
            assert!(line.width() <= 80, "{args:?}: {} columns: {line}", line.width());
            assert!(!line.chars().any(char::is_control), "{args:?}: {line:?}");
        }
    }
}

#[test]
fn pages_fit_a_narrow_terminal_too() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let mut wide = String::new();
    for columns in [40_usize, 50, 60, 70] {
        for args in PAGES {
            let output = ctl(&socket).args(args).env("COLUMNS", columns.to_string()).output().unwrap();
            assert!(output.status.success(), "{args:?}: {}", stderr(&output));
            // A key is whole on its line, since `ack` takes it.
            let said = stdout(&output);
            let lines = said.lines().filter(|line| !line.starts_with("  key: "));
            for line in lines.filter(|line| line.width() > columns) {
                wide.push_str(&format!("{args:?}: {} of {columns} columns: {line}\n", line.width()));
            }
        }
    }
    assert_eq!(wide, "");
}

#[test]
fn status_tells_the_whole_story() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let said = good(&socket, &["status"]);
    for part in [
        "running, clock trusted, ModemManager 1.24.0",
        "! rule-disabled (my-rule)",
        "did you mean `remind`?",
        "home",
        "4.90 GB",
        "81 %",
        "1.10 GB",
        "2026-12-15 (23 d)",
        "旅行",
        "simbellctl plan add",
        "key: data-threshold/80/0011",
        "mail queued after 2 tries: connection refused",
        "phone",
    ] {
        assert!(said.contains(part), "{part:?} is missing:\n{said}");
    }
}

#[test]
fn calls_and_messages_are_shown_with_what_is_not_certain() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let calls = good(&socket, &["usage", "calls", "--sim", "home", "--from", "2026-11-01"]);
    for part in [
        "international",
        "roaming:310260",
        "2 of 3",
        "1:00-1:02:05",
        "2:15 to 1:03:20",
        "Nobody saw how 1",
        "Under way: 1",
    ] {
        assert!(calls.contains(part), "{part:?} is missing:\n{calls}");
    }
    let messages = good(&socket, &["usage", "sms", "--by", "hour"]);
    let sum = "Sent 3 messages (5 parts) to 2 recipients; received 1; 1 did not leave";
    assert!(messages.contains(sum), "{messages}");
    let json: serde_json::Value =
        serde_json::from_str(&good(&socket, &["--json", "usage", "calls", "--by", "cycle"])).unwrap();
    assert_eq!(json["total"]["made_seconds_min"], 135);
    assert_eq!(json["rows"].as_array().unwrap().len(), 3);
}

#[test]
fn an_explanation_adds_up_and_says_so() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let said = good(&socket, &["usage", "explain", "--sim", "home", "--day", "2026-11-22"]);
    reference::compare(&reference::project("ctl/tests/cli/explain.txt"), &said);
    let whole: Value =
        serde_json::from_str(&good(&socket, &["--json", "usage", "explain", "--sim", "home"])).unwrap();
    assert_eq!((&whole["adds_up"], &whole["next"]), (&Value::Bool(true), &Value::Null));
    assert_eq!(whole["sessions"].as_array().unwrap().len(), 1, "the second page is there too");

    let wrong = run(&socket, &["usage", "explain", "--sim", "home", "--day", "1970-01-01"]);
    assert_eq!(wrong.status.code(), Some(1), "parts that do not add up are a failure");
    assert!(stdout(&wrong).contains("The parts do NOT add up"), "{}", stdout(&wrong));
    for (args, code, part) in [
        (&["usage", "explain"][..], 1, "name one with --sim"),
        (&["usage", "explain", "--sim", "home", "--day", "never"], 2, "hint: write 2026-11-22"),
        (&["usage", "explain", "--day", "2026-11-22", "--from", "2026-11-01"], 2, "cannot be used with"),
        (&["usage", "explain", "--cycle", "2026-11-22", "--to", "2026-11-24"], 2, "cannot be used with"),
    ] {
        let output = run(&socket, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(part), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn programs_are_told_of_a_wrong_command_line_too() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    for (args, part) in [
        (&["--json", "usage", "--bye", "day"][..], "unexpected argument '--bye' found"),
        (&["usage", "set", "10Gb", "--json"], "a small b is a bit"),
        (&["--json", "reminders", "snooze"], "required arguments were not provided"),
        (&["--json", "plan", "add", "--iccid", fake::HOME, "--data", "0 B", "--day", "1"], "0 B is used up"),
    ] {
        let output = run(&socket, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(told["error"]["kind"], "Usage", "{args:?}");
        assert!(told["error"]["message"].as_str().unwrap().contains(part), "{args:?}: {told}");
        assert!(!told["error"]["hint"].as_str().unwrap().is_empty(), "{args:?}");
        assert!(!stderr(&output).is_empty());
    }
    for (args, part) in [
        (&["--json", "usage", "--by", "week"][..], "possible values: hour, day, cycle"),
        (&["--json", "usage", "--by", "dya"], "possible values: hour, day, cycle"),
        (&["--json", "usage", "--bye", "day"], "a similar argument exists: '--by'"),
    ] {
        let told: Value = serde_json::from_str(&stdout(&run(&socket, args))).unwrap();
        assert!(told["error"]["hint"].as_str().unwrap().contains(part), "{args:?}: {told}");
    }
    let id = run(&socket, &["usage", "undo", "abc", "--reason", "x"]);
    assert!(stderr(&id).contains("\"abc\" is no number of an entry; write it like 3"), "{}", stderr(&id));
    let help = run(&socket, &["--json", "--help"]);
    assert!(help.status.success() && stdout(&help).contains("Usage:"));
    let plain = run(&socket, &["usage", "--bye", "--", "--json"]);
    assert_eq!((plain.status.code(), stdout(&plain).as_str()), (Some(2), ""));
}

#[test]
fn a_plan_for_a_sim_that_has_one_is_said_to_take_its_place() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let output = run(&socket, &["plan", "add", "--sim", "home", "--data", "6GB", "--day", "1"]);
    assert!(output.status.success() && stderr(&output).contains("home has the plan"), "{}", stderr(&output));
    let output = run(&socket, &["plan", "add", "--sim", "nobody", "--data", "6GB", "--day", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

#[test]
fn changes_say_what_they_did() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    assert_eq!(
        good(&socket, &["usage", "set", "6GB", "--sim", "home"]),
        "The usage of the cycle is 6.00 GB now; it was 4.90 GB. The ledger has an entry\nof +1.10 GB.\n"
    );
    assert!(good(&socket, &["reminders", "snooze", KEY, "2h"]).contains("snoozed until 2026-11-22 23:00"));
    assert!(good(&socket, &["reminders", "ack", KEY]).starts_with("acknowledged"));
    assert_eq!(good(&socket, &["channels", "test", "mail"]), "mail delivered a test message.\n");
    assert!(good(&socket, &["reload"]).contains("my-rule.rhai:3:7"));
}

#[test]
fn conditions_give_their_own_exit_status() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let served = Served::start(&socket, Fake::new(16));
    for (args, code) in [
        (&["status", "--check"][..], 5),
        (&["reminders", "--check"], 5),
        (&["reminders", "list", "--check"], 5),
        (&["usage", "--check", "80%", "--sim", "home"], 5),
        (&["usage", "--check", "80%", "--sim", &fake::HOME[12..]], 5),
        (&["usage", "--check", "82%", "--sim", "home"], 0),
        (&["usage", "--check", "4.9GB"], 5),
        (&["usage", "--check", "4.91GB"], 0),
        (&["usage", "--json", "--check", "80%"], 5),
        (&["usage", "--check", "99%"], 0),
        (&["usage", "--check", "100MB", "--sim", &fake::TRAVEL[12..]], 5),
        (&["status"], 0),
    ] {
        let output = run(&socket, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(!output.stdout.is_empty(), "{args:?}");
    }
    // A share of nothing is never reached: that is no answer to a script that waits for it.
    let none = run(&socket, &["usage", "--check", "5%", "--sim", &fake::TRAVEL[12..]]);
    assert_eq!((none.status.code(), stdout(&none).as_str()), (Some(2), ""));
    assert!(stderr(&none).contains(" has no allowance, so there"), "{}", stderr(&none));
    assert!(stderr(&none).contains("hint: give an amount such as 5GB"), "{}", stderr(&none));
    let some = stderr(&run(&socket, &["usage", "--check", "99%"]));
    assert!(some.starts_with("note: 旅行用") && some.contains("no allowance"), "{some}");
    drop(served);
    let _well = Served::start(&socket, Fake::new(16).well());
    assert_eq!(run(&socket, &["status", "--check"]).status.code(), Some(0));
    assert_eq!(run(&socket, &["reminders", "--check"]).status.code(), Some(0));
}

#[test]
fn what_the_ledger_lacks_is_said() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let well = Served::start(&socket, Fake::new(16));
    let asked: [&[&str]; 4] =
        [&["usage"], &["--json", "usage"], &["usage", "explain", "--sim", "home"], &["usage", "export"]];
    for args in asked {
        assert_eq!(stderr(&run(&socket, args)), "", "{args:?}");
    }
    drop(well);
    for code in ["ledger-not-writable", "clock-untrusted"] {
        let _served = Served::start(&socket, Fake::new(16).warning(code));
        for args in asked {
            let output = run(&socket, args);
            assert_eq!(output.status.code(), Some(0), "{args:?}");
            assert!(stderr(&output).contains("missing here"), "{code} {args:?}: {}", stderr(&output));
            assert!(!stdout(&output).contains("missing here"), "{args:?}");
        }
    }
}

#[test]
fn a_correction_of_nothing_is_not_said_to_be_an_entry() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    assert_eq!(
        good(&socket, &["usage", "set", "4.9GB", "--sim", "home", "--reason", "the app"]),
        "The usage of the cycle is 4.90 GB already: nothing was written, the reason\nneither.\n"
    );
}

#[test]
fn failures_say_what_and_why_and_what_to_do() {
    let scratch = Scratch::new();
    let socket = scratch.socket();

    let absent = run(&socket, &["status"]);
    assert_eq!(absent.status.code(), Some(3));
    let said = stderr(&absent);
    assert!(said.starts_with("error: the service is not running"), "{said}");
    assert!(said.contains("\ncaused by: "), "{said}");
    assert!(said.contains("\nhint: start it with `systemctl start simbell`"), "{said}");
    assert!(absent.stdout.is_empty());

    let absent = run(&socket, &["--json", "status"]);
    let object = schema::check("error", stdout(&absent).trim_end());
    assert_eq!(object["error"]["kind"], "NotRunning");

    let folder = socket.parent().unwrap();
    let told = run(folder, &["status"]);
    assert_eq!(told.status.code(), Some(3));
    let folder = format!("{} is a folder", folder.display());
    assert!(stderr(&told).contains(&folder) && !stderr(&told).contains("systemctl"), "{}", stderr(&told));

    let _served = Served::start(&socket, Fake::new(16));
    for (args, code, part) in [
        (&["reminders", "ack", "nosuch"][..], 1, "hint: see them with `simbellctl reminders`"),
        (&["plan", "show", "--sim", "nosuch"], 1, "no SIM is called \"nosuch\""),
        (&["channels", "test", "phone"], 1, "no modem is registered"),
        (&["usage", "set", "6"], 2, "has no unit"),
        (&["usage", "--check", "80"], 2, "write 80% for a share of the plan"),
        (&["usage", "export", "-o", "/nonexistent/x.csv"], 1, "hint: make its folder"),
        (&["reminders", "snooze", KEY, "soon"], 2, "write it like 30m"),
        (&["nosuch"], 2, "unrecognized subcommand"),
        (&["plan", "add", "--iccid", fake::HOME, "--data", "6GB"], 2, "--every is missing"),
    ] {
        let output = run(&socket, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(part), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn changing_without_the_right_is_refused() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let nobody = Access::new(vec![], "/nonexistent".into(), "/nonexistent".into());
    let fake = Arc::new(Fake::new(16).with_admin_groups(&["simbell-admin"]));
    let _served = Served::start_for(&socket, fake, nobody);
    good(&socket, &["status"]);
    let output = run(&socket, &["--json", "reload"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("hint: run this as root, or as a member of simbell-admin"),
        "{}",
        stderr(&output)
    );
    let object: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(object["error"]["kind"], "NotPermitted");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    for args in [&["usage", "--by", "hour"][..], &["--json", "bug-report"], &["man"], &["--help"]] {
        let mut child =
            ctl(&socket).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "", "{args:?}");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}");
    }
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let on_a_terminal = |variable: (&str, &str)| {
        let command = format!("{} --socket {} status", env!("CARGO_BIN_EXE_simbellctl"), socket.display());
        let output = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .env(variable.0, variable.1)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("script: {error}; install bsdutils"));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(on_a_terminal(("LANG", "C.UTF-8")).contains("\u{1b}[1m"));
    let plain = on_a_terminal(("NO_COLOR", "1"));
    assert!(plain.contains("4.90 GB") && !plain.contains('\u{1b}'), "{plain}");
}

#[test]
fn a_report_is_saved_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let file = scratch.path().join("report.jsonl");
    let path = file.to_str().unwrap();
    good(&socket, &["bug-report", "-o", path]);
    let saved = std::fs::read_to_string(&file).unwrap();
    assert_eq!(saved.lines().count(), 3);
    assert!(saved.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(good(&socket, &["bug-report"]), saved);
    let again = run(&socket, &["bug-report", "-o", path]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("exists already"));
}
