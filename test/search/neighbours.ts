import fc from 'fast-check';
import { type MadeCertificate, makeCertificate } from '../../src/lab/certificate.ts';
import { Cleanup } from '../helpers/cleanup.ts';
import { type EdgeInProcess, HOSTNAME, makeEdgeInProcess, RARE_PROBE } from '../helpers/edge-in-process.ts';
import type { Http1Client } from '../helpers/http1-client.ts';
import { sha256 } from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import {
  BLOB_DIGEST,
  MANIFEST,
  MANIFEST_DIGEST,
  POISON_NAMES,
  poisonedDigest,
  startScriptedUpstreams,
  type Where,
} from './scripted-upstream.ts';
import type { Search } from './search.ts';
import { VirtualTime } from './virtual-time.ts';

// Rule 8: one client hurts no other. Each schedule is run twice, with and without the noisy client, against the same
// upstreams. Status, bytes, serving upstream and admission of everybody else are equal, and nothing is later than one hedge.

/** Milliseconds of a hedge while an upstream's usual latency is not known. */
const HEDGE_MS = 80;
/** Made once, because it takes as long as some schedules. */
let certificate: Promise<MadeCertificate> | undefined;
/** Milliseconds that all schedules of a batch may take. */
const LONG = 3_600_000;

const METHODS = ['manifest', 'head-manifest', 'blob', 'head-blob', 'range', 'tags', 'put', 'post', 'delete'] as const;
type Method = (typeof METHODS)[number];

interface Step {
  /** The noisy client is 0. */
  client: number;
  repository: number;
  method: Method;
  /** What the noisy client asks for, and whether the repository is poisoned or only the reference. */
  poison: string;
  where: Where;
  whole: boolean;
  /** The next step does not wait for the answer. */
  overlaps: boolean;
}

/** The answer to a client that is not noisy. */
interface Seen {
  what: string;
  status: number;
  sha256: string;
  upstream: string | undefined;
  warned: boolean;
  ms: number;
}

const common = { method: fc.constantFrom(...METHODS), repository: fc.nat(3), overlaps: fc.boolean() };
const noisy: fc.Arbitrary<Step> = fc
  .record({
    ...common,
    client: fc.constant(0),
    poison: fc.constantFrom(...POISON_NAMES, 'none'),
    where: fc.constantFrom<Where>('primary', 'both'),
    whole: fc.boolean(),
  })
  .map(harmless);
const quiet: fc.Arbitrary<Step> = fc.record({
  ...common,
  client: fc.integer({ min: 1, max: 3 }),
  poison: fc.constant('none'),
  where: fc.constant<Where>('primary'),
  whole: fc.constant(false),
});
/** A noisy client asks for the same again and again, or for many things. */
const noise = fc.oneof(
  fc.tuple(noisy, fc.integer({ min: 3, max: 8 })).map(([step, times]) => Array<Step>(times).fill(step)),
  fc.array(noisy, { minLength: 1, maxLength: 8 }),
);
const schedule = fc
  .array(fc.oneof({ weight: 2, arbitrary: noise }, { weight: 3, arbitrary: quiet.map((step) => [step]) }), {
    minLength: 3,
    maxLength: 9,
  })
  .map((parts) => parts.flat())
  .filter((steps) => steps.some(({ client }) => client > 0) && steps.some(({ client }) => client === 0));

export const neighbours: Search<Step[]> = {
  says: 'one client hurts no other',
  schedules: schedule,
  batch: 20,
  steps: (steps) => steps,
  // Without a noisy and a quiet client there is nothing to compare; the rule cannot be broken then.
  withSteps: (_, steps) => steps as Step[],
  async run(owner, schedules) {
    const { url, lost } = await startScriptedUpstreams(owner);
    const sites = schedules.flatMap((_, index) => [`w${index}`, `o${index}`]);
    const time = new VirtualTime(owner);
    const site = new Cleanup();
    const edge = await startEdge(site, url, sites);
    await time.waitFor(edge.app.start(), LONG, 'the start of the edge');
    // Connections are kept: a handshake costs more than most requests.
    const [withNoise, without] = [edge.http1(), edge.http1()];
    const compared = schedules.map(async (steps, index) => {
      const others = steps.filter((step) => step.client > 0);
      const [seen, expected] = await Promise.all([
        play(edge, withNoise, lost, `w${index}`, steps),
        play(edge, without, lost, `o${index}`, others),
      ]);
      return difference(seen, expected);
    });
    try {
      return await time.waitFor(Promise.all(compared), LONG, 'the schedules');
    } finally {
      await time.waitFor(site.run(), LONG, 'the stop of the edge');
    }
  },
};

/** An edge with a primary and a fallback of their own for each site, which is the first component of every name. */
async function startEdge(owner: Owner, url: string, sites: readonly string[]): Promise<EdgeInProcess> {
  certificate ??= makeCertificate({ names: [HOSTNAME], authority: true });
  const upstream = (path: string) => ({
    urls: [`${url}/${path}`],
    probe: { ...RARE_PROBE, canary: 'canary:latest', timeout: '1s', settle: '0s' },
    deadlines: { manifest: '150ms', blob: '150ms', stall: '150ms', push: '300ms', commit: '300ms' },
    hedge: { floor: `${HEDGE_MS / 2}ms` },
  });
  return makeEdgeInProcess(
    owner,
    {
      upstreams: Object.fromEntries(
        sites.flatMap((site) => [
          [`${site}p`, upstream(`${site}/p`)],
          [`${site}f`, upstream(`${site}/f`)],
        ]),
      ),
      routes: sites.map((site) => ({
        prefix: `${site}/`,
        push: `${site}p`,
        pull: [{ upstream: `${site}p` }, { upstream: `${site}f` }],
      })),
      trustedProxies: ['127.0.0.0/8'],
    },
    { certificate: await certificate, logLevel: 'silent' },
  );
}

/** Plays the steps, and then loses the storage of the primary: noise must not hide an outage. */
async function play(
  edge: EdgeInProcess,
  client: Http1Client,
  lost: Set<string>,
  site: string,
  steps: readonly Step[],
): Promise<Seen[]> {
  const seen: Promise<Seen | undefined>[] = [];
  for (const step of steps) {
    const asked = ask(client, site, step);
    seen.push(asked);
    if (!step.overlaps) await asked;
  }
  await Promise.all(seen);
  lost.add(site);
  const outage = (method: Method): Step => ({
    client: 1,
    repository: 9,
    method,
    poison: 'none',
    where: 'primary',
    whole: false,
    overlaps: false,
  });
  for (const method of ['manifest', 'blob', 'post'] as const) seen.push(ask(client, site, outage(method)));
  const all = (await Promise.all(seen)).filter((one) => one !== undefined);
  const primary = edge.app.status().upstreams.find(({ name }) => name === `${site}p`);
  const what = `primary when its storage is lost: pushes admitted ${primary?.pushes?.admitted}`;
  return [...all, { what, status: 0, sha256: '', upstream: undefined, warned: false, ms: 0 }];
}

/** What a client deletes is gone for all, as it should be: the noisy one deletes only what no other client asks for. */
function harmless(step: Step): Step {
  return step.method === 'delete' && step.poison === 'none' ? { ...step, method: 'tags' } : step;
}

const VERBS: Partial<Record<Method, string>> = {
  'head-manifest': 'HEAD',
  'head-blob': 'HEAD',
  put: 'PUT',
  post: 'POST',
  delete: 'DELETE',
};

/** Undefined: the step is the noisy client's. */
async function ask(client: Http1Client, site: string, step: Step): Promise<Seen | undefined> {
  const { method } = step;
  const path = pathOf(site, step);
  const headers: Record<string, string> = { 'x-forwarded-for': `10.0.0.${step.client}` };
  if (method === 'range') headers.range = 'bytes=100-199';
  const body = method === 'put' ? { body: MANIFEST } : {};
  const began = performance.now();
  const reply = await client.ask(path, { method: VERBS[method] ?? 'GET', headers, ...body }).catch(() => undefined);
  if (step.client === 0) return undefined;
  const upstream = reply?.headers['x-breakwater-upstream'];
  return {
    what: `${step.client} ${method} ${path.slice(path.indexOf('/', 4))}`,
    status: reply?.complete ? reply.status : -1,
    // The message of a refusal has a time.
    sha256: reply && reply.status < 400 ? sha256(reply.body.toString().replaceAll(site, '')) : '',
    upstream: upstream?.slice(-1) as string | undefined,
    warned: reply?.headers.warning !== undefined,
    ms: performance.now() - began,
  };
}

function pathOf(site: string, { method, repository, poison, where, whole }: Step): string {
  const isPoisoned = poison !== 'none';
  const name = isPoisoned && whole ? `poison/${poison}-${where}/${repository}` : `app${repository}`;
  const isReference = isPoisoned && !whole;
  const base = `/v2/${site}/${name}`;
  if (method === 'tags') return `${base}/tags/list`;
  if (method === 'post') return `${base}/blobs/uploads/`;
  // A registry keeps a blob once for all repositories. So a wrong copy is wrong for all of them (rule 2), and the noisy
  // client makes only a blob wrong that nobody else asks for.
  const digest = isReference || poison === 'wrong' ? poisonedDigest(poison, where) : BLOB_DIGEST;
  if (method === 'blob' || method === 'head-blob' || method === 'range') return `${base}/blobs/${digest}`;
  if (repository % 2 === 0) return `${base}/manifests/${isReference ? `poison-${poison}-${where}` : '1'}`;
  return `${base}/manifests/${isReference ? poisonedDigest(poison, where) : MANIFEST_DIGEST}`;
}

function difference(withNoise: readonly Seen[], without: readonly Seen[]): string | undefined {
  for (const [index, one] of withNoise.entries()) {
    const other = without[index];
    const { ms, ...answer } = one;
    const { ms: otherMs = 0, ...expected } = other ?? {};
    if (JSON.stringify(answer) !== JSON.stringify(expected))
      return `another answer: with noise ${JSON.stringify(one)}, without ${JSON.stringify(other)}`;
    if (ms - otherMs > timeLimit(HEDGE_MS)) return `late: ${one.what} took ${ms} ms, and ${otherMs} ms without noise`;
  }
  return undefined;
}
