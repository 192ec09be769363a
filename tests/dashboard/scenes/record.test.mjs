// One record: found, verified, and shown as text whatever it says.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { show, stage } from '../support/browser.mjs';
import { until } from '../support/waiting.mjs';

const scene = stage({ keys: 2 });
const HOSTILE = '<img src=x onerror=alert(1)><script>alert(2)</script>\u202Eevil\u2066"\'&amp;';

scene(
  'a record is found by its name, and its signature is verified in the page',
  { at: '#/record' },
  async ({ service, page }) => {
    const { id } = await service.submit('größe 1/2?', 'naïve 🖋');
    await service.signedAll();
    await page.keyboard.press('/');
    await page.getByLabel('Search by').selectOption('external_id');
    await page.getByRole('textbox', { name: 'Find by' }).fill('größe 1/2?');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Verify here' }).click();
    await page.getByText('Valid: this browser verified the PS256 signature').waitFor();
    assert.deepEqual(await page.locator('.timeline strong').allInnerTexts(), [
      'Added',
      'Put into a batch',
      'Leased',
      'Signed',
    ]);
    assert.equal(await page.locator('#payload').innerText(), 'naïve 🖋');
    const { signature } = await service.ask(`v1/records/${id}`);
    assert.equal(await page.locator('#signature').innerText(), signature.signature);
    assert.match(page.url(), /#\/record\?external_id=/);

    // The lines for a shell do what they say.
    const lines = await page.locator('#openssl').innerText();
    const environment = { ...process.env, TOKEN: service.token };
    const said = execFileSync('bash', ['-euo', 'pipefail', '-c', lines], { cwd: service.folder, env: environment });
    assert.equal(said.toString(), 'Verified OK\n');

    // The bundle is verified without the service.
    await until('a checkpoint has the record', async () => {
      const { entries, checkpoint } = await service.ask('v1/ledger');
      return checkpoint?.entries === entries;
    });
    const downloaded = page.waitForEvent('download');
    await page.getByRole('link', { name: 'With the payload' }).click();
    const bundle = await downloaded;
    assert.equal(bundle.suggestedFilename(), `record-${id}.bundle.json`);
    await bundle.saveAs(join(service.folder, 'bundle'));
    const verdict = await service.command('verify', '--bundle', 'bundle', '--ledger', (await service.ask('v1/ledger')).key);
    assert.match(verdict, new RegExp(`^line 1: record ${id} .*: verified: PS256 by key .*, entry \\d+ of \\d+ in `));
    assert(!verdict.includes('without its payload'), verdict);
  },
);

scene(
  'a payload or a key that was changed on the way is not verified',
  { at: '#/record' },
  async ({ service, page }) => {
    const { id } = await service.submit('changed', 'pay 10');
    await service.signedAll();
    await page.route(`**/v1/records/${id}?with_payload=true`, async (route) => {
      const record = await (await route.fetch()).json();
      await route.fulfill({ json: { ...record, payload_base64: Buffer.from('pay 99').toString('base64') } });
    });
    await show(page, `#/record?id=${id}`, 'Record');
    await page.getByRole('button', { name: 'Verify here' }).click();
    await page.getByText('Not valid: the signature does not belong to this payload and key.').waitFor();
    await page.unroute('**/*');

    const { keys } = await service.ask('v1/jwks.json');
    const { signature } = await service.ask(`v1/records/${id}`);
    const other = keys.find(({ kid }) => kid !== signature.fingerprint);
    await page.route('**/*.jwk', (route) => route.fulfill({ json: { ...other, kid: signature.fingerprint } }));
    await page.getByRole('button', { name: 'Verify here' }).click();
    await page.getByText('Not verified: the service sent another key').waitFor();
  },
);

scene('a hostile name and a hostile reason are text', { at: '#/record' }, async ({ service, page }) => {
  const name = HOSTILE + 'x'.repeat(1000 - HOSTILE.length);
  const { id } = await service.submit(name, HOSTILE);
  const {
    keys: [, key],
  } = await service.ask('v1/keys?order=added');
  await service.ask(`v1/keys/${key.fingerprint}`, { method: 'PATCH', body: { state: 'disabled', reason: name } });
  await service.signedAll();
  const isText = async (selector) => {
    const shown = page.locator(selector).filter({ hasText: 'onerror' }).first();
    await shown.waitFor();
    assert.equal(await shown.evaluate((node) => node.textContent), name);
    assert.equal(await shown.evaluate((node) => node.tagName), 'BDI', 'its direction is its own');
    assert.equal(await page.locator('#main img, #main script').count(), 0);
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert(widths[0] <= widths[1], `it wraps: ${widths}`);
  };
  for (const size of [
    { width: 1280, height: 800 },
    { width: 390, height: 844 },
  ]) {
    await page.setViewportSize(size);
    await show(page, `#/record?id=${id}`, 'Record');
    await isText('dd bdi');
    await show(page, `#/keys?width=${size.width}`, 'Keys');
    await isText('td bdi');
    await show(page, `#/keys?fingerprint=${key.fingerprint}`, 'Keys');
    await isText('dd bdi');
    await show(page, '#/access', 'Access');
    await page.getByRole('cell', { name: 'onerror' }).first().waitFor();
  }
  await show(page, `#/record?${new URLSearchParams({ external_id: name })}`, 'Record');
  await isText('dd bdi');
});

scene(
  'a record that does not exist is said to be none',
  { at: '#/record?id=999', allowed: [/status of 404/] },
  async ({ page }) => {
    await page.getByText('There is no such record.').waitFor();
  },
);
