//! Texts by language: chosen, completed by the owner, checked before they are said, and bounded.

use simbell_rules::{LoadOptions, RuleSet, check_file, check_plugin};

use crate::inputs::{Folder, input, on_usage, rule, sim};

const MANIFEST: &str = "api = 1\nname = \"told\"\nkind = \"rule\"\ndescription = \"Tells.\"\n";
const MAIN: &str = "fn on_usage(sim) {\n    let values = #{ sim: sim.name, used: sim.used, days: sim.cycle.days_left };\n    \
                    remind(\"k\", text(\"used\", values));\n}\n";
const EN: &str =
    "used = { $sim }: { $used } used, { $days ->\n    [one] one day\n   *[other] { $days } days\n} left.\n";
const ZH: &str = "used = { $sim }：已用 { $used }，还有 { $days } 天。\n";

fn told(folder: &Folder, main: &str, texts: &[(&str, &str)]) {
    folder.write("plugins/told/plugin.toml", MANIFEST);
    folder.write("plugins/told/main.rhai", main);
    for (language, text) in texts {
        folder.write(&format!("plugins/told/texts/{language}.ftl"), text);
    }
}

fn load(folder: &Folder, language: &str) -> RuleSet {
    RuleSet::load(&LoadOptions {
        user_dir: Some(folder.path().join("rules.d")),
        plugin_dirs: vec![folder.path().join("plugins")],
        texts_dir: Some(folder.path().join("texts")),
        language: language.to_owned(),
        ..LoadOptions::default()
    })
}

fn says(rules: &RuleSet, name: &str, language: &str) -> Result<String, String> {
    let outcome = rules.evaluate(&rule(name), &on_usage(), &input(Some(sim()), language));
    match outcome.error {
        Some(error) => Err(error),
        None => Ok(outcome.findings[0].text.clone()),
    }
}

/// `line: message`, and the hint where there is one.
fn problems(found: Vec<simbell_rules::Problem>) -> Vec<String> {
    let line = |at: Option<(usize, usize)>| at.map_or_else(String::new, |(line, _)| format!(":{line}"));
    found
        .into_iter()
        .map(|problem| {
            let file = problem.file.rsplit('/').next().unwrap_or_default().to_owned();
            let hint = problem.hint.map_or_else(String::new, |hint| format!(" ({hint})"));
            format!("{file}{}: {}{hint}", line(problem.at), problem.message)
        })
        .collect()
}

#[test]
fn the_language_asked_for_or_english() {
    let folder = Folder::new();
    told(&folder, MAIN, &[("en", EN), ("zh", ZH)]);
    let english = "router: 2 GB used, 9 days left.";
    for (language, expected) in [
        ("en", english),
        ("en-GB", english),
        ("de", english),
        ("zh", "router：已用 2 GB，还有 9 天。"),
        ("zh_CN", "router：已用 2 GB，还有 9 天。"),
        ("zh-Hans-CN", "router：已用 2 GB，还有 9 天。"),
    ] {
        let rules = load(&folder, language);
        assert_eq!(says(&rules, "told", language).as_deref(), Ok(expected), "{language}");
        assert_eq!(rules.problems().is_empty(), language != "de", "{language}");
    }
}

#[test]
fn a_language_that_nothing_is_written_in_is_told_with_those_that_are_there() {
    let folder = Folder::new();
    told(&folder, MAIN, &[("en", EN), ("zh", ZH)]);
    let said = problems(load(&folder, "cn").problems().to_vec());
    let [said] = said.as_slice() else { panic!("{said:?}") };
    assert!(said.starts_with("language: `language` is \"cn\", and no rule has texts in it"), "{said}");
    assert!(
        said.contains("there are: en, zh;")
            && said.contains(&format!("cn.ftl in {}/texts/NAME", folder.path().display())),
        "{said}"
    );
    assert!(load(&folder, "cn").language_problem().is_some());
    // What the owner adds counts, and a rule of one's own that writes its texts itself is nobody's business.
    folder.write("texts/told/fr.ftl", "used = { $sim } : { $used }.\n");
    assert_eq!(load(&folder, "fr-CA").problems(), []);
    let own = Folder::new();
    own.write("rules.d/own.rhai", "fn on_usage(sim) { remind(\"k\", #{ fr: \"bonjour\" }); }");
    assert_eq!(load(&own, "fr").problems(), []);
}

#[test]
fn plurals_are_those_of_the_language() {
    let folder = Folder::new();
    let main = "fn on_usage(sim) { let all = \"\"; for n in [0, 1, 2, 5, 22] { all += text(\"n\", #{ n: n }) + \" \"; } \
                remind(\"k\", all); }";
    let pl = "n = { $n ->\n    [one] { $n } dzień\n    [few] { $n } dni (few)\n   *[many] { $n } dni\n}\n";
    told(
        &folder,
        main,
        &[("en", "n = { $n ->\n    [one] { $n } day\n   *[other] { $n } days\n}\n"), ("pl", pl)],
    );
    assert_eq!(says(&load(&folder, "en"), "told", "en").unwrap(), "0 days 1 day 2 days 5 days 22 days");
    assert_eq!(
        says(&load(&folder, "pl"), "told", "pl").unwrap(),
        "0 dni 1 dzień 2 dni (few) 5 dni 22 dni (few)"
    );
}

#[test]
fn the_owner_adds_languages_and_changes_messages() {
    let folder = Folder::new();
    told(&folder, MAIN, &[("en", EN), ("zh", ZH)]);
    folder.write("texts/told/de.ftl", "used = { $sim }: { $used } verbraucht.\n");
    folder.write("texts/told/en.ftl", "used = { $sim } has used { $used }.\n");
    assert_eq!(says(&load(&folder, "de"), "told", "de").unwrap(), "router: 2 GB verbraucht.");
    assert_eq!(says(&load(&folder, "en"), "told", "en").unwrap(), "router has used 2 GB.");

    // A wrong file of theirs is told, and left out.
    folder.write("texts/told/en.ftl", "used = { $sim } has used { $used }, { $more }, { -brand }.\n");
    let rules = load(&folder, "en");
    assert_eq!(problems(rules.problems().to_vec()), ["en.ftl:1: there is no `-brand` to refer to"]);
    assert_eq!(says(&rules, "told", "en").unwrap(), "router: 2 GB used, 9 days left.");

    // Their translation asks for what is not given: the text that stands in for it is said.
    folder.write("texts/told/en.ftl", "");
    folder.write("texts/told/de.ftl", "used = { $sim }: { $verbraucht }.\n");
    assert_eq!(says(&load(&folder, "de"), "told", "de").unwrap(), "router: 2 GB used, 9 days left.");
}

#[test]
fn single_files_have_texts_too() {
    let folder = Folder::new();
    folder.write("rules.d/own.rhai", MAIN);
    folder.write("texts/own/en.ftl", EN);
    assert_eq!(says(&load(&folder, "en"), "own", "en").unwrap(), "router: 2 GB used, 9 days left.");
    // The made-up SIMs without a plan have no days left.
    let found = problems(check_file(&folder.path().join("rules.d/own.rhai")));
    assert!(found.iter().any(|said| said.contains("`.days_left` of an absent value")), "{found:?}");
}

#[test]
fn what_is_missing_is_found_by_the_check_where_no_input_leads() {
    let folder = Folder::new();
    let main = "fn on_usage(sim) {\n    if sim.name == \"never\" {\n        remind(\"a\", text(\"usde\", #{ sim: sim.name \
                }));\n        remind(\"b\", text(\"used\", #{ sim: sim.name, used: sim.used }));\n        remind(\"c\", \
                text(\"plain\"));\n    }\n}\n";
    told(&folder, main, &[("en", &format!("{EN}plain = Plain.\n")), ("zh", ZH)]);
    assert_eq!(
        problems(check_plugin(&folder.path().join("plugins/told"))),
        [
            "main.rhai:3: there is no message `usde` in the texts of this rule: did you mean `used`?",
            "main.rhai:4: the message `used` (en.ftl) needs `days`, which is not given (add `days: …` to the map)",
            "zh.ftl: the message `plain` of en.ftl is missing here",
        ]
    );
}

#[test]
fn what_is_missing_while_it_runs_says_what_and_where() {
    let folder = Folder::new();
    for (call, expected) in [
        ("text(\"nothing\")", "there is no message `nothing` in the texts of this rule"),
        (
            "text(\"used\", #{ sim: sim.name, used: sim.used })",
            "the message `used` (en.ftl) needs `days`, which is not given: text(\"used\", #{ days: … })",
        ),
        (
            "text(\"used\", #{ sim: sim.forecast.exhausted_at })",
            "the value `sim` is absent, `()`: test it first",
        ),
        ("text(5)", "the name of a message is a string such as \"data-used\", not a plain number"),
        ("text(\"used\", 5)", "the second value of `text` is a map: text(\"data-used\", #{ sim: sim.name })"),
    ] {
        told(&folder, &format!("fn on_usage(sim) {{\n  remind(\"k\", {call});\n}}"), &[("en", EN)]);
        let error = says(&load(&folder, "en"), "told", "en").unwrap_err();
        assert!(error.contains("main.rhai:2:"), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    let folder = Folder::new();
    told(&folder, MAIN, &[]);
    let error = says(&load(&folder, "en"), "told", "en").unwrap_err();
    assert!(error.contains("this rule has no texts"), "{error}");
}

#[test]
fn a_wrong_file_of_the_plugin_s_own_keeps_it_from_running_and_says_the_line() {
    for (text, expected) in [
        ("used = { $sim\n", "en.ftl:2:1: expected a token starting with"),
        ("a = 1\nused = { unknown }\n", "en.ftl:2:1: there is no `unknown` to refer to"),
        ("a = { b }\nb = { a }\n", "en.ftl:1:1: messages within messages deeper than 5: does `"),
        ("a = { a }\n", "en.ftl:1:1: messages within messages deeper than 5: does `a` refer to itself?"),
        ("a = { NUMBER($n) }\n", "en.ftl:1:1: texts have no functions such as NUMBER()"),
        ("a = A\n    .b = B\nc = { a.b }\n", "en.ftl:3:1: texts have no attributes"),
    ] {
        let folder = Folder::new();
        told(&folder, MAIN, &[("en", text)]);
        let problem = load(&folder, "en").descriptions()[0].problem.clone().unwrap();
        assert!(problem.contains(expected), "{text:?}: {problem}");
    }
    let folder = Folder::new();
    told(&folder, MAIN, &[("en", EN), ("not a language", EN)]);
    let found = problems(check_plugin(&folder.path().join("plugins/told")));
    assert_eq!(
        found,
        ["not a language.ftl: `not a language` is no language: a file is named as en.ftl or pt-BR.ftl"]
    );
}

#[test]
fn hostile_files_and_values_are_bounded() {
    let deep = format!("a = {}x{}\n", "{ ".repeat(60_000 / 4), " }".repeat(60_000 / 4));
    let calls = format!("a = {{ {} }}\n", "A(".repeat(20_000));
    // A hundred messages, each ten times the one before.
    let laughs: String =
        (1..100).map(|n| format!("m{n} = {}\n", format!("{{ m{} }}", n - 1).repeat(10))).collect();
    let laughs = format!("m0 = ha\n{laughs}used = {{ m99 }}\n");
    let many: String = (0..501).map(|n| format!("m{n} = x\n")).collect();
    for (text, expected) in [
        (deep, "a message may have 100 of { and ( at most"),
        (calls, "a message may have 100 of { and ( at most"),
        (laughs, "messages within messages deeper than 5"),
        (format!("a = {}\n", "x".repeat(4_001)), "a message may have 4000 bytes at most"),
        (many, "the file has more than 500 messages"),
        ("a = x\n".repeat(11_000), "the file is larger than 64 KiB"),
    ] {
        let folder = Folder::new();
        told(&folder, MAIN, &[("en", &text)]);
        let problem = load(&folder, "en").descriptions()[0].problem.clone().unwrap();
        assert!(problem.contains(expected), "{problem}");
    }

    // Within every bound, and still a thousand times a thousand characters: cut.
    let folder = Folder::new();
    let wide = format!("used = {}\n", "{ $sim }".repeat(99));
    told(
        &folder,
        "fn on_usage(sim) { let s = \"\"; s.pad(4000, \"x\"); remind(\"k\", text(\"used\", #{ sim: s })); }",
        &[("en", &wide)],
    );
    assert_eq!(says(&load(&folder, "en"), "told", "en").unwrap().chars().count(), 1_000);

    // What a value holds is not read as a text of ours, and marks of direction are taken out.
    let folder = Folder::new();
    let main = "fn on_usage(sim) { remind(\"k\", text(\"a\", #{ v: \"{ $w } { b }\\u202e\\x1b[31m\" })); }";
    told(&folder, main, &[("en", "a = <{ $v }>\nb = secret\n")]);
    assert_eq!(says(&load(&folder, "en"), "told", "en").unwrap(), "<{ $w } { b }\u{fffd}[31m>");
}

#[test]
fn messages_that_each_hold_many_others_are_read_at_once() {
    let folder = Folder::new();
    // Followed one by one these are 40 ^ 5 ways.
    let message = |level: usize, nth: usize| {
        let within: String = (0..40).map(|next| format!("{{m{}-{next}}}", level + 1)).collect();
        format!("m{level}-{nth} = {}\n", if level == 5 { "x" } else { &within })
    };
    let mut text: String = (0..40).flat_map(|nth| (1..6).map(move |level| message(level, nth))).collect();
    text.push_str("top = {m1-0}\n");
    assert!(text.len() < 64 << 10, "a file of that size is read");
    told(&folder, "fn on_usage(sim) { remind(\"k\", text(\"m5-7\", #{})); }", &[("en", &text)]);
    assert_eq!(says(&load(&folder, "en"), "told", "en"), Ok("x".to_owned()));
}
