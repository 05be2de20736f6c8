//! What a rule's answer about a SIM hangs on, as its last evaluation showed.

use serde::{Deserialize, Serialize};

/// At which usage a rule is to be asked again. It is learnt, not declared: by the comparisons that an evaluation made of
/// values which derive from the SIM's usage.
///
/// With neither part set it compared nothing that more usage would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Watch {
    /// The least usage in bytes, as the plan counts it, above the present one, at which a comparison comes out
    /// differently; never more than that.
    pub at: Option<u64>,
    /// Besides, the rule reckoned with usage in a way that does not show where its answer changes.
    pub unknown: bool,
}

impl Watch {
    /// Nothing was compared that more usage would change.
    pub const NOTHING: Self = Self { at: None, unknown: false };

    /// At this many bytes used.
    #[must_use]
    pub const fn at(bytes: u64) -> Self {
        Self { at: Some(bytes), unknown: false }
    }

    /// Where, cannot be said.
    pub const UNKNOWN: Self = Self { at: None, unknown: true };
}
