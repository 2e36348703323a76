import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parse, stringify } from 'yaml';
import { LAUNCHER } from '../../helpers/edge.ts';
import { writeImage } from '../../helpers/image.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { tool } from '../../helpers/tool.ts';
import { CHART, manifestOf, missingForPods, render } from './chart.ts';
import { Node } from './node.ts';
import { writeSite } from './node-site.ts';
import { volumeOf } from './rendered-volume.ts';

const OPTIONS = {
  timeout: timeLimit(180_000),
  skip: missingForPods(...Node.TOOLS, 'helm', 'docker-registry', 'skopeo'),
};
const REGISTRY = 'http://127.0.0.1:5050';
const NOBODY = 'https://10.213.1.3';
const manifest = readFileSync(join(CHART, '../static-pod/breakwater.yaml'), 'utf8');
const page = readFileSync(join(CHART, '../../../docs/deploy-kubernetes.md'), 'utf8');
const pod = parse(manifest).spec;
const [container] = pod.containers;

t.test('a node', OPTIONS, async (t) => {
  const node = await new Node(t).start(`docker.io/library/${container.image}`);

  await t.test('with both registries down, it starts the static pod from the image that it has', async (t) => {
    const configuration = await writeSite(t);
    const [, sysctl = ''] = /`(net\.ipv4\.ip_unprivileged_port_start=\d+)`/.exec(page) ?? [];
    await node.sysctl(sysctl);
    t.equal((await node.crictl('inspecti', container.image)).status, 0, 'the image has the name in the manifest');
    t.equal(container.imagePullPolicy, 'IfNotPresent', 'so the kubelet does not pull it');
    // Without it, the node would wait for a name server.
    node.writeHosts('docker.io', 'server = "http://127.0.0.1:9"\n[host."http://127.0.0.1:9"]\n');
    const refused = await node.crictl('pull', container.image);
    t.match(refused.output, /127\.0\.0\.1:9: connect: connection refused/, 'and could not');

    const id = await node.startPod(manifest, configuration);
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const { host, port, path } = container[probe].httpGet;
      await node.waitFor(`http://${host}:${port}${path}`);
    }
    t.equal(await node.statusOf('https://127.0.0.1:443/v2/'), '200', 'user 1000 listens on port 443');
    t.equal(await node.statusOf('https://127.0.0.1:443/v2/library/app/manifests/v1'), '503', 'and both are down');

    await node.crictl('stop', '--timeout', String(pod.terminationGracePeriodSeconds), id);
    const { status } = JSON.parse((await node.crictl('inspect', id)).stdout);
    t.match(status, { state: 'CONTAINER_EXITED', exitCode: 0 });
  });

  await t.test('its containerd asks the mirror of the DaemonSet first, and then the edge of the site', async (t) => {
    const image = 'cr.example.io/library/app:v1';
    await startRegistry(t, node);
    const upstreams = { harbor: { urls: [REGISTRY], probe: { canary: 'library/app:v1' } }, gcr: { urls: [NOBODY] } };
    const text = await render(t, 'node-mirror', { config: { upstreams } });
    const { volume } = await volumeOf(t, text);
    const mirror = node.program('mirror.log', LAUNCHER, 'serve', '--config', join(volume.folder, 'breakwater.yaml'));
    mirror.start();
    const [{ readinessProbe, ports }] = manifestOf(text, 'DaemonSet').spec.template.spec.containers;
    const { host, port, path } = readinessProbe.httpGet;
    await node.waitFor(`http://${host}:${ports.find(({ name }) => name === port)?.containerPort}${path}`);

    const block = /```toml\n# \/etc\/containerd\/certs\.d\/cr\.example\.io\/hosts\.toml\n([^`]+)```/;
    // The registry stands for the edge of the site.
    node.writeHosts('cr.example.io', (block.exec(page)?.[1] ?? '').replace('https://cr.example.io', REGISTRY));
    const pulled = await node.crictl('pull', image);
    t.equal(pulled.status, 0, pulled.output);
    t.match(mirror.log(), /library\/app/, 'through the mirror');

    t.equal(await mirror.stop(), 0);
    await node.crictl('rmi', image);
    const pulledAgain = await node.crictl('pull', image);
    t.equal(pulledAgain.status, 0, pulledAgain.output);
  });
});

/** A docker-registry on the node, with one image. */
async function startRegistry(t: Test, node: Node): Promise<void> {
  const folder = temporaryFolder(t);
  const config = { version: 0.1, storage: { inmemory: {} }, http: { addr: new URL(REGISTRY).host } };
  writeFileSync(join(folder, 'config.yml'), stringify(config));
  const registry = node.program('registry.log', 'docker-registry', 'serve', join(folder, 'config.yml'));
  registry.start();
  await registry.waitForLog(/listening on/);
  await writeImage(join(folder, 'image'));
  const target = `docker://${new URL(REGISTRY).host}/library/app:v1`;
  const copy = ['copy', '--quiet', '--insecure-policy', '--dest-tls-verify=false'];
  const pushed = await node.run(tool('skopeo'), ...copy, `oci:${join(folder, 'image')}:latest`, target);
  t.equal(pushed.status, 0, pushed.output);
}
