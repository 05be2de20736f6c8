//! The kernel's counters of every network interface, and the coming and going of interfaces.
//!
//! Two netlink sockets: one asks, one listens. A reading is one `RTM_GETSTATS` dump, answered by 64-bit
//! counters by interface index; names and link types come from an inventory that follows `RTNLGRP_LINK`.
//! An interface that vanishes tells its final counters, so an unplug under traffic loses nothing.

mod dump;
mod error;
pub mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::io;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, Socket, SocketAddr, TokioSocket};
use simbell_core::counter::{LinkCounters, LinkEnd, LinkName, LinkReading};
use simbell_core::ident::IfIndex;

pub use self::error::LinksError;

use self::dump::Dump;
use self::wire::{LinkMessage, Message};

/// `RTNLGRP_LINK`.
const LINK_GROUP: u32 = 1;
/// The kernel makes no bigger datagram for a dump; a bigger notification counts as lost.
const BUFFER: usize = 32 * 1024;
/// A flood longer than this in one reading is cut short by reading everything anew.
const DRAIN_MOST: usize = 4096;

/// One thing that happened to a network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// It is there now; its counters at that moment, not 0 where it came from another network namespace.
    Appeared(LinkReading),
    /// Its name or link type changed; counters as of now.
    Changed(LinkReading),
    /// It is gone, deleted or moved to another network namespace; its final counters.
    Vanished(LinkEnd),
    /// The kernel dropped notifications: every link as it is now. What is missing here is gone unseen.
    Resynchronised(Vec<LinkReading>),
}

/// Reads and follows the network interfaces of this network namespace. Needs no privilege.
///
/// One task drives both [`Links::event`] and [`Links::read`]; what one learns the other knows.
pub struct Links {
    dump: Dump,
    listen: TokioSocket,
    /// What either socket tells is taken in before the next is received, so that one is enough.
    buffer: Vec<u8>,
    /// Kept for its room.
    counted: Vec<(u32, LinkCounters)>,
    inventory: BTreeMap<u32, Known>,
    pending: VecDeque<LinkEvent>,
    /// Notifications were lost and the inventory cannot be trusted.
    overrun: bool,
}

/// What is remembered of a link between readings.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    name: LinkName,
    ethernet: bool,
    ppp: bool,
    last: LinkCounters,
}

impl Links {
    /// Opens both sockets and takes the first inventory. Runs inside a tokio runtime.
    ///
    /// # Errors
    /// When the kernel denies netlink sockets (a unit without `AF_NETLINK`) or the first list of links.
    pub fn open() -> Result<Self, LinksError> {
        Self::open_with_buffer(None)
    }

    /// Like [`Links::open`], with a receive buffer for notifications of this many bytes
    /// (`SO_RCVBUF`: the kernel doubles it and has limits of its own).
    ///
    /// # Errors
    /// As [`Links::open`].
    pub fn open_with_buffer(bytes: Option<u32>) -> Result<Self, LinksError> {
        let socket = |action, source| LinksError::Socket { action, source };
        let mut listen =
            TokioSocket::new(NETLINK_ROUTE).map_err(|e| socket("open the listening socket", e))?;
        connect(listen.socket_mut()).map_err(|e| socket("connect the listening socket", e))?;
        if let Some(bytes) = bytes {
            listen.socket_ref().set_rx_buf_sz(bytes).map_err(|e| socket("size the receive buffer", e))?;
        }
        listen.socket_ref().add_membership(LINK_GROUP).map_err(|e| socket("follow links", e))?;
        let mut links = Self {
            dump: Dump::open()?,
            listen,
            buffer: vec![0; BUFFER],
            counted: Vec::new(),
            inventory: BTreeMap::new(),
            pending: VecDeque::new(),
            overrun: false,
        };
        links.resync()?;
        Ok(links)
    }

    /// Reads the counters of all links, or of those `wanted`, in one dump.
    ///
    /// A link that an event not yet taken from [`Links::event`] is about is left out: the event carries its
    /// counters, and one of the dump could belong to its predecessor of the same index.
    ///
    /// # Errors
    /// When the kernel does not answer; the next reading may succeed, nothing is lost.
    pub fn read(&mut self, wanted: Option<&[IfIndex]>) -> Result<Vec<LinkReading>, LinksError> {
        // The dump comes first: whatever happened before it is then in the listening socket's queue.
        self.dump.counters(&mut self.buffer, &mut self.counted)?;
        self.drain();
        Ok(self.readings(wanted, false).unwrap_or_default())
    }

    /// Reads the counters of all links without a look at what is queued of their coming and going: one system call
    /// less. For a caller whom [`Links::event`] has just left waiting: what came since is a moment old.
    ///
    /// # Errors
    /// As [`Links::read`].
    pub fn sample(&mut self) -> Result<Vec<LinkReading>, LinksError> {
        self.dump.counters(&mut self.buffer, &mut self.counted)?;
        if let Some(readings) = self.readings(None, true) {
            return Ok(readings);
        }
        // A counter that fell may be that of another link in the place of one that has just gone.
        self.drain();
        Ok(self.readings(None, false).unwrap_or_default())
    }

    /// What was counted, with names; with `growing` only if no counter fell.
    fn readings(&mut self, wanted: Option<&[IfIndex]>, growing: bool) -> Option<Vec<LinkReading>> {
        if self.overrun {
            return Some(Vec::new());
        }
        let mut readings = Vec::with_capacity(wanted.map_or(self.counted.len(), <[_]>::len));
        // Kernels list links by index, as the inventory does: one walk through both finds nearly all.
        let mut inventory = self.inventory.iter_mut().peekable();
        let mut strays = Vec::new();
        for (ifindex, counters) in self.counted.iter().copied() {
            if wanted.is_some_and(|wanted| !wanted.contains(&IfIndex(ifindex)))
                || self.pending.iter().any(|event| event.is_about(ifindex))
            {
                continue;
            }
            while inventory.next_if(|(known, _)| **known < ifindex).is_some() {}
            match inventory.next_if(|(known, _)| **known == ifindex) {
                Some((_, known)) => readings.push(known.read(ifindex, counters, growing)?),
                None => strays.push((ifindex, counters)),
            }
        }
        for (ifindex, counters) in strays {
            if let Some(known) = self.inventory.get_mut(&ifindex) {
                readings.push(known.read(ifindex, counters, growing)?);
            }
        }
        Some(readings)
    }

    /// Waits for the next change of the links. Cancel-safe; never wakes while nothing changes.
    ///
    /// # Errors
    /// When the socket fails, or the list after an overrun could not be taken: it is tried again with the
    /// next call, which the caller may put off a little.
    pub async fn event(&mut self) -> Result<LinkEvent, LinksError> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(event);
            }
            if self.overrun {
                return self.resync().map(LinkEvent::Resynchronised);
            }
            let Self { listen, buffer, .. } = self;
            let received = poll_fn(|context| {
                let mut room: &mut [u8] = buffer;
                let whole = room.len();
                let polled = listen.poll_recv(context, &mut room);
                polled.map_ok(|()| whole.saturating_sub(room.len()))
            })
            .await;
            self.take(received)?;
        }
    }

    /// An event that a reading came upon, without waiting for more: it is older than the reading.
    pub fn come_upon(&mut self) -> Option<LinkEvent> {
        self.pending.pop_front()
    }

    /// Forgets what was known and lists every link anew, with its counters as of now.
    ///
    /// # Errors
    /// When the kernel does not answer; the inventory stays as it was.
    pub fn resync(&mut self) -> Result<Vec<LinkReading>, LinksError> {
        // Older notifications are told by the list itself; younger ones stay queued behind it.
        for _ in 0..DRAIN_MOST {
            match receive(self.listen.socket_ref(), &mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                _ => {}
            }
        }
        let found = self.dump.links(&mut self.buffer)?;
        self.inventory.clear();
        self.pending.clear();
        self.overrun = false;
        for link in found {
            let known = Known {
                name: link.name.unwrap_or_default(),
                ethernet: link.ethernet,
                ppp: link.ppp,
                last: link.counters.unwrap_or_default(),
            };
            self.inventory.insert(link.ifindex, known);
        }
        Ok(self.inventory.iter().map(|(ifindex, known)| known.reading(*ifindex)).collect())
    }

    fn drain(&mut self) {
        for _ in 0..DRAIN_MOST {
            match receive(self.listen.socket_ref(), &mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // A broken socket shows again, and is told, in `event`.
                received => {
                    if self.take(received).is_err() {
                        return;
                    }
                }
            }
        }
        self.overrun = true;
    }

    fn take(&mut self, received: io::Result<usize>) -> Result<(), LinksError> {
        match received {
            // A notification that fills the buffer did not fit: lost like one that was never queued.
            Ok(length) if length >= self.buffer.len() => self.overrun = true,
            Ok(length) => {
                let datagram = self.buffer.get(..length).unwrap_or_default();
                for framed in wire::messages(datagram) {
                    let event = match framed.message {
                        Message::NewLink(link) => appeared_or_changed(&mut self.inventory, *link),
                        Message::DelLink(link) => vanished(&mut self.inventory, *link),
                        _ => None,
                    };
                    self.pending.extend(event);
                }
            }
            Err(error) if error.raw_os_error() == Some(ENOBUFS) => self.overrun = true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(LinksError::Socket { action: "follow links", source }),
        }
        Ok(())
    }
}

impl LinkEvent {
    fn is_about(&self, ifindex: u32) -> bool {
        match self {
            Self::Appeared(link) | Self::Changed(link) => link.ifindex.0 == ifindex,
            Self::Vanished(end) => end.reading.ifindex.0 == ifindex,
            Self::Resynchronised(_) => true,
        }
    }
}

impl Known {
    fn read(&mut self, ifindex: u32, now: LinkCounters, growing: bool) -> Option<LinkReading> {
        if growing && largest(now, self.last) != now {
            return None;
        }
        self.last = now;
        Some(self.reading(ifindex))
    }

    fn reading(&self, ifindex: u32) -> LinkReading {
        LinkReading {
            ifindex: IfIndex(ifindex),
            name: self.name,
            ethernet: self.ethernet,
            ppp: self.ppp,
            counters: self.last,
        }
    }
}

const ENOBUFS: i32 = 105;
const MSG_TRUNC: i32 = 0x20;

/// `RTM_NEWLINK` is sent for a new link and for every change of flags, address or master of an old one.
fn appeared_or_changed(inventory: &mut BTreeMap<u32, Known>, link: LinkMessage) -> Option<LinkEvent> {
    match inventory.get_mut(&link.ifindex) {
        Some(known) => {
            let before = (known.name, known.ethernet, known.ppp);
            if let Some(name) = link.name {
                known.name = name;
            }
            (known.ethernet, known.ppp) = (link.ethernet, link.ppp);
            if before != (known.name, known.ethernet, known.ppp) {
                known.last = link.counters.unwrap_or(known.last);
                return Some(LinkEvent::Changed(known.reading(link.ifindex)));
            }
            // Less than what was read is older news, or a driver's that sets figures back as its link goes down.
            known.last =
                link.counters.filter(|told| largest(*told, known.last) == *told).unwrap_or(known.last);
            None
        }
        None => {
            let known = Known {
                name: link.name?,
                ethernet: link.ethernet,
                ppp: link.ppp,
                last: link.counters.unwrap_or_default(),
            };
            let reading = known.reading(link.ifindex);
            inventory.insert(link.ifindex, known);
            Some(LinkEvent::Appeared(reading))
        }
    }
}

fn vanished(inventory: &mut BTreeMap<u32, Known>, link: LinkMessage) -> Option<LinkEvent> {
    let known = inventory.remove(&link.ifindex);
    let (last_name, last) = known.map(|known| (known.name, known.last)).unzip();
    let (counters, set_back) = match (link.counters, last) {
        (Some(told), Some(last)) => (largest(told, last), sets_back(told, last)),
        (told, last) => (told.or(last)?, false),
    };
    let reading = LinkReading {
        ifindex: IfIndex(link.ifindex),
        name: link.name.or(last_name)?,
        ethernet: link.ethernet,
        ppp: link.ppp,
        counters,
    };
    Some(LinkEvent::Vanished(LinkEnd { reading, set_back }))
}

/// Whether a link that went with figures below those last read counted anything in between: one of them grew, or fell
/// and counted anew, or none is left to tell. An idle veth end says 0 received and as much sent as before.
fn sets_back(told: LinkCounters, last: LinkCounters) -> bool {
    let ways = [(told.rx_bytes, last.rx_bytes), (told.tx_bytes, last.tx_bytes)];
    let fell = ways.iter().any(|(told, last)| told < last);
    let used = ways.iter().any(|(told, last)| told > last || (*told > 0 && told < last));
    fell && (used || ways.iter().all(|(told, last)| told < last))
}

/// Some drivers set figures back while they dismantle a link: a veth pair, whose received bytes are its
/// peer's sent ones, loses sight of its peer first. What was once read stays.
fn largest(told: LinkCounters, last: LinkCounters) -> LinkCounters {
    LinkCounters {
        rx_bytes: told.rx_bytes.max(last.rx_bytes),
        rx_packets: told.rx_packets.max(last.rx_packets),
        tx_bytes: told.tx_bytes.max(last.tx_bytes),
        tx_packets: told.tx_packets.max(last.tx_packets),
    }
}

/// Binds the socket, and connects it: then the kernel refuses messages that another process sends here.
fn connect(socket: &mut Socket) -> io::Result<()> {
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))
}

fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    let mut room: &mut [u8] = buffer;
    socket.recv(&mut room, MSG_TRUNC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: Option<&str>, ethernet: bool, rx: Option<u64>) -> LinkMessage {
        LinkMessage {
            ifindex: 5,
            name: name.map(Into::into),
            ethernet,
            ppp: false,
            counters: rx.map(|rx_bytes| LinkCounters { rx_bytes, ..LinkCounters::default() }),
        }
    }

    #[test]
    fn a_change_of_link_type_is_told() {
        let mut inventory = BTreeMap::new();
        appeared_or_changed(&mut inventory, message(Some("wwan0"), true, Some(1)));
        assert_eq!(appeared_or_changed(&mut inventory, message(Some("wwan0"), true, Some(2))), None);
        let Some(LinkEvent::Changed(link)) =
            appeared_or_changed(&mut inventory, message(Some("wwan0"), false, Some(3)))
        else {
            panic!("a modem switched to raw IP counts differently");
        };
        assert_eq!((link.ethernet, link.counters.rx_bytes), (false, 3));
    }

    #[test]
    fn final_counters_never_fall_below_what_was_read() {
        let mut inventory = BTreeMap::new();
        for (told, end) in [(Some(900), 900), (Some(0), 500), (None, 500)] {
            appeared_or_changed(&mut inventory, message(Some("wwan0"), true, Some(500)));
            appeared_or_changed(&mut inventory, message(Some("wwan0"), true, Some(0)));
            let Some(LinkEvent::Vanished(LinkEnd { reading, .. })) =
                vanished(&mut inventory, message(None, true, told))
            else {
                panic!("the name is known");
            };
            assert_eq!((reading.name.as_str(), reading.counters.rx_bytes), ("wwan0", end));
        }
        assert_eq!(
            vanished(&mut inventory, message(None, true, Some(1))),
            None,
            "nothing known, nothing told"
        );
    }

    #[test]
    fn figures_that_are_set_back_leave_something_open_where_the_link_was_in_use() {
        let counters = |(rx_bytes, tx_bytes)| LinkCounters { rx_bytes, tx_bytes, ..LinkCounters::default() };
        for (told, last, open) in [
            ((500, 80), (500, 80), false),
            ((700, 90), (500, 80), false),
            ((0, 80), (500, 80), false),
            ((500, 0), (500, 80), false),
            ((0, 81), (500, 80), true),
            ((501, 0), (500, 80), true),
            ((3, 80), (500, 80), true),
            ((0, 0), (500, 80), true),
            ((3, 4), (500, 80), true),
            ((0, 0), (0, 0), false),
            ((0, 80), (0, 0), false),
        ] {
            assert_eq!(sets_back(counters(told), counters(last)), open, "{told:?} after {last:?}");
        }
    }
}
