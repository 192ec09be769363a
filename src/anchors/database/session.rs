//! One connection to the database of an anchor, and what it is asked. Every SQL text about anchors is here.

use diesel::{
    Connection, PgConnection, QueryResult, QueryableByName, RunQueryDsl,
    connection::SimpleConnection,
    pg::Pg,
    query_builder::{AstPass, QueryFragment, QueryId},
    result::{DatabaseErrorKind, Error},
    sql_query,
    sql_types::{Array, BigInt, Bool, Integer, Text},
};

use crate::{
    anchors::line::MAX_LENGTH,
    libpq::{self, ConnectError, one_line},
};

/// What makes the table. Its rows are only added: a role that may SELECT and INSERT, and is not the owner, cannot change or
/// remove what was written.
pub(super) const STATEMENTS: &str = "CREATE TABLE signwave_anchor (name text, generation bigint, line bigint, text text NOT NULL, \
     PRIMARY KEY (name, generation, line)); \
     CREATE FUNCTION signwave_anchor_keep() RETURNS trigger LANGUAGE plpgsql AS \
     'BEGIN RAISE EXCEPTION ''signwave: what an anchor says is never changed''; END'; \
     CREATE TRIGGER signwave_anchor_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON signwave_anchor \
     FOR EACH STATEMENT EXECUTE FUNCTION signwave_anchor_keep()";

/// What a connection sets beyond [`libpq::ALWAYS`]. The server ends the session of a client that is gone within half a minute,
/// because that session holds the lock of its anchor. Statements have no timeout on the server: where lines wait for a
/// synchronous standby, it would end the wait as if they had arrived there.
const SETUP: &str =
    "; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

/// A connection.
pub(super) struct Session {
    connection: PgConnection,
    backend: Backend,
}

/// A process of the server, which serves one connection.
#[derive(Clone, Debug, QueryableByName)]
pub(super) struct Backend {
    #[diesel(sql_type = Integer)]
    pid: i32,
    /// When it was started, because numbers of processes are used again.
    #[diesel(sql_type = Text)]
    started: String,
}

/// A line with its number.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub(super) struct Row {
    /// Counted from 1.
    #[diesel(sql_type = BigInt)]
    pub line: i64,
    /// Without LF.
    #[diesel(sql_type = Text)]
    pub text: String,
}

/// Which lines belong together.
#[derive(Clone, Debug)]
pub(super) struct Generation {
    /// The name of the anchor.
    pub name: String,
    /// The incarnation of the ledger.
    pub number: i64,
}

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The connection could not be made, or was lost.
    Away(String),
    /// The server refuses. A person may have to change something.
    Refused(String),
}

impl Unanswered {
    /// An earlier question had no answer.
    pub(super) fn gone() -> Self {
        Self::Away("the connection was lost".to_owned())
    }
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        use DatabaseErrorKind::{ClosedConnection, UnableToSendCommand};
        let text = one_line(&error.to_string());
        match error {
            Error::DatabaseError(ClosedConnection | UnableToSendCommand, _)
            | Error::BrokenTransactionManager => Self::Away(text),
            _ => Self::Refused(text),
        }
    }
}

impl From<ConnectError> for Unanswered {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Unavailable(text) => Self::Away(text),
            ConnectError::Denied(text) | ConnectError::BadUrl(text) => Self::Refused(text),
        }
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    is_so: bool,
}

impl Session {
    /// Connects to a server.
    pub(super) fn connect(url: &str) -> Result<Self, Unanswered> {
        let mut connection = libpq::connect(url, &setup())?;
        let backend = sql_query(
            "SELECT pid, backend_start::text AS started FROM pg_stat_activity WHERE pid = pg_backend_pid()",
        );
        let backend = backend.get_result(&mut connection)?;
        Ok(Self { connection, backend })
    }

    /// Refuses a pooler that would lose the lock.
    pub(super) fn refuse_pooler(&mut self, url: &str) -> Result<(), Unanswered> {
        Ok(libpq::refuse_pooler(&mut self.connection, url, &setup())?)
    }

    /// The process that serves it.
    pub(super) fn backend(&self) -> Backend {
        self.backend.clone()
    }

    /// Ends an earlier session of this process, of whose end the server may not know. If it is at work, it finishes or is
    /// undone before its lock is free.
    pub(super) fn end(&mut self, earlier: &Backend) -> Result<(), Unanswered> {
        let end = sql_query(
            "SELECT count(pg_terminate_backend(pid)) AS number FROM pg_stat_activity \
             WHERE pid = $1 AND backend_start::text = $2",
        );
        let end = end.bind::<Integer, _>(earlier.pid).bind::<Text, _>(&earlier.started);
        end.get_result::<Number>(&mut self.connection)?;
        Ok(())
    }

    /// Whether somebody opens anchors for the records in this database. See [`crate::anchors::mark_of`].
    pub(super) fn is_marked(&mut self, mark: i64) -> Result<bool, Unanswered> {
        let marked = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             AND (classid::bigint << 32 | objid::bigint) = $1) AS is_so";
        Ok(sql_query(marked).bind::<BigInt, _>(mark).get_result::<Answer>(&mut self.connection)?.is_so)
    }

    /// Whether there is a table for anchors.
    pub(super) fn has_table(&mut self) -> Result<bool, Unanswered> {
        let there = sql_query("SELECT to_regclass('signwave_anchor') IS NOT NULL AS is_so");
        Ok(there.get_result::<Answer>(&mut self.connection)?.is_so)
    }

    /// Makes the table, in one transaction, unless somebody else just has.
    pub(super) fn make_table(&mut self) -> Result<(), Unanswered> {
        match self.connection.batch_execute(STATEMENTS) {
            Err(error) if !self.has_table()? => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Takes the lock of an anchor, which is free when the session ends; `false` if another session has it.
    pub(super) fn lock(&mut self, name: &str) -> Result<bool, Unanswered> {
        let lock = "SELECT pg_try_advisory_lock(hashtextextended($1, 'signwave_anchor'::regclass::oid::bigint)) AS is_so";
        Ok(sql_query(lock).bind::<Text, _>(name).get_result::<Answer>(&mut self.connection)?.is_so)
    }

    /// The current generation of an anchor; `None` if there is no anchor of this name.
    pub(super) fn generation(&mut self, name: &str) -> Result<Option<Generation>, Unanswered> {
        let newest = "SELECT generation AS number FROM signwave_anchor WHERE name = $1 ORDER BY generation DESC LIMIT 1";
        let found: Vec<Number> = sql_query(newest).bind::<Text, _>(name).load(&mut self.connection)?;
        let found = found.into_iter().next();
        Ok(found.map(|Number { number }| Generation { name: name.to_owned(), number }))
    }

    /// The number of the last line; 0 if there is none.
    pub(super) fn last_line(&mut self, of: &Generation) -> Result<i64, Unanswered> {
        let last = "SELECT coalesce(max(line), 0) AS number FROM signwave_anchor WHERE name = $1 AND generation = $2";
        let last = sql_query(last).bind::<Text, _>(&of.name).bind::<BigInt, _>(of.number);
        Ok(last.get_result::<Number>(&mut self.connection)?.number)
    }

    /// At most so many lines, from the line `first` on.
    pub(super) fn lines_from(
        &mut self,
        of: &Generation,
        first: i64,
        at_most: usize,
    ) -> Result<Vec<Row>, Unanswered> {
        self.lines(of, "line >= $3 ORDER BY line", first, at_most)
    }

    /// At most so many lines before the line `end`, the last one first.
    pub(super) fn lines_before(
        &mut self,
        of: &Generation,
        end: i64,
        at_most: usize,
    ) -> Result<Vec<Row>, Unanswered> {
        self.lines(of, "line < $3 ORDER BY line DESC", end, at_most)
    }

    fn lines(
        &mut self,
        of: &Generation,
        which: &str,
        line: i64,
        at_most: usize,
    ) -> Result<Vec<Row>, Unanswered> {
        let text = format!(
            "SELECT line, left(text, {}) AS text FROM signwave_anchor \
             WHERE name = $1 AND generation = $2 AND {which} LIMIT $4",
            MAX_LENGTH + 1
        );
        let rows = sql_query(text).bind::<Text, _>(&of.name).bind::<BigInt, _>(of.number);
        let rows = rows.bind::<BigInt, _>(line).bind::<BigInt, _>(i64::try_from(at_most).unwrap_or(i64::MAX));
        Ok(rows.load(&mut self.connection)?)
    }

    /// Appends lines behind the line `after`: all of them, or none if there is another one at the number of one of them.
    pub(super) fn append(&mut self, to: &Generation, after: i64, lines: &[String]) -> Result<(), Unanswered> {
        Append { to, after, lines }.execute(&mut self.connection)?;
        Ok(())
    }

    /// Ends a generation with a line, and begins the next one with its first lines: both or neither.
    pub(super) fn succeed(
        &mut self,
        (earlier, after, last): (&Generation, i64, &str),
        (later, first): (&Generation, &[String]),
    ) -> Result<(), Unanswered> {
        self.connection.transaction::<_, Error, _>(|connection| {
            let last = [last.to_owned()];
            Append { to: earlier, after, lines: &last }.execute(connection)?;
            Append { to: later, after: 0, lines: first }.execute(connection)
        })?;
        Ok(())
    }
}

fn setup() -> String {
    format!("{}{SETUP}", libpq::ALWAYS)
}

/// A statement that appends lines. It is a type, because diesel prepares texts anew each time.
struct Append<'a> {
    to: &'a Generation,
    after: i64,
    lines: &'a [String],
}

impl QueryId for Append<'_> {
    type QueryId = Append<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Pg> for Append<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO signwave_anchor (name, generation, line, text) SELECT ");
        out.push_bind_param::<Text, _>(&self.to.name)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.to.number)?;
        out.push_sql(", number + ");
        out.push_bind_param::<BigInt, _>(&self.after)?;
        out.push_sql(", text FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(self.lines)?;
        out.push_sql(") WITH ORDINALITY AS lines (text, number)");
        Ok(())
    }
}

impl RunQueryDsl<PgConnection> for Append<'_> {}
