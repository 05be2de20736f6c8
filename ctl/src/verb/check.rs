//! `config check`, `plan check` and `rules check`: simbelld does it, offline.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use simbell_api::CheckOutput;

use super::Verdict;
use crate::failure::CtlError;
use crate::out::Out;

/// The configuration: the system's, or that at `path`.
pub(super) fn config(out: &mut Out, path: Option<&Path>) -> Result<Verdict, CtlError> {
    run(out, "config", path, &[])
}

/// Rules: those at `paths`, within the limits of a configuration that is given; or those of a configuration, the system's
/// unless given.
pub(super) fn rules(out: &mut Out, paths: &[PathBuf], config: Option<&Path>) -> Result<Verdict, CtlError> {
    run(out, "rules", config, paths)
}

/// Has simbelld check the configuration or the rules alone.
fn run(out: &mut Out, what: &str, config: Option<&Path>, rules: &[PathBuf]) -> Result<Verdict, CtlError> {
    let program = simbelld();
    let mut command = Command::new(&program);
    command.args(["check", "--only", what]).stdin(Stdio::null());
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    for path in rules {
        command.arg("--rules").arg(path);
    }
    let cannot = |error| cannot(&program, error);
    let ok = if out.json {
        let output = command.output().map_err(cannot)?;
        let mut lines: Vec<String> = Vec::new();
        for stream in [&output.stdout, &output.stderr] {
            lines.extend(String::from_utf8_lossy(stream).lines().map(str::to_owned));
        }
        let ok = output.status.success();
        out.json(&CheckOutput { ok, lines })?;
        if !ok {
            return Ok(Verdict::Failed);
        }
        ok
    } else {
        command.status().map_err(cannot)?.success()
    };
    if ok { Ok(Verdict::Done) } else { Err(problems(what)) }
}

/// Whether the configuration in `dir` would be read with `text` in `file` of its `conf.d`; else what is wrong then.
pub(super) fn with(dir: &Path, file: &Path, text: &str) -> Result<Result<(), String>, CtlError> {
    let program = simbelld();
    let mut command = Command::new(&program);
    command.args(["check", "--only", "config", "--config"]).arg(dir).arg("--with").arg(file);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot(&program, error))?;
    // A program that ends before it has read everything says why itself.
    let _unread = child.stdin.take().map(|mut stdin| stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().map_err(|error| cannot(&program, error))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(if output.status.success() { Ok(()) } else { Err(said) })
}

fn problems(what: &str) -> CtlError {
    let said = if what == "rules" { "the rules have problems" } else { "the configuration has problems" };
    CtlError::failed("CheckFailed", said, "mend what is named above and check again")
}

/// simbelld was not started.
pub(super) fn cannot(program: &Path, error: io::Error) -> CtlError {
    match error.kind() {
        io::ErrorKind::NotFound => CtlError::failed(
            "CheckerMissing",
            "simbelld, which does the checking, was not found beside this program nor in PATH",
            "install the package simbell on this machine",
        ),
        _ => CtlError::io(format!("{} cannot be run", program.display()), error),
    }
}

/// Beside this program, where a build or an installation puts both; else by PATH.
pub(super) fn simbelld() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|own| own.parent().map(|dir| dir.join("simbelld")))
        .filter(|beside| beside.is_file())
        .unwrap_or_else(|| PathBuf::from("simbelld"))
}
