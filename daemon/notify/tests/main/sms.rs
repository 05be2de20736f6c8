//! Short messages, through a gateway of the test's own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use simbell_notify::{
    Channel, ChannelConfig, GatewayError, SendErrorKind, SmsConfig, SmsGateway, SmsRequest, SmsSending,
};

use crate::support::{NOW, channels, message, problem};

/// What the modem does with each message, in order.
#[derive(Clone)]
pub enum Modem {
    Sends,
    Fails(GatewayError),
    Hangs,
    Panics,
}

pub struct Gateway {
    plan: Mutex<Vec<Modem>>,
    pub asked: Mutex<Vec<(Option<String>, String, String)>>,
}

impl Gateway {
    pub fn new(mut plan: Vec<Modem>) -> Arc<Self> {
        plan.reverse();
        Arc::new(Self { plan: Mutex::new(plan), asked: Mutex::default() })
    }

    pub fn numbers(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(_, to, _)| to.clone()).collect()
    }
}

impl SmsGateway for Gateway {
    fn send<'a>(&'a self, request: SmsRequest<'a>) -> SmsSending<'a> {
        let asked = (request.via.map(str::to_owned), request.to.as_str().to_owned(), request.text.to_owned());
        self.asked.lock().unwrap().push(asked);
        let next = self.plan.lock().unwrap().pop().expect("one message more than planned");
        Box::pin(async move {
            match next {
                Modem::Sends => Ok(2),
                Modem::Fails(error) => Err(error),
                Modem::Hangs => std::future::pending().await,
                Modem::Panics => panic!("as planned"),
            }
        })
    }
}

pub fn config() -> SmsConfig {
    SmsConfig {
        to: vec!["+8613800138000".parse().unwrap(), "+8613800138001".parse().unwrap()],
        via: Some("home".to_owned()),
        max_segments: 2,
        timeout: Duration::from_secs(120),
    }
}

fn sms(gateway: &Arc<Gateway>) -> Channel {
    let gateway: Arc<dyn SmsGateway> = Arc::clone(gateway) as _;
    channels(vec![("sms", ChannelConfig::Sms(config()))], Some(gateway)).pop_first().unwrap().1
}

fn not_sent(retry: bool) -> Modem {
    Modem::Fails(GatewayError::NotSent { text: "no network\u{1b}".to_owned(), retry })
}

#[tokio::test]
async fn each_number_gets_title_and_text_once() {
    let gateway = Gateway::new(vec![Modem::Sends, Modem::Sends]);
    let receipt = sms(&gateway).send(&message("1"), NOW).await.unwrap();
    assert_eq!(receipt.text, "4 parts to 2 numbers");
    let text = "流量已用 80%\n漫游卡：已用 8 GB，共 10 GB。\n还剩 3 天。".to_owned();
    let home = Some("home".to_owned());
    assert_eq!(
        *gateway.asked.lock().unwrap(),
        [
            (home.clone(), "+8613800138000".to_owned(), text.clone()),
            (home, "+8613800138001".to_owned(), text)
        ],
    );
}

#[tokio::test]
async fn a_long_text_is_shortened_to_what_it_may_cost() {
    let gateway = Gateway::new(vec![Modem::Sends, Modem::Sends]);
    let mut message = message("1");
    message.text = "量".repeat(1_000);
    sms(&gateway).send(&message, NOW).await.unwrap();
    let text = gateway.asked.lock().unwrap()[0].2.clone();
    assert_eq!(text.encode_utf16().count(), 134);
    assert!(text.ends_with('…'));
}

#[tokio::test]
async fn what_never_left_may_be_tried_again() {
    let gateway = Gateway::new(vec![not_sent(true)]);
    let error = sms(&gateway).send(&message("1"), NOW).await.unwrap_err();
    assert_eq!(
        (error.kind, error.retry, error.text.as_str()),
        (SendErrorKind::Unreachable, true, "no network")
    );
    assert_eq!(gateway.numbers(), ["+8613800138000"]);
}

#[tokio::test]
async fn once_one_has_left_none_is_tried_again() {
    let gateway = Gateway::new(vec![Modem::Sends, not_sent(true)]);
    let error = sms(&gateway).send(&message("1"), NOW).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (SendErrorKind::Refused, false));
    assert!(error.text.contains("sent to 1 of 2 numbers: no network"), "{}", error.text);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_never_tried_again() {
    let unknown = Modem::Fails(GatewayError::Unknown { text: "ModemManager went away".to_owned() });
    for first in [unknown, Modem::Hangs] {
        let gateway = Gateway::new(vec![first, not_sent(true)]);
        let error = sms(&gateway).send(&message("1"), NOW).await.unwrap_err();
        assert_eq!((error.kind, error.retry), (SendErrorKind::OutcomeUnknown, false), "{}", error.text);
        assert!(error.text.contains("whether it left is not known; not sent again"), "{}", error.text);
        assert_eq!(gateway.numbers(), ["+8613800138000", "+8613800138001"]);
    }
}

#[tokio::test]
async fn numbers_stay_out_of_errors() {
    let text = "+CMS ERROR: 38 for +8613800138000".to_owned();
    let gateway = Gateway::new(vec![Modem::Fails(GatewayError::NotSent { text, retry: true })]);
    let error = sms(&gateway).send(&message("1"), NOW).await.unwrap_err();
    assert_eq!(error.text, "+CMS ERROR: 38 for [secret]");
}

#[test]
fn wrong_configurations_are_named_by_key() {
    let with = |change: fn(&mut SmsConfig)| {
        let mut config = config();
        change(&mut config);
        problem(ChannelConfig::Sms(config))
    };
    assert!(with(|_| ()).contains("kind: no modem is served"));
    assert!(with(|c| c.to.clear()).contains("to: names no recipient"));
    assert!(with(|c| c.to = vec!["Carrier".parse().unwrap()]).contains("to: must be numbers"));
    assert!(with(|c| c.max_segments = 0).contains("max_segments: must be 1 to 10"));
}
