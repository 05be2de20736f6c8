//! Calls and messages: what is missed is bounded, and nothing counts twice.

use super::*;
use crate::ledger::Zone;
use crate::modem::{CallState, CallView};
use crate::number::NumberClass;
use crate::party::PartyKey;
use crate::voice::{CallEnd, CallId, CallRecord, SmsDirection, SmsId, SmsRecord, VoiceCounts};

mod lives;
mod replaced;

const NUMBER: &str = "+8613800138000";

fn home_modem() -> ModemView {
    let mut view = modem(Registration::Home, false);
    if let Some(sim) = view.sim.as_mut() {
        sim.operator_code = Some(crate::ident::OperatorCode::new("46000").unwrap());
    }
    view
}

/// A state with a ledger for calls and messages, and a clock of milliseconds.
struct Phone {
    state: State,
    boot: &'static str,
    /// By `CLOCK_BOOTTIME`.
    now: u64,
    /// The wall clock less the boot clock.
    offset: i64,
    trusted: bool,
    calls: BTreeMap<CallId, CallRecord>,
    sms: BTreeMap<SmsId, SmsRecord>,
    /// The ModemManager that lives now.
    service: u32,
}

impl Phone {
    fn new() -> Self {
        let mut phone = Self {
            state: State::restored(settings(), Restored { party_key: PartyKey(1, 2), ..Restored::empty() }),
            boot: "boot-1",
            now: 600_000,
            offset: DAY * 1000,
            trusted: true,
            calls: BTreeMap::new(),
            sms: BTreeMap::new(),
            service: 1,
        };
        phone.service_begins();
        phone.feed(Event::ModemSeen(Box::new(home_modem())));
        phone.listed(&[]);
        phone
    }

    fn at(&self) -> Stamp {
        let wall = self.offset + i64::try_from(self.now).unwrap();
        Stamp { wall: Timestamp::from_millis(wall), boot_ms: self.now, trusted: self.trusted }
    }

    fn feed(&mut self, event: Event) -> Effects {
        let mut fx = self.state.step(self.at(), &event);
        self.commit(&fx.changes);
        for query in std::mem::take(&mut fx.load_totals) {
            let changes = self.state.flush(self.at());
            self.commit(&changes);
            let counts = Box::new(self.counts(&query.iccid, query.from));
            for event in [
                Event::CountsLoaded { query: query.clone(), counts },
                Event::TotalsLoaded {
                    query,
                    by_zone: Vec::new(),
                    units: Vec::new(),
                    corrections: 0,
                    first_at: None,
                },
            ] {
                let more = self.state.step(self.at(), &event);
                self.commit(&more.changes);
                fx.evaluate.extend(more.evaluate);
            }
        }
        fx
    }

    fn commit(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::KeepCall(call) => {
                    self.calls.insert(call.id, call.clone());
                }
                Change::KeepSms(sms) => {
                    let there = self.sms.values().any(|s| s.digest.is_some() && s.digest == sms.digest);
                    if !there {
                        self.sms.insert(sms.id, sms.clone());
                    }
                }
                Change::DateEntries { boot, offset_ms } => {
                    let dated = |boot_ms: u64| {
                        Some(Timestamp::from_millis(i64::try_from(boot_ms).unwrap() + offset_ms))
                    };
                    for call in self.calls.values_mut().filter(|c| c.boot.as_ref() == Some(boot)) {
                        call.began = call.began.or_else(|| dated(call.began_boot_ms));
                    }
                    for sms in self.sms.values_mut().filter(|s| s.boot.as_ref() == Some(boot)) {
                        sms.at = sms.at.or_else(|| dated(sms.at_boot_ms));
                    }
                }
                _ => {}
            }
        }
    }

    /// What the ledger says of a cycle: every entry with a date that is over.
    fn counts(&self, iccid: &Iccid, from: Timestamp) -> VoiceCounts {
        let mut counts = VoiceCounts::default();
        for call in self.calls.values().filter(|c| !matches!(c.end, CallEnd::Open(_))) {
            if call.iccid.as_ref() == Some(iccid) && call.began.is_some_and(|began| began >= from) {
                counts.sums.add_call(call);
            }
        }
        for sms in self.sms.values().filter(|s| s.iccid.as_ref() == Some(iccid)) {
            if sms.at.is_some_and(|at| at >= from) {
                counts.add_sms(sms.direction, sms.parts, &sms.zone, sms.party.as_deref());
            }
        }
        counts
    }

    fn call(&mut self, path: &str, incoming: bool, state: CallState) -> Effects {
        let call = self.view(path, incoming, state, NUMBER);
        self.feed(Event::CallChanged { modem: home_modem().id, call })
    }

    fn view(&self, path: &str, incoming: bool, state: CallState, number: &str) -> CallView {
        CallView {
            service: Some(format!(":1.{}", self.service)),
            path: path.to_owned(),
            number: Some(number.to_owned()),
            incoming,
            state,
        }
    }

    /// ModemManager's calls, each with its path.
    fn listed(&mut self, calls: &[(&str, bool, CallState)]) {
        let calls =
            calls.iter().map(|(path, incoming, state)| self.view(path, *incoming, *state, NUMBER)).collect();
        self.feed(Event::CallsListed { modem: home_modem().id, calls });
    }

    fn service_begins(&mut self) {
        self.feed(Event::Started { boot: BootId::new(self.boot).unwrap(), links: Vec::new() });
        self.feed(Event::ModemManagerAppeared { version: "1.20".to_owned() });
    }

    /// Killed: only the ledger is left; the clock goes on, and the service begins anew.
    fn killed_for(&mut self, millis: u64) {
        self.now += millis;
        let newest = self.calls.values().filter_map(|call| call.began).max();
        let restored = Restored {
            open_calls: self.calls.values().filter(|c| matches!(c.end, CallEnd::Open(_))).cloned().collect(),
            next_call: CallId(self.calls.keys().max().map_or(1, |id| id.0 + 1)),
            next_sms: SmsId(self.sms.keys().max().map_or(1, |id| id.0 + 1)),
            counted_sms: self.sms.values().filter_map(|sms| sms.digest.clone()).collect(),
            party_key: PartyKey(1, 2),
            newest,
            ..Restored::empty()
        };
        self.state = State::restored(settings(), restored);
        self.service_begins();
    }

    fn passes(&mut self, millis: u64) -> Effects {
        let until = self.now + millis;
        let mut fx = Effects::default();
        while let Some(wake) = self.state.next_wake(self.at()) {
            let due = self.now + u64::try_from(wake.after.as_millis().max(1)).unwrap();
            if due > until {
                break;
            }
            self.now = due;
            fx.evaluate.extend(self.feed(Event::WakeReached).evaluate);
        }
        self.now = until;
        fx
    }

    /// `(answered, at least, at most, how it ended)` of every call, by the ledger.
    fn kept(&self) -> Vec<(bool, u32, u32, &'static str)> {
        self.calls
            .values()
            .map(|call| {
                let end = match call.end {
                    CallEnd::Open(_) => "open",
                    CallEnd::Seen => "seen",
                    CallEnd::Unknown => "unknown",
                };
                (call.answered, call.seconds_min, call.seconds, end)
            })
            .collect()
    }

    fn made(&self) -> crate::voice::CallSums {
        self.state.facts(&iccid()).unwrap().voice.made
    }
}

use CallState::{Active, Dialing, Held, RingingIn, RingingOut, Terminated, Waiting};

#[test]
fn a_call_counts_from_answer_to_end_held_time_included() {
    let mut phone = Phone::new();
    phone.call("0", false, Dialing);
    phone.passes(4_000);
    phone.call("0", false, RingingOut);
    phone.passes(9_000);
    assert_eq!(phone.made().answered, 0);
    phone.call("0", false, Active);
    phone.passes(60_000);
    assert_eq!((phone.made().answered, phone.made().seconds), (1, 60), "while it lasts");
    phone.call("0", false, Held);
    phone.passes(30_000);
    phone.call("0", false, Active);
    phone.passes(1_001);
    phone.call("0", false, Terminated);
    phone.passes(10_000);
    assert_eq!(phone.kept(), [(true, 92, 92, "seen")], "91.001 seconds, rounded up");
    let call = &phone.calls[&CallId(1)];
    assert_eq!((call.class, call.zone.clone(), call.incoming), (NumberClass::National, Zone::Home, false));
    assert_eq!(phone.made().seconds, 92);
}

#[test]
fn calls_that_nobody_took_cost_nothing_and_are_counted() {
    let mut phone = Phone::new();
    for (path, incoming, first) in [("0", true, RingingIn), ("1", false, Dialing)] {
        phone.call(path, incoming, first);
        phone.passes(20_000);
        phone.call(path, incoming, Terminated);
    }
    assert_eq!(phone.kept(), [(false, 0, 0, "seen"), (false, 0, 0, "seen")]);
    let voice = phone.state.facts(&iccid()).unwrap().voice;
    assert_eq!((voice.taken.unanswered, voice.made.unanswered), (1, 1));
    assert_eq!((voice.taken.answered, voice.taken.seconds), (0, 0));
}

#[test]
fn several_calls_at_once_each_have_their_own_time() {
    let mut phone = Phone::new();
    phone.call("0", true, RingingIn);
    phone.call("0", true, Active);
    phone.passes(60_000);
    phone.call("1", true, Waiting);
    phone.passes(10_000);
    phone.call("0", true, Held);
    phone.call("1", true, Active);
    phone.passes(30_000);
    // Both in a conference.
    phone.call("0", true, Active);
    phone.passes(20_000);
    phone.call("1", true, Terminated);
    phone.passes(5_000);
    phone.call("0", true, Terminated);
    assert_eq!(phone.kept(), [(true, 125, 125, "seen"), (true, 50, 50, "seen")]);
}

#[test]
fn a_call_that_rings_shows_that_the_end_of_another_was_missed() {
    let mut phone = Phone::new();
    phone.call("0", true, RingingIn);
    phone.call("0", true, Active);
    phone.passes(120_000);
    phone.call("1", true, RingingIn);
    assert_eq!(phone.kept()[0], (true, 0, 120, "unknown"));
    // ModemManager finds out now: it is in the ledger already.
    phone.call("0", true, Terminated);
    phone.call("1", true, Active);
    phone.passes(60_000);
    phone.call("1", true, Terminated);
    assert_eq!(phone.kept(), [(true, 0, 120, "unknown"), (true, 60, 60, "seen")]);
}

#[test]
fn an_end_that_modemmanager_finds_out_while_another_call_begins_is_not_certain() {
    let mut phone = Phone::new();
    phone.call("0", false, Dialing);
    phone.call("0", false, Active);
    phone.passes(3_600_000);
    // Dialling, ModemManager asks for all calls, and finds the first gone.
    phone.call("1", false, Dialing);
    phone.passes(2_000);
    phone.call("0", false, Terminated);
    assert_eq!(phone.kept()[0], (true, 0, 3_602, "unknown"));
    phone.call("1", false, Active);
    phone.passes(10_000);
    phone.call("1", false, Terminated);
    assert_eq!(phone.kept()[1], (true, 10, 10, "seen"));
}

#[test]
fn a_service_killed_in_a_call_goes_on_with_it_where_modemmanager_still_shows_it() {
    let mut phone = Phone::new();
    phone.call("0", false, Dialing);
    phone.call("0", false, Active);
    phone.passes(100_000);
    phone.killed_for(7_000);
    assert_eq!(phone.kept()[0].3, "open", "it does not vanish");
    phone.feed(Event::ModemSeen(Box::new(home_modem())));
    phone.listed(&[("0", false, Active)]);
    phone.passes(13_000);
    phone.feed(Event::WakeReached);
    assert_eq!(phone.made().seconds, 120);
    phone.call("0", false, Terminated);
    assert_eq!(phone.kept(), [(true, 120, 120, "seen")]);
    assert_eq!(phone.made().seconds, 120);
}

#[test]
fn a_call_that_ended_while_the_service_was_dead_is_bounded() {
    // Still listed as ended: ModemManager heard the end, so its word held until the ledger was told last.
    let mut phone = Phone::new();
    phone.call("0", false, Dialing);
    phone.call("0", false, Active);
    phone.passes(130_000);
    phone.killed_for(70_000);
    phone.feed(Event::ModemSeen(Box::new(home_modem())));
    phone.listed(&[("0", false, Terminated)]);
    assert_eq!(
        phone.kept(),
        [(true, 120, 200, "unknown")],
        "the ledger was told after a minute, and another"
    );
    // Told again after another kill, it is not counted again.
    phone.killed_for(1_000);
    phone.feed(Event::ModemSeen(Box::new(home_modem())));
    phone.listed(&[("0", false, Terminated)]);
    assert_eq!(phone.kept().len(), 1);
    assert_eq!(phone.made().end_unknown, 1);

    // Listed no more: the last thing that is certain is that it was answered.
    let mut phone = Phone::new();
    phone.call("0", false, Dialing);
    phone.call("0", false, Active);
    phone.passes(130_000);
    phone.killed_for(70_000);
    phone.feed(Event::ModemSeen(Box::new(home_modem())));
    phone.listed(&[]);
    phone.passes(10_000);
    assert_eq!(phone.kept(), [(true, 0, 200, "unknown")]);
}

#[test]
fn a_call_that_rang_when_the_service_died_may_have_been_answered() {
    let mut phone = Phone::new();
    phone.call("0", true, RingingIn);
    phone.passes(3_000);
    phone.killed_for(30_000);
    phone.feed(Event::ModemSeen(Box::new(home_modem())));
    phone.listed(&[("0", true, Active)]);
    phone.passes(60_000);
    phone.call("0", true, Terminated);
    assert_eq!(phone.kept(), [(true, 60, 93, "seen")]);

    let mut phone = Phone::new();
    phone.call("0", true, RingingIn);
    phone.passes(3_000);
    phone.killed_for(30_000);
    phone.feed(Event::ModemSeen(Box::new(home_modem())));
    phone.listed(&[("0", true, Terminated)]);
    assert_eq!(phone.kept(), [(false, 0, 33, "unknown")]);
}

#[test]
fn a_modemmanager_started_anew_that_shows_the_call_under_another_path_goes_on_with_it() {
    let mut phone = Phone::new();
    phone.call("7", false, Dialing);
    phone.call("7", false, Active);
    phone.passes(60_000);
    phone.feed(Event::ModemManagerVanished);
    phone.passes(20_000);
    phone.service = 2;
    phone.feed(Event::ModemManagerAppeared { version: "1.20".to_owned() });
    let mut view = home_modem();
    view.state = ModemState::Disabled;
    phone.feed(Event::ModemSeen(Box::new(view)));
    phone.listed(&[]);
    phone.passes(60_000);
    assert_eq!(phone.kept()[0].3, "open", "a modem that is not enabled shows no call");
    phone.feed(Event::ModemSeen(Box::new(home_modem())));
    phone.passes(1_000);
    phone.call("0", false, Active);
    phone.passes(30_000);
    phone.call("0", false, Terminated);
    // Nobody can tell whether it is the same one.
    assert_eq!(phone.kept(), [(true, 30, 171, "seen")]);
}

#[test]
fn a_call_that_is_not_shown_again_ends_unknown_when_its_modem_is_enabled() {
    let mut phone = Phone::new();
    phone.call("7", false, Dialing);
    phone.call("7", false, Active);
    phone.passes(60_000);
    phone.feed(Event::ModemManagerVanished);
    phone.passes(20_000);
    phone.service = 2;
    phone.feed(Event::ModemSeen(Box::new(home_modem())));
    phone.listed(&[]);
    assert_eq!(phone.kept()[0].3, "open");
    phone.passes(5_000);
    assert_eq!(phone.kept(), [(true, 0, 80, "unknown")]);
}

#[test]
fn the_modem_pulled_another_sim_and_another_boot_end_a_call_unknown() {
    let mut phone = Phone::new();
    phone.call("0", true, RingingIn);
    phone.call("0", true, Active);
    phone.passes(30_000);
    phone.feed(Event::ModemVanished { modem: home_modem().id });
    assert_eq!(phone.kept(), [(true, 0, 30, "unknown")]);

    let mut phone = Phone::new();
    phone.call("0", true, RingingIn);
    phone.call("0", true, Active);
    phone.passes(30_000);
    let mut other = home_modem();
    other.sim.as_mut().unwrap().iccid = Some(Iccid::new("8900100000000000025").unwrap());
    phone.feed(Event::ModemSeen(Box::new(other)));
    assert_eq!(phone.kept(), [(true, 0, 30, "unknown")]);
    assert_eq!(phone.calls[&CallId(1)].iccid, Some(iccid()), "the SIM that called");

    // The wall clock bounds what another boot does not know.
    let mut phone = Phone::new();
    phone.call("0", true, RingingIn);
    phone.call("0", true, Active);
    phone.passes(30_000);
    phone.boot = "boot-2";
    phone.offset += i64::try_from(phone.now).unwrap() + 90_000;
    phone.now = 0;
    phone.killed_for(20_000);
    assert_eq!(phone.kept(), [(true, 0, 140, "unknown")]);
}

#[test]
fn a_call_before_the_clock_is_trusted_is_dated_and_counted_afterwards() {
    let mut phone = Phone::new();
    phone.trusted = false;
    phone.offset -= 56 * 365 * 86_400_000;
    phone.call("0", false, Dialing);
    phone.call("0", false, Active);
    phone.passes(61_000);
    phone.call("0", false, Terminated);
    phone.feed(Event::SmsSent { modem: home_modem().id, parts: 2, to: Some(NUMBER.to_owned()) });
    assert_eq!(phone.calls[&CallId(1)].began, None);
    assert_eq!((phone.kept()[0], phone.sms[&SmsId(1)].at), ((true, 61, 61, "seen"), None));
    phone.passes(10_000);
    phone.offset += 56 * 365 * 86_400_000;
    phone.trusted = true;
    phone.feed(Event::ClockChanged);
    let expected = Timestamp::from_millis(DAY * 1000 + 600_000);
    assert_eq!(phone.calls[&CallId(1)].began, Some(expected));
    assert_eq!(phone.made().seconds, 61);
    assert_eq!(phone.state.facts(&iccid()).unwrap().voice.sent.parts, 2);
}

#[test]
fn messages_are_counted_by_part_by_way_and_by_recipient() {
    let mut phone = Phone::new();
    let modem = home_modem().id;
    for (to, parts) in [("13800138000", 1), ("+8613800138000", 2), ("+8613800138001", 1), ("\u{202e}evil", 1)]
    {
        phone.feed(Event::SmsSent { modem: modem.clone(), parts, to: Some(to.to_owned()) });
    }
    phone.feed(Event::SmsFailed {
        modem: modem.clone(),
        parts: 3,
        to: Some("10086".to_owned()),
        unknown: false,
    });
    let mut abroad = modem_abroad();
    abroad.sim = home_modem().sim;
    phone.feed(Event::ModemSeen(Box::new(abroad)));
    phone.feed(Event::SmsSent { modem: modem.clone(), parts: 1, to: Some("10086".to_owned()) });
    let facts = phone.state.facts(&iccid()).unwrap();
    assert_eq!((facts.voice.sent.messages, facts.voice.sent.parts), (5, 6));
    assert_eq!((facts.voice.failed.messages, facts.voice.failed.parts), (1, 3));
    assert_eq!(facts.voice.sent_roaming.parts, 1);
    assert_eq!(facts.recipients, 3, "one of them by two spellings; what is no number is nobody");
    assert!(phone.sms.values().all(|sms| sms.party.as_deref().is_none_or(|party| !party.contains("13800"))));
}

fn modem_abroad() -> ModemView {
    modem(Registration::Roaming, false)
}

#[test]
fn a_message_of_unknown_outcome_that_leaves_after_all_is_one_message() {
    let mut phone = Phone::new();
    let modem = home_modem().id;
    let to = || Some("10086".to_owned());
    phone.feed(Event::SmsFailed { modem: modem.clone(), parts: 1, to: to(), unknown: true });
    phone.feed(Event::SmsFailed { modem: modem.clone(), parts: 2, to: to(), unknown: true });
    assert_eq!(phone.state.facts(&iccid()).unwrap().voice.unknown.messages, 2);
    phone.feed(Event::SmsSent { modem, parts: 1, to: to() });
    let voice = phone.state.facts(&iccid()).unwrap().voice;
    assert_eq!((voice.unknown.messages, voice.unknown.parts, voice.sent.messages), (1, 2, 1));
    let kept: Vec<SmsDirection> = phone.sms.values().map(|sms| sms.direction).collect();
    assert_eq!(kept, [SmsDirection::Sent, SmsDirection::Unknown]);
}

fn received(digest: &str, text: &str, timestamp: Option<&str>) -> Event {
    let sms = SmsView {
        number: "10086".to_owned(),
        text: text.to_owned(),
        timestamp: timestamp.map(str::to_owned),
        digest: digest.to_owned(),
    };
    Event::SmsReceived { modem: home_modem().id, sms }
}

#[test]
fn a_message_received_counts_once_however_often_it_is_shown_and_by_its_parts() {
    let mut phone = Phone::new();
    phone.feed(received("a", &"量".repeat(71), None));
    phone.feed(received("a", &"量".repeat(71), None));
    phone.feed(received("b", "short", None));
    let received_now = |phone: &Phone| phone.state.facts(&iccid()).unwrap().voice.received;
    assert_eq!((received_now(&phone).messages, received_now(&phone).parts), (2, 3));
    phone.killed_for(1_000);
    phone.feed(Event::ModemSeen(Box::new(home_modem())));
    phone.feed(received("a", &"量".repeat(71), None));
    assert_eq!(received_now(&phone).messages, 2);
    // One that lay in storage before the SIM was first seen here, and one that came while the service was dead.
    phone.feed(received("old", "x", Some("2020-03-01T12:30:00+08:00")));
    phone.now += 5 * 86_400_000;
    phone.feed(Event::WakeReached);
    phone.feed(received("late", "x", Some("2026-11-11T12:30:00+00:00")));
    assert_eq!(received_now(&phone).messages, 3);
    let late = phone.sms.values().find(|sms| sms.digest.as_deref() == Some("late")).unwrap();
    assert_eq!(
        (late.zone.clone(), late.at),
        (Zone::Unknown, Some(Timestamp::from_secs(DAY + 86_400 + 45_000)))
    );
}

#[test]
fn rules_are_asked_while_a_call_lasts_and_when_a_message_left() {
    let mut phone = Phone::new();
    phone.feed(Event::RulesLoaded(vec![rule("r", "usage", vec![])]));
    phone.passes(120_000);
    assert!(phone.passes(120_000).evaluate.is_empty());
    assert_eq!(phone.call("0", false, Dialing).evaluate.len(), 1);
    phone.call("0", false, Active);
    let asked = phone.passes(180_500).evaluate;
    assert_eq!(asked.len(), 3, "once a minute");
    let seen = asked[2].input.sim.as_ref().unwrap().voice.made.seconds;
    assert_eq!(seen, 180);
    assert_eq!(phone.call("0", false, Terminated).evaluate.len(), 1);
    let sent = phone.feed(Event::SmsSent { modem: home_modem().id, parts: 1, to: None });
    assert_eq!(sent.evaluate[0].input.sim.as_ref().unwrap().voice.sent.parts, 1);
}

#[test]
fn a_call_found_at_the_start_began_at_most_when_the_ledger_was_told_last() {
    let mut phone = Phone::new();
    phone.call("0", false, Dialing);
    phone.call("0", false, Terminated);
    phone.passes(1_000);
    phone.killed_for(40_000);
    phone.feed(Event::ModemSeen(Box::new(home_modem())));
    phone.listed(&[("5", false, Active)]);
    phone.passes(10_000);
    phone.call("5", false, Terminated);
    assert_eq!(phone.kept()[1], (true, 10, 51, "seen"));
}
