import t from 'tap';
import { dockerFiles } from '../../../src/clients/generate/docker.ts';
import { FALLBACK, siteOf, textsOf } from '../client-sites.ts';

const docker = (more: Parameters<typeof siteOf>[0]) => dockerFiles({ site: siteOf(more), version: undefined });

t.test('the edge as the registry itself needs its authority only', async (t) => {
  const { files } = docker({ host: 'cr.example.io:8443' });
  t.strictSame(
    files.map(({ path }) => path),
    ['/etc/docker/certs.d/cr.example.io:8443/ca.crt'],
  );
  t.strictSame(docker({ ca: undefined }).files, []);
});

t.test('a mirror of Docker Hub', async (t) => {
  const generated = docker({ mirrors: [{ registry: 'docker.io', prefix: '' }] });
  t.strictSame(JSON.parse(textsOf(generated)['/etc/docker/daemon.json'] ?? ''), {
    'registry-mirrors': ['https://cr.example.io'],
  });
  t.match(generated.notes.join('\n'), /asks docker\.io itself\. It cannot be told not to/);
});

t.test('what dockerd cannot do is told', async (t) => {
  const rows: [Parameters<typeof siteOf>[0], RegExp][] = [
    [{ mirrors: [{ registry: 'quay.io', prefix: '' }] }, /mirrors for docker\.io only .*quay\.io do not come through/],
    [{ mirrors: [{ registry: 'docker.io', prefix: 'hub/' }] }, /dockerd puts no prefix before a name/],
    [{ fallback: FALLBACK }, /dockerd has no second host/],
  ];
  for (const [more, says] of rows) {
    const { files, notes } = docker(more);
    t.strictSame(
      files.map(({ path }) => path),
      ['/etc/docker/certs.d/cr.example.io/ca.crt'],
    );
    t.match(notes.join('\n'), says);
  }
});
