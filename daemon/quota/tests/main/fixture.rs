//! A veth pair between two network namespaces, the helper in one of them, and a client of it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use simbell_quota::protocol::{Arm, Counts, Reply, Request, VERSION, line};
use tempfile::TempDir;

pub const HELPER: &str = env!("CARGO_BIN_EXE_simbell-quota");
/// Anything awaited comes within this, on the slowest machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
const NEAR_MAC: &str = "02:00:00:00:00:01";
const FAR_MAC: &str = "02:00:00:00:00:02";
const UDP_PORT: u16 = 4711;

/// IP and UDP headers.
pub const V4: u64 = 28;
pub const V6: u64 = 48;

/// Two namespaces with links between them.
pub struct Lab {
    pub near: String,
    far: String,
    dir: TempDir,
    v6: bool,
}

/// A link of the near namespace, with sockets at both ends.
pub struct Link {
    pub index: u32,
    host: Vec<UdpSocket>,
    network: Vec<UdpSocket>,
    number: u8,
}

impl Lab {
    /// With IPv4 alone.
    pub fn new() -> Self {
        Self::with(false)
    }

    /// With IPv6 too, and none of the messages that it sends of its own accord.
    pub fn with_v6() -> Self {
        Self::with(true)
    }

    fn with(v6: bool) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let tag = format!("sq{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let (near, far) = (format!("{tag}-near"), format!("{tag}-far"));
        for namespace in [&near, &far] {
            run(&format!("ip netns add {namespace}"));
            run(&if v6 {
                format!(
                    "ip netns exec {namespace} nft 'table inet quiet {{ chain out {{ type filter hook output \
                     priority 0; icmpv6 type != echo-request drop; }} ; }}'"
                )
            } else {
                format!(
                    "ip netns exec {namespace} sh -c \
                     'for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 >$f; done'"
                )
            });
        }
        // Clients of other users reach the socket in it.
        let dir =
            tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap();
        Self { near, far, dir, v6 }
    }

    /// A link of this name; the number makes its addresses.
    pub fn link(&self, name: &str, number: u8) -> Link {
        let Self { near, far, .. } = self;
        run(&format!(
            "ip -n {near} link add '{name}' address {NEAR_MAC} type veth peer name net{number} address {FAR_MAC} netns {far}"
        ));
        for (namespace, port, own, other, mac) in
            [(near, name, 1, 2, FAR_MAC), (far, &format!("net{number}"), 2, 1, NEAR_MAC)]
        {
            // Nothing but what a test sends may pass: no neighbour discovery, no multicast of the kernel's own.
            for (own, other, length) in [
                (IpAddr::from(v4(number, own)), IpAddr::from(v4(number, other)), 24),
                (IpAddr::from(v6(number, own)), IpAddr::from(v6(number, other)), 64),
            ] {
                if own.is_ipv6() && !self.v6 {
                    continue;
                }
                let nodad = if own.is_ipv6() { "nodad" } else { "" };
                run(&format!(
                    "printf '%s\\n' 'link set {port} addrgenmode none' 'link set {port} multicast off' \
                     'addr add {own}/{length} dev {port} {nodad}' 'link set {port} up' \
                     'neigh replace {other} lladdr {mac} nud permanent dev {port}' | ip -n {namespace} -b -"
                ));
            }
        }
        let deadline = Instant::now() + PATIENCE;
        for (namespace, port) in [(near, name), (far, &format!("net{number}"))] {
            while !run(&format!("ip -n {namespace} link show '{port}'")).contains("state UP") {
                assert!(Instant::now() < deadline, "{port} does not come up");
                std::thread::yield_now();
            }
        }
        let index = run(&format!("ip netns exec {near} cat '/sys/class/net/{name}/ifindex'"));
        let both = |namespace: &str, end: u8| {
            let addresses = [IpAddr::from(v4(number, end)), IpAddr::from(v6(number, end))].into_iter();
            addresses
                .filter(|address| self.v6 || address.is_ipv4())
                .map(|address| socket(namespace, address))
                .collect()
        };
        Link { index: index.trim().parse().unwrap(), host: both(near, 1), network: both(far, 2), number }
    }

    /// The loopback link, over which nothing passes.
    pub fn loopback(&self) -> Link {
        Link { index: 1, host: Vec::new(), network: Vec::new(), number: 0 }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("quota.sock")
    }

    /// Runs a line of shell beside the helper.
    pub fn near(&self, line: &str) -> String {
        run(&format!("ip netns exec {} sh -c '{line}'", self.near))
    }

    pub fn tables(&self) -> String {
        self.near("nft list tables")
    }

    /// Waits until nothing of the helper's is left in the kernel.
    pub fn cleared(&self) {
        until("the table is gone", || (!self.tables().contains("simbell")).then_some(()));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in [&self.near, &self.far] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).status();
        }
    }
}

impl Link {
    /// A datagram with this payload to the host, arrived when it returns.
    pub fn download(&self, payload: usize) {
        pass(&self.network[0], v4(self.number, 1).into(), &self.host[0], payload);
    }

    /// A datagram with this payload from the host, arrived when it returns.
    pub fn upload(&self, payload: usize) {
        pass(&self.host[0], v4(self.number, 2).into(), &self.network[0], payload);
    }

    pub fn download_v6(&self, payload: usize) {
        pass(&self.network[1], v6(self.number, 1).into(), &self.host[1], payload);
    }

    pub fn upload_v6(&self, payload: usize) {
        pass(&self.host[1], v6(self.number, 2).into(), &self.network[1], payload);
    }
}

/// The helper, running.
pub struct Helper {
    child: Child,
    pub socket: PathBuf,
}

impl Helper {
    pub fn start(lab: &Lab, options: &[&str]) -> Self {
        Self::start_as(lab, &[], options)
    }

    /// Run by another program, such as setpriv.
    pub fn start_as(lab: &Lab, by: &[&str], options: &[&str]) -> Self {
        let mut helper = Self::spawn(lab, by, options);
        let deadline = Instant::now() + PATIENCE;
        while UnixStream::connect(&helper.socket).is_err() {
            if let Some(status) = helper.child.try_wait().unwrap() {
                panic!("the helper ended: {status}");
            }
            assert!(Instant::now() < deadline, "the helper does not listen");
            std::thread::yield_now();
        }
        helper
    }

    pub fn spawn(lab: &Lab, by: &[&str], options: &[&str]) -> Self {
        let socket = lab.socket();
        let child = Command::new("ip")
            .args(["netns", "exec", &lab.near])
            .args(by)
            .arg(HELPER)
            .arg("--socket")
            .arg(&socket)
            .args(["--user", "0"])
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, socket }
    }

    /// A client that is let in. One that has gone may be held open for a moment by a program that another test starts.
    pub fn client(&self) -> Client {
        until("there is no other client", || {
            let mut client = Client::connect(&self.socket);
            client.say(&Request::Hello { version: VERSION });
            match client.hear() {
                Reply::Hello { version: VERSION } => Some(client),
                Reply::Refused { kind, .. } if kind == "busy" => None,
                other => panic!("{other:?}"),
            }
        })
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn terminate(&mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }

    pub fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end, and gives what it said.
    pub fn ended(&mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(self.child.stderr.as_mut().unwrap(), &mut said).unwrap();
        (status, said)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whoever asks the helper.
pub struct Client {
    pub stream: UnixStream,
    lines: BufReader<UnixStream>,
}

impl Client {
    pub fn connect(socket: &std::path::Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { lines: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    /// Whoever is refused may find the connection closed already; the refusal is there to be read.
    pub fn say(&mut self, request: &Request) {
        let _ = self.stream.write_all(&line(request).unwrap());
    }

    pub fn hear(&mut self) -> Reply {
        let mut text = String::new();
        self.lines.read_line(&mut text).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    /// What is said until the connection is closed.
    pub fn last_words(&mut self) -> String {
        let mut text = String::new();
        // Reset where what was said last was not read any more.
        let _ = std::io::Read::read_to_string(&mut self.lines, &mut text);
        text
    }

    pub fn ask_to_arm(&mut self, id: u32, links: &[&Link], counts: Counts, bytes: u64) {
        let links = links.iter().map(|link| link.index).collect();
        self.say(&Request::Arm(Arm { id, links, counts, bytes }));
    }

    pub fn arm(&mut self, id: u32, links: &[&Link], counts: Counts, bytes: u64) {
        self.ask_to_arm(id, links, counts, bytes);
        assert_eq!(self.hear(), Reply::Armed { id });
    }

    pub fn crossed(&mut self, id: u32) {
        assert_eq!(self.hear(), Reply::Crossed { id });
    }

    /// What the kernel told before this was passed on before the answer to this.
    pub fn nothing_said(&mut self) {
        self.say(&Request::Disarm { id: u32::MAX });
        assert_eq!(self.hear(), Reply::Disarmed { id: u32::MAX });
    }
}

/// Waits for something to come true.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a line of shell and gives its output.
pub fn run(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(
        output.status.success(),
        "{line}: {}{} (root, iproute2 and nftables are needed)",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn v4(number: u8, end: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, number, end)
}

fn v6(number: u8, end: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, u16::from(number), 0, 0, 0, u16::from(end))
}

fn pass(from: &UdpSocket, to: IpAddr, at: &UdpSocket, payload: usize) {
    let mut buffer = [7_u8; 2048];
    from.send_to(&buffer[..payload], SocketAddr::from((to, UDP_PORT))).unwrap();
    let (length, _) = at.recv_from(&mut buffer).expect("the datagram arrives");
    assert_eq!(length, payload);
}

/// A socket stays in the namespace it was made in.
fn socket(namespace: &str, address: IpAddr) -> UdpSocket {
    let file = File::open(format!("/run/netns/{namespace}")).unwrap();
    let made = std::thread::spawn(move || {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        UdpSocket::bind(SocketAddr::from((address, UDP_PORT))).unwrap()
    });
    let socket = made.join().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}
