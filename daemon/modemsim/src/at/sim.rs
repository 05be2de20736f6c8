//! The SIM: identity files, PIN and PUK.

use super::command::{Command, Reply, Verb, fields};
use super::profile::{Plugin, Sim};
use super::state::State;
use super::text;

const NO_SIM: u16 = 10;
const PIN_NEEDED: u16 = 11;
const PUK_NEEDED: u16 = 12;
const WRONG_PASSWORD: u16 = 16;
const PIN_TRIES: u8 = 3;
const PUK_TRIES: u8 = 10;

/// The slot and the card in it.
#[derive(Debug)]
pub(super) struct SimSlot {
    card: Option<Sim>,
    lock: Lock,
    pin_tries: u8,
    puk_tries: u8,
    /// `#QSS=1` was given.
    reports: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    Open,
    Pin,
    Puk,
}

impl SimSlot {
    pub fn new(card: Option<Sim>) -> Self {
        let lock = if card.as_ref().is_some_and(|c| c.pin.is_some()) { Lock::Pin } else { Lock::Open };
        Self { card, lock, pin_tries: PIN_TRIES, puk_tries: PUK_TRIES, reports: false }
    }

    /// Says whether there is a card and it is unlocked.
    pub fn ready(&self) -> bool {
        self.card.is_some() && self.lock == Lock::Open
    }

    /// The same after the modem lost its power: the card keeps its tries and asks for its PIN again.
    pub fn powered_on(self) -> Self {
        let fresh = Self::new(self.card);
        let lock = if self.lock == Lock::Puk { Lock::Puk } else { fresh.lock };
        Self { lock, pin_tries: self.pin_tries, puk_tries: self.puk_tries, ..fresh }
    }

    /// Returns the card where it may be read, else the error of the modem.
    fn readable(&self) -> Result<&Sim, Reply> {
        let card = self.card.as_ref().ok_or(Reply::Cme(NO_SIM))?;
        match self.lock {
            Lock::Open => Ok(card),
            Lock::Pin => Err(Reply::Cme(PIN_NEEDED)),
            Lock::Puk => Err(Reply::Cme(PUK_NEEDED)),
        }
    }
}

impl State {
    /// Takes the SIM out or puts one in, and tells the host the vendor's way.
    pub(super) fn insert_sim(&mut self, card: Option<Sim>) {
        let inserted = card.is_some();
        self.sim = SimSlot { reports: self.sim.reports, ..SimSlot::new(card) };
        match self.profile.plugin {
            Plugin::Telit if self.sim.reports => self.urc(format!("#QSS: {}", u8::from(inserted))),
            Plugin::Quectel if inserted => self.urc("+QUSIM: 1".to_owned()),
            _ => {}
        }
        self.report_registration();
    }

    pub(super) fn sim_command(&mut self, command: &Command<'_>) -> Reply {
        match (command.name.as_str(), &command.verb) {
            ("+CPIN", Verb::Read) => match (&self.sim.card, self.sim.lock) {
                (None, _) => Reply::Cme(NO_SIM),
                (Some(_), Lock::Open) => Reply::line("+CPIN: READY"),
                (Some(_), Lock::Pin) => Reply::line("+CPIN: SIM PIN"),
                (Some(_), Lock::Puk) => Reply::line("+CPIN: SIM PUK"),
            },
            ("+CPIN", Verb::Set(values)) => self.unlock(&fields(values)),
            ("+CIMI", Verb::Run) => match self.sim.readable() {
                Ok(card) => Reply::line(card.imsi.clone()),
                Err(reply) => reply,
            },
            ("+CCID", Verb::Run) => match &self.sim.card {
                Some(card) => Reply::line(format!("+CCID: {}", card.iccid)),
                None => Reply::Cme(NO_SIM),
            },
            ("+CNUM", Verb::Run) => match self.sim.readable() {
                Ok(card) => match &card.number {
                    // ModemManager takes the number as it stands, whatever the character set.
                    Some(number) => Reply::line(format!("+CNUM: ,\"{number}\",145")),
                    None => Reply::ok(),
                },
                Err(reply) => reply,
            },
            ("+CRSM", Verb::Set(values)) => self.read_file(&fields(values)),
            ("+CSIM", Verb::Set(values)) => self.tries(&fields(values)),
            ("+CLCK", Verb::Test) => Reply::line("+CLCK: (\"SC\",\"AO\",\"OI\",\"PN\",\"FD\")"),
            ("+CLCK", Verb::Set(values)) => self.facility_lock(&fields(values)),
            ("+CPWD", Verb::Set(values)) => self.change_pin(&fields(values)),
            ("+UPINCNT", Verb::Run) => Reply::line(format!(
                "+UPINCNT: {},{PIN_TRIES},{},{PUK_TRIES}",
                self.sim.pin_tries, self.sim.puk_tries
            )),
            ("#QSS", Verb::Test) if self.profile.plugin == Plugin::Telit => Reply::line("#QSS: (0-2)"),
            ("#QSS", Verb::Read) if self.profile.plugin == Plugin::Telit => Reply::line(format!(
                "#QSS: {},{}",
                u8::from(self.sim.reports),
                u8::from(self.sim.card.is_some())
            )),
            ("#QSS", Verb::Set(value)) if self.profile.plugin == Plugin::Telit => {
                self.sim.reports = value.trim() != "0";
                Reply::ok()
            }
            _ => Reply::Error,
        }
    }

    /// `+CRSM=176,<file>,…`: READ BINARY (3GPP TS 31.102 for the files).
    fn read_file(&self, values: &[String]) -> Reply {
        let Some(card) = &self.sim.card else { return Reply::Cme(NO_SIM) };
        let content = match (values.first().map(String::as_str), values.get(1).map(String::as_str)) {
            // EF_ICCID stays readable while the card is locked.
            (Some("176"), Some("12258")) => text::swapped(&card.iccid),
            (Some("176"), Some("28589")) if self.sim.lock == Lock::Open => {
                format!("000000{:02X}", card.mnc_length)
            }
            _ => return Reply::line("+CRSM: 106,130"),
        };
        Reply::line(format!("+CRSM: 144,0,\"{content}\""))
    }

    /// `+CSIM=10,"00…"`: an empty VERIFY or UNBLOCK, answered with the tries left.
    fn tries(&self, values: &[String]) -> Reply {
        if self.sim.card.is_none() {
            return Reply::Cme(NO_SIM);
        }
        let left = match values.get(1).map(String::as_str) {
            Some("0020000100") => self.sim.pin_tries,
            Some("002C000100") => self.sim.puk_tries,
            Some("0020008100") => PIN_TRIES,
            Some("002C008100") => PUK_TRIES,
            _ => return Reply::Error,
        };
        Reply::line(format!("+CSIM: 4,\"63C{left:X}\""))
    }

    fn unlock(&mut self, values: &[String]) -> Reply {
        let Some(card) = &mut self.sim.card else { return Reply::Cme(NO_SIM) };
        let given = values.first().map(String::as_str).unwrap_or_default();
        match (self.sim.lock, values.get(1)) {
            (Lock::Open, _) => Reply::Error,
            (Lock::Pin, _) if card.pin.as_deref() == Some(given) => {
                self.sim.lock = Lock::Open;
                self.sim.pin_tries = PIN_TRIES;
                self.report_registration();
                Reply::ok()
            }
            (Lock::Pin, _) => {
                self.sim.pin_tries = self.sim.pin_tries.saturating_sub(1);
                if self.sim.pin_tries == 0 {
                    self.sim.lock = Lock::Puk;
                    return Reply::Cme(PUK_NEEDED);
                }
                Reply::Cme(WRONG_PASSWORD)
            }
            (Lock::Puk, Some(pin)) if card.puk == given => {
                card.pin = Some(pin.clone());
                self.sim.lock = Lock::Open;
                self.sim.pin_tries = PIN_TRIES;
                self.sim.puk_tries = PUK_TRIES;
                self.report_registration();
                Reply::ok()
            }
            (Lock::Puk, _) => {
                self.sim.puk_tries = self.sim.puk_tries.saturating_sub(1);
                Reply::Cme(WRONG_PASSWORD)
            }
        }
    }

    fn facility_lock(&mut self, values: &[String]) -> Reply {
        let Some(card) = &mut self.sim.card else { return Reply::Cme(NO_SIM) };
        match (values.first().map(String::as_str), values.get(1).map(String::as_str), values.get(2)) {
            (Some("SC"), Some("2"), _) => Reply::line(format!("+CLCK: {}", u8::from(card.pin.is_some()))),
            (Some(_), Some("2"), _) => Reply::line("+CLCK: 0"),
            (Some("SC"), Some("1"), Some(pin)) => {
                card.pin = Some(pin.clone());
                Reply::ok()
            }
            (Some("SC"), Some("0"), Some(pin)) if card.pin.as_ref().is_none_or(|p| p == pin) => {
                card.pin = None;
                Reply::ok()
            }
            (Some("SC"), Some("0"), Some(_)) => Reply::Cme(WRONG_PASSWORD),
            _ => Reply::Error,
        }
    }

    fn change_pin(&mut self, values: &[String]) -> Reply {
        let Some(card) = &mut self.sim.card else { return Reply::Cme(NO_SIM) };
        match (values.get(1), values.get(2)) {
            (Some(old), Some(new)) if card.pin.as_ref() == Some(old) => {
                card.pin = Some(new.clone());
                Reply::ok()
            }
            _ => Reply::Cme(WRONG_PASSWORD),
        }
    }
}
