import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { root } from '../../../helpers/markdown.ts';
import { timeLimit } from '../../../helpers/time-limit.ts';
import { until } from '../../../helpers/until.ts';
import { download } from '../download.ts';
import { noneFailed, type PairEvent, type Row, recovered, seconds } from '../event.ts';
import type { PairNode } from '../node.ts';
import { HOST, type Pair } from '../pair.ts';
import { pulls, pushes } from '../traffic.ts';

const MUST =
  'pulls succeed again in < 1.5 s; clients that retry lose nothing; a blob under way is resumed by the client';
const LIMIT_MS = 1500;
const BEFORE_MS = 1500;
const AFTER_MS = 3000;
const BLOB_BYTES = 30_000_000;
/** Bytes a second of the download: it lasts longer than the event. */
const RATE = 6_000_000;
/** Milliseconds without a byte after which the client of the download begins again. */
const IDLE_MS = 3000;

interface Sudden {
  key: string;
  event: string;
  strike: (node: PairNode) => unknown;
  mend: (node: PairNode) => unknown;
}

/** What systemd runs when keepalived has ended. */
const EXEC_STOP_POST =
  /^ExecStopPost=(.*)$/m.exec(
    readFileSync(join(root, 'deploy/keepalived/keepalived.service.d/breakwater.conf'), 'utf8'),
  )?.[1] ?? '';

const SUDDEN: readonly Sudden[] = [
  {
    key: 'edge-killed',
    event: '`kill -9` of the active edge',
    strike: (node) => node.edge.signal('SIGKILL'),
    mend: (node) => node.startEdge(),
  },
  {
    key: 'keepalived-killed',
    event: '`kill -9` of every process of the active keepalived',
    strike: async (node) => {
      await node.killAllOfKeepalived();
      // As systemd does, beside what follows.
      void node.run(EXEC_STOP_POST);
    },
    mend: (node) => node.startKeepalived(),
  },
  {
    key: 'link-down',
    event: 'link of the active node down',
    strike: (node) => node.setPlug('down'),
    mend: (node) => node.setPlug('up'),
  },
];

export const suddenEvents: PairEvent[] = SUDDEN.map((sudden) => ({
  key: sudden.key,
  group: 'sudden',
  run: (pair) => runSudden(pair, sudden),
}));

async function runSudden(pair: Pair, { key, event, strike, mend }: Sudden): Promise<Row[]> {
  const target = { url: `https://${HOST}`, authority: pair.certificate.authority };
  const [image, large] = [await pair.seed(`${key}:v1`), await pair.seed(`${key}-large:v1`, { layers: [BLOB_BYTES] })];
  const blob = large.blobs.toSorted((a, b) => b.size - a.size)[0]?.digest ?? '';
  const active = await pair.well();
  const other = pair.other(active);
  const owner = pair.owner;
  const plain = pulls(owner, target, image, key, { every: 60 });
  const retrying = pulls(owner, target, image, key, { every: 250, tries: 8 });
  const pushing = pushes(owner, [target], `library/${key}-made`, { tries: 8, every: 300 });
  const loading = download(target, `/v2/library/${key}-large/blobs/${blob}`, {
    rate: RATE,
    retries: 8,
    idle: timeLimit(IDLE_MS),
  });
  await delay(BEFORE_MS);
  const moment = performance.now();
  await strike(active);
  await until(() => other.holdsVip(), { every: 10, what: () => `the VIP at ${other.side}\n${pair.story()}` });
  const moved = performance.now() - moment;
  await delay(AFTER_MS);
  const holders = await pair.holders();
  await Promise.all([plain, retrying, pushing].map((loop) => loop.stop()));
  const loaded = await loading;
  await mend(active);
  const settled = await pair.well();
  const again = recovered(plain, moment, timeLimit(LIMIT_MS));
  const kept = await pushed(pair, pushing.done, `library/${key}-made`);
  return [
    {
      event,
      must: MUST,
      measured:
        `VIP at the other node after ${seconds(moved)}, pulls succeed after ${seconds(again.after)}; without retries ${plain.failed.length} ` +
        `of ${plain.done.length} pulls fail, with retries 0 of ${retrying.done.length} pulls and 0 of ${pushing.done.length} pushes; ` +
        `the blob is resumed ${loaded.parts.length === 2 ? 'once' : `${loaded.parts.length - 1} times`}`,
      checks: [
        again,
        noneFailed('pulls of clients that retry', retrying),
        noneFailed('pushes of clients that retry', pushing),
        { what: `pushes that the primary lacks: ${kept.join(', ')}`, ok: kept.length === 0 },
        { what: `the blob has its digest: ${JSON.stringify(loaded)}`, ok: loaded.digest === blob },
        { what: 'the blob was resumed, not begun again', ok: loaded.parts.slice(1).every(({ from }) => from > 0) },
        { what: `${holders.length} nodes have the VIP`, ok: holders.length === 1 },
        { what: `the VIP stays where it is when the node is back: ${settled.side}`, ok: settled === other },
      ],
    },
  ];
}

/** Tags that the primary lacks, or has with another digest. */
export async function pushed(
  pair: Pair,
  done: readonly { name?: string; digest?: string }[],
  repository: string,
): Promise<string[]> {
  const lost: string[] = [];
  for (const { name, digest } of done) {
    if (!name) continue;
    const { headers } = await fetch(`${pair.primary.url}/v2/${repository}/manifests/${name}`, {
      method: 'HEAD',
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
    if (headers.get('docker-content-digest') !== digest) lost.push(name);
  }
  return lost;
}
