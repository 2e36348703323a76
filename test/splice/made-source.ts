import { type BodySink, type BodySource, Chunk } from '../../src/upstream/body/body-source.ts';
import { UpstreamError } from '../../src/upstream/upstream-error.ts';

/** When the next step of something made up is taken. */
export type Pulse = 'now' | 'microtask' | 'immediate';

export function after(pulse: Pulse, step: () => void): void {
  if (pulse === 'now') step();
  else if (pulse === 'microtask') queueMicrotask(step);
  else setImmediate(step);
}

/** How a made-up body ends: as it should, or after so many bytes. */
export type Fate =
  | { how: 'whole' | 'endless' }
  | { how: 'failed' | 'end' | 'stall'; at: number }
  /** So many bytes more than were announced. */
  | { how: 'longer'; by: number };

export interface Body {
  bytes: Buffer;
  /** Sizes of its chunks, in turn. */
  sizes: readonly number[];
  pulses: readonly Pulse[];
  fate: Fate;
}

/** Every chunk that is out. */
export class Books {
  readonly out = new Set<Chunk>();

  /** A chunk whose memory is somebody else's after its last release. */
  chunk(bytes: Buffer): Chunk {
    const memory = Buffer.from(bytes);
    const chunk = new Chunk(memory, () => {
      this.out.delete(chunk);
      memory.fill(0xee);
    });
    this.out.add(chunk);
    return chunk;
  }
}

/** A body that comes as it is told to, and keeps to what a source promises. */
export class MadeSource implements BodySource {
  state: 'new' | 'open' | 'over' | 'destroyed' = 'new';
  /** What was done to it that must not be. */
  readonly wrongs: string[] = [];
  readonly #body: Body;
  readonly #books: Books;
  #sink: BodySink | undefined;
  #sent = 0;
  #chunks = 0;
  #paused = false;
  #due = false;

  constructor(body: Body, books: Books) {
    this.#body = body;
    this.#books = books;
  }

  get sent(): number {
    return this.#sent;
  }

  start(sink: BodySink): void {
    if (this.state !== 'new') this.wrongs.push(`started when ${this.state}`);
    this.state = 'open';
    this.#sink = sink;
    this.#next();
  }

  resume(): void {
    if (this.state === 'new') this.wrongs.push('resumed before it was started');
    if (this.state !== 'open') return;
    if (!this.#paused) this.wrongs.push('resumed, but nobody had told it to wait');
    this.#paused = false;
    this.#next();
  }

  destroy(): void {
    if (this.state !== 'over') this.state = 'destroyed';
  }

  get #length(): number {
    const { bytes, fate } = this.#body;
    if ('at' in fate) return Math.min(fate.at, bytes.length);
    return bytes.length + (fate.how === 'longer' ? fate.by : 0);
  }

  /** Takes the steps that are due at once, and lets the next one come in its time. */
  #next(): void {
    if (this.#due) return;
    this.#due = true;
    const { pulses } = this.#body;
    let going = true;
    while (going) {
      const pulse = pulses[this.#chunks % pulses.length] ?? 'immediate';
      if (pulse !== 'now') {
        after(pulse, () => {
          this.#due = false;
          if (this.#step()) this.#next();
        });
        return;
      }
      going = this.#step();
    }
    this.#due = false;
  }

  /** @returns whether there is another one */
  #step(): boolean {
    const { bytes, fate, sizes } = this.#body;
    const left = this.#length - this.#sent;
    // What breaks off does so even while nobody wants more of it.
    if (this.state !== 'open' || (this.#paused && left > 0)) return false;
    if (left === 0) {
      if (fate.how === 'stall' || fate.how === 'endless') return false;
      this.state = 'over';
      if (fate.how === 'failed') this.#sink?.failed(new UpstreamError('reset', 'made up'));
      else this.#sink?.end();
      return false;
    }
    const size = Math.min(sizes[this.#chunks % sizes.length] ?? 1, left);
    this.#chunks += 1;
    const chunk = this.#books.chunk(Buffer.concat([bytes.subarray(this.#sent, this.#sent + size)], size));
    this.#sent += size;
    if (this.#sink?.data(chunk) !== true) this.#paused = true;
    return this.state === 'open' && (!this.#paused || this.#sent === this.#length);
  }
}
