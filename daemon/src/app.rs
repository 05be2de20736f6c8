//! Putting the parts of the service together, and taking them apart again.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use simbell_core::ident::BootId;
use simbell_core::settings::Settings;
use simbell_core::state::State;
use simbell_modem::links::Links;
use simbell_modem::{BusAddress, Watcher};
use simbell_notify::{Dispatcher, SmsGateway, build_channels};
use simbell_rules::{LoadOptions, RuleSet};
use simbell_store::{StoreOptions, Synchronous};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::backend::{Backend, Shared};
use crate::clock::{Clock, ClockWatch};
use crate::config::{self, Durability, Environment, Loaded, ServiceSettings};
use crate::control::{self, Limits};
use crate::engine::{Ending, Engine, Parts, Reload, Reloaded, Request, ledger};
use crate::files::{Follower, RuleSource};
use crate::gateway::Gateway;
use crate::options::Options;
use crate::quota::Quotas;
use crate::scripted::ScriptedChannels;
use crate::service::{Notifier, listener_from_systemd};
use crate::simulate::Simulator;

/// Name of the ledger in the state directory.
pub const LEDGER: &str = "ledger.db";

/// After so long a start is over: everything was looked at twice.
const SETTLED: Duration = Duration::from_secs(75);
const HOUR: Duration = Duration::from_secs(3_600);

/// How many requests, events and outcomes may wait for the engine.
const QUEUE: usize = 256;

/// Why the service did not run, or not to a good end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration has errors.
    #[error("{0}")]
    Config(config::Problems),
    /// Something else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Runs the service until it is asked to stop.
///
/// # Errors
/// When it cannot begin, or could not commit at its end.
pub async fn run(options: &Options, loaded: Loaded, log: crate::logging::Handle) -> Result<(), RunError> {
    let Loaded { settings, mut service, .. } = loaded;
    let mut room = Room::of(options, &mut service)?;
    // The socket comes first: a second service must not touch the ledger of the first.
    let listener = match listener_from_systemd().context("the socket that systemd passed cannot be used")? {
        Some(listener) => listener,
        None => {
            let (listener, placed) = control::bind(&service.socket).map_err(anyhow::Error::from)?;
            room.socket = Some(placed);
            listener
        }
    };
    let notifier = Notifier::from_env();
    let boot = boot_id()?;
    let store_options = store_options(&service);
    let (store, recovery) =
        ledger::open(&service.state_dir.join(LEDGER), &store_options, crate::clock::wall())
            .map_err(anyhow::Error::from)?;
    let restored = store.restore(&boot).context("the ledger cannot be read")?;
    // What comes next takes the place of what only that took.
    if let Err(error) = store.give_back() {
        tracing::debug!(%error, "the ledger gives no memory back");
    }
    let clock = Clock::new(service.clock_trust, restored.newest);
    let simulator = match &options.simulate {
        Some(scenario) => Some(Simulator::start(scenario, room.path()).await?),
        None => None,
    };
    let bus = match (&simulator, &service.bus) {
        (Some(simulator), _) => BusAddress::Peer(simulator.address.clone()),
        (None, Some(address)) => BusAddress::At(address.clone()),
        (None, None) => BusAddress::System,
    };
    let (seen, modems) = mpsc::channel(QUEUE);
    let (watcher, commands) = Watcher::new(bus, seen);
    let watching = tokio::spawn(watcher.run());

    let (outcomes, ended) = mpsc::channel(QUEUE);
    let (requests, asked) = mpsc::channel(QUEUE);
    let gateway: Arc<dyn SmsGateway> = Arc::new(Gateway::new(commands.clone(), requests.clone()));
    let state = State::restored(settings, restored);
    let (source, followed) = RuleSource::new(rule_options(&service, state.settings()));
    let source = Arc::new(source);
    let follower = Follower::begin(followed);
    let rules = source.load(state.plugins(), None);
    let scripted = ScriptedChannels::new(&mut service, &rules, None);
    let channels = build_channels(std::mem::take(&mut service.channels), Some(&gateway))
        .map_err(|errors| anyhow::anyhow!(join(errors)))?;
    for problem in rules.problems() {
        tracing::warn!("{problem}");
    }
    for problem in absent_groups(&service) {
        tracing::warn!("{problem}");
    }
    let shared = Arc::new(RwLock::new(Shared {
        admin_groups: service.admin_groups.clone(),
        plugins_folder: plugins_folder(&service),
        zone: state.settings().zone.clone(),
    }));
    let reload = reloader(options.clone(), gateway, Arc::clone(&shared), log, Arc::clone(&source));
    let backend = Arc::new(Backend::new(requests.clone(), shared));

    let engine = Engine::new(Parts {
        clock,
        clock_watch: ClockWatch::open().context("the kernel's timers cannot be used")?,
        store,
        state,
        links: Links::open().context("the kernel's interface counters cannot be read")?,
        modems,
        commands,
        rules: Arc::new(rules),
        source,
        dispatcher: Dispatcher::new(channels, outcomes),
        scripted,
        ended,
        requests: asked,
        reload,
        notifier,
        boot,
        history: service.history,
        quotas: Quotas::new(service.quota.clone()),
        store_options,
        recovery,
        config: options.config.as_deref().map(absolute),
    });
    // Tasks of their own: to wake the runtime's outermost future costs a system call each time.
    let serving = tokio::spawn(control::serve(listener, backend, Limits::default()));
    let following = follower.map(|follower| tokio::spawn(follower.run(requests.clone())));
    let frugal = tokio::spawn(frugal(requests.clone()));
    let signals = tokio::spawn(signals(requests));
    tracing::info!(socket = %service.socket.display(), "simbelld {} serves", env!("CARGO_PKG_VERSION"));
    let ending = tokio::spawn(engine.run()).await;
    serving.abort();
    signals.abort();
    frugal.abort();
    if let Some(following) = following {
        following.abort();
    }
    watching.abort();
    drop(simulator);
    drop(room);
    match ending {
        Ok(Ending::Clean) => Ok(()),
        Err(fault) => Err(anyhow::anyhow!("a fault of the service ended it: {fault}; please report this").into()),
        Ok(Ending::Uncommitted) => Err(anyhow::anyhow!(
            "the ledger could not be written before the end; what the kernel still counts is taken up at the next start"
        )
        .into()),
    }
}

/// Gives memory back that only the start needed, and once an hour what came since.
async fn frugal(requests: mpsc::Sender<Box<Request>>) {
    let mut after = SETTLED;
    loop {
        tokio::time::sleep(after).await;
        if requests.send(Box::new(Request::GiveBack)).await.is_err() {
            return;
        }
        after = HOUR;
    }
}

/// `SIGTERM` and `SIGINT` stop the service, `SIGHUP` has it read everything anew.
async fn signals(requests: mpsc::Sender<Box<Request>>) {
    let (Ok(mut term), Ok(mut int), Ok(mut hup)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        tracing::error!("signals cannot be waited for");
        return;
    };
    loop {
        let request = tokio::select! {
            _ = term.recv() => Request::Stop,
            _ = int.recv() => Request::Stop,
            _ = hup.recv() => {
                let (reply, answer) = tokio::sync::oneshot::channel();
                tokio::spawn(async move {
                    if let Ok(Err(error)) = answer.await {
                        tracing::error!("{error}");
                    }
                });
                Request::Reload(reply)
            }
        };
        if requests.send(Box::new(request)).await.is_err() {
            return;
        }
    }
}

/// Where the service keeps things. Against a simulated modem that is a directory of its own, gone at the end, so that
/// a play never mixes with a real ledger. Taken away when dropped: that directory, and the socket where it was made
/// here; one that systemd passed stays, since systemd listens on it.
struct Room {
    temporary: Option<PathBuf>,
    dir: PathBuf,
    socket: Option<control::Placed>,
}

impl Room {
    fn of(options: &Options, service: &mut ServiceSettings) -> anyhow::Result<Self> {
        if let Some(dir) = &options.state_dir {
            service.state_dir.clone_from(dir);
        }
        if let Some(bus) = &options.bus {
            service.bus = Some(bus.clone()).filter(|bus| bus != "system");
        }
        let mut temporary = None;
        if options.simulate.is_some() && options.state_dir.is_none() {
            let dir = make_temporary(&std::env::temp_dir())?;
            service.state_dir.clone_from(&dir);
            service.socket = dir.join("control.sock");
            temporary = Some(dir);
        }
        if let Some(socket) = &options.socket {
            service.socket.clone_from(socket);
        }
        make_dir(&service.state_dir)?;
        if let Some(parent) = service.socket.parent() {
            make_dir(parent)?;
        }
        let dir = service.state_dir.clone();
        Ok(Self { temporary, dir, socket: None })
    }

    fn path(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Before its directory.
        drop(self.socket.take());
        if let Some(dir) = &self.temporary
            && let Err(error) = std::fs::remove_dir_all(dir)
        {
            tracing::warn!(%error, "the temporary directory {} cannot be removed", dir.display());
        }
    }
}

/// A directory that nobody else has made: others write where it stands, and may guess its name.
fn make_temporary(parent: &Path) -> anyhow::Result<PathBuf> {
    let names = (0..100).map(|number| match number {
        0 => format!("simbell-{}", std::process::id()),
        _ => format!("simbell-{}-{number}", std::process::id()),
    });
    let mut failed = anyhow::anyhow!("its names are taken");
    for dir in names.map(|name| parent.join(name)) {
        match std::fs::DirBuilder::new().mode(0o750).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                failed = error.into();
                break;
            }
        }
    }
    let parent = parent.display();
    Err(failed
        .context(format!("no directory can be made in {parent}; name one with --state-dir, or set TMPDIR")))
}

fn make_dir(dir: &Path) -> anyhow::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(dir)
        .with_context(|| format!("the directory {} cannot be made; make it, or name another", dir.display()))
}

fn store_options(service: &ServiceSettings) -> StoreOptions {
    let synchronous = match service.storage.durability {
        Durability::Full => Synchronous::Full,
        Durability::Normal => Synchronous::Normal,
    };
    StoreOptions { synchronous, ..StoreOptions::default() }
}

fn boot_id() -> anyhow::Result<BootId> {
    const PATH: &str = "/proc/sys/kernel/random/boot_id";
    let text = std::fs::read_to_string(PATH).with_context(|| {
        format!("{PATH} cannot be read; a unit with ProcSubset=pid hides it, which simbelld cannot run with")
    })?;
    Ok(BootId::new(text)?)
}

/// How rules are loaded, by the configuration.
#[must_use]
pub fn rule_options(service: &ServiceSettings, settings: &Settings) -> LoadOptions {
    let names = |enabled: bool| {
        service
            .plugins
            .iter()
            .filter(move |(_, plugin)| plugin.enabled == enabled)
            .map(|(name, _)| name.as_str().to_owned())
    };
    LoadOptions {
        user_dir: Some(service.rules.dir.clone()),
        plugin_dirs: service.rules.plugin_dirs.clone(),
        enabled: names(true).collect(),
        disabled: names(false).chain(service.rules.disabled.iter().map(|r| r.as_str().to_owned())).collect(),
        settings: service
            .plugins
            .iter()
            .map(|(name, plugin)| (name.as_str().to_owned(), plugin.settings.clone()))
            .collect(),
        allowed: service
            .plugins
            .iter()
            .map(|(name, plugin)| (name, &plugin.allowed))
            .chain(&service.rules.allowed)
            .map(|(name, allowed)| (name.as_str().to_owned(), allowed.clone()))
            .collect(),
        limits: service.rules.limits,
        texts_dir: service.rules.dir.parent().map(|dir| dir.join("texts")),
        language: settings.language.clone(),
        used: settings.channels.iter().map(|channel| channel.kind.clone()).collect(),
        channels: Some(settings.channels.iter().map(|channel| channel.name.as_str().to_owned()).collect()),
        places: service.rules.places.clone(),
        named_dirs: service.rules.named_dirs.clone(),
        owner_dirs: service.rules.owner_plugin_dir.clone().into_iter().collect(),
        ..LoadOptions::default()
    }
}

/// Groups of the configuration that are not there, in words: nobody is a member of them.
#[must_use]
pub fn absent_groups(service: &ServiceSettings) -> Vec<String> {
    let access = control::Access::system();
    let absent = service.admin_groups.iter().filter(|name| !access.has_group(name));
    absent
        .map(|name| {
            let place = service.rules.places.get(&format!("control.admin_groups.{name}"));
            format!(
                "{}: warning: there is no group `{name}` in /etc/group, so nobody may change things by it\n  hint: make it \
                 with `groupadd {name}`, or take it out of control.admin_groups",
                place.map_or("control.admin_groups", String::as_str)
            )
        })
        .collect()
}

/// Where the owner's plugins are copied, for whoever is told to.
fn plugins_folder(service: &ServiceSettings) -> Option<String> {
    // A folder that nobody looks into is of no use.
    let dirs = &service.rules.plugin_dirs;
    let same = |dir: &PathBuf, other: &PathBuf| {
        dir == other || dir.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(a, b)| a == b)
    };
    let looked_at = |owner: &&PathBuf| dirs.iter().any(|dir| same(dir, owner));
    let dir = service.rules.owner_plugin_dir.iter().find(looked_at).or(dirs.last())?;
    Some(absolute(dir).display().to_string())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn reloader(
    options: Options,
    gateway: Arc<dyn SmsGateway>,
    shared: Arc<RwLock<Shared>>,
    log: crate::logging::Handle,
    source: Arc<RuleSource>,
) -> Reload {
    Box::new(move |standings, before, scripted| {
        let loaded = load_config(options.config.as_deref(), &Environment::of_process())
            .map_err(|problems| problems.list().iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let Loaded { settings, mut service, .. } = loaded;
        let mut rules_from = rule_options(&service, &settings);
        rules_from.standings.clone_from(standings);
        let rules = RuleSet::load_over(&rules_from, Some(before));
        let scripted = ScriptedChannels::new(&mut service, &rules, Some(scripted));
        let channels = build_channels(std::mem::take(&mut service.channels), Some(&gateway))
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        source.replace(rules_from);
        let broken = rules.descriptions().into_iter().filter_map(|rule| rule.problem.or(rule.outdated));
        let problems = rules.problems().iter().map(ToString::to_string);
        let problems = problems.chain(broken).chain(scripted.problems()).chain(absent_groups(&service));
        let problems = problems.collect();
        if let Ok(mut shared) = shared.write() {
            shared.admin_groups.clone_from(&service.admin_groups);
            shared.plugins_folder = plugins_folder(&service);
            shared.zone = settings.zone.clone();
        }
        if let Err(error) = log.modify(|filter| *filter = crate::logging::filter(service.log_level)) {
            tracing::warn!(%error, "the log level cannot be changed");
        }
        Ok(Reloaded {
            settings,
            rules,
            channels,
            scripted,
            trust: service.clock_trust,
            history: service.history,
            quota: service.quota,
            problems,
        })
    })
}

/// Where the configuration is, unless the command line names another place.
pub const CONFIG: &str = "/etc/simbell";

/// Where rules and SIMs are looked for by name, for whoever runs the service on another configuration.
pub fn looked_in(config: Option<&Path>) -> String {
    match config {
        Some(path) => format!("looked for in {}", path.display()),
        None => format!("looked for in {CONFIG}; --config names another configuration"),
    }
}

/// Reads the configuration: that asked for, or the system's. A system without one runs with the defaults.
///
/// # Errors
/// Every problem of every file.
pub fn load_config(asked: Option<&Path>, env: &Environment) -> Result<Loaded, config::Problems> {
    let path = asked.unwrap_or(Path::new(CONFIG));
    if asked.is_none() && !path.exists() { config::defaults(path, env) } else { config::load(path, env) }
}

fn join(errors: Vec<impl ToString>) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_somebody_else_has_made_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let parent = folder.path();
        std::fs::create_dir(parent.join("theirs")).unwrap();
        let expected = parent.join(format!("simbell-{}", std::process::id()));
        std::os::unix::fs::symlink(parent.join("theirs"), &expected).unwrap();
        let made = make_temporary(parent).unwrap();
        assert!(made != expected && made.is_dir() && !made.is_symlink(), "{}", made.display());
        let refused = format!("{:#}", make_temporary(Path::new("/proc")).unwrap_err());
        assert!(refused.contains("in /proc; name one with --state-dir"), "{refused}");
    }
}
