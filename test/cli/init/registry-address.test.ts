import t from 'tap';
import { fallbackAddress, registryUrl } from '../../../src/cli/init/registry-address.ts';

t.test('the address of a fallback', async (t) => {
  const rows: [string, object][] = [
    [
      'europe-docker.pkg.dev/my-project/images',
      { url: 'https://europe-docker.pkg.dev', prefix: 'my-project/images/', kind: 'artifact-registry' },
    ],
    [
      'https://us-central1-docker.pkg.dev/my-project/images/nested/',
      { url: 'https://us-central1-docker.pkg.dev', prefix: 'my-project/images/nested/', kind: 'artifact-registry' },
    ],
    [
      'docker.pkg.dev/my-project/images',
      { url: 'https://docker.pkg.dev', prefix: 'my-project/images/', kind: 'artifact-registry' },
    ],
    ['backup.lan:5000', { url: 'https://backup.lan:5000', prefix: '', kind: 'registry' }],
    ['http://127.0.0.1:5000/mirror', { url: 'http://127.0.0.1:5000', prefix: 'mirror/', kind: 'registry' }],
    ['evil-docker.pkg.dev.example.io/x', { prefix: 'x/', kind: 'registry' }],
  ];
  for (const [text, expected] of rows) t.match(fallbackAddress(text, '--fallback'), expected, text);
});

t.test('gcr.io is a part of Artifact Registry today', async (t) => {
  const names: Record<string, string> = {
    'gcr.io': 'us-docker.pkg.dev/my-project/gcr.io',
    'us.gcr.io': 'us-docker.pkg.dev/my-project/us.gcr.io',
    'eu.gcr.io': 'europe-docker.pkg.dev/my-project/eu.gcr.io',
    'asia.gcr.io': 'asia-docker.pkg.dev/my-project/asia.gcr.io',
  };
  for (const [host, today] of Object.entries(names)) {
    const found = fallbackAddress(`${host}/my-project`, '--fallback');
    t.match(found, { url: `https://${host}`, prefix: 'my-project/', kind: 'artifact-registry' });
    t.ok(found.note?.endsWith(` ${today}`), host);
  }
});

t.test('addresses that cannot be used', async (t) => {
  const rows: [string, RegExp][] = [
    ['europe-docker.pkg.dev', /project and repository too, such as europe-docker\.pkg\.dev\/PROJECT\/REPOSITORY/],
    ['europe-docker.pkg.dev/my-project', /project and repository too/],
    ['eu.gcr.io', /name the project too, such as eu\.gcr\.io\/PROJECT/],
    ['backup.lan/Upper', /the path Upper is no repository name/],
    ['ftp://backup.lan', /no address of a registry/],
    ['backup lan', /no address of a registry/],
    ['', /no address of a registry/],
    ['https://me:secret@backup.lan', /\*\*\*@backup\.lan has a user or a password/],
    ['backup.lan/x?y=1', /a query or a fragment/],
    ['backup.lan/v2/', /leave \/v2 out/],
  ];
  for (const [text, expected] of rows) {
    t.throws(() => fallbackAddress(text, '--fallback'), { message: expected, name: 'UsageError' }, text);
    t.throws(() => fallbackAddress(text, '--fallback'), { message: /^--fallback: (?!.*secret)/ }, text);
  }
});

t.test('the URL of a primary keeps its base path', async (t) => {
  t.equal(registryUrl('harbor.lan', '--primary'), 'https://harbor.lan');
  t.equal(registryUrl('https://Harbor.lan/', '--primary'), 'https://harbor.lan');
  t.equal(registryUrl('http://127.0.0.1:8080/registry/', '--primary'), 'http://127.0.0.1:8080/registry');
  t.throws(() => registryUrl('https://harbor.lan/v2', '--primary'), /--primary: leave \/v2 out/);
});
