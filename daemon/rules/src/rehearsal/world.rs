//! What happens in the made-up world: SIMs, modems, connections, messages and calls.

use simbell_core::event::Event;
use simbell_core::ident::{Iccid, IdentError, ModemId, OperatorCode};
use simbell_core::ledger::Zone;
use simbell_core::modem::{CallState, CallView, SmsView};
use simbell_core::time::Span;

use super::seat::Seat;
use super::{Rehearsal, RehearsalError};

impl Rehearsal {
    /// Puts a SIM into a modem of its own, at home and connected. A SIM that is in one stays there.
    ///
    /// # Errors
    /// See [`RehearsalError`].
    pub fn insert(&mut self, iccid: &Iccid, operator: Option<&str>) -> Result<(), RehearsalError> {
        if self.seats.contains_key(iccid) {
            return Ok(());
        }
        self.modems = self.modems.saturating_add(1);
        let seat = Seat::new(self.modems, iccid.clone(), operator.map(str::to_owned))?;
        let link = seat.reading();
        self.seats.insert(iccid.clone(), seat);
        self.feed(Event::LinkAppeared(link))?;
        self.show(iccid)
    }

    /// Another SIM is in the modem of `before` from now on: by hand, by slot or by eSIM profile.
    ///
    /// # Errors
    /// When `before` is in no modem, or `after` is in one.
    pub fn swap(&mut self, before: &Iccid, after: &Iccid) -> Result<(), RehearsalError> {
        self.read_links()?;
        if before == after {
            return self.seat(before).map(drop);
        }
        if let Some(seat) = self.seats.remove(after) {
            self.feed(Event::ModemVanished { modem: seat.modem.clone() })?;
            self.feed(Event::LinkVanished(seat.reading().into()))?;
        }
        let seat = self.seats.remove(before).ok_or_else(|| RehearsalError::NoModem(before.clone()))?;
        self.seats.insert(after.clone(), Seat { sim: after.clone(), ..seat });
        self.show(after)
    }

    /// The SIM is at home again, or roams in a network of that code and name.
    ///
    /// # Errors
    /// When the SIM is in no modem.
    pub fn place(&mut self, iccid: &Iccid, zone: Zone, network: Option<&str>) -> Result<(), RehearsalError> {
        self.change(iccid, |seat| {
            seat.zone = zone;
            seat.visited = network.map(str::to_owned);
        })
    }

    /// The SIM's connection is up, or down.
    ///
    /// # Errors
    /// When the SIM is in no modem.
    pub fn connect(&mut self, iccid: &Iccid, connected: bool) -> Result<(), RehearsalError> {
        self.change(iccid, |seat| seat.connected = connected)
    }

    /// The SIM's modem asks for a PIN, or no more.
    ///
    /// # Errors
    /// When the SIM is in no modem.
    pub fn lock(&mut self, iccid: &Iccid, locked: bool) -> Result<(), RehearsalError> {
        self.change(iccid, |seat| seat.locked = locked)
    }

    /// The signal of the SIM's modem, 0 to 100.
    ///
    /// # Errors
    /// When the SIM is in no modem.
    pub fn signal(&mut self, iccid: &Iccid, percent: u8) -> Result<(), RehearsalError> {
        self.change(iccid, |seat| seat.signal_percent = Some(percent))
    }

    /// The SIM's modem is gone from the bus.
    ///
    /// # Errors
    /// When the SIM is in no modem.
    pub fn lose_modem(&mut self, iccid: &Iccid) -> Result<(), RehearsalError> {
        self.read_links()?;
        let seat = self.seat(iccid)?;
        seat.present = false;
        let (modem, link) = (seat.modem.clone(), seat.reading());
        seat.counters = simbell_core::counter::LinkCounters::default();
        self.feed(Event::LinkVanished(link.into()))?;
        self.feed(Event::ModemVanished { modem })
    }

    /// The SIM's modem is back.
    ///
    /// # Errors
    /// When the SIM is in no modem.
    pub fn bring_back_modem(&mut self, iccid: &Iccid) -> Result<(), RehearsalError> {
        let seat = self.seat(iccid)?;
        if seat.present {
            return Ok(());
        }
        seat.present = true;
        let link = seat.reading();
        self.feed(Event::LinkAppeared(link))?;
        self.show(iccid)
    }

    /// A short message came in.
    ///
    /// # Errors
    /// When the SIM is in no modem, or its modem is gone.
    pub fn receive_sms(&mut self, iccid: &Iccid, number: &str, text: &str) -> Result<(), RehearsalError> {
        let at = self.clock.wall;
        let nth = self.steps;
        let modem = self.usable(iccid)?;
        let sms = SmsView {
            number: number.to_owned(),
            text: text.to_owned(),
            timestamp: Some(at.to_utc().to_rfc3339()),
            digest: format!("{:016x}{nth:016x}", at.as_millis()),
        };
        self.feed(Event::SmsReceived { modem, sms })
    }

    /// A short message left by somebody's hand.
    ///
    /// # Errors
    /// When the SIM is in no modem, or its modem is gone.
    pub fn send_sms(&mut self, iccid: &Iccid, to: &str, parts: u32) -> Result<(), RehearsalError> {
        let modem = self.usable(iccid)?;
        self.feed(Event::SmsSent { modem, parts, to: Some(to.to_owned()) })
    }

    /// A call is made, or taken, and lasts so long.
    ///
    /// # Errors
    /// When the SIM is in no modem, or its modem is gone.
    pub fn call(
        &mut self,
        iccid: &Iccid,
        number: &str,
        incoming: bool,
        span: Span,
    ) -> Result<(), RehearsalError> {
        let modem = self.usable(iccid)?;
        let path = format!("/org/freedesktop/ModemManager1/Call/{}", self.steps);
        let event = |state| Event::CallChanged {
            modem: modem.clone(),
            call: CallView {
                service: Some(":1.1".to_owned()),
                path: path.clone(),
                number: Some(number.to_owned()),
                incoming,
                state,
            },
        };
        self.feed(event(if incoming { CallState::RingingIn } else { CallState::Dialing }))?;
        self.feed(event(CallState::Active))?;
        self.advance_to(self.now().saturating_add(span))?;
        self.feed(event(CallState::Terminated))
    }

    /// The SIM's modem, where it is there and unlocked.
    fn usable(&mut self, iccid: &Iccid) -> Result<ModemId, RehearsalError> {
        let seat = self.seat(iccid)?;
        if seat.present && !seat.locked {
            Ok(seat.modem.clone())
        } else {
            Err(RehearsalError::NotConnected(iccid.clone()))
        }
    }

    pub(super) fn seat(&mut self, iccid: &Iccid) -> Result<&mut Seat, RehearsalError> {
        self.seats.get_mut(iccid).ok_or_else(|| RehearsalError::NoModem(iccid.clone()))
    }

    /// Changes something of a SIM's modem, growth until then being counted first.
    fn change(&mut self, iccid: &Iccid, how: impl FnOnce(&mut Seat)) -> Result<(), RehearsalError> {
        if self.running {
            self.read_links()?;
        }
        how(self.seat(iccid)?);
        if self.running { self.show(iccid) } else { Ok(()) }
    }

    /// ModemManager shows the SIM's modem as it is now.
    pub(super) fn show(&mut self, iccid: &Iccid) -> Result<(), RehearsalError> {
        let view = self.seat(iccid)?.view();
        self.feed(Event::ModemSeen(Box::new(view)))?;
        if self.state.next_read(self.clock.stamp(), false).is_some_and(|after| after <= Span::ZERO) {
            self.read_links()?;
        }
        Ok(())
    }
}

/// The code of a network in a rehearsal, made of its name where only that is known: the same name, the same network.
///
/// # Errors
/// Never for a name; for a code of 5 or 6 digits that is none.
pub fn network_code(name: &str) -> Result<OperatorCode, IdentError> {
    if name.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() {
        return OperatorCode::new(name);
    }
    let sum = name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    OperatorCode::new(format!("999{:02}", sum % 100))
}
