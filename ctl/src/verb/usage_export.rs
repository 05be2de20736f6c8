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
    let to = To::open(args.output.as_deref(), args.force)?;
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

/// Standard output, a file that is whole or not there under its name, or what else has a name (a device, a pipe).
enum To {
    Stdout(io::Stdout),
    Other { file: File, path: PathBuf },
    File { file: File, part: Part, path: PathBuf, force: bool },
}

/// A file under another name, which goes with this unless it was put in its place.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // Where it was put in its place nothing has this name.
        let _gone = std::fs::remove_file(&self.0);
    }
}

impl To {
    fn open(path: Option<&Path>, force: bool) -> Result<Self, CtlError> {
        let Some(path) = path else { return Ok(Self::Stdout(io::stdout())) };
        let cannot = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                    "make its folder, or name a file elsewhere"
                }
                io::ErrorKind::IsADirectory => "name a file in it",
                io::ErrorKind::PermissionDenied => "name a file in a folder that you may write",
                _ => "name a file elsewhere, or leave --output out and it is printed",
            };
            CtlError::io(format!("{} cannot be made", path.display()), error).with_hint(hint)
        };
        let there = match std::fs::metadata(path) {
            Ok(data) => Some(data.file_type()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(cannot(error)),
        };
        if there.is_some_and(|kind| kind.is_dir()) {
            return Err(cannot(io::ErrorKind::IsADirectory.into()));
        }
        if there.is_some_and(|kind| !kind.is_file()) {
            let file = OpenOptions::new().write(true).open(path).map_err(cannot)?;
            return Ok(Self::Other { file, path: path.to_owned() });
        }
        // What a link leads to is what is replaced.
        let path = if there.is_some() { path.canonicalize().map_err(cannot)? } else { path.to_owned() };
        if there.is_some() && !force {
            return Err(exists(&path));
        }
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".part{}", std::process::id()));
        let part = PathBuf::from(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&part).map_err(cannot)?;
        Ok(Self::File { file, part: Part(part), path, force })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), CtlError> {
        let (written, name) = match self {
            Self::Stdout(out) => (out.lock().write_all(bytes), "standard output".to_owned()),
            Self::Other { file, path } | Self::File { file, path, .. } => {
                (file.write_all(bytes), path.display().to_string())
            }
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
            Self::Other { .. } => Ok(None),
            Self::File { file, part, path, force } => {
                let place = |error: io::Error| match error.kind() {
                    io::ErrorKind::AlreadyExists => exists(&path),
                    _ => CtlError::io(format!("{} cannot be put in place", path.display()), error),
                };
                // Its name must not be there after a power cut with nothing under it.
                file.sync_all().map_err(place)?;
                let bytes = file.metadata().map_or(0, |data| data.len());
                drop(file);
                if force {
                    std::fs::rename(&part.0, &path).map_err(place)?;
                } else {
                    rename_new(&part.0, &path).map_err(place)?;
                }
                Ok(Some((path, bytes)))
            }
        }
    }
}

/// Renames, and never over what came to be there meanwhile.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    let renamed = rustix::fs::renameat_with(
        rustix::fs::CWD,
        from,
        rustix::fs::CWD,
        to,
        rustix::fs::RenameFlags::NOREPLACE,
    );
    match renamed {
        // Not every file system can: it was not there when this began.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => std::fs::rename(from, to),
        renamed => Ok(renamed?),
    }
}

fn exists(path: &Path) -> CtlError {
    CtlError::failed(
        "FileExists",
        format!("{} exists already", path.display()),
        "name another file, or have it replaced with --force",
    )
}
