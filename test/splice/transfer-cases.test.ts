import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import t from 'tap';
import type { DigestCheck, DigestVerdict } from '../../src/digest/digest-check.ts';
import { OVERLAP_BYTES } from '../../src/splice/overlap.ts';
import type { Leg } from '../../src/splice/running-leg.ts';
import type { ThroughputLimits } from '../../src/splice/throughput.ts';
import { type ResumeElsewhere, Transfer } from '../../src/splice/transfer.ts';
import type { AttemptVerdict as LeaseVerdict } from '../../src/upstream/health/breaker.ts';
import { UpstreamError } from '../../src/upstream/upstream-error.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';
import { type Habits, MadeSink } from './made-sink.ts';
import { type Body, Books, type Fate, MadeSource } from './made-source.ts';

const CHUNK = 50_000;
const TOTAL = 4 * CHUNK;
const CONTENT = randomBytes(TOTAL);
const EXTENT = { first: 0, last: TOTAL - 1, total: TOTAL };
const PACE: ThroughputLimits = { stallMs: timeLimit(2000), minRate: 0, rateWindowMs: 60_000 };
const QUICK: ThroughputLimits = { ...PACE, stallMs: timeLimit(30) };
const WHOLE: Fate = { how: 'whole' };
const EAGER: Habits = { capacity: Number.POSITIVE_INFINITY, pulses: ['microtask'] };

interface MadeLeg extends Leg {
  source: MadeSource;
  verdicts: LeaseVerdict[];
}

const books = new Books();

function legOf(from: number, fate: Fate, more: Partial<Body> = {}): MadeLeg {
  const bytes = CONTENT.subarray(from);
  const source = new MadeSource({ bytes, sizes: [CHUNK], pulses: ['immediate'], fate, ...more }, books);
  const verdicts: LeaseVerdict[] = [];
  const permit = { reportEnd: (verdict: LeaseVerdict) => void verdicts.push(verdict) };
  return { upstream: 'made', url: 'http://made', source, startOffset: from, endOffset: TOTAL, permit, verdicts };
}

/** Goes on with a good leg, and notes for what. */
function noted(
  calls: { from: number; reason: string; alive: boolean }[],
  answer = (from: number) => legOf(from, WHOLE),
) {
  const resumeElsewhere: ResumeElsewhere = async (from, _broken, { reason }, alive) => {
    calls.push({ from, reason, alive });
    return answer(from);
  };
  return resumeElsewhere;
}

// Chunks are 50,000 bytes: 50,000 and 100,000 are their borders.
const OFFSETS = [
  0,
  1,
  CHUNK - 1,
  CHUNK,
  CHUNK + 1,
  OVERLAP_BYTES - 1,
  OVERLAP_BYTES,
  OVERLAP_BYTES + 1,
  2 * OVERLAP_BYTES,
  100_000,
  TOTAL - 1,
];
const REASONS = { failed: 'reset', end: 'short', stall: 'stall' } as const;

for (const how of ['failed', 'end', 'stall'] as const) {
  t.test(`a body whose upstream meets ${how} goes on, wherever that is`, async (t) => {
    for (const at of OFFSETS) {
      const calls: Parameters<typeof noted>[0] = [];
      const sink = new MadeSink(EAGER);
      const first = legOf(0, { how, at });
      await new Transfer({ leg: first, limits: QUICK, extent: EXTENT, resumeElsewhere: noted(calls) }).run(sink);
      t.ok((await sink.taken()).equals(CONTENT), `${at}: all of it, as it should be`);
      t.strictSame(calls, [{ from: Math.max(0, at - OVERLAP_BYTES), reason: REASONS[how], alive: false }]);
      t.strictSame(first.verdicts, ['bad']);
      t.equal(first.source.state, how === 'stall' ? 'destroyed' : 'over');
    }
  });
}

t.test('a leg that has sent all but does not say its end is closed', async (t) => {
  const sink = new MadeSink(EAGER);
  const leg = legOf(0, { how: 'endless' });
  await new Transfer({ leg, limits: PACE, extent: EXTENT }).run(sink);
  t.ok((await sink.taken()).equals(CONTENT), 'the client does not wait for it');
  t.equal(leg.source.state, 'open', 'it may say so yet');
  await until(() => leg.source.state === 'destroyed', { what: () => `its end; it is ${leg.source.state}` });
});

t.test('a leg that sends more than it promised is closed at once', async (t) => {
  const leg = legOf(0, { how: 'longer', by: 100_000 });
  const sink = new MadeSink(EAGER);
  await new Transfer({ leg, limits: PACE, extent: EXTENT }).run(sink);
  await until(() => leg.source.state === 'destroyed', { what: () => `its end; it is ${leg.source.state}` });
  t.ok((await sink.taken()).equals(CONTENT));
  t.strictSame(leg.verdicts, ['good']);
});

t.test('a client that reads slowly is not a stall of the upstream', async (t) => {
  const calls: Parameters<typeof noted>[0] = [];
  const slow: Habits = { capacity: 1, pulses: ['immediate'], nap: timeLimit(150) };
  const limits = { stallMs: timeLimit(50), minRate: 1_000_000, rateWindowMs: timeLimit(100) };
  const sink = new MadeSink(slow);
  await new Transfer({ leg: legOf(0, WHOLE), limits, extent: EXTENT, resumeElsewhere: noted(calls) }).run(sink);
  t.ok((await sink.taken()).equals(CONTENT));
  t.strictSame(calls, []);
});

t.test('a leg that breaks while its client is full is replaced all the same', async (t) => {
  const calls: Parameters<typeof noted>[0] = [];
  const sink = new MadeSink({ capacity: 1, pulses: ['immediate'], nap: 2 * QUICK.stallMs });
  const leg = legOf(0, { how: 'failed', at: CHUNK });
  await new Transfer({ leg, limits: QUICK, extent: EXTENT, resumeElsewhere: noted(calls) }).run(sink);
  t.ok((await sink.taken()).equals(CONTENT));
  t.equal(calls.length, 1);
});

t.test('each leg stalls in its own time, and at its own pace', async (t) => {
  const calls: Parameters<typeof noted>[0] = [];
  const sink = new MadeSink(EAGER);
  const resumeElsewhere = noted(calls, (from) =>
    calls.length === 1
      ? { ...legOf(from, { how: 'stall', at: OVERLAP_BYTES }), stallMs: timeLimit(20) }
      : legOf(from, WHOLE),
  );
  // The first one stalls for as long as the window is: nobody after it is slow because of that.
  const limits = { stallMs: timeLimit(400), minRate: 1000, rateWindowMs: timeLimit(400) };
  const began = performance.now();
  await new Transfer({ leg: legOf(0, { how: 'stall', at: 100_000 }), limits, extent: EXTENT, resumeElsewhere }).run(
    sink,
  );
  t.ok(performance.now() - began < timeLimit(750), 'the second one has less time');
  t.strictSame(
    calls.map(({ reason, alive }) => [reason, alive]),
    [
      ['stall', false],
      ['stall', false],
    ],
  );
  t.ok((await sink.taken()).equals(CONTENT));
});

/** Brings a kilobyte every ten milliseconds. */
function trickle(from: number, fate: Fate): MadeLeg {
  const leg = legOf(from, fate, { sizes: [1000] });
  const { source } = leg;
  const start = source.start.bind(source);
  source.start = (sink) => {
    start({
      ...sink,
      end: () => sink.end(),
      failed: (error) => sink.failed(error),
      data: (chunk) => {
        sink.data(chunk);
        setTimeout(() => source.resume(), 10);
        return false;
      },
    });
  };
  return leg;
}

const TRICKLE: ThroughputLimits = { stallMs: 2000, minRate: 10_000_000, rateWindowMs: 30 };

t.test('a trickling body continues until another upstream can resume it', async (t) => {
  const calls: Parameters<typeof noted>[0] = [];
  const leg = trickle(0, WHOLE);
  const resumeElsewhere: ResumeElsewhere = async (from, broken, error, alive) => {
    await noted(calls)(from, broken, error, alive);
    t.equal(leg.source.state, 'open', 'it is kept meanwhile');
    return calls.length < 3 ? undefined : legOf(from, WHOLE);
  };
  const sink = new MadeSink(EAGER);
  await new Transfer({ leg, limits: TRICKLE, extent: EXTENT, resumeElsewhere }).run(sink);
  t.ok((await sink.taken()).equals(CONTENT));
  t.ok(calls.length >= 3);
  t.strictSame(calls[0], { from: 0, reason: 'stall', alive: true });
  t.equal(leg.source.state, 'destroyed');
  t.strictSame(leg.verdicts, ['bad']);
});

t.test('one that breaks off while somebody is looked for because it is slow may be asked again', async (t) => {
  const calls: Parameters<typeof noted>[0] = [];
  const leg = trickle(0, { how: 'failed', at: 10_000 });
  const resumeElsewhere: ResumeElsewhere = async (from, broken, error, alive) => {
    await noted(calls)(from, broken, error, alive);
    while (alive && leg.source.state === 'open') await new Promise(setImmediate);
    return alive ? undefined : legOf(from, WHOLE);
  };
  const sink = new MadeSink(EAGER);
  await new Transfer({ leg, limits: TRICKLE, extent: EXTENT, resumeElsewhere }).run(sink);
  t.ok((await sink.taken()).equals(CONTENT));
  t.strictSame(
    calls.slice(0, 2).map(({ reason, alive }) => ({ reason, alive })),
    [
      { reason: 'stall', alive: true },
      { reason: 'reset', alive: false },
    ],
  );
});

t.test('a replacement that is found too late is dropped', async (t) => {
  const found = Promise.withResolvers<Leg>();
  const sink = new MadeSink(EAGER);
  const late = legOf(0, WHOLE);
  let begun = false;
  await new Transfer({
    leg: trickle(TOTAL - 10_000, WHOLE),
    limits: TRICKLE,
    extent: { ...EXTENT, first: TOTAL - 10_000 },
    resumeElsewhere: () => found.promise,
  }).run(sink);
  found.resolve({
    ...late,
    onStart: () => {
      begun = true;
    },
  });
  await new Promise(setImmediate);
  t.strictSame(late.verdicts, ['neutral']);
  t.equal(late.source.state, 'destroyed');
  t.notOk(begun, 'and not spoken of');
});

t.test('a body that breaks off for ever ends some time', async (t) => {
  let legs = 1;
  const sink = new MadeSink(EAGER);
  const resumeElsewhere: ResumeElsewhere = async (from) => {
    legs += 1;
    return legOf(from, { how: 'failed', at: OVERLAP_BYTES + 1 });
  };
  const transfer = new Transfer({
    leg: legOf(0, { how: 'failed', at: 1 }),
    limits: PACE,
    extent: EXTENT,
    resumeElsewhere,
  });
  await t.rejects(transfer.run(sink), new UpstreamError('reset', 'made up'));
  t.equal(legs, 20);
  t.ok((await sink.taken()).equals(CONTENT.subarray(0, sink.given)));
});

t.test('an upstream whose overlap differs is not used', async (t) => {
  const calls: Parameters<typeof noted>[0] = [];
  const wrong = Buffer.from(CONTENT.subarray(CHUNK));
  wrong[OVERLAP_BYTES - 1] = (wrong[OVERLAP_BYTES - 1] ?? 0) ^ 1;
  const at = CHUNK + OVERLAP_BYTES;
  const [first, second] = [legOf(0, { how: 'failed', at }), legOf(CHUNK, WHOLE, { bytes: wrong })];
  const resumeElsewhere = noted(calls, (from) => (calls.length === 1 ? second : legOf(from, WHOLE)));
  const sink = new MadeSink(EAGER);
  await new Transfer({ leg: first, limits: PACE, extent: EXTENT, resumeElsewhere }).run(sink);
  t.ok((await sink.taken()).equals(CONTENT));
  t.strictSame(calls, [
    { from: CHUNK, reason: 'reset', alive: false },
    { from: CHUNK, reason: 'digest', alive: false },
  ]);
  t.strictSame(second.verdicts, ['bad']);
  t.equal(second.source.state, 'destroyed');
});

t.test('a slow upstream that none can replace is kept to the end', async (t) => {
  const leg = trickle(TOTAL - 10_000, WHOLE);
  const sink = new MadeSink(EAGER);
  await new Transfer({ leg, limits: TRICKLE, extent: { ...EXTENT, first: TOTAL - 10_000 } }).run(sink);
  t.ok((await sink.taken()).equals(CONTENT.subarray(TOTAL - 10_000)));
  t.strictSame(leg.verdicts, ['good']);
});

t.test('a client that has room again while the next upstream is looked for', async (t) => {
  const sink = new MadeSink({ capacity: 1, pulses: ['immediate'] });
  const resumeElsewhere: ResumeElsewhere = async (from) => {
    await sink.taken();
    await new Promise(setImmediate);
    return legOf(from, WHOLE);
  };
  const leg = legOf(0, { how: 'failed', at: CHUNK }, { pulses: ['now'] });
  await new Transfer({ leg, limits: PACE, extent: EXTENT, resumeElsewhere }).run(sink);
  t.ok((await sink.taken()).equals(CONTENT));
  t.strictSame(leg.source.wrongs, [], 'the broken one is not told to go on');
});

t.test('no upstream resumes the body', async (t) => {
  const nobody: [says: string, resumeElsewhere: ResumeElsewhere | undefined, error: Error][] = [
    ['none is looked for', undefined, new UpstreamError('reset', 'made up')],
    ['none is found', async () => undefined, new UpstreamError('reset', 'made up')],
    ['the search fails', () => Promise.reject(new TypeError('a mistake')), new TypeError('a mistake')],
  ];
  for (const [says, resumeElsewhere, error] of nobody) {
    const leg = legOf(0, { how: 'failed', at: 70_000 });
    const sink = new MadeSink(EAGER);
    await t.rejects(new Transfer({ leg, limits: PACE, extent: EXTENT, resumeElsewhere }).run(sink), error, says);
    t.ok((await sink.taken()).equals(CONTENT.subarray(0, 70_000)), 'what came was sent');
    t.strictSame(leg.verdicts, ['bad']);
  }
});

t.test('a body of which nothing is known', async (t) => {
  const calls: Parameters<typeof noted>[0] = [];
  const { endOffset: _, ...leg } = legOf(0, WHOLE);
  const sink = new MadeSink(EAGER);
  await new Transfer({ leg, limits: PACE, resumeElsewhere: noted(calls) }).run(sink);
  t.ok((await sink.taken()).equals(CONTENT), 'ends with its end');
  for (const fate of [{ how: 'failed', at: 1000 } as const, { how: 'stall', at: 1000 } as const]) {
    const { endOffset: _ends, ...broken } = legOf(0, fate);
    await t.rejects(
      new Transfer({ leg: broken, limits: QUICK, resumeElsewhere: noted(calls) }).run(new MadeSink(EAGER)),
      { name: 'UpstreamError' },
      `nobody can go on after ${fate.how}`,
    );
  }
  t.strictSame(calls, []);
});

t.test('clients that leave', async (t) => {
  const before = new MadeSink(EAGER);
  before.leave();
  const first = legOf(0, WHOLE);
  await t.rejects(new Transfer({ leg: first, limits: PACE, extent: EXTENT }).run(before), /left/, 'before it began');
  t.equal(before.given, 0);
  const second = legOf(0, { how: 'stall', at: CHUNK });
  const during = new MadeSink(EAGER);
  const run = new Transfer({ leg: second, limits: PACE, extent: EXTENT }).run(during);
  while (during.given === 0) await new Promise(setImmediate);
  during.leave();
  await t.rejects(run, /left/, 'in the middle');
  const third = legOf(0, { how: 'failed', at: CHUNK });
  const searching = new MadeSink(EAGER);
  const found = Promise.withResolvers<Leg>();
  const late = legOf(0, WHOLE);
  const resumeElsewhere: ResumeElsewhere = () => {
    setImmediate(() => searching.leave());
    return found.promise;
  };
  await t.rejects(new Transfer({ leg: third, limits: PACE, extent: EXTENT, resumeElsewhere }).run(searching), /left/);
  found.resolve(late);
  await new Promise(setImmediate);
  for (const { source } of [first, second, late]) t.equal(source.state, 'destroyed');
  t.strictSame(
    [first, second, third, late].map(({ verdicts }) => verdicts.join()),
    ['neutral', 'neutral', 'bad', 'neutral'],
  );
});

t.test('what is given up before it ran', async (t) => {
  const leg = legOf(0, WHOLE);
  const check = new SlowCheck('right');
  const transfer = new Transfer({ leg, limits: PACE, extent: EXTENT, check });
  transfer.discard();
  transfer.discard();
  t.equal(leg.source.state, 'destroyed');
  t.strictSame(leg.verdicts, ['neutral']);
  t.equal(check.drops, 1);
});

/** Says what it is told to, when it is told to. */
class SlowCheck implements DigestCheck {
  readonly asked = new EventTarget();
  readonly answer = Promise.withResolvers<DigestVerdict>();
  contributors: readonly string[] = [];
  drops = 0;
  backlog = 0;

  constructor(verdict?: DigestVerdict) {
    if (verdict) this.answer.resolve(verdict);
  }

  update(): boolean {
    return true;
  }

  onDrain(): void {}

  verdict(contributors: readonly string[]): Promise<DigestVerdict> {
    this.contributors = contributors;
    this.asked.dispatchEvent(new Event('asked'));
    return this.answer.promise;
  }

  abandon(): void {
    this.drops += 1;
  }
}

t.test('the last bytes wait for the verdict', async (t) => {
  const endings: [verdict: DigestVerdict | Error, complete: boolean][] = [
    ['right', true],
    ['unknown', true],
    ['wrong', false],
    [new RangeError('a mistake'), false],
  ];
  for (const [verdict, complete] of endings) {
    const check = new SlowCheck();
    const sink = new MadeSink(EAGER);
    const leg = legOf(0, WHOLE);
    const outcome = new Transfer({ leg, limits: QUICK, extent: EXTENT, check }).run(sink).then(
      () => 'complete',
      (error: unknown) => error,
    );
    await once(check.asked, 'asked');
    await new Promise((resolve) => setTimeout(resolve, 2 * QUICK.stallMs));
    t.equal(sink.given, TOTAL - CHUNK, 'its last chunk is held back, longer than a stall');
    if (verdict instanceof Error) check.answer.reject(verdict);
    else check.answer.resolve(verdict);
    if (complete) t.equal(await outcome, 'complete');
    else t.match(await outcome, verdict instanceof Error ? verdict : { reason: 'digest' });
    t.equal(sink.given, complete ? TOTAL : TOTAL - CHUNK);
    t.strictSame(leg.verdicts, [complete ? 'good' : 'bad']);
    t.equal(check.drops, complete ? 0 : 1);
  }
});

t.test('nothing beyond what is wanted is read while the verdict is awaited', async (t) => {
  const check = new SlowCheck();
  const leg = legOf(0, WHOLE);
  const sink = new MadeSink(EAGER);
  const extent = { ...EXTENT, last: CHUNK - 1 };
  const run = new Transfer({ leg, limits: PACE, extent, check }).run(sink);
  await once(check.asked, 'asked');
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(leg.source.sent, CHUNK);
  check.answer.resolve('right');
  await run;
  t.equal(leg.source.state, 'destroyed');
  t.ok((await sink.taken()).equals(CONTENT.subarray(0, CHUNK)));
});

t.test('what comes beyond the end while the verdict is awaited is thrown away', async (t) => {
  const check = new SlowCheck();
  const leg = legOf(0, { how: 'longer', by: CHUNK });
  const sink = new MadeSink(EAGER);
  const run = new Transfer({ leg, limits: PACE, extent: EXTENT, check }).run(sink);
  await once(check.asked, 'asked');
  await until(() => leg.source.sent > TOTAL);
  t.equal(books.out.size, 1, 'only its last chunk is kept');
  check.answer.resolve('right');
  await run;
  t.ok((await sink.taken()).equals(CONTENT));
});

t.test('a check that fails when the client has left changes nothing', async (t) => {
  const check = new SlowCheck();
  const sink = new MadeSink(EAGER);
  const run = new Transfer({ leg: legOf(0, WHOLE), limits: PACE, extent: EXTENT, check }).run(sink);
  await once(check.asked, 'asked');
  sink.leave();
  await t.rejects(run, /left/);
  check.answer.reject(new RangeError('a mistake'));
  await new Promise(setImmediate);
  t.equal(check.drops, 1);
  t.strictSame(sink.wrongs, []);
});

t.test('a check that is behind holds the upstream up', async (t) => {
  const drained: (() => void)[] = [];
  class FullCheck extends SlowCheck {
    override update(): boolean {
      return false;
    }
    override onDrain(resume?: () => void): void {
      if (resume) drained.push(resume);
    }
  }
  const leg = legOf(0, WHOLE);
  const sink = new MadeSink(EAGER);
  const check = new FullCheck('right');
  const run = new Transfer({ leg, limits: QUICK, extent: EXTENT, check }).run(sink);
  for (let chunks = 1; chunks < TOTAL / CHUNK; chunks += 1) {
    await until(() => drained.length === chunks);
    await new Promise((resolve) => setTimeout(resolve, 2 * QUICK.stallMs));
    t.equal(leg.source.sent, chunks * CHUNK, 'longer than a stall');
    drained.at(-1)?.();
  }
  await run;
  t.ok((await sink.taken()).equals(CONTENT));
  t.strictSame(leg.verdicts, ['good']);
});

t.test('a client that leaves before the verdict', async (t) => {
  const check = new SlowCheck();
  const sink = new MadeSink(EAGER);
  const run = new Transfer({ leg: legOf(0, WHOLE), limits: PACE, extent: EXTENT, check }).run(sink);
  await once(check.asked, 'asked');
  sink.leave();
  await t.rejects(run, /left/);
  check.answer.resolve('right');
  await new Promise(setImmediate);
  t.strictSame(sink.wrongs, []);
});

t.test('which upstreams brought bytes of the body', async (t) => {
  const check = new SlowCheck('right');
  let legs = 0;
  const resumeElsewhere: ResumeElsewhere = async (from) => {
    legs += 1;
    // The second one only shows again what was sent already.
    const fate: Fate = legs === 1 ? { how: 'failed', at: 10_000 } : WHOLE;
    return { ...legOf(from, fate), upstream: `leg ${legs}` };
  };
  const leg = legOf(0, { how: 'failed', at: 100_000 });
  await new Transfer({ leg, limits: PACE, extent: EXTENT, check, resumeElsewhere }).run(new MadeSink(EAGER));
  t.strictSame(check.contributors, ['made', 'leg 2']);
});

t.test('a process that was held up does not take that for a stall', async (t) => {
  const calls: Parameters<typeof noted>[0] = [];
  const sink = new MadeSink(EAGER);
  const leg = legOf(0, WHOLE);
  const run = new Transfer({ leg, limits: QUICK, extent: EXTENT, resumeElsewhere: noted(calls) }).run(sink);
  const until = performance.now() + 100;
  while (performance.now() < until);
  await run;
  t.strictSame(calls, []);
});

t.test('and every chunk was released', async (t) => {
  await new Promise(setImmediate);
  t.equal(books.out.size, 0);
});

t.test('a sink that throws ends its transfer, and nothing else', async (t) => {
  const sink = new MadeSink(EAGER);
  sink.write = () => {
    throw new Error('a bug');
  };
  const leg = legOf(0, WHOLE);
  await t.rejects(new Transfer({ leg, limits: PACE, extent: EXTENT }).run(sink), { message: 'a bug' });
  t.strictSame(leg.verdicts, ['neutral'], 'the upstream is not to blame');
  t.equal(leg.source.state, 'destroyed');
  sink.leave();
});
