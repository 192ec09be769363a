//! Tampering that leaves every signature valid is found by the receipts.

use support::sandbox::Sandbox;

use crate::tamper::finds;

const WRONG: &str = "ledger: what was committed up to receipt 4 is not what the receipts say";

#[test]
fn exchanged_names() {
    let mut expected = Vec::new();
    for (first, second) in [(1, 2), (1, 11)] {
        expected.push("batch 1: its records, their names or their signatures are not those of its receipt");
        if second > 10 {
            expected
                .push("batch 2: its records, their names or their signatures are not those of its receipt");
        }
        finds(
            &format!(
                "UPDATE record SET external_id = 'x' WHERE id = {first};
                 UPDATE record SET external_id = 'seed-{first}' WHERE id = {second};
                 UPDATE record SET external_id = 'seed-{second}' WHERE id = {first}"
            ),
            &expected,
        );
        expected.clear();
    }
    finds(
        "UPDATE record SET external_id = NULL WHERE id = 7",
        &["batch 1: its records, their names or their signatures are not those of its receipt"],
    );
}

#[test]
fn changed_times() {
    finds("UPDATE batch SET signed_at = '1999-01-01T00:00:00.000Z'", &[WRONG]);
}

#[test]
fn a_batch_that_was_removed_in_every_other_table() {
    let removed = "DELETE FROM signature WHERE record_id > 50;
        UPDATE signing_key SET signature_count = signature_count - 10
        WHERE id = (SELECT key_id FROM batch WHERE id = 6);
        DELETE FROM feed WHERE batch_id = 6; DELETE FROM batch WHERE id = 6";
    let no_entry =
        "ledger: receipt 9 is of something that is not as it must be, such as a batch that is not signed";
    finds(removed, &["schema: receipt 9 refers to a batch that does not exist", no_entry]);
    let without = format!("{removed}; DELETE FROM receipt WHERE seq = 9");
    finds(&without, &["ledger: it is said to end with entry 9, but the receipts end with 8"]);
    finds(
        &format!("{without}; UPDATE ledger SET size = 8, checkpoint_size = NULL, checkpoint = NULL"),
        &["the ledger cannot be read: table ledger does not have one row with an edge"],
    );
}

#[test]
fn receipts_that_are_gone_doubled_or_said_not_to_exist() {
    finds(
        "DELETE FROM receipt WHERE seq = 5",
        &[
            "batch 2: it is signed, but has no receipt in the ledger",
            "ledger: receipt 6 comes after receipt 4",
        ],
    );
    finds(
        "UPDATE receipt SET root = zeroblob(32) WHERE seq = 4",
        &["batch 1: its records, their names or their signatures are not those of its receipt", WRONG],
    );
    finds("UPDATE receipt SET head = zeroblob(32) WHERE seq = 4", &[WRONG]);
    finds(
        "UPDATE ledger SET edge = zeroblob(64)",
        &["ledger: the edge in its row is not that of the receipts"],
    );
}

#[test]
fn keys_that_appeared_without_an_entry() {
    let key = "INSERT INTO signing_key (fingerprint, public_key, bits, custody, sealed_key)
        SELECT fingerprint, public_key, bits, custody, sealed_key FROM other.signing_key";
    let other = Sandbox::new();
    other.ok(&["seed", "--records", "1", "--keys", "1"]);
    let sandbox = crate::verify::signed();
    sandbox.sql(&format!("ATTACH '{}' AS other; {key} WHERE id = 1", other.path("signwave.db").display()));
    assert_eq!(
        crate::tamper::problems(&sandbox),
        ["key 4: the ledger does not say that it was added, or that it was retired"]
    );
}
