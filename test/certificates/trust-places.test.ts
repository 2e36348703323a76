import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { makeAuthority } from '../../src/certificates/certificate-maker.ts';
import { systemKind, trustPlan } from '../../src/certificates/trust-places.ts';

const until = new Date(Date.now() + 86_400_000);
const makeOne = async (name: string) =>
  new X509Certificate((await makeAuthority({ name, from: new Date(), until })).cert);
const both = [await makeOne('one'), await makeOne('two')];

t.test('systems get a file for each CA', async (t) => {
  const debian = trustPlan('debian', both);
  t.equal(debian.files.length, 2);
  for (const { path } of debian.files)
    t.match(path, /^\/usr\/local\/share\/ca-certificates\/breakwater-[0-9a-f]{12}\.crt$/);
  t.strictSame(debian.commands, ['update-ca-certificates']);
  t.strictSame(trustPlan('debian', both), debian, 'the same names at each run');
  t.match(trustPlan('rhel', both).files[0]?.path, /^\/etc\/pki\/ca-trust\/source\/anchors\//);
  t.strictSame(trustPlan('rhel', both).commands, ['update-ca-trust extract']);
  t.strictSame(trustPlan('alpine', both).commands, ['update-ca-certificates']);
  const java = trustPlan('java', both);
  t.match(java.commands[1], `-file ${java.files[1]?.path}`);
});

t.test('container programs get one file for the registry', async (t) => {
  const { files, commands } = trustPlan('docker', both, 'cr.example.io:8443');
  t.strictSame(
    files.map(({ path }) => path),
    ['/etc/docker/certs.d/cr.example.io:8443/ca.crt'],
  );
  t.equal(files[0]?.content.match(/BEGIN CERTIFICATE/g)?.length, 2, 'both, for the time of a change');
  t.strictSame(commands, []);
  t.equal(
    trustPlan('containers', both, 'cr.example.io').files[0]?.path,
    '/etc/containers/certs.d/cr.example.io/ca.crt',
  );
});

t.test('a system is known by its os-release', async (t) => {
  t.equal(systemKind('PRETTY_NAME="Debian"\nID=debian\n'), 'debian');
  t.equal(systemKind('ID=linuxmint\nID_LIKE="ubuntu debian"\n'), 'debian');
  t.equal(systemKind('ID="rocky"\nID_LIKE="rhel centos fedora"\n'), 'rhel');
  t.equal(systemKind('ID=fedora\n'), 'rhel');
  t.equal(systemKind('ID=alpine\n'), 'alpine');
  t.equal(systemKind('ID=nixos\n'), undefined);
  t.equal(systemKind(''), undefined);
});
