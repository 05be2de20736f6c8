//! What a total is made of.

use crate::usage::UsageTotal;

named! {
    /// What one unbroken run of one counter counted for a SIM in one zone (an epoch), as far as it lies in the span.
    pub struct ExplainedRun {
        /// Its number in the ledger, growing; 0 for what was summed up from several when it was old, negative for what was
        /// imported.
        pub epoch: i64,
        /// The connection it belongs to; null where not known, as for what was imported.
        pub session: Option<i64>,
        /// By what: `kernel`, `modem` and so on.
        pub source: String,
        /// `home`, `roaming`, `roaming:MCCMNC` or `unknown`.
        pub zone: String,
        /// Access point name; null where not known.
        pub apn: Option<String>,
        /// Network interface; null where there is none.
        pub interface: Option<String>,
        /// Whose bearer: IMEI, or the device's path; null where not known.
        pub modem: Option<String>,
        /// Whether its date is only known to lie between two starts of the machine.
        pub about: bool,
        /// First instant measured, RFC 3339; null for what waits for its date.
        pub from: Option<String>,
        /// Last instant measured, RFC 3339; null for what waits for its date.
        pub until: Option<String>,
        /// Bytes received.
        pub rx_bytes: u64,
        /// Bytes sent.
        pub tx_bytes: u64,
    }

    /// A connection that touches the span: what the kernel and what ModemManager counted of it, whole, side by side.
    pub struct ExplainedSession {
        /// Its number: that of its first epoch.
        pub id: i64,
        /// Whose figures are in the ledger: `kernel` or `modem`.
        pub source: String,
        /// Whose bearer: IMEI, or the device's path; null where not known.
        pub modem: Option<String>,
        /// Access point name; null where not known.
        pub apn: Option<String>,
        /// Network interface; null where there is none.
        pub interface: Option<String>,
        /// When it began, RFC 3339; null where not known.
        pub began: Option<String>,
        /// When it ended, RFC 3339; null while it lasts, or where not known.
        pub ended: Option<String>,
        /// Whether it is over.
        pub over: bool,
        /// Bytes received, by the interface's counters; null where it has none.
        pub kernel_rx_bytes: Option<u64>,
        /// Bytes sent, by the interface's counters; null where it has none.
        pub kernel_tx_bytes: Option<u64>,
        /// Bytes received, by ModemManager; null where the modem does not tell.
        pub modem_rx_bytes: Option<u64>,
        /// Bytes sent, by ModemManager; null where the modem does not tell.
        pub modem_tx_bytes: Option<u64>,
        /// What the kernel counted more than ModemManager, both directions, signed; null where one is not known.
        pub difference_bytes: Option<i64>,
    }

    /// Something that could not be known.
    pub struct ExplainedGap {
        /// Whose; null where not known.
        pub iccid: Option<String>,
        /// Since when, RFC 3339; null where not known.
        pub from: Option<String>,
        /// Until when, RFC 3339; null where not known.
        pub until: Option<String>,
        /// Why, stable, for programs: `interface-vanished`, `rebooted` and so on.
        pub reason: String,
        /// Why, in words.
        pub text: String,
        /// Which interface or bearer, in words.
        pub detail: String,
    }

    /// A correction by a person: an entry of the ledger that is never changed, but can be taken back by another.
    pub struct ExplainedCorrection {
        /// Its number, growing.
        pub id: i64,
        /// At which instant it counts, RFC 3339.
        pub at: String,
        /// Signed bytes of both directions.
        pub bytes: i64,
        /// Who, such as `uid 1000`.
        pub author: String,
        /// Why, in the author's words.
        pub reason: String,
        /// The correction that it takes back; null for none.
        pub undoes: Option<i64>,
        /// The correction that takes it back; null for none.
        pub undone_by: Option<i64>,
    }

    /// The carrier's own figure for a cycle, beside what the plan bills of what was measured.
    pub struct ExplainedObservation {
        /// Its number, growing.
        pub id: i64,
        /// When it held, RFC 3339.
        pub at: String,
        /// Used in the cycle, as the carrier says.
        pub bytes: u64,
        /// Used in the cycle until then, as the plan bills what was measured, corrections included.
        pub billed_bytes: u64,
        /// What the carrier counts more than that, signed.
        pub difference_bytes: i64,
        /// How it came: `user`, `ussd` or `sms`.
        pub source: String,
        /// Who told it.
        pub author: String,
        /// In the author's words.
        pub note: String,
        /// The observation that it takes back; null for none.
        pub withdraws: Option<i64>,
        /// Whether another takes it back.
        pub withdrawn: bool,
    }

    /// What all parts add up to, on this page or not.
    #[derive(Default)]
    pub struct ExplainSum {
        /// Bytes received, of every run.
        pub rx_bytes: u64,
        /// Bytes sent, of every run.
        pub tx_bytes: u64,
        /// Of every correction, signed.
        pub correction_bytes: i64,
        /// All of it together, signed.
        pub bytes: i64,
        /// Of what waits for its date, both directions: in no span, and not in `bytes`.
        pub undated_bytes: u64,
    }

    /// Whose usage is explained, and in which span.
    pub struct ExplainSpan {
        /// Whose.
        pub iccid: String,
        /// The name the configuration gives it; null where it gives none.
        pub name: Option<String>,
        /// From, included, RFC 3339.
        pub start: String,
        /// Until, excluded, RFC 3339.
        pub end: String,
        /// Whether it is the billing cycle of now.
        pub cycle: bool,
        /// What the plan bills in that cycle, corrections included; null for another span, and without a plan.
        pub billed_bytes: Option<u64>,
        /// Access points whose connections are not counted, as configured now.
        #[serde(default)]
        pub uncounted_apns: Vec<String>,
    }
}

inline! {
    /// What is to be explained.
    #[derive(Default)]
    pub struct ExplainUsageParams {
        /// Name or ICCID; null where there is only one.
        #[serde(default)]
        pub sim: Option<String>,
        /// From, included: RFC 3339, or an ISO 8601 date in the plan's zone; null for the beginning of the cycle. Usage is
        /// kept by the hour: of an instant within one the whole hour counts.
        #[serde(default)]
        pub from: Option<String>,
        /// Until, excluded, likewise; null for the end of `day` or `cycle`, or now.
        #[serde(default)]
        pub to: Option<String>,
        /// This day of the plan's zone, ISO 8601; not beside `from`, `to` or `cycle`.
        #[serde(default)]
        pub day: Option<String>,
        /// The billing cycle that this day lies in, ISO 8601; not beside `from`, `to` or `day`.
        #[serde(default)]
        pub cycle: Option<String>,
        /// The `next` of the page before; null for the first page.
        #[serde(default)]
        pub after: Option<String>,
        /// At most so many parts; the service may give fewer. Null for as many as fit.
        #[serde(default)]
        pub limit: Option<u32>,
    }

    /// One page of what a total is made of. `runs` and `corrections` add up to `total`; the rest is to be known beside.
    pub struct ExplainPage {
        /// Whose, and when.
        pub span: ExplainSpan,
        /// What each run of a counter counted in the span.
        pub runs: Vec<ExplainedRun>,
        /// Corrections that count in the span.
        pub corrections: Vec<ExplainedCorrection>,
        /// What could not be known.
        pub gaps: Vec<ExplainedGap>,
        /// Connections that touch the span, whole.
        pub sessions: Vec<ExplainedSession>,
        /// The carrier's own figures, told in the span.
        pub observations: Vec<ExplainedObservation>,
        /// What was measured before the clock was trusted, and waits for its date.
        pub undated: Vec<ExplainedRun>,
        /// What all parts add up to, on this page or not.
        pub sum: ExplainSum,
        /// The total that `GetUsage` tells for the same span, taken by itself.
        pub total: UsageTotal,
        /// Whether `sum` is `total`, to the byte; of all pages joined by `simbellctl`, also whether the parts listed are.
        pub adds_up: bool,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }
}

impl ExplainPage {
    /// Takes the page that follows in; says whether it tells of the same moment.
    pub(crate) fn join(&mut self, page: Self) -> bool {
        let steady = self.sum == page.sum && self.total == page.total;
        self.runs.extend(page.runs);
        self.corrections.extend(page.corrections);
        self.gaps.extend(page.gaps);
        self.sessions.extend(page.sessions);
        self.observations.extend(page.observations);
        self.undated.extend(page.undated);
        self.adds_up &= page.adds_up;
        self.next = page.next;
        steady
    }

    /// Adds up what is listed on all pages joined: `adds_up` then tells of the parts themselves, not only of `sum`.
    pub(crate) fn check(&mut self) {
        let listed = |pick: fn(&ExplainedRun) -> u64| {
            self.runs.iter().try_fold(0_u64, |sum, run| sum.checked_add(pick(run)))
        };
        let corrected =
            self.corrections.iter().try_fold(0_i64, |sum, correction| sum.checked_add(correction.bytes));
        self.adds_up &= listed(|run| run.rx_bytes) == Some(self.total.rx_bytes)
            && listed(|run| run.tx_bytes) == Some(self.total.tx_bytes)
            && corrected == Some(self.total.correction_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rx_bytes: u64) -> ExplainPage {
        let run = ExplainedRun {
            epoch: 1,
            session: None,
            source: "kernel".into(),
            zone: "home".into(),
            apn: None,
            interface: None,
            modem: None,
            about: false,
            from: None,
            until: None,
            rx_bytes,
            tx_bytes: 1,
        };
        let span = ExplainSpan {
            iccid: "8900100000000000017".into(),
            name: None,
            start: "2026-11-22T00:00:00Z".into(),
            end: "2026-11-23T00:00:00Z".into(),
            cycle: false,
            billed_bytes: None,
            uncounted_apns: vec![],
        };
        ExplainPage {
            span,
            runs: vec![run],
            corrections: vec![],
            gaps: vec![],
            sessions: vec![],
            observations: vec![],
            undated: vec![],
            sum: ExplainSum { rx_bytes: 30, tx_bytes: 2, correction_bytes: 0, bytes: 32, undated_bytes: 0 },
            total: UsageTotal { rx_bytes: 30, tx_bytes: 2, ..UsageTotal::default() },
            adds_up: true,
            next: None,
        }
    }

    #[test]
    fn what_is_listed_is_added_up_again() {
        let mut whole = page(10);
        assert!(whole.join(page(20)));
        whole.check();
        assert!(whole.adds_up);
        let mut short = page(10);
        assert!(short.join(page(19)));
        short.check();
        assert!(!short.adds_up, "a byte is missing in the parts");
        let mut moved = page(10);
        let mut later = page(20);
        later.sum.rx_bytes += 5;
        assert!(!moved.join(later), "counters moved between the pages");
    }
}
