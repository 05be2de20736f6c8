//! `watch`: follows the service across its restarts.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use simbell_api::{Client, ClientError, ControlError, Forecast, MonitorEvent, MonitorKind, Reminder};

#[cfg(feature = "notify")]
use super::notify::Desktop;
use super::{Verdict, sims};
use crate::cli::WatchArgs;
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::amount::{amount, maybe};
use crate::show::{text, time};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(super) async fn run(socket: &Path, out: &mut Out, args: &WatchArgs) -> Result<Verdict, CtlError> {
    #[cfg(feature = "notify")]
    let patient = args.notify;
    #[cfg(not(feature = "notify"))]
    let patient = {
        let WatchArgs {} = args;
        false
    };
    let mut watch = Watch {
        shown: BTreeMap::new(),
        ready: false,
        #[cfg(feature = "notify")]
        desktop: args.notify.then(Desktop::default),
    };
    let mut met = patient;
    let mut pause = FIRST_PAUSE;
    let mut told = false;
    loop {
        let error = match follow(socket, out, &mut watch, &mut met, &mut pause, &mut told).await {
            Ok(()) => None,
            Err(CtlError::Client(error)) if met && passes(&error) => Some(error),
            Err(error) => return Err(error),
        };
        if !told {
            let why =
                error.map_or_else(|| "the service ended the stream".to_owned(), |error| error.to_string());
            out.note(&format!("{why}; trying again until it is back"));
            told = true;
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

async fn follow(
    socket: &Path,
    out: &mut Out,
    watch: &mut Watch,
    met: &mut bool,
    pause: &mut Duration,
    told: &mut bool,
) -> Result<(), CtlError> {
    let mut stream = Client::connect(socket).await?.monitor().await?;
    watch.ready = false;
    if let Some(skew) = stream.skew() {
        out.note(&skew);
    }
    while let Some(event) = stream.next().await? {
        *met = true;
        if *told && event.kind() == MonitorKind::Ready {
            out.note("the service is back");
            *told = false;
            *pause = FIRST_PAUSE;
        }
        watch.take(&event, out).await?;
    }
    Ok(())
}

/// Whether it may pass by itself: the service restarts, is busy, or found this reader too slow.
const fn passes(error: &ClientError) -> bool {
    match error {
        ClientError::Refused { error } => matches!(
            error,
            ControlError::Busy { .. } | ControlError::TooManyClients { .. } | ControlError::TooSlow { .. }
        ),
        error => error.is_unreachable(),
    }
}

/// What was shown already, so that the full state after a restart doubles nothing.
struct Watch {
    shown: BTreeMap<String, String>,
    /// The full state has come: what follows are changes.
    ready: bool,
    #[cfg(feature = "notify")]
    desktop: Option<Desktop>,
}

impl Watch {
    async fn take(&mut self, event: &MonitorEvent, out: &mut Out) -> Result<(), CtlError> {
        if out.json {
            if event.kind() != MonitorKind::Heartbeat
                && self.is_new(&identity(event), text::json(&bare(event)))
            {
                out.json(event)?;
            }
        } else if let Some(line) = line(event, self.ready)
            && self.is_new(&identity(event), line.clone())
        {
            out.text(&format!("{}  {line}\n", time::clock(&event.at)))?;
        }
        if event.kind() == MonitorKind::Ready {
            self.ready = true;
        }
        #[cfg(feature = "notify")]
        if let Some(desktop) = &mut self.desktop
            && let Err(problem) = desktop.take(event).await
        {
            out.note(&problem);
        }
        Ok(())
    }

    /// Whether this differs from what was last shown of the same thing.
    fn is_new(&mut self, of: &str, content: String) -> bool {
        // Things that happen have no identity: each is new.
        of.is_empty()
            || self.shown.insert(of.to_owned(), content.clone()).is_none_or(|before| before != content)
    }
}

/// Which thing an event is about. What is said is known by its reminder, the time it was raised and how often it was
/// said since.
fn identity(event: &MonitorEvent) -> String {
    let of_reminder = |reminder: &Reminder| format!("reminder {}", reminder.key);
    match event.kind() {
        MonitorKind::Service => "service".to_owned(),
        MonitorKind::Sim => event.sim.as_ref().map(|sim| format!("sim {}", sim.iccid)).unwrap_or_default(),
        MonitorKind::Reminder => event.reminder.as_ref().map(of_reminder).unwrap_or_default(),
        MonitorKind::Said => event
            .reminder
            .as_ref()
            .map(|reminder| format!("said {} {} {}", reminder.key, reminder.raised_at, reminder.occurrence))
            .unwrap_or_default(),
        MonitorKind::Channel => {
            event.channel.as_ref().map(|c| format!("channel {}", c.name)).unwrap_or_default()
        }
        MonitorKind::Ready | MonitorKind::Happened | MonitorKind::Heartbeat | MonitorKind::Other => {
            String::new()
        }
    }
}

/// Without what differs each time although nothing happened: the time it was sent at, when a SIM that is there was last
/// seen, and what is foretold, which moves with the time.
fn bare(event: &MonitorEvent) -> MonitorEvent {
    let sim = event.sim.clone().map(|mut sim| {
        sim.last_seen = None;
        sim.forecast = Forecast { exhausted_at: None, end_of_cycle_bytes: None, reliable: None };
        sim
    });
    MonitorEvent { at: String::new(), sim, ..event.clone() }
}

/// A line for a person; nothing where there is nothing to say, or where another line says it: a reminder that begins to
/// fire rings.
fn line(event: &MonitorEvent, ready: bool) -> Option<String> {
    let line = match event.kind() {
        MonitorKind::Service => {
            let service = event.service.as_ref()?;
            let modemmanager = match event.modemmanager.as_ref() {
                Some(modemmanager) if modemmanager.present => "ModemManager there",
                _ => "no ModemManager",
            };
            let mut line = format!("service   {}, {modemmanager}", service.state);
            for warning in &service.warnings {
                line.push_str(&format!("; ! {} {}", warning.code, warning.text));
            }
            line
        }
        MonitorKind::Sim => {
            let sim = event.sim.as_ref()?;
            let state = match (sim.active, sim.roaming) {
                (None, _) => ", unknown while ModemManager is away",
                (Some(false), _) if sim.present == Some(true) => ", not in use",
                (Some(false), _) => ", absent",
                (Some(true), Some(true)) => ", roaming",
                (Some(true), _) => "",
            };
            let left = match sim.remaining_bytes {
                Some(left) => format!(", {} left", maybe(Some(left))),
                None => String::new(),
            };
            format!("sim       {}: {} used{left}{state}", sims::called(sim), amount(sim.used_bytes))
        }
        MonitorKind::Reminder => {
            let reminder = event.reminder.as_ref()?;
            if ready && reminder.state == "firing" {
                return None;
            }
            let since = if reminder.state == "firing" {
                format!(" since {}", reminder.raised_at.get(..16).unwrap_or_default().replace('T', " "))
            } else {
                String::new()
            };
            format!("reminder  {}{since}: {} ({})", reminder.state, reminder.text, reminder.key)
        }
        MonitorKind::Said => {
            let reminder = event.reminder.as_ref()?;
            format!("RING      {}: {} ({})", reminder.urgency, reminder.text, reminder.key)
        }
        MonitorKind::Happened => format!("event     {}", event.text.as_deref()?),
        MonitorKind::Channel | MonitorKind::Ready | MonitorKind::Heartbeat | MonitorKind::Other => {
            return None;
        }
    };
    Some(text::safe(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_is_not_shown_again() {
        let mut watch = Watch {
            shown: BTreeMap::new(),
            ready: true,
            #[cfg(feature = "notify")]
            desktop: None,
        };
        assert!(watch.is_new("sim 1", "1.00 GB".into()));
        assert!(!watch.is_new("sim 1", "1.00 GB".into()));
        assert!(watch.is_new("sim 1", "1.01 GB".into()));
        assert!(watch.is_new("", "a".into()) && watch.is_new("", "a".into()));
    }
}
