import { randomBytes } from 'node:crypto';
import { parseConfig } from '../../config/inspection.ts';
import type { Loaded } from '../../config/load.ts';
import type { MadeCertificate } from '../../lab/certificate.ts';

export interface LabPlaces {
  /** Ports on 127.0.0.1; 0: any. */
  https: number;
  admin: number;
  /** URLs of the two registries. */
  harbor: string;
  gcr: string;
}

/** Probes are fast and the hold-down is short, so that one sees recovery without waiting for it. */
const PROBE = { interval: '500ms', fastInterval: '200ms', timeout: '1s', holdDown: '3s', settle: '2s' };

/** A download resumes elsewhere after 2 s of silence. What a busy machine makes late is not asked for twice. */
const LATE = { deadlines: { stall: '2s' }, hedge: { floor: '1s' } };

/** The lab's configuration, as `breakwater serve` would have read it from files. */
export function labConfiguration({ https, admin, harbor, gcr }: LabPlaces, certificate: MadeCertificate): Loaded {
  const files = { certFile: 'lab.crt', keyFile: 'lab.key' };
  const { config, warnings } = parseConfig({
    hostname: 'localhost',
    aliases: ['127.0.0.1', '::1'],
    listen: { https: `127.0.0.1:${https}`, admin: `127.0.0.1:${admin}` },
    tls: files,
    upstreams: {
      harbor: { urls: [harbor], ...LATE, probe: { ...PROBE, kind: 'harbor', canary: 'library/canary:latest' } },
      gcr: { urls: [gcr], ...LATE, probe: { ...PROBE, canary: 'example-project/canary:latest' } },
    },
    routes: [
      {
        prefix: 'library/',
        push: 'harbor',
        pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'example-project/', replicate: true }],
      },
    ],
    passthrough: 'harbor',
    drain: { announce: '0ms', timeout: '2s' },
  });
  const { cert, key } = certificate;
  const material = {
    tls: [{ ...files, cert, key }],
    keys: [randomBytes(32)],
    adminToken: undefined,
    metricsToken: undefined,
    passwords: undefined,
    hookSecret: undefined,
    upstreams: {},
  };
  return { path: 'breakwater lab', config, material, warnings };
}
