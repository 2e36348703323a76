import { type Directive, flatten } from '../syntax/directive.ts';
import { matchPattern } from './regex.ts';
import type { Site } from './site.ts';

/** A request whose way through the configuration is followed. */
export interface TrialRequest {
  method: string;
  /** Path without a query. */
  path: string;
  host: string;
  port: string;
  isTls: boolean;
}

const MAX_DEPTH = 10;
const VARIABLE = /\$(?:\{(\w+)\}|(\w+))/g;

/** The variables of one request. */
export class Variables {
  readonly #site: Site;
  readonly #request: TrialRequest;
  readonly #set = new Map<string, string>();
  #groups: string[] = [];
  /** The path as rewrites have changed it. */
  path: string;
  /** A variable whose value is not known, such as one that a program sets. */
  unknown: string | undefined;
  /** Directives that gave a value. */
  readonly used = new Set<Directive>();

  constructor(site: Site, request: TrialRequest) {
    this.#site = site;
    this.#request = request;
    this.path = request.path;
  }

  set(name: string, value: string): void {
    this.#set.set(name.replace(/^\$/, ''), value);
  }

  /** Whether a pattern matches; its groups become `$1` and names. Undefined: it cannot be told. */
  matches(pattern: string, text: string, ignoreCase = false): boolean | undefined {
    const match = matchPattern(pattern, text, ignoreCase);
    if (match?.found) {
      this.#groups = match.groups;
      for (const [name, value] of Object.entries(match.named)) this.#set.set(name, value ?? '');
    }
    return match?.found;
  }

  /** A text with the values of its variables. Undefined if one is not known. */
  expand(text: string, depth = 0): string | undefined {
    let known = true;
    const result = text.replace(VARIABLE, (_, braced?: string, plain?: string) => {
      const name = braced ?? plain ?? '';
      const [value, rest] = this.#lookUp(name, depth);
      if (value === undefined) {
        known = false;
        this.unknown ??= `$${name}`;
      }
      return `${value ?? ''}${rest}`;
    });
    return known ? result : undefined;
  }

  /** @returns value, and what of the name belongs to the text: `$1abc` is `$1` and `abc` */
  #lookUp(name: string, depth: number): [string | undefined, string] {
    const digit = /^(\d)(.*)$/.exec(name);
    if (digit) return [this.#groups[Number(digit[1])] ?? '', digit[2] ?? ''];
    return [this.#value(name, depth), ''];
  }

  #value(name: string, depth: number): string | undefined {
    const set = this.#set.get(name);
    if (set !== undefined) return set;
    if (depth > MAX_DEPTH) return undefined;
    const map = this.#site.maps.get(name);
    if (map) return this.#mapped(map, depth);
    const split = this.#site.splits.get(name);
    if (split) return this.#split(split, depth);
    const { method, host, port, isTls, path } = this.#request;
    const known: Record<string, string> = {
      request_method: method,
      uri: this.path,
      document_uri: this.path,
      request_uri: path,
      host,
      http_host: ['80', '443'].includes(port) ? host : `${host}:${port}`,
      server_name: host,
      server_port: port,
      scheme: isTls ? 'https' : 'http',
      https: isTls ? 'on' : '',
      remote_addr: '192.0.2.1',
      server_protocol: 'HTTP/1.1',
      http_user_agent: 'docker/27.3.1 go/go1.22.7 kernel/6.1.0 os/linux arch/amd64',
      ssl_server_name: host,
      ssl_preread_server_name: host,
    };
    if (known[name] !== undefined) return known[name];
    const isEmpty = /^(http_|arg_|cookie_|ssl_)|^(args|is_args|query_string|remote_user|content_length|content_type)$/;
    return isEmpty.test(name) ? '' : undefined;
  }

  #mapped(map: Directive, depth: number): string | undefined {
    const source = this.expand(map.args[0] ?? '', depth + 1);
    if (source === undefined) return undefined;
    const entries = flatten(map.block ?? []).filter(({ name }) => !['hostnames', 'volatile', 'default'].includes(name));
    const isHostnames = flatten(map.block ?? []).some(({ name }) => name === 'hostnames');
    const wanted = source.toLowerCase();
    const exact = entries.find(({ name }) => !name.startsWith('~') && name.replace(/^\\/, '').toLowerCase() === wanted);
    const wild = isHostnames ? entries.find(({ name }) => isWildcardOf(name, wanted)) : undefined;
    const pattern = (): Directive | undefined =>
      entries.find(({ name }) => {
        if (!name.startsWith('~')) return false;
        const ignoreCase = name.startsWith('~*');
        return this.matches(name.slice(ignoreCase ? 2 : 1), source, ignoreCase) === true;
      });
    const fallback = flatten(map.block ?? []).find(({ name }) => name === 'default');
    return this.#entry(map, exact ?? wild ?? pattern() ?? fallback, depth);
  }

  #entry(block: Directive, entry: Directive | undefined, depth: number): string | undefined {
    this.used.add(block);
    if (entry) this.used.add(entry);
    return this.expand(entry?.args[0] ?? '', depth + 1);
  }

  /** The value that most requests get. */
  #split(block: Directive, depth: number): string | undefined {
    const entries = flatten(block.block ?? []);
    const share = ({ name }: Directive) => (name === '*' ? 0 : Number.parseFloat(name));
    const most =
      block.name === 'geo'
        ? entries.find(({ name }) => name === 'default')
        : entries.toSorted((a, b) => remaining(b, entries, share) - remaining(a, entries, share))[0];
    return this.#entry(block, most, depth);
  }
}

function remaining(entry: Directive, entries: readonly Directive[], share: (one: Directive) => number): number {
  if (entry.name !== '*') return share(entry);
  return 100 - entries.reduce((sum, one) => sum + share(one), 0);
}

/** `*.example.io`, `.example.io` and `www.example.*` of a map with `hostnames`, and of `server_name`. */
export function isWildcardOf(pattern: string, host: string): boolean {
  if (pattern.startsWith('*.')) return host.endsWith(pattern.slice(1));
  if (pattern.startsWith('.')) return host.endsWith(pattern) || host === pattern.slice(1);
  return pattern.endsWith('.*') && host.startsWith(pattern.slice(0, -1));
}
