//! Rules as the service runs them: loaded from files, asked with inputs, kept in their sandbox.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests end here")]

mod channels;
mod guide;
mod hooks;
mod hostile;
mod inputs;
mod limits;
mod loading;
mod messages;
mod mistakes;
mod modules;
mod recorded;
mod reference;
mod rehearsal;
mod scaffold;
mod shipped;
mod shipped_over_time;
mod texts;
mod trials;
mod units;
mod watch;
mod wishes;

#[global_allocator]
static ALLOCATOR: simbell_alloc::CountingAllocator = simbell_alloc::CountingAllocator;
