import { parse } from 'yaml';
import { cell, type DocumentedKey, documentedKeys, jsonSchema, type SchemaNode } from './configuration-docs.ts';

// What `npm run docs` writes for the Helm chart: values.schema.json, and the table of values in docs/deploy-kubernetes.md.

/** A JSON Schema of values. Keywords beyond `SchemaNode` are those that only Helm reads. */
export interface ValuesNode extends SchemaNode {
  oneOf?: { required: string[] }[];
  propertyNames?: { pattern: string };
  minLength?: number;
}

const text = (description: string, more: ValuesNode = {}): ValuesNode => ({ type: 'string', description, ...more });
const flag = (description: string): ValuesNode => ({ type: 'boolean', description });
const count = (description: string, minimum: number, maximum?: number): ValuesNode => ({
  type: 'integer',
  description,
  minimum,
  ...(maximum === undefined ? {} : { maximum }),
});
const choice = (description: string, ...values: string[]): ValuesNode => ({ enum: values, description });
const map = (properties: Record<string, ValuesNode>, description = ''): ValuesNode => ({
  type: 'object',
  description,
  properties,
  additionalProperties: false,
});
const texts = (description: string): ValuesNode => ({
  type: 'object',
  description,
  additionalProperties: { type: 'string' },
});
const listOf = (description: string, items: ValuesNode = { type: 'object' }): ValuesNode => ({
  type: 'array',
  description,
  items,
});
/** A part of a manifest, which Kubernetes itself checks. */
const raw = (description: string): ValuesNode => ({ type: 'object', description });

/** No component begins with a dot: the kubelet has names such as `..data` for itself. */
const FILE_NAMES = '^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$';

const SOURCE: ValuesNode = {
  ...map({
    secret: text('The Secret that has it, in the namespace of the release.', { minLength: 1 }),
    configMap: text('Or the ConfigMap that has it.', { minLength: 1 }),
    key: text('The key there.', { minLength: 1 }),
  }),
  required: ['key'],
  oneOf: [{ required: ['secret'] }, { required: ['configMap'] }],
};

const VALUES: Record<string, ValuesNode> = {
  mode: choice(
    '`deployment`: some pods behind a Service. `daemonset`: one pod on each node, on the network of the host, as a mirror for its containerd.',
    'deployment',
    'daemonset',
  ),
  config: raw(
    'The configuration of the edge as a map, with [the keys of breakwater.yaml](configuration.md). The chart adds `listen` and, for a Deployment, `peers`.',
  ),
  configText: text(
    'The configuration as a text, for `--set-file configText=breakwater.yaml`. The chart adds nothing to it.',
  ),
  files: {
    type: 'object',
    description: 'The files that the configuration names, by the names that it has for them.',
    propertyNames: { pattern: FILE_NAMES },
    additionalProperties: SOURCE,
  },
  image: map(
    {
      repository: text('Name of the image. [No node may need the edge to get it.](#how-the-image-reaches-the-nodes)', {
        minLength: 1,
      }),
      tag: text('Its tag. Empty: the version of the chart.'),
      digest: text('Its digest, `sha256:…`. Empty: none.', { pattern: '^(sha256:[0-9a-f]{64})?$' }),
      pullPolicy: choice('`Always` is refused: it needs a registry at each start.', 'IfNotPresent', 'Never', 'Always'),
      pullSecrets: listOf('Secrets for the pull, as `imagePullSecrets` of a pod.'),
    },
    'The image of the edge.',
  ),
  replicas: count('Pods of the Deployment.', 1, 64),
  service: map(
    {
      type: choice('Type of the Service for clients.', 'ClusterIP', 'NodePort', 'LoadBalancer'),
      port: count('Port of the Service.', 1, 65_535),
      nodePort: count('Port on each node. Omitted: Kubernetes takes one.', 1, 65_535),
      annotations: texts('Annotations of the Service.'),
      loadBalancerClass: text('`loadBalancerClass` of the Service.'),
      loadBalancerSourceRanges: listOf('Networks that the load balancer lets in.', { type: 'string' }),
      externalTrafficPolicy: choice(
        '`Local` keeps the addresses of clients, by which the edge limits them.',
        'Local',
        'Cluster',
      ),
    },
    'The Service for clients.',
  ),
  podDisruptionBudget: map(
    { enabled: flag('Keeps all pods but one while nodes are drained. None is made for one replica.') },
    'The PodDisruptionBudget.',
  ),
  networkPolicy: map(
    {
      enabled: flag('Whether there is one. It has no effect on the network of the host, so a DaemonSet has none.'),
      clients: listOf('Who reaches the listeners for clients, as `from` of a NetworkPolicy. Empty: everybody.'),
      monitoring: listOf('Who reaches the admin listener, in the same form. Empty: only the kubelet.'),
      egress: listOf('Rules for what the edge reaches, besides DNS and the other pods. Omitted: everything.'),
    },
    'The NetworkPolicy of the Deployment.',
  ),
  serviceMonitor: map(
    {
      enabled: flag(
        'Whether there is one, for the operator of Prometheus. It takes the token of `config.metricsTokenFile`.',
      ),
      interval: text('Time between two scrapes.', { pattern: '^([0-9]+(ms|s|m|h))+$' }),
      labels: texts('Labels by which your Prometheus selects it.'),
    },
    'The ServiceMonitor.',
  ),
  serviceAccount: map(
    {
      name: text('An account that is there. Empty: the chart makes one, without rights.'),
      annotations: texts('Annotations of that account, for example for workload identity.'),
    },
    'The account of the pods.',
  ),
  resources: raw('Requests and limits of the container.'),
  terminationGracePeriodSeconds: count(
    'Time for a planned stop. Omitted: what `drain` of the configuration needs, and 15 s.',
    1,
  ),
  maxUnavailable: count('Nodes of the DaemonSet that are upgraded at a time.', 1),
  priorityClassName: text('Priority of the pods. Empty: `system-node-critical` for a DaemonSet.'),
  nodeSelector: texts('Labels of the nodes that get pods.'),
  tolerations: listOf('Taints that the pods tolerate. Omitted: every taint for a DaemonSet, none for a Deployment.'),
  affinity: raw('`affinity` of the pods.'),
  topologySpreadConstraints: listOf(
    'How pods are spread. Omitted: never two more on one node than on another, and over zones where that is possible.',
  ),
  podAnnotations: texts('Further annotations of the pods.'),
  podLabels: texts('Further labels of the pods.'),
  env: listOf('Further variables of the container.'),
  volumes: listOf('Further volumes, for example for `tls.acme.dir`.'),
  volumeMounts: listOf('Where these are mounted. Not below `/etc/breakwater`.'),
  fullnameOverride: text('Name of everything that the chart makes. Empty: that of the release.', {
    pattern: '^([a-z]([a-z0-9-]{0,48}[a-z0-9])?)?$',
  }),
  global: raw('Not used. Helm sets it where this chart is a part of another one.'),
};

/** The schema of the chart's values, with that of the configuration in it. */
export function valuesSchema(): ValuesNode & { $schema: string } {
  return {
    // Every Helm 3 knows this draft, and nothing here needs a newer one.
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart breakwater',
    ...map({ ...VALUES, config: { ...configurationSchema(), description: VALUES.config?.description ?? '' } }),
  };
}

/** Helm reads patterns as Go does, which counts to 1000 only. */
function configurationSchema(): SchemaNode {
  const { $schema: _, title: __, ...schema } = jsonSchema() as SchemaNode & { $schema?: string };
  const asGo = (key: string, value: unknown) =>
    key === 'pattern' && typeof value === 'string' ? value.replace(/\{1,\d{4,}\}/g, '+') : value;
  return JSON.parse(JSON.stringify(schema, asGo));
}

/** Every value in the order of the schema, with its default from values.yaml. */
export function documentedValues(valuesYaml: string): DocumentedKey[] {
  const defaults: unknown = parse(valuesYaml);
  return documentedKeys(map(VALUES)).map((one) => ({ ...one, defaultValue: defaultAt(defaults, one.key) }));
}

function defaultAt(defaults: unknown, key: string): string {
  const value = key
    .split('.')
    .reduce<unknown>(
      (at, name) => (typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined),
      defaults,
    );
  if (value === undefined || value === '') return '';
  if (typeof value !== 'object' || value === null) return `\`${value}\``;
  // The parts of a map have rows of their own.
  return Array.isArray(value) && value.length > 0 ? `\`${JSON.stringify(value)}\`` : '';
}

const BEGIN = '<!-- Generated by `npm run docs`. -->\n';
const END = '<!-- End of the generated table. -->\n';

/** The page with its table of values made anew. */
export function valuesMarkdown(page: string, valuesYaml: string): string {
  const rows = documentedValues(valuesYaml).map(
    ({ key, type, defaultValue, description }) => `| \`${key}\` | ${type} | ${defaultValue} | ${cell(description)} |\n`,
  );
  const table = `| value | type | default | description |\n|---|---|---|---|\n${rows.join('')}`;
  const [before = '', rest = ''] = page.split(BEGIN);
  const [, after = ''] = rest.split(END);
  return `${before}${BEGIN}\n${table}\n${END}${after}`;
}
