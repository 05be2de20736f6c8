//! A PPP connection of the real ModemManager, which names a serial port alone: its link is the one of type PPP that the
//! kernel announces. pppd needs a driver that not every kernel has; a tun device can be told to be of that type.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use simbell_modemsim::at::Profile;
use simbell_modemsim::lab::{Lab, LabOptions};

use crate::bell::Home;
use crate::modemmanager::{MOBILE, connect, lab};

/// The link; gone when dropped.
struct Link {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    name: &'static str,
}

impl Link {
    fn new(lab: &Lab, name: &'static str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/main/ppp.py");
        let mut command = lab.command("python3").unwrap();
        command.arg(script).arg(name).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut link = Self { child, orders, answers, name };
        link.hears("ready");
        link
    }

    fn hears(&mut self, word: &str) {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), word, "the kernel's tun devices are needed: load the module tun");
    }

    fn receive(&mut self, bytes: usize) {
        writeln!(self.orders, "rx {bytes}").unwrap();
        self.hears("in");
    }

    /// Datagrams of 128 bytes with their headers.
    fn send(lab: &Lab, datagrams: usize) {
        let line = format!("for n in $(seq {datagrams}); do printf %0100d 0 > /dev/udp/10.98.0.2/9; done");
        assert!(lab.command("bash").unwrap().args(["-c", &line]).status().unwrap().success());
    }

    /// What the kernel counts: IP bytes, since there is no Ethernet header.
    fn counted(&self, lab: &Lab) -> u64 {
        let output =
            lab.command("ip").unwrap().args(["-s", "-j", "link", "show", "dev", self.name]).output().unwrap();
        let links: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(links[0]["link_type"], "ppp", "{links}");
        let bytes = |way: &str| links[0]["stats64"][way]["bytes"].as_u64().unwrap();
        bytes("rx") + bytes("tx")
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_link_that_appears_as_a_ppp_connection_dials_is_counted_from_its_birth() {
    let home = Home::new("");
    let (lab, modem) = lab(LabOptions::kernel(), Profile::lte()).await;
    let bell = home.start_in(&lab).await;
    bell.sim_is("home", MOBILE, |s| s.roaming == Some(false)).await;
    // One that was there before is somebody else's.
    let mut other = Link::new(&lab, "ppp7");
    connect(&lab, &modem).await;
    let warned = bell.warns("not-measured").await;
    assert!(warned.contains("counting.ppp_interface"), "{warned}");
    other.receive(999);
    assert!(!bell.sim_is("connected", MOBILE, |s| s.connected == Some(true)).await.measured);

    let mut link = Link::new(&lab, "ppp0");
    link.receive(1_400);
    bell.is_well("not-measured").await;
    link.receive(700);
    Link::send(&lab, 3);
    let counted = link.counted(&lab);
    assert!(counted >= 1_400 + 700, "{counted}");
    bell.sim_is("all of it", MOBILE, |s| s.measured && s.measured_bytes == counted).await;
    other.receive(999);

    // Killed and started again it goes on with the same link.
    bell.kill();
    link.receive(333);
    let bell = home.start_in(&lab).await;
    bell.sim_is("that too", MOBILE, |s| s.measured && s.measured_bytes == counted + 333).await;
    // The last of it comes with its end.
    link.receive(55);
    drop(link);
    bell.sim_is("to the end", MOBILE, |s| s.measured_bytes == counted + 388).await;
}
