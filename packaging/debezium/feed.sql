-- Lets Debezium capture the feed. Run it as a superuser, in the database, after 'signwave migrate'. The server needs
-- wal_level = logical. README, "To Kafka, with Debezium", says the rest.
--
--   psql -d NAME -f feed.sql
--
-- No login by password works until one is set: \password signwave_debezium
-- If the tables are not in the schema public, name theirs first: PGOPTIONS='-c search_path=SCHEMA'.
\set ON_ERROR_STOP on
BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'signwave_debezium') THEN
        CREATE ROLE signwave_debezium LOGIN REPLICATION;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO signwave_debezium', current_database());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO signwave_debezium', current_schema());
END
$$;

-- Positions and ids of batches, and nothing else: no record, no signature, no key.
GRANT SELECT ON feed TO signwave_debezium;

-- The feed only grows, so inserts are all that there is.
CREATE PUBLICATION signwave_feed FOR TABLE ONLY feed WITH (publish = 'insert');

COMMIT;
