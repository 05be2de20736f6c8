//! A look-alike described and started.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Lookalike;
use super::spec::ModemSpec;
use super::world::{UssdReply, World};

/// Describes a look-alike before it runs.
#[derive(Debug)]
pub struct Builder {
    modems: Vec<ModemSpec>,
    auto_enable: bool,
    stats_every: Duration,
    ussd: Vec<UssdReply>,
}

impl Builder {
    /// Adds a modem.
    #[must_use]
    pub fn modem(mut self, spec: ModemSpec) -> Self {
        self.modems.push(spec);
        self
    }

    /// Adds `count` modems that differ by number ([`ModemSpec::numbered`]).
    #[must_use]
    pub fn modems(mut self, count: usize) -> Self {
        let first = self.modems.len();
        self.modems.extend((first..first + count).map(ModemSpec::numbered));
        self
    }

    /// Whether modems are enabled as they appear, as NetworkManager does; true at first.
    #[must_use]
    pub fn auto_enable(mut self, auto: bool) -> Self {
        self.auto_enable = auto;
        self
    }

    /// How often `Bearer.Stats` is told; every second at first, where the real daemon does it every 30 s. Zero for
    /// only when asked by [`Lookalike::publish_stats`].
    #[must_use]
    pub fn stats_every(mut self, every: Duration) -> Self {
        self.stats_every = every;
        self
    }

    /// What the network answers to a USSD code or response; with `menu` it then waits for a response.
    #[must_use]
    pub fn ussd(mut self, code: &str, reply: &str, menu: bool) -> Self {
        self.ussd.push(UssdReply { code: code.into(), reply: reply.into(), menu });
        self
    }

    /// Starts it; it is heard once it serves.
    #[must_use]
    pub fn start(self) -> Lookalike {
        let mut world = World::new(self.modems);
        world.auto_enable = self.auto_enable;
        world.stats_every = self.stats_every;
        world.ussd = self.ussd;
        let lookalike = Lookalike { world: Arc::new(Mutex::new(world)), alive: watch::Sender::new(true) };
        if !self.stats_every.is_zero() {
            lookalike.publish_regularly(self.stats_every);
        }
        lookalike
    }
}

impl Lookalike {
    /// Begins a description without modems.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            modems: Vec::new(),
            auto_enable: true,
            stats_every: Duration::from_secs(1),
            ussd: Vec::new(),
        }
    }

    fn publish_regularly(&self, every: Duration) {
        let world = Arc::downgrade(&self.world);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(every);
            loop {
                ticks.tick().await;
                let Some(world) = world.upgrade() else { return };
                world.lock().unwrap_or_else(PoisonError::into_inner).publish_stats();
            }
        });
    }
}
