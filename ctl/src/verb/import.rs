//! `import`: simbelld reads the file, the service takes the rows in.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use simbell_api::{Client, CorrectedCycle, ImportReply, ImportUsageParams, ImportedRow, UndoImportParams};

use super::{Verdict, check};
use crate::cli::ImportVerb;
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::amount::{amount, number_of, signed};
use crate::show::records::paragraph;
use crate::show::text::safe;
use crate::show::time;

/// Rows of one call: what it may hold.
const ROWS: usize = 400;

pub(super) async fn run(client: &mut Client, out: &mut Out, verb: ImportVerb) -> Result<Verdict, CtlError> {
    match verb {
        ImportVerb::Vnstat { file, interface, sim, dry_run } => {
            let (rows, unread) = read(&file, &interface)?;
            let mut done: Option<ImportReply> = None;
            // What is left out alone is said, too.
            let none: &[ImportedRow] = &[];
            let alone = (rows.is_empty() && unread != LeftOut::default()).then_some(none);
            for some in rows.chunks(ROWS).chain(alone) {
                let params = ImportUsageParams {
                    sim: sim.clone(),
                    interface: interface.clone(),
                    rows: some.to_vec(),
                    dry_run: Some(dry_run),
                };
                let more = match client.import_usage(&params).await {
                    Ok(more) => more,
                    Err(error) => {
                        let some = done.as_ref().is_some_and(|done| done.rows > 0);
                        if !dry_run && (some || error.is_unreachable()) {
                            out.note(
                                "a part may have been taken in; the same command takes in what is missing, and nothing twice",
                            );
                        }
                        return Err(error.into());
                    }
                };
                done = Some(match done {
                    None => more,
                    Some(sum) => add(sum, &more),
                });
            }
            let Some(done) = done else {
                return Err(CtlError::failed(
                    "NothingToImport",
                    format!("{} says nothing of {interface}", file.display()),
                    "see what it knows with `vnstat --dbdir DIR --iflist`",
                ));
            };
            say(out, &done, &unread, if dry_run { Done::WouldBeIn } else { Done::In })
        }
        ImportVerb::Undo { interface, sim } => {
            let params = UndoImportParams { sim, interface };
            let done = client.undo_import(&params).await?;
            if done.rows == 0 && !out.json {
                let interface = safe(&params.interface);
                out.text(&format!("Nothing was imported of {interface}: nothing was taken out.\n"))?;
                return Ok(Verdict::Done);
            }
            say(out, &done, &LeftOut::default(), Done::Out)
        }
    }
}

/// What simbelld left out as it read the file.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct LeftOut {
    impossible_rows: u64,
    undated_rows: u64,
    undated_rx_bytes: u64,
    undated_tx_bytes: u64,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Row(ImportedRow),
    LeftOut(LeftOut),
}

/// What became of rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    WouldBeIn,
    In,
    Out,
}

fn say(out: &mut Out, done: &ImportReply, unread: &LeftOut, what: Done) -> Result<Verdict, CtlError> {
    let impossible_rows = done.impossible_rows.saturating_add(unread.impossible_rows);
    if out.json {
        out.json(&ImportReply {
            impossible_rows,
            left_out_rows: done.left_out_rows.saturating_add(unread.undated_rows),
            left_out_rx_bytes: done.left_out_rx_bytes.saturating_add(unread.undated_rx_bytes),
            left_out_tx_bytes: done.left_out_tx_bytes.saturating_add(unread.undated_tx_bytes),
            ..done.clone()
        })?;
        return Ok(Verdict::Done);
    }
    let left_out = match done.left_out_rows {
        0 => String::new(),
        rows => format!(
            "Left out: {} with {} received and {} sent, since the ledger has entries of that time.\n",
            number_of(rows, "row"),
            amount(done.left_out_rx_bytes),
            amount(done.left_out_tx_bytes)
        ),
    };
    let undated = match unread.undated_rows {
        0 => String::new(),
        rows => format!(
            "Left out: of {rows} months or years {} received and {} sent that no shorter row has, since nothing tells when \
             that was.\n",
            amount(unread.undated_rx_bytes),
            amount(unread.undated_tx_bytes)
        ),
    };
    let impossible = match impossible_rows {
        0 => String::new(),
        rows => format!(
            "Left out: {} that cannot be, of a time before 1990 or still to come, of more than 20 Gbit/s or less \
             than nothing.\n",
            number_of(rows, "row")
        ),
    };
    let became = match (what, done.rows) {
        (Done::WouldBeIn, _) => "would be taken in",
        (Done::In, 1) => "is taken in",
        (Done::In, _) => "are taken in",
        (Done::Out, 1) => "is taken out again",
        (Done::Out, _) => "are taken out again",
    };
    let corrected: String = done
        .corrected
        .iter()
        .flatten()
        .map(|cycle| paragraph(&corrected(cycle, what == Done::WouldBeIn), out.width))
        .collect();
    out.prose(&format!(
        "{} with {} received and {} sent {became}.\n{left_out}{undated}{impossible}",
        number_of(done.rows, "row"),
        amount(done.rx_bytes),
        amount(done.tx_bytes)
    ))?;
    out.text(&corrected)?;
    Ok(Verdict::Done)
}

/// A correction is an amount, and says nothing of what it was meant to come to: whoever set a figure has to look at it.
fn corrected(cycle: &CorrectedCycle, would: bool) -> String {
    let day = cycle.start.split_once('T').map_or(cycle.start.as_str(), |(day, _)| day);
    let (goes, is) = if would { ("would go", "would be") } else { ("goes", "is") };
    let off = match cycle.bytes.checked_sub(cycle.before_bytes) {
        Some(more) => format!("+{}", amount(more)),
        None => format!("-{}", amount(cycle.before_bytes.saturating_sub(cycle.bytes))),
    };
    let then = if cycle.current {
        "`simbellctl usage set` sets it anew"
    } else {
        "`simbellctl usage corrections` lists them, and `simbellctl usage undo` takes one back"
    };
    let then = if would { format!("after the import {then}") } else { then.to_owned() };
    format!(
        "The cycle from {day} has corrections, {} together, the newest of {}: its usage {goes} from {} to {}. A figure that \
         was set there {is} off by {off} now; {then}.",
        signed(cycle.correction_bytes),
        time::absolute(&cycle.corrected_at),
        amount(cycle.before_bytes),
        amount(cycle.bytes),
    )
}

/// Of several calls. Each tells of its own rows: what they change in a cycle adds up, whether they stay or not.
fn merged(
    sum: Option<Vec<CorrectedCycle>>,
    more: Option<&Vec<CorrectedCycle>>,
) -> Option<Vec<CorrectedCycle>> {
    let Some(more) = more else { return sum };
    let mut all = sum.unwrap_or_default();
    for cycle in more {
        match all.iter_mut().find(|known| known.start == cycle.start) {
            Some(known) => {
                known.bytes = known.bytes.saturating_add(cycle.bytes).saturating_sub(cycle.before_bytes);
            }
            None => all.push(cycle.clone()),
        }
    }
    Some(all)
}

fn add(sum: ImportReply, more: &ImportReply) -> ImportReply {
    ImportReply {
        iccid: sum.iccid,
        rows: sum.rows.saturating_add(more.rows),
        rx_bytes: sum.rx_bytes.saturating_add(more.rx_bytes),
        tx_bytes: sum.tx_bytes.saturating_add(more.tx_bytes),
        left_out_rows: sum.left_out_rows.saturating_add(more.left_out_rows),
        left_out_rx_bytes: sum.left_out_rx_bytes.saturating_add(more.left_out_rx_bytes),
        left_out_tx_bytes: sum.left_out_tx_bytes.saturating_add(more.left_out_tx_bytes),
        impossible_rows: sum.impossible_rows.saturating_add(more.impossible_rows),
        corrected: merged(sum.corrected, more.corrected.as_ref()),
    }
}

fn read(file: &Path, interface: &str) -> Result<(Vec<ImportedRow>, LeftOut), CtlError> {
    let program = check::simbelld();
    let output = Command::new(&program)
        .args(["read-vnstat", "--interface", interface])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| CtlError::io(format!("{} cannot be run", program.display()), error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().next().unwrap_or("it cannot be read").trim_start_matches("error: ");
        return Err(CtlError::failed(
            "NotReadable",
            first.to_owned(),
            "give vnStat's database, mostly /var/lib/vnstat/vnstat.db, and an interface it knows",
        ));
    }
    let (mut rows, mut left_out) = (Vec::new(), LeftOut::default());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let line = serde_json::from_str(line).map_err(|error| {
            CtlError::failed(
                "NotReadable",
                format!("{} says something unexpected: {error}", program.display()),
                "install simbelld and simbellctl of one version",
            )
        })?;
        match line {
            Line::Row(row) => rows.push(row),
            Line::LeftOut(all) => left_out = all,
        }
    }
    Ok((rows, left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycle(before_bytes: u64, bytes: u64) -> CorrectedCycle {
        CorrectedCycle {
            start: "2026-11-15T00:00:00+01:00".to_owned(),
            end: None,
            current: true,
            correction_bytes: 293_220_000,
            corrected_at: "2026-11-22T21:00:00+01:00".to_owned(),
            before_bytes,
            bytes,
        }
    }

    #[test]
    fn a_cycle_that_was_corrected_is_told_with_what_to_do() {
        let said = corrected(&cycle(500_000_000, 706_000_000), true);
        assert!(said.starts_with("The cycle from 2026-11-15 has corrections, +293.22 MB together"), "{said}");
        assert!(said.contains("its usage would go from 500.00 MB to 706.00 MB."), "{said}");
        assert!(
            said.contains("would be off by +206.00 MB now; after the import `simbellctl usage set`"),
            "{said}"
        );
        let said = corrected(&CorrectedCycle { current: false, ..cycle(706_000_000, 500_000_000) }, false);
        assert!(said.contains("is off by -206.00 MB now; `simbellctl usage corrections`"), "{said}");
    }

    /// A dry run begins each call from the same figure, a real one from where the call before ended.
    #[test]
    fn what_several_calls_change_in_a_cycle_adds_up() {
        let sum = |one, other| merged(merged(None, Some(&vec![one])), Some(&vec![other])).unwrap();
        assert_eq!(sum(cycle(500, 600), cycle(500, 506)), [cycle(500, 606)]);
        assert_eq!(sum(cycle(500, 600), cycle(600, 606)), [cycle(500, 606)]);
        assert_eq!(merged(Some(vec![cycle(1, 2)]), None), Some(vec![cycle(1, 2)]));
    }
}
