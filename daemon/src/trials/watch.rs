//! `rules test --watch`: again whenever a file of a rule changes. The kernel tells; nobody looks.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;
use simbell_rules::Subject;

use super::{chosen, once};
use crate::options::Tests;

/// Editors write in several steps: what follows so soon belongs to the same change.
const QUIET: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What belongs to a rule and its tests.
const ENDINGS: [&str; 6] = [".rhai", ".toml", ".ftl", ".csv", ".json", ".jsonl"];

/// Runs until it is interrupted, or nothing can be watched.
pub(super) fn run(tests: &Tests) -> ExitCode {
    loop {
        let chosen = match chosen(tests) {
            Ok(chosen) => chosen,
            Err(code) => return code,
        };
        let watched = folders(&chosen.subjects);
        let changed = watch(&watched).and_then(|fd| {
            // Watched before they run: a change meanwhile is not lost.
            once(tests, &chosen);
            if !tests.json {
                let folders = if watched.len() == 1 { "folder" } else { "folders" };
                say(&format!("\nWaits for changes in {} {folders}; Ctrl-C ends it.", watched.len()));
            }
            wait(&fd)
        });
        match changed {
            Ok(names) => {
                if !tests.json {
                    let names: Vec<String> = names.into_iter().collect();
                    say(&format!("\nChanged: {}\n", names.join(", ")));
                }
            }
            Err(error) => {
                eprintln!("error: changes of files cannot be watched: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
}

/// The folders of rules, tests and texts.
fn folders(subjects: &[Subject]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for subject in subjects {
        let dir = subject.rule.parent().map(PathBuf::from).unwrap_or_default();
        let dir = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir };
        found.extend(Some(dir.join("texts")).filter(|texts| texts.is_dir()));
        found.insert(dir);
    }
    found
}

fn watch(folders: &BTreeSet<PathBuf>) -> Result<OwnedFd, Errno> {
    let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let flags = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::DELETE | WatchFlags::ONLYDIR;
    for folder in folders {
        inotify::add_watch(&fd, folder, flags)?;
    }
    Ok(fd)
}

/// The names of files that changed, once they are left alone.
fn wait(fd: &OwnedFd) -> Result<BTreeSet<String>, Errno> {
    let mut names = BTreeSet::new();
    let mut buffer = [MaybeUninit::uninit(); 4_096];
    loop {
        let quiet = (!names.is_empty()).then_some(&QUIET);
        let ready = match poll(&mut [PollFd::new(fd, PollFlags::IN)], quiet) {
            Err(Errno::INTR) => continue,
            ready => ready?,
        };
        if ready == 0 {
            return Ok(names);
        }
        let mut reader = Reader::new(fd, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
                    let ours = |name: &String| {
                        !name.starts_with('.') && ENDINGS.iter().any(|ending| name.ends_with(ending))
                    };
                    names.extend(name.filter(ours));
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone away is no fault of a test.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
