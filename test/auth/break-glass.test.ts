import t from 'tap';
import { AccessRules } from '../../src/auth/access-rules.ts';
import { BreakGlassTokenIssuer } from '../../src/auth/break-glass-token-issuer.ts';
import { DelegatedAccessPolicy } from '../../src/auth/delegated-access-policy.ts';
import { FailureLimit } from '../../src/auth/failure-limit.ts';
import { Guard } from '../../src/auth/guard.ts';
import { LocalAuthority } from '../../src/auth/local-authority.ts';
import { Passwords } from '../../src/auth/passwords.ts';
import type { TokenRequest } from '../../src/auth/token-request.ts';
import { TokenSealer } from '../../src/auth/token-sealer.ts';
import {
  asked,
  Clock,
  granted,
  hashOf,
  LIFETIME,
  login,
  MARK,
  outside,
  requestedOn,
  SECRET,
  SERVICE,
} from './made-tokens.ts';

const HASHES = { 'hal@break-glass': await hashOf('axe') };
const hal = login('hal@break-glass', 'axe');
const RULES = { 'hal@break-glass': ['library/** pull,push', 'elsewhere pull'] };

/** The authority is silent until told otherwise; who is none of the break-glass users is taken down. */
function made(access: Record<string, string[]> = RULES) {
  const clock = new Clock();
  const now = () => clock.now;
  const sealer = new TokenSealer([SECRET], clock.read);
  const users = new LocalAuthority(new Passwords(new Map(Object.entries(HASHES)), now), new AccessRules(access, {}));
  const state = { silent: true, reached: 0 };
  const others: TokenRequest[] = [];
  const tokens = new BreakGlassTokenIssuer({
    authorityIssuer: {
      issue: async (request) => {
        others.push(request);
        return { refused: 'credentials' };
      },
    },
    users,
    pingAuthority: async () => {
      state.reached += 1;
      if (state.silent) throw Object.assign(new Error('secret host'), { summary: 'connect' });
    },
    authority: 'harbor',
    sealer,
    failures: new FailureLimit(10, 6000, now),
    service: SERVICE,
    repositoryKeys: (name) => [
      { name, tokenName: name, anonymous: false, authorityName: name === 'elsewhere' ? undefined : `inner/${name}` },
    ],
    lifetime: LIFETIME,
  });
  const standing = new DelegatedAccessPolicy({ authority: MARK, breakGlass: users, isUnreachable: () => state.silent });
  return { tokens, guard: new Guard(standing, sealer, SERVICE), box: sealer, state, others, clock, standing };
}

t.test('what they get: pulls that a rule allows, where the authority decides', async (t) => {
  const rows: [string, string][] = [
    ['repository:library/a:pull,push,delete', 'repository:library/a:pull'],
    ['repository:library/a:*', 'repository:library/a:pull'],
    ['repository:library/a:push', ''],
    ['repository:other/a:pull', ''],
    ['repository:elsewhere:pull', ''],
    ['repository:library/../other/a:pull', ''],
    ['registry:catalog:*', ''],
    ['', ''],
  ];
  for (const [scopes, scope] of rows) {
    const { tokens, box, clock } = made();
    const grant = granted(await tokens.issue(asked(hal, scopes, true), outside));
    t.match(grant, { scope, refreshToken: undefined, expiresIn: 300, user: 'hal@break-glass' }, scopes);
    t.strictSame(grant.outage, { grant: 'break-glass', detail: 'connect' });
    t.match(await box.open(grant.token), { claims: { expires: clock.now + 300_000, upstream: undefined } });
  }
});

t.test('other users are left to the authority, and break-glass names never are', async (t) => {
  const { tokens, others, state } = made();
  for (const name of ['hal', 'ann', 'hal@break-glass.example.io', '@break-glassy'])
    await tokens.issue(asked(login(name, 'x')), outside);
  t.equal(others.length, 4);
  for (const name of ['hal@break-glass', 'HAL@BREAK-GLASS', 'eve@break-glass', '@break-glass'])
    t.strictSame(await tokens.issue(asked(login(name, 'x')), outside), { refused: 'credentials' }, name);
  t.equal(others.length, 4, 'none of their passwords goes to the authority');
  t.equal(state.reached, 0, 'nor is it asked anything by who guesses');
});

t.test('while the authority answers', async (t) => {
  const { tokens, state } = made();
  state.silent = false;
  t.match(await tokens.issue(asked(hal), outside), { refused: 'idle', detail: /harbor/ });
  for (let count = 0; count < 20; count += 1) await tokens.issue(asked(hal), outside);
  t.match(await tokens.issue(asked(hal), outside), { refused: 'idle' }, 'the right password is no guess');
  const wrong = login('hal@break-glass', 'wrong');
  for (let count = 0; count < 10; count += 1) await tokens.issue(asked(wrong), outside);
  t.match(await tokens.issue(asked(wrong), outside), { refused: 'wait' }, 'the wrong one is');
});

t.test('the guard takes their tokens only while the authority is silent', async (t) => {
  const { tokens, guard, state, box, clock, standing } = made();
  const { token } = granted(await tokens.issue(asked(hal, 'repository:library/a:pull'), outside));
  const check = (...actions: ('pull' | 'push')[]) =>
    guard.check(`Bearer ${token}`, { requested: [requestedOn('library/a', ...actions)] }, outside);
  t.strictSame(await check('pull'), { user: 'hal@break-glass' });
  t.strictSame(await check('pull', 'push'), { refused: 'insufficient_scope', user: 'hal@break-glass' });
  state.silent = false;
  t.strictSame(await check('pull'), { refused: 'invalid_token' });
  state.silent = true;
  t.strictSame(await check('pull'), { user: 'hal@break-glass' });
  clock.now += 361_000;
  t.strictSame(await check('pull'), { refused: 'invalid_token' }, 'five minutes, and a minute of skew');

  const claims = { use: 'access', service: SERVICE, issued: clock.now, expires: clock.now + 1000 } as const;
  const access = [{ type: 'repository', name: 'library/a', actions: ['pull'] }];
  const forged = await box.seal({ ...claims, user: 'hal@break-glass', access, basis: MARK.text, upstream: 'Bearer x' });
  const need = { requested: [requestedOn('library/a', 'pull')] };
  t.strictSame(await guard.check(`Bearer ${forged}`, need, outside), { refused: 'invalid_token' }, 'a token of before');
  t.equal(standing.acceptsBasis('ann', MARK.text), true);
  t.equal(standing.acceptsBasis('ann', 'delegated'), false);
  t.equal(standing.allows('ann', { name: 'library/a', tokenName: 'library/a', anonymous: false }, 'push'), true);
  t.equal(
    standing.allows('hal@break-glass', { name: 'library/a', tokenName: 'library/a', anonymous: false }, 'push'),
    false,
  );
});
