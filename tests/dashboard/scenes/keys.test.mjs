// Keys: generated, disabled, enabled and retired from the page.
import assert from 'node:assert/strict';
import { show, stage } from '../support/browser.mjs';
import { until } from '../support/waiting.mjs';

const scene = stage({ keys: 2 });

scene('a key is generated, disabled, enabled and retired', { at: '#/keys' }, async ({ service, page }) => {
  await page.getByRole('button', { name: 'Generate keys' }).click();
  await page.getByLabel('How many').fill('1');
  await page.getByRole('button', { name: 'Generate', exact: true }).click();
  await page.getByText('The keys are made.').waitFor();
  const keys = async () => (await service.ask('v1/keys?order=added')).keys;
  const made = (await keys())[2];
  const row = page.getByRole('row').filter({ hasText: made.fingerprint.slice(0, 12) });
  const isShown = (state) => row.getByText(state, { exact: true }).waitFor();
  await isShown('active');

  await row.getByRole('button', { name: 'Disable' }).click();
  await page.getByLabel('Reason').fill('an exercise');
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
  await isShown('disabled');
  await row.getByText('an exercise').waitFor();
  await row.getByRole('button', { name: 'Enable' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Enable' }).click();
  await isShown('active');

  await row.getByRole('button', { name: 'Retire' }).click();
  const dialog = page.getByRole('dialog');
  const confirm = dialog.getByRole('button', { name: 'Retire' });
  assert(await confirm.isDisabled(), 'it must be typed first');
  await dialog.getByLabel('to confirm').fill(made.fingerprint.slice(0, 11));
  assert(await confirm.isDisabled(), 'all of it');
  await refreshed(service, page);
  assert(await dialog.isVisible(), 'a refresh closes no question');
  assert.equal(await dialog.getByLabel('to confirm').inputValue(), made.fingerprint.slice(0, 11));
  await dialog.getByLabel('to confirm').fill(made.fingerprint.slice(0, 12));
  await confirm.click();
  await isShown('retired');
  assert.equal((await keys())[2].state, 'retired');
  assert.equal(await row.getByRole('button').count(), 0, 'retired is final');

  await show(page, '#/keys?state=retired', 'Keys');
  await until('the filter holds', async () => (await page.locator('tbody tr').count()) === 1);
});

/** Has records signed, until the list behind the question shows it. */
async function refreshed(service, page) {
  await service.submitMany(200);
  await service.signedAll();
  const cells = page.locator('td[data-label=Signatures]');
  const sum = async () => (await cells.allTextContents()).reduce((sum, text) => sum + Number(text), 0);
  await until('the list is refreshed', async () => (await sum()) === 200);
}

scene(
  'a change that fails says so in the question',
  { at: '#/keys', allowed: [/status of 409/] },
  async ({ service, page }) => {
    const {
      keys: [key],
    } = await service.ask('v1/keys?state=active');
    const row = page.getByRole('row').filter({ hasText: key.fingerprint.slice(0, 12) });
    await row.getByRole('button', { name: 'Disable' }).click();
    await service.ask(`v1/keys/${key.fingerprint}`, { method: 'PATCH', body: { state: 'retired' } });
    await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
    await page.getByRole('alert').filter({ hasText: 'A retired key stays retired' }).waitFor();
    await page.keyboard.press('Escape');
    await row.getByText('retired', { exact: true }).waitFor();
  },
);
