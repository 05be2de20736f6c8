//! The bell for your SIM: the service

pub mod config;
pub mod control;
