//! Usage in bulk: many rows a message, column by column.

use crate::usage::UsageTotal;

named! {
    /// One kind of rows.
    pub struct ExportKind {
        /// `home`, `roaming`, `roaming:MCCMNC` or `unknown`.
        pub zone: String,
        /// `kernel`, `modem`, `user` or `import`.
        pub source: String,
    }

    /// Rows of one kind and length, each of which begins where the one before it ends.
    pub struct ExportRun {
        /// The first instant of the first row, milliseconds since 1970 UTC.
        pub start_ms: i64,
        /// How long each row lasts, milliseconds.
        pub length_ms: i64,
        /// Place in `kinds`, counted from 0.
        pub kind: i64,
        /// How many rows.
        pub rows: i64,
    }

    /// A person's correction.
    pub struct ExportCorrection {
        /// At which instant it counts, RFC 3339.
        pub at: String,
        /// Signed bytes of both directions.
        pub bytes: i64,
        /// Who, such as `uid 1000`.
        pub author: String,
        /// Why, in the author's words.
        pub reason: String,
    }

    /// Something that could not be known.
    pub struct ExportGap {
        /// Since when, RFC 3339; null where not known.
        pub start: Option<String>,
        /// Until when, RFC 3339; null where not known.
        pub end: Option<String>,
        /// Such as `rebooted`.
        pub reason: String,
        /// Which interface or bearer, in words.
        pub detail: String,
    }
}

inline! {
    /// What is exported.
    #[derive(Default)]
    pub struct ExportUsageParams {
        /// Name or ICCID; null for every SIM.
        #[serde(default)]
        pub sim: Option<String>,
        /// `hour`, `day` or `cycle`.
        pub by: String,
        /// From, included: RFC 3339, or an ISO 8601 date in the plan's zone; null for everything there is. Usage is
        /// kept by the hour: of an instant within one the whole hour counts.
        #[serde(default)]
        pub from: Option<String>,
        /// Until, excluded, likewise; null for now.
        #[serde(default)]
        pub to: Option<String>,
    }

    /// Rows of one SIM, oldest first: when by runs, how much in two columns of equal length; then its corrections, then its gaps. Gaps of no known
    /// SIM come last.
    pub struct ExportPart {
        /// Whose; null for gaps of no known SIM.
        pub iccid: Option<String>,
        /// What the configuration calls it; its ICCID where it has no name.
        pub sim: Option<String>,
        /// Offset of the plan's zone from UTC at the start of every row, seconds east.
        pub start_offset: i64,
        /// The same at the end of every row.
        pub end_offset: i64,
        /// What kinds of rows there are.
        pub kinds: Vec<ExportKind>,
        /// When the rows were; the sum of their `rows` is the length of the columns.
        pub runs: Vec<ExportRun>,
        /// Bytes received.
        pub rx_bytes: Vec<u64>,
        /// Bytes sent.
        pub tx_bytes: Vec<u64>,
        /// Corrections.
        pub corrections: Vec<ExportCorrection>,
        /// Gaps.
        pub gaps: Vec<ExportGap>,
        /// The sum over everything exported, in the last part; null before.
        pub total: Option<UsageTotal>,
    }
}
