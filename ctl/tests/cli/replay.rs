//! `rules replay`: what is passed on to simbelld, and how what it says is shown. A script stands in for simbelld.

use simbell_api::{PastLine, ReplayDay, ReplayFailure, ReplayLine, ReplayRing, ReplaySummary, ReplayedRule};

use super::*;

/// A simbellctl whose simbelld says what it is told to.
struct Stand {
    scratch: Scratch,
    program: PathBuf,
}

impl Stand {
    fn saying(lines: &[ReplayLine]) -> Self {
        let scratch = Scratch::new();
        let (own, bin) = (scratch.path().join("own"), scratch.path().join("bin"));
        std::fs::create_dir_all(&own).unwrap();
        std::fs::create_dir_all(&bin).unwrap();
        let program = own.join("simbellctl");
        install(Path::new(env!("CARGO_BIN_EXE_simbellctl")), &program);
        let text: Vec<String> =
            lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
        std::fs::write(scratch.path().join("said"), text.concat()).unwrap();
        let stand = Self { scratch, program };
        stand.script("echo \"$*\" > args; cat > told; cat said");
        stand
    }

    fn script(&self, commands: &str) {
        let simbelld = self.scratch.path().join("bin/simbelld");
        let text = format!("#!/bin/sh\ncd '{}'\n{commands}\n", self.scratch.path().display());
        executable(&simbelld, &text);
    }

    fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, &[("LC_ALL", "C.UTF-8")])
    }

    fn run_with(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.scratch.path().join("bin").display());
        let mut command = Command::new(&self.program);
        command.arg("--socket").arg(self.scratch.socket()).args(["rules", "replay"]).args(args);
        command.env("PATH", path).env_remove("TERM").stdin(Stdio::null());
        command.envs(env.iter().copied()).output().unwrap()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.scratch.path().join(name)).unwrap()
    }
}

fn ring(day: u32, name: &str, urgency: &str, text: &str) -> ReplayRing {
    let at = format!("2026-10-{day:02}T14:07:00+02:00");
    ReplayRing {
        record: "ring".into(),
        side: None,
        at: at.clone(),
        raised_at: at.clone(),
        iccid: Some(fake::HOME.into()),
        sim: Some("home".into()),
        key: format!("data-left/{name}/0011"),
        name: name.into(),
        urgency: urgency.into(),
        text: text.into(),
        old_text: None,
        trigger: "usage".into(),
        times: 1,
        last_at: at,
        late_seconds: None,
        resolved_at: Some("2026-11-01T00:00:00+01:00".into()),
    }
}

fn rule(name: &str, rings: u64) -> ReplayedRule {
    ReplayedRule {
        name: name.into(),
        file: format!("/etc/simbell/rules.d/{name}.rhai"),
        rings,
        times: rings + 4,
        evaluations: 340,
        failures: 0,
        suspended_at: None,
    }
}

fn summary() -> ReplaySummary {
    ReplaySummary {
        record: "summary".into(),
        from: "2026-09-01T00:00:00+02:00".into(),
        to: "2026-11-30T00:00:00+01:00".into(),
        days: 90,
        sims: 1,
        rules: vec![rule("data-left", 3)],
        only_old: None,
        only_new: None,
        both: None,
        notes: vec![
            "Nobody acknowledges anything in a replay: what repeats is said until it is over.".into(),
        ],
    }
}

/// Ninety days of a plan of 6 GB, in which a rule rings three times and fails once; with hostile text.
fn lines() -> Vec<ReplayLine> {
    let mut lines = vec![
        ReplayLine::Ring(Box::new(ReplayRing {
            raised_at: "2026-10-11T23:40:00+02:00".into(),
            times: 5,
            last_at: "2026-10-31T09:00:00+01:00".into(),
            ..ring(12, "used-80", "warning", "home：流量已用 80%，请留意。 80% of the data of this cycle is used.")
        })),
        ReplayLine::Ring(Box::new(ReplayRing {
            late_seconds: Some(7_260),
            resolved_at: None,
            ..ring(25, "used-100", "critical", "All of it\u{1b}[31m is used\u{202e}.\nNothing is left.")
        })),
        ReplayLine::Ring(Box::new(ReplayRing {
            iccid: None,
            sim: None,
            ..ring(28, "a-key-that-is-as-long-as-a-key-may-be-and-longer-than-the-table", "info", "A look.")
        })),
        ReplayLine::Failure(Box::new(ReplayFailure {
            record: "failure".into(),
            side: None,
            at: "2026-10-30T10:00:00+01:00".into(),
            sim: Some("home".into()),
            error: "data-left.rhai:6:12: error: Sim has no property `remainig`\n  6 |     if sim.remainig < LITTLE {\n    |            ^\n  hint: did you mean `remaining`?".into(),
            suspended: true,
        })),
    ];
    for day in 0..91_u32 {
        let (month, of_month) = match day {
            0..30 => (9, day),
            30..61 => (10, day - 30),
            _ => (11, day - 61),
        };
        lines.push(ReplayLine::Day(Box::new(ReplayDay {
            record: "day".into(),
            iccid: fake::HOME.into(),
            sim: "home".into(),
            date: format!("2026-{month:02}-{:02}", of_month + 1),
            used_bytes: u64::from(of_month) * 230_000_000,
            allowance_bytes: Some(6_000_000_000),
            partial: day == 40,
        })));
    }
    lines.push(ReplayLine::Summary(Box::new(summary())));
    lines
}

#[test]
fn a_replay_is_a_table_a_plot_and_a_sum() {
    let stand = Stand::saying(&lines());
    let output = stand.run(&["--ledger", "copy.db", "data-left"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = stdout(&output);
    reference::compare(&reference::project("ctl/tests/cli/replay.txt"), &said);
    assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "nothing drives the terminal");
    for line in said.lines() {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 80, "{line}");
    }
    // Neither a locale nor a terminal that says so: ASCII, but for what the rule says.
    for env in [[("LC_ALL", "C"), ("TERM", "xterm")], [("LC_ALL", "C.UTF-8"), ("TERM", "dumb")]] {
        let plain = stdout(&stand.run_with(&["--ledger", "copy.db", "data-left"], &env));
        let plot: Vec<&str> = plain.lines().skip_while(|line| !line.starts_with("home: used")).collect();
        assert!(plot.len() > 8 && plot.iter().all(|line| line.is_ascii()), "{plain}");
    }
}

#[test]
fn two_versions_are_shown_side_by_side() {
    let mut lines: Vec<ReplayLine> =
        lines().into_iter().filter(|line| matches!(line, ReplayLine::Day(_))).collect();
    let side = |side: &str, ring: ReplayRing| {
        ReplayLine::Ring(Box::new(ReplayRing { side: Some(side.into()), ..ring }))
    };
    lines.push(side("old", ring(12, "used-80", "warning", "80% used.")));
    lines.push(side("new", ring(14, "used-85", "warning", "85% used.")));
    lines.push(side("both", ring(25, "used-100", "critical", "All of it is used.")));
    let other = ReplayRing { old_text: Some("A look.".into()), ..ring(28, "look", "info", "Another look.") };
    lines.push(side("both", other));
    lines.push(ReplayLine::Summary(Box::new(ReplaySummary {
        rules: vec![rule("old", 3), rule("new", 3)],
        only_old: Some(1),
        only_new: Some(1),
        both: Some(2),
        ..summary()
    })));
    let stand = Stand::saying(&lines);
    let args = ["--ledger", "copy.db", "--diff", "old.rhai", "new.rhai"];
    let output = stand.run(&args);
    assert_eq!(output.status.code(), Some(0), "a difference is no failure");
    reference::compare(&reference::project("ctl/tests/cli/replay-diff.txt"), &stdout(&output));
    assert_eq!(stand.file("args"), "replay --days 90 --ledger copy.db --old old.rhai -- new.rhai\n");
    let checked = stand.run(&[&args[..], &["--check"]].concat());
    assert_eq!(checked.status.code(), Some(5), "unless it is asked for");
}

#[test]
fn what_replay_says_in_json_keeps_its_schemas() {
    let stand = Stand::saying(&lines());
    let said = stdout(&stand.run(&["--json", "--ledger", "copy.db", "data-left"]));
    assert!(said.is_ascii() || !said.contains('\u{202e}'), "{said}");
    let mut records = std::collections::BTreeMap::new();
    for line in said.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let record = value["record"].as_str().unwrap().to_owned();
        schema::check(&format!("rules-replay-{record}"), line);
        *records.entry(record).or_insert(0) += 1;
    }
    let counted: Vec<(String, i32)> = records.into_iter().collect();
    let expected = [("day", 91), ("failure", 1), ("ring", 3), ("summary", 1)];
    assert_eq!(counted, expected.map(|(record, count)| (record.to_owned(), count)));
}

#[test]
fn the_service_tells_the_past() {
    let stand = Stand::saying(&[ReplayLine::Summary(Box::new(summary()))]);
    let socket = stand.scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let output = stand.run(&["--days", "30", "--settings", "limit=5 GB", "--to", "2026-11-30", "./x.rhai"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("The rule would not have rung.\n"), "{}", stdout(&output));
    assert_eq!(stand.file("args"), "replay --days 30 --to 2026-11-30 --set limit=5 GB -- ./x.rhai\n");
    let told = stand.file("told");
    let past: Vec<PastLine> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: String = past
        .iter()
        .map(|line| match line {
            PastLine::Sim(_) => 's',
            PastLine::Calls(_) => 'c',
            PastLine::Messages(_) => 'm',
            PastLine::Observation(_) => 'o',
            PastLine::Part(_) => 'p',
            PastLine::End => 'e',
        })
        .collect();
    assert_eq!(kinds, "sscccmmmoopppe", "{told}");
    let checked = stand.run(&["--check", "x.rhai"]);
    assert_eq!(checked.status.code(), Some(0), "it did not ring");
}

#[test]
fn what_goes_wrong_is_said_once() {
    let stand = Stand::saying(&[]);
    // No service, and no ledger named.
    let output = stand.run(&["x.rhai"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    // simbelld says why, and that is all.
    stand.script("echo 'x.rhai:3:1: error: what is this\n  3 | ?\n    | ^' >&2; exit 1");
    let output = stand.run(&["--ledger", "l", "x.rhai"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(
        stderr(&output).ends_with("  3 | ?\n    | ^\n"),
        "the caret stays in its place: {}",
        stderr(&output)
    );
    let json = stdout(&stand.run(&["--json", "--ledger", "l", "x.rhai"]));
    let failure = schema::check("error", json.trim_end());
    assert_eq!(failure["error"]["kind"], "ReplayFailed");
    assert!(failure["error"]["message"].as_str().unwrap().contains("3:1: error: what is this\n"));
    stand.script("printf 'error: there is no such SIM\\n  hint: look for it\\n' >&2; exit 1");
    let json = stdout(&stand.run(&["--json", "--ledger", "l", "x.rhai"]));
    let failure = schema::check("error", json.trim_end());
    assert_eq!(failure["error"]["message"], "there is no such SIM");
    assert_eq!(failure["error"]["hint"], "look for it");
    stand.script("echo 'error: --from is no date' >&2; exit 2");
    assert_eq!(stand.run(&["--ledger", "l", "--from", "x", "x.rhai"]).status.code(), Some(2));
    // It was ended in the middle, or is another version.
    stand.script("exit 0");
    assert_eq!(stand.run(&["--ledger", "l", "x.rhai"]).status.code(), Some(1));
    stand.script("echo '{\"record\":\"dream\"}'");
    let output = stand.run(&["--ledger", "l", "x.rhai"]);
    assert!(
        stderr(&output).contains("install simbelld and simbellctl of one version"),
        "{}",
        stderr(&output)
    );
    for (args, part) in [
        (&["--days", "0", "x.rhai"][..], "0 is not in 1..=4000"),
        (&["--days", "100000", "x.rhai"], "100000 is not in 1..=4000"),
        (&["--days", "soon", "x.rhai"], "invalid digit"),
        (&["--days", "3", "--from", "2026-11-01", "x.rhai"], "cannot be used with"),
        (&["--diff", "old.rhai"], "2 values required"),
        (&["--diff", "old.rhai", "new.rhai", "x.rhai"], "cannot be used with"),
        (&[], "required"),
    ] {
        let output = stand.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(part), "{args:?}: {}", stderr(&output));
    }
}
