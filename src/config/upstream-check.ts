import { metadataErrors } from './credentials-check.ts';
import type { KeyFinding, KeyPath } from './key-path.ts';
import { isLoopback } from './network.ts';
import { contentReader } from './replication-user.ts';
import type { Config, UpstreamConfig } from './schema.ts';

/** Settings of one upstream that cannot work. */
export function upstreamErrors(name: string, upstream: UpstreamConfig): KeyFinding[] {
  const at = (...path: KeyPath) => ['upstreams', name, ...path];
  const urls = upstream.urls.map((text) => new URL(text));
  const findings = urls.flatMap((url, index) => {
    const twin = urls.findIndex((other) => normalizedUrl(other) === normalizedUrl(url));
    return urlMessages(url, twin < index ? twin : undefined).map((message) => ({ path: at('urls', index), message }));
  });
  if (upstream.caFile !== undefined && urls.every((url) => url.protocol === 'http:'))
    findings.push({ path: at('caFile'), message: 'is for https, but all urls are http' });
  const host = urls.map((url) => url.host).find((host) => upstream.probe.canary?.startsWith(`${host}/`));
  if (host !== undefined)
    findings.push({
      path: at('probe', 'canary'),
      message: `begins with the host ${host}; expected the image name alone`,
    });
  return [...findings, ...metadataErrors(name, upstream)];
}

function urlMessages(url: URL, twin: number | undefined): string[] {
  const messages: string[] = [];
  if (url.username !== '' || url.password !== '')
    messages.push('contains a user or a password; set them in credentials');
  if (url.search !== '' || url.hash !== '')
    messages.push('has a query or a fragment; expected scheme, host and at most a base path');
  if (/\/v2\/?$/.test(url.pathname)) messages.push('ends in /v2; expected the URL without /v2');
  if (twin !== undefined) messages.push(`repeats urls[${twin}]; expected each replica once`);
  return messages;
}

function normalizedUrl({ origin, pathname }: URL): string {
  return origin + pathname.replace(/\/$/, '');
}

/** Settings that work but deserve a warning. */
export function upstreamWarnings(config: Config, name: string, upstream: UpstreamConfig): KeyFinding[] {
  const findings: KeyFinding[] = [];
  const used =
    config.passthrough === name ||
    config.routes.some((route) => route.push === name || route.pull.some((entry) => entry.upstream === name));
  if (!used)
    findings.push({
      path: ['upstreams', name],
      message: 'no route uses this upstream',
      remedy: 'name it in a route, or remove it',
      atKey: true,
    });
  findings.push(...timeWarnings(name, upstream), ...lostContentWarnings(config, name, upstream));
  const exposed = upstream.urls
    .map((text) => new URL(text))
    // `URL` has normalized the address: `http://127.1` is 127.0.0.1 here.
    .find(
      ({ protocol, hostname }) => protocol === 'http:' && !isLoopback(hostname) && !hostname.endsWith('.localhost'),
    );
  if (exposed === undefined) return findings;
  const message = `credentials go to ${exposed.host} unencrypted`;
  const remedy = 'use https for it';
  if (upstream.credentials !== 'none') findings.push({ path: ['upstreams', name, 'credentials'], message, remedy });
  if (typeof upstream.probe.credentials === 'object')
    findings.push({ path: ['upstreams', name, 'probe', 'credentials'], message, remedy });
  if (typeof upstream.replication.credentials === 'object')
    findings.push({ path: ['upstreams', name, 'replication', 'credentials'], message, remedy });
  return findings;
}

/** Lost content is looked for with credentials of the edge's own, by which the upstream shows what clients pushed. */
function lostContentWarnings({ routes }: Config, name: string, upstream: UpstreamConfig): KeyFinding[] {
  if (contentReader(upstream) !== undefined || !routes.some(({ push }) => push === name)) return [];
  return [
    {
      path: ['upstreams', name, 'credentials'],
      message: `if ${name} lost content that was pushed to it, such as by a restored snapshot, this would not be noticed: with credentials: forward the edge has no credentials to look for it`,
      remedy: `set upstreams.${name}.replication.credentials to { username, passwordFile } of an account that may pull everything, or to none if ${name} needs none`,
    },
  ];
}

/** Warnings, not errors: one of the two values may be a default. */
function timeWarnings(name: string, { probe, breaker }: UpstreamConfig): KeyFinding[] {
  const findings: KeyFinding[] = [];
  if (probe.fastInterval > probe.interval)
    findings.push({
      path: ['upstreams', name, 'probe', 'fastInterval'],
      message: `is ${probe.fastInterval}ms, longer than interval with ${probe.interval}ms: probes slow down while the state changes`,
      remedy: 'set it to less than interval',
    });
  if (breaker.open > breaker.openMax)
    findings.push({
      path: ['upstreams', name, 'breaker', 'openMax'],
      message: `is ${breaker.openMax}ms, shorter than open with ${breaker.open}ms`,
      remedy: 'set it to at least open',
    });
  return findings;
}
