import fc from 'fast-check';
import t from 'tap';
import type { UpstreamSight } from '../../src/failover/sight.ts';
import {
  INITIAL_VIP,
  mayPromise,
  nextVip,
  type PeerSight,
  TOLD_MS,
  type ToldSight,
  type VipState,
} from '../../src/failover/vip-eligibility.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

const RULES = { deferAfter: 5000, holdDown: 30_000 };
const HOLD_DOWN = 5000;
const WELL: UpstreamSight = {
  ...{ id: 'harbor', pulls: 'yes', pullsSince: 0, pushes: 'yes', pushesSince: 0 },
  ...{ goodAt: 1e9, probedAt: 1e9 },
};
const CUT: UpstreamSight = { ...WELL, pulls: 'no', pushes: 'no' };
const GCR: UpstreamSight = { ...WELL, id: 'gcr', pushes: 'none' };

function told(over: Partial<PeerSight> = {}): Omit<PeerSight, 'toldAt'> {
  return { peer: 'b', upstreams: [WELL], holds: true, defers: false, away: false, ...over };
}

/** One edge and what it hears, second by second. The first argument is what it sees itself. */
class Edge {
  state: VipState = INITIAL_VIP;
  now = 1_000_000;
  hear(own: UpstreamSight[], peers: Omit<PeerSight, 'toldAt'>[], seconds = 1, age = 0): boolean {
    for (let second = 0; second < seconds; second += 1) {
      this.now += 1000;
      const heard = peers.map((peer) => ({ ...peer, toldAt: this.now - age }));
      this.state = nextVip(this.state, own, heard, RULES, this.now);
    }
    return this.state.defers !== undefined;
  }
}

t.test('it defers once the other edge has seen more for a while', async (t) => {
  const edge = new Edge();
  t.notOk(edge.hear([WELL], [told()], 60), 'both see the same');
  t.ok(mayPromise(edge.state));
  t.notOk(edge.hear([CUT], [told()], 5));
  t.notOk(mayPromise(edge.state), 'it may soon defer');
  t.ok(edge.hear([CUT], [told()]));
  t.notOk(mayPromise(edge.state));
  t.match(edge.state.defers, { peer: 'b', since: edge.now, gaps: [{ id: 'harbor', pulls: true, pushes: true }] });
  t.ok(edge.hear([CUT], [told()], 600), 'and goes on');
});

t.test('an interruption begins the time anew', async (t) => {
  const edge = new Edge();
  for (const _ of [1, 2, 3]) {
    t.notOk(edge.hear([CUT], [told()], 4));
    t.notOk(edge.hear([WELL], [told()]));
  }
});

t.test('where it does not defer', async (t) => {
  const rows: Record<string, [UpstreamSight[], PeerSight | ReturnType<typeof told>, number?]> = {
    'both see the outage': [[CUT], told({ upstreams: [CUT] })],
    'the other one sees less of something else': [[CUT, GCR], told({ upstreams: [WELL, { ...GCR, pulls: 'no' }] })],
    'it has told that too long ago': [[CUT], told(), TOLD_MS],
    'it promises nothing': [[CUT], told({ holds: false })],
    'it defers itself': [[CUT], told({ defers: true })],
    'it is stopping': [[CUT], told({ away: true })],
  };
  for (const [name, [own, peer, age]] of Object.entries(rows)) t.notOk(new Edge().hear(own, [peer], 60, age), name);
  t.notOk(new Edge().hear([CUT], [], 60), 'there is no other edge');
});

t.test('it holds again at once', async (t) => {
  const rows: Record<string, Partial<PeerSight>[]> = {
    'the other edge is gone': [],
    'it is stopping': [{ away: true }],
    'it sees less now': [{ upstreams: [CUT] }, { upstreams: [{ ...CUT, pulls: 'unknown' }], defers: false }],
    'it promises nothing any more': [{ holds: false }],
  };
  for (const [name, overs] of Object.entries(rows)) {
    const edge = new Edge();
    t.ok(edge.hear([CUT], [told()], 10));
    const seen = name === 'it sees less now' ? [WELL] : [CUT];
    t.notOk(edge.hear(seen, overs.slice(0, 1).map(told)), name);
    t.notOk(edge.hear([CUT], [told()], 29), 'and for a while whatever comes');
    t.ok(edge.hear([CUT], [told()], 10), 'but not for ever');
  }
});

t.test('it holds again a while after it sees as much, so that the VIP does not go to and fro', async (t) => {
  const edge = new Edge();
  t.ok(edge.hear([CUT], [told()], 10));
  t.ok(edge.hear([WELL], [told()], 29));
  t.ok(edge.hear([CUT], [told()], 1), 'a relapse');
  t.ok(edge.hear([WELL], [told()], 29));
  t.notOk(edge.hear([WELL], [told()], 1));
  t.ok(mayPromise(edge.state));
});

t.test('the edge that another one deferred to does not send the VIP back soon', async (t) => {
  const edge = new Edge();
  t.notOk(edge.hear([WELL], [told({ upstreams: [CUT], defers: true, holds: false })], 60));
  t.ok(mayPromise(edge.state), 'it keeps the VIP for the other one');
  t.notOk(edge.hear([CUT], [told()], 29));
  t.ok(edge.hear([CUT], [told()], 2));
});

t.test('if the other node does not take the VIP, it stays here', async (t) => {
  const edge = new Edge();
  t.ok(edge.hear([CUT], [told({ vip: false })], 15), 'it has ten seconds');
  t.notOk(edge.hear([CUT], [told({ vip: false })]));
  t.notOk(edge.hear([CUT], [told({ vip: false })], 29));
  t.ok(edge.hear([CUT], [told({ vip: true })], 60), 'tried again');
  t.ok(edge.hear([CUT], [told()], 60), 'an edge that does not know is believed');
});

t.test('of several edges, one that promises is enough', async (t) => {
  const edge = new Edge();
  const [b, c] = [told(), told({ peer: 'c' })];
  t.ok(edge.hear([CUT], [{ ...b, holds: false }, c], 10));
  t.equal(edge.state.defers?.peer, 'c');
  t.ok(edge.hear([CUT], [b], 1), 'the next one takes over');
  t.equal(edge.state.defers?.peer, 'b');
});

type Step = {
  after: number;
  edge: number;
  other: number;
  what: 'cut' | 'mend' | 'tell' | 'hear' | 'look';
  id: 0 | 1;
  age: number;
};
const step: fc.Arbitrary<Step> = fc.record({
  after: fc.nat(700),
  edge: fc.nat(2),
  other: fc.nat(2),
  what: fc.constantFrom('cut', 'mend', 'tell', 'tell', 'hear', 'hear', 'hear', 'look'),
  id: fc.constantFrom(0, 1),
  age: fc.nat(800),
});

/** Edges whose messages come late, out of order, twice or never. */
class Site {
  now = 1_000_000;
  readonly edges;
  deferrals = 0;
  readonly rules;
  constructor(count: number, deferAfter: number) {
    this.rules = { deferAfter, holdDown: 5 * deferAfter };
    this.edges = Array.from({ length: count }, (_, index) => ({
      name: `edge-${index}`,
      own: [{ ...WELL }, { ...GCR, pushes: 'yes' as const }] as [UpstreamSight, UpstreamSight],
      heard: new Map<string, PeerSight>(),
      said: [] as (ToldSight & { at: number })[],
      state: INITIAL_VIP,
    }));
  }
  at(index: number) {
    const edge = this.edges[index % this.edges.length];
    if (!edge) throw new Error('no edge');
    return edge;
  }
  take({ after, edge: index, other: from, what, id, age }: Step): void {
    this.now += after;
    const edge = this.at(index);
    const other = this.at(from);
    if (what === 'cut' || what === 'mend') this.#see(edge.own[id], what === 'mend' ? 'yes' : 'no');
    if (what === 'look') this.look(edge);
    if (what === 'tell') this.#tell(edge);
    const message = other.said.at(-1 - (age % 3));
    if (what === 'hear' && other !== edge && message) {
      const { at, ...said } = message;
      edge.heard.set(other.name, { ...said, peer: other.name, toldAt: at - age });
    }
  }
  look(edge: Site['edges'][number]): boolean {
    const before = edge.state.defers;
    edge.state = nextVip(edge.state, edge.own, [...edge.heard.values()], this.rules, this.now);
    if (edge.state.defers && !before) this.deferrals += 1;
    return edge.state.defers !== undefined;
  }
  #tell(edge: Site['edges'][number]): void {
    const defers = this.look(edge);
    const holds = mayPromise(edge.state);
    if (holds) edge.state = { ...edge.state, promisedAt: this.now };
    const upstreams = edge.own.map((one) => ({ ...one }));
    edge.said.push({ upstreams, holds, defers, away: false, at: this.now });
  }
  #see(sight: UpstreamSight, seen: 'yes' | 'no'): void {
    if (sight.pulls !== seen)
      Object.assign(sight, { pulls: seen, pushes: seen, pullsSince: this.now, pushesSince: this.now });
  }
}

t.test('an edge keeps its promise although it has lost more than the other one knows', async (t) => {
  const site = new Site(2, 0);
  const [first, second] = [site.at(0), site.at(1)];
  const at = { after: 0, id: 0, age: 0 } as const;
  for (const edge of [0, 1]) site.take({ ...at, edge, other: 0, what: 'tell' });
  for (const edge of [0, 1]) site.take({ ...at, edge, other: 1 - edge, what: 'hear' });
  site.take({ ...at, after: TOLD_MS - 1, edge: 0, other: 0, what: 'cut' });
  site.take({ ...at, edge: 1, other: 0, what: 'cut' });
  t.same([site.look(first), site.look(second)], [false, false], 'neither knows of the loss of the other one');
  site.take({ ...at, after: TOLD_MS, edge: 1, other: 1, what: 'mend' });
  site.take({ ...at, edge: 1, other: 1, what: 'tell' });
  site.take({ ...at, edge: 0, other: 1, what: 'hear' });
  t.same([site.look(first), site.look(second)], [true, false]);
});

for (const count of [2, 3])
  t.test(`of ${count} edges, one holds the VIP at any moment, whatever comes late or never`, async (t) => {
    let deferrals = 0;
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 50, maxLength: 300, size: 'max' }),
        fc.constantFrom(0, 500),
        (steps, after) => {
          const site = new Site(count, after);
          for (const one of steps) {
            site.take(one);
            if (site.edges.every((edge) => site.look(edge))) return false;
          }
          deferrals += site.deferrals;
          return true;
        },
      ),
      { numRuns: propertyRuns(2000) },
    );
    t.ok(deferrals > 0, `${deferrals} times an edge left the VIP to another one`);
  });

t.test(
  'the VIP does not go to and fro, whatever flaps, even if the node with the higher priority takes it back',
  async (t) => {
    let moves = 0;
    const flaps = fc.array(fc.record({ seconds: fc.nat(40), edge: fc.nat(1), id: fc.constantFrom<0 | 1>(0, 1) }), {
      minLength: 20,
      maxLength: 80,
      size: 'max',
    });
    fc.assert(
      fc.property(flaps, (all) => {
        const site = new Site(2, HOLD_DOWN / 5);
        const [first, second] = [site.at(0), site.at(1)];
        const taken: number[] = [];
        let holder = first;
        for (const { seconds, edge, id } of all) {
          const { pulls } = site.at(edge).own[id];
          site.take({ after: 0, edge, other: 0, what: pulls === 'yes' ? 'cut' : 'mend', id, age: 0 });
          for (let tick = 0; tick < seconds; tick += 1) {
            for (const index of [0, 1])
              site.take({ after: 500, edge: index, other: 1 - index, what: 'tell', id: 0, age: 0 });
            for (const index of [0, 1])
              site.take({ after: 0, edge: index, other: 1 - index, what: 'hear', id: 0, age: 0 });
            const next = site.look(first) ? second : first;
            if (next !== holder) taken.push(site.now);
            holder = next;
          }
        }
        moves += taken.length;
        // One that is due, and one back because the other edge sees less by now.
        return taken.every((at, index) => index < 2 || at - (taken[index - 2] ?? 0) >= HOLD_DOWN);
      }),
      { numRuns: propertyRuns(1000) },
    );
    t.ok(moves > 0, `${moves} moves`);
  },
);
