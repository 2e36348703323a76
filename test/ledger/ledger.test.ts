import fc from 'fast-check';
import t, { type Test } from 'tap';
import { MAX_STATES } from '../../src/failover/tag-history.ts';
import { Ledger, type LedgerEntry, type LedgerOptions } from '../../src/ledger/ledger.ts';
import { LedgerClock, MAX_AHEAD_MS } from '../../src/ledger/ledger-clock.ts';
import { tagKey } from '../../src/ledger/upstream-tag.ts';
import { changedEntries } from '../helpers/changed-entries.ts';
import { CLOCK_STEPS, MockedTime } from '../helpers/host-clock.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

const DAY = 86_400_000;
const [A = '', B = '', C = ''] = ['a', 'b', 'c'].map((digit) => `sha256:${digit.repeat(64)}`);
const place = (tag: string, repository = 'library/app', upstream = 'harbor') => ({ upstream, repository, tag });
const v1 = place('v1');

function made(t: Test, given: Partial<LedgerOptions> = {}): Ledger {
  const ledger = new Ledger({ tags: 100, keep: 7 * DAY, ...given });
  t.teardown(() => ledger.close());
  listening.set(ledger, entriesIn(ledger));
  return ledger;
}

const listening = new WeakMap<Ledger, () => LedgerEntry[]>();
const entriesOf = (ledger: Ledger): LedgerEntry[] => listening.get(ledger)?.() ?? [];

/** Listens to a ledger. @returns its entries, the oldest update first */
function entriesIn(ledger: Ledger): () => LedgerEntry[] {
  return changedEntries<LedgerEntry>(ledger, tagKey, ({ history: _, ...tag }) => {
    const history = ledger.find(tag);
    return history && { ...tag, history };
  });
}

t.test('remembers what was seen, and judges by it', async (t) => {
  const ledger = made(t);
  t.strictSame(ledger.judge(v1, A), { verdict: 'unrecorded' });
  t.equal(ledger.find(v1), undefined);
  const [first, second] = [ledger.now(), ledger.now()];
  ledger.recordSeen(v1, A, first);
  ledger.recordSeen(v1, B, second);
  t.strictSame(ledger.judge(v1, A), { verdict: 'stale', current: B, confirmedAt: second, supersededAt: second });
  t.equal(ledger.judge(v1, B).verdict, 'current');
  t.equal(ledger.judge(v1, C).verdict, 'unknown');
  t.equal(ledger.find(v1)?.length, 2);
  t.equal(ledger.size, 1);
});

t.test('the same tag elsewhere is another one', async (t) => {
  const ledger = made(t);
  ledger.recordSeen(v1, A, ledger.now());
  const others = [
    place('v2'),
    place('v1', 'library/other'),
    place('v1', 'library/app', 'gcr'),
    place('app/v1', 'library'),
  ];
  for (const other of others) t.equal(ledger.judge(other, A).verdict, 'unrecorded', JSON.stringify(other));
});

t.test('names that objects have of themselves are names like others', async (t) => {
  const ledger = made(t);
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    t.equal(ledger.judge(place(name, name, 'constructor'), A).verdict, 'unrecorded');
    ledger.recordSeen(place(name, name, 'constructor'), A, ledger.now());
    t.equal(ledger.judge(place(name, name, 'constructor'), A).verdict, 'current');
    t.equal(ledger.hasTagAt('constructor', name, A), true);
  }
});

t.test('what was found without being asked for pushes nothing out', async (t) => {
  const ledger = made(t, { tags: 2 });
  ledger.recordSeen(v1, A, ledger.now());
  for (const tag of ['v2', 'v3', 'v4']) ledger.recordIfRoom(place(tag), A, ledger.now());
  t.equal(ledger.size, 2);
  t.equal(ledger.judge(v1, A).verdict, 'current');
  ledger.recordIfRoom(v1, B, ledger.now());
  t.equal(ledger.judge(v1, A).verdict, 'stale', 'of what is known it is news');
  ledger.recordIfRoom(v1, A, 1);
  t.equal(ledger.judge(v1, B).verdict, 'current', 'unless it is older');
});

t.test('deletions', async (t) => {
  const ledger = made(t);
  ledger.recordSeen(v1, A, ledger.now());
  const at = ledger.now();
  ledger.recordDeleted(v1, at);
  t.match(ledger.judge(v1, A), { verdict: 'stale', deletedAt: at });
  t.equal(ledger.judge(v1, A).current, undefined);
  ledger.recordDeleted(place('v2'), ledger.now());
  t.equal(ledger.judge(place('v2'), A).verdict, 'stale', 'also of a tag that was never seen');
});

t.test('a tag that is not there is noted only if it once was', async (t) => {
  const ledger = made(t);
  ledger.recordAbsent(v1, ledger.now());
  t.equal(ledger.size, 0, 'who asks for tags that never were fills nothing');
  ledger.recordSeen(v1, A, ledger.now());
  ledger.recordAbsent(v1, ledger.now());
  t.equal(ledger.judge(v1, A).verdict, 'stale');
});

t.test('a manifest that is deleted takes its tags of that repository with it', async (t) => {
  const ledger = made(t);
  const moved = place('moved');
  ledger.recordSeen(moved, A, ledger.now());
  ledger.recordSeen(moved, B, ledger.now());
  const [latest, elsewhere, other] = [place('latest'), place('v1', 'library/other'), place('other')];
  for (const one of [v1, latest, elsewhere]) ledger.recordSeen(one, A, ledger.now());
  ledger.recordSeen(other, C, ledger.now());
  const at = ledger.now();
  ledger.recordDigestDeleted('harbor', 'library/app', A, at);
  for (const one of [v1, latest]) t.equal(ledger.judge(one, A).deletedAt, at, one.tag);
  t.equal(ledger.judge(elsewhere, A).verdict, 'current');
  t.equal(ledger.judge(other, C).verdict, 'current');
  t.equal(ledger.judge(moved, B).verdict, 'current', 'what it was before does not count');
});

t.test('a slow read cannot undo a deletion', async (t) => {
  const ledger = made(t);
  ledger.recordSeen(v1, A, ledger.now());
  const began = ledger.now();
  ledger.recordDigestDeleted('harbor', 'library/app', A, ledger.now());
  ledger.recordSeen(v1, A, began);
  t.equal(ledger.judge(v1, A).verdict, 'stale');
  t.equal(ledger.hasTagAt('harbor', 'library/app', A), false);
});

t.test('knows the digests that tags are at, and no others', async (t) => {
  const ledger = made(t);
  const knows = (digest: string) => ledger.hasTagAt('harbor', 'library/app', digest);
  t.equal(knows(A), false);
  ledger.recordSeen(v1, A, ledger.now());
  ledger.recordSeen(place('v2'), A, ledger.now());
  t.equal(knows(A), true);
  t.equal(ledger.hasTagAt('gcr', 'library/app', A), false);
  t.equal(ledger.hasTagAt('harbor', 'library/other', A), false);
  ledger.recordSeen(v1, B, ledger.now());
  t.equal(knows(A), true, 'v2 is still there');
  ledger.recordDeleted(place('v2'), ledger.now());
  t.equal(knows(A), false, 'moved and deleted: it may be gone');
  t.equal(knows(B), true);
  ledger.forget('gcr');
  t.equal(knows(B), true);
  ledger.forget('harbor');
  t.equal(knows(B), false);
  t.equal(ledger.size, 0);
});

t.test('a host whose clock is set takes no push for old, and no tag for too old', async (t) => {
  for (const [name, step] of Object.entries(CLOCK_STEPS)) {
    const time = new MockedTime(t);
    const ledger = made(t);
    ledger.recordSeen(v1, A, ledger.now());
    ledger.recordSeen(place('v2'), C, ledger.now());
    time.setHostClock(step);
    ledger.recordSeen(v1, B, ledger.now());
    t.equal(ledger.judge(v1, A).verdict, 'stale', name);
    t.equal(ledger.judge(v1, B).verdict, 'current', name);
    t.equal(ledger.judge(place('v2'), C).verdict, 'current', name);
  }
});

t.test('what is no digest, or lies in the future, is not believed', async (t) => {
  const ledger = made(t);
  ledger.recordSeen(v1, 'sha256:abc', ledger.now());
  ledger.recordSeen(v1, '" \\', ledger.now());
  for (const at of [Date.now() + 2 * MAX_AHEAD_MS, Number.NaN, Number.POSITIVE_INFINITY, -1]) {
    ledger.recordSeen(v1, A, at);
    ledger.recordDeleted(v1, at);
  }
  const entry = { digest: A, since: 1, confirmedAt: Date.now() };
  const bad = [
    { ...entry, since: Number.NaN },
    { ...entry, since: Number.NEGATIVE_INFINITY },
    { ...entry, since: entry.confirmedAt + 1 },
    { ...entry, confirmedAt: Date.now() + 2 * MAX_AHEAD_MS },
    { ...entry, digest: 'latest' },
  ];
  for (const one of bad) ledger.merge([{ ...v1, history: [one] }]);
  ledger.merge([{ ...v1, history: [entry, { ...entry, digest: 'latest' }] }]);
  ledger.merge([{ ...v1, history: [] }]);
  t.equal(ledger.size, 0);
  ledger.merge([{ ...v1, history: [entry] }]);
  t.equal(ledger.size, 1, 'the same without what was wrong');
  ledger.merge([{ ...place('v2'), history: [{ ...entry, since: 0 }] }]);
  t.equal(ledger.size, 2, 'a time may be the first one there is');
});

t.test('two nodes tell each other', async (t) => {
  const [one, two] = [made(t), made(t)];
  one.recordSeen(v1, A, one.now());
  two.merge(entriesOf(one));
  two.recordSeen(v1, B, two.now());
  two.recordSeen(place('v2'), C, two.now());
  t.equal(one.merge(entriesOf(two)), 2);
  t.equal(one.judge(v1, A).verdict, 'stale', 'what the second one saw is later than what it had learnt');
  t.equal(one.judge(place('v2'), C).verdict, 'current');
  t.equal(one.hasTagAt('harbor', 'library/app', B), true);
  t.same([...JSON.parse(JSON.stringify(entriesOf(one)))], entriesOf(one), 'as JSON');
  t.equal(one.merge(entriesOf(two)) + one.merge(entriesOf(one)), 0, 'nothing new');
});

t.test('each detail that another node knows better is news, and what it knows worse is none', async (t) => {
  const at = Date.now();
  const state = (age: number) => {
    const digest = `sha256:${String(age).padStart(64, '0')}`;
    return { digest, since: at - 10 * age, confirmedAt: at - 10 * age };
  };
  const full = Array.from({ length: MAX_STATES }, (_, age) => state(age));
  const entry = { digest: A, since: at - 50, confirmedAt: at };
  const rows: [string, LedgerEntry['history'], LedgerEntry['history'], boolean][] = [
    ['the same', [entry], [entry], false],
    ['another digest', [entry], [{ ...entry, digest: B }], true],
    ['seen before', [entry], [{ ...entry, since: at - 60 }], true],
    ['seen later only', [entry], [{ ...entry, since: at - 40 }], false],
    ['confirmed later', [{ ...entry, confirmedAt: at - 1 }], [entry], true],
    ['confirmed before', [entry], [{ ...entry, confirmedAt: at - 1 }], false],
    ['the newest of two is the same', [entry], [entry, { digest: B, since: 1, confirmedAt: 1 }], true],
    ['the older one of two was confirmed later', full.slice(0, 2), [{ ...state(1), confirmedAt: at - 9 }], true],
    ['nothing of it fits in', full, [{ digest: B, since: 1, confirmedAt: 1 }], false],
    ['another digest of the same time in a full history', full, [{ ...state(MAX_STATES - 1), digest: B }], true],
  ];
  for (const [name, known, told, news] of rows) {
    const ledger = made(t);
    t.equal(ledger.merge([{ ...v1, history: known }]), 1);
    t.equal(ledger.merge([{ ...v1, history: told }]), news ? 1 : 0, name);
  }
});

t.test('who listens hears of each tag that is noted, and what was known of it before', async (t) => {
  const ledger = made(t, { keep: DAY });
  ledger.recordSeen(v1, A, ledger.now());
  const heard: unknown[] = [];
  ledger.onChange = (entry, before) => heard.push([entry, before]);
  const before = ledger.find(v1);
  const at = ledger.now();
  ledger.recordSeen(v1, B, at);
  t.strictSame(heard, [[{ ...v1, history: ledger.find(v1) }, before]]);
  t.match(ledger.find(v1), [{ digest: B, since: at }, { digest: A }]);
  ledger.recordSeen(place('old'), A, at - 2 * DAY);
  t.equal(heard.length, 1, 'not of what is too old to be kept');
});

t.test('of two nodes that are not of one time, the later one is not taken for older by what it learnt', async (t) => {
  const ahead = made(t, { clock: new LedgerClock(() => Date.now() + 60_000) });
  const ledger = made(t);
  ahead.recordSeen(v1, A, ahead.now());
  ledger.merge(entriesOf(ahead));
  ledger.recordSeen(v1, B, ledger.now());
  t.equal(ledger.judge(v1, B).verdict, 'current');
});

t.test('when it is full the tag that was seen least recently goes', async (t) => {
  const ledger = made(t, { tags: 3 });
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((tag) => place(tag));
  for (const one of [a, b, c, a, d]) if (one) ledger.recordSeen(one, A, ledger.now());
  t.strictSame(
    entriesOf(ledger).map(({ tag }) => tag),
    ['c', 'a', 'd'],
  );
  t.equal(ledger.evicted, 1);
  t.equal(ledger.size, 3);
  ledger.merge([{ ...place('a'), history: ledger.find(place('a')) ?? [] }]);
  ledger.recordSeen(place('e'), B, ledger.now());
  ledger.recordSeen(place('f'), B, ledger.now());
  t.strictSame(
    entriesOf(ledger).map(({ tag }) => tag),
    ['d', 'e', 'f'],
    'what was told twice stays where it was',
  );
  for (const one of ['d', 'e', 'f']) ledger.recordDeleted(place(one), ledger.now());
  t.equal(ledger.hasTagAt('harbor', 'library/app', A), false, 'the index forgets with it');
});

t.test('a tag that was forgotten and comes back at another digest is at that one only', async (t) => {
  const ledger = made(t, { tags: 1 });
  ledger.recordSeen(v1, A, ledger.now());
  ledger.recordSeen(place('v2'), C, ledger.now());
  ledger.recordSeen(v1, B, ledger.now());
  t.equal(ledger.hasTagAt('harbor', 'library/app', A), false);
  t.equal(ledger.hasTagAt('harbor', 'library/app', B), true);
});

t.test('a full ledger makes room for a few at once, and never holds more than it may', async (t) => {
  const ledger = made(t, { tags: 640 });
  for (let count = 1; count <= 2000; count += 1) {
    ledger.recordSeen(place(`v${count}`), A, ledger.now());
    if (ledger.size > 640 || ledger.size < Math.min(count, 630)) t.fail(`${ledger.size} tags after ${count}`);
  }
  t.equal(ledger.judge(place('v2000'), A).verdict, 'current');
  t.equal(ledger.judge(place('v1371'), A).verdict, 'current');
  t.equal(ledger.evicted, 2000 - ledger.size);
});

t.test('a ledger that is just full forgets nothing', async (t) => {
  const ledger = made(t, { tags: 640 });
  for (let count = 1; count <= 640; count += 1) ledger.recordSeen(place(`v${count}`), A, ledger.now());
  t.equal(ledger.size, 640);
  t.equal(ledger.evicted, 0);
});

t.test('a tag goes when it has not been seen for long, counted from when it was seen', async (t) => {
  let now = 1_000_000;
  const clock = () => new LedgerClock(() => now);
  const [ledger, late] = [made(t, { keep: DAY, clock: clock() }), made(t, { keep: DAY, clock: clock() })];
  ledger.recordSeen(v1, A, ledger.now());
  ledger.recordSeen(place('v2'), B, ledger.now());
  now += DAY - 1000;
  ledger.recordSeen(v1, A, ledger.now());
  late.merge(entriesOf(ledger));
  t.equal(late.size, 2);
  now += 2000;
  for (const one of [ledger, late]) {
    t.equal(one.hasTagAt('harbor', 'library/app', B), false);
    t.equal(one.judge(place('v2'), B).verdict, 'unrecorded');
    t.equal(one.judge(v1, A).verdict, 'current');
    t.equal(one.size, 1);
    t.equal(one.evicted, 0);
  }
  const [entry] = entriesOf(ledger);
  now += 2 * DAY;
  late.merge(entry ? [entry] : []);
  t.equal(late.find(v1), undefined, 'and does not come back from another node');
});

t.test('a tag that is too old is told to nobody, though it has not been asked for since', async (t) => {
  let now = 1_000_000;
  const ledger = made(t, { keep: DAY, clock: new LedgerClock(() => now) });
  ledger.recordSeen(v1, A, ledger.now());
  now += 1000;
  ledger.recordSeen(place('v2'), B, ledger.now());
  now += DAY - 1;
  t.strictSame(
    entriesOf(ledger).map(({ tag }) => tag),
    ['v2'],
  );
});

t.test('a busy tag keeps a bounded history', async (t) => {
  const ledger = made(t);
  for (let count = 0; count < 3 * MAX_STATES; count += 1)
    ledger.recordSeen(v1, `sha256:${String(count).padStart(64, '0')}`, ledger.now());
  t.equal(ledger.find(v1)?.length, MAX_STATES);
});

t.test('property: the index tells what the histories tell, whatever was noted, merged and forgotten', async () => {
  const tag = fc.constantFrom('v1', 'v2', 'v3', 'v4', 'v5');
  const digest = fc.constantFrom(A, B, C);
  const event = fc.oneof(
    fc.record({ do: fc.constant('seen' as const), tag, digest, age: fc.nat(20) }),
    fc.record({ do: fc.constant('deleted' as const), tag, digest, age: fc.nat(20) }),
    fc.record({ do: fc.constant('digest' as const), tag, digest, age: fc.nat(20) }),
    fc.record({ do: fc.constant('merge' as const), tag, digest, age: fc.nat(20) }),
  );
  const start = Date.now();
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const ledger = new Ledger({ tags: 3, keep: DAY });
      const known = entriesIn(ledger);
      for (const [index, one] of events.entries()) {
        const at = start + 10 * index - 10 * one.age;
        if (one.do === 'seen') ledger.recordSeen(place(one.tag), one.digest, at);
        if (one.do === 'deleted') ledger.recordDeleted(place(one.tag), at);
        if (one.do === 'digest') ledger.recordDigestDeleted('harbor', 'library/app', one.digest, at);
        const entry: LedgerEntry = { ...place(one.tag), history: [{ digest: one.digest, since: at, confirmedAt: at }] };
        if (one.do === 'merge') ledger.merge([entry]);
        const entries = known();
        if (entries.length > 3 || entries.length !== ledger.size) return false;
        for (const digest of [A, B, C]) {
          const held = entries.some(({ history }) => history[0]?.digest === digest);
          if (ledger.hasTagAt('harbor', 'library/app', digest) !== held) return false;
        }
      }
      ledger.close();
      return true;
    }),
    { numRuns: propertyRuns(500) },
  );
});

t.test('a manifest that was deleted, and its tags', async (t) => {
  const ledger = made(t);
  const manifest = place(A);
  ledger.recordManifestSeen(v1, A, ledger.now());
  t.equal(ledger.find(manifest), undefined, 'a manifest is of interest only after it was deleted');
  ledger.recordSeen(v1, A, ledger.now());
  ledger.recordSeen(place('v2'), A, ledger.now());
  ledger.recordSeen(place('v3'), B, ledger.now());
  const gone = ledger.recordDigestDeleted('harbor', 'library/app', A, ledger.now());
  t.strictSame(gone.map(({ tag }) => tag).sort(), [A, 'v1', 'v2']);
  t.strictSame(
    ['v1', 'v2', 'v3', A, B].map((tag) => ledger.isDeleted(place(tag))),
    [true, true, false, true, false],
  );
  t.match(ledger.judge(manifest, A), { verdict: 'stale', current: undefined });
  for (const tag of ['unheard-of', 'v3'])
    t.match(
      ledger.judge(place(tag), A),
      { verdict: 'stale', current: undefined, deletedAt: Number },
      `${tag} leads to it, too`,
    );
  t.equal(ledger.judge(place('unheard-of'), C).verdict, 'unrecorded');
  ledger.recordSeen(v1, A, ledger.now());
  t.notOk(ledger.isDeleted(manifest), 'a tag that leads to it shows that it is there again');
  t.equal(ledger.judge(manifest, A).verdict, 'current');
  ledger.recordDigestDeleted('harbor', 'library/app', A, ledger.now());
  t.ok(ledger.isDeleted(manifest));
  ledger.recordManifestSeen(v1, A, ledger.now());
  t.notOk(ledger.isDeleted(manifest));
  t.ok(ledger.isDeleted(v1), 'the tag is not back with it');
  ledger.recordDigestDeleted('harbor', 'library/app', A, ledger.now());
  ledger.recordSeen(manifest, A, ledger.now());
  t.notOk(ledger.isDeleted(manifest), 'seen by its digest');
});
