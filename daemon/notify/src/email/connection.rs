//! The connection to an SMTP server, up to TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// First byte of a TLS handshake record (RFC 8446, section 5.1); no SMTP command begins with it.
const HANDSHAKE: u8 = 22;

/// Why there is no connection.
pub(super) enum ConnectError {
    /// The name could not be found, or no address took the connection.
    Tcp(io::Error),
    /// The server, or TLS.
    Smtp(SmtpError),
}

/// Connects to `host`, with TLS from the first byte where `implicit` is given, and says hello.
///
/// Each address of the host gets its share of `timeout`: one that swallows packets, as broken IPv6 does, does
/// not use up the time of the next.
pub(super) async fn connect(
    host: &str,
    port: u16,
    hello: &ClientId,
    implicit: Option<TlsParameters>,
    timeout: Duration,
) -> Result<AsyncSmtpConnection, ConnectError> {
    let addresses: Vec<SocketAddr> =
        tokio::net::lookup_host((host, port)).await.map_err(ConnectError::Tcp)?.collect();
    let shares = u32::try_from(addresses.len()).unwrap_or(u32::MAX).saturating_add(1);
    let share = timeout / shares;
    if implicit.is_some() {
        let connecting =
            AsyncSmtpConnection::connect_tokio1(&addresses[..], Some(share), hello, implicit, None);
        return connecting.await.map_err(ConnectError::Smtp);
    }
    let stream = any_of(&addresses, share).await.map_err(ConnectError::Tcp)?;
    let stream = Box::new(LineByLine { stream, tls: false });
    AsyncSmtpConnection::connect_with_transport(stream, hello).await.map_err(ConnectError::Smtp)
}

async fn any_of(addresses: &[SocketAddr], share: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "no answer to the connection attempt"),
        }
    }
    Err(last)
}

/// A stream that hands out at most one line a read until TLS begins.
///
/// What somebody on the way puts behind the answer to STARTTLS, unprotected, is then not kept in the SMTP
/// client's buffer as the server's next answers: it meets the TLS handshake, which fails.
#[derive(Debug)]
struct LineByLine {
    stream: TcpStream,
    tls: bool,
}

impl AsyncTokioStream for LineByLine {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for LineByLine {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.tls {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let mut bytes = [0_u8; 1024];
        let room = buf.remaining().min(bytes.len());
        let mut peeked = ReadBuf::new(&mut bytes[..room]);
        let count = ready!(self.stream.poll_peek(cx, &mut peeked))?;
        let line = peeked.filled().iter().position(|byte| *byte == b'\n');
        let count = line.map_or(count, |at| at.saturating_add(1));
        let mut read = ReadBuf::new(&mut bytes[..count]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LineByLine {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.tls |= buf.first() == Some(&HANDSHAKE);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
