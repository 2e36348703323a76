import { createHmac } from 'node:crypto';
import { createLocalJWKSet, SignJWT } from 'jose';
import t from 'tap';
import { JwtIssuers } from '../../src/auth/jwt-issuers.ts';
import { usableKeys } from '../../src/upstream/credentials/issuer-keys.ts';
import { AUDIENCE, ISSUER, SigningKey, SUBJECT } from '../helpers/json-web-keys.ts';

const NOW = Date.now();
const old = await SigningKey.make('old');
const rsa = await SigningKey.make('rsa', 'RS256');
const next = await SigningKey.make('next');
const strange = await SigningKey.make('old');
/** The time stands still, however long the test takes. */
const sign = (key: SigningKey, claims: Record<string, unknown> = {}, header: object = {}) =>
  key.sign(claims, header, NOW);
const set = (...keys: SigningKey[]) =>
  createLocalJWKSet({ keys: usableKeys({ keys: keys.map((key) => key.publicKey) }) });

/** @param answers what `current` and `renewed` say */
function made({
  current = set(old, rsa),
  renewed,
}: {
  current?: ReturnType<typeof set> | 'none';
  renewed?: ReturnType<typeof set>;
} = {}) {
  let renewals = 0;
  const keys = {
    current: async () => (current === 'none' ? undefined : current),
    renewed: async () => {
      renewals += 1;
      return renewed;
    },
  };
  const issuers = new JwtIssuers([{ issuer: ISSUER, audience: [AUDIENCE, 'other'], keys }], () => ({
    monotonic: 0,
    wall: NOW,
  }));
  return { issuers, state: async (token: string) => (await issuers.prove(token))?.state, renewals: () => renewals };
}

const b64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const seconds = Math.floor(NOW / 1000);

t.test('a good token says who holds it', async (t) => {
  const { issuers } = made();
  for (const key of [old, rsa]) {
    const proof = await issuers.prove(await sign(key));
    t.match(proof, { state: 'valid', issuer: ISSUER, subject: SUBJECT, expires: (seconds + 3600) * 1000 });
    if (proof) t.ok(Math.abs(issuers.leftMs(proof) - 3_600_000) < 2000);
  }
  t.equal((await issuers.prove(await sign(old, { aud: 'other' })))?.state, 'valid', 'one audience of two');
});

t.test('what proves nothing', async (t) => {
  const { state } = made();
  const good = await sign(old);
  const [header = '', payload = '', signature = ''] = good.split('.');
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: SUBJECT, exp: seconds + 3600 };
  const pem = JSON.stringify(rsa.publicKey);
  const hmac = `${b64({ alg: 'HS256', kid: 'rsa' })}.${b64(claims)}`;
  const cases: [name: string, token: string, state: string][] = [
    ['expired', await sign(old, { exp: seconds - 60 }), 'expired'],
    ['expired, within the skew of clocks', await sign(old, { exp: seconds - 10 }), 'valid'],
    ['not yet valid', await sign(old, { nbf: seconds + 60 }), 'expired'],
    ['not yet valid, signed by another key', await sign(strange, { nbf: seconds + 60 }), 'invalid'],
    ['not yet valid, for another audience', await sign(old, { nbf: seconds + 60, aud: 'vault' }), 'invalid'],
    ['without a readable nbf', await sign(old, { nbf: 'soon' }), 'invalid'],
    ['of a name with a line break', await sign(old, { sub: 'a\nb' }), 'invalid'],
    ['not yet, within the skew', await sign(old, { nbf: seconds + 10 }), 'valid'],
    ['for another audience', await sign(old, { aud: 'vault' }), 'invalid'],
    ['for no audience', await sign(old, { aud: undefined }), 'invalid'],
    ['for ever', await sign(old, { exp: undefined }), 'invalid'],
    ['of nobody', await sign(old, { sub: undefined }), 'invalid'],
    ['of an empty name', await sign(old, { sub: '' }), 'invalid'],
    ['of a long name', await sign(old, { sub: 'x'.repeat(600) }), 'invalid'],
    ['changed', `${header}.${b64({ ...claims, sub: 'root' })}.${signature}`, 'invalid'],
    ['without a signature', `${b64({ alg: 'none' })}.${payload}.${signature}`, 'invalid'],
    ['alg none, and the kid', `${b64({ alg: 'none', kid: 'old' })}.${payload}.AA`, 'invalid'],
    ['signed by another key of that name', await sign(strange), 'invalid'],
    [
      'signed with the public key as a secret',
      `${hmac}.${createHmac('sha256', pem).update(hmac).digest('base64url')}`,
      'invalid',
    ],
    [
      'HS256',
      await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'old' }).sign(Buffer.alloc(32, 1)),
      'invalid',
    ],
    [
      'another algorithm than that of its key',
      `${b64({ alg: 'RS512', kid: 'rsa' })}.${payload}.${signature}`,
      'unknown',
    ],
    [
      'a critical extension',
      `${b64({ alg: 'ES256', kid: 'old', crit: ['x'], x: 1 })}.${payload}.${signature}`,
      'invalid',
    ],
    ['a key of its own', await sign(strange, {}, { jwk: strange.publicKey }), 'invalid'],
    ['long', await sign(old, { x: 'x'.repeat(16_384) }), 'invalid'],
  ];
  for (const [name, token, expected] of cases) {
    const found = await state(token);
    t.equal(found, expected, name);
    if (!name.includes('within')) t.not(found, 'valid');
  }
});

t.test('what is none of its business', async (t) => {
  const { issuers, state } = made();
  for (const text of [
    '',
    'hunter2',
    'a.b.c',
    await sign(old, { iss: 'https://other' }),
    await sign(old, { iss: undefined }),
    '..',
    `${b64({})}.x.y`,
  ]) {
    t.equal(await state(text), undefined);
    t.notOk(issuers.claims(text));
  }
  t.ok(issuers.claims(await sign(strange)), 'though it may be forged');
  t.equal(await new JwtIssuers([]).prove(await sign(old)), undefined);
});

t.test('an unknown key is looked for once', async (t) => {
  const token = await sign(next);
  const found = made({ renewed: set(old, next) });
  t.equal(await found.state(token), 'valid');
  t.equal(found.renewals(), 1);
  const away = made({ renewed: set(old) });
  t.equal(await away.state(token), 'invalid', 'the issuer does not know it');
  t.equal(await made().state(token), 'unknown', 'the issuer does not answer');
  t.equal(await made({ current: 'none' }).state(token), 'unknown', 'it never did');
});

t.test('a token that names no key', async (t) => {
  const nameless = { kid: undefined };
  const tokens = await Promise.all([old, next, rsa].map((key) => sign(key, {}, nameless)));
  const all = made({ current: set(old, next, rsa) });
  for (const token of tokens) t.equal(await all.state(token), 'valid', 'each matching key is tried');
  t.equal(await all.state(await sign(next, { exp: seconds - 60 }, nameless)), 'expired');
  t.equal(await all.state(await sign(next, { aud: 'vault' }, nameless)), 'invalid');
  t.equal(all.renewals(), 0);

  const forged = await sign(strange, {}, nameless);
  t.equal(await all.state(forged), 'unknown', 'the issuer may have a new key, and does not answer');
  t.equal(await made({ renewed: set(old, rsa) }).state(forged), 'invalid');
  for (const renewed of [set(strange), set(old, strange)])
    t.equal(await made({ current: set(old), renewed }).state(forged), 'valid', 'the issuer has a new key');
});

t.test('a set of many keys costs no more than a few tries', async (t) => {
  const others = await Promise.all(Array.from({ length: 8 }, (_, at) => SigningKey.make(`other${at}`)));
  const { state } = made({ current: set(...others, old), renewed: set(...others, old) });
  t.equal(await state(await sign(old, {}, { kid: undefined })), 'unknown');
  t.equal(await state(await sign(old)), 'valid', 'with its name, a key is found at once');
});
