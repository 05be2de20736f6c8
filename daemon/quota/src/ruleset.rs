//! What the table is made of, as messages.

use crate::protocol::Counts;
use crate::wire::{self, Attributes, Outgoing};

/// The table's name.
pub const TABLE: &str = "simbell";

const RECEIVED: &str = "received";
const SENT: &str = "sent";
const RECEIVED_ID: u32 = 1;
const SENT_ID: u32 = 2;

/// Before raw (-300) and defragmentation (-400): what a firewall drops has come over the air all the same, and each
/// fragment is billed with its own header.
const FIRST: i32 = -450;
/// After filters and address translation (100): what they drop is never sent.
const LAST: i32 = 450;

/// The table with its maps, chains and rules, as a transaction.
pub(crate) fn skeleton(sequence: u32, owned: bool) -> Outgoing {
    const OWNER: u32 = 2;
    let mut batch = Outgoing::batch(sequence);
    batch.message(wire::NEWTABLE, wire::CREATE | wire::EXCL | wire::ACK, |a| {
        a.text(wire::TABLE, TABLE);
        a.number(2, if owned { OWNER } else { 0 });
    });
    for (map, id) in [(RECEIVED, RECEIVED_ID), (SENT, SENT_ID)] {
        batch.message(wire::NEWSET, wire::CREATE | wire::ACK, |a| index_map(a, map, id));
    }
    const META_IIF: u32 = 4;
    const META_OIF: u32 = 5;
    const PREROUTING: u32 = 0;
    const POSTROUTING: u32 = 4;
    for (chain, hook, priority, map, id, key) in [
        ("prerouting", PREROUTING, FIRST, RECEIVED, RECEIVED_ID, META_IIF),
        ("postrouting", POSTROUTING, LAST, SENT, SENT_ID, META_OIF),
    ] {
        batch.message(wire::NEWCHAIN, wire::CREATE | wire::ACK, |a| base_chain(a, chain, hook, priority));
        batch.message(wire::NEWRULE, wire::CREATE | wire::APPEND | wire::ACK, |a| {
            a.text(wire::TABLE, TABLE).text(2, chain);
            a.nested(4, |expressions| {
                expression(expressions, "meta", |meta| {
                    // NFTA_META_DREG, NFTA_META_KEY
                    meta.number(1, REGISTER).number(2, key);
                });
                expression(expressions, "objref", |objref| {
                    // NFTA_OBJREF_SET_SREG, NFTA_OBJREF_SET_NAME, NFTA_OBJREF_SET_ID
                    objref.number(3, REGISTER).text(4, map).number(5, id);
                });
            });
        });
    }
    batch
}

/// `NFT_REG_1`.
const REGISTER: u32 = 1;

fn index_map(a: &mut Attributes<'_>, map: &str, id: u32) {
    const MAP_OF_OBJECTS: u32 = 0x40;
    /// What `nft list` calls `iface_index`; the kernel does not care.
    const IFACE_INDEX: u32 = 20;
    a.text(wire::TABLE, TABLE).text(2, map);
    // NFTA_SET_FLAGS, _KEY_TYPE, _KEY_LEN, _ID, _OBJ_TYPE
    a.number(3, MAP_OF_OBJECTS).number(4, IFACE_INDEX).number(5, 4).number(10, id).number(15, wire::QUOTA);
    // NFTA_SET_USERDATA, for `nft list`: keys are in host order.
    let mut order = vec![0, 4];
    order.extend(1_u32.to_ne_bytes());
    a.raw(13, &order);
}

fn base_chain(a: &mut Attributes<'_>, chain: &str, hook: u32, priority: i32) {
    const ACCEPT: u32 = 1;
    // NFTA_CHAIN_TABLE, _NAME, _HOOK, _POLICY, _TYPE
    a.text(wire::TABLE, TABLE).text(3, chain);
    a.nested(4, |a| {
        a.number(1, hook).raw(2, &priority.to_be_bytes());
    });
    a.number(5, ACCEPT).text(7, "filter");
}

fn expression(a: &mut Attributes<'_>, name: &str, data: impl FnOnce(&mut Attributes<'_>)) {
    const LIST_ELEM: u16 = 1;
    a.nested(LIST_ELEM, |a| {
        a.text(1, name).nested(2, data);
    });
}

/// The links of a quota in the maps: into them, or out of them again.
pub(crate) fn elements(batch: &mut Outgoing, kind: u16, name: &str, links: &[u32], counts: Counts) {
    let directions = [(counts.received(), RECEIVED), (counts.sent(), SENT)];
    let flags = if kind == wire::NEWSETELEM { wire::CREATE | wire::EXCL | wire::ACK } else { wire::ACK };
    for (_, map) in directions.into_iter().filter(|(counts, _)| *counts) {
        batch.message(kind, flags, |a| {
            // NFTA_SET_ELEM_LIST_TABLE, _SET, _ELEMENTS
            a.text(wire::TABLE, TABLE).text(2, map);
            a.nested(3, |list| {
                for link in links {
                    list.nested(1, |element| {
                        // NFTA_SET_ELEM_KEY with NFTA_DATA_VALUE; NFTA_SET_ELEM_OBJREF
                        element.nested(1, |key| {
                            key.raw(1, &link.to_ne_bytes());
                        });
                        if kind == wire::NEWSETELEM {
                            element.text(9, name);
                        }
                    });
                }
            });
        });
    }
}
