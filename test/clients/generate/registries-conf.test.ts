import t from 'tap';
import { containersFiles } from '../../../src/clients/generate/registries-conf.ts';
import { FALLBACK, siteOf, textsOf, tomlOf } from '../client-sites.ts';

const CONF = '/etc/containers/registries.conf.d/50-breakwater-cr.example.io.conf';
const podman = (more: Parameters<typeof siteOf>[0], version?: string) =>
  containersFiles('podman', { site: siteOf(more), version });

t.test('the edge as the registry itself needs its authority only', async (t) => {
  t.strictSame(
    podman({}).files.map(({ path }) => path),
    ['/etc/containers/certs.d/cr.example.io/ca.crt'],
  );
});

t.test('a fallback comes after the edge, for each place, and pushes stay with the edge', async (t) => {
  const places = [
    { prefix: 'library/', at: 'example-project/' },
    { prefix: '', at: 'rest/' },
  ];
  const fallback = { host: 'other.lan', ca: 'PEM\n', places };
  const generated = podman({ fallback });
  const texts = textsOf(generated);
  const mirror = (...locations: string[]) => locations.map((location) => ({ location, 'pull-from-mirror': 'all' }));
  t.strictSame(tomlOf(texts[CONF]), {
    registry: [
      {
        prefix: 'cr.example.io/library',
        location: 'cr.example.io/library',
        mirror: mirror('cr.example.io/library', 'other.lan/example-project'),
      },
      { prefix: 'cr.example.io', location: 'cr.example.io', mirror: mirror('cr.example.io', 'other.lan/rest') },
    ],
  });
  t.match(texts['/etc/containers/certs.d/other.lan/ca.crt'], /PEM/);
  for (const said of [texts[CONF], generated.notes.join('\n')])
    t.match(said, /tags may be older[\s\S]*rights are those of other\.lan/);
});

t.test('mirrors never ask the registry itself, unless a fallback is wished', async (t) => {
  const mirrors = [{ registry: 'docker.io', prefix: 'hub/' }];
  t.strictSame(tomlOf(textsOf(podman({ mirrors }))[CONF]), {
    registry: [{ prefix: 'docker.io', location: 'cr.example.io/hub' }],
  });
  const { registry } = tomlOf(textsOf(podman({ mirrors, fallback: FALLBACK }))[CONF]) as { registry: object[] };
  t.strictSame(registry[1], {
    prefix: 'docker.io',
    location: 'docker.io',
    mirror: [{ location: 'cr.example.io/hub', 'pull-from-mirror': 'all' }],
  });
  t.match(
    podman({ mirrors: [{ registry: 'quay.io', prefix: '' }] }).notes.join('\n'),
    /no \?ns=.*--mirror quay\.io=PREFIX/,
  );
});

t.test('pull-from-mirror only where the program knows it', async (t) => {
  for (const [version, isKnown] of [
    ['4.1', false],
    ['4.2', true],
    ['5', true],
    [undefined, true],
  ] as const)
    t.equal(
      JSON.stringify(podman({ fallback: FALLBACK }, version).files).includes('pull-from-mirror = '),
      isKnown,
      `${version}`,
    );
});
