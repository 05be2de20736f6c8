//! Reminders and their deliveries.

named! {
    /// One reminder.
    pub struct Reminder {
        /// Its key, unique: what `ack` and `snooze` take.
        pub key: String,
        /// The rule that raised it.
        pub rule: String,
        /// ICCID of the SIM it is about; null for none.
        pub sim: Option<String>,
        /// Name of that SIM; null where it has none.
        pub sim_name: Option<String>,
        /// `pending`, `firing`, `acknowledged`, `snoozed` or `resolved`.
        pub state: String,
        /// `info`, `warning` or `critical`.
        pub urgency: String,
        /// What the reader is told.
        pub text: String,
        /// When it was raised, RFC 3339.
        pub raised_at: String,
        /// When it is said next, RFC 3339; null for not again.
        pub next_at: Option<String>,
        /// Until when it is snoozed, RFC 3339; null unless it is.
        pub snoozed_until: Option<String>,
        /// How many times it has been said since it was raised.
        pub occurrence: u32,
        /// How many seconds after its due time it was said; null when on time.
        pub late_seconds: Option<u64>,
        /// What became of the latest time it was said, channel by channel.
        pub deliveries: Vec<Delivery>,
    }

    /// One message on its way by one channel.
    pub struct Delivery {
        /// The channel.
        pub channel: String,
        /// `queued`, `sending`, `delivered`, `failed` or `suppressed`.
        pub state: String,
        /// How many times it was tried.
        pub attempts: u32,
        /// What went wrong last; null for nothing.
        pub last_error: Option<String>,
    }
}
