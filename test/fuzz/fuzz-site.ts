import { once } from 'node:events';
import { request } from 'node:http';
import bcrypt from 'bcrypt';
import type { FaultInput, FaultName } from '../../src/lab/fault.ts';
import { basic, KEY, probe } from '../helpers/forward-site.ts';
import { CLOUD, IMAGE, INNER, type LabSite, type LabSiteOptions, startLabSite } from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';
import type { Ports } from './connection.ts';
import type { Random } from './random.ts';
import type { Known } from './request-parts.ts';

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

export const FUZZ_MODES = ['open', 'htpasswd', 'delegate'] as const;
export type FuzzMode = (typeof FUZZ_MODES)[number];

const PASSWORD = 'secret-of-ann';
const ANN = basic('ann', PASSWORD);
const ADMIN_TOKEN = 'the admin token of the fuzz';

/** What each mode adds to the edge and its upstreams. */
const MODES: Record<FuzzMode, () => Promise<LabSiteOptions>> = {
  open: async () => ({}),
  htpasswd: async () => ({
    config: { auth: { mode: 'htpasswd', htpasswdFile: 'users', access: { ann: ['** pull,push,delete'] } } },
    settings: { users: { ann: await bcrypt.hash(PASSWORD, 4) }, adminToken: ADMIN_TOKEN },
  }),
  delegate: async () => ({
    primary: {
      harbor: true,
      auth: {
        scheme: 'bearer',
        users: [
          { username: 'ann', password: PASSWORD },
          { username: 'robot$probe', password: 'pr0be-secret' },
        ],
        // A harbor locks a name for longer, which would only make the search slower.
        lockMs: 5,
      },
    },
    harbor: { credentials: 'forward', probe: { ...probe, kind: 'harbor' } },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    config: { auth: { mode: 'delegate' } },
    settings: {
      secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } },
      adminToken: ADMIN_TOKEN,
    },
  }),
};

/** The edge that is fuzzed, with all its listeners, before two registries. */
export class FuzzSite {
  readonly #site: LabSite;
  readonly #mode: FuzzMode;
  readonly known: Known;

  private constructor(site: LabSite, mode: FuzzMode, known: Known) {
    this.#site = site;
    this.#mode = mode;
    this.known = known;
  }

  static async start(owner: Owner, mode: FuzzMode): Promise<FuzzSite> {
    const { config, settings, ...options } = await MODES[mode]();
    const site = await startLabSite(owner, {
      ...options,
      config: {
        passthrough: 'harbor',
        listen: { https: '127.0.0.1:0', plain: '127.0.0.1:0', http: '127.0.0.1:0', admin: '127.0.0.1:0' },
        limits: { clientIdle: '2s' },
        ...config,
      },
      settings: { hookSecret: 'hook', key: Buffer.alloc(32, 'k'), ...settings },
    });
    // No script names this image, so that it is always there.
    site.primary.seed(`${INNER}library/well`, '1', IMAGE);
    site.fallback.seed(`${CLOUD}library/well`, '1', IMAGE);
    return new FuzzSite(site, mode, await knownOf(site, mode));
  }

  get ports(): Ports {
    const { https, plain, http, admin } = this.#site.edge.app.addresses();
    return { https: https.port, plain: plain?.port ?? 0, admin: admin.port, redirect: http?.port ?? 0 };
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
        const { body } = await this.#site.edge.admin('/metrics', ADMIN_TOKEN);
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
      const headers = loginOf(this.#mode);
      const { status } = await client.ask('/v2/library/well/manifests/1', { headers });
      if (status !== 200) throw new Error(`a pull over ${client.version} is answered ${status}`);
      client.close();
    }
    const path = '/v2/library/well/manifests/1';
    const well = { host: '127.0.0.1', port: this.ports.plain, path, agent: false, headers: loginOf(this.#mode) };
    const [pulled] = await once(request(well).end(), 'response');
    pulled.resume();
    if (pulled.statusCode !== 200) throw new Error(`a pull over plain HTTP is answered ${pulled.statusCode}`);
    const { status } = await edge.admin('/readyz');
    if (status !== 200) throw new Error(`/readyz is answered ${status}`);
    const headers = { host: 'edge.test' };
    const call = request({ host: '127.0.0.1', port: this.ports.redirect, agent: false, headers }).end();
    const [response] = await once(call, 'response');
    response.resume();
    if (response.statusCode !== 308) throw new Error(`a redirect is answered ${response.statusCode}`);
  }
}

function loginOf(mode: FuzzMode): Record<string, string> {
  return mode === 'open' ? {} : { authorization: ANN };
}

/** What scripts may name that is there: content, a session of an upload, and credentials. */
async function knownOf({ edge, image }: LabSite, mode: FuzzMode): Promise<Known> {
  const repository = '/v2/library/app';
  const client = edge.http1();
  const headers = loginOf(mode);
  const upload = await client.ask(`${repository}/blobs/uploads/`, { method: 'POST', headers });
  if (upload.status !== 202) throw new Error(`an upload is answered ${upload.status}: ${upload.body}`);
  const paths = [
    `${repository}/manifests/1`,
    `${repository}/manifests/${image.digest}`,
    ...image.blobDigests.map((one) => `${repository}/blobs/${one}`),
    `${repository}/tags/list`,
    String(upload.headers.location),
  ];
  if (mode === 'open') return { paths, authorizations: [] };
  const query = '/auth/token?service=edge.test&scope=repository:library/app:pull,push,delete&offline_token=true';
  const { status, body } = await client.ask(query, { headers });
  if (status !== 200) throw new Error(`a token is answered ${status}: ${body}`);
  client.close();
  const { token, refresh_token: refresh } = JSON.parse(body.toString());
  const good = [ANN, `Bearer ${token}`];
  const authorizations = [...good, ...good, `Bearer ${refresh}`, `Bearer ${ADMIN_TOKEN}`, 'hook'];
  return { paths: [...paths, query, '/auth/token'], authorizations };
}
