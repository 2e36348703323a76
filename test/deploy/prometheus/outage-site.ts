import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import type { LabUser } from '../../../src/lab/access.ts';
import type { Seed } from '../../../src/lab/seed.ts';
import { type Edge, startEdge } from '../../helpers/edge.ts';
import { PROBE } from '../../helpers/edge-in-process.ts';
import { setHostClock } from '../../helpers/host-clock.ts';
import {
  CLOUD,
  INNER,
  type LabSite,
  MANIFEST_TYPE,
  manifestOf,
  pushBlob,
  startLabSite,
} from '../../helpers/lab-site.ts';
import { takeSnapshot } from '../../helpers/store-snapshot.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';

const KEY = 'a secret that both edges of the site have in a file';
const PASSWORD = 'edge-secret';
const HOUR = 3_600_000;

/** Waits until these alerts have fired. */
type Fires = (...alerts: string[]) => Promise<void>;

interface Outage {
  /** @param fires for a condition that must last until it was seen, and then end */
  cause: (fires: Fires) => Promise<void>;
  /** What must fire then. */
  alerts: readonly string[];
}

/** Two edges before a Harbor and its copy, and what happens to them, one after the other. */
export class OutageSite {
  readonly #owner: Owner;
  readonly #lab: LabSite;
  readonly #robot: LabUser;
  readonly #other: Edge;
  /** The configuration of this edge, as it was loaded last. */
  readonly #config: Record<string, unknown>;
  /** Restores the primary as it was before its pushes. */
  readonly #restore: () => void;

  constructor(
    owner: Owner,
    { lab, robot, other, config }: { lab: LabSite; robot: LabUser; other: Edge; config: Record<string, unknown> },
  ) {
    this.#owner = owner;
    this.#lab = lab;
    this.#robot = robot;
    this.#other = other;
    this.#config = config;
    this.#restore = takeSnapshot(lab.primary);
  }

  /** Addresses of the admin listeners. */
  get admin(): string {
    return `127.0.0.1:${this.#lab.edge.app.addresses().admin.port}`;
  }

  get otherAdmin(): string {
    return this.#other.adminUrl.replace('http://', '');
  }

  /** In this order. */
  get outages(): Record<string, Outage> {
    return {
      'this edge alone loses its way to the primary, and its clock is off': {
        cause: (fires) => this.#loseSight(fires),
        alerts: ['BreakwaterSeesLess', 'BreakwaterClocksDiffer'],
      },
      'the other edge is frozen': {
        cause: (fires) => this.#freezeOther(fires),
        alerts: ['BreakwaterPeerLate', 'BreakwaterEdgeGone'],
      },
      'the other edge stops': {
        cause: async () => this.#other.signal('SIGTERM'),
        alerts: ['BreakwaterNotReady', 'BreakwaterPeerUnreachable'],
      },
      'the primary is slow': { cause: () => this.#slow(), alerts: ['BreakwaterHedgesRefused', 'BreakwaterQueued'] },
      'downloads break off': {
        cause: () => this.#breakDownloads(),
        alerts: ['BreakwaterDownloadsBreakOff', 'BreakwaterPartialDownloads'],
      },
      'blobs are corrupt, and the hashing thread dies': {
        cause: () => this.#corrupt(),
        alerts: ['BreakwaterCorruptCopies', 'BreakwaterDigestsUnknown'],
      },
      'the fallback is down for hours': {
        cause: () => this.#loseFallback(),
        // The edge asks once an hour when its account ends.
        alerts: [
          ...['BreakwaterUpstreamDown', 'BreakwaterCoverageUnknown', 'BreakwaterNotCompared'],
          'BreakwaterCredentialsExpire',
        ],
      },
      'the fallback takes no copies': {
        cause: () => this.#refuseCopies(),
        alerts: [
          ...['BreakwaterFallbackIncomplete', 'BreakwaterFallbackBehind', 'BreakwaterCopiesFail'],
          'BreakwaterTagsWait',
        ],
      },
      'pulls of many repositories fail': {
        cause: (fires) => this.#failContent(fires),
        alerts: ['BreakwaterBreakerOpen'],
      },
      'the primary hangs': {
        cause: () => this.#hangPrimary(),
        alerts: [
          ...['BreakwaterPushesRefused', 'BreakwaterCanaryFails', 'BreakwaterOldTags', 'BreakwaterServedByFallback'],
        ],
      },
      'both fail': {
        cause: () => this.#failBoth(),
        alerts: ['BreakwaterRequestsFail', 'BreakwaterManyRequestsFail'],
      },
      'credentials are refused': {
        cause: () => this.#refuseCredentials(),
        alerts: ['BreakwaterCredentialsRefused'],
      },
      'the primary was restored from an old snapshot': {
        cause: () => this.#loseContent(),
        alerts: ['BreakwaterLostContent'],
      },
    };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#lab.edge.app.stop(), this.#other.kill()]);
  }

  async #loseSight(fires: Fires): Promise<void> {
    const { edge } = this.#lab;
    const setClock = setHostClock(this.#owner, 60_000);
    // The one way to lose a registry for a single edge of one machine: it looks for a canary that is not there.
    const upstreams = this.#config.upstreams as Record<string, object>;
    const harbor = { ...upstreams.harbor, probe: { ...PROBE, kind: 'harbor', canary: 'no-canary:latest' } };
    await edge.reload({ ...this.#config, upstreams: { ...upstreams, harbor } });
    await edge.upstream('harbor', 'down');
    await fires('BreakwaterSeesLess', 'BreakwaterClocksDiffer');
    setClock(-60_000);
    await edge.reload(this.#config);
    await edge.upstream('harbor', 'up');
    await edge.pushes('harbor', true);
  }

  async #freezeOther(fires: Fires): Promise<void> {
    const late = () => this.#lab.edge.app.status().acknowledgements?.late ?? 0;
    // The other edge must have a question standing at this one; else a push does not wait for it.
    await until(async () => {
      this.#other.signal('SIGCONT');
      await delay(300);
      this.#other.signal('SIGSTOP');
      await this.#push('library/late', '1', `${performance.now()}`);
      return late() > 0;
    });
    await fires('BreakwaterEdgeGone');
    this.#other.signal('SIGCONT');
  }

  async #slow(): Promise<void> {
    const { primary, fallback } = this.#lab;
    await primary.faults.on('delay', { ms: 500, kind: 'manifest', path: 'library/slow' });
    await fallback.faults.on('delay', { ms: 1500, kind: 'manifest', path: 'solo/' });
    for (let number = 0; number < 30; number += 1) this.#seed(`library/slow${number}`, '1', { blobs: [number + 1] });
    for (let number = 0; number < 4; number += 1) fallback.seed(`${CLOUD}solo/app${number}`, '1', { blobs: [1] });
    await Promise.all([
      ...Array.from({ length: 30 }, (_, number) => this.#ask(`library/slow${number}/manifests/1`, number)),
      ...Array.from({ length: 4 }, (_, number) => this.#ask(`solo/app${number}/manifests/1`, number)),
    ]);
    await Promise.all([primary.faults.off(), fallback.faults.off()]);
  }

  async #breakDownloads(): Promise<void> {
    const { primary, fallback } = this.#lab;
    const { blobDigests } = this.#seed('library/cut', '1', { blobs: [400_000] });
    await primary.faults.on('cut', { bytes: 100_000, path: 'library/cut' });
    for (let times = 0; times < 4; times += 1) await this.#ask(`library/cut/blobs/${blobDigests[0]}`);
    // Shorter than the overlap, so that no upstream can resume it.
    await primary.faults.on('cut', { bytes: 10_000, path: 'library/cut' });
    await fallback.faults.on('errors', { kind: 'blob', path: 'library/cut' });
    await this.#ask(`library/cut/blobs/${blobDigests[0]}`);
    await Promise.all([primary.faults.off(), fallback.faults.off()]);
  }

  async #corrupt(): Promise<void> {
    const { primary } = this.#lab;
    const rotten = this.#seed('library/corrupt', '1', { blobs: [300_001] });
    await primary.faults.on('corrupt', { path: 'library/corrupt' });
    await this.#ask(`library/corrupt/blobs/${rotten.blobDigests[0]}`);
    await primary.faults.off();
    const hashed = this.#seed('library/hashed', '1', { blobs: [300_002] });
    await primary.faults.on('slow', { bytesPerSecond: 400_000, path: 'library/hashed' });
    const pulled = this.#ask(`library/hashed/blobs/${hashed.blobDigests[0]}`);
    await delay(300);
    for (const worker of WORKERS) await worker.terminate();
    await pulled;
    await primary.faults.off();
  }

  async #loseFallback(): Promise<void> {
    const { edge, fallback } = this.#lab;
    await fallback.faults.on('down');
    await edge.upstream('gcr', 'down');
    await this.#push('library/app', '1', 'newer than the copy');
    await this.#push('library/app', 'new', 'new');
    await this.#push('library/app', 'newer', 'newer');
    this.#robot.expiresAt = Math.floor(Date.now() / 1000) + 5 * 86_400;
    const before = performance.now.bind(performance);
    performance.now = () => before() + 4 * HOUR;
    this.#owner.teardown(() => {
      performance.now = before;
    });
  }

  async #refuseCopies(): Promise<void> {
    const { edge, fallback, primary } = this.#lab;
    const now = Date.now();
    for (const [registry, prefix, at] of [
      [primary, INNER, now - HOUR],
      [fallback, CLOUD, now],
    ] as const) {
      const { digest } = registry.seed(`${prefix}library/waits`, '1', { blobs: [registry === primary ? 7 : 8] });
      const { manifests, pushedAt } = registry.store.repository(`${prefix}library/waits`);
      pushedAt.set('1', at);
      const manifest = manifests.get(digest);
      if (manifest) manifest.uploadedAt = at;
    }
    await fallback.faults.on('errors', { kind: 'upload' });
    await fallback.faults.off('down');
    await edge.upstream('gcr', 'up');
  }

  async #failContent(fires: Fires): Promise<void> {
    const { primary } = this.#lab;
    await primary.faults.on('errors', { kind: 'manifest', path: 'library/failing' });
    for (let number = 0; number < 8; number += 1) await this.#ask(`library/failing${number}/manifests/1`, number);
    await fires('BreakwaterBreakerOpen');
    await primary.faults.off();
  }

  async #hangPrimary(): Promise<void> {
    const { edge, primary } = this.#lab;
    await primary.faults.on('storageHung');
    await edge.upstream('harbor', 'down');
    await this.#askTwice('library/app/manifests/1');
  }

  async #failBoth(): Promise<void> {
    const { edge, fallback } = this.#lab;
    await fallback.faults.on('down');
    await edge.upstream('gcr', 'down');
    await this.#askTwice('library/absent/manifests/1');
  }

  async #refuseCredentials(): Promise<void> {
    const { edge, fallback, primary } = this.#lab;
    await Promise.all([primary.faults.off(), fallback.faults.off()]);
    await Promise.all([edge.upstream('harbor', 'up'), edge.upstream('gcr', 'up')]);
    this.#robot.password = 'another';
  }

  async #loseContent(): Promise<void> {
    this.#robot.password = PASSWORD;
    const harbor = () => this.#lab.edge.app.status().upstreams.find(({ name }) => name === 'harbor');
    await until(() => harbor()?.credentials?.state === 'good' && harbor()?.pushes?.admitted);
    this.#restore();
    await this.#ask('library/app/manifests/new');
  }

  #seed(repository: string, tag: string, content: Seed) {
    this.#lab.fallback.seed(CLOUD + repository, tag, content);
    return this.#lab.primary.seed(INNER + repository, tag, content);
  }

  async #push(repository: string, tag: string, content: string): Promise<void> {
    const client = this.#lab.edge.http1();
    const [layer, config] = [Buffer.from(content), Buffer.from(JSON.stringify({ content }))];
    for (const blob of [layer, config]) await pushBlob(client, repository, blob);
    const headers = { 'content-type': MANIFEST_TYPE };
    const body = manifestOf(config, layer);
    const { status } = await client.ask(`/v2/${repository}/manifests/${tag}`, { method: 'PUT', headers, body });
    client.close();
    if (status !== 201) throw new Error(`the push of ${repository}:${tag} got ${status}`);
  }

  /** Two crowds of reads. A rate needs an increase after the first scrape of a new series. */
  async #askTwice(path: string): Promise<void> {
    for (let crowd = 0; crowd < 2; crowd += 1) {
      await Promise.all(Array.from({ length: 12 }, (_, client) => this.#ask(path, client)));
      await delay(1500);
    }
  }

  /** A read by one of several clients, whatever comes of it. */
  async #ask(path: string, client = 0): Promise<void> {
    const http = this.#lab.edge.http1();
    await http.ask(`/v2/${path}`, { headers: { 'x-forwarded-for': `10.1.0.${client + 1}` } }).catch(() => undefined);
    http.close();
  }
}

/** Threads of this process. */
const WORKERS = new Set<Worker>();

export async function startOutageSite(owner: Owner, metricsToken: string): Promise<OutageSite> {
  const note = (worker: Worker) => void WORKERS.add(worker);
  process.on('worker', note);
  owner.teardown(() => process.off('worker', note));
  const robot: LabUser = { username: 'robot$edge', password: PASSWORD, readsRobots: true };
  const adminToken = 'a token that opens everything';
  const solo = { prefix: 'solo/', pull: [{ upstream: 'solo', prefix: `${CLOUD}solo/` }] };
  const lab = await startLabSite(owner, {
    primary: { harbor: true, auth: { scheme: 'bearer', users: [robot], lockMs: 50 } },
    harbor: { credentials: { username: robot.username, passwordFile: 'x' }, probe: { kind: 'harbor' } },
    fallback: { uploads: 'artifact-registry' },
    route: {
      pull: [
        { upstream: 'harbor', prefix: INNER },
        { upstream: 'gcr', prefix: CLOUD, replicate: true },
      ],
    },
    config: { keyFile: 'x', adminTokenFile: 'x', metricsTokenFile: 'x', trustedProxies: ['127.0.0.1'] },
    settings: { key: Buffer.from(KEY), secrets: { harbor: { password: PASSWORD } }, adminToken, metricsToken },
  });
  const { config, edge, fallback } = lab;
  const { upstreams, routes } = config as { upstreams: Record<string, object>; routes: object[] };
  const folder = temporaryFolder(owner);
  const file = async (name: string, content: string) => {
    await writeFile(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const other = await startEdge(owner, {
    upstreams: {
      ...upstreams,
      harbor: {
        ...upstreams.harbor,
        credentials: { username: robot.username, passwordFile: await file('password', PASSWORD) },
      },
    },
    routes,
    keyFile: await file('edge.key', KEY),
    metricsTokenFile: await file('metrics.token', metricsToken),
    adminTokenFile: await file('admin.token', adminToken),
    peers: [`https://127.0.0.1:${edge.port}`],
    replication: { when: 'never' },
    drain: { announce: '3s', timeout: '5s' },
  });
  const loaded = {
    ...config,
    peers: [other.url],
    upstreams: {
      ...upstreams,
      solo: { urls: [fallback.url], maxInFlight: { control: 1 }, probe: { ...PROBE, canary: 'canary:latest' } },
    },
    routes: [...routes, solo],
  };
  await edge.reload(loaded);
  const inStep = () => edge.app.status().peers[0]?.state === 'in-step';
  await until(inStep, { what: () => JSON.stringify(edge.app.status().peers) });
  await until(() => edge.app.status().replication?.routes[0]?.coverage.ratio === 1, {
    what: () => JSON.stringify(edge.app.status().replication),
  });
  return new OutageSite(owner, { lab, robot, other, config: loaded });
}
