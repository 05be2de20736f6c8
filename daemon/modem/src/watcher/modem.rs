//! What is remembered of modems, and of their SIMs and bearers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use simbell_core::event::Event;
use simbell_core::ident::ModemId;
use simbell_core::modem::ModemView;
use tokio::time::Instant;

use crate::names;
use crate::props::Props;
use crate::view;

use super::traffic::{CallTrack, SmsTrack};

/// Most SIMs and bearers followed of one modem.
const DETAILS_MOST: usize = 64;

/// The interfaces of a modem object that are followed.
pub const FOLLOWED: [&str; 5] =
    [names::MODEM, names::MODEM_3GPP, names::USSD, names::MESSAGING, names::VOICE];

/// An object in ModemManager's list: a modem once it has the modem interface.
#[derive(Debug, Default)]
pub struct Modem {
    /// Its followed interfaces.
    pub interfaces: BTreeMap<&'static str, Props>,
    /// When the view is to be told; none while nothing changed.
    pub due: Option<Instant>,
    /// When the first change not yet told came.
    pub dirty_since: Option<Instant>,
    /// The registration moved: it is read again before it is told.
    pub reread: bool,
    /// Readings under way that the view waits for.
    pub reading: u32,
    /// The view as last told.
    pub sent: Option<ModemView>,
    /// When it was told.
    pub sent_at: Option<Instant>,
    /// What is to be told after the first view.
    pub held: Vec<Event>,
    /// Its messages by path.
    pub sms: BTreeMap<String, SmsTrack>,
    /// Its calls by path.
    pub calls: BTreeMap<String, CallTrack>,
    /// Calls that were there when it was first seen and are not read yet; none before they are listed.
    pub first_calls: Option<BTreeSet<String>>,
}

/// SIMs and bearers by path: not in ModemManager's list of objects, so each is asked for.
#[derive(Debug, Default)]
pub struct Details(pub BTreeMap<String, Detail>);

/// A SIM or a bearer.
#[derive(Debug)]
pub struct Detail {
    /// Which of the two.
    pub interface: &'static str,
    /// What was read of it; nothing at first.
    pub props: Props,
    /// It is being read for the first time, or again.
    pub reading: bool,
    /// Of a bearer that is not listened to; none where it is.
    pub figures: Option<Figures>,
}

/// When the figures of a bearer that is not listened to are read.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Since when it is not listened to.
    pub since: Instant,
    /// When they are read next.
    pub due: Instant,
    /// When all of the bearer was read, as far as it is known.
    pub whole: Instant,
}

impl Modem {
    /// Whether its view is to be told now. Most are not, which is seen without looking at what they wait for.
    pub fn is_due(&self, now: Instant, details: &Details) -> bool {
        self.due.is_some_and(|due| due <= now) && !self.waits(details)
    }

    /// When its view is to be told, where that is before `other`.
    pub fn deadline_before(&self, other: Option<Instant>, details: &Details) -> Option<Instant> {
        self.due.filter(|due| other.is_none_or(|other| *due < other) && !self.waits(details))
    }

    /// The modem interface: without it the object is no modem, or not yet one.
    pub fn modem(&self) -> Option<&Props> {
        self.interfaces.get(names::MODEM)
    }

    fn waits(&self, details: &Details) -> bool {
        self.reading > 0 || self.references().iter().any(|(path, _)| details.reading(path))
    }

    /// Paths of its SIMs and bearers.
    pub fn references(&self) -> Vec<(&str, &'static str)> {
        let Some(modem) = self.modem() else {
            return Vec::new();
        };
        let sims = modem.path("Sim").into_iter().chain(modem.paths("SimSlots").into_iter().flatten());
        let bearers = modem.paths("Bearers").into_iter().flatten();
        sims.map(|path| (path, names::SIM))
            .chain(bearers.map(|path| (path, names::BEARER)))
            .take(DETAILS_MOST)
            .collect()
    }

    /// Something changed: it is told `after` a while, `most` after the first change.
    pub fn mark(&mut self, after: Duration, most: Duration, now: Instant) {
        if self.modem().is_none() {
            return;
        }
        let since = *self.dirty_since.get_or_insert(now);
        let wanted = now.checked_add(after).unwrap_or(now).max(self.due.unwrap_or(now));
        self.due = Some(wanted.min(since.checked_add(most).unwrap_or(now)));
    }

    /// The modem as it is now; none where it is no modem.
    pub fn view(&self, id: ModemId, path: &str, details: &Details) -> Option<ModemView> {
        let modem = self.modem()?;
        let mut view = view::modem(id, path, modem, self.interfaces.get(names::MODEM_3GPP));
        let sim = |path: &str| details.0.get(path).map(|detail| view::sim(&detail.props));
        view.sim = modem.path("Sim").and_then(sim);
        view.slots =
            modem.paths("SimSlots").into_iter().take(DETAILS_MOST).map(|slot| slot.and_then(sim)).collect();
        view.bearers = modem
            .paths("Bearers")
            .into_iter()
            .flatten()
            .filter_map(|path| Some(view::bearer(path, &details.0.get(path)?.props)))
            .collect();
        Some(view)
    }
}

impl Details {
    fn reading(&self, path: &str) -> bool {
        self.0.get(path).is_some_and(|detail| detail.reading)
    }
}

/// Connection times grow every 30 s without anything having happened; they are told along with other news.
pub fn same_but_durations(before: &ModemView, after: &ModemView) -> bool {
    before == after || still(before, after.signal_percent) == still(after, after.signal_percent)
}

/// Signals come and go twice a minute without anything having happened.
pub fn same_but_signal(before: &ModemView, after: &ModemView) -> bool {
    still(before, None) == still(after, None)
}

fn still(view: &ModemView, signal_percent: Option<u8>) -> ModemView {
    let mut view = view.clone();
    for stats in view.bearers.iter_mut().filter_map(|bearer| bearer.stats.as_mut()) {
        stats.duration_s = 0;
    }
    view.signal_percent = signal_percent.filter(|_| view.signal_percent == signal_percent);
    view
}
