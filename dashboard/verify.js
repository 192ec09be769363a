// Verification of RSA signatures in the browser (Web Cryptography; RFC 8017).

/** Whether the browser lets this page verify: over HTTPS and on localhost only. */
export const canVerify = () => isSecureContext && crypto.subtle !== undefined;

/** Bytes of a base64 text. */
export const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/** Bytes in hexadecimal. */
export const hex = (bytes, between = '') =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(between);

/** SHA-256 in hexadecimal. */
export async function digest(bytes) {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
}

/**
 * Whether `signature` is that of `payload` under a scheme such as PS256. The key must be the one that the record names:
 * its fingerprint is computed here.
 */
export async function verify({ payload, signature, scheme, jwk, fingerprint }) {
  const bits = Number(scheme.slice(2));
  const name = scheme.startsWith('PS') ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5';
  const { kty, n, e } = jwk;
  const key = await crypto.subtle.importKey('jwk', { kty, n, e }, { name, hash: `SHA-${bits}` }, true, ['verify']);
  if ((await digest(await crypto.subtle.exportKey('spki', key))) !== fingerprint) {
    throw new Error('the service sent another key than the record names.');
  }
  return crypto.subtle.verify({ name, saltLength: bits / 8 }, key, signature, payload);
}

