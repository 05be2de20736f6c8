//! The rules that come with the program, on made-up inputs: exactly the findings expected, in both languages.

use std::path::PathBuf;
use std::sync::Arc;

use simbell_core::health::WarningCode;
use simbell_core::reminder::{Finding, Repeat, Urgency};
use simbell_core::schedule::{Schedule, TimeOfDay};
use simbell_core::time::{Span, Timestamp};
use simbell_core::view::{CycleFacts, RuleInput, SimFacts, Trigger};
use simbell_rules::{LoadOptions, RuleSet, check_plugin};

use crate::inputs::{
    NOW, bare_sim, input, on_roaming, on_schedule, on_sms, on_usage, rule, sim, unwell, used,
};

/// Rules that are off by themselves.
const OFF: [&str; 5] = ["carrier-sms", "daily-summary", "monthly-summary", "roaming-guard", "weekly-summary"];

fn shipped_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../plugins/rules")
}

fn load(settings: &str) -> RuleSet {
    let rules = RuleSet::load(&LoadOptions {
        plugin_dirs: vec![shipped_dir().join("..")],
        enabled: OFF.map(str::to_owned).to_vec(),
        settings: toml::from_str(settings).expect("valid TOML"),
        // The texts of every language.
        language: String::new(),
        ..LoadOptions::default()
    });
    for description in rules.descriptions() {
        assert_eq!(description.problem, None, "{}", description.name);
    }
    assert_eq!(rules.problems(), []);
    rules
}

fn ask(rules: &RuleSet, name: &str, trigger: &Trigger, input: &Arc<RuleInput>) -> Vec<Finding> {
    let outcome = rules.evaluate(&rule(name), trigger, input);
    assert_eq!(outcome.error, None, "{name}");
    outcome.findings
}

/// What a rule finds in both languages, as `key|urgency|repeat|text`.
fn found(settings: &str, name: &str, trigger: &Trigger, facts: SimFacts) -> Vec<String> {
    let rules = load(settings);
    ["en", "zh-CN"]
        .iter()
        .flat_map(|language| ask(&rules, name, trigger, &input(Some(facts.clone()), language)))
        .map(|finding| line(&finding))
        .collect()
}

fn line(finding: &Finding) -> String {
    let urgency = match finding.urgency {
        Urgency::Info => "info",
        Urgency::Warning => "warning",
        Urgency::Critical => "critical",
    };
    let repeat = match &finding.repeat {
        Repeat::Once => "once".to_owned(),
        Repeat::Every(span) => format!("{} s", span.as_secs()),
        Repeat::At(_) => "at".to_owned(),
    };
    format!("{}|{urgency}|{repeat}|{}", finding.key, finding.text)
}

const NONE: [&str; 0] = [];

#[test]
fn every_shipped_plugin_is_without_a_problem_on_every_made_up_input() {
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(shipped_dir()).expect("the folder of shipped rules") {
        let path = entry.expect("an entry").path();
        assert_eq!(check_plugin(&path), [], "{}", path.display());
        assert!(path.join("README.md").is_file(), "{} has no README.md", path.display());
        names.push(path.file_name().expect("a name").to_string_lossy().into_owned());
    }
    names.sort();
    let loaded: Vec<String> = load("").descriptions().iter().map(|rule| rule.name.to_string()).collect();
    assert_eq!(names, loaded);
    assert_eq!(
        loaded,
        [
            "carrier-sms",
            "daily-summary",
            "data-thresholds",
            "measuring-stopped",
            "modem-lost",
            "monthly-summary",
            "no-plan",
            "plan-expires",
            "roaming-began",
            "roaming-guard",
            "sim-changed",
            "unusual-usage",
            "weekly-summary",
            "will-run-out"
        ]
    );
}

#[test]
fn messages_are_private_and_summaries_unasked_for_unless_switched_on() {
    let rules =
        RuleSet::load(&LoadOptions { plugin_dirs: vec![shipped_dir().join("..")], ..LoadOptions::default() });
    let idle: Vec<&str> = rules.idle().iter().map(|idle| idle.name.as_str()).collect();
    assert_eq!(idle, OFF);
}

#[test]
fn data_thresholds() {
    let at = |bytes| found("", "data-thresholds", &on_usage(), used(bytes));
    assert_eq!(at(4_999_999_999), NONE);
    assert_eq!(
        at(5_000_000_000),
        [
            "data-50|warning|once|router: 50% of the data used, 5 GB of 10 GB left.",
            "data-50|warning|once|router：流量已用 50%，还剩 5 GB（共 10 GB）。",
        ]
    );
    assert_eq!(
        at(8_130_000_000),
        [
            "data-80|warning|once|router: 81.3% of the data used, 1.87 GB of 10 GB left.",
            "data-80|warning|once|router：流量已用 81.3%，还剩 1.87 GB（共 10 GB）。",
        ]
    );
    assert_eq!(
        at(10_500_000_000),
        [
            "data-100|critical|once|router: all 10 GB of data are used (10.5 GB in this cycle).",
            "data-100|critical|once|router：10 GB 流量已用完（本周期已用 10.5 GB）。",
        ]
    );
    assert_eq!(found("", "data-thresholds", &on_usage(), bare_sim()), NONE);
}

#[test]
fn data_thresholds_are_configurable() {
    let settings = "[data-thresholds]\nsteps = [12.5, \"30%\"]";
    let found = found(settings, "data-thresholds", &on_usage(), used(1_300_000_000));
    assert_eq!(found[0], "data-12.5|warning|once|router: 13% of the data used, 8.7 GB of 10 GB left.");
}

#[test]
fn will_run_out() {
    let facts = |hours: i64, reliable| SimFacts {
        exhausted_at: Some(Timestamp::from_millis(NOW.as_millis() + hours * 3_600_000)),
        forecast_reliable: reliable,
        ..used(7_000_000_000)
    };
    let at = |facts| found("", "will-run-out", &on_usage(), facts);
    assert_eq!(
        at(facts(72, true)),
        [
            "runs-out|warning|once|router: at this rate the data runs out on 2026-11-25; the cycle lasts until \
             2026-11-30. 3 GB left.",
            "runs-out|warning|once|router：照此用量，流量将在 2026-11-25 用完，而本周期到 2026-11-30 才结束。还剩 3 GB。",
        ]
    );
    assert_eq!(at(facts(72, false)), NONE, "a guess is not worth a reminder");
    assert_eq!(at(facts(8 * 24 + 1, true)), NONE, "within the last day");
    assert_eq!(
        at(SimFacts { exhausted_at: facts(1, true).exhausted_at, ..used(10_000_000_000) }),
        NONE,
        "used up"
    );
    assert_eq!(at(sim()), NONE);
    assert_eq!(at(bare_sim()), NONE);
}

#[test]
fn plan_expires_by_ranges() {
    let facts = |days_left, last| SimFacts {
        cycle: Some(CycleFacts {
            start: "2026-10-30".to_owned(),
            end: Some("2026-11-29".to_owned()),
            days_left: Some(days_left),
            seconds_left: Some(days_left * 86_400),
            last,
        }),
        ..sim()
    };
    let at = |days_left| found("", "plan-expires", &on_usage(), facts(days_left, true));
    assert_eq!(at(8), NONE);
    for days_left in [7, 6, 5, 4] {
        assert_eq!(
            at(days_left),
            [
                format!("ends-7|warning|once|router: the plan home ends in {days_left} days, on 2026-11-28."),
                format!(
                    "ends-7|warning|once|router：套餐 home 还有 {days_left} 天到期，最后一天是 2026-11-28。"
                ),
            ]
        );
    }
    assert!(at(3)[0].starts_with("ends-3|warning|"));
    assert!(at(2)[0].starts_with("ends-3|warning|"));
    assert_eq!(
        at(1),
        [
            "ends-1|critical|once|router: today (2026-11-28) is the last day of the plan home.",
            "ends-1|critical|once|router：今天（2026-11-28）是套餐 home 的最后一天。",
        ]
    );
    assert_eq!(found("", "plan-expires", &on_usage(), facts(3, false)), NONE, "it starts anew");
    let renewing = "[plan-expires]\nrenewing = true";
    assert_eq!(found(renewing, "plan-expires", &on_usage(), facts(3, false)).len(), 2);
    assert_eq!(found("", "plan-expires", &on_usage(), bare_sim()), NONE);
}

#[test]
fn roaming_began() {
    let facts =
        |roaming, network: Option<&str>| SimFacts { roaming, network: network.map(str::to_owned), ..sim() };
    let at = |facts| found("", "roaming-began", &on_roaming(), facts);
    assert_eq!(
        at(facts(Some(true), Some("T-Mobile A\u{202e}"))),
        [
            "roaming|warning|once|router is roaming in the network T-Mobile A. Data may cost extra.",
            "roaming|warning|once|router 正在 T-Mobile A 网络漫游，使用流量可能另外收费。",
        ]
    );
    assert_eq!(at(facts(Some(true), None)).len(), 2);
    assert_eq!(at(facts(Some(false), Some("Example"))), NONE);
    assert_eq!(at(facts(None, None)), NONE);
}

#[test]
fn measuring_stopped() {
    let rules = load("");
    let wrong = [
        (WarningCode::ModemManagerGone, ""),
        (WarningCode::NotMeasured, "wwan0"),
        (WarningCode::LedgerNotWritable, ""),
        (WarningCode::ChannelFailing, "mail"),
    ];
    let lines = |language| {
        let found = ask(&rules, "measuring-stopped", &Trigger::Health, &unwell(&wrong, language));
        assert!(found.iter().all(|finding| finding.sim.is_none()));
        found.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(
        lines("en"),
        [
            "modemmanager-gone|critical|86400 s|ModemManager is not running: usage and messages of the modem are not \
             seen. Since 2026-11-22 06:05.",
            "not-measured-wwan0|critical|86400 s|A connection is up whose data cannot be counted. (wwan0) Since \
             2026-11-22 06:05.",
            "ledger-not-writable|critical|86400 s|The ledger cannot be written: usage is kept in memory only. Is the \
             disk full or read-only? Since 2026-11-22 06:05.",
        ]
    );
    assert_eq!(
        lines("zh"),
        [
            "modemmanager-gone|critical|86400 s|ModemManager 未运行：看不到调制解调器的用量和短信。自 2026-11-22 06:05 起。",
            "not-measured-wwan0|critical|86400 s|有一个连接的流量无法统计。（wwan0）自 2026-11-22 06:05 起。",
            "ledger-not-writable|critical|86400 s|账本无法写入：用量暂时只保存在内存中。磁盘是否已满或只读？\
             自 2026-11-22 06:05 起。",
        ]
    );
    assert_eq!(ask(&rules, "measuring-stopped", &Trigger::Health, &unwell(&[], "en")), []);
}

#[test]
fn carrier_sms() {
    let at = |settings, number, text| found(settings, "carrier-sms", &on_sms(number, text), sim());
    assert_eq!(
        at("", "80100", "You have 500 mb left."),
        [
            "sms-0a1b2c3d|info|once|router: message from 80100: You have 500 mb left.",
            "sms-0a1b2c3d|info|once|router：80100 发来短信：You have 500 mb left.",
        ]
    );
    assert_eq!(at("", "10086", "您的剩余流量为500兆").len(), 2);
    assert_eq!(at("", "+491710000000", "See you at eight?"), NONE);
    let own = "[carrier-sms]\nsenders = [\"80100\"]";
    assert_eq!(at(own, "+491710000000", "500 MB left"), NONE);
    assert_eq!(at(own, "80100", "500 MB left").len(), 2);
}

#[test]
fn daily_summary() {
    assert_eq!(
        found("", "daily-summary", &on_schedule(), sim()),
        [
            "summary|info|once|router: 2 GB used, 8 GB of 10 GB left, 9 days left.",
            "summary|info|once|router：已用 2 GB，还剩 8 GB（共 10 GB），本周期还有 9 天。",
        ]
    );
    assert_eq!(
        found("", "daily-summary", &on_schedule(), bare_sim()),
        ["summary|info|once|router: 2 GB used.", "summary|info|once|router：已用 2 GB。"]
    );
    assert_eq!(found("", "daily-summary", &on_schedule(), SimFacts { active: false, ..bare_sim() }), NONE);
    let schedules = |settings| {
        let rules = load(settings);
        let described = rules.descriptions();
        described.into_iter().find(|d| d.name.as_str() == "daily-summary").expect("loaded").schedules
    };
    assert_eq!(schedules(""), [Schedule::Daily(TimeOfDay { hour: 7, minute: 0 })]);
    assert_eq!(schedules("[daily-summary]\nevery = \"10 seconds\""), [Schedule::Every(10)]);
}

#[test]
fn no_plan() {
    let text = |language| {
        let rules = load("");
        let found = ask(&rules, "no-plan", &on_usage(), &input(Some(bare_sim()), language));
        assert_eq!(found[0].repeat, Repeat::Every(Span::secs(7 * 86_400)));
        found[0].text.clone()
    };
    assert_eq!(
        text("de"),
        "router has no plan: its usage is counted (2 GB so far), but nothing tells when it runs out. Add one: \
         simbellctl plan add"
    );
    assert_eq!(
        text("zh_CN"),
        "router 还没有套餐：用量照常统计（目前 2 GB），但无法提醒何时用完。请添加：simbellctl plan add"
    );
    assert_eq!(found("", "no-plan", &on_usage(), sim()), NONE);
    assert_eq!(found("", "no-plan", &on_usage(), SimFacts { active: false, ..bare_sim() }), NONE);
}
