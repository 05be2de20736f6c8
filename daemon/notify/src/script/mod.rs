//! Channels by script: a script says which request carries a message, this sends it, to the hosts that its plugin
//! names and no other, and has the script say what the answer means.

pub(crate) mod composer;
pub(crate) mod fill;

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use secrecy::ExposeSecret;
use simbell_core::reminder::Message;
use simbell_core::request::{HttpAnswer, HttpRequest, Verdict};

use crate::channel::{Receipt, http_url, plain_http_caution};
use crate::config::{ScriptConfig, ScriptValue};
use crate::error::{Problem, SendError, SendErrorKind};
use crate::http::{Answer, HttpClient, HttpClients};
use crate::redact::Redactor;
use fill::{Filler, Outgoing, Refusal};

/// A channel by script.
pub(crate) struct Script {
    client: Arc<HttpClient>,
    config: ScriptConfig,
    timeout: Duration,
    caution: Option<String>,
    /// What the owner gave, in whole and by parts: an answer may repeat any of it.
    secrets: Vec<String>,
}

impl ScriptConfig {
    /// A script's request as it goes out with the message `id`: secrets filled in, what it may not do refused.
    ///
    /// # Errors
    /// What is wrong with it; hostile text.
    pub fn outgoing(&self, request: &HttpRequest, id: &str) -> Result<Outgoing, String> {
        let plugin = &self.plugin;
        let filler = Filler { values: &self.values, reach: &self.reach };
        filler.fill(request, id).map_err(|refusal| match refusal {
            Refusal::Wrong(text) => format!("plugin {plugin}: {text}"),
            Refusal::NotApproved(host) => {
                format!(
                    "plugin {plugin} may not send to {host} before you approve it: `simbellctl plugins approve {plugin}`"
                )
            }
        })
    }
}

impl Script {
    pub(crate) fn new(config: ScriptConfig, clients: &mut HttpClients) -> Result<Self, Problem> {
        let mut secrets = Vec::new();
        let mut caution = None;
        for value in config.values.values() {
            match value {
                ScriptValue::Secret(secret) => secrets.push(secret.expose_secret().to_owned()),
                ScriptValue::Url(url) => {
                    let url = url.expose_secret();
                    let (uri, place) = http_url("kind", url)?;
                    caution = caution.or_else(|| plain_http_caution(&uri, true));
                    // Many services put their key there.
                    let behind = url.trim().get(place.len()..).unwrap_or_default();
                    let parts = behind.split(['/', '?', '&', '=']).filter(|part| part.len() >= 8);
                    secrets.extend(parts.map(str::to_owned));
                    secrets.extend((behind.len() > 8).then(|| behind.to_owned()));
                }
            }
        }
        let client = clients.get(config.ca_file.as_ref())?;
        Ok(Self { client, timeout: config.timeout, config, caution, secrets })
    }

    pub(crate) fn caution(&self) -> Option<String> {
        self.caution.clone()
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        let until = tokio::time::Instant::now() + self.timeout;
        let redactor = Redactor::new(self.secrets.iter().map(String::as_str));
        // What a script gets wrong today it may get right once its owner has mended it.
        let fault = |text: &str| SendError::again(SendErrorKind::Unavailable, redactor.clean(text));
        let composing = tokio::time::timeout_at(until, self.config.composer.compose(message));
        let request = match composing.await {
            Ok(Ok(request)) => request,
            Ok(Err(error)) => return Err(fault(&error)),
            Err(_) => return Err(fault(&format!("the script of {} took too long", self.config.plugin))),
        };
        let filled = self.config.outgoing(&request, &message.id).map_err(|text| fault(&text))?;
        let secrets = self.secrets.iter().chain(&filled.secrets).map(String::as_str);
        let redactor = Redactor::new(secrets.filter(|secret| secret.len() > 1));
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        let answer = self.client.ask(filled.request.map(Full::new), &filled.place, left, &redactor).await?;
        self.judged(answer, &filled.place, &redactor).await
    }

    async fn judged(&self, answer: Answer, place: &str, redactor: &Redactor) -> Result<Receipt, SendError> {
        let code = answer.status.as_u16();
        if answer.status.is_redirection() {
            return answer.by_status(place, redactor);
        }
        // The script is shown no secret, not even one that the receiver sends back.
        let seen = HttpAnswer { status: code, body: redactor.masked_answer(&answer.body) };
        let verdict = match self.config.composer.judge(seen).await {
            Ok(verdict) => verdict,
            Err(_) if !answer.status.is_success() => Verdict::ByStatus,
            Err(error) => {
                let text = format!("{place} answered {code}, which the script did not understand: {error}");
                return Err(SendError::again(SendErrorKind::BadAnswer, redactor.clean(&text)));
            }
        };
        outcome_of(&answer, verdict, place, redactor)
    }
}

/// What an answer from `place` comes to where the script says this of it.
///
/// # Errors
/// Why the message was not taken, and whether another try may succeed.
pub fn script_outcome(answer: &HttpAnswer, verdict: Verdict, place: &str) -> Result<Receipt, SendError> {
    let Some(answer) = Answer::of(answer) else {
        let text = format!("{place} answered {}, which is no status", answer.status);
        return Err(SendError::again(SendErrorKind::BadAnswer, text));
    };
    outcome_of(&answer, verdict, place, &Redactor::default())
}

fn outcome_of(
    answer: &Answer,
    verdict: Verdict,
    place: &str,
    redactor: &Redactor,
) -> Result<Receipt, SendError> {
    let code = answer.status.as_u16();
    let answered = |why: &str| redactor.clean(&format!("{place} answered {code}: {why}"));
    match verdict {
        Verdict::Later { why, after } => Err(SendError {
            kind: SendErrorKind::Busy,
            retry: true,
            after: after.or(answer.after).map(crate::http::bounded_after),
            text: answered(&why),
        }),
        Verdict::Refused(Some(why)) => Err(SendError::for_good(SendErrorKind::Refused, answered(&why))),
        Verdict::Refused(None) if answer.status.is_success() => {
            let said = answer.said(redactor);
            Err(SendError::for_good(SendErrorKind::Refused, answered(&said)))
        }
        // A script knows its service's words, not better than the status whether another try may succeed.
        Verdict::Accepted | Verdict::Refused(None) | Verdict::ByStatus => answer.by_status(place, redactor),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use secrecy::SecretString;

    use super::*;
    use crate::script::composer::{Composer, Composing, Judging};

    /// A script that repeats all it is shown.
    #[derive(Debug, Default)]
    struct Parrot(Mutex<String>);

    impl Composer for Parrot {
        fn compose<'a>(&'a self, _: &'a Message) -> Composing<'a> {
            Box::pin(async { Err("nothing".to_owned()) })
        }

        fn judge(&self, answer: HttpAnswer) -> Judging<'_> {
            self.0.lock().unwrap().clone_from(&answer.body);
            Box::pin(async { Ok(Verdict::Refused(Some(answer.body))) })
        }
    }

    #[tokio::test]
    async fn neither_a_script_nor_a_text_shows_a_secret_that_a_receiver_escapes() {
        let parrot = Arc::new(Parrot::default());
        let token = "12:ab/cd\"ü";
        let config = ScriptConfig {
            plugin: "bell".to_owned(),
            composer: Arc::<Parrot>::clone(&parrot),
            values: BTreeMap::from([("token".to_owned(), ScriptValue::Secret(SecretString::from(token)))]),
            reach: Vec::new(),
            ca_file: None,
            timeout: Duration::from_secs(1),
        };
        let script = Script::new(config, &mut HttpClients::default()).unwrap();
        let redactor = Redactor::new(script.secrets.iter().map(String::as_str));
        for (body, shown) in [
            // As PHP writes it.
            (r#"{"reason":"no 12:ab\/cd\"\u00fc"}"#, r#"{"reason":"no [secret]"}"#),
            (r#"<p>no 12:ab\/cd\"\u00fc</p>"#, "<p>no [secret]</p>"),
            (r#"{"reason":"no 12:ab/cd"}"#, r#"{"reason":"no 12:ab/cd"}"#),
        ] {
            let answer = || Answer::of(&HttpAnswer { status: 400, body: body.to_owned() }).unwrap();
            let error = script.judged(answer(), "https://h", &redactor).await.unwrap_err();
            assert_eq!(*parrot.0.lock().unwrap(), shown);
            assert_eq!(error.text, format!("https://h answered 400: {shown}"));
            assert_eq!(answer().by_status("https://h", &redactor).unwrap_err().text, error.text);
        }
    }
}
