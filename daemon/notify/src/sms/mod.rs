//! Short messages through the modem. They cost money: at most once each, and no longer than need be.

pub(crate) mod gateway;
pub(crate) mod segments;

use std::sync::Arc;

use simbell_core::reminder::Message;

use crate::channel::Receipt;
use crate::config::SmsConfig;
use crate::error::{Problem, SendError, SendErrorKind};
use crate::redact::Redactor;
use crate::sms::gateway::{GatewayError, SmsGateway, SmsRequest};
use crate::sms::segments::fit;
use crate::text::{lines, one_line};

pub(crate) struct Sms {
    config: SmsConfig,
    gateway: Arc<dyn SmsGateway>,
    redactor: Redactor,
}

impl Sms {
    pub(crate) fn new(config: SmsConfig, gateway: Option<&Arc<dyn SmsGateway>>) -> Result<Self, Problem> {
        if config.to.is_empty() {
            return Err(Problem::new("to", "names no recipient; write at least one number"));
        }
        for number in &config.to {
            let digits = number.as_str().strip_prefix('+').unwrap_or(number.as_str());
            // 3 digits: a carrier's short number. 15: E.164.
            if !(3..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Problem::new("to", "must be numbers such as +8613800138000, without blanks"));
            }
        }
        if !(1..=10).contains(&config.max_segments) {
            return Err(Problem::new("max_segments", "must be 1 to 10"));
        }
        let gateway =
            gateway.ok_or_else(|| Problem::new("kind", "no modem is served that could send a message"))?;
        // Numbers are personal: they do not belong in errors and logs.
        let redactor = Redactor::new(config.to.iter().map(simbell_core::ident::PhoneNumber::as_str));
        Ok(Self { redactor, config, gateway: Arc::clone(gateway) })
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let fitted = fit(&text(message), self.config.max_segments);
        let all = self.config.to.len();
        let (mut sent, mut parts, mut unknown) = (0_usize, 0_u32, false);
        let mut problems: Vec<String> = Vec::new();
        for number in &self.config.to {
            let request = SmsRequest { via: self.config.via.as_deref(), to: number, text: &fitted.text };
            let result = tokio::time::timeout(self.config.timeout, self.gateway.send(request)).await;
            match result.unwrap_or_else(|_| {
                let within = self.config.timeout.as_secs();
                Err(GatewayError::Unknown { text: format!("the modem did not answer within {within} s") })
            }) {
                Ok(count) => {
                    sent = sent.saturating_add(1);
                    parts = parts.saturating_add(count);
                }
                // Only while nothing has left may all of it be tried again.
                Err(GatewayError::NotSent { text, retry: true }) if sent == 0 && !unknown => {
                    return Err(SendError::again(SendErrorKind::Unreachable, self.redactor.clean(&text)));
                }
                Err(GatewayError::NotSent { text, .. }) => problems.push(text),
                Err(GatewayError::Unknown { text }) => {
                    unknown = true;
                    problems.push(text);
                }
            }
        }
        if problems.is_empty() {
            return Ok(Receipt { text: format!("{parts} parts to {sent} numbers") });
        }
        let (kind, why) = if unknown {
            (
                SendErrorKind::OutcomeUnknown,
                "whether it left is not known; not sent again, as each costs money",
            )
        } else if sent > 0 {
            (SendErrorKind::Refused, "not sent again, as each costs money")
        } else {
            (SendErrorKind::Refused, "refused")
        };
        let text = format!("sent to {sent} of {all} numbers: {} ({why})", problems.join("; "));
        Err(SendError::for_good(kind, self.redactor.clean(&text)))
    }
}

/// Title and text, once each.
fn text(message: &Message) -> String {
    let (title, text) = (one_line(&message.title, 160), lines(&message.text, 2_000));
    if text.is_empty() || text.starts_with(&title) {
        return if text.is_empty() { title } else { text };
    }
    if title.is_empty() { text } else { format!("{title}\n{text}") }
}
