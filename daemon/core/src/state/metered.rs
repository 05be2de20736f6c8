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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::effect::SimRecord;
    use crate::state::restored::Restored;
    use crate::time::Timestamp;

    fn numbered(number: u8) -> Iccid {
        Iccid::new(format!("89001000000000000{number:02}")).unwrap()
    }

    fn record(iccid: Iccid) -> SimRecord {
        let seen = Timestamp::from_secs(0);
        SimRecord { iccid, imsi: None, eid: None, operator: None, first_seen: seen, last_seen: seen }
    }

    proptest! {
        /// Whoever else is known or configured.
        #[test]
        fn the_walk_finds_of_each_sim_what_a_search_finds(
            known in prop::collection::btree_set(0..40_u8, 0..20),
            configured in prop::collection::btree_set(0..40_u8, 0..20),
        ) {
            let mut settings = crate::state::tests::settings();
            let (_, sim) = settings.sims.pop_first().unwrap();
            for number in &configured {
                let mut sim = sim.clone();
                sim.zone.name = number.to_string();
                settings.sims.insert(numbered(*number), sim);
            }
            let sims = known.iter().map(|number| record(numbered(*number))).collect();
            let state = State::restored(settings, Restored { sims, ..Restored::empty() });
            let told = |of: &Metered<'_>| (of.iccid.clone(), of.plan.is_some(), of.zone.name.clone());
            let walked: Vec<_> = state.all_metered().map(|of| told(&of)).collect();
            let searched: Vec<_> = known
                .iter()
                .filter_map(|number| state.metered(&numbered(*number)).map(|of| told(&of)))
                .collect();
            prop_assert_eq!(&walked, &searched);
            for ((_, planned, zone), number) in walked.iter().zip(&known) {
                prop_assert_eq!(*planned, configured.contains(number));
                prop_assert_eq!(*planned, *zone == number.to_string());
            }
        }
    }
}
