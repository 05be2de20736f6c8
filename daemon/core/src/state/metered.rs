//! One SIM together with what the configuration says of it: found once, and asked several things.

use super::{Sim, State};
use crate::ident::Iccid;
use crate::plan::Plan;
use crate::settings::SimSettings;
use crate::zone::ZoneRules;

/// One SIM, its plan and its zone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Metered<'a> {
    pub iccid: &'a Iccid,
    pub sim: &'a Sim,
    pub plan: Option<&'a Plan>,
    /// Its own, or the service's.
    pub zone: &'a ZoneRules,
}

impl Metered<'_> {
    /// Bytes that its plan includes in a cycle; none where there is no plan, or no limit.
    pub fn allowance(&self) -> Option<u64> {
        self.plan.and_then(|plan| plan.data).map(|data| data.0)
    }
}

impl State {
    pub(super) fn metered(&self, iccid: &Iccid) -> Option<Metered<'_>> {
        let (iccid, sim) = self.sims.get_key_value(iccid)?;
        Some(self.as_configured(iccid, sim, self.settings.sims.get(iccid)))
    }

    /// Every SIM. Both maps are in the order of ICCIDs and are walked side by side: with many SIMs a search for each, at
    /// each event, would be most of the work.
    pub(super) fn all_metered(&self) -> impl Iterator<Item = Metered<'_>> {
        let mut configured = self.settings.sims.iter().peekable();
        self.sims.iter().map(move |(iccid, sim)| {
            while configured.next_if(|(other, _)| *other < iccid).is_some() {}
            let settings = configured.next_if(|(other, _)| *other == iccid).map(|(_, settings)| settings);
            self.as_configured(iccid, sim, settings)
        })
    }

    fn as_configured<'a>(
        &'a self,
        iccid: &'a Iccid,
        sim: &'a Sim,
        settings: Option<&'a SimSettings>,
    ) -> Metered<'a> {
        Metered {
            iccid,
            sim,
            plan: settings.and_then(|settings| settings.plan.as_ref()),
            zone: settings.map_or(&self.settings.zone, |settings| &settings.zone),
        }
    }
}
