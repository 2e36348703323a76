import { writeFileSync } from 'node:fs';
import t from 'tap';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadConfig } from '../../src/config/load.ts';
import { writeMaterial } from './write-material.ts';

const GOOD = `hostname: cr.example.io
tls: { certFile: tls.crt, keyFile: tls.key }
upstreams:
  harbor:
    urls: [https://harbor.lan]
  gcr:
    urls: [https://asia.gcr.io]
routes:
  - prefix: library/
    push: harbor
    pull:
      - upstream: harbor
      - upstream: gcr
        prefix: example-project/
`;

/** What is changed in the good configuration, and what is said of it: line, column, key, and a part of the message. */
const TABLE: [name: string, from: string, to: string, line: number, column: number, key: string, message: RegExp][] = [
  ['unknown key at the top', 'hostname:', 'hostnam: x\nhostname:', 1, 1, 'hostnam', /did you mean "hostname"/],
  [
    'unknown key in a map by name',
    'urls: [https://harbor.lan]',
    'url: x\n    urls: [https://harbor.lan]',
    5,
    5,
    'upstreams.harbor.url',
    /did you mean "urls"/,
  ],
  ['missing hostname', 'hostname: cr.example.io\n', '', 1, 1, 'hostname', /is missing; expected text/],
  [
    'hostname with a port',
    'cr.example.io',
    'cr.example.io:443',
    1,
    11,
    'hostname',
    /expected a host name without a port/,
  ],
  [
    'not a duration',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    probe: { interval: 2 }',
    6,
    24,
    'upstreams.harbor.probe.interval',
    /is 2; expected a duration/,
  ],
  [
    'duration of nothing',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    probe: { interval: 0s }',
    6,
    24,
    'upstreams.harbor.probe.interval',
    /at least 50ms/,
  ],
  [
    'not an http URL',
    'https://harbor.lan',
    'ftp://harbor.lan',
    5,
    12,
    'upstreams.harbor.urls[0]',
    /an http or https URL/,
  ],
  [
    'password in a URL',
    'https://harbor.lan',
    'https://u:hunter2@harbor.lan',
    5,
    12,
    'upstreams.harbor.urls[0]',
    /these go into credentials/,
  ],
  [
    'URL that ends in /v2',
    'https://harbor.lan',
    'https://harbor.lan/v2/',
    5,
    12,
    'upstreams.harbor.urls[0]',
    /expected the URL without/,
  ],
  [
    'neither kind of credentials',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    credentials: forwards',
    6,
    18,
    'upstreams.harbor.credentials',
    /is "forwards"; expected "forward" or "none", or a map/,
  ],
  [
    'credentials without a password file',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    credentials: { username: a }',
    6,
    18,
    'upstreams.harbor.credentials.passwordFile',
    /is missing/,
  ],
  [
    'missing password file',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    credentials: { username: a, passwordFile: none.txt }',
    6,
    47,
    'upstreams.harbor.credentials.passwordFile',
    /none\.txt does not exist/,
  ],
  [
    'unknown push upstream',
    'push: harbor',
    'push: harbour',
    10,
    11,
    'routes[0].push',
    /no upstream is called "harbour"; there are harbor, gcr/,
  ],
  [
    'unknown pull upstream',
    '- upstream: gcr',
    '- upstream: gcrr',
    13,
    19,
    'routes[0].pull[1].upstream',
    /no upstream is called "gcrr"/,
  ],
  [
    'the same upstream twice',
    '- upstream: gcr',
    '- upstream: harbor',
    13,
    19,
    'routes[0].pull[1].upstream',
    /stands in this list already/,
  ],
  [
    'prefix without a slash',
    'prefix: library/',
    'prefix: library',
    9,
    13,
    'routes[0].prefix',
    /ends in "\/".*inverted/,
  ],
  ['prefix in capitals', 'prefix: library/', 'prefix: Library/', 9, 13, 'routes[0].prefix', /is "Library\/"/],
  [
    'missing certificate',
    'certFile: tls.crt',
    'certFile: nowhere.crt',
    2,
    18,
    'tls.certFile',
    /nowhere\.crt does not exist/,
  ],
  [
    'certificate that is none',
    'certFile: tls.crt',
    'certFile: garbage',
    2,
    18,
    'tls.certFile',
    /garbage holds no certificate/,
  ],
  [
    'key of another certificate',
    'keyFile: tls.key',
    'keyFile: other.key',
    2,
    36,
    'tls.keyFile',
    /other\.key does not belong to the certificate/,
  ],
  [
    'short keyFile',
    'hostname:',
    'keyFile: short.key\nhostname:',
    1,
    10,
    'keyFile',
    /holds 5 bytes; expected at least 32/,
  ],
  [
    'passthrough to nowhere',
    'hostname:',
    'passthrough: ui\nhostname:',
    1,
    14,
    'passthrough',
    /no upstream is called "ui"/,
  ],
  [
    'caFile for http',
    'urls: [https://harbor.lan]',
    'urls: [http://harbor.lan]\n    caFile: tls.crt',
    6,
    13,
    'upstreams.harbor.caFile',
    /all urls are http/,
  ],
  [
    'registry that is the edge itself',
    'prefix: library/',
    'prefix: library/\n    registry: cr.example.io',
    10,
    15,
    'routes[0].registry',
    /the edge's own name/,
  ],
  [
    'auth mode that is not there',
    'hostname:',
    'auth: { mode: htpasswd }\nhostname:',
    1,
    15,
    'auth.mode',
    /expected "open"/,
  ],
  [
    'a list where a map belongs',
    'tls: { certFile: tls.crt, keyFile: tls.key }',
    'tls: 5',
    2,
    6,
    'tls',
    /is 5; expected a map, or a list/,
  ],
  ['the same key twice', 'push: harbor', 'push: harbor\n    push: gcr', 11, 5, '', /unique/i],
  ['no YAML', 'upstreams:\n', 'upstreams: [\n', 4, 3, '', /./],
];

for (const [name, from, to, line, column, key, message] of TABLE) {
  t.test(name, async (t) => {
    const folder = await writeMaterial(t);
    const file = `${folder}/breakwater.yaml`;
    t.ok(GOOD.includes(from), 'the change applies');
    writeFileSync(file, GOOD.replace(from, to));
    const error = await loadConfig(file).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!(error instanceof ConfigError)) throw error ?? new Error('it was accepted');
    const finding = error.findings.find((one) => one.key === key && message.test(one.message));
    t.ok(finding, `told of ${key}: ${error.message}`);
    if (key !== '') t.same([finding?.line, finding?.column], [line, column], 'at its place');
    t.notMatch(error.message, /hunter2/, 'no secret in it');
  });
}

t.test('all findings at once', async (t) => {
  const folder = await writeMaterial(t);
  const file = `${folder}/breakwater.yaml`;
  writeFileSync(
    file,
    GOOD.replace('hostname:', 'a: 1\nb: 2\nhostname:').replace('prefix: library/', 'prefix: library'),
  );
  const error = await loadConfig(file).catch((error: unknown) => error);
  t.ok(error instanceof ConfigError);
  t.equal(error instanceof ConfigError && error.findings.length, 3);
});

t.test('a configuration that is not there', async (t) => {
  await t.rejects(loadConfig('/nonexistent/breakwater.yaml'), { name: 'ConfigError', message: /cannot be read/ });
});

t.test('an alias bomb is refused', async (t) => {
  const folder = await writeMaterial(t);
  const file = `${folder}/breakwater.yaml`;
  const levels = Array.from(
    { length: 12 },
    (_, level) => `l${level + 1}: &l${level + 1} [${Array(9).fill(`*l${level}`).join(', ')}]`,
  );
  writeFileSync(file, `l0: &l0 x\n${levels.join('\n')}\n`);
  await t.rejects(loadConfig(file), { name: 'ConfigError' });
});
