import type { Client, Reply } from './http1-client.ts';
import { MANIFEST_TYPE, pushBlob, sha256 } from './lab-site.ts';

export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const CONFIG = Buffer.from('{}');

/** What refers to something. */
export interface Subject {
  digest: string;
  size: number;
}

export interface Listed extends Subject {
  mediaType: string;
  artifactType: string;
}

/** Attaches artifacts to images, and lists them, as the distribution-spec has it and oras and regctl do. */
export class ReferrersClient {
  readonly #client: Client;
  readonly #path: string;
  readonly #repository: string;

  constructor(client: Client, repository: string) {
    this.#client = client;
    this.#repository = repository;
    this.#path = `/v2/${repository}`;
  }

  /** @throws Error with the status of what is refused */
  async attach(subject: Subject, artifactType: string): Promise<Listed> {
    const blob = await pushBlob(this.#client, this.#repository, CONFIG);
    if (blob.status !== 201) throw new Error(`the blob got ${blob.status}`);
    const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: sha256(CONFIG), size: CONFIG.length };
    const about = { subject: { mediaType: MANIFEST_TYPE, ...subject } };
    const manifest = { schemaVersion: 2, mediaType: MANIFEST_TYPE, artifactType, config, layers: [config], ...about };
    const bytes = Buffer.from(JSON.stringify(manifest));
    const entry = { mediaType: MANIFEST_TYPE, digest: sha256(bytes), size: bytes.length, artifactType };
    const put = await this.put(entry.digest, bytes, MANIFEST_TYPE);
    if (put.status !== 201) throw new Error(`the manifest got ${put.status}`);
    if (put.headers['oci-subject'] !== undefined) return entry;
    const ping = await this.#client.ask(`${this.#path}/referrers/sha256:${'0'.repeat(64)}`);
    if (ping.status === 200) return entry;
    if (ping.status !== 404) throw new Error(`the question for the API got ${ping.status}`);
    await this.putIndex(subject, [...((await this.tagged(subject)) ?? []), entry]);
    return entry;
  }

  /** Asks for the list as the edge gives it. */
  ask(subject: Pick<Subject, 'digest'>, query = '', method = 'GET'): Promise<Reply> {
    return this.#client.ask(`${this.#path}/referrers/${subject.digest}${query}`, { method });
  }

  /** Digests of what refers to the subject, sorted. @throws Error for any answer but 200 and 404 */
  async list(subject: Subject): Promise<string[]> {
    const reply = await this.ask(subject);
    if (reply.status !== 200 && reply.status !== 404) throw new Error(`the list got ${reply.status}: ${reply.body}`);
    const entries = reply.status === 200 ? entriesOf(reply) : ((await this.tagged(subject)) ?? []);
    return entries.map(({ digest }) => digest).sort();
  }

  /** The list under the referrers tag; undefined: there is none. */
  async tagged({ digest }: Pick<Subject, 'digest'>): Promise<Listed[] | undefined> {
    const reply = await this.#client.ask(`${this.#path}/manifests/${digest.replace(':', '-')}`);
    if (reply.status === 404) return undefined;
    if (reply.status !== 200) throw new Error(`the index got ${reply.status}`);
    return entriesOf(reply);
  }

  putIndex({ digest }: Pick<Subject, 'digest'>, manifests: readonly object[]): Promise<Reply> {
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests }));
    return this.put(digest.replace(':', '-'), index, INDEX_TYPE);
  }

  put(reference: string, body: Buffer, type: string): Promise<Reply> {
    const headers = { 'content-type': type };
    return this.#client.ask(`${this.#path}/manifests/${reference}`, { method: 'PUT', body, headers });
  }
}

export function entriesOf({ body }: Reply): Listed[] {
  return JSON.parse(body.toString()).manifests;
}
