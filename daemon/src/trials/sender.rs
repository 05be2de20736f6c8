//! What tests of channels take from the service itself: how a request is filled in and checked, where it may go, and what
//! an answer comes to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use simbell_core::reminder::Message;
use simbell_core::request::{HttpAnswer, HttpRequest, Verdict};
use simbell_notify::{Composer, Composing, Judging, Reach, ScriptConfig, ScriptValue, script_outcome};
use simbell_rules::{ChannelPlugin, Fate, Sender};

use crate::scripted::reach;

/// Who answers, in what is said of an answer.
const PLACE: &str = "the service";

/// The id of the message, which a test does not see in the request.
const ID: &str = "test";

/// The service's own part, without a network.
#[derive(Debug)]
pub(super) struct Rehearsed;

/// Nobody asks it: the test has the request already.
#[derive(Debug)]
struct Nobody;

impl Composer for Nobody {
    fn compose<'a>(&'a self, _: &'a Message) -> Composing<'a> {
        Box::pin(async { Err(String::new()) })
    }

    fn judge(&self, _: HttpAnswer) -> Judging<'_> {
        Box::pin(async { Err(String::new()) })
    }
}

impl Sender for Rehearsed {
    fn fill(
        &self,
        plugin: &ChannelPlugin,
        addresses: &BTreeMap<String, String>,
        secrets: &[String],
        request: &HttpRequest,
    ) -> Result<Option<String>, String> {
        let mut values = BTreeMap::new();
        for (name, address) in addresses {
            if Reach::of_address(address, String::new()).is_none() {
                return Err(format!("the setting `{name}` is no address: write https://host/path"));
            }
            values.insert(name.clone(), ScriptValue::Url(SecretString::from(address.as_str())));
        }
        for name in secrets {
            let made_up = SecretString::from(format!("made-up-{name}"));
            values.insert(name.clone(), ScriptValue::Secret(made_up));
        }
        let config = ScriptConfig {
            plugin: plugin.name().to_owned(),
            composer: Arc::new(Nobody),
            reach: reach(plugin, &values),
            values,
            ca_file: None,
            timeout: Duration::ZERO,
        };
        let outgoing = config.outgoing(request, ID)?;
        let headers = outgoing.request().headers();
        let media = headers.get("content-type").and_then(|media| media.to_str().ok());
        Ok(media.filter(|_| request.body.is_some()).map(str::to_owned))
    }

    fn fate(&self, answer: &HttpAnswer, verdict: Verdict) -> Fate {
        match script_outcome(answer, verdict, PLACE) {
            Ok(_) => Fate::Delivered,
            Err(error) if error.retry => Fate::Retried { why: error.text, after: error.after },
            Err(error) => Fate::Refused { why: error.text },
        }
    }
}
