//! The service as systemd starts it, and what systemd is given to start it by.

#[path = "service/files.rs"]
mod files;
#[path = "service/house.rs"]
mod house;
#[path = "service/protocol.rs"]
mod protocol;
#[path = "service/refused.rs"]
mod refused;
#[path = "service/secrets.rs"]
mod secrets;
