import { once } from 'node:events';
import { request } from 'node:http';
import type { FaultInput, FaultName } from '../../src/lab/fault.ts';
import { CLOUD, IMAGE, INNER, type LabSite, startLabSite } from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';
import type { Ports } from './connection.ts';
import type { Random } from './random.ts';

/** Lines that tell of an exception that a boundary has met. The boundary held, but the exception is a bug. */
const OWN_FAULT = /"level":60|inside Breakwater|"msg":"listener"/;

/** What goes wrong at an upstream, with some of its requests. */
const FAULTS: readonly [FaultName, FaultInput][] = [
  ['errors', {}],
  ['cut', { bytes: 1000 }],
  ['short', { fraction: 0.5 }],
  ['stall', { bytes: 1000 }],
  ['corrupt', {}],
  ['wrongLength', { bytes: 10 }],
  ['emptyChallenge401', {}],
  ['rateLimited', { retryAfter: 1 }],
  ['delay', { ms: 50 }],
];

/** The edge that is fuzzed, with all its listeners, before two registries. */
export class FuzzSite {
  readonly #site: LabSite;

  private constructor(site: LabSite) {
    this.#site = site;
  }

  static async start(owner: Owner): Promise<FuzzSite> {
    const config = {
      passthrough: 'harbor',
      listen: { https: '127.0.0.1:0', http: '127.0.0.1:0', admin: '127.0.0.1:0' },
      limits: { clientIdle: '2s' },
    };
    const settings = { hookSecret: 'hook', key: Buffer.alloc(32, 'k') };
    const site = await startLabSite(owner, { config, settings });
    // No script names this image, so that it is always there.
    site.primary.seed(`${INNER}library/well`, '1', IMAGE);
    site.fallback.seed(`${CLOUD}library/well`, '1', IMAGE);
    return new FuzzSite(site);
  }

  get ports(): Ports {
    const { https, http, admin } = this.#site.edge.app.addresses();
    return { https: https.port, admin: admin.port, redirect: http?.port ?? 0 };
  }

  /** Paths of content that is there. */
  get known(): string[] {
    const { blobDigests, digest } = this.#site.image;
    const repository = '/v2/library/app';
    return [
      `${repository}/manifests/1`,
      `${repository}/manifests/${digest}`,
      ...blobDigests.map((one) => `${repository}/blobs/${one}`),
      `${repository}/tags/list`,
    ];
  }

  /** Lets something go wrong at each upstream, or nothing. */
  async disturb(random: Random): Promise<void> {
    for (const registry of [this.#site.primary, this.#site.fallback]) {
      const [name, input] = random.pick(FAULTS);
      if (random.oneIn(2)) await registry.faults.on(name, { ...input, every: 1 + random.below(3) });
    }
  }

  /** What is wrong with the edge after the clients of a batch have left. Empty: nothing. */
  async findings(): Promise<string[]> {
    const found: string[] = [];
    await Promise.all([this.#site.primary.faults.off(), this.#site.fallback.faults.off()]);
    await this.#released().catch((error: Error) => found.push(error.message));
    await this.#serves().catch((error: Error) => found.push(error.message));
    found.push(...this.#site.edge.log.split('\n').filter((line) => OWN_FAULT.test(line)));
    this.#site.edge.forgetLog();
    return found;
  }

  /** Ends the edge. Throws if something still holds it. */
  async stop(): Promise<void> {
    const stopped = this.#site.edge.app.stop().then(() => true);
    const late = new Promise<false>((resolve) => setTimeout(resolve, timeLimit(20_000), false).unref());
    if (!(await Promise.race([stopped, late]))) throw new Error('the edge does not stop: a request still uses it');
  }

  /** Waits until no exchange is left, and no request of theirs at an upstream. */
  async #released(): Promise<void> {
    let held: unknown;
    await until(
      async () => {
        const { body } = await this.#site.edge.admin('/metrics');
        const requests = Number(/^breakwater_client_requests (\d+)/m.exec(body)?.[1]);
        const urls = this.#site.edge.app.status().upstreams.flatMap((upstream) => upstream.urls);
        const upstreams = urls.flatMap(({ inFlight, waiting }) => [
          ...Object.values(inFlight),
          ...Object.values(waiting),
        ]);
        held = { requests, upstreams };
        return requests === 0 && upstreams.every((count) => count === 0);
      },
      { timeout: 10_000, every: 20, what: () => `every exchange and permit to be released: ${JSON.stringify(held)}` },
    );
  }

  async #serves(): Promise<void> {
    const { edge, primary } = this.#site;
    // Scripts delete it.
    primary.seed(`${INNER}library/app`, '1', IMAGE);
    const clients = [edge.http1(), edge.http2()];
    for (const client of clients) {
      const { status } = await client.ask('/v2/library/well/manifests/1');
      if (status !== 200) throw new Error(`a pull over ${client.version} is answered ${status}`);
      client.close();
    }
    const { status } = await edge.admin('/readyz');
    if (status !== 200) throw new Error(`/readyz is answered ${status}`);
    const headers = { host: 'edge.test' };
    const call = request({ host: '127.0.0.1', port: this.ports.redirect, agent: false, headers }).end();
    const [response] = await once(call, 'response');
    response.resume();
    if (response.statusCode !== 308) throw new Error(`a redirect is answered ${response.statusCode}`);
  }
}
