//! Another ledger takes the place of the one in use: its numbers, its key and its calls hold from then on.

use super::*;
use crate::ledger::GapReason;
use crate::reminder::{Delivery, Message, Reminder};

impl Phone {
    /// What the ledger holds now, for a copy of it.
    fn copy(&self) -> Restored {
        Restored {
            open_calls: self.calls.values().filter(|c| matches!(c.end, CallEnd::Open(_))).cloned().collect(),
            next_call: CallId(self.calls.keys().max().map_or(1, |id| id.0 + 1)),
            next_sms: SmsId(self.sms.keys().max().map_or(1, |id| id.0 + 1)),
            counted_sms: self.sms.values().filter_map(|sms| sms.digest.clone()).collect(),
            party_key: self.state.party_key(),
            ..Restored::empty()
        }
    }

    /// A ledger that holds these takes the place of the one in use.
    fn replaced(&mut self, by: Restored, calls: &[CallRecord], sms: &[SmsRecord]) -> Effects {
        self.calls = calls.iter().map(|call| (call.id, call.clone())).collect();
        self.sms = sms.iter().map(|sms| (sms.id, sms.clone())).collect();
        let reason = GapReason::LedgerRestored;
        self.feed(Event::LedgerReplaced { restored: Box::new(by), links: Vec::new(), reason })
    }
}

#[test]
fn a_call_under_way_goes_on_in_the_ledger_that_takes_the_place() {
    let mut phone = Phone::new();
    let copy = phone.copy();
    phone.call("0", false, Active);
    phone.passes(60_000);
    phone.replaced(copy, &[], &[]);
    assert_eq!(phone.kept(), [(true, 60, 60, "open")], "it is there at once");
    phone.passes(30_000);
    phone.call("0", false, Terminated);
    assert_eq!(phone.kept(), [(true, 90, 90, "seen")], "once, with all of its time");
}

#[test]
fn a_call_that_the_copy_knows_goes_on_under_its_number() {
    let mut phone = Phone::new();
    phone.call("0", false, Active);
    let (copy, calls) = (phone.copy(), phone.calls.values().cloned().collect::<Vec<_>>());
    phone.passes(60_000);
    phone.replaced(copy, &calls, &[]);
    phone.call("0", false, Terminated);
    assert_eq!(phone.kept(), [(true, 60, 60, "seen")]);
}

#[test]
fn a_number_that_the_other_ledger_gave_to_another_call_is_not_taken_again() {
    let mut phone = Phone::new();
    // The other ledger's twenty calls; this one knows nothing of them.
    for n in 0..20 {
        phone.call(&format!("old-{n}"), true, RingingIn);
        phone.call(&format!("old-{n}"), true, Terminated);
    }
    let (copy, calls) = (phone.copy(), phone.calls.values().cloned().collect::<Vec<_>>());
    let mut phone = Phone::new();
    phone.call("0", false, Active);
    phone.passes(60_000);
    phone.replaced(copy, &calls, &[]);
    phone.call("1", true, Waiting);
    phone.call("1", true, Terminated);
    phone.call("0", false, Terminated);
    assert_eq!(phone.calls.len(), 22, "none took the place of another");
    assert_eq!(phone.kept().iter().filter(|call| call.0).count(), 1);
}

#[test]
fn a_call_that_ended_since_the_copy_ends_unknown() {
    let mut phone = Phone::new();
    phone.call("0", false, Active);
    phone.passes(10_000);
    let (copy, calls) = (phone.copy(), phone.calls.values().cloned().collect::<Vec<_>>());
    phone.call("0", false, Terminated);
    phone.passes(600_000);
    phone.replaced(copy, &calls, &[]);
    phone.passes(60_000);
    let [(true, least, most, "unknown")] = phone.kept()[..] else { panic!("{:?}", phone.kept()) };
    assert!(least <= 10 && most >= 610, "{least} to {most} seconds");
}

#[test]
fn numbers_are_digested_under_the_key_of_the_ledger_they_are_in() {
    let mut phone = Phone::new();
    phone.call("0", false, Active);
    phone.passes(1_000);
    let other = PartyKey(3, 4);
    phone.replaced(Restored { party_key: other, ..Restored::empty() }, &[], &[]);
    let party = |phone: &Phone| phone.calls.values().next().unwrap().party.clone();
    assert_eq!(party(&phone), None, "a digest of the other key would be of nobody");
    phone.call("0", false, Held);
    phone.call("0", false, Terminated);
    assert_eq!(party(&phone), Some(other.digest(NUMBER)));
    let sent = |phone: &mut Phone| {
        phone.feed(Event::SmsSent { modem: home_modem().id, parts: 1, to: Some(NUMBER.to_owned()) });
    };
    sent(&mut phone);
    sent(&mut phone);
    assert!(phone.sms.values().all(|sms| sms.party == Some(other.digest(NUMBER))), "{:?}", phone.sms);
}

#[test]
fn messages_are_counted_once_in_the_ledger_that_takes_the_place() {
    let mut phone = Phone::new();
    let modem = home_modem().id;
    let sms = |digest: &str| SmsView {
        number: "10086".to_owned(),
        text: "hello".to_owned(),
        timestamp: None,
        digest: digest.to_owned(),
    };
    let received = |phone: &mut Phone, digest: &str| {
        phone.feed(Event::SmsReceived { modem: modem.clone(), sms: sms(digest) });
    };
    received(&mut phone, "in the copy");
    let (copy, messages) = (phone.copy(), phone.sms.values().cloned().collect::<Vec<_>>());
    phone.feed(Event::SmsFailed {
        modem: modem.clone(),
        parts: 2,
        to: Some(NUMBER.to_owned()),
        unknown: true,
    });
    phone.replaced(copy, &[], &messages);
    received(&mut phone, "in the copy");
    received(&mut phone, "new");
    // What nobody knew to have left did.
    phone.feed(Event::SmsSent { modem, parts: 2, to: Some(NUMBER.to_owned()) });
    let mut kept: Vec<_> = phone.sms.values().map(|sms| (sms.direction, sms.digest.as_deref())).collect();
    kept.sort_unstable();
    let received = SmsDirection::Received;
    assert_eq!(kept, [(SmsDirection::Sent, None), (received, Some("in the copy")), (received, Some("new"))]);
}

#[test]
fn what_only_the_copy_holds_to_be_live_is_not_said_again() {
    let at = Timestamp::from_secs(DAY);
    let key = crate::ident::ReminderKey::new("old/used/home").unwrap();
    let reminder = Reminder {
        key: key.clone(),
        rule: RuleName::new("old").unwrap(),
        sim: None,
        state: ReminderState::Firing,
        urgency: Urgency::Info,
        text: "used up".to_owned(),
        repeat: Repeat::Once,
        channels: Vec::new(),
        raised_at: at,
        next_at: Some(at),
        occurrence: 1,
        trigger: "usage".to_owned(),
        late: None,
    };
    let message = Message {
        title: "used up".to_owned(),
        text: "used up".to_owned(),
        urgency: Urgency::Info,
        key: key.as_str().to_owned(),
        sim_name: None,
        raised_at: at,
        id: "d".to_owned(),
        language: "en".to_owned(),
    };
    let delivery = Delivery {
        id: "d".to_owned(),
        reminder: key,
        channel: ChannelName::new("mail").unwrap(),
        state: DeliveryState::Queued,
        attempts: 0,
        created_at: at,
        next_at: Some(at),
        last_error: None,
        message,
    };
    let mut phone = Phone::new();
    let copy = Restored { reminders: vec![reminder], deliveries: vec![delivery], ..phone.copy() };
    let fx = phone.replaced(copy, &[], &[]);
    assert!(fx.deliver.is_empty(), "{:?}", fx.deliver);
    let over = fx.changes.iter().filter(|change| match change {
        Change::KeepReminder(r) => matches!(r.state, ReminderState::Resolved { .. }) && r.next_at.is_none(),
        Change::KeepDelivery(d) => d.state == DeliveryState::Failed && d.last_error.is_some(),
        _ => false,
    });
    assert_eq!(over.count(), 2, "{:?}", fx.changes);
}
