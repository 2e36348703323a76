import type { CertificateFiles } from '../../test/helpers/certificate.ts';
import type { Owner } from '../../test/helpers/temporary-folder.ts';

/** Where one proxy stands: before two registries that hold the same under different names. */
export interface FailoverSetup {
  owner: Owner;
  /** `127.0.0.1:PORT` */
  primary: string;
  /** The same repositories, below `example-project/` in place of `library/`. */
  fallback: string;
  certificate: CertificateFiles;
  /** For `--short`: what failed is trusted again sooner than by default. */
  quick: boolean;
}

export const PRIMARY = 'primary';
export const FALLBACK = 'fallback';
export const REPOSITORY = 'library/app';
export const CANARY = 'library/canary';

/** The edge's header that says who served; the others are made to say it too, for the counting. */
export const SERVED_BY = 'X-Breakwater-Upstream';

/** What a proxy that checks its upstreams by HTTP is told to read. */
export const CHECK = {
  path: `/v2/${CANARY}/manifests/latest`,
  accept: 'application/vnd.oci.image.manifest.v1+json',
};
