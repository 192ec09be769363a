// What a token allows is what the page offers.
import assert from 'node:assert/strict';
import { isLive, show, signIn, stage } from '../support/browser.mjs';
import { until } from '../support/waiting.mjs';

const scene = stage({ keys: 2, records: 10 });

scene('a token that may only read sees no buttons', { scopes: 'read', at: '#/keys' }, async ({ service, page }) => {
  const {
    keys: [key],
  } = await service.ask('v1/keys');
  await page.locator('tbody tr').first().waitFor();
  const buttons = () => page.locator('#main button').count();
  assert.equal(await buttons(), 0);
  await show(page, `#/keys?fingerprint=${key.fingerprint}`, 'Keys');
  await page.getByText('2048 bits').waitFor();
  assert.equal(await buttons(), 0);
  assert(await page.getByRole('link', { name: 'Access' }).isHidden());
  await show(page, '#/access', 'Access');
  await page.getByText('This view needs a token with the scope admin.').waitFor();
  assert.equal(await buttons(), 0);
});

scene(
  'a token that may not read sees why the page is empty',
  { scopes: 'submit', at: '#/overview' },
  async ({ page }) => {
    await page.getByText('This view needs a token with the scope read.').waitFor();
  },
);

scene('a token is made, shown once, rotated and revoked', { at: '#/access' }, async ({ service, page }) => {
  await page.getByRole('button', { name: 'Create a token' }).click();
  await page.getByLabel('Name').fill('<b>new</b>');
  await page.getByLabel('submit').check();
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  const first = await keep(page);
  assert.equal(await allowed(service, first), 200);
  const row = page
    .getByRole('row')
    .filter({ hasText: '<b>new</b>' })
    .filter({ hasText: first.split('_')[1] });
  await row.getByText('submit, read').waitFor();
  await until('the secret is gone from the page', async () => !(await page.content()).includes(first));

  await row.getByRole('button', { name: 'Rotate' }).click();
  await page.getByLabel('The old secret ends').selectOption('at once');
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
  const second = await keep(page);
  assert.deepEqual([await allowed(service, first), await allowed(service, second)], [401, 200]);

  await row.getByRole('button', { name: 'Revoke' }).click();
  await page.getByLabel('to confirm').fill(second.split('_')[1]);
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await row.getByText('revoked', { exact: true }).waitFor();
  assert.equal(await allowed(service, second), 401);
  assert.equal(await row.getByRole('button').count(), 0);
  const log = page.getByRole('table', { name: 'Log of changes' });
  await log.getByRole('row').nth(3).waitFor();
});

scene('a session is ended from another one', { at: '#/access' }, async ({ service, page, context }) => {
  const other = await (await context.browser().newContext()).newPage();
  await signIn(other, service, 'read');
  await isLive(other);
  const row = page.getByRole('table', { name: 'Sessions' }).getByRole('row').last();
  await page.reload();
  await row.getByRole('button', { name: 'Revoke' }).click();
  const question = page.getByRole('dialog');
  await question.getByLabel('to confirm').fill(await question.locator('label code').innerText());
  await question.getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('The session is ended.').waitFor();
  await other.getByText('The session has ended').waitFor();
  await other.context().close();
  assert(await page.locator('#shell').isVisible(), 'this one goes on');
});

/** The secret that is shown, after it was taken note of. */
async function keep(page) {
  const secret = await page.locator('.secret').innerText();
  assert.match(secret, /^swt_[a-z2-7]{10}_/);
  await page.keyboard.press('Escape');
  assert(await page.locator('.secret').isVisible(), 'only the button closes it');
  await page.getByRole('button', { name: 'I have kept it' }).click();
  return secret;
}

async function allowed(service, token) {
  const answer = await fetch(`${service.url}v1/status`, { headers: { authorization: `Bearer ${token}` } });
  return answer.status;
}
