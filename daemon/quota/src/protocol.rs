//! What simbelld and the helper say to each other: one JSON object a line, over a Unix stream socket.
//!
//! The client says [`Request::Hello`] first and is answered [`Reply::Hello`]. Every [`Request::Arm`] is answered
//! [`Reply::Armed`] or [`Reply::Refused`], every [`Request::Disarm`] [`Reply::Disarmed`]; [`Reply::Crossed`] and
//! [`Reply::Lost`] come by themselves. Closing the connection disarms everything.

use serde::{Deserialize, Serialize};

/// The version of this protocol.
pub const VERSION: u32 = 1;
/// A longer line ends the connection.
pub const LINE_MOST: usize = 4096;
/// At most so many quotas are armed.
pub const QUOTAS_MOST: usize = 256;
/// At most so many links share a quota.
pub const LINKS_MOST: usize = 16;
/// At most so many bytes may be left: 4 EiB, so that what was consumed before fits beside it into 63 bits.
pub const BYTES_MOST: u64 = 1 << 62;
/// Where the helper listens.
pub const SOCKET: &str = "/run/simbell-quota/quota.sock";

/// What simbelld asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Who asks; the first line.
    Hello {
        /// [`VERSION`].
        version: u32,
    },
    /// Tell when so many bytes more have passed.
    Arm(Arm),
    /// Forget it.
    Disarm {
        /// Which.
        id: u32,
    },
}

/// One quota to arm, or to arm anew in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Arm {
    /// The asker's own number for it.
    pub id: u32,
    /// Interface indices; 1 to [`LINKS_MOST`]. What passes on any of them counts. Indices and not names: a name is
    /// hostile text, and moves to another interface.
    pub links: Vec<u32>,
    /// Which direction counts.
    pub counts: Counts,
    /// IP bytes from now on, 1 to [`BYTES_MOST`]: told at the packet that makes it so many or more.
    pub bytes: u64,
}

/// Which direction counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// Received and sent together.
    Both,
    /// Received only.
    Download,
    /// Sent only.
    Upload,
}

/// What the helper says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reply {
    /// It is ready.
    Hello {
        /// [`VERSION`].
        version: u32,
    },
    /// It counts from now on.
    Armed {
        /// Which.
        id: u32,
    },
    /// It is forgotten.
    Disarmed {
        /// Which.
        id: u32,
    },
    /// As many bytes have passed. Told once for each time it was armed; counting goes on.
    Crossed {
        /// Which.
        id: u32,
    },
    /// It was not done.
    Refused {
        /// Which, where one was meant.
        id: Option<u32>,
        /// A stable name of the reason, such as `too-many`.
        kind: String,
        /// In words.
        text: String,
    },
    /// Another program changed or removed the table: nothing is armed any more.
    Lost {
        /// In words.
        text: String,
    },
}

impl Counts {
    /// Whether received bytes count.
    #[must_use]
    pub const fn received(self) -> bool {
        matches!(self, Self::Both | Self::Download)
    }

    /// Whether sent bytes count.
    #[must_use]
    pub const fn sent(self) -> bool {
        matches!(self, Self::Both | Self::Upload)
    }
}

/// A message as the line that goes over the socket.
///
/// # Errors
/// Never, as these messages are made.
pub fn line<T: Serialize>(message: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Lines out of what a socket gives piece by piece.
#[derive(Debug, Default)]
pub struct Lines {
    buffer: Vec<u8>,
}

/// A line was longer than [`LINE_MOST`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a line is longer than {LINE_MOST} bytes")]
pub struct LineTooLong;

impl Lines {
    /// Takes in what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether nothing came that was not given out as a line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole line without its end.
    ///
    /// # Errors
    /// When it is too long: the connection cannot go on.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, LineTooLong> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n');
        match end {
            Some(end) if end <= LINE_MOST => {
                let rest = self.buffer.split_off(end.saturating_add(1));
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                Ok(Some(line))
            }
            None if self.buffer.len() <= LINE_MOST => Ok(None),
            _ => Err(LineTooLong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_look_as_documented() {
        let arm = Request::Arm(Arm { id: 3, links: vec![7], counts: Counts::Both, bytes: 1_000 });
        let text = r#"{"arm":{"id":3,"links":[7],"counts":"both","bytes":1000}}"#;
        assert_eq!(line(&arm).unwrap(), format!("{text}\n").into_bytes());
        assert_eq!(serde_json::from_str::<Request>(text).unwrap(), arm);
        assert_eq!(
            line(&Reply::Crossed { id: 3 }).unwrap(),
            b"{\"crossed\":{\"id\":3}}\n",
            "the helper's side too"
        );
        for bad in ["", "{}", "{\"arm\":{}}", "{\"disarm\":{\"id\":-1}}", "{\"disarm\":{\"id\":1,\"x\":1}}"] {
            assert!(serde_json::from_str::<Request>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lines_come_whole_and_bounded() {
        let mut lines = Lines::default();
        lines.push(b"one\ntw");
        assert_eq!(lines.next_line(), Ok(Some(b"one".to_vec())));
        assert_eq!(lines.next_line(), Ok(None));
        lines.push(b"o\n\n");
        assert_eq!(lines.next_line(), Ok(Some(b"two".to_vec())));
        assert_eq!(lines.next_line(), Ok(Some(Vec::new())));
        lines.push(&[b'x'; LINE_MOST]);
        assert_eq!(lines.next_line(), Ok(None));
        lines.push(b"x\n");
        assert_eq!(lines.next_line(), Err(LineTooLong));
    }
}
