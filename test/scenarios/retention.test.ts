import t from 'tap';
import {
  CLOUD,
  INNER,
  type LabSite,
  MANIFEST_TYPE,
  manifestOf,
  pushBlob,
  sha256,
  startLabSite,
} from '../helpers/lab-site.ts';
import { until } from '../helpers/until.ts';

const SECRET = 'the secret of the hooks';
const PULL = [
  { upstream: 'harbor', prefix: INNER },
  { upstream: 'gcr', prefix: CLOUD, replicate: true },
];
const CONFIG = Buffer.from('{}');
const TAGS = Array.from({ length: 9 }, (_, number) => `v${number}`);

/** Pushes a small image through the edge, under all these tags. @returns its digest */
async function push(site: LabSite, note: string, tags: readonly string[]): Promise<string> {
  const client = site.edge.http1();
  const layer = Buffer.from(note);
  for (const blob of [CONFIG, layer]) await pushBlob(client, 'library/app', blob);
  const body = manifestOf(CONFIG, layer);
  for (const tag of tags) {
    const headers = { 'content-type': MANIFEST_TYPE };
    const { status } = await client.ask(`/v2/library/app/manifests/${tag}`, { method: 'PUT', body, headers });
    if (status !== 201) throw new Error(`the push of ${tag} got ${status}`);
  }
  return sha256(body);
}

/** Harbor tells of a retention run. */
async function tell(site: LabSite, tags: readonly string[]): Promise<number> {
  const deleted = tags.map((tag) => ({ type: 'image', status: 'SUCCESS', name_tag: `library/app:${tag}` }));
  const body = JSON.stringify({
    type: 'TAG_RETENTION',
    event_data: { retention: { project_name: INNER.slice(0, -1), deleted_artifact: deleted } },
  });
  const headers = { authorization: SECRET, 'content-type': 'application/json' };
  const { status } = await site.edge.http1().ask('/hooks/harbor', { method: 'POST', headers, body });
  return status;
}

t.test('a retention run over a third of the tags is followed, and is no lost content', async (t) => {
  const site = await startLabSite(t, {
    route: { pull: PULL, deletions: 'follow' },
    settings: { hookSecret: SECRET },
    config: { replication: { every: '1h' } },
  });
  const there = () => [...site.fallback.store.repository(`${CLOUD}library/app`).tags.keys()].sort();
  const digests: string[] = [];
  for (const tag of TAGS) digests.push(await push(site, tag, [tag]));
  // The newest image has two tags, and Harbor will name only one.
  const last = await push(site, 'last', ['rc', 'rc-1']);
  const everything = ['1', ...TAGS, 'rc', 'rc-1'].sort();
  await until(() => there().length === everything.length, { what: () => `copies: ${there()}` });

  // The rule deletes old images, and release candidates, which were pushed last.
  for (const digest of [...digests.slice(0, 3), last]) site.primary.store.removeManifest(`${INNER}library/app`, digest);
  t.equal(await tell(site, [...TAGS.slice(0, 3), 'rc']), 202);
  const left = ['1', ...TAGS.slice(3)].sort();
  await until(() => there().length === left.length, { what: () => `deletions: ${there()}` });
  t.strictSame(there(), left);

  const { upstreams, replication } = JSON.parse((await site.edge.admin('/api/status')).body);
  const harbor = upstreams.find(({ name }: { name: string }) => name === 'harbor');
  t.notOk(harbor.lost, 'the newest pushes are gone, but the hook said so');
  t.match(replication.routes, [{ waiting: 0, failing: 0 }]);
  const pulled = await site.edge.http1().ask('/v2/library/app/manifests/rc-1', { headers: { accept: MANIFEST_TYPE } });
  t.equal(pulled.status, 404);
});
