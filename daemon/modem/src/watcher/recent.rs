//! The messages told lately, so that one shown again under another path is not told again.

use std::collections::{BTreeSet, VecDeque};

/// More than any modem stores.
const MOST: usize = 4096;

/// Digests, the oldest forgotten first.
#[derive(Debug, Default)]
pub struct Recent {
    order: VecDeque<String>,
    known: BTreeSet<String>,
}

impl Recent {
    /// Remembers a digest; false where it is known already.
    pub fn is_new(&mut self, digest: &str) -> bool {
        if !self.known.insert(digest.to_owned()) {
            return false;
        }
        self.order.push_back(digest.to_owned());
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests_are_refused_until_thousands_came_after() {
        let mut recent = Recent::default();
        assert!(recent.is_new("first"));
        assert!(!recent.is_new("first"));
        for n in 0..MOST {
            assert!(recent.is_new(&n.to_string()));
        }
        assert!(recent.is_new("first"));
        assert_eq!((recent.order.len(), recent.known.len()), (MOST, MOST));
    }
}
