//! Fixed SQL texts with bound values, each prepared once per connection.
//!
//! Diesel prepares every UPDATE and every `sql_query` anew, which costs more than running them. A type per
//! statement lets diesel's cache recognise it.

use std::marker::PhantomData;

use diesel::{
    Connection, QueryResult, RunQueryDsl,
    backend::Backend,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    query_dsl::methods::{ExecuteDsl, LoadQuery},
    serialize::ToSql,
    sql_types::{BigInt, Binary, HasSqlType, Nullable, Text},
};

/// One SQL text, named by its type.
pub(in crate::store) trait Sql: 'static {
    /// The text, with a `?` for each value and nowhere else. For SQLite a limit is written `LIMIT +?`, because
    /// SQLite compiles a statement again for each value of a bare `LIMIT ?`, in search of a better plan.
    const TEXT: &'static str;
    /// The types of the columns that it returns; `()` for none.
    type Columns: 'static;
}

/// A value for a `?`.
#[derive(Clone, Copy)]
pub(in crate::store) enum Value<'a> {
    Integer(i64),
    OptionalInteger(Option<i64>),
    Text(&'a str),
    OptionalText(Option<&'a str>),
    Blob(&'a [u8]),
    OptionalBlob(Option<&'a [u8]>),
}

/// Runs a statement that returns nothing, and answers how many rows it changed.
pub(in crate::store) fn execute<'a, S: Sql, C>(
    connection: &mut C,
    values: &'a [Value<'a>],
) -> QueryResult<usize>
where
    C: Connection,
    Bound<'a, S>: ExecuteDsl<C>,
{
    bound::<S>(values).execute(connection)
}

/// Every row that a statement returns, which should be few.
pub(in crate::store) fn rows<'a, S: Sql, U, C>(
    connection: &mut C,
    values: &'a [Value<'a>],
) -> QueryResult<Vec<U>>
where
    Bound<'a, S>: LoadQuery<'a, C, U>,
{
    bound::<S>(values).load(connection)
}

/// The only row that a statement returns, if it returns one.
pub(in crate::store) fn row<'a, S: Sql, U, C>(
    connection: &mut C,
    values: &'a [Value<'a>],
) -> QueryResult<Option<U>>
where
    Bound<'a, S>: LoadQuery<'a, C, U>,
{
    Ok(rows::<S, U, C>(connection, values)?.into_iter().next())
}

/// A statement with its values, for a connection to run.
pub(in crate::store) fn bound<'a, S: Sql>(values: &'a [Value<'a>]) -> Bound<'a, S> {
    debug_assert_eq!(S::TEXT.matches('?').count(), values.len(), "{}", S::TEXT);
    Bound { values, sql: PhantomData }
}

/// See [`bound`].
pub(in crate::store) struct Bound<'a, S> {
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

impl<S: Sql, C> RunQueryDsl<C> for Bound<'_, S> {}

impl<S: Sql, DB> QueryFragment<DB> for Bound<'_, S>
where
    DB: Backend + HasSqlType<BigInt> + HasSqlType<Nullable<BigInt>>,
    DB: HasSqlType<Text> + HasSqlType<Nullable<Text>>,
    DB: HasSqlType<Binary> + HasSqlType<Nullable<Binary>>,
    i64: ToSql<BigInt, DB>,
    str: ToSql<Text, DB>,
    [u8]: ToSql<Binary, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut parts = S::TEXT.split('?');
        parts.next().into_iter().for_each(|part| out.push_sql(part));
        for (value, part) in self.values.iter().zip(parts) {
            match value {
                Value::Integer(value) => out.push_bind_param::<BigInt, _>(value)?,
                Value::OptionalInteger(value) => out.push_bind_param::<Nullable<BigInt>, _>(value)?,
                Value::Text(value) => out.push_bind_param::<Text, _>(value)?,
                Value::OptionalText(value) => out.push_bind_param::<Nullable<Text>, _>(value)?,
                Value::Blob(value) => out.push_bind_param::<Binary, _>(value)?,
                Value::OptionalBlob(value) => out.push_bind_param::<Nullable<Binary>, _>(value)?,
            }
            out.push_sql(part);
        }
        Ok(())
    }
}
