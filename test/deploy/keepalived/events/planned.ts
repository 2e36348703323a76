import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { ClientLoop } from '../../../helpers/client-loop.ts';
import { Skopeo } from '../../../helpers/skopeo.ts';
import type { Owner } from '../../../helpers/temporary-folder.ts';
import { timeLimit } from '../../../helpers/time-limit.ts';
import { until } from '../../../helpers/until.ts';
import { download } from '../download.ts';
import { noneFailed, type PairEvent, type Row, seconds, slowestOf } from '../event.ts';
import { ADDRESSES } from '../network.ts';
import type { PairNode } from '../node.ts';
import { HOST, type Pair } from '../pair.ts';
import { type Loop, pulls, pushes } from '../traffic.ts';
import { pushed } from './sudden.ts';

const SLOW_PORT = 5999;
/** The time to drain is shorter than shipped, and there is a registry that sends slowly. */
export const PLANNED_CONFIG = {
  drain: { timeout: '10s' },
  upstreams: { slow: { urls: [`http://${ADDRESSES.primary}:${SLOW_PORT}`] } },
  routes: [{ prefix: 'slow/', pull: [{ upstream: 'slow' }] }],
};
const DRAIN_MS = 10_000;
const PULLS = 200;
const PUSHES = 20;
const BLOB_BYTES = 30_000_000;
/** A transfer that has the time to finish lasts as long, from one second before the stop. */
const SHORT_MS = 4000;
/** A client that reads slowly has much in its own buffers, and notices an end late. So the network is slow here. */
const SLOW_BLOB = `/v2/slow/app/blobs/sha256:${'0'.repeat(64)}`;
const AS_FAST_AS_IT_COMES = { rate: Number.POSITIVE_INFINITY, retries: 0 };

/** A registry whose only blob takes ten minutes. */
async function startSlowRegistry(owner: Owner): Promise<void> {
  const server = createServer((request, response) => {
    if (!request.url?.includes('/blobs/')) return void response.end('{}');
    response.writeHead(200, { 'content-length': 60_000_000 });
    const timer = setInterval(() => response.write(Buffer.alloc(10_000)), 100);
    response.on('close', () => clearInterval(timer));
  });
  server.listen(SLOW_PORT, ADDRESSES.primary);
  await once(server, 'listening');
  owner.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
}

export const plannedEvents: PairEvent[] = [
  { key: 'stop', group: 'planned', run: runStop },
  { key: 'reload', group: 'planned', run: runReload },
  { key: 'upgrade', group: 'planned', run: runUpgrade },
];

async function largeBlob(pair: Pair, name: string): Promise<string> {
  const large = await pair.seed(`${name}:v1`, { layers: [BLOB_BYTES] });
  const digest = large.blobs.toSorted((a, b) => b.size - a.size)[0]?.digest ?? '';
  return digest;
}

/** The same traffic for each planned event: pulls and pushes of clients that retry nothing. */
async function traffic(pair: Pair, key: string, every: { pull: number; push: number }) {
  const target = { url: `https://${HOST}`, authority: pair.certificate.authority };
  const image = await pair.seed(`${key}:v1`);
  const blob = await largeBlob(pair, `${key}-large`);
  const path = `/v2/library/${key}-large/blobs/${blob}`;
  const active = await pair.well();
  const begin = () => ({
    pulling: pulls(pair.owner, target, image, key, { every: every.pull }),
    pushing: pushes(pair.owner, [target], `library/${key}-made`, { every: every.push }),
  });
  return { target, image, blob, path, active, begin };
}

async function countOf(loop: Loop, count: number): Promise<Loop> {
  await until(() => loop.begun >= count, { timeout: 60_000, what: () => `${count} begun` });
  return loop.stop();
}

async function runStop(pair: Pair): Promise<Row[]> {
  await startSlowRegistry(pair.owner);
  const key = 'stop';
  const { target, blob, path, active, begin } = await traffic(pair, key, { pull: 60, push: 600 });
  const other = pair.other(active);
  const short = download(target, path, { rate: BLOB_BYTES / (SHORT_MS / 1000), retries: 0 });
  const long = download(target, SLOW_BLOB, AS_FAST_AS_IT_COMES);
  await delay(1000);
  const { pulling, pushing } = begin();
  await delay(2000);
  const stopped = performance.now();
  active.edge.signal('SIGTERM');
  const [status] = await Promise.all([active.edge.ended(), countOf(pulling, PULLS), countOf(pushing, PUSHES)]);
  const gone = performance.now() - stopped;
  const holder = await pair.active();
  const [finished, cut] = await Promise.all([short, long]);
  const told = (cut.parts[0]?.ended ?? 0) - stopped;
  const lost = await pushed(pair, pushing.done, `library/${key}-made`);
  await active.startEdge();
  await pair.well();
  return [
    {
      event: 'planned stop (SIGTERM) of the active edge',
      must: 'transfers that need less than `drain.timeout` finish; one that cannot finish is cut within 1 s; of 200 short pulls and 20 pushes none fails',
      measured:
        `${pulling.failed.length} of ${pulling.done.length} pulls and ${pushing.failed.length} of ${pushing.done.length} pushes fail, the slowest pull takes ` +
        `${seconds(slowestOf(pulling.done))}; a download of ${seconds(SHORT_MS)} finishes; a download of ten minutes is cut ` +
        `${seconds(told - DRAIN_MS)} after \`drain.timeout\`; the edge ends after ${seconds(gone)}`,
      checks: [
        noneFailed('short pulls', pulling),
        noneFailed('pushes', pushing),
        {
          what: `${pulling.done.length} pulls, ${pushing.done.length} pushes`,
          ok: pulling.done.length >= PULLS && pushing.done.length >= PUSHES,
        },
        { what: `pushes that the primary lacks: ${lost.join(', ')}`, ok: lost.length === 0 },
        { what: `the transfer that had the time: ${JSON.stringify(finished)}`, ok: finished.digest === blob },
        {
          what: `the other one was cut after ${told} ms: ${JSON.stringify(cut)}`,
          ok: cut.parts[0]?.error !== undefined && told < DRAIN_MS + timeLimit(1000),
        },
        { what: `the edge ends with ${status}`, ok: status === 0 },
        { what: `the VIP is at ${holder.side}`, ok: holder === other },
      ],
    },
  ];
}

async function runReload(pair: Pair): Promise<Row[]> {
  const key = 'reload';
  const { target, blob, path, active, begin } = await traffic(pair, key, { pull: 60, push: 600 });
  const loading = download(target, path, { rate: BLOB_BYTES / 4, retries: 0 });
  const { pulling, pushing } = begin();
  for (let count = 0; count < 3; count += 1) {
    await delay(1000);
    active.edge.signal('SIGHUP');
  }
  await Promise.all([countOf(pulling, 100), countOf(pushing, 10)]);
  const loaded = await loading;
  const holder = await pair.active();
  return [
    {
      event: '`systemctl reload` (SIGHUP) of the active edge, three times',
      must: 'nobody notices',
      measured: `${pulling.failed.length} of ${pulling.done.length} pulls and ${pushing.failed.length} of ${pushing.done.length} pushes fail; the VIP stays`,
      checks: [
        noneFailed('short pulls', pulling),
        noneFailed('pushes', pushing),
        { what: `a download goes on: ${JSON.stringify(loaded)}`, ok: loaded.digest === blob },
        { what: `the VIP is at ${holder.side}`, ok: holder === active },
      ],
    },
  ];
}

/** As docs/deploy-pair.md says: the node that waits first, then the active one. */
async function runUpgrade(pair: Pair): Promise<Row[]> {
  const key = 'upgrade';
  const { image, active, begin } = await traffic(pair, key, { pull: 60, push: 400 });
  const { pulling, pushing } = begin();
  const skopeo = new Skopeo(pair.owner, pair.certificate.authorityFolder);
  const real = new ClientLoop(pair.owner, [skopeo], `${HOST}/library/${key}:v1`, image.digest);
  const began = performance.now();
  const statuses: unknown[] = [];
  for (const node of [pair.other(active), active]) statuses.push(await renew(pair, node));
  const took = performance.now() - began;
  await delay(1000);
  await Promise.all([pulling.stop(), pushing.stop(), real.stop()]);
  const lost = await pushed(pair, pushing.done, `library/${key}-made`);
  const done = real.done.get('skopeo') ?? 0;
  return [
    {
      event: 'rolling upgrade of both nodes',
      must: '0 failed pulls and pushes',
      measured: `${pulling.failed.length} of ${pulling.done.length} raw pulls, ${real.failed.length} of ${done} pulls of skopeo and ${pushing.failed.length} of ${pushing.done.length} pushes fail, in ${seconds(took)}`,
      checks: [
        noneFailed('raw pulls', pulling),
        noneFailed('pushes', pushing),
        { what: `skopeo: ${real.failed.join(' | ')}`, ok: real.failed.length === 0 && done > 5 },
        { what: `pushes that the primary lacks: ${lost.join(', ')}`, ok: lost.length === 0 },
        { what: `the edges end with ${statuses.join(', ')}`, ok: statuses.every((status) => status === 0) },
      ],
    },
  ];
}

/** `systemctl restart` of one edge with another version, and the look at it that the page asks for. */
async function renew(pair: Pair, node: PairNode): Promise<unknown> {
  node.edge.signal('SIGTERM');
  const status = await node.edge.ended();
  await node.startEdge();
  await pair.well();
  return status;
}
