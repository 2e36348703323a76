import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { AcmePair } from '../../src/acme/acme-folder.ts';
import { AcmeKeeper, type AcmeKeeperOptions } from '../../src/acme/acme-keeper.ts';
import { makeLeaf } from '../../src/certificates/certificate-maker.ts';
import { acmeSchema } from '../../src/config/acme-schema.ts';
import { SharedAcme } from '../../src/peer/shared-acme.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { until } from '../helpers/until.ts';

const DAY = 86_400_000;
const NAMES = ['cr.test'];

interface Order {
  challenge: 'presented' | 'none';
}

/** A keeper on a clock of its own, before an ACME server that issues certificates for 90 days. */
function keeperOf(t: Test, changes: Partial<AcmeKeeperOptions> & { clock: { now: number } }) {
  const { clock, ...options } = changes;
  const orders: Order[] = [];
  const used: AcmePair[] = [];
  const events: string[] = [];
  const keeper = new AcmeKeeper({
    config: acmeSchema.parse({ agreeToTerms: true, dir: 'acme' }),
    names: NAMES,
    folder: undefined,
    ca: undefined,
    hasPeers: () => false,
    now: () => clock.now,
    onCertificate: (pair) => used.push(pair),
    onEvent: (_level, _facts, text) => events.push(text),
    peersHearMs: 1,
    order: async ({ onOrder, accountKey, present, settled }) => {
      await accountKey(async () => 'the key of the account');
      await onOrder();
      await present({ token: 'token', answer: 'token.print', record: '_acme-challenge.cr.test' });
      await settled();
      orders.push({ challenge: keeper.state.answerFor('token') === 'token.print' ? 'presented' : 'none' });
      return await issued(clock.now);
    },
    ...options,
  });
  t.teardown(() => keeper.stop());
  return { keeper, orders, used, events };
}

function issued(now: number, names = NAMES): Promise<AcmePair> {
  return makeLeaf({ names, from: new Date(now - 1000), until: new Date(now + 90 * DAY) });
}

t.test('the first certificate is ordered, kept, and there after a restart', async (t) => {
  const folder = join(temporaryFolder(t), 'acme');
  const clock = { now: Date.now() };
  const { keeper, orders, used } = keeperOf(t, { clock, folder });
  await keeper.load();
  t.equal(keeper.view().state, 'none');
  keeper.start();
  await until(() => keeper.view().state === 'valid', { what: () => 'a certificate' });
  t.strictSame(orders, [{ challenge: 'presented' }]);
  t.equal(used.length, 1);
  for (const name of readdirSync(folder)) t.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  t.strictSame(readdirSync(folder).sort(), [
    'account.acme-v02.api.letsencrypt.org.5e76d315.key',
    'certificate.pem',
    'orders.json',
  ]);
  const again = keeperOf(t, { clock, folder });
  await again.keeper.load();
  again.keeper.start();
  await until(() => again.keeper.view().state === 'valid', { what: () => 'the kept certificate' });
  t.equal(again.orders.length, 0, 'nothing is ordered again');
  t.strictSame(again.keeper.state.pair?.cert.trim(), used[0]?.cert.trim());
  t.equal(again.keeper.view().orders, 1, 'and the order still counts');
  again.keeper.state.merge(keeper.state.knownOrders.map((order) => ({ kind: 'order', ...order })));
  t.equal(again.keeper.view().orders, 1, 'once, also if another edge tells it');
});

t.test('an order that fails leaves the old certificate, and is counted', async (t) => {
  const folder = join(temporaryFolder(t), 'acme');
  const clock = { now: Date.now() };
  const first = keeperOf(t, { clock, folder });
  await first.keeper.load();
  first.keeper.start();
  await until(() => first.used.length === 1 && first.keeper.view().state === 'valid', { what: () => 'a certificate' });
  const old = first.keeper.state.pair;
  first.keeper.stop();
  clock.now += 70 * DAY;
  const fails = keeperOf(t, {
    clock,
    folder,
    order: async ({ onOrder }) => {
      await onOrder();
      throw new Error('the ACME server is closed \u001b[31m');
    },
  });
  await fails.keeper.load();
  fails.keeper.start();
  await until(() => fails.keeper.view().failures === 1, { what: () => 'a failure' });
  await until(() => fails.keeper.view().waits === 'backoff', { what: () => 'the wait' });
  t.match(fails.keeper.view(), { state: 'renewing', orders: 1, lastError: 'the ACME server is closed  [31m' });
  t.strictSame(fails.keeper.state.pair?.cert.trim(), old?.cert.trim());
  t.equal(fails.used.length, 0);
  t.equal(JSON.parse(readFileSync(join(folder, 'orders.json'), 'utf8')).orders.length, 1);
});

t.test('what the folder cannot tell counts as much as there may have been', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'orders.json'), '{"orders": [1');
  const { keeper, orders } = keeperOf(t, { clock: { now: Date.now() }, folder });
  await keeper.load();
  keeper.start();
  await until(() => keeper.view().waits === 'weekly', { what: () => 'no order' });
  t.equal(orders.length, 0);
  writeFileSync(join(folder, 'certificate.pem'), 'half a certif');
  const broken = keeperOf(t, { clock: { now: Date.now() }, folder });
  await broken.keeper.load();
  t.equal(broken.keeper.view().state, 'none');
  const nowhere = keeperOf(t, { clock: { now: Date.now() }, folder: join(folder, 'orders.json', 'x') });
  await t.rejects(nowhere.keeper.load(), { message: / cannot be used: .*ENOTDIR/ });
});

t.test('orders of a clock that was ahead come to an end', async (t) => {
  const folder = temporaryFolder(t);
  const clock = { now: Date.now() };
  const ahead = clock.now + 3650 * DAY;
  const kept = ['0011223344556677', '8899aabbccddeeff'].map((id) => ({ id, at: ahead }));
  writeFileSync(join(folder, 'orders.json'), JSON.stringify({ orders: kept }));
  const { keeper, orders } = keeperOf(t, { clock, folder });
  await keeper.load();
  t.strictSame(
    JSON.parse(readFileSync(join(folder, 'orders.json'), 'utf8')).orders,
    kept.map(({ id }) => ({ id, at: clock.now })),
  );
  keeper.state.addOrder('00112233aabbccdd', ahead);
  t.equal(keeper.state.orders.length, 3);
  clock.now += 8 * DAY;
  t.strictSame(keeper.state.orders, []);
  keeper.start();
  await until(() => orders.length === 1, { what: () => 'an order' });
});

t.test('a certificate without all names is not taken', async (t) => {
  const clock = { now: Date.now() };
  const wrong = keeperOf(t, {
    ...{ clock, folder: join(temporaryFolder(t), 'acme') },
    order: () => issued(clock.now, ['other.test']),
  });
  await wrong.keeper.load();
  wrong.keeper.start();
  await until(() => wrong.keeper.view().failures === 1, { what: () => 'a failure' });
  t.match(wrong.keeper.view().lastError, /lacks a name/);
  t.equal(wrong.used.length, 0);
});

t.test('a certificate of another ACME server is replaced, and served until then', async (t) => {
  const folder = join(temporaryFolder(t), 'acme');
  const clock = { now: Date.now() };
  const at = (directory: string) => acmeSchema.parse({ agreeToTerms: true, dir: 'acme', directory });
  const staging = keeperOf(t, { clock, folder, config: at('https://staging.test/dir') });
  await staging.keeper.load();
  staging.keeper.start();
  await until(() => staging.keeper.view().state === 'valid', { what: () => 'the first certificate' });
  staging.keeper.stop();
  // The certificate of the other server ends earlier.
  clock.now -= 5 * DAY;
  let open = false;
  const production = keeperOf(t, {
    ...{ clock, folder, config: at('https://production.test/dir') },
    order: async ({ onOrder, accountKey }) => {
      if (!open) throw new Error('the ACME server is closed');
      t.equal(await accountKey(async () => 'another account'), 'another account', 'an account is of one server');
      await onOrder();
      return await issued(clock.now);
    },
  });
  await production.keeper.load();
  const old = staging.keeper.state.pair?.cert.trim();
  t.equal(production.keeper.state.pair?.cert.trim(), old, 'it is served');
  production.keeper.start();
  await until(() => production.keeper.view().waits === 'backoff', { what: () => 'an attempt' });
  t.match(production.keeper.view(), { state: 'renewing', lacks: 'directory', failures: 1 });
  t.equal(production.keeper.state.pair?.cert.trim(), old);
  open = true;
  production.keeper.orderNow();
  await until(() => production.keeper.view().state === 'valid', { what: () => 'the certificate of production' });
  t.not(production.used[0]?.cert.trim(), old);
  t.equal(production.keeper.view().lacks, undefined);
  production.keeper.stop();
  t.match(
    readFileSync(join(folder, 'certificate.pem'), 'utf8'),
    /^directory: https:\/\/production\.test\/dir\n-----BEGIN CERT/,
  );
  t.equal(readdirSync(folder).filter((name) => name.endsWith('.key')).length, 2);
  const again = keeperOf(t, { clock, folder, config: at('https://production.test/dir') });
  await again.keeper.load();
  again.keeper.start();
  await until(() => again.keeper.view().state === 'valid', { what: () => 'the kept certificate' });
  t.equal(again.orders.length, 0);
});

t.test('a certificate of an unknown ACME server is replaced', async (t) => {
  const folder = temporaryFolder(t);
  const clock = { now: Date.now() };
  const { cert, key } = await issued(clock.now);
  writeFileSync(join(folder, 'certificate.pem'), `${cert}${key}`);
  const { keeper, orders } = keeperOf(t, { clock, folder });
  await keeper.load();
  t.equal(keeper.state.pair?.key.trim(), key.trim());
  keeper.start();
  await until(() => keeper.view().state === 'valid', { what: () => 'another certificate' });
  t.equal(orders.length, 1);
});

t.test('an operator orders past the schedule, once', async (t) => {
  const clock = { now: Date.now() };
  let fails = true;
  const { keeper, orders } = keeperOf(t, {
    ...{ clock, folder: join(temporaryFolder(t), 'acme') },
    order: async ({ onOrder }) => {
      if (fails) throw new Error('the ACME server does not answer');
      await onOrder();
      orders.push({ challenge: 'none' });
      return await issued(clock.now);
    },
  });
  await keeper.load();
  for (const id of ['0011223344556677', '8899aabbccddeeff']) keeper.state.addOrder(id, clock.now);
  keeper.start();
  await until(() => keeper.view().waits === 'weekly', { what: () => 'the week' });
  t.strictSame(keeper.orderNow(), { names: NAMES, by: 'this-edge' });
  await until(() => keeper.view().failures === 1 && keeper.view().waits === 'weekly', { what: () => 'one attempt' });
  fails = false;
  keeper.orderNow();
  await until(() => keeper.view().state === 'valid', { what: () => 'a certificate' });
  t.equal(orders.length, 1);
  t.equal(keeper.view().orders, 3, 'it counts like any other');
  t.equal(keeper.state.wish, undefined);
  clock.now += 1000;
  keeper.orderNow();
  await until(() => orders.length === 2 && keeper.view().state === 'valid', { what: () => 'another certificate' });
});

t.test('what an operator asked for is placed by one edge', async (t) => {
  const clock = { now: Date.now() };
  const peers = { hasPeers: () => true };
  const [one, two, third] = [
    keeperOf(t, { clock, ...peers, folder: join(temporaryFolder(t), 'acme') }),
    keeperOf(t, { clock, ...peers, folder: join(temporaryFolder(t), 'acme') }),
    keeperOf(t, { clock, ...peers }),
  ];
  const edges = [one, two, third];
  const stores = edges.map(({ keeper }) => new SharedAcme(keeper.state, () => clock.now));
  const exchange = () => {
    for (const from of stores) for (const to of stores) if (from !== to) to.merge(from.since(0, 1000, 0).entries, 0);
  };
  for (const { keeper } of edges) await keeper.load();
  for (const id of ['0011223344556677', '8899aabbccddeeff']) one.keeper.state.addOrder(id, clock.now);
  exchange();
  for (const { keeper } of edges) keeper.start();
  await until(() => [one, two].every(({ keeper }) => keeper.view().waits === 'weekly'), { what: () => 'the week' });
  // At the edge that orders nothing itself.
  t.strictSame(third.keeper.orderNow(), { names: NAMES, by: 'site' });
  exchange();
  await until(() => one.keeper.state.claims.length === 1 && two.keeper.state.claims.length === 1, {
    what: () => 'both to claim',
  });
  exchange();
  clock.now += 11_000;
  await until(
    () => {
      exchange();
      return edges.every(({ used }) => used.length === 1);
    },
    { what: () => 'all to have the certificate' },
  );
  t.equal(one.orders.length + two.orders.length, 1, 'one order');
  for (const { keeper } of edges) t.equal(keeper.state.wish, undefined);
  one.keeper.state.claim({ edge: '0011223344556677', at: clock.now, ordering: true });
  t.strictSame(one.keeper.orderNow(), { names: NAMES, by: 'under-way' });
});

t.test('one of two edges orders; both answer the challenge and serve the certificate', async (t) => {
  const clock = { now: Date.now() };
  const peers = { hasPeers: () => true };
  const [one, two, third] = [
    keeperOf(t, { clock, ...peers, folder: join(temporaryFolder(t), 'acme') }),
    keeperOf(t, { clock, ...peers, folder: join(temporaryFolder(t), 'acme') }),
    keeperOf(t, { clock, ...peers }),
  ];
  const edges = [one, two, third];
  const stores = edges.map(({ keeper }) => new SharedAcme(keeper.state, () => clock.now));
  const exchange = () => {
    for (const from of stores) for (const to of stores) if (from !== to) to.merge(from.since(0, 1000, 0).entries, 0);
  };
  for (const { keeper } of edges) await keeper.load();
  for (const { keeper } of edges) keeper.start();
  await until(() => one.keeper.state.claims.length === 1 && two.keeper.state.claims.length === 1, {
    what: () => 'both to claim',
  });
  exchange();
  clock.now += 11_000;
  await until(
    () => {
      exchange();
      return edges.every(({ used }) => used.length === 1);
    },
    { what: () => 'all to have the certificate' },
  );
  t.equal(one.orders.length + two.orders.length, 1, 'one order');
  for (const { keeper } of edges) {
    t.equal(keeper.state.answerFor('token'), 'token.print', 'any edge answers');
    t.equal(keeper.view().orders, 1);
  }
  t.equal(third.keeper.state.pair?.key, one.keeper.state.pair?.key);
});
