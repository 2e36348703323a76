import { type ProgramEnd, runProgram } from '../../http/run-program.ts';

/** The program that speaks to the service manager: Node has no unix datagrams. */
const PROGRAM = 'systemd-notify';
/** Milliseconds for one message. The program waits until the service manager has read it. */
const TIMEOUT_MS = 5_000;

/** Receives what could not be told. */
interface ErrorLog {
  error(fields: object, message: string): void;
}

/**
 * Tells the service manager what this process does, as a unit of `Type=notify` must. Without NOTIFY_SOCKET no manager waits, and nothing is
 * told. Messages leave in order.
 */
export class ServiceManager {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #log: ErrorLog;
  readonly #socket: string;
  #last: Promise<void> = Promise.resolve();
  #phase: 'starting' | 'serving' | 'stopping' = 'starting';

  constructor(environment: NodeJS.ProcessEnv, log: ErrorLog) {
    this.#environment = { ...environment };
    this.#socket = environment.NOTIFY_SOCKET ?? '';
    this.#log = log;
  }

  /** Clients are served. */
  ready(): Promise<void> {
    this.#phase = 'serving';
    return this.#tell('READY=1', 'STATUS=Serving clients.');
  }

  /** A reload begins. The unit is `reloading` until `reloaded`. */
  reloading(): Promise<void> {
    return this.#tell('RELOADING=1', 'STATUS=Reading the configuration again.');
  }

  /** A reload is over, however it ended: the edge serves. */
  reloaded(result: 'done' | 'refused'): Promise<void> {
    const status =
      result === 'done'
        ? 'Serving clients.'
        : 'Serving clients by the old configuration: the new one is refused, and the log says why.';
    return this.#tell('READY=1', `STATUS=${status}`);
  }

  /** The stop begins. @param withinMs milliseconds that it may take, which the manager grants even beyond TimeoutStopSec= */
  stopping(withinMs: number): Promise<void> {
    const told = this.#tell(
      'STOPPING=1',
      `STATUS=Stopping: transfers under way have at most ${Math.ceil(withinMs / 1000)} s.`,
      `EXTEND_TIMEOUT_USEC=${withinMs * 1000}`,
    );
    this.#phase = 'stopping';
    return told;
  }

  #tell(...states: string[]): Promise<void> {
    // A reload must not say READY=1 before the start is over, or after STOPPING=1.
    if (this.#socket === '' || this.#phase !== 'serving') return this.#last;
    this.#last = this.#last.then(() => this.#send(states));
    return this.#last;
  }

  async #send(states: string[]): Promise<void> {
    const [variable = ''] = states;
    const ended = await runProgram({
      program: PROGRAM,
      args: states,
      environment: this.#environment,
      variables: { NOTIFY_SOCKET: this.#socket },
      withErrors: false,
      take: () => true,
      timeout: TIMEOUT_MS,
    });
    if (ended.how === 'ended' && ended.status === 0) return;
    this.#log.error({ variable, reason: reasonOf(ended) }, NOT_TOLD);
  }
}

const NOT_TOLD =
  'the service manager could not be told; it may take this edge for one that never started, and end it. Install systemd-notify, or set Type=exec in the unit';

function reasonOf(end: ProgramEnd): string {
  if (end.how === 'not started') return `${PROGRAM} cannot be run: ${end.code}`;
  return end.how === 'ended' ? `${PROGRAM} ended with ${end.status}` : `${PROGRAM} did not end within ${TIMEOUT_MS} ms`;
}
