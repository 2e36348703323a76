import fc from 'fast-check';
import t from 'tap';
import { OciError } from '../../../src/oci/error.ts';
import { readHarborHook } from '../../../src/replication/hooks/harbor.ts';
import { leastSeen } from '../../helpers/property-runs.ts';
import { hookFixture } from './fixture.ts';
import { anyHook, hintsAreNames, nearly } from './hook-property.ts';

const DIGEST = `sha256:${'4f'.repeat(32)}`;
const hint = (kind: string, reference: string) => ({
  repository: 'team-a/shop/web',
  reference,
  kind,
  from: 'harbor',
});
/** The deletion of a tag with its manifest. */
const withManifest = (reference: string) => ({ ...hint('delete', reference), withManifest: true });

t.test('events that Harbor sends', async (t) => {
  const cases: [fixture: string, hints: object[]][] = [
    ['push-tag', [hint('push', '1.4')]],
    ['push-untagged', [hint('push', DIGEST)]],
    ['cloud-push-tag', [hint('push', '1.4')]],
    ['cloud-push-untagged', [hint('push', DIGEST)]],
    ['delete', [hint('delete', DIGEST), hint('delete', '1.4')]],
    ['cloud-delete', [hint('delete', DIGEST), hint('delete', '1.4')]],
    ['retention', [withManifest('1.4'), withManifest('1.5'), hint('delete', DIGEST)]],
    ['cloud-retention', [withManifest('1.4')]],
    ['pull', []],
    ['quota', []],
    ['replication', []],
    ['cloud-scan', []],
  ];
  for (const [name, hints] of cases) t.strictSame(readHarborHook(hookFixture(`harbor-${name}`)), hints, name);
});

/** A push as Harbor sends it, changed. */
function push(data: object = {}, change: object = {}): string {
  return JSON.stringify({
    type: 'PUSH_ARTIFACT',
    event_data: {
      repository: { repo_full_name: 'library/app' },
      resources: [{ digest: DIGEST, tag: '1' }],
      ...data,
    },
    ...change,
  });
}

t.test('several resources, some the same, some without a tag', async (t) => {
  const resources = [
    { digest: DIGEST, tag: '1' },
    { digest: DIGEST },
    { digest: DIGEST, tag: '' },
    { digest: DIGEST, tag: '1' },
  ];
  t.same(
    readHarborHook(push({ resources })).map(({ reference }) => reference),
    ['1', DIGEST],
  );
});

/** A retention run as Harbor tells of it, changed. */
function retention(names: unknown, change: object = {}): string {
  return JSON.stringify({
    type: 'TAG_RETENTION',
    event_data: { retention: { project_name: 'library', deleted_artifact: names, ...change } },
  });
}

t.test('a retention run names what it deleted, and its project apart', async (t) => {
  const named = (...names: string[]) => retention(names.map((name_tag) => ({ type: 'image', name_tag })));
  const read = (text: string) => readHarborHook(text).map(({ repository, reference }) => `${repository} ${reference}`);
  t.same(read(named('app:1', `deep/er/app@${DIGEST}`, 'app:1')), ['library/app 1', `library/deep/er/app ${DIGEST}`]);
  t.same(read(retention(null)), [], 'nothing was deleted');
  t.same(read(retention([])), []);
  t.equal(read(named(...Array.from({ length: 3000 }, (_, index) => `app:v${index}`))).length, 3000, 'a third of many');
  const unusable: [text: string, said: RegExp][] = [
    [named('hunter2'), /event_data\.retention is not/],
    [named('app:hunter2/..'), /event_data\.retention is not/],
    [named('../hunter2:1'), /event_data\.retention is not/],
    [named('app@sha256:hunter2'), /event_data\.retention is not/],
    [retention([], { project_name: undefined }), /event_data\.retention\.project_name is not/],
    [retention([{ name_tag: 'app:1' }], { project_name: 'HUNTER2' }), /event_data\.retention is not/],
    [retention([{ status: 'hunter2' }]), /deleted_artifact\.0\.name_tag is not/],
    [JSON.stringify({ type: 'TAG_RETENTION' }), /event_data is not/],
  ];
  for (const [text, said] of unusable)
    try {
      t.fail(`${text.slice(0, 100)} gave ${JSON.stringify(readHarborHook(text))}`);
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
      t.equal(error.status, 400);
      t.match(error.message, said);
      t.notMatch(error.message, /hunter2/i);
    }
});

t.test('unusable bodies are refused, and the message shows nothing of them', async (t) => {
  const resources = (...all: unknown[]) => push({ resources: all });
  const cases: [text: string, said: RegExp][] = [
    ['', /it is no JSON/],
    ['{"type":', /it is no JSON/],
    ['[]', /it is not as expected/],
    ['null', /it is not as expected/],
    ['{}', /type is not as expected/],
    ['{"type":1,"event_data":{}}', /type is not as expected/],
    ['{"type":"PUSH_ARTIFACT"}', /event_data/],
    ['{"specversion":"1.0","type":"harbor.artifact.pushed","event_data":{}}', /data/],
    [push({ repository: { repo_full_name: 'HUNTER2' } }), /event_data\.repository\.repo_full_name is not/],
    [push({ repository: { repo_full_name: '../hunter2' } }), /repo_full_name/],
    [push({ repository: { name: 'app', namespace: 'hunter2' } }), /repo_full_name/],
    [push({ repository: { repo_full_name: `a/${'b'.repeat(254)}` } }), /repo_full_name/],
    [resources(), /event_data\.resources is not/],
    [push({ resources: 'hunter2' }), /event_data\.resources is not/],
    [resources({ tag: '1' }), /event_data\.resources\.0\.digest is not/],
    [resources({ digest: 'sha256:hunter2', tag: '1' }), /resources\.0\.digest is not/],
    [resources({ digest: DIGEST, tag: '1' }, { digest: DIGEST, tag: '../hunter2' }), /resources\.1 is not/],
    [resources({ digest: DIGEST, tag: `sha256:${'00'.repeat(32)}` }), /resources\.0 is not/],
    [resources({ digest: DIGEST, tag: 5 }), /resources\.0\.tag is not/],
    [resources(...Array(1001).fill({ digest: DIGEST, tag: '1' })), /event_data\.resources is not/],
    ['['.repeat(1_000_000), /it is no JSON/],
  ];
  for (const [text, said] of cases) {
    try {
      t.fail(`${text.slice(0, 100)} gave ${JSON.stringify(readHarborHook(text))}`);
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
      t.equal(error.status, 400);
      t.match(error.message, said);
      t.notMatch(error.message, /hunter2/i);
    }
  }
});

t.test('whatever is sent, hints are names or there are none', async (t) => {
  const digest = nearly('sha256:x', DIGEST);
  const content = fc.record(
    {
      repository: fc.record({ repo_full_name: nearly('..', 'a', 'a/b') }),
      resources: fc.array(fc.record({ digest, tag: nearly('-', '1', DIGEST) }, { requiredKeys: [] })),
    },
    { requiredKeys: [] },
  );
  const run = fc.record(
    {
      project_name: nearly('..', 'a', 'a/b'),
      deleted_artifact: fc.array(fc.record({ name_tag: nearly('a:-', 'a:1', `b@${DIGEST}`) })),
    },
    { requiredKeys: [] },
  );
  const data = fc.oneof(content, fc.record({ retention: run }));
  const event = fc.record(
    {
      type: fc.constantFrom(
        'PUSH_ARTIFACT',
        'DELETE_ARTIFACT',
        'TAG_RETENTION',
        'harbor.artifact.pushed',
        'harbor.artifact.deleted',
        'x',
      ),
      specversion: fc.constant('1.0'),
      event_data: data,
      data,
    },
    { requiredKeys: ['type'] },
  );
  const seen = hintsAreNames(readHarborHook, anyHook(event));
  t.ok(seen.hints > leastSeen(50) && seen.refused > leastSeen(50), JSON.stringify(seen));
});
