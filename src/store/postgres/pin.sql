-- For the rest of the transaction: how the server spells what it is asked for does not depend on the database's or the
-- user's settings, and names in the schema that has our tables are short.
SELECT set_config('search_path', quote_ident(nspname) || ', pg_temp', true)
    || set_config('quote_all_identifiers', 'off', true)
    || set_config('standard_conforming_strings', 'on', true)
FROM pg_namespace WHERE oid = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('record'))
