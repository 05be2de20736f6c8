//! `reload` and `bug-report`.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use simbell_api::Client;

use super::Verdict;
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::records;

pub(super) async fn reload(client: &mut Client, out: &mut Out) -> Result<Verdict, CtlError> {
    let loaded = client.reload().await?;
    if out.json {
        out.json(&loaded)?;
        return Ok(Verdict::Done);
    }
    let mut page = format!(
        "Loaded: {} {} configured, {} {} running.\n",
        loaded.sims,
        if loaded.sims == 1 { "SIM" } else { "SIMs" },
        loaded.rules,
        if loaded.rules == 1 { "rule" } else { "rules" }
    );
    for problem in &loaded.problems {
        page.push_str(&records::problem(&format!("! {problem}"), out.width));
    }
    out.text(&page)?;
    Ok(Verdict::Done)
}

pub(super) async fn bug_report(
    client: Client,
    out: &mut Out,
    file: Option<&Path>,
) -> Result<Verdict, CtlError> {
    let mut saved = file.map(create).transpose()?;
    let mut parts = client.bug_report().await?;
    while let Some(part) = parts.next().await? {
        match (&mut saved, file) {
            (Some(saved), Some(path)) => saved
                .write_all(part.text.as_bytes())
                .map_err(|error| CtlError::io(format!("{} cannot be written", path.display()), error))?,
            _ if out.json => out.json(&part)?,
            _ => out.text(&part.text)?,
        }
    }
    if let Some(path) = file
        && !out.json
    {
        out.note(&format!(
            "saved to {}; identifiers are replaced, but read it before you send it to anyone",
            path.display()
        ));
    }
    Ok(Verdict::Done)
}

fn create(path: &Path) -> Result<std::fs::File, CtlError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
        match error.kind() {
            io::ErrorKind::AlreadyExists => CtlError::failed(
                "FileExists",
                format!("{} exists already", path.display()),
                "name another file, or remove this one first",
            ),
            _ => CtlError::io(format!("{} cannot be made", path.display()), error),
        }
    })
}
