//! Channel plugins: scripts that say which HTTP request carries a reminder, and what the answer to it means.
//!
//! A request is a value. The script sees neither the network nor what its secrets are: they stand in the request as
//! sealed pieces, and whoever sends it fills them in, to hosts that the manifest names.

mod body;
mod host;
mod hosts;
mod marks;
mod plugin;
mod script;
mod try_out;

pub(crate) use body::{json_of, value_of};
pub use hosts::{Host, HostError};
pub use plugin::{ChannelPlugin, ChannelSetting, ChannelSettingKind, Given, channel_plugins};
pub(crate) use script::{CHANNEL_HOOKS, book};
pub use script::{ChannelEngine, ChannelScript};
pub(crate) use try_out::check;
