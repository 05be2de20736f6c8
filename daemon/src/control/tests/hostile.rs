//! What a client that does not behave gets, and that others do not notice.

use std::io::{IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use simbell_api::{Client, MonitorEvent};

use super::*;

#[tokio::test]
async fn garbage_is_told_so_and_hung_up_on() {
    let served = start(Fake::new(16), Limits::default(), me());
    let deep = format!("{{\"method\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let corpus: Vec<Vec<u8>> = vec![
        b"\0".to_vec(),
        b"hello\0".to_vec(),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\0".to_vec(),
        b"{}\0".to_vec(),
        b"[]\0".to_vec(),
        b"null\0".to_vec(),
        b"{\"method\":7}\0".to_vec(),
        b"{\"method\":\"x\"} trailing\0".to_vec(),
        b"{\"method\":\"org.simbell.Control.GetStatus\"\0".to_vec(),
        b"{\"method\":\"\xff\xfe\"}\0".to_vec(),
        b"\xef\xbb\xbf{\"method\":\"x\"}\0".to_vec(),
        vec![0xff; 1000].into_iter().chain([0]).collect(),
        deep.into_bytes().into_iter().chain([0]).collect(),
        b"{\"more\":\"yes\",\"method\":\"org.simbell.Control.GetStatus\"}\0".to_vec(),
    ];
    for bytes in corpus {
        let mut raw = Raw::connect(&served.path).await;
        raw.0.write_all(&bytes).await.unwrap();
        let said = raw.next().await.unwrap_or_else(|| panic!("hung up without a word on {bytes:?}"));
        assert_eq!(error_of(&said), "org.simbell.Control.Malformed", "{bytes:?}");
        assert!(!said["parameters"]["hint"].as_str().unwrap().is_empty());
        assert_eq!(raw.next().await, None, "{bytes:?}");
    }
    assert!(Raw::connect(&served.path).await.ask(STATUS).await["parameters"].is_object());
}

#[tokio::test]
async fn a_call_may_be_long_but_not_endless() {
    let served = start(Fake::new(16), Limits::default(), me());
    let mut raw = Raw::connect(&served.path).await;
    let fits = format!("{STATUS}{}", " ".repeat(simbell_api::MAX_MESSAGE - STATUS.len() - 1));
    assert!(raw.ask(&fits).await["parameters"].is_object());

    let over = format!("{STATUS}{}", " ".repeat(simbell_api::MAX_MESSAGE - STATUS.len()));
    let said = raw.ask(&over).await;
    assert_eq!(error_of(&said), "org.simbell.Control.MessageTooLarge");
    assert_eq!(said["parameters"]["limit"], 65536);

    let mut endless = Raw::connect(&served.path).await;
    let block = vec![b'x'; 4096];
    let mut sent = 0_usize;
    // The service stops reading; the pipe breaks long before this ends.
    while endless.0.write_all(&block).await.is_ok() {
        sent += block.len();
        assert!(sent < 64 * 1024 * 1024, "it reads for ever");
    }
    assert_eq!(error_of(&endless.next().await.unwrap()), "org.simbell.Control.MessageTooLarge");
}

#[tokio::test]
async fn who_says_nothing_or_half_a_call_is_hung_up_on() {
    let limits = Limits { handshake: Duration::from_millis(50), ..Limits::default() };
    let served = start(Fake::new(16), limits, me());
    let mut silent = Raw::connect(&served.path).await;
    assert_eq!(error_of(&silent.next().await.unwrap()), "org.simbell.Control.TimedOut");
    assert_eq!(silent.next().await, None);

    let mut half = Raw::connect(&served.path).await;
    assert!(half.ask(STATUS).await["parameters"].is_object());
    half.0.write_all(b"{\"method\":").await.unwrap();
    assert_eq!(error_of(&half.next().await.unwrap()), "org.simbell.Control.TimedOut");
    assert_eq!(half.next().await, None);
}

#[tokio::test]
async fn a_follower_that_falls_behind_is_told_and_dropped() {
    let served = start(Fake::new(8), Limits::default(), me());
    let mut slow = Raw::connect(&served.path).await;
    slow.send(r#"{"method":"org.simbell.Control.Monitor","more":true}"#).await;
    eventually("it follows", || served.fake.followers() == 1).await;
    let mut quick = Client::connect(&served.path).await.unwrap();
    // More than any socket buffer holds; others are answered meanwhile.
    for n in 0..400 {
        served.fake.publish(MonitorEvent::happened(fake::NOW.into(), format!("{n} {}", "x".repeat(4000))));
        if n % 50 == 0 {
            quick.status().await.unwrap();
        }
    }
    let mut last = Value::Null;
    while let Some(message) = slow.next().await {
        last = message;
    }
    assert_eq!(error_of(&last), "org.simbell.Control.TooSlow");
    assert!(last["parameters"]["message"].as_str().unwrap().contains("missed"), "{last}");
    eventually("it is dropped", || served.fake.followers() == 0).await;
}

#[tokio::test]
async fn a_follower_that_does_not_read_is_dropped() {
    let limits = Limits { write: Duration::from_millis(50), ..Limits::default() };
    let served = start(Fake::new(1024), limits, me());
    let mut stuck = Raw::connect(&served.path).await;
    stuck.send(r#"{"method":"org.simbell.Control.Monitor","more":true}"#).await;
    eventually("it follows", || served.fake.followers() == 1).await;
    for n in 0..1000 {
        served.fake.publish(MonitorEvent::happened(fake::NOW.into(), format!("{n} {}", "x".repeat(4000))));
    }
    eventually("it is dropped", || served.fake.followers() == 0).await;
    assert!(Raw::connect(&served.path).await.ask(STATUS).await["parameters"].is_object());
}

#[tokio::test]
async fn a_client_that_does_not_read_its_replies_is_dropped() {
    let limits = Limits { write: Duration::from_millis(50), ..Limits::default() };
    let served = start(Fake::new(16).with_sims(50), limits, me());
    let stuck = Raw::connect(&served.path).await;
    let call = b"{\"method\":\"org.simbell.Control.ListSims\"}\0".repeat(100);
    // Written until the service hangs up: it stops reading while its reply waits, then closes.
    let mut stuck = stuck.0;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while stuck.write_all(&call).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "it is never dropped");
    }
    assert!(Raw::connect(&served.path).await.ask(STATUS).await["parameters"].is_object());
}

#[tokio::test]
async fn file_descriptors_sent_along_are_not_kept() {
    let served = start(Fake::new(16), Limits::default(), me());
    let mut raw = Raw::connect(&served.path).await;
    let (mut reader, writer) = std::io::pipe().unwrap();
    {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fds = [writer.as_fd()];
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
        let message = format!("{STATUS}\0");
        let sent = sendmsg(&raw.0, &[IoSlice::new(message.as_bytes())], &mut ancillary, SendFlags::empty());
        assert_eq!(sent.unwrap(), message.len());
    }
    assert!(raw.next().await.unwrap()["parameters"].is_object());
    drop(writer);
    // The connection still stands: the pipe ends only if nobody holds the other copy.
    let read = tokio::task::spawn_blocking(move || reader.read(&mut [0_u8; 1]).unwrap());
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), read).await.unwrap().unwrap(), 0);
    assert!(raw.ask(STATUS).await["parameters"].is_object());
}
