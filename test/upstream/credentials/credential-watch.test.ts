import t, { type Test } from 'tap';
import { configSchema } from '../../../src/config/schema.ts';
import type { LabAuth } from '../../../src/lab/access.ts';
import { type LabRegistry, type LabRegistryOptions, startLabRegistry } from '../../../src/lab/registry.ts';
import { CredentialWatch } from '../../../src/upstream/credentials/credential-watch.ts';
import { BufferPool } from '../../../src/upstream/reader/buffer-pool.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { Upstream } from '../../../src/upstream/upstream.ts';
import { UpstreamError } from '../../../src/upstream/upstream-error.ts';
import { until } from '../../helpers/until.ts';
import { scaleUpstream } from '../../helpers/upstream-times.ts';

const upstreamSchema = configSchema.shape.upstreams.valueType;
const PROBE = {
  interval: '50ms',
  fastInterval: '20ms',
  timeout: '200ms',
  fall: 1,
  rise: 1,
  holdDown: '0s',
  settle: '0s',
};
const USER = { username: 'edge', password: 'hunter2' };
const OWN = { username: 'edge', passwordFile: 'x' };

async function start(t: Test, options: LabRegistryOptions, more: object = {}) {
  const registry = await startLabRegistry(options);
  t.teardown(() => registry.close());
  const news: (string | undefined)[] = [];
  const config = upstreamSchema.parse(scaleUpstream({ urls: [registry.url], probe: PROBE, credentials: OWN, ...more }));
  const network = { resolver: new Resolver(), pool: new BufferPool() };
  const nothing = () => undefined;
  const upstream = new Upstream('harbor', config, { password: 'hunter2' }, network, {
    health: nothing,
    breaker: nothing,
    gate: nothing,
    credentials: (_, detail) => news.push(detail),
    corruptCopy: nothing,
    content: nothing,
  });
  t.teardown(() => upstream.stop());
  await upstream.start();
  return { registry, upstream, news };
}

/** Waits until so many more checks have begun. */
async function checks({ requests }: LabRegistry, count: number, isOne: (url: string) => boolean): Promise<void> {
  const seen = () => requests.filter(({ url, headers }) => isOne(url) && headers.authorization !== undefined).length;
  const before = seen();
  await until(() => seen() >= before + count);
}

const BEARER: LabAuth = { scheme: 'bearer', users: [USER], expiresIn: 3600 };
const isToken = (url: string) => url.startsWith('/token');

t.test('a token that is kept does not hide that its user is gone', async (t) => {
  const users = [{ ...USER }];
  const { registry, upstream, news } = await start(t, { auth: { ...BEARER, users } });
  t.match(upstream.view().credentials, { own: true, refusal: undefined });
  await checks(registry, 2, isToken);
  t.same(news, []);
  users.length = 0;
  await until(() => upstream.view().credentials.refusal);
  const refusal = upstream.view().credentials.refusal;
  t.match(refusal, { total: true, reason: /^the token service at .* answers 401$/ });
  await checks(registry, 2, isToken);
  t.equal(upstream.view().credentials.refusal?.since, refusal?.since);
  t.equal(news.length, 1, 'told once');
  users.push(USER);
  await until(() => !upstream.view().credentials.refusal);
  t.same(news.slice(1), [undefined]);
});

t.test('answers that prove nothing about the credentials', async (t) => {
  const { registry, upstream, news } = await start(t, { auth: BEARER });
  for (const fault of ['emptyChallenge401', 'frozen', 'down'] as const) {
    await registry.faults.on(fault);
    await until(() => upstream.view().state === (fault === 'emptyChallenge401' ? 'up' : 'down'));
    const reads = registry.requests.length;
    if (fault === 'emptyChallenge401') await until(() => registry.requests.length > reads + 40);
    t.match(upstream.view().credentials, { own: true, refusal: undefined }, fault);
    await registry.faults.off(fault);
    await until(() => upstream.view().state === 'up');
  }
  await checks(registry, 1, isToken);
  t.same(news, []);
});

t.test('a registry that asks nobody, one that gets nothing, and one that gets the clients’', async (t) => {
  const open = await start(t, {});
  await until(() => open.registry.requests.length > 40);
  t.match(open.upstream.view().credentials, { own: true, refusal: undefined });
  for (const credentials of ['none', 'forward'] as const) {
    const { upstream, registry, news } = await start(t, { auth: BEARER }, { credentials });
    await until(() => registry.requests.length > 40);
    t.match(upstream.view().credentials, { own: false, refusal: undefined }, credentials);
    t.notOk(
      registry.requests.some(({ url }) => isToken(url)),
      credentials,
    );
    t.same(news, []);
  }
});

t.test('without its database Harbor knows nobody, which says nothing of the key', async (t) => {
  const { registry, upstream, news } = await start(t, { harbor: true }, { probe: { ...PROBE, kind: 'harbor' } });
  await registry.faults.on('unhealthy', { component: 'database' });
  await until(() => upstream.view().unhealthy.length > 0);
  upstream.reportDeniedCredentials('it answers 401');
  t.same({ news, credentials: upstream.view().credentials.refusal }, { news: [], credentials: undefined });
  await registry.faults.off('unhealthy');
  await until(() => upstream.view().unhealthy.length === 0);
  upstream.reportDeniedCredentials('it answers 401');
  t.match(
    { news, refusal: upstream.view().credentials.refusal },
    { news: ['it answers 401'], refusal: { total: false } },
  );
});

t.test('until a check has told, it is unknown whether they are accepted', async (t) => {
  let failure: Error | undefined = new UpstreamError('first-byte', 'it does not answer in time');
  const check = async () => {
    if (failure) throw failure;
  };
  const timing = { timeout: 1000, interval: 1, fastInterval: 1 };
  const watch = new CredentialWatch({ check, timing, onNews: () => undefined });
  t.teardown(() => watch.stop());
  t.match(watch, { acceptedAt: undefined, unknown: { reason: 'not checked yet' } });
  await watch.start();
  t.match(watch, { acceptedAt: undefined, unknown: { since: Number, reason: 'it does not answer in time' } });
  failure = undefined;
  await until(() => watch.acceptedAt !== undefined);
  t.equal(watch.unknown, undefined);
  const none = new CredentialWatch({ check: undefined, timing, onNews: () => undefined });
  await none.start();
  t.match(none, { acceptedAt: undefined, unknown: undefined });
});
