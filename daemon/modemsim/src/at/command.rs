//! One AT command line, taken apart, and the reply to it.

/// A command: `+NAME`, `+NAME?`, `+NAME=?`, `+NAME=…`, or a basic one (`E0`, `D…`).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command<'a> {
    /// The name in upper case, with its prefix: `+CREG`, `#QSS`, `E0`.
    pub name: String,
    /// What is asked of it.
    pub verb: Verb<'a>,
}

/// What is asked of a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verb<'a> {
    /// `=?`
    Test,
    /// `?`
    Read,
    /// `=…`
    Set(&'a str),
    /// Nothing.
    Run,
}

/// The reply to a command, up to its final result code.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Lines, then `OK`.
    Ok(Vec<String>),
    /// `ERROR`.
    Error,
    /// `+CME ERROR`, or `ERROR` while `+CMEE` is 0.
    Cme(u16),
    /// `+CMS ERROR`.
    Cms(u16),
    /// `> `, and the next text up to Ctrl-Z belongs to it.
    Prompt(Pending),
    /// `CONNECT`: the port carries data from here on.
    Connect,
    /// Another final result code.
    Final(&'static str),
}

/// A command that waits for its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pending {
    /// `+CMGS`: send the PDU.
    Send,
    /// `+CMGW`: store the PDU with this status.
    Store(u8),
}

impl Reply {
    pub fn ok() -> Self {
        Self::Ok(Vec::new())
    }

    pub fn line(line: impl Into<String>) -> Self {
        Self::Ok(vec![line.into()])
    }
}

/// Takes a line apart; `None` when it is no AT command.
pub(super) fn parse(line: &str) -> Option<Command<'_>> {
    let body = line.get(..2).filter(|at| at.eq_ignore_ascii_case("AT")).and_then(|_| line.get(2..))?;
    let extended = body.starts_with(['+', '#', '*', '^']);
    let end = if extended { body.find(['=', '?']).unwrap_or(body.len()) } else { body.len() };
    let (name, rest) = body.split_at(end);
    let verb = match rest {
        "" => Verb::Run,
        "?" => Verb::Read,
        "=?" => Verb::Test,
        _ => Verb::Set(rest.strip_prefix('=')?),
    };
    Some(Command { name: name.to_ascii_uppercase(), verb })
}

/// Splits parameters at commas outside quotes and takes the quotes off.
pub(super) fn fields(text: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => {
                if let Some(last) = fields.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    fields
}

/// Reads the number at a position; absent and empty count as `None`.
pub(super) fn number(fields: &[String], at: usize) -> Option<u32> {
    fields.get(at)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_commands_apart() {
        assert_eq!(parse("AT+CREG?"), Some(Command { name: "+CREG".into(), verb: Verb::Read }));
        assert_eq!(parse("at+cnmi=?"), Some(Command { name: "+CNMI".into(), verb: Verb::Test }));
        assert_eq!(parse("AT+CUSD=1,\"a,b\",15").unwrap().verb, Verb::Set("1,\"a,b\",15"));
        assert_eq!(parse("ATE0").unwrap().name, "E0");
        assert_eq!(parse("ATD*99***2#").unwrap().name, "D*99***2#");
        assert_eq!(parse("hello"), None);
        assert_eq!(fields("1,\"a,b\",15"), ["1", "a,b", "15"]);
    }
}
