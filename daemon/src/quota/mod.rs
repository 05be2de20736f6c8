//! Quotas: the helper with `CAP_NET_ADMIN`, where there is one, wakes the engine at the packet that crosses a threshold.
//!
//! It makes a crossing be noticed earlier and nothing else: the counters are read then as they are at any other
//! reading, and readings go on as they would without it. What is armed is a number of bytes, kept here as a position of
//! the links' own counters: as long as traffic counts byte for byte that position stays, and an armed quota needs no
//! touch.

mod client;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use simbell_core::counter::LinkReading;
use simbell_core::ident::{Iccid, IfIndex};
use simbell_core::ledger::Volume;
use simbell_core::plan::Counts;
use simbell_core::state::Threshold;
use simbell_quota::protocol::{self, Arm, QUOTAS_MOST, Reply, Request};
use tokio::time::Instant;

use client::{Client, News};

/// A quota counts a packet as the network stack sees it: many that were merged into one, or are still to be split, show
/// one header for all. So that none comes late by what the others weigh, a long way is gone in parts, and the counters
/// are read at the end of each: a sixteenth is more than headers of 72 bytes take in packets of 1,280.
const HEADERS: u64 = 16;
/// A way this short is gone at once.
const SHORT: u64 = 64 * 1024;

/// Wakes that lead nowhere, as in a zero-rated hour, are worth so many in [`FIRES_WITHIN`]; then readings have to do.
const FIRES_MOST: u32 = 64;
const FIRES_WITHIN: Duration = Duration::from_secs(10);

/// What the helper refused is asked for again after this long.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// Another program that removes the table again and again is given way.
const GIVE_WAY_FIRST: Duration = Duration::from_secs(1);
const GIVE_WAY_MOST: Duration = Duration::from_secs(300);
/// After a peace this long what happened before is forgotten.
const PEACE: Duration = Duration::from_secs(600);

/// The quotas that are armed.
pub struct Quotas {
    path: Option<PathBuf>,
    client: Option<Client>,
    /// The number of the connection; none while there is none.
    up: Option<u64>,
    armed: BTreeMap<Iccid, Armed>,
    /// Numbers that the helper knows SIMs by.
    numbers: BTreeMap<Iccid, u32>,
    losses: Losses,
    /// The helper refused something, and nothing was well since.
    refused: bool,
}

/// What follows from news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follows {
    /// Nothing but that something may have to be armed.
    Nothing,
    /// The counters are to be read at once.
    Reading,
    /// Something is wrong, in words, or well again.
    Health(Option<String>),
}

/// What arming came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arming {
    /// It was asked for.
    Asked,
    /// A threshold has been passed since the counters were read last.
    Passed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Armed {
    links: Vec<IfIndex>,
    counts: Counts,
    /// The sum of the links' counters, in the directions that count, at which the threshold is met.
    target: u128,
    standing: Standing,
    fires: u32,
    fires_since: Instant,
}

/// How far the helper is with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It counts.
    Armed,
    /// It has told; armed anew it tells again.
    Fired,
    /// It was refused then; it is not asked for again for [`REFUSED_FOR`], unless something changes.
    Refused(Instant),
}

#[derive(Debug, Clone, Copy, Default)]
struct Losses {
    row: u32,
    last: Option<Instant>,
    resume: Option<Instant>,
}

impl Armed {
    const fn is_refused(&self) -> bool {
        matches!(self.standing, Standing::Refused(_))
    }
}

impl Quotas {
    /// With the helper that listens there; none to do without one.
    #[must_use]
    pub fn new(path: Option<PathBuf>) -> Self {
        let client = path.clone().map(Client::start);
        Self {
            path,
            client,
            up: None,
            armed: BTreeMap::new(),
            numbers: BTreeMap::new(),
            losses: Losses::default(),
            refused: false,
        }
    }

    /// Takes another helper, or none, into use; whether it is another one.
    pub fn change(&mut self, path: Option<PathBuf>) -> bool {
        let other = self.path != path;
        if other {
            *self = Self::new(path);
        }
        other
    }

    /// Whether something can be armed now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.up.is_some() && self.losses.resume.is_none()
    }

    /// Waits for news of the helper, or for the end of a pause. Cancel-safe.
    pub async fn news(&mut self) -> Follows {
        let resume = self.losses.resume;
        let Some(client) = &mut self.client else { return std::future::pending().await };
        let news = tokio::select! {
            news = client.news() => news,
            () = sleep_until(resume) => {
                self.losses.resume = None;
                return Follows::Health(None);
            }
        };
        match news {
            Some(News::Up(connection)) => {
                self.up = Some(connection);
                self.armed.clear();
                self.refused = false;
                tracing::info!("the quota helper is there");
                Follows::Health(None)
            }
            Some(News::Away(why)) => {
                self.up = None;
                self.armed.clear();
                Follows::Health(Some(away(&why)))
            }
            Some(News::Said(reply)) => self.said(reply),
            None => {
                self.client = None;
                self.up = None;
                Follows::Health(Some(away("the task that talks to it has ended; restart the service")))
            }
        }
    }

    /// Whether everything is armed as it should be. Forgets what is no longer wanted, first: a link that another SIM
    /// uses now counts against one quota only.
    pub fn fit(&mut self, wanted: &[Threshold]) -> bool {
        let is_gone = |iccid: &Iccid, armed: &Armed| {
            !wanted.iter().any(|w| w.iccid == *iccid && armed.links == links(w) && armed.counts == w.counts)
        };
        let gone = self.armed.iter().filter(|(iccid, armed)| is_gone(iccid, armed));
        let gone: Vec<Iccid> = gone.map(|(iccid, _)| iccid.clone()).collect();
        for iccid in gone {
            self.armed.remove(&iccid);
            self.disarm(&iccid);
        }
        wanted.iter().take(QUOTAS_MOST).all(|wanted| self.fits(wanted))
    }

    /// Arms what is not armed as it should be, by the counters as they are now.
    pub fn arm(&mut self, wanted: &[Threshold], now: &[LinkReading]) -> Arming {
        let mut passed = false;
        for wanted in wanted.iter().take(QUOTAS_MOST) {
            if self.fits(wanted) {
                continue;
            }
            // A link with news that were not taken in yet: it is armed after them.
            let Some(position) = position_now(wanted, now) else { continue };
            let target = target(wanted);
            match target
                .checked_sub(position)
                .and_then(|left| u64::try_from(left).ok())
                .filter(|left| *left > 0)
            {
                Some(left) => self.arm_one(wanted, target, left),
                None => passed = true,
            }
        }
        if passed { Arming::Passed } else { Arming::Asked }
    }

    fn arm_one(&mut self, wanted: &Threshold, target: u128, left: u64) {
        let links = links(wanted);
        let id = self.number(&wanted.iccid);
        let before = self.armed.get(&wanted.iccid);
        let (fires, fires_since) =
            before.map_or((0, Instant::now()), |armed| (armed.fires, armed.fires_since));
        let arm = Arm {
            id,
            links: links.iter().map(|link| link.0).collect(),
            counts: match wanted.counts {
                Counts::Both | Counts::Max => protocol::Counts::Both,
                Counts::Download => protocol::Counts::Download,
                Counts::Upload => protocol::Counts::Upload,
            },
            bytes: part(left).min(protocol::BYTES_MOST),
        };
        tracing::debug!(links = ?arm.links, bytes = arm.bytes, left, "a quota is armed");
        let armed =
            Armed { links, counts: wanted.counts, target, standing: Standing::Armed, fires, fires_since };
        self.armed.insert(wanted.iccid.clone(), armed);
        self.ask(Request::Arm(arm));
    }

    fn disarm(&mut self, iccid: &Iccid) {
        let id = self.number(iccid);
        self.ask(Request::Disarm { id });
    }

    fn ask(&mut self, request: Request) {
        let (Some(client), Some(connection)) = (&self.client, self.up) else { return };
        if !client.ask(connection, request) {
            // A helper that does not read is as good as none: begun anew, nothing is left over from before.
            *self = Self::new(self.path.take());
        }
    }

    fn number(&mut self, iccid: &Iccid) -> u32 {
        if let Some(number) = self.numbers.get(iccid) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        self.numbers.insert(iccid.clone(), number);
        number
    }

    fn fits(&self, wanted: &Threshold) -> bool {
        let Some(armed) = self.armed.get(&wanted.iccid) else { return false };
        match armed.standing {
            // One that comes too early is armed anew when it has come.
            Standing::Armed => target(wanted) >= armed.target,
            Standing::Fired => armed.fires > FIRES_MOST && armed.fires_since.elapsed() < FIRES_WITHIN,
            Standing::Refused(at) => target(wanted) == armed.target && at.elapsed() < REFUSED_FOR,
        }
    }

    fn said(&mut self, reply: Reply) -> Follows {
        match reply {
            Reply::Crossed { id } => {
                let Some(armed) = self.by_number(id).filter(|armed| armed.standing == Standing::Armed) else {
                    return Follows::Nothing;
                };
                armed.standing = Standing::Fired;
                if armed.fires_since.elapsed() >= FIRES_WITHIN {
                    (armed.fires, armed.fires_since) = (0, Instant::now());
                }
                armed.fires = armed.fires.saturating_add(1);
                Follows::Reading
            }
            Reply::Refused { id, text, .. } => {
                if let Some(armed) = id.and_then(|id| self.by_number(id)) {
                    armed.standing = Standing::Refused(Instant::now());
                }
                self.refused = true;
                Follows::Health(Some(away(&format!("it refused: {}", shown(&text)))))
            }
            Reply::Lost { text } => self.lost(&text),
            Reply::Armed { .. } if self.refused && !self.armed.values().any(Armed::is_refused) => {
                self.refused = false;
                Follows::Health(None)
            }
            Reply::Hello { .. } | Reply::Armed { .. } | Reply::Disarmed { .. } => Follows::Nothing,
        }
    }

    fn by_number(&mut self, id: u32) -> Option<&mut Armed> {
        let iccid = self.numbers.iter().find(|(_, number)| **number == id).map(|(iccid, _)| iccid)?;
        self.armed.get_mut(iccid)
    }

    /// The first time it is armed anew at once; whoever removes it again and again is given way, ever longer.
    fn lost(&mut self, text: &str) -> Follows {
        self.armed.clear();
        let now = Instant::now();
        if self.losses.last.is_none_or(|last| now.duration_since(last) > PEACE) {
            self.losses.row = 0;
        }
        self.losses.last = Some(now);
        let row = self.losses.row;
        self.losses.row = row.saturating_add(1);
        if row == 0 {
            tracing::warn!("{}; quotas are armed anew with what is left", shown(text));
            return Follows::Nothing;
        }
        let pause = GIVE_WAY_FIRST
            .saturating_mul(1_u32.checked_shl(row.min(16)).unwrap_or(u32::MAX))
            .min(GIVE_WAY_MOST);
        self.losses.resume = Some(now + pause);
        let why = format!("{} again and again; quotas are armed anew after a while", shown(text));
        Follows::Health(Some(away(&why)))
    }
}

/// The first part of the way to a threshold.
fn part(left: u64) -> u64 {
    if left <= SHORT { left } else { left - left / HEADERS }
}

fn links(wanted: &Threshold) -> Vec<IfIndex> {
    wanted.links.iter().take(protocol::LINKS_MOST).map(|link| link.ifindex).collect()
}

fn target(wanted: &Threshold) -> u128 {
    let position =
        wanted.links.iter().take(protocol::LINKS_MOST).map(|link| counted(wanted.counts, link.rx, link.tx));
    position.sum::<u128>().saturating_add(u128::from(wanted.remaining))
}

/// Where the links are by a reading; none where one is not in it.
fn position_now(wanted: &Threshold, now: &[LinkReading]) -> Option<u128> {
    wanted
        .links
        .iter()
        .take(protocol::LINKS_MOST)
        .map(|link| {
            let reading = now.iter().find(|reading| reading.ifindex == link.ifindex)?;
            let (rx, tx) = reading.ip_bytes();
            Some(counted(wanted.counts, rx, tx))
        })
        .sum()
}

fn counted(counts: Counts, rx: u64, tx: u64) -> u128 {
    counts.of(Volume { rx, tx }).map_or(u128::from(rx) + u128::from(tx), u128::from)
}

fn away(why: &str) -> String {
    format!(
        "The quota helper does not do its work ({why}). Crossings are noticed at the next reading instead of at once; \
         usage is measured as ever. See `systemctl status simbell-quota`, or do without it: [counting] quota = false."
    )
}

/// What another process says is bounded and shows nothing but text.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
