import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { UploadTimeout } from '../../../src/replication/copy/upload-timeout.ts';
import { stayAlive } from '../../helpers/stay-alive.ts';

const never = new AbortController().signal;
stayAlive(t);

async function* pieces(count: number, pause = 0): AsyncGenerator<Buffer> {
  for (let piece = 0; piece < count; piece += 1) {
    await delay(pause);
    yield Buffer.alloc(10);
  }
}

t.test('a slow source is waited for, a registry that takes nothing is not', async (t) => {
  const watch = new UploadTimeout(never, { answerMs: 10_000, idleMs: 60 });
  let taken = 0;
  for await (const piece of watch.watch(pieces(4, 100))) taken += piece.length;
  t.equal(taken, 40);
  t.equal(watch.sentBytes, 40);
  t.equal(watch.signal.aborted, false, 'the source was slow, and that is all');
  watch.end();
  const stuck = new UploadTimeout(never, { answerMs: 10_000, idleMs: 60 });
  for await (const _ of stuck.watch(pieces(1))) await delay(150);
  t.equal(stuck.signal.aborted, true);
  t.match(stuck.signal.reason, { name: 'UpstreamError', reason: 'stall', message: /0\.06 s/ });
});

t.test('the time for the answer begins after the last byte', async (t) => {
  const watch = new UploadTimeout(never, { answerMs: 80, idleMs: 60 });
  for await (const _ of watch.watch(pieces(3, 60))) t.equal(watch.signal.aborted, false);
  await delay(150);
  t.match(watch.signal.reason, { reason: 'stall' });
  const bare = new UploadTimeout(never, { answerMs: 50 });
  await delay(120);
  t.equal(bare.signal.aborted, true, 'without a body from the beginning');
});

t.test('after the end no timeout fires', async (t) => {
  const watch = new UploadTimeout(never, { answerMs: 30 });
  watch.end();
  await delay(80);
  t.equal(watch.signal.aborted, false);
});

t.test('the end stops a source that is still read', async (t) => {
  const watch = new UploadTimeout(never, { answerMs: 1000 });
  const body = watch.watch(pieces(5));
  await body.next();
  watch.end();
  t.equal(watch.signal.aborted, true);
  await body.return(undefined);
});

t.test('the parent signal ends the upload', async (t) => {
  const abort = new AbortController();
  const watch = new UploadTimeout(abort.signal, { answerMs: 1000 });
  abort.abort(new Error('enough'));
  t.match(watch.signal.reason, { message: 'enough' });
  t.match(new UploadTimeout(abort.signal, { answerMs: 1000 }).signal.reason, { message: 'enough' });
});
