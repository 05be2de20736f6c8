//! Channels against real servers: SMTP by aiosmtpd, HTTP by Python's own, both on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed helper is a failed test

mod canary;
mod dispatch;
mod push;
mod sms;
mod smtp;
mod support;
