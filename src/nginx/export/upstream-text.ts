import type { UpstreamConfig } from '../../config/schema.ts';
import { block, nginxPattern, nginxTime, nginxWord } from './nginx-word.ts';

/** What an exported file needs to know of the machine. */
export interface ExportOptions {
  /** The whole path of a file that the configuration names. */
  fileOf: (name: string) => string;
  /** Whether the passwords of upstreams go into files of their own, which the text includes. */
  withCredentials: boolean;
  /** Whether everybody may pull from fallbacks while the upstream that decides about users is away. */
  openFallback: boolean;
  /** Where the files with passwords are. */
  credentialsFile: (upstream: string) => string;
}

/** Authorities of Debian; others have a link of this name. */
const SYSTEM_AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';
const TRIES_AFTER = 'max_fails=3 fail_timeout=10s';

/** URLs that one group of nginx can hold: they share scheme and base path. */
export function groupUrls({ urls }: UpstreamConfig): URL[] {
  const all = urls.map((text) => new URL(text));
  return all.filter((url) => url.protocol === all[0]?.protocol && url.pathname === all[0]?.pathname);
}

/** The `upstream` block. */
export function groupText(name: string, upstream: UpstreamConfig): string[] {
  const urls = groupUrls(upstream);
  const addresses = urls.map((url) => `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`);
  const lines = addresses.map((address) => `server ${nginxWord(address)} ${TRIES_AFTER};`);
  // nginx never marks the only server of a group as failed.
  const all =
    lines.length > 1 ? lines : [...lines, ...lines.map((line) => `${line}  # again, so that max_fails counts`)];
  return block(`upstream ${groupName(name)}`, [...all, 'keepalive 32;']);
}

function groupName(name: string): string {
  return `breakwater_${name.replaceAll('-', '_')}`;
}

/** One way of a route to an upstream. */
export interface Way {
  /** Whether another upstream was asked before. */
  isFallback?: boolean;
  name: string;
  upstream: UpstreamConfig;
  routePrefix: string;
  upstreamPrefix: string;
  /** `ask` has no body: a HEAD of a blob, the start or the state of an upload. */
  kind: 'pull' | 'last pull' | 'push' | 'ask' | 'other';
}

/** The directives that send a request to an upstream. */
export function passText(
  { name, upstream, routePrefix, upstreamPrefix, kind, isFallback }: Way,
  options: ExportOptions,
): string[] {
  const [url] = groupUrls(upstream);
  if (!url) return [];
  const base = url.pathname.replace(/\/$/, '');
  const from = kind === 'other' ? '/' : `/v2/${routePrefix}`;
  const to = kind === 'other' ? `${base}/` : `${base}/v2/${upstreamPrefix}`;
  const isSame = from === to;
  return [
    // A location that was left has changed the path for those after it.
    ...(isFallback === true ? [`rewrite ^ $breakwater_path${isSame ? ' break' : ''};`] : []),
    ...(isSame ? [] : [`rewrite ^${nginxPattern(from)}(.*)$ ${nginxWord(to)}$1 break;`]),
    `proxy_pass ${url.protocol}//${groupName(name)};`,
    `proxy_set_header Host ${nginxWord(url.host)};`,
    'proxy_set_header Connection "";',
    'proxy_set_header X-Real-IP $remote_addr;',
    'proxy_set_header X-Forwarded-For $remote_addr;',
    'proxy_set_header X-Forwarded-Proto $scheme;',
    ...credentialsText(name, upstream, options),
    `proxy_redirect "~^(?:https?://[^/]+)?${nginxPattern(to)}(.*)$" ${nginxWord(from)}$1;`,
    ...tlsText(url, upstream, options),
    ...timesText(upstream, kind),
  ];
}

function credentialsText(name: string, { credentials }: UpstreamConfig, options: ExportOptions): string[] {
  if (credentials === 'forward') return [];
  const hasPassword = typeof credentials === 'object' && 'passwordFile' in credentials;
  if (hasPassword && options.withCredentials) return [`include ${nginxWord(options.credentialsFile(name))};`];
  return ['proxy_set_header Authorization "";'];
}

function tlsText(url: URL, { caFile }: UpstreamConfig, { fileOf }: ExportOptions): string[] {
  if (url.protocol !== 'https:') return [];
  return [
    'proxy_ssl_server_name on;',
    `proxy_ssl_name ${nginxWord(url.hostname)};`,
    'proxy_ssl_verify on;',
    'proxy_ssl_verify_depth 3;',
    `proxy_ssl_trusted_certificate ${nginxWord(caFile === undefined ? SYSTEM_AUTHORITIES : fileOf(caFile))};`,
  ];
}

function timesText(upstream: UpstreamConfig, kind: Way['kind']): string[] {
  const { deadlines } = upstream;
  const connect = `proxy_connect_timeout ${nginxTime(deadlines.connect)};`;
  if (kind === 'ask') return [connect, `proxy_read_timeout ${nginxTime(deadlines.push)};`, 'proxy_next_upstream off;'];
  if (kind === 'push' || kind === 'other')
    return [connect, `proxy_read_timeout ${nginxTime(deadlines.commit)};`, 'proxy_next_upstream off;'];
  const read = kind === 'last pull' ? deadlines.last : Math.max(deadlines.manifest, deadlines.blob, deadlines.stall);
  return [
    connect,
    `proxy_read_timeout ${nginxTime(read)};`,
    'proxy_next_upstream error timeout http_500 http_502 http_503 http_504;',
    `proxy_next_upstream_tries ${groupUrls(upstream).length};`,
  ];
}
