import type { Passage } from '../model/passage.ts';
import { effective, type Server, type Site, siteOf } from '../model/site.ts';
import type { Directive } from '../syntax/directive.ts';
import { separateCollisions } from './collisions.ts';
import { accessPlan, headerLimit, listenPlan, tlsPlan, trustedPlan } from './edge-plan.ts';
import { Notes } from './notes.ts';
import { passthroughOf } from './passthrough-plan.ts';
import type { FoundSecret, PlannedConfig, PlannedRoute } from './planned-config.ts';
import { type Choice, literalNames, sortServers } from './registry-servers.ts';
import { asksForLogin, routesOf, trial, type Visit } from './route-plan.ts';
import { serversOfStreams } from './stream-servers.ts';
import { UpstreamPlan } from './upstream-plan.ts';

export interface ImportOptions {
  /** The name that clients use, where the configuration does not say it, or has several. */
  hostname?: string | undefined;
  server?: Choice | undefined;
  /** The whole path of a file that a directive names. */
  fileOf: (name: string) => string;
}

export interface Imported {
  /** Undefined if no server of the registry API was found. */
  config: PlannedConfig | undefined;
  secrets: FoundSecret[];
  notes: Notes;
  /** Directives that requests of the registry API meet. */
  used: ReadonlySet<Directive>;
  /** Servers that the configuration stands for. */
  servers: ReadonlySet<Directive>;
}

const UNNAMED = 'cr.example.io';

/** Makes a configuration of Breakwater from one of nginx. */
export function importSite(roots: readonly Directive[], options: ImportOptions): Imported {
  const notes = new Notes();
  const streams = serversOfStreams(roots, notes);
  const site = siteOf([...roots, ...streams]);
  const { registries, redirecting, redirects } = sortServers(site, options.server);
  const [main, ...others] = registries;
  const used = new Set<Directive>(redirects);
  const upstreams = new UpstreamPlan(notes, options.fileOf);
  const servers = new Set([...registries, ...redirecting].map(({ directive }) => directive));
  if (!main) return { config: undefined, secrets: [], notes, used, servers };
  const config = mainConfig({ site, main, redirecting, used, notes, upstreams, options });
  for (const other of others) addServer(config, other, { site, main, used, notes, upstreams });
  if (config.routes.length === 0) return { config: undefined, secrets: [], notes, used, servers };
  config.tls = tlsPlan(registries, options.fileOf, notes);
  config.upstreams = upstreams.upstreams;
  separateCollisions(config);
  notes.remember(
    `Name a small image as probe.canary of each upstream (${Object.keys(config.upstreams).join(', ')}), so that storage that hangs is noticed: \`breakwater canary push\` makes one. Where it is a Harbor, set probe.kind: harbor.`,
  );
  return { config, secrets: upstreams.secrets, notes, used, servers };
}

interface Parts {
  site: Site;
  main: Server;
  used: Set<Directive>;
  notes: Notes;
  upstreams: UpstreamPlan;
}

function mainConfig(parts: Parts & { redirecting: readonly Server[]; options: ImportOptions }): PlannedConfig {
  const { site, main, redirecting, used, notes, upstreams, options } = parts;
  const [hostname, ...others] = namesOf(main, notes, options.hostname ?? options.server?.name);
  const visit: Visit = { site, server: main, host: hostname ?? UNNAMED, notes, upstreams, used };
  const routes = routesOf(visit);
  const aliases: string[] = [];
  const further: PlannedRoute[] = [];
  for (const host of others) {
    const own = routesOf({ ...visit, host });
    if (JSON.stringify(own) === JSON.stringify(routes)) aliases.push(host);
    else further.push(...ofRegistry(own, host));
  }
  const access = accessOf(visit, options.fileOf);
  const trusted = trustedPlan(main, notes);
  const listen = listenPlan(main, redirecting, notes);
  const headerBytes = headerLimit(main, notes);
  if (listen.proxyProtocol && trusted.length === 0) {
    delete listen.proxyProtocol;
    notes.remember(
      'List the load balancers that send a PROXY header in trustedProxies, and set listen.proxyProtocol: true.',
    );
  }
  if (listen.plain !== undefined && !isLocal(listen.plain) && trusted.length === 0) listen.plainClients = 'all';
  const passthrough = passthroughOf(visit);
  routes.push(...further);
  if (access?.isAnonymous) for (const route of routes) route.anonymous = true;
  return {
    hostname: visit.host,
    ...(aliases.length > 0 ? { aliases } : {}),
    listen,
    tls: [],
    keyFile: 'edge.key',
    ...(access?.auth ? { auth: access.auth } : {}),
    ...(trusted.length > 0 ? { trustedProxies: trusted } : {}),
    ...(headerBytes === undefined ? {} : { limits: { headerBytes } }),
    upstreams: {},
    routes,
    ...(passthrough === undefined ? {} : { passthrough }),
  };
}

function isLocal(address: string): boolean {
  return address.startsWith('unix:') || address.startsWith('127.') || address.startsWith('[::1]');
}

/** Names of a server, the first one that clients use. */
function namesOf(server: Server, notes: Notes, given: string | undefined): string[] {
  const literal = literalNames(server);
  const name = given?.toLowerCase();
  // A name that only a pattern matches may stand for other repositories than the rest.
  const names =
    name === undefined ? literal : literal.includes(name) ? [name, ...literal.filter((one) => one !== name)] : [name];
  for (const directive of effective(server.chain, 'server_name')) {
    const open = directive.args.filter((name) => /^~|\*|^\./.test(name));
    if (open.length > 0 && (name === undefined || literal.includes(name)))
      notes.record(
        directive,
        'cannot',
        `Breakwater answers for names that are listed, and ${open.join(' ')} stands for many. Add each name to aliases; for one that selects repositories, import again with --hostname.`,
        true,
      );
  }
  if (names.length > 0) return [...new Set(names)];
  notes.record(
    server.directive,
    'cannot',
    `The server has no name that clients use. ${UNNAMED} stands in its place: give --hostname.`,
    true,
  );
  return [UNNAMED];
}

/** A further server of the registry API: further names of the edge, or routes of another registry. */
function addServer(config: PlannedConfig, server: Server, { site, main, used, notes, upstreams }: Parts): void {
  const taken = [
    config.hostname,
    ...(config.aliases ?? []),
    ...config.routes.flatMap(({ registry }) => registry ?? []),
  ];
  const names = literalNames(server).filter((name) => !taken.includes(name));
  if (names.length === 0) {
    const isTwin = server.listens.every(({ port }) => main.listens.some((listen) => listen.port === port));
    const text = isTwin
      ? 'Another server has taken its names.'
      : 'It has no name of its own. Breakwater tells registries apart by name, not by port: give it a name, or import it into an edge of its own with --server NAME:PORT.';
    notes.record(server.directive, 'cannot', text, true);
    return;
  }
  const visits = names.map((host): Visit => ({ site, server, host, notes, upstreams, used }));
  for (const visit of visits) {
    const routes = routesOf(visit);
    const own = config.routes.filter(({ registry }) => registry === undefined);
    if (JSON.stringify(routes) === JSON.stringify(own)) config.aliases = [...(config.aliases ?? []), visit.host];
    else config.routes.push(...ofRegistry(routes, visit.host));
  }
  const asks = visits.some((visit) => asksForLogin(trial(visit, 'GET', '/v2/breakwater/trial/manifests/latest')));
  if (asks !== (config.auth !== undefined))
    notes.record(
      server.directive,
      'cannot',
      'Only some of the servers ask for a login. Breakwater has one auth.mode for all: use an edge for each, with --server.',
      true,
    );
  for (const one of effective(server.chain, 'server_name'))
    notes.record(one, 'taken', `Routes with registry: ${names.join(', ')} answer for it.`);
}

/** The routes of a further name of the edge. */
function ofRegistry(routes: readonly PlannedRoute[], registry: string): PlannedRoute[] {
  return routes.map(({ prefix, ...rest }) => ({ prefix, registry, ...rest }));
}

function accessOf(visit: Visit, fileOf: ImportOptions['fileOf']) {
  const pull = trial(visit, 'GET', '/v2/breakwater/trial/manifests/latest');
  const push = trial(visit, 'POST', '/v2/breakwater/trial/blobs/uploads/');
  const closed = [pull, push].find(asksForLogin) as (Passage & { kind: 'proxy' }) | undefined;
  const chain = closed?.targets[0]?.chain;
  return chain && accessPlan(chain, !asksForLogin(pull), fileOf, visit.notes);
}
