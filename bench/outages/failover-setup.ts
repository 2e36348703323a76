import type { CertificateFiles } from '../../test/helpers/certificate.ts';
import type { Owner } from '../../test/helpers/temporary-folder.ts';

/** What one proxy needs to fail over between two registries that hold the same images under different names. */
export interface FailoverSetup {
  owner: Owner;
  /** `127.0.0.1:PORT` */
  primary: string;
  /** Address of the registry with the same repositories below `example-project/` instead of `library/`. */
  fallback: string;
  certificate: CertificateFiles;
  /** For `--short`: a registry that has recovered is used again sooner than by default. */
  quick: boolean;
}

export const PRIMARY = 'primary';
export const FALLBACK = 'fallback';
export const REPOSITORY = 'library/app';
export const CANARY = 'library/canary';

/** The edge's header that names the upstream. The other proxies are configured to set the header too, so that pulls can be counted. */
export const SERVED_BY = 'X-Breakwater-Upstream';

/** The request by which other proxies check their upstreams. */
export const CHECK = {
  path: `/v2/${CANARY}/manifests/latest`,
  accept: 'application/vnd.oci.image.manifest.v1+json',
};
