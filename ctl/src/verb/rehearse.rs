//! `rules test` and `rules trace`: simbelld does them, offline.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use super::Verdict;
use super::check::simbelld;
use crate::failure::CtlError;
use crate::out::Out;

/// Runs the tests of rules; what came of them is printed by simbelld as they run.
pub(super) fn test(
    out: &Out,
    rules: &[String],
    filter: Option<&str>,
    watch: bool,
    config: Option<&Path>,
) -> Result<Verdict, CtlError> {
    let mut command = rules_verb("test", out, config);
    if let Some(filter) = filter {
        command.arg(format!("--filter={filter}"));
    }
    if watch {
        command.arg("--watch");
    }
    command.arg("--").args(rules).stdin(Stdio::null());
    verdict(command.status().map_err(cannot)?)
}

/// Shows which lines ran, by a record in a file or on standard input.
pub(super) fn trace(out: &Out, file: Option<&Path>, config: Option<&Path>) -> Result<Verdict, CtlError> {
    let mut command = rules_verb("trace", out, config);
    command.args(file.map(Path::as_os_str).into_iter().flat_map(|file| [OsStr::new("--"), file]));
    verdict(command.status().map_err(cannot)?)
}

/// Shows which lines ran, by a record that is at hand.
pub(super) fn lines_of(out: &Out, record: &str, config: Option<&Path>) -> Result<Verdict, CtlError> {
    let mut command = rules_verb("trace", out, config);
    let mut child = command.stdin(Stdio::piped()).spawn().map_err(cannot)?;
    if let Some(mut stdin) = child.stdin.take() {
        // Where it does not read, it says why.
        let _ = stdin.write_all(record.as_bytes());
    }
    verdict(child.wait().map_err(cannot)?)
}

fn rules_verb(verb: &str, out: &Out, config: Option<&Path>) -> Command {
    let mut command = Command::new(simbelld());
    command.args(["rules", verb]);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    if out.json {
        command.arg("--json");
    }
    command
}

fn cannot(error: io::Error) -> CtlError {
    match error.kind() {
        io::ErrorKind::NotFound => CtlError::failed(
            "CheckerMissing",
            "simbelld, which runs rules offline, was not found beside this program nor in PATH",
            "install the package simbell on this machine",
        ),
        _ => CtlError::io("simbelld cannot be run", error),
    }
}

/// What was wrong is said already.
fn verdict(status: ExitStatus) -> Result<Verdict, CtlError> {
    match status.code() {
        Some(0) => Ok(Verdict::Done),
        Some(2) => Ok(Verdict::WrongUsage),
        _ => Ok(Verdict::Failed),
    }
}
