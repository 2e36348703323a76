import { loadConfig } from '../../config/load.ts';
import { BufferPool } from '../../upstream/reader/buffer-pool.ts';
import { Resolver } from '../../upstream/resolver.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { configPath } from '../config-path.ts';
import { Interruption } from './interruption.ts';
import { openRegistry } from './open-registry.ts';
import { type SyncCommandOptions, sideOptions } from './options.ts';
import { planSync } from './plan.ts';
import { repositoryNames } from './repository-names.ts';
import { SyncRun } from './run.ts';
import { readSide, type Side } from './side.ts';

/**
 * `breakwater sync` from its arguments to its last line.
 * @returns whether all is there. @throws UsageError
 */
export async function syncSession(fromText: string, toText: string, options: SyncCommandOptions): Promise<boolean> {
  const [from, to] = [readSide(fromText), readSide(toText)];
  const named = from.kind === 'upstream' || to.kind === 'upstream';
  const loaded = named ? await loadConfig(configPath(options.config)) : undefined;
  const names = await repositoryNames(options.repository, options.repositoryFile);
  const plan = planSync(from, to, options, loaded?.config, names);
  const interruption = new Interruption();
  const network = { resolver: new Resolver(), pool: new BufferPool() };
  const closes: (() => Promise<void>)[] = [];
  try {
    const open = async (which: 'from' | 'to', side: Side) => {
      const opened = await openRegistry(which, side, sideOptions(which, options), loaded, network, interruption.signal);
      closes.push(opened.close);
      return opened.registry;
    };
    const [source, target] = [await open('from', from), await open('to', to)];
    return await new SyncRun({
      ...{ source, target, plan, from: fromText, to: toText },
      ...{ dryRun: options.dryRun === true, json: options.json === true, signal: interruption.signal },
    }).run();
  } catch (error) {
    if (!(error instanceof UpstreamError) && !interruption.signal.aborted) throw error;
    process.stderr.write(`breakwater: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  } finally {
    await Promise.all(closes.map((close) => close()));
    interruption.end();
  }
}
