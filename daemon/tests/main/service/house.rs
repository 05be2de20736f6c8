//! A directory for one service, the service in it, and whoever systemd would be.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const SIMBELLD: &str = env!("CARGO_BIN_EXE_simbelld");

/// Far beyond what anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What systemd would set, and the machine that runs the tests must not.
const OF_SYSTEMD: [&str; 10] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "CREDENTIALS_DIRECTORY",
    "STATE_DIRECTORY",
    "RUNTIME_DIRECTORY",
    "JOURNAL_STREAM",
];

/// A directory of a test's own, gone with it.
pub struct House {
    dir: TempDir,
    started: AtomicU32,
}

impl House {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/conf.d")).unwrap();
        let house = Self { dir, started: AtomicU32::new(0) };
        house.configure("");
        house
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the configuration; rules that come with the program are found where they are in the repository.
    pub fn configure(&self, toml: &str) {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/rules");
        let shipped = format!("[rules]\nplugin_dirs = [{:?}]\n", plugins.display().to_string());
        fs::write(self.path("etc/simbell.toml"), toml).unwrap();
        fs::write(self.path("etc/conf.d/shipped.toml"), shipped).unwrap();
    }

    /// The service's command line; no bus is there, and nothing of systemd's is set.
    pub fn command(&self) -> Command {
        let mut command = Command::new(SIMBELLD);
        self.arguments(&mut command);
        command
    }

    /// Adds the service's arguments and environment to a command that starts it.
    pub fn arguments(&self, command: &mut Command) {
        command.arg("--config").arg(self.path("etc")).arg("--state-dir").arg(self.path("state"));
        command.arg("--socket").arg(self.path("control.sock")).args(["--bus", "unix:path=/nonexistent"]);
        for name in OF_SYSTEMD {
            command.env_remove(name);
        }
    }

    /// Starts it, with its logs in a file.
    pub fn start(&self, mut command: Command) -> Service {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let log = self.path(&format!("log-{number}"));
        let file = fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        Service { child: command.spawn().unwrap(), log }
    }

    /// Starts it as systemd would, and waits for its word.
    pub fn start_notified(&self, mut command: Command) -> (Service, Systemd) {
        let systemd = Systemd::listen(&self.path("notify"));
        command.env("NOTIFY_SOCKET", self.path("notify"));
        let service = self.start(command);
        systemd.wait("READY=1");
        (service, systemd)
    }

    pub fn call(&self, method: &str, parameters: &Value) -> Value {
        call(&self.path("control.sock"), method, parameters)
    }

    /// Everything in all logs.
    pub fn logs(&self) -> String {
        (0..self.started.load(Ordering::Relaxed))
            .map(|number| fs::read_to_string(self.path(&format!("log-{number}"))).unwrap())
            .collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the service said:\n{}", self.logs());
        }
    }
}

/// A service that runs; killed when dropped.
pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        until(|| self.child.try_wait().unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tries until there is something. For what tells nobody when it happens.
pub fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < end, "it did not happen in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The end of `NOTIFY_SOCKET` that systemd holds.
pub struct Systemd(Receiver<String>);

impl Systemd {
    pub fn listen(path: &Path) -> Self {
        let _old = fs::remove_file(path);
        let socket = UnixDatagram::bind(path).unwrap();
        let (said, heard) = channel();
        // systemd always reads: a queue that is full would hold up whoever tells it something.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                if said.send(String::from_utf8(buffer[..length].to_vec()).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self(heard)
    }

    /// The next message, whose lines are assignments.
    pub fn next(&self) -> String {
        self.0.recv_timeout(PATIENCE).expect("the service tells systemd something")
    }

    /// Waits for a message with a line that begins so, and returns the message.
    pub fn wait(&self, begins: &str) -> String {
        loop {
            let message = self.next();
            if message.lines().any(|line| line.starts_with(begins)) {
                return message;
            }
        }
    }
}

/// Calls a method on a Varlink socket and returns the answer as it is.
pub fn call(socket: &Path, method: &str, parameters: &Value) -> Value {
    let mut answers = calls(socket, &json!({ "method": method, "parameters": parameters }));
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// Sends a call and returns its answers, of which all but the last announce another.
pub fn calls(socket: &Path, call: &Value) -> Vec<Value> {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("{call}\0").as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut answers = Vec::new();
    loop {
        let mut answer = Vec::new();
        reader.read_until(0, &mut answer).unwrap();
        assert_eq!(answer.pop(), Some(0), "an answer ends with NUL");
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let more = answer["continues"] == true;
        answers.push(answer);
        if !more {
            return answers;
        }
    }
}
