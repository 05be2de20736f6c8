//! From the core's state to what the control socket promises. The only place that knows both.

use simbell_api::{
    Calibration, Channel, ControlError, Correction, Cycle, Delivery, Forecast, ModemManager, MonitorEvent,
    Observation, Plan, Reminder, Rule, Service, Session, Sim, StatusReply, UsedParts, Warning,
};
use simbell_core::billing::FreeHours;
use simbell_core::bytes::Bytes;
use simbell_core::effect::Notice;
use simbell_core::health::WarningCode;
use simbell_core::ident::{ChannelName, Iccid, ReminderKey};
use simbell_core::modem::SimKind;
use simbell_core::observation::Standing;
use simbell_core::plan::{AnchorDay, Period};
use simbell_core::reminder::{DeliveryState, Message, ReminderState, Urgency};
use simbell_core::schedule::Schedule;
use simbell_core::state::State;
use simbell_core::time::{Stamp, Timestamp};
use simbell_core::view::RuleDescription;

use simbell_store::KeptCorrection;

use crate::control::Answer;
use crate::voice;

/// Sums of a SIM that names no plan are shown, but no cycle is promised.
#[must_use]
pub fn sims(state: &State) -> Vec<Sim> {
    state.sims().filter_map(|sim| sim_reply(state, &sim.record.iccid)).collect()
}

fn sim_reply(state: &State, iccid: &Iccid) -> Option<Sim> {
    let facts = state.facts(iccid)?;
    let sim = state.sims().find(|s| s.record.iccid == *iccid)?;
    let zone = state.zone_of(iccid);
    let cycle = facts.cycle.as_ref();
    let seat = state.seat_of(iccid);
    let in_use = state.modem_with(iccid);
    let seen = state.modemmanager().is_some();
    Some(Sim {
        iccid: iccid.as_str().to_owned(),
        name: named(state, iccid),
        imsi: sim.record.imsi.as_ref().map(|imsi| imsi.as_str().to_owned()),
        eid: sim.record.eid.as_ref().map(|eid| eid.as_str().to_owned()),
        kind: seat.as_ref().and_then(|seat| match seat.sim.kind {
            SimKind::Physical => Some("physical".to_owned()),
            SimKind::Esim => Some("esim".to_owned()),
            SimKind::Unknown => None,
        }),
        present: seen.then_some(seat.is_some()),
        slot: seat.as_ref().and_then(|seat| seat.slot),
        own_numbers: in_use
            .map(|modem| modem.own_numbers.iter().map(|number| number.as_str().to_owned()).collect())
            .unwrap_or_default(),
        operator: facts.operator.clone(),
        network: facts.network.clone(),
        roaming: facts.roaming,
        active: seen.then_some(facts.active),
        connected: seen.then_some(facts.connected),
        measured: seen && facts.measured && !state.is_uncertain(iccid),
        sessions: sessions(state, iccid),
        signal_percent: facts.signal_percent,
        plan: facts.plan.clone(),
        allowance_bytes: facts.allowance_bytes,
        used_bytes: facts.used_bytes,
        measured_bytes: facts.measured_bytes,
        billed_bytes: facts.plan.as_ref().map(|_| facts.billed_bytes),
        overdrawn_bytes: state.overdrawn(iccid),
        calibrated_bytes: facts.calibrated_bytes,
        calibration: calibration(state, iccid),
        parts: parts(state, iccid),
        remaining_bytes: facts.remaining_bytes.filter(|_| sim.is_of_cycle()),
        cycle_known: sim.is_of_cycle(),
        roaming_bytes: facts.roaming_bytes,
        cycle: Cycle {
            start: cycle.map(|c| c.start.clone()),
            end: cycle.and_then(|c| c.end.clone()),
            days_left: cycle.and_then(|c| c.days_left),
            last: cycle.map(|c| c.last),
        },
        forecast: Forecast {
            exhausted_at: facts.exhausted_at.map(|at| zone.rfc3339(at)),
            end_of_cycle_bytes: facts.end_of_cycle_bytes,
            reliable: cycle.map(|_| facts.forecast_reliable),
        },
        calls: voice::calls_total(&facts.voice),
        messages: voice::messages_total(&facts.voice, facts.recipients),
        last_seen: last_seen(state, iccid, seat.is_some()),
    })
}

/// A SIM's connections that are up now.
fn sessions(state: &State, iccid: &Iccid) -> Vec<Session> {
    let zone = state.zone_of(iccid);
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let mine = state.sessions().filter(|(session, _)| session.iccid == *iccid);
    mine.map(|(session, bypass)| {
        let (kernel, told) = (session.kernel.map(|f| f.grown), session.told.map(|f| f.grown));
        Session {
            id: session.id.0,
            began: session.began.map(|at| zone.rfc3339(at)),
            interface: session.interface.clone(),
            apn: session.apn.clone(),
            source: session.source.as_str().to_owned(),
            bypass,
            kernel_rx_bytes: kernel.map(|kernel| kernel.rx),
            kernel_tx_bytes: kernel.map(|kernel| kernel.tx),
            modem_rx_bytes: told.map(|told| told.rx),
            modem_tx_bytes: told.map(|told| told.tx),
            gap_bytes: kernel
                .zip(told)
                .map(|(kernel, told)| signed(told.total()).saturating_sub(signed(kernel.total()))),
        }
    })
    .collect()
}

fn last_seen(state: &State, iccid: &Iccid, present: bool) -> Option<String> {
    if present {
        return Some(state.zone_of(iccid).rfc3339(state.now().wall));
    }
    let sim = state.sims().find(|s| s.record.iccid == *iccid)?;
    // A SIM that only the configuration names has never been in a modem: its record is as it was made. Of one in a slot
    // that is not in use nothing else is known.
    let record = &sim.record;
    let seen = record.imsi.is_some() || record.operator.is_some() || record.last_seen > record.first_seen;
    seen.then(|| state.zone_of(iccid).rfc3339(sim.record.last_seen))
}

/// How the service is.
#[must_use]
pub fn status(state: &State, stopping: bool) -> StatusReply {
    StatusReply { service: service(state, stopping), modemmanager: modemmanager(state) }
}

fn service(state: &State, stopping: bool) -> Service {
    let zone = &state.settings().zone;
    let warnings: Vec<Warning> = state
        .warnings()
        .map(|w| Warning {
            code: w.code.as_str().to_owned(),
            subject: w.subject.clone(),
            text: w.text.clone(),
            since: zone.rfc3339(w.since),
        })
        .collect();
    let degraded = state.warnings().any(|w| {
        matches!(
            w.code,
            WarningCode::BusLost
                | WarningCode::ModemManagerGone
                | WarningCode::LedgerNotWritable
                | WarningCode::LedgerDamaged
                | WarningCode::NotMeasured
                | WarningCode::ClockUntrusted
                | WarningCode::Overflow
        )
    });
    let word = match (stopping, degraded) {
        (true, _) => "stopping",
        (false, true) => "degraded",
        (false, false) => "running",
    };
    Service {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        state: word.to_owned(),
        clock_trusted: !state.warnings().any(|w| w.code == WarningCode::ClockUntrusted),
        warnings,
    }
}

fn modemmanager(state: &State) -> ModemManager {
    ModemManager {
        present: state.modemmanager().is_some(),
        version: state.modemmanager().map(str::to_owned).filter(|v| !v.is_empty()),
    }
}

/// One line for `systemctl status`.
#[must_use]
pub fn summary(state: &State) -> String {
    let firing = state.reminders().filter(|r| r.state == ReminderState::Firing).count();
    let mut parts: Vec<String> = state
        .sims()
        .filter_map(|sim| state.facts(&sim.record.iccid))
        .filter(|facts| facts.active)
        .take(3)
        .map(|facts| match facts.allowance_bytes {
            Some(allowance) => {
                format!("{}: {} of {} used", facts.name, Bytes(facts.used_bytes), Bytes(allowance))
            }
            None => format!("{}: {} used", facts.name, Bytes(facts.used_bytes)),
        })
        .collect();
    if parts.is_empty() {
        parts.push("no SIM in use".to_owned());
    }
    if firing > 0 {
        parts.push(format!("{firing} reminder{} firing", if firing == 1 { "" } else { "s" }));
    }
    let warnings = state.warnings().count();
    if warnings > 0 {
        parts.push(format!("{warnings} warning{}", if warnings == 1 { "" } else { "s" }));
    }
    parts.join("; ")
}

/// Finds a SIM by its name, its ICCID, or the end of its ICCID; the only one where none is named.
///
/// # Errors
/// When none or several fit.
pub fn sim_named(state: &State, name: Option<&str>) -> Answer<Iccid> {
    let all: Vec<&Iccid> = state.sims().map(|s| &s.record.iccid).collect();
    let unknown = |message: String| ControlError::UnknownSim {
        message,
        hint: "`simbellctl sims` lists them; name one by --sim NAME or --sim ICCID".to_owned(),
    };
    let Some(name) = name else {
        return match all.as_slice() {
            [only] => Ok((*only).clone()),
            [] => Err(unknown("no SIM is known yet".to_owned())),
            several => Err(unknown(format!("there are {} SIMs, and none was named", several.len()))),
        };
    };
    let exact = all.iter().find(|iccid| iccid.as_str() == name || state.sim_name(iccid) == name);
    if let Some(iccid) = exact {
        return Ok((**iccid).clone());
    }
    let mut ends = all.iter().filter(|iccid| name.len() >= 4 && iccid.as_str().ends_with(name));
    match (ends.next(), ends.next()) {
        (Some(iccid), None) => Ok((**iccid).clone()),
        (Some(_), Some(_)) => Err(unknown(format!("several SIMs end in {name}"))),
        (None, _) => Err(unknown(format!("no SIM is called {name:?}"))),
    }
}

/// Every plan.
#[must_use]
pub fn plans(state: &State) -> Vec<Plan> {
    state.settings().sims.keys().filter_map(|iccid| plan(state, iccid).ok()).collect()
}

/// One plan.
///
/// # Errors
/// When the SIM has none.
pub fn plan(state: &State, iccid: &Iccid) -> Answer<Plan> {
    let settings = state.settings().sims.get(iccid);
    let Some((sim, plan)) = settings.and_then(|sim| Some((sim, sim.plan.as_ref()?))) else {
        return Err(ControlError::NoPlan {
            message: format!("{} has no plan", state.sim_name(iccid)),
            hint: "`simbellctl plan add` asks what is needed and writes one".to_owned(),
        });
    };
    let facts = state.facts(iccid);
    let known = state.sims().any(|sim| sim.record.iccid == *iccid && sim.is_of_cycle());
    let (period, day, days, start, renews) = match &plan.period {
        Period::Monthly(AnchorDay::Day(day)) => ("month", Some(day.to_string()), None, None, None),
        Period::Monthly(AnchorDay::Last) => ("month", Some("last".to_owned()), None, None, None),
        Period::Days { days, start, renews } => {
            ("days", None, Some(u32::from(*days)), Some(start.to_string()), Some(*renews))
        }
        Period::Bucket { start } => ("bucket", None, None, Some(start.to_string()), None),
    };
    let cycle = facts.as_ref().and_then(|f| f.cycle.as_ref());
    Ok(Plan {
        iccid: iccid.as_str().to_owned(),
        sim: named(state, iccid),
        name: plan.name.as_str().to_owned(),
        data_bytes: plan.data.map(|data| data.0),
        period: period.to_owned(),
        day,
        days,
        start,
        renews,
        counts: plan.counts.as_str().to_owned(),
        roaming_counts: plan.roaming_counts,
        increment_bytes: plan.increment.map(|step| step.bytes.0),
        increment_per: plan.increment.map(|step| step.per.as_str().to_owned()),
        free_hours: plan.free_hours.iter().map(free_hours).collect(),
        calibrate: plan.calibrate,
        timezone: sim.zone.name.clone(),
        cycle: Cycle {
            start: cycle.map(|c| c.start.clone()),
            end: cycle.and_then(|c| c.end.clone()),
            days_left: cycle.and_then(|c| c.days_left),
            last: cycle.map(|c| c.last),
        },
        used_bytes: facts.as_ref().map(|f| f.used_bytes),
        measured_bytes: facts.as_ref().map(|f| f.measured_bytes),
        billed_bytes: facts.as_ref().map(|f| f.billed_bytes),
        parts: parts(state, iccid),
        remaining_bytes: facts.and_then(|f| f.remaining_bytes).filter(|_| known),
        cycle_known: known,
    })
}

fn free_hours(hours: &FreeHours) -> simbell_api::FreeHours {
    const DAYS: [(u8, &str); 7] =
        [(1, "mon"), (2, "tue"), (3, "wed"), (4, "thu"), (5, "fri"), (6, "sat"), (7, "sun")];
    simbell_api::FreeHours {
        from: hours.from.to_string(),
        until: hours.until.to_string(),
        days: DAYS
            .iter()
            .filter(|(day, _)| hours.days.contains(day))
            .map(|(_, name)| (*name).to_owned())
            .collect(),
    }
}

/// What the carrier's figures of a SIM teach.
#[must_use]
pub fn calibration(state: &State, iccid: &Iccid) -> Calibration {
    state.calibration(iccid).map_or_else(Calibration::default, |learnt| Calibration {
        factor_millionths: Some(learnt.factor),
        lowest_millionths: Some(learnt.lowest),
        highest_millionths: Some(learnt.highest),
        observations: u32::try_from(learnt.count).ok(),
    })
}

/// What the usage of a SIM's cycle is made of.
#[must_use]
pub fn parts(state: &State, iccid: &Iccid) -> Option<UsedParts> {
    state.parts(iccid).map(|parts| UsedParts {
        measured_bytes: parts.measured,
        billed_bytes: parts.billed,
        calibrated_bytes: parts.calibrated,
        counted_bytes: parts.counted,
        correction_bytes: parts.corrections,
    })
}

/// The name that a person gave a SIM.
pub(crate) fn named(state: &State, iccid: &Iccid) -> Option<String> {
    let sim = state.settings().sims.get(iccid)?;
    sim.name.as_ref().map(|name| name.as_str().to_owned())
}

/// A correction and its place in the ledger.
#[must_use]
pub fn correction(state: &State, kept: &KeptCorrection) -> Correction {
    let of = &kept.correction;
    Correction {
        id: kept.id,
        iccid: of.iccid.as_str().to_owned(),
        sim: named(state, &of.iccid),
        at: state.zone_of(&of.iccid).rfc3339(of.at),
        bytes: of.bytes,
        author: of.author.clone(),
        reason: of.reason.clone(),
        undoes: of.undoes,
        undone_by: kept.undone_by,
    }
}

/// One of the carrier's figures, and how it stands.
#[must_use]
pub fn observation(state: &State, kept: &simbell_core::observation::Observation) -> Observation {
    let zone = state.zone_of(&kept.iccid);
    let held = state.observations(&kept.iccid);
    let standing =
        held.iter().find(|(one, _)| one.id == kept.id).map_or(Standing::Older, |(_, standing)| *standing);
    Observation {
        id: kept.id.0,
        iccid: kept.iccid.as_str().to_owned(),
        sim: named(state, &kept.iccid),
        at: zone.rfc3339(kept.at),
        cycle_start: zone.date(kept.cycle_start).to_string(),
        observed_bytes: kept.bytes,
        billed_bytes: kept.billed,
        correction_bytes: kept.corrections,
        factor_millionths: kept.withdraws.map_or_else(|| kept.factor(), |_| None),
        standing: standing.as_str().to_owned(),
        source: kept.source.as_str().to_owned(),
        author: kept.author.clone(),
        note: kept.note.clone(),
        withdraws: kept.withdraws.map(|id| id.0),
    }
}

/// Every rule.
#[must_use]
pub fn rules(state: &State) -> Vec<Rule> {
    state.rules().map(|one| rule(state, one)).collect()
}

/// One rule.
#[must_use]
pub fn rule(state: &State, rule: &RuleDescription) -> Rule {
    Rule {
        name: rule.name.as_str().to_owned(),
        file: rule.file.clone(),
        plugin: rule.plugin,
        summary: rule.summary.clone(),
        triggers: rule.triggers.clone(),
        schedules: rule.schedules.iter().map(schedule_words).collect(),
        enabled: rule.problem.is_none(),
        problem: rule.problem.clone(),
        outdated: rule.outdated.clone(),
        suspended: rule.suspended,
        failures: state.failures(&rule.name),
        may: rule.may.iter().map(ToString::to_string).collect(),
        evaluations: state.times_asked(&rule.name),
    }
}

fn schedule_words(schedule: &Schedule) -> String {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    match schedule {
        Schedule::Every(seconds) => format!("every {seconds} s"),
        Schedule::Daily(at) => format!("daily at {at}"),
        Schedule::Weekly(day, at) => {
            let name = DAYS.get(usize::from(day.saturating_sub(1))).unwrap_or(&"?");
            format!("each {name} at {at}")
        }
        Schedule::Monthly(AnchorDay::Last, at) => format!("on the last day of each month at {at}"),
        Schedule::Monthly(AnchorDay::Day(day), at) => format!("on day {day} of each month at {at}"),
        Schedule::Cron(cron) => format!("cron {cron}"),
    }
}

/// Every reminder that is not resolved.
#[must_use]
pub fn reminders(state: &State) -> Vec<Reminder> {
    state
        .reminders()
        .filter(|r| !matches!(r.state, ReminderState::Resolved { .. }))
        .filter_map(|r| reminder_by_key(state, &r.key))
        .collect()
}

/// One reminder, resolved or not.
#[must_use]
pub fn reminder_by_key(state: &State, key: &ReminderKey) -> Option<Reminder> {
    let reminder = state.reminders().find(|r| r.key == *key)?;
    let zone = reminder.sim.as_ref().map_or(&state.settings().zone, |iccid| state.zone_of(iccid));
    let (word, until) = match &reminder.state {
        ReminderState::Pending => ("pending", None),
        ReminderState::Firing => ("firing", None),
        ReminderState::Acknowledged { .. } => ("acknowledged", None),
        ReminderState::Snoozed { until } => ("snoozed", Some(*until)),
        ReminderState::Resolved { .. } => ("resolved", None),
    };
    let prefix = format!("{}@{}#{}:", reminder.key, reminder.raised_at.as_secs(), reminder.occurrence);
    Some(Reminder {
        key: key.as_str().to_owned(),
        rule: reminder.rule.as_str().to_owned(),
        sim: reminder.sim.as_ref().map(|iccid| iccid.as_str().to_owned()),
        sim_name: reminder.sim.as_ref().map(|iccid| state.sim_name(iccid)),
        state: word.to_owned(),
        urgency: urgency(reminder.urgency).to_owned(),
        text: reminder.text.clone(),
        raised_at: zone.rfc3339(reminder.raised_at),
        next_at: reminder.next_at.map(|at| zone.rfc3339(at)),
        snoozed_until: until.map(|at| zone.rfc3339(at)),
        occurrence: reminder.occurrence,
        late_seconds: reminder.late.and_then(|late| u64::try_from(late.as_secs()).ok()),
        deliveries: state
            .deliveries()
            .filter(|d| d.id.starts_with(&prefix))
            .map(|d| Delivery {
                channel: d.channel.as_str().to_owned(),
                state: delivery_word(d.state).to_owned(),
                attempts: d.attempts,
                last_error: d.last_error.clone(),
            })
            .collect(),
    })
}

pub(crate) const fn urgency(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Info => "info",
        Urgency::Warning => "warning",
        Urgency::Critical => "critical",
    }
}

const fn delivery_word(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Queued => "queued",
        DeliveryState::Sending => "sending",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Failed => "failed",
        DeliveryState::Suppressed => "suppressed",
    }
}

/// Every channel.
#[must_use]
pub fn channels(state: &State) -> Vec<Channel> {
    state.settings().channels.iter().filter_map(|c| channel(state, &c.name)).collect()
}

fn channel(state: &State, name: &ChannelName) -> Option<Channel> {
    let settings = state.settings();
    let channel = settings.channels.iter().find(|c| c.name == *name)?;
    let failing =
        state.warnings().any(|w| w.code == WarningCode::ChannelFailing && w.subject == name.as_str());
    let last_error = state
        .deliveries()
        .filter(|d| d.channel == *name && d.last_error.is_some() && d.state != DeliveryState::Suppressed)
        .max_by_key(|d| d.created_at)
        .and_then(|d| d.last_error.clone());
    let delivered: Option<Timestamp> = state
        .deliveries()
        .filter(|d| d.channel == *name && d.state == DeliveryState::Delivered)
        .map(|d| d.created_at)
        .max();
    let word = match (failing, delivered) {
        (true, _) => "failing",
        (false, Some(_)) => "ok",
        (false, None) => "unused",
    };
    Some(Channel {
        name: name.as_str().to_owned(),
        kind: channel.kind.clone(),
        is_default: settings.default_channels.contains(name),
        state: word.to_owned(),
        last_error: last_error.filter(|_| failing),
        last_delivered_at: delivered.map(|at| settings.zone.rfc3339(at)),
        daily_cap: channel.daily_cap,
        while_roaming: channel.while_roaming,
    })
}

/// The full state, for a follower that has just come.
#[must_use]
pub fn monitor_state(state: &State, at: Stamp) -> Vec<MonitorEvent> {
    let now = || state.settings().zone.rfc3339(at.wall);
    let mut events = vec![MonitorEvent::service(now(), service(state, false), modemmanager(state))];
    events.extend(sims(state).into_iter().map(|sim| MonitorEvent::sim(now(), sim)));
    events.extend(reminders(state).into_iter().map(|r| MonitorEvent::reminder(now(), r)));
    events.extend(channels(state).into_iter().map(|c| MonitorEvent::channel(now(), c)));
    events
}

/// What followers are told of one change.
#[must_use]
pub fn notice(state: &State, at: Stamp, notice: &Notice) -> Vec<MonitorEvent> {
    let now = || state.settings().zone.rfc3339(at.wall);
    match notice {
        Notice::UsageGrew(iccid) => {
            sim_reply(state, iccid).map(|sim| MonitorEvent::sim(now(), sim)).into_iter().collect()
        }
        Notice::ReminderChanged(key) => {
            reminder_by_key(state, key).map(|r| MonitorEvent::reminder(now(), r)).into_iter().collect()
        }
        Notice::ReminderSaid { key, .. } => said(state, at, key, None).into_iter().collect(),
        Notice::StatusChanged => {
            let mut events = vec![MonitorEvent::service(now(), service(state, false), modemmanager(state))];
            events.extend(sims(state).into_iter().map(|sim| MonitorEvent::sim(now(), sim)));
            events
        }
        Notice::Happened(text) => vec![MonitorEvent::happened(now(), text.clone())],
    }
}

/// A reminder (or a test message) that is said now.
#[must_use]
pub fn said(state: &State, at: Stamp, key: &ReminderKey, message: Option<&Message>) -> Option<MonitorEvent> {
    let now = state.settings().zone.rfc3339(at.wall);
    if let Some(reminder) = reminder_by_key(state, key) {
        return Some(MonitorEvent::said(now, reminder));
    }
    let message = message?;
    Some(MonitorEvent::said(
        now.clone(),
        Reminder {
            key: message.key.clone(),
            rule: "test".to_owned(),
            sim: None,
            sim_name: message.sim_name.clone(),
            state: "firing".to_owned(),
            urgency: urgency(message.urgency).to_owned(),
            text: message.text.clone(),
            raised_at: now,
            next_at: None,
            snoozed_until: None,
            occurrence: 1,
            late_seconds: None,
            deliveries: Vec::new(),
        },
    ))
}

/// A fault of the service itself.
#[must_use]
pub fn internal(what: &str) -> ControlError {
    ControlError::Internal {
        message: format!("a fault of the service: {what}"),
        hint: "see `journalctl -u simbell`, and please report it with `simbellctl bug-report`".to_owned(),
    }
}
