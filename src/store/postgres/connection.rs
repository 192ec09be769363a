//! Connections: what is set on each, and which servers are refused.

use diesel::{
    PgConnection,
    connection::SimpleConnection,
    sql_types::{Bool, Integer, Text},
};

use super::{
    errors::Failure,
    session::{Session, check_settings, only_schema},
    tables,
};
use crate::{
    libpq,
    store::{
        StoreError,
        sql::{Sql, row},
    },
};

/// Opens a connection and sets it up, within the time that it may take.
pub(super) fn connect(url: &str, session: &Session) -> Result<PgConnection, StoreError> {
    Ok(libpq::connect(url, &session.setup())?)
}

/// What a checked connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Everything that a node does.
    Write,
    /// Reading only: a standby will do.
    Read,
}

/// A connection to a server on which every promise can be kept, set to the schema that has the tables, or will
/// have them.
pub(super) struct Checked {
    /// The connection, which uses that schema.
    pub connection: PgConnection,
    /// The setup for further connections.
    pub session: Session,
}

/// Opens a connection, and refuses a server, or a way to it, on which a promise could not be kept.
pub(super) fn connect_checked(url: &str, purpose: Purpose) -> Result<Checked, StoreError> {
    let shown = libpq::shown(url);
    let mut session = Session { reads_only: purpose == Purpose::Read, ..Session::FIRST };
    let mut connection = connect(url, &session)?;
    libpq::refuse_pooler(&mut connection, url, &session.setup())?;
    refuse_server(&mut connection, purpose, &shown)?;
    check_settings(&mut connection)?;
    let schema = tables::place(&mut connection)?;
    connection.batch_execute(&only_schema(&schema)).map_err(Failure::from)?;
    session.schema = Some(schema);
    Ok(Checked { connection, session })
}

fn refuse_server(connection: &mut PgConnection, purpose: Purpose, shown: &str) -> Result<(), StoreError> {
    let facts: Option<(bool, i32, String, bool)> =
        row::<Facts, _, _>(connection, &[]).map_err(Failure::from)?;
    let (replica, version, encoding, durable) = facts.unwrap_or_default();
    if version < OLDEST {
        return Err(StoreError::BadUrl(format!(
            "'{shown}' is PostgreSQL {}: 12 or later is needed",
            version / 10_000
        )));
    }
    if replica && purpose == Purpose::Write {
        return Err(StoreError::BadUrl(format!(
            "'{shown}' is a read-only replica: name the primary server, for example with \
             target_session_attrs=read-write and all hosts in the URL"
        )));
    }
    if replica {
        log::warn!(
            "{shown} is a standby: what the primary server stored last may not have arrived there yet"
        );
    }
    if encoding != "UTF8" {
        return Err(StoreError::BadUrl(format!(
            "the encoding of '{shown}' is {encoding}: make a database with ENCODING 'UTF8'"
        )));
    }
    if !durable && purpose == Purpose::Write {
        log::warn!(
            "{shown} runs with fsync or full_page_writes off: a power cut can undo signatures that were already read"
        );
    }
    Ok(())
}

const OLDEST: i32 = 120_000;

struct Facts;
impl Sql for Facts {
    const TEXT: &'static str = "SELECT pg_is_in_recovery(), current_setting('server_version_num')::integer, \
         current_setting('server_encoding'), \
         current_setting('fsync')::boolean AND current_setting('full_page_writes')::boolean";
    type Columns = (Bool, Integer, Text, Bool);
}
