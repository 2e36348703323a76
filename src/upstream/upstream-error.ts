import type { Failure } from '../failover/classify.ts';

/** A request to an upstream failed. The message holds no credential. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  readonly reason: Failure;
  /** Status of the answer that refused the request, if there was one. */
  readonly status: number | undefined;

  constructor(reason: Failure, message: string, cause?: unknown, status?: number) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.status = status;
  }

  /** Safe for clients: without the addresses and host names in the system's messages. */
  get summary(): string {
    const { code } = describe(this.cause);
    return code === '' ? this.reason : `${this.reason}, ${code}`;
  }
}

const BY_CODE: Record<string, Failure> = {
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  ECONNREFUSED: 'connect',
  EHOSTUNREACH: 'connect',
  ENETUNREACH: 'connect',
  ETIMEDOUT: 'connect',
  EADDRNOTAVAIL: 'connect',
  UND_ERR_CONNECT_TIMEOUT: 'connect',
  EMFILE: 'descriptors',
  ENFILE: 'descriptors',
  EPROTO: 'tls',
  UND_ERR_HEADERS_OVERFLOW: 'malformed',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'length',
  UND_ERR_HEADERS_TIMEOUT: 'first-byte',
  UND_ERR_BODY_TIMEOUT: 'stall',
};

/** The failure behind an error of the HTTP client, a socket, TLS or name resolution. */
function failureOf({ code, message, name }: ErrorDescription): Failure {
  const known = Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined;
  if (known) return known;
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|UNABLE_TO_|SELF_SIGNED|HOSTNAME_MISMATCH)/.test(code)) return 'tls';
  // undici's parser errors carry a code only when llhttp gave one.
  if (code.startsWith('HPE_') || name === 'HTTPParserError') return 'malformed';
  if (/other side closed/i.test(message)) return 'short';
  return 'reset';
}

/** Whether the error is a mistake in Breakwater's code, which says nothing about an upstream. */
export function isOwnFault(error: unknown): boolean {
  const { code } = describe(error);
  const mistaken = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  return mistaken || code === 'UND_ERR_INVALID_ARG';
}

/** Wraps any error as an `UpstreamError`. */
export function asUpstreamError(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const description = describe(error);
  const { code, message } = description;
  const text = code === '' || message.includes(code) ? message : `${message} (${code})`;
  return new UpstreamError(failureOf(description), text, error);
}

interface ErrorDescription {
  code: string;
  message: string;
  name: string;
}

function describe(error: unknown): ErrorDescription {
  // Happy eyeballs wraps one error for each address. The first error is representative.
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  if (!(inner instanceof Error)) return { code: '', message: String(inner), name: '' };
  const code = 'code' in inner && typeof inner.code === 'string' ? inner.code : '';
  return { code, message: inner.message === '' ? code : inner.message, name: inner.name };
}
