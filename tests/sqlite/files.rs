//! Files: what is made, with which rights, and what is refused.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use signwave::store::{self, DatabaseUrl, NewRecord, OnConflict, StoreError};

fn url(path: &Path) -> DatabaseUrl {
    DatabaseUrl::Sqlite(path.to_owned())
}

/// Makes a database with one record.
fn make_with_a_record(path: &Path) {
    store::migrate(&url(path)).unwrap();
    let record = NewRecord { external_id: None, payload: b"a" };
    store::open(&url(path)).unwrap().insert_records(&[record], OnConflict::Stop).unwrap();
}

fn plain(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}

fn error(path: &Path) -> StoreError {
    store::open(&url(path)).err().unwrap()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn opening_never_makes_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    assert_eq!(error(&path), StoreError::NotFound(shown(&path)));
    assert_eq!(store::revert(&url(&path)), Err(StoreError::NotFound(shown(&path))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_new_database_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    let names = store::migrate(&url(&path)).unwrap();
    assert_eq!(names, ["2026-11-22-090000_tables", "2026-11-22-090100_guards"]);
    assert_eq!(store::migrate(&url(&path)).unwrap(), Vec::<String>::new());
    let store = store::open(&url(&path)).unwrap();
    store.insert_records(&[NewRecord { external_id: None, payload: b"a" }], OnConflict::Stop).unwrap();
    store.register_node("a", std::time::Duration::from_secs(9), &signwave::domain::Reach::default()).unwrap();
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(files.len(), 4, "database, log, index of the log, lock: {files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[test]
fn what_is_not_ours_is_refused_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    fs::write(&text, "something else, longer than the header of a database. ".repeat(50)).unwrap();
    let sqlite = folder.path().join("other.db");
    plain(&sqlite).batch_execute("CREATE TABLE t (a)").unwrap();
    let diesels = folder.path().join("diesels.db");
    plain(&diesels)
        .batch_execute(
            "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP);
             INSERT INTO __diesel_schema_migrations (version) VALUES ('20200101000000')",
        )
        .unwrap();
    for path in [text, sqlite, diesels, folder.path().to_owned()] {
        let before = fs::read(&path).ok();
        assert_eq!(error(&path), StoreError::NotADatabase(shown(&path)));
        assert_eq!(store::migrate(&url(&path)), Err(StoreError::NotADatabase(shown(&path))));
        assert_eq!(store::revert(&url(&path)), Err(StoreError::NotADatabase(shown(&path))));
        assert_eq!(fs::read(&path).ok(), before);
    }
}

#[test]
fn an_older_schema_is_migrated_first_and_a_newer_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    fs::write(&path, "").unwrap();
    assert_eq!(error(&path), StoreError::OlderSchema, "an empty file");
    store::migrate(&url(&path)).unwrap();
    assert_eq!(store::revert(&url(&path)).unwrap(), "2026-11-22-090100_guards");
    assert_eq!(error(&path), StoreError::OlderSchema);
    assert_eq!(store::migrate(&url(&path)).unwrap(), ["2026-11-22-090100_guards"]);
    assert!(store::open(&url(&path)).is_ok());
    plain(&path)
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')")
        .unwrap();
    let newer = StoreError::NewerSchema("29990101000000".to_owned());
    assert_eq!(error(&path), newer);
    assert_eq!(store::migrate(&url(&path)), Err(newer.clone()));
    assert_eq!(store::revert(&url(&path)), Err(newer));
}

#[test]
fn everything_can_be_reverted_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    make_with_a_record(&path);
    store::revert(&url(&path)).unwrap();
    assert_eq!(store::revert(&url(&path)).unwrap(), "2026-11-22-090000_tables");
    assert!(matches!(store::revert(&url(&path)), Err(StoreError::Refused(_))));
    assert_eq!(store::migrate(&url(&path)).unwrap().len(), 2);
    let store = store::open(&url(&path)).unwrap();
    assert_eq!((store.counts().unwrap().records, store.audit().unwrap()), (0, Vec::new()));
}

#[test]
fn nothing_is_reverted_under_a_node_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    store::migrate(&url(&path)).unwrap();
    let minute = std::time::Duration::from_secs(60);
    let at_work = store::open(&url(&path)).unwrap();
    let node = at_work.register_node("alpha", minute, &signwave::domain::Reach::default()).unwrap();
    let refused = store::revert(&url(&path)).unwrap_err().to_string();
    assert!(refused.contains("node 1 (alpha) is at work: stop every process"), "{refused}");
    assert_eq!(at_work.audit().unwrap(), Vec::<String>::new());
    // Left in order, or dead with its process, it hinders nobody.
    at_work.remove_node(node).unwrap();
    at_work.register_node("beta", minute, &signwave::domain::Reach::default()).unwrap();
    drop(at_work);
    assert!(store::revert(&url(&path)).is_ok());
}

#[test]
fn many_processes_may_migrate_at_the_same_time() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let url = url(&folder.path().join("s.db"));
        let start = std::sync::Barrier::new(6);
        let migrate = || {
            start.wait();
            store::migrate(&url).unwrap().len()
        };
        let migrated: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(migrate)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(migrated, 2, "each migration ran once");
    }
}

#[test]
fn a_folder_that_does_not_exist_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/s.db");
    let error = store::migrate(&url(&path)).unwrap_err().to_string();
    assert!(error.contains("the folder of") && error.contains("does not exist"), "{error}");
}

/// Root may write anywhere, so that then somebody else has to try: the test runs itself again.
#[test]
fn without_the_right_to_write_a_database_is_read_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    make_with_a_record(&path);
    let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (folder_mode, file_mode) in [(0o755, 0o444), (0o777, 0o444), (0o555, 0o666), (0o755, 0o400)] {
        chmod(folder.path(), folder_mode);
        chmod(&path, file_mode);
        let output = as_somebody_else(&reachable_copy(folder.path()))
            .args(["--exact", "files::as_nobody", "--ignored", "--nocapture"])
            .env("SIGNWAVE_TEST_DATABASE", &path)
            .output()
            .expect("setpriv (util-linux) must be there when root runs the tests");
        let shown = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{folder_mode:o} {file_mode:o}: {shown}");
        assert!(shown.contains("1 passed"), "{shown}");
    }
    chmod(folder.path(), 0o755);
}

/// Anybody but root will do.
fn as_somebody_else(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command
}

/// This program where nobody may run it, whatever the rights of the folder that it was built in.
fn reachable_copy(folder: &Path) -> PathBuf {
    let copy = folder.join("as-nobody");
    if !copy.exists() {
        support::process::copy_program(std::env::current_exe().unwrap(), &copy);
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    }
    copy
}

#[test]
#[ignore = "run by without_the_right_to_write_a_database_is_read_only"]
fn as_nobody() {
    let path = PathBuf::from(std::env::var_os("SIGNWAVE_TEST_DATABASE").unwrap());
    assert_eq!(error(&path), StoreError::ReadOnly(shown(&path)));
    let beside = path.with_file_name("new.db");
    match store::migrate(&url(&beside)) {
        Err(StoreError::ReadOnly(path)) => assert_eq!(path, shown(&beside)),
        other => assert_eq!(other.map(|names| names.len()), Ok(2), "the folder may be open to all"),
    }
    let _ = fs::remove_file(beside);
}
