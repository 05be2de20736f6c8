//! A reader of exports. A whole ledger passes through it: parts are read into one buffer and taken apart where they
//! lie, each once.

use std::ffi::CStr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{Client, ClientError, outgoing};
use crate::export::{ExportPart, ExportUsageParams};
use crate::method::Method;

/// How long the next part may take.
const PART_TIMEOUT: Duration = Duration::from_secs(60);
/// Read at once, bytes.
const CHUNK: usize = 128 * 1024;

/// An export on its way.
#[derive(Debug)]
pub struct Export {
    stream: UnixStream,
    client: Client,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Where in the buffer the next message begins, and up to where it was searched for an end.
    begins: usize,
    searched: usize,
    ended: bool,
}

#[derive(Debug, Deserialize)]
struct Incoming {
    parameters: Option<ExportPart>,
    #[serde(default)]
    continues: bool,
}

impl Export {
    pub(super) async fn begin(client: Client, params: &ExportUsageParams) -> Result<Self, ClientError> {
        let path = client.path.clone();
        let lost = |error| ClientError::lost(&path, zlink::Error::Io(error));
        let mut stream = UnixStream::connect(&path).await.map_err(lost)?;
        let call = outgoing(Method::ExportUsage, params)?.set_more(true);
        let mut bytes = serde_json::to_vec(&call).map_err(|error| ClientError::Protocol {
            message: format!("the call could not be written: {error}"),
            skew: None,
        })?;
        bytes.push(0);
        stream.write_all(&bytes).await.map_err(lost)?;
        Ok(Self { stream, client, path, buffer: Vec::new(), begins: 0, searched: 0, ended: false })
    }

    /// The next part; none when the service has said all.
    ///
    /// # Errors
    /// What the service refused, or that the connection was lost.
    pub async fn next(&mut self) -> Result<Option<ExportPart>, ClientError> {
        if self.ended {
            return Ok(None);
        }
        let end = self.message().await?;
        let message = self.buffer.get(self.begins..end).unwrap_or_default();
        let Ok(Incoming { parameters: Some(part), continues }) = serde_json::from_slice(message) else {
            self.ended = true;
            let error = serde_json::from_slice(message).map_err(|error| ClientError::Protocol {
                message: format!("a part of the export could not be read: {error}"),
                skew: self.client.skew(),
            })?;
            return Err(self.client.refused(error));
        };
        self.begins = end.saturating_add(1);
        self.searched = self.begins;
        self.ended = !continues;
        Ok(Some(part))
    }

    /// Reads until a whole message is there; says where it ends.
    async fn message(&mut self) -> Result<usize, ClientError> {
        loop {
            // The library's own search for a NUL, which is fast.
            let unseen = self.buffer.get(self.searched..).unwrap_or_default();
            if let Ok(found) = CStr::from_bytes_until_nul(unseen) {
                return Ok(self.searched.saturating_add(found.count_bytes()));
            }
            self.searched = self.buffer.len();
            if self.begins > 0 {
                self.buffer.drain(..self.begins);
                self.searched = self.searched.saturating_sub(self.begins);
                self.begins = 0;
            }
            self.buffer.reserve(CHUNK);
            let read = tokio::time::timeout(PART_TIMEOUT, self.stream.read_buf(&mut self.buffer)).await;
            match read {
                Ok(Ok(0)) => {
                    let error = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                    return Err(ClientError::lost(&self.path, zlink::Error::Io(error)));
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(ClientError::lost(&self.path, zlink::Error::Io(error))),
                Err(_) => {
                    return Err(ClientError::Stuck {
                        path: self.path.clone(),
                        seconds: PART_TIMEOUT.as_secs(),
                    });
                }
            }
        }
    }
}
