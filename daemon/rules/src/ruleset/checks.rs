//! What the configuration asks for and no rule, plugin, folder or channel is there for.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use simbell_core::ident::{ChannelName, RuleName};

use super::{LANGUAGE, LoadOptions, RuleSet};
use crate::files::read_again;
use crate::problem::{Problem, Source, nearest};
use crate::text::short;
use crate::texts::speaks;

impl RuleSet {
    /// A language that nothing is written in gives another one, which nobody asked for.
    pub(super) fn check_language(&mut self, options: &LoadOptions) {
        let wanted = options.language.as_str();
        let known = &self.languages;
        if wanted.is_empty() || known.is_empty() || known.iter().any(|known| speaks(known, wanted)) {
            return;
        }
        let all: Vec<String> = known.iter().take(20).map(|known| short(known)).collect();
        let wanted = short(wanted);
        let message =
            format!("`language` is \"{wanted}\", and no rule has texts in it: they are said in English");
        let place = options.texts_dir.as_deref().unwrap_or(Path::new("/etc/simbell/texts"));
        let hint = format!(
            "there are: {}; another is added as {wanted}.ftl in {}/NAME, for the rule NAME",
            all.join(", "),
            place.display()
        );
        let source = Source { file: LANGUAGE, text: None };
        self.problems.push(source.problem(None, message).hint(hint).warning());
    }

    /// A folder that the configuration names and that is not there has nothing in it, which nobody meant.
    pub(super) fn check_folders(&mut self, options: &LoadOptions) {
        for (key, dir) in &options.named_dirs {
            let wrong = match fs::metadata(dir) {
                Ok(found) if found.is_dir() => continue,
                Ok(_) => "is no folder",
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is not there",
                // Told as it is read.
                Err(_) => continue,
            };
            let shown = dir.display();
            let message = format!("the folder {shown} {wrong}: nothing that should be in it runs");
            let hint = format!(
                "make it, mend the path (a relative one begins at its file), or take it out of {key}"
            );
            let problem = Source { file: key, text: None }.problem(None, message).hint(hint).warning();
            self.problems.push(problem.clone());
            self.missing.insert(dir.clone(), problem);
        }
    }

    /// Channels that rules name in their texts and that the configuration does not have.
    pub(super) fn check_channels(&mut self, options: &LoadOptions) {
        let Some(known) = &options.channels else { return };
        let mut found = Vec::new();
        for rule in self.rules.values() {
            let Some(compiled) = rule.compiled.as_ref().filter(|compiled| !compiled.channels.is_empty())
            else {
                continue;
            };
            // The text is not kept in memory; where the file is wrong now, places in it mean nothing.
            let text = if rule.description.outdated.is_some() { None } else { read_again(&rule.path) };
            let source = Source { file: &rule.description.file, text: text.as_deref() };
            found.extend(unknown_channels(&source, &compiled.channels, known));
        }
        self.problems.extend(found.iter().cloned());
        self.channels = found;
    }

    pub(super) fn check_names(&mut self, options: &LoadOptions) {
        let known: Vec<String> = self
            .rules
            .keys()
            .map(RuleName::to_string)
            .chain(self.idle.iter().map(|idle| idle.name.to_string()))
            .chain(self.plugins.keys().cloned())
            .collect();
        let lists = options.enabled.iter().chain(&options.disabled);
        let named: BTreeSet<&String> =
            lists.chain(options.settings.keys()).chain(options.allowed.keys()).collect();
        for name in named.into_iter().filter(|name| !known.contains(name)) {
            let hint = nearest(name, &known).map(|near| format!("did you mean `{near}`?"));
            let keys = ["plugins", "rules.allow", "rules.disabled"].map(|key| format!("{key}.{name}"));
            let stands = keys.iter().find_map(|key| Some((key, options.places.get(key)?)));
            let problem = match stands {
                Some((key, place)) => {
                    let key = if key.starts_with("rules.disabled.") { "rules.disabled" } else { key };
                    let message = format!("{}: there is no rule and no plugin `{}`", short(key), short(name));
                    Source { file: place, text: None }.problem(None, message)
                }
                None => {
                    let message = format!(
                        "the configuration names `{}`, and no rule and no plugin is called so",
                        short(name)
                    );
                    Source { file: "rules", text: None }.problem(None, message)
                }
            };
            let problem = problem.hint(hint);
            self.problems.push(problem.clone());
            self.unknown.insert(name.clone(), problem);
        }
    }
}

/// Each channel that a rule's text names and that is not there, once.
pub(crate) fn unknown_channels(
    source: &Source<'_>,
    named: &[((usize, usize), ChannelName)],
    known: &[String],
) -> Vec<Problem> {
    let mut told: BTreeSet<&ChannelName> = BTreeSet::new();
    let mut problems = Vec::new();
    for (at, name) in named {
        if known.iter().any(|known| known == name.as_str()) || !told.insert(name) {
            continue;
        }
        let message = format!("there is no channel `{name}` in the configuration");
        let hint = match nearest(name.as_str(), known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}; another is added as [channels.{name}]", known.join(", ")),
        };
        problems
            .push(source.problem(Some(*at).filter(|_| source.text.is_some()), message).hint(hint).warning());
    }
    problems
}
