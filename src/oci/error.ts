/**
 * Every error that the edge answers by itself, with its status and default message. Codes are those of distribution-spec v1.1.1 ("Error
 * Codes"), plus UNKNOWN, UNAVAILABLE and RANGE_INVALID of distribution.
 */
export const ERROR_CATALOG = {
  BLOB_UNKNOWN: { status: 404, message: 'blob unknown to registry' },
  BLOB_UPLOAD_INVALID: { status: 400, message: 'blob upload invalid' },
  BLOB_UPLOAD_UNKNOWN: { status: 404, message: 'blob upload unknown to registry' },
  DIGEST_INVALID: { status: 400, message: 'provided digest is not a digest' },
  MANIFEST_INVALID: { status: 400, message: 'manifest invalid' },
  MANIFEST_UNKNOWN: { status: 404, message: 'manifest unknown to registry' },
  NAME_INVALID: { status: 400, message: 'invalid repository name' },
  NAME_UNKNOWN: { status: 404, message: 'repository name not known to registry' },
  SIZE_INVALID: { status: 413, message: 'the content exceeds the size limit' },
  TAG_INVALID: { status: 400, message: 'invalid reference; expected a tag of at most 128 characters, or a digest' },
  UNAUTHORIZED: { status: 401, message: 'authentication required' },
  DENIED: { status: 403, message: 'requested access to the resource is denied' },
  UNSUPPORTED: { status: 405, message: 'the operation is unsupported' },
  TOOMANYREQUESTS: { status: 429, message: 'too many requests' },
  RANGE_INVALID: { status: 416, message: 'invalid range' },
  UNAVAILABLE: { status: 503, message: 'service unavailable' },
  UNKNOWN: { status: 500, message: 'unknown error' },
} as const satisfies Record<string, { status: number; message: string }>;

export type ErrorCode = keyof typeof ERROR_CATALOG;

/** Seconds after which a client should ask again for what is unavailable. */
const RETRY_AFTER_SECONDS = 5;

/** An upstream's own words about an error, bounded and printable. */
export interface UpstreamWords {
  code?: string;
  message?: string;
}

export interface OciErrorOptions {
  /** Replaces the status of the catalog. */
  status?: number;
  /** Seconds for the Retry-After header. Default: 5 for UNAVAILABLE, otherwise none. */
  retryAfter?: number;
  headers?: Record<string, string>;
  /** Replaces the code that clients see. It may be one that is not in the catalog. */
  shownCode?: string;
}

/** The error that an upstream's 404 becomes: the status of the catalog, with the upstream's own words where it had some. */
export function absence(code: ErrorCode, { code: shownCode = code, message }: UpstreamWords = {}): OciError {
  return new OciError(code, message, { shownCode });
}

/** An error in the form that clients of the registry API see. The message must contain no credential and no upstream repository name. */
export class OciError extends Error {
  override readonly name = 'OciError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly #shownCode: string;

  constructor(code: ErrorCode, message: string = ERROR_CATALOG[code].message, options: OciErrorOptions = {}) {
    super(message);
    this.code = code;
    this.status = options.status ?? ERROR_CATALOG[code].status;
    this.headers = { ...options.headers };
    this.#shownCode = options.shownCode ?? code;
    const retryAfter = options.retryAfter ?? (code === 'UNAVAILABLE' ? RETRY_AFTER_SECONDS : undefined);
    if (retryAfter !== undefined) this.headers['retry-after'] = String(retryAfter);
  }

  /**
   * The JSON body (distribution-spec "Error Codes").
   * @param request id of the request, which the message of a server error names: what clients print is often all that an operator gets
   */
  body(request?: string): string {
    return JSON.stringify({ errors: [{ code: this.#shownCode, message: this.told(request), detail: {} }] });
  }

  /** The message of the body. */
  told(request?: string): string {
    return request === undefined || this.status < 500 ? this.message : `${this.message} (request ${request})`;
  }
}

/** The registry is known to have no referrers API. A client then asks for the tag with the list itself (distribution-spec "Referrers Tag Schema"). */
export class NoReferrersApi extends OciError {
  constructor() {
    super('MANIFEST_UNKNOWN', 'this registry does not list referrers');
  }
}
