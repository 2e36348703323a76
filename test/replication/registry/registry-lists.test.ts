import fc from 'fast-check';
import t from 'tap';
import { parseLists } from '../../../src/replication/registry/registry-lists.ts';

const empty = { repositories: [], tags: [], children: undefined, digests: new Map(), uploads: new Map() };
const digest = `sha256:${'a'.repeat(64)}`;

t.test('lists as registries write them', async (t) => {
  const read = (content: unknown) => parseLists(Buffer.from(JSON.stringify(content)));
  t.strictSame(read({ repositories: ['a', 'b/c'] }), { ...empty, repositories: ['a', 'b/c'] });
  t.strictSame(read({ name: 'a', tags: ['1', 'latest'] }), { ...empty, tags: ['1', 'latest'] });
  t.strictSame(read({ name: 'a', tags: null }), empty, 'distribution, of a repository without tags');
  const other = `sha256:${'b'.repeat(64)}`;
  const manifest = {
    [digest]: { tag: ['1', '2', 7], timeCreatedMs: '1', timeUploadedMs: '1763695800000' },
    [other]: { tag: ['4'], timeUploadedMs: 'yesterday' },
    [`${digest}x`]: { tag: ['3'], timeUploadedMs: '1' },
  };
  t.strictSame(read({ child: [], tags: ['1', '2', '3'], manifest }), {
    ...empty,
    tags: ['1', '2', '3'],
    children: [],
    digests: new Map([
      ['1', digest],
      ['2', digest],
      ['4', other],
    ]),
    uploads: new Map([
      ['1', 1_763_695_800_000],
      ['2', 1_763_695_800_000],
    ]),
  });
});

t.test('bodies that are no lists', async (t) => {
  const names = ['../x', 'A', '', 'a//b', 'a b', '\u0000', 5, null, {}, 'a'.repeat(300)];
  const tags = ['', '.x', 'a/b', 'a b', 'x'.repeat(129), 1, [], '\r\n'];
  t.strictSame(parseLists(Buffer.from(JSON.stringify({ repositories: names, tags }))), empty);
  for (const text of ['', '[]', 'null', '"x"', '<html>', '{"tags":"a"}', '{"repositories":{"a":1}}', '{"errors":[]}'])
    t.equal(parseLists(Buffer.from(text)), undefined, text);
  for (const text of ['{}', '{"manifest":[1]}', '{"tags":null}'])
    t.strictSame(parseLists(Buffer.from(text)), empty, text);
  t.strictSame(parseLists(Buffer.from('{"__proto__":{"tags":["1"]}}')), empty);
});

t.test('anything at all', async () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      const { repositories, tags, digests } = parseLists(Buffer.from(text)) ?? empty;
      return [...repositories, ...tags, ...digests.keys()].every((one) => typeof one === 'string');
    }),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('repositories', 'tags', 'manifest'), fc.jsonValue()), (content) => {
      parseLists(Buffer.from(JSON.stringify(content)));
    }),
  );
});
