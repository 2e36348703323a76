import t from 'tap';
import { redirectTarget } from '../../src/upstream/redirect.ts';
import { UpstreamError } from '../../src/upstream/upstream-error.ts';

const OWN = new URL('https://registry.example.io');
const FROM = new URL('https://registry.example.io/v2/app/blobs/x');
const HOSTS = ['s3.example.io', '.storage.example.com', 'minio.example.io:9000', '.5.6'];

const TABLE: [location: string | undefined, to: string | undefined, reason?: string][] = [
  ['/artifacts-downloads/x', 'https://registry.example.io/artifacts-downloads/x'],
  ['https://registry.example.io:8443/x', 'https://registry.example.io:8443/x'],
  ['https://s3.example.io/x?sig=1', 'https://s3.example.io/x?sig=1'],
  ['https://eu.storage.example.com/x', 'https://eu.storage.example.com/x'],
  ['//s3.example.io/x', 'https://s3.example.io/x'],
  ['https://minio.example.io:9000/x', 'https://minio.example.io:9000/x'],
  ['https://minio.example.io/x', undefined, 'redirect-host'],
  ['https://10.0.5.6/x', undefined, 'redirect-host'],
  ['https://storage.example.com/x', undefined, 'redirect-host'],
  ['https://evilstorage.example.com/x', undefined, 'redirect-host'],
  ['https://s3.example.io.evil.com/x', undefined, 'redirect-host'],
  ['https://169.254.169.254/latest', undefined, 'redirect-host'],
  ['http://s3.example.io/x', undefined, 'redirect-host'],
  ['file:///etc/passwd', undefined, 'redirect-host'],
  ['http://[', undefined, 'malformed'],
  [undefined, undefined, 'malformed'],
];

for (const [location, to, reason] of TABLE) {
  t.test(`a redirect to ${location}`, async (t) => {
    try {
      t.equal(redirectTarget(location, FROM, OWN, HOSTS).href, to);
    } catch (error) {
      t.ok(error instanceof UpstreamError && error.reason === reason, `${reason}: ${error}`);
    }
  });
}

t.test('a further hop counts from the upstream, not from the host that answered', async (t) => {
  const from = new URL('https://minio.example.io:9000/x');
  t.equal(redirectTarget('https://registry.example.io/y', from, OWN, HOSTS).href, 'https://registry.example.io/y');
  t.throws(() => redirectTarget('https://minio.example.io:22/y', from, OWN, HOSTS), {
    message: /does not name minio.example.io:22/,
  });
});
