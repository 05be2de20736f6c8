//! The table `inet simbell`: two chains that see every packet once, and a quota object for whatever is armed.
//!
//! ```text
//! table inet simbell {
//!     map received { type iface_index : quota; }        # iif → the quota that its packets count against
//!     map sent { type iface_index : quota; }
//!     chain prerouting { type filter hook prerouting priority -450; policy accept; quota name iif map @received }
//!     chain postrouting { type filter hook postrouting priority 450; policy accept; quota name oif map @sent }
//! }
//! ```
//!
//! A rule with a quota and no verdict never drops anything. One rule and one look into a hash a chain, however many
//! interfaces: a packet of an interface that nobody armed pays for no more.
//!
//! The table is owned by the socket that made it (`NFT_TABLE_F_OWNER`, Linux 5.12): others can neither change nor
//! flush it, and the kernel takes it away with the socket, also after a `kill -9`. Where the kernel cannot do that,
//! the table is shared, and every change that another program makes is noticed.

use std::collections::BTreeMap;
use std::io;

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

use crate::error::TableError;
use crate::protocol::{Arm, BYTES_MOST, Counts, LINKS_MOST, QUOTAS_MOST};
use crate::ruleset::{TABLE, elements, skeleton};
use crate::wire::{self, About, Incoming, Outgoing, Quota};

/// A quota that no packet exhausts.
const PARKED: u64 = u64::MAX >> 1;

const BUFFER: usize = 64 * 1024;
const MSG_TRUNC: i32 = 0x20;
const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const EINVAL: i32 = 22;
const EOPNOTSUPP: i32 = 95;

/// Who may change the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody else, where the kernel can do that.
    Owned,
    /// Any program with the right to change nftables, as before Linux 5.12.
    Shared,
}

/// What the kernel told about the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A quota is used up: this number of the asker.
    Crossed(u32),
    /// Another program changed the table: it cannot be relied on any more.
    Tampered,
}

/// The table and what is armed in it. Gone from the kernel when dropped.
pub struct Table {
    socket: Socket,
    portid: u32,
    sequence: u32,
    sharing: Sharing,
    made: bool,
    /// The kernel's word that the table was made has arrived: what arrives before it is about an earlier one.
    announced: bool,
    /// Of the next object's name: never used twice, so that what is said about one is never taken for another.
    serial: u64,
    armed: BTreeMap<u32, Armed>,
    buffer: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Armed {
    name: String,
    links: Vec<u32>,
    counts: Counts,
    /// The object's limit, in bytes since it was made: tells one arming from the next.
    limit: u64,
    crossed: bool,
}

impl Table {
    /// Opens the socket and takes away what an earlier helper left behind. Makes nothing yet.
    ///
    /// # Errors
    /// Without `CAP_NET_ADMIN`, or while another helper runs.
    pub fn open(sharing: Sharing) -> Result<Self, TableError> {
        let failed = |action, source| TableError::Socket { action, source };
        let mut socket = Socket::new(NETLINK_NETFILTER).map_err(|e| failed("open the nftables socket", e))?;
        let address = socket.bind_auto().map_err(|e| failed("bind the nftables socket", e))?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(|e| failed("connect the nftables socket", e))?;
        socket.set_non_blocking(true).map_err(|e| failed("use the nftables socket", e))?;
        let mut table = Self {
            socket,
            portid: address.port_number(),
            sequence: 1,
            sharing,
            made: false,
            announced: false,
            serial: 0,
            armed: BTreeMap::new(),
            buffer: vec![0; BUFFER],
        };
        // Asked first, since what a refusal to delete means depends on it.
        match table.quotas() {
            Err(TableError::Refused { source, .. }) if is(&source, EPERM) => {
                return Err(TableError::NotPermitted);
            }
            Err(TableError::Refused { source, .. }) if is(&source, ENOENT) => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        table.delete_table()?;
        Ok(table)
    }

    /// Who may change the table: [`Sharing::Shared`] once the kernel has turned out to know no owner.
    #[must_use]
    pub const fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// Counts from now on, and anew where the number is armed already: in place, the object stays.
    ///
    /// # Errors
    /// When it is out of bounds or the kernel refuses; then the number is not armed.
    pub fn arm(&mut self, arm: &Arm) -> Result<(), TableError> {
        let mut links = arm.links.clone();
        links.sort_unstable();
        links.dedup();
        self.check(arm, &links)?;
        let same = self.armed.get(&arm.id).map(|armed| armed.links == links && armed.counts == arm.counts);
        let done = match same {
            Some(true) => self.arm_in_place(arm.id, arm.bytes),
            Some(false) => {
                self.disarm(arm.id)?;
                self.arm_anew(arm, links)
            }
            None => self.arm_anew(arm, links),
        };
        if done.is_err() && self.armed.contains_key(&arm.id) {
            // Half armed is not armed; the refusal says so already.
            let _ = self.disarm(arm.id);
        }
        done
    }

    /// Forgets a quota; one that is not armed is as good.
    ///
    /// # Errors
    /// When the kernel refuses; it is forgotten all the same.
    pub fn disarm(&mut self, id: u32) -> Result<(), TableError> {
        let Some(armed) = self.armed.remove(&id) else { return Ok(()) };
        let mut batch = Outgoing::batch(self.sequence);
        elements(&mut batch, wire::DELSETELEM, &armed.name, &armed.links, armed.counts);
        batch.message(wire::DELOBJ, wire::ACK, |a| a.quota_name(TABLE, &armed.name));
        self.transact("disarm a quota", batch)
    }

    /// Takes in one message of [`crate::Watch`].
    pub fn take(&mut self, message: &Incoming) -> Option<Told> {
        // A packet tells in nobody's name and in its own family, a transaction in its maker's and in the table's.
        if message.portid != 0 && message.family != wire::INET {
            return None;
        }
        match &message.about {
            About::Quota { table, name, quota } if table == TABLE => {
                self.quota_told(message.portid, name, *quota)
            }
            About::Table(table) if table == TABLE && message.portid == self.portid => {
                self.announced |= self.made && message.kind == wire::NEWTABLE;
                None
            }
            About::Table(table) if table == TABLE && self.announced => {
                let changes = [
                    wire::NEWTABLE,
                    wire::DELTABLE,
                    wire::DELCHAIN,
                    wire::DELRULE,
                    wire::DELSET,
                    wire::DELSETELEM,
                    wire::DELOBJ,
                ];
                changes.contains(&message.kind).then_some(Told::Tampered)
            }
            _ => None,
        }
    }

    /// Asks the kernel how everything stands, where it may have told more than arrived.
    ///
    /// # Errors
    /// When the kernel does not answer.
    pub fn take_stock(&mut self) -> Result<Vec<Told>, TableError> {
        if !self.made {
            return Ok(Vec::new());
        }
        let found = match self.quotas() {
            Err(TableError::Refused { source, .. }) if is(&source, ENOENT) => BTreeMap::new(),
            other => other?,
        };
        if self.armed.values().any(|armed| !found.contains_key(&armed.name)) {
            return Ok(vec![Told::Tampered]);
        }
        self.announced = true;
        let mut told = Vec::new();
        for (id, armed) in &mut self.armed {
            if !armed.crossed && found.get(&armed.name).is_some_and(|quota| quota.depleted) {
                armed.crossed = true;
                told.push(Told::Crossed(*id));
            }
        }
        Ok(told)
    }

    /// How many quotas are armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.armed.len()
    }

    /// Whether nothing is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }

    /// Forgets everything and takes the table away.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove(&mut self) -> Result<(), TableError> {
        self.armed.clear();
        self.made = false;
        self.announced = false;
        self.delete_table()
    }

    fn check(&self, arm: &Arm, links: &[u32]) -> Result<(), TableError> {
        if links.is_empty() || links.len() > LINKS_MOST {
            return Err(TableError::Invalid(format!("links has to be 1 to {LINKS_MOST} interface indices")));
        }
        if links.iter().any(|link| *link == 0 || i32::try_from(*link).is_err()) {
            return Err(TableError::Invalid("links has to be interface indices, 1 to 2147483647".to_owned()));
        }
        if !(1..=BYTES_MOST).contains(&arm.bytes) {
            return Err(TableError::Invalid(format!("bytes has to be 1 to {BYTES_MOST}")));
        }
        let others = || self.armed.iter().filter(|(id, _)| **id != arm.id).map(|(_, armed)| armed);
        if others().count() >= QUOTAS_MOST {
            return Err(TableError::TooMany);
        }
        let meets = |armed: &&Armed| {
            armed.counts.received() && arm.counts.received() || armed.counts.sent() && arm.counts.sent()
        };
        let taken = others().filter(meets).flat_map(|armed| &armed.links).find(|link| links.contains(link));
        taken.map_or(Ok(()), |link| Err(TableError::LinkTaken(*link)))
    }

    fn arm_anew(&mut self, arm: &Arm, links: Vec<u32>) -> Result<(), TableError> {
        self.make()?;
        self.serial = self.serial.wrapping_add(1);
        let armed = Armed {
            name: format!("q{}", self.serial),
            links,
            counts: arm.counts,
            limit: arm.bytes,
            crossed: false,
        };
        let mut batch = Outgoing::batch(self.sequence);
        batch.message(wire::NEWOBJ, wire::CREATE | wire::EXCL | wire::ACK, |a| {
            a.quota(TABLE, &armed.name, arm.bytes);
        });
        elements(&mut batch, wire::NEWSETELEM, &armed.name, &armed.links, armed.counts);
        self.transact("arm a quota", batch)?;
        self.armed.insert(arm.id, armed);
        Ok(())
    }

    /// The object keeps what it consumed. The kernel tells that exactly only below the limit, so that the limit is
    /// moved out of reach first; what passes meanwhile is counted.
    fn arm_in_place(&mut self, id: u32, bytes: u64) -> Result<(), TableError> {
        let Some(name) = self.armed.get(&id).map(|armed| armed.name.clone()) else { return Ok(()) };
        self.set_limit(&name, PARKED)?;
        let consumed = self.quota(&name)?.consumed;
        let limit = consumed.saturating_add(bytes).min(PARKED);
        if let Some(armed) = self.armed.get_mut(&id) {
            armed.limit = limit;
            armed.crossed = false;
        }
        self.set_limit(&name, limit)
    }

    fn set_limit(&mut self, name: &str, limit: u64) -> Result<(), TableError> {
        let mut batch = Outgoing::batch(self.sequence);
        batch.message(wire::NEWOBJ, wire::CREATE | wire::ACK, |a| a.quota(TABLE, name, limit));
        self.transact("arm a quota anew", batch)
    }

    fn quota_told(&mut self, portid: u32, name: &str, quota: Quota) -> Option<Told> {
        let (id, armed) = self.armed.iter_mut().find(|(_, armed)| armed.name == name)?;
        if portid != 0 && portid != self.portid {
            return self.announced.then_some(Told::Tampered);
        }
        if armed.crossed || quota.bytes != armed.limit {
            // Of an earlier arming.
            return None;
        }
        if quota.depleted {
            armed.crossed = true;
            return Some(Told::Crossed(*id));
        }
        if portid == 0 {
            // A packet that crossed the old limit on another processor while the new one was set: the kernel believes
            // to have told, and would stay silent.
            let (name, limit) = (armed.name.clone(), armed.limit);
            if self.set_limit(&name, limit).is_err() {
                return Some(Told::Tampered);
            }
        }
        None
    }

    fn make(&mut self) -> Result<(), TableError> {
        if self.made {
            return Ok(());
        }
        let mut made = self
            .transact("make the table inet simbell", skeleton(self.sequence, self.sharing == Sharing::Owned));
        if let Err(TableError::Refused { source, .. }) = &made
            && self.sharing == Sharing::Owned
            && (is(source, EINVAL) || is(source, EOPNOTSUPP))
        {
            self.sharing = Sharing::Shared;
            made = self.transact(
                "make the table inet simbell",
                skeleton(self.sequence, self.sharing == Sharing::Owned),
            );
        }
        self.made = made.is_ok();
        made
    }

    fn delete_table(&mut self) -> Result<(), TableError> {
        let mut batch = Outgoing::batch(self.sequence);
        batch.message(wire::DELTABLE, wire::ACK, |a| {
            a.text(wire::TABLE, TABLE);
        });
        match self.transact("remove the table inet simbell", batch) {
            Err(TableError::Refused { source, .. }) if is(&source, ENOENT) => Ok(()),
            Err(TableError::Refused { source, .. }) if is(&source, EPERM) => Err(TableError::Taken),
            other => other,
        }
    }

    fn quota(&mut self, name: &str) -> Result<Quota, TableError> {
        let mut request = Outgoing::new(self.sequence);
        request.message(wire::GETOBJ, 0, |a| a.quota_name(TABLE, name));
        let found = self.ask("read a quota", request)?;
        let missing = || TableError::Refused {
            action: "read a quota",
            source: io::Error::other("it did not answer; please report this"),
        };
        found.into_iter().next().map(|(_, quota)| quota).ok_or_else(missing)
    }

    /// Every quota of the table, by name.
    fn quotas(&mut self) -> Result<BTreeMap<String, Quota>, TableError> {
        let mut request = Outgoing::new(self.sequence);
        request.message(wire::GETOBJ, wire::DUMP, |a| {
            a.text(wire::TABLE, TABLE);
        });
        self.ask("list the quotas", request)
    }

    fn ask(
        &mut self,
        action: &'static str,
        request: Outgoing,
    ) -> Result<BTreeMap<String, Quota>, TableError> {
        self.send(action, &request)?;
        let mut found = BTreeMap::new();
        self.answers(action, &request, |about| {
            if let About::Quota { table, name, quota } = about
                && table == TABLE
            {
                found.insert(name, quota);
            }
        })?;
        Ok(found)
    }

    fn transact(&mut self, action: &'static str, mut batch: Outgoing) -> Result<(), TableError> {
        batch.commit();
        self.send(action, &batch)?;
        let done = self.answers(action, &batch, |_| {})?;
        if done {
            return Ok(());
        }
        let source = io::Error::other("it did not answer; please report this");
        Err(TableError::Refused { action, source })
    }

    fn send(&mut self, action: &'static str, out: &Outgoing) -> Result<(), TableError> {
        self.sequence = out.next();
        match self.socket.send(out.bytes(), 0) {
            Ok(_) => Ok(()),
            Err(source) => Err(TableError::Socket { action, source }),
        }
    }

    /// Reads every answer; whether something was acknowledged. The kernel answers while it is being asked: nothing to
    /// read means that nothing will come, but for a dump, which goes on as it is read.
    fn answers(
        &mut self,
        action: &'static str,
        asked: &Outgoing,
        mut each: impl FnMut(About),
    ) -> Result<bool, TableError> {
        let mut acknowledged = false;
        let mut refused = None;
        loop {
            let mut room: &mut [u8] = &mut self.buffer;
            let length = match self.socket.recv(&mut room, MSG_TRUNC) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(source) => return Err(TableError::Socket { action, source }),
            };
            for message in wire::messages(self.buffer.get(..length).unwrap_or_default()) {
                if !asked.has(message.sequence) {
                    continue;
                }
                match message.about {
                    About::Answer(0) => acknowledged = true,
                    // The first refusal is the reason, others follow from it.
                    About::Answer(errno) => refused = refused.or(Some(errno)),
                    about => each(about),
                }
            }
        }
        match refused {
            Some(errno) => Err(TableError::Refused { action, source: io::Error::from_raw_os_error(errno) }),
            None => Ok(acknowledged),
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if self.made {
            // An owned table goes with the socket, if not now; of a shared one the next start takes care.
            let _ = self.delete_table();
        }
    }
}

fn is(error: &io::Error, errno: i32) -> bool {
    error.raw_os_error() == Some(errno)
}
