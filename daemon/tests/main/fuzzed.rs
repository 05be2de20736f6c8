//! The control socket, asked what no client of ours would ask: calls bent and broken in every way that proptest finds.

use std::cell::{Cell, RefCell};
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{TestCaseError, TestRunner};
use rustix::process::Uid;
use rustix::thread::set_thread_res_uid;
use serde_json::{Value, json};
use simbell_api::{INTERFACE, Method};

use crate::fixture::*;

/// A call as it should be, with every parameter that it takes.
fn whole(method: Method) -> Value {
    let parameters = match method {
        Method::GetVersion => json!({"client": "0.0.0"}),
        Method::GetUsage | Method::GetCalls | Method::GetMessages | Method::GetBilled => json!({
            "sim": HOME, "by": "day", "from": "2026-01-01", "to": "2027-01-01", "after": null, "limit": 7
        }),
        Method::ExportUsage => json!({"sim": HOME, "by": "hour", "from": "2026-01-01", "to": null}),
        Method::ExplainUsage => json!({"sim": HOME, "from": "2026-01-01T00:00:00Z", "to": null, "limit": 3}),
        Method::ShowPlan => json!({"sim": HOME}),
        Method::ListCorrections | Method::ListObservations => {
            json!({"sim": HOME, "after": "1", "limit": 5})
        }
        Method::ListSims
        | Method::ListPlans
        | Method::ListRules
        | Method::ListPlugins
        | Method::ListReminders
        | Method::ListChannels
        | Method::ListBackups => json!({"after": "a", "limit": 2}),
        Method::ExplainReminder => json!({"key": "used/used", "sim": HOME}),
        Method::SetUsage => json!({"sim": HOME, "bytes": 5_000_000_000_u64, "reason": "fuzzed"}),
        Method::ObserveUsage => {
            json!({"sim": HOME, "bytes": 70_000, "at": "2026-11-02T00:00:00Z", "note": "fuzzed"})
        }
        Method::UndoCorrection => json!({"id": 1, "reason": "fuzzed"}),
        Method::WithdrawObservation => json!({"id": 1, "note": "fuzzed"}),
        Method::ImportUsage => json!({"sim": HOME, "interface": "wwan0", "rows": [], "dry_run": false}),
        Method::UndoImport => json!({"sim": HOME, "interface": "wwan0"}),
        Method::Acknowledge => json!({"key": "used/used"}),
        Method::Snooze => json!({"key": "used/used", "seconds": 60}),
        Method::ResumeRule | Method::TestChannel | Method::RestoreBackup => json!({"name": "a"}),
        Method::EnablePlugin | Method::DisablePlugin | Method::ApprovePlugin => {
            json!({"name": "a", "approve": ["sms"]})
        }
        Method::GetStatus | Method::Monitor | Method::Reload | Method::BugReport | Method::CreateBackup => {
            json!({})
        }
    };
    let mut call = json!({"method": format!("{INTERFACE}.{}", method.name()), "parameters": parameters});
    if method.streams() {
        call["more"] = true.into();
    }
    call
}

/// What stands where something else should.
fn misplaced() -> impl Strategy<Value = Value> {
    let deep = |depth| {
        (0..depth).fold(json!(1), |inner, n| if n % 2 == 0 { json!([inner]) } else { json!({"a": inner}) })
    };
    prop_oneof![
        select(vec![
            json!(null),
            json!(true),
            json!(-1),
            json!(i64::MIN),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(1e308),
            json!(-0.5),
            json!(""),
            json!("\0"),
            json!("\u{202e}\u{1b}[2J\u{feff}"),
            json!("9999-12-31T23:59:59Z"),
            json!("-262144-01-01"),
            json!("2026-02-30"),
            json!("x".repeat(60_000)),
            json!([[], {}, [null]]),
            json!({"": {"": ""}}),
        ]),
        (1..120_usize).prop_map(deep),
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
    ]
}

/// What no text of JSON should have, or should not have there.
fn splinters() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        select(vec![
            b"\0".to_vec(),
            b"\0\0\0".to_vec(),
            b"\xff\xfe".to_vec(),
            b"\xc3\x28".to_vec(),
            b"\xed\xa0\x80".to_vec(),
            b"\\ud800".to_vec(),
            b"\\u0000".to_vec(),
            b"1e999".to_vec(),
            b"-".to_vec(),
            b"\"".to_vec(),
            b"{".to_vec(),
            b"}".to_vec(),
            b",".to_vec(),
            b"18446744073709551616".to_vec(),
            "9".repeat(400).into_bytes(),
            b"\"method\":\"x\",".to_vec(),
            b"\"oneway\":true,".to_vec(),
            b"\"upgrade\":true,".to_vec(),
        ]),
        (1..30_000_usize).prop_map(|depth| "[".repeat(depth).into_bytes()),
        (1..10_000_usize).prop_map(|depth| "{\"a\":".repeat(depth).into_bytes()),
        vec(any::<u8>(), 1..20),
    ]
}

/// What happens to a call before it is written, and after that.
#[derive(Debug, Clone)]
enum Bend {
    /// A parameter is something else.
    Misplace(Index, Value),
    /// There is one that no method has.
    Add(String, Value),
    /// A member of the call itself, such as the parameters or `more`, is something else.
    Outer(&'static str, Value),
    /// The method's name is another: cut there, with this at the end.
    Rename(Index, String),
    Flip(Index, u8),
    Cut(Index),
    Double(Index, Index),
    Splinter(Index, Vec<u8>),
}

fn bend() -> impl Strategy<Value = Bend> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), misplaced()).prop_map(|(at, value)| Bend::Misplace(at, value)),
        1 => (any::<String>(), misplaced()).prop_map(|(name, value)| Bend::Add(name, value)),
        1 => (select(vec!["method", "parameters", "more", "oneway", "upgrade"]), misplaced())
            .prop_map(|(name, value)| Bend::Outer(name, value)),
        1 => (at(), "\\PC{0,6}").prop_map(|(at, end)| Bend::Rename(at, end)),
        2 => (at(), 0..8_u8).prop_map(|(at, bit)| Bend::Flip(at, bit)),
        1 => at().prop_map(Bend::Cut),
        1 => (at(), at()).prop_map(|(from, to)| Bend::Double(from, to)),
        3 => (at(), splinters()).prop_map(|(at, what)| Bend::Splinter(at, what)),
    ]
}

/// A call as it is sent, without its NUL.
fn bent(method: Method, bends: &[Bend]) -> Vec<u8> {
    let mut call = whole(method);
    for bend in bends {
        match bend {
            Bend::Misplace(at, value) => {
                if let Some(members) =
                    call["parameters"].as_object_mut().filter(|members| !members.is_empty())
                {
                    let name = members.keys().nth(at.index(members.len())).unwrap().clone();
                    members.insert(name, value.clone());
                }
            }
            Bend::Add(name, value) => {
                if let Some(members) = call["parameters"].as_object_mut() {
                    members.insert(name.clone(), value.clone());
                }
            }
            Bend::Outer(name, value) => call[*name] = value.clone(),
            Bend::Rename(at, end) => {
                if let Some(name) = call["method"].as_str() {
                    let kept: String = name.chars().take(at.index(name.chars().count() + 1)).collect();
                    call["method"] = (kept + end.as_str()).into();
                }
            }
            _ => {}
        }
    }
    let mut bytes = serde_json::to_vec(&call).unwrap();
    for bend in bends {
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match bend {
            Bend::Flip(at, bit) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Bend::Cut(at) => bytes.truncate(place(at, &bytes)),
            Bend::Double(from, to) => {
                let (from, to) = (place(from, &bytes), place(to, &bytes));
                let piece = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.splice(to..to, piece);
            }
            Bend::Splinter(at, what) => {
                let at = place(at, &bytes);
                bytes.splice(at..at, what.iter().copied());
            }
            _ => {}
        }
    }
    bytes
}

/// What one connection says.
#[derive(Debug, Clone)]
struct Said {
    /// By somebody who may ask, and not change anything.
    stranger: bool,
    bytes: Vec<u8>,
}

fn said() -> impl Strategy<Value = Said> {
    let calls = |methods: Vec<Method>| {
        let call = prop_oneof![
            9 => (select(methods), vec(bend(), 0..4)).prop_map(|(method, bends)| bent(method, &bends)),
            1 => vec(any::<u8>(), 0..300),
        ];
        // The last one may lack its end.
        (vec(call, 1..4), any::<bool>()).prop_map(|(calls, ended)| {
            let bytes = calls.join(&0);
            if ended { [bytes, vec![0]].concat() } else { bytes }
        })
    };
    let all = Method::ALL.to_vec();
    // Whoever may change things might do so by a call that is hardly bent.
    let reading = all.iter().copied().filter(|method| !method.changes()).collect();
    prop_oneof![
        calls(all).prop_map(|bytes| Said { stranger: true, bytes }),
        calls(reading).prop_map(|bytes| Said { stranger: false, bytes }),
    ]
}

fn connect(socket: &Path, stranger: bool) -> UnixStream {
    let path = socket.to_owned();
    let connected = std::thread::spawn(move || {
        if stranger {
            // The service sees who connected; this thread ends with it.
            let nobody = Uid::from_raw(65_534);
            set_thread_res_uid(nobody, nobody, nobody).unwrap();
        }
        UnixStream::connect(path).unwrap()
    });
    let stream = connected.join().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Whether the service hung up while something was on its way to it.
fn hung_up(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// How often it was told a result, and an error.
fn answers(socket: &Path, said: &Said) -> Result<(u32, u32), TestCaseError> {
    let mut stream = connect(socket, said.stranger);
    let sent = stream.write_all(&said.bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut heard = Vec::new();
    let read = stream.read_to_end(&mut heard);
    for done in [sent, read.map(drop)] {
        let wrong = done.err().map(|error| error.kind()).filter(|kind| !hung_up(*kind));
        prop_assert_eq!(wrong, None, "neither answered nor hung up on");
    }
    let (mut results, mut errors) = (0, 0);
    let mut messages: Vec<&[u8]> = heard.split(|byte| *byte == 0).collect();
    // What follows the last NUL is nothing, unless it was cut off by hanging up.
    let _rest = messages.pop();
    for message in messages {
        let answer: Value = serde_json::from_slice(message)
            .map_err(|error| TestCaseError::fail(format!("{error}: {}", String::from_utf8_lossy(message))))?;
        match (&answer["error"], &answer["parameters"]) {
            (Value::String(_), _) => errors += 1,
            (Value::Null, Value::Object(_)) => results += 1,
            _ => return Err(TestCaseError::fail(format!("no answer: {answer}"))),
        }
    }
    Ok((results, errors))
}

/// A client that behaves, on a connection that lasts.
struct Neighbour(UnixStream);

impl Neighbour {
    fn asks(&mut self) -> Result<(), TestCaseError> {
        let mut answer = Vec::new();
        let mut byte = [0];
        let asked = serde_json::to_vec(&whole(Method::ListSims)).unwrap();
        let asked = self.0.write_all(&[asked, vec![0]].concat());
        prop_assert!(asked.is_ok(), "the neighbour was hung up on: {:?}", asked);
        loop {
            let read = self.0.read_exact(&mut byte);
            prop_assert!(read.is_ok(), "the neighbour is not answered: {:?}", read);
            if byte == [0] {
                break;
            }
            answer.push(byte[0]);
        }
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        prop_assert!(answer["parameters"]["sims"].is_array(), "{}", answer);
        Ok(())
    }
}

/// All that counts in the ledger.
fn ledger(place: &Place) -> Vec<String> {
    let ledger = place.ledger();
    let tables = ["usage", "usage_undated", "correction", "observation", "gap", "plugin_decision"];
    let sums = tables.map(|table| {
        let sum = if table.starts_with("usage") { "sum(rx_bytes) || ' ' || sum(tx_bytes)" } else { "''" };
        let sql = format!("SELECT '{table} ' || count(*) || ' ' || coalesce({sum}, '') FROM {table}");
        ledger.query_row(&sql, [], |row| row.get(0)).unwrap()
    });
    sums.to_vec()
}

#[tokio::test]
async fn whatever_comes_in_is_answered_or_hung_up_on_and_others_are_answered_right_after() {
    let scene = Scene::new("fuzzed", modem_spec(), "[history]\nbackups = 0\n").await;
    scene.place.rule("used", "fn on_usage(sim) { remind(\"used\", \"used\"); }\n");
    let mut daemon = Daemon::start(&scene.place, None).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(5_000_003, 70_007);
    traffic.is_counted(&daemon).await;
    let socket: PathBuf = scene.place.socket();
    // As where the group has everybody.
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    let (before, sim) = (ledger(&scene.place), daemon.sim(HOME).await);

    // Beside the look-alike, which answers the service meanwhile.
    let attack = tokio::task::spawn_blocking(move || {
        let config = ProptestConfig {
            cases: 384,
            failure_persistence: None,
            // Of a service that hangs each try takes as long as patience lasts.
            max_shrink_time: 60_000,
            ..ProptestConfig::default()
        };
        let neighbour = RefCell::new(Neighbour(connect(&socket, false)));
        let told = Cell::new((0, 0));
        let done = TestRunner::new(config).run(&said(), |said| {
            let (results, errors) = answers(&socket, &said)?;
            told.set((told.get().0 + results, told.get().1 + errors));
            neighbour.borrow_mut().asks()
        });
        (done.map_err(|error| error.to_string()), told.get())
    });
    let (done, (results, errors)) = attack.await.unwrap();
    assert_eq!(done, Ok(()));
    assert!(results > 20 && errors > 20, "many are answered: {results} results, {errors} errors");

    assert!(!daemon.has_ended());
    let log = scene.place.log();
    assert!(!log.contains("panicked") && !log.contains("by a fault of the service"), "{log}");
    assert_eq!(daemon.status().await.service.warnings.len(), 0);
    assert_eq!(daemon.counted(HOME).await, traffic.total);
    let after = daemon.sim(HOME).await;
    assert_eq!((after.measured_bytes, after.billed_bytes), (sim.measured_bytes, sim.billed_bytes));
    assert_eq!(ledger(&scene.place), before);
    traffic.pass(7_001, 3);
    traffic.is_counted(&daemon).await;
    assert!(daemon.terminate().success());
}
