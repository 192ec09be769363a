"""Reads the key set with a library for JOSE, and verifies a record's signature with the library's own PS256."""

import base64
import os

import httpx
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

client = httpx.Client(
    base_url=os.environ["URL"], headers={"Authorization": f"Bearer {os.environ['TOKEN']}"}, timeout=60
)
record = {"external_id": "a", "payload": "text"}
made = client.post("/v1/records", json=record, headers={"Prefer": "wait=30"}).json()
signature = made["signature"]
keys = KeySet.import_key_set(client.get("/v1/jwks.json").json())
assert {key.kid for key in keys.keys} == {key["kid"] for key in client.get("/.well-known/jwks.json").json()["keys"]}
assert len(keys.keys) == 2
key = keys.get_by_kid(signature["fingerprint"])
assert not key.is_private and "alg" not in key.as_dict(), key.as_dict()
one = client.get("/v1/jwks.json", params={"kid": signature["fingerprint"]}).json()["keys"]
assert [found["kid"] for found in one] == [signature["fingerprint"]]

algorithm = JWSRegistry.algorithms[signature["scheme"]]
raw = base64.b64decode(signature["signature"])
assert algorithm.verify(b"text", raw, key)
assert not algorithm.verify(b"another text", raw, key)
