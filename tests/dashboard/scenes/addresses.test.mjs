// Other addresses of the page: behind a path of a proxy, and over plain HTTP from another machine.
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { isLive, show, signIn, stage, watch } from '../support/browser.mjs';

const scene = stage({ keys: 1, serve: ['--allowed-hosts', 'signer.test'] });

scene('the page works behind a path prefix', { scopes: null }, async ({ service, context }) => {
  const proxy = await proxied('/tools/signer/', service);
  const page = await context.newPage();
  const findings = await watch(page, proxy.url);
  try {
    const { id } = await service.submit('behind a proxy', 'text');
    await service.signedAll();
    await signIn(page, at(service, proxy.url));
    await isLive(page);
    for (const view of ['Batches', 'Keys', 'Nodes', 'Events', 'Access'])
      await show(page, `#/${view.toLowerCase()}`, view);
    await show(page, `#/record?id=${id}`, 'Record');
    await page.getByRole('button', { name: 'Verify here' }).click();
    await page.getByText('Valid: this browser').waitFor();
    assert.match(await page.locator('#openssl').innerText(), new RegExp(`'${proxy.url}v1/records/`));
    const reference = await page.getByRole('link', { name: 'API reference' }).evaluate((link) => link.href);
    assert.equal((await page.request.get(reference)).status(), 200);
    assert.deepEqual(findings, []);
  } finally {
    await page.close();
    proxy.server.close();
  }
});

scene('where the browser has no cryptography, the page says so', { scopes: null }, async ({ service, context }) => {
  const url = `http://signer.test:${service.port}/`;
  const page = await context.newPage();
  const findings = await watch(page, url);
  const { id } = await service.submit('from afar', 'text');
  await service.signedAll();
  await signIn(page, at(service, url), undefined, `#/record?id=${id}`);
  await page.getByText('This browser verifies only over HTTPS or on localhost').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Verify here' }).count(), 0);
  assert.equal(await page.locator('#payload').innerText(), 'text');
  await page.getByRole('button', { name: 'Copy' }).first().click();
  await page.getByText('The text is selected.').waitFor();
  const { signature } = await service.ask(`v1/records/${id}`);
  assert.equal(await page.evaluate(() => String(getSelection())), signature.signature);
  assert.deepEqual(findings, []);
});

/** The same service under another address. */
const at = (service, url) => Object.create(service, { url: { value: url } });

/** A proxy that serves a service below a path. */
async function proxied(prefix, service) {
  const server = createServer((incoming, outgoing) => {
    if (!incoming.url.startsWith(prefix)) return outgoing.writeHead(404).end();
    const path = `/${incoming.url.slice(prefix.length)}`;
    const target = { host: '127.0.0.1', port: service.port, path, method: incoming.method, headers: incoming.headers };
    const onwards = request(target, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    onwards.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onwards.destroy());
    return incoming.pipe(onwards);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return { server, url: `http://127.0.0.1:${server.address().port}${prefix}` };
}
