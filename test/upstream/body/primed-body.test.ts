import { PassThrough, Readable } from 'node:stream';
import t from 'tap';
import { type BodySink, Chunk } from '../../../src/upstream/body/body-source.ts';
import { PrimedBody } from '../../../src/upstream/body/primed-body.ts';
import { ReadableSource } from '../../../src/upstream/body/readable-source.ts';
import { StreamedBody } from '../../../src/upstream/body/streamed-body.ts';
import { UpstreamError } from '../../../src/upstream/upstream-error.ts';

/** A source that does what the test says, when it says so. */
class HandSource extends StreamedBody {
  sink: BodySink | undefined;
  readonly calls: string[] = [];

  start(sink: BodySink): void {
    this.calls.push('start');
    this.sink = sink;
  }

  resume(): void {
    this.calls.push('resume');
  }

  destroy(): void {
    this.calls.push('destroy');
  }
}

/** Notes what comes. */
class Notes implements BodySink {
  readonly all: string[] = [];
  more = true;

  data(chunk: Chunk): boolean {
    this.all.push(chunk.bytes.toString());
    chunk.release();
    return this.more;
  }

  end(): void {
    this.all.push('END');
  }

  failed(error: UpstreamError): void {
    this.all.push(`FAILED ${error.reason}`);
  }
}

let live = 0;
function chunk(text: string): Chunk {
  live += 1;
  return new Chunk(Buffer.from(text), () => {
    live -= 1;
  });
}

const broken = () => new UpstreamError('reset', 'made up');
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A source, and its body as soon as `first` has happened. */
async function primed(first: (sink: BodySink) => void): Promise<{ source: HandSource; body: PrimedBody }> {
  const source = new HandSource();
  const promise = PrimedBody.prime(source, new AbortController().signal);
  if (source.sink) first(source.sink);
  return { source, body: await promise };
}

t.test('a body whose first bytes are there', async (t) => {
  const { source, body } = await primed((sink) => t.equal(sink.data(chunk('first')), false, 'no more for now'));
  const notes = new Notes();
  t.strictSame(source.calls, ['start']);
  body.start(notes);
  t.strictSame(source.calls, ['start', 'resume']);
  t.equal(source.sink?.data(chunk('second')), true);
  notes.more = false;
  t.equal(source.sink?.data(chunk('third')), false, 'backpressure goes through');
  body.resume();
  source.sink?.end();
  t.strictSame(notes.all, ['first', 'second', 'third', 'END']);
  t.strictSame(source.calls, ['start', 'resume', 'resume']);
});

t.test('a beginning of several pieces', async (t) => {
  const deadlineReached = new AbortController();
  const source = new HandSource();
  let there = false;
  const promise = PrimedBody.prime(source, new AbortController().signal, {
    bytes: 8,
    deadlineReached: deadlineReached.signal,
  });
  void promise.then(() => {
    there = true;
  });
  for (const text of ['one', 'two', 't']) t.equal(source.sink?.data(chunk(text)), true, 'it is still waited for');
  await turn();
  t.notOk(there);
  t.equal(source.sink?.data(chunk('hree')), false, 'enough');
  const body = await promise;
  deadlineReached.abort();
  const notes = new Notes();
  notes.more = false;
  body.start(notes);
  t.strictSame(notes.all, ['one'], 'no faster than the sink wants it');
  body.resume();
  t.strictSame(notes.all, ['one', 'two']);
  notes.more = true;
  t.strictSame(source.calls, ['start']);
  body.resume();
  t.strictSame(notes.all, ['one', 'two', 't', 'hree']);
  t.strictSame(source.calls, ['start', 'resume'], 'the source goes on after all of them');
  source.sink?.data(chunk('four'));
  source.sink?.end();
  t.strictSame(notes.all.slice(4), ['four', 'END']);
});

t.test('what ends a beginning before it is all there', async (t) => {
  const cases: [says: string, end: (sink: BodySink, deadlineReached: AbortController) => void, seen: string[]][] = [
    ['the end of the body', (sink) => sink.end(), ['a', 'b', 'END']],
    ['a reset: who goes on is for the transfer to find', (sink) => sink.failed(broken()), ['a', 'b', 'FAILED reset']],
    ['the time', (_, deadlineReached) => deadlineReached.abort(), ['a', 'b']],
  ];
  for (const [says, end, seen] of cases) {
    const deadlineReached = new AbortController();
    const source = new HandSource();
    const promise = PrimedBody.prime(source, new AbortController().signal, {
      bytes: 1000,
      deadlineReached: deadlineReached.signal,
    });
    source.sink?.data(chunk('a'));
    source.sink?.data(chunk('b'));
    if (source.sink) end(source.sink, deadlineReached);
    const body = await promise;
    const notes = new Notes();
    body.start(notes);
    t.strictSame(notes.all, seen, says);
    t.strictSame(source.calls, ['start']);
  }
});

t.test('at the deadline, one byte is enough to begin', async (t) => {
  const deadlineReached = new AbortController();
  const { signal } = new AbortController();
  const source = new HandSource();
  const promise = PrimedBody.prime(source, signal, { bytes: 1000, deadlineReached: deadlineReached.signal });
  deadlineReached.abort();
  t.equal(source.sink?.data(chunk('first')), false, 'the first byte that comes will do');
  (await promise).destroy();

  const later = new HandSource();
  const begun = PrimedBody.prime(later, signal, { bytes: 1000, deadlineReached: deadlineReached.signal });
  t.equal(later.sink?.data(chunk('first')), false, 'of who begins later, too');
  (await begun).destroy();

  const flowing = new HandSource();
  const soon = new AbortController();
  const some = PrimedBody.prime(flowing, signal, { bytes: 1000, deadlineReached: soon.signal });
  t.equal(flowing.sink?.data(chunk('some')), true);
  soon.abort();
  const body = await some;
  t.equal(flowing.sink?.data(chunk('more')), false, 'what was told to go on may do so before the start');
  const notes = new Notes();
  body.start(notes);
  t.strictSame(notes.all, ['some', 'more']);
  t.strictSame(flowing.calls, ['start', 'resume']);

  const left = new AbortController();
  const cancelled = new HandSource();
  const nobody = PrimedBody.prime(cancelled, left.signal, { bytes: 1000 });
  cancelled.sink?.data(chunk('some'));
  left.abort(new Error('left'));
  await t.rejects(nobody, /left/);
  t.strictSame(cancelled.calls, ['start', 'destroy']);
});

t.test('a source that ends while the sink holds what was kept', async (t) => {
  for (const [end, last] of [
    [(sink: BodySink) => sink.end(), 'END'],
    [(sink: BodySink) => sink.failed(broken()), 'FAILED reset'],
  ] as const) {
    const soon = new AbortController();
    const source = new HandSource();
    const promise = PrimedBody.prime(source, new AbortController().signal, {
      bytes: 1000,
      deadlineReached: soon.signal,
    });
    for (const text of ['a', 'b']) source.sink?.data(chunk(text));
    soon.abort();
    const body = await promise;
    const notes = new Notes();
    notes.more = false;
    body.start(notes);
    if (source.sink) end(source.sink);
    t.strictSame(notes.all, ['a'], 'not before the rest');
    body.resume();
    t.strictSame(notes.all, ['a', 'b', last]);
  }
});

t.test('a sink that is full at once', async (t) => {
  const { source, body } = await primed((sink) => sink.data(chunk('first')));
  const notes = new Notes();
  notes.more = false;
  body.start(notes);
  t.strictSame(source.calls, ['start'], 'nothing more is asked for');
  body.resume();
  t.strictSame(source.calls, ['start', 'resume']);
});

t.test('what happens between the first bytes and the start', async (t) => {
  const cases: [says: string, first: (sink: BodySink) => void, seen: string[]][] = [
    ['no bytes at all', (sink) => sink.end(), ['END']],
    [
      'the end',
      (sink) => {
        sink.data(chunk('all'));
        sink.end();
      },
      ['all', 'END'],
    ],
    [
      'a reset',
      (sink) => {
        sink.data(chunk('some'));
        sink.failed(broken());
      },
      ['some', 'FAILED reset'],
    ],
  ];
  for (const [says, first, seen] of cases) {
    const { source, body } = await primed(first);
    const notes = new Notes();
    notes.more = false;
    body.start(notes);
    t.strictSame(notes.all, seen, says);
    t.notOk(source.calls.includes('resume'));
  }
});

t.test('a sink that drops it while it starts', async (t) => {
  const { source, body } = await primed((sink) => {
    sink.data(chunk('wrong'));
    sink.end();
  });
  const notes = new Notes();
  body.start({
    data: (one) => {
      one.release();
      body.destroy();
      return false;
    },
    end: () => notes.end(),
    failed: (error) => notes.failed(error),
  });
  t.strictSame(notes.all, [], 'nothing is called after that');
  t.strictSame(source.calls, ['start', 'destroy']);
});

t.test('one that is dropped before it is started', async (t) => {
  const { source, body } = await primed((sink) => sink.data(chunk('first')));
  body.destroy();
  body.destroy();
  source.sink?.data(chunk('late'));
  source.sink?.failed(broken());
  t.ok(source.calls.includes('destroy'));
});

t.test('one that does not keep to what a source promises', async (t) => {
  const { source } = await primed((sink) => sink.data(chunk('first')));
  t.equal(source.sink?.data(chunk('second')), false);
  t.ok(source.calls.includes('destroy'), 'is closed');
});

t.test('no first byte', async (t) => {
  const failing = new HandSource();
  const failed = PrimedBody.prime(failing, new AbortController().signal);
  failing.sink?.failed(broken());
  await t.rejects(failed, broken());

  const gone = new AbortController();
  const silent = new HandSource();
  const aborted = PrimedBody.prime(silent, gone.signal);
  gone.abort(new Error('left'));
  await t.rejects(aborted, /left/);
  t.strictSame(silent.calls, ['start', 'destroy']);

  const before = new HandSource();
  await t.rejects(PrimedBody.prime(before, gone.signal), /left/);
  t.strictSame(before.calls, ['destroy'], 'is not even started');

  const later = new AbortController();
  const source = new HandSource();
  const promise = PrimedBody.prime(source, later.signal);
  source.sink?.data(chunk('first'));
  const body = await promise;
  later.abort(new Error('left'));
  t.strictSame(source.calls, ['start'], 'the signal does nothing more');
  body.destroy();
});

t.test('bodies that are read whole, or thrown away', async (t) => {
  const started = async (act: (body: StreamedBody) => Promise<unknown>, feed: (sink: BodySink) => void) => {
    const source = new HandSource();
    const promise = act(source).then(
      (value) => value ?? 'done',
      (error: unknown) => error,
    );
    if (source.sink) feed(source.sink);
    return { result: await promise, calls: source.calls };
  };
  const signal = new AbortController().signal;
  const all = (sink: BodySink) => {
    sink.data(chunk('hello '));
    sink.data(chunk('world'));
    sink.end();
  };
  const short = (sink: BodySink) => {
    sink.data(chunk('hello'));
    sink.failed(broken());
  };
  t.match(await started((body) => body.read(11, signal), all), {
    result: Buffer.from('hello world'),
    calls: ['start'],
  });
  t.match(await started((body) => body.read(10, signal), all), { result: { reason: 'too-large' } });
  t.match(await started((body) => body.read(10, signal), short), { result: broken() });
  t.match(await started((body) => body.dump({ limit: 11 }), all), { result: 'done', calls: ['start'] });
  t.match(await started((body) => body.dump({ limit: 10, signal }), all), {
    result: 'done',
    calls: ['start', 'destroy'],
  });
  t.match(await started((body) => body.dump({ limit: 10 }), short), { result: 'done' });
  for (const act of ['dump', 'read'] as const) {
    const control = new AbortController();
    const source = new HandSource();
    const { signal } = control;
    const promise: Promise<unknown> = act === 'dump' ? source.dump({ limit: 10, signal }) : source.read(10, signal);
    source.sink?.data(chunk('hello'));
    control.abort(new Error('left'));
    await t.rejects(promise, /left/, act);
    t.ok(source.calls.includes('destroy'));
    const late: Promise<unknown> = new HandSource().read(10, signal);
    await t.rejects(late, /left/, 'one whose client has left already');
  }
});

t.test('streams of Node as sources', async (t) => {
  const whole = new Notes();
  new ReadableSource(Readable.from([Buffer.from('a'), Buffer.from('b')], { objectMode: false })).start(whole);
  while (!whole.all.includes('END')) await turn();
  t.equal(whole.all.join(''), 'abEND');

  const stream = new PassThrough();
  const source = new ReadableSource(stream);
  const notes = new Notes();
  notes.more = false;
  source.start(notes);
  stream.write('a');
  await turn();
  stream.write('b');
  await turn();
  t.strictSame(notes.all, ['a'], 'it waits');
  source.resume();
  await turn();
  t.strictSame(notes.all, ['a', 'b']);
  stream.destroy(new Error('read ECONNRESET'));
  await turn();
  t.strictSame(notes.all, ['a', 'b', 'FAILED reset']);
  source.destroy();

  const early = new PassThrough();
  const broke = new ReadableSource(early);
  early.destroy(new Error('other side closed'));
  await turn();
  const late = new Notes();
  broke.start(late);
  t.strictSame(late.all, ['FAILED short'], 'one that broke off before it was started');

  const silently = new PassThrough();
  const dropped = new Notes();
  const closed = new ReadableSource(silently);
  closed.start(dropped);
  silently.destroy();
  await turn();
  t.strictSame(dropped.all, ['FAILED short'], 'one that is closed without a word');

  const unwanted = new PassThrough();
  const nothing = new Notes();
  const given = new ReadableSource(unwanted);
  unwanted.write('a');
  given.start(nothing);
  given.destroy();
  given.destroy();
  await turn();
  t.strictSame(nothing.all, [], 'one that was destroyed says nothing');
  t.ok(unwanted.destroyed);
});

t.test('and every chunk was released', async (t) => {
  t.equal(live, 0);
});
