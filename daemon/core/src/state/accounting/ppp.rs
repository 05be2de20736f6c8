//! PPP: the bearer names a serial port, and pppd makes the link once the modem has dialled.

use super::Accounting;
use super::links::Seen;
use crate::ident::IfIndex;
use crate::modem::{BearerView, ModemState};

impl Accounting {
    /// The link that a bearer's traffic goes through.
    pub(super) fn link_of(&self, seen: &Seen<'_>, bearer: &BearerView) -> Option<IfIndex> {
        if !bearer.ppp {
            return bearer.interface.as_deref().and_then(|name| self.link_named(name));
        }
        match seen.ppp_interface {
            Some(name) => self.link_named(name),
            None => self.ppp.get(&super::bearers::key(&seen.modem.id, bearer)).copied(),
        }
    }

    /// Gives the one PPP bearer that waits for its link the one link that the kernel announced since.
    pub(super) fn settle_ppp(&mut self, seen: &Seen<'_>) {
        let prefix = super::bearers::prefix(&seen.modem.id);
        let up = matches!(seen.modem.state, ModemState::Connecting | ModemState::Connected);
        self.ppp_waiting.retain(|key| !key.starts_with(&prefix));
        let links = &self.links;
        self.ppp.retain(|key, index| {
            links.contains_key(index)
                && (!key.starts_with(&prefix)
                    || seen
                        .modem
                        .bearers
                        .iter()
                        .any(|b| b.connected && b.ppp && super::bearers::key(&seen.modem.id, b) == *key))
        });
        if seen.ppp_interface.is_some() {
            return;
        }
        for bearer in seen.modem.bearers.iter().filter(|bearer| bearer.ppp && (bearer.connected || up)) {
            let key = super::bearers::key(&seen.modem.id, bearer);
            if self.ppp.contains_key(&key) {
                continue;
            }
            if bearer.connected
                && let Some(index) = self.ppp_resumed(seen)
            {
                self.ppp.insert(key, index);
            } else {
                self.ppp_waiting.insert(key);
            }
        }
        let announced: Vec<IfIndex> = self
            .links
            .iter()
            .filter(|(index, link)| {
                link.ppp
                    && link.newborn
                    && link.owner.is_none()
                    && !self.ppp.values().any(|used| used == *index)
            })
            .map(|(index, _)| *index)
            .collect();
        if let ([index], 1) = (announced.as_slice(), self.ppp_waiting.len())
            && let Some(key) = self.ppp_waiting.iter().next().cloned()
            && seen.modem.bearers.iter().any(|b| b.connected && super::bearers::key(&seen.modem.id, b) == key)
        {
            self.ppp_waiting.remove(&key);
            self.ppp.insert(key, *index);
        }
    }

    /// The PPP link that the SIM in this modem used before, by the ledger or before ModemManager went.
    fn ppp_resumed(&self, seen: &Seen<'_>) -> Option<IfIndex> {
        let mut used = self.links.iter().filter(|(index, link)| {
            link.ppp
                && !self.ppp.values().any(|used| used == *index)
                && link
                    .owner
                    .as_ref()
                    .is_some_and(|o| o.modem == seen.modem.id && Some(&o.iccid) == seen.iccid)
        });
        let found = used.next().map(|(index, _)| *index);
        found.filter(|_| used.next().is_none())
    }

    /// Whether exactly one PPP bearer waits for its link.
    #[must_use]
    pub fn ppp_link_awaited(&self) -> bool {
        self.ppp_waiting.len() == 1
    }
}
