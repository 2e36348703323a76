import t from 'tap';
import { kindOfSource, type LintOptions, lintFiles, type SourceFile } from '../../../src/clients/lint/lint.ts';
import { isInRange, rangeText, versionNumbers } from '../../../src/clients/lint/program-version.ts';
import {
  hostOf,
  isEdge,
  isLoopback,
  pathOf,
  quoted,
  registryOfImage,
} from '../../../src/clients/lint/registry-name.ts';

const SITE: LintOptions = { edges: [], upstreamHosts: [], versions: {}, exists: () => undefined, now: 0 };
const HOSTS = '/etc/containerd/certs.d/docker.io/hosts.toml';

function rulesOf(source: SourceFile, options: Partial<LintOptions> = {}): string[] {
  return lintFiles([source], { ...SITE, ...options }).map(({ rule, line }) => `${rule}:${line}`);
}

t.test('a rule for some versions: in them, in others, and if the version is not known', async (t) => {
  const source = { path: HOSTS, text: 'server = "https://cr.example.io"\n[host."https://cr.example.io"]\n' };
  t.strictSame(rulesOf(source, { versions: { containerd: '2.1.0' } }), ['containerd-hosts-no-dial-timeout:2']);
  t.strictSame(rulesOf(source, { versions: { containerd: '1.7.29' } }), []);
  const [finding] = lintFiles([source], SITE);
  t.match(finding, { versions: '2.1 and newer', versionKnown: false });
});

t.test('versions of programs and packages', async (t) => {
  t.strictSame(versionNumbers('v2.1.0-rc.1'), [2, 1, 0]);
  t.strictSame(versionNumbers('5:20.10.24+dfsg1-1+deb12u1'), [20, 10, 24]);
  t.strictSame(versionNumbers('1.6.20~ds1-1+deb12u3'), [1, 6, 20]);
  t.equal(versionNumbers('latest'), undefined);
  t.equal(versionNumbers('1.2.3.4.5'), undefined);
  t.ok(isInRange('2.0', { from: '2.0', before: '2.1' }));
  t.notOk(isInRange('2.1.0', { from: '2.0', before: '2.1' }));
  t.ok(isInRange('2.10', { from: '2.9' }), 'numbers are compared as numbers');
  t.strictSame([{}, { from: '1' }, { before: '2' }, { from: '1', before: '2' }].map(rangeText), [
    'all',
    '1 and newer',
    'before 2',
    '1 to before 2',
  ]);
});

t.test('what looks like a mistake and is none', async (t) => {
  const disabled = { path: '/etc/containerd/config.toml', text: 'version = 2\ndisabled_plugins = ["cri"]\n' };
  t.strictSame(rulesOf(disabled), [], 'Docker has its containerd without CRI');
  const edges = ['cr.example.io'];
  const local = `server = "http://127.0.0.1:5000"\n[host."http://127.0.0.1:5000"]\ndial_timeout = "2s"\n`;
  t.strictSame(rulesOf({ path: HOSTS, text: local }, { edges }), [], 'an edge may listen on the node itself');
  const daemon = { path: '/etc/docker/daemon.json', text: '{"registry-mirrors": ["http://localhost:5000"]}' };
  t.strictSame(rulesOf(daemon, { edges }), []);
  const fallback = `server = "https://cr.example.io"\nca = "ca.crt"\n[host."https://gcr.io/v2/p"]\noverride_path = true\ndial_timeout = "2s"\n`;
  const path = HOSTS.replace('docker.io', 'cr.example.io');
  t.strictSame(
    rulesOf({ path, text: fallback }, { edges }),
    [],
    'a fallback with a certificate that every node trusts',
  );
});

t.test('a broken file is a finding, with what its program does', async (t) => {
  t.match(lintFiles([{ path: HOSTS, text: 'server = "x"\n[host' }], SITE), [
    { rule: 'file-broken', line: 2, happens: /This is no TOML.*containerd only logs it/ },
  ]);
  t.match(lintFiles([{ path: '/etc/docker/daemon.json', text: '{' }], SITE), [
    { rule: 'file-broken', happens: /no JSON.*dockerd does not start/ },
  ]);
  t.match(lintFiles([{ path: '/etc/buildkit/buildkitd.toml', text: '\u0007' }], SITE), [
    { rule: 'file-broken', line: 1 },
  ]);
  t.strictSame(rulesOf({ path: '/etc/docker/daemon.json', text: '' }), [], 'dockerd takes an empty file');
  t.strictSame(rulesOf({ path: '/etc/docker/daemon.json', text: '\uFEFF{}' }), [], 'and a byte order mark');
});

t.test('values of another type than expected are no reason to fail', async (t) => {
  const odd = ['[]', '"x"', '1', 'null', '{"auths": [], "registry-mirrors": {"a": 1}, "default": 1, "transports": []}'];
  for (const path of ['/etc/docker/daemon.json', '/root/.docker/config.json', '/etc/containers/policy.json'])
    for (const text of odd)
      t.doesNotThrow(() => rulesOf({ path, text }, { edges: ['cr.example.io'] }), `${path} ${text}`);
  const toml = 'host = 1\nserver = []\nregistry = "x"\nrunners = [1, "x"]\nplugins = [1]\ncrio = 1\nversion = "x"\n';
  for (const kind of [
    'containerd-hosts',
    'containerd-config',
    'registries-conf',
    'crio',
    'buildkit',
    'gitlab-runner',
  ] as const)
    t.doesNotThrow(() => rulesOf({ path: '/x', text: toml, kind }, { edges: ['cr.example.io'] }), kind);
  const yaml =
    'mirrors: [1]\nconfigs: x\nproviders: [1, {}]\nkind: Secret\ndata: 1\nimage: []\nspec: {containers: [x]}\n';
  for (const kind of ['k3s-registries', 'kubelet-credentials', 'kubernetes'] as const)
    t.doesNotThrow(() => rulesOf({ path: '/x', text: yaml, kind }, { edges: ['cr.example.io'] }), kind);
});

t.test('secrets and variables with docker configurations are read inside their files', async (t) => {
  const json = JSON.stringify({ auths: { 'harbor.lan': { auth: 'x' } } });
  const secret = `kind: Secret\ntype: kubernetes.io/dockerconfigjson\ndata:\n  .dockerconfigjson: ${btoa(json)}\n`;
  const list = `apiVersion: v1\nkind: List\nitems:\n- ${secret.replaceAll('\n', '\n  ').trimEnd()}\n`;
  const site = { edges: ['cr.example.io'], upstreamHosts: ['harbor.lan'] };
  t.strictSame(rulesOf({ path: '/x.yaml', text: list }, site), ['auth-not-base64:7', 'auth-upstream-only:7']);
  const toml = `[[runners]]\nenvironment = ['A=1',\n  'DOCKER_AUTH_CONFIG=${json}']\n`;
  t.strictSame(rulesOf({ path: '/etc/gitlab-runner/config.toml', text: toml }, site), [
    'auth-not-base64:3',
    'auth-upstream-only:3',
  ]);
});

t.test('no file makes endless findings', async (t) => {
  const hosts = Array.from(
    { length: 2000 },
    (_, index) => `[host."http://h${index}.example.io"]\ndial_timeout = "1s"\n`,
  );
  const findings = lintFiles([{ path: HOSTS, text: `server = "https://x"\n${hosts.join('')}` }], SITE);
  const clear = findings.filter(({ rule }) => rule === 'containerd-hosts-http');
  t.equal(clear.length, 50);
  t.equal(clear.at(-1)?.subject, 'this and 1950 more');
});

t.test('texts that are made to take long take no time that grows with their square', async (t) => {
  const long = 1_000_000;
  for (const part of [
    '\n',
    ' ',
    ':',
    '{',
    '"kind":',
    'kind: \n',
    '- ',
    '{ ',
    '[[',
    'docker/',
    '-----BEGIN CERTIFICATE-----',
  ])
    for (const path of ['/x.yaml', '/x.toml', '/etc/docker/certs.d/x/ca.crt']) {
      const text = part.repeat(long / part.length);
      const kind = kindOfSource({ path, text });
      if (kind === 'certificates') t.ok(rulesOf({ path, text, kind }).length <= 2, `${path} ${part}`);
    }
  const stars = `kind: CredentialProviderConfig\nproviders:\n- matchImages: ["${'a*'.repeat(50_000)}b", "${':'.repeat(100_000)}"]\n`;
  const site = { edges: [`${'a'.repeat(60)}`], upstreamHosts: ['a'.repeat(50)] };
  t.ok(rulesOf({ path: '/x.yaml', text: stars }, site).length > 0);
});

t.test('patterns of images', async (t) => {
  for (const [pattern, host, matches] of [
    ['*.example.io', 'cr.example.io', true],
    ['*.io', 'cr.example.io', false],
    ['cr*.example.io', 'cr1.example.io', true],
    ['c*1*.example.io', 'cr1x.example.io', true],
    ['c*1*2.example.io', 'cr12.example.io', true],
    ['c*2*1.example.io', 'cr12.example.io', false],
    ['aa*aa.example.io', 'aaa.example.io', false],
    ['cr.example.io/team', 'cr.example.io', true],
  ] as const) {
    const text = `kind: CredentialProviderConfig\nproviders:\n- {name: x, apiVersion: credentialprovider.kubelet.k8s.io/v1, defaultCacheDuration: 1h, matchImages: ["${pattern}", "harbor.lan"]}\n`;
    const found = rulesOf({ path: '/x.yaml', text }, { edges: [host], upstreamHosts: ['harbor.lan'] });
    t.strictSame(found, matches ? [] : ['kubelet-no-edge:3'], `${pattern} and ${host}`);
  }
});

t.test('what a file is', async (t) => {
  for (const [path, text, kind] of [
    ['/etc/containerd/config.toml', '', 'containerd-config'],
    ['/etc/gitlab-runner/config.toml', '', 'gitlab-runner'],
    ['/x/config.toml', '[[runners]]', 'gitlab-runner'],
    ['/x/config.toml', 'version = 2', 'containerd-config'],
    ['/x/y.toml', '[registry."docker.io"]', 'buildkit'],
    ['/x/y.toml', '[[registry]]', 'registries-conf'],
    ['/x/y.toml', '[crio.image]', 'crio'],
    ['/x/y.toml', 'a = 1', undefined],
    ['/var/snap/microk8s/1/args/certs.d/docker.io/hosts.toml', '', 'containerd-hosts'],
    ['/etc/docker/certs.d/cr.example.io:5000/ca.crt', '', 'certificates'],
    ['/etc/containers/registries.conf.d/a.txt', '', 'registries-conf'],
    ['/x/pod.yaml', 'apiVersion: v1\nkind: Pod\nspec: {containers: [{image: a}]}', 'kubernetes'],
    ['/x/chart.yaml', 'apiVersion: v1\nkind: Pod\nimage: {{ .Values.image }}', undefined],
    ['/x/values.yaml', 'image: a', undefined],
    ['/x/providers.json', '{"kind": "CredentialProviderConfig"}', 'kubelet-credentials'],
  ] as const)
    t.equal(kindOfSource({ path, text }), kind, `${path} ${text}`);
});

t.test('names of registries', async (t) => {
  t.equal(hostOf('https://bob:hunter2@CR.example.io:5000/v2'), 'cr.example.io:5000');
  t.equal(pathOf('https://cr.example.io/v2/'), '/v2');
  t.equal(pathOf('cr.example.io'), '');
  t.strictSame(['alpine', 'team/app', 'localhost/app', 'cr.example.io/app', 'host:5000/app'].map(registryOfImage), [
    'docker.io',
    'docker.io',
    'localhost',
    'cr.example.io',
    'host:5000',
  ]);
  const context = { ...SITE, edges: ['cr.example.io'], files: [] };
  t.ok(isEdge('cr.example.io:443', context));
  t.notOk(isEdge('cr.example.io:5000', context));
  t.strictSame(['localhost', '127.1.2.3:80', '[::1]:5000', '10.0.0.1', '127.example.io'].map(isLoopback), [
    true,
    true,
    true,
    false,
    false,
  ]);
  t.equal(quoted('https://bob:hunter2@x'), '"https://***@x"');
  t.ok(quoted('x'.repeat(1000)).length < 125);
});
