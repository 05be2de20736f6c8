//! Usage that another program measured.

named! {
    /// One row to be taken in.
    pub struct ImportedRow {
        /// Its beginning in local time of the machine, whatever the zone of the SIM's plan, such as `2026-11-01T00:00`.
        pub start: String,
        /// How long it is: `hour`, `day`, `month` or `year`.
        pub span: String,
        /// Where it ends before that, in local time: of what a longer row says beyond the shorter ones; null otherwise.
        #[serde(default)]
        pub until: Option<String>,
        /// Bytes received.
        pub rx_bytes: u64,
        /// Bytes sent.
        pub tx_bytes: u64,
    }
}

named! {
    /// A cycle that persons corrected, and that rows change.
    pub struct CorrectedCycle {
        /// From, RFC 3339.
        pub start: String,
        /// Until, excluded, RFC 3339; null for no end.
        pub end: Option<String>,
        /// Whether it is the SIM's cycle now, whose usage can be set anew.
        pub current: bool,
        /// Sum of the corrections that count in it, signed bytes.
        pub correction_bytes: i64,
        /// When the newest of them counts, RFC 3339.
        pub corrected_at: String,
        /// Bytes used in it before, corrections included; never below 0.
        pub before_bytes: u64,
        /// Bytes used in it with the rows, or without those that are taken out. Of a call that changes nothing, with the
        /// rows of that call alone.
        pub bytes: u64,
    }
}

inline! {
    /// Rows to be taken in.
    pub struct ImportUsageParams {
        /// Name or ICCID; null where there is only one.
        #[serde(default)]
        pub sim: Option<String>,
        /// The interface they were measured at.
        pub interface: String,
        /// The rows, oldest first; as many as a call can hold.
        pub rows: Vec<ImportedRow>,
        /// Whether only to say what would become of them.
        #[serde(default)]
        pub dry_run: Option<bool>,
    }

    /// Which import to take out again.
    pub struct UndoImportParams {
        /// Name or ICCID; null where there is only one.
        #[serde(default)]
        pub sim: Option<String>,
        /// The interface it was measured at.
        pub interface: String,
    }

    /// What became of rows.
    pub struct ImportReply {
        /// Whose usage.
        pub iccid: String,
        /// Rows taken in, or out.
        pub rows: u64,
        /// Bytes received in them.
        pub rx_bytes: u64,
        /// Bytes sent in them.
        pub tx_bytes: u64,
        /// Rows left out, since the ledger has entries of that time; by `simbellctl` also parts of rows of which nothing tells
        /// when they passed.
        pub left_out_rows: u64,
        /// Bytes received in those.
        pub left_out_rx_bytes: u64,
        /// Bytes sent in those.
        pub left_out_tx_bytes: u64,
        /// Rows left out, since they cannot be: of a time before 1990 or still to come, or of more than any network carries.
        #[serde(default)]
        pub impossible_rows: u64,
        /// Cycles that persons corrected and that the rows change, oldest first: a figure that was set there is off by as
        /// much. Null where there are none.
        #[serde(default)]
        pub corrected: Option<Vec<CorrectedCycle>>,
    }
}
