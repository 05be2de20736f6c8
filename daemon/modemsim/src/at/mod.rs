//! An AT modem for the real ModemManager (1.20): it answers what the generic, telit, quectel and u-blox plugins ask.
//!
//! [`Modem`] is the modem and the hand that works it: it owns a thread that answers AT commands on any number of
//! ports, while the caller registers it, lets it roam, hands it SMS and calls, and reads what was sent through it.
//!
//! ```no_run
//! # async fn demo() -> Result<(), simbell_modemsim::at::AtError> {
//! use simbell_modemsim::at::{IncomingSms, Modem, Operator, Profile};
//! use std::time::Duration;
//!
//! let modem = Modem::start(Profile::lte())?;
//! modem.listen("abstract:my-modem-0")?; // or attach(stream)
//! modem.roam(&Operator::T_MOBILE_US);
//! modem.receive_sms(&IncomingSms::new("10086", "您的余额为 12 元"))?;
//! let sent = modem.sent_sms_count(1, Duration::from_secs(10)).await?;
//! assert_eq!(sent[0].text, "hello");
//! # Ok(()) }
//! ```
//!
//! Commands the modem does not know are answered `ERROR`. Unsolicited result codes are sent only while the host has
//! asked for them (`+CREG=2`, `+CNMI`, `+CLIP`, `+CUSD=1` …), as a real modem does.

mod call;
mod command;
mod data;
mod error;
mod modem;
mod pdu;
mod port;
mod profile;
mod radio;
mod shared;
mod sim;
mod sms;
mod state;
mod text;
mod tty;
mod ussd;

pub use call::{CallState, CallView};
pub use data::ContextView;
pub use error::AtError;
pub use modem::Modem;
pub use pdu::{IncomingSms, SentSms, Timestamp};
pub use profile::{AccessTechnology, IpMethod, Operator, Plugin, Profile, Sim};
pub use radio::Registration;
pub use tty::Tty;
pub use ussd::UssdAnswer;
