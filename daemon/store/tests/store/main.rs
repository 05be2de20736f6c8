//! The ledger on real files: what is committed stays, what is refused is untouched.

mod changes;
mod common;
mod faults;
mod opening;
