//! USSD dialogues.

use std::collections::BTreeMap;

use super::command::{Command, Reply, Verb, fields, number};
use super::state::State;
use super::text;

/// What the network answers to a USSD code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UssdAnswer {
    /// A text; the dialogue is over.
    Text(String),
    /// A text and a choice: the network waits for one of the replies.
    Menu {
        /// What is shown.
        text: String,
        /// The replies and what each leads to; any other one ends the dialogue as not supported.
        choices: BTreeMap<String, UssdAnswer>,
    },
    /// The network knows no such code (`+CUSD: 4`).
    NotSupported,
    /// The modem refuses the command (`+CME ERROR`).
    Error(u16),
}

/// What the network would answer, and where the dialogue stands.
#[derive(Debug, Default)]
pub(super) struct Ussd {
    answers: BTreeMap<String, UssdAnswer>,
    menu: Option<BTreeMap<String, UssdAnswer>>,
    presents: bool,
    requests: Vec<String>,
}

impl Ussd {
    /// The same after the modem lost its power.
    pub fn powered_on(self) -> Self {
        Self { menu: None, presents: false, ..self }
    }
}

impl State {
    pub(super) fn set_ussd_answer(&mut self, code: &str, answer: UssdAnswer) {
        self.ussd.answers.insert(code.to_owned(), answer);
    }

    /// The codes and replies the host sent, oldest first.
    pub(super) fn ussd_requests(&self) -> Vec<String> {
        self.ussd.requests.clone()
    }

    /// Sends a message of the network: `kind` 0 tells, 1 asks.
    pub(super) fn ussd_message(&mut self, kind: u8, message: &str) {
        if self.ussd.presents {
            let encoded = self.te_string(message);
            self.urc(format!("+CUSD: {kind},\"{encoded}\",72"));
        }
    }

    pub(super) fn ussd_command(&mut self, command: &Command<'_>) -> Reply {
        let Verb::Set(values) = &command.verb else {
            return match command.verb {
                Verb::Test => Reply::line("+CUSD: (0-2)"),
                Verb::Read => Reply::line(format!("+CUSD: {}", u8::from(self.ussd.presents))),
                _ => Reply::Error,
            };
        };
        let values = fields(values);
        match (number(&values, 0), values.get(1)) {
            (Some(2), _) => {
                self.ussd.menu = None;
                Reply::ok()
            }
            (Some(mode @ (0 | 1)), None) => {
                self.ussd.presents = mode == 1;
                Reply::ok()
            }
            (Some(1), Some(code)) => self.ussd_request(code),
            _ => Reply::Error,
        }
    }

    fn ussd_request(&mut self, encoded: &str) -> Reply {
        let code = if self.ucs2 {
            match text::unhex(encoded) {
                Some(octets) => text::from_ucs2(&octets),
                None => return Reply::Error,
            }
        } else {
            encoded.to_owned()
        };
        let answer = match self.ussd.menu.take() {
            Some(choices) => choices.get(&code).cloned(),
            None => self.ussd.answers.get(&code).cloned(),
        };
        self.ussd.requests.push(code);
        // The request itself turns presentation on (TS 27.007, 7.15).
        self.ussd.presents = true;
        match answer.unwrap_or(UssdAnswer::NotSupported) {
            UssdAnswer::Text(message) => self.ussd_message(0, &message),
            UssdAnswer::Menu { text, choices } => {
                self.ussd.menu = Some(choices);
                self.ussd_message(1, &text);
            }
            UssdAnswer::NotSupported => self.urc("+CUSD: 4".to_owned()),
            UssdAnswer::Error(code) => return Reply::Cme(code),
        }
        Reply::ok()
    }
}
