import { type Directive, flatten, named } from '../syntax/directive.ts';
import { isServedBy } from './listen.ts';
import { runRewrites } from './rewrite-phase.ts';
import { effective, findLocation, type Location, type Server, type Site } from './site.ts';
import { type TrialRequest, Variables } from './variables.ts';

/** One server that a request is sent to. */
export interface Target {
  /** `http` or `https`. */
  scheme: string;
  /** HOST or HOST:PORT. */
  host: string;
  /** Path there. */
  path: string;
  /** Name of the `upstream` block, if there is one. */
  group?: string;
  /** Whether its group only asks it when others fail. */
  isBackup: boolean;
  /** 0 for what is asked first, 1 for what is asked when that fails, and so on. */
  stage: number;
  /** The `proxy_pass`. */
  by: Directive;
  /** The values of the headers that it is sent, by names in lower case; undefined for a value that is not known. */
  headers: Map<string, string | undefined>;
  chain: readonly Directive[][];
}

export type Passage =
  | { kind: 'proxy'; targets: Target[]; onAbsent: boolean; used: ReadonlySet<Directive>; location?: Location }
  | { kind: 'answer'; status: number; text: string; by?: Directive; used: ReadonlySet<Directive> }
  | { kind: 'unknown'; why: string; by: Directive; used: ReadonlySet<Directive> };

const MAX_STEPS = 12;
const FAILURES = ['500', '502', '503', '504'];

/** Follows a request through the configuration, to the servers that it is sent to, in their order. */
export function follow(site: Site, server: Server, request: TrialRequest, hops = 0): Passage {
  const variables = new Variables(site, request);
  const [own = []] = server.chain;
  // What the name of the server captures are variables.
  for (const name of server.names) if (name.startsWith('~')) variables.matches(name.slice(1), request.host);
  const first = runRewrites(own, variables);
  if (first.kind === 'answer') return { ...first, used: variables.used };
  if (first.kind === 'unknown') return unknown(first.by, variables);
  return new Walk(site, server, request, variables, hops).search();
}

function unknown(by: Directive, variables: Variables): Passage {
  const what = variables.unknown;
  const why =
    what === undefined ? 'its pattern cannot be read here' : `the value of ${what} is not known before a request`;
  return { kind: 'unknown', why, by, used: variables.used };
}

/** Steps of one request from location to location. */
class Walk {
  readonly #site: Site;
  readonly #server: Server;
  readonly #request: TrialRequest;
  readonly #variables: Variables;
  readonly #hops: number;
  #steps = 0;

  constructor(site: Site, server: Server, request: TrialRequest, variables: Variables, hops: number) {
    this.#site = site;
    this.#server = server;
    this.#request = request;
    this.#variables = variables;
    this.#hops = hops;
  }

  search(): Passage {
    const variables = this.#variables;
    const matches = (pattern: string, ignoreCase: boolean) => variables.matches(pattern, variables.path, ignoreCase);
    const location = findLocation(this.#server.locations, variables.path, matches);
    if (location === null) return unknown(this.#server.directive, variables);
    if (location === undefined) return { kind: 'answer', status: 404, text: '', used: variables.used };
    return this.#enter(location);
  }

  #enter(location: Location): Passage {
    const variables = this.#variables;
    variables.used.add(location.directive);
    if (++this.#steps > MAX_STEPS) return unknown(location.directive, variables);
    const [block = []] = location.chain;
    const result = runRewrites(block, variables);
    if (result.kind === 'unknown') return unknown(result.by, variables);
    if (result.kind === 'answer')
      return this.#errorPage(location, result.status) ?? { ...result, used: variables.used };
    if (result.kind === 'search-again') return this.search();
    const inside = result.inside === undefined ? [] : [flatten(result.inside.block ?? [])];
    const except = named(block, 'limit_except').find(({ args }) => !isAllowed(args, this.#request.method));
    const chain = [...inside, ...(except ? [flatten(except.block ?? [])] : []), ...location.chain];
    if (except) variables.used.add(except);
    if (
      except &&
      named(except.block ?? [], 'deny').some(({ args }) => args[0] === 'all') &&
      named(except.block ?? [], 'allow').length === 0
    )
      return { kind: 'answer', status: 403, text: '', by: except, used: variables.used };
    // `proxy_pass` is not inherited.
    const pass = [...inside, ...(except ? [flatten(except.block ?? [])] : []), block].flatMap((one) =>
      named(one, 'proxy_pass'),
    )[0];
    if (!pass) return { kind: 'answer', status: 404, text: '', by: location.directive, used: variables.used };
    return this.#proxied(pass, location, chain, result.isRewritten);
  }

  #proxied(pass: Directive, location: Location, chain: Directive[][], isRewritten: boolean): Passage {
    const variables = this.#variables;
    variables.used.add(pass);
    const [text = ''] = pass.args;
    const url = variables.expand(text);
    if (url === undefined) return unknown(pass, variables);
    const [, scheme = 'http', host = '', given] = /^(https?):\/\/(unix:[^:]+|[^/]+):?(\/.*)?$/.exec(url) ?? [];
    if (host === '') return unknown(pass, variables);
    const path = this.#pathTo(given?.split('?', 1)[0], location, text.includes('$'), isRewritten);
    const shared = { scheme, path, by: pass, headers: this.#headers(chain, host), chain };
    const group = this.#site.groups.get(host);
    const members = group === undefined ? [{ host, isBackup: false, stage: 0 }] : membersOf(group);
    if (group) variables.used.add(group);
    const targets = members.flatMap((member) =>
      this.#resolve({
        ...shared,
        ...member,
        host: withoutDefaultPort(scheme, member.host),
        ...(group ? { group: host } : {}),
      }),
    );
    const next = this.#fallback(location, targets);
    return {
      kind: 'proxy',
      targets: [...targets, ...next],
      onAbsent: this.#isAskedOnAbsence(chain),
      used: variables.used,
      location,
    };
  }

  #isAskedOnAbsence(chain: Directive[][]): boolean {
    const intercepts = effective(chain, 'proxy_intercept_errors')[0]?.args[0] === 'on';
    const onAbsence = effective(chain, 'error_page').some(({ args }) => args.includes('404') && isStep(args.at(-1)));
    return (
      (intercepts && onAbsence) || effective(chain, 'proxy_next_upstream').some(({ args }) => args.includes('http_404'))
    );
  }

  #pathTo(given: string | undefined, location: Location, hasVariables: boolean, isRewritten: boolean): string {
    const { path } = this.#variables;
    if (given === undefined || (isRewritten && !hasVariables)) return path;
    if (hasVariables) return given;
    return given + path.slice(location.path.length);
  }

  #headers(chain: Directive[][], host: string): Map<string, string | undefined> {
    const directives = effective(chain, 'proxy_set_header');
    const variables = this.#variables;
    return new Map(
      directives.map(({ args: [name = '', value = ''] }) => [
        name.toLowerCase(),
        value === '$proxy_host'
          ? host
          : variables.expand(
              value.replace(/\$proxy_add_x_forwarded_for|\$upstream_(http|addr|status|response)_?\w*/g, ''),
            ),
      ]),
    );
  }

  /** A server of this same configuration is followed to what it asks itself. */
  #resolve(target: Target): Target[] {
    const server = this.#site.servers.find(
      (one) => one !== this.#server && one.listens.some((listen) => isServedBy(withPort(target), listen)),
    );
    if (!server || this.#hops > 3) return [target];
    const [listen] = server.listens;
    const request = {
      ...this.#request,
      path: target.path,
      host: server.names[0] ?? 'localhost',
      port: listen?.port ?? '80',
      isTls: target.scheme === 'https',
    };
    const passage = follow(this.#site, server, request, this.#hops + 1);
    for (const one of passage.used) this.#variables.used.add(one);
    this.#variables.used.add(server.directive);
    if (passage.kind === 'answer') return [];
    if (passage.kind !== 'proxy') return [target];
    // Each step behind a backup is a choice of its own.
    return passage.targets.map((one) => ({ ...one, stage: one.stage + target.stage }));
  }

  /** What is asked when all of these fail. */
  #fallback(location: Location, former: readonly Target[]): Target[] {
    if (this.#steps >= MAX_STEPS) return [];
    const passage = FAILURES.map((status) => this.#errorPage(location, Number(status))).find(
      (one) => one?.kind === 'proxy',
    );
    if (passage?.kind !== 'proxy') return [];
    return passage.targets
      .filter((one) => !former.some((other) => other.host === one.host && other.path === one.path))
      .map((one) => ({ ...one, stage: one.stage + former.length }));
  }

  #errorPage(location: Location, status: number): Passage | undefined {
    const page = effective(location.chain, 'error_page').find(({ args }) => args.slice(0, -1).includes(String(status)));
    const to = page?.args.at(-1);
    if (!page || !isStep(to)) return undefined;
    if (this.#steps >= MAX_STEPS) return undefined;
    const at = this.#server.locations.find((one) => one.modifier === '@' && one.path === to);
    if (at === location) return undefined;
    this.#variables.used.add(page);
    if (at) return this.#enter(at);
    const path = to === undefined ? undefined : this.#variables.expand(to);
    if (path === undefined || !path.startsWith('/')) return undefined;
    this.#variables.path = path;
    return this.search();
  }
}

function isStep(to: string | undefined): boolean {
  return to !== undefined && /^[@/$]/.test(to);
}

function isAllowed(methods: readonly string[], method: string): boolean {
  return methods.includes(method) || (method === 'HEAD' && methods.includes('GET'));
}

function membersOf(group: Directive): { host: string; isBackup: boolean; stage: number }[] {
  const servers = named(flatten(group.block ?? []), 'server').filter(({ args }) => !args.includes('down'));
  return servers
    .map(({ args: [host = '', ...flags] }) => ({ host, isBackup: flags.includes('backup') }))
    .sort((a, b) => Number(a.isBackup) - Number(b.isBackup))
    .map((one, index) => ({ ...one, stage: one.isBackup ? index : 0 }));
}

function withPort({ scheme, host }: Target): string {
  if (host.startsWith('unix:') || /:\d+$/.test(host)) return host;
  return `${host}:${scheme === 'https' ? 443 : 80}`;
}

function withoutDefaultPort(scheme: string, host: string): string {
  return host.replace(scheme === 'https' ? /:443$/ : /:80$/, '');
}
