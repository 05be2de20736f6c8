//! The ledger on real files: what is committed stays, what is refused is untouched.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what is wrong by panicking"
)]

mod changes;
mod common;
mod explain;
mod failing;
mod faults;
mod history;
mod model;
mod opening;
mod power;
mod queries;
mod recovery;
mod shell;
mod voice;
