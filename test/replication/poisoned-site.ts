import type { Test } from 'tap';
import { CLOUD, INNER, type LabSite, MANIFEST_TYPE, startLabSite } from '../helpers/lab-site.ts';
import { until } from '../helpers/until.ts';

export const POISONED = 20;
/** Milliseconds for a good push to be on the fallback. */
export const LIMIT_MS = 5000;

/** A site whose fallback is in step, and that compares no more. */
export async function startSite(t: Test): Promise<LabSite> {
  const route = {
    pull: [
      { upstream: 'harbor', prefix: INNER },
      { upstream: 'gcr', prefix: CLOUD, replicate: true },
    ],
  };
  // The primary's probe must not fail on a busy machine: pushes would be refused.
  const harbor = { probe: { timeout: '10s' } };
  const site = await startLabSite(t, { route, harbor, config: { replication: { every: '1h' } } });
  await until(() => site.edge.app.status().replication?.routes[0]?.coverage.comparedAt);
  return site;
}

/** Pushes an image whose blobs are there already. @returns its digest */
export async function push(site: LabSite, repository: string, blobs: (Buffer | number)[]): Promise<string> {
  const { digest, manifest } = site.primary.seed(`${INNER}${repository}`, 'seeded', { blobs });
  const headers = { 'content-type': MANIFEST_TYPE };
  const put = await site.edge.http1().ask(`/v2/${repository}/manifests/v1`, { method: 'PUT', body: manifest, headers });
  if (put.status !== 201) throw new Error(`the push got ${put.status}: ${put.body}`);
  return digest;
}

/** Waits until a tag is on the fallback. @returns how long, in milliseconds */
export async function copied(site: LabSite, repository: string, digest: string): Promise<number> {
  const began = performance.now();
  const tags = () => site.fallback.store.repository(`${CLOUD}${repository}`).tags;
  await until(() => tags().get('v1') === digest, { timeout: 60_000, what: () => `the copy of ${repository}` });
  return performance.now() - began;
}
