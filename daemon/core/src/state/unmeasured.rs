//! Connections that nothing counts: what one carried is a gap, once it is over or something counts it.

use super::State;
use crate::effect::{Change, Effects};
use crate::ident::{Iccid, ModemId};
use crate::ledger::{Gap, GapReason};
use crate::modem::{BearerView, ModemView};
use crate::time::{Stamp, Timestamp};

/// As a connection comes up its counter may be told a little later than itself, and counts from the beginning all the same.
const COMING_UP_MS: u64 = 60_000;

/// As one goes its interface may be told to be gone a little earlier than itself.
const GOING_MS: u64 = 2_000;

/// A connection that nothing counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unmeasured {
    iccid: Option<Iccid>,
    from: Option<Timestamp>,
    from_boot_ms: u64,
    detail: String,
}

impl State {
    /// Follows whether a modem has a connection that nothing counts.
    pub(super) fn follow_unmeasured(
        &mut self,
        view: &ModemView,
        bearer: Option<&BearerView>,
        just_seen: bool,
        fx: &mut Effects,
    ) {
        let at = self.now;
        let iccid = view.sim.as_ref().and_then(|sim| sim.iccid.clone());
        let known = self.unmeasured.get(&view.id);
        if bearer.is_some() && known.is_some_and(|known| known.iccid == iccid) {
            return;
        }
        let counted = bearer.is_none() && view.bearers.iter().any(|bearer| bearer.connected);
        self.end_unmeasured(&view.id, if counted { COMING_UP_MS } else { GOING_MS }, at, fx);
        let Some(bearer) = bearer else { return };
        // What the ledger said last is when the service that was before saw it last.
        let before =
            self.newest.filter(|newest| just_seen && self.settles_at.is_some() && *newest <= at.wall);
        let from = at.trusted.then(|| before.unwrap_or(at.wall));
        let port = bearer.interface.as_deref().unwrap_or("none");
        let detail = format!("a connection of port {port}, for which ModemManager counted nothing");
        let unmeasured = Unmeasured { iccid, from, from_boot_ms: at.boot_ms, detail };
        self.unmeasured.insert(view.id.clone(), unmeasured);
    }

    /// A modem's connection that nothing counts is over, or is not seen any more.
    pub(super) fn end_unmeasured(&mut self, modem: &ModemId, least_ms: u64, at: Stamp, fx: &mut Effects) {
        let Some(over) = self.unmeasured.remove(modem) else { return };
        if at.boot_ms.saturating_sub(over.from_boot_ms) < least_ms {
            return;
        }
        fx.changes.push(Change::AppendGap(Gap {
            iccid: over.iccid,
            from: over.from,
            until: at.trusted.then_some(at.wall),
            reason: GapReason::NoCounter,
            detail: over.detail,
        }));
    }

    /// Whatever is not over is told up to now: nobody watches from here on.
    pub(super) fn end_all_unmeasured(&mut self, at: Stamp, fx: &mut Effects) {
        let modems: Vec<ModemId> = self.unmeasured.keys().cloned().collect();
        for modem in modems {
            self.end_unmeasured(&modem, 0, at, fx);
        }
    }
}
