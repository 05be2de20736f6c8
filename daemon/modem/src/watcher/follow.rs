//! Modems with their SIMs and bearers: followed by properties, told whole, and only when they differ.

use simbell_core::event::Event;
use simbell_core::ident::ModemId;
use tokio::time::Instant;

use crate::names;
use crate::props::Raw;
use crate::view;

use super::ask::{Ask, Refusal};
use super::modem::{Detail, FOLLOWED, same_but_durations, same_but_signal};
use super::session::Session;

/// A question that timed out is put again this often.
const ATTEMPTS: u32 = 5;

impl Session {
    /// An interface of an object in ModemManager's list, as it is now.
    pub(super) fn modem_interface(&mut self, path: &str, interface: &str, raw: Raw, now: Instant) {
        let Some(interface) = FOLLOWED.iter().find(|followed| **followed == interface) else {
            return;
        };
        let modem = self.modems.entry(path.to_owned()).or_default();
        let fresh = !modem.interfaces.contains_key(interface);
        let changed = modem.interfaces.entry(interface).or_default().merge(interface, raw);
        self.modem_changed(path, interface, &changed, true, now);
        if fresh && let Some(modem) = self.modems.get_mut(path) {
            modem.mark(self.timing.coalesce, self.timing.settle_most, now);
        }
    }

    /// Interfaces of an object are gone. Only the modem interface is the modem: unlocking takes single ones
    /// away and brings them back.
    pub(super) fn interfaces_removed(&mut self, path: &str, interfaces: &[String], now: Instant) {
        if interfaces.iter().any(|interface| interface == names::MODEM) {
            return self.forget_modem(path);
        }
        let timing = self.timing;
        if let Some(modem) = self.modems.get_mut(path) {
            modem.interfaces.retain(|known, _| !interfaces.iter().any(|gone| gone == known));
            modem.mark(timing.coalesce, timing.settle_most, now);
            if modem.interfaces.is_empty() {
                self.modems.remove(path);
            }
        }
    }

    /// A modem is gone, with everything of it.
    pub(super) fn forget_modem(&mut self, path: &str) {
        self.questions.forget_modem(path);
        if let Some(sent) = self.modems.remove(path).and_then(|modem| modem.sent) {
            self.events.push_back(Event::ModemVanished { modem: sent.id });
            self.directory_changes();
        }
        self.drop_unreferenced();
    }

    /// Properties of any object changed.
    pub(super) fn properties_changed(
        &mut self,
        path: &str,
        interface: &str,
        changed: Raw,
        invalidated: &[String],
        now: Instant,
    ) {
        let kept = names::kept(interface);
        let reread = invalidated.iter().any(|name| kept.contains(&name.as_str()));
        if let Some(modem) = self.modems.get_mut(path) {
            let Some(interface) = FOLLOWED.iter().find(|followed| **followed == interface) else {
                return;
            };
            let Some(props) = modem.interfaces.get_mut(interface) else {
                return;
            };
            let changed = props.merge(interface, changed);
            self.modem_changed(path, interface, &changed, true, now);
            if *interface == names::USSD {
                self.ussd_said(path, &changed);
            }
            if reread {
                self.read_interface(path, interface, now);
            }
        } else if let Some(detail) = self.details.0.get_mut(path) {
            if detail.interface != interface {
                return;
            }
            let names = detail.props.merge(interface, changed);
            // Figures alone decide nothing.
            self.hearing.stale |= names.iter().any(|name| *name != names::STATS);
            let changed = !names.is_empty();
            if reread {
                detail.reading = true;
                let ask = Ask::Interface { path: path.to_owned(), interface: detail.interface, modem: None };
                self.ask(ask, 0, now);
            }
            if changed || reread {
                self.mark_users(path, now);
            }
        } else if interface == names::SMS {
            self.sms_changed(path, changed, now);
        } else if interface == names::CALL {
            self.call_changed(path, changed);
        }
    }

    /// `Modem.StateChanged`: the signals can come out of order, so the state is read again.
    pub(super) fn state_changed(&mut self, path: &str, now: Instant) {
        let timing = self.timing;
        if let Some(modem) = self.modems.get_mut(path) {
            modem.reread = modem.sent.is_some();
            modem.mark(timing.coalesce, timing.settle_most, now);
        }
    }

    /// All properties of an interface were read.
    pub(super) fn interface_read(
        &mut self,
        path: &str,
        interface: &'static str,
        modem: Option<&str>,
        raw: Raw,
        now: Instant,
    ) {
        match interface {
            names::SMS => self.sms_read(modem.unwrap_or_default(), path, raw),
            names::CALL => self.call_read(modem.unwrap_or_default(), path, raw),
            names::SIM | names::BEARER => {
                if let Some(detail) =
                    self.details.0.get_mut(path).filter(|detail| detail.interface == interface)
                {
                    detail.reading = false;
                    detail.props.merge(interface, raw);
                    self.hearing.stale = true;
                    self.mark_users(path, now);
                }
            }
            _ => {
                if let Some(modem) = self.modems.get_mut(path) {
                    modem.reading = modem.reading.saturating_sub(1);
                    if let Some(props) = modem.interfaces.get_mut(interface) {
                        let changed = props.merge(interface, raw);
                        self.modem_changed(path, interface, &changed, false, now);
                    }
                }
            }
        }
    }

    /// An interface could not be read.
    pub(super) fn interface_unread(
        &mut self,
        path: &str,
        interface: &'static str,
        modem: Option<String>,
        attempt: u32,
        refusal: &Refusal,
        now: Instant,
    ) {
        let again = *refusal == Refusal::Timeout && attempt < ATTEMPTS;
        match interface {
            names::SMS if !again => self.sms_unread(modem.as_deref().unwrap_or_default(), path),
            names::SMS => {}
            names::CALL if !again => self.call_unread(modem.as_deref().unwrap_or_default(), path),
            names::CALL => {}
            names::SIM | names::BEARER => {
                // The view waits no longer for it; when it comes later, it is told then.
                if let Some(detail) = self.details.0.get_mut(path) {
                    detail.reading = false;
                }
            }
            _ => {
                if let Some(modem) = self.modems.get_mut(path) {
                    modem.reading = modem.reading.saturating_sub(1);
                }
                // Signals keep it right; reading it again was a second look.
                return;
            }
        }
        if again {
            self.ask(
                Ask::Interface { path: path.to_owned(), interface, modem },
                attempt.saturating_add(1),
                now,
            );
        }
    }

    /// Tells the views that are due and complete.
    pub(super) fn send_views(&mut self, now: Instant) {
        let due: Vec<String> = self
            .modems
            .iter()
            .filter(|(_, modem)| modem.is_due(now, &self.details))
            .map(|(path, _)| path.clone())
            .collect();
        for path in due {
            let Some(modem) = self.modems.get_mut(&path) else {
                continue;
            };
            if std::mem::take(&mut modem.reread) {
                self.read_interface(&path, names::MODEM, now);
                self.read_interface(&path, names::MODEM_3GPP, now);
            } else {
                modem.due = None;
                modem.dirty_since = None;
                self.send_view(&path, now);
            }
        }
    }

    fn send_view(&mut self, path: &str, now: Instant) {
        let Some(id) = self.identity(path) else {
            tracing::warn!(
                path,
                "a modem without IMEI and device cannot be told from others and is not followed"
            );
            return;
        };
        let Some(modem) = self.modems.get_mut(path) else {
            return;
        };
        let Some(view) = modem.view(id, path, &self.details) else {
            return;
        };
        let before = modem.sent.as_ref();
        if before.is_some_and(|before| same_but_durations(before, &view)) {
            return;
        }
        // Nothing but the signal: put off until a while after the last time.
        let again = modem.sent_at.and_then(|at| at.checked_add(self.timing.signal));
        if let (Some(before), Some(again)) = (before, again)
            && again > now
            && same_but_signal(before, &view)
        {
            modem.due = Some(again);
            return;
        }
        let renamed = before.filter(|before| before.id != view.id).map(|before| before.id.clone());
        let before_first = before.is_none();
        let new = before_first || renamed.is_some();
        modem.sent = Some(view.clone());
        modem.sent_at = Some(now);
        // Only a modem that was told may fall quiet.
        self.hearing.stale |= before_first;
        let held = std::mem::take(&mut modem.held);
        self.events.extend(renamed.map(|modem| Event::ModemVanished { modem }));
        self.events.push_back(Event::ModemSeen(Box::new(view)));
        self.events.extend(held);
        if new {
            self.directory_changes();
        }
    }

    /// The IMEI, or the device; the device also where another modem here tells the same IMEI.
    fn identity(&self, path: &str) -> Option<ModemId> {
        let modem = self.modems.get(path)?.modem()?;
        let id = view::modem_id(modem)?;
        let taken = self
            .modems
            .iter()
            .any(|(other, modem)| other != path && modem.sent.as_ref().is_some_and(|sent| sent.id == id));
        if taken { view::device_id(modem).filter(|device| *device != id) } else { Some(id) }
    }

    /// `heard`: by a signal, and not by reading again what a signal told.
    fn modem_changed(
        &mut self,
        path: &str,
        interface: &str,
        changed: &[&'static str],
        heard: bool,
        now: Instant,
    ) {
        if changed.is_empty() {
            return;
        }
        let timing = self.timing;
        let Some(modem) = self.modems.get_mut(path) else {
            return;
        };
        match interface {
            names::MODEM => {
                modem.mark(timing.coalesce, timing.settle_most, now);
                if changed.iter().any(|name| matches!(*name, "State" | "Bearers")) {
                    self.wake_bearers(path, now);
                }
                self.read_references(path, now);
            }
            names::MODEM_3GPP => {
                // The operator's code moves up to 40 ms before the registration: between the two a home
                // network would look foreign, or the other way round.
                let moved = heard
                    && modem.sent.is_some()
                    && changed.iter().any(|name| matches!(*name, "OperatorCode" | "RegistrationState"));
                modem.reread |= moved;
                let after = if moved { timing.settle } else { timing.coalesce };
                modem.mark(after, timing.settle_most, now);
            }
            names::MESSAGING => self.list_seen(path, names::MESSAGING, "Messages", now),
            names::VOICE => self.list_seen(path, names::VOICE, "Calls", now),
            _ => {}
        }
    }

    fn list_seen(&mut self, path: &str, interface: &'static str, property: &str, now: Instant) {
        let Some(props) = self.modems.get(path).and_then(|modem| modem.interfaces.get(interface)) else {
            return;
        };
        let listed: Vec<String> = props.paths(property).into_iter().flatten().map(str::to_owned).collect();
        for object in listed {
            match interface {
                names::MESSAGING => self.sms_seen(path, &object, false, now),
                _ => self.call_seen(path, &object, now),
            }
        }
        if interface == names::VOICE {
            self.calls_listed(path);
        }
    }

    fn read_interface(&mut self, path: &str, interface: &'static str, now: Instant) {
        let Some(modem) = self.modems.get_mut(path).filter(|modem| modem.interfaces.contains_key(interface))
        else {
            return;
        };
        modem.reading = modem.reading.saturating_add(1);
        self.ask(Ask::Interface { path: path.to_owned(), interface, modem: Some(path.to_owned()) }, 0, now);
    }

    fn read_references(&mut self, path: &str, now: Instant) {
        let Some(modem) = self.modems.get(path) else {
            return;
        };
        let new: Vec<(String, &'static str)> = modem
            .references()
            .into_iter()
            .filter(|(path, _)| !self.details.0.contains_key(*path))
            .map(|(path, interface)| (path.to_owned(), interface))
            .collect();
        for (path, interface) in new {
            if self.details.0.insert(path.clone(), Detail::new(interface)).is_none() {
                if interface == names::BEARER {
                    self.hear(&path, now);
                }
                self.ask(Ask::Interface { path, interface, modem: None }, 0, now);
            }
        }
        self.drop_unreferenced();
    }

    fn drop_unreferenced(&mut self) {
        let Self { modems, details, hearing, .. } = self;
        let before = details.0.len();
        details.0.retain(|path, _| {
            modems.values().any(|modem| modem.references().iter().any(|(used, _)| used == path))
        });
        hearing.stale |= details.0.len() != before;
    }

    fn mark_users(&mut self, path: &str, now: Instant) {
        let timing = self.timing;
        for modem in self.modems.values_mut() {
            if modem.references().iter().any(|(used, _)| *used == path) {
                modem.mark(timing.coalesce, timing.settle_most, now);
            }
        }
    }

    fn ussd_said(&mut self, path: &str, changed: &[&'static str]) {
        let Some(props) = self.modems.get(path).and_then(|modem| modem.interfaces.get(names::USSD)) else {
            return;
        };
        let said: Vec<String> = changed.iter().filter_map(|name| props.text(name, 2000)).collect();
        for text in said {
            self.tell(path, |modem| Event::UssdReceived { modem, text });
        }
    }

    /// What a modem is known by, also before it is told.
    pub(super) fn identity_of(&self, path: &str) -> Option<ModemId> {
        match &self.modems.get(path)?.sent {
            Some(sent) => Some(sent.id.clone()),
            None => self.identity(path),
        }
    }

    /// Tells an event of a modem, after the first view of it.
    pub(super) fn tell(&mut self, path: &str, event: impl FnOnce(ModemId) -> Event) {
        let Some(id) = self.identity_of(path) else {
            return;
        };
        let event = event(id);
        match self.modems.get_mut(path) {
            Some(modem) if modem.sent.is_none() => modem.held.push(event),
            _ => self.events.push_back(event),
        }
    }
}
