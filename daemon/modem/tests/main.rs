//! simbell-modem against real links, a real bus and a scripted ModemManager.

#[path = "main/links.rs"]
mod links;
#[path = "main/netns.rs"]
mod netns;
