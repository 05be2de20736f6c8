//! The modem's whole state and the way of a command to the part that answers it.

use super::call::Calls;
use super::command::{Command, Reply, Verb, parse};
use super::data::Data;
use super::profile::Profile;
use super::radio::Radio;
use super::sim::SimSlot;
use super::sms::Messages;
use super::ussd::Ussd;

/// Everything the modem remembers.
#[derive(Debug)]
pub(super) struct State {
    pub profile: Profile,
    pub radio: Radio,
    pub sim: SimSlot,
    pub sms: Messages,
    pub calls: Calls,
    pub ussd: Ussd,
    pub data: Data,
    /// `+CSCS="UCS2"` is in force.
    pub ucs2: bool,
    /// The modem reads commands and never answers.
    pub hung: bool,
    cmee: bool,
    urcs: Vec<String>,
    heard: Vec<String>,
}

/// How many commands are remembered for tests to look at.
const HEARD: usize = 4096;

impl State {
    pub fn new(profile: Profile) -> Self {
        Self {
            radio: Radio::new(profile.home.clone()),
            sim: SimSlot::new(profile.sim.clone()),
            sms: Messages::default(),
            calls: Calls::default(),
            ussd: Ussd::default(),
            data: Data::default(),
            ucs2: false,
            hung: false,
            cmee: false,
            urcs: Vec::new(),
            heard: Vec::new(),
            profile,
        }
    }

    /// Forgets what a modem without power forgets.
    pub fn power_cycle(&mut self) {
        let former = std::mem::replace(self, Self::new(self.profile.clone()));
        self.heard = former.heard;
        self.sim = former.sim.powered_on();
        self.ussd = former.ussd.powered_on();
        self.sms = former.sms.powered_on();
    }

    /// Queues an unsolicited result code.
    pub fn urc(&mut self, line: String) {
        self.urcs.push(line);
    }

    /// Takes the queued unsolicited result codes.
    pub fn take_urcs(&mut self) -> Vec<String> {
        std::mem::take(&mut self.urcs)
    }

    /// The command lines heard so far.
    pub fn heard(&self) -> Vec<String> {
        self.heard.clone()
    }

    /// Says whether errors carry a code.
    pub fn verbose_errors(&self) -> bool {
        self.cmee
    }

    /// Answers one command line.
    pub fn answer(&mut self, line: &str) -> Reply {
        if self.heard.len() < HEARD {
            self.heard.push(line.to_owned());
        }
        let Some(command) = parse(line) else { return Reply::Error };
        let name = command.name.as_str();
        match name {
            "" | "V1" | "X4" | "&C1" | "&D2" | "E0" | "E1" => Reply::ok(),
            "Z" => Reply::ok(),
            "I" => Reply::Ok(vec![self.profile.manufacturer.clone(), self.profile.model.clone()]),
            _ if name.starts_with('D') => self.dialled(line.get(3..).unwrap_or_default()),
            "A" | "H" | "H0" | "+CHUP" | "+CHLD" | "+CLCC" | "+CLIP" | "+CRC" | "+CCWA" | "+VTS"
            | "+UCALLSTAT" => self.call_command(&command),
            "+CREG" | "+CGREG" | "+CEREG" | "+COPS" | "+CSQ" | "+CESQ" | "+CIND" | "+CMER" | "+WS46"
            | "+CFUN" | "+CTZU" | "+CCLK" => self.radio_command(&command),
            "+CPIN" | "+CIMI" | "+CCID" | "+CNUM" | "+CRSM" | "+CSIM" | "+CLCK" | "+CPWD" | "+UPINCNT"
            | "#QSS" => self.sim_command(&command),
            "+CMGF" | "+CPMS" | "+CNMI" | "+CMGL" | "+CMGR" | "+CMGD" | "+CMGS" | "+CMGW" | "+CMSS" => {
                self.sms_command(&command)
            }
            "+CUSD" => self.ussd_command(&command),
            "+CGDCONT" | "+CGACT" | "+CGEREP" | "+CEER" | "+CGPADDR" | "+URAT" | "+UBANDSEL"
            | "+UUSBCONF" | "+UBMCONF" | "+UAUTHREQ" | "+UIPADDR" | "+CGCONTRDP" | "+UGCNTRD" => {
                self.data_command(&command)
            }
            _ => self.general_command(&command),
        }
    }

    fn dialled(&mut self, digits: &str) -> Reply {
        match digits.strip_suffix(';') {
            Some(number) => self.dial(number),
            None if digits.starts_with("*99") => self.dial_data(digits),
            None => Reply::Final("NO CARRIER"),
        }
    }

    fn general_command(&mut self, command: &Command<'_>) -> Reply {
        match (command.name.as_str(), &command.verb) {
            ("+CGMI" | "+GMI", Verb::Run) => Reply::line(self.profile.manufacturer.clone()),
            ("+CGMM" | "+GMM", Verb::Run) => Reply::line(self.profile.model.clone()),
            ("+CGMR" | "+GMR", Verb::Run) => Reply::line("1.0"),
            ("+CGSN" | "+GSN", Verb::Run) => Reply::line(self.profile.imei.clone()),
            ("+GCAP", Verb::Run) => Reply::line("+GCAP: +CGSM,+DS,+ES"),
            ("+CMEE", Verb::Set(mode)) => {
                self.cmee = mode.trim() != "0";
                Reply::ok()
            }
            ("+CSCS", Verb::Test) => Reply::line("+CSCS: (\"GSM\",\"IRA\",\"UCS2\")"),
            ("+CSCS", Verb::Read) => {
                Reply::line(format!("+CSCS: \"{}\"", if self.ucs2 { "UCS2" } else { "GSM" }))
            }
            ("+CSCS", Verb::Set(charset)) => {
                self.ucs2 = charset.contains("UCS2");
                Reply::ok()
            }
            ("+IFC", Verb::Test) => Reply::line("+IFC: (0-2),(0-2)"),
            ("+IFC", Verb::Set(_)) => Reply::ok(),
            // Telit: ModemManager locks and unlocks the card's channel around its own commands.
            _ => Reply::Error,
        }
    }
}
