//! Standard output: text or JSON, with or without colour, until nobody reads.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::CtlError;
use crate::show::text;

/// Where nothing says otherwise.
const WIDTH: usize = 80;
/// Pages are made for no less.
const LEAST: usize = 40;

/// Standard output and what it may be given.
#[derive(Debug)]
pub(crate) struct Out {
    /// Whether a program reads.
    pub json: bool,
    /// Whether colour is welcome.
    pub color: bool,
    /// Columns: what `COLUMNS` says, or those of the terminal, or 80; at least 40.
    pub width: usize,
}

impl Out {
    pub(crate) fn new(json: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        // https://no-color.org: any value but an empty one.
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let size = terminal.then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten();
        let told = std::env::var("COLUMNS").ok();
        let width = columns(told.as_deref(), size.map(|size| size.ws_col));
        Self { json, color: terminal && !unwanted && !dumb && !json, width }
    }

    /// Prints text as it is, and flushes.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), CtlError> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => CtlError::ClosedPipe,
            _ => CtlError::io("standard output cannot be written", error),
        })
    }

    /// Prints sentences, as wide as pages are.
    pub(crate) fn prose(&mut self, text: &str) -> Result<(), CtlError> {
        self.text(&text::fill(text, self.width))
    }

    /// Prints an object on one line.
    pub(crate) fn json<T: Serialize>(&mut self, object: &T) -> Result<(), CtlError> {
        self.text(&(text::json(object) + "\n"))
    }

    /// Says something on the side, on standard error.
    pub(crate) fn note(&self, note: &str) {
        // Where it is closed there is nobody to tell.
        let _closed = writeln!(io::stderr(), "note: {}", text::safe(note));
    }
}

/// How wide pages are: as the caller says, or as the terminal is.
fn columns(told: Option<&str>, terminal: Option<u16>) -> usize {
    let told = told.and_then(|told| told.trim().parse::<u16>().ok());
    let known = told.filter(|told| *told > 0).or_else(|| terminal.filter(|columns| *columns > 0));
    known.map_or(WIDTH, |columns| usize::from(columns).max(LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_as_wide_as_is_said_but_never_too_narrow() {
        assert_eq!(columns(None, None), 80);
        assert_eq!(columns(None, Some(132)), 132);
        assert_eq!(columns(Some("60"), Some(132)), 60);
        assert_eq!(columns(Some("10"), None), 40);
        assert_eq!(columns(None, Some(20)), 40);
        for nothing in ["", "0", "-5", "wide", "99999999999"] {
            assert_eq!(columns(Some(nothing), Some(0)), 80, "{nothing:?}");
        }
    }
}
