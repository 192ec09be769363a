// The signature of a record, and how anybody can verify it: here, or with openssl.

import { call, url } from '../api.js';
import { copyButton } from '../dialog.js';
import { element, foreign, setText } from '../element.js';
import { keyLink } from '../parts.js';
import { canVerify, digest, fromBase64, hex, verify } from '../verify.js';

/** Payloads up to this many bytes are shown without being asked for. */
const SMALL = 64 * 1024;
/** How many characters of a payload are shown. */
const SHOWN = 2000;

/** The sections below a signed record. */
export function proof(record, signal) {
  return [
    signatureSection(record),
    bundleSection(record),
    payloadSection(record, signal),
    verifySection(record, signal),
    openssl(record),
  ];
}

async function readPayload(id, signal) {
  const { payload_base64: text } = await call(`v1/records/${id}`, { query: { with_payload: true }, signal });
  return fromBase64(text);
}

function section(name, ...content) {
  return element('section', { class: 'panel', 'aria-label': name }, element('h2', {}, name), content);
}

function signatureSection({ signature: { signature, scheme, fingerprint } }) {
  const value = element('code', { class: 'block foreign', id: 'signature', tabindex: '0' }, signature);
  return section(
    'Signature',
    element(
      'p',
      { class: 'note' },
      `${scheme}, base64, of the payload’s bytes. Key `,
      keyLink(fingerprint, true),
    ),
    value,
    element(
      'div',
      { class: 'actions start' },
      copyButton(() => signature, value),
    ),
  );
}

/** What others need to verify the record without the service. */
function bundleSection({ id }) {
  const download = (text, query) =>
    element(
      'a',
      { class: 'button', href: url(`v1/records/${id}/bundle`, query), download: `record-${id}.bundle.json` },
      text,
    );
  return section(
    'Bundle',
    element(
      'p',
      { class: 'note' },
      'The record with its signature, key, receipt and the last checkpoint: others verify it without this service.',
    ),
    element('div', { class: 'actions start' }, download('Download'), download('With the payload', { with_payload: true })),
  );
}

function payloadSection(record, signal) {
  const shown = element('code', { class: 'block foreign', id: 'payload', tabindex: '0', hidden: true });
  const hash = element('p', { class: 'note foreign below' });
  const show = async () => {
    try {
      const bytes = await readPayload(record.id, signal);
      setText(shown, preview(bytes));
      shown.hidden = false;
      if (canVerify()) setText(hash, `SHA-256 ${await digest(bytes)}`);
    } catch (problem) {
      setText(hash, problem.message);
    }
  };
  const button = element(
    'button',
    { class: 'button', type: 'button', onclick: () => show().then(() => button.remove()) },
    'Show the payload',
  );
  const isSmall = record.payload_length <= SMALL;
  if (isSmall) show();
  return section(
    'Payload',
    element('bdi', {}, shown),
    hash,
    !isSmall && element('div', { class: 'actions start' }, button),
  );
}

/** The beginning of a payload as text, or in hexadecimal where it is no text. */
function preview(bytes) {
  const part = bytes.subarray(0, 4 * SHOWN);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(part, { stream: part.length < bytes.length });
    return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  } catch {
    const text = hex(part.subarray(0, SHOWN / 4), ' ');
    return part.length > SHOWN / 4 ? `${text} …` : text;
  }
}

function verifySection(record, signal) {
  if (!canVerify()) {
    return section(
      'Verify',
      element(
        'p',
        { id: 'verdict' },
        'This browser verifies only over HTTPS or on localhost, because elsewhere pages have no cryptography. Use openssl, as below.',
      ),
    );
  }
  const verdict = element('p', { id: 'verdict', class: 'verdict', role: 'status' });
  const check = async () => {
    button.disabled = true;
    verdict.className = 'verdict';
    setText(verdict, 'Verifying…');
    try {
      const { signature, scheme, fingerprint } = record.signature;
      const [payload, jwk] = await Promise.all([
        readPayload(record.id, signal),
        call(`v1/keys/${fingerprint}.jwk`, { signal }),
      ]);
      const isValid = await verify({ payload, signature: fromBase64(signature), scheme, jwk, fingerprint });
      verdict.classList.add(isValid ? 'good' : 'bad');
      setText(
        verdict,
        isValid
          ? `Valid: this browser verified the ${scheme} signature with the public key.`
          : 'Not valid: the signature does not belong to this payload and key.',
      );
    } catch (problem) {
      verdict.classList.add('bad');
      setText(verdict, `Not verified: ${problem.message}`);
    } finally {
      button.disabled = false;
    }
  };
  const button = element('button', { class: 'button primary', type: 'button', onclick: check }, 'Verify here');
  return section(
    'Verify',
    element('p', { class: 'note' }, 'In this browser, with the key’s public half.'),
    element('div', { class: 'actions start' }, button, verdict),
  );
}

/** The lines that do the same in a shell. */
function openssl({ id, signature: { scheme, fingerprint } }) {
  const at = (path) => `'${String(url(path)).split('#')[0].replaceAll("'", '%27')}'`;
  const token = `-H "Authorization: Bearer $TOKEN"`;
  const padding = scheme.startsWith('PS') ? ' -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest' : '';
  const lines = [
    `curl -sSf ${token} ${at(`v1/records/${id}?with_payload=true`)} | jq -r .payload_base64 | base64 -d > payload.bin`,
    `curl -sSf ${token} -H 'Accept: application/octet-stream' ${at(`v1/records/${id}/signature`)} > signature.bin`,
    `curl -sSf ${at(`v1/keys/${fingerprint}.pem`)} > key.pem`,
    `openssl dgst -sha${scheme.slice(2)}${padding} -verify key.pem -signature signature.bin payload.bin`,
  ].join('\n');
  const shown = element('pre', { class: 'code', tabindex: '0', id: 'openssl' }, element('code', {}, lines));
  return section(
    'With openssl',
    element('p', { class: 'note' }, 'TOKEN is a token with the scope read.'),
    shown,
    element(
      'div',
      { class: 'actions start' },
      copyButton(() => lines, shown),
    ),
  );
}
