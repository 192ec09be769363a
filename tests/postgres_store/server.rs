//! Servers, and ways to them, on which a promise could not be kept.

use signwave::store::{self, StoreError};
use support::postgres::{Cluster, PASSWORD, USER, database_of};

use crate::{Database, migrate, parse, run};

fn refusal(url: &str) -> String {
    let error = store::open(&parse(url)).err().unwrap_or_else(|| panic!("{url} was opened"));
    let text = error.to_string();
    assert!(!text.contains(PASSWORD), "{text}");
    assert!(!text.contains('\n'), "one sentence: {text}");
    text
}

#[test]
fn a_read_only_replica_is_refused() {
    // A copy of the shared server would have the databases of all tests.
    let cluster = Cluster::start_with("fsync = off");
    let url = cluster.database("replicated");
    migrate(&url);
    let error = refusal(&cluster.replica().url(USER, database_of(&url)));
    assert!(error.contains("read-only replica"), "{error}");
}

#[test]
fn a_pooler_in_transaction_mode_is_refused() {
    let database = Database::new("pooled");
    for (size, seconds) in [(1, 2), (5, 60)] {
        let bouncer = Cluster::shared().bouncer(size);
        let url = bouncer.url(USER, database_of(&database.url));
        let error = refusal(&format!("{url}?connect_timeout={seconds}"));
        // With a single connection the second one waits for the first, in vain.
        assert!(error.contains("pooler in transaction mode") || size == 1, "{error}");
    }
}

#[test]
fn a_database_of_another_encoding_is_refused() {
    run(
        &mut Cluster::shared().admin("postgres"),
        &format!("CREATE DATABASE latin OWNER {USER} TEMPLATE template0 ENCODING 'LATIN1'"),
    );
    let error = refusal(&Cluster::shared().url(USER, "latin"));
    assert!(error.contains("UTF8"), "{error}");
}

#[test]
fn an_empty_database_somebody_elses_and_a_newer_one_are_told_apart() {
    let empty = Cluster::shared().database("empty");
    assert!(matches!(store::open(&parse(&empty)).err().unwrap(), StoreError::NotFound(_)));

    let foreign = Cluster::shared().database("foreign");
    run(&mut Cluster::shared().admin(database_of(&foreign)), "CREATE TABLE record (id int)");
    assert!(matches!(store::migrate(&parse(&foreign)), Err(StoreError::NotADatabase(_))));

    let newer = Database::new("newer");
    run(&mut newer.stranger(), "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')");
    assert!(matches!(store::open(&parse(&newer.url)).err().unwrap(), StoreError::NewerSchema(_)));
}

#[test]
fn a_wrong_password_and_a_server_that_is_not_there_are_clear_and_show_no_secret() {
    let database = Database::new("secret");
    let error = refusal(&database.url.replace(PASSWORD, "wrong-password"));
    assert!(error.contains("password authentication failed") && !error.contains("wrong-password"), "{error}");
    let nobody = format!("postgres://{USER}:{PASSWORD}@127.0.0.1:1/d");
    let error = refusal(&nobody);
    assert!(error.contains("Connection refused"), "{error}");
}

#[test]
fn a_certificate_is_checked_against_its_authority_and_the_name_of_the_host() {
    let good = Cluster::with_certificate_for("localhost");
    let database = database_of(&good.database("tls")).to_owned();
    let url = good.verified_url(&database, &good.authority());
    crate::migrate(&url);
    let store = crate::open(&url);
    store.status().unwrap();

    let wrong_name = Cluster::with_certificate_for("elsewhere.example");
    let other = database_of(&wrong_name.database("tls")).to_owned();
    let error = refusal(&wrong_name.verified_url(&other, &wrong_name.authority()));
    assert!(error.contains("does not match host name"), "{error}");
    let error = refusal(&good.verified_url(&database, &wrong_name.authority()));
    assert!(error.contains("certificate verify failed"), "{error}");
}
