import { setTimeout as sleep } from 'node:timers/promises';
import { command } from '../helpers/command.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { tool } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

/** What the windows showed from some moment on, line by line, colours as escape sequences. */
export interface Frame {
  /** Milliseconds from the start of the recording. */
  at: number;
  windows: string[][];
}

export interface WindowOptions {
  name: string;
  columns: number;
  rows: number;
  /** The program that runs in it. */
  command: string;
  env: Record<string, string>;
}

/** Milliseconds between two looks at the windows, and between two keys that are typed. */
const LOOK_MS = 100;
const KEY_MS = 45;

/** Terminal windows of a tmux server of its own: what is typed into them, and what they show over time. */
export class Recording {
  readonly #socket: string;
  readonly #names: string[] = [];
  readonly #frames: Frame[] = [];
  #startedAt = 0;
  #looking: Promise<void> | undefined;
  #over = false;

  constructor(owner: Owner) {
    this.#socket = `${temporaryFolder(owner)}/tmux`;
    owner.teardown(async () => {
      this.#over = true;
      await this.#looking?.catch(() => undefined);
      await this.#tmux('kill-server').catch(() => undefined);
    });
  }

  async open({ name, columns, rows, command: program, env }: WindowOptions): Promise<void> {
    const size = ['-x', String(columns), '-y', String(rows)];
    const variables = Object.entries(env).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
    await this.#tmux('-f', '/dev/null', 'new-session', '-d', '-s', name, ...size, ...variables, program);
    await this.#tmux('set-option', '-g', 'status', 'off');
    // Without the status line the window has one row more than it was given.
    await this.#tmux('resize-window', '-t', name, ...size);
    this.#names.push(name);
  }

  /** Types a line as a person does, and presses Enter. */
  async type(name: string, text: string): Promise<void> {
    for (const key of text) {
      await this.#tmux('send-keys', '-t', name, '-l', key);
      await sleep(KEY_MS);
    }
    await this.press(name, 'Enter');
  }

  async press(name: string, key: string): Promise<void> {
    await this.#tmux('send-keys', '-t', name, key);
  }

  /** Waits until a window shows something. */
  async shows(name: string, pattern: RegExp, timeout = 60_000): Promise<void> {
    let seen = '';
    const look = async () => {
      seen = (await this.#capture(name)).join('\n');
      return pattern.test(seen);
    };
    await until(look, { timeout, every: LOOK_MS, what: () => `${pattern} in the window ${name}:\n${seen}` });
  }

  /** Begins to record. */
  start(): void {
    this.#startedAt = performance.now();
    this.#looking = this.#look();
  }

  /** Ends it. Resolves with what changed, and when. */
  async stop(): Promise<{ frames: Frame[]; length: number }> {
    const length = performance.now() - this.#startedAt;
    this.#over = true;
    await this.#looking;
    return { frames: this.#frames, length };
  }

  async #look(): Promise<void> {
    while (!this.#over) {
      const at = Math.round(performance.now() - this.#startedAt);
      const windows = await Promise.all(this.#names.map((name) => this.#capture(name)));
      if (JSON.stringify(windows) !== JSON.stringify(this.#frames.at(-1)?.windows)) this.#frames.push({ at, windows });
      await sleep(LOOK_MS);
    }
  }

  async #capture(name: string): Promise<string[]> {
    const { stdout } = await this.#tmux('capture-pane', '-p', '-e', '-t', name);
    return stdout.replace(/\n$/, '').split('\n');
  }

  #tmux(...args: string[]): ReturnType<typeof command> {
    return command(tool('tmux'), ['-S', this.#socket, ...args]);
  }
}
