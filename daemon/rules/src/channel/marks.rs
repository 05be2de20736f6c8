//! Sealed values as a script holds them: marks in texts, which stand for what only the sender knows.
//!
//! A mark is written with characters of Unicode's last private plane, which are taken out of every text that comes from
//! outside: nobody who is only read can put one there. A script may move, join and sign marks; a piece of one shows
//! that it is one, and is refused.

use simbell_core::request::{Piece, Sealed};

const OPEN: char = '\u{10fff0}';
const NEXT: char = '\u{10fff1}';
const CLOSE: char = '\u{10fff2}';

/// ASCII begins here.
const VEIL: u32 = 0x10_fe00;

/// Sealed values within sealed values.
const MOST_NESTING: usize = 8;

const CUT: &str = "a piece of a secret is in the request: a secret can only be used whole";

/// The mark of a setting.
pub(super) fn setting(name: &str) -> String {
    format!("{OPEN}{}{CLOSE}", veiled("s", name))
}

/// The mark of a signature.
pub(super) fn hmac_sha256(key: &str, text: &str) -> String {
    format!("{OPEN}{}{key}{NEXT}{text}{CLOSE}", veiled("h", ""))
}

/// The mark of a text in base 64.
pub(super) fn base64(text: &str) -> String {
    format!("{OPEN}{}{text}{CLOSE}", veiled("b", ""))
}

/// The mark of a text in hexadecimal digits.
pub(super) fn hex(text: &str) -> String {
    format!("{OPEN}{}{text}{CLOSE}", veiled("x", ""))
}

/// `text` without any mark.
pub(super) fn unmarked(text: &str) -> String {
    text.replace(is_mark, "")
}

/// `text` for people: each mark a word.
pub(super) fn masked(text: &str) -> String {
    let (mut masked, mut depth) = (String::new(), 0_usize);
    for character in text.chars() {
        match character {
            OPEN => {
                if depth == 0 {
                    masked.push_str("[secret]");
                }
                depth = depth.saturating_add(1);
            }
            CLOSE => depth = depth.saturating_sub(1),
            character if is_mark(character) => {}
            character if depth == 0 => masked.push(character),
            _ => {}
        }
    }
    masked
}

/// `text` in its pieces.
///
/// # Errors
/// Where a mark is not whole.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, &'static str> {
    read(text, 0)
}

fn read(text: &str, depth: usize) -> Result<Vec<Piece>, &'static str> {
    if depth > MOST_NESTING {
        return Err("sealed values are nested too deeply");
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        plain(before, &mut pieces)?;
        let end = closing(after).ok_or(CUT)?;
        let (inside, tail) = after.split_at(end);
        pieces.push(Piece::Sealed(sealed(inside, depth)?));
        rest = tail.strip_prefix(CLOSE).ok_or(CUT)?;
    }
    plain(rest, &mut pieces)?;
    Ok(pieces)
}

fn plain(text: &str, pieces: &mut Vec<Piece>) -> Result<(), &'static str> {
    if text.contains(is_mark) {
        return Err(CUT);
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
    Ok(())
}

/// A mark's kind and a name, in characters that stand for nothing else.
fn veiled(kind: &str, name: &str) -> String {
    // A setting's name is ASCII, as its manifest was checked for.
    kind.chars().chain(name.chars()).filter_map(|c| char::from_u32(VEIL.checked_add(u32::from(c))?)).collect()
}

fn unveiled(character: char) -> Option<char> {
    let code = u32::from(character).checked_sub(VEIL)?;
    char::from_u32(code).filter(char::is_ascii)
}

fn is_mark(character: char) -> bool {
    matches!(character, OPEN | NEXT | CLOSE) || unveiled(character).is_some()
}

/// Where the mark that was just opened is closed.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1_usize;
    for (at, character) in text.char_indices() {
        match character {
            OPEN => open = open.saturating_add(1),
            CLOSE if open == 1 => return Some(at),
            CLOSE => open = open.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn sealed(inside: &str, depth: usize) -> Result<Sealed, &'static str> {
    let deeper = depth.saturating_add(1);
    let mut characters = inside.chars();
    let kind = characters.next().and_then(unveiled).ok_or(CUT)?;
    let inside = characters.as_str();
    match kind {
        's' => Ok(Sealed::Setting(inside.chars().map(unveiled).collect::<Option<_>>().ok_or(CUT)?)),
        'b' => Ok(Sealed::Base64(read(inside, deeper)?)),
        'x' => Ok(Sealed::Hex(read(inside, deeper)?)),
        'h' => {
            let at = between(inside).ok_or(CUT)?;
            let (key, text) = inside.split_at(at);
            let text = text.strip_prefix(NEXT).ok_or(CUT)?;
            Ok(Sealed::HmacSha256 { key: read(key, deeper)?, text: read(text, deeper)? })
        }
        _ => Err(CUT),
    }
}

/// Where the first of two texts ends.
fn between(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            OPEN => open = open.saturating_add(1),
            CLOSE => open = open.saturating_sub(1),
            NEXT if open == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    fn of(name: &str) -> Piece {
        Piece::Sealed(Sealed::Setting(name.to_owned()))
    }

    #[test]
    fn marks_become_what_they_stand_for() {
        let marked = format!("/bot{}/send", setting("token"));
        assert_eq!(pieces(&marked), Ok(vec![text("/bot"), of("token"), text("/send")]));
        let signed = hmac_sha256(&setting("key"), &format!("17\n{}", setting("key")));
        let expected = Sealed::HmacSha256 { key: vec![of("key")], text: vec![text("17\n"), of("key")] };
        let expected = Sealed::Base64(vec![Piece::Sealed(expected)]);
        assert_eq!(pieces(&base64(&signed)), Ok(vec![Piece::Sealed(expected)]));
        let key = hmac_sha256(&hmac_sha256("a", "b"), "c");
        assert!(pieces(&hex(&key)).is_ok());
        assert_eq!(masked(&format!("x {} y", base64(&signed))), "x [secret] y");
        assert_eq!(pieces(""), Ok(vec![]));
    }

    #[test]
    fn a_mark_that_is_not_whole_is_refused() {
        let mark = setting("token");
        let whole: Vec<char> = mark.chars().collect();
        for at in 1..whole.len() {
            let (head, tail) = whole.split_at(at);
            let (head, tail): (String, String) = (head.iter().collect(), tail.iter().collect());
            assert_eq!(pieces(&head), Err(CUT));
            assert_eq!(pieces(&tail), Err(CUT), "{tail:?}");
            let inside: String = whole[at..=at].iter().collect();
            assert_eq!(pieces(&inside), Err(CUT));
        }
        let deep = (0..20).fold("x".to_owned(), |text, _| base64(&text));
        assert!(pieces(&deep).is_err());
        assert_eq!(unmarked(&format!("a{mark}b")), "ab");
    }
}
