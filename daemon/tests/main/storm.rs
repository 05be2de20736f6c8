//! The accounting under a storm: killed hundreds of times at random moments, interfaces that come and go, both at once;
//! nftables counts beside. The seed is printed; `SIMBELL_TEST_SEED` repeats a run's choices (not the machine's timing).
//!
//! What the ground truth can be: a veth end that is deleted forgets what its peer sent, so the kernel itself no longer
//! knows of received bytes that were not read before; sent bytes are told to the end, as real modems' links tell both.
//! So where an interface goes, received bytes were read before, and sent bytes were not.

use std::time::{Duration, Instant};

use crate::fixture::*;
use crate::wire::Wire;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn seeded(name: &str) -> Self {
        let given = std::env::var("SIMBELL_TEST_SEED")
            .ok()
            .map(|seed| seed.parse().expect("SIMBELL_TEST_SEED is a number"));
        let seed = given.unwrap_or_else(|| simbelld::clock::wall().as_millis().unsigned_abs());
        println!("{name}: SIMBELL_TEST_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn some(&mut self, bound: u64) -> usize {
        usize::try_from(self.below(bound)).unwrap()
    }

    /// A moment that no cycle of the service's own meets.
    fn moment(&mut self, most: Duration) {
        let until =
            Instant::now() + Duration::from_micros(self.below(u64::try_from(most.as_micros()).unwrap()));
        while Instant::now() < until {
            std::thread::yield_now();
        }
    }
}

fn plus(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    (a.0 + b.0, a.1 + b.1)
}

fn minus(a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    (a.0 - b.0, a.1 - b.1)
}

fn at_most(a: (u64, u64), b: (u64, u64)) -> bool {
    a.0 <= b.0 && a.1 <= b.1
}

async fn confirmed(daemon: &Daemon) {
    daemon.sim_is("the SIM is confirmed", HOME, |sim| sim.connected == Some(true) && sim.measured).await;
}

/// Commits often, so that kills fall into commits too.
const RESTLESS: &str = "[counting]\nsample_every = \"1s\"\nmax_unsaved_bytes = \"20 kB\"\n";

#[tokio::test]
async fn two_hundred_kills_at_random_moments_lose_no_byte_while_the_interface_stays() {
    let mut random = Random::seeded("kills");
    let wire = Wire::new();
    let scene = Scene::new("storm-kills", modem_spec(), RESTLESS).await;
    let mut daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    let mut flood = wire.trickle();
    for kill in 1..=200 {
        match random.below(4) {
            // While it starts.
            0 => {
                daemon.kill();
                daemon = Daemon::spawn(&scene.place, Some(&wire.near));
                random.moment(Duration::from_millis(120));
            }
            // While it answers, and so reads and commits.
            1 => {
                let asked = daemon.client().await;
                let question = tokio::spawn(ask(asked));
                random.moment(Duration::from_millis(15));
                tokio::task::yield_now().await;
                daemon.kill();
                let _ended = question.await;
                daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
            }
            // As soon as it answers.
            2 => {
                random.moment(Duration::from_millis(30));
            }
            // Once the SIM is known.
            _ => {
                confirmed(&daemon).await;
                random.moment(Duration::from_millis(60));
            }
        }
        daemon.kill();
        random.moment(Duration::from_millis(20));
        daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
        if kill % 25 == 0 {
            flood.end();
            confirmed(&daemon).await;
            let truth = wire.truth();
            assert_eq!(daemon.counted(HOME).await, truth, "after {kill} kills and more");
            assert_eq!(daemon.sim(HOME).await.measured_bytes, truth.0 + truth.1);
            assert_eq!(scene.place.gaps(), [""; 0]);
            flood = wire.trickle();
        }
    }
    flood.end();
    let truth = wire.truth();
    assert!(truth.0 > 1_000_000 && truth.1 > 100_000, "traffic passed all the while: {truth:?}");
}

async fn ask(mut client: simbell_api::Client) {
    let question =
        simbell_api::GetUsageParams { by: "hour".to_owned(), ..simbell_api::GetUsageParams::default() };
    // It is killed meanwhile.
    let _answer = client.usage(&question).await;
}

#[tokio::test]
async fn fifty_new_interfaces_lose_no_byte_while_it_runs() {
    let mut random = Random::seeded("interfaces");
    let wire = Wire::new();
    let scene = Scene::new("storm-links", modem_spec(), RESTLESS).await;
    let daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    let mut open = 0;
    for round in 0..50 {
        let received = random.below(4) > 0;
        if received {
            wire.download(1 + random.some(40), random.some(1_400));
            let truth = wire.truth();
            // The new interface may still be on its way through netlink; what passed since is not lost by that.
            until("it is counted", async || (daemon.counted(HOME).await == truth).then_some(())).await;
        }
        if random.below(4) > 0 {
            wire.upload(1 + random.some(40), random.some(1_400));
            open += usize::from(received);
        }
        wire.unplug();
        if random.below(3) == 0 {
            // Seen to be gone; else another takes its place at once.
            daemon.sim_is("it has no counter", HOME, |sim| !sim.measured).await;
        }
        wire.plug();
        assert!(at_most(daemon.counted(HOME).await, wire.truth()), "invented in round {round}");
    }
    wire.some_traffic();
    let truth = wire.truth();
    until("everything is counted", async || (daemon.counted(HOME).await == truth).then_some(())).await;
    assert_eq!(daemon.sim(HOME).await.measured_bytes, truth.0 + truth.1);
    // A veth end sets back what it received as it goes: of one that has sent something since it was read nobody can tell
    // that it received nothing.
    let gaps = scene.place.gaps();
    assert!((1..=open).contains(&gaps.len()), "{open}: {gaps:?}");
    assert!(gaps.iter().all(|reason| reason == "counter-reset"), "{gaps:?}");
}

#[tokio::test]
async fn fifty_new_interfaces_while_it_is_dead_are_gaps_and_no_byte_is_invented() {
    let mut random = Random::seeded("both");
    let wire = Wire::new();
    let scene = Scene::new("storm-both", modem_spec(), RESTLESS).await;
    let mut daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    for round in 1..=50 {
        wire.download(1 + random.some(40), random.some(1_400));
        wire.upload(1 + random.some(40), random.some(1_400));
        let kept = daemon.counted(HOME).await;
        // What passes from here on is not committed, or not known to be.
        wire.download(random.some(20), 500);
        wire.upload(random.some(20), 500);
        random.moment(Duration::from_millis(20));
        daemon.kill();
        let seen = wire.truth();
        for _ in 0..=random.below(2) {
            wire.upload(random.some(30), 900);
            wire.replug();
            // Sometimes more than what the vanished one had counted: a new counter that overtakes.
            wire.download(random.some(90), 1_200);
        }
        if random.below(3) == 0 {
            daemon = Daemon::spawn(&scene.place, Some(&wire.near));
            random.moment(Duration::from_millis(120));
            daemon.kill();
        }
        daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
        confirmed(&daemon).await;
        let back = daemon.counted(HOME).await;
        let (missing, dead) = (minus(seen, kept), minus(wire.truth(), kept));
        assert!(at_most(kept, back), "round {round}: what was committed stays: {kept:?}, {back:?}");
        assert!(
            at_most(back, seen),
            "round {round}: invented: {kept:?} were kept, {missing:?} more passed before the end, {back:?} are counted, \
             {dead:?} passed in all"
        );
        let gaps = scene.place.gaps();
        let vanished = gaps.iter().filter(|reason| *reason == "interface-vanished").count();
        assert_eq!(vanished, round, "one gap for each time it was dead: {gaps:?}");
        // Killed once more before it saw the modem, it knows the first gap, and not what came after that: a gap more.
        assert!(gaps.iter().all(|r| r == "interface-vanished" || r == "connected-unseen"), "{gaps:?}");
        // From here on it is exact again.
        let before = wire.truth();
        wire.some_traffic();
        let counted = plus(back, minus(wire.truth(), before));
        until("it is counted again", async || (daemon.counted(HOME).await == counted).then_some(())).await;
    }
    let sim = daemon.sim(HOME).await;
    let total = daemon.counted(HOME).await;
    assert_eq!(sim.measured_bytes, total.0 + total.1);
    // Nothing is said to be missing twice.
    let overlap = "SELECT count(*) FROM gap AS a JOIN gap AS b ON a.id < b.id AND b.from_ms < a.until_ms";
    let overlap: i64 = scene.place.ledger().query_row(overlap, [], |row| row.get(0)).unwrap();
    assert_eq!(overlap, 0);
}
