import t, { type Test } from 'tap';
import type { FaultInput, FaultName } from '../../src/lab/fault.ts';
import { madeUp } from '../../src/lab/seed.ts';
import { RARE_PROBE } from '../helpers/edge-in-process.ts';
import type { Client, Reply } from '../helpers/http1-client.ts';
import { codeOf, type LabSite, pushBlob, sha256, startLabSite } from '../helpers/lab-site.ts';
import { until } from '../helpers/until.ts';

// One client hurts no other (rule 8): whatever one client, one repository or one reference makes an upstream answer,
// everybody else is served as before. No probe repairs anything meanwhile.

const REPOSITORIES = ['noisy/1', 'noisy/2', 'noisy/3', 'noisy/4'];
const as = (client: string) => ({ 'x-forwarded-for': client });
const NOISY = as('10.0.0.66');
const DIGEST = sha256('none');

interface Noise {
  says: string;
  fault: [FaultName, FaultInput];
  /** Whether the fallback fails, too. */
  both?: boolean;
  method?: string;
  path: (repository: string) => string;
  body?: string;
  headers?: Record<string, string>;
  /** Adds to both upstreams. */
  all?: Record<string, unknown>;
}

/** No blob of the noisy repositories is anywhere else: a corrupt copy concerns every repository that has the blob. */
const NOISY_BLOB = 310_000;
const blobOf = (repository: string) => `/v2/${repository}/blobs/${sha256(madeUp(NOISY_BLOB, 0))}`;
const manifestOf = (repository: string) => `/v2/${repository}/manifests/1`;
const NOISY_PATH = /noisy/;

const NOISES: Noise[] = [
  {
    says: 'a push of a manifest that is always 500',
    fault: ['errors', { path: NOISY_PATH, kind: 'manifest' }],
    method: 'PUT',
    body: '{}',
    path: manifestOf,
  },
  {
    says: 'a manifest by the digest of a config that is always 500, on both',
    fault: ['errors', { path: NOISY_PATH, kind: 'manifest' }],
    both: true,
    path: (repository) => `/v2/${repository}/manifests/${DIGEST}`,
  },
  {
    says: 'a blob that is always reset in the middle',
    fault: ['cut', { path: NOISY_PATH, bytes: 50_000 }],
    path: blobOf,
  },
  {
    says: 'a blob that is always reset in the middle, on both',
    fault: ['cut', { path: NOISY_PATH, bytes: 50_000 }],
    both: true,
    path: blobOf,
  },
  {
    says: 'a blob that is always stalled to its first byte',
    fault: ['delay', { path: NOISY_PATH, ms: 3000 }],
    path: blobOf,
    all: { deadlines: { blob: '300ms' }, hedge: { floor: '100ms', share: 100 } },
  },
  {
    says: 'a tag list that misses its deadline on both',
    fault: ['delay', { path: NOISY_PATH, ms: 3000 }],
    both: true,
    path: (repository) => `/v2/${repository}/tags/list`,
    all: { deadlines: { manifest: '250ms', last: '250ms' }, hedge: { share: 0 } },
  },
  {
    says: 'a tag list that is always 500',
    fault: ['errors', { path: NOISY_PATH, kind: 'tags' }],
    path: (repository) => `/v2/${repository}/tags/list`,
  },
  {
    says: 'the start of an upload that is always 500',
    fault: ['errors', { path: NOISY_PATH, kind: 'upload' }],
    method: 'POST',
    path: (repository) => `/v2/${repository}/blobs/uploads/`,
  },
  {
    says: 'a deletion that is always 500',
    fault: ['errors', { path: NOISY_PATH, kind: 'manifest' }],
    method: 'DELETE',
    path: manifestOf,
  },
  {
    says: 'a blob with a wrong digest',
    fault: ['corrupt', { path: NOISY_PATH, bytes: 5 }],
    path: blobOf,
  },
  {
    says: 'a rate limit of its own',
    fault: ['rateLimited', { path: NOISY_PATH, retryAfter: 600 }],
    path: manifestOf,
  },
  {
    says: 'a 503 with Retry-After of its own',
    fault: ['errors', { path: NOISY_PATH, status: 503, retryAfter: 600 }],
    path: blobOf,
  },
  {
    says: 'a rate limit of its pushes',
    fault: ['rateLimited', { path: NOISY_PATH, retryAfter: 600 }],
    method: 'POST',
    path: (repository) => `/v2/${repository}/blobs/uploads/`,
  },
  {
    says: 'a repository that the credentials of the edge do not open',
    fault: ['emptyChallenge401', { path: NOISY_PATH }],
    path: manifestOf,
  },
  {
    says: 'a page outside of the registry API that is always 500',
    fault: ['errors', { kind: ['api', 'ui', 'invalid'], path: NOISY_PATH }],
    path: (repository) => `/api/v2.0/projects/${repository}`,
  },
];

for (const noise of NOISES) t.test(noise.says, (t) => checkNoise(t, noise));

async function checkNoise(t: Test, noise: Noise): Promise<void> {
  const site = await startQuietSite(t, { passthrough: 'harbor' }, noise.all);
  await site.primary.faults.on(...noise.fault);
  if (noise.both) await site.fallback.faults.on(...noise.fault);
  const { method = 'GET', body } = noise;
  const clients = [site.edge.http1(), site.edge.http2()];
  for (const client of clients) {
    const ask = (repository: string) =>
      client
        .ask(noise.path(repository), { method, headers: { ...NOISY, ...noise.headers }, ...(body ? { body } : {}) })
        .catch(() => undefined);
    for (let round = 0; round < 2; round += 1) for (const repository of REPOSITORIES) await ask(repository);
    await Promise.all(REPOSITORIES.map(ask));
  }
  for (const client of clients) await checkNeighbour(t, site, client);
  const [harbor, gcr] = site.edge.app.status().upstreams;
  for (const upstream of [harbor, gcr]) {
    const breakers = { control: 'closed', data: 'closed', push: 'closed', passthrough: 'closed' };
    t.match(upstream?.urls, [{ breakers, suspected: false, restingUntil: null }]);
  }
  t.match(harbor, { state: 'up', pushes: { admitted: true } });
}

/** Everything that another client does at a site: it is served by the primary, and may push. */
async function checkNeighbour(t: Test, site: LabSite, client: Client): Promise<void> {
  const headers = as('10.0.0.1');
  const reads: [path: string, method: string][] = [
    ['/v2/library/app/manifests/1', 'GET'],
    [`/v2/library/app/manifests/${site.image.digest}`, 'GET'],
    [`/v2/library/app/blobs/${site.blob()}`, 'GET'],
    [`/v2/library/app/blobs/${site.blob()}`, 'HEAD'],
    ['/v2/library/app/tags/list', 'GET'],
  ];
  for (const [path, method] of reads) {
    const reply = await client.ask(path, { method, headers });
    const says = `${client.version} ${method} ${path.slice(0, 30)}`;
    t.match(reply, { status: 200, complete: true, headers: { 'x-breakwater-upstream': 'harbor' } }, says);
    t.notHas(reply.headers, { warning: '' }, says);
  }
  const pushed = await pushBlob(client, 'team/new', madeUp(100, 0));
  t.equal(pushed.status, 201, `${client.version} a push`);
}

/** A site of which only the canary says more than its requests. */
async function startQuietSite(t: Test, config: object = {}, all: object = {}): Promise<LabSite> {
  const options = {
    config: { trustedProxies: ['127.0.0.0/8'], ...config },
    harbor: { probe: RARE_PROBE, ...all },
    gcr: { probe: RARE_PROBE, ...all },
  };
  const site = await startLabSite(t, options);
  for (const repository of REPOSITORIES) {
    site.primary.seed(`inner/${repository}`, '1', { blobs: [NOISY_BLOB, 1100] });
    site.fallback.seed(`cloud-project/${repository}`, '1', { blobs: [NOISY_BLOB, 1100] });
  }
  return site;
}

/** Silence alone may be slowness. The probes decide (rule 11). */
const BRISK_PROBE = { ...RARE_PROBE, interval: '100ms', fastInterval: '100ms', timeout: '500ms' };

t.test('a real outage is seen at the first failure, also where there is one repository and one client', async (t) => {
  for (const fault of ['errors', 'down', 'storageGone', 'storageHung'] as const) {
    const probe = fault === 'storageHung' ? BRISK_PROBE : { ...RARE_PROBE, timeout: '500ms' };
    const site = await startQuietSite(t, {}, { probe, hedge: { floor: '40ms' } });
    await site.primary.faults.on(fault);
    const client = site.edge.http1();
    t.match(await client.ask('/v2/library/app/manifests/1'), { headers: { 'x-breakwater-upstream': 'gcr' } }, fault);
    await site.edge.pushes('harbor', false);
    const harbor = () => site.edge.app.status().upstreams[0]?.urls[0];
    t.match(harbor(), { suspected: true, canary: 'failing' });
    for (let count = 0; count < 6; count += 1)
      await client.ask(`/v2/library/app/blobs/${site.blob()}`, { headers: { range: 'bytes=0-9' } });
  }
});

t.test('failures of several clients in several repositories count, though the canary is good', async (t) => {
  const site = await startQuietSite(t);
  await site.primary.faults.on('errors', { path: NOISY_PATH, kind: 'manifest' });
  const client = site.edge.http1();
  const suspected: unknown[] = [];
  for (const [index, repository] of REPOSITORIES.entries()) {
    await client.ask(`/v2/${repository}/manifests/1`, { headers: as(`10.0.0.${index}`) });
    suspected.push(site.edge.app.status().upstreams[0]?.urls[0]?.suspected);
  }
  t.strictSame(suspected, [false, false, true, true]);
  t.match(await client.ask('/v2/library/app/manifests/1'), { headers: { 'x-breakwater-upstream': 'gcr' } });
});

t.test('without a canary, blobs served before stand in for it', async (t) => {
  const options = {
    canary: false,
    config: { trustedProxies: ['127.0.0.0/8'] },
    harbor: { probe: BRISK_PROBE, hedge: { floor: '40ms' } },
  };
  const site = await startLabSite(t, options);
  const client = site.edge.http1();
  for (const digest of site.image.blobDigests) await client.ask(`/v2/library/app/blobs/${digest}`);
  await site.primary.faults.on('storageHung');
  t.match(await client.ask(`/v2/library/app/blobs/${site.blob()}`), { headers: { 'x-breakwater-upstream': 'gcr' } });
  const harbor = () => site.edge.app.status().upstreams[0]?.urls[0];
  await until(() => harbor()?.state === 'down', {
    what: () => `the stand-ins to fail: ${JSON.stringify(harbor())}`,
  });
  t.match(harbor(), { suspected: true });
});

t.test('a client that deletes what it has pulled does not make the storage look lost', async (t) => {
  const site = await startLabSite(t, {
    canary: false,
    config: { trustedProxies: ['127.0.0.0/8'] },
    harbor: { probe: RARE_PROBE },
  });
  const client = site.edge.http1();
  const noisy = ['noisy/1', 'noisy/2', 'noisy/3'].map(
    (name) => [name, site.primary.seed(`inner/${name}`, '1', { blobs: [10, 20] })] as const,
  );
  await client.ask(`/v2/library/app/blobs/${site.blob()}`, { headers: as('10.0.0.1') });
  for (const [name, { blobDigests }] of noisy)
    for (const digest of blobDigests) await client.ask(`/v2/${name}/blobs/${digest}`, { headers: NOISY });
  await site.primary.faults.on('errors', { path: NOISY_PATH, kind: 'blob', status: 404 });
  for (const [name, { blobDigests }] of noisy)
    for (const digest of blobDigests) await client.ask(`/v2/${name}/blobs/${digest}`, { headers: NOISY });
  t.match(site.edge.app.status().upstreams[0], { pushes: { admitted: true }, urls: [{ suspected: false }] });
});

t.test('a rate limit that several meet silences the upstream for all', async (t) => {
  const site = await startQuietSite(t);
  await site.primary.faults.on('rateLimited', { path: NOISY_PATH, retryAfter: 600 });
  const client = site.edge.http1();
  for (const [index, repository] of REPOSITORIES.entries())
    await client.ask(`/v2/${repository}/manifests/1`, { headers: as(`10.0.0.${index}`) });
  t.match(await client.ask('/v2/library/app/manifests/1', { headers: as('10.0.0.9') }), {
    status: 200,
    headers: { 'x-breakwater-upstream': 'gcr', warning: /rate-limited/ },
  });
  t.match(site.edge.app.status().upstreams[0], { state: 'up', pushes: { admitted: true } }, 'it is not down');
});

t.test('an upstream that rate-limits the canary is not down', async (t) => {
  const site = await startLabSite(t, { harbor: { probe: { fall: 1 } } });
  await site.primary.faults.on('rateLimited', { retryAfter: 1 });
  const before = site.primary.requests.length;
  await until(() => site.primary.requests.length > before + 8, { what: () => 'some probes' });
  t.match(site.edge.app.status().upstreams[0], { state: 'up', pushes: { admitted: true } });
  t.match(await site.edge.http1().ask('/v2/library/app/manifests/1'), { headers: { 'x-breakwater-upstream': 'gcr' } });
  await site.fallback.faults.on('rateLimited', { retryAfter: 1 });
  const reply = await site.edge.http1().ask('/v2/library/app/manifests/1');
  t.match(reply, { status: 429, headers: { 'retry-after': /^\d+$/ } }, 'a client that no upstream serves hears of it');
  t.equal(codeOf(reply), 'TOOMANYREQUESTS');
});

const ANSWERS: [says: string, body: string | undefined, error: { code: string; message: RegExp }][] = [
  [
    'code and message, and no detail',
    '{"errors":[{"code":"MANIFEST_INVALID","message":"bad\\u0007 thing in inner/noisy/1","detail":"/var/lib/registry/x"}]}',
    { code: 'MANIFEST_INVALID', message: /^bad thing in noisy\/1$/ },
  ],
  [
    'a body that is no error',
    '<html>/var/lib</html>',
    { code: 'UNKNOWN', message: /^harbor failed with status 5\d\d; push again$/ },
  ],
  ['an odd code', '{"errors":[{"code":"<b>","message":"x"}]}', { code: 'UNKNOWN', message: /^harbor failed/ }],
  [
    'an endless message',
    `{"errors":[{"code":"UNKNOWN","message":"${'x'.repeat(5000)}"}]}`,
    { code: 'UNKNOWN', message: /^x{512}$/ },
  ],
  ['no body', '', { code: 'UNKNOWN', message: /^harbor failed/ }],
];

t.test('a push that fails for a reason of its own gets the status, code and message of the upstream', async (t) => {
  const site = await startQuietSite(t);
  const requests: [method: string, path: string, body?: string][] = [
    ['PUT', '/v2/noisy/1/manifests/1', '{}'],
    ['POST', '/v2/noisy/1/blobs/uploads/'],
    ['DELETE', '/v2/noisy/1/manifests/1'],
  ];
  for (const [says, body, error] of ANSWERS) {
    for (const status of [500, 502, 507]) {
      await site.primary.faults.on('errors', { path: NOISY_PATH, status, ...(body === undefined ? {} : { body }) });
      for (const client of [site.edge.http1(), site.edge.http2()]) {
        for (const [method, path, sent] of requests) {
          const reply = await client.ask(path, { method, ...(sent ? { body: sent } : {}) });
          const what = `${says}: ${status} ${client.version} ${method}`;
          t.match(reply, { status, complete: true, headers: { 'content-type': 'application/json' } }, what);
          t.match(errorOf(reply), error, what);
          t.notHas(errorOf(reply), { detail: '' });
          t.notMatch(reply.body.toString(), /var\/lib/);
          t.equal(site.leak(reply), undefined);
        }
      }
    }
  }
});

function errorOf({ body }: Reply): { code: string; message: string } {
  return JSON.parse(body.toString()).errors[0];
}
