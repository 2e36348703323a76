import type { LabRegistry } from '../../../src/lab/registry.ts';
import type { Seeded } from '../../../src/lab/seed.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { type LabSite, type LabSiteOptions, MANIFEST_TYPE, startLabSite } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { asksFirst } from './paced-upstream.ts';

export const POLICIES = ['refuse', 'warn', 'serve'] as const;
export type Policy = (typeof POLICIES)[number];

/** An edge before two registries, with a route `<policy>/` for each policy, and `mirror/`, which is read-only. */
export class LedgerSite {
  readonly lab: LabSite;
  readonly harbor: LabRegistry;
  readonly gcr: LabRegistry;

  constructor(lab: LabSite) {
    this.lab = lab;
    this.harbor = lab.primary;
    this.gcr = lab.fallback;
  }

  /** Puts an image with so many bytes in a blob into one registry or both: the same size is the same image. */
  put(where: 'harbor' | 'gcr' | 'both', image: string, size: number): Seeded {
    const [repository = '', tag = ''] = image.split(':');
    const into = (registry: LabRegistry, inner: string) =>
      registry.seed(inner + repository, tag, { blobs: [size], annotations: { size: String(size) } });
    const seeded = where === 'gcr' ? into(this.gcr, 'cloud/') : into(this.harbor, 'inner/');
    return where === 'both' ? into(this.gcr, 'cloud/') : seeded;
  }

  /** Takes an outage of the primary: every read of content fails. */
  async outage(): Promise<void> {
    await this.harbor.faults.on('errors');
  }

  /** Ends it, and waits until the primary is asked first. */
  async recovered(image = 'warn/app:1'): Promise<void> {
    await this.harbor.faults.off();
    await asksFirst(this.lab, 'harbor', image);
  }
}

export async function startLedgerSite(owner: Owner, options: LabSiteOptions = {}): Promise<LedgerSite> {
  const route = (prefix: string, more: object) => ({
    prefix: `${prefix}/`,
    pull: [
      { upstream: 'harbor', prefix: `inner/${prefix}/` },
      { upstream: 'gcr', prefix: `cloud/${prefix}/` },
    ],
    ...more,
  });
  const routes = [...POLICIES.map((staleTags) => route(staleTags, { push: 'harbor', staleTags })), route('mirror', {})];
  const { config, ...others } = options;
  return new LedgerSite(await startLabSite(owner, { ...others, config: { routes, ...config } }));
}

/** `warn/app:1` -> the path of its manifest. */
export function pathOf(image: string): string {
  const at = image.indexOf('@');
  const [repository, reference] = at > 0 ? [image.slice(0, at), image.slice(at + 1)] : image.split(':');
  return `/v2/${repository}/manifests/${reference}`;
}

export function push(client: Client, image: string, body: Buffer): Promise<Reply> {
  return client.ask(pathOf(image), { method: 'PUT', body, headers: { 'content-type': MANIFEST_TYPE } });
}

export const digestOf = ({ headers }: Reply): string => String(headers['docker-content-digest']);

const WELL_FORMED = /^299 - "[\x20\x21\x23-\x5b\x5d-\x7e]*"(, 299 - "[\x20\x21\x23-\x5b\x5d-\x7e]*")*$/;

/**
 * What is said of the tag in the Warning headers of a reply; undefined: nothing.
 * @throws if one of them is not as RFC 7234 section 5.5 has it
 */
export function tagWarning({ headers }: Reply): string | undefined {
  const all = [headers.warning ?? []].flat();
  for (const warning of all) if (!WELL_FORMED.test(warning)) throw new Error(`malformed: Warning: ${warning}`);
  return /"(tag [^"]*)"/.exec(all.join(', '))?.[1];
}
