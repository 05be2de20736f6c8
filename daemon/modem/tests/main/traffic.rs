//! Messages, calls, USSD and commands against a scripted ModemManager, peer to peer.

use simbell_core::event::Event;
use simbell_core::modem::{CallState, CallView, SmsView};
use simbell_modem::CommandError;

use crate::fixture::*;

const SMS0: &str = "/org/freedesktop/ModemManager1/SMS/0";
const SMS1: &str = "/org/freedesktop/ModemManager1/SMS/1";
const CALL0: &str = "/org/freedesktop/ModemManager1/Call/0";

async fn one_modem() -> (Lab, Mm) {
    let mut lab = Lab::peer(quick());
    let mm = lab.accept().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    lab.appeared().await;
    lab.seen().await;
    (lab, mm)
}

impl Lab {
    async fn sms(&mut self) -> SmsView {
        match self.next().await {
            Event::SmsReceived { modem, sms } => {
                assert_eq!(modem.as_str(), IMEI);
                sms
            }
            other => panic!("a message was expected, not {other:?}"),
        }
    }

    async fn call(&mut self) -> CallView {
        match self.next().await {
            Event::CallChanged { call, .. } => call,
            other => panic!("a call was expected, not {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_message_is_told_once_however_often_it_is_shown() {
    let (mut lab, mm) = one_modem().await;
    mm.put_sms(SMS0, 3, 1, "500 MB left");
    mm.say(M0, MESSAGING, "Added", &(path(SMS0), true)).await;
    mm.change(M0, MESSAGING, &[("Messages", own(vec![path(SMS0)]))]).await;
    let sms = lab.sms().await;
    assert_eq!((sms.number.as_str(), sms.text.as_str()), ("+15559999", "500 MB left"));
    assert_eq!(sms.timestamp.as_deref(), Some("2026-03-01T12:30:00+08:00"));
    assert_eq!(sms.digest.len(), 64);
    // Enabling a modem shows every stored message again under a new path.
    mm.put_sms(SMS1, 3, 1, "500 MB left");
    mm.say(M0, MESSAGING, "Added", &(path(SMS1), true)).await;
    lab.nothing_before_a_change(&mm).await;
    mm.put_sms(SMS1, 3, 1, "400 MB left");
    mm.say(M0, MESSAGING, "Deleted", &path(SMS1)).await;
    mm.say(M0, MESSAGING, "Added", &(path(SMS1), true)).await;
    assert_ne!(lab.sms().await.digest, sms.digest);
}

#[tokio::test]
async fn a_message_shown_again_by_a_restarted_modemmanager_is_not_told_again() {
    let (mut lab, mm) = one_modem().await;
    mm.put_sms(SMS0, 3, 1, "hello");
    mm.say(M0, MESSAGING, "Added", &(path(SMS0), true)).await;
    let first = lab.sms().await;
    mm.die().await;
    let mm = lab.accept().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    mm.set(M0, MESSAGING, &[("Messages", own(vec![path(SMS0), path(SMS1)]))]);
    mm.put_sms(SMS0, 3, 1, "new");
    mm.put_sms(SMS1, 3, 1, "hello");
    lab.appeared().await;
    lab.seen().await;
    let second = lab.sms().await;
    assert_eq!((first.text.as_str(), second.text.as_str()), ("hello", "new"));
    lab.nothing_before_a_change(&mm).await;
}

#[tokio::test]
async fn stored_messages_are_told_after_their_modem() {
    let mut lab = Lab::peer(quick());
    let mm = lab.accept().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    let paths: Vec<String> = (0..100).map(|n| format!("/org/freedesktop/ModemManager1/SMS/{n}")).collect();
    for (n, at) in paths.iter().enumerate() {
        mm.put_sms(at, 3, 1, &format!("message {n}"));
    }
    mm.set(M0, MESSAGING, &[("Messages", own(paths.iter().map(|at| path(at)).collect::<Vec<_>>()))]);
    lab.appeared().await;
    lab.seen().await;
    let mut texts = std::collections::BTreeSet::new();
    for _ in 0..100 {
        texts.insert(lab.sms().await.text);
    }
    assert_eq!(texts.len(), 100);
}

#[tokio::test]
async fn a_long_message_is_told_when_its_last_part_is_there() {
    let (mut lab, mm) = one_modem().await;
    mm.put_sms(SMS0, 2, 1, "");
    mm.say(M0, MESSAGING, "Added", &(path(SMS0), true)).await;
    lab.nothing_before_a_change(&mm).await;
    mm.change(SMS0, SMS, &[("State", own(3_u32)), ("Text", own("all of it"))]).await;
    assert_eq!(lab.sms().await.text, "all of it");
}

#[tokio::test]
async fn status_reports_drafts_and_vanished_messages_are_no_messages() {
    let (mut lab, mm) = one_modem().await;
    mm.put_sms(SMS0, 3, 3, "");
    mm.say(M0, MESSAGING, "Added", &(path(SMS0), true)).await;
    mm.put_sms(SMS1, 0, 2, "draft");
    mm.say(M0, MESSAGING, "Added", &(path(SMS1), false)).await;
    mm.say(M0, MESSAGING, "Added", &(path("/org/freedesktop/ModemManager1/SMS/9"), true)).await;
    lab.nothing_before_a_change(&mm).await;
}

#[tokio::test]
async fn messages_that_anybody_sends_are_counted_by_parts() {
    let (mut lab, mm) = one_modem().await;
    mm.put_sms(SMS0, 0, 2, &"x".repeat(161));
    mm.say(M0, MESSAGING, "Added", &(path(SMS0), false)).await;
    lab.nothing_before_a_change(&mm).await;
    // Deleted as soon as it is sent: the signal alone must do.
    mm.change(SMS0, SMS, &[("MessageReference", own(7_u32)), ("State", own(5_u32))]).await;
    mm.forget(SMS0);
    mm.say(M0, MESSAGING, "Deleted", &path(SMS0)).await;
    match lab.next().await {
        Event::SmsSent { modem, parts, .. } => assert_eq!((modem.as_str(), parts), (IMEI, 2)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn hostile_messages_are_bounded_and_survive() {
    let (mut lab, mm) = one_modem().await;
    mm.put_sms(SMS0, 3, 1, &format!("\u{1b}[2J\u{202e}{}", "я".repeat(30_000)));
    mm.say(M0, MESSAGING, "Added", &(path(SMS0), true)).await;
    assert!(lab.sms().await.text.chars().count() <= 39_015);
    mm.put_sms(SMS1, 3, 1, &"x".repeat(1_000_000));
    mm.say(M0, MESSAGING, "Added", &(path(SMS1), true)).await;
    assert_eq!(lab.sms().await.text, "", "a text beyond any message is left out");
}

#[tokio::test]
async fn a_call_is_told_state_by_state_however_short() {
    let (mut lab, mm) = one_modem().await;
    mm.put_call(CALL0, 3, 1, "");
    mm.say(M0, VOICE, "CallAdded", &path(CALL0)).await;
    let call = lab.call().await;
    assert_eq!((call.state, call.incoming, call.number), (CallState::RingingIn, true, None));
    mm.change(CALL0, CALL, &[("Number", own("+15551234"))]).await;
    assert_eq!(lab.call().await.number.as_deref(), Some("+15551234"));
    // Both signals of a call of a moment, then the property, which knows the last state only.
    mm.say(CALL0, CALL, "StateChanged", &(3_i32, 4_i32, 3_u32)).await;
    mm.say(CALL0, CALL, "StateChanged", &(4_i32, 7_i32, 4_u32)).await;
    mm.change(CALL0, CALL, &[("State", own(7_i32))]).await;
    assert_eq!(lab.call().await.state, CallState::Active);
    assert_eq!(lab.call().await.state, CallState::Terminated);
    mm.say(CALL0, CALL, "StateChanged", &(3_i32, 4_i32, 0_u32)).await;
    mm.say(M0, VOICE, "CallDeleted", &path(CALL0)).await;
    lab.nothing_before_a_change(&mm).await;
}

#[tokio::test]
async fn states_before_a_call_could_be_read_are_told_in_order() {
    let (mut lab, mm) = one_modem().await;
    mm.put_call(CALL0, 7, 2, "+15551234");
    mm.ignore(CALL0);
    mm.say(M0, VOICE, "CallAdded", &path(CALL0)).await;
    mm.say(CALL0, CALL, "StateChanged", &(0_i32, 1_i32, 1_u32)).await;
    mm.say(CALL0, CALL, "StateChanged", &(1_i32, 4_i32, 3_u32)).await;
    lab.nothing_before_a_change(&mm).await;
    mm.answer_again();
    let states = [lab.call().await.state, lab.call().await.state, lab.call().await.state];
    assert_eq!(states, [CallState::Dialing, CallState::Active, CallState::Terminated]);
}

#[tokio::test]
async fn calls_that_are_there_are_told_together_and_one_whose_end_was_missed_ends_unknown() {
    let mut lab = Lab::peer(quick());
    let mm = lab.accept().await;
    mm.put_modem(M0, S0, IMEI, ICCID);
    let old = "/org/freedesktop/ModemManager1/Call/7";
    mm.put_call(old, 7, 1, "+1");
    mm.put_call(CALL0, 4, 1, "+15551234");
    mm.set(M0, VOICE, &[("Calls", own(vec![path(old), path(CALL0)]))]);
    lab.appeared().await;
    lab.seen().await;
    let Event::CallsListed { calls, .. } = lab.next().await else { panic!("the calls that are there") };
    let listed: Vec<_> = calls.iter().map(|call| (call.path.as_str(), call.state)).collect();
    assert_eq!(listed, [(CALL0, CallState::Active), (old, CallState::Terminated)]);
    mm.say(M0, VOICE, "CallDeleted", &path(CALL0)).await;
    assert_eq!(lab.call().await.state, CallState::Unknown);
}

#[tokio::test]
async fn what_the_network_says_by_ussd_is_told() {
    let (mut lab, mm) = one_modem().await;
    for (property, said) in [("NetworkNotification", "Your balance is 5"), ("NetworkRequest", "1 for more")] {
        mm.change(M0, USSD, &[(property, own(said)), ("State", own(3_u32))]).await;
        match lab.next().await {
            Event::UssdReceived { text, .. } => assert_eq!(text, said),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_message_is_sent_with_its_parts_and_reference_and_tidied_away() {
    let (mut lab, mm) = one_modem().await;
    let id = lab.commands.modems().remove(0);
    mm.put_sms(SMS0, 0, 2, "x");
    mm.say(M0, MESSAGING, "Added", &(path(SMS0), false)).await;
    mm.replies("Create", Reply::Path(SMS0));
    let receipt = lab.commands.send_sms(&id, "+15551234", &"я".repeat(71)).await.unwrap();
    assert_eq!((receipt.parts, receipt.reference), (2, Some(42)));
    assert_eq!(mm.called(), ["Create 0", "Send 0", "Delete 0"]);
    // Whoever sent it has the receipt: it is not told again as one that others sent.
    mm.change(SMS0, SMS, &[("State", own(5_u32))]).await;
    lab.nothing_before_a_change(&mm).await;
}

#[tokio::test]
async fn a_message_of_unknown_outcome_that_leaves_late_is_told() {
    let (mut lab, mm) = one_modem().await;
    let id = lab.commands.modems().remove(0);
    mm.put_sms(SMS0, 0, 2, "x");
    mm.say(M0, MESSAGING, "Added", &(path(SMS0), false)).await;
    mm.replies("Create", Reply::Path(SMS0));
    mm.replies("Send", Reply::Silence);
    assert_eq!(lab.commands.send_sms(&id, "+1", "x").await.unwrap_err().kind(), "outcome-unknown");
    mm.change(SMS0, SMS, &[("State", own(5_u32))]).await;
    assert!(matches!(lab.next().await, Event::SmsSent { parts: 1, .. }));
}

#[tokio::test]
async fn refusals_say_what_to_do_and_leave_no_draft() {
    let (lab, mm) = one_modem().await;
    let id = lab.commands.modems().remove(0);
    let unauthorized = "org.freedesktop.ModemManager1.Error.Core.Unauthorized";
    mm.replies("Create", Reply::Error(unauthorized, "PolicyKit authorization failed"));
    let error = lab.commands.send_sms(&id, "+1", "x").await.unwrap_err();
    assert_eq!(error.kind(), "not-authorized");
    assert!(error.to_string().contains("polkit rule"), "{error}");

    mm.replies("Create", Reply::Path(SMS0));
    let refused = "org.freedesktop.ModemManager1.Error.Message.Unknown";
    mm.replies("Send", Reply::Error(refused, "Unknown message error: 38"));
    let error = lab.commands.send_sms(&id, "+1", "x").await.unwrap_err();
    assert_eq!(error.kind(), "refused");
    assert!(error.to_string().contains("Unknown message error: 38"), "{error}");
    assert_eq!(mm.called(), ["Create 0", "Create 0", "Send 0", "Delete 0"]);

    mm.replies("Create", Reply::Error("org.freedesktop.DBus.Error.UnknownMethod", "no such interface"));
    assert_eq!(lab.commands.send_sms(&id, "+1", "x").await.unwrap_err().kind(), "unsupported");
    let other = simbell_core::ident::ModemId::new("other").unwrap();
    assert_eq!(lab.commands.send_sms(&other, "+1", "x").await.unwrap_err().kind(), "unknown-modem");
}

#[tokio::test]
async fn silence_before_sending_is_a_failure_and_after_it_an_unknown_outcome() {
    let (mut lab, mm) = one_modem().await;
    let id = lab.commands.modems().remove(0);
    mm.replies("Create", Reply::Silence);
    assert_eq!(lab.commands.send_sms(&id, "+1", "x").await.unwrap_err().kind(), "timeout");
    mm.replies("Create", Reply::Path(SMS0));
    mm.replies("Send", Reply::Silence);
    assert_eq!(lab.commands.send_sms(&id, "+1", "x").await.unwrap_err().kind(), "outcome-unknown");
    assert_eq!(
        mm.called(),
        ["Create 0", "Create 0", "Send 0"],
        "a message that may be on its way is not deleted"
    );
    mm.replies("Create", Reply::Path(SMS0));
    mm.replies("Send", Reply::HangUp);
    assert_eq!(lab.commands.send_sms(&id, "+1", "x").await.unwrap_err().kind(), "outcome-unknown");
    while !matches!(lab.next().await, Event::BusLost(_)) {}
    let error = lab.commands.send_sms(&id, "+1", "x").await.unwrap_err();
    assert_eq!(error, CommandError::ModemManagerGone { action: "send a message" });
}

#[tokio::test]
async fn a_ussd_session_that_waits_for_a_reply_is_ended() {
    let (lab, mm) = one_modem().await;
    let id = lab.commands.modems().remove(0);
    mm.replies("Initiate", Reply::Text("1 balance 2 top-up"));
    mm.set(M0, USSD, &[("State", own(3_u32))]);
    assert_eq!(lab.commands.ussd(&id, "*100#").await.unwrap(), "1 balance 2 top-up");
    assert_eq!(mm.called(), ["Initiate 0", "Cancel 0"]);
}
