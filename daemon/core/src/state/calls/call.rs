//! One call under way.

use crate::ident::{BootId, Iccid, ModemId};
use crate::ledger::Zone;
use crate::modem::CallView;
use crate::number::NumberClass;
use crate::time::{Span, Stamp, Timestamp};
use crate::voice::{CallEnd, CallId, CallRecord, OpenCall};

/// A call under way is looked at after this long at the soonest, and later after an eighth of its length.
const LOOK_MS: u64 = 60_000;

/// How a call ended; instants by `CLOCK_BOOTTIME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Not yet, at this instant.
    Open(u64),
    /// At this instant.
    Seen(u64),
    /// ModemManager heard it, some time before this instant.
    Late(u64),
    /// Nobody heard it; it was gone at this instant.
    Gone(u64),
    /// The machine was started anew since.
    EarlierBoot,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) modem: ModemId,
    pub(super) service: Option<String>,
    path: String,
    pub(super) iccid: Option<Iccid>,
    pub(super) incoming: bool,
    class: NumberClass,
    pub(super) party: Option<String>,
    zone: Zone,
    boot: Option<BootId>,
    pub(super) began: Option<Timestamp>,
    /// When it was answered, or first seen.
    began_boot_ms: u64,
    answered: bool,
    told_boot_ms: u64,
    seen_boot_ms: u64,
    /// See [`OpenCall::before_ms`].
    pub(super) before_ms: u64,
    doubt_ms: u64,
    /// Since when nobody shows it.
    pub(super) lost_boot_ms: Option<u64>,
    /// Since when something says that it is over.
    pub(super) gone_boot_ms: Option<u64>,
    looked_boot_ms: u64,
    earlier_boot: bool,
}

impl Call {
    pub(super) fn begun(
        modem: &ModemId,
        view: &CallView,
        (iccid, zone): (Option<Iccid>, Zone),
        (class, party): (NumberClass, Option<String>),
        boot: BootId,
        at: Stamp,
    ) -> Self {
        Self {
            modem: modem.clone(),
            service: view.service.clone(),
            path: view.path.clone(),
            iccid,
            incoming: view.incoming,
            class,
            party,
            zone,
            boot: Some(boot),
            began: at.trusted.then_some(at.wall),
            began_boot_ms: at.boot_ms,
            answered: false,
            told_boot_ms: at.boot_ms,
            seen_boot_ms: at.boot_ms,
            before_ms: 0,
            doubt_ms: 0,
            lost_boot_ms: None,
            gone_boot_ms: None,
            looked_boot_ms: at.boot_ms,
            earlier_boot: false,
        }
    }

    /// As the ledger remembers it; none where it is over.
    pub(super) fn restored(record: &CallRecord) -> Option<Self> {
        let CallEnd::Open(open) = &record.end else { return None };
        Some(Self {
            modem: open.modem.clone(),
            service: open.service.clone(),
            path: open.path.clone(),
            iccid: record.iccid.clone(),
            incoming: record.incoming,
            class: record.class,
            party: record.party.clone(),
            zone: record.zone.clone(),
            boot: record.boot.clone(),
            began: record.began,
            began_boot_ms: record.began_boot_ms,
            answered: record.answered,
            told_boot_ms: open.told_boot_ms,
            seen_boot_ms: open.seen_boot_ms,
            before_ms: open.before_ms,
            doubt_ms: open.doubt_ms,
            lost_boot_ms: Some(open.seen_boot_ms),
            gone_boot_ms: None,
            looked_boot_ms: open.seen_boot_ms,
            earlier_boot: false,
        })
    }

    pub(super) fn started(&mut self, boot: &BootId) {
        self.earlier_boot = self.boot.as_ref() != Some(boot);
    }

    pub(super) const fn is_of_earlier_boot(&self) -> bool {
        self.earlier_boot
    }

    pub(super) const fn is_connected(&self) -> bool {
        self.answered
    }

    pub(super) fn is_shown_as(&self, modem: &ModemId, view: &CallView) -> bool {
        !self.earlier_boot && self.modem == *modem && self.service == view.service && self.path == view.path
    }

    /// Whether a ledger's record is of this call, under whatever number.
    pub(super) fn is_recorded_as(&self, record: &CallRecord) -> bool {
        let CallEnd::Open(open) = &record.end else { return false };
        self.boot == record.boot
            && self.modem == open.modem
            && self.incoming == record.incoming
            && ((self.service == open.service && self.path == open.path)
                || self.began_boot_ms == record.began_boot_ms)
    }

    /// Somebody shows it after it was lost. The one that showed it before knows that it is the same; for another the
    /// time between may have been without a call. Says whether it was lost.
    pub(super) fn found_again(&mut self, view: &CallView, now: u64) -> bool {
        if self.lost_boot_ms.take().is_none() {
            return false;
        }
        if self.service != view.service {
            if self.answered {
                self.doubt_ms = self.doubt_ms.saturating_add(now.saturating_sub(self.told_boot_ms));
            }
            self.service.clone_from(&view.service);
            self.path.clone_from(&view.path);
        }
        self.gone_boot_ms = None;
        self.looked_boot_ms = now;
        if !self.answered && super::is_connected(view.state) {
            // Answered at some time since it was last seen to ring.
            self.before_ms = now.saturating_sub(self.told_boot_ms);
        }
        true
    }

    /// Whether it was first seen, or answered, at `since` or later, and after another one's state was told last.
    pub(super) const fn began_after(&self, other: &Self, since: u64) -> bool {
        self.began_boot_ms >= since && self.began_boot_ms >= other.told_boot_ms
    }

    pub(super) const fn connected(&mut self, at: Stamp) {
        if !self.answered {
            self.answered = true;
            self.began_boot_ms = at.boot_ms;
            self.began = if at.trusted { Some(at.wall) } else { None };
            self.looked_boot_ms = at.boot_ms;
        }
    }

    pub(super) const fn told(&mut self, now: u64) {
        self.told_boot_ms = now;
        self.seen_boot_ms = now;
    }

    pub(super) const fn seen(&mut self, now: u64) {
        self.seen_boot_ms = now;
    }

    pub(super) const fn lost(&mut self, now: u64) {
        self.seen_boot_ms = now;
        self.lost_boot_ms = Some(now);
    }

    pub(super) const fn looked_at(&mut self, now: u64) {
        self.looked_boot_ms = now;
        self.seen_boot_ms = now;
    }

    pub(super) fn next_look(&self, grace_ms: u64) -> Option<u64> {
        if self.earlier_boot {
            return None;
        }
        let over = self.gone_boot_ms.map(|gone| gone.saturating_add(grace_ms));
        let watched = self.answered && self.lost_boot_ms.is_none() && over.is_none();
        let age = self.looked_boot_ms.saturating_sub(self.began_boot_ms);
        over.or_else(|| watched.then(|| self.looked_boot_ms.saturating_add(LOOK_MS.max(age / 8))))
    }

    pub(super) fn record(&self, id: CallId, end: &End, at: Stamp) -> CallRecord {
        let since = |until: u64| until.saturating_sub(self.began_boot_ms);
        let (most, least) = match *end {
            End::Open(now) => {
                // Out of sight it may go on.
                let until = self.lost_boot_ms.unwrap_or(now);
                (since(now), since(if self.lost_boot_ms.is_some() { self.told_boot_ms } else { until }))
            }
            End::Seen(now) => (since(now), since(now)),
            End::Late(now) => (since(now), since(self.seen_boot_ms)),
            End::Gone(now) => (since(now), since(self.told_boot_ms)),
            End::EarlierBoot => (self.over_a_boot(at), since(self.told_boot_ms)),
        };
        let unseen = matches!(end, End::Late(_) | End::Gone(_) | End::EarlierBoot);
        // One that rang when it was last seen may have been answered since.
        let rang = !self.answered && (!unseen || self.lost_boot_ms.is_none());
        let (most, least) = match (self.answered, rang) {
            (true, _) => (most.saturating_add(self.before_ms), least.saturating_sub(self.doubt_ms)),
            (false, true) => (0, 0),
            (false, false) => (most.saturating_sub(since(self.told_boot_ms)), 0),
        };
        let exact = most == least;
        CallRecord {
            id,
            iccid: self.iccid.clone(),
            incoming: self.incoming,
            class: self.class,
            party: self.party.clone(),
            zone: self.zone.clone(),
            answered: self.answered,
            began: self.dated(at),
            boot: self.boot.clone(),
            began_boot_ms: self.began_boot_ms,
            seconds: seconds(most.div_ceil(1000)),
            seconds_min: seconds(if exact { most.div_ceil(1000) } else { least / 1000 }),
            end: match end {
                End::Open(_) => CallEnd::Open(OpenCall {
                    modem: self.modem.clone(),
                    service: self.service.clone(),
                    path: self.path.clone(),
                    told_boot_ms: self.told_boot_ms,
                    seen_boot_ms: self.seen_boot_ms,
                    before_ms: self.before_ms,
                    doubt_ms: self.doubt_ms,
                }),
                End::Seen(_) => CallEnd::Seen,
                _ if rang => CallEnd::Seen,
                _ => CallEnd::Unknown,
            },
        }
    }

    /// When it began; worked out once the clock is trusted in the same boot.
    fn dated(&self, at: Stamp) -> Option<Timestamp> {
        let ago = Span(i64::try_from(at.boot_ms.saturating_sub(self.began_boot_ms)).unwrap_or(i64::MAX));
        self.began.or_else(|| {
            (at.trusted && !self.earlier_boot)
                .then(|| Timestamp::from_millis(at.wall.as_millis().saturating_sub(ago.as_millis())))
        })
    }

    /// At most: by the wall clock, or, without a date, as long as it was seen and this boot lasts.
    fn over_a_boot(&self, at: Stamp) -> u64 {
        match self.began.filter(|_| at.trusted) {
            Some(began) => at.wall.since(began).as_millis().max(0).unsigned_abs(),
            None => self.seen_boot_ms.saturating_sub(self.began_boot_ms).saturating_add(at.boot_ms),
        }
    }
}

fn seconds(whole: u64) -> u32 {
    u32::try_from(whole).unwrap_or(u32::MAX)
}
