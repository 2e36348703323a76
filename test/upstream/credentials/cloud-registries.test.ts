import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { upstreamSchema } from '../../../src/config/upstream-schema.ts';
import { Connection } from '../../../src/upstream/connection.ts';
import { CredentialSources } from '../../../src/upstream/credentials/credential-sources.ts';
import { BufferPool } from '../../../src/upstream/reader/buffer-pool.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { type CloudKind, type CloudRegistry, startCloudRegistry } from '../../helpers/cloud-registry.ts';
import { environmentWith, helperFolder } from '../../helpers/credential-helper.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';

const USERS: Record<CloudKind, string> = { ecr: 'AWS', 'artifact-registry': 'oauth2accesstoken', acr: '<token>' };

interface Opened {
  registry: CloudRegistry;
  /** The helper prints what this file has. */
  secret: (text: string) => void;
  runs: () => number;
  connection: Connection;
  news: string[];
  connect: () => Connection;
}

/** A registry behind a helper that prints the content of a file. @param first what it has at first */
async function open(t: Test, kind: CloudKind, renewEvery = '1h', first = 'first'): Promise<Opened> {
  const registry = await startCloudRegistry(t, kind);
  const folder = temporaryFolder(t);
  const file = join(folder, 'secret');
  const runsFile = join(folder, 'runs');
  const secret = (text: string) => writeFileSync(file, text);
  secret(first);
  writeFileSync(runsFile, '');
  const script = `echo x >> ${runsFile}; cat >/dev/null
printf '{"ServerURL":"x","Username":"${USERS[kind]}","Secret":"%s"}' "$(cat ${file})"`;
  const environment = environmentWith(helperFolder(t, { cloud: script }));
  const news: string[] = [];
  const sources = new CredentialSources({
    environment,
    onNews: (name, problem) => news.push(`${name}: ${problem ?? 'good'}`),
  });
  const config = upstreamSchema.parse({ urls: [registry.url], credentials: { helper: 'cloud', renewEvery } });
  const connect = () => {
    const made = new Connection(
      registry.url,
      config,
      {},
      { resolver: new Resolver(), pool: new BufferPool(), sources },
    );
    t.teardown(() => made.close());
    return made;
  };
  const runs = () => readFileSync(runsFile, 'utf8').length / 2;
  return { registry, secret, runs, connection: connect(), news, connect };
}

async function list(connection: Connection): Promise<number> {
  const { status, body } = await connection.send({
    method: 'GET',
    path: '/v2/library/app/tags/list',
    headers: {},
    scopes: ['repository:library/app:pull'],
    signal: AbortSignal.timeout(20_000),
    redirects: 'pass',
  });
  await body.dump();
  return status;
}

for (const kind of Object.keys(USERS) as CloudKind[])
  t.test(`${kind}: what the helper gives opens the registry, and is renewed ahead`, async (t) => {
    const { registry, secret, connection } = await open(t, kind, '1s');
    t.equal(await list(connection), 200);
    t.equal(await list(connection), 200);
    secret('second');
    registry.secret = 'second';
    const isServed = async () => (await list(connection).catch(() => 0)) === 200;
    await until(isServed, { every: 50, what: () => 'the second secret to be used' });
    const [question] = registry.questions;
    if (kind === 'acr') {
      t.equal(question?.method, 'POST');
      t.equal(question?.basic, undefined, 'a refresh token is no password');
      t.equal(question?.form.get('scope'), 'repository:library/app:pull');
      t.equal(question?.form.get('client_id'), 'breakwater');
      const two = ['repository:a:pull,push', 'repository:b:pull'];
      await connection.authorizationForWrite(two, undefined, AbortSignal.timeout(20_000));
      t.strictSame(registry.questions.at(-1)?.form.getAll('scope'), [two.join(' ')], 'one list (OAuth2)');
    }
    if (kind === 'artifact-registry') t.match(question, { method: 'GET', basic: /^Basic / });
    if (kind === 'ecr') t.strictSame(registry.questions, [], 'Basic needs no token service');
  });

t.test('connections share one source, and the last one ends it', async (t) => {
  const { connection, connect, runs } = await open(t, 'ecr');
  const other = connect();
  t.equal(await list(connection), 200);
  t.equal(await list(other), 200);
  t.equal(runs(), 1);
  await connection.close();
  await connection.close();
  const third = connect();
  await third.ready();
  t.equal(runs(), 1, 'it is still held');
  await Promise.all([other.close(), third.close()]);
  const again = connect();
  t.equal(await list(again), 200);
  t.equal(runs(), 2, 'it had ended');
});

t.test('without credentials nothing is sent, and the reason is told', async (t) => {
  const { registry, secret, connection, news } = await open(t, 'ecr', '1s', '');
  const signal = AbortSignal.timeout(20_000);
  const denied = {
    reason: 'credentials',
    message: /^there are no credentials yet: docker-credential-cloud printed no JSON/,
  };
  await t.rejects(list(connection), denied, 'a read');
  const at = '/v2/library/app/blobs/uploads/';
  await t.rejects(
    connection.write({ method: 'POST', at, headers: {}, body: Buffer.alloc(0), scopes: [], signal }),
    denied,
  );
  await t.rejects(connection.authorizationForWrite([], 'Basic of-a-client', signal), denied, 'a push');
  const probe = { method: 'GET', path: '/v2/', headers: {}, scopes: [], signal, redirects: 'pass' } as const;
  await t.rejects(connection.sendProbe(probe), denied, 'a probe');
  t.strictSame(registry.requests, []);
  t.match(news, [/^docker-credential-cloud: docker-credential-cloud printed no JSON/]);
  secret('first');
  await until(async () => (await list(connection).catch(() => 0)) === 200, { every: 50, what: () => 'credentials' });
  t.equal(news[1], 'docker-credential-cloud: good');
});

t.test('the account tells how its renewal goes', async (t) => {
  const { connection, secret } = await open(t, 'ecr', '1s');
  await connection.ready();
  t.match(connection.accountRenewal('own'), { givenAt: Number, problem: undefined });
  t.equal(connection.accountRenewal('probe'), undefined);
  t.equal(await connection.accountExpiry('own', AbortSignal.timeout(1000)), undefined, 'nobody has to renew it');
  secret('');
  await until(() => connection.accountRenewal('own')?.problem !== undefined, { every: 20, what: () => 'the problem' });
  t.equal(await list(connection), 200, 'the last one stays in use');
});
