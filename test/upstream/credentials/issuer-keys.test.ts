import type { JWK } from 'jose';
import t from 'tap';
import { fetchKeySet, IssuerKeys, usableKeys } from '../../../src/upstream/credentials/issuer-keys.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { SigningKey, serveKeys } from '../../helpers/json-web-keys.ts';

t.test('only keys that verify signatures of one algorithm are used', async (t) => {
  const rsa = { kty: 'RSA', n: 'x', e: 'AQAB' };
  const cases: [key: unknown, alg: string | undefined][] = [
    [rsa, 'RS256'],
    [{ ...rsa, alg: 'PS512', use: 'sig' }, 'PS512'],
    [{ kty: 'EC', crv: 'P-256' }, 'ES256'],
    [{ kty: 'EC', crv: 'P-384' }, 'ES384'],
    [{ kty: 'OKP', crv: 'Ed25519' }, 'EdDSA'],
    [{ ...rsa, use: 'enc' }, undefined],
    [{ ...rsa, alg: 'RSA-OAEP' }, undefined],
    [{ ...rsa, alg: 'HS256' }, undefined],
    [{ ...rsa, alg: 'none' }, undefined],
    [{ kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' }, undefined],
    [{ kty: 'oct', k: 'c2VjcmV0' }, undefined],
    [{ kty: 'EC', crv: 'secp256k1' }, undefined],
    [{ kty: 'OKP', crv: 'X25519' }, undefined],
    [{ kty: 'constructor' }, undefined],
    [{}, undefined],
    [null, undefined],
    ['key', undefined],
  ];
  for (const [key, alg] of cases) t.equal(usableKeys({ keys: [key] })[0]?.alg, alg, JSON.stringify(key));
  for (const set of [undefined, null, 'x', {}, { keys: 'x' }, { keys: [] }]) t.same(usableKeys(set), []);
  t.equal(usableKeys({ keys: Array(1000).fill(rsa) }).length, 100);
});

t.test('keys are kept, fetched again when they are old, and outlive their issuer', async (t) => {
  const { publicKey } = await SigningKey.make('a');
  let now = 0;
  let fetched = 0;
  let says: () => Promise<unknown> = async () => ({ keys: [publicKey] });
  const told: (string | undefined)[] = [];
  const keys = new IssuerKeys({
    now: () => now,
    onChange: (failure) => told.push(failure),
    fetch: () => {
      fetched += 1;
      return says();
    },
  });
  const settled = () => new Promise(setImmediate);
  says = () => Promise.reject(new Error('down'));
  t.equal(await keys.current(), undefined);
  says = async () => ({ keys: [publicKey] });
  t.equal(await keys.current(), undefined, 'not asked at each login');
  t.equal(fetched, 1);
  now += 30_000;
  const [first, same] = await Promise.all([keys.current(), keys.current()]);
  t.ok(first);
  t.equal(first, same);
  t.equal(fetched, 2, 'by one request');
  for (const bad of [() => Promise.reject(new Error('down')), async () => ({ keys: [] }), async () => '<html>']) {
    says = bad;
    now += 300_000;
    t.equal(await keys.current(), first, 'no login waits');
    await settled();
    t.equal(await keys.current(), first);
  }
  t.equal(fetched, 5);
  now += 30_000;
  t.equal(await keys.renewed(), undefined, 'there is nothing newer');
  t.equal(fetched, 6);
  says = async () => ({ keys: [publicKey] });
  for (let tokens = 0; tokens < 100; tokens += 1) t.equal(await keys.renewed(), undefined);
  t.equal(fetched, 6, 'tokens with unknown keys cost no more');
  now += 30_000;
  t.not(await keys.renewed(), undefined);
  t.equal(fetched, 7);
  t.same(told, ['down', undefined, 'down', undefined], 'each change is told once');
});

t.test('a key set is fetched with bounds, and from where the operator said', async (t) => {
  const { publicKey } = await SigningKey.make('a');
  const server = await serveKeys(t, [publicKey]);
  const fetch = () => fetchKeySet(new URL(server.url), undefined, new Resolver());
  t.match(await fetch(), { keys: [{ kid: 'a' }] as JWK[] });
  for (const status of [302, 404, 500]) {
    server.answer.status = status;
    await t.rejects(fetch(), { message: new RegExp(`answers ${status}`) });
  }
  t.equal(server.asked(), 4, 'redirects are not followed');
  Object.assign(server.answer, { status: 200, body: JSON.stringify({ keys: [publicKey], x: 'x'.repeat(300_000) }) });
  await t.rejects(fetch(), { message: /longer than 262144 bytes/ });
});
