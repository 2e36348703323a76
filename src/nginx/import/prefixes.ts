import { isRepositoryPrefix } from '../../oci/reference.ts';
import type { Location, Site } from '../model/site.ts';
import { type Directive, flatten } from '../syntax/directive.ts';

const MAX_PREFIXES = 200;

/** Prefixes of repositories for which the configuration may do something of its own; `''` is always among them, and first. */
export function candidatePrefixes(site: Site): string[] {
  const texts = site.servers.flatMap((server) => [
    ...server.locations.flatMap(pathsOf),
    ...server.chain.flatMap((block) => block.flatMap(patternsOf)),
  ]);
  for (const map of site.maps.values())
    if (/uri/.test(map.args[0] ?? '')) texts.push(...flatten(map.block ?? []).map(({ name }) => name));
  const found = new Set(texts.flatMap(repositoryPrefixes));
  found.delete('');
  return ['', ...[...found].sort((a, b) => a.length - b.length || (a < b ? -1 : 1)).slice(0, MAX_PREFIXES)];
}

function pathsOf({ path, directive, locations }: Location): string[] {
  return [path, ...flatten(directive.block ?? []).flatMap(patternsOf), ...locations.flatMap(pathsOf)];
}

function patternsOf({ name, args, block }: Directive): string[] {
  if (name === 'rewrite') return [args[0] ?? ''];
  if (name !== 'if') return [];
  return [...args.map((arg) => arg.replace(/\)$/, '')), ...flatten(block ?? []).flatMap(patternsOf)];
}

/** The prefixes with which the repositories of a path or pattern begin. */
export function repositoryPrefixes(pattern: string): string[] {
  const text = pattern
    .replace(/^~\*?/, '')
    .replace(/^\^/, '')
    .replace(/\\([./-])/g, '$1')
    .replace(/^\/(\((\?:)?v1\|v2\)|\((\?:)?v2\|v1\)|v\[12\]|\(v2\)|v\\d)/, '/v2')
    .replace(/\$$/, '');
  if (!text.startsWith('/v2/')) return [];
  return [...new Set(beginnings(text.slice('/v2/'.length)).map(wholeComponents))].filter(isRepositoryPrefix);
}

/** `(a|b)/c` begins with `a/c` and with `b/c`; what cannot be told ends a beginning. */
function beginnings(text: string): string[] {
  let results = [''];
  for (let at = 0; at < text.length; ) {
    const group = /^\((?:\?:|\?<\w+>|\?P<\w+>)?([\w|./-]+)\)/.exec(text.slice(at));
    if (group?.[1] !== undefined) {
      const choices = group[1].split('|');
      results = results.flatMap((one) => choices.map((choice) => one + choice));
      at += group[0].length;
    } else {
      const char = text[at] ?? '';
      // An optional letter, and whatever is no letter, is not certain.
      if (!/[\w./-]/.test(char) || /[?*{]/.test(text[at + 1] ?? '')) return results.map((one) => `${one}\0`);
      results = results.map((one) => one + char);
      at++;
    }
    if (results.length > MAX_PREFIXES) return [];
  }
  return results;
}

function wholeComponents(text: string): string {
  // A path that was read to its end may leave the slash out.
  const whole = text.endsWith('\0') || text.endsWith('/') ? text : `${text}/`;
  return whole.slice(0, whole.lastIndexOf('/') + 1);
}
