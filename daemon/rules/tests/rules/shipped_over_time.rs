//! Shipped rules that remember, and those of modems and SIMs: what they say as days go by, in both languages.

use std::sync::Arc;
use std::time::Duration;

use simbell_core::action::Action;
use simbell_core::effect::Evaluation;
use simbell_core::event::RuleResult;
use simbell_core::ident::Iccid;
use simbell_core::memory::Memory;
use simbell_core::modem::ModemState;
use simbell_core::time::{Span, Timestamp};
use simbell_core::view::{CycleFacts, EndedCycle, ModemFacts, RuleInput, SimFacts, Trigger};
use simbell_rules::{Limits, LoadOptions, RuleSet};

use crate::inputs::{NOW, bare_sim, iccid, input, on_schedule, on_usage, rule, sim, used};

const NONE: [&str; 0] = [];
const MB: u64 = 1_000_000;

/// One shipped rule, with what it remembers.
struct Told {
    rules: RuleSet,
    name: &'static str,
    language: &'static str,
    memory: Arc<Memory>,
}

impl Told {
    fn new(name: &'static str, language: &'static str, settings: &str) -> Self {
        let rules = RuleSet::load(&LoadOptions {
            plugin_dirs: vec![concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins").into()],
            enabled: vec![name.to_owned()],
            settings: toml::from_str(settings).expect("valid TOML"),
            // On a machine that is busy a rule takes longer than it does.
            limits: Limits { deadline: Duration::from_secs(60), ..Limits::default() },
            ..LoadOptions::default()
        });
        Self { rules, name, language, memory: Arc::default() }
    }

    fn asked(&mut self, trigger: &Trigger, input: Arc<RuleInput>) -> RuleResult {
        let evaluation = Evaluation {
            rule: rule(self.name),
            trigger: trigger.clone(),
            input: Arc::new(RuleInput { language: self.language.to_owned(), ..(*input).clone() }),
            memory: Arc::clone(&self.memory),
        };
        let result = self.rules.evaluate_all(vec![evaluation]).pop().expect("one result");
        assert_eq!(result.error, None, "{}", self.name);
        if let Some(memory) = &result.memory {
            self.memory = Arc::new(memory.clone());
        }
        result
    }

    /// Keys and texts.
    fn says(&mut self, trigger: &Trigger, input: Arc<RuleInput>) -> Vec<String> {
        let found = self.asked(trigger, input).findings;
        found.into_iter().map(|finding| format!("{}|{}", finding.key, finding.text)).collect()
    }
}

/// A day of November with so much used since the cycle began.
fn day(day: u8, facts: SimFacts) -> Arc<RuleInput> {
    let mut input = (*input(Some(facts), "en")).clone();
    input.now.date = format!("2026-11-{day:02}");
    input.now.day = day;
    input.now.at =
        Timestamp::from_millis(NOW.as_millis()).saturating_add(Span::secs(86_400 * (i64::from(day) - 22)));
    Arc::new(input)
}

/// Days of 400 MB each from the first on, asked as each begins and in between; the next would be day `days`.
fn usual_days(told: &mut Told, days: u8) {
    for at in 1..days {
        let before = u64::from(at - 1) * 400 * MB;
        assert_eq!(told.says(&on_usage(), day(at, used(before))), NONE);
        assert_eq!(told.says(&on_usage(), day(at, used(before + 300 * MB))), NONE);
    }
}

#[test]
fn unusual_usage_is_far_above_the_usual_day() {
    for (language, expected) in [
        ("en", "unusual|router: 1.3 GB used today; a usual day has 400 MB."),
        ("zh-CN", "unusual|router：今天已用 1.3 GB，平日一天约 400 MB。"),
    ] {
        let mut told = Told::new("unusual-usage", language, "");
        usual_days(&mut told, 6);
        // Four whole days and the fifth as it ends: three times 400 MB is not yet unusual, beyond it is.
        assert_eq!(told.says(&on_usage(), day(6, used(2_000 * MB))), NONE);
        assert_eq!(told.says(&on_usage(), day(6, used(3_200 * MB))), NONE);
        assert_eq!(told.says(&on_usage(), day(6, used(3_300 * MB))), [expected]);
        // The next day begins anew, and the one day in six changes nothing.
        assert_eq!(told.says(&on_usage(), day(7, used(3_300 * MB))), NONE);
        assert_eq!(told.says(&on_usage(), day(7, used(4_600 * MB))).len(), 1);
    }
}

#[test]
fn unusual_usage_says_nothing_of_few_data_small_days_and_days_not_seen() {
    let mut few = Told::new("unusual-usage", "en", "");
    usual_days(&mut few, 4);
    assert_eq!(few.says(&on_usage(), day(4, used(9_000 * MB))), NONE, "three days are not enough");

    let mut least = Told::new("unusual-usage", "en", "[unusual-usage]\nleast = \"5 GB\"");
    usual_days(&mut least, 6);
    assert_eq!(least.says(&on_usage(), day(6, used(2_000 * MB))), NONE);
    assert_eq!(least.says(&on_usage(), day(6, used(7_000 * MB))), NONE, "not 5 GB");
    assert_eq!(least.says(&on_usage(), day(6, used(7_001 * MB))).len(), 1);

    // Off for ten days: what was used meanwhile is nobody's day, and the days known stay known.
    let mut off = Told::new("unusual-usage", "en", "");
    usual_days(&mut off, 7);
    assert_eq!(off.says(&on_usage(), day(16, used(9_000 * MB))), NONE);
    assert_eq!(off.says(&on_usage(), day(16, used(10_300 * MB))).len(), 1);

    // A new cycle begins: the day counts from 0, and is no day to learn from.
    let mut cycle = Told::new("unusual-usage", "en", "");
    usual_days(&mut cycle, 6);
    assert_eq!(cycle.says(&on_usage(), day(6, used(2_000 * MB))), NONE);
    assert_eq!(cycle.says(&on_usage(), day(6, used(100 * MB))), NONE);
    assert_eq!(cycle.says(&on_usage(), day(6, used(1_300 * MB))).len(), 1);
}

#[test]
fn unusual_usage_remembers_within_its_bounds_however_many_sims_there_are() {
    let mut told = Told::new("unusual-usage", "en", "");
    let sims: Vec<SimFacts> = (10..60)
        .map(|n| SimFacts {
            iccid: Iccid::new(format!("89490000000000000{n:02}")).expect("an ICCID"),
            ..sim()
        })
        .collect();
    for at in 1..12 {
        for facts in &sims {
            let facts = SimFacts { used_bytes: u64::from(at) * 400 * MB, ..facts.clone() };
            let trigger = Trigger::Usage { sim: facts.iccid.clone() };
            let input = Arc::new(RuleInput { sims: sims.clone().into(), ..(*day(at, facts)).clone() });
            told.asked(&trigger, input);
        }
    }
    assert!(told.memory.weight() <= 4_096, "{}", told.memory.weight());
}

#[test]
fn roaming_guard_warns_and_asks_for_the_end_of_the_connection() {
    let roaming = |bytes| SimFacts { roaming: Some(true), roaming_bytes: bytes, ..used(2_000 * MB) };
    for (language, expected) in [
        ("en", "limit|router: 60 MB used while roaming in this cycle; the limit is 50 MB."),
        ("zh", "limit|router：本周期漫游已用 60 MB，上限为 50 MB。"),
    ] {
        let mut told = Told::new("roaming-guard", language, "");
        assert_eq!(told.says(&on_usage(), input(Some(roaming(49 * MB)), "en")), NONE);
        assert_eq!(told.says(&on_usage(), input(Some(roaming(60 * MB)), "en")), [expected]);
        let wishes = told.asked(&on_usage(), input(Some(roaming(60 * MB)), "en")).actions;
        assert_eq!(wishes.iter().map(|wish| &wish.action).collect::<Vec<_>>(), [&Action::Disconnect]);
        let home = SimFacts { roaming: Some(false), ..roaming(60 * MB) };
        assert_eq!(told.says(&on_usage(), input(Some(home), "en")), NONE);
    }
    let mut told = Told::new("roaming-guard", "en", "[roaming-guard]\ndisconnect = false");
    assert_eq!(told.asked(&on_usage(), input(Some(roaming(60 * MB)), "en")).actions, []);
}

fn modems(present: bool, unusable: Option<&str>) -> Arc<RuleInput> {
    let modem = ModemFacts {
        name: "Example LTE\u{202e}".to_owned(),
        tail: "1481".to_owned(),
        present,
        lost_since: (!present).then_some(NOW),
        state: present.then_some(ModemState::Connected),
        unusable: unusable.map(str::to_owned),
        sim: None,
        network: None,
        access: Vec::new(),
        signal_percent: None,
    };
    Arc::new(RuleInput { modems: Arc::from([modem]), ..(*input(None, "en")).clone() })
}

#[test]
fn a_modem_is_lost_and_back_and_cannot_be_used() {
    for (language, lost, back, unusable) in [
        (
            "en",
            "lost-1481|The modem Example LTE is gone since 2026-11-22 07:05. Is it plugged in, and powered?",
            "back-1481|The modem Example LTE is back.",
            "unusable-1481|The modem Example LTE cannot be used: sim-missing.",
        ),
        (
            "zh",
            "lost-1481|调制解调器 Example LTE 自 2026-11-22 07:05 起不见了。是否已插好并通电？",
            "back-1481|调制解调器 Example LTE 已恢复。",
            "unusable-1481|调制解调器 Example LTE 无法使用：sim-missing。",
        ),
    ] {
        let mut told = Told::new("modem-lost", language, "");
        assert_eq!(told.says(&Trigger::Modems, modems(true, None)), NONE);
        assert_eq!(told.says(&Trigger::Modems, modems(false, None)), [lost]);
        assert_eq!(told.says(&Trigger::Modems, modems(false, None)), [lost]);
        assert_eq!(told.says(&Trigger::Modems, modems(true, None)), [back]);
        assert_eq!(told.says(&Trigger::Modems, modems(true, None)), NONE);
        assert_eq!(told.says(&Trigger::Modems, modems(true, Some("sim-missing"))), [unusable]);
    }
}

#[test]
fn another_sim_is_in_use() {
    let other = Iccid::new("8949000000000000026").expect("valid");
    let second = SimFacts { iccid: other.clone(), name: "tablet".to_owned(), ..sim() };
    let both = Arc::new(RuleInput { sims: [sim(), second].into(), ..(*input(Some(sim()), "en")).clone() });
    let changed = Trigger::SimChanged { sim: iccid(), before: other };
    let unknown =
        Trigger::SimChanged { sim: iccid(), before: Iccid::new("8949000000000000034").expect("valid") };
    for (language, from, from_another) in [
        (
            "en",
            "changed|router is in use now, instead of tablet. Each has its own usage.",
            "changed|router is in use now, instead of another SIM. Its usage is counted by itself.",
        ),
        (
            "zh",
            "changed|现在使用的是 router，不再是 tablet。两者用量分别统计。",
            "changed|现在使用的是 router，不再是之前的 SIM 卡。其用量单独统计。",
        ),
    ] {
        let mut told = Told::new("sim-changed", language, "");
        assert_eq!(told.says(&changed, Arc::clone(&both)), [from]);
        assert_eq!(told.says(&unknown, Arc::clone(&both)), [from_another]);
    }
}

#[test]
fn the_week_is_summed_up() {
    for (language, first, second, anew) in [
        (
            "en",
            "week|router: 2 GB used in this cycle; 8 GB of 10 GB left for 9 days.",
            "week|router: 3.5 GB used in the last week, 5.5 GB in this cycle; 4.5 GB of 10 GB left for 9 days.",
            "week|router: 1 GB used in this cycle; 9 GB of 10 GB left for one day.",
        ),
        (
            "zh",
            "week|router：本周期已用 2 GB；还剩 8 GB（共 10 GB），本周期还有 9 天。",
            "week|router：过去一周已用 3.5 GB，本周期已用 5.5 GB；还剩 4.5 GB（共 10 GB），本周期还有 9 天。",
            "week|router：本周期已用 1 GB；还剩 9 GB（共 10 GB），本周期还有 1 天。",
        ),
    ] {
        let mut told = Told::new("weekly-summary", language, "");
        assert_eq!(told.says(&on_schedule(), day(2, sim())), [first]);
        assert_eq!(told.says(&on_schedule(), day(9, used(5_500 * MB))), [second]);
        let next = SimFacts {
            cycle: Some(CycleFacts {
                start: "2026-11-10".to_owned(),
                end: Some("2026-11-17".to_owned()),
                days_left: Some(1),
                seconds_left: Some(86_400),
                last: false,
            }),
            ..used(1_000 * MB)
        };
        assert_eq!(told.says(&on_schedule(), day(16, next)), [anew]);
    }
    let mut told = Told::new("weekly-summary", "en", "");
    assert_eq!(told.says(&on_schedule(), day(2, bare_sim())), ["week|router: 2 GB used in this cycle."]);
    assert_eq!(told.says(&on_schedule(), day(2, SimFacts { active: false, ..bare_sim() })), NONE);
}

#[test]
fn the_month_is_summed_up_when_its_cycle_is_over() {
    let ended = |allowance_bytes| Trigger::CycleEnded {
        sim: iccid(),
        ended: EndedCycle {
            start: "2026-10-22".to_owned(),
            end: "2026-11-22".to_owned(),
            used_bytes: 8_400 * MB,
            allowance_bytes,
        },
    };
    for (language, of, without, month) in [
        (
            "en",
            "cycle|router: the cycle from 2026-10-22 to 2026-11-21 is over; 8.4 GB of 10 GB were used (84%).",
            "cycle|router: the cycle from 2026-10-22 to 2026-11-21 is over; 8.4 GB were used.",
            "month|router: 3 GB were used in the last month.",
        ),
        (
            "zh",
            "cycle|router：2026-10-22 至 2026-11-21 的周期已结束，10 GB 中用了 8.4 GB（84%）。",
            "cycle|router：2026-10-22 至 2026-11-21 的周期已结束，共用 8.4 GB。",
            "month|router：过去一个月共用 3 GB。",
        ),
    ] {
        let mut told = Told::new("monthly-summary", language, "");
        assert_eq!(told.says(&ended(Some(10_000 * MB)), input(Some(sim()), "en")), [of]);
        assert_eq!(told.says(&ended(None), input(Some(sim()), "en")), [without]);
        assert_eq!(told.says(&on_schedule(), day(1, sim())), NONE, "its cycle tells");
        assert_eq!(told.says(&on_schedule(), day(1, bare_sim())), NONE, "the first month");
        let later = SimFacts { used_bytes: 5_000 * MB, ..bare_sim() };
        assert_eq!(told.says(&on_schedule(), day(2, later)), [month]);
    }
}
