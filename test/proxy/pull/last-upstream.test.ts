import t from 'tap';
import {
  CLOUD,
  clientRequests,
  INNER,
  type LabSite,
  type LabSiteOptions,
  startLabSite,
} from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

/** Longer than the deadlines of an attempt, and shorter than `deadlines.last`. */
const SLOW_MS = timeLimit(700);
const QUICK = { deadlines: { manifest: '300ms', blob: '300ms', last: '8s' } };
const NO_HEDGE = { ...QUICK, hedge: { share: 0 } };
const ONLY_HARBOR = [{ upstream: 'harbor', prefix: INNER }];

/** A site with an image that only one upstream has, at which its repository is slow. The canary is not. */
async function slowSite(owner: Owner, options: LabSiteOptions, at: 'primary' | 'fallback' = 'primary') {
  const site = await startLabSite(owner, { harbor: QUICK, gcr: QUICK, ...options });
  const image = site[at].seed(`${at === 'primary' ? INNER : CLOUD}team/only`, '1', { blobs: [1000] });
  await site[at].faults.on('delay', { ms: SLOW_MS, path: 'team/only' });
  const get = (path: string) => site.edge.http1().ask(`/v2/team/only/${path}`);
  return { site, image, get };
}

type Row = [what: string, options: LabSiteOptions, prepare?: (site: LabSite) => Promise<unknown>];

const ROWS: Row[] = [
  ['a read-only route with one upstream', { route: { push: undefined, pull: ONLY_HARBOR } }],
  [
    'one upstream, which takes no pushes',
    { route: { pull: ONLY_HARBOR }, harbor: { ...QUICK, probe: { kind: 'harbor' } }, primary: { harbor: true } },
    async (site) => {
      await site.primary.faults.on('readOnly');
      await site.edge.pushes('harbor', false);
    },
  ],
  ['the other one does not have it, as a hedge showed', {}],
  ['the other one does not have it, and was asked after the deadline', { harbor: NO_HEDGE }],
  ['a read-only route, and the other one does not have it', { harbor: NO_HEDGE, route: { push: undefined } }],
  [
    'the other one is down',
    { harbor: NO_HEDGE },
    async (site) => {
      await site.fallback.faults.on('down');
      await site.edge.upstream('gcr', 'down');
    },
  ],
  ['the other one fails', { harbor: NO_HEDGE }, (site) => site.fallback.faults.on('errors', { path: 'team/only' })],
];

// Together, because most of the time is spent waiting.
t.test('a slow upstream that is the last one is waited for', (t) =>
  Promise.all(
    ROWS.map(async ([what, options, prepare]) => {
      const { site, image, get } = await slowSite(t, options);
      await prepare?.(site);
      const [tag, blob] = await Promise.all([get('manifests/1'), get(`blobs/${image.blobDigests[0]}`)]);
      for (const reply of [tag, blob])
        t.match({ status: reply.status, body: reply.status === 200 ? '' : `${reply.body}` }, { status: 200 }, what);
      t.match(tag.headers, { 'x-breakwater-upstream': 'harbor' }, what);
      const asked = clientRequests(site.primary).filter(({ url }) => url.includes('team/only'));
      t.equal(asked.length, 2, `each request is sent once: ${what}`);
    }),
  ),
);

t.test('while the primary is down, a slow fallback is waited for', async (t) => {
  const { site, get } = await slowSite(t, {}, 'fallback');
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  t.match(await get('manifests/1'), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
});

t.test('an upstream that is slow gives way to another one that has it, at its deadline', async (t) => {
  const { site, get } = await slowSite(t, { harbor: NO_HEDGE });
  await site.primary.faults.on('delay', { ms: timeLimit(6000), path: 'team/only' });
  site.fallback.seed(`${CLOUD}team/only`, '1', { blobs: [1000] });
  const reply = await get('manifests/1');
  t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.ok(reply.headersAfter < timeLimit(4000), `after ${Math.round(reply.headersAfter)} ms`);
  const { attempts } = await site.edge.line(({ kind }) => kind === 'manifest');
  t.match(
    attempts.find(({ upstream }) => upstream === 'harbor'),
    { outcome: 'failed', reason: 'first-byte' },
  );
});

t.test('an upstream whose canary fails too is not waited for', async (t) => {
  const { site, get } = await slowSite(t, { harbor: NO_HEDGE });
  await site.primary.faults.on('frozen');
  const reply = await get('manifests/1');
  t.match(reply, { status: 503, headers: { 'retry-after': /\d/ } });
  t.ok(reply.headersAfter < timeLimit(10_000), `after ${Math.round(reply.headersAfter)} ms`);
});
