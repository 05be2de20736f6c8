//! What rules want done, carried out: one task an action, after it is in the ledger as intended.

use simbell_core::action::{Action, ActionRecord, ActionState};
use simbell_core::event::Event;
use simbell_core::health::WarningCode;
use simbell_modem::CommandError;

use super::Engine;

/// How an action ended.
#[derive(Debug)]
pub struct Acted {
    /// Its key.
    pub key: String,
    /// What became of it.
    pub state: ActionState,
    /// The answer, or what went wrong; hostile text.
    pub note: Option<String>,
    /// Events that tell of it besides, such as a message that left.
    pub also: Vec<Event>,
    /// Whether ModemManager refused it to a service without rights.
    pub refused: Option<String>,
}

impl Engine {
    pub(super) fn act(&mut self, record: ActionRecord) {
        let ActionRecord { key, sim, action, .. } = record;
        let modem = self.state.modem_with(&sim).map(|modem| modem.id.clone());
        let Some(modem) = modem else {
            let note = Some("the SIM is in no modem that can be used".to_owned());
            let fx = self.step(Event::ActionEnded { key, state: ActionState::Failed, note });
            self.backlog.then.push(fx);
            return;
        };
        let (commands, done) = (self.commands.clone(), self.acted.0.clone());
        let task = async move {
            let mut also = Vec::new();
            let outcome = match &action {
                Action::SendSms { to, text } => {
                    let sent = commands.send_sms(&modem, to, text).await;
                    also.extend(told(&modem, to, text, &sent));
                    sent.map(|receipt| {
                        Some(format!("{} part{}", receipt.parts, if receipt.parts == 1 { "" } else { "s" }))
                    })
                }
                Action::SendUssd { code } => commands.ussd(&modem, code).await.map(Some),
                Action::Disconnect => commands.disconnect(&modem).await.map(|()| None),
            };
            let refused = match &outcome {
                Err(error @ CommandError::NotAuthorized { .. }) => Some(error.to_string()),
                _ => None,
            };
            let (state, note) = match outcome {
                Ok(note) => (ActionState::Done, note),
                Err(error @ CommandError::OutcomeUnknown { .. }) => {
                    (ActionState::Unknown, Some(error.to_string()))
                }
                Err(error) => (ActionState::Failed, Some(error.to_string())),
            };
            // The engine may be gone: then nobody knows, which is what the ledger says of it at the next start.
            let _ = done.send(Acted { key, state, note, also, refused }).await;
        };
        // Ends by itself: every call has a time limit.
        drop(tokio::spawn(task));
    }

    pub(super) async fn action_ended(&mut self, acted: Acted) {
        for event in acted.also {
            self.feed(event).await;
        }
        if let Some(why) = acted.refused {
            let text = format!("What a rule wanted done could not be done: {why}.");
            self.report(WarningCode::NotAuthorized, "actions", Some(text)).await;
        } else if acted.state == ActionState::Done {
            self.report(WarningCode::NotAuthorized, "actions", None).await;
        }
        self.feed(Event::ActionEnded { key: acted.key, state: acted.state, note: acted.note }).await;
    }
}

/// What the ledger is told of a message, whoever sent it.
fn told(
    modem: &simbell_core::ident::ModemId,
    to: &str,
    text: &str,
    sent: &Result<simbell_modem::SmsReceipt, CommandError>,
) -> Option<Event> {
    let (modem, to) = (modem.clone(), Some(to.to_owned()));
    match sent {
        Ok(receipt) => Some(Event::SmsSent { modem, parts: receipt.parts, to }),
        Err(error @ (CommandError::OutcomeUnknown { .. } | CommandError::Refused { .. })) => {
            let parts = simbell_core::segments::parts(text);
            let unknown = matches!(error, CommandError::OutcomeUnknown { .. });
            Some(Event::SmsFailed { modem, parts, to, unknown })
        }
        Err(_) => None,
    }
}
