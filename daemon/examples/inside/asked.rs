//! One question to one shipped rule: for the examples that measure.

use std::path::Path;
use std::sync::Arc;

use simbell_core::ident::{Iccid, RuleName};
use simbell_core::view::{RuleInput, Trigger};
use simbell_rules::RuleSet;

use crate::shipped::{far_from_a_threshold, load};

/// The shipped rules, one of them, and a question to it that it answers with nothing.
pub fn asked(plugins: &Path) -> (RuleSet, RuleName, Trigger, Arc<RuleInput>) {
    let iccid = Iccid::new("8900100000000000017").expect("an ICCID");
    let name = RuleName::new("data-thresholds").expect("a name");
    let input = Arc::new(far_from_a_threshold(iccid.clone()));
    (load(plugins, Vec::new()), name, Trigger::Usage { sim: iccid }, input)
}
