//! Varlink messages as bytes: the one place on this side that knows zlink.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zlink::{Call, Reply, varlink_service};

/// A call as it came in.
#[derive(Debug, Deserialize)]
pub(super) struct Incoming {
    pub(super) method: String,
    #[serde(default)]
    pub(super) parameters: Option<Value>,
}

/// Reads a call from a message without its NUL.
pub(super) fn call(message: &[u8]) -> Result<Call<Incoming>, serde_json::Error> {
    serde_json::from_slice(message)
}

/// A successful reply. Without `more` the key `continues` is left out.
pub(super) fn success<T: Serialize>(parameters: &T, continues: Option<bool>) -> Vec<u8> {
    bytes(&Reply::new(Some(parameters)).set_continues(continues))
}

/// An error of this interface.
pub(super) fn error(error: &simbell_api::ControlError) -> Vec<u8> {
    bytes(error)
}

/// An error that Varlink itself names.
pub(super) fn service_error(error: &varlink_service::Error<'_>) -> Vec<u8> {
    bytes(error)
}

fn bytes<T: Serialize>(message: &T) -> Vec<u8> {
    // Types of the interface hold strings, numbers and lists: nothing that JSON cannot say.
    serde_json::to_vec(message).unwrap_or_else(|_| br#"{"error":"org.simbell.Control.Internal"}"#.to_vec())
}
