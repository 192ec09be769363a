// The page that checks bundles: it says of each what the verifier in Python says, and what it cannot check.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { launch, watch } from '../support/browser.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const html = await readFile('verify.html', 'utf8');
const [vkey, other, fingerprint] = await Promise.all(['vkey', 'other', 'fingerprint'].map((name) => readFile(name, 'utf8')));
const ADDRESS = `file://${process.cwd()}/verify.html`;
let browser;

before(async () => (browser = await launch()));
after(() => browser?.close());

/** A test with the page open. Nothing may be wrong in it, and nothing may be asked for but the page. */
function scene(name, options, body) {
  test(name, async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const findings = await watch(page, ADDRESS);
    if (options.before) await page.addInitScript(options.before);
    await page.goto(ADDRESS);
    await body(page);
    assert.deepEqual(findings, []);
    await context.close();
  });
}

/** Fills in the form, and returns the verdict and the lines of all bundles. */
async function check(page, pins, bundles, document) {
  await page.getByLabel('What you trust').fill(pins);
  await page.getByLabel('Bundles').setInputFiles(bundles);
  await page.getByLabel('Document').setInputFiles(document ?? []);
  await page.getByRole('button', { name: 'Check' }).click();
  await page.waitForFunction(() => !['', 'Checking ..'].includes(window.document.getElementById('verdict').textContent));
  return { verdict: await page.getByRole('status').innerText(), lines: await page.locator('summary').allTextContents() };
}

/** What the verifier in Python says. */
function python(pins, bundles) {
  const said = spawnSync('python3', ['verify_bundle.py', ...pins, bundles], { encoding: 'utf8', maxBuffer: 1 << 26 });
  assert.equal(said.stderr, '');
  const lines = said.stdout.trimEnd().split('\n');
  return { verdict: lines.pop(), lines };
}

/** A line up to the check that failed: behind that, each says it in its own words. */
const short = (line) => line.replace(/\): .*/, ')');

scene('every bundle is verified', {}, async (page) => {
  for (const [pins, arguments_] of [
    [vkey, ['--ledger', vkey]],
    [`${vkey}\n${other}`, ['--ledger', vkey, '--ledger', other]],
    [fingerprint, ['--key', fingerprint]],
    [`${vkey} ${fingerprint.toUpperCase()}`, ['--ledger', vkey, '--key', fingerprint]],
  ]) {
    const expected = python(arguments_, 'good');
    const shown = await check(page, pins, 'good');
    assert.deepEqual(shown.lines.map(short), expected.lines.map(short));
    assert.equal(shown.verdict, expected.verdict);
  }
  const { lines, verdict } = await check(page, vkey, 'good');
  assert.deepEqual(lines, python(['--ledger', vkey], 'good').lines);
  assert.equal(verdict, `${lines.length} verified, 0 refused`);
});

scene('a bundle with anything changed is refused, for the same reason', {}, async (page) => {
  const expected = python(['--ledger', vkey], 'mutants');
  const shown = await check(page, vkey, 'mutants');
  assert.deepEqual(shown.lines.map(short), expected.lines.map(short));
  assert.equal(shown.verdict, expected.verdict);
  assert.match(shown.verdict, /^0 verified, [0-9]{3} refused$/);
});

scene('each check has its verdict', {}, async (page) => {
  const verdicts = () => page.locator('td').allInnerTexts();
  assert.equal((await check(page, vkey, 'hostile')).verdict, '1 verified, 0 refused');
  assert.equal((await verdicts()).filter((text) => text.startsWith('holds')).length, 9);

  assert.equal((await check(page, other, 'hostile')).verdict, '0 verified, 1 refused');
  const held = await verdicts();
  assert.equal(held.filter((text) => text.startsWith('holds')).length, 8);
  assert.match(held[8], /^fails: the signature of the checkpoint does not verify|^fails: .* not signed by the pinned key/);

  await check(page, fingerprint, 'hostile');
  assert.equal((await verdicts())[8], 'not checked: no ledger is pinned');
  await check(page, '0'.repeat(64), 'hostile');
  assert.deepEqual((await verdicts()).slice(2), [
    `fails: key ${fingerprint} is not pinned`,
    ...Array.from({ length: 6 }, () => 'not checked'),
  ]);
});

scene('a document is compared with its bundle', {}, async (page) => {
  const without = await check(page, vkey, 'without');
  assert.equal(without.verdict, '1 verified, 0 refused');
  assert.match(without.lines[0], /; without its payload$/);
  assert.equal(await page.locator('td').nth(1).innerText(), 'not checked: give the document');
  assert.doesNotMatch((await check(page, vkey, 'without', 'document')).lines[0], /without/);
  assert.match(await page.locator('pre').innerText(), /^payload of 2, größer/);
  assert.match((await check(page, vkey, 'without', 'vkey')).lines[0], /refused \(digest\): the document does not have/);
  const { verdict } = await check(page, vkey, 'good', 'document');
  assert.equal(verdict, 'A document belongs to one bundle, and there are several.');
});

scene('nothing is checked without a pin', {}, async (page) => {
  for (const [pins, said] of [
    ['', 'Nothing is pinned. A check without a pin would prove nothing.'],
    [vkey.slice(0, -1), 'A pin is neither the key of a ledger nor a fingerprint.'],
    [`${vkey} abc`, 'A pin is neither the key of a ledger nor a fingerprint.'],
    [vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+'), 'A pin is neither the key of a ledger nor a fingerprint.'],
  ]) {
    assert.deepEqual(await check(page, pins, 'good'), { verdict: said, lines: [] });
  }
});

const withoutEd25519 = () => {
  const { importKey } = SubtleCrypto.prototype;
  SubtleCrypto.prototype.importKey = function (format, key, algorithm, ...more) {
    if (algorithm === 'Ed25519') return Promise.reject(new DOMException('unknown', 'NotSupportedError'));
    return importKey.call(this, format, key, algorithm, ...more);
  };
};

scene('a browser without Ed25519 verifies nothing, and says so', { before: withoutEd25519 }, async (page) => {
  const { verdict, lines } = await check(page, vkey, 'hostile');
  assert.equal(verdict, '0 verified, 0 refused, 1 not checked');
  assert.equal(lines[0], 'line 1: not checked: this browser does not know Ed25519, so the checkpoint was not checked');
  assert.equal(await page.locator('td').nth(8).innerText(), 'not checked');
  assert.match((await check(page, vkey, 'mutants')).verdict, /^0 verified, /);
});

const withoutCrypto = () => Object.defineProperty(globalThis, 'isSecureContext', { value: false });

scene('a page that may not compute says so', { before: withoutCrypto }, async (page) => {
  const { verdict } = await check(page, vkey, 'good');
  assert.equal(verdict, 'This browser lets the page check nothing here. Open it from a file, or over HTTPS.');
});

for (const colorScheme of ['light', 'dark']) {
  const options = { colorScheme, viewport: { width: 390, height: 844 } };
  scene(`a hostile name stays text, and the page is sound: ${colorScheme}`, options, async (page) => {
    await check(page, vkey, 'hostile');
    assert.equal(await page.locator('pre').first().textContent(), 'nämë "6" \\\\u{9}\\u{7f}\\u{2028}𝄞\\u{202e}<img src=x onerror=alert(1)>');
    assert.equal(await page.locator('img').count(), 0);
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert(widths[0] <= widths[1], `nothing sticks out: ${widths}`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
  });
}

test('the page is small, asks for nothing, and runs its own script only', () => {
  assert(html.length <= 60_000, `${html.length} bytes`);
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)[1];
  const hash = (tag) => {
    const body = new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(html)[1];
    return `'sha256-${createHash('sha256').update(body).digest('base64')}'`;
  };
  const sources = `script-src ${hash('script')}; style-src ${hash('style')}`;
  assert.equal(policy, `default-src 'none'; ${sources}; base-uri 'none'; form-action 'none'`);
  assert.doesNotMatch(html.replaceAll(/https:\/\/c2sp\.org\/[a-z-]+/g, ''), /https?:|src=|href=/);
});
