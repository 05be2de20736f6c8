//! Making the socket where no one passed it in.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Owner and group may open the socket.
const MODE: u32 = 0o660;

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

/// Binds the socket at `path` with mode 0660. What a dead service left there is replaced; a live one is not.
///
/// # Errors
/// Says what is in the way, and what to do. Needs a tokio runtime.
pub fn bind(path: &Path) -> Result<UnixListener, BindError> {
    let failed = |step| move |source| BindError::Io { path: path.to_owned(), step, source };
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
    let finish = || -> Result<(), BindError> {
        std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(MODE))
            .map_err(failed("setting its mode"))?;
        std::fs::rename(&beside, path).map_err(failed("putting it in its place"))
    };
    if let Err(error) = finish() {
        // The first error is the one to tell.
        let _left_behind = std::fs::remove_file(&beside);
        return Err(error);
    }
    listener.set_nonblocking(true).map_err(failed("preparing it"))?;
    UnixListener::from_std(listener).map_err(failed("preparing it"))
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

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("simbell-bind-{name}-{}", std::process::id()));
        let _old = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[tokio::test]
    async fn has_its_mode_and_replaces_a_dead_one_but_not_a_live_one() {
        let dir = scratch("mode");
        let path = dir.join("control.sock");
        let first = bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);

        let error = bind(&path).unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, BindError::Served { .. }), "{said}");
        assert!(said.contains(&format!("already served by process {}", std::process::id())), "{said}");

        drop(first);
        // A program being started by another test holds copies of every descriptor until it runs, and so keeps
        // the listener alive for a moment.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let mut second = bind(&path);
        while matches!(second, Err(BindError::Served { .. })) && std::time::Instant::now() < deadline {
            tokio::task::yield_now().await;
            second = bind(&path);
        }
        drop(second.unwrap());
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1, "nothing is left beside it");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[tokio::test]
    async fn a_file_in_the_way_is_left_alone() {
        let dir = scratch("file");
        let path = dir.join("control.sock");
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(bind(&path).unwrap_err(), BindError::InTheWay { .. }));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        assert!(matches!(bind(&dir.join("no/such/dir.sock")).unwrap_err(), BindError::Io { .. }));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
