//! What can go wrong, as told to people and to programs.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::{self, Write as _};

use simbell_api::{ClientError, ControlError, Failure, FailureOutput};

use crate::show::text;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// The service refused or could not be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The command line makes no sense.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Something else failed.
    #[error("{message}")]
    Failed {
        /// A stable name, for programs.
        kind: &'static str,
        /// What failed.
        message: String,
        /// What to do.
        hint: Option<String>,
        /// What the system said.
        source: Option<io::Error>,
    },
    /// Nobody reads any more.
    #[error("standard output was closed")]
    ClosedPipe,
}

impl CtlError {
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: hint.into() }
    }

    pub(crate) fn failed(kind: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failed { kind, message: message.into(), hint: Some(hint.into()), source: None }
    }

    pub(crate) fn io(message: impl Into<String>, source: io::Error) -> Self {
        Self::Failed { kind: "Io", message: message.into(), hint: None, source: Some(source) }
    }

    /// With what to do, where something else failed.
    pub(crate) fn with_hint(self, what: impl Into<String>) -> Self {
        match self {
            Self::Failed { kind, message, source, .. } => {
                Self::Failed { kind, message, hint: Some(what.into()), source }
            }
            other => other,
        }
    }

    /// The exit status: 1 failed (a name that nothing has and what is refused as things are, too), 2 usage, 3 not reachable, 4 not permitted.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Client(error) if error.is_unreachable() => 3,
            Self::Client(error) if error.is_not_permitted() => 4,
            Self::Client(error) if error.is_misuse() => 2,
            Self::Client(_) | Self::Failed { .. } => 1,
            Self::Usage { .. } => 2,
            Self::ClosedPipe => 0,
        }
    }

    /// A stable name, for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Client(error) => error.kind(),
            Self::Usage { .. } => "Usage",
            Self::Failed { kind, .. } => kind,
            Self::ClosedPipe => "ClosedPipe",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Client(error) => error.hint(),
            Self::Usage { hint, .. } => Some(hint.clone()),
            Self::Failed { hint, .. } => hint.clone(),
            Self::ClosedPipe => None,
        }
    }

    /// Says it on standard error; with `json` as an object on standard output too.
    pub(crate) fn report(&self, json: bool) {
        let mut said = format!("error: {}\n", by_line(&self.to_string()));
        if let Self::Client(ClientError::Refused { error: ControlError::ReloadRejected { problems, .. } }) =
            self
        {
            for problem in problems {
                said.push_str(&format!("  {}\n", by_line(problem)));
            }
        }
        let mut cause = self.source();
        while let Some(error) = cause {
            said.push_str(&format!("caused by: {}\n", text::safe(&error.to_string())));
            cause = error.source();
        }
        let hint = self.hint();
        if let Some(hint) = &hint {
            said.push_str(&format!("hint: {}\n", text::safe(hint)));
        }
        // Where standard error is closed there is nobody left to tell; the exit status still does.
        let _closed = io::stderr().write_all(said.as_bytes());
        if json {
            for_programs(Failure { kind: self.kind().to_owned(), message: self.to_string(), hint });
        }
    }
}

/// Tells what clap makes of the command line: help and version as they are, an error with `--json` as an object on
/// standard output too.
pub(crate) fn misunderstood(said: &clap::Error, json: bool) {
    let hostile = |word: OsString| word.to_string_lossy().chars().any(text::is_unsafe);
    // A closed pipe is nobody's error.
    let _closed = if said.use_stderr() && std::env::args_os().any(hostile) {
        let plain = said.render().to_string();
        let plain: String = plain.lines().map(|line| text::safe(line) + "\n").collect();
        io::stderr().write_all(plain.as_bytes())
    } else {
        said.print()
    };
    if !json || !said.use_stderr() {
        return;
    }
    let words = said.render().to_string();
    let mut lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = lines.next().unwrap_or("the command line makes no sense");
    let rest: Vec<&str> = lines.collect();
    let tip = rest.iter().find_map(|line| line.strip_prefix("tip: "));
    let values = rest.iter().find_map(|line| line.strip_prefix("[possible values: ")?.strip_suffix(']'));
    let values = values.map(|values| format!("possible values: {values}"));
    let hint: Vec<&str> = tip.into_iter().chain(values.as_deref()).collect();
    for_programs(Failure {
        kind: "Usage".to_owned(),
        message: message.strip_prefix("error: ").unwrap_or(message).to_owned(),
        hint: Some(if hint.is_empty() { "see --help".to_owned() } else { hint.join("; ") }),
    });
}

fn for_programs(error: Failure) {
    let line = text::json(&FailureOutput { error });
    let _closed = writeln!(io::stdout(), "{line}");
}

/// Made harmless; the lines below the first are indented, so that the caret under a line of a file keeps its place.
fn by_line(words: &str) -> String {
    words.lines().map(text::safe).collect::<Vec<_>>().join("\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_file_stay_lines() {
        assert_eq!(
            by_line("a.toml:1:3: wrong\n  1 | x\u{1b} y\n    |   ^"),
            "a.toml:1:3: wrong\n    1 | x\u{fffd} y\n      |   ^"
        );
    }
}
