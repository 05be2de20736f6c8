//! One modem on a bus of its own, worked by hand.

use std::time::Duration;

use simbell_modemsim::lookalike::{BearerHandle, BearerSpec, Lookalike, PrivateBus};

use crate::bell::{Bell, Home};

/// The card of the look-alike's first modem.
pub const ICCID: &str = "8900100000000000001";

/// A modem on a bus of its own.
pub struct Stage {
    pub bus: PrivateBus,
    pub modems: Lookalike,
}

impl Stage {
    pub async fn new() -> Self {
        let bus = PrivateBus::start().await.unwrap();
        let modems = Lookalike::builder()
            .modems(1)
            .stats_every(Duration::ZERO)
            .ussd("*100#", "5.00 left", false)
            .start();
        modems.serve_on(bus.address()).await.unwrap();
        Self { bus, modems }
    }

    pub async fn bell<'a>(&self, home: &'a Home) -> Bell<'a> {
        let bell = home.start(self.bus.address()).await;
        bell.sim_is("the SIM", ICCID, |sim| sim.active == Some(true) && sim.roaming == Some(false)).await;
        bell
    }

    /// A message comes in, which a rule passes on.
    pub fn says(&self, text: &str) {
        self.modems.receive_sms(0, "10086", text, None).unwrap();
    }

    /// A connection whose bytes the modem counts.
    pub async fn connected(&self, bell: &Bell<'_>) -> BearerHandle {
        let spec = BearerSpec { apn: "internet".to_owned(), stats: true, ..BearerSpec::default() };
        let bearer = self.modems.connect_bearer(0, spec).unwrap();
        bell.sim_is("connected", ICCID, |sim| sim.connected == Some(true)).await;
        bearer
    }

    /// Bytes pass, and the modem tells.
    pub fn pass(&self, bearer: &BearerHandle, bytes: u64) {
        self.modems.add_traffic(bearer, bytes, 0).unwrap();
        self.modems.publish_stats();
    }
}
