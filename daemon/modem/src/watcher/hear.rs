//! Which bearers are listened to.
//!
//! ModemManager tells each connected bearer's figures twice a minute, and each such signal wakes everybody who asked for
//! it. Where the kernel counts a connection nobody needs them: a modem's only bearer is not listened to while it is
//! connected over a link of the kernel. Whatever happens to it changes the modem's state too, which is heard; then it
//! is listened to again and read, in this order, so that nothing falls between. Its figures, which are compared with
//! the kernel's, are read a few times instead, and all of it as seldom as figures are read at most.
//!
//! Peer to peer everything arrives anyway.

use std::collections::BTreeSet;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, netdevice, socket};
use simbell_core::ident::ModemId;
use tokio::time::Instant;

use crate::names;
use crate::view;

use super::ask::Ask;
use super::modem::{Detail, Figures, Modem};
use super::session::Session;

/// `MM_MODEM_STATE_CONNECTED`.
const CONNECTED: i32 = 11;

/// A bus forwards by so many rules for one client at most (512 by default): beyond this all bearers are listened to by
/// one rule.
const RULES_MOST: usize = 128;

/// With so many bearers each one's figures are read as seldom as may be.
const EVERY_MOST: u32 = 15;

/// The bearers listened to on a bus.
#[derive(Debug, Default)]
pub struct Hearing {
    /// Whether there is a bus that forwards by rules.
    pub bus: bool,
    /// Paths of bearers, or of all of them, that are listened to.
    pub paths: BTreeSet<String>,
    /// Something changed that decides it.
    pub stale: bool,
    /// Modems whose figures are wanted as they are told.
    pub modems: BTreeSet<ModemId>,
}

impl Session {
    /// Other modems' figures are wanted as they are told, or not any more.
    pub(super) fn listen(&mut self, modems: BTreeSet<ModemId>, now: Instant) {
        self.hearing.modems = modems;
        let wanted: Vec<String> = self
            .modems
            .iter()
            .filter(|(_, modem)| self.is_listened(modem))
            .map(|(path, _)| path.clone())
            .collect();
        for path in wanted {
            self.wake_bearers(&path, now);
        }
        self.hearing.stale = true;
        self.work(now);
    }

    fn is_listened(&self, modem: &Modem) -> bool {
        modem.sent.as_ref().is_some_and(|sent| self.hearing.modems.contains(&sent.id))
    }

    /// Listens to a bearer that is to be read.
    pub(super) fn hear(&mut self, path: &str, now: Instant) {
        let wanted = if self.hearing.paths.len() < RULES_MOST { path } else { names::BEARERS };
        if !self.hearing.bus || self.heard(path) {
            return;
        }
        self.hearing.paths.insert(wanted.to_owned());
        self.ask(Ask::Match(rule(wanted)), 0, now);
        self.hearing.stale = true;
    }

    fn heard(&self, path: &str) -> bool {
        !self.hearing.bus || self.hearing.paths.contains(path) || self.hearing.paths.contains(names::BEARERS)
    }

    /// The modem's state or its bearers changed: those not listened to are listened to and read.
    pub(super) fn wake_bearers(&mut self, path: &str, now: Instant) {
        self.hearing.stale = true;
        let Some(modem) = self.modems.get(path) else { return };
        let unheard: Vec<String> = bearers(modem)
            .filter(|bearer| self.details.0.contains_key(*bearer) && !self.heard(bearer))
            .map(str::to_owned)
            .collect();
        for bearer in unheard {
            self.hear(&bearer, now);
            if let Some(detail) = self.details.0.get_mut(&bearer) {
                // The view waits for it, and until then it is not known to be as it was.
                detail.reading = true;
                self.read_bearer(bearer, now);
            }
        }
    }

    /// Stops listening where it may, and reads the figures that are due.
    pub(super) fn settle_hearing(&mut self, now: Instant) {
        if std::mem::take(&mut self.hearing.stale) && self.hearing.bus {
            self.stop_listening(now);
        }
        let due: Vec<String> = self
            .details
            .0
            .iter()
            .filter(|(_, detail)| detail.figures.is_some_and(|figures| figures.due <= now))
            .map(|(path, _)| path.clone())
            .collect();
        let every = self.figures_every();
        for path in due {
            let Some(detail) = self.details.0.get_mut(&path) else { continue };
            let Some(figures) = detail.figures else { continue };
            let (all, next) = figures.read(self.timing.figures, every, now);
            detail.figures = next;
            if all {
                self.read_bearer(path, now);
            } else {
                self.ask(Ask::Stats(path), 0, now);
            }
        }
    }

    /// How long after the second time figures are read again.
    fn figures_every(&self) -> Duration {
        let [_, least, most] = self.timing.figures;
        let quiet = self.details.0.values().filter(|detail| detail.figures.is_some()).count();
        every(quiet, least, most)
    }

    /// When figures are to be read.
    pub(super) fn figures_due(&self) -> Option<Instant> {
        self.details.0.values().filter_map(|detail| detail.figures).map(|figures| figures.due).min()
    }

    /// Another ModemManager owns the name: rules about the former one's bearers are withdrawn.
    pub(super) fn forget_heard(&mut self, now: Instant) {
        for path in std::mem::take(&mut self.hearing.paths) {
            self.ask(Ask::Unmatch(rule(&path)), 0, now);
        }
    }

    fn stop_listening(&mut self, now: Instant) {
        let mut wanted = BTreeSet::new();
        let mut quiet = BTreeSet::new();
        for modem in self.modems.values() {
            match self.quiet_bearer(modem) {
                Some(path) => quiet.insert(path.to_owned()),
                None => {
                    wanted.extend(bearers(modem).map(str::to_owned));
                    false
                }
            };
        }
        for (path, detail) in &mut self.details.0 {
            if !quiet.contains(path) {
                detail.figures = None;
            } else if detail.figures.is_none() {
                let [first, ..] = self.timing.figures;
                detail.figures = now.checked_add(first).map(|due| Figures { since: now, due, whole: now });
            }
        }
        if self.hearing.paths.contains(names::BEARERS) && wanted.len() >= RULES_MOST {
            return;
        }
        // Those that come into the place of the one rule for all are asked for first.
        let missing = wanted.difference(&self.hearing.paths);
        let missing: Vec<String> =
            missing.filter(|path| self.details.0.contains_key(*path)).cloned().collect();
        for path in missing {
            self.ask(Ask::Match(rule(&path)), 0, now);
            self.hearing.paths.insert(path);
        }
        let over: Vec<String> = self.hearing.paths.difference(&wanted).cloned().collect();
        for path in over {
            self.ask(Ask::Unmatch(rule(&path)), 0, now);
            self.hearing.paths.remove(&path);
        }
    }

    /// The modem's only bearer, where it need not be listened to.
    fn quiet_bearer<'a>(&self, modem: &'a Modem) -> Option<&'a str> {
        modem.sent.as_ref().filter(|sent| !self.hearing.modems.contains(&sent.id))?;
        if modem.modem()?.signed("State") != Some(CONNECTED) {
            return None;
        }
        let mut all = bearers(modem);
        let only = all.next().filter(|_| all.next().is_none())?;
        let detail = self.details.0.get(only).filter(|detail| !detail.reading)?;
        let seen = view::bearer(only, &detail.props);
        let link = seen.interface.filter(|_| seen.connected && !seen.ppp)?;
        // Known to be there as long as it was quiet: what its end means the kernel tells.
        (detail.figures.is_some() || link_exists(&link)).then_some(only)
    }

    fn read_bearer(&mut self, path: String, now: Instant) {
        self.ask(Ask::Interface { path, interface: names::BEARER, modem: None }, 0, now);
    }
}

/// What begins to bypass the kernel's counters is noticed after so long. One or two bearers cost little; more are read less
/// often, so that all of them cost no more than one each two minutes: asking eight takes as long as the readings of the
/// counters of a quarter of an hour.
fn every(bearers: usize, least: Duration, most: Duration) -> Duration {
    let shared = (most / EVERY_MOST).saturating_mul(u32::try_from(bearers).unwrap_or(u32::MAX));
    shared.max(least).min(most)
}

fn bearers(modem: &Modem) -> impl Iterator<Item = &str> {
    modem.references().into_iter().filter(|(_, interface)| *interface == names::BEARER).map(|(path, _)| path)
}

impl Figures {
    /// Whether all of the bearer is to be read with them now, and when they are due next: twice soon after it became
    /// quiet, then so often, and whenever all of it is due.
    fn read(
        self,
        [first, second, most]: [Duration; 3],
        every: Duration,
        now: Instant,
    ) -> (bool, Option<Self>) {
        let all = now.saturating_duration_since(self.whole) >= most;
        let whole = if all { now } else { self.whole };
        // Of many the second time is no sooner than any later one.
        let soon = [first, second.max(every)].into_iter().filter_map(|after| self.since.checked_add(after));
        let next = soon.filter(|next| *next > now).min().or_else(|| now.checked_add(every));
        let due = [next, whole.checked_add(most)].into_iter().flatten().min();
        (all, due.map(|due| Self { due, whole, ..self }))
    }
}

impl Detail {
    /// Not read yet.
    pub fn new(interface: &'static str) -> Self {
        Self { interface, props: crate::props::Props::default(), reading: true, figures: None }
    }
}

/// Whether the kernel counts what passes there, in this network namespace.
fn link_exists(name: &str) -> bool {
    let Ok(socket) = socket(AddressFamily::UNIX, SocketType::DGRAM, None) else { return false };
    netdevice::name_to_index(&socket, name).is_ok()
}

fn rule(path: &str) -> String {
    let key = if path == names::BEARERS { "path_namespace" } else { "path" };
    format!("type='signal',sender='{}',{key}='{path}'", names::SERVICE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watcher::Timing;

    #[test]
    fn many_bearers_are_read_less_often_and_each_of_them_every_half_hour() {
        let [_, least, most] = Timing::default().figures;
        let minutes = |bearers| every(bearers, least, most).as_secs() / 60;
        assert_eq!([0, 1, 2, 3, 8, 15, 16, 64, usize::MAX].map(minutes), [5, 5, 5, 6, 16, 30, 30, 30, 30]);
    }

    /// Intervals that do not divide half an hour would put it off.
    #[test]
    fn all_of_a_bearer_is_read_each_half_hour_whatever_their_number() {
        let timing = Timing::default().figures;
        let [first, least, most] = timing;
        for bearers in 1..70 {
            let every = every(bearers, least, most);
            let since = Instant::now();
            let mut figures = Figures { since, due: since.checked_add(first).unwrap(), whole: since };
            let mut whole = Vec::new();
            while whole.len() < 10 {
                let now = figures.due;
                let (all, next) = figures.read(timing, every, now);
                if all {
                    whole.push(now.duration_since(since));
                }
                figures = next.unwrap();
                assert!(
                    figures.due > now && figures.due.duration_since(now) <= every.max(first),
                    "{bearers}"
                );
            }
            let half_hours: Vec<Duration> = (1..=10).map(|n| most * n).collect();
            assert_eq!(whole, half_hours, "{bearers}");
        }
    }
}
