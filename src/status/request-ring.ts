import type { Observer, RequestRecord } from '../proxy/request-record.ts';

/** A request that has ended, as the ring has it. */
export interface RequestStory extends RequestRecord {
  /** Long texts and lists were cut. */
  isShortened?: true;
}

/** Bytes of a record. Most take under 1 KiB. */
const SLOT = 3072;
/** Attempts and splices of a record that is not cut from the start. */
const MAX_WHOLE = 32;
/** How a record is cut that does not fit: its texts to so many characters, its lists to so many items. */
const CUTS = [
  { text: 256, items: 8 },
  { text: 60, items: 2 },
  { text: 16, items: 1 },
] as const;

/**
 * The last requests, for `explain --request`. Each is written as text into one piece of memory: a thousand objects that live for a second
 * each would keep the garbage collector busy, and hold on to whole request targets.
 */
export class RequestRing implements Observer {
  readonly size: number;
  readonly #slots: Buffer;
  readonly #ids: (string | undefined)[];
  readonly #lengths: Uint16Array;
  #next = 0;

  constructor(size = 1000) {
    this.size = size;
    this.#slots = Buffer.alloc(size * SLOT);
    this.#ids = new Array(size).fill(undefined);
    this.#lengths = new Uint16Array(size);
  }

  record(request: RequestRecord): void {
    const slot = this.#next;
    this.#next = (slot + 1) % this.size;
    const text = textOf(request);
    this.#ids[slot] = request.id;
    this.#lengths[slot] = this.#slots.write(text, slot * SLOT, SLOT);
  }

  find(id: string): RequestStory | undefined {
    return this.#read(this.#ids.indexOf(id));
  }

  /** The record that makes room next. */
  get oldest(): RequestStory | undefined {
    return this.#read(this.#ids[this.#next] === undefined ? 0 : this.#next);
  }

  #read(slot: number): RequestStory | undefined {
    if (this.#ids[slot] === undefined) return undefined;
    const start = slot * SLOT;
    return JSON.parse(this.#slots.toString('utf8', start, start + (this.#lengths[slot] ?? 0)));
  }
}

/** The record as JSON that fits into a slot. */
function textOf(request: RequestRecord): string {
  if (request.attempts.length + request.splices.length <= MAX_WHOLE) {
    const whole = JSON.stringify(request);
    if (fits(whole)) return whole;
  }
  let text = '';
  for (const cut of CUTS) {
    const keep = (key: string, value: unknown) => (key === 'id' ? value : shortened(value, cut));
    text = JSON.stringify({ ...request, isShortened: true }, keep);
    if (fits(text)) break;
  }
  return text;
}

/** A character takes up to three bytes. */
function fits(text: string): boolean {
  return text.length * 3 <= SLOT || Buffer.byteLength(text) <= SLOT;
}

/** The first items of a list, and its last one: how it began and how it ended. */
function shortened(value: unknown, { text, items }: (typeof CUTS)[number]): unknown {
  if (typeof value === 'string') return value.length > text ? `${value.slice(0, text).toWellFormed()}…` : value;
  if (Array.isArray(value) && value.length > items) return [...value.slice(0, items - 1), value.at(-1)];
  return value;
}
