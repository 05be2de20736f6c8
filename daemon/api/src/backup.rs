//! Copies of the ledger.

named! {
    /// A copy of the ledger.
    pub struct Backup {
        /// Its name.
        pub name: String,
        /// When it was made, RFC 3339.
        pub made: String,
        /// Its size.
        pub bytes: u64,
        /// `daily` for the service's own, `asked` for a person's.
        pub occasion: String,
    }
}

inline! {
    /// A copy that was made.
    pub struct BackupReply {
        /// The copy.
        pub backup: Backup,
    }

    /// One page of copies, by name.
    pub struct BackupsPage {
        /// The copies.
        pub backups: Vec<Backup>,
        /// What to pass as `after` for the next page; null on the last.
        pub next: Option<String>,
    }

    /// Which copy.
    pub struct RestoreBackupParams {
        /// Its name.
        pub name: String,
    }

    /// What was done.
    pub struct RestoreReply {
        /// The copy that is the ledger now.
        pub name: String,
        /// The name, in the state directory, that the ledger before has now.
        pub set_aside: String,
        /// What holds of decisions about plugins where the copy knows others; null where it knows the same.
        pub note: Option<String>,
    }
}
