import { loadConfig } from '../../config/load.ts';
import type { Connection } from '../../upstream/connection.ts';
import { CredentialSources } from '../../upstream/credentials/credential-sources.ts';
import { BufferPool } from '../../upstream/reader/buffer-pool.ts';
import { Resolver } from '../../upstream/resolver.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { configPath } from '../config-path.ts';
import { abortOnSignals } from '../interruption.ts';
import { type OpenRegistry, openRegistry } from './open-registry.ts';
import type { SyncCommandOptions } from './options.ts';
import { planSync, type SyncPlan } from './plan.ts';
import { repositoryNames } from './repository-names.ts';
import { SyncRun } from './run.ts';
import { readSide } from './side.ts';

/**
 * Runs `breakwater sync`.
 * @returns whether the copy is complete @throws UsageError
 */
export async function syncSession(fromText: string, toText: string, options: SyncCommandOptions): Promise<boolean> {
  const [from, to] = [readSide(fromText), readSide(toText)];
  const named = from.url === undefined || to.url === undefined;
  const loaded = named ? await loadConfig(configPath(options.config)) : undefined;
  const names = await repositoryNames(options.repository, options.repositoryFile);
  const plan = planSync(from, to, options, loaded?.config, names);
  const network = { resolver: new Resolver(), pool: new BufferPool(), sources: new CredentialSources() };
  const opened: Connection[] = [];
  try {
    const openSource = await openRegistry({ which: 'from', side: from, options, loaded, network, opened });
    const openTarget = await openRegistry({ which: 'to', side: to, options, loaded, network, opened });
    return await copy(openSource, openTarget, plan);
  } finally {
    await Promise.all(opened.map((connection) => connection.close()));
  }
}

async function copy(openSource: OpenRegistry, openTarget: OpenRegistry, plan: SyncPlan): Promise<boolean> {
  const interruption = abortOnSignals(['SIGINT', 'SIGTERM', 'SIGHUP']);
  // The reader of the output has closed it (`| head`).
  process.stdout.on('error', () => interruption.abort(new Error('the output was closed')));
  const { signal } = interruption;
  try {
    return await new SyncRun(await openSource(signal), await openTarget(signal), plan, signal).run();
  } catch (error) {
    if (!(error instanceof UpstreamError) && !signal.aborted) throw error;
    process.stderr.write(`breakwater: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  }
}
