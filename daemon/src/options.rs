//! The command line of the service.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::is_bus_address;
use crate::replay::{MOST_DAYS, ReplayOptions};
use crate::scaffold::NewRule;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Configuration: a file, or a directory with `simbell.toml` and `conf.d`.
    pub config: Option<PathBuf>,
    /// Directory of the ledger.
    pub state_dir: Option<PathBuf>,
    /// Control socket.
    pub socket: Option<PathBuf>,
    /// D-Bus address.
    pub bus: Option<String>,
    /// Scenario of a simulated modem.
    pub simulate: Option<PathBuf>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run the service.
    Run(Options),
    /// Check configuration, rules and plugins, offline.
    Check {
        /// The configuration, as for the service.
        config: Option<PathBuf>,
        /// Rules or plugins to check instead of the configured ones.
        rules: Vec<PathBuf>,
        /// What to check.
        what: What,
        /// A file of `conf.d` that is not there yet: its text comes on standard input.
        with: Option<PathBuf>,
        /// Whether to answer in JSON.
        json: bool,
    },
    /// Run a rule over the past.
    Replay(ReplayOptions),
    /// Run the tests of rules and channels, offline.
    Tests(Tests),
    /// Ask a rule again on what a record says that it saw, offline.
    Trace {
        /// The configuration, as for the service.
        config: Option<PathBuf>,
        /// The record's file; standard input unless given.
        file: Option<PathBuf>,
        /// Whether to answer in JSON.
        json: bool,
    },
    /// Write a new rule.
    NewRule(NewRule),
    /// Print what rules know.
    Reference {
        /// Only what has this name.
        name: Option<String>,
        /// Whether to answer in JSON.
        json: bool,
    },
    /// Print the usage.
    Help,
    /// Print the version.
    Version,
    /// Read a vnStat database.
    ReadVnstat {
        /// Of which interface.
        interface: String,
        /// The file.
        file: PathBuf,
    },
}

/// Which tests are run, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tests {
    /// The configuration, as for the service.
    pub config: Option<PathBuf>,
    /// Rules to test: files, folders, names; all that are configured and shipped where there are none.
    pub rules: Vec<String>,
    /// Only tests whose name holds this.
    pub filter: Option<String>,
    /// Whether to answer in JSON.
    pub json: bool,
    /// Whether to run them again whenever a file changes.
    pub watch: bool,
}

/// What a check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Configuration, rules and plugins.
    Everything,
    /// The configuration alone.
    Config,
    /// Rules and plugins alone.
    Rules,
}

/// The usage, as printed.
pub const USAGE: &str = "\
simbelld - the bell for your SIM

Usage: simbelld [OPTIONS]
       simbelld check [--config PATH] [--only config|rules] [--rules PATH]... [--with FILE] [--json]
       simbelld rules test [--config PATH] [--filter TEXT] [--watch] [--json] [FILE|FOLDER|NAME]...
       simbelld rules trace [--config PATH] [--json] [FILE]
       simbelld read-vnstat --interface NAME FILE
       simbelld replay [--config PATH] [--ledger FILE] [--days N | --from TIME] [--to TIME]
                       [--sim NAME] [--set KEY=VALUE]... [--old RULE] RULE
       simbelld new-rule [--config PATH] [--plugin] [--kind KIND] [--dir DIR] [--json] NAME
       simbelld reference [--json] [NAME]

Options:
  --config PATH      Configuration file, or a directory with simbell.toml and conf.d
                     [default: /etc/simbell]
  --state-dir DIR    Directory of the ledger [default: $STATE_DIRECTORY, /var/lib/simbell]
  --socket PATH      Control socket [default: $RUNTIME_DIRECTORY/control.sock,
                     /run/simbell/control.sock]
  --bus ADDRESS      D-Bus address of ModemManager [default: the system bus]
  --simulate FILE    Run against a simulated modem that follows this scenario
  -h, --help         Print this
  -V, --version      Print the version

check reads the configuration, the rules and the plugins without running anything (--with: as if the
text on standard input stood in FILE of its conf.d, for `simbellctl plan add --write`); read-vnstat
prints what a vnStat database says of an interface, for `simbellctl import`; replay runs a rule over
the past of a ledger, or of standard input, for `simbellctl rules replay`; rules test runs the tests
of rules and channels, and rules trace asks a rule again on a record of
`simbellctl rules why --json`; new-rule and reference are `simbellctl rules new` and `simbellctl rules reference`.
Exit status: 0 done, 1 failed, 2 usage, 78 the configuration has errors.
";

/// Why a command line makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OptionsError(String);

/// `new-rule NAME`.
fn new_rule(parser: &mut lexopt::Parser) -> Result<Command, OptionsError> {
    use lexopt::prelude::{Long, Value};
    let bad = |error: lexopt::Error| OptionsError(error.to_string());
    let mut wanted = NewRule::default();
    let mut name = None;
    while let Some(arg) = parser.next().map_err(bad)? {
        match arg {
            Long("plugin") => wanted.plugin = true,
            Long("json") => wanted.json = true,
            Long("kind") => wanted.kind = Some(text_of(parser)?),
            Long("dir") => wanted.dir = Some(parser.value().map_err(bad)?.into()),
            Long("config") => wanted.config = Some(parser.value().map_err(bad)?.into()),
            Value(given) if name.is_none() => name = Some(given.to_string_lossy().into_owned()),
            other => return Err(bad(other.unexpected())),
        }
    }
    let name = name.ok_or_else(|| OptionsError("new-rule takes a NAME".to_owned()))?;
    Ok(Command::NewRule(NewRule { name, ..wanted }))
}

/// `reference [NAME]`.
fn reference(parser: &mut lexopt::Parser) -> Result<Command, OptionsError> {
    use lexopt::prelude::{Long, Value};
    let bad = |error: lexopt::Error| OptionsError(error.to_string());
    let (mut name, mut json) = (None, false);
    while let Some(arg) = parser.next().map_err(bad)? {
        match arg {
            Long("json") => json = true,
            Value(given) if name.is_none() => name = Some(given.to_string_lossy().into_owned()),
            other => return Err(bad(other.unexpected())),
        }
    }
    Ok(Command::Reference { name, json })
}

/// `read-vnstat --interface NAME FILE`.
fn read_vnstat(parser: &mut lexopt::Parser) -> Result<Command, OptionsError> {
    use lexopt::prelude::{Long, Value};
    let bad = |error: lexopt::Error| OptionsError(error.to_string());
    let (mut interface, mut file) = (None, None);
    while let Some(arg) = parser.next().map_err(bad)? {
        match arg {
            Long("interface") => {
                let name = parser.value().map_err(bad)?;
                interface = Some(
                    name.into_string().map_err(|_| OptionsError("--interface is not UTF-8".to_owned()))?,
                );
            }
            Value(path) if file.is_none() => file = Some(path.into()),
            other => return Err(bad(other.unexpected())),
        }
    }
    match (interface, file) {
        (Some(interface), Some(file)) => Ok(Command::ReadVnstat { interface, file }),
        _ => Err(OptionsError("read-vnstat takes --interface NAME and a FILE".to_owned())),
    }
}

/// `replay RULE` and its options.
fn replay(parser: &mut lexopt::Parser, config: Option<PathBuf>) -> Result<Command, OptionsError> {
    use lexopt::prelude::{Long, Value};
    let bad = |error: lexopt::Error| OptionsError(error.to_string());
    let mut options = ReplayOptions { config, ..ReplayOptions::default() };
    let mut rule: Option<PathBuf> = None;
    while let Some(arg) = parser.next().map_err(bad)? {
        let (text, path) = match arg {
            Long("config") => (None, Some(&mut options.config)),
            Long("ledger") => (None, Some(&mut options.ledger)),
            Long("old") => (None, Some(&mut options.old)),
            Long("from") => (Some(&mut options.from), None),
            Long("to") => (Some(&mut options.to), None),
            Long("sim") => (Some(&mut options.sim), None),
            Long("days") => {
                let value = parser.value().map_err(bad)?;
                let days = value.to_str().and_then(|days| days.parse().ok());
                options.days = days.filter(|days| (1..=MOST_DAYS).contains(days));
                if options.days.is_none() {
                    return Err(OptionsError(format!("--days takes 1 to {MOST_DAYS}")));
                }
                continue;
            }
            Long("set") => {
                options.settings.push(text_of(parser)?);
                continue;
            }
            Value(path) if rule.is_none() => {
                rule = Some(path.into());
                continue;
            }
            other => return Err(bad(other.unexpected())),
        };
        if let Some(text) = text {
            *text = Some(text_of(parser)?);
        }
        if let Some(path) = path {
            *path = Some(parser.value().map_err(bad)?.into());
        }
    }
    let rule = rule.ok_or_else(|| {
        OptionsError("replay takes a RULE: a file, a plugin's folder, or a name".to_owned())
    })?;
    Ok(Command::Replay(ReplayOptions { rule, ..options }))
}

fn text_of(parser: &mut lexopt::Parser) -> Result<String, OptionsError> {
    let value = parser.value().map_err(|error| OptionsError(error.to_string()))?;
    value.into_string().map_err(|text| OptionsError(format!("{} is not UTF-8", text.to_string_lossy())))
}

/// A path; none that is empty, as of a variable that is not set: it would be the current directory.
fn path(parser: &mut lexopt::Parser, option: &str) -> Result<PathBuf, OptionsError> {
    let value = parser.value().map_err(|error| OptionsError(error.to_string()))?;
    if value.is_empty() {
        return Err(OptionsError(format!("{option} is empty; write a path")));
    }
    Ok(value.into())
}

/// `rules test …` and `rules trace …`.
fn rules_verb(parser: &mut lexopt::Parser) -> Result<Command, OptionsError> {
    use lexopt::prelude::{Long, Value};
    let bad = |error: lexopt::Error| OptionsError(error.to_string());
    let text = |value: OsString| {
        value.into_string().map_err(|_| OptionsError("an argument is not UTF-8".to_owned()))
    };
    let verb = match parser.next().map_err(bad)? {
        Some(Value(verb)) if verb == "test" || verb == "trace" => verb,
        _ => return Err(OptionsError("rules takes test or trace".to_owned())),
    };
    let tests = verb == "test";
    let mut options = Tests::default();
    let mut record = None;
    while let Some(arg) = parser.next().map_err(bad)? {
        match arg {
            Long("config") => options.config = Some(parser.value().map_err(bad)?.into()),
            Long("json") => options.json = true,
            Long("filter") if tests => options.filter = Some(text(parser.value().map_err(bad)?)?),
            Long("watch") if tests => options.watch = true,
            Value(rule) if tests => options.rules.push(text(rule)?),
            Value(file) if record.is_none() => record = Some(PathBuf::from(file)),
            other => return Err(bad(other.unexpected())),
        }
    }
    if !tests {
        return Ok(Command::Trace { config: options.config, file: record, json: options.json });
    }
    Ok(Command::Tests(options))
}

/// Reads a command line without the program's name.
///
/// # Errors
/// Says which argument makes no sense.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, OptionsError> {
    use lexopt::prelude::{Long, Short, Value};
    let bad = |error: lexopt::Error| OptionsError(error.to_string());
    let mut parser = lexopt::Parser::from_args(args);
    let mut options = Options::default();
    let (mut checking, mut rules, mut what, mut json) = (false, Vec::new(), What::Everything, false);
    let mut with = None;
    while let Some(arg) = parser.next().map_err(bad)? {
        match arg {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Long("config") => options.config = Some(path(&mut parser, "--config")?),
            Long("state-dir") if !checking => options.state_dir = Some(path(&mut parser, "--state-dir")?),
            Long("socket") if !checking => options.socket = Some(path(&mut parser, "--socket")?),
            Long("simulate") if !checking => options.simulate = Some(parser.value().map_err(bad)?.into()),
            Long("bus") if !checking => {
                let value = parser.value().map_err(bad)?;
                let text = value.into_string().map_err(|_| OptionsError("--bus is not UTF-8".to_owned()))?;
                if text != "system" && !is_bus_address(&text) {
                    return Err(OptionsError(format!(
                        "--bus is {text:?}, which is no D-Bus address; write system, or such as unix:path=/run/bus"
                    )));
                }
                options.bus = Some(text);
            }
            Long("rules") if checking => rules.push(parser.value().map_err(bad)?.into()),
            Long("json") if checking => json = true,
            Long("with") if checking => with = Some(PathBuf::from(parser.value().map_err(bad)?)),
            Long("only") if checking => {
                let value = parser.value().map_err(bad)?;
                what = match value.to_str() {
                    Some("config") => What::Config,
                    Some("rules") => What::Rules,
                    _ => return Err(OptionsError("--only takes config or rules".to_owned())),
                };
            }
            Value(word) if word == "check" && !checking => checking = true,
            Value(word) if word == "rules" && !checking => return rules_verb(&mut parser),
            Value(word) if word == "new-rule" && !checking => return new_rule(&mut parser),
            Value(word) if word == "reference" && !checking => return reference(&mut parser),
            Value(word) if word == "read-vnstat" && !checking => return read_vnstat(&mut parser),
            Value(word) if word == "replay" && !checking => return replay(&mut parser, options.config),
            other => return Err(bad(other.unexpected())),
        }
    }
    if checking {
        let what = if rules.is_empty() { what } else { What::Rules };
        return Ok(Command::Check { config: options.config, rules, what, with, json });
    }
    Ok(Command::Run(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Result<Command, OptionsError> {
        parse(text.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_are_read() {
        let Ok(Command::Run(options)) = args("--config /c --state-dir=/s --socket /k --bus unix:path=/b")
        else {
            panic!("a run was asked for")
        };
        assert_eq!(options.state_dir, Some(PathBuf::from("/s")));
        assert_eq!(options.bus.as_deref(), Some("unix:path=/b"));
        let refused = args("--bus nonsense").unwrap_err().to_string();
        assert!(refused.contains("nonsense") && refused.contains("unix:path="), "{refused}");
    }

    #[test]
    fn an_empty_path_is_not_the_current_directory() {
        for option in ["--config=", "--state-dir=", "--socket="] {
            let refused = args(option).unwrap_err().to_string();
            assert!(refused.contains("is empty"), "{refused}");
        }
    }

    #[test]
    fn check_is_read() {
        let command = args("check --config /c --rules a.rhai --json").unwrap();
        let rules = vec![PathBuf::from("a.rhai")];
        let expected =
            Command::Check { config: Some("/c".into()), rules, what: What::Rules, with: None, json: true };
        assert_eq!(command, expected);
    }

    #[test]
    fn tests_and_traces_are_read() {
        let Ok(Command::Tests(tests)) = args("rules test --filter eighty --watch a.rhai roaming-began")
        else {
            panic!("tests were asked for")
        };
        assert_eq!(tests.rules, ["a.rhai", "roaming-began"]);
        assert!(tests.watch && tests.filter.as_deref() == Some("eighty"));
        let file = Some(PathBuf::from("why.json"));
        assert_eq!(
            args("rules trace why.json --json").unwrap(),
            Command::Trace { config: None, file, json: true }
        );
        assert!(args("rules tset").unwrap_err().to_string().contains("test or trace"));
        assert!(args("rules trace --watch").unwrap_err().to_string().contains("--watch"));
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        assert!(args("--stat-dir /s").unwrap_err().to_string().contains("--stat-dir"));
        assert!(args("chekc").unwrap_err().to_string().contains("chekc"));
    }
}
