import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { ask } from './ask.ts';

const BIN = fileURLToPath(new URL('../../bin/breakwater', import.meta.url));
const ANY = ['--port', '0', '--admin-port', '0', '--control-port', '0'];

/** The lab as a process, its standard output line by line. */
class LabProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly lines: string[] = [];
  #heard = Promise.withResolvers<void>();

  constructor(t: Test, ...args: string[]) {
    this.child = spawn(BIN, ['lab', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.teardown(() => this.child.kill('SIGKILL'));
    const hear = (line?: string) => {
      if (line !== undefined) this.lines.push(line);
      this.#heard.resolve();
      this.#heard = Promise.withResolvers();
    };
    createInterface({ input: this.child.stdout })
      .on('line', hear)
      .on('close', () => hear());
  }

  /** The first line, from `first` on, that matches. */
  async line(pattern: RegExp, first = 0): Promise<string> {
    for (;;) {
      const found = this.lines.slice(first).find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (this.child.exitCode !== null) throw new Error(`ended without ${pattern}:\n${this.lines.join('\n')}`);
      await this.#heard.promise;
    }
  }

  type(line: string): void {
    this.child.stdin.write(`${line}\n`);
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    this.child.kill(signal);
    if (this.child.exitCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }
}

/** GET through the edge, whose certificate nobody knows. */
function through(
  https: string,
  path: string,
  method = 'GET',
): Promise<{ status: number; upstream: string; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { method, rejectUnauthorized: false, agent: false, headers: { accept: '*/*' } };
    const req = request(`https://${https}${path}`, options, (res) => {
      let body = '';
      res.setEncoding('utf8').on('data', (chunk) => {
        body += chunk;
      });
      res.once('end', () =>
        resolve({ status: res.statusCode ?? 0, upstream: String(res.headers['x-breakwater-upstream']), body }),
      );
    });
    req.once('error', reject).end();
  });
}

t.test('serves, fails over at a switch, recovers, and ends', async (t) => {
  const lab = new LabProcess(t, ...ANY, '--json');
  const started = JSON.parse(await lab.line(/"listening"/));
  t.equal(started.commands.length, 3);
  t.ok(started.commands[0].includes(`localhost:${started.https.split(':')[1]}/library/hello`));
  const manifest = '/v2/library/hello/manifests/latest';
  const first = await through(started.https, manifest);
  t.match(first, { status: 200, upstream: 'harbor' });
  t.equal((await through(started.https, '/v2/library/new/blobs/uploads/', 'POST')).status, 202);

  for (const fault of ['down', 'storageGone']) {
    const seen = lab.lines.length;
    t.equal((await ask(started.control, 'POST', `/harbor/${fault}`)).status, 200);
    t.match(
      await through(started.https, manifest),
      { status: 200, upstream: 'gcr', body: first.body },
      `${fault}: gcr serves`,
    );
    await lab.line(/"pushes: refusing"/, seen);
    const refused = await through(started.https, '/v2/library/new/blobs/uploads/', 'POST');
    t.match(refused, { status: 403, body: /DENIED/ }, `${fault}: pushes are refused`);
    await ask(started.control, 'DELETE', '/harbor');
    await lab.line(/"pushes: accepting"/, seen);
    t.match(await through(started.https, manifest), { status: 200, upstream: 'harbor' }, `${fault}: and back`);
  }
  const { registries } = JSON.parse((await ask(started.control, 'GET', '/')).body.toString());
  t.equal(registries.gcr.writes, 0, 'nothing was ever written to gcr');
  t.equal(registries.harbor.writes, 1);
  t.equal(await lab.end('SIGTERM'), 0);
});

t.test('switches at the prompt, in plain lines off a terminal', async (t) => {
  const lab = new LabProcess(t, ...ANY);
  await lab.line(/switches +http:/);
  const freeze = await lab.line(/curl -X POST/);
  t.equal(lab.lines.filter((line) => /^ {2}(skopeo|curl) /.test(line)).length, 3, 'three commands to copy');
  lab.type('harbor frozen on');
  t.match(await lab.line(/^harbor: frozen is ON/), /Try: pull hello/);
  const [, control = ''] = /http:\/\/localhost:(\d+)\//.exec(freeze) ?? [];
  const { registries } = JSON.parse((await ask(`http://127.0.0.1:${control}`, 'GET', '/')).body.toString());
  t.match(registries.harbor.faults, { frozen: {} });
  lab.type('harbor tired on');
  await lab.line(/"tired" is no fault/);
  lab.type('status');
  await lab.line(/^ {2}harbor: frozen \(\d+ hit\)/);
  lab.type('harbor off');
  await lab.line(/^harbor: everything is off/);
  t.notOk(
    lab.lines.some((line) => line.includes('lab>') || line.includes('\x1b')),
    'no prompt',
  );
  lab.type('quit');
  await once(lab.child, 'exit');
  t.equal(lab.child.exitCode, 0);
});

t.test('a port that is taken is not the end', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const taken = (server.address() as AddressInfo).port;
  const lab = new LabProcess(t, '--port', String(taken), '--admin-port', '0', '--control-port', '0');
  await lab.line(new RegExp(`port ${taken} is taken`));
  const [, port = ''] = /https:\/\/localhost:(\d+)/.exec(await lab.line(/Breakwater serves/)) ?? [];
  t.not(Number(port), taken);
  const socket = connect(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
  t.equal(await lab.end('SIGINT'), 0);
});

t.test('a port that is none', async (t) => {
  const child = spawn(BIN, ['lab', '--port', '70000'], { stdio: 'ignore' });
  const [status] = await once(child, 'exit');
  t.equal(status, 2);
});
