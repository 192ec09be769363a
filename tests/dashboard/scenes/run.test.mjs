// A run of 20,000 records, watched through the views to its end.
import assert from 'node:assert/strict';
import { isLive, show, stage } from '../support/browser.mjs';
import { until } from '../support/waiting.mjs';

const RECORDS = 20_000;
const scene = stage();

scene('what the page shows of a run is what was done', { at: '#/overview' }, async ({ service, page }) => {
  await isLive(page);
  // However slow the browser is, nothing is signed before it shows that it waits.
  const keys = ['1', '2', '3', '4'];
  for (const key of keys) await service.command('keys', 'disable', key, '--reason', 'nothing is signed yet');
  await service.submitMany(RECORDS);
  await until('the page shows a backlog', async () => (await number(page, '.card:nth-child(2) strong')) > 0);
  for (const key of keys) await service.command('keys', 'enable', key);
  await until('the page shows a rate', async () => (await number(page, '.card:nth-child(1) strong')) > 0);
  await page.getByText(/of the raw speed/).waitFor();

  await show(page, '#/batches?state=leased', 'Batches');
  await show(page, '#/keys', 'Keys');
  await page.getByRole('cell', { name: 'next' }).first().waitFor();
  await show(page, '#/nodes', 'Nodes');
  await page.locator('.lease-left').filter({ hasText: / s$/ }).waitFor();
  await show(page, '#/batches', 'Batches');
  await page.getByRole('cell', { name: 'signed' }).first().waitFor();
  await show(page, '#/overview', 'Overview');

  await until('the page shows the end', async () => (await number(page, '#records-signed')) === RECORDS);
  await page.getByText('nothing is left to do').waitFor();
  await page.getByText('everything is signed', { exact: true }).waitFor();
  const told = await service.status();
  for (const state of ['signed', 'leased', 'open', 'unbatched']) {
    assert.equal(await number(page, `#records-${state}`), told.records[state] ?? 0, state);
  }
  const shown = page.locator('.pipeline li.signed');
  assert.match(await shown.innerText(), new RegExp(`\\b${told.batches.signed} batch`));

  // The chart is the service's own history: its integral is the number of signatures.
  const total = page.locator('#history-total');
  await until('the charts have the end', async () => (await total.getAttribute('data-total')) === String(RECORDS));
  for (const range of ['1 hour', '24 hours', '10 minutes']) {
    await page.getByRole('link', { name: range }).click();
    await total.filter({ hasText: `20,000 signatures by this process in the last ${range}` }).waitFor();
  }
  await equalsTheKeys(service, page);
});

/** The signatures of all keys on the page are all signatures. */
async function equalsTheKeys(service, page) {
  await show(page, '#/keys', 'Keys');
  const cells = page.locator('td[data-label=Signatures]');
  await cells.first().waitFor();
  const sum = (await cells.allInnerTexts()).reduce((sum, text) => sum + Number(text.replaceAll(',', '')), 0);
  const { keys } = await service.ask('v1/keys');
  assert.equal(sum, RECORDS);
  assert.equal(await cells.count(), keys.length);
}

async function number(page, selector) {
  const text = await page.locator(selector).innerText();
  return Number(text.replaceAll(',', '').replace('–', 'NaN'));
}
