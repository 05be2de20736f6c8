//! `usage export`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use simbell_api::{Client, ClientError, ExportPart, ExportUsageParams};
use tokio::sync::mpsc;

use super::Verdict;
use crate::cli::{By, ExportArgs, ExportFormat};
use crate::failure::CtlError;
use crate::out::Out;
use crate::show::amount::amount;
use crate::show::export::{Form, HEADING, write};

/// Written at once, bytes.
const CHUNK: usize = 256 * 1024;
/// So many parts wait to be written at most.
const PARTS_AHEAD: usize = 4;

pub(super) async fn run(client: Client, out: &mut Out, args: &ExportArgs) -> Result<Verdict, CtlError> {
    let form = match args.format {
        Some(ExportFormat::Csv) if out.json => {
            return Err(CtlError::usage("--json and --format csv say two things", "give one of them"));
        }
        Some(ExportFormat::Csv) => Form::Csv,
        Some(ExportFormat::Json) | None => Form::Json,
    };
    let by = match args.by {
        By::Hour => "hour",
        By::Day => "day",
        By::Cycle => "cycle",
    };
    let params = ExportUsageParams {
        sim: args.sim.clone(),
        by: by.to_owned(),
        from: args.from.clone(),
        to: args.to.clone(),
    };
    let mut export = client.export(&params).await?;
    // The first part is there before a file is made: a refusal leaves none.
    let mut part = export.next().await?;
    let to = To::open(args.output.as_deref())?;
    // On a thread of its own: reading and writing take about as long as each other.
    let (parts, taken) = mpsc::channel(PARTS_AHEAD);
    let writing = tokio::task::spawn_blocking(move || write_parts(form, taken, to));
    let read = async move {
        while let Some(rows) = part {
            // Who writes no longer says why.
            if parts.send(rows).await.is_err() {
                break;
            }
            part = export.next().await?;
        }
        Ok(())
    };
    let read: Result<(), ClientError> = read.await;
    let to = writing
        .await
        .map_err(|error| CtlError::io("the export cannot be written", io::Error::other(error)))??;
    read?;
    if let Some((path, bytes)) = to.end()? {
        out.note(&format!("wrote {} ({})", path.display(), amount(bytes)));
    }
    Ok(Verdict::Done)
}

/// Writes parts until no more come.
fn write_parts(form: Form, mut parts: mpsc::Receiver<ExportPart>, mut to: To) -> Result<To, CtlError> {
    let mut held: Vec<u8> = Vec::with_capacity(CHUNK.saturating_mul(4));
    if form == Form::Csv {
        held.extend_from_slice(HEADING.as_bytes());
    }
    while let Some(rows) = parts.blocking_recv() {
        write(form, &rows, &mut held);
        if held.len() >= CHUNK {
            to.write(&held)?;
            held.clear();
        }
    }
    to.write(&held)?;
    Ok(to)
}

/// Standard output, or a file that is whole or not there under its name.
enum To {
    Stdout(io::Stdout),
    File { file: File, part: PathBuf, path: PathBuf },
}

impl To {
    fn open(path: Option<&Path>) -> Result<Self, CtlError> {
        let Some(path) = path else { return Ok(Self::Stdout(io::stdout())) };
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&part);
        match made {
            Ok(file) => Ok(Self::File { file, part, path: path.to_owned() }),
            Err(error) => Err(CtlError::io(format!("{} cannot be made", path.display()), error)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), CtlError> {
        let (written, name) = match self {
            Self::Stdout(out) => (out.lock().write_all(bytes), "standard output".to_owned()),
            Self::File { file, path, .. } => (file.write_all(bytes), path.display().to_string()),
        };
        written.map_err(|error| match (error.kind(), &self) {
            (io::ErrorKind::BrokenPipe, Self::Stdout(_)) => CtlError::ClosedPipe,
            _ => CtlError::io(format!("{name} cannot be written"), error),
        })
    }

    /// The file, where there is one, and its size.
    fn end(self) -> Result<Option<(PathBuf, u64)>, CtlError> {
        match self {
            Self::Stdout(out) => out.lock().flush().map(|()| None).map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => CtlError::ClosedPipe,
                _ => CtlError::io("standard output cannot be written", error),
            }),
            Self::File { file, part, path } => {
                let bytes = file.metadata().map_or(0, |data| data.len());
                drop(file);
                std::fs::rename(&part, &path).map_err(|error| {
                    CtlError::io(format!("{} cannot be put in place", path.display()), error)
                })?;
                Ok(Some((path, bytes)))
            }
        }
    }
}
