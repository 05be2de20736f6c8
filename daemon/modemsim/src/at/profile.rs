//! What a simulated modem is: make, SIM, operator.

/// The ModemManager plugin a modem wants, and with it the vendor commands it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plugin {
    /// No vendor command.
    Generic,
    /// Reports SIM changes by `#QSS`.
    Telit,
    /// Reports SIM changes by `+QUSIM`.
    Quectel,
    /// A SARA-U201 (UMTS): its bearers use a network interface where the modem has one.
    Ublox,
}

impl Plugin {
    /// Returns the name ModemManager's test interface knows the plugin by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Telit => "telit",
            Self::Quectel => "quectel",
            Self::Ublox => "u-blox",
        }
    }
}

/// The radio the modem has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessTechnology {
    /// UMTS; `2` in `+CREG`.
    Umts,
    /// LTE; `7` in `+CREG`, and the modem knows `+CEREG`.
    Lte,
}

impl AccessTechnology {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Umts => 2,
            Self::Lte => 7,
        }
    }
}

/// How a bearer over a network interface gets its address (u-blox router and bridge mode).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpMethod {
    /// `Ip4Config` says dhcp.
    Dhcp,
    /// `Ip4Config` carries the address, gateway and DNS servers.
    Static,
}

/// A network operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// MCC and MNC, 5 or 6 digits.
    pub code: std::borrow::Cow<'static, str>,
    /// The name the network broadcasts.
    pub name: std::borrow::Cow<'static, str>,
}

impl Operator {
    /// China Mobile.
    pub const CHINA_MOBILE: Self = Self::named("46000", "CHINA MOBILE");
    /// China Unicom.
    pub const CHINA_UNICOM: Self = Self::named("46001", "CHN-UNICOM");
    /// T-Mobile in the United States.
    pub const T_MOBILE_US: Self = Self::named("310260", "T-Mobile US");
    /// Three in Hong Kong.
    pub const THREE_HK: Self = Self::named("45403", "3 HK");

    const fn named(code: &'static str, name: &'static str) -> Self {
        Self { code: std::borrow::Cow::Borrowed(code), name: std::borrow::Cow::Borrowed(name) }
    }
}

/// A SIM card.
#[derive(Clone, PartialEq, Eq)]
pub struct Sim {
    /// 19 or 20 digits.
    pub iccid: String,
    /// 14 or 15 digits.
    pub imsi: String,
    /// Digits of the MNC within the IMSI: 2 or 3.
    pub mnc_length: u8,
    /// The own number in international form, where the SIM knows it.
    pub number: Option<String>,
    /// The PIN that locks the card; `None` when it is not locked.
    pub pin: Option<String>,
    /// The PUK.
    pub puk: String,
}

impl Sim {
    /// A China Mobile SIM without PIN.
    #[must_use]
    pub fn china_mobile() -> Self {
        Self {
            iccid: "89860012345678901234".to_owned(),
            imsi: "460001234567890".to_owned(),
            mnc_length: 2,
            number: Some("+8613800138000".to_owned()),
            pin: None,
            puk: "12345678".to_owned(),
        }
    }

    /// A China Unicom SIM without PIN: another card for a SIM change.
    #[must_use]
    pub fn china_unicom() -> Self {
        Self {
            iccid: "89860198765432109876".to_owned(),
            imsi: "460019876543210".to_owned(),
            number: None,
            ..Self::china_mobile()
        }
    }
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("locked", &self.pin.is_some()).finish_non_exhaustive()
    }
}

/// What a modem is when it is plugged in.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The plugin that drives it.
    pub plugin: Plugin,
    /// The radio.
    pub technology: AccessTechnology,
    /// `+CGMI`.
    pub manufacturer: String,
    /// `+CGMM`.
    pub model: String,
    /// `+CGSN`, 15 digits.
    pub imei: String,
    /// The SIM inside, if any.
    pub sim: Option<Sim>,
    /// The home network.
    pub home: Operator,
    /// AT ports: 1 or 2. With one, nothing is heard while a PPP bearer is up.
    pub ports: u8,
    /// How bearers over a network interface get their address.
    pub ip_method: IpMethod,
    /// The network clock, as `+CCLK?` prints it.
    pub clock: String,
}

impl Profile {
    /// A generic LTE modem with two AT ports and a China Mobile SIM.
    #[must_use]
    pub fn lte() -> Self {
        Self {
            plugin: Plugin::Generic,
            technology: AccessTechnology::Lte,
            manufacturer: "Simbell".to_owned(),
            model: "SIM-LTE".to_owned(),
            imei: "490154203237518".to_owned(),
            sim: Some(Sim::china_mobile()),
            home: Operator::CHINA_MOBILE,
            ports: 2,
            ip_method: IpMethod::Dhcp,
            clock: "26/03/01,12:30:00+32".to_owned(),
        }
    }

    /// A generic UMTS modem with two AT ports and a China Mobile SIM.
    #[must_use]
    pub fn umts() -> Self {
        Self { technology: AccessTechnology::Umts, model: "SIM-UMTS".to_owned(), ..Self::lte() }
    }

    /// A u-blox SARA-U201: the modem whose bearers have a real network interface in the kernel-event lab.
    #[must_use]
    pub fn ublox() -> Self {
        // ModemManager hangs for ever on a u-blox model it has no band table for.
        Self {
            plugin: Plugin::Ublox,
            manufacturer: "u-blox".to_owned(),
            model: "SARA-U201".to_owned(),
            ..Self::umts()
        }
    }

    /// A telit LTE modem, which reports SIM changes at once.
    #[must_use]
    pub fn telit() -> Self {
        Self {
            plugin: Plugin::Telit,
            manufacturer: "Telit".to_owned(),
            model: "LE910".to_owned(),
            ..Self::lte()
        }
    }

    /// A quectel LTE modem, which reports an inserted SIM.
    #[must_use]
    pub fn quectel() -> Self {
        Self {
            plugin: Plugin::Quectel,
            manufacturer: "Quectel".to_owned(),
            model: "EC25".to_owned(),
            ..Self::lte()
        }
    }

    /// The same with another SIM, or none.
    #[must_use]
    pub fn with_sim(self, sim: Option<Sim>) -> Self {
        Self { sim, ..self }
    }

    /// The same with another IMEI: two modems on one ModemManager need two.
    #[must_use]
    pub fn with_imei(self, imei: &str) -> Self {
        Self { imei: imei.to_owned(), ..self }
    }
}
