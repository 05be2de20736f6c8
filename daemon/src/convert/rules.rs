//! Rules.

use simbell_api::Rule;
use simbell_core::plan::AnchorDay;
use simbell_core::schedule::Schedule;
use simbell_core::state::State;
use simbell_core::view::RuleDescription;

/// Every rule.
#[must_use]
pub fn rules(state: &State) -> Vec<Rule> {
    state.rules().map(|one| rule(state, one)).collect()
}

/// One rule.
#[must_use]
pub fn rule(state: &State, rule: &RuleDescription) -> Rule {
    Rule {
        name: rule.name.as_str().to_owned(),
        file: rule.file.clone(),
        plugin: rule.plugin,
        summary: rule.summary.clone(),
        triggers: rule.triggers.clone(),
        schedules: rule.schedules.iter().map(schedule_words).collect(),
        enabled: rule.problem.is_none(),
        problem: rule.problem.clone(),
        outdated: rule.outdated.clone(),
        suspended: rule.suspended,
        failures: state.failures(&rule.name),
        may: rule.may.iter().map(ToString::to_string).collect(),
        evaluations: state.times_asked(&rule.name),
    }
}

fn schedule_words(schedule: &Schedule) -> String {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    match schedule {
        Schedule::Every(seconds) => format!("every {seconds} s"),
        Schedule::Daily(at) => format!("daily at {at}"),
        Schedule::Weekly(day, at) => {
            let name = DAYS.get(usize::from(day.saturating_sub(1))).unwrap_or(&"?");
            format!("each {name} at {at}")
        }
        Schedule::Monthly(AnchorDay::Last, at) => format!("on the last day of each month at {at}"),
        Schedule::Monthly(AnchorDay::Day(day), at) => format!("on day {day} of each month at {at}"),
        Schedule::Cron(cron) => format!("cron {cron}"),
    }
}
