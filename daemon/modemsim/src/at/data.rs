//! Packet data contexts, over PPP and over a network interface.

use std::collections::BTreeMap;

use super::command::{Command, Reply, Verb, fields, number};
use super::profile::{IpMethod, Plugin};
use super::state::State;

/// A packet data context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextView {
    /// The context's number.
    pub cid: u8,
    /// `IP`, `IPV6` or `IPV4V6`.
    pub kind: String,
    /// The access point.
    pub apn: String,
    /// Whether it is active.
    pub active: bool,
}

/// The contexts and how the next connection goes.
#[derive(Debug)]
pub(super) struct Data {
    contexts: BTreeMap<u8, ContextView>,
    cgerep: bool,
    refusal: Option<String>,
    cause: String,
}

impl Default for Data {
    fn default() -> Self {
        let first = ContextView { cid: 1, kind: "IP".to_owned(), apn: "cmnet".to_owned(), active: false };
        Self {
            contexts: BTreeMap::from([(1, first)]),
            cgerep: false,
            refusal: None,
            cause: "No cause information available".to_owned(),
        }
    }
}

const ADDRESS: &str = "10.64.0.2";
const GATEWAY: &str = "10.64.0.1";

impl State {
    pub(super) fn contexts(&self) -> Vec<ContextView> {
        self.data.contexts.values().cloned().collect()
    }

    /// Lets connections fail with a cause until `None`.
    pub(super) fn refuse_data(&mut self, cause: Option<&str>) {
        self.data.refusal = cause.map(str::to_owned);
    }

    /// Ends every active context from the network's side; returns whether there was one.
    pub(super) fn drop_data(&mut self, told: bool) -> bool {
        let mut lines = Vec::new();
        for context in self.data.contexts.values_mut().filter(|c| c.active) {
            context.active = false;
            lines.push(format!("+CGEV: NW DEACT \"{}\",\"{ADDRESS}\",{}", context.kind, context.cid));
        }
        let any = !lines.is_empty();
        if told && self.data.cgerep {
            lines.into_iter().for_each(|line| self.urc(line));
        }
        any
    }

    pub(super) fn data_command(&mut self, command: &Command<'_>) -> Reply {
        match (command.name.as_str(), &command.verb) {
            ("+CGDCONT", Verb::Test) => Reply::Ok(
                ["IP", "IPV6", "IPV4V6"]
                    .map(|kind| format!("+CGDCONT: (1-8),\"{kind}\",,,(0-2),(0-4)"))
                    .to_vec(),
            ),
            ("+CGDCONT", Verb::Read) => Reply::Ok(
                self.data
                    .contexts
                    .values()
                    .map(|c| format!("+CGDCONT: {},\"{}\",\"{}\",\"0.0.0.0\",0,0", c.cid, c.kind, c.apn))
                    .collect(),
            ),
            ("+CGDCONT", Verb::Set(values)) => self.define(&fields(values)),
            ("+CGACT", Verb::Read) => Reply::Ok(
                self.data
                    .contexts
                    .values()
                    .map(|c| format!("+CGACT: {},{}", c.cid, u8::from(c.active)))
                    .collect(),
            ),
            ("+CGACT", Verb::Set(values)) => {
                let values = fields(values);
                let cid = number(&values, 1).and_then(|cid| u8::try_from(cid).ok()).unwrap_or(1);
                if number(&values, 0) == Some(1) { self.activate(cid) } else { self.deactivate(cid) }
            }
            ("+CGEREP", Verb::Test) => Reply::line("+CGEREP: (0-2),(0,1)"),
            ("+CGEREP", Verb::Set(values)) => {
                self.data.cgerep = number(&fields(values), 0).unwrap_or(0) > 0;
                Reply::ok()
            }
            ("+CEER", Verb::Run) => Reply::line(format!("+CEER: {}", self.data.cause)),
            ("+CGPADDR", Verb::Set(cid)) => Reply::line(format!("+CGPADDR: {},\"{ADDRESS}\"", cid.trim())),
            _ if self.profile.plugin == Plugin::Ublox => self.ublox_data_command(command),
            _ => Reply::Error,
        }
    }

    /// `ATD*99***<cid>#`
    pub(super) fn dial_data(&mut self, code: &str) -> Reply {
        let cid = code.trim_end_matches('#').rsplit('*').next().and_then(|cid| cid.parse().ok()).unwrap_or(1);
        // *99# has 99 as its last part and means the first context.
        let cid = if cid == 99 { 1 } else { cid };
        match self.activate(cid) {
            Reply::Ok(_) => Reply::Connect,
            _ => Reply::Final("NO CARRIER"),
        }
    }

    pub(super) fn deactivate(&mut self, cid: u8) -> Reply {
        match self.data.contexts.get_mut(&cid) {
            Some(context) => {
                context.active = false;
                Reply::ok()
            }
            None => Reply::Cme(50),
        }
    }

    fn activate(&mut self, cid: u8) -> Reply {
        if let Some(cause) = &self.data.refusal {
            self.data.cause = cause.clone();
            return Reply::Cme(148);
        }
        let registered =
            matches!(self.registration(), super::Registration::Home | super::Registration::Roaming);
        match self.data.contexts.get_mut(&cid) {
            Some(context) if registered => {
                context.active = true;
                Reply::ok()
            }
            _ => Reply::Cme(30),
        }
    }

    fn define(&mut self, values: &[String]) -> Reply {
        let Some(cid @ 1..=8) = number(values, 0).and_then(|cid| u8::try_from(cid).ok()) else {
            return Reply::Error;
        };
        match (values.get(1), values.get(2)) {
            (Some(kind), apn) => {
                let apn = apn.cloned().unwrap_or_default();
                let context = ContextView { cid, kind: kind.clone(), apn, active: false };
                self.data.contexts.insert(cid, context);
            }
            (None, _) => drop(self.data.contexts.remove(&cid)),
        }
        Reply::ok()
    }

    fn ublox_data_command(&mut self, command: &Command<'_>) -> Reply {
        match (command.name.as_str(), &command.verb) {
            ("+URAT", Verb::Test) => Reply::line("+URAT: (0,1,2),(0,2)"),
            ("+URAT", Verb::Read) => Reply::line("+URAT: 1,2"),
            ("+URAT" | "+UBANDSEL" | "+UAUTHREQ", Verb::Set(_)) => Reply::ok(),
            ("+UBANDSEL", Verb::Read) => Reply::line("+UBANDSEL: 850,900,1800,1900,2100"),
            ("+UUSBCONF", Verb::Read) => Reply::line("+UUSBCONF: 3,\"RNDIS\",,\"0x1102\""),
            ("+UBMCONF", Verb::Read) => Reply::line(match self.profile.ip_method {
                IpMethod::Dhcp => "+UBMCONF: 1",
                IpMethod::Static => "+UBMCONF: 2",
            }),
            ("+UAUTHREQ", Verb::Test) => Reply::line("+UAUTHREQ: (1-4),(0-2),,"),
            ("+UIPADDR", Verb::Set(cid)) => Reply::line(format!(
                "+UIPADDR: {},\"ccinet0\",\"{GATEWAY}\",\"255.255.255.252\",\"\",\"\"",
                cid.trim()
            )),
            ("+CGCONTRDP", Verb::Set(cid)) => Reply::line(format!(
                "+CGCONTRDP: {0},{0},\"cmnet\",\"{ADDRESS}.255.255.255.252\",\"{GATEWAY}\",\"{GATEWAY}\",\"0.0.0.0\"",
                cid.trim()
            )),
            ("+UGCNTRD", Verb::Test) => Reply::ok(),
            ("+UGCNTRD", Verb::Run) => Reply::Ok(
                self.data
                    .contexts
                    .values()
                    .filter(|c| c.active)
                    .map(|c| format!("+UGCNTRD: {},0,0,0,0", c.cid))
                    .collect(),
            ),
            _ => Reply::Error,
        }
    }
}
