import { writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Logger } from 'pino';
import type { Loaded } from '../config/load.ts';

/**
 * Tells keepalived by a file that it watches (`track_file` with weight 0): 0 while this node may hold the VIP, 1 while it must not. keepalived
 * reads the file when it is closed after a write, so it is written in place.
 */
export class LeaveFile {
  readonly #log: Logger;
  #path: string | undefined;

  constructor(loaded: Loaded, log: Logger) {
    this.#log = log;
    this.#path = pathOf(loaded);
  }

  /** Takes the name from another configuration. @returns whether it is another file */
  reload(loaded: Loaded): boolean {
    const path = pathOf(loaded);
    const moved = path !== this.#path;
    this.#path = path;
    return moved;
  }

  /** Writes at once, because the process may end next. A failure is logged: keepalived then learns it from its check. */
  write(leave: boolean): void {
    if (this.#path === undefined) return;
    try {
      writeFileSync(this.#path, leave ? '1\n' : '0\n', { mode: 0o644 });
    } catch (err) {
      const told =
        'drain.leaveFile cannot be written, so keepalived learns of a planned stop only from its check of /vipz';
      this.#log.error({ err, file: this.#path }, told);
    }
  }
}

function pathOf({ path, config }: Loaded): string | undefined {
  const { leaveFile } = config.drain;
  return leaveFile === undefined ? undefined : resolve(dirname(path), leaveFile);
}
