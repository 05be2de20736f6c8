//! `import`: simbelld reads the file, the service takes the rows in.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;
use simbell_api::{Client, ImportReply, ImportUsageParams, ImportedRow, UndoImportParams};

use super::{Verdict, check};
use crate::cli::ImportVerb;
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::amount::amount;
use crate::show::text::safe;

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
                let more = client.import_usage(&params).await?;
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
            let would = if dry_run { "would be taken in" } else { "are taken in" };
            say(out, &done, &unread, would)
        }
        ImportVerb::Undo { interface, sim } => {
            let params = UndoImportParams { sim, interface };
            let done = client.undo_import(&params).await?;
            if done.rows == 0 && !out.json {
                let interface = safe(&params.interface);
                out.text(&format!("Nothing was imported of {interface}: nothing was taken out.\n"))?;
                return Ok(Verdict::Done);
            }
            say(out, &done, &LeftOut::default(), "are taken out again")
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

fn say(out: &mut Out, done: &ImportReply, unread: &LeftOut, what: &str) -> Result<Verdict, CtlError> {
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
            "Left out: {rows} rows with {} received and {} sent, since the ledger has entries of that time.\n",
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
            "Left out: {rows} rows that cannot be, of a time before 1990 or still to come, of more than 20 Gbit/s or less \
             than nothing.\n"
        ),
    };
    out.text(&format!(
        "{} rows with {} received and {} sent {what}.\n{left_out}{undated}{impossible}",
        done.rows,
        amount(done.rx_bytes),
        amount(done.tx_bytes)
    ))?;
    Ok(Verdict::Done)
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
