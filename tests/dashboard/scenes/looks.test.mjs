// Every view, in both colour schemes and two widths: nothing sticks out, and axe-core has no serious finding.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { isLive, show, stage } from '../support/browser.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** A folder for pictures of everything that is looked at. */
const pictures = process.env.TEST_PICTURES;
const scene = stage({ records: 500 });

const VIEWS = {
  overview: 'Overview',
  batches: 'Batches',
  'batches?id=1': 'Batches',
  keys: 'Keys',
  nodes: 'Nodes',
  record: 'Record',
  'record?id=7': 'Record',
  events: 'Events',
  access: 'Access',
  nowhere: 'There is no such view',
};
const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

for (const colorScheme of ['light', 'dark']) {
  for (const viewport of [WIDE, PHONE]) {
    scene(
      `every view is sound: ${colorScheme}, ${viewport.width} pixels`,
      // What was asked just before the session ended, at the end, is refused.
      { colorScheme, viewport, allowed: [/console: .*status of 401/] },
      async ({ service, page }) => {
        await service.signedAll();
        for (const [view, title] of Object.entries(VIEWS)) {
          await show(page, `#/${view}`, title);
          await page.waitForLoadState('load');
          await settled(page, view);
          await look(page, `${view} ${colorScheme} ${viewport.width}`);
        }
        await show(page, '#/keys', 'Keys');
        await page.getByRole('button', { name: 'Retire' }).first().click();
        await look(page, `question ${colorScheme} ${viewport.width}`);
        await page.keyboard.press('Escape');
        await page.keyboard.press('?');
        await look(page, `help ${colorScheme} ${viewport.width}`);
        await page.keyboard.press('Escape');
        if (viewport === PHONE) await page.getByRole('button', { name: 'Menu' }).click();
        await look(page, `navigation ${colorScheme} ${viewport.width}`);
        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.getByLabel('Token').waitFor();
        await look(page, `sign-in ${colorScheme} ${viewport.width}`);
      },
    );
  }
}

scene('the switch of the colour scheme is kept', { colorScheme: 'light' }, async ({ page }) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await ground();
  await page.getByRole('button', { name: 'Dark' }).click();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  await isLive(page);
  assert.equal(await ground(), dark);
  await page.keyboard.press('t');
  assert.equal(await ground(), light);
});

scene('the keyboard reaches every view', {}, async ({ page }) => {
  await isLive(page);
  const keys = { b: 'Batches', k: 'Keys', n: 'Nodes', r: 'Record', e: 'Events', a: 'Access', o: 'Overview' };
  for (const [key, title] of Object.entries(keys)) {
    await page.keyboard.press(key);
    await page.getByRole('heading', { level: 1, name: title }).waitFor();
    assert.equal(await page.title(), `${title} · Sign Wave`);
  }
  await page.keyboard.press('?');
  await page.getByLabel('Shortcuts are on').uncheck();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.keyboard.press('k');
  assert.equal(await page.title(), 'Overview · Sign Wave');
});

/** Waits until a view shows its data. */
async function settled(page, view) {
  if (view === 'overview') await page.locator('#history-total').filter({ hasText: 'signatures' }).waitFor();
  if (view.startsWith('batches?') || view.startsWith('record?')) await page.locator('.facts div').first().waitFor();
  else if (['batches', 'keys', 'nodes', 'access'].includes(view)) await page.locator('tbody tr').first().waitFor();
}

async function look(page, what) {
  if (pictures) {
    await mkdir(pictures, { recursive: true });
    await page.screenshot({ path: `${pictures}/${what.replaceAll(/[^a-z0-9]+/g, '-')}.png` });
  }
  const out = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(out, 0, `${what}: it is ${out} pixels too wide`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
  assert.deepEqual(told, [], what);
}
