-- What no process may do, Sign Wave included, whatever pragmas it has set. REPLACE deletes rows without firing
-- delete triggers, so each table has a guard before INSERT too.

-- record: append-only.

CREATE TRIGGER record_no_update BEFORE UPDATE ON record BEGIN
    SELECT RAISE(ABORT, 'signwave: a record cannot be changed');
END;

CREATE TRIGGER record_no_delete BEFORE DELETE ON record BEGIN
    SELECT RAISE(ABORT, 'signwave: a record cannot be deleted');
END;

CREATE TRIGGER record_no_replace BEFORE INSERT ON record BEGIN
    -- The same record once more is skipped without a word, so that an import can be run again.
    SELECT CASE WHEN CAST(payload AS BLOB) = CAST(NEW.payload AS BLOB)
        THEN RAISE(IGNORE)
        ELSE RAISE(ABORT, 'signwave: a record with this external_id and another payload is there already')
    END FROM record WHERE external_id = NEW.external_id;
    SELECT RAISE(ABORT, 'signwave: a record with this id is there already') FROM record WHERE id = NEW.id;
END;

-- Signing, verifying and exporting hold a whole payload in memory. 'signwave migrate --max-payload' recreates
-- this trigger with another number. CAST, because length() counts the characters of a text.
CREATE TRIGGER record_payload_is_within_its_limit BEFORE INSERT ON record
WHEN length(CAST(NEW.payload AS BLOB)) > 16777216 BEGIN
    SELECT RAISE(ABORT, 'signwave: a payload has 16777216 bytes at most: ''signwave migrate --max-payload'' changes that');
END;

-- Batches are formed of ids above the highest one in any batch: a record below it would never be signed.
CREATE TRIGGER record_above_frontier AFTER INSERT ON record
WHEN NEW.id <= (SELECT last_record FROM batch ORDER BY id DESC LIMIT 1) BEGIN
    SELECT RAISE(ABORT, 'signwave: a record below the frontier would never be signed: let the database assign the id');
END;

-- signing_key: never deleted, because its signatures must stay verifiable.

CREATE TRIGGER signing_key_no_replace BEFORE INSERT ON signing_key
WHEN EXISTS (SELECT 1 FROM signing_key WHERE id = NEW.id OR fingerprint = NEW.fingerprint) BEGIN
    SELECT RAISE(ABORT, 'signwave: this key is there already');
END;

CREATE TRIGGER signing_key_no_delete BEFORE DELETE ON signing_key BEGIN
    SELECT RAISE(ABORT, 'signwave: a key cannot be deleted, only retired');
END;

CREATE TRIGGER signing_key_identity BEFORE UPDATE OF fingerprint, public_key, bits, created_at ON signing_key BEGIN
    SELECT RAISE(ABORT, 'signwave: what a key is cannot be changed');
END;

CREATE TRIGGER signing_key_retired_is_final BEFORE UPDATE OF state ON signing_key
WHEN OLD.state = 'retired' AND NEW.state IS NOT 'retired' BEGIN
    SELECT RAISE(ABORT, 'signwave: a retired key stays retired');
END;

-- Not UPDATE OF id, because a statement may call that column rowid.
CREATE TRIGGER signing_key_only_rises BEFORE UPDATE ON signing_key
WHEN NEW.id <> OLD.id OR NEW.last_leased < OLD.last_leased OR NEW.signature_count < OLD.signature_count BEGIN
    SELECT RAISE(ABORT, 'signwave: the id of a key stays, its last_leased and signature_count only rise');
END;

-- batch: formed once, then open -> leased -> signed, or back to open. Only right after a deliberate restore batches become
-- lost, or are lost when they are formed with records.

CREATE TRIGGER batch_formed_above_frontier BEFORE INSERT ON batch
WHEN NEW.state IS NOT 'lost' AND (NEW.state IS NOT 'open' OR NEW.epoch IS NOT 0)
    OR NEW.first_record <= (SELECT last_record FROM batch ORDER BY id DESC LIMIT 1)
    OR EXISTS (SELECT 1 FROM batch WHERE id = NEW.id) BEGIN
    SELECT RAISE(ABORT, 'signwave: a batch is formed open, with epoch 0, of records above the frontier');
END;

CREATE TRIGGER batch_ids_are_dense AFTER INSERT ON batch
WHEN NEW.id > 1 AND NOT EXISTS (SELECT 1 FROM batch WHERE id = NEW.id - 1) BEGIN
    SELECT RAISE(ABORT, 'signwave: batches are numbered without gaps: let the database assign the id');
END;

CREATE TRIGGER batch_no_delete BEFORE DELETE ON batch BEGIN
    SELECT RAISE(ABORT, 'signwave: a batch cannot be deleted');
END;

CREATE TRIGGER batch_is_formed_once BEFORE UPDATE OF first_record, last_record, runs, record_count, absent, opened_at ON batch BEGIN
    SELECT RAISE(ABORT, 'signwave: a batch is formed once');
END;

CREATE TRIGGER batch_is_lost_in_a_restore BEFORE UPDATE ON batch
WHEN NEW.state = 'lost' AND OLD.state <> 'lost' AND NOT EXISTS (
    SELECT 1 FROM receipt JOIN ledger ON receipt.seq = ledger.size WHERE receipt.entry GLOB 'signwave/restore/*'
) BEGIN
    SELECT RAISE(ABORT, 'signwave: batches become lost only in a restore that is accepted');
END;

-- With epoch 0 and of ids that no record has, and none can get any more, it hides nothing.
CREATE TRIGGER batch_is_formed_lost_in_a_restore BEFORE INSERT ON batch
WHEN NEW.state = 'lost' AND NOT EXISTS (
    SELECT 1 FROM receipt JOIN ledger ON receipt.seq = ledger.size WHERE receipt.entry GLOB 'signwave/restore/*'
) AND (NEW.epoch <> 0 OR EXISTS (SELECT 1 FROM record WHERE id BETWEEN NEW.first_record AND NEW.last_record)) BEGIN
    SELECT RAISE(ABORT, 'signwave: batches become lost only in a restore that is accepted');
END;

-- The EXISTS: UPDATE OR REPLACE would delete the other batch that is leased with the key.
CREATE TRIGGER batch_transitions BEFORE UPDATE ON batch
WHEN NEW.id <> OLD.id OR CASE OLD.state
        WHEN 'open' THEN (NEW.state = 'leased' AND NEW.epoch = OLD.epoch + 1
            AND NOT EXISTS (SELECT 1 FROM batch WHERE key_id = NEW.key_id AND state = 'leased'))
            OR (NEW.state = 'lost' AND NEW.epoch > OLD.epoch)
        WHEN 'leased' THEN (NEW.state = 'open' AND NEW.epoch = OLD.epoch + 1)
            OR (NEW.state = 'signed' AND NEW.epoch = OLD.epoch AND NEW.key_id = OLD.key_id
                AND NEW.scheme = OLD.scheme AND NEW.leased_at = OLD.leased_at)
            OR (NEW.state = 'lost' AND NEW.epoch >= OLD.epoch)
        ELSE 0
    END IS NOT 1 BEGIN
    SELECT RAISE(ABORT, 'signwave: a batch goes from open to leased (epoch + 1, an idle key) to signed (same epoch and key) or back to open (epoch + 1), and a signed or lost one stays as it is');
END;

-- A batch is leased only within the time of its key, and with as many records as the key may still sign. A key has one
-- leased batch at most, so no more signatures can follow.
CREATE TRIGGER batch_within_the_limits_of_its_key BEFORE UPDATE ON batch
WHEN NEW.state = 'leased' AND EXISTS (
    SELECT 1 FROM signing_key WHERE id = NEW.key_id
        AND (NEW.record_count > max_signatures - signature_count
            OR NEW.leased_at < not_before OR NEW.leased_at >= not_after)
) BEGIN
    SELECT RAISE(ABORT, 'signwave: a key signs only within its limits: max_signatures, not_before, not_after');
END;

-- signature: written once, while its batch is leased. Batches do not overlap, and a signed batch stays signed,
-- so no stored row can be replaced.

CREATE TRIGGER signature_of_leased_batch BEFORE INSERT ON signature
WHEN NOT EXISTS (
    SELECT 1 FROM batch
    WHERE id = NEW.batch_id AND state = 'leased' AND NEW.record_id BETWEEN first_record AND last_record
) BEGIN
    SELECT RAISE(ABORT, 'signwave: a signature is stored once, while its batch is leased');
END;

CREATE TRIGGER signature_no_update BEFORE UPDATE ON signature BEGIN
    SELECT RAISE(ABORT, 'signwave: a signature cannot be changed');
END;

CREATE TRIGGER signature_no_delete BEFORE DELETE ON signature BEGIN
    SELECT RAISE(ABORT, 'signwave: a signature cannot be deleted');
END;

-- receipt: append-only, and stored with the signatures.

CREATE TRIGGER receipt_no_replace BEFORE INSERT ON receipt
WHEN EXISTS (SELECT 1 FROM receipt WHERE seq = NEW.seq OR batch_id = NEW.batch_id) BEGIN
    SELECT RAISE(ABORT, 'signwave: this receipt is there already');
END;

CREATE TRIGGER receipt_is_dense AFTER INSERT ON receipt
WHEN NEW.seq > 1 AND NOT EXISTS (SELECT 1 FROM receipt WHERE seq = NEW.seq - 1) BEGIN
    SELECT RAISE(ABORT, 'signwave: receipts are numbered without gaps');
END;

CREATE TRIGGER receipt_of_leased_batch BEFORE INSERT ON receipt
WHEN NEW.batch_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM batch WHERE id = NEW.batch_id AND state = 'leased') BEGIN
    SELECT RAISE(ABORT, 'signwave: the receipt of a batch is stored once, in the commit of its signatures');
END;

CREATE TRIGGER receipt_no_update BEFORE UPDATE ON receipt BEGIN
    SELECT RAISE(ABORT, 'signwave: a receipt cannot be changed');
END;

CREATE TRIGGER receipt_no_delete BEFORE DELETE ON receipt BEGIN
    SELECT RAISE(ABORT, 'signwave: a receipt cannot be deleted');
END;

CREATE TRIGGER batch_has_a_receipt_when_signed BEFORE UPDATE ON batch
WHEN OLD.state = 'leased' AND (NEW.state = 'signed') IS NOT EXISTS (SELECT 1 FROM receipt WHERE batch_id = OLD.id) BEGIN
    SELECT RAISE(ABORT, 'signwave: a batch is signed together with its receipt');
END;

-- ledger: one row, which only goes on.

CREATE TRIGGER ledger_is_one_row BEFORE INSERT ON ledger
WHEN EXISTS (SELECT 1 FROM ledger) BEGIN
    SELECT RAISE(ABORT, 'signwave: there is one ledger');
END;

CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN
    SELECT RAISE(ABORT, 'signwave: the ledger cannot be deleted');
END;

CREATE TRIGGER ledger_only_rises BEFORE UPDATE ON ledger
WHEN NEW.id IS NOT OLD.id OR (NEW.incarnation >= OLD.incarnation AND NEW.size >= OLD.size) IS NOT 1
    OR NEW.size = OLD.size AND NEW.edge IS NOT OLD.edge
    OR OLD.public_key IS NOT NULL AND NEW.public_key IS NOT OLD.public_key
    OR OLD.checkpoint_size IS NOT NULL AND (NEW.checkpoint_size >= OLD.checkpoint_size) IS NOT 1 BEGIN
    SELECT RAISE(ABORT, 'signwave: the ledger only goes on');
END;

-- Records would get ids that were used.
CREATE TRIGGER ledger_halts_adding BEFORE INSERT ON record
WHEN EXISTS (SELECT 1 FROM ledger WHERE halted IS NOT NULL) BEGIN
    SELECT RAISE(ABORT, 'signwave: this database is older than what was shown of it, so nothing is added, formed, leased or signed');
END;

CREATE TRIGGER ledger_halts_forming BEFORE INSERT ON batch
WHEN EXISTS (SELECT 1 FROM ledger WHERE halted IS NOT NULL) BEGIN
    SELECT RAISE(ABORT, 'signwave: this database is older than what was shown of it, so nothing is added, formed, leased or signed');
END;

CREATE TRIGGER ledger_halts_signing BEFORE UPDATE ON batch
WHEN NEW.state <> 'open' AND EXISTS (SELECT 1 FROM ledger WHERE halted IS NOT NULL) BEGIN
    SELECT RAISE(ABORT, 'signwave: this database is older than what was shown of it, so nothing is added, formed, leased or signed');
END;

-- feed: append-only.

CREATE TRIGGER feed_no_replace BEFORE INSERT ON feed
WHEN EXISTS (SELECT 1 FROM feed WHERE position = NEW.position OR batch_id = NEW.batch_id) BEGIN
    SELECT RAISE(ABORT, 'signwave: this position or this batch is in the feed already');
END;

CREATE TRIGGER feed_is_dense AFTER INSERT ON feed
WHEN NEW.position > 1 AND NOT EXISTS (SELECT 1 FROM feed WHERE position = NEW.position - 1) BEGIN
    SELECT RAISE(ABORT, 'signwave: positions of the feed are numbered without gaps');
END;

CREATE TRIGGER feed_has_signed_batches BEFORE INSERT ON feed
WHEN NOT EXISTS (SELECT 1 FROM batch WHERE id = NEW.batch_id AND state = 'signed') BEGIN
    SELECT RAISE(ABORT, 'signwave: only a signed batch has a position in the feed');
END;

CREATE TRIGGER feed_no_update BEFORE UPDATE ON feed BEGIN
    SELECT RAISE(ABORT, 'signwave: a position of the feed cannot be changed');
END;

CREATE TRIGGER feed_no_delete BEFORE DELETE ON feed BEGIN
    SELECT RAISE(ABORT, 'signwave: a position of the feed cannot be deleted');
END;

CREATE TRIGGER feed_identity_is_one_row BEFORE INSERT ON feed_identity
WHEN EXISTS (SELECT 1 FROM feed_identity) BEGIN
    SELECT RAISE(ABORT, 'signwave: the feed has one id');
END;

CREATE TRIGGER feed_identity_no_delete BEFORE DELETE ON feed_identity BEGIN
    SELECT RAISE(ABORT, 'signwave: the id of the feed cannot be deleted');
END;

-- node: its id is a name that others may still hold.

CREATE TRIGGER node_no_replace BEFORE INSERT ON node
WHEN EXISTS (SELECT 1 FROM node WHERE id = NEW.id) BEGIN
    SELECT RAISE(ABORT, 'signwave: this node is there already');
END;

CREATE TRIGGER node_identity BEFORE UPDATE ON node WHEN NEW.id <> OLD.id BEGIN
    SELECT RAISE(ABORT, 'signwave: the id of a node cannot be changed');
END;

-- Foreign keys are enforced only where a connection asks for it; this is enforced everywhere.
CREATE TRIGGER node_holds_nothing BEFORE DELETE ON node
WHEN EXISTS (SELECT 1 FROM batch WHERE node_id = OLD.id) BEGIN
    SELECT RAISE(ABORT, 'signwave: a node that holds batches cannot be removed');
END;

-- api_token: revoked, never deleted, except for sessions whose time is over. REPLACE would delete the token that has the same id or certificate.

CREATE TRIGGER api_token_no_replace BEFORE INSERT ON api_token
WHEN EXISTS (
    SELECT 1 FROM api_token
    WHERE id = NEW.id OR certificate_sha256 = NEW.certificate_sha256 AND revoked_at IS NULL
) BEGIN
    SELECT RAISE(ABORT, 'signwave: a token with this id or certificate is there already');
END;

CREATE TRIGGER api_token_begins BEFORE INSERT ON api_token
WHEN NEW.previous_sha256 IS NOT NULL OR NEW.revoked_at IS NOT NULL OR NEW.last_used_at IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'signwave: a token begins with one secret, unused and not revoked');
END;

CREATE TRIGGER api_token_no_delete BEFORE DELETE ON api_token
WHEN (OLD.parent IS NOT NULL AND OLD.expires_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now')) IS NOT 1 BEGIN
    SELECT RAISE(ABORT, 'signwave: a token cannot be deleted, only revoked');
END;

CREATE TRIGGER api_token_identity BEFORE UPDATE ON api_token
WHEN NEW.id IS NOT OLD.id OR NEW.name IS NOT OLD.name OR NEW.scopes IS NOT OLD.scopes
    OR NEW.certificate_sha256 IS NOT OLD.certificate_sha256 OR NEW.created_at IS NOT OLD.created_at
    OR NEW.parent IS NOT OLD.parent OR OLD.parent IS NOT NULL
    AND (NEW.secret_sha256 IS NOT OLD.secret_sha256 OR NEW.expires_at IS NOT OLD.expires_at) BEGIN
    SELECT RAISE(ABORT, 'signwave: what a token is and may do cannot be changed');
END;

CREATE TRIGGER api_token_revoked_is_final BEFORE UPDATE ON api_token WHEN OLD.revoked_at IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'signwave: a revoked token stays as it is');
END;

-- A new secret may come with a new end. The secret that it replaces becomes the previous one, or ends at once.
CREATE TRIGGER api_token_rotation BEFORE UPDATE ON api_token
WHEN CASE
    WHEN NEW.secret_sha256 IS NOT OLD.secret_sha256 THEN NEW.previous_sha256 <> OLD.secret_sha256
    WHEN NEW.expires_at IS NOT OLD.expires_at THEN 1
    WHEN NEW.previous_sha256 IS NULL THEN 0
    ELSE NEW.previous_sha256 IS NOT OLD.previous_sha256 OR NEW.previous_until IS NOT OLD.previous_until
END BEGIN
    SELECT RAISE(ABORT, 'signwave: only a rotation changes the end and the previous secret of a token');
END;

CREATE TRIGGER api_token_use_only_rises BEFORE UPDATE ON api_token
WHEN OLD.last_used_at IS NOT NULL AND (NEW.last_used_at >= OLD.last_used_at) IS NOT 1 BEGIN
    SELECT RAISE(ABORT, 'signwave: the last use of a token only rises');
END;

-- api_audit: append-only.

CREATE TRIGGER api_audit_no_replace BEFORE INSERT ON api_audit
WHEN EXISTS (SELECT 1 FROM api_audit WHERE id = NEW.id) BEGIN
    SELECT RAISE(ABORT, 'signwave: this row of the audit log is there already');
END;

CREATE TRIGGER api_audit_ids_are_dense AFTER INSERT ON api_audit
WHEN NEW.id > 1 AND NOT EXISTS (SELECT 1 FROM api_audit WHERE id = NEW.id - 1) BEGIN
    SELECT RAISE(ABORT, 'signwave: the audit log is numbered without gaps: let the database assign the id');
END;

CREATE TRIGGER api_audit_no_update BEFORE UPDATE ON api_audit BEGIN
    SELECT RAISE(ABORT, 'signwave: the audit log cannot be changed');
END;

CREATE TRIGGER api_audit_no_delete BEFORE DELETE ON api_audit BEGIN
    SELECT RAISE(ABORT, 'signwave: the audit log cannot be deleted');
END;
