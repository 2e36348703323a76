import type { Observer, RequestRecord } from '../proxy/request-record.ts';

/** A tag that was served although the ledger had something against it. */
export interface TagWarning {
  /** The last time, ISO 8601. */
  at: string;
  /** As clients name it. */
  repository: string;
  tag: string;
  /** Who showed it. */
  upstream: string;
  /** What clients were told the last time. */
  text: string;
  /** How often it was served so. */
  count: number;
}

/** The last tags that were served with a warning, newest first, each once. */
export class TagWarnings implements Observer {
  readonly #size: number;
  /** In the order of `at`, oldest first. */
  readonly #warnings = new Map<string, TagWarning>();

  constructor(size = 20) {
    this.#size = size;
  }

  record({ repository = '', reference = '', upstream = '', startedAt, firstByteMs, tag }: RequestRecord): void {
    if (tag?.action !== 'warned') return;
    const key = `${repository}\n${reference}`;
    const count = (this.#warnings.get(key)?.count ?? 0) + 1;
    const at = new Date(startedAt + firstByteMs).toISOString();
    this.#warnings.delete(key);
    this.#warnings.set(key, { at, repository, tag: reference, upstream, text: tag.text ?? '', count });
    if (this.#warnings.size <= this.#size) return;
    const [oldest] = this.#warnings.keys();
    if (oldest !== undefined) this.#warnings.delete(oldest);
  }

  list(): TagWarning[] {
    return [...this.#warnings.values()].reverse();
  }
}
