//! Runs simulated modems.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use simbell_modemsim::at::Profile;
use simbell_modemsim::lab::{self, Lab, LabOptions};
use simbell_modemsim::lookalike::{PrivateBus, Report};
use simbell_modemsim::scenario::{Scenario, play};
use tokio::sync::broadcast::{self, error::RecvError};

/// Simulated modems: a ModemManager look-alike on D-Bus, and an AT modem for the real one.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a ModemManager look-alike; says what happens in JSON lines.
    Lookalike(LookalikeArgs),
    /// Show an AT modem to the real ModemManager, and work it by hand from standard input.
    At(AtArgs),
    /// Check a scenario and end.
    Check {
        /// Scenario, in TOML.
        scenario: PathBuf,
    },
}

#[derive(Debug, Args)]
#[group(skip)]
struct LookalikeArgs {
    /// Scenario, in TOML; one idle modem where none is given.
    #[arg(long)]
    scenario: Option<PathBuf>,
    #[command(flatten)]
    front: Front,
    /// End when standard input is closed, so as not to outlive whoever started it.
    #[arg(long)]
    until_stdin_closes: bool,
}

#[derive(Debug, Args)]
struct AtArgs {
    /// D-Bus address of a running ModemManager with --test-enable; without it a bus and a ModemManager are started.
    #[arg(long)]
    bus: Option<String>,
    /// Modem to play.
    #[arg(long, value_enum, default_value = "lte")]
    model: Model,
    /// Ports as terminals and a network interface, by kernel events (root; not with --bus).
    #[arg(long, conflicts_with = "bus")]
    kernel: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Model {
    Lte,
    Umts,
    Telit,
    Quectel,
    Ublox,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Front {
    /// Serve D-Bus clients directly at this Unix socket, without a bus.
    #[arg(long)]
    socket: Option<PathBuf>,
    /// Serve the bus at this D-Bus address.
    #[arg(long)]
    address: Option<String>,
    /// Start a bus of its own (dbus-daemon) and serve it.
    #[arg(long)]
    private_bus: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Lookalike(args) => lookalike(&args).await,
        Command::At(args) => at(&args).await,
        Command::Check { scenario } => Scenario::load(&scenario).map(|_| ()).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simbell-modemsim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn lookalike(args: &LookalikeArgs) -> anyhow::Result<()> {
    let scenario = match &args.scenario {
        Some(path) => Scenario::load(path)?,
        None => Scenario::parse("")?,
    };
    let lookalike = scenario.lookalike().start();
    let reports = lookalike.reports();
    let mut bus = None;
    let mut serving = None;
    let address = match &args.front {
        Front { socket: Some(path), .. } => {
            lookalike.serve_socket(path)?;
            bus_address(path)
        }
        Front { address: Some(address), .. } => {
            serving = Some(lookalike.serve_on(address).await?);
            address.clone()
        }
        _ => {
            let started = PrivateBus::start().await?;
            serving = Some(lookalike.serve_on(started.address()).await?);
            let address = started.address().to_owned();
            bus = Some(started);
            address
        }
    };
    say(&Report::Ready { address })?;
    let playing = play(&scenario, &lookalike);
    let ended = tokio::select! {
        ended = until_stopped(args.until_stdin_closes) => ended,
        failed = async {
            match serving {
                Some(task) => task.await.map_or_else(anyhow::Error::from, anyhow::Error::from),
                None => std::future::pending().await,
            }
        } => Err(failed),
        failed = async {
            tokio::join!(playing, tell(reports));
            std::future::pending().await
        } => failed,
    };
    remove_socket(args.front.socket.as_deref());
    drop((lookalike, bus));
    ended
}

/// Serves an AT modem until standard input ends or the program is told to stop.
async fn at(args: &AtArgs) -> anyhow::Result<()> {
    let profile = match args.model {
        Model::Lte => Profile::lte(),
        Model::Umts => Profile::umts(),
        Model::Telit => Profile::telit(),
        Model::Quectel => Profile::quectel(),
        Model::Ublox => Profile::ublox(),
    };
    let mut lab = None;
    let modem = match &args.bus {
        Some(address) => lab::attach(address, profile).await?,
        None => {
            let options = if args.kernel { LabOptions::kernel() } else { LabOptions::default() };
            let mut started = Lab::start(options).await?;
            let modem = started.add_modem(profile).await?;
            println!("DBUS_SYSTEM_BUS_ADDRESS={}", started.address());
            lab = Some(started);
            modem
        }
    };
    println!("{}", lab::WORDS);
    let (lines, mut said) = tokio::sync::mpsc::channel::<String>(16);
    // A thread of its own, not tokio's stdin: that one would hold up the end of the process.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    let working = async {
        while let Some(line) = said.recv().await {
            match lab::obey(&modem, &line) {
                Ok(told) if told.is_empty() => {}
                Ok(told) => println!("{told}"),
                Err(error) => eprintln!("{error}"),
            }
        }
        Ok(())
    };
    let ended = tokio::select! {
        ended = until_stopped(false) => ended,
        ended = working => ended,
    };
    drop(lab);
    ended
}

/// Waits for SIGINT, SIGTERM or, where asked, the end of standard input.
async fn until_stopped(stdin: bool) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let closed = async {
        // A thread of its own, not tokio's stdin: that one would hold up the end of the process.
        let (open, closed) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            // However reading ends, it has ended.
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            drop(open);
        });
        let _ = closed.await;
    };
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        () = closed, if stdin => Ok(()),
    }
}

/// Says every report as it comes; with nobody listening any more it serves on, silently.
async fn tell(mut reports: broadcast::Receiver<Report>) {
    loop {
        match reports.recv().await {
            Ok(report) if say(&report).is_err() => return,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn say(report: &Report) -> anyhow::Result<()> {
    use std::io::Write as _;
    let line = serde_json::to_string(report)?;
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

/// The D-Bus address of a Unix socket, not escaped: zbus takes the path as it stands.
fn bus_address(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    format!("unix:path={}", path.display())
}

fn remove_socket(path: Option<&Path>) {
    if let Some(path) = path {
        // Gone already, perhaps.
        let _ = std::fs::remove_file(path);
    }
}
