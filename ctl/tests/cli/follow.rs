//! `watch`, across restarts of the service.

use std::io::{BufRead, BufReader};
use std::process::Child;

use simbell_api::MonitorEvent;

use super::*;

/// `watch`, its lines as they come; ended when dropped.
pub struct Watching {
    child: Child,
    lines: mpsc::Receiver<String>,
    notes: mpsc::Receiver<String>,
}

impl Watching {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = collect(child.stdout.take().unwrap());
        let notes = collect(child.stderr.take().unwrap());
        Self { child, lines, notes }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(30)).expect("watch says nothing")
    }

    pub fn note(&self, part: &str) {
        loop {
            let note = self.notes.recv_timeout(Duration::from_secs(30)).expect("watch notes nothing");
            if note.contains(part) {
                return;
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn collect(stream: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn watch(socket: &Path, more: &[&str]) -> Watching {
    let mut command = ctl(socket);
    command.arg("watch").args(more);
    Watching::start(command)
}

#[test]
fn a_restart_doubles_nothing() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let served = Served::start(&socket, Fake::new(64));
    let watching = watch(&socket, &[]);
    let state: Vec<String> = (0..4).map(|_| watching.line()).collect();
    assert!(state[0].contains("service   running"), "{state:?}");
    assert!(state[1].contains("home: 4.90 GB used, 1.10 GB left"), "{state:?}");
    assert!(state[3].contains("firing since 2026-11-22 19:30: home: 80 %"), "{state:?}");

    let fake = Arc::clone(&served.fake);
    drop(served);
    watching.note("trying again");
    let served = Served::start_for(&socket, fake, Access::system());
    watching.note("the service is back");
    // The state came again and said nothing new: the next line is what happens next.
    served.fake.publish(MonitorEvent::happened(fake::NOW.into(), "modem unplugged\u{1b}[2J".into()));
    assert!(watching.line().ends_with("event     modem unplugged\u{fffd}[2J"));
    served.fake.say("data-threshold/80/0011");
    assert!(watching.line().contains("RING      warning: home: 80 %"));
}

#[test]
fn json_is_one_object_a_line() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let served = Served::start(&socket, Fake::new(64));
    let watching = watch(&socket, &["--json"]);
    let kinds: Vec<String> = (0..6)
        .map(|_| schema::check("watch", &watching.line())["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["service", "sim", "sim", "reminder", "channel", "ready"]);
    served.fake.say("roaming/0011");
    assert_eq!(schema::check("watch", &watching.line())["reminder"]["key"], "roaming/0011");
}

#[test]
fn json_repeats_no_sim_to_which_nothing_happened() {
    let scratch = Scratch::new();
    let socket = scratch.socket();
    let served = Served::start(&socket, Fake::new(64));
    let watching = watch(&socket, &["--json"]);
    let state: Vec<MonitorEvent> = (0..6).map(|_| serde_json::from_str(&watching.line()).unwrap()).collect();
    let mut sim = state.iter().find_map(|event| event.sim.clone()).unwrap();
    // As the service tells every SIM whenever something changed: time went on, and so did what is foretold.
    sim.last_seen = Some("2026-11-22T21:05:00+01:00".to_owned());
    sim.forecast.exhausted_at = Some("2026-11-27T13:00:00+01:00".to_owned());
    sim.forecast.end_of_cycle_bytes = Some(6_000_000_001);
    served.fake.publish(MonitorEvent::sim("2026-11-22T21:05:00+01:00".into(), sim.clone()));
    sim.used_bytes += 1;
    served.fake.publish(MonitorEvent::sim("2026-11-22T21:05:01+01:00".into(), sim.clone()));
    let next: MonitorEvent = serde_json::from_str(&watching.line()).unwrap();
    assert_eq!(next.sim, Some(sim), "and whole, with what is foretold");
}

#[test]
fn without_a_service_it_says_so_and_ends() {
    let scratch = Scratch::new();
    assert_eq!(run(&scratch.socket(), &["watch"]).status.code(), Some(3));
}
