//! The interface description and the schemas, made of the types; compared with the files that are handed out.
//!
//! Run these tests with `SIMBELL_WRITE=1` to write the files anew after an addition.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use zlink::idl::{CustomType, Field, Type};
use zlink::introspect::{CustomType as _, ReplyError as _, Type as _};

use crate::method::Method;
use crate::*;

const WIDTH: usize = 110;

fn named() -> Vec<&'static CustomType<'static>> {
    vec![
        Service::CUSTOM_TYPE,
        Warning::CUSTOM_TYPE,
        ModemManager::CUSTOM_TYPE,
        Sim::CUSTOM_TYPE,
        Session::CUSTOM_TYPE,
        Calibration::CUSTOM_TYPE,
        UsedParts::CUSTOM_TYPE,
        Cycle::CUSTOM_TYPE,
        Forecast::CUSTOM_TYPE,
        UsageRow::CUSTOM_TYPE,
        UsageTotal::CUSTOM_TYPE,
        CallsRow::CUSTOM_TYPE,
        CallsTotal::CUSTOM_TYPE,
        MessagesRow::CUSTOM_TYPE,
        MessagesTotal::CUSTOM_TYPE,
        ExplainSpan::CUSTOM_TYPE,
        ExplainedRun::CUSTOM_TYPE,
        ExplainedCorrection::CUSTOM_TYPE,
        ExplainedGap::CUSTOM_TYPE,
        ExplainedSession::CUSTOM_TYPE,
        ExplainedObservation::CUSTOM_TYPE,
        ExplainSum::CUSTOM_TYPE,
        Backup::CUSTOM_TYPE,
        ExportKind::CUSTOM_TYPE,
        ExportRun::CUSTOM_TYPE,
        ExportCorrection::CUSTOM_TYPE,
        ExportGap::CUSTOM_TYPE,
        BilledSpan::CUSTOM_TYPE,
        Correction::CUSTOM_TYPE,
        Observation::CUSTOM_TYPE,
        FreeHours::CUSTOM_TYPE,
        ImportedRow::CUSTOM_TYPE,
        CorrectedCycle::CUSTOM_TYPE,
        Plan::CUSTOM_TYPE,
        Rule::CUSTOM_TYPE,
        PluginPermission::CUSTOM_TYPE,
        PluginSetting::CUSTOM_TYPE,
        Plugin::CUSTOM_TYPE,
        Reminder::CUSTOM_TYPE,
        Delivery::CUSTOM_TYPE,
        Channel::CUSTOM_TYPE,
        Input::CUSTOM_TYPE,
        Raised::CUSTOM_TYPE,
        Decision::CUSTOM_TYPE,
        RuleAction::CUSTOM_TYPE,
    ]
}

struct Shape {
    doc: &'static str,
    inputs: &'static Type<'static>,
    outputs: &'static Type<'static>,
}

fn shape(method: Method) -> Shape {
    let (doc, inputs, outputs) = match method {
        Method::GetVersion => ("Tells the service's version.", GetVersionParams::TYPE, VersionReply::TYPE),
        Method::GetStatus => ("Tells how the service and ModemManager are.", <()>::TYPE, StatusReply::TYPE),
        Method::ListSims => ("Lists the SIMs that are known.", PageParams::TYPE, SimsPage::TYPE),
        Method::GetUsage => (
            "Lists what was used, by hour, day or cycle, with gaps and corrections.",
            GetUsageParams::TYPE,
            UsagePage::TYPE,
        ),
        Method::GetCalls => (
            "Lists calls by hour, day or cycle, way, kind of number and zone, those under way included.",
            GetUsageParams::TYPE,
            CallsPage::TYPE,
        ),
        Method::GetMessages => (
            "Lists short messages by hour, day or cycle, way and zone.",
            GetUsageParams::TYPE,
            MessagesPage::TYPE,
        ),
        Method::ExplainReminder => (
            "Tells why a reminder is as it is, or why a rule says nothing: the occasion, what was said, what holds it \
             back.",
            ExplainReminderParams::TYPE,
            ExplainReminderReply::TYPE,
        ),
        Method::ResumeRule => (
            "Takes up a rule again that was suspended. For root and admin groups.",
            ResumeRuleParams::TYPE,
            RuleReply::TYPE,
        ),
        Method::ListPlugins => (
            "Lists the plugins: what they ask for, what can be set, and who decided about them.",
            PageParams::TYPE,
            PluginsPage::TYPE,
        ),
        Method::EnablePlugin => (
            "Lets a plugin run, and approves what it asks for. For root and admin groups. Answers after the commit.",
            DecidePluginParams::TYPE,
            PluginReply::TYPE,
        ),
        Method::DisablePlugin => (
            "Switches a plugin off. For root and admin groups. Answers after the commit.",
            DecidePluginParams::TYPE,
            PluginReply::TYPE,
        ),
        Method::ApprovePlugin => (
            "Approves what a plugin asks for. For root and admin groups. Answers after the commit.",
            DecidePluginParams::TYPE,
            PluginReply::TYPE,
        ),
        Method::ExplainUsage => (
            "Tells what a SIM's total in a day, cycle or other span is made of: each run of a counter, each connection \
             by the kernel and by ModemManager, each gap, correction and figure of the carrier.",
            ExplainUsageParams::TYPE,
            ExplainPage::TYPE,
        ),
        Method::SetUsage => (
            "Corrects the usage of the cycle by an entry in the ledger. For root and admin groups. Answers after \
             the commit.",
            SetUsageParams::TYPE,
            UsageChange::TYPE,
        ),
        Method::ListPlans => ("Lists the plans.", PageParams::TYPE, PlansPage::TYPE),
        Method::ShowPlan => ("Shows the plan of one SIM.", ShowPlanParams::TYPE, ShowPlanReply::TYPE),
        Method::ListRules => {
            ("Lists the rules, those that cannot run included.", PageParams::TYPE, RulesPage::TYPE)
        }
        Method::ListReminders => {
            ("Lists the reminders that are not resolved.", PageParams::TYPE, RemindersPage::TYPE)
        }
        Method::Acknowledge => (
            "Marks a reminder as seen: it is not said again while it holds. For root and admin groups. Answers \
             after the commit.",
            AcknowledgeParams::TYPE,
            ReminderReply::TYPE,
        ),
        Method::Snooze => (
            "Puts a reminder off. For root and admin groups. Answers after the commit.",
            SnoozeParams::TYPE,
            ReminderReply::TYPE,
        ),
        Method::ListChannels => ("Lists the channels.", PageParams::TYPE, ChannelsPage::TYPE),
        Method::TestChannel => (
            "Has a channel say a test message. For root and admin groups.",
            TestChannelParams::TYPE,
            ChannelTest::TYPE,
        ),
        Method::Monitor => (
            "Follows what happens. Needs `more`. The full state comes first, then changes, and heartbeats while \
             nothing happens. A reader that falls behind is told so by the error TooSlow and dropped.",
            <()>::TYPE,
            MonitorEvent::TYPE,
        ),
        Method::Reload => (
            "Reads configuration, rules and plugins again. For root and admin groups.",
            <()>::TYPE,
            ReloadReply::TYPE,
        ),
        Method::CreateBackup => (
            "Makes a copy of the ledger while it is in use. For root and admin groups. Answers when the copy is on the \
             disk and was looked through.",
            <()>::TYPE,
            BackupReply::TYPE,
        ),
        Method::ListBackups => ("Lists the copies of the ledger.", PageParams::TYPE, BackupsPage::TYPE),
        Method::RestoreBackup => (
            "Has a copy of the ledger take its place. The ledger is set aside, and what the counters counted since the \
             copy is booked anew. For root and admin groups.",
            RestoreBackupParams::TYPE,
            RestoreReply::TYPE,
        ),
        Method::ExportUsage => (
            "Gives what was used in bulk, column by column, with corrections and gaps, in parts. Needs `more`.",
            ExportUsageParams::TYPE,
            ExportPart::TYPE,
        ),
        Method::GetBilled => (
            "Lists what was used by day or cycle, as measured and as the plan of now bills it. A page may hold nothing \
             and have a `next`: a long cycle is gone through in several.",
            GetUsageParams::TYPE,
            BilledPage::TYPE,
        ),
        Method::ListCorrections => {
            ("Lists corrections, those taken back included.", EntriesParams::TYPE, CorrectionsPage::TYPE)
        }
        Method::UndoCorrection => (
            "Takes a correction back by another one at the same instant. Once: what was taken back comes back by \
             taking that one back. For root and admin groups. Answers after the commit.",
            UndoCorrectionParams::TYPE,
            UndoneReply::TYPE,
        ),
        Method::ListObservations => (
            "Lists the carrier's own figures and what takes them back.",
            EntriesParams::TYPE,
            ObservationsPage::TYPE,
        ),
        Method::ObserveUsage => (
            "Keeps the carrier's own figure of a cycle, which says how far it counts beside what is billed. For root \
             and admin groups. Answers after the commit.",
            ObserveUsageParams::TYPE,
            ObservationReply::TYPE,
        ),
        Method::WithdrawObservation => (
            "Takes an observation back by another entry. For root and admin groups. Answers after the commit.",
            WithdrawObservationParams::TYPE,
            ObservationReply::TYPE,
        ),
        Method::ImportUsage => (
            "Takes in usage that another program measured, where the ledger has no entry of that time. For root and admin \
             groups. Answers after the commit.",
            ImportUsageParams::TYPE,
            ImportReply::TYPE,
        ),
        Method::UndoImport => (
            "Takes out again what was imported of an interface. For root and admin groups. Answers after the commit.",
            UndoImportParams::TYPE,
            ImportReply::TYPE,
        ),
        Method::BugReport => (
            "Gives a recording of what happened, pseudonymised, in parts. Needs `more`.",
            <()>::TYPE,
            BugReportChunk::TYPE,
        ),
    };
    Shape { doc, inputs, outputs }
}

fn comment(out: &mut String, indent: &str, text: &str) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent.len() + line.len() + word.len() + 3 > WIDTH {
            writeln!(out, "{indent}# {line}").unwrap();
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        writeln!(out, "{indent}# {line}").unwrap();
    }
}

fn fields<'a>(out: &mut String, fields: impl Iterator<Item = &'a Field<'a>>) {
    let fields: Vec<_> = fields.collect();
    if fields.is_empty() {
        out.push_str("()");
        return;
    }
    out.push_str("(\n");
    for (index, field) in fields.iter().enumerate() {
        let text: Vec<&str> = field.comments().map(|c| c.text()).collect();
        comment(out, "  ", &text.join(" "));
        let end = if index + 1 == fields.len() { "" } else { "," };
        writeln!(out, "  {}: {}{end}", field.name(), field.ty()).unwrap();
    }
    out.push(')');
}

fn members(ty: &'static Type<'static>) -> impl Iterator<Item = &'static Field<'static>> {
    let Type::Object(list) = ty else { panic!("parameters are an object") };
    list.iter()
}

fn description() -> String {
    let mut out = String::new();
    comment(
        &mut out,
        "",
        "The control socket of simbelld. Amounts are bytes, times RFC 3339 with offset, dates ISO 8601, spans \
         seconds; what is absent is null. Words (states, kinds, codes) may grow in number. Lists come in pages: \
         pass `next` as `after` until it is null.",
    );
    writeln!(out, "interface {INTERFACE}").unwrap();
    for ty in named() {
        let CustomType::Object(object) = ty else { panic!("words travel as strings") };
        out.push('\n');
        let text: Vec<&str> = object.comments().map(|c| c.text()).collect();
        comment(&mut out, "", &text.join(" "));
        write!(out, "type {} ", object.name()).unwrap();
        fields(&mut out, object.fields());
        out.push('\n');
    }
    for method in Method::ALL {
        let shape = shape(method);
        out.push('\n');
        comment(&mut out, "", shape.doc);
        write!(out, "method {}", method.name()).unwrap();
        fields(&mut out, members(shape.inputs));
        out.push_str(" -> ");
        fields(&mut out, members(shape.outputs));
        out.push('\n');
    }
    for error in ControlError::VARIANTS {
        out.push('\n');
        let text: Vec<&str> = error.comments().map(|c| c.text()).collect();
        comment(&mut out, "", &text.join(" "));
        write!(out, "error {} ", error.name()).unwrap();
        fields(&mut out, error.fields());
        out.push('\n');
    }
    out
}

fn json_type(ty: &Type<'_>, types: &BTreeMap<String, Value>) -> Value {
    match ty {
        Type::Bool => json!({ "type": "boolean" }),
        Type::Int => json!({ "type": "integer" }),
        Type::String => json!({ "type": "string" }),
        Type::Array(inner) => json!({ "type": "array", "items": json_type(inner.inner(), types) }),
        Type::Optional(inner) => json!({ "anyOf": [json_type(inner.inner(), types), { "type": "null" }] }),
        Type::Custom(name) => types[name.as_str()].clone(),
        Type::Object(list) => json_object(list.iter(), types),
        other => panic!("no schema for {other}"),
    }
}

/// Every key is required, since what is absent is null; more keys may come, since the contract grows.
fn json_object<'a>(fields: impl Iterator<Item = &'a Field<'a>>, types: &BTreeMap<String, Value>) -> Value {
    let mut properties = serde_json::Map::new();
    let mut required = Vec::new();
    for field in fields {
        let mut schema = json_type(field.ty(), types);
        let text: Vec<&str> = field.comments().map(|c| c.text()).collect();
        schema["description"] = json!(text.join(" "));
        properties.insert(field.name().to_string(), schema);
        required.push(field.name().to_string());
    }
    json!({ "type": "object", "properties": properties, "required": required })
}

/// What each verb prints with `--json`: one object, or one object a line.
fn verbs() -> Vec<(&'static str, &'static str, Value)> {
    let mut types = BTreeMap::new();
    let custom = |ty: &CustomType<'static>, types: &BTreeMap<String, Value>| {
        let CustomType::Object(object) = ty else { panic!("words travel as strings") };
        json_object(object.fields(), types)
    };
    // A type may use those named before it, and those listed here are used by earlier ones.
    for ty in [
        Warning::CUSTOM_TYPE,
        Session::CUSTOM_TYPE,
        Calibration::CUSTOM_TYPE,
        UsedParts::CUSTOM_TYPE,
        FreeHours::CUSTOM_TYPE,
        CallsTotal::CUSTOM_TYPE,
        MessagesTotal::CUSTOM_TYPE,
        Cycle::CUSTOM_TYPE,
        Forecast::CUSTOM_TYPE,
        Delivery::CUSTOM_TYPE,
    ] {
        types.insert(ty.name().to_string(), custom(ty, &types));
    }
    for ty in named() {
        types.insert(ty.name().to_string(), custom(ty, &types));
    }
    types.insert("Failure".to_owned(), custom(Failure::CUSTOM_TYPE, &types));
    types.insert("ReplayedRule".to_owned(), custom(ReplayedRule::CUSTOM_TYPE, &types));
    types.insert("RuleLine".to_owned(), custom(RuleLine::CUSTOM_TYPE, &types));
    let one = "one object";
    let each = "one object a line";
    vec![
        ("status", one, custom(StatusOutput::CUSTOM_TYPE, &types)),
        ("sims", each, types["Sim"].clone()),
        ("usage", one, custom(UsageOutput::CUSTOM_TYPE, &types)),
        ("usage-explain", one, json_type(ExplainPage::TYPE, &types)),
        ("usage-export-usage", each, custom(ExportedUsage::CUSTOM_TYPE, &types)),
        ("usage-export-correction", each, custom(ExportedCorrection::CUSTOM_TYPE, &types)),
        ("usage-export-gap", each, custom(ExportedGap::CUSTOM_TYPE, &types)),
        ("backup", each, types["Backup"].clone()),
        ("backup-restore", one, json_type(RestoreReply::TYPE, &types)),
        ("usage-calls", one, custom(CallsOutput::CUSTOM_TYPE, &types)),
        ("usage-sms", one, custom(MessagesOutput::CUSTOM_TYPE, &types)),
        ("usage-set", one, json_type(UsageChange::TYPE, &types)),
        ("usage-corrections", each, types["Correction"].clone()),
        ("usage-undo", one, json_type(UndoneReply::TYPE, &types)),
        ("usage-observations", each, types["Observation"].clone()),
        ("usage-observe", one, json_type(ObservationReply::TYPE, &types)),
        ("usage-withdraw", one, json_type(ObservationReply::TYPE, &types)),
        ("import", one, json_type(ImportReply::TYPE, &types)),
        ("plan-show", each, types["Plan"].clone()),
        ("plan-add", one, custom(PlanAddOutput::CUSTOM_TYPE, &types)),
        ("rules-list", each, types["Rule"].clone()),
        ("rules-why", one, json_type(ExplainReminderReply::TYPE, &types)),
        ("rules-resume", one, types["Rule"].clone()),
        ("rules-replay-ring", each, custom(ReplayRing::CUSTOM_TYPE, &types)),
        ("rules-replay-failure", each, custom(ReplayFailure::CUSTOM_TYPE, &types)),
        ("rules-replay-day", each, custom(ReplayDay::CUSTOM_TYPE, &types)),
        ("rules-replay-summary", each, custom(ReplaySummary::CUSTOM_TYPE, &types)),
        ("rules-test-test", each, custom(RuleTestOutput::CUSTOM_TYPE, &types)),
        ("rules-test-rule", each, custom(RuleTestedOutput::CUSTOM_TYPE, &types)),
        ("rules-test-summary", one, custom(RuleTestsOutput::CUSTOM_TYPE, &types)),
        ("rules-trace", one, custom(RuleTraceOutput::CUSTOM_TYPE, &types)),
        ("plugins-list", each, types["Plugin"].clone()),
        ("plugins-show", one, types["Plugin"].clone()),
        ("plugins-change", one, json_type(PluginReply::TYPE, &types)),
        ("check", one, custom(CheckOutput::CUSTOM_TYPE, &types)),
        ("reminders", each, types["Reminder"].clone()),
        ("channels", each, types["Channel"].clone()),
        ("channels-test", one, json_type(ChannelTest::TYPE, &types)),
        ("watch", each, json_type(MonitorEvent::TYPE, &types)),
        ("reload", one, json_type(ReloadReply::TYPE, &types)),
        ("bug-report", each, json_type(BugReportChunk::TYPE, &types)),
        ("version", one, custom(VersionOutput::CUSTOM_TYPE, &types)),
        ("error", one, custom(FailureOutput::CUSTOM_TYPE, &types)),
    ]
}

fn compare(path: &str, ours: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("SIMBELL_WRITE").is_some() {
        std::fs::write(&path, ours).unwrap();
    }
    let theirs = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; write it with SIMBELL_WRITE=1", path.display()));
    assert!(ours == theirs, "{} differs from the types; write it with SIMBELL_WRITE=1", path.display());
}

#[test]
fn the_description_is_the_types() {
    compare("org.simbell.Control.varlink", &description());
}

#[test]
fn the_schemas_are_the_types() {
    for (verb, form, mut schema) in verbs() {
        schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        schema["title"] = json!(format!("simbellctl --json: {verb} ({form})"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        compare(&format!("schema/{verb}.json"), &text);
    }
}

#[test]
fn every_error_says_what_to_do() {
    for error in ControlError::VARIANTS {
        let names: Vec<_> = error.fields().map(|f| f.name().to_string()).collect();
        assert!(names.contains(&"hint".to_owned()), "{} has no hint", error.name());
        assert!(names.contains(&"message".to_owned()), "{} has no message", error.name());
    }
}

#[test]
fn an_error_travels_with_its_whole_name() {
    let error = ControlError::UnknownSim { message: "no x".into(), hint: "y".into() };
    let wire = serde_json::to_value(&error).unwrap();
    assert_eq!(
        wire,
        json!({ "error": "org.simbell.Control.UnknownSim", "parameters": { "message": "no x", "hint": "y" } })
    );
    assert_eq!(serde_json::from_value::<ControlError>(wire).unwrap(), error);
    assert_eq!(error.kind(), "UnknownSim");
}

#[test]
fn absent_is_null_and_never_left_out() {
    let event = serde_json::to_value(MonitorEvent::heartbeat("2026-11-22T21:00:00+01:00".into())).unwrap();
    for key in ["service", "modemmanager", "sim", "reminder", "channel", "text"] {
        assert_eq!(event.get(key), Some(&Value::Null), "{key}");
    }
}
