//! simbelld: the shell around the pure core. It watches, reads, commits, asks rules and delivers.

pub mod app;
pub mod backend;
mod billed;
pub mod check;
pub mod clock;
pub mod config;
pub mod control;
pub mod convert;
pub mod engine;
pub mod explain;
pub mod export;
pub mod files;
pub mod gateway;
#[cfg(test)]
mod kept;
pub mod logging;
pub mod options;
pub mod quota;
pub mod replay;
pub mod scaffold;
mod script;
mod scripted;
pub mod service;
pub mod simulate;
pub mod trace;
pub mod trials;
pub mod usage;
pub mod vnstat;
mod voice;
mod why;
