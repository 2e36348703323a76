import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import PQueue from 'p-queue';

const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker';

const AT_ONCE = 8;

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string };
}

/** How the parts of an image are called: those of OCI, or those of Docker. */
interface Words {
  manifest: string;
  index: string;
  config: string;
  layer: string;
}

const WORDS: Record<'oci' | 'docker', Words> = {
  oci: {
    manifest: `${OCI}.manifest.v1+json`,
    index: `${OCI}.index.v1+json`,
    config: `${OCI}.config.v1+json`,
    layer: `${OCI}.layer.v1.tar+gzip`,
  },
  docker: {
    manifest: `${DOCKER}.distribution.manifest.v2+json`,
    index: `${DOCKER}.distribution.manifest.list.v2+json`,
    config: `${DOCKER}.container.image.v1+json`,
    layer: `${DOCKER}.image.rootfs.diff.tar.gzip`,
  },
};

export interface ImageSetOptions {
  images: number;
  /** Bytes of each layer. Default 40,000. */
  layerBytes?: number;
  /** With a cache of BuildKit's, which skopeo cannot copy. Default: true. */
  buildCache?: boolean;
  /** Repositories that the images are spread over. Default 8. */
  repositories?: number;
}

/** An image that a registry was given. */
export interface SetImage {
  repository: string;
  tag: string;
  digest: string;
}

/**
 * Images as a company has them, put into a registry by hand: those of a repository are versions of one program, which share three layers
 * of it and three of one of five bases, and have two of their own. Every fifth is an index of three platforms, every fourth in Docker's
 * formats, every sixth has a layer in zstd; every tenth has a signature as cosign puts it; and there is a helm chart, and a cache of
 * BuildKit's. The same options make the same images.
 */
export async function putImageSet(
  url: string,
  { images, layerBytes = 40_000, repositories = 8, buildCache = true }: ImageSetOptions,
): Promise<SetImage[]> {
  const one = async (number: number): Promise<SetImage[]> => {
    const app = number % repositories;
    const repository = `team${app % 3}/app${app}`;
    const hand = new Hand(url, repository);
    const image = { repository, tag: `v${number}`, digest: await hand.image(number, app, layerBytes) };
    if (number % 10 !== 0) return [image];
    const tag = `${image.digest.replace(':', '-')}.sig`;
    return [image, { repository, tag, digest: await hand.signature(image.digest, tag) }];
  };
  const queue = new PQueue({ concurrency: AT_ONCE });
  const put = (await Promise.all(Array.from({ length: images }, (_, number) => queue.add(() => one(number))))).flat();
  const charts = new Hand(url, 'charts/chart');
  put.push({ repository: 'charts/chart', tag: '1.0.0', digest: await charts.chart() });
  if (!buildCache) return put;
  const cache = new Hand(url, 'cache/cache');
  put.push({ repository: 'cache/cache', tag: 'buildcache', digest: await cache.buildCache(layerBytes) });
  return put;
}

/** Puts content into one repository. */
class Hand {
  readonly #url: string;
  readonly #repository: string;

  constructor(url: string, repository: string) {
    this.#url = url;
    this.#repository = repository;
  }

  /** @param app number of the program that it is a version of */
  async image(number: number, app: number, layerBytes: number): Promise<string> {
    const words = WORDS[number % 4 === 3 ? 'docker' : 'oci'];
    const version = { number, app, layerBytes };
    if (number % 5 !== 4) return (await this.#platform(words, 'amd64', version, `v${number}`)).digest;
    const manifests: Descriptor[] = [];
    for (const architecture of ['amd64', 'arm64', 's390x']) {
      const one = await this.#platform(words, architecture, version);
      manifests.push({ ...one, platform: { os: 'linux', architecture } });
    }
    return (await this.#manifest(words.index, { manifests }, `v${number}`)).digest;
  }

  async #platform(
    words: Words,
    architecture: string,
    { number, app, layerBytes }: { number: number; app: number; layerBytes: number },
    tag?: string,
  ): Promise<Descriptor> {
    const three = (name: string) => [1, 2, 3].map((layer) => `${name} ${architecture} ${layer}`);
    const names = [
      ...three(`base ${app % 5}`),
      ...three(`app ${app}`),
      `own ${number} ${architecture}`,
      `own ${number}`,
    ];
    const layers: Descriptor[] = [];
    for (const name of names)
      layers.push(await this.#blob(words.layer, gzipSync(noise(name, layerBytes), { level: 1 })));
    if (number % 6 === 5 && words === WORDS.oci)
      layers.push(await this.#blob(`${OCI}.layer.v1.tar+zstd`, zstdCompressSync(noise(`zstd ${number}`, layerBytes))));
    // An empty layer, as Docker once made them.
    if (number % 7 === 0) layers.push(await this.#blob(words.layer, Buffer.alloc(0)));
    const about = { architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, history: [] };
    const config = await this.#blob(words.config, Buffer.from(JSON.stringify({ ...about, number })));
    // Indented, as some tools write them: whoever encodes it anew changes its digest.
    return this.#manifest(words.manifest, { config, layers }, tag, number % 2 === 0 ? 3 : undefined);
  }

  async signature(subject: string, tag: string): Promise<string> {
    const config = await this.#blob(`${OCI}.config.v1+json`, Buffer.from('{}'));
    const payload = Buffer.from(JSON.stringify({ critical: { image: { 'docker-manifest-digest': subject } } }));
    const layers = [await this.#blob('application/vnd.dev.cosign.simplesigning.v1+json', payload)];
    return (await this.#manifest(`${OCI}.manifest.v1+json`, { config, layers }, tag)).digest;
  }

  async chart(): Promise<string> {
    const config = await this.#blob('application/vnd.cncf.helm.config.v1+json', Buffer.from('{"name":"app"}'));
    const layers = [
      await this.#blob('application/vnd.cncf.helm.chart.content.v1.tar+gzip', gzipSync(noise('chart', 9000))),
    ];
    return (await this.#manifest(`${OCI}.manifest.v1+json`, { config, layers }, '1.0.0')).digest;
  }

  /** An index whose parts are layers, and no manifests. */
  async buildCache(layerBytes: number): Promise<string> {
    const manifests = [
      await this.#blob(WORDS.oci.layer, gzipSync(noise('cached', layerBytes))),
      await this.#blob('application/vnd.buildkit.cacheconfig.v0', Buffer.from('{"layers":[],"records":[]}')),
    ];
    return (await this.#manifest(WORDS.oci.index, { manifests }, 'buildcache')).digest;
  }

  async #blob(mediaType: string, bytes: Buffer): Promise<Descriptor> {
    const descriptor = { mediaType, digest: sha256(bytes), size: bytes.length };
    const path = `${this.#url}/v2/${this.#repository}/blobs/`;
    // docker-registry answers 500 while another push writes the link of the same blob, which is empty for a moment. Uploading it again is right.
    const head = await ask(path + descriptor.digest, { method: 'HEAD' }, [200, 404, 500]);
    if (head.status === 200) return descriptor;
    const begun = await ask(`${path}uploads/`, { method: 'POST' }, [202]);
    const to = new URL(begun.headers.get('location') ?? '', this.#url);
    to.searchParams.set('digest', descriptor.digest);
    await ask(to, { method: 'PUT', body: bytes, headers: { 'content-type': 'application/octet-stream' } }, [201]);
    return descriptor;
  }

  async #manifest(mediaType: string, content: object, tag?: string, indent?: number): Promise<Descriptor> {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }, null, indent));
    const digest = sha256(bytes);
    const to = `${this.#url}/v2/${this.#repository}/manifests/${tag ?? digest}`;
    await ask(to, { method: 'PUT', body: bytes, headers: { 'content-type': mediaType } }, [201]);
    return { mediaType, digest, size: bytes.length };
  }
}

async function ask(url: string | URL, init: RequestInit, good: readonly number[]): Promise<Response> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!good.includes(response.status)) throw new Error(`${init.method} ${url}: ${response.status} ${text}`);
  return response;
}

/** Bytes that no compression makes smaller, the same for the same name. */
function noise(name: string, bytes: number): Buffer {
  return createHash('shake256', { outputLength: bytes }).update(name).digest();
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
