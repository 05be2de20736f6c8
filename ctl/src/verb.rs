//! What each verb does, one file a noun.

mod backup;
mod carrier;
mod channels;
mod check;
mod explain;
mod import;
#[cfg(feature = "notify")]
mod notify;
mod plan;
mod plan_add;
mod plugins;
mod rehearse;
mod reminders;
mod replay;
mod report;
mod rules;
mod shell;
mod sims;
mod status;
mod usage;
mod usage_export;
mod version;
mod voice;
mod watch;
mod why;
mod write;

use std::path::Path;

use simbell_api::Client;

use crate::cli::{
    ChannelsVerb, Cli, ConfigVerb, PlanVerb, PluginsVerb, RemindersVerb, RulesVerb, UsageVerb, Verb,
};
use crate::failure::CtlError;
use crate::out::Out;

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done.
    Done,
    /// Done, and the condition of `--check` is true.
    ConditionTrue,
    /// Failed, and what was printed says why.
    Failed,
    /// Not understood, and what was printed says why.
    WrongUsage,
}

impl Verdict {
    fn check(asked: bool, condition: bool) -> Self {
        if asked && condition { Self::ConditionTrue } else { Self::Done }
    }
}

/// Does what is asked.
pub(crate) async fn run(cli: Cli, out: &mut Out) -> Result<Verdict, CtlError> {
    let socket = cli.socket.as_path();
    match cli.verb {
        Verb::Status(args) => status::run(&mut connect(socket, out).await?, out, args.check).await,
        Verb::Sims => sims::run(&mut connect(socket, out).await?, out).await,
        Verb::Usage(args) => match args.verb {
            Some(UsageVerb::Set { amount, sim, reason }) => {
                usage::set(&mut connect(socket, out).await?, out, amount, sim, reason).await
            }
            Some(UsageVerb::Corrections { sim }) => {
                carrier::corrections(&mut connect(socket, out).await?, out, sim).await
            }
            Some(UsageVerb::Undo { id, reason }) => {
                carrier::undo(&mut connect(socket, out).await?, out, id, reason).await
            }
            Some(UsageVerb::Observe { amount, sim, at, note }) => {
                carrier::observe(&mut connect(socket, out).await?, out, amount, sim, at, note).await
            }
            Some(UsageVerb::Observations { sim }) => {
                carrier::observations(&mut connect(socket, out).await?, out, sim).await
            }
            Some(UsageVerb::Withdraw { id, reason }) => {
                carrier::withdraw(&mut connect(socket, out).await?, out, id, reason).await
            }
            Some(UsageVerb::Calls(args)) => {
                let verdict = voice::calls(&mut connect(socket, out).await?, out, args).await?;
                usage::note_unwritten(socket, out).await;
                Ok(verdict)
            }
            Some(UsageVerb::Sms(args)) => {
                let verdict = voice::sms(&mut connect(socket, out).await?, out, args).await?;
                usage::note_unwritten(socket, out).await;
                Ok(verdict)
            }
            Some(UsageVerb::Explain(args)) => {
                let verdict = explain::run(&mut connect(socket, out).await?, out, args).await?;
                usage::note_unwritten(socket, out).await;
                Ok(verdict)
            }
            Some(UsageVerb::Export(args)) => {
                let verdict = usage_export::run(connect(socket, out).await?, out, &args).await?;
                usage::note_unwritten(socket, out).await;
                Ok(verdict)
            }
            None => {
                let verdict = usage::run(&mut connect(socket, out).await?, out, &args).await?;
                usage::note_unwritten(socket, out).await;
                Ok(verdict)
            }
        },
        Verb::Import(args) => import::run(&mut connect(socket, out).await?, out, args.verb).await,
        Verb::Plan(args) => match args.verb {
            None => plan::show(&mut connect(socket, out).await?, out, args.sim).await,
            Some(PlanVerb::Show { sim }) => plan::show(&mut connect(socket, out).await?, out, sim).await,
            Some(PlanVerb::Add(add)) => plan_add::run(socket, out, *add).await,
            Some(PlanVerb::Check { path }) => check::config(out, path.as_deref()),
        },
        Verb::Rules(args) => match args.verb {
            None | Some(RulesVerb::List) => rules::run(&mut connect(socket, out).await?, out).await,
            Some(RulesVerb::Why { key, sim, lines, config }) => {
                let lines = lines.then_some(config.as_deref());
                why::run(&mut connect(socket, out).await?, out, &key, sim.as_deref(), lines).await
            }
            Some(RulesVerb::Test { rules, filter, watch, config }) => {
                rehearse::test(out, &rules, filter.as_deref(), watch, config.as_deref())
            }
            Some(RulesVerb::Trace { file, config }) => {
                rehearse::trace(out, file.as_deref(), config.as_deref())
            }
            Some(RulesVerb::Resume { name }) => {
                rules::resume(&mut connect(socket, out).await?, out, &name).await
            }
            Some(RulesVerb::Check { paths, config }) => check::rules(out, &paths, config.as_deref()),
            Some(RulesVerb::New { name, plugin, kind, dir, config }) => {
                write::new(out, &name, plugin, kind.as_deref(), [("--dir", dir), ("--config", config)])
            }
            Some(RulesVerb::Reference { name }) => write::reference(out, name.as_deref()),
            Some(RulesVerb::Replay(args)) => replay::run(socket, out, &args).await,
        },
        Verb::Plugins(args) => match args.verb {
            None | Some(PluginsVerb::List) => plugins::list(&mut connect(socket, out).await?, out).await,
            Some(PluginsVerb::Show { name }) => {
                plugins::show(&mut connect(socket, out).await?, out, &name).await
            }
            Some(PluginsVerb::Enable { name, yes }) => {
                plugins::enable(&mut connect(socket, out).await?, out, &name, yes).await
            }
            Some(PluginsVerb::Disable { name }) => {
                plugins::disable(&mut connect(socket, out).await?, out, &name).await
            }
            Some(PluginsVerb::Approve { name, yes }) => {
                plugins::approve(&mut connect(socket, out).await?, out, &name, yes).await
            }
            Some(PluginsVerb::Check { plugin }) => plugins::check(socket, out, &plugin).await,
        },
        Verb::Reminders(args) => match args.verb {
            None => reminders::list(&mut connect(socket, out).await?, out, args.check).await,
            Some(RemindersVerb::List { check }) => {
                reminders::list(&mut connect(socket, out).await?, out, check).await
            }
            Some(RemindersVerb::Ack { key }) => {
                reminders::acknowledge(&mut connect(socket, out).await?, out, &key).await
            }
            Some(RemindersVerb::Snooze { key, span }) => {
                reminders::snooze(&mut connect(socket, out).await?, out, &key, span).await
            }
        },
        Verb::Channels(args) => match args.verb {
            None | Some(ChannelsVerb::List) => channels::list(&mut connect(socket, out).await?, out).await,
            Some(ChannelsVerb::Test { name }) => {
                channels::test(&mut connect(socket, out).await?, out, &name).await
            }
        },
        Verb::Backup(args) => backup::run(&mut connect(socket, out).await?, out, args.verb).await,
        Verb::Watch(args) => watch::run(socket, out, &args).await,
        Verb::Reload => report::reload(&mut connect(socket, out).await?, out).await,
        Verb::Config(args) => match args.verb {
            ConfigVerb::Check { path, config } => check::config(out, path.or(config).as_deref()),
        },
        Verb::BugReport(args) => {
            report::bug_report(connect(socket, out).await?, out, args.output.as_deref()).await
        }
        Verb::Version => version::run(socket, out).await,
        Verb::Completions(args) => shell::completions(out, args.shell),
        Verb::Man(args) => shell::man(out, args.dir.as_deref()),
    }
}

/// Connects, and tells a person of a difference between the versions.
async fn connect(socket: &Path, out: &Out) -> Result<Client, CtlError> {
    let client = Client::connect(socket).await?;
    if let Some(skew) = client.skew()
        && !out.json
    {
        out.note(&skew);
    }
    Ok(client)
}
