//! The actions of steps and their keys.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::find_sim;
use super::read::{Block, Problems, nearest};
use crate::lookalike::{BearerSpec, ModemSpec, Network, Refusal, SimSpec};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Connects a bearer.
    Connect(BearerSpec),
    /// Ends the connection; with an error where the network does it.
    Disconnect {
        /// Of the bearer with this APN; the first connected one where none is named.
        apn: Option<String>,
        /// Error name and text.
        error: Option<(String, String)>,
    },
    /// Lets bytes pass.
    Traffic(Traffic),
    /// Sets the counters outright.
    Stats {
        /// Bytes received.
        rx: u64,
        /// Bytes sent.
        tx: u64,
    },
    /// Moves to a network.
    Move {
        /// Which.
        network: Network,
        /// Between the operator's code and the rest.
        gap: Duration,
    },
    /// A short message comes in.
    Sms {
        /// Sender.
        from: String,
        /// Text.
        text: String,
        /// Parts it comes in; with more than one it first shows without text.
        parts: u32,
        /// Between first and last part.
        gap: Duration,
        /// The service centre's time stamp; now where none is given.
        timestamp: Option<String>,
    },
    /// The network speaks by USSD.
    Ussd {
        /// Text.
        text: String,
        /// Whether it waits for a response.
        asks: bool,
    },
    /// A call.
    Call {
        /// The other party.
        number: String,
        /// Whether the other party called.
        incoming: bool,
        /// How long it rings before it is answered; never answered where there is none.
        answer_after: Option<Duration>,
        /// How long it lasts from the answer, or rings unanswered; its end is missed where there is none.
        duration: Option<Duration>,
    },
    /// Sets the signal quality.
    Signal(u32),
    /// Exchanges what is in a slot.
    SwapSim {
        /// 1-based.
        slot: usize,
        /// New SIMs; none for an empty slot.
        sims: Vec<SimSpec>,
        /// How long the modem is away.
        gap: Duration,
    },
    /// Makes another slot the primary one.
    SwitchSlot {
        /// 1-based.
        slot: usize,
        /// How long the modem is away.
        gap: Duration,
    },
    /// Enables another eSIM profile.
    SwitchProfile {
        /// ICCID of the profile.
        iccid: String,
        /// How long the modem is away.
        gap: Duration,
    },
    /// Pulls the modem out.
    Unplug,
    /// Plugs it in.
    Plug,
    /// Locks the SIM.
    Lock,
    /// Unlocks it.
    Unlock,
    /// Enables the modem.
    Enable,
    /// Disables it.
    Disable,
    /// ModemManager stops and, after a while, starts.
    Restart {
        /// How long it is away.
        away: Duration,
    },
    /// ModemManager dies.
    Crash,
    /// It starts again.
    Start,
    /// Answers a method with an error from now on.
    Refuse(Refusal),
}

/// Bytes that pass through a bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// Through the bearer with this APN; the first connected one where none is named.
    pub apn: Option<String>,
    /// Bytes received: in all, or each second where `per_second`.
    pub rx: u64,
    /// Bytes sent.
    pub tx: u64,
    /// Whether the figures are rates.
    pub per_second: bool,
    /// How long; at once (amounts) or until the bearer goes (rates) where there is none.
    pub span: Option<Duration>,
    /// Sends real UDP datagrams of `tx` IP bytes through this interface to that address.
    pub generate: Option<(String, SocketAddr)>,
}

const ACTIONS: &[&str] = &[
    "connect",
    "disconnect",
    "traffic",
    "stats",
    "home",
    "roam",
    "search",
    "deny",
    "register",
    "sms",
    "ussd",
    "call",
    "signal",
    "swap-sim",
    "switch-slot",
    "switch-profile",
    "unplug",
    "plug",
    "lock",
    "unlock",
    "enable",
    "disable",
    "restart",
    "crash",
    "start",
    "refuse",
];

/// How long a modem is away at a SIM change, as observed of the real daemon.
const SIM_GAP: Duration = Duration::from_millis(2500);

/// Reads a text that must be there.
pub(crate) fn required(problems: &mut Problems<'_>, block: &mut Block<'_, '_>, key: &'static str) -> String {
    let before = problems.found.len();
    let found = block.text(problems, key);
    if found.is_none() && problems.found.len() == before {
        problems.add(block.offset(), &block.key(key), "this key is needed");
    }
    found.unwrap_or_default()
}

/// Reads the keys of one action.
pub(crate) fn read(
    problems: &mut Problems<'_>,
    block: &mut Block<'_, '_>,
    name: &str,
    modem: Option<&ModemSpec>,
    sims: &BTreeMap<String, SimSpec>,
) -> Option<Action> {
    Some(match name {
        "connect" => {
            let interface = block.text(problems, "interface");
            Action::Connect(BearerSpec {
                apn: block.text(problems, "apn").unwrap_or_else(|| "internet".into()),
                stats: block.flag(problems, "stats").unwrap_or(interface.is_none()),
                ppp: block.flag(problems, "ppp").unwrap_or(false),
                interface,
            })
        }
        "disconnect" => {
            let apn = block.text(problems, "apn");
            let text = block.text(problems, "text").unwrap_or_default();
            Action::Disconnect { apn, error: block.text(problems, "error").map(|error| (error, text)) }
        }
        "traffic" => Action::Traffic(traffic(problems, block)?),
        "stats" => Action::Stats {
            rx: block.bytes(problems, "rx").unwrap_or(0),
            tx: block.bytes(problems, "tx").unwrap_or(0),
        },
        "home" | "roam" | "search" | "deny" | "register" => {
            let network = match name {
                "home" => Network::Home,
                "search" => Network::Searching,
                "deny" => Network::Denied,
                _ => Network::Roaming {
                    code: required(problems, block, "operator_code"),
                    name: block.text(problems, "operator_name").unwrap_or_default(),
                },
            };
            let home = sim_in_use(modem).map(|sim| sim.operator_code.as_str());
            let network = match network {
                Network::Roaming { code, .. } if name == "register" && Some(code.as_str()) == home => {
                    Network::Home
                }
                other => other,
            };
            let gap = block.span(problems, "gap").unwrap_or(Duration::from_millis(20));
            Action::Move { network, gap }
        }
        "sms" => Action::Sms {
            from: required(problems, block, "from"),
            text: required(problems, block, "text"),
            parts: block.number(problems, "parts").unwrap_or(1),
            gap: block.span(problems, "gap").unwrap_or(Duration::from_millis(100)),
            timestamp: block.text(problems, "timestamp"),
        },
        "ussd" => Action::Ussd {
            text: required(problems, block, "text"),
            asks: block.flag(problems, "asks").unwrap_or(false),
        },
        "call" => call(problems, block),
        "signal" => {
            let percent = block.number(problems, "percent").unwrap_or(101);
            if percent > 100 {
                let text = "expected a percentage from 0 to 100";
                problems.add(block.offset_of("percent"), &block.key("percent"), text);
            }
            Action::Signal(percent)
        }
        "swap-sim" => {
            let slot = slot(problems, block, modem);
            let gap = block.span(problems, "gap").unwrap_or(SIM_GAP);
            let name = block.text(problems, "sim");
            let place = (block.offset_of("sim"), block.key("sim"));
            let sims = name.iter().map(|name| find_sim(problems, sims, name, &place)).collect();
            Action::SwapSim { slot, sims, gap }
        }
        "switch-slot" => Action::SwitchSlot {
            slot: slot(problems, block, modem),
            gap: block.span(problems, "gap").unwrap_or(SIM_GAP),
        },
        "switch-profile" => {
            let name = required(problems, block, "sim");
            let gap = block.span(problems, "gap").unwrap_or(SIM_GAP);
            let place = (block.offset_of("sim"), block.key("sim"));
            Action::SwitchProfile { iccid: find_sim(problems, sims, &name, &place).iccid, gap }
        }
        "unplug" => Action::Unplug,
        "plug" => Action::Plug,
        "lock" => Action::Lock,
        "unlock" => Action::Unlock,
        "enable" => Action::Enable,
        "disable" => Action::Disable,
        "restart" => Action::Restart { away: block.span(problems, "for").unwrap_or(Duration::from_secs(1)) },
        "crash" => Action::Crash,
        "start" => Action::Start,
        "refuse" => Action::Refuse(Refusal {
            method: required(problems, block, "method"),
            error: required(problems, block, "error"),
            text: block.text(problems, "text").unwrap_or_default(),
            times: block.number(problems, "count"),
        }),
        _ => {
            let hint = nearest(name, ACTIONS.iter().copied())
                .map_or_else(String::new, |near| format!("; did you mean “{near}”?"));
            let text = format!("unknown action “{name}”{hint}; there are {}", ACTIONS.join(", "));
            problems.add(block.offset_of("action"), &block.key("action"), text);
            return None;
        }
    })
}

/// A slot of the modem, 1-based; the first unless given.
fn slot(problems: &mut Problems<'_>, block: &mut Block<'_, '_>, modem: Option<&ModemSpec>) -> usize {
    let slot = block.number(problems, "slot").map_or(1, |slot| slot as usize);
    let most = modem.map_or(1, |modem| modem.slots.len());
    if slot == 0 || slot > most {
        let text = format!("expected a slot from 1 to {most}");
        problems.add(block.offset_of("slot"), &block.key("slot"), text);
    }
    slot
}

fn sim_in_use(modem: Option<&ModemSpec>) -> Option<&SimSpec> {
    let modem = modem?;
    modem.slots.get(modem.primary_slot.checked_sub(1)?)?.first()
}

fn traffic(problems: &mut Problems<'_>, block: &mut Block<'_, '_>) -> Option<Traffic> {
    let apn = block.text(problems, "apn");
    let amounts = (block.bytes(problems, "rx"), block.bytes(problems, "tx"));
    let rates = (block.bytes(problems, "rx_rate"), block.bytes(problems, "tx_rate"));
    let span = block.span(problems, "for");
    let interface = block.text(problems, "interface");
    let generate = block.text(problems, "generate");
    let (per_second, (rx, tx)) = match (amounts, rates) {
        (amounts, (None, None)) if amounts != (None, None) => (false, amounts),
        ((None, None), rates) if rates != (None, None) => (true, rates),
        _ => {
            problems.add(
                block.offset(),
                &block.key("rx"),
                "needs amounts (rx, tx) or rates (rx_rate, tx_rate), and not both",
            );
            return None;
        }
    };
    let generate = match (generate, interface) {
        (None, None) => None,
        (Some(address), Some(interface)) => match address.parse() {
            Ok(address) => Some((interface, address)),
            Err(_) => {
                let key = block.key("generate");
                problems.add(
                    block.offset_of("generate"),
                    &key,
                    "expected an address such as \"192.0.2.1:9\"",
                );
                None
            }
        },
        (Some(_), None) => {
            problems.add(block.offset(), &block.key("interface"), "this key is needed beside “generate”");
            None
        }
        (None, Some(_)) => {
            let key = block.key("interface");
            problems.add(block.offset_of("interface"), &key, "needs the key “generate” beside it");
            None
        }
    };
    Some(Traffic { apn, rx: rx.unwrap_or(0), tx: tx.unwrap_or(0), per_second, span, generate })
}

fn call(problems: &mut Problems<'_>, block: &mut Block<'_, '_>) -> Action {
    let direction = required(problems, block, "direction");
    if !matches!(direction.as_str(), "incoming" | "outgoing" | "") {
        let key = block.key("direction");
        problems.add(block.offset_of("direction"), &key, "expected \"incoming\" or \"outgoing\"");
    }
    Action::Call {
        number: required(problems, block, "number"),
        incoming: direction == "incoming",
        answer_after: block.span(problems, "answer_after"),
        duration: block.span(problems, "duration"),
    }
}
