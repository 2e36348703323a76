import { OciError } from '../oci/error.ts';

/** An error as a registry answers it. The edge's own catalog lacks codes that only a registry can have, such as MANIFEST_BLOB_UNKNOWN. */
export class LabError extends Error {
  override readonly name = 'LabError';
  readonly status: number;
  readonly code: string;
  readonly headers: Record<string, string>;
  readonly #body: string | undefined;

  /** @param body replaces the JSON of an error */
  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}, body?: string) {
    super(message);
    this.#body = body;
    this.status = status;
    this.code = code;
    this.headers = headers;
  }

  /** `undefined`: not an answer but a mistake of the lab's own. */
  static from(error: unknown): LabError | undefined {
    if (error instanceof LabError) return error;
    if (error instanceof OciError) return new LabError(error.status, error.code, error.message, error.headers);
    return undefined;
  }

  body(): string {
    return this.#body ?? JSON.stringify({ errors: [{ code: this.code, message: this.message, detail: {} }] });
  }
}
