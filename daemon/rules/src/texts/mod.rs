//! A rule's texts by language: Fluent files beside it, and those that the owner adds.
//!
//! `texts/LANGUAGE.ftl` in the plugin's folder comes first; a file of that name under the owner's own folder adds to it
//! and stands in for its messages. What a message needs is known once it is loaded, so that nothing is found out by
//! saying it: the messages it refers to, how deep, and which values it takes.

mod calls;
mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

pub(crate) use calls::check_calls;

use crate::files::read;
use crate::limits::Limits;
use crate::problem::{Problem, Source, nearest};
use crate::text::short;
use file::{Needs, TextFile};

/// Languages of one rule.
const MOST_LANGUAGES: usize = 32;
/// What every chain of languages ends with.
const LAST_LANGUAGE: &str = "en";

/// The texts of one rule. Boxed: a map has room for eleven languages, however few there are.
#[derive(Clone, Default)]
pub(crate) struct Texts(Option<Arc<BTreeMap<String, Box<Spoken>>>>, u64);

/// The texts of one language.
struct Spoken {
    bundle: FluentBundle<FluentResource>,
    /// What each message needs, by its name.
    needs: BTreeMap<String, BTreeSet<String>>,
}

/// Where texts are read from, and which of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// The plugin's own folder of texts.
    pub(crate) own: Option<&'a Path>,
    /// The owner's folder for this rule.
    pub(crate) added: Option<&'a Path>,
    /// The only language that is wanted, with those that stand in for it; every one where empty.
    pub(crate) language: &'a str,
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.languages()).finish()
    }
}

impl Texts {
    /// Reads texts. What is wrong with the plugin's own is an error; what is wrong with an added file leaves that file
    /// out, and is told beside the texts.
    ///
    /// # Errors
    /// Every problem of the plugin's own files.
    pub(crate) fn load(places: &Places<'_>, limits: &Limits) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let mut problems = Vec::new();
        let own =
            places.own.map(|dir| files(dir, places.language, limits, &mut problems)).unwrap_or_default();
        if !problems.is_empty() {
            return Err(problems);
        }
        // What is in a bundle cannot be taken out, and an added file may turn out to be wrong.
        let below: BTreeMap<String, (String, String)> = own
            .iter()
            .filter(|_| places.added.is_some())
            .map(|(language, file)| {
                (language.clone(), (file.name.clone(), file.resource.source().to_owned()))
            })
            .collect();
        let mut spoken = BTreeMap::new();
        let mut digest = DefaultHasher::new();
        for (language, file) in own {
            (&language, file.resource.source()).hash(&mut digest);
            match Spoken::of(&language, vec![file]) {
                Ok(one) => {
                    spoken.insert(language, Box::new(one));
                }
                Err(wrong) => problems.extend(wrong),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let added =
            places.added.map(|dir| files(dir, places.language, limits, &mut problems)).unwrap_or_default();
        for (language, file) in added {
            (&language, file.resource.source()).hash(&mut digest);
            let below = below
                .get(&language)
                .and_then(|(name, text)| TextFile::parsed(name.clone(), text.clone()).ok());
            match Spoken::of(&language, below.into_iter().chain([file]).collect()) {
                Ok(one) => {
                    spoken.insert(language, Box::new(one));
                }
                Err(wrong) => problems.extend(wrong),
            }
        }
        let digest = digest.finish();
        let texts = if spoken.is_empty() { Self(None, digest) } else { Self(Some(Arc::new(spoken)), digest) };
        Ok((texts, problems))
    }

    /// Tells versions apart.
    pub(crate) const fn digest(&self) -> u64 {
        self.1
    }

    /// Languages that there are texts in.
    pub(crate) fn languages(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|spoken| spoken.keys().map(String::as_str))
    }

    /// Messages of a language.
    pub(crate) fn messages(&self, language: &str) -> BTreeSet<&str> {
        let spoken = self.0.as_ref().and_then(|spoken| spoken.get(language));
        spoken.iter().flat_map(|spoken| spoken.needs.keys().map(String::as_str)).collect()
    }

    /// The values that a message takes in a language; none where it is not there.
    pub(crate) fn needs(&self, language: &str, message: &str) -> Option<&BTreeSet<String>> {
        self.0.as_ref()?.get(language)?.needs.get(message)
    }

    /// The message in `language`, or in the language that stands in for it.
    ///
    /// # Errors
    /// Why it cannot be said, in words.
    pub(crate) fn say(&self, language: &str, message: &str, args: &FluentArgs<'_>) -> Result<String, String> {
        let Some(all) = self.0.as_ref() else {
            return Err("this rule has no texts: they are in texts/en.ftl beside main.rhai, or in \
                        texts/NAME/en.ftl beside rules.d"
                .to_owned());
        };
        let mut wrong = None;
        for language in chain(language) {
            let spoken = all.iter().find(|(name, _)| name.eq_ignore_ascii_case(&language));
            match spoken.and_then(|(name, spoken)| spoken.say(name, message, args)) {
                Some(Ok(text)) => return Ok(text),
                Some(Err(error)) => wrong = Some(error),
                None => {}
            }
        }
        // As with a map of languages: any is better than none.
        let other = all.iter().find_map(|(name, spoken)| spoken.say(name, message, args)?.ok());
        match (other, wrong) {
            (Some(text), None) => Ok(text),
            (_, Some(wrong)) => Err(wrong),
            (None, None) => Err(unknown(message, all.values().flat_map(|spoken| spoken.needs.keys()))),
        }
    }
}

impl Spoken {
    /// Later files stand in for earlier ones, message by message.
    fn of(language: &str, files: Vec<TextFile>) -> Result<Self, Vec<Problem>> {
        let mut needs = Needs::default();
        for file in &files {
            needs.take(file);
        }
        let needs = needs.settled()?;
        let Ok(id) = language.parse::<LanguageIdentifier>() else {
            let file = files.last().map(|file| file.name.clone()).unwrap_or_default();
            let message =
                format!("`{}` is no language: a file is named as en.ftl or pt-BR.ftl", short(language));
            return Err(vec![Source { file: &file, text: None }.problem(None, message)]);
        };
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        // Isolating marks are for mixed directions on a screen; messages and terminals show them as boxes, and text from
        // elsewhere has lost its own marks before.
        bundle.set_use_isolating(false);
        for file in files {
            bundle.add_resource_overriding(file.resource);
        }
        Ok(Self { bundle, needs })
    }

    fn say(&self, language: &str, message: &str, args: &FluentArgs<'_>) -> Option<Result<String, String>> {
        let needs = self.needs.get(message)?;
        if let Some(missing) = needs.iter().find(|name| args.get(name.as_str()).is_none()) {
            return Some(Err(format!(
                "the message `{message}` ({language}.ftl) needs `{missing}`, which is not given: text(\"{message}\", \
                 #{{ {missing}: … }})"
            )));
        }
        let found = self.bundle.get_message(message)?;
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(found.value()?, Some(args), &mut errors).into_owned();
        Some(match errors.first() {
            None => Ok(text),
            Some(error) => Err(format!("the message `{message}` ({language}.ftl) cannot be said: {error}")),
        })
    }
}

/// A language, the same without its region, and the last one of all.
fn chain(language: &str) -> Vec<String> {
    let whole = language.replace('_', "-");
    let primary = whole.split('-').next().unwrap_or_default().to_owned();
    let mut chain = vec![whole, primary, LAST_LANGUAGE.to_owned()];
    chain.dedup();
    chain
}

/// Whether texts in `language` are said where `wanted` is asked for, and not only for want of better ones.
pub(crate) fn speaks(language: &str, wanted: &str) -> bool {
    let whole = wanted.replace('_', "-");
    let primary = whole.split('-').next().unwrap_or_default();
    [whole.as_str(), primary].into_iter().any(|one| one.eq_ignore_ascii_case(language))
}

/// The languages that a folder of texts has files in, in no order.
pub(crate) fn languages_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "ftl"));
    let stem = |path: std::path::PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    paths.filter_map(stem).take(MOST_LANGUAGES).collect()
}

fn unknown<'a>(message: &str, known: impl Iterator<Item = &'a String>) -> String {
    let hint = nearest(message, known).map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
    format!("there is no message `{}` in the texts of this rule{hint}", short(message))
}

/// The files of a folder by their language; a folder that is not there has none.
fn files(dir: &Path, wanted: &str, limits: &Limits, problems: &mut Vec<Problem>) -> Vec<(String, TextFile)> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ftl"))
        .collect();
    paths.sort();
    if paths.len() > MOST_LANGUAGES {
        let shown = dir.display().to_string();
        let message = format!("there are more than {MOST_LANGUAGES} languages here");
        problems.push(Source { file: &shown, text: None }.problem(None, message));
        return Vec::new();
    }
    let chain = chain(wanted);
    let mut found = Vec::new();
    for path in paths {
        let language = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if !wanted.is_empty() && !chain.iter().any(|one| one.eq_ignore_ascii_case(&language)) {
            continue;
        }
        match TextFile::read(&path, limits) {
            Ok(file) => found.push((language, file)),
            Err(wrong) => problems.extend(wrong),
        }
    }
    found
}

/// What is uneven between languages: a message that one of them lacks, or that takes something else there.
pub(crate) fn uneven(texts: &Texts, dir: &Path) -> Vec<Problem> {
    let Some(reference) =
        texts.languages().find(|name| *name == LAST_LANGUAGE).or_else(|| texts.languages().next())
    else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    for language in texts.languages().filter(|name| *name != reference) {
        let file = dir.join(format!("{language}.ftl")).display().to_string();
        let source = Source { file: &file, text: None };
        let (here, there) = (texts.messages(language), texts.messages(reference));
        for missing in there.difference(&here) {
            let message = format!("the message `{missing}` of {reference}.ftl is missing here");
            problems.push(source.problem(None, message).warning());
        }
        for spare in here.difference(&there) {
            let message = format!("the message `{spare}` is not in {reference}.ftl");
            let hint = nearest(spare, there.iter()).map(|near| format!("did you mean `{near}`?"));
            problems.push(source.problem(None, message).hint(hint).warning());
        }
        for message in here.intersection(&there) {
            let (Some(ours), Some(theirs)) =
                (texts.needs(language, message), texts.needs(reference, message))
            else {
                continue;
            };
            for spare in ours.difference(theirs) {
                let hint = nearest(spare, theirs.iter()).map(|near| format!("did you mean `${near}`?"));
                let said =
                    format!("the message `{message}` takes `${spare}` here, and not in {reference}.ftl");
                problems.push(source.problem(None, said).hint(hint));
            }
        }
    }
    problems
}

/// Texts of one file that need not be there.
pub(crate) fn read_text(path: &Path, limits: &Limits) -> Result<String, Problem> {
    read(path, limits).map_err(|error| {
        let shown = path.display().to_string();
        Source { file: &shown, text: None }.problem(None, error)
    })
}
