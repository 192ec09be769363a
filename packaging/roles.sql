-- Least privilege in PostgreSQL. Run this as a superuser, in the database, twice: before 'signwave migrate'
-- it makes the roles, and after it (and after each later migration) it grants them their rights.
--
--   psql -d NAME -f roles.sql
--   signwave --database postgres://signwave_owner@HOST/NAME migrate
--   psql -d NAME -f roles.sql
--
-- Nobody can log in with a password until one is set: \password signwave_service
--
-- signwave_owner    owns the tables: 'migrate', 'keys', 'tokens', 'webhooks', 'outlets', 'import'
-- signwave_service  'serve', 'sign', 'status', 'verify', 'export'
-- signwave_api      the same, and an HTTP API that takes records, generates keys and manages webhooks, an intake from a broker, 'refused', 'outlets'
-- signwave_auditor  'status', 'verify', 'export', 'keys list', 'tokens list', 'audit-log': reads everything but the sealed
--                   private keys and the hashes of the tokens
-- signwave_writer   adds records with signwave_submit() or plain SQL
-- signwave_reader   reads signatures with plain SQL
\set ON_ERROR_STOP on
BEGIN;

DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['signwave_owner', 'signwave_service', 'signwave_api', 'signwave_auditor', 'signwave_writer',
                                'signwave_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        END IF;
        -- Makes the messages of the server English. Only a superuser may set this. Nothing depends on it.
        EXECUTE format('ALTER ROLE %I SET lc_messages = %L', name, 'C');
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', name);
    END LOOP;
    -- No other role may connect. None may make temporary tables, because these would hide the real ones in a session.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO signwave_owner;

SELECT to_regclass('public.record') IS NOT NULL AS migrated \gset
\if :migrated
    REVOKE ALL ON ALL TABLES IN SCHEMA public
        FROM PUBLIC, signwave_service, signwave_api, signwave_auditor, signwave_writer, signwave_reader;

    -- The service reads everything, because 'verify' must. It adds batches and signatures, but never a record
    -- or a key. Identity columns need no right to their sequences.
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO signwave_service;
    GRANT INSERT ON batch, signature, receipt, node, gap, feed, unsequenced TO signwave_service;
    GRANT UPDATE (size, edge, halted, halted_size, public_key, sealed_key, checkpoint_size, checkpoint) ON ledger TO signwave_service;
    GRANT UPDATE (state, epoch, key_id, node_id, scheme, leased_at, signed_at) ON batch TO signwave_service;
    GRANT UPDATE (state, state_reason, last_leased, signature_count) ON signing_key TO signwave_service;
    GRANT UPDATE (lease_until, lease_ttl, custodians) ON node TO signwave_service;
    -- Tokens of the API, of which the schema lets only expired sessions be deleted, and the log of every change of a key or a token.
    GRANT INSERT ON api_token, api_audit TO signwave_service;
    GRANT UPDATE (secret_sha256, previous_sha256, previous_until, expires_at, revoked_at, last_used_at) ON api_token
        TO signwave_service;
    -- The ways out: a node claims one, and notes how far it is.
    GRANT INSERT, DELETE ON outlet TO signwave_service;
    GRANT UPDATE (position, epoch, holder, held_until) ON outlet TO signwave_service;
    -- What becomes of messages to webhooks.
    GRANT UPDATE (state, state_reason, failures, retry_at, delivered_at) ON webhook TO signwave_service;
    GRANT UPDATE (first_record) ON gap TO signwave_service;
    GRANT DELETE ON node, gap, unsequenced, api_token TO signwave_service;
    GRANT UPDATE ON SEQUENCE signwave_frontier TO signwave_service;
    -- The right to lock them. No other role has it, because a lock holds up the turns of all nodes.
    GRANT UPDATE ON opening_turn, leasing_turn, auditing_turn, sequencing_turn TO signwave_service;

    -- What the HTTP API adds. A record or a key is never changed by it, except for a key's state and limits.
    GRANT signwave_service TO signwave_api;
    GRANT INSERT (external_id, payload) ON record TO signwave_api;
    -- What arrives from a broker and is no record, and its retries.
    GRANT INSERT, DELETE ON refused TO signwave_api;
    GRANT UPDATE (tries) ON refused TO signwave_api;
    GRANT INSERT, DELETE ON webhook TO signwave_api;
    GRANT UPDATE (sealed_secret, previous_secret, previous_until) ON webhook TO signwave_api;
    -- A webhook that is enabled again after a restore goes on at the end of the feed, and an outlet where it is reset to.
    GRANT UPDATE (feed) ON outlet TO signwave_api;
    GRANT INSERT ON signing_key TO signwave_api;
    GRANT UPDATE (max_signatures, not_before, not_after) ON signing_key TO signwave_api;

    GRANT SELECT ON record, refused, outlet, node, batch, signature, receipt, gap, feed, unsequenced, feed_identity, api_audit,
        signed_record, __diesel_schema_migrations TO signwave_auditor;
    GRANT SELECT (id, fingerprint, public_key, bits, custody, location, state, state_reason, max_signatures,
        not_before, not_after, certificates, last_leased, signature_count, created_at) ON signing_key TO signwave_auditor;
    GRANT SELECT (id, name, scopes, previous_until, certificate_sha256, created_at, expires_at, revoked_at, last_used_at,
        parent) ON api_token TO signwave_auditor;

    GRANT SELECT (name, url, allow_internal, previous_until, state, state_reason, failures, retry_at, delivered_at,
        created_at) ON webhook TO signwave_auditor;

    -- For INSERT .. RETURNING id, also with ON CONFLICT DO NOTHING.
    GRANT INSERT (external_id, payload), SELECT (id) ON record TO signwave_writer;
    REVOKE ALL ON FUNCTION signwave_submit(TEXT, TEXT), signwave_submit(TEXT, BYTEA) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION signwave_submit(TEXT, TEXT), signwave_submit(TEXT, BYTEA) TO signwave_writer;
    -- The trigger on record compares each new id with the values of these two.
    GRANT SELECT ON SEQUENCE record_id_seq, signwave_frontier TO signwave_writer, signwave_service;

    GRANT SELECT ON signed_record, receipt, feed, feed_identity TO signwave_reader;
    GRANT SELECT (id, incarnation, size, edge, halted, halted_size, public_key, checkpoint_size, checkpoint) ON ledger
        TO signwave_auditor, signwave_reader;
\else
    \echo 'The roles are there. Run signwave migrate as signwave_owner, then this script once more.'
\endif

COMMIT;
