//! What is known of each plugin, whether or not it runs: what it asks for, what was approved of that, and why it is on or
//! off.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use simbell_core::plugin::{PluginDecided, PluginPlace};

use crate::check::manifest;
use crate::manifest::{Manifest, PluginKind};
use crate::problem::{Problem, Source};
use crate::ruleset::LoadOptions;
use crate::settings::{CHANNEL_KINDS, KINDS, Kind, Raw};
use crate::text::harmless;

/// A plugin as found in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// Its name: that of its manifest, or of its folder where the manifest is wrong.
    pub name: String,
    /// What it is for; none where the manifest is wrong.
    pub kind: Option<PluginKind>,
    /// Its folder.
    pub dir: PathBuf,
    /// Whose folder that is in.
    pub place: PluginPlace,
    /// What it does, in the language of texts.
    pub description: String,
    /// Languages that its manifest names.
    pub languages: Vec<String>,
    /// Whether it may run: a rule is asked, a channel can be made of it.
    pub enabled: bool,
    /// Who decided that.
    pub decided: Decided,
    /// Whether a channel of the configuration goes by it.
    pub used: bool,
    /// What it may ask for.
    pub permissions: Vec<PluginPermission>,
    /// What can be set.
    pub settings: Vec<PluginSetting>,
    /// What is wrong with its manifest.
    pub problem: Option<String>,
    /// Whether what it asks for was never looked at, and counts as approved since the configuration names it.
    pub first_seen: bool,
    /// Whether what holds of it was decided before it was kept about which place.
    pub unplaced: bool,
}

/// Who decided whether a plugin runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// Nobody: it does as its manifest says.
    Manifest,
    /// The configuration, which outranks everybody else.
    Configuration,
    /// Somebody, by the control socket.
    Person,
    /// Nobody yet: what is copied into the owner's folder waits to be enabled.
    Nobody,
}

/// One thing that a plugin may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginPermission {
    /// As the manifest names it: `send-sms`, `host:api.example.org`.
    pub name: String,
    /// Whether it was approved.
    pub approved: bool,
    /// Whether the configuration allows it; hosts need no more than to be approved.
    pub allowed: bool,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSetting {
    /// Its name.
    pub name: String,
    /// Its type as the manifest names it.
    pub kind: &'static str,
    /// Whether it is a list of these.
    pub list: bool,
    /// One line.
    pub description: String,
    /// As the manifest gives it; none of a secret, and of what every channel has to be given.
    pub default: Option<String>,
    /// The value that the configuration gives; none where it gives none, and of a secret.
    pub configured: Option<String>,
    /// Whether it is a secret: what it is, nobody is told.
    pub secret: bool,
}

impl Decided {
    /// As the control protocol names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Configuration => "configuration",
            Self::Person => "person",
            Self::Nobody => "nobody",
        }
    }
}

impl Plugin {
    /// Permissions that wait for somebody to approve them.
    pub fn waiting(&self) -> impl Iterator<Item = &str> {
        self.permissions.iter().filter(|one| !one.approved).map(|one| one.name.as_str())
    }

    /// Every permission that it asks for.
    #[must_use]
    pub fn asks_for(&self) -> BTreeSet<String> {
        self.permissions.iter().map(|one| one.name.clone()).collect()
    }

    /// Whether it only lies there: of one that runs under its name already, that one runs on.
    pub(crate) fn is_for_later(&self) -> bool {
        !self.enabled && self.decided == Decided::Nobody && self.place == PluginPlace::Owner
    }

    pub(crate) fn broken(dir: &Path, problem: String, options: &LoadOptions) -> Self {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let place = place_of(dir, options);
        let standing = options.standings.get(&name).map(|decided| decided.at(place)).unwrap_or_default();
        let configured = [&options.disabled, &options.enabled, &options.used];
        Self {
            decided: if configured.iter().any(|list| list.contains(&name)) {
                Decided::Configuration
            } else if standing.enabled.is_some() {
                Decided::Person
            } else {
                Decided::Nobody
            },
            name: harmless(&name, 64),
            kind: None,
            dir: dir.to_owned(),
            place,
            description: String::new(),
            languages: Vec::new(),
            enabled: false,
            permissions: Vec::new(),
            settings: Vec::new(),
            problem: Some(problem),
            used: false,
            first_seen: false,
            unplaced: false,
        }
    }

    pub(crate) fn of(manifest: &Manifest, dir: &Path, options: &LoadOptions) -> Self {
        let name = manifest.name.as_str();
        let listed = |list: &[String]| list.iter().any(|named| named == name);
        // A kind of channel that the service has itself may be called like a plugin, too.
        let used = manifest.kind == PluginKind::Channel && listed(&options.used);
        let place = place_of(dir, options);
        let decided_of = options.standings.get(name);
        // What was decided about another plugin of this name is no word about this one.
        let standing = decided_of.map(|decided| decided.at(place)).unwrap_or_default();
        let (enabled, decided) = if listed(&options.disabled) {
            (false, Decided::Configuration)
        } else if listed(&options.enabled) || used {
            (true, Decided::Configuration)
        } else if let Some(enabled) = standing.enabled {
            (enabled, Decided::Person)
        } else if place == PluginPlace::Owner {
            (false, Decided::Nobody)
        } else {
            (manifest.enabled, Decided::Manifest)
        };
        let named = listed(&options.enabled)
            || used
            || options.allowed.get(name).is_some_and(|allowed| !allowed.is_empty());
        // Nothing asked for counts, too: what is asked for later is then more than was approved.
        let first_seen = named && !decided_of.is_some_and(PluginDecided::was_looked_at);
        let actions = |permission: &str| {
            let allowed = options.allowed.get(name).map(Vec::as_slice).unwrap_or_default();
            permission.starts_with("host:") || allowed.iter().any(|one| one.as_str() == permission)
        };
        let permissions = manifest.permission_names().into_iter().map(|permission| PluginPermission {
            approved: first_seen
                || standing.approved.as_ref().is_some_and(|approved| approved.contains(&permission)),
            allowed: actions(&permission),
            name: permission,
        });
        Self {
            name: name.to_owned(),
            kind: Some(manifest.kind),
            dir: dir.to_owned(),
            place,
            description: harmless(&manifest.summary(&options.language), 200),
            languages: manifest.languages.clone(),
            enabled: enabled && manifest.kind != PluginKind::Carrier,
            decided,
            used,
            permissions: permissions.collect(),
            settings: settings(manifest, options),
            problem: None,
            first_seen,
            unplaced: decided_of.is_some_and(PluginDecided::is_unplaced),
        }
    }
}

/// Of folders that hold plugins of one name, those that are not taken, and why. A decision is about a plugin by its name: it
/// is meant for the one whose folder is called so, and a copy under another name inherits nothing. Where none is, nobody
/// says which is meant.
pub(crate) fn twins(folders: &[PathBuf]) -> BTreeMap<PathBuf, Problem> {
    let mut by_name: BTreeMap<String, Vec<&PathBuf>> = BTreeMap::new();
    for folder in folders {
        if let Ok(manifest) = manifest(folder) {
            by_name.entry(manifest.name).or_default().push(folder);
        }
    }
    let mut refused = BTreeMap::new();
    for (name, folders) in by_name {
        let truly: BTreeSet<_> = folders.iter().map(|folder| folder.canonicalize().ok()).collect();
        if truly.len() < 2 {
            continue;
        }
        let called_so = |folder: &&&PathBuf| folder.file_name().is_some_and(|own| *own == *name.as_str());
        let meant = folders.iter().rfind(called_so).copied();
        for folder in folders.iter().copied().filter(|folder| Some(*folder) != meant) {
            let other = meant.or_else(|| folders.iter().copied().find(|other| *other != folder));
            let other = other.map(|other| other.display().to_string()).unwrap_or_default();
            let file = folder.join("plugin.toml").display().to_string();
            let problem = Source { file: &file, text: None }
                .problem(None, format!("the plugin in {other} is called `{name}`, too"))
                .hint("take one of them away, or give it a name of its own".to_owned());
            refused.insert(folder.clone(), problem);
        }
    }
    refused
}

/// Whose folder a plugin lies in. The folder that holds it counts as it is written and as it is in truth: the owner's may
/// be a link, and so may be a folder in it.
fn place_of(dir: &Path, options: &LoadOptions) -> PluginPlace {
    let holder = dir.parent().and_then(|parent| parent.canonicalize().ok());
    let within = |owner: &PathBuf| {
        let resolved = owner.canonicalize().ok();
        dir.starts_with(owner)
            || resolved.zip(holder.as_ref()).is_some_and(|(owner, holder)| holder.starts_with(owner))
    };
    if options.owner_dirs.iter().any(within) { PluginPlace::Owner } else { PluginPlace::Shipped }
}

fn settings(manifest: &Manifest, options: &LoadOptions) -> Vec<PluginSetting> {
    let given = options.settings.get(&manifest.name);
    let of = |(name, declared): (&String, &crate::manifest::Declared)| {
        let secret = declared.kind == Kind::Secret;
        let configured = given.and_then(|given| given.get(name)).map(|value| Raw::from(value).shown());
        PluginSetting {
            name: name.clone(),
            kind: KINDS
                .iter()
                .chain(&CHANNEL_KINDS)
                .find(|(_, kind)| *kind == declared.kind)
                .map_or("text", |(name, _)| name),
            list: declared.list,
            description: declared.description.clone(),
            default: declared.shown.clone(),
            configured: configured.filter(|_| !secret),
            secret,
        }
    };
    manifest.settings.iter().map(of).collect()
}
