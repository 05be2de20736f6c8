//! Every occasion on which a rule is asked, and three SIMs for it: for the examples that measure.

use std::sync::Arc;

use rust_decimal::Decimal;
use simbell_core::health::{Warning, WarningCode};
use simbell_core::ident::Iccid;
use simbell_core::modem::SmsView;
use simbell_core::time::Timestamp;
use simbell_core::view::{CycleFacts, EndedCycle, ModemFacts, RuleInput, SimFacts, Trigger};

use crate::shipped::far_from_a_threshold;

/// A trigger of each kind (see `Trigger::kind`).
pub fn triggers(sim: &Iccid, at: Timestamp) -> Vec<Trigger> {
    let sms = SmsView {
        number: "10086".to_owned(),
        text: "You have used 80% of your data.".to_owned(),
        timestamp: None,
        digest: "0123456789abcdef0123456789abcdef".to_owned(),
    };
    let ended = EndedCycle {
        start: "2026-10-22".to_owned(),
        end: "2026-11-22".to_owned(),
        used_bytes: 95_000_000_000,
        allowance_bytes: Some(100_000_000_000),
    };
    let sim = sim.clone();
    vec![
        Trigger::Usage { sim: sim.clone() },
        Trigger::Schedule { sim: Some(sim.clone()), index: 0, due: at },
        Trigger::Sms { sim: Some(sim.clone()), sms },
        Trigger::Roaming { sim: sim.clone() },
        Trigger::CycleBegan { sim: sim.clone() },
        Trigger::CycleEnded { sim: sim.clone(), ended },
        Trigger::SimChanged { sim: sim.clone(), before: sim },
        Trigger::Modems,
        Trigger::Health,
    ]
}

/// All is well; nearly everything that a rule could remind of; a SIM without a plan.
pub fn inputs(iccid: &Iccid) -> [Arc<RuleInput>; 3] {
    let well = far_from_a_threshold(iccid.clone());
    let facts = well.sim.clone().expect("a SIM");
    let at = well.now.at;
    let last_day = SimFacts {
        used_bytes: 95_000_000_000,
        remaining_bytes: Some(5_000_000_000),
        used_share: Some(Decimal::new(95, 2)),
        roaming: Some(true),
        roaming_bytes: 2_000_000_000,
        exhausted_at: Some(at),
        cycle: Some(CycleFacts {
            start: "2026-10-25".to_owned(),
            end: Some("2026-11-25".to_owned()),
            days_left: Some(3),
            seconds_left: Some(234_000),
            last: true,
        }),
        ..facts.clone()
    };
    let planless = SimFacts {
        plan: None,
        allowance_bytes: None,
        remaining_bytes: None,
        used_share: None,
        cycle: None,
        exhausted_at: None,
        end_of_cycle_bytes: None,
        ..facts
    };
    let lost = ModemFacts {
        name: "Example".to_owned(),
        tail: "0017".to_owned(),
        present: false,
        lost_since: Some(at),
        state: None,
        unusable: None,
        sim: Some(iccid.clone()),
        network: None,
        access: Vec::new(),
        signal_percent: None,
    };
    let warning = Warning {
        code: WarningCode::NotMeasured,
        subject: "wwan0".to_owned(),
        text: "The bearer has no counter.".to_owned(),
        since: at,
    };
    let with = |facts: SimFacts| RuleInput {
        sim: Some(facts.clone()),
        sims: vec![facts].into(),
        modems: Arc::from([lost.clone()]),
        warnings: vec![warning.clone()],
        ..well.clone()
    };
    let (last_day, planless) = (with(last_day), with(planless));
    [Arc::new(well), Arc::new(last_day), Arc::new(planless)]
}
