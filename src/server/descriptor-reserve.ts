import { closeSync, openSync } from 'node:fs';
import { inBackground } from '../http/background.ts';

/** Descriptors that are given up when there are no others: enough for the admin listener and for probes of upstreams. */
const RESERVED = 32;
/** Descriptors are short until this many are free. */
const ENOUGH = 2 * RESERVED;
/** Interval of the checks in milliseconds. */
const CHECK_MS = 250;
/** The shortage is over when there was none for so many milliseconds. */
const CALM_MS = 10_000;
/** Other errors, such as a file system without the null device, are no shortage. */
const SHORTAGES = ['EMFILE', 'ENFILE'];

export interface DescriptorReserveOptions {
  /** Called when the last descriptor was taken, again at each check meanwhile, and when there are enough again. */
  onChange: (short: boolean) => void;
  /** Called once, when a shortage begins. @param code EMFILE (of this process) or ENFILE (of the machine) */
  onShort: (code: string) => void;
  /** Called once, when it is over. @param ms how long it lasted */
  onOver: (ms: number) => void;
  /** Opens a descriptor; default: of the null device. */
  open?: () => number;
  close?: (fd: number) => void;
  /** Monotonic milliseconds. */
  now?: () => number;
}

/**
 * Keeps descriptors in reserve. When there are no others, libuv closes each new connection of every listener without a word. The reserve
 * is then given up, so that the admin listener can still answer `/readyz`, and clients' new connections are closed until it is complete again.
 */
export class DescriptorReserve {
  readonly #options: Required<DescriptorReserveOptions>;
  #held: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #short = false;
  /** A shortage that was told and is not over: when it began, and its last moment. */
  #episode: { began: number; ended: number } | undefined;

  constructor(options: DescriptorReserveOptions) {
    this.#options = {
      open: () => openSync('/dev/null', 'r'),
      close: closeSync,
      now: () => performance.now(),
      ...options,
    };
  }

  start(): void {
    this.#take(RESERVED);
    this.#timer = setInterval(
      inBackground('descriptors', () => this.check()),
      CHECK_MS,
    ).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#release(0);
  }

  /** Looks for a free descriptor. Cheap enough for each new connection. @returns whether descriptors are short */
  check(): boolean {
    if (this.#short) this.#recover();
    else {
      const code = this.#take(this.#held.length + 1);
      if (code === undefined) this.#release(RESERVED);
      else this.#run(code);
    }
    this.#endEpisode();
    return this.#short;
  }

  #run(code: string): void {
    this.#short = true;
    this.#release(0);
    const now = this.#options.now();
    if (!this.#episode) this.#options.onShort(code);
    this.#episode ??= { began: now, ended: now };
    this.#options.onChange(true);
  }

  #recover(): void {
    this.#short = this.#take(ENOUGH) !== undefined;
    this.#release(this.#short ? 0 : RESERVED);
    if (this.#episode) this.#episode.ended = this.#options.now();
    this.#options.onChange(this.#short);
  }

  #endEpisode(): void {
    if (!this.#episode || this.#short) return;
    const { began, ended } = this.#episode;
    if (this.#options.now() - ended < CALM_MS) return;
    this.#episode = undefined;
    this.#options.onOver(ended - began);
  }

  /** Opens descriptors until `count` are held. @returns the code of a shortage, if there are not so many */
  #take(count: number): string | undefined {
    try {
      while (this.#held.length < count) this.#held.push(this.#options.open());
      return undefined;
    } catch (error) {
      return SHORTAGES.find((code) => code === (error as NodeJS.ErrnoException).code);
    }
  }

  /** Closes all but `count`. */
  #release(count: number): void {
    for (const fd of this.#held.splice(count)) this.#options.close(fd);
  }
}
