import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import type { DigestCheck, DigestVerdict } from '../../src/digest/digest-check.ts';
import type { ContentRange } from '../../src/oci/range.ts';
import { OVERLAP_BYTES } from '../../src/splice/overlap.ts';
import type { Leg } from '../../src/splice/running-leg.ts';
import { type ResumeElsewhere, Transfer } from '../../src/splice/transfer.ts';
import type { Chunk } from '../../src/upstream/body/body-source.ts';
import type { UpstreamError } from '../../src/upstream/upstream-error.ts';
import { leastSeen, propertyRuns } from '../helpers/property-runs.ts';
import { type Habits, MadeSink } from './made-sink.ts';
import { after, Books, type Fate, MadeSource, type Pulse } from './made-source.ts';

const CONTENT = randomBytes(400_000);
const STALL_MS = 8;

/** What one upstream will do. */
interface Script {
  /** It begins so many bytes before the place that is asked for; `whole`: at the first byte of the blob. */
  early: number | 'whole';
  /** It brings the blob to its end, though less was promised. */
  beyond: boolean;
  fate: 'whole' | 'failed' | 'end' | 'stall' | 'longer';
  /** Where its fate meets it. */
  where: Place;
  /** One of its bytes is wrong: among those that were sent already, or anywhere. */
  wrong: 'none' | 'overlap' | 'anywhere';
  wrongAt: number;
  sizes: number[];
  pulses: Pulse[];
  /** Turns of the event loop until it is found. */
  delay: number;
}

/** An offset: from the start of what the leg brings, from the first byte that was not sent yet, or from the end of the blob. */
interface Place {
  from: 'start' | 'fresh' | 'end';
  by: number;
}

interface Plan {
  total: number;
  first: number;
  last: number;
  scripts: Script[];
  /** Who comes when all that were planned are used up. */
  afterwards: 'good' | 'nobody' | 'error';
  habits: Habits;
  leaves?: number | undefined;
  slowness: boolean;
  check: 'none' | 'now' | 'later';
}

const pulse = fc.constantFrom<Pulse>('now', 'microtask', 'immediate');
const sizes = fc.oneof(
  fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 3 }).map((some) => [...some, 5000]),
  fc.constantFrom<number[][]>([65_536], [262_144], [16_384], [65_535, 1], [65_537], [1000]),
);
const place = fc.record({
  from: fc.constantFrom<Place['from']>('start', 'fresh', 'end'),
  by: fc.oneof(
    fc.constantFrom(0, 1, 1000, 16_384, OVERLAP_BYTES - 1, OVERLAP_BYTES, OVERLAP_BYTES + 1, 2 * OVERLAP_BYTES),
    fc.nat(200_000),
  ),
});
const scriptArb: fc.Arbitrary<Script> = fc.record({
  early: fc.constantFrom<Script['early'][]>(0, 0, 0, 1, 70_000, 'whole'),
  beyond: fc.boolean(),
  fate: fc.constantFrom<Script['fate'][]>('failed', 'failed', 'end', 'end', 'stall', 'longer', 'whole'),
  where: place,
  wrong: fc.constantFrom<Script['wrong'][]>('none', 'none', 'none', 'overlap'),
  wrongAt: fc.nat(OVERLAP_BYTES),
  sizes,
  pulses: fc.array(pulse, { minLength: 1, maxLength: 3 }),
  delay: fc.nat(3),
});
const habits: fc.Arbitrary<Habits> = fc.record({
  capacity: fc.constantFrom(1, 16_384, 100_000, Number.POSITIVE_INFINITY),
  pulses: fc.array(pulse, { minLength: 1, maxLength: 3 }),
});
const planArb: fc.Arbitrary<Plan> = fc
  .record({
    length: fc.oneof(
      fc.integer({ min: 1, max: 300_000 }),
      fc.constantFrom(1, 2, OVERLAP_BYTES, OVERLAP_BYTES + 1, 3 * OVERLAP_BYTES),
    ),
    before: fc.constantFrom(0, 0, 0, 1, 50_000),
    beyond: fc.constantFrom(0, 0, 0, 1, 40_000),
    scripts: fc.array(scriptArb, { minLength: 1, maxLength: 6 }),
    afterwards: fc.constantFrom<Plan['afterwards'][]>('good', 'good', 'good', 'nobody', 'error'),
    habits,
    leaves: fc.option(fc.nat(30), { nil: undefined, freq: 4 }),
    slowness: fc.constantFrom(false, false, false, true),
    check: fc.constantFrom<Plan['check'][]>('none', 'none', 'now', 'later'),
  })
  .map(({ length, before, beyond, ...plan }) => ({
    ...plan,
    total: before + length + beyond,
    first: before,
    last: before + length - 1,
    habits: { ...plan.habits, leavesAt: plan.leaves },
  }));

/** One run of a transfer between things made up, which knows what must not happen. */
class Trial {
  readonly wrongs: string[] = [];
  readonly books = new Books();
  readonly sink: MadeSink;
  readonly plan: Plan;
  readonly extent: ContentRange;
  readonly sources: { source: MadeSource; ended: string[]; begun: boolean; first: boolean }[] = [];
  readonly check: MadeCheck | undefined;
  readonly errors: UpstreamError[] = [];
  #searching = false;
  #settled = false;
  #used = 0;
  nobody = false;

  constructor(plan: Plan) {
    this.plan = plan;
    this.extent = { first: plan.first, last: plan.last, total: plan.total };
    this.sink = new MadeSink(plan.habits);
    const promised = CONTENT.subarray(plan.first, plan.last + 1);
    this.check = plan.check === 'none' ? undefined : new MadeCheck(promised, plan.check === 'later');
  }

  async run(): Promise<unknown> {
    const { plan, extent, sink } = this;
    const [script] = plan.scripts;
    const transfer = new Transfer({
      leg: this.#leg(script, extent.first, true),
      limits: plan.slowness
        ? { stallMs: STALL_MS, minRate: 1e12, rateWindowMs: 0.01 }
        : { stallMs: STALL_MS, minRate: 0, rateWindowMs: 1000 },
      extent,
      resumeElsewhere: this.#resumeElsewhere,
      check: this.check,
    });
    const outcome = await transfer.run(sink).then(
      () => undefined,
      (error: unknown) => error,
    );
    this.#settled = true;
    sink.settled = true;
    await quiet();
    return outcome;
  }

  /** What is wrong once all is over. */
  conclude(outcome: unknown): string[] {
    const { plan, sink, wrongs, books, check } = this;
    const promised = CONTENT.subarray(plan.first, plan.last + 1);
    const { received } = sink;
    const noteWrong = (wrong: boolean, what: string) => void (wrong && wrongs.push(what));
    noteWrong(
      outcome === undefined && !received.equals(promised),
      `complete with ${received.length} of ${promised.length}`,
    );
    const broken = outcome !== undefined && !sink.closed.aborted;
    noteWrong(broken && sink.given >= promised.length, 'all was sent of what is not complete');
    if (plan.scripts.every(({ wrong }) => wrong !== 'anywhere'))
      noteWrong(!promised.subarray(0, received.length).equals(received), 'what was sent is not a prefix');
    noteWrong(books.out.size > 0, `${books.out.size} chunks were not released`);
    noteWrong(check !== undefined && !check.over, 'the check was left alone');
    for (const { source, ended, begun, first } of this.sources) {
      noteWrong(ended.length !== 1, `a permit ended as ${ended.join() || 'nothing'}`);
      noteWrong(source.state === 'new' || source.state === 'open', `a source is ${source.state}`);
      wrongs.push(...source.wrongs);
      noteWrong(!begun && !first && source.sent > 0, 'used without a word');
    }
    return [...wrongs, ...sink.wrongs];
  }

  readonly #resumeElsewhere: ResumeElsewhere = async (from, broken, error, alive) => {
    const { plan, sink } = this;
    this.errors.push(error);
    if (this.#settled) this.wrongs.push('looked for somebody after the end');
    if (this.#searching) this.wrongs.push('looked for two at once');
    this.#searching = true;
    const position = plan.first + sink.given;
    if (from !== Math.max(plan.first, position - OVERLAP_BYTES)) {
      // Bytes that are held back for the verdict were hashed already, and nobody is looked for then.
      this.wrongs.push(`asked from ${from} at ${position}`);
    }
    const source = this.sources.find(({ source }) => source === broken.source)?.source;
    if (alive !== (source?.state === 'open')) this.wrongs.push(`${alive ? 'alive' : 'dead'}, but ${source?.state}`);
    this.#used += 1;
    const script = plan.scripts[this.#used];
    await turns(script?.delay ?? 1);
    this.#searching = false;
    if (!script && plan.afterwards === 'error') throw new Error('made up');
    if (!script && plan.afterwards === 'nobody') {
      this.nobody = true;
      return undefined;
    }
    return this.#leg(script, from, false);
  };

  #leg(script: Script | undefined, from: number, first: boolean): Leg {
    const { extent, sink, plan } = this;
    const position = extent.first + sink.given;
    const early = first || !script ? 0 : script.early;
    const startOffset = early === 'whole' ? 0 : Math.max(0, from - early);
    const endOffset = (script?.beyond && !first ? extent.total : extent.last + 1) as number;
    const bytes = Buffer.from(CONTENT.subarray(startOffset, endOffset));
    if (script) this.#spoil(script, bytes, startOffset, first ? extent.first : from, position);
    const fate = script ? fateOf(script, bytes.length, position - startOffset) : ({ how: 'whole' } as const);
    const source = new MadeSource(
      { bytes, sizes: script?.sizes ?? [50_000], pulses: script?.pulses ?? ['immediate'], fate },
      this.books,
    );
    const entry = { source, ended: [] as string[], begun: false, first };
    this.sources.push(entry);
    return {
      upstream: `u${this.sources.length}`,
      url: `http://u${this.sources.length}`,
      source,
      startOffset,
      endOffset,
      permit: { reportEnd: (verdict) => void entry.ended.push(verdict) },
      onStart: () => {
        if (this.#settled || plan.habits.leavesAt === -1) this.wrongs.push('begun after the end');
        entry.begun = true;
      },
    };
  }

  #spoil({ wrong, wrongAt }: Script, bytes: Buffer, startOffset: number, from: number, position: number): void {
    if (wrong === 'none') return;
    // Among the bytes that whoever goes on has to show again; or, where digests are computed, anywhere.
    const at = wrong === 'overlap' ? from + (wrongAt % Math.max(1, position - from)) : startOffset + wrongAt;
    if (wrong === 'overlap' && at >= position) return;
    if (at - startOffset < bytes.length) bytes[at - startOffset] = (bytes[at - startOffset] ?? 0) ^ 1;
  }
}

function fateOf({ fate, where }: Script, length: number, fresh: number): Fate {
  if (fate === 'whole') return { how: fate };
  if (fate === 'longer') return { how: fate, by: 1 + where.by };
  const base = { start: where.by, fresh: Math.max(0, fresh) + where.by, end: length - 1 - where.by }[where.from];
  return { how: fate, at: Math.min(Math.max(0, base), length - 1) };
}

/** Hashes, and tells the truth. */
class MadeCheck implements DigestCheck {
  over = false;
  readonly #hash = createHash('sha256');
  readonly #right: string;
  readonly #later: boolean;
  backlog = 0;

  constructor(right: Buffer, later: boolean) {
    this.#right = createHash('sha256').update(right).digest('hex');
    this.#later = later;
  }

  update(chunk: Chunk, bytes: Buffer): boolean {
    chunk.retain();
    this.backlog += 1;
    after(this.#later ? 'immediate' : 'microtask', () => {
      this.backlog -= 1;
      this.#hash.update(bytes);
      chunk.release();
    });
    return this.backlog < 3;
  }

  onDrain(callback: () => void): void {
    void turns(2).then(callback);
  }

  async verdict(): Promise<DigestVerdict> {
    if (this.over) throw new Error('asked twice');
    this.over = true;
    await turns(this.#later ? 3 : 1);
    return this.#hash.digest('hex') === this.#right ? 'right' : 'wrong';
  }

  abandon(): void {
    this.over = true;
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
}

/** Long enough for all that was still to happen, but for clocks. */
const quiet = () => turns(12);

async function tried(plan: Plan): Promise<{ trial: Trial; outcome: unknown }> {
  const trial = new Trial(plan);
  const outcome = await trial.run();
  const wrongs = trial.conclude(outcome);
  if (wrongs.length > 0) throw new Error(wrongs.join('; '));
  return { trial, outcome };
}

t.test('whatever upstreams and clients do', async (t) => {
  const ends = { complete: 0, left: 0, broken: 0, spliced: 0 };
  const property = fc.asyncProperty(planArb, async (plan) => {
    const { trial, outcome } = await tried(plan);
    if (outcome === undefined) ends.complete += 1;
    else if (trial.sink.closed.aborted) ends.left += 1;
    else ends.broken += 1;
    if (trial.sources.length > 1) ends.spliced += 1;
    const mayFail = plan.afterwards !== 'good' || trial.sink.closed.aborted;
    if (outcome !== undefined && !mayFail) throw new Error(`failed although somebody was there: ${outcome}`);
  });
  await fc.assert(property, { numRuns: propertyRuns(400), endOnFailure: true });
  t.comment(ends);
  t.ok(
    ends.complete > leastSeen(20) &&
      ends.left > leastSeen(5) &&
      ends.broken > leastSeen(5) &&
      ends.spliced > leastSeen(50),
    'all of it was seen',
  );
});

t.test('wrong bytes anywhere, while digests are computed', async (t) => {
  const verdicts = { right: 0, wrong: 0 };
  const wrongArb = planArb.map((plan): Plan => {
    const scripts = plan.scripts.map((one, index) => ({
      ...one,
      wrong: index % 2 ? one.wrong : ('anywhere' as const),
    }));
    return { ...plan, scripts, check: plan.check === 'none' ? 'now' : plan.check };
  });
  const property = fc.asyncProperty(wrongArb, async (plan) => {
    const { outcome } = await tried(plan);
    if (outcome === undefined) verdicts.right += 1;
    else verdicts.wrong += 1;
  });
  // Fewer do not see both.
  await fc.assert(property, { numRuns: 150, endOnFailure: true });
  t.comment(verdicts);
  t.ok(verdicts.right > 0 && verdicts.wrong > 20, 'both were seen');
});
