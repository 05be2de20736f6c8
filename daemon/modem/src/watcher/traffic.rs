//! Short messages and calls: objects of their own, followed from the signals that announce them.

use std::collections::BTreeSet;

use simbell_core::event::Event;
use simbell_core::modem::{CallState, CallView};
use tokio::time::Instant;

use crate::names;
use crate::props::{Props, Raw};
use crate::sms::{self, SmsStage};
use crate::view;

use super::ask::Ask;
use super::session::Session;

/// More messages or calls of one modem than this are not followed.
const TRACKS_MOST: usize = 2000;

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmsTrack {
    /// It is being read; whether it appeared as an outgoing one while we watched.
    Reading { outgoing: bool },
    /// Parts are missing, or it is not sent yet; how many parts its text takes, and to whom it goes.
    Waiting { parts: u32, to: Option<String> },
    /// Told, or of no interest.
    Done,
}

/// A call as it is followed.
#[derive(Debug, Default)]
pub struct CallTrack {
    /// None until it was read.
    props: Option<Props>,
    /// States it went through before.
    early: Vec<i32>,
    sent: Option<CallView>,
}

impl Session {
    /// A message is listed or announced.
    pub(super) fn sms_seen(&mut self, modem: &str, path: &str, outgoing: bool, now: Instant) {
        let Some(of) = self.modems.get_mut(modem) else {
            return;
        };
        let many = of.sms.len() >= TRACKS_MOST;
        match of.sms.get_mut(path) {
            Some(SmsTrack::Reading { outgoing: known }) => *known |= outgoing,
            Some(_) => {}
            None if many => {
                tracing::warn!("a modem stores more than {TRACKS_MOST} messages: the rest is not read");
            }
            None => {
                of.sms.insert(path.to_owned(), SmsTrack::Reading { outgoing });
                self.ask_about(modem, path, names::SMS, now);
            }
        }
    }

    /// A message is gone.
    pub(super) fn sms_deleted(&mut self, modem: &str, path: &str) {
        self.own.remove(path);
        if let Some(modem) = self.modems.get_mut(modem) {
            modem.sms.remove(path);
        }
    }

    /// A message's properties changed: the parts of a long one come one by one, and the text with the last.
    pub(super) fn sms_changed(&mut self, path: &str, changed: Raw, now: Instant) {
        let Some((modem, track)) =
            self.modems.iter_mut().find_map(|(modem, of)| Some((modem.clone(), of.sms.get_mut(path)?)))
        else {
            return;
        };
        let SmsTrack::Waiting { parts, to } = track.clone() else {
            return;
        };
        let mut props = Props::default();
        props.merge(names::SMS, changed);
        if sms::stage(&props) == SmsStage::Sent {
            // Whoever sent it may delete it at once: it is not read again.
            *track = SmsTrack::Done;
            self.sms_left(&modem, path, parts, to);
        } else {
            *track = SmsTrack::Reading { outgoing: true };
            self.ask_about(&modem, path, names::SMS, now);
        }
    }

    /// A message was read.
    pub(super) fn sms_read(&mut self, modem: &str, path: &str, raw: Raw) {
        let mut props = Props::default();
        props.merge(names::SMS, raw);
        let stage = sms::stage(&props);
        let Some(track) = self.modems.get_mut(modem).and_then(|modem| modem.sms.get_mut(path)) else {
            return;
        };
        let SmsTrack::Reading { outgoing } = *track else {
            return;
        };
        let (parts, to) = (sms::sent_parts(&props), sms::number(&props));
        *track = if stage == SmsStage::Unfinished {
            SmsTrack::Waiting { parts, to: to.clone() }
        } else {
            SmsTrack::Done
        };
        match stage {
            SmsStage::Received => {
                let Some(identity) = self.identity_of(modem) else {
                    return;
                };
                let sms = sms::view(&identity, &props);
                if self.recent.is_new(&sms.digest) {
                    self.tell(modem, |modem| Event::SmsReceived { modem, sms });
                }
            }
            SmsStage::Sent if outgoing => self.sms_left(modem, path, parts, to),
            _ => {}
        }
    }

    fn sms_left(&mut self, modem: &str, path: &str, parts: u32, to: Option<String>) {
        if !self.own.remove(path) {
            self.tell(modem, |modem| Event::SmsSent { modem, parts, to });
        }
    }

    /// A message cannot be read.
    pub(super) fn sms_unread(&mut self, modem: &str, path: &str) {
        self.sms_deleted(modem, path);
    }

    /// The calls that a modem has when it is first seen are known by their paths: they are told together once each is
    /// read.
    pub(super) fn calls_listed(&mut self, modem: &str) {
        let Some(of) = self.modems.get_mut(modem).filter(|of| of.first_calls.is_none()) else { return };
        let unread = of.calls.iter().filter(|(_, track)| track.props.is_none());
        of.first_calls = Some(unread.map(|(path, _)| path.clone()).collect());
        self.tell_first_calls(modem);
    }

    /// One of the first calls is read, or cannot be. Says whether it was one of them.
    fn first_call_read(&mut self, modem: &str, path: &str, call: Option<CallView>) -> bool {
        let Some(of) = self.modems.get_mut(modem) else { return false };
        if !of.first_calls.as_mut().is_some_and(|unread| unread.remove(path)) {
            return false;
        }
        if let (Some(call), Some(track)) = (call, of.calls.get_mut(path)) {
            track.sent = Some(call);
        }
        self.tell_first_calls(modem);
        true
    }

    fn tell_first_calls(&mut self, modem: &str) {
        let Some(of) = self.modems.get(modem) else { return };
        if of.first_calls.as_ref().is_some_and(BTreeSet::is_empty) {
            let calls = of.calls.values().filter_map(|track| track.sent.clone()).collect();
            self.tell(modem, |modem| Event::CallsListed { modem, calls });
        }
    }

    /// A call is listed or announced.
    pub(super) fn call_seen(&mut self, modem: &str, path: &str, now: Instant) {
        let Some(of) = self.modems.get_mut(modem) else {
            return;
        };
        if of.calls.len() < TRACKS_MOST && !of.calls.contains_key(path) {
            of.calls.insert(path.to_owned(), CallTrack::default());
            self.ask_about(modem, path, names::CALL, now);
        }
    }

    /// A call is not listed any more. One that was not seen to end is told as unknown: its end was missed.
    pub(super) fn call_deleted(&mut self, modem: &str, path: &str) {
        let track = self.modems.get_mut(modem).and_then(|modem| modem.calls.remove(path));
        self.first_call_read(modem, path, None);
        if let Some(mut call) = track.and_then(|track| track.sent)
            && call.state != CallState::Terminated
        {
            call.state = CallState::Unknown;
            self.tell(modem, |modem| Event::CallChanged { modem, call });
        }
    }

    /// A call was read.
    pub(super) fn call_read(&mut self, modem: &str, path: &str, raw: Raw) {
        let service = self.to().map(str::to_owned);
        let Some(track) = self.modems.get_mut(modem).and_then(|modem| modem.calls.get_mut(path)) else {
            return;
        };
        let mut props = Props::default();
        props.merge(names::CALL, raw);
        let mut call = CallView { service, ..view::call(path, &props) };
        let now = call.state;
        track.props = Some(props);
        let early = std::mem::take(&mut track.early);
        if self.first_call_read(modem, path, Some(call.clone())) {
            return;
        }
        let Some(track) = self.modems.get_mut(modem).and_then(|modem| modem.calls.get_mut(path)) else {
            return;
        };
        // An ended call stays listed until somebody deletes it: one found ended is no news.
        if early.is_empty() && now == CallState::Terminated {
            track.sent = Some(call);
            return;
        }
        for state in early {
            call.state = view::call_state(Some(state));
            self.tell_call(modem, call.clone());
        }
        call.state = now;
        self.tell_call(modem, call);
    }

    /// A call cannot be read.
    pub(super) fn call_unread(&mut self, modem: &str, path: &str) {
        if let Some(modem) = self.modems.get_mut(modem) {
            modem.calls.remove(path);
        }
        self.first_call_read(modem, path, None);
    }

    /// `Call.StateChanged`: unlike the property it tells every state, however short.
    pub(super) fn call_state_changed(&mut self, path: &str, state: i32) {
        let Some((modem, track)) = self.call_track(path) else {
            return;
        };
        let Some(props) = &track.props else {
            if track.early.len() < 16 {
                track.early.push(state);
            }
            return;
        };
        let mut call = view::call(path, props);
        call.state = view::call_state(Some(state));
        self.tell_call(&modem, call);
    }

    /// A call's properties changed.
    pub(super) fn call_changed(&mut self, path: &str, changed: Raw) {
        let Some((modem, track)) = self.call_track(path) else {
            return;
        };
        let Some(props) = &mut track.props else {
            return;
        };
        if props.merge(names::CALL, changed).is_empty() {
            return;
        }
        let call = view::call(path, props);
        self.tell_call(&modem, call);
    }

    fn tell_call(&mut self, modem: &str, mut call: CallView) {
        call.service = self.to().map(str::to_owned);
        let Some(track) = self.modems.get_mut(modem).and_then(|modem| modem.calls.get_mut(&call.path)) else {
            return;
        };
        // Signals of one call may overtake each other at its end; what ended stays ended.
        if track.sent.as_ref().is_some_and(|sent| *sent == call || sent.state == CallState::Terminated) {
            return;
        }
        track.sent = Some(call.clone());
        self.tell(modem, |modem| Event::CallChanged { modem, call });
    }

    fn call_track(&mut self, path: &str) -> Option<(String, &mut CallTrack)> {
        self.modems.iter_mut().find_map(|(modem, of)| Some((modem.clone(), of.calls.get_mut(path)?)))
    }

    fn ask_about(&mut self, modem: &str, path: &str, interface: &'static str, now: Instant) {
        let ask = Ask::Interface { path: path.to_owned(), interface, modem: Some(modem.to_owned()) };
        self.ask(ask, 0, now);
    }
}
