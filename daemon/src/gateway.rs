//! Short messages leave through whichever modem carries the SIM asked for, or any that can.

use simbell_modem::{CommandError, ModemCommands};
use simbell_notify::{GatewayError, SmsGateway, SmsRequest, SmsSending};
use tokio::sync::{mpsc, oneshot};

use crate::engine::Request;

/// Sends through ModemManager.
#[derive(Debug, Clone)]
pub struct Gateway {
    commands: ModemCommands,
    requests: mpsc::Sender<Box<Request>>,
}

impl Gateway {
    /// A gateway that asks the engine which modem carries a SIM.
    #[must_use]
    pub const fn new(commands: ModemCommands, requests: mpsc::Sender<Box<Request>>) -> Self {
        Self { commands, requests }
    }

    async fn send_by(&self, request: SmsRequest<'_>) -> Result<u32, GatewayError> {
        let not_now = |text: &str| GatewayError::NotSent { text: text.to_owned(), retry: true };
        let (reply, answer) = oneshot::channel();
        let asked = Request::ModemForSms(request.via.map(str::to_owned), reply);
        self.requests.send(Box::new(asked)).await.map_err(|_| not_now("the service is stopping"))?;
        let modem = answer
            .await
            .map_err(|_| not_now("the service is stopping"))?
            .map_err(|error| GatewayError::NotSent { text: error, retry: true })?;
        let to = request.to.as_str().to_owned();
        match self.commands.send_sms(&modem, &to, request.text).await {
            Ok(receipt) => {
                // The engine may be stopping; the message has left all the same.
                let _ =
                    self.requests.send(Box::new(Request::SmsLeft { modem, parts: receipt.parts, to })).await;
                let _ = self.requests.send(Box::new(Request::SmsRefused(None))).await;
                Ok(receipt.parts)
            }
            Err(error) => {
                if matches!(error, CommandError::NotAuthorized { .. }) {
                    let text = format!("Messages cannot leave: {error}.");
                    let _ = self.requests.send(Box::new(Request::SmsRefused(Some(text)))).await;
                }
                let tried =
                    matches!(error, CommandError::OutcomeUnknown { .. } | CommandError::Refused { .. });
                if tried {
                    let parts = simbell_core::segments::parts(request.text);
                    let unknown = matches!(error, CommandError::OutcomeUnknown { .. });
                    let _ =
                        self.requests.send(Box::new(Request::SmsFailed { modem, parts, to, unknown })).await;
                }
                Err(failure(&error))
            }
        }
    }
}

impl SmsGateway for Gateway {
    fn send<'a>(&'a self, request: SmsRequest<'a>) -> SmsSending<'a> {
        Box::pin(self.send_by(request))
    }
}

fn failure(error: &CommandError) -> GatewayError {
    let text = error.to_string();
    match error {
        CommandError::OutcomeUnknown { .. } => GatewayError::Unknown { text },
        CommandError::NotAuthorized { .. }
        | CommandError::ModemManagerGone { .. }
        | CommandError::UnknownModem { .. }
        | CommandError::Timeout { .. }
        | CommandError::Refused { .. } => GatewayError::NotSent { text, retry: true },
        CommandError::Unsupported { .. } => GatewayError::NotSent { text, retry: false },
    }
}
