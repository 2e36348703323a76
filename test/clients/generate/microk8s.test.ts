import t from 'tap';
import { microk8sFiles } from '../../../src/clients/generate/microk8s.ts';
import { siteOf, textsOf, tomlOf } from '../client-sites.ts';

t.test('the tree of containerd in the folder of microk8s', async (t) => {
  const mirrors = [{ registry: 'docker.io', prefix: 'hub/' }];
  const generated = microk8sFiles({ site: siteOf({ mirrors }), version: undefined });
  const folder = '/var/snap/microk8s/current/args/certs.d';
  t.strictSame(
    generated.files.map(({ path }) => path),
    ['cr.example.io/hosts.toml', 'cr.example.io/ca.crt', 'docker.io/hosts.toml', 'docker.io/ca.crt'].map(
      (name) => `${folder}/${name}`,
    ),
  );
  t.match(tomlOf(textsOf(generated)[`${folder}/docker.io/hosts.toml`]), { override_path: true, ca: 'ca.crt' });
  t.match(generated.notes.join('\n'), /a hosts\.toml for docker\.io of its own/);
});
