import t from 'tap';
import type { Permit } from '../../src/auth/guard.ts';
import {
  asked,
  Clock,
  granted,
  hashOf,
  inside,
  LIFETIME,
  login,
  type MadeOptions,
  made,
  nobody,
  outside,
  requestedOn,
} from './made-tokens.ts';

const hashes = { ann: await hashOf('secret') };
const access = { ann: ['team/** pull,push', 'team/app delete', 'from/** pull'] };
const ann = login('ann', 'secret');
const permitted = { user: 'ann' };
const noToken = { refused: 'no-token' };
const invalid = { refused: 'invalid_token' };
const narrow = { refused: 'insufficient_scope', user: 'ann' } as const;
const forPush = { user: 'ann', forPush: true } as const;

async function tokenFor(scopes: string, options: MadeOptions = {}, credentials = ann): Promise<string> {
  const { tokens } = made({ hashes, access, ...options });
  return `Bearer ${granted(await tokens.issue(asked(credentials, scopes, true), outside)).token}`;
}

async function anonymousToken(scopes: string): Promise<string> {
  return `Bearer ${granted(await made({ hashes, access }).tokens.issue(asked(nobody, scopes), inside)).token}`;
}

t.test('what a token opens', async (t) => {
  const { guard } = made({ hashes, access });
  const pull = await tokenFor('repository:team/app:pull');
  const push = await tokenFor('repository:team/app:pull,push repository:from/a:pull');
  const rows: [string, string, Parameters<typeof guard.check>[1], Permit][] = [
    ['a pull', pull, { requested: [requestedOn('team/app', 'pull')] }, permitted],
    ['a push with a token to pull', pull, { requested: [requestedOn('team/app', 'pull', 'push')] }, narrow],
    ['another repository', pull, { requested: [requestedOn('team/other', 'pull')] }, narrow],
    ['one that begins like it', pull, { requested: [requestedOn('team/app2', 'pull')] }, narrow],
    ['one below it', pull, { requested: [requestedOn('team/app/x', 'pull')] }, narrow],
    ['a push', push, { requested: [requestedOn('team/app', 'pull', 'push')] }, forPush],
    ['a read with a token for a push', push, { requested: [requestedOn('team/app', 'pull')] }, forPush],
    ['a read of what that is not for', push, { requested: [requestedOn('from/a', 'pull')] }, permitted],
    ['a deletion that was not asked for', push, { requested: [requestedOn('team/app', 'delete')] }, narrow],
    ['a mount', push, { requested: [requestedOn('team/app', 'pull', 'push'), requestedOn('from/a', 'pull')] }, forPush],
    [
      'a mount from what the token does not open',
      push,
      { requested: [requestedOn('team/app', 'pull', 'push'), requestedOn('from/b', 'pull')] },
      narrow,
    ],
    ['the ping', pull, { requested: [] }, permitted],
    ['the catalog', pull, 'any-user', permitted],
  ];
  for (const [name, token, need, expected] of rows)
    t.strictSame(await guard.check(token, need, outside), expected, name);
});

t.test('a mount from a repository that the user may not pull', async (t) => {
  const options = { hashes, access: { ann: ['team/** pull,push'] } };
  const token = await tokenFor('repository:team/app:pull,push repository:secret/a:pull', options);
  const requested = [requestedOn('team/app', 'pull', 'push'), requestedOn('secret/a', 'pull')];
  t.strictSame(await made(options).guard.check(token, { requested }, outside), narrow);
});

t.test('headers that are no token', async (t) => {
  const { guard } = made({ hashes, access });
  const need = { requested: [requestedOn('team/app', 'pull')] };
  const token = await tokenFor('repository:team/app:pull');
  t.strictSame(await guard.check(undefined, need, outside), noToken);
  const basic = `Basic ${Buffer.from('ann:secret').toString('base64')}`;
  const headers = [
    '',
    'Bearer',
    'Bearer ',
    'Bearer x',
    basic,
    token.slice(7),
    `${token}, ${token}`,
    `${token} x`,
    `x ${token}`,
  ];
  for (const header of headers) t.strictSame(await guard.check(header, need, outside), invalid, header.slice(0, 20));
  t.strictSame(await guard.check(token.replace('Bearer', 'bearer '), need, outside), permitted);
  t.strictSame(guard.check(token, need, outside), permitted, 'the second time nothing is waited for');
});

t.test('tokens that are no longer valid', async (t) => {
  const token = await tokenFor('repository:team/app:pull');
  const clock = new Clock();
  clock.now += LIFETIME + 60_001;
  const rows: [string, MadeOptions, unknown][] = [
    ['nothing changed', {}, permitted],
    ['another service', { service: 'other.example.io' }, invalid],
    ['another key', { secrets: [Buffer.alloc(32)] }, invalid],
    ['the user is gone', { hashes: {} }, invalid],
    ['another password', { hashes: { ann: await hashOf('secret') } }, invalid],
    ['expired', { clock }, invalid],
    ['other rules', { access: { ann: ['other/** pull'] } }, narrow],
    ['no rules', { access: {} }, narrow],
    ['fewer actions', { access: { ann: ['team/** push'] } }, narrow],
  ];
  for (const [name, options, expected] of rows) {
    const { guard } = made({ hashes, access, ...options });
    const need = { requested: [requestedOn('team/app', 'pull')] };
    t.strictSame(await guard.check(token, need, outside), expected, name);
    t.strictSame(await guard.check(token, need, outside), expected, `${name}, from memory`);
  }
});

t.test('rules that were widened since open no more than was asked for', async (t) => {
  const token = await tokenFor('repository:team/app:pull,delete repository:other/a:pull');
  const { guard } = made({ hashes, access: { ann: ['** pull,push,delete'] } });
  t.strictSame(await guard.check(token, { requested: [requestedOn('team/app', 'delete')] }, outside), permitted);
  t.strictSame(await guard.check(token, { requested: [requestedOn('team/app', 'push')] }, outside), narrow);
  t.strictSame(await guard.check(token, { requested: [requestedOn('other/a', 'pull')] }, outside), narrow);
});

t.test('a refresh token opens nothing', async (t) => {
  const { tokens, guard } = made({ hashes, access });
  const { refreshToken } = granted(await tokens.issue(asked(ann, 'repository:team/app:pull', true), outside));
  for (const need of ['any-user', { requested: [] }, { requested: [requestedOn('team/app', 'pull')] }] as const)
    t.strictSame(await guard.check(`Bearer ${refreshToken}`, need, outside), invalid);
});

t.test('networks that may pull without credentials', async (t) => {
  const { guard } = made({ hashes, access });
  const open = { requested: [requestedOn('open-a', 'pull')] };
  const rows: [string, Parameters<typeof guard.check>[1], unknown][] = [
    ['an open repository', open, { user: undefined }],
    ['a push', { requested: [requestedOn('open-a', 'pull', 'push')] }, noToken],
    ['a deletion', { requested: [requestedOn('open-a', 'delete')] }, noToken],
    ['another repository', { requested: [requestedOn('team/app', 'pull')] }, noToken],
    [
      'an open one and another',
      { requested: [requestedOn('open-a', 'pull'), requestedOn('team/app', 'pull')] },
      noToken,
    ],
    ['the ping, which says where tokens are', { requested: [] }, noToken],
    ['the catalog', 'any-user', noToken],
  ];
  for (const [name, need, expected] of rows) {
    t.strictSame(await guard.check(undefined, need, inside), expected, name);
    t.strictSame(await guard.check(undefined, need, outside), noToken, `${name}, from outside`);
  }
  t.strictSame(await guard.check('Bearer x', open, inside), invalid, 'a bad token is told to be bad');
});

t.test('who logs in may do no less there than who does not', async (t) => {
  const token = await tokenFor('', { hashes, access });
  const { guard } = made({ hashes, access });
  const open = (...actions: ('pull' | 'push')[]) => ({
    requested: [
      { repository: 'mirror/a', repositoryKey: { name: 'mirror/a', tokenName: 'mirror/a', anonymous: true }, actions },
    ],
  });
  t.strictSame(await guard.check(token, open('pull'), inside), permitted);
  t.strictSame(await guard.check(token, open('pull'), outside), narrow);
  t.strictSame(await guard.check(token, open('pull', 'push'), inside), narrow);
});

t.test('an anonymous token', async (t) => {
  const { guard } = made({ hashes, access });
  const token = await anonymousToken('repository:open-a:pull');
  const open = { requested: [requestedOn('open-a', 'pull')] };
  t.strictSame(await guard.check(token, open, inside), { user: undefined });
  t.strictSame(await guard.check(token, { requested: [] }, inside), { user: undefined }, 'the ping');
  t.strictSame(await guard.check(token, open, outside), { ...narrow, user: undefined }, 'carried out of the networks');
  t.strictSame(
    await guard.check(token, { requested: [] }, outside),
    { ...narrow, user: undefined },
    'the ping from there',
  );
  t.strictSame(
    await guard.check(token, { requested: [requestedOn('open-b', 'pull')] }, inside),
    { ...narrow, user: undefined },
    'not asked for',
  );
  t.strictSame(await guard.check(token, { requested: [requestedOn('open-a', 'pull', 'push')] }, inside), {
    ...narrow,
    user: undefined,
  });
  t.strictSame(await guard.check(token, 'any-user', inside), { ...narrow, user: undefined }, 'the catalog');
  const closed = {
    requested: [
      { ...requestedOn('open-a', 'pull'), repositoryKey: { name: 'open-a', tokenName: 'open-a', anonymous: false } },
    ],
  };
  t.strictSame(await guard.check(token, closed, inside), { ...narrow, user: undefined }, 'the route says so no more');
});

t.test('one name in two registries: each is judged by its own rules', async (t) => {
  const places = (name: string) =>
    [name, `docker.io/${name}`].map((one) => ({ name: one, tokenName: one, anonymous: false }));
  const options = { hashes, access: { ann: ['docker.io/** pull'] }, places };
  const token = await tokenFor('repository:library/a:pull', options);
  const { guard } = made(options);
  const neededAs = (name: string) => ({
    requested: [
      {
        repository: 'library/a',
        repositoryKey: { name, tokenName: name, anonymous: false },
        actions: ['pull'] as const,
      },
    ],
  });
  t.strictSame(await guard.check(token, neededAs('docker.io/library/a'), outside), permitted);
  t.strictSame(await guard.check(token, neededAs('library/a'), outside), narrow);
});
