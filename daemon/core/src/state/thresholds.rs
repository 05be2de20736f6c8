//! How much may pass until a SIM's usage meets something that is waited for, and which links count it.

use super::State;
use crate::ident::{Iccid, IfIndex};
use crate::ledger::Zone;
use crate::plan::{Counts, Plan};

/// What is left of a SIM's way to the next usage at which a rule is to be asked at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threshold {
    /// Which SIM.
    pub iccid: Iccid,
    /// The links that its bearers certainly use now and whose bytes count, as the state knows them.
    pub links: Vec<LinkPosition>,
    /// In which direction.
    pub counts: Counts,
    /// This many bytes more on any of them, 1 at least.
    pub remaining: u64,
}

/// What a link's counters said at the last reading that the state was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkPosition {
    /// Which link.
    pub ifindex: IfIndex,
    /// IP bytes received.
    pub rx: u64,
    /// IP bytes sent.
    pub tx: u64,
}

impl State {
    /// The next threshold of every SIM that uses links of the kernel now; none before the clock is trusted.
    ///
    /// Bytes that do not count against the allowance, such as in a zero-rated hour, make a threshold come later than
    /// this says, never earlier but for what a billing increment adds.
    #[must_use]
    pub fn next_thresholds(&self) -> Vec<Threshold> {
        if !self.now.trusted || !self.answers("usage") || self.totals_awaited() {
            return Vec::new();
        }
        let mut found: Vec<Threshold> = Vec::new();
        for (iccid, zone, link) in self.accounting.certain_links() {
            if let Some(known) = found.iter_mut().find(|threshold| threshold.iccid == *iccid) {
                known.links.push(link);
                continue;
            }
            let Some(of) = self.metered(iccid).filter(|of| counts_in(of.plan, zone)) else { continue };
            let Some(remaining) = self.to_next_threshold(&of).filter(|remaining| *remaining > 0) else {
                continue;
            };
            found.push(Threshold {
                iccid: iccid.clone(),
                links: vec![link],
                counts: match of.plan.map(|plan| plan.counts) {
                    // Whichever it is in the end, it is no earlier than both together.
                    None | Some(Counts::Max) => Counts::Both,
                    Some(counts) => counts,
                },
                remaining,
            });
        }
        found
    }
}

fn counts_in(plan: Option<&Plan>, zone: &Zone) -> bool {
    plan.is_none_or(|plan| plan.charges(zone))
}
