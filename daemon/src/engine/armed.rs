//! Quotas are armed at the next thresholds, and a crossing is a reading at once.

use simbell_core::event::Event;
use simbell_core::health::WarningCode;

use super::Engine;
use crate::quota::{Arming, Follows};

/// Thresholds may be passed while others are being armed; the next turn goes on.
const ROUNDS: u32 = 4;

impl Engine {
    pub(super) async fn quota_news(&mut self, follows: Follows) {
        match follows {
            Follows::Nothing => {}
            Follows::Reading => self.read_links().await,
            Follows::Health(text) => self.report(WarningCode::QuotaHelper, "", text).await,
        }
    }

    /// After each turn: what is armed is what the state waits for.
    pub(super) async fn keep_armed(&mut self) {
        if !self.quotas.is_up() || self.links_broken {
            return;
        }
        for _ in 0..ROUNDS {
            let wanted = self.state.next_thresholds();
            if self.quotas.fit(&wanted) {
                return;
            }
            // What passed since the state was told is not left any more.
            let now = match self.links.read(None) {
                Ok(now) => now,
                Err(error) => return self.links_failed(&error).await,
            };
            match self.quotas.arm(&wanted, &now) {
                Arming::Asked => return,
                Arming::Passed => self.feed(Event::LinksRead(now)).await,
            }
        }
    }
}
