-- What no process may do, Sign Wave included. With ENABLE ALWAYS a guard also fires in a session that replays
-- changes from elsewhere (session_replication_role).

CREATE FUNCTION signwave_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = 'signwave: ' || TG_ARGV[0], ERRCODE = 'integrity_constraint_violation';
END
$$;
COMMENT ON FUNCTION signwave_refuse() IS 'Refuses what a trigger was made against.';

CREATE TRIGGER record_no_update BEFORE UPDATE ON record FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a record cannot be changed');

CREATE TRIGGER record_no_delete BEFORE DELETE ON record FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a record cannot be deleted');

CREATE TRIGGER record_no_truncate BEFORE TRUNCATE ON record FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a record cannot be deleted');

CREATE TRIGGER signing_key_no_delete BEFORE DELETE ON signing_key FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a key cannot be deleted, only retired');

CREATE TRIGGER signing_key_no_truncate BEFORE TRUNCATE ON signing_key FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a key cannot be deleted, only retired');

CREATE TRIGGER batch_no_delete BEFORE DELETE ON batch FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a batch cannot be deleted');

CREATE TRIGGER batch_no_truncate BEFORE TRUNCATE ON batch FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a batch cannot be deleted');

CREATE TRIGGER signature_no_update BEFORE UPDATE ON signature FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a signature cannot be changed');

CREATE TRIGGER signature_no_delete BEFORE DELETE ON signature FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a signature cannot be deleted');

CREATE TRIGGER signature_no_truncate BEFORE TRUNCATE ON signature FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a signature cannot be deleted');

-- Except for sessions whose time is over.
CREATE TRIGGER api_token_no_delete BEFORE DELETE ON api_token FOR EACH ROW
WHEN ((OLD.parent IS NOT NULL AND OLD.expires_at < clock_timestamp()) IS NOT TRUE)
EXECUTE FUNCTION signwave_refuse('a token cannot be deleted, only revoked');

CREATE TRIGGER api_token_no_truncate BEFORE TRUNCATE ON api_token FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a token cannot be deleted, only revoked');

CREATE TRIGGER api_audit_no_update BEFORE UPDATE ON api_audit FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('the audit log cannot be changed');

CREATE TRIGGER api_audit_no_delete BEFORE DELETE ON api_audit FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('the audit log cannot be deleted');

CREATE TRIGGER api_audit_no_truncate BEFORE TRUNCATE ON api_audit FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('the audit log cannot be deleted');

CREATE TRIGGER receipt_no_update BEFORE UPDATE ON receipt FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a receipt cannot be changed');

CREATE TRIGGER receipt_no_delete BEFORE DELETE ON receipt FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a receipt cannot be deleted');

CREATE TRIGGER receipt_no_truncate BEFORE TRUNCATE ON receipt FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a receipt cannot be deleted');

CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('the ledger cannot be deleted');

CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('the ledger cannot be deleted');

CREATE TRIGGER ledger_only_rises BEFORE UPDATE ON ledger FOR EACH ROW
WHEN (NEW.id <> OLD.id OR NEW.incarnation < OLD.incarnation OR NEW.size < OLD.size
    OR NEW.size = OLD.size AND NEW.edge <> OLD.edge
    OR OLD.public_key IS NOT NULL AND NEW.public_key IS DISTINCT FROM OLD.public_key
    OR OLD.checkpoint_size IS NOT NULL AND (NEW.checkpoint_size >= OLD.checkpoint_size) IS NOT TRUE)
EXECUTE FUNCTION signwave_refuse('the ledger only goes on');

CREATE TRIGGER feed_no_update BEFORE UPDATE ON feed FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a position of the feed cannot be changed');

CREATE TRIGGER feed_no_delete BEFORE DELETE ON feed FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a position of the feed cannot be deleted');

CREATE TRIGGER feed_no_truncate BEFORE TRUNCATE ON feed FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('a position of the feed cannot be deleted');

CREATE TRIGGER feed_identity_no_delete BEFORE DELETE ON feed_identity FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('the id of the feed cannot be deleted');

CREATE TRIGGER feed_identity_no_truncate BEFORE TRUNCATE ON feed_identity FOR EACH STATEMENT
EXECUTE FUNCTION signwave_refuse('the id of the feed cannot be deleted');

CREATE TRIGGER api_token_begins BEFORE INSERT ON api_token FOR EACH ROW
WHEN (NEW.previous_sha256 IS NOT NULL OR NEW.revoked_at IS NOT NULL OR NEW.last_used_at IS NOT NULL)
EXECUTE FUNCTION signwave_refuse('a token begins with one secret, unused and not revoked');

CREATE TRIGGER api_token_identity BEFORE UPDATE ON api_token FOR EACH ROW
WHEN ((OLD.id, OLD.name, OLD.scopes, OLD.certificate_sha256, OLD.created_at, OLD.parent)
    IS DISTINCT FROM (NEW.id, NEW.name, NEW.scopes, NEW.certificate_sha256, NEW.created_at, NEW.parent)
    OR OLD.parent IS NOT NULL
    AND (OLD.secret_sha256, OLD.expires_at) IS DISTINCT FROM (NEW.secret_sha256, NEW.expires_at))
EXECUTE FUNCTION signwave_refuse('what a token is and may do cannot be changed');

CREATE TRIGGER api_token_revoked_is_final BEFORE UPDATE ON api_token FOR EACH ROW
WHEN (OLD.revoked_at IS NOT NULL)
EXECUTE FUNCTION signwave_refuse('a revoked token stays as it is');

-- A new secret may come with a new end. The secret that it replaces becomes the previous one, or ends at once.
CREATE TRIGGER api_token_rotation BEFORE UPDATE ON api_token FOR EACH ROW
WHEN (CASE
    WHEN NEW.secret_sha256 IS DISTINCT FROM OLD.secret_sha256 THEN NEW.previous_sha256 <> OLD.secret_sha256
    WHEN NEW.expires_at IS DISTINCT FROM OLD.expires_at THEN TRUE
    WHEN NEW.previous_sha256 IS NULL THEN FALSE
    ELSE (NEW.previous_sha256, NEW.previous_until) IS DISTINCT FROM (OLD.previous_sha256, OLD.previous_until)
END)
EXECUTE FUNCTION signwave_refuse('only a rotation changes the end and the previous secret of a token');

CREATE TRIGGER api_token_use_only_rises BEFORE UPDATE ON api_token FOR EACH ROW
WHEN (OLD.last_used_at IS NOT NULL AND (NEW.last_used_at >= OLD.last_used_at) IS NOT TRUE)
EXECUTE FUNCTION signwave_refuse('the last use of a token only rises');

CREATE TRIGGER signing_key_identity BEFORE UPDATE ON signing_key FOR EACH ROW
WHEN ((OLD.id, OLD.fingerprint, OLD.public_key, OLD.bits, OLD.created_at)
    IS DISTINCT FROM (NEW.id, NEW.fingerprint, NEW.public_key, NEW.bits, NEW.created_at))
EXECUTE FUNCTION signwave_refuse('what a key is cannot be changed');

CREATE TRIGGER signing_key_retired_is_final BEFORE UPDATE ON signing_key FOR EACH ROW
WHEN (OLD.state = 'retired' AND NEW.state <> 'retired')
EXECUTE FUNCTION signwave_refuse('a retired key stays retired');

CREATE TRIGGER signing_key_only_rises BEFORE UPDATE ON signing_key FOR EACH ROW
WHEN (NEW.last_leased < OLD.last_leased OR NEW.signature_count < OLD.signature_count)
EXECUTE FUNCTION signwave_refuse('the last_leased and signature_count of a key only rise');

CREATE TRIGGER node_identity BEFORE UPDATE ON node FOR EACH ROW
WHEN (NEW.id <> OLD.id)
EXECUTE FUNCTION signwave_refuse('the id of a node cannot be changed');

CREATE TRIGGER batch_formed_open BEFORE INSERT ON batch FOR EACH ROW
WHEN (NEW.state <> 'lost' AND (NEW.state <> 'open' OR NEW.epoch <> 0))
EXECUTE FUNCTION signwave_refuse('a batch is formed open, with epoch 0');

CREATE TRIGGER batch_is_formed_once BEFORE UPDATE ON batch FOR EACH ROW
WHEN ((OLD.id, OLD.first_record, OLD.last_record, OLD.runs, OLD.record_count, OLD.absent, OLD.opened_at)
    IS DISTINCT FROM (NEW.id, NEW.first_record, NEW.last_record, NEW.runs, NEW.record_count, NEW.absent, NEW.opened_at))
EXECUTE FUNCTION signwave_refuse('a batch is formed once');

CREATE FUNCTION signwave_check_loss() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- With epoch 0 and of ids that no record has, a batch hides nothing.
    IF TG_OP = 'INSERT' AND NEW.epoch = 0
        AND NOT EXISTS (SELECT FROM record WHERE id BETWEEN NEW.first_record AND NEW.last_record) THEN
        RETURN NEW;
    END IF;
    PERFORM FROM receipt JOIN ledger ON receipt.seq = ledger.size WHERE receipt.entry LIKE 'signwave/restore/%';
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'signwave: batches become lost only in a restore that is accepted';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION signwave_check_loss() IS 'Batches of records become lost only right after the entry of a restore.';

CREATE TRIGGER batch_is_formed_lost_in_a_restore BEFORE INSERT ON batch FOR EACH ROW
WHEN (NEW.state = 'lost')
EXECUTE FUNCTION signwave_check_loss();

CREATE TRIGGER batch_is_lost_in_a_restore BEFORE UPDATE ON batch FOR EACH ROW
WHEN (NEW.state = 'lost' AND OLD.state <> 'lost')
EXECUTE FUNCTION signwave_check_loss();

CREATE TRIGGER batch_transitions BEFORE UPDATE ON batch FOR EACH ROW
WHEN ((CASE OLD.state
    WHEN 'open' THEN (NEW.state = 'leased' AND NEW.epoch = OLD.epoch + 1)
        OR (NEW.state = 'lost' AND NEW.epoch > OLD.epoch)
    WHEN 'leased' THEN (NEW.state = 'open' AND NEW.epoch = OLD.epoch + 1)
        OR (NEW.state = 'signed' AND NEW.epoch = OLD.epoch AND NEW.key_id = OLD.key_id
            AND NEW.scheme = OLD.scheme AND NEW.leased_at = OLD.leased_at)
        OR (NEW.state = 'lost' AND NEW.epoch >= OLD.epoch)
    ELSE FALSE
END) IS NOT TRUE)
EXECUTE FUNCTION signwave_refuse('a batch goes from open to leased (epoch + 1) to signed (same epoch and key) or back to open (epoch + 1), and a signed or lost one stays as it is');

CREATE FUNCTION signwave_check_halt() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger WHERE halted IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE =
            'signwave: this database is older than what was shown of it, so nothing is added, formed, leased or signed';
    END IF;
END
$$;
COMMENT ON FUNCTION signwave_check_halt() IS 'Refuses while the ledger is halted.';

CREATE FUNCTION signwave_check_limits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM signing_key WHERE id = NEW.key_id
        AND (NEW.record_count > max_signatures - signature_count
            OR NEW.leased_at < not_before OR NEW.leased_at >= not_after);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'signwave: a key signs only within its limits: max_signatures, not_before, not_after';
    END IF;
    PERFORM signwave_check_halt();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION signwave_check_limits() IS 'A batch is leased only within the time of its key, and with as many records as the key may still sign.';

CREATE TRIGGER batch_within_the_limits_of_its_key BEFORE UPDATE ON batch FOR EACH ROW
WHEN (NEW.state = 'leased')
EXECUTE FUNCTION signwave_check_limits();

CREATE FUNCTION signwave_check_batches() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM formed WHERE id > 1 AND NOT EXISTS (SELECT FROM batch WHERE batch.id = formed.id - 1)) THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'signwave: batches are numbered without gaps';
    END IF;
    PERFORM signwave_check_halt();
    PERFORM pg_notify('signwave', '');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION signwave_check_batches() IS 'Keeps batches dense, and tells the nodes that some are open.';

CREATE TRIGGER batch_ids_are_dense AFTER INSERT ON batch REFERENCING NEW TABLE AS formed FOR EACH STATEMENT
EXECUTE FUNCTION signwave_check_batches();

CREATE FUNCTION signwave_check_receipts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added WHERE seq > 1 AND NOT EXISTS (SELECT FROM receipt WHERE receipt.seq = added.seq - 1)) THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'signwave: receipts are numbered without gaps';
    END IF;
    IF EXISTS (SELECT FROM added WHERE batch_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM batch WHERE batch.id = added.batch_id AND batch.state = 'signed')) THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'signwave: only a signed batch has a receipt';
    END IF;
    PERFORM signwave_check_halt();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION signwave_check_receipts() IS 'Keeps receipts dense, and free of batches that are not signed.';

CREATE TRIGGER receipt_is_dense AFTER INSERT ON receipt REFERENCING NEW TABLE AS added FOR EACH STATEMENT
EXECUTE FUNCTION signwave_check_receipts();

CREATE FUNCTION signwave_check_receipt_of_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM receipt WHERE batch_id = NEW.id) THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'signwave: a batch is signed together with its receipt';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION signwave_check_receipt_of_batch() IS 'No batch is signed without its receipt.';

-- The receipt comes last in the transaction, so that others wait for the ledger as short a time as possible.
CREATE CONSTRAINT TRIGGER batch_has_a_receipt_when_signed AFTER UPDATE ON batch DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (OLD.state = 'leased' AND NEW.state = 'signed')
EXECUTE FUNCTION signwave_check_receipt_of_batch();

CREATE FUNCTION signwave_check_feed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added WHERE position > 1 AND NOT EXISTS (SELECT FROM feed WHERE feed.position = added.position - 1)) THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'signwave: positions of the feed are numbered without gaps';
    END IF;
    IF EXISTS (SELECT FROM added WHERE NOT EXISTS (SELECT FROM batch WHERE batch.id = added.batch_id AND batch.state = 'signed')) THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'signwave: only a signed batch has a position in the feed';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION signwave_check_feed() IS 'Keeps the feed dense, and free of batches that are not signed.';

CREATE TRIGGER feed_is_dense AFTER INSERT ON feed REFERENCING NEW TABLE AS added FOR EACH STATEMENT
EXECUTE FUNCTION signwave_check_feed();

CREATE FUNCTION signwave_check_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added WHERE id > 1 AND NOT EXISTS (SELECT FROM api_audit WHERE api_audit.id = added.id - 1)) THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'signwave: the audit log is numbered without gaps';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION signwave_check_audit() IS 'Keeps the audit log dense.';

CREATE TRIGGER api_audit_ids_are_dense AFTER INSERT ON api_audit REFERENCING NEW TABLE AS added FOR EACH STATEMENT
EXECUTE FUNCTION signwave_check_audit();

-- One statement stores all signatures of a batch, while the batch is leased. Batches do not share records, and
-- a signed batch stays signed, so nobody can add to what is stored.
CREATE FUNCTION signwave_check_signatures() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stored RECORD;
BEGIN
    FOR stored IN
        SELECT batch_id, min(record_id) AS first_record, max(record_id) AS last_record, count(*) AS record_count
        FROM added GROUP BY batch_id
    LOOP
        PERFORM FROM batch
        WHERE id = stored.batch_id AND state = 'leased' AND first_record = stored.first_record
            AND last_record = stored.last_record AND record_count = stored.record_count;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
                MESSAGE = 'signwave: the signatures of a batch are stored once, together, while it is leased';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION signwave_check_signatures() IS 'Signatures are stored batch by batch, each as a whole, while it is leased.';

CREATE TRIGGER signature_of_leased_batch AFTER INSERT ON signature REFERENCING NEW TABLE AS added FOR EACH STATEMENT
EXECUTE FUNCTION signwave_check_signatures();

CREATE FUNCTION signwave_check_added() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    -- This asks for itself, because another function would cost each insert twice as much.
    IF EXISTS (SELECT FROM ledger WHERE halted IS NOT NULL) THEN
        PERFORM signwave_check_halt();
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION signwave_check_added() IS 'Refuses records while the ledger is halted: they would get ids that were used.';

CREATE TRIGGER record_not_while_halted AFTER INSERT ON record FOR EACH STATEMENT EXECUTE FUNCTION signwave_check_added();

-- Notifies the nodes. The notification arrives when the transaction commits. Transactions that notify commit one after
-- the other on the whole server, so of those that run at the same time only one notifies. If each did, 32 clients would
-- insert at a fifth of their rate. What the others add is seen when that one commits, or at the nodes' next poll.
CREATE FUNCTION signwave_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('signwave', '');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION signwave_tell() IS 'Tells the nodes that there may be something to do.';

CREATE TRIGGER record_news AFTER INSERT ON record FOR EACH STATEMENT
WHEN (pg_try_advisory_xact_lock(1936287598, 4))
EXECUTE FUNCTION signwave_tell();

-- Records are found by their ids: above the frontier, or in a gap that waits for the transactions that were
-- writing when it was noted. So an id is accepted when it is above signwave_frontier at this moment. By now its
-- transaction has taken its lock on record, so a node that moves the frontier past the id reads the locks
-- later, and finds this lock. Any other id needs the checks below. That holds for every id, even if a user
-- chose it or changed the sequence. An id that the sequence has not reached is refused, because the ids after
-- it would be lower.
CREATE FUNCTION signwave_check_record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    ids TEXT := pg_get_serial_sequence('record', 'id');
    reached BIGINT := coalesce(pg_sequence_last_value('signwave_frontier'), (SELECT max(last_record) FROM batch), 0);
BEGIN
    IF NEW.id > coalesce(pg_sequence_last_value(ids::regclass), 0) THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format(
            'signwave: record id %s was not assigned by the database: leave the column id out', NEW.id),
            HINT = format('After a restore that did not set the sequence: '
                'SELECT setval(%1$L, greatest(nextval(%1$L), (SELECT max(id) FROM record)))', ids);
    END IF;
    IF NEW.id > reached THEN
        RETURN NEW;
    END IF;
    -- A node that is forming batches may be past this id before its gaps are visible. It holds a lock on gap,
    -- so this waits for the node. The lock that is taken here is given up with the block.
    BEGIN
        LOCK TABLE gap IN SHARE MODE;
        RAISE EXCEPTION USING ERRCODE = 'triggered_action_exception';
    EXCEPTION WHEN triggered_action_exception THEN
        NULL;
    END;
    IF EXISTS (
        SELECT FROM gap WHERE NEW.id BETWEEN first_record AND last_record
            AND writers && ARRAY(SELECT virtualtransaction FROM pg_locks WHERE pid = pg_backend_pid())
    ) THEN
        RETURN NEW;
    END IF;
    IF NEW.id > (SELECT coalesce(max(last_record), 0) FROM batch) THEN
        IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE =
            'signwave: batches were formed while this transaction ran, and its snapshot does not show them: run it again';
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = format(
        'signwave: record id %1$s is below the frontier, %2$s, and would never be signed: leave the column id out; if the '
        'sequence of ids was changed, mend it with ALTER TABLE record ALTER id SET INCREMENT 1 SET NO CYCLE SET CACHE 1 '
        'SET MINVALUE 1 SET MAXVALUE 9223372036854775807 and SELECT setval(%3$L, greatest(nextval(%3$L), '
        '(SELECT max(id) FROM record)))', NEW.id, reached, ids);
END
$$;
COMMENT ON FUNCTION signwave_check_record() IS 'Refuses a record under an id that would be missed.';

-- pg_sequence_last_value is what the view pg_sequences shows. It is read at once, without a query.
CREATE TRIGGER record_id_is_drawn BEFORE INSERT ON record FOR EACH ROW
WHEN ((NEW.id > pg_sequence_last_value('signwave_frontier'::regclass)
    AND NEW.id <= pg_sequence_last_value('record_id_seq'::regclass)) IS NOT TRUE)
EXECUTE FUNCTION signwave_check_record();

-- Inserting a record reads how far these two have come. This grant allows nothing else.
GRANT SELECT ON SEQUENCE record_id_seq, signwave_frontier TO PUBLIC;

-- Takes a text as it is, or bytes. (INSERT would read a text literal as bytea syntax, in which a backslash is
-- special.) The same record again returns the id of the record that exists.
CREATE FUNCTION signwave_submit(external_id TEXT, payload BYTEA) RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_column
DECLARE
    given ALIAS FOR $2;
    found_id BIGINT;
    is_same BOOLEAN;
BEGIN
    IF $1 IS NOT NULL THEN
        SELECT record.id, record.payload = given INTO found_id, is_same FROM record WHERE record.external_id = $1;
    END IF;
    IF found_id IS NULL THEN
        INSERT INTO record (external_id, payload) VALUES ($1, given)
        ON CONFLICT (external_id) DO NOTHING RETURNING id INTO found_id;
        IF found_id IS NOT NULL THEN
            RETURN found_id;
        END IF;
        -- Another transaction has added a record of this name; the INSERT has waited for its commit.
        SELECT record.id, record.payload = given INTO found_id, is_same FROM record WHERE record.external_id = $1;
    END IF;
    IF is_same THEN
        RETURN found_id;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = format(
        'signwave: external_id %L is there with another payload, which is never overwritten: give the record another external_id',
        left($1, 100));
END
$$;
COMMENT ON FUNCTION signwave_submit(TEXT, BYTEA) IS 'Adds a record of these bytes and returns its id; the same again returns the same id.';

CREATE FUNCTION signwave_submit(external_id TEXT, payload TEXT) RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    RETURN signwave_submit($1, convert_to($2, 'UTF8'));
END
$$;
COMMENT ON FUNCTION signwave_submit(TEXT, TEXT) IS 'Adds a record of this text''s UTF-8 bytes and returns its id; the same again returns the same id.';

REVOKE EXECUTE ON FUNCTION signwave_submit(TEXT, BYTEA), signwave_submit(TEXT, TEXT) FROM PUBLIC;

-- A guard looks only at the tables in its schema, whatever search_path a session has.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION signwave_check_halt() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION signwave_check_loss() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION signwave_check_receipts() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION signwave_check_receipt_of_batch() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION signwave_check_limits() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION signwave_check_batches() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION signwave_check_feed() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION signwave_check_audit() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION signwave_check_signatures() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION signwave_check_added() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION signwave_check_record() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION signwave_submit(TEXT, BYTEA) SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION signwave_submit(TEXT, TEXT) SET search_path = %I, pg_temp', current_schema());
END
$$;

ALTER TABLE record ENABLE ALWAYS TRIGGER record_no_update;
ALTER TABLE record ENABLE ALWAYS TRIGGER record_no_delete;
ALTER TABLE record ENABLE ALWAYS TRIGGER record_no_truncate;
ALTER TABLE signing_key ENABLE ALWAYS TRIGGER signing_key_no_delete;
ALTER TABLE signing_key ENABLE ALWAYS TRIGGER signing_key_no_truncate;
ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_no_delete;
ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_no_truncate;
ALTER TABLE signature ENABLE ALWAYS TRIGGER signature_no_update;
ALTER TABLE signature ENABLE ALWAYS TRIGGER signature_no_delete;
ALTER TABLE signature ENABLE ALWAYS TRIGGER signature_no_truncate;
ALTER TABLE signing_key ENABLE ALWAYS TRIGGER signing_key_identity;
ALTER TABLE signing_key ENABLE ALWAYS TRIGGER signing_key_retired_is_final;
ALTER TABLE signing_key ENABLE ALWAYS TRIGGER signing_key_only_rises;
ALTER TABLE node ENABLE ALWAYS TRIGGER node_identity;
ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_formed_open;
ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_is_formed_once;
ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_is_formed_lost_in_a_restore;
ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_is_lost_in_a_restore;
ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_transitions;
ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_ids_are_dense;
ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_within_the_limits_of_its_key;
ALTER TABLE signature ENABLE ALWAYS TRIGGER signature_of_leased_batch;
ALTER TABLE receipt ENABLE ALWAYS TRIGGER receipt_no_update;
ALTER TABLE receipt ENABLE ALWAYS TRIGGER receipt_no_delete;
ALTER TABLE receipt ENABLE ALWAYS TRIGGER receipt_no_truncate;
ALTER TABLE receipt ENABLE ALWAYS TRIGGER receipt_is_dense;
ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_has_a_receipt_when_signed;
ALTER TABLE ledger ENABLE ALWAYS TRIGGER ledger_no_delete;
ALTER TABLE ledger ENABLE ALWAYS TRIGGER ledger_no_truncate;
ALTER TABLE ledger ENABLE ALWAYS TRIGGER ledger_only_rises;
ALTER TABLE feed ENABLE ALWAYS TRIGGER feed_no_update;
ALTER TABLE feed ENABLE ALWAYS TRIGGER feed_no_delete;
ALTER TABLE feed ENABLE ALWAYS TRIGGER feed_no_truncate;
ALTER TABLE feed ENABLE ALWAYS TRIGGER feed_is_dense;
ALTER TABLE feed_identity ENABLE ALWAYS TRIGGER feed_identity_no_delete;
ALTER TABLE feed_identity ENABLE ALWAYS TRIGGER feed_identity_no_truncate;
ALTER TABLE api_token ENABLE ALWAYS TRIGGER api_token_no_delete;
ALTER TABLE api_token ENABLE ALWAYS TRIGGER api_token_no_truncate;
ALTER TABLE api_token ENABLE ALWAYS TRIGGER api_token_begins;
ALTER TABLE api_token ENABLE ALWAYS TRIGGER api_token_identity;
ALTER TABLE api_token ENABLE ALWAYS TRIGGER api_token_revoked_is_final;
ALTER TABLE api_token ENABLE ALWAYS TRIGGER api_token_rotation;
ALTER TABLE api_token ENABLE ALWAYS TRIGGER api_token_use_only_rises;
ALTER TABLE api_audit ENABLE ALWAYS TRIGGER api_audit_no_update;
ALTER TABLE api_audit ENABLE ALWAYS TRIGGER api_audit_no_delete;
ALTER TABLE api_audit ENABLE ALWAYS TRIGGER api_audit_no_truncate;
ALTER TABLE api_audit ENABLE ALWAYS TRIGGER api_audit_ids_are_dense;
