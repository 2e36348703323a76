import type { Target } from '../model/passage.ts';
import { effective, setting } from '../model/site.ts';
import type { Notes } from './notes.ts';
import type { FoundSecret, PlannedCredentials, PlannedUpstream } from './planned-config.ts';
import { wellKnown } from './well-known.ts';

/** A place in the order in which upstreams are asked: one registry with its replicas. */
export interface Step {
  scheme: string;
  hosts: string[];
  /** Path before `/v2/`. */
  base: string;
  target: Target;
}

/** Longer, and a pull would wait for a host that is gone. */
const MAX_CONNECT_MS = 10_000;
/** The default of `deadlines.commit`. */
const COMMIT_MS = 900_000;

/** The upstreams of a configuration, each under a name of its own. */
export class UpstreamPlan {
  readonly upstreams: Record<string, PlannedUpstream> = {};
  readonly secrets: FoundSecret[] = [];
  readonly #names = new Map<string, string>();
  readonly #notes: Notes;
  readonly #fileOf: (name: string) => string;

  constructor(notes: Notes, fileOf: (name: string) => string) {
    this.#notes = notes;
    this.#fileOf = fileOf;
  }

  /**
   * The name of an upstream, which is planned where it is new.
   * @param isFirst whether it is asked first, so that clients log in there
   */
  nameOf(step: Step, { isFirst, hasUsers }: { isFirst: boolean; hasUsers: boolean }): string {
    const { scheme, hosts, base, target } = step;
    const key = JSON.stringify([scheme, hosts, base, target.headers.get('authorization') ?? null]);
    const known = this.#names.get(key);
    if (known !== undefined) {
      // Other directives may say the same of it.
      this.#upstream(known, step, false);
      const upstream = this.upstreams[known];
      if (upstream && isFirst && !hasUsers && !target.headers.has('authorization')) upstream.credentials = 'forward';
      return known;
    }
    const name = this.#newName(step);
    this.#names.set(key, name);
    this.upstreams[name] = this.#upstream(name, step, isFirst && !hasUsers);
    return name;
  }

  #newName({ hosts: [host = ''], target }: Step): string {
    const isGroupUsable = target.group !== undefined && !target.isBackup;
    const text = isGroupUsable ? (target.group ?? '') : (wellKnown(host)?.name ?? nameOfHost(host));
    const base =
      text
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-+|-+$/g, '')
        .slice(0, 26) || 'registry';
    for (let number = 1; ; number++) {
      const name = number === 1 ? base : `${base}-${number}`;
      if (this.upstreams[name] === undefined) return name;
    }
  }

  #upstream(name: string, { scheme, hosts, base, target }: Step, mayForward: boolean): PlannedUpstream {
    const { chain } = target;
    const known = wellKnown(hosts[0] ?? '');
    const upstream: PlannedUpstream = { urls: hosts.map((host) => `${scheme}://${host}${base}`) };
    const ca = effective(chain, 'proxy_ssl_trusted_certificate')[0];
    if (ca && scheme === 'https') {
      upstream.caFile = this.#fileOf(ca.args[0] ?? '');
      this.#notes.record(ca, 'taken', `It is caFile of upstreams.${name}.`);
    }
    this.recordTlsName(target, hosts);
    if (scheme === 'https' && !ca && !known)
      this.#notes.remember(
        `Breakwater always checks the certificate of ${hosts[0]}. If no public authority has signed it, set upstreams.${name}.caFile.`,
      );
    const credentials = this.#credentials(name, target, hosts[0] ?? '', mayForward);
    if (credentials !== 'none') upstream.credentials = credentials;
    if (known?.redirects) upstream.redirects = { hosts: known.redirects };
    else if (known)
      this.#notes.remember(
        `If ${hosts[0]} redirects blobs to another host, list that host in upstreams.${name}.redirects.hosts; \`breakwater check\` names it.`,
      );
    const deadlines = this.#deadlines(name, target);
    if (deadlines) upstream.deadlines = deadlines;
    if (hosts[0] === '0.0.0.1')
      this.#notes.remember(
        `A program of nginx chooses the server. Write the address of the registry into upstreams.${name}.urls.`,
      );
    return upstream;
  }

  /** The name that a certificate is checked for is usually that of the URL. */
  recordTlsName({ chain }: Target, hosts: readonly string[]): void {
    const directive = effective(chain, 'proxy_ssl_name')[0];
    const [value = ''] = directive?.args ?? [];
    if (directive && (value === '$proxy_host' || hosts.some((host) => host.replace(/:\d+$/, '') === value)))
      this.#notes.record(directive, 'better', 'Breakwater checks the name of the URL by itself.');
  }

  #credentials(name: string, { headers, chain }: Target, host: string, mayForward: boolean): PlannedCredentials {
    if (!headers.has('authorization')) return mayForward ? 'forward' : 'none';
    const value = headers.get('authorization');
    const at = effective(chain, 'proxy_set_header').find(({ args }) => args[0]?.toLowerCase() === 'authorization');
    const record = (verdict: 'taken' | 'better' | 'cannot', text: string, isImportant = false) => {
      if (at) this.#notes.record(at, verdict, text, isImportant);
    };
    if (value === '') {
      record('taken', `upstreams.${name} gets no credentials of clients.`);
      return 'none';
    }
    const login = /^basic\s+(\S+)$/i.exec(value ?? '')?.[1];
    const [, username, password] = /^([^:]+):(.*)$/s.exec(Buffer.from(login ?? '', 'base64').toString('utf8')) ?? [];
    const renewed = wellKnown(host)?.credentials;
    // Other logins of these registries do not end.
    if (renewed && (username === undefined || ['AWS', 'oauth2accesstoken'].includes(username))) {
      const way = 'helper' in renewed ? `docker-credential-${renewed.helper}` : 'the metadata server of Google Cloud';
      record('better', `Breakwater gets credentials from ${way}, and renews them.`);
      this.#notes.remember(
        'helper' in renewed
          ? `Put docker-credential-${renewed.helper} into PATH, with the rights that the nginx had for ${host}.`
          : `Where the edge does not run on Google Cloud, replace { metadata: gcp } of ${name} by { username: _json_key, passwordFile }.`,
      );
      return renewed;
    }
    if (username === undefined || password === undefined) {
      record(
        'cannot',
        `Its value is not known before a request, or is no Basic login. Set upstreams.${name}.credentials.`,
        true,
      );
      return 'none';
    }
    const passwordFile = `${name}.secret`;
    if (!this.secrets.some(({ file }) => file === passwordFile))
      this.secrets.push({ file: passwordFile, content: `${password}\n` });
    record('taken', `The login is credentials of upstreams.${name}; its password belongs into ${passwordFile}.`);
    this.#notes.remember(
      `Write the password of ${JSON.stringify(username)} for ${host} into ${passwordFile} (mode 0600), or let --write-secrets do it.`,
    );
    return { username, passwordFile };
  }

  #deadlines(name: string, { chain }: Target): PlannedUpstream['deadlines'] | undefined {
    const result: NonNullable<PlannedUpstream['deadlines']> = {};
    const connect = effective(chain, 'proxy_connect_timeout')[0];
    const connectMs = milliseconds(setting(chain, 'proxy_connect_timeout'));
    if (connect && connectMs !== undefined && connectMs > 0 && connectMs <= MAX_CONNECT_MS) {
      result.connect = `${connectMs}ms`;
      this.#notes.record(connect, 'taken', `It is deadlines.connect of upstreams.${name}.`);
    } else if (connect)
      this.#notes.record(
        connect,
        'better',
        'Not taken over: a pull would wait that long for a host that is gone. Breakwater gives up after 2 s.',
      );
    const read = effective(chain, 'proxy_read_timeout')[0];
    const readMs = milliseconds(read?.args[0]);
    if (read && readMs !== undefined && readMs > COMMIT_MS) {
      result.commit = `${readMs}ms`;
      this.#notes.record(read, 'taken', `It is deadlines.commit of upstreams.${name}; pulls fail over after seconds.`);
    }
    return Object.keys(result).length > 0 ? result : undefined;
  }
}

function nameOfHost(host: string): string {
  const name = host.replace(/:\d+$/, '');
  if (host.startsWith('unix:') || /^[\d.]+$|^\[/.test(name)) return 'registry';
  return name.split('.', 1)[0] ?? 'registry';
}

/** `60`, `60s`, `5m`, `500ms`, `1h30m` of nginx. */
export function milliseconds(text = ''): number | undefined {
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  if (!/^(\d+(ms|s|m|h|d)?)+$/.test(text)) return undefined;
  const sum = [...text.matchAll(/(\d+)(ms|s|m|h|d)?/g)].reduce(
    (ms, [, digits, unit = 's']) => ms + Number(digits) * (units[unit] ?? 0),
    0,
  );
  return sum > 24 * 86_400_000 ? undefined : sum;
}
