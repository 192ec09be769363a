//! What lookups and pages cost in a database in which much is signed, and a lease in one in which much is open.

use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query,
    sql_types::Text,
};
use support::postgres::Cluster;

use super::{
    super::{
        leases::{LeastRecentlyUsed, MayLease},
        migrate,
        reading::SignedBetween,
    },
    *,
};

/// 20,008 batches of one record each: so many are signed, the next three are leased, and the others are open. One of
/// the keys has a limit of signatures.
fn much(signed: u32) -> String {
    let leased = signed + 3;
    format!(
        "ALTER TABLE batch DISABLE TRIGGER USER; ALTER TABLE signature DISABLE TRIGGER USER; \
        INSERT INTO record (external_id, payload) SELECT 'name ' || n, 'x' FROM generate_series(1, 20010) AS n; \
        INSERT INTO signing_key (fingerprint, public_key, bits, custody, sealed_key, max_signatures) \
            SELECT lpad(to_hex(n), 64, '0'), '\\x00', 2048, 'database', '\\x00', CASE n WHEN 1 THEN 30000 END FROM generate_series(1, 20) AS n; \
        INSERT INTO node (name, lease_until, lease_ttl, custodians) VALUES ('n', now(), 1, ''); \
        INSERT INTO batch (id, first_record, last_record, runs, record_count, state, epoch, key_id, node_id, scheme, \
            leased_at, signed_at) \
            SELECT n, n, n, n, 1, \
                CASE WHEN n <= {signed} THEN 'signed' WHEN n <= {leased} THEN 'leased' ELSE 'open' END, 1, \
                CASE WHEN n <= {leased} THEN n % 20 + 1 END, CASE WHEN n > {signed} AND n <= {leased} THEN 1 END, \
                CASE WHEN n <= {leased} THEN 'PS256' END, CASE WHEN n <= {leased} THEN now() END, \
                CASE WHEN n <= {signed} THEN now() END FROM generate_series(1, 20008) AS n; \
        INSERT INTO signature SELECT n, n, '\\x00' FROM generate_series(1, {signed}) AS n"
    )
}

/// All statements, with values that find something.
const STATEMENTS: [(&str, &[&str]); 12] = [
    (RecordById::TEXT, &["1", "7"]),
    (RecordByName::TEXT, &["1", "'name 7'"]),
    (UnsignedAround::TEXT, &["20005"]),
    (UnsignedAround::TEXT, &["20010"]),
    (OneBatch::TEXT, &["7"]),
    (Latest::TEXT, &["20009", "10"]),
    (LatestOpen::TEXT, &["20009", "10"]),
    (LatestLeased::TEXT, &["20009", "10"]),
    (LatestSigned::TEXT, &["20009", "10"]),
    (KeyNamed::TEXT, &["'0000000000000000000000000000000000000000000000000000000000000007'"]),
    (KeysByUse::TEXT, &["NULL::text", "NULL::text", "-1", "0", "10"]),
    (Oldest::TEXT, &[]),
];

/// The most pages of 8 KiB that a lookup may read. A table of these has hundreds.
const PAGES_AT_MOST: u64 = 60;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

#[test]
fn no_lookup_reads_more_because_more_is_signed() {
    read_few_pages("lookups", &much(20_000), &STATEMENTS);
}

#[test]
fn no_lease_reads_more_because_more_is_open() {
    let statements: [(&str, &[&str]); 2] =
        [(MayLease::TEXT, &["1"]), (LeastRecentlyUsed::TEXT, &["'[\"database\"]'", "8"])];
    read_few_pages("leases", &much(0), &statements);
}

/// The server keeps a plan that it made while little was signed, until the table is analyzed.
#[test]
fn no_page_of_signatures_reads_more_because_more_was_signed_since_it_was_planned() {
    let url = Cluster::shared().database("pages");
    migrate(&url).unwrap();
    let mut connection = PgConnection::establish(&url).unwrap();
    let mut run = |text: &str| connection.batch_execute(text).unwrap();
    run("ALTER TABLE signature DISABLE TRIGGER USER; ALTER TABLE signature SET (autovacuum_enabled = off); \
         INSERT INTO record (payload) SELECT decode(repeat('00', 256), 'hex') FROM generate_series(1, 100000); ANALYZE record");
    let sign = |first: u32, last: u32| {
        format!(
            "INSERT INTO signature SELECT n, 1, decode(repeat('00', 256), 'hex') FROM generate_series({first}, {last}) AS n"
        )
    };
    run(&sign(1, 1000));
    let numbered =
        (1..=5).fold(SignedBetween::TEXT.to_owned(), |text, n| text.replacen('?', &format!("${n}"), 1));
    run(&format!(
        "SET plan_cache_mode = force_generic_plan; PREPARE page (bigint, bigint, bigint, bigint, bigint) AS {numbered}"
    ));
    run("EXECUTE page (1, 1000, 1, 1000, 1000)");
    run(&sign(1001, 100_000));
    let explained = "EXPLAIN (ANALYZE, BUFFERS) EXECUTE page (90001, 91000, 90001, 91000, 1000)";
    let plan = sql_query(explained).load::<Line>(&mut connection).unwrap();
    let plan: Vec<_> = plan.into_iter().map(|line| line.line).collect();
    assert!(pages(&plan) <= 200, "{}", plan.join("\n"));
}

/// Fails if a statement, with these values, reads more than [`PAGES_AT_MOST`] of a database that `fill` has filled.
fn read_few_pages(name: &str, fill: &str, statements: &[(&str, &[&str])]) {
    let url = Cluster::shared().database(name);
    migrate(&url).unwrap();
    let store = PostgresStore::open(&url, 1, &[]).unwrap();
    store.query(|connection| Ok(connection.batch_execute(fill)?)).unwrap();
    for is_analyzed in [false, true] {
        if is_analyzed {
            store.query(|connection| Ok(connection.batch_execute("ANALYZE")?)).unwrap();
        }
        for (text, values) in statements {
            let mut explained = "EXPLAIN (ANALYZE, BUFFERS) ".to_owned();
            let mut values = values.iter();
            for part in text.split_inclusive('?') {
                explained.push_str(part.trim_end_matches('?'));
                if part.ends_with('?') {
                    explained.push_str(values.next().unwrap());
                }
            }
            let plan =
                store.lookup(|connection| Ok(sql_query(&explained).load::<Line>(connection)?)).unwrap();
            let plan: Vec<_> = plan.into_iter().map(|line| line.line).collect();
            assert!(pages(&plan) <= PAGES_AT_MOST, "{is_analyzed} {explained}\n{}", plan.join("\n"));
        }
    }
}

/// The pages that a plan read, which the first such line says of the whole plan.
fn pages(plan: &[String]) -> u64 {
    let line = plan.iter().find(|line| line.contains("Buffers: shared")).unwrap();
    let counts = line.split(' ').filter_map(|word| word.split_once('='));
    counts.filter(|(what, _)| ["hit", "read"].contains(what)).map(|(_, n)| n.parse::<u64>().unwrap()).sum()
}
