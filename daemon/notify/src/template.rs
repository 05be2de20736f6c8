//! Texts with placeholders, filled in with the escapes their place needs.

use simbell_core::reminder::Message;
use simbell_core::request::{is_unreserved, json_escape, percent};

use crate::channel::urgency_word;
use crate::text::{lines, one_line};

/// The placeholders, written `{{title}}`.
pub const PLACEHOLDERS: [&str; 7] = ["title", "text", "key", "urgency", "sim", "raised_at", "id"];

/// The body of a webhook where the configuration names none.
pub const DEFAULT_TEMPLATE: &str = r#"{"title":"{{title}}","text":"{{text}}","key":"{{key}}","urgency":"{{urgency}}","sim":"{{sim}}","raised_at":"{{raised_at}}","id":"{{id}}"}"#;

/// What a value needs so that it stays one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// Inside a JSON string.
    Json,
    /// Inside a URL or a form (percent-encoded).
    Percent,
    /// Nothing but what all texts get.
    Plain,
}

/// A checked template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Placeholder(&'static str),
}

impl Template {
    /// Reads `text`; the error says what is wrong in it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let (inside, after) = behind
                .split_once("}}")
                .ok_or_else(|| "`{{` without its `}}`; placeholders are written `{{title}}`".to_owned())?;
            parts.push(Part::Literal(before.to_owned()));
            parts.push(Part::Placeholder(placeholder(inside.trim())?));
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        Ok(Self { parts })
    }

    /// The text before the first placeholder.
    pub(crate) fn head(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(text)) => text,
            _ => "",
        }
    }

    /// Whether there is anything to fill in.
    pub(crate) fn has_placeholders(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Placeholder(_)))
    }

    /// The literal parts, without the placeholders.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
    }

    /// Fills in `message`.
    pub(crate) fn render(&self, message: &Message, escape: Escape) -> String {
        self.fill(escape, |name| match name {
            "title" => one_line(&message.title, 250),
            "text" => lines(&message.text, 4_000),
            "key" => one_line(&message.key, 200),
            "urgency" => urgency_word(message.urgency).to_owned(),
            "sim" => one_line(message.sim_name.as_deref().unwrap_or_default(), 64),
            "raised_at" => message.raised_at.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            _ => one_line(&message.id, 400),
        })
    }

    /// Fills in a text for each placeholder that breaks out of a place that is not escaped.
    pub(crate) fn render_sample(&self, escape: Escape) -> String {
        self.fill(escape, |_| "a \"b\" & c".to_owned())
    }

    fn fill(&self, escape: Escape, value: impl Fn(&str) -> String) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text.clone(),
                Part::Placeholder(name) => match escape {
                    Escape::Json => json_escape(&value(name)),
                    Escape::Percent => percent(&value(name), is_unreserved),
                    Escape::Plain => value(name),
                },
            })
            .collect()
    }
}

fn placeholder(name: &str) -> Result<&'static str, String> {
    if let Some(known) = PLACEHOLDERS.into_iter().find(|known| *known == name) {
        return Ok(known);
    }
    let shown = one_line(name, 40);
    let near = PLACEHOLDERS
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(known, &shown), known))
        .filter(|(distance, _)| *distance <= 3)
        .min();
    Err(match near {
        Some((_, near)) => format!("unknown placeholder `{{{{{shown}}}}}`; did you mean `{{{{{near}}}}}`?"),
        None => format!("unknown placeholder `{{{{{shown}}}}}`; there are {}", PLACEHOLDERS.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use simbell_core::reminder::Urgency;
    use simbell_core::time::Timestamp;

    use super::*;

    fn message() -> Message {
        Message {
            title: "80% \"used\"".to_owned(),
            text: "流量\nC:\\x & y=1".to_owned(),
            urgency: Urgency::Warning,
            key: "data/80".to_owned(),
            sim_name: None,
            raised_at: Timestamp::from_secs(1_790_000_000),
            id: "data/80#1".to_owned(),
            language: "zh".to_owned(),
        }
    }

    #[test]
    fn the_default_template_is_json_whatever_the_texts() {
        let template = Template::parse(DEFAULT_TEMPLATE).unwrap();
        let json: serde_json::Value =
            serde_json::from_str(&template.render(&message(), Escape::Json)).unwrap();
        assert_eq!(json["title"], "80% \"used\"");
        assert_eq!(json["text"], "流量\nC:\\x & y=1");
        assert_eq!(json["urgency"], "warning");
        assert_eq!(json["sim"], "");
        assert_eq!(json["raised_at"], "2026-09-21T14:13:20Z");
        assert_eq!(json["id"], "data/80#1");
    }

    #[test]
    fn a_form_value_stays_one_value() {
        let template = Template::parse("t={{ text }}&k={{key}}").unwrap();
        assert_eq!(
            template.render(&message(), Escape::Percent),
            "t=%E6%B5%81%E9%87%8F%0AC%3A%5Cx%20%26%20y%3D1&k=data%2F80",
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_the_nearest_name() {
        assert!(Template::parse("{{titel}}").unwrap_err().contains("did you mean `{{title}}`"));
        assert!(Template::parse("{{carrier}}").unwrap_err().contains("there are title, text"));
        assert!(Template::parse("{{title").unwrap_err().contains("without its"));
    }
}
