//! What the schema itself refuses, tried by a stranger with plain SQL.

use support::stranger::Database;

#[test]
fn records_are_append_only() {
    let database = Database::new();
    database.refuses(
        "a record cannot be changed",
        &[
            "UPDATE record SET payload = 'new' WHERE id = 1",
            "UPDATE OR REPLACE record SET id = 2 WHERE id = 9",
            "UPDATE OR IGNORE record SET payload = 'new' WHERE id = 9",
        ],
    );
    database
        .refuses("a record cannot be deleted", &["DELETE FROM record WHERE id = 9", "DELETE FROM record"]);
    database.refuses("a record with this id is there already", &[
        "INSERT INTO record (id, payload) VALUES (9, 'new')",
        "REPLACE INTO record (id, payload) VALUES (1, 'new')",
        "INSERT OR REPLACE INTO record (id, payload) VALUES (9, 'new')",
        "INSERT INTO record (id, payload) VALUES (9, 'new') ON CONFLICT (id) DO UPDATE SET payload = 'new'",
    ]);
    database.refuses(
        "another payload",
        &[
            "INSERT INTO record (external_id, payload) VALUES ('name', 'new')",
            "INSERT OR IGNORE INTO record (external_id, payload) VALUES ('name', 'new')",
            "REPLACE INTO record (external_id, payload) VALUES ('name', 'new')",
            "INSERT OR REPLACE INTO record (id, external_id, payload) VALUES (10, 'name', 'new')",
        ],
    );
    database.refuses(
        "CHECK constraint failed",
        &[
            "INSERT INTO record (id, payload) VALUES (0, 'new')",
            "INSERT INTO record (id, payload) VALUES (-1, 'new')",
            "INSERT INTO record (id, payload) VALUES (9223372036854775807, 'new')",
            "INSERT INTO record (payload) VALUES (5)",
            "INSERT INTO record (payload) VALUES (1.5)",
            "INSERT INTO record (external_id, payload) VALUES (x'00', '')",
        ],
    );
    database.refuses("NOT NULL constraint failed", &["INSERT INTO record (payload) VALUES (NULL)"]);
}

#[test]
fn the_same_named_record_again_is_skipped_without_a_word() {
    let database = Database::new();
    let before = database.dump();
    database.allows("INSERT INTO record (external_id, payload) VALUES ('name', 'old'), ('name', x'6f6c64')");
    assert_eq!(database.dump(), before);
}

#[test]
fn signatures_are_written_once() {
    let database = Database::new();
    database.refuses(
        "a signature cannot be changed",
        &[
            "UPDATE signature SET value = x'00'",
            "UPDATE OR REPLACE signature SET record_id = 2 WHERE record_id = 1",
            "UPDATE OR REPLACE signature SET rowid = 2 WHERE record_id = 1",
        ],
    );
    database.refuses(
        "a signature cannot be deleted",
        &["DELETE FROM signature", "DELETE FROM signature WHERE record_id = 1"],
    );
    database.refuses(
        "while its batch is leased",
        &[
            "INSERT INTO signature VALUES (1, 1, x'00')",
            "REPLACE INTO signature VALUES (1, 1, x'00')",
            "INSERT OR REPLACE INTO signature VALUES (1, 2, x'00')",
            "INSERT OR REPLACE INTO signature VALUES (2, 3, x'00')",
            "INSERT INTO signature VALUES (5, 3, x'00')",
            "INSERT INTO signature VALUES (7, 2, x'00')",
            "INSERT INTO signature VALUES (7, 99, x'00')",
        ],
    );
}

#[test]
fn batches_follow_their_life_and_nothing_else() {
    let database = Database::new();
    database.refuses("a batch goes from open to leased", &[
        "UPDATE batch SET state = 'open', key_id = NULL, scheme = NULL, leased_at = NULL, signed_at = NULL, epoch = 2 WHERE id = 1",
        "UPDATE batch SET epoch = 9 WHERE id = 1",
        "UPDATE batch SET key_id = 3 WHERE id = 1",
        "UPDATE batch SET signed_at = 'never' WHERE id = 1",
        "UPDATE batch SET epoch = 0 WHERE id = 2",
        "UPDATE batch SET epoch = 2 WHERE id = 2",
        "UPDATE batch SET key_id = 1 WHERE id = 2",
        &format!("BEGIN; {RECEIPT}; UPDATE batch SET state = 'signed', node_id = NULL, signed_at = 'now', key_id = 1 WHERE id = 2"),
        &format!("BEGIN; {RECEIPT}; UPDATE batch SET state = 'signed', node_id = NULL, signed_at = 'now', epoch = 2 WHERE id = 2"),
        "UPDATE batch SET state = 'signed', key_id = 1, scheme = 'PS256', leased_at = 'now', signed_at = 'now' WHERE id = 3",
        "UPDATE batch SET state = 'leased', key_id = 1, node_id = 1, scheme = 'PS256', leased_at = 'now' WHERE id = 3",
        "UPDATE batch SET state = 'leased', key_id = 2, node_id = 1, scheme = 'PS256', leased_at = 'now', epoch = 1 WHERE id = 3",
        "UPDATE OR REPLACE batch SET state = 'leased', key_id = 2, node_id = 1, scheme = 'PS256', leased_at = 'now', epoch = 1 WHERE id = 3",
        "UPDATE batch SET state = NULL WHERE id = 3",
        "UPDATE batch SET epoch = NULL WHERE id = 3",
    ]);
    database.refuses("CHECK constraint failed", &[
        "UPDATE batch SET state = 'open', epoch = 2 WHERE id = 2",
        &format!("BEGIN; {RECEIPT}; UPDATE batch SET state = 'signed', signed_at = 'now' WHERE id = 2"),
        "UPDATE batch SET state = 'leased', epoch = 1, key_id = 1, scheme = 'PS256', leased_at = 'now' WHERE id = 3",
        "UPDATE batch SET state = 'leased', epoch = 1, key_id = 1, node_id = 1, scheme = 'none', leased_at = 'now' WHERE id = 3",
    ]);
    // Along with a change that is allowed.
    for change in
        ["first_record = 7", "last_record = 7", "runs = '5'", "record_count = 1", "opened_at = 'never'"]
    {
        database.refuses("a batch is formed once", &[&format!(
            "UPDATE batch SET state = 'leased', epoch = 1, key_id = 1, node_id = 1, scheme = 'PS256', leased_at = 'now', {change} WHERE id = 3"
        )]);
    }
    database.refuses("a batch cannot be deleted", &["DELETE FROM batch WHERE id = 3", "DELETE FROM batch"]);
}

#[test]
fn a_batch_is_leased_only_within_the_limits_of_its_key() {
    let limits = [
        ("max_signatures = 3", true),
        ("max_signatures = 4", false),
        ("not_before = '2027-01-01T00:00:00.001Z'", true),
        ("not_before = '2027-01-01T00:00:00.000Z'", false),
        ("not_after = '2027-01-01T00:00:00.000Z'", true),
        ("not_after = '2027-01-01T00:00:00.001Z'", false),
    ];
    for (limit, is_refused) in limits {
        let database = Database::new();
        database.allows(&format!("UPDATE signing_key SET {limit} WHERE id = 1"));
        let lease = "UPDATE batch SET state = 'leased', key_id = 1, node_id = 1, scheme = 'PS256', \
                     leased_at = '2027-01-01T00:00:00.000Z', epoch = 1 WHERE id = 3";
        if is_refused {
            database.refuses("a key signs only within its limits", &[lease]);
        } else {
            database.allows(lease);
        }
    }
}

/// The index holds it alone, should the trigger be gone; so does the primary key of `signature`.
#[test]
fn a_key_is_never_leased_twice_and_a_record_never_signed_twice_even_without_triggers() {
    let database = Database::new();
    database.allows("DROP TRIGGER batch_transitions; DROP TRIGGER signature_of_leased_batch");
    database.refuses(
        "UNIQUE constraint failed: batch.key_id",
        &["UPDATE batch SET state = 'leased', key_id = 2, node_id = 1, scheme = 'PS256', leased_at = 'now' WHERE id = 3"],
    );
    database.refuses(
        "UNIQUE constraint failed: signature.record_id",
        &["INSERT INTO signature VALUES (1, 1, x'00')"],
    );
}

#[test]
fn batches_are_formed_above_the_frontier_and_without_gaps() {
    let database = Database::new();
    let insert = "INSERT INTO batch (id, first_record, last_record, runs, record_count)";
    let refuses = |because: &str, values: &[&str]| {
        for values in values {
            database.refuses(
                because,
                &[
                    &format!("{insert} VALUES {values}"),
                    &format!("{insert} VALUES {values}").replace("INSERT", "REPLACE"),
                ],
            );
        }
    };
    refuses(
        "formed open, with epoch 0",
        &[
            "(NULL, 6, 7, '6-7', 2)",
            "(NULL, 1, 2, '1-2', 2)",
            "(4, 5, 6, '5-6', 2)",
            "(3, 7, 8, '7-8', 2)",
            "(1, 7, 8, '7-8', 2)",
        ],
    );
    refuses("numbered without gaps", &["(5, 7, 8, '7-8', 2)", "(99, 7, 8, '7-8', 2)"]);
    refuses(
        "CHECK constraint failed",
        &[
            "(NULL, 8, 7, '7-8', 2)",
            "(NULL, 7, 8, '7-8', 3)",
            "(NULL, 7, 8, '7-8', 0)",
            "(NULL, 7, 8, '', 2)",
            "(NULL, 'seven', 'x', '7-8', 2)",
            "(NULL, 7, 8, '7-8', 'two')",
        ],
    );
    database.refuses("formed open, with epoch 0", &[
        "INSERT INTO batch (first_record, last_record, runs, record_count, epoch) VALUES (7, 8, '7-8', 2, 5)",
        "INSERT INTO batch (first_record, last_record, runs, record_count, state, key_id, scheme, leased_at, signed_at)
         VALUES (7, 8, '7-8', 2, 'signed', 1, 'PS256', 'now', 'now')",
    ]);
}

#[test]
fn keys_are_never_deleted_and_never_become_others() {
    let database = Database::new();
    database.refuses(
        "a key cannot be deleted",
        &["DELETE FROM signing_key WHERE id = 3", "DELETE FROM signing_key"],
    );
    let other = format!("('{}', x'09', 2048, 'database', x'09')", "09".repeat(32));
    let same = format!("('{}', x'09', 2048, 'database', x'09')", "01".repeat(32));
    let columns = "(fingerprint, public_key, bits, custody, sealed_key)";
    database.refuses("this key is there already", &[
        &format!("REPLACE INTO signing_key {columns} VALUES {same}"),
        &format!("INSERT OR REPLACE INTO signing_key {columns} VALUES {same}"),
        &format!("REPLACE INTO signing_key (id, fingerprint, public_key, bits, custody, sealed_key) VALUES (1, {}", &other[1..]),
    ]);
    database.refuses("what a key is cannot be changed", &[
        "UPDATE signing_key SET public_key = x'00' WHERE id = 1",
        "UPDATE signing_key SET bits = 1024 WHERE id = 1",
        "UPDATE OR REPLACE signing_key SET fingerprint = (SELECT fingerprint FROM signing_key WHERE id = 2) WHERE id = 1",
    ]);
    database.refuses(
        "a retired key stays retired",
        &[
            "UPDATE signing_key SET state = 'active' WHERE id = 3",
            "UPDATE signing_key SET state = NULL WHERE id = 3",
        ],
    );
    database.refuses(
        "only rise",
        &[
            "UPDATE signing_key SET id = 9 WHERE id = 1",
            "UPDATE OR REPLACE signing_key SET rowid = 2 WHERE id = 1",
            "UPDATE signing_key SET last_leased = 0 WHERE id = 1",
            "UPDATE signing_key SET signature_count = 1 WHERE id = 1",
        ],
    );
    database.refuses(
        "CHECK constraint failed",
        &[
            "UPDATE signing_key SET state = 'lost' WHERE id = 1",
            "UPDATE signing_key SET sealed_key = NULL WHERE id = 1",
            "UPDATE signing_key SET location = 'id=%01' WHERE id = 1",
            "UPDATE signing_key SET custody = 'hsm' WHERE id = 1",
            "UPDATE signing_key SET custody = 'hsm', location = 'id=%01' WHERE id = 1",
            "UPDATE signing_key SET custody = 'hsm', sealed_key = NULL WHERE id = 1",
            "UPDATE signing_key SET custody = 'hsm', sealed_key = NULL, location = '' WHERE id = 1",
            "UPDATE signing_key SET custody = '', sealed_key = NULL, location = 'id=%01' WHERE id = 1",
            "UPDATE signing_key SET custody = x'68', sealed_key = NULL, location = 'id=%01' WHERE id = 1",
            "UPDATE signing_key SET custody = 'hsm', sealed_key = NULL, location = x'01' WHERE id = 1",
            "UPDATE signing_key SET last_leased = 'late' WHERE id = 1",
            "UPDATE signing_key SET certificates = 'text' WHERE id = 1",
            "UPDATE signing_key SET certificates = x'' WHERE id = 1",
            "UPDATE signing_key SET certificates = zeroblob(65537) WHERE id = 1",
            "UPDATE signing_key SET max_signatures = 0 WHERE id = 1",
            "UPDATE signing_key SET max_signatures = 1 WHERE id = 1",
            "UPDATE signing_key SET max_signatures = 2.5 WHERE id = 1",
            "UPDATE signing_key SET max_signatures = 'many' WHERE id = 1",
            "UPDATE signing_key SET max_signatures = 3, signature_count = 4 WHERE id = 1",
            "UPDATE signing_key SET not_before = 'soon' WHERE id = 1",
            "UPDATE signing_key SET not_before = '2027-01-01T00:00:00Z' WHERE id = 1",
            "UPDATE signing_key SET not_after = '1969-12-31T00:00:00.000Z' WHERE id = 1",
            "UPDATE signing_key SET not_after = '2027-01-01T00:00:00.000Z', not_before = '2027-01-01T00:00:00.000Z' WHERE id = 1",
            &format!("INSERT INTO signing_key {columns} VALUES ('short', x'09', 2048, 'database', x'09')"),
            &format!("INSERT INTO signing_key {columns} VALUES {}", other.replace("0909'", "090X'")),
        ],
    );
}

#[test]
fn a_node_that_holds_batches_cannot_be_removed_or_replaced() {
    let database = Database::new();
    database.refuses("a node that holds batches cannot be removed", &["DELETE FROM node"]);
    database.refuses(
        "this node is there already",
        &["REPLACE INTO node (id, name, lease_until, lease_ttl, custodians) VALUES (1, 'x', 'y', 1, '')"],
    );
    database.refuses(
        "the id of a node cannot be changed",
        &["UPDATE node SET id = 5", "UPDATE node SET _rowid_ = 5"],
    );
}

#[test]
fn a_payload_over_the_limit_is_refused() {
    let database = Database::new();
    database.refuses(
        "a payload has 16777216 bytes at most",
        &[
            "INSERT INTO record (payload) VALUES (zeroblob(16777217))",
            "INSERT INTO record (payload) VALUES (replace(hex(zeroblob(4194305)), '0', '✓'))",
        ],
    );
}

/// A receipt of batch 2, which is leased.
const RECEIPT: &str =
    "INSERT INTO receipt (seq, batch_id, root, head) VALUES (5, 2, zeroblob(32), zeroblob(32))";

#[test]
fn a_batch_is_signed_together_with_its_receipt() {
    let database = Database::new();
    let sign = "UPDATE batch SET state = 'signed', node_id = NULL, signed_at = '2027-01-01T00:00:00.000Z' WHERE id = 2";
    let release = "UPDATE batch SET state = 'open', node_id = NULL, key_id = NULL, scheme = NULL, leased_at = NULL, \
                   epoch = 2 WHERE id = 2";
    let together = "a batch is signed together with its receipt";
    database.refuses(together, &[sign, &format!("BEGIN; {RECEIPT}; {release}")]);
    let receipt =
        |values: &str| format!("INSERT INTO receipt (seq, batch_id, root, entry, head) VALUES ({values})");
    database.refuses(
        "the receipt of a batch is stored once",
        &[
            &receipt("5, 3, zeroblob(32), NULL, zeroblob(32)"),
            &receipt("5, 1, zeroblob(32), NULL, zeroblob(32)"),
        ],
    );
    database.refuses(
        "this receipt is there already",
        &[
            &receipt("4, 2, zeroblob(32), NULL, zeroblob(32)"),
            "REPLACE INTO receipt (seq, batch_id, root, head) VALUES (1, 2, zeroblob(32), zeroblob(32))",
        ],
    );
    database
        .refuses("receipts are numbered without gaps", &[&receipt("6, 2, zeroblob(32), NULL, zeroblob(32)")]);
    database.refuses(
        "CHECK constraint failed",
        &[
            &receipt("5, 2, NULL, NULL, zeroblob(32)"),
            &receipt("5, 2, zeroblob(31), NULL, zeroblob(32)"),
            &receipt("5, 2, zeroblob(32), 'entry', zeroblob(32)"),
            &receipt("5, NULL, NULL, NULL, zeroblob(32)"),
            &receipt("5, 2, zeroblob(32), NULL, 'a text of as many characters 32.'"),
        ],
    );
    database.refuses(
        "a receipt cannot be changed",
        &["UPDATE receipt SET seq = 9", "UPDATE receipt SET root = NULL"],
    );
    database.refuses("a receipt cannot be deleted", &["DELETE FROM receipt"]);
    database.allows(&format!("BEGIN; {RECEIPT}; {sign}; COMMIT"));
}

#[test]
fn the_ledger_only_goes_on_and_halts_everything() {
    let database = Database::new();
    database.refuses(
        "the ledger only goes on",
        &[
            "UPDATE ledger SET size = 3, edge = zeroblob(64)",
            "UPDATE ledger SET edge = zeroblob(32)",
            "UPDATE ledger SET incarnation = 0",
            "UPDATE ledger SET id = '0123456789abcdef'",
        ],
    );
    database.refuses("there is one ledger", &["INSERT INTO ledger (id) VALUES ('0123456789abcdef')"]);
    database.refuses("the ledger cannot be deleted", &["DELETE FROM ledger"]);
    database.allows("UPDATE ledger SET halted = 'because'");
    let release = "UPDATE batch SET state = 'open', node_id = NULL, key_id = NULL, scheme = NULL, leased_at = NULL, \
                   epoch = 2 WHERE id = 2";
    database.refuses("nothing is added, formed, leased or signed", &[
        "INSERT INTO record (payload) VALUES ('late')",
        "INSERT INTO batch (first_record, last_record, runs, record_count) VALUES (7, 7, '7', 1)",
        "UPDATE batch SET state = 'leased', epoch = 1, key_id = 1, node_id = 1, scheme = 'PS256', leased_at = 'now' WHERE id = 3",
        &format!("BEGIN; {RECEIPT}; UPDATE batch SET state = 'signed', node_id = NULL, signed_at = 'now' WHERE id = 2"),
    ]);
    database.allows(release);
}

#[test]
fn positions_of_the_feed_are_final() {
    let database = Database::new();
    let open = "SELECT min(id) FROM batch WHERE state <> 'signed'";
    database.refuses(
        "a position of the feed cannot be changed",
        &["UPDATE feed SET position = 9 WHERE position = 1", "UPDATE OR REPLACE feed SET batch_id = 9"],
    );
    database.refuses("a position of the feed cannot be deleted", &["DELETE FROM feed"]);
    database.refuses(
        "this position or this batch is in the feed already",
        &[
            "REPLACE INTO feed (position, batch_id) VALUES (1, 1)",
            "INSERT OR IGNORE INTO feed (position, batch_id) VALUES (2, 1)",
            "REPLACE INTO feed (position, batch_id) SELECT 9, batch_id FROM feed WHERE position = 1",
        ],
    );
    database.refuses(
        "only a signed batch has a position in the feed",
        &[
            &format!("INSERT INTO feed (position, batch_id) SELECT max(position) + 1, ({open}) FROM feed"),
            "INSERT INTO feed (position, batch_id) SELECT max(position) + 1, 99 FROM feed",
        ],
    );
    database.refuses("the feed has one id", &["INSERT INTO feed_identity VALUES ('0123456789ab')"]);
    database.refuses("the id of the feed cannot be deleted", &["DELETE FROM feed_identity"]);
    database.refuses("CHECK constraint failed", &["UPDATE feed_identity SET id = '0123456789AB'"]);
}
