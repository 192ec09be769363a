-- Makes the table for anchors in a PostgreSQL database, which must not be the one with the records. Run this as the owner of
-- that database:
--
--   psql -d NAME -v role=ROLE -f anchors.sql
--
-- ROLE is the one in '--anchor postgres://ROLE@HOST/NAME#NODE'. It may read rows and add some, and do nothing else, so a person
-- who breaks into a node cannot rewrite what its anchor says. A role that may make the table does so itself, and then owns it.
\set ON_ERROR_STOP on
BEGIN;

CREATE TABLE signwave_anchor (
    name text,
    generation bigint,
    line bigint,
    text text NOT NULL,
    PRIMARY KEY (name, generation, line)
);

CREATE FUNCTION signwave_anchor_keep() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''signwave: what an anchor says is never changed''; END';

CREATE TRIGGER signwave_anchor_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON signwave_anchor
    FOR EACH STATEMENT EXECUTE FUNCTION signwave_anchor_keep();

GRANT SELECT, INSERT ON signwave_anchor TO :"role";
COMMIT;
