//! Short messages: which ones count as received, what they are known by, how many parts they take.

use ring::digest::{Context, SHA256};
use simbell_core::ident::ModemId;
use simbell_core::modem::SmsView;
use simbell_core::segments;
use zbus::Variant;

use crate::props::Props;

/// Longest text, in characters: 255 parts of 153.
const TEXT: usize = 39_015;
const NUMBER: usize = 64;

/// Where a message stands, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmsStage {
    /// A received message with all its parts.
    Received,
    /// Parts are missing, or it is on its way out.
    Unfinished,
    /// It left.
    Sent,
    /// Of no interest: a status report, a draft, something unknown.
    Other,
}

/// Reads `Sms.State` and `Sms.PduType`.
pub fn stage(sms: &Props) -> SmsStage {
    // MM_SMS_PDU_TYPE_DELIVER and MM_SMS_PDU_TYPE_CDMA_DELIVER
    let deliver = matches!(sms.number("PduType"), Some(1 | 32));
    match sms.number("State") {
        Some(3) if deliver => SmsStage::Received,
        // Receiving, and a draft or stored message that may be sent yet.
        Some(2 | 0 | 1 | 4) => SmsStage::Unfinished,
        Some(5) => SmsStage::Sent,
        _ => SmsStage::Other,
    }
}

/// A received message. The digest is the same when ModemManager shows it again under another path.
pub fn view(modem: &ModemId, sms: &Props) -> SmsView {
    let number = sms.text("Number", NUMBER).unwrap_or_default();
    let text = sms.text("Text", TEXT).unwrap_or_default();
    let timestamp = sms.text("Timestamp", NUMBER);
    let data: Vec<u8> = sms
        .list("Data")
        .iter()
        .filter_map(|byte| match byte {
            Variant::U8(byte) => Some(*byte),
            _ => None,
        })
        .collect();
    let mut digest = Context::new(&SHA256);
    // The modem is part of it: one text to many subscribers at one second is common. Lengths part the fields.
    for field in [
        modem.as_str().as_bytes(),
        number.as_bytes(),
        timestamp.as_deref().unwrap_or_default().as_bytes(),
        text.as_bytes(),
        &data,
    ] {
        digest.update(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(field);
    }
    let digest = digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    SmsView { number, text, timestamp: timestamp.map(|stamp| rfc3339(&stamp)), digest }
}

/// How many parts a message takes that leaves or left.
pub fn sent_parts(sms: &Props) -> u32 {
    segments::parts(&sms.text("Text", TEXT).unwrap_or_default())
}

/// The other party, as far as it can be told.
pub fn number(sms: &Props) -> Option<String> {
    sms.text("Number", NUMBER)
}

/// ModemManager writes `2026-03-01T12:30:00+08`, an offset without minutes; other texts stay as they are.
fn rfc3339(stamp: &str) -> String {
    let bytes = stamp.as_bytes();
    let hours_only = bytes.len() == 22 && matches!(bytes.get(19), Some(b'+' | b'-'));
    let without_colon = bytes.len() == 24 && matches!(bytes.get(19), Some(b'+' | b'-'));
    if hours_only && stamp.is_ascii() {
        format!("{stamp}:00")
    } else if let (true, Some((start, minutes))) =
        (without_colon && stamp.is_ascii(), stamp.split_at_checked(22))
    {
        format!("{start}:{minutes}")
    } else {
        stamp.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_get_whole_offsets() {
        assert_eq!(rfc3339("2026-03-01T12:30:00+08"), "2026-03-01T12:30:00+08:00");
        assert_eq!(rfc3339("2026-03-01T12:30:00-0330"), "2026-03-01T12:30:00-03:30");
        assert_eq!(rfc3339("2026-03-01T12:30:00+05:30"), "2026-03-01T12:30:00+05:30");
        assert_eq!(rfc3339("tomorrow"), "tomorrow");
    }
}
