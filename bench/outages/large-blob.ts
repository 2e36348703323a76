import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const MEBIBYTE = 1_048_576;

/** A blob of any size that needs little memory: one random mebibyte, repeated. */
export class LargeBlob {
  readonly bytes: number;
  readonly digest: string;
  readonly #chunk = randomBytes(MEBIBYTE);

  constructor(mib: number) {
    this.bytes = mib * MEBIBYTE;
    const hash = createHash('sha256');
    for (let index = 0; index < mib; index += 1) hash.update(this.#chunk);
    this.digest = `sha256:${hash.digest('hex')}`;
  }

  /** Pushes the blob to a real registry, as a client does. @param registry `http://127.0.0.1:PORT` */
  async push(registry: string, repository: string): Promise<void> {
    const begun = await fetch(`${registry}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
    const location = begun.headers.get('location');
    if (!location) throw new Error(`upload to ${repository}: ${begun.status} ${await begun.text()}`);
    const url = new URL(location, registry);
    url.searchParams.set('digest', this.digest);
    const call = request(url, { method: 'PUT', headers: { 'content-length': this.bytes } });
    const [[answer]] = (await Promise.all([once(call, 'response'), pipeline(Readable.from(this.#chunks()), call)])) as [
      [IncomingMessage],
      unknown,
    ];
    answer.resume();
    if (answer.statusCode !== 201) throw new Error(`upload to ${repository}: ${answer.statusCode}`);
  }

  *#chunks(): Iterable<Buffer> {
    for (let at = 0; at < this.bytes; at += MEBIBYTE) yield this.#chunk;
  }
}
