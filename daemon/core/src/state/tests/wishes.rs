//! What rules remember, want done and are told of besides usage.

use super::*;
use crate::action::{Action, ActionRequest, ActionState, Permission};
use crate::effect::ModemRecord;
use crate::ledger::{Volume, Zone};
use crate::memory::{Memory, Remembered};
use crate::state::restored::ScheduleMark;
use crate::view::EndedCycle;

fn may(trigger: &str) -> RuleDescription {
    RuleDescription { may: vec![Permission::SendSms], ..rule("r", trigger, vec![]) }
}

fn wish(key: &str) -> ActionRequest {
    let action = Action::SendSms { to: "80100".to_owned(), text: "BAL".to_owned() };
    ActionRequest { key: key.to_owned(), action }
}

fn asked(bench: &mut Bench, trigger: Trigger, actions: Vec<ActionRequest>) -> Effects {
    let name = RuleName::new("r").unwrap();
    bench.feed(&Event::RulesEvaluated(vec![RuleResult { actions, ..RuleResult::nothing(name, trigger) }]))
}

fn states(bench: &Bench) -> Vec<(ActionState, bool)> {
    bench.state.actions().map(|record| (record.state, record.wished)).collect()
}

#[test]
fn an_action_is_in_the_ledger_first_and_done_once_while_it_is_wished() {
    let mut bench = Bench::new(settings(), &[may("usage")]);
    let fx = asked(&mut bench, usage(), vec![wish("ask")]);
    let [intended] = fx.act.as_slice() else { panic!("{:?}", fx.act) };
    assert_eq!(intended.state, ActionState::Intended);
    assert!(fx.changes.contains(&Change::KeepAction(intended.clone())), "committed before it is done");
    let key = intended.key.clone();
    assert_eq!(asked(&mut bench, usage(), vec![wish("ask")]).act, [], "the same wish");
    bench.feed(&Event::ActionEnded { key, state: ActionState::Done, note: Some("1 part".to_owned()) });
    assert_eq!(asked(&mut bench, usage(), vec![wish("ask")]).act, [], "still the same wish");
    assert_eq!(states(&bench), [(ActionState::Done, true)]);
    asked(&mut bench, usage(), vec![]);
    assert_eq!(states(&bench), [(ActionState::Done, false)]);
    assert_eq!(asked(&mut bench, usage(), vec![wish("ask")]).act.len(), 1, "a new wish");
}

#[test]
fn news_asks_each_time() {
    let mut bench = Bench::new(settings(), &[may("roaming")]);
    let sms = Trigger::Schedule { sim: Some(iccid()), index: 0, due: Timestamp::from_secs(bench.secs) };
    assert_eq!(asked(&mut bench, sms.clone(), vec![wish("ask")]).act.len(), 1);
    bench.secs += 1;
    assert_eq!(asked(&mut bench, sms, vec![wish("ask")]).act.len(), 1);
}

#[test]
fn what_is_not_allowed_or_too_much_is_refused_and_said() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    assert_eq!(asked(&mut bench, usage(), vec![wish("ask")]).act, []);
    assert_eq!(states(&bench), [(ActionState::Refused, true)]);
    let said = bench.state.warnings().find(|w| w.code == WarningCode::ActionFailed).unwrap();
    assert!(said.text.contains("\"send-sms\"") && said.text.contains("[rules.allow]"), "{}", said.text);

    let mut bench = Bench::new(Settings { actions_a_day: 2, ..settings() }, &[may("usage")]);
    let fx = asked(&mut bench, usage(), ["a", "b", "c"].map(wish).to_vec());
    assert_eq!(fx.act.len(), 2);
    assert!(states(&bench).contains(&(ActionState::Refused, true)));
    let said = bench.state.warnings().find(|w| w.code == WarningCode::ActionFailed).unwrap();
    assert!(said.text.contains("2 things done today"), "{}", said.text);
}

#[test]
fn an_action_that_a_crash_cut_short_is_not_done_again() {
    let mut bench = Bench::new(settings(), &[may("usage")]);
    let record = asked(&mut bench, usage(), vec![wish("ask")]).act[0].clone();
    let restored = Restored { actions: vec![record], ..Restored::empty() };
    let mut after =
        Bench { state: State::restored(settings(), restored), secs: bench.secs + 5, trusted: true };
    let fx = after.feed(&Event::Started { boot: BootId::new("boot-1").unwrap(), links: Vec::new() });
    assert_eq!(fx.act, []);
    assert_eq!(states(&after), [(ActionState::Unknown, true)]);
    assert!(after.state.warnings().any(|w| w.code == WarningCode::ActionFailed));
}

#[test]
fn what_a_rule_remembers_is_kept_with_what_it_found_and_seen_the_next_time() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    let name = RuleName::new("r").unwrap();
    let memory = Memory([("n".to_owned(), Remembered::Whole(1))].into());
    let result = RuleResult {
        memory: Some(memory.clone()),
        findings: vec![finding("eighty")],
        ..RuleResult::nothing(name.clone(), usage())
    };
    let fx = bench.feed(&Event::RulesEvaluated(vec![result]));
    let kept = |change: &Change| matches!(change, Change::KeepMemory { .. });
    assert!(fx.changes.iter().any(kept) && fx.changes.iter().any(|c| matches!(c, Change::KeepReminder(_))));
    assert_eq!(*bench.state.memory(&name), memory);
    let restored = Restored { memories: vec![(name.clone(), memory.clone())], ..Restored::empty() };
    assert_eq!(*State::restored(settings(), restored).memory(&name), memory);
}

#[test]
fn a_rule_resolves_what_it_raised_on_another_occasion() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    bench.evaluated("r", usage(), vec![finding("eighty"), finding("other")]);
    let name = RuleName::new("r").unwrap();
    let roaming = Trigger::Roaming { sim: iccid() };
    let resolved = vec!["eighty".to_owned()];
    bench.feed(&Event::RulesEvaluated(vec![RuleResult { resolved, ..RuleResult::nothing(name, roaming) }]));
    let live: Vec<&str> = bench
        .state
        .reminders()
        .filter(|r| !matches!(r.state, ReminderState::Resolved { .. }))
        .map(|r| r.key.as_str())
        .collect();
    assert_eq!(live, ["r/other/0017"]);
}

#[test]
fn a_rule_that_went_well_starts_counting_anew_and_a_suspended_one_is_taken_up_again() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    let name = RuleName::new("r").unwrap();
    let failed =
        RuleResult { error: Some("r.rhai:1:1: no".to_owned()), ..RuleResult::nothing(name.clone(), usage()) };
    let well = RuleResult::nothing(name.clone(), usage());
    for result in [&failed, &failed, &well, &failed, &failed] {
        bench.feed(&Event::RulesEvaluated(vec![result.clone()]));
    }
    let suspended = |bench: &Bench| bench.state.rules().next().unwrap().suspended;
    assert!(!suspended(&bench));
    bench.feed(&Event::RulesEvaluated(vec![failed]));
    assert!(suspended(&bench));
    bench.feed(&Event::RuleResumed(name.clone()));
    assert!(!suspended(&bench) && bench.state.rules().next().unwrap().problem.is_none());
    assert!(!bench.state.warnings().any(|w| w.code == WarningCode::RuleDisabled));
    assert_eq!(bench.state.times_asked(&name), 6);
}

impl Bench {
    /// One step, with what it asks for left to be answered.
    fn step(&mut self, event: &Event) -> Effects {
        let at = self.at();
        self.state.step(at, event)
    }
}

fn triggers(fx: &Effects) -> Vec<Trigger> {
    fx.evaluate.iter().map(|asked| asked.trigger.clone()).collect()
}

/// The sums that a step asks for, as an empty ledger gives them.
fn summed(bench: &mut Bench, mut fx: Effects) -> Vec<Trigger> {
    let mut all = triggers(&fx);
    while !fx.load_totals.is_empty() {
        let mut next = Effects::default();
        for query in fx.load_totals {
            let over = query.until.is_some_and(|until| until.as_secs() <= bench.secs);
            let volume = Volume { rx: if over { 7 } else { 0 }, tx: 0 };
            let answer = Event::TotalsLoaded {
                query,
                by_zone: vec![(Zone::Home, volume)],
                units: Vec::new(),
                corrections: 0,
                first_at: None,
            };
            let more = bench.step(&answer);
            all.extend(triggers(&more));
            next.load_totals.extend(more.load_totals);
        }
        fx = next;
    }
    all
}

#[test]
fn the_end_of_a_cycle_is_told_with_its_sum_and_the_beginning_of_the_next_also_after_a_restart() {
    let rules = [rule("ends", "cycle-end", vec![]), rule("starts", "cycle-start", vec![])];
    let mut bench = Bench::new(settings(), &rules);
    let fx = bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Home, true))));
    assert_eq!(summed(&mut bench, fx), [], "the first cycle that is known is no news");
    let (from, until) = bench.state.sims().next().unwrap().bounds.unwrap();
    bench.secs = until.unwrap().as_secs() + 5;
    let fx = bench.step(&Event::WakeReached);
    let told = summed(&mut bench, fx);
    let date = |at: Timestamp| settings().sims[&iccid()].zone.date(at).to_string();
    let ended = EndedCycle {
        start: date(from),
        end: date(until.unwrap()),
        used_bytes: 7,
        allowance_bytes: settings().sims[&iccid()].plan.as_ref().unwrap().data.map(|data| data.0),
    };
    assert_eq!(
        told,
        [Trigger::CycleEnded { sim: iccid(), ended: ended.clone() }, Trigger::CycleBegan { sim: iccid() }]
    );
    // Until the rules have answered it is owed, whatever happens.
    let mark = ScheduleMark { key: format!("cycle#{}", iccid()), served: from };
    let record = bench.state.sims().next().unwrap().record.clone();
    let restored = Restored { sims: vec![record], schedule_marks: vec![mark], ..Restored::empty() };
    let mut after =
        Bench { state: State::restored(settings(), restored), secs: bench.secs + 5, trusted: true };
    let fx = after.step(&Event::Started { boot: BootId::new("boot-1").unwrap(), links: Vec::new() });
    assert_eq!(summed(&mut after, fx), [], "nobody is known who would hear of it");
    let fx = after.step(&Event::RulesLoaded(rules.to_vec()));
    let told = summed(&mut after, fx);
    assert!(told.contains(&Trigger::CycleEnded { sim: iccid(), ended }), "{told:?}");
    let name = RuleName::new("starts").unwrap();
    let served = RuleResult::nothing(name, Trigger::CycleBegan { sim: iccid() });
    let fx = after.feed(&Event::RulesEvaluated(vec![served]));
    let served =
        |change: &Change| matches!(change, Change::KeepScheduleMark { key, .. } if key.starts_with("cycle#"));
    assert!(fx.changes.iter().any(served));
}

#[test]
fn the_end_of_a_plan_that_nothing_follows_is_told_as_any_other_also_after_a_restart() {
    let rules = [rule("ends", "cycle-end", vec![]), rule("starts", "cycle-start", vec![])];
    let mut settings = settings();
    let start = chrono::NaiveDate::from_ymd_opt(2026, 11, 1).unwrap();
    let plan = settings.sims.get_mut(&iccid()).unwrap().plan.as_mut().unwrap();
    plan.period = Period::Days { days: 30, start, renews: false };
    let mut bench = Bench::new(settings.clone(), &rules);
    bench.secs = 1_795_132_800;
    let fx = bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Home, true))));
    assert_eq!(summed(&mut bench, fx), [], "the first cycle that is known is no news");
    let (from, until) = bench.state.sims().next().unwrap().bounds.unwrap();
    bench.secs = until.unwrap().as_secs() + 5;
    let fx = bench.step(&Event::WakeReached);
    let ended = EndedCycle {
        start: "2026-11-01".to_owned(),
        end: "2026-12-01".to_owned(),
        used_bytes: 7,
        allowance_bytes: Some(1_000_000),
    };
    let over = [Trigger::CycleEnded { sim: iccid(), ended }];
    assert_eq!(summed(&mut bench, fx), over, "and nothing begins");
    bench.secs += 86_400;
    let fx = bench.step(&Event::WakeReached);
    assert_eq!(summed(&mut bench, fx), [], "once");
    // The service was off as it ended, or before the rules had answered; and once it was told it is not again.
    for (served, told) in [(from, &over[..]), (until.unwrap(), &[])] {
        let mark = ScheduleMark { key: format!("cycle#{}", iccid()), served };
        let record = bench.state.sims().next().unwrap().record.clone();
        let restored = Restored { sims: vec![record], schedule_marks: vec![mark], ..Restored::empty() };
        let state = State::restored(settings.clone(), restored);
        let mut after = Bench { state, secs: bench.secs + 5, trusted: true };
        let fx = after.step(&Event::Started { boot: BootId::new("boot-1").unwrap(), links: Vec::new() });
        assert_eq!(summed(&mut after, fx), [], "nobody is known who would hear of it");
        let fx = after.step(&Event::RulesLoaded(rules.to_vec()));
        assert_eq!(summed(&mut after, fx), told);
    }
}

fn fleet(fx: &Effects) -> Option<Vec<(bool, Option<String>)>> {
    let asked = fx.evaluate.iter().find(|asked| asked.trigger == Trigger::Modems)?;
    Some(asked.input.modems.iter().map(|modem| (modem.present, modem.unusable.clone())).collect())
}

#[test]
fn a_modem_is_lost_after_a_minute_and_told_when_it_is_back() {
    let mut bench = Bench::new(settings(), &[rule("watch", "modems", vec![])]);
    let here = modem(Registration::Home, true);
    let fx = bench.feed(&Event::ModemSeen(Box::new(here.clone())));
    assert_eq!(fleet(&fx), Some(vec![(true, None)]));
    bench.feed(&Event::ModemVanished { modem: here.id.clone() });
    bench.secs += 30;
    assert_eq!(fleet(&bench.feed(&Event::WakeReached)), None, "a reset takes less than a minute");
    bench.secs += 30;
    assert_eq!(fleet(&bench.feed(&Event::WakeReached)), Some(vec![(false, None)]));
    bench.secs += 3_600;
    assert_eq!(fleet(&bench.feed(&Event::ModemSeen(Box::new(here.clone())))), Some(vec![(true, None)]));
    let locked = ModemView {
        state: crate::modem::ModemState::Locked,
        unlock_required: Some("sim-pin".to_owned()),
        ..here
    };
    let fx = bench.feed(&Event::ModemSeen(Box::new(locked)));
    assert_eq!(fleet(&fx), Some(vec![(true, Some("sim-pin".to_owned()))]));
}

#[test]
fn another_sim_in_a_modem_is_news_also_after_a_restart() {
    let other = Iccid::new("8949000000000000018").unwrap();
    let here = modem(Registration::Home, true);
    let known =
        ModemRecord { id: here.id.clone(), name: String::new(), sim: Some(other.clone()), lost_at: None };
    let restored = Restored { modems: vec![known], ..Restored::empty() };
    let mut bench = Bench { state: State::restored(settings(), restored), secs: DAY, trusted: true };
    bench.feed(&Event::RulesLoaded(vec![rule("swap", "sim-change", vec![])]));
    bench.feed(&Event::Started { boot: BootId::new("boot-1").unwrap(), links: Vec::new() });
    let fx = bench.feed(&Event::ModemSeen(Box::new(here.clone())));
    let told = summed(&mut bench, fx);
    assert_eq!(told, [Trigger::SimChanged { sim: iccid(), before: other }]);
    let fx = bench.feed(&Event::ModemSeen(Box::new(ModemView { sim: None, ..here.clone() })));
    assert_eq!(summed(&mut bench, fx), []);
    let fx = bench.feed(&Event::ModemSeen(Box::new(here)));
    assert_eq!(summed(&mut bench, fx), [], "it is the same one");
}
