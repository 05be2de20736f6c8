//! A channel's script tried on made-up messages and answers.

use std::path::Path;

use simbell_core::reminder::{Message, Urgency};
use simbell_core::request::{HttpAnswer, HttpRequest, Piece, Sealed};
use simbell_core::time::Timestamp;

use super::hosts::Host;
use super::plugin::{ChannelPlugin, ChannelSettingKind};
use super::script::{ChannelEngine, ChannelScript};
use crate::files::read_again;
use crate::limits::Limits;
use crate::problem::{Code, Problem, Source};

/// What keeps the script of a plugin from running, and what fails on made-up messages and answers.
pub(crate) fn check(plugin: &ChannelPlugin, limits: &Limits) -> Vec<Problem> {
    let script = plugin.script(&ChannelEngine::new(limits), &plugin.made_up());
    if let Some(problem) = script.problem() {
        return vec![problem.clone()];
    }
    let mut problems: Vec<Problem> = Vec::new();
    let mut add = |problem: Problem| {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    };
    for message in messages() {
        match script.request(&message, message.raised_at) {
            Ok(request) => problem_of(plugin, &script, &request).map(&mut add).unwrap_or_default(),
            Err(problem) => add(excerpted(problem).warning()),
        }
    }
    for (status, body) in [(200, "{}"), (200, "<html>"), (200, ""), (400, "{\"error\":\"no\"}"), (503, "")] {
        let answer = HttpAnswer { status, body: body.to_owned() };
        if let Err(problem) = script.judge(&answer) {
            add(excerpted(problem).warning());
        }
    }
    problems
}

/// What is wrong with where a request goes.
fn problem_of(plugin: &ChannelPlugin, script: &ChannelScript, request: &HttpRequest) -> Option<Problem> {
    let main = read_again(Path::new(script.file()));
    let source = Source { file: script.file(), text: main.as_deref() };
    let code = main.as_deref().map(Code::of);
    let sending = code.as_ref().and_then(|code| code.function("send"));
    let wrong = |message: String| Some(source.problem(sending, message));
    match request.url.first() {
        Some(Piece::Text(text)) => {
            let Some(rest) = text.strip_prefix("https://") else {
                return wrong("the address of the request does not begin with https://".to_owned());
            };
            let Some(end) = rest.find(['/', '?']) else {
                return (request.url.len() > 1).then(|| {
                    source.problem(
                        sending,
                        "the host of the request is not written out: no secret stands in it",
                    )
                });
            };
            let host = rest.get(..end).unwrap_or_default();
            let named = host.parse::<Host>().is_ok_and(|host| plugin.hosts().contains(&host));
            let hint = format!("add it there: hosts = [\"{host}\"]");
            (!named).then(|| {
                let message = format!("the request goes to `{host}`, which is not in `hosts` of plugin.toml");
                // Where it is written, in code rather than a comment; else where the request is made.
                let written = main.iter().flat_map(|main| main.match_indices(host));
                let mut written = written.filter_map(|(offset, _)| source.offset(offset));
                let in_code = |(line, _): &(usize, usize)| {
                    code.as_ref().is_some_and(|code| code.line(*line).iter().any(|c| ['"', '`'].contains(c)))
                };
                let at = written.find(in_code).or(sending);
                source.problem(at, message).hint(hint)
            })
        }
        Some(Piece::Sealed(Sealed::Setting(name))) => {
            let is_url = plugin.settings().any(|setting| {
                setting.name == name && matches!(setting.kind, ChannelSettingKind::Url { .. })
            });
            (!is_url).then(|| {
                let message = format!(
                    "the address of the request begins with `{name}`, which is no setting of type \"url\""
                );
                source.problem(sending, message)
            })
        }
        _ => wrong("the request has no address".to_owned()),
    }
}

fn excerpted(mut problem: Problem) -> Problem {
    if let (Some(text), Some((line, _))) = (read_again(Path::new(&problem.file)), problem.at) {
        let source = Source { file: &problem.file, text: Some(&text) };
        problem.excerpt = source.problem(problem.at, "").excerpt;
        debug_assert!(line > 0);
    }
    problem
}

fn messages() -> Vec<Message> {
    let message = Message {
        title: "SIM home: 80% used".to_owned(),
        text: "home: 80% of the data used.\n流量已用 80%。 \"quoted\" & <b>".to_owned(),
        urgency: Urgency::Warning,
        key: "data-thresholds/80/8949".to_owned(),
        sim_name: Some("home".to_owned()),
        raised_at: Timestamp::from_secs(1_795_327_500),
        id: "data-thresholds/80/8949#1/phone".to_owned(),
        language: "en".to_owned(),
    };
    let bare = Message {
        title: String::new(),
        text: "x".repeat(4_000),
        urgency: Urgency::Info,
        sim_name: None,
        ..message.clone()
    };
    vec![Message { urgency: Urgency::Critical, ..message.clone() }, message, bare]
}
