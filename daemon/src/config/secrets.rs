//! Secrets: never in the configuration itself, only where it says they are.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use secrecy::{SecretString, zeroize::Zeroize};

use super::environment::Environment;
use super::merged::Value;
use super::problem::ProblemKind;
use super::section::{Field, Report};

/// Largest secret that is taken, in bytes.
const MAX_SECRET: usize = 4_096;

/// Stands for a secret that is not read.
const ASSUMED: &str = "assumed";

const WAY_OUT: &str = "write { credential = \"name\" } for a systemd credential (LoadCredential=), or \
     { file = \"/etc/simbell/secrets/name\" } for a file of mode 0600";

/// Reads the secret that a value refers to.
pub(super) fn secret(field: &Field<'_>, env: &Environment, report: &mut Report<'_>) -> Option<SecretString> {
    match field.value() {
        Value::Table(_) => referred(field, ASSUMED, env, report),
        Value::Text(_) => {
            let message = format!("a secret must not stand in the configuration; {WAY_OUT}");
            field.invalid_hidden(ProblemKind::Secret, report, message);
            None
        }
        _ => {
            field.invalid_hidden(ProblemKind::WrongType, report, format!("refers to no secret; {WAY_OUT}"));
            None
        }
    }
}

/// A text that may be kept out of the configuration: given as it is, or referred to. `assumed` stands for it
/// where it is not read.
pub(super) fn text_or_secret(
    field: &Field<'_>,
    wanted: &str,
    assumed: &str,
    env: &Environment,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    match field.value() {
        Value::Table(_) => referred(field, assumed, env, report),
        _ => field.line(wanted, report).map(SecretString::from),
    }
}

fn referred(
    field: &Field<'_>,
    assumed: &str,
    env: &Environment,
    report: &mut Report<'_>,
) -> Option<SecretString> {
    let mut section = field.section("a reference to a secret", report)?;
    let (credential, file) = (section.get("credential"), section.get("file"));
    section.finish(report);
    let (field, found) = match (credential, file) {
        (Some(credential), None) => {
            let name = credential.line("the name of a credential", report)?;
            let found = by_credential(name, env);
            (credential, found)
        }
        (None, Some(file)) => {
            let path = file.line("the path of a file", report)?;
            let path = report.directory(file.place()).join(path);
            let found = by_file(&path, env);
            (file, found)
        }
        _ => {
            field.invalid_hidden(ProblemKind::Secret, report, format!("names no source, or two; {WAY_OUT}"));
            return None;
        }
    };
    match found {
        Ok(secret) => Some(secret),
        Err(Refusal::NotOurs(message)) if env.assume_secrets => {
            report.note(format!("{}: not checked: {message}", field.path()));
            Some(SecretString::from(assumed))
        }
        Err(Refusal::NotOurs(message) | Refusal::Wrong(message)) => {
            field.invalid_hidden(ProblemKind::Secret, report, message);
            None
        }
    }
}

enum Refusal {
    /// Only the service itself can tell.
    NotOurs(String),
    /// Wrong for everybody.
    Wrong(String),
}

fn by_credential(name: &str, env: &Environment) -> Result<SecretString, Refusal> {
    if name.is_empty() || name.len() > 255 || name.contains('/') || name.starts_with('.') {
        let message = "is not the name of a credential: one word without / that does not start with a dot";
        return Err(Refusal::Wrong(message.to_owned()));
    }
    let Some(dir) = &env.credentials_dir else {
        return Err(Refusal::NotOurs(format!(
            "no credentials were handed to this process ($CREDENTIALS_DIRECTORY is not set); add \
             LoadCredential={name}:/path/to/file to the unit, or refer to a file"
        )));
    };
    let file = open(&dir.join(name)).map_err(|error| {
        Refusal::NotOurs(format!(
            "the credential was not handed over ({error}); add LoadCredential={name}:/path/to/file to the unit"
        ))
    })?;
    content(file).map_err(Refusal::Wrong)
}

fn by_file(path: &Path, env: &Environment) -> Result<SecretString, Refusal> {
    let shown = path.display();
    let file = open(path).map_err(|error| {
        let message = format!(
            "{shown} cannot be read ({error}); create it with mode 0600 for the user the service runs as, or use a \
             credential"
        );
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Refusal::NotOurs(message),
            _ => Refusal::Wrong(message),
        }
    })?;
    let found =
        file.metadata().map_err(|error| Refusal::Wrong(format!("{shown} cannot be examined ({error})")))?;
    if !found.is_file() {
        return Err(Refusal::Wrong(format!("{shown} is not a regular file")));
    }
    if found.mode() & 0o077 != 0 {
        return Err(Refusal::Wrong(format!(
            "{shown} may be read by others (mode {:04o}); run: chmod 600 {shown}",
            found.mode() & 0o7777
        )));
    }
    if found.uid() != 0 && found.uid() != env.uid {
        return Err(Refusal::NotOurs(format!(
            "{shown} belongs to user {}; it must belong to root or to the user the service runs as ({})",
            found.uid(),
            env.uid
        )));
    }
    content(file).map_err(Refusal::Wrong)
}

/// Opens without waiting for the other end of a pipe.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

fn content(file: File) -> Result<SecretString, String> {
    let mut bytes = Vec::with_capacity(MAX_SECRET.saturating_add(1));
    let limit = u64::try_from(MAX_SECRET).unwrap_or(u64::MAX).saturating_add(1);
    let read = file.take(limit).read_to_end(&mut bytes);
    let checked = match read {
        Err(error) => Err(format!("its content cannot be read ({error})")),
        Ok(_) => text_of(&bytes),
    };
    bytes.zeroize();
    checked
}

fn text_of(bytes: &[u8]) -> Result<SecretString, String> {
    if bytes.len() > MAX_SECRET {
        return Err(format!("its content is longer than {MAX_SECRET} bytes"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "its content is not UTF-8 text".to_owned())?;
    // Editors and echo end a file with one line break, which is not meant.
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("its content is empty; put the secret there on one line".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("its content has several lines or control characters; put the secret alone on one line"
            .to_owned());
    }
    Ok(SecretString::from(text))
}
