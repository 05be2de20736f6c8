//! Simulated modems: a ModemManager look-alike on D-Bus, and an AT modem for the real one.

pub mod lookalike;
pub mod scenario;
