import fc from 'fast-check';
import t from 'tap';
import { readProbedManifest } from '../../../src/upstream/health/probed-manifest.ts';

const A = `sha256:${'a'.repeat(64)}`;
const B = `sha256:${'b'.repeat(64)}`;
const read = (value: unknown) => readProbedManifest(Buffer.from(JSON.stringify(value)));

t.test('what a probe needs of a manifest', async (t) => {
  const blob = (digest: string, size: number | undefined) => ({ child: undefined, blob: { digest, size } });
  const nothing = { child: undefined, blob: undefined };
  const rows: [string, unknown, unknown][] = [
    [
      'the first layer',
      {
        layers: [
          { digest: A, size: 5 },
          { digest: B, size: 6 },
        ],
        config: { digest: B, size: 7 },
      },
      blob(A, 5),
    ],
    ['no layers: the config', { layers: [], config: { digest: B, size: 7 } }, blob(B, 7)],
    ['an empty layer is passed over', { layers: [{ digest: A, size: 0 }], config: { digest: B, size: 7 } }, blob(B, 7)],
    ['a size that is none', { layers: [{ digest: A, size: 'x' }] }, blob(A, undefined)],
    ['a negative size', { layers: [{ digest: A, size: -1 }] }, blob(A, undefined)],
    ['an index', { manifests: [{ digest: B }, { digest: A }] }, { child: B, blob: undefined }],
    ['an index with a broken first', { manifests: [null, 5, {}, { digest: A }] }, { child: A, blob: undefined }],
    ['an empty index', { manifests: [] }, nothing],
    [
      'a digest that leads elsewhere',
      { layers: [{ digest: '../../../api' }], manifests: [{ digest: '../x' }] },
      nothing,
    ],
    ['lists that are none', { layers: { find: 1 }, manifests: 'x', config: [] }, nothing],
    ['null', null, nothing],
    ['a text', 'x', nothing],
  ];
  for (const [name, value, expected] of rows) t.strictSame(read(value), expected, name);
  t.strictSame(readProbedManifest(Buffer.from('{"layers":[')), nothing, 'no JSON');
  t.strictSame(readProbedManifest(Buffer.alloc(0)), nothing, 'empty');
});

t.test('property: never throws', async () => {
  fc.assert(
    fc.property(fc.record({ manifests: fc.jsonValue(), layers: fc.jsonValue(), config: fc.jsonValue() }), (value) => {
      read(value);
    }),
  );
});
