//! One counter: what it says, what of that is booked, and whose it is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Owner;
use super::sessions::OLDEST_MS;
use crate::counter::LinkReading;
use crate::ident::{BootId, IfIndex};
use crate::ledger::{Baseline, EpochId, Source};
use crate::modem::BearerStats;
use crate::time::{Span, Stamp, Timestamp};

/// More than this each way, B/s, no mobile network carries: 20 Gbit/s (ITU-R M.2410, peak data rate).
const FASTEST: u64 = 2_500_000_000;

/// A figure may be of as much earlier than it is told, and the one before it too.
const TOLD_WITHIN_MS: u64 = 60_000;

/// Whether so much can have passed in so long: a modem that tells anything else tells nonsense.
pub(super) fn is_credible(grown: (u64, u64), millis: u64) -> bool {
    let most = FASTEST.saturating_mul(millis.saturating_add(TOLD_WITHIN_MS) / 1_000);
    grown.0 <= most && grown.1 <= most
}

fn earlier(at: Stamp, by_ms: u64) -> Stamp {
    let wall = at.wall.saturating_add(Span(-i64::try_from(by_ms).unwrap_or(i64::MAX)));
    Stamp { wall, boot_ms: at.boot_ms.saturating_sub(by_ms), trusted: at.trusted }
}

/// One counter, of the kernel or of ModemManager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter {
    /// What the ledger knows it by.
    pub key: Arc<str>,
    pub source: Source,
    pub ifindex: Option<IfIndex>,
    pub interface: Option<Arc<str>>,
    pub start: Option<Timestamp>,
    pub latest: (u64, u64),
    pub booked: (u64, u64),
    pub booked_at: Stamp,
    /// When `latest` was told: read of the kernel, and of ModemManager's figures no earlier than it was last another.
    pub told_at: Stamp,
    pub owner: Option<Owner>,
    pub epoch: Option<EpochId>,
    /// The session it counts for.
    pub session: Option<EpochId>,
    /// The session that ModemManager's figures count for, and this one is compared with.
    pub watched: Option<EpochId>,
    pub presumed: bool,
    /// The owner is the ledger's word alone: while the service did not run another SIM may have come into use.
    pub unconfirmed: bool,
    /// Taken when the modem began to connect: growth since then belongs to the bearer that comes of it.
    pub connecting: Option<(u64, u64)>,
    /// What it counted when the service first saw it.
    pub first: (u64, u64),
    /// It appeared while the service watched, and nobody has owned it yet.
    pub newborn: bool,
    /// Whether the link's frames carry an Ethernet header.
    pub ethernet: bool,
    /// Whether it is a link of the point-to-point protocol.
    pub ppp: bool,
    /// What it counted when its modem, gone and back since, was found without a connection: since then nobody's.
    pub left_at: Option<((u64, u64), Owner, Stamp)>,
    pub dirty: bool,
}
impl Counter {
    pub fn link(reading: &LinkReading, at: Stamp) -> Self {
        Self {
            key: super::link_key(reading.ifindex),
            source: Source::Kernel,
            ifindex: Some(reading.ifindex),
            interface: Some(reading.name.as_str().into()),
            start: None,
            latest: reading.ip_bytes(),
            booked: reading.ip_bytes(),
            booked_at: at,
            told_at: at,
            owner: None,
            epoch: None,
            session: None,
            watched: None,
            presumed: false,
            unconfirmed: false,
            connecting: None,
            first: reading.ip_bytes(),
            newborn: false,
            ethernet: reading.ethernet,
            ppp: reading.ppp,
            left_at: None,
            dirty: false,
        }
    }

    pub fn bearer(key: Arc<str>, now: (u64, u64), start: Option<Timestamp>, at: Stamp) -> Self {
        Self {
            key,
            source: Source::Modem,
            ifindex: None,
            interface: None,
            start,
            latest: now,
            booked: now,
            booked_at: at,
            // Nobody saw it being told.
            told_at: earlier(at, OLDEST_MS),
            owner: None,
            epoch: None,
            session: None,
            watched: None,
            presumed: false,
            unconfirmed: false,
            connecting: None,
            first: now,
            newborn: false,
            ethernet: false,
            ppp: false,
            left_at: None,
            dirty: false,
        }
    }

    pub fn growth(&self) -> (u64, u64) {
        (self.latest.0.saturating_sub(self.booked.0), self.latest.1.saturating_sub(self.booked.1))
    }

    /// Whether it can have come to say so since it was booked.
    pub fn could_say(&self, now: (u64, u64), at: Stamp) -> bool {
        let grown = (now.0.saturating_sub(self.booked.0), now.1.saturating_sub(self.booked.1));
        is_credible(grown, at.boot_ms.saturating_sub(self.booked_at.boot_ms))
    }

    pub fn continues(&self, stats: &BearerStats) -> bool {
        self.start == stats.start
    }

    pub fn rebase(&mut self, now: (u64, u64), at: Stamp) {
        self.latest = now;
        self.first = now;
        self.booked = now;
        self.booked_at = at;
        self.dirty = true;
    }

    /// Until when ModemManager's figures certainly say what passed.
    pub fn told_until(&self, at: Stamp) -> Stamp {
        earlier(at, at.boot_ms.saturating_sub(self.told_at.boot_ms).min(OLDEST_MS))
    }

    /// Everything it says is in the ledger. Where more is booked than it says (the kernel's figures were ahead), that stays.
    pub fn all_booked(&mut self, at: Stamp) {
        self.booked = (self.booked.0.max(self.latest.0), self.booked.1.max(self.latest.1));
        self.booked_at = match self.source {
            Source::Modem => at,
            // What is settled between two readings is as of the first, or of its beginning.
            _ => earlier(at, at.boot_ms.saturating_sub(self.told_at.boot_ms.max(self.booked_at.boot_ms))),
        };
    }

    /// Nobody's from now on.
    pub fn disown(&mut self) {
        self.owner = None;
        self.epoch = None;
        self.session = None;
        self.confirm();
        self.dirty = false;
        self.booked = self.latest;
    }

    /// A modem with the owner's SIM was seen: the owner is certain.
    pub fn confirm(&mut self) {
        self.presumed = false;
        self.unconfirmed = false;
    }

    /// The link has, or lacks, an Ethernet header from now on: its bytes are counted in another way.
    pub fn change_type(&mut self, reading: &LinkReading) {
        let (before, now) = (self.latest, reading.ip_bytes());
        let move_on = |mark: (u64, u64)| {
            (
                now.0.saturating_sub(before.0.saturating_sub(mark.0)),
                now.1.saturating_sub(before.1.saturating_sub(mark.1)),
            )
        };
        self.booked = move_on(self.booked);
        self.connecting = self.connecting.map(move_on);
        self.first = move_on(self.first);
        self.latest = now;
        self.ethernet = reading.ethernet;
        self.ppp = reading.ppp;
        self.dirty = true;
    }

    /// Goes on from a baseline of the ledger; the owner is presumed until a modem confirms it.
    pub fn resume(&mut self, base: &Baseline, at: Stamp) {
        self.booked = (base.rx_bytes, base.tx_bytes);
        self.booked_at = super::stamp_of(base, at);
        self.epoch = base.epoch;
        self.newborn = false;
        self.presumed = true;
        self.unconfirmed = true;
        if let (Some(iccid), Some(modem)) = (&base.iccid, &base.modem) {
            self.owner = Some(Owner {
                iccid: iccid.clone(),
                zone: base.zone.clone(),
                apn: base.apn.clone(),
                modem: modem.clone(),
            });
        }
    }

    /// As [`Counter::baseline`], read when ModemManager's figures certainly said so, as known at an instant.
    pub fn told_baseline(&self, boot: Option<&BootId>, at: Stamp) -> Option<Baseline> {
        let read = self.told_until(at);
        let base = self.baseline(boot)?;
        Some(Baseline { read_at: super::dated(read), read_boot_ms: read.boot_ms, ..base })
    }

    pub fn baseline(&self, boot: Option<&BootId>) -> Option<Baseline> {
        let owner = self.owner.as_ref()?;
        let read = match self.source {
            Source::Modem => self.told_until(self.booked_at),
            _ => self.booked_at,
        };
        Some(Baseline {
            counter: self.key.clone(),
            boot: boot?.clone(),
            ifindex: self.ifindex,
            interface: self.interface.clone(),
            rx_bytes: self.booked.0,
            tx_bytes: self.booked.1,
            connection_start: self.start,
            modem: Some(owner.modem.clone()),
            apn: owner.apn.clone(),
            iccid: Some(owner.iccid.clone()),
            zone: owner.zone.clone(),
            epoch: self.epoch,
            read_at: super::dated(read),
            read_boot_ms: read.boot_ms,
        })
    }
}
