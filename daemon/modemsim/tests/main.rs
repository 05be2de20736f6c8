//! Simulated modems against their clients: the real mmcli and the real ModemManager among them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics has failed")]

mod lookalike;
