import { loadConfig } from '../../config/load.ts';
import type { Connection } from '../../upstream/connection.ts';
import { BufferPool } from '../../upstream/reader/buffer-pool.ts';
import { Resolver } from '../../upstream/resolver.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { configPath } from '../config-path.ts';
import { openRegistry } from './open-registry.ts';
import { type SyncCommandOptions, sideOptions } from './options.ts';
import { planSync } from './plan.ts';
import { repositoryNames } from './repository-names.ts';
import { SyncRun } from './run.ts';
import { readSide, type Side } from './side.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs `breakwater sync`.
 * @returns whether the copy is complete @throws UsageError
 */
export async function syncSession(fromText: string, toText: string, options: SyncCommandOptions): Promise<boolean> {
  const [from, to] = [readSide(fromText), readSide(toText)];
  const named = from.kind === 'upstream' || to.kind === 'upstream';
  const loaded = named ? await loadConfig(configPath(options.config)) : undefined;
  const names = await repositoryNames(options.repository, options.repositoryFile);
  const plan = planSync(from, to, options, loaded?.config, names);
  const interruption = new Interruption();
  const network = { resolver: new Resolver(), pool: new BufferPool() };
  const opened: Connection[] = [];
  try {
    const open = (which: 'from' | 'to', side: Side) =>
      openRegistry({ which, side, options: sideOptions(which, options), loaded, network, opened });
    const [openSource, openTarget] = [await open('from', from), await open('to', to)];
    const [source, target] = [await openSource(interruption.signal), await openTarget(interruption.signal)];
    return await new SyncRun({
      ...{ source, target, plan, from: fromText, to: toText },
      ...{ dryRun: options.dryRun === true, json: options.json === true, signal: interruption.signal },
    }).run();
  } catch (error) {
    if (!(error instanceof UpstreamError) && !interruption.signal.aborted) throw error;
    process.stderr.write(`breakwater: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  } finally {
    await Promise.all(opened.map((connection) => connection.close()));
    interruption.end();
  }
}

/** Ends the run on a signal. The first signal ends it in order, a second one at once. */
class Interruption {
  readonly #abort = new AbortController();
  readonly #interrupt = () => {
    if (this.#abort.signal.aborted) process.exit(1);
    this.#abort.abort(new Error('interrupted'));
  };

  /** The reader of the output has closed it (`| head`). */
  readonly #outputClosed = () => this.#abort.abort(new Error('the output was closed'));

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#interrupt);
    process.stdout.on('error', this.#outputClosed);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  end(): void {
    for (const name of SIGNALS) process.off(name, this.#interrupt);
    process.stdout.off('error', this.#outputClosed);
  }
}
