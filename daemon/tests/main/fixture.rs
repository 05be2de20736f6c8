//! The real service beside a look-alike of ModemManager, and the means to look into both.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use simbell_api::{Client, GetUsageParams, Sim, StatusReply, UsageOutput};
use simbell_modemsim::lookalike::{BearerHandle, BearerSpec, Lookalike, ModemSpec, SimSpec};
use tempfile::TempDir;

pub const SIMBELLD: &str = env!("CARGO_BIN_EXE_simbelld");
pub const HOME: &str = "8900100000000000017";
pub const OTHER: &str = "8900100000000000025";
pub const PORT: &str = "wwan0";

/// Anything awaited comes within this, on the slowest machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A directory of one test: configuration, state, socket, logs.
pub struct Place {
    pub dir: PathBuf,
    _temporary: TempDir,
}

impl Place {
    pub fn new(name: &str) -> Self {
        let temporary = tempfile::Builder::new().prefix(&format!("simbell-{name}-")).tempdir().unwrap();
        let dir = temporary.path().to_owned();
        fs::create_dir_all(dir.join("state")).unwrap();
        fs::create_dir_all(dir.join("etc/rules.d")).unwrap();
        Self { dir, _temporary: temporary }
    }

    /// The configuration: the sections named here besides those every test needs.
    pub fn configure(&self, bus: &str, more: &str) {
        let state = self.state().display().to_string();
        let socket = self.socket().display().to_string();
        let text = format!(
            "timezone = \"UTC\"\n\
             [service]\nclock = \"plausible\"\nlog = \"debug\"\nbus = \"{bus}\"\nstate_dir = \"{state}\"\n\
             socket = \"{socket}\"\n\
             [rules]\nplugin_dirs = []\n\
             [sims.home]\niccid = \"{HOME}\"\n{more}\n"
        );
        fs::write(self.config().join("simbell.toml"), text).unwrap();
    }

    pub fn config(&self) -> PathBuf {
        self.dir.join("etc")
    }

    pub fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    pub fn rule(&self, name: &str, text: &str) {
        fs::write(self.config().join("rules.d").join(format!("{name}.rhai")), text).unwrap();
    }

    /// Runs simbellctl against the service of this place.
    pub fn ctl(&self, arguments: &[&str]) -> std::process::Output {
        let socket = self.socket();
        Command::new(crate::bell::beside("simbellctl"))
            .arg("--socket")
            .arg(socket)
            .args(arguments)
            .output()
            .unwrap()
    }

    pub fn ledger(&self) -> rusqlite::Connection {
        let ledger = rusqlite::Connection::open(self.state().join("ledger.db")).unwrap();
        ledger.busy_timeout(Duration::from_secs(10)).unwrap();
        ledger
    }

    /// Reasons of all gaps in the ledger.
    pub fn gaps(&self) -> Vec<String> {
        let ledger = self.ledger();
        let mut rows = ledger.prepare("SELECT reason FROM gap ORDER BY id").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("the service's log ends:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The running service.
pub struct Daemon {
    child: Child,
    socket: PathBuf,
}

impl Daemon {
    /// Starts it, in a network namespace where one is named, and waits until it answers.
    pub async fn start(place: &Place, namespace: Option<&str>) -> Self {
        Self::spawn(place, namespace).answers().await
    }

    async fn answers(mut self) -> Self {
        let deadline = Instant::now() + PATIENCE;
        while Client::connect(&self.socket).await.is_err() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the service ended: {status}");
            }
            assert!(Instant::now() < deadline, "the service does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self
    }

    /// Starts it without waiting.
    pub fn spawn(place: &Place, namespace: Option<&str>) -> Self {
        Self::spawn_by(
            place,
            match namespace {
                Some(namespace) => {
                    let mut command = Command::new("ip");
                    command.args(["netns", "exec", namespace, SIMBELLD]);
                    command
                }
                None => Command::new(SIMBELLD),
            },
        )
    }

    /// Starts it in a time namespace whose `CLOCK_BOOTTIME` is ahead by so many seconds, as after so long a suspend:
    /// `CLOCK_MONOTONIC` is not.
    pub async fn start_ahead(place: &Place, namespace: Option<&str>, seconds: u64) -> Self {
        let mut command = Command::new(if namespace.is_some() { "ip" } else { "unshare" });
        if let Some(namespace) = namespace {
            command.args(["netns", "exec", namespace, "unshare"]);
        }
        command.args(["--time", "--boottime", &seconds.to_string(), "--", SIMBELLD]);
        Self::spawn_by(place, command).answers().await
    }

    fn spawn_by(place: &Place, mut command: Command) -> Self {
        let log = File::options().create(true).append(true).open(place.dir.join("log")).unwrap();
        command.arg("--config").arg(place.config());
        for variable in
            ["NOTIFY_SOCKET", "LISTEN_FDS", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "JOURNAL_STREAM"]
        {
            command.env_remove(variable);
        }
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { child, socket: place.socket() }
    }

    /// Asks it to stop, as systemd does.
    pub fn terminate(&mut self) -> ExitStatus {
        kill_process(self.pid(), Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it lived until it was killed");
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        until("the service ends", async || self.child.try_wait().unwrap()).await
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub async fn client(&self) -> Client {
        Client::connect(&self.socket).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn status(&self) -> StatusReply {
        self.client().await.status().await.unwrap()
    }

    pub async fn sim(&self, iccid: &str) -> Sim {
        let sims = self.client().await.sims().await.unwrap();
        sims.into_iter().find(|sim| sim.iccid == iccid).unwrap_or_else(|| panic!("no SIM {iccid}"))
    }

    /// Waits for a SIM to be as asked.
    pub async fn sim_is(&self, what: &str, iccid: &str, is: impl Fn(&Sim) -> bool) -> Sim {
        until(what, async || {
            let sims = self.client().await.sims().await.unwrap();
            sims.into_iter().find(|sim| sim.iccid == iccid && is(sim))
        })
        .await
    }

    /// Waits for a warning to show, and gives its text.
    pub async fn warned(&self, code: &str) -> String {
        until(code, async || {
            let warnings = self.status().await.service.warnings;
            warnings.into_iter().find(|warning| warning.code == code).map(|warning| warning.text)
        })
        .await
    }

    /// Waits for a warning to go.
    pub async fn well(&self, code: &str) {
        until(&format!("{code} is over"), async || {
            let warnings = self.status().await.service.warnings;
            warnings.iter().all(|warning| warning.code != code).then_some(())
        })
        .await;
    }

    pub async fn usage(&self, iccid: &str) -> UsageOutput {
        let question = GetUsageParams {
            sim: Some(iccid.to_owned()),
            by: "hour".to_owned(),
            from: Some("2026-01-01".to_owned()),
            ..GetUsageParams::default()
        };
        self.client().await.usage(&question).await.unwrap()
    }

    /// All bytes of a SIM in the ledger, received and sent.
    pub async fn counted(&self, iccid: &str) -> (u64, u64) {
        let total = self.usage(iccid).await.total;
        (total.rx_bytes, total.tx_bytes)
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for something to come true.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A message bus at a place of its own, where it can be started again.
pub struct Bus {
    child: Child,
    path: PathBuf,
}

impl Bus {
    pub fn start(path: &Path) -> Self {
        let _ = fs::remove_file(path);
        let mut child = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--address=unix:path={}", path.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is needed: install the package dbus");
        // It prints its address when it listens.
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        assert!(line.starts_with("unix:"), "{line}");
        Self { child, path: path.to_owned() }
    }

    pub fn address(&self) -> String {
        format!("unix:path={}", self.path.display())
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn sim_spec(iccid: &str) -> SimSpec {
    SimSpec { iccid: iccid.to_owned(), imsi: format!("00101{}", &iccid[9..]), ..SimSpec::default() }
}

/// One modem with the SIM that the configuration calls home.
pub fn modem_spec() -> ModemSpec {
    ModemSpec { net_port: PORT.to_owned(), slots: vec![vec![sim_spec(HOME)]], ..ModemSpec::numbered(0) }
}

pub fn look_alike(spec: ModemSpec) -> Lookalike {
    Lookalike::builder().modem(spec).stats_every(Duration::ZERO).start()
}

/// A place with a bus, a look-alike on it, and the configuration for both.
pub struct Scene {
    pub look: Lookalike,
    pub bus: Bus,
    pub place: Place,
}

impl Scene {
    pub async fn new(name: &str, spec: ModemSpec, more: &str) -> Self {
        Self::with(name, look_alike(spec), more).await
    }

    /// With a look-alike of one's own.
    pub async fn with(name: &str, look: Lookalike, more: &str) -> Self {
        let place = Place::new(name);
        let bus = Bus::start(&place.dir.join("bus"));
        place.configure(&bus.address(), more);
        look.serve_on(&bus.address()).await.unwrap();
        Self { look, bus, place }
    }

    /// Connects the modem through an interface and waits until the service follows.
    pub async fn connect(&self, daemon: &Daemon, iccid: &str, spec: BearerSpec) -> BearerHandle {
        daemon.sim_is("the SIM is in use", iccid, |sim| sim.active == Some(true)).await;
        let bearer = self.look.connect_bearer(0, spec).unwrap();
        daemon
            .sim_is("it is connected and measured", iccid, |sim| sim.connected == Some(true) && sim.measured)
            .await;
        bearer
    }

    pub async fn disconnect(&self, daemon: &Daemon, iccid: &str, bearer: &BearerHandle) {
        self.look.disconnect(bearer, None);
        daemon.sim_is("it is disconnected", iccid, |sim| sim.connected == Some(false)).await;
    }
}

/// A connection through the modem's network interface.
pub fn over_link() -> BearerSpec {
    BearerSpec { apn: "internet".to_owned(), interface: Some(PORT.to_owned()), ..BearerSpec::default() }
}

/// A connection without a network interface: ModemManager's figures are the traffic.
pub struct Traffic<'a> {
    pub scene: &'a Scene,
    pub bearer: BearerHandle,
    pub total: (u64, u64),
}

impl<'a> Traffic<'a> {
    pub async fn begin(scene: &'a Scene, daemon: &Daemon) -> Self {
        let spec = BearerSpec { interface: Some("cdc-wdm0".to_owned()), stats: true, ..over_link() };
        Self { scene, bearer: scene.connect(daemon, HOME, spec).await, total: (0, 0) }
    }

    pub fn pass(&mut self, rx: u64, tx: u64) {
        self.scene.look.add_traffic(&self.bearer, rx, tx).unwrap();
        self.scene.look.publish_stats();
        self.total = (self.total.0 + rx, self.total.1 + tx);
    }

    /// Waits until all of it shows in memory.
    pub async fn is_measured(&self, daemon: &Daemon) {
        let all = self.total.0 + self.total.1;
        daemon.sim_is("it is measured", HOME, |sim| sim.measured_bytes == all).await;
    }

    /// Waits until all of it is in the ledger.
    pub async fn is_counted(&self, daemon: &Daemon) {
        until("it is counted", async || (daemon.counted(HOME).await == self.total).then_some(())).await;
        self.is_measured(daemon).await;
    }
}

/// Nothing but what a test does is written: no daily copy, and a commit for each bit of traffic.
pub const BARE: &str = "[counting]\nmax_unsaved_bytes = \"60 kB\"\n[history]\nbackups = 0\n";

/// Names of the files that were set aside in the state directory.
pub fn aside(scene: &Scene, word: &str) -> Vec<String> {
    let entries = fs::read_dir(scene.place.state()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(word) && !name.ends_with("-wal")).collect()
}
