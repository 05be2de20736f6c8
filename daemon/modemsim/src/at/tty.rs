//! A pseudo-terminal as an AT port: ModemManager opens one end like a modem's `/dev/ttyACM0`.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe::{Receiver, Sender};

/// The modem's end of a pseudo-terminal in raw mode.
#[derive(Debug)]
pub struct Tty {
    // Pipes by type only: they read and write any descriptor that can be polled.
    read: Receiver,
    write: Sender,
    path: PathBuf,
    /// Held open, so that the modem sees no end of file while the host has the terminal closed.
    _host: OwnedFd,
}

impl Tty {
    /// Opens a new pseudo-terminal. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// The system's, when there is no free pseudo-terminal or `/dev/ptmx` is missing.
    pub fn open() -> io::Result<Self> {
        let modem = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&modem)?;
        unlockpt(&modem)?;
        let name = ptsname(&modem, Vec::new())?;
        let path = PathBuf::from(name.to_string_lossy().into_owned());
        let host = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let mut attributes = tcgetattr(&host)?;
        attributes.make_raw();
        tcsetattr(&host, OptionalActions::Now, &attributes)?;
        rustix::io::ioctl_fionbio(&modem, true)?;
        let read = Receiver::from_owned_fd_unchecked(modem.try_clone()?)?;
        let write = Sender::from_owned_fd_unchecked(modem)?;
        Ok(Self { read, write, path, _host: host })
    }

    /// The device the host opens, `/dev/pts/N`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsyncRead for Tty {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().read).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tty {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().write).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().write).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().write).poll_shutdown(cx)
    }
}
