//! The shipped rules, and a SIM that they are asked about: for the examples that measure.

use std::path::Path;
use std::sync::Arc;

use rust_decimal::Decimal;
use simbell_core::ident::Iccid;
use simbell_core::time::Timestamp;
use simbell_core::view::{CycleFacts, LocalNow, RuleInput, SimFacts};
use simbell_rules::{Limits, LoadOptions, RuleSet};

/// The rules of a folder of plugins, and of those that nobody enabled these.
pub fn load(plugins: &Path, enabled: Vec<String>) -> RuleSet {
    RuleSet::load(&LoadOptions {
        plugin_dirs: vec![plugins.to_owned()],
        enabled,
        limits: Limits::default(),
        language: "en".to_owned(),
        ..LoadOptions::default()
    })
}

/// The common case: 42 of 100 GB used.
pub fn far_from_a_threshold(iccid: Iccid) -> RuleInput {
    let facts = SimFacts {
        iccid,
        name: "router".to_owned(),
        operator: Some("Example".to_owned()),
        operator_code: None,
        network: Some("Example".to_owned()),
        network_code: None,
        zone: simbell_core::ledger::Zone::Home,
        active: true,
        roaming: Some(false),
        connected: true,
        measured: true,
        signal_percent: Some(60),
        plan: Some("example".to_owned()),
        terms: None,
        used_bytes: 42_000_000_000,
        measured_bytes: 42_000_000_000,
        billed_bytes: 42_000_000_000,
        calibrated_bytes: None,
        calibration: None,
        roaming_bytes: 0,
        allowance_bytes: Some(100_000_000_000),
        remaining_bytes: Some(58_000_000_000),
        used_share: Some(Decimal::new(42, 2)),
        cycle: Some(CycleFacts {
            start: "2026-11-01".to_owned(),
            end: Some("2026-12-01".to_owned()),
            days_left: Some(9),
            seconds_left: Some(752_400),
            last: false,
        }),
        exhausted_at: None,
        end_of_cycle_bytes: Some(60_000_000_000),
        forecast_reliable: true,
        voice: simbell_core::voice::VoiceSums::default(),
        recipients: 0,
    };
    RuleInput {
        now: LocalNow {
            at: Timestamp::from_secs(1_795_327_200),
            date: "2026-11-22".to_owned(),
            time: "07:00".to_owned(),
            weekday: 7,
            day: 22,
            hour: 7,
        },
        language: "en".to_owned(),
        sim: Some(facts.clone()),
        sims: vec![facts].into(),
        modems: Arc::from([]),
        deliveries: Arc::from([]),
        warnings: Vec::new(),
        late_s: 0,
    }
}
