import type { Config } from '../../config/schema.ts';
import { mayEverybody } from './rights.ts';
import { type ExportOptions, groupUrls } from './upstream-text.ts';

/** What nginx cannot do of a configuration, most important first. One sentence or two each. */
export function gapsOf(config: Config, options: ExportOptions): string[] {
  return [
    ...GAPS.filter(({ holds }) => holds?.(config, options) ?? true).map(({ text }) => text),
    ...namedGaps(config, options),
  ];
}

interface Gap {
  text: string;
  holds?: (config: Config, options: ExportOptions) => boolean;
}

const upstreamsOf = ({ upstreams }: Config) => Object.values(upstreams);
const hasFallback = ({ routes }: Config) => routes.some(({ pull }) => pull.length > 1);

const GAPS: readonly Gap[] = [
  {
    text: 'Names of upstreams are looked up at the start only, and nginx does not start while DNS fails. Use addresses, or /etc/hosts.',
  },
  {
    text: 'There is no canary: storage that hangs while the registry answers is only noticed by each request, after its time-out. After three failures in 10 s an upstream is left alone for 10 s, for pushes and for everybody.',
  },
  {
    text: 'A tag may go back in time on the fallback, without a warning: nothing remembers what the primary had.',
    holds: hasFallback,
  },
  { text: 'A blob that breaks off midway stays broken, and nothing is hashed. Clients have to try again.' },
  {
    text: 'A 404 of a primary whose storage is not mounted is passed on, though the fallback has the image.',
    holds: hasFallback,
  },
  { text: 'While the primary is away, HEADs of blobs and pushes get 503, and clients are not told since when.' },
  {
    text: 'Nothing is copied to the fallback: run `breakwater sync` beside it.',
    holds: ({ routes }) => routes.some(({ pull }) => pull.some(({ replicate }) => replicate)),
  },
  {
    text: 'Nobody can check users while the registry that decides about them is away, so fallbacks are left out. --open-fallback lets everybody pull from them then.',
    holds: ({ auth }, { openFallback }) => auth.mode === 'delegate' && !openFallback,
  },
  {
    text: 'While the registry that decides about users is away, EVERYBODY CAN PULL EVERYTHING from the fallbacks (--open-fallback).',
    holds: ({ auth }, { openFallback }) => auth.mode === 'delegate' && openFallback,
  },
  {
    text: 'Break-glass users, groups, tokens of the edge and what clients were once allowed are not known.',
    holds: ({ auth }) => auth.mode !== 'open',
  },
  {
    text: 'The realm of a login is passed on as the registry names it, so clients have to reach that host.',
    holds: (config) => upstreamsOf(config).some(({ credentials }) => credentials === 'forward'),
  },
  {
    text: 'Redirects of blobs are passed on, so clients have to reach the storage themselves.',
    holds: (config) => upstreamsOf(config).some(({ redirects }) => redirects.mode === 'follow'),
  },
  {
    text: 'Names in bodies, such as catalogs and tag lists, are those of the upstream, and mounts across repositories may name others.',
    holds: ({ routes }) => routes.some(({ prefix, pull }) => pull.some((entry) => (entry.prefix ?? prefix) !== prefix)),
  },
  {
    text: 'What `?ns=` says is not looked at: a registry is told by its host name alone.',
    holds: ({ routes }) => routes.some(({ registry }) => registry !== undefined),
  },
  { text: 'Web pages of other hosts (cors) are not let in.', holds: ({ cors }) => cors !== undefined },
  {
    text: 'The certificate that the edge orders (tls.acme) is not used: put one where ssl_certificate says.',
    holds: ({ tls }) => 'acme' in tls,
  },
  {
    text: 'Plain HTTP (listen.plain) is left out: nginx would serve it to everybody.',
    holds: ({ listen }) => listen.plain !== undefined && listen.plainClients === 'trusted',
  },
  { text: 'Edges tell each other nothing (peers).', holds: ({ peers }) => peers.length > 0 },
  { text: 'There is no status page, no /metrics and no maintenance; hooks of registries get 404.' },
];

/** Gaps that name upstreams or routes. */
function namedGaps(config: Config, { withCredentials }: ExportOptions): string[] {
  const gaps: string[] = [];
  for (const [name, upstream] of Object.entries(config.upstreams)) {
    const { credentials } = upstream;
    if (groupUrls(upstream).length < upstream.urls.length)
      gaps.push(`Of ${name}, only the urls with the scheme and base path of the first one are used.`);
    if (typeof credentials !== 'object') continue;
    if (!('passwordFile' in credentials)) gaps.push(`${name} gets no credentials: nginx cannot renew a token.`);
    else if (withCredentials)
      gaps.push(`${name} gets a Basic login. A registry that wants a token of a token service refuses it.`);
    else
      gaps.push(
        `${name} gets no credentials: --with-credentials writes its password into a file that only the owner can read.`,
      );
  }
  for (const route of config.routes) {
    if (!mayEverybody(config, route, 'pull'))
      gaps.push(`Nobody may pull below "${route.prefix}", because nginx knows no rights of users.`);
    else if (route.push !== undefined && !mayEverybody(config, route, 'push'))
      gaps.push(`Nobody may push below "${route.prefix}", because nginx knows no rights of users.`);
  }
  return gaps;
}
