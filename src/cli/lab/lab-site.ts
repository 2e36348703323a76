import { createServer } from 'node:net';
import type { Logger } from 'pino';
import { type App, createApp } from '../../app/app.ts';
import { makeCertificate } from '../../lab/certificate.ts';
import { type LabControl, startLabControl } from '../../lab/control.ts';
import type { FaultName } from '../../lab/fault.ts';
import { type LabRegistry, startLabRegistry } from '../../lab/registry.ts';
import { sampleImages } from '../../lab/sample.ts';
import { labConfiguration } from './lab-configuration.ts';

export interface LabSiteOptions {
  /** Wanted ports of the edge, its admin listener and the control; 0: any. */
  ports: { https: number; admin: number; control: number };
  log: Logger;
  /** Told when a wanted port is taken and another one is used. */
  onTaken: (port: number) => void;
  onSwitch: (registry: string, fault: FaultName | undefined, on: boolean) => void;
}

/** Everything that `breakwater lab` runs: two registries, the edge before them, and the switches. */
export interface LabSite {
  app: App;
  control: LabControl;
  registries: { harbor: LabRegistry; gcr: LabRegistry };
  stop(): Promise<void>;
}

/** Starts it all, or, where something fails, leaves nothing running. */
export async function startLabSite({ ports, log, onTaken, onSwitch }: LabSiteOptions): Promise<LabSite> {
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
    seed(registries);
    const pick = async (port: number) => {
      const free = await freePort(port);
      if (free !== port) onTaken(port);
      return free;
    };
    const https = await pick(ports.https);
    const admin = await pick(ports.admin);
    const places = { https, admin, harbor: harbor.url, gcr: gcr.url };
    const app = await createApp(labConfiguration(places, await makeCertificate()), { log });
    started.push(() => app.stop());
    await app.start();
    const control = await startLabControl({ port: await pick(ports.control), registries, onSwitch });
    started.push(() => control.close());
    return { app, control, registries, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function seed({ harbor, gcr }: LabSite['registries']): void {
  for (const [name, image] of Object.entries(sampleImages())) {
    harbor.seed(`library/${name}`, 'latest', image);
    gcr.seed(`example-project/${name}`, 'latest', image);
  }
}

/** The port itself if it can be had on 127.0.0.1, else 0. */
async function freePort(port: number): Promise<number> {
  if (port === 0) return 0;
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server.once('error', () => resolve(false));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  return (await promise) ? port : 0;
}
