// A service that a page looks at: a process on a new SQLite database, in a new folder.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { until } from './waiting.mjs';

const run = promisify(execFile);
const binary = resolve(process.env.TEST_BINARY ?? '');
const EVERYTHING = 'submit,read,operate,admin';

export class Service {
  /** Makes a database with keys and, if they are asked for, records, and starts a service on it. */
  static async start({ keys = 4, records = 0, isTerminal = false, serve = [] } = {}) {
    assert(process.env.TEST_BINARY, 'TEST_BINARY must name the binary');
    const service = new Service();
    service.folder = await mkdtemp(join(tmpdir(), 'signwave-dashboard-'));
    service.port = await freePort();
    Object.assign(service, { isTerminal, serve });
    await service.command('keys', 'init-master', 'master');
    await service.command('seed', '--keys', String(keys), '--records', String(records));
    await service.begin();
    service.token = await service.newToken(EVERYTHING);
    return service;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** Starts the process, at first or after `kill`, and waits until it answers. */
  async begin() {
    const serve = ['serve', '--listen', `127.0.0.1:${this.port}`, ...this.serve];
    const log = createWriteStream(this.#log);
    await new Promise((opened) => log.on('open', opened));
    const options = { cwd: this.folder, env: this.#environment('serve'), stdio: ['ignore', log, log] };
    // `script` gives the process a terminal.
    const line = [binary, ...serve].map((word) => `'${word}'`).join(' ');
    this.process = this.isTerminal
      ? spawn('script', ['-qefc', line, '/dev/null'], options)
      : spawn(binary, serve, options);
    this.ended = new Promise((ended) => this.process.on('exit', ended));
    await until('the service answers', async () => (await this.says()).includes('the API answers at '));
  }

  /** Kills the process without a warning. */
  async kill() {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  /** Ends everything. */
  async stop() {
    this.process.kill('SIGTERM');
    await this.ended;
    await rm(this.folder, { recursive: true });
  }

  /** What the process has logged and printed. */
  says() {
    return readFile(this.#log, 'utf8');
  }

  /** Runs a command on the same database, and returns what it prints. */
  async command(...words) {
    const { stdout } = await run(binary, words, { cwd: this.folder, env: this.#environment(words[1]) });
    return stdout.trim();
  }

  /** A new token with these scopes. */
  newToken(scopes, name = 'test') {
    return this.command('tokens', 'create', '--name', name, '--scope', scopes);
  }

  /** What `signwave status` says. */
  async status() {
    return JSON.parse(await this.command('status', '--json'));
  }

  /** Asks the API, with a token that may do everything, and returns the JSON of the answer. */
  async ask(path, { method = 'GET', body } = {}) {
    const headers = { authorization: `Bearer ${this.token}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const answer = await fetch(this.url + path, { method, headers, body: JSON.stringify(body) });
    assert(answer.ok, `${path}: ${answer.status} ${answer.ok ? '' : await answer.text()}`);
    return answer.json();
  }

  /** Adds a record. */
  submit(externalId, payload) {
    return this.ask('v1/records', { method: 'POST', body: { external_id: externalId, payload } });
  }

  /** Adds `number` records at once. */
  async submitMany(number, name = 'many') {
    const file = join(this.folder, 'records.jsonl');
    const lines = Array.from(
      { length: number },
      (_, n) => `{"external_id":"${name}-${n + 1}","payload":"payload ${n + 1}"}\n`,
    );
    await writeFile(file, lines.join(''));
    const headers = { authorization: `Bearer ${this.token}`, 'content-type': 'application/x-ndjson' };
    const answer = await fetch(`${this.url}v1/records/bulk`, {
      method: 'POST',
      headers,
      body: createReadStream(file),
      duplex: 'half',
    });
    const last = (await answer.text()).trim().split('\n').at(-1);
    assert.equal(JSON.parse(last).inserted, number, last);
  }

  /** Waits until every record is signed. */
  async signedAll() {
    await until('all is signed', async () => {
      const { records } = await this.ask('v1/status');
      return records.unbatched + records.open + records.leased === 0 && records.signed > 0;
    });
  }

  get #log() {
    return join(this.folder, 'serve.log');
  }

  #environment(word) {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(SIGNWAVE_|DATABASE_URL$)/.test(name));
    const master = word === 'init-master' ? {} : { SIGNWAVE_MASTER_KEY_FILE: join(this.folder, 'master') };
    return { ...Object.fromEntries(inherited), ...master };
  }
}

/**
 * A port at which no program listens. Below those that the system gives to outgoing connections, one of which might get it while
 * the service is down.
 */
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(20_000 * Math.random());
    const isFree = await new Promise((resolve) => {
      const server = createServer();
      server.on('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
