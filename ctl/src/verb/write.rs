//! `rules new` and `rules reference`: simbelld does it, offline.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Verdict;
use super::check::{cannot, simbelld};
use crate::failure::CtlError;
use crate::out::Out;

pub(super) fn new(
    out: &Out,
    name: &str,
    plugin: bool,
    kind: Option<&str>,
    places: [(&str, Option<PathBuf>); 2],
) -> Result<Verdict, CtlError> {
    let mut command = Command::new(simbelld());
    command.arg("new-rule");
    if plugin {
        command.arg("--plugin");
    }
    if let Some(kind) = kind {
        command.args(["--kind", kind]);
    }
    for (option, path) in places {
        if let Some(path) = path {
            command.arg(option).arg(path);
        }
    }
    run(out, command, Some(name))
}

pub(super) fn reference(out: &Out, name: Option<&str>) -> Result<Verdict, CtlError> {
    let mut command = Command::new(simbelld());
    command.arg("reference");
    run(out, command, name)
}

/// What it prints is what is printed here.
fn run(out: &Out, mut command: Command, name: Option<&str>) -> Result<Verdict, CtlError> {
    if out.json {
        command.arg("--json");
    }
    if let Some(name) = name {
        command.arg("--").arg(name);
    }
    let status = command.stdin(Stdio::null()).status();
    let status = status.map_err(|error| cannot(Path::new(command.get_program()), error))?;
    Ok(match status.code() {
        Some(0) => Verdict::Done,
        Some(2) => Verdict::WrongUsage,
        _ => Verdict::Failed,
    })
}
