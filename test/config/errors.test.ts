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
    /set them in credentials/,
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
    /is text that is not shown; expected "forward" or "none", or a map; did you mean "forward"/,
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
    /names a file that does not exist/,
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
    /is listed twice/,
  ],
  [
    'prefix without a slash',
    'prefix: library/',
    'prefix: library',
    9,
    13,
    'routes[0].prefix',
    /ends in "\/", or "" for everything/,
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
    /does not belong to the first certificate in tls\.crt/,
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
    'auth: { mode: nobody }\nhostname:',
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
  [
    'a password for a key of credentials',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    credentials: { username: a, password: hunter2 }',
    6,
    33,
    'upstreams.harbor.credentials.password',
    /did you mean "passwordFile"/,
  ],
  [
    'a password for credentials',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    credentials: hunter2',
    6,
    18,
    'upstreams.harbor.credentials',
    /is text that is not shown; expected "forward" or "none", or a map$/,
  ],
  [
    'a password for the name of its file',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    credentials: { username: a, passwordFile: hunter2 }',
    6,
    47,
    'upstreams.harbor.credentials.passwordFile',
    /names a file that does not exist/,
  ],
  [
    'a whole key for the name of its file',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    credentials: { username: a, passwordFile: "{\\n hunter2 }" }',
    6,
    47,
    'upstreams.harbor.credentials.passwordFile',
    /expected the name of a file, not its content/,
  ],
  [
    'a password in what is no URL',
    'https://harbor.lan',
    'ftp://u:hunter2@harbor.lan',
    5,
    12,
    'upstreams.harbor.urls[0]',
    /is "ftp:\/\/…@harbor\.lan"; expected an http or https URL/,
  ],
  [
    'a token in what is no URL',
    'https://harbor.lan',
    'harbor.lan?token=hunter2',
    5,
    12,
    'upstreams.harbor.urls[0]',
    /is "harbor\.lan\?…"; expected an http or https URL/,
  ],
  [
    'a password that YAML takes for an alias',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    credentials: { username: *hunter2, passwordFile: x }',
    6,
    30,
    '',
    /this alias has no anchor; text that begins with "\*" needs quotes/,
  ],
  [
    'a password that YAML takes for a tag',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    credentials: { username: !hunter2 , passwordFile: x }',
    6,
    30,
    '',
    /unknown tag; text that begins with "!" needs quotes/,
  ],
  [
    'text after the end of a value',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    credentials: { username: "a" hunter2, passwordFile: x }',
    6,
    34,
    '',
    /does not belong here/,
  ],
  [
    'text that begins with @',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    credentials: { username: @hunter2, passwordFile: x }',
    6,
    30,
    '',
    /needs quotes/,
  ],
  ['a list for a key', 'hostname:', '? [a]\n: 1\nhostname:', 1, 3, '', /a list or map stands where a key should/],
  ['a key that is none', '  harbor:', '  __proto__: { urls: [x] }\n  harbor:', 4, 3, '', /cannot be a key/],
  ['a second document', 'hostname:', 'a: 1\n---\nhostname:', 2, 1, '', /a second document begins here/],
  ['a key that would move the cursor', 'hostname:', '"a\\eb": 1\nhostname:', 1, 1, '["a\\u001bb"]', /not a known key/],
  ['a key without a value', 'hostname:', 'listen:\nhostname:', 1, 8, 'listen', /is empty; expected a map/],
  [
    'name of an upstream in capitals',
    '  harbor:',
    '  Harbor: { urls: [https://x] }\n  harbor:',
    4,
    3,
    'upstreams.Harbor',
    /is not a valid name; expected lower-case letters/,
  ],
  [
    'name of an upstream that is a number',
    '  harbor:',
    '  1: { urls: [https://x], caFil: x }\n  harbor:',
    4,
    27,
    'upstreams.1.caFil',
    /did you mean "caFile"/,
  ],
  [
    'port that does not exist',
    'hostname:',
    'listen: { https: "0.0.0.0:70000" }\nhostname:',
    1,
    18,
    'listen.https',
    /is "0\.0\.0\.0:70000"; expected a port of at most 65535$/,
  ],
  [
    'a URL for an address',
    'hostname:',
    'listen: { https: "https://x" }\nhostname:',
    1,
    18,
    'listen.https',
    /such as 0\.0\.0\.0:443, or unix:\/PATH$/,
  ],
  [
    'a time too long for a timer',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    probe: { holdDown: 25d }',
    6,
    24,
    'upstreams.harbor.probe.holdDown',
    /is "25d"; expected at most 24d/,
  ],
  [
    'a canary that is no image',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    probe: { canary: "Library/canary" }',
    6,
    22,
    'upstreams.harbor.probe.canary',
    /expected an image as the upstream names it/,
  ],
  [
    'a canary with the host',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    probe: { canary: harbor.lan/library/canary:1 }',
    6,
    22,
    'upstreams.harbor.probe.canary',
    /begins with the host harbor\.lan/,
  ],
  [
    'the same URL twice',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan, https://HARBOR.lan/]',
    5,
    32,
    'upstreams.harbor.urls[1]',
    /repeats urls\[0\]/,
  ],
  ['no entries', 'urls: [https://harbor.lan]', 'urls: []', 5, 11, 'upstreams.harbor.urls', /expected at least 1 entry/],
  [
    'a choice that is not there',
    'hostname:',
    'log: { level: warning }\nhostname:',
    1,
    15,
    'log.level',
    /is "warning"; expected "debug" or "info" or "warn" or "error"; did you mean "warn"/,
  ],
  [
    'a second certificate without key',
    'tls: {',
    'tls: [{ certFile: tls.crt, keyFile: tls.key }, { certFile: tls.crt }]\nx: {',
    2,
    48,
    'tls[1].keyFile',
    /is missing; expected text/,
  ],
  [
    'two routes with one prefix',
    '  - prefix: library/\n',
    '  - { prefix: library/, pull: [{ upstream: gcr }] }\n  - prefix: library/\n',
    10,
    13,
    'routes[1].prefix',
    /routes\[0\] already has the prefix "library\/"/,
  ],
  [
    'two routes that meet on an upstream',
    '  - prefix: library/\n',
    '  - { prefix: a/, pull: [{ upstream: gcr, prefix: example-project/ }] }\n  - prefix: library/\n',
    14,
    9,
    'routes[1].pull[1]',
    /is ambiguous: "library\/NAME" of routes\[1\].* and "a\/NAME" of routes\[0\].* would both be "example-project\/NAME" on gcr/,
  ],
  [
    'broken chain',
    'certFile: tls.crt',
    'certFile: chain.crt',
    2,
    18,
    'tls.certFile',
    /certificate 2 of 2 in chain\.crt cannot be read/,
  ],
  [
    'certificate for a key',
    'keyFile: tls.key',
    'keyFile: tls.crt',
    2,
    36,
    'tls.keyFile',
    /without a private key in PEM form/,
  ],
  ['a folder for a file', 'keyFile: tls.key', 'keyFile: .', 2, 36, 'tls.keyFile', /names a file that is a folder/],
  ['an endless file', 'hostname:', 'keyFile: /dev/zero\nhostname:', 1, 10, 'keyFile', /is longer than 1048576 bytes/],
  [
    'an empty password',
    'urls: [https://harbor.lan]',
    'urls: [https://harbor.lan]\n    credentials: { username: a, passwordFile: empty }',
    6,
    47,
    'upstreams.harbor.credentials.passwordFile',
    /a file that is empty/,
  ],
  ['no YAML', 'upstreams:\n', 'upstreams: [\n', 5, 5, '', /./],
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
    t.same([finding?.line, finding?.column], [line, column], 'at its place');
    t.notMatch(error.message, /hunter2/, 'no secret in it');
  });
}

t.test('all findings at once, from top to bottom', async (t) => {
  const folder = await writeMaterial(t);
  const file = `${folder}/breakwater.yaml`;
  const lines = async (text: string) => {
    writeFileSync(file, text);
    const error = await loadConfig(file).catch((error: unknown) => error);
    if (!(error instanceof ConfigError)) throw error;
    return error.findings.map(({ line, key }) => `${line} ${key}`);
  };
  const unknown = GOOD.replace('hostname:', 'a: 1\nb: 2\nhostname:');
  t.same(
    await lines(unknown.replace('prefix: library/', 'prefix: library')),
    ['1 a', '2 b', '11 routes[0].prefix'],
    'of the schema',
  );
  t.same(
    await lines(unknown.replace('push: harbor', 'push: nobody').replace('tls.key', 'none.key')),
    ['1 a', '2 b', '4 tls.keyFile', '12 routes[0].push'],
    'unknown keys do not hide names and files',
  );
  const slow = GOOD.replace('urls: [https://harbor.lan]', 'urls: [https://harbor.lan]\n    probe: { interval: slow }');
  t.same(
    await lines(slow.replace('push: harbor', 'push: nobody').replace('tls.key', 'none.key')),
    ['2 tls.keyFile', '6 upstreams.harbor.probe.interval', '11 routes[0].push'],
    'nor do values',
  );
  t.same(
    await lines(GOOD.replace('gcr:\n    urls: [https://asia.gcr.io]', 'gcr: 5')),
    ['6 upstreams.gcr'],
    'the name of a faulty upstream is known',
  );
  t.same(
    await lines(
      GOOD.replace('push: harbor', 'push: nobody').replace('tls.key', 'none.key').replace('gcr.io', 'gcr.io/v2'),
    ),
    ['2 tls.keyFile', '7 upstreams.gcr.urls[0]', '10 routes[0].push'],
    'of the whole and of the files',
  );
});

t.test('an unknown key is not taken for left out', async (t) => {
  const folder = await writeMaterial(t);
  const file = `${folder}/breakwater.yaml`;
  // Without `registry` the two routes would be one twice.
  const twin = '  - { prefix: library/, registy: docker.io, pull: [{ upstream: gcr }] }\n  - prefix: library/\n';
  writeFileSync(file, GOOD.replace('  - prefix: library/\n', twin));
  const error = await loadConfig(file).catch((error: unknown) => error);
  t.same(error instanceof ConfigError && error.findings.map(({ key }) => key), ['routes[0].registy']);
});

t.test('how it is printed', async (t) => {
  const folder = await writeMaterial(t);
  const file = `${folder}/breakwater.yaml`;
  writeFileSync(file, GOOD.replace('- upstream: gcr', '- upstream: gcrr').replace('tls.key', 'short.key'));
  const error = await loadConfig(file).catch((error: unknown) => error);
  t.equal(
    error instanceof Error && error.message,
    `the configuration cannot be used:
${file}:2:36: tls.keyFile: names a file without a private key in PEM form that can be read without a passphrase
${file}:13:19: routes[0].pull[1].upstream: no upstream is called "gcrr"; there are harbor, gcr; did you mean "gcr"?`,
  );
});

t.test('a configuration that is not there', async (t) => {
  await t.rejects(loadConfig('/nonexistent/breakwater.yaml'), {
    name: 'ConfigError',
    message: /breakwater\.yaml: the configuration file does not exist/,
  });
  await t.rejects(loadConfig('/dev'), { name: 'ConfigError', message: /is a folder/ });
  await t.rejects(loadConfig('/dev/zero'), { name: 'ConfigError', message: /is longer than/ });
});

t.test('an alias bomb is refused', async (t) => {
  const folder = await writeMaterial(t);
  const file = `${folder}/breakwater.yaml`;
  const levels = Array.from(
    { length: 12 },
    (_, level) => `l${level + 1}: &l${level + 1} [${Array(9).fill(`*l${level}`).join(', ')}]`,
  );
  writeFileSync(file, `l0: &l0 x\n${levels.join('\n')}\n`);
  await t.rejects(loadConfig(file), { name: 'ConfigError', message: /aliases expand too far/ });
});
