//! What makes requests of messages: a script, behind a wall.

use std::future::Future;
use std::pin::Pin;

use simbell_core::reminder::Message;
use simbell_core::request::{HttpAnswer, HttpRequest, Verdict};

/// A request on its way out of a script; the error is a script's, hostile text.
pub type Composing<'a> = Pin<Box<dyn Future<Output = Result<HttpRequest, String>> + Send + 'a>>;

/// A judgement on its way out of a script; the error is a script's, hostile text.
pub type Judging<'a> = Pin<Box<dyn Future<Output = Result<Verdict, String>> + Send + 'a>>;

/// Says which request carries a message, and what the answer to it means.
pub trait Composer: Send + Sync + std::fmt::Debug {
    /// The request that carries `message`, to be sent now.
    fn compose<'a>(&'a self, message: &'a Message) -> Composing<'a>;

    /// What an answer that is no redirect means.
    fn judge(&self, answer: HttpAnswer) -> Judging<'_>;
}
