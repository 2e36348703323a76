import { isToken, readBounded, unreadable } from '../../config/material-reader.ts';
import type { GivenLogin } from './renewed-user.ts';

const MAX_BYTES = 65_537;

/** A file with a token that another program renews. */
export class TokenFile {
  readonly #file: string;
  readonly #username: string;
  /** The token that was last taken. */
  #taken: string | undefined;
  /** What the file had at the last look. */
  #seen: string | undefined;

  constructor(file: string, username: string) {
    this.#file = file;
    this.#username = username;
  }

  /** A new token is taken at the second look that finds it, for the file may be half-written. @throws Error without the token */
  async read(): Promise<GivenLogin> {
    const text = await this.#text();
    if (this.#taken === undefined || text === this.#seen) this.#taken = text;
    this.#seen = text;
    return { username: this.#username, password: this.#taken };
  }

  async #text(): Promise<string> {
    const content = await readBounded(this.#file, MAX_BYTES).catch((error: unknown) => {
      throw new Error(`the token file ${this.#file} ${unreadable(error)}`);
    });
    const text = content?.toString('utf8').replace(/\r?\n$/, '') ?? '';
    if (!isToken(text)) throw new Error(`the token file ${this.#file} holds no token; expected one line of ASCII`);
    return text;
  }
}
