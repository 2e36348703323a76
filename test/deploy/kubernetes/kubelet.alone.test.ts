import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import { timeLimit } from '../../helpers/time-limit.ts';
import { tool } from '../../helpers/tool.ts';
import { until } from '../../helpers/until.ts';
import { CHART, missingForPods } from './chart.ts';
import { Node } from './node.ts';
import { writeSite } from './node-site.ts';

const manifest = readFileSync(join(CHART, '../static-pod/breakwater.yaml'), 'utf8');
const [, image = ''] = /image: (\S+)/.exec(manifest) ?? [];
const OPTIONS = { timeout: timeLimit(300_000), skip: missingForPods('kubelet', ...Node.TOOLS) };

interface ContainerStatus {
  ready: boolean;
  restartCount: number;
}

// `npm run kubernetes`: to build the kubelet takes too long for every run of the tests.
t.test('a real kubelet, without an API server and with both registries down', OPTIONS, async (t) => {
  const node = await new Node(t).start(`docker.io/library/${image}`);
  const configuration = await writeSite(t);
  await node.sysctl('net.ipv4.ip_unprivileged_port_start=443');
  const file = join(node.folder, 'manifests/breakwater.yaml');
  writeFileSync(file, manifest.replace('path: /etc/breakwater,', `path: ${configuration},`));
  const kubelet = startKubelet(node);
  const untilReady = (restarts: number) =>
    until(
      async () => {
        const status = await statusOf(node);
        return status?.ready && status.restartCount === restarts;
      },
      { timeout: 90_000, every: 500, what: () => `a ready pod:\n${kubelet.log().slice(-3000)}` },
    );
  await untilReady(0);
  t.equal(await node.statusOf('https://127.0.0.1:443/v2/'), '200', 'it starts the static pod from its own image');

  const [container = ''] = (await node.crictl('ps', '--quiet')).stdout.split('\n');
  const { info }: { info: { pid: number } } = JSON.parse((await node.crictl('inspect', container)).stdout);
  process.kill(info.pid, 'SIGKILL');
  await untilReady(1);
  t.equal(await node.statusOf('https://127.0.0.1:443/v2/'), '200', 'after kill -9, it starts it again');

  rmSync(file);
  await until(async () => (await node.crictl('ps', '--quiet')).stdout.trim() === '', { timeout: 60_000, every: 500 });
  t.equal(await node.statusOf('https://127.0.0.1:443/v2/'), '000', 'without its manifest, it ends');
});

function startKubelet(node: Node) {
  const path = (name: string) => join(node.folder, name);
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    staticPodPath: path('manifests'),
    fileCheckFrequency: '1s',
    podLogsDir: path('logs'),
    containerRuntimeEndpoint: node.endpoint,
    address: '127.0.0.1',
    healthzPort: 0,
    // The network has no other users.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    // It runs beside other programs, on a machine that is not its own.
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    failSwapOn: false,
    failCgroupV1: false,
    evictionHard: { 'memory.available': '1Mi', 'nodefs.available': '0%', 'imagefs.available': '0%' },
    imageGCHighThresholdPercent: 100,
  };
  writeFileSync(path('kubelet.yaml'), stringify(config));
  const places = ['--root-dir', path('kubelet'), '--cert-dir', path('pki'), '--hostname-override', 'node'];
  // What it mounts is gone with it, however it ends.
  const args = ['--mount', tool('kubelet'), '--config', path('kubelet.yaml'), ...places];
  const kubelet = node.program('kubelet.log', 'unshare', ...args);
  kubelet.start();
  return kubelet;
}

async function statusOf(node: Node): Promise<ContainerStatus | undefined> {
  const { stdout } = await node.run(tool('curl'), '--silent', '--insecure', 'https://127.0.0.1:10250/pods');
  if (!stdout.startsWith('{')) return undefined;
  const { items }: { items: { status: { containerStatuses?: ContainerStatus[] } }[] | null } = JSON.parse(stdout);
  return items?.[0]?.status.containerStatuses?.[0];
}
