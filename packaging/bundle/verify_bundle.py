#!/usr/bin/env python3
"""Verifies bundles of Sign Wave: signed records, each with the proof that it is in the ledger.

A file of bundles has one in each line. This program needs Python 3.8 and no package. It trusts what you pin only:

  --ledger VKEY         the key of the ledger. A bundle must be in a checkpoint that this key has signed.
  --key FINGERPRINT     a key that signs records. A bundle must be signed by one of the pinned keys.

With --key alone the receipt of a bundle is compared with its checkpoint, but nothing shows whose checkpoint it is. Then
nothing but the signature of the payload is proven: neither the name of the record (external_id) nor its place.

Exit codes: 0 every bundle is verified, 1 one is refused or the input is bad, 2 wrong usage.
"""

import argparse
import binascii
import collections
import datetime
import functools
import hashlib
import json
import re
import sys

MAX_LINE = 32 << 20  # bytes of a bundle, with its payload
MAX_NOTE = 64 << 10  # bytes of a checkpoint
MAX_SIGNATURES = 16  # of a checkpoint
MAX_PATH = 64  # hashes: a tree has at most 2^64 leaves
MAX_NUMBER = (1 << 53) - 1  # what every reader of JSON knows exactly
HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
SCHEMES = {kind + bits: (kind == "PS", HASHES[bits]) for kind in ("PS", "RS") for bits in HASHES}
SIGNATURE = re.compile("\u2014 ([^\\s+]+) ([^\\s]+)")  # a line of a note (https://c2sp.org/signed-note)
MEMBERS = "record name payload digest scheme signature spki entry record_index records records_path index path note"
ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
Bundle = collections.namedtuple("Bundle", MEMBERS)


class Flaw(Exception):
    """Why a bundle is refused: the check that failed, and what it found."""


def base64(data):
    return binascii.b2a_base64(data, newline=False).decode()


def hashes(texts):
    path = tuple(map(binascii.a2b_base64, texts))
    if len(path) > MAX_PATH or any(len(item) != 32 for item in path) or list(map(base64, path)) != texts:
        raise ValueError("not a list of hashes")
    return path


def parse(line):
    """Reads a bundle. It has one text only, so that no two readers understand it differently: that of its parts."""
    try:
        text = line.decode()
        value = json.loads(text)
        record, receipt, unbase64 = value["record"], value["receipt"], binascii.a2b_base64
        payload = unbase64(record["payload"]) if "payload" in record else None
        numbers = {name: int(receipt[name]) for name in ("record_index", "records", "index")}
        texts = {"scheme": value["scheme"], "entry": receipt["entry"], "note": value["checkpoint"]}
        data = {"digest": record["digest"], "signature": value["signature"], "spki": value["key"]["spki"]}
        data = {name: unbase64(member) for name, member in data.items()}
        paths = {name: hashes(receipt[name]) for name in ("records_path", "path")}
        start = {"record": positive(record["id"]), "name": record["external_id"], "payload": payload}
        bundle = Bundle(**start, **numbers, **texts, **data, **paths)
        again = {"id": str(bundle.record), "external_id": bundle.name}
        again.update({} if payload is None else {"payload": base64(payload)})
        again = {"bundle": "signwave/bundle/v1", "record": {**again, "digest": base64(bundle.digest)}}
        again.update(scheme=bundle.scheme, signature=base64(bundle.signature), key={"spki": base64(bundle.spki)})
        place = {"entry": bundle.entry, "record_index": bundle.record_index, "records": bundle.records}
        place.update(records_path=receipt["records_path"], index=bundle.index, path=receipt["path"])
        if ENCODE({**again, "receipt": place, "checkpoint": bundle.note}) != text:
            raise ValueError("its text is not the canonical one")
        if not all(isinstance(text, str) for text in (*texts.values(), "" if bundle.name is None else bundle.name)):
            raise ValueError("a member has a wrong type")
        if max(numbers.values()) > MAX_NUMBER or min(numbers.values()) < 0:
            raise ValueError("a number is too large")
        if len(bundle.digest) != SCHEMES[bundle.scheme][1]().digest_size:
            raise ValueError("its digest has a wrong length")
        return bundle
    except (LookupError, ValueError, TypeError, RecursionError) as error:
        raise Flaw("form", "this is no bundle: %a" % error) from None


def positive(text, limit=(1 << 63) - 1):
    """A number above 0, without sign or leading zeros."""
    if not re.fullmatch("[1-9][0-9]{0,19}", text) or int(text) > limit:
        raise ValueError
    return int(text)


@functools.lru_cache(maxsize=64)
def parse_entry(text):
    """What an entry says of its batch: scheme, fingerprint, ranges of record ids, root over the records."""
    try:
        kind, batch, runs, epoch, scheme, key, signed_at, root, end = text.split("\n")
        ranges = list(map(positive_range, runs.split(",")))
        gaps = all(before[1] + 1 < after[0] for before, after in zip(ranges, ranges[1:]))
        time = datetime.datetime.strptime(signed_at, "%Y-%m-%dT%H:%M:%S.%fZ")
        named = (kind, end) == ("signwave/batch/v1", "") and re.fullmatch("[0-9a-f]{64}", key) and scheme in SCHEMES
        dated = time.year >= 1970 and time.isoformat(timespec="milliseconds") + "Z" == signed_at
        if named and dated and gaps and positive(batch) and positive(epoch):
            return scheme, key, ranges, hashes([root])[0]
    except ValueError:
        pass
    raise Flaw("entry", "the receipt's entry is not one of a signed batch")


def positive_range(text):
    first, dash, last = text.partition("-")
    first, last = positive(first), positive(last if dash else first)
    if (first < last) != bool(dash):
        raise ValueError
    return first, last


def root_of(data, index, size, path):
    """The root over `size` leaves to which the path leads from the leaf at `index` (RFC 9162, section 2.1.3.2)."""
    sha256, last = hashlib.sha256, size - 1
    node = sha256(b"\0" + data).digest()
    for beside in path:
        if last <= 0:
            return None
        if index & 1 or index == last:
            node = sha256(b"\1" + beside + node).digest()
            while not index & 1:  # where a node has no neighbour, it is the same node one level higher
                index, last = index >> 1, last >> 1
        else:
            node = sha256(b"\1" + node + beside).digest()
        index, last = index >> 1, last >> 1
    return node if last == 0 else None


def is_origin(text):
    match = re.fullmatch("signwave/[0-9a-f]{16}/([1-9][0-9]{0,9})", text)
    return bool(match) and int(match[1]) < 1 << 32


@functools.lru_cache(maxsize=64)
def parse_note(note):
    """The origin, size, root, signed text and signatures of a checkpoint (https://c2sp.org/tlog-checkpoint)."""
    try:
        text, _, lines = note.rpartition("\n\n")
        origin, size, root = text.split("\n")
        signatures = [SIGNATURE.fullmatch(line).groups() for line in lines.split("\n")[:-1]]
        signatures = [(name, text, binascii.a2b_base64(text)) for name, text in signatures]
        right = all(base64(data) == text and len(data) > 4 for _, text, data in signatures) and is_origin(origin)
        bounded = len(note.encode()) <= MAX_NOTE and 0 < len(signatures) <= MAX_SIGNATURES and lines.endswith("\n")
        if right and bounded and not re.search("[\0-\x09\x0b-\x1f]", note):
            size = 0 if size == "0" else positive(size, (1 << 64) - 1)
            return origin, size, hashes([root])[0], text + "\n", [(name, d[:4], d[4:]) for name, _, d in signatures]
    except (ValueError, AttributeError):
        pass
    raise Flaw("checkpoint", "the checkpoint is not a signed note of a ledger of Sign Wave")


def key_id(name, public):
    return hashlib.sha256(name.encode() + b"\n\1" + public).digest()[:4]


def vkey(text):
    """The key of a ledger, as its name and its 32 bytes."""
    name, _, key = text.split("+", 2)
    data = binascii.a2b_base64(key)
    canonical = "%s+%s+%s" % (name, key_id(name, data[1:]).hex(), base64(data))
    if len(data) != 33 or data[0] != 1 or not is_origin(name) or canonical != text:
        raise ValueError
    return name, data[1:]


@functools.lru_cache(maxsize=64)
def check_ledger(entry, index, path, note, ledgers):
    """Checks that the entry is in the checkpoint, and that one of the pinned ledgers has signed that."""
    origin, size, root, text, signatures = parse_note(note)
    if index >= size:
        raise Flaw("ledger", "the checkpoint has %d entries, and the receipt's entry has the index %d" % (size, index))
    if root_of(entry.encode(), index, size, path) != root:
        raise Flaw("ledger", "the path does not lead from the receipt's entry to the checkpoint")
    if not ledgers:
        return "; no ledger is pinned, so the receipt proves nothing"
    public = dict(ledgers).get(origin)
    if public is None:
        raise Flaw("checkpoint", "the checkpoint is one of %s, which is not pinned" % origin)
    ours = [signature for name, by, signature in signatures if (name, by) == (origin, key_id(origin, public))]
    if not ours:
        raise Flaw("checkpoint", "the checkpoint is not signed by the pinned key of %s" % origin)
    if not ed25519_verify(public, text.encode(), ours[0]):
        raise Flaw("checkpoint", "the signature of the checkpoint does not verify")
    return ", entry %d of %d in %s" % (index + 1, size, origin)


# Ed25519 (RFC 8032, section 5.1.7), on points (X, Y, Z, T)
P = (1 << 255) - 19
L = (1 << 252) + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def decompress(data):
    """The point of 32 bytes; `None` if they are none."""
    sign, y = divmod(int.from_bytes(data, "little"), 1 << 255)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or x == 0 and sign:
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_verify(public, message, signature):
    key = decompress(public)
    s = int.from_bytes(signature[32:], "little")
    if key is None or len(signature) != 64 or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    negative = (P - key[0], key[1], 1, P - key[3])
    x, y, z, _ = add(multiply(s, BASE), multiply(h, negative))
    x, y = x * pow(z, P - 2, P) % P, y * pow(z, P - 2, P) % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# RSA keys in DER (RFC 5280, section 4.1; RFC 4055, section 3.1)
RSA, PSS = bytes.fromhex("06092a864886f70d0101010500"), bytes.fromhex("06092a864886f70d01010a")
MGF1 = bytes.fromhex("06092a864886f70d010108")
OIDS = {bits: bytes.fromhex("060960864801650304020%d" % (n + 1)) for n, bits in enumerate(HASHES)}


def der(data, tag, whole=True):
    """The content of the first element, which must have this tag. Without `whole`, also what comes after it."""
    length, at = data[1], 2
    if length >= 0x80:
        at = 2 + length - 0x80
        length = int.from_bytes(data[2:at], "big")
    shortest = at == 2 or 2 < at <= 6 and length >= 0x80 and length >> 8 * (at - 3)
    if data[0] != tag or not shortest or len(data) < at + length or whole and len(data) > at + length:
        raise ValueError
    return data[at : at + length] if whole else (data[at : at + length], data[at + length :])


def number(content):
    if content[0] >= 0x80 or content[0] == 0 and len(content) > 1 and content[1] < 0x80:
        raise ValueError
    return int.from_bytes(content, "big")


def schemes_of(algorithm):
    """The schemes that a key with this algorithm may be used with."""
    if algorithm in (RSA, PSS):
        return [name for name in SCHEMES if algorithm == RSA or name.startswith("PS")]
    hash_of, rest = der(der(algorithm[len(PSS) :], 0x30), 0xA0, False)
    mask, rest = der(rest, 0xA1, False)
    salt = number(der(der(rest, 0xA2), 2)) if rest else 20
    for bits, oid in OIDS.items():
        known, mgf1 = (oid, oid + b"\5\0"), der(mask, 0x30)
        named = algorithm.startswith(PSS) and mgf1.startswith(MGF1)
        same = named and der(hash_of, 0x30) in known and der(mgf1[len(MGF1) :], 0x30) in known
        if same and salt <= int(bits) // 8:
            return ["PS" + bits]
    raise ValueError


@functools.lru_cache(maxsize=64)
def parse_key(spki):
    """The modulus, the exponent, the schemes and the fingerprint of a key."""
    try:
        algorithm, bits = der(der(spki, 0x30), 0x30, False)
        n, e = der(der(der(bits, 3)[1:], 0x30), 2, False)
        n, e, allowed = number(n), number(der(e, 2)), schemes_of(algorithm)
        right = der(bits, 3)[0] == 0 and n & 1 and e & 1 and 65537 <= e < 1 << 33
        if right and 2048 <= n.bit_length() <= 8192:
            return n, e, allowed, hashlib.sha256(spki).hexdigest()
    except (ValueError, IndexError):
        pass
    raise Flaw("key", "the key is not the SubjectPublicKeyInfo of an RSA key that Sign Wave takes")


def is_signature(n, e, scheme, digest, signature):
    """Whether `signature` is the one of `digest`. Whole encodings are compared, so that nothing is skipped."""
    is_pss, new = SCHEMES[scheme]
    size, s = n.bit_length(), int.from_bytes(signature, "big")
    length, hash_bits = (size + 7) // 8, 8 * len(digest)
    if len(signature) != length or s >= n:
        return False
    encoded = pow(s, e, n)
    if not is_pss:
        info = bytes((0, 0x30, 17 + len(digest), 0x30, 13)) + OIDS[scheme[2:]] + bytes((5, 0, 4, len(digest))) + digest
        return encoded == int.from_bytes((b"\1" + b"\xff" * length)[: length - 1 - len(info)] + info, "big")
    # The block is zeros, a one, and a salt as long as the hash, under a mask. The hash and the byte BC follow.
    block_bits = size - 1 - 8 - hash_bits
    block, tail = encoded >> hash_bits + 8, encoded & (1 << hash_bits + 8) - 1
    if tail & 0xFF != 0xBC or block >> block_bits:
        return False
    hashed, block_length = (tail >> 8).to_bytes(len(digest), "big"), (block_bits + 7) // 8
    masks = [new(hashed + bytes((0, 0, 0, i))).digest() for i in range(-(-block_length // len(digest)))]
    block ^= int.from_bytes(b"".join(masks)[:block_length], "big")
    salt = (block & (1 << block_bits) - 1) ^ 1 << hash_bits
    return not salt >> hash_bits and new(bytes(8) + digest + salt.to_bytes(len(digest), "big")).digest() == hashed


def verify(bundle, keys, ledgers, document):
    """Checks everything, and says what is verified."""
    scheme, digest, record = bundle.scheme, bundle.digest, bundle.record
    for what, text in (("payload", bundle.payload), ("document", document)):
        if text is not None and SCHEMES[scheme][1](text).digest() != digest:
            raise Flaw("digest", "the %s does not have the digest of the bundle" % what)
    n, e, allowed, fingerprint = parse_key(bundle.spki)
    if keys and fingerprint not in keys:
        raise Flaw("key", "key %s is not pinned" % fingerprint)
    if scheme not in allowed:
        raise Flaw("key", "key %s may not be used with %s" % (fingerprint, scheme))
    its_scheme, its_key, ranges, root = parse_entry(bundle.entry)
    if (its_scheme, its_key) != (scheme, fingerprint):
        said = (its_scheme, its_key, scheme, fingerprint)
        raise Flaw("entry", "the receipt is one of %s by key %s, and the signature one of %s by key %s" % said)
    if not is_signature(n, e, scheme, digest, bundle.signature):
        raise Flaw("signature", "the signature does not verify")
    count = sum(last - first + 1 for first, last in ranges)
    place = sum(max(0, min(record, last + 1) - first) for first, last in ranges)
    if not any(first <= record <= last for first, last in ranges):
        raise Flaw("record", "record %d is not among those of the receipt" % record)
    if (bundle.record_index, bundle.records) != (place, count):
        raise Flaw("record", "record %d has the index %d of %d in its batch" % (record, place, count))
    leaf = b"\1" + record.to_bytes(8, "big") + bytes((list(HASHES).index(scheme[2:]) + 1, len(digest))) + digest
    leaf += b"\0" if bundle.name is None else b"\1" + hashlib.sha256(bundle.name.encode()).digest()
    leaf += len(bundle.signature).to_bytes(2, "big") + bundle.signature
    if root_of(leaf, place, count, bundle.records_path) != root:
        raise Flaw("batch", "the path does not lead from the record to the receipt's root")
    shown = check_ledger(bundle.entry, bundle.index, bundle.path, bundle.note, ledgers)
    without = "; without its payload" if bundle.payload is None and document is None else ""
    named = "" if bundle.name is None else " " + json.dumps(bundle.name)
    return "record %d%s: verified: %s by key %s%s%s" % (record, named, scheme, fingerprint, shown, without)


def fingerprint(text):
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise ValueError
    return text.lower()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", help="the file of bundles, or '-' for standard input")
    repeated = {"action": "append", "default": []}
    parser.add_argument("--key", type=fingerprint, metavar="FINGERPRINT", help="trust this key", **repeated)
    parser.add_argument("--ledger", type=vkey, metavar="VKEY", help="trust this ledger", **repeated)
    parser.add_argument("--document", metavar="FILE", help="the payload of the only bundle")
    given = parser.parse_args()
    if not given.key and not given.ledger:
        parser.error("nothing is pinned: give --ledger VKEY or --key FINGERPRINT, from a place that you trust")
    return given


def main():
    given = arguments()
    verified = refused = 0
    try:
        document = open(given.document, "rb").read() if given.document else None
        file = sys.stdin.buffer if given.bundles == "-" else open(given.bundles, "rb")
        for line in iter(lambda: file.readline(MAX_LINE + 1), b""):
            if len(line) > MAX_LINE:
                sys.exit("verify_bundle: line %d is longer than %d bytes" % (verified + refused + 1, MAX_LINE))
            if document is not None and verified + refused:
                sys.exit("verify_bundle: a document belongs to one bundle, and there are several")
            try:
                said = verify(parse(line.rstrip(b"\n")), given.key, tuple(given.ledger), document)
                verified += 1
            except Flaw as flaw:
                said = "refused (%s): %s" % flaw.args
                refused += 1
            print("line %d: %s" % (verified + refused, said))
    except OSError as error:
        sys.exit("verify_bundle: %s" % error)
    print("%d verified, %d refused" % (verified, refused))
    return 0 if verified and not refused else 1


if __name__ == "__main__":
    sys.exit(main())
