import { createHash } from 'node:crypto';

const PREFIX = 'delegated';

/**
 * What tokens for users of the authority stand on: the URLs that it was reached by. With one of them in common it is the same registry
 * still, whose replicas come and go; with none, neither what it granted nor what is for its eyes is any business of the one there now.
 */
export class AuthorityFingerprint {
  readonly text: string;
  readonly #urls: ReadonlySet<string>;

  /** @param urls of the authority */
  constructor(urls: readonly string[]) {
    this.#urls = new Set(urls.map(urlHash));
    this.text = [PREFIX, ...this.#urls].join(' ');
  }

  /** @param text of a mark, maybe of another configuration */
  matches(text: string): boolean {
    const [kind, ...urls] = text.split(' ');
    return kind === PREFIX && urls.some((url) => this.#urls.has(url));
  }
}

function urlHash(url: string): string {
  const normal = new URL(url).href.replace(/\/+$/, '');
  return createHash('sha256').update(normal).digest('base64url').slice(0, 8);
}
