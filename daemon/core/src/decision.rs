//! What a rule said on one occasion, beside all that it was told: so that it can be explained, and said again offline.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::effect::Evaluation;
use crate::event::RuleResult;
use crate::memory::Memory;
use crate::time::Timestamp;
use crate::view::RuleInput;

/// One evaluation of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// What the rule saw. A message text that it was asked about is in the trigger.
    pub input: Arc<RuleInput>,
    /// What it remembered then.
    pub memory: Arc<Memory>,
    /// What it said.
    pub result: RuleResult,
}

impl Decision {
    /// What was asked, and what was said to it.
    #[must_use]
    pub fn new(asked: &Evaluation, result: &RuleResult) -> Self {
        Self {
            at: asked.input.now.at,
            input: Arc::clone(&asked.input),
            memory: Arc::clone(&asked.memory),
            result: result.clone(),
        }
    }
}
