import { isRepositoryPrefix } from '../../oci/reference.ts';
import { follow, type Passage, type Target } from '../model/passage.ts';
import { effective, type Server, type Site } from '../model/site.ts';
import type { TrialRequest } from '../model/variables.ts';
import type { Directive } from '../syntax/directive.ts';
import type { Notes } from './notes.ts';
import type { PlannedRoute } from './planned-config.ts';
import { candidatePrefixes } from './prefixes.ts';
import type { Step, UpstreamPlan } from './upstream-plan.ts';

/** What a site does with a repository. */
export interface Trials {
  pull: Passage;
  blob: Passage;
  upload: Passage;
}

const DIGEST = `sha256:${'0'.repeat(64)}`;
/** A repository that no configuration names. */
const REPOSITORY = 'breakwater/trial';

export interface Visit {
  site: Site;
  server: Server;
  host: string;
  notes: Notes;
  upstreams: UpstreamPlan;
  used: Set<Directive>;
}

/** Follows a request, and remembers the directives that it met. */
export function trial(visit: Visit, method: string, path: string): Passage {
  const { site, server, host, used } = visit;
  const listen = server.listens.find(({ isTls }) => isTls) ?? server.listens[0];
  const request: TrialRequest = { method, path, host, port: listen?.port ?? '443', isTls: listen?.isTls ?? true };
  const passage = follow(site, server, request);
  for (const one of passage.used) used.add(one);
  if (passage.kind === 'proxy')
    for (const target of passage.targets) visit.upstreams.recordTlsName(target, [target.host]);
  return passage;
}

/** The routes of one server. */
export function routesOf(visit: Visit): PlannedRoute[] {
  const routes: PlannedRoute[] = [];
  for (const prefix of candidatePrefixes(visit.site)) {
    const route = routeOf(visit, prefix);
    if (route === undefined) continue;
    const parent = routes.filter((one) => prefix.startsWith(one.prefix)).at(-1);
    if (parent && isSame(parent, route)) continue;
    routes.push(route);
  }
  trial(visit, 'GET', '/v2/');
  return routes;
}

/** Whether a route does what another one does for the same repositories already. */
function isSame(parent: PlannedRoute, route: PlannedRoute): boolean {
  const rest = route.prefix.slice(parent.prefix.length);
  const expected = parent.pull.map(({ upstream, prefix = parent.prefix }) => ({ upstream, prefix: prefix + rest }));
  const found = route.pull.map(({ upstream, prefix = route.prefix }) => ({ upstream, prefix }));
  return (
    JSON.stringify([parent.push, parent.onAbsent, parent.anonymous, expected]) ===
    JSON.stringify([route.push, route.onAbsent, route.anonymous, found])
  );
}

function routeOf(visit: Visit, prefix: string): PlannedRoute | undefined {
  const repository = prefix === '' ? REPOSITORY : `${prefix}trial`;
  const tail = repository.slice(prefix.length);
  const at = (rest: string) => `/v2/${repository}/${rest}`;
  const pull = trial(visit, 'GET', at('manifests/latest'));
  const blob = trial(visit, 'GET', at(`blobs/${DIGEST}`));
  for (const method of ['HEAD', 'DELETE']) trial(visit, method, at(`blobs/${DIGEST}`));
  trial(visit, 'PUT', at('manifests/latest'));
  const upload = trial(visit, 'POST', at('blobs/uploads/'));
  explain(visit, pull, prefix);
  explain(visit, upload, prefix);
  if (pull.kind !== 'proxy') return undefined;
  compareBlobs(visit, pull, blob);
  const hasUsers = asksForLogin(pull) || asksForLogin(upload);
  const place = new Place(visit, prefix, tail, hasUsers);
  const entries = place.entries(pull, 'manifests/latest');
  const pushed =
    upload.kind === 'proxy'
      ? place.entries(
          { ...upload, targets: upload.targets.filter(({ stage, isBackup }) => stage === 0 && !isBackup) },
          'blobs/uploads/',
        )[0]
      : undefined;
  if (pushed && !entries.some(({ upstream }) => upstream === pushed.upstream)) {
    entries.push(pushed);
    visit.notes.record(
      upload.kind === 'proxy' ? (upload.targets[0]?.by ?? visit.server.directive) : visit.server.directive,
      'taken',
      `Pushes below "${prefix}" go to ${pushed.upstream}, which is asked on pulls as well.`,
    );
  }
  if (entries.length === 0) return undefined;
  return {
    prefix,
    ...(pushed ? { push: pushed.upstream } : {}),
    pull: entries.map((entry) => (entry.prefix === prefix ? { upstream: entry.upstream } : entry)),
    ...(pull.onAbsent && entries.length > 1 ? { onAbsent: 'next' as const } : {}),
    ...(hasUsers && !asksForLogin(pull) ? { anonymous: true as const } : {}),
  };
}

/** Whether nginx itself asks for a password there. */
export function asksForLogin(passage: Passage): boolean {
  if (passage.kind !== 'proxy') return false;
  const [realm] = effective(passage.targets[0]?.chain ?? [], 'auth_basic');
  return realm !== undefined && realm.args[0] !== 'off';
}

function explain({ notes }: Visit, passage: Passage, prefix: string): void {
  const what = prefix === '' ? 'requests of the registry API' : `requests below ${prefix}`;
  if (passage.kind === 'unknown')
    notes.record(
      passage.by,
      'cannot',
      `What becomes of ${what} cannot be told: ${passage.why}. Write the route by hand.`,
      true,
    );
  if (passage.kind === 'answer' && passage.by && passage.status >= 400)
    notes.record(passage.by, 'taken', 'What it refuses has no route, or a route without push.');
}

function compareBlobs({ notes }: Visit, pull: Passage, blob: Passage): void {
  if (pull.kind !== 'proxy' || blob.kind !== 'proxy') return;
  const [first, other] = [pull.targets[0], blob.targets[0]];
  if (first && other && first.host !== other.host)
    notes.record(
      other.by,
      'cannot',
      `Blobs come from ${other.host}, and manifests from ${first.host}. A route of Breakwater has one order for both.`,
      true,
    );
}

/** Where the repositories of a prefix are on the upstreams. */
class Place {
  readonly #visit: Visit;
  readonly #prefix: string;
  readonly #tail: string;
  readonly #hasUsers: boolean;

  constructor(visit: Visit, prefix: string, tail: string, hasUsers: boolean) {
    this.#visit = visit;
    this.#prefix = prefix;
    this.#tail = tail;
    this.#hasUsers = hasUsers;
  }

  entries(passage: Passage & { kind: 'proxy' }, suffix: string): { upstream: string; prefix: string }[] {
    const entries: { upstream: string; prefix: string }[] = [];
    for (const [index, one] of this.#steps(passage.targets, suffix).entries()) {
      const upstream = this.#visit.upstreams.nameOf(one.step, { isFirst: index === 0, hasUsers: this.#hasUsers });
      if (!entries.some((entry) => entry.upstream === upstream)) entries.push({ upstream, prefix: one.prefix });
    }
    return entries;
  }

  /** Servers of a group that share everything are replicas of one registry. */
  #steps(targets: readonly Target[], suffix: string): { step: Step; prefix: string }[] {
    const steps = new Map<string, { step: Step; prefix: string }>();
    for (const target of targets) {
      const where = this.#whereabouts(target, suffix);
      if (where === undefined) continue;
      const key = JSON.stringify([target.stage, target.group ?? target.host, target.scheme, where]);
      const known = steps.get(key);
      if (known) known.step.hosts = [...new Set([...known.step.hosts, target.host])];
      else
        steps.set(key, {
          step: { scheme: target.scheme, hosts: [target.host], base: where.base, target },
          prefix: where.prefix,
        });
    }
    return [...steps.values()];
  }

  #whereabouts(target: Target, suffix: string): { base: string; prefix: string } | undefined {
    const { notes } = this.#visit;
    if (target.host.startsWith('unix:')) {
      notes.record(
        target.by,
        'cannot',
        'Breakwater asks upstreams at http and https URLs, not at unix sockets. Let the registry listen on 127.0.0.1.',
        true,
      );
      return undefined;
    }
    const [, base, inside] = /^(.*?)\/v2\/(.*)$/.exec(target.path) ?? [];
    const end = `${this.#tail}/${suffix}`;
    const prefix = inside?.endsWith(end) ? inside.slice(0, -end.length) : undefined;
    if (base !== undefined && prefix !== undefined && (prefix === '' || isRepositoryPrefix(prefix)))
      return { base, prefix };
    notes.record(
      target.by,
      'cannot',
      `/v2/${this.#prefix}${this.#tail}/… becomes ${target.path} there, which is neither a base path nor a prefix of repositories.`,
      true,
    );
    return undefined;
  }
}
