// Submits, waits, verifies the signature with the public key, and sends records in bulk, as a stream.
import assert from 'node:assert/strict';
import { constants, createPublicKey, verify } from 'node:crypto';

const { URL: url, TOKEN: token } = process.env;
const call = (path, init = {}) =>
  fetch(url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } });

const made = await call('/v1/records', {
  method: 'POST',
  headers: { 'content-type': 'application/json', prefer: 'wait=30' },
  body: JSON.stringify({ external_id: 'größe', payload: 'naïve 🖋' }),
});
assert.equal(made.status, 201);
const { id, signature } = await made.json();
const jwk = await (await call(`/v1/keys/${signature.fingerprint}.jwk`)).json();
const key = {
  key: createPublicKey({ key: jwk, format: 'jwk' }),
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
};
const bytes = Buffer.from(signature.signature, 'base64');
assert(verify('sha256', Buffer.from('naïve 🖋'), key, bytes));
assert(!verify('sha256', Buffer.from('another'), key, bytes));
const raw = await call(`/v1/records/${id}/signature`, { headers: { accept: 'application/octet-stream' } });
assert.deepEqual(Buffer.from(await raw.arrayBuffer()), bytes);

async function* lines() {
  for (let n = 0; n < 2000; n++) yield Buffer.from(`{"external_id":"name ${n}","payload":"${n}"}\n`);
}
const bulk = await call('/v1/records/bulk', {
  method: 'POST',
  headers: { 'content-type': 'application/x-ndjson' },
  body: ReadableStream.from(lines()),
  duplex: 'half',
});
assert.equal(bulk.status, 200);
const told = (await bulk.text()).trim().split('\n').map(JSON.parse);
const { done, ok, inserted } = told.at(-1);
assert.deepEqual({ done, ok, inserted }, { done: true, ok: true, inserted: 2000 });

const refused = await call('/v1/tokens');
assert.equal(refused.status, 403);
assert.equal((await refused.json()).type, '/problems/insufficient-scope');
