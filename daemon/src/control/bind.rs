//! Making the socket where no one passed it in, and taking it away again.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::net::{UnixListener, UnixStream};

/// Owner and group may open the socket.
const MODE: u32 = 0o660;
/// How long others may take to put theirs in its place; each needs less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// Why the socket could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another service answers there.
    #[error("{} is already served by {}; stop that service first, or give this one another socket with --socket", path.display(), served_by(*pid))]
    Served {
        /// The socket.
        path: PathBuf,
        /// Who serves it, where the kernel tells.
        pid: Option<i32>,
    },
    /// Something that is no socket lies there.
    #[error("{} exists and is no socket; move it away, or give the service another socket with --socket", path.display())]
    InTheWay {
        /// What lies there.
        path: PathBuf,
    },
    /// The system refused.
    #[error("the control socket {} cannot be made ({step}); check that its directory exists and may be written by this user", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// While doing what.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    /// A stable name, for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Served { .. } => "socket-served",
            Self::InTheWay { .. } => "socket-in-the-way",
            Self::Io { .. } => "socket-failed",
        }
    }
}

fn served_by(pid: Option<i32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// The socket's file, which this process put in its place: taken away when dropped, unless another's is there by then.
#[derive(Debug)]
pub struct Placed {
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
}

impl Drop for Placed {
    fn drop(&mut self) {
        // Without the lock another service could be putting its own there between the look and the removal.
        let Ok(_alone) = alone_at(&self.path) else { return };
        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file) {
            // Gone already is as good.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Binds the socket at `path` with mode 0660. What a dead service left there is replaced; a live one is not, and of
/// several that begin at once one gets it.
///
/// # Errors
/// Says what is in the way, and what to do. Needs a tokio runtime.
pub fn bind(path: &Path) -> Result<(UnixListener, Placed), BindError> {
    let failed = |step| move |source| BindError::Io { path: path.to_owned(), step, source };
    // From here to the end: whoever finds a dead one must be the one to replace it, or a live one would be replaced.
    let _alone = alone_at(path).map_err(failed("waiting for others that make it"))?;
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::InTheWay { path: path.to_owned() });
        }
        Ok(_) => refuse_if_served(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(failed("looking for an old one")(source)),
    }
    // Made beside its place and moved there, so that it never stands open to more than it should.
    let beside = path.with_file_name(format!(".{}", std::process::id()));
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("clearing up")(error)),
        _ => {}
    }
    let listener = StdListener::bind(&beside).map_err(failed("binding it"))?;
    let finish = || -> Result<Placed, BindError> {
        std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(MODE))
            .map_err(failed("setting its mode"))?;
        let made = std::fs::symlink_metadata(&beside).map_err(failed("looking at it"))?;
        std::fs::rename(&beside, path).map_err(failed("putting it in its place"))?;
        Ok(Placed { path: path.to_owned(), file: (made.dev(), made.ino()) })
    };
    let placed = finish().inspect_err(|_| {
        // The first error is the one to tell.
        let _left_behind = std::fs::remove_file(&beside);
    })?;
    listener.set_nonblocking(true).map_err(failed("preparing it"))?;
    Ok((UnixListener::from_std(listener).map_err(failed("preparing it"))?, placed))
}

/// Holds the lock of the socket's directory, which leaves nothing behind and ends with its holder.
fn alone_at(path: &Path) -> io::Result<File> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let dir = File::open(dir)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match dir.try_lock() {
            Ok(()) => return Ok(dir),
            Err(TryLockError::Error(error)) => return Err(error),
            // Whoever may read the directory may hold its lock: waiting for ever would be theirs to decide.
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another process has held the lock of its directory for 10 s",
                ));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
        }
    }
}

fn refuse_if_served(path: &Path) -> Result<(), BindError> {
    // Connecting tells a live service from the file of a dead one; its credentials are those of who listens.
    let Ok(stream) = StdStream::connect(path) else { return Ok(()) };
    let pid = stream
        .set_nonblocking(true)
        .and_then(|()| UnixStream::from_std(stream))
        .and_then(|stream| stream.peer_cred())
        .ok()
        .and_then(|credentials| credentials.pid());
    Err(BindError::Served { path: path.to_owned(), pid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn has_its_mode_and_replaces_a_dead_one_but_not_a_live_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let first = bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);

        let error = bind(&path).unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, BindError::Served { .. }), "{said}");
        assert!(said.contains(&format!("already served by process {}", std::process::id())), "{said}");

        let (listener, placed) = first;
        drop(listener);
        // A program being started by another test holds copies of every descriptor until it runs, and so keeps
        // the listener alive for a moment.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let mut second = bind(&path);
        while matches!(second, Err(BindError::Served { .. })) && std::time::Instant::now() < deadline {
            tokio::task::yield_now().await;
            second = bind(&path);
        }
        let second = second.unwrap();
        drop(placed);
        assert!(path.exists(), "what is another's by now stays");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        drop(second);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn of_many_at_once_one_gets_it_and_the_others_are_told_who_has() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        for _ in 0..50 {
            drop(StdListener::bind(&path).unwrap());
            let begin = std::sync::Arc::new(std::sync::Barrier::new(8));
            let all: Vec<_> = (0..8)
                .map(|_| {
                    let (path, begin) = (path.clone(), std::sync::Arc::clone(&begin));
                    let runtime = tokio::runtime::Handle::current();
                    std::thread::spawn(move || {
                        let _entered = runtime.enter();
                        begin.wait();
                        bind(&path)
                    })
                })
                .collect();
            let mut bound = Vec::new();
            for one in all {
                match one.join().unwrap() {
                    Ok(one) => bound.push(one),
                    Err(error) => assert!(matches!(error, BindError::Served { .. }), "{error}"),
                }
            }
            assert_eq!(bound.len(), 1);
            StdStream::connect(&path).unwrap();
        }
    }

    #[tokio::test]
    async fn a_file_in_the_way_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(bind(&path).unwrap_err(), BindError::InTheWay { .. }));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        assert!(matches!(bind(&dir.path().join("no/such/dir.sock")).unwrap_err(), BindError::Io { .. }));
    }
}
