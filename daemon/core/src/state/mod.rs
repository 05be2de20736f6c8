//! The state and its one entry point, `step`.

pub mod accounting;
pub mod restored;
