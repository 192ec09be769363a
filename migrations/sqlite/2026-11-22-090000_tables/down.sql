DROP VIEW signed_record;
DROP TABLE api_audit;
DROP TABLE api_token;
DROP TABLE signature;
DROP TABLE batch;
DROP TABLE node;
DROP TABLE signing_key;
DROP TABLE record;
