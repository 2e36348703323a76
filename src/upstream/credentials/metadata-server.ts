import { isToken } from '../../config/material-reader.ts';
import { dropBody } from '../body/explanatory-body.ts';
import { readJson } from '../body/read-body.ts';
import { Client } from '../client.ts';
import type { Resolver } from '../resolver.ts';
import { asUpstreamError } from '../upstream-error.ts';
import type { GivenLogin } from './renewed-user.ts';

// Google Cloud, "View and query VM metadata" and "Authenticate workloads using service accounts", November 2026.

const HOST = '169.254.169.254';
const PATH = '/computeMetadata/v1/instance/service-accounts/default/token';
/** Every request must have this header, and every answer has it: no other service is taken for the metadata server. */
const FLAVOR = { 'metadata-flavor': 'Google' };
const USER = 'oauth2accesstoken';
const MAX_REPLY_BYTES = 65_536;
const CONNECT_MS = 2_000;
const ANSWER_MS = 10_000;

export interface MetadataOptions {
  resolver: Pick<Resolver, 'lookup'>;
  /** `HOST` or `HOST:PORT` in place of the fixed address, for tests: `GCE_METADATA_HOST`, as in Google's own libraries. */
  host?: string | undefined;
}

/** The access token of this machine or pod. @throws Error that says what was expected, and what to do */
export async function metadataToken(
  { resolver, host = HOST }: MetadataOptions,
  signal: AbortSignal,
): Promise<GivenLogin> {
  const url = URL.parse(`http://${host}${PATH}`);
  if (url?.pathname !== PATH) throw new Error('GCE_METADATA_HOST is no HOST or HOST:PORT');
  const client = new Client(url, { ca: undefined, connectMs: CONNECT_MS, connections: 1, resolver });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  try {
    const answer = await client.send({ method: 'GET', path: PATH, headers: FLAVOR, signal: limit });
    if (answer.headers.get('metadata-flavor') !== FLAVOR['metadata-flavor']) {
      await dropBody(answer.body);
      throw new Error(`what answers at ${host} is not the metadata server of Google Cloud (no Metadata-Flavor header)`);
    }
    if (answer.status === 200) return tokenIn(await readJson(answer.body, MAX_REPLY_BYTES), host);
    await dropBody(answer.body);
    throw new Error(statusText(host, answer.status));
  } catch (error) {
    if (error instanceof Error && error.name === 'Error') throw error;
    const reason = limit.aborted ? 'no answer in time' : asUpstreamError(error).message;
    throw new Error(
      `the metadata server at ${host} cannot be reached (${reason}): it is there only on Google Cloud; elsewhere set a helper, a token file or a password file`,
    );
  } finally {
    await client.destroy();
  }
}

function statusText(host: string, status: number): string {
  const text = `the metadata server at ${host} answers ${status}, expected 200 with an access token`;
  return status === 404
    ? `${text}: this machine or pod has no service account; attach one that may read the registry (roles/artifactregistry.reader)`
    : `${text}: check the service account of this machine, or the workload identity of this pod`;
}

function tokenIn(reply: unknown, host: string): GivenLogin {
  const fields = typeof reply === 'object' && reply !== null ? (reply as Record<string, unknown>) : {};
  const { access_token: password, expires_in: seconds } = fields;
  if (typeof password !== 'string' || !isToken(password))
    throw new Error(`the metadata server at ${host} sent no access token`);
  return { username: USER, password, endsInMs: typeof seconds === 'number' ? Math.max(0, seconds) * 1000 : undefined };
}
