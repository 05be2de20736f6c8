//! Rules, plugins and texts as they are on disk: read, and followed by inotify. Nothing is polled, and where nothing
//! changes nothing wakes. The configuration is not followed: half a change of it must not take effect.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use simbell_core::plugin::PluginStandings;
use simbell_rules::{LoadOptions, RuleSet};
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use crate::engine::Request;

/// An editor writes beside a file and renames: all of that is one change. So long nothing more may happen …
const QUIET: Duration = Duration::from_millis(150);
/// … and where things go on happening, they are looked at so often at least.
const PATIENCE: Duration = Duration::from_secs(2);
/// Folders that are followed at most; the rest is read with `simbellctl reload`.
const MOST_FOLDERS: usize = 1_000;
/// Folders within folders: `plugins/rules/NAME/texts`.
const MOST_DEPTH: usize = 3;

/// Where rules are read from, by the configuration in use.
pub struct RuleSource {
    options: Mutex<LoadOptions>,
    roots: watch::Sender<Vec<PathBuf>>,
}

impl RuleSource {
    /// With where to read from, and whoever follows what is there.
    #[must_use]
    pub fn new(options: LoadOptions) -> (Self, watch::Receiver<Vec<PathBuf>>) {
        let (roots, followed) = watch::channel(roots_of(&options));
        (Self { options: Mutex::new(options), roots }, followed)
    }

    /// Another configuration is in use.
    pub fn replace(&self, options: LoadOptions) {
        let roots = roots_of(&options);
        self.roots.send_if_modified(|before| {
            *before != roots && {
                *before = roots;
                true
            }
        });
        *self.options.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = options;
    }

    /// Reads everything, beside the rules that run.
    #[must_use]
    pub fn load(&self, standings: &PluginStandings, before: Option<&RuleSet>) -> RuleSet {
        let mut options = self.options.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        options.standings.clone_from(standings);
        RuleSet::load_over(&options, before)
    }
}

fn roots_of(options: &LoadOptions) -> Vec<PathBuf> {
    let single = options.user_dir.iter().chain(&options.texts_dir);
    single.chain(&options.plugin_dirs).cloned().collect()
}

/// Follows what is on disk, from before it is read the first time.
pub struct Follower {
    files: Files,
    roots: watch::Receiver<Vec<PathBuf>>,
}

impl Follower {
    /// Begins; nothing is told yet. None where the kernel does not let it.
    #[must_use]
    pub fn begin(mut roots: watch::Receiver<Vec<PathBuf>>) -> Option<Self> {
        let files = Files::new().inspect_err(|error| {
            tracing::warn!(%error, "rules are not followed as they change on disk; `simbellctl reload` reads them");
        });
        let mut files = files.ok()?;
        let now = roots.borrow_and_update().clone();
        files.look(&now);
        Some(Self { files, roots })
    }

    /// Tells the engine of each change, until it has gone away.
    pub async fn run(mut self, requests: mpsc::Sender<Box<Request>>) {
        loop {
            tokio::select! {
                changed = self.roots.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // The engine has read them, and what changed between that and now is told.
                    let now = self.roots.borrow_and_update().clone();
                    self.files.look(&now);
                }
                () = self.files.changed() => {
                    let last = Instant::now() + PATIENCE;
                    while timeout_at((Instant::now() + QUIET).min(last), self.files.changed()).await.is_ok() {}
                }
            }
            // Before they are read: what happens from here on is told again.
            let now = self.roots.borrow_and_update().clone();
            self.files.look(&now);
            if requests.send(Box::new(Request::FilesChanged)).await.is_err() {
                return;
            }
        }
    }
}

/// Folders that are followed.
struct Files {
    fd: AsyncFd<OwnedFd>,
    followed: BTreeMap<i32, Followed>,
    crowded: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Followed {
    path: PathBuf,
    /// The entries that matter; all of them where none is named.
    awaited: BTreeSet<OsString>,
}

impl Files {
    #[allow(deprecated, reason = "its replacement is unsafe; an OwnedFd is what makes this call sound")]
    fn new() -> std::io::Result<Self> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { fd: AsyncFd::new(fd)?, followed: BTreeMap::new(), crowded: false })
    }

    /// Follows what is there now. A folder that was removed and made again is another one, and is followed anew.
    fn look(&mut self, roots: &[PathBuf]) {
        let mut wanted = BTreeMap::new();
        for root in roots {
            if root.is_dir() {
                descend(root, 0, &mut wanted);
            } else {
                await_appearance(root, &mut wanted);
            }
        }
        let mut crowded = wanted.len() > MOST_FOLDERS;
        let mut followed: BTreeMap<i32, Followed> = BTreeMap::new();
        for (path, awaited) in wanted.into_iter().take(MOST_FOLDERS) {
            match inotify::add_watch(self.fd.get_ref(), &path, WATCHED) {
                Ok(watch) => {
                    let entry =
                        followed.entry(watch).or_insert_with(|| Followed { path, awaited: awaited.clone() });
                    if awaited.is_empty() || entry.awaited.is_empty() {
                        entry.awaited.clear();
                    } else {
                        entry.awaited.extend(awaited);
                    }
                }
                Err(Errno::NOSPC) => crowded = true,
                // Gone since it was listed, or not for us: then its rules cannot be read either, which is told.
                Err(_) => {}
            }
        }
        for watch in self.followed.keys().filter(|watch| !followed.contains_key(watch)) {
            // Gone with its folder is as good.
            let _ = inotify::remove_watch(self.fd.get_ref(), *watch);
        }
        self.followed = followed;
        if crowded && !self.crowded {
            tracing::warn!(
                "there are more folders of rules and plugins than can be followed; `simbellctl reload` reads the rest"
            );
        }
        self.crowded = crowded;
    }

    /// Waits until something changes that matters, and takes all that is told by then.
    async fn changed(&mut self) {
        loop {
            let Ok(mut ready) = self.fd.readable().await else { return std::future::pending().await };
            let told = drain(ready.get_inner(), &self.followed);
            ready.clear_ready();
            if told {
                return;
            }
        }
    }
}

const WATCHED: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Whether anything of what is told matters. A queue that ran over has lost what it told: that matters always.
fn drain(fd: &OwnedFd, followed: &BTreeMap<i32, Followed>) -> bool {
    let mut buffer = [const { MaybeUninit::uninit() }; 4096];
    let mut reader = inotify::Reader::new(fd, &mut buffer);
    let mut told = false;
    loop {
        match reader.next() {
            Ok(event) => {
                let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
                let lost = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
                let gone = event.events().intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF);
                told |= lost
                    || followed.get(&event.wd()).is_some_and(|followed| match &name {
                        Some(name) => matters(name, followed),
                        None => gone,
                    });
            }
            Err(Errno::INTR) => {}
            Err(_) => return told,
        }
    }
}

fn matters(name: &OsStr, followed: &Followed) -> bool {
    let bytes = name.as_bytes();
    // What editors leave beside a file; `..data` is how mounted configuration is swapped as a whole.
    let besides = (bytes.starts_with(b".") && !bytes.starts_with(b"..")) || bytes.ends_with(b"~");
    !besides && (followed.awaited.is_empty() || followed.awaited.contains(name))
}

/// A folder and those within it; where an entry is a link, where it leads.
fn descend(dir: &Path, depth: usize, wanted: &mut BTreeMap<PathBuf, BTreeSet<OsString>>) {
    wanted.insert(dir.to_owned(), BTreeSet::new());
    if wanted.len() > MOST_FOLDERS {
        return;
    }
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let hidden = entry.file_name().as_bytes().starts_with(b".");
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_symlink()
            && let Ok(target) = path.canonicalize()
            && let (Some(parent), Some(name)) = (target.parent(), target.file_name())
        {
            let awaited = wanted.entry(parent.to_owned()).or_insert_with(|| [name.to_owned()].into());
            if !awaited.is_empty() {
                awaited.insert(name.to_owned());
            }
        }
        if !hidden && depth < MOST_DEPTH && path.is_dir() {
            descend(&path, depth.saturating_add(1), wanted);
        }
    }
}

/// The nearest folder that is there, for the way to one that is not.
fn await_appearance(root: &Path, wanted: &mut BTreeMap<PathBuf, BTreeSet<OsString>>) {
    for ancestor in root.ancestors().skip(1) {
        let here = if ancestor.as_os_str().is_empty() { Path::new(".") } else { ancestor };
        if !here.is_dir() {
            continue;
        }
        let next = root.strip_prefix(ancestor).ok().and_then(|rest| rest.components().next());
        if let Some(next) = next {
            let name = next.as_os_str().to_owned();
            let awaited = wanted.entry(here.to_owned()).or_insert_with(|| [name.clone()].into());
            // One that is followed as a whole stays so.
            if !awaited.is_empty() {
                awaited.insert(name);
            }
        }
        return;
    }
}
