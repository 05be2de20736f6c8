//! A new rule or plugin to begin with: it runs, is tested, and says what to change.

use crate::problem::nearest;
use crate::text::short;

/// A file of a new rule: where it is in the folder of rules, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Relative, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Why there is no new rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRuleError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What a new rule may be about.
struct Kind {
    name: &'static str,
    rule: &'static str,
    test: &'static str,
    /// In Chinese, what the first line of the rule says.
    chinese: &'static str,
    /// The text as the rule has it, as a plugin calls it, and in English and Chinese.
    text: (&'static str, &'static str, &'static str, &'static str),
    /// The constant that is a setting of a plugin: its name, the setting, its type and its value.
    setting: Option<(&'static str, &'static str, &'static str, &'static str)>,
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "usage",
        rule: include_str!("usage.rhai"),
        test: include_str!("usage.test.rhai"),
        chinese: "流量所剩不多时提醒。",
        text: (
            "`${sim.name}: only ${sim.remaining} left.`",
            "text(\"NAME\", #{ sim: sim.name, left: sim.remaining })",
            "{ $sim }: only { $left } left.",
            "{ $sim }：流量仅剩 { $left }。",
        ),
        setting: Some(("LITTLE", "little", "size", "\"1 GB\"")),
    },
    Kind {
        name: "schedule",
        rule: include_str!("schedule.rhai"),
        test: include_str!("schedule.test.rhai"),
        chinese: "每天早上报告已用流量。",
        text: (
            "`${sim.name}: ${sim.used} used.`",
            "text(\"NAME\", #{ sim: sim.name, used: sim.used })",
            "{ $sim }: { $used } used.",
            "{ $sim }：已用 { $used }。",
        ),
        setting: None,
    },
    Kind {
        name: "sms",
        rule: include_str!("sms.rhai"),
        test: include_str!("sms.test.rhai"),
        chinese: "转发运营商的短信。",
        text: (
            "`${sim.name}: ${sms.text}`",
            "text(\"NAME\", #{ sim: sim.name, message: sms.text })",
            "{ $sim }: { $message }",
            "{ $sim }：{ $message }",
        ),
        setting: Some(("SENDER", "sender", "text", "\"80100\"")),
    },
    Kind {
        name: "roaming",
        rule: include_str!("roaming.rhai"),
        test: include_str!("roaming.test.rhai"),
        chinese: "SIM 卡漫游时提醒。",
        text: (
            "`${sim.name} is roaming.`",
            "text(\"NAME\", #{ sim: sim.name })",
            "{ $sim } is roaming.",
            "{ $sim } 正在漫游。",
        ),
        setting: None,
    },
    Kind {
        name: "health",
        rule: include_str!("health.rhai"),
        test: include_str!("health.test.rhai"),
        chinese: "通知渠道失败时提醒。",
        text: (
            "`${warning.subject} fails.`",
            "text(\"NAME\", #{ subject: warning.subject })",
            "{ $subject } fails.",
            "{ $subject } 发送失败。",
        ),
        setting: None,
    },
];

const MOST_NAME: usize = 40;

/// The files of a new rule of a kind; of a plugin with its folder.
///
/// # Errors
/// A name that no rule can have, or a kind that there is not.
pub fn new_rule(name: &str, kind: &str, plugin: bool) -> Result<Vec<NewFile>, NewRuleError> {
    named(name)?;
    let Some(kind) = KINDS.iter().find(|known| known.name == kind) else {
        let known: Vec<&str> = KINDS.iter().map(|known| known.name).collect();
        let hint = nearest(kind, &known).map_or_else(
            || format!("kinds are: {}", known.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(NewRuleError { message: format!("there is no kind `{}`", short(kind)), hint });
    };
    let file = |path: String, text: &str| NewFile { path, text: text.replace("NAME", name) };
    if !plugin {
        return Ok(vec![
            file(format!("{name}.rhai"), kind.rule),
            file(format!("{name}.test.rhai"), kind.test),
        ]);
    }
    let summary = kind.rule.lines().next().and_then(|line| line.strip_prefix("// ")).unwrap_or_default();
    let (in_place, by_name, english, chinese) = kind.text;
    let mut main = kind.rule.replace(in_place, by_name);
    let mut manifest = format!(
        "api = 1\nname = \"NAME\"\nkind = \"rule\"\nlanguages = [\"en\", \"zh\"]\n\n[description]\n\
         en = \"{summary}\"\nzh = \"{}\"\n",
        kind.chinese
    );
    if let Some((constant, setting, of, default)) = kind.setting {
        main = without_constant(&main, constant).replace(constant, &format!("settings.{setting}"));
        manifest.push_str(&format!(
            "\n[settings.{setting}]\ntype = \"{of}\"\ndefault = {default}\ndescription = \"What it looks for.\"\n"
        ));
    }
    let readme = format!(
        "# NAME\n\n{summary} {}\n\nIts settings are in `plugin.toml`, its texts in `texts/`, its tests in `tests.rhai`.\n",
        kind.chinese
    );
    Ok(vec![
        file(format!("{name}/plugin.toml"), &manifest),
        file(format!("{name}/main.rhai"), &main),
        file(format!("{name}/tests.rhai"), kind.test),
        file(format!("{name}/texts/en.ftl"), &format!("NAME = {english}\n")),
        file(format!("{name}/texts/zh.ftl"), &format!("NAME = {chinese}\n")),
        file(format!("{name}/README.md"), &readme),
    ])
}

fn named(name: &str) -> Result<(), NewRuleError> {
    let wrong = |message: String| {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let near: String = name.chars().filter(|c| c.is_ascii()).map(plain).take(MOST_NAME).collect();
        let near = near.trim_start_matches(|c: char| !c.is_ascii_lowercase()).trim_end_matches('-');
        let hint = match near {
            "" => "a name has small letters a-z, digits and `-`, such as `little-left`".to_owned(),
            near => format!("a name has small letters a-z, digits and `-`: `{near}`"),
        };
        Err(NewRuleError { message, hint })
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() {
        return wrong("a rule needs a name".to_owned());
    }
    if let Some(character) = name.chars().find(|c| !fits(*c)) {
        return wrong(format!(
            "`{}` is no name for a rule: it has `{}`",
            short(name),
            short(&character.to_string())
        ));
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.ends_with('-') {
        return wrong(format!(
            "`{}` is no name for a rule: it begins with a letter, and does not end with `-`",
            short(name)
        ));
    }
    if name.len() > MOST_NAME {
        return wrong(format!("the name has {} characters: {MOST_NAME} at most", name.len()));
    }
    Ok(())
}

/// The rule without a constant and the comment above it.
fn without_constant(rule: &str, constant: &str) -> String {
    let (mut kept, mut comment) = (String::new(), String::new());
    for line in rule.lines() {
        if line.starts_with("//") {
            comment.push_str(line);
            comment.push('\n');
        } else if line.starts_with(&format!("const {constant} ")) {
            comment.clear();
        } else {
            kept.push_str(&std::mem::take(&mut comment));
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept.replace("\n\n\n", "\n\n")
}
