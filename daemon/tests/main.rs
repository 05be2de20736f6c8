//! Tests of the whole service: the real programs, on real parts.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "main/bell.rs"]
mod bell;
#[path = "main/carrier.rs"]
mod carrier;
#[path = "main/channel_service.rs"]
mod channel_service;
#[path = "main/channels.rs"]
mod channels;
#[path = "main/crowded.rs"]
mod crowded;
#[path = "main/damaged.rs"]
mod damaged;
#[path = "main/disk.rs"]
mod disk;
#[path = "main/docs.rs"]
mod docs;
#[path = "main/explain.rs"]
mod explain;
#[path = "main/faults.rs"]
mod faults;
#[path = "main/fixture.rs"]
mod fixture;
#[path = "main/fuzzed.rs"]
mod fuzzed;
#[path = "main/history.rs"]
mod history;
#[path = "main/hot.rs"]
mod hot;
#[path = "main/life.rs"]
mod life;
#[path = "main/lying.rs"]
mod lying;
#[path = "main/modemmanager.rs"]
mod modemmanager;
#[path = "main/plugins.rs"]
mod plugins;
#[path = "main/ppp.rs"]
mod ppp;
#[path = "main/promised.rs"]
mod promised;
#[path = "main/quota.rs"]
mod quota;
#[path = "main/receivers.rs"]
mod receivers;
#[path = "main/reminders.rs"]
mod reminders;
#[path = "main/replay.rs"]
mod replay;
#[path = "main/resident.rs"]
mod resident;
#[path = "main/scaffold.rs"]
mod scaffold;
#[path = "main/service.rs"]
mod service;
#[path = "main/shipped_channels.rs"]
mod shipped_channels;
#[path = "main/sources.rs"]
mod sources;
#[path = "main/stage.rs"]
mod stage;
#[path = "main/storm.rs"]
mod storm;
#[path = "main/suspend.rs"]
mod suspend;
#[path = "main/traffic.rs"]
mod traffic;
#[path = "main/trials.rs"]
mod trials;
#[path = "main/vnstat_cases.rs"]
mod vnstat_cases;
#[path = "main/vnstat_import.rs"]
mod vnstat_import;
#[path = "main/voice.rs"]
mod voice;
#[path = "main/walls.rs"]
mod walls;
#[path = "main/why.rs"]
mod why;
#[path = "main/wire.rs"]
mod wire;
#[path = "main/wishes.rs"]
mod wishes;
