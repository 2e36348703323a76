import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { HttpsClient } from '../../helpers/https-client.ts';
import type { Image } from '../../helpers/image.ts';
import { pull } from '../../helpers/pull.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';

/** What became of one pull or push. Times of `performance.now()`. */
export interface Done {
  began: number;
  ended: number;
  /** How often it was tried. */
  tries: number;
  /** Of the last try; undefined: it succeeded. */
  error: string | undefined;
  /** Digest of the manifest. */
  digest?: string;
  name?: string;
}

export interface Target {
  /** `https://cr.example.io` */
  url: string;
  authority: string;
  authorization?: string;
}

/** One attempt of a client that is a process of its own: with a connection of its own. */
async function withClient<T>({ url, authority }: Target, ask: (client: HttpsClient) => Promise<T>): Promise<T> {
  const client = new HttpsClient(url, authority);
  try {
    return await ask(client);
  } finally {
    client.close();
  }
}

/** Runs an attempt up to `tries` times, with pauses as clients make. */
async function tried(tries: number, attempt: () => Promise<Partial<Done>>): Promise<Done> {
  const began = performance.now();
  for (let count = 1; ; count += 1) {
    try {
      return { ...(await attempt()), began, ended: performance.now(), tries: count, error: undefined };
    } catch (error) {
      const { message, cause } = error as Error;
      const said = `${message}${cause instanceof Error && !message.includes(cause.message) ? `: ${cause.message}` : ''}`;
      if (count >= tries) return { began, ended: performance.now(), tries: count, error: said };
      await delay(250 * count);
    }
  }
}

/** Begins something every so often, whether or not what was begun before has ended, and keeps what became of each. */
export class Loop {
  readonly done: Done[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  begun = 0;

  constructor(owner: Owner, every: number, begin: () => Promise<Done>) {
    this.#timer = setInterval(() => {
      this.begun += 1;
      const one = begin()
        .then((done) => void this.done.push(done))
        .finally(() => this.#running.delete(one));
      this.#running.add(one);
    }, every);
    owner.teardown(() => clearInterval(this.#timer));
  }

  get failed(): Done[] {
    return this.done.filter(({ error }) => error !== undefined);
  }

  /** Begins no more, and waits for what runs. */
  async stop(): Promise<this> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
    return this;
  }
}

/** Short pulls of one image: a manifest and its blobs, verified. */
export function pulls(owner: Owner, target: Target, image: Image, name: string, { every = 50, tries = 1 } = {}): Loop {
  return new Loop(owner, every, () =>
    tried(tries, async () => {
      const { digest } = await withClient(target, (client) => pull(client, `library/${name}`, 'v1'));
      if (digest !== image.digest) throw new Error(`wrong manifest ${digest}`);
      return { digest };
    }),
  );
}

/** Pushes of small images, each with a blob and a tag of its own. A retry begins again, as clients do. */
export function pushes(
  owner: Owner,
  targets: readonly Target[],
  repository: string,
  { every = 250, tries = 1, tag = '' } = {},
): Loop {
  let count = 0;
  return new Loop(owner, every, () => {
    const name = `${tag}t${count}`;
    const target = targets[count % targets.length] as Target;
    count += 1;
    const blob = randomBytes(2000);
    return tried(tries, async () => {
      const digest = await withClient(target, (client) => push(client, repository, name, blob));
      return { digest, name };
    });
  });
}

async function push(client: HttpsClient, repository: string, tag: string, blob: Buffer): Promise<string> {
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, tag }),
  );
  const [layer, about] = [await upload(client, repository, blob), await upload(client, repository, config)];
  const type = 'application/vnd.oci.image';
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${type}.manifest.v1+json`,
      config: { mediaType: `${type}.config.v1+json`, ...about },
      layers: [{ mediaType: `${type}.layer.v1.tar`, ...layer }],
    }),
  );
  const headers = { 'content-type': `${type}.manifest.v1+json` };
  await ask(client, `/v2/${repository}/manifests/${tag}`, 201, { method: 'PUT', headers, body: manifest });
  return sha256(manifest);
}

async function upload(
  client: HttpsClient,
  repository: string,
  bytes: Buffer,
): Promise<{ digest: string; size: number }> {
  const digest = sha256(bytes);
  const { headers } = await ask(client, `/v2/${repository}/blobs/uploads/`, 202, { method: 'POST' });
  const place = headers.location ?? '';
  const octets = { 'content-type': 'application/octet-stream' };
  await ask(client, `${place}${place.includes('?') ? '&' : '?'}digest=${digest}`, 201, {
    method: 'PUT',
    headers: octets,
    body: bytes,
  });
  return { digest, size: bytes.length };
}

async function ask(client: HttpsClient, path: string, status: number, how: Parameters<HttpsClient['ask']>[1]) {
  const reply = await client.ask(path, { ...how, timeout: 15_000 });
  if (reply.status !== status)
    throw new Error(`${how?.method} ${path}: ${reply.status} ${reply.body.toString().slice(0, 300)}`);
  return reply;
}

export function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Milliseconds from a moment until a pull that began after it, and after the last failure, had succeeded. */
export function recoveredAfter(loop: Loop, moment: number): number {
  const lastFailed = Math.max(moment, ...loop.failed.map(({ began }) => began));
  const ends = loop.done.flatMap(({ began, ended, error }) =>
    error === undefined && began > lastFailed ? [ended] : [],
  );
  return Math.min(...ends) - moment;
}
