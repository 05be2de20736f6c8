//! A story's timeline as whoever reads of a failure sees it.

use simbell_core::bytes::Bytes;
use simbell_core::reminder::Urgency;
use simbell_core::time::Timestamp;

use super::story::Story;
use crate::rehearsal::{Happening, Moment, Saying};
use crate::text::harmless;

/// So many of the latest moments are shown.
const MOST: usize = 20;

/// So many characters of a text.
const MOST_TEXT: usize = 100;

pub(super) const fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Info => "info",
        Urgency::Warning => "warning",
        Urgency::Critical => "critical",
    }
}

impl Story {
    /// Local time, to the minute; to the second where that is not a whole one.
    pub(super) fn shown(&self, at: Timestamp) -> String {
        let civil = self.zone().civil(at);
        let form = if at.as_secs() % 60 == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
        civil.format(form).to_string()
    }

    /// Everything that happened and what each SIM used, the latest of it.
    pub(super) fn happened(&self) -> Vec<String> {
        let told: Vec<&Moment> =
            self.timeline().iter().filter(|moment| !matches!(moment.what, Happening::Reworded(_))).collect();
        let mut lines = Vec::new();
        let left_out = told.len().saturating_sub(MOST);
        if left_out > 0 {
            lines.push(format!("({left_out} earlier left out)"));
        }
        lines.extend(told.iter().skip(left_out).map(|moment| self.line(moment)));
        if told.is_empty() {
            lines.push("nothing: the rule raised nothing".to_owned());
        }
        lines.push(format!("the clock shows {}", self.shown(self.now())));
        for sim in self.all_sims() {
            let Some(facts) = self.facts(&sim.iccid) else { continue };
            let used = Bytes(facts.used_bytes);
            let of = facts.allowance_bytes.map(|all| format!(" of {}", Bytes(all))).unwrap_or_default();
            let roams = if facts.roaming == Some(true) { ", roaming" } else { "" };
            let there = if facts.active { "" } else { ", in no modem" };
            lines.push(format!("{}: {used}{of} used{roams}{there}", sim.name));
        }
        lines
    }

    /// One moment in one line.
    pub(super) fn line(&self, moment: &Moment) -> String {
        let sim = self.sim_name(moment.sim.as_ref()).map(|name| format!(" ({name})")).unwrap_or_default();
        let key = moment.own_key().unwrap_or_default();
        let said = |how: &str, saying: &Saying| {
            let text = harmless(&saying.text, MOST_TEXT).replace('\n', " ");
            let late = saying.late.map(|_| " late").unwrap_or_default();
            format!("{how}{late} {key}{sim} [{}]: {text}", urgency(saying.urgency))
        };
        let what = match &moment.what {
            Happening::Said(saying) => said("said", saying),
            Happening::Held(saying) => said("held back", saying),
            Happening::Reworded(saying) => said("reworded", saying),
            Happening::Acknowledged(_) => format!("acknowledged {key}{sim}"),
            Happening::Snoozed(_, until) => format!("put off {key}{sim} until {}", self.shown(*until)),
            Happening::Resolved(_) => format!("resolved {key}{sim}"),
            Happening::Acted(record) => {
                let what = harmless(&format!("{:?}", record.action), MOST_TEXT);
                let refused = record.state == simbell_core::action::ActionState::Refused;
                format!("{} {key}{sim}: {what}", if refused { "was refused" } else { "wanted" })
            }
            Happening::Failed(error) => {
                format!("failed: {}", harmless(error.lines().next().unwrap_or_default(), 200))
            }
        };
        format!("{}  {what}", self.shown(moment.at))
    }
}
