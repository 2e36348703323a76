import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { ask } from '../../lab/ask.ts';
import { ANY, BIN, LabProcess } from './lab-process.ts';

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
  const lab = new LabProcess(t, [...ANY, '--json']);
  const started = JSON.parse(await lab.line(/"listening"/));
  t.ok(started.commands.length > 5);
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
  const lab = new LabProcess(t, ANY);
  await lab.line(/Type "help"/);
  const freeze = await lab.line(/curl -X POST/);
  lab.type('harbor frozen on');
  t.match(await lab.line(/^harbor: frozen is ON/), /Try: pull hello/);
  const [, control = ''] = /http:\/\/localhost:(\d+)\//.exec(freeze) ?? [];
  const { registries } = JSON.parse((await ask(`http://127.0.0.1:${control}`, 'GET', '/')).body.toString());
  t.match(registries.harbor.faults, { frozen: {} });
  lab.type('harbor tired on');
  await lab.line(/"tired" is no fault/);
  lab.type('status');
  await lab.line(/^ {2}harbor: frozen \(\d+ hit\)/);
  lab.type('coverage');
  await lab.line(/^ {2}library\/ +harbor -> gcr/);
  lab.type('help');
  await lab.line(/REGISTRY FAULT on\|off/);
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
  const lab = new LabProcess(t, ['--port', String(taken), '--admin-port', '0', '--control-port', '0']);
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

t.test('greets only when both registries are up, even if the first probe times out', async (t) => {
  const file = join(temporaryFolder(t), 'late.mjs');
  // The first answer of each registry is late: that to the first probe.
  const late = `import { subscribe } from 'node:diagnostics_channel';
    const servers = new Set();
    subscribe('http.server.request.start', ({ response, server }) => {
      if (servers.has(server)) return;
      servers.add(server);
      const end = response.end.bind(response);
      response.end = (...rest) => setTimeout(end, 7000, ...rest);
    });`;
  writeFileSync(file, late);
  const env = { NODE_OPTIONS: `--import ${file}` };
  const told = new LabProcess(t, [...ANY, '--json'], env);
  const shown = new LabProcess(t, ANY, env);
  await told.line(/"listening"/);
  const up = told.lines.filter((line) => line.includes('"upstream is up"'));
  t.ok(
    told.lines.some((line) => line.includes('"upstream is down"')),
    'a probe did time out',
  );
  t.strictSame(new Set(up.map((line) => JSON.parse(line).upstream)), new Set(['harbor', 'gcr']), 'both are up again');
  await shown.line(/Breakwater serves/);
  t.notOk(
    shown.lines.some((line) => / is (down|up)/.test(line)),
    'a person sees nothing of it',
  );
});

t.test('it can be ended while it starts, and during a tour', async (t) => {
  const file = join(temporaryFolder(t), 'frozen.mjs');
  // Nothing is answered until the lab has been told to end.
  const frozen = `import { subscribe } from 'node:diagnostics_channel';
    subscribe('http.server.request.start', ({ request }) => request.socket.destroy());`;
  writeFileSync(file, frozen);
  const starting = new LabProcess(t, [...ANY, '--json'], { NODE_OPTIONS: `--import ${file}` });
  await starting.line(/"upstream is down"/);
  t.equal(await starting.end('SIGINT'), 0);
  t.notOk(starting.lines.some((line) => line.includes('"listening"')));

  const lab = new LabProcess(t, ANY);
  await lab.line(/Type "help"/);
  lab.type('tour');
  await lab.line(/^2\/6/);
  lab.type('quit');
  await once(lab.child, 'exit');
  t.equal(lab.child.exitCode, 0);
  t.notOk(
    lab.lines.some((line) => /FAILED|tour is over/.test(line)),
    'nothing is said of the steps that were not made',
  );
});
