-- Turns a copy by logical replication (see subscriber.sql) into the database in which Sign Wave signs. Keep to the
-- order, because otherwise both databases, which have the same keys, could sign the same records.
--
--   1. stop every 'serve' and 'sign' at the origin, and every program that inserts records there
--   2. wait until the copy has caught up: SELECT pg_current_wal_lsn() at the origin is not above the confirmed_flush_lsn
--      of the subscription's slot in pg_replication_slots there
--   3. in the copy: DROP SUBSCRIPTION signwave
--   4. in the copy, as the owner of the tables or a superuser: psql -d NAME -f promote.sql
--   5. run signwave verify, then serve. Nothing may sign at the origin again: remove its keys or its server
--
-- If the tables are not in the schema public, name their schema first: PGOPTIONS='-c search_path=SCHEMA'.
\set ON_ERROR_STOP on
BEGIN;
DO $$
DECLARE
    guard RECORD;
    sequence RECORD;
BEGIN
    IF EXISTS (
        SELECT FROM pg_stat_subscription JOIN pg_subscription_rel ON srsubid = subid
        WHERE srrelid IN ('record'::regclass, 'batch'::regclass, 'signature'::regclass)
    ) THEN
        RAISE EXCEPTION 'a subscription still feeds this database: DROP SUBSCRIPTION first';
    END IF;
    IF EXISTS (SELECT FROM node WHERE lease_until > clock_timestamp()) THEN
        RAISE EXCEPTION 'a node was at work at the origin when the copy ended, or its lease has not run out: '
            'stop it, let the copy catch up, and run this again';
    END IF;
    -- All guards but the three for local statements only: one wakes nodes, two check new records.
    FOR guard IN
        SELECT tgrelid::regclass AS relation, tgname
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'record'::regclass)
            AND NOT tgisinternal AND left(proname, 9) = 'signwave_' AND proname NOT IN
                ('signwave_tell', 'signwave_check_added', 'signwave_check_record')
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', guard.relation, guard.tgname);
    END LOOP;
    -- Sequences are not replicated. Set them so that no id is given out twice, and none below the frontier.
    FOR sequence IN
        SELECT pg_get_serial_sequence('record', 'id')::regclass AS name,
            GREATEST((SELECT max(id) FROM record), (SELECT max(last_record) FROM batch)) AS highest
        UNION ALL SELECT pg_get_serial_sequence('signing_key', 'id')::regclass, (SELECT max(id) FROM signing_key)
        UNION ALL SELECT to_regclass('signwave_frontier'), (SELECT max(last_record) FROM batch)
        UNION ALL SELECT pg_get_serial_sequence('node', 'id')::regclass,
            GREATEST((SELECT max(id) FROM node), (SELECT max(node_id) FROM batch))
    LOOP
        CONTINUE WHEN sequence.name IS NULL;
        sequence.highest := GREATEST(sequence.highest, pg_sequence_last_value(sequence.name));
        PERFORM setval(sequence.name, sequence.highest) WHERE sequence.highest IS NOT NULL;
    END LOOP;
END
$$;
COMMIT;
