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
        /// What wakes it: `usage`, `schedule`, `sms`, `roaming`, `health`.
        pub triggers: Vec<String>,
        /// When it is due, in words, for `schedule`.
        pub schedules: Vec<String>,
        /// Whether it runs.
        pub enabled: bool,
        /// Why it does not run, with file, line and column; null when it does.
        pub problem: Option<String>,
    }
}
