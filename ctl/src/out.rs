//! Standard output: text or JSON, with or without colour, until nobody reads.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::CtlError;
use crate::show::text;

/// Where nothing says otherwise.
const WIDTH: usize = 80;

/// Standard output and what it may be given.
#[derive(Debug)]
pub(crate) struct Out {
    /// Whether a program reads.
    pub json: bool,
    /// Whether colour is welcome.
    pub color: bool,
    /// Columns of the terminal, or 80.
    pub width: usize,
}

impl Out {
    pub(crate) fn new(json: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        // https://no-color.org: any value but an empty one.
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let columns = terminal.then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten();
        let width =
            columns.map(|size| usize::from(size.ws_col)).filter(|width| *width >= 40).unwrap_or(WIDTH);
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
