//! The helper as it runs, on the kernel's own nftables, in network namespaces.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "main/arming.rs"]
mod arming;
#[path = "main/endings.rs"]
mod endings;
#[path = "main/fixture.rs"]
mod fixture;
#[path = "main/others.rs"]
mod others;
#[path = "main/peers.rs"]
mod peers;
