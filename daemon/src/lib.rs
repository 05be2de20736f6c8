//! The bell for your SIM: the service

pub mod control;
