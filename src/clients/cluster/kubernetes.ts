import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { containerdFiles } from '../generate/containerd.ts';
import { loginOf } from '../generate/docker-login.ts';
import { type Generated, type GeneratedFile, headerOf, type Request } from '../generate/generated.ts';
import { installScript } from '../script/install-script.ts';

const NAME = 'breakwater-client';
const SECRET = 'breakwater-pull';
/** The newest known containerd: those that do not know a key of hosts.toml ignore it. */
const CONTAINERD = '2.4';
/** It has sh and sha256sum. */
const IMAGE = 'docker.io/library/busybox:1.37';
const LABELS = { 'app.kubernetes.io/name': NAME };
/** Folders of the node that the script writes. */
const FOLDERS = ['/etc/containerd/certs.d', '/var/lib/breakwater-client'];

/**
 * Objects for `kubectl apply`: a secret for imagePullSecrets, and a DaemonSet that puts the files onto nodes with containerd. Fields:
 * https://kubernetes.io/docs/reference/kubernetes-api/ and https://kubernetes.io/docs/concepts/security/pod-security-standards/ (2026-11-30).
 */
export function kubernetesFiles(request: Request): Generated {
  const { site, image = IMAGE } = request;
  const containerd = containerdFiles({ ...request, version: CONTAINERD });
  // A shared file of the node, config.toml, is left to whoever set up the node.
  const own = { files: containerd.files.filter(({ content }) => typeof content === 'string'), notes: [] };
  const script = installScript(own, { kind: 'kubernetes', host: site.host, version: undefined });
  const login = loginOf(site);
  const file = (path: string, ...objects: object[]): GeneratedFile => ({
    path,
    content: `# ${headerOf('kubernetes', site.host)}\n${objects.map((object) => stringify(object, { lineWidth: 0 })).join('---\n')}`,
  });
  return {
    files: [
      file(`/${NAME}.yaml`, namespace(), configMap(script), daemonSet(script, image, 'install')),
      file(`/${NAME}-uninstall.yaml`, namespace(), configMap(script), daemonSet(script, image, 'uninstall')),
      ...(login === undefined ? [] : [{ ...file(`/${SECRET}.yaml`, pullSecret(login)), secret: true as const }]),
    ],
    notes: notesOf(containerd.notes, image, login !== undefined),
  };
}

function notesOf(containerd: readonly string[], image: string, hasLogin: boolean): string[] {
  return [
    // The rest is about config.toml and ctr.
    ...containerd.filter((note) => /imagePullSecrets|second host|tags may be older/.test(note)),
    `The DaemonSet is for nodes with containerd whose config_path is /etc/containerd/certs.d: grep config_path /etc/containerd/config.toml tells it. containerd 2.2 and later have it by default; before, set it when the node is set up (breakwater client containerd).`,
    `Nodes pull ${image} before they have the files, so it must come from a registry that they reach without them.`,
    `To take the files back: kubectl apply -f ${NAME}-uninstall.yaml, wait until its pods are ready, and kubectl delete -f ${NAME}-uninstall.yaml. Deleting the DaemonSet alone leaves the files.`,
    hasLogin
      ? `Apply ${SECRET}.yaml in each namespace (-n), and name it there in imagePullSecrets of the pods or of their ServiceAccount. It is a secret.`
      : 'Without --user and --password-file, no secret for imagePullSecrets is written.',
  ];
}

function namespace(): object {
  // hostPath volumes need it.
  const labels = { ...LABELS, 'pod-security.kubernetes.io/enforce': 'privileged' };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAME, labels } };
}

function configMap(script: string): object {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: NAME, namespace: NAME, labels: LABELS },
    data: { 'install.sh': script },
  };
}

function daemonSet(script: string, image: string, action: 'install' | 'uninstall'): object {
  // Another script makes new pods.
  const annotations = { 'breakwater/script': createHash('sha256').update(script).digest('hex').slice(0, 16) };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: NAME, namespace: NAME, labels: LABELS },
    spec: {
      selector: { matchLabels: LABELS },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } },
      template: { metadata: { labels: LABELS, annotations }, spec: podSpec(image, action) },
    },
  };
}

function podSpec(image: string, action: string): object {
  const done = 'touch /tmp/done && trap "exit 0" TERM && while :; do sleep 3600 & wait $!; done';
  return {
    automountServiceAccountToken: false,
    tolerations: [{ operator: 'Exists' }],
    containers: [
      {
        name: action,
        image,
        command: ['sh', '-c', `sh /script/install.sh ${action} && ${done}`],
        env: [{ name: 'BREAKWATER_ROOT', value: '/host' }],
        readinessProbe: { exec: { command: ['test', '-e', '/tmp/done'] }, periodSeconds: 5 },
        resources: { requests: { cpu: '1m', memory: '8Mi' }, limits: { memory: '64Mi' } },
        securityContext: {
          runAsUser: 0,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'script', mountPath: '/script', readOnly: true },
          { name: 'tmp', mountPath: '/tmp' },
          ...FOLDERS.map((path, index) => ({ name: `node-${index}`, mountPath: `/host${path}` })),
        ],
      },
    ],
    volumes: [
      { name: 'script', configMap: { name: NAME } },
      { name: 'tmp', emptyDir: {} },
      ...FOLDERS.map((path, index) => ({ name: `node-${index}`, hostPath: { path, type: 'DirectoryOrCreate' } })),
    ],
  };
}

function pullSecret(login: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/dockerconfigjson',
    metadata: { name: SECRET, labels: LABELS },
    stringData: { '.dockerconfigjson': login },
  };
}
