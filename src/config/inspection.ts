import { ConfigError, type Finding } from './config-error.ts';
import { crossCheck, unknownUpstreams } from './cross-check.ts';
import { expectedText, findingsOf } from './issue.ts';
import { type KeyFinding, keyText } from './key-path.ts';
import { type Config, configSchema } from './schema.ts';

/** The result of checking a configuration without reading the files it names. */
export interface Inspection {
  /** Also set with errors, if enough of the configuration is left to check further. */
  config: Config | undefined;
  errors: KeyFinding[];
  warnings: KeyFinding[];
}

/** Checks plain values against the schema, then against each other. */
export function inspectConfig(input: unknown): Inspection {
  const parsed = configSchema.safeParse(input, { error: expectedText });
  if (parsed.success) return { config: withUserRealms(parsed.data), ...crossCheck(parsed.data) };
  const errors = parsed.error.issues.flatMap((issue) => findingsOf(issue, input));
  const config = withoutFaultyKeys(input, errors);
  // The meaning of the faulty keys is unknown, so only checks that do not depend on them are made.
  return { config, errors: config ? [...errors, ...unknownUpstreams(config)] : errors, warnings: [] };
}

/** The token service of the authority in `auth.mode: delegate` is the same for its users and for the edge. */
function withUserRealms(config: Config): Config {
  const { mode, realmHosts, canary } = config.auth;
  const named = [...realmHosts, ...(typeof canary === 'object' ? canary.realmHosts : [])];
  if (mode !== 'delegate' || named.length === 0) return config;
  const upstreams = Object.entries(config.upstreams).map(([name, upstream]) => {
    const isAuthority = upstream.credentials === 'forward';
    return [name, isAuthority ? { ...upstream, realmHosts: [...upstream.realmHosts, ...named] } : upstream];
  });
  return { ...config, upstreams: Object.fromEntries(upstreams) };
}

/** The configuration without its faulty keys, if the rest is valid. */
function withoutFaultyKeys(input: unknown, errors: readonly KeyFinding[]): Config | undefined {
  const copy = structuredClone(input);
  for (const { path, atKey } of errors) {
    // Routes refer to upstreams: without a faulty upstream its name would count as unknown.
    if (path.length === 2 && path[0] === 'upstreams' && atKey !== true) return undefined;
    const key = path.at(-1);
    let map = copy;
    for (const part of path.slice(0, -1))
      map = typeof map === 'object' && map !== null ? Reflect.get(map, part) : undefined;
    if (typeof key === 'string' && typeof map === 'object' && map !== null) Reflect.deleteProperty(map, key);
  }
  return configSchema.safeParse(copy).data;
}

/**
 * Parses plain values; the files they name are not read.
 * @throws ConfigError whose findings have no position
 */
export function parseConfig(input: unknown): { config: Config; warnings: Finding[] } {
  const { config, errors, warnings } = inspectConfig(input);
  if (config === undefined || errors.length > 0) throw new ConfigError(errors.map(withoutPosition));
  return { config, warnings: warnings.map(withoutPosition) };
}

function withoutPosition({ path, message, remedy }: KeyFinding): Finding {
  return { file: '', line: 0, column: 0, key: keyText(path), message, ...(remedy === undefined ? {} : { remedy }) };
}
