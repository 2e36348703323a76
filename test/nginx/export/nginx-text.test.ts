import { execFile } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { configSchema } from '../../../src/config/schema.ts';
import { gapsOf } from '../../../src/nginx/export/gap-list.ts';
import { nginxText } from '../../../src/nginx/export/nginx-text.ts';
import { nginxWord, UnwritableError } from '../../../src/nginx/export/nginx-word.ts';
import type { ExportOptions } from '../../../src/nginx/export/upstream-text.ts';
import { writeMaterial } from '../../config/write-material.ts';
import { missing } from '../../helpers/tool.ts';

const OPTIONS: ExportOptions = {
  fileOf: (name) => `/etc/breakwater/${name}`,
  withCredentials: false,
  openFallback: false,
  credentialsFile: (upstream) => `/etc/nginx/${upstream}.authorization.conf`,
};

const BASE = {
  hostname: 'cr.example.io',
  tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
  upstreams: {
    harbor: { urls: ['http://127.0.0.1:5000'], credentials: 'forward' },
    gcr: { urls: ['https://127.0.0.1:5001/base'], credentials: { username: 'u', passwordFile: 'gcr.secret' } },
  },
  routes: [
    { prefix: 'library/', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'project/' }] },
  ],
};

const exported = (changes: object = {}, options: Partial<ExportOptions> = {}) => {
  const config = configSchema.parse({ ...BASE, ...changes });
  const all = { ...OPTIONS, ...options };
  return { text: nginxText(config, 'breakwater.yaml', all), gaps: gapsOf(config, all).join('\n') };
};

t.test('each part of a configuration in the words of nginx, and what nginx lacks as a gap', async (t) => {
  const cases: {
    what: string;
    changes?: object;
    options?: Partial<ExportOptions>;
    text?: RegExp[];
    without?: RegExp[];
    gap?: RegExp;
  }[] = [
    {
      what: 'prefix and base path',
      text: [
        /rewrite \^\/v2\/library\/\(\.\*\)\$ \/base\/v2\/project\/\$1 break;/,
        /proxy_redirect "~\^\(\?:https\?:\/\/\[\^\/\]\+\)\?\/base\/v2\/project\/\(\.\*\)\$" \/v2\/library\/\$1;/,
      ],
    },
    {
      what: 'no credentials by themselves',
      text: [/proxy_set_header Authorization "";/],
      without: [/include /],
      gap: /gcr gets no credentials: --with-credentials/,
    },
    {
      what: 'credentials in a file',
      options: { withCredentials: true },
      text: [/include \/etc\/nginx\/gcr.authorization.conf;/],
      gap: /gcr gets a Basic login/,
    },
    {
      what: 'several urls',
      changes: {
        upstreams: { ...BASE.upstreams, harbor: { urls: ['https://a.lan', 'https://b.lan:8443', 'http://c.lan'] } },
      },
      text: [/server a.lan:443 max_fails=3 fail_timeout=10s;\n {8}server b.lan:8443 /],
      without: [/c\.lan/],
      gap: /Of harbor, only the urls with the scheme/,
    },
    {
      what: 'onAbsent',
      changes: { routes: [{ ...BASE.routes[0], onAbsent: 'next' }] },
      text: [/error_page 404 500 502 503 504 = @pull_0_1;/],
    },
    {
      what: 'users whose rights are all the same',
      changes: {
        auth: { mode: 'htpasswd', htpasswdFile: 'users', access: { '*': ['** pull,push'] }, anonymous: ['10.0.0.0/8'] },
        upstreams: { ...BASE.upstreams, harbor: { urls: ['http://127.0.0.1:5000'] } },
        routes: [{ ...BASE.routes[0], anonymous: true }],
      },
      text: [
        /auth_basic_user_file \/etc\/breakwater\/users;/,
        /satisfy any;\n {12}allow 10\.0\.0\.0\/8;\n {12}deny all;/,
        /nothing can be deleted here/,
      ],
    },
    {
      what: 'users who may only pull',
      changes: {
        auth: { mode: 'htpasswd', htpasswdFile: 'users', access: { '*': ['library/** pull'], ci: ['** pull,push'] } },
        upstreams: { ...BASE.upstreams, harbor: { urls: ['http://127.0.0.1:5000'] } },
      },
      without: [/@push_0/],
      gap: /Nobody may push below "library\/"/,
    },
    {
      what: 'users with rights of their own',
      changes: {
        auth: { mode: 'htpasswd', htpasswdFile: 'users', access: { ci: ['** pull,push'] } },
        upstreams: { ...BASE.upstreams, harbor: { urls: ['http://127.0.0.1:5000'] } },
      },
      text: [/nginx cannot tell what each user may do here/],
      without: [/@push_0/, /@pull_0/],
      gap: /Nobody may pull below "library\/"/,
    },
    {
      what: 'delegate leaves fallbacks out',
      changes: { auth: { mode: 'delegate' } },
      without: [/@pull_0_1/],
      gap: /fallbacks are left out/,
    },
    {
      what: 'delegate with --open-fallback',
      changes: { auth: { mode: 'delegate' } },
      options: { openFallback: true },
      text: [/@pull_0_1/],
      gap: /EVERYBODY CAN PULL EVERYTHING/,
    },
    {
      what: 'a further registry',
      changes: { routes: [...BASE.routes, { prefix: '', registry: 'docker.io', pull: [{ upstream: 'gcr' }] }] },
      text: [/server_name docker\.io;/, /these repositories are read-only here/],
      gap: /\?ns=/,
    },
    {
      what: 'load balancers, ports and limits',
      changes: {
        listen: {
          https: '0.0.0.0:8443',
          http: '0.0.0.0:8080',
          plain: '0.0.0.0:5000',
          plainClients: 'all',
          proxyProtocol: true,
        },
        trustedProxies: ['10.0.0.5'],
        passthrough: 'harbor',
      },
      text: [
        /listen 0\.0\.0\.0:8443 ssl http2 proxy_protocol;\n {8}listen 0\.0\.0\.0:5000 proxy_protocol;/,
        /set_real_ip_from 10\.0\.0\.5;\n {4}real_ip_header proxy_protocol;/,
        /return 308 https:\/\/cr\.example\.io:8443\$request_uri;/,
      ],
    },
    {
      what: 'plain HTTP of load balancers',
      changes: { listen: { plain: '127.0.0.1:5000' } },
      without: [/127\.0\.0\.1:5000;\n {8}server_name/],
      gap: /listen\.plain/,
    },
    {
      what: 'credentials that end',
      changes: {
        upstreams: { ...BASE.upstreams, gcr: { urls: ['https://127.0.0.1:5001'], credentials: { metadata: 'gcp' } } },
      },
      gap: /gcr gets no credentials: nginx cannot renew a token/,
    },
    {
      what: 'a list of certificates',
      changes: { tls: [{ certFile: 'a.crt', keyFile: 'a.key' }] },
      text: [/ssl_certificate \/etc\/breakwater\/a\.crt;/],
    },
    {
      what: 'certificates by ACME',
      changes: { tls: { acme: { agreeToTerms: true, dir: 'acme' } } },
      text: [/ssl_certificate \/etc\/breakwater\/tls\.crt;/],
      gap: /tls\.acme/,
    },
    {
      what: 'without an upstream for it',
      changes: { routes: [{ prefix: '', pull: [{ upstream: 'gcr' }] }] },
      text: [/location \/v2\/ \{/],
      without: [/no route for this repository/, /@push_0/],
    },
  ];
  for (const { what, changes, options, text = [], without = [], gap } of cases) {
    const found = exported(changes, options);
    for (const pattern of text) t.match(found.text, pattern, what);
    for (const pattern of without) t.notMatch(found.text, pattern, what);
    if (gap) t.match(found.gaps, gap, what);
    for (const line of found.gaps.split('\n')) t.ok(found.text.includes(`# - ${line}`), what);
  }
});

t.test('words are quoted, and what nginx would misread is refused', async (t) => {
  t.equal(nginxWord('/a/b.c'), '/a/b.c');
  t.equal(nginxWord('/a b;{}'), '"/a b;{}"');
  t.equal(nginxWord('/a"b\\'), '"/a\\"b\\\\"');
  for (const text of ['a$b', 'a\nb', 'a\0']) t.throws(() => nginxWord(text), UnwritableError, JSON.stringify(text));
});

t.test('nginx takes the examples', { skip: missing('nginx') }, async (t) => {
  const folder = await writeMaterial(t);
  for (const name of ['tls.crt', 'tls.key', 'ca.crt', 'users'])
    if (!name.startsWith('tls')) copyFileSync(join(folder, 'tls.crt'), join(folder, name));
  const options = { ...OPTIONS, fileOf: (name: string) => join(folder, name.replace(/^tls\//, '')) };
  const configurations = [
    BASE,
    {
      ...BASE,
      auth: { mode: 'htpasswd', htpasswdFile: 'users', access: { '*': ['** pull,push'] } },
      upstreams: {
        gcr: { ...BASE.upstreams.gcr, caFile: 'ca.crt' },
        harbor: { urls: ['https://127.0.0.1:1', 'https://127.0.0.2:1'], caFile: 'ca.crt' },
      },
      passthrough: 'harbor',
    },
    {
      ...BASE,
      listen: { https: '127.0.0.1:8443', http: '127.0.0.1:8080', proxyProtocol: true },
      trustedProxies: ['10.0.0.0/8', 'fd00::/8'],
      aliases: ['fd00::1'],
    },
  ];
  for (const given of configurations) {
    const text = nginxText(configSchema.parse(given), 'breakwater.yaml', options);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (one) => `${one}_temp_path ${folder}/${one};`,
    );
    const authorities = text.replaceAll('/etc/ssl/certs/ca-certificates.crt', join(folder, 'tls.crt'));
    writeFileSync(
      join(folder, 'nginx.conf'),
      authorities.replace('http {', `http { access_log off; ${temporary.join(' ')}`),
    );
    const args = [
      '-t',
      '-q',
      '-p',
      folder,
      '-c',
      join(folder, 'nginx.conf'),
      '-g',
      `pid ${folder}/pid; error_log stderr;`,
    ];
    await t.resolves(promisify(execFile)('nginx', args), readFileSync(join(folder, 'nginx.conf'), 'utf8').slice(0, 80));
  }
});
