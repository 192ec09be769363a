//! The servers and the proxy that other tests rely on do what they claim to.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod network;
mod protocol;
mod servers;

use diesel::{
    Connection, PgConnection, QueryResult, QueryableByName, RunQueryDsl, sql_query, sql_types::Text,
};

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Text)]
    answer: String,
}

/// The one text that a query selects.
fn ask(connection: &mut PgConnection, query: &str) -> QueryResult<String> {
    let query = format!("SELECT ({query})::text AS answer");
    sql_query(query).get_result::<Answer>(connection).map(|row| row.answer)
}

fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn refusal(url: &str) -> String {
    PgConnection::establish(url).err().expect("it is refused").to_string()
}
