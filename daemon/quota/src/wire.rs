//! The little of nf_tables' netlink protocol that quotas need: messages in, messages out.
//!
//! Sources: `linux/netlink.h`, `linux/netfilter/nfnetlink.h`, `linux/netfilter/nf_tables.h`. Headers are in host
//! order, attributes in network order; every slice is bounded by what was received, so a truncated or garbled message
//! yields less, never a panic.

/// `NFNL_SUBSYS_NFTABLES`, as the upper byte of a message type.
const NFTABLES: u16 = 10 << 8;
/// `NFT_MSG_NEWTABLE`.
pub const NEWTABLE: u16 = NFTABLES;
/// `NFT_MSG_DELTABLE`.
pub const DELTABLE: u16 = NFTABLES | 2;
/// `NFT_MSG_NEWCHAIN`.
pub const NEWCHAIN: u16 = NFTABLES | 3;
/// `NFT_MSG_DELCHAIN`.
pub const DELCHAIN: u16 = NFTABLES | 5;
/// `NFT_MSG_NEWRULE`.
pub const NEWRULE: u16 = NFTABLES | 6;
/// `NFT_MSG_DELRULE`.
pub const DELRULE: u16 = NFTABLES | 8;
/// `NFT_MSG_NEWSET`.
pub const NEWSET: u16 = NFTABLES | 9;
/// `NFT_MSG_DELSET`.
pub const DELSET: u16 = NFTABLES | 11;
/// `NFT_MSG_NEWSETELEM`.
pub const NEWSETELEM: u16 = NFTABLES | 12;
/// `NFT_MSG_DELSETELEM`.
pub const DELSETELEM: u16 = NFTABLES | 14;
/// `NFT_MSG_NEWOBJ`.
pub const NEWOBJ: u16 = NFTABLES | 18;
/// `NFT_MSG_GETOBJ`.
pub const GETOBJ: u16 = NFTABLES | 19;
/// `NFT_MSG_DELOBJ`.
pub const DELOBJ: u16 = NFTABLES | 20;

const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// `NLM_F_REQUEST`.
pub const REQUEST: u16 = 0x01;
/// `NLM_F_ACK`.
pub const ACK: u16 = 0x04;
/// `NLM_F_DUMP`.
pub const DUMP: u16 = 0x300;
/// `NLM_F_EXCL`.
pub const EXCL: u16 = 0x200;
/// `NLM_F_CREATE`.
pub const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`.
pub const APPEND: u16 = 0x800;

/// `NFPROTO_UNSPEC`: of batch headers.
const UNSPEC: u8 = 0;
/// `NFPROTO_INET`.
pub const INET: u8 = 1;

/// The first attribute of every object of nf_tables names its table: `NFTA_TABLE_NAME`, `NFTA_CHAIN_TABLE`, …
pub const TABLE: u16 = 1;
const OBJ_NAME: u16 = 2;
const OBJ_TYPE: u16 = 3;
const OBJ_DATA: u16 = 4;
/// `NFT_OBJECT_QUOTA`.
pub const QUOTA: u32 = 2;
const QUOTA_BYTES: u16 = 1;
const QUOTA_FLAGS: u16 = 2;
const QUOTA_CONSUMED: u16 = 4;
/// `NFT_QUOTA_F_DEPLETED`.
const DEPLETED: u32 = 2;

const NESTED: u16 = 0x8000;
const HEADER: usize = 16;
const NFGENMSG: usize = 4;
/// Names of ours are far shorter.
const NAME_MOST: usize = 64;

/// Messages on their way to the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    bytes: Vec<u8>,
    first: u32,
    next: u32,
}

impl Outgoing {
    /// No message yet; the first gets this sequence number.
    #[must_use]
    pub const fn new(first: u32) -> Self {
        Self { bytes: Vec::new(), first, next: first }
    }

    /// A transaction that begins here.
    #[must_use]
    pub fn batch(first: u32) -> Self {
        let mut out = Self::new(first);
        out.message_as(BATCH_BEGIN, REQUEST, UNSPEC, NFTABLES >> 8, |_| {});
        out
    }

    /// Ends the transaction.
    pub fn commit(&mut self) {
        self.message_as(BATCH_END, REQUEST, UNSPEC, NFTABLES >> 8, |_| {});
    }

    /// One message about the family `inet`.
    pub fn message(&mut self, kind: u16, flags: u16, attributes: impl FnOnce(&mut Attributes<'_>)) {
        self.message_as(kind, REQUEST | flags, INET, 0, attributes);
    }

    fn message_as(
        &mut self,
        kind: u16,
        flags: u16,
        family: u8,
        resource: u16,
        attributes: impl FnOnce(&mut Attributes<'_>),
    ) {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(self.next.to_ne_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend([family, 0]);
        self.bytes.extend(resource.to_be_bytes());
        attributes(&mut Attributes { bytes: &mut self.bytes });
        let length = u32::try_from(self.bytes.len().saturating_sub(start)).unwrap_or(0);
        if let Some(place) = self.bytes.get_mut(start..start.saturating_add(4)) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
        self.next = self.next.wrapping_add(1);
    }

    /// What goes to the kernel.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The sequence number after the last.
    #[must_use]
    pub const fn next(&self) -> u32 {
        self.next
    }

    /// Whether a message of these has this sequence number.
    #[must_use]
    pub const fn has(&self, sequence: u32) -> bool {
        sequence.wrapping_sub(self.first) < self.next.wrapping_sub(self.first)
    }
}

/// The attributes of a message on its way.
pub struct Attributes<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Attributes<'_> {
    /// A 32-bit number.
    pub fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.raw(kind, &value.to_be_bytes())
    }

    /// A 64-bit number.
    pub fn long(&mut self, kind: u16, value: u64) -> &mut Self {
        self.raw(kind, &value.to_be_bytes())
    }

    /// A text; the kernel wants its NUL.
    pub fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.raw(kind, &bytes)
    }

    /// Bytes as they are.
    pub fn raw(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = u16::try_from(value.len().saturating_add(4)).unwrap_or(u16::MAX);
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.pad();
        self
    }

    /// Attributes within an attribute.
    pub fn nested(&mut self, kind: u16, inner: impl FnOnce(&mut Attributes<'_>)) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend((kind | NESTED).to_ne_bytes());
        inner(&mut Attributes { bytes: self.bytes });
        let length = u16::try_from(self.bytes.len().saturating_sub(start)).unwrap_or(u16::MAX);
        if let Some(place) = self.bytes.get_mut(start..start.saturating_add(2)) {
            place.copy_from_slice(&length.to_ne_bytes());
        }
        self.pad();
        self
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }

    /// A quota object: its name and the bytes it lasts for.
    pub fn quota(&mut self, table: &str, name: &str, bytes: u64) {
        self.text(TABLE, table).text(OBJ_NAME, name).number(OBJ_TYPE, QUOTA);
        self.nested(OBJ_DATA, |data| {
            data.long(QUOTA_BYTES, bytes).number(QUOTA_FLAGS, 0);
        });
    }

    /// The same by name alone.
    pub fn quota_name(&mut self, table: &str, name: &str) {
        self.text(TABLE, table).text(OBJ_NAME, name).number(OBJ_TYPE, QUOTA);
    }
}

/// One message of the kernel, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_seq`.
    pub sequence: u32,
    /// `nlmsg_pid`: who caused it; 0 for a packet.
    pub portid: u32,
    /// `nfgen_family`: [`INET`] for a table of that family, but the packet's own where a packet caused it.
    pub family: u8,
    /// What it is about.
    pub about: About,
}

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The answer to a request; 0, or a positive error number.
    Answer(i32),
    /// The end of a dump.
    Done,
    /// A quota object of a table.
    Quota {
        /// The table's name.
        table: String,
        /// The object's name.
        name: String,
        /// What it stands at.
        quota: Quota,
    },
    /// Something else of a table of this name.
    Table(String),
    /// Something else.
    Other,
}

/// What a quota object stands at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// `NFTA_QUOTA_BYTES`.
    pub bytes: u64,
    /// `NFTA_QUOTA_CONSUMED`; never told beyond `bytes`.
    pub consumed: u64,
    /// `NFT_QUOTA_F_DEPLETED`.
    pub depleted: bool,
}

/// The messages of one received datagram; ends at the first one that does not fit.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Incoming> + '_ {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(rest, 0)?).ok()?;
        let (kind, sequence, portid) = (u16_at(rest, 4)?, u32_at(rest, 8)?, u32_at(rest, 12)?);
        let body = rest.get(HEADER..length)?;
        rest = rest.get(align(length)..).unwrap_or_default();
        let family = body.first().copied().unwrap_or(UNSPEC);
        Some(Incoming { kind, sequence, portid, family, about: about(kind, body) })
    })
}

fn about(kind: u16, body: &[u8]) -> About {
    match kind {
        NLMSG_ERROR => About::Answer(i32_at(body, 0).unwrap_or(0).saturating_neg()),
        NLMSG_DONE => About::Done,
        _ if kind & 0xff00 == NFTABLES => of_table(kind, body).unwrap_or(About::Other),
        _ => About::Other,
    }
}

fn of_table(kind: u16, body: &[u8]) -> Option<About> {
    let mut table = None;
    let mut name = None;
    let mut quota = None;
    let mut of_quota = false;
    for (attribute, value) in attributes(body.get(NFGENMSG..)?) {
        match attribute {
            TABLE => table = text(value),
            OBJ_NAME if kind == NEWOBJ => name = text(value),
            OBJ_TYPE if kind == NEWOBJ => {
                of_quota = value.first_chunk().is_some_and(|bytes| u32::from_be_bytes(*bytes) == QUOTA);
            }
            OBJ_DATA if kind == NEWOBJ => quota = Some(quota_data(value)),
            _ => {}
        }
    }
    let table = table?;
    match (name, quota) {
        (Some(name), Some(quota)) if of_quota => Some(About::Quota { table, name, quota }),
        _ => Some(About::Table(table)),
    }
}

fn quota_data(value: &[u8]) -> Quota {
    let mut quota = Quota::default();
    for (attribute, value) in attributes(value) {
        match attribute {
            QUOTA_BYTES => quota.bytes = be64(value).unwrap_or(0),
            QUOTA_CONSUMED => quota.consumed = be64(value).unwrap_or(0),
            QUOTA_FLAGS => {
                let flags = value.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
                quota.depleted = flags & DEPLETED != 0;
            }
            _ => {}
        }
    }
    quota
}

fn be64(value: &[u8]) -> Option<u64> {
    value.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

/// Names of ours are ASCII: any other is somebody else's, and none here.
fn text(value: &[u8]) -> Option<String> {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    let text = value.get(..end).filter(|text| text.len() <= NAME_MOST && text.is_ascii())?;
    String::from_utf8(text.to_vec()).ok()
}

fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        // The two upper bits of the kind are flags: nested, network byte order.
        let kind = u16_at(rest, 2)? & 0x3fff;
        let value = rest.get(4..length)?;
        rest = rest.get(align(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

const fn align(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn u16_at(from: &[u8], at: usize) -> Option<u16> {
    from.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn u32_at(from: &[u8], at: usize) -> Option<u32> {
    from.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn i32_at(from: &[u8], at: usize) -> Option<i32> {
    from.get(at..)?.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Outgoing::batch(7);
        out.message(NEWOBJ, CREATE | ACK, |a| a.quota("simbell", "q12", 1 << 40));
        out.commit();
        assert_eq!(out.bytes().len() % 4, 0);
        let found: Vec<_> = messages(out.bytes()).collect();
        assert_eq!(found.len(), 3);
        assert_eq!(found.iter().map(|m| m.sequence).collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(
            found[1].about,
            About::Quota {
                table: "simbell".to_owned(),
                name: "q12".to_owned(),
                quota: Quota { bytes: 1 << 40, consumed: 0, depleted: false },
            }
        );
        assert!(out.has(7) && out.has(9) && !out.has(10) && !out.has(6));
    }

    #[test]
    fn sequence_numbers_may_wrap() {
        let mut out = Outgoing::batch(u32::MAX);
        out.commit();
        assert!(out.has(u32::MAX) && out.has(0) && !out.has(1));
        assert_eq!(out.next(), 1);
    }

    #[test]
    fn a_refusal_tells_its_error_number() {
        let mut bytes = 20_u32.to_ne_bytes().to_vec();
        bytes.extend(NLMSG_ERROR.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend((-1_i32).to_ne_bytes());
        let found: Vec<_> = messages(&bytes).map(|m| m.about).collect();
        assert_eq!(found, [About::Answer(1)]);
    }

    #[test]
    fn a_name_that_is_none_of_ours_is_none() {
        assert_eq!(text(b"simbell\0"), Some("simbell".to_owned()));
        assert_eq!(text(&[b'x'; 65]), None);
        assert_eq!(text(b"\xff\0"), None);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(messages(&bytes).count() <= bytes.len() / HEADER);
        }

        #[test]
        fn random_bodies_of_known_kinds_never_panic(
            kind in prop_oneof![Just(NEWOBJ), Just(DELTABLE), Just(NEWRULE), Just(NLMSG_ERROR), Just(NLMSG_DONE)],
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut bytes = u32::try_from(body.len() + HEADER).unwrap().to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(body);
            prop_assert_eq!(messages(&bytes).count(), 1);
        }

        #[test]
        fn a_truncated_message_never_lies(cut in 0_usize..120) {
            let mut out = Outgoing::new(1);
            out.message(NEWOBJ, CREATE, |a| a.quota("simbell", "q1", 5));
            let whole = out.bytes();
            let cut = cut.min(whole.len());
            prop_assert_eq!(messages(&whole[..cut]).count(), usize::from(cut == whole.len()));
        }
    }
}
