//! Modules of a plugin, the standard library, and whatever somebody may try with `import`.

use std::fs;

use simbell_rules::{Limits, LoadOptions, Outcome, RuleSet, check_file, check_plugin};

use crate::inputs::{Folder, ask, input, on_usage, rule, sim};

const MANIFEST: &str = "api = 1\nname = \"p\"\nkind = \"rule\"\ndescription = \"x\"\n[settings.most]\ntype = \"size\"\ndefault = \"1 GB\"\ndescription = \"x\"\n";

/// A plugin `p` of these files.
fn plugin(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    folder.write("p/plugin.toml", MANIFEST);
    for (name, text) in files {
        folder.write(&format!("p/{name}"), text);
    }
    folder
}

fn load(folder: &Folder, limits: Limits) -> RuleSet {
    RuleSet::load(&LoadOptions {
        plugin_dirs: vec![folder.path().to_owned()],
        limits,
        language: "en".to_owned(),
        ..LoadOptions::default()
    })
}

fn short(folder: &Folder, text: &str) -> String {
    text.replace(&format!("{}/", folder.path().display()), "")
}

/// Why the plugin cannot run.
fn refused(folder: &Folder) -> String {
    refused_under(folder, Limits::default())
}

fn refused_under(folder: &Folder, limits: Limits) -> String {
    let problem = load(folder, limits).descriptions().pop().expect("described").problem;
    short(folder, &problem.expect("it is refused"))
}

fn asked(folder: &Folder) -> Outcome {
    let rules = load(folder, Limits::default());
    assert_eq!(rules.descriptions()[0].problem, None);
    let outcome = rules.evaluate(&rule("p"), &on_usage(), &input(Some(sim()), "en"));
    Outcome { error: outcome.error.map(|error| short(folder, &error)), ..outcome }
}

fn said(folder: &Folder) -> String {
    let outcome = asked(folder);
    assert_eq!(outcome.error, None);
    outcome.findings.first().expect("a finding").text.clone()
}

#[test]
fn functions_and_constants_of_modules_are_used() {
    let folder = plugin(&[
        (
            "main.rhai",
            r#"
            import "lib" as lib;
            import "parts/words" as words;
            const MOST = lib::twice(1.GB);
            const HERE = "main";
            fn on_usage(sim) {
                remind("k", `${words::of(sim)} ${lib::over(sim.used, settings.most)} ${MOST} ${lib::LIMIT} ${HERE}`);
            }"#,
        ),
        (
            "lib.rhai",
            r#"
            import "parts/words" as words;
            const HERE = "lib";
            export const LIMIT = 5.GB;
            fn twice(size) { doubled(size) }
            fn over(used, most) { if used > most { `${words::shout("over")} in ${HERE}` } else { "under" } }
            private fn doubled(size) { size * 2 }"#,
        ),
        (
            "parts/words.rhai",
            r#"
            const HERE = "words";
            const NAMES = #{ router: "the router" };
            fn of(sim) { `${NAMES[sim.name]} in ${HERE}` }
            fn shout(text) { text.to_upper() }"#,
        ),
    ]);
    assert_eq!(said(&folder), "the router in words OVER in lib 2 GB 5 GB main");
    assert_eq!(check_plugin(&folder.path().join("p")), []);
}

#[test]
fn a_module_may_remind_and_remember_as_its_rule() {
    let folder = plugin(&[
        ("main.rhai", "import \"lib\" as lib; fn on_usage(sim) { lib::tell(sim); }"),
        (
            "lib.rhai",
            "fn tell(sim) { remember(\"n\", recall(\"n\", 0) + 1); remind(\"k\", `${sim.name} ${now().date}`); }",
        ),
    ]);
    let outcome = asked(&folder);
    assert_eq!(outcome.findings[0].text, "router 2026-11-22");
    assert!(outcome.memory.is_some());
}

#[test]
fn two_plugins_have_each_their_own_module_of_a_name() {
    let folder = Folder::new();
    for name in ["a", "b"] {
        folder.write(&format!("{name}/plugin.toml"), &MANIFEST.replace("\"p\"", &format!("\"{name}\"")));
        folder.write(
            &format!("{name}/main.rhai"),
            "import \"lib\" as lib; fn on_usage(sim) { remind(\"k\", lib::name()); }",
        );
        folder.write(&format!("{name}/lib.rhai"), &format!("const NAME = \"{name}\"; fn name() {{ NAME }}"));
    }
    let rules = load(&folder, Limits::default());
    for name in ["a", "b"] {
        let outcome = rules.evaluate(&rule(name), &on_usage(), &input(Some(sim()), "en"));
        assert_eq!(outcome.findings[0].text, name);
    }
}

#[test]
fn what_fails_in_a_module_is_told_with_its_line() {
    let main = "import \"lib\" as lib; fn on_usage(sim) { lib::f(sim); }";
    let folder =
        plugin(&[("main.rhai", main), ("lib.rhai", "fn f(sim) {\n    g(sim)\n}\nfn g(sim) { sim.usd }")]);
    assert_eq!(
        asked(&folder).error.expect("it fails"),
        "p/lib.rhai:4:17: Sim has no property `usd`\n  4 | fn g(sim) { sim.usd }\n    |                 ^\n  hint: did you mean `used`?"
    );
    let folder = plugin(&[
        ("main.rhai", "import \"lib\" as lib; fn on_usage(sim) { lib::h(sim); }"),
        ("lib.rhai", "fn f(sim) { }"),
    ]);
    assert_eq!(
        asked(&folder).error.expect("it fails"),
        "p/main.rhai:1:46: unknown function `lib::h`\n  1 | import \"lib\" as lib; fn on_usage(sim) { lib::h(sim); }\n    |                                              ^\n  hint: did you mean `lib::f`?"
    );
    let folder = plugin(&[("main.rhai", main), ("lib.rhai", "fn f(sim) { }\nfn g( { }")]);
    assert!(refused(&folder).starts_with("p/lib.rhai:2:7: "), "{}", refused(&folder));
    let folder = plugin(&[("main.rhai", main), ("lib.rhai", "fn f(sim) { settings.most }")]);
    assert!(refused(&folder).contains("a module sees no settings"), "{}", refused(&folder));
    let folder = plugin(&[("main.rhai", "fn on_usage(sim) { lib::f(sim); }")]);
    let hint = "unknown module `lib`";
    assert!(
        refused(&folder).contains(hint) && refused(&folder).contains("import \"lib\" as lib;"),
        "{}",
        refused(&folder)
    );
    let folder = plugin(&[("main.rhai", main), ("lib.rhai", "let x = 1; fn f(sim) { }")]);
    assert!(refused(&folder).contains("p/lib.rhai:1:1: the top of a rule has constants and functions only"));
}

#[test]
fn private_functions_are_the_modules_own() {
    let folder = plugin(&[
        ("main.rhai", "import \"lib\" as lib; fn on_usage(sim) { lib::g(); }"),
        ("lib.rhai", "fn f() { g() }\nprivate fn g() { 1 }"),
    ]);
    assert!(asked(&folder).error.expect("it fails").contains("unknown function `lib::g`"));
}

#[test]
fn paths_out_of_the_folder_are_refused() {
    let lib = "fn f() { }";
    for path in [
        "../lib",
        "../../etc/passwd",
        "a/../lib",
        "/etc/passwd",
        "/lib",
        "./lib",
        "lib/",
        "//lib",
        "a//lib",
        "..",
        ".",
        "",
        "~/lib",
        "C:\\\\lib",
        "a\\\\lib",
        "lib\\u0000",
        "lib\\n",
        "file:lib",
        "http://example.org/lib",
        "l\u{202e}ib",
        "流量",
    ] {
        let main = format!("import \"{path}\" as lib; fn on_usage(sim) {{ }}");
        let folder = plugin(&[("main.rhai", &main), ("lib.rhai", lib), ("a/lib.rhai", lib)]);
        folder.write("lib.rhai", lib);
        let said = refused(&folder);
        assert!(
            said.starts_with("p/main.rhai:1:1: ") && said.contains("is not in the plugin's folder"),
            "{path}: {said}"
        );
    }
    let long = "x".repeat(101);
    let folder = plugin(&[("main.rhai", &format!("import \"{long}\" as lib; fn on_usage(sim) {{ }}"))]);
    assert!(refused(&folder).contains("is not in the plugin's folder"));
    let folder =
        plugin(&[("main.rhai", "import \"lib.rhai\" as lib; fn on_usage(sim) { }"), ("lib.rhai", lib)]);
    assert!(refused(&folder).contains("hint: write it without: import \"lib\""), "{}", refused(&folder));
    let folder = plugin(&[("main.rhai", "import \"libb\" as lib; fn on_usage(sim) { }"), ("lib.rhai", lib)]);
    assert!(
        refused(&folder).contains("there is no module `libb`")
            && refused(&folder).contains("did you mean \"lib\"?")
    );
}

#[test]
fn links_out_of_the_folder_are_refused_and_links_within_are_not() {
    let main = "import \"lib\" as lib; fn on_usage(sim) { remind(\"k\", lib::f()); }";
    let folder = plugin(&[("main.rhai", main), ("real.rhai", "fn f() { \"within\" }")]);
    let link = folder.path().join("p/lib.rhai");
    std::os::unix::fs::symlink("real.rhai", &link).expect("a link");
    assert_eq!(said(&folder), "within");
    fs::remove_file(&link).expect("gone");
    let outside = folder.write("outside.rhai", "fn f() { \"outside\" }");
    std::os::unix::fs::symlink(&outside, &link).expect("a link");
    assert!(
        refused(&folder).contains("is a link that leads out of the plugin's folder"),
        "{}",
        refused(&folder)
    );
    fs::remove_file(&link).expect("gone");
    let parts = folder.path().join("p/parts");
    std::os::unix::fs::symlink(folder.path(), &parts).expect("a link");
    fs::write(folder.path().join("p/main.rhai"), main.replace("\"lib\"", "\"parts/outside\""))
        .expect("written");
    assert!(
        refused(&folder).contains("is a link that leads out of the plugin's folder"),
        "{}",
        refused(&folder)
    );
}

#[test]
fn what_is_no_text_file_is_refused() {
    let main = "import \"lib\" as lib; fn on_usage(sim) { }";
    let folder = plugin(&[("main.rhai", main), ("lib.rhai/x", "")]);
    assert!(refused(&folder).contains("the module `lib`: this is not a file"), "{}", refused(&folder));
    let folder = plugin(&[("main.rhai", main)]);
    fs::write(folder.path().join("p/lib.rhai"), [0xff, 0xfe]).expect("written");
    assert!(
        refused(&folder).contains("the module `lib`: the file is not UTF-8 text"),
        "{}",
        refused(&folder)
    );
    let folder = plugin(&[("main.rhai", main), ("lib.rhai", &"// x\n".repeat(20_000))]);
    assert!(
        refused(&folder).contains("the module `lib`: the file is larger than 64 KiB: the limit is `file`"),
        "{}",
        refused(&folder)
    );
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("p/zero.rhai")).expect("a link");
    folder.write("p/main.rhai", &main.replace("\"lib\"", "\"zero\""));
    assert!(refused(&folder).contains("a link that leads out"), "{}", refused(&folder));
}

#[test]
fn circles_are_refused_with_their_chain() {
    let main = "import \"a\" as a; fn on_usage(sim) { a::f(); }";
    let folder = plugin(&[("main.rhai", "import \"main\" as m; fn on_usage(sim) { }")]);
    assert!(
        refused(&folder).starts_with("p/main.rhai:1:1: the file imports itself: main → main"),
        "{}",
        refused(&folder)
    );
    let folder = plugin(&[("main.rhai", main), ("a.rhai", "\nimport \"a\" as a; fn f() { }")]);
    assert!(
        refused(&folder).starts_with("p/a.rhai:2:1: the file imports itself: main → a → a"),
        "{}",
        refused(&folder)
    );
    let folder = plugin(&[
        ("main.rhai", main),
        ("a.rhai", "import \"b\" as b; fn f() { }"),
        ("b.rhai", "import \"a\" as a; fn f() { }"),
    ]);
    assert!(
        refused(&folder).starts_with("p/b.rhai:1:1: modules import each other: main → a → b → a"),
        "{}",
        refused(&folder)
    );
    let folder = plugin(&[("main.rhai", main), ("a.rhai", "import \"main\" as m; fn f() { }")]);
    assert!(refused(&folder).contains("modules import each other: main → a → main"), "{}", refused(&folder));
    // The same file by two names is not two files for long: the depth ends it.
    let folder = plugin(&[("main.rhai", main), ("a.rhai", "import \"d/a\" as a; fn f() { }")]);
    std::os::unix::fs::symlink(".", folder.path().join("p/d")).expect("a link");
    assert!(refused(&folder).contains("imports itself: main → a → d/a → d/a"), "{}", refused(&folder));
}

#[test]
fn depth_and_number_of_modules_are_limited() {
    let chain = |length: usize| {
        let mut files =
            vec![("main.rhai".to_owned(), "import \"m1\" as m; fn on_usage(sim) { m::f(); }".to_owned())];
        for n in 1..length {
            files.push((format!("m{n}.rhai"), format!("import \"m{}\" as m; fn f() {{ m::f() }}", n + 1)));
        }
        files.push((format!("m{length}.rhai"), "fn f() { 1 }".to_owned()));
        let files: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        plugin(&files)
    };
    let deep = |module_depth| Limits { module_depth, ..Limits::default() };
    assert_eq!(load(&chain(3), deep(3)).descriptions()[0].problem, None);
    let said = refused_under(&chain(4), deep(3));
    assert!(said.contains("modules within modules deeper than 3: main → m1 → m2 → m3 → m4"), "{said}");
    assert!(said.contains("`module_depth` in [rules.limits]"), "{said}");
    assert!(refused(&chain(500)).contains("deeper than 4"));

    let wide = |count: usize| {
        let imports: String = (0..count).map(|n| format!("import \"m{n}\" as m{n};\n")).collect();
        let folder = plugin(&[("main.rhai", &format!("{imports} fn on_usage(sim) {{ }}"))]);
        for n in 0..count {
            folder.write(&format!("p/m{n}.rhai"), "fn f() { }");
        }
        folder
    };
    let many = |modules| Limits { modules, ..Limits::default() };
    assert_eq!(load(&wide(3), many(3)).descriptions()[0].problem, None);
    let said = refused_under(&wide(4), many(3));
    assert!(said.contains("more than 3 imports") && said.contains("`modules` in [rules.limits]"), "{said}");
    assert!(refused(&wide(1_000)).contains("more than 16 imports"));
    // Those of modules count as well.
    let folder = plugin(&[
        ("main.rhai", "import \"a\" as a; import \"b\" as b; fn on_usage(sim) { }"),
        ("a.rhai", "import \"c\" as c; fn f() { }"),
        ("b.rhai", "fn f() { }"),
        ("c.rhai", "fn f() { }"),
    ]);
    assert_eq!(load(&folder, many(3)).descriptions()[0].problem, None);
    let said = refused_under(&folder, many(2));
    assert!(
        said.contains("more than 2 modules in all") && said.contains("`modules` in [rules.limits]"),
        "{said}"
    );
}

#[test]
fn imports_are_plain_and_at_the_top() {
    let lib = ("lib.rhai", "fn f() { }");
    for (main, words) in [
        ("fn on_usage(sim) { import \"lib\" as lib; lib::f(); }", "1:20: imports stand at the top of a file"),
        (
            "fn on_usage(sim) { if sim.active { import \"lib\" as lib; lib::f(); } }",
            "imports stand at the top of a file",
        ),
        (
            "fn on_usage(sim) { loop { import \"lib\" as lib; lib::f(); } }",
            "imports stand at the top of a file",
        ),
        (
            "if true { import \"lib\" as lib; lib::f(); } fn on_usage(sim) { }",
            "imports stand at the top of a file",
        ),
        ("import language() as lib; fn on_usage(sim) { }", "is a plain text in quotes"),
        ("import `${language()}lib` as lib; fn on_usage(sim) { }", "is a plain text in quotes"),
        ("import \"lib\"; fn on_usage(sim) { }", "has no name"),
        ("import \"lib\" as a; import \"lib\" as a; fn on_usage(sim) { }", "two imports are called `a`"),
        ("import 5 as a; fn on_usage(sim) { }", "is a plain text in quotes"),
    ] {
        let folder = plugin(&[("main.rhai", main), lib]);
        let problem = load(&folder, Limits::default()).descriptions().pop().expect("described").problem;
        let said = short(&folder, &problem.unwrap_or_else(|| panic!("it is let through: {main}")));
        assert!(said.starts_with("p/main.rhai:1:") && said.contains(words), "{main}: {said}");
    }
}

#[test]
fn a_module_is_within_the_limits_of_its_rule() {
    let main = "import \"lib\" as lib; fn on_usage(sim) { lib::f(); }";
    for (lib, words) in [
        ("fn f() { loop { } }", "too many operations"),
        ("fn f() { f() }", "too many calls within calls"),
        ("fn f() { let l = [1]; loop { l = [l, l]; } }", "too large"),
        ("fn f() { let s = \"x\"; loop { s += s; } }", "too large"),
    ] {
        let error = asked(&plugin(&[("main.rhai", main), ("lib.rhai", lib)])).error.expect("it is ended");
        assert!(error.contains(words), "{lib}: {error}");
    }
    for (lib, words) in [
        ("const X = run(); fn run() { loop { } } fn f() { }", "too many operations"),
        ("loop { }", "too many operations"),
        (
            "const L = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]; const M = [L, L, L, L, L, L, L]; fn f() { }",
            "more than 64 elements",
        ),
        ("fn f() { eval(\"1\") }", "eval"),
    ] {
        let said = refused(&plugin(&[("main.rhai", main), ("lib.rhai", lib)]));
        assert!(said.starts_with("p/lib.rhai:1:") && said.contains(words), "{lib}: {said}");
    }
}

#[test]
fn single_files_have_the_standard_library_and_no_more() {
    let text = "import \"std/text\" as text; fn on_usage(sim) { remind(\"k\", text::join([1, 2], \"-\")); }";
    let outcome = ask(text, &on_usage(), &input(Some(sim()), "en"));
    assert_eq!((outcome.error, outcome.findings[0].text.as_str()), (None, "1-2"));
    let folder = Folder::new();
    folder.write("lib.rhai", "fn f() { }");
    let path = folder.write("r.rhai", "import \"lib\" as lib; fn on_usage(sim) { }");
    let said = check_file(&path)[0].to_string();
    assert!(
        said.contains("a single file has no modules of its own, such as `lib`")
            && said.contains("make it a plugin"),
        "{said}"
    );
    let path = folder.write("r.rhai", "import \"std/txt\" as t; fn on_usage(sim) { }");
    let said = check_file(&path)[0].to_string();
    assert!(
        said.contains("the standard library has no module `std/txt`")
            && said.contains("did you mean \"std/text\"?"),
        "{said}"
    );
    // A plugin's folder of that name does not stand in for it.
    let folder = plugin(&[
        (
            "main.rhai",
            "import \"std/list\" as list; fn on_usage(sim) { remind(\"k\", `${list::sum([1, 2])}`); }",
        ),
        ("std/list.rhai", "fn sum(l) { 0 }"),
    ]);
    assert_eq!(self::said(&folder), "3");
}

#[test]
fn the_standard_library_does_what_it_says() {
    let imports = "import \"std/text\" as text; import \"std/list\" as list; import \"std/round\" as round; import \"std/days\" as days;";
    for (expression, expected) in [
        ("text::join([\"a\", 1, 2.GB], \", \")", "a, 1, 2 GB"),
        ("text::join([], \", \")", ""),
        ("text::listed([\"a\"])", "a"),
        ("text::listed([\"a\", \"b\"])", "a and b"),
        ("text::listed([\"a\", \"b\", \"c\"])", "a, b and c"),
        ("text::counted(1, \"day\", \"days\") + text::counted(0, \"day\", \"days\")", "1 day0 days"),
        ("text::either((), \"x\") + text::either(\"\", \"y\") + text::either(\"z\", \"y\")", "xyz"),
        ("text::shortened(\"12345\", 5) + text::shortened(\"123456\", 5)", "123451234…"),
        ("list::sum([1.GB, 500.MB])", "1.5 GB"),
        ("list::sum([]) == ()", "true"),
        ("list::largest([2.days, 1.week, 3.hours])", "7 days"),
        ("list::smallest([20.percent, 5.percent])", "5%"),
        ("list::reached([50.percent, 80.percent, 100.percent], 85.percent)", "80%"),
        ("list::reached([50.percent], sim.share) == ()", "true"),
        ("round::nearest(8.42.GB, 500.MB)", "8.5 GB"),
        ("round::up(8.1.GB, 1.GB)", "9 GB"),
        ("round::down(8.9.GB, 1.GB)", "8 GB"),
        ("days::left(date(\"2026-12-01\"))", "9"),
        ("days::lead([7, 3, 1], 2)", "3"),
        ("days::lead([7, 3, 1], 8) == ()", "true"),
        ("days::lead([7, 3, 1], 0)", "1"),
        (
            "days::in_words(0) + days::in_words(1) + days::in_words(3) + days::in_words(-1)",
            "todaytomorrowin 3 daysyesterday",
        ),
        ("days::between(\"07:00\", \"08:00\")", "true"),
        ("days::between(\"22:00\", \"07:00\")", "false"),
        ("days::between(\"22:00\", \"07:30\")", "true"),
    ] {
        let text =
            format!("{imports} fn on_usage(sim) {{ let it = {expression}; remind(\"k\", `<${{it}}>`); }}");
        let outcome = ask(&text, &on_usage(), &input(Some(sim()), "en"));
        assert_eq!(outcome.error, None, "{expression}");
        assert_eq!(outcome.findings[0].text, format!("<{expected}>"), "{expression}");
    }
    let text = format!(
        "{imports} fn on_usage(sim) {{ remind(\"k\", text::listed([1, 2, 3]) + days::in_words(3)); }}"
    );
    assert_eq!(ask(&text, &on_usage(), &input(Some(sim()), "zh")).findings[0].text, "1、2和33 天后");
}

#[test]
fn a_file_names_the_version_it_is_written_for() {
    let rest = "\nfn on_usage(sim) { }";
    for head in ["// api: 1", "// What it does.\n// api: 1", "\n/// api:1", "// no version"] {
        let folder = Folder::new();
        folder.write("r.rhai", &format!("{head}{rest}"));
        assert_eq!(folder.load().descriptions()[0].problem, None, "{head}");
    }
    for (head, words) in [
        (
            "// What.\n// api: 2",
            "r.rhai:2:1: this is written for version 2 of the rule language; this simbell speaks version 1\n  2 | // api: 2\n    | ^\n  hint: update simbell",
        ),
        ("// api: one", "r.rhai:1:1: this is no version of the rule language"),
        ("// api: 0", "this is no version"),
        ("// api: 1.5", "this is no version"),
    ] {
        let folder = Folder::new();
        folder.write("r.rhai", &format!("{head}{rest}"));
        let problem = folder.load().descriptions()[0].problem.clone().expect("refused");
        assert!(problem.contains(words), "{problem}");
    }
    let folder = plugin(&[("main.rhai", "fn on_usage(sim) { }")]);
    folder.write("p/plugin.toml", &MANIFEST.replace("api = 1", "api = 2"));
    assert!(
        refused(&folder).contains("plugin.toml:1:7: this is written for version 2 of the rule language"),
        "{}",
        refused(&folder)
    );
    // The version is not what the list of rules shows.
    let folder = Folder::new();
    folder.write("r.rhai", "// api: 1\n// What it does.\nfn on_usage(sim) { }");
    assert_eq!(folder.load().descriptions()[0].summary, "What it does.");
}

#[test]
fn what_later_versions_bring_is_absent() {
    for call in [
        "renew()",
        "renew(\"k\")",
        "balance()",
        "query_balance()",
        "cap(\"k\")",
        "limit_rate(\"k\", 1)",
        "switch_profile(\"k\")",
        "enable_profile(\"k\")",
        "charge(\"k\")",
    ] {
        let outcome = ask(&format!("fn on_usage(sim) {{ {call}; }}"), &on_usage(), &input(Some(sim()), "en"));
        assert!(outcome.error.expect("an error").contains("unknown function"), "{call}");
    }
    for property in ["balance", "renewal", "cap", "profiles", "price"] {
        let outcome =
            ask(&format!("fn on_usage(sim) {{ sim.{property}; }}"), &on_usage(), &input(Some(sim()), "en"));
        assert!(outcome.error.expect("an error").contains("Sim has no property"), "{property}");
    }
}
