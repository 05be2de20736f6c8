//! What nftables tells of its changes, and of quotas that are used up.

use std::future::poll_fn;
use std::io;

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{AsyncSocket as _, SocketAddr, TokioSocket};

use crate::error::TableError;
use crate::wire::{self, Incoming};

/// `NFNLGRP_NFTABLES`.
const GROUP: u32 = 7;
/// A big ruleset of somebody else arrives in datagrams no longer than this; a longer one is not about ours.
const BUFFER: usize = 64 * 1024;
/// Room for a flood of other programs' changes.
const ROOM: u32 = 1024 * 1024;
const ENOBUFS: i32 = 105;

/// Follows nftables. Takes `CAP_NET_ADMIN`, as changing it does.
pub struct Watch {
    socket: TokioSocket,
    buffer: Vec<u8>,
}

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived {
    /// Messages, in order.
    Messages(Vec<Incoming>),
    /// The kernel dropped some.
    Overrun,
}

impl Watch {
    /// Begins to follow. Runs inside a tokio runtime.
    ///
    /// # Errors
    /// Without `CAP_NET_ADMIN`.
    pub fn open() -> Result<Self, TableError> {
        let failed = |action, source| TableError::Socket { action, source };
        let mut socket =
            TokioSocket::new(NETLINK_NETFILTER).map_err(|e| failed("open the listening socket", e))?;
        socket.socket_mut().bind_auto().map_err(|e| failed("bind the listening socket", e))?;
        // Connected to the kernel: nobody else can send here.
        socket
            .socket_ref()
            .connect(&SocketAddr::new(0, 0))
            .map_err(|e| failed("connect the listening socket", e))?;
        // As much as the system allows; less is made good by taking stock.
        let _ = socket.socket_ref().set_rx_buf_sz(ROOM);
        socket.socket_ref().add_membership(GROUP).map_err(|error| {
            if error.kind() == io::ErrorKind::PermissionDenied {
                TableError::NotPermitted
            } else {
                failed("follow nftables", error)
            }
        })?;
        Ok(Self { socket, buffer: vec![0; BUFFER] })
    }

    /// Waits for the next messages. Cancel-safe.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn next(&mut self) -> Result<Arrived, TableError> {
        let Self { socket, buffer } = self;
        let received = poll_fn(|context| {
            let mut room: &mut [u8] = buffer;
            let whole = room.len();
            let polled = socket.poll_recv(context, &mut room);
            polled.map_ok(|()| whole.saturating_sub(room.len()))
        })
        .await;
        match received {
            Ok(length) => {
                Ok(Arrived::Messages(wire::messages(buffer.get(..length).unwrap_or_default()).collect()))
            }
            Err(error) if error.raw_os_error() == Some(ENOBUFS) => Ok(Arrived::Overrun),
            Err(source) => Err(TableError::Socket { action: "follow nftables", source }),
        }
    }
}
