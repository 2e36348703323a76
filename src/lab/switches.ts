import {
  FAULTS,
  type FaultInput,
  type FaultName,
  type FaultParameters,
  type LabKind,
  readFaultParameters,
} from './fault.ts';

/** The side of a request that faults are scoped by. */
export interface FaultSubject {
  kind: LabKind;
  /** Path and query as sent. */
  url: string;
}

/** A fault that is on. */
export interface ActiveFault {
  name: FaultName;
  parameters: FaultParameters;
  /** How many requests it has hit. */
  hits: number;
  /** When it was switched on; monotonic milliseconds. */
  since: number;
}

interface Entry extends ActiveFault {
  /** Matching requests seen, hit or not. */
  seen: number;
  ended: PromiseWithResolvers<void>;
}

/** The fault switches of one registry. */
export class FaultSwitches {
  readonly #on = new Map<FaultName, Entry>();
  readonly #changed: (name: FaultName, on: boolean) => Promise<void>;

  /** `changed` is waited for: it does what a switch means for the listener or the storage. */
  constructor(changed: (name: FaultName, on: boolean) => Promise<void>) {
    this.#changed = changed;
  }

  /**
   * Switches a fault on, or on anew with other parameters. In force for every request after the call; `down` once it resolves.
   * @throws RangeError on parameters that this fault does not take.
   */
  async on(name: FaultName, input: FaultInput = {}): Promise<void> {
    const parameters = readFaultParameters(name, input);
    const before = this.#on.get(name);
    this.#on.set(name, {
      name,
      parameters,
      hits: 0,
      since: performance.now(),
      seen: 0,
      ended: Promise.withResolvers(),
    });
    before?.ended.resolve();
    if (!before) await this.#changed(name, true);
  }

  /** Switches one off, or all. What was held by it goes on. */
  async off(name?: FaultName): Promise<void> {
    for (const entry of name === undefined ? [...this.#on.values()] : [this.#on.get(name)]) {
      if (!entry) continue;
      this.#on.delete(entry.name);
      try {
        await this.#changed(entry.name, false);
      } catch (error) {
        // Someone else took the port meanwhile: it is down still, and must say so.
        this.#on.set(entry.name, entry);
        throw error;
      }
      entry.ended.resolve();
    }
  }

  get active(): ActiveFault[] {
    return [...this.#on.values()].map(({ name, parameters, hits, since }) => ({ name, parameters, hits, since }));
  }

  isOn(name: FaultName): boolean {
    return this.#on.has(name);
  }

  /** Milliseconds for which it has been on; undefined: it is off. */
  ageMs(name: FaultName): number | undefined {
    const entry = this.#on.get(name);
    return entry && performance.now() - entry.since;
  }

  parameters(name: FaultName): FaultParameters | undefined {
    return this.#on.get(name)?.parameters;
  }

  /** Whether this request is hit, which counts. `applies` may decline for what the parameters cannot affect. */
  takeFault(
    name: FaultName,
    subject: FaultSubject,
    applies?: (parameters: FaultParameters) => boolean,
  ): ActiveFault | undefined {
    const entry = this.#match(name, subject);
    if (!entry || (applies && !applies(entry.parameters))) return undefined;
    const { times, every } = entry.parameters;
    entry.seen += 1;
    if (every !== undefined && entry.seen % every !== 0) return undefined;
    if (times !== undefined && entry.hits >= times) return undefined;
    entry.hits += 1;
    return entry;
  }

  /** Waits as long as the fault holds this request: until it is switched off, or `closed`. */
  async hold(name: FaultName, subject: FaultSubject, closed: Promise<void>): Promise<void> {
    if (!this.takeFault(name, subject)) return;
    await Promise.race([this.#on.get(name)?.ended.promise, closed]);
    await this.pause(name, subject, closed);
  }

  /** The same for a body under way, which a fault that is limited to some requests leaves alone. */
  async pause(name: FaultName, subject: FaultSubject, closed: Promise<void>): Promise<void> {
    for (;;) {
      const entry = this.#match(name, subject);
      if (!entry || entry.parameters.times !== undefined || entry.parameters.every !== undefined) return;
      const gone = await Promise.race([entry.ended.promise, closed.then(() => true)]);
      if (gone) return;
    }
  }

  /** Resolves when the fault goes off, whomever it concerns, or on `closed`. */
  async whileOn(name: FaultName, closed: Promise<void>): Promise<void> {
    await Promise.race([this.#on.get(name)?.ended.promise, closed]);
  }

  #match(name: FaultName, { kind, url }: FaultSubject): Entry | undefined {
    const entry = this.#on.get(name);
    if (!entry) return undefined;
    const kinds: readonly LabKind[] = entry.parameters.kind ?? FAULTS[name].kinds;
    if (!kinds.includes(kind)) return undefined;
    return entry.parameters.path && !entry.parameters.path.test(url) ? undefined : entry;
  }
}
