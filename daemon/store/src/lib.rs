//! The ledger in SQLite: schema, migrations, one writer, queries.
//!
//! - [`Store::open`] creates or migrates the ledger, and refuses what it must not touch: a newer schema, another
//!   program's file, a ledger that another process writes.
//! - [`Store::apply`] makes changes in one transaction: all of them or none, on the disk when it returns.
//! - [`Store::restore`] gives back what the state is built from.
//! - The rest are queries. All times are UTC milliseconds; nothing here reads a clock.
//!
//! # Which instant an entry counts at
//! An entry counts at the start of its slot ([`simbell_core::ledger::When::Hour`]), whole. A slot is a UTC hour, or a
//! part of one: whoever makes entries begins a new slot where a billing cycle begins inside a UTC hour (zones with
//! offsets of 30 or 45 minutes). The store takes any instant as a start, so a span that begins where a slot begins
//! gets exactly the bytes measured in it. A day that begins inside a slot, in a zone that no plan uses, gets whole
//! slots by their starts.
//!
//! An entry measured before the clock was trusted waits in a table of its own. Once its boot is dated it becomes a
//! slot that begins at the first instant it covers, to the millisecond: never rounded down into an earlier cycle.

mod access;
mod apply;
mod aside;
mod backup;
mod backups;
mod carrier;
mod columns;
mod days;
mod decision;
mod explain;
mod failure;
mod fold;
mod import;
mod lists;
mod lock;
mod lost;
mod mend;
mod migrate;
mod open;
mod options;
mod packed;
mod plugins;
mod probe;
mod prune;
mod readable;
mod reader;
mod recover;
mod restore;
mod rollup;
mod rows;
mod slots;
mod totals;
mod usage;
pub mod vnstat;
mod voice;
mod voice_months;
mod wishes;

pub use apply::{ApplyError, kind_of};
pub use backup::BackupError;
pub use backups::{Backups, Copy, Occasion};
pub use carrier::{SessionSlot, SlotSpan};
pub use columns::{Columns, Mark, RowRun, Sums};
pub use explain::{ExplainCursor, ExplainPage, ExplainQuery, Part, Run, STRETCH};
pub use failure::ErrorKind;
pub use fold::{Fold, Folded};
pub use import::{ImportRow, Imported};
pub use lists::{KeptCorrection, KeptGap};
pub use migrate::{APPLICATION_ID, SCHEMA_VERSION};
pub use open::{OpenError, Store};
pub use options::{StoreOptions, Synchronous};
pub use prune::{PruneError, Pruned, Retention};
pub use reader::Reader;
pub use recover::{Doubt, Recovery};
pub use rows::QueryError;
pub use totals::Totals;
pub use usage::{Entry, UsageBy, UsagePage, UsageQuery, UsageRow};
