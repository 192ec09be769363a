//! Every kind of tampering is found, and called by its name.

use crate::verify::signed;
use support::sandbox::Sandbox;

/// Changes the database behind its guards, and puts the guards back: only the traces remain.
pub fn tamper(sandbox: &Sandbox, sql: &str) {
    let guards = sandbox.rows("SELECT 0 AS number, sql AS text FROM sqlite_master WHERE type = 'trigger'");
    let names = sandbox.rows("SELECT 0 AS number, name AS text FROM sqlite_master WHERE type = 'trigger'");
    let drop: String = names.iter().map(|(_, name)| format!("DROP TRIGGER {name};")).collect();
    let restore: String = guards.iter().map(|(_, sql)| format!("{sql};")).collect();
    let unchecked = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;";
    sandbox.sql(&format!("{unchecked} {drop} {sql}; {restore}"));
}

/// The problems that `verify` names, the same with either verifier; it must find some.
pub fn problems(sandbox: &Sandbox) -> Vec<String> {
    let [problems, in_lanes] = ["aws-lc", "lanes"].map(|verifier| problems_by(sandbox, verifier));
    assert_eq!(problems, in_lanes);
    problems
}

fn problems_by(sandbox: &Sandbox, verifier: &str) -> Vec<String> {
    let output = sandbox.run(&["verify", "--json", "--verifier", verifier]);
    assert_eq!(output.status.code(), Some(1), "{output:#?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(report["problem_count"].as_u64(), Some(problems.len() as u64));
    problems.iter().map(|problem| problem.as_str().unwrap().to_owned()).collect()
}

#[track_caller]
pub fn finds(sql: &str, expected: &[&str]) {
    let sandbox = signed();
    tamper(&sandbox, sql);
    assert_eq!(problems(&sandbox), expected, "{sql}");
}

const WRONG: &str = "ledger: what was committed up to receipt 4 is not what the receipts say";
const NO_ENTRY: &str =
    "ledger: receipt 5 is of something that is not as it must be, such as a batch that is not signed";

#[test]
fn nothing_is_found_when_only_the_guards_were_off_for_a_while() {
    let sandbox = signed();
    tamper(&sandbox, "SELECT 1");
    sandbox.ok(&["verify"]);
}

#[test]
fn a_changed_payload() {
    finds(
        "UPDATE record SET payload = x'00' WHERE id = 13",
        &["record 13: its signature does not verify with key 2 of batch 2"],
    );
}

#[test]
fn changed_truncated_and_swapped_signatures() {
    finds(
        "UPDATE signature SET value = zeroblob(256) WHERE record_id = 1",
        &["record 1: its signature does not verify with key 1 of batch 1"],
    );
    finds(
        "UPDATE signature SET value = substr(value, 1, 255) WHERE record_id = 1",
        &["record 1: its signature has 255 bytes, but those of key 1 have 256"],
    );
    finds(
        "CREATE TEMP TABLE kept AS SELECT * FROM signature WHERE record_id IN (1, 2);
         UPDATE signature SET value = (SELECT value FROM kept WHERE record_id = 3 - signature.record_id)
         WHERE record_id IN (1, 2)",
        &[
            "record 1: its signature does not verify with key 1 of batch 1",
            "record 2: its signature does not verify with key 1 of batch 1",
        ],
    );
}

#[test]
fn a_missing_signature() {
    finds(
        "DELETE FROM signature WHERE record_id = 60",
        &[
            "record 60: it has no signature, though batch 6 is signed",
            "signatures: the batches add up to 60, but there are 59",
        ],
    );
}

#[test]
fn a_signature_of_a_record_that_is_in_no_signed_batch() {
    finds(
        "INSERT INTO signature SELECT 61, batch_id, value FROM signature WHERE record_id = 60",
        &["signatures: the batches add up to 60, but there are 61"],
    );
}

#[test]
fn a_signature_before_its_batch_is_signed() {
    let open = "INSERT INTO batch (id, first_record, last_record, runs, record_count) VALUES (7, 61, 65, '61-65', 5)";
    finds(
        &format!("{open}; INSERT INTO signature SELECT 61, 7, value FROM signature WHERE record_id = 60"),
        &[
            "record 61: it has a signature, though batch 7 is not signed",
            "signatures: the batches add up to 60, but there are 61",
        ],
    );
}

#[test]
fn a_signature_that_names_another_batch() {
    finds(
        "UPDATE signature SET batch_id = 2 WHERE record_id = 1",
        &["record 1: its signature names batch 2, but it is in batch 1"],
    );
}

#[test]
fn a_record_that_is_gone() {
    finds(
        "DELETE FROM record WHERE id = 20",
        &[
            "record 20: it is gone, though batch 2 names it",
            "records in batches: the batches add up to 60, but there are 59",
        ],
    );
}

#[test]
fn a_record_that_no_batch_has() {
    finds(
        "UPDATE batch SET runs = '1-4,6-10', record_count = 9 WHERE id = 1",
        &[
            "key 1: it counts 20 signatures, but its signed batches have 19",
            "batch 1: its records, their names or their signatures are not those of its receipt",
            "ledger: what was committed up to receipt 4 is not what the receipts say",
            "records in batches: the batches add up to 59, but there are 60",
            "signatures: the batches add up to 59, but there are 60",
        ],
    );
}

#[test]
fn runs_that_are_not_what_the_batch_says() {
    finds(
        "UPDATE batch SET runs = '1-9' WHERE id = 1",
        &[
            "batch 1: its first record, last record or count differ from its runs",
            "batch 1: its records, their names or their signatures are not those of its receipt",
            "ledger: what was committed up to receipt 4 is not what the receipts say",
        ],
    );
    finds(
        "UPDATE batch SET runs = '1-10,12' WHERE id = 1",
        &[
            "batch 1: its first record, last record or count differ from its runs",
            "record 12: it is in batch 2 and in an earlier batch",
            "record 12: its signature names batch 2, but it is in batch 1",
            "ledger: what was committed up to receipt 4 is not what the receipts say",
        ],
    );
    finds(
        "UPDATE batch SET runs = '1-9223372036854775807' WHERE id = 6",
        &[
            "batch 6: its first record, last record or count differ from its runs",
            "batch 6: it names 9223372036854775807 records, more than a batch can have",
            "ledger: what was committed up to receipt 9 is not what the receipts say",
        ],
    );
    finds(
        "UPDATE batch SET runs = '10-1' WHERE id = 3",
        &[
            "a batch after batch 2 cannot be read: batch 3: '10-1' is not an ascending run of positive ids",
            "the ledger cannot be read: batch 3: '10-1' is not an ascending run of positive ids",
            "key 3: it counts 20 signatures, but its signed batches have 10",
        ],
    );
}

#[test]
fn a_batch_in_a_state_that_it_cannot_be_in() {
    finds(
        "UPDATE batch SET signed_at = NULL WHERE id = 2",
        &[
            "schema: integrity: CHECK constraint failed in batch",
            "batch 2: it is signed, yet it lacks the time of signing",
            NO_ENTRY,
        ],
    );
    let mut expected = vec!["key 2: it counts 20 signatures, but its signed batches have 10".to_owned()];
    expected
        .extend((11..=20).map(|i| format!("record {i}: it has a signature, though batch 2 is not signed")));
    expected.push("batch 2: it has position 2 of the feed, but is not signed".to_owned());
    expected.push(NO_ENTRY.to_owned());
    expected.push("signatures: the batches add up to 50, but there are 60".to_owned());
    finds(
        "UPDATE batch SET state = 'open', key_id = NULL, scheme = NULL, leased_at = NULL, signed_at = NULL, epoch = 2
         WHERE id = 2",
        &expected.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

#[test]
fn a_batch_signed_with_another_key_or_scheme_than_it_says() {
    let mut expected: Vec<_> = (1..=10)
        .map(|i| format!("record {i}: its signature does not verify with key 1 of batch 1"))
        .chain([WRONG.to_owned()])
        .collect();
    finds(
        "UPDATE batch SET scheme = 'RS256' WHERE id = 1",
        &expected.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    expected = [
        "key 1: it counts 20 signatures, but its signed batches have 10",
        "key 2: it counts 20 signatures, but its signed batches have 30",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain((1..=10).map(|i| format!("record {i}: its signature does not verify with key 2 of batch 1")))
    .chain([WRONG.to_owned()])
    .collect();
    finds(
        "UPDATE batch SET key_id = 2 WHERE id = 1",
        &expected.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

#[test]
fn keys_that_are_not_what_they_say() {
    let zeros = "0".repeat(64);
    let sandbox = signed();
    let fingerprint =
        &sandbox.rows("SELECT 0 AS number, fingerprint AS text FROM signing_key WHERE id = 1")[0].1;
    tamper(&sandbox, &format!("UPDATE signing_key SET fingerprint = '{zeros}' WHERE id = 1"));
    let expected =
        format!("key 1: its fingerprint is stored as {zeros}, but its public key has {fingerprint}");
    assert_eq!(problems(&sandbox), [&expected, WRONG]);
    finds(
        "UPDATE signing_key SET bits = 4096 WHERE id = 3",
        &["key 3: it is stored as one of 4096 bits, but its public key has 2048"],
    );
    finds(
        "UPDATE signing_key SET signature_count = 21 WHERE id = 3",
        &["key 3: it counts 21 signatures, but its signed batches have 20"],
    );
}

#[test]
fn a_public_key_that_is_damaged_missing_or_another_one() {
    let sandbox = signed();
    tamper(&sandbox, "UPDATE signing_key SET public_key = x'30' WHERE id = 1");
    let found = problems(&sandbox);
    assert!(found[0].starts_with("key 1: its public key is refused: "), "{found:#?}");
    assert!(
        found.contains(
            &"batch 1: key 1 is missing or refused, so its signatures cannot be checked".to_owned()
        )
    );

    let sandbox = signed();
    tamper(
        &sandbox,
        "UPDATE signing_key SET public_key = (SELECT public_key FROM signing_key WHERE id = 2) WHERE id = 1",
    );
    let found = problems(&sandbox);
    assert!(found[0].starts_with("key 1: its fingerprint is stored as "), "{found:#?}");
    assert_eq!(found[1], "keys 1 and 2 are the same key");
    assert!(found.contains(&"record 1: its signature does not verify with key 1 of batch 1".to_owned()));

    finds(
        "DELETE FROM signing_key WHERE id = 1",
        &[
            "schema: batch 1 refers to a signing_key that does not exist",
            "schema: batch 4 refers to a signing_key that does not exist",
            "batch 1: key 1 is missing or refused, so its signatures cannot be checked",
            "batch 4: key 1 is missing or refused, so its signatures cannot be checked",
            "ledger: receipt 4 is of something that is not as it must be, such as a batch that is not signed",
            "ledger: receipt 7 is of something that is not as it must be, such as a batch that is not signed",
        ],
    );
}

#[test]
fn a_key_that_is_in_use_twice() {
    let leased = "UPDATE batch SET state = 'leased', signed_at = NULL, node_id = 99 WHERE id IN (1, 4)";
    let sandbox = signed();
    tamper(&sandbox, &format!("DROP INDEX batch_one_lease_per_key; {leased}"));
    let found = problems(&sandbox);
    assert!(found.contains(&"schema: index 'batch_one_lease_per_key' is missing".to_owned()), "{found:#?}");
    assert!(found.contains(&"key 1 is leased to batch 1 and to batch 4 at once".to_owned()), "{found:#?}");
}

#[test]
fn a_batch_that_is_gone() {
    let sandbox = signed();
    tamper(&sandbox, "DELETE FROM batch WHERE id = 3");
    let found = problems(&sandbox);
    assert!(
        found.contains(&"signatures: the batches add up to 50, but there are 60".to_owned()),
        "{found:#?}"
    );
    assert!(
        found.contains(&"records in batches: the batches add up to 50, but there are 60".to_owned()),
        "{found:#?}"
    );
}

#[test]
fn a_guard_that_is_missing_changed_or_strange() {
    for (sql, expected) in [
        ("DROP TRIGGER signature_no_update", "schema: trigger 'signature_no_update' is missing"),
        ("DROP VIEW signed_record", "schema: view 'signed_record' is missing"),
        (
            "DROP TRIGGER signature_no_update; CREATE TRIGGER signature_no_update BEFORE UPDATE ON signature BEGIN SELECT 1; END",
            "schema: trigger 'signature_no_update' was changed",
        ),
        (
            "CREATE TRIGGER mine AFTER INSERT ON record BEGIN SELECT 1; END",
            "schema: trigger 'mine' is not Sign Wave's",
        ),
    ] {
        let sandbox = signed();
        sandbox.sql(sql);
        assert_eq!(problems(&sandbox), [expected]);
    }
}

/// An older database is consistent in itself. It shows only against something outside of it: the report must say so, since
/// it finds no problem.
#[test]
fn what_verify_cannot_see_it_does_not_deny() {
    let sandbox = signed();
    sandbox.keep("old.db");
    sandbox.ok(&["seed", "--records", "10", "--keys", "0"]);
    sandbox.ok(&["sign"]);
    sandbox.put("old.db");
    says_where_it_ends(&sandbox);
    sandbox.ok(&["sign"]);
    says_where_it_ends(&sandbox);
}

fn says_where_it_ends(sandbox: &Sandbox) {
    let text = sandbox.ok(&["verify"]);
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("problems    none in this database; "), "{text}");
    assert!(last.ends_with("an older or another one shows only against an anchor"), "{text}");
}

#[test]
fn only_the_first_hundred_problems_are_named_but_all_are_counted() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "150", "--keys", "1"]);
    sandbox.ok(&["sign"]);
    tamper(&sandbox, "UPDATE record SET payload = x'00'");
    let output = sandbox.run(&["verify"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("problems    150\n"), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("does not verify")).count(), 100);
    assert!(text.ends_with("  and 50 more\n"), "{text}");
}

#[test]
fn a_tampered_record_is_found_by_its_id_too() {
    let sandbox = signed();
    tamper(&sandbox, "UPDATE record SET payload = x'00' WHERE id = 13");
    let output = sandbox.run(&["verify", "--record", "13"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"record 13: its signature does not verify with key 2 of batch 2\n");
    sandbox.ok(&["verify", "--record", "12"]);
}

#[test]
fn a_key_with_more_signatures_than_its_limit() {
    finds(
        "UPDATE signing_key SET max_signatures = 9 WHERE id = 1",
        &[
            "schema: integrity: CHECK constraint failed in signing_key",
            "key 1: it has 20 signatures, but its limit is 9",
        ],
    );
}
