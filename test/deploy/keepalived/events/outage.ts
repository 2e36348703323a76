import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MODES } from '../../../access/modes.ts';
import type { Mode, Primary } from '../../../access/primary.ts';
import { Cleanup } from '../../../helpers/cleanup.ts';
import type { ClientUser } from '../../../helpers/container-client.ts';
import { writeImage } from '../../../helpers/image.ts';
import { Skopeo } from '../../../helpers/skopeo.ts';
import { type Owner, temporaryFolder } from '../../../helpers/temporary-folder.ts';
import { until } from '../../../helpers/until.ts';
import type { PairEvent, Row } from '../event.ts';
import { askAs } from '../login.ts';
import { CLOUD, HOST, type Pair } from '../pair.ts';

export const outageEvents: PairEvent[] = [{ key: 'outage', group: 'outage', run: runOutage }];

/** The token service of this one is on `localhost`, which is another machine for each edge. */
const ELSEWHERE = 'delegate to GitLab';

async function runOutage(pair: Pair): Promise<Row[]> {
  const checks: Row['checks'] = [];
  const names: string[] = [];
  for (const mode of MODES.filter(({ name }) => name !== ELSEWHERE)) {
    const cleanup = new Cleanup();
    try {
      checks.push(...(await runMode(pair, cleanup, mode)));
      names.push(mode.name);
    } finally {
      await cleanup.run();
    }
  }
  return [
    {
      event: 'the VIP moves in the middle of an outage of the primary (`kill -9` of the active edge)',
      must: 'whoever pulled yesterday still pulls; no tag goes back in silence; each mode of `auth`',
      measured: `${checks.filter(({ ok }) => ok).length} of ${checks.length} checks hold, in the modes ${names.join('; ')}`,
      checks,
    },
  ];
}

async function runMode(pair: Pair, owner: Owner, mode: Mode): Promise<Row['checks']> {
  const primary = await mode.start(owner);
  await seed(pair, owner, primary, 'open');
  await seed(pair, owner, primary, 'closed');
  const old = await seed(pair, owner, primary, 'moved');
  await seed(pair, owner, primary, 'canary', 'latest');
  await configure(pair, owner, primary);
  const active = await pair.well();
  const other = pair.other(active);
  const { alice, bob } = primary.users;
  // Yesterday: both pull, and a tag moves on, which the fallback does not have yet.
  const target = { url: `https://${HOST}`, authority: pair.certificate.authority };
  const pull = (user: ClientUser | undefined, name: string) => askAs(target, user, `library/${name}`, 'v1');
  const newer = await writeImage(temporaryFolder(owner), { layers: [3000] });
  const pusher = new Skopeo(owner);
  pusher.as(primary.address, primary.pusher);
  await pusher.push(newer.folder, `${primary.address}/library/moved:v1`);
  const before = [
    await pull(alice, 'open'),
    await pull(alice, 'closed'),
    await pull(alice, 'moved'),
    await pull(bob, 'open'),
  ];
  const heard = Date.now();
  await other.waitFor(({ peers }) => peers.some(({ heardAt }) => Date.parse(heardAt ?? '') > heard));
  await primary.fail('down');
  if (primary.whole)
    await active.waitFor(({ upstreams }) => upstreams.some(({ name, state }) => name === 'harbor' && state === 'down'));
  await active.edge.kill();
  await until(() => other.holdsVip(), { what: () => `the VIP at ${other.side}\n${pair.story()}` });
  if (primary.whole)
    await other.waitFor(({ upstreams }) => upstreams.some(({ name, state }) => name === 'harbor' && state === 'down'));
  const after = [await pull(alice, 'open'), await pull(alice, 'closed'), await pull(bob, 'open')];
  const moved = await pull(alice, 'moved');
  const refused = mode.decides === 'nobody' || mode.everyUserMay ? undefined : await pull(bob, 'closed');
  const stranger = mode.decides === 'nobody' ? undefined : await pull({ name: 'mallory', password: 'guess' }, 'open');
  const real = new Skopeo(owner, pair.certificate.authorityFolder);
  real.as(HOST, alice);
  const skopeo = await real.tryPull(`${HOST}/library/open:v1`);
  await primary.mend();
  await active.startEdge();
  const text = (replies: readonly { status: number; body: Buffer }[]) =>
    replies.map(({ status, body }) => `${status} ${status === 200 ? '' : body.toString().slice(0, 200)}`).join(' | ');
  const isOld = moved.digest === old;
  return [
    { what: `${mode.name}, before: ${text(before)}`, ok: before.every(({ status }) => status === 200) },
    { what: `${mode.name}, who pulled yesterday: ${text(after)}`, ok: after.every(({ status }) => status === 200) },
    {
      what: `${mode.name}, the tag that moved: ${text([moved])}, old: ${isOld}, warning: ${moved.warning}`,
      ok: moved.status !== 200 || moved.digest === newer.digest || (isOld && moved.warning !== undefined),
    },
    ...(refused ? [{ what: `${mode.name}, who never might: ${text([refused])}`, ok: refused.status !== 200 }] : []),
    ...(stranger ? [{ what: `${mode.name}, a stranger: ${text([stranger])}`, ok: stranger.status !== 200 }] : []),
    { what: `${mode.name}, skopeo: ${skopeo.output}`, ok: skopeo.status === 0 },
  ];
}

/** Puts an image on both registries. @returns its digest */
async function seed(pair: Pair, owner: Owner, primary: Primary, name: string, tag = 'v1'): Promise<string> {
  const image = await writeImage(temporaryFolder(owner), { layers: [2000] });
  const skopeo = new Skopeo(owner);
  skopeo.as(primary.address, primary.pusher);
  await skopeo.push(image.folder, `${primary.address}/library/${name}:${tag}`);
  skopeo.as(pair.cloud.address, undefined);
  await skopeo.push(image.folder, `${pair.cloud.address}/${CLOUD}${name}:${tag}`);
  return image.digest;
}

/** Both edges start again, before this primary. */
async function configure(pair: Pair, owner: Owner, primary: Primary): Promise<void> {
  const keyFile = join(temporaryFolder(owner), 'edge.key');
  writeFileSync(keyFile, `the key that both edges have in this mode ${primary.url}`, { mode: 0o600 });
  const probe = { canary: 'library/canary:latest', ...(primary.upstream.probe as object | undefined) };
  await Promise.all(pair.both.map((node) => node.edge.kill()));
  for (const node of pair.both)
    node.configure(pair.certificate, {
      keyFile,
      auth: primary.auth,
      upstreams: {
        harbor: { urls: [primary.url], ...primary.upstream, probe },
        gcr: { urls: [pair.cloud.url], probe: { canary: `${CLOUD}canary:latest` } },
      },
      routes: [
        { prefix: 'library/', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: CLOUD }] },
      ],
    });
  await Promise.all(pair.both.map((node) => node.startEdge()));
}
