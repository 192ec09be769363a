//! Whoever may only read, and servers that can only be read.

use signwave::store;
use support::{
    postgres::{Cluster, USER, database_of},
    process::{command, succeed},
    store::{MINUTE, add_keys, add_records, open_all},
    waiting::until,
};

use crate::{Database, parse, run};

#[test]
fn a_role_that_may_only_read_can_look_at_everything() {
    let database = Database::new("auditor");
    add_keys(&*database.store, 1);
    add_records(&*database.store, 3);
    open_all(&*database.store, 2);
    let (role, url) = database.role("GRANT SELECT ON ALL TABLES IN SCHEMA public TO ROLE");
    run(
        &mut Cluster::shared().admin("postgres"),
        &format!("ALTER ROLE {role} SET default_transaction_read_only = on"),
    );
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["status"][..], &["export"], &["keys", "list"]] {
        succeed(command(&[&["--database", &url], arguments].concat(), folder.path()));
    }
    let store = store::open_to_read(&parse(&url)).unwrap();
    assert_eq!(store.counts().unwrap().records, 3);
    assert_eq!(store.audit().unwrap(), Vec::<String>::new());
    let error = store.register_node("auditor", MINUTE, &signwave::domain::Reach::default()).unwrap_err();
    assert!(!error.is_outage(), "{error:?}");
}

#[test]
fn a_role_that_lacks_a_right_is_told_which() {
    let database = Database::new("rights");
    let (role, url) = database.role("GRANT SELECT ON signed_record TO ROLE");
    let folder = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| {
        let output =
            command(&[&["--database", url.as_str()], arguments].concat(), folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let text = said(&["status"]);
    assert!(text.contains("may not read table") && !text.contains("GRANT SELECT ON signing_key"), "{text}");
    run(
        &mut database.admin(),
        &format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; REVOKE SELECT ON gap FROM {role}"),
    );
    let text = said(&["verify"]);
    assert!(
        text.contains(&format!("role {role} may not read table gap: GRANT SELECT ON gap TO {role}")),
        "{text}"
    );
    assert!(!text.contains("permissions of the file"), "{text}");
}

#[test]
fn a_standby_can_be_looked_at_and_not_written_to() {
    let cluster = Cluster::start();
    let url = cluster.database("standby");
    crate::migrate(&url);
    add_records(&*crate::open(&url), 2);
    let replica = cluster.replica();
    let here = parse(&replica.url(USER, database_of(&url)));
    until("the records arrive", MINUTE, || {
        store::open_to_read(&here).is_ok_and(|store| store.status().is_ok_and(|status| status.unbatched == 2))
    });
    assert_eq!(store::open_to_read(&here).unwrap().audit().unwrap(), Vec::<String>::new());
    let error = store::open(&here).err().unwrap().to_string();
    assert!(error.contains("read-only replica"), "{error}");
}
