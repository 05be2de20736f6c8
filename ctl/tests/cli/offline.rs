//! Verbs that need no service: plans for the configuration, and checking.

use simbelld::config::{Environment, load};

use super::*;

#[test]
fn every_plan_that_is_added_is_a_configuration() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    for (number, args) in [
        &["--sim", &fake::TRAVEL[12..], "--data", "6GB", "--day", "1", "--sim-name", "ending"][..],
        &["--sim", "home", "--data", "6GB", "--every", "month", "--day", "31"],
        &[
            "--sim",
            "home",
            "--data",
            "6GB",
            "--day",
            "1",
            "--counts",
            "max",
            "--roaming-free",
            "--increment",
            "100kB",
            "--per",
            "session",
            "--free",
            "00:00-06:00",
            "--free",
            "22:30-24:00",
        ],
        &[
            "--iccid",
            "8949 0200 0012 3456 789F",
            "--sim-name",
            "旅行 \"x\\",
            "--name",
            "流量",
            "--data",
            "1.5GiB",
            "--day",
            "last",
        ],
        &[
            "--iccid",
            fake::TRAVEL,
            "--data",
            "500 MB",
            "--every",
            "30days",
            "--start",
            "2026-11-01",
            "--renews",
            "false",
        ],
        &["--iccid", fake::TRAVEL, "--data", "10GB", "--every", "4 weeks", "--start", "2026-11-01"],
        &[
            "--iccid",
            fake::TRAVEL,
            "--data",
            "unlimited",
            "--every",
            "used",
            "--start",
            "2026-06-15",
            "--timezone",
            "Asia/Shanghai",
        ],
    ]
    .into_iter()
    .enumerate()
    {
        let file = scratch.path().join(format!("plan-{number}.toml"));
        let mut all = vec!["plan", "add"];
        all.extend(args);
        let printed = good(&socket, &all);
        let mut writing = all.clone();
        writing.extend(["--write", file.to_str().unwrap()]);
        let output = run(&socket, &writing);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("simbellctl reload"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), printed);
        let loaded =
            load(&file, &Environment::of_process()).unwrap_or_else(|error| panic!("{error}\n{printed}"));
        assert_eq!(loaded.settings.sims.len(), 1, "{printed}");
        assert!(
            loaded.settings.sims.values().all(|sim| sim.plan.is_some() && sim.name.is_some()),
            "{printed}"
        );

        let again = run(&socket, &writing);
        assert_eq!(again.status.code(), Some(1), "a file is not written over");
        assert!(stderr(&again).contains("exists already"));
    }
}

#[test]
fn the_configuration_that_is_named_is_where_a_plan_goes() {
    let scratch = Scratch::new();
    let mine = scratch.path().join("mine");
    std::fs::create_dir_all(mine.join("conf.d")).unwrap();
    let mine = mine.to_str().unwrap();
    let add = ["plan", "add", "--iccid", fake::HOME, "--sim-name", "home", "--data", "6GB", "--day", "1"];
    let every = ["--every", "month", "--config", mine];
    let pasted = run(&scratch.socket(), &[&add[..], &every].concat());
    let hint =
        format!("paste this into {mine}/simbell.toml or a file in {mine}/conf.d, then `simbellctl reload`");
    assert!(pasted.status.success() && stderr(&pasted).contains(&hint), "{}", stderr(&pasted));
    let written = run(&scratch.socket(), &[&add[..], &every, &["--write"]].concat());
    let file = format!("{mine}/conf.d/plan-home.toml");
    assert!(stderr(&written).contains(&file), "{}", stderr(&written));
    assert!(std::path::Path::new(&file).is_file());
}

#[test]
fn a_folder_that_is_not_there_is_told_with_the_way_out() {
    let scratch = Scratch::new();
    let file = scratch.path().join("conf.d/plan.toml");
    let args = ["plan", "add", "--iccid", fake::HOME, "--data", "6GB", "--day", "1", "--write"];
    let output = run(&scratch.socket(), &[&args[..], &[file.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("its folder is not there\nhint: make the folder"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_is_not_given_is_asked_for() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let python = std::env::var("SIMBELL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    // A terminal, and a person who errs once.
    let script = r#"
import os, pty, sys
answers = [b"7", os.environb[b"CHOICE"], b"six", b"6GB", b"30 days", b"2026-11-01", b"no", b"travel plan", b"Asia/Shanghai"]
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b""
while True:
    try:
        part = os.read(fd, 4096)
    except OSError:
        break
    if not part:
        break
    said += part
    if said.endswith(b": ") and answers:
        os.write(fd, answers.pop(0) + b"\n")
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;
    // A SIM by the number before it, or by its name.
    for (choice, iccid) in [("2", fake::TRAVEL), ("home", fake::HOME)] {
        let output = Command::new(&python)
            .args(["-c", script, env!("CARGO_BIN_EXE_simbellctl"), "--socket"])
            .arg(&socket)
            .args(["plan", "add"])
            .env("CHOICE", choice)
            .output()
            .unwrap_or_else(|error| {
                panic!("{python}: {error}; install Python, or name it in SIMBELL_TEST_PYTHON")
            });
        let said = stdout(&output).replace('\r', "");
        assert_eq!(output.status.code(), Some(0), "{said}{}", stderr(&output));
        assert!(said.contains("write it like 6GB"), "the error was explained and asked again: {said}");
        for line in [
            &format!("iccid = \"{iccid}\""),
            "timezone = \"Asia/Shanghai\"",
            "name = \"travel plan\"",
            "data = \"6 GB\"",
            "every = \"30 days\"",
            "start = 2026-11-01",
            "renews = false",
        ] {
            assert!(said.contains(line), "{line} is missing: {said}");
        }
    }
}

#[test]
fn checking_is_what_simbelld_says() {
    let scratch = Scratch::new();
    // Alone in a directory, so that the simbelld it finds is the one in PATH.
    let own = scratch.path().join("own");
    let bin = scratch.path().join("bin");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::create_dir_all(&bin).unwrap();
    let program = own.join("simbellctl");
    std::fs::copy(env!("CARGO_BIN_EXE_simbellctl"), &program).unwrap();
    let run = |path: &Path, args: &[&str]| {
        Command::new(&program).args(args).env("PATH", path).stdin(Stdio::null()).output().unwrap()
    };

    let missing = run(&bin, &["config", "check"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("install the package simbell"), "{}", stderr(&missing));

    let fake = bin.join("simbelld");
    executable(
        &fake,
        "#!/bin/sh\necho \"args: $*\"\necho 'simbell.toml:3:1: wrong' >&2\nexit ${CHECK:-78}\n",
    );
    let wrong = run(&bin, &["config", "check", "/some/where"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert_eq!(stdout(&wrong), "args: check --only config --config /some/where\n");
    assert!(stderr(&wrong).contains("simbell.toml:3:1: wrong\nerror: the configuration has problems"));
    assert_eq!(
        stdout(&run(&bin, &["rules", "check", "my.rhai"])),
        "args: check --only rules --rules my.rhai\n"
    );

    for (args, told) in [
        (["config", "check", "--config", "/etc/x"], "--only config --config /etc/x"),
        (["rules", "check", "--config", "/etc/x"], "--only rules --config /etc/x"),
    ] {
        assert_eq!(stdout(&run(&bin, &args)), format!("args: check {told}\n"));
    }
    let json = run(&bin, &["--json", "config", "check"]);
    assert_eq!(json.status.code(), Some(1));
    let object = schema::check("check", stdout(&json).trim_end());
    assert_eq!(object["ok"], false);
    assert_eq!(object["lines"][1], "simbell.toml:3:1: wrong");

    std::fs::write(&fake, "#!/bin/sh\nexit 0\n").unwrap();
    assert_eq!(run(&bin, &["plan", "check"]).status.code(), Some(0));
}

#[test]
fn the_version_needs_no_service() {
    let scratch = Scratch::new();
    let said = good(&scratch.socket(), &["version"]);
    assert!(said.starts_with(&format!("simbellctl {}\n", simbell_api::VERSION)), "{said}");
    assert!(said.contains("simbelld: the service is not running"), "{said}");
    let object = schema::check("version", good(&scratch.socket(), &["version", "--json"]).trim_end());
    assert!(object["service"].is_null());
}
