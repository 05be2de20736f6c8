//! Identities: what a thing is called, wherever it is plugged in.
//!
//! A D-Bus path is never an identity: ModemManager reuses paths for other things after a restart.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not a valid identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {problem}")]
pub struct IdentError {
    /// Which identity was expected, such as `ICCID`.
    pub what: &'static str,
    /// What is wrong with the text, without repeating it.
    pub problem: &'static str,
}

/// How a checked text is kept.
trait Kept {
    fn keep(text: String) -> Self;
    fn text(&self) -> &str;
    fn give(self) -> String;
}

impl Kept for String {
    fn keep(text: String) -> Self {
        text
    }

    fn text(&self) -> &str {
        self
    }

    fn give(self) -> String {
        self
    }
}

/// For identities that each counter, session and baseline carries: a copy of those takes no memory.
impl Kept for Arc<str> {
    fn keep(text: String) -> Self {
        text.into()
    }

    fn text(&self) -> &str {
        self
    }

    fn give(self) -> String {
        self.as_ref().to_owned()
    }
}

/// Longest ICCID.
const MOST_DIGITS: usize = 22;

/// So few characters of ASCII, in place: what maps go by most is compared and copied without a look elsewhere. Ordered
/// as texts are, for behind a shorter one there are zeros.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Digits([u8; MOST_DIGITS]);

impl Digits {
    /// As numbers of the same order: two are compared in a few instructions.
    const fn words(&self) -> (u128, u64) {
        match (self.0.first_chunk(), self.0.last_chunk()) {
            (Some(first), Some(last)) => (u128::from_be_bytes(*first), u64::from_be_bytes(*last)),
            _ => (0, 0),
        }
    }
}

impl Ord for Digits {
    fn cmp(&self, other: &Self) -> Ordering {
        self.words().cmp(&other.words())
    }
}

impl PartialOrd for Digits {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Kept for Digits {
    fn keep(text: String) -> Self {
        let mut kept = Self([0; MOST_DIGITS]);
        for (place, byte) in kept.0.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
        kept
    }

    fn text(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(MOST_DIGITS);
        std::str::from_utf8(self.0.get(..length).unwrap_or_default()).unwrap_or_default()
    }

    fn give(self) -> String {
        self.text().to_owned()
    }
}

macro_rules! text_ident {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr, $private:literal) => {
        text_ident!($(#[$doc])* $name, $what, $check, $private, String);
    };
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr, $private:literal, $kept:ty) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name($kept);

        impl $name {
            /// Checks and keeps `text`.
            ///
            /// # Errors
            /// Says what is wrong when the text is not a valid value.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdentError> {
                let check: fn(&str) -> Result<String, &'static str> = $check;
                match check(text.as_ref()) {
                    Ok(text) => Ok(Self(<$kept>::keep(text))),
                    Err(problem) => Err(IdentError { what: $what, problem }),
                }
            }

            /// The text as kept.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.text()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if $private {
                    let tail: String = {
                        let mut last: Vec<char> = self.as_str().chars().rev().take(2).collect();
                        last.reverse();
                        last.into_iter().collect()
                    };
                    write!(f, "{}(…{tail})", stringify!($name))
                } else {
                    write!(f, "{}({:?})", stringify!($name), self.as_str())
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdentError;
            fn from_str(text: &str) -> Result<Self, IdentError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdentError;
            fn try_from(text: String) -> Result<Self, IdentError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(ident: $name) -> String {
                ident.0.give()
            }
        }
    };
}

fn digits(text: &str, least: usize, most: usize) -> Result<String, &'static str> {
    let text = text.trim();
    if text.len() < least || text.len() > most {
        return Err("has the wrong number of digits");
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("may only hold digits");
    }
    Ok(text.to_owned())
}

fn iccid(text: &str) -> Result<String, &'static str> {
    let text = text.trim().to_ascii_uppercase();
    let text = text.trim_end_matches('F');
    if !(18..=MOST_DIGITS).contains(&text.len()) {
        return Err("must have 18 to 22 digits (ITU-T E.118)");
    }
    if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("may only hold digits");
    }
    Ok(text.to_owned())
}

fn apn(text: &str) -> Result<String, &'static str> {
    const MOST: usize = 100;
    let text = text.trim().to_ascii_lowercase();
    if text.is_empty() {
        return Err("must not be empty");
    }
    if text.len() > MOST {
        return Err("may have 100 characters at most");
    }
    // Underscores are in no standard and in some networks.
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')) {
        return Err("may only hold letters, digits, hyphens and dots");
    }
    Ok(text)
}

fn name(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("must not be empty");
    }
    if text.chars().count() > 64 {
        return Err("may have 64 characters at most");
    }
    if text.chars().any(char::is_control) {
        return Err("must not hold control characters");
    }
    Ok(text.to_owned())
}

fn key(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("must not be empty");
    }
    if text.len() > 200 {
        return Err("may have 200 bytes at most");
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("must not hold blanks or control characters");
    }
    Ok(text.to_owned())
}

text_ident!(
    /// Integrated circuit card identifier: the identity of a SIM or of one eSIM profile.
    ///
    /// 18 to 22 digits (ITU-T E.118), padding `F` removed. Source: `Sim.SimIdentifier`.
    Iccid, "ICCID", iccid, true, Digits
);
text_ident!(
    /// International mobile subscriber identity, 6 to 15 digits (3GPP TS 23.003). Source: `Sim.Imsi`.
    Imsi, "IMSI", |t| digits(t, 6, 15), true
);
text_ident!(
    /// eUICC identifier, 32 digits (SGP.02). Source: `Sim.Eid`.
    Eid, "EID", |t| digits(t, 32, 32), true
);
text_ident!(
    /// Mobile country and network code, 5 or 6 digits (3GPP TS 23.003). Source: `Modem3gpp.OperatorCode`.
    OperatorCode, "operator code", |t| digits(t, 5, 6), false, Arc<str>
);
text_ident!(
    /// What a modem is known by: its IMEI, or its device path where it tells none. Never its D-Bus path.
    ModemId, "modem identity", key, true, Arc<str>
);
text_ident!(
    /// A telephone number or alphanumeric sender as the network gave it; hostile text, length-limited.
    PhoneNumber, "telephone number", name, true
);
text_ident!(
    /// The name a person gave to a SIM in the configuration.
    SimName, "SIM name", name, false
);
text_ident!(
    /// The name of a plan.
    PlanName, "plan name", name, false
);
text_ident!(
    /// The network identifier of an access point name, in small letters (3GPP TS 23.003, 9.1.1): letters, digits, hyphens
    /// and dots, 100 at most.
    Apn, "APN", apn, false
);
text_ident!(
    /// The name of a rule: the file stem of a single file, or the plugin's name.
    RuleName, "rule name", key, false
);
text_ident!(
    /// The name of a channel in the configuration.
    ChannelName, "channel name", key, false
);
text_ident!(
    /// The whole key of a reminder: `rule/key` or `rule/key/ICCID-tail`, unique in the ledger.
    ReminderKey, "reminder key", key, false
);
text_ident!(
    /// The kernel's identity of this boot. Source: `/proc/sys/kernel/random/boot_id`.
    BootId, "boot id", key, false, Arc<str>
);

/// Kernel interface index, unique within a boot and network namespace while the interface lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IfIndex(pub u32);

impl Apn {
    /// Whether a connection's APN is this one, with or without the operator identifier (`….mnc001.mcc262.gprs`, 3GPP TS
    /// 23.003, 9.1.2).
    #[must_use]
    pub fn names(&self, text: &str) -> bool {
        let text = text.trim().to_ascii_lowercase();
        let Some(rest) = text.strip_prefix(self.as_str()) else { return false };
        let labels: Vec<&str> = rest.split('.').collect();
        let code = |label: &str, of: &str| {
            label
                .strip_prefix(of)
                .is_some_and(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit()))
        };
        match labels.as_slice() {
            [""] => true,
            ["", mnc, mcc, "gprs"] => code(mnc, "mnc") && code(mcc, "mcc"),
            _ => false,
        }
    }
}

impl Iccid {
    /// The last four digits, for keys and texts that must not carry the whole number.
    #[must_use]
    pub fn tail(&self) -> &str {
        let text = self.as_str();
        text.get(text.len().saturating_sub(4)..).unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Kept in place or elsewhere: a text, and ordered as texts are.
        #[test]
        fn an_iccid_is_its_text(one in "[0-9A-E]{18,22}", other in "[0-9A-E]{18,22}") {
            let (a, b) = (Iccid::new(&one).unwrap(), Iccid::new(&other).unwrap());
            prop_assert_eq!(a.as_str(), one.as_str());
            prop_assert_eq!(String::from(a.clone()), one.clone());
            prop_assert_eq!(serde_json::to_string(&a).unwrap(), serde_json::to_string(&one).unwrap());
            prop_assert_eq!(a.cmp(&b), one.cmp(&other));
            let (short, long) = (Iccid::new(&one[..18]).unwrap(), Iccid::new(format!("{}00", &one[..18])).unwrap());
            prop_assert!(short < long);
        }
    }

    #[test]
    fn an_apn_is_known_with_its_operator_and_without() {
        let ims = Apn::new(" IMS ").unwrap();
        for same in ["ims", "IMS", "ims.mnc001.mcc262.gprs", "Ims.MNC001.MCC262.GPRS"] {
            assert!(ims.names(same), "{same}");
        }
        for other in [
            "",
            "ims2",
            "xims",
            "ims.",
            "ims.example",
            "ims.mnc1.mcc262.gprs",
            "ims.mnc001.mcc262",
            "ims.mcc262.mnc001.gprs",
        ] {
            assert!(!ims.names(other), "{other}");
        }
        assert!(Apn::new("internet.t-mobile").unwrap().names("Internet.T-Mobile"));
        for bad in ["", " ", "a b", "a/b", "a\nb", "ä", &"a".repeat(101)] {
            assert!(Apn::new(bad).is_err(), "{bad:?}");
        }
    }
}
