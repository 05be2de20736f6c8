//! The little of rtnetlink that counting needs: two requests, and a reader that trusts no length.
//!
//! Sources: `linux/netlink.h`, `linux/rtnetlink.h`, `linux/if_link.h`. All integers are in host order; every
//! slice is bounded by what was received, so a truncated or garbled message yields less, never a panic.

use simbell_core::counter::{LinkCounters, LinkName};

/// `RTM_NEWLINK`.
pub const NEWLINK: u16 = 16;
/// `RTM_DELLINK`.
pub const DELLINK: u16 = 17;
const GETLINK: u16 = 18;
const NEWSTATS: u16 = 92;
const GETSTATS: u16 = 94;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

const NLM_F_REQUEST: u16 = 0x01;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;

const IFLA_IFNAME: u16 = 3;
const IFLA_STATS64: u16 = 23;
const IFLA_STATS_LINK_64: u16 = 1;
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_PPP: u16 = 512;

const HEADER: usize = 16;
const IFINFOMSG: usize = 16;
const IF_STATS_MSG: usize = 12;

/// A link as one `RTM_NEWLINK` or `RTM_DELLINK` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkMessage {
    /// `ifi_index`.
    pub ifindex: u32,
    /// `IFLA_IFNAME`, control characters replaced; absent in partial messages.
    pub name: Option<LinkName>,
    /// `ifi_type` is `ARPHRD_ETHER`.
    pub ethernet: bool,
    /// `ifi_type` is `ARPHRD_PPP`.
    pub ppp: bool,
    /// `IFLA_STATS64`.
    pub counters: Option<LinkCounters>,
}

/// One message of a datagram, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// `RTM_NEWLINK`: a link is there, new or changed.
    NewLink(Box<LinkMessage>),
    /// `RTM_DELLINK`: a link is gone; the counters are final.
    DelLink(Box<LinkMessage>),
    /// `RTM_NEWSTATS`: interface index and its counters.
    Stats(u32, LinkCounters),
    /// The end of a dump; 0, or a positive error number.
    Done(i32),
    /// A refused request; a positive error number.
    Error(i32),
    /// Something else.
    Other,
}

/// One message with what its header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framed {
    /// `nlmsg_seq`: of the request it answers, 0 for notifications.
    pub sequence: u32,
    /// `NLM_F_DUMP_INTR`: the list of links changed during the dump.
    pub interrupted: bool,
    /// The message.
    pub message: Message,
}

/// A request for the 64-bit counters of every link.
#[must_use]
pub fn stats_request(sequence: u32) -> [u8; HEADER + IF_STATS_MSG] {
    let mut out = [0_u8; HEADER + IF_STATS_MSG];
    put_header(&mut out, GETSTATS, sequence);
    // if_stats_msg: family, pads and ifindex stay 0; filter_mask is a bit for each wanted attribute.
    put(&mut out, HEADER + 8, &(1_u32 << (IFLA_STATS_LINK_64 - 1)).to_ne_bytes());
    out
}

/// A request for a description of every link.
#[must_use]
pub fn links_request(sequence: u32) -> [u8; HEADER + IFINFOMSG] {
    let mut out = [0_u8; HEADER + IFINFOMSG];
    put_header(&mut out, GETLINK, sequence);
    out
}

/// The messages of one received datagram; ends at the first one that does not fit.
pub fn messages(datagram: &[u8]) -> impl Iterator<Item = Framed> + '_ {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        // One check of the length for the whole header: a reading of 64 links is made of little else.
        let header = rest.first_chunk::<HEADER>()?;
        let length = usize::try_from(u32_at(header, 0)?).ok()?;
        let (kind, flags, sequence) = (u16_at(header, 4)?, u16_at(header, 6)?, u32_at(header, 8)?);
        let body = rest.get(HEADER..length)?;
        rest = rest.get(align(length)..).unwrap_or_default();
        Some(Framed { sequence, interrupted: flags & NLM_F_DUMP_INTR != 0, message: message(kind, body) })
    })
}

#[inline]
fn message(kind: u16, body: &[u8]) -> Message {
    match kind {
        NEWLINK => link(body).map_or(Message::Other, |link| Message::NewLink(Box::new(link))),
        DELLINK => link(body).map_or(Message::Other, |link| Message::DelLink(Box::new(link))),
        NEWSTATS => stats(body).unwrap_or(Message::Other),
        // A dump that failed half-way says so in the payload of its end.
        NLMSG_DONE => Message::Done(i32_at(body, 0).unwrap_or(0).saturating_neg()),
        NLMSG_ERROR => Message::Error(i32_at(body, 0).unwrap_or(0).saturating_neg()),
        _ => Message::Other,
    }
}

fn link(body: &[u8]) -> Option<LinkMessage> {
    // Bridges announce their ports with family AF_BRIDGE: a port leaving a bridge is no link vanishing.
    if *body.first()? != 0 {
        return None;
    }
    let kind = u16_at(body, 2)?;
    let ifindex = u32::try_from(i32_at(body, 4)?).ok().filter(|index| *index != 0)?;
    let mut name = None;
    let mut counters = None;
    for (kind, value) in attributes(body.get(IFINFOMSG..)?) {
        match kind {
            IFLA_IFNAME => name = Some(link_name(value)),
            IFLA_STATS64 => counters = link_counters(value),
            _ => {}
        }
    }
    Some(LinkMessage { ifindex, name, ethernet: kind == ARPHRD_ETHER, ppp: kind == ARPHRD_PPP, counters })
}

fn stats(body: &[u8]) -> Option<Message> {
    let ifindex = u32_at(body, 4)?;
    attributes(body.get(IF_STATS_MSG..)?)
        .find(|(kind, _)| *kind == IFLA_STATS_LINK_64)
        .and_then(|(_, value)| link_counters(value))
        .map(|counters| Message::Stats(ifindex, counters))
}

/// `rtnl_link_stats64`: `rx_packets`, `tx_packets`, `rx_bytes`, `tx_bytes` come first.
fn link_counters(value: &[u8]) -> Option<LinkCounters> {
    let value = value.first_chunk::<32>()?;
    Some(LinkCounters {
        rx_packets: u64_at(value, 0)?,
        tx_packets: u64_at(value, 8)?,
        rx_bytes: u64_at(value, 16)?,
        tx_bytes: u64_at(value, 24)?,
    })
}

fn link_name(value: &[u8]) -> LinkName {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len()).min(LinkName::MOST);
    String::from_utf8_lossy(value.get(..end).unwrap_or_default())
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect::<String>()
        .into()
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

fn put_header(out: &mut [u8], kind: u16, sequence: u32) {
    let length = u32::try_from(out.len()).unwrap_or(0);
    put(out, 0, &length.to_ne_bytes());
    put(out, 4, &kind.to_ne_bytes());
    put(out, 6, &(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    put(out, 8, &sequence.to_ne_bytes());
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..at.saturating_add(bytes.len())) {
        place.copy_from_slice(bytes);
    }
}

#[inline]
fn array_at<const N: usize>(from: &[u8], at: usize) -> Option<[u8; N]> {
    from.get(at..)?.first_chunk::<N>().copied()
}

#[inline]
fn u16_at(from: &[u8], at: usize) -> Option<u16> {
    array_at(from, at).map(u16::from_ne_bytes)
}

#[inline]
fn u32_at(from: &[u8], at: usize) -> Option<u32> {
    array_at(from, at).map(u32::from_ne_bytes)
}

fn i32_at(from: &[u8], at: usize) -> Option<i32> {
    array_at(from, at).map(i32::from_ne_bytes)
}

#[inline]
fn u64_at(from: &[u8], at: usize) -> Option<u64> {
    array_at(from, at).map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut out = u16::try_from(value.len() + 4).unwrap().to_ne_bytes().to_vec();
        out.extend(kind.to_ne_bytes());
        out.extend(value);
        out.resize(align(out.len()), 0);
        out
    }

    fn framed(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let mut out = u32::try_from(body.len() + HEADER).unwrap().to_ne_bytes().to_vec();
        out.extend(kind.to_ne_bytes());
        out.extend(0_u16.to_ne_bytes());
        out.extend(sequence.to_ne_bytes());
        out.extend(0_u32.to_ne_bytes());
        out.extend(body);
        out
    }

    fn link_body(family: u8, index: i32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![family, 0];
        body.extend(ARPHRD_ETHER.to_ne_bytes());
        body.extend(index.to_ne_bytes());
        body.extend([0; 8]);
        body.extend(attributes.concat());
        body
    }

    fn counters_bytes() -> Vec<u8> {
        (1..=25_u64).flat_map(|n| (n << 33).to_ne_bytes()).collect()
    }

    #[test]
    fn a_vanishing_link_carries_its_name_and_64_bit_counters() {
        let body = link_body(
            0,
            7,
            &[attribute(IFLA_IFNAME, b"wwan0\0"), attribute(IFLA_STATS64, &counters_bytes())],
        );
        let found: Vec<_> = messages(&framed(DELLINK, 0, &body)).collect();
        assert_eq!(
            found,
            [Framed {
                sequence: 0,
                interrupted: false,
                message: Message::DelLink(Box::new(LinkMessage {
                    ifindex: 7,
                    name: Some("wwan0".into()),
                    ethernet: true,
                    ppp: false,
                    counters: Some(LinkCounters {
                        rx_packets: 1 << 33,
                        tx_packets: 2 << 33,
                        rx_bytes: 3 << 33,
                        tx_bytes: 4 << 33
                    }),
                })),
            }]
        );
    }

    /// What Linux sent of a link of type 512, to the byte.
    const NEWLINK_PPP: &[u8] = include_bytes!("newlink-ppp.bin");

    #[test]
    fn a_link_of_the_point_to_point_protocol_is_known_by_its_type() {
        let found: Vec<_> = messages(NEWLINK_PPP).map(|framed| framed.message).collect();
        let [Message::NewLink(link)] = found.as_slice() else { panic!("one link: {found:?}") };
        assert_eq!((link.name, link.ppp, link.ethernet), (Some("ppp0".into()), true, false));
        assert_eq!(link.counters, Some(LinkCounters::default()));
    }

    #[test]
    fn a_port_leaving_a_bridge_is_no_vanished_link() {
        let body = link_body(7, 7, &[attribute(IFLA_IFNAME, b"wwan0\0")]);
        let found: Vec<_> = messages(&framed(DELLINK, 0, &body)).map(|f| f.message).collect();
        assert_eq!(found, [Message::Other]);
    }

    #[test]
    fn several_messages_in_one_datagram_are_all_read() {
        let mut stats_body = vec![0; 4];
        stats_body.extend(9_u32.to_ne_bytes());
        stats_body.extend([0; 4]);
        stats_body.extend(attribute(IFLA_STATS_LINK_64, &counters_bytes()));
        let mut bytes = framed(NEWSTATS, 3, &stats_body);
        bytes.extend(framed(NLMSG_DONE, 3, &0_i32.to_ne_bytes()));
        let found: Vec<_> = messages(&bytes).collect();
        assert!(matches!(found[0], Framed { sequence: 3, message: Message::Stats(9, _), .. }));
        assert_eq!(found[1].message, Message::Done(0));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_failed_dump_tells_its_error_number() {
        let found: Vec<_> =
            messages(&framed(NLMSG_ERROR, 1, &(-95_i32).to_ne_bytes())).map(|f| f.message).collect();
        assert_eq!(found, [Message::Error(95)]);
        let found: Vec<_> =
            messages(&framed(NLMSG_DONE, 1, &(-4_i32).to_ne_bytes())).map(|f| f.message).collect();
        assert_eq!(found, [Message::Done(4)]);
    }

    #[test]
    fn short_counters_and_wild_lengths_yield_nothing() {
        let body = link_body(0, 7, &[attribute(IFLA_STATS64, &[1; 31])]);
        let Some(Framed { message: Message::NewLink(link), .. }) =
            messages(&framed(NEWLINK, 0, &body)).next()
        else {
            panic!("the link itself is whole");
        };
        assert_eq!((link.counters, link.name), (None, None));
        let mut wild = framed(NEWLINK, 0, &body);
        wild[0] = 0xff;
        assert_eq!(messages(&wild).count(), 0);
        let zero = [0_u8; 64];
        assert_eq!(messages(&zero).count(), 0, "a length below the header ends the datagram");
    }

    #[test]
    fn hostile_names_lose_their_control_characters_and_their_excess() {
        assert_eq!(link_name(b"a\x1b[2Jb").as_str(), "a\u{fffd}[2Jb");
        assert_eq!(link_name(&[b'x'; 60]).as_str(), "x".repeat(15));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(messages(&bytes).count() <= bytes.len() / HEADER);
        }

        #[test]
        fn random_bodies_of_known_kinds_never_panic(
            kind in prop_oneof![Just(NEWLINK), Just(DELLINK), Just(NEWSTATS), Just(NLMSG_DONE), Just(NLMSG_ERROR)],
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            prop_assert_eq!(messages(&framed(kind, 1, &body)).count(), 1);
        }

        #[test]
        fn a_truncated_message_never_lies(cut in 0_usize..400) {
            let body = link_body(0, 7, &[attribute(IFLA_IFNAME, b"wwan0\0"), attribute(IFLA_STATS64, &counters_bytes())]);
            let whole = framed(NEWLINK, 0, &body);
            let cut = cut.min(whole.len());
            prop_assert_eq!(messages(&whole[..cut]).count(), usize::from(cut == whole.len()));
        }
    }
}
