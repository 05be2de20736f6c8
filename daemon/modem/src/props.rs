//! Properties as received, read with a type check and a fallback: a wrong type is like a missing property.

use std::collections::HashMap;

use zbus::{OwnedVariant, Variant};

use crate::names;

/// Longest text kept, in bytes: a message of 255 parts fits.
const TEXT_MOST: usize = 64 * 1024;
/// Most elements of a list or dictionary kept.
const LIST_MOST: usize = 4096;

/// Property names and values as D-Bus gives them.
pub type Raw = HashMap<String, OwnedVariant>;

/// The kept properties of one interface of one object: few, for as long as the object is there, so without a tree's empty
/// places.
#[derive(Debug, Default, PartialEq)]
pub struct Props(Vec<(&'static str, Kept)>);

#[derive(Debug, PartialEq)]
enum Kept {
    Whole(OwnedVariant),
    /// Of a dictionary the entries that are read.
    Entries(Box<[(&'static str, OwnedVariant)]>),
}

impl Props {
    /// Takes over the kept ones of `raw`, and tells which of them changed.
    pub fn merge(&mut self, interface: &str, raw: Raw) -> Vec<&'static str> {
        let mut changed = Vec::new();
        for (name, value) in raw {
            let Some(name) = names::kept(interface).iter().find(|kept| **kept == name) else {
                continue;
            };
            if too_big(&value) {
                tracing::warn!(interface, property = name, "a property is too big and is left out");
                continue;
            }
            let Some(value) = Kept::of(name, value) else {
                continue;
            };
            match self.0.iter_mut().find(|(known, _)| *known == *name) {
                Some((_, known)) if *known == value => continue,
                Some((_, known)) => *known = value,
                None => {
                    self.0.reserve_exact(1);
                    self.0.push((*name, value));
                }
            }
            changed.push(*name);
        }
        changed
    }

    fn get(&self, name: &str) -> Option<&Variant<'_>> {
        match self.0.iter().find(|(known, _)| *known == name)? {
            (_, Kept::Whole(value)) => Some(value),
            (_, Kept::Entries(_)) => None,
        }
    }

    /// A text that is not empty, cut after `most` characters.
    pub fn text(&self, name: &str, most: usize) -> Option<String> {
        text_of(self.get(name)?, most)
    }

    /// An unsigned number of 32 bits.
    pub fn number(&self, name: &str) -> Option<u32> {
        match self.get(name)? {
            Variant::U32(number) => Some(*number),
            _ => None,
        }
    }

    /// A signed number of 32 bits.
    pub fn signed(&self, name: &str) -> Option<i32> {
        match self.get(name)? {
            Variant::I32(number) => Some(*number),
            _ => None,
        }
    }

    /// A truth value.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Variant::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// One object path; `/` is none.
    pub fn path(&self, name: &str) -> Option<&str> {
        path_of(self.get(name)?)
    }

    /// A list of object paths; `/`, an empty place, is none.
    pub fn paths(&self, name: &str) -> Vec<Option<&str>> {
        self.list(name).iter().map(path_of).collect()
    }

    /// A list of texts, each cut after `most` characters, empty ones left out.
    pub fn texts(&self, name: &str, most: usize) -> Vec<String> {
        self.list(name).iter().filter_map(|text| text_of(text, most)).collect()
    }

    /// The elements of a list.
    pub fn list(&self, name: &str) -> &[Variant<'_>] {
        match self.get(name) {
            Some(Variant::Array(array)) => array.inner(),
            _ => &[],
        }
    }

    /// The fields of a structure.
    pub fn fields(&self, name: &str) -> &[Variant<'_>] {
        self.get(name).map(fields_of).unwrap_or_default()
    }

    /// A value of a dictionary from texts to variants, one of those that are kept ([`names::entries`]).
    pub fn entry(&self, name: &str, key: &str) -> Option<&Variant<'_>> {
        match self.0.iter().find(|(known, _)| *known == name)? {
            (_, Kept::Entries(entries)) => {
                entries.iter().find(|(found, _)| *found == key).map(|(_, value)| &**value)
            }
            (_, Kept::Whole(_)) => None,
        }
    }
}

impl Kept {
    /// What is kept of a property; nothing where it cannot be.
    fn of(name: &str, value: OwnedVariant) -> Option<Self> {
        let read = names::entries(name);
        let Variant::Dict(dict) = &*value else {
            return Some(Self::Whole(value));
        };
        let entry = |(key, value): (&Variant<'_>, &Variant<'_>)| {
            let Variant::Str(key) = key else { return None };
            let key = read.iter().find(|read| **read == key.as_str())?;
            Some(inner(value).try_to_owned().map(|value| (*key, value)))
        };
        dict.iter().filter_map(entry).collect::<Result<_, _>>().ok().map(Self::Entries)
    }
}

/// The fields of a structure.
pub fn fields_of<'v>(value: &'v Variant<'v>) -> &'v [Variant<'v>] {
    match inner(value) {
        Variant::Structure(structure) => structure.fields(),
        _ => &[],
    }
}

/// A text that is not empty, cut after `most` characters.
pub fn text_of(value: &Variant<'_>, most: usize) -> Option<String> {
    match inner(value) {
        Variant::Str(text) if !text.is_empty() => Some(text.chars().take(most).collect()),
        _ => None,
    }
}

/// An unsigned number of 64 bits, also from 32.
pub fn number_of(value: &Variant<'_>) -> Option<u64> {
    match inner(value) {
        Variant::U64(number) => Some(*number),
        Variant::U32(number) => Some(u64::from(*number)),
        _ => None,
    }
}

fn path_of<'v>(value: &'v Variant<'v>) -> Option<&'v str> {
    match inner(value) {
        Variant::ObjectPath(path) if path.as_str() != "/" => Some(path.as_str()),
        _ => None,
    }
}

fn inner<'v>(value: &'v Variant<'v>) -> &'v Variant<'v> {
    match value {
        Variant::Variant(value) => value,
        value => value,
    }
}

fn too_big(value: &Variant<'_>) -> bool {
    match value {
        Variant::Str(text) => text.len() > TEXT_MOST,
        Variant::Variant(value) => too_big(value),
        Variant::Array(array) => {
            array.len() > LIST_MOST && array.signature() != "ay"
                || array.len() > TEXT_MOST
                || array.iter().any(too_big)
        }
        Variant::Dict(dict) => {
            dict.iter().count() > LIST_MOST || dict.iter().any(|(key, value)| too_big(key) || too_big(value))
        }
        Variant::Structure(structure) => structure.fields().iter().any(too_big),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zbus::wire::OwnedObjectPath;

    fn own(value: impl Into<Variant<'static>>) -> OwnedVariant {
        value.into().try_to_owned().unwrap()
    }

    fn props(interface: &str, pairs: Vec<(&str, OwnedVariant)>) -> Props {
        let mut props = Props::default();
        props.merge(interface, pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        props
    }

    #[test]
    fn a_wrong_type_is_like_a_missing_property() {
        let props = props(
            names::MODEM,
            vec![("State", own("on")), ("Device", own(7_u32)), ("Bearers", own(true)), ("Sim", own("/x"))],
        );
        assert_eq!(props.signed("State"), None);
        assert_eq!(props.text("Device", 9), None);
        assert_eq!(props.list("Bearers"), []);
        assert_eq!(props.path("Sim"), None, "a text is no object path");
        assert_eq!(props.entry("Bearers", "x"), None);
        assert_eq!(props.fields("Device"), []);
    }

    #[test]
    fn only_known_properties_of_bearable_size_are_kept_and_changes_are_told() {
        let mut props = Props::default();
        let raw = |pairs: Vec<(&str, OwnedVariant)>| {
            pairs.into_iter().map(|(n, v)| (n.to_owned(), v)).collect::<Raw>()
        };
        assert_eq!(
            props.merge(
                names::SIM,
                raw(vec![
                    ("Imsi", own("310410")),
                    ("Gid1", own("x")),
                    ("Eid", own("x".repeat(TEXT_MOST + 1)))
                ])
            ),
            ["Imsi"]
        );
        assert_eq!(props.merge(names::SIM, raw(vec![("Imsi", own("310410"))])), [""; 0]);
        assert_eq!(props.text("Imsi", 3).as_deref(), Some("310"));
    }

    #[test]
    fn of_a_dictionary_only_what_is_read_is_kept() {
        let stats = |rx: u64, attempts: u32| {
            let dict =
                HashMap::from([("rx-bytes", Variant::from(rx)), ("attempts", Variant::from(attempts))]);
            HashMap::from([("Stats".to_owned(), own(dict))])
        };
        let mut props = Props::default();
        assert_eq!(props.merge(names::BEARER, stats(7, 1)), ["Stats"]);
        assert_eq!(props.entry("Stats", "rx-bytes").and_then(number_of), Some(7));
        assert_eq!(props.entry("Stats", "attempts"), None);
        assert_eq!(props.merge(names::BEARER, stats(7, 2)), [""; 0], "nothing that is read changed");
        assert_eq!(props.merge(names::BEARER, stats(8, 2)), ["Stats"]);
        assert_eq!(props.entry("Stats", "rx-bytes").and_then(number_of), Some(8));
    }

    #[test]
    fn paths_keep_empty_places() {
        let path = |path: &str| OwnedObjectPath::try_from(path.to_owned()).unwrap();
        let list = vec![path("/a"), path("/"), path("/b")];
        let props = props(names::MODEM, vec![("SimSlots", own(list)), ("Sim", own(path("/")))]);
        assert_eq!(props.paths("SimSlots"), [Some("/a"), None, Some("/b")]);
        assert_eq!(props.path("Sim"), None);
    }
}
