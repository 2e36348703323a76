import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { type Edge, startEdge } from '../../helpers/edge.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';

const EDGE = join(import.meta.dirname, '../../../bin/breakwater');

/** Bugs on command. No exchange has them, so that no boundary can end one. */
const BUGS = `
process.on('SIGUSR2', () => setImmediate(() => { throw new Error('a bug that throws'); }));
process.on('SIGURG', () => void Promise.reject(new Error('a bug that rejects')));
`;

async function start(t: Test, announce: string): Promise<Edge> {
  const registry = await startLabRegistry();
  t.teardown(() => registry.close());
  const folder = temporaryFolder(t);
  const bugs = join(folder, 'bugs.mjs');
  writeFileSync(bugs, BUGS);
  const launcher = join(folder, 'launcher');
  writeFileSync(launcher, `#!/bin/sh\nNODE_OPTIONS=--import=${bugs} exec ${EDGE} "$@"\n`);
  chmodSync(launcher, 0o755);
  const config = {
    drain: { announce, timeout: '2s' },
    upstreams: { harbor: { urls: [registry.url] } },
    routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] }],
  };
  return startEdge(t, config, launcher);
}

async function statusOf(edge: Edge): Promise<number> {
  const call = request(`${edge.url}/v2/`, { rejectUnauthorized: false, agent: false }).end();
  const [response] = await once(call, 'response');
  response.resume();
  return response.statusCode;
}

const FATAL = /"level":"fatal".*an error escaped its request/;

for (const [signal, message, origin] of [
  ['SIGUSR2', 'a bug that throws', 'uncaughtException'],
  ['SIGURG', 'a bug that rejects', 'unhandledRejection'],
] as const)
  t.test(`${message} drains the edge and ends it with status 1`, async (t) => {
    const edge = await start(t, `${timeLimit(1500)}ms`);
    t.equal(await statusOf(edge), 200);
    edge.signal(signal);
    await edge.waitForLog(FATAL);
    const ready = await fetch(`${edge.adminUrl}/readyz`);
    t.equal(ready.status, 503, 'another edge takes over');
    t.equal(await statusOf(edge), 200, 'clients that have not noticed are served meanwhile');
    edge.signal(signal);
    await until(
      () =>
        edge
          .log()
          .split('\n')
          .filter((line) => FATAL.test(line)).length === 2,
      {
        what: () => `a second line: ${edge.log()}`,
      },
    );
    t.equal(await edge.ended(), 1);
    t.match(edge.log(), new RegExp(`"message":"${message}"`));
    t.match(edge.log(), new RegExp(`"origin":"${origin}"`));
    t.match(edge.log(), /"msg":"drained"/);
  });

t.test('a stop that is asked for after it keeps the status', async (t) => {
  const edge = await start(t, `${timeLimit(500)}ms`);
  edge.signal('SIGUSR2');
  await edge.waitForLog(FATAL);
  t.equal(await edge.stop(), 1);
});
