import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { kubernetesFiles } from '../../../src/clients/cluster/kubernetes.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { FALLBACK, siteOf, textsOf } from '../client-sites.ts';

const user = { name: 'ci', password: 'secret' };
const generated = kubernetesFiles({ site: siteOf({ user, fallback: FALLBACK }), version: undefined });
const texts = textsOf(generated);
const objects = (file: string) => parseAllDocuments(texts[file] ?? '').map((document) => document.toJS());

t.test('a secret for imagePullSecrets', async (t) => {
  const secret = parse(texts['/breakwater-pull.yaml'] ?? '');
  t.match(secret, { kind: 'Secret', type: 'kubernetes.io/dockerconfigjson', metadata: { name: 'breakwater-pull' } });
  t.strictSame(JSON.parse(secret.stringData['.dockerconfigjson']), {
    auths: { 'cr.example.io': { auth: Buffer.from('ci:secret').toString('base64') } },
  });
  t.strictSame(
    generated.files.map(({ secret }) => secret),
    [undefined, undefined, true],
  );
  const without = kubernetesFiles({ site: siteOf(), version: undefined });
  t.equal(without.files.length, 2);
  t.match(without.notes.join('\n'), /no secret for imagePullSecrets is written/);
});

t.test('the script of the DaemonSet writes the files below its mounts, and takes them back', async (t) => {
  const root = temporaryFolder(t);
  const hosts = join(root, 'etc/containerd/certs.d/cr.example.io/hosts.toml');
  mkdirSync(join(root, 'etc/containerd/certs.d'), { recursive: true });
  for (const [file, isThere] of [
    ['/breakwater-client.yaml', true],
    ['/breakwater-client-uninstall.yaml', false],
  ] as const) {
    const [namespace, configMap, daemonSet] = objects(file);
    t.equal(namespace.metadata.labels['pod-security.kubernetes.io/enforce'], 'privileged');
    const script = join(root, 'install.sh');
    writeFileSync(script, configMap.data['install.sh']);
    const { template, selector } = daemonSet.spec;
    t.strictSame(template.metadata.labels, selector.matchLabels);
    const [container] = template.spec.containers;
    const [, , command] = container.command;
    const only = command.replace('/script/install.sh', script).replace(/ && touch.*/, '');
    const { status, stderr } = spawnSync('sh', ['-c', only], {
      env: { PATH: process.env.PATH, BREAKWATER_ROOT: root },
    });
    t.equal(status, 0, String(stderr));
    t.equal(existsSync(hosts), isThere);
    const mounts = container.volumeMounts.map(({ name }: { name: string }) => name);
    t.strictSame(
      template.spec.volumes.map(({ name }: { name: string }) => name),
      mounts,
      'each mount has its volume',
    );
  }
});

t.test('what a person must know is told', async (t) => {
  t.match(
    generated.notes.join('\n'),
    /tags may be older[\s\S]*config_path[\s\S]*Nodes pull docker\.io\/library\/busybox/,
  );
});
