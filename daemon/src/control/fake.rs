//! A service behind the socket for tests: a few SIMs and reminders in memory, everything answered at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use simbell_api::{
    Backup, BilledPage, BilledSpan, Calibration, CallsPage, CallsRow, CallsTotal, Channel, ChannelTest,
    ControlError, CorrectedCycle, Correction, CorrectionsPage, Cycle, DecidePluginParams, Decision, Delivery,
    EntriesParams, ExplainPage, ExplainReminderParams, ExplainReminderReply, ExplainSpan, ExplainSum,
    ExplainUsageParams, ExplainedCorrection, ExplainedGap, ExplainedObservation, ExplainedRun,
    ExplainedSession, ExportCorrection, ExportGap, ExportKind, ExportPart, ExportRun, ExportUsageParams,
    Forecast, GetUsageParams, ImportReply, ImportUsageParams, Input, MessagesPage, MessagesRow,
    MessagesTotal, Method, ModemManager, MonitorEvent, Observation, ObservationReply, ObservationsPage,
    ObserveUsageParams, Plan, Plugin, PluginPermission, PluginReply, PluginSetting, Raised, ReloadReply,
    Reminder, RestoreReply, Rule, RuleAction, Service, SetUsageParams, Sim, StatusReply,
    UndoCorrectionParams, UndoImportParams, UndoneReply, UsageChange, UsagePage, UsageRow, UsageTotal,
    UsedParts, Warning, WithdrawObservationParams,
};
use tokio::sync::{broadcast, mpsc};

use super::server::{Answer, ControlBackend, Following, Peer};

/// The time it always is.
pub const NOW: &str = "2026-11-22T21:00:00+01:00";
/// A SIM that the configuration calls `home`.
pub const HOME: &str = "8949000000000000011";
/// A SIM with a long Chinese name and no plan.
pub const TRAVEL: &str = "8986000000000000022";

/// A service in memory.
#[derive(Debug)]
pub struct Fake {
    world: Mutex<World>,
    changes: broadcast::Sender<Arc<MonitorEvent>>,
    admin_groups: Vec<String>,
    given_up: Arc<AtomicBool>,
}

#[derive(Debug)]
struct World {
    sims: Vec<Sim>,
    reminders: Vec<Reminder>,
    warnings: Vec<Warning>,
    recording: usize,
}

impl Fake {
    /// Two SIMs, one reminder that fires, three channels; followers may fall `capacity` events behind.
    pub fn new(capacity: usize) -> Self {
        let world = World {
            sims: vec![home(), travel()],
            reminders: vec![reminder("data-threshold/80/0011", 1)],
            warnings: vec![Warning {
                code: "rule-disabled".into(),
                subject: "my-rule".into(),
                text:
                    "my-rule.rhai:3:7: unknown function `remnd`; did you mean `remind`? The rule is disabled."
                        .into(),
                since: NOW.into(),
            }],
            recording: 3,
        };
        Self {
            world: Mutex::new(world),
            changes: broadcast::channel(capacity).0,
            admin_groups: vec![],
            given_up: Arc::default(),
        }
    }

    /// Whether a reader of an endless export was hung up on.
    pub fn gave_up(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }

    /// With these admin groups.
    pub fn with_admin_groups(mut self, groups: &[&str]) -> Self {
        self.admin_groups = groups.iter().map(|group| (*group).to_owned()).collect();
        self
    }

    /// With no warning and no reminder.
    pub fn well(self) -> Self {
        {
            let mut world = self.world.lock().unwrap();
            world.warnings.clear();
            world.reminders.clear();
        }
        self
    }

    /// With a warning of this code.
    pub fn warning(self, code: &str) -> Self {
        let warning = Warning {
            code: code.into(),
            subject: String::new(),
            text: "something is wrong".into(),
            since: NOW.into(),
        };
        self.world.lock().unwrap().warnings.push(warning);
        self
    }

    /// With so many SIMs.
    pub fn with_sims(self, count: u32) -> Self {
        self.world.lock().unwrap().sims = (0..count)
            .map(|n| Sim { iccid: format!("89490000000000{n:05}"), name: Some(format!("sim-{n}")), ..home() })
            .collect();
        self
    }

    /// Has a reminder said once more, to followers too.
    pub fn say(&self, key: &str) -> Reminder {
        let mut world = self.world.lock().unwrap();
        let said = match world.reminders.iter_mut().find(|reminder| reminder.key == key) {
            Some(found) => {
                found.occurrence += 1;
                found.clone()
            }
            None => {
                let new = reminder(key, 1);
                world.reminders.push(new.clone());
                new
            }
        };
        drop(world);
        self.publish(MonitorEvent::said(NOW.into(), said.clone()));
        said
    }

    /// Tells followers something; says how many there are.
    pub fn publish(&self, event: MonitorEvent) -> usize {
        self.changes.send(Arc::new(event)).unwrap_or(0)
    }

    /// How many follow.
    pub fn followers(&self) -> usize {
        self.changes.receiver_count()
    }

    async fn rule(&self, peer: Peer, name: &str) -> Answer<Rule> {
        self.rules(peer).await?.into_iter().find(|rule| rule.name == name).ok_or_else(|| {
            ControlError::UnknownRule {
                message: format!("no rule is called {name:?}"),
                hint: "see them with `simbellctl rules`".into(),
            }
        })
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Reminder)) -> Answer<Reminder> {
        let mut world = self.world.lock().unwrap();
        let Some(reminder) = world.reminders.iter_mut().find(|reminder| reminder.key == key) else {
            return Err(ControlError::UnknownReminder {
                message: "no reminder has this key".into(),
                hint: "see them with `simbellctl reminders`".into(),
            });
        };
        change(reminder);
        let changed = reminder.clone();
        drop(world);
        self.publish(MonitorEvent::reminder(NOW.into(), changed.clone()));
        Ok(changed)
    }

    fn find(&self, wanted: Option<&str>) -> Answer<Sim> {
        let world = self.world.lock().unwrap();
        let found = match wanted {
            Some(wanted) => {
                let exact = |sim: &&Sim| sim.iccid == wanted || sim.name.as_deref() == Some(wanted);
                let end = |sim: &&Sim| wanted.len() >= 4 && sim.iccid.ends_with(wanted);
                world.sims.iter().find(exact).or_else(|| world.sims.iter().find(end))
            }
            None if world.sims.len() == 1 => world.sims.first(),
            None => None,
        };
        found.cloned().ok_or_else(|| ControlError::UnknownSim {
            message: wanted.map_or_else(
                || "there are several SIMs and none was named".into(),
                |wanted| format!("no SIM is called {wanted:?}"),
            ),
            hint: "name one with --sim; see them with `simbellctl sims`".into(),
        })
    }
}

impl ControlBackend for Fake {
    fn now(&self) -> String {
        NOW.into()
    }

    fn admin_groups(&self) -> Vec<String> {
        self.admin_groups.clone()
    }

    fn plugins_folder(&self) -> Option<String> {
        Some("/etc/simbell/plugins".to_owned())
    }

    async fn status(&self, _: Peer) -> Answer<StatusReply> {
        let warnings = self.world.lock().unwrap().warnings.clone();
        Ok(StatusReply { service: service(warnings), modemmanager: modemmanager() })
    }

    async fn sims(&self, _: Peer) -> Answer<Vec<Sim>> {
        Ok(self.world.lock().unwrap().sims.clone())
    }

    async fn usage(&self, _: Peer, question: GetUsageParams) -> Answer<UsagePage> {
        let sim = match question.sim.as_deref() {
            Some(wanted) => self.find(Some(wanted))?,
            None => home(),
        };
        let all: Vec<UsageRow> = (0..100)
            .map(|hour| UsageRow {
                iccid: Some(sim.iccid.clone()),
                start: Some(format!("2026-11-{:02}T{:02}:00:00+01:00", 18 + hour / 24, hour % 24)),
                end: Some(format!("2026-11-{:02}T{:02}:59:59+01:00", 18 + hour / 24, hour % 24)),
                zone: if hour % 10 == 3 { "roaming:26202".into() } else { "home".into() },
                rx_bytes: 30_000_000,
                tx_bytes: 1_000_000,
                source: Some("kernel".into()),
                correction_bytes: None,
                gap: None,
            })
            .chain([UsageRow {
                iccid: Some(sim.iccid.clone()),
                start: Some("2026-11-22T04:00:00+01:00".into()),
                end: Some(NOW.into()),
                zone: "unknown".into(),
                rx_bytes: 0,
                tx_bytes: 0,
                source: None,
                correction_bytes: None,
                gap: Some("interface-vanished".into()),
            }])
            .collect();
        let from = question.after.and_then(|after| after.parse().ok()).unwrap_or(0_usize);
        let until = (from + question.limit.unwrap_or(64) as usize).min(all.len());
        Ok(UsagePage {
            rows: all[from..until].to_vec(),
            total: UsageTotal { rx_bytes: 3_000_000_000, tx_bytes: 100_000_000, correction_bytes: 0 },
            next: (until < all.len()).then(|| until.to_string()),
        })
    }

    async fn calls(&self, _: Peer, question: GetUsageParams) -> Answer<CallsPage> {
        let sim = self.find(Some(question.sim.as_deref().unwrap_or("home")))?;
        let row = |direction: &str, class: &str, zone: &str, seconds: u64| CallsRow {
            iccid: sim.iccid.clone(),
            start: "2026-11-22T00:00:00+01:00".into(),
            end: "2026-11-23T00:00:00+01:00".into(),
            direction: direction.into(),
            number_class: class.into(),
            zone: zone.into(),
            answered: 2,
            unanswered: 1,
            end_unknown: 0,
            under_way: 0,
            seconds,
            seconds_min: seconds,
        };
        let uncertain = CallsRow {
            end_unknown: 1,
            seconds_min: 60,
            under_way: 1,
            ..row("made", "international", "roaming:310260", 3_725)
        };
        let total = CallsTotal {
            made: 4,
            unanswered: 2,
            made_seconds: 3_800,
            made_seconds_min: 135,
            taken: 2,
            missed: 1,
            taken_seconds: 59,
            taken_seconds_min: 59,
            end_unknown: 1,
            ..CallsTotal::default()
        };
        let rows = vec![row("made", "national", "home", 75), uncertain, row("taken", "withheld", "home", 59)];
        Ok(CallsPage { rows, total, next: None })
    }

    async fn messages(&self, _: Peer, question: GetUsageParams) -> Answer<MessagesPage> {
        let sim = self.find(Some(question.sim.as_deref().unwrap_or("home")))?;
        let row = |direction: &str, messages: u64, parts: u64, recipients: u64| MessagesRow {
            iccid: sim.iccid.clone(),
            start: "2026-11-22T00:00:00+01:00".into(),
            end: "2026-11-23T00:00:00+01:00".into(),
            direction: direction.into(),
            zone: "home".into(),
            messages,
            parts,
            recipients,
        };
        let total = MessagesTotal {
            sent: 3,
            sent_parts: 5,
            recipients: 2,
            received: 1,
            received_parts: 1,
            failed: 1,
            ..MessagesTotal::default()
        };
        Ok(MessagesPage {
            rows: vec![row("failed", 1, 1, 1), row("received", 1, 1, 0), row("sent", 3, 5, 2)],
            total,
            next: None,
        })
    }

    async fn explain(&self, _: Peer, question: ExplainUsageParams) -> Answer<ExplainPage> {
        let sim = self.find(question.sim.as_deref())?;
        if question.day.as_deref() == Some("never") {
            return Err(ControlError::InvalidArgument {
                argument: "day".into(),
                message: "day is \"never\", which is no date".into(),
                hint: "write 2026-11-22".into(),
            });
        }
        let mut page = explained(&sim);
        // The parts that do not add up, for the day on which nothing did.
        if question.day.as_deref() == Some("1970-01-01") {
            page.runs.truncate(1);
        }
        // Two pages: the second with what is told beside.
        if question.after.is_none() {
            page.sessions.clear();
            page.observations.clear();
            page.undated.clear();
            page.next = Some("2".into());
        } else {
            page.runs.clear();
            page.corrections.clear();
            page.gaps.clear();
        }
        Ok(page)
    }

    async fn create_backup(&self, _: Peer) -> Answer<Backup> {
        Ok(backup("asked-20261122T200000Z.db", "asked"))
    }

    async fn backups(&self, _: Peer) -> Answer<Vec<Backup>> {
        Ok(vec![backup("daily-20261121T040000Z.db", "daily"), backup("asked-20261122T200000Z.db", "asked")])
    }

    async fn restore_backup(&self, _: Peer, name: String) -> Answer<RestoreReply> {
        if !name.starts_with("daily-") {
            return Err(ControlError::UnknownEntry {
                message: "there is no copy of the ledger called so".into(),
                hint: "`simbellctl backup list` lists them".into(),
            });
        }
        Ok(RestoreReply { name, set_aside: "ledger.db.replaced-20261122T200000Z".into(), note: None })
    }

    async fn export(&self, _: Peer, question: ExportUsageParams) -> Answer<mpsc::Receiver<Answer<Vec<u8>>>> {
        let (sender, receiver) = mpsc::channel(2);
        // Without an end, for whoever wants to know what becomes of a reader that does not read.
        let endless = question.sim.as_deref() == Some("endless");
        let given_up = Arc::clone(&self.given_up);
        tokio::spawn(async move {
            let mut part = export_part();
            if endless {
                while sender.send(Ok(super::server::part(&part, false))).await.is_ok() {}
                given_up.store(true, Ordering::SeqCst);
                return;
            }
            for _ in 0..2 {
                let _gone = sender.send(Ok(super::server::part(&part, false))).await;
            }
            part = ExportPart { iccid: None, sim: None, corrections: Vec::new(), runs: Vec::new(), ..part };
            part.total = Some(UsageTotal { rx_bytes: 2, tx_bytes: 4, correction_bytes: 6 });
            let _gone = sender.send(Ok(super::server::part(&part, true))).await;
        });
        Ok(receiver)
    }

    async fn set_usage(&self, _: Peer, change: SetUsageParams) -> Answer<UsageChange> {
        let sim = self.find(change.sim.as_deref())?;
        let before = sim.billed_bytes.unwrap_or(sim.measured_bytes);
        Ok(UsageChange {
            iccid: sim.iccid,
            before_bytes: before,
            bytes: change.bytes,
            correction_bytes: change.bytes.cast_signed() - before.cast_signed(),
        })
    }

    async fn billed(&self, _: Peer, question: GetUsageParams) -> Answer<BilledPage> {
        let span = BilledSpan {
            iccid: self.find(question.sim.as_deref().or(Some(HOME)))?.iccid,
            start: "2026-11-15T00:00:00+01:00".into(),
            end: "2026-12-15T00:00:00+01:00".into(),
            measured_bytes: 4_850_000_000,
            billed_bytes: Some(4_900_000_000),
            correction_bytes: 0,
        };
        let more = question.after.is_none();
        Ok(BilledPage { spans: vec![span], next: more.then(|| "1".into()) })
    }

    async fn corrections(&self, _: Peer, question: EntriesParams) -> Answer<CorrectionsPage> {
        if question.after.is_some() {
            return Ok(CorrectionsPage { corrections: vec![correction(1, None)], next: None });
        }
        Ok(CorrectionsPage { corrections: vec![correction(2, Some(1))], next: Some("2".into()) })
    }

    async fn undo_correction(&self, _: Peer, which: UndoCorrectionParams) -> Answer<UndoneReply> {
        if which.id != 1 {
            return Err(ControlError::UnknownEntry {
                message: format!("no correction has the number {}", which.id),
                hint: "`simbellctl usage corrections` lists them with their numbers".into(),
            });
        }
        Ok(UndoneReply {
            correction: correction(2, Some(1)),
            before_bytes: 6_000_000_000,
            bytes: 4_900_000_000,
        })
    }

    async fn observations(&self, _: Peer, _: EntriesParams) -> Answer<ObservationsPage> {
        Ok(ObservationsPage { observations: vec![observation(2, Some(9)), observation(1, None)], next: None })
    }

    async fn observe(&self, _: Peer, figure: ObserveUsageParams) -> Answer<ObservationReply> {
        let observation = Observation { observed_bytes: figure.bytes, ..observation(3, None) };
        Ok(ObservationReply {
            observation,
            calibration: calibration(),
            calibrated_bytes: Some(5_159_450_000),
            parts: Some(parts()),
        })
    }

    async fn withdraw(&self, _: Peer, which: WithdrawObservationParams) -> Answer<ObservationReply> {
        Ok(ObservationReply {
            observation: observation(4, Some(which.id)),
            calibration: Calibration::default(),
            calibrated_bytes: None,
            parts: None,
        })
    }

    async fn import(&self, _: Peer, question: ImportUsageParams) -> Answer<ImportReply> {
        let sim = self.find(question.sim.as_deref())?;
        let rows = u64::try_from(question.rows.len()).unwrap_or(u64::MAX);
        let sum = |of: fn(&simbell_api::ImportedRow) -> u64| question.rows.iter().map(of).sum();
        Ok(imported(&sim, rows, sum(|row| row.rx_bytes), sum(|row| row.tx_bytes)))
    }

    async fn undo_import(&self, _: Peer, question: UndoImportParams) -> Answer<ImportReply> {
        Ok(imported(&self.find(question.sim.as_deref())?, 2, 30, 3))
    }

    async fn plans(&self, _: Peer) -> Answer<Vec<Plan>> {
        Ok(vec![plan()])
    }

    async fn plan(&self, _: Peer, sim: Option<String>) -> Answer<Plan> {
        let sim = self.find(sim.as_deref())?;
        if sim.iccid == HOME {
            Ok(plan())
        } else {
            Err(ControlError::NoPlan {
                message: "this SIM has no plan".into(),
                hint: "make one with `simbellctl plan add`".into(),
            })
        }
    }

    async fn rules(&self, _: Peer) -> Answer<Vec<Rule>> {
        let rule = |name: &str, problem: Option<&str>| Rule {
            name: name.into(),
            file: format!("/usr/share/simbell/plugins/rules/{name}/main.rhai"),
            plugin: problem.is_none(),
            summary: "reminds at shares of the allowance".into(),
            triggers: vec!["usage".into()],
            schedules: vec![],
            enabled: problem.is_none(),
            problem: problem.map(str::to_owned),
            outdated: None,
            suspended: problem.is_some(),
            failures: if problem.is_some() { 3 } else { 0 },
            may: problem.map(|_| "send-sms".to_owned()).into_iter().collect(),
            evaluations: 12,
        };
        Ok(vec![
            rule("my-rule", Some("my-rule.rhai:3:7: unknown function `remnd`")),
            rule("data-threshold", None),
        ])
    }

    async fn explain_reminder(
        &self,
        peer: Peer,
        question: ExplainReminderParams,
    ) -> Answer<ExplainReminderReply> {
        let reminders = self.world.lock().unwrap().reminders.clone();
        let reminder = reminders.into_iter().find(|reminder| reminder.key == question.key);
        let name = reminder.as_ref().map_or(question.key, |reminder| reminder.rule.clone());
        let rule = self.rule(peer, &name).await?;
        Ok(ExplainReminderReply {
            rule,
            reminder,
            standing: vec!["It was said once, on 22 November at 21:00, and is not said again.".into()],
            decision: Some(Decision {
                at: NOW.into(),
                trigger: "usage".into(),
                occasion: "usage of home changed".into(),
                inputs: vec![Input { name: "sim.share".into(), value: "82 %".into() }],
                raised: vec![Raised {
                    key: "80".into(),
                    urgency: "warning".into(),
                    text: "home: 82% used".into(),
                }],
                resolved: vec!["50".into()],
                wanted: vec!["send a short message to +4915112345678: help".into()],
                error: None,
                asked_again_at_bytes: Some(9_500_000_000),
                kept: false,
                record: r#"{"at":1795381200000}"#.into(),
            }),
            actions: vec![RuleAction {
                key: "data-threshold/help/0011".into(),
                what: "send a short message to +4915112345678: help".into(),
                state: "refused".into(),
                at: NOW.into(),
                note: Some("the configuration does not allow it".into()),
            }],
        })
    }

    async fn resume_rule(&self, peer: Peer, name: String) -> Answer<Rule> {
        let mut rule = self.rule(peer, &name).await?;
        if !rule.suspended {
            return Err(ControlError::Refused {
                message: format!("the rule {name:?} is not suspended"),
                hint: "see them with `simbellctl rules`".into(),
            });
        }
        (rule.suspended, rule.enabled, rule.problem, rule.failures) = (false, true, None, 0);
        Ok(rule)
    }

    async fn plugins(&self, _: Peer) -> Answer<Vec<Plugin>> {
        Ok(vec![plugin()])
    }

    async fn decide_plugin(&self, _: Peer, method: Method, which: DecidePluginParams) -> Answer<PluginReply> {
        let mut plugin = plugin();
        if which.name != plugin.name {
            return Err(ControlError::UnknownPlugin {
                message: format!("no plugin is called {:?}", which.name),
                hint: "see them with `simbellctl plugins`".into(),
            });
        }
        plugin.enabled = method != Method::DisablePlugin;
        plugin.decided_by = "person".into();
        plugin.permissions.iter_mut().for_each(|one| one.approved = which.approve.contains(&one.name));
        Ok(PluginReply { plugin, note: Some("the configuration does not allow send-sms".into()) })
    }

    async fn reminders(&self, _: Peer) -> Answer<Vec<Reminder>> {
        Ok(self.world.lock().unwrap().reminders.clone())
    }

    async fn acknowledge(&self, _: Peer, key: String) -> Answer<Reminder> {
        self.change(&key, |reminder| reminder.state = "acknowledged".into())
    }

    async fn snooze(&self, _: Peer, key: String, seconds: u64) -> Answer<Reminder> {
        self.change(&key, |reminder| {
            reminder.state = "snoozed".into();
            reminder.snoozed_until = Some(format!("2026-11-22T{:02}:00:00+01:00", 21 + seconds / 3600));
        })
    }

    async fn channels(&self, _: Peer) -> Answer<Vec<Channel>> {
        Ok(vec![channel("mail", "email"), channel("desktop", "desktop"), channel("phone", "sms")])
    }

    async fn test_channel(&self, _: Peer, name: String) -> Answer<ChannelTest> {
        match name.as_str() {
            "mail" => Ok(ChannelTest { state: "delivered".into(), error: None }),
            "phone" => {
                Ok(ChannelTest { state: "failed".into(), error: Some("no modem is registered".into()) })
            }
            _ => Err(ControlError::UnknownChannel {
                message: format!("no channel is called {name:?}"),
                hint: "see them with `simbellctl channels`".into(),
            }),
        }
    }

    async fn monitor(&self, _: Peer) -> Answer<Following> {
        let world = self.world.lock().unwrap();
        let changes = self.changes.subscribe();
        let mut state =
            vec![MonitorEvent::service(NOW.into(), service(world.warnings.clone()), modemmanager())];
        state.extend(world.sims.iter().map(|sim| MonitorEvent::sim(NOW.into(), sim.clone())));
        state.extend(world.reminders.iter().map(|r| MonitorEvent::reminder(NOW.into(), r.clone())));
        state.push(MonitorEvent::channel(NOW.into(), channel("desktop", "desktop")));
        Ok(Following { state, changes })
    }

    async fn reload(&self, _: Peer) -> Answer<ReloadReply> {
        Ok(ReloadReply {
            sims: 1,
            rules: 1,
            problems: vec!["my-rule.rhai:3:7: unknown function `remnd`".into()],
        })
    }

    async fn bug_report(&self, _: Peer) -> Answer<mpsc::Receiver<String>> {
        let (sender, receiver) = mpsc::channel(1);
        let portions = self.world.lock().unwrap().recording;
        // The channel is bounded: a task feeds it, and ends when nobody reads any more.
        tokio::spawn(async move {
            for n in 0..portions {
                let line =
                    format!("{{\"event\":\"wake-reached\",\"n\":{n},\"pad\":\"{}\"}}\n", "界".repeat(4000));
                if sender.send(line).await.is_err() {
                    break;
                }
            }
        });
        Ok(receiver)
    }
}

fn service(warnings: Vec<Warning>) -> Service {
    Service { version: simbell_api::VERSION.into(), state: "running".into(), clock_trusted: true, warnings }
}

fn modemmanager() -> ModemManager {
    ModemManager { present: true, version: Some("1.24.0".into()) }
}

fn home() -> Sim {
    Sim {
        iccid: HOME.into(),
        name: Some("home".into()),
        imsi: Some("262011234567890".into()),
        eid: None,
        kind: Some("physical".into()),
        present: Some(true),
        slot: Some(1),
        own_numbers: vec!["+4915112345678".into()],
        operator: Some("Telekom.de".into()),
        network: Some("Telekom.de".into()),
        roaming: Some(false),
        active: Some(true),
        connected: Some(true),
        measured: true,
        sessions: vec![simbell_api::Session {
            id: 17,
            began: Some(NOW.into()),
            interface: Some("wwan0".into()),
            apn: Some("internet".into()),
            source: "kernel".into(),
            bypass: false,
            kernel_rx_bytes: Some(1_200_000_000),
            kernel_tx_bytes: Some(34_000_000),
            modem_rx_bytes: Some(1_199_000_000),
            modem_tx_bytes: Some(33_900_000),
            gap_bytes: Some(-1_100_000),
        }],
        signal_percent: Some(71),
        plan: Some("Data M".into()),
        allowance_bytes: Some(6_000_000_000),
        used_bytes: 4_900_000_000,
        measured_bytes: 4_900_000_000,
        billed_bytes: Some(4_900_000_000),
        overdrawn_bytes: None,
        calibrated_bytes: Some(5_159_450_000),
        calibration: calibration(),
        parts: Some(parts()),
        remaining_bytes: Some(1_100_000_000),
        cycle_known: true,
        roaming_bytes: 0,
        cycle: cycle(),
        forecast: Forecast {
            exhausted_at: Some("2026-12-03T08:00:00+01:00".into()),
            end_of_cycle_bytes: Some(7_400_000_000),
            reliable: Some(true),
        },
        calls: CallsTotal::default(),
        messages: MessagesTotal::default(),
        last_seen: Some(NOW.into()),
    }
}

fn travel() -> Sim {
    Sim {
        iccid: TRAVEL.into(),
        name: Some("旅行用的中国联通流量卡，名字非常非常长，放不进任何表格".into()),
        imsi: None,
        eid: Some("89033023426200000000000000000042".into()),
        kind: Some("esim".into()),
        present: Some(true),
        slot: Some(2),
        own_numbers: Vec::new(),
        operator: Some("中国联通\u{1b}[31m".into()),
        network: None,
        roaming: None,
        active: Some(false),
        connected: Some(false),
        measured: true,
        sessions: Vec::new(),
        signal_percent: None,
        plan: None,
        allowance_bytes: None,
        used_bytes: 123_456_789,
        measured_bytes: 123_456_789,
        billed_bytes: None,
        overdrawn_bytes: None,
        calibrated_bytes: None,
        calibration: Calibration::default(),
        parts: None,
        remaining_bytes: None,
        cycle_known: true,
        roaming_bytes: 0,
        cycle: Cycle::default(),
        forecast: Forecast::default(),
        calls: CallsTotal::default(),
        messages: MessagesTotal::default(),
        last_seen: Some("2026-11-20T09:00:00+01:00".into()),
    }
}

fn cycle() -> Cycle {
    Cycle {
        start: Some("2026-11-15".into()),
        end: Some("2026-12-15".into()),
        days_left: Some(23),
        last: Some(false),
    }
}

fn plan() -> Plan {
    Plan {
        iccid: HOME.into(),
        sim: Some("home".into()),
        name: "Data M".into(),
        data_bytes: Some(6_000_000_000),
        period: "month".into(),
        day: Some("15".into()),
        days: None,
        start: None,
        renews: None,
        counts: "both".into(),
        roaming_counts: true,
        increment_bytes: Some(100_000),
        increment_per: Some("session".into()),
        free_hours: vec![simbell_api::FreeHours {
            from: "00:00".into(),
            until: "06:00".into(),
            days: vec!["sat".into(), "sun".into()],
        }],
        calibrate: false,
        timezone: "Europe/Berlin".into(),
        cycle: cycle(),
        used_bytes: Some(4_900_000_000),
        measured_bytes: Some(4_850_000_000),
        billed_bytes: Some(4_900_000_000),
        parts: Some(UsedParts { measured_bytes: 4_850_000_000, ..parts() }),
        remaining_bytes: Some(1_100_000_000),
        cycle_known: true,
    }
}

fn imported(sim: &Sim, rows: u64, rx_bytes: u64, tx_bytes: u64) -> ImportReply {
    ImportReply {
        iccid: sim.iccid.clone(),
        rows,
        rx_bytes,
        tx_bytes,
        left_out_rows: 1,
        left_out_rx_bytes: 5,
        left_out_tx_bytes: 6,
        impossible_rows: 0,
        corrected: Some(vec![CorrectedCycle {
            start: "2026-11-15T00:00:00+01:00".into(),
            end: Some("2026-12-15T00:00:00+01:00".into()),
            current: true,
            correction_bytes: 1_100_000_000,
            corrected_at: NOW.into(),
            before_bytes: 4_900_000_000,
            bytes: 4_900_000_000 + rx_bytes + tx_bytes,
        }]),
    }
}

fn parts() -> UsedParts {
    UsedParts {
        measured_bytes: 4_900_000_000,
        billed_bytes: 4_900_000_000,
        calibrated_bytes: Some(5_159_450_000),
        counted_bytes: 4_900_000_000,
        correction_bytes: 0,
    }
}

fn calibration() -> Calibration {
    Calibration {
        factor_millionths: Some(1_052_949),
        lowest_millionths: Some(1_041_000),
        highest_millionths: Some(1_061_000),
        observations: Some(3),
    }
}

fn correction(id: i64, undoes: Option<i64>) -> Correction {
    Correction {
        id,
        iccid: HOME.into(),
        sim: Some("home".into()),
        at: NOW.into(),
        bytes: if undoes.is_some() { -1_100_000_000 } else { 1_100_000_000 },
        author: "uid 1000".into(),
        reason: "before \u{1b}[31msimbell ran".into(),
        undoes,
        undone_by: None,
    }
}

fn observation(id: i64, withdraws: Option<i64>) -> Observation {
    Observation {
        id,
        iccid: HOME.into(),
        sim: Some("home".into()),
        at: NOW.into(),
        cycle_start: "2026-11-15".into(),
        observed_bytes: 5_160_000_000,
        billed_bytes: 4_900_000_000,
        correction_bytes: 0,
        factor_millionths: withdraws.map_or(Some(1_053_061), |_| None),
        standing: if withdraws.is_some() { "withdrawal".into() } else { "used".into() },
        source: "user".into(),
        author: "uid 1000".into(),
        note: "from the carrier's page".into(),
        withdraws,
    }
}

fn reminder(key: &str, occurrence: u32) -> Reminder {
    Reminder {
        key: key.into(),
        rule: "data-threshold".into(),
        sim: Some(HOME.into()),
        sim_name: Some("home".into()),
        state: "firing".into(),
        urgency: "warning".into(),
        text: match key {
            "data-threshold/80/0011" => "home: 80 % of 6 GB used, 1.10 GB left until 15 December".into(),
            other => format!("home: {other}"),
        },
        raised_at: "2026-11-22T19:30:00+01:00".into(),
        next_at: Some("2026-11-23T07:00:00+01:00".into()),
        snoozed_until: None,
        occurrence,
        late_seconds: None,
        deliveries: vec![
            Delivery {
                channel: "mail".into(),
                state: "queued".into(),
                attempts: 2,
                last_error: Some("connection refused".into()),
            },
            Delivery { channel: "desktop".into(), state: "delivered".into(), attempts: 1, last_error: None },
        ],
    }
}

fn backup(name: &str, occasion: &str) -> Backup {
    Backup { name: name.into(), made: NOW.into(), bytes: 102_400, occasion: occasion.into() }
}

fn export_part() -> ExportPart {
    ExportPart {
        iccid: Some(HOME.into()),
        sim: Some("home".into()),
        start_offset: 3600,
        end_offset: 3600,
        kinds: vec![ExportKind { zone: "home".into(), source: "kernel".into() }],
        runs: vec![ExportRun { start_ms: 1_793_491_200_000, length_ms: 3_600_000, kind: 0, rows: 1 }],
        rx_bytes: vec![1],
        tx_bytes: vec![2],
        corrections: vec![ExportCorrection {
            at: NOW.into(),
            bytes: 3,
            author: "uid 0".into(),
            reason: "the carrier's app".into(),
        }],
        gaps: vec![ExportGap {
            start: Some(NOW.into()),
            end: None,
            reason: "rebooted".into(),
            detail: "wwan0".into(),
        }],
        total: None,
    }
}

fn channel(name: &str, kind: &str) -> Channel {
    Channel {
        name: name.into(),
        kind: kind.into(),
        is_default: name == "mail",
        state: if name == "phone" { "failing".into() } else { "ok".into() },
        last_error: (name == "phone").then(|| "no modem is registered".into()),
        last_delivered_at: None,
        daily_cap: (kind == "sms").then_some(5),
        while_roaming: false,
    }
}

fn explained(sim: &Sim) -> ExplainPage {
    let at = |time: &str| format!("2026-11-22T{time}+01:00");
    let run = |epoch, zone: &str, from: &str, until: &str, rx_bytes, tx_bytes| ExplainedRun {
        epoch,
        session: Some(7),
        source: "kernel".into(),
        zone: zone.into(),
        apn: Some("internet.example".into()),
        interface: Some("wwan0".into()),
        modem: Some("350000000000017".into()),
        about: false,
        from: Some(at(from)),
        until: Some(at(until)),
        rx_bytes,
        tx_bytes,
    };
    let correction = |id, bytes, undoes, undone_by| ExplainedCorrection {
        id,
        at: at("18:00:00"),
        bytes,
        author: "uid 1000".into(),
        reason: "the carrier's app says so\u{202e}".into(),
        undoes,
        undone_by,
    };
    ExplainPage {
        span: ExplainSpan {
            iccid: sim.iccid.clone(),
            name: sim.name.clone(),
            start: at("00:00:00"),
            end: "2026-11-23T00:00:00+01:00".into(),
            cycle: false,
            billed_bytes: None,
            uncounted_apns: vec!["ims".into()],
        },
        runs: vec![
            run(7, "home", "07:00:03", "09:14:10", 80_123_456, 1_111_111),
            run(8, "roaming:26202", "09:14:10", "20:59:59", 3_456, 44),
        ],
        corrections: vec![correction(3, 1_100_000, None, Some(4)), correction(4, -1_100_000, Some(3), None)],
        gaps: vec![ExplainedGap {
            iccid: Some(sim.iccid.clone()),
            from: Some(at("21:00:00")),
            until: Some(at("21:20:00")),
            reason: "interface-vanished".into(),
            text: "The network interface went away while the service was not running, and took along what it had \
                   counted since it was last read."
                .into(),
            detail: "wwan0".into(),
        }],
        sessions: vec![ExplainedSession {
            id: 7,
            source: "kernel".into(),
            modem: Some("350000000000017".into()),
            apn: Some("internet.example".into()),
            interface: Some("wwan0".into()),
            began: Some(at("07:00:03")),
            ended: None,
            over: false,
            kernel_rx_bytes: Some(80_126_912),
            kernel_tx_bytes: Some(1_111_155),
            modem_rx_bytes: Some(80_100_000),
            modem_tx_bytes: Some(1_100_000),
            difference_bytes: Some(38_067),
        }],
        observations: vec![ExplainedObservation {
            id: 1,
            at: at("18:00:00"),
            bytes: 5_100_000_000,
            billed_bytes: 4_900_000_000,
            difference_bytes: 200_000_000,
            source: "ussd".into(),
            author: "uid 1000".into(),
            note: "*100#".into(),
            withdraws: None,
            withdrawn: false,
        }],
        undated: vec![ExplainedRun { from: None, until: None, ..run(9, "home", "00:00:00", "00:00:00", 5_000, 0) }],
        sum: ExplainSum {
            rx_bytes: 80_126_912,
            tx_bytes: 1_111_155,
            correction_bytes: 0,
            bytes: 81_238_067,
            undated_bytes: 5_000,
        },
        total: UsageTotal { rx_bytes: 80_126_912, tx_bytes: 1_111_155, correction_bytes: 0 },
        adds_up: true,
        next: None,
    }
}

fn plugin() -> Plugin {
    Plugin {
        name: "helper".into(),
        kind: "rule".into(),
        api: Some(1),
        folder: "/etc/simbell/plugins/helper".into(),
        description: "calls for help".into(),
        languages: vec!["en".into(), "zh".into()],
        enabled: false,
        decided_by: "nobody".into(),
        permissions: vec![PluginPermission { name: "send-sms".into(), approved: false, allowed: false }],
        settings: vec![
            PluginSetting {
                name: "limit".into(),
                kind: "size".into(),
                description: "the figure".into(),
                default: Some("5 GB".into()),
                value: Some("9 GB".into()),
                origin: "configuration".into(),
                secret: false,
            },
            PluginSetting {
                name: "token".into(),
                kind: "secret".into(),
                description: "the key".into(),
                default: None,
                value: None,
                origin: "channel".into(),
                secret: true,
            },
        ],
        problem: None,
    }
}
