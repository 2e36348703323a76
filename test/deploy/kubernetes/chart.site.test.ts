import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { missing } from '../../helpers/tool.ts';
import { CHART, EXAMPLES, helm, type Manifest, manifestOf, manifestsIn, render, template, validate } from './chart.ts';

const OPTIONS = { skip: missing('helm', 'validator') };

for (const example of EXAMPLES)
  t.test(`helm lint takes the chart with examples/${example}.yaml`, OPTIONS, async (t) => {
    const linted = await helm(t, 'lint', '--strict', CHART, '--values', join(CHART, 'examples', `${example}.yaml`));
    t.equal(linted.status, 0, linted.output);
  });

t.test('an API server would take every manifest', OPTIONS, async (t) => {
  const clients = [{ ipBlock: { cidr: '10.0.0.0/8' } }];
  for (const [what, example, values] of [
    ['the site', 'site', {}],
    ['the mirror of a node', 'node-mirror', {}],
    ['one replica', 'site', { replicas: 1, serviceAccount: { name: 'mine' } }],
    ['a NodePort', 'site', { service: { type: 'NodePort', nodePort: 30443 } }],
    ['a ClusterIP', 'site', { service: { type: 'ClusterIP' }, networkPolicy: { clients, monitoring: [], egress: [] } }],
    ['all listeners', 'site', { config: { listen: { http: '0.0.0.0:8080', plain: '0.0.0.0:5000' } } }],
    ['a digest', 'site', { image: { digest: `sha256:${'a'.repeat(64)}` }, fullnameOverride: 'breakwater-cr' }],
    ['what passes through', 'site', PASSED_THROUGH],
  ] as const)
    await t.test(what, async (t) => {
      const text = await render(t, example, values);
      const verdicts = await validate(t, text);
      t.equal(verdicts.length, manifestsIn(text).length);
      for (const { kind, name, errors } of verdicts) t.strictSame(errors, [], `${kind} ${name}`);
      const level = example === 'site' ? 'restricted' : 'privileged';
      t.strictSame(
        verdicts.flatMap((one) => one.level ?? []),
        [level],
        'the level of pod security that its namespace needs',
      );
    });
});

t.test('the static pod is one that the kubelet takes', OPTIONS, async (t) => {
  const manifest = readFileSync(join(CHART, '../static-pod/breakwater.yaml'), 'utf8');
  t.strictSame(await validate(t, manifest, '--static'), [
    { kind: 'Pod', name: 'breakwater', level: 'privileged', errors: [] },
  ]);
  const withSecret = manifest.replace(/hostPath: .*/, 'secret: { secretName: breakwater }');
  t.match(await validate(t, withSecret, '--static'), [{ errors: [/may not reference secrets/] }]);
});

t.test('a mistake in a manifest is noticed', OPTIONS, async (t) => {
  const text = await render(t, 'site');
  for (const [from, to, message] of [
    ['minReadySeconds:', 'minReadySecond:', /unknown field "spec.minReadySecond"/],
    ['port: 443', 'port: 443000', /must be between 1 and 65535/],
    ['maxUnavailable: 0', 'maxUnavailable: -1', /must be greater than or equal to 0/],
    ['interval: 15s', 'intervall: 15s', /unknown field "spec.endpoints\[0\].intervall"/],
    ['runAsUser: 1000', 'runAsUser: -1', /must be between 0 and/],
  ] as const) {
    t.ok(text.includes(from), from);
    const errors = (await validate(t, text.replace(from, to))).flatMap((one) => one.errors);
    t.match(errors.join('\n'), message);
  }
});

t.test('what a change of values changes', OPTIONS, async (t) => {
  const restart = (text: string) =>
    manifestOf(text, 'Deployment').spec.template.metadata.annotations['breakwater/restart'];
  const before = await render(t, 'site');
  const kinds = (text: string) => manifestsIn(text).map(({ kind }: Manifest) => kind);
  t.strictSame(kinds(before).sort(), [
    ...['ConfigMap', 'Deployment', 'NetworkPolicy', 'PodDisruptionBudget', 'Service', 'Service', 'ServiceAccount'],
    'ServiceMonitor',
  ]);
  t.equal(restart(await render(t, 'site', { config: { auth: { remember: '48h' } } })), restart(before), 'reloaded');
  for (const config of [{ log: { level: 'debug' } }, { listen: { plain: '0.0.0.0:5000' } }, { ledger: { tags: 10 } }])
    t.not(restart(await render(t, 'site', { config })), restart(before), 'read at the start only');

  const slow = await render(t, 'site', { config: { drain: { announce: '1500ms', timeout: '1.5h' } } });
  t.equal(manifestOf(slow, 'Deployment').spec.template.spec.terminationGracePeriodSeconds, 2 + 5400 + 15);
  const alone = await render(t, 'site', { replicas: 1, networkPolicy: { enabled: false } });
  t.notOk(kinds(alone).some((kind) => ['PodDisruptionBudget', 'NetworkPolicy'].includes(kind)));
  t.equal(manifestOf(await render(t, 'site', { replicas: 5 }), 'PodDisruptionBudget').spec.minAvailable, 4);
  t.strictSame(kinds(await render(t, 'node-mirror')).sort(), ['ConfigMap', 'DaemonSet', 'ServiceAccount']);
});

t.test('a configuration as a text stays as it is', OPTIONS, async (t) => {
  const text =
    '  # Two spaces before everything.\n  hostname: cr.example.io\n  listen: { admin: "0.0.0.0:9443", https: "0.0.0.0:8443" }\n';
  const rendered = await render(t, undefined, { configText: text, replicas: 1 });
  t.equal(manifestOf(rendered, 'ConfigMap').data?.['breakwater.yaml'], text);
});

t.test('wrong values: what was expected, and what to do', OPTIONS, async (t) => {
  const bySchema = await template(t, 'site', REFUSED_BY_SCHEMA);
  t.equal(bySchema.status, 1);
  for (const message of SCHEMA_SAYS) t.match(bySchema.output, message);
  for (const [values, ...messages] of WRONG) {
    const { status, output } = await template(t, 'site', values);
    t.equal(status, 1, JSON.stringify(values));
    for (const message of messages) t.match(output, message, JSON.stringify(values));
  }
  const onNode = async (values: object, message: RegExp) =>
    t.match((await template(t, 'node-mirror', values)).output, message);
  await onNode(
    { config: { peers: ['https://a'] } },
    /config.peers: the mirror of a node stands alone.* Remove `peers`/,
  );
  await onNode({ serviceMonitor: { enabled: true } }, /does not reach the admin listener of a node's mirror.*agent/);
  for (const [configText, message] of [
    ['a: [', /configText is no YAML map .*check --offline/],
    ['- a', /configText is no YAML map/],
    ['listen: 3', /config.listen is no map/],
    ['peers: here', /config.peers is no list/],
    ['hostname: a', /config.listen.admin: 127.0.0.1:9443 is reached from inside of the pod only.* Set 0.0.0.0:9443/],
  ] as const)
    t.match((await template(t, undefined, { configText })).output, message);
  for (const [key, message] of LACKING) {
    const values = parse(readFileSync(join(CHART, 'examples/site.yaml'), 'utf8'));
    delete values.config[key];
    t.match((await template(t, undefined, values)).output, message);
  }
  t.match(
    (await template(t, undefined)).output,
    /config is missing. Put your breakwater.yaml under `config`.*examples/,
  );
});

/** Helm names every value that the schema refuses in one run. */
const REFUSED_BY_SCHEMA = {
  replica: 2,
  replicas: 0,
  mode: 'statefulset',
  service: { type: 'External' },
  image: { digest: 'sha256:1' },
  files: {
    '../x': { secret: 'a', key: 'b' },
    '..data/x': { secret: 'a', key: 'b' },
    y: { secret: 'a' },
    z: { secret: 'a', configMap: 'b', key: 'c' },
  },
  config: { hostnam: 'a', drain: { timeout: '5 minutes' } },
  serviceMonitor: { interval: 'often' },
};

const SCHEMA_SAYS = [
  /additional properties 'replica' not allowed/,
  /'\/replicas': minimum: got 0, want 1/,
  /'\/mode': value must be one of 'deployment', 'daemonset'/,
  /'\/service\/type': value must be one of/,
  /'\/image\/digest': 'sha256:1' does not match pattern/,
  /'\.\.\/x' does not match pattern/,
  /'\.\.data\/x' does not match pattern/,
  /missing property 'key'/,
  /'\/files\/z': 'oneOf' failed/,
  /'\/config': additional properties 'hostnam' not allowed/,
  /'\/config\/drain\/timeout': '5 minutes' does not match pattern/,
  /'\/serviceMonitor\/interval': 'often' does not match/,
];

/** The templates say these. */
const WRONG: [object, ...RegExp[]][] = [
  [{ configText: 'a: 1' }, /config and configText are both set.* Remove one/],
  [
    { config: { listen: { https: '0.0.0.0:443' } } },
    /config.listen.https: port 443 of 0.0.0.0:443 is below 1024.*user 1000.* Set 0.0.0.0:8443.*service.port/,
  ],
  [
    { config: { listen: { https: '127.0.0.1:8443' } } },
    /config.listen.https: 127.0.0.1:8443 .* for the Service. Set 0.0.0.0:8443/,
  ],
  [
    { config: { listen: { admin: 'unix:/run/a' } } },
    /config.listen.admin: unix:\/run\/a .* for the probes of the kubelet. Set 0.0.0.0:9443/,
  ],
  [
    { config: { tls: { certFile: 'other.crt' } } },
    /config.tls.certFile: other.crt is not in `files`.* Add: files: { other.crt: { secret: NAME, key: KEY } }/,
  ],
  [
    { config: { tls: [{ certFile: 'a b.crt', keyFile: 'tls/tls.key' }] } },
    /config.tls\[0\].certFile: a b.crt is not in `files`/,
  ],
  [
    { files: { 'breakwater.yaml': { secret: 'a', key: 'b' } } },
    /breakwater.yaml is the configuration itself.* Use `config`/,
  ],
  [
    { config: { peers: ['https://10.0.0.1'] } },
    /config.peers does not name the other pods.* Add peers: \[https:\/\/breakwater-peers:8443\]/,
  ],
  [
    { image: { pullPolicy: 'Always' } },
    /image.pullPolicy: Always asks a registry at each start.* Expected IfNotPresent or Never/,
  ],
  [
    { image: { repository: 'cr.example.io/library/breakwater' } },
    /image.repository: cr.example.io\/library\/breakwater comes through the edge itself.* Name it as it is called on the fallback, or preload/,
  ],
  [{ fullnameOverride: 'cr' }, /fullnameOverride: cr is the name of the job in Prometheus.* such as breakwater-cr/],
  [
    { terminationGracePeriodSeconds: 30 },
    /terminationGracePeriodSeconds: 30 is shorter than a planned stop.* Expected at least 305 s/,
  ],
  [
    { config: { metricsTokenFile: 'harbor-ca.crt' } },
    /config.metricsTokenFile harbor-ca.crt is in no Secret.* Expected files:/,
  ],
];

const LACKING: [string, RegExp][] = [
  ['hostname', /'\/config': missing property 'hostname'/],
  ['keyFile', /config.keyFile is missing.* Add keyFile: edge.key.*kubectl create secret/],
  [
    'metricsTokenFile',
    /serviceMonitor.enabled: config.metricsTokenFile is missing.* Add metricsTokenFile: metrics.token/,
  ],
];

const PASSED_THROUGH = {
  podAnnotations: { a: 'b' },
  podLabels: { c: 'd' },
  env: [{ name: 'HOME', value: '/tmp' }],
  volumes: [{ name: 'acme', emptyDir: {} }],
  volumeMounts: [{ name: 'acme', mountPath: '/var/lib/breakwater' }],
  affinity: { nodeAffinity: {} },
  nodeSelector: { e: 'f' },
  tolerations: [{ key: 'g', operator: 'Exists' }],
  topologySpreadConstraints: [],
  priorityClassName: 'high',
  serviceAccount: { annotations: { 'iam.gke.io/gcp-service-account': 'h' } },
  service: { annotations: { i: 'j' }, loadBalancerClass: 'k.io/l', loadBalancerSourceRanges: ['10.0.0.0/8'] },
  global: { imageRegistry: 'm' },
};
