import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Guard } from '../../src/auth/guard.ts';
import { TokenSealer } from '../../src/auth/token-sealer.ts';
import { startEdge } from '../../test/helpers/edge.ts';
import { HttpsClient } from '../../test/helpers/https-client.ts';
import { type Registry, startRegistry } from '../../test/helpers/registry.ts';
import { startTokenAuthority, type TokenAuthority } from '../../test/helpers/token-authority.ts';
import type { Options } from '../options.ts';
import { edgeLauncher } from '../proxies/edge-package.ts';
import { percentile } from '../report/percentile.ts';
import { figure, type Section } from '../report/section.ts';
import { atMost, type Target } from '../report/target.ts';
import type { Scope } from '../scope.ts';

/** The largest token that clients still send: 20 scopes and the authority's own token. */
const SCOPES = 20;
const UPSTREAM_BYTES = 1600;
const CHECKED_AT_ONCE = 1000;
/** The name that edges have in tests. */
const SERVICE = 'localhost';
const USERS = { ann: { password: 'correct horse', may: { 'library/': ['pull', 'push'] } } };
const REPOSITORY = 'library/app';

interface Measured {
  what: string;
  /** Median and 99th percentile of one request, in milliseconds. */
  p50: number;
  p99: number;
  /** Requests to the authority for one token; undefined where there is no authority. */
  requests: number | undefined;
  times: number[];
}

/** The cost of getting a token from the edge, and of checking one. */
export async function benchTokens(scope: Scope, options: Options): Promise<Section> {
  const count = options.short ? 50 : 500;
  const rows: Measured[] = [];
  for (const item of options.selection.itemsOf('tokens'))
    rows.push(...(item === 'check' ? await checks(count * 4) : await services(scope, count)));
  return {
    title: 'Tokens',
    about: `\`auth.mode: delegate\`. A check is that of a token with ${SCOPES} scopes, which contains a token of ${UPSTREAM_BYTES} bytes of the deciding upstream. It is measured within one process, at its first request and at later ones (${CHECKED_AT_ONCE} at a time). Tokens are requested over one kept connection each: from the deciding upstream (a service like Harbor's, over HTTP), and from the edge (over TLS). The edge stands in front of a docker-registry that accepts these tokens. The requests that both upstreams got are counted.`,
    columns: ['what', 'p50 ms', 'p99 ms', 'requests upstream'],
    rows: rows.map(({ what, p50, p99, requests }) => [
      what,
      figure(p50, 4),
      figure(p99, 4),
      requests === undefined ? '' : figure(requests, 1),
    ]),
    targets: targetsOf(rows),
    data: rows,
    problems: [],
  };
}

const COLD = 'check of a token, first time';
const KNOWN = 'check of a token, known';
const DIRECT = 'token from the authority';
const FIRST = 'token from the edge, the first of all';
const NEXT = 'token from the edge';
const PULL = 'manifest with a token that is known';

async function checks(count: number): Promise<Measured[]> {
  const box = new TokenSealer([randomBytes(48)]);
  const guard = new Guard({ acceptsBasis: (_, basis) => basis === 'delegated', allows: () => true }, box, SERVICE);
  const access = Array.from({ length: SCOPES }, (_, index) => ({
    type: 'repository',
    name: `team-${index}/some/longer/name`,
    actions: ['pull', 'push'],
  }));
  const name = access[SCOPES - 1]?.name ?? '';
  const repositoryKey = { name, tokenName: name, anonymous: false };
  const need = { requested: [{ repositoryKey, repository: name, actions: ['pull'] }] } as const;
  const caller = { address: '192.0.2.1', anonymous: false };
  const [cold, known]: number[][] = [[], []];
  for (let round = 0; round < count; round += 1) {
    const issued = Date.now();
    const upstream = `Bearer ${randomBytes(UPSTREAM_BYTES).toString('base64').slice(0, UPSTREAM_BYTES)}`;
    const claims = { use: 'access', user: 'ann', service: SERVICE, issued, expires: issued + 3_600_000 } as const;
    const token = `Bearer ${await box.seal({ ...claims, access, basis: 'delegated', upstream })}`;
    const began = performance.now();
    const permit = await guard.check(token, need, caller);
    cold?.push(performance.now() - began);
    if ('refused' in permit) throw new Error(`the token was refused: ${permit.refused}`);
    const again = performance.now();
    for (let time = 0; time < CHECKED_AT_ONCE / 10; time += 1) guard.check(token, need, caller);
    known?.push((performance.now() - again) / (CHECKED_AT_ONCE / 10));
  }
  return [measured(COLD, cold ?? []), measured(KNOWN, known ?? [])];
}

async function services(scope: Scope, count: number): Promise<Measured[]> {
  const authority = await startTokenAuthority(scope, USERS);
  const registry = await startRegistry(scope, { auth: authority.registryAuth });
  const site = { authority, registry };
  const edge = await startEdge(scope, delegating(registry), await edgeLauncher());
  const basic = `Basic ${Buffer.from('ann:correct horse').toString('base64')}`;
  const asked = { scope: `repository:${REPOSITORY}:pull` };
  const fromAuthority = await series(site, count, async () => {
    const url = `${authority.url}?${new URLSearchParams({ ...asked, service: authority.service })}`;
    const response = await fetch(url, { headers: { authorization: basic } });
    if (response.status !== 200) throw new Error(`the authority answers ${response.status}`);
    await response.arrayBuffer();
  });
  const client = new HttpsClient(edge.url, edge.certificate.authority);
  scope.teardown(() => client.close());
  let token = '';
  const ask = async () => {
    const query = new URLSearchParams({ ...asked, service: SERVICE });
    const reply = await client.ask(`/auth/token?${query}`, { headers: { authorization: basic } });
    if (reply.status !== 200) throw new Error(`the edge answers ${reply.status}: ${reply.body}`);
    token = JSON.parse(reply.body.toString()).token;
  };
  const first = await series(site, 1, ask);
  const next = await series(site, count, ask);
  // A 404 is as good: the registry has checked the token before it answers so.
  const pull = async () => {
    const reply = await client.ask(`/v2/${REPOSITORY}/manifests/1`, { headers: { authorization: `Bearer ${token}` } });
    if (reply.status !== 404) throw new Error(`the edge answers ${reply.status}: ${reply.body}`);
  };
  const pulls = await series(site, count, pull);
  const named: [string, Series][] = [
    [DIRECT, fromAuthority],
    [FIRST, first],
    [NEXT, next],
    [PULL, { ...pulls, requests: pulls.tokens }],
  ];
  return named.map(([what, { times, requests }]) => ({ ...measured(what, times), requests }));
}

function delegating({ url }: Registry): Record<string, unknown> {
  return {
    auth: { mode: 'delegate', realmHosts: ['127.0.0.1'] },
    upstreams: { harbor: { urls: [url], credentials: 'forward', probe: { interval: '1h', credentials: 'none' } } },
    routes: [{ prefix: '', pull: [{ upstream: 'harbor' }] }],
  };
}

interface Site {
  authority: TokenAuthority;
  registry: Registry;
}

interface Series {
  times: number[];
  /** Requests to authority and registry for one pull. */
  requests: number;
  /** Requests to the authority alone for one pull. */
  tokens: number;
}

async function series({ authority, registry }: Site, count: number, one: () => Promise<void>): Promise<Series> {
  await settled(registry);
  const before = { tokens: authority.asked, registry: registry.requests().length };
  const times: number[] = [];
  for (let round = 0; round < count; round += 1) {
    const began = performance.now();
    await one();
    times.push(performance.now() - began);
  }
  await settled(registry);
  const tokens = (authority.asked - before.tokens) / count;
  return { times, tokens, requests: tokens + (registry.requests().length - before.registry) / count };
}

/** The registry's log comes a little later than its answers. */
async function settled(registry: Registry): Promise<void> {
  let seen: number;
  do {
    seen = registry.requests().length;
    await delay(200);
  } while (registry.requests().length > seen);
}

function measured(what: string, times: number[]): Measured {
  return { what, p50: percentile(times, 0.5), p99: percentile(times, 0.99), requests: undefined, times };
}

function targetsOf(rows: readonly Measured[]): Target[] {
  const by = new Map(rows.map((row) => [row.what, row]));
  const most = (what: string, value: number | undefined, bound: number, unit: string, digits = 1) =>
    value === undefined ? [] : [atMost({ what, value, bound, unit, digits })];
  const [direct, first, next] = [by.get(DIRECT)?.requests, by.get(FIRST)?.requests, by.get(NEXT)?.requests];
  const more = (requests: number | undefined) =>
    requests === undefined || direct === undefined ? undefined : requests - direct;
  return [
    ...most('token checked for the first time, p50', by.get(COLD)?.p50, 0.25, ' ms', 4),
    ...most('token checked that is known, p50', by.get(KNOWN)?.p50, 0.01, ' ms', 4),
    ...most('first token from the edge, beyond the authority', more(first), 1, ' requests upstream'),
    ...most('further tokens from the edge, beyond the authority', more(next), 1, ' requests upstream'),
    ...most('pull with a token that is known', by.get(PULL)?.requests, 0, ' token requests upstream'),
  ];
}
