//! The control program of simbelld.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match simbellctl::cli::Cli::try_parse() {
        Ok(cli) => simbellctl::run(cli),
        Err(said) => simbellctl::misunderstood(&said),
    }
}
