//! Fixed SQL texts with bound values, each prepared once per connection.
//!
//! Diesel prepares every UPDATE and every `sql_query` anew, which costs more than running them. A
//! type per statement lets its cache know them again.

use std::marker::PhantomData;

use diesel::{
    QueryResult, RunQueryDsl, SqliteConnection,
    connection::{DefaultLoadingMode, LoadConnection},
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    query_dsl::methods::LoadQuery,
    row::{Field, Row},
    sql_types::{BigInt, Binary, Nullable, Text},
    sqlite::Sqlite,
};

/// One SQL text, named by its type.
pub(super) trait Sql: 'static {
    /// The text, with a `?` for each value and nowhere else. A limit is written `LIMIT +?`: SQLite
    /// compiles a statement anew for each value of a bare `LIMIT ?`, in search of a better plan.
    const TEXT: &'static str;
    /// The types of the columns that it returns; `()` for none.
    type Columns: 'static;
}

/// A value for a `?`.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Integer(i64),
    Text(&'a str),
    OptionalText(Option<&'a str>),
    Blob(&'a [u8]),
}

/// Runs a statement that returns nothing, and answers how many rows it changed.
pub(super) fn execute<S: Sql>(connection: &mut SqliteConnection, values: &[Value<'_>]) -> QueryResult<usize> {
    bound::<S>(values).execute(connection)
}

/// Every row that a statement returns, which should be few.
pub(super) fn rows<'a, S: Sql, U>(
    connection: &mut SqliteConnection,
    values: &'a [Value<'a>],
) -> QueryResult<Vec<U>>
where
    Bound<'a, S>: LoadQuery<'a, SqliteConnection, U>,
{
    bound::<S>(values).load(connection)
}

/// The rows that a statement returns, one by one.
pub(super) fn iterate<'a, S: Sql, U: 'a>(
    connection: &'a mut SqliteConnection,
    values: &'a [Value<'a>],
) -> QueryResult<impl Iterator<Item = QueryResult<U>>>
where
    Bound<'a, S>: LoadQuery<'a, SqliteConnection, U>,
{
    bound::<S>(values).load_iter(connection)
}

/// The only row that a statement returns, if it returns one.
pub(super) fn row<'a, S: Sql, U>(
    connection: &mut SqliteConnection,
    values: &'a [Value<'a>],
) -> QueryResult<Option<U>>
where
    Bound<'a, S>: LoadQuery<'a, SqliteConnection, U>,
{
    bound::<S>(values).load_iter(connection)?.next().transpose()
}

/// Shows the rows of a statement that returns an id and bytes, one by one and without copying the
/// bytes, until the visitor says stop.
pub(super) fn each_blob<S: Sql<Columns = (BigInt, Binary)>>(
    connection: &mut SqliteConnection,
    values: &[Value<'_>],
    mut visit: impl FnMut(i64, &[u8]) -> std::ops::ControlFlow<()>,
) -> QueryResult<()> {
    for row in LoadConnection::<DefaultLoadingMode>::load(connection, bound::<S>(values))? {
        let row = row?;
        let (Some(id), Some(bytes)) = (Row::<Sqlite>::get(&row, 0), Row::<Sqlite>::get(&row, 1)) else {
            break;
        };
        let (Some(mut id), Some(mut bytes)) = (id.value(), bytes.value()) else { break };
        if visit(id.read_long(), bytes.read_blob()).is_break() {
            break;
        }
    }
    Ok(())
}

fn bound<'a, S: Sql>(values: &'a [Value<'a>]) -> Bound<'a, S> {
    debug_assert_eq!(S::TEXT.matches('?').count(), values.len(), "{}", S::TEXT);
    Bound { values, sql: PhantomData }
}

/// A statement with its values.
pub(super) struct Bound<'a, S> {
    values: &'a [Value<'a>],
    sql: PhantomData<S>,
}

impl<S: Sql> QueryId for Bound<'_, S> {
    type QueryId = S;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<S: Sql> Query for Bound<'_, S> {
    type SqlType = S::Columns;
}

impl<S: Sql> RunQueryDsl<SqliteConnection> for Bound<'_, S> {}

impl<S: Sql> QueryFragment<Sqlite> for Bound<'_, S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let mut parts = S::TEXT.split('?');
        parts.next().into_iter().for_each(|part| out.push_sql(part));
        for (value, part) in self.values.iter().zip(parts) {
            match value {
                Value::Integer(value) => out.push_bind_param::<BigInt, _>(value)?,
                Value::Text(value) => out.push_bind_param::<Text, _>(value)?,
                Value::OptionalText(value) => out.push_bind_param::<Nullable<Text>, _>(value)?,
                Value::Blob(value) => out.push_bind_param::<Binary, _>(value)?,
            }
            out.push_sql(part);
        }
        Ok(())
    }
}
