//! Rules and plugins from folders: what is loaded, what is left out, and what is said of the rest.

use simbell_core::plugin::{PluginChoice, PluginDecision, PluginPlace, standings};
use simbell_core::time::Timestamp;
use simbell_rules::{Limits, LoadOptions, RuleSet, SettingValues, check_plugin};

use crate::inputs::{Folder, input, on_usage, rule, sim};

const MANIFEST: &str = r#"
api = 1
name = "steps"
kind = "rule"
languages = ["en", "zh"]
description = { en = "Steps.", zh = "阶梯。" }

[settings.limit]
type = "size"
default = "5 GB"

[settings.steps]
type = "percent"
list = true
default = [12.5, 80]

[settings.factor]
type = "decimal"
default = 0.1

[settings.pause]
type = "span"
default = "36 hours"

[settings.times]
type = "int"
default = 3

[settings.on]
type = "bool"
default = true

[settings.word]
type = "text"
default = "left"
"#;

const MAIN: &str = "fn on_usage(sim) { let s = settings; remind(\"k\", `${s.limit} ${s.steps} ${s.factor * 3} \
                    ${s.pause} ${s.times + 1} ${s.on} ${s.word}`); }";

fn plugin(folder: &Folder, name: &str, manifest: &str, main: &str) {
    folder.write(&format!("{name}/plugin.toml"), manifest);
    folder.write(&format!("{name}/main.rhai"), main);
}

fn options(folder: &Folder) -> LoadOptions {
    LoadOptions {
        plugin_dirs: vec![folder.path().to_owned()],
        language: "en".to_owned(),
        ..LoadOptions::default()
    }
}

fn said(rules: &RuleSet, name: &str) -> String {
    let outcome = rules.evaluate(&rule(name), &on_usage(), &input(Some(sim()), "en"));
    assert_eq!(outcome.error, None);
    outcome.findings[0].text.clone()
}

fn values(json: &str) -> SettingValues {
    serde_json::from_str(json).unwrap()
}

#[test]
fn settings_have_their_defaults_and_what_is_configured() {
    let folder = Folder::new();
    plugin(&folder, "steps", MANIFEST, MAIN);
    let mut options = options(&folder);
    let rules = RuleSet::load(&options);
    assert_eq!(said(&rules, "steps"), "5 GB [12.5%, 80%] 0.3 1.5 days 4 true left");
    assert_eq!(rules.descriptions()[0].summary, "Steps.");
    assert!(rules.descriptions()[0].plugin);

    let configured = r#"{ "limit": "2.5 GiB", "steps": ["90%"], "factor": "0.2", "pause": "1 day", "times": 7,
        "on": false, "word": "剩余" }"#;
    options.settings.insert("steps".to_owned(), values(configured));
    options.language = "zh-CN".to_owned();
    let rules = RuleSet::load(&options);
    assert_eq!(said(&rules, "steps"), "2.68 GB [90%] 0.6 1 day 8 false 剩余");
    assert_eq!(rules.descriptions()[0].summary, "阶梯。");
}

#[test]
fn wrong_settings_disable_that_plugin_with_every_reason() {
    let folder = Folder::new();
    plugin(&folder, "steps", MANIFEST, MAIN);
    let mut options = options(&folder);
    options.settings.insert("steps".to_owned(), values(r#"{ "stpes": [50], "limit": 5, "times": 1.5 }"#));
    let problem = RuleSet::load(&options).descriptions()[0].problem.clone().unwrap();
    let shown = problem.replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(
        shown,
        "steps/main.rhai: the setting `limit` of `steps` is an amount of data such as \"5 GB\" or \"500 MB\"\n\
         steps/main.rhai: `steps` has no setting `stpes`\n  hint: did you mean `steps`?\n\
         steps/main.rhai: the setting `times` of `steps` is a whole number"
    );
}

#[test]
fn a_wrong_manifest_says_line_and_nearest_key() {
    let folder = Folder::new();
    let wrong = "api = 2\nnaem = \"x\"\nname = \"Not Good\"\nkind = \"rule\"\ndescription = \"d\"\n\n[settings.a]\ntype = \
                 \"sise\"\ndefault = 1\n\n[settings.b]\ntype = \"size\"\ndefault = \"5 Gb\"\ndefualt = 1\n";
    plugin(&folder, "x", wrong, MAIN);
    let problems: Vec<String> =
        check_plugin(&folder.path().join("x")).iter().map(ToString::to_string).collect();
    let shown = problems.join("\n").replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(
        shown,
        "x/plugin.toml:2:1: the manifest has no key `naem`\n  2 | naem = \"x\"\n    | ^\n  hint: did you mean `name`?\n\
         x/plugin.toml:1:7: this is written for version 2 of the rule language; this simbell speaks version 1\n  1 | api = 2\n    |       ^\n  \
         hint: update simbell, or use an older version of it\n\
         x/plugin.toml:3:8: `name` is a text of small letters, digits and `-`\n  3 | name = \"Not Good\"\n    |        ^\n\
         x/plugin.toml:8:8: `settings.a.type` is one of: bool, int, decimal, text, size, span, percent, money\n  8 | type = \
         \"sise\"\n    |        ^\n\
         x/plugin.toml:14:1: `settings.b` has no key `defualt`\n  14 | defualt = 1\n     | ^\n  hint: did you mean \
         `default`?\n\
         x/plugin.toml:13:11: `settings.b.default` is an amount of data such as \"5 GB\" or \"500 MB\"\n  13 | default = \
         \"5 Gb\"\n     |           ^"
    );
    let rules = RuleSet::load(&options(&folder));
    assert!(rules.descriptions()[0].problem.as_deref().unwrap().contains("plugin.toml:2:1"));
    assert_eq!(rules.descriptions()[0].name.as_str(), "x");
}

#[test]
fn one_broken_rule_leaves_the_others() {
    let folder = Folder::new();
    folder.write("a.rhai", "fn on_usage(sim) { ");
    folder.write("b.rhai", "// Says hello.\nfn on_usage(sim) { remind(\"k\", \"hello\") }");
    folder.write("c.rhai", "fn on_usage(sim) { no_such_thing }");
    folder.write("not-a-rule.txt", "fn");
    folder.write(".hidden.rhai", "fn");
    std::fs::write(folder.path().join("d.rhai"), [0x66, 0xff, 0xfe]).unwrap();
    std::fs::create_dir(folder.path().join("e.rhai")).unwrap();
    folder.write("f.rhai", &format!("fn on_usage(sim) {{ }}\n{}", "/".repeat(70_000)));
    let rules = folder.load();
    let described: Vec<(String, bool)> =
        rules.descriptions().iter().map(|d| (d.name.to_string(), d.problem.is_some())).collect();
    let expected = [("a", true), ("b", false), ("c", true), ("d", true), ("e", true), ("f", true)];
    assert_eq!(described, expected.map(|(name, wrong)| (name.to_owned(), wrong)));
    assert_eq!(said(&rules, "b"), "hello");
    assert_eq!(rules.descriptions()[1].summary, "Says hello.");
    let refused = rules.evaluate(&rule("a"), &on_usage(), &input(Some(sim()), "en"));
    assert_eq!(refused.error, rules.descriptions()[0].problem);
}

#[test]
fn rules_are_switched_on_and_off_and_unknown_names_told() {
    let folder = Folder::new();
    plugin(&folder, "steps", &MANIFEST.replace("languages =", "enabled = false\nlanguages ="), MAIN);
    folder.write("own/hello.rhai", "fn on_usage(sim) { remind(\"k\", \"hello\") }");
    let mut options = LoadOptions { user_dir: Some(folder.path().join("own")), ..options(&folder) };
    let loaded = |options: &LoadOptions| {
        let rules = RuleSet::load(options);
        let idle: Vec<String> = rules.idle().iter().map(|idle| idle.name.to_string()).collect();
        let run: Vec<String> = rules.descriptions().iter().map(|d| d.name.to_string()).collect();
        (run.join(","), idle.join(","))
    };
    assert_eq!(loaded(&options), ("hello".to_owned(), "steps".to_owned()));
    options.enabled = vec!["steps".to_owned()];
    options.disabled = vec!["hello".to_owned()];
    assert_eq!(loaded(&options), ("steps".to_owned(), "hello".to_owned()));
    options.disabled = vec!["helo".to_owned()];
    options.settings.insert("stepts".to_owned(), values("{}"));
    let problems: Vec<String> = RuleSet::load(&options).problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "rules: the configuration names `helo`, and no rule and no plugin is called so\n  hint: did you mean `hello`?",
            "rules: the configuration names `stepts`, and no rule and no plugin is called so\n  hint: did you mean `steps`?",
        ]
    );
    options.disabled.clear();
    options.settings.insert("steps".to_owned(), values("{\"limt\": 1}"));
    let places = [("plugins.stepts", "/c.toml:3"), ("plugins.steps.settings.limt", "/c.toml:7")];
    options.places = places.map(|(key, place)| (key.to_owned(), place.to_owned())).into();
    let rules = RuleSet::load(&options);
    let wrong = "/c.toml:7: plugins.steps.settings.limt: `steps` has no setting `limt`\n  hint: did you mean `limit`?";
    let misfits: Vec<String> = rules.misfits().map(ToString::to_string).collect();
    assert_eq!(
        misfits,
        [
            "/c.toml:3: plugins.stepts: there is no rule and no plugin `stepts`\n  hint: did you mean `steps`?",
            wrong
        ]
    );
    let steps = rules.descriptions().into_iter().find(|one| one.name.as_str() == "steps").unwrap();
    assert_eq!(steps.problem.as_deref(), Some(wrong), "not a word of the script");
}

#[test]
fn a_value_alone_is_a_list_of_one_and_a_name_with_a_blank_has_a_way_out() {
    let folder = Folder::new();
    plugin(
        &folder,
        "steps",
        MANIFEST,
        "fn on_usage(sim) { remind(\"k\", `${settings.steps.len()} ${settings.steps[0]}`) }",
    );
    let mut options = options(&folder);
    options.settings.insert("steps".to_owned(), values("{\"steps\": \"5%\"}"));
    assert_eq!(said(&RuleSet::load(&options), "steps"), "1 5%");
    folder.write("own/my rule.rhai", "fn on_usage(sim) { }");
    options.user_dir = Some(folder.path().join("own"));
    let told = RuleSet::load(&options).problems().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(told.len() == 1 && told[0].ends_with("\n  hint: call it `my-rule`"), "{told:?}");
}

#[test]
fn channels_and_folders_that_are_not_there_are_told() {
    let folder = Folder::new();
    let text = "const OTHER = \"mali\";\nfn on_usage(sim) {\n    // channels: [\"comment\"]\n    remind(\"a\", \"channels: x\", #{ channels: \
                [\"phone\", \"mial\"] });\n    remind(\"b\", \"b\", #{ channels: \"nochan\", urgency: \"info\" });\n    remind(\"c\", \
                \"c\", #{ channels: [OTHER, \"after\"] });\n    let how = #{};\n    how.channels = [\"phone\"];\n    if \
                how.channels == \"no name\" { }\n}\n";
    folder.write("own/r.rhai", text);
    let own = folder.path().join("own");
    let nowhere = folder.path().join("nowhere");
    let mut options = LoadOptions { user_dir: Some(own.clone()), ..LoadOptions::default() };
    let said = |options: &LoadOptions| -> Vec<String> {
        RuleSet::load(options).misfits().map(ToString::to_string).collect()
    };
    assert_eq!(said(&options), Vec::<String>::new(), "nobody knows which there are");
    let known = vec!["mail".to_owned(), "phone".to_owned()];
    options.channels = Some(known.clone());
    let file = own.join("r.rhai");
    let expected = [
        format!(
            "{0}:4:55: warning: there is no channel `mial` in the configuration\n  4 |     remind(\"a\", \"channels: x\", \
             #{{ channels: [\"phone\", \"mial\"] }});\n    |                                                       ^\n  \
             hint: did you mean `mail`?",
            file.display()
        ),
        format!(
            "{0}:5:35: warning: there is no channel `nochan` in the configuration\n  5 |     remind(\"b\", \"b\", #{{ \
             channels: \"nochan\", urgency: \"info\" }});\n    |                                   ^\n  hint: there are: \
             mail, phone; another is added as [channels.nochan]",
            file.display()
        ),
    ];
    assert_eq!(said(&options), expected);
    let named = RuleSet::load(&options).descriptions().remove(0).channels;
    assert_eq!(
        named.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        ["phone", "mial", "nochan", "phone"]
    );
    let checked = simbell_rules::check_channels(&file, &Limits::default(), &known);
    assert_eq!(checked.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);

    options.channels = None;
    options.named_dirs = vec![("rules.dir", own), ("rules.plugin_dirs", nowhere.clone())];
    let told = said(&options);
    let start = format!("rules.plugin_dirs: warning: the folder {} is not there", nowhere.display());
    assert!(told.len() == 1 && told[0].starts_with(&start), "{told:?}");
    assert!(told[0].contains("take it out of rules.plugin_dirs"), "{told:?}");
    // What is not configured may be missing.
    options.plugin_dirs = vec![nowhere];
    options.named_dirs.clear();
    assert_eq!(said(&options), Vec::<String>::new());
}

#[test]
fn later_folders_win_and_own_rules_win_over_plugins() {
    let (shipped, local) = (Folder::new(), Folder::new());
    let rule_saying = |text: &str| format!("fn on_usage(sim) {{ remind(\"k\", \"{text}\") }}");
    plugin(&shipped, "rules/steps", MANIFEST, &rule_saying("shipped"));
    let mut options = options(&shipped);
    assert_eq!(said(&RuleSet::load(&options), "steps"), "shipped");
    plugin(&local, "steps", MANIFEST, &rule_saying("local"));
    options.plugin_dirs.push(local.path().to_owned());
    assert_eq!(said(&RuleSet::load(&options), "steps"), "local");
    local.write("own/steps.rhai", &rule_saying("own"));
    options.user_dir = Some(local.path().join("own"));
    assert_eq!(said(&RuleSet::load(&options), "steps"), "own");
    options.user_dir = Some(local.path().join("nowhere"));
    assert_eq!(said(&RuleSet::load(&options), "steps"), "local");
}

#[test]
fn hostile_manifests_are_refused() {
    let folder = Folder::new();
    let deep = format!(
        "{MANIFEST}\n[settings.x]\ntype = \"int\"\nlist = true\ndefault = {}{}",
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    let dotted = format!("{MANIFEST}\nsettings{} = 1", ".a".repeat(20_000));
    for wrong in
        [deep.as_str(), dotted.as_str(), "", "api", "api = 1\napi = 1", "\u{0}", "[[settings]]", "name = 5"]
    {
        plugin(&folder, "x", wrong, MAIN);
        let description = RuleSet::load(&options(&folder)).descriptions().pop().expect("described");
        let problem = description.problem.expect("a problem");
        assert!(problem.contains("plugin.toml"), "{problem}");
        assert!(problem.len() < 4_000, "{} bytes", problem.len());
    }
}

#[test]
fn rules_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    let folder = Folder::new();
    folder.write("r.rhai", "fn on_usage(sim) { remind(\"k\", `${sim.used}`) }");
    let rules = folder.load();
    shared(&rules);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(said(&rules, "r"), "2 GB"));
        }
    });
}

#[test]
fn a_plugin_waits_however_its_folder_is_reached_and_whatever_else_its_name_means() {
    let folder = Folder::new();
    let manifest =
        "api = 1\nname = \"sms\"\nkind = \"rule\"\ndescription = \"Sends.\"\npermissions = [\"send-sms\"]\n";
    folder.write("elsewhere/sms/plugin.toml", manifest);
    folder.write("elsewhere/sms/main.rhai", "fn on_usage(sim) { }");
    let owner = folder.path().join("owner");
    std::fs::create_dir(&owner).expect("a folder");
    std::os::unix::fs::symlink("../elsewhere", owner.join("rules")).expect("a link");
    // Channels of the kind `sms`, which the service has itself, go by no plugin.
    let options = LoadOptions {
        plugin_dirs: vec![owner.clone()],
        owner_dirs: vec![owner],
        used: vec!["sms".to_owned()],
        ..LoadOptions::default()
    };
    let rules = RuleSet::load(&options);
    let plugin = rules.plugin("sms").expect("it is found");
    assert!(!plugin.enabled && !plugin.first_seen, "{plugin:?}");
    assert_eq!(plugin.waiting().collect::<Vec<_>>(), ["send-sms"]);
    assert!(rules.descriptions().is_empty());
}

#[test]
fn a_plugin_of_the_same_name_in_the_other_folder_inherits_nothing() {
    let manifest = |more: &str| {
        format!(
            "api = 1\nname = \"helper\"\nkind = \"rule\"\ndescription = \"x\"\npermissions = [\"send-sms\"]\n{more}"
        )
    };
    let folder = Folder::new();
    folder.write("shipped/helper/plugin.toml", &manifest("enabled = false\n"));
    folder.write("shipped/helper/main.rhai", "fn on_usage(sim) { }");
    let owner = folder.path().join("owner");
    let mut options = LoadOptions {
        plugin_dirs: vec![folder.path().join("shipped"), owner.clone()],
        owner_dirs: vec![owner],
        allowed: [("helper".to_owned(), vec![simbell_core::action::Permission::SendSms])].into(),
        ..LoadOptions::default()
    };
    let approved = |place| PluginDecision {
        plugin: "helper".to_owned(),
        place,
        at: Timestamp::from_millis(0),
        author: "uid 0".to_owned(),
        what: PluginChoice::Enable,
        approved: Some(["send-sms".to_owned()].into()),
    };
    options.standings = standings(&[approved(Some(PluginPlace::Shipped))]);
    let rules = RuleSet::load(&options);
    let plugin = rules.plugin("helper").expect("it is found");
    assert!(plugin.enabled && plugin.place == PluginPlace::Shipped && plugin.waiting().next().is_none());

    // Another one waits beside it; that the configuration names it is no reason to trust it unseen.
    folder.write("owner/helper/plugin.toml", &manifest(""));
    folder.write("owner/helper/main.rhai", "fn on_usage(sim) { }");
    let rules = RuleSet::load(&options);
    let plugin = rules.later("helper").expect("it is found");
    assert!(!plugin.enabled && !plugin.first_seen && plugin.place == PluginPlace::Owner, "{plugin:?}");
    assert_eq!(plugin.waiting().collect::<Vec<_>>(), ["send-sms"]);
    let plugin = rules.plugin("helper").expect("it is found");
    assert!(plugin.enabled && plugin.place == PluginPlace::Shipped, "{plugin:?}");
    assert!(rules.descriptions()[0].file.contains("/shipped/"));
    options.enabled = vec!["helper".to_owned()];
    let rules = RuleSet::load(&options);
    let plugin = rules.plugin("helper").expect("it is found");
    assert!(plugin.enabled && !plugin.first_seen, "{plugin:?}");
    assert_eq!(plugin.waiting().collect::<Vec<_>>(), ["send-sms"]);
    assert!(rules.descriptions()[0].may.is_empty(), "what it asks for was approved of another");

    // What an older ledger says, which knows no place, holds for what is there.
    options.standings = standings(&[approved(None)]);
    let rules = RuleSet::load(&options);
    let plugin = rules.plugin("helper").expect("it is found");
    assert!(plugin.enabled && plugin.unplaced && plugin.waiting().next().is_none(), "{plugin:?}");
}

#[test]
fn what_runs_runs_on_until_a_copy_of_it_is_enabled() {
    let folder = Folder::new();
    let rule_saying = |text: &str| format!("fn on_usage(sim) {{ remind(\"k\", \"{text}\") }}");
    plugin(&folder, "shipped/rules/steps", MANIFEST, &rule_saying("shipped"));
    let owner = folder.path().join("owner");
    let mut options = LoadOptions {
        plugin_dirs: vec![folder.path().join("shipped"), owner.clone()],
        owner_dirs: vec![owner.clone()],
        ..options(&folder)
    };
    let decided = |place, what| PluginDecision {
        plugin: "steps".to_owned(),
        place: Some(place),
        at: Timestamp::from_millis(0),
        author: "uid 0".to_owned(),
        what,
        approved: None,
    };
    // Half copied, copied, and changed so that nobody can read it.
    let wrong = MANIFEST.replace("kind", "kin");
    for manifest in ["", MANIFEST, wrong.as_str()] {
        plugin(&folder, "owner/steps", manifest, &rule_saying("copy"));
        let rules = RuleSet::load(&options);
        assert_eq!(said(&rules, "steps"), "shipped", "{manifest}");
        assert!(rules.idle().is_empty() && rules.descriptions().len() == 1);
        let later = rules.later("steps").expect("it waits");
        assert!(!later.enabled && later.dir == owner.join("steps"), "{later:?}");
        assert_eq!(later.problem.is_some(), manifest != MANIFEST);
    }
    plugin(&folder, "owner/steps", MANIFEST, &rule_saying("copy"));
    options.standings = standings(&[decided(PluginPlace::Owner, PluginChoice::Enable)]);
    let rules = RuleSet::load(&options);
    assert_eq!(said(&rules, "steps"), "copy");
    assert!(rules.later("steps").is_none() && rules.descriptions().len() == 1);
    // Who enabled it is told what is wrong with it, rather than that another runs in its place.
    plugin(&folder, "owner/steps", &wrong, &rule_saying("copy"));
    let rules = RuleSet::load(&options);
    assert!(rules.later("steps").is_none() && rules.descriptions()[0].problem.is_some());

    // What is switched off is off, wherever it lies.
    plugin(&folder, "owner/steps", MANIFEST, &rule_saying("copy"));
    options.standings = standings(&[decided(PluginPlace::Shipped, PluginChoice::Disable)]);
    let rules = RuleSet::load(&options);
    assert!(rules.descriptions().is_empty() && rules.later("steps").is_none());
    assert_eq!(rules.idle().len(), 1);
    // Where nothing runs, that which waits is the plugin of its name.
    options.standings.clear();
    plugin(
        &folder,
        "shipped/rules/steps",
        &MANIFEST.replace("languages =", "enabled = false\nlanguages ="),
        "",
    );
    let rules = RuleSet::load(&options);
    assert!(rules.later("steps").is_none() && rules.idle().len() == 1);
    assert_eq!(rules.plugin("steps").map(|plugin| plugin.place), Some(PluginPlace::Owner));
}

#[test]
fn what_was_decided_about_a_plugin_is_not_inherited_by_a_folder_beside_it() {
    let manifest = |name: &str| {
        format!(
            "api = 1\nname = \"{name}\"\nkind = \"rule\"\ndescription = \"x\"\npermissions = [\"send-sms\"]\n"
        )
    };
    let folder = Folder::new();
    let owner = folder.path().join("owner");
    let options = LoadOptions {
        plugin_dirs: vec![owner.clone()],
        owner_dirs: vec![owner],
        allowed: [("helper".to_owned(), vec![simbell_core::action::Permission::SendSms])].into(),
        standings: standings(&[PluginDecision {
            plugin: "helper".to_owned(),
            place: Some(PluginPlace::Owner),
            at: Timestamp::from_millis(0),
            author: "uid 0".to_owned(),
            what: PluginChoice::Enable,
            approved: Some(["send-sms".to_owned()].into()),
        }]),
        ..LoadOptions::default()
    };
    for name in ["helper", "aaa", "zzz"] {
        folder.write(&format!("owner/{name}/plugin.toml"), &manifest("helper"));
        folder.write(&format!("owner/{name}/main.rhai"), "fn on_usage(sim) { }");
    }
    let rules = RuleSet::load(&options);
    assert!(rules.plugin("helper").is_some_and(|one| one.enabled && one.dir.ends_with("owner/helper")));
    for name in ["aaa", "zzz"] {
        let problem = rules.plugin(name).and_then(|one| one.problem.clone()).expect(name);
        assert!(problem.contains("owner/helper is called `helper`, too"), "{problem}");
    }
    let runs: Vec<_> = rules.descriptions().into_iter().filter(|rule| rule.problem.is_none()).collect();
    assert!(runs.len() == 1 && runs[0].file.contains("owner/helper/"), "{runs:?}");

    // Where no folder is called so, none is the one that was meant.
    std::fs::remove_dir_all(folder.path().join("owner/helper")).expect("it is there");
    let rules = RuleSet::load(&options);
    assert!(rules.plugin("helper").is_none() && rules.plugin("aaa").is_some_and(|one| !one.enabled));
    assert!(rules.descriptions().iter().all(|rule| rule.problem.is_some()));

    // Alone, a plugin's folder may be called as one likes.
    std::fs::remove_dir_all(folder.path().join("owner/zzz")).expect("it is there");
    assert!(RuleSet::load(&options).plugin("helper").is_some_and(|one| one.enabled));
}

/// What is copied with its links would show lines of other files in its errors.
#[test]
fn a_plugins_files_are_in_its_folder() {
    let folder = Folder::new();
    folder.write("secret", "the password\n");
    folder.write("p/plugin.toml", "api = 1\nname = \"p\"\nkind = \"rule\"\ndescription = \"x\"\n");
    std::os::unix::fs::symlink("../secret", folder.path().join("p/main.rhai")).expect("a link");
    let told = |options: &LoadOptions| {
        let said: Vec<String> =
            RuleSet::load(options).descriptions().into_iter().filter_map(|one| one.problem).collect();
        let checked = simbell_rules::check_plugin(&folder.path().join("p"));
        said.into_iter().chain(checked.iter().map(ToString::to_string)).collect::<Vec<_>>()
    };
    let options = LoadOptions {
        plugin_dirs: vec![folder.path().to_owned()],
        enabled: vec!["p".to_owned()],
        ..LoadOptions::default()
    };
    let said = told(&options);
    assert_eq!(said.len(), 2, "{said:?}");
    for said in said {
        assert!(said.contains("leads out of the plugin's folder") && !said.contains("password"), "{said}");
    }
    folder.write("p/real.rhai", "fn on_usage(sim) { }");
    std::fs::remove_file(folder.path().join("p/main.rhai")).expect("it is there");
    std::os::unix::fs::symlink("real.rhai", folder.path().join("p/main.rhai")).expect("a link");
    assert_eq!(told(&options), Vec::<String>::new());
}
