import { readBody } from '../../upstream/body/read-body.ts';
import type { Answer } from '../../upstream/client.ts';
import type { Connection } from '../../upstream/connection.ts';
import type { HeaderList } from '../../upstream/header-list.ts';
import type { UpstreamCall } from '../../upstream/upstream-call.ts';
import type { CopyError } from '../copy-error.ts';
import { AbortLink } from './abort-link.ts';
import { type FailedAnswer, MAX_ERROR_BYTES, readErrorMessage, registryFailure } from './registry-failure.ts';
import type { RetryPolicy } from './retry-policy.ts';

/** An answer whose body was read completely. */
export interface RegistryReply {
  status: number;
  headers: HeaderList;
  body: Buffer;
}

export interface RegistryRead {
  method?: 'GET' | 'HEAD';
  scopes: readonly string[];
  accept?: string;
  /** Most bytes of the body. */
  maxBytes?: number;
}

export interface RegistryWrite {
  method: 'PUT' | 'DELETE';
  scopes: readonly string[];
  headers?: Record<string, string>;
  body?: Buffer;
  /** What the registry failed to do, for the operator. */
  failureText: string;
  /** Statuses that count as success besides 2xx. */
  alsoAccepted?: readonly number[];
}

/** Milliseconds for a whole answer: lists and manifests are small. */
const ANSWER_MS = 30_000;
const EMPTY = Buffer.alloc(0);

/** Short requests to one registry, with retries. */
export class RegistryRequests {
  /** The registry's name in messages. */
  readonly name: string;
  readonly connection: Connection;
  readonly retryPolicy: RetryPolicy;

  constructor(name: string, connection: Connection, retryPolicy: RetryPolicy) {
    this.name = name;
    this.connection = connection;
    this.retryPolicy = retryPolicy;
  }

  /** Reads an answer, after retries. @throws CopyError, UpstreamError; the signal's reason */
  read(path: string, request: RegistryRead, signal: AbortSignal): Promise<RegistryReply> {
    const { method = 'GET', scopes, accept = 'application/json', maxBytes = MAX_ERROR_BYTES } = request;
    // A compressed body would match neither its digest nor its length.
    const headers = { accept, 'accept-encoding': 'identity' };
    // A comparison sends thousands of HEADs: a new connection for each would cost more than the answer.
    const call: Omit<UpstreamCall, 'signal'> = { method, path, headers, scopes, redirects: 'follow', keepAlive: true };
    return this.#withRetries(scopes, signal, async (soon) => {
      const answer = await this.connection.send({ ...call, signal: soon });
      const { status } = answer;
      const body =
        method === 'HEAD'
          ? discardBody(answer)
          : await readBody(answer.body, status === 200 ? maxBytes : MAX_ERROR_BYTES);
      const failure = status >= 400 ? this.failure(answer, `fails ${path.split('?')[0]}`) : undefined;
      if (failure?.retryable) throw failure;
      return { status, headers: answer.headers, body };
    });
  }

  /** @throws CopyError, UpstreamError; the signal's reason */
  write(path: string, request: RegistryWrite, signal: AbortSignal): Promise<RegistryReply> {
    const { method, scopes, headers = {}, body, failureText, alsoAccepted = [] } = request;
    const length: Record<string, string> = body ? { 'content-length': String(body.length) } : {};
    return this.#withRetries(scopes, signal, async (soon) => {
      const call = { method, at: path, headers: { ...headers, ...length }, scopes, signal: soon };
      const answer = await this.connection.write(body ? { ...call, body } : call);
      const said = await readErrorMessage(answer);
      const { status } = answer;
      if ((status < 200 || status > 299) && !alsoAccepted.includes(status))
        throw this.failure(answer, failureText, said);
      return { status, headers: answer.headers, body: EMPTY };
    });
  }

  /** Makes an error from an unexpected answer. @param errorMessage the message of the registry, if there is one */
  failure(answer: FailedAnswer, what: string, errorMessage = ''): CopyError {
    return registryFailure(answer, `${this.name} ${what}`, errorMessage);
  }

  #withRetries<T>(scopes: readonly string[], signal: AbortSignal, work: (soon: AbortSignal) => Promise<T>): Promise<T> {
    const attempt = () => AbortLink.withTimeout(signal, ANSWER_MS, work);
    return this.retryPolicy.run(repositoryIn(scopes), signal, attempt);
  }
}

/** The repository that scopes name; empty: none, such as for the catalog. */
function repositoryIn(scopes: readonly string[]): string {
  return /^repository:(.+):[^:]+$/.exec(scopes[0] ?? '')?.[1] ?? '';
}

/** The body of a HEAD is empty. Waiting for its end would take more memory than the rest of the request. */
function discardBody({ body }: Answer): Buffer {
  body.on('error', () => undefined).resume();
  return EMPTY;
}
