import { createHash } from 'node:crypto';
import { type Registry, startRegistry } from '../../test/helpers/registry.ts';
import { interleave } from '../interleave.ts';
import { ConcurrentClients, type ConcurrentResult } from '../load/concurrent-clients.ts';
import type { Options } from '../options.ts';
import { type Contender, EDGE, NGINX } from '../proxies/contender.ts';
import { startRelayContenders } from '../proxies/relay-contenders.ts';
import { median } from '../report/median.ts';
import { figure, type Section } from '../report/section.ts';
import { atMost, type Target } from '../report/target.ts';
import type { Scope } from '../scope.ts';
import { MANIFEST_TYPE } from '../upstreams/static-registry.ts';

interface Measured extends ConcurrentResult {
  /** Requests for the manifest that the upstream answered. */
  upstream: number;
}

interface Row {
  by: string;
  name: string;
  rounds: Measured[];
}

const CLIENTS = 1000;
const QUICK_CLIENTS = 200;
const REPOSITORY = 'bench/coalescing';

/** Many clients ask for the same new manifest at the same moment. */
export async function benchCoalescing(scope: Scope, options: Options): Promise<Section> {
  const registry = await startRegistry(scope);
  const contenders = await startRelayContenders(scope, { url: registry.url }, options.proxies);
  const clients = options.short ? QUICK_CLIENTS : CLIENTS;
  const rows: Row[] = [];
  for (const by of options.selection.itemsOf('coalescing')) {
    const measured = await interleave(contenders, options, (contender) =>
      scope.within((inner) => measure(inner, contender, registry, by, clients)),
    );
    rows.push(...contenders.map(({ name }, index) => ({ by, name, rounds: measured[index] ?? [] })));
  }
  const failures = rows.flatMap(({ name, by, rounds }) =>
    rounds.filter(({ failed }) => failed > 0 && name === EDGE).map((round) => ({ by, ...round })),
  );
  return {
    title: 'Request coalescing',
    about: `${clients} clients, already connected, ask a docker-registry at the same moment for one manifest that was not requested before. The number of requests that reached the registry is the highest of all rounds.`,
    columns: ['proxy', 'asked by', 'clients', 'failed', 'requests upstream', 'all answered after ms'],
    rows: rows.map(({ name, by, rounds }) => [
      name,
      by,
      String(clients),
      String(Math.max(...rounds.map(({ failed }) => failed))),
      String(worst(rounds)),
      figure(median(rounds.map(({ took }) => took)), 0),
    ]),
    targets: rows.filter(({ name }) => name === EDGE).flatMap((row) => targetOf(row, rows, clients)),
    data: rows,
    problems: failures.map(
      ({ by, failed, firstFailure }) => `${EDGE}, by ${by}: ${failed} failed, first: ${firstFailure}`,
    ),
  };
}

async function measure(
  scope: Scope,
  { url }: Contender,
  registry: Registry,
  by: string,
  clients: number,
): Promise<Measured> {
  const { tag, digest } = await pushManifest(registry);
  const concurrent = await ConcurrentClients.gather(scope, url, clients);
  const path = `/v2/${REPOSITORY}/manifests/${by === 'tag' ? tag : digest}`;
  const result = await concurrent.ask(path, MANIFEST_TYPE);
  return { ...result, upstream: registry.requests().filter((line) => line === `GET ${path}`).length };
}

let pushed = 0;

/** A new manifest each time, over one small blob. */
async function pushManifest({ url }: Registry): Promise<{ tag: string; digest: string }> {
  pushed += 1;
  const blob = Buffer.from('{}');
  const descriptor = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(blob), size: blob.length };
  const annotations = { 'com.example.number': String(pushed) };
  const body = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config: descriptor, layers: [], annotations };
  const manifest = Buffer.from(JSON.stringify(body));
  const begun = await fetch(`${url}/v2/${REPOSITORY}/blobs/uploads/`, { method: 'POST' });
  const upload = new URL(begun.headers.get('location') ?? '', url);
  upload.searchParams.set('digest', descriptor.digest);
  const tag = `v${pushed}`;
  await put(upload, blob, 'application/octet-stream');
  await put(new URL(`${url}/v2/${REPOSITORY}/manifests/${tag}`), manifest, MANIFEST_TYPE);
  return { tag, digest: sha256(manifest) };
}

async function put(url: URL, body: Buffer, type: string): Promise<void> {
  const response = await fetch(url, { method: 'PUT', body: new Uint8Array(body), headers: { 'content-type': type } });
  if (response.status !== 201) throw new Error(`PUT ${url.pathname}: ${response.status} ${await response.text()}`);
}

function worst(rounds: readonly Measured[]): number {
  return Math.max(...rounds.map(({ upstream }) => upstream));
}

function targetOf({ by, rounds }: Row, rows: readonly Row[], clients: number): Target {
  const nginx = rows.find((row) => row.name === NGINX && row.by === by);
  return atMost({
    what: `${clients} clients ask for one manifest by ${by} at once`,
    value: worst(rounds),
    bound: 2,
    unit: ' requests upstream',
    digits: 0,
    ...(nginx ? { nginx: worst(nginx.rounds) } : {}),
  });
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
