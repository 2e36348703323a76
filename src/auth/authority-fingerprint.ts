import { createHash } from 'node:crypto';

const PREFIX = 'delegated';

/**
 * Identifies the authority by its URLs in tokens and grants. An authority that shares a URL with the fingerprint is the same registry, so
 * replicas may come and go. Without a shared URL it is another registry: old grants do not count, and users' tokens are not sent there.
 */
export class AuthorityFingerprint {
  readonly text: string;
  readonly #urls: ReadonlySet<string>;

  /** @param urls of the authority */
  constructor(urls: readonly string[]) {
    this.#urls = new Set(urls.map(urlHash));
    this.text = [PREFIX, ...this.#urls].join(' ');
  }

  /** @param text a fingerprint, possibly of another configuration */
  matches(text: string): boolean {
    const [kind, ...urls] = text.split(' ');
    return kind === PREFIX && urls.some((url) => this.#urls.has(url));
  }
}

function urlHash(url: string): string {
  const normal = new URL(url).href.replace(/\/+$/, '');
  return createHash('sha256').update(normal).digest('base64url').slice(0, 8);
}
