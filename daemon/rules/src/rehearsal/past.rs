//! What a rehearsal of the real past needs: entries of a ledger as they were, and what came of it bit by bit.

use simbell_core::effect::Change;
use simbell_core::event::Event;
use simbell_core::ident::Iccid;
use simbell_core::ledger::Correction;
use simbell_core::observation::Observation;
use simbell_core::time::Timestamp;
use simbell_core::voice::{CallRecord, SmsRecord};

use super::{Moment, Rehearsal, RehearsalError};

impl Rehearsal {
    /// What came of it since it was asked last, in order; it is not kept.
    pub fn take_timeline(&mut self) -> Vec<Moment> {
        std::mem::take(&mut self.timeline)
    }

    /// Puts a correction into the ledger that was there before. Sums are read anew by [`Rehearsal::history_added`].
    pub fn add_correction(&mut self, iccid: &Iccid, at: Timestamp, bytes: i64) {
        self.ledger.apply(Change::AppendCorrection(Correction {
            iccid: iccid.clone(),
            at,
            bytes,
            author: String::new(),
            reason: String::new(),
            undoes: None,
        }));
    }

    /// Puts a call that is over into the ledger. Sums are read anew by [`Rehearsal::history_added`].
    pub fn add_call(&mut self, call: CallRecord) {
        self.ledger.apply(Change::KeepCall(call));
    }

    /// Puts a short message into the ledger. Sums are read anew by [`Rehearsal::history_added`].
    pub fn add_message(&mut self, message: SmsRecord) {
        self.ledger.apply(Change::KeepSms(message));
    }

    /// The carrier's own figure becomes known.
    ///
    /// # Errors
    /// See [`RehearsalError`].
    pub fn observe(&mut self, observation: Observation) -> Result<(), RehearsalError> {
        self.feed(Event::UsageObserved(observation))
    }

    /// Lets go of a SIM's usage before an instant, which no sum asks for any more.
    pub fn forget_usage(&mut self, iccid: &Iccid, before: Timestamp) {
        self.ledger.forget_usage(iccid, before);
    }
}
