//! Channels as configured.

named! {
    /// One way a reminder can take.
    pub struct Channel {
        /// Its name.
        pub name: String,
        /// `email`, `ntfy`, `webhook`, `sms`, `desktop`, `journal`, or the name of a channel plugin.
        pub kind: String,
        /// Whether reminders take it unless their rule names others.
        pub is_default: bool,
        /// `ok`, `failing` or `unused` (not used since the service began).
        pub state: String,
        /// What went wrong last; null while it is well.
        pub last_error: Option<String>,
        /// When it last delivered, RFC 3339; null for never.
        pub last_delivered_at: Option<String>,
        /// At most so many a day; null for no cap.
        pub daily_cap: Option<u32>,
        /// Whether it may be used while its SIM roams.
        pub while_roaming: bool,
    }
}

inline! {
    /// How a test message fared.
    pub struct ChannelTest {
        /// `delivered`, `queued` (not yet known) or `failed`.
        pub state: String,
        /// What went wrong; null for nothing.
        pub error: Option<String>,
    }
}
