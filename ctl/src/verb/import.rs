//! `import`: simbelld reads the file, the service takes the rows in.

use std::path::Path;
use std::process::{Command, Stdio};

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
            let rows = read(&file, &interface)?;
            let mut done: Option<ImportReply> = None;
            for some in rows.chunks(ROWS) {
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
            say(out, &done, would)
        }
        ImportVerb::Undo { interface, sim } => {
            let params = UndoImportParams { sim, interface };
            let done = client.undo_import(&params).await?;
            if done.rows == 0 && !out.json {
                let interface = safe(&params.interface);
                out.text(&format!("Nothing was imported of {interface}: nothing was taken out.\n"))?;
                return Ok(Verdict::Done);
            }
            say(out, &done, "are taken out again")
        }
    }
}

fn say(out: &mut Out, done: &ImportReply, what: &str) -> Result<Verdict, CtlError> {
    if out.json {
        out.json(done)?;
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
    let impossible = match done.impossible_rows {
        0 => String::new(),
        rows => format!(
            "Left out: {rows} rows that cannot be, of a time before 1990 or still to come, or of more than 20 Gbit/s.\n"
        ),
    };
    out.text(&format!(
        "{} rows with {} received and {} sent {what}.\n{left_out}{impossible}",
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

fn read(file: &Path, interface: &str) -> Result<Vec<ImportedRow>, CtlError> {
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
    let lines = String::from_utf8_lossy(&output.stdout);
    lines
        .lines()
        .map(|line| {
            serde_json::from_str(line).map_err(|error| {
                CtlError::failed(
                    "NotReadable",
                    format!("{} says something unexpected: {error}", program.display()),
                    "install simbelld and simbellctl of one version",
                )
            })
        })
        .collect()
}
