//! What must hold at awkward moments: a clock that is wrong, a restart, a ledger that does not answer.

use super::*;

fn told_of(fx: &Effects) -> Vec<&'static str> {
    fx.evaluate.iter().map(|e| e.trigger.kind()).collect()
}

fn sms(digest: &str) -> Trigger {
    Trigger::Sms {
        sim: Some(iccid()),
        sms: SmsView {
            number: "80100".to_owned(),
            text: digest.to_owned(),
            timestamp: None,
            digest: digest.to_owned(),
        },
    }
}

/// No wake is asked for that the step it leads to does not clear.
fn does_not_spin(bench: &mut Bench) {
    for _ in 0..3 {
        let Some(wake) = bench.state.next_wake(bench.at()) else { return };
        bench.secs += wake.after.as_millis().div_euclid(1000) + 1;
        bench.feed(&Event::WakeReached);
        let next = bench.state.next_wake(bench.at());
        assert!(next.as_ref().is_none_or(|next| next.after > Span::ZERO), "{wake:?}, then {next:?}");
    }
}

#[test]
fn usage_that_nobody_looks_at_wakes_nobody() {
    for (trusted, trigger) in [(true, "sms"), (false, "usage")] {
        let mut bench = Bench::new(settings(), &[rule("r", trigger, vec![])]);
        bench.trusted = trusted;
        bench.feed(&Event::LinkAppeared(link(0)));
        bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Home, true))));
        bench.feed(&Event::LinksRead(vec![link(10)]));
        does_not_spin(&mut bench);
    }
}

#[test]
fn two_messages_of_one_second_are_both_said() {
    let mut bench = Bench::new(settings(), &[rule("r", "sms", vec![])]);
    let first = bench.evaluated("r", sms("one"), vec![finding("carrier")]);
    let second = bench.evaluated("r", sms("two"), vec![finding("carrier")]);
    assert_eq!((first.deliver.len(), second.deliver.len()), (1, 1));
    assert_ne!(first.deliver[0].id, second.deliver[0].id);
}

#[test]
fn news_is_over_after_a_day_answered_or_not() {
    let mut bench = Bench::new(settings(), &[rule("r", "sms", vec![])]);
    bench.evaluated("r", sms("one"), vec![finding("carrier")]);
    bench.evaluated("r", sms("two"), vec![finding("other")]);
    let acknowledged = ReminderKey::new("r/other/0017").unwrap();
    bench.feed(&Event::ReminderAcknowledged(acknowledged));
    let open = |bench: &Bench| {
        bench.state.reminders.values().filter(|r| !matches!(r.state, ReminderState::Resolved { .. })).count()
    };
    bench.after(86_400 - 1);
    assert_eq!(open(&bench), 2);
    let wake = bench.state.next_wake(bench.at()).unwrap();
    assert_eq!((wake.after, wake.reason), (Span::secs(1), "old news"));
    bench.after(1);
    assert_eq!(open(&bench), 0);
    does_not_spin(&mut bench);
}

#[test]
fn news_that_is_old_as_it_is_said_for_the_last_time_wakes_nobody_again() {
    let mut bench = Bench::new(settings(), &[rule("r", "sms", vec![])]);
    bench.evaluated("r", sms("one"), vec![finding("carrier")]);
    let key = ReminderKey::new("r/carrier/0017").unwrap();
    bench.feed(&Event::ReminderSnoozed { key, span: Span::secs(2 * 86_400) });
    bench.secs += 2 * 86_400;
    let at = bench.at();
    assert_eq!(bench.state.step(at, &Event::WakeReached).deliver.len(), 1, "it is said all the same");
    let wake = bench.state.next_wake(at);
    assert!(wake.as_ref().is_none_or(|wake| wake.after > Span::ZERO), "{wake:?}");
}

#[test]
fn rules_wait_until_the_ledger_has_said_what_every_sim_used() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    bench.evaluated("r", usage(), vec![finding("eighty")]);
    // The next cycle begins, and the ledger does not answer.
    bench.secs = ZoneRules::utc().day_start(NaiveDate::from_ymd_opt(2026, 12, 1).unwrap()).as_secs();
    let at = bench.at();
    let asked = bench.state.step(at, &Event::WakeReached).load_totals;
    for _ in 0..3 {
        bench.secs += 60;
        let at = bench.at();
        assert!(bench.state.step(at, &Event::WakeReached).evaluate.is_empty());
    }
    let wake = bench.state.next_wake(bench.at()).unwrap();
    assert!(wake.after > Span::ZERO, "{wake:?}");
    let loaded =
        |query| Event::TotalsLoaded { query, by_zone: vec![], units: vec![], corrections: 7, first_at: None };
    let other = crate::effect::TotalsQuery { from: Timestamp::from_secs(0), ..asked[0].clone() };
    assert!(bench.feed(&loaded(other)).evaluate.is_empty(), "an answer to an earlier question");
    let fx = bench.feed(&loaded(asked[0].clone()));
    assert_eq!(told_of(&fx), ["usage"]);
    assert_eq!(fx.evaluate[0].input.sim.as_ref().unwrap().used_bytes, 7);
}

#[test]
fn who_roams_before_the_clock_is_trusted_is_told_afterwards() {
    let mut bench = Bench::new(settings(), &[rule("r", "roaming", vec![])]);
    bench.trusted = false;
    bench.feed(&Event::ClockChanged);
    assert!(bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Roaming, false)))).evaluate.is_empty());
    bench.trusted = true;
    assert!(told_of(&bench.feed(&Event::ClockChanged)).contains(&"roaming"));
}

#[test]
fn while_a_modem_still_searches_nothing_is_said_of_roaming() {
    let mut bench = Bench::new(settings(), &[rule("r", "roaming", vec![])]);
    let searching = bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Searching, false))));
    assert!(searching.evaluate.is_empty());
    let roams = bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Roaming, false))));
    assert_eq!(told_of(&roams), ["roaming"]);
}

#[test]
fn what_was_wrong_before_a_restart_is_not_said_again_after_it() {
    let mut bench = Bench::new(settings(), &[rule("h", "health", vec![])]);
    let gone = Finding { sim: None, ..finding("modemmanager-gone") };
    bench.evaluated("h", Trigger::Health, vec![gone.clone()]);
    let restored = Restored { reminders: vec![bench.only_reminder().clone()], ..Restored::empty() };
    let state = State::restored(settings(), restored);
    let mut after = Bench { state, secs: bench.secs + 5, trusted: true };
    after.feed(&Event::Started { boot: BootId::new("boot-1").unwrap(), links: Vec::new() });
    after.feed(&Event::RulesLoaded(vec![rule("h", "health", vec![])]));
    // Nothing is known to be wrong yet; then it is found again.
    after.evaluated("h", Trigger::Health, vec![]);
    let again = after.evaluated("h", Trigger::Health, vec![gone]);
    assert_eq!((said(&again), after.only_reminder().occurrence), (0, 1));
    // A minute later what is not wrong is over.
    assert_eq!(told_of(&after.after(60)), ["health"]);
    after.evaluated("h", Trigger::Health, vec![]);
    assert!(matches!(after.only_reminder().state, ReminderState::Resolved { .. }));
}

#[test]
fn a_clock_that_ran_a_year_ahead_silences_nothing() {
    const YEAR: i64 = 366 * 86_400;
    let seven = Schedule::Daily(TimeOfDay::new(7, 0).unwrap());
    let mut bench =
        Bench::new(settings(), &[rule("daily", "schedule", vec![seven]), rule("r", "usage", vec![])]);
    let nag = Finding { repeat: Repeat::Every(Span::secs(3600)), ..finding("eighty") };
    bench.evaluated("r", usage(), vec![nag]);
    let ahead = bench.after(YEAR);
    for e in ahead.evaluate.into_iter().filter(|e| e.trigger.kind() == "schedule") {
        bench.evaluated("daily", e.trigger, vec![]);
    }
    bench.secs -= YEAR;
    bench.feed(&Event::ClockChanged);
    assert_eq!(said(&bench.after(3600)), 1, "said again after an hour");
    let woken = bench.after(86_400);
    assert!(told_of(&woken).contains(&"schedule"), "{:?}", told_of(&woken));
}

#[test]
fn a_clock_put_back_a_little_rings_no_schedule_twice() {
    let seven = Schedule::Daily(TimeOfDay::new(7, 0).unwrap());
    let mut bench = Bench::new(settings(), &[rule("daily", "schedule", vec![seven])]);
    let woken = bench.after(86_400 - 5 * 3600);
    bench.evaluated("daily", woken.evaluate[0].trigger.clone(), vec![]);
    bench.secs -= 90;
    bench.feed(&Event::ClockChanged);
    assert!(bench.after(120).evaluate.is_empty());
    assert_eq!(bench.after(86_400).evaluate.len(), 1);
}

#[test]
fn a_schedule_that_was_changed_owes_nothing_for_before() {
    let at = |hour| vec![Schedule::Daily(TimeOfDay::new(hour, 0).unwrap())];
    let mut bench = Bench::new(settings(), &[rule("daily", "schedule", at(7))]);
    let woken = bench.after(86_400 - 5 * 3600);
    bench.evaluated("daily", woken.evaluate[0].trigger.clone(), vec![]);
    bench.after(5 * 3600);
    let reloaded = bench.feed(&Event::RulesLoaded(vec![rule("daily", "schedule", at(8))]));
    assert!(reloaded.evaluate.is_empty(), "{:?}", told_of(&reloaded));
    assert_eq!(bench.after(20 * 3600).evaluate.len(), 1);
}

#[test]
fn what_turns_critical_in_quiet_hours_is_said_at_once() {
    let mut quiet = settings();
    let time = |hour| TimeOfDay::new(hour, 0).unwrap();
    quiet.quiet = Some(QuietHours { from: time(11), until: time(14) });
    let mut bench = Bench::new(quiet, &[rule("r", "usage", vec![])]);
    assert_eq!(said(&bench.evaluated("r", usage(), vec![finding("data")])), 0);
    let critical = Finding { urgency: Urgency::Critical, ..finding("data") };
    assert_eq!(said(&bench.evaluated("r", usage(), vec![critical])), 1);
}

#[test]
fn what_repeats_while_the_network_is_dead_does_not_pile_up() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    let nag = Finding { repeat: Repeat::Every(Span::secs(2)), ..finding("eighty") };
    let mut tries = bench.evaluated("r", usage(), vec![nag]).deliver;
    let mut tried = 0;
    for _ in 0..600 {
        for delivery in std::mem::take(&mut tries) {
            tried += 1;
            let outcome = DeliveryOutcome::Retry { error: "no route".to_owned(), after: None };
            tries.extend(bench.feed(&Event::DeliveryEnded { id: delivery.id, outcome }).deliver);
        }
        tries.extend(bench.after(1).deliver);
        let waiting = bench.state.deliveries().filter(|d| d.state == DeliveryState::Queued).count();
        assert!(waiting <= 2, "{waiting} wait");
    }
    assert!(tried < 12, "backing off, not once a second: {tried} tries");
    assert!(bench.state.deliveries().count() <= 210);
}

#[test]
fn a_cap_holds_however_much_other_channels_say() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![]), rule("s", "sms", vec![])]);
    let by_sms =
        |key: &str| Finding { channels: Some(vec![ChannelName::new("sms").unwrap()]), ..finding(key) };
    let fx = bench.evaluated("r", usage(), vec![by_sms("a"), by_sms("b")]);
    let mut sent = fx.deliver.len();
    let mut open = fx.deliver;
    for n in 0..300 {
        for delivery in std::mem::take(&mut open) {
            bench.feed(&Event::DeliveryEnded { id: delivery.id, outcome: DeliveryOutcome::Delivered });
        }
        bench.secs += 1;
        open = bench.evaluated("s", sms(&n.to_string()), vec![finding("carrier")]).deliver;
    }
    sent += bench.evaluated("r", usage(), vec![by_sms("a"), by_sms("b"), by_sms("c")]).deliver.len();
    assert_eq!(sent, 2);
}

#[test]
fn a_message_put_off_is_not_sent_while_roaming() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Home, false))));
    let by_sms = Finding { channels: Some(vec![ChannelName::new("sms").unwrap()]), ..finding("a") };
    let id = bench.evaluated("r", usage(), vec![by_sms]).deliver[0].id.clone();
    let outcome = DeliveryOutcome::Retry { error: "no network".to_owned(), after: None };
    bench.feed(&Event::DeliveryEnded { id, outcome });
    bench.feed(&Event::ModemSeen(Box::new(modem(Registration::Roaming, false))));
    assert!(bench.after(3600).deliver.is_empty());
    assert!(bench.state.deliveries().any(|d| d.state == DeliveryState::Suppressed));
}

#[test]
fn what_waits_for_the_desktop_is_shown_to_whoever_comes() {
    let mut with = settings();
    with.channels.push(channel("desktop", "desktop", None));
    let mut bench = Bench::new(with, &[rule("r", "usage", vec![])]);
    let shown = Finding { channels: Some(vec![ChannelName::new("desktop").unwrap()]), ..finding("a") };
    let id = bench.evaluated("r", usage(), vec![shown]).deliver[0].id.clone();
    let outcome = DeliveryOutcome::Retry { error: "nobody follows".to_owned(), after: None };
    bench.feed(&Event::DeliveryEnded { id: id.clone(), outcome });
    assert!(bench.feed(&Event::WakeReached).deliver.is_empty());
    assert_eq!(bench.feed(&Event::FollowerArrived).deliver[0].id, id);
}

#[test]
fn what_the_wrong_clock_queued_is_not_given_up_by_the_right_one() {
    let mut bench = Bench::new(settings(), &[rule("h", "health", vec![])]);
    bench.trusted = false;
    bench.feed(&Event::ClockChanged);
    let gone = Finding { sim: None, ..finding("modemmanager-gone") };
    let id = bench.evaluated("h", Trigger::Health, vec![gone]).deliver[0].id.clone();
    let boot_ms = bench.at().boot_ms;
    let right = Stamp {
        wall: Timestamp::from_secs(bench.secs + 10 * 365 * 86_400),
        boot_ms: boot_ms + 1000,
        trusted: true,
    };
    let outcome = DeliveryOutcome::Retry { error: "no network".to_owned(), after: None };
    bench.state.step(right, &Event::ClockChanged);
    bench.state.step(right, &Event::DeliveryEnded { id: id.clone(), outcome });
    let delivery = bench.state.deliveries().find(|d| d.id == id).unwrap();
    assert_eq!(delivery.state, DeliveryState::Queued, "{:?}", delivery.last_error);
}

#[test]
fn an_answer_of_a_rule_that_was_taken_away_changes_nothing() {
    let mut bench = Bench::new(settings(), &[rule("r", "usage", vec![])]);
    bench.feed(&Event::RulesLoaded(vec![]));
    let result = RuleResult {
        findings: vec![finding("eighty")],
        error: Some("there is no rule `r`".to_owned()),
        ..RuleResult::nothing(RuleName::new("r").unwrap(), usage())
    };
    bench.feed(&Event::RulesEvaluated(vec![result]));
    assert_eq!(bench.state.warnings().count(), 0);
    assert_eq!(bench.state.reminders().count(), 0);
}
