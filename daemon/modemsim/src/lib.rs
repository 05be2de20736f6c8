//! Simulated modems: a ModemManager look-alike on D-Bus, and an AT modem for the real one.

pub mod at;
pub mod lab;
pub mod lookalike;
pub mod scenario;
