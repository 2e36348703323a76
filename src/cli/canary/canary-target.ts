import { nearest } from '../../config/nearest.ts';
import type { Config } from '../../config/schema.ts';
import { UsageError } from '../config-path.ts';

export interface CanaryPushOptions {
  config?: string;
  user?: string;
  passwordFile?: string;
  /** The registry is new, although a fallback has images. */
  new?: boolean;
  json?: boolean;
}

/** Where the canary of an upstream lies. */
export interface CanaryTarget {
  upstream: string;
  repository: string;
  /** A tag, or a digest. */
  reference: string;
  /** Whether `probe.canary` names it. */
  configured: boolean;
}

const NAME = 'canary';
/** Registries such as Harbor keep images only in projects. */
const PROJECT = 'library/';

/**
 * The canaries of the upstreams that were named, else of every push upstream and its fallbacks.
 * @throws UsageError
 */
export function canaryTargets(config: Config, named: readonly string[]): CanaryTarget[] {
  const unknown = named.find((name) => !(name in config.upstreams));
  if (unknown !== undefined) {
    const names = Object.keys(config.upstreams);
    const similar = nearest(unknown, names);
    const hint = similar === undefined ? `it has ${names.join(', ')}` : `did you mean ${similar}?`;
    throw new UsageError(`the configuration has no upstream ${unknown}; ${hint}`);
  }
  const written = config.routes.filter(({ push }) => push !== undefined);
  const all = written.flatMap(({ push, pull }) => [push ?? '', ...pull.map(({ upstream }) => upstream)]);
  const wanted = new Set(named.length > 0 ? named : all);
  if (wanted.size === 0) throw new UsageError('no route has a push upstream; name the upstreams that take a canary');
  return [...wanted].map((upstream) => targetAt(config, upstream));
}

function targetAt(config: Config, upstream: string): CanaryTarget {
  const image = config.upstreams[upstream]?.probe.canary;
  const [, repository = '', tag, digest] =
    /^([^:@]+)(?::([^@]+))?(?:@(.+))?$/.exec(image ?? proposal(config, upstream)) ?? [];
  return { upstream, repository, reference: digest ?? tag ?? 'latest', configured: image !== undefined };
}

/** A name that a route of the upstream leads to. */
function proposal({ routes }: Config, upstream: string): string {
  const prefixes = routes.flatMap(({ prefix, push, pull }) => {
    const entries = pull.filter((entry) => entry.upstream === upstream).map((entry) => entry.prefix ?? prefix);
    return push === upstream && entries.length === 0 ? [prefix] : entries;
  });
  return `${prefixes.find((prefix) => prefix !== '') ?? PROJECT}${NAME}:latest`;
}
