//! `simbelld read-vnstat`: what a vnStat database says of an interface, a line of JSON a row, and one of what is left out.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use simbell_api::ImportedRow;
use simbell_store::vnstat;

/// The last line: what is in no row.
#[derive(Debug, Serialize)]
struct LeftOut {
    impossible_rows: u64,
    undated_rows: u64,
    undated_rx_bytes: u64,
    undated_tx_bytes: u64,
}

/// Reads and prints; exits with 1 where the file cannot be read.
#[must_use]
pub fn run(file: &Path, interface: &str) -> ExitCode {
    let told = match vnstat::read(file, interface) {
        Ok(told) => told,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut out = std::io::stdout().lock();
    let local = |at: chrono::NaiveDateTime| at.format("%Y-%m-%dT%H:%M").to_string();
    for row in told.rows {
        let row = ImportedRow {
            start: local(row.start),
            span: row.span.as_str().to_owned(),
            until: row.until.map(local),
            rx_bytes: row.volume.rx,
            tx_bytes: row.volume.tx,
        };
        if write(&mut out, &row).is_err() {
            return ExitCode::FAILURE;
        }
    }
    let left_out = LeftOut {
        impossible_rows: told.impossible,
        undated_rows: told.undated_rows,
        undated_rx_bytes: told.undated.rx,
        undated_tx_bytes: told.undated.tx,
    };
    if write(&mut out, &left_out).is_err() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn write(out: &mut impl Write, line: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
