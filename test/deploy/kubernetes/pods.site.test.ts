import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../../src/lab/certificate.ts';
import { tryCommand } from '../../helpers/command.ts';
import { LAUNCHER } from '../../helpers/edge.ts';
import { Program } from '../../helpers/program.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import { type Container, EXAMPLES, manifestOf, missingForPods, type Probe, render } from './chart.ts';
import type { KubeletVolume } from './kubelet-volume.ts';
import { PodNetwork } from './pod-network.ts';
import { configOf, volumeOf } from './rendered-volume.ts';

const OPTIONS = { skip: missingForPods('helm', ...PodNetwork.TOOLS), timeout: timeLimit(90_000) };
// Nothing is listening there: an outage of both registries.
const NOBODY = 'https://10.213.0.9';
const SHORT = { config: { drain: { announce: '3s', timeout: '10s' } } };

for (const example of EXAMPLES)
  t.test(`breakwater check takes what examples/${example}.yaml renders`, OPTIONS, async (t) => {
    const { volume } = await volumeOf(t, await render(t, example));
    const checked = await tryCommand(LAUNCHER, [
      'check',
      '--offline',
      '--config',
      join(volume.folder, 'breakwater.yaml'),
    ]);
    t.equal(checked.status, 0, checked.output);
  });

t.test('two pods: probes, peers by the headless Service, metrics, new files, and the end', OPTIONS, async (t) => {
  const upstreams = { harbor: { urls: [NOBODY] }, gcr: { urls: [NOBODY] } };
  const text = await render(t, 'site', { config: { ...SHORT.config, upstreams } });
  const pod = manifestOf(text, 'Deployment').spec.template.spec;
  const [container] = pod.containers;
  const network = await new PodNetwork(t, [manifestOf(text, 'Service', 'breakwater-peers').metadata.name]).start();
  const { volume, objects } = await volumeOf(t, text);
  const [first, second] = ([0, 1] as const).map((which) => startPod(t, network, which, volume)) as [Program, Program];
  for (const one of [first, second]) await one.waitForLog(/"msg":"listening"/, 30_000);
  const ask = (probe: Probe) => network.statusOf(probeUrl(container, probe), 1);

  await t.test('the kubelet finds it alive and ready while both registries are down', async (t) => {
    for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe])
      t.equal(await ask(probe), '200', probe.httpGet.path);
    t.equal(await network.statusOf(`http://${PodNetwork.ADDRESSES[0]}:9443/api/status`, 1), '401', 'no more than that');
  });

  await t.test('each finds the other by the name of the Service', async (t) => {
    for (const one of [first, second])
      t.ok(await one.waitForLog(/"msg":"peer[^\n]*in.step|"state":"in-step"/, 15_000), 'in step');
  });

  await t.test('Prometheus reads the metrics as the ServiceMonitor says', async (t) => {
    const [endpoint] = manifestOf(text, 'ServiceMonitor').spec.endpoints ?? [];
    const port = container.ports.find(({ name }) => name === endpoint?.port)?.containerPort;
    const { name, key } = endpoint?.authorization.credentials ?? { name: '', key: '' };
    const url = `http://${PodNetwork.ADDRESSES[0]}:${port}/metrics`;
    t.equal(await network.statusOf(url, 1, '--header', `Authorization: Bearer ${objects[name]?.[key]}`), '200');
    t.equal(await network.statusOf(url, 1), '401', 'and nobody without the token');
  });

  await t.test('what the kubelet swaps is taken over without a restart', async (t) => {
    const renewed = await makeCertificate({ names: ['cr.example.io'] });
    const changed = await render(t, 'site', { config: { ...SHORT.config, upstreams, auth: { remember: '48h' } } });
    volume.update({
      ...objects,
      breakwater: { ...objects.breakwater, ...configOf(changed).breakwater },
      'breakwater-tls': { 'tls.crt': renewed.cert, 'tls.key': renewed.key },
    });
    for (const one of [first, second])
      t.match(await one.waitForLog(/"msg":"[^"]*reload[^"]*"[^\n]*/, 15_000), [/reloaded/]);
  });

  await t.test('a pod that is deleted fails /readyz, goes on serving, and ends in time', async (t) => {
    first.signal('SIGTERM');
    await until(async () => (await ask(container.readinessProbe)) === '503', { what: () => '/readyz' });
    const host = ['--insecure', '--header', 'Host: cr.example.io'];
    t.equal(await network.statusOf(`https://${PodNetwork.ADDRESSES[0]}:8443/v2/`, 1, ...host), '401', 'it serves');
    const before = performance.now();
    t.equal(await first.ended(), 0);
    t.ok(performance.now() - before < pod.terminationGracePeriodSeconds * 1000, 'within the grace period');
    t.equal(pod.terminationGracePeriodSeconds, 28);
  });
});

function startPod(t: Test, network: PodNetwork, which: 0 | 1, volume: KubeletVolume): Program {
  const config = join(volume.folder, 'breakwater.yaml');
  const [program, ...args] = network.inPod(which, LAUNCHER, 'serve', '--config', config);
  const pod = new Program(t, { command: program, args, logFile: join(temporaryFolder(t), 'pod.log') });
  pod.start();
  return pod;
}

/** Where the kubelet asks: the address of the pod, unless the probe names another host. */
function probeUrl(container: Container, { httpGet: { path, port, host } }: Probe): string {
  const number = typeof port === 'number' ? port : container.ports.find(({ name }) => name === port)?.containerPort;
  return `http://${host ?? PodNetwork.ADDRESSES[0]}:${number}${path}`;
}
