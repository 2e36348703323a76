import { once } from 'node:events';
import { createServer } from 'node:net';
import { type App, createApp } from '../../app/app.ts';
import { makeCertificate } from '../../lab/certificate.ts';
import { type LabControl, startLabControl } from '../../lab/control.ts';
import type { FaultName } from '../../lab/fault.ts';
import { type LabRegistry, startLabRegistry } from '../../lab/registry.ts';
import { sampleImages } from '../../lab/sample.ts';
import type { CoverageReport } from '../../replication/coverage/report.ts';
import { askAdmin } from '../ask/admin-client.ts';
import { labConfiguration } from './lab-configuration.ts';
import type { LabLog } from './lab-log.ts';

/** Milliseconds that both registries may take at the start to be seen as up; a busy machine needs some of them. */
const WARM_UP_MS = 60_000;

export interface LabSiteOptions {
  /** Wanted ports of the edge, its admin listener and the control; 0: any. */
  ports: { https: number; admin: number; control: number };
  log: LabLog;
  /** Ends the wait for both registries to be up. */
  signal?: AbortSignal;
  /** Told when a wanted port is taken and another one is used. */
  onTaken: (port: number) => void;
  onSwitch: (registry: string, fault: FaultName | undefined, on: boolean) => void;
}

/** Everything that `breakwater lab` runs: two registries, the edge before them, and the switches. */
export interface LabSite {
  app: App;
  control: LabControl;
  registries: { harbor: LabRegistry; gcr: LabRegistry };
  /** The blob that makes `library/big` big. */
  bigBlob: { digest: string; size: number };
  /** Switches all faults off, and resolves when both registries are up and pushes are admitted. */
  healthy(signal: AbortSignal): Promise<void>;
  /** What the edge says that could be pulled if harbor died now. */
  coverage(): Promise<CoverageReport>;
  stop(): Promise<void>;
}

/**
 * Starts it all, or, where something fails, leaves nothing running. The lab is warm when this resolves: both registries are up and pushes
 * are admitted. The first probes load and compile most of the code that they run, and may time out on a busy machine.
 */
export async function startLabSite(options: LabSiteOptions): Promise<LabSite> {
  const { ports, log, onTaken, onSwitch, signal = new AbortController().signal } = options;
  const started: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const end of started.splice(0).reverse()) await end();
  };
  try {
    const harbor = await startLabRegistry({ harbor: true, locations: 'absolute' });
    started.push(() => harbor.close());
    // As Artifact Registry does it: uploads and downloads outside /v2/.
    const gcr = await startLabRegistry({ uploads: 'artifact-registry', downloads: 'redirect' });
    started.push(() => gcr.close());
    const registries = { harbor, gcr };
    const bigBlob = seed(registries);
    const pick = async (port: number) => {
      const free = await freePort(port);
      if (free !== port) onTaken(port);
      return free;
    };
    const https = await pick(ports.https);
    const admin = await pick(ports.admin);
    const places = { https, admin, harbor: harbor.url, gcr: gcr.url };
    const app = await createApp(labConfiguration(places, await makeCertificate()), { log: log.logger });
    started.push(() => app.stop());
    await app.start();
    await untilUp(app, log, AbortSignal.any([signal, AbortSignal.timeout(WARM_UP_MS)]));
    const control = await startLabControl({ port: await pick(ports.control), registries, onSwitch });
    started.push(() => control.close());
    const healthy = async (signal: AbortSignal) => {
      for (const { faults } of [harbor, gcr]) await faults.off();
      await untilUp(app, log, signal);
    };
    const adminUrl = `http://127.0.0.1:${app.addresses().admin.port}`;
    const coverage = () => askAdmin<CoverageReport>({ admin: adminUrl }, '/api/coverage');
    return { app, control, registries, bigBlob, healthy, coverage, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @throws Error that names what is not up when `signal` is aborted */
async function untilUp(app: App, log: LabLog, signal: AbortSignal): Promise<void> {
  const waiting = () =>
    app.status().upstreams.filter(({ state, pushes }) => state !== 'up' || pushes?.admitted === false);
  await log
    .until(() => waiting().length === 0, signal)
    .catch(() => {
      const why = waiting().map(({ name, state, reason }) => `${name} is ${state} (${reason})`);
      throw new Error(`the lab's registries are not up in time: ${why.join(', ')}. Is this machine very busy?`);
    });
}

/** Puts the same images into both. Returns the blob that makes `library/big` big. */
function seed({ harbor, gcr }: LabSite['registries']): LabSite['bigBlob'] {
  const images = sampleImages();
  for (const [name, image] of Object.entries(images)) {
    harbor.seed(`library/${name}`, 'latest', image);
    gcr.seed(`example-project/${name}`, 'latest', image);
  }
  const { blobDigests } = harbor.seed('library/big', 'latest', images.big);
  const digest = blobDigests.at(-1) ?? '';
  return { digest, size: harbor.store.blob('library/big', digest)?.length ?? 0 };
}

/** The port itself if it can be had on 127.0.0.1, else 0. */
async function freePort(port: number): Promise<number> {
  if (port === 0) return 0;
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return 0;
  }
  server.close();
  await once(server, 'close');
  return port;
}
