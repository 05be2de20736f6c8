//! What a look-alike is made of, as its user describes it.

/// One SIM or eSIM profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimSpec {
    /// `Sim.SimIdentifier`; empty for an eUICC without a profile.
    pub iccid: String,
    /// `Sim.Imsi`.
    pub imsi: String,
    /// `Sim.Eid`; empty for a SIM without one.
    pub eid: String,
    /// `Sim.OperatorIdentifier`, MCC and MNC of the home network.
    pub operator_code: String,
    /// `Sim.OperatorName`.
    pub operator_name: String,
    /// Whether it is an eSIM (`Sim.SimType`).
    pub esim: bool,
    /// Own number shown in `Modem.OwnNumbers`; empty for none.
    pub number: String,
}

impl Default for SimSpec {
    fn default() -> Self {
        Self {
            iccid: "8900100000000000001".into(),
            imsi: "001010000000001".into(),
            eid: String::new(),
            operator_code: "00101".into(),
            operator_name: "Test Network".into(),
            esim: false,
            number: String::new(),
        }
    }
}

/// One modem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModemSpec {
    /// Name by which scenario and tests speak of it; shown nowhere.
    pub name: String,
    /// `Modem.EquipmentIdentifier`.
    pub imei: String,
    /// `Modem.Manufacturer`.
    pub manufacturer: String,
    /// `Modem.Model`.
    pub model: String,
    /// `Modem.Revision`.
    pub revision: String,
    /// `Modem.Device`.
    pub device: String,
    /// `Modem.Plugin`.
    pub plugin: String,
    /// Network interface in `Modem.Ports`, and of bearers that name none.
    pub net_port: String,
    /// Slots, each with its SIMs; of several (eSIM profiles) the first is in use. An empty slot holds no SIM.
    pub slots: Vec<Vec<SimSpec>>,
    /// `Modem.PrimarySimSlot`, 1-based.
    pub primary_slot: usize,
    /// `Modem.SignalQuality`, 0 to 100.
    pub signal: u32,
    /// Access technology once registered: `gsm`, `umts`, `lte` or `5gnr`.
    pub technology: Technology,
    /// PIN that unlocks the SIM.
    pub pin: String,
    /// Whether the SIM is locked at first.
    pub locked: bool,
    /// Whether the modem is plugged in at first.
    pub plugged: bool,
}

impl Default for ModemSpec {
    fn default() -> Self {
        Self::numbered(0)
    }
}

impl ModemSpec {
    /// The modem number `index` of a row: name, IMEI, device, net port and SIM differ by that number.
    #[must_use]
    pub fn numbered(index: usize) -> Self {
        Self {
            name: format!("modem{index}"),
            imei: format!("{:015}", 350_000_000_000_000_u64 + index as u64),
            manufacturer: "Simbell".into(),
            model: "Simulated modem".into(),
            revision: "1.0".into(),
            device: format!("/sys/devices/virtual/simbell/modem{index}"),
            plugin: "generic".into(),
            net_port: format!("wwan{index}"),
            slots: vec![vec![SimSpec {
                iccid: format!("89001{:014}", index + 1),
                imsi: format!("00101{:010}", index + 1),
                ..SimSpec::default()
            }]],
            primary_slot: 1,
            signal: 70,
            technology: Technology::Lte,
            pin: "1234".into(),
            locked: false,
            plugged: true,
        }
    }
}

/// `MMModemAccessTechnology`, the common ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as MMModemAccessTechnology names them")]
pub enum Technology {
    Gsm,
    Umts,
    Lte,
    Nr5g,
}

impl Technology {
    /// The bit of `Modem.AccessTechnologies`.
    #[must_use]
    pub const fn bit(self) -> u32 {
        match self {
            Self::Gsm => 1 << 1,
            Self::Umts => 1 << 5,
            Self::Lte => 1 << 14,
            Self::Nr5g => 1 << 15,
        }
    }
}

/// Where a modem stands with the networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// On the home network of its SIM.
    Home,
    /// On a foreign network.
    Roaming {
        /// MCC and MNC.
        code: String,
        /// Name.
        name: String,
    },
    /// Looking for one.
    Searching,
    /// Turned away.
    Denied,
}

/// A connection to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BearerSpec {
    /// APN.
    pub apn: String,
    /// Network interface; the modem's net port where none is named.
    pub interface: Option<String>,
    /// Whether `Bearer.Stats` counts bytes (`ReloadStatsSupported`); without it they stay 0, as on AT modems.
    pub stats: bool,
    /// Whether the link is PPP (`Ip4Config` method 1).
    pub ppp: bool,
}

/// A short message left through the look-alike.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SentSms {
    /// Name of the modem.
    pub modem: String,
    /// Recipient.
    pub number: String,
    /// Text.
    pub text: String,
    /// Parts it takes on the air (3GPP TS 23.038, 23.040).
    pub parts: usize,
}

/// What an answer to a method call is replaced with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Method, as `Messaging.Create` or `Sms.Send`.
    pub method: String,
    /// Error name, in full or after `org.freedesktop.ModemManager1.Error.`; empty for no answer at all.
    pub error: String,
    /// Error text.
    pub text: String,
    /// How often; `None` without end.
    pub times: Option<u32>,
}

/// What happened, for whoever watches; one JSON object each on standard output of the program.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The look-alike can be spoken to at this address.
    Ready {
        /// D-Bus address: of a bus, or of the socket that clients connect to directly.
        address: String,
    },
    /// A client had a short message sent.
    SmsSent(SentSms),
    /// A client asked by USSD.
    UssdAsked {
        /// Name of the modem.
        modem: String,
        /// What it asked.
        code: String,
    },
    /// A call was refused as scripted.
    Refused {
        /// Method.
        method: String,
        /// Error name.
        error: String,
    },
    /// A step of the scenario is done.
    Step {
        /// Milliseconds since the scenario began.
        at_ms: u64,
        /// Action.
        action: String,
        /// Name of the modem.
        modem: String,
    },
    /// A step could not be done.
    StepFailed {
        /// Action.
        action: String,
        /// Why.
        error: String,
    },
    /// No further step will come.
    ScenarioEnded {},
}
