import { closeSync, openSync, readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { join } from 'node:path';
import t from 'tap';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';
import { ServeProcess, stopped } from './serve-process.ts';

t.test('a client whose pulls take all descriptors does not make an upstream look down', async (t) => {
  const registry = await startLabRegistry();
  t.teardown(() => registry.close());
  registry.seed('canary', 'latest', { blobs: [64] });
  const { blobDigests } = registry.seed('app', '1', { blobs: [300_000] });
  await registry.faults.on('stall', { path: /app/, kind: 'blob', bytes: 1000 });
  const file = join(temporaryFolder(t), 'log');
  const stdout = openSync(file, 'w');
  t.teardown(() => closeSync(stdout));
  const log = () => readFileSync(file, 'utf8');
  const probe = { canary: 'canary:latest', interval: '200ms', fastInterval: '100ms' };
  const upstreams = { harbor: { urls: [registry.url], probe, deadlines: { stall: '60s' } } };
  // Fewer than the edge itself and 120 pulls need, whatever it has open.
  const shell = 'ulimit -n 130; exec "$@"';
  const serve = await ServeProcess.start(t, { stdout, shell, config: { upstreams } });
  const session = http2.connect(`https://127.0.0.1:${serve.httpsPort}`, { rejectUnauthorized: false });
  t.teardown(() => session.destroy());
  session.on('error', () => undefined);
  for (let index = 0; index < 120; index += 1) {
    const headers = { ':path': `/v2/app/blobs/${blobDigests[0]}`, range: `bytes=${index}-` };
    session.request(headers).on('error', () => undefined);
  }
  await until(() => log().includes('"msg":"request"'), { every: 50, what: () => 'a pull without a descriptor' });
  t.ok(log().includes('this edge has no file descriptor left'), 'the edge tells of its own lack');
  // Several probes.
  for (let round = 0; round < 30; round += 1) t.equal(await serve.ready(), 200);
  session.destroy();
  await until(() => serve.requests(20).catch(() => false), { every: 100, what: () => 'clients to be served again' });
  t.equal((await stopped(serve)).status, 0);
  const blamed = log()
    .split('\n')
    .filter((line) => /upstream is down|pushes: refusing|"open"/.test(line));
  t.strictSame(blamed, []);
});
