import t from 'tap';
import type { Snapshot } from '../../src/status/snapshot/snapshot.ts';
import { RARE_PROBE } from '../helpers/edge-in-process.ts';
import { CLOUD, INNER, type LabSite, startLabSite } from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';

// What the edge does about slow, broken and wrong upstreams, as an operator sees it from outside.

const site = (t: Owner, options: Parameters<typeof startLabSite>[1] = {}) =>
  startLabSite(t, { canary: false, ...options, harbor: { probe: RARE_PROBE, ...options.harbor } });

async function status({ edge }: LabSite): Promise<Snapshot> {
  return JSON.parse((await edge.admin('/api/status')).body);
}

/** Waits for the sample, since a request is counted after its client has all of it. */
async function sample({ edge }: LabSite, line: string): Promise<unknown> {
  const escaped = line.replace(/[{}.*+?()|[\]\\]/g, '\\$&');
  return until(async () => new RegExp(`^breakwater_${escaped}$`, 'm').test((await edge.admin('/metrics')).body), {
    what: () => `the sample ${line}`,
  });
}

async function explain({ edge }: LabSite, image: string): Promise<unknown> {
  return JSON.parse((await edge.admin(`/api/explain?image=${image}`)).body);
}

t.test('a copy of a blob with wrong bytes', async (t) => {
  const made = await site(t);
  const client = made.edge.http1();
  const [good, bad] = [made.blob(1), made.blob(0)];
  await client.ask(`/v2/library/app/blobs/${good}`);
  await sample(made, 'verifications_total{upstream="harbor",result="right"} 1');
  await sample(made, 'corrupt_copies{upstream="harbor"} 0');
  await made.primary.faults.on('corrupt', { path: bad });
  await client.ask(`/v2/library/app/blobs/${bad}`).catch((error: unknown) => t.ok(error, 'the client got a part'));
  await sample(made, 'verifications_total{upstream="harbor",result="wrong"} 1');
  await sample(made, 'corrupt_copies{upstream="harbor"} 1');
  await sample(made, 'corrupt_copies{upstream="gcr"} 0');
  const { headline, sinceStart, upstreams } = await status(made);
  t.match(upstreams, [{ name: 'harbor', corrupt: { count: 1, copies: [{ digest: bad }] } }, { corrupt: { count: 0 } }]);
  t.match(headline, { level: 'degraded', text: /harbor has a corrupt blob\./ });
  t.same(sinceStart.verified, { right: 1, wrong: 1, unknown: 0 });
  t.match(await explain(made, `library/app@${bad}`), { corrupt: ['harbor'] });
  t.notOk(Object.hasOwn((await explain(made, `library/app@${good}`)) as object, 'corrupt'));
});

t.test('a body that goes on from the next upstream', async (t) => {
  const made = await site(t);
  await made.primary.faults.on('cut', { bytes: 200_000 });
  t.match(await made.edge.http1().ask(`/v2/library/app/blobs/${made.blob()}`), { status: 200, complete: true });
  await sample(made, 'splices_total{from="harbor",to="gcr",reason="reset"} 1');
  await sample(made, 'splice_seconds_count 1');
  await sample(made, 'verifications_total{upstream="-",result="right"} 1');
  t.same((await status(made)).sinceStart.splices, { done: 1, failed: 0 });
  await made.fallback.faults.on('down');
  // Less than the overlap goes on each time, until it is asked no more.
  await made.primary.faults.on('cut', { bytes: 66_000 });
  await made.edge
    .http1()
    .ask(`/v2/library/app/blobs/${made.blob()}`)
    .catch(() => undefined);
  await sample(made, 'splices_total{from="harbor",to="-",reason="reset"} 1');
  t.equal((await status(made)).sinceStart.splices.failed, 1);
});

t.test('an answer that is late', async (t) => {
  const made = await site(t, { harbor: { hedge: { floor: '20ms', share: 10 } } });
  await made.primary.faults.on('delay', { ms: timeLimit(2000), kind: 'blob' });
  const client = made.edge.http1();
  t.match(await client.ask(`/v2/library/app/blobs/${made.blob()}`), { headers: { 'x-breakwater-upstream': 'gcr' } });
  await sample(made, 'hedges_total{result="started"} 1');
  await sample(made, 'hedges_total{result="won"} 1');
  await sample(made, 'hedges_total{result="refused"} 0');
  t.match(await status(made), {
    sinceStart: { hedges: { started: 1, won: 1, refused: 0 } },
    upstreams: [{ name: 'harbor', outrun: 1 }, { outrun: 0 }],
  });
});

t.test('what first bytes usually take', async (t) => {
  const made = await site(t);
  const client = made.edge.http1();
  t.match(await status(made), { upstreams: [{ urls: [{ firstByteP95Ms: { data: null, control: null } }] }, {}] });
  for (let index = 0; index < 8; index += 1) await client.ask(`/v2/library/app/blobs/${made.blob(1)}`);
  const [harbor] = (await status(made)).upstreams;
  t.type(harbor?.urls[0]?.firstByteP95Ms.data, 'number');
  t.match((await made.edge.admin('/metrics')).body, /^breakwater_first_byte_p95_seconds\{.*class="data"\} 0\.\d+$/m);
});

t.test('a tag that may be old', async (t) => {
  const made = await site(t);
  const { digest } = made.primary.seed(`${INNER}library/app`, 'v1', { blobs: [10], annotations: { is: 'older' } });
  made.fallback.seed(`${CLOUD}library/app`, 'v1', { blobs: [10], annotations: { is: 'older' } });
  const client = made.edge.http1();
  const read = () => client.ask('/v2/library/app/manifests/v1');
  t.match(await read(), { status: 200, headers: { 'docker-content-digest': digest } });
  t.match(await explain(made, 'library/app:v1'), {
    ledger: { upstream: 'harbor', digest, since: /Z$/, confirmedAt: /Z$/ },
  });
  await sample(made, 'ledger_tags 1');
  const newer = made.primary.seed(`${INNER}library/app`, 'v1', { blobs: [10], annotations: { is: 'newer' } });
  t.match(await read(), { headers: { 'docker-content-digest': newer.digest } });
  await made.primary.faults.on('down');
  t.match(await read(), { status: 200, headers: { 'docker-content-digest': digest, 'x-breakwater-upstream': 'gcr' } });
  await sample(made, 'tags_total{verdict="stale",action="warned"} 1');
  const { headline, tagWarnings, sinceStart, stores } = await status(made);
  t.match(tagWarnings, [{ repository: 'library/app', tag: 'v1', upstream: 'gcr', text: /older/, count: 1 }]);
  t.match(headline.lines.at(-1), 'Clients got tags that may be out of date in the last 10 minutes: library/app:v1.');
  t.equal(sinceStart.tags.warned, 1);
  t.equal(stores.ledger.tags, 1);
});

t.test('manifests that no upstream was asked for', async (t) => {
  const made = await site(t, { harbor: { hedge: { share: 0 } } });
  await made.primary.faults.on('delay', { ms: timeLimit(300), kind: 'manifest' });
  const path = `/v2/library/app/manifests/${made.image.digest}`;
  const clients = Array.from({ length: 5 }, () => made.edge.http1());
  // Connected before, so that all five ask while the first answer is awaited.
  await Promise.all(clients.map((client) => client.ask('/v2/')));
  for (const reply of await Promise.all(clients.map((client) => client.ask(path)))) t.equal(reply.status, 200);
  await sample(made, 'manifests_total{source="upstream"} 1');
  await sample(made, 'manifests_total{source="coalesced"} 4');
  await sample(made, 'attempts_total{upstream="harbor",class="control",outcome="served",reason="-"} 1');
  await made.edge.http1().ask(path);
  await sample(made, 'manifests_total{source="memory"} 1');
  const { stores } = await status(made);
  t.equal(stores.manifests.kept, 1);
  await sample(made, `manifest_memory_bytes ${stores.manifests.bytes}`);
});
