import { posix } from 'node:path';
import { nearest } from '../../config/nearest.ts';
import type { Config } from '../../config/schema.ts';
import { isRepository, isRepositoryPrefix } from '../../oci/reference.ts';
import { RepositoryMap } from '../../replication/sync/repository-map.ts';
import type { SyncOptions } from '../../replication/sync/sync.ts';
import { UsageError } from '../config-path.ts';
import { LedgerQuestions } from './ledger-questions.ts';
import type { SyncCommandOptions } from './options.ts';
import type { Side } from './side.ts';
import { SyncCanary } from './sync-canary.ts';

/** What a sync copies, and how. */
export interface SyncPlan extends Pick<SyncOptions, 'includeTag' | 'existing' | 'isPartial' | 'images'> {
  /** Source, and target in `to`, as the command line names them. */
  from: string;
  to: string;
  dryRun: boolean;
  json: boolean;
  map: RepositoryMap;
  /** With `newer`: asks a running edge; undefined: there is no ledger to ask. */
  ledger: LedgerQuestions | undefined;
  /** Undefined for all repositories in the catalog of the source. */
  names: string[] | undefined;
  prefix: string;
  canary: SyncCanary | undefined;
  blobs: number;
  /** Bytes a second; 0 for no limit. */
  maxBandwidth: number;
}

/**
 * @param config given if a side is an upstream of it @param names repositories from the command line and its file
 * @throws UsageError
 */
export function planSync(
  from: Side,
  to: Side,
  options: SyncCommandOptions,
  config: Config | undefined,
  names: string[] | undefined,
): SyncPlan {
  for (const side of [from, to]) if (side.url === undefined) requireUpstream(side.name, config);
  const map = repositoryMapOf(from, to, { ...options, named: names !== undefined }, config);
  for (const name of names ?? []) {
    if (!isRepository(name)) throw new UsageError(`${name} is not a repository name`);
    if (map.pairs(name).length === 0)
      throw new UsageError(`${name} has no counterpart on the other side, because no prefix matches it`);
  }
  const { tagFilter, prefix = '', keep, replace, newer, dryRun = false, json = false } = options;
  const { images, blobs, maxBandwidth } = config?.replication ?? { images: 4, blobs: 8, maxBandwidth: 0 };
  // On a push upstream, a different tag may be newer than the one on its fallback.
  const isPrimary = to.url === undefined && config?.routes.some(({ push }) => push === to.name) === true;
  const canary = to.url === undefined ? config?.upstreams[to.name]?.probe.canary : undefined;
  return {
    from: from.text,
    to: to.text,
    dryRun,
    json,
    map,
    ledger:
      newer && from.url === undefined && to.url === undefined ? new LedgerQuestions(map, to.name, options) : undefined,
    names,
    prefix,
    includeTag: tagFilter && ((tag) => tagFilter.some((glob) => posix.matchesGlob(tag, glob))),
    existing: newer ? 'newer' : keep || (isPrimary && !replace) ? 'keep' : 'replace',
    canary: canary === undefined ? undefined : new SyncCanary(canary),
    // A filter leaves out images. The canary is then not copied, because it would tell edges that the target is complete.
    isPartial:
      newer === true ||
      (names === undefined && (tagFilter !== undefined || !map.prefixes.every((one) => one.startsWith(prefix)))),
    images: options.images ?? images,
    blobs: options.blobs ?? blobs,
    maxBandwidth: options.maxBandwidth ?? maxBandwidth,
  };
}

function requireUpstream(name: string, config: Config | undefined): void {
  const names = Object.keys(config?.upstreams ?? {});
  if (names.includes(name)) return;
  const similar = nearest(name, names);
  const hint = similar === undefined ? `it has ${names.join(', ')}` : `did you mean ${similar}?`;
  throw new UsageError(`the configuration has no upstream ${name}; ${hint}`);
}

function repositoryMapOf(
  from: Side,
  to: Side,
  { fromPrefix, toPrefix, named }: SyncCommandOptions & { named: boolean },
  config: Config | undefined,
): RepositoryMap {
  const given = fromPrefix !== undefined || toPrefix !== undefined;
  if (from.url === undefined && to.url === undefined && config && !given) {
    if (from.name === to.name) throw new UsageError('both sides are the same upstream');
    const map = RepositoryMap.ofRoutes(config.routes, from.name, to.name);
    if (!map)
      throw new UsageError(
        `no route has both ${from.name} and ${to.name}; name the prefixes with --from-prefix and --to-prefix`,
      );
    return map;
  }
  const prefixes = [prefixOf('from', from, fromPrefix), prefixOf('to', to, toPrefix)] as const;
  if (from.url === to.url && from.name === to.name) {
    if (prefixes[0] === prefixes[1]) throw new UsageError('both sides are the same');
    if (prefixes[1].startsWith(prefixes[0]) && !named)
      throw new UsageError(
        `${prefixes[1]} is part of the source, so each run would copy the copies of the last run; name the repositories with --repository`,
      );
  }
  return RepositoryMap.ofPrefixes(...prefixes);
}

function prefixOf(which: 'from' | 'to', side: Side, given: string | undefined): string {
  if (given === undefined) return side.prefix;
  if (side.prefix !== '') throw new UsageError(`--${which}-prefix: the URL already has the prefix ${side.prefix}`);
  if (given !== '' && !isRepositoryPrefix(given))
    throw new UsageError(`--${which}-prefix: ${given} is not a prefix of repositories; a prefix ends in "/"`);
  return given;
}
