"""Submits as JSON and as bytes, waits, and verifies the signatures with the public key."""

import base64
import os

import requests
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

url = os.environ["URL"]
session = requests.Session()
session.headers["Authorization"] = f"Bearer {os.environ['TOKEN']}"


def verify(payload, signature):
    assert signature["scheme"] == "PS256"
    pem = session.get(f"{url}/v1/keys/{signature['fingerprint']}.pem").content
    pss = padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)
    load_pem_public_key(pem).verify(base64.b64decode(signature["signature"]), payload, pss, SHA256())


record = {"external_id": "größe/1", "payload": "naïve 🖋"}
answer = session.post(f"{url}/v1/records", json=record, headers={"Prefer": "wait=30"})
assert answer.status_code == 201, answer.text
verify(record["payload"].encode(), answer.json()["signature"])

again = session.post(f"{url}/v1/records", json=record)
assert again.status_code == 200 and again.json()["id"] == answer.json()["id"], again.text
found = session.get(f"{url}/v1/records", params={"external_id": record["external_id"]})
assert found.json()["id"] == answer.json()["id"], found.text

payload = bytes(range(256))
headers = {"Content-Type": "application/octet-stream", "Idempotency-Key": '"order 7"'}
raw = session.post(f"{url}/v1/records", data=payload, headers=headers)
assert raw.status_code == 201, raw.text
signed = session.get(f"{url}{raw.headers['Location']}/signature", headers={"Prefer": "wait=30"})
assert signed.status_code == 200, signed.text
verify(payload, signed.json())
cached = session.get(signed.url, headers={"If-None-Match": signed.headers["ETag"]})
assert cached.status_code == 304 and not cached.content

problem = session.post(f"{url}/v1/records", json=record | {"payload": "another"})
assert problem.status_code == 409 and problem.json()["type"] == "/problems/external-id-conflict"
