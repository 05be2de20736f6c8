//! Storing, announcing and sending SMS.

use std::collections::BTreeMap;

use super::command::{Command, Pending, Reply, Verb, fields, number};
use super::pdu::{self, Part, Pdu, SentSms};
use super::state::State;

const CAPACITY: usize = 50;
const UNREAD: u8 = 0;
const READ: u8 = 1;
const UNSENT: u8 = 2;
const INVALID_MEMORY: u16 = 302;
const INVALID_INDEX: u16 = 321;
const INVALID_PDU: u16 = 304;

/// Stored and sent SMS.
#[derive(Debug, Default)]
pub(super) struct Messages {
    stored: BTreeMap<u32, Stored>,
    sent: Vec<SentSms>,
    partial: Vec<Part>,
    reference: u8,
    announces: bool,
    reports: bool,
    failure: Option<u16>,
}

#[derive(Debug)]
struct Stored {
    status: u8,
    pdu: Pdu,
}

impl Messages {
    /// The same after the modem lost its power.
    pub fn powered_on(self) -> Self {
        Self { announces: false, reports: false, partial: Vec::new(), ..self }
    }
}

impl State {
    pub(super) fn sent_sms(&self) -> Vec<SentSms> {
        self.sms.sent.clone()
    }

    /// The number of SMS in the modem's storage.
    pub(super) fn stored_sms(&self) -> usize {
        self.sms.stored.len()
    }

    /// Lets sending fail with a `+CMS ERROR` until `None`.
    pub(super) fn fail_sms(&mut self, code: Option<u16>) {
        self.sms.failure = code;
    }

    /// Stores a received PDU; returns its place.
    pub(super) fn store_received(&mut self, pdu: Pdu) -> u32 {
        self.store(UNREAD, pdu)
    }

    /// Tells the host of a received SMS, if it asked; returns whether it did.
    pub(super) fn announce_sms(&mut self, index: u32) -> bool {
        if self.sms.announces {
            self.urc(format!("+CMTI: \"ME\",{index}"));
        }
        self.sms.announces
    }

    /// Tells the host that a sent SMS was delivered, if it asked to be told of such.
    pub(super) fn report_delivery(&mut self, sent: &SentSms) {
        if let (true, Ok(pdu)) = (self.sms.reports, sent.delivered()) {
            self.urc(format!("+CDS: {}\r\n{}", pdu.length, pdu.hex));
        }
    }

    /// Says whether the host has not read a received SMS yet.
    pub(super) fn unread(&self, index: u32) -> bool {
        self.sms.stored.get(&index).is_some_and(|s| s.status == UNREAD)
    }

    pub(super) fn sms_command(&mut self, command: &Command<'_>) -> Reply {
        match (command.name.as_str(), &command.verb) {
            ("+CMGF", Verb::Test) => Reply::line("+CMGF: (0,1)"),
            ("+CMGF", Verb::Read) => Reply::line("+CMGF: 0"),
            // Text mode is not offered: ModemManager prefers PDUs.
            ("+CMGF", Verb::Set(mode)) if mode.trim() == "0" => Reply::ok(),
            // The SIM's own storage is not offered: two would have to be told apart.
            ("+CPMS", Verb::Test) => Reply::line("+CPMS: (\"ME\"),(\"ME\"),(\"ME\")"),
            ("+CPMS", Verb::Set(memory)) if memory.contains("SM") => Reply::Cms(INVALID_MEMORY),
            ("+CPMS", Verb::Read) => {
                let used = format!("\"ME\",{},{CAPACITY}", self.sms.stored.len());
                Reply::line(format!("+CPMS: {used},{used},{used}"))
            }
            ("+CPMS", Verb::Set(_)) => {
                let used = format!("{},{CAPACITY}", self.sms.stored.len());
                Reply::line(format!("+CPMS: {used},{used},{used}"))
            }
            ("+CNMI", Verb::Test) => Reply::line("+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)"),
            ("+CNMI", Verb::Set(values)) => {
                let values = fields(values);
                self.sms.announces = number(&values, 1) == Some(1);
                self.sms.reports = number(&values, 3) == Some(1);
                Reply::ok()
            }
            ("+CMGL", Verb::Set(_) | Verb::Run) => self.list(),
            ("+CMGR", Verb::Set(index)) => self.read(index),
            ("+CMGD", Verb::Set(values)) => {
                match number(&fields(values), 0).and_then(|i| self.sms.stored.remove(&i)) {
                    Some(_) => Reply::ok(),
                    None => Reply::Cms(INVALID_INDEX),
                }
            }
            ("+CMGS", Verb::Set(_)) => Reply::Prompt(Pending::Send),
            ("+CMGW", Verb::Set(values)) => {
                let status = number(&fields(values), 1).and_then(|s| u8::try_from(s).ok()).unwrap_or(UNSENT);
                Reply::Prompt(Pending::Store(status))
            }
            ("+CMSS", Verb::Set(values)) => {
                let index = number(&fields(values), 0);
                match index.and_then(|i| self.sms.stored.get(&i)).map(|s| s.pdu.hex.clone()) {
                    Some(hex) => self.send("+CMSS", &hex),
                    None => Reply::Cms(INVALID_INDEX),
                }
            }
            _ => Reply::Error,
        }
    }

    /// Takes the text after a prompt.
    pub(super) fn after_prompt(&mut self, pending: &Pending, digits: &str) -> Reply {
        match pending {
            Pending::Send => self.send("+CMGS", digits),
            Pending::Store(status) => match Pdu::from_host(digits) {
                Some(pdu) => {
                    let index = self.store(*status, pdu);
                    Reply::line(format!("+CMGW: {index}"))
                }
                None => Reply::Cms(INVALID_PDU),
            },
        }
    }

    fn store(&mut self, status: u8, pdu: Pdu) -> u32 {
        let index = (1..).find(|i| !self.sms.stored.contains_key(i)).unwrap_or(u32::MAX);
        self.sms.stored.insert(index, Stored { status, pdu });
        index
    }

    fn list(&mut self) -> Reply {
        let lines = self.sms.stored.iter_mut().flat_map(|(index, stored)| {
            let line = format!("+CMGL: {index},{},,{}", stored.status, stored.pdu.length);
            if stored.status == UNREAD {
                stored.status = READ;
            }
            [line, stored.pdu.hex.clone()]
        });
        Reply::Ok(lines.collect())
    }

    fn read(&mut self, index: &str) -> Reply {
        let Some(stored) = index.trim().parse().ok().and_then(|i: u32| self.sms.stored.get_mut(&i)) else {
            return Reply::Cms(INVALID_INDEX);
        };
        let line = format!("+CMGR: {},,{}", stored.status, stored.pdu.length);
        if stored.status == UNREAD {
            stored.status = READ;
        }
        Reply::Ok(vec![line, stored.pdu.hex.clone()])
    }

    fn send(&mut self, name: &str, digits: &str) -> Reply {
        if let Some(code) = self.sms.failure {
            return Reply::Cms(code);
        }
        let Some(part) = pdu::read_submit(digits) else { return Reply::Cms(INVALID_PDU) };
        self.sms.reference = self.sms.reference.wrapping_add(1);
        match part.joint {
            None => {
                let Part { to, text, report, .. } = part;
                self.sms.sent.push(SentSms { to, text, parts: 1, report, reference: self.sms.reference });
            }
            Some(joint) => self.collect(part, joint),
        }
        Reply::line(format!("{name}: {}", self.sms.reference))
    }

    /// Keeps a part until all parts of its message are there.
    fn collect(&mut self, part: Part, (reference, total, _): (u16, u8, u8)) {
        let to = part.to.clone();
        self.sms.partial.push(part);
        let belongs =
            |p: &Part| p.to == to && matches!(p.joint, Some((r, t, _)) if r == reference && t == total);
        if self.sms.partial.iter().filter(|p| belongs(p)).count() < usize::from(total) {
            return;
        }
        let (mut parts, rest): (Vec<Part>, Vec<Part>) =
            std::mem::take(&mut self.sms.partial).into_iter().partition(belongs);
        self.sms.partial = rest;
        parts.sort_by_key(|p| p.joint.map(|(_, _, number)| number));
        let report = parts.iter().any(|p| p.report);
        let text = parts.into_iter().map(|p| p.text).collect();
        self.sms.sent.push(SentSms { to, text, parts: total, report, reference: self.sms.reference });
    }
}
