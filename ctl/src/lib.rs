//! The control program of simbelld: asks over its socket and shows the answers.

pub mod cli;
mod failure;
mod out;
mod parse;
mod show;
mod verb;

use std::process::ExitCode;

pub use failure::CtlError;
use out::Out;

/// Tells that a command line was not understood, or gives the help that it asks for.
#[must_use]
pub fn misunderstood(said: &clap::Error) -> ExitCode {
    // Clap gives no part of what it could not read whole.
    let json = std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json");
    failure::misunderstood(said, json);
    ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(2))
}

/// Does what the command line asks.
#[must_use]
pub fn run(cli: cli::Cli) -> ExitCode {
    let mut out = Out::new(cli.json);
    let json = cli.json;
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| CtlError::io("the program cannot start", source))
        .and_then(|runtime| runtime.block_on(verb::run(cli, &mut out)));
    match outcome {
        Ok(verb::Verdict::Done) => ExitCode::SUCCESS,
        Ok(verb::Verdict::ConditionTrue) => ExitCode::from(5),
        Ok(verb::Verdict::Failed) => ExitCode::FAILURE,
        Ok(verb::Verdict::WrongUsage) => ExitCode::from(2),
        Err(CtlError::ClosedPipe) => ExitCode::SUCCESS,
        Err(error) => {
            error.report(json);
            ExitCode::from(error.exit_code())
        }
    }
}
