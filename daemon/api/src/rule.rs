//! Rules as loaded.

named! {
    /// One rule.
    pub struct Rule {
        /// Its name.
        pub name: String,
        /// Its file.
        pub file: String,
        /// Whether it came with the program or a plugin, rather than from rules.d.
        pub plugin: bool,
        /// One line of what it does.
        pub summary: String,
        /// What wakes it: `usage`, `schedule`, `sms`, `roaming`, `cycle-start`, `cycle-end`, `sim-change`, `modems`,
        /// `health`.
        pub triggers: Vec<String>,
        /// When it is due, in words, for `schedule`.
        pub schedules: Vec<String>,
        /// Whether it runs.
        pub enabled: bool,
        /// Why it does not run, with file, line and column; null when it does.
        pub problem: Option<String>,
        /// What is wrong with its file as it is now, where the version before runs on; null where nothing is.
        pub outdated: Option<String>,
        /// Whether it does not run because it failed again and again; `rules resume` takes it up again.
        pub suspended: bool,
        /// How many times it failed in a row, 0 for a rule that works.
        pub failures: u32,
        /// What it may have done: `send-sms`, `send-ussd`, `disconnect`.
        pub may: Vec<String>,
        /// How many times it was asked since the service began.
        pub evaluations: u64,
    }
}
