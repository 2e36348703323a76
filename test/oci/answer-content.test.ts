import t from 'tap';
import { type ContentKind, contentProblem, isEmptyList } from '../../src/oci/answer-content.ts';

const NO_MANIFEST = 'it answers with something that is no manifest';
const noList = (list: string) => `it answers with something that has no list of ${list}`;
const ERROR = '{"errors":[{"code":"DENIED","message":"no","detail":{}}]}';
const OCI_ARTIFACT = '{"mediaType":"application/vnd.oci.artifact.manifest.v1+json"}';
const CONFIG = '{"architecture":"amd64","config":{},"rootfs":{"type":"layers"}}';

t.test('whether a body is what was asked for', async (t) => {
  const rows: [ContentKind, string, string | undefined][] = [
    ['manifest', '{"schemaVersion":2,"config":{},"layers":[]}', undefined],
    ['manifest', '{"schemaVersion":2,"manifests":[]}', undefined],
    ['manifest', '{"schemaVersion":1,"fsLayers":[]}', undefined],
    ['manifest', OCI_ARTIFACT, undefined],
    ['manifest', '{"mediaType":"text/html"}', NO_MANIFEST],
    ...['', '{}', '[]', 'null', '"x"', '<html></html>', ERROR, CONFIG, '{"schemaVersion":"2"}', '\u0000'].map(
      (body): [ContentKind, string, string] => ['manifest', body, NO_MANIFEST],
    ),
    ['tags', '{"name":"app","tags":["1"]}', undefined],
    ['tags', '{"name":"app","tags":null}', undefined],
    ['tags', '{"name":"app"}', noList('tags')],
    ['tags', ERROR, noList('tags')],
    ['tags', '<html></html>', noList('tags')],
    ['tags', '{"tags":"1"}', noList('tags')],
    ['referrers', '{"schemaVersion":2,"manifests":[]}', undefined],
    ['referrers', ERROR, noList('manifests')],
    ['catalog', '{"repositories":[]}', undefined],
    ['catalog', ERROR, noList('repositories')],
    ['blob', '<html></html>', undefined],
    ['ping', 'true', undefined],
  ];
  for (const [kind, body, expected] of rows)
    t.equal(contentProblem(kind, Buffer.from(body)), expected, `${kind} ${body}`);
});

t.test('whether a whole list has no entries', async (t) => {
  const rows: [ContentKind, string, boolean][] = [
    ['tags', '{"name":"app","tags":[]}', true],
    ['tags', '{"name":"app","tags":null}', true],
    ['tags', '{"name":"app"}', true],
    ['tags', '{"name":"app","tags":["1"]}', false],
    ['tags', '{"name":"project","tags":[],"child":["app"]}', false],
    ['tags', '{"name":"app","tags":"none"}', false],
    ['tags', `{"tags":[],"more":"${'x'.repeat(70_000)}"}`, false],
    ['tags', 'no JSON', false],
    ['catalog', '{"repositories":[]}', true],
    ['catalog', '{"repositories":["app"]}', false],
    ['referrers', '{"schemaVersion":2,"manifests":[]}', true],
    ['referrers', '{"schemaVersion":2,"manifests":[{}]}', false],
    ['manifest', '{"schemaVersion":2,"manifests":[]}', false],
    ['blob', '', false],
  ];
  for (const [kind, body, expected] of rows)
    t.equal(isEmptyList(kind, Buffer.from(body)), expected, `${kind} ${body.slice(0, 60)}`);
});
