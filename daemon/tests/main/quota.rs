//! The quota helper beside the service: a crossing is noticed at its packet, where readings would come far too late.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use simbell_api::Reminder;
use simbell_modemsim::lookalike::{BearerSpec, Lookalike, ModemSpec};

use crate::fixture::*;
use crate::wire::{Wire, run};

/// IP and UDP headers.
const HEADERS: u64 = 28;
const PAYLOAD: u64 = 1_432;
/// One datagram with its headers.
const DATAGRAM: u64 = PAYLOAD + HEADERS;
/// At the slowest line that can be configured it takes eight minutes to get there: no reading comes before.
const THRESHOLD: u64 = 60_000_000;

/// The helper, running beside the service.
struct Helper(Child);

impl Helper {
    fn start(wire: &Wire, scene: &Scene, options: &[&str]) -> Self {
        let program = Path::new(SIMBELLD).with_file_name("simbell-quota");
        assert!(program.exists(), "simbell-quota is needed: cargo build -p simbell-quota");
        let child = Command::new("ip")
            .args(["netns", "exec", &wire.near])
            .arg(program)
            .arg("--socket")
            .arg(socket(scene))
            .args(["--user", "0"])
            .args(options)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn terminate(&mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        self.0.wait().unwrap()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn socket(scene: &Scene) -> std::path::PathBuf {
    scene.place.dir.join("quota.sock")
}

/// Everything so that nothing but the helper brings about a reading in time.
async fn scene(name: &str, spec: ModemSpec, plan: &str) -> (Wire, Scene) {
    let wire = Wire::new();
    let scene = Scene::new(name, spec, "").await;
    configure(&scene, plan);
    (wire, scene)
}

fn configure(scene: &Scene, plan: &str) {
    let more = format!(
        "[sims.home.plan]\ndata = \"200 MB\"\nevery = \"month\"\n{plan}\n\
         [counting]\nsample_every = \"1h\"\nline_rate = \"1 Mbit/s\"\nmax_unsaved_bytes = \"1 GB\"\n\
         max_unsaved_time = \"1h\"\nquota = \"{}\"\n",
        socket(scene).display()
    );
    scene.place.configure(&scene.bus.address(), &more);
    scene.place.rule(
        "crossed",
        "// Rings at the byte.\nfn on_usage(sim) { if sim.used >= 60.MB { remind(\"crossed\", `${sim.used}`); } }\n",
    );
}

/// A link to nobody: what is sent over it is gone.
fn second_link(wire: &Wire, name: &str) {
    run(&format!(
        "ip -n {0} link add {name} type veth peer name net2 netns {1}; ip -n {1} link set net2 up; \
         ip -n {0} addr add 10.98.0.1/24 dev {name}; ip -n {0} link set {name} up; \
         ip -n {0} neigh replace 10.98.0.2 lladdr 02:00:00:00:00:09 nud permanent dev {name}",
        wire.near, wire.far
    ));
}

fn over_second_link(wire: &Wire) {
    run(&format!("ip netns exec {} bash -c 'head -c 1400 /dev/zero >/dev/udp/10.98.0.2/9'", wire.near));
}

async fn armed(wire: &Wire) {
    until("a quota is armed", async || quotas(wire).contains("bytes").then_some(())).await;
}

fn quotas(wire: &Wire) -> String {
    run(&format!("ip netns exec {} nft list quotas table inet simbell 2>/dev/null || true", wire.near))
}

/// Asked so that no counter is read for the answer.
async fn raised(daemon: &Daemon) -> Vec<Reminder> {
    daemon.client().await.reminders().await.unwrap()
}

async fn rings(daemon: &Daemon) {
    until("the reminder is raised", async || (!raised(daemon).await.is_empty()).then_some(())).await;
}

fn datagrams(bytes: u64) -> usize {
    usize::try_from(bytes / DATAGRAM).unwrap()
}

fn payload() -> usize {
    usize::try_from(PAYLOAD).unwrap()
}

#[tokio::test]
async fn the_packet_that_crosses_rings_and_none_before_it() {
    let (wire, scene) = scene("quota", modem_spec(), "").await;
    let _helper = Helper::start(&wire, &scene, &[]);
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    armed(&wire).await;
    let most = datagrams(THRESHOLD) - 1;
    wire.download(most / 2, payload());
    wire.upload(most - most / 2, payload());
    // All but one byte.
    let rest = THRESHOLD - 1 - u64::try_from(most).unwrap() * DATAGRAM;
    wire.download(2, 1_000);
    wire.upload(1, usize::try_from(rest - 2 * 1_000 - 3 * HEADERS).unwrap());
    let (rx, tx) = wire.truth();
    assert_eq!(rx + tx, THRESHOLD - 1);
    assert_eq!(raised(&daemon).await.len(), 0);
    wire.download(1, 0);
    rings(&daemon).await;
    let sim = daemon.sim(HOME).await;
    assert_eq!(sim.billed_bytes, Some(THRESHOLD - 1 + HEADERS));
    assert_eq!(daemon.status().await.service.warnings.len(), 0);
    assert!(quotas(&wire).contains("bytes"), "the next threshold is armed: all of the plan");
}

#[tokio::test]
async fn without_a_helper_it_is_the_next_reading_that_tells() {
    let (wire, scene) = scene("quota-none", modem_spec(), "").await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    let text = daemon.warned("quota-helper").await;
    assert!(text.contains("quota.sock") && text.contains("usage is measured as ever"), "{text}");
    wire.download(datagrams(THRESHOLD) + 1, payload());
    assert_eq!(raised(&daemon).await.len(), 0, "this proves that the others are told by the helper");
    assert!(daemon.sim(HOME).await.billed_bytes >= Some(THRESHOLD), "a reading at last");
    rings(&daemon).await;
}

#[tokio::test]
async fn one_direction_alone_crosses() {
    let (wire, scene) = scene("quota-upload", modem_spec(), "counts = \"upload\"\n").await;
    let _helper = Helper::start(&wire, &scene, &[]);
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    armed(&wire).await;
    wire.download(datagrams(THRESHOLD) + 1, payload());
    wire.upload(datagrams(THRESHOLD), payload());
    assert_eq!(raised(&daemon).await.len(), 0);
    wire.upload(1, payload());
    rings(&daemon).await;
}

#[tokio::test]
async fn a_flushed_ruleset_is_armed_anew_with_what_is_left() {
    let (wire, scene) = scene("quota-flush", modem_spec(), "").await;
    let _helper = Helper::start(&wire, &scene, &["--shared-table"]);
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    armed(&wire).await;
    wire.download(datagrams(THRESHOLD) / 2, payload());
    run(&format!("ip netns exec {} nft flush ruleset", wire.near));
    armed(&wire).await;
    wire.upload(datagrams(THRESHOLD) - datagrams(THRESHOLD) / 2, payload());
    assert_eq!(raised(&daemon).await.len(), 0);
    wire.upload(1, payload());
    rings(&daemon).await;
    assert_eq!(scene.place.log().matches("quotas are armed anew").count(), 1, "said once");
    assert_eq!(daemon.status().await.service.warnings.len(), 0, "and mended");

    // Again and again: it gives way, and says so.
    until("it gives way", async || {
        run(&format!("ip netns exec {} nft flush ruleset", wire.near));
        let warnings = daemon.status().await.service.warnings;
        warnings.iter().any(|warning| warning.text.contains("again and again")).then_some(())
    })
    .await;
    daemon.well("quota-helper").await;
    armed(&wire).await;
}

#[tokio::test]
async fn an_owned_table_is_not_flushed() {
    let (wire, scene) = scene("quota-owned", modem_spec(), "").await;
    let _helper = Helper::start(&wire, &scene, &[]);
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    armed(&wire).await;
    wire.download(datagrams(THRESHOLD), payload());
    run(&format!("ip netns exec {} nft flush ruleset", wire.near));
    assert_eq!(raised(&daemon).await.len(), 0);
    wire.upload(1, payload());
    rings(&daemon).await;
    assert!(!scene.place.log().contains("armed anew"));
}

#[tokio::test]
async fn either_may_be_killed_and_started_again() {
    let (wire, scene) = scene("quota-kill", modem_spec(), "").await;
    let mut helper = Helper::start(&wire, &scene, &[]);
    let mut daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    armed(&wire).await;
    wire.download(datagrams(THRESHOLD) / 3, payload());

    helper.kill();
    daemon.warned("quota-helper").await;
    assert_eq!(quotas(&wire), "", "nothing is left in the kernel");
    wire.upload(7, payload());
    let mut helper = Helper::start(&wire, &scene, &[]);
    daemon.well("quota-helper").await;
    armed(&wire).await;
    wire.download(datagrams(THRESHOLD) / 3, payload());

    daemon.kill();
    until("its quotas went with it", async || quotas(&wire).is_empty().then_some(())).await;
    wire.upload(7, payload());
    daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    armed(&wire).await;
    let (rx, tx) = wire.truth();
    wire.download(datagrams(THRESHOLD - rx - tx), payload());
    assert_eq!(raised(&daemon).await.len(), 0);
    wire.upload(1, payload());
    rings(&daemon).await;

    assert!(helper.terminate().success());
    assert_eq!(quotas(&wire), "");
    daemon.warned("quota-helper").await;
}

#[tokio::test]
async fn another_interface_and_another_sim_are_armed_in_their_turn() {
    let (wire, scene) = scene("quota-replug", modem_spec(), "").await;
    let _helper = Helper::start(&wire, &scene, &[]);
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    let bearer = scene.connect(&daemon, HOME, over_link()).await;
    armed(&wire).await;
    wire.upload(datagrams(THRESHOLD) / 2, payload());
    // The same name, another interface.
    let before = run(&format!("ip netns exec {} nft list maps", wire.near));
    wire.replug();
    let counted = wire.truth();
    until("the new one is armed", async || {
        let now = run(&format!("ip netns exec {} nft list maps", wire.near));
        (now != before && now.contains(PORT)).then_some(())
    })
    .await;
    let left = THRESHOLD - counted.0 - counted.1;
    wire.upload(datagrams(left), payload());
    assert_eq!(raised(&daemon).await.len(), 0);
    wire.upload(1, payload());
    rings(&daemon).await;
    // Nothing is connected: nothing is armed.
    scene.disconnect(&daemon, HOME, &bearer).await;
    until("it is disarmed", async || quotas(&wire).is_empty().then_some(())).await;
}

#[tokio::test]
async fn each_of_two_sims_crosses_for_itself() {
    let wire = Wire::new();
    let place = Place::new("quota-sims");
    let bus = Bus::start(&place.dir.join("bus"));
    let other = ModemSpec {
        net_port: "wwan1".to_owned(),
        slots: vec![vec![sim_spec(OTHER)]],
        ..ModemSpec::numbered(1)
    };
    let look = Lookalike::builder().modem(modem_spec()).modem(other).stats_every(Duration::ZERO).start();
    look.serve_on(&bus.address()).await.unwrap();
    let scene = Scene { look, bus, place };
    configure(
        &scene,
        "[sims.other]\niccid = \"8900100000000000025\"\nplan = { data = \"200 MB\", every = \"month\" }\n",
    );
    second_link(&wire, "wwan1");
    let _helper = Helper::start(&wire, &scene, &[]);
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    daemon.sim_is("the SIM is in use", OTHER, |sim| sim.active == Some(true)).await;
    let spec = BearerSpec { interface: Some("wwan1".to_owned()), ..over_link() };
    scene.look.connect_bearer(1, spec).unwrap();
    until("both are armed", async || (quotas(&wire).matches("quota ").count() == 2).then_some(())).await;
    // As much over the one as nearly crosses, and over the other nothing to speak of.
    wire.download(datagrams(THRESHOLD), payload());
    over_second_link(&wire);
    assert_eq!(raised(&daemon).await.len(), 0);
    wire.upload(1, payload());
    rings(&daemon).await;
    let raised = raised(&daemon).await;
    assert_eq!(raised.len(), 1);
    assert_eq!(raised[0].sim.as_deref(), Some(HOME), "{raised:?}");
}

#[tokio::test]
async fn a_sim_over_two_links_has_one_quota() {
    let spec = ModemSpec { net_port: PORT.to_owned(), ..modem_spec() };
    let (wire, scene) = scene("quota-two", spec, "").await;
    let _helper = Helper::start(&wire, &scene, &[]);
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    // Multiplexed: the second context has a link of its own.
    let second =
        BearerSpec { apn: "ims".to_owned(), interface: Some("wwan0.2".to_owned()), ..BearerSpec::default() };
    second_link(&wire, "wwan0.2");
    scene.look.connect_bearer(0, second).unwrap();
    until("both are armed", async || {
        let maps = run(&format!("ip netns exec {} nft list maps", wire.near));
        (maps.matches("wwan0.2").count() == 2 && maps.matches("\"q").count() == 4).then_some(())
    })
    .await;
    assert_eq!(quotas(&wire).matches("quota ").count(), 1, "{}", quotas(&wire));
    wire.download(datagrams(THRESHOLD), payload());
    assert_eq!(raised(&daemon).await.len(), 0);
    // A datagram over the second link is the one that crosses.
    over_second_link(&wire);
    rings(&daemon).await;
}
