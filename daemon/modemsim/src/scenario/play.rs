//! Plays a scenario's steps on a look-alike.

use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Action, Scenario, Step, Traffic};
use crate::lookalike::{BearerHandle, Fault, Lookalike, Report};

/// How finely traffic is spread.
const TICK: Duration = Duration::from_millis(100);
/// IP and UDP headers of a generated datagram, and the largest one sent.
const HEADERS: u64 = 28;
const DATAGRAM: u64 = 1228;

/// Why a step could not be done.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("no connected bearer to {0}")]
    NoBearer(&'static str),
    #[error("cannot send through {interface}: {source}")]
    Send { interface: String, source: std::io::Error },
}

/// Plays all steps; returns when none is left, which may be never. Steps are reported ([`Lookalike::reports`]), those
/// that fail as well; one that takes long holds up no other.
pub async fn play(scenario: &Scenario, lookalike: &Lookalike) {
    let began = Instant::now();
    let mut steps = JoinSet::new();
    for step in &scenario.steps {
        steps.spawn(play_step(step.clone(), scenario.clone(), lookalike.clone(), began));
    }
    while steps.join_next().await.is_some() {}
    lookalike.report(Report::ScenarioEnded {});
}

async fn play_step(step: Step, scenario: Scenario, lookalike: Lookalike, began: Instant) {
    let mut round = began;
    loop {
        let mut due = round + step.at;
        let mut left = match step.every {
            None => Some(1),
            Some(_) => step.times,
        };
        while left != Some(0) {
            sleep_until(due).await;
            perform_and_report(&step, &scenario, &lookalike, began).await;
            left = left.map(|left| left.saturating_sub(1));
            let Some(every) = step.every else { break };
            due += every;
            if scenario.repeat.is_some_and(|repeat| due >= round + repeat) {
                break;
            }
        }
        let Some(repeat) = scenario.repeat else { return };
        round += repeat;
    }
}

async fn perform_and_report(step: &Step, scenario: &Scenario, lookalike: &Lookalike, began: Instant) {
    let modem = scenario.modems.get(step.modem).map(|modem| modem.name.clone()).unwrap_or_default();
    let at_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    lookalike.report(Report::Step { at_ms, action: step.name.clone(), modem });
    if let Err(error) = perform(step, lookalike).await {
        lookalike.report(Report::StepFailed { action: step.name.clone(), error: error.to_string() });
    }
}

async fn perform(step: &Step, lookalike: &Lookalike) -> Result<(), StepError> {
    let modem = step.modem;
    match step.action.clone() {
        Action::Connect(spec) => {
            lookalike.connect_bearer(modem, spec)?;
        }
        Action::Disconnect { apn, error } => {
            let bearer = lookalike.bearer(modem, apn.as_deref(), None);
            let bearer = bearer.ok_or(StepError::NoBearer("disconnect"))?;
            let error = error.as_ref().map(|(name, text)| (name.as_str(), text.as_str()));
            lookalike.disconnect(&bearer, error);
        }
        Action::Traffic(traffic) => pass(modem, &traffic, lookalike).await?,
        Action::Stats { rx, tx } => {
            let bearer = lookalike.bearer(modem, None, None).ok_or(StepError::NoBearer("count in"))?;
            lookalike.set_stats(&bearer, rx, tx)?;
        }
        Action::Move { network, gap } => lookalike.move_to(modem, network, gap).await?,
        Action::Sms { from, text, parts: 0 | 1, timestamp, .. } => {
            lookalike.receive_sms(modem, &from, &text, timestamp.as_deref())?;
        }
        Action::Sms { from, text, gap, .. } => {
            let message = lookalike.begin_sms(modem, &from, &text)?;
            sleep(gap).await;
            lookalike.complete_sms(modem, message)?;
        }
        Action::Ussd { text, asks } => lookalike.ussd(modem, &text, asks)?,
        Action::Call { number, incoming, answer_after, duration } => {
            call(modem, &number, incoming, answer_after, duration, lookalike).await?;
        }
        Action::Signal(percent) => lookalike.set_signal(modem, percent)?,
        Action::SwapSim { slot, sims, gap } => lookalike.swap_sim(modem, slot, sims, gap).await?,
        Action::SwitchSlot { slot, gap } => lookalike.switch_slot(modem, slot, gap).await?,
        Action::SwitchProfile { iccid, gap } => lookalike.switch_profile(modem, &iccid, gap).await?,
        Action::Unplug => lookalike.unplug(modem)?,
        Action::Plug => lookalike.plug(modem)?,
        Action::Lock => lookalike.lock_sim(modem)?,
        Action::Unlock => lookalike.unlock_sim(modem)?,
        Action::Enable => lookalike.enable(modem, true)?,
        Action::Disable => lookalike.enable(modem, false)?,
        Action::Restart { away } => {
            lookalike.crash();
            sleep(away).await;
            lookalike.revive();
        }
        Action::Crash => lookalike.crash(),
        Action::Start => lookalike.revive(),
        Action::Refuse(refusal) => lookalike.refuse(refusal),
    }
    Ok(())
}

/// Spreads traffic over its span, exact in sum; it ends early where the bearer goes.
async fn pass(modem: usize, traffic: &Traffic, lookalike: &Lookalike) -> Result<(), StepError> {
    if let Some((interface, address)) = &traffic.generate {
        return generate(interface, *address, traffic).await;
    }
    let bearer = lookalike.bearer(modem, traffic.apn.as_deref(), None);
    let bearer = bearer.ok_or(StepError::NoBearer("carry traffic"))?;
    let span = match (traffic.per_second, traffic.span) {
        (false, None) => return Ok(lookalike.add_traffic(&bearer, traffic.rx, traffic.tx)?),
        (_, span) => span,
    };
    let began = Instant::now();
    let (mut rx, mut tx) = (0, 0);
    loop {
        sleep(TICK).await;
        let elapsed = span.map_or_else(|| began.elapsed(), |span| began.elapsed().min(span));
        let (due_rx, due_tx) = (due(traffic.rx, traffic, elapsed), due(traffic.tx, traffic, elapsed));
        let passed = add(lookalike, &bearer, due_rx.saturating_sub(rx), due_tx.saturating_sub(tx));
        if !passed || span == Some(elapsed) {
            return Ok(());
        }
        (rx, tx) = (due_rx, due_tx);
    }
}

fn add(lookalike: &Lookalike, bearer: &BearerHandle, rx: u64, tx: u64) -> bool {
    lookalike.add_traffic(bearer, rx, tx).is_ok()
}

/// Bytes that have passed `elapsed` after the beginning; the whole amount at the end of its span.
fn due(figure: u64, traffic: &Traffic, elapsed: Duration) -> u64 {
    let per = if traffic.per_second { Duration::from_secs(1) } else { traffic.span.unwrap_or_default() };
    let bytes = u128::from(figure).saturating_mul(elapsed.as_micros()) / per.as_micros().max(1);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Sends real datagrams, their IP bytes counted.
async fn generate(
    interface: &str,
    address: std::net::SocketAddr,
    traffic: &Traffic,
) -> Result<(), StepError> {
    let failed = |source| StepError::Send { interface: interface.to_owned(), source };
    let local = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local).await.map_err(failed)?;
    socket.bind_device(Some(interface.as_bytes())).map_err(failed)?;
    let send = async |bytes: u64| {
        let payload = usize::try_from(bytes.saturating_sub(HEADERS)).unwrap_or_default();
        socket.send_to(&vec![0; payload], address).await.map_err(failed)
    };
    let began = Instant::now();
    let mut sent = 0_u64;
    loop {
        let elapsed = traffic.span.map_or_else(|| began.elapsed(), |span| began.elapsed().min(span));
        let at_once = !traffic.per_second && traffic.span.is_none();
        let now = if at_once { traffic.tx } else { due(traffic.tx, traffic, elapsed) };
        // As much more stays unsent as makes one datagram, so that the last ones can end on the byte.
        while now.saturating_sub(sent) >= DATAGRAM + HEADERS {
            send(DATAGRAM).await?;
            sent += DATAGRAM;
        }
        if at_once || traffic.span == Some(elapsed) {
            let rest = now.saturating_sub(sent);
            if rest > DATAGRAM {
                send(rest - HEADERS).await?;
                send(HEADERS).await?;
            } else if rest >= HEADERS {
                send(rest).await?;
            }
            return Ok(());
        }
        sleep(TICK).await;
    }
}

/// States and reasons are `MMCallState` and `MMCallStateReason`, in the order the real daemon shows them.
async fn call(
    modem: usize,
    number: &str,
    incoming: bool,
    answer_after: Option<Duration>,
    duration: Option<Duration>,
    lookalike: &Lookalike,
) -> Result<(), StepError> {
    let call = lookalike.begin_call(modem, number, incoming)?;
    if !incoming {
        lookalike.set_call(&call, 2, 0);
    }
    if let Some(after) = answer_after {
        sleep(after).await;
        lookalike.set_call(&call, 4, if incoming { 3 } else { 0 });
    }
    if let Some(duration) = duration {
        sleep(duration).await;
        lookalike.set_call(&call, 7, if incoming || answer_after.is_none() { 0 } else { 4 });
    }
    Ok(())
}
