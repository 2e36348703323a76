import { createRequire, syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';
import timersPromises from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Owner } from '../helpers/temporary-folder.ts';
import { cryptInline, rememberSecret, SECRET_KEYS } from './inline-crypto.ts';

interface Timer {
  at: number;
  /** Of timers for the same moment, the one that was set first runs first. */
  order: number;
  run: () => unknown;
  everyMs: number | undefined;
}

/** All timers of undici's connections hang on one of Node's, which undici keeps. Its tests begin anew like this. */
const undiciTimers = createRequire(import.meta.url)('undici/lib/util/timers.js') as { reset: () => void };

/** Turns of the event loop without any input or output after which all that was to happen now has happened. */
const QUIET_TURNS = 3;

/**
 * Time that passes only when a search lets it pass, for everything in this process: timers, `Date`, `performance.now` and
 * `AbortSignal.timeout`. Sockets stay real. So hours of a schedule take milliseconds, and no busy machine makes an answer late.
 * `Math.random` begins anew, so that the same schedule has the same jitter.
 */
export class VirtualTime {
  readonly #timers = new Map<number, Timer>();
  readonly #restore: (() => void)[] = [];
  /** By the monotonic clock, time starts with a whole second: what is rounded is then the same each time. */
  readonly #origin = Math.ceil((performance.timeOrigin + performance.now()) / 1000) * 1000 - performance.timeOrigin;
  #passed = 0;
  #nextId = 1;
  /** Operations of other threads that will still call back. */
  #elsewhere = 0;

  /** @param chance seed of `Math.random` */
  constructor(owner: Owner, chance = 0) {
    undiciTimers.reset();
    this.#replace(Math, { random: randomNumbers(chance) });
    // An idle time of a socket would be real: on a busy machine, connections that are kept alive would end within a schedule.
    const setTimeout = function (this: Socket) {
      return this;
    };
    this.#replace(Socket.prototype, { setTimeout });
    this.#replaceTimers();
    this.#replaceClocks();
    this.#countCrypto();
    this.#countWorkers();
    owner.teardown(() => this.#end());
  }

  /** Milliseconds since the start of the search. */
  get now(): number {
    return this.#passed;
  }

  /** Lets time pass, with all that happens in it. */
  async pass(ms: number): Promise<void> {
    const end = this.#passed + ms;
    for (;;) {
      await this.settle();
      const next = this.#next();
      if (next === undefined || next.at > end) break;
      this.#fire(next);
    }
    this.#passed = end;
    await this.settle();
  }

  /** The result of what takes no more than so much time. @throws Error when that is over; what the promise throws */
  async waitFor<T>(promise: Promise<T>, atMostMs: number, what: string): Promise<T> {
    let over = false;
    const end = this.#passed + atMostMs;
    const mark = () => {
      over = true;
    };
    promise.then(mark, mark);
    for (;;) {
      await this.settle();
      if (over) return promise;
      const next = this.#next();
      if (next === undefined || next.at > end) throw new Error(`${what} took more than ${atMostMs} ms`);
      this.#fire(next);
    }
  }

  /** Resolves once nothing happens any more unless time passes. */
  async settle(): Promise<void> {
    let events = inputAndOutput();
    for (let quiet = 0; quiet < QUIET_TURNS; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const now = inputAndOutput();
      quiet = now === events && this.#elsewhere === 0 ? quiet + 1 : 0;
      events = now;
    }
  }

  #next(): (Timer & { id: number }) | undefined {
    let found: (Timer & { id: number }) | undefined;
    for (const [id, timer] of this.#timers)
      if (!found || timer.at < found.at || (timer.at === found.at && timer.order < found.order))
        found = { id, ...timer };
    return found;
  }

  #fire({ id, at, run, everyMs }: Timer & { id: number }): void {
    this.#passed = Math.max(this.#passed, at);
    if (everyMs === undefined) this.#timers.delete(id);
    else this.#set(id, everyMs, run, everyMs);
    run();
  }

  #set(id: number, ms: number, run: () => unknown, everyMs?: number): void {
    this.#timers.delete(id);
    this.#timers.set(id, { at: this.#passed + bounded(ms), order: id, run, everyMs });
  }

  /** A timer as Node's own ones are. */
  #timer(ms: number, run: () => unknown, everyMs?: number): NodeJS.Timeout {
    const id = this.#nextId++;
    this.#set(id, ms, run, everyMs);
    const timer = {
      ref: () => timer,
      unref: () => timer,
      hasRef: () => false,
      refresh: () => {
        this.#set(id, ms, run, everyMs);
        return timer;
      },
      close: () => this.#timers.delete(id),
      [Symbol.toPrimitive]: () => id,
      [Symbol.dispose]: () => this.#timers.delete(id),
    };
    return timer as unknown as NodeJS.Timeout;
  }

  #clear(timer: unknown): void {
    if (timer !== undefined && timer !== null) this.#timers.delete(Number(timer));
  }

  #replaceTimers(): void {
    const set = (run: (...given: unknown[]) => unknown, ms = 1, ...given: unknown[]) =>
      this.#timer(ms, () => run(...given));
    const setEvery = (run: (...given: unknown[]) => unknown, ms = 1, ...given: unknown[]) =>
      this.#timer(ms, () => run(...given), bounded(ms));
    const clear = (timer: unknown) => this.#clear(timer);
    this.#replace(globalThis, { setTimeout: set, setInterval: setEvery, clearTimeout: clear, clearInterval: clear });
    this.#replace(timersPromises, {
      setTimeout: (ms = 1, value?: unknown, options: { signal?: AbortSignal } = {}) => this.#wait(ms, value, options),
    });
    this.#replace(AbortSignal, {
      timeout: (ms: number) => {
        const controller = new AbortController();
        const late = () => new DOMException('The operation was aborted due to timeout', 'TimeoutError');
        this.#timer(ms, () => controller.abort(late()));
        return controller.signal;
      },
    });
  }

  #wait(ms: number, value: unknown, { signal }: { signal?: AbortSignal }): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const aborted = () => {
        this.#clear(timer);
        const error = new Error('The operation was aborted', { cause: signal?.reason });
        error.name = 'AbortError';
        reject(error);
      };
      const timer = this.#timer(ms, () => {
        signal?.removeEventListener('abort', aborted);
        resolve(value);
      });
      if (signal?.aborted) aborted();
      else signal?.addEventListener('abort', aborted, { once: true });
    });
  }

  #replaceClocks(): void {
    const Real = globalThis.Date;
    const wall = Math.round(performance.timeOrigin + this.#origin);
    const now = () => Math.floor(wall + this.#passed);
    class VirtualDate extends Real {
      constructor(...given: unknown[]) {
        if (given.length === 0) super(now());
        else super(...(given as [number]));
      }

      static override now(): number {
        return now();
      }
    }
    this.#replace(globalThis, { Date: VirtualDate });
    this.#replace(performance, { now: () => this.#origin + this.#passed });
  }

  /** What is left of WebCrypto works in other threads, so its results come at a time of their own. */
  #countCrypto(): void {
    const subtle = Object.getPrototypeOf(globalThis.crypto.subtle);
    this.#replace(SECRET_KEYS, { toCryptoKey: rememberSecret });
    for (const name of Object.getOwnPropertyNames(subtle)) {
      const real = subtle[name];
      if (name === 'constructor' || typeof real !== 'function') continue;
      const counted = (self: unknown, given: unknown[]): Promise<unknown> => {
        this.#elsewhere += 1;
        return real.apply(self, given).finally(() => {
          this.#elsewhere -= 1;
        });
      };
      this.#replace(subtle, {
        [name](this: unknown, ...given: unknown[]) {
          return cryptInline(name, given) ?? counted(this, given);
        },
      });
    }
  }

  /** A worker thread answers each message with one. */
  #countWorkers(): void {
    const { postMessage } = Worker.prototype;
    const unanswered = new Map<Worker, number>();
    const add = (worker: Worker, count: number) => {
      unanswered.set(worker, (unanswered.get(worker) ?? 0) + count);
      this.#elsewhere += count;
    };
    const post = (worker: Worker, given: Parameters<Worker['postMessage']>) => {
      if (!unanswered.has(worker)) {
        worker.on('message', () => add(worker, -1));
        worker.once('exit', () => add(worker, -(unanswered.get(worker) ?? 0)));
      }
      add(worker, 1);
      postMessage.apply(worker, given);
    };
    this.#replace(Worker.prototype, {
      postMessage(this: Worker, ...given: Parameters<Worker['postMessage']>) {
        post(this, given);
      },
    });
  }

  #replace(object: object, properties: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(properties)) {
      const real = Object.getOwnPropertyDescriptor(object, name);
      Object.defineProperty(object, name, { value, configurable: true, writable: true, enumerable: true });
      this.#restore.push(() => {
        if (real) Object.defineProperty(object, name, real);
        else Reflect.deleteProperty(object, name);
      });
    }
    syncBuiltinESMExports();
  }

  #end(): void {
    undiciTimers.reset();
    for (const restore of this.#restore.splice(0).toReversed()) restore();
    syncBuiltinESMExports();
    this.#timers.clear();
  }
}

/** Counts what sockets and other threads have told the event loop. */
function inputAndOutput(): number {
  return performance.nodeTiming.uvMetricsInfo.events;
}

/** The generator mulberry32. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** As Node reads a time. */
function bounded(ms: number): number {
  return ms >= 1 && ms <= 2_147_483_647 ? Math.trunc(ms) : 1;
}
