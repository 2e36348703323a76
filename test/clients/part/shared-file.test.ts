import t from 'tap';
import { containerdFiles } from '../../../src/clients/generate/containerd.ts';
import type { SharedPart } from '../../../src/clients/generate/generated.ts';
import { losesComments, withPart } from '../../../src/clients/part/shared-file.ts';
import { siteOf, tomlOf } from '../client-sites.ts';

const MIRROR: SharedPart = {
  format: 'json',
  comment: [],
  edits: [{ path: ['registry-mirrors'], value: 'https://cr.example.io', how: 'first' }],
};

t.test('JSON keeps what others wrote, and its indentation', async (t) => {
  const present = '{\n    "log-driver": "journald",\n    "registry-mirrors": ["https://old.lan"]\n}\n';
  const merged = withPart(MIRROR, present);
  t.equal(
    merged,
    '{\n    "log-driver": "journald",\n    "registry-mirrors": [\n        "https://cr.example.io",\n        "https://old.lan"\n    ]\n}\n',
  );
  t.equal(withPart(MIRROR, merged), merged, 'a second time changes nothing');
});

t.test('what cannot take a part is told, with its place', async (t) => {
  const rows: [SharedPart, string, RegExp][] = [
    [MIRROR, '{"registry-mirrors": "https://old.lan"}', /^registry-mirrors is not a list; expected a list/],
    [MIRROR, '[]', /^is not a map at its top/],
    [MIRROR, '{"a": }', /JSON/],
    [configPart('1.7'), 'version = 2\nplugins = 3\n', /^plugins has a value; expected a table or map/],
    [configPart('1.7'), 'version = 2\n[a\n', /^line 2, column /],
    [configPart('1.7'), '[plugins.cri.registry]\n', /^has version = 1; this program's version reads 2\. /],
    [configPart('1.7'), 'version = 3\n', /^has version = 3; this program's version reads 2\. /],
    [
      configPart('1.7'),
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/other"\n',
      /registry\.config_path is "\/other": move what is there to \/etc\/containerd\/certs\.d/,
    ],
    [
      configPart('1.7'),
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\nendpoint = ["https://old.lan"]\n',
      /registry\.mirrors\.docker\.io cannot stand beside config_path/,
    ],
  ];
  for (const [part, present, says] of rows)
    t.throws(() => withPart(part, present), { name: 'PartError', message: says });
});

t.test('TOML keeps values and their types; the plugin is that of the version of the file', async (t) => {
  const present =
    '# mine\nversion = 2\nratio = 1.0\n[plugins."io.containerd.grpc.v1.cri"]\nsandbox_image = "pause:3.9"\n';
  for (const version of ['1.7', '2.1']) {
    const merged = withPart(configPart(version), present);
    t.match(merged, /^ratio = 1\.0$/m);
    t.strictSame(tomlOf(merged), {
      version: 2,
      ratio: 1,
      plugins: {
        'io.containerd.grpc.v1.cri': {
          sandbox_image: 'pause:3.9',
          registry: { config_path: '/etc/containerd/certs.d' },
        },
      },
    });
    t.equal(withPart(configPart(version), merged), merged, 'a second time changes nothing');
  }
  t.ok(losesComments(configPart('1.7'), present));
  t.notOk(losesComments(configPart('1.7'), 'version = 2\n'));
});

t.test('a folder among others is enough', async (t) => {
  const present = (path: string) =>
    `version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "${path}"\n`;
  const two = present('/etc/containerd/certs.d:/etc/docker/certs.d');
  t.equal(withPart(configPart('1.7'), two), two);
  t.match(withPart(configPart('1.7'), present('')), 'config_path = "/etc/containerd/certs.d"');
});

t.test('YAML keeps its comments', async (t) => {
  const part: SharedPart = {
    format: 'yaml',
    comment: ['new'],
    edits: [{ path: ['mirrors', 'docker.io'], value: { endpoint: ['https://cr.example.io'] }, how: 'set' }],
  };
  t.equal(withPart(part, undefined), '# new\n\nmirrors:\n  docker.io:\n    endpoint:\n      - https://cr.example.io\n');
  const merged = withPart(part, 'mirrors: # ours\n  quay.io:\n    endpoint: [https://q.lan]\n');
  t.match(merged, /# ours\n {2,4}quay\.io:[\s\S]*https:\/\/q\.lan[\s\S]*\n {2,4}docker\.io:/);
  t.equal(withPart(part, merged), merged, 'a second time changes nothing');
  t.throws(() => withPart(part, 'mirrors: all\n'), { message: /^mirrors has a value/ });
  t.throws(() => withPart(part, 'a: [\n'), { name: 'PartError' });
});

t.test('entries of lists', async (t) => {
  const part: SharedPart = {
    format: 'toml',
    comment: [],
    edits: [
      { path: ['runners', '*', 'environment'], value: 'A=new', how: 'variable' },
      { path: ['runners', '*', 'docker', 'volumes'], value: '/certs', how: 'last' },
    ],
  };
  const merged = withPart(part, '[[runners]]\nenvironment = ["B=1", "A=old"]\n[[runners]]\nname = "two"\n');
  t.strictSame(tomlOf(merged), {
    runners: [
      { environment: ['B=1', 'A=new'], docker: { volumes: ['/certs'] } },
      { name: 'two', environment: ['A=new'], docker: { volumes: ['/certs'] } },
    ],
  });
  t.equal(withPart(part, merged), merged);
  t.throws(() => withPart(part, 'runners = 3\n'), { message: /^runners is not a list/ });
});

function configPart(version: string): SharedPart {
  const { content } = containerdFiles({ site: siteOf(), version }).files.at(-1) ?? {};
  if (typeof content !== 'object') throw new Error('config.toml is the last file');
  return content;
}
