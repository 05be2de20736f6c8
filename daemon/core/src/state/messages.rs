//! Short messages received: each is shown to the rules once, however often ModemManager shows it.

use chrono::DateTime;

use super::State;
use crate::effect::{Change, Effects, Notice};
use crate::ident::ModemId;
use crate::modem::SmsView;
use crate::time::{Span, Stamp, Timestamp};
use crate::view::Trigger;

/// A message older than this when first seen lay in the modem's storage all along: it is history, not news.
const NEWS_FOR: Span = Span::secs(3 * 86_400);

/// So many messages are remembered; the oldest is forgotten first.
const REMEMBERED: usize = 2_000;

impl State {
    /// Messages that came before rules could be asked are news now.
    pub(super) fn sms_waited(&mut self, at: Stamp, fx: &mut Effects) {
        for (modem, sms) in std::mem::take(&mut self.sms_waiting) {
            self.sms_received(&modem, &sms, at, fx);
        }
    }

    pub(super) fn sms_received(&mut self, modem: &ModemId, sms: &SmsView, at: Stamp, fx: &mut Effects) {
        if self.sms_seen.contains_key(&sms.digest) {
            return;
        }
        if !at.trusted || self.totals_awaited() {
            if self.sms_waiting.len() < REMEMBERED {
                self.sms_waiting.push((modem.clone(), sms.clone()));
            }
            return;
        }
        self.sms_seen.insert(sms.digest.clone(), at.wall);
        if self.sms_seen.len() > REMEMBERED {
            let oldest = self.sms_seen.iter().min_by_key(|(_, at)| **at).map(|(digest, _)| digest.clone());
            oldest.and_then(|digest| self.sms_seen.remove(&digest));
        }
        let sent = sms
            .timestamp
            .as_deref()
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
            .map(|sent| Timestamp::from_millis(sent.timestamp_millis()));
        let history = sent.is_some_and(|sent| at.wall.since(sent) > NEWS_FOR);
        if history {
            fx.changes.push(Change::KeepSmsDigest { digest: sms.digest.clone(), at: at.wall });
            return;
        }
        fx.notices.push(Notice::Happened("a short message came in".to_owned()));
        let trigger = Trigger::Sms { sim: self.sim_of(modem), sms: sms.clone() };
        let asked = fx.evaluate.len();
        self.ask_rules(std::slice::from_ref(&trigger), at, fx);
        if fx.evaluate.len() == asked {
            fx.changes.push(Change::KeepSmsDigest { digest: sms.digest.clone(), at: at.wall });
        }
    }
}
