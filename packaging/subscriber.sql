-- Prepares an empty copy of Sign Wave's schema for logical replication (PostgreSQL to PostgreSQL, also to a newer
-- version). Run it as the owner of the tables or a superuser, in the copy, before CREATE SUBSCRIPTION:
--
--   at the origin (wal_level = logical), as a superuser:
--     psql -d NAME -c 'CREATE PUBLICATION signwave FOR ALL TABLES'
--   in the copy, which is empty:
--     pg_dump --schema-only --no-publications ORIGIN | psql -v ON_ERROR_STOP=1 -d NAME
--     psql -d NAME -f subscriber.sql
--     psql -d NAME -c "CREATE SUBSCRIPTION signwave CONNECTION '..' PUBLICATION signwave"
--
-- The guards then ignore replicated rows, and check all other statements as before. 'serve' and 'sign' refuse to work
-- in the copy until promote.sql has run. 'verify' reports that it is a copy.
-- If the tables are not in the schema public, name their schema first: PGOPTIONS='-c search_path=SCHEMA'.
\set ON_ERROR_STOP on
BEGIN;
DO $$
DECLARE
    guard RECORD;
BEGIN
    IF EXISTS (SELECT FROM record) OR EXISTS (SELECT FROM batch) OR EXISTS (SELECT FROM signing_key) THEN
        RAISE EXCEPTION 'this database holds records, batches or keys: use an empty database for the copy';
    END IF;
    FOR guard IN
        SELECT tgrelid::regclass AS relation, tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'record'::regclass)
            AND NOT tgisinternal AND tgenabled = 'A'
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER %I', guard.relation, guard.tgname);
    END LOOP;
END
$$;
COMMIT;
