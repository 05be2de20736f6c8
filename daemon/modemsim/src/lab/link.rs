//! Traffic over a modem's network interface, counted to the byte.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The IPv4 and UDP headers of a datagram.
const HEADERS: u64 = 28;
/// The largest IP packet sent.
const LARGEST: u64 = 1428;
const PORT: u16 = 7;

/// The two ends of a modem's network interface: the host's and the mobile network's.
#[derive(Debug)]
pub struct Link {
    pub(super) near_net: PathBuf,
    pub(super) far_net: PathBuf,
    pub(super) near: [u8; 4],
    pub(super) far: [u8; 4],
}

impl Link {
    /// The network namespace of the modem's host, where its interface is.
    #[must_use]
    pub fn near_namespace(&self) -> &Path {
        &self.near_net
    }

    /// Sends so many IP bytes (headers included, 28 at the least) to the host, and waits until it has them.
    ///
    /// # Errors
    /// The system's: the interface is gone, or a datagram was lost.
    pub fn download(&self, ip_bytes: u64) -> io::Result<()> {
        transfer(&self.far_net, self.far, &self.near_net, self.near, ip_bytes)
    }

    /// Sends so many IP bytes (headers included, 28 at the least) from the host, and waits until they arrived.
    ///
    /// # Errors
    /// The system's: the interface is gone, or a datagram was lost.
    pub fn upload(&self, ip_bytes: u64) -> io::Result<()> {
        transfer(&self.near_net, self.near, &self.far_net, self.far, ip_bytes)
    }
}

fn transfer(from: &Path, source: [u8; 4], to: &Path, target: [u8; 4], ip_bytes: u64) -> io::Result<()> {
    if ip_bytes < HEADERS {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "an IP packet with UDP has at least 28 bytes",
        ));
    }
    let receiver = socket_in(to, target)?;
    let sender = socket_in(from, source)?;
    receiver.set_read_timeout(Some(Duration::from_secs(10)))?;
    let packets = ip_bytes.div_ceil(LARGEST);
    let mut left = ip_bytes;
    let mut buffer = [0u8; 2048];
    for packet in 0..packets {
        let size = left / (packets - packet);
        left -= size;
        let payload = usize::try_from(size.saturating_sub(HEADERS)).unwrap_or_default();
        sender.send_to(buffer.get(..payload).unwrap_or_default(), SocketAddr::from((target, PORT)))?;
        receiver.recv_from(&mut buffer)?;
        buffer.fill(0);
    }
    Ok(())
}

/// Opens a socket in another network namespace; a socket stays in the one it was made in.
fn socket_in(namespace: &Path, address: [u8; 4]) -> io::Result<UdpSocket> {
    let file = std::fs::File::open(namespace)?;
    let opener = std::thread::Builder::new().name("lab-socket".to_owned()).spawn(move || {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
        UdpSocket::bind(SocketAddr::from((address, PORT)))
    })?;
    opener.join().unwrap_or_else(|_| Err(io::Error::other("the thread that opens the socket died")))
}
