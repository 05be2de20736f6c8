//! Who has a place: so many in all, so many a user, and idle ones make way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::limits::Limits;

/// Every connection there is.
#[derive(Debug)]
pub(super) struct House {
    limits: Limits,
    guests: Mutex<Guests>,
}

#[derive(Debug, Default)]
struct Guests {
    next_id: u64,
    by_id: BTreeMap<u64, Guest>,
}

#[derive(Debug)]
struct Guest {
    uid: u32,
    trusted: bool,
    doing: Doing,
    asked_to_leave: Arc<Notify>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Has not sent a whole call yet.
    Arriving(Instant),
    /// Waits between calls.
    Idle(Instant),
    /// Has a call answered.
    Asking,
    /// Follows a stream.
    Streaming,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    house: Arc<House>,
    id: u64,
    asked_to_leave: Arc<Notify>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// All places are taken.
    Full,
    /// This user's places are taken.
    UserFull,
    /// It idled and its place was needed.
    MadeWay,
    /// Enough streams are followed.
    StreamsFull,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the service has as many connections as it serves",
            Self::UserFull => "your user has as many connections as the service serves one user",
            Self::MadeWay => "this connection idled and its place was needed for another",
            Self::StreamsFull => "as many streams are followed as the service serves",
        })
    }
}

impl Refusal {
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Full | Self::UserFull => {
                "try again in a moment; if it stays so, find who holds them with `ss -xp | grep simbell` and close some"
            }
            Self::MadeWay => "connect anew; keep no idle connections",
            Self::StreamsFull => "end another `simbellctl watch`, or poll the status instead",
        }
    }
}

impl House {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, guests: Mutex::new(Guests::default()) }
    }

    /// Gives a place, if need be one of an idle connection of whoever has the most.
    pub(super) fn admit(self: &Arc<Self>, uid: u32, trusted: bool) -> Result<Place, Refusal> {
        let mut guests = self.lock();
        if !trusted {
            let own = guests.count(|guest| guest.uid == uid);
            let shared = self.limits.connections.saturating_sub(self.limits.reserved);
            if own >= self.limits.per_user {
                guests.make_way(|guest| guest.uid == uid).ok_or(Refusal::UserFull)?;
            } else if guests.count(|guest| !guest.trusted) >= shared {
                let heaviest = guests.heaviest(|guest| !guest.trusted);
                guests.make_way(|guest| Some(guest.uid) == heaviest).ok_or(Refusal::Full)?;
            }
        }
        if guests.by_id.len() >= self.limits.connections {
            let heaviest = guests.heaviest(|_| true);
            guests.make_way(|guest| Some(guest.uid) == heaviest).ok_or(Refusal::Full)?;
        }
        let id = guests.next_id;
        guests.next_id = guests.next_id.wrapping_add(1);
        let asked_to_leave = Arc::new(Notify::new());
        guests.by_id.insert(
            id,
            Guest {
                uid,
                trusted,
                doing: Doing::Arriving(Instant::now()),
                asked_to_leave: Arc::clone(&asked_to_leave),
            },
        );
        drop(guests);
        Ok(Place { house: Arc::clone(self), id, asked_to_leave })
    }

    /// Has one idle connection leave, of whoever has the most.
    pub(super) fn evict_any(&self) {
        let mut guests = self.lock();
        let heaviest = guests.heaviest(|_| true);
        let _nobody_idle = guests.make_way(|guest| Some(guest.uid) == heaviest);
    }

    fn lock(&self) -> MutexGuard<'_, Guests> {
        // Each change of the map is one call that cannot panic half-way.
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().by_id.len()
    }
}

impl Guests {
    fn count(&self, which: impl Fn(&Guest) -> bool) -> usize {
        self.by_id.values().filter(|guest| which(guest)).count()
    }

    /// The user with the most connections.
    fn heaviest(&self, which: impl Fn(&Guest) -> bool) -> Option<u32> {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for guest in self.by_id.values().filter(|guest| which(guest)) {
            let count = counts.entry(guest.uid).or_default();
            *count = count.saturating_add(1);
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(uid, _)| uid)
    }

    /// Asks the one that has waited longest to leave: first of those that never asked anything.
    fn make_way(&mut self, which: impl Fn(&Guest) -> bool) -> Option<()> {
        let (id, _) = self
            .by_id
            .iter()
            .filter(|(_, guest)| which(guest))
            .filter_map(|(id, guest)| match guest.doing {
                Doing::Arriving(since) => Some((*id, (0, since))),
                Doing::Idle(since) => Some((*id, (1, since))),
                Doing::Asking | Doing::Streaming => None,
            })
            .min_by_key(|(_, rank)| *rank)?;
        let guest = self.by_id.remove(&id)?;
        guest.asked_to_leave.notify_one();
        Some(())
    }
}

impl Place {
    /// A call is being answered: the place is safe.
    pub(super) fn asking(&self) {
        self.set(Doing::Asking);
    }

    /// The call is answered.
    pub(super) fn idle(&self) {
        self.set(Doing::Idle(Instant::now()));
    }

    /// A stream begins: the place is safe.
    pub(super) fn streaming(&self) -> Result<(), Refusal> {
        let mut guests = self.house.lock();
        let Some(uid) = guests.by_id.get(&self.id).map(|guest| guest.uid) else {
            return Err(Refusal::MadeWay);
        };
        let trusted = guests.by_id.get(&self.id).is_some_and(|guest| guest.trusted);
        let all = guests.count(|guest| guest.doing == Doing::Streaming);
        let own = guests.count(|guest| guest.doing == Doing::Streaming && guest.uid == uid);
        // A user alone takes no more than half of the streams.
        if all >= self.house.limits.streams || (!trusted && own >= self.house.limits.streams.div_ceil(2)) {
            return Err(Refusal::StreamsFull);
        }
        if let Some(guest) = guests.by_id.get_mut(&self.id) {
            guest.doing = Doing::Streaming;
        }
        drop(guests);
        Ok(())
    }

    /// Resolves when the place is needed for another.
    pub(super) async fn asked_to_leave(&self) {
        self.asked_to_leave.notified().await;
    }

    fn set(&self, doing: Doing) {
        if let Some(guest) = self.house.lock().by_id.get_mut(&self.id) {
            guest.doing = doing;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.house.lock().by_id.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house() -> Arc<House> {
        let limits = Limits { connections: 8, reserved: 2, per_user: 4, streams: 4, ..Limits::default() };
        Arc::new(House::new(limits))
    }

    #[test]
    fn a_user_has_its_share_and_no_more() {
        let house = house();
        let kept: Vec<Place> = (0..4).map(|_| house.admit(1000, false).unwrap()).collect();
        kept.iter().for_each(Place::asking);
        assert_eq!(house.admit(1000, false).unwrap_err(), Refusal::UserFull);
        let other = house.admit(1001, false).unwrap();
        other.asking();
        drop(kept);
        assert_eq!(house.len(), 1);
    }

    #[test]
    fn reserved_places_stay_for_the_trusted() {
        let house = house();
        let mut kept: Vec<Place> = Vec::new();
        for uid in [1000, 1000, 1000, 1001, 1001, 1001] {
            kept.push(house.admit(uid, false).unwrap());
        }
        kept.iter().for_each(Place::asking);
        assert_eq!(house.admit(1002, false).unwrap_err(), Refusal::Full);
        kept.push(house.admit(0, true).unwrap());
        kept.push(house.admit(0, true).unwrap());
        kept.iter().for_each(Place::asking);
        assert_eq!(house.admit(0, true).unwrap_err(), Refusal::Full);
    }

    #[tokio::test]
    async fn the_longest_idle_of_the_heaviest_makes_way() {
        let house = house();
        let light = house.admit(0, true).unwrap();
        let heavy: Vec<Place> = (0..7).map(|_| house.admit(7, true).unwrap()).collect();
        heavy[0].idle();
        let _new = house.admit(0, true).unwrap();
        assert_eq!(house.len(), 8);
        // The first has asked before, so the second, which never did, goes.
        heavy[1].asked_to_leave().await;
        drop(light);
    }

    #[test]
    fn streams_are_bounded_for_all_and_for_one() {
        let house = house();
        let one: Vec<Place> = (0..3).map(|_| house.admit(1000, false).unwrap()).collect();
        assert_eq!(one[0].streaming(), Ok(()));
        assert_eq!(one[1].streaming(), Ok(()));
        assert_eq!(one[2].streaming(), Err(Refusal::StreamsFull));
        let two: Vec<Place> = (0..3).map(|_| house.admit(0, true).unwrap()).collect();
        assert_eq!(two[0].streaming(), Ok(()));
        assert_eq!(two[1].streaming(), Ok(()));
        assert_eq!(two[2].streaming(), Err(Refusal::StreamsFull));
    }
}
