//! The migrations: twins of SQLite's, the same under diesel's own command line, and kept in `schema.txt`.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text};
use signwave::store::{self, DatabaseUrl};
use support::postgres::{Cluster, USER, database_of};

use crate::{Database, lines, open, parse};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("migrations").join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    line: String,
}

#[test]
fn both_databases_have_migrations_of_the_same_names_and_the_same_tables() {
    assert_eq!(names("sqlite"), names("postgres"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    store::migrate(&DatabaseUrl::Sqlite(path.clone())).unwrap();
    let mut sqlite = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let query = "SELECT m.name || '.' || c.name AS line FROM sqlite_master m, pragma_table_info(m.name) c \
                 WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite%' ORDER BY 1";
    let theirs: BTreeSet<String> =
        sql_query(query).load::<Column>(&mut sqlite).unwrap().into_iter().map(|column| column.line).collect();
    let query = "SELECT table_name || '.' || column_name AS line FROM information_schema.columns \
                 WHERE table_schema = 'public' AND table_name NOT IN ('gap', 'unsequenced')";
    let database = Database::new("twins");
    let ours: BTreeSet<String> = lines(&mut database.stranger(), query).into_iter().collect();
    assert_eq!(ours, theirs);
}

#[test]
fn every_table_and_column_is_explained_to_whoever_looks() {
    let database = Database::new("comments");
    let query = "SELECT relname || '.' || attname AS line FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid \
                 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0 \
                 AND relname NOT LIKE '\\_\\_%' AND col_description(attrelid, attnum) IS NULL \
                 UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace \
                 AND relkind IN ('r', 'v') AND relname NOT LIKE '\\_\\_%' AND obj_description(oid) IS NULL";
    assert_eq!(lines(&mut database.stranger(), query), Vec::<String>::new());
}

/// `SCHEMA=overwrite cargo test --test postgres_store schema_txt` writes the file anew.
#[test]
fn schema_txt_is_what_the_migrations_make() {
    let database = Database::new("schema");
    let mut stranger = database.stranger();
    let names = "SELECT string_agg(relname, ' ' ORDER BY relname) AS line FROM pg_class \
                 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v') AND relname NOT LIKE '@_@_%' ESCAPE '@'";
    let names = lines(&mut stranger, names).remove(0);
    let source = |file: &str| fs::read_to_string(root().join("src/store/postgres").join(file)).unwrap();
    let query = source("schema.sql").replace('?', &format!("'{names}'"));
    let found = lines(&mut stranger, &format!("SELECT o.* FROM ({query}) AS o (line)"));
    if std::env::var_os("SCHEMA").is_some_and(|wish| wish == "overwrite") {
        fs::write(root().join("src/store/postgres/schema.txt"), found.join("\n") + "\n").unwrap();
    }
    assert_eq!(found, source("schema.txt").lines().collect::<Vec<_>>(), "run it with SCHEMA=overwrite");
}

#[test]
fn diesel_takes_every_migration_up_down_and_up_again() {
    let url = Cluster::shared().database("diesel");
    diesel(&url, &["run"]);
    assert_eq!(open(&url).audit().unwrap(), Vec::<String>::new());
    diesel(&url, &["revert", "--all"]);
    let left = "SELECT relname AS line FROM pg_class WHERE relnamespace = 'public'::regnamespace \
                AND relname NOT LIKE '\\_\\_diesel%' \
                UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'signwave%'";
    assert_eq!(lines(&mut Cluster::shared().admin(database_of(&url)), left), Vec::<String>::new());
    diesel(&url, &["run"]);
    assert_eq!(open(&url).audit().unwrap(), Vec::<String>::new());
}

fn diesel(url: &str, arguments: &[&str]) {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), |target| root().join(target));
    let program = target.join("tools/bin/diesel");
    assert!(program.exists(), "'{}' is missing: run scripts/install-tools first", program.display());
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("diesel.toml");
    fs::write(&settings, "").unwrap();
    let output = Command::new(program)
        .arg("migration")
        .args(arguments)
        .arg("--config-file")
        .arg(&settings)
        .arg("--migration-dir")
        .arg(root().join("migrations/postgres"))
        .env("DATABASE_URL", url)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_migration_is_reverted_and_run_again() {
    let database = Database::new("reverted");
    assert_eq!(store::revert(&parse(&database.url)).unwrap(), "2026-11-22-090100_guards");
    assert_eq!(store::migrate(&parse(&database.url)).unwrap(), ["2026-11-22-090100_guards"]);
    assert_eq!(store::migrate(&parse(&database.url)).unwrap(), Vec::<String>::new());
}

#[test]
fn nothing_is_reverted_under_a_node_at_work() {
    let database = Database::new("living");
    let node = support::store::register(&*database.store);
    let error = store::revert(&parse(&database.url)).unwrap_err().to_string();
    assert!(
        error.contains(&format!("node {node} (node) is at work")) && error.contains("stop all nodes"),
        "{error}"
    );
    assert_eq!(database.store.audit().unwrap(), Vec::<String>::new());
    database.store.remove_node(node).unwrap();
    store::revert(&parse(&database.url)).unwrap();
    // Its tables may be gone as well.
    store::revert(&parse(&database.url)).unwrap();
    let error = store::revert(&parse(&database.url)).unwrap_err().to_string();
    assert!(error.contains("no migration to revert"), "{error}");
}

#[test]
fn it_lives_in_whatever_schema_the_connection_names() {
    let url = Cluster::shared().database("schemas");
    let mut admin = Cluster::shared().admin(database_of(&url));
    crate::run(&mut admin, &format!("CREATE SCHEMA mine AUTHORIZATION {USER}"));
    let url = format!("{url}?options=-c%20search_path%3Dmine");
    crate::migrate(&url);
    assert_eq!(open(&url).audit().unwrap(), Vec::<String>::new());
}
