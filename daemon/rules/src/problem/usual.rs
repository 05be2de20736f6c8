//! The usual mistakes: what a text that Rhai cannot read most likely means, by its looks around the place.

use rhai::{LexError, ParseErrorType};

use super::code::is_word;
use super::{Code, Open};
use crate::text::short;
use crate::value::{size_units, span_units};

type Place = (usize, usize);

/// A mistake recognised.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) at: Place,
    pub(super) message: String,
    pub(super) hint: String,
}

/// The text around a place.
struct Around<'a> {
    code: &'a Code,
    at: Place,
}

/// The mistake behind an error, where it is a usual one.
pub(super) fn of_syntax(text: &str, at: Place, error: &ParseErrorType, names: &[String]) -> Option<Found> {
    let code = Code::of(text);
    let around = Around { code: &code, at };
    foreign(&around)
        .or_else(|| unclosed(&around))
        .or_else(|| amount(&around))
        .or_else(|| percent(&code, error))
        .or_else(|| word(&around, error))
        .or_else(|| by_error(&around, error, names))
}

impl Around<'_> {
    fn found(&self, message: impl Into<String>, hint: impl Into<String>) -> Option<Found> {
        Some(Found { at: self.at, message: message.into(), hint: hint.into() })
    }

    /// Code from the place on.
    fn rest(&self) -> String {
        let (line, column) = self.at;
        self.code.line(line).iter().skip(column.saturating_sub(1)).collect()
    }

    /// Code of the line before the place.
    fn before(&self) -> String {
        let (line, column) = self.at;
        self.code.line(line).iter().take(column.saturating_sub(1)).collect()
    }

    /// The name or number at the place.
    fn word(&self) -> String {
        self.rest().chars().take_while(|c| is_word(*c)).collect()
    }

    /// The name or number before the place, blanks between them left out, and where it is.
    fn word_before(&self) -> (String, Place) {
        let before = self.before();
        let trimmed = before.trim_end();
        let word: String = trimmed.chars().rev().take_while(|c| is_word(*c)).collect();
        let start = trimmed.chars().count().saturating_sub(word.chars().count()).saturating_add(1);
        (word.chars().rev().collect(), (self.at.0, start))
    }

    /// Just behind the last code before the place, on an earlier line.
    fn end_of_code_above(&self) -> Option<Place> {
        (1..self.at.0).rev().find_map(|line| {
            let code: String = self.code.line(line).iter().collect();
            let length = code.trim_end().chars().count();
            (length > 0).then_some((line, length.saturating_add(1)))
        })
    }
}

/// What stands for a character that the language has not.
fn plain(character: char) -> Option<&'static str> {
    const ASCII: &str =
        "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";
    Some(match character {
        '“' | '”' | '„' | '‟' | '‘' | '’' | '‚' | '«' | '»' | '「' | '」' | '『' | '』' | '＂' | '＇' => {
            "\""
        }
        '。' | '．' => ".",
        '、' => ",",
        '【' => "[",
        '】' => "]",
        '—' | '–' | '−' | '‐' | '‑' => "-",
        '×' => "*",
        '÷' => "/",
        '≥' => ">=",
        '≤' => "<=",
        '≠' => "!=",
        '…' => "...",
        '\u{ff01}'..='\u{ff5e}' => {
            let index =
                u32::from(character).checked_sub(0xff01).and_then(|index| usize::try_from(index).ok())?;
            ASCII.get(index..index.checked_add(1)?)?
        }
        _ => return None,
    })
}

fn is_blank(character: char) -> bool {
    matches!(
        character,
        '\u{a0}' | '\u{ad}' | '\u{1680}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}'
            | '\u{3000}' | '\u{feff}'
    )
}

/// Characters of another script's keyboard, a word processor or a chat.
fn foreign(around: &Around<'_>) -> Option<Found> {
    let character = around.rest().chars().next().filter(|c| !c.is_ascii())?;
    let number = u32::from(character);
    let count = around.code.all().filter(|(_, c)| plain(*c).is_some() || is_blank(*c)).count();
    let more = match count.checked_sub(1) {
        None | Some(0) => String::new(),
        Some(1) => "; there is another such character in this file".to_owned(),
        Some(more) => format!("; there are {more} more such characters in this file"),
    };
    if is_blank(character) {
        return around.found(
            format!("an invisible character, U+{number:04X}, which is no blank of the language"),
            format!("delete it, and type a blank where one is wanted{more}"),
        );
    }
    match plain(character) {
        Some(plain) => around.found(
            format!("`{character}`, U+{number:04X}, is no character of the language"),
            format!("write `{plain}`{more}"),
        ),
        None => around.found(
            format!("`{character}`, U+{number:04X}, is no character of the language"),
            "names are of a-z, A-Z, 0-9 and _; what is said to people stands in quotes",
        ),
    }
}

/// The file ends within something.
fn unclosed(around: &Around<'_>) -> Option<Found> {
    let end = around.code.count();
    let lines = (1..=end).rev().find(|line| !around.code.line(*line).is_empty()).unwrap_or(1);
    if let Some((open, at)) = around.code.open {
        let (what, hint) = match open {
            Open::BackQuotes => ("text that begins here does not end", "close it with a back quote, `"),
            Open::Comment => ("comment that begins here does not end", "close it with `*/`"),
        };
        return Some(Found { at, message: format!("the {what}"), hint: hint.to_owned() });
    }
    if around.at.0 <= lines {
        return None;
    }
    let (at, opened) = left_open(around.code)?;
    let closer = match opened {
        '(' => ')',
        '[' => ']',
        _ => '}',
    };
    Some(Found {
        at,
        message: format!(
            "the `{opened}` of line {} is not closed: the file ends before its `{closer}`",
            at.0
        ),
        hint: format!("add `{closer}` where the block or the list that begins here is to end"),
    })
}

/// The bracket that most likely lacks its end: one whose end stands further left than it, or the last that is open.
fn left_open(code: &Code) -> Option<(Place, char)> {
    let indent = |line: usize| code.line(line).iter().take_while(|c| c.is_whitespace()).count();
    let mut open: Vec<(Place, char)> = Vec::new();
    for (at, character) in code.all() {
        match character {
            '{' | '(' | '[' => open.push((at, character)),
            '}' | ')' | ']' => {
                let popped = open.pop()?;
                let first = code.line(at.0).iter().position(|c| !c.is_whitespace()) == at.1.checked_sub(1);
                if first && at.0 != popped.0.0 && indent(at.0) < indent(popped.0.0) {
                    return Some(popped);
                }
            }
            _ => {}
        }
    }
    open.pop()
}

/// `5 GB`, `5GB`, `5e9`, `2,5`.
fn amount(around: &Around<'_>) -> Option<Found> {
    let (number, start) = around.word_before();
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    if !is_number {
        return None;
    }
    let (rest, word) = (around.rest(), around.word());
    let unit = size_units()
        .chain(span_units())
        .map(|(name, _)| name)
        .chain(["percent"])
        .find(|unit| word.eq_ignore_ascii_case(unit));
    let found = |message: String, hint: String| Some(Found { at: start, message, hint });
    if let Some(unit) = unit {
        let shown = format!("{number}{}{word}", if around.before().ends_with(' ') { " " } else { "" });
        return found(
            format!("`{shown}` is not how an amount is written"),
            format!("write `{number}.{unit}`"),
        );
    }
    let exponent = word.strip_prefix(['e', 'E']).filter(|digits| digits.chars().all(|c| c.is_ascii_digit()));
    if let Some(exponent) = exponent.filter(|digits| !digits.is_empty()) {
        return found(
            format!("`{number}{word}`: numbers have no exponent"),
            format!("write it out, {number} and {exponent} zeros, or with its unit, as in 5.GB"),
        );
    }
    let behind: String = rest.strip_prefix(',')?.chars().take_while(|c| is_word(*c) || *c == '.').collect();
    behind.starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
    found(
        format!("`{number},{behind}` is two numbers"),
        format!("the decimal sign is a point: `{number}.{behind}`"),
    )
}

/// `80%` is the beginning of a remainder, and goes wrong somewhere behind it.
fn percent(code: &Code, error: &ParseErrorType) -> Option<Found> {
    if !matches!(
        error,
        ParseErrorType::MissingToken(..) | ParseErrorType::BadInput(_) | ParseErrorType::ExprExpected(_)
    ) {
        return None;
    }
    (1..=code.count()).find_map(|number| {
        let line = code.line(number);
        line.iter().enumerate().find_map(|(index, character)| {
            let digits: Vec<char> = line
                .iter()
                .take(index)
                .rev()
                .take_while(|c| c.is_ascii_digit() || **c == '.')
                .copied()
                .collect();
            let next = line.iter().skip(index.saturating_add(1)).find(|c| !c.is_whitespace());
            let ends = next.is_none_or(|next| matches!(next, '{' | ')' | ']' | ';' | ',' | '&' | '|' | '}'));
            if *character != '%' || digits.is_empty() || !ends {
                return None;
            }
            let share: String = digits.iter().rev().collect();
            Some(Found {
                at: (number, index.saturating_sub(digits.len()).saturating_add(1)),
                message: format!("`{share}%` is not how a share is written"),
                hint: format!("write `{share}.percent`"),
            })
        })
    })
}

/// Words of other languages.
fn word(around: &Around<'_>, error: &ParseErrorType) -> Option<Found> {
    let (word, (before, start)) = (around.word(), around.word_before());
    let at = |at: Place, word: &str, hint: &str| {
        Some(Found { at, message: format!("`{word}` is no word of the language"), hint: hint.to_owned() })
    };
    let here = |hint: &str| at(around.at, &word, hint);
    let there = |hint: &str| at(start, &before, hint);
    match before.as_str() {
        "elif" | "elseif" | "elsif" | "elsIf" | "elseIf" => return there("write `else if`"),
        "not" => return there("write `!`, as in `if !sim.connected { … }`"),
        "function" | "def" | "func" | "fun" | "sub" | "proc" => {
            return there("write `fn`, as in `fn on_usage(sim) { … }`");
        }
        _ => {}
    }
    match word.as_str() {
        "and" => here("write `&&`"),
        "or" => here("write `||`"),
        "not" => here("write `!`, as in `if !sim.connected { … }`"),
        "then" | "do" | "begin" => here("a block stands in braces: `if … { … }`, `while … { … }`"),
        "except" | "rescue" => here("write `catch`, as in `try { … } catch { … }`"),
        "of" if before != "for" => here("write `in`, as in `for other in sims() { … }`"),
        "case" => here("write `switch x { 1 => …, 2 => …, _ => … }`"),
        "null" | "nil" | "None" | "NULL" | "Null" | "undefined" | "nothing" => {
            here("what is absent is `()`: `if sim.plan == () { … }`")
        }
        "True" | "TRUE" | "yes" => here("write `true`"),
        "False" | "FALSE" | "no" => here("write `false`"),
        "var" | "const" | "val" if matches!(error, ParseErrorType::Reserved(_)) => {
            here("write `let`, as in `let limit = 5.GB;`")
        }
        "new" => here("there are no objects to be made: a date is `now().date` or `date(\"2026-11-22\")`"),
        _ => None,
    }
}

fn by_error(around: &Around<'_>, error: &ParseErrorType, names: &[String]) -> Option<Found> {
    let rest = around.rest();
    match error {
        ParseErrorType::MissingToken(token, _) if token == "{" && rest.starts_with(':') => {
            around.found("a block does not begin with a colon", "a block stands in braces: `if … { … }`")
        }
        ParseErrorType::MissingToken(token, _) if token == ";" => statement(around),
        ParseErrorType::MissingToken(token, what) if token == "," => comma(around, what),
        ParseErrorType::VariableExpected if around.before().trim_end().ends_with("for (") => around.found(
            "a loop counts by a range, not by three statements",
            "write `for i in 0..3 { … }`, which counts 0, 1, 2",
        ),
        ParseErrorType::UnknownOperator(operator) => operator_of(around, operator),
        ParseErrorType::Reserved(symbol) => reserved(around, symbol),
        ParseErrorType::BadInput(LexError::ImproperSymbol(symbol, _)) => reserved(around, symbol),
        ParseErrorType::BadInput(LexError::MalformedChar(text)) => around.found(
            format!("`'{}'`: single quotes are for one character", short(text.trim_matches('\''))),
            format!("a text stands in double quotes: `\"{}\"`", short(text.trim_matches('\''))),
        ),
        ParseErrorType::BadInput(LexError::UnterminatedString) => text_begun(around),
        ParseErrorType::BadInput(LexError::UnexpectedInput(text))
            if text == "}" || text == ")" || text == "]" =>
        {
            around.found(
                format!("a `{text}` too many"),
                format!("delete it, or open its {} before", pair(text)),
            )
        }
        ParseErrorType::FnDuplicatedDefinition(name, _) => {
            let first = around.code.function(name).map_or(0, |(line, _)| line);
            around.found(
                format!("the function `{}` is written twice: first in line {first}", short(name)),
                "put both into one function, or give one of them another name",
            )
        }
        ParseErrorType::VariableUndefined(name) => unseen(around, name, names),
        _ => None,
    }
}

fn pair(closer: &str) -> &'static str {
    match closer {
        ")" => "`(`",
        "]" => "`[`",
        _ => "`{`",
    }
}

/// Something stands where a statement should have ended.
fn statement(around: &Around<'_>) -> Option<Found> {
    let before = around.before();
    if around.rest().starts_with(':') {
        let (_, start) = around.word_before();
        let head: String = before.chars().take(start.1.saturating_sub(1)).collect();
        if let Some(head) = head.trim_end().strip_suffix('{') {
            return Some(Found {
                at: (around.at.0, head.chars().count().saturating_add(1)),
                message: "`{` begins a block here, not names with values".to_owned(),
                hint: "write `#{`, as in `#{ urgency: \"warning\" }`".to_owned(),
            });
        }
    }
    let alone = before.trim().is_empty();
    let at = if alone { around.end_of_code_above()? } else { around.at };
    let message =
        if alone { "a `;` is missing at the end of this line" } else { "a `;` is missing before this" };
    Some(Found {
        at,
        message: message.to_owned(),
        hint: "each statement ends with `;`, but for one that ends with a block".to_owned(),
    })
}

/// Something stands where a list should have gone on or ended.
fn comma(around: &Around<'_>, what: &str) -> Option<Found> {
    let (rest, before) = (around.rest(), around.before());
    if what.contains("iteration variable") {
        return around.found("a loop has no parentheses around it", "write `for other in sims() { … }`");
    }
    if rest.starts_with("=>") || rest.starts_with("->") {
        let (name, start) = around.word_before();
        return Some(Found {
            at: start,
            message: "this is not how an anonymous function is written".to_owned(),
            hint: format!("write `|{name}| …`, as in `sims().filter(|s| s.active)`"),
        });
    }
    let closer = if what.contains("array") {
        "]"
    } else if what.contains("map") {
        "}"
    } else {
        ")"
    };
    if rest.starts_with(';') || rest.starts_with('}') || rest.is_empty() {
        return around.found(
            format!("a `{closer}` is missing before this"),
            format!("close what {} opened", pair(closer)),
        );
    }
    if rest.starts_with('"') && before.ends_with(is_word) {
        return around.found(
            "a text has no letter before its quotes",
            "values go into a text in back quotes: `${sim.name}: little left`, with ` on both sides",
        );
    }
    around.found("a `,` is missing before this", "values are separated by `,`")
}

fn operator_of(around: &Around<'_>, operator: &str) -> Option<Found> {
    match operator {
        "++" => around.found("there is no `++`", "write `+= 1`, as in `count += 1;`"),
        "--" => around.found("there is no `--`", "write `-= 1`, as in `count -= 1;`"),
        "?" => {
            around.found("there is no `a ? b : c`", "write `if a { b } else { c }`, which gives a value too")
        }
        _ => None,
    }
}

fn reserved(around: &Around<'_>, symbol: &str) -> Option<Found> {
    match symbol {
        "=" => around.found("`=` sets a value, and does not compare", "write `==`"),
        "#" => around.found("`#` begins no comment", "a comment begins with `//`"),
        "++" | "--" | "?" => operator_of(around, symbol),
        "===" => around.found("there is no `===`", "write `==`"),
        "!==" => around.found("there is no `!==`", "write `!=`"),
        "=>" | "->" => None,
        "print" | "debug" | "type_of" => around.found(
            format!("`{symbol}` is a function of the language, and cannot be written anew"),
            "give yours another name",
        ),
        "match" | "case" | "default" => around.found(
            format!("`{symbol}` is a word that the language keeps for itself"),
            "take another name; a choice is written `switch x { 1 => …, _ => … }`",
        ),
        // What rules cannot use at all, such as `eval`, is said by the words for it.
        _ if crate::engine::DISABLED.contains(&symbol) || symbol == "import" || symbol == "export" => None,
        _ if symbol.chars().all(is_word) => around.found(
            format!("`{}` is a word that the language keeps for itself", short(symbol)),
            format!("take another name, such as `my_{}`", short(symbol)),
        ),
        _ => None,
    }
}

/// Where a text that does not end begins: its line has an odd number of quotes.
fn text_begun(around: &Around<'_>) -> Option<Found> {
    let line = around.at.0;
    let start =
        around.code.line(line).iter().rposition(|c| *c == '"').map_or(1, |index| index.saturating_add(1));
    Some(Found {
        at: (line, start),
        message: "the text that begins here does not end on its line".to_owned(),
        hint: "close it with `\"`; a text of several lines stands in back quotes".to_owned(),
    })
}

/// A name that is known, but not here.
fn unseen(around: &Around<'_>, name: &str, names: &[String]) -> Option<Found> {
    let words = around.code.words();
    let constant = words
        .windows(2)
        .any(|pair| matches!(pair, [(_, keyword), (_, word)] if keyword == "const" && word == name));
    if let Some(at) = around.code.return_at_the_top().filter(|_| constant) {
        return Some(Found {
            at,
            message: format!("`return` outside of a function: `{}` behind it is not made", short(name)),
            hint: "the top of a file has constants and functions only: delete it".to_owned(),
        });
    }
    let function = (1..=around.at.0).rev().find_map(|line| {
        let code: String = around.code.line(line).iter().collect();
        let head = code.trim_start().strip_prefix("fn ")?.trim_start().to_owned();
        Some(head.split('(').next().unwrap_or_default().trim().to_owned())
    })?;
    let before: String = {
        let above = (around.at.0.saturating_sub(3)..around.at.0)
            .map(|line| around.code.line(line).iter().collect::<String>() + "\n");
        format!("{}{}", above.collect::<String>(), around.before())
    };
    let anonymous = before.matches('|').count() >= 2;
    if name == "sim" && function.starts_with("on_") {
        return around.found(
            format!("`{function}` is not given a SIM"),
            format!("write `fn {function}(sim)`, which is called for each SIM, or look at `sims()`"),
        );
    }
    if !names.iter().any(|known| known == name) {
        return None;
    }
    if anonymous {
        return around.found(
            format!("an anonymous function does not see `{}`", short(name)),
            "it sees its parameters and the constants of the file: make it a `const`, or use a `for` loop",
        );
    }
    around.found(
        format!("`{function}` does not see `{}`, which is another function's", short(name)),
        format!("give it to the function: `fn {function}({})`", short(name)),
    )
}
