import { HttpsClient } from '../../../helpers/https-client.ts';
import { timeLimit } from '../../../helpers/time-limit.ts';
import { until } from '../../../helpers/until.ts';
import { noneFailed, type PairEvent, type Row, seconds } from '../event.ts';
import type { PairNode } from '../node.ts';
import type { Pair } from '../pair.ts';
import { type Done, pushes, sha256 } from '../traffic.ts';
import { pushed } from './sudden.ts';

const AGREE_MS = 5000;
const PUSHES = 90;
/** Tags that are pushed at both edges, one after the other. */
const CONTESTED = 10;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const REPOSITORY = 'library/split';

export const splitEvents: PairEvent[] = [{ key: 'split', group: 'split', run: runSplit }];

async function runSplit(pair: Pair): Promise<Row[]> {
  await pair.well();
  const [a, b] = pair.both as [PairNode, PairNode];
  const cutOff = (cut: boolean) => Promise.all([a.cutOff(b.address, cut), b.cutOff(a.address, cut)]);
  const targets = pair.both.map(({ address }) => ({
    url: `https://${address}`,
    authority: pair.certificate.authority,
  }));
  await cutOff(true);
  await until(async () => (await pair.holders()).length === 2, { what: () => `the VIP at both\n${pair.story()}` });
  const both = pushes(pair.owner, targets, REPOSITORY, { every: 10, tries: 3, tag: 'own-' });
  await until(() => both.begun >= PUSHES, { what: () => 'pushes' });
  await both.stop();
  // The same tags at both: what was pushed last counts.
  for (const target of targets) {
    const contested = pushes(pair.owner, [target], REPOSITORY, { every: 40, tries: 3, tag: 'both-' });
    await until(() => contested.begun >= CONTESTED, { what: () => 'pushes' });
    await contested.stop();
  }
  const shown = await Promise.all(pair.both.map((node) => pullAll(pair, node, both.done)));
  const lost = await pushed(pair, both.done, REPOSITORY);
  await cutOff(false);
  const healed = performance.now();
  const names = [
    ...both.done.map(({ name }) => name ?? ''),
    ...Array.from({ length: CONTESTED }, (_, count) => `both-t${count}`),
  ];
  const took = await agreed(pair, names, healed);
  const alone = await until(async () => (await pair.holders()).length === 1, {
    what: () => `one VIP\n${pair.story()}`,
  });
  const oneVip = performance.now() - healed;
  await pair.well();
  return [
    {
      event: 'no traffic between the edges, both with the VIP and serving (split brain)',
      must: 'no wrong bytes, no lost push; the ledgers agree within 5 s after it heals',
      measured:
        `${both.done.length} pushes at both at once: ${both.failed.length} fail, ${lost.length} are lost; ${shown.flat().length} of ` +
        `${2 * both.done.length} pulls get wrong bytes; the ledgers agree ${seconds(took)} after it heals, one node has the VIP after ${seconds(oneVip)} at most`,
      checks: [
        noneFailed('pushes', both),
        { what: `lost pushes: ${lost.join(', ')}`, ok: lost.length === 0 },
        { what: `wrong pulls: ${shown.flat().slice(0, 5).join(' | ')}`, ok: shown.flat().length === 0 },
        { what: `the ledgers agree after ${Math.round(took)} ms`, ok: took < timeLimit(AGREE_MS) },
        { what: 'one node has the VIP', ok: alone },
      ],
    },
  ];
}

/** Pulls every tag by one edge. @returns those that are not as they were pushed */
async function pullAll(pair: Pair, node: PairNode, done: readonly Done[]): Promise<string[]> {
  const client = new HttpsClient(`https://${node.address}`, pair.certificate.authority);
  const wrong: string[] = [];
  for (const { name, digest } of done) {
    const { status, body } = await client.ask(`/v2/${REPOSITORY}/manifests/${name}`, { headers: { accept: MANIFEST } });
    if (sha256(body) !== digest) wrong.push(`${name} at ${node.side}: ${status} ${body.toString().slice(0, 100)}`);
  }
  client.close();
  return wrong;
}

/** Milliseconds from a moment until both edges know every tag, with the same digest. */
async function agreed(pair: Pair, names: readonly string[], from: number): Promise<number> {
  // The ledger has what the primary has now: an edge that heard of no newer push would tell an older digest.
  let left = names;
  await until(
    async () => {
      const [atA, atB] = await Promise.all(pair.both.map((node) => ledgerOf(node, left)));
      left = left.filter((_, index) => atA?.[index] === undefined || atA[index] !== atB?.[index]);
      return left.length === 0;
    },
    { timeout: 60_000, every: 50, what: () => `ledgers that agree on ${left.slice(0, 5).join(', ')}\n${pair.story()}` },
  );
  return performance.now() - from;
}

/** The digests of tags, as the ledger of an edge has them. */
async function ledgerOf(node: PairNode, names: readonly string[]): Promise<(string | undefined)[]> {
  const said = await node.getAll(names.map((name) => `/api/explain?image=${REPOSITORY}:${name}`));
  return said.map((text) => (JSON.parse(text) as { ledger?: { digest: string } }).ledger?.digest);
}
