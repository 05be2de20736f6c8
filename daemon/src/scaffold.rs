//! `simbelld new-rule` and `simbelld reference`: what simbellctl executes for `rules new` and `rules reference`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use simbell_rules::new_rule;
use simbell_rules::reference::{Entry, entries, entries_named};

use crate::app::CONFIG;

/// What a new rule is to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewRule {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub kind: Option<String>,
    /// Whether it is a plugin.
    pub plugin: bool,
    /// The folder it goes into.
    pub dir: Option<PathBuf>,
    /// The service's configuration, a file or a directory; the system's unless given.
    pub config: Option<PathBuf>,
    /// Whether to answer in JSON.
    pub json: bool,
}

/// Writes a new rule, nothing over what is there, and says what to do next.
pub fn write(wanted: &NewRule) -> ExitCode {
    match written(wanted) {
        Ok((dir, files, why)) => {
            let path = |file: &String| dir.join(file).display().to_string();
            let rule = if wanted.plugin {
                dir.join(&wanted.name)
            } else {
                dir.join(format!("{}.rhai", wanted.name))
            };
            let rule = rule.display();
            let paths: Vec<String> = files.iter().map(path).collect();
            if wanted.json {
                say(&format!("{}\n", json!({ "ok": true, "rule": rule.to_string(), "files": paths })));
                return ExitCode::SUCCESS;
            }
            let mut text = why.map_or_else(String::new, |why| format!("{why}\n"));
            for path in &paths {
                text.push_str(&format!("wrote {path}\n"));
            }
            text.push_str(&format!(
                "\nNext:\n  edit it                          what it may write: simbellctl rules reference\n  \
                 simbellctl rules check {rule}\n  simbellctl rules test {rule}\n"
            ));
            let own = home(wanted);
            text.push_str(&match (same_place(&dir, &own), wanted.plugin) {
                (true, true) => format!("  simbellctl plugins enable {}\n", wanted.name),
                (true, false) => "  simbellctl reload                the service takes it up\n".to_owned(),
                (false, true) => format!(
                    "  copy it into {}, then: simbellctl plugins enable {}\n",
                    own.display(),
                    wanted.name
                ),
                (false, false) => format!("  copy it into {}, then: simbellctl reload\n", own.display()),
            });
            say(&text);
            ExitCode::SUCCESS
        }
        Err(refused) => {
            failed(&refused.message, &refused.hint, wanted.json);
            ExitCode::from(refused.status)
        }
    }
}

type Written = (PathBuf, Vec<String>, Option<String>);

/// Why nothing is written.
struct Refused {
    message: String,
    hint: String,
    /// 2 where what is asked for makes no sense.
    status: u8,
}

fn written(wanted: &NewRule) -> Result<Written, Refused> {
    let kind = wanted.kind.as_deref().unwrap_or("usage");
    let files = new_rule(&wanted.name, kind, wanted.plugin).map_err(|error| Refused {
        message: error.message,
        hint: error.hint,
        status: 2,
    })?;
    let (dir, why) = place(wanted);
    if fs::metadata(&dir).is_ok_and(|there| !there.is_dir()) {
        return Err(Refused {
            message: format!("{} is no folder", dir.display()),
            hint: "name a folder with --dir".to_owned(),
            status: 1,
        });
    }
    // All or nothing: looked at before anything is written, and made only where nothing is.
    if let Some(there) = files.iter().map(|file| dir.join(&file.path)).find(|path| path.exists()) {
        return Err(there_already(&there));
    }
    if wanted.plugin && dir.join(&wanted.name).exists() {
        return Err(there_already(&dir.join(&wanted.name)));
    }
    for file in &files {
        let path = dir.join(&file.path);
        make(&path, &file.text).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => there_already(&path),
            _ => Refused {
                message: format!("{} cannot be written: {error}", path.display()),
                hint: "choose another folder with --dir, or run it as root".to_owned(),
                status: 1,
            },
        })?;
    }
    Ok((dir, files.into_iter().map(|file| file.path).collect(), why))
}

fn there_already(path: &Path) -> Refused {
    Refused {
        message: format!("{} is there already, and is left as it is", path.display()),
        hint: "take another name, or another folder with --dir".to_owned(),
        status: 1,
    }
}

fn make(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// The folder, and why it is not the service's where it is not.
fn place(wanted: &NewRule) -> (PathBuf, Option<String>) {
    if let Some(dir) = &wanted.dir {
        return (dir.clone(), None);
    }
    let dir = home(wanted);
    if rustix::fs::access(&dir, rustix::fs::Access::WRITE_OK).is_ok() {
        return (dir, None);
    }
    let why = if dir.is_dir() { "cannot be written by you" } else { "is not there" };
    let here = PathBuf::from(".");
    (here, Some(format!("{} {why}: written into the current folder.", dir.display())))
}

/// The service's own folder for it.
fn home(wanted: &NewRule) -> PathBuf {
    let config = wanted.config.as_deref().unwrap_or(Path::new(CONFIG));
    let dir = if config.is_file() { config.parent().unwrap_or(Path::new(".")) } else { config };
    dir.join(if wanted.plugin { "plugins" } else { "rules.d" })
}

fn same_place(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// Prints what rules know, or what has that name.
pub fn reference(name: Option<&str>, as_json: bool) -> ExitCode {
    let found = match name.map_or_else(|| Ok(entries()), entries_named) {
        Ok(found) => found,
        Err(near) => {
            let hint = near.map_or_else(
                || "`simbellctl rules reference` lists what there is".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            let shown = name.unwrap_or_default().chars().filter(|c| !simbell_core::text::is_control(*c));
            let name: String = shown.take(60).collect();
            return failed(&format!("rules know nothing named `{name}`"), &hint, as_json);
        }
    };
    let mut text = String::new();
    let mut section = String::new();
    for entry in &found {
        if as_json {
            text.push_str(&format!("{}\n", as_value(entry)));
            continue;
        }
        if entry.section != section {
            text.push_str(&format!("{}{}\n", if section.is_empty() { "" } else { "\n" }, entry.section));
            section.clone_from(&entry.section);
        }
        text.push_str(&format!("  {}\n      {}\n", entry.form, entry.doc));
        if name.is_some() && !entry.example.is_empty() {
            text.push_str(&format!("      {}\n", entry.example));
        }
    }
    say(&text);
    ExitCode::SUCCESS
}

fn as_value(entry: &Entry) -> serde_json::Value {
    json!({
        "kind": entry.kind.as_str(),
        "section": entry.section,
        "name": entry.name,
        "form": entry.form,
        "example": entry.example,
        "doc": entry.doc,
    })
}

fn failed(message: &str, hint: &str, as_json: bool) -> ExitCode {
    if as_json {
        say(&format!("{}\n", json!({ "ok": false, "error": message, "hint": hint })));
    } else {
        let _ = writeln!(io::stderr(), "error: {message}\nhint: {hint}");
    }
    ExitCode::FAILURE
}

/// A reader that has gone away (`| head`) is no fault.
fn say(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}
