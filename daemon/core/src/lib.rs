//! The pure core of simbell: events in, effects out.
//!
//! Nothing here reads a clock, a file or a socket. Every event carries the instant it happened at, zone
//! rules come in as data, and what has to be done leaves as [`effect::Effects`]. The same events always
//! give the same state and the same effects.

pub mod action;
pub mod backoff;
pub mod billing;
pub mod bytes;
pub mod counter;
pub mod cron;
pub mod cycle;
pub mod decision;
pub mod effect;
pub mod event;
pub mod forecast;
pub mod health;
pub mod ident;
pub mod ledger;
pub mod memory;
pub mod modem;
pub mod number;
pub mod observation;
pub mod party;
pub mod plan;
pub mod plugin;
pub mod reminder;
pub mod request;
pub mod schedule;
pub mod segments;
pub mod settings;
pub mod state;
pub mod text;
pub mod time;
pub mod view;
pub mod voice;
pub mod watch;
pub mod zone;
