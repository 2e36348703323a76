import { type UploadVerdict, uploadVerdict } from '../../failover/upload-refusal.ts';
import { dropBody } from '../body/explanatory-body.ts';
import type { Connection } from '../connection.ts';

/**
 * Starts an upload to a repository with the connection's own credentials, and cancels its session.
 * @param repository as the upstream has it
 * @throws UpstreamError; or the signal's reason
 */
export async function tryUpload(
  connection: Pick<Connection, 'url' | 'write'>,
  repository: string,
  signal: AbortSignal,
): Promise<UploadVerdict> {
  const scopes = [`repository:${repository}:pull,push`];
  const at = `/v2/${repository}/blobs/uploads/`;
  const started = await connection.write({ method: 'POST', at, headers: { 'content-length': '0' }, scopes, signal });
  await dropBody(started.body);
  const verdict = uploadVerdict(started.status);
  const location = started.headers.get('location');
  if (verdict === 'taken' && location !== undefined) {
    const session = URL.parse(location, new URL(`.${at}`, `${connection.url.href.replace(/\/+$/, '')}/`));
    // A session that is not cancelled ends by itself: the registry has taken the upload either way.
    const cancelled = session && connection.write({ method: 'DELETE', at: session, headers: {}, scopes, signal });
    await Promise.resolve(cancelled)
      .then((answer) => answer && dropBody(answer.body))
      .catch(() => undefined);
  }
  return verdict;
}
