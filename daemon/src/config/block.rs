//! The TOML block of a plan, from a few answers.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::fragments;
use super::problem::Problems;

/// A few answers, as a person or a program gives them. Texts are checked when the block is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanFields {
    /// ICCID of the SIM, whole.
    pub iccid: String,
    /// Name of the SIM, such as `home`.
    pub sim: String,
    /// Name of the plan; the SIM's where none.
    pub name: Option<String>,
    /// Allowance, such as `6 GB`; no limit where none.
    pub data: Option<String>,
    /// Cycle: `month`, `30 days`; none for a bucket that ends when it is used.
    pub every: Option<String>,
    /// Day that a month starts on: `1` to `31` or `last`.
    pub day: Option<String>,
    /// First day of a bundle or bucket, ISO 8601.
    pub start: Option<String>,
    /// Whether a bundle renews; yes where none.
    pub renews: Option<bool>,
    /// Which bytes count: `both`, `download` or `upload`.
    pub counts: Option<String>,
    /// Whether roaming counts: `counts` or `free`.
    pub roaming: Option<String>,
    /// IANA name of the plan's time zone; the service's where none.
    pub timezone: Option<String>,
}

/// Prints the block to paste into `simbell.toml` or to put in `conf.d`, ending with a line break.
///
/// # Errors
/// Every answer that is not valid, as problems of the block; `env` tells where time zones are.
pub fn plan_block(fields: &PlanFields, env: &Environment) -> Result<String, Problems> {
    let text = written(fields);
    let (fragment, problems) = fragments::parse(PathBuf::from("plan"), text.clone(), 0);
    super::read(&[fragment], problems, Path::new("plan"), env).map(|_| text)
}

fn written(fields: &PlanFields) -> String {
    let sim = key(&fields.sim);
    let mut lines = vec![format!("[sims.{sim}]"), format!("iccid = {}", quote(&fields.iccid))];
    lines.extend(fields.timezone.as_deref().map(|zone| format!("timezone = {}", quote(zone))));
    lines.extend([String::new(), format!("[sims.{sim}.plan]")]);
    let mut add = |key: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{key} = {value}")));
    };
    add("name", fields.name.as_deref().map(quote));
    add("data", fields.data.as_deref().map(quote));
    match &fields.every {
        Some(every) => add("every", Some(quote(every))),
        None => add("until", Some(quote("used"))),
    }
    add("day", fields.day.as_deref().map(bare_or_quote));
    add("start", fields.start.as_deref().map(bare_or_quote));
    add("renews", fields.renews.map(|renews| renews.to_string()));
    add("counts", fields.counts.as_deref().map(quote));
    add("roaming", fields.roaming.as_deref().map(quote));
    lines.push(String::new());
    lines.join("\n")
}

fn key(text: &str) -> String {
    let bare = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { text.to_owned() } else { quote(text) }
}

/// Days and dates stand without quotes; what is neither is quoted and so refused where it is read.
fn bare_or_quote(text: &str) -> String {
    let numeric = text.chars().all(|c| c.is_ascii_digit() || c == '-') && text.starts_with(|c| c != '-');
    let leading_zero = text.len() < 3 && text.starts_with('0');
    if numeric && !leading_zero { text.to_owned() } else { quote(text) }
}

/// A basic string (TOML 1.0, section String).
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
