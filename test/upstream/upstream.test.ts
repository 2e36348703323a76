import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { monotonicNow } from '../../src/clock/clock.ts';
import { configSchema } from '../../src/config/schema.ts';
import { type LabRegistryOptions, startLabRegistry } from '../../src/lab/registry.ts';
import type { UpstreamEvents } from '../../src/upstream/events.ts';
import { BufferPool } from '../../src/upstream/reader/buffer-pool.ts';
import { Resolver } from '../../src/upstream/resolver.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';
import { scaleUpstream } from '../helpers/upstream-times.ts';

const upstreamSchema = configSchema.shape.upstreams.valueType;
const PROBE = { interval: '60ms', fastInterval: '20ms', timeout: '600ms', holdDown: '100ms', settle: '100ms' };

async function start(t: Test, options: LabRegistryOptions = {}, probe: object = {}, more: object = {}) {
  const registry = await startLabRegistry(options);
  t.teardown(() => registry.close());
  registry.seed('library/canary', 'latest', { blobs: [5000] });
  const events: string[] = [];
  const listener: UpstreamEvents = {
    health: (_name, _url, from, to) => events.push(`${from} -> ${to}`),
    breaker: (_name, _url, trafficClass, state) => events.push(`${trafficClass} ${state}`),
    gate: (_name, gate) => events.push(gate.mode),
    credentials: (_name, detail) => events.push(`credentials: ${detail}`),
    corruptCopy: () => undefined,
    content: () => undefined,
  };
  const config = upstreamSchema.parse(
    scaleUpstream({
      urls: [registry.url],
      probe: { ...PROBE, canary: 'library/canary:latest', ...probe },
      ...more,
    }),
  );
  const upstream = new Upstream(
    'harbor',
    config,
    { password: 'hunter2' },
    { resolver: new Resolver(), pool: new BufferPool() },
    listener,
  );
  t.teardown(() => upstream.stop());
  return { registry, upstream, events };
}

for (const fault of ['down', 'frozen', 'storageHung', 'storageGone', 'errors'] as const) {
  t.test(`through an outage: ${fault}`, async (t) => {
    const { registry, upstream, events } = await start(t);
    await upstream.start();
    t.match(upstream.view(), { state: 'up', gate: { mode: 'accepting' }, replicas: [{ canary: 'good' }] });
    await registry.faults.on(fault);
    await until(() => upstream.view().state === 'down');
    t.match(upstream.view(), { gate: { mode: 'refusing' }, replicas: [{ canary: 'failing' }] });
    t.equal(await upstream.confirmCanary(registry.url), 'failing');
    await registry.faults.off();
    await until(() => upstream.view().gate.mode === 'accepting');
    // The gate refuses before the upstream is down, if a client's look falls between two probes: the canary has just failed.
    const [states, gates] = [
      events.filter((event) => event.includes('->')),
      events.filter((event) => !event.includes('->')),
    ];
    t.same(states, ['unknown -> up', 'up -> down', 'down -> up']);
    t.same(gates, ['accepting', 'refusing', 'settling', 'accepting']);
  });
}

t.test('a single bad probe changes nothing', async (t) => {
  const { registry, upstream, events } = await start(t);
  await upstream.start();
  await registry.faults.on('errors', { times: 1 });
  const seen = registry.requests.length;
  await until(() => registry.requests.length > seen + 8);
  t.same(events, ['unknown -> up', 'accepting']);
});

t.test('a confirmation begins after it was asked for', async (t) => {
  const { registry, upstream } = await start(t, {}, { interval: '1h' });
  await upstream.start();
  const under = upstream.confirmCanary(registry.url);
  await registry.faults.on('storageGone');
  const [, later] = await Promise.all([under, upstream.confirmCanary(registry.url)]);
  t.equal(later, 'failing', 'not the result of the one under way');
});

t.test('Harbor: read-only closes the gate, a component that is ill does not', async (t) => {
  const { registry, upstream } = await start(t, { harbor: true }, { kind: 'harbor' });
  await upstream.start();
  t.match(upstream.view(), { readOnly: false, gate: { mode: 'accepting' } });
  // Its users are in its own database.
  await until(async () => (await upstream.userAuthority.health()).delaysRefusals);
  await registry.faults.on('unhealthy');
  await until(() => upstream.view().unhealthy.length > 0);
  t.match(upstream.view(), { state: 'up', gate: { mode: 'accepting' } });
  await registry.faults.on('readOnly');
  await until(() => upstream.view().readOnly);
  t.match(upstream.view(), { state: 'up', gate: { mode: 'refusing', reason: /read-only/ } });
});

t.test('a frozen Harbor that has an account of the probe holds up no start', async (t) => {
  const credentials = { username: 'robot$probe', passwordFile: 'x' };
  const { registry, upstream } = await start(t, { harbor: true }, { kind: 'harbor', credentials });
  await registry.faults.on('frozen');
  const began = performance.now();
  await upstream.start();
  t.ok(performance.now() - began < timeLimit(5000), 'as long as Harbor may take to refuse an account');
  t.match(upstream.view(), { state: 'down', gate: { mode: 'refusing' } });
  const account = upstream.view().credentials.accounts?.find(({ role }) => role === 'probe');
  t.match(account, { refusal: undefined, unknown: { since: Number, reason: String } }, 'no check has told anything');
});

t.test('a read of the edge that is denied is blamed on the account that it had', async (t) => {
  const copies = { credentials: { username: 'robot$copy', passwordFile: 'x' } };
  const rows: [string, more: object, refused: string][] = [
    ['credentials of the edge', { credentials: { username: 'robot', passwordFile: 'x' } }, 'own'],
    ['those of clients, and an account of copies', { credentials: 'forward', replication: copies }, 'replication'],
  ];
  for (const [name, more, refused] of rows) {
    const { upstream } = await start(t, {}, {}, more);
    upstream.reportDeniedCredentials('a read was answered 401');
    const { accounts = [], refusal } = upstream.view().credentials;
    t.same(
      accounts.filter((one) => one.refusal).map(({ role }) => role),
      [refused],
      name,
    );
    t.equal(refusal?.reason, refused === 'own' ? 'a read was answered 401' : undefined, name);
  }
});

t.test('a Harbor that does not tell whether it is read-only is not said to take writes', async (t) => {
  const auth = { scheme: 'bearer' as const, users: [], anonymous: ['library/'] };
  const { registry, upstream } = await start(t, { harbor: true, auth }, { kind: 'harbor' });
  await registry.faults.on('readOnly');
  await upstream.start();
  const { modeUnknownSince = Number.POSITIVE_INFINITY, ...view } = upstream.view();
  t.match(view, { state: 'up', gate: { mode: 'accepting' } });
  t.equal(view.readOnly, undefined, 'Harbor tells its users only');
  t.ok(modeUnknownSince <= monotonicNow());
});

t.test('what Harbor said of its read-only mode does not count for ever', async (t) => {
  const { registry, upstream } = await start(
    t,
    { harbor: true },
    { kind: 'harbor', interval: '1h', fastInterval: '1h' },
  );
  await registry.faults.on('readOnly');
  await upstream.start();
  t.match(upstream.view(), { readOnly: true, modeUnknownSince: undefined });
  const told = monotonicNow();
  const now = performance.now();
  const later = mock.method(performance, 'now', () => now + 4 * 3_600_000);
  const { readOnly, modeUnknownSince = 0, state } = upstream.view();
  later.mock.restore();
  t.strictSame([readOnly, state], [undefined, 'up'], 'its API has been silent for long');
  t.ok(modeUnknownSince > 0 && modeUnknownSince <= told, 'since it last told');
});

t.test('a registry that is no Harbor has no such mode', async (t) => {
  const { upstream } = await start(t);
  await upstream.start();
  t.strictSame([upstream.view().readOnly, upstream.view().modeUnknownSince], [undefined, undefined]);
});

t.test('while requests have trouble, probes read more of the canary', async (t) => {
  const { registry, upstream } = await start(t, {}, { interval: '1h', fastInterval: '1h' });
  await upstream.start();
  const replica = upstream.replica(registry.url);
  t.equal(replica?.canary.readsMore(), false);
  const permit = await replica?.startAttempt(
    'data',
    { client: 'ann', repository: 'app' },
    new AbortController().signal,
  );
  permit?.reportFailure('first-byte');
  t.ok(permit);
  await until(() => replica?.canary.readsMore());
});

t.test('without a canary what was served before stands in for it', async (t) => {
  const { registry, upstream } = await start(t, {}, { canary: undefined });
  await upstream.start();
  t.match(upstream.view(), { state: 'up', replicas: [{ canary: 'none' }] });
  const { blobDigests } = registry.seed('library/app', '1', { blobs: [100, 200] });
  for (const digest of blobDigests) upstream.replica(registry.url)?.canary.rememberServed('library/app', digest, 100);
  await until(() => upstream.view().replicas[0]?.canary === 'good');
  await registry.faults.on('storageHung');
  await until(() => upstream.view().state === 'down');
  t.pass('hung storage is seen');
});

t.test('tokens for probes and for traffic, the password in no error', async (t) => {
  const users = [{ username: 'edge', password: 'hunter2' }];
  const credentials = { username: 'edge', passwordFile: 'x' };
  const { registry, upstream } = await start(t, { auth: { scheme: 'bearer', users } }, {}, { credentials });
  await upstream.start();
  t.match(upstream.view(), { state: 'up', replicas: [{ canary: 'good' }] });
  const wrong = new Upstream(
    'wrong',
    upstreamSchema.parse({ urls: [registry.url], probe: { ...PROBE, canary: 'library/canary:latest' }, credentials }),
    { password: 'not-hunter2' },
    { resolver: new Resolver(), pool: new BufferPool() },
    {
      health: () => undefined,
      breaker: () => undefined,
      gate: () => undefined,
      credentials: () => undefined,
      corruptCopy: () => undefined,
      content: () => undefined,
    },
  );
  t.teardown(() => wrong.stop());
  await wrong.start();
  t.equal(wrong.view().state, 'down');
  t.notMatch(JSON.stringify(wrong.view()), /hunter2/);
});

t.test('an Authorization given ahead: learnt once, thrown away when it is refused', async (t) => {
  let pings = 0;
  const server = createServer((_, response) => {
    pings += 1;
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = upstreamSchema.parse({ urls: [url], credentials: { username: 'edge', passwordFile: 'x' } });
  const quiet = {
    health: () => undefined,
    breaker: () => undefined,
    gate: () => undefined,
    credentials: () => undefined,
    corruptCopy: () => undefined,
    content: () => undefined,
  };
  const upstream = new Upstream(
    'open',
    config,
    { password: 'hunter2' },
    { resolver: new Resolver(), pool: new BufferPool() },
    quiet,
  );
  t.teardown(() => upstream.stop());
  const ahead = () =>
    upstream
      .connection(url)
      ?.authorizationForWrite(['repository:a:push'], undefined, AbortSignal.timeout(timeLimit(2000)));
  t.equal(await ahead(), undefined, 'an open registry gets no password');
  t.equal(await ahead(), undefined);
  t.equal(pings, 1, 'and is not asked again each time');
  upstream.connection(url)?.onWriteUnauthorized('Basic realm="x"', ['repository:a:push']);
  t.match(await ahead(), /^Basic /, 'until it says otherwise');
});
