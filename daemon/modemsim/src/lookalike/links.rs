//! Bearers: connected, counted, disconnected.

use tokio::time::Instant;

use super::device::{Bearer, state};
use super::fault::Fault;
use super::interfaces::BEARER;
use super::shape::{self, text};
use super::spec::BearerSpec;
use super::wall;
use super::world::World;

impl World {
    /// The bearer of this description, made where there is none; its number in the modem.
    pub(crate) fn create_bearer(&mut self, index: usize, spec: BearerSpec) -> Result<usize, Fault> {
        let known = self.shown(index)?.bearers.iter().position(|bearer| bearer.spec == spec);
        if let Some(number) = known {
            return Ok(number);
        }
        let bearer = Bearer {
            path: self.numbers.next("Bearer"),
            spec,
            connected: None,
            start_date: 0,
            rx: 0,
            tx: 0,
            total_rx: 0,
            total_tx: 0,
            total_duration: 0,
            attempts: 0,
            failed_attempts: 0,
        };
        self.tree.add(&bearer.path, shape::bearer(&bearer));
        let shown = self.shown(index)?;
        shown.bearers.push(bearer);
        let number = shown.bearers.len() - 1;
        self.tell_bearers(index);
        Ok(number)
    }

    /// Creates a bearer or takes the one there is, and connects it; its number in the modem.
    pub(crate) fn connect(&mut self, index: usize, spec: BearerSpec) -> Result<usize, Fault> {
        if self.shown(index)?.state < state::REGISTERED {
            self.enable(index)?;
        }
        let number = self.create_bearer(index, spec)?;
        self.connect_bearer(index, number)?;
        Ok(number)
    }

    pub(crate) fn connect_bearer(&mut self, index: usize, number: usize) -> Result<(), Fault> {
        let shown = self.shown(index)?;
        if shown.state < state::REGISTERED {
            return Err(Fault::core("WrongState", "not registered"));
        }
        let Some(bearer) = shown.bearers.get_mut(number) else {
            return Err(Fault::core("NotFound", "no such bearer"));
        };
        if bearer.connected.is_some() {
            return Ok(());
        }
        bearer.attempts = bearer.attempts.saturating_add(1);
        let (path, stats) = (bearer.path.clone(), shape::stats(bearer));
        self.set_state(index, state::CONNECTING, 1);
        self.tree.set(&path, BEARER, [("Stats", stats)]);

        let device = self.device(index)?;
        let port = device.spec.net_port.clone();
        let Some(bearer) = device.shown.as_mut().and_then(|shown| shown.bearers.get_mut(number)) else {
            return Err(Fault::core("NotFound", "no such bearer"));
        };
        bearer.connected = Some(Instant::now());
        bearer.start_date = wall::seconds();
        (bearer.rx, bearer.tx) = (0, 0);
        let interface = match (&bearer.spec.interface, bearer.spec.ppp) {
            (Some(interface), _) => interface.clone(),
            (None, true) => "ttySIM0".to_owned(),
            (None, false) => port,
        };
        let values = [
            ("Stats", shape::stats(bearer)),
            ("Ip4Config", shape::ip4(bearer)),
            ("Interface", text(&interface)),
            ("ConnectionError", (String::new(), String::new()).into()),
            ("Connected", true.into()),
            ("ProfileId", 2_i32.into()),
        ];
        self.set_state(index, state::CONNECTED, 1);
        self.tree.set(&path, BEARER, values);
        Ok(())
    }

    /// Ends a connection; with an error (name and text) where the network ended it. Nothing where there is none.
    pub(crate) fn disconnect(&mut self, index: usize, number: usize, error: Option<(&str, &str)>) {
        let last = self.devices.get(index).and_then(|device| device.shown.as_ref()).is_some_and(|shown| {
            shown.bearers.iter().filter(|bearer| bearer.connected.is_some()).count() == 1
        });
        let Ok(shown) = self.shown(index) else { return };
        let Some(bearer) = shown.bearers.get_mut(number) else { return };
        // Taken while it still counts its seconds; totals hold this connection's figures already.
        let stats = shape::stats(bearer);
        let Some(since) = bearer.connected.take() else { return };
        bearer.total_duration = bearer.total_duration.saturating_add(since.elapsed().as_secs());
        let mut ended = [
            ("Stats", stats),
            ("Connected", false.into()),
            ("Interface", text("")),
            ("Ip4Config", shape::ip4(bearer)),
            ("ProfileId", (-1_i32).into()),
            ("ConnectionError", (String::new(), String::new()).into()),
        ];
        if let Some((name, message)) = error {
            ended[5].1 = (Fault::new(name, "").name, message.to_owned()).into();
        }
        bearer.total_rx = bearer.total_rx.saturating_add(bearer.rx);
        bearer.total_tx = bearer.total_tx.saturating_add(bearer.tx);
        (bearer.rx, bearer.tx) = (0, 0);
        let path = bearer.path.clone();
        if last && error.is_none() {
            self.set_state(index, state::DISCONNECTING, 1);
        }
        if last {
            self.set_state(index, state::REGISTERED, u32::from(error.is_none()));
        }
        self.tree.set(&path, BEARER, ended);
    }

    pub(crate) fn delete_bearer(&mut self, index: usize, number: usize) -> Result<(), Fault> {
        self.disconnect(index, number, None);
        let shown = self.shown(index)?;
        if number >= shown.bearers.len() {
            return Err(Fault::core("NotFound", "no such bearer"));
        }
        let bearer = shown.bearers.remove(number);
        self.tree.remove(&bearer.path);
        self.tell_bearers(index);
        Ok(())
    }

    /// Bytes pass through a connected bearer; [`World::publish_stats`] shows them.
    pub(crate) fn add_traffic(&mut self, index: usize, number: usize, rx: u64, tx: u64) -> Result<(), Fault> {
        let bearer = self.connected_bearer(index, number)?;
        bearer.rx = bearer.rx.saturating_add(rx);
        bearer.tx = bearer.tx.saturating_add(tx);
        Ok(())
    }

    /// Sets the counters of a connection outright, be it backwards, and shows them.
    pub(crate) fn set_stats(&mut self, index: usize, number: usize, rx: u64, tx: u64) -> Result<(), Fault> {
        let bearer = self.connected_bearer(index, number)?;
        (bearer.rx, bearer.tx) = (rx, tx);
        self.publish_stats();
        Ok(())
    }

    fn connected_bearer(&mut self, index: usize, number: usize) -> Result<&mut Bearer, Fault> {
        let bearers = &mut self.shown(index)?.bearers;
        bearers
            .get_mut(number)
            .filter(|bearer| bearer.connected.is_some())
            .ok_or_else(|| Fault::core("WrongState", "no connected bearer"))
    }

    /// The bearer over that interface, or with that APN, or simply the first connected one.
    pub(crate) fn find_bearer(
        &mut self,
        index: usize,
        apn: Option<&str>,
        interface: Option<&str>,
    ) -> Option<usize> {
        self.shown(index).ok()?.bearers.iter().position(|bearer| {
            bearer.connected.is_some()
                && apn.is_none_or(|apn| apn == bearer.spec.apn)
                && interface.is_none_or(|name| bearer.spec.interface.as_deref() == Some(name))
        })
    }
}
