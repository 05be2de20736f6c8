//! What two inner operations cost beside the least they could: for `contrib/bench`.
//!
//! `bench_inside sample` reads the counters of every link of this network namespace, beside a bare `RTM_GETSTATS`
//! dump. `bench_inside rule PLUGINS` asks a shipped rule, beside the bare call of its compiled function. Prints two
//! medians in nanoseconds: ours and the peer's. `bench_inside fill LEDGER YEARS NOW ICCID...` makes a ledger with each
//! hour of so many years until NOW, in seconds since 1970.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement that fails shall say where")]

#[path = "inside/asked.rs"]
mod asked;
#[path = "inside/fill.rs"]
mod fill;
#[path = "inside/shipped.rs"]
mod shipped;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;
use simbell_modem::links::Links;

/// As in the service: what a rule allocates is counted.
#[global_allocator]
static ALLOCATOR: simbell_alloc::CountingAllocator = simbell_alloc::CountingAllocator;

const ROUNDS: usize = 4_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (ours, peer) = match words.as_slice() {
        ["sample"] => sample(),
        ["rule", plugins] => rule(Path::new(plugins)),
        ["fill", ledger, years, now, sims @ ..] => {
            let number = |text: &str| text.parse::<i64>().expect("a number");
            fill::fill(Path::new(ledger), number(years), number(now), sims);
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("usage: bench_inside sample | rule PLUGINS | fill LEDGER YEARS NOW ICCID...");
            return ExitCode::from(2);
        }
    };
    println!("{ours} {peer}");
    ExitCode::SUCCESS
}

/// The medians of two calls made in turn, so that whatever else the machine does falls on both.
fn medians(mut ours: impl FnMut(), mut peer: impl FnMut()) -> (u128, u128) {
    let mut spans = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        spans.0.push(span(&mut ours));
        spans.1.push(span(&mut peer));
    }
    (median(spans.0), median(spans.1))
}

fn span(call: &mut impl FnMut()) -> u128 {
    let start = Instant::now();
    call();
    start.elapsed().as_nanos()
}

fn median(mut spans: Vec<u128>) -> u128 {
    spans.sort_unstable();
    spans.get(spans.len() / 2).copied().unwrap_or(0)
}

fn sample() -> (u128, u128) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let mut links = Links::open().expect("netlink");
    let mut bare = Bare::open();
    medians(
        || {
            assert!(!links.sample().expect("a reading").is_empty());
        },
        || bare.dump(),
    )
}

/// The dump and nothing else: into a fixed buffer, looked at only for its end.
struct Bare {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Bare {
    fn open() -> Self {
        let mut socket = Socket::new(NETLINK_ROUTE).expect("a netlink socket");
        socket.bind_auto().expect("an address");
        Self { socket, buffer: vec![0; 32 * 1024] }
    }

    fn dump(&mut self) {
        const LENGTH: u32 = 28;
        const RTM_GETSTATS: u16 = 94;
        const REQUEST_DUMP: u16 = 0x301;
        const IFLA_STATS_LINK_64: u32 = 1;
        let mut request = [0_u8; 28];
        request[0..4].copy_from_slice(&LENGTH.to_ne_bytes());
        request[4..6].copy_from_slice(&RTM_GETSTATS.to_ne_bytes());
        request[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
        request[24..28].copy_from_slice(&IFLA_STATS_LINK_64.to_ne_bytes());
        self.socket.send(&request, 0).expect("asked");
        loop {
            let mut room = self.buffer.as_mut_slice();
            let length = self.socket.recv(&mut room, 0).expect("an answer");
            if self.ends(length) {
                return;
            }
        }
    }

    /// Whether the last message, of 20 bytes, is `NLMSG_DONE`.
    fn ends(&self, length: usize) -> bool {
        const DONE: [u8; 2] = 3_u16.to_ne_bytes();
        let last = length.saturating_sub(20);
        self.buffer.get(last..length).is_some_and(|end| end.get(4..6) == Some(&DONE))
    }
}

fn rule(plugins: &Path) -> (u128, u128) {
    let (rules, name, trigger, input) = asked::asked(plugins);
    medians(
        || {
            let outcome = rules.evaluate(&name, &trigger, &input);
            assert!(outcome.error.is_none() && outcome.findings.is_empty());
        },
        || assert!(rules.call_bare(&name, &trigger, &input)),
    )
}
