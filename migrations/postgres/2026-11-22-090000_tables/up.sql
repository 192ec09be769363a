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
    max_signatures  BIGINT CHECK (max_signatures BETWEEN 1 AND 9007199254740991),
    not_before      TIMESTAMPTZ CHECK (not_before >= '1970-01-01 00:00:00+00' AND not_before < '10000-01-01 00:00:00+00'),
    not_after       TIMESTAMPTZ CHECK (not_after >= '1970-01-01 00:00:00+00' AND not_after < '10000-01-01 00:00:00+00'),
    certificates    BYTEA CHECK (octet_length(certificates) BETWEEN 1 AND 65536),
    last_leased     BIGINT NOT NULL DEFAULT 0 CHECK (last_leased >= 0),
    signature_count BIGINT NOT NULL DEFAULT 0 CHECK (signature_count >= 0),
    created_at      TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    CHECK ((custody = 'database') = (sealed_key IS NOT NULL)),
    CHECK ((custody = 'database') = (location IS NULL)),
    CHECK (signature_count <= max_signatures),
    CHECK (not_before < not_after)
-- Rows are few and change all the time. No index covers the columns that change, and each page has room, so new
-- versions of a row stay on its page.
) WITH (fillfactor = 25, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

-- Keys with a limit of signatures.
CREATE INDEX signing_key_limited ON signing_key (max_signatures) WHERE max_signatures IS NOT NULL;

CREATE TABLE node (
    id          BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (id > 0),
    name        TEXT NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    lease_until TIMESTAMPTZ NOT NULL,
    lease_ttl   BIGINT NOT NULL,
    -- Whose keys it can use: values of signing_key.custody, with commas between them.
    custodians  TEXT NOT NULL
) WITH (fillfactor = 25);

CREATE TABLE batch (
    -- Without gaps, so that the highest id is also the number of batches.
    id           BIGINT NOT NULL PRIMARY KEY CHECK (id > 0),
    -- No two batches' ranges of ids begin alike, or end alike.
    first_record BIGINT NOT NULL UNIQUE,
    last_record  BIGINT NOT NULL UNIQUE,
    runs         TEXT NOT NULL CHECK (length(runs) > 0),
    record_count BIGINT NOT NULL,
    absent       BIGINT NOT NULL DEFAULT 0 CHECK (absent BETWEEN 0 AND record_count),
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
            WHEN 'lost' THEN
                node_id IS NULL AND scheme IS NULL AND leased_at IS NULL AND signed_at IS NULL
                AND (key_id IS NULL OR epoch > 0)
            ELSE FALSE
        END
    ),
    CHECK (absent = 0 OR state = 'lost')
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.01);

-- A key never signs two batches at a time, whatever the code does.
CREATE UNIQUE INDEX batch_one_lease_per_key ON batch (key_id) WHERE state = 'leased';
CREATE INDEX batch_of_node ON batch (node_id) WHERE node_id IS NOT NULL;
-- Open batches, oldest first.
CREATE INDEX batch_open ON batch (id) WHERE state = 'open';
-- The smallest of them, which a key with a limit of signatures must have left.
CREATE INDEX batch_open_size ON batch (record_count) WHERE state = 'open';
CREATE INDEX batch_lost ON batch (id) WHERE state = 'lost';

CREATE TABLE signature (
    -- A record has one signature at most, whatever the code does.
    record_id BIGINT NOT NULL PRIMARY KEY,
    -- A trigger checks for all rows at once that the batch exists and is leased. A foreign key would query and
    -- lock for each row.
    batch_id  BIGINT NOT NULL,
    value     BYTEA NOT NULL CHECK (length(value) > 0)
);

-- Receipts: the ledger has an entry for each signed batch, each key that was added or retired, and each restore, in the
-- order of their commits. They are the leaves of one tree (RFC 6962, section 2.1). The entry of a batch is made of columns
-- that never change, so it is not stored again.
CREATE TABLE receipt (
    -- Without gaps: the number of entries when this one had been added.
    seq      BIGINT NOT NULL PRIMARY KEY CHECK (seq > 0),
    batch_id BIGINT UNIQUE,
    root     BYTEA CHECK (length(root) = 32),
    entry    TEXT CHECK (octet_length(entry) BETWEEN 1 AND 4096),
    head     BYTEA NOT NULL CHECK (length(head) = 32),
    CHECK ((batch_id IS NULL) = (root IS NULL) AND (batch_id IS NULL) = (entry IS NOT NULL)),
    -- The entry of a batch is never stored as text: its batch could be signed again.
    CHECK (starts_with(entry, 'signwave/key/') OR starts_with(entry, 'signwave/restore/'))
);
-- What anchors are told of what others have added.
CREATE INDEX receipt_of_no_batch ON receipt (seq) WHERE entry IS NOT NULL;

-- How far the ledger is. A transaction that adds an entry locks the row in its last step, so entries become visible in
-- their order.
CREATE TABLE ledger (
    id          TEXT NOT NULL PRIMARY KEY CHECK (id ~ '^[0-9a-f]{16}$'),
    incarnation BIGINT NOT NULL DEFAULT 1 CHECK (incarnation > 0),
    size        BIGINT NOT NULL DEFAULT 0 CHECK (size >= 0),
    edge        BYTEA NOT NULL DEFAULT '' CHECK (length(edge) % 32 = 0 AND length(edge) <= 2016),
    halted      TEXT CHECK (octet_length(halted) BETWEEN 1 AND 1024),
    halted_size BIGINT CHECK (halted_size >= 0),
    public_key  BYTEA CHECK (length(public_key) = 32),
    sealed_key  BYTEA,
    checkpoint_size BIGINT CHECK (checkpoint_size BETWEEN 1 AND size),
    checkpoint  TEXT CHECK (octet_length(checkpoint) BETWEEN 1 AND 4096),
    CHECK ((public_key IS NULL) = (sealed_key IS NULL)),
    CHECK ((checkpoint_size IS NULL) = (checkpoint IS NULL)),
    CHECK (halted IS NOT NULL OR halted_size IS NULL)
) WITH (fillfactor = 25);
CREATE UNIQUE INDEX ledger_has_one_row ON ledger ((TRUE));
INSERT INTO ledger (id) SELECT left(md5(random()::text || random()::text || clock_timestamp()::text), 16);

-- The feed: signed batches in the order in which readers get them. A batch gets its position after its commit,
-- because ids, times and transaction numbers are given out before the commit, and become visible out of order.
CREATE TABLE feed (
    -- Without gaps, so that readers go on behind the last position that they saw.
    position BIGINT NOT NULL PRIMARY KEY CHECK (position > 0),
    batch_id BIGINT NOT NULL UNIQUE
);

-- Signed batches that have no position yet. The transaction that stores their signatures adds them.
CREATE TABLE unsequenced (
    batch_id BIGINT NOT NULL PRIMARY KEY
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

-- Tells the positions of this database from those of another.
CREATE TABLE feed_identity (
    id TEXT NOT NULL PRIMARY KEY CHECK (id ~ '^[0-9a-f]{12}$')
);
CREATE UNIQUE INDEX feed_identity_has_one_row ON feed_identity ((TRUE));
INSERT INTO feed_identity (id) SELECT left(md5(random()::text || random()::text || clock_timestamp()::text), 12);

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
    parent             TEXT CHECK (parent ~ '^(terminal|[a-z2-7]{10})$'),
    CHECK ((secret_sha256 IS NULL) = (certificate_sha256 IS NOT NULL)),
    CHECK ((previous_sha256 IS NULL) = (previous_until IS NULL)),
    CHECK (previous_sha256 IS NULL OR secret_sha256 IS NOT NULL AND previous_sha256 <> secret_sha256),
    CHECK (parent IS NULL OR expires_at IS NOT NULL AND secret_sha256 IS NOT NULL AND previous_sha256 IS NULL)
);

-- A certificate stands for one token at most. After a revocation it can stand for another.
CREATE UNIQUE INDEX api_token_one_per_certificate ON api_token (certificate_sha256) WHERE revoked_at IS NULL;

-- What was changed, and who did it: one row for each change of a key, a token, a webhook, an outlet or a refused message, in the same
-- transaction.
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

-- What arrived from a broker and is no record. A row is written in the transaction that stores the records beside it.
CREATE TABLE refused (
    id          BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (id > 0),
    source      TEXT NOT NULL CHECK (octet_length(source) BETWEEN 1 AND 1024),
    digest      BYTEA NOT NULL CHECK (length(digest) = 32),
    external_id TEXT CHECK (octet_length(external_id) <= 1024),
    payload     BYTEA NOT NULL,
    size        BIGINT NOT NULL,
    reason      TEXT NOT NULL CHECK (reason IN (
        'no-external-id', 'bad-external-id', 'conflict', 'too-large', 'malformed', 'schema')),
    detail      TEXT NOT NULL CHECK (octet_length(detail) <= 1024),
    tries       BIGINT NOT NULL DEFAULT 1 CHECK (tries > 0),
    at          TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    CHECK (size >= length(payload)),
    -- A message that arrives again is counted, and has no second row.
    UNIQUE (source, digest)
);

-- The ways out, such as webhooks and queues: how far each is, and which node uses it.
CREATE TABLE outlet (
    name       TEXT NOT NULL PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 1024),
    feed       TEXT NOT NULL CHECK (feed ~ '^[0-9a-f]{12}$'),
    position   BIGINT NOT NULL CHECK (position >= 0),
    epoch      BIGINT NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    holder     BIGINT,
    held_until TIMESTAMPTZ CHECK (isfinite(held_until)),
    CHECK ((holder IS NULL) = (held_until IS NULL))
);

-- Where messages about new signatures are sent. Each has an outlet, which has its position.
CREATE TABLE webhook (
    name            TEXT NOT NULL PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9-]{0,63}$'),
    url             TEXT NOT NULL CHECK (octet_length(url) BETWEEN 1 AND 2048),
    allow_internal  BOOLEAN NOT NULL,
    sealed_secret   BYTEA NOT NULL,
    previous_secret BYTEA,
    previous_until  TIMESTAMPTZ CHECK (isfinite(previous_until)),
    state           TEXT NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled')),
    state_reason    TEXT CHECK (octet_length(state_reason) <= 500),
    failures        BIGINT NOT NULL DEFAULT 0 CHECK (failures >= 0),
    retry_at        TIMESTAMPTZ CHECK (isfinite(retry_at)),
    delivered_at    TIMESTAMPTZ,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    CHECK ((previous_secret IS NULL) = (previous_until IS NULL)),
    CHECK (retry_at IS NULL OR state = 'enabled' AND failures > 0),
    CHECK (state = 'enabled' OR state_reason IS NOT NULL)
);

-- Turns: what only one node may do at a time. They have no rows and no columns, because a node only locks them.
-- For that it needs rights that only the service has. A lock that anybody may take, such as an advisory one,
-- would let anybody stop all signing.
CREATE TABLE opening_turn ();
CREATE TABLE leasing_turn ();
CREATE TABLE auditing_turn ();
CREATE TABLE sequencing_turn ();

CREATE VIEW signed_record AS
SELECT
    record.id AS record_id,
    record.external_id,
    record.payload,
    signature.value AS signature,
    signing_key.fingerprint,
    batch.scheme,
    batch.signed_at,
    feed.position
FROM signature
JOIN record ON record.id = signature.record_id
JOIN batch ON batch.id = signature.batch_id AND batch.state = 'signed'
JOIN signing_key ON signing_key.id = batch.key_id
LEFT JOIN feed ON feed.batch_id = batch.id;

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
COMMENT ON COLUMN signing_key.max_signatures IS 'How many signatures may be stored; without a value, any number.';
COMMENT ON COLUMN signing_key.not_before IS 'From when on batches may be leased with it; without a value, always.';
COMMENT ON COLUMN signing_key.not_after IS 'From when on no batch may be leased with it any more; without a value, never.';
COMMENT ON COLUMN signing_key.certificates IS 'X.509 certificates: the DER of each after that of the one before; the first one is of this key.';
COMMENT ON COLUMN signing_key.last_leased IS 'Its place in the order of use: the higher, the more recent; 0 is never.';
COMMENT ON COLUMN signing_key.signature_count IS 'Signatures stored; rises in the transaction that stores them.';
COMMENT ON COLUMN signing_key.created_at IS 'When it was added.';

COMMENT ON TABLE node IS 'Processes that sign. One whose lease has run out is removed by the others.';
COMMENT ON COLUMN node.id IS 'A new one for each start.';
COMMENT ON COLUMN node.name IS 'What people call it.';
COMMENT ON COLUMN node.started_at IS 'When it registered.';
COMMENT ON COLUMN node.lease_until IS 'Until when it may be silent, by this server''s clock.';
COMMENT ON COLUMN node.lease_ttl IS 'How long each renewal lasts, in milliseconds.';
COMMENT ON COLUMN node.custodians IS 'Whose keys it can use: values of signing_key.custody, with commas between them.';

COMMENT ON TABLE batch IS 'Sets of records, formed once: open -> leased -> signed, or back to open; lost after a restore.';
COMMENT ON COLUMN batch.id IS 'Numbered without gaps.';
COMMENT ON COLUMN batch.first_record IS 'The lowest id in runs.';
COMMENT ON COLUMN batch.last_record IS 'The highest id in runs. The highest of all batches is the frontier: new batches are formed above it.';
COMMENT ON COLUMN batch.runs IS 'The records'' ids, such as 1-10,12,15-20.';
COMMENT ON COLUMN batch.record_count IS 'How many records that is.';
COMMENT ON COLUMN batch.absent IS 'How many of them do not exist: those of a lost batch that were lost with it.';
COMMENT ON COLUMN batch.state IS 'open: waits for a key. leased: being signed. signed: all signatures are stored. lost: it was signed (or, with epoch 0, never signed), and a database that was put back does not have it, so it is never signed again.';
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

COMMENT ON TABLE receipt IS 'The ledger: one entry for each signed batch, each key that was added or retired, and each restore; append-only.';
COMMENT ON COLUMN receipt.seq IS 'Numbered without gaps, in the order of the commits.';
COMMENT ON COLUMN receipt.batch_id IS 'The batch. Its entry is made of columns that never change, and of root.';
COMMENT ON COLUMN receipt.root IS 'Of a batch: the root of the tree over its records, digests and signatures.';
COMMENT ON COLUMN receipt.entry IS 'Of anything else: the entry.';
COMMENT ON COLUMN receipt.head IS 'The root of the whole tree (RFC 6962), with this entry as its last leaf.';

COMMENT ON TABLE ledger IS 'How far the ledger is. It has one row.';
COMMENT ON COLUMN ledger.id IS 'Random. It tells this ledger from others, together with the incarnation.';
COMMENT ON COLUMN ledger.incarnation IS 'A deliberate restore raises it.';
COMMENT ON COLUMN ledger.size IS 'The number of entries.';
COMMENT ON COLUMN ledger.edge IS 'The roots of the perfect trees that make up the tree, the largest first.';
COMMENT ON COLUMN ledger.public_key IS 'The Ed25519 key that signs checkpoints.';
COMMENT ON COLUMN ledger.sealed_key IS 'Its private half, sealed with AES-256-GCM under the master key.';
COMMENT ON COLUMN ledger.checkpoint_size IS 'The number of entries that the last checkpoint is of.';
COMMENT ON COLUMN ledger.checkpoint IS 'The last checkpoint, a signed note (https://c2sp.org/tlog-checkpoint).';
COMMENT ON COLUMN ledger.halted IS 'Why nothing is formed, leased or signed, on any node: the database is older than what was shown of it.';
COMMENT ON COLUMN ledger.halted_size IS 'How many entries were committed, as the anchors know that halted it.';

COMMENT ON TABLE feed IS 'The order in which readers get signed batches; append-only.';
COMMENT ON COLUMN feed.position IS 'Numbered without gaps, after the batch was signed. It never changes.';
COMMENT ON COLUMN feed.batch_id IS 'The batch.';

COMMENT ON TABLE unsequenced IS 'Signed batches that have no position yet. The next node or reader gives them one.';
COMMENT ON COLUMN unsequenced.batch_id IS 'The batch.';

COMMENT ON TABLE feed_identity IS 'One row. After a restore of a backup, give the feed another id, so that no reader goes on where it was.';
COMMENT ON COLUMN feed_identity.id IS 'Random; the first part of every position that readers keep.';

COMMENT ON TABLE gap IS 'Ids below the frontier that no batch has, because no record of such an id was visible when its neighbours were batched. Looked at again when every transaction that may have drawn one of them has ended.';
COMMENT ON COLUMN gap.first_record IS 'The lowest id of the gap.';
COMMENT ON COLUMN gap.last_record IS 'The highest id of the gap.';
COMMENT ON COLUMN gap.writers IS 'The transactions (pg_locks.virtualtransaction) that were writing to record when the gap was noted.';
COMMENT ON COLUMN gap.noted_at IS 'When it was noted.';

COMMENT ON TABLE api_token IS 'Who may call the API: revoked, never deleted, except for sessions whose time is over. The secrets themselves are stored nowhere.';
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
COMMENT ON COLUMN api_token.parent IS 'A session of the dashboard names the token that it was made with, or ''terminal'' if the link on a terminal made it.';

COMMENT ON TABLE api_audit IS 'Every change of a key, a token, a webhook, an outlet or a refused message, in the transaction of the change; append-only.';
COMMENT ON COLUMN api_audit.id IS 'Numbered without gaps, in the order of the changes.';
COMMENT ON COLUMN api_audit.at IS 'When.';
COMMENT ON COLUMN api_audit.who IS 'Who: token:ID, cli:USER or node:NAME.';
COMMENT ON COLUMN api_audit.address IS 'The address of the client.';
COMMENT ON COLUMN api_audit.action IS 'What was done, such as key.state or token.revoke.';
COMMENT ON COLUMN api_audit.object IS 'What it was done to: the fingerprint of a key, the id of a token, the name of a webhook or of an outlet, or the id of a refused message.';
COMMENT ON COLUMN api_audit.before IS 'What was there before, for people to read.';
COMMENT ON COLUMN api_audit.after IS 'What is there since, for people to read.';
COMMENT ON COLUMN api_audit.request_id IS 'The id of the request, which the log has too.';

COMMENT ON TABLE refused IS 'Messages of a broker that became no record, each with the reason. ''signwave refused'' lists, retries and drops them.';
COMMENT ON COLUMN refused.id IS 'Assigned by the database.';
COMMENT ON COLUMN refused.source IS 'The broker and the queue that it came from.';
COMMENT ON COLUMN refused.digest IS 'SHA-256 of its name and its bytes: the same message has one row, however often it arrives.';
COMMENT ON COLUMN refused.external_id IS 'Its name, if it has one that a record may have.';
COMMENT ON COLUMN refused.payload IS 'Its bytes, or only the first of them if there were more than a record may have.';
COMMENT ON COLUMN refused.size IS 'How many bytes there were.';
COMMENT ON COLUMN refused.reason IS 'Why it became no record.';
COMMENT ON COLUMN refused.detail IS 'The same in words, for people to read.';
COMMENT ON COLUMN refused.tries IS 'How often it was refused: it may have arrived again, or been retried.';
COMMENT ON COLUMN refused.at IS 'When it was refused first.';

COMMENT ON TABLE outlet IS 'The ways out, such as webhooks and queues: how far each is, and which node uses it.';
COMMENT ON COLUMN outlet.name IS '''webhook:'' and the name of the webhook, or the address of a queue without its password.';
COMMENT ON COLUMN outlet.feed IS 'The feed of the position. It stays, so that a restored database is noticed.';
COMMENT ON COLUMN outlet.position IS 'Everything up to this place of the feed is sent.';
COMMENT ON COLUMN outlet.epoch IS 'The number of the last claim. A node that holds an older one changes nothing.';
COMMENT ON COLUMN outlet.holder IS 'The node that uses it. The node may be gone.';
COMMENT ON COLUMN outlet.held_until IS 'Until when, by this server''s clock.';

COMMENT ON TABLE webhook IS 'Where messages about new signatures are sent. Each has an outlet, which has its position.';
COMMENT ON COLUMN webhook.name IS 'What people call it.';
COMMENT ON COLUMN webhook.url IS 'Where messages are sent.';
COMMENT ON COLUMN webhook.allow_internal IS 'Whether that may be an internal address.';
COMMENT ON COLUMN webhook.sealed_secret IS 'The secret that signs messages, sealed with AES-256-GCM under the master key.';
COMMENT ON COLUMN webhook.previous_secret IS 'The same of the secret before the last rotation.';
COMMENT ON COLUMN webhook.previous_until IS 'Until when that secret signs, too.';
COMMENT ON COLUMN webhook.state IS 'enabled: messages are sent. disabled: they are not, until a person enables it.';
COMMENT ON COLUMN webhook.state_reason IS 'Why it is disabled, or why the last message failed.';
COMMENT ON COLUMN webhook.failures IS 'Messages that failed in a row.';
COMMENT ON COLUMN webhook.retry_at IS 'When a message is sent again, after a failure.';
COMMENT ON COLUMN webhook.delivered_at IS 'When a message was accepted last.';
COMMENT ON COLUMN webhook.created_at IS 'When it was added.';

COMMENT ON SEQUENCE signwave_frontier IS 'The highest record id that forming batches has seen: a record at or below it is accepted only where a gap waits for its transaction.';
COMMENT ON TABLE opening_turn IS 'Empty. A node locks it while it forms batches, so that only one node does so at a time.';
COMMENT ON TABLE leasing_turn IS 'Empty. A node locks it while it leases batches, so that only one node chooses keys at a time.';
COMMENT ON TABLE auditing_turn IS 'Empty. A node locks it while it makes a change that is in the audit log, so that the audit log has one order.';
COMMENT ON TABLE sequencing_turn IS 'Empty. A node or a reader locks it while it gives batches their positions in the feed, so that only one does so at a time.';

COMMENT ON VIEW signed_record IS 'Every signed record with its signature. Read signatures here.';
COMMENT ON COLUMN signed_record.record_id IS 'The record.';
COMMENT ON COLUMN signed_record.external_id IS 'The caller''s own name for it.';
COMMENT ON COLUMN signed_record.payload IS 'The signed bytes.';
COMMENT ON COLUMN signed_record.signature IS 'The signature.';
COMMENT ON COLUMN signed_record.fingerprint IS 'The key: SHA-256 of its DER SubjectPublicKeyInfo.';
COMMENT ON COLUMN signed_record.scheme IS 'How it was signed, as in RFC 7518.';
COMMENT ON COLUMN signed_record.signed_at IS 'When the signature was stored. It does not order signatures: one with an earlier time may appear later.';
COMMENT ON COLUMN signed_record.position IS 'The position of its batch in the feed; NULL for a moment after the commit. Go on behind the highest one seen.';
