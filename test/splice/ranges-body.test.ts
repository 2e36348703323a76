import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { multipartFrame } from '../../src/oci/byte-ranges.ts';
import type { SpanGroup } from '../../src/oci/several-ranges.ts';
import { planReads } from '../../src/oci/several-ranges.ts';
import { AHEAD_BYTES, RangesBody, READS_AT_ONCE } from '../../src/splice/ranges-body.ts';
import type { Leg } from '../../src/splice/running-leg.ts';
import { type StreamedBody, Transfer } from '../../src/splice/transfer.ts';
import { leastSeen, propertyRuns } from '../helpers/property-runs.ts';
import { type Habits, MadeSink } from './made-sink.ts';
import { Books, type Fate, MadeSource, type Pulse } from './made-source.ts';

const CONTENT = randomBytes(400_000);
const TOTAL = CONTENT.length;

interface Plan {
  ranges: [number, number][];
  habits: Habits;
  /** Bytes after which the first leg of each read breaks off, in turn; undefined: it does not. */
  breaks: (number | undefined)[];
  sizes: number[];
  pulses: Pulse[];
  /** Turns of the event loop until a read has begun, in turn. */
  delays: number[];
  /** The read that cannot begin. */
  failsAt: number | undefined;
  /** The first read is there before. */
  begun: boolean;
}

const pulse = fc.constantFrom<Pulse>('now', 'microtask', 'immediate');
const planArb: fc.Arbitrary<Plan> = fc
  .record({
    ranges: fc.oneof(
      { weight: 3, arbitrary: fc.array(fc.tuple(fc.nat(90_000), fc.nat(20_000)), { minLength: 1, maxLength: 9 }) },
      fc.array(fc.tuple(fc.nat(10), fc.nat(10)), { minLength: 1, maxLength: 40 }),
    ),
    shuffled: fc.boolean(),
    capacity: fc.constantFrom(1, 16_384, 100_000, Number.POSITIVE_INFINITY),
    leavesAt: fc.option(fc.nat(30), { nil: undefined, freq: 4 }),
    breaks: fc.array(fc.option(fc.nat(30_000), { nil: undefined, freq: 2 }), { minLength: 1, maxLength: 4 }),
    sizes: fc.constantFrom<number[][]>([65_536], [1000], [16_384, 1], [7]),
    pulses: fc.array(pulse, { minLength: 1, maxLength: 3 }),
    delays: fc.array(fc.nat(4), { minLength: 1, maxLength: 5 }),
    failsAt: fc.option(fc.nat(6), { nil: undefined, freq: 4 }),
    begun: fc.boolean(),
  })
  .map(({ ranges, shuffled, capacity, leavesAt, ...plan }) => {
    let offset = 0;
    const inOrder = ranges.map(([gap, length]): [number, number] => {
      const first = Math.min(offset + gap, TOTAL - 1);
      const last = Math.min(first + length, TOTAL - 1);
      offset = last + 1;
      return [first, last];
    });
    if (shuffled) inOrder.reverse();
    // Tiny chunks of long reads take long.
    const sizes = plan.sizes[0] === 7 && ranges.length < 10 && offset > 50_000 ? [1000] : plan.sizes;
    return { ...plan, sizes, ranges: inOrder, habits: { capacity, leavesAt, pulses: plan.pulses } };
  });

/** One run of a body between things made up, which knows what must not happen. */
class Trial {
  readonly wrongs: string[] = [];
  readonly books = new Books();
  readonly sink: MadeSink;
  readonly groups: SpanGroup[];
  readonly #plan: Plan;
  readonly #ends: string[][] = [];
  #open = 0;
  #opened = 0;
  broken = 0;

  constructor(plan: Plan, groups: SpanGroup[]) {
    this.#plan = plan;
    this.groups = groups;
    this.sink = new MadeSink(plan.habits);
  }

  async run(): Promise<unknown> {
    const { groups, sink } = this;
    const parts = groups.flatMap((group) => group.parts);
    const frame = multipartFrame('made-up', parts, TOTAL);
    const [first] = groups;
    const begun = this.#plan.begun && first ? this.#read(first) : undefined;
    const body = new RangesBody({ groups, frame, begun, open: (group) => this.#begin(group) });
    const outcome = await body.run(sink).then(
      () => undefined,
      (error: unknown) => error,
    );
    sink.settled = true;
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    const pieces = parts.flatMap((part) => [frame.headOf(part), CONTENT.subarray(part.first, part.last + 1)]);
    this.#conclude(outcome, Buffer.concat([...pieces, frame.tail]), frame.length);
    return outcome;
  }

  #conclude(outcome: unknown, expected: Buffer, length: number): void {
    const { sink, wrongs, books } = this;
    const { received } = sink;
    const noteWrong = (wrong: boolean, what: string) => void (wrong && wrongs.push(what));
    noteWrong(expected.length !== length, `${length} bytes were promised instead of ${expected.length}`);
    noteWrong(outcome === undefined && !sink.closed.aborted && !received.equals(expected), 'complete with other bytes');
    noteWrong(!expected.subarray(0, received.length).equals(received), 'what was sent is not a prefix');
    noteWrong(outcome !== undefined && !sink.closed.aborted && sink.given >= length, 'all was sent of what broke off');
    noteWrong(books.out.size > 0, `${books.out.size} chunks were not released`);
    noteWrong(this.#open !== 0, `${this.#open} reads were not ended`);
    for (const ends of this.#ends) noteWrong(ends.length !== 1, `a permit ended as ${ends.join() || 'nothing'}`);
    wrongs.push(...sink.wrongs);
  }

  async #begin(group: SpanGroup): Promise<StreamedBody> {
    const nth = this.#opened;
    const { delays, failsAt } = this.#plan;
    if (this.groups[nth] !== group) this.wrongs.push(`read ${nth} is out of turn`);
    const read = this.#read(group);
    for (let turn = delays[nth % delays.length] ?? 0; turn > 0; turn -= 1) await new Promise(setImmediate);
    if (nth !== failsAt) return read;
    read.discard();
    throw new Error('no upstream');
  }

  #read({ first, last }: SpanGroup): StreamedBody {
    const extent = { first, last, total: TOTAL };
    const { breaks } = this.#plan;
    const breaksAt = breaks[this.#opened % breaks.length];
    this.#opened += 1;
    this.#open += 1;
    if (this.#open > READS_AT_ONCE) this.wrongs.push(`${this.#open} reads at once`);
    const breaksOff = breaksAt !== undefined && breaksAt < last - first + 1;
    if (breaksOff) this.broken += 1;
    const transfer = new Transfer({
      leg: this.#leg(first, last, breaksOff ? { how: 'failed', at: breaksAt } : { how: 'whole' }),
      limits: { stallMs: 60_000, minRate: 0, rateWindowMs: 1000 },
      extent,
      resumeElsewhere: async (from) => this.#leg(from, last, { how: 'whole' }),
    });
    let ended = false;
    const end = () => {
      if (!ended) this.#open -= 1;
      ended = true;
    };
    return {
      run: (sink) => transfer.run(sink).finally(end),
      discard: () => {
        transfer.discard();
        end();
      },
    };
  }

  #leg(first: number, last: number, fate: Fate): Leg {
    const { sizes, pulses } = this.#plan;
    const bytes = Buffer.from(CONTENT.subarray(first, last + 1));
    const ends: string[] = [];
    this.#ends.push(ends);
    return {
      upstream: 'made',
      url: 'http://made',
      source: new MadeSource({ bytes, sizes, pulses, fate }, this.books),
      startOffset: first,
      endOffset: last + 1,
      permit: { reportEnd: (verdict) => void ends.push(verdict) },
    };
  }
}

t.test('whatever ranges, upstreams and clients do', async (t) => {
  const seen = { complete: 0, left: 0, failed: 0, spliced: 0, several: 0 };
  const property = fc.asyncProperty(planArb, async (plan) => {
    const groups = planReads(
      plan.ranges.map(([first, last]) => ({ first, last })),
      TOTAL,
    );
    fc.pre(groups !== undefined);
    const trial = new Trial(plan, groups ?? []);
    const outcome = await trial.run();
    if (trial.wrongs.length > 0) throw new Error(trial.wrongs.join('; '));
    if (outcome === undefined) seen.complete += 1;
    else if (trial.sink.closed.aborted) seen.left += 1;
    else if (plan.failsAt !== undefined) seen.failed += 1;
    else throw outcome;
    if (outcome === undefined && trial.broken > 0) seen.spliced += 1;
    if (trial.groups.length > READS_AT_ONCE) seen.several += 1;
  });
  await fc.assert(property, { numRuns: propertyRuns(1500), endOnFailure: true });
  t.comment(seen);
  for (const [what, count] of Object.entries(seen)) t.ok(count > leastSeen(60), `${what} was seen`);
});

/** Reads of one small chunk each, which end by themselves. */
function smallReads(count: number) {
  const groups = Array.from({ length: count }, (_, index) => {
    const span = { first: index * 100_000, last: index * 100_000 + 9 };
    return { ...span, parts: [span] };
  });
  const frame = multipartFrame(
    'made-up',
    groups.flatMap(({ parts }) => parts),
    count * 100_000,
  );
  const counts = { opened: 0, run: 0, discarded: 0 };
  const open = async (): Promise<StreamedBody> => {
    counts.opened += 1;
    return {
      run: async (sink) => {
        counts.run += 1;
        sink.write(Buffer.from('0123456789'), () => undefined);
      },
      discard: () => {
        counts.discarded += 1;
      },
    };
  };
  return { groups, frame, counts, open };
}

const turns = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
};

t.test('small reads wait for a client that takes nothing', async (t) => {
  const { groups, frame, counts, open } = smallReads(50);
  const control = new AbortController();
  let full = true;
  let written = 0;
  const sink = {
    closed: control.signal,
    onDrain: () => undefined,
    write: (bytes: Buffer) => {
      written += bytes.length;
      return !full;
    },
  };
  const running = new RangesBody({ groups, frame, open }).run(sink);
  await turns();
  t.strictSame(counts, { opened: READS_AT_ONCE, run: 1, discarded: 0 }, 'one is sent, and few are ready');
  sink.onDrain();
  await turns();
  t.equal(counts.run, 2, 'the next one follows when there is room');
  full = false;
  sink.onDrain();
  await running;
  t.equal(counts.run, 50);
  t.equal(written, frame.length);
});

t.test('a read begins when little of those before it is to come', async (t) => {
  const length = 4 * AHEAD_BYTES;
  const groups = Array.from({ length: 3 }, (_, index) => {
    const span = { first: index * 2 * length, last: index * 2 * length + length - 1 };
    return { ...span, parts: [span] };
  });
  const frame = multipartFrame(
    'made-up',
    groups.flatMap(({ parts }) => parts),
    6 * length,
  );
  let opened = 0;
  const seen: number[] = [];
  const open = async (): Promise<StreamedBody> => {
    opened += 1;
    return {
      run: async (sink) => {
        for (let rest = length; rest > 0; rest -= AHEAD_BYTES) {
          sink.write(Buffer.alloc(AHEAD_BYTES - 1), () => undefined);
          seen.push(opened);
          sink.write(Buffer.alloc(1), () => undefined);
          seen.push(opened);
        }
      },
      discard: () => undefined,
    };
  };
  const sink = { closed: new AbortController().signal, onDrain: () => undefined, write: () => true };
  await new RangesBody({ groups, frame, open }).run(sink);
  const one = (count: number) => [count, count, count, count, count, count, count + 1, count + 1];
  t.strictSame(seen, [...one(1), ...one(2), ...one(2).map(() => 3)], 'the next one follows near the end of a long one');
});

t.test('a read is told to pause while the client takes nothing', async (t) => {
  const [group] = smallReads(1).groups;
  if (!group) return t.fail('there is a read');
  const frame = multipartFrame('made-up', group.parts, 100);
  const room = [true, false, true, true];
  const sink = { closed: new AbortController().signal, onDrain: () => undefined, write: () => room.shift() ?? false };
  const told: unknown[] = [];
  const open = async (): Promise<StreamedBody> => ({
    run: async (parts) => {
      parts.onDrain = () => told.push('go on');
      told.push(parts.write(Buffer.from('01234'), () => undefined));
      sink.onDrain();
      told.push(parts.write(Buffer.from('56789'), () => undefined));
    },
    discard: () => undefined,
  });
  await new RangesBody({ groups: [group], frame, open }).run(sink);
  t.strictSame(told, [false, 'go on', true]);
});

t.test('a client that leaves while it takes nothing ends all', async (t) => {
  const { groups, frame, counts, open } = smallReads(50);
  const control = new AbortController();
  const sink = { closed: control.signal, onDrain: () => undefined, write: () => false };
  const running = new RangesBody({ groups, frame, open }).run(sink);
  await turns();
  control.abort(new Error('left'));
  await t.rejects(running, { message: 'left' });
  await turns();
  t.strictSame(counts, { opened: READS_AT_ONCE, run: 1, discarded: READS_AT_ONCE - 1 });
});

t.test('a body that is never sent gives up the read that has begun', async (t) => {
  const { groups, frame, counts, open } = smallReads(3);
  const body = new RangesBody({ groups, frame, open, begun: await open() });
  body.discard();
  body.discard();
  await turns();
  t.strictSame(counts, { opened: 1, run: 0, discarded: 1 });
});
