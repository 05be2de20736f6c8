//! Texts of a request in their pieces, and answers as a script sees them.

use rhai::{Array, Dynamic, Map};
use rust_decimal::Decimal;
use simbell_core::request::{self, Piece, json_escape};

use super::marks;
use crate::value::kind;

/// The most bytes that a body may have.
pub(super) const MOST_BODY: usize = 64 << 10;

/// Values within values deeper than this have no place in a request.
const MOST_NESTING: usize = 16;

/// Values of an answer that a script sees; what follows is left out.
const MOST_VALUES: usize = 200;

/// A text that grows piece by piece, within a limit.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    list: Vec<Piece>,
    bytes: usize,
}

impl Pieces {
    /// `text` as it is, its marks sealed.
    pub(super) fn plain(text: &str, most: usize) -> Result<Vec<Piece>, String> {
        let mut pieces = Self::default();
        pieces.marked(text, most, ToOwned::to_owned)?;
        Ok(pieces.list)
    }

    /// A value as JSON.
    pub(super) fn json(value: &Dynamic) -> Result<Vec<Piece>, String> {
        let mut pieces = Self::default();
        pieces.value(value, 0)?;
        Ok(pieces.list)
    }

    /// Names with values as a form (WHATWG URL, `application/x-www-form-urlencoded`).
    pub(super) fn form(fields: &Map) -> Result<Vec<Piece>, String> {
        let mut pieces = Self::default();
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_unit()) {
            let between = if pieces.list.is_empty() { "" } else { "&" };
            pieces.push(&format!("{between}{}=", percent(name)), MOST_BODY)?;
            pieces.marked(&scalar(value, name)?, MOST_BODY, percent)?;
        }
        Ok(pieces.list)
    }

    fn value(&mut self, value: &Dynamic, depth: usize) -> Result<(), String> {
        if depth > MOST_NESTING {
            return Err(format!("the body has values nested deeper than {MOST_NESTING}"));
        }
        let deeper = depth.saturating_add(1);
        if value.is_unit() {
            self.push("null", MOST_BODY)
        } else if let Ok(list) = value.as_array_ref() {
            self.push("[", MOST_BODY)?;
            for (index, element) in list.iter().enumerate() {
                self.push(if index == 0 { "" } else { "," }, MOST_BODY)?;
                self.value(element, deeper)?;
            }
            self.push("]", MOST_BODY)
        } else if let Ok(map) = value.as_map_ref() {
            self.push("{", MOST_BODY)?;
            for (index, (name, element)) in map.iter().enumerate() {
                self.push(if index == 0 { "" } else { "," }, MOST_BODY)?;
                self.quoted(name)?;
                self.push(":", MOST_BODY)?;
                self.value(element, deeper)?;
            }
            self.push("}", MOST_BODY)
        } else if let Ok(text) = value.as_immutable_string_ref() {
            self.quoted(&text)
        } else {
            let number = value.as_int().map(|n| n.to_string()).or_else(|_| decimal(value));
            let text = number.or_else(|_| value.as_bool().map(|yes| yes.to_string())).map_err(|_| {
                format!("the body has {}, which JSON does not know: make a text of it, `${{…}}`", kind(value))
            })?;
            self.push(&text, MOST_BODY)
        }
    }

    fn quoted(&mut self, text: &str) -> Result<(), String> {
        self.push("\"", MOST_BODY)?;
        self.marked(text, MOST_BODY, json_escape)?;
        self.push("\"", MOST_BODY)
    }

    fn marked(&mut self, text: &str, most: usize, escape: fn(&str) -> String) -> Result<(), String> {
        for piece in marks::pieces(text)? {
            match piece {
                Piece::Text(text) => self.push(&escape(&text), most)?,
                sealed @ Piece::Sealed(_) => self.list.push(sealed),
            }
        }
        Ok(())
    }

    fn push(&mut self, text: &str, most: usize) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > most {
            return Err(format!("this is longer than {most} bytes"));
        }
        match self.list.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.list.push(Piece::Text(text.to_owned())),
        }
        Ok(())
    }
}

/// A text, a number, or true or false, as a text.
pub(super) fn scalar(value: &Dynamic, name: &str) -> Result<String, String> {
    value
        .as_immutable_string_ref()
        .map(|text| text.as_str().to_owned())
        .or_else(|_| value.as_int().map(|number| number.to_string()))
        .or_else(|_| decimal(value))
        .or_else(|_| value.as_bool().map(|yes| yes.to_string()))
        .map_err(|_| format!("`{}` is {}, not a text", crate::text::short(name), kind(value)))
}

/// Percent-encoded but for the unreserved characters.
pub(super) fn percent(text: &str) -> String {
    request::percent(text, request::is_unreserved)
}

/// A value as a body of JSON would have it.
///
/// # Errors
/// What JSON does not know.
pub(crate) fn json_of(value: &Dynamic) -> Result<serde_json::Value, String> {
    let text: String = Pieces::json(value)?
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text,
            // Only a script of a channel is given marks.
            Piece::Sealed(_) => String::new(),
        })
        .collect();
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// The JSON of an answer as a script sees it; an empty map where it is none, or no map.
pub(super) fn read(body: &str) -> Map {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(body) else {
        return Map::new();
    };
    value_of(serde_json::Value::Object(object)).try_cast().unwrap_or_default()
}

/// A value of JSON as a script sees it.
pub(crate) fn value_of(json: serde_json::Value) -> Dynamic {
    let mut left = MOST_VALUES;
    seen(json, 0, &mut left)
}

fn seen(value: serde_json::Value, depth: usize, left: &mut usize) -> Dynamic {
    if *left == 0 || depth > MOST_NESTING {
        return Dynamic::UNIT;
    }
    *left = left.saturating_sub(1);
    let deeper = depth.saturating_add(1);
    match value {
        serde_json::Value::Null => Dynamic::UNIT,
        serde_json::Value::Bool(yes) => yes.into(),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.to_string().parse().map_or(Dynamic::UNIT, Dynamic::from_decimal),
        },
        // Escapes of JSON may spell what the text was cleared of.
        serde_json::Value::String(text) => marks::unmarked(&text).into(),
        serde_json::Value::Array(list) => list
            .into_iter()
            .map(|value| seen(value, deeper, left))
            .take(MOST_VALUES)
            .collect::<Array>()
            .into(),
        serde_json::Value::Object(object) => object
            .into_iter()
            .take(MOST_VALUES)
            .map(|(name, value)| (marks::unmarked(&name).into(), seen(value, deeper, left)))
            .collect::<Map>()
            .into(),
    }
}

fn decimal(value: &Dynamic) -> Result<String, &'static str> {
    value.as_decimal().map(|number: Decimal| number.normalize().to_string())
}
