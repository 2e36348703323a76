import t from 'tap';
import { redirectTarget } from '../../src/upstream/redirect.ts';
import { UpstreamError } from '../../src/upstream/upstream-error.ts';

const FROM = new URL('https://registry.example.io/v2/app/blobs/x');
const HOSTS = ['s3.example.io', '.storage.example.com'];

const TABLE: [location: string | undefined, to: string | undefined, reason?: string][] = [
  ['/artifacts-downloads/x', 'https://registry.example.io/artifacts-downloads/x'],
  ['https://registry.example.io:8443/x', 'https://registry.example.io:8443/x'],
  ['https://s3.example.io/x?sig=1', 'https://s3.example.io/x?sig=1'],
  ['https://eu.storage.example.com/x', 'https://eu.storage.example.com/x'],
  ['//s3.example.io/x', 'https://s3.example.io/x'],
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
      t.equal(redirectTarget(location, FROM, HOSTS).href, to);
    } catch (error) {
      t.ok(error instanceof UpstreamError && error.reason === reason, `${reason}: ${error}`);
    }
  });
}
