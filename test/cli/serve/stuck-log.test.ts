import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { timeLimit } from '../../helpers/time-limit.ts';
import { missing } from '../../helpers/tool.ts';
import { until } from '../../helpers/until.ts';
import { Fifo, ServeProcess, stopped } from './serve-process.ts';

// Whatever becomes of standard output, the edge serves and stops.

/** Lines that fill a pipe and all that may wait. */
const MANY = 4_000;
/** The bound for the last lines is one second. */
const STOP_MS = 5_000;

/** Sends many requests, and stops it. */
async function servesAndStops(t: Test, serve: ServeProcess): Promise<void> {
  t.equal(await serve.requests(MANY), MANY, 'each request is answered');
  t.equal(await serve.ready(), 200);
  t.ok((await serve.metric('breakwater_log_lines_dropped_total')) > 0, 'dropped lines are counted');
  const { status, took } = await stopped(serve);
  t.equal(status, 0, 'SIGTERM ends it as ever');
  t.ok(took < timeLimit(STOP_MS), `within ${took} ms`);
}

t.test('a pipe that nothing reads', async (t) => {
  const fifo = await Fifo.make(t);
  await servesAndStops(t, await ServeProcess.start(t, { stdout: fifo.writeEnd }));
});

t.test('a socket that nothing reads, as of the journal', async (t) => {
  // Node makes a pair of sockets.
  const serve = await ServeProcess.start(t, { stdout: 'pipe' });
  await servesAndStops(t, serve);
});

t.test('a reader that pauses and goes on', async (t) => {
  const fifo = await Fifo.make(t);
  const serve = await ServeProcess.start(t, { stdout: fifo.writeEnd });
  t.equal(await serve.requests(MANY), MANY);
  const text = await fifo.readUntil((text) => /"dropped":.*\n$/.test(text));
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const requests = lines.filter(({ request }) => request !== undefined).length;
  const reports = lines.filter(({ dropped }) => dropped !== undefined);
  t.equal(reports.length, 1);
  t.match(reports[0], { level: 'warn', msg: /lines of the log were dropped since .*its reader did not keep up/ });
  t.equal(requests + reports[0].dropped.lines, MANY, 'each line was written, or is counted as dropped');
  t.equal(await serve.metric('breakwater_log_lines_dropped_total'), reports[0].dropped.lines);
  await serve.requests(20);
  await fifo.readUntil((text) => text.split('"request":').length - 1 === requests + 20);
  t.equal((await stopped(serve)).status, 0);
  t.match(await fifo.readUntil((text) => text.includes('"stopped"')), /"msg":"drained"/, 'the last lines are read');
});

t.test('a reader that goes away, and another one that comes', async (t) => {
  const fifo = await Fifo.make(t);
  const serve = await ServeProcess.start(t, { stdout: fifo.writeEnd });
  await fifo.readUntil((text) => text.includes('"listening"'));
  fifo.close();
  t.equal(await serve.requests(40), 40);
  t.equal(await serve.ready(), 200);
  fifo.open();
  await fifo.readUntil((text) => text.split('"request":').length - 1 === 40);
  fifo.close();
  t.equal((await stopped(serve)).status, 0);
});

t.test('kill -9 loses at most a second of lines', async (t) => {
  const fifo = await Fifo.make(t);
  const serve = await ServeProcess.start(t, { stdout: fifo.writeEnd });
  t.equal(await serve.requests(20), 20);
  await sleep(timeLimit(1000));
  serve.child.kill('SIGKILL');
  await serve.ended();
  await fifo.readUntil((text) => text.split('"request":').length - 1 === 20);
});

t.test('a socket whose other end is closed', async (t) => {
  const serve = await ServeProcess.start(t, { stdout: 'pipe' });
  serve.child.stdout?.destroy();
  await once(serve.child.stdout as NodeJS.ReadableStream, 'close');
  await servesAndStops(t, serve);
});

t.test('a full disk', async (t) => {
  const full = openSync('/dev/full', 'a');
  t.teardown(() => closeSync(full));
  await servesAndStops(t, await ServeProcess.start(t, { stdout: full, stderr: full }));
});

t.test('a terminal that takes nothing', { skip: missing('script') }, async (t) => {
  // As after Ctrl-S, or in a session whose ssh hangs: the reader of the terminal has stopped.
  const fifo = await Fifo.make(t);
  const shell = 'command="exec $*"; exec script -qefc "$command" /dev/null';
  const serve = await ServeProcess.start(t, { stdout: fifo.writeEnd, shell });
  t.equal(await serve.requests(1_500, '/v2/app/manifests/1'), 1_500);
  t.equal(await serve.ready(), 200);
  const pid = readFileSync(`/proc/${serve.child.pid}/task/${serve.child.pid}/children`, 'utf8').trim();
  process.kill(Number(pid), 'SIGTERM');
  // `script` is stuck as well, and does not take its exit status.
  await until(() => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')), { timeout: STOP_MS, what: () => 'its end' });
  t.match(readFileSync(`/proc/${pid}/stat`, 'utf8'), / 0\n$/, 'exit status 0');
});
