//! Calls and short messages, row by row. Numbers are never told: only what kind they are.

named! {
    /// Calls of one SIM in one hour, day or cycle, that went one way to or from one kind of number, in one zone.
    pub struct CallsRow {
        /// Whose.
        pub iccid: String,
        /// From, RFC 3339. A call counts where it began.
        pub start: String,
        /// Until, excluded, RFC 3339.
        pub end: String,
        /// `made` or `taken`.
        pub direction: String,
        /// `emergency`, `free` (by the configuration), `toll-free`, `short`, `national`, `international`, `premium`,
        /// `withheld` or `unknown`.
        pub number_class: String,
        /// `home`, `roaming`, `roaming:MCCMNC` or `unknown`, as the call began.
        pub zone: String,
        /// Calls that were answered.
        pub answered: u64,
        /// Calls that were not: missed, refused, given up.
        pub unanswered: u64,
        /// Of all these, calls whose end nobody saw.
        pub end_unknown: u64,
        /// Of all these, calls that are under way.
        pub under_way: u64,
        /// Seconds connected, held time included, each call rounded up: at most so many.
        pub seconds: u64,
        /// At least so many; the same where nothing was missed.
        pub seconds_min: u64,
    }

    /// Sums of calls, those under way included.
    #[derive(Default)]
    pub struct CallsTotal {
        /// Calls made that were answered.
        pub made: u64,
        /// Calls made that were not.
        pub unanswered: u64,
        /// Seconds of calls made, at most.
        pub made_seconds: u64,
        /// Seconds of calls made, at least.
        pub made_seconds_min: u64,
        /// Of `made_seconds`, those to numbers that cost nothing: emergency, toll-free, free by the configuration.
        pub made_free_seconds: u64,
        /// Of `made_seconds`, those while roaming.
        pub made_roaming_seconds: u64,
        /// Calls taken.
        pub taken: u64,
        /// Calls not taken.
        pub missed: u64,
        /// Seconds of calls taken, at most.
        pub taken_seconds: u64,
        /// Seconds of calls taken, at least.
        pub taken_seconds_min: u64,
        /// Of `taken_seconds`, those while roaming.
        pub taken_roaming_seconds: u64,
        /// Calls whose end nobody saw.
        pub end_unknown: u64,
    }

    /// Messages of one SIM in one hour, day or cycle, that went one way in one zone.
    pub struct MessagesRow {
        /// Whose.
        pub iccid: String,
        /// From, RFC 3339.
        pub start: String,
        /// Until, excluded, RFC 3339.
        pub end: String,
        /// `sent`, `received`, `failed`, or `unknown` where nobody knows whether it left.
        pub direction: String,
        /// `home`, `roaming`, `roaming:MCCMNC` or `unknown`.
        pub zone: String,
        /// Messages.
        pub messages: u64,
        /// Their parts: each one sent is charged.
        pub parts: u64,
        /// To how many recipients; 0 for messages received.
        pub recipients: u64,
    }

    /// Sums of messages.
    #[derive(Default)]
    pub struct MessagesTotal {
        /// Messages sent.
        pub sent: u64,
        /// Their parts.
        pub sent_parts: u64,
        /// Of `sent_parts`, those while roaming.
        pub sent_roaming_parts: u64,
        /// To how many recipients.
        pub recipients: u64,
        /// Messages received.
        pub received: u64,
        /// Their parts, as their texts take them.
        pub received_parts: u64,
        /// Messages that did not leave.
        pub failed: u64,
        /// Messages of which nobody knows whether they left.
        pub unknown: u64,
    }
}

inline! {
    /// One page of calls, oldest first.
    pub struct CallsPage {
        /// The rows.
        pub rows: Vec<CallsRow>,
        /// The sum over everything asked for, not only over this page.
        pub total: CallsTotal,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }

    /// One page of messages, oldest first.
    pub struct MessagesPage {
        /// The rows.
        pub rows: Vec<MessagesRow>,
        /// The sum over everything asked for, not only over this page.
        pub total: MessagesTotal,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }
}
