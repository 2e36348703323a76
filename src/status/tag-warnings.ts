import { LRUCache } from 'lru-cache';
import { isoTime } from '../clock/clock.ts';
import type { Observer, RequestRecord } from '../proxy/request-record.ts';

/** A tag that was served although its digest may be out of date. */
export interface TagWarning {
  /** Time of the last warning, ISO 8601. */
  at: string;
  /** Name that clients use. */
  repository: string;
  tag: string;
  /** The upstream that answered. */
  upstream: string;
  /** Text of the last warning. */
  text: string;
  /** Number of warnings. */
  count: number;
}

/** The last tags that were served with a warning, newest first. */
export class TagWarnings implements Observer {
  readonly #warnings: LRUCache<string, Omit<TagWarning, 'at'> & { at: number }>;

  constructor(size = 20) {
    this.#warnings = new LRUCache({ maxSize: size, sizeCalculation: () => 1 });
  }

  record({ repository = '', reference = '', upstream = '', startedAt, firstByteMs, tag }: RequestRecord): void {
    if (tag?.action !== 'warned') return;
    const key = `${repository}\n${reference}`;
    const count = (this.#warnings.peek(key)?.count ?? 0) + 1;
    const at = startedAt + firstByteMs;
    this.#warnings.set(key, { at, repository, tag: reference, upstream, text: tag.text ?? '', count });
  }

  list(): TagWarning[] {
    return [...this.#warnings.values()].map((warning) => ({ ...warning, at: isoTime(warning.at) }));
  }
}
