//! Asking the kernel for a whole list: of links, or of their counters.

use std::io;

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;
use simbell_core::counter::LinkCounters;

use super::wire::{self, Framed, LinkMessage, Message};
use super::{LinksError, connect, receive};

/// How often a list that changed while it was told is asked for again.
const ATTEMPTS: u32 = 4;
/// The kernel never makes a datagram of a dump bigger than this by far.
const BUFFER_MOST: usize = 1024 * 1024;

/// A socket for dumps. They are read into the caller's buffer, [`super::BUFFER`] long or longer.
pub struct Dump {
    /// Absent after a dump that went wrong: the kernel may not have ended it, and answers nothing else.
    socket: Option<Socket>,
    sequence: u32,
}

/// How a list was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Whole,
    /// Links came or went meanwhile: the list may lack one that was there all the time.
    Interrupted,
}

impl Dump {
    /// Opens the socket.
    pub fn open() -> Result<Self, LinksError> {
        Ok(Self { socket: Some(open_socket()?), sequence: 0 })
    }

    /// The counters of every link by interface index into `found`: `RTM_GETSTATS`, two system calls on a small
    /// system.
    pub fn counters(
        &mut self,
        buffer: &mut Vec<u8>,
        found: &mut Vec<(u32, LinkCounters)>,
    ) -> Result<(), LinksError> {
        // Each figure is right whatever came or went meanwhile, so an interrupted dump is as good.
        self.ask("counters", wire::stats_request, buffer, found, |message| match message {
            Message::Stats(ifindex, counters) => Some((ifindex, counters)),
            _ => None,
        })?;
        Ok(())
    }

    /// Every link with its name, type and counters: `RTM_GETLINK`.
    pub fn links(&mut self, buffer: &mut Vec<u8>) -> Result<Vec<LinkMessage>, LinksError> {
        let mut found = Vec::new();
        for _ in 0..ATTEMPTS {
            let told =
                self.ask("links", wire::links_request, buffer, &mut found, |message| match message {
                    Message::NewLink(link) => Some(*link),
                    _ => None,
                })?;
            if told == Told::Whole {
                break;
            }
        }
        Ok(found)
    }

    fn ask<const N: usize, T>(
        &mut self,
        what: &'static str,
        request: fn(u32) -> [u8; N],
        buffer: &mut Vec<u8>,
        found: &mut Vec<T>,
        pick: fn(Message) -> Option<T>,
    ) -> Result<Told, LinksError> {
        let mut asked = self.ask_once(what, request, buffer, found, pick);
        if matches!(asked, Err(LinksError::NoEnd { .. })) {
            asked = self.ask_once(what, request, buffer, found, pick);
        }
        asked
    }

    fn ask_once<const N: usize, T>(
        &mut self,
        what: &'static str,
        request: fn(u32) -> [u8; N],
        buffer: &mut Vec<u8>,
        found: &mut Vec<T>,
        pick: fn(Message) -> Option<T>,
    ) -> Result<Told, LinksError> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => open_socket()?,
        };
        // Never 0, which notifications carry.
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        socket
            .send(&request(self.sequence), 0)
            .map_err(|source| LinksError::Socket { action: "ask the kernel", source })?;
        found.clear();
        let mut told = Told::Whole;
        loop {
            // A dump is told synchronously: nothing to read means that nothing will come.
            let length = match receive(&socket, buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(LinksError::NoEnd { what });
                }
                Err(source) => return Err(LinksError::Socket { action: "read the kernel's answer", source }),
            };
            if length > buffer.len() {
                let room = length.next_power_of_two().min(BUFFER_MOST);
                buffer.resize(room.max(buffer.len()), 0);
                return Err(LinksError::NoEnd { what });
            }
            for Framed { sequence, interrupted, message } in
                wire::messages(buffer.get(..length).unwrap_or_default())
            {
                if sequence != self.sequence {
                    continue;
                }
                if interrupted {
                    told = Told::Interrupted;
                }
                match message {
                    Message::Done(0) => {
                        self.socket = Some(socket);
                        return Ok(told);
                    }
                    Message::Done(errno) | Message::Error(errno) => {
                        let source = io::Error::from_raw_os_error(errno);
                        return Err(LinksError::Refused { what, source });
                    }
                    message => found.extend(pick(message)),
                }
            }
        }
    }
}

fn open_socket() -> Result<Socket, LinksError> {
    let open = || {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_non_blocking(true)?;
        connect(&mut socket)?;
        Ok(socket)
    };
    open().map_err(|source| LinksError::Socket { action: "open the asking socket", source })
}
