import { readBody } from '../../upstream/body/read-body.ts';
import type { Answer } from '../../upstream/client.ts';
import type { Connection } from '../../upstream/connection.ts';
import type { HeaderList } from '../../upstream/header-list.ts';
import type { CopyError } from '../copy-error.ts';
import { AbortLink } from './abort-link.ts';
import { type FailedAnswer, registryFailure, saidBy } from './registry-failure.ts';
import type { Patience } from './retry-policy.ts';

/** An answer that was read to its end. */
export interface RegistryReply {
  status: number;
  headers: HeaderList;
  body: Buffer;
}

export interface RegistryRead {
  method?: 'GET' | 'HEAD';
  scopes: readonly string[];
  accept?: string;
  /** Bytes of the body, at most. */
  max?: number;
}

export interface RegistryChange {
  method: 'PUT' | 'DELETE';
  scopes: readonly string[];
  headers?: Record<string, string>;
  body?: Buffer;
  /** What is not done when it fails, for the operator. */
  what: string;
  /** What is good besides 2xx. */
  fine?: readonly number[];
}

/** Milliseconds for a whole answer: lists and manifests are small. */
const ANSWER_MS = 30_000;
const MAX_ERROR = 16_384;
const NOTHING = Buffer.alloc(0);

/** Requests to one registry that are answered shortly, tried again while it fails for the moment. */
export class RegistryRequests {
  readonly #name: string;
  readonly #connection: Connection;
  readonly #patience: Patience;

  constructor(name: string, connection: Connection, patience: Patience) {
    this.#name = name;
    this.#connection = connection;
    this.#patience = patience;
  }

  /** Whatever the registry answers for good. @throws CopyError, UpstreamError; the signal's reason */
  read(path: string, request: RegistryRead, signal: AbortSignal): Promise<RegistryReply> {
    const { method = 'GET', scopes, accept = 'application/json', max = MAX_ERROR } = request;
    // Compressed on the way it would be neither what its digest says nor as long as it says.
    const headers = { accept, 'accept-encoding': 'identity' };
    // A comparison is thousands of HEADs: a connection for each would cost more than the answer.
    const call = { method, path, headers, scopes, redirects: 'follow', keep: true } as const;
    return this.#patiently(signal, async (soon) => {
      const answer = await this.#connection.send({ ...call, signal: soon });
      const { status } = answer;
      const body =
        method === 'HEAD' ? nothingOf(answer) : await readBody(answer.body, status === 200 ? max : MAX_ERROR);
      const failure = status >= 400 ? this.failure(answer, `fails ${path.split('?')[0]}`) : undefined;
      if (failure?.passing) throw failure;
      return { status, headers: answer.headers, body };
    });
  }

  /** @throws CopyError, UpstreamError; the signal's reason */
  change(path: string, request: RegistryChange, signal: AbortSignal): Promise<RegistryReply> {
    const { method, scopes, headers = {}, body, what, fine = [] } = request;
    const length: Record<string, string> = body ? { 'content-length': String(body.length) } : {};
    return this.#patiently(signal, async (soon) => {
      const call = { method, at: path, headers: { ...headers, ...length }, scopes, signal: soon };
      const answer = await this.#connection.write(body ? { ...call, body } : call);
      const said = await saidBy(answer);
      const { status } = answer;
      if ((status < 200 || status > 299) && !fine.includes(status)) throw this.failure(answer, what, said);
      return { status, headers: answer.headers, body: NOTHING };
    });
  }

  failure(answer: FailedAnswer, what: string, said = ''): CopyError {
    return registryFailure(answer, `${this.#name} ${what}`, said);
  }

  #patiently<T>(signal: AbortSignal, work: (soon: AbortSignal) => Promise<T>): Promise<T> {
    return this.#patience.with(signal, () => AbortLink.within(signal, ANSWER_MS, work));
  }
}

/** The body of an answer to HEAD: to wait for the end of nothing takes more memory than all else about it. */
function nothingOf({ body }: Answer): Buffer {
  body.on('error', () => undefined).resume();
  return NOTHING;
}
