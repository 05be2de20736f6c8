//! Voice calls.

use super::command::{Command, Reply, Verb};
use super::state::State;

/// The state of a call, as `+CLCC` counts it (3GPP TS 27.007, 7.18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    /// Both talk.
    Active,
    /// The host dialled.
    Dialing,
    /// It rings at the other end.
    Alerting,
    /// It rings here.
    Incoming,
    /// It waits behind an active one.
    Waiting,
}

impl CallState {
    fn code(self) -> u8 {
        match self {
            Self::Active => 0,
            Self::Dialing => 2,
            Self::Alerting => 3,
            Self::Incoming => 4,
            Self::Waiting => 5,
        }
    }
}

/// A call as the modem knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallView {
    /// 1, 2, … as `+CLCC` numbers it.
    pub id: u8,
    /// The other end's number.
    pub number: String,
    /// Whether the other end called.
    pub incoming: bool,
    /// Where it stands.
    pub state: CallState,
}

/// The calls and what the host asked to be told of them.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<CallView>,
    clip: bool,
    crc: bool,
    ccwa: bool,
}

impl State {
    pub(super) fn calls(&self) -> Vec<CallView> {
        self.calls.calls.clone()
    }

    /// Lets somebody call.
    pub(super) fn call_in(&mut self, number: &str) {
        let waiting = !self.calls.calls.is_empty();
        let state = if waiting { CallState::Waiting } else { CallState::Incoming };
        self.add_call(number, true, state);
        let kind = if number.starts_with('+') { 145 } else { 129 };
        if waiting {
            if self.calls.ccwa {
                self.urc(format!("+CCWA: \"{number}\",{kind},1"));
            }
            return;
        }
        self.urc(if self.calls.crc { "+CRING: VOICE" } else { "RING" }.to_owned());
        if self.calls.clip {
            self.urc(format!("+CLIP: \"{number}\",{kind}"));
        }
    }

    /// Moves the outgoing call on; `false` when there is none.
    pub(super) fn call_progress(&mut self, to: CallState) -> bool {
        let outgoing = self.calls.calls.iter_mut().find(|c| !c.incoming);
        outgoing.map(|call| call.state = to).is_some()
    }

    /// Ends every call from the other end; `None` when there was none. The text is what the host is told, if anything.
    pub(super) fn call_ends(&mut self) -> Option<Option<&'static str>> {
        let ended = std::mem::take(&mut self.calls.calls);
        let unanswered = ended.iter().all(|c| c.state == CallState::Incoming);
        // A caller who gives up is noticed only by the missing RING and +CLCC entry.
        (!ended.is_empty()).then_some((!unanswered).then_some("NO CARRIER"))
    }

    pub(super) fn call_command(&mut self, command: &Command<'_>) -> Reply {
        match (command.name.as_str(), &command.verb) {
            ("A", _) => match self.calls.calls.iter_mut().find(|c| c.state == CallState::Incoming) {
                Some(call) => {
                    call.state = CallState::Active;
                    Reply::ok()
                }
                None => Reply::Final("NO CARRIER"),
            },
            ("H" | "H0" | "+CHUP", _) => {
                self.calls.calls.clear();
                Reply::ok()
            }
            ("+CHLD", Verb::Test) => Reply::line("+CHLD: (0,1,1x,2,2x,3)"),
            ("+CHLD", Verb::Set(value)) => {
                match value.trim().strip_prefix('1').and_then(|id| id.parse::<u8>().ok()) {
                    Some(id) => self.calls.calls.retain(|c| c.id != id),
                    None => self.calls.calls.clear(),
                }
                Reply::ok()
            }
            ("+CLCC", Verb::Test) => Reply::ok(),
            ("+CLCC", Verb::Run) => Reply::Ok(
                self.calls
                    .calls
                    .iter()
                    .map(|call| {
                        format!(
                            "+CLCC: {},{},{},0,0,\"{}\",{}",
                            call.id,
                            u8::from(call.incoming),
                            call.state.code(),
                            call.number,
                            if call.number.starts_with('+') { 145 } else { 129 }
                        )
                    })
                    .collect(),
            ),
            ("+CLIP", Verb::Set(value)) => {
                self.calls.clip = value.starts_with('1');
                Reply::ok()
            }
            ("+CRC", Verb::Set(value)) => {
                self.calls.crc = value.starts_with('1');
                Reply::ok()
            }
            ("+CCWA", Verb::Set(value)) => {
                self.calls.ccwa = value.starts_with('1');
                Reply::ok()
            }
            ("+VTS" | "+UCALLSTAT", Verb::Set(_)) => Reply::ok(),
            _ => Reply::Error,
        }
    }

    /// `ATD<number>;`
    pub(super) fn dial(&mut self, number: &str) -> Reply {
        if !self.sim.ready() {
            return Reply::Final("NO CARRIER");
        }
        self.add_call(number, false, CallState::Dialing);
        Reply::ok()
    }

    fn add_call(&mut self, number: &str, incoming: bool, state: CallState) {
        let id = (1..=u8::MAX).find(|id| self.calls.calls.iter().all(|c| c.id != *id)).unwrap_or(u8::MAX);
        self.calls.calls.push(CallView { id, number: number.to_owned(), incoming, state });
    }
}
