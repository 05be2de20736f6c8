//! Working an AT modem by hand: one line, one thing that happens to it.

use crate::at::{AtError, IncomingSms, Modem, Operator, Registration, Sim, UssdAnswer};

/// What [`obey`] understands, for people.
pub const WORDS: &str = "home | roam [CODE NAME] | search | deny | signal 0-5 | sms SENDER TEXT | call NUMBER | ring | \
                         answer | hang-up | ussd CODE TEXT | sim in|out|other | drop-data | hang | unhang | sent | calls";

/// Why a line was not obeyed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsoleError {
    /// The line is not understood.
    #[error("not understood; say one of: {WORDS}")]
    Unknown,
    /// The modem could not do it.
    #[error(transparent)]
    Modem(#[from] AtError),
}

/// Does what a line says and returns what there is to tell.
///
/// # Errors
/// [`ConsoleError::Unknown`] for what is not among [`WORDS`].
pub fn obey(modem: &Modem, line: &str) -> Result<String, ConsoleError> {
    let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    let rest = rest.trim();
    match (word, rest.split_once(' ')) {
        ("home", _) => modem.register_home(),
        ("roam", None) => modem.roam(&Operator::T_MOBILE_US),
        ("roam", Some((code, name))) => {
            let operator = Operator { code: code.to_owned().into(), name: name.to_owned().into() };
            modem.register(Registration::Roaming, Some(operator));
        }
        ("search", _) => modem.search(),
        ("deny", _) => modem.deny(),
        ("signal", _) => modem.set_signal(rest.parse().map_err(|_| ConsoleError::Unknown)?),
        ("sms", Some((sender, text))) => modem.receive_sms(&IncomingSms::new(sender, text))?,
        ("call", None) if !rest.is_empty() => modem.call(rest),
        ("ring", _) => modem.remote_rings()?,
        ("answer", _) => modem.remote_answers()?,
        ("hang-up", _) => modem.remote_hangs_up()?,
        ("ussd", Some((code, text))) => modem.on_ussd(code, UssdAnswer::Text(text.to_owned())),
        ("sim", None) => match rest {
            "in" => modem.insert_sim(Some(Sim::china_mobile())),
            "other" => modem.insert_sim(Some(Sim::china_unicom())),
            "out" => modem.insert_sim(None),
            _ => return Err(ConsoleError::Unknown),
        },
        ("drop-data", _) => drop(modem.drop_data(true)),
        ("hang", _) => modem.hang(true),
        ("unhang", _) => modem.hang(false),
        ("sent", _) => {
            let sent = modem.sent_sms().into_iter().map(|sms| format!("{:?}: {:?}", sms.to, sms.text));
            return Ok(sent.collect::<Vec<_>>().join("\n"));
        }
        ("calls", _) => {
            let calls = modem
                .calls()
                .into_iter()
                .map(|call| format!("{} {:?} {:?}", call.id, call.state, call.number));
            return Ok(calls.collect::<Vec<_>>().join("\n"));
        }
        _ => return Err(ConsoleError::Unknown),
    }
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::at::Profile;

    #[test]
    fn lines_are_obeyed_or_refused() {
        let modem = Modem::start(Profile::lte()).unwrap();
        assert_eq!(obey(&modem, "sms 10086 hello there").unwrap(), "");
        assert_eq!(modem.stored_sms(), 1);
        obey(&modem, "call +8613700137000").unwrap();
        assert_eq!(obey(&modem, "calls").unwrap(), "1 Incoming \"+8613700137000\"");
        assert!(matches!(obey(&modem, "signal many"), Err(ConsoleError::Unknown)));
        assert!(matches!(obey(&modem, "dance"), Err(ConsoleError::Unknown)));
        assert!(matches!(obey(&modem, "ring"), Err(ConsoleError::Modem(_))));
    }
}
