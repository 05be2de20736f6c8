//! Channel plugins as installed: found in folders, and made into the script of a channel.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhai::Dynamic;

use super::hosts::Host;
use super::marks;
use super::script::{ChannelEngine, ChannelScript};
use crate::check::manifest;
use crate::limits::Limits;
use crate::lines::Trail;
use crate::manifest::{Declared, Manifest, PluginKind};
use crate::plugins::twins;
use crate::problem::Problem;
use crate::settings::{Kind, Raw, Settings};

/// One channel plugin.
#[derive(Debug, Clone)]
pub struct ChannelPlugin {
    dir: PathBuf,
    manifest: Manifest,
}

/// A setting of a channel plugin, as its manifest declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSetting<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it takes.
    pub kind: ChannelSettingKind,
    /// Whether the configuration has to give it.
    pub required: bool,
}

/// What a setting takes, as far as it matters to who reads the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelSettingKind {
    /// What the script never sees, only the sender.
    Secret,
    /// An address, which the script does not see either: what follows its host is often a secret.
    Url {
        /// Where the configuration gives none.
        default: Option<String>,
    },
    /// Anything else.
    Value,
}

/// A setting's value, as far as the script may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// It is there, and known to the sender.
    Sealed,
    /// As the configuration gives it.
    Value(serde_json::Value),
}

/// Every channel plugin in folders of plugins by name, those with a wrong manifest by the name of their folder. Each
/// plugin is a folder of its own in one of them or in its `channels`; of two of one name the later folder's is taken.
#[must_use]
pub fn channel_plugins(dirs: &[PathBuf]) -> BTreeMap<String, Result<ChannelPlugin, Vec<Problem>>> {
    let mut found = BTreeMap::new();
    for dir in dirs {
        let folders: Vec<PathBuf> = folders(dir).into_iter().chain(folders(&dir.join("channels"))).collect();
        let mut twins = twins(&folders);
        for dir in folders {
            let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let loaded = twins.remove(&dir).map_or_else(|| ChannelPlugin::load(&dir), |twin| Err(vec![twin]));
            match loaded {
                Ok(Some(plugin)) => {
                    found.insert(plugin.name().to_owned(), Ok(plugin));
                }
                Ok(None) => {}
                Err(problems) => {
                    found.insert(name, Err(problems));
                }
            }
        }
    }
    found
}

impl ChannelPlugin {
    /// Reads the manifest in a plugin's folder; none where it is another kind of plugin.
    ///
    /// # Errors
    /// Every problem of the manifest.
    pub fn load(dir: &Path) -> Result<Option<Self>, Vec<Problem>> {
        let manifest = manifest(dir)?;
        Ok((manifest.kind == PluginKind::Channel).then(|| Self { dir: dir.to_owned(), manifest }))
    }

    /// Its name, which is the `kind` of channels that go by it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where it may send to.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.manifest.hosts
    }

    /// The settings that it declares, in order of name.
    pub fn settings(&self) -> impl Iterator<Item = ChannelSetting<'_>> {
        self.manifest.settings.iter().map(|(name, declared)| {
            let kind = match declared.kind {
                Kind::Secret => ChannelSettingKind::Secret,
                Kind::Url => ChannelSettingKind::Url {
                    default: declared.default.clone().and_then(|url| url.into_string().ok()),
                },
                _ => ChannelSettingKind::Value,
            };
            ChannelSetting { name, kind, required: declared.default.is_none() && !declared.optional }
        })
    }

    /// Whether a value fits a setting.
    ///
    /// # Errors
    /// What is expected, in words.
    pub fn fits(&self, name: &str, value: &serde_json::Value) -> Result<(), String> {
        match self.manifest.settings.get(name) {
            Some(Declared { kind, list, .. }) => kind.value(&Raw::from(value), *list).map(drop),
            None => Err("nothing: there is no such setting".to_owned()),
        }
    }

    /// The script with a channel's settings; what is not given has its default, or is absent.
    #[must_use]
    pub fn script(&self, engine: &ChannelEngine, given: &BTreeMap<String, Given>) -> ChannelScript {
        ChannelScript::new(engine, &self.main(), &self.values(given))
    }

    /// The script with a channel's settings, whose lines tell a trail that they run.
    pub(crate) fn followed(
        &self,
        limits: &Limits,
        given: &BTreeMap<String, Given>,
        trail: &Arc<Trail>,
    ) -> ChannelScript {
        ChannelScript::followed(limits, &self.main(), &self.values(given), trail)
    }

    fn main(&self) -> PathBuf {
        self.dir.join("main.rhai")
    }

    fn values(&self, given: &BTreeMap<String, Given>) -> Settings {
        let values = self.manifest.settings.iter().map(|(name, declared)| {
            let value = match given.get(name) {
                Some(Given::Sealed) => Some(marks::setting(name).into()),
                // What does not fit was said when the configuration was read.
                Some(Given::Value(value)) => declared.kind.value(&Raw::from(value), declared.list).ok(),
                None if declared.kind == Kind::Url => {
                    declared.default.as_ref().map(|_| marks::setting(name).into())
                }
                None => declared.default.clone(),
            };
            (name.clone(), value.unwrap_or(Dynamic::UNIT))
        });
        Settings::new(values.collect())
    }

    /// Made-up values for every setting, to try the script with.
    pub(crate) fn made_up(&self) -> BTreeMap<String, Given> {
        let made_up = |(name, declared): (&String, &Declared)| {
            let value = match (declared.kind, &declared.default) {
                (Kind::Secret | Kind::Url, _) => Given::Sealed,
                (_, Some(_)) => return None,
                (Kind::Bool, _) => Given::Value(true.into()),
                (Kind::Int | Kind::Decimal | Kind::Percent, _) => Given::Value(1.into()),
                (Kind::Size, _) => Given::Value("1 GB".into()),
                (Kind::Span, _) => Given::Value("1 day".into()),
                (Kind::Money, _) => Given::Value("1 EUR".into()),
                (Kind::Text, _) => Given::Value("text".into()),
            };
            let value = match value {
                Given::Value(value) if declared.list => Given::Value(serde_json::Value::Array(vec![value])),
                value => value,
            };
            Some((name.clone(), value))
        };
        self.manifest.settings.iter().filter_map(made_up).collect()
    }
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    // A folder that cannot be read is told of by who loads the rules.
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let hidden =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| !hidden(path) && path.join("plugin.toml").is_file())
        .collect();
    found.sort();
    found
}
