//! FUSE's messages: `include/uapi/linux/fuse.h`, version 7.31. Numbers are in the machine's own order.

use rustix::io::Errno;

use crate::tree::{Content, Node};

/// Most that one write brings; the message around it needs less than a page.
pub(crate) const MOST_WRITTEN: u32 = 1 << 20;

/// The head of every request (`fuse_in_header`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) opcode: u32,
    pub(crate) unique: u64,
    pub(crate) node: u64,
}

/// Reads a request from its front.
pub(crate) struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    pub(crate) fn begin(bytes: &'a [u8]) -> (Head, Self) {
        let mut message = Self(bytes);
        message.skip(4);
        let head = Head { opcode: message.u32(), unique: message.u64(), node: message.u64() };
        message.skip(16);
        (head, message)
    }

    pub(crate) fn u32(&mut self) -> u32 {
        let (head, rest) = self.0.split_first_chunk().expect("the kernel sends whole messages");
        self.0 = rest;
        u32::from_ne_bytes(*head)
    }

    pub(crate) fn u64(&mut self) -> u64 {
        let (head, rest) = self.0.split_first_chunk().expect("the kernel sends whole messages");
        self.0 = rest;
        u64::from_ne_bytes(*head)
    }

    pub(crate) fn length(&mut self) -> usize {
        usize::try_from(self.u64()).expect("sizes fit")
    }

    pub(crate) fn skip(&mut self, bytes: usize) {
        self.0 = &self.0[bytes..];
    }

    /// A name, which ends with a NUL.
    pub(crate) fn name(&mut self) -> Result<String, Errno> {
        let end = self.0.iter().position(|byte| *byte == 0).expect("a name ends");
        let (name, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        String::from_utf8(name.to_vec()).map_err(|_| Errno::ILSEQ)
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Writes an answer.
#[derive(Debug, Default)]
pub(crate) struct Answer(pub(crate) Vec<u8>);

impl Answer {
    pub(crate) fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    pub(crate) fn length(self, value: usize) -> Self {
        self.u64(u64::try_from(value).expect("sizes fit"))
    }

    pub(crate) fn zeros(mut self, bytes: usize) -> Self {
        self.0.resize(self.0.len() + bytes, 0);
        self
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// `fuse_attr`.
    pub(crate) fn attributes(self, ino: u64, node: &Node) -> Self {
        let (kind, size) = match &node.content {
            Content::File(bytes) => (0o100_000, bytes.len()),
            Content::Dir(_) => (0o040_000, 0),
        };
        let time = node.changed;
        self.u64(ino)
            .length(size)
            .length(size.div_ceil(512))
            .u64(time)
            .u64(time)
            .u64(time)
            .zeros(12)
            .u32(kind | node.mode)
            .u32(1)
            .u32(rustix::process::geteuid().as_raw())
            .u32(rustix::process::getegid().as_raw())
            .u32(0)
            .u32(512)
            .u32(0)
    }

    /// `fuse_entry_out`: nothing of it may be remembered.
    pub(crate) fn entry(self, ino: u64, node: &Node) -> Self {
        self.u64(ino).zeros(32).attributes(ino, node)
    }

    /// `fuse_open_out`: reads and writes come here, each as it is made (`FOPEN_DIRECT_IO`).
    pub(crate) fn opened(self) -> Self {
        self.u64(0).u32(1).u32(0)
    }

    /// `fuse_init_out`: one request at a time is enough.
    pub(crate) fn init() -> Self {
        const BIG_WRITES_AND_MAX_PAGES: u32 = (1 << 5) | (1 << 22);
        Self::default()
            .u32(7)
            .u32(31)
            .u32(0)
            .u32(BIG_WRITES_AND_MAX_PAGES)
            .u16(8)
            .u16(8)
            .u32(MOST_WRITTEN)
            .u32(1)
            .u16(256)
            .u16(0)
            .zeros(32)
    }

    /// One entry of a directory (`fuse_dirent`), with where to go on after it.
    pub(crate) fn dirent(self, ino: u64, next: usize, name: &str, directory: bool) -> Self {
        let length = u32::try_from(name.len()).expect("names are short");
        let padding = name.len().next_multiple_of(8) - name.len();
        self.u64(ino)
            .length(next)
            .u32(length)
            .u32(if directory { 4 } else { 8 })
            .bytes(name.as_bytes())
            .zeros(padding)
    }

    /// `fuse_out_header` and what follows it.
    pub(crate) fn message(unique: u64, answer: Result<Self, Errno>) -> Vec<u8> {
        let (error, body) = match answer {
            Ok(body) => (0, body.0),
            Err(error) => (-error.raw_os_error(), Vec::new()),
        };
        let length = u32::try_from(16 + body.len()).expect("answers are short");
        let mut out = Self::default().u32(length).0;
        out.extend(error.to_ne_bytes());
        Self(out).u64(unique).bytes(&body).0
    }
}
