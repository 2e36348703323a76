import { execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import t, { type Test } from 'tap';
import { startEdge } from '../helpers/edge.ts';
import { LARGE_BLOB, startLargeBlob } from '../helpers/large-blob.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { missing, tool } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

/** A network that no link has. The link of a machine may live on for a while, and a killed test leaves its own for ever. */
function freeNetwork(): { here: string; there: string } {
  const taken = execFileSync(tool('ip'), ['-oneline', '-4', 'address'], { encoding: 'utf8' });
  for (;;) {
    const network = `10.231.${randomInt(256)}`;
    const first = 4 * randomInt(64);
    const here = `${network}.${first + 1}`;
    if (!taken.includes(` ${here}/`)) return { here, there: `${network}.${first + 2}` };
  }
}

let machines = 0;

/** A machine of its own, as far as the network goes, at the end of a cable. */
function otherMachine(t: Test) {
  machines += 1;
  const name = `bw${process.pid}m${machines}`;
  const { here, there } = freeNetwork();
  const ip = (...args: string[]) => execFileSync(tool('ip'), args);
  ip('netns', 'add', name);
  t.teardown(() => {
    // Connections that are still closing keep a network alive, and with it the address at this end.
    ip('link', 'delete', `${name}0`);
    ip('netns', 'delete', name);
  });
  ip('link', 'add', `${name}0`, 'type', 'veth', 'peer', 'name', `${name}1`, 'netns', name);
  ip('address', 'add', `${here}/30`, 'dev', `${name}0`);
  ip('link', 'set', `${name}0`, 'up');
  ip('-n', name, 'address', 'add', `${there}/30`, 'dev', `${name}1`);
  ip('-n', name, 'link', 'set', `${name}1`, 'up');
  return {
    here,
    run(file: string, args: string[]): void {
      const child = spawn(tool('ip'), ['netns', 'exec', name, tool(file), ...args], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      t.teardown(() => child.kill('SIGKILL'));
    },
    pullCable: () => ip('-n', name, 'link', 'set', `${name}1`, 'down'),
  };
}

const skip = missing('ip', 'curl') || (process.getuid?.() !== 0 && 'only root can make network namespaces');

async function siteOf(t: Test, version: string) {
  const machine = otherMachine(t);
  const edge = await startEdge(t, {
    listen: { https: `${machine.here}:0`, admin: '127.0.0.1:0' },
    aliases: [machine.here],
    upstreams: { upstream: { urls: [await startLargeBlob(t)] } },
    routes: [{ prefix: '', pull: [{ upstream: 'upstream' }] }],
    limits: { clientIdle: '5s' },
    drain: { announce: '0s', timeout: '5m' },
  });
  const gauge = async (name: RegExp) => {
    const text = await (await fetch(`${edge.adminUrl}/metrics`)).text();
    return Number(name.exec(text)?.[1]);
  };
  const output = ['--output', '/dev/null', `${edge.url}/v2/${LARGE_BLOB}`];
  // The link of a new machine may need a moment.
  const again = ['--retry', '30', '--retry-all-errors', '--retry-delay', '1'];
  const options = [
    ...again,
    '--insecure',
    '--silent',
    '--limit-rate',
    '100k',
    '--parallel',
    '--parallel-immediate',
    version,
  ];
  machine.run('curl', [...options, ...Array.from({ length: 5 }, () => output).flat()]);
  await until(async () => (await gauge(/^breakwater_in_flight\{.*class="data"\} (\d+)$/m)) >= 5, {
    timeout: 40_000,
    what: () => `five downloads\n${edge.story()}`,
  });
  machine.pullCable();
  return { edge, connections: () => gauge(/^breakwater_client_connections (\d+)$/m) };
}

/** Milliseconds. Before clients were watched, it took three to five minutes. */
const LIMIT = timeLimit(40_000);

for (const version of ['--http2', '--http1.1']) {
  t.test(`clients whose cable was pulled are let go (${version})`, { skip }, async (t) => {
    const { connections } = await siteOf(t, version);
    const pulled = performance.now();
    await until(async () => (await connections()) === 0, { timeout: 60_000, what: () => 'connections to be let go' });
    const took = Math.round(performance.now() - pulled);
    t.ok(took < LIMIT, `after ${took} ms`);
  });

  t.test(`a stop does not wait for them, and counts them (${version})`, { skip }, async (t) => {
    const { edge } = await siteOf(t, version);
    const began = performance.now();
    t.equal(await edge.stop(timeLimit(60_000)), 0);
    const took = Math.round(performance.now() - began);
    t.ok(took < LIMIT, `after ${took} ms`);
    t.match(/^.*"msg":"drained".*$/m.exec(edge.log())?.[0], /"finished":0,"cut":5/);
  });
}
