/** Header fields in their order, with repetitions; names in lower case. */
export class HeaderList {
  readonly #fields: [string, string][];

  constructor(fields: Iterable<readonly [string, string]>) {
    this.#fields = Array.from(fields, ([name, value]) => [name.toLowerCase(), value]);
  }

  /** From an alternating list of names and values, as Node and undici give raw headers. */
  static fromRaw(raw: readonly (string | Buffer)[]): HeaderList {
    const fields: [string, string][] = [];
    for (let index = 0; index + 1 < raw.length; index += 2) fields.push([text(raw[index]), text(raw[index + 1])]);
    return new HeaderList(fields);
  }

  /** The first field of that name. */
  get(name: string): string | undefined {
    return this.#fields.find(([field]) => field === name)?.[1];
  }

  /** All fields of that name, joined as in RFC 9110 section 5.3. */
  joined(name: string): string | undefined {
    const values = this.#fields.filter(([field]) => field === name).map(([, value]) => value);
    return values.length > 0 ? values.join(', ') : undefined;
  }

  /** Bytes announced by Content-Length. */
  contentLength(): number | undefined {
    const value = this.get('content-length');
    return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return this.#fields[Symbol.iterator]();
  }
}

function text(value: string | Buffer | undefined): string {
  return typeof value === 'string' ? value : (value?.toString('latin1') ?? '');
}
