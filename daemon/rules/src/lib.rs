//! Reminder rules in Rhai: sandbox, host API, plugins.
//!
//! A rule is a file of constants and functions. The service calls the functions it knows by name (its hooks, such as
//! `on_usage(sim)`) with a value taken from the state, and gets findings back; a rule holds no handle to anything.
//! `plugins/README.md` is the language's description for those who write rules.

mod channel;
mod check;
mod compile;
mod engine;
mod evaluate;
mod files;
mod fixture;
mod host;
mod limits;
mod lines;
mod lint;
mod manifest;
mod meter;
mod modules;
mod plugins;
mod problem;
pub mod reference;
mod registry;
mod rehearsal;
mod ruleset;
mod scaffold;
mod settings;
mod sorting;
mod text;
mod texts;
mod trace;
mod trial;
mod value;

pub use channel::{
    ChannelEngine, ChannelPlugin, ChannelScript, ChannelSetting, ChannelSettingKind, Given, Host, HostError,
    channel_plugins,
};
pub use check::{
    check_channels, check_file, check_file_within, check_manifest, check_plugin, check_plugin_within,
    check_text, check_wishes, plugin_kind, plugin_permissions,
};
pub use files::{Links, Unread, read_text};
pub use limits::Limits;
pub use manifest::{API, PluginKind, SettingValues};
pub use meter::Stats;
pub use plugins::{Decided, Plugin, PluginPermission, PluginSetting};
pub use problem::{Problem, Severity};
pub use rehearsal::{Flow, Happening, Moment, Rehearsal, RehearsalError, Saying, network_code};
pub use ruleset::{IdleRule, LoadOptions, Outcome, RuleSet, is_rule};
pub use scaffold::{NewFile, NewRuleError, new_rule};
pub use trace::{Trace, TracedLine, read_record, trace};
pub use trial::{
    Failure, Fate, Ran, Sender, Subject, TrialOptions, TrialReport, Unreached, ZoneSource, check_tests,
    run_tests, subjects,
};
