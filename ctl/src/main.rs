//! The control program of simbelld.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match simbellctl::cli::Cli::try_parse() {
        Ok(cli) => simbellctl::run(cli),
        Err(said) => {
            // Help and version come this way too. A closed pipe is nobody's error.
            let _closed = said.print();
            ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2))
        }
    }
}
