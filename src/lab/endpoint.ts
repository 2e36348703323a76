import { parseRequest, type RegistryRequest } from '../oci/request.ts';
import { LabError } from './error.ts';
import type { LabKind } from './fault.ts';

type RegistryKind = Exclude<LabKind, 'token' | 'download' | 'api' | 'ui' | 'invalid'>;

/** What a request of a lab registry asks for. */
export type Endpoint =
  | { kind: RegistryKind; request: RegistryRequest }
  | { kind: 'upload'; request?: undefined; session: string }
  | { kind: 'download'; request?: undefined; digest: string }
  | { kind: 'token'; request?: undefined }
  | { kind: 'api'; request?: undefined }
  | { kind: 'ui'; request?: undefined }
  | { kind: 'invalid'; request?: undefined; error: LabError };

const UPLOAD = /^\/artifacts-uploads\/namespaces\/lab\/repositories\/lab\/uploads\/([A-Za-z0-9_=-]{1,128})$/;
const DOWNLOAD = /^\/artifacts-downloads\/namespaces\/lab\/repositories\/lab\/downloads\/([A-Za-z0-9_=-]{1,256})$/;

/** Path under which a blob is had without credentials. It says nothing of the repository, as with Artifact Registry. */
export function downloadPath(digest: string): string {
  return `/artifacts-downloads/namespaces/lab/repositories/lab/downloads/${Buffer.from(digest).toString('base64url')}`;
}

export function readEndpoint(
  method: string,
  path: string,
  query: URLSearchParams,
  tokenPath: string | undefined,
): Endpoint {
  if (path === tokenPath) return { kind: 'token' };
  const session = UPLOAD.exec(path)?.[1];
  if (session) return { kind: 'upload', session };
  const download = DOWNLOAD.exec(path)?.[1];
  if (download) return { kind: 'download', digest: Buffer.from(download, 'base64url').toString('utf8') };
  if (path.startsWith('/api/')) return { kind: 'api' };
  if (path !== '/v2' && !path.startsWith('/v2/')) return { kind: 'ui' };
  try {
    const request = parseRequest(method, path, query);
    return { kind: request.kind === 'upload-start' ? 'upload' : request.kind, request };
  } catch (error) {
    const refused = LabError.from(error);
    if (!refused) throw error;
    return { kind: 'invalid', error: refused };
  }
}
