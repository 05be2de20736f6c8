//! The dispatcher: who waits for whom, and what becomes of each delivery.

use std::sync::Arc;
use std::time::Duration;

use simbell_core::event::DeliveryOutcome;
use simbell_notify::{
    Channel, ChannelConfig, Dispatcher, Ended, QUEUE, SendErrorKind, SmsGateway, WebhookConfig, test_message,
};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::sms::{self, Gateway, Modem};
use crate::support::{DEADLINE, NOW, Server, channels, delivery, message, name};

/// A receiver that takes connections and never answers.
struct Silent {
    listener: TcpListener,
}

impl Silent {
    async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn config(&self) -> ChannelConfig {
        webhook(format!("http://{}/", self.listener.local_addr().unwrap()))
    }

    /// Waits until somebody is being kept waiting.
    async fn engaged(&self) -> tokio::net::TcpStream {
        tokio::time::timeout(DEADLINE, self.listener.accept()).await.unwrap().unwrap().0
    }
}

fn webhook(url: String) -> ChannelConfig {
    ChannelConfig::Webhook(WebhookConfig {
        url: url.into(),
        method: "POST".to_owned(),
        headers: vec![],
        template: None,
        content_type: "application/json".to_owned(),
        ca_file: None,
        timeout: Duration::from_secs(3_600),
    })
}

fn dispatcher(
    configs: Vec<(&str, ChannelConfig)>,
    gateway: Option<Arc<dyn SmsGateway>>,
) -> (Dispatcher, mpsc::Receiver<Ended>) {
    let (sender, receiver) = mpsc::channel(2 * QUEUE);
    (Dispatcher::new(channels(configs, gateway), sender), receiver)
}

async fn next(outcomes: &mut mpsc::Receiver<Ended>) -> Ended {
    tokio::time::timeout(DEADLINE, outcomes.recv()).await.expect("no outcome").unwrap()
}

fn is_retry(outcome: &DeliveryOutcome) -> bool {
    matches!(outcome, DeliveryOutcome::Retry { .. })
}

fn refusal(outcome: &DeliveryOutcome) -> &str {
    match outcome {
        DeliveryOutcome::Refused { error } => error,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_dead_receiver_delays_no_healthy_one() {
    let (silent, mut server) = (Silent::new().await, Server::http(&[]));
    let healthy = webhook(format!("http://127.0.0.1:{}/ok", server.port));
    let (dispatcher, mut outcomes) = dispatcher(
        vec![("dead", silent.config()), ("healthy", healthy), ("journal", ChannelConfig::Journal)],
        None,
    );
    for n in 0..10 {
        dispatcher.deliver(delivery("dead", &format!("dead#{n}"))).unwrap();
    }
    let held = silent.engaged().await;
    for n in 0..5 {
        dispatcher.deliver(delivery("healthy", &format!("healthy#{n}"))).unwrap();
        dispatcher.deliver(delivery("journal", &format!("journal#{n}"))).unwrap();
    }
    let mut ids = Vec::new();
    for _ in 0..10 {
        let ended = next(&mut outcomes).await;
        assert_eq!(ended.outcome, DeliveryOutcome::Delivered);
        ids.push(ended.id);
    }
    assert!(ids.iter().all(|id| !id.starts_with("dead")), "{ids:?}");
    for n in 0..5 {
        let expected = format!("healthy#{n}");
        assert_eq!(server.received().await["headers"]["idempotency-key"], expected.as_str());
    }
    // Everything that waits for the dead one comes back to be tried later.
    dispatcher.stop(Duration::ZERO).await;
    let mut back = Vec::new();
    while let Some(ended) = outcomes.recv().await {
        assert!(is_retry(&ended.outcome), "{:?}", ended.outcome);
        back.push(ended.id);
    }
    back.sort();
    assert_eq!(back, (0..10).map(|n| format!("dead#{n}")).collect::<Vec<_>>());
    drop(held);
}

#[tokio::test]
async fn a_delivery_that_waits_is_not_taken_twice_and_a_full_queue_is_said() {
    let silent = Silent::new().await;
    let (dispatcher, mut outcomes) = dispatcher(vec![("dead", silent.config())], None);
    dispatcher.deliver(delivery("dead", "first")).unwrap();
    let held = silent.engaged().await;
    dispatcher.deliver(delivery("dead", "first")).unwrap();
    for n in 0..QUEUE {
        dispatcher.deliver(delivery("dead", &format!("{n}"))).unwrap();
        dispatcher.deliver(delivery("dead", &format!("{n}"))).unwrap();
    }
    let ended = dispatcher.deliver(delivery("dead", "one more")).unwrap_err();
    assert_eq!((ended.id.as_str(), ended.channel), ("one more", name("dead")));
    assert!(is_retry(&ended.outcome));
    // Handed back, it may come again, and is handed back again.
    assert!(dispatcher.deliver(delivery("dead", "one more")).is_err());
    dispatcher.stop(Duration::ZERO).await;
    let mut back = 0;
    while outcomes.recv().await.is_some() {
        back += 1;
    }
    assert_eq!(back, QUEUE + 1);
    drop(held);
}

#[tokio::test]
async fn a_channel_that_is_not_there_is_refused() {
    let (dispatcher, _outcomes) = dispatcher(vec![("journal", ChannelConfig::Journal)], None);
    let ended = dispatcher.deliver(delivery("journla", "1")).unwrap_err();
    assert!(refusal(&ended.outcome).contains("there is no channel journla"));
    let kinds: Vec<_> = dispatcher.channels().map(|(name, kind)| (name.to_string(), kind)).collect();
    assert_eq!(kinds, [("journal".to_owned(), "journal".to_owned())]);
}

#[tokio::test]
async fn a_reload_changes_where_waiting_messages_go() {
    let (silent, gone, mut server) = (Silent::new().await, Silent::new().await, Server::http(&[]));
    let (mut dispatcher, mut outcomes) =
        dispatcher(vec![("moved", silent.config()), ("gone", gone.config())], None);
    for id in ["1", "2"] {
        dispatcher.deliver(delivery("moved", id)).unwrap();
        dispatcher.deliver(delivery("gone", id)).unwrap();
    }
    let (held_moved, held_gone) = (silent.engaged().await, gone.engaged().await);
    dispatcher
        .replace(channels(vec![("moved", webhook(format!("http://127.0.0.1:{}/new", server.port)))], None));
    // What was being sent ends as it began: here, with the connection.
    drop((held_moved, held_gone));
    let mut ends = Vec::new();
    for _ in 0..4 {
        let ended = next(&mut outcomes).await;
        ends.push((ended.channel.to_string(), ended.id, ended.outcome));
    }
    ends.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    assert!(is_retry(&ends[0].2), "{ends:?}");
    assert!(refusal(&ends[1].2).contains("there is no channel gone"));
    assert!(is_retry(&ends[2].2), "{ends:?}");
    assert_eq!(ends[3].2, DeliveryOutcome::Delivered);
    assert_eq!(server.received().await["headers"]["idempotency-key"], "2");
    assert!(dispatcher.deliver(delivery("gone", "3")).is_err());
}

#[tokio::test]
async fn a_stop_waits_for_what_is_being_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = webhook(format!("http://{}/", listener.local_addr().unwrap()));
    let (dispatcher, mut outcomes) = dispatcher(vec![("slow", config)], None);
    dispatcher.deliver(delivery("slow", "1")).unwrap();
    dispatcher.deliver(delivery("slow", "2")).unwrap();
    let (mut socket, _) = listener.accept().await.unwrap();
    let stop = tokio::spawn(dispatcher.stop(DEADLINE));
    // What waits is handed back only after what is being sent has ended.
    tokio::task::yield_now().await;
    assert!(outcomes.try_recv().is_err());
    tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 204 Fine\r\n\r\n").await.unwrap();
    let (first, second) = (next(&mut outcomes).await, next(&mut outcomes).await);
    assert_eq!((first.id.as_str(), &first.outcome), ("1", &DeliveryOutcome::Delivered));
    assert_eq!(second.id, "2");
    assert!(is_retry(&second.outcome));
    stop.await.unwrap();
}

#[tokio::test]
async fn a_stop_never_lets_a_short_message_be_sent_twice() {
    let gateway = Gateway::new(vec![Modem::Hangs]);
    let shared: Arc<dyn SmsGateway> = Arc::clone(&gateway) as _;
    let (dispatcher, mut outcomes) =
        dispatcher(vec![("sms", ChannelConfig::Sms(sms::config()))], Some(shared));
    dispatcher.deliver(delivery("sms", "sent")).unwrap();
    dispatcher.deliver(delivery("sms", "waiting")).unwrap();
    let asked = async {
        while gateway.numbers().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, asked).await.unwrap();
    dispatcher.stop(Duration::ZERO).await;
    let (sent, waiting) = (next(&mut outcomes).await, next(&mut outcomes).await);
    assert_eq!((sent.id.as_str(), waiting.id.as_str()), ("sent", "waiting"));
    assert!(refusal(&sent.outcome).contains("whether it left is not known"));
    assert!(is_retry(&waiting.outcome));
}

#[tokio::test]
async fn a_fault_ends_one_try_and_not_the_worker() {
    let gateway = Gateway::new(vec![Modem::Panics, Modem::Sends, Modem::Sends]);
    let (dispatcher, mut outcomes) =
        dispatcher(vec![("sms", ChannelConfig::Sms(sms::config()))], Some(gateway));
    dispatcher.deliver(delivery("sms", "1")).unwrap();
    dispatcher.deliver(delivery("sms", "2")).unwrap();
    assert!(refusal(&next(&mut outcomes).await.outcome).contains("a fault of the service"));
    assert_eq!(next(&mut outcomes).await.outcome, DeliveryOutcome::Delivered);
}

#[tokio::test]
async fn a_test_fire_passes_the_queue() {
    let (silent, mut server) = (Silent::new().await, Server::http(&[]));
    let (mut dispatcher, _outcomes) = dispatcher(vec![("hook", silent.config())], None);
    dispatcher.deliver(delivery("hook", "1")).unwrap();
    let held = silent.engaged().await;
    dispatcher.replace(channels(vec![("hook", webhook(format!("http://127.0.0.1:{}/", server.port)))], None));
    let test = test_message(&name("hook"), NOW, "zh-CN");
    let receipt = dispatcher.send_test(&name("hook"), test, NOW).await.unwrap();
    assert!(receipt.text.contains("answered 200"), "{}", receipt.text);
    let body = server.received().await["body"].as_str().unwrap().to_owned();
    assert!(body.contains("渠道“hook”工作正常"), "{body}");
    let error = dispatcher.send_test(&name("nowhere"), message("1"), NOW).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (SendErrorKind::Unavailable, false));
    drop(held);
}

#[tokio::test]
async fn the_desktop_is_not_served_here() {
    let desktop: Channel = channels(vec![("desk", ChannelConfig::Desktop)], None).pop_first().unwrap().1;
    let error = desktop.send(&message("1"), NOW).await.unwrap_err();
    assert_eq!((error.kind(), error.retry), ("unavailable", false));
}
