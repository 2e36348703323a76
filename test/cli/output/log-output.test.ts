import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { type DroppedLines, LogOutput } from '../../../src/cli/output/log-output.ts';
import type { LogTarget, WriteDone } from '../../../src/cli/output/log-target.ts';

/** A target that writes when the test says so. */
class HeldTarget implements LogTarget {
  blockedMs = 0;
  written = '';
  done: WriteDone | undefined;
  #bytes: Buffer = Buffer.alloc(0);

  write(bytes: Buffer, done: WriteDone): void {
    this.#bytes = bytes;
    this.done = done;
  }

  writeNow(bytes: Buffer): void {
    this.written += bytes.toString();
  }

  /** The bytes of the write under way. */
  get held(): string {
    return this.#bytes.toString();
  }

  succeed(): void {
    this.written += this.held;
    this.#end(undefined, this.#bytes.length);
  }

  fail(code: string, written = 0): void {
    this.written += this.#bytes.subarray(0, written).toString();
    this.#end(Object.assign(new Error(code), { code }), written);
  }

  #end(error: Error | undefined, written: number): void {
    const { done } = this;
    this.done = undefined;
    done?.(error, written);
  }
}

function holdTime(t: Test): void {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
}

function makeOutput() {
  const target = new HeldTarget();
  const dropped: DroppedLines[] = [];
  const errors: string[] = [];
  const output = new LogOutput({
    target,
    onResumed: (what) => {
      dropped.push(what);
      output.write(`dropped ${what.lines}\n`, true);
    },
    onError: (code) => errors.push(code),
  });
  return { output, target, dropped, errors };
}

const LINE = `${'x'.repeat(1023)}\n`;

t.test('an urgent line is written at once, with all before it', async (t) => {
  const { output, target } = makeOutput();
  output.write('one\n', false);
  output.write('two\n', false);
  t.notOk(target.done, 'ordinary lines wait');
  output.write('three\n', true);
  t.equal(target.held, 'one\ntwo\nthree\n');
  output.write('four\n', true);
  t.equal(target.held, 'one\ntwo\nthree\n', 'one write at a time');
  target.succeed();
  t.equal(target.held, 'four\n');
});

t.test('ordinary lines are written after a moment, or when they are many', async (t) => {
  holdTime(t);
  const { output, target } = makeOutput();
  output.write('one\n', false);
  mock.timers.tick(99);
  t.notOk(target.done);
  mock.timers.tick(1);
  t.equal(target.held, 'one\n');
  target.succeed();
  for (let index = 0; index < 8; index += 1) output.write(LINE, false);
  t.equal(target.held.length, 8192);
});

t.test('what a stuck reader does not take is bounded; warnings have the last quarter', async (t) => {
  const { output, target, dropped } = makeOutput();
  output.write('first\n', true);
  for (let index = 0; index < 2000; index += 1) output.write(LINE, false);
  t.equal(output.dropped, 1233);
  for (let index = 0; index < 255; index += 1) output.write(LINE, true);
  t.equal(output.dropped, 1233, 'there is room for urgent lines');
  output.write(LINE, true);
  output.write(LINE, true);
  t.equal(output.dropped, 1234, 'but not without end');
  target.succeed();
  t.match(dropped, [{ lines: 1234, code: undefined }]);
  t.ok(Date.parse(dropped[0]?.since ?? '') > 0);
  t.match(target.held, /x\ndropped 1234\n$/, 'the report stands where lines are missing');
  target.succeed();
  t.equal(dropped.length, 1, 'it is told once');
  output.write('later\n', true);
  t.equal(target.held, 'later\n');
  t.equal(output.dropped, 1234, 'the count stays');
});

t.test('after an error it tries again, and goes on where it was', async (t) => {
  holdTime(t);
  const { output, target, dropped, errors } = makeOutput();
  output.write('one\ntwo\n', true);
  target.fail('ENOSPC', 5);
  t.same(errors, ['ENOSPC']);
  output.write('three\n', true);
  t.notOk(target.done, 'not at each line');
  for (let index = 0; index < 2000; index += 1) output.write(LINE, true);
  mock.timers.tick(1000);
  t.equal(target.held, 'wo\n');
  target.fail('ENOSPC');
  mock.timers.tick(1000);
  target.succeed();
  t.equal(target.written, 'one\ntwo\n', 'no byte twice, and none missing');
  t.match(dropped, [{ lines: 2000 - 1023, code: 'ENOSPC' }]);
  t.match(target.held, /^three\nx+\n/);
});

t.test('finish waits for the last line, but not for ever', async (t) => {
  const { output, target } = makeOutput();
  await output.finish(60_000);
  output.write('one\n', false);
  const finished = output.finish(60_000);
  t.equal(target.held, 'one\n');
  output.write('two\n', true);
  target.succeed();
  target.succeed();
  await finished;
  t.equal(target.written, 'one\ntwo\n');
  output.write('three\n', true);
  await output.finish(10);
  t.ok(target.done, 'this one is still under way');
});
