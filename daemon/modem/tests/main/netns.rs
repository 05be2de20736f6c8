//! A network namespace for one test: the test's own process, run again under `unshare --net`.

use std::path::Path;
use std::process::{Child, Command, Stdio};

const INSIDE: &str = "SIMBELL_TEST_NETNS";

/// Runs `body` in a fresh network namespace; `name` is the test's full name.
pub fn inside(name: &str, body: impl AsyncFnOnce()) {
    if std::env::var_os(INSIDE).is_none() {
        let status = Command::new("unshare")
            .args(["--net", "--"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env(INSIDE, "1")
            .status()
            .expect("unshare is needed: install util-linux, and run as root");
        assert!(status.success(), "{name} failed in its network namespace (root is needed)");
        return;
    }
    // Neighbour discovery would send packets nobody asked for.
    if Path::new("/proc/sys/net/ipv6").exists() {
        std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").unwrap();
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(body());
}

/// Runs a command and gives its output.
pub fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap();
    let output = Command::new(program)
        .args(words)
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed: install iproute2 and nftables ({error})"));
    assert!(
        output.status.success(),
        "{command}: {}{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Another network namespace, which ends with this value.
pub struct Neighbour(Child);

impl Neighbour {
    pub fn new() -> Self {
        let mut child = Command::new("unshare")
            .args(["--net", "--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare is needed: install util-linux");
        // What cat echoes was read after unshare: the namespace is there.
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"x").unwrap();
        let mut echoed = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut echoed).unwrap();
        Self(child)
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
