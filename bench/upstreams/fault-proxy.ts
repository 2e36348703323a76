import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Program } from '../../test/helpers/program.ts';
import { type Owner, temporaryFolder } from '../../test/helpers/temporary-folder.ts';
import type { FaultProxyPorts, Faults } from './faults.ts';

const SCRIPT = join(import.meta.dirname, 'fault-proxy-process.ts');
/** More connections than fit into the backlogs of its listeners. */
const FILLERS = 64;

/** A process in front of a registry that forwards requests unchanged until faults are set. */
export class FaultProxy {
  readonly #owner: Owner;
  readonly #program: Program;
  readonly #ports: FaultProxyPorts;
  #fillers: Socket[] = [];

  private constructor(owner: Owner, program: Program, ports: FaultProxyPorts) {
    this.#owner = owner;
    this.#program = program;
    this.#ports = ports;
  }

  /** @param to `127.0.0.1:PORT`; `lines`: number of listeners that lead there */
  static async start(owner: Owner, to: string, lines: number): Promise<FaultProxy> {
    const logFile = join(temporaryFolder(owner), 'fault-proxy.log');
    const args = [SCRIPT, to, String(lines)];
    const program = new Program(owner, { command: process.execPath, args, logFile });
    program.start();
    const [line] = await program.waitForLog(/^\{.*\}$/m);
    return new FaultProxy(owner, program, JSON.parse(line));
  }

  /** `127.0.0.1:PORT` of each listener. */
  get addresses(): string[] {
    return this.#ports.lines.map((port) => `127.0.0.1:${port}`);
  }

  /** Applies from the next request on; `{}` ends all faults. */
  async set(faults: Faults): Promise<void> {
    await this.#control('PUT', JSON.stringify(faults));
  }

  /** Number of requests for content at each listener. */
  requests(): Promise<number[]> {
    return this.#control('GET');
  }

  /**
   * Acts as if packets were dropped: open connections are silent, and new ones do not open. This needs no privileges, because the kernel
   * answers no SYN for a listener whose backlog is full, and this listener accepts nothing.
   */
  async swallow(): Promise<void> {
    this.#program.signal('SIGSTOP');
    const fillers = this.#ports.lines.flatMap((port) =>
      Array.from({ length: FILLERS }, () => connect(port, '127.0.0.1')),
    );
    this.#fillers = fillers;
    this.#owner.teardown(() => this.#release());
    // The fillers fail when they are released, as intended.
    for (const filler of fillers) filler.on('error', () => filler.destroy());
    await delay(50);
  }

  /** Ends `swallow`. */
  unswallow(): void {
    this.#release();
    this.#program.signal('SIGCONT');
  }

  #release(): void {
    for (const filler of this.#fillers) filler.destroy();
    this.#fillers = [];
  }

  async #control(method: string, body?: string): Promise<number[]> {
    const url = `http://127.0.0.1:${this.#ports.control}/`;
    const response = await fetch(url, { method, ...(body === undefined ? {} : { body }) });
    return (await response.json()) as number[];
  }
}
