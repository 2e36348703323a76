import t, { type Test } from 'tap';
import { type EdgeInProcess, startEdgeInProcess } from '../helpers/edge-in-process.ts';
import { type Image, writeImage } from '../helpers/image.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';
import { hookFixture } from '../replication/hooks/fixture.ts';

const SECRET = 'the secret of the hooks';
const DOCUMENTED = `sha256:${'4f'.repeat(32)}`;
const TYPES = {
  harbor: 'application/json',
  'harbor-cloud': 'application/cloudevents+json',
  distribution: 'application/vnd.docker.distribution.events.v1+json',
};

/** Two real registries with nothing but a canary, and an edge that has compared them and will not do so again. */
class HookedSite {
  readonly edge: EdgeInProcess;
  readonly primary: Registry;
  readonly fallback: Registry;
  readonly #t: Test;

  constructor(t: Test, edge: EdgeInProcess, primary: Registry, fallback: Registry) {
    this.#t = t;
    this.edge = edge;
    this.primary = primary;
    this.fallback = fallback;
  }

  /** To the primary, by nobody's leave. */
  async push(name: string, platforms?: string[]): Promise<Image> {
    const image = await writeImage(temporaryFolder(this.#t), platforms ? { platforms } : {});
    await new Skopeo(this.#t).push(image.folder, `${this.primary.address}/${name}`);
    return image;
  }

  async tell(sender: keyof typeof TYPES, fixture: string, digest = DOCUMENTED): Promise<void> {
    const path = sender === 'distribution' ? '/hooks/distribution' : '/hooks/harbor';
    const headers = { authorization: SECRET, 'content-type': TYPES[sender] };
    const body = hookFixture(`${sender}-${fixture}`).replaceAll(/sha256:[0-9a-f]{64}/g, digest);
    const { status } = await this.edge.http1().ask(path, { method: 'POST', headers, body });
    this.#t.equal(status, 202, `${sender} ${fixture}`);
  }

  /** Digest of what the fallback has. */
  async copy(repository: string, reference: string): Promise<string | undefined> {
    const accept = ['manifest', 'index'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join();
    const answer = await fetch(`${this.fallback.url}/v2/${repository}/manifests/${reference}`, { headers: { accept } });
    return answer.ok ? (answer.headers.get('docker-content-digest') ?? undefined) : undefined;
  }
}

async function startSite(t: Test): Promise<HookedSite> {
  const [primary, fallback] = [await startRegistry(t), await startRegistry(t)];
  // Deletions are followed only where the source is known to see what it has.
  const canary = await writeImage(temporaryFolder(t));
  await new Skopeo(t).push(canary.folder, `${primary.address}/canary:latest`);
  const config = {
    upstreams: {
      primary: { urls: [primary.url], probe: { canary: 'canary:latest' } },
      fallback: { urls: [fallback.url] },
    },
    routes: [
      {
        prefix: '',
        push: 'primary',
        deletions: 'follow',
        pull: [{ upstream: 'primary' }, { upstream: 'fallback', replicate: true }],
      },
    ],
    replication: { every: '24d' },
  };
  const edge = await startEdgeInProcess(t, config, { hookSecret: SECRET });
  await until(() => /compared the two upstreams/.test(edge.log), { what: () => edge.log });
  return new HookedSite(t, edge, primary, fallback);
}

t.test('a hook of each format drives a copy', { skip: missing('docker-registry', 'skopeo') }, async (t) => {
  const site = await startSite(t);
  const cases: [sender: keyof typeof TYPES, fixture: string, repository: string, tag: string | undefined][] = [
    ['harbor', 'push-tag', 'team-a/shop/web', '1.4'],
    ['harbor', 'push-untagged', 'team-a/shop/web', undefined],
    ['harbor-cloud', 'push-tag', 'team-a/shop/web', '1.4'],
    ['harbor-cloud', 'push-untagged', 'team-a/shop/web', undefined],
    ['distribution', 'push-tag', 'library/app', '1.0'],
    ['distribution', 'push-index', 'library/app', '2.0'],
    ['distribution', 'push-digest', 'library/app', undefined],
  ];
  for (const [sender, fixture, repository, tag] of cases) {
    const { digest } = await site.push(
      `${repository}:${tag ?? 'unsaid'}`,
      fixture === 'push-index' ? ['amd64', 'arm64'] : undefined,
    );
    const reference = tag ?? digest;
    t.not(await site.copy(repository, reference), digest, 'not there by itself');
    await site.tell(sender, fixture, digest);
    await until(async () => (await site.copy(repository, reference)) === digest, {
      what: () => `${sender} ${fixture}: ${site.edge.log.slice(-3000)}`,
    });
    if (tag === undefined) t.equal(await site.copy(repository, 'unsaid'), undefined, 'the tag was not spoken of');
  }
});

t.test('a hook of a deletion drives one', { skip: missing('docker-registry', 'skopeo') }, async (t) => {
  const site = await startSite(t);
  const cases: [sender: keyof typeof TYPES, fixture: string, repository: string, tag: string][] = [
    ['harbor', 'delete', 'team-a/shop/web', '1.4'],
    ['harbor-cloud', 'delete', 'team-a/shop/web', '1.4'],
    ['distribution', 'delete-manifest', 'library/app', '1.0'],
  ];
  for (const [sender, fixture, repository, tag] of cases) {
    const { digest } = await site.push(`${repository}:${tag}`);
    await site.tell(sender === 'distribution' ? 'distribution' : 'harbor', 'push-tag', digest);
    await until(async () => (await site.copy(repository, tag)) === digest);
    // Somebody lies, or is early: it is still there.
    await site.tell(sender, fixture, digest);
    const proof = await site.push(`${repository}:proof`);
    await site.tell(
      sender === 'distribution' ? 'distribution' : 'harbor',
      sender === 'distribution' ? 'push-digest' : 'push-untagged',
      proof.digest,
    );
    await until(async () => (await site.copy(repository, proof.digest)) === proof.digest);
    t.equal(await site.copy(repository, tag), digest, 'what the primary still has stays');
    await fetch(`${site.primary.url}/v2/${repository}/manifests/${digest}`, { method: 'DELETE' });
    await site.tell(sender, fixture, digest);
    await until(async () => (await site.copy(repository, digest)) === undefined, {
      what: () => `${sender} ${fixture}: ${site.edge.log.slice(-3000)}`,
    });
  }
});
