import t from 'tap';
import { ChunkWriter, type Sink } from '../../src/splice/chunk-writer.ts';
import { Chunk } from '../../src/upstream/body/body-source.ts';

/** A sink that notes what it is given, and is done with it when it is told to be. */
function heldSink() {
  const control = new AbortController();
  const writes: { bytes: Buffer; done: () => void }[] = [];
  const sink: Sink = {
    write: (bytes, done) => writes.push({ bytes, done }) < 2,
    onDrain: () => undefined,
    closed: control.signal,
  };
  return { sink, writes, close: () => control.abort() };
}

/** A chunk, and how often it was given back. */
function countedChunk(text: string) {
  const counted = { chunk: new Chunk(Buffer.from(text), () => (counted.freed += 1)), freed: 0 };
  return counted;
}

t.test('a chunk is released when the sink is done with it', async (t) => {
  const { sink, writes } = heldSink();
  const writer = new ChunkWriter(sink);
  const [one, two] = [countedChunk('one'), countedChunk('two')];
  t.equal(writer.write(one.chunk, one.chunk.bytes), true);
  t.equal(writer.write(two.chunk, two.chunk.bytes), false, 'the sink is full');
  t.strictSame(
    writes.map(({ bytes }) => String(bytes)),
    ['one', 'two'],
  );
  t.equal(one.freed, 0);
  writes[1]?.done();
  t.strictSame([one.freed, two.freed], [0, 1]);
  writes[0]?.done();
  t.strictSame([one.freed, two.freed], [1, 1]);
});

t.test('a closed sink keeps no chunk, and may be done with one later all the same', async (t) => {
  const { sink, writes, close } = heldSink();
  const writer = new ChunkWriter(sink);
  const [one, two] = [countedChunk('one'), countedChunk('two')];
  for (const { chunk } of [one, two]) writer.write(chunk, chunk.bytes);
  writes[0]?.done();
  close();
  t.strictSame([one.freed, two.freed], [1, 1]);
  for (const { done } of writes) t.doesNotThrow(done, 'nothing is released twice');
});
