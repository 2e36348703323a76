import t from 'tap';
import type { UpstreamSight } from '../../src/failover/sight.ts';
import type { VipState } from '../../src/failover/vip-eligibility.ts';
import { HeardSight } from '../../src/peer/heard-sight.ts';
import { VipWatch } from '../../src/peer/vip-watch.ts';

let now = 5_000_000;
const RULES = { deferAfter: 5000, holdDown: 30_000 };

/** An edge whose upstream is cut and mended by the test. */
class Node {
  sight: UpstreamSight = {
    ...{ id: 'harbor', pulls: 'yes', pullsSince: 0, pushes: 'yes', pushesSince: 0 },
    ...{ goodAt: 0, probedAt: 0 },
  };
  away = false;
  vip: boolean | undefined;
  /** Whether keepalived runs, and asks for `/vipz`. */
  keepalived = true;
  changes: string[] = [];
  /** What it has heard of the other edge. */
  readonly heard: HeardSight;
  readonly watch: VipWatch;

  constructor(name: string, other: string) {
    this.heard = new HeardSight(other);
    this.watch = new VipWatch({
      own: () => {
        const goodAt = this.sight.pulls === 'yes' ? now : this.sight.goodAt;
        this.sight = { ...this.sight, goodAt, probedAt: now };
        return [this.sight];
      },
      peers: () => (this.heard.current ? [this.heard.current] : []),
      rules: () => RULES,
      away: () => this.away,
      vip: () => this.vip,
      release: '0.1.0',
      onChange: (defers: VipState['defers']) =>
        this.changes.push(defers ? `${name} defers to ${defers.peer}` : `${name} holds`),
      now: () => now,
    });
  }

  see(seen: 'yes' | 'no'): void {
    this.sight = { ...this.sight, pulls: seen, pushes: seen, pullsSince: now, pushesSince: now };
  }
}

function pair() {
  const [a, b] = [new Node('a', 'b'), new Node('b', 'a')];
  /** Each asks the other one once a second. */
  const run = (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      now += 1000;
      for (const node of [a, b]) if (node.keepalived) node.watch.asked();
      for (const [asks, answers] of [
        [a, b],
        [b, a],
      ] as const)
        asks.heard.take('process', answers.watch.tell(), now - 5, now, false);
    }
  };
  return { a, b, run };
}

t.test('two edges tell each other what they see, and one of them holds the VIP', async (t) => {
  const { a, b, run } = pair();
  run(10);
  t.same([a.watch.look(), b.watch.look()], [undefined, undefined]);
  t.same([...a.watch.differences(), ...b.watch.differences()], []);
  a.see('no');
  run(5);
  t.equal(a.watch.look(), undefined, 'not yet');
  const gaps = [{ id: 'harbor', pulls: true, pushes: true }];
  t.match(a.watch.differences(), [{ peer: 'b', lacking: 'this', gaps }]);
  t.match(b.watch.differences(), [{ peer: 'a', lacking: 'peer', gaps }]);
  const since = a.watch.differences()[0]?.since;
  run(5);
  t.match(a.watch.look(), { peer: 'b', gaps });
  t.equal(b.watch.look(), undefined);
  t.equal(a.watch.differences()[0]?.since, since, 'since it was first known');
  a.see('yes');
  run(40);
  t.same([a.changes, b.changes], [['a defers to b', 'a holds'], []]);
});

t.test('an outage that both see moves nothing, whichever notices it first', async (t) => {
  for (const late of [0, 20]) {
    const { a, b, run } = pair();
    run(3);
    a.see('no');
    // The other edge probes rarely: until then it has not looked again.
    b.sight = { ...b.sight, goodAt: now - 1 };
    const rare = b.sight.goodAt;
    for (let second = 0; second < late; second += 1) {
      run(1);
      const told = a.heard.current;
      if (told) a.heard.current = { ...told, upstreams: told.upstreams.map((one) => ({ ...one, goodAt: rare })) };
      t.equal(a.watch.look(), undefined);
    }
    b.see('no');
    run(60);
    t.same([a.changes, b.changes], [[], []], `${late} seconds later`);
  }
});

t.test('an edge that starts or stops promises nothing, and is deferred to by nobody', async (t) => {
  const { a, b, run } = pair();
  b.away = true;
  run(1);
  t.match(b.watch.tell(), { away: true, holds: false });
  a.see('no');
  run(60);
  t.same(a.changes, []);
  b.away = false;
  run(10);
  t.same(a.changes, ['a defers to b']);
  b.away = true;
  run(1);
  t.same(a.changes, ['a defers to b', 'a holds'], 'and at once');
});

t.test('a node whose keepalived is dead is deferred to by nobody', async (t) => {
  const { a, b, run } = pair();
  run(3);
  b.keepalived = false;
  run(16);
  t.match(b.watch.tell(), { holds: false });
  a.see('no');
  run(60);
  t.same(a.changes, [], 'else no node would have the VIP');
  b.keepalived = true;
  run(10);
  t.same(a.changes, ['a defers to b']);
  b.keepalived = false;
  run(16);
  t.same(a.changes, ['a defers to b', 'a holds'], 'and it is told when it dies later');
  run(60);
  t.same(a.changes, ['a defers to b', 'a holds'], 'once');
});
