import type { Logger } from 'pino';
import { type Loaded, loadConfig } from '../../config/load.ts';
import { FileWatch } from '../../server/file-watch.ts';

/** What a reload needs of the app. */
export interface Reloadable {
  reload(loaded: Loaded): Promise<void>;
  /** Takes lines with an `AuditLine`. */
  readonly audits: Pick<Logger, 'info' | 'error'>;
}

/**
 * Reloads the configuration on SIGHUP, and when a file that it names has new content: passwords, tokens, keys, certificates, authorities
 * and users.
 */
export class Reloader {
  readonly #app: Reloadable;
  readonly #path: string;
  readonly #log: Pick<Logger, 'warn'>;
  readonly #intervalMs: number | undefined;
  #watch: FileWatch | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** @param intervalMs milliseconds between two checks of the files */
  constructor(app: Reloadable, path: string, log: Pick<Logger, 'warn'>, intervalMs?: number) {
    this.#app = app;
    this.#path = path;
    this.#log = log;
    this.#intervalMs = intervalMs;
  }

  /** Watches the files of a configuration, unless a reload has done so for a newer one. */
  async start(loaded: Loaded): Promise<void> {
    if (!this.#watch) await this.#watchFiles(loaded);
  }

  close(): void {
    this.#closed = true;
    this.#watch?.close();
  }

  /** One after the other, so that what was read last is also applied last. */
  reload(why: string): Promise<'done' | 'refused'> {
    const reloaded = this.#last.then(() => this.#reload(why));
    this.#last = reloaded;
    return reloaded;
  }

  async #reload(why: string): Promise<'done' | 'refused'> {
    const { audits } = this.#app;
    try {
      const loaded = await loadConfig(this.#path);
      await this.#app.reload(loaded);
      await this.#watchFiles(loaded);
      audits.info({ audit: { action: 'reload', result: 'done', by: why }, why }, 'reloaded');
      return 'done';
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      audits.error(
        { audit: { action: 'reload', result: 'refused', by: why }, why, reason },
        'the new configuration is refused, and the old one stays in force, with the old content of its files; files that it names are read again when they change; after a change of the configuration itself, send SIGHUP',
      );
      return 'refused';
    }
  }

  async #watchFiles({ material }: Loaded): Promise<void> {
    this.#watch?.close();
    if (this.#closed) return;
    const files = material.files ?? new Map();
    const onChange = (changed: string[]) => void this.reload(`changed: ${changed.join(', ')}`);
    this.#watch = new FileWatch([...files.keys()], onChange, this.#intervalMs, (missing) =>
      this.#log.warn(
        { files: missing },
        'files of the configuration are missing or cannot be read; their last content stays in use, and they are taken when they are back',
      ),
    );
    await this.#watch.start(files);
  }
}
