// Signing in and out.
import assert from 'node:assert/strict';
import { isLive, stage } from '../support/browser.mjs';
import { until } from '../support/waiting.mjs';

const scene = stage({ isTerminal: true });
/** What a browser says by itself of an answer 401. */
const REFUSED = /console: .*status of 401/;

scene(
  'a link that the terminal shows signs in once',
  { scopes: null, allowed: [REFUSED] },
  async ({ service, page, context }) => {
    const pattern = new RegExp(`${service.url}#sign-in=[^\\s\\u001b]+`);
    await until('the link is printed', async () => pattern.test(await service.says()));
    const [link] = (await service.says()).match(pattern);
    await page.goto(link);
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    assert(!page.url().includes('sign-in'), 'the code is gone from the address');
    const devtools = await context.newCDPSession(page);
    const { entries } = await devtools.send('Page.getNavigationHistory');
    assert.deepEqual(
      entries.filter(({ url }) => url.includes('sign-in')),
      [],
      'and from the history',
    );

    await context.clearCookies();
    await page.goto('about:blank');
    await page.goto(link);
    await page.getByText('This link has been used already').waitFor();
  },
);

scene(
  'a token signs in, the session survives a reload, and signing out ends it',
  // What was asked just before the session ended is refused.
  { at: '#/keys', allowed: [REFUSED] },
  async ({ service, page, context }) => {
    await page.getByRole('heading', { level: 1, name: 'Keys' }).waitFor();
    const [cookie] = await context.cookies(service.url);
    assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, 'Strict']);
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'Keys' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    assert.deepEqual(await context.cookies(service.url), []);
    await page.reload();
    await page.getByLabel('Token').waitFor();
  },
);

scene('a wrong token is refused in place', { scopes: null, allowed: [REFUSED] }, async ({ service, page }) => {
  await page.goto(service.url);
  await page.getByLabel('Token').fill('swt_wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('The service does not know this token').waitFor();
});

scene(
  'the page asks for another token when its own is revoked',
  { scopes: null, allowed: [REFUSED] },
  async ({ service, page }) => {
    const token = await service.newToken('read');
    await page.goto(service.url);
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await isLive(page);
    await service.command('tokens', 'revoke', token.split('_')[1]);
    await page.getByText('The session has ended').waitFor();
  },
);
