//! The migrations under diesel's own command line: it and the program must make the same database.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text};
use signwave::store::{self, DatabaseUrl};

#[test]
fn diesel_takes_every_migration_up_down_and_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    diesel(&path, &["migration", "run"]);
    let first = schema(&path);
    diesel(&path, &["migration", "revert", "--all"]);
    let left: Vec<_> = schema(&path).into_iter().filter(|sql| !sql.contains("__diesel")).collect();
    assert_eq!(left, Vec::<String>::new());
    diesel(&path, &["migration", "run"]);
    assert_eq!(schema(&path), first);
}

#[test]
fn diesel_and_the_program_make_the_same_schema() {
    let folder = tempfile::tempdir().unwrap();
    let (theirs, ours) = (folder.path().join("theirs.db"), folder.path().join("ours.db"));
    diesel(&theirs, &["migration", "run"]);
    let url = DatabaseUrl::Sqlite(ours.clone());
    store::migrate(&url).unwrap();
    assert_eq!(schema(&theirs), schema(&ours));
    let store = store::open(&DatabaseUrl::Sqlite(theirs)).unwrap();
    assert_eq!(store.audit().unwrap(), Vec::<String>::new());
}

#[test]
fn schema_rs_is_what_diesel_prints() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    diesel(&path, &["migration", "run"]);
    let printed = diesel(&path, &["print-schema"]);
    let kept = std::fs::read_to_string(root().join("src/store/schema.rs")).unwrap();
    assert_eq!(printed, kept, "run: diesel print-schema > src/store/schema.rs");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs diesel from another folder, with the project's settings, but never writes to the project.
fn diesel(database: &Path, arguments: &[&str]) -> String {
    let program = program();
    assert!(program.exists(), "'{}' is missing: run scripts/install-tools first", program.display());
    let settings = database.with_file_name("diesel.toml");
    let ours = std::fs::read_to_string(root().join("diesel.toml")).unwrap();
    std::fs::write(
        &settings,
        ours.lines().filter(|line| !line.starts_with("file = ")).collect::<Vec<_>>().join("\n"),
    )
    .unwrap();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg("--config-file")
        .arg(&settings)
        .env("DATABASE_URL", database)
        .current_dir(root());
    if arguments[0] == "migration" {
        command.arg("--migration-dir").arg(root().join("migrations/sqlite"));
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn program() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), |target| root().join(target));
    target.join("tools/bin/diesel")
}

#[derive(QueryableByName)]
struct Object {
    #[diesel(sql_type = Text)]
    sql: String,
}

fn schema(path: &Path) -> Vec<String> {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let query =
        "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite@_%' ESCAPE '@' ORDER BY type, name";
    let objects: Vec<Object> = sql_query(query).load(&mut connection).unwrap();
    objects.into_iter().map(|object| object.sql).collect()
}
