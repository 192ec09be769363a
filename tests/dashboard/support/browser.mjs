// The system's chromium, and what must hold of every page in it: no error in the console, no report of the content
// security policy, no request to another place.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { Service } from './service.mjs';

const program = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(existsSync);

/**
 * A browser and a service for the tests of a file. Returns `scene(name, options, body)`, which is a test: `body` gets
 * the service and a new page with a new session. Options: `scopes` of the token with which it is signed in
 * (`null`: it is not), `at` (the fragment), `allowed` (patterns of lines that the console may have), and those of a
 * playwright context.
 */
export function stage(wanted = {}) {
  const shared = {};
  before(async () => {
    shared.service = await Service.start(wanted);
    shared.browser = await launch();
  });
  after(async () => {
    await shared.browser?.close();
    await shared.service?.stop();
  });
  return (name, options, body) => test(name, () => play(shared, options, body));
}

/** Starts the browser. */
export function launch() {
  assert(program, 'chromium is missing: run scripts/install-tools first');
  const args = [
    '--disable-dev-shm-usage',
    '--host-resolver-rules=MAP signer.test 127.0.0.1',
    ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
  ];
  return chromium.launch({ executablePath: program, args });
}

async function play({ service, browser }, { scopes, at = '', allowed = [], ...options }, body) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(90_000);
  const findings = await watch(page, service.url);
  try {
    if (scopes !== null) await signIn(page, service, scopes, at);
    await body({ service, page, context, findings });
    const unexpected = findings.filter((line) => !allowed.some((pattern) => pattern.test(line)));
    assert.deepEqual(unexpected, [], 'the console, the policy and the requests are clean');
  } finally {
    await context.close();
  }
}

/** Collects what must not be: it grows while the page is used, which must not have an address yet. */
export async function watch(page, url) {
  const findings = [];
  const note = (kind, text) => findings.push(`${kind}: ${text}`);
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) note('console', `${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => note('error', error.stack ?? error.message));
  page.on('request', (request) => {
    const address = request.url();
    if (!address.startsWith(url) && !address.startsWith('data:') && !address.startsWith('blob:'))
      note('foreign', address);
  });
  page.on('response', (response) => {
    if (response.status() >= 500) note('answer', `${response.status()} ${response.url()}`);
  });
  await page.exposeFunction('reportPolicy', (text) => note('policy', text));
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (report) =>
      globalThis.reportPolicy(`${report.violatedDirective} ${report.blockedURI} ${report.sample}`),
    );
  });
  return findings;
}

/** Signs in with a new token of these scopes, through the form. */
export async function signIn(page, service, scopes = 'submit,read,operate,admin', at = '') {
  const token = scopes === 'submit,read,operate,admin' ? service.token : await service.newToken(scopes);
  await page.goto(service.url + at);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('#shell').waitFor();
}

/** Shows a view by its address, and waits for its title. */
export async function show(page, fragment, title) {
  await page.evaluate((hash) => (location.hash = hash), fragment);
  await page.getByRole('heading', { level: 1, name: title }).waitFor();
}

/** Waits until the page says that its figures are live. */
export function isLive(page) {
  return page.locator('#liveness').getByText('Live', { exact: true }).waitFor();
}
