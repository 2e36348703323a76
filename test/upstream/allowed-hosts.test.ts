import t from 'tap';
import { mayGetCredentials, namedAddresses } from '../../src/upstream/allowed-hosts.ts';

const TABLE: [upstream: string, realm: string, hosts: string[], allowed: boolean][] = [
  ['https://harbor.lan', 'https://harbor.lan/service/token', [], true],
  ['https://harbor.lan:8443', 'https://harbor.lan:8443/service/token', [], true],
  ['https://harbor.lan:8443', 'https://HARBOR.lan/service/token', [], true],
  ['http://harbor.lan:5000', 'https://harbor.lan/service/token', [], true],
  ['https://harbor.lan', 'https://harbor.lan:8443/service/token', [], false],
  ['http://harbor.lan:5000', 'http://harbor.lan:5001/token', [], false],
  ['http://harbor.lan:5000', 'http://harbor.lan/token', [], false],
  ['https://harbor.lan', 'https://harbor.lan.evil.io/token', [], false],
  ['https://harbor.lan', 'https://harbor.lan@evil.io/token', [], false],
  ['https://harbor.lan', 'https://169.254.169.254/token', [], false],
  ['http://harbor.lan:5000', 'http://harbor.lan:5001/token', ['harbor.lan:5001'], true],
  ['http://harbor.lan:5000', 'http://harbor.lan:5002/token', ['harbor.lan:5001'], false],
  ['https://harbor.lan', 'https://auth.lan:8443/token', ['auth.lan'], true],
  ['https://harbor.lan', 'https://auth.lan/token', ['auth.lan:443'], true],
  ['http://harbor.lan', 'http://auth.lan/token', ['auth.lan:80'], true],
  ['https://harbor.lan', 'https://[::1]:8443/token', ['::1'], true],
  ['https://harbor.lan', 'https://[::1]:8443/token', ['[::1]:8443'], true],
  ['https://harbor.lan', 'https://[::1]/token', ['[::1]:8443'], false],
  // What public registries answer.
  ['https://registry-1.docker.io', 'https://auth.docker.io/token', [], true],
  ['https://index.docker.io', 'https://auth.docker.io/token', [], true],
  ['https://registry.hub.docker.com', 'https://auth.docker.io/token', [], true],
  ['https://ghcr.io', 'https://ghcr.io/token', [], true],
  ['https://quay.io', 'https://quay.io/v2/auth', [], true],
  ['https://asia.gcr.io', 'https://asia.gcr.io/v2/token', [], true],
  ['https://us-docker.pkg.dev', 'https://us-docker.pkg.dev/v2/token', [], true],
  ['https://public.ecr.aws', 'https://public.ecr.aws/token/', [], true],
  ['https://example.azurecr.io', 'https://example.azurecr.io/oauth2/token', [], true],
  ['https://registry.gitlab.com', 'https://gitlab.com/jwt/auth', [], true],
  ['https://docker.elastic.co', 'https://docker-auth.elastic.co/auth', [], true],
  ['https://registry.digitalocean.com', 'https://api.digitalocean.com/v2/registry/auth', [], true],
  ['https://registry.cn-hangzhou.aliyuncs.com', 'https://dockerauth.cn-hangzhou.aliyuncs.com/auth', [], true],
  ['https://x.cn-beijing.personal.cr.aliyuncs.com', 'https://dockerauth.cn-hangzhou.aliyuncs.com/auth', [], true],
  // And what nobody else may say.
  ['https://harbor.lan', 'https://auth.docker.io/token', [], false],
  ['https://registry-1.docker.io', 'http://auth.docker.io/token', [], false],
  ['https://registry-1.docker.io', 'https://auth.docker.io:8443/token', [], false],
  ['https://registry-1.docker.io.evil.io', 'https://auth.docker.io/token', [], false],
  ['https://registry.cn-hangzhou.aliyuncs.com', 'https://dockerauth.oss-cn-hangzhou.aliyuncs.com/auth', [], false],
];

for (const [upstream, realm, hosts, allowed] of TABLE)
  t.test(`${realm} for ${upstream}, with ${hosts.join(' ') || 'no list'}`, async (t) => {
    t.equal(mayGetCredentials(new URL(realm), { own: [new URL(upstream)], hosts }), allowed);
  });

t.test('the addresses in a list', async (t) => {
  const list = ['a.lan', '10.0.0.1', '[FD00::1]:5000', '::1', '169.254.1.1:80', '.example.com'];
  t.same([...namedAddresses(list)], ['10.0.0.1', 'fd00::1', '::1', '169.254.1.1']);
});
