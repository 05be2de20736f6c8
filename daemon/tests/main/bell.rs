//! simbelld as a process: a home with configuration, rules and a ledger, and what its control socket says.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use simbell_api::{Channel, GetUsageParams, Reminder, Rule, Sim, StatusReply, UsageRow, Warning};
use simbell_api::{Client, ClientError};
use tempfile::TempDir;

/// Ends a test that would wait for ever.
pub const DEADLINE: Duration = Duration::from_secs(90);
const BETWEEN: Duration = Duration::from_millis(40);
const SIMBELLD: &str = env!("CARGO_BIN_EXE_simbelld");

/// Looks until there is something to see.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(BETWEEN).await;
        }
    };
    match tokio::time::timeout(DEADLINE, looking).await {
        Ok(found) => found,
        Err(_) => panic!("in {} s never seen: {what}", DEADLINE.as_secs()),
    }
}

/// A program of this workspace, built beside the service.
pub fn beside(program: &str) -> PathBuf {
    let path = Path::new(SIMBELLD).with_file_name(program);
    assert!(path.is_file(), "{program} is missing: run `cargo build --workspace --bins`");
    path
}

/// Where a service keeps everything; removed with this value.
#[derive(Debug)]
pub struct Home(TempDir);

impl Home {
    /// A home whose `simbell.toml` is `config`: no shipped rules, a clock that is believed, times in UTC.
    pub fn new(config: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        for dir in ["etc/conf.d", "etc/rules.d", "state", "credentials"] {
            fs::create_dir_all(home.path(dir)).unwrap();
        }
        let base = "timezone = \"UTC\"\n[service]\nclock = \"plausible\"\n[rules]\nplugin_dirs = []\n";
        fs::write(home.path("etc/conf.d/00-base.toml"), base).unwrap();
        home.config(config);
        home
    }

    /// The same with the rules that come with the program.
    pub fn with_shipped_rules(self) -> Self {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/rules");
        let text = format!("[rules]\nplugin_dirs = [{:?}]\n", plugins.canonicalize().unwrap());
        fs::write(self.path("etc/conf.d/10-shipped.toml"), text).unwrap();
        self
    }

    /// The same with a rule of the user's own.
    pub fn with_rule(self, name: &str, text: &str) -> Self {
        self.rule(name, text);
        self
    }

    /// Replaces `simbell.toml`.
    pub fn config(&self, text: &str) {
        fs::write(self.path("etc/simbell.toml"), text).unwrap();
    }

    /// Writes a rule of the user's own.
    pub fn rule(&self, name: &str, text: &str) {
        fs::write(self.path(&format!("etc/rules.d/{name}.rhai")), text).unwrap();
    }

    /// Hands over a credential, as systemd does.
    pub fn credential(&self, name: &str, secret: &str) {
        fs::write(self.path("credentials").join(name), secret).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn socket(&self) -> PathBuf {
        self.path("state/control.sock")
    }

    /// Runs SQL on the ledger and gives what it prints; only while no service runs.
    pub fn sql(&self, statement: &str) -> String {
        let ledger = self.path("state/ledger.db");
        let output = Command::new("sqlite3")
            .arg(ledger)
            .arg(statement)
            .output()
            .unwrap_or_else(|error| panic!("sqlite3: {error}; install the package sqlite3"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts the service on the bus at this address.
    pub async fn start(&self, bus: &str) -> Bell<'_> {
        self.start_by(Command::new(SIMBELLD), &["--bus", bus]).await
    }

    /// Starts the service on a simulated modem that follows a scenario.
    pub async fn simulate(&self, scenario: &str) -> Bell<'_> {
        beside("simbell-modemsim");
        let file = self.path("scenario.toml");
        fs::write(&file, scenario).unwrap();
        self.start_by(Command::new(SIMBELLD), &["--simulate", file.to_str().unwrap()]).await
    }

    /// Starts the service where the lab's programs live.
    pub async fn start_in(&self, lab: &simbell_modemsim::lab::Lab) -> Bell<'_> {
        self.start_by(lab.command(SIMBELLD).unwrap(), &["--bus", lab.address()]).await
    }

    /// The same as a user without rights.
    pub async fn start_in_as(&self, lab: &simbell_modemsim::lab::Lab, user: &str) -> Bell<'_> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = passwd.lines().find(|line| line.starts_with(&format!("{user}:"))).unwrap();
        let uid: u32 = line.split(':').nth(2).unwrap().parse().unwrap();
        for dir in ["state", "credentials"] {
            chown(self.path(dir), Some(uid), None).unwrap();
        }
        let bell = self.start_by(lab.command_as(user, SIMBELLD).unwrap(), &["--bus", lab.address()]).await;
        assert_eq!(fs::metadata(format!("/proc/{}", bell.child.id())).unwrap().uid(), uid);
        bell
    }

    async fn start_by(&self, command: Command, arguments: &[&str]) -> Bell<'_> {
        // The kernel ends it with the test, however that ends.
        let mut bound = Command::new("setpriv");
        bound.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            bound.env(key, value.unwrap_or_default());
        }
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        bound
            .arg("--config")
            .arg(self.path("etc"))
            .arg("--state-dir")
            .arg(self.path("state"))
            .arg("--socket")
            .arg(self.socket())
            .args(arguments)
            .env("CREDENTIALS_DIRECTORY", self.path("credentials"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut bell = Bell { child: bound.spawn().expect("setpriv; install util-linux"), home: self };
        let socket = self.socket();
        until("the control socket", async || {
            let ended = bell.child.try_wait().unwrap();
            assert!(ended.is_none(), "simbelld ended: {ended:?}\n{}", self.log());
            Client::connect(&socket).await.ok()
        })
        .await;
        bell
    }

    /// What services of this home logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- simbelld logged:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
}

/// A service that runs; killed with this value.
#[derive(Debug)]
pub struct Bell<'a> {
    child: Child,
    home: &'a Home,
}

impl Drop for Bell<'_> {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Bell<'_> {
    /// `kill -9`.
    pub fn kill(self) {
        drop(self);
    }

    /// `SIGTERM`: it ends in order.
    pub async fn stop(mut self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let status = until("the end of simbelld", async || self.child.try_wait().unwrap()).await;
        assert!(status.success(), "{status}\n{}", self.home.log());
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.home.socket()).await.unwrap()
    }

    pub async fn status(&self) -> StatusReply {
        self.client().await.status().await.unwrap()
    }

    pub async fn sims(&self) -> Vec<Sim> {
        self.client().await.sims().await.unwrap()
    }

    pub async fn rules(&self) -> Vec<Rule> {
        self.client().await.rules().await.unwrap()
    }

    pub async fn reminders(&self) -> Vec<Reminder> {
        self.client().await.reminders().await.unwrap()
    }

    pub async fn channel(&self, name: &str) -> Channel {
        let channels = self.client().await.channels().await.unwrap();
        channels.into_iter().find(|channel| channel.name == name).unwrap()
    }

    pub async fn reload(&self) -> Result<simbell_api::ReloadReply, ClientError> {
        self.client().await.reload().await
    }

    pub async fn warning(&self, code: &str) -> Option<Warning> {
        self.status().await.service.warnings.into_iter().find(|warning| warning.code == code)
    }

    /// Waits for a warning and gives its text.
    pub async fn warns(&self, code: &str) -> String {
        until(code, async || self.warning(code).await).await.text
    }

    /// Waits until a warning is over.
    pub async fn is_well(&self, code: &str) {
        until(&format!("the end of {code}"), async || self.warning(code).await.is_none().then_some(())).await;
    }

    pub async fn sim(&self, iccid: &str) -> Option<Sim> {
        self.sims().await.into_iter().find(|sim| sim.iccid == iccid)
    }

    /// Waits until the SIM is as wanted.
    pub async fn sim_is(&self, what: &str, iccid: &str, wanted: impl Fn(&Sim) -> bool) -> Sim {
        let mut last = None;
        let looking = until(what, async || {
            last = self.sim(iccid).await;
            last.clone().filter(|sim| wanted(sim))
        });
        looking.await
    }

    pub async fn reminder(&self, key: &str) -> Option<Reminder> {
        self.reminders().await.into_iter().find(|reminder| reminder.key == key)
    }

    /// Waits for a reminder whose key begins so and that is as wanted.
    pub async fn reminder_is(&self, begins: &str, wanted: impl Fn(&Reminder) -> bool) -> Reminder {
        until(begins, async || {
            self.reminders().await.into_iter().find(|r| r.key.starts_with(begins) && wanted(r))
        })
        .await
    }

    /// Waits until no such reminder is live.
    pub async fn is_resolved(&self, begins: &str) {
        until(&format!("the end of {begins}"), async || {
            let live = self.reminders().await;
            (!live.iter().any(|r| r.key.starts_with(begins))).then_some(())
        })
        .await;
    }

    /// Usage by hour, rows as the ledger has them.
    pub async fn usage(&self, iccid: &str) -> Vec<UsageRow> {
        let question = GetUsageParams {
            sim: Some(iccid.to_owned()),
            by: "hour".to_owned(),
            ..GetUsageParams::default()
        };
        self.client().await.usage(&question).await.unwrap().rows
    }

    /// Bytes received and sent in zones that begin so.
    pub async fn used_in(&self, iccid: &str, zone: &str) -> (u64, u64) {
        let rows = self.usage(iccid).await;
        let rows = rows.iter().filter(|row| row.zone.starts_with(zone));
        rows.fold((0, 0), |sum, row| (sum.0 + row.rx_bytes, sum.1 + row.tx_bytes))
    }
}
