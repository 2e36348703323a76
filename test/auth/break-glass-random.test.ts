import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { AccessRules } from '../../src/auth/access-rules.ts';
import { BreakGlassTokenIssuer } from '../../src/auth/break-glass-token-issuer.ts';
import { DelegatedAccessPolicy } from '../../src/auth/delegated-access-policy.ts';
import { FailureLimit } from '../../src/auth/failure-limit.ts';
import { Guard } from '../../src/auth/guard.ts';
import { LocalAuthority } from '../../src/auth/local-authority.ts';
import { Passwords } from '../../src/auth/passwords.ts';
import { TokenSealer } from '../../src/auth/token-sealer.ts';
import type { Action } from '../../src/config/access-rule.ts';
import { leastSeen, propertyRuns } from '../helpers/property-runs.ts';
import { asked, Clock, hashOf, LIFETIME, login, MARK, outside, requestedOn, SECRET, SERVICE } from './made-tokens.ts';

const LASTS = 300_000;
const SKEW = 60_000;
const HASHES = { 'hal@break-glass': await hashOf('axe'), 'eve@break-glass': await hashOf('saw') };
const RULES: Record<string, string[]> = {
  'hal@break-glass': ['a pull,push,delete', 'b push', 'd pull'],
  '*': ['c pull'],
};
/** Of them `d` leads nowhere that the authority has a say in. */
const NAMES = ['a', 'b', 'c', 'd'] as const;

const name = fc.constantFrom('a', 'a', 'c', ...NAMES);
const actions = fc.constantFrom<Action[]>(
  ['pull'],
  ['pull'],
  ['pull'],
  ['pull', 'push'],
  ['push'],
  ['delete'],
  ['pull', 'push', 'delete'],
);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('login' as const),
      user: fc.constantFrom('hal@break-glass', 'HAL@BREAK-GLASS', 'eve@break-glass', 'nobody@break-glass', 'hal'),
      password: fc.constantFrom('axe', 'axe', 'saw'),
      name,
      actions,
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('use' as const), token: fc.nat(100), name, actions }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('state' as const), silent: fc.constantFrom(true, true, false) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: LASTS }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What the rules of this test say, by the one way that can be read at a glance. */
function mayPull(user: string, repository: string): boolean {
  return repository === 'c' || (user === 'hal@break-glass' && repository === 'a');
}

class World {
  readonly clock = new Clock();
  silent = true;
  /** Passwords that were handed to whoever asks the authority. */
  readonly shown: string[] = [];
  readonly given: { token: string; user: string; at: number }[] = [];
  readonly tokens: BreakGlassTokenIssuer;
  readonly guard: Guard;

  constructor() {
    const now = () => this.clock.now;
    const sealer = new TokenSealer([SECRET], this.clock.read);
    const users = new LocalAuthority(new Passwords(new Map(Object.entries(HASHES)), now), new AccessRules(RULES, {}));
    this.tokens = new BreakGlassTokenIssuer({
      authorityIssuer: {
        issue: async ({ credentials }) => {
          if (credentials.kind === 'password') this.shown.push(`${credentials.user} ${credentials.password}`);
          return { refused: 'credentials' };
        },
      },
      users,
      pingAuthority: async () => {
        if (this.silent) throw new Error('down');
      },
      authority: 'harbor',
      sealer,
      failures: new FailureLimit(1_000_000, 1, now),
      service: SERVICE,
      repositoryKeys: (one) => [
        { name: one, tokenName: one, anonymous: false, authorityName: one === 'd' ? undefined : `inner/${one}` },
      ],
      lifetime: LIFETIME,
    });
    this.guard = new Guard(
      new DelegatedAccessPolicy({ authority: MARK, breakGlass: users, isUnreachable: () => this.silent }),
      sealer,
      SERVICE,
    );
  }
}

t.test('property: break-glass users pull what rules allow, in an outage, for as long as it lasts', async (t) => {
  const seen: Record<string, number> = {};
  const count = (what: string) => {
    seen[what] = (seen[what] ?? 0) + 1;
  };
  const property = fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 50 }), async (steps) => {
    const world = new World();
    for (const one of steps) {
      if (one.do === 'state') world.silent = one.silent;
      else if (one.do === 'wait') world.clock.now += one.ms;
      else if (one.do === 'login') count(await checkLogin(world, one));
      else count(await checkUse(world, one));
    }
    assert.ok(
      world.shown.every((one) => one.startsWith('hal ')),
      'none of their passwords goes to the authority',
    );
  });
  await fc.assert(property, { numRuns: propertyRuns(150) });
  for (const what of ['granted', 'idle', 'credentials', 'opened', 'invalid_token', 'insufficient_scope'])
    t.ok((seen[what] ?? 0) > leastSeen(20), `${what}: ${seen[what]}`);
});

async function checkLogin(
  world: World,
  { user, password, name: repository, actions: wanted }: Extract<Step, { do: 'login' }>,
) {
  const scope = `repository:${repository}:${wanted.join(',')}`;
  const answer = await world.tokens.issue(asked(login(user, password), scope, true), outside);
  const right =
    (user === 'hal@break-glass' && password === 'axe') || (user === 'eve@break-glass' && password === 'saw');
  if ('refused' in answer) {
    assert.equal(answer.refused, right ? 'idle' : 'credentials');
    assert.ok(!right || !world.silent);
    return answer.refused;
  }
  assert.ok(right && world.silent);
  assert.equal(answer.refreshToken, undefined);
  const expected = wanted.includes('pull') && repository !== 'd' && mayPull(user, repository);
  assert.equal(answer.scope, expected ? `repository:${repository}:pull` : '');
  world.given.push({ token: answer.token, user, at: world.clock.now });
  return 'granted';
}

async function checkUse(
  world: World,
  { token: index, name: repository, actions: wanted }: Extract<Step, { do: 'use' }>,
) {
  const one = world.given[index % (world.given.length || 1)];
  if (!one) return 'nothing to use';
  const permit = await world.guard.check(
    `Bearer ${one.token}`,
    { requested: [requestedOn(repository, ...wanted)] },
    outside,
  );
  const stands = world.silent && world.clock.now <= one.at + LASTS + SKEW;
  if ('refused' in permit) {
    if (!stands) assert.equal(permit.refused, 'invalid_token');
    return permit.refused;
  }
  assert.ok(stands, 'it lasts no longer than five minutes, nor than the outage');
  assert.deepEqual(wanted, ['pull']);
  assert.ok(repository !== 'd' && mayPull(one.user, repository));
  assert.equal(permit.upstream, undefined, 'it opens nothing at the authority');
  return 'opened';
}
