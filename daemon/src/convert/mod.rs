//! From the core's state to what the control socket promises. The only place that knows both.

mod corrections;
mod monitor;
mod plans;
mod reminders;
mod rules;

use simbell_api::{ControlError, Cycle, Forecast, ModemManager, Service, Session, Sim, StatusReply, Warning};
use simbell_core::bytes::Bytes;
use simbell_core::health::WarningCode;
use simbell_core::ident::Iccid;
use simbell_core::modem::SimKind;
use simbell_core::reminder::ReminderState;
use simbell_core::state::State;

use crate::control::Answer;
use crate::voice;

pub use corrections::{calibration, correction, observation, parts};
pub use monitor::{monitor_state, notice, said};
pub use plans::{plan, plans};
pub(crate) use reminders::urgency;
pub use reminders::{channels, reminder_by_key, reminders};
pub use rules::{rule, rules};

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
            interface: session.interface.as_ref().map(|name| name.to_string()),
            apn: session.apn.as_ref().map(|apn| apn.to_string()),
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

/// The name that a person gave a SIM.
pub(crate) fn named(state: &State, iccid: &Iccid) -> Option<String> {
    let sim = state.settings().sims.get(iccid)?;
    sim.name.as_ref().map(|name| name.as_str().to_owned())
}

/// A fault of the service itself.
#[must_use]
pub fn internal(what: &str) -> ControlError {
    ControlError::Internal {
        message: format!("a fault of the service: {what}"),
        hint: "see `journalctl -u simbell`, and please report it with `simbellctl bug-report`".to_owned(),
    }
}
