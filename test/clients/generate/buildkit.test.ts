import t from 'tap';
import { buildkitFiles } from '../../../src/clients/generate/buildkit.ts';
import { CA, FALLBACK, siteOf, textsOf, tomlOf } from '../client-sites.ts';

const buildkit = (more: Parameters<typeof siteOf>[0]) => buildkitFiles({ site: siteOf(more), version: undefined });
const registries = (more: Parameters<typeof siteOf>[0]) =>
  tomlOf(textsOf(buildkit(more))['/etc/buildkit/buildkitd.toml']).registry;

t.test('authority, mirrors and a fallback', async (t) => {
  const ca = ['/etc/buildkit/breakwater/cr.example.io_8443.crt'];
  t.strictSame(registries({ host: 'cr.example.io:8443' }), { 'cr.example.io:8443': { http: false, ca } });
  const mirrors = [{ registry: 'docker.io', prefix: 'hub/' }];
  t.strictSame(registries({ ca: undefined, mirrors, fallback: { ...FALLBACK, ca: CA } }), {
    'cr.example.io': { http: false, mirrors: ['cr.example.io', 'asia.gcr.io/example-project'] },
    'asia.gcr.io': { http: false, ca: ['/etc/buildkit/breakwater/asia.gcr.io.crt'] },
    'docker.io': { mirrors: ['cr.example.io/hub'] },
  });
});

t.test('what BuildKit cannot do is told', async (t) => {
  const places = [{ prefix: 'a/', at: 'x/' }];
  t.match(buildkit({ fallback: { ...FALLBACK, places } }).notes[0], /asia\.gcr\.io is no second host/);
  t.match(
    buildkit({ mirrors: [{ registry: 'quay.io', prefix: '' }] }).notes.join('\n'),
    /asks the registry itself after/,
  );
});
