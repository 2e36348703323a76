import fc from 'fast-check';
import t from 'tap';
import { readProbedManifest } from '../../../src/upstream/health/probed-manifest.ts';

const A = `sha256:${'a'.repeat(64)}`;
const B = `sha256:${'b'.repeat(64)}`;
const read = (value: unknown) => readProbedManifest(Buffer.from(JSON.stringify(value)));

t.test('what a probe needs of a manifest', async (t) => {
  const config = { digest: B, size: 7 };
  const blob = (digest: string, size: number | undefined, own?: typeof config) => ({
    child: undefined,
    blob: { digest, size },
    config: own,
  });
  const nothing = { child: undefined, blob: undefined, config: undefined };
  const rows: [string, unknown, unknown][] = [
    [
      'the first layer',
      {
        layers: [
          { digest: A, size: 5 },
          { digest: B, size: 6 },
        ],
        config,
      },
      blob(A, 5, config),
    ],
    ['no layers: the config', { layers: [], config }, blob(B, 7, config)],
    ['an empty layer is passed over', { layers: [{ digest: A, size: 0 }], config }, blob(B, 7, config)],
    ['a size that is none', { layers: [{ digest: A, size: 'x' }] }, blob(A, undefined)],
    ['a negative size', { layers: [{ digest: A, size: -1 }] }, blob(A, undefined)],
    ['an index', { manifests: [{ digest: B }, { digest: A }] }, { child: B, blob: undefined, config: undefined }],
    [
      'an index with a broken first',
      { manifests: [null, 5, {}, { digest: A }] },
      { child: A, blob: undefined, config: undefined },
    ],
    ['a configuration without bytes', { layers: [{ digest: A, size: 5 }], config: { ...config, size: 0 } }, blob(A, 5)],
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
