//! What was used, row by row.

named! {
    /// What one SIM used in one hour, day or cycle, in one zone, by one source; or a gap.
    pub struct UsageRow {
        /// Whose; null for a gap whose SIM is not known.
        pub iccid: Option<String>,
        /// From, RFC 3339; null where not known (before the clock was trusted).
        pub start: Option<String>,
        /// Until, excluded, RFC 3339; null where not known.
        pub end: Option<String>,
        /// `home`, `roaming`, `roaming:MCCMNC` or `unknown`.
        pub zone: String,
        /// Bytes received.
        pub rx_bytes: u64,
        /// Bytes sent.
        pub tx_bytes: u64,
        /// `kernel`, `modem`, `user` or `import`; null for a gap.
        pub source: Option<String>,
        /// A person's correction in bytes, signed, where `source` is `user`; null otherwise.
        pub correction_bytes: Option<i64>,
        /// Why something could not be known (`interface-vanished`, `rebooted` and so on); null for usage.
        pub gap: Option<String>,
    }

    /// The sum over everything asked for, not only over this page.
    #[derive(Default)]
    pub struct UsageTotal {
        /// Bytes received.
        pub rx_bytes: u64,
        /// Bytes sent.
        pub tx_bytes: u64,
        /// Sum of corrections, signed.
        pub correction_bytes: i64,
    }
}

inline! {
    /// One page of rows, oldest first.
    pub struct UsagePage {
        /// The rows.
        pub rows: Vec<UsageRow>,
        /// The sum over everything asked for.
        pub total: UsageTotal,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }

    /// What a correction did.
    pub struct UsageChange {
        /// Whose usage.
        pub iccid: String,
        /// Usage of the cycle before, bytes.
        pub before_bytes: u64,
        /// Usage of the cycle now, bytes.
        pub bytes: u64,
        /// The entry that was added, signed bytes.
        pub correction_bytes: i64,
    }
}
