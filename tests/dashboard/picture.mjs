// Takes the picture of the overview for the README: `node picture.mjs FILE`.
import { setTimeout as pause } from 'node:timers/promises';
import { launch, signIn, watch } from './support/browser.mjs';
import { Service } from './support/service.mjs';
import { until } from './support/waiting.mjs';

/** Records that come together, and after how many seconds the next ones do. 100,000 in all. */
const WAVES = [
  [4000, 12],
  [9000, 14],
  [3000, 9],
  [14_000, 16],
  [6000, 10],
  [20_000, 20],
  [8000, 11],
  [36_000, 0],
];
/** How many of the last wave are signed when the picture is taken. */
const SIGNED = 16_000;

const service = await Service.start({ keys: 12 });
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'light', locale: 'en-GB' });
  const findings = await watch(page, service.url);
  await signIn(page, service, undefined, '#/overview');
  let [sent, wave] = [0, 0];
  for (const [records, seconds] of WAVES) {
    await service.submitMany(records, `wave-${(wave += 1)}`);
    sent += records;
    await pause(1000 * seconds);
  }
  const before = sent - WAVES.at(-1)[0];
  const isAlmostSigned = async () => (await service.ask('v1/status')).records.signed >= before + SIGNED;
  await until('the last wave is being signed', isAlmostSigned, 600_000);
  await page.getByText(/of the raw speed/).waitFor();
  if (findings.length > 0) throw new Error(findings.join('\n'));
  await page.screenshot({ path: process.argv[2] });
} finally {
  await browser.close();
  await service.stop();
}
