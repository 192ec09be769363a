-- Everything that Sign Wave keeps. Users insert into `record` and read `signed_record`; the rest is
-- Sign Wave's own. Times are RFC 3339 texts in UTC. No table is STRICT: STRICT knows no BIGINT,
-- from which diesel tells 64 bits from 32; CHECKs on typeof() stand in for it.

CREATE TABLE record (
    -- AUTOINCREMENT: never reused. The highest number is left out, because the one after it would
    -- be reported as a full disk.
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CHECK (id > 0 AND id < 9223372036854775807),
    -- The caller's own name for the record: adding it again is harmless.
    external_id TEXT UNIQUE CHECK (typeof(external_id) IN ('text', 'null')),
    -- The signed bytes. A text stands for its UTF-8 bytes: readers CAST(payload AS BLOB).
    payload     BLOB NOT NULL CHECK (typeof(payload) IN ('blob', 'text')),
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

CREATE TABLE signing_key (
    id              INTEGER NOT NULL PRIMARY KEY CHECK (id > 0),
    -- SHA-256 of public_key, in lower-case hex: the key's name everywhere.
    fingerprint     TEXT NOT NULL UNIQUE CHECK (length(fingerprint) = 64 AND NOT fingerprint GLOB '*[^0-9a-f]*'),
    -- DER SubjectPublicKeyInfo.
    public_key      BLOB NOT NULL CHECK (typeof(public_key) = 'blob'),
    bits            INTEGER NOT NULL CHECK (typeof(bits) = 'integer' AND bits > 0),
    -- Who has the private half: 'database', or a custodian by its name.
    custody         TEXT NOT NULL CHECK (typeof(custody) = 'text' AND custody <> ''),
    -- The private half under the master key.
    sealed_key      BLOB CHECK (typeof(sealed_key) IN ('blob', 'null')),
    -- What another custodian finds the private half by. This is no secret.
    location        TEXT CHECK (typeof(location) IN ('text', 'null') AND location <> ''),
    state           TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled', 'retired', 'suspended')),
    state_reason    TEXT,
    -- How many signatures may be stored, and from when until when batches may be leased; NULL is no limit.
    max_signatures  BIGINT CHECK (typeof(max_signatures) IN ('integer', 'null') AND max_signatures BETWEEN 1 AND 9007199254740991),
    not_before      TEXT CHECK (not_before IS strftime('%Y-%m-%dT%H:%M:%fZ', not_before) AND not_before >= '1970'),
    not_after       TEXT CHECK (not_after IS strftime('%Y-%m-%dT%H:%M:%fZ', not_after) AND not_after >= '1970'),
    -- X.509 certificates: the DER of each after that of the one before; the first one is of this key.
    certificates    BLOB CHECK (typeof(certificates) IN ('blob', 'null') AND length(certificates) BETWEEN 1 AND 65536),
    -- The order of use: the higher, the more recent; 0 is never.
    last_leased     BIGINT NOT NULL DEFAULT 0 CHECK (typeof(last_leased) = 'integer' AND last_leased >= 0),
    signature_count BIGINT NOT NULL DEFAULT 0 CHECK (typeof(signature_count) = 'integer' AND signature_count >= 0),
    created_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    CHECK ((custody = 'database') = (sealed_key IS NOT NULL)),
    CHECK ((custody = 'database') = (location IS NULL)),
    CHECK (signature_count <= max_signatures),
    CHECK (not_before < not_after)
);

-- Least recently used first, and the highest place in that order.
CREATE INDEX signing_key_by_use ON signing_key (last_leased);
-- Keys with a limit of signatures.
CREATE INDEX signing_key_limited ON signing_key (max_signatures) WHERE max_signatures IS NOT NULL;

CREATE TABLE node (
    -- AUTOINCREMENT: a process that registers again gets another id.
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
    name        TEXT NOT NULL,
    started_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    lease_until TEXT NOT NULL,
    -- How long each renewal lasts, in milliseconds.
    lease_ttl   BIGINT NOT NULL,
    -- Whose keys it can use: values of signing_key.custody, with commas between them.
    custodians  TEXT NOT NULL CHECK (typeof(custodians) = 'text')
);

CREATE TABLE batch (
    -- Without gaps, so that the highest id is also the number of batches.
    id           INTEGER NOT NULL PRIMARY KEY CHECK (id > 0),
    -- The unique index also answers which batch a record is in.
    first_record BIGINT NOT NULL UNIQUE,
    last_record  BIGINT NOT NULL,
    -- The records' ids, such as 1-10,12,15-20.
    runs         TEXT NOT NULL CHECK (length(runs) > 0),
    record_count BIGINT NOT NULL,
    -- How many of them do not exist: those of a lost batch that were lost with it.
    absent       BIGINT NOT NULL DEFAULT 0 CHECK (typeof(absent) = 'integer' AND absent BETWEEN 0 AND record_count),
    state        TEXT NOT NULL DEFAULT 'open',
    -- The lease number: it rises with each lease, release and reclaim.
    epoch        BIGINT NOT NULL DEFAULT 0 CHECK (typeof(epoch) = 'integer' AND epoch >= 0),
    key_id       BIGINT REFERENCES signing_key (id),
    node_id      BIGINT REFERENCES node (id),
    scheme       TEXT CHECK (scheme IN ('PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512')),
    opened_at    TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    leased_at    TEXT,
    signed_at    TEXT,
    CHECK (typeof(first_record) = 'integer' AND typeof(last_record) = 'integer' AND typeof(record_count) = 'integer'),
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
            -- The key, as far as it is known. Epoch 0: it was never signed.
            WHEN 'lost' THEN
                node_id IS NULL AND scheme IS NULL AND leased_at IS NULL AND signed_at IS NULL
                AND (key_id IS NULL OR epoch > 0)
            ELSE 0
        END
    ),
    CHECK (absent = 0 OR state = 'lost')
);

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
    record_id INTEGER NOT NULL PRIMARY KEY REFERENCES record (id),
    batch_id  BIGINT NOT NULL REFERENCES batch (id),
    value     BLOB NOT NULL CHECK (typeof(value) = 'blob' AND length(value) > 0)
);

-- Receipts: the ledger has an entry for each signed batch, each key that was added or retired, and each restore, in the
-- order of their commits. They are the leaves of one tree (RFC 6962, section 2.1). The entry of a batch is made of columns
-- that never change, so it is not stored again.
CREATE TABLE receipt (
    -- Without gaps: the number of entries when this one had been added.
    seq      INTEGER NOT NULL PRIMARY KEY CHECK (seq > 0),
    batch_id BIGINT UNIQUE REFERENCES batch (id),
    -- Of a batch: the root of the tree over its records, digests and signatures.
    root     BLOB CHECK (typeof(root) IN ('blob', 'null') AND length(root) = 32),
    -- Of anything else: the entry.
    entry    TEXT CHECK (typeof(entry) IN ('text', 'null') AND length(entry) BETWEEN 1 AND 4096),
    -- The root of the whole tree, with this entry as its last leaf.
    head     BLOB NOT NULL CHECK (typeof(head) = 'blob' AND length(head) = 32),
    CHECK ((batch_id IS NULL) = (root IS NULL) AND (batch_id IS NULL) = (entry IS NOT NULL)),
    -- The entry of a batch is never stored as text: its batch could be signed again.
    CHECK (entry GLOB 'signwave/key/*' OR entry GLOB 'signwave/restore/*')
);
-- What anchors are told of what others have added.
CREATE INDEX receipt_of_no_batch ON receipt (seq) WHERE entry IS NOT NULL;

-- How far the ledger is. It has one row.
CREATE TABLE ledger (
    -- Tells this ledger from others, together with the incarnation, which a deliberate restore raises.
    id          TEXT NOT NULL PRIMARY KEY CHECK (typeof(id) = 'text' AND length(id) = 16 AND NOT id GLOB '*[^0-9a-f]*'),
    incarnation BIGINT NOT NULL DEFAULT 1 CHECK (typeof(incarnation) = 'integer' AND incarnation > 0),
    size        BIGINT NOT NULL DEFAULT 0 CHECK (typeof(size) = 'integer' AND size >= 0),
    -- The roots of the perfect trees that make up the tree, the largest first.
    edge        BLOB NOT NULL DEFAULT x'' CHECK (typeof(edge) = 'blob' AND length(edge) % 32 = 0 AND length(edge) <= 2016),
    -- Why nothing is formed, leased or signed, on any node: the database is older than what was shown of it.
    halted      TEXT CHECK (typeof(halted) IN ('text', 'null') AND length(halted) BETWEEN 1 AND 1024),
    -- How many entries were committed, as the anchors know that halted it.
    halted_size BIGINT CHECK (typeof(halted_size) IN ('integer', 'null') AND halted_size >= 0),
    -- The Ed25519 key that signs checkpoints, and its private half under the master key.
    public_key  BLOB CHECK (typeof(public_key) IN ('blob', 'null') AND length(public_key) = 32),
    sealed_key  BLOB CHECK (typeof(sealed_key) IN ('blob', 'null')),
    -- The last checkpoint, a signed note, and the number of entries that it is of.
    checkpoint_size BIGINT CHECK (typeof(checkpoint_size) IN ('integer', 'null') AND checkpoint_size BETWEEN 1 AND size),
    checkpoint  TEXT CHECK (typeof(checkpoint) IN ('text', 'null') AND length(checkpoint) BETWEEN 1 AND 4096),
    CHECK ((public_key IS NULL) = (sealed_key IS NULL)),
    CHECK ((checkpoint_size IS NULL) = (checkpoint IS NULL)),
    CHECK (halted IS NOT NULL OR halted_size IS NULL)
) WITHOUT ROWID;
INSERT INTO ledger (id) VALUES (lower(hex(randomblob(8))));

-- The feed: signed batches in the order in which readers get them, which is the order of their commits.
CREATE TABLE feed (
    -- Without gaps, so that readers go on behind the last position that they saw.
    position INTEGER NOT NULL PRIMARY KEY CHECK (position > 0),
    batch_id BIGINT NOT NULL UNIQUE REFERENCES batch (id)
);

-- Tells the positions of this database from those of another. It has one row. After a restore of a backup, give the
-- feed another id, so that no reader goes on where it was.
CREATE TABLE feed_identity (
    id TEXT NOT NULL PRIMARY KEY CHECK (typeof(id) = 'text' AND length(id) = 12 AND NOT id GLOB '*[^0-9a-f]*')
) WITHOUT ROWID;
INSERT INTO feed_identity (id) VALUES (lower(hex(randomblob(6))));

-- Who may call the API. WITHOUT ROWID, because an UPDATE OR REPLACE of a rowid would delete another token.
CREATE TABLE api_token (
    -- It is part of the token, and names it everywhere.
    id                 TEXT NOT NULL PRIMARY KEY
        CHECK (typeof(id) = 'text' AND length(id) = 10 AND NOT id GLOB '*[^a-z2-7]*'),
    name               TEXT NOT NULL CHECK (typeof(name) = 'text' AND length(name) BETWEEN 1 AND 100),
    scopes             TEXT NOT NULL CHECK (scopes IN (
        'submit', 'read', 'submit,read', 'operate', 'submit,operate', 'read,operate', 'submit,read,operate',
        'admin', 'submit,admin', 'read,admin', 'submit,read,admin', 'operate,admin', 'submit,operate,admin',
        'read,operate,admin', 'submit,read,operate,admin'
    )),
    -- SHA-256 of the secret, which is stored nowhere.
    secret_sha256      BLOB CHECK (typeof(secret_sha256) IN ('blob', 'null') AND length(secret_sha256) = 32),
    -- The same of the secret before the last rotation, and until when it can be used.
    previous_sha256    BLOB CHECK (typeof(previous_sha256) IN ('blob', 'null') AND length(previous_sha256) = 32),
    previous_until     TEXT CHECK (previous_until IS strftime('%Y-%m-%dT%H:%M:%fZ', previous_until)),
    -- SHA-256 of the SubjectPublicKeyInfo of a client certificate, in lower-case hex. Such a token has no secret.
    certificate_sha256 TEXT CHECK (length(certificate_sha256) = 64 AND NOT certificate_sha256 GLOB '*[^0-9a-f]*'),
    created_at         TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    expires_at         TEXT CHECK (expires_at IS strftime('%Y-%m-%dT%H:%M:%fZ', expires_at)),
    revoked_at         TEXT CHECK (revoked_at IS strftime('%Y-%m-%dT%H:%M:%fZ', revoked_at)),
    last_used_at       TEXT CHECK (last_used_at IS strftime('%Y-%m-%dT%H:%M:%fZ', last_used_at)),
    -- A session of the dashboard names the token that it was made with, or 'terminal' if the link on a terminal made it.
    parent             TEXT CHECK (typeof(parent) IN ('text', 'null')
        AND (parent = 'terminal' OR length(parent) = 10 AND NOT parent GLOB '*[^a-z2-7]*')),
    CHECK ((secret_sha256 IS NULL) = (certificate_sha256 IS NOT NULL)),
    CHECK ((previous_sha256 IS NULL) = (previous_until IS NULL)),
    CHECK (previous_sha256 IS NULL OR secret_sha256 IS NOT NULL AND previous_sha256 <> secret_sha256),
    CHECK (parent IS NULL OR expires_at IS NOT NULL AND secret_sha256 IS NOT NULL AND previous_sha256 IS NULL)
) WITHOUT ROWID;

-- A certificate stands for one token at most. After a revocation it can stand for another.
CREATE UNIQUE INDEX api_token_one_per_certificate ON api_token (certificate_sha256) WHERE revoked_at IS NULL;

-- What was changed, and who did it: one row for each change of a key, a token, a webhook, an outlet or a refused message, in the same
-- transaction.
CREATE TABLE api_audit (
    -- Without gaps, so that a missing row is noticed.
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id > 0),
    at         TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    who        TEXT NOT NULL CHECK (who GLOB 'token:?*' OR who GLOB 'cli:?*' OR who GLOB 'node:?*'),
    address    TEXT CHECK (typeof(address) IN ('text', 'null')),
    action     TEXT NOT NULL CHECK (action GLOB '[a-z]*.[a-z]*'),
    object     TEXT NOT NULL CHECK (typeof(object) = 'text' AND object <> ''),
    before     TEXT CHECK (typeof(before) IN ('text', 'null')),
    after      TEXT CHECK (typeof(after) IN ('text', 'null')),
    request_id TEXT CHECK (typeof(request_id) IN ('text', 'null'))
);

-- What arrived from a broker and is no record. A row is written in the transaction that stores the records beside it.
CREATE TABLE refused (
    -- AUTOINCREMENT: never reused, because people name rows by their ids.
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
    -- The broker and the queue that it came from.
    source      TEXT NOT NULL CHECK (typeof(source) = 'text' AND length(source) BETWEEN 1 AND 1024),
    -- SHA-256 of its name and its bytes: the same message has one row, however often it arrives.
    digest      BLOB NOT NULL CHECK (typeof(digest) = 'blob' AND length(digest) = 32),
    -- Its name, if it has one that a record may have.
    external_id TEXT CHECK (typeof(external_id) IN ('text', 'null') AND length(external_id) <= 1024),
    -- Its bytes, or only the first of them if there were more than a record may have.
    payload     BLOB NOT NULL CHECK (typeof(payload) = 'blob'),
    -- How many bytes there were.
    size        BIGINT NOT NULL CHECK (typeof(size) = 'integer' AND size >= length(payload)),
    reason      TEXT NOT NULL CHECK (reason IN (
        'no-external-id', 'bad-external-id', 'conflict', 'too-large', 'malformed', 'schema')),
    -- The reason in words, for people to read.
    detail      TEXT NOT NULL CHECK (typeof(detail) = 'text' AND length(detail) <= 1024),
    -- How often it was refused: it may have arrived again, or been retried.
    tries       BIGINT NOT NULL DEFAULT 1 CHECK (typeof(tries) = 'integer' AND tries > 0),
    at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    UNIQUE (source, digest)
);

-- The ways out, such as webhooks and queues: how far each is, and which node uses it.
CREATE TABLE outlet (
    -- 'webhook:' and the name of the webhook, or the address of a queue without its password.
    name       TEXT NOT NULL PRIMARY KEY CHECK (typeof(name) = 'text' AND length(name) BETWEEN 1 AND 1024),
    -- The feed of the position. It stays, so that a restored database is noticed.
    feed       TEXT NOT NULL CHECK (typeof(feed) = 'text' AND length(feed) = 12 AND NOT feed GLOB '*[^0-9a-f]*'),
    -- Everything up to this place is sent.
    position   BIGINT NOT NULL CHECK (typeof(position) = 'integer' AND position >= 0),
    -- The number of the last claim. A node that holds an older one changes nothing.
    epoch      BIGINT NOT NULL DEFAULT 0 CHECK (typeof(epoch) = 'integer' AND epoch >= 0),
    -- The node that uses it, and until when. The node may be gone.
    holder     BIGINT CHECK (typeof(holder) IN ('integer', 'null')),
    held_until TEXT CHECK (held_until IS strftime('%Y-%m-%dT%H:%M:%fZ', held_until)),
    CHECK ((holder IS NULL) = (held_until IS NULL))
) WITHOUT ROWID;

-- Where messages about new signatures are sent. Each has an outlet, which has its position.
CREATE TABLE webhook (
    name            TEXT NOT NULL PRIMARY KEY CHECK (typeof(name) = 'text' AND length(name) BETWEEN 1 AND 64
        AND NOT name GLOB '*[^a-z0-9-]*' AND name GLOB '[a-z]*'),
    url             TEXT NOT NULL CHECK (typeof(url) = 'text' AND length(url) BETWEEN 1 AND 2048),
    -- Whether that may be an internal address.
    allow_internal  BOOLEAN NOT NULL CHECK (typeof(allow_internal) = 'integer' AND allow_internal IN (0, 1)),
    -- The secret that signs messages, under the master key, and the one before the last rotation.
    sealed_secret   BLOB NOT NULL CHECK (typeof(sealed_secret) = 'blob'),
    previous_secret BLOB CHECK (typeof(previous_secret) IN ('blob', 'null')),
    -- Until when the latter signs, too.
    previous_until  TEXT CHECK (previous_until IS strftime('%Y-%m-%dT%H:%M:%fZ', previous_until)),
    state           TEXT NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled')),
    -- Why it is disabled, or why the last message failed.
    state_reason    TEXT CHECK (typeof(state_reason) IN ('text', 'null') AND length(state_reason) <= 500),
    -- Messages that failed in a row, and when the next one is sent.
    failures        BIGINT NOT NULL DEFAULT 0 CHECK (typeof(failures) = 'integer' AND failures >= 0),
    retry_at        TEXT CHECK (retry_at IS strftime('%Y-%m-%dT%H:%M:%fZ', retry_at)),
    delivered_at    TEXT CHECK (delivered_at IS strftime('%Y-%m-%dT%H:%M:%fZ', delivered_at)),
    created_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    CHECK ((previous_secret IS NULL) = (previous_until IS NULL)),
    CHECK (retry_at IS NULL OR state = 'enabled' AND failures > 0),
    CHECK (state = 'enabled' OR state_reason IS NOT NULL)
) WITHOUT ROWID;

CREATE VIEW signed_record AS
SELECT
    record.id AS record_id,
    record.external_id,
    CAST(record.payload AS BLOB) AS payload,
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
