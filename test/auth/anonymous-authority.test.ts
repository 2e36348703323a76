import t from 'tap';
import { AnonymousAuthority } from '../../src/auth/anonymous-authority.ts';
import { Grants } from '../../src/auth/grants.ts';
import type { AuthorityCanary } from '../../src/failover/authority-evidence.ts';
import { DenialJudge } from '../../src/upstream/credentials/denial-judge.ts';
import type { UserAnswer } from '../../src/upstream/credentials/user-tokens.ts';
import { SECRET } from './made-tokens.ts';

const HOLDER = { authority: 'harbor', user: '', password: '' };
const pull = (name: string) => ({ type: 'repository', name, actions: ['pull'] });

/** What the authority says to clients without credentials: the names that it opens, a refusal, or nothing. */
type Says = readonly string[] | 'refused' | 'error';

class World {
  now = 1_000_000;
  canary: AuthorityCanary = { state: 'none' };
  unhealthy: string[] = [];
  says: Says = 'error';
  told = 0;
  looked: string[] = [];
  /** Names that the authority does not show. */
  missing = new Set<string>();
  readonly grants = new Grants([SECRET], 864_000_000, { now: () => this.now, observe: () => true });
  readonly #authority = new AnonymousAuthority({
    askAuthority: async () => this.#answer(),
    isShown: async (_, name) => {
      this.looked.push(name);
      return !this.missing.has(name);
    },
    evidence: new DenialJudge(
      async () => ({ canary: this.canary, unhealthy: this.unhealthy, delaysRefusals: true }),
      () => this.now,
    ),
    grants: this.grants,
    tellPeers: async () => {
      this.told += 1;
    },
  });

  #answer(): UserAnswer {
    this.now += 0.25;
    const { says } = this;
    if (says === 'error') throw new Error('no answer');
    if (says === 'refused') return { outcome: 'refused' };
    const granted = says.map(pull);
    const rest = { identified: false, undecided: [], expiresIn: 60, perRepository: { b: 'Bearer b' } };
    return { outcome: 'granted', authorization: 'Bearer x', granted, ...rest };
  }

  async ask(says: Says, names: readonly string[] = ['a', 'b']) {
    this.says = says;
    return (await this.#authority.decide({ holder: HOLDER, scopes: names.map(pull) })).outcome;
  }

  get remembered(): string {
    return ['a', 'b', 'c'].filter((name) => this.grants.pullValidMs(HOLDER, name) > 0).join('');
  }
}

const WELL: AuthorityCanary = { state: 'well', tookMs: 10 };
const FAILING: AuthorityCanary = { state: 'failing' };
const SILENT: AuthorityCanary = { state: 'silent' };
const NONE: AuthorityCanary = { state: 'none' };

t.test('what an answer proves, by what was open before and by the state of the canary login', async (t) => {
  const rows: [before: string[], canary: AuthorityCanary, says: Says, outcome: string, remembered: string][] = [
    [[], WELL, ['a'], 'granted', 'a'],
    [[], NONE, ['a', 'b'], 'granted', 'ab'],
    [[], WELL, [], 'granted', ''],
    [[], WELL, 'refused', 'refused', ''],
    [[], NONE, 'refused', 'refused', ''],
    [[], SILENT, 'refused', 'refused', ''],
    [[], FAILING, [], 'outage', ''],
    [[], FAILING, 'refused', 'outage', ''],
    [[], WELL, 'error', 'outage', ''],
    [['a'], WELL, ['a'], 'granted', 'a'],
    [['a'], WELL, ['b'], 'granted', 'b'],
    [['a'], WELL, [], 'granted', ''],
    [['a'], WELL, 'refused', 'refused', ''],
    [['a'], NONE, [], 'undecided', 'a'],
    [['a'], NONE, ['b'], 'granted', 'ab'],
    [['a'], SILENT, 'refused', 'undecided', 'a'],
    [['a'], FAILING, [], 'outage', 'a'],
    [['a'], FAILING, 'refused', 'outage', 'a'],
    [['a'], NONE, 'error', 'outage', 'a'],
  ];
  for (const [before, canary, says, outcome, remembered] of rows) {
    const world = new World();
    world.canary = WELL;
    await world.ask(before);
    world.canary = canary;
    const what = `${before.join()} | ${canary.state} | ${String(says)}`;
    t.equal(await world.ask(says), outcome, what);
    t.equal(world.remembered, remembered, what);
    t.equal(world.told, before.includes('a') && remembered !== 'a' && remembered !== 'ab' ? 1 : 0, `${what}: peers`);
  }
});

t.test('without a canary login, three denials over a minute prove it', async (t) => {
  const world = new World();
  await world.ask(['a']);
  for (const outcome of ['undecided', 'undecided', 'granted']) {
    t.equal(await world.ask([]), outcome);
    world.now += 31_000;
  }
  t.equal(world.remembered, '');
});

t.test('a name counts only if the authority shows it, so that none is made up', async (t) => {
  const world = new World();
  world.missing.add('b');
  t.equal(await world.ask(['a', 'b']), 'granted', 'the authority itself answers a pull of it');
  t.equal(world.remembered, 'a');
  await world.ask(['a', 'b']);
  t.strictSame(world.looked, ['a', 'b', 'b'], 'what is known is not looked at again');
  const many = Array.from({ length: 100 }, (_, index) => `made-up-${index}`);
  world.looked = [];
  await world.ask(many, many);
  t.equal(world.looked.length, 8, 'a question costs the authority a few reads');
});
