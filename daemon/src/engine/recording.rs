//! The last events, for a bug report: what happened, with nobody's identity in it.

use std::collections::{BTreeMap, VecDeque};

use serde::de::DeserializeOwned;
use simbell_core::event::{Event, Recorded, RuleResult};

/// So many events are kept, and as many bytes of them at most.
const KEPT: usize = 500;
const KEPT_BYTES: usize = 64 * 1024;

/// The last events, as they would be written: a value of the largest kind of event is several times as long, and all but
/// a few are never looked at.
#[derive(Debug, Default)]
pub(super) struct Recording {
    kept: VecDeque<Kept>,
    bytes: usize,
    /// The last event, where that is a reading: mostly another one takes its place, and it need not be written.
    last_reading: Option<Recorded>,
}

#[derive(Debug)]
struct Kept {
    reading: bool,
    json: Box<[u8]>,
}

impl Recording {
    pub(super) fn keep(&mut self, mut recorded: Recorded) {
        match &mut recorded.event {
            // Settings and rules are long, are on disk, and tell more of a person than a bug needs.
            Event::SettingsLoaded(_) | Event::RulesLoaded(_) | Event::LedgerReplaced { .. } => return,
            // Every rule is asked of every SIM again and again, and nearly all have nothing to say.
            Event::RulesEvaluated(results) => results.retain(says_something),
            _ => {}
        }
        // Of a run of readings the first and the last say it all: counters only grow, or the last shows that one fell.
        let reading = matches!(recorded.event, Event::LinksRead(_));
        if reading && self.last_reading.is_some() && self.kept.back().is_some_and(|kept| kept.reading) {
            self.last_reading = Some(recorded);
            return;
        }
        if let Some(before) = self.last_reading.take() {
            self.write(&before, true);
        }
        if reading {
            self.last_reading = Some(recorded);
        } else {
            self.write(&recorded, false);
        }
    }

    fn write(&mut self, recorded: &Recorded, reading: bool) {
        let Some(json) = written(recorded) else { return };
        self.bytes = self.bytes.saturating_add(json.len());
        self.kept.push_back(Kept { reading, json });
        // The newest stays, however long it is.
        while self.kept.len() > KEPT || self.bytes > KEPT_BYTES && self.kept.len() > 1 {
            if let Some(gone) = self.kept.pop_front() {
                self.bytes = self.bytes.saturating_sub(gone.json.len());
            }
        }
    }

    /// As JSON lines, pseudonymised.
    pub(super) fn lines(&self) -> Vec<String> {
        pseudonymised(self.events())
    }

    fn events<E: DeserializeOwned>(&self) -> impl Iterator<Item = E> {
        let last = self.last_reading.as_ref().and_then(written);
        let all = self.kept.iter().map(|kept| kept.json.clone()).chain(last);
        all.filter_map(|json| serde_json::from_slice(&json).ok())
    }
}

fn written(recorded: &Recorded) -> Option<Box<[u8]>> {
    // Copied: cut to its length, it would leave a hole behind it.
    serde_json::to_vec(recorded).ok().map(|json| json.as_slice().into())
}

fn says_something(result: &RuleResult) -> bool {
    !result.findings.is_empty()
        || !result.resolved.is_empty()
        || !result.actions.is_empty()
        || result.memory.is_some()
        || result.error.is_some()
}

/// Events as JSON lines in which every run of five digits or more, every text a stranger wrote and every
/// telephone number stands for itself no more: each gets a stand-in, the same one throughout.
fn pseudonymised(events: impl Iterator<Item = serde_json::Value>) -> Vec<String> {
    let mut names = Pseudonyms::default();
    events
        .map(|mut value| {
            names.replace(None, &mut value);
            value.to_string()
        })
        .collect()
}

#[derive(Default)]
struct Pseudonyms {
    known: BTreeMap<String, String>,
}

/// Members whose values a stranger or the owner wrote.
const FREE_TEXT: [&str; 12] = [
    "text",
    "number",
    "own_numbers",
    "reason",
    "author",
    "last_error",
    "error",
    "connection_error",
    "title",
    "sim_name",
    "iccid",
    "imsi",
];

/// Members that hold numbers and words of the program's own.
const PLAIN: [&str; 7] = ["event", "on", "state", "registration", "kind", "code", "name"];

impl Pseudonyms {
    fn replace(&mut self, member: Option<&str>, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => {
                let free = member.is_some_and(|m| FREE_TEXT.contains(&m));
                let plain = member.is_some_and(|m| PLAIN.contains(&m));
                if free {
                    *text = self.name("text", text);
                } else if !plain || long_digits(text) {
                    *text = self.without_digits(text);
                }
            }
            serde_json::Value::Array(items) => {
                for item in items {
                    self.replace(member, item);
                }
            }
            serde_json::Value::Object(members) => {
                let keys: Vec<String> = members.keys().cloned().collect();
                for key in keys {
                    if let Some(mut inner) = members.remove(&key) {
                        self.replace(Some(&key), &mut inner);
                        let key = if long_digits(&key) { self.without_digits(&key) } else { key };
                        members.insert(key, inner);
                    }
                }
            }
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
        }
    }

    fn name(&mut self, kind: &str, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let next = self.known.len();
        self.known.entry(text.to_owned()).or_insert_with(|| format!("<{kind} {next}>")).clone()
    }

    fn without_digits(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut digits = String::new();
        for c in text.chars().chain(std::iter::once('\0')) {
            if c.is_ascii_digit() {
                digits.push(c);
                continue;
            }
            if digits.len() >= 5 {
                let run = std::mem::take(&mut digits);
                out.push_str(&self.name("id", &run));
            } else {
                out.push_str(&std::mem::take(&mut digits));
            }
            if c != '\0' {
                out.push(c);
            }
        }
        out
    }
}

fn long_digits(text: &str) -> bool {
    let mut run = 0_u32;
    text.bytes().any(|b| {
        run = if b.is_ascii_digit() { run.saturating_add(1) } else { 0 };
        run >= 5
    })
}

#[cfg(test)]
mod tests {
    use simbell_core::ident::ModemId;
    use simbell_core::modem::SmsView;
    use simbell_core::time::{Stamp, Timestamp};
    use simbell_core::view::Trigger;

    use super::*;

    fn at(secs: i64) -> Stamp {
        Stamp { wall: Timestamp::from_secs(secs), boot_ms: 0, trusted: true }
    }

    fn kept(recording: &Recording) -> Vec<Recorded> {
        recording.events().collect()
    }

    #[test]
    fn of_a_run_of_readings_the_first_and_the_last_are_kept() {
        let mut recording = Recording::default();
        let readings =
            [Event::LinksRead(Vec::new()), Event::LinksRead(Vec::new()), Event::LinksRead(Vec::new())];
        let events = readings.clone().into_iter().chain([Event::ClockChanged]).chain(readings);
        for (secs, event) in (1..).zip(events) {
            recording.keep(Recorded { at: at(secs), event });
        }
        let at: Vec<i64> = kept(&recording).iter().map(|recorded| recorded.at.wall.as_secs()).collect();
        assert_eq!(at, [1, 3, 4, 5, 7]);
    }

    #[test]
    fn a_recording_is_bounded_in_events_and_in_bytes() {
        let mut recording = Recording::default();
        (0..600).for_each(|secs| recording.keep(Recorded { at: at(secs), event: Event::ClockChanged }));
        let first = kept(&recording).first().map(|recorded| recorded.at.wall.as_secs());
        assert_eq!((recording.kept.len(), first), (KEPT, Some(100)));
        let long = |length: usize| Event::UssdReceived {
            modem: ModemId::new("352999001761481").unwrap(),
            text: "x".repeat(length),
        };
        recording.keep(Recorded { at: at(600), event: long(KEPT_BYTES * 2) });
        assert_eq!(recording.kept.len(), 1, "the newest stays");
        (0..10).for_each(|_| recording.keep(Recorded { at: at(601), event: long(KEPT_BYTES / 4) }));
        assert_eq!(recording.kept.len(), 3);
        assert_eq!(recording.bytes, recording.kept.iter().map(|kept| kept.json.len()).sum::<usize>());
    }

    #[test]
    fn of_evaluations_only_what_was_said_is_kept() {
        let rule = |name: &str| simbell_core::ident::RuleName::new(name).unwrap();
        let quiet = RuleResult::nothing(rule("quiet"), Trigger::Health);
        let failed =
            RuleResult { error: Some("a".to_owned()), ..RuleResult::nothing(rule("bad"), Trigger::Health) };
        let mut recording = Recording::default();
        recording.keep(Recorded { at: at(1), event: Event::RulesEvaluated(vec![quiet, failed.clone()]) });
        assert_eq!(kept(&recording)[0].event, Event::RulesEvaluated(vec![failed]));
    }

    #[test]
    fn nobody_can_be_told_from_a_recording() {
        let event = Event::SmsReceived {
            modem: ModemId::new("352999001761481").unwrap(),
            sms: SmsView {
                number: "+491711234567".to_owned(),
                text: "Your code is 4711, love Ada".to_owned(),
                timestamp: None,
                digest: "abc".to_owned(),
            },
        };
        let at = Stamp { wall: Timestamp::from_secs(1_793_491_200), boot_ms: 5, trusted: true };
        let mut recording = Recording::default();
        recording.keep(Recorded { at, event: event.clone() });
        recording.keep(Recorded { at, event });
        let lines = recording.lines();
        for secret in ["352999001761481", "491711234567", "4711", "Ada"] {
            assert!(!lines.concat().contains(secret), "{secret} is in {lines:?}");
        }
        assert_eq!(lines[0], lines[1], "the same thing has the same stand-in");
        assert!(lines[0].contains("sms-received"));
    }
}
