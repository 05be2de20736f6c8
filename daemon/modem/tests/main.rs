//! simbell-modem against real links, a real bus and a scripted ModemManager.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "main/bus.rs"]
mod bus;
#[path = "main/fixture.rs"]
mod fixture;
#[path = "main/hear.rs"]
mod hear;
#[path = "main/links.rs"]
mod links;
#[path = "main/netns.rs"]
mod netns;
#[path = "main/traffic.rs"]
mod traffic;
#[path = "main/watcher.rs"]
mod watcher;
