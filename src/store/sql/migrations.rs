//! The migrations that are built in.

use diesel::{backend::Backend, migration::MigrationSource};

/// Each migration's version, as diesel stores it, and name, oldest first.
pub(in crate::store) fn known<DB: Backend>(source: &impl MigrationSource<DB>) -> Vec<(String, String)> {
    let migrations = source.migrations().unwrap_or_default();
    let mut known: Vec<_> =
        migrations.iter().map(|m| (m.name().version().to_string(), m.name().to_string())).collect();
    known.sort();
    known
}
