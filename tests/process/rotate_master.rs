//! The master key is changed: by a command that is killed at any moment, and under a service that signs.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::{BASE64, HEXLOWER};
use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    sql_query,
    sql_types::{Binary, Text},
};
use rustix::process::Signal;
use signwave::signer::{MasterKey, MasterKeySource, MasterKeys};
use support::{
    random::{Random, count},
    site::{Site, number},
    waiting::{lasting, until},
};

#[derive(QueryableByName)]
struct Sealed {
    #[diesel(sql_type = Text)]
    fingerprint: String,
    #[diesel(sql_type = Binary)]
    sealed_key: Vec<u8>,
}

#[derive(QueryableByName)]
struct Guard {
    #[diesel(sql_type = Text)]
    text: String,
}

/// A sealed key of the form that `signer::seal` writes, with nothing in it that could sign. To make real keys takes long.
fn sealed(master: &MasterKey, fingerprint: &[u8; 32]) -> Vec<u8> {
    let secret = BASE64.decode(master.to_base64().trim().as_bytes()).unwrap();
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &secret).unwrap());
    let (id, nonce) = (master.id().0, [7; NONCE_LEN]);
    let associated = Aad::from([b"signwave sealed private key\0\x01".as_slice(), &id, fingerprint].concat());
    let mut body = vec![0; 1200];
    cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated, &mut body).unwrap();
    [&[1], id.as_slice(), nonce.as_slice(), &body].concat()
}

/// Adds retired keys, which are resealed as any other.
fn add_retired(site: &Site, keys: usize) {
    let master = MasterKey::read(&site.path("signwave.db.master")).unwrap();
    let row = |number: usize| {
        let mut fingerprint = [0; 32];
        fingerprint[..8].copy_from_slice(&number.to_be_bytes());
        let sealed = HEXLOWER.encode(&sealed(&master, &fingerprint));
        format!("('{}', x'00', 2048, 'database', x'{sealed}', 'retired')", HEXLOWER.encode(&fingerprint))
    };
    let rows: Vec<_> = (0..keys).map(row).collect();
    for rows in rows.chunks(100) {
        let insert =
            "INSERT INTO signing_key (fingerprint, public_key, bits, custody, sealed_key, state) VALUES";
        site.sql().batch_execute(&format!("{insert} {}", rows.join(","))).unwrap();
    }
}

/// Removes them again, behind the back of the guard, because 'verify' would find that nothing can be verified with them.
fn remove_retired(sql: &mut SqliteConnection) {
    let guard = "SELECT sql AS text FROM sqlite_schema WHERE name = 'signing_key_no_delete'";
    let Guard { text } = sql_query(guard).get_result(sql).unwrap();
    let remove = "DROP TRIGGER signing_key_no_delete; DELETE FROM signing_key WHERE state = 'retired'";
    sql.batch_execute(&format!("BEGIN IMMEDIATE; {remove}; {text}; COMMIT")).unwrap();
}

/// The ids of the master keys that the keys are sealed under. Every key opens with one of the two files.
fn master_keys(site: &Site, sql: &mut SqliteConnection) -> BTreeSet<Vec<u8>> {
    let [current, next] = ["signwave.db.master", "signwave.db.master.next"]
        .map(|name| Some(MasterKeySource::File(site.path(name))));
    let (masters, other) = (MasterKeys::new(current, next), MasterKey::generate());
    let keys: Vec<Sealed> = sql_query("SELECT fingerprint, sealed_key FROM signing_key").load(sql).unwrap();
    let id = |key: &Sealed| {
        let opened = masters.reseal(&other, &key.fingerprint.parse().unwrap(), &key.sealed_key);
        assert!(opened.unwrap_or_else(|error| panic!("{error}")).is_some());
        key.sealed_key[1..9].to_vec()
    };
    keys.iter().map(id).collect()
}

/// Puts the next master key in the place of the current one.
fn take_over(site: &Site) {
    fs::rename(site.path("signwave.db.master.next"), site.path("signwave.db.master")).unwrap();
}

const ROTATE: [&str; 2] = ["keys", "rotate-master"];

#[test]
fn a_change_of_the_master_key_that_is_killed_leaves_every_key_under_the_old_or_the_new_one() {
    let kills = count("TEST_KILLS", 40);
    let mut random = Random::new();
    let site = Site::new(4, 2048, 40);
    add_retired(&site, count("TEST_KEYS", 1000));
    let mut sql = site.sql();
    let begun = Instant::now();
    site.ok(&ROTATE);
    let usual = begun.elapsed();
    // Adapted to how fast the machine is now, so that half of the kills come before the commit.
    let mut longest = usual + usual / 4;
    take_over(&site);
    let mut current = master_keys(&site, &mut sql);
    let (mut before, mut made, mut after) = (0, 0, 0);
    for round in 0..kills {
        let mut process = site.spawn("log", &ROTATE);
        random.moment(longest);
        process.signal(Signal::KILL);
        process.wait(Duration::from_secs(5));
        let found = master_keys(&site, &mut sql);
        assert_eq!(found.len(), 1, "round {round}: half of the keys were resealed");
        let has_next = site.path("signwave.db.master.next").exists();
        if found == current {
            (before, made) = (before + 1, made + i32::from(has_next));
            longest = longest * 5 / 4;
        } else {
            after += 1;
            longest = longest * 3 / 4;
            current = found;
            // Running it again finds nothing to do; the keys of the next round are under another master key.
            site.ok(&ROTATE);
            assert_eq!(master_keys(&site, &mut sql), current);
            take_over(&site);
        }
    }
    assert!(before > 0 && after > 0, "every kill came at the same moment: this proves nothing");
    site.ok(&ROTATE);
    assert_ne!(master_keys(&site, &mut sql), current);
    take_over(&site);
    site.ok(&["sign", "--batch-size", "10"]);
    remove_retired(&mut sql);
    site.check_all_signed();
    let rows = number(&mut sql, "SELECT count(*) FROM api_audit WHERE action = 'master.rotate'");
    assert_eq!(rows, 2 + i64::from(after), "a row for each change that happened");
    println!(
        "measured: {kills} kills, {before} before the commit ({made} with a next master key), {after} after it; a \
         whole run takes {usual:?}"
    );
}

#[test]
fn the_master_key_is_changed_under_a_service_that_signs_and_no_batch_fails() {
    let (changes, keys) = (count("TEST_CHANGES", 3), count("TEST_KEYS", 1000));
    // Each batch is signed with a key that was not opened before, as long as there is one.
    let site = Site::new(10 * (changes as u32 + 1), 2048, 0);
    add_retired(&site, keys);
    let mut serve = site.spawn("serve", &["serve", "--batch-size", "5", "--listen", "none"]);
    let (mut sql, mut longest) = (site.sql(), Duration::ZERO);
    let all_signed = "SELECT count(*) = (SELECT count(*) FROM record) FROM signature";
    let sign = |sql: &mut SqliteConnection| {
        site.insert(40);
        until("all is signed", Duration::from_secs(30), || number(sql, all_signed) == 1);
    };
    sign(&mut sql);
    for round in 0..changes {
        let begun = Instant::now();
        let mut rotate = site.spawn("rotate", &ROTATE);
        while rotate.is_running() {
            site.insert(5);
            lasting(Duration::from_millis(20)); // no other process would come to write
        }
        longest = longest.max(begun.elapsed());
        assert_eq!(rotate.wait(Duration::from_secs(1)), Some(0), "{}", rotate.log());
        assert_eq!(master_keys(&site, &mut sql).len(), 1);
        if round % 2 == 0 {
            sign(&mut sql);
        }
        take_over(&site);
        sign(&mut sql);
        // A key of another process is sealed under the new master key.
        site.ok(&["keys", "generate"]);
        sign(&mut sql);
    }
    serve.signal(Signal::TERM);
    assert_eq!(serve.wait(Duration::from_secs(10)), Some(0), "{}", serve.log());
    let log = serve.log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    assert_eq!(number(&mut sql, "SELECT count(*) FROM batch WHERE epoch <> 1"), 0, "a batch failed: {log}");
    assert_eq!(number(&mut sql, "SELECT count(*) FROM signing_key WHERE state = 'suspended'"), 0);
    let used = number(&mut sql, "SELECT count(DISTINCT key_id) FROM batch");
    assert_eq!(used, number(&mut sql, "SELECT count(*) FROM signing_key WHERE state = 'active'"));
    remove_retired(&mut sql);
    site.check_all_signed();
    println!(
        "measured: {changes} changes under {keys} and {used} keys, of which the longest took {longest:?}"
    );
}
