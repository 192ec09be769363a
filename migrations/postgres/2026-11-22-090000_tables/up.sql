-- Everything that Sign Wave keeps. Users insert into `record` and read `signed_record`; the rest is
-- Sign Wave's own.

CREATE TABLE record (
    -- ALWAYS: an id is drawn when its row is inserted (see the trigger record_id_is_drawn). The highest
    -- number is left out, because readers go on behind the last id that they saw.
    id          BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY
        CHECK (id > 0 AND id < 9223372036854775807),
    external_id TEXT UNIQUE
        CONSTRAINT record_external_id_is_at_most_1024_bytes CHECK (octet_length(external_id) <= 1024),
    payload     BYTEA NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

-- Signing, verifying and exporting hold a whole payload in memory. 'signwave migrate --max-payload' recreates
-- this constraint. It is NOT VALID, because stored records stay when the limit is lowered.
ALTER TABLE record ADD CONSTRAINT record_payload_is_within_its_limit
    CHECK (octet_length(payload) <= 16777216) NOT VALID;

CREATE TABLE signing_key (
    id              BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (id > 0),
    fingerprint     TEXT NOT NULL UNIQUE CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    public_key      BYTEA NOT NULL,
    bits            INTEGER NOT NULL CHECK (bits > 0),
    custody         TEXT NOT NULL CHECK (custody <> ''),
    sealed_key      BYTEA,
    location        TEXT CHECK (location <> ''),
    state           TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled', 'retired', 'suspended')),
    state_reason    TEXT,
    last_leased     BIGINT NOT NULL DEFAULT 0 CHECK (last_leased >= 0),
    signature_count BIGINT NOT NULL DEFAULT 0 CHECK (signature_count >= 0),
    created_at      TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    CHECK ((custody = 'database') = (sealed_key IS NOT NULL)),
    CHECK ((custody = 'database') = (location IS NULL))
-- Rows are few and change all the time. No index covers the columns that change, and each page has room, so new
-- versions of a row stay on its page.
) WITH (fillfactor = 25, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

CREATE TABLE node (
    id          BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (id > 0),
    name        TEXT NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    lease_until TIMESTAMPTZ NOT NULL,
    lease_ttl   BIGINT NOT NULL
) WITH (fillfactor = 25);

CREATE TABLE batch (
    -- Without gaps, so that the highest id is also the number of batches.
    id           BIGINT NOT NULL PRIMARY KEY CHECK (id > 0),
    -- No two batches' ranges of ids begin alike, or end alike.
    first_record BIGINT NOT NULL UNIQUE,
    last_record  BIGINT NOT NULL UNIQUE,
    runs         TEXT NOT NULL CHECK (length(runs) > 0),
    record_count BIGINT NOT NULL,
    state        TEXT NOT NULL DEFAULT 'open',
    epoch        BIGINT NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    key_id       BIGINT REFERENCES signing_key (id),
    node_id      BIGINT REFERENCES node (id),
    scheme       TEXT CHECK (scheme IN ('PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512')),
    opened_at    TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    leased_at    TIMESTAMPTZ,
    signed_at    TIMESTAMPTZ,
    CHECK (first_record > 0 AND first_record <= last_record),
    CHECK (record_count > 0 AND record_count <= last_record - first_record + 1),
    CHECK (
        CASE state
            WHEN 'open' THEN
                key_id IS NULL AND node_id IS NULL AND scheme IS NULL AND leased_at IS NULL AND signed_at IS NULL
            WHEN 'leased' THEN
                key_id IS NOT NULL AND node_id IS NOT NULL AND scheme IS NOT NULL AND leased_at IS NOT NULL
                AND signed_at IS NULL
            WHEN 'signed' THEN
                key_id IS NOT NULL AND node_id IS NULL AND scheme IS NOT NULL AND leased_at IS NOT NULL
                AND signed_at IS NOT NULL
            ELSE FALSE
        END
    )
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.01);

-- A key never signs two batches at a time, whatever the code does.
CREATE UNIQUE INDEX batch_one_lease_per_key ON batch (key_id) WHERE state = 'leased';
CREATE INDEX batch_of_node ON batch (node_id) WHERE node_id IS NOT NULL;
-- Open batches, oldest first.
CREATE INDEX batch_open ON batch (id) WHERE state = 'open';

CREATE TABLE signature (
    -- A record has one signature at most, whatever the code does.
    record_id BIGINT NOT NULL PRIMARY KEY,
    -- A trigger checks for all rows at once that the batch exists and is leased. A foreign key would query and
    -- lock for each row.
    batch_id  BIGINT NOT NULL,
    value     BYTEA NOT NULL CHECK (length(value) > 0)
);

-- The highest id that forming batches has seen. It is a sequence and not a row, because every transaction sees
-- a sequence at once, whatever its snapshot. So an id can be compared with it when its row is inserted.
CREATE SEQUENCE signwave_frontier AS BIGINT MINVALUE 0 START 0;
SELECT setval('signwave_frontier', 0);

CREATE TABLE gap (
    first_record BIGINT NOT NULL PRIMARY KEY CHECK (first_record > 0),
    last_record  BIGINT NOT NULL,
    writers      TEXT[] NOT NULL,
    noted_at     TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    CHECK (first_record <= last_record)
);

-- Who may call the API.
CREATE TABLE api_token (
    id                 TEXT NOT NULL PRIMARY KEY CHECK (id ~ '^[a-z2-7]{10}$'),
    name               TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    scopes             TEXT NOT NULL CHECK (scopes IN (
        'submit', 'read', 'submit,read', 'operate', 'submit,operate', 'read,operate', 'submit,read,operate',
        'admin', 'submit,admin', 'read,admin', 'submit,read,admin', 'operate,admin', 'submit,operate,admin',
        'read,operate,admin', 'submit,read,operate,admin'
    )),
    secret_sha256      BYTEA CHECK (length(secret_sha256) = 32),
    previous_sha256    BYTEA CHECK (length(previous_sha256) = 32),
    previous_until     TIMESTAMPTZ CHECK (isfinite(previous_until)),
    certificate_sha256 TEXT CHECK (certificate_sha256 ~ '^[0-9a-f]{64}$'),
    created_at         TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    expires_at         TIMESTAMPTZ CHECK (isfinite(expires_at)),
    revoked_at         TIMESTAMPTZ,
    last_used_at       TIMESTAMPTZ,
    CHECK ((secret_sha256 IS NULL) = (certificate_sha256 IS NOT NULL)),
    CHECK ((previous_sha256 IS NULL) = (previous_until IS NULL)),
    CHECK (previous_sha256 IS NULL OR secret_sha256 IS NOT NULL AND previous_sha256 <> secret_sha256)
);

-- A certificate stands for one token at most. After a revocation it can stand for another.
CREATE UNIQUE INDEX api_token_one_per_certificate ON api_token (certificate_sha256) WHERE revoked_at IS NULL;

-- What was changed, and who did it: one row for each change of a key or a token, in the same transaction.
CREATE TABLE api_audit (
    -- Without gaps, so that a missing row is noticed. A sequence would leave some, and its numbers would become
    -- visible out of order.
    id         BIGINT NOT NULL PRIMARY KEY CHECK (id > 0),
    at         TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    who        TEXT NOT NULL CHECK (who ~ '^(token|cli|node):.'),
    address    TEXT,
    action     TEXT NOT NULL CHECK (action ~ '^[a-z]+[.][a-z]+$'),
    object     TEXT NOT NULL CHECK (object <> ''),
    before     TEXT,
    after      TEXT,
    request_id TEXT
);

-- Turns: what only one node may do at a time. They have no rows and no columns, because a node only locks them.
-- For that it needs rights that only the service has. A lock that anybody may take, such as an advisory one,
-- would let anybody stop all signing.
CREATE TABLE opening_turn ();
CREATE TABLE leasing_turn ();
CREATE TABLE auditing_turn ();

CREATE VIEW signed_record AS
SELECT
    record.id AS record_id,
    record.external_id,
    record.payload,
    signature.value AS signature,
    signing_key.fingerprint,
    batch.scheme,
    batch.signed_at
FROM signature
JOIN record ON record.id = signature.record_id
JOIN batch ON batch.id = signature.batch_id AND batch.state = 'signed'
JOIN signing_key ON signing_key.id = batch.key_id;

COMMENT ON TABLE record IS 'What is to be signed; append-only. Insert (external_id, payload) here.';
COMMENT ON COLUMN record.id IS 'Assigned by the database, rising, never reused.';
COMMENT ON COLUMN record.external_id IS 'The caller''s own name for the record, unique: adding it again with ON CONFLICT DO NOTHING is harmless.';
COMMENT ON COLUMN record.payload IS 'The signed bytes, exactly. A text literal put here is read as bytea syntax: use signwave_submit(external_id, payload) for text.';
COMMENT ON COLUMN record.created_at IS 'When it was added.';

COMMENT ON TABLE signing_key IS 'The RSA keys. One batch at a time is signed with each.';
COMMENT ON COLUMN signing_key.id IS 'Assigned by the database.';
COMMENT ON COLUMN signing_key.fingerprint IS 'SHA-256 of public_key in lower-case hex: the key''s name everywhere.';
COMMENT ON COLUMN signing_key.public_key IS 'DER SubjectPublicKeyInfo.';
COMMENT ON COLUMN signing_key.bits IS 'Bits of the modulus.';
COMMENT ON COLUMN signing_key.custody IS 'Who has the private half: ''database'', or a custodian by its name.';
COMMENT ON COLUMN signing_key.sealed_key IS 'The private half, sealed with AES-256-GCM under the master key; there if the database has custody.';
COMMENT ON COLUMN signing_key.location IS 'What another custodian finds the private half by; there if the database does not have custody. This is no secret.';
COMMENT ON COLUMN signing_key.state IS 'active: may sign. disabled: set aside by a person. suspended: set aside after failures. retired: never again.';
COMMENT ON COLUMN signing_key.state_reason IS 'Why it is in that state, for people to read.';
COMMENT ON COLUMN signing_key.last_leased IS 'Its place in the order of use: the higher, the more recent; 0 is never.';
COMMENT ON COLUMN signing_key.signature_count IS 'Signatures stored; rises in the transaction that stores them.';
COMMENT ON COLUMN signing_key.created_at IS 'When it was added.';

COMMENT ON TABLE node IS 'Processes that sign. One whose lease has run out is removed by the others.';
COMMENT ON COLUMN node.id IS 'A new one for each start.';
COMMENT ON COLUMN node.name IS 'What people call it.';
COMMENT ON COLUMN node.started_at IS 'When it registered.';
COMMENT ON COLUMN node.lease_until IS 'Until when it may be silent, by this server''s clock.';
COMMENT ON COLUMN node.lease_ttl IS 'How long each renewal lasts, in milliseconds.';

COMMENT ON TABLE batch IS 'Sets of records, formed once: open -> leased -> signed, or back to open.';
COMMENT ON COLUMN batch.id IS 'Numbered without gaps.';
COMMENT ON COLUMN batch.first_record IS 'The lowest id in runs.';
COMMENT ON COLUMN batch.last_record IS 'The highest id in runs. The highest of all batches is the frontier: new batches are formed above it.';
COMMENT ON COLUMN batch.runs IS 'The records'' ids, such as 1-10,12,15-20.';
COMMENT ON COLUMN batch.record_count IS 'How many records that is.';
COMMENT ON COLUMN batch.state IS 'open: waits for a key. leased: being signed. signed: all signatures are stored.';
COMMENT ON COLUMN batch.epoch IS 'The lease number: it rises with each lease, release and reclaim, and fences off whoever held it before.';
COMMENT ON COLUMN batch.key_id IS 'The key that signs or signed it.';
COMMENT ON COLUMN batch.node_id IS 'The node that holds it, while it is leased.';
COMMENT ON COLUMN batch.scheme IS 'How it is or was signed, as in RFC 7518.';
COMMENT ON COLUMN batch.opened_at IS 'When it was formed.';
COMMENT ON COLUMN batch.leased_at IS 'When it was leased last.';
COMMENT ON COLUMN batch.signed_at IS 'When its signatures were stored.';

COMMENT ON TABLE signature IS 'The signatures; write-once. Read them through signed_record.';
COMMENT ON COLUMN signature.record_id IS 'The record.';
COMMENT ON COLUMN signature.batch_id IS 'The batch it was signed in, which names key and scheme.';
COMMENT ON COLUMN signature.value IS 'The signature.';

COMMENT ON TABLE gap IS 'Ids below the frontier that no batch has, because no record of such an id was visible when its neighbours were batched. Looked at again when every transaction that may have drawn one of them has ended.';
COMMENT ON COLUMN gap.first_record IS 'The lowest id of the gap.';
COMMENT ON COLUMN gap.last_record IS 'The highest id of the gap.';
COMMENT ON COLUMN gap.writers IS 'The transactions (pg_locks.virtualtransaction) that were writing to record when the gap was noted.';
COMMENT ON COLUMN gap.noted_at IS 'When it was noted.';

COMMENT ON TABLE api_token IS 'Who may call the API: revoked, never deleted. The secrets themselves are stored nowhere.';
COMMENT ON COLUMN api_token.id IS 'It is part of the token, and names it everywhere.';
COMMENT ON COLUMN api_token.name IS 'What people call it.';
COMMENT ON COLUMN api_token.scopes IS 'What it may do: submit, read, operate, admin.';
COMMENT ON COLUMN api_token.secret_sha256 IS 'SHA-256 of its secret.';
COMMENT ON COLUMN api_token.previous_sha256 IS 'SHA-256 of its secret before the last rotation.';
COMMENT ON COLUMN api_token.previous_until IS 'Until when that secret can be used.';
COMMENT ON COLUMN api_token.certificate_sha256 IS 'SHA-256 of the SubjectPublicKeyInfo of a client certificate in lower-case hex. Such a token has no secret.';
COMMENT ON COLUMN api_token.created_at IS 'When it was added.';
COMMENT ON COLUMN api_token.expires_at IS 'When its time is over; without a value, never.';
COMMENT ON COLUMN api_token.revoked_at IS 'When it was revoked, which is final.';
COMMENT ON COLUMN api_token.last_used_at IS 'When it was used last, to a minute or so.';

COMMENT ON TABLE api_audit IS 'Every change of a key or a token, in the transaction of the change; append-only.';
COMMENT ON COLUMN api_audit.id IS 'Numbered without gaps, in the order of the changes.';
COMMENT ON COLUMN api_audit.at IS 'When.';
COMMENT ON COLUMN api_audit.who IS 'Who: token:ID, cli:USER or node:NAME.';
COMMENT ON COLUMN api_audit.address IS 'The address of the client.';
COMMENT ON COLUMN api_audit.action IS 'What was done, such as key.state or token.revoke.';
COMMENT ON COLUMN api_audit.object IS 'What it was done to: the fingerprint of a key, or the id of a token.';
COMMENT ON COLUMN api_audit.before IS 'What was there before, for people to read.';
COMMENT ON COLUMN api_audit.after IS 'What is there since, for people to read.';
COMMENT ON COLUMN api_audit.request_id IS 'The id of the request, which the log has too.';

COMMENT ON SEQUENCE signwave_frontier IS 'The highest record id that forming batches has seen: a record at or below it is accepted only where a gap waits for its transaction.';
COMMENT ON TABLE opening_turn IS 'Empty. A node locks it while it forms batches, so that only one node does so at a time.';
COMMENT ON TABLE leasing_turn IS 'Empty. A node locks it while it leases batches, so that only one node chooses keys at a time.';
COMMENT ON TABLE auditing_turn IS 'Empty. A node locks it while it changes a key or a token, so that the audit log has one order.';

COMMENT ON VIEW signed_record IS 'Every signed record with its signature. Read signatures here.';
COMMENT ON COLUMN signed_record.record_id IS 'The record.';
COMMENT ON COLUMN signed_record.external_id IS 'The caller''s own name for it.';
COMMENT ON COLUMN signed_record.payload IS 'The signed bytes.';
COMMENT ON COLUMN signed_record.signature IS 'The signature.';
COMMENT ON COLUMN signed_record.fingerprint IS 'The key: SHA-256 of its DER SubjectPublicKeyInfo.';
COMMENT ON COLUMN signed_record.scheme IS 'How it was signed, as in RFC 7518.';
COMMENT ON COLUMN signed_record.signed_at IS 'When the signature was stored.';
