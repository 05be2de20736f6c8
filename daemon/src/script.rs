//! Scripts of channels run on threads that may block, so that none holds up anything else.

use std::sync::Arc;

use simbell_core::reminder::Message;
use simbell_core::request::HttpAnswer;
use simbell_notify::{Composer, Composing, Judging};
use simbell_rules::{ChannelScript, Problem};
use tokio::task::JoinError;

/// A channel's script, asked by its channel.
#[derive(Debug)]
pub struct Script(Arc<ChannelScript>);

impl Script {
    /// A script to be asked.
    #[must_use]
    pub fn new(script: ChannelScript) -> Self {
        Self(Arc::new(script))
    }
}

impl Composer for Script {
    fn compose<'a>(&'a self, message: &'a Message) -> Composing<'a> {
        let (script, message) = (Arc::clone(&self.0), message.clone());
        Box::pin(async move {
            let now = crate::clock::wall();
            said(tokio::task::spawn_blocking(move || script.request(&message, now)).await)
        })
    }

    fn judge(&self, answer: HttpAnswer) -> Judging<'_> {
        let script = Arc::clone(&self.0);
        Box::pin(async move { said(tokio::task::spawn_blocking(move || script.judge(&answer)).await) })
    }
}

fn said<T>(result: Result<Result<T, Problem>, JoinError>) -> Result<T, String> {
    match result {
        Ok(result) => result.map_err(|problem| problem.to_string()),
        Err(fault) => Err(format!("a fault of the service ended the script: {fault}; please report this")),
    }
}
