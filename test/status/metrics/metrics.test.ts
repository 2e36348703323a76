import t from 'tap';
import type { AccountView } from '../../../src/failover/view.ts';
import { Metrics } from '../../../src/status/metrics/metrics.ts';
import { SinceStart } from '../../../src/status/since-start.ts';
import { CLIENTS, down, pullRecord, replica, STORES, snapshotOf, upstream } from '../snapshot/views.ts';

/** The samples of a metric, as `{labels} value` lines in order. */
async function samples(metrics: Metrics, name: string): Promise<string[]> {
  const lines = (await metrics.text()).split('\n');
  return lines
    .filter((line) => line.startsWith(`breakwater_${name}{`) || line.startsWith(`breakwater_${name} `))
    .map((line) => line.slice(`breakwater_${name}`.length));
}

function make(snapshot = snapshotOf()) {
  return new Metrics({
    snapshot: () => snapshot,
    certificates: () => [{ file: 'tls.crt', expiresAt: 1_800_000_000_000 }],
    clients: () => CLIENTS,
    droppedLogLines: () => 0,
  });
}

t.test('counts requests, attempts, failovers and bytes', async (t) => {
  const metrics = make();
  metrics.record(pullRecord());
  metrics.record(pullRecord({ bytesIn: 10 }));
  t.same(await samples(metrics, 'requests_total'), [
    '{route="library/",kind="manifest",upstream="gcr",outcome="fallback",code="200"} 2',
  ]);
  t.same(await samples(metrics, 'attempts_total'), [
    '{upstream="harbor",class="control",outcome="failed",reason="first-byte"} 2',
    '{upstream="gcr",class="control",outcome="served",reason="-"} 2',
  ]);
  t.same(await samples(metrics, 'failovers_total'), [
    '{route="library/",from="harbor",to="gcr",reason="first-byte"} 2',
  ]);
  t.same(await samples(metrics, 'bytes_total'), [
    '{direction="in",upstream="gcr"} 10',
    '{direction="out",upstream="gcr"} 2468',
  ]);
  t.same(await samples(metrics, 'request_duration_seconds_count'), ['{kind="manifest",outcome="fallback"} 2']);
  t.same(await samples(metrics, 'request_duration_seconds_sum'), ['{kind="manifest",outcome="fallback"} 6.1']);
  t.same(await samples(metrics, 'first_byte_seconds_sum'), ['{kind="manifest",outcome="fallback"} 6.08']);
});

t.test('counts each read of a reply that has several', async (t) => {
  const metrics = make();
  const [failed, served] = pullRecord().attempts;
  if (!failed || !served) return t.fail('there are two attempts');
  metrics.record(pullRecord({ attempts: [failed, { ...served, reads: 7 }] }));
  t.same(await samples(metrics, 'attempts_total'), [
    '{upstream="harbor",class="control",outcome="failed",reason="first-byte"} 1',
    '{upstream="gcr",class="control",outcome="served",reason="-"} 7',
  ]);
});

t.test('makes no label of what clients ask for', async (t) => {
  const metrics = make();
  const {
    route: _,
    upstream: __,
    ...stray
  } = pullRecord({ kind: 'invalid', outcome: 'invalid', status: 400, attempts: [] });
  for (let index = 0; index < 100; index += 1) {
    metrics.record({
      ...stray,
      repository: `made/up-${index}`,
      reference: `tag-${index}`,
      client: `10.0.0.${index}`,
      id: String(index),
    });
  }
  t.same(await samples(metrics, 'requests_total'), [
    '{route="-",kind="invalid",upstream="-",outcome="invalid",code="400"} 100',
  ]);
  t.notMatch(await metrics.text(), /made\/up|tag-1|10\.0\.0/);
});

t.test('names the route of everything', async (t) => {
  const metrics = make();
  metrics.record(pullRecord({ route: '', upstream: 'harbor', attempts: [] }));
  t.same(await samples(metrics, 'requests_total'), [
    '{route="*",kind="manifest",upstream="harbor",outcome="fallback",code="200"} 1',
  ]);
  t.same(await samples(metrics, 'failovers_total'), [], 'the preferred upstream is no failover');
});

t.test('shows the state at the time of the scrape', async (t) => {
  const one = replica({
    url: 'https://gcr.lan',
    waiting: { control: 0, data: 5 },
    breakers: { control: 'half-open', data: 'open', push: 'closed', passthrough: 'closed' },
  });
  const metrics = make(snapshotOf({ upstreams: [down('harbor'), upstream('gcr', { replicas: [one] })] }));
  t.same(await samples(metrics, 'upstream_up'), [
    '{upstream="harbor",url="https://harbor.lan"} 0',
    '{upstream="gcr",url="https://gcr.lan"} 1',
  ]);
  t.same(await samples(metrics, 'canary_good'), [
    '{upstream="harbor",url="https://harbor.lan"} 0',
    '{upstream="gcr",url="https://gcr.lan"} 1',
  ]);
  t.same((await samples(metrics, 'breaker_state')).slice(4), [
    '{upstream="gcr",url="https://gcr.lan",class="control"} 1',
    '{upstream="gcr",url="https://gcr.lan",class="data"} 2',
    '{upstream="gcr",url="https://gcr.lan",class="push"} 0',
    '{upstream="gcr",url="https://gcr.lan",class="passthrough"} 0',
  ]);
  t.same((await samples(metrics, 'in_flight')).slice(2), [
    '{upstream="gcr",url="https://gcr.lan",class="control"} 1',
    '{upstream="gcr",url="https://gcr.lan",class="data"} 3',
  ]);
  t.same((await samples(metrics, 'waiting')).slice(2), [
    '{upstream="gcr",url="https://gcr.lan",class="control"} 0',
    '{upstream="gcr",url="https://gcr.lan",class="data"} 5',
  ]);
  t.same(await samples(metrics, 'pushes_admitted'), ['{upstream="harbor"} 0']);
  t.same((await samples(metrics, 'probe_duration_seconds'))[0], '{upstream="harbor",url="https://harbor.lan"} 0.012');
  t.same(await samples(metrics, 'certificate_expiry_seconds'), ['{file="tls.crt"} 1800000000']);
  t.same(await samples(metrics, 'ready'), [' 1']);
});

t.test('has no series for what is not known, nor for what a reload took away', async (t) => {
  let snapshot = snapshotOf();
  const metrics = new Metrics({
    snapshot: () => snapshot,
    certificates: () => [],
    clients: () => CLIENTS,
    droppedLogLines: () => 0,
  });
  t.equal((await samples(metrics, 'upstream_up')).length, 2);
  const never = { canary: 'failing', lastProbeAt: undefined, probeMs: undefined } as const;
  const fresh = replica({ url: 'https://gcr.lan', state: 'unknown', ...never });
  snapshot = snapshotOf({ upstreams: [upstream('gcr', { replicas: [fresh] })] });
  for (const name of ['upstream_up', 'canary_good', 'probe_duration_seconds', 'pushes_admitted'])
    t.same(await samples(metrics, name), [], name);
  t.equal((await samples(metrics, 'breaker_state')).length, 4);
});

t.test('keeps instances apart, and adds those of the process', async (t) => {
  const [one, other] = [make(), make()];
  one.record(pullRecord());
  t.same(await samples(other, 'requests_total'), []);
  t.match(await one.text(), /^process_cpu_seconds_total/m);
  t.match(one.contentType, /^text\/plain; version=/);
});

t.test('tells what the listener dealt with', async (t) => {
  const counts = { tlsErrors: 3, shed: 0 };
  const metrics = new Metrics({
    snapshot: () => snapshotOf(),
    certificates: () => [],
    clients: () => ({ load: { connections: 7, exchanges: 2 }, counts }),
    droppedLogLines: () => 0,
  });
  t.same(await samples(metrics, 'client_connections'), [' 7']);
  counts.tlsErrors = 4;
  t.same(await samples(metrics, 'listener_events_total'), ['{event="tlsErrors"} 4', '{event="shed"} 0']);
  t.same(await samples(metrics, 'client_requests'), [' 2']);
});

t.test('counts the attempts of a coalesced request once', async (t) => {
  const metrics = make();
  metrics.record(pullRecord());
  for (let index = 0; index < 3; index += 1) metrics.record(pullRecord({ coalesced: true }));
  t.same(await samples(metrics, 'attempts_total'), [
    '{upstream="harbor",class="control",outcome="failed",reason="first-byte"} 1',
    '{upstream="gcr",class="control",outcome="served",reason="-"} 1',
  ]);
  t.same(await samples(metrics, 'requests_total'), [
    '{route="library/",kind="manifest",upstream="gcr",outcome="fallback",code="200"} 4',
  ]);
  t.same(await samples(metrics, 'manifests_total'), [
    '{source="upstream"} 1',
    '{source="memory"} 0',
    '{source="coalesced"} 3',
  ]);
});

t.test('counts as reads of manifests only those that were answered', async (t) => {
  const metrics = make();
  metrics.record(pullRecord({ method: 'PUT', outcome: 'served' }));
  metrics.record(pullRecord({ outcome: 'failed', status: 503 }));
  metrics.record(pullRecord({ kind: 'blob' }));
  metrics.record(pullRecord({ method: 'HEAD', outcome: 'served', memory: true }));
  t.same(await samples(metrics, 'manifests_total'), [
    '{source="upstream"} 0',
    '{source="memory"} 1',
    '{source="coalesced"} 0',
  ]);
});

t.test('counts hedges, splices, digests and tags', async (t) => {
  const sinceStart = new SinceStart();
  const metrics = new Metrics({
    snapshot: () => snapshotOf({ sinceStart }),
    certificates: () => [],
    clients: () => CLIENTS,
    droppedLogLines: () => 0,
  });
  const none = ['{result="started"} 0', '{result="won"} 0', '{result="refused"} 0'];
  t.same(await samples(metrics, 'hedges_total'), none, 'there before the first one, so that rates can be taken');
  const splice = { from: 'harbor', to: 'gcr', reason: 'stall', at: 9, ms: 30 } as const;
  sinceStart.record(pullRecord({ hedges: { started: 2, won: 1, refused: 3 } }));
  metrics.record(
    pullRecord({
      kind: 'blob',
      splices: [splice, { from: 'gcr', reason: 'reset', at: 99, ms: 9000 }],
      verified: 'wrong',
    }),
  );
  metrics.record(pullRecord({ kind: 'blob', verified: 'right' }));
  metrics.record(pullRecord({ tag: { verdict: 'stale', action: 'warned', text: 'it is older' } }));
  t.same(await samples(metrics, 'hedges_total'), ['{result="started"} 2', '{result="won"} 1', '{result="refused"} 3']);
  t.same(await samples(metrics, 'splices_total'), [
    '{from="harbor",to="gcr",reason="stall"} 1',
    '{from="gcr",to="-",reason="reset"} 1',
  ]);
  t.same(
    await samples(metrics, 'splice_seconds_sum'),
    [' 0.03'],
    'nothing is known of how long one in vain would take',
  );
  t.same(await samples(metrics, 'verifications_total'), [
    '{upstream="-",result="wrong"} 1',
    '{upstream="gcr",result="right"} 1',
  ]);
  t.same(await samples(metrics, 'tags_total'), [
    '{verdict="stale",action="warned"} 1',
    '{verdict="stale",action="refused"} 0',
    '{verdict="unknown",action="warned"} 0',
  ]);
});

t.test('tells what is kept in memory', async (t) => {
  let stores = STORES;
  const metrics = new Metrics({
    snapshot: () => snapshotOf({ stores }),
    certificates: () => [],
    clients: () => CLIENTS,
    droppedLogLines: () => 0,
  });
  t.same(await samples(metrics, 'ledger_tags'), [' 1234']);
  stores = { ...STORES, ledger: { tags: 7, evicted: 6 } };
  t.same(await samples(metrics, 'ledger_tags'), [' 7']);
  t.same(await samples(metrics, 'ledger_evicted_total'), [' 6'], 'not the sum of scrapes');
  t.same(await samples(metrics, 'manifest_memory_bytes'), [' 1200000']);
  t.same(await samples(metrics, 'buffers_bytes'), ['{state="in_use"} 524288', '{state="kept"} 262144']);
  t.same(await samples(metrics, 'hash_jobs'), [' 2']);
});

t.test('tells whether the edge’s own credentials are taken, where it shows any', async (t) => {
  const refusal = { since: 0, reason: 'it answers 403', total: false };
  const upstreams = [
    upstream('harbor'),
    upstream('gcr', { credentials: { own: true, refusal: undefined, acceptedAt: 1 } }),
    upstream('hub', { credentials: { own: true, refusal } }),
    upstream('quay', { credentials: { own: false, refusal } }),
  ];
  const ends = Date.UTC(2027, 0, 1);
  const accounts: AccountView[] = [
    { role: 'probe', username: 'robot$probe', refusal, expires: undefined },
    { role: 'replication', username: 'robot$copy', refusal: undefined, expires: ends },
  ];
  const harbor = upstream('harbor', { credentials: { own: false, refusal: undefined, accounts } });
  const metrics = make(snapshotOf({ upstreams: [harbor] }));
  t.same(await samples(metrics, 'credentials_good'), [
    '{upstream="harbor",account="probe"} 0',
    '{upstream="harbor",account="replication"} 1',
  ]);
  const unknown = { since: 0, reason: 'no answer' };
  const unchecked = accounts.map((account) => ({ ...account, refusal: undefined, unknown }));
  const silent = upstream('harbor', { credentials: { own: false, refusal: undefined, accounts: unchecked } });
  t.same(await samples(make(snapshotOf({ upstreams: [silent] })), 'credentials_good'), [], 'no check has told yet');
  t.match(await samples(metrics, 'credentials_expiry_seconds'), [
    /^\{upstream="harbor",account="replication"\} 17987\d+/,
  ]);
  t.same(await samples(make(snapshotOf({ upstreams })), 'credentials_good'), [
    '{upstream="gcr",account="own"} 1',
    '{upstream="hub",account="own"} 0',
    '{upstream="quay",account="own"} 0',
  ]);
});

t.test('counts corrupt copies, and shows the p95 of first bytes', async (t) => {
  const fresh = replica({ url: 'https://gcr.lan', firstByteP95: { control: undefined, data: 40 } });
  const corruptCopies = ['a', 'b'].map((digest) => ({ upstream: 'harbor', digest, since: 0 }));
  const metrics = make(
    snapshotOf({ upstreams: [upstream('harbor'), upstream('gcr', { replicas: [fresh] })], corruptCopies }),
  );
  t.same(await samples(metrics, 'corrupt_copies'), ['{upstream="harbor"} 2', '{upstream="gcr"} 0']);
  t.same(await samples(metrics, 'first_byte_p95_seconds'), [
    '{upstream="harbor",url="https://harbor.lan",class="data"} 0.031',
    '{upstream="harbor",url="https://harbor.lan",class="control"} 0.008',
    '{upstream="gcr",url="https://gcr.lan",class="data"} 0.04',
  ]);
});

t.test('is one exposition: each metric once, each with its type, and nothing else', async (t) => {
  const metrics = make();
  metrics.record(pullRecord());
  const lines = (await metrics.text()).split('\n').filter((line) => line !== '');
  const names = lines.flatMap((line) => /^# TYPE (\S+) /.exec(line)?.[1] ?? []);
  t.equal(new Set(names).size, names.length);
  for (const line of lines.filter((one) => !one.startsWith('#'))) {
    const [, name = ''] = /^([a-z0-9_]+)(?:\{[^\n]*\})? \S+$/.exec(line) ?? [];
    const known = names.includes(name) || names.includes(name.replace(/_(bucket|sum|count)$/, ''));
    if (!known) t.fail(`"${line}" has no type`);
  }
  t.match(await samples(metrics, 'request_duration_seconds_bucket'), [
    '{le="0.005",kind="manifest",outcome="fallback"} 0',
  ]);
});
