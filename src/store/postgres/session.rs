//! What the connections of a store set.

use diesel::{PgConnection, sql_types::Text};

use super::errors::Failure;
use crate::{
    libpq::ALWAYS,
    store::{
        StoreError,
        sql::{Sql, rows},
    },
};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Short transactions.
    Short,
    /// Finding few rows, while others sign.
    Lookup,
    /// Reading at length, for as long as it takes.
    Reader,
    /// Checking, migrating, listening: what is done once.
    Once,
}

/// How a connection is set up.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// What it is for.
    pub role: Role,
    /// Where the tables are, once that is known.
    pub schema: Option<String>,
    /// Whether nothing is to be written.
    pub reads_only: bool,
}

impl Session {
    /// The session before the schema of the tables is known.
    pub(super) const FIRST: Self = Self { role: Role::Once, schema: None, reads_only: false };

    /// The same session for another role.
    pub(super) fn of(&self, role: Role) -> Self {
        Self { role, ..self.clone() }
    }

    /// The statements that set it up, in one round trip. The statement timeout comes first, because a timeout
    /// of a few milliseconds would end the other statements.
    pub(super) fn setup(&self) -> String {
        let mut setup = ALWAYS.to_owned();
        if matches!(self.role, Role::Short | Role::Lookup) {
            setup.push_str(SHORT);
        }
        if self.role == Role::Lookup {
            setup.push_str(IN_ORDER);
        }
        if self.reads_only {
            setup.push_str("; SET default_transaction_read_only = on");
        }
        if let Some(schema) = &self.schema {
            setup.push_str("; ");
            setup.push_str(&only_schema(schema));
        }
        setup
    }
}

/// Names are looked up in one schema and nowhere else: a temporary table of the same name, which would
/// come first otherwise, comes last.
pub(super) fn only_schema(schema: &str) -> String {
    format!("SET search_path = \"{}\", pg_temp", schema.replace('"', "\"\""))
}

/// A short statement that takes longer than this hangs. Each touches few rows, and all of them have an index.
/// But a cached plan that was made while a table was small would later read the whole table: at one record per
/// batch, signing was four times as slow for the first minute.
const SHORT: &str = "; SET statement_timeout = '30s'; \
    SET enable_seqscan = off; \
    SET enable_hashjoin = off; \
    SET enable_mergejoin = off";

/// A page of rows is read in the order of an index, up to its end. A server that believes that few rows match would
/// otherwise collect all of them and sort them: before the first ANALYZE it read every signed batch for one page.
const IN_ORDER: &str = "; SET enable_bitmapscan = off";

/// Refuses a session in which a setting that only a superuser may change has a wrong value.
pub(super) fn check_settings(connection: &mut PgConnection) -> Result<(), Failure> {
    let wrong: Vec<String> = rows::<WrongSettings, _, _>(connection, &[])?;
    match wrong.first() {
        None => Ok(()),
        Some(setting) => {
            Err(StoreError::Unusable(format!("{setting}, which only a superuser can change")).into())
        }
    }
}

/// With these settings triggers do not run, or damaged pages read as empty ones.
struct WrongSettings;
impl Sql for WrongSettings {
    const TEXT: &'static str = "SELECT format('the setting %s is %s (from: %s) and must be %s', name, setting, source, wanted) \
         FROM pg_settings JOIN (VALUES ('session_replication_role', 'origin'), ('zero_damaged_pages', 'off'), \
         ('ignore_checksum_failure', 'off')) AS must (must_name, wanted) ON name = must_name WHERE setting <> wanted";
    type Columns = Text;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_of_statements_comes_first_and_the_schema_is_quoted() {
        let session = Session { schema: Some("a\"b c".to_owned()), ..Session::FIRST }.of(Role::Short);
        let setup = session.setup();
        assert!(setup.starts_with("SET statement_timeout = 0; "), "{setup}");
        assert!(setup.ends_with("SET search_path = \"a\"\"b c\", pg_temp"), "{setup}");
    }
}
