// From a broker to the feed, and out of it: what the page shows is what the service and the commands say.
// The folder has the addresses of a real NATS server with 30 messages, of which one has no name.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isLive, stage } from '../support/browser.mjs';
import { until } from '../support/waiting.mjs';

const [intake, publish] = (await readFile('brokers', 'utf8')).trim().split('\n');
// Nothing listens there.
const AWAY = 'amqp://127.0.0.1:9/?queue=q&name=away';
const scene = stage({ serve: ['--batch-size', '10', '--intake', intake, '--publish', publish, '--publish', AWAY] });

scene('what comes in, the feed, and each way out of it are shown', { at: '#/flow' }, async ({ service, page }) => {
  await isLive(page);
  await shows(page, 'taken', '29');
  await shows(page, 'refused', '1');
  await shows(page, 'stored', '29');
  await page.getByText("see 'signwave refused list'").waitFor();
  await page.getByText('connected, 0 messages repeated').waitFor();

  await service.submitMany(15);
  await shows(page, 'stored', '44');
  const { feed } = await service.ask('v1/status');
  await shows(page, 'feed', feed.split('.')[1]);
  await page.getByText(`up to ${feed}`).waitFor();

  const queues = page.getByRole('table', { name: 'Queues that are published to' });
  const queue = queues.getByRole('row').filter({ hasText: 'stream=feed' });
  await cell(queue, 'State').filter({ hasText: 'publishing' }).waitFor();
  await cell(queue, 'Position').filter({ hasText: feed }).waitFor();
  assert.equal(await cell(queue, 'Batches behind').innerText(), '0');
  await queue.getByRole('img', { name: '0 batches behind' }).waitFor();
  assert(Number(await cell(queue, 'Messages').innerText()) > 0);
  const listed = JSON.parse(await service.command('outlets', 'list', '--json'));
  assert.deepEqual(
    listed.filter(({ name }) => name.includes('stream=feed')).map((row) => [row.position, row.lag_batches]),
    [[feed, 0]],
  );

  const away = queues.getByRole('row').filter({ hasText: 'publish:away' });
  await cell(away, 'State').filter({ hasText: 'disconnected' }).waitFor();
  await cell(away, 'Trouble').filter({ hasText: /^for .*: ./ }).waitFor();
});

scene('a webhook that is behind is shown, and a position that the feed does not have', { at: '#/flow' }, async ({ service, page }) => {
  await page.getByText('There is no webhook.').waitFor();
  await service.command('webhooks', 'add', 'http://127.0.0.1:9/', '--name', 'billing', '--allow-internal');
  const webhook = page.getByRole('table', { name: 'Webhooks' }).getByRole('row').filter({ hasText: 'billing' });
  await cell(webhook, 'State').filter({ hasText: 'enabled' }).waitFor();
  const { feed: before } = await service.ask('v1/status');
  await service.submit('one more', 'text');
  await until('the feed has grown', async () => (await service.ask('v1/status')).feed !== before);
  await cell(webhook, 'Batches behind').filter({ hasText: /^1$/ }).waitFor();
  assert.equal(await cell(webhook, 'Position').innerText(), before);
  await cell(webhook, 'Failures in a row').filter({ hasText: '1' }).waitFor();

  const ahead = "UPDATE outlet SET feed = '0123456789ab' WHERE name = 'webhook:billing'";
  execFileSync('sqlite3', ['-cmd', '.timeout 10000', join(service.folder, 'signwave.db'), ahead]);
  await cell(webhook, 'Position').filter({ hasText: '0123456789ab.' }).waitFor();
  assert.equal(await webhook.getByRole('img').count(), 0, 'it has no share of this feed');
});

const cell = (row, label) => row.locator(`td[data-label="${label}"]`);

function shows(page, id, text) {
  return page.locator(`#flow-${id}`).getByText(text, { exact: true }).waitFor();
}
