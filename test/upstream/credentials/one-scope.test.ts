import { Readable } from 'node:stream';
import t from 'tap';
import { parseScope, type Scope } from '../../../src/oci/scope.ts';
import type { Answer } from '../../../src/upstream/client.ts';
import { UserTokens } from '../../../src/upstream/credentials/user-tokens.ts';
import { HeaderList } from '../../../src/upstream/header-list.ts';

const REGISTRY = 'https://asia-docker.pkg.dev';
const CHALLENGE = `Bearer realm="${REGISTRY}/v2/token"`;

/** What the user may pull, and how the service takes several scopes. */
interface Service {
  may?: string[];
  /** Repositories that are there. Default: all. */
  there?: string[];
  several?: 'breaks' | 'heeds the first';
  password?: 'right' | 'wrong';
  /** Whether a scope that is not allowed is refused; else the token opens nothing. */
  refuses?: boolean;
}

function usersOf({ may = [], there, several = 'breaks', password = 'right', refuses = true }: Service) {
  const asked: string[][] = [];
  const opens = new Map<string, string[]>();
  const token = (scopes: string[]): [number, object] => {
    asked.push(scopes);
    if (password === 'wrong') return [401, {}];
    if (scopes.length > 1 && several === 'breaks') return [400, {}];
    const names = scopes.slice(0, 1).map((text) => parseScope(text)?.name ?? '');
    if (refuses && names.some((name) => !may.includes(name))) return [403, {}];
    const value = `opaque-${names[0] ?? 'login'}`;
    opens.set(
      `Bearer ${value}`,
      names.filter((name) => may.includes(name)),
    );
    return [200, { token: value, expires_in: names[0] === 'b' ? 100 : 3600 }];
  };
  const read = (path: string, authorization: string | undefined): [number, object] => {
    const name = /^\/v2\/(.+)\/tags\/list/.exec(path)?.[1];
    if (name === undefined) return [401, {}];
    if (!opens.get(authorization ?? '')?.includes(name)) return [403, {}];
    return [there && !there.includes(name) ? 404 : 200, {}];
  };
  const tokens = new UserTokens({
    upstream: new URL(REGISTRY),
    send: async (path, { authorization }) => answerOf(...read(path, authorization)),
    sendElsewhere: async (url) => answerOf(...token(url.searchParams.getAll('scope'))),
  });
  const ask = (...scopes: string[]) =>
    tokens.ask({
      basic: 'Basic x',
      scopes: scopes.flatMap((text) => parseScope(text) ?? []),
      realmHosts: [],
      signal: new AbortController().signal,
      acquireSlot: async () => () => undefined,
    });
  return { ask, asked };
}

function answerOf(status: number, content: object): Answer {
  const headers = new HeaderList(status === 401 ? [['www-authenticate', CHALLENGE]] : []);
  const body = Object.assign(Readable.from([Buffer.from(JSON.stringify(content))]), { dump: () => Promise.resolve() });
  return { status, headers, body } as unknown as Answer;
}

const repository = (name: string, ...actions: string[]): Scope => ({ type: 'repository', name, actions });
const A = 'repository:a:pull,push';
const B = 'repository:b:pull';
const C = 'repository:c:pull';

t.test('a service that takes one scope at a time', async (t) => {
  const { ask, asked } = usersOf({ may: ['a', 'b'] });
  const expected = {
    identified: false,
    outcome: 'granted',
    authorization: 'Bearer opaque-a',
    perRepository: { b: 'Bearer opaque-b' },
    granted: [repository('a', 'pull', 'push'), repository('b', 'pull')],
    undecided: [],
    expiresIn: 100,
  };
  t.strictSame(await ask(A, B, C), expected, 'each is opened by what is for it');
  t.strictSame(asked, [[A, B, C], [A], [B], [C]]);
  asked.length = 0;
  await ask(A, B);
  t.strictSame(asked, [[A], [B]], 'it is not asked for several again');
});

t.test('a service that heeds the first of several', async (t) => {
  const { ask, asked } = usersOf({ may: ['a', 'b'], several: 'heeds the first' });
  t.match(await ask(A, B, C), {
    authorization: 'Bearer opaque-a',
    perRepository: { b: 'Bearer opaque-b' },
    granted: [repository('a', 'pull', 'push'), repository('b', 'pull')],
    expiresIn: 100,
  });
  t.strictSame(asked, [[A, B, C], [B], [C]], 'the others are asked for alone');
});

t.test('a scope that is refused is no wrong password', async (t) => {
  const none = { outcome: 'granted', authorization: 'Bearer opaque-login', granted: [], undecided: [] };
  for (const several of ['breaks', 'heeds the first'] as const) {
    const { ask } = usersOf({ several });
    t.match(await ask(B), none, several);
    t.match(await ask(B, C), none, several);
    for (const scopes of [[], [A], [A, B]])
      t.strictSame(await usersOf({ several, password: 'wrong' }).ask(...scopes), { outcome: 'refused' }, several);
  }
});

t.test('with a token for nothing, what is asked for is tried and withheld', async (t) => {
  t.match(await usersOf({ refuses: false }).ask(B), { granted: [], undecided: [] });
  t.match(await usersOf({ refuses: false, may: ['b'] }).ask(B), { granted: [repository('b', 'pull')] });
});

t.test('more than a token can carry are left undecided', async (t) => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const { ask, asked } = usersOf({ may: names });
  const answer = await ask(...names.map((name) => `repository:${name}:pull`));
  t.match(answer, { granted: names.slice(0, 4).map((name) => repository(name, 'pull')), undecided: ['e', 'f'] });
  t.equal(asked.length, 5);
});

t.test('a repository that is not there may be hidden: neither granted nor withheld', async (t) => {
  const { ask } = usersOf({ may: ['a', 'b'], there: [] });
  t.match(await ask(B), { granted: [], undecided: ['b'], authorization: 'Bearer opaque-b' });
  t.match(await ask(A), { granted: [repository('a', 'push')], undecided: ['a'] }, 'to push it is for the upstream');
});
