//! Calls: ModemManager shows no duration, so it is the time between active and terminated.

use std::collections::BTreeMap;

use super::State;
use crate::effect::{CallRecord, Change, Effects};
use crate::ident::{Iccid, ModemId};
use crate::modem::{CallState, CallView};
use crate::time::{Stamp, Timestamp};

/// Calls that are active now, by modem and path.
pub(super) type Calls = BTreeMap<(ModemId, String), ActiveCall>;

/// One active call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActiveCall {
    iccid: Option<Iccid>,
    incoming: bool,
    began: Timestamp,
    began_boot_ms: u64,
}

impl State {
    pub(super) fn call_changed(&mut self, modem: &ModemId, call: &CallView, at: Stamp, fx: &mut Effects) {
        let key = (modem.clone(), call.path.clone());
        match call.state {
            CallState::Active => {
                let iccid = self.sim_of(modem);
                self.calls.entry(key).or_insert_with(|| ActiveCall {
                    iccid,
                    incoming: call.incoming,
                    began: at.wall,
                    began_boot_ms: at.boot_ms,
                });
            }
            CallState::Terminated => {
                if let Some(active) = self.calls.remove(&key) {
                    fx.changes.push(Change::AppendCall(active.ended(at, true)));
                }
            }
            // Deleted while it was active: nobody saw its end.
            CallState::Unknown => {
                if let Some(active) = self.calls.remove(&key) {
                    fx.changes.push(Change::AppendCall(active.ended(at, false)));
                }
            }
            // A network that rings knows of no call: while there is one, another waits. The end of a call that
            // still counts as active was missed: ModemManager does not look after active calls.
            CallState::RingingIn => {
                let missed: Vec<_> = self.calls.keys().filter(|(m, _)| m == modem).cloned().collect();
                for key in missed {
                    if let Some(active) = self.calls.remove(&key) {
                        fx.changes.push(Change::AppendCall(active.ended(at, false)));
                    }
                }
            }
            CallState::Dialing | CallState::RingingOut | CallState::Held | CallState::Waiting => {}
        }
    }

    /// Calls of a modem that is gone ended at the latest now; when, nobody saw.
    pub(super) fn calls_lost(&mut self, modem: Option<&ModemId>, at: Stamp, fx: &mut Effects) {
        let lost: Vec<_> =
            self.calls.keys().filter(|(m, _)| modem.is_none_or(|gone| gone == m)).cloned().collect();
        for key in lost {
            if let Some(active) = self.calls.remove(&key) {
                fx.changes.push(Change::AppendCall(active.ended(at, false)));
            }
        }
    }
}

impl ActiveCall {
    fn ended(self, at: Stamp, end_known: bool) -> CallRecord {
        let millis = at.boot_ms.saturating_sub(self.began_boot_ms);
        CallRecord {
            iccid: self.iccid,
            incoming: self.incoming,
            began: self.began,
            seconds: u32::try_from(millis.div_ceil(1000)).unwrap_or(u32::MAX),
            end_known,
        }
    }
}
