//! SMS PDUs: SMS-DELIVER written, SMS-SUBMIT read (3GPP TS 23.040, 9.2).

use super::error::AtError;
use super::text;

/// When an SMS reached the network, in its own time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// 0 to 99, counted from 2000.
    pub year: u8,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// Quarters of an hour east of UTC, -48 to 56.
    pub quarters: i8,
}

impl Timestamp {
    /// 2026-03-01T12:30:00+08.
    pub const DEFAULT: Self =
        Self { year: 26, month: 3, day: 1, hour: 12, minute: 30, second: 0, quarters: 32 };

    fn encode(self) -> String {
        let zone = self.quarters.unsigned_abs();
        // The sign is bit 3 of the first semi-octet on the wire: the low half's top bit once swapped.
        let high = (zone / 10) | if self.quarters < 0 { 8 } else { 0 };
        let fields = [self.year, self.month, self.day, self.hour, self.minute, self.second];
        let mut digits: String = fields.iter().map(|f| text::swapped(&format!("{f:02}"))).collect();
        digits.push_str(&format!("{}{high:X}", zone % 10));
        digits
    }
}

/// An SMS for the modem to receive.
#[derive(Clone, PartialEq, Eq)]
pub struct IncomingSms {
    /// A number (`+8613800138000`, `10086`) or a name of up to 11 characters of the GSM alphabet.
    pub sender: String,
    /// The text; GSM 7-bit where it fits, else UCS2, in as many parts as needed.
    pub text: String,
    /// The service centre's time stamp.
    pub time: Timestamp,
}

impl IncomingSms {
    /// Makes an SMS with the default time stamp.
    #[must_use]
    pub fn new(sender: &str, text: &str) -> Self {
        Self { sender: sender.to_owned(), text: text.to_owned(), time: Timestamp::DEFAULT }
    }

    /// The same with another time stamp.
    #[must_use]
    pub fn at(self, time: Timestamp) -> Self {
        Self { time, ..self }
    }

    /// Writes the SMS as PDUs, one a part; `reference` joins the parts.
    ///
    /// # Errors
    /// [`AtError::Sms`] when the sender does not fit or the text needs more than 255 parts.
    pub(super) fn encode(&self, reference: u8) -> Result<Vec<Pdu>, AtError> {
        let sender = address(&self.sender)?;
        let bodies = bodies(&self.text, reference)?;
        let joined = bodies.len() > 1;
        bodies
            .into_iter()
            .map(|body| {
                let first = if joined { "44" } else { "04" };
                let tpdu = format!("{first}{sender}00{}{}{}", body.coding, self.time.encode(), body.data);
                Ok(Pdu::with_service_centre(&tpdu))
            })
            .collect()
    }
}

impl std::fmt::Debug for IncomingSms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IncomingSms").field("characters", &self.text.chars().count()).finish_non_exhaustive()
    }
}

/// An SMS the host sent through the modem, its parts joined.
#[derive(Clone, PartialEq, Eq)]
pub struct SentSms {
    /// The recipient's number.
    pub to: String,
    /// The text.
    pub text: String,
    /// In how many parts it went.
    pub parts: u8,
    /// Whether a status report was asked for.
    pub report: bool,
    /// The message reference of the last part, as `+CMGS` gave it to the host.
    pub reference: u8,
}

impl SentSms {
    /// Writes the SMS-STATUS-REPORT of the message's delivery.
    pub(super) fn delivered(&self) -> Result<Pdu, AtError> {
        let time = Timestamp::DEFAULT.encode();
        Ok(Pdu::with_service_centre(&format!("06{:02X}{}{time}{time}00", self.reference, address(&self.to)?)))
    }
}

impl std::fmt::Debug for SentSms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentSms").field("parts", &self.parts).finish_non_exhaustive()
    }
}

/// A PDU in hexadecimal digits and its length without the service centre's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pdu {
    pub hex: String,
    pub length: usize,
}

impl Pdu {
    fn with_service_centre(tpdu: &str) -> Self {
        let centre = format!("0891{}", text::swapped("8613800100500"));
        Self { hex: format!("{centre}{tpdu}"), length: tpdu.len() / 2 }
    }

    /// Takes a PDU as the host gave it; the length leaves the service centre out.
    pub fn from_host(digits: &str) -> Option<Self> {
        let octets = text::unhex(digits)?;
        let centre = usize::from(*octets.first()?) + 1;
        Some(Self { hex: text::hex(&octets), length: octets.len().checked_sub(centre)? })
    }
}

/// One part of an SMS-SUBMIT.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub to: String,
    pub text: String,
    pub report: bool,
    /// Reference, total and number (from 1) of a part of several.
    pub joint: Option<(u16, u8, u8)>,
}

/// Reads an SMS-SUBMIT; `None` when it is none.
pub(super) fn read_submit(digits: &str) -> Option<Part> {
    let octets = text::unhex(digits)?;
    let rest = octets.get(usize::from(*octets.first()?) + 1..)?;
    let [first, _reference, length, kind, rest @ ..] = rest else { return None };
    if first & 0b11 != 0b01 {
        return None;
    }
    let (number, rest) = rest.split_at_checked(usize::from(*length).div_ceil(2))?;
    let to = read_number(number, *length, *kind);
    let [_protocol, coding, rest @ ..] = rest else { return None };
    let validity = match first >> 3 & 0b11 {
        0 => 0,
        2 => 1,
        _ => 7,
    };
    let [count, data @ ..] = rest.get(validity..)? else { return None };
    let header = if first & 0x40 != 0 { usize::from(*data.first()?) + 1 } else { 0 };
    let text = match coding & 0x0c {
        0 => {
            let skipped = (header * 8).div_ceil(7);
            let septets = usize::from(*count).checked_sub(skipped)?;
            text::from_septets(&text::unpack(data.get(header..)?, septets, skipped * 7 - header * 8))
        }
        8 => text::from_ucs2(data.get(header..usize::from(*count))?),
        _ => data.get(header..usize::from(*count))?.iter().map(|b| char::from(*b)).collect(),
    };
    let joint = if header > 0 { read_joint(data.get(1..header)?) } else { None };
    Some(Part { to, text, report: first & 0x20 != 0, joint })
}

fn read_number(octets: &[u8], length: u8, kind: u8) -> String {
    let digits = text::swapped(&text::hex(octets));
    let number: String = digits.chars().take(usize::from(length)).collect();
    if kind & 0x70 == 0x10 { format!("+{number}") } else { number }
}

/// Finds the concatenation element (0x00 with 8, 0x08 with 16 bits of reference) in a user data header.
fn read_joint(mut header: &[u8]) -> Option<(u16, u8, u8)> {
    while let [element, length, rest @ ..] = header {
        let (value, next) = rest.split_at_checked(usize::from(*length))?;
        match (element, value) {
            (0x00, [reference, total, number]) => return Some((u16::from(*reference), *total, *number)),
            (0x08, [high, low, total, number]) => {
                return Some((u16::from_be_bytes([*high, *low]), *total, *number));
            }
            _ => header = next,
        }
    }
    None
}

/// Encodes the originating address: its length in digits, its type, its digits.
fn address(sender: &str) -> Result<String, AtError> {
    let digits = sender.strip_prefix('+').unwrap_or(sender);
    if !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()) {
        let kind = if sender.starts_with('+') { "91" } else { "81" };
        return Ok(format!("{:02X}{kind}{}", digits.len(), text::swapped(digits)));
    }
    let septets = text::to_septets(sender)
        .map(|s| s.concat())
        .filter(|s| !s.is_empty() && s.len() <= 11)
        .ok_or(AtError::Sms {
            reason: "the sender is neither a number nor 1 to 11 characters of the GSM alphabet",
        })?;
    // The length of a name counts the semi-octets in use.
    let semi = (septets.len() * 7).div_ceil(4);
    Ok(format!("{semi:02X}D0{}", text::hex(&text::pack(&septets, 0))))
}

/// The coding scheme and user data, with its length, of one part.
struct Body {
    coding: &'static str,
    data: String,
}

fn bodies(message: &str, reference: u8) -> Result<Vec<Body>, AtError> {
    match text::to_septets(message) {
        Some(characters) => seven_bit_bodies(&characters, reference),
        None => ucs2_bodies(message, reference),
    }
}

fn seven_bit_bodies(characters: &[Vec<u8>], reference: u8) -> Result<Vec<Body>, AtError> {
    let single = characters.concat();
    if single.len() <= 160 {
        let data = format!("{:02X}{}", single.len(), text::hex(&text::pack(&single, 0)));
        return Ok(vec![Body { coding: "00", data }]);
    }
    // A header of six octets takes seven septets; one bit fills up.
    numbered(split(characters, 153), reference, |header, part| Body {
        coding: "00",
        data: format!("{:02X}{header}{}", part.len() + 7, text::hex(&text::pack(&part, 1))),
    })
}

fn ucs2_bodies(message: &str, reference: u8) -> Result<Vec<Body>, AtError> {
    let single = text::to_ucs2(message);
    if single.len() <= 140 {
        return Ok(vec![Body { coding: "08", data: format!("{:02X}{}", single.len(), text::hex(&single)) }]);
    }
    let characters: Vec<Vec<u8>> = message.chars().map(|c| text::to_ucs2(&c.to_string())).collect();
    numbered(split(&characters, 134), reference, |header, part| Body {
        coding: "08",
        data: format!("{:02X}{header}{}", part.len() + 6, text::hex(&part)),
    })
}

/// Splits characters into parts of at most `room`, never within a character.
fn split(characters: &[Vec<u8>], room: usize) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    for character in characters {
        match parts.last_mut() {
            Some(last) if last.len() + character.len() <= room => last.extend(character),
            _ => parts.push(character.clone()),
        }
    }
    parts
}

fn numbered(
    parts: Vec<Vec<u8>>,
    reference: u8,
    body: impl Fn(String, Vec<u8>) -> Body,
) -> Result<Vec<Body>, AtError> {
    let total =
        u8::try_from(parts.len()).map_err(|_| AtError::Sms { reason: "it needs more than 255 parts" })?;
    Ok((1..=total)
        .zip(parts)
        .map(|(number, part)| body(format!("050003{reference:02X}{total:02X}{number:02X}"), part))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_submit_is_read() {
        // The "hellohello" example of the literature, validity relative.
        let part = read_submit("0011000B916407281553F80000AA0AE8329BFD4697D9EC37").unwrap();
        assert_eq!((part.to.as_str(), part.text.as_str()), ("+46708251358", "hellohello"));
        assert_eq!(read_submit("0711"), None);
        assert_eq!(read_submit("00"), None);
    }

    #[test]
    fn deliver_has_number_time_and_text() {
        let sms = IncomingSms::new("10086", "hellohello");
        let pdus = sms.encode(7).unwrap();
        assert_eq!(pdus.len(), 1);
        assert_eq!(
            pdus[0].hex,
            format!("0891683108100005F0{}", "0405810180F60000623010210300230AE8329BFD4697D9EC37")
        );
        assert_eq!(pdus[0].length, 26 - 1);
    }

    #[test]
    fn a_zone_west_of_utc_sets_the_sign() {
        let time = Timestamp { quarters: -20, ..Timestamp::DEFAULT };
        assert!(time.encode().ends_with("0A"));
    }

    #[test]
    fn long_texts_are_split_and_never_within_a_character() {
        let gsm = IncomingSms::new("10086", &"€".repeat(100)).encode(1).unwrap();
        assert_eq!(gsm.len(), 2);
        let ucs2 = IncomingSms::new("10086", &"余".repeat(71)).encode(1).unwrap();
        assert_eq!(ucs2.len(), 2);
        assert_eq!(IncomingSms::new("10086", &"余".repeat(70)).encode(1).unwrap().len(), 1);
        assert!(IncomingSms::new("this name is too long", "x").encode(1).is_err());
    }

    #[test]
    fn from_host_leaves_the_service_centre_out() {
        let pdu = Pdu::from_host("0011000B916407281553F80000AA0AE8329BFD4697D9EC37").unwrap();
        assert_eq!(pdu.length, 23);
        assert!(Pdu::from_host("zz").is_none());
    }
}
