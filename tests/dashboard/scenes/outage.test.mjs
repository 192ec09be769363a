// The service goes away and comes back; the page says how old its figures are.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { isLive, stage } from '../support/browser.mjs';
import { until } from '../support/waiting.mjs';

const scene = stage({ records: 10 });
const GONE = /console: Failed to load resource: net::ERR_|console: .*net::ERR_/;

scene(
  'the page says since when it is stale, and recovers',
  { at: '#/overview', allowed: [GONE] },
  async ({ service, page }) => {
    const liveness = page.locator('#liveness');
    await liveness.getByText('Live', { exact: true }).waitFor();
    await service.signedAll();
    await until('the records are shown', async () => (await page.locator('#records-signed').innerText()) === '10');
    await service.kill();
    await liveness.getByText(/^Stale since \d\d:\d\d:\d\d$/).waitFor();
    assert.equal(await page.locator('#records-signed').innerText(), '10', 'the last figures stay');
    await until('screen readers are told', async () =>
      /^Stale since/.test(await page.locator('#announcement').innerText()),
    );
    await service.begin();
    await liveness.getByText('Live', { exact: true }).waitFor();
    await service.submit('after the outage', 'text');
    await until('the figures move', async () => (await page.locator('#records-signed').innerText()) === '11');
  },
);

scene(
  'there is one stream, none while it is paused or hidden, and what was missed is told',
  { at: '#/overview' },
  async ({ service, page, context }) => {
    const streams = [];
    const isStream = (request) => request.url().includes('v1/events');
    page.on('request', (request) => isStream(request) && streams.push(request));
    page.on('requestfailed', (request) => isStream(request) && streams.splice(streams.indexOf(request), 1));
    page.on('requestfinished', (request) => isStream(request) && streams.splice(streams.indexOf(request), 1));
    await page.reload();
    await isLive(page);
    for (const view of ['Batches', 'Keys', 'Nodes', 'Overview'])
      await page.getByRole('link', { name: view, exact: true }).click();
    assert.equal(streams.length, 1);

    await page.keyboard.press('p');
    await page
      .locator('#liveness')
      .getByText(/^Paused at /)
      .waitFor();
    await until('the stream is closed', () => streams.length === 0);
    const shown = await page.locator('#records-signed').innerText();
    await service.submit('while it was paused', 'text');
    await service.signedAll();
    assert.equal(await page.locator('#records-signed').innerText(), shown, 'the figures are held');
    await page.getByRole('button', { name: 'Resume' }).click();
    await until('the figures go on', async () => (await page.locator('#records-signed').innerText()) !== shown);

    await hide(page, true);
    await until('the stream is closed', () => streams.length === 0);
    await hide(page, false);
    await until('the stream is open', () => streams.length === 1);
  },
);

scene(
  'the entries of the ledger are shown, and why it is halted',
  { at: '#/overview' },
  async ({ service, page }) => {
    await service.signedAll();
    const ledger = page.locator('#ledger');
    await ledger.filter({ hasText: /^\d+ entries in the ledger, the last checkpoint has all of them$/ }).waitFor();
    const { ledger: told } = await service.ask('v1/status');
    assert((await ledger.innerText()).startsWith(`${told.entries} entries`));
    const halt = "UPDATE ledger SET halted = '<b>an older database</b>'";
    execFileSync('sqlite3', ['-cmd', '.timeout 60000', join(service.folder, 'signwave.db'), halt]);
    await page.getByRole('list', { name: 'Problems' }).getByText('<b>an older database</b>').waitFor();
  },
);

/** Has the page told that it is hidden or shown: a browser without a window never hides it by itself. */
function hide(page, isHidden) {
  return page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isHidden);
}
