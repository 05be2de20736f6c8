//! Calls and short messages as ledger entries, and their sums.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ident::{BootId, Iccid, ModemId};
use crate::ledger::Zone;
use crate::number::NumberClass;
use crate::time::Timestamp;

/// Identity of a call in the ledger: assigned by the core, unique for ever, growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub i64);

/// Identity of a short message in the ledger: assigned by the core, unique for ever, growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SmsId(pub i64);

/// A call as kept in the ledger: from the moment it is seen, so that none is lost with the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Identity.
    pub id: CallId,
    /// By which SIM.
    pub iccid: Option<Iccid>,
    /// Whether the other party called.
    pub incoming: bool,
    /// What kind of number the other party has.
    pub class: NumberClass,
    /// Keyed digest of the other party's number.
    pub party: Option<String>,
    /// Where the SIM was when the call began.
    pub zone: Zone,
    /// Whether the parties were connected.
    pub answered: bool,
    /// When it was answered; where it was not, when it was first seen. None where the clock was not trusted.
    pub began: Option<Timestamp>,
    /// In which boot; none for calls of older ledgers.
    pub boot: Option<BootId>,
    /// `began` by `CLOCK_BOOTTIME`, ms.
    pub began_boot_ms: u64,
    /// Seconds connected, held ones included: at most so many. Rounded up.
    pub seconds: u32,
    /// At least so many; the same where nothing about it was missed.
    pub seconds_min: u32,
    /// How it ended.
    pub end: CallEnd,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallEnd {
    /// It has not, as far as is known.
    Open(OpenCall),
    /// Its end was seen.
    Seen,
    /// Nobody saw its end: somewhere between `seconds_min` and `seconds`.
    Unknown,
}

/// What is needed to go on with a call after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCall {
    /// By which modem.
    pub modem: ModemId,
    /// Which ModemManager shows it: its unique name on the bus.
    pub service: Option<String>,
    /// D-Bus path: tells calls of one ModemManager apart.
    pub path: String,
    /// When its state was told last, by `CLOCK_BOOTTIME`, ms.
    pub told_boot_ms: u64,
    /// Until when it was shown, by `CLOCK_BOOTTIME`, ms.
    pub seen_boot_ms: u64,
    /// It may have been connected so long before it was seen to be, ms.
    pub before_ms: u64,
    /// So long nobody could tell whether it was connected, ms.
    pub doubt_ms: u64,
}

/// A short message as kept in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmsRecord {
    /// Identity.
    pub id: SmsId,
    /// By which SIM.
    pub iccid: Option<Iccid>,
    /// Which way, and whether it went.
    pub direction: SmsDirection,
    /// How many parts; each one sent is charged.
    pub parts: u32,
    /// Where the SIM was.
    pub zone: Zone,
    /// Keyed digest of the recipient's number.
    pub party: Option<String>,
    /// When; none where the clock was not trusted.
    pub at: Option<Timestamp>,
    /// In which boot; none for messages of older ledgers, and those dated by their own time stamp.
    pub boot: Option<BootId>,
    /// `at` by `CLOCK_BOOTTIME`, ms.
    pub at_boot_ms: u64,
    /// Identity of a received message, however often it is shown.
    pub digest: Option<String>,
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmsDirection {
    /// It left.
    Sent,
    /// It came in.
    Received,
    /// It did not leave.
    Failed,
    /// Nobody knows whether it left.
    Unknown,
}

impl SmsDirection {
    /// As kept in the ledger and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// Sums of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CallSums {
    /// Calls that were answered.
    pub answered: u64,
    /// Calls that were not.
    pub unanswered: u64,
    /// Calls whose end nobody saw.
    pub end_unknown: u64,
    /// Seconds connected, at most.
    pub seconds: u64,
    /// Seconds connected, at least.
    pub seconds_min: u64,
}

/// Sums of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SmsSums {
    /// Messages.
    pub messages: u64,
    /// Their parts.
    pub parts: u64,
}

/// Sums of a SIM's calls and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VoiceSums {
    /// Calls made.
    pub made: CallSums,
    /// Of these, those that cost nothing: emergency, toll-free, and what the owner says is free.
    pub made_free: CallSums,
    /// Of `made`, those while roaming.
    pub made_roaming: CallSums,
    /// Calls taken.
    pub taken: CallSums,
    /// Of these, those while roaming.
    pub taken_roaming: CallSums,
    /// Messages sent.
    pub sent: SmsSums,
    /// Of these, those while roaming.
    pub sent_roaming: SmsSums,
    /// Messages received.
    pub received: SmsSums,
    /// Messages that did not leave.
    pub failed: SmsSums,
    /// Messages of which nobody knows whether they left.
    pub unknown: SmsSums,
}

/// Sums of a SIM's calls and messages, and whom messages went to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VoiceCounts {
    /// The sums.
    pub sums: VoiceSums,
    /// Keyed digests of the recipients of messages sent.
    pub recipients: BTreeSet<String>,
}

/// Calls of one way, kind of number and zone: whether the other party called, what kind of number it has, where the SIM was.
pub type CallKey = (bool, NumberClass, Zone);

/// Calls of a span, summed by what tells them apart.
pub type CallGroups = BTreeMap<CallKey, CallSums>;

/// Messages of one way and zone.
pub type SmsKey = (SmsDirection, Zone);

/// Messages of a span, summed by what tells them apart, each with the keyed digests of the other parties.
pub type SmsGroups = BTreeMap<SmsKey, (SmsSums, BTreeSet<String>)>;

impl CallRecord {
    /// Which calls it is summed with.
    #[must_use]
    pub fn key(&self) -> CallKey {
        (self.incoming, self.class, self.zone.clone())
    }
}

impl CallSums {
    /// Adds a call.
    pub fn add(&mut self, call: &CallRecord) {
        let count = if call.answered { &mut self.answered } else { &mut self.unanswered };
        *count = count.saturating_add(1);
        if call.end == CallEnd::Unknown {
            self.end_unknown = self.end_unknown.saturating_add(1);
        }
        self.seconds = self.seconds.saturating_add(u64::from(call.seconds));
        self.seconds_min = self.seconds_min.saturating_add(u64::from(call.seconds_min));
    }

    /// Adds calls that are summed already.
    pub const fn add_sums(&mut self, more: &Self) {
        let Self { answered, unanswered, end_unknown, seconds, seconds_min } = more;
        self.answered = self.answered.saturating_add(*answered);
        self.unanswered = self.unanswered.saturating_add(*unanswered);
        self.end_unknown = self.end_unknown.saturating_add(*end_unknown);
        self.seconds = self.seconds.saturating_add(*seconds);
        self.seconds_min = self.seconds_min.saturating_add(*seconds_min);
    }
}

impl SmsSums {
    /// Adds a message.
    pub fn add(&mut self, parts: u32) {
        self.add_sums(&Self { messages: 1, parts: u64::from(parts) });
    }

    /// Adds messages that are summed already.
    pub const fn add_sums(&mut self, more: &Self) {
        let Self { messages, parts } = more;
        self.messages = self.messages.saturating_add(*messages);
        self.parts = self.parts.saturating_add(*parts);
    }
}

impl VoiceSums {
    /// Adds a call.
    pub fn add_call(&mut self, call: &CallRecord) {
        let mut one = CallSums::default();
        one.add(call);
        self.add_calls(&call.key(), &one);
    }

    /// Adds calls that are summed already.
    pub const fn add_calls(&mut self, (incoming, class, zone): &CallKey, sums: &CallSums) {
        let (all, abroad) = if *incoming {
            (&mut self.taken, &mut self.taken_roaming)
        } else {
            (&mut self.made, &mut self.made_roaming)
        };
        all.add_sums(sums);
        if matches!(zone, Zone::Roaming(_)) {
            abroad.add_sums(sums);
        }
        let free = matches!(class, NumberClass::Emergency | NumberClass::Free | NumberClass::TollFree);
        if free && !*incoming {
            self.made_free.add_sums(sums);
        }
    }

    /// Adds messages that are summed already.
    pub const fn add_messages(&mut self, (direction, zone): &SmsKey, sums: &SmsSums) {
        match direction {
            SmsDirection::Sent => {
                self.sent.add_sums(sums);
                if matches!(zone, Zone::Roaming(_)) {
                    self.sent_roaming.add_sums(sums);
                }
            }
            SmsDirection::Received => self.received.add_sums(sums),
            SmsDirection::Failed => self.failed.add_sums(sums),
            SmsDirection::Unknown => self.unknown.add_sums(sums),
        }
    }
}

impl VoiceCounts {
    /// Adds a message.
    pub fn add_sms(&mut self, direction: SmsDirection, parts: u32, zone: &Zone, party: Option<&str>) {
        let mut one = SmsSums::default();
        one.add(parts);
        self.sums.add_messages(&(direction, zone.clone()), &one);
        if direction == SmsDirection::Sent {
            self.recipients.extend(party.map(str::to_owned));
        }
    }

    /// Adds calls and messages that are summed already.
    pub fn add_groups(&mut self, calls: &CallGroups, messages: SmsGroups) {
        for (key, sums) in calls {
            self.sums.add_calls(key, sums);
        }
        for (key, (sums, parties)) in messages {
            self.sums.add_messages(&key, &sums);
            if key.0 == SmsDirection::Sent {
                self.recipients.extend(parties);
            }
        }
    }
}
