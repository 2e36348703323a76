import t from 'tap';
import { isUserName, parseHtpasswd } from '../../src/config/htpasswd.ts';

const REST = 'abcdefghijklmnopqrstuv./ABCDEFGHIJKLMNOPQRSTUVWXYZ012';
const hash = (start = '$2y$10$') => `${start}${REST}`;

t.test('files that can be used', async (t) => {
  const rows: [string, string, Record<string, string>][] = [
    ['nothing', '', {}],
    ['comments and empty lines', '# users\n\n   \n  # more\n', {}],
    ['users', `ann:${hash()}\nbob:${hash('$2b$04$')}\n`, { ann: hash(), bob: hash('$2b$04$') }],
    [
      'every name that bcrypt has',
      `a:${hash('$2a$31$')}\nb:${hash('$2b$04$')}`,
      { a: hash('$2a$31$'), b: hash('$2b$04$') },
    ],
    ['lines of Windows', `ann:${hash()}\r\nbob:${hash()}\r\n`, { ann: hash(), bob: hash() }],
    ['a byte order mark', `\ufeffann:${hash()}\n`, { ann: hash() }],
    ['further fields', `ann:${hash()}:Ann of the CI\n`, { ann: hash() }],
    ['names of robots and of mail', `robot$ci+x:${hash()}`, { 'robot$ci+x': hash() }],
    ['names that objects have', `constructor:${hash()}`, { constructor: hash() }],
  ];
  for (const [name, text, expected] of rows) {
    const { users, errors } = parseHtpasswd(text);
    t.strictSame(errors, [], name);
    t.strictSame([...users], Object.entries(expected), name);
  }
});

t.test('lines that cannot be used are told with their number, and open nothing', async (t) => {
  const rows: [string, string, RegExp][] = [
    ['plain text', 'ann:secret', /line 1: .*ann.*bcrypt/],
    ['MD5', 'ann:$apr1$abcdefgh$0123456789abcdefghijkl', /bcrypt/],
    ['SHA-1', 'ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', /bcrypt/],
    ['the broken bcrypt of old PHP', `ann:${hash('$2x$10$')}`, /bcrypt/],
    ['a cost below', `ann:${hash('$2y$03$')}`, /bcrypt/],
    ['a cost above', `ann:${hash('$2y$32$')}`, /bcrypt/],
    ['cut short', `ann:${hash().slice(0, -1)}`, /bcrypt/],
    ['too long', `ann:${hash()}x`, /bcrypt/],
    ['no password', 'ann:', /bcrypt/],
    ['no name', `:${hash()}`, /invalid user name/],
    ['a hash alone', hash(), /invalid user name/],
    ['a group', `@ci:${hash()}`, /invalid user name/],
    ['everybody', `*:${hash()}`, /invalid user name/],
    ['a space in the name', `a b:${hash()}`, /invalid user name/],
    ['twice', `# x\nann:${hash()}\nann:${hash()}`, /line 3: ann is listed twice/],
  ];
  for (const [name, text, expected] of rows) {
    const { users, errors } = parseHtpasswd(text);
    t.equal(errors.length, 1, name);
    t.match(errors[0], expected, name);
    t.equal(users.size, name === 'twice' ? 1 : 0, name);
    t.notMatch(errors.join(), new RegExp(`secret|${REST.slice(0, 10)}|apr1|W6ph`), `${name}: nothing secret`);
  }
});

t.test('user names', async (t) => {
  for (const name of ['a', 'A.b-c_d@e+f$g', `a${'x'.repeat(254)}`]) t.equal(isUserName(name), true, name);
  for (const name of ['', '*', '@a', '$a', '-a', 'a:b', 'a/b', 'a\n', 'ä', `a${'x'.repeat(255)}`])
    t.equal(isUserName(name), false, JSON.stringify(name));
});
