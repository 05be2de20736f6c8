//! The journal, or the terminal: one line a reminder.

use simbell_core::reminder::Message;

use crate::channel::{Receipt, urgency_word};
use crate::text::one_line;

/// Target of the lines, so that a log filter can tell them from the service's own.
pub(crate) const TARGET: &str = "simbell::reminder";

pub(crate) fn say(message: &Message) -> Receipt {
    let title = one_line(&message.title, 120);
    let text = one_line(&message.text, 800);
    let key = one_line(&message.key, 200);
    let id = one_line(&message.id, 300);
    let sim = one_line(message.sim_name.as_deref().unwrap_or_default(), 64);
    let urgency = urgency_word(message.urgency);
    tracing::info!(target: TARGET, %key, urgency, %sim, %id, "{title}: {text}");
    Receipt { text: "written".to_owned() }
}
