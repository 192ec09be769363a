DROP VIEW signed_record;
DROP TABLE gap;
DROP SEQUENCE signwave_frontier;
DROP TABLE signature;
DROP TABLE batch;
DROP TABLE node;
DROP TABLE signing_key;
DROP TABLE record;
