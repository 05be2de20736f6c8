//! A simulated modem beside the service: a program of its own, so that the service stays small.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// The simulator's program.
const PROGRAM: &str = "simbell-modemsim";

/// A simulator that runs for as long as this value lives.
#[derive(Debug)]
pub struct Simulator {
    _child: Child,
    /// Closed when the service ends, however it ends: then the simulator ends too.
    _until_closed: Option<ChildStdin>,
    socket: PathBuf,
    /// The address to watch.
    pub address: String,
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.socket);
    }
}

impl Simulator {
    /// Starts the simulator on a scenario and waits until it serves.
    ///
    /// # Errors
    /// When the program is not there, or refuses the scenario: what it said.
    pub async fn start(scenario: &Path, dir: &Path) -> anyhow::Result<Self> {
        let program = find();
        let socket = dir.join("modemsim.sock");
        // One of a service that was killed may lie there still.
        let _ = std::fs::remove_file(&socket);
        let mut child = Command::new(&program)
            .args(["lookalike", "--until-stdin-closes", "--scenario"])
            .arg(scenario)
            .arg("--socket")
            .arg(&socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!(
                    "the simulator {} cannot be started; build it with `cargo build -p simbell-modemsim`, or put it \
                     beside simbelld",
                    program.display()
                )
            })?;
        let until_closed = child.stdin.take();
        let Some(stdout) = child.stdout.take() else { bail!("the simulator has no output") };
        let mut lines = BufReader::new(stdout).lines();
        let Some(first) = lines.next_line().await.context("the simulator's output cannot be read")? else {
            bail!("the simulator refused the scenario {}; what it said stands above", scenario.display());
        };
        tracing::debug!(line = %first, "simulator");
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                tracing::debug!(%line, "simulator");
            }
        });
        let address = format!("unix:path={}", socket.display());
        Ok(Self { _child: child, _until_closed: until_closed, socket, address })
    }
}

fn find() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(PROGRAM)));
    beside.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from(PROGRAM))
}
