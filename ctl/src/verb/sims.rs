//! `sims`, and the SIMs of `status`.

use simbell_api::{Client, Sim};

use super::{Verdict, carrier};
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::amount::{amount, maybe, share};
use crate::show::table::{Column, Table};
use crate::show::text::{fill, safe};
use crate::show::time;

pub(super) async fn run(client: &mut Client, out: &mut Out) -> Result<Verdict, CtlError> {
    let sims = client.sims().await?;
    if out.json {
        for sim in &sims {
            out.json(sim)?;
        }
        return Ok(Verdict::Done);
    }
    if sims.is_empty() {
        out.text("No SIM has been seen yet.\n")?;
        return Ok(Verdict::Done);
    }
    let mut table = Table::new(vec![
        ("ICCID", Column::Whole),
        ("NAME", Column::Text),
        ("OPERATOR", Column::Text),
        ("SLOT", Column::Text),
        ("STATE", Column::Text),
        ("SIGNAL", Column::Number),
        ("LAST SEEN", Column::Whole),
    ]);
    for sim in &sims {
        table.row(vec![
            sim.iccid.clone(),
            sim.name.clone().unwrap_or_else(|| "-".to_owned()),
            sim.operator.clone().unwrap_or_else(|| "-".to_owned()),
            place(sim),
            state(sim).to_owned(),
            sim.signal_percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent} %")),
            sim.last_seen.as_deref().map_or_else(|| "never".to_owned(), time::absolute),
        ]);
    }
    let page = table.render(out.width, out.color);
    out.text(&page)?;
    for sim in sims.iter().filter(|sim| !sim.own_numbers.is_empty()) {
        let numbers: Vec<String> = sim.own_numbers.iter().map(|number| safe(number)).collect();
        let line = format!("{} has the number {}.", safe(&called(sim)), numbers.join(", "));
        out.text(&fill(&line, out.width))?;
    }
    for sim in &sims {
        if let Some(line) = carrier::calibration(
            &called(sim),
            sim.calibrated_bytes,
            &sim.calibration,
            sim.parts.as_ref(),
            out.width,
        ) {
            out.text(&line)?;
        }
    }
    if sims.iter().any(|sim| !sim.sessions.is_empty()) {
        out.text(&format!("\n{}", connections(&sims, out)))?;
    }
    Ok(Verdict::Done)
}

/// Connections that are up: what the kernel and what ModemManager counted of each, and how far apart they are.
fn connections(sims: &[Sim], out: &Out) -> String {
    let mut table = Table::new(vec![
        ("SIM", Column::Text),
        ("INTERFACE", Column::Text),
        ("COUNTED BY", Column::Text),
        ("KERNEL", Column::Number),
        ("MODEM", Column::Number),
        ("GAP", Column::Number),
    ]);
    let sum = |rx: Option<u64>, tx: Option<u64>| Some(rx?.saturating_add(tx?));
    for (sim, session) in sims.iter().flat_map(|sim| sim.sessions.iter().map(move |session| (sim, session))) {
        let by = if session.bypass { "modem (bypass)" } else { &session.source };
        let gap = session.gap_bytes.map(|gap| {
            let sign = if gap < 0 { "-" } else { "+" };
            format!("{sign}{}", amount(gap.unsigned_abs()))
        });
        table.row(vec![
            called(sim),
            session.interface.clone().unwrap_or_else(|| "-".to_owned()),
            by.to_owned(),
            maybe(sum(session.kernel_rx_bytes, session.kernel_tx_bytes)),
            maybe(sum(session.modem_rx_bytes, session.modem_tx_bytes)),
            gap.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table.render(out.width, out.color)
}

/// Usage of each SIM in a line.
pub(super) fn summary(sims: &[Sim], out: &Out) -> String {
    let mut table = Table::new(vec![
        ("SIM", Column::Text),
        ("STATE", Column::Text),
        ("PLAN", Column::Text),
        ("USED", Column::Number),
        ("", Column::Number),
        ("LEFT", Column::Number),
        ("CYCLE ENDS", Column::Whole),
        ("RUNS OUT", Column::Whole),
    ]);
    for sim in sims {
        let used = sim.used_bytes;
        let ends = match (&sim.cycle.end, sim.cycle.days_left) {
            (Some(end), Some(days)) => format!("{end} ({days} d)"),
            (Some(end), None) => end.clone(),
            (None, _) => "-".to_owned(),
        };
        // What is not told reliably would be read as a date to reckon with.
        let reliable = sim.forecast.reliable == Some(true) || sim.remaining_bytes == Some(0);
        let out_on =
            sim.forecast.exhausted_at.as_deref().filter(|_| reliable).map_or_else(
                || "-".to_owned(),
                |at| at.split_once('T').map_or(at, |(date, _)| date).to_owned(),
            );
        table.row(vec![
            called(sim),
            state(sim).to_owned(),
            sim.plan.clone().unwrap_or_else(|| "-".to_owned()),
            if sim.cycle_known { amount(used) } else { format!(">= {}", amount(used)) },
            share(used, sim.allowance_bytes).filter(|_| sim.cycle_known).unwrap_or_default(),
            maybe(sim.remaining_bytes),
            ends,
            out_on,
        ]);
    }
    table.render(out.width, out.color)
}

/// Its name, or the tail of its ICCID.
pub(super) fn called(sim: &Sim) -> String {
    sim.name.clone().unwrap_or_else(|| unnamed(&sim.iccid))
}

/// What a SIM without a name is called: by the tail of its ICCID.
pub(super) fn unnamed(iccid: &str) -> String {
    let tail = iccid.get(iccid.len().saturating_sub(4)..).unwrap_or(iccid);
    format!("SIM …{tail}")
}

/// The SIM that is meant, as the service understands it: by name, ICCID, or the end of an ICCID where no other ends alike.
pub(super) fn named<'a>(sims: &'a [Sim], wanted: &str) -> Option<&'a Sim> {
    let exact = sims.iter().find(|sim| sim.iccid == wanted || called(sim) == wanted);
    let mut ends = sims.iter().filter(|sim| wanted.len() >= 4 && sim.iccid.ends_with(wanted));
    exact.or_else(|| ends.next().filter(|_| ends.next().is_none()))
}

/// Its slot, and whether it is a profile of an eUICC; one that is in no modem now is told by its EID.
fn place(sim: &Sim) -> String {
    let esim = sim.kind.as_ref().map_or(sim.eid.is_some(), |kind| kind == "esim");
    match (sim.slot, esim) {
        (Some(slot), true) => format!("{slot} esim"),
        (Some(slot), false) => slot.to_string(),
        (None, true) => "esim".to_owned(),
        (None, false) => "-".to_owned(),
    }
}

/// In a word; while ModemManager is away nobody can tell.
const fn state(sim: &Sim) -> &'static str {
    match (sim.active, sim.present) {
        (None, _) => "unknown",
        (Some(false), Some(true)) => "idle",
        (Some(false), _) => "absent",
        (Some(true), _) => match (sim.connected, sim.roaming) {
            (Some(true), _) if !sim.measured => "unmeasured",
            (_, Some(true)) => "roaming",
            (Some(true), _) => "online",
            _ => "active",
        },
    }
}
