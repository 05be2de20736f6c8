//! How each kind of channel is reached.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use simbell_core::ident::{Iccid, PhoneNumber};
use simbell_core::settings::SimSettings;
use simbell_notify::{
    EmailConfig, HeaderConfig, Login, NtfyAuth, NtfyConfig, SmsConfig, SmtpTls, WebhookConfig,
    default_timeout,
};

use super::environment::Environment;
use super::merged::Value;
use super::numbers::{length, number};
use super::problem::{ProblemKind, Show};
use super::secrets::{secret, text_or_secret};
use super::section::{Field, Report, Section, nearest, quoted};

/// Segments that one short message may take where the configuration names no number.
const SMS_SEGMENTS: u32 = 2;

/// Headers whose value is always a secret.
const SECRET_HEADERS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "x-api-key"];

/// What a channel may refer to.
pub(super) struct Around<'a> {
    pub sims: &'a BTreeMap<Iccid, SimSettings>,
    pub env: &'a Environment,
}

pub(super) fn email(
    section: &mut Section<'_>,
    around: &Around<'_>,
    report: &mut Report<'_>,
) -> Option<EmailConfig> {
    const ADDRESS: &str = "a mail address such as \"me@example.org\"";
    let host = section.need("host", "host = \"smtp.example.org\"", report);
    let host = host.and_then(|field| field.line("the name of a mail server", report).map(str::to_owned));
    let port = section.get("port").and_then(|field| number(&field, 1, 65_535, report));
    let tls_field = section.get("tls");
    let tls = match &tls_field {
        None => Some(SmtpTls::StartTls),
        Some(field) => {
            let choices = [("starttls", SmtpTls::StartTls), ("tls", SmtpTls::Tls), ("none", SmtpTls::None)];
            field.one_of(&choices, report)
        }
    };
    let allowed = allow_plaintext(section, report);
    let login = login(section, around, report);
    let from = section.need("from", "from = \"simbell@example.org\"", report);
    let from = from.and_then(|field| field.line(ADDRESS, report).map(str::to_owned));
    let to = section.need("to", "to = [\"me@example.org\"]", report);
    let to = to.and_then(|field| lines(&field, ADDRESS, report));
    let hello = section.get("hello").and_then(|field| field.line("a host name", report).map(str::to_owned));
    let ca_file = ca_file(section, report);
    let timeout = timeout(section, "email", report);
    if let (Some(SmtpTls::None), Some(host), Some(field)) = (tls, &host, &tls_field)
        && !allowed
        && !is_loopback(host)
    {
        let message = "sends mail and password in the clear to another machine; write \"starttls\" or \"tls\", \
                       or allow it with allow_plaintext = true";
        field.invalid(report, message);
        return None;
    }
    Some(EmailConfig {
        host: host?,
        port: port.and_then(|port| u16::try_from(port).ok()),
        tls: tls?,
        login: login?,
        from: from?,
        to: to?,
        hello,
        ca_file,
        timeout,
    })
}

pub(super) fn ntfy(
    section: &mut Section<'_>,
    around: &Around<'_>,
    report: &mut Report<'_>,
) -> Option<NtfyConfig> {
    let allowed = allow_plaintext(section, report);
    let url = match section.get("url") {
        None => Some("https://ntfy.sh".to_owned()),
        Some(field) => {
            let url = field.line("a URL such as \"https://ntfy.sh\"", report);
            url.filter(|url| url_allowed(&field, url, allowed, report)).map(str::to_owned)
        }
    };
    let topic =
        section.need("topic", "topic = { credential = \"ntfy-topic\" }, or the topic in quotes", report);
    let topic = topic.and_then(|field| text_or_secret(&field, "a topic", "assumed", around.env, report));
    let token = section.get("token").map(|field| secret(&field, around.env, report));
    let login = login(section, around, report);
    let tags = section.get("tags").map(|field| lines(&field, "a tag", report).unwrap_or_default());
    let click = section.get("click").and_then(|field| field.line("a URL", report).map(str::to_owned));
    let ca_file = ca_file(section, report);
    let timeout = timeout(section, "ntfy", report);
    let auth = match (token, login) {
        (Some(_), Some(Some(_))) => {
            let message = "the keys `token` and `user` exclude each other; keep one";
            let path = section.path().to_owned();
            report.add(ProblemKind::Conflict, section.place(), Show::UpToMark, &path, message, None);
            None
        }
        (Some(token), _) => token.map(NtfyAuth::Token),
        (None, Some(Some(login))) => Some(NtfyAuth::Login(login)),
        (None, Some(None)) => Some(NtfyAuth::None),
        (None, None) => None,
    };
    Some(NtfyConfig {
        url: url?,
        topic: topic?,
        auth: auth?,
        tags: tags.unwrap_or_default(),
        click,
        ca_file,
        timeout,
    })
}

pub(super) fn webhook(
    section: &mut Section<'_>,
    around: &Around<'_>,
    report: &mut Report<'_>,
) -> Option<WebhookConfig> {
    let allowed = allow_plaintext(section, report);
    let url =
        section.need("url", "url = \"https://example.org/hook\", or { credential = \"hook-url\" }", report);
    let url = url.and_then(|field| {
        let url = text_or_secret(&field, "a URL", "https://assumed.invalid/", around.env, report)?;
        url_allowed(&field, url.expose_secret(), allowed, report).then_some(url)
    });
    let method = match section.get("method") {
        None => Some("POST".to_owned()),
        Some(field) => {
            let choices = [("POST", "POST"), ("PUT", "PUT"), ("PATCH", "PATCH"), ("GET", "GET")];
            field.one_of(&choices, report).map(str::to_owned)
        }
    };
    let headers = match section.get("headers") {
        None => Some(Vec::new()),
        Some(field) => headers(&field, around.env, report),
    };
    let template =
        section.get("template").and_then(|field| field.text("a template", report).map(str::to_owned));
    let content_type = match section.get("content_type") {
        None => Some("application/json".to_owned()),
        Some(field) => field.line("a media type such as \"application/json\"", report).map(str::to_owned),
    };
    let ca_file = ca_file(section, report);
    let timeout = timeout(section, "webhook", report);
    Some(WebhookConfig {
        url: url?,
        method: method?,
        headers: headers?,
        template,
        content_type: content_type?,
        ca_file,
        timeout,
    })
}

pub(super) fn sms(
    section: &mut Section<'_>,
    around: &Around<'_>,
    report: &mut Report<'_>,
) -> Option<SmsConfig> {
    let to = section.need("to", "to = [\"+4915112345678\"]", report);
    let to = to.and_then(|field| {
        let items = field.items("a list of telephone numbers", report);
        if items.is_empty() {
            field.invalid(report, "names nobody; write at least one number");
        }
        let read: Vec<_> = items.iter().filter_map(|item| telephone_number(item, report)).collect();
        (!read.is_empty() && read.len() == items.len()).then_some(read)
    });
    let via = section.get("via").map(|field| sending_sim(&field, around.sims, report));
    let segments = section.get("max_segments").map(|field| number(&field, 1, 10, report));
    let timeout = timeout(section, "sms", report);
    Some(SmsConfig {
        to: to?,
        via: via.map_or(Some(None), |via| via.map(Some))?,
        max_segments: segments.unwrap_or(Some(SMS_SEGMENTS))?,
        timeout,
    })
}

/// The inner none where there is no login, the outer where it could not be read.
fn login(section: &mut Section<'_>, around: &Around<'_>, report: &mut Report<'_>) -> Option<Option<Login>> {
    match (section.get("user"), section.get("password")) {
        (None, None) => Some(None),
        (Some(user), Some(password)) => {
            let user = user.line("a user name", report);
            let password = secret(&password, around.env, report);
            Some(Some(Login { user: user?.to_owned(), password: password? }))
        }
        (Some(_), None) => {
            section.missing("password", "password = { credential = \"name\" } or { file = \"…\" }", report);
            None
        }
        (None, Some(password)) => {
            let _ = secret(&password, around.env, report);
            section.missing("user", "user = \"…\", to whom the password belongs", report);
            None
        }
    }
}

fn headers(field: &Field<'_>, env: &Environment, report: &mut Report<'_>) -> Option<Vec<HeaderConfig>> {
    let section = field.section("names with values: { X-Name = \"value\" }", report)?;
    let mut read = Vec::new();
    let mut all = true;
    for (name, field) in section.entries() {
        let always_secret = SECRET_HEADERS.contains(&name.to_ascii_lowercase().as_str());
        let referred = matches!(field.value(), Value::Table(_));
        let value: Option<SecretString> = if always_secret {
            secret(&field, env, report)
        } else {
            text_or_secret(&field, "a text", "assumed", env, report)
        };
        all = all && value.is_some();
        read.extend(value.map(|value| HeaderConfig {
            name: name.to_owned(),
            value,
            secret: always_secret || referred,
        }));
    }
    all.then_some(read)
}

fn lines(field: &Field<'_>, wanted: &str, report: &mut Report<'_>) -> Option<Vec<String>> {
    let items = field.items(&format!("a list, each {wanted}"), report);
    if items.is_empty() && matches!(field.value(), Value::Array(_)) {
        field.invalid(report, format!("is an empty list; write at least {wanted}"));
    }
    let read: Vec<String> = items.iter().filter_map(|f| f.line(wanted, report).map(str::to_owned)).collect();
    (!read.is_empty() && read.len() == items.len()).then_some(read)
}

/// An international number (ITU-T E.164): `+`, then 7 to 15 digits, the first not 0.
fn telephone_number(field: &Field<'_>, report: &mut Report<'_>) -> Option<PhoneNumber> {
    const WANTED: &str = "a telephone number in quotes such as \"+4915112345678\"";
    let Value::Text(text) = field.value() else {
        let message = format!("is {}, expected {WANTED}", field.value().what());
        field.invalid_hidden(ProblemKind::WrongType, report, message);
        return None;
    };
    let valid = text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0')
    });
    if !valid {
        let message = "is not an international number; write + and country code, then digits only (15 at most), \
                       such as \"+4915112345678\"";
        field.invalid_hidden(ProblemKind::InvalidValue, report, message);
        return None;
    }
    PhoneNumber::new(text)
        .map_err(|error| field.invalid_hidden(ProblemKind::InvalidValue, report, error))
        .ok()
}

fn sending_sim(
    field: &Field<'_>,
    sims: &BTreeMap<Iccid, SimSettings>,
    report: &mut Report<'_>,
) -> Option<String> {
    let text = field.line("the name or ICCID of a SIM", report)?;
    if Iccid::new(text).is_ok() {
        return Some(text.to_owned());
    }
    let names = || sims.values().filter_map(|sim| sim.name.as_ref()).map(|name| name.as_str());
    if names().any(|name| name == text) {
        return Some(text.to_owned());
    }
    let hint = match nearest(text, names()) {
        Some(nearest) => format!("did you mean \"{nearest}\"?"),
        None => "name one under [sims], or write an ICCID".to_owned(),
    };
    let message = format!("there is no SIM {}", quoted(text));
    report.add(ProblemKind::UnknownName, field.place(), Show::Line, field.path(), message, Some(hint));
    None
}

pub(super) fn allow_plaintext(section: &mut Section<'_>, report: &mut Report<'_>) -> bool {
    section.get("allow_plaintext").and_then(|field| field.boolean(report)).unwrap_or(false)
}

pub(super) fn ca_file(section: &mut Section<'_>, report: &mut Report<'_>) -> Option<PathBuf> {
    let field = section.get("ca_file")?;
    let path = field.line("the path of a PEM file", report)?;
    Some(report.directory(field.place()).join(path))
}

pub(super) fn timeout(section: &mut Section<'_>, kind: &str, report: &mut Report<'_>) -> Duration {
    let read = section.get("timeout").and_then(|field| length(&field, 1, 600, report));
    read.map_or_else(|| default_timeout(kind), |length| length.to_duration())
}

/// Refuses plain HTTP beyond this machine and private networks. What else may be wrong with a URL the sender
/// finds out when it is tried.
pub(super) fn url_allowed(field: &Field<'_>, url: &str, allowed: bool, report: &mut Report<'_>) -> bool {
    let scheme = "http://";
    let Some(rest) =
        url.get(..scheme.len()).filter(|s| s.eq_ignore_ascii_case(scheme)).and(url.get(scheme.len()..))
    else {
        return true;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    if allowed || is_loopback(host) || host.parse().is_ok_and(is_private) {
        return true;
    }
    let message = "is plain http to another machine, which anybody on the way can read; write https://, or allow it \
                   with allow_plaintext = true";
    field.invalid_hidden(ProblemKind::InvalidValue, report, message);
    false
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
