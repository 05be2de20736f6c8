//! Usage as it passes: evenly over a span, noticed where it crosses what is waited for.

use simbell_core::event::Event;
use simbell_core::ident::Iccid;
use simbell_core::ledger::{Volume, Zone};
use simbell_core::plan::Counts;
use simbell_core::time::{Span, Timestamp};

use super::{Rehearsal, RehearsalError};

/// What one SIM uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Which SIM.
    pub iccid: Iccid,
    /// Where it is meanwhile; where it is already where none.
    pub zone: Option<Zone>,
    /// How much.
    pub volume: Volume,
}

/// A millisecond is passed in so many parts: usage crosses thresholds within it.
const PARTS: u128 = 1_000_000;

/// Counters are read this often at least while something passes, as the service does at each hour.
const READ_EVERY: i64 = 3_600_000;

/// What of a flow has passed so far.
struct Passing {
    flow: Flow,
    passed: Volume,
}

impl Passing {
    /// How much has passed after so many parts of all.
    fn after(&self, part: u128, all: u128) -> Volume {
        let of = |total: u64| {
            // No overflow: all parts of a span are below 2^64 ms times a million.
            u64::try_from(u128::from(total).saturating_mul(part).checked_div(all).unwrap_or_default())
                .unwrap_or(total)
        };
        Volume { rx: of(self.flow.volume.rx), tx: of(self.flow.volume.tx) }
    }

    /// After how many parts so many more bytes of the direction have passed; none where they do not.
    fn reaches(&self, more: u64, counts: Counts, all: u128) -> Option<u128> {
        let side = |volume: Volume| match counts {
            Counts::Both | Counts::Max => volume.total(),
            Counts::Download => volume.rx,
            Counts::Upload => volume.tx,
        };
        let (total, wanted) = (side(self.flow.volume), side(self.passed).checked_add(more)?);
        if total == 0 || wanted > total {
            return None;
        }
        u128::from(wanted)
            .saturating_mul(all)
            .checked_add(u128::from(total).saturating_sub(1))?
            .checked_div(total.into())
    }
}

impl Rehearsal {
    /// Lets usage pass, evenly from now `until` then; at once where that is now. What the state waits for on the way is
    /// noticed as it is crossed, and wakes come when they are due.
    ///
    /// # Errors
    /// When a SIM is not connected, `until` is behind, or more happens than is allowed.
    pub fn flow(&mut self, flows: &[Flow], until: Timestamp) -> Result<(), RehearsalError> {
        let began = self.now();
        if until < began {
            return Err(RehearsalError::Backward);
        }
        for flow in flows {
            let carries = self.seat(&flow.iccid)?.carries();
            if !carries {
                return Err(RehearsalError::NotConnected(flow.iccid.clone()));
            }
            if let Some(zone) = &flow.zone
                && self.seat(&flow.iccid)?.zone != *zone
                && *zone != Zone::Unknown
            {
                self.place(&flow.iccid, zone.clone(), None)?;
            }
        }
        if self.read_at != Some(began) {
            // What passes from now on is told from what passed until now.
            self.read_links()?;
        }
        let length = u128::try_from(until.since(began).as_millis()).unwrap_or_default();
        let all = length.max(1).saturating_mul(PARTS);
        let instant = |part: u128| {
            let ms = part.saturating_mul(length).checked_div(all).unwrap_or_default();
            began.saturating_add(Span(i64::try_from(ms).unwrap_or(i64::MAX)))
        };
        let mut passing: Vec<Passing> =
            flows.iter().map(|flow| Passing { flow: flow.clone(), passed: Volume::default() }).collect();
        // Where both directions are rounded a crossing may be a byte away still: less than that is no step.
        let most = flows.iter().map(|flow| flow.volume.total()).max().unwrap_or_default();
        let byte = all.div_ceil(u128::from(most).max(1));
        let mut part = 0_u128;
        while part < all {
            let mut next = all;
            for threshold in self.state.next_thresholds() {
                let found = passing.iter().find(|passing| passing.flow.iccid == threshold.iccid);
                let crossed =
                    found.and_then(|passing| passing.reaches(threshold.remaining, threshold.counts, all));
                next = next.min(crossed.unwrap_or(all));
            }
            if length > 0 {
                let hour = self.now().as_millis().div_euclid(READ_EVERY).saturating_add(1);
                let hour = Timestamp::from_millis(hour.saturating_mul(READ_EVERY));
                let due = self.next_wake().map_or(hour, |due| due.min(hour));
                let ms = u128::try_from(due.since(began).as_millis()).unwrap_or_default();
                next = next.min(ms.saturating_mul(PARTS));
            }
            // However near it is, it goes on.
            part = if next > part { next } else { part.saturating_add(byte) }.min(all);
            self.clock.go_to(instant(part));
            for passing in &mut passing {
                let passed = passing.after(part, all);
                let more = Volume {
                    rx: passed.rx.saturating_sub(passing.passed.rx),
                    tx: passed.tx.saturating_sub(passing.passed.tx),
                };
                passing.passed = passed;
                self.seat(&passing.flow.iccid)?.carry(more);
            }
            self.read_links()?;
            if self.next_wake().is_some_and(|due| due <= self.now()) {
                self.feed(Event::WakeReached)?;
            }
        }
        Ok(())
    }

    /// A SIM uses data now, where it is, received.
    ///
    /// # Errors
    /// As [`Rehearsal::flow`].
    pub fn use_data(&mut self, iccid: &Iccid, bytes: u64) -> Result<(), RehearsalError> {
        let volume = Volume { rx: bytes, tx: 0 };
        self.flow(&[Flow { iccid: iccid.clone(), zone: None, volume }], self.now())
    }
}
