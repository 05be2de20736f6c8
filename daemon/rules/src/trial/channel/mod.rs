//! Tests of channels: a message is given to the script, the request that comes of it is looked at, and an answer to it is
//! made up. Nothing is sent: what would be is shown with each secret by its name.

mod desk;
mod expect;
mod language;
mod shown;

use std::collections::BTreeMap;

use simbell_core::request::{HttpAnswer, HttpRequest, Verdict};
use simbell_core::time::Span;

use super::{Place, Stage};
use crate::channel::ChannelPlugin;
use crate::host::Tag;
pub(crate) use desk::Desk;
pub(super) use desk::Setup;
pub(crate) use language::book;
pub(crate) use language::register;

/// What the service does with the request of a channel's script, and what the answer to it comes to: the part of a channel
/// that is no script. Whoever runs tests of channels brings the service's own.
pub trait Sender: Send + Sync {
    /// Fills a request in as it is before it leaves: `addresses` are what settings of type `url` are given, `secrets` the
    /// names of secrets that are given, of whatever value. Gives the type of its body, where it has one.
    ///
    /// # Errors
    /// Why it would not be sent.
    fn fill(
        &self,
        plugin: &ChannelPlugin,
        addresses: &BTreeMap<String, String>,
        secrets: &[String],
        request: &HttpRequest,
    ) -> Result<Option<String>, String>;

    /// What becomes of the message after an answer of which the script says this.
    fn fate(&self, answer: &HttpAnswer, verdict: Verdict) -> Fate;
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was taken.
    Delivered,
    /// It is given up.
    Refused {
        /// Why, as the owner reads it.
        why: String,
    },
    /// It is tried again.
    Retried {
        /// Why, as the owner reads it.
        why: String,
        /// Not before this long, where the answer or the script says so.
        after: Option<Span>,
    },
}

impl Place for Desk {
    type Setup = Setup;

    fn begin(setup: Setup) -> Self {
        Self::new(setup)
    }

    fn at(stage: Stage<Self>, tag: Tag) -> Tag {
        Tag { desk: Some(stage), ..tag }
    }

    fn told(&mut self) -> (Option<String>, Vec<String>) {
        (self.hint.take(), self.happened())
    }
}

pub(super) fn how_to_begin() -> String {
    "write one beside plugin.toml, such as\n        fn test_sends_title_and_text() {\n            send(#{ title: \"SIM home\", \
     text: \"80% used\" });\n            expect_request(\"POST\", \"[url]/message\", #{ json: #{ title: \"SIM home\", text: \
     \"80% used\" } });\n            answer(200);\n            expect_delivered();\n        }"
        .to_owned()
}
