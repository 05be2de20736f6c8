//! Mail by SMTP submission (RFC 6409), with STARTTLS or TLS and a login.

mod connection;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsParametersBuilder, TlsVersion,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use secrecy::ExposeSecret;
use simbell_core::reminder::{Message, Urgency};
use simbell_core::time::Timestamp;

use crate::channel::{Receipt, is_loopback, urgency_word};
use crate::config::{EmailConfig, Login, SmtpTls};
use crate::email::connection::{ConnectError, connect};
use crate::error::{Problem, SendError, SendErrorKind, is_tls};
use crate::redact::{Redactor, base64, stable_name};
use crate::text::{lines, one_line};

/// How long a server may take to say goodbye after it accepted the message.
const GOODBYE: Duration = Duration::from_secs(2);

/// How many messages that reached some of their recipients are remembered for the next try.
const REMEMBERED: usize = 64;

pub(crate) struct Email {
    host: String,
    port: u16,
    place: String,
    tls: SmtpTls,
    /// What TLS is made of for each connection: made, it takes 25 kB for a mail in weeks.
    parameters: TlsParametersBuilder,
    login: Option<Login>,
    from: Mailbox,
    to: Vec<Mailbox>,
    hello: ClientId,
    domain: String,
    redactor: Redactor,
    timeout: Duration,
    /// Recipients that accepted a message which others put off: not sent to again.
    reached: Mutex<Reached>,
}

#[derive(Default)]
struct Reached {
    by_message: BTreeMap<String, BTreeSet<usize>>,
    order: VecDeque<String>,
}

/// What became of one message, by recipient.
#[derive(Default)]
struct Round {
    accepted: BTreeSet<usize>,
    later: Vec<String>,
    never: Vec<String>,
}

impl Email {
    pub(crate) fn new(config: &EmailConfig) -> Result<Self, Problem> {
        let host = config.host.trim().to_owned();
        if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/') {
            return Err(Problem::new("host", "must be the name or address of a server, without a port"));
        }
        let from = mailbox("from", &config.from)?;
        let to = config.to.iter().map(|text| mailbox("to", text)).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err(Problem::new("to", "names no recipient; write at least one address"));
        }
        let domain = from.email.domain().to_owned();
        let hello = config.hello.clone().unwrap_or_else(|| domain.clone());
        if hello.is_empty() || !hello.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Problem::new("hello", "must be a host name in ASCII, such as router.example.org"));
        }
        let secrets = config.login.iter().flat_map(|login| {
            let password = login.password.expose_secret();
            [password.to_owned(), base64(format!("\0{}\0{password}", login.user).as_bytes())]
        });
        let redactor = Redactor::new(secrets.collect::<Vec<_>>().iter().map(String::as_str));
        let port = config.port.unwrap_or_else(|| config.tls.default_port());
        Ok(Self {
            place: format!("{}:{port}", if host.contains(':') { format!("[{host}]") } else { host.clone() }),
            parameters: parameters(&host, config.ca_file.as_deref())?,
            host,
            port,
            tls: config.tls,
            login: config.login.clone(),
            from,
            to,
            // A Message-ID is ASCII (RFC 5322, section 3.6.4), a domain need not be.
            domain: if domain.is_ascii() { domain } else { hello.clone() },
            hello: ClientId::Domain(hello),
            redactor,
            timeout: config.timeout,
            reached: Mutex::default(),
        })
    }

    pub(crate) fn caution(&self) -> Option<String> {
        (self.tls == SmtpTls::None && !is_loopback(&self.host)).then(|| {
            format!(
                "what is sent to {} can be read on the way, a password too: use starttls or tls",
                self.host
            )
        })
    }

    pub(crate) async fn send(&self, message: &Message, queued: Timestamp) -> Result<Receipt, SendError> {
        let mail = self.mail(message, queued)?.formatted();
        match tokio::time::timeout(self.timeout, self.submit(message, &mail)).await {
            Ok(result) => result,
            Err(_) => {
                let text =
                    format!("{}: no end of the exchange within {} s", self.place, self.timeout.as_secs());
                Err(SendError::again(SendErrorKind::TimedOut, text))
            }
        }
    }

    async fn submit(&self, message: &Message, mail: &[u8]) -> Result<Receipt, SendError> {
        let mut server = self.connect().await?;
        let result = self.round(&mut server, message, mail).await;
        // The message is accepted or not by now; a server that hangs here changes nothing.
        let _ = tokio::time::timeout(GOODBYE, server.quit()).await;
        let (round, answer) = result?;
        self.verdict(message, round, answer)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let implicit = (self.tls == SmtpTls::Tls).then(|| self.tls_parameters()).transpose()?;
        let mut server =
            connect(&self.host, self.port, &self.hello, implicit, self.timeout).await.map_err(|error| {
                match error {
                    ConnectError::Smtp(error) => self.error(&error),
                    ConnectError::Tcp(error) => {
                        let kind = if error.kind() == std::io::ErrorKind::TimedOut {
                            SendErrorKind::TimedOut
                        } else {
                            SendErrorKind::Unreachable
                        };
                        SendError::again(kind, self.redactor.clean(&format!("{}: {error}", self.place)))
                    }
                }
            })?;
        if self.tls == SmtpTls::StartTls {
            if !server.can_starttls() {
                let _ = tokio::time::timeout(GOODBYE, server.quit()).await;
                // Another try is right: somebody on the way may have taken the offer out of the greeting.
                return Err(SendError::again(
                    SendErrorKind::Tls,
                    format!(
                        "{}: does not offer STARTTLS; nothing was sent unprotected. Set tls = \"tls\" (port 465) if \
                         it speaks TLS from the start",
                        self.place
                    ),
                ));
            }
            server.starttls(self.tls_parameters()?, &self.hello).await.map_err(|error| self.error(&error))?;
        }
        if let Some(login) = &self.login {
            let credentials = Credentials::new(login.user.clone(), login.password.expose_secret().to_owned());
            if let Err(error) = server.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await {
                let mut told = self.error(&error);
                if error.is_permanent() || error.is_client() {
                    told.kind = SendErrorKind::Login;
                    told.retry = false;
                    told.text = format!("{}; check `user` and `password`", told.text);
                }
                let _ = tokio::time::timeout(GOODBYE, server.quit()).await;
                return Err(told);
            }
        }
        Ok(server)
    }

    fn tls_parameters(&self) -> Result<TlsParameters, SendError> {
        self.parameters.clone().build_rustls().map_err(|error| self.error(&error))
    }

    /// Offers the mail to every recipient not yet reached, and sends it where at least one takes it.
    async fn round(
        &self,
        server: &mut AsyncSmtpConnection,
        message: &Message,
        mail: &[u8],
    ) -> Result<(Round, String), SendError> {
        let mut parameters = Vec::new();
        if !self.to.iter().chain([&self.from]).all(|mailbox| AsRef::<str>::as_ref(&mailbox.email).is_ascii())
        {
            if !server.server_info().supports_feature(Extension::SmtpUtfEight) {
                let text = format!("{}: does not take addresses outside ASCII (SMTPUTF8)", self.place);
                return Err(SendError::for_good(SendErrorKind::Refused, text));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !mail.is_ascii() && server.server_info().supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        server
            .command(Mail::new(Some(self.from.email.clone()), parameters))
            .await
            .map_err(|error| self.error(&error))?;
        let already = self.reached().by_message.get(&message.id).cloned().unwrap_or_default();
        let mut round = Round::default();
        for (at, mailbox) in self.to.iter().enumerate().filter(|(at, _)| !already.contains(at)) {
            match server.command(Rcpt::new(mailbox.email.clone(), vec![])).await {
                Ok(_) => {
                    round.accepted.insert(at);
                }
                Err(error) if error.is_permanent() => {
                    round.never.push(format!("{}: {}", mailbox.email, self.said(&error)));
                }
                Err(error) if error.is_transient() => {
                    round.later.push(format!("{}: {}", mailbox.email, self.said(&error)));
                }
                Err(error) => return Err(self.error(&error)),
            }
        }
        if round.accepted.is_empty() {
            return Ok((round, String::new()));
        }
        server.command(Data).await.map_err(|error| self.error(&error))?;
        let answer = server.message(mail).await.map_err(|error| self.error(&error))?;
        Ok((round, self.redactor.clean(&answer.message().collect::<Vec<_>>().join(" "))))
    }

    fn verdict(&self, message: &Message, round: Round, answer: String) -> Result<Receipt, SendError> {
        let mut done = self.reached().by_message.get(&message.id).cloned().unwrap_or_default();
        done.extend(&round.accepted);
        let all = self.to.len();
        if !round.later.is_empty() {
            self.reached().remember(&message.id, done.clone());
            return Err(SendError::again(
                SendErrorKind::Busy,
                self.redactor.clean(&format!(
                    "{}: accepted for {} of {all} recipients; later: {}",
                    self.place,
                    done.len(),
                    round.later.join("; "),
                )),
            ));
        }
        self.reached().forget(&message.id);
        if round.never.is_empty() {
            return Ok(Receipt { text: format!("{} accepted it: {answer}", self.place) });
        }
        Err(SendError::for_good(
            SendErrorKind::Refused,
            self.redactor.clean(&format!(
                "{}: accepted for {} of {all} recipients; refused: {}",
                self.place,
                done.len(),
                round.never.join("; "),
            )),
        ))
    }

    fn mail(&self, message: &Message, queued: Timestamp) -> Result<lettre::Message, SendError> {
        let since_epoch = Duration::from_millis(u64::try_from(queued.as_millis()).unwrap_or(0));
        let mut mail = MessageBuilder::new()
            .from(self.from.clone())
            // When it was ready to be sent (RFC 5322, section 3.6.1): the same on each try.
            .date(SystemTime::UNIX_EPOCH + since_epoch)
            .message_id(Some(format!("<{}@{}>", stable_name(&message.id), self.domain)))
            .subject(one_line(&message.title, 250))
            .raw_header(raw("Auto-Submitted", "auto-generated")) // RFC 3834, section 5
            .header(ContentType::TEXT_PLAIN);
        if message.urgency == Urgency::Critical {
            mail = mail.raw_header(raw("Importance", "high")).raw_header(raw("X-Priority", "1"));
        }
        for mailbox in &self.to {
            mail = mail.to(mailbox.clone());
        }
        mail.body(body(message)).map_err(|error| {
            SendError::for_good(SendErrorKind::Fault, format!("the mail cannot be written: {error}"))
        })
    }

    fn error(&self, error: &SmtpError) -> SendError {
        let text = self.redactor.clean(&format!("{}: {}", self.place, self.said(error)));
        if error.is_permanent() {
            SendError::for_good(SendErrorKind::Refused, text)
        } else if error.is_transient() {
            SendError::again(SendErrorKind::Busy, text)
        } else if error.is_timeout() {
            SendError::again(SendErrorKind::TimedOut, text)
        } else if error.is_tls() || is_tls(error) {
            SendError::again(SendErrorKind::Tls, text)
        } else if error.is_response() {
            SendError::again(SendErrorKind::BadAnswer, text)
        } else {
            SendError::again(SendErrorKind::Unreachable, text)
        }
    }

    /// The server's own words, with its code.
    fn said(&self, error: &SmtpError) -> String {
        let words = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        let text = error.status().map_or_else(|| words.clone(), |code| format!("{code} {words}"));
        self.redactor.clean(&text)
    }

    fn reached(&self) -> std::sync::MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reached {
    fn remember(&mut self, id: &str, recipients: BTreeSet<usize>) {
        if self.by_message.insert(id.to_owned(), recipients).is_none() {
            self.order.push_back(id.to_owned());
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.by_message.remove(&oldest);
            }
        }
    }

    fn forget(&mut self, id: &str) {
        if self.by_message.remove(id).is_some() {
            self.order.retain(|known| known != id);
        }
    }
}

fn mailbox(key: &'static str, text: &str) -> Result<Mailbox, Problem> {
    if text.chars().any(char::is_control) {
        return Err(Problem::new(key, "must not hold control characters"));
    }
    text.trim().parse().map_err(|error| {
        let shown = one_line(text, 80);
        Problem::new(key, format!("`{shown}` is not an address ({error}); expected user@example.org"))
    })
}

fn parameters(host: &str, ca_file: Option<&Path>) -> Result<TlsParametersBuilder, Problem> {
    let builder = TlsParameters::builder(host.to_owned()).set_min_tls_version(TlsVersion::Tlsv12);
    let builder = match ca_file {
        None => builder.certificate_store(CertificateStore::WebpkiRoots),
        Some(path) => {
            let problem = |what: String| Problem::new("ca_file", format!("{}: {what}", path.display()));
            let pem = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
            let certificate = Certificate::from_pem(&pem).map_err(|error| problem(error.to_string()))?;
            builder.certificate_store(CertificateStore::None).add_root_certificate(certificate)
        }
    };
    // Made once now: what is wrong with it is told at the start.
    match builder.clone().build_rustls() {
        Ok(_) => Ok(builder),
        Err(error) => Err(Problem::new("ca_file", format!("TLS cannot be set up: {error}"))),
    }
}

fn raw(name: &'static str, value: &'static str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// The text, and below the line that mail programs take for a signature what a person needs to answer it.
fn body(message: &Message) -> String {
    let mut below =
        vec![format!("simbell: {}", one_line(&message.key, 200)), urgency_word(message.urgency).to_owned()];
    below.extend(message.sim_name.as_deref().map(|name| one_line(name, 64)));
    below.push(message.raised_at.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string());
    format!("{}\n\n-- \n{}\n", lines(&message.text, 8_000), below.join(", "))
}
