//! `completions` and `man`.

use std::path::Path;

use clap::CommandFactory;

use super::Verdict;
use crate::cli::Cli;
use crate::failure::CtlError;
use crate::out::Out;

pub(super) fn completions(out: &mut Out, shell: clap_complete::Shell) -> Result<Verdict, CtlError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "simbellctl", &mut script);
    out.text(&String::from_utf8_lossy(&script))?;
    Ok(Verdict::Done)
}

pub(super) fn man(out: &mut Out, dir: Option<&Path>) -> Result<Verdict, CtlError> {
    if let Some(dir) = dir {
        clap_mangen::generate_to(Cli::command(), dir)
            .map_err(|error| CtlError::io(format!("{} cannot be written", dir.display()), error))?;
        return Ok(Verdict::Done);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut page)
        .map_err(|error| CtlError::io("the manual page cannot be made", error))?;
    out.text(&String::from_utf8_lossy(&page))?;
    Ok(Verdict::Done)
}
