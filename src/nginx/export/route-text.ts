import type { Config, RouteConfig } from '../../config/schema.ts';
import { block, nginxWord } from './nginx-word.ts';
import { mayEverybody } from './rights.ts';
import { type ExportOptions, passText, type Way } from './upstream-text.ts';

const JSON_TYPE = 'default_type application/json;';

/** A body of the registry API. The texts are fixed. */
function refusal(status: number, code: string, message: string): string[] {
  return [JSON_TYPE, `return ${status} '{"errors":[{"code":"${code}","message":"${message}"}]}';`];
}

const NO_ROUTE = refusal(404, 'NAME_UNKNOWN', 'no route for this repository');
const READ_ONLY = `return 403 '{"errors":[{"code":"DENIED","message":"these repositories are read-only here"}]}';`;
const NO_DELETION = `return 403 '{"errors":[{"code":"DENIED","message":"nothing can be deleted here"}]}';`;
const NO_RIGHTS = refusal(403, 'DENIED', 'nginx cannot tell what each user may do here');

/** The locations of some routes, and of everything else. @param routes those of one name of the edge */
export function routesText(config: Config, routes: readonly RouteConfig[], options: ExportOptions): string[] {
  const texts = routes.map((route, index) => routeText(config, route, index, options));
  const hasAll = routes.some(({ prefix }) => prefix === '');
  return [
    ...pingText(config, routes, options),
    ...texts.flat(),
    ...(hasAll ? [] : block('location /v2/', NO_ROUTE)),
    ...block('location @push_down', [
      'add_header Retry-After 30 always;',
      ...refusal(503, 'UNAVAILABLE', 'the registry that takes pushes does not answer; pulls go on'),
    ]),
    ...passthroughText(config, options),
  ];
}

/** Clients ask `/v2/` first, in an outage too. */
function pingText({ upstreams }: Config, routes: readonly RouteConfig[], options: ExportOptions): string[] {
  const name = routes[0]?.push ?? routes[0]?.pull[0]?.upstream ?? '';
  const upstream = upstreams[name];
  if (!upstream) return [];
  const way: Way = { name, upstream, routePrefix: '', upstreamPrefix: '', kind: 'pull' };
  return [
    ...block('location = /v2/', [
      'error_page 500 502 503 504 = @ping;',
      'proxy_intercept_errors on;',
      ...passText(way, options),
    ]),
    ...block('location @ping', [
      JSON_TYPE,
      'add_header Docker-Distribution-Api-Version registry/2.0 always;',
      "return 200 '{}';",
    ]),
  ];
}

function routeText(config: Config, route: RouteConfig, index: number, options: ExportOptions): string[] {
  const head = `location /v2/${route.prefix}`;
  if (!mayEverybody(config, route, 'pull')) return block(head, NO_RIGHTS);
  const ways = pullWays(config, route, options);
  const [first, ...others] = ways;
  if (!first) return block(head, NO_ROUTE);
  const push =
    route.push !== undefined && mayEverybody(config, route, 'push') ? config.upstreams[route.push] : undefined;
  const next = (position: number) => nextText(route, index, position, ways.length);
  const main = [
    JSON_TYPE,
    ...next(0),
    ...(push ? pushChoice(config, route, index) : ['start', 'write', 'delete'].map((kind) => refuse(kind, READ_ONLY))),
    ...openText(config, route),
    ...passText(first, options),
  ];
  const fallbacks = others.flatMap((way, position) =>
    block(`location @pull_${index}_${position + 1}`, [
      ...openText(config, route),
      ...next(position + 1),
      ...passText({ ...way, isFallback: true }, options),
    ]),
  );
  return [
    ...block(head, main),
    ...fallbacks,
    ...(push ? pushText(route, index, { name: route.push ?? '', upstream: push }, options) : []),
  ];
}

/** Sends what only the push upstream may answer to it. Named locations keep the method and the body of a request. */
function pushChoice(config: Config, route: RouteConfig, index: number): string[] {
  return [
    `error_page 418 = @push_${index};`,
    `error_page 419 = @ask_${index};`,
    ...(mayEverybody(config, route, 'delete') ? [] : [refuse('delete', NO_DELETION)]),
    refuse('session', 'return 419;'),
    refuse('start', 'return 419;'),
    refuse('write', 'return 418;'),
    refuse('delete', 'return 418;'),
  ];
}

function refuse(kind: string, answer: string): string {
  return `if ($breakwater_kind = ${kind}) { ${answer} }`;
}

/** The upstreams of a route that may answer pulls. */
function pullWays(config: Config, { prefix, pull }: RouteConfig, { openFallback }: ExportOptions): Way[] {
  const isOpen = config.auth.mode !== 'delegate' || openFallback;
  const entries = pull.filter(({ upstream }) => isOpen || config.upstreams[upstream]?.credentials === 'forward');
  return entries.flatMap((entry, position) => {
    const upstream = config.upstreams[entry.upstream];
    if (!upstream) return [];
    const kind = position === entries.length - 1 ? 'last pull' : 'pull';
    return { name: entry.upstream, upstream, routePrefix: prefix, upstreamPrefix: entry.prefix ?? prefix, kind };
  });
}

/** What follows when an upstream fails. */
function nextText({ onAbsent }: RouteConfig, index: number, position: number, count: number): string[] {
  if (position + 1 >= count) return [];
  const statuses = onAbsent === 'next' ? '404 500 502 503 504' : '500 502 503 504';
  return [`error_page ${statuses} = @pull_${index}_${position + 1};`, 'proxy_intercept_errors on;'];
}

/** Networks that may pull without a password; a push is sent elsewhere before. */
function openText({ auth }: Config, { anonymous }: RouteConfig): string[] {
  if (auth.mode !== 'htpasswd' || !anonymous) return [];
  return ['satisfy any;', ...auth.anonymous.map((one) => `allow ${nginxWord(one)};`), 'deny all;'];
}

function pushText(
  route: RouteConfig,
  index: number,
  { name, upstream }: Pick<Way, 'name' | 'upstream'>,
  options: ExportOptions,
): string[] {
  const entry = route.pull.find((one) => one.upstream === name);
  const way = { name, upstream, routePrefix: route.prefix, upstreamPrefix: entry?.prefix ?? route.prefix };
  const text = (kind: 'push' | 'ask') => ['error_page 502 504 = @push_down;', ...passText({ ...way, kind }, options)];
  return [...block(`location @push_${index}`, text('push')), ...block(`location @ask_${index}`, text('ask'))];
}

function passthroughText({ passthrough, upstreams }: Config, options: ExportOptions): string[] {
  const upstream = passthrough === undefined ? undefined : upstreams[passthrough];
  if (passthrough === undefined || !upstream) return block('location /', ['return 404;']);
  const way: Way = { name: passthrough, upstream, routePrefix: '', upstreamPrefix: '', kind: 'other' };
  return block('location /', passText(way, options));
}
