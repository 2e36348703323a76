import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { DelegatedTokenIssuer } from '../../src/auth/delegated-token-issuer.ts';
import { FailureLimit } from '../../src/auth/failure-limit.ts';
import { Grants } from '../../src/auth/grants.ts';
import { TokenSealer } from '../../src/auth/token-sealer.ts';
import { parseScope, type Scope } from '../../src/oci/scope.ts';
import { SharedGrants } from '../../src/peer/shared-grants.ts';
import type { UserAnswer } from '../../src/upstream/credentials/user-tokens.ts';
import { leastSeen, propertyRuns } from '../helpers/property-runs.ts';
import { MARK, PROVEN } from './made-tokens.ts';

// As delegated-random.test.ts, with two edges that tell each other what they learnt, now and then, and clients that move between them.

const SECRET = Buffer.from('a secret of a pair that is long enough');
const REMEMBER = 10_000;
const NAMES = ['a', 'b'];

const edge = fc.constantFrom<0 | 1>(0, 1);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('login' as const),
      edge,
      password: fc.constantFrom('0', '0', '0', '1'),
      names: fc.subarray(NAMES, { minLength: 1 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('allow' as const), names: fc.subarray(NAMES) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('state' as const), up: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('password' as const), password: fc.constantFrom('0', '0', '1') }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('tell' as const), edge }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), edge }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 500, max: REMEMBER / 2 }) }),
  },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Login = Extract<Step, { do: 'login' }>;

/** When the primary last said something, and what; of a password, or of what it opens. */
interface Word {
  at: number;
  granted: boolean;
}

class EdgeModel {
  readonly grants: Grants;
  readonly shared: SharedGrants;
  readonly box: TokenSealer;
  readonly tokens: DelegatedTokenIssuer;
  /** `password` or `password name` -> the last word that this edge can know. */
  readonly words = new Map<string, Word>();
  /** Up to where it has heard the other one. */
  heard = 0;

  constructor(world: World) {
    const clock = { now: () => world.tick(), observe: () => true };
    this.grants = new Grants([SECRET], REMEMBER, clock);
    this.shared = new SharedGrants(this.grants);
    this.box = new TokenSealer([SECRET], () => ({ monotonic: world.now, wall: world.now }));
    this.tokens = new DelegatedTokenIssuer({
      askAuthority: (basic, scopes) => Promise.resolve(world.answer(basic, scopes)),
      isShown: async () => true,
      evidence: PROVEN,
      authority: 'primary',
      fingerprint: MARK,
      grants: this.grants,
      tellPeers: async () => undefined,
      sealer: this.box,
      failures: new FailureLimit(1000, 1, () => world.now),
      service: 'edge',
      repositoryKeys: (name) => [{ name, tokenName: name, anonymous: false, authorityName: name }],
      lifetime: 3_600_000,
      refreshLifetime: 3_600_000,
    });
  }

  note(key: string, word: Word): void {
    const known = this.words.get(key);
    if (!known || known.at < word.at) this.words.set(key, word);
  }
}

class World {
  now = 1_000_000;
  up = true;
  password = '0';
  may: string[] = ['a'];
  #ticks = 0;
  readonly edges: [EdgeModel, EdgeModel] = [new EdgeModel(this), new EdgeModel(this)];

  /** Later with each look, but by far less than a step of the test. */
  tick(): number {
    this.#ticks += 1;
    return this.now + this.#ticks / 131_072;
  }

  answer(basic: string | undefined, scopes: readonly Scope[]): UserAnswer {
    if (!this.up) throw new Error('down');
    const [, password] = Buffer.from((basic ?? '').slice(6), 'base64')
      .toString()
      .split(':');
    if (this.password !== password) return { outcome: 'refused' };
    const granted = scopes.filter(({ name }) => this.may.includes(name));
    return {
      outcome: 'granted',
      authorization: 'Bearer x',
      identified: true,
      granted: [...granted],
      undecided: [],
      expiresIn: 3600,
    };
  }

  /** One edge tells the other what is new. */
  tell(from: 0 | 1): void {
    const [teller, hearer] = [this.edges[from], this.edges[from === 0 ? 1 : 0]];
    const later = this.now + 1_000_000;
    const { entries, next } = teller.shared.since(hearer.heard, 1000, later);
    hearer.shared.merge(JSON.parse(JSON.stringify(entries)), later);
    hearer.heard = next;
    for (const [key, word] of teller.words) hearer.note(key, word);
  }

  restart(which: 0 | 1): void {
    this.edges[which] = new EdgeModel(this);
    this.edges[which === 0 ? 1 : 0].heard = 0;
  }
}

async function login(world: World, { edge: which, password, names }: Login): Promise<string> {
  const one = world.edges[which];
  const asked = names.flatMap((name) => parseScope(`repository:${name}:pull`) ?? []);
  const answer = await one.tokens.issue(
    {
      credentials: { kind: 'password', user: 'ann', password },
      scopes: asked,
      service: 'edge',
      wantsRefreshToken: false,
    },
    { address: '192.0.2.1', anonymous: false },
  );
  const at = world.tick();
  if ('refused' in answer) {
    assert.equal(answer.refused, world.up ? 'credentials' : 'unavailable');
    // Of a password that it never heard of it keeps nothing.
    if (world.up && one.words.has(password)) one.note(password, { at, granted: false });
    return world.up ? 'refused' : 'unavailable';
  }
  const opened = await one.box.open(answer.token);
  assert.ok('claims' in opened);
  const given = opened.claims.access.flatMap(({ name, actions }) => (actions.includes('pull') ? [name] : []));
  if (world.up) {
    assert.equal(password, world.password);
    for (const name of given) assert.ok(world.may.includes(name), name);
    one.note(password, { at, granted: true });
    for (const name of names)
      if (world.may.includes(name) || one.words.has(`${password} ${name}`))
        one.note(`${password} ${name}`, { at, granted: world.may.includes(name) });
    return 'up';
  }
  const right = one.words.get(password);
  assert.ok(right?.granted && right.at + REMEMBER > world.now, 'the password was right, and not too long ago');
  for (const name of given) {
    const word = one.words.get(`${password} ${name}`);
    assert.ok(word?.granted && word.at + REMEMBER > world.now, `${name} was granted last, and not too long ago`);
    assert.ok(opened.claims.expires <= word.at + REMEMBER + 1, 'nor does the token outlast it');
  }
  return 'remembered';
}

t.test(
  'property: two edges give no more than the primary had given either, in whatever order they hear of it',
  async (t) => {
    const seen = new Map<string, number>();
    const property = fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const world = new World();
      for (const one of steps) {
        if (one.do === 'state') world.up = one.up;
        else if (one.do === 'wait') world.now += one.ms;
        else if (one.do === 'password') world.password = one.password;
        else if (one.do === 'allow') world.may = one.names;
        else if (one.do === 'tell') world.tell(one.edge);
        else if (one.do === 'restart') world.restart(one.edge);
        else {
          const outcome = await login(world, one);
          seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        }
      }
      for (const { grants } of world.edges) grants.close();
    });
    await fc.assert(property, { numRuns: propertyRuns(150) });
    for (const outcome of ['up', 'remembered', 'unavailable', 'refused'])
      t.ok((seen.get(outcome) ?? 0) > leastSeen(100), outcome);
  },
);
