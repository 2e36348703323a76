import fc from 'fast-check';
import t from 'tap';
import { OciError } from '../../../src/oci/error.ts';
import { readDistributionHook } from '../../../src/replication/hooks/distribution.ts';
import { leastSeen } from '../../helpers/property-runs.ts';
import { hookFixture } from './fixture.ts';
import { anyHook, hintsAreNames, nearly } from './hook-property.ts';

const DIGEST = `sha256:${'4f'.repeat(32)}`;
const OCI = 'application/vnd.oci.image.manifest.v1+json';

t.test('events that docker-registry 2.8.2 sent', async (t) => {
  const cases: [fixture: string, hints: [kind: string, reference: string | RegExp][]][] = [
    ['push-tag', [['push', '1.0']]],
    ['push-digest', [['push', /^sha256:e57d206/]]],
    ['push-index', [['push', '2.0']]],
    ['push-list', [['push', '3.0']]],
    ['push-blob', []],
    ['pull-manifest', []],
    ['pull-blob', []],
    ['mount', []],
    ['delete-manifest', [['delete', /^sha256:c85ea34/]]],
    ['delete-tag', [['delete', '2.0']]],
    // It does not say that this was a blob.
    ['delete-blob', [['delete', /^sha256:c5b1d63/]]],
  ];
  for (const [name, expected] of cases) {
    const hints = readDistributionHook(hookFixture(`distribution-${name}`));
    t.equal(hints.length, expected.length, name);
    for (const [index, [kind, reference]] of expected.entries())
      t.match(hints[index], { repository: 'library/app', kind, reference, from: 'distribution' }, name);
  }
});

type Event = Record<string, unknown>;

/** A push of a manifest, changed. */
function event(target: Event = {}, change: Event = {}): Event {
  return {
    action: 'push',
    target: { mediaType: OCI, repository: 'a', digest: DIGEST, tag: '1', ...target },
    ...change,
  };
}

function read(...events: unknown[]): string[] {
  return readDistributionHook(JSON.stringify({ events })).map(
    ({ kind, repository, reference }) => `${kind} ${repository} ${reference}`,
  );
}

t.test('several events, some the same, some of no account', async (t) => {
  t.same(read(), []);
  t.same(
    read(
      event(),
      event({ tag: '2' }),
      event({ mediaType: 'application/octet-stream', repository: 'NOT A NAME' }),
      event({}, { action: 'pull' }),
      event({ repository: 'b', tag: undefined }),
      event(),
      event({}, { action: 'delete' }),
      event({ mediaType: undefined, digest: undefined }, { action: 'delete' }),
      event({ mediaType: undefined, digest: undefined, tag: undefined }, { action: 'delete' }),
      event({ mediaType: undefined }),
    ),
    ['push a 1', 'push a 2', `push b ${DIGEST}`, 'delete a 1'],
  );
});

t.test('media types of manifests', async (t) => {
  const types = [
    'application/vnd.docker.distribution.manifest.v1+prettyjws',
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.oci.artifact.manifest.v1+json',
  ];
  for (const mediaType of types) t.same(read(event({ mediaType })), ['push a 1'], mediaType);
  for (const mediaType of ['', 'application/vnd.oci.image.config.v1+json', 'text/plain'])
    t.same(read(event({ mediaType })), [], mediaType);
});

t.test('unusable bodies are refused, and the message shows nothing of them', async (t) => {
  const events = (...all: unknown[]) => JSON.stringify({ events: all });
  const cases: [text: string, said: RegExp][] = [
    ['hunter2', /it is no JSON/],
    ['[]', /it is not as expected/],
    ['{}', /events is not/],
    ['{"events":{}}', /events is not/],
    [events('hunter2'), /events\.0 is not/],
    [events({ action: 'push' }), /events\.0\.target is not/],
    [events(event({ repository: '../hunter2' })), /events\.0\.target\.repository is not/],
    [events(event(), event({ repository: undefined })), /events\.1\.target\.repository is not/],
    [events(event({ tag: 'hunter2/..' })), /events\.0\.target\.tag is not/],
    [events(event({ digest: 'sha256:hunter2' })), /events\.0\.target\.digest is not/],
    [events(event({ mediaType: 5 })), /events\.0\.target\.mediaType is not/],
    [events(...Array(1001).fill(event())), /events is not/],
  ];
  for (const [text, said] of cases) {
    try {
      t.fail(`${text.slice(0, 100)} gave ${JSON.stringify(readDistributionHook(text))}`);
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
      t.equal(error.status, 400);
      t.match(error.message, said);
      t.notMatch(error.message, /hunter2/);
    }
  }
});

t.test('whatever is sent, hints are names or there are none', async (t) => {
  const target = fc.record(
    {
      mediaType: fc.constantFrom(OCI, 'application/octet-stream'),
      repository: nearly('..', 'a', 'a/b'),
      digest: nearly('sha256:x', DIGEST),
      tag: nearly('-', '1'),
    },
    { requiredKeys: [] },
  );
  const one = fc.record({ action: nearly('pull', 'push', 'delete'), target }, { requiredKeys: ['action', 'target'] });
  const seen = hintsAreNames(readDistributionHook, anyHook(fc.record({ events: fc.array(one, { maxLength: 4 }) })));
  t.ok(seen.hints > leastSeen(50) && seen.refused > leastSeen(50), JSON.stringify(seen));
});
