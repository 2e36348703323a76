import fc from 'fast-check';
import t from 'tap';
import {
  type Health,
  type HealthRules,
  initialHealth,
  nextHealth,
  probeDelay,
  probeTimeAfterStandstill,
  probeTimeLeft,
} from '../../src/failover/health.ts';

const RULES: HealthRules = { fall: 3, rise: 2, interval: 2000, fastInterval: 500, holdDown: 10_000 };

const isGood = (sign: string) => '+L'.includes(sign);

/** Feeds results, one a second from 0 on; `+` is good, `-` is bad, `~` is silence, `L` is a late good one. Returns the state after each as `u` (up) or `d` (down). */
function run(results: string, rules: HealthRules = RULES, step = 1000): { states: string; health: Health } {
  let health = initialHealth(0);
  let states = '';
  for (const [index, sign] of [...results].entries()) {
    health = nextHealth(
      health,
      {
        ok: isGood(sign),
        reason: isGood(sign) ? 'good' : `bad ${index}`,
        ...('~L'.includes(sign) ? { late: true } : {}),
      },
      rules,
      index * step,
    );
    states += health.state.charAt(0);
  }
  return { states, health };
}

t.test('fall, rise and hold-down', async (t) => {
  const quick = { ...RULES, holdDown: 0 };
  const rows: [string, string, HealthRules, string][] = [
    ['the first result decides: up', '+', RULES, 'u'],
    ['the first result decides: down', '-', RULES, 'd'],
    ['fall needs three in a row', '+--+--+', RULES, 'uuuuuuu'],
    ['three in a row', '+---', RULES, 'uuud'],
    ['rise needs two in a row', '-+-+-', quick, 'ddddd'],
    ['two in a row', '-++', quick, 'ddu'],
    ['one is enough if so configured', '+-+', { ...quick, fall: 1, rise: 1 }, 'udu'],
    ['held down for ten seconds', `+---${'+'.repeat(11)}`, RULES, `uuud${'d'.repeat(9)}uu`],
    ['a bad one at the end of the hold-down begins the count anew', '+---++++++++-++', RULES, `uuu${'d'.repeat(11)}u`],
    ['down at the start holds as well', `-${'+'.repeat(11)}`, RULES, `${'d'.repeat(10)}uu`],
  ];
  for (const [name, results, rules, expected] of rows) t.equal(run(results, rules).states, expected, name);
});

t.test('slow is not down: a late good answer ends what was silence only', async (t) => {
  const rows: [string, string, string][] = [
    ['silence counts like any bad result', '+~~~', 'uuud'],
    ['a late answer ends the count', '+~~L~~', 'uuuuuu'],
    ['a late answer takes a silence back at once', '+~~~L', 'uuudu'],
    ['and at the start', '~L', 'du'],
    ['an upstream that answered badly too has to rise', '+~-~L', 'uuudd'],
    ['also where it answered badly later', '+~~~-L', 'uuuddd'],
    ['a good result between that does not turn it', '+~~~+L', 'uuuddu'],
    ['bad answers, late good ones: hold-down', '+---LL', 'uuuddd'],
    ['what was bad before the last good result is forgotten', '+--+~~~L', 'uuuuuudu'],
  ];
  for (const [name, results, expected] of rows) t.equal(run(results).states, expected, name);
});

t.test('time in which the edge itself stood still is no time of the probe', async (t) => {
  const rows: [string, elapsed: number, blocked: number, expected: number][] = [
    ['the limit is over', 1000, 0, 0],
    ['not yet', 400, 0, 600],
    ['usual delays count', 1010, 40, 0],
    ['the edge stood still for most of it', 1000, 900, 1000],
    ['at the end of it: the answer may lie in the socket', 1500, 500, 100],
    ['the edge stands still again and again: bounded', 2500, 2400, 500],
    ['and over', 3000, 2900, 0],
  ];
  for (const [name, elapsed, blocked, expected] of rows) t.equal(probeTimeLeft(1000, elapsed, blocked), expected, name);
});

t.test('after a standstill beyond all bounds, the rest of the limit is waited for once', async (t) => {
  const rows: [string, elapsed: number, blocked: number, expected: number][] = [
    ['the event loop turned', 1000, 0, 0],
    ['usual delays', 1010, 40, 0],
    ['the standstill was granted before', 2600, 1500, 0],
    ['it took all of the time', 10_000, 9900, 900],
    ['the limit was almost over before', 10_950, 10_000, 100],
  ];
  for (const [name, elapsed, blocked, expected] of rows)
    t.equal(probeTimeAfterStandstill(1000, elapsed, blocked), expected, name);
});

t.test('since and reason', async (t) => {
  t.match(initialHealth(7), { state: 'unknown', since: 7, reason: 'not probed yet' });
  t.match(run('+--').health, { state: 'up', since: 0, reason: 'good', streak: 2 }, 'a doubt changes neither');
  t.match(run('+---').health, { state: 'down', since: 3000, reason: 'bad 3', streak: 0 });
  t.match(run('+----').health, { state: 'down', since: 3000, reason: 'bad 4' }, 'the newest reason, the first time');
  t.match(run('+---+').health, { state: 'down', since: 3000, reason: 'bad 3', streak: 1 });
});

t.test('the next probe comes sooner while the state is changing', async (t) => {
  const steady = run('++').health;
  t.equal(probeDelay(steady, RULES, 0.5), 2000);
  t.equal(probeDelay(steady, RULES, 0), 1800);
  t.equal(probeDelay(steady, RULES, 1), 2200);
  t.equal(probeDelay(initialHealth(0), RULES, 0.5), 500);
  t.equal(probeDelay(run('+-').health, RULES, 0.5), 500);
  t.equal(probeDelay(run('+---').health, RULES, 0.5), 2000, 'down and staying so');
  t.equal(probeDelay(run('+---+').health, RULES, 0.5), 500, 'down and coming back');
});

t.test(
  'property: never down but by `fall` bad results in a row, never up but by `rise` good ones and the hold-down',
  async () => {
    const rules = fc.record({
      fall: fc.integer({ min: 1, max: 5 }),
      rise: fc.integer({ min: 1, max: 5 }),
      interval: fc.constant(2000),
      fastInterval: fc.constant(500),
      holdDown: fc.nat(5000),
    });
    const steps = fc.array(fc.record({ ok: fc.boolean(), ms: fc.nat(3000) }), { maxLength: 60 });
    fc.assert(
      fc.property(rules, steps, (given, results) => {
        let health = initialHealth(0);
        let now = 0;
        let inRow = 0;
        let last: boolean | undefined;
        for (const { ok, ms } of results) {
          now += ms;
          inRow = ok === last ? inRow + 1 : 1;
          last = ok;
          const before = health;
          health = nextHealth(health, { ok, reason: '' }, given, now);
          if (before.state === 'unknown' || before.state === health.state) continue;
          if (health.since !== now) return false;
          if (health.state === 'down' && (ok || inRow < given.fall)) return false;
          if (health.state === 'up' && (!ok || inRow < given.rise || now - before.since < given.holdDown)) return false;
        }
        // And it does change: nothing sticks.
        for (let count = 0; count < 6; count += 1) {
          now += given.holdDown + 1;
          health = nextHealth(health, { ok: true, reason: '' }, given, now);
        }
        return health.state === 'up';
      }),
    );
  },
);
