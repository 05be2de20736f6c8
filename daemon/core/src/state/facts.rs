//! What rules and people are shown of a SIM.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::State;
use crate::bytes::Bytes;
use crate::cycle::Cycle;
use crate::effect::{Effects, Evaluation};
use crate::forecast::{self, Forecast};
use crate::ident::{Iccid, RuleName};
use crate::ledger::Zone;
use crate::modem::{ModemState, ModemView, SimView};
use crate::reminder::Delivery;
use crate::time::Stamp;
use crate::view::{
    CycleFacts, DeliveryFacts, LocalNow, ModemFacts, PlanTerms, RuleDescription, RuleInput, SimFacts, Trigger,
};
use crate::voice::{CallRecord, VoiceSums};
use crate::zone::ZoneRules;

/// So many of the newest deliveries are shown.
const DELIVERIES_SHOWN: usize = 32;

/// What is the same for every rule and SIM of one occasion: with many SIMs that is most of the work.
pub(super) struct Shared {
    sims: Arc<[SimFacts]>,
    modems: Arc<[ModemFacts]>,
    deliveries: Arc<[DeliveryFacts]>,
}

/// A SIM in a modem.
#[derive(Debug, Clone, Copy)]
pub struct Seat<'a> {
    /// The SIM as the modem shows it.
    pub sim: &'a SimView,
    /// The slot it is in, counted from 1 (`Modem.SimSlots`); none where the modem tells of no slots.
    pub slot: Option<u32>,
}

impl State {
    /// Asks every rule that answers this kind of trigger.
    pub(super) fn ask_rules(&self, triggers: &[Trigger], at: Stamp, fx: &mut Effects) {
        self.ask_some(triggers.iter().map(|trigger| (trigger, None)), at, fx);
    }

    /// As [`State::ask_rules`]; with each trigger the only rules to be asked, where not all are.
    pub(super) fn ask_some<'a>(
        &self,
        triggers: impl Iterator<Item = (&'a Trigger, Option<&'a [RuleName]>)>,
        at: Stamp,
        fx: &mut Effects,
    ) {
        let mut shared: Option<Shared> = None;
        for (trigger, only) in triggers {
            let kind = trigger.kind();
            // Before the clock is trusted only the service's own health may speak.
            if !at.trusted && kind != "health" {
                continue;
            }
            let mut input: Option<Arc<RuleInput>> = None;
            let wanted = |rule: &&RuleDescription| {
                answers(rule, kind) && only.is_none_or(|only| only.contains(&rule.name))
            };
            for rule in self.rules.values().filter(wanted) {
                let input = input.get_or_insert_with(|| {
                    let shared = shared.get_or_insert_with(|| self.shared_facts(at));
                    Arc::new(self.rule_input(trigger, shared, at))
                });
                fx.evaluate.push(self.evaluation(rule.name.clone(), trigger.clone(), Arc::clone(input)));
            }
        }
    }

    /// Whether a rule that can run answers this kind of trigger.
    pub(super) fn answers(&self, kind: &str) -> bool {
        self.rules.values().any(|rule| answers(rule, kind))
    }

    pub(super) fn evaluation(&self, rule: RuleName, trigger: Trigger, input: Arc<RuleInput>) -> Evaluation {
        let memory = self.memory(&rule);
        Evaluation { rule, trigger, input, memory }
    }

    pub(super) fn shared_facts(&self, at: Stamp) -> Shared {
        let mut deliveries: Vec<&Delivery> = self.deliveries.values().collect();
        deliveries.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Shared {
            sims: self.sims.keys().filter_map(|iccid| self.facts(iccid)).collect(),
            modems: self.modem_facts(at),
            deliveries: deliveries.into_iter().take(DELIVERIES_SHOWN).map(delivery_facts).collect(),
        }
    }

    pub(super) fn rule_input(&self, trigger: &Trigger, shared: &Shared, at: Stamp) -> RuleInput {
        let zone = trigger.sim().map_or(&self.settings.zone, |iccid| self.zone_of(iccid));
        let late_s = match trigger {
            Trigger::Schedule { due, .. } => at.wall.since(*due).as_secs().max(0),
            _ => 0,
        };
        RuleInput {
            now: local_now(zone, at),
            language: self.settings.language.clone(),
            sim: trigger
                .sim()
                .and_then(|iccid| shared.sims.iter().find(|facts| facts.iccid == *iccid).cloned()),
            sims: Arc::clone(&shared.sims),
            modems: Arc::clone(&shared.modems),
            deliveries: Arc::clone(&shared.deliveries),
            warnings: self.warnings.values().cloned().collect(),
            late_s,
        }
    }

    /// Everything known of one SIM.
    #[must_use]
    pub fn facts(&self, iccid: &Iccid) -> Option<SimFacts> {
        let sim = self.sims.get(iccid)?;
        let modem = self.modem_with(iccid);
        let plan = self.plan_of(iccid);
        let zone = self.zone_of(iccid);
        let used = self.used(iccid);
        let allowance = plan.and_then(|plan| plan.data).map(|data| data.0);
        let forecast = self.forecast(iccid);
        let connected = modem.is_some_and(|m| m.bearers.iter().any(|b| b.connected));
        Some(SimFacts {
            iccid: iccid.clone(),
            name: self.sim_name(iccid),
            operator: sim.record.operator.clone(),
            operator_code: self.seat_of(iccid).and_then(|seat| seat.sim.operator_code.clone()),
            network: modem.and_then(|m| m.operator_name.clone()),
            network_code: modem.and_then(|m| m.operator_code.clone()),
            zone: modem.map_or(Zone::Unknown, |_| sim.zone.clone()),
            active: modem.is_some(),
            roaming: modem.and(match sim.zone {
                Zone::Home => Some(false),
                Zone::Roaming(_) => Some(true),
                Zone::Unknown => None,
            }),
            connected,
            measured: modem
                .is_none_or(|m| m.bearers.iter().filter(|b| b.connected).all(|b| self.is_measured(m, b))),
            signal_percent: modem.and_then(|m| m.signal_percent),
            plan: plan.map(|plan| plan.name.as_str().to_owned()),
            terms: plan.map(|plan| PlanTerms {
                counts: plan.counts,
                roaming_counts: plan.roaming_counts,
                renews: plan.renews(),
            }),
            used_bytes: used,
            measured_bytes: sim.totals.measured(),
            billed_bytes: sim.totals.counted(plan),
            calibrated_bytes: self.calibrated(iccid),
            calibration: self.calibration(iccid),
            roaming_bytes: sim.totals.roaming(),
            allowance_bytes: allowance,
            remaining_bytes: allowance.map(|a| a.saturating_sub(used)),
            used_share: allowance.and_then(|a| Decimal::from(used).checked_div(Decimal::from(a))),
            cycle: sim.cycle.map(|cycle| cycle_facts(cycle, zone, self.now)),
            exhausted_at: forecast.as_ref().and_then(|f| f.exhausted_at),
            end_of_cycle_bytes: forecast.as_ref().and_then(|f| f.end_of_cycle_bytes),
            forecast_reliable: forecast.is_some_and(|f| f.reliable),
            voice: self.voice(iccid),
            recipients: u64::try_from(sim.counts.recipients.len()).unwrap_or(u64::MAX),
        })
    }

    /// Calls of a SIM under way, as they would be kept if they ended now; oldest first.
    #[must_use]
    pub fn calls_under_way(&self, iccid: &Iccid, at: Stamp) -> Vec<CallRecord> {
        self.calls.of(iccid, at).filter(|call| call.answered).collect()
    }

    /// Calls and messages of a SIM in its cycle, calls under way as they are now included.
    #[must_use]
    pub fn voice(&self, iccid: &Iccid) -> VoiceSums {
        let Some(sim) = self.sims.get(iccid) else { return VoiceSums::default() };
        let mut sums = sim.counts.sums;
        for call in self.calls.of(iccid, self.now) {
            if call.answered && sim.counts_now(call.began) {
                sums.add_call(&call);
            }
        }
        sums
    }

    /// How a SIM's usage will go on; none before its cycle is known.
    #[must_use]
    pub fn forecast(&self, iccid: &Iccid) -> Option<Forecast> {
        let sim = self.sims.get(iccid)?;
        let (start, end) = sim.bounds?;
        let plan = self.plan_of(iccid);
        // Usage entered by hand for the time before the installation is used up, but says nothing about the rate.
        let measured_since = sim.first_at.map_or(start, |first| first.max(start));
        Some(forecast::forecast(&forecast::Observation {
            used: Bytes(self.used(iccid)),
            observed: Bytes(self.used(iccid).saturating_sub(sim.totals.corrections.max(0).unsigned_abs())),
            allowance: plan.and_then(|plan| plan.data),
            since: measured_since,
            now: self.now.wall,
            cycle_start: start,
            cycle_end: end,
        }))
    }

    /// The name a person gave a SIM, or its last four digits.
    #[must_use]
    pub fn sim_name(&self, iccid: &Iccid) -> String {
        self.settings
            .sims
            .get(iccid)
            .and_then(|sim| sim.name.as_ref())
            .map_or_else(|| format!("SIM …{}", iccid.tail()), |name| name.as_str().to_owned())
    }

    /// The instant of the newest event.
    #[must_use]
    pub const fn now(&self) -> Stamp {
        self.now
    }

    /// Where a SIM is, in use or not; none where no modem shows it.
    #[must_use]
    pub fn seat_of(&self, iccid: &Iccid) -> Option<Seat<'_>> {
        let is_it = |sim: &&SimView| sim.iccid.as_ref() == Some(iccid);
        self.modems.values().find_map(|modem| {
            let slotted = (1_u32..).zip(&modem.slots).find_map(|(slot, sim)| {
                let sim = sim.as_ref().filter(is_it)?;
                Some(Seat { sim, slot: Some(slot) })
            });
            slotted.or_else(|| {
                let sim = modem.sim.as_ref().filter(is_it)?;
                Some(Seat { sim, slot: None })
            })
        })
    }

    /// The modem a SIM is in use in.
    #[must_use]
    pub fn modem_with(&self, iccid: &Iccid) -> Option<&ModemView> {
        self.modems.values().find(|m| {
            m.sim.as_ref().is_some_and(|s| s.iccid.as_ref() == Some(iccid)) && m.state != ModemState::Failed
        })
    }
}

pub(super) fn answers(rule: &RuleDescription, kind: &str) -> bool {
    rule.problem.is_none() && rule.triggers.iter().any(|trigger| trigger == kind)
}

fn delivery_facts(delivery: &Delivery) -> DeliveryFacts {
    DeliveryFacts {
        reminder: delivery.reminder.clone(),
        channel: delivery.channel.clone(),
        state: delivery.state,
        attempts: delivery.attempts,
        created_at: delivery.created_at,
        last_error: delivery.last_error.clone(),
    }
}

fn cycle_facts(cycle: Cycle, zone: &ZoneRules, now: Stamp) -> CycleFacts {
    CycleFacts {
        start: cycle.start.to_string(),
        end: cycle.end.map(|end| end.to_string()),
        days_left: cycle.days_left(zone.date(now.wall)),
        seconds_left: cycle.seconds_left(zone, now.wall),
        last: cycle.last,
    }
}

/// Breaks an instant down into local civil time.
#[must_use]
fn local_now(zone: &ZoneRules, at: Stamp) -> LocalNow {
    use chrono::{Datelike, Timelike};
    let civil = zone.civil(at.wall);
    let small = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
    LocalNow {
        at: at.wall,
        date: civil.date().to_string(),
        time: civil.format("%H:%M").to_string(),
        weekday: small(civil.weekday().number_from_monday()),
        day: small(civil.day()),
        hour: small(civil.hour()),
    }
}
