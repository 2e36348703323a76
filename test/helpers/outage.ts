import type { Test } from 'tap';
import { ClientLoop } from './client-loop.ts';
import type { EdgeStatus } from './edge.ts';
import { writeImage } from './image.ts';
import { PullLoop } from './pull-loop.ts';
import { type Begun, PushLoop } from './push-loop.ts';
import { ALL_CLIENTS, type Site, startSite } from './site.ts';
import { Skopeo } from './skopeo.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { timeLimit } from './time-limit.ts';
import { until } from './until.ts';

/** One way in which the primary goes away and comes back. */
export interface Outage {
  begin(site: Site, pulls: PullLoop): Promise<void>;
  end(site: Site): Promise<void>;
  /** It goes on taking uploads, onto storage that comes back, while nothing is known: no reason to refuse them yet. */
  takesUploads?: true;
}

/** Raw pulls; 20 are begun each second. The outage lasts longer, so that breakers get to try the primary meanwhile. */
const ENOUGH = { before: 40, during: 120, after: 60 };

/**
 * Runs a site through an outage of its primary, with raw clients pulling all the time (and real ones, in `npm run test:site`),
 * and tests what design.md promises: no pull fails, pushes are refused at once and never reach the fallback, and traffic comes back.
 */
export async function testOutage(t: Test, outage: Outage): Promise<void> {
  // Two cores run registries, clients and tests at once: an answer after 150 ms says nothing here.
  const site = await startSite(t, {}, async () => ({ hedge: { floor: '500ms' } }));
  try {
    await runOutage(t, site, outage);
  } finally {
    if (!t.passing()) t.comment(site.edge.story());
  }
}

async function runOutage(t: Test, site: Site, outage: Outage): Promise<void> {
  // A registry sends so little in one piece with its headers: what is in flight has had all of its bytes, or none. (That a
  // body goes on from another upstream is a promise of its own.)
  const image = await site.seed('app:v1', { layers: [3_000, 500] });
  const written = site.gcr.writes();
  const pulls = new PullLoop(t, {
    url: site.edge.url,
    authority: site.edge.certificate.authority,
    repository: 'library/app',
    reference: 'v1',
    digest: image.digest,
  });
  const pushes = new PushLoop(t, {
    url: site.edge.url,
    authority: site.edge.certificate.authority,
    repository: 'library/pushed',
  });
  const clients = new ClientLoop(t, ALL_CLIENTS ? await site.clients() : [], `${site.image('app')}:v1`, image.digest);

  await enough(pulls, clients, performance.now(), 'before');
  testPrimary(t, pulls, 0, 'before');

  await outage.begin(site, pulls);
  const began = performance.now();
  const down = await site.edge.waitFor((status) => !isServing(status));
  const known = performance.now();
  t.comment(`pushes refused after ${Math.round(known - began)} ms: ${harborOf(down)?.pushes?.reason}`);
  await testRefusedPush(t, site);
  await enough(pulls, clients, known, 'during');
  t.strictSame(upstreams(pulls, known), ['gcr'], 'during: everything comes from the fallback');
  t.ok((await site.edge.status()).failovers.length > 0, 'the status tells of failovers');

  testRefusals(t, pushes.between(known, performance.now()));
  const from = outage.takesUploads ? known : began;
  const admitted = pushes.between(from, performance.now()).filter(({ status }) => status === 202);
  t.strictSame(admitted, [], 'no upload was begun that would have gone nowhere');

  await outage.end(site);
  await site.edge.waitFor(isServing, 30_000);
  await until(() => lastAreFrom(pulls, 'harbor'), { what: () => `the primary to serve: ${upstreams(pulls, known)}` });
  const back = performance.now();
  await enough(pulls, clients, back, 'after');
  testPrimary(t, pulls, back, 'after');
  await testPush(t, site);

  await Promise.all([pulls.stop(), pushes.stop(), clients.stop()]);
  t.strictSame(pulls.failed, [], `none of ${pulls.done.length} pulls failed`);
  t.strictSame(clients.failed, [], `no pull of a real client failed: ${JSON.stringify([...clients.done])}`);
  const slowest = Math.max(...pulls.done.map((one) => one.slowest));
  t.ok(slowest < timeLimit(10_000), `the slowest request took ${Math.round(slowest)} ms`);
  // 500 and 503: asked of the primary in the moment it went away, its own answer or the lack of one.
  const odd = pushes.done.filter(({ status }) => ![202, 403, 500, 503].includes(status));
  t.strictSame(odd, [], `all of ${pushes.done.length} pushes were admitted or told why not`);
  t.equal(site.gcr.writes() - written, 0, 'nothing was written to the fallback');
}

/** Waits until so many raw pulls that began after `since` are done, and one of each real client that began after it. */
async function enough(pulls: PullLoop, clients: ClientLoop, since: number, when: keyof typeof ENOUGH): Promise<void> {
  const counts = clients.counts();
  // The first pull that ends after `since` may have begun before it.
  await until(() => pulls.since(since).length >= ENOUGH[when] && clients.haveDone(2, counts), {
    timeout: 40_000,
    what: () => `pulls ${when}: ${pulls.since(since).length}, ${JSON.stringify([...clients.done])}; ${pulls.failed}`,
  });
}

async function testRefusedPush(t: Test, site: Site): Promise<void> {
  const reply = await site.client().ask('/v2/library/app/blobs/uploads/', { method: 'POST' });
  t.equal(reply.status, 403, 'a push is refused');
  t.ok(reply.took < timeLimit(1000), `within a second: ${Math.round(reply.took)} ms`);
  t.match(reply.headers['content-type'], /^application\/json/, 'in a form that clients show');
  const { errors }: { errors: { code: string; message: string }[] } = JSON.parse(reply.body.toString());
  t.equal(errors[0]?.code, 'DENIED');
  t.match(errors[0]?.message, /since/, `the message says why and since when: ${errors[0]?.message}`);

  const image = await writeImage(temporaryFolder(t), { layers: [10_000] });
  const skopeo = new Skopeo(t, site.edge.certificate.authorityFolder);
  const pushed = await skopeo.tryPush(image.folder, `${site.image('refused')}:v1`);
  t.not(pushed.status, 0, 'skopeo fails');
  t.ok(pushed.took < timeLimit(3000), `without trying for long: ${Math.round(pushed.took)} ms`);
  // The reason goes on changing ("3 probes failed", "4 …"): its first words are enough.
  const words = errors[0]?.message.split(' ').slice(0, 4).join(' ') ?? 'no message';
  t.ok(pushed.output.includes(words), `skopeo shows the message: ${pushed.output.trim()}`);
}

/** What the edge said to everybody who tried to push while the outage was known. */
function testRefusals(t: Test, asked: Begun[]): void {
  t.ok(asked.length > 10, `${asked.length} pushes were tried meanwhile`);
  t.strictSame(
    asked.filter(({ status, answer }) => status !== 403 || !answer.includes('DENIED')),
    [],
    'every one was denied',
  );
  const slowest = Math.max(...asked.map(({ took }) => took));
  t.ok(slowest < timeLimit(1000), `each within a second: ${Math.round(slowest)} ms`);
}

async function testPush(t: Test, site: Site): Promise<void> {
  const image = await writeImage(temporaryFolder(t), { layers: [10_000] });
  await new Skopeo(t, site.edge.certificate.authorityFolder).push(image.folder, `${site.image('again')}:v1`);
  const stored = await new Skopeo(t).pull(`${site.harbor.address}/library/again:v1`);
  t.equal(stored, image.digest, 'a push lands on the primary again');
}

/** Every upstream that answered pulls begun at or after a time. */
function upstreams(pulls: PullLoop, since: number): string[] {
  return [...new Set(pulls.since(since).flatMap((one) => one.upstreams))].sort();
}

/** On a busy machine the primary may be late, and a hedged answer of the fallback is right then. Most answers are the primary's. */
function testPrimary(t: Test, pulls: PullLoop, since: number, when: string): void {
  const from = pulls.since(since).flatMap((one) => one.upstreams);
  const others = from.filter((name) => name !== 'harbor').length;
  t.ok(others <= from.length / 2, `${when}: answers come from the primary, but for ${others} of ${from.length}`);
}

function lastAreFrom(pulls: PullLoop, upstream: string): boolean {
  const last = pulls.done.slice(-5);
  return last.length === 5 && last.every((one) => one.upstreams.every((name) => name === upstream));
}

function harborOf(status: EdgeStatus): EdgeStatus['upstreams'][number] | undefined {
  return status.upstreams.find((upstream) => upstream.name === 'harbor');
}

function isServing(status: EdgeStatus): boolean {
  const harbor = harborOf(status);
  return harbor?.state === 'up' && harbor.pushes?.admitted === true;
}
