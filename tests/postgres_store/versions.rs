//! Other versions of PostgreSQL than the installed one: the oldest and the newest that are supported, and with
//! `TEST_POSTGRES_VERSIONS` those between.

use diesel::{Connection, PgConnection};
use support::{
    postgres::Cluster,
    store::{add_keys, add_records},
};

use crate::{
    copies::{check, dump_into, sign_all},
    lines, migrate, open, run,
};

fn versions() -> Vec<u32> {
    let wanted = std::env::var("TEST_POSTGRES_VERSIONS").unwrap_or_else(|_| "12,18".to_owned());
    println!("TEST_POSTGRES_VERSIONS={wanted}");
    wanted.split(',').map(|version| version.parse().unwrap()).collect()
}

#[test]
fn a_database_is_sound_on_every_version_also_when_it_came_from_another() {
    let installed = Cluster::shared();
    let number = "SELECT (current_setting('server_version_num')::int / 10000)::text AS line";
    let own = lines(&mut installed.admin("postgres"), number).remove(0).parse::<u32>().unwrap();
    let here = signed(installed);
    for version in versions() {
        let other = Cluster::of_version(version, "fsync = off");
        let there = signed(&other);
        let (from, to) = if version < own {
            (there, installed.database("newer"))
        } else {
            (here.clone(), other.database("newer"))
        };
        // Up to 14 a dump says that "public" is the superuser's, which a user of a newer server cannot repeat.
        dump_into(&from, &to, &["--no-owner", "--no-privileges"]);
        let store = open(&to);
        // Without privileges, everybody has those that the schema takes away: it is said, with the remedy.
        for problem in store.audit().unwrap() {
            let (_, remedy) = problem.split_once(": ").unwrap();
            assert!(remedy.starts_with("REVOKE EXECUTE ON FUNCTION signwave_submit("), "{problem}");
            run(&mut PgConnection::establish(&to).unwrap(), remedy);
        }
        check(&*store);
        add_records(&*store, 3);
        sign_all(&*store);
        check(&*store);
    }
}

/// A new database with signed records.
fn signed(cluster: &Cluster) -> String {
    let url = cluster.database("versions");
    migrate(&url);
    let store = open(&url);
    add_keys(&*store, 2);
    add_records(&*store, 9);
    sign_all(&*store);
    check(&*store);
    url
}
