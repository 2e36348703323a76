import { type Directive, flatten, named } from '../syntax/directive.ts';
import { type Listen, parseListen } from './listen.ts';

/** A `location`, with the ones inside it. */
export interface Location {
  modifier: '' | '=' | '^~' | '~' | '~*' | '@';
  path: string;
  directive: Directive;
  locations: Location[];
  /** The blocks that its directives are inherited from, the innermost first. */
  chain: Directive[][];
}

export interface Server {
  directive: Directive;
  names: string[];
  listens: Listen[];
  locations: Location[];
  chain: Directive[][];
}

/** What nginx was configured to serve by HTTP. */
export interface Site {
  http: Directive[];
  servers: Server[];
  /** `upstream` blocks by their names. */
  groups: Map<string, Directive>;
  /** `map` blocks by the variable that they set, without the dollar. */
  maps: Map<string, Directive>;
  /** `split_clients` and `geo` blocks, likewise. */
  splits: Map<string, Directive>;
}

/** @param roots the top of each file that was named. A file of conf.d has no `http` around its servers. */
export function siteOf(roots: readonly Directive[]): Site {
  const top = flatten(roots);
  const http = [
    ...named(top, 'http').flatMap((one) => flatten(one.block ?? [])),
    ...top.filter(({ name }) => name !== 'http'),
  ];
  return {
    http,
    servers: named(http, 'server')
      .filter(({ block }) => block !== undefined)
      .map((one) => serverOf(one, http)),
    groups: new Map(named(http, 'upstream').map((one) => [one.args[0] ?? '', one])),
    maps: new Map(named(http, 'map').map((one) => [variableName(one.args[1]), one])),
    splits: new Map([
      ...named(http, 'split_clients').map((one): [string, Directive] => [variableName(one.args[1]), one]),
      ...named(http, 'geo').map((one): [string, Directive] => [variableName(one.args.at(-1)), one]),
    ]),
  };
}

export function serverOf(directive: Directive, http: Directive[]): Server {
  const block = flatten(directive.block ?? []);
  const chain = [block, http];
  const listens = named(block, 'listen').map(({ args }) => parseListen(args));
  // Older configurations set `ssl on` for the server.
  const isTls = named(block, 'ssl').some(({ args }) => args[0] === 'on');
  return {
    directive,
    names: named(block, 'server_name').flatMap(({ args }) => args),
    listens: (listens.length > 0 ? listens : [parseListen(['80'])]).map((one) => ({
      ...one,
      isTls: one.isTls || isTls,
    })),
    locations: locationsOf(block, chain),
    chain,
  };
}

function locationsOf(block: Directive[], chain: Directive[][]): Location[] {
  return named(block, 'location').map((directive) => {
    const [first = '', second] = directive.args;
    const glued = /^(=|\^~|~\*|~)(.+)$/.exec(first);
    const [modifier, path] =
      second !== undefined ? [first, second] : [glued?.[1] ?? (first.startsWith('@') ? '@' : ''), glued?.[2] ?? first];
    const inside = flatten(directive.block ?? []);
    const inner = [inside, ...chain];
    return {
      modifier: modifier as Location['modifier'],
      path,
      directive,
      locations: locationsOf(inside, inner),
      chain: inner,
    };
  });
}

function variableName(text = ''): string {
  return text.replace(/^\$\{?|\}$/g, '');
}

/** The directives of a name that count in a place: those of the innermost block that has any. */
export function effective(chain: readonly Directive[][], name: string): Directive[] {
  for (const block of chain) {
    const found = named(block, name);
    if (found.length > 0) return found;
  }
  return [];
}

/** The first argument of a directive that may stand once. */
export function setting(chain: readonly Directive[][], name: string): string | undefined {
  return effective(chain, name)[0]?.args[0];
}

/** The location that nginx takes for a path (ngx_http_core_find_location). Undefined: none; null: it cannot be told. */
export function findLocation(
  locations: readonly Location[],
  path: string,
  matches: (pattern: string, ignoreCase: boolean) => boolean | undefined,
): Location | undefined | null {
  const exact = locations.find((one) => one.modifier === '=' && one.path === path);
  if (exact) return exact;
  let longest: Location | undefined;
  for (const one of locations) {
    const isPrefix = (one.modifier === '' || one.modifier === '^~') && path.startsWith(one.path);
    if (isPrefix && one.path.length > (longest?.path.length ?? -1)) longest = one;
  }
  const nested = longest && findLocation(longest.locations, path, matches);
  if (nested === null) return null;
  if (nested && nested.modifier !== '' && nested.modifier !== '^~') return nested;
  if (longest?.modifier !== '^~' && nested?.modifier !== '^~') {
    for (const one of locations) {
      if (one.modifier !== '~' && one.modifier !== '~*') continue;
      const found = matches(one.path, one.modifier === '~*');
      if (found === undefined) return null;
      if (!found) continue;
      const inner = findLocation(one.locations, path, matches);
      return inner === undefined ? one : inner;
    }
  }
  return nested ?? longest;
}
