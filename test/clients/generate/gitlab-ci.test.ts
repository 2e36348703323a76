import t from 'tap';
import { gitlabFiles } from '../../../src/clients/generate/gitlab-ci.ts';
import { siteOf, textsOf, tomlOf } from '../client-sites.ts';

const gitlab = (more: Parameters<typeof siteOf>[0]) => gitlabFiles({ site: siteOf(more), version: undefined });

t.test('a runner gets credentials, the authority and the mirror', async (t) => {
  const user = { name: 'ci', password: 'se"cret$' };
  const generated = gitlab({ user, mirrors: [{ registry: 'docker.io', prefix: '' }] });
  const texts = textsOf(generated);
  const login = texts['/etc/gitlab-runner/breakwater/DOCKER_AUTH_CONFIG'] ?? '';
  const auth = Buffer.from('ci:se"cret$').toString('base64');
  t.strictSame(JSON.parse(login), { auths: { 'cr.example.io': { auth } } });
  t.strictSame(tomlOf(texts['/etc/gitlab-runner/config.toml']), {
    runners: [
      {
        environment: [`DOCKER_AUTH_CONFIG=${login}`],
        docker: {
          volumes: [
            '/etc/docker/certs.d/cr.example.io:/etc/docker/certs.d/cr.example.io:ro',
            '/etc/gitlab-runner/breakwater/daemon.json:/etc/docker/daemon.json:ro',
          ],
        },
      },
    ],
  });
  t.ok(texts['/etc/docker/daemon.json'], 'and the daemon that pulls the images of jobs');
  const secrets = generated.files.filter(({ secret }) => secret).map(({ path }) => path);
  t.strictSame(secrets, ['/etc/gitlab-runner/breakwater/DOCKER_AUTH_CONFIG', '/etc/gitlab-runner/config.toml']);
});

t.test('without a user and an authority, nothing is left to say', async (t) => {
  const { files, notes } = gitlab({ ca: undefined });
  t.strictSame(files, []);
  t.match(notes.join('\n'), /no DOCKER_AUTH_CONFIG is written/);
});
