//! The ledger in SQLite: schema, migrations, one writer, queries
