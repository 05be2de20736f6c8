//! `simbelld new-rule` and `simbelld reference`, as simbellctl executes them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn simbelld(dir: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simbelld")).args(words).current_dir(dir).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_new_rule_is_written_once_and_says_what_to_do_next() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let written = simbelld(dir, &["new-rule", "--dir", "own", "--", "little-left"]);
    assert!(written.status.success(), "{written:?}");
    let text = said(&written);
    for part in ["wrote own/little-left.rhai", "little-left.test.rhai", "rules check", "rules test", "reload"]
    {
        assert!(text.contains(part), "{text}");
    }
    let rule = dir.join("own/little-left.rhai");
    fs::write(&rule, "// mine\n").unwrap();
    let again = simbelld(dir, &["new-rule", "--dir", "own", "little-left"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        said(&again).contains("own/little-left.rhai is there already, and is left as it is"),
        "{again:?}"
    );
    assert_eq!(fs::read_to_string(&rule).unwrap(), "// mine\n");
    let bad = simbelld(dir, &["new-rule", "--json", "--dir", "own", "../x"]);
    let answer: serde_json::Value = serde_json::from_slice(&bad.stdout).unwrap();
    assert_eq!(answer["ok"], false);
    assert!(answer["error"].as_str().unwrap().contains("../x"), "{answer}");
    assert!(!dir.join("x.rhai").exists());
    assert_eq!(bad.status.code(), Some(2), "what is asked for makes no sense");
    let kind = simbelld(dir, &["new-rule", "--kind", "foo", "--dir", "own", "x"]);
    assert_eq!(kind.status.code(), Some(2), "{kind:?}");
}

#[test]
fn what_to_do_next_names_the_configuration_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::create_dir_all(dir.join("mine/rules.d")).unwrap();
    fs::write(dir.join("mine/simbell.toml"), "").unwrap();
    let within = said(&simbelld(dir, &["new-rule", "--config", "mine", "one"]));
    assert!(
        within.contains("wrote mine/rules.d/one.rhai") && within.contains("the service takes it up"),
        "{within}"
    );
    let beside = said(&simbelld(dir, &["new-rule", "--config", "mine/simbell.toml", "--dir", ".", "two"]));
    assert!(beside.contains("copy it into mine/rules.d, then: simbellctl reload\n"), "{beside}");
    let plugin = said(&simbelld(dir, &["new-rule", "--config", "mine", "--plugin", "--dir", ".", "three"]));
    assert!(
        plugin.contains("copy it into mine/plugins, then: simbellctl plugins enable three\n"),
        "{plugin}"
    );
    let other = simbelld(dir, &["new-rule", "--dir", "mine/simbell.toml", "four"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(said(&other).contains("mine/simbell.toml is no folder"), "{other:?}");
}

#[test]
fn a_plugin_is_a_folder_and_checks_well() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let written =
        simbelld(dir, &["new-rule", "--plugin", "--kind", "sms", "--dir", ".", "--json", "from-carrier"]);
    let answer: serde_json::Value = serde_json::from_slice(&written.stdout).unwrap();
    assert_eq!(
        (answer["ok"].as_bool(), answer["files"].as_array().unwrap().len()),
        (Some(true), 6),
        "{answer}"
    );
    let checked = simbelld(dir, &["check", "--only", "rules", "--rules", "from-carrier"]);
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(said(&checked), "1 rule: no errors\n");
    let again = simbelld(dir, &["new-rule", "--plugin", "--dir", ".", "from-carrier"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    // Copied, a plugin waits for a decision: reading it again does not have it run.
    let other = said(&simbelld(dir, &["new-rule", "--plugin", "--dir", ".", "other"]));
    assert!(other.contains("then: simbellctl plugins enable other\n"), "{other}");
}

#[test]
fn a_channel_is_called_so_and_wrong_tests_are_found_by_a_check() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::create_dir_all(dir.join("ring")).unwrap();
    let manifest =
        "api = 1\nname = \"ring\"\nkind = \"channel\"\ndescription = \"Rings.\"\nhosts = [\"example.org\"]\n";
    fs::write(dir.join("ring/plugin.toml"), manifest).unwrap();
    fs::write(dir.join("ring/main.rhai"), "fn send(message) { http_get(\"https://example.org/\") }\n")
        .unwrap();
    fs::write(dir.join("one.rhai"), "fn on_usage(sim) { }\n").unwrap();
    let check = |what: &str| simbelld(dir, &["check", "--rules", what]);
    assert_eq!(said(&check("ring")), "1 channel: no errors\n");
    fs::write(dir.join("ring/tests.rhai"), "fn test_a() { send(); }\n").unwrap();
    assert_eq!(said(&check(".")), "1 rule, 1 channel: no errors\n");
    fs::write(dir.join("ring/tests.rhai"), "fn test_a() {\n    send(;\n}\n").unwrap();
    fs::write(dir.join("one.test.rhai"), "fn test_a(x) { }\nfn test_b() { }\n").unwrap();
    let text = said(&check("."));
    assert!(text.contains("ring/tests.rhai:2:10: "), "{text}");
    assert!(text.contains("one.test.rhai:1:1: the test `test_a` takes values"), "{text}");
    assert!(text.ends_with("\n\n2 problems in the rules\n"), "{text}");
}

#[test]
fn what_a_rule_asks_for_and_nobody_allows_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::create_dir_all(dir.join("etc/rules.d")).unwrap();
    let rule = "// send_sms is not called here.\nfn on_usage(sim) {\n    send_ussd(\"u\", \"*100#\");\n}\n";
    fs::write(dir.join("etc/rules.d/ask.rhai"), rule).unwrap();
    let said_of = |config: &str, more: &[&str]| {
        fs::write(dir.join("etc/simbell.toml"), format!("[rules]\nplugin_dirs = []\n{config}")).unwrap();
        let checked = simbelld(dir, &[&["check", "--config", "etc"], more].concat());
        assert!(checked.status.success(), "{checked:?}");
        said(&checked)
    };
    for more in [&[][..], &["--rules", "etc/rules.d/ask.rhai"]] {
        let text = said_of("", more);
        for part in [
            "ask.rhai:3:5: warning: `send_ussd` is refused unless the configuration allows it",
            "under [rules.allow] write `ask = [\"send-ussd\"]`",
            "1 warning",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let text = said_of("[rules.allow]\nask = [\"send-ussd\"]\n", more);
        assert!(!text.contains("warning"), "{text}");
    }
    // A plugin says so itself.
    simbelld(dir, &["new-rule", "--plugin", "--dir", ".", "asks"]);
    fs::write(dir.join("asks/main.rhai"), rule).unwrap();
    let text = said(&simbelld(dir, &["check", "--rules", "asks"]));
    assert!(text.contains("`send_ussd` is refused: the plugin does not ask for it"), "{text}");
    assert!(text.contains("in plugin.toml write `permissions = [\"send-ussd\"]`"), "{text}");
}

#[test]
fn a_configuration_is_checked_by_its_folder_and_only_what_was_looked_at_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::create_dir_all(dir.join("etc/rules.d")).unwrap();
    fs::write(dir.join("etc/simbell.toml"), "[rules]\nplugin_dirs = []\n").unwrap();
    fs::write(dir.join("etc/rules.d/typo.rhai"), "fn on_usge(sim) {}\n").unwrap();
    let rules = simbelld(dir, &["check", "--rules", "etc"]);
    assert_eq!(rules.status.code(), Some(1));
    let text = said(&rules);
    assert!(text.contains("etc/rules.d/typo.rhai:1:1: there is no hook `on_usge`"), "{text}");
    assert!(text.ends_with("\n\n1 problem in the rules\n"), "{text}");
    let config = said(&simbelld(dir, &["check", "--only", "config", "--config", "etc"]));
    assert_eq!(config, "1 file of configuration: no errors\n");
    fs::write(dir.join("etc/simbell.toml"), "languag = 1\n").unwrap();
    let both = said(&simbelld(dir, &["check", "--config", "etc"]));
    assert!(both.ends_with("\n\n1 problem in the configuration, 1 problem in the rules\n"), "{both}");
}

#[test]
fn what_a_check_finds_is_counted_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::create_dir_all(dir.join("etc/rules.d")).unwrap();
    fs::create_dir_all(dir.join("plugins/two")).unwrap();
    fs::write(dir.join("etc/simbell.toml"), "[rules]\nplugin_dirs = [\"../plugins\"]\n").unwrap();
    fs::write(dir.join("plugins/two/plugin.toml"), "api = 1\nname = \"two\"\nkind = \"sound\"\n").unwrap();
    fs::write(dir.join("plugins/two/main.rhai"), "fn on_usage(sim) {}\n").unwrap();
    fs::write(dir.join("etc/rules.d/p.test.rhai"), "fn test_a() {}\n").unwrap();
    let text = said(&simbelld(dir, &["check", "--config", "etc"]));
    assert_eq!(text.matches("plugin.toml:").count(), 2, "{text}");
    assert!(text.ends_with("\n\n2 problems in the rules\n"), "{text}");
    let alone = "etc/rules.d/p.test.rhai: warning: these are tests of p.rhai, which is not there";
    assert!(text.contains(alone), "{text}");
    let named = said(&simbelld(dir, &["check", "--rules", "etc/rules.d"]));
    assert!(named.contains(alone), "{named}");
    fs::write(dir.join("etc/rules.d/p.rhai"), "fn on_usage(sim) {}\n").unwrap();
    let named = said(&simbelld(dir, &["check", "--rules", "etc/rules.d"]));
    assert_eq!(named, "1 rule: no errors\n");

    // By the configuration that is at hand, channels are known.
    let by = "fn on_usage(sim) { remind(\"s\", \"s\", #{ channels: [\"nochan\"] }) }\n";
    fs::write(dir.join("etc/rules.d/p.rhai"), by).unwrap();
    fs::write(dir.join("etc/simbell.toml"), "[rules]\nplugin_dirs = []\n").unwrap();
    let wanted = "p.rhai:1:51: warning: there is no channel `nochan` in the configuration";
    for more in [&["--config", "etc"][..], &["--config", "etc", "--rules", "etc/rules.d/p.rhai"]] {
        let text = said(&simbelld(dir, &[&["check"], more].concat()));
        assert!(text.contains(wanted) && text.contains("there are: journal"), "{text}");
    }
    let text = said(&simbelld(dir, &["check", "--only", "config", "--config", "etc"]));
    assert!(text.contains(wanted), "{text}");

    fs::write(dir.join("etc/simbell.toml"), "[counting]\nquota = \"yes\"\n").unwrap();
    let quota = simbelld(dir, &["check", "--only", "config", "--config", "etc"]);
    assert_eq!(quota.status.code(), Some(78), "{quota:?}");
    assert!(said(&quota).contains("counting.quota: is true or false without quotes, or the absolute path"));
}

#[test]
fn the_reference_tells_one_thing_or_all() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let one = said(&simbelld(dir, &["reference", "every"]));
    assert_eq!(
        one,
        "Schedules\n  every(span: Span) -> Schedule\n      Again and again after that span.\n      every(10.minutes)\n"
    );
    let all = said(&simbelld(dir, &["reference"]));
    assert!(all.lines().count() > 500 && all.contains("fn on_usage(sim)"), "{all}");
    let wrong = simbelld(dir, &["reference", "remnid"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("hint: did you mean `remind`?"), "{wrong:?}");
    let json = said(&simbelld(dir, &["reference", "--json", "Sim.share"]));
    let entry: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(entry["form"], "Sim.share: Percent?");
}

#[test]
fn a_plan_that_would_be_refused_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    fs::create_dir_all(dir.join("etc/conf.d")).unwrap();
    let iccid = "89490200001234567890";
    let main = format!(
        "[sims.home]\niccid = \"{iccid}\"\n[sims.home.plan]\ndata = \"1GB\"\nevery = \"month\"\nday = 3\n"
    );
    fs::write(dir.join("etc/simbell.toml"), main).unwrap();
    let add = |name: &str, more: &[&str]| {
        let plan = [
            "plan",
            "add",
            "--config",
            "etc",
            "--iccid",
            iccid,
            "--sim-name",
            name,
            "--data",
            "6GB",
            "--write",
        ];
        Command::new(crate::bell::beside("simbellctl"))
            .args(plan)
            .args(more)
            .current_dir(dir)
            .output()
            .unwrap()
    };
    let refused = add("other", &["--every", "month", "--day", "1"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let text = said(&refused);
    assert!(text.contains("sims.other.iccid: is the ICCID of the SIM \"home\" too"), "{text}");
    assert!(
        text.contains("give this one the name \"home\"")
            && text.contains(&format!("--iccid {iccid} --sim-name"))
    );
    assert!(!dir.join("etc/conf.d/plan-other.toml").exists());
    // Of the same name a block changes the one that is there, unless the two contradict each other.
    let bucket = add("home", &["--every", "used", "--start", "2026-11-01"]);
    assert_eq!(bucket.status.code(), Some(1), "{bucket:?}");
    assert!(!dir.join("etc/conf.d/plan-home.toml").exists());
    let written = add("home", &["--every", "month", "--day", "1"]);
    assert!(written.status.success(), "{written:?}");
    let checked = simbelld(dir, &["check", "--only", "config", "--config", "etc"]);
    assert_eq!(said(&checked), "2 files of configuration: no errors\n");
}
