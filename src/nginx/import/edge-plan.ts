import { parseListen } from '../model/listen.ts';
import { effective, type Server } from '../model/site.ts';
import type { Directive } from '../syntax/directive.ts';
import type { Notes } from './notes.ts';
import type { PlannedConfig } from './planned-config.ts';

type Files = (name: string) => string;

const PLACEHOLDER = { certFile: 'tls.crt', keyFile: 'tls.key' };

/** Where the edge listens, as one server of nginx does. @param redirecting servers that only redirect to https */
export function listenPlan(server: Server, redirecting: readonly Server[], notes: Notes): PlannedConfig['listen'] {
  const directives = effective(server.chain, 'listen');
  const isTls = (one: Directive) => parseListen(one.args).isTls || server.listens.every((listen) => listen.isTls);
  const https = chosen(directives.filter(isTls), 'listen.https', notes);
  const plain = chosen(
    directives.filter((one) => !isTls(one)),
    https === undefined ? 'listen.plain' : undefined,
    notes,
  );
  const listen: PlannedConfig['listen'] = { https: https === undefined ? '0.0.0.0:443' : addressOf(https) };
  if (server.listens.some(({ isProxied }) => isProxied)) listen.proxyProtocol = true;
  const other =
    redirecting.flatMap((one) => effective(one.chain, 'listen'))[0] ?? (https === undefined ? undefined : plain);
  const address = other && addressOf(other);
  if (https === undefined) {
    listen.plain = plain === undefined ? '0.0.0.0:80' : addressOf(plain);
    notes.remember(
      `nginx served plain HTTP. Breakwater does so on listen.plain, and wants a certificate for listen.https as well: see tls.`,
    );
  } else if (other && address !== undefined && !address.startsWith('unix:')) {
    listen.http = address;
    const isRedirected = other !== plain;
    notes.record(
      other,
      isRedirected ? 'taken' : 'cannot',
      isRedirected
        ? 'It is listen.http, which redirects to https.'
        : 'It served without TLS. Breakwater redirects from there to https; for clients without TLS set listen.plain.',
      !isRedirected,
    );
  }
  return listen;
}

/** The first of some listeners; a second address of the same port is the same listener. */
function chosen(directives: readonly Directive[], key: string | undefined, notes: Notes): Directive | undefined {
  const [first] = directives;
  if (!first || key === undefined) return first;
  const port = parseListen(first.args).port;
  const every =
    directives.find((one) => parseListen(one.args).port === port && parseListen(one.args).host === '[::]') ?? first;
  for (const one of directives) {
    const { port: its } = parseListen(one.args);
    if (one === every) notes.record(one, 'taken', `It is ${key}.`);
    else if (its === port) notes.record(one, 'better', `${key} takes connections for both addresses.`);
    else
      notes.record(
        one,
        'cannot',
        `Breakwater has one ${key}. Send clients of port ${its} to port ${port}, or run a second edge.`,
        true,
      );
  }
  return every;
}

function addressOf({ args }: Directive): string {
  const { host, port } = parseListen(args);
  return host.startsWith('unix:') ? host : `${host}:${port}`;
}

export function tlsPlan(servers: readonly Server[], fileOf: Files, notes: Notes): PlannedConfig['tls'] {
  const certificates: { certFile: string; keyFile: string }[] = [];
  for (const server of servers) {
    const keys = effective(server.chain, 'ssl_certificate_key');
    for (const [index, one] of effective(server.chain, 'ssl_certificate').entries()) {
      const [certFile = ''] = one.args;
      const key = keys[index] ?? keys[0];
      if (!key || /\$|^data:|^engine:/.test(certFile + key.args[0])) {
        notes.record(
          one,
          'cannot',
          'Its name has a variable, or it is no file. List the certificates in tls; SNI chooses among them.',
          true,
        );
        continue;
      }
      notes.record(one, 'taken', 'It is tls.certFile.');
      notes.record(key, 'taken', 'It is tls.keyFile.');
      const pair = { certFile: fileOf(certFile), keyFile: fileOf(key.args[0] ?? '') };
      if (!certificates.some((known) => known.certFile === pair.certFile)) certificates.push(pair);
    }
  }
  if (certificates.length === 0)
    notes.remember(
      'There was no certificate to take over. Put one into tls.crt and tls.key: `breakwater cert`, or tls.acme.',
    );
  return certificates.length > 1 ? certificates : (certificates[0] ?? PLACEHOLDER);
}

/** Addresses that may name the client. */
export function trustedPlan(server: Server, notes: Notes): string[] {
  const header = effective(server.chain, 'real_ip_header')[0];
  const name = header?.args[0]?.toLowerCase() ?? 'x-real-ip';
  const networks = effective(server.chain, 'set_real_ip_from');
  if (header) {
    const isKnown = ['x-forwarded-for', 'proxy_protocol'].includes(name);
    notes.record(
      header,
      isKnown ? 'taken' : 'cannot',
      isKnown
        ? 'Breakwater reads it from trustedProxies.'
        : 'Breakwater reads X-Forwarded-For, or a PROXY header. Let the load balancer send one of them.',
      !isKnown,
    );
  }
  for (const one of networks) notes.record(one, 'taken', 'It is in trustedProxies.');
  return networks.map(({ args }) => args[0] ?? '').filter((text) => /^(unix:|[\da-f.:]+(\/\d+)?)$/i.test(text));
}

export interface AccessPlan {
  auth?: NonNullable<PlannedConfig['auth']>;
  /** Whether clients may pull without a login. */
  isAnonymous: boolean;
}

/**
 * Logins that nginx checked itself.
 * @param chain of the place whose requests need a login
 */
export function accessPlan(
  chain: readonly Directive[][],
  isPullOpen: boolean,
  fileOf: Files,
  notes: Notes,
): AccessPlan | undefined {
  const [file] = effective(chain, 'auth_basic_user_file');
  if (!file) return undefined;
  if ((file.args[0] ?? '').includes('$')) {
    notes.record(
      file,
      'cannot',
      'Its name has a variable. Breakwater has one file of users; rights of users are in auth.access.',
      true,
    );
    return undefined;
  }
  const htpasswdFile = fileOf(file.args[0] ?? '');
  notes.record(file, 'taken', 'It is auth.htpasswdFile. Only bcrypt hashes count there.');
  for (const one of effective(chain, 'auth_basic')) notes.record(one, 'taken', 'auth.mode is htpasswd.');
  notes.remember(
    `Users of ${htpasswdFile} need bcrypt hashes: \`breakwater check\` names the others, and \`breakwater user add NAME\` sets a password anew.`,
  );
  const [satisfy] = effective(chain, 'satisfy');
  const allowed = effective(chain, 'allow')
    .map(({ args }) => args[0] ?? '')
    .filter((text) => /^[\da-f.:]+(\/\d+)?$/i.test(text));
  const isEither = satisfy?.args[0] === 'any' && allowed.length > 0;
  if (isEither) {
    for (const name of ['allow', 'deny', 'satisfy'])
      for (const one of effective(chain, name))
        notes.record(
          one,
          'taken',
          'auth.anonymous has the networks that may pull without a password. A push needs one.',
        );
  }
  const anonymous = isPullOpen ? ['0.0.0.0/0', '::/0'] : isEither ? allowed : [];
  return {
    auth: {
      mode: 'htpasswd',
      htpasswdFile,
      access: { '*': ['** pull,push,delete'] },
      ...(anonymous.length > 0 ? { anonymous } : {}),
    },
    isAnonymous: anonymous.length > 0,
  };
}

/** Longer headers than the default of `limits.headerBytes`. */
export function headerLimit({ chain }: Server, notes: Notes): number | undefined {
  const [one] = effective(chain, 'large_client_header_buffers');
  const [, digits = '', unit = ''] = /^(\d+)([km]?)$/i.exec(one?.args[1] ?? '') ?? [];
  if (!one || digits === '') return undefined;
  const bytes = Number(one.args[0]) * Number(digits) * ({ k: 1024, m: 1_048_576 }[unit.toLowerCase()] ?? 1);
  if (!(bytes > 32_768)) return undefined;
  notes.record(one, 'taken', 'It is limits.headerBytes.');
  return Math.min(bytes, 1_048_576);
}
