//! Where a page of spans as billed ends, and the next one begins.

use simbell_core::ident::Iccid;
use simbell_core::ledger::Volume;
use simbell_core::time::Timestamp;

use crate::control::Answer;
use crate::usage::invalid;

/// How far an answer has come within a SIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The first instant that was not looked at.
    pub(super) at: Timestamp,
    /// What its cycle was billed at until then, by direction; 0 where that changes nothing.
    pub(super) rounded: Volume,
    /// The span that it lies in the midst of.
    pub(super) begun: Option<Begun>,
}

/// The part of a span that was looked at; its corrections are looked up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) start: Timestamp,
    pub(super) measured: u64,
    pub(super) billed: Option<u64>,
}

impl Place {
    /// At the beginning of a span.
    pub(super) const fn at(at: Timestamp) -> Self {
        Self { at, rounded: Volume { rx: 0, tx: 0 }, begun: None }
    }

    /// `ICCID:AT`, and behind it `:RX:TX`, and `:START:MEASURED:BILLED` in the midst of a span, as far as they say
    /// anything. `-` for a bill that is not known.
    pub(super) fn to_text(&self, iccid: &Iccid) -> String {
        let mut text = format!("{iccid}:{}", self.at.as_millis());
        if self.rounded != Volume::default() || self.begun.is_some() {
            text.push_str(&format!(":{}:{}", self.rounded.rx, self.rounded.tx));
        }
        if let Some(begun) = &self.begun {
            let billed = begun.billed.map_or_else(|| "-".to_owned(), |billed| billed.to_string());
            text.push_str(&format!(":{}:{}:{billed}", begun.start.as_millis(), begun.measured));
        }
        text
    }
}

/// Reads what [`Place::to_text`] wrote.
pub(super) fn read(text: &str) -> Answer<(Iccid, Place)> {
    parse(text).ok_or_else(|| {
        invalid("after", "this is no place to go on from", "pass on the `next` of the page before")
    })
}

fn parse(text: &str) -> Option<(Iccid, Place)> {
    let mut parts = text.split(':');
    let iccid = Iccid::new(parts.next()?).ok()?;
    let mut place = Place::at(instant(parts.next()?)?);
    if let Some(rx) = parts.next() {
        place.rounded = Volume { rx: rx.parse().ok()?, tx: parts.next()?.parse().ok()? };
    }
    if let Some(start) = parts.next() {
        let (start, measured, billed) = (instant(start)?, parts.next()?.parse().ok()?, parts.next()?);
        let billed = if billed == "-" { None } else { Some(billed.parse().ok()?) };
        place.begun = Some(Begun { start, measured, billed });
    }
    let sensible = place.begun.is_none_or(|begun| begun.start <= place.at);
    (parts.next().is_none() && sensible).then_some((iccid, place))
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let iccid = Iccid::new("8949000000000000018").unwrap();
        let at = Timestamp::from_millis(1_788_220_800_000);
        let begun = Begun { start: Timestamp::from_millis(-5), measured: 7, billed: Some(100) };
        for place in [
            Place::at(at),
            Place { rounded: Volume { rx: 1, tx: u64::MAX }, ..Place::at(at) },
            Place { begun: Some(begun), ..Place::at(at) },
            Place { begun: Some(Begun { billed: None, ..begun }), ..Place::at(at) },
        ] {
            assert_eq!(read(&place.to_text(&iccid)).unwrap(), (iccid.clone(), place));
        }
    }

    #[test]
    fn what_is_no_place_is_refused_by_name() {
        for text in [
            "",
            "8949000000000000018",
            "8949000000000000018:",
            "8949000000000000018:1:2",
            "8949000000000000018:1:2:3:4",
            "8949000000000000018:1:2:-3",
            "8949000000000000018:1:2:3:4:5:6",
            "8949000000000000018:9:2:3:4:5:6:7",
            "x:1",
        ] {
            let refused = format!("{:?}", read(text).unwrap_err());
            assert!(refused.contains("InvalidArgument") && refused.contains("after"), "{text}: {refused}");
        }
    }
}
