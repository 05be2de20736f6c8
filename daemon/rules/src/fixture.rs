//! Made-up inputs: what a rule may be asked, from everything known to nearly nothing.

use std::sync::Arc;

use rust_decimal::Decimal;
use simbell_core::health::{Warning, WarningCode};
use simbell_core::ident::{ChannelName, Iccid, OperatorCode, ReminderKey};
use simbell_core::ledger::Zone;
use simbell_core::modem::{ModemState, SmsView};
use simbell_core::observation::Calibration;
use simbell_core::plan::Counts;
use simbell_core::reminder::DeliveryState;
use simbell_core::time::Timestamp;
use simbell_core::view::{
    CycleFacts, DeliveryFacts, EndedCycle, LocalNow, ModemFacts, PlanTerms, RuleInput, SimFacts, Trigger,
};

/// Sunday, 2026-11-22, 06:00 UTC.
const AT: Timestamp = Timestamp::from_secs(1_795_327_200);

/// Each occasion with each state of a SIM that differs in what is absent.
pub(crate) fn inputs() -> Vec<(Trigger, Arc<RuleInput>)> {
    let Ok(iccid) = Iccid::new("8949000000000000018") else {
        return Vec::new();
    };
    let mut inputs = Vec::new();
    for facts in [planned(iccid.clone()), endless(iccid.clone()), unplanned(iccid)] {
        let sim = facts.iccid.clone();
        let sms = SmsView {
            number: "+491710000000".to_owned(),
            text: "You have 500 MB left. 您的剩余流量为 500 MB。".to_owned(),
            timestamp: Some("2026-11-22T06:59:00+01:00".to_owned()),
            digest: "0123456789abcdef".to_owned(),
        };
        let input = Arc::new(RuleInput {
            now: LocalNow {
                at: AT,
                date: "2026-11-22".to_owned(),
                time: "07:00".to_owned(),
                weekday: 7,
                day: 22,
                hour: 7,
            },
            language: "en".to_owned(),
            sim: Some(facts.clone()),
            sims: Arc::from([facts]),
            modems: modems(),
            deliveries: deliveries(),
            warnings: warnings(),
            late_s: 0,
        });
        let triggers = [
            Trigger::Usage { sim: sim.clone() },
            Trigger::Roaming { sim: sim.clone() },
            Trigger::Schedule { sim: Some(sim.clone()), index: 0, due: AT },
            Trigger::Sms { sim: Some(sim.clone()), sms },
            Trigger::CycleBegan { sim: sim.clone() },
            Trigger::CycleEnded { sim: sim.clone(), ended: ended() },
            Trigger::SimChanged { before: sim.clone(), sim },
            Trigger::Modems,
            Trigger::Health,
        ];
        inputs.extend(triggers.into_iter().map(|trigger| (trigger, Arc::clone(&input))));
    }
    inputs
}

fn ended() -> EndedCycle {
    EndedCycle {
        start: "2026-10-22".to_owned(),
        end: "2026-11-22".to_owned(),
        used_bytes: 8_400_000_000,
        allowance_bytes: Some(10_000_000_000),
    }
}

/// One that is there, and one that is lost.
fn modems() -> Arc<[ModemFacts]> {
    let there = ModemFacts {
        name: "Example LTE".to_owned(),
        tail: "1481".to_owned(),
        present: true,
        lost_since: None,
        state: Some(ModemState::Connected),
        unusable: None,
        sim: Iccid::new("8949000000000000018").ok(),
        network: Some("Example".to_owned()),
        access: vec!["lte".to_owned()],
        signal_percent: Some(60),
    };
    let lost = ModemFacts {
        tail: "1499".to_owned(),
        present: false,
        lost_since: Some(AT),
        state: None,
        sim: None,
        network: None,
        access: Vec::new(),
        signal_percent: None,
        ..there.clone()
    };
    Arc::from([there, lost])
}

fn deliveries() -> Arc<[DeliveryFacts]> {
    let (Ok(reminder), Ok(channel)) = (ReminderKey::new("example/key/0018"), ChannelName::new("mail")) else {
        return Arc::from([]);
    };
    let failed = DeliveryFacts {
        reminder,
        channel,
        state: DeliveryState::Failed,
        attempts: 3,
        created_at: AT,
        last_error: Some("an example".to_owned()),
    };
    Arc::from([failed])
}

fn warnings() -> Vec<Warning> {
    [WarningCode::ModemManagerGone, WarningCode::NotMeasured]
        .into_iter()
        .map(|code| Warning { code, subject: "wwan0".to_owned(), text: "an example".to_owned(), since: AT })
        .collect()
}

/// 9 of 10 GB used, eight days before the cycle's end, roaming.
fn planned(iccid: Iccid) -> SimFacts {
    SimFacts {
        name: "router".to_owned(),
        operator: Some("Example".to_owned()),
        operator_code: OperatorCode::new("26201").ok(),
        network: Some("Example Abroad".to_owned()),
        network_code: OperatorCode::new("22210").ok(),
        zone: Zone::Roaming(OperatorCode::new("22210").ok()),
        active: true,
        roaming: Some(true),
        connected: true,
        measured: true,
        signal_percent: Some(60),
        plan: Some("example".to_owned()),
        terms: Some(PlanTerms { counts: Counts::Both, roaming_counts: true, renews: true }),
        used_bytes: 9_000_000_000,
        measured_bytes: 8_500_000_000,
        billed_bytes: 8_600_000_000,
        calibrated_bytes: Some(9_000_000_000),
        calibration: Some(Calibration { factor: 1_046_512, lowest: 1_040_000, highest: 1_050_000, count: 3 }),
        roaming_bytes: 1_000_000_000,
        allowance_bytes: Some(10_000_000_000),
        remaining_bytes: Some(1_000_000_000),
        used_share: Some(Decimal::new(9, 1)),
        cycle: Some(CycleFacts {
            start: "2026-11-01".to_owned(),
            end: Some("2026-12-01".to_owned()),
            days_left: Some(9),
            seconds_left: Some(752_400),
            last: true,
        }),
        exhausted_at: Some(AT.saturating_add(simbell_core::time::Span::secs(172_800))),
        end_of_cycle_bytes: Some(12_000_000_000),
        forecast_reliable: true,
        voice: simbell_core::voice::VoiceSums::default(),
        recipients: 0,
        iccid,
    }
}

/// A bucket without an end, used up.
fn endless(iccid: Iccid) -> SimFacts {
    SimFacts {
        zone: Zone::Home,
        roaming: Some(false),
        used_bytes: 10_000_000_000,
        remaining_bytes: Some(0),
        used_share: Some(Decimal::ONE),
        measured_bytes: 10_000_000_000,
        billed_bytes: 10_000_000_000,
        calibrated_bytes: None,
        calibration: None,
        cycle: Some(CycleFacts {
            start: "2026-11-01".to_owned(),
            end: None,
            days_left: None,
            seconds_left: None,
            last: true,
        }),
        exhausted_at: None,
        end_of_cycle_bytes: None,
        forecast_reliable: false,
        voice: simbell_core::voice::VoiceSums::default(),
        recipients: 0,
        ..planned(iccid)
    }
}

/// No plan, not registered: only the SIM itself is known.
fn unplanned(iccid: Iccid) -> SimFacts {
    SimFacts {
        operator: None,
        operator_code: None,
        network: None,
        network_code: None,
        zone: Zone::Unknown,
        roaming: None,
        connected: false,
        signal_percent: None,
        plan: None,
        terms: None,
        allowance_bytes: None,
        remaining_bytes: None,
        used_share: None,
        cycle: None,
        ..endless(iccid)
    }
}
