//! A veth pair between two network namespaces: the modem's interface and the mobile network behind it, with nftables
//! counting what passes.

use std::fs::File;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::fixture::{PATIENCE, PORT};

const NEAR: [u8; 4] = [10, 99, 0, 1];
const FAR: [u8; 4] = [10, 99, 0, 2];
const NEAR_MAC: &str = "02:00:00:00:00:01";
const FAR_MAC: &str = "02:00:00:00:00:02";
const UDP_PORT: u16 = 4711;

/// Both namespaces; gone when dropped.
pub struct Wire {
    pub near: String,
    pub far: String,
    host: UdpSocket,
    network: UdpSocket,
}

impl Wire {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let tag = format!("sb{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let (near, far) = (format!("{tag}-near"), format!("{tag}-far"));
        for namespace in [&near, &far] {
            run(&format!("ip netns add {namespace}"));
            // Neighbour discovery and multicast would send packets nobody asked for.
            run(&format!(
                "ip netns exec {namespace} sh -c 'for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 >$f; done'"
            ));
        }
        let any = [0, 0, 0, 0];
        let wire = Self { host: socket(&near, any), network: socket(&far, any), near, far };
        wire.plug();
        // The inet hooks see IP alone, and go by name: they outlive the interface.
        let rules = format!(
            "table inet truth {{\n counter rx {{ packets 0 bytes 0; }}\n counter tx {{ packets 0 bytes 0; }}\n\
             chain i {{\n type filter hook prerouting priority -300;\n iifname \"{PORT}\" counter name rx;\n }}\n\
             chain o {{\n type filter hook postrouting priority 300;\n oifname \"{PORT}\" counter name tx;\n }}\n}}"
        );
        run(&format!("ip netns exec {} nft '{rules}'", wire.near));
        wire
    }

    /// Makes the interface.
    pub fn plug(&self) {
        let Self { near, far, .. } = self;
        run(&format!(
            "ip -n {near} link add {PORT} address {NEAR_MAC} type veth peer name net0 address {FAR_MAC} netns {far}"
        ));
        for (namespace, port, own, other, mac) in
            [(near, PORT, NEAR, FAR, FAR_MAC), (far, "net0", FAR, NEAR, NEAR_MAC)]
        {
            let (own, other) = (std::net::Ipv4Addr::from(own), std::net::Ipv4Addr::from(other));
            run(&format!(
                "printf '%s\\n' 'addr add {own}/24 dev {port}' 'link set {port} up' \
                 'neigh replace {other} lladdr {mac} nud permanent dev {port}' | ip -n {namespace} -b -"
            ));
        }
        // Until the kernel has seen both ends up, it drops what is sent.
        let deadline = Instant::now() + PATIENCE;
        for (namespace, port) in [(near, PORT), (far, "net0")] {
            while !run(&format!("ip -n {namespace} link show {port}")).contains("state UP") {
                assert!(Instant::now() < deadline, "{port} does not come up");
                std::thread::yield_now();
            }
        }
    }

    /// Takes the interface away.
    pub fn unplug(&self) {
        run(&format!("ip -n {} link del {PORT}", self.near));
    }

    pub fn replug(&self) {
        self.unplug();
        self.plug();
    }

    /// So many datagrams of this payload to the host; all have arrived when it returns.
    pub fn download(&self, datagrams: usize, payload: usize) {
        pass(&self.network, NEAR, &self.host, datagrams, payload);
    }

    /// So many datagrams of this payload from the host; all have arrived when it returns.
    pub fn upload(&self, datagrams: usize, payload: usize) {
        pass(&self.host, FAR, &self.network, datagrams, payload);
    }

    /// Something in both directions, odd to the byte.
    pub fn some_traffic(&self) {
        self.download(60, 1_333);
        self.upload(17, 211);
        self.download(1, 0);
    }

    /// Traffic without a pause in both directions until the value is dropped.
    pub fn flood(&self) -> Flood {
        self.stream(20)
    }

    /// As [`Wire::flood`], but a tenth: leaves the machine to what else it does.
    pub fn trickle(&self) -> Flood {
        self.stream(2)
    }

    fn stream(&self, at_once: u32) -> Flood {
        let stop = Arc::new(AtomicBool::new(false));
        let ends = [(self.host.try_clone().unwrap(), FAR), (self.network.try_clone().unwrap(), NEAR)];
        let threads = ends.into_iter().zip([97_usize, 701]).map(|((from, to), payload)| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut sent = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    // Fails while the interface is away. A few at a time, so that it leaves the machine some room.
                    for _ in 0..at_once {
                        sent += u64::from(
                            from.send_to(&vec![7; payload], SocketAddr::from((to, UDP_PORT))).is_ok(),
                        );
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                sent
            })
        });
        Flood { threads: threads.collect(), stop }
    }

    /// IP bytes that nftables counted, received and sent.
    pub fn truth(&self) -> (u64, u64) {
        let listed = run(&format!("ip netns exec {} nft -j list counters table inet truth", self.near));
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let bytes = |name: &str| {
            let all = listed["nftables"].as_array().unwrap();
            let counter = all.iter().map(|item| &item["counter"]).find(|counter| counter["name"] == name);
            counter.unwrap()["bytes"].as_u64().unwrap()
        };
        (bytes("rx"), bytes("tx"))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        for namespace in [&self.near, &self.far] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).status();
        }
    }
}

/// See [`Wire::flood`].
pub struct Flood {
    threads: Vec<JoinHandle<u64>>,
    stop: Arc<AtomicBool>,
}

impl Flood {
    /// Ends it; how many datagrams left.
    pub fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).map(|thread| thread.join().unwrap()).sum()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn pass(from: &UdpSocket, to: [u8; 4], at: &UdpSocket, datagrams: usize, payload: usize) {
    let mut buffer = [0_u8; 2048];
    // What an earlier flood left in the socket's queue is not this traffic.
    at.set_nonblocking(true).unwrap();
    while at.recv(&mut buffer).is_ok() {}
    at.set_nonblocking(false).unwrap();
    for _ in 0..datagrams {
        from.send_to(&buffer[..payload], SocketAddr::from((to, UDP_PORT))).unwrap();
        let (length, _) = at.recv_from(&mut buffer).expect("the datagram arrives");
        assert_eq!(length, payload);
        buffer.fill(0);
    }
}

/// A socket stays in the namespace it was made in.
fn socket(namespace: &str, address: [u8; 4]) -> UdpSocket {
    let file = File::open(format!("/run/netns/{namespace}")).unwrap();
    let made = std::thread::spawn(move || {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        UdpSocket::bind(SocketAddr::from((address, UDP_PORT))).unwrap()
    });
    let socket = made.join().unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket
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
