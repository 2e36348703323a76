import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import bcrypt from 'bcrypt';
import { LogOutput } from '../../../src/cli/output/log-output.ts';
import type { LogTarget } from '../../../src/cli/output/log-target.ts';
import { inBackground } from '../../../src/http/background.ts';
import { makeCertificate } from '../../../src/lab/certificate.ts';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { HOSTNAME, PROBE } from '../../helpers/edge-in-process.ts';
import { ANN, BEARER, basic, bearer, probe } from '../../helpers/forward-site.ts';
import { CLOUD, INNER, type LabSite, startLabSite } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

/** An edge in a job of its own, for what one edge alone can meet. */
export interface CornerEdge {
  /** Address of the admin listener. */
  admin: string;
  /** What must fire after `fail`. */
  alerts: readonly string[];
  fail(): Promise<void>;
  stop(): Promise<void>;
}

const CONNECTIONS = 8;
/** A reader that never reads. */
const STUCK: LogTarget = { write: () => undefined, writeNow: () => undefined, blockedMs: 0 };
const pull = [
  { upstream: 'harbor', prefix: INNER },
  { upstream: 'gcr', prefix: CLOUD, replicate: true },
];

export async function startCornerEdge(owner: Owner, metricsToken: string): Promise<CornerEdge> {
  const log = new LogOutput({ target: STUCK, onResumed: () => undefined });
  const site = await startLabSite(owner, {
    primary: { harbor: true, auth: { ...BEARER, lockMs: 50 } },
    harbor: { credentials: 'forward', probe: { ...probe, kind: 'harbor' } },
    route: { pull },
    config: {
      listen: { https: '127.0.0.1:0', admin: '127.0.0.1:0', proxyProtocol: true },
      trustedProxies: ['10.9.9.9'],
      auth: { mode: 'delegate', breakGlassFile: 'users', access: { '*': ['** pull'] } },
      ledger: { tags: 2 },
      limits: { connections: CONNECTIONS },
      adminTokenFile: 'x',
      metricsTokenFile: 'x',
    },
    settings: {
      secrets: { harbor: { probePassword: 'pr0be-secret' } },
      users: { 'hal@break-glass': await bcrypt.hash('glass', 4) },
      adminToken: 'a token that opens everything',
      metricsToken,
      droppedLogLines: () => log.dropped,
    },
  });
  return {
    admin: `127.0.0.1:${site.edge.app.addresses().admin.port}`,
    alerts: [
      ...['BreakwaterNothingCopies', 'BreakwaterNoCanary', 'BreakwaterNoContent', 'BreakwaterBackgroundErrors'],
      ...['BreakwaterLogLinesDropped', 'BreakwaterProxyHeaders', 'BreakwaterConnectionsRefused'],
      ...['BreakwaterLedgerFull', 'BreakwaterBreakGlass', 'BreakwaterLoginsFail', 'BreakwaterCertificateExpires'],
    ],
    fail: async () => {
      await inBackground('probe', () => {
        throw new Error('a flaw');
      })();
      for (let line = 0; line < 20; line += 1) log.write(`${'x'.repeat(100_000)}\n`, false);
      await forgetTags(site);
      await failToDecide(site);
      await crowd(owner, site);
      await misconfigure(owner, site);
    },
    stop: () => site.edge.app.stop(),
  };
}

/** More tags than the ledger may hold. */
async function forgetTags({ primary, edge }: LabSite): Promise<void> {
  const client = edge.http1();
  const scope = 'repository:library/app:pull';
  const token = await client.ask(`/auth/token?service=${HOSTNAME}&scope=${scope}`, { headers: { authorization: ANN } });
  for (const tag of ['a', 'b', 'c', 'd']) {
    primary.seed(`${INNER}library/app`, tag, { blobs: [tag.charCodeAt(0)] });
    await client.ask(`/v2/library/app/manifests/${tag}`, { headers: { authorization: bearer(token) } });
  }
}

/** The upstream that decides does not answer. */
async function failToDecide({ primary, edge }: LabSite): Promise<void> {
  await primary.faults.on('down');
  await edge.upstream('harbor', 'down');
  const client = edge.http1();
  for (const authorization of [basic('hal@break-glass', 'glass'), basic('eve', 'unknown')])
    await client.ask(`/auth/token?service=${HOSTNAME}&scope=repository:library/app:pull`, {
      headers: { authorization },
    });
}

/** Connections with a PROXY header of a stranger, and more connections than are allowed. */
async function crowd(owner: Owner, { edge }: LabSite): Promise<void> {
  const open = async (): Promise<Socket> => {
    const socket = connect(edge.port, '127.0.0.1').on('error', () => undefined);
    owner.teardown(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  const stranger = await open();
  stranger.write('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n');
  await once(stranger, 'close');
  const sockets: Socket[] = [];
  for (let count = 0; count < CONNECTIONS + 4; count += 1) sockets.push(await open());
  for (const socket of sockets) socket.destroy();
}

/** An edge that does not copy, with a registry that has nothing, a fallback without a canary, and a certificate near its end. */
async function misconfigure(owner: Owner, { config, edge, fallback }: LabSite): Promise<void> {
  const empty = await startLabRegistry();
  owner.teardown(() => empty.close());
  const { upstreams, routes } = config as { upstreams: object; routes: object[] };
  await edge.reload(
    {
      ...config,
      upstreams: {
        ...upstreams,
        gcr: { urls: [fallback.url], probe: PROBE },
        empty: { urls: [empty.url], probe: PROBE },
      },
      routes: [...routes, { prefix: 'empty/', push: 'empty', pull: [{ upstream: 'empty' }] }],
      replication: { when: 'never' },
    },
    { certificate: await makeCertificate({ names: [HOSTNAME], authority: true, days: 5 }) },
  );
}
