//! Channels that carry a reminder to its reader
