"""Uses the client that was generated from the document: submits, waits, verifies, reads, and meets a problem."""

import base64
import os
import time

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from generated import AuthenticatedClient
from generated.api.keys import list_keys, read_key_jwk
from generated.api.records import find_record, read_signature, submit_record
from generated.api.status import read_status
from generated.models import KeyState, NewRecord, Problem, RecordState, Scheme, Verdict

client = AuthenticatedClient(base_url=os.environ["URL"], token=os.environ["TOKEN"])
record = NewRecord(external_id="a-1", payload="text")
made = submit_record.sync(client=client, body=record, prefer="wait=30")
assert made.verdict == Verdict.INSERTED and made.state == RecordState.SIGNED, made
signature = read_signature.sync(made.id, client=client)
assert signature.signature == made.signature.signature and signature.scheme == Scheme.PS256


def number(text):
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")


jwk = read_key_jwk.sync_detailed(signature.fingerprint, client=client)
key = jwk.parsed if jwk.parsed is not None else None
assert key is not None, "application/jwk+json is read"
public = RSAPublicNumbers(number(key.e), number(key.n)).public_key()
pss = PSS(MGF1(SHA256()), SHA256.digest_size)
public.verify(base64.b64decode(signature.signature), b"text", pss, SHA256())

assert find_record.sync(client=client, external_id="a-1").id == made.id
assert [key.state for key in list_keys.sync(client=client).keys] == [KeyState.ACTIVE] * 2
# The status is a second old at most.
deadline = time.monotonic() + 60
while read_status.sync(client=client).records.signed != 1:
    assert time.monotonic() < deadline, "the status does not have the signature"
    time.sleep(0.1)
conflict = submit_record.sync(client=client, body=NewRecord(external_id="a-1", payload="another"))
assert isinstance(conflict, Problem) and conflict.type_ == "/problems/external-id-conflict", conflict
