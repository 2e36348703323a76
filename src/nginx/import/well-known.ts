/** What is known of registries by their hosts. */
export interface WellKnown {
  host: RegExp;
  name: string;
  /** Hosts that it redirects to for blobs, if that is known. */
  redirects?: string[];
  /** How an edge gets credentials that end, and are renewed (docs/upstream-credentials.md). */
  credentials?: { helper: string } | { metadata: 'gcp' };
}

// Redirects: the "Allowlist for Docker Desktop" of https://docs.docker.com, and "Configuring your firewall" of OpenShift,
// https://docs.openshift.com, both read in December 2026.
export const WELL_KNOWN: readonly WellKnown[] = [
  { host: /(^|\.)docker\.io$/, name: 'docker-hub', redirects: ['.cloudflarestorage.com', '.docker.com'] },
  { host: /(^|\.)quay\.io$/, name: 'quay', redirects: ['.quay.io'] },
  { host: /(^|\.)gcr\.io$/, name: 'gcr', credentials: { metadata: 'gcp' } },
  { host: /\.pkg\.dev$/, name: 'artifact-registry', credentials: { metadata: 'gcp' } },
  {
    host: /\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$/,
    name: 'ecr',
    credentials: { helper: 'ecr-login' },
  },
  { host: /^ghcr\.io$/, name: 'ghcr' },
  { host: /\.azurecr\.io$/, name: 'acr' },
  { host: /^registry\.k8s\.io$/, name: 'kubernetes' },
];

export function wellKnown(host: string): WellKnown | undefined {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return WELL_KNOWN.find((one) => one.host.test(name));
}
