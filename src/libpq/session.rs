//! What every connection sets, so that nothing depends on what a server, database or role has set.

/// A client that holds a lock and falls silent must not hold up all others, so the server ends a transaction
/// that idles, sooner than others give up waiting. Row-level security must not hide records: with it off the
/// server refuses instead. A durable commit is one of the promises: `off` becomes `on` here, while a stricter
/// mode of a replicated server stays. Plans of short statements gain nothing from JIT. The rest is how values
/// and texts are written and read. Diesel sets the time zone and the encoding: UTC and UTF-8. Settings that not
/// every version has, or that not everybody may change, come last.
pub const ALWAYS: &str = "SET statement_timeout = 0; \
    SET lock_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '3s'; \
    SET row_security = off; \
    SET default_transaction_isolation = 'read committed'; \
    SET default_transaction_read_only = off; \
    SET default_transaction_deferrable = off; \
    SET standard_conforming_strings = on; \
    SET transform_null_equals = off; \
    SET array_nulls = on; \
    SET quote_all_identifiers = off; \
    SET gin_fuzzy_search_limit = 0; \
    SET check_function_bodies = on; \
    SET datestyle = 'ISO'; \
    SET intervalstyle = 'postgres'; \
    SET bytea_output = 'hex'; \
    SET extra_float_digits = 1; \
    SET client_min_messages = 'warning'; \
    SET jit = off; \
    SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout'); \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
    SELECT set_config('lc_messages', 'C', false) WHERE current_setting('lc_messages') NOT IN ('C', 'POSIX') \
        AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)";
