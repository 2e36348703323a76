import fc from 'fast-check';
import t from 'tap';
import { readUserToken } from '../../../src/upstream/credentials/user-token.ts';

const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const token = (claims: unknown, header: unknown = { alg: 'RS256' }) => `${part(header)}.${part(claims)}.c2ln`;

t.test('what a token says', async (t) => {
  const entry = { type: 'repository', name: 'a/b', actions: ['pull', 'push'] };
  const nothing = { subject: undefined, access: [], lifetime: undefined };
  const rows: [string, string, object | undefined][] = [
    [
      'all',
      token({ sub: 'robot$a+b', access: [entry], iat: 10, exp: 70 }),
      { subject: 'robot$a+b', access: [entry], lifetime: 60 },
    ],
    ['no claims', token({}), nothing],
    ['no access', token({ sub: 'ann', access: null }), { ...nothing, subject: 'ann' }],
    ['times that are none', token({ iat: '10', exp: 70 }), nothing],
    ['an end before its making', token({ iat: 70, exp: 10 }), { ...nothing, lifetime: 0 }],
    [
      'entries that are none',
      token({ access: [1, null, [], { type: 'repository' }, { ...entry, name: 1 }, entry] }),
      { ...nothing, access: [entry] },
    ],
    [
      'actions that are none',
      token({ access: [{ ...entry, actions: ['pull', 7, null] }] }),
      { ...nothing, access: [{ ...entry, actions: ['pull'] }] },
    ],
    [
      'an action that hides others',
      token({ access: [{ ...entry, actions: [{}] }] }),
      { ...nothing, access: [{ ...entry, actions: [] }] },
    ],
    ['access that is none', token({ access: 'all' }), undefined],
    ['a list', token([entry]), undefined],
    ['text', token('no json'), undefined],
    ['no header', token({}, 'no json'), undefined],
    ['two parts', token({}).slice(0, -5), undefined],
    ['five parts (a JWE)', `${token({})}.a.b`, undefined],
    ['opaque', 'ya29.a0Af', undefined],
    ['nothing', '', undefined],
  ];
  for (const [name, text, said] of rows) t.strictSame(readUserToken(text), said, name);
});

t.test('property: no token ends the process, and no name comes from anything but text', async () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string(), (claims, junk) => {
      readUserToken(junk);
      const read = readUserToken(token(claims));
      return read?.subject === undefined || typeof read.subject === 'string';
    }),
  );
});
