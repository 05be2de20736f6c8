//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::parse::{Amount, Span, Threshold};

/// The bell for your SIM: what it has used, what is left, and what reminds you of it
#[derive(Debug, Parser)]
#[command(
    name = "simbellctl",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Exit status: 0 done, 1 failed, 2 wrong usage, 3 service not reachable, 4 not permitted, \
                  5 the condition of --check is true."
)]
pub struct Cli {
    /// The service's socket
    #[arg(long, global = true, value_name = "PATH", default_value = simbell_api::SOCKET_PATH)]
    pub socket: PathBuf,
    /// Print JSON: one object on one line, or one object a line for lists and streams
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show the service, its SIMs, reminders and channels
    Status(StatusArgs),
    /// List the SIMs that are known
    Sims,
    /// Show what was used, by hour, day or cycle; or say what it really is
    Usage(UsageArgs),
    /// Take in usage that another program measured
    Import(ImportArgs),
    /// Show, add or check plans
    Plan(PlanArgs),
    /// List or check rules
    Rules(RulesArgs),
    /// List, enable, disable, approve or check plugins
    Plugins(PluginsArgs),
    /// List, acknowledge or snooze reminders
    Reminders(RemindersArgs),
    /// List or test channels
    Channels(ChannelsArgs),
    /// Make, list or take back copies of the ledger
    Backup(BackupArgs),
    /// Follow what happens
    Watch(WatchArgs),
    /// Have the service read its configuration, rules and plugins again
    Reload,
    /// Check the configuration without the service
    Config(ConfigArgs),
    /// Save a recording of what happened, pseudonymised, to report a bug with
    BugReport(BugReportArgs),
    /// Show the versions of this program and of the service
    Version,
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write every page to a directory
    Man(ManArgs),
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Exit with 5 when anything is wrong: a warning, or ModemManager absent
    #[arg(long)]
    pub check: bool,
}

/// `usage`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct UsageArgs {
    /// A change
    #[command(subcommand)]
    pub verb: Option<UsageVerb>,
    /// Of this SIM, by name or ICCID; of every SIM unless given
    #[arg(long, value_name = "NAME|ICCID")]
    pub sim: Option<String>,
    /// How to add up
    #[arg(long, value_enum, default_value_t = By::Day)]
    pub by: By,
    /// From this date or RFC 3339 time on, by whole hours; from the beginning of the cycle unless given
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Until before this date or RFC 3339 time, by whole hours; until now unless given
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Exit with 5 when a SIM has used this much of its cycle's allowance (80%), or this much data (5GB), or more
    #[arg(long, value_name = "LIMIT")]
    pub check: Option<Threshold>,
}

/// `usage VERB`.
#[derive(Debug, Subcommand)]
pub enum UsageVerb {
    /// Write everything, with corrections and gaps, for a spreadsheet or another program
    Export(ExportArgs),
    /// Say what the usage of the cycle really is, such as 6GB, by a correction in the ledger
    Set {
        /// Usage of the cycle up to now
        #[arg(value_name = "AMOUNT", allow_hyphen_values = true)]
        amount: Amount,
        /// Of this SIM, by name or ICCID; may be left out where there is only one
        #[arg(long, value_name = "NAME|ICCID")]
        sim: Option<String>,
        /// Why, for the ledger
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// List the corrections in the ledger, those taken back included
    Corrections {
        /// Of this SIM, by name or ICCID; of every SIM unless given
        #[arg(long, value_name = "NAME|ICCID")]
        sim: Option<String>,
    },
    /// Take a correction back, by another one
    Undo {
        /// Its number, from `usage corrections`
        #[arg(value_name = "ID", value_parser = crate::parse::entry)]
        id: i64,
        /// Why, for the ledger
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Tell what the carrier says was used in the cycle, such as 4.2GB: nothing is corrected, but its way of counting learnt
    Observe {
        /// The carrier's figure
        #[arg(value_name = "AMOUNT", allow_hyphen_values = true)]
        amount: Amount,
        /// Of this SIM, by name or ICCID; may be left out where there is only one
        #[arg(long, value_name = "NAME|ICCID")]
        sim: Option<String>,
        /// When the figure held, a date or RFC 3339 time; now unless given
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Where it comes from, for the ledger
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// List the carrier's figures and what each taught
    Observations {
        /// Of this SIM, by name or ICCID; of every SIM unless given
        #[arg(long, value_name = "NAME|ICCID")]
        sim: Option<String>,
    },
    /// Take one of the carrier's figures back
    Withdraw {
        /// Its number, from `usage observations`
        #[arg(value_name = "ID", value_parser = crate::parse::entry)]
        id: i64,
        /// Why, for the ledger
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Show calls by way, kind of number and zone
    Calls(SpanArgs),
    /// Show short messages by way and zone
    Sms(SpanArgs),
    /// Show what a total is made of, to the byte: each counter, connection, gap and correction
    Explain(ExplainArgs),
}

/// `usage calls` and `usage sms`.
#[derive(Debug, Args)]
pub struct SpanArgs {
    /// Of this SIM, by name or ICCID; of every SIM unless given
    #[arg(long, value_name = "NAME|ICCID")]
    pub sim: Option<String>,
    /// How to add up
    #[arg(long, value_enum, default_value_t = By::Day)]
    pub by: By,
    /// From this date or RFC 3339 time on; from the beginning of the cycle unless given
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Until before this date or RFC 3339 time; until now unless given
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
}

/// `usage explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Of this SIM, by name or ICCID; may be left out where there is only one
    #[arg(long, value_name = "NAME|ICCID")]
    pub sim: Option<String>,
    /// Of this day in the plan's zone, such as 2026-11-22
    #[arg(long, value_name = "DATE", conflicts_with_all = ["cycle", "from", "to"])]
    pub day: Option<String>,
    /// Of the billing cycle that this day lies in; of the cycle of now unless given
    #[arg(long, value_name = "DATE", num_args = 0..=1, conflicts_with_all = ["from", "to"])]
    #[allow(clippy::option_option, reason = "left out, or given without a day")]
    pub cycle: Option<Option<String>>,
    /// From this date or RFC 3339 time on, by whole hours; from the beginning of the cycle unless given
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Until before this date or RFC 3339 time, by whole hours; until now unless given
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
}

/// `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// From what
    #[command(subcommand)]
    pub verb: ImportVerb,
}

/// `import VERB`.
#[derive(Debug, Subcommand)]
pub enum ImportVerb {
    /// Take in what a vnStat 2 database says of an interface, where the ledger has no entry of that time
    Vnstat {
        /// The database, mostly /var/lib/vnstat/vnstat.db
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The interface that the SIM used
        #[arg(long, value_name = "NAME")]
        interface: String,
        /// Of this SIM, by name or ICCID; may be left out where there is only one
        #[arg(long, value_name = "NAME|ICCID")]
        sim: Option<String>,
        /// Only say what would become of it
        #[arg(long)]
        dry_run: bool,
    },
    /// Take out again what was imported of an interface
    Undo {
        /// The interface
        #[arg(long, value_name = "NAME")]
        interface: String,
        /// Of this SIM, by name or ICCID; may be left out where there is only one
        #[arg(long, value_name = "NAME|ICCID")]
        sim: Option<String>,
    },
}

/// `usage export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Of this SIM, by name or ICCID; of every SIM unless given
    #[arg(long, value_name = "NAME|ICCID")]
    pub sim: Option<String>,
    /// How to add up
    #[arg(long, value_enum, default_value_t = By::Hour)]
    pub by: By,
    /// From this date or RFC 3339 time on, by whole hours; everything there is unless given
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Until before this date or RFC 3339 time, by whole hours; until now unless given
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// JSON, one object a line, or CSV; JSON unless given
    #[arg(long, value_enum)]
    pub format: Option<ExportFormat>,
    /// Where to save it, in a file that is not there yet; standard output unless given
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file where it is there, once the whole export is written
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One object a line
    Json,
    /// Comma-separated, with a heading (RFC 4180)
    Csv,
}

/// How to add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// By the hour
    Hour,
    /// By the day, in the plan's zone
    Day,
    /// By the billing cycle
    Cycle,
}

/// `plan`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PlanArgs {
    /// What to do; `show` unless given
    #[command(subcommand)]
    pub verb: Option<PlanVerb>,
    /// Of this SIM, by name or ICCID
    #[arg(long, value_name = "NAME|ICCID")]
    pub sim: Option<String>,
}

/// `plan VERB`.
#[derive(Debug, Subcommand)]
pub enum PlanVerb {
    /// Show the plans
    Show {
        /// Of this SIM, by name or ICCID
        #[arg(long, value_name = "NAME|ICCID")]
        sim: Option<String>,
    },
    /// Make a plan: asks what is not given, and prints the block for the configuration
    Add(Box<PlanAddArgs>),
    /// Check the plans of the configuration without the service
    Check {
        /// Configuration file or directory
        #[arg(value_name = "PATH")]
        path: Option<PathBuf>,
    },
}

/// `plan add`.
#[derive(Debug, Args)]
pub struct PlanAddArgs {
    /// For this SIM that the service knows, by name or ICCID
    #[arg(long, value_name = "NAME|ICCID", conflicts_with = "iccid")]
    pub sim: Option<String>,
    /// For the SIM with this ICCID, known or not
    #[arg(long, value_name = "ICCID")]
    pub iccid: Option<String>,
    /// What to call the SIM
    #[arg(long, value_name = "NAME")]
    pub sim_name: Option<String>,
    /// What to call the plan
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The allowance, such as 6GB, or `unlimited`
    #[arg(long, value_name = "AMOUNT")]
    pub data: Option<String>,
    /// How long it lasts: `month`, a length such as `30 days` or `4 weeks`, or `used` for a bucket with no end
    #[arg(long, value_name = "PERIOD")]
    pub every: Option<String>,
    /// The day a month's cycle starts on: 1 to 31, or `last`
    #[arg(long, value_name = "DAY")]
    pub day: Option<String>,
    /// First day of a bundle or bucket, such as 2026-11-01
    #[arg(long, value_name = "DATE")]
    pub start: Option<String>,
    /// Whether a new bundle follows by itself; it does unless given
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub renews: Option<bool>,
    /// Which direction counts; both unless given, `max` for the one that carried more
    #[arg(long, value_name = "DIRECTION", value_parser = ["both", "download", "upload", "max"])]
    pub counts: Option<String>,
    /// What is used while roaming does not count
    #[arg(long)]
    pub roaming_free: bool,
    /// The step that the carrier rounds up to, such as 100kB; each byte unless given
    #[arg(long, value_name = "AMOUNT", requires = "per")]
    pub increment: Option<Amount>,
    /// What is rounded up to it
    #[arg(long, value_name = "session|day", value_parser = ["session", "day"], requires = "increment")]
    pub per: Option<String>,
    /// Local hours that cost nothing, such as 00:00-06:00; may be given again
    #[arg(long, value_name = "FROM-UNTIL")]
    pub free: Vec<String>,
    /// Time zone of its days, such as Europe/Berlin; this machine's unless given
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Write the block to a file, conf.d/plan-NAME.toml of the configuration unless given
    #[arg(long, value_name = "FILE")]
    pub write: Option<Option<PathBuf>>,
    /// The service's configuration [default: /etc/simbell]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
}

/// `rules`.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// What to do; `list` unless given
    #[command(subcommand)]
    pub verb: Option<RulesVerb>,
}

/// `rules VERB`.
#[derive(Debug, Subcommand)]
pub enum RulesVerb {
    /// List the rules, those that cannot run included
    List,
    /// Tell why a reminder is as it is, or why a rule says nothing
    Why {
        /// A reminder's key, from `reminders`, or a part of it; or a rule's name
        #[arg(value_name = "KEY|RULE")]
        key: String,
        /// About this SIM, by name or ICCID, where a rule is named
        #[arg(long, value_name = "NAME|ICCID")]
        sim: Option<String>,
        /// Show the rule's lines and which of them ran, by asking it again on what it saw
        #[arg(long)]
        lines: bool,
        /// The service's configuration, for the lines [default: /etc/simbell]
        #[arg(long, value_name = "PATH")]
        config: Option<PathBuf>,
    },
    /// Run the tests of rules and channels, without the service
    Test {
        /// Rules' files, plugins' folders, or names; every configured and shipped one unless given
        #[arg(value_name = "FILE|FOLDER|NAME")]
        rules: Vec<String>,
        /// Only tests whose name holds this
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
        /// Run them again whenever a file changes, until Ctrl-C
        #[arg(long)]
        watch: bool,
        /// The service's configuration [default: /etc/simbell]
        #[arg(long, value_name = "PATH")]
        config: Option<PathBuf>,
    },
    /// Show which lines of a rule ran, by a record of `rules why --json`, without the service
    Trace {
        /// The record's file; standard input unless given
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// The service's configuration [default: /etc/simbell]
        #[arg(long, value_name = "PATH")]
        config: Option<PathBuf>,
    },
    /// Take up a rule again that was suspended because it failed
    Resume {
        /// The rule's name, from `rules`
        #[arg(value_name = "RULE")]
        name: String,
    },
    /// Check rules without the service
    Check {
        /// Rules' files, plugins' folders, or directories of rules, plugins or a configuration
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// By this configuration, a file or directory: its rules, or its limits where PATH is given
        #[arg(long, value_name = "PATH")]
        config: Option<PathBuf>,
    },
    /// Write a new rule with its test, to begin with
    New {
        /// Its name: small letters, digits and -
        #[arg(value_name = "NAME")]
        name: String,
        /// A plugin: a folder with settings and texts of its own
        #[arg(long)]
        plugin: bool,
        /// What it is about: usage, schedule, sms, roaming or health
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// The folder it goes into, rather than the configuration's or the current one
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// The service's configuration [default: /etc/simbell]
        #[arg(long, value_name = "PATH")]
        config: Option<PathBuf>,
    },
    /// Print what rules may write: functions, properties, units, limits
    Reference {
        /// Only what has this name, such as remind or Sim.share
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Show when a rule would have rung in the past, by what the ledger knows
    Replay(Box<ReplayArgs>),
}

/// `rules replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// A rule's file, a plugin's folder, or the name of a rule
    #[arg(value_name = "FILE|NAME", required_unless_present = "diff", conflicts_with = "diff")]
    pub rule: Option<PathBuf>,
    /// Compare two versions of a rule: what each would have rung
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"])]
    pub diff: Vec<PathBuf>,
    /// Over so many days up to the end of what is known
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=4000))]
    pub days: u32,
    /// From this date or RFC 3339 time on, instead of --days
    #[arg(long, value_name = "TIME", conflicts_with = "days")]
    pub from: Option<String>,
    /// Until before this date or RFC 3339 time; until the end of what is known unless given
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// About this SIM alone, by name or ICCID; about every SIM unless given
    #[arg(long, value_name = "NAME|ICCID")]
    pub sim: Option<String>,
    /// A setting of the plugin, such as limit=50GB, or steps=["5%","10%"] for a list; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// By this ledger or copy of one, without the service and without changing it
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// By the plans of this configuration, a file or directory; the system's unless given
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Exit with 5 when the rule would have rung, or the two versions differ
    #[arg(long)]
    pub check: bool,
}

/// `plugins`.
#[derive(Debug, Args)]
pub struct PluginsArgs {
    /// What to do; `list` unless given
    #[command(subcommand)]
    pub verb: Option<PluginsVerb>,
}

/// `plugins VERB`.
#[derive(Debug, Subcommand)]
pub enum PluginsVerb {
    /// List the plugins
    List,
    /// Show what a plugin is, what it asks for and what can be set
    Show {
        /// The plugin's name, from `plugins`
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Let a plugin run, and approve what it asks for
    Enable {
        /// The plugin's name, from `plugins`
        #[arg(value_name = "NAME")]
        name: String,
        /// Approve what it asks for without being asked
        #[arg(long)]
        yes: bool,
    },
    /// Switch a plugin off
    Disable {
        /// The plugin's name, from `plugins`
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Approve what a plugin asks for, such as after an upgrade
    Approve {
        /// The plugin's name, from `plugins`
        #[arg(value_name = "NAME")]
        name: String,
        /// Approve without being asked
        #[arg(long)]
        yes: bool,
    },
    /// Check a plugin: its manifest, its script and its texts
    Check {
        /// The plugin's folder; or its name, where the service is running
        #[arg(value_name = "NAME|DIR")]
        plugin: String,
    },
}

/// `reminders`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RemindersArgs {
    /// What to do; `list` unless given
    #[command(subcommand)]
    pub verb: Option<RemindersVerb>,
    /// Exit with 5 when any reminder fires
    #[arg(long)]
    pub check: bool,
}

/// `reminders VERB`.
#[derive(Debug, Subcommand)]
pub enum RemindersVerb {
    /// List the reminders that are not resolved
    List {
        /// Exit with 5 when any reminder fires
        #[arg(long)]
        check: bool,
    },
    /// Acknowledge a reminder: it is not said again while it holds
    Ack {
        /// Its key, from the list
        key: String,
    },
    /// Put a reminder off
    Snooze {
        /// Its key, from the list
        key: String,
        /// For how long, such as 30m, 2h or 1d; a year at most
        #[arg(allow_hyphen_values = true)]
        span: Span,
    },
}

/// `channels`.
#[derive(Debug, Args)]
pub struct ChannelsArgs {
    /// What to do; `list` unless given
    #[command(subcommand)]
    pub verb: Option<ChannelsVerb>,
}

/// `channels VERB`.
#[derive(Debug, Subcommand)]
pub enum ChannelsVerb {
    /// List the channels
    List,
    /// Have a channel say a test message
    Test {
        /// Its name
        name: String,
    },
}

/// `backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// What to do; `list` unless given
    #[command(subcommand)]
    pub verb: Option<BackupVerb>,
}

/// `backup VERB`.
#[derive(Debug, Subcommand)]
pub enum BackupVerb {
    /// Make a copy of the ledger, while the service runs
    Create,
    /// List the copies, newest first
    List,
    /// Have a copy take the ledger's place; the ledger is set aside, and nothing is removed
    Restore {
        /// Its name, from the list
        name: String,
    },
}

/// `watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Show reminders as desktop notifications, and wait for the service where it is not there
    #[cfg(feature = "notify")]
    #[arg(long)]
    pub notify: bool,
}

/// `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do
    #[command(subcommand)]
    pub verb: ConfigVerb,
}

/// `config VERB`.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Check the configuration, every problem with file, line and key
    Check {
        /// Configuration file or directory; the system's unless given
        #[arg(value_name = "PATH")]
        path: Option<PathBuf>,
        /// The same, as the verbs about rules take it
        #[arg(long, value_name = "PATH", conflicts_with = "path")]
        config: Option<PathBuf>,
    },
}

/// `bug-report`.
#[derive(Debug, Args)]
pub struct BugReportArgs {
    /// Where to save it; standard output unless given
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write every page to this directory
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
