import { createHash, hkdfSync } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { CompactEncrypt, SignJWT } from 'jose';
import t from 'tap';
import { type Claims, TokenSealer } from '../../src/auth/token-sealer.ts';
import { Sealer } from '../../src/proxy/request/sealer.ts';
import { Clock, SECRET } from './made-tokens.ts';

const OTHER = Buffer.from('another secret that is as long as that');
const unreadable = { refused: 'unreadable' };

function claimsAt({ now }: Clock, more: Partial<Claims> = {}): Claims {
  const access = [{ type: 'repository', name: 'library/app', actions: ['pull'] }];
  const times = { issued: now, expires: now + 3_600_000 };
  return { use: 'access', user: 'ann', service: 'edge', access, basis: 'b', ...times, ...more };
}

function boxAt(clock: Clock, ...secrets: Buffer[]): TokenSealer {
  return new TokenSealer(secrets.length > 0 ? secrets : [SECRET], clock.read);
}

t.test('what was sealed is read back, by any edge with the key', async (t) => {
  const clock = new Clock();
  const rows: Claims[] = [
    claimsAt(clock),
    claimsAt(clock, { use: 'refresh', access: [] }),
    claimsAt(clock, { user: undefined }),
    claimsAt(clock, { user: 'robot$ä"\\', service: 'host:5000' }),
    claimsAt(clock, { access: [{ type: 'registry', name: 'catalog', actions: ['*'] }] }),
    claimsAt(clock, { access: [{ type: 'repository', name: 'host:5000/a', actions: ['pull', 'push'] }] }),
  ];
  for (const claims of rows) {
    const token = await boxAt(clock).seal(claims);
    const box = boxAt(clock);
    t.equal(box.peekOpened(token), undefined);
    t.strictSame(await box.open(token), { claims });
    t.strictSame(box.peekOpened(token), { claims }, 'the second time it is known');
    t.strictSame(await box.open(token), { claims });
  }
});

t.test('nothing of a token shows', async (t) => {
  const token = await boxAt(new Clock()).seal(claimsAt(new Clock(), { user: 'ann-of-the-ci' }));
  const shown = token
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
    .join();
  t.notMatch(shown, /ann-of-the-ci|library/);
});

t.test('twenty scopes with the longest names stay under 8 KB', async (t) => {
  const clock = new Clock();
  const scope = (index: number) => ({
    type: 'repository',
    name: String(index).padStart(255, 'abcd-'),
    actions: ['pull', 'push', 'delete'],
  });
  const token = await boxAt(clock).seal(
    claimsAt(clock, { access: Array.from({ length: 20 }, (_, one) => scope(one)) }),
  );
  t.ok(token.length < 8192, `${token.length} bytes`);
  t.match(await boxAt(clock).open(token), { claims: { user: 'ann' } });
});

t.test('a change of any part is seen', async (t) => {
  const clock = new Clock();
  const box = boxAt(clock);
  const token = await box.seal(claimsAt(clock));
  const parts = token.split('.');
  t.equal(parts.length, 5);
  for (const [index, part] of parts.entries()) {
    for (const at of [0, Math.floor(part.length / 2)]) {
      const other = part[at] === 'A' ? 'B' : 'A';
      const changed = parts.with(index, `${part.slice(0, at)}${other}${part.slice(at + 1)}`).join('.');
      t.strictSame(await box.open(changed), unreadable, `part ${index} at ${at}`);
    }
    if (part === '') continue;
    t.strictSame(await box.open(parts.with(index, '').join('.')), unreadable, `part ${index} left out`);
    t.strictSame(await box.open(parts.with(index, part.slice(0, -4)).join('.')), unreadable, `part ${index} cut`);
  }
  for (const text of ['', '.', '....', 'x', `${token}.`, `.${token}`, parts.slice(0, 4).join('.'), `${token}.${token}`])
    t.strictSame(await box.open(text), unreadable, JSON.stringify(text.slice(0, 20)));
  t.match(await box.open(token), { claims: {} }, 'the token itself is good');
});

t.test('parts of two tokens make no third one', async (t) => {
  const clock = new Clock();
  const box = boxAt(clock);
  const [one, other] = [await box.seal(claimsAt(clock)), await box.seal(claimsAt(clock, { user: 'bob' }))];
  const parts = other.split('.');
  for (const index of [2, 3, 4])
    t.strictSame(
      await box.open(
        one
          .split('.')
          .with(index, parts[index] ?? '')
          .join('.'),
      ),
      unreadable,
      `part ${index}`,
    );
});

/** The key of the box and its id, made anew: what an edge of another make with the same file would have. */
function keyOf(secret: Buffer): { key: Uint8Array; kid: string } {
  const key = new Uint8Array(hkdfSync('sha256', secret, '', 'breakwater tokens 1', 32));
  return { key, kid: createHash('sha256').update(key).digest('base64url').slice(0, 8) };
}

t.test('other headers', async (t) => {
  const clock = new Clock();
  const box = boxAt(clock);
  const { key, kid } = keyOf(SECRET);
  const seconds = Math.floor(clock.now / 1000);
  const content = {
    use: 'access',
    aud: 'edge',
    iat: seconds,
    exp: seconds + 60,
    access: ['repository:a:pull'],
    sub: 'ann',
  };
  const text = Buffer.from(JSON.stringify(content));
  const make = (header: object, plaintext = text) =>
    new CompactEncrypt(plaintext).setProtectedHeader({ alg: 'dir', enc: 'A256GCM', ...header }).encrypt(key);
  t.match(await box.open(await make({ typ: 'breakwater+jwt', kid })), { claims: { user: 'ann' } }, 'this is one');
  t.strictSame(await box.open(await make({ kid })), unreadable, 'no typ');
  t.strictSame(await box.open(await make({ typ: 'JWT', kid })), unreadable, 'another typ');
  t.strictSame(await box.open(await make({ typ: 'breakwater+jwt' })), unreadable, 'no kid');
  t.strictSame(await box.open(await make({ typ: 'breakwater+jwt', kid: 'x' })), unreadable, 'another kid');
  const other = await new CompactEncrypt(text)
    .setProtectedHeader({ alg: 'A256GCMKW', enc: 'A256GCM', typ: 'breakwater+jwt', kid })
    .encrypt(key);
  t.strictSame(await box.open(other), unreadable, 'another alg');
  const narrow = await new CompactEncrypt(text)
    .setProtectedHeader({ alg: 'dir', enc: 'A128CBC-HS256', typ: 'breakwater+jwt', kid })
    .encrypt(key);
  t.strictSame(await box.open(narrow), unreadable, 'another enc');
  // A compressed one could be as long as it likes once it is inflated, so that none is.
  const zipped = await new CompactEncrypt(text)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', zip: 'DEF', typ: 'breakwater+jwt', kid })
    .encrypt(key);
  t.strictSame(await box.open(zipped), unreadable, 'compressed');
  const bomb = deflateRawSync(Buffer.alloc(1_000_000));
  t.strictSame(await box.open(await make({ typ: 'breakwater+jwt', kid }, bomb)), unreadable, 'compressed unsaid');
});

t.test('contents of another version', async (t) => {
  const clock = new Clock();
  const box = boxAt(clock);
  const { key, kid } = keyOf(SECRET);
  const seconds = Math.floor(clock.now / 1000);
  const good = { use: 'access', aud: 'edge', iat: seconds, exp: seconds + 60, access: ['repository:a:pull'] };
  const rows: [string, unknown, boolean][] = [
    ['as it should be', good, true],
    ['null', null, false],
    ['a list', [good], false],
    ['a text', 'x', false],
    ['another use', { ...good, use: 'login' }, false],
    ['no service', { ...good, aud: undefined }, false],
    ['services', { ...good, aud: ['edge'] }, false],
    ['no expiry', { ...good, exp: undefined }, false],
    ['an expiry in words', { ...good, exp: '9999999999' }, false],
    ['no access', { ...good, access: undefined }, false],
    ['access in words', { ...good, access: 'repository:a:pull' }, false],
    ['access that cannot be read', { ...good, access: ['repository:a:pull', 'x'] }, false],
  ];
  for (const [name, content, readable] of rows) {
    const token = await new CompactEncrypt(Buffer.from(JSON.stringify(content)))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ: 'breakwater+jwt', kid })
      .encrypt(key);
    t.equal('claims' in (await box.open(token)), readable, name);
  }
});

t.test('tokens that are only signed, or not even that', async (t) => {
  const box = boxAt(new Clock());
  const { key, kid } = keyOf(SECRET);
  const claims = { use: 'access', aud: 'edge', iat: 1_800_000_000, exp: 1_900_000_000, access: [], sub: 'ann' };
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url');
  for (const alg of ['none', 'None', 'dir', 'HS256']) {
    const header = part({ alg, typ: 'breakwater+jwt', kid });
    t.strictSame(await box.open(`${header}.${part(claims)}.`), unreadable, `${alg}, no signature`);
    t.strictSame(await box.open(`${header}..${part({})}.${part(claims)}.`), unreadable, `${alg}, five parts`);
  }
  const signed = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'breakwater+jwt', kid }).sign(key);
  t.strictSame(await box.open(signed), unreadable, 'signed with the key of the box');
  t.strictSame(await box.open('x'.repeat(1_000_000)), unreadable, 'very long');
});

t.test('keys: the first makes tokens, all open them, no other does', async (t) => {
  const clock = new Clock();
  const old = await boxAt(clock, OTHER).seal(claimsAt(clock));
  t.strictSame(await boxAt(clock, SECRET).open(old), unreadable);
  const both = boxAt(clock, SECRET, OTHER);
  t.match(await both.open(old), { claims: { user: 'ann' } }, 'a key that was rotated away still opens');
  const fresh = await both.seal(claimsAt(clock));
  t.match(await boxAt(clock, SECRET).open(fresh), { claims: {} });
  t.strictSame(await boxAt(clock, OTHER).open(fresh), unreadable);
  t.throws(() => new TokenSealer([]), /secret/);
});

t.test('times, with a minute between the clocks of a pair', async (t) => {
  const clock = new Clock();
  const claims = claimsAt(clock);
  const token = await boxAt(clock).seal(claims);
  const rows: [number, unknown][] = [
    [0, { claims }],
    [-60_000, { claims }],
    [-60_001, unreadable],
    [3_600_000, { claims }],
    [3_660_000, { claims }],
    [3_660_001, { refused: 'expired' }],
  ];
  const start = clock.now;
  for (const [after, expected] of rows) {
    clock.now = start + after;
    const box = boxAt(clock);
    t.strictSame(await box.open(token), expected, `${after} ms, cold`);
    t.strictSame(await box.open(token), expected, `${after} ms, from memory`);
  }
  clock.now = start;
  const box = boxAt(clock);
  await box.open(token);
  clock.now = start + 3_660_000;
  t.strictSame(box.peekOpened(token), { claims });
  clock.now += 1;
  t.strictSame(box.peekOpened(token), { refused: 'expired' });
});

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

t.test('a clock that was set: tokens of a user that this process has not seen yet', async (t) => {
  const reading = { monotonic: 5 * DAY, wall: 1_800_000_000_000 };
  const times = (lifetime: number) => ({ issued: reading.wall, expires: reading.wall + lifetime });
  const box = () => new TokenSealer([SECRET], () => reading);
  const content = { user: 'ann', service: 'edge', access: [] };
  const access = await box().seal({ ...content, use: 'access', ...times(HOUR) });
  const refresh = await box().seal({ ...content, use: 'refresh', ...times(24 * DAY) });
  const short = await box().seal({ ...content, use: 'refresh', ...times(DAY) });
  const made = reading.wall;
  const rows: [string, number, string, string, string][] = [
    ['as made', 0, 'good', 'good', 'good'],
    ['an hour back', -HOUR, 'unreadable', 'good', 'good'],
    ['an hour forward', HOUR, 'good', 'good', 'good'],
    ['eight days back', -8 * DAY, 'unreadable', 'good', 'unreadable'],
    ['eight days forward', 8 * DAY, 'expired', 'good', 'expired'],
    ['fifty years back: no token lasts that long', -50 * 365 * DAY, 'unreadable', 'unreadable', 'unreadable'],
    ['and as it was', 0, 'good', 'good', 'good'],
  ];
  for (const [name, step, ...expected] of rows) {
    reading.wall = made + step;
    const opened = await Promise.all([access, refresh, short].map((token) => box().open(token)));
    t.strictSame(
      opened.map((one) => ('claims' in one ? 'good' : one.refused)),
      expected,
      name,
    );
  }
});

t.test('a clock that was set back makes no token last longer than it was made for, once it was seen', async (t) => {
  const reading = { monotonic: 5 * DAY, wall: 1_800_000_000_000 };
  const box = new TokenSealer([SECRET], () => reading);
  const content = { user: 'ann', service: 'edge', access: [], use: 'refresh' } as const;
  const token = await box.seal({ ...content, access: [], issued: reading.wall, expires: reading.wall + 10 * DAY });
  reading.wall -= 8 * DAY;
  t.match(await box.open(token), { claims: { user: 'ann' } });
  reading.monotonic += 10 * DAY + 60_000;
  t.match(await box.open(token), { claims: { user: 'ann' } });
  reading.monotonic += 1;
  t.strictSame(await box.open(token), { refused: 'expired' }, 'its wall time would be eight days more');
});

t.test('what is too long is not looked at, even if it is right', async (t) => {
  const clock = new Clock();
  const box = boxAt(clock);
  const token = await box.seal(claimsAt(clock, { user: 'a'.repeat(20_000) }));
  t.strictSame(await box.open(token), unreadable);
  t.equal(box.peekOpened(token), undefined);
});

t.test('with the same secret, sealed locations are no tokens, and tokens no locations', async (t) => {
  const clock = new Clock();
  const sealer = new Sealer([SECRET]);
  const box = boxAt(clock);
  const location = { kind: 'upload', upstream: 'a', url: 'https://a', repository: 'a', path: '/' } as const;
  const sealed = await sealer.seal(location);
  t.strictSame(await sealer.open(sealed, 'upload'), location);
  t.strictSame(await box.open(sealed), unreadable);
  const token = await box.seal(claimsAt(clock));
  for (const kind of ['upload', 'download', 'realm'] as const) t.equal(await sealer.open(token, kind), undefined, kind);
});
