//! The last events, for a bug report: what happened, with nobody's identity in it.

use std::collections::{BTreeMap, VecDeque};

use simbell_core::event::{Event, Recorded};

/// So many events are kept.
const KEPT: usize = 500;

pub(super) fn keep(recording: &mut VecDeque<Recorded>, recorded: Recorded) {
    // Settings and rules are long, are on disk, and tell more of a person than a bug needs.
    if matches!(
        recorded.event,
        Event::SettingsLoaded(_) | Event::RulesLoaded(_) | Event::LedgerReplaced { .. }
    ) {
        return;
    }
    // Of a run of readings the first and the last say it all: counters only grow, or the last shows that one fell.
    let reading =
        |kept: Option<&Recorded>| kept.is_some_and(|kept| matches!(kept.event, Event::LinksRead(_)));
    let before = recording.len().checked_sub(2).and_then(|place| recording.get(place));
    if reading(Some(&recorded)) && reading(recording.back()) && reading(before) {
        recording.pop_back();
    }
    if recording.len() >= KEPT {
        recording.pop_front();
    }
    recording.push_back(recorded);
}

/// Writes events as JSON lines in which every run of five digits or more, every text a stranger wrote and every
/// telephone number stands for itself no more: each gets a stand-in, the same one throughout.
#[must_use]
pub fn pseudonymised(events: impl IntoIterator<Item = Recorded>) -> Vec<String> {
    let mut names = Pseudonyms::default();
    events
        .into_iter()
        .filter_map(|recorded| serde_json::to_value(&recorded).ok())
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

    use super::*;

    #[test]
    fn of_a_run_of_readings_the_first_and_the_last_are_kept() {
        let mut kept = VecDeque::new();
        let readings =
            [Event::LinksRead(Vec::new()), Event::LinksRead(Vec::new()), Event::LinksRead(Vec::new())];
        let events = readings.clone().into_iter().chain([Event::ClockChanged]).chain(readings);
        for (secs, event) in (1..).zip(events) {
            let at = Stamp { wall: Timestamp::from_secs(secs), boot_ms: 0, trusted: true };
            keep(&mut kept, Recorded { at, event });
        }
        let at: Vec<i64> = kept.iter().map(|recorded| recorded.at.wall.as_secs()).collect();
        assert_eq!(at, [1, 3, 4, 5, 7]);
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
        let lines = pseudonymised([Recorded { at, event: event.clone() }, Recorded { at, event }]);
        for secret in ["352999001761481", "491711234567", "4711", "Ada"] {
            assert!(!lines.concat().contains(secret), "{secret} is in {lines:?}");
        }
        assert_eq!(lines[0], lines[1], "the same thing has the same stand-in");
        assert!(lines[0].contains("sms-received"));
    }
}
