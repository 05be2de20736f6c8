//! Channel plugins: what a manifest may ask for, and what a script gives.

use simbell_rules::{LoadOptions, RuleSet, check_plugin, plugin_permissions};

use crate::inputs::Folder;

const MANIFEST: &str = r#"
api = 1
name = "bell"
kind = "channel"
description = "Rings."
hosts = ["api.example.org", "localhost:8443", "{url}"]

[settings.url]
type = "url"
default = "https://bell.example.org"

[settings.token]
type = "secret"

[settings.room]
type = "text"
optional = true
"#;

#[test]
fn hosts_are_the_permissions_of_a_channel_which_is_no_rule() {
    let folder = Folder::new();
    folder.write("bell/plugin.toml", MANIFEST);
    let dir = folder.path().join("bell");
    let hosts = ["host:api.example.org", "host:localhost:8443", "host:{url}"];
    assert_eq!(plugin_permissions(&dir).unwrap(), hosts);

    folder.write(
        "rule/plugin.toml",
        "api = 1\nname = \"rule\"\nkind = \"rule\"\ndescription = \"d\"\npermissions = [\"send-sms\"]\n",
    );
    assert_eq!(plugin_permissions(&folder.path().join("rule")).unwrap(), ["send-sms"]);

    let options = LoadOptions { plugin_dirs: vec![folder.path().to_owned()], ..LoadOptions::default() };
    let rules = RuleSet::load(&options);
    let names: Vec<String> = rules.descriptions().iter().map(|rule| rule.name.to_string()).collect();
    assert_eq!(names, ["rule"]);
    assert_eq!(rules.idle(), []);
}

#[test]
fn a_wrong_manifest_of_a_channel_says_what_is_wrong() {
    let folder = Folder::new();
    let wrong = MANIFEST
        .replace("api.example.org", "https://api.example.org/x")
        .replace("{url}", "{token}")
        .replace("type = \"secret\"", "type = \"secret\"\ndefault = \"x\"")
        .replace("[settings.room]", "[settings.timeout]")
        .replace("kind = \"channel\"", "kind = \"channel\"\npermissions = [\"send-sms\"]");
    folder.write("bell/plugin.toml", &wrong);
    let dir = folder.path().join("bell");
    let problems: Vec<(usize, String)> = check_plugin(&dir)
        .into_iter()
        .map(|problem| (problem.at.map_or(0, |(line, _)| line), problem.message))
        .collect();
    let expected = [
        (5, "a channel has no `permissions`: it sends to its `hosts`, and does nothing else"),
        (17, "`timeout` is a key that every channel has; name the setting otherwise"),
        (15, "`settings.token` is a secret, which has no default"),
        (
            7,
            "in `hosts`: `https://api.example.org/x` is no host: write a name such as \"api.example.org\" without \
             scheme and path, or \"{NAME}\" for the host of the setting NAME",
        ),
        (7, "in `hosts`: `token` is no setting of type \"url\""),
    ];
    assert_eq!(problems, expected.map(|(line, message)| (line, message.to_owned())));

    folder.write("bell/plugin.toml", &MANIFEST.replace("channel", "rule"));
    let problems: Vec<String> =
        check_plugin(&folder.path().join("bell")).iter().map(|problem| problem.message.clone()).collect();
    let expected = [
        "`settings.room` has no key `optional`",
        "`settings.room` needs a `default`",
        "`settings.token.type` is one of: bool, int, decimal, text, size, span, percent",
        "`settings.url.type` is one of: bool, int, decimal, text, size, span, percent",
        "a rule reaches no host: `hosts` are of kind = \"channel\"",
    ];
    assert_eq!(problems, expected);
}
