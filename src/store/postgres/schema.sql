-- All that the promises rest on in the schema, as the server sees it: a line each of kind, table, name, attribute and
-- value, divided by tabs. The value bound is the names of the tables and views, divided by spaces. Under
-- the settings of `session.rs` every server from 12 to 18 spells alike what means the same, also after a dump was
-- restored. Definitions are those for people ("pretty"): they have no brackets that depend
-- on how an expression was written first.
WITH home AS (
    SELECT relnamespace AS id, relowner AS owner, nspname AS name
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid = to_regclass('record')
),
ours AS (
    SELECT pg_class.* FROM pg_class JOIN home ON relnamespace = home.id
    WHERE relkind IN ('r', 'v', 'p', 'f', 'm') AND relname = ANY (string_to_array(?, ' '))
),
identities AS (
    SELECT ours.oid AS of_table, refobjsubid AS of_column, pg_sequence.*, class.relname, class.relpersistence,
        class.relowner, class.relacl
    FROM ours JOIN pg_depend ON refclassid = 'pg_class'::regclass AND refobjid = ours.oid AND deptype IN ('i', 'a')
        AND classid = 'pg_class'::regclass
        JOIN pg_sequence ON seqrelid = objid
        JOIN pg_class AS class ON class.oid = seqrelid
),
functions AS (
    SELECT pg_proc.*, proname || '(' || pg_get_function_identity_arguments(pg_proc.oid) || ')' AS signature
    FROM pg_proc JOIN home ON pronamespace = home.id WHERE left(proname, 9) = 'signwave_'
),
attributes (kind, relation, name, attribute, value) AS (
    SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'table' END, relname::text, '', attribute, value
    FROM ours, home, LATERAL (VALUES
        ('kind', CASE relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'p' THEN 'partitioned table'
            WHEN 'f' THEN 'foreign table' ELSE 'materialized view' END),
        ('persistence', CASE relpersistence WHEN 'p' THEN 'logged' WHEN 'u' THEN 'unlogged' ELSE 'temporary' END),
        ('row security', CASE WHEN relforcerowsecurity AND relrowsecurity THEN 'forced' WHEN relrowsecurity THEN 'on'
            WHEN relforcerowsecurity THEN 'forced when it is on' ELSE 'off' END),
        ('owner', CASE WHEN relowner = home.owner THEN 'that of record' ELSE pg_get_userbyid(relowner)::text END),
        ('inheritance', COALESCE((
            SELECT string_agg(CASE inhrelid WHEN ours.oid THEN 'from ' || inhparent::regclass
                ELSE 'by ' || inhrelid::regclass END, ', ' ORDER BY inhrelid)
            FROM pg_inherits WHERE ours.oid IN (inhrelid, inhparent)), 'none'))
    ) AS each (attribute, value)
    UNION ALL
    SELECT 'view', relname, '', attribute, value
    FROM ours, LATERAL (VALUES
        ('options', COALESCE(array_to_string(reloptions, ', '), 'none')),
        ('definition', pg_get_viewdef(ours.oid, true))
    ) AS each (attribute, value) WHERE relkind = 'v'
    UNION ALL
    SELECT 'column', relname, attname, 'definition', format_type(atttypid, atttypmod)
        || CASE WHEN attnotnull THEN ' not null' ELSE '' END
        || CASE attidentity WHEN 'a' THEN ' identity always' WHEN 'd' THEN ' identity by default' ELSE '' END
        || COALESCE(CASE attgenerated WHEN '' THEN ' default ' ELSE ' generated ' END || pg_get_expr(adbin, adrelid, true), '')
        || CASE WHEN attcollation <> typcollation THEN
            ' collate ' || (SELECT quote_ident(collname) FROM pg_collation WHERE oid = attcollation) ELSE '' END
    FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
        JOIN pg_type ON pg_type.oid = atttypid
        LEFT JOIN pg_attrdef ON adrelid = ours.oid AND adnum = attnum
    UNION ALL
    SELECT 'sequence', ours.relname, attname, each.attribute, value
    FROM ours JOIN pg_attribute ON attrelid = ours.oid JOIN identities ON of_table = ours.oid AND of_column = attnum,
        home,
    LATERAL (VALUES
        ('definition', format('%s increment %s from %s to %s cache %s%s', seqtypid::regtype, seqincrement, seqmin, seqmax,
            seqcache, CASE WHEN seqcycle THEN ' cycle' ELSE '' END)),
        ('persistence', CASE identities.relpersistence WHEN 'p' THEN 'logged' ELSE 'unlogged' END),
        ('owner', CASE WHEN identities.relowner = home.owner THEN 'that of record'
            ELSE pg_get_userbyid(identities.relowner)::text END)
    ) AS each (attribute, value)
    UNION ALL
    SELECT 'sequence', relname, '', 'definition', format('%s increment %s from %s to %s cache %s%s, %s', seqtypid::regtype,
        seqincrement, seqmin, seqmax, seqcache, CASE WHEN seqcycle THEN ' cycle' ELSE '' END,
        CASE relpersistence WHEN 'p' THEN 'logged' ELSE 'unlogged' END)
    FROM pg_class JOIN home ON relnamespace = home.id JOIN pg_sequence ON seqrelid = pg_class.oid
    WHERE left(relname, 9) = 'signwave_'
    UNION ALL
    -- From 18 on, NOT NULL is one of them: see 'column'.
    SELECT 'constraint', relname, conname, attribute, value
    FROM ours JOIN pg_constraint ON conrelid = ours.oid AND contype NOT IN ('n', 't'),
    LATERAL (VALUES
        ('definition', pg_get_constraintdef(pg_constraint.oid, true)),
        ('enabled', CASE WHEN EXISTS (
            SELECT FROM pg_trigger WHERE tgconstraint = pg_constraint.oid AND tgisinternal AND tgenabled NOT IN ('O', 'A')
        ) THEN 'no' ELSE 'yes' END)
    ) AS each (attribute, value)
    UNION ALL
    SELECT 'index', ours.relname, index.relname, attribute, value
    FROM ours JOIN pg_index ON indrelid = ours.oid JOIN pg_class AS index ON index.oid = indexrelid,
    LATERAL (VALUES
        ('definition', pg_get_indexdef(indexrelid, 0, true)),
        ('valid', CASE WHEN indisvalid AND indisready THEN 'yes' ELSE 'no' END)
    ) AS each (attribute, value)
    UNION ALL
    SELECT 'trigger', relname, tgname, attribute, value
    FROM ours JOIN pg_trigger ON tgrelid = ours.oid AND NOT tgisinternal,
    LATERAL (VALUES
        ('definition', pg_get_triggerdef(pg_trigger.oid, true)),
        ('enabled', CASE tgenabled WHEN 'A' THEN 'always' WHEN 'O' THEN 'origin' WHEN 'R' THEN 'replica' ELSE 'no' END)
    ) AS each (attribute, value)
    UNION ALL
    SELECT 'rule', relname, rulename, 'definition', pg_get_ruledef(pg_rewrite.oid, true)
    FROM ours JOIN pg_rewrite ON ev_class = ours.oid AND rulename <> '_RETURN'
    UNION ALL
    SELECT 'policy', relname, polname, 'command', polcmd::text FROM ours JOIN pg_policy ON polrelid = ours.oid
    UNION ALL
    SELECT 'function', '', signature, attribute, value
    FROM functions JOIN pg_language ON pg_language.oid = prolang, home,
    LATERAL (VALUES
        -- A body of SQL that is kept parsed (14 and later) has no text here.
        ('body', prosrc),
        ('language', lanname::text),
        ('result', pg_get_function_result(functions.oid)),
        ('arguments', pg_get_function_arguments(functions.oid)),
        ('volatility', CASE provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END),
        ('strict', CASE WHEN proisstrict THEN 'yes' ELSE 'no' END),
        ('rights', CASE WHEN NOT prosecdef THEN 'of the caller' WHEN proowner = home.owner THEN 'of the owner of record'
            ELSE 'of ' || pg_get_userbyid(proowner) END),
        ('settings', COALESCE((
            SELECT string_agg(CASE replace(setting, '"pg_temp"', 'pg_temp')
                WHEN 'search_path=' || quote_ident(home.name) || ', pg_temp' THEN 'search_path=HERE, pg_temp'
                WHEN 'search_path="' || replace(home.name, '"', '""') || '", pg_temp' THEN 'search_path=HERE, pg_temp'
                ELSE setting END, '; ' ORDER BY setting)
            FROM unnest(proconfig) AS setting), 'none'))
    ) AS each (attribute, value)
    UNION ALL
    -- Reading is for the users to decide.
    SELECT DISTINCT 'grant', relname, privilege_type, 'to PUBLIC', 'yes'
    FROM (
        SELECT relname, relacl FROM ours
        UNION ALL SELECT relname, attacl FROM ours JOIN pg_attribute ON attrelid = ours.oid AND NOT attisdropped
        UNION ALL SELECT relname, relacl FROM identities
    ) AS lists (relname, list), aclexplode(list) WHERE grantee = 0 AND privilege_type <> 'SELECT'
    UNION ALL
    SELECT 'grant', signature, privilege_type, 'to PUBLIC', 'yes'
    FROM functions, aclexplode(COALESCE(proacl, acldefault('f', proowner))) WHERE grantee = 0
)
SELECT kind || chr(9) || replace(relation, chr(9), ' ') || chr(9) || replace(name, chr(9), ' ') || chr(9) || attribute || chr(9)
    || btrim(regexp_replace(value, '[[:space:]]+', ' ', 'g'))
FROM attributes
ORDER BY kind COLLATE "C", relation COLLATE "C", name COLLATE "C", attribute COLLATE "C"
