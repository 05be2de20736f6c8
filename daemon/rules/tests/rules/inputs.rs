//! Made-up inputs, and rules written to a folder that goes with the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rust_decimal::Decimal;
use simbell_core::health::{Warning, WarningCode};
use simbell_core::ident::{Iccid, OperatorCode, RuleName};
use simbell_core::ledger::Zone;
use simbell_core::modem::SmsView;
use simbell_core::plan::Counts;
use simbell_core::time::Timestamp;
use simbell_core::view::{CycleFacts, LocalNow, PlanTerms, RuleInput, SimFacts, Trigger};
use simbell_rules::{LoadOptions, Outcome, RuleSet};
use tempfile::TempDir;

/// Sunday, 2026-11-22, 07:05 in Berlin.
pub const NOW: Timestamp = Timestamp::from_secs(1_795_327_500);

pub fn iccid() -> Iccid {
    Iccid::new("8949000000000000018").expect("valid")
}

pub fn sim() -> SimFacts {
    SimFacts {
        iccid: iccid(),
        name: "router".to_owned(),
        operator: Some("Example".to_owned()),
        operator_code: OperatorCode::new("26201").ok(),
        network: Some("Example".to_owned()),
        network_code: OperatorCode::new("26201").ok(),
        zone: Zone::Home,
        active: true,
        roaming: Some(false),
        connected: true,
        measured: true,
        signal_percent: Some(60),
        plan: Some("home".to_owned()),
        terms: Some(PlanTerms { counts: Counts::Both, roaming_counts: true, renews: true }),
        used_bytes: 2_000_000_000,
        measured_bytes: 2_000_000_000,
        billed_bytes: 2_000_000_000,
        calibrated_bytes: None,
        calibration: None,
        roaming_bytes: 0,
        allowance_bytes: Some(10_000_000_000),
        remaining_bytes: Some(8_000_000_000),
        used_share: Some(Decimal::new(2, 1)),
        cycle: Some(CycleFacts {
            start: "2026-11-01".to_owned(),
            end: Some("2026-12-01".to_owned()),
            days_left: Some(9),
            seconds_left: Some(752_100),
            last: false,
        }),
        exhausted_at: None,
        end_of_cycle_bytes: Some(3_000_000_000),
        forecast_reliable: true,
        voice: simbell_core::voice::VoiceSums::default(),
        recipients: 0,
    }
}

/// A SIM of which nothing is known but itself.
pub fn bare_sim() -> SimFacts {
    SimFacts {
        operator: None,
        operator_code: None,
        network: None,
        network_code: None,
        zone: Zone::Unknown,
        roaming: None,
        signal_percent: None,
        plan: None,
        terms: None,
        allowance_bytes: None,
        remaining_bytes: None,
        used_share: None,
        cycle: None,
        end_of_cycle_bytes: None,
        forecast_reliable: false,
        voice: simbell_core::voice::VoiceSums::default(),
        recipients: 0,
        ..sim()
    }
}

/// `sim()` with so much of its 10 GB used.
pub fn used(bytes: u64) -> SimFacts {
    SimFacts {
        used_bytes: bytes,
        measured_bytes: bytes,
        billed_bytes: bytes,
        remaining_bytes: Some(10_000_000_000_u64.saturating_sub(bytes)),
        used_share: Some(Decimal::from(bytes) / Decimal::from(10_000_000_000_u64)),
        ..sim()
    }
}

pub fn input(sim: Option<SimFacts>, language: &str) -> Arc<RuleInput> {
    Arc::new(RuleInput {
        now: LocalNow {
            at: NOW,
            date: "2026-11-22".to_owned(),
            time: "07:05".to_owned(),
            weekday: 7,
            day: 22,
            hour: 7,
        },
        language: language.to_owned(),
        sims: sim.clone().into_iter().collect(),
        sim,
        modems: Arc::from([]),
        deliveries: Arc::from([]),
        warnings: Vec::new(),
        late_s: 0,
    })
}

pub fn unwell(warnings: &[(WarningCode, &str)], language: &str) -> Arc<RuleInput> {
    let warnings = warnings
        .iter()
        .map(|(code, subject)| Warning {
            code: *code,
            subject: (*subject).to_owned(),
            text: "in words".to_owned(),
            since: Timestamp::from_millis(NOW.as_millis() - 3_600_000),
        })
        .collect();
    Arc::new(RuleInput { warnings, ..(*input(None, language)).clone() })
}

pub fn on_usage() -> Trigger {
    Trigger::Usage { sim: iccid() }
}

pub fn on_roaming() -> Trigger {
    Trigger::Roaming { sim: iccid() }
}

pub fn on_schedule() -> Trigger {
    Trigger::Schedule { sim: Some(iccid()), index: 0, due: NOW }
}

pub fn on_sms(number: &str, text: &str) -> Trigger {
    let sms = SmsView {
        number: number.to_owned(),
        text: text.to_owned(),
        timestamp: None,
        digest: "0a1b2c3d".to_owned(),
    };
    Trigger::Sms { sim: Some(iccid()), sms }
}

/// A folder of its own, removed at the end.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("the temporary folder can be made"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        fs::write(&path, text).expect("the file can be written");
        path
    }

    pub fn load(&self) -> RuleSet {
        RuleSet::load(&LoadOptions {
            user_dir: Some(self.path().to_owned()),
            language: "en".to_owned(),
            ..LoadOptions::default()
        })
    }
}

pub fn rule(name: &str) -> RuleName {
    RuleName::new(name).expect("valid")
}

/// Loads `text` as the one rule `r` and asks it.
pub fn ask(text: &str, trigger: &Trigger, input: &Arc<RuleInput>) -> Outcome {
    let folder = Folder::new();
    folder.write("r.rhai", text);
    let rules = folder.load();
    let description = rules.descriptions().pop().expect("one rule");
    assert_eq!(description.problem, None, "{text}");
    let outcome = rules.evaluate(&rule("r"), trigger, input);
    let shown = outcome.error.map(|error| error.replace(&format!("{}/", folder.path().display()), ""));
    Outcome { error: shown, ..outcome }
}

/// What `expression` is, as text, seen in `on_usage(sim)`.
pub fn value(expression: &str) -> String {
    let text = format!("fn on_usage(sim) {{ let it = {expression}; remind(\"k\", `<${{it}}>`); }}");
    let outcome = ask(&text, &on_usage(), &input(Some(sim()), "en"));
    match (outcome.error, outcome.findings.first()) {
        (None, Some(finding)) => finding.text.trim_matches(['<', '>']).to_owned(),
        (error, _) => error.expect("an error or a finding"),
    }
}
