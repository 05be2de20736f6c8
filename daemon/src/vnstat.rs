//! `simbelld read-vnstat`: what a vnStat database says of an interface, a line of JSON a row.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use simbell_api::ImportedRow;
use simbell_store::vnstat;

/// Reads and prints; exits with 1 where the file cannot be read.
#[must_use]
pub fn run(file: &Path, interface: &str) -> ExitCode {
    let rows = match vnstat::read(file, interface) {
        Ok(rows) => rows,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut out = std::io::stdout().lock();
    for row in rows {
        let row = ImportedRow {
            start: row.start.format("%Y-%m-%dT%H:%M").to_string(),
            span: row.span.as_str().to_owned(),
            rx_bytes: row.volume.rx,
            tx_bytes: row.volume.tx,
        };
        let written = serde_json::to_writer(&mut out, &row).map_err(std::io::Error::from);
        if written.and_then(|()| out.write_all(b"\n")).is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
