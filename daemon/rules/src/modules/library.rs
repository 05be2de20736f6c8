//! The standard library: modules in Rhai that are part of the program.

/// By path, in the order of their names.
const MODULES: [(&str, &str); 4] = [
    ("std/days", include_str!("../../std/days.rhai")),
    ("std/list", include_str!("../../std/list.rhai")),
    ("std/round", include_str!("../../std/round.rhai")),
    ("std/text", include_str!("../../std/text.rhai")),
];

/// The text of a module.
pub(super) fn text(path: &str) -> Option<&'static str> {
    MODULES.iter().find(|(known, _)| *known == path).map(|(_, text)| *text)
}

/// The paths of all modules.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    MODULES.iter().map(|(path, _)| *path)
}
