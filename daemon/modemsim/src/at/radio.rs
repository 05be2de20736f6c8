//! Registration, operators, signal.

use super::command::{Command, Reply, Verb, fields, number};
use super::profile::{AccessTechnology, Operator};
use super::state::State;
use super::text;

/// Registration with the network, as `+CREG` counts it (3GPP TS 27.007, 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Not registered, not searching.
    Idle,
    /// Registered at home.
    Home,
    /// Searching.
    Searching,
    /// Refused by the network.
    Denied,
    /// Registered with a foreign network.
    Roaming,
}

impl Registration {
    fn code(self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::Home => 1,
            Self::Searching => 2,
            Self::Denied => 3,
            Self::Roaming => 5,
        }
    }

    fn registered(self) -> bool {
        matches!(self, Self::Home | Self::Roaming)
    }
}

/// What the radio knows and what the host asked to be told.
#[derive(Debug)]
pub(super) struct Radio {
    registration: Registration,
    operator: Operator,
    /// 0 to 5, as `+CIND` counts.
    bars: u8,
    creg: u32,
    cgreg: u32,
    cereg: u32,
    cops_format: u32,
    cmer: bool,
    cfun: u32,
}

impl Radio {
    pub fn new(home: Operator) -> Self {
        Self {
            registration: Registration::Home,
            operator: home,
            bars: 4,
            creg: 0,
            cgreg: 0,
            cereg: 0,
            cops_format: 0,
            cmer: false,
            cfun: 1,
        }
    }
}

impl State {
    /// The registration as the host sees it: none without a usable SIM.
    pub(super) fn registration(&self) -> Registration {
        if self.sim.ready() { self.radio.registration } else { Registration::Idle }
    }

    /// Changes registration and operator and tells the host.
    pub(super) fn register(&mut self, registration: Registration, operator: Option<Operator>) {
        self.radio.registration = registration;
        if let Some(operator) = operator {
            self.radio.operator = operator;
        }
        self.report_registration();
    }

    /// Tells the host the registration, as far as it asked.
    pub(super) fn report_registration(&mut self) {
        for (name, mode) in self.domains() {
            if mode > 0 {
                self.urc(format!("{name}: {}", self.registration_fields(mode)));
            }
        }
    }

    /// Sets the signal (0 to 5 bars) and tells the host.
    pub(super) fn set_bars(&mut self, bars: u8) {
        self.radio.bars = bars.min(5);
        if self.radio.cmer {
            self.urc(format!("+CIEV: 2,{}", self.radio.bars));
        }
    }

    fn domains(&self) -> Vec<(&'static str, u32)> {
        let mut domains = vec![("+CREG", self.radio.creg), ("+CGREG", self.radio.cgreg)];
        if self.profile.technology == AccessTechnology::Lte {
            domains.push(("+CEREG", self.radio.cereg));
        }
        domains
    }

    fn registration_fields(&self, mode: u32) -> String {
        let registration = self.registration();
        if mode >= 2 && registration.registered() {
            let cell =
                if registration == Registration::Home { ("83F7", "01CD31C5") } else { ("1A2B", "00C0FFEE") };
            format!(
                "{},\"{}\",\"{}\",{}",
                registration.code(),
                cell.0,
                cell.1,
                self.profile.technology.code()
            )
        } else {
            registration.code().to_string()
        }
    }

    pub(super) fn radio_command(&mut self, command: &Command<'_>) -> Reply {
        match (command.name.as_str(), &command.verb) {
            ("+CREG" | "+CGREG" | "+CEREG", verb) => self.registration_command(&command.name, verb),
            ("+COPS", verb) => self.operator_command(verb),
            ("+CSQ", Verb::Run) => Reply::line(format!("+CSQ: {},99", u32::from(self.radio.bars) * 6)),
            ("+CESQ", Verb::Test) => {
                Reply::line("+CESQ: (0-63,99),(0-7,99),(0-96,255),(0-49,255),(0-34,255),(0-97,255)")
            }
            ("+CESQ", Verb::Run) => Reply::line("+CESQ: 99,99,255,255,20,50"),
            ("+CIND", Verb::Test) => Reply::line(
                "+CIND: (\"battchg\",(0-5)),(\"signal\",(0-5)),(\"service\",(0,1)),(\"message\",(0,1)),(\"call\",(0,1)),(\"roam\",(0,1)),(\"smsfull\",(0,1))",
            ),
            ("+CIND", Verb::Read) => {
                let registration = self.registration();
                Reply::line(format!(
                    "+CIND: 5,{},{},0,0,{},0",
                    self.radio.bars,
                    u8::from(registration.registered()),
                    u8::from(registration == Registration::Roaming)
                ))
            }
            ("+CMER", Verb::Test) => Reply::line("+CMER: (0-3),(0),(0),(0-1),(0,1)"),
            ("+CMER", Verb::Set(text)) => {
                let values = fields(text);
                self.radio.cmer = number(&values, 0).unwrap_or(0) > 0 && number(&values, 3).unwrap_or(0) > 0;
                Reply::ok()
            }
            ("+WS46", Verb::Test) => Reply::line(match self.profile.technology {
                AccessTechnology::Umts => "+WS46: (12,22,25)",
                AccessTechnology::Lte => "+WS46: (12,22,25,28,29)",
            }),
            ("+CFUN", Verb::Read) => Reply::line(format!("+CFUN: {}", self.radio.cfun)),
            ("+CFUN", Verb::Set(text)) => {
                self.radio.cfun = number(&fields(text), 0).unwrap_or(1);
                Reply::ok()
            }
            ("+CTZU", Verb::Set(_)) => Reply::ok(),
            ("+CCLK", Verb::Read) => Reply::line(format!("+CCLK: \"{}\"", self.profile.clock)),
            _ => Reply::Error,
        }
    }

    fn registration_command(&mut self, name: &str, verb: &Verb<'_>) -> Reply {
        if name == "+CEREG" && self.profile.technology == AccessTechnology::Umts {
            return Reply::Error;
        }
        match verb {
            Verb::Test => Reply::line(format!("{name}: (0-2)")),
            Verb::Read => {
                let mode = *self.registration_mode(name);
                Reply::line(format!("{name}: {mode},{}", self.registration_fields(mode)))
            }
            Verb::Set(text) => match number(&fields(text), 0) {
                Some(mode @ 0..=2) => {
                    *self.registration_mode(name) = mode;
                    Reply::ok()
                }
                _ => Reply::Error,
            },
            Verb::Run => Reply::Error,
        }
    }

    fn registration_mode(&mut self, name: &str) -> &mut u32 {
        match name {
            "+CREG" => &mut self.radio.creg,
            "+CGREG" => &mut self.radio.cgreg,
            _ => &mut self.radio.cereg,
        }
    }

    fn operator_command(&mut self, verb: &Verb<'_>) -> Reply {
        match verb {
            Verb::Test => {
                let act = self.profile.technology.code();
                let mut found: Vec<String> = Vec::new();
                for operator in [
                    &self.radio.operator,
                    &self.profile.home,
                    &Operator::CHINA_UNICOM,
                    &Operator::T_MOBILE_US,
                ] {
                    let state = if *operator == self.radio.operator && self.registration().registered() {
                        2
                    } else {
                        1
                    };
                    let name = self.te_string(&operator.name);
                    let entry = format!(
                        "({state},\"{name}\",\"{name}\",\"{}\",{act})",
                        self.te_string(&operator.code)
                    );
                    if !found.iter().any(|f| f.contains(&format!("\"{}\"", self.te_string(&operator.code)))) {
                        found.push(entry);
                    }
                }
                Reply::line(format!("+COPS: {},,(0,1,2,3,4),(0,1,2)", found.join(",")))
            }
            Verb::Read if !self.registration().registered() => Reply::line("+COPS: 0"),
            Verb::Read => {
                let name = match self.radio.cops_format {
                    2 => self.radio.operator.code.to_string(),
                    _ => self.te_string(&self.radio.operator.name),
                };
                Reply::line(format!(
                    "+COPS: 0,{},\"{name}\",{}",
                    self.radio.cops_format,
                    self.profile.technology.code()
                ))
            }
            Verb::Set(text) => {
                let values = fields(text);
                if number(&values, 0) == Some(3) {
                    self.radio.cops_format = number(&values, 1).unwrap_or(0);
                }
                Reply::ok()
            }
            Verb::Run => Reply::Error,
        }
    }

    /// Writes a string in the character set the host chose by `+CSCS`.
    pub(super) fn te_string(&self, value: &str) -> String {
        if self.ucs2 { text::hex(&text::to_ucs2(value)) } else { value.to_owned() }
    }
}
