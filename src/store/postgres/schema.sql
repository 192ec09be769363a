-- Definitions of all that the migrations make, as the server spells them, without the name of the
-- schema that they are in: a line each, kind, table, name and definition, divided by tabs. The view's
-- definition is left out: servers of different versions spell it differently.
WITH ours AS (
    SELECT oid, relname FROM pg_class
    WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'record'::regclass)
        AND relname IN ('record', 'signing_key', 'node', 'batch', 'signature', 'gap', 'signed_record')
),
objects AS (
    SELECT 'column' AS kind, relname, attname AS name,
        format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END
            || CASE attidentity WHEN 'a' THEN ' identity' ELSE '' END AS definition
    FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT 'constraint', relname, conname, pg_get_constraintdef(pg_constraint.oid)
    FROM ours JOIN pg_constraint ON conrelid = ours.oid AND contype <> 'n' AND convalidated
    UNION ALL
    SELECT 'index', ours.relname, index.relname, pg_get_indexdef(indexrelid)
    FROM ours JOIN pg_index ON indrelid = ours.oid AND indisvalid AND indisready
        JOIN pg_class AS index ON index.oid = indexrelid
    UNION ALL
    SELECT 'trigger', relname, tgname, tgenabled::text || ' ' || pg_get_triggerdef(pg_trigger.oid)
    FROM ours JOIN pg_trigger ON tgrelid = ours.oid AND NOT tgisinternal
    UNION ALL
    SELECT 'function', '', proname, prosrc FROM pg_proc
    WHERE proname LIKE 'signwave\_%'
        AND pronamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'record'::regclass)
)
SELECT kind || E'\t' || relname || E'\t' || name || E'\t'
    || regexp_replace(replace(definition, current_schema() || '.', ''), '\s+', ' ', 'g')
FROM objects
ORDER BY kind, relname, name
