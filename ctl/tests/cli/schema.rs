//! What `--json` prints is what the schema files promise.

use std::path::Path;

use serde_json::Value;

use super::*;

/// As far as the schemas go: types, required keys, items, and null.
fn conforms(value: &Value, schema: &Value, at: &str) {
    if let Some(options) = schema["anyOf"].as_array() {
        let fits = options.iter().any(|option| option["type"] == "null" && value.is_null());
        if !fits {
            let other = options.iter().find(|option| option["type"] != "null").unwrap();
            conforms(value, other, at);
        }
        return;
    }
    let ok = match schema["type"].as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("{at}: schema of type {other}"),
    };
    assert!(ok, "{at}: {value} is no {}", schema["type"]);
    if let Some(properties) = schema["properties"].as_object() {
        for required in schema["required"].as_array().unwrap() {
            let key = required.as_str().unwrap();
            let member = value.get(key).unwrap_or_else(|| panic!("{at}: {key} is left out of {value}"));
            conforms(member, &properties[key], &format!("{at}.{key}"));
        }
    }
    if let Some(items) = value.as_array() {
        for item in items {
            conforms(item, &schema["items"], &format!("{at}[]"));
        }
    }
}

pub fn check(verb: &str, line: &str) -> Value {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../daemon/api/schema").join(format!("{verb}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{verb}: {error}: {line}"));
    conforms(&value, &serde_json::from_str(&text).unwrap(), verb);
    value
}

#[test]
fn every_verb_keeps_its_schema() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let key = "data-threshold/80/0011";
    for (verb, args, lines) in [
        ("status", vec!["status"], 1),
        ("sims", vec!["sims"], 2),
        ("usage", vec!["usage", "--by", "hour", "--sim", "home"], 1),
        ("usage-calls", vec!["usage", "calls"], 1),
        ("usage-sms", vec!["usage", "sms"], 1),
        ("usage-explain", vec!["usage", "explain", "--sim", "home"], 1),
        ("usage-set", vec!["usage", "set", "6GB", "--sim", "home", "--reason", "before"], 1),
        ("usage", vec!["usage", "--by", "cycle", "--sim", "home"], 1),
        ("usage-corrections", vec!["usage", "corrections"], 2),
        ("usage-undo", vec!["usage", "undo", "1", "--reason", "typed wrong"], 1),
        ("usage-observations", vec!["usage", "observations", "--sim", "home"], 2),
        ("usage-observe", vec!["usage", "observe", "5.16GB", "--note", "their page"], 1),
        ("usage-withdraw", vec!["usage", "withdraw", "1", "--reason", "typed wrong"], 1),
        ("import", vec!["import", "undo", "--interface", "wwan0", "--sim", "home"], 1),
        ("plan-show", vec!["plan"], 1),
        ("plan-show", vec!["plan", "show", "--sim", "home"], 1),
        (
            "plan-add",
            vec!["plan", "add", "--sim", "home", "--data", "6GB", "--every", "month", "--day", "1"],
            1,
        ),
        ("rules-list", vec!["rules"], 2),
        ("rules-why", vec!["rules", "why", key], 1),
        ("rules-resume", vec!["rules", "resume", "my-rule"], 1),
        ("plugins-list", vec!["plugins"], 1),
        ("plugins-show", vec!["plugins", "show", "helper"], 1),
        ("plugins-change", vec!["plugins", "enable", "helper", "--yes"], 1),
        ("plugins-change", vec!["plugins", "disable", "helper"], 1),
        ("plugins-change", vec!["plugins", "approve", "helper", "--yes"], 1),
        ("reminders", vec!["reminders"], 1),
        ("reminders", vec!["reminders", "snooze", key, "2h"], 1),
        ("reminders", vec!["reminders", "ack", key], 1),
        ("channels", vec!["channels"], 3),
        ("channels-test", vec!["channels", "test", "mail"], 1),
        ("reload", vec!["reload"], 1),
        ("bug-report", vec!["bug-report"], 5),
        ("backup", vec!["backup"], 2),
        ("backup", vec!["backup", "create"], 1),
        ("backup-restore", vec!["backup", "restore", "daily-20261121T040000Z.db"], 1),
        ("version", vec!["version"], 1),
    ] {
        let mut args = args;
        args.push("--json");
        let said = good(&socket, &args);
        assert_eq!(said.lines().count(), lines, "{verb}: {said}");
        for line in said.lines() {
            check(verb, line);
        }
    }
}

#[test]
fn every_record_of_an_export_keeps_its_schema() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let file = scratch.path().join("usage.json");
    let said = good(&socket, &["usage", "export"]);
    assert_eq!(good(&socket, &["--json", "usage", "export", "--output", file.to_str().unwrap()]), "");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), said);
    let mut records = Vec::new();
    for line in said.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let record = value["record"].as_str().unwrap().to_owned();
        check(&format!("usage-export-{record}"), line);
        records.push(record);
    }
    assert_eq!(records, ["usage", "correction", "gap", "usage", "correction", "gap", "gap"]);
    let told = stderr(&run(&socket, &["usage", "export", "--force", "--output", file.to_str().unwrap()]));
    assert!(told.starts_with(&format!("note: wrote {} (", file.display())), "{told}");
    let nowhere = stderr(&run(&socket, &["usage", "export", "-o", "/nonexist/x.csv"]));
    assert!(nowhere.contains("/nonexist/x.csv cannot be made") && !nowhere.contains(".part"), "{nowhere}");
    let csv = good(&socket, &["usage", "export", "--format", "csv"]);
    assert_eq!(csv.matches("\r\n").count(), 8, "{csv}");
    let refused = run(&socket, &["usage", "export", "--format", "csv", "--json"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn an_export_replaces_nothing_that_it_was_not_told_to_replace() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let whole = good(&socket, &["usage", "export"]);
    let (file, link) = (scratch.path().join("usage.json"), scratch.path().join("link"));
    std::fs::write(&file, "of last year").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    for name in [&file, &link] {
        let refused = run(&socket, &["usage", "export", "--output", name.to_str().unwrap()]);
        assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("exists already\nhint: "), "{}", stderr(&refused));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "of last year");
    }
    // By way of a link it is the file that is replaced, and the link stays.
    good(&socket, &["usage", "export", "--force", "--output", link.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), whole);
    assert!(link.is_symlink());

    // What is no file is written to, as any program does, and stays what it is.
    let pipe = scratch.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read_to_string(pipe).unwrap()
    });
    assert_eq!(good(&socket, &["usage", "export", "--output", pipe.to_str().unwrap()]), "");
    assert_eq!(reader.join().unwrap(), whole);
    assert!(!pipe.is_file());

    let directory = run(&socket, &["usage", "export", "--force", "-o", scratch.path().to_str().unwrap()]);
    assert_eq!(directory.status.code(), Some(1), "{}", stderr(&directory));
    // Nothing half made is left, beside the directory neither.
    let beside =
        scratch.path().parent().unwrap().read_dir().unwrap().chain(scratch.path().read_dir().unwrap());
    let left = beside.flatten().map(|entry| entry.path()).find(|path| {
        path.to_string_lossy().contains(".part") && path.starts_with(scratch.path().with_extension(""))
    });
    assert_eq!(left, None);
}

/// One reader that stops reading is hung up on; what is held for it stays small, and others are served.
#[test]
fn a_reader_that_stops_hurts_nobody() {
    use std::io::{Read as _, Write as _};
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let served = Served::start(&socket, Fake::new(16));
    let mut stopped = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    let call = br#"{"method":"org.simbell.Control.ExportUsage","parameters":{"by":"hour","sim":"endless"},"more":true}"#;
    stopped.write_all(call).unwrap();
    stopped.write_all(&[0]).unwrap();
    let mut first = [0; 64];
    stopped.read_exact(&mut first).unwrap();
    for _ in 0..3 {
        good(&socket, &["status"]);
    }
    eventually("the reader is given up", || served.fake.gave_up());
    // What was under way comes, then the end.
    stopped.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut rest = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        match stopped.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => rest.extend_from_slice(&buffer[..read]),
        }
    }
    assert!(rest.len() < 1_000_000, "{} bytes were held", rest.len());
}

#[test]
fn what_scripts_rely_on() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let _served = Served::start(&socket, Fake::new(16));
    let status: Value = serde_json::from_str(&good(&socket, &["--json", "status"])).unwrap();
    for key in ["version", "state", "clock_trusted", "warnings"] {
        assert!(status["service"].get(key).is_some(), "service.{key}");
    }
    for key in ["present", "version"] {
        assert!(status["modemmanager"].get(key).is_some(), "modemmanager.{key}");
    }
    let travel = status["sims"].as_array().unwrap().iter().find(|sim| sim["iccid"] == fake::TRAVEL).unwrap();
    for key in [
        "iccid",
        "name",
        "imsi",
        "eid",
        "operator",
        "roaming",
        "active",
        "plan",
        "measured_bytes",
        "billed_bytes",
        "remaining_bytes",
    ] {
        assert!(travel.get(key).is_some(), "sims[].{key} must be there, if only as null");
    }
    assert_eq!(travel["remaining_bytes"], Value::Null);
    for (object, keys) in [("cycle", ["start", "end"]), ("forecast", ["exhausted_at", "end_of_cycle_bytes"])]
    {
        for key in keys {
            assert_eq!(travel[object].get(key), Some(&Value::Null), "sims[].{object}.{key}");
        }
    }
    assert_eq!(status["reminders"].as_array().unwrap().len(), 1);
    assert_eq!(status["channels"].as_array().unwrap().len(), 3);

    let usage: Value =
        serde_json::from_str(&good(&socket, &["usage", "--json", "--sim", "home", "--by", "hour"])).unwrap();
    assert_eq!(usage["rows"].as_array().unwrap().len(), 101, "every page, on one line");
    for key in ["start", "end", "zone", "rx_bytes", "tx_bytes", "source", "gap"] {
        assert!(usage["rows"][0].get(key).is_some(), "rows[].{key}");
    }
    assert_eq!(usage["total"]["rx_bytes"], 3_000_000_000_u64);

    let reminder: Value = serde_json::from_str(&good(&socket, &["reminders", "--json"])).unwrap();
    for key in ["key", "rule", "sim", "state", "urgency", "text", "raised_at", "next_at", "deliveries"] {
        assert!(reminder.get(key).is_some(), "reminders {key}");
    }
    for key in ["channel", "state", "attempts", "last_error"] {
        assert!(reminder["deliveries"][0].get(key).is_some(), "deliveries[].{key}");
    }
}
